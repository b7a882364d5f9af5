package oidc_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation/oidc"
)

// FuzzIDToken gives headers and payloads, signed by the provider or by nobody, and tokens as they stand. What holds
// must, for a reader that has nothing in common with ours, be signed by the provider's key and have each claim once,
// with its exact name and value.
func FuzzIDToken(f *testing.F) {
	w := newWorld(f)
	honest := string(marshal(w.claims()))
	f.Add(`{"alg":"RS256","kid":"r1"}`, honest, "", true)
	f.Add(`{"alg":"RS256","kid":"r1"}`, honest, "", false)
	f.Add(`{"alg":"RS256"}`, strings.TrimSuffix(honest, "}")+`,"sub":"admin"}`, "", true)
	f.Add(`{"alg":"RS256","\u0061lg":"none"}`, strings.Replace(honest, `"sub"`, `"SUB"`, 1), "", true)
	f.Add("", "", w.token(nil, nil), false)
	for _, a := range append(signatureAttacks, claimAttacks...) {
		f.Add("", "", a.make(w), false)
	}
	f.Fuzz(func(t *testing.T, header, payload, token string, ours bool) {
		if token == "" {
			input := b64([]byte(header)) + "." + b64([]byte(payload))
			key := otherRSA()
			if ours {
				key = rsaKey()
			}
			token = input + "." + b64(signature("RS256", input, key))
		}
		claims, err := w.provider.VerifyIDToken(t.Context(), w.trip, token, theAccess)
		if err != nil {
			quiet(t, err)
			return
		}
		body := signedByR1(t, token)
		got := onceEach(t, body)
		require.Equal(t, `"`+w.issuer+`"`, string(got["iss"]))
		require.Equal(t, `"nonce-SENTINEL"`, unescaped(t, got["nonce"]))
		require.Contains(t, unescaped(t, got["aud"]), `"client-1"`)
		sub, ok := claims.Text("sub")
		require.True(t, ok)
		var theirs string
		require.NoError(t, json.Unmarshal(got["sub"], &theirs))
		require.Equal(t, theirs, sub)
		require.Regexp(t, `^[ -~]{1,255}$`, sub)
		var times struct{ IAT, EXP json.Number }
		require.NoError(t, json.Unmarshal(body, &times))
	})
}

// signedByR1 returns the payload of a token that the provider's RSA key signed. Nothing else is in the fuzz target's reach:
// it has none of the other keys.
func signedByR1(t *testing.T, token string) []byte {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	s, err := base64.RawURLEncoding.DecodeString(parts[2])
	require.NoError(t, err)
	require.NoError(t, rsa.VerifyPKCS1v15(&rsaKey().PublicKey, crypto.SHA256, sum[:], s))
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	return body
}

func unescaped(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(raw, &v))
	return string(marshal(v))
}

// onceEach reads an object token by token, and requires that no member is there twice.
func onceEach(t *testing.T, text []byte) map[string]json.RawMessage {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	first, err := d.Token()
	require.NoError(t, err)
	require.Equal(t, json.Delim('{'), first)
	members := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		require.NoError(t, err)
		require.NotContains(t, members, name.(string))
		var value json.RawMessage
		require.NoError(t, d.Decode(&value))
		members[name.(string)] = value
	}
	return members
}

// FuzzDecode requires that what is read is what encoding/json reads, once each, and that nothing is read that is not
// JSON.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, `{"a":1,"a":2}`, `{"a":{"b":1,"b":1}}`, `{"a":[{"b":"}\"]"},[]],"c":null}`, ` { "a" : [ 1 , 2 ] , "b" : { } } `,
		`{"\u0061":1,"a":2}`, `{"a":"\\"}`, `{"\\":"\"","\"":"\\"}`, "{\"\xff\":1}", `{"\ud800":1,"\udfff":2}`, `[]`, `null`, `{"a":1}x`, `{"":""}`,
		`{"a":` + repeat("[", 20) + repeat("]", 20) + `}`, `{"a":-1.5e+3,"b":true,"c":false}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		given := bytes.Clone(text)
		got, err := oidc.Decode(text)
		require.Equal(t, given, text, "it is read only")
		var theirs map[string]json.RawMessage
		bad := json.Unmarshal(text, &theirs)
		if err != nil {
			return
		}
		require.NoError(t, bad)
		require.True(t, utf8.Valid(text))
		require.Equal(t, len(theirs), len(got))
		for name, value := range onceEach(t, text) {
			require.Equal(t, string(value), string(got[name]), name)
		}
	})
}

// TestDecodeRefuses are texts that are JSON, or nearly, and must not be read.
func TestDecodeRefuses(t *testing.T) {
	for _, text := range []string{
		``, ` `, `null`, `[]`, `""`, `1`, `{`, `{"a":1,}`, `{"a":1}{}`, `{"a":1} x`, `{'a':1}`, `{a:1}`, `{"a":01}`, "{\"a\":\"\n\"}", "{\"\xff\":1}",
		`{"a":1,"a":1}`, `{"a":1,"\u0061":1}`, `{"x":{"a":1,"a":1}}`, `{"x":[[{"a":1,"a":1}]]}`, `{"\ud800":1}`, "\ufeff{}", "{}\x00",
	} {
		_, err := oidc.Decode([]byte(text))
		require.Error(t, err, "%q", text)
	}
	got, err := oidc.Decode([]byte(" {\"a\" : \"}\\\"\" ,\t\"b\":[{\"a\":1},{\"a\":2}],\r\n\"\\u0063\":{} } "))
	require.NoError(t, err)
	require.Equal(t, map[string]json.RawMessage{"a": rawJSON(`"}\""`), "b": rawJSON(`[{"a":1},{"a":2}]`), "c": rawJSON(`{}`)}, got)
}
