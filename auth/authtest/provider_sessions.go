package authtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// RunProviderSessions checks the contract of auth.ProviderSessionStore, a subtest and a fresh, empty store for each
// rule.
func RunProviderSessions(t *testing.T, open func(t *testing.T) auth.ProviderSessionStore) {
	t.Helper()
	run(t, providerSessionRules(), open)
}

// CheckProviderSessions checks what RunProviderSessions does, outside a test. It calls open for each rule, which must
// return an empty store, and returns every rule that is broken.
func CheckProviderSessions(ctx context.Context, open func() (auth.ProviderSessionStore, error)) error {
	return check(ctx, providerSessionRules(), open)
}

func providerSessionRules() []rule[auth.ProviderSessionStore] {
	return slices.Concat(attachRules, providerEndRules, providerRaceRules, providerSweepRules)
}

// switchboard calls the store and states what must come of it.
type switchboard struct {
	ctx context.Context
	p   *probe
	s   auth.ProviderSessionStore
}

// onSwitchboard makes a check of f.
func onSwitchboard(f func(b switchboard)) func(ctx context.Context, p *probe, s auth.ProviderSessionStore) {
	return func(ctx context.Context, p *probe, s auth.ProviderSessionStore) { f(switchboard{ctx, p, s}) }
}

// vouched returns a session of the account "a1" that the provider vouched for at the start. It expires after an hour.
func vouched(key, session string) auth.ProviderSession {
	return auth.ProviderSession{Key: key, Account: "a1", Session: session, Since: start, ExpiresAt: at(time.Hour)}
}

// since returns the session as one of another time.
func since(d time.Duration, s auth.ProviderSession) auth.ProviderSession {
	s.Since = at(d)
	return s
}

// attaches demands that the sessions are kept together.
func (b switchboard) attaches(sessions ...auth.ProviderSession) {
	b.p.ok("AttachSession", b.s.AttachSession(b.ctx, sessions, start))
}

// late demands that the sessions are refused together.
func (b switchboard) late(what string, now time.Time, sessions ...auth.ProviderSession) {
	b.p.is("AttachSession "+what, b.s.AttachSession(b.ctx, sessions, now), auth.ErrStale)
}

// ends demands that an end at the start, which is remembered for a minute, returns these sessions, in any order.
func (b switchboard) ends(key string, want ...auth.ProviderSession) {
	b.endsAt(key, start, at(time.Minute), want...)
}

func (b switchboard) endsAt(key string, now, until time.Time, want ...auth.ProviderSession) {
	got, err := b.s.EndSessions(b.ctx, key, now, until)
	b.p.ok(fmt.Sprintf("EndSessions(%q)", key), err)
	b.same(fmt.Sprintf("sessions that ended with %q", key), got, want)
}

// looks demands that these are the sessions of the key.
func (b switchboard) looks(key string, now time.Time, want ...auth.ProviderSession) {
	got, err := b.s.SessionsOf(b.ctx, key, now)
	b.p.ok(fmt.Sprintf("SessionsOf(%q)", key), err)
	b.same(fmt.Sprintf("sessions of %q", key), got, want)
}

func (b switchboard) same(what string, got, want []auth.ProviderSession) {
	bySession := func(a, b auth.ProviderSession) int { return cmp.Compare(a.Session, b.Session) }
	slices.SortFunc(got, bySession)
	slices.SortFunc(want, bySession)
	if len(got) > 0 || len(want) > 0 {
		equal(b.p, what, got, want)
	}
}

