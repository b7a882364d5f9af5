package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

func TestCreateAccountRefuses(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	for name, c := range map[string]struct {
		n      auth.NewAccount
		reason flow.Reason
	}{
		"no address":     {auth.NewAccount{Identifier: "ann", Password: auth.NewSecret(right)}, flow.AddressRejected},
		"taken":          {auth.NewAccount{Identifier: ann, Password: auth.NewSecret(right)}, flow.AddressTaken},
		"taken, in caps": {auth.NewAccount{Identifier: "ANN@EXAMPLE.COM"}, flow.AddressTaken},
		"weak":           {auth.NewAccount{Identifier: "x@example.com", Password: auth.NewSecret(weak)}, flow.PasswordRejected},
		"the address":    {auth.NewAccount{Identifier: "long@example.com", Password: auth.NewSecret("long@example.com")}, flow.PasswordRejected},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.CreateAccount(w.ctx, c.n)
			refused(t, err, c.reason)
		})
	}
	w.pw.setBusy(true)
	_, err := w.CreateAccount(w.ctx, auth.NewAccount{Identifier: "y@example.com", Password: auth.NewSecret(right)})
	refused(t, err, flow.Busy)
	_, err = w.store.FindByIdentifier(w.ctx, "y@example.com")
	require.ErrorIs(t, err, auth.ErrNotFound, "a refusal creates nothing")
}

// An account that nobody opened is taken up; one that is kept already never gets another password this way.
func TestCreateAccountTakesUpWhatTheDirectoryHas(t *testing.T) {
	w := newWorld(t)
	w.tap.failOnce("Accounts.Open", false)
	_, err := w.CreateAccount(w.ctx, auth.NewAccount{Identifier: ann, Password: auth.NewSecret(right)})
	require.ErrorIs(t, err, errFault)
	first, err := w.store.FindByIdentifier(w.ctx, ann)
	require.NoError(t, err)
	a := w.account(ann)
	require.Equal(t, first.ID, a.ID)
	w.browser().signIn(ann, right)
	_, err = w.CreateAccount(w.ctx, auth.NewAccount{Identifier: ann, Password: auth.NewSecret(newer)})
	refused(t, err, flow.AddressTaken)
	w.browser().signIn(ann, right)
}

// ASVS 7.4.2: sessions end when the account is closed, and do not come back with it.
func TestDisabledAccountsSessionsStayDead(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	b := w.browser()
	s := b.signIn(ann, right)
	p, err := b.enrol()
	require.NoError(t, err)
	for range 2 { // twice is no error
		require.NoError(t, w.DisableAccount(w.ctx, a.ID))
	}
	_, err = w.Authenticate(w.ctx, s.Token)
	refused(t, err, flow.SessionRequired)
	_, err = b.do(p.Handle, "password", change(right, newer, false))
	refused(t, err, flow.SessionRequired)
	refusedSignIn, err := w.browser().try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.BadCredentials, reasonOf(refusedSignIn))
	for range 2 {
		require.NoError(t, w.EnableAccount(w.ctx, a.ID))
	}
	_, err = w.Authenticate(w.ctx, s.Token)
	refused(t, err, flow.SessionRequired)
	require.Empty(t, w.live(a.ID))
	w.browser().signIn(ann, right)
}

func TestEnableGivesBackOnlyWhatThereWas(t *testing.T) {
	w := newWorld(t)
	a, err := w.CreateAccount(w.ctx, auth.NewAccount{Identifier: ann})
	require.NoError(t, err)
	require.Equal(t, flow.Invited, w.standing(a.ID).Status)
	require.NoError(t, w.EnableAccount(w.ctx, a.ID))
	require.NoError(t, w.UnlockAccount(w.ctx, a.ID))
	require.Equal(t, flow.Invited, w.standing(a.ID).Status, "neither opens what waits for its activation")
	require.NoError(t, w.DisableAccount(w.ctx, a.ID))
	require.NoError(t, w.UnlockAccount(w.ctx, a.ID))
	require.Equal(t, flow.Disabled, w.standing(a.ID).Status)
	require.NoError(t, w.EnableAccount(w.ctx, a.ID))
	require.Equal(t, flow.Invited, w.standing(a.ID).Status)

	locked := w.account("locked@example.com")
	_, err = w.store.SetStatus(w.ctx, locked.ID, w.standing(locked.ID), flow.Locked, w.clock.Now())
	require.NoError(t, err)
	require.NoError(t, w.EnableAccount(w.ctx, locked.ID))
	require.Equal(t, flow.Locked, w.standing(locked.ID).Status, "a lock is undone by name only")
	require.NoError(t, w.UnlockAccount(w.ctx, locked.ID))
	require.Equal(t, flow.Active, w.standing(locked.ID).Status)
}

func TestOperatorsChangesRepeatWhenTheAccountMoves(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	calls := 0
	w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
		if name == "Accounts.SetStatus" {
			if calls++; calls < 3 {
				require.NoError(t, w.MarkPasswordCompromised(w.ctx, a.ID))
			}
		}
		return work()
	})
	require.NoError(t, w.DisableAccount(w.ctx, a.ID))
	require.Equal(t, 3, calls)
	require.Equal(t, flow.Disabled, w.standing(a.ID).Status)
	require.Equal(t, w.standing(a.ID), w.mirror(a.ID))

	w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
		if name == "Accounts.SetStatus" {
			return auth.ErrStale
		}
		return work()
	})
	require.ErrorIs(t, w.EnableAccount(w.ctx, a.ID), auth.ErrStale, "not for ever")
}

