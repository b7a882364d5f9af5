package oidctest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newClock() *clock { return &clock{now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)} }

func TestASignInFromEndToEnd(t *testing.T) {
	c, cfg := newClock(), config()
	cfg.Now = c.Now
	op := oidctest.Start(t, cfg)
	r := newRP(t, op)
	c.advance(time.Minute)

	v := r.visit("redirect_uri", callback+"?provider=x")
	require.Equal(t, "x", v.Get("provider"))
	require.Equal(t, op.Issuer(), v.Get("iss"))
	require.Equal(t, true, r.config["authorization_response_iss_parameter_supported"])
	got, status := r.redeem(v.Get("code"), "redirect_uri", callback+"?provider=x")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "Bearer", got.Type)

	k := r.parse(got.ID)
	require.True(t, k.good)
	require.Equal(t, "RS256", k.header["alg"])
	require.Equal(t, op.Issuer(), k.claims["iss"])
	require.Equal(t, alice.Subject, k.claims["sub"])
	require.Equal(t, clientID, k.claims["aud"])
	require.Equal(t, r.nonce, k.claims["nonce"])
	require.Equal(t, "pwd", k.claims["acr"])
	require.Equal(t, []any{"pwd"}, k.claims["amr"])
	require.NotEmpty(t, k.claims["sid"])
	require.NotContains(t, k.claims, "email")
	sum := sha256.Sum256([]byte(got.Access))
	require.Equal(t, base64.RawURLEncoding.EncodeToString(sum[:16]), k.claims["at_hash"])
	require.Equal(t, c.Now().Add(-time.Minute), seconds(t, k.claims, "auth_time").UTC())
	require.Equal(t, c.Now(), seconds(t, k.claims, "iat").UTC())
	require.Equal(t, c.Now().Add(5*time.Minute), seconds(t, k.claims, "exp").UTC())

	require.Equal(t, map[string]any{
		"sub": alice.Subject, "name": "Alice", "given_name": "Alice", "email": alice.Email, "email_verified": true, "phone_number": alice.Phone,
	}, r.userClaims(got.Access))
	c.advance(time.Hour)
	answer, _ := r.userInfo(got.Access)
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)

	seen := op.Requests()
	require.Equal(t, r.state, seen.Authorizations[0].Params.Get("state"))
	require.Equal(t, r.verifier, seen.Tokens[0].Form.Get("code_verifier"))
	require.Equal(t, "client_secret_basic", seen.Tokens[0].Auth)
	require.Equal(t, []oidctest.UserInfoRequest{{Method: "GET", Bearer: true, OK: true}, {Method: "GET", Bearer: true}}, seen.UserInfos)
	require.Equal(t, 1, seen.Fetches["/jwks"])
	require.Equal(t, 1, seen.Fetches["/token"])
	op.Forget()
	require.Empty(t, op.Requests().Tokens)
}

func TestACodeServesOnceAndThoseItWasMadeFor(t *testing.T) {
	c, cfg := newClock(), config()
	cfg.Now = c.Now
	cfg.Clients = append(cfg.Clients, oidctest.Client{ID: "other", RedirectURIs: []string{callback}})
	op := oidctest.Start(t, cfg)
	r := newRP(t, op)
	refused := func(t *testing.T, code string, pairs ...string) {
		t.Helper()
		got, status := r.redeem(code, pairs...)
		require.Equal(t, http.StatusBadRequest, status)
		require.Equal(t, "invalid_grant", got.Error)
		require.Empty(t, got.ID+got.Access)
	}
	t.Run("a second time, and what the first got is revoked", func(t *testing.T) {
		code := r.visit().Get("code")
		got, _ := r.redeem(code)
		refused(t, code)
		answer, _ := r.userInfo(got.Access)
		require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	})
	t.Run("unknown", func(t *testing.T) { refused(t, "nonsense") })
	t.Run("another verifier", func(t *testing.T) {
		code := r.visit().Get("code")
		refused(t, code, "code_verifier", r.verifier+"x")
		refused(t, code) // it is used up
	})
	t.Run("no verifier", func(t *testing.T) { refused(t, r.visit().Get("code"), "code_verifier", "") })
	t.Run("another address", func(t *testing.T) {
		refused(t, r.visit().Get("code"), "redirect_uri", callback+"?provider=x")
	})
	t.Run("another client", func(t *testing.T) { refused(t, r.visit().Get("code"), "client_id", "other") })
	t.Run("too late", func(t *testing.T) {
		code := r.visit().Get("code")
		c.advance(time.Minute)
		refused(t, code)
		code = r.visit().Get("code")
		c.advance(time.Minute - time.Millisecond)
		_, status := r.redeem(code)
		require.Equal(t, http.StatusOK, status)
	})
}

