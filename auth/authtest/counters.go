package authtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// RunCounters checks the contract of auth.Counters, a subtest and a fresh, empty store for each rule.
func RunCounters(t *testing.T, open func(t *testing.T) auth.Counters) {
	t.Helper()
	run(t, counterRules(), open)
}

// CheckCounters checks the contract of auth.Counters outside a test. It calls open for each rule, which
// must return an empty store, and returns every rule that is broken.
func CheckCounters(ctx context.Context, open func() (auth.Counters, error)) error {
	return check(ctx, counterRules(), open)
}

func counterRules() []rule[auth.Counters] {
	return append(append([]rule[auth.Counters]{}, takeRules...), countRules...)
}

// capped returns a bucket that stops at n and neither delays nor leaks.
func capped(key string, n int) auth.Bucket {
	return auth.Bucket{Key: key, Cap: n, Forget: 24 * time.Hour}
}

// leaky returns a bucket that stops at n and leaks one each ten seconds.
func leaky(key string, n int) auth.Bucket {
	b := capped(key, n)
	b.Leak = 10 * time.Second
	return b
}

// delayed returns a bucket that waits from two attempts on: 1, 2, 4 and then 5 minutes.
func delayed(key string) auth.Bucket {
	b := capped(key, 1000)
	b.Free, b.FirstDelay, b.MaxDelay = 2, time.Minute, 5*time.Minute
	return b
}

// taker calls Take and states what must come of it.
type taker struct {
	ctx   context.Context
	p     *probe
	store auth.Counters
}

func (t taker) passes(now time.Time, buckets ...auth.Bucket) {
	t.wants(now, auth.Taken{OK: true}, buckets...)
}

func (t taker) refuses(now, retryAt time.Time, buckets ...auth.Bucket) {
	t.wants(now, auth.Taken{RetryAt: retryAt}, buckets...)
}

func (t taker) wants(now time.Time, want auth.Taken, buckets ...auth.Bucket) {
	got, err := t.store.Take(t.ctx, buckets, now)
	t.p.ok("Take", err)
	equal(t.p, fmt.Sprintf("Take after %s", now.Sub(start)), got, want)
}

func (t taker) fills(now time.Time, n int, buckets ...auth.Bucket) {
	for range n {
		t.passes(now, buckets...)
	}
}

func (t taker) refunds(now time.Time, buckets ...auth.Bucket) {
	t.p.ok("Refund", t.store.Refund(t.ctx, buckets, now))
}

func (t taker) sweeps(now time.Time, limit, want int) {
	n, err := t.store.SweepCounters(t.ctx, now, limit)
	t.p.ok("SweepCounters", err)
	equal(t.p, fmt.Sprintf("swept with limit %d", limit), n, want)
}

var never time.Time // RetryAt when waiting does not help

