package auth_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// shown is what the account's owner is shown, by class.
func (w *world) shown(account string) map[auth.ActivityClass]int {
	w.t.Helper()
	list, err := w.Activity(w.ctx, auth.Session{Account: account})
	require.NoError(w.t, err)
	require.LessOrEqual(w.t, len(list), 20)
	classes := map[auth.ActivityClass]int{}
	for i, a := range list {
		classes[a.Class]++
		require.False(w.t, i > 0 && a.At.After(list[i-1].At), "the newest comes first")
	}
	return classes
}

// Whoever knows the address alone can neither bury what its owner did nor fill the store, from however many networks
// and with however many User-Agents they come, and whether or not there is an account.
func TestStrangersCannotBuryActivity(t *testing.T) {
	var kept []auth.Activity
	w := newOpen(t, func(c *auth.Config) {
		c.Throttle.Free, c.Throttle.AccountLeak, c.Throttle.MailLeak = 100, time.Second, time.Second
		c.Activity = recording{c.Activity, &kept}
	})
	a := w.account(ann)
	b := w.browser()
	for range 10 {
		w.clock.Advance(25 * time.Hour)
		b.signIn(ann, right)
	}
	before := w.happened(a.ID)
	require.Len(t, before, 11)
	for _, email := range []string{ann, stranger} {
		eve := w.browser()
		for n := range 95 {
			w.clock.Advance(time.Minute)
			eve.addr, eve.agent = netip.AddrFrom4([4]byte{10, byte(n), 0, 1}), fmt.Sprint("Eve/", n)
			eve.guess(email, wrong)
			_, err := eve.ask(flow.Recovery, email)
			require.NoError(t, err)
		}
	}
	after := w.happened(a.ID)
	require.Equal(t, before, after[:11], "nothing of it is gone")
	require.Len(t, after, 11+20)
	require.Equal(t, map[auth.ActivityClass]int{auth.ActivityAttempt: 9, auth.ActivityUse: 10, auth.ActivityChange: 1}, w.shown(a.ID))
	decoy := kept[len(kept)-1].Account
	require.True(t, strings.HasPrefix(decoy, "decoy~"))
	require.Len(t, w.happened(decoy), 20)
}

// recording keeps what it is given, beside the store.
type recording struct {
	auth.ActivityStore
	kept *[]auth.Activity
}

func (r recording) RecordActivity(ctx context.Context, a auth.Activity, keep int) error {
	*r.kept = append(*r.kept, a)
	return r.ActivityStore.RecordActivity(ctx, a, keep)
}

// Alike attempts of one day and one network are one entry, whatever they call themselves.
func TestAlikeAttemptsAreOneEntry(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) { c.Throttle.Free = 100 })
	a := w.account(ann)
	b := w.browser()
	for n := range 50 {
		w.clock.Advance(time.Minute)
		b.addr = netip.AddrFrom4([4]byte{192, 0, 2, byte(n)})
		b.agent = []string{"Firefox/140 (Windows)", "Chrome/140 (Linux)"}[n%2]
		b.guess(ann, wrong)
	}
	last := w.clock.Now()
	b.addr = netip.MustParseAddr("198.51.100.1")
	b.guess(ann, wrong)
	w.clock.Advance(15 * time.Hour) // past midnight
	b.guess(ann, wrong)
	require.Equal(t, []string{
		"account-created", "attempt-failed password 192.0.2.0/24 Chrome/140 (Linux) x50", "attempt-failed password 198.51.100.0/24 Chrome/140 (Linux)",
		"attempt-failed password 198.51.100.0/24 Chrome/140 (Linux)",
	}, w.happened(a.ID))
	list, err := w.Activity(w.ctx, auth.Session{Account: a.ID})
	require.NoError(t, err)
	require.Equal(t, []time.Time{start.Add(time.Minute), last}, []time.Time{list[2].FirstAt, list[2].At})
}

// Sign-ins that look alike are one entry a day; those with another device are not.
func TestAlikeSignInsAreOneEntry(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	b := w.browser()
	b.agent = "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"
	for range 3 {
		w.clock.Advance(time.Minute)
		b.signIn(ann, right)
	}
	b.agent = "Mozilla/5.0 (Macintosh) Firefox/140.0"
	w.clock.Advance(time.Minute)
	b.signIn(ann, right)
	require.Equal(t, []string{
		"account-created", "new-device password 192.0.2.0/24 Mozilla/5.0 (Windows NT 10.0) Firefox/140.0",
		"signed-in password 192.0.2.0/24 Mozilla/5.0 (Windows NT 10.0) Firefox/140.0 x2",
		"signed-in password 192.0.2.0/24 Mozilla/5.0 (Macintosh) Firefox/140.0",
	}, w.happened(a.ID))
}

