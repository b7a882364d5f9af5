package authtest

import (
	"context"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/session"
)

// sessionStore is a sound store with hooks, which remembers what was created. Hooks that are nil do nothing.
type sessionStore struct {
	session.Store
	mu      sync.Mutex
	created map[string]session.Record // by id

	create func(ctx context.Context, r session.Record, expect auth.Standing, o session.CreateOptions) error
	find   func(ctx context.Context, r session.Record, known auth.Standing, err error) (session.Record, auth.Standing, error)
	touch  func(ctx context.Context, hash [32]byte, seen, expires time.Time) error
	end    func(ctx context.Context, account, id string) error
	list   func(ctx context.Context, account string, now time.Time, limit int) ([]session.Record, error)
	align  func(ctx context.Context, account string, to auth.Standing) (auth.Standing, error)
	raise  func(ctx context.Context, account string, from, to auth.Standing, keep string) error
	sweep  func(ctx context.Context, now time.Time, limit int) (int, error)
}

func (s *sessionStore) CreateSession(ctx context.Context, r session.Record, expect auth.Standing, o session.CreateOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.created[r.ID]; !known {
		s.created[r.ID] = r
	}
	if s.create != nil {
		return s.create(ctx, r, expect, o)
	}
	return s.Store.CreateSession(ctx, r, expect, o)
}

func (s *sessionStore) FindSession(ctx context.Context, hash [32]byte) (session.Record, auth.Standing, error) {
	r, known, err := s.Store.FindSession(ctx, hash)
	if s.find != nil {
		return s.find(ctx, r, known, err)
	}
	return r, known, err
}

func (s *sessionStore) TouchSession(ctx context.Context, hash [32]byte, seen, expires time.Time) error {
	if s.touch != nil {
		return s.touch(ctx, hash, seen, expires)
	}
	return s.Store.TouchSession(ctx, hash, seen, expires)
}

func (s *sessionStore) EndSession(ctx context.Context, account, id string) error {
	if s.end != nil {
		return s.end(ctx, account, id)
	}
	return s.Store.EndSession(ctx, account, id)
}

func (s *sessionStore) ListSessions(ctx context.Context, account string, now time.Time, limit int) ([]session.Record, error) {
	if s.list != nil {
		return s.list(ctx, account, now, limit)
	}
	return s.Store.ListSessions(ctx, account, now, limit)
}

func (s *sessionStore) AlignStanding(ctx context.Context, account string, to auth.Standing) (auth.Standing, error) {
	if s.align != nil {
		return s.align(ctx, account, to)
	}
	return s.Store.AlignStanding(ctx, account, to)
}

func (s *sessionStore) RaiseStanding(ctx context.Context, account string, from, to auth.Standing, keep string) error {
	if s.raise != nil {
		return s.raise(ctx, account, from, to, keep)
	}
	return s.Store.RaiseStanding(ctx, account, from, to, keep)
}

func (s *sessionStore) SweepSessions(ctx context.Context, now time.Time, limit int) (int, error) {
	if s.sweep != nil {
		return s.sweep(ctx, now, limit)
	}
	return s.Store.SweepSessions(ctx, now, limit)
}

func brokenSession(fault func(s *sessionStore)) func() session.Store {
	return func() session.Store {
		s := &sessionStore{Store: memory.New(), created: map[string]session.Record{}}
		fault(s)
		return s
	}
}

// known returns the account's standing.
func (s *sessionStore) known(ctx context.Context, account string) auth.Standing {
	standing, _ := s.Store.AlignStanding(ctx, account, auth.Standing{})
	return standing
}

// misledCreate changes what CreateSession is asked for.
func misledCreate(mislead func(s *sessionStore, r *session.Record, expect *auth.Standing, o *session.CreateOptions)) func() session.Store {
	return brokenSession(func(s *sessionStore) {
		s.create = func(ctx context.Context, r session.Record, expect auth.Standing, o session.CreateOptions) error {
			mislead(s, &r, &expect, &o)
			r.Epoch = expect.Epochs.Session
			return s.Store.CreateSession(ctx, r, expect, o)
		}
	})
}

// deafCreate does not tell the error (from the n-th on).
func deafCreate(n int32, which error) func() session.Store {
	return brokenSession(func(s *sessionStore) {
		deaf := lateSwallow(n, which)
		s.create = func(ctx context.Context, r session.Record, expect auth.Standing, o session.CreateOptions) error {
			return deaf(s.Store.CreateSession(ctx, r, expect, o))
		}
	})
}