func TestDeleteEndsEverything(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	b := w.browser()
	s := b.signIn(ann, right)
	for range 2 {
		require.NoError(t, w.DeleteAccount(w.ctx, a.ID))
	}
	_, err := w.Authenticate(w.ctx, s.Token)
	refused(t, err, flow.SessionRequired)
	_, err = w.Account(w.ctx, a.ID)
	require.ErrorIs(t, err, auth.ErrNotFound)
	p, err := b.try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.BadCredentials, reasonOf(p))
	require.NotEqual(t, a.ID, w.account(ann).ID)
	require.False(t, w.alive(s.Token))
	w.browser().signIn(ann, right)
}

func TestUnknownAccountsAreNotFound(t *testing.T) {
	w := newWorld(t)
	for name, do := range map[string]func(string) error{
		"disable": func(id string) error { return w.DisableAccount(w.ctx, id) },
		"enable":  func(id string) error { return w.EnableAccount(w.ctx, id) },
		"unlock":  func(id string) error { return w.UnlockAccount(w.ctx, id) },
		"mark":    func(id string) error { return w.MarkPasswordCompromised(w.ctx, id) },
		"end":     func(id string) error { return w.EndSessions(w.ctx, id) },
		"changed": func(id string) error { return w.AccountChanged(w.ctx, id) },
	} {
		require.ErrorIs(t, do("nobody"), auth.ErrNotFound, name)
	}
	require.NoError(t, w.DeleteAccount(w.ctx, "nobody"))
	a, err := w.CreateAccount(w.ctx, auth.NewAccount{Identifier: ann})
	require.NoError(t, err)
	require.ErrorIs(t, w.MarkPasswordCompromised(w.ctx, a.ID), auth.ErrStale)
	require.Equal(t, w.standing(a.ID), w.mirror(a.ID), "nothing is left half done")
}

func TestAccountChangedEndsSessionsAndFlows(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	b := w.browser()
	s := b.signIn(ann, right)
	require.NoError(t, w.AccountChanged(w.ctx, a.ID))
	require.False(t, w.alive(s.Token))
	require.Equal(t, w.standing(a.ID), w.mirror(a.ID))
	b.signIn(ann, right)
}

// reader is a Passwords that can tell which hashes it reads.
type reader struct{ auth.Passwords }

func (reader) CheckHash(encoded string) error {
	if !strings.HasPrefix(encoded, "h0:") {
		return errors.New("an old kind is wanted")
	}
	return nil
}

func TestCreateAccountWithAHash(t *testing.T) {
	imported := auth.NewAccount{Identifier: ann, Hash: auth.NewEncodedHash(hashOf("h0", right))}
	w := newWorld(t)
	_, err := w.CreateAccount(w.ctx, imported)
	require.ErrorIs(t, err, auth.ErrHash, "nobody can tell whether it would be read")

	w = newWorld(t, func(c *auth.Config) { c.Passwords = reader{c.Passwords} })
	for name, n := range map[string]auth.NewAccount{
		"a password for a hash": {Identifier: ann, Hash: auth.NewEncodedHash(right)},
		"a hash and a password": {Identifier: ann, Hash: imported.Hash, Password: auth.NewSecret(right)},
	} {
		_, err := w.CreateAccount(w.ctx, n)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), right)
		_, err = w.store.FindByIdentifier(w.ctx, ann)
		require.ErrorIs(t, err, auth.ErrNotFound, "%s creates nothing", name)
	}
	// A fault in the middle of an import: the same row again completes it.
	w.tap.failOnce("Accounts.Open", false)
	_, err = w.CreateAccount(w.ctx, imported)
	require.ErrorIs(t, err, errFault)
	a, err := w.CreateAccount(w.ctx, imported)
	require.NoError(t, err)
	_, err = w.CreateAccount(w.ctx, imported)
	refused(t, err, flow.AddressTaken)
	w.browser().signIn(ann, right)
	hash, err := w.store.PasswordHash(w.ctx, a.ID)
	require.NoError(t, err)
	require.Equal(t, hashOf("h1", right), hash, "the sign-in has made a new one")
	require.NotContains(t, w.logs.String(), hashOf("h0", right))
}

func TestEncodedHashIsNotPrinted(t *testing.T) {
	h := auth.NewEncodedHash("$2b$12$something")
	n := auth.NewAccount{Identifier: ann, Hash: h}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.NotContains(t, fmt.Sprintf(verb, h), "something")
		require.NotContains(t, fmt.Sprintf(verb, n), "something")
		require.NotContains(t, fmt.Sprintf(verb, &n), "something")
	}
	text, err := json.Marshal(n)
	require.NoError(t, err)
	require.NotContains(t, string(text), "something")
	require.False(t, h.IsZero())
	require.True(t, auth.NewEncodedHash("").IsZero())
}