// Whoever has the password can sign in as often as they like: that hides no change.
func TestThievesCannotBuryAChange(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	_, err := b.change(right, newer, false)
	require.NoError(t, err)
	for n := range 80 {
		w.clock.Advance(time.Minute)
		b.addr = netip.AddrFrom4([4]byte{10, byte(n), 0, 1})
		b.signIn(ann, newer)
	}
	list, err := w.Activity(w.ctx, auth.Session{Account: a.ID})
	require.NoError(t, err)
	require.Len(t, list, 20)
	require.Equal(t, []auth.ActivityWhat{auth.ActivityPasswordChanged, auth.ActivityAccountCreated}, []auth.ActivityWhat{list[18].What, list[19].What})
	require.Len(t, w.happened(a.ID), 52)
}

// Each class has its share of the list, and what one does not need.
func TestShares(t *testing.T) {
	for name, c := range map[string]struct{ attempts, uses, changes, wantAttempts, wantUses, wantChanges int }{
		"nothing":               {0, 0, 0, 0, 0, 0},
		"attempts alone":        {20, 0, 0, 20, 0, 0},
		"few of each":           {3, 3, 3, 3, 3, 3},
		"many of each":          {20, 50, 50, 5, 8, 7},
		"few changes":           {20, 50, 2, 5, 13, 2},
		"few uses":              {20, 2, 50, 5, 2, 13},
		"no attempts":           {0, 50, 50, 0, 8, 12},
		"few but attempts":      {20, 4, 4, 12, 4, 4},
		"one more than its own": {20, 9, 6, 5, 9, 6},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for class, n := range map[auth.ActivityClass]int{auth.ActivityAttempt: c.attempts, auth.ActivityUse: c.uses, auth.ActivityChange: c.changes} {
				for i := range n {
					at := start.Add(time.Duration(i) * time.Second)
					entry := auth.Activity{Account: "a1", Class: class, What: "w", Count: 1, FirstAt: at, At: at, ExpiresAt: at.Add(time.Hour)}
					require.NoError(t, w.store.RecordActivity(w.ctx, entry, 50))
				}
			}
			want := map[auth.ActivityClass]int{auth.ActivityAttempt: c.wantAttempts, auth.ActivityUse: c.wantUses, auth.ActivityChange: c.wantChanges}
			for class, n := range want {
				if n == 0 {
					delete(want, class)
				}
			}
			require.Equal(t, want, w.shown("a1"))
		})
	}
}

// A decoy costs what an account costs, call by call and entry by entry; only that nobody will ever read it is known
// here, and it is kept for a day.
func TestDecoysHaveActivityForADay(t *testing.T) {
	var kept []auth.Activity
	w := newOpen(t, func(c *auth.Config) { c.Activity = recording{c.Activity, &kept} })
	a := w.account(ann)
	entries := map[string][]auth.Activity{}
	calls := map[string][]string{}
	for _, email := range []string{ann, stranger} {
		kept = nil
		w.tap.take()
		b := w.browser()
		b.guess(email, wrong)
		_, err := b.ask(flow.Recovery, email)
		require.NoError(t, err)
		entries[email], calls[email] = kept, w.tap.take()
	}
	require.Equal(t, calls[ann], calls[stranger])
	require.Len(t, entries[stranger], 2)
	decoy := entries[stranger][0].Account
	for i, e := range entries[stranger] {
		require.Equal(t, start.Add(24*time.Hour), e.ExpiresAt)
		e.Account, e.ExpiresAt = a.ID, start.Add(90*24*time.Hour)
		require.Equal(t, entries[ann][i], e)
	}
	w.clock.Advance(24*time.Hour - time.Second)
	require.NoError(t, w.Sweep(w.ctx))
	require.Len(t, w.happened(decoy), 2)
	w.clock.Advance(time.Second)
	require.NoError(t, w.Sweep(w.ctx))
	n, err := w.store.SweepActivity(w.ctx, start.Add(time.Hour*1e5), 100)
	require.NoError(t, err)
	require.Equal(t, 3, n, "the account's own")
}

// Entries end: after 90 days, or what the configuration says, and with their account.
func TestActivityEnds(t *testing.T) {
	for keep, want := range map[time.Duration]time.Duration{0: 90 * 24 * time.Hour, 30 * 24 * time.Hour: 30 * 24 * time.Hour} {
		w := newWorld(t, func(c *auth.Config) { c.KeepActivity = keep })
		a := w.account(ann)
		w.clock.Advance(want - time.Second)
		require.NoError(t, w.Sweep(w.ctx))
		require.Len(t, w.happened(a.ID), 1)
		w.clock.Advance(time.Second)
		require.Empty(t, w.happened(a.ID), "not shown, swept or not")
		require.NoError(t, w.Sweep(w.ctx))
		n, err := w.store.SweepActivity(w.ctx, w.clock.Now(), 10)
		require.NoError(t, err)
		require.Zero(t, n, "it was swept")
		require.Contains(t, w.Report().Markdown(), auth.ReportDuration(want))
	}
	w := newWorld(t)
	a := w.account(ann)
	w.browser().signIn(ann, right)
	w.browser().guess(ann, wrong)
	require.Len(t, w.happened(a.ID), 3)
	require.NoError(t, w.DeleteAccount(w.ctx, a.ID))
	require.Empty(t, w.happened(a.ID))
}

