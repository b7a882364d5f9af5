package auth_test

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// portFaults are ports with one mistake each: what a store, a clock or a feature must not do unnoticed. Mistakes
// of the shell itself are in shell_mutants_test.go.
func portFaults() []fault {
	return []fault{
		{name: "flows are saved whatever their version", config: func(c *auth.Config) { c.Flows = lastWins{c.Flows} }},
		{name: "flows never expire", config: func(c *auth.Config) { c.Flows = undying{c.Flows} }},
		{name: "flows forget their browser", config: func(c *auth.Config) { c.Flows = unbound{c.Flows} }},
		{name: "sessions are issued whatever the account's standing", config: func(c *auth.Config) { c.Sessions = anyStanding{c.Sessions} }},
		{name: "a raise keeps no session", config: func(c *auth.Config) { c.Sessions = keepless{c.Sessions} }},
		{name: "a raise changes nothing", config: func(c *auth.Config) { c.Sessions = raiseless{c.Sessions} }},
		{name: "sessions do not end", config: func(c *auth.Config) { c.Sessions = endless{c.Sessions} }},
		{name: "the replaced session lives on", store: func(s session.Store) session.Store { return replaceless{s} }},
		{name: "the idle limit is not kept", store: func(s session.Store) session.Store { return tireless{s} }},
		{name: "attempts are not counted", config: func(c *auth.Config) { c.Counters = countless{c.Counters} }},
		{name: "a refund forgets everything", config: func(c *auth.Config) { c.Counters = generous{c.Counters} }},
		{name: "a refund is lost", config: func(c *auth.Config) { c.Counters = greedy{c.Counters} }},
		{name: "every device is known", devices: func(d auth.Devices) auth.Devices { return credulous{d} }},
		{name: "every password is right", config: func(c *auth.Config) { c.Passwords = gullible{c.Passwords} }},
		{name: "every account is active", config: func(c *auth.Config) { c.Accounts = optimist{c.Accounts} }},
		{name: "passwords are replaced whatever the epochs", config: func(c *auth.Config) { c.PasswordStore = overwriting{c.PasswordStore, c.Accounts} }},
		{name: "the clock stands still", config: func(c *auth.Config) { c.Now = func() time.Time { return start } }},
		{name: "an old handle comes from a store that went back", config: func(c *auth.Config) { c.Flows = &backup{c.Flows, map[string]auth.FlowRecord{}} }},
	}
}

type lastWins struct{ auth.FlowStore }

func (f lastWins) SaveFlow(ctx context.Context, r auth.FlowRecord) error {
	err := f.FlowStore.SaveFlow(ctx, r)
	for errors.Is(err, auth.ErrStale) && r.Version < 100 {
		r.Version++
		err = f.FlowStore.SaveFlow(ctx, r)
	}
	return err
}

type undying struct{ auth.FlowStore }

func (f undying) LoadFlow(ctx context.Context, id string, _ time.Time) (auth.FlowRecord, error) {
	return f.FlowStore.LoadFlow(ctx, id, time.Time{})
}

type unbound struct{ auth.FlowStore }

func (f unbound) CreateFlow(ctx context.Context, r auth.FlowRecord) error {
	r.Browser = [32]byte{}
	return f.FlowStore.CreateFlow(ctx, r)
}

// backup is a store whose second save of a flow brings back what the first one wrote.
type backup struct {
	auth.FlowStore
	first map[string]auth.FlowRecord
}

func (f *backup) LoadFlow(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error) {
	r, err := f.FlowStore.LoadFlow(ctx, id, now)
	if first, ok := f.first[id]; err == nil && ok && r.Version > first.Version+1 {
		first.Version, first.TouchedAt, first.ExpiresAt = r.Version, r.TouchedAt, r.ExpiresAt
		return first, nil
	}
	if _, ok := f.first[id]; err == nil && !ok {
		f.first[id] = r
	}
	return r, err
}

type anyStanding struct{ auth.Sessions }

func (s anyStanding) Issue(ctx context.Context, r auth.SessionRequest, now time.Time) (auth.IssuedSession, error) {
	known, err := s.Sessions.Align(ctx, r.Account, auth.Standing{})
	if err != nil {
		return auth.IssuedSession{}, err
	}
	r.Standing.Epochs = flow.Epochs{
		Security: max(known.Epochs.Security, r.Standing.Epochs.Security), Session: max(known.Epochs.Session, r.Standing.Epochs.Session),
	}
	return s.Sessions.Issue(ctx, r, now)
}

type keepless struct{ auth.Sessions }

func (s keepless) Raise(ctx context.Context, account string, from, to auth.Standing, _ string) error {
	return s.Sessions.Raise(ctx, account, from, to, "")
}

type raiseless struct{ auth.Sessions }

func (s raiseless) Raise(context.Context, string, auth.Standing, auth.Standing, string) error {
	return nil
}

type endless struct{ auth.Sessions }

func (s endless) End(context.Context, string, string) error { return nil }

type replaceless struct{ session.Store }

func (s replaceless) CreateSession(ctx context.Context, r session.Record, expect auth.Standing, o session.CreateOptions) error {
	o.Replaces = ""
	return s.Store.CreateSession(ctx, r, expect, o)
}

type tireless struct{ session.Store }

func (s tireless) CreateSession(ctx context.Context, r session.Record, expect auth.Standing, o session.CreateOptions) error {
	r.ExpiresAt = r.EndsAt
	return s.Store.CreateSession(ctx, r, expect, o)
}

type countless struct{ auth.Counters }

func (c countless) Take(context.Context, []auth.Bucket, time.Time) (auth.Taken, error) {
	return auth.Taken{OK: true}, nil
}

type generous struct{ auth.Counters }

func (c generous) Refund(ctx context.Context, buckets []auth.Bucket, _ time.Time) error {
	for _, b := range buckets {
		if err := c.Counters.Reset(ctx, b.Key); err != nil {
			return err
		}
	}
	return nil
}

type greedy struct{ auth.Counters }

func (c greedy) Refund(context.Context, []auth.Bucket, time.Time) error { return nil }

type credulous struct{ auth.Devices }

func (d credulous) Known(auth.Secret, string, time.Time) bool { return true }

type gullible struct{ auth.Passwords }

func (p gullible) Verify(ctx context.Context, hash string, password auth.Secret, known bool) (bool, bool, error) {
	_, upgrade, err := p.Passwords.Verify(ctx, hash, password, known)
	return hash != "", upgrade, err
}

type optimist struct{ auth.AccountStore }

func (a optimist) State(ctx context.Context, id string) (auth.AccountState, error) {
	state, err := a.AccountStore.State(ctx, id)
	state.Status = flow.Active
	return state, err
}

type overwriting struct {
	auth.PasswordStore
	accounts auth.AccountStore
}

func (p overwriting) ReplacePassword(ctx context.Context, id string, from flow.Epochs, hash string, end bool, now time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	state, err := p.accounts.State(ctx, id)
	if err != nil {
		return from, err
	}
	return p.PasswordStore.ReplacePassword(ctx, id, state.Epochs, hash, end, now, letters...)
}

// testName turns a sentence into the name of a subtest.
func testName(sentence string) string { return strings.ReplaceAll(sentence, " ", "_") }
