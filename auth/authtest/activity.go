package authtest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Activities is what keeps what happened with accounts, with the accounts that it ends with.
type Activities interface {
	auth.AccountStore
	auth.ActivityStore
}

// RunActivity checks the contract of auth.ActivityStore, a subtest and a fresh, empty store for each rule.
func RunActivity(t *testing.T, open func(t *testing.T) Activities) {
	t.Helper()
	run(t, activityRules(), open)
}

// CheckActivity checks what RunActivity does, outside a test. It calls open for each rule, which must return an
// empty store, and returns every rule that is broken.
func CheckActivity(ctx context.Context, open func() (Activities, error)) error {
	return check(ctx, activityRules(), open)
}

func activityRules() []rule[Activities] {
	return slices.Concat(activityRowRules, activityMergeRules, activityRoomRules, activityEndRules)
}

// diary calls the store and states what must come of it.
type diary struct {
	ctx context.Context
	p   *probe
	s   Activities
}

// onDiary makes a check of f.
func onDiary(f func(d diary)) func(ctx context.Context, p *probe, s Activities) {
	return func(ctx context.Context, p *probe, s Activities) { f(diary{ctx, p, s}) }
}

// entry returns an entry of the account that happened at that time after the start, and is like no other.
func entry(account, agent string, after time.Duration) auth.Activity {
	return auth.Activity{
		Account: account, Class: auth.ActivityUse, What: auth.ActivitySignedIn, UserAgent: agent, Count: 1,
		FirstAt: at(after), At: at(after), ExpiresAt: at(after + time.Hour),
	}
}

// alike returns the entry with what makes it one with others.
func alike(merge string, a auth.Activity) auth.Activity {
	a.Merge = merge
	return a
}

// classed returns the entry in another class.
func classed(c auth.ActivityClass, a auth.Activity) auth.Activity {
	a.Class = c
	return a
}

func (d diary) records(entries ...auth.Activity) {
	for _, a := range entries {
		d.p.ok(fmt.Sprintf("RecordActivity of %q", a.UserAgent), d.s.RecordActivity(d.ctx, a, 50))
	}
}

// lists demands that the account has these entries in this order.
func (d diary) lists(account string, want ...auth.Activity) {
	d.listsAt(account, start, want...)
}

func (d diary) listsAt(account string, now time.Time, want ...auth.Activity) {
	got, err := d.s.ListActivity(d.ctx, account, now, 100)
	d.p.ok(fmt.Sprintf("ListActivity(%q)", account), err)
	if len(got) > 0 || len(want) > 0 {
		equal(d.p, fmt.Sprintf("activity of %q", account), got, want)
	}
}

// shows demands that the account has the entries with these agents, in this order.
func (d diary) shows(account string, want ...string) {
	list, err := d.s.ListActivity(d.ctx, account, start, 100)
	d.p.ok(fmt.Sprintf("ListActivity(%q)", account), err)
	var got []string
	for _, a := range list {
		got = append(got, a.UserAgent)
	}
	equal(d.p, fmt.Sprintf("activity of %q", account), got, want)
}

