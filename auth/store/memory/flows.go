package memory

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// flows are the records of auth.FlowStore. They are copied in both directions: a caller that goes on writing to
// its Data must not write into the store.
type flows struct {
	mu   sync.RWMutex
	byID map[string]auth.FlowRecord
}

// CreateFlow implements auth.FlowStore.
func (s *Store) CreateFlow(ctx context.Context, r auth.FlowRecord) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.flows.mu.Lock()
	defer s.flows.mu.Unlock()
	if _, taken := s.flows.byID[r.ID]; taken {
		return auth.ErrTaken
	}
	s.flows.byID[r.ID] = ownFlow(r)
	return nil
}

// LoadFlow implements auth.FlowStore.
func (s *Store) LoadFlow(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error) {
	if err := ctx.Err(); err != nil {
		return auth.FlowRecord{}, err
	}
	s.flows.mu.RLock()
	defer s.flows.mu.RUnlock()
	r, ok := s.flows.byID[id]
	if !ok || !r.ExpiresAt.After(now) {
		return auth.FlowRecord{}, auth.ErrNotFound
	}
	r.Data = bytes.Clone(r.Data)
	return r, nil
}

// SaveFlow implements auth.FlowStore.
func (s *Store) SaveFlow(ctx context.Context, r auth.FlowRecord) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.flows.mu.Lock()
	defer s.flows.mu.Unlock()
	stored, ok := s.flows.byID[r.ID]
	if !ok || stored.Version+1 != r.Version {
		return auth.ErrStale
	}
	s.flows.byID[r.ID] = ownFlow(r)
	return nil
}

// SweepFlows implements auth.FlowStore.
func (s *Store) SweepFlows(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.flows.mu.Lock()
	defer s.flows.mu.Unlock()
	swept := 0
	for id, r := range s.flows.byID {
		if swept >= limit {
			break
		}
		if !r.ExpiresAt.After(now) {
			delete(s.flows.byID, id)
			swept++
		}
	}
	return swept, nil
}

func ownFlow(r auth.FlowRecord) auth.FlowRecord {
	r.Data = bytes.Clone(r.Data)
	r.TouchedAt, r.ExpiresAt = rounded(r.TouchedAt), rounded(r.ExpiresAt)
	return r
}
