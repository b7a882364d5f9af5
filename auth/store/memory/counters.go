package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/store/internal/bucket"
)

// counters keep the counts under one lock: an attempt takes from several buckets or from none.
type counters struct {
	mu    sync.Mutex
	byKey map[string]counter
}

type counter struct {
	bucket.Count
	zeroAt time.Time
}

func (c *counters) init() { c.byKey = map[string]counter{} }

// Take implements auth.Counters.
func (s *Store) Take(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
	now = rounded(now)
	c := &s.counters
	if err := ready(ctx, buckets); err != nil {
		return auth.Taken{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := make([]bucket.Count, len(buckets))
	answers := make([]auth.Taken, len(buckets))
	for i, b := range buckets {
		counts[i], answers[i] = bucket.Take(b, c.byKey[b.Key].Count, now)
	}
	taken := bucket.Merge(answers)
	if !taken.OK {
		return taken, nil
	}
	for i, b := range buckets {
		c.byKey[b.Key] = counter{counts[i], bucket.ZeroAt(b, counts[i])}
	}
	return taken, nil
}

// Refund implements auth.Counters.
func (s *Store) Refund(ctx context.Context, buckets []auth.Bucket, now time.Time) error {
	now = rounded(now)
	c := &s.counters
	if err := ready(ctx, buckets); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range buckets {
		count := bucket.Refund(b, c.byKey[b.Key].Count, now)
		if count.N == 0 {
			delete(c.byKey, b.Key)
			continue
		}
		c.byKey[b.Key] = counter{count, bucket.ZeroAt(b, count)}
	}
	return nil
}

// Reset implements auth.Counters.
func (s *Store) Reset(ctx context.Context, keys ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	for _, key := range keys {
		delete(s.counters.byKey, key)
	}
	return nil
}

// SweepCounters implements auth.Counters.
func (s *Store) SweepCounters(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	swept := 0
	for key, c := range s.counters.byKey {
		if swept >= limit {
			break
		}
		if !c.zeroAt.After(now) {
			delete(s.counters.byKey, key)
			swept++
		}
	}
	return swept, nil
}

func ready(ctx context.Context, buckets []auth.Bucket) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := bucket.Validate(buckets); err != nil {
		return fmt.Errorf("memory: invalid buckets: %w", err)
	}
	return nil
}
