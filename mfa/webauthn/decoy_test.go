package webauthn_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/mfa/webauthn"
)

func decoysOf(t testing.TB, rp *webauthn.RelyingParty, account, identifier string) options {
	t.Helper()
	c, err := rp.BeginAssertion(webauthn.Claimant{Account: account, Identifier: identifier}, now)
	require.NoError(t, err)
	o := read(t, c)
	o.Challenge = ""
	return o
}

// Who asks twice, or on another server, or after a rotation of the keys, or on the day after the address got an
// account, gets the same list (ASVS 6.3.8).
func TestDecoysAreStable(t *testing.T) {
	one := newWorld(t).rp
	want := decoysOf(t, one, "decoy~1", "ann@mail.example")
	require.Equal(t, want, decoysOf(t, one, "decoy~1", "ann@mail.example"))
	require.Equal(t, want, decoysOf(t, newWorld(t).rp, "decoy~1", "ann@mail.example"))
	require.Equal(t, want, decoysOf(t, one, "account-4711", "ann@mail.example"))
	rotated := newWorld(t, func(c *webauthn.Config) { c.Keys = keys(t, key("k3", 3), key("k2", 2), key("k1", 1)) }).rp
	require.Equal(t, want, decoysOf(t, rotated, "decoy~1", "ann@mail.example"))
	for _, other := range []*webauthn.RelyingParty{
		newWorld(t, func(c *webauthn.Config) { c.Keys = keys(t, key("k1", 9)) }).rp,
		newWorld(t, func(c *webauthn.Config) { c.Keys = keys(t, key("k1", 1), key("k0", 9)) }).rp,
	} {
		require.NotEqual(t, want.AllowCredentials[0].ID, decoysOf(t, other, "decoy~1", "ann@mail.example").AllowCredentials[0].ID,
			"they cannot be computed without the key")
	}
}

func TestDecoysLookReal(t *testing.T) {
	rp := newWorld(t).rp
	lengths, counts, ids := map[string]int{}, map[int]int{}, map[string]bool{}
	const people = 2000
	for i := range people {
		o := decoysOf(t, rp, "decoy~1", fmt.Sprintf("u%d@mail.example", i))
		require.Equal(t, "preferred", o.UserVerification)
		counts[len(o.AllowCredentials)]++
		for _, c := range o.AllowCredentials {
			require.Equal(t, "public-key", c.Type)
			require.False(t, ids[c.ID], "an id came twice")
			ids[c.ID] = true
			lengths[fmt.Sprint(len(unb64(t, c.ID)), c.Transports)]++
		}
	}
	require.Len(t, lengths, 4, lengths)
	for shape, share := range map[string]float64{"20 [hybrid internal]": 6, "16 [hybrid internal]": 6, "32 [internal]": 3, "48 [nfc usb]": 1} {
		require.InDelta(t, float64(len(ids))*share/16, lengths[shape], float64(len(ids))/16*0.8, shape)
	}
	require.InDelta(t, people*0.7, counts[1], people*0.06)
	require.Equal(t, people, counts[1]+counts[2])

	// The members of the options are those of a real list.
	w, d := newWorld(t), newDevice(webauthn.ES256)
	d.id = d.id[:20]
	w.enrol("ann", d)
	shape := func(o options) string {
		return fmt.Sprint(o.Timeout, o.RPID, o.UserVerification, o.AllowCredentials[0].Type, o.AllowCredentials[0].Transports)
	}
	real := read(t, w.beginGet("ann"))
	for i := 0; ; i++ {
		if o := decoysOf(t, rp, "decoy~1", fmt.Sprint(i)); len(unb64(t, o.AllowCredentials[0].ID)) == 20 {
			require.Equal(t, shape(real), shape(o))
			return
		}
	}
}

// Whatever is answered to decoys is refused, and a row is asked for and a signature verified as for a real one.
func TestDecoysProveNothing(t *testing.T) {
	w := newWorld(t)
	c := w.beginGet("nobody")
	d := newDevice(webauthn.ES256)
	d.id, d.handle = unb64(t, read(t, c).AllowCredentials[0].ID), make([]byte, 32)
	asked := w.asked
	_, err := w.get(c, d)
	refused(t, err, webauthn.CredentialUnknown)
	require.Equal(t, asked+1, w.asked)

	// Even if somebody had the id.
	w.table[string(d.id)] = webauthn.Credential{
		ID: d.id, Account: "nobody", UserHandle: d.handle, PublicKey: d.cose(), Algorithm: webauthn.ES256, UserVerified: true,
	}
	_, err = w.get(c, d)
	refused(t, err, webauthn.CredentialUnknown)

	_, err = w.get(c, newDevice(webauthn.ES256))
	refused(t, err, webauthn.CredentialNotAllowed, "the ids are bound as real ones are")
	_, err = w.get(c, d, set("origin", "https://evil.example"))
	refused(t, err, webauthn.WrongOrigin, "and so is everything else")
}

// A rotation changes nothing for those who have passkeys, even when the old key is gone.
func TestHandlesOutliveTheirKey(t *testing.T) {
	w, d := newWorld(t), newDevice(webauthn.ES256)
	w.enrol("ann", d)
	handle := read(t, w.beginCreate("ann")).User.ID
	fresh := func(k auth.Keys) string {
		rotated := newWorld(t, func(c *webauthn.Config) { c.Keys = k })
		return read(t, rotated.beginCreate("ann")).User.ID
	}
	both := keys(t, key("k2", 2), key("k1", 1))
	require.Equal(t, handle, fresh(both), "while the old key is there, it makes them")
	gone := newWorld(t, func(c *webauthn.Config) { c.Keys = keys(t, key("k2", 2)) })
	gone.table = w.table
	require.Equal(t, handle, read(t, gone.beginCreate("ann")).User.ID, "after that, the rows have them")
	a, err := gone.get(gone.beginDiscover(), d)
	require.NoError(t, err)
	require.Equal(t, "ann", a.Account)
}