// misledAlign changes what AlignStanding is asked for.
func misledAlign(mislead func(known auth.Standing, to *auth.Standing)) func() session.Store {
	return brokenSession(func(s *sessionStore) {
		s.align = func(ctx context.Context, account string, to auth.Standing) (auth.Standing, error) {
			mislead(s.known(ctx, account), &to)
			return s.Store.AlignStanding(ctx, account, to)
		}
	})
}

// brokenSessions are those of all the session rules, which the maps below are merged into.
var brokenSessions = func() map[string]func() session.Store {
	all := map[string]func() session.Store{}
	for _, some := range []map[string]func() session.Store{brokenCreates, brokenReplaces, brokenTokens, brokenAligns, brokenRaises, brokenSweeps} {
		for name, broken := range some {
			all[name] = broken
		}
	}
	return all
}()

var brokenCreates = map[string]func() session.Store{
	"unknown is not found": brokenSession(func(s *sessionStore) {
		s.find = func(_ context.Context, r session.Record, known auth.Standing, err error) (session.Record, auth.Standing, error) {
			return r, known, swallow(err, auth.ErrNotFound)
		}
	}),
	"created is found whole": brokenSession(func(s *sessionStore) {
		s.find = func(_ context.Context, r session.Record, known auth.Standing, err error) (session.Record, auth.Standing, error) {
			for i := range r.Proofs {
				r.Proofs[i].Inherited = false
			}
			return r, known, err
		}
	}),
	"finding does not judge": brokenSession(func(s *sessionStore) {
		s.find = func(_ context.Context, r session.Record, known auth.Standing, err error) (session.Record, auth.Standing, error) {
			if err == nil && r.Epoch < known.Epochs.Session {
				return session.Record{}, auth.Standing{}, auth.ErrNotFound
			}
			return r, known, err
		}
	}),
	"an id is used once":  deafCreate(1, auth.ErrTaken),
	"a hash is used once": deafCreate(1, auth.ErrTaken),
	"one creation wins":   deafCreate(3, auth.ErrTaken),
	"no session after a security change": misledCreate(func(s *sessionStore, r *session.Record, expect *auth.Standing, _ *session.CreateOptions) {
		expect.Epochs.Security = max(expect.Epochs.Security, s.known(context.Background(), r.Account).Epochs.Security)
	}),
	"no session after all ended": misledCreate(func(s *sessionStore, r *session.Record, expect *auth.Standing, _ *session.CreateOptions) {
		expect.Epochs.Session = max(expect.Epochs.Session, s.known(context.Background(), r.Account).Epochs.Session)
	}),
	"no session at another status": misledCreate(func(s *sessionStore, r *session.Record, expect *auth.Standing, _ *session.CreateOptions) {
		if known := s.known(context.Background(), r.Account); known.Epochs == expect.Epochs {
			expect.Status = known.Status
		}
	}),
	"creation brings the standing": misledCreate(func(s *sessionStore, r *session.Record, expect *auth.Standing, _ *session.CreateOptions) {
		if known := s.known(context.Background(), r.Account); known.Epochs.Security > 0 {
			*expect = known
		}
	}),
	"a late creation lowers nothing": brokenSession(func(s *sessionStore) {
		s.align = func(ctx context.Context, account string, to auth.Standing) (auth.Standing, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			known, err := s.Store.AlignStanding(ctx, account, to)
			if len(s.created) > 0 {
				known = opened // as the creation wrote it
			}
			return known, err
		}
	}),
	"strings are opaque": misledCreate(func(_ *sessionStore, r *session.Record, _ *auth.Standing, _ *session.CreateOptions) {
		r.Account = fold(r.Account)
	}),
}

