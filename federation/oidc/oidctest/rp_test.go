package oidctest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

const (
	clientID = "app"
	secret   = "a secret: 100%+"
	callback = "https://app.example/callback"
)

var alice = oidctest.Person{
	Subject: "alice-1", Name: "Alice", GivenName: "Alice", Email: "alice@example.com", EmailVerified: true,
	Phone: "+49 30 1", ACRs: []string{"pwd", "mfa"}, AMR: []string{"pwd"},
}
var bob = oidctest.Person{Subject: "bob-2", Email: "bob@example.com", Claims: map[string]any{"groups": []string{"staff"}}}

func config() oidctest.Config {
	return oidctest.Config{
		Clients: []oidctest.Client{{
			ID: clientID, Name: "The App", Secret: secret, RedirectURIs: []string{callback, callback + "?provider=x"},
			PostLogoutRedirectURIs: []string{"https://app.example/bye"},
		}},
		People: []oidctest.Person{alice, bob},
	}
}

// rp is a relying party that checks little: what it got is for the tests to look at.
type rp struct {
	t      *testing.T
	op     *oidctest.Provider
	http   *http.Client
	config map[string]any

	state, nonce, verifier string
}

// tokens is what a relying party gets for a code.
type tokens struct {
	Access string `json:"access_token"`
	ID     string `json:"id_token"`
	Type   string `json:"token_type"`
	Error  string `json:"error"`
}

func newRP(t *testing.T, op *oidctest.Provider) *rp {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	r := &rp{t: t, op: op, http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	t.Cleanup(r.http.CloseIdleConnections)
	r.config = r.getJSON(op.Issuer() + "/.well-known/openid-configuration")
	return r
}

func (r *rp) getJSON(address string) (doc map[string]any) {
	r.t.Helper()
	status, text := r.get(address)
	require.Equal(r.t, http.StatusOK, status)
	require.NoError(r.t, json.Unmarshal([]byte(text), &doc))
	return doc
}

func (r *rp) get(address string) (int, string) {
	r.t.Helper()
	answer, err := r.http.Get(address)
	require.NoError(r.t, err)
	return r.read(answer)
}

func (r *rp) read(answer *http.Response) (int, string) {
	r.t.Helper()
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	require.NoError(r.t, err)
	return answer.StatusCode, string(text)
}

func (r *rp) at(name string) string { return r.config[name].(string) }

// begin returns where to send somebody; pairs change the parameters, the empty value takes one out.
func (r *rp) begin(pairs ...string) string {
	r.state, r.nonce, r.verifier = rand.Text(), rand.Text(), rand.Text()+rand.Text()
	sum := sha256.Sum256([]byte(r.verifier))
	v := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {callback}, "state": {r.state},
		"scope": {"openid profile email phone"}, "nonce": {r.nonce}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}
	for i := 0; i < len(pairs); i += 2 {
		if v.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	return r.op.Issuer() + "/authorize?" + v.Encode()
}

// visit begins and returns what came back.
func (r *rp) visit(pairs ...string) url.Values {
	r.t.Helper()
	a, err := r.op.Visit(r.begin(pairs...))
	require.NoError(r.t, err)
	return a.Values
}

// redeem exchanges a code; pairs change the form.
func (r *rp) redeem(code string, pairs ...string) (tokens, int) {
	r.t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {r.verifier}}
	for i := 0; i < len(pairs); i += 2 {
		if form.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			form.Del(pairs[i])
		}
	}
	return r.postToken(form, !form.Has("client_id"))
}

func (r *rp) postToken(form url.Values, basic bool) (got tokens, status int) {
	r.t.Helper()
	q, err := http.NewRequest(http.MethodPost, r.at("token_endpoint"), strings.NewReader(form.Encode()))
	require.NoError(r.t, err)
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if basic {
		q.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(secret))
	}
	answer, err := r.http.Do(q)
	require.NoError(r.t, err)
	status, text := r.read(answer)
	require.NoError(r.t, json.Unmarshal([]byte(text), &got))
	return got, status
}

// signIn does all of it and returns the ID token, read.
func (r *rp) signIn(pairs ...string) (tokens, *token) {
	r.t.Helper()
	v := r.visit(pairs...)
	require.Equal(r.t, r.state, v.Get("state"))
	got, status := r.redeem(v.Get("code"))
	require.Equal(r.t, http.StatusOK, status, got.Error)
	return got, r.parse(got.ID)
}

func (r *rp) userInfo(access string) (*http.Response, string) {
	r.t.Helper()
	q, err := http.NewRequest(http.MethodGet, r.at("userinfo_endpoint"), nil)
	require.NoError(r.t, err)
	q.Header.Set("Authorization", "Bearer "+access)
	answer, err := r.http.Do(q)
	require.NoError(r.t, err)
	_, text := r.read(answer)
	return answer, text
}

func (r *rp) userClaims(access string) (claims map[string]any) {
	r.t.Helper()
	answer, text := r.userInfo(access)
	require.Equal(r.t, http.StatusOK, answer.StatusCode)
	require.NoError(r.t, json.Unmarshal([]byte(text), &claims))
	return claims
}

// token is a token that was taken apart. Good says that a published key verifies it, or the client's secret.
type token struct {
	header, claims map[string]any
	good           bool
	fitting        int // published keys of its algorithm
	signature      []byte
}

func (r *rp) parse(text string) *token {
	r.t.Helper()
	parts := strings.Split(text, ".")
	require.Len(r.t, parts, 3)
	var raw [3][]byte
	for i, part := range parts {
		var err error
		raw[i], err = base64.RawURLEncoding.DecodeString(part)
		require.NoError(r.t, err)
	}
	k := &token{signature: raw[2]}
	require.NoError(r.t, json.Unmarshal(raw[0], &k.header))
	require.NoError(r.t, json.Unmarshal(raw[1], &k.claims))
	input := []byte(parts[0] + "." + parts[1])
	if k.header["alg"] == "HS256" {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(input)
		k.good = hmac.Equal(mac.Sum(nil), raw[2])
		return k
	}
	for _, key := range r.keys() {
		if key["kid"] != k.header["kid"] || key["kty"] != map[any]string{"RS256": "RSA", "ES256": "EC"}[k.header["alg"]] {
			continue
		}
		k.fitting++
		k.good = k.good || verifies(key, input, raw[2])
	}
	return k
}

func (r *rp) keys() (keys []map[string]any) {
	r.t.Helper()
	for _, key := range r.getJSON(r.at("jwks_uri"))["keys"].([]any) {
		keys = append(keys, key.(map[string]any))
	}
	return keys
}

func verifies(key map[string]any, input, signature []byte) bool {
	number := func(name string) *big.Int {
		text, _ := key[name].(string)
		b, _ := base64.RawURLEncoding.DecodeString(text)
		return new(big.Int).SetBytes(b)
	}
	digest := sha256.Sum256(input)
	if key["kty"] == "RSA" {
		public := &rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
	}
	point := append([]byte{4}, append(number("x").FillBytes(make([]byte, 32)), number("y").FillBytes(make([]byte, 32))...)...)
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	return err == nil && len(signature) == 64 &&
		ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
}

func seconds(t *testing.T, claims map[string]any, name string) time.Time {
	t.Helper()
	n, ok := claims[name].(float64)
	require.True(t, ok, name)
	return time.Unix(int64(n), 0)
}