var attachRules = []rule[auth.ProviderSessionStore]{
	{
		"a provider's sessions come back whole",
		"an end returns what was attached with every field as given, times in UTC to the millisecond; an account need not exist",
		onSwitchboard(func(b switchboard) {
			one := auth.ProviderSession{Key: "k1", Account: "acc\u00f6unt'", Session: "s\"1", Since: at(-3 * tick), ExpiresAt: at(5 * tick)}
			two := auth.ProviderSession{Key: "k1", Account: "a2", Session: "s2", Since: at(tick), ExpiresAt: at(time.Hour)}
			b.attaches(one, two)
			b.ends("k1", one, two)
		}),
	},
	{
		"the longest of a provider's sessions come back whole",
		"a key of 64 bytes, and an account and a session of 128, are kept to the end, and told from others by it",
		onSwitchboard(func(b switchboard) {
			long := func(n int, end string) string { return strings.Repeat("x", n-1) + end }
			var all []auth.ProviderSession
			for _, end := range []string{"1", "2"} {
				s := vouched(long(64, "1"), long(128, end))
				s.Account = long(128, end)
				all = append(all, s)
			}
			other := vouched(long(64, "2"), "other")
			b.attaches(append(all, other)...)
			b.ends(long(64, "1"), all...)
			b.ends(long(64, "2"), other)
		}),
	},
	{
		"a session is attached once",
		"one with the key and the session of another takes its place, in one call and in many: who tries again does not do it twice",
		onSwitchboard(func(b switchboard) {
			again := since(tick, vouched("k1", "s1"))
			again.Account, again.ExpiresAt = "a2", at(2*time.Hour)
			b.attaches(vouched("k1", "s1"), vouched("k1", "s2"))
			b.attaches(vouched("k1", "s1"), again)
			b.ends("k1", again, vouched("k1", "s2"))
		}),
	},
	{
		"a session has many keys",
		"a session is attached with each of its keys, and an end of one leaves what it has with the others",
		onSwitchboard(func(b switchboard) {
			b.attaches(vouched("session", "s1"), vouched("person", "s1"))
			b.attaches(vouched("person", "s2"))
			b.attaches()
			b.ends("session", vouched("session", "s1"))
			b.ends("person", vouched("person", "s1"), vouched("person", "s2"))
		}),
	},
	{
		"attached sessions are the caller's copies",
		"changing what was attached changes nothing that is kept",
		onSwitchboard(func(b switchboard) {
			all := []auth.ProviderSession{vouched("k1", "s1")}
			b.attaches(all...)
			all[0].Session, all[0].Account = "changed", "changed"
			b.ends("k1", vouched("k1", "s1"))
		}),
	},
	{
		"keys of providers are opaque",
		"keys, sessions and accounts that differ in a byte are different; what cannot be stored is refused, never mistaken",
		onSwitchboard(func(b switchboard) {
			short := slices.DeleteFunc(oddStrings(), func(s string) bool { return len(s) > 64 })
			stored, together := map[string]auth.ProviderSession{}, []auth.ProviderSession{}
			for _, s := range short {
				one, all := vouched(s, s), vouched("all", s)
				one.Account, all.Account = s, s
				if err := b.s.AttachSession(b.ctx, []auth.ProviderSession{one, all}, start); err != nil {
					if !mayRefuse(s) {
						b.p.failf("AttachSession with %q: %v", s, err)
					}
					continue
				}
				stored[s], together = one, append(together, all)
			}
			for _, key := range []string{"b", "aa", "a  ", "NUll", "''''", "_%"} {
				b.ends(key)
			}
			for key, s := range stored {
				b.ends(key, s)
			}
			b.ends("all", together...)
		}),
	},
}

