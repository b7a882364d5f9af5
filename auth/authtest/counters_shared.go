package authtest

import (
	"context"
	"errors"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

var errRefused = errors.New("refused")

// takeOnce returns nil for an attempt that passed, and errRefused for one that did not.
func takeOnce(ctx context.Context, s auth.Counters, buckets ...auth.Bucket) error {
	taken, err := s.Take(ctx, buckets, start)
	if err == nil && !taken.OK {
		return errRefused
	}
	return err
}

// countRules are about counts that are shared, given back, reset and swept.
var countRules = []rule[auth.Counters]{
	{
		"the last attempt is one",
		"of 64 attempts made at once where one is left, one passes: parallel guesses must not outrun the count",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, capped("k", 5)
			t.fills(start, 4, b)
			p.oneWon("Take", race(64, func(int) error { return takeOnce(ctx, s, b) }), errRefused)
			t.refuses(start, never, b)
		},
	},
	{
		"buckets in any order",
		"attempts made at once that share buckets, in whatever order they name them, neither block each other nor get lost",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, a, b := taker{ctx, p, s}, capped("a", 2*racers), capped("b", 2*racers)
			for _, err := range race(2*racers, func(i int) error {
				if i%2 == 0 {
					return takeOnce(ctx, s, a, b)
				}
				return takeOnce(ctx, s, b, a)
			}) {
				p.ok("Take", err)
			}
			t.refuses(start, never, a)
			t.refuses(start, never, b)
		},
	},
	{
		"a refund gives one back",
		"it makes room for one attempt in each bucket",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, a, b := taker{ctx, p, s}, capped("a", 3), capped("b", 3)
			t.fills(start, 3, a, b)
			t.refunds(start, a, b)
			t.passes(start, a)
			t.passes(start, b)
			t.refuses(start, never, a)
			t.refuses(start, never, b)
		},
	},
	{
		"a refund stops at zero",
		"refunds that nothing was taken for make no room beyond the cap",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, capped("k", 2)
			t.refunds(start, b)
			t.passes(start, b)
			t.refunds(start, b)
			t.refunds(start, b)
			t.fills(start, 2, b)
			t.refuses(start, never, b)
		},
	},
	{
		"a refund begins no wait",
		"after a refund it is as if the attempt had not been made: who was told to try again at once must be able to",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, delayed("k")
			t.fills(start, 2, b)
			t.passes(at(time.Minute), b)
			t.refunds(at(time.Minute+time.Second), b)
			t.passes(at(time.Minute+time.Second), b)
			t.refuses(at(time.Minute+time.Second), at(3*time.Minute+time.Second), b)
		},
	},
	{
		"a refund lifts no wait",
		"a refunded attempt takes its own wait with it and not that of the attempts before",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, delayed("k")
			t.fills(start, 2, b)
			t.passes(at(time.Minute), b)
			t.passes(at(3*time.Minute), b)
			t.refunds(at(3*time.Minute), b)
			t.refuses(at(3*time.Minute-tick), at(3*time.Minute), b)
		},
	},
	{
		"refunds made at once",
		"no refund is lost",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, a, b := taker{ctx, p, s}, capped("a", racers), capped("b", racers)
			t.fills(start, racers, a, b)
			for _, err := range race(racers, func(i int) error {
				if i%2 == 0 {
					return s.Refund(ctx, []auth.Bucket{a, b}, start)
				}
				return s.Refund(ctx, []auth.Bucket{b, a}, start)
			}) {
				p.ok("Refund", err)
			}
			t.fills(start, racers, a, b)
			t.refuses(start, never, a, b)
		},
	},
	{
		"a reset starts again",
		"the keys that are named start at zero, with no wait left; unknown ones and none at all are no error",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, a, b := taker{ctx, p, s}, delayed("a"), capped("b", 2)
			t.fills(start, 2, a, b)
			p.ok("Reset", s.Reset(ctx))
			t.refuses(start, at(time.Minute), a)
			p.ok("Reset", s.Reset(ctx, "a", "unknown", "b"))
			t.fills(start, 2, a, b)
			t.refuses(start, at(time.Minute), a)
			t.refuses(start, never, b)
		},
	},
	{
		"a reset is of its keys",
		"keys that are not named keep their counts",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t := taker{ctx, p, s}
			for _, key := range []string{"a", "ab", "A", "a%"} {
				t.passes(start, capped(key, 1))
			}
			p.ok("Reset", s.Reset(ctx, "a", "%", "_", ""))
			t.passes(start, capped("a", 1))
			for _, key := range []string{"ab", "A", "a%"} {
				t.refuses(start, never, capped(key, 1))
			}
		},
	},
	{
		"a sweep deletes what is forgotten",
		"counts that are forgotten by now go, and their number is told; those that still bind stay",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, old, new := taker{ctx, p, s}, capped("old", 1), capped("new", 1)
			t.passes(start, old)
			t.passes(at(tick), new)
			t.sweeps(at(old.Forget-tick), 100, 0)
			t.refuses(at(old.Forget-tick), never, old)
			t.sweeps(at(old.Forget), 100, 1)
			t.refuses(at(old.Forget), never, new)
			t.passes(at(old.Forget), old)
		},
	},
	{
		"a later attempt puts the sweep off",
		"a count is forgotten Forget after its latest attempt, for the sweep too",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, capped("k", 2)
			t.passes(start, b)
			t.passes(at(time.Hour), b)
			t.sweeps(at(time.Hour+b.Forget-tick), 100, 0)
			t.refuses(at(time.Hour+b.Forget-tick), never, b)
			t.sweeps(at(time.Hour+b.Forget), 100, 1)
		},
	},
	{
		"a sweep keeps to its limit",
		"a sweep deletes at most limit counts, and another one deletes the rest",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t := taker{ctx, p, s}
			for _, key := range []string{"a", "b", "c", "d", "e"} {
				t.passes(start, capped(key, 1))
			}
			for _, step := range []struct{ limit, want int }{{0, 0}, {2, 2}, {2, 2}, {2, 1}, {2, 0}} {
				t.sweeps(at(48*time.Hour), step.limit, step.want)
			}
		},
	},
	{
		"a done context changes nothing",
		"with a context that is done every method returns an error and leaves the counts as they were",
		func(ctx context.Context, p *probe, s auth.Counters) {
			t, b := taker{ctx, p, s}, capped("k", 2)
			t.passes(start, b)
			done := cancelled(ctx)
			taken, err := s.Take(done, []auth.Bucket{b}, start)
			p.fails("Take", err)
			equal(p, "Take", taken.OK, false)
			p.fails("Refund", s.Refund(done, []auth.Bucket{b}, start))
			p.fails("Reset", s.Reset(done, "k"))
			_, err = s.SweepCounters(done, at(48*time.Hour), 100)
			p.fails("SweepCounters", err)
			t.passes(start, b)
			t.refuses(start, never, b)
		},
	},
}