func TestClientsAuthenticateInOneWay(t *testing.T) {
	cfg := config()
	cfg.Clients = append(cfg.Clients,
		oidctest.Client{ID: "post", Secret: secret, AuthMethod: "client_secret_post", RedirectURIs: []string{callback}},
		oidctest.Client{ID: "public", RedirectURIs: []string{callback}, NoPKCE: true, IDTokenAlg: oidctest.ES256})
	op := oidctest.Start(t, cfg)
	r := newRP(t, op)
	for name, c := range map[string]struct {
		client string
		pairs  []string
		error  string
		auth   string
	}{
		"basic":                        {clientID, nil, "", "client_secret_basic"},
		"basic, posted":                {clientID, []string{"client_id", clientID, "client_secret", secret}, "invalid_client", "client_secret_post"},
		"basic, without a secret":      {clientID, []string{"client_id", clientID}, "invalid_client", "none"},
		"basic and posted":             {clientID, []string{"client_secret", secret}, "invalid_request", "both"},
		"posted":                       {"post", []string{"client_id", "post", "client_secret", secret}, "", "client_secret_post"},
		"posted, wrong":                {"post", []string{"client_id", "post", "client_secret", "x"}, "invalid_client", "client_secret_post"},
		"public":                       {"public", []string{"client_id", "public"}, "", "none"},
		"public, with a secret":        {"public", []string{"client_id", "public", "client_secret", "x"}, "invalid_client", "client_secret_post"},
		"unknown":                      {clientID, []string{"client_id", "nobody"}, "invalid_client", "none"},
		"another grant":                {clientID, []string{"grant_type", "password"}, "unsupported_grant_type", "client_secret_basic"},
		"a refresh token, not offered": {clientID, []string{"grant_type", "refresh_token"}, "unsupported_grant_type", "client_secret_basic"},
	} {
		t.Run(name, func(t *testing.T) {
			op.Forget()
			got, _ := r.redeem(r.visit("client_id", c.client).Get("code"), c.pairs...)
			require.Equal(t, c.error, got.Error)
			require.Equal(t, c.error == "", got.ID != "")
			require.Equal(t, c.auth, op.Requests().Tokens[0].Auth)
			require.Equal(t, c.error, op.Requests().Tokens[0].Error)
		})
	}
}

func TestTokenRequestsAreReadStrictly(t *testing.T) {
	op := oidctest.Start(t, config())
	r := newRP(t, op)
	op.Register(oidctest.Client{ID: "public", RedirectURIs: []string{callback}, NoPKCE: true, IDTokenAlg: oidctest.ES256})
	for name, form := range map[string]url.Values{
		"a parameter that stands twice": {"grant_type": {"authorization_code"}, "code": {"a", "b"}},
		"no grant":                      {"code": {"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, status := r.postToken(form, true)
			require.Equal(t, http.StatusBadRequest, status)
			require.NotEmpty(t, got.Error)
		})
	}
	t.Run("two clients at once", func(t *testing.T) {
		got, _ := r.postToken(url.Values{"client_id": {"public"}, "grant_type": {"authorization_code"}}, true)
		require.Equal(t, "invalid_client", got.Error)
	})
	t.Run("no form, and parameters in the address", func(t *testing.T) {
		for _, address := range []string{r.at("token_endpoint"), r.at("token_endpoint") + "?code=a"} {
			kind := "application/json"
			if strings.Contains(address, "?") {
				kind = "application/x-www-form-urlencoded"
			}
			answer, err := r.http.Post(address, kind, strings.NewReader(""))
			require.NoError(t, err)
			status, text := r.read(answer)
			require.Equal(t, http.StatusBadRequest, status)
			require.Contains(t, text, "invalid_request")
		}
	})
	t.Run("a wrong secret in the header", func(t *testing.T) {
		answer, err := http.DefaultClient.Do(func() *http.Request {
			q, err := http.NewRequest(http.MethodPost, r.at("token_endpoint"), nil)
			require.NoError(t, err)
			q.SetBasicAuth(clientID, "wrong")
			q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return q
		}())
		require.NoError(t, err)
		status, text := r.read(answer)
		require.Equal(t, http.StatusUnauthorized, status)
		require.Contains(t, text, "invalid_client")
		require.Contains(t, answer.Header.Get("WWW-Authenticate"), "Basic")
	})
	t.Run("without PKCE where it need not be, signed as registered", func(t *testing.T) {
		got, _ := r.redeem(r.visit("client_id", "public", "code_challenge", "").Get("code"), "client_id", "public", "code_verifier", "")
		k := r.parse(got.ID)
		require.True(t, k.good)
		require.Equal(t, "ES256", k.header["alg"])
		got, _ = r.redeem(r.visit("client_id", "public").Get("code"), "client_id", "public", "code_verifier", "")
		require.Equal(t, "invalid_grant", got.Error)
	})
}

