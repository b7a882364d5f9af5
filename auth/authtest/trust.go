package authtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// RunTrust checks the contract of session.TrustStore, a subtest and a fresh, empty store for each rule.
func RunTrust(t *testing.T, open func(t *testing.T) session.TrustStore) {
	t.Helper()
	run(t, trustRules(), open)
}

// CheckTrust checks the contract of session.TrustStore outside a test. It calls open for each rule, which must
// return an empty store, and returns every rule that is broken.
func CheckTrust(ctx context.Context, open func() (session.TrustStore, error)) error {
	return check(ctx, trustRules(), open)
}

func trustRules() []rule[session.TrustStore] {
	return slices.Concat(trustPutRules, trustDeviceRules, trustAccountRules)
}

func deviceOf(name string) [32]byte { return sha256.Sum256([]byte(name)) }

// trustIn returns the trust of an account in a device, of epoch 1. It expires after an hour.
func trustIn(account, device string) session.TrustRecord {
	return session.TrustRecord{
		ID: account + "-" + device, Account: account, Device: deviceOf(device), Epoch: 1, Assurance: flow.AAL1,
		CreatedAt: start, SeenAt: start, ExpiresAt: at(time.Hour),
	}
}

// shelf is a store under a check.
type shelf struct {
	ctx context.Context
	p   *probe
	s   session.TrustStore
}

func (b shelf) puts(records ...session.TrustRecord) {
	for _, r := range records {
		b.p.ok(fmt.Sprintf("PutTrust(%q)", r.ID), b.s.PutTrust(b.ctx, r, start, 50))
	}
}

func (b shelf) finds(want session.TrustRecord) {
	got, err := b.s.FindTrust(b.ctx, want.Account, want.Device)
	b.p.ok("FindTrust", err)
	equal(b.p, fmt.Sprintf("FindTrust of %q", want.ID), got, want)
}

func (b shelf) findsNo(account, device string) {
	_, err := b.s.FindTrust(b.ctx, account, deviceOf(device))
	b.p.is(fmt.Sprintf("FindTrust(%q, %q)", account, device), err, auth.ErrNotFound)
}

func (b shelf) lists(account string, epoch uint64, now time.Time, want ...string) {
	list, err := b.s.ListTrust(b.ctx, account, epoch, now, 100)
	b.p.ok("ListTrust", err)
	var got []string
	for _, r := range list {
		got = append(got, r.ID)
	}
	equal(b.p, fmt.Sprintf("ListTrust(%q, epoch %d) at %s", account, epoch, now.Sub(start)), got, want)
}