var providerEndRules = []rule[auth.ProviderSessionStore]{
	{
		"an end returns its sessions",
		"EndSessions returns the sessions of the key and forgets them, so that they are ended once; those of other keys stay",
		onSwitchboard(func(b switchboard) {
			b.ends("k3")
			b.attaches(vouched("k1", "s1"), vouched("k2", "s2"), vouched("k1", "s3"))
			b.ends("k1", vouched("k1", "s1"), vouched("k1", "s3"))
			b.ends("k1")
			b.ends("k2", vouched("k2", "s2"))
		}),
	},
	{
		"a look ends nothing",
		"SessionsOf returns what an end would, and changes nothing: whoever ends them one by one must find the others again",
		onSwitchboard(func(b switchboard) {
			short := vouched("k1", "s2")
			short.ExpiresAt = at(time.Minute)
			b.looks("k1", start)
			b.attaches(vouched("k1", "s1"), vouched("k2", "s3"), short)
			b.looks("k1", start, vouched("k1", "s1"), short)
			b.looks("k1", at(time.Minute-tick), vouched("k1", "s1"), short)
			b.looks("k1", at(time.Minute), vouched("k1", "s1"))
			b.attaches(vouched("k1", "s4")) // nothing was ended
			b.ends("k1", vouched("k1", "s1"), short, vouched("k1", "s4"))
			b.looks("k1", start)
		}),
	},
	{
		"an end leaves expired sessions out",
		"only sessions that expire after now, to the millisecond, are returned",
		onSwitchboard(func(b switchboard) {
			short := vouched("k1", "s1")
			short.ExpiresAt = at(time.Minute)
			b.attaches(short, vouched("k1", "s2"))
			b.endsAt("k1", at(time.Minute), at(time.Hour), vouched("k1", "s2"))
			short.Key = "k2"
			b.attaches(short)
			b.endsAt("k2", at(time.Minute-tick), at(time.Hour), short)
		}),
	},
	{
		"a session from before an end is late",
		"AttachSession is ErrStale if the key was ended at or after Since, to the millisecond: the provider ended its session while ours was being made. One since then is good",
		onSwitchboard(func(b switchboard) {
			b.ends("k1")
			b.late("since before the end", at(tick), since(-time.Hour, vouched("k1", "s1")))
			b.late("since a tick before the end", at(tick), since(-tick, vouched("k1", "s1")))
			b.late("since the end", at(tick), vouched("k1", "s1"))
			b.attaches(since(tick, vouched("k1", "s1")))
			b.ends("k1", since(tick, vouched("k1", "s1")))
		}),
	},
	{
		"sessions are attached all or none",
		"if one of the keys was ended none of the sessions is kept, wherever it stands, and what is there already stays as it is",
		onSwitchboard(func(b switchboard) {
			b.attaches(vouched("k1", "s1"))
			b.ends("k2")
			again := since(tick, vouched("k1", "s1"))
			good, late := vouched("k1", "s2"), vouched("k2", "s2")
			b.late("behind good ones", start, again, good, late)
			b.late("before good ones", start, late, again, good)
			b.late("among good ones", start, vouched("k3", "s2"), late, good)
			b.ends("k1", vouched("k1", "s1"))
			b.ends("k3")
		}),
	},
	{
		"an end is forgotten in time",
		"an end counts until the given time, and not at it, swept or not",
		onSwitchboard(func(b switchboard) {
			b.ends("k1")
			b.late("just before it is forgotten", at(time.Minute-tick), vouched("k1", "s1"))
			b.p.ok("AttachSession at that time", b.s.AttachSession(b.ctx, []auth.ProviderSession{vouched("k1", "s1")}, at(time.Minute)))
			b.endsAt("k1", at(time.Minute), at(2*time.Minute), vouched("k1", "s1"))
		}),
	},
	{
		"ends add up",
		"of several ends of a key the latest counts, for the longest of their times, in whatever order they come",
		onSwitchboard(func(b switchboard) {
			for _, key := range []string{"k1", "k2"} {
				early, late := at(-time.Second), at(time.Second)
				if key == "k2" {
					early, late = late, early
				}
				b.endsAt(key, early, at(time.Hour))
				b.endsAt(key, late, at(time.Minute))
				b.late("since the latest", at(time.Hour-tick), since(time.Second, vouched(key, "s1")))
				b.p.ok("AttachSession since then", b.s.AttachSession(b.ctx, []auth.ProviderSession{since(time.Second+tick, vouched(key, "s1"))}, start))
				b.endsAt(key, early, at(2*time.Hour), since(time.Second+tick, vouched(key, "s1")))
				b.late("in the longer time", at(2*time.Hour-tick), since(time.Second, vouched(key, "s1")))
			}
		}),
	},
	{
		"an end is of its key alone",
		"sessions of other keys are attached as ever, also another of the same session",
		onSwitchboard(func(b switchboard) {
			b.ends("k1")
			b.attaches(vouched("k2", "s1"), vouched("", "s1"), vouched("K1", "s1"))
			b.ends("k2", vouched("k2", "s1"))
		}),
	},
}

