package oidc_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	"github.com/cardea-auth/cardea/federation/oidc"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// Keys take long to make, so all tests share these. "other" ones are nobody's.
var (
	rsaKey    = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA  = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey     = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	otherEC   = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	edKey     = sync.OnceValue(func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, 32)) })
	theSecret = "client-secret-SENTINEL"
	theCode   = "code-SENTINEL"
	theAccess = "access-SENTINEL"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// object is a JSON object that a test bends.
type object = map[string]any

// sign makes a token by hand: the header may lie about everything.
func sign(header object, payload []byte, k crypto.PrivateKey) string {
	input := b64(must(json.Marshal(header))) + "." + b64(payload)
	return input + "." + b64(signature(header["alg"], input, k))
}

func signature(alg any, input string, k crypto.PrivateKey) []byte {
	name, _ := alg.(string)
	hash := crypto.SHA256
	switch {
	case strings.HasSuffix(name, "384"):
		hash = crypto.SHA384
	case strings.HasSuffix(name, "512"):
		hash = crypto.SHA512
	}
	h := hash.New()
	h.Write([]byte(input))
	sum := h.Sum(nil)
	switch k := k.(type) {
	case *rsa.PrivateKey:
		if strings.HasPrefix(name, "PS") {
			return must(rsa.SignPSS(rand.Reader, k, hash, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
		}
		return must(rsa.SignPKCS1v15(nil, k, hash, sum))
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, k, sum)
		must(0, err)
		size := (k.Curve.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case ed25519.PrivateKey:
		return ed25519.Sign(k, []byte(input))
	}
	return nil
}

// jwk is the public half of a key.
func jwk(kid string, k crypto.PrivateKey) object {
	o := object{"kid": kid, "use": "sig"}
	switch k := k.(type) {
	case *rsa.PrivateKey:
		maps.Copy(o, object{"kty": "RSA", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())})
	case *ecdsa.PrivateKey:
		p := must(k.PublicKey.Bytes())
		half := 1 + len(p)/2
		maps.Copy(o, object{"kty": "EC", "crv": k.Curve.Params().Name, "x": b64(p[1:half]), "y": b64(p[half:])})
	case ed25519.PrivateKey:
		maps.Copy(o, object{"kty": "OKP", "crv": "Ed25519", "x": b64(k.Public().(ed25519.PublicKey))})
	}
	return o
}

// world is a provider whose every answer a test may bend, and a relying party that asks it.
type world struct {
	t        testing.TB
	srv      *httptest.Server
	issuer   string
	provider *oidc.Provider
	trip     auth.Trip
	clock    time.Time // of the caches

	mu       sync.Mutex
	calls    map[string]int
	requests map[string][]*http.Request // with their forms read
	handlers map[string]http.HandlerFunc
	keys     []object
	config   object
	idToken  string
}

// newWorld starts a provider with keys r1 (RSA), e1 (EC) and d1 (Ed25519). bends change the relying party.
func newWorld(t testing.TB, bends ...func(*world, *oidc.Config)) *world {
	t.Helper()
	w := &world{t: t, calls: map[string]int{}, requests: map[string][]*http.Request{}, handlers: map[string]http.HandlerFunc{}, clock: now}
	w.srv = httptest.NewTLSServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.srv.Close)
	w.issuer = w.srv.URL
	w.keys = []object{jwk("r1", rsaKey()), jwk("e1", ecKey()), jwk("d1", edKey())}
	w.config = object{
		"issuer": w.issuer, "authorization_endpoint": w.issuer + "/authorize", "token_endpoint": w.issuer + "/token",
		"jwks_uri": w.issuer + "/keys", "userinfo_endpoint": w.issuer + "/userinfo", "end_session_endpoint": w.issuer + "/logout",
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256", "PS256", "EdDSA", "HS256", "none"},
	}
	roots := x509.NewCertPool()
	roots.AddCert(w.srv.Certificate())
	cfg := oidc.Config{
		Info: auth.ProviderInfo{ID: "example", Name: "Example", Reauthenticates: true}, Issuer: w.issuer,
		ClientID: "client-1", ClientSecret: auth.NewSecret(theSecret),
		Algorithms: []string{"RS256", "PS256", "ES256", "EdDSA"}, // and of every kind of key one
		HTTP:       federation.ClientConfig{Development: true, RootCAs: roots, Timeout: 5 * time.Second},
		Now:        w.now,
	}
	for _, bend := range bends {
		bend(w, &cfg)
	}
	w.provider = must(oidc.New(cfg))
	w.trip = auth.Trip{
		State: auth.NewSecret("state-SENTINEL"), Nonce: auth.NewSecret("nonce-SENTINEL"), Verifier: auth.NewSecret("verifier-SENTINEL"),
		RedirectURI: "https://app.example/auth/example/callback", Now: now,
	}
	w.idToken = w.token(nil, nil)
	return w
}

