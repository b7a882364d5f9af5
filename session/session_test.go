package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

func TestNewNamesEveryProblem(t *testing.T) {
	_, err := session.New(session.Config{
		Plain:         session.Lifetime{Idle: -time.Second, Absolute: 31 * day},
		Keep:          session.Lifetime{Idle: 20 * day, Absolute: 10 * day},
		MaxPerAccount: -1,
	})
	for _, part := range []string{"Store is required", "Plain.Idle is -1s", "needs a Plain.Justification", "Keep.Idle is 480h0m0s", "MaxPerAccount is -1"} {
		require.ErrorContains(t, err, part)
	}
}

func TestLimits(t *testing.T) {
	minutes := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	const why = "our customers asked for it"
	for _, c := range []struct {
		name string
		life session.Lifetime
		ok   bool
	}{
		{"defaults", session.Lifetime{}, true},
		{"negative idle", session.Lifetime{Idle: -1}, false},
		{"negative absolute", session.Lifetime{Absolute: -1}, false},
		{"shortest", session.Lifetime{Idle: minutes(5), Absolute: minutes(5)}, true},
		{"too short to be coalesced", session.Lifetime{Idle: minutes(5) - 1}, false},
		{"idle longer than absolute", session.Lifetime{Idle: 2 * day, Absolute: day}, false},
		{"a short absolute limit bounds the default idle one", session.Lifetime{Absolute: time.Hour}, true},
		{"what NIST recommends", session.Lifetime{Absolute: 30 * day}, true},
		{"a nanosecond more", session.Lifetime{Absolute: 30*day + 1}, false},
		{"a nanosecond more, with a reason", session.Lifetime{Absolute: 30*day + 1, Justification: why}, true},
		{"31 days", session.Lifetime{Absolute: 31 * day}, false},
		{"as long as a cookie lives", session.Lifetime{Absolute: 400 * day, Justification: why}, true},
		{"longer", session.Lifetime{Absolute: 400*day + 1, Justification: why}, false},
	} {
		for field, cfg := range map[string]session.Config{"Plain": {Plain: c.life}, "Keep": {Keep: c.life}} {
			cfg.Store = newFakeStore()
			_, err := session.New(cfg)
			require.Equal(t, c.ok, err == nil, "%s %s: %v", field, c.name, err)
		}
	}
	_, err := session.New(session.Config{Store: newFakeStore(), EvictOldest: true})
	require.ErrorContains(t, err, "MaxPerAccount")
}

func TestLimitsInForce(t *testing.T) {
	l := newManager(t, newFakeStore()).Limits()
	require.Equal(t, session.Lifetime{Idle: 12 * time.Hour, Absolute: 7 * day}, l.Plain)
	require.Equal(t, 30*day, l.Keep.Idle)
	require.Equal(t, 365*day, l.Keep.Absolute)
	require.Contains(t, l.Keep.Justification, "as long as it is used")
	require.Equal(t, session.Lifetime{Absolute: 30 * day}, l.Recommended)
	require.Zero(t, l.MaxPerAccount)

	l = newManager(t, newFakeStore(), func(c *session.Config) {
		c.Keep = session.Lifetime{Absolute: 90 * day, Justification: "a quarter"}
		c.MaxPerAccount, c.EvictOldest = 5, true
	}).Limits()
	require.Equal(t, session.Lifetime{Idle: 30 * day, Absolute: 90 * day, Justification: "a quarter"}, l.Keep)
	require.Equal(t, 5, l.MaxPerAccount)
	require.True(t, l.EvictOldest)
}

// ASVS 7.1.1 and 7.1.2: what exceeds a recommendation says why.
func TestReport(t *testing.T) {
	report := newManager(t, newFakeStore(), func(c *session.Config) {
		c.MaxPerAccount = 5
		c.Keep = session.Lifetime{Absolute: 90 * day, Justification: "a quarter"}
	}).Report()
	text := fmt.Sprint(report)
	for _, want := range []string{"12 hours", "7 days", "90 days", "a quarter", "recommends 30 days", "5", "refused", "cardea_st_"} {
		require.Contains(t, text, want)
	}
}

