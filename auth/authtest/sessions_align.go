package authtest

import (
	"context"
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// alignRules are about the account's standing as the sessions learn it.
var alignRules = []rule[session.Store]{
	{
		"a standing is learned",
		"AlignStanding returns the standing as it is then, and FindSession returns it with each session",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1), signIn("a2", 1))
			b.aligns("a1", standing(flow.Locked, 5, 1), standing(flow.Locked, 5, 1))
			b.finds(signIn("a1", 1), standing(flow.Locked, 5, 1))
			b.finds(signIn("a2", 1), opened)
		},
	},
	{
		"a standing is remembered without sessions",
		"an account that never had a session may be in the middle of its first sign-in",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.aligns("a1", standing(flow.Disabled, 2, 2), standing(flow.Disabled, 2, 2))
			b.stands("a1", standing(flow.Disabled, 2, 2))
			p.is("CreateSession", b.create(signIn("a1", 1), opened, session.CreateOptions{}), auth.ErrStale)
		},
	},
	{
		"epochs only rise",
		"each epoch becomes at least the given one, and none is lowered: else ended sessions come back to life",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.aligns("a1", standing(flow.Active, 5, 5), standing(flow.Active, 5, 5))
			b.aligns("a1", standing(flow.Active, 4, 4), standing(flow.Active, 5, 5))
			b.aligns("a1", standing(flow.Active, 6, 4), standing(flow.Active, 6, 5))
			b.aligns("a1", standing(flow.Active, 4, 7), standing(flow.Active, 6, 7))
			b.stands("a1", standing(flow.Active, 6, 7))
		},
	},
	{
		"an older status is no news",
		"with a lower security epoch the status stays: a late message must not reopen an account",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.aligns("a1", standing(flow.Disabled, 5, 5), standing(flow.Disabled, 5, 5))
			b.aligns("a1", standing(flow.Active, 4, 9), standing(flow.Disabled, 5, 9))
			b.aligns("a1", auth.Standing{}, standing(flow.Disabled, 5, 9))
		},
	},
	{
		"a status of the same age is taken over",
		"with the security epoch that is known, or a higher one, the status is the given one",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.aligns("a1", standing(flow.Active, 5, 5), standing(flow.Active, 5, 5))
			b.aligns("a1", standing(flow.Locked, 5, 4), standing(flow.Locked, 5, 5))
			b.aligns("a1", standing(flow.Invited, 6, 5), standing(flow.Invited, 6, 5))
		},
	},
	{
		"standings aligned at once",
		"the highest of each epoch remain",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			for _, err := range race(racers, func(i int) error {
				_, err := s.AlignStanding(ctx, "a1", standing(flow.Active, uint64(2+i), uint64(2+racers-i)))
				return err
			}) {
				p.ok("AlignStanding", err)
			}
			b.stands("a1", standing(flow.Active, 1+racers, 2+racers))
		},
	},
	{
		"a raised session epoch ends sessions",
		"sessions of an older epoch are in no list, however long they would live, and those of other accounts stay",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1), signIn("a1", 2), signIn("a2", 1))
			b.aligns("a1", standing(flow.Active, 1, 2), standing(flow.Active, 1, 2))
			b.lists("a1", start)
			b.lists("a2", start, "a2-s1")
		},
	},
	{
		"a raised security epoch ends none",
		"a change that leaves the session epoch as it is leaves the sessions alive",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1))
			b.aligns("a1", standing(flow.Active, 9, 1), standing(flow.Active, 9, 1))
			b.lists("a1", start, "a1-s1")
		},
	},
}

// sweepRules are about what the sweep deletes.
var sweepRules = []rule[session.Store]{
	{
		"a sweep deletes the dead",
		"sessions that expired by now, the one that expires now included, and those of older epochs go, and no others",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			for n := range 5 {
				r := signIn("a1", n)
				r.ExpiresAt = at(time.Duration(n) * tick)
				b.adds(r)
			}
			b.adds(signIn("a2", 1), signIn("a2", 2), signIn("a3", 1))
			b.raises("a2", opened, standing(flow.Active, 2, 2), "a2-s2")
			b.sweeps(at(2*tick), 100, 4)
			for n := range 3 {
				b.findsNone(signIn("a1", n))
			}
			b.findsNone(signIn("a2", 1))
			b.lists("a1", at(2*tick), "a1-s3", "a1-s4")
			b.lists("a2", start, "a2-s2")
			b.finds(signIn("a3", 1), opened)
		},
	},
	{
		"a sweep keeps to its limit",
		"a sweep deletes at most limit sessions, and another one deletes the rest",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			for n := range 5 {
				b.adds(signIn(fmt.Sprintf("a%d", n%2), n)) // they expire
			}
			for n := range 4 {
				r := signIn("a2", n) // they are of an older epoch
				r.ExpiresAt = at(2 * time.Hour)
				b.adds(r)
			}
			b.aligns("a2", standing(flow.Active, 1, 2), standing(flow.Active, 1, 2))
			for _, step := range []struct{ limit, want int }{{0, 0}, {2, 2}, {2, 2}, {2, 2}, {2, 2}, {2, 1}, {2, 0}} {
				b.sweeps(at(time.Hour), step.limit, step.want)
			}
		},
	},
	{
		"a sweep forgets no standing",
		"when all sessions of an account are gone its epochs still refuse a sign-in that began before",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1))
			b.aligns("a1", standing(flow.Active, 2, 2), standing(flow.Active, 2, 2))
			b.sweeps(start, 100, 1)
			p.is("CreateSession", b.create(signIn("a1", 2), opened, session.CreateOptions{}), auth.ErrStale)
			b.stands("a1", standing(flow.Active, 2, 2))
		},
	},
}
