package auth

import (
	"context"

	"github.com/cardea-auth/cardea/auth/flow"
)

// PreviewLink returns what a flow of the goal, Recovery, Activation or Reversal, offers to whoever has the token
// of a mailed link, so that a GET can show it: programs open links in mails before people do. It changes nothing,
// puts nothing on record and begins no flow; the View of a link that would at once do its work says that this is
// Completion. Every bad link is the same *DeniedError (WrongCode).
func (s *Service) PreviewLink(ctx context.Context, goal flow.Goal, token Secret, c Client) (flow.View, error) {
	if err := s.servable(goal, flow.Target{}); err != nil {
		return flow.View{}, err
	}
	if linkPurposes[goal] == "" {
		return flow.View{}, flow.Deny(flow.NotOffered)
	}
	j := &job{s: s, now: s.now(), client: c.own(), inputs: Inputs{Code: token}}
	for _, e := range []flow.Event{flow.Begin{Goal: goal}, flow.Submit{Method: flow.MailLink}} {
		if err := j.imagine(ctx, e); err != nil {
			return flow.View{}, err
		}
	}
	view, err := j.view(ctx)
	if err == nil && view.Refusal != nil && view.Refusal.Reason == flow.WrongCode {
		return flow.View{}, flow.Deny(flow.WrongCode)
	}
	return view, err
}

// imagine drives the machine as far as effects lead that only look.
func (j *job) imagine(ctx context.Context, e flow.Event) error {
	for e != nil {
		p, err := j.policy(ctx)
		if err != nil {
			return err
		}
		next, effects, err := flow.Step(p, j.flow, e, j.now)
		if err != nil {
			return err
		}
		j.flow, j.found, e = next, nil, nil
		for _, effect := range effects {
			switch effect.(type) {
			case flow.CheckProof, flow.FindSubject:
				if e, err = j.effect(ctx, effect); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
