package presets_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation/oidc"
	"github.com/cardea-auth/cardea/federation/presets"
)

func google(t *testing.T, hosted string) (*service, *oidc.Provider) {
	s := &service{
		t: t, discover: "https://accounts.google.com/.well-known/openid-configuration",
		config: object{
			"issuer": "https://accounts.google.com", "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
			"token_endpoint": "https://oauth2.googleapis.com/token", "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
			"userinfo_endpoint":                              "https://openidconnect.googleapis.com/v1/userinfo",
			"id_token_signing_alg_values_supported":          []string{"RS256"},
			"token_endpoint_auth_methods_supported":          []string{"client_secret_post", "client_secret_basic"},
			"authorization_response_iss_parameter_supported": true,
		},
		claims: object{"iss": "https://accounts.google.com", "azp": theClient, "email": "ann@gmail.com", "email_verified": true},
	}
	return s, must(presets.Google(presets.GoogleConfig{
		ClientID: theClient, ClientSecret: auth.NewSecret(theSecret), HostedDomain: hosted, HTTP: s.http(),
	}))
}

func TestGoogle(t *testing.T) {
	s, p := google(t, "")
	require.Equal(t, auth.ProviderInfo{ID: "google", Name: "Google"}, p.Info(), "PKCE and nonce, and it does not serve to step up")
	id, err := s.visit(p)
	require.NoError(t, err)
	require.Equal(t, auth.Identity{
		Issuer: "https://accounts.google.com", Subject: "subject-1", Email: "ann@gmail.com", EmailTrust: auth.EmailAuthoritative,
	}, id)
	require.Equal(t, url.Values{"scope": {"openid email"}}, s.asks())
	require.Equal(t, []url.Values{{
		"grant_type": {"authorization_code"}, "code": {theCode}, "redirect_uri": {redirectURI}, "code_verifier": {"the-verifier"},
		"client_id": {theClient}, "client_secret": {theSecret},
	}}, s.forms)
	require.Len(t, s.asked, 3, "configuration, keys and token")
}

func TestGoogleNamesItsIssuer(t *testing.T) {
	s, p := google(t, "")
	for _, iss := range []any{"accounts.google.com", "https://accounts.google.com/", "http://accounts.google.com", nil} {
		s.claims["iss"] = iss
		_, err := s.visit(p)
		refused(t, err, oidc.IssuerMismatch)
	}
}

func TestGoogleAddresses(t *testing.T) {
	for _, c := range []struct {
		email    string
		verified any
		hd       any
		trust    auth.EmailTrust
	}{
		{"ann@gmail.com", true, nil, auth.EmailAuthoritative},
		{"Ann@GMail.com", true, nil, auth.EmailAuthoritative},
		{"ann@gmail.com", false, nil, auth.EmailUnverified},
		{"ann@gmail.com", nil, nil, auth.EmailUnverified},
		{"ann@gmail.com", "true", nil, auth.EmailUnverified},
		{"ann@corp.example", true, "corp.example", auth.EmailAuthoritative},
		{"ann@CORP.example", true, "corp.example", auth.EmailAuthoritative},
		{"ann@corp.example", false, "corp.example", auth.EmailUnverified},
		{"ann@corp.example", true, nil, auth.EmailAsserted},
		{"ann@corp.example", true, "", auth.EmailAsserted},
		{"ann@corp.example", true, "evil.example", auth.EmailAsserted},
		{"ann@sub.corp.example", true, "corp.example", auth.EmailAsserted},
		{"ann@corp.example", true, []string{"corp.example"}, auth.EmailAsserted},
		{"ann@notgmail.com", true, nil, auth.EmailAsserted},
		{"ann@gmail.com.evil.example", true, nil, auth.EmailAsserted},
		{"ann@gmail.com@evil.example", true, nil, auth.EmailAsserted},
		{`"ann@home"@gmail.com`, true, nil, auth.EmailAuthoritative},
		{"ann@", true, "", auth.EmailAsserted},
	} {
		s, p := google(t, "")
		s.claims = with(s.claims, object{"email": c.email, "email_verified": c.verified, "hd": c.hd})
		id, err := s.visit(p)
		require.NoError(t, err)
		require.Equal(t, c.trust, id.EmailTrust, "%+v", c)
		require.Equal(t, c.email, id.Email)
	}
}

// TestHostedDomain: what counts is the token. Somebody can leave hd out of the address, or choose another account.
func TestHostedDomain(t *testing.T) {
	for _, c := range []struct {
		hd   any
		code string
	}{
		{"corp.example", ""}, {nil, oidc.ClaimMismatch}, {"evil.example", oidc.ClaimMismatch}, {"corp.example.evil.example", oidc.ClaimMismatch},
		{"", oidc.ClaimMismatch}, {true, oidc.ClaimMismatch}, {[]string{"corp.example"}, oidc.ClaimMismatch},
	} {
		s, p := google(t, "Corp.example")
		s.claims = with(s.claims, object{"email": "ann@corp.example", "hd": c.hd})
		s.userInfo = object{"sub": "subject-1", "hd": "corp.example"}
		id, err := s.visit(p)
		require.Equal(t, url.Values{"scope": {"openid email"}, "hd": {"corp.example"}}, s.asks())
		if c.code != "" {
			refused(t, err, c.code)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, auth.EmailAuthoritative, id.EmailTrust)
	}
}

// A secret that is missing is told once, in the words of the preset's own field.
func TestASecretThatIsMissing(t *testing.T) {
	_, err := presets.Google(presets.GoogleConfig{ClientID: theClient})
	require.EqualError(t, err, "presets: invalid GoogleConfig: ClientSecret is required")
}