func TestRequestsAreReadStrictly(t *testing.T) {
	op := oidctest.Start(t, config())
	r := newRP(t, op)
	for name, pair := range map[string][3]string{
		"response type":         {"response_type", "token", "unsupported_response_type"},
		"response mode":         {"response_mode", "fragment", "invalid_request"},
		"scope":                 {"scope", "email", "invalid_scope"},
		"no challenge":          {"code_challenge", "", "invalid_request"},
		"plain challenge":       {"code_challenge_method", "plain", "invalid_request"},
		"no method":             {"code_challenge_method", "", "invalid_request"},
		"prompt":                {"prompt", "none login", "invalid_request"},
		"max_age":               {"max_age", "-1", "invalid_request"},
		"request object":        {"request", "x", "request_not_supported"},
		"request object's link": {"request_uri", "https://app.example/x", "request_uri_not_supported"},
	} {
		t.Run(name, func(t *testing.T) {
			v := r.visit(pair[0], pair[1])
			require.Equal(t, pair[2], v.Get("error"))
			require.Equal(t, r.state, v.Get("state"))
			require.Equal(t, op.Issuer(), v.Get("iss"))
			require.False(t, v.Has("code"))
		})
	}
	t.Run("a parameter that stands twice", func(t *testing.T) {
		a, err := op.Visit(r.begin() + "&nonce=x")
		require.NoError(t, err)
		require.Equal(t, "invalid_request", a.Values.Get("error"))
	})
	for name, pair := range map[string][2]string{
		"client": {"client_id", "nobody"}, "address": {"redirect_uri", callback + "/"}, "no address": {"redirect_uri", ""},
	} {
		t.Run("nothing goes to whom it does not trust: "+name, func(t *testing.T) {
			status, text := r.get(r.begin(pair[0], pair[1]))
			require.Equal(t, http.StatusBadRequest, status)
			require.Contains(t, text, "invalid_request")
			_, err := op.Visit(r.begin(pair[0], pair[1]))
			require.Error(t, err)
		})
	}
	t.Run("a posted request", func(t *testing.T) {
		u, err := url.Parse(r.begin())
		require.NoError(t, err)
		answer, err := r.http.PostForm(op.Issuer()+"/authorize", u.Query())
		require.NoError(t, err)
		status, _ := r.read(answer)
		require.Equal(t, http.StatusSeeOther, status)
	})
}

func TestAFormThatIsPosted(t *testing.T) {
	op := oidctest.Start(t, config())
	r := newRP(t, op)
	answer, err := r.http.Get(r.begin("response_mode", "form_post", "state", `"><script>`))
	require.NoError(t, err)
	status, text := r.read(answer)
	require.Equal(t, http.StatusOK, status)
	form, err := oidctest.ReadForm(text)
	require.NoError(t, err)
	require.Equal(t, callback, form.Action)
	require.Equal(t, `"><script>`, form.Fields.Get("state"))
	require.Equal(t, op.Issuer(), form.Fields.Get("iss"))
	require.Contains(t, text, "<noscript>")
	policy := answer.Header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'")
	require.NotContains(t, policy, "form-action")
	requireInline(t, text, "style", policy)
	requireInline(t, text, "script", policy)
	got, code := r.redeem(form.Fields.Get("code"))
	require.Equal(t, http.StatusOK, code)
	require.True(t, r.parse(got.ID).good)

	a, err := op.Visit(r.begin("response_mode", "form_post", "prompt", "none login"))
	require.NoError(t, err)
	require.True(t, a.Posted)
	require.Equal(t, "invalid_request", a.Values.Get("error"))
}

