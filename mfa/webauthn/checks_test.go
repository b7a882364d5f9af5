package webauthn_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/mfa/webauthn"
)

// The steps of a relying party (L3 §7.1, §7.2), each with what must be refused and, where it could be mistaken
// for it, what must not.

var algorithms = []webauthn.Algorithm{webauthn.ES256, webauthn.EdDSA, webauthn.RS256}

// both runs bends against a registration, an assertion of an account and one of whoever it is.
func both(t *testing.T, reason webauthn.Reason, bends map[string]bend) {
	t.Helper()
	for why, b := range bends {
		w := newWorld(t)
		_, err := w.create("ann", w.beginCreate("ann"), newDevice(webauthn.ES256), b)
		refused(t, err, reason, "create: ", why)
		d := newDevice(webauthn.ES256)
		w.enrol("ann", d)
		for _, c := range []webauthn.Ceremony{w.beginGet("ann"), w.beginDiscover()} {
			_, err = w.get(c, d, b)
			refused(t, err, reason, "get: ", why)
			_, err = w.get(c, d)
			require.NoError(t, err, why)
		}
	}
}

func TestHonestCeremonies(t *testing.T) {
	for _, alg := range algorithms {
		w, d := newWorld(t), newDevice(alg)
		c := w.enrol("ann", d)
		require.Equal(t, alg, c.Algorithm)
		for _, ceremony := range []webauthn.Ceremony{w.beginGet("ann"), w.beginDiscover()} {
			a, err := w.get(ceremony, d)
			require.NoError(t, err, alg)
			require.Equal(t, "ann", a.Account)
			require.True(t, a.Verified)
			require.False(t, a.FirstVerification)
			c.UsedAt = now
			require.Equal(t, c, a.Credential)
		}
	}
}

func TestCheck01Type(t *testing.T) {
	both(t, webauthn.WrongCeremony, map[string]bend{
		"swapped": func(s *sent) {
			s.client["type"] = map[any]string{"webauthn.get": "webauthn.create", "webauthn.create": "webauthn.get"}[s.client["type"]]
		},
		"none":         unset("type"),
		"empty":        set("type", ""),
		"another case": func(s *sent) { s.client["type"] = strings.ToUpper(s.client["type"].(string)) },
		"payment":      set("type", "payment.get"),
	})
	w, d := newWorld(t), newDevice(webauthn.ES256)
	w.enrol("ann", d)
	create, get := w.beginCreate("ann"), w.beginGet("ann")
	_, err := w.rp.FinishAssertion(t.Context(), create.State, d.get(t, create), w.lookup, now)
	refused(t, err, webauthn.WrongCeremony, "a registration finished as an assertion")
	for _, c := range []webauthn.Ceremony{get, w.beginDiscover()} {
		_, err = w.rp.FinishRegistration(t.Context(), "ann", c.State, newDevice(webauthn.ES256).create(t, create), w.lookup, now)
		refused(t, err, webauthn.WrongCeremony, "an assertion finished as a registration")
	}
}

func TestCheck02Challenge(t *testing.T) {
	both(t, webauthn.WrongChallenge, map[string]bend{
		"another":   set("challenge", b64(make([]byte, 32))),
		"none":      unset("challenge"),
		"empty":     set("challenge", ""),
		"padded":    func(s *sent) { s.client["challenge"] = s.client["challenge"].(string) + "=" },
		"cut":       func(s *sent) { s.client["challenge"] = s.client["challenge"].(string)[:42] },
		"in a list": func(s *sent) { s.client["challenge"] = s.client["challenge"].(string) + " " },
	})
	w, d := newWorld(t), newDevice(webauthn.ES256)
	w.enrol("ann", d)
	for _, begin := range []func() webauthn.Ceremony{func() webauthn.Ceremony { return w.beginGet("ann") }, w.beginDiscover} {
		first, second := begin(), begin()
		answer := d.get(t, first)
		_, err := w.finishGet(second, answer)
		refused(t, err, webauthn.WrongChallenge, "another flow's answer")
		for late, want := range map[time.Duration]bool{5*time.Minute - time.Millisecond: true, 5 * time.Minute: false, time.Hour: false} {
			_, err = w.rp.FinishAssertion(t.Context(), first.State, answer, w.lookup, now.Add(late))
			if want {
				require.NoError(t, err)
			} else {
				refused(t, err, webauthn.Expired)
			}
		}
	}
	create := w.beginCreate("ann")
	_, err := w.rp.FinishRegistration(t.Context(), "ann", create.State, newDevice(webauthn.ES256).create(t, create), w.lookup, now.Add(5*time.Minute))
	refused(t, err, webauthn.Expired)
	_, err = w.rp.FinishRegistration(t.Context(), "ann", create.State, newDevice(webauthn.ES256).create(t, w.beginCreate("ann")), w.lookup, now)
	refused(t, err, webauthn.WrongChallenge)
}