var activityRowRules = []rule[Activities]{
	{
		"activity comes back whole",
		"an entry is listed with every field as given, times in UTC to the millisecond, with and without what may be missing",
		onDiary(func(d diary) {
			full := auth.Activity{
				Account: "a1", Class: auth.ActivityChange, Merge: "m|1", What: auth.ActivityFactorAdded, Methods: flow.MethodsOf(flow.Password, flow.Approval),
				Network: netip.MustParsePrefix("2001:db8:1::/48"), UserAgent: "Zo\u00eb's \U0001f511 'agent'\"\\", Count: 1 << 30,
				FirstAt: at(-tick), At: at(tick), ExpiresAt: at(90*24*time.Hour + 3*tick),
			}
			bare := auth.Activity{Account: "a1", Class: auth.ActivityAttempt, What: "w", Count: 1, FirstAt: start, At: start, ExpiresAt: at(time.Hour)}
			d.records(bare, full)
			d.lists("a1", full, bare)
		}),
	},
	{
		"the longest activity comes back whole",
		"a User-Agent and a Merge of 256 bytes and an account's id of 128 are kept to the end, and told from others by it",
		onDiary(func(d diary) {
			var all []auth.Activity
			for i, end := range []string{"2", "1"} {
				a := alike(strings.Repeat("m", 255)+end, entry(strings.Repeat("a", 127)+"1", strings.Repeat("u", 255)+end, time.Duration(-i)*tick))
				all = append(all, a)
			}
			d.records(all...)
			d.records(entry(strings.Repeat("a", 127)+"2", "other", 0))
			d.lists(all[0].Account, all...)
		}),
	},
	{
		"the newest activity comes first",
		"entries are listed by the time of their last event, the newest first, whatever their class and the order of recording; at one time the one that was begun last comes first; and of many only limit are listed",
		onDiary(func(d diary) {
			d.records(entry("a1", "b", tick), classed(auth.ActivityAttempt, entry("a1", "a", 2*tick)), alike("m", entry("a1", "d", 0)),
				classed(auth.ActivityChange, entry("a1", "c", tick)), entry("a1", "e", -tick))
			d.shows("a1", "a", "c", "b", "d", "e")
			d.records(alike("m", entry("a1", "d", tick)))
			d.shows("a1", "a", "c", "d", "b", "e")
			for limit, want := range []int{0, 1, 2, 3, 4, 5, 5} {
				list, err := d.s.ListActivity(d.ctx, "a1", start, limit)
				d.p.ok("ListActivity", err)
				equal(d.p, fmt.Sprintf("listed with limit %d", limit), len(list), want)
			}
		}),
	},
	{
		"expired activity is not listed",
		"an entry is listed while it expires after now, to the millisecond, and not any longer, swept or not",
		onDiary(func(d diary) {
			a := entry("a1", "a", 0)
			d.records(a)
			d.listsAt("a1", a.ExpiresAt.Add(-tick), a)
			d.listsAt("a1", a.ExpiresAt)
		}),
	},
	{
		"accounts have activity of their own",
		"entries of one account are neither listed with another's nor one with them nor in their room; an unknown account has none, and need not exist to have some",
		onDiary(func(d diary) {
			one, two := alike("m", entry("a1", "one", 0)), alike("m", entry("decoy~a2", "two", 0))
			d.records(one, two)
			d.p.ok("RecordActivity", d.s.RecordActivity(d.ctx, alike("n", entry("a3", "three", tick)), 1))
			d.lists("a1", one)
			d.lists("decoy~a2", two)
			d.shows("a3", "three")
			d.lists("a4")
			d.lists("")
		}),
	},
	{
		"activity is opaque",
		"accounts, what makes entries one and User-Agents are bytes: strings that look alike are different, or refused",
		onDiary(func(d diary) {
			for _, s := range oddStrings() {
				a := alike(s, entry(s, s, 0))
				if err := d.s.RecordActivity(d.ctx, a, 50); err != nil {
					if !mayRefuse(s) {
						d.p.failf("RecordActivity of %q: %v", s, err)
					}
					continue
				}
				d.lists(s, a)
				d.p.ok("RecordActivity in one account", d.s.RecordActivity(d.ctx, alike(s, entry("all", s, 0)), 100))
			}
			list, err := d.s.ListActivity(d.ctx, "all", start, 100)
			d.p.ok("ListActivity", err)
			for _, a := range list {
				equal(d.p, fmt.Sprintf("count of %q", a.Merge), a.Count, 1)
			}
		}),
	},
}

var activityMergeRules = []rule[Activities]{
	{
		"alike activity is one entry",
		"an entry takes in another of its account and class with the same Merge: counts add up, the first and the last time and the end move outwards, the User-Agent is that of the last event, and the rest stays",
		onDiary(func(d diary) {
			first := alike("m", entry("a1", "first", 0))
			d.records(first)
			later := alike("m", entry("a1", "later", time.Minute))
			later.Count, later.What, later.Methods, later.Network = 3, "other", flow.MethodsOf(flow.SSO), netip.MustParsePrefix("192.0.2.0/24")
			d.records(later)
			first.Count, first.UserAgent, first.At, first.ExpiresAt = 4, "later", later.At, later.ExpiresAt
			d.lists("a1", first)
			early := alike("m", entry("a1", "early", -time.Minute))
			d.records(early)
			first.Count, first.FirstAt = 5, early.FirstAt
			d.lists("a1", first)
			d.records(alike("m", entry("a1", "same time", time.Minute)))
			first.Count, first.UserAgent = 6, "same time"
			d.lists("a1", first)
		}),
	},
	{
		"other activity stays apart",
		"entries of another class, with another Merge or with none are not one, however alike they are otherwise",
		onDiary(func(d diary) {
			a := entry("a1", "a", 0)
			d.records(a, a, alike("m", a), alike("n", a), classed(auth.ActivityAttempt, alike("m", a)))
			list, err := d.s.ListActivity(d.ctx, "a1", start, 100)
			d.p.ok("ListActivity", err)
			equal(d.p, "entries", len(list), 5)
		}),
	},
	{
		"no event is lost",
		"of many alike events at once every one is counted, in one entry",
		onDiary(func(d diary) {
			errs := race(racers, func(int) error { return d.s.RecordActivity(d.ctx, alike("m", entry("a1", "a", 0)), 50) })
			for _, err := range errs {
				d.p.ok("RecordActivity", err)
			}
			want := alike("m", entry("a1", "a", 0))
			want.Count = racers
			d.lists("a1", want)
		}),
	},
}

