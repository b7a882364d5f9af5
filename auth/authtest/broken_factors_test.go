package authtest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
)

// factorStore is a sound store with hooks; hooks that are nil do nothing.
type factorStore struct {
	*memory.Store
	list    func(ctx context.Context, account string) ([]auth.StoredFactor, error)
	find    func(ctx context.Context, handle string) (auth.StoredFactor, error)
	change  func(ctx context.Context, c auth.FactorChange) (flow.Epochs, error)
	use     func(ctx context.Context, account, id string, from, to int64, data string, now time.Time) error
	consume func(ctx context.Context, account, id, data string) error
	rename  func(ctx context.Context, account, id, name string) error
	state   func(ctx context.Context, id string) (auth.AccountState, error)
	set     func(ctx context.Context, id string, from auth.Standing, to flow.Status, letters ...auth.Letter) (flow.Epochs, error)
	recover func(ctx context.Context, c auth.Completion) (flow.Epochs, error)
	remove  func(ctx context.Context, id string) error
}

func (s *factorStore) Factors(ctx context.Context, account string) ([]auth.StoredFactor, error) {
	if s.list != nil {
		return s.list(ctx, account)
	}
	return s.Store.Factors(ctx, account)
}

func (s *factorStore) FindPasskey(ctx context.Context, handle string) (auth.StoredFactor, error) {
	if s.find != nil {
		return s.find(ctx, handle)
	}
	return s.Store.FindPasskey(ctx, handle)
}

func (s *factorStore) ChangeFactors(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
	if s.change != nil {
		return s.change(ctx, c)
	}
	return s.Store.ChangeFactors(ctx, c)
}

func (s *factorStore) UseFactor(ctx context.Context, account, id string, from, to int64, data string, now time.Time) error {
	if s.use != nil {
		return s.use(ctx, account, id, from, to, data, now)
	}
	return s.Store.UseFactor(ctx, account, id, from, to, data, now)
}

func (s *factorStore) ConsumeFactor(ctx context.Context, account, id, data string) error {
	if s.consume != nil {
		return s.consume(ctx, account, id, data)
	}
	return s.Store.ConsumeFactor(ctx, account, id, data)
}

func (s *factorStore) RenameFactor(ctx context.Context, account, id, name string) error {
	if s.rename != nil {
		return s.rename(ctx, account, id, name)
	}
	return s.Store.RenameFactor(ctx, account, id, name)
}

func (s *factorStore) State(ctx context.Context, id string) (auth.AccountState, error) {
	if s.state != nil {
		return s.state(ctx, id)
	}
	return s.Store.State(ctx, id)
}

func (s *factorStore) SetStatus(ctx context.Context, id string, from auth.Standing, to flow.Status, now time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	if s.set != nil {
		return s.set(ctx, id, from, to, letters...)
	}
	return s.Store.SetStatus(ctx, id, from, to, now, letters...)
}

func (s *factorStore) CompleteRecovery(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	if s.recover != nil {
		return s.recover(ctx, c)
	}
	return s.Store.CompleteRecovery(ctx, c)
}

func (s *factorStore) Delete(ctx context.Context, id string) error {
	if s.remove != nil {
		return s.remove(ctx, id)
	}
	return s.Store.Delete(ctx, id)
}

func brokenFactor(fault func(s *factorStore)) func() Factors {
	return func() Factors {
		s := &factorStore{Store: memory.New()}
		fault(s)
		return s
	}
}

func brokenFactors() map[string]func() Factors {
	all := map[string]func() Factors{}
	for _, some := range []map[string]func() Factors{
		brokenFactorRows, brokenHandles, brokenFactorChanges, brokenSets, brokenFactorUses, brokenFactorStates,
	} {
		maps.Copy(all, some)
	}
	return all
}

// misledFactors changes what ChangeFactors is asked for.
func misledFactors(mislead func(ctx context.Context, s *factorStore, c *auth.FactorChange)) func() Factors {
	return brokenFactor(func(s *factorStore) {
		s.change = func(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
			c.Add = slices.Clone(c.Add)
			mislead(ctx, s, &c)
			return s.Store.ChangeFactors(ctx, c)
		}
	})
}

// bent changes each factor that is added.
func bent(bend func(f *auth.StoredFactor)) func() Factors {
	return misledFactors(func(_ context.Context, _ *factorStore, c *auth.FactorChange) {
		for i := range c.Add {
			bend(&c.Add[i])
		}
	})
}

