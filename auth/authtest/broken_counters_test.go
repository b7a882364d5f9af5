package authtest

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/store/memory"
)

// counterStore is a sound store with hooks; hooks that are nil do nothing.
type counterStore struct {
	auth.Counters
	mu     sync.Mutex // for what a fault remembers
	take   func(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error)
	refund func(ctx context.Context, buckets []auth.Bucket, now time.Time) error
	reset  func(ctx context.Context, keys ...string) error
	sweep  func(ctx context.Context, now time.Time, limit int) (int, error)
}

func (c *counterStore) Take(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
	if c.take != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.take(ctx, buckets, now)
	}
	return c.Counters.Take(ctx, buckets, now)
}

func (c *counterStore) Refund(ctx context.Context, buckets []auth.Bucket, now time.Time) error {
	if c.refund != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.refund(ctx, buckets, now)
	}
	return c.Counters.Refund(ctx, buckets, now)
}

func (c *counterStore) Reset(ctx context.Context, keys ...string) error {
	if c.reset != nil {
		return c.reset(ctx, keys...)
	}
	return c.Counters.Reset(ctx, keys...)
}

func (c *counterStore) SweepCounters(ctx context.Context, now time.Time, limit int) (int, error) {
	if c.sweep != nil {
		return c.sweep(ctx, now, limit)
	}
	return c.Counters.SweepCounters(ctx, now, limit)
}

func brokenCounter(fault func(c *counterStore)) func() auth.Counters {
	return func() auth.Counters {
		c := &counterStore{Counters: memory.New()}
		fault(c)
		return c
	}
}

// misread returns a maker of counters that read each bucket wrongly when they take.
func misread(wrong func(b *auth.Bucket)) func() auth.Counters {
	return brokenCounter(func(c *counterStore) {
		c.take = func(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			return c.Counters.Take(ctx, with(buckets, wrong), now)
		}
	})
}

func with(buckets []auth.Bucket, change func(b *auth.Bucket)) []auth.Bucket {
	changed := append([]auth.Bucket(nil), buckets...)
	for i := range changed {
		change(&changed[i])
	}
	return changed
}

