package authtest

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

var brokenGoneLinks = map[string]func() Links{
	"a removed link is gone": brokenLink(func(s *linkStore) { // it is found by its id all the same
		var mu sync.Mutex
		removed := map[string]auth.Link{}
		s.remove = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			l, _ := s.Store.FindLink(ctx, c.Link.ID)
			mu.Lock()
			removed[l.ID] = l
			mu.Unlock()
			return s.Store.RemoveLink(ctx, c)
		}
		s.find = func(ctx context.Context, id string) (auth.Link, error) {
			mu.Lock()
			defer mu.Unlock()
			if l, ok := removed[id]; ok {
				return l, nil
			}
			return s.Store.FindLink(ctx, id)
		}
	}),
	"a removed link is its account's alone": brokenLink(func(s *linkStore) { // the row goes, and with it whose it was
		s.remove = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			e, err := s.Store.RemoveLink(ctx, c)
			if err == nil {
				err = s.Store.ReleaseLink(ctx, c.Link.ID)
			}
			return e, err
		}
	}),
	"a link that comes back is a new one": brokenLink(func(s *linkStore) { // it takes the old one's place
		used := map[string]time.Time{}
		s.use = func(ctx context.Context, account, id, email, name string, now time.Time) error {
			used[id] = now
			return s.Store.UseLink(ctx, account, id, email, name, now)
		}
		s.add = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			c.Link.UsedAt = used[c.Link.ID]
			return s.Store.AddLink(ctx, c)
		}
	}),
	"delete forgets the links": brokenLink(func(s *linkStore) {
		orphans := map[string][]auth.Link{}
		s.erase = func(ctx context.Context, id string) error {
			orphans[id], _ = s.Store.Links(ctx, id)
			return s.Store.Delete(ctx, id)
		}
		s.list = func(ctx context.Context, account string) ([]auth.Link, error) {
			list, err := s.Store.Links(ctx, account)
			return append(orphans[account], list...), err
		}
	}),
	"a deleted account's identities are nobody's": brokenLink(func(s *linkStore) { // the account's id is the account's, it thinks
		had := map[string]string{}
		s.erase = func(ctx context.Context, id string) error {
			list, _ := s.Store.Links(ctx, id)
			for _, l := range list {
				had[l.ID] = id
			}
			return s.Store.Delete(ctx, id)
		}
		s.add = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			if had[c.Link.ID] == c.Link.Account {
				_ = s.Store.ReleaseLink(ctx, c.Link.ID)
			}
			return s.Store.AddLink(ctx, c)
		}
	}),
	"a release sets an identity free": brokenLink(func(s *linkStore) { // of a deleted account it releases nothing
		deleted := map[string]bool{}
		s.erase = func(ctx context.Context, id string) error {
			list, _ := s.Store.Links(ctx, id)
			for _, l := range list {
				deleted[l.ID] = true
			}
			return s.Store.Delete(ctx, id)
		}
		s.release = func(ctx context.Context, id string) error {
			if deleted[id] {
				return auth.ErrNotFound
			}
			return s.Store.ReleaseLink(ctx, id)
		}
	}),
	"a release needs something to forget": brokenLink(func(s *linkStore) {
		s.release = func(ctx context.Context, id string) error {
			return swallow(s.Store.ReleaseLink(ctx, id), auth.ErrNotFound)
		}
	}),
	"one release wins": deafLinks(3, auth.ErrNotFound),
	"a release takes no link away": brokenLink(func(s *linkStore) { // one that looked before deletes what is there now
		removed := map[string]bool{}
		s.remove = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			removed[c.Link.ID] = true
			return s.Store.RemoveLink(ctx, c)
		}
		s.add = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			e, err := s.Store.AddLink(ctx, c)
			if err == nil && removed[c.Link.ID] {
				_, _ = s.Store.RemoveLink(ctx, auth.LinkChange{Link: c.Link, From: s.now(ctx, c.Link.Account)})
				_ = s.Store.ReleaseLink(ctx, c.Link.ID)
			}
			return e, err
		}
	}),
}

var brokenLinkUses = map[string]func() Links{
	"a use is recorded": brokenLink(func(s *linkStore) {
		s.use = func(ctx context.Context, account, id, email, name string, now time.Time) error {
			err := s.Store.UseLink(ctx, account, id, email, name, now)
			if err == nil { // as if a use were a change
				e := s.now(ctx, account).Epochs
				_, _ = s.Store.RaiseEpochs(ctx, account, flow.Epochs{Security: e.Security + 1})
			}
			return err
		}
	}),
	"a use keeps what is not told": misusedLinks(func(_, _, _, name *string) { *name = cmp.Or(*name, "nobody") }),
	"a use needs the link":         deafLinks(1, auth.ErrStale),
	"a use brings no link back": brokenLink(func(s *linkStore) { // it writes the whole link that it saw
		s.use = func(ctx context.Context, account, id, email, name string, now time.Time) error {
			err := s.Store.UseLink(ctx, account, id, email, name, now)
			if !errors.Is(err, auth.ErrStale) {
				return err
			}
			_, err = s.Store.AddLink(ctx, auth.LinkChange{Link: owned(account, link(id)), From: s.now(ctx, account)})
			return err
		}
	}),
}

var brokenBesideLinks = map[string]func() Links{
	"the state tells of links": brokenLink(func(s *linkStore) { // the row is there, so the method is
		had := map[string]flow.Methods{}
		s.remove = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			state, _ := s.Store.State(ctx, c.Link.Account)
			had[c.Link.Account] |= state.Enrolled
			return s.Store.RemoveLink(ctx, c)
		}
		s.state = func(ctx context.Context, id string) (auth.AccountState, error) {
			state, err := s.Store.State(ctx, id)
			state.Enrolled |= had[id]
			return state, err
		}
	}),
	"links outlive other changes": brokenLink(func(s *linkStore) {
		s.recover = func(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
			e, err := s.Store.CompleteRecovery(ctx, c)
			list, _ := s.Store.Links(ctx, c.Account)
			if err != nil || !c.ForgetFactors || len(list) == 0 {
				return e, err
			}
			return s.Store.RemoveLink(ctx, auth.LinkChange{Link: list[0], From: s.now(ctx, c.Account)})
		}
	}),
	"a recovery forgets a thief's links": brokenLink(func(s *linkStore) { // the rows go, and with them whose they were
		s.recover = func(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
			list, _ := s.Store.Links(ctx, c.Account)
			e, err := s.Store.CompleteRecovery(ctx, c)
			for _, l := range list {
				if err == nil && c.ForgetLinks && l.Method == flow.Social {
					err = s.Store.ReleaseLink(ctx, l.ID)
				}
			}
			return e, err
		}
	}),
	"factors and links are told together": brokenLink(func(s *linkStore) {
		s.changeFactors = func(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
			list, _ := s.Store.Links(ctx, c.Account)
			e, err := s.Store.ChangeFactors(ctx, c)
			for _, l := range list {
				if err == nil && l.Method == c.RemoveAll {
					e, err = s.Store.RemoveLink(ctx, auth.LinkChange{Link: l, From: s.now(ctx, c.Account)})
				}
			}
			return e, err
		}
	}),
	"a done context changes no link": brokenLink(func(s *linkStore) {
		s.release = func(ctx context.Context, id string) error {
			_ = s.Store.ReleaseLink(context.WithoutCancel(ctx), id)
			return ctx.Err()
		}
	}),
}