// deafFactors does not tell which error (from the n-th on) of the methods that change factors and of SetStatus.
func deafFactors(n int32, which error) func() Factors {
	return brokenFactor(func(s *factorStore) {
		deaf := lateSwallow(n, which)
		s.change = func(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
			e, err := s.Store.ChangeFactors(ctx, c)
			return e, deaf(err)
		}
		s.set = func(ctx context.Context, id string, from auth.Standing, to flow.Status, letters ...auth.Letter) (flow.Epochs, error) {
			e, err := s.Store.SetStatus(ctx, id, from, to, start, letters...)
			return e, deaf(err)
		}
		s.use = func(ctx context.Context, account, id string, from, to int64, data string, now time.Time) error {
			return deaf(s.Store.UseFactor(ctx, account, id, from, to, data, now))
		}
		s.consume = func(ctx context.Context, account, id, data string) error {
			return deaf(s.Store.ConsumeFactor(ctx, account, id, data))
		}
		s.rename = func(ctx context.Context, account, id, name string) error {
			return deaf(s.Store.RenameFactor(ctx, account, id, name))
		}
	})
}

// seeing changes what Factors returns.
func seeing(see func(list []auth.StoredFactor) []auth.StoredFactor) func() Factors {
	return brokenFactor(func(s *factorStore) {
		s.list = func(ctx context.Context, account string) ([]auth.StoredFactor, error) {
			list, err := s.Store.Factors(ctx, account)
			return see(list), err
		}
	})
}

