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
	errFull  = errors.New("memory: there is no place for another session or account")
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
	st, short := s.sessions.stripe(r.Account)
	st.Lock()
	defer st.Unlock()
	if st.full() {
		return errFull
	}
	a := st.account(r.Account, short)
	known, _ := st.standing(a)
	if !follows(known, expect) {
		return auth.ErrStale
	}
	ended, err := st.makeRoom(a, known, expect, o)
	if err != nil {
		return err
	}
	n, err := s.sessions.add(st, &r)
	if err != nil {
		return err
	}
	for _, old := range ended {
		s.sessions.remove(st, a, old)
	}
	st.link(st.stand(a, r.Account, short, expect), n)
	return nil
}

// follows reports whether a flow that saw the account as in expect has seen all that is known of it.
func follows(known, expect auth.Standing) bool {
	return known.Epochs.Security <= expect.Epochs.Security && known.Epochs.Session <= expect.Epochs.Session &&
		(known.Epochs != expect.Epochs || known.Status == expect.Status)
}

// makeRoom returns the sessions that end when one is created: the replaced one, and the oldest ones if the
// limit asks for it. It changes nothing.
func (st *stripe) makeRoom(a uint32, known, expect auth.Standing, o session.CreateOptions) ([]uint32, error) {
	var ended []uint32
	if o.Replaces != "" {
		n, old := st.find(a, o.Replaces)
		if old == nil || !st.life(old).alive(known.Epochs.Session, o.Now) {
			return nil, auth.ErrStale // it ended while the flow ran, so what the flow inherited from it is gone
		}
		ended = append(ended, n)
	}
	if o.Limit <= 0 {
		return ended, nil
	}
	live := st.alive(a, expect.Epochs.Session, o.Now)
	live = slices.DeleteFunc(live, func(x living) bool { return slices.Contains(ended, x.n) })
	excess := len(live) - o.Limit + 1
	if excess <= 0 {
		return ended, nil
	}
	if !o.Evict {
		return nil, auth.ErrLimit
	}
	slices.SortStableFunc(live, func(x, y living) int { return cmp.Compare(x.created, y.created) })
	for _, old := range live[:excess] {
		ended = append(ended, old.n)
	}
	return ended, nil
}

// FindSession implements session.TokenStore.
func (s *Store) FindSession(ctx context.Context, hash [32]byte) (session.Record, auth.Standing, error) {
	if err := ctx.Err(); err != nil {
		return session.Record{}, auth.Standing{}, err
	}
	st, n := s.sessions.lookup(&hash)
	if st == nil {
		return session.Record{}, auth.Standing{}, auth.ErrNotFound
	}
	st.RLock()
	defer st.RUnlock()
	row := st.rows.at(n)
	if !row.of(hash) {
		return session.Record{}, auth.Standing{}, auth.ErrNotFound
	}
	record, standing := st.record(row)
	return record, standing, nil
}

// TouchSession implements session.TokenStore.
func (s *Store) TouchSession(ctx context.Context, hash [32]byte, seen, expires time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	st, n := s.sessions.lookup(&hash)
	if st == nil {
		return nil
	}
	st.Lock()
	defer st.Unlock()
	row := st.rows.at(n)
	if !row.of(hash) {
		return nil
	}
	if l := st.life(row); l.seen <= seen.UnixMicro() {
		l.seen, l.expires = seen.UnixMicro(), expires.UnixMicro()
		st.live(row, l)
	}
	return nil
}

// EndSession implements session.TokenStore.
func (s *Store) EndSession(ctx context.Context, account, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	st, short := s.sessions.stripe(account)
	st.Lock()
	defer st.Unlock()
	a := st.account(account, short)
	n, row := st.find(a, id)
	if row == nil {
		return auth.ErrNotFound
	}
	s.sessions.remove(st, a, n)
	return nil
}

// ListSessions implements session.AccountStore.
func (s *Store) ListSessions(ctx context.Context, account string, now time.Time, limit int) ([]session.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st, short := s.sessions.stripe(account)
	st.RLock()
	defer st.RUnlock()
	a := st.account(account, short)
	known, _ := st.standing(a)
	live := st.alive(a, known.Epochs.Session, now)
	slices.SortStableFunc(live, func(x, y living) int { return cmp.Compare(y.seen, x.seen) })
	var list []session.Record
	for _, l := range live[:min(max(limit, 0), len(live))] {
		record, _ := st.record(st.rows.at(l.n))
		list = append(list, record)
	}
	return list, nil
}

// AlignStanding implements session.AccountStore. The standing of an account without sessions is kept too:
// it may be in the middle of its first sign-in.
func (s *Store) AlignStanding(ctx context.Context, id string, to auth.Standing) (auth.Standing, error) {
	if err := ctx.Err(); err != nil {
		return auth.Standing{}, err
	}
	st, short := s.sessions.stripe(id)
	st.Lock()
	defer st.Unlock()
	a := st.account(id, short)
	if a == 0 && st.full() {
		return auth.Standing{}, errFull
	}
	known, _ := st.standing(a)
	if to.Epochs.Security >= known.Epochs.Security {
		known.Status = to.Status
	}
	known.Epochs = highest(known.Epochs, to.Epochs)
	st.stand(a, id, short, known)
	return known, nil
}

// RaiseStanding implements session.AccountStore.
func (s *Store) RaiseStanding(ctx context.Context, id string, from, to auth.Standing, keep string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !raises(from.Epochs, to.Epochs) {
		return errRaise
	}
	st, short := s.sessions.stripe(id)
	st.Lock()
	defer st.Unlock()
	a := st.account(id, short)
	if a == 0 && st.full() {
		return errFull
	}
	known, _ := st.standing(a)
	if known != from && known != (auth.Standing{}) {
		return auth.ErrStale // somebody else was here first; at the same height, both would keep a session
	}
	if keep != "" {
		_, kept := st.find(a, keep)
		if kept == nil || st.life(kept).epoch != from.Epochs.Session {
			return auth.ErrStale
		}
		l := st.life(kept)
		l.epoch = to.Epochs.Session
		st.live(kept, l)
	}
	st.stand(a, id, short, to)
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
	for i := range st.accounts {
		known, _ := st.standing(uint32(i + 1))
		for at := &st.accounts[i].first; *at != 0; {
			if swept >= limit {
				return swept
			}
			row := st.rows.at(*at)
			if st.life(row).alive(known.Epochs.Session, now) {
				at = &row.next
				continue
			}
			x.unlink(st, at)
			swept++
		}
	}
	return swept
}
