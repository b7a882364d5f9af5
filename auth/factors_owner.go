package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Factors lists the second factors of the acting session's account: the oldest first, recovery codes last.
func (s *Service) Factors(ctx context.Context, acting Session) ([]Factor, error) {
	if s.cfg.Factors == nil {
		return nil, nil
	}
	stored, err := s.cfg.Factors.Factors(ctx, acting.Account)
	if err != nil {
		return nil, fmt.Errorf("auth: read factors: %w", err)
	}
	var list []Factor
	var codes *Factor
	for _, f := range stored {
		shown := Factor{ID: f.ID, Method: f.Method, Name: f.Name, CreatedAt: f.CreatedAt, UsedAt: f.UsedAt}
		switch {
		case f.Method != flow.RecoveryCode:
			list = append(list, shown)
		case codes == nil:
			shown.Left, codes = 1, &shown
		default:
			codes.Left++
		}
	}
	if codes != nil {
		list = append(list, *codes)
	}
	return list, nil
}

// RenameFactor gives a second factor of the acting session's account another name, of at most 64 code points.
// Another account's factor is a *DeniedError (NotFound), a name that is too long one with Malformed.
func (s *Service) RenameFactor(ctx context.Context, acting Session, id, name string) error {
	name, ok := factorName(name)
	if !ok {
		return flow.Deny(flow.Malformed)
	}
	if s.cfg.Factors == nil {
		return flow.Deny(flow.NotFound)
	}
	err := s.cfg.Factors.RenameFactor(ctx, acting.Account, id, name)
	if errors.Is(err, ErrNotFound) {
		return flow.Deny(flow.NotFound)
	}
	if err == nil {
		s.decided(ctx, AuditEvent{What: "factor-renamed", Account: acting.Account, Session: acting.ID})
	}
	return err
}

// ResetFactors removes all second factors of an account, for a person who lost them and proved to the host who
// they are. Its sessions end, and its owner is told. Nobody learns or sets a secret by it. An account without
// factors stays as it is. It returns ErrNotFound.
func (s *Service) ResetFactors(ctx context.Context, id string) error {
	if s.cfg.Factors == nil {
		return nil
	}
	for range attempts {
		err := s.resetFactors(ctx, id)
		if !errors.Is(err, ErrStale) {
			return err
		}
	}
	return fmt.Errorf("auth: account keeps changing: %w", ErrStale)
}

func (s *Service) resetFactors(ctx context.Context, id string) error {
	state, err := s.cfg.Accounts.State(ctx, id)
	if err != nil {
		return fmt.Errorf("auth: read account: %w", err)
	}
	stored, err := s.cfg.Factors.Factors(ctx, id)
	if err != nil {
		return fmt.Errorf("auth: read factors: %w", err)
	}
	if len(stored) == 0 {
		return nil
	}
	c := FactorChange{Account: id, From: state.Standing, EndSessions: true, Now: s.now()}
	for _, f := range stored {
		c.Remove = append(c.Remove, f.ID)
	}
	j := &job{s: s, now: c.Now, flow: flow.Flow{Subject: flow.Subject{Account: id}}}
	if c.Letters, err = j.tell(ctx, flow.FactorRemoved, 0); err != nil {
		return err
	}
	next := Standing{Status: state.Status, Epochs: raised(state.Epochs, true)}
	if err := s.fence(ctx, id, state.Standing, next, ""); err != nil {
		return err
	}
	if _, err := s.cfg.Factors.ChangeFactors(ctx, c); err != nil {
		return errors.Join(fmt.Errorf("auth: reset factors: %w", err), s.realign(ctx, id))
	}
	s.decided(ctx, AuditEvent{What: "factors-reset", Account: id})
	return j.post(ctx)
}

// QR draws a pairing as an svg element, which has the title as its text alternative.
func (s *Service) QR(p Pairing, title string) (Secret, error) {
	if s.cfg.Apps == nil {
		return Secret{}, errors.New("auth: there are no authenticator apps here, since Config.Apps is not set")
	}
	return s.cfg.Apps.QR(p, title)
}
