package authtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// raiseRules are about a standing that rises from one that somebody saw, and the session that goes on.
var raiseRules = []rule[session.Store]{
	{
		"a raise sets the standing",
		"the standing becomes the given one, which ends the sessions of the older epoch, and those of other accounts stay",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1), signIn("a2", 1))
			b.raises("a1", opened, standing(flow.Locked, 2, 3), "")
			b.finds(signIn("a1", 1), standing(flow.Locked, 2, 3))
			b.lists("a1", start)
			b.finds(signIn("a2", 1), opened)
			b.lists("a2", start, "a2-s1")
			b.raises("a1", standing(flow.Locked, 2, 3), standing(flow.Active, 2, 4), "")
			b.stands("a1", standing(flow.Active, 2, 4))
		},
	},
	{
		"an unknown account is raised",
		"an account of which nothing is known counts as standing at from, and is remembered: it may be in the middle of its first sign-in",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.raises("a1", opened, standing(flow.Disabled, 2, 2), "")
			b.stands("a1", standing(flow.Disabled, 2, 2))
			p.is("CreateSession", b.create(signIn("a1", 1), opened, session.CreateOptions{}), auth.ErrStale)
			b.aligns("a2", auth.Standing{}, auth.Standing{}) // which tells nothing
			b.raises("a2", standing(flow.Active, 7, 3), standing(flow.Active, 8, 4), "")
			b.stands("a2", standing(flow.Active, 8, 4))
		},
	},
	{
		"a raise from another standing is stale",
		"if the known standing differs from the one that was seen, in the status or in an epoch, lower or higher, it is ErrStale and nothing changes",
		func(ctx context.Context, p *probe, s session.Store) {
			b, known := book{ctx, p, s}, standing(flow.Active, 5, 5)
			r := signIn("a1", 1)
			r.Epoch = 5
			p.ok("CreateSession", b.create(r, known, session.CreateOptions{}))
			for _, from := range []auth.Standing{
				standing(flow.Locked, 5, 5), standing(flow.Active, 4, 5), standing(flow.Active, 6, 5),
				standing(flow.Active, 5, 4), standing(flow.Active, 5, 6), {},
			} {
				b.stale("a1", from, standing(flow.Disabled, 9, 9), "")
				b.stale("a1", from, standing(flow.Disabled, 9, 9), r.ID)
			}
			b.finds(r, known)
			b.lists("a1", start, r.ID)
		},
	},
	{
		"a raise lowers nothing",
		"a lower epoch in to, or none that is higher, is an error that is not ErrStale, and nothing changes: else ended sessions come back to life",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1))
			b.raises("a1", opened, standing(flow.Active, 5, 5), "")
			known := standing(flow.Active, 5, 5)
			for _, to := range []auth.Standing{
				standing(flow.Active, 4, 6), standing(flow.Active, 6, 4), standing(flow.Active, 9, 1),
				standing(flow.Active, 5, 5), standing(flow.Locked, 5, 5), {},
			} {
				for _, account := range []string{"a1", "a2"} {
					err := s.RaiseStanding(ctx, account, known, to, "")
					p.fails(fmt.Sprintf("RaiseStanding to %+v", to), err)
					if errors.Is(err, auth.ErrStale) {
						p.failf("RaiseStanding to %+v: got ErrStale, which asks the caller to look again", to)
					}
				}
			}
			b.finds(signIn("a1", 1), known)
			b.lists("a1", start)
			b.adds(signIn("a2", 1)) // nothing was learned of this one
		},
	},
	{
		"a raise of the security epoch ends none",
		"a raise that leaves the session epoch as it is leaves the sessions alive, the one in keep and the others",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1), signIn("a1", 2))
			b.raises("a1", opened, standing(flow.Active, 9, 1), "a1-s1")
			b.finds(signIn("a1", 1), standing(flow.Active, 9, 1))
			b.lists("a1", start, "a1-s1", "a1-s2")
		},
	},
	{
		"the kept session goes on",
		"the session named by keep moves to the new epoch, and nothing else about it changes; all others end",
		func(ctx context.Context, p *probe, s session.Store) {
			b, want := book{ctx, p, s}, full("a1", 1)
			b.adds(want, signIn("a1", 2))
			b.raises("a1", opened, standing(flow.Active, 2, 2), want.ID)
			want.Epoch = 2
			b.finds(want, standing(flow.Active, 2, 2))
			b.lists("a1", start, want.ID)
			b.raises("a1", standing(flow.Active, 2, 2), standing(flow.Active, 2, 9), want.ID)
			want.Epoch = 9
			b.finds(want, standing(flow.Active, 2, 9))
		},
	},
	{
		"a session that is gone is not kept",
		"a keep that names no session is ErrStale and nothing changes: who was signed out meanwhile must not sign out the others",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1), signIn("a1", 2))
			p.ok("EndSession", s.EndSession(ctx, "a1", "a1-s1"))
			b.stale("a1", opened, standing(flow.Disabled, 2, 2), "a1-s1")
			b.stale("a1", opened, standing(flow.Disabled, 2, 2), "nothing")
			b.finds(signIn("a1", 2), opened)
			b.lists("a1", start, "a1-s2")
			b.stale("a2", opened, standing(flow.Disabled, 2, 2), "nothing")
			b.adds(signIn("a2", 1)) // nothing was learned of an account without sessions
		},
	},
	{
		"a dead session is not kept",
		"a session that ended with an earlier epoch does not come back by being kept, but is ErrStale, and nothing changes",
		func(ctx context.Context, p *probe, s session.Store) {
			b, known := book{ctx, p, s}, standing(flow.Active, 2, 2)
			b.adds(signIn("a1", 1))
			b.aligns("a1", known, known)
			b.stale("a1", known, standing(flow.Active, 3, 3), "a1-s1")
			b.stale("a1", known, standing(flow.Active, 3, 2), "a1-s1")
			b.finds(signIn("a1", 1), known)
			b.lists("a1", start)
		},
	},
	{
		"no one else's session is kept",
		"a session of another account is unknown here, and is not touched",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1), signIn("a2", 1))
			b.stale("a1", opened, standing(flow.Active, 2, 2), "a2-s1")
			b.finds(signIn("a1", 1), opened)
			b.finds(signIn("a2", 1), opened)
		},
	},
	{
		"one raise wins",
		"of raises made at once from one standing one wins, and its session alone lives: a thief who ends all others must not stay beside the owner who does",
		func(ctx context.Context, p *probe, s session.Store) {
			b, raised := book{ctx, p, s}, standing(flow.Active, 1, 2)
			for n := range racers {
				b.adds(signIn("a1", n))
			}
			errs := race(racers, func(i int) error { return s.RaiseStanding(ctx, "a1", opened, raised, signIn("a1", i).ID) })
			p.oneWon("RaiseStanding", errs, auth.ErrStale)
			winner := []string{}
			for i, err := range errs {
				if err == nil {
					winner = append(winner, signIn("a1", i).ID)
				}
			}
			b.lists("a1", start, winner...)
			b.stands("a1", raised)
		},
	},
}
