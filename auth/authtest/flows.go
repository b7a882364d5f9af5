package authtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// RunFlows checks the contract of auth.FlowStore, a subtest and a fresh, empty store for each rule.
func RunFlows(t *testing.T, open func(t *testing.T) auth.FlowStore) {
	t.Helper()
	run(t, flowRules, open)
}

// CheckFlows checks the contract of auth.FlowStore outside a test. It calls open for each rule, which must
// return an empty store, and returns every rule that is broken.
func CheckFlows(ctx context.Context, open func() (auth.FlowStore, error)) error {
	return check(ctx, flowRules, open)
}

// record returns a flow that expires after ten minutes. Its data hold every byte and are as long as data may be.
func record(id string) auth.FlowRecord {
	data := make([]byte, 16<<10)
	for i := range data {
		data[i] = byte(i)
	}
	return auth.FlowRecord{
		ID: id, Version: 1, Key: "k1", Browser: sha256.Sum256([]byte(id)), Data: data,
		TouchedAt: start, ExpiresAt: at(10 * time.Minute),
	}
}

// saved returns the record as a step leaves it: every field but the id is another one.
func saved(r auth.FlowRecord, data string) auth.FlowRecord {
	return auth.FlowRecord{
		ID: r.ID, Version: r.Version + 1, Key: "k2", Browser: sha256.Sum256([]byte(data)), Data: []byte(data),
		TouchedAt: r.TouchedAt.Add(tick), ExpiresAt: r.ExpiresAt.Add(time.Minute + tick),
	}
}

func loads(ctx context.Context, p *probe, f auth.FlowStore, want auth.FlowRecord) {
	got, err := f.LoadFlow(ctx, want.ID, want.ExpiresAt.Add(-tick))
	p.ok("Load", err)
	if len(got.Data) == 0 && len(want.Data) == 0 {
		got.Data = want.Data // nil and empty are the same
	}
	equal(p, fmt.Sprintf("Load(%q)", want.ID), got, want)
}

func loadsNothing(ctx context.Context, p *probe, f auth.FlowStore, id string, now time.Time) {
	_, err := f.LoadFlow(ctx, id, now)
	p.is(fmt.Sprintf("Load(%q) at %s", id, now.Sub(start)), err, auth.ErrNotFound)
}