var brokenReplaces = map[string]func() session.Store{
	"the replaced session ends": misledCreate(func(_ *sessionStore, _ *session.Record, _ *auth.Standing, o *session.CreateOptions) {
		o.Replaces = ""
	}),
	"a failed creation ends nothing": misledCreate(func(s *sessionStore, r *session.Record, _ *auth.Standing, o *session.CreateOptions) {
		if err := s.Store.EndSession(context.Background(), r.Account, o.Replaces); err == nil {
			o.Replaces = ""
		}
	}),
	"a session that is gone is not replaced": misledCreate(func(s *sessionStore, r *session.Record, _ *auth.Standing, o *session.CreateOptions) {
		if _, known := s.created[o.Replaces]; !known {
			o.Replaces = ""
		}
	}),
	"a dead session is not replaced": misledCreate(func(_ *sessionStore, _ *session.Record, _ *auth.Standing, o *session.CreateOptions) {
		if o.Replaces != "" {
			o.Now = start
		}
	}),
	"no one else's session is replaced": misledCreate(func(s *sessionStore, r *session.Record, _ *auth.Standing, o *session.CreateOptions) {
		if old, known := s.created[o.Replaces]; known && old.Account != r.Account {
			_ = s.Store.EndSession(context.Background(), old.Account, old.ID)
			o.Replaces = ""
		}
	}),
	"one replacement wins": deafCreate(3, auth.ErrStale),
	"the limit refuses": misledCreate(func(_ *sessionStore, _ *session.Record, _ *auth.Standing, o *session.CreateOptions) {
		if o.Limit > 0 {
			o.Limit++
		}
	}),
	"the limit is of the living": misledCreate(func(_ *sessionStore, _ *session.Record, _ *auth.Standing, o *session.CreateOptions) {
		o.Now = o.Now.Add(-tick)
	}),
	"the oldest makes room": brokenSession(func(s *sessionStore) {
		s.create = func(ctx context.Context, r session.Record, expect auth.Standing, o session.CreateOptions) error {
			if list, _ := s.Store.ListSessions(ctx, r.Account, o.Now, most); o.Evict && len(list) >= o.Limit {
				_ = s.Store.EndSession(ctx, r.Account, list[len(list)-1].ID)
			}
			return s.Store.CreateSession(ctx, r, expect, o)
		}
	}),
	"a lower limit holds at once": brokenSession(func(s *sessionStore) {
		s.create = func(ctx context.Context, r session.Record, expect auth.Standing, o session.CreateOptions) error {
			if list, _ := s.Store.ListSessions(ctx, r.Account, o.Now, most); len(list) > o.Limit && o.Limit > 0 {
				o.Limit = len(list)
			}
			return s.Store.CreateSession(ctx, r, expect, o)
		}
	}),
	"the limit holds at once": deafCreate(3, auth.ErrLimit),
	"evictions at once": brokenSession(func(s *sessionStore) {
		late, turn := from(5), sync.Mutex{}
		s.create = func(ctx context.Context, r session.Record, expect auth.Standing, o session.CreateOptions) error {
			turn.Lock() // a creation decided early that lands last would evict the rest, and hide the fault
			defer turn.Unlock()
			if late() {
				o.Limit = 0
			}
			return s.Store.CreateSession(ctx, r, expect, o)
		}
	}),
}

var brokenTokens = map[string]func() session.Store{
	"a touch moves the session on": brokenSession(func(s *sessionStore) {
		s.touch = func(ctx context.Context, hash [32]byte, seen, expires time.Time) error {
			return s.Store.TouchSession(ctx, hash, seen.Truncate(time.Minute), expires)
		}
	}),
	"a touch does not move back": brokenSession(func(s *sessionStore) {
		s.touch = func(ctx context.Context, hash [32]byte, seen, expires time.Time) error {
			r, _, err := s.Store.FindSession(ctx, hash)
			if err == nil && seen.Before(r.SeenAt) {
				seen = r.SeenAt
			}
			return s.Store.TouchSession(ctx, hash, seen, expires)
		}
	}),
	"an ended session is gone": brokenSession(func(s *sessionStore) {
		s.end = func(ctx context.Context, account, id string) error {
			return swallow(s.Store.EndSession(ctx, account, id), auth.ErrNotFound)
		}
	}),
	"no one else's session is ended": brokenSession(func(s *sessionStore) {
		s.end = func(ctx context.Context, _, id string) error {
			return s.Store.EndSession(ctx, s.created[id].Account, id)
		}
	}),
	"one end wins": brokenSession(func(s *sessionStore) {
		deaf := lateSwallow(3, auth.ErrNotFound)
		s.end = func(ctx context.Context, account, id string) error { return deaf(s.Store.EndSession(ctx, account, id)) }
	}),
	"proofs given are copied": brokenSession(func(s *sessionStore) {
		s.find = func(_ context.Context, r session.Record, known auth.Standing, err error) (session.Record, auth.Standing, error) {
			r.Proofs = s.created[r.ID].Proofs
			return r, known, err
		}
	}),
	"proofs returned are copied": brokenSession(func(s *sessionStore) {
		returned := map[string][]flow.Proof{}
		s.find = func(_ context.Context, r session.Record, known auth.Standing, err error) (session.Record, auth.Standing, error) {
			if returned[r.ID] == nil {
				returned[r.ID] = r.Proofs
			}
			r.Proofs = returned[r.ID]
			return r, known, err
		}
	}),
	"the list is of the living": brokenSession(func(s *sessionStore) {
		s.list = func(ctx context.Context, account string, now time.Time, limit int) ([]session.Record, error) {
			return s.Store.ListSessions(ctx, account, now.Add(-tick), limit)
		}
	}),
	"the list keeps to its limit": brokenSession(func(s *sessionStore) {
		s.list = func(ctx context.Context, account string, now time.Time, limit int) ([]session.Record, error) {
			return s.Store.ListSessions(ctx, account, now, limit+1)
		}
	}),
	"a done context changes nothing": brokenSession(func(s *sessionStore) {
		s.touch = func(ctx context.Context, hash [32]byte, seen, expires time.Time) error {
			_ = s.Store.TouchSession(context.WithoutCancel(ctx), hash, seen, expires)
			return ctx.Err()
		}
	}),
}

