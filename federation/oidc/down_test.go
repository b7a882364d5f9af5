package oidc_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	"github.com/cardea-auth/cardea/federation/oidc"
)

const (
	discoveryPath = "/.well-known/openid-configuration"
	// everything is what an answer could give away.
	everything = `client-secret-SENTINEL code-SENTINEL access-SENTINEL state-SENTINEL nonce-SENTINEL verifier-SENTINEL`
)

// broken are answers of an endpoint that is not well.
var broken = map[string]http.HandlerFunc{
	"500":            status(500, everything),
	"404":            status(404, everything),
	"403 as JSON":    status(403, `{"error":"`+everything+`"}`),
	"204":            status(204, ""),
	"empty":          status(200, ""),
	"garbage":        status(200, "\x00\xff"+everything),
	"a page":         status(200, "<html>"+everything),
	"a text":         status(200, `"`+everything+`"`),
	"half":           status(200, `{"issuer":"`+everything),
	"closed":         func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) },
	"10 MB":          func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte(" "), 10<<20)) },
	"10 MB in 10 KB": bomb,
	"another host": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://evil.example/"+everything, http.StatusTemporaryRedirect)
	},
	"plain http": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
	},
	"round and round": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	},
	"slow": func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		for range 100 {
			_, _ = w.Write([]byte(" "))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				panic(http.ErrAbortHandler)
			case <-time.After(50 * time.Millisecond):
			}
		}
	},
}

func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	_, _ = z.Write(make([]byte, 10<<20))
	_ = z.Close()
}

func hasty(_ *world, c *oidc.Config) { c.HTTP.Timeout = time.Second }

func TestProviderThatIsNotWell(t *testing.T) {
	for name, h := range broken {
		for path, codes := range map[string][]string{
			discoveryPath: {oidc.DiscoveryUnavailable, oidc.DiscoveryMalformed},
			"/keys":       {oidc.KeysUnavailable, oidc.KeysMalformed},
			"/token":      {oidc.TokenUnavailable, oidc.TokenRefused},
			"/userinfo":   {oidc.UserInfoUnavailable, oidc.UserInfoMalformed},
		} {
			t.Run(name+path, func(t *testing.T) {
				patience := func(_ *world, c *oidc.Config) {}
				if name == "slow" {
					patience = hasty
				}
				w := newWorld(t, always)
				_, err := w.complete(w.idToken)
				require.NoError(t, err, "when it is well")
				w = newWorld(t, always, patience)
				w.handle(path, h)
				_, err = w.complete(w.idToken)
				refused(t, err, codes...)
				if path == "/token" {
					require.Equal(t, 1, w.called("/token"), "a code is sent once")
				}
			})
		}
	}
}

func TestADeadProviderStallsOnlyTheFirst(t *testing.T) {
	w := newWorld(t, hasty)
	w.handle(discoveryPath, broken["slow"])
	for range 20 {
		_, err := w.provider.Begin(t.Context(), w.trip)
		refused(t, err, oidc.DiscoveryUnavailable)
	}
	require.Equal(t, 1, w.called(discoveryPath))
	w.handle(discoveryPath, nil)
	w.pass(oidc.FailureCooldown)
	_, err := w.provider.Begin(t.Context(), w.trip)
	require.NoError(t, err)
}

// TestConfigurations are documents that must not be used, each one member away from one that is.
func TestConfigurations(t *testing.T) {
	for name, c := range map[string]struct {
		bend object
		code string
	}{
		"another issuer":             {object{"issuer": "https://evil.example"}, oidc.DiscoveryIssuer},
		"issuer with a slash":        {object{"issuer": "SELF/"}, oidc.DiscoveryIssuer},
		"issuer missing":             {object{"issuer": nil}, oidc.DiscoveryIssuer},
		"issuer in capitals":         {object{"issuer": nil, "ISSUER": "SELF"}, oidc.DiscoveryIssuer},
		"authorization by http":      {object{"authorization_endpoint": "http://example.com/authorize"}, oidc.DiscoveryMalformed},
		"authorization by script":    {object{"authorization_endpoint": "javascript:alert(1)"}, oidc.DiscoveryMalformed},
		"authorization missing":      {object{"authorization_endpoint": nil}, oidc.DiscoveryMalformed},
		"token by http":              {object{"token_endpoint": "http://example.com/token"}, oidc.DiscoveryMalformed},
		"token from a file":          {object{"token_endpoint": "file:///etc/passwd"}, oidc.DiscoveryMalformed},
		"keys by http":               {object{"jwks_uri": "http://example.com/keys"}, oidc.DiscoveryMalformed},
		"keys missing":               {object{"jwks_uri": nil}, oidc.DiscoveryMalformed},
		"userinfo by http":           {object{"userinfo_endpoint": "http://example.com/userinfo"}, oidc.DiscoveryMalformed},
		"end session by http":        {object{"end_session_endpoint": "http://example.com/logout"}, oidc.DiscoveryMalformed},
		"an endpoint with a user":    {object{"token_endpoint": "https://user:pass@example.com/token"}, oidc.DiscoveryMalformed},
		"a query that is none":       {object{"authorization_endpoint": "https://example.com/authorize?a;b"}, oidc.DiscoveryMalformed},
		"algorithms we do not take":  {object{"id_token_signing_alg_values_supported": []string{"HS256", "none", "RS512"}}, oidc.DiscoveryAlgorithms},
		"ways to authenticate alike": {object{"token_endpoint_auth_methods_supported": []string{"private_key_jwt", "tls_client_auth"}}, oidc.DiscoveryClientAuth},
	} {
		w := newWorld(t)
		w.set(func() {
			for k, v := range c.bend {
				if s, ok := v.(string); ok && len(s) > 3 && s[:4] == "SELF" {
					c.bend[k] = w.issuer + s[4:]
				}
			}
			merge(w.config, c.bend)
		})
		_, err := w.provider.Begin(t.Context(), w.trip)
		refused(t, err, c.code)
		require.Equal(t, 1, w.called(discoveryPath), name)
	}
}

