package webauthn_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/mfa/webauthn"
)

func TestTokenBinding(t *testing.T) {
	bound := func(value string) bend { return set("tokenBinding", json.RawMessage(value)) }
	both(t, webauthn.TokenBinding, map[string]bend{
		"present": bound(`{"status":"present","id":"AAAA"}`), "of no status": bound(`{}`), "unknown": bound(`{"status":"x"}`),
	})
	both(t, webauthn.Malformed, map[string]bend{
		"null": bound(`null`), "text": bound(`"supported"`), "twice": bound(`{"status":"supported","status":"present"}`), "number": bound(`{"status":1}`),
	})
	for _, status := range []string{"supported", "not-supported"} {
		w, d := newWorld(t), newDevice(webauthn.ES256)
		w.enrol("ann", d, bound(`{"status":"`+status+`"}`))
		_, err := w.get(w.beginGet("ann"), d, bound(`{"status":"`+status+`"}`))
		require.NoError(t, err)
	}
}

// A member that is there twice, or in another case, is taken by one reader and passed over by another.
func TestClientDataIsReadOnce(t *testing.T) {
	edit := func(from, to string) bend {
		return func(s *sent) {
			text := s.clientData()
			if s.clientText = bytes.Replace(text, []byte(from), []byte(to), 1); bytes.Equal(text, s.clientText) {
				panic("nothing to replace")
			}
		}
	}
	const origin = `"origin":"https://login.app.example"`
	both(t, webauthn.Malformed, map[string]bend{
		"two origins":            edit(origin, `"origin":"https://evil.example",`+origin),
		"two origins, ours last": edit(origin, origin+`,"origin":"https://evil.example"`),
		"an escaped second one":  edit(origin, origin+`,"\u006frigin":"https://evil.example"`),
		"two types":              edit(`"type"`, `"type":"webauthn.get","type"`),
		"two challenges":         edit(`"challenge"`, `"challenge":"AAAA","challenge"`),
		"a byte order mark":      edit(`{`, "\xef\xbb\xbf{"),
		"no UTF-8":               edit(`{`, "{\"x\":\"\xff\","),
		"something after it":     edit(`}`, `}{}`),
		"a number for a type":    set("type", 1),
		"a list of origins":      set("origin", []string{"https://login.app.example"}),
		"a null challenge":       set("challenge", nil),
		"an array":               func(s *sent) { s.clientText = []byte(`[]`) },
		"nothing":                func(s *sent) { s.clientText = []byte{} },
		"cut":                    edit(`}`, ``),
		"a NUL after it":         edit(`}`, "}\x00"),
	})
	for why, b := range map[string]bend{
		"members of the future":   set("new", map[string]any{"a": []any{1, nil}}),
		"what Chromium adds":      set("other_keys_can_be_added_here", "do not compare clientDataJSON against a template. See https://goo.gl/yabPex"),
		"spaces":                  edit(`{`, " {\n\t "),
		"escapes":                 edit(`/`, `\/`),
		"another case is another": set("ORIGIN", "https://evil.example"),
		"an origin in a text":     set("x", `","origin":"https://evil.example","y":"`),
		"a text that looks open":  set("x", `\`),
	} {
		w, d := newWorld(t), newDevice(webauthn.ES256)
		w.enrol("ann", d, b)
		_, err := w.get(w.beginGet("ann"), d, b)
		require.NoError(t, err, why)
	}
}

func TestEnvelope(t *testing.T) {
	text := func(change func(string) string) bend {
		return func(s *sent) { s.text = func(b []byte) []byte { return []byte(change(string(b))) } }
	}
	replace := func(from, to string) bend {
		return text(func(s string) string {
			if !strings.Contains(s, from) {
				panic("nothing to replace")
			}
			return strings.Replace(s, from, to, 1)
		})
	}
	both(t, webauthn.Malformed, map[string]bend{
		"empty": text(func(string) string { return "" }), "null": text(func(string) string { return "null" }),
		"a list":             text(func(s string) string { return "[" + s + "]" }),
		"two":                text(func(s string) string { return s + s }),
		"something after it": text(func(s string) string { return s + "x" }),
		"cut":                text(func(s string) string { return s[:len(s)-1] }),
		"no UTF-8":           replace(`{`, "{\"x\":\"\xff\","),
		"two ids":            replace(`"id":`, `"id":"AAAA","id":`),
		"two responses":      replace(`"response":`, `"response":{},"response":`),
		"two client data":    replace(`"clientDataJSON":`, `"clientDataJSON":"e30","clientDataJSON":`),
		"no type":            envelope("type", nil), "another type": envelope("type", "password"), "a number for a type": envelope("type", 1),
		"no id": envelope("id", nil), "no raw id": envelope("rawId", nil), "ids that differ": envelope("rawId", b64(make([]byte, 32))),
		"a null id": envelope("id", json.RawMessage("null")), "a number for an id": envelope("id", 7),
		"no response": envelope("response", nil), "a text for a response": envelope("response", "x"),
		"no client data": inner("clientDataJSON", nil), "client data that is no base64": inner("clientDataJSON", "{}"),
		"in another case": replace(`"rawId"`, `"rawid"`),
	})
	both(t, webauthn.TooLarge, map[string]bend{"oversize": envelope("x", strings.Repeat("x", 16<<10))})
	w, d := newWorld(t), newDevice(webauthn.ES256)
	large := func(s *sent) {
		s.text = func(b []byte) []byte { return append(b, bytes.Repeat([]byte(" "), 16<<10-len(b))...) }
	}
	w.enrol("ann", d, large)
	_, err := w.get(w.beginGet("ann"), d, large)
	require.NoError(t, err, "16 KiB are not too large")
}

// There is one way to write each byte string, or one credential would have several names.
func TestBase64(t *testing.T) {
	w, d := newWorld(t), newDevice(webauthn.ES256)
	d.id = bytes.Repeat([]byte{0xff}, 32)
	w.enrol("ann", d)
	plain := b64(d.id)
	for why, id := range map[string]string{
		"padded": plain + "=", "the other alphabet": strings.ReplaceAll(plain, "_", "/"), "a line end": plain[:20] + "\n" + plain[20:],
		"a line end at the end": plain + "\r\n", "stray bits": plain[:len(plain)-1] + "9", "a space": plain + " ", "cut": plain[:len(plain)-2],
	} {
		_, err := w.get(w.beginGet("ann"), d, envelope("id", id), envelope("rawId", id))
		require.Error(t, err, why)
		var refusal *webauthn.RefusedError
		require.ErrorAs(t, err, &refusal, why)
	}
	for _, object := range []any{nil, "", "=", "%%", 7} {
		_, err := w.create("ann", w.beginCreate("ann"), newDevice(webauthn.ES256), inner("attestationObject", object))
		refused(t, err, webauthn.Malformed, object)
	}
	for _, name := range []string{"clientDataJSON", "authenticatorData", "signature", "userHandle"} {
		c := w.beginGet("ann")
		answer := d.get(t, c)
		value := field(t, answer, name)
		_, err := w.finishGet(c, bytes.Replace(answer, []byte(value), []byte(value+"="), 1))
		refused(t, err, webauthn.Malformed, name)
		_, err = w.finishGet(c, bytes.Replace(answer, []byte(value), []byte(value[:4]+`\n`+value[4:]), 1))
		refused(t, err, webauthn.Malformed, name)
	}
}

func TestAuthenticatorData(t *testing.T) {
	both(t, webauthn.Malformed, map[string]bend{
		"a byte after it":                    func(s *sent) { s.trailing = []byte{0} },
		"a byte after extensions":            func(s *sent) { s.extension, s.trailing = cborMap(), []byte{0} },
		"extensions announced, absent":       withFlags(flagUP | flagUV | flagED),
		"extensions that are no map":         func(s *sent) { s.extension = cborInt(1) },
		"extensions cut":                     func(s *sent) { s.extension = []byte{0xa1, 0x61} },
		"extensions of indefinite length":    func(s *sent) { s.extension = []byte{0xbf, 0xff} },
		"attested data where there was none": withFlags(flagUP | flagUV | flagAT), // and at a registration none where there is
	})
	w, d := newWorld(t), newDevice(webauthn.ES256)
	w.enrol("ann", d)
	// An assertion that carries a key, properly announced and signed.
	_, err := w.get(w.beginGet("ann"), d, func(s *sent) {
		s.flags |= flagAT
		s.trailing = bytes.Join([][]byte{d.aaguid[:], {0, 32}, d.id, d.cose()}, nil)
	})
	refused(t, err, webauthn.Malformed)
	for _, name := range []string{"authenticatorData", "attestationObject"} {
		for n := 0; n < 400; n += 7 {
			c := w.beginGet("ann")
			answer, finish := d.get(t, c), func(b []byte) error { _, err := w.finishGet(c, b); return err }
			if name == "attestationObject" {
				c := w.beginCreate("ann")
				answer = newDevice(webauthn.ES256).create(t, c)
				finish = func(b []byte) error {
					_, err := w.rp.FinishRegistration(t.Context(), "ann", c.State, b, w.lookup, now)
					return err
				}
			}
			whole := unb64(t, field(t, answer, name))
			if n >= len(whole) {
				break
			}
			refused(t, finish(bytes.Replace(answer, []byte(b64(whole)), []byte(b64(whole[:n])), 1)), webauthn.Malformed, name, n)
		}
	}
}

func TestAttestationObject(t *testing.T) {
	object := func(f func(authData, statement []byte) []byte) bend { return func(s *sent) { s.object = f } }
	format, statement, data := cborText("fmt"), cborText("attStmt"), cborText("authData")
	for why, f := range map[string]func(a, s []byte) []byte{
		"a byte after it": func(a, s []byte) []byte {
			return append(cborMap(format, cborText("none"), statement, s, data, cborBytes(a)), 0)
		},
		"two formats": func(a, s []byte) []byte {
			return cborMap(format, cborText("none"), format, cborText("none"), statement, s, data, cborBytes(a))
		},
		"two data": func(a, s []byte) []byte {
			return cborMap(format, cborText("none"), statement, s, data, cborBytes(a), data, cborBytes(a))
		},
		"no data":           func(_, s []byte) []byte { return cborMap(format, cborText("none"), statement, s) },
		"data that is text": func(a, s []byte) []byte { return cborMap(format, cborText("none"), statement, s, data, cborInt(1)) },
		"a list":            func(a, s []byte) []byte { return cborArray(cborText("none"), s, cborBytes(a)) },
		"indefinite": func(a, s []byte) []byte {
			return append(append([]byte{0xbf}, cborMap(format, cborText("none"), statement, s, data, cborBytes(a))[1:]...), 0xff)
		},
		"tagged": func(a, s []byte) []byte {
			return append([]byte{0xc1}, cborMap(format, cborText("none"), statement, s, data, cborBytes(a))...)
		},
		"deep": func(a, _ []byte) []byte {
			return cborMap(format, cborText("none"), statement, append(bytes.Repeat([]byte{0x81}, 1000), 0), data, cborBytes(a))
		},
		"longer than it is": func(a, s []byte) []byte {
			return append(cborHead(5, 1<<30), cborMap(format, cborText("none"), statement, s, data, cborBytes(a))[1:]...)
		},
		"a statement number": func(a, _ []byte) []byte {
			return cborMap(format, cborText("none"), statement, cborInt(7), data, cborBytes(a))
		},
		"nothing": func(_, _ []byte) []byte { return nil },
	} {
		w := newWorld(t)
		_, err := w.create("ann", w.beginCreate("ann"), newDevice(webauthn.ES256), object(f))
		refused(t, err, webauthn.Malformed, why)
	}
}

func TestKeys(t *testing.T) {
	good := newSigner(webauthn.ES256)
	cose := good.cose()
	x, y := cose[10:42], cose[45:]
	off := bytes.Clone(y)
	off[31] ^= 1
	p := elliptic.P256().Params().P.Bytes()
	big2048 := bytes.Repeat([]byte{0xff}, 256)
	rsaKey := func(n, e []byte) []byte {
		return cborMap(cborInt(1), cborInt(3), cborInt(3), cborInt(-257), cborInt(-1), cborBytes(n), cborInt(-2), cborBytes(e))
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	f4 := []byte{1, 0, 1}
	for why, k := range map[string][]byte{
		"off the curve": ec2(-7, 1, x, off), "no point": ec2(-7, 1, make([]byte, 32), make([]byte, 32)), "not reduced": ec2(-7, 1, p, y),
		"on another curve": ec2(-7, 2, x, y), "ECDSA for EdDSA": ec2(-8, 1, x, y), "a short coordinate": ec2(-7, 1, x[:31], y),
		"a compressed point": cborMap(cborInt(1), cborInt(2), cborInt(3), cborInt(-7), cborInt(-1), cborInt(1), cborInt(-2), cborBytes(x), cborInt(-3), []byte{0xf5}),
		"of no curve":        cborMap(cborInt(1), cborInt(2), cborInt(3), cborInt(-7), cborInt(-2), cborBytes(x), cborInt(-3), cborBytes(y)),
		"with a private key": cborMap(cborInt(1), cborInt(2), cborInt(3), cborInt(-7), cborInt(-1), cborInt(1), cborInt(-2), cborBytes(x), cborInt(-3), cborBytes(y), cborInt(-4), cborBytes(x)),
		"with a key id":      cborMap(cborInt(1), cborInt(2), cborInt(2), cborBytes(x), cborInt(3), cborInt(-7), cborInt(-1), cborInt(1), cborInt(-2), cborBytes(x), cborInt(-3), cborBytes(y)),
		"X25519":             okp(-8, 4, x), "Ed25519 for ES256": okp(-7, 6, x), "a short point": okp(-8, 6, x[:31]), "a long point": okp(-8, 6, append(bytes.Clone(x), 0)),
		"RSA of 1024 bits": rsaKey(small.N.Bytes(), f4), "RSA of 2047 bits": rsaKey(append([]byte{0x7f}, big2048[1:]...), f4),
		"RSA of 4104 bits": rsaKey(bytes.Repeat([]byte{0xff}, 513), f4), "RSA with a zero before": rsaKey(append([]byte{0}, big2048...), f4),
		"RSA of exponent 1": rsaKey(big2048, []byte{1}), "RSA of exponent 3": rsaKey(big2048, []byte{3}), "RSA of a long exponent": rsaKey(big2048, []byte{0, 1, 0, 1}),
		"RSA of an even modulus": rsaKey(append(bytes.Clone(big2048[1:]), 0xfe), f4), "RSA of nothing": rsaKey(nil, f4), "RSA for ES256": cborMap(cborInt(1), cborInt(3), cborInt(3), cborInt(-7), cborInt(-1), cborBytes(big2048), cborInt(-2), cborBytes(f4)),
		"no type": cborMap(cborInt(3), cborInt(-7)), "symmetric": cborMap(cborInt(1), cborInt(4), cborInt(3), cborInt(-7), cborInt(-1), cborBytes(x)),
	} {
		w := newWorld(t)
		_, err := w.create("ann", w.beginCreate("ann"), newDevice(webauthn.ES256), func(s *sent) { s.key = k })
		refused(t, err, webauthn.UnusableKey, why)
	}
	for why, k := range map[string][]byte{
		"no map": cborInt(1), "text": cborText("x"), "nothing": nil, "an algorithm that is text": cborMap(cborInt(1), cborInt(2), cborInt(3), cborText("ES256")),
		"twice": cborMap(cborInt(1), cborInt(2), cborInt(3), cborInt(-7), cborInt(3), cborInt(-8)), "a byte after it": append(bytes.Clone(cose), 0),
	} {
		w := newWorld(t)
		_, err := w.create("ann", w.beginCreate("ann"), newDevice(webauthn.ES256), func(s *sent) { s.key = k })
		refused(t, err, webauthn.Malformed, why)
	}
	// 4096 bits are the most, and their owner can sign in.
	if !testing.Short() {
		long, err := rsa.GenerateKey(rand.Reader, 4096)
		require.NoError(t, err)
		w, d := newWorld(t), &device{signer: signer{webauthn.RS256, long}, id: make([]byte, 16), flags: flagUP}
		w.enrol("ann", d)
		_, err = w.get(w.beginGet("ann"), d)
		require.NoError(t, err)
	}
}

// A key of one kind that is stored for another, or an algorithm that is changed in the row, verifies nothing.
func TestRowsAreNotBelieved(t *testing.T) {
	for why, change := range map[string]func(*webauthn.Credential){
		"of another id":        func(c *webauthn.Credential) { c.ID = make([]byte, 32) },
		"of nobody":            func(c *webauthn.Credential) { c.Account = "" },
		"without a handle":     func(c *webauthn.Credential) { c.UserHandle = nil },
		"without a key":        func(c *webauthn.Credential) { c.PublicKey = nil },
		"a broken key":         func(c *webauthn.Credential) { c.PublicKey = c.PublicKey[1:] },
		"another algorithm":    func(c *webauthn.Credential) { c.Algorithm = webauthn.EdDSA },
		"of no algorithm":      func(c *webauthn.Credential) { c.Algorithm = 0 },
		"a key with something": func(c *webauthn.Credential) { c.PublicKey = append(bytes.Clone(c.PublicKey), 0) },
		"a key whose second coordinate is none": func(c *webauthn.Credential) {
			c.PublicKey = bytes.Clone(c.PublicKey)
			c.PublicKey[42] = 0x23
		},
		"an RSA key of 1024 bits, its length written long": func(c *webauthn.Credential) {
			modulus := bytes.Repeat([]byte{0xff}, 128)
			c.PublicKey = slices.Concat([]byte{0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59, 0, 128}, modulus, []byte{0x21, 0x43, 1, 0, 1})
			c.Algorithm = webauthn.RS256
		},
	} {
		w, d := newWorld(t), newDevice(webauthn.ES256)
		row := w.enrol("ann", d)
		c := w.beginGet("ann")
		change(&row)
		w.table[string(d.id)] = row
		_, err := w.get(c, d)
		fault(t, err, "the row is not a credential with this id")
		require.NotContains(t, err.Error(), "ann", why)
	}
}

func TestAnotherCredentialsKey(t *testing.T) {
	for _, alg := range algorithms {
		w, anns, eves := newWorld(t), newDevice(webauthn.ES256), newDevice(alg)
		w.enrol("ann", anns)
		w.enrol("eve", eves)
		forged := *eves
		forged.id, forged.handle = anns.id, anns.handle
		for _, c := range []webauthn.Ceremony{w.beginGet("ann"), w.beginDiscover()} {
			_, err := w.get(c, &forged)
			refused(t, err, webauthn.BadSignature)
			var refusal *webauthn.RefusedError
			require.ErrorAs(t, err, &refusal)
			require.Empty(t, refusal.Account, "a stranger must not make a host warn somebody")
			require.Empty(t, refusal.CredentialID)
		}
	}
}

// An answer that names no credential costs a verification, too. Work is counted in allocations here: they do not
// depend on what else the machine does.
func TestUnknownCredentialsCostTheSame(t *testing.T) {
	w, d := newWorld(t), newDevice(webauthn.ES256)
	c := w.beginDiscover()
	d.handle = make([]byte, 32)
	unknown := d.get(t, c)
	work := func(answer []byte, reason webauthn.Reason) float64 {
		return testing.AllocsPerRun(50, func() {
			_, err := w.rp.FinishAssertion(t.Context(), c.State, answer, w.lookup, now)
			refused(t, err, reason)
		})
	}
	nobody := work(unknown, webauthn.CredentialUnknown)
	w.enrol("ann", d)
	wrong := work(d.get(t, c, func(s *sent) { s.signer = newSigner(webauthn.ES256) }), webauthn.BadSignature)
	require.InDelta(t, wrong, nobody, wrong/20)
}

func TestFaultsDeny(t *testing.T) {
	w, d := newWorld(t), newDevice(webauthn.ES256)
	w.enrol("ann", d)
	w.fault = errors.New("table on fire")
	for _, c := range []webauthn.Ceremony{w.beginGet("ann"), w.beginDiscover()} {
		_, err := w.get(c, d)
		fault(t, err, "webauthn: look up credential: table on fire")
		require.ErrorIs(t, err, w.fault)
	}
	_, err := w.create("bob", w.beginCreate("bob"), newDevice(webauthn.ES256))
	fault(t, err, "webauthn: look up credential: table on fire")
}