// ASVS 7.5.2; limen's list of sessions hands out their bearer tokens.
func TestListNeverHoldsATokenOrItsHash(t *testing.T) {
	store := newFakeStore()
	m := newManager(t, store)
	first := signIn(t, m, false, start)
	second := signIn(t, m, true, start.Add(time.Hour))
	other := request(flow.Proof{Method: flow.Password, At: start, Account: "acct-ben"})
	other.Account = "acct-ben"
	_, err := m.Issue(t.Context(), other, start)
	require.NoError(t, err)

	list, err := m.List(t.Context(), anna, start.Add(2*time.Hour))
	require.NoError(t, err)
	require.Equal(t, []auth.Session{second.Session, first.Session}, list, "the last seen first, nobody else's")
	printed, err := json.Marshal(list)
	require.NoError(t, err)
	text := string(printed) + fmt.Sprintf("%+v %#v", list, list) + fmt.Sprintf("%+v %#v %s", first, first, first.Token)
	for hash, rec := range store.sessions {
		require.NotContains(t, text, fmt.Sprint(hash))
		for _, token := range []string{first.Token.Reveal(), second.Token.Reveal()} {
			require.NotContains(t, text, token)
			require.NotContains(t, fmt.Sprintf("%+v", rec), token, "nor does the store get it")
			require.NotContains(t, string(hash[:]), token)
		}
	}
	for _, s := range list {
		require.False(t, s.Current)
	}
	list, err = m.List(t.Context(), "nobody", start)
	require.NoError(t, err)
	require.Empty(t, list)
}

// ASVS 7.4.1: the token is dead once the session ended, whoever ends it; and only its owner's account can.
func TestEnd(t *testing.T) {
	m := newManager(t, newFakeStore())
	s := signIn(t, m, true, start)
	require.ErrorIs(t, m.End(t.Context(), "acct-ben", s.ID), auth.ErrNotFound)
	_, err := m.Authenticate(t.Context(), s.Token, start)
	require.NoError(t, err)
	require.NoError(t, m.End(t.Context(), anna, s.ID))
	_, err = m.Authenticate(t.Context(), s.Token, start)
	require.ErrorIs(t, err, denied)
	require.ErrorIs(t, m.End(t.Context(), anna, s.ID), auth.ErrNotFound)
}

// A page of sessions costs no more than a page, however many there are.
func TestListIsBounded(t *testing.T) {
	m := newManager(t, newFakeStore())
	var last auth.IssuedSession
	for n := range session.MaxListed + 1 {
		last = signIn(t, m, false, start.Add(time.Duration(n)*time.Second))
	}
	list, err := m.List(t.Context(), anna, start.Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, list, session.MaxListed)
	require.Equal(t, last.Session, list[0], "it is the first one that is left out")
	require.Equal(t, start.Add(time.Second), list[session.MaxListed-1].SeenAt)
}

// ASVS 7.4.2, 7.4.3, 7.4.5: one act ends all sessions, or all but one; a closed account has none.
func TestRaiseAndAlign(t *testing.T) {
	store := newFakeStore()
	m := newManager(t, store)
	var all []auth.IssuedSession
	for range 100 {
		all = append(all, signIn(t, m, false, start))
	}
	alive := func() (n int) {
		for _, s := range all {
			if _, err := m.Authenticate(t.Context(), s.Token, start); err == nil {
				n++
			} else {
				require.ErrorIs(t, err, denied)
			}
		}
		return n
	}
	raised := auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 2, Session: 2}}
	require.NoError(t, m.Raise(t.Context(), anna, standing, raised, all[7].ID))
	require.Equal(t, 1, alive(), "all others end")
	require.Equal(t, 1, store.calls["RaiseStanding"])
	err := m.Raise(t.Context(), anna, standing, raised, all[8].ID)
	require.ErrorIs(t, err, auth.ErrStale, "who saw the same comes second")
	require.Equal(t, 1, alive())
	_, err = m.Authenticate(t.Context(), all[7].Token, start)
	require.NoError(t, err)

	known, err := m.Align(t.Context(), anna, standing)
	require.NoError(t, err)
	require.Equal(t, raised, known, "old news change nothing")

	for _, status := range []flow.Status{flow.Disabled, flow.Locked, flow.Invited} {
		_, err = m.Align(t.Context(), anna, auth.Standing{Status: status, Epochs: raised.Epochs})
		require.NoError(t, err)
		require.Zero(t, alive(), "%s, though no epoch rose", status)
	}
	_, err = m.Align(t.Context(), anna, auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 3, Session: 3}})
	require.NoError(t, err)
	require.Zero(t, alive())
	n, err := m.SweepSessions(t.Context(), start, 60)
	require.NoError(t, err)
	require.Equal(t, 60, n)
}