func TestConfigurationsAreReadOnce(t *testing.T) {
	w := newWorld(t)
	honest := string(marshal(w.config))
	for _, bad := range []string{
		strings.Replace(honest, "{", `{"issuer":"https://evil.example",`, 1), strings.Replace(honest, "{", `{"\u006awks_uri":"https://evil.example",`, 1), "[" + honest + "]",
	} {
		w := newWorld(t)
		w.handle(discoveryPath, status(200, bad))
		_, err := w.provider.Begin(t.Context(), w.trip)
		refused(t, err, oidc.DiscoveryMalformed, oidc.DiscoveryUnavailable)
	}
}

// TestAlgorithmsAreThoseOfBoth: what the provider lists can take ours away and add none.
func TestAlgorithmsAreThoseOfBoth(t *testing.T) {
	w := newWorld(t)
	w.set(func() { w.config["id_token_signing_alg_values_supported"] = []string{"ES256", "RS512", "HS256"} })
	_, err := w.complete(w.token(nil, nil))
	refused(t, err, oidc.AlgorithmNotAllowed)
	_, err = w.complete(sign(object{"alg": "ES256", "kid": "e1"}, marshal(w.claims()), ecKey()))
	require.NoError(t, err)
	_, err = w.complete(w.token(object{"alg": "RS512"}, nil))
	refused(t, err, oidc.AlgorithmNotAllowed)

	w = newWorld(t, func(_ *world, c *oidc.Config) { c.Algorithms = []string{"RS512"} })
	w.set(func() { delete(w.config, "id_token_signing_alg_values_supported") })
	_, err = w.complete(w.token(object{"alg": "RS512"}, nil))
	require.NoError(t, err)
}

// TestKeysOfAnotherParty: a provider that is given another one's keys does not get its people.
func TestKeysOfAnotherParty(t *testing.T) {
	theirs := newWorld(t)
	theirs.set(func() { theirs.keys = []object{jwk("r1", otherRSA())} })
	ours := newWorld(t)
	_, err := ours.complete(by("r1", otherRSA(), ours))
	refused(t, err, oidc.SignatureInvalid)
	_, err = ours.complete(by("r1", rsaKey(), theirs)) // their issuer, signed by ours
	refused(t, err, oidc.IssuerMismatch)
	_, err = ours.complete(ours.token(nil, nil))
	require.NoError(t, err)
}

func TestTokenErrorsTellACodeAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		status     int
		body, want string
		code       string
	}{
		{400, `{"error":"invalid_grant","error_description":"` + everything + `","error_uri":"https://x/` + theCode + `"}`, "status 400, invalid_grant", oidc.TokenRefused},
		{401, `{"error":"invalid_client"}`, "status 401, invalid_client", oidc.TokenRefused},
		{200, `{"error":"invalid_grant"}`, "status 200, invalid_grant", oidc.TokenRefused},
		{400, `{"error":"` + theCode + `"}`, "status 400, another error", oidc.TokenRefused},
		{400, `{"error":"codesentinel"}`, "status 400, another error", oidc.TokenRefused},
		{400, everything, "status 400, another error", oidc.TokenRefused},
		{503, `{"error":"temporarily_unavailable"}`, "status 503", oidc.TokenUnavailable},
		{200, `{"token_type":"Bearer"}`, "the request failed", oidc.TokenUnavailable},
	} {
		w := newWorld(t)
		w.handle("/token", status(c.status, c.body))
		_, err := w.complete(w.idToken)
		refused(t, err, c.code)
		require.ErrorContains(t, err, c.want)
		require.Equal(t, 1, w.called("/token"))
	}
	for body, code := range map[string]string{
		`{"access_token":"a","token_type":"Bearer"}`:                oidc.IDTokenMissing,
		`{"access_token":"a","token_type":"Bearer","id_token":7}`:   oidc.IDTokenMissing,
		`{"access_token":"a","token_type":"DPoP","id_token":"eyJ"}`: oidc.TokenTypeUnknown,
	} {
		w := newWorld(t)
		w.handle("/token", status(200, body))
		_, err := w.complete(w.idToken)
		refused(t, err, code)
	}
}

