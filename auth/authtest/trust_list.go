package authtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/session"
)

// trustAccountRules are about the devices as their owner sees them.
var trustAccountRules = []rule[session.TrustStore]{
	{
		"the list is of what counts",
		"the account's records of exactly this epoch are listed that expire after now, to the millisecond, and no others",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b, short := shelf{ctx, p, s}, trustIn("a1", "short")
			short.ExpiresAt, short.SeenAt = at(time.Minute), at(-tick)
			b.puts(trustIn("a1", "d1"), short, trustIn("a2", "d1"))
			b.lists("a1", 1, at(time.Minute-tick), "a1-d1", "a1-short")
			b.lists("a1", 1, at(time.Minute), "a1-d1")
			b.lists("a1", 1, at(time.Hour))
			b.lists("a1", 0, start)
			b.lists("a1", 2, start)
			b.lists("a3", 1, start)
		},
	},
	{
		"the list begins with what was used last",
		"the device that was seen last comes first, and of very many only limit are listed",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b := shelf{ctx, p, s}
			for i, device := range []string{"d1", "d2", "d3"} {
				r := trustIn("a1", device)
				r.SeenAt = at(time.Duration(i%2) * time.Second).Add(time.Duration(i) * tick)
				b.puts(r)
			}
			b.lists("a1", 1, start, "a1-d2", "a1-d3", "a1-d1")
			for limit, want := range []int{0, 1, 2, 3, 3} {
				list, err := s.ListTrust(ctx, "a1", 1, start, limit)
				p.ok("ListTrust", err)
				equal(p, fmt.Sprintf("listed with limit %d", limit), len(list), want)
			}
		},
	},
	{
		"a device is renamed",
		"the name changes and nothing else, and can be taken away; the id of another account's device, or of none, is ErrNotFound",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b, r := shelf{ctx, p, s}, trustIn("a1", "d1")
			b.puts(r, trustIn("a2", "d2"))
			for _, r.Name = range []string{"Ann's laptop", "", "\u2603"} {
				p.ok("RenameTrust", s.RenameTrust(ctx, "a1", r.ID, r.Name))
				b.finds(r)
			}
			p.is("RenameTrust of another account's", s.RenameTrust(ctx, "a1", "a2-d2", "mine"), auth.ErrNotFound)
			p.is("RenameTrust of none", s.RenameTrust(ctx, "a1", "a1-d9", "mine"), auth.ErrNotFound)
			b.finds(trustIn("a2", "d2"))
		},
	},
	{
		"removed trust is gone",
		"a removed record is not found by its device either; the id of another account's device, or of none, is ErrNotFound and ends nothing",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b := shelf{ctx, p, s}
			b.puts(trustIn("a1", "d1"), trustIn("a1", "d2"), trustIn("a2", "d1"))
			p.is("RemoveTrust of another account's", s.RemoveTrust(ctx, "a1", "a2-d1"), auth.ErrNotFound)
			p.ok("RemoveTrust", s.RemoveTrust(ctx, "a1", "a1-d1"))
			p.is("RemoveTrust again", s.RemoveTrust(ctx, "a1", "a1-d1"), auth.ErrNotFound)
			b.findsNo("a1", "d1")
			b.finds(trustIn("a1", "d2"))
			b.finds(trustIn("a2", "d1"))
			p.is("RestampTrust of a removed one", s.RestampTrust(ctx, "a1", deviceOf("d1"), 1, 2), auth.ErrNotFound)
		},
	},
	{
		"all trust is removed",
		"all records of the account go, of whatever epoch, and no others; an account without any is no error",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b := shelf{ctx, p, s}
			b.puts(trustIn("a1", "d1"), trustIn("a1", "d2"), trustIn("a2", "d1"))
			p.ok("RestampTrust", s.RestampTrust(ctx, "a1", deviceOf("d2"), 1, 2))
			for range 2 {
				p.ok("RemoveAllTrust", s.RemoveAllTrust(ctx, "a1"))
				b.findsNo("a1", "d1")
				b.findsNo("a1", "d2")
				b.finds(trustIn("a2", "d1"))
			}
		},
	},
	{
		"a sweep deletes expired trust",
		"records that expired by now go, the one that expires now included, and no others; at most limit at once, and the count is told",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b := shelf{ctx, p, s}
			for i := range 6 {
				r := trustIn(fmt.Sprint("a", i%2), fmt.Sprint("d", i))
				r.ExpiresAt = at(time.Duration(i) * tick)
				b.p.ok("PutTrust", s.PutTrust(ctx, r, start.Add(-time.Hour), 50))
			}
			for _, step := range []struct{ limit, want int }{{0, 0}, {2, 2}, {2, 2}, {2, 0}} {
				n, err := s.SweepTrust(ctx, at(3*tick), step.limit)
				p.ok("SweepTrust", err)
				equal(p, fmt.Sprintf("swept with limit %d", step.limit), n, step.want)
			}
			b.lists("a0", 1, start, "a0-d4")
			b.lists("a1", 1, start, "a1-d5")
			b.findsNo("a1", "d3")
		},
	},
	{
		"names of trust are opaque",
		"accounts, ids and names that differ in a byte are different; one that cannot be stored is refused, never mistaken",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b := shelf{ctx, p, s}
			var stored []session.TrustRecord
			for _, odd := range oddStrings() {
				r := trustIn(odd, "d1")
				r.ID, r.Name, r.UserAgent = odd, odd, odd
				if err := s.PutTrust(ctx, r, start, 50); err == nil {
					stored = append(stored, r)
				} else if !mayRefuse(odd) {
					p.failf("PutTrust(%q): %v", odd, err)
				}
			}
			for _, r := range stored {
				b.finds(r)
			}
			for i, r := range stored {
				if i%2 == 0 {
					p.ok("RemoveTrust", s.RemoveTrust(ctx, r.Account, r.ID))
				}
			}
			for i, r := range stored {
				if i%2 == 1 {
					b.finds(r)
				}
			}
		},
	},
	{
		"trust under a done context stays",
		"with a context that is done every method returns an error and leaves the store as it was",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b, r, done := shelf{ctx, p, s}, trustIn("a1", "d1"), cancelled(ctx)
			b.puts(r)
			_, find := s.FindTrust(done, "a1", r.Device)
			_, list := s.ListTrust(done, "a1", 1, start, 100)
			_, sweep := s.SweepTrust(done, at(2*time.Hour), 100)
			for what, err := range map[string]error{
				"FindTrust": find, "ListTrust": list, "SweepTrust": sweep, "PutTrust": s.PutTrust(done, trustIn("a1", "d2"), start, 1),
				"TouchTrust":   s.TouchTrust(done, "a1", r.Device, 1, at(time.Minute)),
				"RestampTrust": s.RestampTrust(done, "a1", r.Device, 1, 2), "RenameTrust": s.RenameTrust(done, "a1", r.ID, "x"),
				"RemoveTrust": s.RemoveTrust(done, "a1", r.ID), "RemoveAllTrust": s.RemoveAllTrust(done, "a1"),
			} {
				p.fails(what, err)
				if errors.Is(err, auth.ErrNotFound) || errors.Is(err, auth.ErrStale) {
					p.failf("%s: got %v for trust that is there", what, err)
				}
			}
			b.finds(r)
			b.findsNo("a1", "d2")
		},
	},
}