func TestOptionsOfAProvider(t *testing.T) {
	cfg := config()
	cfg.NoResponseIssuer, cfg.ClaimsInIDToken = true, true
	op := oidctest.Start(t, cfg)
	r := newRP(t, op)
	require.Equal(t, false, r.config["authorization_response_iss_parameter_supported"])
	require.Equal(t, []any{"mfa", "pwd"}, r.config["acr_values_supported"])
	require.False(t, r.visit().Has("iss"))
	_, k := r.signIn("acr_values", "phr mfa pwd", "scope", "openid email")
	require.Equal(t, alice.Email, k.claims["email"])
	require.NotContains(t, k.claims, "name")
	require.Equal(t, "mfa", k.claims["acr"])

	op.SignIn(bob.Subject)
	got, k := r.signIn("scope", "openid")
	require.Equal(t, bob.Subject, k.claims["sub"])
	require.Equal(t, []any{"staff"}, k.claims["groups"])
	require.NotContains(t, k.claims, "acr")
	require.NotContains(t, r.userClaims(got.Access), "email")

	op.SetPerson(oidctest.Person{Subject: bob.Subject, Email: "new@example.com"})
	op.SetPerson(oidctest.Person{Subject: "carol-3"})
	_, k = r.signIn()
	require.Equal(t, "new@example.com", k.claims["email"])
	require.Equal(t, false, k.claims["email_verified"])
	op.SignIn("carol-3")
	op.Alter(func(k *oidctest.Token) {
		if k.Kind == oidctest.IDToken {
			k.Header["alg"], k.Claims["exp"] = "NoNe", "soon"
		} else {
			k.Text = "x.y.z"
		}
	})
	got, k = r.signIn()
	require.Equal(t, "carol-3", k.claims["sub"])
	require.Equal(t, "NoNe", k.header["alg"])
	require.Empty(t, k.signature)
	answer, text := r.userInfo(got.Access)
	require.Equal(t, "application/jwt", answer.Header.Get("Content-Type"))
	require.Equal(t, "x.y.z", text)
	op.Alter(nil)

	op.Register(oidctest.Client{ID: clientID, Secret: secret, RedirectURIs: []string{"https://new.example/"}})
	_, err := op.Visit(r.begin())
	require.Error(t, err)
	require.Panics(t, func() { op.SignIn("nobody") })
	require.Panics(t, func() { op.SetMode("nonsense") })
	require.Panics(t, func() { op.Register(oidctest.Client{}) })
}

func TestIssuersOfRealHostsAreRefused(t *testing.T) {
	for issuer, good := range map[string]bool{
		"http://127.0.0.1:1234": true, "http://[::1]:1234": true, "http://localhost": true, "https://a.localhost:1/tenant": true,
		"": false, "http://example.com": false, "https://10.0.0.1": false, "http://127.0.0.1.example.com": false,
		"http://localhost/": false, "http://localhost?x": false, "http://localhost#x": false, "http://u@localhost": false,
		"ftp://localhost": false, "http://0.0.0.0": false, "localhost": false,
	} {
		cfg := config()
		cfg.Issuer = issuer
		_, err := oidctest.New(cfg)
		require.Equal(t, good, err == nil, "%s: %v", issuer, err)
	}
	_, err := oidctest.New(oidctest.Config{
		Clients: []oidctest.Client{{}, {ID: "a", AuthMethod: "none", Secret: "x"}, {ID: "a", IDTokenAlg: "HS256"}}, Delay: -1,
	})
	for _, part := range []string{"tests and demos", "People", "without an ID", "AuthMethod", "IDTokenAlg", "twice", "Delay"} {
		if part == "tests and demos" {
			part = "Issuer"
		}
		require.ErrorContains(t, err, part)
	}
	cfg := config()
	cfg.Issuer = "https://login.example.com"
	_, err = oidctest.New(cfg)
	require.ErrorContains(t, err, "tests and demos")
}

func TestSeveralAtOnce(t *testing.T) {
	op := oidctest.Start(t, config())
	var wait sync.WaitGroup
	for range 8 {
		r := newRP(t, op)
		wait.Go(func() {
			for range 5 {
				v, err := op.Visit(r.begin())
				if err != nil {
					t.Error(err)
					return
				}
				r.redeem(v.Values.Get("code"))
				op.SignIn(bob.Subject)
				op.SetMode(oidctest.ClientTest)
				op.Requests()
			}
		})
	}
	wait.Wait()
}