func TestClientAuthentication(t *testing.T) {
	secretPost := []string{"client_secret_post"}
	for name, c := range map[string]struct {
		bend   func(*world, *oidc.Config)
		listed []string
		basic  bool
		secret string // in the form
	}{
		"nothing listed":            {nil, nil, true, ""},
		"both listed":               {nil, []string{"client_secret_post", "client_secret_basic"}, true, ""},
		"post listed":               {nil, secretPost, false, theSecret},
		"basic configured":          {func(_ *world, c *oidc.Config) { c.ClientAuth = oidc.ClientSecretBasic }, secretPost, true, ""},
		"post configured":           {func(_ *world, c *oidc.Config) { c.ClientAuth = oidc.ClientSecretPost }, nil, false, theSecret},
		"public":                    {func(_ *world, c *oidc.Config) { c.ClientSecret = auth.Secret{} }, secretPost, false, ""},
		"public by configuration":   {func(_ *world, c *oidc.Config) { c.ClientSecret, c.ClientAuth = auth.Secret{}, oidc.ClientAuthNone }, nil, false, ""},
		"made for each, and posted": {minted, secretPost, false, "minted-" + now.Format(time.RFC3339)},
	} {
		w := newWorld(t, func(w *world, cfg *oidc.Config) {
			if c.bend != nil {
				c.bend(w, cfg)
			}
		})
		if c.listed != nil {
			w.set(func() { w.config["token_endpoint_auth_methods_supported"] = c.listed })
		}
		_, err := w.complete(w.idToken)
		require.NoError(t, err, name)
		r := w.requests["/token"][0]
		_, _, basic := r.BasicAuth()
		require.Equal(t, c.basic, basic, name)
		require.Equal(t, c.secret, r.PostForm.Get("client_secret"), name)
		require.Equal(t, !c.basic, r.PostForm.Get("client_id") == "client-1", name)
		require.Equal(t, "verifier-SENTINEL", r.PostForm.Get("code_verifier"), name)
		require.Empty(t, r.URL.RawQuery, name)
	}
}

func minted(_ *world, c *oidc.Config) {
	c.ClientSecret = auth.Secret{}
	c.MintSecret = func(_ context.Context, at time.Time) (auth.Secret, error) {
		return auth.NewSecret("minted-" + at.Format(time.RFC3339)), nil
	}
}

func TestASecretThatCannotBeMadeIsAFault(t *testing.T) {
	broke := errors.New("no key")
	w := newWorld(t, func(_ *world, c *oidc.Config) {
		c.ClientSecret, c.MintSecret = auth.Secret{}, func(context.Context, time.Time) (auth.Secret, error) { return auth.Secret{}, broke }
	})
	_, err := w.complete(w.idToken)
	require.ErrorIs(t, err, broke)
	require.Zero(t, w.called("/token"))
}

// TestTheInternalNetworkIsClosed: what a provider's configuration names is asked for as it stands only outside of it.
func TestTheInternalNetworkIsClosed(t *testing.T) {
	w := newWorld(t)
	w.set(func() { w.config["jwks_uri"] = "https://169.254.169.254/latest/meta-data" })
	_, err := w.complete(w.idToken)
	refused(t, err, oidc.KeysUnavailable)
	require.ErrorIs(t, err, federation.ErrAddress)

	strict := newWorld(t, func(w *world, c *oidc.Config) { c.HTTP.Development = false })
	_, err = strict.complete(strict.idToken)
	refused(t, err, oidc.DiscoveryUnavailable)
	require.ErrorIs(t, err, federation.ErrAddress)
	require.Zero(t, strict.called(discoveryPath), "nobody was asked")
}

// TestNoEndpointLeadsInward: nothing that a configuration names, or that an endpoint redirects to, is asked for where only
// our own machines are. The codes are those of the endpoint that could not be had.
func TestNoEndpointLeadsInward(t *testing.T) {
	for endpoint, code := range map[string]string{
		"jwks_uri": oidc.KeysUnavailable, "token_endpoint": oidc.TokenUnavailable, "userinfo_endpoint": oidc.UserInfoUnavailable,
	} {
		for _, host := range []string{"169.254.169.254", "10.0.0.1", "192.168.1.1", "172.16.0.1", "[fd00::1]", "[::ffff:10.0.0.1]", "0.0.0.0", "100.64.0.1"} {
			w := newWorld(t, always)
			w.set(func() { w.config[endpoint] = "https://" + host + "/x" })
			_, err := w.complete(w.idToken)
			refused(t, err, code)
			require.ErrorIs(t, err, federation.ErrAddress, host)
		}
	}
	for path, code := range map[string]string{
		discoveryPath: oidc.DiscoveryUnavailable, "/keys": oidc.KeysUnavailable, "/token": oidc.TokenUnavailable, "/userinfo": oidc.UserInfoUnavailable,
	} {
		for _, to := range []string{"https://169.254.169.254/latest", "https://evil.example/", "http://127.0.0.1/", "//evil.example/", "file:///etc/passwd"} {
			w := newWorld(t, always)
			w.handle(path, func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, to, http.StatusTemporaryRedirect) })
			_, err := w.complete(w.idToken)
			refused(t, err, code)
		}
	}
}
