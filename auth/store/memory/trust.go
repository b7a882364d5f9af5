package memory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/session"
)

var errRestamp = errors.New("memory: the epoch to move trust to is not higher than the one it has")

// trusted are the trusted devices of all accounts, under one lock: they are read once in a sign-in.
type trusted struct {
	mu       sync.RWMutex
	accounts map[string][]session.TrustRecord
	byID     map[string]string // to the account
}

func (x *trusted) init() {
	x.accounts, x.byID = map[string][]session.TrustRecord{}, map[string]string{}
}

// find returns the place of the device among the account's, or -1.
func (x *trusted) find(account string, device [32]byte) int {
	return slices.IndexFunc(x.accounts[account], func(r session.TrustRecord) bool { return r.Device == device })
}

func (x *trusted) findID(account, id string) int {
	return slices.IndexFunc(x.accounts[account], func(r session.TrustRecord) bool { return r.ID == id })
}

// drop deletes the account's records that match, at most limit of them, and returns how many.
func (x *trusted) drop(account string, limit int, match func(session.TrustRecord) bool) int {
	dropped := 0
	rest := slices.DeleteFunc(x.accounts[account], func(r session.TrustRecord) bool {
		if dropped >= limit || !match(r) {
			return false
		}
		delete(x.byID, r.ID)
		dropped++
		return true
	})
	x.accounts[account] = rest
	if len(rest) == 0 {
		delete(x.accounts, account)
	}
	return dropped
}

const anyNumber = int(^uint(0) >> 1)

// PutTrust implements session.TrustDeviceStore.
func (s *Store) PutTrust(ctx context.Context, r session.TrustRecord, now time.Time, limit int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	x := &s.trusted
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, other := range x.accounts[r.Account] {
		if other.Epoch > r.Epoch {
			return auth.ErrStale // the sign-in that chose it ended with all others before it was done
		}
	}
	if _, taken := x.byID[r.ID]; taken {
		return auth.ErrTaken
	}
	if i := x.find(r.Account, r.Device); i >= 0 && r.Name == "" {
		r.Name = x.accounts[r.Account][i].Name
	}
	x.drop(r.Account, anyNumber, func(o session.TrustRecord) bool {
		return o.Device == r.Device || o.Epoch < r.Epoch || !o.ExpiresAt.After(now)
	})
	for len(x.accounts[r.Account]) >= max(limit, 1) {
		oldest := slices.MinFunc(x.accounts[r.Account], func(a, b session.TrustRecord) int {
			return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		})
		x.drop(r.Account, 1, func(o session.TrustRecord) bool { return o.ID == oldest.ID })
	}
	r.CreatedAt, r.SeenAt, r.ExpiresAt = rounded(r.CreatedAt), rounded(r.SeenAt), rounded(r.ExpiresAt)
	x.accounts[r.Account] = append(x.accounts[r.Account], r)
	x.byID[r.ID] = r.Account
	return nil
}

// FindTrust implements session.TrustDeviceStore.
func (s *Store) FindTrust(ctx context.Context, account string, device [32]byte) (session.TrustRecord, error) {
	if err := ctx.Err(); err != nil {
		return session.TrustRecord{}, err
	}
	s.trusted.mu.RLock()
	defer s.trusted.mu.RUnlock()
	i := s.trusted.find(account, device)
	if i < 0 {
		return session.TrustRecord{}, auth.ErrNotFound
	}
	return s.trusted.accounts[account][i], nil
}

// TouchTrust implements session.TrustDeviceStore.
func (s *Store) TouchTrust(ctx context.Context, account string, device [32]byte, epoch uint64, seen time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.trusted.mu.Lock()
	defer s.trusted.mu.Unlock()
	if i := s.trusted.find(account, device); i >= 0 {
		r := &s.trusted.accounts[account][i]
		if r.Epoch == epoch && !r.SeenAt.After(seen) {
			r.SeenAt = rounded(seen)
		}
	}
	return nil
}

// RestampTrust implements session.TrustDeviceStore.
func (s *Store) RestampTrust(ctx context.Context, account string, device [32]byte, from, to uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if to <= from {
		return errRestamp
	}
	s.trusted.mu.Lock()
	defer s.trusted.mu.Unlock()
	i := s.trusted.find(account, device)
	if i < 0 || s.trusted.accounts[account][i].Epoch != from {
		return auth.ErrNotFound
	}
	s.trusted.accounts[account][i].Epoch = to
	return nil
}

// ListTrust implements session.TrustAccountStore.
func (s *Store) ListTrust(ctx context.Context, account string, epoch uint64, now time.Time, limit int) ([]session.TrustRecord, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.trusted.mu.RLock()
	defer s.trusted.mu.RUnlock()
	var list []session.TrustRecord
	for _, r := range s.trusted.accounts[account] {
		if r.Epoch == epoch && r.ExpiresAt.After(now) {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(a, b session.TrustRecord) int { return b.SeenAt.Compare(a.SeenAt) })
	return list[:min(len(list), max(limit, 0))], nil
}

// RenameTrust implements session.TrustAccountStore.
func (s *Store) RenameTrust(ctx context.Context, account, id, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.trusted.mu.Lock()
	defer s.trusted.mu.Unlock()
	i := s.trusted.findID(account, id)
	if i < 0 {
		return auth.ErrNotFound
	}
	s.trusted.accounts[account][i].Name = name
	return nil
}

// RemoveTrust implements session.TrustAccountStore.
func (s *Store) RemoveTrust(ctx context.Context, account, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.trusted.mu.Lock()
	defer s.trusted.mu.Unlock()
	if s.trusted.drop(account, 1, func(r session.TrustRecord) bool { return r.ID == id }) == 0 {
		return auth.ErrNotFound
	}
	return nil
}

// RemoveAllTrust implements session.TrustAccountStore.
func (s *Store) RemoveAllTrust(ctx context.Context, account string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.trusted.mu.Lock()
	defer s.trusted.mu.Unlock()
	s.trusted.drop(account, anyNumber, func(session.TrustRecord) bool { return true })
	return nil
}

// SweepTrust implements session.TrustAccountStore.
func (s *Store) SweepTrust(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.trusted.mu.Lock()
	defer s.trusted.mu.Unlock()
	swept := 0
	for account := range s.trusted.accounts {
		if swept >= limit {
			break
		}
		swept += s.trusted.drop(account, limit-swept, func(r session.TrustRecord) bool { return !r.ExpiresAt.After(now) })
	}
	return swept, nil
}
