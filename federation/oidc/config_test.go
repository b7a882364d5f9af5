package oidc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation/oidc"
)

func TestConfigsThatMustNotBe(t *testing.T) {
	good := func() oidc.Config {
		return oidc.Config{
			Info: auth.ProviderInfo{ID: "example", Name: "Example"}, Issuer: "https://id.example.com", ClientID: "c", ClientSecret: auth.NewSecret("s"),
		}
	}
	_, err := oidc.New(good())
	require.NoError(t, err)
	endpoints := oidc.Endpoints{Authorization: "https://a.example", Token: "https://b.example", Keys: "https://c.example"}
	for name, bend := range map[string]func(*oidc.Config){
		"Info.ID":                func(c *oidc.Config) { c.Info.ID = "Example" },
		"Info.ID must":           func(c *oidc.Config) { c.Info.ID = repeat("a", 33) },
		"Info.Name":              func(c *oidc.Config) { c.Info.Name = " " },
		"Info.Vouches":           func(c *oidc.Config) { c.Info.Vouches = []string{"a b"} },
		"Issuer is required":     func(c *oidc.Config) { c.Issuer = "" },
		"Issuer: the address":    func(c *oidc.Config) { c.Issuer = "http://id.example.com" },
		"Issuer: the address is": func(c *oidc.Config) { c.Issuer = "http://localhost" },
		"no query":               func(c *oidc.Config) { c.Issuer = "https://id.example.com?x" },
		"at most":                func(c *oidc.Config) { c.Issuer = "https://id.example.com/" + repeat("x", 255) },
		"a fragment":             func(c *oidc.Config) { c.Issuer = "https://id.example.com#x" },
		"a whole segment": func(c *oidc.Config) {
			c.Issuer, c.DiscoveryURL = "https://id.example.com/x{tenantid}", "https://id.example.com"
		},
		"may have {tenantid} once": func(c *oidc.Config) {
			c.Issuer, c.DiscoveryURL = "https://id.example.com/{tenantid}/{tenantid}", "https://id.example.com"
		},
		"have {tenantid}": func(c *oidc.Config) {
			c.Issuer, c.DiscoveryURL = "https://id.example.com/{tenant}", "https://id.example.com"
		},
		"its own host":                     func(c *oidc.Config) { c.Issuer, c.DiscoveryURL = "https://{tenantid}/v2", "https://id.example.com" },
		"DiscoveryURL is required":         func(c *oidc.Config) { c.Issuer = "https://id.example.com/{tenantid}" },
		"Tenants and AnyTenant are of use": func(c *oidc.Config) { c.Tenants = []string{tenantA} },
		"AnyTenant are of use":             func(c *oidc.Config) { c.AnyTenant = true },
		"Tenants must name": func(c *oidc.Config) {
			c.Issuer, c.DiscoveryURL = "https://x.example/{tenantid}", "https://x.example"
		},
		"one of the two": func(c *oidc.Config) {
			c.Issuer, c.DiscoveryURL, c.Tenants, c.AnyTenant = "https://x.example/{tenantid}", "https://x.example", []string{tenantA}, true
		},
		"no GUID": func(c *oidc.Config) {
			c.Issuer, c.DiscoveryURL, c.Tenants = "https://x.example/{tenantid}", "https://x.example", []string{"common"}
		},
		"ClientID": func(c *oidc.Config) { c.ClientID = "" },
		"both given": func(c *oidc.Config) {
			c.MintSecret = func(context.Context, time.Time) (auth.Secret, error) { return auth.Secret{}, nil }
		},
		"needs a ClientSecret":     func(c *oidc.Config) { c.ClientSecret, c.ClientAuth = auth.Secret{}, oidc.ClientSecretPost },
		"there is a secret":        func(c *oidc.Config) { c.ClientAuth = oidc.ClientAuthNone },
		"ClientAuth is unknown":    func(c *oidc.Config) { c.ClientAuth = 9 },
		"needs PKCE":               func(c *oidc.Config) { c.ClientSecret, c.Info.NoPKCE = auth.Secret{}, true },
		"Skew":                     func(c *oidc.Config) { c.Skew = 6 * time.Minute },
		"UserInfo is unknown":      func(c *oidc.Config) { c.UserInfo = 9 },
		"Algorithms is empty":      func(c *oidc.Config) { c.Algorithms = []string{} },
		`Algorithms has "none"`:    func(c *oidc.Config) { c.Algorithms = []string{"RS256", "none"} },
		`Algorithms has "HS256"`:   func(c *oidc.Config) { c.Algorithms = []string{"HS256"} },
		"Scopes":                   func(c *oidc.Config) { c.Scopes = []string{"a b"} },
		"Audiences":                func(c *oidc.Config) { c.Audiences = []string{""} },
		`Parameters has "nonce"`:   func(c *oidc.Config) { c.Parameters = map[string]string{"nonce": "x"} },
		`Parameters has "request"`: func(c *oidc.Config) { c.Parameters = map[string]string{"request": "x"} },
		"RequireClaims has":        func(c *oidc.Config) { c.RequireClaims = map[string]string{"hd": ""} },
		"RequireClaims has a":      func(c *oidc.Config) { c.RequireClaims = map[string]string{"": "x"} },
		"are both given":           func(c *oidc.Config) { c.DiscoveryURL, c.Endpoints = "https://x.example", &endpoints },
		"Endpoints.Token": func(c *oidc.Config) {
			c.Endpoints = &oidc.Endpoints{Authorization: "https://a.example", Keys: "https://c.example"}
		},
		"Endpoints.UserInfo":         func(c *oidc.Config) { e := endpoints; e.UserInfo = "http://a.example"; c.Endpoints = &e },
		"DiscoveryURL: the address":  func(c *oidc.Config) { c.DiscoveryURL = "ftp://x.example" },
		"federation: invalid Client": func(c *oidc.Config) { c.HTTP.Timeout = -1 },
	} {
		c := good()
		bend(&c)
		_, err := oidc.New(c)
		require.ErrorContains(t, err, name)
	}
}