var providerRaceRules = []rule[auth.ProviderSessionStore]{
	{
		"no attached session is lost",
		"of sessions attached at once each is there",
		onSwitchboard(func(b switchboard) {
			all := make([]auth.ProviderSession, throng)
			for i := range all {
				all[i] = vouched("k1", fmt.Sprintf("s%02d", i))
			}
			for _, err := range race(throng, func(i int) error { return b.s.AttachSession(b.ctx, all[i:i+1], start) }) {
				b.p.ok("AttachSession", err)
			}
			b.ends("k1", all...)
		}),
	},
	{
		"one end has a session",
		"of ends at once each session is returned by one",
		onSwitchboard(func(b switchboard) {
			var all []auth.ProviderSession
			for i := range throng {
				all = append(all, vouched("k1", fmt.Sprintf("s%02d", i)))
			}
			b.attaches(all...)
			got := make([][]auth.ProviderSession, racers)
			for _, err := range race(racers, func(i int) (err error) {
				got[i], err = b.s.EndSessions(b.ctx, "k1", start, at(time.Minute))
				return err
			}) {
				b.p.ok("EndSessions", err)
			}
			equal(b.p, "sessions that were returned", len(slices.Concat(got...)), throng)
		}),
	},
	{
		"no session outlives its provider's",
		"of an end and an attachment at once either the attachment is refused or the end returns it: a session that came between lived on after its provider's had ended",
		onSwitchboard(func(b switchboard) {
			got := make([][]auth.ProviderSession, throng)
			key := func(i int) string { return fmt.Sprintf("k%02d", i/2) }
			errs := race(throng, func(i int) (err error) {
				if i%2 == 0 {
					return b.s.AttachSession(b.ctx, []auth.ProviderSession{vouched(key(i), "s1"), vouched("person "+key(i), "s1")}, start)
				}
				got[i], err = b.s.EndSessions(b.ctx, key(i), at(tick), at(time.Minute))
				return err
			})
			for i := 0; i < throng; i += 2 {
				attached, person := []auth.ProviderSession(nil), []auth.ProviderSession(nil)
				if errs[i] == nil {
					attached, person = []auth.ProviderSession{vouched(key(i), "s1")}, []auth.ProviderSession{vouched("person "+key(i), "s1")}
				} else {
					b.p.is("AttachSession", errs[i], auth.ErrStale)
				}
				b.p.ok("EndSessions", errs[i+1])
				if len(got[i+1]) > 0 || len(attached) > 0 {
					equal(b.p, fmt.Sprintf("what ended with %q", key(i)), got[i+1], attached)
				}
				b.endsAt(key(i), at(tick), at(time.Minute))
				b.ends("person "+key(i), person...)
			}
		}),
	},
}

var providerSweepRules = []rule[auth.ProviderSessionStore]{
	{
		"a sweep deletes what a provider's sessions leave",
		"sessions and remembered ends that expired by now, to the millisecond, are deleted, at most limit of both together, and counted; others stay",
		onSwitchboard(func(b switchboard) {
			for i := range 3 {
				s := vouched("k1", fmt.Sprintf("s%d", i))
				s.ExpiresAt = at(time.Duration(i) * time.Second)
				b.attaches(s)
				b.endsAt(fmt.Sprintf("e%d", i), start, at(time.Duration(i)*time.Second))
			}
			sweep := func(now time.Time, limit, want int) {
				n, err := b.s.SweepProviderSessions(b.ctx, now, limit)
				b.p.ok("SweepProviderSessions", err)
				equal(b.p, "swept", n, want)
			}
			sweep(at(-tick), 10, 0)
			sweep(at(time.Second-tick), 10, 2)
			sweep(at(time.Second), 0, 0)
			sweep(at(time.Second), 1, 1)
			sweep(at(time.Second), 10, 1)
			sweep(at(time.Second), 10, 0)
			b.late("after an end that is not forgotten", at(2*time.Second-tick), vouched("e2", "s1"))
			last := vouched("k1", "s2")
			last.ExpiresAt = at(2 * time.Second)
			b.endsAt("k1", at(-tick), at(2*time.Second), last)
			sweep(at(2*time.Second), 1, 1)
			sweep(at(2*time.Second), 10, 1)
		}),
	},
	{
		"a provider's sessions under a done context stay",
		"a call whose context is done returns an error, and attaches, ends and sweeps nothing",
		onSwitchboard(func(b switchboard) {
			b.attaches(vouched("k1", "s1"))
			done := cancelled(b.ctx)
			err := b.s.AttachSession(done, []auth.ProviderSession{vouched("k1", "s2")}, start)
			b.p.fails("AttachSession", err)
			if errors.Is(err, auth.ErrStale) {
				b.p.failf("AttachSession: got %q of a key that was not ended", err)
			}
			_, err = b.s.EndSessions(done, "k1", at(time.Minute), at(2*time.Hour))
			b.p.fails("EndSessions", err)
			_, err = b.s.SweepProviderSessions(done, at(2*time.Hour), 10)
			b.p.fails("SweepProviderSessions", err)
			b.attaches(vouched("k1", "s3"))
			b.ends("k1", vouched("k1", "s1"), vouched("k1", "s3"))
		}),
	},
}