func TestCheck03Origin(t *testing.T) {
	bends := map[string]bend{"none": unset("origin")}
	for _, origin := range []string{
		"", "null", "https://app.example", "https://evil.app.example", "http://login.app.example", "https://login.app.example:8443",
		"https://login.app.example:443", "https://login.app.example/", "https://login.app.example.", "https://login.app.example.evil.example",
		"https://login-app.example", "https://login.app.exampIe", "https://login.app.ex\u0430mple", "https://LOGIN.app.example",
		"HTTPS://login.app.example", " https://login.app.example", "https://login.app.example\x00", "https://evil@login.app.example",
		"https://login.app.example?x", "https://login.app.example#x", "https://evil.example/https://login.app.example",
		"https://lo\u0261in.app.example", "android:apk-key-hash:x", "https://login.app.example https://evil.example",
	} {
		bends["origin "+origin] = set("origin", origin)
	}
	both(t, webauthn.WrongOrigin, bends)

	// Kelvin's sign folds to k: a comparison that folds case takes this host for ours.
	w := newWorld(t, func(c *webauthn.Config) { c.Origin, c.RPID = "https://bank.example", "bank.example" })
	ours := func(s *sent) { s.client["origin"], s.rpID = "https://bank.example", "bank.example" }
	d := newDevice(webauthn.ES256)
	w.enrol("ann", d, ours)
	_, err := w.get(w.beginGet("ann"), d, ours, set("origin", "https://ban\u212a.example"))
	refused(t, err, webauthn.WrongOrigin)
}

func TestCheck04Frames(t *testing.T) {
	both(t, webauthn.CrossOrigin, map[string]bend{
		"in a frame":                  set("crossOrigin", true),
		"in a frame of ours":          func(s *sent) { s.client["crossOrigin"], s.client["topOrigin"] = true, s.client["origin"] },
		"a top origin":                set("topOrigin", "https://evil.example"),
		"our own top origin":          set("topOrigin", "https://login.app.example"),
		"an empty top origin":         set("topOrigin", ""),
		"no top origin, but a member": set("topOrigin", nil),
	})
	both(t, webauthn.Malformed, map[string]bend{
		"text":    set("crossOrigin", "false"),
		"number":  set("crossOrigin", 0),
		"null":    set("crossOrigin", nil),
		"in caps": func(s *sent) { s.clientText = bytes.Replace(s.clientData(), []byte("false"), []byte("False"), 1) },
	})
	w, d := newWorld(t), newDevice(webauthn.ES256)
	w.enrol("ann", d, unset("crossOrigin"))
	_, err := w.get(w.beginGet("ann"), d, unset("crossOrigin"))
	require.NoError(t, err, "browsers of Level 1 say nothing of frames")
}

func TestCheck05RPIDHash(t *testing.T) {
	bends := map[string]bend{}
	for _, id := range []string{"", "login.app.example", "example", "app.example.", "App.example", "evil.example", "https://app.example"} {
		bends["of "+id] = func(s *sent) { s.rpID = id }
	}
	both(t, webauthn.WrongRelyingParty, bends)
}