var brokenAligns = map[string]func() session.Store{
	"a standing is learned": brokenSession(func(s *sessionStore) {
		s.find = func(_ context.Context, r session.Record, known auth.Standing, err error) (session.Record, auth.Standing, error) {
			known.Status = flow.Active
			return r, known, err
		}
	}),
	"a standing is remembered without sessions": brokenSession(func(s *sessionStore) {
		s.align = func(ctx context.Context, account string, to auth.Standing) (auth.Standing, error) {
			for _, r := range s.created {
				if r.Account == account {
					return s.Store.AlignStanding(ctx, account, to)
				}
			}
			return to, nil
		}
	}),
	"epochs only rise": brokenSession(func(s *sessionStore) {
		s.align = func(ctx context.Context, account string, to auth.Standing) (auth.Standing, error) {
			_, err := s.Store.AlignStanding(ctx, account, to)
			return to, err
		}
	}),
	"an older status is no news": misledAlign(func(known auth.Standing, to *auth.Standing) {
		to.Epochs.Security = max(to.Epochs.Security, known.Epochs.Security)
	}),
	"a status of the same age is taken over": misledAlign(func(known auth.Standing, to *auth.Standing) {
		if to.Epochs.Security == known.Epochs.Security {
			to.Status = known.Status
		}
	}),
	"standings aligned at once": brokenSession(func(s *sessionStore) {
		late := from(2)
		s.align = func(ctx context.Context, account string, to auth.Standing) (auth.Standing, error) {
			if late() {
				return s.known(ctx, account), nil
			}
			return s.Store.AlignStanding(ctx, account, to)
		}
	}),
	"a raised session epoch ends sessions": brokenSession(func(s *sessionStore) {
		s.list = func(_ context.Context, account string, now time.Time, _ int) (list []session.Record, err error) {
			for _, r := range s.created {
				if r.Account == account && r.ExpiresAt.After(now) {
					list = append(list, r)
				}
			}
			return list, nil
		}
	}),
	"a raised security epoch ends none": misledAlign(func(_ auth.Standing, to *auth.Standing) {
		to.Epochs.Session = max(to.Epochs.Session, to.Epochs.Security)
	}),
}

var brokenSweeps = map[string]func() session.Store{
	"a sweep deletes the dead": brokenSession(func(s *sessionStore) {
		s.sweep = func(ctx context.Context, now time.Time, limit int) (int, error) {
			return s.Store.SweepSessions(ctx, now.Add(-tick), limit)
		}
	}),
	"a sweep keeps to its limit": brokenSession(func(s *sessionStore) {
		s.sweep = func(ctx context.Context, now time.Time, _ int) (int, error) {
			return s.Store.SweepSessions(ctx, now, 1000)
		}
	}),
	"a sweep forgets no standing": brokenSession(func(s *sessionStore) {
		s.sweep = func(ctx context.Context, now time.Time, limit int) (int, error) {
			n, err := s.Store.SweepSessions(ctx, now, limit)
			if n > 0 {
				s.Store = memory.New()
			}
			return n, err
		}
	}),
}