var flowRules = []rule[auth.FlowStore]{
	{
		"unknown is not found",
		"a flow that is not there is ErrNotFound, not an empty one",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			loadsNothing(ctx, p, f, "f1", start)
		},
	},
	{
		"created is loaded whole",
		"a record comes back with every field as given, times in UTC to the millisecond",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			p.ok("Create", f.CreateFlow(ctx, record("f1")))
			native := auth.FlowRecord{ID: "f2", Version: 1, Key: "k", TouchedAt: start, ExpiresAt: at(tick)}
			p.ok("Create", f.CreateFlow(ctx, native))
			loads(ctx, p, f, record("f1"))
			loads(ctx, p, f, native)
		},
	},
	{
		"an id is used once",
		"a second record with the id is ErrTaken, and the first one stays as it is",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			p.ok("Create", f.CreateFlow(ctx, record("f1")))
			other := saved(record("f1"), "other")
			other.Version = 1
			p.is("Create again", f.CreateFlow(ctx, other), auth.ErrTaken)
			loads(ctx, p, f, record("f1"))
		},
	},
	{
		"one creation wins",
		"of records created at once with one id one comes into being",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			records := make([]auth.FlowRecord, racers)
			errs := race(racers, func(i int) error {
				records[i] = saved(record("f1"), fmt.Sprint(i))
				return f.CreateFlow(ctx, records[i])
			})
			p.oneWon("Create", errs, auth.ErrTaken)
			for i, err := range errs {
				if err == nil {
					loads(ctx, p, f, records[i])
				}
			}
		},
	},
	{
		"a flow expires",
		"at the very moment of ExpiresAt there is no flow; a millisecond before, there is",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			r := record("f1")
			p.ok("Create", f.CreateFlow(ctx, r))
			loads(ctx, p, f, r)
			loadsNothing(ctx, p, f, "f1", r.ExpiresAt)
			loadsNothing(ctx, p, f, "f1", r.ExpiresAt.Add(time.Hour))
		},
	},
	{
		"a save replaces the record",
		"nothing of the earlier record is left, neither a field nor the tail of longer data",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			first := record("f1")
			p.ok("Create", f.CreateFlow(ctx, first))
			second := saved(first, "short")
			p.ok("Save", f.SaveFlow(ctx, second))
			loads(ctx, p, f, second)
			third := auth.FlowRecord{ID: "f1", Version: 3, TouchedAt: start, ExpiresAt: at(time.Minute)}
			p.ok("Save", f.SaveFlow(ctx, third))
			loads(ctx, p, f, third)
		},
	},
	{
		"a save follows the stored version",
		"unless the stored version is the one before it is ErrStale and nothing changes: a step taken twice is taken once",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			second := saved(record("f1"), "second")
			p.ok("Create", f.CreateFlow(ctx, record("f1")))
			p.ok("Save", f.SaveFlow(ctx, second))
			for _, version := range []uint64{0, 1, 2, 4, 1 << 40} {
				r := saved(second, "other")
				r.Version = version
				p.is(fmt.Sprintf("Save of version %d over 2", version), f.SaveFlow(ctx, r), auth.ErrStale)
			}
			loads(ctx, p, f, second)
		},
	},
	{
		"one save wins",
		"of saves made at once of one version one happens",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			p.ok("Create", f.CreateFlow(ctx, record("f1")))
			errs := race(racers, func(i int) error { return f.SaveFlow(ctx, saved(record("f1"), fmt.Sprint(i))) })
			p.oneWon("Save", errs, auth.ErrStale)
			for i, err := range errs {
				if err == nil {
					loads(ctx, p, f, saved(record("f1"), fmt.Sprint(i)))
				}
			}
		},
	},
	{
		"a save creates nothing",
		"saving an unknown flow is ErrStale, so that a swept one does not come back",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			for _, version := range []uint64{0, 1, 2} {
				r := record("f1")
				r.Version = version
				p.is("Save", f.SaveFlow(ctx, r), auth.ErrStale)
			}
			loadsNothing(ctx, p, f, "f1", start)
		},
	},
	{
		"flows are apart",
		"saving one flow leaves the others as they are",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			p.ok("Create", f.CreateFlow(ctx, record("f1")))
			p.ok("Create", f.CreateFlow(ctx, record("f2")))
			p.ok("Save", f.SaveFlow(ctx, saved(record("f1"), "x")))
			loads(ctx, p, f, saved(record("f1"), "x"))
			loads(ctx, p, f, record("f2"))
		},
	},
	{
		"data given are copied",
		"a caller that goes on writing to the data it gave does not write into the store",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			r := record("f1")
			p.ok("Create", f.CreateFlow(ctx, r))
			clear(r.Data)
			loads(ctx, p, f, record("f1"))
			r = saved(record("f1"), "second")
			p.ok("Save", f.SaveFlow(ctx, r))
			clear(r.Data)
			loads(ctx, p, f, saved(record("f1"), "second"))
		},
	},
	{
		"data returned are copied",
		"a caller that writes to the data it got does not write into the store",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			p.ok("Create", f.CreateFlow(ctx, record("f1")))
			got, err := f.LoadFlow(ctx, "f1", start)
			p.ok("Load", err)
			clear(got.Data)
			loads(ctx, p, f, record("f1"))
		},
	},
	{
		"a sweep deletes what expired",
		"flows that expired by now go, the one that expires now included, and no others; the count is told",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			for i := range 5 {
				r := record(fmt.Sprintf("f%d", i))
				r.ExpiresAt = at(time.Duration(i) * tick)
				p.ok("Create", f.CreateFlow(ctx, r))
			}
			n, err := f.SweepFlows(ctx, at(2*tick), 100)
			p.ok("SweepFlows", err)
			equal(p, "swept", n, 3)
			for i := range 5 {
				if id := fmt.Sprintf("f%d", i); i <= 2 {
					loadsNothing(ctx, p, f, id, start.Add(-time.Hour))
				} else if _, err := f.LoadFlow(ctx, id, at(2*tick)); err != nil {
					p.failf("Load of a live flow after the sweep: %v", err)
				}
			}
		},
	},
	{
		"a sweep keeps to its limit",
		"a sweep deletes at most limit flows, and another one deletes the rest",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			for i := range 5 {
				p.ok("Create", f.CreateFlow(ctx, record(fmt.Sprintf("f%d", i))))
			}
			for _, step := range []struct{ limit, want int }{{0, 0}, {2, 2}, {2, 2}, {2, 1}, {2, 0}} {
				n, err := f.SweepFlows(ctx, at(time.Hour), step.limit)
				p.ok("SweepFlows", err)
				equal(p, fmt.Sprintf("swept with limit %d", step.limit), n, step.want)
			}
		},
	},
	{
		"a save prolongs",
		"a saved flow lives until its new ExpiresAt, for Load and for the sweep",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			second := saved(record("f1"), "x")
			p.ok("Create", f.CreateFlow(ctx, record("f1")))
			p.ok("Save", f.SaveFlow(ctx, second))
			n, err := f.SweepFlows(ctx, second.ExpiresAt.Add(-tick), 100)
			p.ok("SweepFlows", err)
			equal(p, "swept", n, 0)
			loads(ctx, p, f, second)
		},
	},
	{
		"ids are opaque",
		"ids that differ in a byte are different flows; one that cannot be stored is refused, never mistaken",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			stored := map[string]auth.FlowRecord{}
			for _, id := range oddStrings() {
				r := saved(record(id), id)
				if err := f.CreateFlow(ctx, r); err != nil {
					if !mayRefuse(id) {
						p.failf("Create %q: %v", id, err)
					}
					_, err := f.LoadFlow(ctx, id, start)
					p.fails("Load of a refused one", err)
					continue
				}
				stored[id] = r
			}
			for _, r := range stored {
				loads(ctx, p, f, r)
			}
		},
	},
	{
		"a done context changes nothing",
		"with a context that is done every method returns an error and leaves the store as it was",
		func(ctx context.Context, p *probe, f auth.FlowStore) {
			p.ok("Create", f.CreateFlow(ctx, record("f1")))
			done := cancelled(ctx)
			_, load := f.LoadFlow(done, "f1", start)
			_, sweep := f.SweepFlows(done, at(time.Hour), 100)
			for what, err := range map[string]error{
				"Load": load, "SweepFlows": sweep, "Create": f.CreateFlow(done, record("f2")), "Save": f.SaveFlow(done, saved(record("f1"), "x")),
			} {
				p.fails(what, err)
				if errors.Is(err, auth.ErrNotFound) || errors.Is(err, auth.ErrStale) {
					p.failf("%s: got %v for a flow that is there", what, err)
				}
			}
			loads(ctx, p, f, record("f1"))
			loadsNothing(ctx, p, f, "f2", start)
		},
	},
}
