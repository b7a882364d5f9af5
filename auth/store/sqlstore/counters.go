package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/store/internal/bucket"
)

// Take implements auth.Counters.
func (s *Store) Take(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
	buckets, err := ordered(buckets)
	if err != nil {
		return auth.Taken{}, err
	}
	now = moment(micros(now))
	var taken auth.Taken
	err = s.act(ctx, func(t tx) error {
		counts := make([]bucket.Count, len(buckets))
		answers := make([]auth.Taken, len(buckets))
		for i, b := range buckets {
			count, err := t.count(ctx, b.Key)
			if err != nil {
				return err
			}
			counts[i], answers[i] = bucket.Take(b, count, now)
		}
		if taken = bucket.Merge(answers); !taken.OK {
			return nil
		}
		for i, b := range buckets {
			if err := t.setCount(ctx, b, counts[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return auth.Taken{}, fault("take attempt", err)
	}
	return taken, nil
}

// Refund implements auth.Counters.
func (s *Store) Refund(ctx context.Context, buckets []auth.Bucket, now time.Time) error {
	buckets, err := ordered(buckets)
	if err != nil {
		return err
	}
	now = moment(micros(now))
	err = s.act(ctx, func(t tx) error {
		for _, b := range buckets {
			count, err := t.count(ctx, b.Key)
			if err != nil {
				return err
			}
			if err := t.setCount(ctx, b, bucket.Refund(b, count, now)); err != nil {
				return err
			}
		}
		return nil
	})
	return fault("refund attempt", err)
}

// Reset implements auth.Counters.
func (s *Store) Reset(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return ctx.Err()
	}
	args := make([]any, len(keys))
	for i, key := range keys {
		args[i] = key
	}
	marks := strings.Repeat(", ?", len(keys))[2:]
	_, err := s.exec(ctx, `DELETE FROM cardea_counters WHERE bucket IN (`+marks+`)`, args...)
	return fault("reset attempts", err)
}

// SweepCounters implements auth.Counters.
func (s *Store) SweepCounters(ctx context.Context, now time.Time, limit int) (int, error) {
	rows, err := s.exec(ctx, `DELETE FROM cardea_counters WHERE bucket IN
		(SELECT bucket FROM cardea_counters WHERE zero_at <= ? ORDER BY zero_at LIMIT ?)`, micros(now), max(limit, 0))
	return int(rows), fault("sweep counters", err)
}

// ordered returns the buckets by key. Whoever locks row by row locks in this order, so that two attempts
// with the same buckets do not wait for each other.
func ordered(buckets []auth.Bucket) ([]auth.Bucket, error) {
	if err := bucket.Validate(buckets); err != nil {
		return nil, fmt.Errorf("sqlstore: invalid buckets: %w", err)
	}
	return slices.SortedFunc(slices.Values(buckets), func(a, b auth.Bucket) int { return cmp.Compare(a.Key, b.Key) }), nil
}

func (t tx) count(ctx context.Context, key string) (bucket.Count, error) {
	var c bucket.Count
	var since, last, before int64
	err := t.row(ctx, `SELECT attempts, since_at, last_at, before_at FROM cardea_counters WHERE bucket = ?`, key).
		Scan(&c.N, &since, &last, &before)
	if errors.Is(err, sql.ErrNoRows) {
		return bucket.Count{}, nil
	}
	c.Since, c.Last, c.Before = moment(since), moment(last), moment(before)
	return c, err
}

func (t tx) setCount(ctx context.Context, b auth.Bucket, c bucket.Count) error {
	if c.N == 0 {
		_, err := t.exec(ctx, `DELETE FROM cardea_counters WHERE bucket = ?`, b.Key)
		return err
	}
	_, err := t.exec(ctx, `INSERT INTO cardea_counters (bucket, attempts, since_at, last_at, before_at, zero_at)
		VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (bucket) DO UPDATE SET attempts = excluded.attempts, since_at = excluded.since_at,
			last_at = excluded.last_at, before_at = excluded.before_at, zero_at = excluded.zero_at`,
		b.Key, c.N, micros(c.Since), micros(c.Last), micros(c.Before), micros(bucket.ZeroAt(b, c)))
	return err
}
