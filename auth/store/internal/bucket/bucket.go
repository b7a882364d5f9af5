// Package bucket is the arithmetic of auth.Bucket, which the stores share: they differ in how a count is
// kept and made atomic, never in what it means.
package bucket

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// longestKey bounds a key, as auth.Bucket says.
const longestKey = 256

// Count is what is kept of one bucket. The zero value is a count of zero.
type Count struct {
	N      int       // never negative
	Since  time.Time // the next leak comes one Leak after this
	Last   time.Time // the latest attempt
	Before time.Time // the attempt before that, for Refund; zero if it is not known
}

// Validate reports every bucket that cannot be counted. Such a list is a mistake of the caller; counting
// it in part would leave attempts unlimited.
func Validate(buckets []auth.Bucket) error {
	var problems []error
	seen := make(map[string]bool, len(buckets))
	for _, b := range buckets {
		if len(b.Key) > longestKey {
			problems = append(problems, fmt.Errorf("a key has %d bytes; it may have %d", len(b.Key), longestKey))
		}
		if seen[b.Key] {
			problems = append(problems, fmt.Errorf("the key %q is there twice", b.Key))
		}
		if b.Cap <= 0 {
			problems = append(problems, fmt.Errorf("the cap of %q is %d; it must be positive", b.Key, b.Cap))
		}
		if b.Forget <= 0 {
			problems = append(problems, fmt.Errorf("the forget time of %q is %s; it must be positive", b.Key, b.Forget))
		}
		seen[b.Key] = true
	}
	return errors.Join(problems...)
}

// Take counts one attempt, or says why not. A refused attempt returns the count that was given.
func Take(b auth.Bucket, c Count, now time.Time) (Count, auth.Taken) {
	settled := settle(b, c, now)
	if at, wait := retry(b, settled, now); wait {
		return c, auth.Taken{RetryAt: at}
	}
	if settled.N == 0 {
		settled.Since = now
	}
	settled.N++
	settled.Before = settled.Last
	settled.Last = later(settled.Last, now) // another server's clock may be ahead
	return settled, auth.Taken{OK: true}
}

// Refund takes one attempt back, and with it the wait that it began.
func Refund(b auth.Bucket, c Count, now time.Time) Count {
	c = settle(b, c, now)
	if c.N <= 1 {
		return Count{}
	}
	c.N--
	if !c.Before.IsZero() {
		c.Last, c.Before = c.Before, time.Time{}
	}
	return c
}

// ZeroAt returns when the count is zero if no attempt comes: it is forgotten then, or has leaked away. From
// then on nothing is lost by deleting it, which keeps those who come from ever new addresses from filling
// the store for as long as Forget is.
func ZeroAt(b auth.Bucket, c Count) time.Time {
	at := forgottenAt(b, c)
	if b.Leak > 0 && time.Duration(c.N) <= math.MaxInt64/b.Leak {
		at = sooner(at, c.Since.Add(time.Duration(c.N)*b.Leak))
	}
	return at
}

// forgottenAt returns when the count is zero for want of attempts.
func forgottenAt(b auth.Bucket, c Count) time.Time { return c.Last.Add(b.Forget) }

// Merge joins the answers for several buckets of which some refuse: all of them must let the attempt pass.
func Merge(answers []auth.Taken) auth.Taken {
	all := auth.Taken{OK: true}
	never := false
	for _, a := range answers {
		if a.OK {
			continue
		}
		all.OK = false
		never = never || a.RetryAt.IsZero()
		all.RetryAt = later(all.RetryAt, a.RetryAt)
	}
	if never {
		all.RetryAt = time.Time{}
	}
	return all
}

// settle returns the count as of now. What is left of a leak that has begun stays in Since, so that
// frequent attempts do not keep a count from falling.
func settle(b auth.Bucket, c Count, now time.Time) Count {
	if c.N == 0 || !now.Before(forgottenAt(b, c)) {
		return Count{}
	}
	if b.Leak <= 0 {
		return c
	}
	leaked := now.Sub(c.Since) / b.Leak
	if leaked >= time.Duration(c.N) {
		return Count{}
	}
	if leaked > 0 {
		c.N -= int(leaked)
		c.Since = c.Since.Add(leaked * b.Leak)
	}
	return c
}

// retry reports whether an attempt must wait now, and until when: the first moment at which the count,
// falling leak by leak, is below the cap and the wait that goes with it is over. At the cap of a bucket
// that does not leak, waiting does not help and the time is zero.
func retry(b auth.Bucket, c Count, now time.Time) (at time.Time, wait bool) {
	from, leak := now, c.Since
	for n := c.N; ; n-- {
		if n == 0 {
			at = sooner(at, from)
			break
		}
		if n < b.Cap {
			free := from
			if d := delay(b, n); d > 0 {
				free = later(from, c.Last.Add(d))
			}
			at = sooner(at, free)
			if free.Equal(from) {
				break // the counts that follow come later still
			}
		}
		if b.Leak <= 0 {
			break
		}
		leak = leak.Add(b.Leak)
		from = leak
	}
	if at.IsZero() {
		return at, true
	}
	at = sooner(at, forgottenAt(b, c))
	return at, at.After(now)
}

// delay returns the wait at count n. It doubles by steps, and stops before it could overflow.
func delay(b auth.Bucket, n int) time.Duration {
	if b.Free <= 0 || n < b.Free {
		return 0
	}
	longest := max(b.MaxDelay, b.FirstDelay)
	d := b.FirstDelay
	for range n - b.Free {
		if d <= 0 || d > longest/2 {
			return max(d, longest)
		}
		d *= 2
	}
	return d
}

func later(t, u time.Time) time.Time {
	if u.After(t) {
		return u
	}
	return t
}

// sooner returns the earlier of two times, of which t may not be known yet.
func sooner(t, u time.Time) time.Time {
	if t.IsZero() || u.Before(t) {
		return u
	}
	return t
}
