package webauthn_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/mfa/webauthn"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC)

func key(id string, b byte) auth.Key {
	k := auth.Key{ID: id}
	for i := range k.Bytes {
		k.Bytes[i] = b
	}
	return k
}

func keys(t testing.TB, current auth.Key, older ...auth.Key) auth.Keys {
	t.Helper()
	k, err := auth.NewKeys(current, older...)
	require.NoError(t, err)
	return k
}

func config(t testing.TB) webauthn.Config {
	return webauthn.Config{Keys: keys(t, key("k1", 1)), Origin: "https://login.app.example", RPID: "app.example", Product: "Example"}
}

// world is a relying party with a table of credentials.
type world struct {
	t     testing.TB
	rp    *webauthn.RelyingParty
	table map[string]webauthn.Credential
	asked int
	fault error
}

func newWorld(t testing.TB, change ...func(*webauthn.Config)) *world {
	t.Helper()
	c := config(t)
	for _, f := range change {
		f(&c)
	}
	rp, err := webauthn.New(c)
	require.NoError(t, err)
	return &world{t: t, rp: rp, table: map[string]webauthn.Credential{}}
}

func (w *world) lookup(_ context.Context, id []byte) (webauthn.Credential, error) {
	w.asked++
	if w.fault != nil {
		return webauthn.Credential{}, w.fault
	}
	c, ok := w.table[string(id)]
	if !ok {
		return webauthn.Credential{}, auth.ErrNotFound
	}
	return c, nil
}

func (w *world) of(account string) (list []webauthn.Credential) {
	for _, c := range w.table {
		if c.Account == account {
			list = append(list, c)
		}
	}
	return list
}

func (w *world) beginCreate(account string) webauthn.Ceremony {
	w.t.Helper()
	c, err := w.rp.BeginRegistration(webauthn.Registrant{Account: account, Name: account + "@mail.example", Credentials: w.of(account)}, now)
	require.NoError(w.t, err)
	return c
}

func (w *world) beginGet(account string) webauthn.Ceremony {
	w.t.Helper()
	c, err := w.rp.BeginAssertion(webauthn.Claimant{Account: account, Identifier: account + "@mail.example", Credentials: w.of(account)}, now)
	require.NoError(w.t, err)
	return c
}

func (w *world) beginDiscover() webauthn.Ceremony {
	w.t.Helper()
	c, err := w.rp.BeginDiscoverable(false, now)
	require.NoError(w.t, err)
	return c
}

// create answers c for the account, and finishes it.
func (w *world) create(account string, c webauthn.Ceremony, d *device, bends ...bend) (webauthn.Credential, error) {
	w.t.Helper()
	return w.rp.FinishRegistration(w.t.Context(), account, c.State, d.create(w.t, c, bends...), w.lookup, now)
}

// get answers c and finishes it. What is to be stored is stored.
func (w *world) get(c webauthn.Ceremony, d *device, bends ...bend) (webauthn.Assertion, error) {
	w.t.Helper()
	return w.finishGet(c, d.get(w.t, c, bends...))
}

func (w *world) finishGet(c webauthn.Ceremony, response []byte) (webauthn.Assertion, error) {
	w.t.Helper()
	a, err := w.rp.FinishAssertion(w.t.Context(), c.State, response, w.lookup, now)
	if err == nil {
		w.table[string(a.Credential.ID)] = a.Credential
	} else {
		require.Zero(w.t, a, "a refusal proves nothing")
	}
	return a, err
}

// enrol registers an authenticator for the account.
func (w *world) enrol(account string, d *device, bends ...bend) webauthn.Credential {
	w.t.Helper()
	c, err := w.create(account, w.beginCreate(account), d, bends...)
	require.NoError(w.t, err)
	w.table[string(c.ID)] = c
	return c
}

// refused checks that err is a refusal for the reason, says nothing else, and is not taken for a fault.
func refused(t testing.TB, err error, reason webauthn.Reason, why ...any) {
	t.Helper()
	var refusal *webauthn.RefusedError
	require.ErrorAs(t, err, &refusal, why...)
	require.Equal(t, reason.String(), refusal.Reason.String(), why...)
	require.EqualError(t, err, "webauthn: refused: "+reason.String(), why...)
	require.NoError(t, errors.Unwrap(err), why...)
}

// fault checks that err is one, and no refusal.
func fault(t testing.TB, err error, text string) {
	t.Helper()
	var refusal *webauthn.RefusedError
	require.ErrorContains(t, err, text)
	require.False(t, errors.As(err, &refusal))
}

func set(name string, value any) bend { return func(s *sent) { s.client[name] = value } }
func unset(name string) bend          { return func(s *sent) { delete(s.client, name) } }
func withFlags(flags byte) bend       { return func(s *sent) { s.flags = flags } }
func inner(name string, value any) bend {
	return func(s *sent) { s.inner[name] = value }
}
func envelope(name string, value any) bend {
	return func(s *sent) { s.envelope[name] = value }
}