func (w *world) now() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.clock }

func (w *world) pass(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.clock = w.clock.Add(d) }

func (w *world) called(path string) int { w.mu.Lock(); defer w.mu.Unlock(); return w.calls[path] }

func (w *world) set(f func()) { w.mu.Lock(); defer w.mu.Unlock(); f() }

func (w *world) handle(path string, h http.HandlerFunc) { w.set(func() { w.handlers[path] = h }) }

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	w.mu.Lock()
	w.calls[r.URL.Path]++
	w.requests[r.URL.Path] = append(w.requests[r.URL.Path], r)
	h := w.handlers[r.URL.Path]
	answers := map[string]any{
		"/.well-known/openid-configuration": w.config,
		"/keys":                             object{"keys": w.keys},
		"/token":                            object{"access_token": theAccess, "token_type": "Bearer", "expires_in": 60, "id_token": w.idToken},
		"/userinfo":                         object{"sub": "subject-1", "email": "ann@info.example", "email_verified": true},
	}
	body := must(json.Marshal(answers[r.URL.Path]))
	w.mu.Unlock()
	if h != nil {
		h(rw, r)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_, _ = rw.Write(body)
}

// claims are those of a token that holds.
func (w *world) claims() object {
	return object{
		"iss": w.issuer, "aud": "client-1", "sub": "subject-1", "nonce": "nonce-SENTINEL", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"email": "ann@example.com", "email_verified": true, "name": "Ann",
	}
}

// token is an ID token by r1, bent. A value nil in either removes the member.
func (w *world) token(header, claims object) string {
	h := merge(object{"alg": "RS256", "kid": "r1", "typ": "JWT"}, header)
	return sign(h, must(json.Marshal(merge(w.claims(), claims))), rsaKey())
}

func merge(into, from object) object {
	for name, value := range from {
		if into[name] = value; value == nil {
			delete(into, name)
		}
	}
	return into
}

// complete signs in with the ID token.
func (w *world) complete(idToken string) (auth.Identity, error) {
	w.set(func() { w.idToken = idToken })
	return w.provider.Complete(context.Background(), w.trip, auth.Answer{Code: auth.NewSecret(theCode)})
}

// refused requires a refusal with one of the codes, which tells nothing.
func refused(t testing.TB, err error, codes ...string) {
	t.Helper()
	var p *auth.ProviderError
	require.ErrorAs(t, err, &p)
	require.Contains(t, codes, p.Code, "%v", err)
	quiet(t, err)
}

// quiet requires that an error has nothing secret in it, however deep.
func quiet(t testing.TB, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, secret := range []string{"SENTINEL", "eyJ", "Bearer", "://"} {
			require.NotContains(t, e.Error(), secret)
		}
	}
}

func query(t testing.TB, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	q, err := url.ParseQuery(u.RawQuery)
	require.NoError(t, err)
	return q
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }

func marshal(v any) []byte { return must(json.Marshal(v)) }

func longHashOf(access string) string { s := sha512.Sum512([]byte(access)); return b64(s[:32]) }

func rawJSON(s string) json.RawMessage { return json.RawMessage(s) }