var activityRoomRules = []rule[Activities]{
	{
		"activity keeps to its room",
		"of an account's entries of a class only the newest are left, keep of them; one that was added to is as new as its last event",
		onDiary(func(d diary) {
			record := func(a auth.Activity, keep int) { d.p.ok("RecordActivity", d.s.RecordActivity(d.ctx, a, keep)) }
			record(alike("m", entry("a1", "old", 0)), 3)
			for i, agent := range []string{"b", "c"} {
				record(entry("a1", agent, time.Duration(i+1)*tick), 3)
			}
			record(alike("m", entry("a1", "again", 5*tick)), 3)
			d.shows("a1", "again", "c", "b")
			record(entry("a1", "d", 6*tick), 3)
			d.shows("a1", "d", "again", "c")
			record(entry("a1", "late news", 0), 3)
			d.shows("a1", "d", "again", "c")
			record(entry("a1", "e", 7*tick), 1)
			d.shows("a1", "e")
		}),
	},
	{
		"classes have room of their own",
		"entries of one class never push out those of another, so strangers and thieves cannot bury what they did",
		onDiary(func(d diary) {
			d.records(classed(auth.ActivityChange, entry("a1", "change", 0)), classed(auth.ActivityUse, entry("a1", "use", 0)))
			for i := range 5 {
				a := classed(auth.ActivityAttempt, entry("a1", fmt.Sprint("attempt ", i), time.Duration(i+1)*tick))
				d.p.ok("RecordActivity", d.s.RecordActivity(d.ctx, a, 2))
			}
			d.shows("a1", "attempt 4", "attempt 3", "use", "change")
		}),
	},
	{
		"the room holds at once",
		"of many entries recorded at once there are never more than keep",
		onDiary(func(d diary) {
			for _, err := range race(racers, func(i int) error {
				return d.s.RecordActivity(d.ctx, entry("a1", fmt.Sprint(i), time.Duration(i)*tick), 3)
			}) {
				d.p.ok("RecordActivity", err)
			}
			d.shows("a1", fmt.Sprint(racers-1), fmt.Sprint(racers-2), fmt.Sprint(racers-3))
		}),
	},
}

var activityEndRules = []rule[Activities]{
	{
		"activity ends with its account",
		"Delete forgets all entries of the account, of every class, and none of another's",
		onDiary(func(d diary) {
			d.p.ok("Open", d.s.Open(d.ctx, "a1", flow.Active, firstHash, start))
			d.records(entry("a1", "a", 0), classed(auth.ActivityAttempt, alike("m", entry("a1", "b", 0))), classed(auth.ActivityChange, entry("a1", "c", 0)), entry("a2", "d", 0))
			d.p.ok("Delete", d.s.Delete(d.ctx, "a1"))
			d.lists("a1")
			d.shows("a2", "d")
		}),
	},
	{
		"a sweep deletes expired activity",
		"entries that expired by now, to the millisecond, are deleted, at most limit of them, and counted; others stay",
		onDiary(func(d diary) {
			for i := range 5 {
				d.records(entry(fmt.Sprint("a", i%2), fmt.Sprint(i), time.Duration(i)*tick))
			}
			sweep := func(now time.Time, limit, want int) {
				n, err := d.s.SweepActivity(d.ctx, now, limit)
				d.p.ok("SweepActivity", err)
				equal(d.p, "swept", n, want)
			}
			sweep(at(time.Hour-tick), 10, 0)
			sweep(at(time.Hour), 10, 1)
			d.shows("a0", "4", "2")
			sweep(at(time.Hour+3*tick), 2, 2)
			sweep(at(time.Hour+3*tick), 10, 1)
			sweep(at(time.Hour+3*tick), 10, 0)
			d.shows("a0", "4")
			d.shows("a1")
		}),
	},
	{
		"activity under a done context stays",
		"a call whose context is done returns an error, and records and sweeps nothing",
		onDiary(func(d diary) {
			d.records(alike("m", entry("a1", "a", 0)))
			done := cancelled(d.ctx)
			d.p.fails("RecordActivity", d.s.RecordActivity(done, alike("m", entry("a1", "b", tick)), 50))
			_, err := d.s.SweepActivity(done, at(2*time.Hour), 10)
			d.p.fails("SweepActivity", err)
			_, err = d.s.ListActivity(done, "a1", start, 10)
			d.p.fails("ListActivity", err)
			d.lists("a1", alike("m", entry("a1", "a", 0)))
		}),
	},
}
