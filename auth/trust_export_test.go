package auth

import (
	"context"

	"github.com/cardea-auth/cardea/auth/flow"
)

// ContinueVerified takes a step as Continue does, under rules of the test's own and with codes that all arrive and
// are all right, but for the code "wrong": trust is a matter of what comes before and after a code.
func (s *Service) ContinueVerified(ctx context.Context, r ContinueRequest, rules flow.Rules) (Progress, error) {
	j := &job{s: s, now: s.now(), client: r.Client.own(), inputs: r.Inputs}
	rules = s.inForce(rules)
	j.rules = &rules
	if _, err := j.open(ctx, r.Handle); err != nil {
		return Progress{}, err
	}
	if err := j.resume(ctx); err != nil {
		return Progress{}, err
	}
	view, err := j.view(ctx)
	if err != nil {
		return Progress{}, err
	}
	for _, a := range view.Actions {
		if a.Name != r.Action {
			continue
		}
		e := a.Event(flow.Choices{Trust: r.Inputs.Trust, EndOthers: r.Inputs.EndOthers}, "")
		if err := j.driveVerified(ctx, e); err != nil {
			return Progress{}, err
		}
		return j.finish(ctx)
	}
	return Progress{}, flow.Deny(flow.NotOffered)
}

// driveVerified is drive, with the codes answered here.
func (j *job) driveVerified(ctx context.Context, e flow.Event) error {
	for e != nil {
		j.earn(e)
		p, err := j.policy(ctx)
		if err != nil {
			return err
		}
		next, effects, err := flow.Step(p, j.flow, e, j.now)
		if err != nil {
			return err
		}
		j.found = nil
		_, issued := e.(flow.SessionIssued)
		j.flow, j.saved = next, j.saved && issued
		e = nil
		for _, effect := range effects {
			switch asked := effect.(type) {
			case flow.MakeChallenge:
				e = flow.ChallengeMade{}
			case flow.CheckProof:
				if asked.Method != flow.Password {
					e = j.codeChecked(asked.Method)
					continue
				}
			}
			if e != nil {
				continue
			}
			if e, err = j.effect(ctx, effect); err != nil {
				return err
			}
		}
	}
	return nil
}

func (j *job) codeChecked(m flow.Method) flow.Event {
	if j.inputs.Code.Reveal() == "wrong" {
		return flow.ProofChecked{Failure: flow.Refusal{Reason: flow.WrongCode}}
	}
	return flow.ProofChecked{Proof: flow.Proof{Method: m, Account: j.flow.Subject.Account}}
}
