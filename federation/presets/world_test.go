package presets_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
)

const (
	theClient = "client-1"
	theSecret = "secret-SENTINEL"
	theCode   = "code-SENTINEL"
	theAccess = "access-SENTINEL"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// key signs for every service.
var key = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// object is a JSON object that a test bends. A value nil in a bend removes the member.
type object = map[string]any

// with returns the bends of base and those of bend.
func with(base, bend object) object {
	o := maps.Clone(base)
	maps.Copy(o, bend)
	return o
}

// bent returns base as bend has it.
func bent(base, bend object) object {
	o := with(base, bend)
	maps.DeleteFunc(o, func(_ string, value any) bool { return value == nil })
	return o
}

// service is a fake of a service with OpenID Connect, at its real addresses: requests go nowhere else, and to an
// address that is none of its the test fails.
type service struct {
	t        testing.TB
	discover string // the address of config
	config   object // its configuration
	keyOf    string // the member issuer of its key
	claims   object // of the ID tokens it makes, beside those that every one has
	userInfo object // nil for an endpoint that is down
	query    url.Values

	forms []url.Values // the token requests
	asked map[string]int
}

// http are the rules for requests to the service.
func (s *service) http() federation.ClientConfig {
	s.asked = map[string]int{}
	return federation.ClientConfig{Client: &http.Client{Transport: s}}
}

// RoundTrip implements http.RoundTripper.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	address := "https://" + r.URL.Host + r.URL.Path
	s.asked[address]++
	var answer any
	switch address {
	case s.discover:
		answer = s.config
	case s.config["jwks_uri"]:
		k := object{"kty": "RSA", "use": "sig", "kid": "k1", "n": b64(key().N.Bytes()), "e": b64(big.NewInt(int64(key().E)).Bytes())}
		if s.keyOf != "" {
			k["issuer"] = s.keyOf
		}
		answer = object{"keys": []object{k}}
	case s.config["token_endpoint"]:
		answer = s.redeem(r)
	case s.config["userinfo_endpoint"]:
		require.Equal(s.t, "Bearer "+theAccess, r.Header.Get("Authorization"))
		if s.userInfo != nil {
			answer = s.userInfo
		}
	default:
		require.Fail(s.t, "asked elsewhere", address)
	}
	status := http.StatusOK
	if answer == nil {
		status = http.StatusBadRequest
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(bytes.NewReader(must(json.Marshal(answer))))}, nil
}

// redeem is strict: the code, the client's secret in the body and nowhere else, and the verifier of the challenge.
func (s *service) redeem(r *http.Request) any {
	form, err := url.ParseQuery(string(must(io.ReadAll(r.Body))))
	require.NoError(s.t, err)
	s.forms = append(s.forms, form)
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	verified := s.query.Get("code_challenge") == b64(sum[:]) || !s.query.Has("code_challenge") && !form.Has("code_verifier")
	if r.Header.Get("Authorization") != "" || form.Get("code") != theCode || form.Get("redirect_uri") != s.query.Get("redirect_uri") ||
		form.Get("client_id") != theClient || form.Get("client_secret") == "" || !verified {
		return nil
	}
	return object{"access_token": theAccess, "token_type": "Bearer", "expires_in": 60, "id_token": s.token()}
}

// token is an ID token.
func (s *service) token() string {
	claims := object{"aud": theClient, "sub": "subject-1", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "at_hash": hashOf(theAccess)}
	if s.query.Has("nonce") {
		claims["nonce"] = s.query.Get("nonce")
	}
	return signed(bent(claims, s.claims))
}

func signed(claims object) string {
	input := b64([]byte(`{"alg":"RS256","kid":"k1","typ":"JWT"}`)) + "." + b64(must(json.Marshal(claims)))
	sum := sha256.Sum256([]byte(input))
	return input + "." + b64(must(rsa.SignPKCS1v15(nil, key(), crypto.SHA256, sum[:])))
}

func hashOf(access string) string {
	sum := sha256.Sum256([]byte(access))
	return b64(sum[:16])
}

// visit is one stay at the service, and what came of it. bends change the answer, and the trip between its halves.
func (s *service) visit(p auth.Provider, bends ...func(*auth.Trip, *auth.Answer)) (auth.Identity, error) {
	s.t.Helper()
	t, a := trip(), auth.Answer{Code: auth.NewSecret(theCode)}
	t.Now = now
	for _, bend := range bends {
		bend(&t, &a)
	}
	d, err := p.Begin(context.Background(), t)
	require.NoError(s.t, err)
	u, err := url.Parse(d.URL)
	require.NoError(s.t, err)
	require.Equal(s.t, s.config["authorization_endpoint"], "https://"+u.Host+u.Path)
	s.query, t.Keep = u.Query(), d.Keep
	if d.TellsIssuer {
		a.Issuer = d.Issuer
	}
	return p.Complete(context.Background(), t, a)
}

// refused requires a refusal with the code, which tells nothing of what was sent.
func refused(t testing.TB, err error, code string) {
	t.Helper()
	var refusal *auth.ProviderError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, code, refusal.Code, "%v", err)
	require.NotContains(t, err.Error(), "SENTINEL")
}

// asks returns the parameters of the last request but for those that every trip has.
func (s *service) asks() url.Values {
	q := maps.Clone(s.query)
	for _, name := range []string{"response_type", "client_id", "redirect_uri", "state", "nonce", "code_challenge", "code_challenge_method"} {
		q.Del(name)
	}
	return q
}