// trustPutRules are about trust that is given.
var trustPutRules = []rule[session.TrustStore]{
	{
		"unknown trust is not found",
		"a device that the account does not trust is ErrNotFound, not an empty record, which could pass for trust",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b := shelf{ctx, p, s}
			b.findsNo("a1", "d1")
			b.puts(trustIn("a1", "d1"))
			b.findsNo("a1", "d2")
			b.findsNo("a2", "d1") // the same device, trusted by somebody else
		},
	},
	{
		"put trust is found whole",
		"a record comes back with every field as given, times in UTC to the millisecond",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b, full := shelf{ctx, p, s}, trustIn("a1", "d1")
			full.Name, full.UserAgent, full.Assurance, full.Epoch = "Ann's laptop \u2603", "Firefox/140", flow.AAL2, 7
			full.CreatedAt, full.SeenAt, full.ExpiresAt = at(tick), at(2*tick), at(30*24*time.Hour+3*tick)
			b.puts(full, trustIn("a2", "d1"))
			b.finds(full)
			b.finds(trustIn("a2", "d1"))
			list, err := s.ListTrust(ctx, "a1", 7, start, 100)
			p.ok("ListTrust", err)
			equal(p, "ListTrust", list, []session.TrustRecord{full})
		},
	},
	{
		"a device is trusted once",
		"a record takes the place of the one of the same account and device, and of no other; its id is of no use any more",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b, again := shelf{ctx, p, s}, trustIn("a1", "d1")
			b.puts(trustIn("a1", "d1"), trustIn("a1", "d2"), trustIn("a2", "d1"))
			again.ID, again.Assurance, again.UserAgent, again.SeenAt, again.ExpiresAt = "again", flow.AAL2, "Other/1", at(tick), at(2*time.Hour)
			b.puts(again)
			b.finds(again)
			b.finds(trustIn("a1", "d2"))
			b.finds(trustIn("a2", "d1"))
			b.lists("a1", 1, start, "again", "a1-d2")
			p.is("RemoveTrust of the replaced one", s.RemoveTrust(ctx, "a1", "a1-d1"), auth.ErrNotFound)
		},
	},
	{
		"a name outlasts its record",
		"a record without a name takes over that of the one that it replaces; one with a name keeps its own",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b, first, second := shelf{ctx, p, s}, trustIn("a1", "d1"), trustIn("a1", "d1")
			b.puts(first, trustIn("a1", "d2"))
			p.ok("RenameTrust", s.RenameTrust(ctx, "a1", first.ID, "laptop"))
			second.ID = "second"
			b.puts(second)
			second.Name = "laptop"
			b.finds(second)
			third := second
			third.ID, third.Name = "third", "desk"
			b.puts(third)
			b.finds(third)
			b.finds(trustIn("a1", "d2"))
		},
	},
	{
		"an id names one trust",
		"a record whose id is in use, by another device or account or the one it would replace, is ErrTaken, and nothing changes",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b, one := shelf{ctx, p, s}, trustIn("a1", "d1")
			b.puts(one)
			for _, r := range []session.TrustRecord{trustIn("a1", "d1"), trustIn("a1", "d2"), trustIn("a2", "d3")} {
				r.ID, r.Assurance = one.ID, flow.AAL2
				p.is("PutTrust", s.PutTrust(ctx, r, start, 50), auth.ErrTaken)
			}
			b.finds(one)
			b.findsNo("a1", "d2")
			b.findsNo("a2", "d3")
		},
	},
	{
		"trust of an older epoch is not put",
		"if the account has trust of a higher epoch, for whatever device, it is ErrStale and nothing changes: the sign-in that chose it was ended with all others",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b, later := shelf{ctx, p, s}, trustIn("a1", "d1")
			later.Epoch = 2
			b.puts(later)
			for _, device := range []string{"d1", "d2"} {
				r := trustIn("a1", device)
				r.ID = "late"
				p.is("PutTrust of an older epoch", s.PutTrust(ctx, r, start, 50), auth.ErrStale)
			}
			b.finds(later)
			b.findsNo("a1", "d2")
			b.puts(trustIn("a2", "d1")) // another account's epochs are its own
		},
	},
	{
		"dead trust makes way",
		"records of the account of older epochs, and those that expired by now, to the millisecond, go when one is put; others stay",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b := shelf{ctx, p, s}
			old, expired, living, foreign := trustIn("a1", "old"), trustIn("a1", "expired"), trustIn("a1", "living"), trustIn("a2", "d1")
			expired.Epoch, living.Epoch = 2, 2
			living.ExpiresAt = at(time.Hour + tick)
			b.puts(old, foreign)
			b.puts(expired)
			b.puts(living)
			fresh := trustIn("a1", "fresh")
			fresh.Epoch, fresh.ExpiresAt = 2, at(2*time.Hour)
			p.ok("PutTrust", s.PutTrust(ctx, fresh, at(time.Hour), 50))
			b.findsNo("a1", "old")
			b.findsNo("a1", "expired")
			b.finds(living)
			b.finds(fresh)
			b.finds(foreign)
		},
	},
	{
		"trust keeps to its limit",
		"with the new record, which stays, there are no more than limit; those created first go, and the dead and replaced ones do not count",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b := shelf{ctx, p, s}
			for i := range 4 {
				r := trustIn("a1", fmt.Sprint("d", i))
				r.CreatedAt, r.SeenAt = at(time.Duration(i)*tick), at(time.Duration(9-i)*time.Second)
				p.ok("PutTrust", s.PutTrust(ctx, r, start, 3))
			}
			b.lists("a1", 1, start, "a1-d1", "a1-d2", "a1-d3")
			again := trustIn("a1", "d2")
			again.ID, again.CreatedAt, again.SeenAt = "again", at(time.Minute), at(time.Minute)
			p.ok("PutTrust in the place of another", s.PutTrust(ctx, again, start, 3))
			b.lists("a1", 1, start, "again", "a1-d1", "a1-d3")
			early := trustIn("a1", "early")
			early.CreatedAt, early.SeenAt = at(-time.Hour), at(-time.Hour)
			p.ok("PutTrust of an early one", s.PutTrust(ctx, early, start, 3))
			b.lists("a1", 1, start, "again", "a1-d3", "a1-early")
			b.puts(trustIn("a2", "d1"))
			p.ok("PutTrust of another account", s.PutTrust(ctx, trustIn("a2", "d2"), start, 1))
			b.lists("a2", 1, start, "a2-d2")
			b.lists("a1", 1, start, "again", "a1-d3", "a1-early")
		},
	},
	{
		"one trust of an id wins",
		"of records put at once with one id, for different devices, one comes into being",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b := shelf{ctx, p, s}
			errs := race(racers, func(i int) error {
				r := trustIn("a1", fmt.Sprint("d", i))
				r.ID = "one"
				return s.PutTrust(ctx, r, start, 50)
			})
			p.oneWon("PutTrust", errs, auth.ErrTaken)
			b.lists("a1", 1, start, "one")
		},
	},
	{
		"the limit holds at once",
		"of many records put at once there are never more than limit, and of many for one device there is one",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			for _, put := range []struct {
				account string
				device  func(i int) string
				want    int
			}{{"a1", func(i int) string { return fmt.Sprint("d", i) }, 3}, {"a2", func(int) string { return "d" }, 1}} {
				errs := race(racers, func(i int) error {
					r := trustIn(put.account, put.device(i))
					r.ID = fmt.Sprint(put.account, "-", i)
					return s.PutTrust(ctx, r, start, 3)
				})
				for _, err := range errs {
					p.ok("PutTrust", err)
				}
				list, err := s.ListTrust(ctx, put.account, 1, start, 100)
				p.ok("ListTrust", err)
				equal(p, "trusted devices of "+put.account, len(list), put.want)
			}
		},
	},
}

