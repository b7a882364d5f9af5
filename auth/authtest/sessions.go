package authtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// RunSessions checks the contract of session.Store, a subtest and a fresh, empty store for each rule.
func RunSessions(t *testing.T, open func(t *testing.T) session.Store) {
	t.Helper()
	run(t, sessionRules(), open)
}

// CheckSessions checks the contract of session.Store outside a test. It calls open for each rule, which
// must return an empty store, and returns every rule that is broken.
func CheckSessions(ctx context.Context, open func() (session.Store, error)) error {
	return check(ctx, sessionRules(), open)
}

func sessionRules() []rule[session.Store] {
	return slices.Concat(createRules, replaceRules, tokenRules, alignRules, raiseRules, sweepRules)
}

// signIn returns the n-th session of an account, of session epoch 1, that expires after an hour. The lower
// n, the later it was seen.
func signIn(account string, n int) session.Record {
	id := fmt.Sprintf("%s-s%d", account, n)
	return session.Record{
		ID: id, Hash: sha256.Sum256([]byte(id)), Account: account, Epoch: 1,
		CreatedAt: start, AuthenticatedAt: start, SeenAt: at(-time.Duration(n) * tick), ExpiresAt: at(time.Hour), EndsAt: at(24 * time.Hour),
	}
}

// full returns a session with something in every field.
func full(account string, n int) session.Record {
	r := signIn(account, n)
	r.AuthenticatedAt, r.SeenAt, r.EndsAt = at(-9*tick), at(3*time.Minute+7*tick), at(365*24*time.Hour+tick)
	r.Keep, r.Assurance = true, flow.AAL2
	r.Proofs = []flow.Proof{
		{
			Method: flow.SSO, At: at(-9 * tick), Account: account, Credential: "key \x01 \"'<>&\u2028", Connection: "zoë/1",
			AuthTime: at(-10 * tick), Origin: "sid \x01 \"'<>&\u2028",
			Verified: true, Upstream: flow.AAL2, Inherited: true,
		},
		{Method: flow.TOTP, At: at(-time.Hour), Account: account},
	}
	r.UserAgent = strings.Repeat("Mozilla/5.0 (é) ", 15)
	r.Prefix = netip.MustParsePrefix("2001:db8:7::/48")
	return r
}

// book calls the store and states what must come of it.
type book struct {
	ctx   context.Context
	p     *probe
	store session.Store
}

func (b book) create(r session.Record, expect auth.Standing, o session.CreateOptions) error {
	if o.Now.IsZero() {
		o.Now = start
	}
	r.Epoch = expect.Epochs.Session
	return b.store.CreateSession(b.ctx, r, expect, o)
}

// adds creates sessions of accounts that stand as freshly opened.
func (b book) adds(records ...session.Record) {
	for _, r := range records {
		b.p.ok("CreateSession", b.create(r, opened, session.CreateOptions{}))
	}
}

// finds demands that the session is there, whole, with the standing of its account.
func (b book) finds(want session.Record, known auth.Standing) {
	got, stands, err := b.store.FindSession(b.ctx, want.Hash)
	b.p.ok(fmt.Sprintf("FindSession of %q", want.ID), err)
	same(b.p, "FindSession", got, want)
	equal(b.p, fmt.Sprintf("FindSession of %q, standing", want.ID), stands, known)
}

func (b book) findsNone(r session.Record) {
	_, _, err := b.store.FindSession(b.ctx, r.Hash)
	b.p.is(fmt.Sprintf("FindSession of %q", r.ID), err, auth.ErrNotFound)
}

// most is a limit that no list of these checks comes near.
const most = 1000

// lists demands that these are the account's live sessions, in this order.
func (b book) lists(account string, now time.Time, want ...string) {
	list, err := b.store.ListSessions(b.ctx, account, now, most)
	b.p.ok("ListSessions", err)
	got := []string{}
	for _, r := range list {
		got = append(got, r.ID)
	}
	equal(b.p, fmt.Sprintf("ListSessions(%q)", account), got, append([]string{}, want...))
}

// aligns demands what AlignStanding returns.
func (b book) aligns(account string, to, want auth.Standing) {
	got, err := b.store.AlignStanding(b.ctx, account, to)
	b.p.ok("AlignStanding", err)
	equal(b.p, fmt.Sprintf("AlignStanding to %+v", to), got, want)
}

// raises demands that RaiseStanding does it.
func (b book) raises(account string, from, to auth.Standing, keep string) {
	b.p.ok(fmt.Sprintf("RaiseStanding to %+v", to), b.store.RaiseStanding(b.ctx, account, from, to, keep))
}

