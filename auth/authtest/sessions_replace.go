package authtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// replaceRules are about sessions that end because another one begins.
var replaceRules = []rule[session.Store]{
	{
		"the replaced session ends",
		"with the new session the one it replaces is gone, and no other",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1), signIn("a1", 2))
			p.ok("CreateSession", b.create(signIn("a1", 3), opened, session.CreateOptions{Replaces: "a1-s1"}))
			b.findsNone(signIn("a1", 1))
			b.finds(signIn("a1", 2), opened)
			b.finds(signIn("a1", 3), opened)
		},
	},
	{
		"a failed creation ends nothing",
		"if the session is not created, for whatever reason, the one it would have replaced lives on",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1), signIn("a1", 2))
			taken := signIn("a1", 3)
			taken.ID = "a1-s2"
			p.is("CreateSession", b.create(taken, opened, session.CreateOptions{Replaces: "a1-s1"}), auth.ErrTaken)
			p.is("CreateSession", b.create(signIn("a1", 3), opened, session.CreateOptions{Replaces: "a1-s1", Limit: 1}), auth.ErrLimit)
			b.aligns("a1", standing(flow.Active, 2, 1), standing(flow.Active, 2, 1))
			p.is("CreateSession", b.create(signIn("a1", 3), opened, session.CreateOptions{Replaces: "a1-s1"}), auth.ErrStale)
			b.finds(signIn("a1", 1), standing(flow.Active, 2, 1))
			b.finds(signIn("a1", 2), standing(flow.Active, 2, 1))
		},
	},
	{
		"a session that is gone is not replaced",
		"an unknown Replaces is ErrStale and nothing changes: a step-up must not outlive the sign-out of its session",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1))
			p.is("CreateSession", b.create(signIn("a1", 3), standing(flow.Active, 2, 2), session.CreateOptions{Replaces: "a1-s2"}), auth.ErrStale)
			p.is("CreateSession", b.create(signIn("a2", 3), opened, session.CreateOptions{Replaces: "a2-s2"}), auth.ErrStale)
			b.findsNone(signIn("a1", 3))
			b.findsNone(signIn("a2", 3))
			b.stands("a1", opened)
		},
	},
	{
		"a dead session is not replaced",
		"one that expired, or is of an older epoch, counts as gone: whether it was swept yet must make no difference",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1))
			o := session.CreateOptions{Replaces: "a1-s1", Now: at(time.Hour)}
			p.is("CreateSession", b.create(signIn("a1", 2), opened, o), auth.ErrStale)
			b.aligns("a1", standing(flow.Active, 1, 2), standing(flow.Active, 1, 2))
			o.Now = start
			p.is("CreateSession", b.create(signIn("a1", 2), standing(flow.Active, 1, 2), o), auth.ErrStale)
			b.findsNone(signIn("a1", 2))
		},
	},
	{
		"no one else's session is replaced",
		"a session of another account is unknown here, and stays",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1), signIn("a2", 1))
			p.is("CreateSession", b.create(signIn("a1", 2), opened, session.CreateOptions{Replaces: "a2-s1"}), auth.ErrStale)
			b.finds(signIn("a2", 1), opened)
			b.findsNone(signIn("a1", 2))
		},
	},
	{
		"one replacement wins",
		"of sessions that replace the same one at once one comes into being",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 100))
			p.oneWon("CreateSession", race(racers, func(i int) error {
				return b.create(signIn("a1", i), opened, session.CreateOptions{Replaces: "a1-s100"})
			}), auth.ErrStale)
			b.findsNone(signIn("a1", 100))
		},
	},
	{
		"the limit refuses",
		"where as many live sessions are there as may be, one more is ErrLimit and nothing changes",
		func(ctx context.Context, p *probe, s session.Store) {
			b, o := book{ctx, p, s}, session.CreateOptions{Limit: 2}
			p.ok("CreateSession", b.create(signIn("a1", 1), opened, o))
			p.ok("CreateSession", b.create(signIn("a1", 2), opened, o))
			p.is("CreateSession", b.create(signIn("a1", 3), opened, o), auth.ErrLimit)
			p.is("CreateSession", b.create(signIn("a1", 3), standing(flow.Active, 2, 1), o), auth.ErrLimit)
			b.findsNone(signIn("a1", 3))
			b.finds(signIn("a1", 1), opened)
			b.finds(signIn("a1", 2), opened)
			p.ok("CreateSession of another account", b.create(signIn("a2", 1), opened, o))
			p.ok("CreateSession without a limit", b.create(signIn("a1", 4), opened, session.CreateOptions{}))
		},
	},
	{
		"the limit is of the living",
		"expired sessions (at the very moment too), those of older epochs and the replaced one do not count",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			short := signIn("a1", 1)
			short.ExpiresAt = at(time.Minute)
			b.adds(short)
			o := session.CreateOptions{Limit: 1, Now: at(time.Minute - tick)}
			p.is("CreateSession", b.create(signIn("a1", 2), opened, o), auth.ErrLimit)
			o.Now = at(time.Minute)
			p.ok("CreateSession when the other one expires", b.create(signIn("a1", 2), opened, o))
			o.Replaces = "a1-s2"
			p.ok("CreateSession in place of the other one", b.create(signIn("a1", 3), opened, o))
			o.Replaces = ""
			p.ok("CreateSession of a new epoch", b.create(signIn("a1", 4), standing(flow.Active, 1, 2), o))
			b.lists("a1", start, "a1-s4")
		},
	},
	{
		"the oldest makes room",
		"with Evict the live session that was created first ends, not the one seen first, and no other",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			for n, created := range []time.Duration{3, 1, 2} {
				r := signIn("a1", n)
				r.CreatedAt, r.SeenAt = at(created*tick), at(-created*tick)
				b.adds(r)
			}
			b.adds(signIn("a2", 1))
			last := signIn("a1", 3)
			last.SeenAt = start
			p.ok("CreateSession", b.create(last, opened, session.CreateOptions{Limit: 3, Evict: true}))
			b.findsNone(signIn("a1", 1))
			b.lists("a1", start, "a1-s3", "a1-s2", "a1-s0")
			b.finds(signIn("a2", 1), opened)
		},
	},
	{
		"a lower limit holds at once",
		"Limit is the most live sessions there may be: if there are more, as many end as it takes",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			for n := range 4 {
				r := signIn("a1", n)
				r.CreatedAt, r.SeenAt = at(time.Duration(n)*tick), at(time.Duration(n)*tick)
				b.adds(r)
			}
			last := signIn("a1", 4)
			last.SeenAt = at(time.Second)
			p.ok("CreateSession", b.create(last, opened, session.CreateOptions{Limit: 2, Evict: true}))
			b.lists("a1", start, "a1-s4", "a1-s3")
		},
	},
	{
		"the limit holds at once",
		"of sessions created at once where one more may be, one comes into being",
		func(ctx context.Context, p *probe, s session.Store) {
			b, o := book{ctx, p, s}, session.CreateOptions{Limit: 2}
			b.adds(signIn("a1", 100))
			p.oneWon("CreateSession", race(racers, func(i int) error { return b.create(signIn("a1", i), opened, o) }), auth.ErrLimit)
		},
	},
	{
		"evictions at once",
		"sessions that make room for each other at once leave as many as may be",
		func(ctx context.Context, p *probe, s session.Store) {
			b, o := book{ctx, p, s}, session.CreateOptions{Limit: 3, Evict: true}
			for _, err := range race(racers, func(i int) error { return b.create(signIn("a1", i), opened, o) }) {
				p.ok("CreateSession", err)
			}
			list, err := s.ListSessions(ctx, "a1", start, most)
			p.ok("ListSessions", err)
			equal(p, "live sessions", len(list), 3)
		},
	},
}