// trustDeviceRules are about the trust in one device.
var trustDeviceRules = []rule[session.TrustStore]{
	{
		"trust is found whatever became of it",
		"a record is found when it has expired, and of whatever epoch: who asks decides by them",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b, r := shelf{ctx, p, s}, trustIn("a1", "d1")
			r.ExpiresAt, r.Epoch = at(-time.Hour), 9
			b.puts(r)
			b.finds(r)
		},
	},
	{
		"use is recorded",
		"a touch sets when the device was seen and nothing else, never to an earlier time, and only under the record's epoch",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b, r := shelf{ctx, p, s}, trustIn("a1", "d1")
			b.puts(r, trustIn("a1", "d2"), trustIn("a2", "d1"))
			touch := func(epoch uint64, seen time.Time) {
				p.ok("TouchTrust", s.TouchTrust(ctx, "a1", r.Device, epoch, seen))
			}
			touch(1, at(time.Minute))
			r.SeenAt = at(time.Minute)
			b.finds(r)
			touch(1, at(time.Minute-tick))
			touch(2, at(time.Hour))
			touch(0, at(time.Hour))
			b.finds(r)
			b.finds(trustIn("a1", "d2"))
			b.finds(trustIn("a2", "d1"))
		},
	},
	{
		"use makes no trust",
		"a touch of a device that is not trusted is no error and creates nothing",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b := shelf{ctx, p, s}
			p.ok("TouchTrust", s.TouchTrust(ctx, "a1", deviceOf("d1"), 1, start))
			b.findsNo("a1", "d1")
		},
	},
	{
		"restamped trust moves on",
		"the record moves to the new epoch, and nothing else about it changes; the others stay where they are, and are dead",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b, r := shelf{ctx, p, s}, trustIn("a1", "d1")
			r.Name, r.UserAgent = "laptop", "Firefox/140"
			b.puts(r, trustIn("a1", "d2"), trustIn("a2", "d1"))
			p.ok("RestampTrust", s.RestampTrust(ctx, "a1", r.Device, 1, 5))
			r.Epoch = 5
			b.finds(r)
			b.finds(trustIn("a1", "d2"))
			b.finds(trustIn("a2", "d1"))
			b.lists("a1", 5, start, r.ID)
		},
	},
	{
		"trust of another epoch is not restamped",
		"a record that is not of exactly the epoch in from is ErrNotFound and stays: trust that ended does not come back",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b, r := shelf{ctx, p, s}, trustIn("a1", "d1")
			r.Epoch = 5
			b.puts(r)
			for _, from := range []uint64{0, 1, 4, 6} {
				p.is(fmt.Sprintf("RestampTrust from %d of 5", from), s.RestampTrust(ctx, "a1", r.Device, from, 9), auth.ErrNotFound)
			}
			p.is("RestampTrust of an unknown device", s.RestampTrust(ctx, "a1", deviceOf("d2"), 5, 9), auth.ErrNotFound)
			p.is("RestampTrust of another account", s.RestampTrust(ctx, "a2", r.Device, 5, 9), auth.ErrNotFound)
			b.finds(r)
			b.findsNo("a2", "d1")
		},
	},
	{
		"trust moves forward only",
		"a restamp to an epoch that is not higher is an error that is not ErrNotFound, and nothing changes",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b, r := shelf{ctx, p, s}, trustIn("a1", "d1")
			r.Epoch = 5
			b.puts(r)
			for _, to := range []uint64{0, 4, 5} {
				err := s.RestampTrust(ctx, "a1", r.Device, 5, to)
				p.fails(fmt.Sprintf("RestampTrust from 5 to %d", to), err)
				if errors.Is(err, auth.ErrNotFound) {
					p.failf("RestampTrust from 5 to %d: got ErrNotFound, which says that there is no trust", to)
				}
			}
			b.finds(r)
		},
	},
	{
		"one restamp wins",
		"of restamps at once from one epoch one happens: of two who end all others, one keeps a trusted device",
		func(ctx context.Context, p *probe, s session.TrustStore) {
			b, r := shelf{ctx, p, s}, trustIn("a1", "d1")
			b.puts(r)
			errs := race(racers, func(i int) error { return s.RestampTrust(ctx, "a1", r.Device, 1, uint64(i)+2) })
			p.oneWon("RestampTrust", errs, auth.ErrNotFound)
			for i, err := range errs {
				if err == nil {
					r.Epoch = uint64(i) + 2
					b.finds(r)
				}
			}
		},
	},
}