// stale demands that RaiseStanding is refused.
func (b book) stale(account string, from, to auth.Standing, keep string) {
	err := b.store.RaiseStanding(b.ctx, account, from, to, keep)
	b.p.is(fmt.Sprintf("RaiseStanding from %+v, with keep %q", from, keep), err, auth.ErrStale)
}

// stands demands that the account is known so. It moves nothing: a standing of zero is older news.
func (b book) stands(account string, want auth.Standing) {
	got, err := b.store.AlignStanding(b.ctx, account, auth.Standing{Status: want.Status})
	b.p.ok("AlignStanding", err)
	equal(b.p, fmt.Sprintf("the standing of %q", account), got, want)
}

func (b book) sweeps(now time.Time, limit, want int) {
	n, err := b.store.SweepSessions(b.ctx, now, limit)
	b.p.ok("SweepSessions", err)
	equal(b.p, fmt.Sprintf("swept with limit %d", limit), n, want)
}

// same is equal for records, of which empty proofs may be nil or not.
func same(p *probe, what string, got, want session.Record) {
	if len(got.Proofs) == 0 && len(want.Proofs) == 0 {
		got.Proofs = want.Proofs
	}
	equal(p, what, got, want)
}

var createRules = []rule[session.Store]{
	{
		"unknown is not found",
		"a hash that no session has is ErrNotFound, and an unknown account has no sessions",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.findsNone(signIn("a1", 1))
			b.findsNone(session.Record{})
			b.lists("a1", start)
			p.is("EndSession", s.EndSession(ctx, "a1", "a1-s1"), auth.ErrNotFound)
			p.ok("TouchSession", s.TouchSession(ctx, signIn("a1", 1).Hash, start, at(time.Hour)))
			b.findsNone(signIn("a1", 1))
		},
	},
	{
		"created is found whole",
		"a session comes back with every field as given, proofs, times in UTC to the millisecond and prefixes included, and with the account's standing",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			old := signIn("a3", 1)
			old.Prefix = netip.MustParsePrefix("192.0.2.0/24")
			b.adds(full("a1", 1), signIn("a2", 1), old)
			b.finds(full("a1", 1), opened)
			b.finds(signIn("a2", 1), opened)
			b.finds(old, opened)
		},
	},
	{
		"finding does not judge",
		"an expired session and one of an older epoch are found, so that the caller decides and can say why",
		func(ctx context.Context, p *probe, s session.Store) {
			b, expired := book{ctx, p, s}, signIn("a1", 1)
			expired.ExpiresAt = at(-time.Hour)
			b.adds(expired, signIn("a1", 2))
			b.aligns("a1", standing(flow.Locked, 2, 2), standing(flow.Locked, 2, 2))
			b.finds(expired, standing(flow.Locked, 2, 2))
			b.finds(signIn("a1", 2), standing(flow.Locked, 2, 2))
		},
	},
	{
		"an id is used once",
		"a second session with the id, of whatever account, is ErrTaken, and nothing changes",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1), signIn("a2", 1))
			for _, again := range []session.Record{signIn("a1", 2), signIn("a2", 2)} {
				again.ID = "a1-s1"
				err := b.create(again, standing(flow.Active, 2, 2), session.CreateOptions{Replaces: again.Account + "-s1"})
				p.is("CreateSession with the same id", err, auth.ErrTaken)
				b.findsNone(again)
			}
			b.finds(signIn("a1", 1), opened)
			b.finds(signIn("a2", 1), opened)
		},
	},
	{
		"a hash is used once",
		"a second session with the hash is ErrTaken, and nothing changes: else one token would open two",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1), signIn("a2", 1))
			for _, again := range []session.Record{signIn("a1", 2), signIn("a2", 2)} {
				again.Hash = signIn("a1", 1).Hash
				err := b.create(again, standing(flow.Active, 2, 2), session.CreateOptions{Replaces: again.Account + "-s1"})
				p.is("CreateSession with the same hash", err, auth.ErrTaken)
			}
			b.finds(signIn("a1", 1), opened)
			b.finds(signIn("a2", 1), opened)
			b.lists("a1", start, "a1-s1")
			b.lists("a2", start, "a2-s1")
		},
	},
	{
		"one creation wins",
		"of sessions created at once with one hash and one id one comes into being",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			p.oneWon("CreateSession", race(racers, func(i int) error {
				r := signIn(fmt.Sprintf("a%d", i), 1)
				r.ID, r.Hash = signIn("a1", 1).ID, signIn("a1", 1).Hash
				return b.create(r, opened, session.CreateOptions{})
			}), auth.ErrTaken)
		},
	},
	{
		"no session after a security change",
		"if the known security epoch is higher than the flow saw it is ErrStale: a sign-in that races a new password must not pass with the old one",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.aligns("a1", standing(flow.Active, 2, 1), standing(flow.Active, 2, 1))
			p.is("CreateSession", b.create(signIn("a1", 1), opened, session.CreateOptions{}), auth.ErrStale)
			p.is("CreateSession", b.create(signIn("a1", 1), standing(flow.Active, 1, 9), session.CreateOptions{}), auth.ErrStale)
			b.findsNone(signIn("a1", 1))
			b.stands("a1", standing(flow.Active, 2, 1))
			b.lists("a1", start)
		},
	},
	{
		"no session after all ended",
		"if the known session epoch is higher than the flow saw it is ErrStale: \"sign out everywhere\" ends sign-ins under way",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.aligns("a1", standing(flow.Active, 1, 2), standing(flow.Active, 1, 2))
			p.is("CreateSession", b.create(signIn("a1", 1), opened, session.CreateOptions{}), auth.ErrStale)
			p.is("CreateSession", b.create(signIn("a1", 1), standing(flow.Active, 9, 1), session.CreateOptions{}), auth.ErrStale)
			b.findsNone(signIn("a1", 1))
			b.stands("a1", standing(flow.Active, 1, 2))
		},
	},
	{
		"no session at another status",
		"at the same epochs another known status is ErrStale, and nothing changes",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.aligns("a1", standing(flow.Disabled, 1, 1), standing(flow.Disabled, 1, 1))
			p.is("CreateSession", b.create(signIn("a1", 1), opened, session.CreateOptions{}), auth.ErrStale)
			b.findsNone(signIn("a1", 1))
			b.stands("a1", standing(flow.Disabled, 1, 1))
		},
	},
	{
		"creation brings the standing",
		"the standing that the flow saw is taken over when it is newer, and ends the sessions that are older",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			b.adds(signIn("a1", 1))
			newer := signIn("a1", 2)
			newer.Epoch = 2
			p.ok("CreateSession", b.create(newer, standing(flow.Locked, 3, 2), session.CreateOptions{}))
			b.finds(signIn("a1", 1), standing(flow.Locked, 3, 2))
			b.finds(newer, standing(flow.Locked, 3, 2))
			b.lists("a1", start, "a1-s2")
			p.ok("CreateSession", b.create(signIn("a1", 3), standing(flow.Active, 4, 2), session.CreateOptions{}))
			b.stands("a1", standing(flow.Active, 4, 2))
			b.lists("a1", start, "a1-s2", "a1-s3")
		},
	},
	{
		"a late creation lowers nothing",
		"of a creation and a raise of the epochs at once the raise remains, whoever comes first",
		func(ctx context.Context, p *probe, s session.Store) {
			b := book{ctx, p, s}
			for i, err := range race(racers, func(i int) error {
				if i == racers/2 {
					_, err := s.AlignStanding(ctx, "a1", standing(flow.Disabled, 2, 2))
					return err
				}
				return b.create(signIn("a1", i), opened, session.CreateOptions{})
			}) {
				if err != nil && (i == racers/2 || !errors.Is(err, auth.ErrStale)) {
					p.failf("call %d: %v", i, err)
				}
			}
			b.stands("a1", standing(flow.Disabled, 2, 2))
			b.lists("a1", start)
		},
	},
	{
		"strings are opaque",
		"ids, accounts and browsers that differ in a byte are different; one that cannot be stored is refused, never mistaken",
		func(ctx context.Context, p *probe, s session.Store) {
			b, stored := book{ctx, p, s}, []session.Record{}
			for i, text := range oddStrings() {
				r := signIn(text, 1)
				r.ID, r.UserAgent = text, text
				known := standing(flow.Active, uint64(i+1), 1)
				if err := b.create(r, known, session.CreateOptions{}); err != nil {
					if !mayRefuse(text) {
						p.failf("CreateSession %q: %v", text, err)
					}
					_, _, err := s.FindSession(ctx, r.Hash)
					p.is("FindSession of a refused one", err, auth.ErrNotFound)
					continue
				}
				stored = append(stored, r)
				b.finds(r, known)
			}
			for _, r := range stored {
				b.lists(r.Account, start, r.ID)
				p.ok(fmt.Sprintf("EndSession %q", r.ID), s.EndSession(ctx, r.Account, r.ID))
				b.findsNone(r)
			}
		},
	},
}
