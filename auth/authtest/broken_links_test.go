package authtest

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
)

// linkStore is a sound store of which single methods are replaced.
type linkStore struct {
	*memory.Store
	list          func(ctx context.Context, account string) ([]auth.Link, error)
	find          func(ctx context.Context, id string) (auth.Link, error)
	add, remove   linkVerb
	use           func(ctx context.Context, account, id, email, name string, now time.Time) error
	release       func(ctx context.Context, id string) error
	state         func(ctx context.Context, id string) (auth.AccountState, error)
	erase         func(ctx context.Context, id string) error
	raise         func(ctx context.Context, id string, least flow.Epochs) (flow.Epochs, error)
	changeFactors func(ctx context.Context, c auth.FactorChange) (flow.Epochs, error)
	recover       func(ctx context.Context, c auth.Completion) (flow.Epochs, error)
}

func (s *linkStore) Links(ctx context.Context, account string) ([]auth.Link, error) {
	return s.list(ctx, account)
}

func (s *linkStore) FindLink(ctx context.Context, id string) (auth.Link, error) {
	return s.find(ctx, id)
}

func (s *linkStore) AddLink(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
	return s.add(ctx, c)
}

func (s *linkStore) RemoveLink(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
	return s.remove(ctx, c)
}

func (s *linkStore) UseLink(ctx context.Context, account, id, email, name string, now time.Time) error {
	return s.use(ctx, account, id, email, name, now)
}

func (s *linkStore) ReleaseLink(ctx context.Context, id string) error { return s.release(ctx, id) }

func (s *linkStore) State(ctx context.Context, id string) (auth.AccountState, error) {
	return s.state(ctx, id)
}

func (s *linkStore) Delete(ctx context.Context, id string) error { return s.erase(ctx, id) }

func (s *linkStore) RaiseEpochs(ctx context.Context, id string, least flow.Epochs) (flow.Epochs, error) {
	return s.raise(ctx, id, least)
}

func (s *linkStore) ChangeFactors(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
	return s.changeFactors(ctx, c)
}

func (s *linkStore) CompleteRecovery(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	return s.recover(ctx, c)
}

func brokenLink(breaking func(s *linkStore)) func() Links {
	return func() Links {
		m := memory.New()
		s := &linkStore{
			Store: m, list: m.Links, find: m.FindLink, add: m.AddLink, remove: m.RemoveLink, use: m.UseLink, release: m.ReleaseLink,
			state: m.State, erase: m.Delete, raise: m.RaiseEpochs, changeFactors: m.ChangeFactors, recover: m.CompleteRecovery,
		}
		breaking(s)
		return s
	}
}

func brokenLinks() map[string]func() Links {
	all := map[string]func() Links{}
	for _, some := range []map[string]func() Links{brokenLinkRows, brokenLinkChanges, brokenLinkRaces, brokenGoneLinks, brokenLinkUses, brokenBesideLinks} {
		maps.Copy(all, some)
	}
	return all
}

// bentLink changes each link that is added.
func bentLink(bend func(l *auth.Link)) func() Links {
	return brokenLink(func(s *linkStore) {
		s.add = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			bend(&c.Link)
			return s.Store.AddLink(ctx, c)
		}
	})
}

// misledLinks changes what AddLink and RemoveLink are asked for.
func misledLinks(mislead func(ctx context.Context, s *linkStore, c *auth.LinkChange)) func() Links {
	return brokenLink(func(s *linkStore) {
		s.add = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			mislead(ctx, s, &c)
			return s.Store.AddLink(ctx, c)
		}
		s.remove = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			mislead(ctx, s, &c)
			return s.Store.RemoveLink(ctx, c)
		}
	})
}

// misusedLinks changes what UseLink is asked for.
func misusedLinks(mislead func(account, id, email, name *string)) func() Links {
	return brokenLink(func(s *linkStore) {
		s.use = func(ctx context.Context, account, id, email, name string, now time.Time) error {
			mislead(&account, &id, &email, &name)
			return s.Store.UseLink(ctx, account, id, email, name, now)
		}
	})
}

// deafLinks does not tell which error (from the n-th on) of the methods that change links.
func deafLinks(n int32, which error) func() Links {
	return brokenLink(func(s *linkStore) {
		deaf := lateSwallow(n, which)
		s.add = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			e, err := s.Store.AddLink(ctx, c)
			return e, deaf(err)
		}
		s.remove = func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
			e, err := s.Store.RemoveLink(ctx, c)
			return e, deaf(err)
		}
		s.use = func(ctx context.Context, account, id, email, name string, now time.Time) error {
			return deaf(s.Store.UseLink(ctx, account, id, email, name, now))
		}
		s.release = func(ctx context.Context, id string) error { return deaf(s.Store.ReleaseLink(ctx, id)) }
	})
}

// now is how the account stands.
func (s *linkStore) now(ctx context.Context, account string) auth.Standing {
	state, _ := s.Store.State(ctx, account)
	return state.Standing
}

var brokenLinkRows = map[string]func() Links{
	"a link comes back whole":           bentLink(func(l *auth.Link) { l.UsedAt = time.Time{} }),
	"the longest link comes back whole": bentLink(func(l *auth.Link) { l.Subject = l.Subject[:min(len(l.Subject), 254)] }),
	"an unknown account has no links": brokenLink(func(s *linkStore) {
		s.list = func(ctx context.Context, account string) ([]auth.Link, error) {
			if list, err := s.Store.Links(ctx, account); len(list) > 0 || err != nil {
				return list, err
			}
			return nil, auth.ErrNotFound
		}
	}),
	"links come in order": brokenLink(func(s *linkStore) {
		s.list = func(ctx context.Context, account string) ([]auth.Link, error) {
			list, err := s.Store.Links(ctx, account)
			slices.SortStableFunc(list, func(a, b auth.Link) int { return a.LinkedAt.Compare(b.LinkedAt) })
			return list, err
		}
	}),
	"links are the caller's copies": brokenLink(func(s *linkStore) {
		cached := map[string][]auth.Link{}
		s.list = func(ctx context.Context, account string) ([]auth.Link, error) {
			if cached[account] == nil {
				cached[account], _ = s.Store.Links(ctx, account)
			}
			return cached[account], nil
		}
	}),
	"a link is found by its id": brokenLink(func(s *linkStore) { // the address will do as well
		s.find = func(ctx context.Context, id string) (auth.Link, error) {
			for _, account := range []string{"a1", "a2"} {
				list, _ := s.Store.Links(ctx, account)
				for _, l := range list {
					if l.Email == id {
						return l, nil
					}
				}
			}
			return s.Store.FindLink(ctx, id)
		}
	}),
	"accounts have links of their own": misusedLinks(func(account, id, _, _ *string) {
		if *id == "l1" {
			*account = "a1"
		}
	}),
	"link ids are opaque": brokenLink(func(s *linkStore) {
		s.find = func(ctx context.Context, id string) (auth.Link, error) { return s.Store.FindLink(ctx, trim(id)) }
	}),
	"accounts of links are opaque": brokenLink(func(s *linkStore) {
		s.list = func(ctx context.Context, account string) ([]auth.Link, error) {
			return s.Store.Links(ctx, fold(account))
		}
	}),
	"what a link says is opaque": misusedLinks(func(_, _, email, _ *string) { *email = fold(*email) }),
}
