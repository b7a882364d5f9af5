package webauthn_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/mfa/webauthn"
)

// The steps that an assertion alone has, and those on what both ceremonies send.

func TestCheck13AllowedCredentials(t *testing.T) {
	w, d, other := newWorld(t), newDevice(webauthn.ES256), newDevice(webauthn.ES256)
	w.enrol("ann", d)
	before := w.beginGet("ann")
	w.enrol("ann", other)
	foreign := newDevice(webauthn.ES256)
	w.enrol("eve", foreign)
	asked := w.asked
	_, err := w.get(before, foreign)
	refused(t, err, webauthn.CredentialNotAllowed, "somebody else's")
	_, err = w.get(before, other)
	refused(t, err, webauthn.CredentialNotAllowed, "one that was added since")
	_, err = w.get(before, newDevice(webauthn.ES256))
	refused(t, err, webauthn.CredentialNotAllowed, "nobody's")
	require.Equal(t, asked, w.asked, "the table was not even asked")
	_, err = w.get(before, d)
	require.NoError(t, err)
}

func TestCheck14KnownUser(t *testing.T) {
	w, d, eves := newWorld(t), newDevice(webauthn.ES256), newDevice(webauthn.ES256)
	w.enrol("ann", d)
	w.enrol("eve", eves)

	// A row that changed hands between the halves.
	c := w.beginGet("ann")
	row := w.table[string(d.id)]
	row.Account = "eve"
	w.table[string(d.id)] = row
	_, err := w.get(c, d)
	refused(t, err, webauthn.WrongAccount)
	var refusal *webauthn.RefusedError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "eve", refusal.Account)
	require.Equal(t, d.id, refusal.CredentialID)
	row.Account = "ann"
	w.table[string(d.id)] = row

	for why, handle := range map[string][]byte{"of somebody else": eves.handle, "of nobody": make([]byte, 32), "cut": d.handle[:31], "the account": []byte("ann")} {
		_, err = w.get(w.beginGet("ann"), d, inner("userHandle", b64(handle)))
		refused(t, err, webauthn.WrongAccount, why)
	}
	for why, handle := range map[string]any{"absent": nil, "null": json.RawMessage("null"), "empty": "", "right": b64(d.handle)} {
		a, err := w.get(w.beginGet("ann"), d, inner("userHandle", handle))
		require.NoError(t, err, why)
		require.Equal(t, "ann", a.Account)
	}
	_, err = w.create("eve", w.beginCreate("ann"), newDevice(webauthn.ES256))
	refused(t, err, webauthn.WrongAccount, "a registration that began for another account")
	_, err = w.create("", w.beginCreate("ann"), newDevice(webauthn.ES256))
	refused(t, err, webauthn.WrongAccount)
}

func TestCheck15Usernameless(t *testing.T) {
	w, d, eves := newWorld(t), newDevice(webauthn.ES256), newDevice(webauthn.ES256)
	w.enrol("ann", d)
	w.enrol("eve", eves)
	for why, handle := range map[string]any{"absent": nil, "null": json.RawMessage("null"), "empty": ""} {
		_, err := w.get(w.beginDiscover(), d, inner("userHandle", handle))
		refused(t, err, webauthn.NoUserHandle, why)
	}
	_, err := w.get(w.beginDiscover(), eves, inner("userHandle", b64(d.handle)))
	refused(t, err, webauthn.WrongAccount, "Eve's credential with Ann's handle")
	_, err = w.get(w.beginDiscover(), d, inner("userHandle", b64(make([]byte, 65))))
	refused(t, err, webauthn.Malformed, "longer than a handle")
	_, err = w.get(w.beginDiscover(), newDevice(webauthn.ES256), inner("userHandle", b64(d.handle)))
	refused(t, err, webauthn.CredentialUnknown, "no such credential")
	a, err := w.get(w.beginDiscover(), eves)
	require.NoError(t, err)
	require.Equal(t, "eve", a.Account)
	require.JSONEq(t, "[]", string(mustField(t, w.beginDiscover().Options, "allowCredentials")))
}

func TestCheck16BackupEligibility(t *testing.T) {
	for was, is := range map[byte]byte{flagUP: flagUP | flagBE, flagUP | flagBE: flagUP, flagUP | flagBE | flagBS: flagUP} {
		w, d := newWorld(t), newDevice(webauthn.ES256)
		w.enrol("ann", d, withFlags(was))
		_, err := w.get(w.beginGet("ann"), d, withFlags(is))
		refused(t, err, webauthn.BackupEligibility)
		_, err = w.get(w.beginDiscover(), d, withFlags(is))
		refused(t, err, webauthn.BackupEligibility)
	}
	w, d := newWorld(t), newDevice(webauthn.ES256)
	w.enrol("ann", d, withFlags(flagUP|flagBE))
	for _, backedUp := range []bool{true, false, true} {
		flags := byte(flagUP | flagBE)
		if backedUp {
			flags |= flagBS
		}
		a, err := w.get(w.beginGet("ann"), d, withFlags(flags))
		require.NoError(t, err, "whether it is backed up may change")
		require.Equal(t, backedUp, a.Credential.BackedUp)
	}
}

