package memory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

var (
	errEpoch = errors.New("memory: the record's epoch is not the expected session epoch")
	errRaise = errors.New("memory: the standing to raise to has a lower epoch, or none that is higher")
)

// CreateSession implements session.TokenStore.
func (s *Store) CreateSession(ctx context.Context, r session.Record, expect auth.Standing, o session.CreateOptions) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.Epoch != expect.Epochs.Session {
		return errEpoch // such a session would be dead at once, or outlive the end of all others
	}
	st := s.sessions.stripe(r.Account)
	st.Lock()
	defer st.Unlock()
	a := st.accounts[r.Account]
	if a == nil {
		a = &account{id: r.Account, stripe: st}
	}
	if !follows(a.standing, expect) {
		return auth.ErrStale
	}
	ended, err := a.makeRoom(expect, o)
	if err != nil {
		return err
	}
	e := newEntry(r, a)
	if !s.sessions.add(e) {
		return auth.ErrTaken
	}
	for _, old := range ended {
		s.sessions.remove(old)
	}
	e.next, a.first = a.first, e
	a.standing = expect
	st.accounts[r.Account] = a
	return nil
}

// follows reports whether a flow that saw the account as in expect has seen all that is known of it.
func follows(known, expect auth.Standing) bool {
	return known.Epochs.Security <= expect.Epochs.Security && known.Epochs.Session <= expect.Epochs.Session &&
		(known.Epochs != expect.Epochs || known.Status == expect.Status)
}

// makeRoom returns the sessions that end when one is created: the replaced one, and the oldest ones if the
// limit asks for it. It changes nothing.
func (a *account) makeRoom(expect auth.Standing, o session.CreateOptions) ([]*entry, error) {
	var ended []*entry
	if o.Replaces != "" {
		old := a.find(o.Replaces)
		if old == nil || !old.alive(a.standing.Epochs.Session, o.Now) {
			return nil, auth.ErrStale // it ended while the flow ran, so what the flow inherited from it is gone
		}
		ended = append(ended, old)
	}
	if o.Limit <= 0 {
		return ended, nil
	}
	var live []*entry
	for e := a.first; e != nil; e = e.next {
		if e.alive(expect.Epochs.Session, o.Now) && !slices.Contains(ended, e) {
			live = append(live, e)
		}
	}
	excess := len(live) - o.Limit + 1
	if excess <= 0 {
		return ended, nil
	}
	if !o.Evict {
		return nil, auth.ErrLimit
	}
	slices.SortStableFunc(live, func(x, y *entry) int { return x.created().Compare(y.created()) })
	return append(ended, live[:excess]...), nil
}

// FindSession implements session.TokenStore.
func (s *Store) FindSession(ctx context.Context, hash [32]byte) (session.Record, auth.Standing, error) {
	if err := ctx.Err(); err != nil {
		return session.Record{}, auth.Standing{}, err
	}
	e := s.sessions.lookup(hash)
	if e == nil {
		return session.Record{}, auth.Standing{}, auth.ErrNotFound
	}
	e.account.stripe.RLock()
	defer e.account.stripe.RUnlock()
	if e.ended() {
		return session.Record{}, auth.Standing{}, auth.ErrNotFound
	}
	return e.record(), e.account.standing, nil
}

// TouchSession implements session.TokenStore.
func (s *Store) TouchSession(ctx context.Context, hash [32]byte, seen, expires time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e := s.sessions.lookup(hash)
	if e == nil {
		return nil
	}
	e.account.stripe.Lock()
	defer e.account.stripe.Unlock()
	if !e.ended() && e.seen <= seen.UnixMicro() {
		e.seen, e.expires = seen.UnixMicro(), expires.UnixMicro()
	}
	return nil
}

// EndSession implements session.TokenStore.
func (s *Store) EndSession(ctx context.Context, account, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	st := s.sessions.stripe(account)
	st.Lock()
	defer st.Unlock()
	e := st.accounts[account].find(id)
	if e == nil {
		return auth.ErrNotFound
	}
	s.sessions.remove(e)
	return nil
}

// ListSessions implements session.AccountStore.
func (s *Store) ListSessions(ctx context.Context, account string, now time.Time, limit int) ([]session.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st := s.sessions.stripe(account)
	st.RLock()
	defer st.RUnlock()
	a := st.accounts[account]
	if a == nil {
		return nil, nil
	}
	var live []*entry
	for e := a.first; e != nil; e = e.next {
		if e.alive(a.standing.Epochs.Session, now) {
			live = append(live, e)
		}
	}
	slices.SortStableFunc(live, func(x, y *entry) int { return cmp.Compare(y.seen, x.seen) })
	var list []session.Record
	for _, e := range live[:min(max(limit, 0), len(live))] {
		list = append(list, e.record())
	}
	return list, nil
}

// AlignStanding implements session.AccountStore. The standing of an account without sessions is kept too:
// it may be in the middle of its first sign-in.
func (s *Store) AlignStanding(ctx context.Context, id string, to auth.Standing) (auth.Standing, error) {
	if err := ctx.Err(); err != nil {
		return auth.Standing{}, err
	}
	st := s.sessions.stripe(id)
	st.Lock()
	defer st.Unlock()
	a := st.accounts[id]
	if a == nil {
		a = &account{id: id, stripe: st}
		st.accounts[id] = a
	}
	if to.Epochs.Security >= a.standing.Epochs.Security {
		a.standing.Status = to.Status
	}
	a.standing.Epochs = highest(a.standing.Epochs, to.Epochs)
	return a.standing, nil
}

// RaiseStanding implements session.AccountStore.
func (s *Store) RaiseStanding(ctx context.Context, id string, from, to auth.Standing, keep string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !raises(from.Epochs, to.Epochs) {
		return errRaise
	}
	st := s.sessions.stripe(id)
	st.Lock()
	defer st.Unlock()
	a := st.accounts[id]
	if a == nil {
		a = &account{id: id, stripe: st}
	}
	if a.standing != from && a.standing != (auth.Standing{}) {
		return auth.ErrStale // somebody else was here first; at the same height, both would keep a session
	}
	if keep != "" {
		kept := a.find(keep)
		if kept == nil || kept.epoch != from.Epochs.Session {
			return auth.ErrStale
		}
		kept.epoch = to.Epochs.Session
	}
	a.standing = to
	st.accounts[id] = a
	return nil
}

// raises reports whether an epoch is higher in to than in from, and none lower. One must be: else two
// callers could both find the standing that they saw.
func raises(from, to flow.Epochs) bool { return to != from && highest(from, to) == to }

// SweepSessions implements session.AccountStore.
func (s *Store) SweepSessions(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	swept := 0
	for i := range s.sessions.stripes {
		swept += s.sessions.sweep(&s.sessions.stripes[i], now, limit-swept)
		if swept >= limit {
			break
		}
	}
	return swept, nil
}

func (x *sessions) sweep(st *stripe, now time.Time, limit int) int {
	st.Lock()
	defer st.Unlock()
	swept := 0
	for _, a := range st.accounts {
		for at := &a.first; *at != nil; {
			if swept >= limit {
				return swept
			}
			if (*at).alive(a.standing.Epochs.Session, now) {
				at = &(*at).next
				continue
			}
			x.unlink(at)
			swept++
		}
	}
	return swept
}
