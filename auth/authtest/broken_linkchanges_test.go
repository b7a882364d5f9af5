package authtest

import (
	"cmp"
	"context"
	"errors"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

var brokenLinkChanges = map[string]func() Links{
	"a change of links raises the security epoch": misledLinks(func(_ context.Context, _ *linkStore, c *auth.LinkChange) { c.EndSessions = true }),
	"a change of links ends sessions":             misledLinks(func(_ context.Context, _ *linkStore, c *auth.LinkChange) { c.EndSessions = false }),
	"a change of links forgets mailed secrets": brokenLink(func(s *linkStore) {
		s.remove = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			e, err := s.Store.RemoveLink(ctx, c)
			_ = s.AddTicket(ctx, ticket("i1", auth.ForInvitation))
			return e, err
		}
	}),
	"a change of links tells of itself": misledLinks(func(_ context.Context, _ *linkStore, c *auth.LinkChange) { c.Letters = nil }),
	"a change of links that cannot be told does not happen": brokenLink(func(s *linkStore) {
		s.remove = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			letters := c.Letters
			c.Letters = nil
			e, err := s.Store.RemoveLink(ctx, c)
			if err == nil && len(letters) > 0 {
				err = errors.New("malformed text")
			}
			return e, err
		}
	}),
	"a change of links needs the account": misledLinks(func(ctx context.Context, s *linkStore, c *auth.LinkChange) {
		_ = s.Open(ctx, c.Link.Account, c.From.Status, "", c.Now)
	}),
	"a change of links is from what was seen": misledLinks(func(ctx context.Context, s *linkStore, c *auth.LinkChange) {
		c.From.Epochs.Session = s.now(ctx, c.Link.Account).Epochs.Session
	}),
	"a removal needs the link": brokenLink(func(s *linkStore) { // what is gone is gone
		s.remove = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			if _, err := s.Store.FindLink(ctx, c.Link.ID); errors.Is(err, auth.ErrNotFound) {
				return s.Store.RaiseEpochs(ctx, c.Link.Account, flow.Epochs{})
			}
			return s.Store.RemoveLink(ctx, c)
		}
	}),
	"an identity is one account's": brokenLink(func(s *linkStore) { // whoever connects last has it
		s.add = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			if l, err := s.Store.FindLink(ctx, c.Link.ID); err == nil && l.Account != c.Link.Account {
				_, _ = s.Store.RemoveLink(ctx, auth.LinkChange{Link: l, From: s.now(ctx, l.Account)})
				_ = s.Store.ReleaseLink(ctx, l.ID)
			}
			return s.Store.AddLink(ctx, c)
		}
	}),
	"a link has a method": bentLink(func(l *auth.Link) { l.Method = cmp.Or(l.Method, flow.Social) }),
}

var brokenLinkRaces = map[string]func() Links{
	"one link of an identity wins": deafLinks(3, auth.ErrTaken),
	"one change of links wins":     deafLinks(3, auth.ErrStale),
	"a change of links lowers no epoch": brokenLink(func(s *linkStore) { // one that saw the account before writes over it
		s.raise = func(_ context.Context, _ string, least flow.Epochs) (flow.Epochs, error) { return least, nil }
	}),
	"an identity is never between accounts": brokenLink(func(s *linkStore) {
		s.remove = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			e, err := s.Store.RemoveLink(ctx, c)
			if err != nil {
				return e, err
			}
			_ = s.Store.ReleaseLink(ctx, c.Link.ID)
			_, _ = s.Store.AddLink(ctx, auth.LinkChange{Link: owned("a2", link(c.Link.ID)), From: s.now(ctx, "a2")}) // another was faster
			return e, err
		}
	}),
}
