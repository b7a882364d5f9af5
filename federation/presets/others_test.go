package presets_test

import (
	"crypto/elliptic"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	"github.com/cardea-auth/cardea/federation/oidc"
	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
	"github.com/cardea-auth/cardea/federation/presets"
)

func linkedIn(t *testing.T) (*service, *oidc.Provider) {
	s := &service{
		t: t, discover: "https://www.linkedin.com/oauth/.well-known/openid-configuration",
		config: object{
			"issuer": "https://www.linkedin.com/oauth", "authorization_endpoint": "https://www.linkedin.com/oauth/v2/authorization",
			"token_endpoint": "https://www.linkedin.com/oauth/v2/accessToken", "jwks_uri": "https://www.linkedin.com/oauth/openid/jwks",
			"userinfo_endpoint": "https://api.linkedin.com/v2/userinfo", "id_token_signing_alg_values_supported": []string{"RS256"},
		},
		claims:   object{"iss": "https://www.linkedin.com/oauth", "email": "ann@corp.example", "email_verified": true},
		userInfo: object{"sub": "subject-1", "name": "Ann A", "email": "ann@other.example", "email_verified": true},
	}
	return s, must(presets.LinkedIn(presets.LinkedInConfig{ClientID: theClient, ClientSecret: auth.NewSecret(theSecret), HTTP: s.http()}))
}

func TestLinkedIn(t *testing.T) {
	s, p := linkedIn(t)
	info := p.Info()
	require.Equal(t, auth.ProviderInfo{ID: "linkedin", Name: "LinkedIn", NoNonce: true, NoPKCE: true, Notes: info.Notes}, info)
	require.Contains(t, strings.Join(info.Notes, " "), "whoever steals a code")
	id, err := s.visit(p)
	require.NoError(t, err)
	require.Equal(t, auth.Identity{Issuer: "https://www.linkedin.com/oauth", Subject: "subject-1", Name: "Ann A",
		Email: "ann@corp.example", EmailTrust: auth.EmailAsserted}, id)
	require.Equal(t, url.Values{"scope": {"openid email"}}, s.asks())
	for _, name := range []string{"nonce", "code_challenge", "code_challenge_method"} {
		require.False(t, s.query.Has(name), name)
	}
	require.Equal(t, []url.Values{{"grant_type": {"authorization_code"}, "code": {theCode}, "redirect_uri": {redirectURI},
		"client_id": {theClient}, "client_secret": {theSecret}}}, s.forms)
	require.Equal(t, 1, s.asked["https://api.linkedin.com/v2/userinfo"])
}

// TestLinkedInMakesUp for what it lacks: access token, ID token and userinfo are of one another.
func TestLinkedInMakesUp(t *testing.T) {
	for name, c := range map[string]struct {
		claims, info object
		code         string
	}{
		"at_hash of another":        {object{"at_hash": hashOf("another")}, nil, oidc.AccessTokenMismatch},
		"at_hash empty":             {object{"at_hash": ""}, nil, oidc.AccessTokenMismatch},
		"userinfo of another":       {nil, object{"sub": "subject-2"}, oidc.UserInfoOfAnother},
		"userinfo of nobody":        {nil, object{"sub": nil}, oidc.UserInfoOfAnother},
		"a nonce, for somebody":     {object{"nonce": "the-nonce"}, nil, oidc.NonceMismatch},
		"the issuer it had before":  {object{"iss": "https://www.linkedin.com"}, nil, oidc.IssuerMismatch},
		"another client's ID token": {object{"aud": "client-2"}, nil, oidc.AudienceMismatch},
	} {
		s, p := linkedIn(t)
		s.claims, s.userInfo = with(s.claims, c.claims), bent(s.userInfo, c.info)
		_, err := s.visit(p)
		t.Log(name)
		refused(t, err, c.code)
	}
	s, p := linkedIn(t)
	s.userInfo = nil
	_, err := s.visit(p)
	refused(t, err, oidc.UserInfoUnavailable)
}

// TestTheOthersNeedANonce: what LinkedIn is forgiven is a fault of all others, and so is a nonce of another sign-in.
func TestTheOthersNeedANonce(t *testing.T) {
	for name, start := range map[string]func() (*service, *oidc.Provider){
		"google": func() (*service, *oidc.Provider) { return google(t, "") },
		"microsoft": func() (*service, *oidc.Provider) {
			return microsoft(t, "common", presets.MicrosoftConfig{AnyTenant: true})
		},
		"apple": func() (*service, *oidc.Provider) { return apple(t, ecKey(elliptic.P256()), nil) },
	} {
		for _, nonce := range []any{nil, "", "of-another-sign-in"} {
			s, p := start()
			s.claims = with(s.claims, object{"nonce": nonce})
			_, err := s.visit(p)
			t.Log(name, nonce)
			refused(t, err, oidc.NonceMismatch)
			require.True(t, s.query.Has("code_challenge"))
		}
	}
}