// tokenRules are about single sessions that are there.
var tokenRules = []rule[session.Store]{
	{
		"a touch moves the session on",
		"SeenAt and ExpiresAt are set, and nothing else changes",
		func(ctx context.Context, p *probe, s session.Store) {
			b, want := book{ctx, p, s}, full("a1", 1)
			b.adds(want, signIn("a1", 2))
			want.SeenAt, want.ExpiresAt = at(5*time.Minute+tick), at(9*time.Hour+tick)
			p.ok("TouchSession", s.TouchSession(ctx, want.Hash, want.SeenAt, want.ExpiresAt))
			b.finds(want, opened)
			want.ExpiresAt = at(10 * time.Hour)
			p.ok("TouchSession at the same time", s.TouchSession(ctx, want.Hash, want.SeenAt, want.ExpiresAt))
			b.finds(want, opened)
			b.finds(signIn("a1", 2), opened)
		},
	},
	{
		"a touch does not move back",
		"if the session was seen later nothing changes: a request that was slow shortens no session",
		func(ctx context.Context, p *probe, s session.Store) {
			b, want := book{ctx, p, s}, full("a1", 1)
			b.adds(want)
			p.ok("TouchSession", s.TouchSession(ctx, want.Hash, want.SeenAt.Add(-tick), at(time.Minute)))
			b.finds(want, opened)
		},
	},
	{
		"an ended session is gone",
		"it is not found any more, and ending it again is ErrNotFound",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1), signIn("a1", 2))
			p.ok("EndSession", s.EndSession(ctx, "a1", "a1-s1"))
			b.findsNone(signIn("a1", 1))
			b.lists("a1", start, "a1-s2")
			p.is("EndSession again", s.EndSession(ctx, "a1", "a1-s1"), auth.ErrNotFound)
			p.ok("TouchSession of an ended one", s.TouchSession(ctx, signIn("a1", 1).Hash, at(time.Minute), at(time.Hour)))
			b.findsNone(signIn("a1", 1))
			b.finds(signIn("a1", 2), opened)
		},
	},
	{
		"no one else's session is ended",
		"a session of another account is ErrNotFound here, and stays",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1), signIn("a2", 1))
			p.is("EndSession", s.EndSession(ctx, "a1", "a2-s1"), auth.ErrNotFound)
			p.is("EndSession", s.EndSession(ctx, "", "a2-s1"), auth.ErrNotFound)
			b.finds(signIn("a2", 1), opened)
		},
	},
	{
		"one end wins",
		"of ends made at once one finds the session",
		func(ctx context.Context, p *probe, s session.Store) {
			book{ctx, p, s}.adds(signIn("a1", 1))
			p.oneWon("EndSession", race(racers, func(int) error { return s.EndSession(ctx, "a1", "a1-s1") }), auth.ErrNotFound)
		},
	},
	{
		"proofs given are copied",
		"a caller that goes on writing to the proofs it gave does not write into the store",
		func(ctx context.Context, p *probe, s session.Store) {
			b, r := book{ctx, p, s}, full("a1", 1)
			b.adds(r)
			clear(r.Proofs)
			b.finds(full("a1", 1), opened)
		},
	},
	{
		"proofs returned are copied",
		"a caller that writes to the proofs it got does not write into the store",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(full("a1", 1))
			got, _, err := s.FindSession(ctx, full("a1", 1).Hash)
			p.ok("FindSession", err)
			clear(got.Proofs)
			list, err := s.ListSessions(ctx, "a1", start, most)
			p.ok("ListSessions", err)
			for _, r := range list {
				same(p, "ListSessions", r, full("a1", 1))
				clear(r.Proofs)
			}
			b.finds(full("a1", 1), opened)
		},
	},
	{
		"the list is of the living",
		"it has the account's sessions that expire after now, the last seen first, each of them whole",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			for n, seen := range []time.Duration{2, 4, 1, 3} {
				r := full("a1", n)
				r.SeenAt, r.ExpiresAt = at(seen*tick), at(time.Hour+time.Duration(n)*tick)
				b.adds(r)
			}
			b.adds(signIn("a2", 1))
			b.lists("a1", start, "a1-s1", "a1-s3", "a1-s0", "a1-s2")
			b.lists("a1", at(time.Hour), "a1-s1", "a1-s3", "a1-s2")
			b.lists("a1", at(time.Hour+3*tick))
			list, err := s.ListSessions(ctx, "a1", at(time.Hour+2*tick), most)
			p.ok("ListSessions", err)
			want := full("a1", 3)
			want.SeenAt, want.ExpiresAt = at(3*tick), at(time.Hour+3*tick)
			for _, r := range list {
				same(p, "ListSessions", r, want)
			}
			equal(p, "live sessions", len(list), 1)
		},
	},
	{
		"the list keeps to its limit",
		"it has at most limit sessions, those that were seen last, and the dead take no place in it: a page of sessions costs a page",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			for n := range 6 {
				b.adds(signIn("a1", n))
			}
			expired := signIn("a1", 6)
			expired.SeenAt, expired.ExpiresAt = at(tick), start
			b.adds(expired)
			for limit, want := range map[int][]string{
				-1: {}, 0: {}, 1: {"a1-s0"}, 3: {"a1-s0", "a1-s1", "a1-s2"}, 7: {"a1-s0", "a1-s1", "a1-s2", "a1-s3", "a1-s4", "a1-s5"},
			} {
				list, err := s.ListSessions(ctx, "a1", start, limit)
				p.ok("ListSessions", err)
				got := []string{}
				for _, r := range list {
					got = append(got, r.ID)
				}
				equal(p, fmt.Sprintf("ListSessions with limit %d", limit), got, want)
			}
		},
	},
	{
		"a done context changes nothing",
		"with a context that is done every method returns an error and leaves the store as it was",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1))
			done, one := cancelled(ctx), signIn("a1", 1)
			_, _, find := s.FindSession(done, one.Hash)
			_, list := s.ListSessions(done, "a1", start, most)
			_, align := s.AlignStanding(done, "a1", standing(flow.Locked, 2, 2))
			raise := s.RaiseStanding(done, "a1", opened, standing(flow.Active, 2, 2), "a1-s1")
			_, sweep := s.SweepSessions(done, at(2*time.Hour), 100)
			for what, err := range map[string]error{
				"FindSession": find, "ListSessions": list, "AlignStanding": align, "RaiseStanding": raise, "SweepSessions": sweep,
				"CreateSession": book{done, p, s}.create(signIn("a1", 2), opened, session.CreateOptions{Replaces: "a1-s1"}),
				"TouchSession":  s.TouchSession(done, one.Hash, at(time.Minute), at(2*time.Hour)),
				"EndSession":    s.EndSession(done, "a1", "a1-s1"),
			} {
				p.fails(what, err)
			}
			if errors.Is(find, auth.ErrNotFound) {
				p.failf("FindSession: got ErrNotFound for a session that is there")
			}
			b.finds(one, opened)
			b.findsNone(signIn("a1", 2))
		},
	},
}
