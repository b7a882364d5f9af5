package authtest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
)

// accounts is a sound store with hooks; hooks that are nil do nothing.
type accounts struct {
	*memory.Store
	open    func(ctx context.Context, id string, status flow.Status, hash string) error
	state   func(ctx context.Context, id string) (auth.AccountState, error)
	set     func(ctx context.Context, id string, from auth.Standing, to flow.Status) (flow.Epochs, error)
	raise   func(ctx context.Context, id string, least flow.Epochs) (flow.Epochs, error)
	remove  func(ctx context.Context, id string) error
	hash    func(ctx context.Context, id string) (string, error)
	replace func(ctx context.Context, id string, from flow.Epochs, hash string, end bool) (flow.Epochs, error)
	rehash  func(ctx context.Context, id, old, hash string) error
	mark    func(ctx context.Context, id string) (flow.Epochs, error)
}

func (a *accounts) Open(ctx context.Context, id string, status flow.Status, hash string, now time.Time) error {
	if a.open != nil {
		return a.open(ctx, id, status, hash)
	}
	return a.Store.Open(ctx, id, status, hash, now)
}

func (a *accounts) State(ctx context.Context, id string) (auth.AccountState, error) {
	if a.state != nil {
		return a.state(ctx, id)
	}
	return a.Store.State(ctx, id)
}

func (a *accounts) SetStatus(ctx context.Context, id string, from auth.Standing, to flow.Status, now time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	if a.set != nil {
		return a.set(ctx, id, from, to)
	}
	return a.Store.SetStatus(ctx, id, from, to, now, letters...)
}

func (a *accounts) RaiseEpochs(ctx context.Context, id string, least flow.Epochs) (flow.Epochs, error) {
	if a.raise != nil {
		return a.raise(ctx, id, least)
	}
	return a.Store.RaiseEpochs(ctx, id, least)
}

func (a *accounts) Delete(ctx context.Context, id string) error {
	if a.remove != nil {
		return a.remove(ctx, id)
	}
	return a.Store.Delete(ctx, id)
}

func (a *accounts) PasswordHash(ctx context.Context, id string) (string, error) {
	if a.hash != nil {
		return a.hash(ctx, id)
	}
	return a.Store.PasswordHash(ctx, id)
}

func (a *accounts) ReplacePassword(ctx context.Context, id string, from flow.Epochs, hash string, end bool, now time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	if a.replace != nil {
		return a.replace(ctx, id, from, hash, end)
	}
	return a.Store.ReplacePassword(ctx, id, from, hash, end, now, letters...)
}

func (a *accounts) Rehash(ctx context.Context, id, old, hash string) error {
	if a.rehash != nil {
		return a.rehash(ctx, id, old, hash)
	}
	return a.Store.Rehash(ctx, id, old, hash)
}

func (a *accounts) MarkCompromised(ctx context.Context, id string, now time.Time) (flow.Epochs, error) {
	if a.mark != nil {
		return a.mark(ctx, id)
	}
	return a.Store.MarkCompromised(ctx, id, now)
}

func brokenAccount(fault func(a *accounts)) func() Accounts {
	return func() Accounts {
		a := &accounts{Store: memory.New()}
		fault(a)
		return a
	}
}

// current returns the epochs as they are.
func (a *accounts) current(ctx context.Context, id string) flow.Epochs {
	state, _ := a.Store.State(ctx, id)
	return state.Epochs
}

func deafOpen(n int32) func() Accounts {
	return brokenAccount(func(a *accounts) {
		deaf := lateSwallow(n, auth.ErrTaken)
		a.open = func(ctx context.Context, id string, status flow.Status, hash string) error {
			return deaf(a.Store.Open(ctx, id, status, hash, start))
		}
	})
}

// deafEpochs does not tell ErrStale of SetStatus and of ReplacePassword (from the n-th on).
func deafEpochs(n int32) func() Accounts {
	return brokenAccount(func(a *accounts) {
		deaf := lateSwallow(n, auth.ErrStale)
		a.set = func(ctx context.Context, id string, from auth.Standing, to flow.Status) (flow.Epochs, error) {
			e, err := a.Store.SetStatus(ctx, id, from, to, start)
			return e, deaf(err)
		}
		a.replace = func(ctx context.Context, id string, from flow.Epochs, hash string, end bool) (flow.Epochs, error) {
			e, err := a.Store.ReplacePassword(ctx, id, from, hash, end, start)
			return e, deaf(err)
		}
	})
}