func TestProviderWithoutDiscovery(t *testing.T) {
	w := newWorld(t, func(w *world, c *oidc.Config) {
		c.Endpoints = &oidc.Endpoints{Authorization: w.issuer + "/authorize", Token: w.issuer + "/token", Keys: w.issuer + "/keys", TellsIssuer: true}
	})
	d, err := w.provider.Begin(t.Context(), w.trip)
	require.NoError(t, err)
	require.Equal(t, []any{w.issuer, true}, []any{d.Issuer, d.TellsIssuer})
	_, err = w.complete(w.idToken)
	refused(t, err, oidc.AnswerIssuerMissing)
	_, err = w.provider.Complete(t.Context(), w.trip, auth.Answer{Code: auth.NewSecret(theCode), Issuer: w.issuer})
	require.NoError(t, err)
	address, err := w.provider.LogoutURL(t.Context(), "x", "y")
	require.NoError(t, err)
	require.Empty(t, address)
	require.Zero(t, w.called(discoveryPath))
}

func TestWhatIsGivenIsCopied(t *testing.T) {
	info := auth.ProviderInfo{ID: "example", Name: "Example", Vouches: []string{"mfa"}, Notes: []string{"note"}}
	algorithms := []string{"RS256"}
	w := newWorld(t, func(_ *world, c *oidc.Config) { c.Info, c.Algorithms = info, algorithms })
	info.Vouches[0], algorithms[0] = "changed", "ES256"
	w.provider.Info().Vouches[0] = "changed"
	require.Equal(t, []string{"mfa"}, w.provider.Info().Vouches)
	_, err := w.complete(w.idToken)
	require.NoError(t, err)
}

func TestReport(t *testing.T) {
	report := func(bends ...func(*world, *oidc.Config)) map[string]string {
		s := newWorld(t, bends...).provider.Report()
		require.Equal(t, "OpenID Connect with Example", s.Title)
		require.NotContains(t, string(marshal(s)), theSecret)
		rows := map[string]string{}
		for _, row := range s.Rows {
			rows[row.Name] = row.Value
		}
		return rows
	}
	plain := func(_ *world, c *oidc.Config) { c.Algorithms = nil }
	rows := report(plain)
	for name, want := range map[string]string{
		"scopes": "openid, email", "answers": "in the address (query)", "PKCE": "S256", "nonce": "required", "signatures": "RS256",
		"at_hash": "checked where it is there", "an ID token is good for": "10 minutes", "a logout token is good for": "2 minutes",
		"its keys are kept for": "5 minutes to 1 day",
	} {
		require.Equal(t, want, rows[name], name)
	}
	require.NotContains(t, rows, "tenants")
	rows = report(plain, manyTenants, func(_ *world, c *oidc.Config) {
		c.Info.NoPKCE, c.Info.NoNonce, c.Info.FormPost, c.RequireAccessTokenHash = true, true, true, true
		c.RequireClaims = map[string]string{"hd": "example.com"}
	})
	require.Contains(t, rows["issuer"], "{tenantid}")
	for name, want := range map[string]string{
		"tenants": "any", "answers": "by a form that the browser posts (form_post)", "PKCE": "not used: the provider cannot",
		"nonce": "not used: the provider cannot", "at_hash": "required", "claim hd": "example.com",
	} {
		require.Equal(t, want, rows[name], name)
	}
	rows = report(manyTenants, func(_ *world, c *oidc.Config) { c.Tenants, c.AnyTenant = []string{tenantA, tenantB}, false })
	require.Equal(t, tenantA+", "+tenantB, rows["tenants"])
}

func TestAppleSecret(t *testing.T) {
	k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	mint, err := oidc.AppleSecret(oidc.AppleKey{TeamID: "team", KeyID: "key", ClientID: "com.example", PrivateKey: k})
	require.NoError(t, err)
	secret, err := mint(t.Context(), now)
	require.NoError(t, err)
	parts := strings.Split(secret.Reveal(), ".")
	require.Len(t, parts, 3)
	require.JSONEq(t, `{"alg":"ES256","kid":"key"}`, string(must(decode64(parts[0]))))
	var claims object
	require.NoError(t, json.Unmarshal(must(decode64(parts[1])), &claims))
	require.Equal(t, object{
		"iss": "team", "sub": "com.example", "aud": "https://appleid.apple.com", "iat": float64(now.Unix()), "exp": float64(now.Unix() + 300),
	}, claims)
	signature := must(decode64(parts[2]))
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	require.True(t, ecdsa.Verify(&k.PublicKey, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])))
	again, err := mint(t.Context(), now)
	require.NoError(t, err)
	require.False(t, again.Equal(secret), "a new one for each request")

	_, err = oidc.AppleSecret(oidc.AppleKey{PrivateKey: must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))})
	for _, part := range []string{"TeamID", "KeyID", "ClientID", "P-256"} {
		require.ErrorContains(t, err, part)
	}
}