func TestCheck06UserPresence(t *testing.T) {
	both(t, webauthn.UserNotPresent, map[string]bend{
		"nothing set": withFlags(0), "verified, not present": withFlags(flagUV), "backed up, not present": withFlags(flagUV | flagBE | flagBS),
	})
}

func TestCheck07UserVerification(t *testing.T) {
	demand := map[string]func(*world) (create, get, discover webauthn.Ceremony){
		"of all": func(*world) (a, b, c webauthn.Ceremony) {
			w := newWorld(t, func(c *webauthn.Config) { c.RequireVerification = true })
			return w.beginCreate("ann"), w.beginGet("ann"), w.beginDiscover()
		},
		"of one": func(w *world) (create, get, discover webauthn.Ceremony) {
			var err error
			create, err = w.rp.BeginRegistration(webauthn.Registrant{Account: "ann", Name: "ann", Verify: true}, now)
			require.NoError(t, err)
			get, err = w.rp.BeginAssertion(webauthn.Claimant{Account: "ann", Credentials: w.of("ann"), Verify: true}, now)
			require.NoError(t, err)
			discover, err = w.rp.BeginDiscoverable(true, now)
			require.NoError(t, err)
			return create, get, discover
		},
	}
	for name, begin := range demand {
		w, d := newWorld(t), newDevice(webauthn.ES256)
		w.enrol("ann", d)
		create, get, discover := begin(w)
		require.Equal(t, "required", read(t, create).AuthenticatorSelection.UserVerification)
		_, err := w.create("ann", create, newDevice(webauthn.ES256), withFlags(flagUP))
		refused(t, err, webauthn.UserNotVerified, name)
		for _, c := range []webauthn.Ceremony{get, discover} {
			require.Equal(t, "required", read(t, c).UserVerification)
			_, err := w.get(c, d, withFlags(flagUP))
			refused(t, err, webauthn.UserNotVerified, name)
		}
	}

	// Where it is not demanded it is recorded, and lowers what the proof is worth.
	w, d := newWorld(t), newDevice(webauthn.ES256)
	require.True(t, w.enrol("ann", d).UserVerified)
	require.Equal(t, "preferred", read(t, w.beginGet("ann")).UserVerification)
	for flags, verified := range map[byte]bool{flagUP: false, flagUP | flagUV: true} {
		a, err := w.get(w.beginGet("ann"), d, withFlags(flags))
		require.NoError(t, err)
		require.Equal(t, verified, a.Verified)
		require.True(t, a.Credential.UserVerified, "it is not forgotten")
	}
}

func TestCheck08BackupStateNeedsEligibility(t *testing.T) {
	both(t, webauthn.BackupFlags, map[string]bend{"BS without BE": withFlags(flagUP | flagUV | flagBS)})
}

func TestCheck09Algorithm(t *testing.T) {
	for _, offered := range algorithms {
		w := newWorld(t, func(c *webauthn.Config) { c.Algorithms = []webauthn.Algorithm{offered} })
		require.Len(t, read(t, w.beginCreate("ann")).Params, 1)
		for _, alg := range algorithms {
			_, err := w.create("ann", w.beginCreate("ann"), newDevice(alg))
			if alg == offered {
				require.NoError(t, err)
			} else {
				refused(t, err, webauthn.AlgorithmNotOffered, alg, " for ", offered)
			}
		}
	}
	w := newWorld(t)
	for _, alg := range []int{-9, -19, -35, -36, -37, -47, -65535, 0, 7} {
		_, err := w.create("ann", w.beginCreate("ann"), newDevice(webauthn.ES256), func(s *sent) {
			s.key = ec2(alg, 1, bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32))
		})
		refused(t, err, webauthn.AlgorithmNotOffered, alg)
	}
	require.Equal(t, []int{-7, -8, -257}, func() (all []int) {
		for _, p := range read(t, w.beginCreate("ann")).Params {
			all = append(all, p.Alg)
		}
		return all
	}())
}

