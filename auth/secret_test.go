package auth_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
)

const hidden = "hunter2-hunter2"

// printed returns v as everything prints it that programs print values with.
func printed(t *testing.T, v any) map[string]string {
	out := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%o", "%t", "%c", "%U", "%e", "%p", "%10.3s", "%w"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	out["Sprint"], out["Sprintln"] = fmt.Sprint(v), fmt.Sprintln(v)
	out["Errorf"] = fmt.Errorf("wrapped: %v", v).Error()
	text, err := json.Marshal(v)
	if err == nil {
		out["json"] = string(text)
	}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v, slog.Group("g", "v", v))
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v, slog.Group("g", "v", v))
	out["slog"] = b.String()
	return out
}

// forms are the ways in which a text turns up in print.
func forms(text string) []string {
	return []string{
		text, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text))),
		base64.StdEncoding.EncodeToString([]byte(text)), strings.Trim(fmt.Sprint([]byte(text)), "[]"),
		fmt.Sprintf("%#v", []byte(text))[len("[]byte{"):][:20],
	}
}

func hides(t *testing.T, v any, secrets ...string) {
	t.Helper()
	for how, text := range printed(t, v) {
		if bare(v) && (how == "%w" || how == "%p") {
			continue
		}
		for _, s := range secrets {
			require.NotContains(t, text, s, "%s of %T", how, v)
		}
	}
}

// bare reports whether v has a Key in the open. Verbs that do not fit at all (%w outside of Errorf, %p) pass
// every method of its over; what keeps a key in, holds Keys.
func bare(v any) bool { return strings.Contains(fmt.Sprintf("%#v", v), "key k1") }

type secretHolder struct {
	Public  auth.Secret
	private auth.Secret
	pointer *auth.Secret
	list    []auth.Secret
	byName  map[string]auth.Secret
	any     any
}

// OWASP ASVS 16.2.5: what must not be logged cannot be.
func TestSecretsPrintAsNothing(t *testing.T) {
	s := auth.NewSecret(hidden)
	holder := secretHolder{s, s, &s, []auth.Secret{s}, map[string]auth.Secret{"a": s}, s}
	for _, v := range []any{
		s, &s, []auth.Secret{s}, map[string]auth.Secret{"a": s}, holder, &holder, []any{holder}, struct{ h secretHolder }{holder},
		auth.Client{Browser: s, Device: s, Session: s}, auth.Inputs{Password: s, NewPassword: s, Code: s},
		auth.ContinueRequest{Handle: s}, auth.Progress{Handle: s, Device: s, Session: &auth.IssuedSession{Token: s}},
		auth.NewAccount{Password: s},
	} {
		hides(t, v, forms(hidden)...)
	}
	require.Equal(t, "[secret]", fmt.Sprintf("%s", s))
	require.Equal(t, "[secret]", fmt.Sprintf("%d", s))
	require.Equal(t, "[secret]", fmt.Sprintf("%#v", s))
	require.Equal(t, hidden, s.Reveal())
	for how, text := range printed(t, hidden) { // the contrast: the same print does show a plain text
		if how == "%v" || how == "json" || how == "slog" {
			require.Contains(t, text, hidden, how)
		}
	}
}

func TestSecret(t *testing.T) {
	var zero auth.Secret
	require.True(t, zero.IsZero())
	require.True(t, auth.NewSecret("").IsZero())
	require.Empty(t, zero.Reveal())
	require.True(t, zero.Equal(auth.NewSecret("")))
	require.True(t, auth.NewSecret("a").Equal(auth.NewSecret("a")))
	require.False(t, auth.NewSecret("a").Equal(auth.NewSecret("b")))
	require.False(t, auth.NewSecret("a").Equal(zero))
	require.False(t, auth.NewSecret("a").Equal(auth.NewSecret("aa")))

	var in struct{ Password auth.Secret }
	require.NoError(t, json.Unmarshal([]byte(`{"Password":"`+hidden+`"}`), &in))
	require.Equal(t, hidden, in.Password.Reveal())

	a, err := auth.RandomSecret(bytes.NewReader(make([]byte, 32)))
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("A", 43), a.Reveal())
	for _, r := range []*bytes.Reader{bytes.NewReader(nil), bytes.NewReader(make([]byte, 31))} {
		_, err = auth.RandomSecret(r)
		require.Error(t, err, "a secret with less randomness is none")
	}
	_, err = auth.RandomSecret(iotest.ErrReader(errFault))
	require.ErrorIs(t, err, errFault)
}

// Without randomness nothing begins: a flow or an account with a guessable id would be the worse.
func TestNothingBeginsWithoutRandomness(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) { c.Random = iotest.ErrReader(errFault) })
	_, err := w.browser().begin(ann)
	require.ErrorIs(t, err, errFault)
	_, err = w.CreateAccount(w.ctx, auth.NewAccount{Identifier: ann})
	require.ErrorIs(t, err, errFault)
}

// keyTexts are the forms in which a test key turns up in print.
func keyTexts(id string) []string {
	key := sha256.Sum256([]byte("test key " + id))
	return forms(string(key[:]))
}

func TestKeysPrintTheirNamesOnly(t *testing.T) {
	keys := testKeys(t, "k1", "k2")
	derived := keys.Derive("flow handle")
	key := auth.Key{ID: "k1", Bytes: sha256.Sum256([]byte("test key k1"))}
	w := newWorld(t)
	type held struct {
		Keys    auth.Keys
		keys    auth.Keys
		Derived auth.DerivedKeys
		derived auth.DerivedKeys
		Key     auth.Key
	}
	h := held{keys, keys, derived, derived, key}
	secrets := append(keyTexts("k1"), keyTexts("k2")...)
	mac, _ := derived.MAC("k1")
	require.NotZero(t, mac)
	for _, v := range []any{key, &key, []auth.Key{key}, keys, &keys, h, &h, []any{keys, derived}, w.cfg, w.Service, *w.Service} {
		hides(t, v, secrets...)
		hides(t, v, derivedTexts(t)...)
	}
	require.Contains(t, fmt.Sprint(key), "k1")
	require.Equal(t, "keys k1 k2", fmt.Sprint(keys))
	require.Equal(t, "keys k1 k2", fmt.Sprintf("%#v", derived))
}
