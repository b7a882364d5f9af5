package authtest

import (
	"context"
	"errors"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/session"
)

// misledRaise changes what RaiseStanding is asked for.
func misledRaise(mislead func(s *sessionStore, account string, from, to *auth.Standing, keep *string)) func() session.Store {
	return brokenSession(func(s *sessionStore) {
		s.raise = func(ctx context.Context, account string, from, to auth.Standing, keep string) error {
			mislead(s, account, &from, &to, &keep)
			return s.Store.RaiseStanding(ctx, account, from, to, keep)
		}
	})
}

var brokenRaises = map[string]func() session.Store{
	"a raise sets the standing": misledRaise(func(_ *sessionStore, _ string, from, to *auth.Standing, _ *string) {
		to.Status = from.Status
	}),
	"an unknown account is raised": brokenSession(func(s *sessionStore) {
		s.raise = func(ctx context.Context, account string, from, to auth.Standing, keep string) error {
			if s.known(ctx, account) == (auth.Standing{}) {
				return auth.ErrStale
			}
			return s.Store.RaiseStanding(ctx, account, from, to, keep)
		}
	}),
	"a raise from another standing is stale": misledRaise(func(s *sessionStore, account string, from, _ *auth.Standing, _ *string) {
		if known := s.known(context.Background(), account); known.Epochs == from.Epochs {
			from.Status = known.Status
		}
	}),
	"a raise lowers nothing": brokenSession(func(s *sessionStore) {
		s.raise = func(ctx context.Context, account string, from, to auth.Standing, keep string) error {
			if to.Epochs == from.Epochs { // it is taken for done
				_, err := s.Store.AlignStanding(ctx, account, to)
				return err
			}
			return s.Store.RaiseStanding(ctx, account, from, to, keep)
		}
	}),
	"a raise of the security epoch ends none": misledRaise(func(_ *sessionStore, _ string, _, to *auth.Standing, _ *string) {
		to.Epochs.Session = max(to.Epochs.Session, to.Epochs.Security)
	}),
	"the kept session goes on": misledRaise(func(_ *sessionStore, _ string, _, _ *auth.Standing, keep *string) { *keep = "" }),
	"a session that is gone is not kept": misledRaise(func(s *sessionStore, account string, _, _ *auth.Standing, keep *string) {
		if r, ok := s.created[*keep]; !ok || r.Account != account {
			*keep = ""
		}
	}),
	"a dead session is not kept": brokenSession(func(s *sessionStore) {
		s.raise = func(ctx context.Context, account string, from, to auth.Standing, keep string) error {
			r, ok := s.created[keep]
			err := s.Store.RaiseStanding(ctx, account, from, to, keep)
			if !ok || !errors.Is(err, auth.ErrStale) || s.known(ctx, account) != from {
				return err
			}
			if err := s.Store.EndSession(ctx, account, keep); err != nil {
				return err
			}
			r.Epoch = to.Epochs.Session
			return s.Store.CreateSession(ctx, r, to, session.CreateOptions{})
		}
	}),
	"no one else's session is kept": misledRaise(func(s *sessionStore, account string, _, _ *auth.Standing, keep *string) {
		if r, ok := s.created[*keep]; ok && r.Account != account {
			*keep = ""
		}
	}),
	// It looks, and then aligns: whoever comes second finds nothing to raise, and keeps a session all the same.
	"one raise wins": brokenSession(func(s *sessionStore) {
		s.raise = func(ctx context.Context, account string, from, to auth.Standing, keep string) error {
			if err := s.Store.RaiseStanding(ctx, account, from, to, keep); !errors.Is(err, auth.ErrStale) {
				return err
			}
			r := s.created[keep]
			if err := s.Store.EndSession(ctx, account, keep); err != nil {
				return err
			}
			r.Epoch = to.Epochs.Session
			return s.Store.CreateSession(ctx, r, to, session.CreateOptions{})
		}
	}),
}