func TestCheck10Attestation(t *testing.T) {
	w := newWorld(t)
	self := func(s *sent) {
		s.format = "packed"
		s.statement = func(authData, hash []byte) []byte {
			return cborMap(cborText("alg"), cborInt(int(s.signer.alg)), cborText("sig"), cborBytes(s.signer.sign(append(bytes.Clone(authData), hash...))))
		}
	}
	for _, alg := range algorithms {
		_, err := w.create("ann", w.beginCreate("ann"), newDevice(alg), self)
		require.NoError(t, err, "an authenticator's own signature, %s", alg)
	}
	packed := func(statement func(s *sent, sig []byte) []byte) bend {
		return func(s *sent) {
			s.format = "packed"
			s.statement = func(authData, hash []byte) []byte {
				return statement(s, s.signer.sign(append(bytes.Clone(authData), hash...)))
			}
		}
	}
	alg, sig := cborText("alg"), cborText("sig")
	for why, c := range map[string]struct {
		reason webauthn.Reason
		bend   bend
	}{
		"none with a statement": {webauthn.BadAttestation, func(s *sent) {
			s.statement = func(_, _ []byte) []byte { return cborMap(sig, cborBytes([]byte{1})) }
		}},
		"another key's signature": {webauthn.BadAttestation, packed(func(*sent, []byte) []byte {
			return cborMap(alg, cborInt(-7), sig, cborBytes(newSigner(webauthn.ES256).sign([]byte("x"))))
		})},
		"a bit of the signature": {webauthn.BadAttestation, packed(func(_ *sent, s []byte) []byte {
			s[len(s)-1] ^= 1
			return cborMap(alg, cborInt(-7), sig, cborBytes(s))
		})},
		"another algorithm":  {webauthn.BadAttestation, packed(func(_ *sent, s []byte) []byte { return cborMap(alg, cborInt(-8), sig, cborBytes(s)) })},
		"no algorithm":       {webauthn.BadAttestation, packed(func(_ *sent, s []byte) []byte { return cborMap(sig, cborBytes(s)) })},
		"no signature":       {webauthn.BadAttestation, packed(func(*sent, []byte) []byte { return cborMap(alg, cborInt(-7)) })},
		"a signature number": {webauthn.BadAttestation, packed(func(*sent, []byte) []byte { return cborMap(alg, cborInt(-7), sig, cborInt(7)) })},
		"certificates": {webauthn.AttestationNotAskedFor, packed(func(_ *sent, s []byte) []byte {
			return cborMap(alg, cborInt(-7), sig, cborBytes(s), cborText("x5c"), cborArray(cborBytes([]byte("broken"))))
		})},
		"certificates of another type": {webauthn.AttestationNotAskedFor, packed(func(_ *sent, s []byte) []byte {
			return cborMap(alg, cborInt(-7), sig, cborBytes(s), cborText("x5c"), cborBytes([]byte("broken")))
		})},
		"ECDAA": {webauthn.AttestationNotAskedFor, packed(func(_ *sent, s []byte) []byte {
			return cborMap(alg, cborInt(-7), sig, cborBytes(s), cborText("ecdaaKeyId"), cborBytes([]byte{1}))
		})},
	} {
		_, err := w.create("ann", w.beginCreate("ann"), newDevice(webauthn.ES256), c.bend)
		refused(t, err, c.reason, why)
	}
	for _, format := range []string{"", "None", "none ", "tpm", "android-key", "android-safetynet", "fido-u2f", "apple", "compound", "self"} {
		_, err := w.create("ann", w.beginCreate("ann"), newDevice(webauthn.ES256), self, func(s *sent) { s.format = format })
		if format == "compound" {
			refused(t, err, webauthn.Malformed, "its statement is a list")
		} else {
			refused(t, err, webauthn.AttestationNotAskedFor, format)
		}
	}
	require.Equal(t, "none", read(t, w.beginCreate("ann")).Attestation)
}