var takeRules = []rule[auth.Counters]{
	{
		"attempts stop at the cap",
		"a bucket lets as many attempts pass as its cap and no more; where it never falls, waiting does not help and RetryAt is zero",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, capped("k", 3)
			t.fills(start, 3, b)
			t.refuses(start, never, b)
			t.refuses(at(time.Hour), never, b)
		},
	},
	{
		"no cap, no attempt",
		"a bucket whose cap is not positive lets nothing pass: a forgotten setting must not mean unlimited guesses",
		func(ctx context.Context, p *probe, s auth.Counters) {
			for _, n := range []int{0, -1} {
				got, err := s.Take(ctx, []auth.Bucket{capped("k", n)}, start)
				if err == nil && got.OK {
					p.failf("Take with a cap of %d: passed", n)
				}
			}
		},
	},
	{
		"attempts wait from Free on",
		"at a count of Free an attempt must come FirstDelay after the latest one; exactly then it passes, a millisecond before it does not",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, delayed("k")
			t.passes(start, b)
			t.passes(at(time.Second), b)
			free := at(time.Second + time.Minute)
			t.refuses(at(time.Second), free, b)
			t.refuses(free.Add(-tick), free, b)
			t.passes(free, b)
		},
	},
	{
		"waits double up to MaxDelay",
		"each further attempt waits twice as long as the one before, and never longer than MaxDelay",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, delayed("k")
			t.fills(start, 2, b)
			now := start
			for _, minutes := range []int{1, 2, 4, 5, 5, 5} {
				free := now.Add(time.Duration(minutes) * time.Minute)
				t.refuses(free.Add(-tick), free, b)
				t.passes(free, b)
				now = free
			}
		},
	},
	{
		"waits do not overflow",
		"after 80 doublings the wait is still MaxDelay: a shift that overflows would end it",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, delayed("k")
			b.FirstDelay, b.MaxDelay = time.Second, time.Hour
			t.fills(start, 2, b)
			now := start
			for n := range 80 {
				free := now.Add(min(time.Second<<min(n, 20), time.Hour))
				t.refuses(now, free, b)
				t.passes(free, b)
				now = free
			}
		},
	},
	{
		"without Free no wait",
		"a bucket whose Free is zero never makes attempts wait",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, delayed("k")
			b.Free, b.Cap = 0, 10
			t.fills(start, 10, b)
			t.refuses(start, never, b)
		},
	},
	{
		"a refused attempt leaves no trace",
		"waiting is not prolonged, and forgetting not put off, by those who do not wait: else anyone could lock an account for ever",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, delayed("k")
			t.fills(start, 2, b)
			for i := range 50 {
				t.refuses(at(time.Duration(i)*time.Second), at(time.Minute), b)
			}
			t.passes(at(time.Minute), b)
			t.refuses(at(time.Minute), at(3*time.Minute), b)
			stop := capped("stop", 1)
			t.passes(start, stop)
			t.refuses(at(stop.Forget-tick), never, stop)
			t.passes(at(stop.Forget), stop)
		},
	},
	{
		"a count leaks",
		"it falls by one each Leak: a millisecond before there is no room, exactly then for one attempt, and RetryAt says so",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, leaky("k", 3)
			t.fills(start, 3, b)
			for i := 1; i <= 4; i++ {
				free := at(time.Duration(i) * b.Leak)
				t.refuses(free.Add(-tick), free, b)
				t.passes(free, b)
				t.refuses(free, free.Add(b.Leak), b)
			}
		},
	},
	{
		"a count leaks several at once",
		"after three leaks there is room for three attempts",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, leaky("k", 5)
			t.fills(start, 5, b)
			now := at(3*b.Leak + 4*time.Second)
			t.fills(now, 3, b)
			t.refuses(now, at(4*b.Leak), b)
		},
	},
	{
		"a begun leak is not lost",
		"attempts in between do not start the leak anew: else frequent ones keep a count from ever falling",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, leaky("k", 3)
			t.passes(start, b)
			t.passes(at(6*time.Second), b)
			t.passes(at(12*time.Second), b) // one leaked at 10 s
			t.passes(at(18*time.Second), b)
			t.refuses(at(19*time.Second), at(20*time.Second), b)
			t.passes(at(20*time.Second), b)
			t.refuses(at(21*time.Second), at(30*time.Second), b)
		},
	},
	{
		"a count stops at zero",
		"a bucket that was quiet for long has room for its cap and not for more, and leaks from its first attempt on",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, leaky("k", 2)
			t.fills(start, 2, b)
			now := at(time.Hour + 3*time.Second)
			t.fills(now, 2, b)
			t.refuses(now, now.Add(b.Leak), b)
		},
	},
	{
		"a leak shortens the wait",
		"while a count falls its wait falls with it: RetryAt is the first moment at which both let an attempt pass",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, delayed("k")
			b.Leak = 90 * time.Second
			t.fills(start, 2, b)
			t.passes(at(time.Minute), b) // the third: the next must wait until 3:00, but at 1:30 the count is 2 again
			t.refuses(at(time.Minute), at(2*time.Minute), b)
			t.refuses(at(2*time.Minute-tick), at(2*time.Minute), b)
			t.passes(at(2*time.Minute), b)
		},
	},
	{
		"a count is forgotten",
		"it starts again at zero when no attempt was counted for Forget, exactly then and not before",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, capped("k", 2)
			t.passes(start, b)
			last := at(b.Forget - tick)
			t.passes(last, b)
			t.refuses(last.Add(b.Forget-tick), never, b)
			t.fills(last.Add(b.Forget), 2, b)
			t.refuses(last.Add(b.Forget), never, b)
		},
	},
	{
		"all buckets or none",
		"an attempt that one bucket refuses is counted in no other, whichever comes first",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, full := taker{ctx, p, s}, capped("m", 1)
			before, after := capped("a", 2), capped("z", 2)
			t.passes(start, full)
			for range 3 {
				t.refuses(start, never, before, full, after)
				t.refuses(start, never, after, full, before)
			}
			t.fills(start, 2, before, after)
			t.refuses(start, never, before)
			t.refuses(start, never, after)
		},
	},
	{
		"RetryAt serves all buckets",
		"it is when the last of them lets an attempt pass, and zero if one of them never does",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, soon, late, stop := taker{ctx, p, s}, leaky("a", 1), delayed("b"), capped("c", 1)
			t.passes(start, soon)
			t.fills(start, 2, late)
			t.refuses(start, at(time.Minute), soon, late)
			t.refuses(start, at(time.Minute), late, soon)
			t.passes(start, stop)
			t.refuses(start, never, stop, late, soon)
			t.passes(at(time.Minute), late, soon)
		},
	},
	{
		"keys are opaque",
		"keys that differ in a byte are different counts; one that cannot be stored is refused with an error, never mistaken",
		func(ctx context.Context, p *probe, s auth.Counters) {
			for _, key := range append(oddStrings(), longStrings()...) {
				got, err := s.Take(ctx, []auth.Bucket{capped(key, 1)}, start)
				if err != nil && mayRefuse(key) {
					continue
				}
				p.ok(fmt.Sprintf("Take of %q", key), err)
				equal(p, fmt.Sprintf("Take of %q", key), got, auth.Taken{OK: true})
			}
		},
	},
}