func TestLastPass(t *testing.T) {
	op := oidctest.Start(t, oidctest.Config{
		Clients: []oidctest.Client{{ID: theClient, Secret: theSecret, AuthMethod: "client_secret_post", RedirectURIs: []string{redirectURI}}},
		People:  []oidctest.Person{{Subject: "ann", Email: "ann@corp.example", EmailVerified: true}},
	})
	secrets := trip() // longer than those of the fakes: this provider looks at them
	secrets.Verifier, secrets.Now = auth.NewSecret(strings.Repeat("v", 43)), time.Now()
	c := presets.LastPassConfig{
		Issuer: op.Issuer(), ClientID: theClient, ClientSecret: auth.NewSecret(theSecret), HTTP: federation.ClientConfig{Development: true},
	}
	for range 2 { // by discovery, and by endpoints
		p, err := presets.LastPass(c)
		require.NoError(t, err)
		require.Equal(t, "lastpass", p.Info().ID)
		d, err := p.Begin(t.Context(), secrets)
		require.NoError(t, err)
		answer, err := op.Visit(d.URL)
		require.NoError(t, err)
		id, err := p.Complete(t.Context(), secrets, auth.Answer{Code: auth.NewSecret(answer.Values.Get("code")), Issuer: answer.Values.Get("iss")})
		require.NoError(t, err)
		require.Equal(t, []any{op.Issuer(), "ann", "ann@corp.example", auth.EmailAsserted}, []any{id.Issuer, id.Subject, id.Email, id.EmailTrust})
		c.Endpoints = &oidc.Endpoints{Authorization: op.Issuer() + "/authorize", Token: op.Issuer() + "/token", Keys: op.Issuer() + "/jwks",
			UserInfo: op.Issuer() + "/userinfo", TellsIssuer: true}
	}
	_, err := presets.LastPass(presets.LastPassConfig{ClientID: theClient, ClientSecret: auth.NewSecret(theSecret)})
	require.ErrorContains(t, err, "Issuer is required", "nobody makes one up")
}

// silent fails every request.
type silent struct{ t *testing.T }

func (s silent) RoundTrip(r *http.Request) (*http.Response, error) {
	require.Fail(s.t, "a request", r.URL.Host)
	return nil, http.ErrServerClosed
}

// TestConstructors name every problem, print no secret and touch no network; a host may name a provider otherwise.
func TestConstructors(t *testing.T) {
	secret, web := auth.NewSecret(theSecret), federation.ClientConfig{Client: &http.Client{Transport: silent{t}}}
	make := map[string]func(id, name, client string, secret auth.Secret, timeout federation.ClientConfig) (auth.Provider, error){
		"Google": func(id, name, client string, secret auth.Secret, web federation.ClientConfig) (auth.Provider, error) {
			return presets.Google(presets.GoogleConfig{ClientID: client, ClientSecret: secret, ID: id, Name: name, HTTP: web})
		},
		"Microsoft": func(id, name, client string, secret auth.Secret, web federation.ClientConfig) (auth.Provider, error) {
			return presets.Microsoft(presets.MicrosoftConfig{ClientID: client, ClientSecret: secret, ID: id, Name: name, HTTP: web, AnyTenant: true})
		},
		"LinkedIn": func(id, name, client string, secret auth.Secret, web federation.ClientConfig) (auth.Provider, error) {
			return presets.LinkedIn(presets.LinkedInConfig{ClientID: client, ClientSecret: secret, ID: id, Name: name, HTTP: web})
		},
		"LastPass": func(id, name, client string, secret auth.Secret, web federation.ClientConfig) (auth.Provider, error) {
			return presets.LastPass(presets.LastPassConfig{Issuer: "https://id.example", ClientID: client, ClientSecret: secret, ID: id, Name: name, HTTP: web})
		},
	}
	for service, f := range make {
		p, err := f("mine", "Mine", theClient, secret, web)
		require.NoError(t, err)
		require.Equal(t, []string{"mine", "Mine"}, []string{p.Info().ID, p.Info().Name})
		require.NotContains(t, fmt.Sprintf("%+v", p.(auth.Reporter).Report()), "SENTINEL")
		_, err = f("Not One", "x", "", auth.Secret{}, federation.ClientConfig{Timeout: -1})
		for _, part := range []string{service + "Config", "Info.ID", "ClientID", "ClientSecret", "Timeout"} {
			require.ErrorContains(t, err, part)
		}
	}
	for _, domain := range []string{"*", "corp", "https://corp.example", "corp.example,evil.example"} {
		_, err := presets.Google(presets.GoogleConfig{ClientID: theClient, ClientSecret: secret, HostedDomain: domain})
		require.ErrorContains(t, err, "HostedDomain", domain)
	}
}