// alwaysEnds gives ReplacePassword an opinion of its own about sessions.
func alwaysEnds(ends bool) func() Accounts {
	return brokenAccount(func(a *accounts) {
		a.replace = func(ctx context.Context, id string, from flow.Epochs, hash string, _ bool) (flow.Epochs, error) {
			return a.Store.ReplacePassword(ctx, id, from, hash, ends, start)
		}
	})
}

var brokenAccounts = map[string]func() Accounts{
	"unknown is not found": brokenAccount(func(a *accounts) {
		a.state = func(ctx context.Context, id string) (auth.AccountState, error) {
			state, err := a.Store.State(ctx, id)
			return state, swallow(err, auth.ErrNotFound)
		}
	}),
	"an account begins at one": brokenAccount(func(a *accounts) {
		a.open = func(ctx context.Context, id string, status flow.Status, hash string) error {
			err := a.Store.Open(ctx, id, status, hash, start)
			_, _ = a.Store.RaiseEpochs(ctx, id, flow.Epochs{Security: 2})
			return err
		}
	}),
	"an account without a password": brokenAccount(func(a *accounts) {
		a.state = func(ctx context.Context, id string) (auth.AccountState, error) {
			state, err := a.Store.State(ctx, id)
			state.Enrolled = flow.MethodsOf(flow.Password)
			return state, err
		}
	}),
	"an account is opened once": deafOpen(1),
	"one opening wins":          deafOpen(3),
	"a status is set": brokenAccount(func(a *accounts) {
		a.set = func(ctx context.Context, id string, from auth.Standing, to flow.Status) (flow.Epochs, error) {
			_, err := a.Store.SetStatus(ctx, id, from, to, start)
			return from.Epochs, err
		}
	}),
	"a status is set from what was seen": brokenAccount(func(a *accounts) {
		a.set = func(ctx context.Context, id string, from auth.Standing, to flow.Status) (flow.Epochs, error) {
			from.Epochs.Session = a.current(ctx, id).Session
			return a.Store.SetStatus(ctx, id, from, to, start)
		}
	}),
	"one setting of a status wins": deafEpochs(3),
	"epochs are raised": brokenAccount(func(a *accounts) {
		a.raise = func(ctx context.Context, id string, least flow.Epochs) (flow.Epochs, error) {
			highest := max(least.Security, least.Session)
			return a.Store.RaiseEpochs(ctx, id, flow.Epochs{Security: highest, Session: highest})
		}
	}),
	"epochs are never lowered": brokenAccount(func(a *accounts) {
		a.raise = func(ctx context.Context, id string, least flow.Epochs) (flow.Epochs, error) {
			_, err := a.Store.RaiseEpochs(ctx, id, least)
			return least, err
		}
	}),
	"epochs raised at once": brokenAccount(func(a *accounts) {
		late := from(2)
		a.raise = func(ctx context.Context, id string, least flow.Epochs) (flow.Epochs, error) {
			if late() {
				return a.current(ctx, id), nil
			}
			return a.Store.RaiseEpochs(ctx, id, least)
		}
	}),
	"delete forgets one account": brokenAccount(func(a *accounts) {
		a.remove = func(ctx context.Context, id string) error { return ctx.Err() }
	}),
	"delete reaches the directory": brokenAccount(func(a *accounts) {
		a.remove = func(ctx context.Context, id string) error {
			person, _ := a.FindByID(ctx, id)
			err := a.Store.Delete(ctx, id)
			_ = a.Create(ctx, person)
			return err
		}
	}),
	"ids are opaque": brokenAccount(func(a *accounts) {
		a.open = func(ctx context.Context, id string, status flow.Status, hash string) error {
			return a.Store.Open(ctx, trim(id), status, hash, start)
		}
		a.state = func(ctx context.Context, id string) (auth.AccountState, error) { return a.Store.State(ctx, trim(id)) }
		a.hash = func(ctx context.Context, id string) (string, error) { return a.Store.PasswordHash(ctx, trim(id)) }
	}),
	"a done context changes nothing": brokenAccount(func(a *accounts) {
		a.raise = func(ctx context.Context, id string, least flow.Epochs) (flow.Epochs, error) {
			_, _ = a.Store.RaiseEpochs(context.WithoutCancel(ctx), id, least)
			return flow.Epochs{}, ctx.Err()
		}
	}),
	"no password for the unknown": brokenAccount(func(a *accounts) {
		a.hash = func(ctx context.Context, id string) (string, error) {
			if _, err := a.Store.State(ctx, id); err != nil {
				return "", err
			}
			return a.Store.PasswordHash(ctx, id)
		}
	}),
	"a password is replaced":            alwaysEnds(true),
	"a replaced password ends sessions": alwaysEnds(false),
	"a new password clears the mark": brokenAccount(func(a *accounts) {
		marked := map[string]bool{}
		a.mark = func(ctx context.Context, id string) (flow.Epochs, error) {
			marked[id] = true
			return a.Store.MarkCompromised(ctx, id, start)
		}
		a.state = func(ctx context.Context, id string) (auth.AccountState, error) {
			state, err := a.Store.State(ctx, id)
			state.Compromised = marked[id]
			return state, err
		}
	}),
	"a lock is remembered": brokenAccount(func(a *accounts) {
		a.state = func(ctx context.Context, id string) (auth.AccountState, error) {
			state, err := a.Store.State(ctx, id)
			state.ResetDue = state.Status == flow.Locked // forgets it when the account is disabled
			return state, err
		}
	}),
	"a first password is set": brokenAccount(func(a *accounts) {
		a.replace = func(ctx context.Context, id string, from flow.Epochs, hash string, end bool) (flow.Epochs, error) {
			if old, _ := a.Store.PasswordHash(ctx, id); old == "" {
				return flow.Epochs{}, auth.ErrStale
			}
			return a.Store.ReplacePassword(ctx, id, from, hash, end, start)
		}
	}),
	"a new password opens no account": brokenAccount(func(a *accounts) {
		a.state = func(ctx context.Context, id string) (auth.AccountState, error) {
			state, err := a.Store.State(ctx, id)
			if state.Epochs.Security > 1 {
				state.Status = flow.Active
			}
			return state, err
		}
	}),
	"a password is replaced from what was seen": brokenAccount(func(a *accounts) {
		a.replace = func(ctx context.Context, id string, from flow.Epochs, hash string, end bool) (flow.Epochs, error) {
			from.Session = a.current(ctx, id).Session
			return a.Store.ReplacePassword(ctx, id, from, hash, end, start)
		}
	}),
	"one replacement wins":                      deafEpochs(3),
	"a lock and a new password do not both win": deafEpochs(3),
	"a rehash changes the hash alone": brokenAccount(func(a *accounts) {
		a.rehash = func(ctx context.Context, id, old, hash string) error {
			err := a.Store.Rehash(ctx, id, old, hash)
			_, _ = a.Store.RaiseEpochs(ctx, id, flow.Epochs{Security: a.current(ctx, id).Security + 1})
			return err
		}
	}),
	"a rehash is from what was seen": brokenAccount(func(a *accounts) {
		a.rehash = func(ctx context.Context, id, _, hash string) error {
			old, _ := a.Store.PasswordHash(ctx, id)
			return a.Store.Rehash(ctx, id, old, hash)
		}
	}),
	"a rehash gives no password": brokenAccount(func(a *accounts) {
		a.rehash = func(ctx context.Context, id, old, hash string) error {
			if old == "" {
				_, err := a.Store.ReplacePassword(ctx, id, a.current(ctx, id), hash, false, start)
				return err
			}
			return a.Store.Rehash(ctx, id, old, hash)
		}
	}),
	"one rehash wins": brokenAccount(func(a *accounts) {
		deaf := lateSwallow(3, auth.ErrStale)
		a.rehash = func(ctx context.Context, id, old, hash string) error {
			return deaf(a.Store.Rehash(ctx, id, old, hash))
		}
	}),
	"a password is marked": brokenAccount(func(a *accounts) {
		a.mark = func(ctx context.Context, id string) (flow.Epochs, error) {
			if _, err := a.Store.MarkCompromised(ctx, id, start); err != nil {
				return flow.Epochs{}, err
			}
			return a.Store.RaiseEpochs(ctx, id, flow.Epochs{Session: a.current(ctx, id).Session + 1})
		}
	}),
	"no password, no mark": brokenAccount(func(a *accounts) {
		a.mark = func(ctx context.Context, id string) (flow.Epochs, error) {
			e, err := a.Store.MarkCompromised(ctx, id, start)
			if errors.Is(err, auth.ErrStale) {
				return a.current(ctx, id), nil
			}
			return e, err
		}
	}),
	"marks made at once": brokenAccount(func(a *accounts) {
		var once sync.Once
		a.mark = func(ctx context.Context, id string) (e flow.Epochs, err error) {
			once.Do(func() { e, err = a.Store.MarkCompromised(ctx, id, start) })
			return e, err
		}
	}),
	"accounts are apart": brokenAccount(func(a *accounts) {
		a.rehash = func(ctx context.Context, id, old, hash string) error {
			_ = a.Store.Rehash(ctx, "a2", old, hash)
			return a.Store.Rehash(ctx, id, old, hash)
		}
	}),
}
