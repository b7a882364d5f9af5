package webauthn_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"testing"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/mfa/webauthn"
)

// FuzzFinishRegistration sends anything in answer to one registration. Whatever is taken must have been made for its
// challenge and our site, and must be fit to be stored. Without attestation nothing is signed, so anybody may make
// such an answer; nobody may make one for another challenge.
func FuzzFinishRegistration(f *testing.F) {
	w := newWorld(f)
	mine, other := w.beginCreate("ann"), w.beginCreate("ann")
	for _, alg := range algorithms {
		f.Add(newDevice(alg).create(f, mine))
	}
	f.Add(newDevice(webauthn.ES256).create(f, other))
	f.Add(newDevice(webauthn.ES256).create(f, mine, func(s *sent) { s.extension = cborMap(cborText("credProtect"), cborInt(2)) }))
	f.Add([]byte(`{"id":"","rawId":"","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"oA"}}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		c, err := w.rp.FinishRegistration(t.Context(), "ann", mine.State, answer, w.lookup, now)
		if err != nil {
			if c.ID != nil || c.PublicKey != nil || c.Account != "" {
				t.Fatal("a refusal came with a credential")
			}
			return
		}
		if c.Account != "ann" || len(c.ID) < 16 || len(c.ID) > 1023 || len(c.UserHandle) != 32 {
			t.Fatalf("not fit to be stored: %+v", c)
		}
		m := claims(t, answer)
		if m["challenge"] != read(t, mine).Challenge || m["origin"] != "https://login.app.example" || m["type"] != "webauthn.create" {
			t.Fatalf("made for something else: %v", m)
		}
		// A key that was taken can be verified with: its row is no fault.
		get, err := w.rp.BeginAssertion(webauthn.Claimant{Account: "ann", Credentials: []webauthn.Credential{c}}, now)
		if err != nil {
			t.Fatal(err)
		}
		forged := &device{signer: newSigner(webauthn.ES256), id: c.ID, handle: c.UserHandle, flags: flagUP | flagUV}
		_, err = w.rp.FinishAssertion(t.Context(), get.State, forged.get(t, get), func(context.Context, []byte) (webauthn.Credential, error) { return c, nil }, now)
		refused(t, err, webauthn.BadSignature)
	})
}

// FuzzFinishAssertion sends anything in answer to assertions of which the fuzzer has seen one good answer, and one to
// another challenge. Only what the authenticator signed for this challenge is taken.
func FuzzFinishAssertion(f *testing.F) {
	w, d := newWorld(f), newDevice(webauthn.ES256)
	w.enrol("ann", d)
	eves := newDevice(webauthn.EdDSA)
	w.enrol("eve", eves)
	mine, other, discover := w.beginGet("ann"), w.beginGet("ann"), w.beginDiscover()
	good := map[string]string{} // what was signed for our challenges, by whom
	for _, c := range []webauthn.Ceremony{mine, discover} {
		for _, who := range []*device{d, eves} {
			answer := who.get(f, c)
			f.Add(answer)
			good[field(f, answer, "clientDataJSON")+"."+field(f, answer, "authenticatorData")+"."+field(f, answer, "signature")] = map[*device]string{d: "ann", eves: "eve"}[who]
		}
	}
	f.Add(d.get(f, other))
	f.Add(d.get(f, mine, func(s *sent) { s.signer = newSigner(webauthn.ES256) }))
	f.Fuzz(func(t *testing.T, answer []byte) {
		for _, c := range []webauthn.Ceremony{mine, discover} {
			a, err := w.rp.FinishAssertion(t.Context(), c.State, answer, w.lookup, now)
			if err != nil {
				if a.Account != "" || a.Verified || a.Credential.ID != nil {
					t.Fatal("a refusal came with a proof")
				}
				continue
			}
			signed := field(t, answer, "clientDataJSON") + "." + field(t, answer, "authenticatorData") + "." + field(t, answer, "signature")
			if good[signed] != a.Account || a.Account == "" {
				t.Fatalf("taken, and never signed: %s", answer)
			}
			if claims(t, answer)["challenge"] != read(t, c).Challenge {
				t.Fatal("made for another challenge")
			}
		}
	})
}

// FuzzLookup hands rows to an honest answer that a broken store might hold. None may sign in anybody but its owner,
// with its own key.
func FuzzLookup(f *testing.F) {
	w, d := newWorld(f), newDevice(webauthn.ES256)
	row := w.enrol("ann", d)
	c := w.beginDiscover()
	answer := d.get(f, c)
	f.Add(row.ID, row.Account, row.UserHandle, row.PublicKey, int(row.Algorithm), row.SignCount)
	f.Add(row.ID, "eve", row.UserHandle, newSigner(webauthn.RS256).cose(), -257, uint32(7))
	f.Fuzz(func(t *testing.T, id []byte, account string, handle, public []byte, alg int, count uint32) {
		a, err := w.rp.FinishAssertion(t.Context(), c.State, answer, func(context.Context, []byte) (webauthn.Credential, error) {
			return webauthn.Credential{ID: id, Account: account, UserHandle: handle, PublicKey: public, Algorithm: webauthn.Algorithm(alg), SignCount: count}, nil
		}, now)
		if err == nil && (a.Account != account || account == "" || string(public) != string(row.PublicKey) || string(id) != string(row.ID) || string(handle) != string(row.UserHandle)) {
			t.Fatal("a row that is not the credential's signed somebody in")
		}
	})
}

// FuzzReadObject holds the reader of objects against a slow one, made of encoding/json's tokens.
func FuzzReadObject(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"a":1}`, ` { "a" : [1,{"b":"}"}] , "c":"\\\"," } `, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"\ud800":1,"\ud801":2}`, `[]`, `{"a":1}x`,
		"\u00a0{}", "{}\u0085", `{"a":{"b":{"b":1}}}`, `{"":""}`, `{"a":"\\"}`, "{\"\xff\":1}", `{"a":tru}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want, ok := slowObject(text)
		got, read := webauthn.ReadObject(text)
		if ok != read {
			t.Fatalf("%q: %v, and the slow one %v", text, read, ok)
		}
		if ok && !maps.EqualFunc(got, want, func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
			t.Fatalf("%q: %q, and the slow one %q", text, got, want)
		}
	})
}

func slowObject(text []byte) (map[string]json.RawMessage, bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') || !utf8.Valid(text) {
		return nil, false
	}
	m := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, false
		}
		if _, twice := m[name.(string)]; twice {
			return nil, false
		}
		m[name.(string)] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	_, err := d.Token()
	return m, err == io.EOF
}

func claims(t testing.TB, answer []byte) (m map[string]string) {
	t.Helper()
	m = map[string]string{}
	text := unb64(t, field(t, answer, "clientDataJSON"))
	for _, name := range []string{"challenge", "origin", "type"} {
		raw := string(mustField(t, text, name))
		m[name] = raw[1 : len(raw)-1]
	}
	return m
}

var _ webauthn.Lookup = func(context.Context, []byte) (webauthn.Credential, error) {
	return webauthn.Credential{}, auth.ErrNotFound
}