func byTime(list []auth.StoredFactor) []auth.StoredFactor {
	slices.SortStableFunc(list, func(a, b auth.StoredFactor) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// now is how the account stands.
func (s *factorStore) now(ctx context.Context, account string) auth.Standing {
	state, _ := s.Store.State(ctx, account)
	return state.Standing
}

// factor returns the account's factor, or a zero one.
func (s *factorStore) factor(ctx context.Context, account, id string) auth.StoredFactor {
	list, _ := s.Store.Factors(ctx, account)
	for _, f := range list {
		if f.ID == id {
			return f
		}
	}
	return auth.StoredFactor{}
}

var brokenFactorRows = map[string]func() Factors{
	"a factor comes back whole": bent(func(f *auth.StoredFactor) { f.CreatedAt = f.CreatedAt.Truncate(time.Second) }),
	"the longest factor comes back whole": bent(func(f *auth.StoredFactor) {
		f.Name = f.Name[:min(len(f.Name), 255)]
	}),
	"an unknown account has no factors": brokenFactor(func(s *factorStore) {
		s.list = func(ctx context.Context, account string) ([]auth.StoredFactor, error) {
			if list, err := s.Store.Factors(ctx, account); len(list) > 0 || err != nil {
				return list, err
			}
			return nil, auth.ErrNotFound
		}
	}),
	"factors come in order": seeing(byTime),
	"factors are the caller's copies": brokenFactor(func(s *factorStore) {
		cached := map[string][]auth.StoredFactor{}
		s.list = func(ctx context.Context, account string) ([]auth.StoredFactor, error) {
			if cached[account] == nil {
				cached[account], _ = s.Store.Factors(ctx, account)
			}
			return cached[account], nil
		}
	}),
	"accounts have factors of their own": brokenFactor(func(s *factorStore) {
		s.consume = func(ctx context.Context, _, id, data string) error {
			return cmp.Or(s.Store.ConsumeFactor(ctx, "a1", id, data), s.Store.ConsumeFactor(ctx, "a2", id, data))
		}
	}),
}

// strict refuses a change that adds what was there before, whosever it was, and does not forget it.
func strict(of func(f auth.StoredFactor) (what string, counts bool)) func() Factors {
	return brokenFactor(func(s *factorStore) {
		var mu sync.Mutex
		seen := map[string]bool{}
		s.change = func(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
			mu.Lock()
			defer mu.Unlock()
			for _, f := range c.Add {
				what, counts := of(f)
				if counts && seen[what] {
					return flow.Epochs{}, auth.ErrTaken
				}
				seen[what] = counts || seen[what]
			}
			return s.Store.ChangeFactors(ctx, c)
		}
	})
}

// apart keeps handles so that those of two accounts are never the same.
func apart() func() Factors {
	return brokenFactor(func(s *factorStore) {
		s.change = func(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
			c.Add = slices.Clone(c.Add)
			for i, f := range c.Add {
				if f.Handle != "" {
					c.Add[i].Handle = c.Account + "|" + f.Handle
				}
			}
			return s.Store.ChangeFactors(ctx, c)
		}
		s.list = func(ctx context.Context, account string) ([]auth.StoredFactor, error) {
			list, err := s.Store.Factors(ctx, account)
			for i, f := range list {
				if len(f.Handle) > len(account) && f.Handle[:len(account)+1] == account+"|" {
					list[i].Handle = f.Handle[len(account)+1:]
				}
			}
			return list, err
		}
	})
}

var brokenHandles = map[string]func() Factors{
	"a factor id is used once": misledFactors(func(_ context.Context, _ *factorStore, c *auth.FactorChange) {
		ids := map[string]bool{}
		c.Add = slices.DeleteFunc(c.Add, func(f auth.StoredFactor) bool {
			twice := ids[f.ID]
			ids[f.ID] = true
			return twice
		})
	}),
	"one factor of an id wins":        deafFactors(3, auth.ErrTaken),
	"a passkey's handle is used once": apart(),
	"one passkey of a handle wins":    apart(),
	"a handle is its account's and method's": strict(func(f auth.StoredFactor) (string, bool) {
		return f.Method.String() + f.Handle, f.Handle != ""
	}),
	"no handle is like no other": strict(func(f auth.StoredFactor) (string, bool) { return f.Method.String() + f.Handle, true }),
	"a passkey is found by its handle": brokenFactor(func(s *factorStore) {
		s.find = func(ctx context.Context, handle string) (auth.StoredFactor, error) {
			f, err := s.Store.FindPasskey(ctx, handle)
			list, _ := s.Store.Factors(ctx, "a1")
			for _, other := range list {
				if err != nil && other.Handle == handle && other.Method == flow.RecoveryCode {
					return other, nil
				}
			}
			return f, err
		}
	}),
	"factor ids are opaque": brokenFactor(func(s *factorStore) {
		s.use = func(ctx context.Context, account, id string, from, to int64, data string, now time.Time) error {
			return s.Store.UseFactor(ctx, account, trim(id), from, to, data, now)
		}
	}),
	"handles are opaque": brokenFactor(func(s *factorStore) {
		s.find = func(ctx context.Context, handle string) (auth.StoredFactor, error) {
			return s.Store.FindPasskey(ctx, trim(handle))
		}
	}),
	"accounts of factors are opaque": brokenFactor(func(s *factorStore) {
		s.list = func(ctx context.Context, account string) ([]auth.StoredFactor, error) {
			return s.Store.Factors(ctx, fold(account))
		}
	}),
	"names and data are opaque": brokenFactor(func(s *factorStore) {
		s.consume = func(ctx context.Context, account, id, data string) error {
			if f := s.factor(ctx, account, id); fold(f.Data) == fold(data) {
				data = f.Data
			}
			return s.Store.ConsumeFactor(ctx, account, id, data)
		}
	}),
}

var brokenFactorUses = map[string]func() Factors{
	"a use moves the counter": brokenFactor(func(s *factorStore) {
		s.use = func(ctx context.Context, account, id string, from, to int64, data string, now time.Time) error {
			err := s.Store.UseFactor(ctx, account, id, from, to, data, now)
			if err == nil { // as if a use were a change
				e := s.now(ctx, account).Epochs
				_, _ = s.Store.RaiseEpochs(ctx, account, flow.Epochs{Security: e.Security + 1})
			}
			return err
		}
	}),
	"a use may replace the data": brokenFactor(func(s *factorStore) {
		s.use = func(ctx context.Context, account, id string, from, to int64, _ string, now time.Time) error {
			return s.Store.UseFactor(ctx, account, id, from, to, "", now)
		}
	}),
	"a use is from the counter that was seen": brokenFactor(func(s *factorStore) {
		s.use = func(ctx context.Context, account, id string, from, to int64, data string, now time.Time) error {
			if f := s.factor(ctx, account, id); f.Counter < to && from != f.Counter {
				from = f.Counter // any later step will do
			}
			return s.Store.UseFactor(ctx, account, id, from, to, data, now)
		}
	}),
	"a factor need not count": brokenFactor(func(s *factorStore) {
		s.use = func(ctx context.Context, account, id string, from, to int64, data string, now time.Time) error {
			if to <= from {
				return auth.ErrStale
			}
			return s.Store.UseFactor(ctx, account, id, from, to, data, now)
		}
	}),
	"one use of a code wins":      deafFactors(3, auth.ErrStale),
	"a use brings no factor back": deafFactors(1, auth.ErrStale),
	"a factor gets another name":  deafFactors(1, auth.ErrNotFound),
	"a code works once": brokenFactor(func(s *factorStore) {
		s.consume = func(ctx context.Context, account, id, data string) error {
			if f := s.factor(ctx, account, id); f.Data != data {
				return auth.ErrStale
			}
			_, err := s.Store.ChangeFactors(ctx, auth.FactorChange{Account: account, From: s.now(ctx, account), Remove: []string{id}, Now: start})
			return err
		}
	}),
	"a code is consumed as it was read": brokenFactor(func(s *factorStore) {
		s.consume = func(ctx context.Context, account, id, _ string) error {
			return s.Store.ConsumeFactor(ctx, account, id, s.factor(ctx, account, id).Data)
		}
	}),
	"one user of a code wins": deafFactors(3, auth.ErrStale),
	"a new set ends the old codes": misledFactors(func(_ context.Context, _ *factorStore, c *auth.FactorChange) {
		if c.RemoveAll != 0 {
			c.RemoveAll = 0
			for i := range c.Add {
				c.Add[i].Handle += " new"
			}
		}
	}),
}