func TestCheck17Signature(t *testing.T) {
	for _, alg := range algorithms {
		w, d := newWorld(t), newDevice(alg)
		w.enrol("ann", d)
		flip := func(at int) bend {
			return func(s *sent) {
				s.signature = func(authData, hash []byte) []byte {
					sig := s.signer.sign(append(bytes.Clone(authData), hash...))
					sig[(at+len(sig))%len(sig)] ^= 1
					return sig
				}
			}
		}
		over := func(change func(authData, hash []byte) []byte) bend {
			return func(s *sent) {
				s.signature = func(a, h []byte) []byte { return s.signer.sign(change(bytes.Clone(a), bytes.Clone(h))) }
			}
		}
		bends := map[string]bend{
			"a bit at its end": flip(-1), "a bit in the middle": flip(32), "a bit in its head": flip(0),
			"empty":         func(s *sent) { s.signature = func(_, _ []byte) []byte { return nil } },
			"zeros":         func(s *sent) { s.signature = func(_, _ []byte) []byte { return make([]byte, 64) } },
			"absent":        inner("signature", nil),
			"another key's": func(s *sent) { s.signer = newSigner(alg) },
			"a longer one": func(s *sent) {
				s.signature = func(a, h []byte) []byte { return append(s.signer.sign(append(bytes.Clone(a), h...)), 0) }
			},
			"the client data alone":        over(func(_, h []byte) []byte { return h }),
			"the authenticator data alone": over(func(a, _ []byte) []byte { return a }),
			"in the other order":           over(func(a, h []byte) []byte { return append(h, a...) }),
			"other authenticator data":     over(func(a, h []byte) []byte { a[36] ^= 1; return append(a, h...) }),
			"without its flags":            over(func(a, h []byte) []byte { a[32] &^= flagUV; return append(a, h...) }),
			"other client data":            over(func(a, h []byte) []byte { h[0] ^= 1; return append(a, h...) }),
		}
		for why, b := range bends {
			for _, c := range []webauthn.Ceremony{w.beginGet("ann"), w.beginDiscover()} {
				_, err := w.get(c, d, b)
				refused(t, err, webauthn.BadSignature, alg, " ", why)
			}
		}
		// Another client text that says the same is another text.
		c := w.beginGet("ann")
		answer := d.get(t, c)
		text := unb64(t, field(t, answer, "clientDataJSON"))
		changed := bytes.Replace(answer, []byte(b64(text)), []byte(b64(append(bytes.Clone(text), ' '))), 1)
		_, err := w.finishGet(c, changed)
		refused(t, err, webauthn.BadSignature)
		_, err = w.finishGet(c, answer)
		require.NoError(t, err)
	}
}

func TestCheck18Counter(t *testing.T) {
	for _, c := range []struct {
		stored, told uint32
		ok           bool
	}{
		{0, 0, true}, {0, 1, true}, {5, 6, true}, {5, 1 << 31, true}, {5, 5, false}, {5, 4, false}, {5, 0, false},
		{1<<32 - 1, 0, false}, {1<<32 - 1, 1<<32 - 1, false},
	} {
		w, d := newWorld(t), newDevice(webauthn.ES256)
		d.count = c.stored
		w.enrol("ann", d)
		d.count = 0
		for _, ceremony := range []webauthn.Ceremony{w.beginGet("ann"), w.beginDiscover()} {
			before := w.table[string(d.id)]
			before.SignCount = c.stored
			w.table[string(d.id)] = before
			a, err := w.get(ceremony, d, func(s *sent) { s.count = c.told })
			if c.ok {
				require.NoError(t, err, c)
				require.Equal(t, c.told, a.Credential.SignCount)
				continue
			}
			refused(t, err, webauthn.CounterWentBack, c)
			require.Equal(t, before, w.table[string(d.id)], "nothing is stored")
			var refusal *webauthn.RefusedError
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, "ann", refusal.Account, "so that its owner can be told")
			require.Equal(t, d.id, refusal.CredentialID)
		}
	}
}