// A store that fails or hangs changes nothing that is decided, and nobody waits for it long.
func TestFailingActivityStoreChangesNothing(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	var mu sync.Mutex
	waits := []time.Duration{}
	w.tap.set(func(ctx context.Context, _ int, name string, work func() error) error {
		if name != "Activity.Record" {
			return work()
		}
		until, bounded := ctx.Deadline()
		require.True(t, bounded)
		mu.Lock()
		defer mu.Unlock()
		waits = append(waits, time.Until(until))
		return errFault
	})
	w.browser().guess(ann, wrong)
	b := w.browser()
	b.signIn(ann, right)
	_, err := b.change(right, newer, true)
	require.NoError(t, err)
	require.NoError(t, w.DisableAccount(w.ctx, a.ID))
	require.Len(t, waits, 4)
	for _, wait := range waits {
		require.LessOrEqual(t, wait, 2*time.Second)
	}
	require.Equal(t, 4, strings.Count(w.logs.String(), `"where":"record activity"`))
	require.Contains(t, w.logs.String(), errFault.Error())
	require.Equal(t, []string{"account-created"}, w.happened(a.ID))

	w.tap.set(func(ctx context.Context, _ int, name string, work func() error) error {
		if name == "Activity.List" {
			return errFault
		}
		return work()
	})
	_, err = w.Activity(w.ctx, auth.Session{Account: a.ID})
	require.ErrorIs(t, err, errFault)
}

// What is kept is for the account's owner, and still holds nothing that opens anything or names anybody.
func TestActivityHoldsNoSecretAndNoAddress(t *testing.T) {
	var kept []auth.Activity
	w := newOpen(t, func(c *auth.Config) { c.Activity = recording{c.Activity, &kept} })
	w.account(ann)
	b := w.browser()
	b.agent = "Mozilla/5.0\r\nforged\u202e" + strings.Repeat("x", 1000)
	b.guess(ann, wrong)
	s := b.signIn(ann, right)
	_, err := b.change(right, newer, false)
	require.NoError(t, err)
	link := w.resetLinkIn()
	_, err = w.browser().renew(flow.Recovery, link, latest, true)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(kept), 6)
	for _, a := range kept {
		text := fmt.Sprintf("%+v", a)
		for _, secret := range []string{right, wrong, newer, latest, ann, "example.com", s.Token.Reveal(), link.Reveal(), b.cookie.Reveal(), b.device.Reveal(), "192.0.2.7"} {
			require.NotContains(t, text, secret)
		}
		require.LessOrEqual(t, len(a.UserAgent), 256)
		require.LessOrEqual(t, len(a.Merge), 256)
		require.NotContains(t, text, "\n")
		require.NotContains(t, text, "\u202e")
	}
}

// resetLinkIn asks for a new password and returns the link, among whatever else was mailed.
func (p *postal) resetLinkIn() auth.Secret {
	p.t.Helper()
	p.letters()
	return p.resetLink(ann)
}

// Without a store nothing is kept, nothing is shown and nothing is missed.
func TestNoActivityWithoutAStore(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) { c.Activity = nil })
	a := w.account(ann)
	w.browser().guess(ann, wrong)
	w.browser().signIn(ann, right)
	require.NoError(t, w.Sweep(w.ctx))
	list, err := w.Activity(w.ctx, auth.Session{Account: a.ID})
	require.NoError(t, err)
	require.Empty(t, list)
	require.Empty(t, w.happened(a.ID))
	require.Contains(t, w.Report().Markdown(), "| what happened with an account is kept for its owner | no |")

	w.cfg.Activity, w.cfg.KeepActivity = (*recording)(nil), -time.Second
	_, err = auth.New(w.cfg)
	require.ErrorContains(t, err, "Activity is a nil pointer")
	require.ErrorContains(t, err, "KeepActivity is -1s")
}

// The entries go on when the caller hangs up: a thief must not be able to sign in unseen.
func TestActivityIsKeptWhenTheCallerHangsUp(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	ctx, hangUp := context.WithCancel(context.Background())
	w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
		err := work()
		if name == "Sessions.Issue" {
			hangUp()
		}
		return err
	})
	b := w.browser()
	p, err := b.begin(ann)
	require.NoError(t, err)
	w.ctx = ctx
	_, _ = b.password(p.Handle, right)
	require.Contains(t, w.happened(a.ID), "new-device password 192.0.2.0/24 Firefox/140")
}
