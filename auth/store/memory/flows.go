package memory

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// flows implements auth.FlowStore. Records are copied in both directions: a caller that goes on writing to
// its Data must not write into the store.
type flows struct {
	mu   sync.RWMutex
	byID map[string]auth.FlowRecord
}

// Create implements auth.FlowStore.
func (f *flows) Create(ctx context.Context, r auth.FlowRecord) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, taken := f.byID[r.ID]; taken {
		return auth.ErrTaken
	}
	f.byID[r.ID] = ownFlow(r)
	return nil
}

// Load implements auth.FlowStore.
func (f *flows) Load(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error) {
	if err := ctx.Err(); err != nil {
		return auth.FlowRecord{}, err
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	r, ok := f.byID[id]
	if !ok || !r.ExpiresAt.After(now) {
		return auth.FlowRecord{}, auth.ErrNotFound
	}
	r.Data = bytes.Clone(r.Data)
	return r, nil
}

// Save implements auth.FlowStore.
func (f *flows) Save(ctx context.Context, r auth.FlowRecord) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	stored, ok := f.byID[r.ID]
	if !ok || stored.Version+1 != r.Version {
		return auth.ErrStale
	}
	f.byID[r.ID] = ownFlow(r)
	return nil
}

// SweepFlows implements auth.FlowStore.
func (f *flows) SweepFlows(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	swept := 0
	for id, r := range f.byID {
		if swept >= limit {
			break
		}
		if !r.ExpiresAt.After(now) {
			delete(f.byID, id)
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