func TestCheck19Update(t *testing.T) {
	w, d := newWorld(t), newDevice(webauthn.ES256)
	d.count = 7
	enrolled := w.enrol("ann", d, withFlags(flagUP|flagBE))
	require.False(t, enrolled.UserVerified)
	later := now.Add(time.Minute)
	c := w.beginGet("ann")
	a, err := w.rp.FinishAssertion(t.Context(), c.State, d.get(t, c, withFlags(flagUP|flagUV|flagBE|flagBS)), w.lookup, later)
	require.NoError(t, err)
	want := enrolled
	want.SignCount, want.BackedUp, want.UsedAt = 8, true, later
	require.Equal(t, want, a.Credential, "and the rest stays, UserVerified too")

	// Its first word on verification counts for nothing, or a stolen security key without a PIN would be two
	// factors as soon as the thief sets one.
	require.False(t, a.Verified)
	require.True(t, a.FirstVerification)
	demanding, err := w.rp.BeginAssertion(webauthn.Claimant{Account: "ann", Credentials: w.of("ann"), Verify: true}, now)
	require.NoError(t, err)
	_, err = w.get(demanding, d, withFlags(flagUP|flagUV|flagBE))
	refused(t, err, webauthn.UserNotVerified)

	raised := want
	raised.UserVerified = true
	w.table[string(d.id)] = raised
	a, err = w.get(demanding, d, withFlags(flagUP|flagUV|flagBE))
	require.NoError(t, err)
	require.True(t, a.Verified)
	require.False(t, a.FirstVerification)
}

func TestCheck20Extensions(t *testing.T) {
	extension := func(s *sent) {
		s.extension = cborMap(cborText("credProtect"), cborInt(2), cborText("hmac-secret"), []byte{0xf5}, cborText("x-new"), cborArray(cborInt(1)))
	}
	client := envelope("clientExtensionResults", map[string]any{"credProps": map[string]any{"rk": true}, "appid": true, "x-new": []int{1}, "prf": nil})
	for _, b := range []bend{extension, client, envelope("clientExtensionResults", nil), envelope("authenticatorAttachment", "platform"), inner("publicKeyAlgorithm", -7)} {
		w, d := newWorld(t), newDevice(webauthn.ES256)
		w.enrol("ann", d, b)
		for _, c := range []webauthn.Ceremony{w.beginGet("ann"), w.beginDiscover()} {
			_, err := w.get(c, d, b)
			require.NoError(t, err)
		}
	}
	w := newWorld(t)
	require.NotContains(t, string(w.beginCreate("ann").Options), "extensions")
	require.NotContains(t, string(w.beginDiscover().Options), "extensions")
	// appid would let the signature be for another domain than ours.
	d := newDevice(webauthn.ES256)
	w.enrol("ann", d)
	_, err := w.get(w.beginGet("ann"), d, client, func(s *sent) { s.rpID = "https://app.example" })
	refused(t, err, webauthn.WrongRelyingParty)
}

func TestCheck21HandleAndChallenge(t *testing.T) {
	w := newWorld(t)
	const account = "account-4711"
	seen := map[string]bool{}
	var handle string
	for range 100 {
		c, err := w.rp.BeginRegistration(webauthn.Registrant{Account: account, Name: "ann@mail.example"}, now)
		require.NoError(t, err)
		o := read(t, c)
		require.Len(t, unb64(t, o.Challenge), 32)
		require.False(t, seen[o.Challenge], "a challenge came twice")
		seen[o.Challenge] = true
		require.True(t, handle == "" || handle == o.User.ID, "one handle for each account")
		handle = o.User.ID
	}
	raw := unb64(t, handle)
	require.Len(t, raw, 32)
	for _, personal := range []string{account, "4711", "ann", "mail", "example"} {
		require.NotContains(t, string(raw), personal)
	}
	other := read(t, w.beginCreate("bob")).User.ID
	require.NotEqual(t, handle, other)
	elsewhere := newWorld(t, func(c *webauthn.Config) { c.Keys = keys(t, key("k1", 9)) })
	c, err := elsewhere.rp.BeginRegistration(webauthn.Registrant{Account: account, Name: "ann"}, now)
	require.NoError(t, err)
	require.NotEqual(t, handle, read(t, c).User.ID, "it cannot be computed without the key")
}

// mustField returns a member of an object.
func mustField(t testing.TB, object []byte, name string) json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(object, &m))
	require.Contains(t, m, name)
	return m[name]
}

// field returns a text member of an answer's "response".
func field(t testing.TB, answer []byte, name string) (text string) {
	t.Helper()
	require.NoError(t, json.Unmarshal(mustField(t, mustField(t, answer, "response"), name), &text))
	return text
}