// Every error of the store comes through, to be matched, and never with a session.
func TestStoreFaults(t *testing.T) {
	calls := map[string]func(*session.Manager, context.Context) error{
		"CreateSession": func(m *session.Manager, ctx context.Context) error {
			s, err := m.Issue(ctx, request(proof(flow.Password, start)), start)
			require.Zero(t, s)
			return err
		},
		"FindSession": func(m *session.Manager, ctx context.Context) error {
			s, err := m.Authenticate(ctx, token('A'), start)
			require.Zero(t, s)
			require.NotErrorIs(t, err, denied, "a fault is no refusal")
			r := request(proof(flow.Password, start))
			r.Replaces, r.Client.Session = "x", token('A')
			s2, errIssue := m.Issue(ctx, r, start)
			require.Zero(t, s2)
			require.ErrorIs(t, errIssue, errors.Unwrap(err))
			return err
		},
		"ListSessions": func(m *session.Manager, ctx context.Context) error {
			list, err := m.List(ctx, anna, start)
			require.Nil(t, list)
			return err
		},
		"EndSession": func(m *session.Manager, ctx context.Context) error { return m.End(ctx, anna, "x") },
		"AlignStanding": func(m *session.Manager, ctx context.Context) error {
			known, err := m.Align(ctx, anna, standing)
			require.Zero(t, known)
			return err
		},
		"RaiseStanding": func(m *session.Manager, ctx context.Context) error {
			raised := auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 2, Session: 2}}
			return m.Raise(ctx, anna, standing, raised, "")
		},
		"SweepSessions": func(m *session.Manager, ctx context.Context) error {
			_, err := m.SweepSessions(ctx, start, 10)
			return err
		},
	}
	for method, call := range calls {
		for _, fault := range []error{errDown, auth.ErrStale, auth.ErrLimit, auth.ErrTaken, context.DeadlineExceeded} {
			store := newFakeStore()
			store.fail[method] = fault
			require.ErrorIs(t, call(newManager(t, store), t.Context()), fault, method)
		}
		store := newFakeStore()
		store.hang = true
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, call(newManager(t, store), ctx), context.Canceled, method)
	}
}

func TestAtTheLimit(t *testing.T) {
	two := func(evict bool) func(*session.Config) {
		return func(c *session.Config) { c.MaxPerAccount, c.EvictOldest = 2, evict }
	}
	at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

	m := newManager(t, newFakeStore(), two(false))
	first := signIn(t, m, false, at(0))
	signIn(t, m, false, at(1))
	_, err := m.Issue(t.Context(), request(proof(flow.Password, at(2))), at(2))
	require.ErrorIs(t, err, auth.ErrLimit)
	r := request(proof(flow.Password, at(3)))
	r.Replaces, r.Client.Session = first.ID, first.Token
	_, err = m.Issue(t.Context(), r, at(3))
	require.NoError(t, err, "the replaced one makes room")
	signIn(t, m, false, at(3).Add(12*time.Hour)) // as do those that ended

	m = newManager(t, newFakeStore(), two(true))
	first = signIn(t, m, false, at(0))
	second := signIn(t, m, false, at(1))
	third := signIn(t, m, false, at(2))
	_, err = m.Authenticate(t.Context(), first.Token, at(3))
	require.ErrorIs(t, err, denied)
	for _, s := range []auth.IssuedSession{second, third} {
		_, err = m.Authenticate(t.Context(), s.Token, at(3))
		require.NoError(t, err)
	}
}
