package memory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// factors are kept under the lock of the people: what changes them raises the epochs of their account in the same
// act.
type factors struct {
	byAccount map[string][]auth.StoredFactor // in the order of coming
	owners    map[string]string              // ids to accounts
	passkeys  map[string]string              // handles to accounts
}

func (x *factors) init() {
	x.byAccount, x.owners, x.passkeys = map[string][]auth.StoredFactor{}, map[string]string{}, map[string]string{}
}

// find returns the place of the factor among the account's, or -1.
func (x *factors) find(account, id string) int {
	return slices.IndexFunc(x.byAccount[account], func(f auth.StoredFactor) bool { return f.ID == id })
}

// set replaces all factors of the account.
func (x *factors) set(account string, list []auth.StoredFactor) {
	for _, f := range x.byAccount[account] {
		delete(x.owners, f.ID)
		if keyed(f) {
			delete(x.passkeys, f.Handle)
		}
	}
	delete(x.byAccount, account)
	if len(list) > 0 {
		x.byAccount[account] = list
	}
	for _, f := range list {
		x.owners[f.ID] = account
		if keyed(f) {
			x.passkeys[f.Handle] = account
		}
	}
}

// keyed reports whether a factor is found by its handle alone.
func keyed(f auth.StoredFactor) bool { return f.Method == flow.Passkey && f.Handle != "" }

// after returns the account's factors as the change leaves them, or why it cannot. It changes nothing.
func (x *factors) after(c auth.FactorChange) ([]auth.StoredFactor, error) {
	for _, id := range c.Remove {
		if x.find(c.Account, id) < 0 {
			return nil, auth.ErrStale
		}
	}
	var list []auth.StoredFactor
	for _, f := range x.byAccount[c.Account] {
		if f.Method != c.RemoveAll && !slices.Contains(c.Remove, f.ID) {
			list = append(list, f)
		}
	}
	for _, f := range inOrder(c.Add) {
		if x.elsewhere(f) || slices.ContainsFunc(list, func(other auth.StoredFactor) bool { return clash(f, other) }) {
			return nil, auth.ErrTaken
		}
		f.CreatedAt, f.UsedAt = rounded(f.CreatedAt), rounded(f.UsedAt)
		list = append(list, f)
	}
	return list, nil
}

// inOrder returns factors that are added together in the order in which they are to be listed.
func inOrder(add []auth.StoredFactor) []auth.StoredFactor {
	return slices.SortedFunc(slices.Values(add), func(a, b auth.StoredFactor) int { return cmp.Compare(a.ID, b.ID) })
}

// elsewhere reports whether another account has a factor that this one cannot be beside.
func (x *factors) elsewhere(f auth.StoredFactor) bool {
	owner, taken := x.owners[f.ID]
	if taken && owner != f.Account {
		return true
	}
	owner, taken = x.passkeys[f.Handle]
	return keyed(f) && taken && owner != f.Account
}

// clash reports whether two factors cannot both be the account's.
func clash(a, b auth.StoredFactor) bool {
	return a.ID == b.ID || a.Method == b.Method && a.Handle == b.Handle && a.Handle != ""
}

// Factors implements auth.FactorStore.
func (s *Store) Factors(ctx context.Context, account string) ([]auth.StoredFactor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.people.mu.RLock()
	defer s.people.mu.RUnlock()
	return slices.Clone(s.people.factors.byAccount[account]), nil
}

// FindPasskey implements auth.FactorStore.
func (s *Store) FindPasskey(ctx context.Context, handle string) (auth.StoredFactor, error) {
	if err := ctx.Err(); err != nil {
		return auth.StoredFactor{}, err
	}
	s.people.mu.RLock()
	defer s.people.mu.RUnlock()
	for _, f := range s.people.factors.byAccount[s.people.factors.passkeys[handle]] {
		if keyed(f) && f.Handle == handle {
			return f, nil
		}
	}
	return auth.StoredFactor{}, auth.ErrNotFound
}

// ChangeFactors implements auth.FactorStore.
func (s *Store) ChangeFactors(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
	if slices.ContainsFunc(c.Add, func(f auth.StoredFactor) bool { return f.Account != c.Account }) {
		return flow.Epochs{}, errors.New("memory: change factors: one of them is another account's")
	}
	return s.change(ctx, c.Account, c.Letters, func(k *kept) error {
		if k.standing != c.From {
			return auth.ErrStale
		}
		list, err := s.people.factors.after(c)
		if err != nil {
			return err
		}
		s.people.factors.set(c.Account, list)
		k.standing.Epochs = raised(c.From.Epochs, c.EndSessions)
		s.people.tickets.drop(c.Account, mortal)
		return nil
	})
}

// UseFactor implements auth.FactorStore.
func (s *Store) UseFactor(ctx context.Context, account, id string, from, to int64, data string, now time.Time) error {
	return s.onFactor(ctx, account, id, auth.ErrStale, func(f *auth.StoredFactor) error {
		if f.Counter != from {
			return auth.ErrStale
		}
		f.Counter, f.Data, f.UsedAt = to, cmp.Or(data, f.Data), rounded(now)
		return nil
	})
}

// ConsumeFactor implements auth.FactorStore.
func (s *Store) ConsumeFactor(ctx context.Context, account, id, data string) error {
	return s.onFactor(ctx, account, id, auth.ErrStale, func(f *auth.StoredFactor) error {
		if f.Data != data {
			return auth.ErrStale
		}
		rest := slices.Clone(s.people.factors.byAccount[account])
		s.people.factors.set(account, slices.DeleteFunc(rest, func(f auth.StoredFactor) bool { return f.ID == id }))
		return nil
	})
}

// RenameFactor implements auth.FactorStore.
func (s *Store) RenameFactor(ctx context.Context, account, id, name string) error {
	return s.onFactor(ctx, account, id, auth.ErrNotFound, func(f *auth.StoredFactor) error {
		f.Name = name
		return nil
	})
}

// onFactor applies one act to a factor in its place. An account that has no such factor is the error none.
func (s *Store) onFactor(ctx context.Context, account, id string, none error, act func(f *auth.StoredFactor) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	i := s.people.factors.find(account, id)
	if i < 0 {
		return none
	}
	return act(&s.people.factors.byAccount[account][i])
}