var brokenCounters = map[string]func() auth.Counters{
	"attempts stop at the cap": misread(func(b *auth.Bucket) { b.Cap++ }),
	"no cap, no attempt":       misread(func(b *auth.Bucket) { b.Cap = max(b.Cap, 1) }),
	"attempts wait from Free on": misread(func(b *auth.Bucket) {
		b.Free++
	}),
	"waits double up to MaxDelay": misread(func(b *auth.Bucket) { b.MaxDelay = b.FirstDelay }),
	"waits do not overflow": brokenCounter(func(c *counterStore) {
		overflown := from(120)
		c.take = func(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			if overflown() {
				buckets = with(buckets, func(b *auth.Bucket) { b.Free = 0 })
			}
			return c.Counters.Take(ctx, buckets, now)
		}
	}),
	"without Free no wait": misread(func(b *auth.Bucket) { b.Free = max(b.Free, 1) }),
	"a refused attempt leaves no trace": brokenCounter(func(c *counterStore) {
		var refused time.Time
		c.take = func(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			if until := refused.Add(buckets[0].FirstDelay); now.Before(until) {
				refused = now
				return auth.Taken{RetryAt: until}, nil
			}
			taken, err := c.Counters.Take(ctx, buckets, now)
			if !taken.OK {
				refused = now
			}
			return taken, err
		}
	}),
	"a count leaks": misread(func(b *auth.Bucket) { b.Leak += tick }),
	"a count leaks several at once": brokenCounter(func(c *counterStore) {
		n, since := 0, start
		c.take = func(_ context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			if now.Sub(since) >= buckets[0].Leak {
				n, since = n-1, now
			}
			if n >= buckets[0].Cap {
				return auth.Taken{RetryAt: since.Add(buckets[0].Leak)}, nil
			}
			n++
			return auth.Taken{OK: true}, nil
		}
	}),
	"a begun leak is not lost": brokenCounter(func(c *counterStore) {
		n, last := 0, start
		c.take = func(_ context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			n = max(0, n-int(now.Sub(last)/buckets[0].Leak))
			if n >= buckets[0].Cap {
				return auth.Taken{RetryAt: last.Add(buckets[0].Leak)}, nil
			}
			n, last = n+1, now
			return auth.Taken{OK: true}, nil
		}
	}),
	"a count stops at zero": brokenCounter(func(c *counterStore) {
		last, credit := start, 0
		c.take = func(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			credit += int(now.Sub(last) / (30 * time.Minute))
			last = now
			return c.Counters.Take(ctx, with(buckets, func(b *auth.Bucket) { b.Cap += credit }), now)
		}
	}),
	"a leak shortens the wait": brokenCounter(func(c *counterStore) {
		c.take = func(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			taken, err := c.Counters.Take(ctx, buckets, now)
			if taken.OK || err != nil {
				return taken, err
			}
			return c.Counters.Take(ctx, with(buckets, func(b *auth.Bucket) { b.Leak = 0 }), now)
		}
	}),
	"a count is forgotten": misread(func(b *auth.Bucket) { b.Forget += tick }),
	"all buckets or none": brokenCounter(func(c *counterStore) {
		c.take = func(ctx context.Context, buckets []auth.Bucket, now time.Time) (taken auth.Taken, err error) {
			for i := range buckets {
				if taken, err = c.Counters.Take(ctx, buckets[i:i+1], now); !taken.OK {
					break
				}
			}
			return taken, err
		}
	}),
	"RetryAt serves all buckets": brokenCounter(func(c *counterStore) {
		c.take = func(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			taken, err := c.Counters.Take(ctx, buckets, now)
			if taken.OK || err != nil {
				return taken, err
			}
			return c.Counters.Take(ctx, buckets[:1], now)
		}
	}),
	"keys are opaque": misread(func(b *auth.Bucket) { b.Key = trim(b.Key) }),
	"the last attempt is one": brokenCounter(func(c *counterStore) {
		late := from(3)
		c.take = func(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			taken, err := c.Counters.Take(ctx, buckets, now)
			if err == nil && !taken.OK && late() {
				return auth.Taken{OK: true}, nil
			}
			return taken, err
		}
	}),
	"buckets in any order": brokenCounter(func(c *counterStore) {
		seen := map[string]bool{}
		c.take = func(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			if len(buckets) > 1 && seen[buckets[0].Key] {
				buckets = buckets[:1] // a lost update
			}
			seen[buckets[0].Key] = true
			return c.Counters.Take(ctx, buckets, now)
		}
	}),
	"a refund gives one back": brokenCounter(func(c *counterStore) {
		c.refund = func(ctx context.Context, buckets []auth.Bucket, now time.Time) error {
			return c.Counters.Refund(ctx, buckets[:1], now)
		}
	}),
	"a refund stops at zero": brokenCounter(func(c *counterStore) {
		credit := 0
		c.refund = func(context.Context, []auth.Bucket, time.Time) error {
			credit++
			return nil
		}
		c.take = func(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			return c.Counters.Take(ctx, with(buckets, func(b *auth.Bucket) { b.Cap += credit }), now)
		}
	}),
	"a refund begins no wait": brokenCounter(func(c *counterStore) {
		var last, wait time.Time
		c.take = func(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			if now.Before(wait) {
				return auth.Taken{RetryAt: wait}, nil
			}
			last = now
			return c.Counters.Take(ctx, buckets, now)
		}
		c.refund = func(ctx context.Context, buckets []auth.Bucket, now time.Time) error {
			wait = last.Add(buckets[0].FirstDelay)
			return c.Counters.Refund(ctx, buckets, now)
		}
	}),
	"a refund lifts no wait": brokenCounter(func(c *counterStore) {
		refunded := false
		c.refund = func(ctx context.Context, buckets []auth.Bucket, now time.Time) error {
			refunded = true
			return c.Counters.Refund(ctx, buckets, now)
		}
		c.take = func(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			if refunded {
				buckets = with(buckets, func(b *auth.Bucket) { b.Free = 0 })
			}
			return c.Counters.Take(ctx, buckets, now)
		}
	}),
	"refunds made at once": brokenCounter(func(c *counterStore) {
		late := from(2)
		c.refund = func(ctx context.Context, buckets []auth.Bucket, now time.Time) error {
			if late() {
				return nil
			}
			return c.Counters.Refund(ctx, buckets, now)
		}
	}),
	"a reset starts again": brokenCounter(func(c *counterStore) {
		c.reset = func(ctx context.Context, keys ...string) error {
			return c.Counters.Reset(ctx, keys[:min(1, len(keys))]...)
		}
	}),
	"a reset is of its keys": brokenCounter(func(c *counterStore) {
		var known []string
		c.take = func(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			known = append(known, buckets[0].Key)
			return c.Counters.Take(ctx, buckets, now)
		}
		c.reset = func(ctx context.Context, keys ...string) error {
			for _, key := range known {
				if strings.HasPrefix(key, keys[0]) {
					keys = append(keys, key)
				}
			}
			return c.Counters.Reset(ctx, keys...)
		}
	}),
	"a sweep deletes what is forgotten": brokenCounter(func(c *counterStore) {
		c.sweep = func(ctx context.Context, now time.Time, limit int) (int, error) {
			return c.Counters.SweepCounters(ctx, now.Add(tick), limit)
		}
	}),
	"a later attempt puts the sweep off": brokenCounter(func(c *counterStore) {
		first := map[string]time.Time{}
		c.take = func(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			if _, ok := first[buckets[0].Key]; !ok {
				first[buckets[0].Key] = now.Add(buckets[0].Forget)
			}
			return c.Counters.Take(ctx, buckets, now)
		}
		c.sweep = func(ctx context.Context, now time.Time, _ int) (n int, err error) {
			for key, forgotten := range first {
				if !forgotten.After(now) {
					n, err = n+1, c.Counters.Reset(ctx, key)
				}
			}
			return n, err
		}
	}),
	"a sweep keeps to its limit": brokenCounter(func(c *counterStore) {
		c.sweep = func(ctx context.Context, now time.Time, _ int) (int, error) {
			return c.Counters.SweepCounters(ctx, now, 1000)
		}
	}),
	"a done context changes nothing": brokenCounter(func(c *counterStore) {
		c.take = func(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
			_, _ = c.Counters.Take(context.WithoutCancel(ctx), buckets, now)
			return auth.Taken{}, ctx.Err()
		}
	}),
}