func TestCheck11CredentialID(t *testing.T) {
	for length, ok := range map[int]bool{0: false, 1: false, 15: false, 16: true, 1023: true, 1024: false, 2000: false} {
		w, d := newWorld(t), newDevice(webauthn.ES256)
		d.id = bytes.Repeat([]byte{7}, length)
		c, err := w.create("ann", w.beginCreate("ann"), d)
		if ok {
			require.NoError(t, err, length)
			w.table[string(c.ID)] = c
			_, err = w.get(w.beginGet("ann"), d)
			require.NoError(t, err, length)
		} else {
			refused(t, err, webauthn.Malformed, length)
		}
	}
	w, d := newWorld(t), newDevice(webauthn.ES256)
	_, err := w.create("ann", w.beginCreate("ann"), d, func(s *sent) { s.idLength = 1024; s.id = bytes.Repeat([]byte{7}, 1024) }, envelope("id", b64(d.id)), envelope("rawId", b64(d.id)))
	refused(t, err, webauthn.Malformed, "1024 bytes inside, 32 outside")
	_, err = w.create("ann", w.beginCreate("ann"), d, func(s *sent) { s.id = bytes.Repeat([]byte{7}, 32) }, envelope("id", b64(d.id)), envelope("rawId", b64(d.id)))
	refused(t, err, webauthn.Malformed, "another id outside than inside")
	_, err = w.get(w.beginDiscover(), d, func(s *sent) { s.id = bytes.Repeat([]byte{7}, 1024) })
	refused(t, err, webauthn.Malformed)

	// Known already: to this account, to another, and to this one in the meantime.
	first := w.beginCreate("ann")
	w.enrol("ann", d)
	thief := &device{signer: newSigner(webauthn.ES256), id: d.id, flags: flagUP | flagUV}
	_, err = w.create("eve", w.beginCreate("eve"), thief)
	refused(t, err, webauthn.CredentialTaken, "a second user registers somebody's id with their own key")
	_, err = w.create("ann", first, d)
	refused(t, err, webauthn.CredentialTaken, "found in the table")
	again := w.beginCreate("ann")
	require.Equal(t, b64(d.id), read(t, again).ExcludeCredentials[0].ID)
	w.table = map[string]webauthn.Credential{}
	_, err = w.create("ann", again, d)
	refused(t, err, webauthn.CredentialTaken, "excluded, and the table behind")
}

func TestCheck12Record(t *testing.T) {
	w, d := newWorld(t), newDevice(webauthn.EdDSA)
	d.count = 41
	c := w.enrol("ann", d, withFlags(flagUP|flagBE|flagBS))
	require.Equal(t, webauthn.Credential{
		ID: d.id, Account: "ann", UserHandle: d.handle, PublicKey: d.cose(), Algorithm: webauthn.EdDSA, SignCount: 41,
		Transports: []string{"hybrid", "internal"}, BackupEligible: true, BackedUp: true, AAGUID: d.aaguid, CreatedAt: now,
	}, c)
	require.True(t, newWorld(t).enrol("ann", newDevice(webauthn.ES256)).UserVerified)

	for said, kept := range map[string][]string{
		`["usb","nfc","usb"]`: {"nfc", "usb"}, `["of-the-future"]`: {"of-the-future"}, `[]`: nil, `null`: nil, `7`: nil, `[7]`: nil,
		`["<script>","USB","","` + strings.Repeat("a", 33) + `"]`:      nil,
		`["a","b","c","d","e","f","g","h","i","j"]`:                    {"a", "b", "c", "d", "e", "f", "g", "h"},
		`["ble","cable","hybrid","internal","nfc","smart-card","usb"]`: {"ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"},
	} {
		w := newWorld(t)
		c, err := w.create("ann", w.beginCreate("ann"), newDevice(webauthn.ES256), inner("transports", json.RawMessage(said)))
		require.NoError(t, err, said)
		require.Equal(t, kept, c.Transports, said)
	}
	c, err := w.create("bob", w.beginCreate("bob"), newDevice(webauthn.ES256), inner("transports", nil))
	require.NoError(t, err)
	require.Nil(t, c.Transports)
}
