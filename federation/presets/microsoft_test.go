package presets_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation/oidc"
	"github.com/cardea-auth/cardea/federation/presets"
)

const (
	tenantA = "11111111-aaaa-bbbb-cccc-222222222222"
	tenantB = "33333333-dddd-eeee-ffff-444444444444"
	foreign = "55555555-aaaa-bbbb-cccc-666666666666"
	host    = "https://login.microsoftonline.com/"
)

func of(tenant string) string { return host + tenant + "/v2.0" }

// microsoft is Microsoft's side for an authority, which is a tenant or a word for several.
func microsoft(t *testing.T, authority string, c presets.MicrosoftConfig) (*service, *oidc.Provider) {
	issuer := of("{tenantid}")
	if strings.Contains(authority, "-") {
		issuer = of(authority)
	}
	s := &service{
		t: t, discover: host + authority + "/v2.0/.well-known/openid-configuration", keyOf: issuer,
		config: object{
			"issuer": issuer, "authorization_endpoint": host + authority + "/oauth2/v2.0/authorize",
			"token_endpoint": host + authority + "/oauth2/v2.0/token", "jwks_uri": host + authority + "/discovery/v2.0/keys",
			"userinfo_endpoint":                     "https://graph.microsoft.com/oidc/userinfo",
			"id_token_signing_alg_values_supported": []string{"RS256"},
			"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		},
		claims: object{"iss": of(tenantA), "tid": tenantA, "ver": "2.0", "email": "ann@corp.example"},
	}
	c.ClientID, c.ClientSecret, c.HTTP = theClient, auth.NewSecret(theSecret), s.http()
	p, err := presets.Microsoft(c)
	require.NoError(t, err)
	return s, p
}

func TestMicrosoft(t *testing.T) {
	for authority, c := range map[string]presets.MicrosoftConfig{
		tenantA:         {Tenants: []string{strings.ToUpper(tenantA)}},
		"organizations": {Tenants: []string{tenantB, tenantA}},
		"common":        {AnyTenant: true},
	} {
		s, p := microsoft(t, authority, c)
		require.Equal(t, auth.ProviderInfo{ID: "microsoft", Name: "Microsoft"}, p.Info())
		id, err := s.visit(p)
		require.NoError(t, err, authority)
		require.Equal(t, auth.Identity{Issuer: of(tenantA), Subject: "subject-1", Email: "ann@corp.example"}, id)
		require.Equal(t, url.Values{"scope": {"openid email"}}, s.asks())
		require.Equal(t, "the-verifier", s.forms[0].Get("code_verifier"))
		require.Len(t, s.asked, 3, "configuration, keys and token; not userinfo")
	}
	s, p := microsoft(t, presets.PersonalAccounts, presets.MicrosoftConfig{Tenants: []string{presets.PersonalAccounts}})
	s.claims = with(s.claims, object{"iss": of(presets.PersonalAccounts), "tid": presets.PersonalAccounts})
	_, err := s.visit(p)
	require.NoError(t, err)
	s, p = microsoft(t, "common", presets.MicrosoftConfig{Tenants: []string{tenantA, presets.PersonalAccounts}})
	_, err = s.visit(p)
	require.NoError(t, err)
}

func TestMicrosoftTenants(t *testing.T) {
	one, two, all := presets.MicrosoftConfig{Tenants: []string{tenantA}}, presets.MicrosoftConfig{Tenants: []string{tenantA, tenantB}},
		presets.MicrosoftConfig{AnyTenant: true}
	for name, c := range map[string]struct {
		authority string
		config    presets.MicrosoftConfig
		iss, tid  any
		keyOf     string
		code      string
	}{
		"one: a foreign tenant":           {tenantA, one, of(foreign), foreign, "", oidc.IssuerMismatch},
		"one: iss of it, tid of another":  {tenantA, one, of(tenantA), foreign, "", oidc.ClaimMismatch},
		"one: iss of it, no tid":          {tenantA, one, of(tenantA), nil, "", oidc.ClaimMismatch},
		"one: the old issuer":             {tenantA, one, "https://sts.windows.net/" + tenantA + "/", tenantA, "", oidc.IssuerMismatch},
		"two: the second":                 {"organizations", two, of(tenantB), tenantB, "", ""},
		"two: a foreign tenant":           {"organizations", two, of(foreign), foreign, "", oidc.TenantNotAllowed},
		"two: personal accounts":          {"organizations", two, of(presets.PersonalAccounts), presets.PersonalAccounts, "", oidc.TenantNotAllowed},
		"two: iss of one, tid of another": {"organizations", two, of(tenantA), tenantB, "", oidc.IssuerMismatch},
		"two: iss foreign, tid of one":    {"organizations", two, of(foreign), tenantA, "", oidc.IssuerMismatch},
		"two: no tid":                     {"organizations", two, of(tenantA), nil, "", oidc.IssuerMismatch},
		"two: tid no GUID":                {"organizations", two, of("corp.example"), "corp.example", "", oidc.IssuerMismatch},
		"two: the template":               {"organizations", two, of("{tenantid}"), "{tenantid}", "", oidc.IssuerMismatch},
		"two: a key of the other":         {"organizations", two, of(tenantA), tenantA, of(tenantB), oidc.KeyOfAnotherIssuer},
		"two: a key of its own":           {"organizations", two, of(tenantA), tenantA, of(tenantA), ""},
		"any: a foreign tenant":           {"common", all, of(foreign), foreign, "", ""},
		"any: by a key for personal ones": {"common", all, of(foreign), foreign, of(presets.PersonalAccounts), oidc.KeyOfAnotherIssuer},
		"any: another host":               {"common", all, "https://evil.example/" + foreign + "/v2.0", foreign, "", oidc.IssuerMismatch},
		"any: tid no GUID":                {"common", all, of("evil"), "evil", "", oidc.IssuerMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := microsoft(t, c.authority, c.config)
			s.claims = with(s.claims, object{"iss": c.iss, "tid": c.tid})
			if c.keyOf != "" {
				s.keyOf = c.keyOf
			}
			id, err := s.visit(p)
			if c.code != "" {
				refused(t, err, c.code)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.iss, id.Issuer)
		})
	}
}

// TestMicrosoftAddresses: an administrator writes what they like into the address of their people, such as that of a
// person elsewhere (nOAuth).
func TestMicrosoftAddresses(t *testing.T) {
	names := object{"preferred_username": "victim@corp.example", "upn": "victim@corp.example", "mail": "victim@corp.example", "unique_name": "victim@corp.example"}
	for _, c := range []struct {
		claims object
		email  string
		trust  auth.EmailTrust
	}{
		{object{"email": "victim@corp.example"}, "victim@corp.example", auth.EmailUnverified},
		{object{"email": "victim@corp.example", "email_verified": true}, "victim@corp.example", auth.EmailUnverified},
		{object{"email": "victim@corp.example", "verified_primary_email": []string{"victim@corp.example"}}, "victim@corp.example", auth.EmailUnverified},
		{object{"xms_edov": true}, "ann@corp.example", auth.EmailAsserted},
		{object{"xms_edov": 1}, "ann@corp.example", auth.EmailAsserted},
		{object{"xms_edov": "1"}, "ann@corp.example", auth.EmailAsserted},
		{object{"xms_edov": false}, "ann@corp.example", auth.EmailUnverified},
		{object{"xms_edov": 0}, "ann@corp.example", auth.EmailUnverified},
		{object{"xms_edov": "0"}, "ann@corp.example", auth.EmailUnverified},
		{object{"xms_edov": "true"}, "ann@corp.example", auth.EmailUnverified},
		{object{"xms_edov": "false"}, "ann@corp.example", auth.EmailUnverified},
		{object{"xms_edov": []bool{true}}, "ann@corp.example", auth.EmailUnverified},
		{object{"XMS_EDOV": true}, "ann@corp.example", auth.EmailUnverified},
		{bent(names, object{"xms_edov": true}), "ann@corp.example", auth.EmailAsserted},
		{bent(names, object{"xms_edov": true, "email": ""}), "", auth.EmailUnverified},
	} {
		s, p := microsoft(t, "common", presets.MicrosoftConfig{AnyTenant: true})
		s.claims = with(s.claims, c.claims)
		id, err := s.visit(p)
		require.NoError(t, err)
		require.Equal(t, c.email, id.Email, "%+v", c.claims)
		require.Equal(t, c.trust, id.EmailTrust, "%+v", c.claims)
	}
}

// TestMicrosoftAuthenticatesAnew if the registration has auth_time, and refuses who did not.
func TestMicrosoftAuthenticatesAnew(t *testing.T) {
	fresh := func(trip *auth.Trip, _ *auth.Answer) { trip.Fresh = true }
	for _, c := range []struct {
		at   any
		code string
	}{
		{now.Unix(), ""}, {nil, oidc.AuthenticationUnknown}, {now.Add(-time.Hour).Unix(), oidc.AuthenticationTooOld},
		{now.Add(time.Hour).Unix(), oidc.AuthenticationUnknown},
	} {
		s, p := microsoft(t, tenantA, presets.MicrosoftConfig{Tenants: []string{tenantA}, Reauthenticates: true})
		require.True(t, p.Info().Reauthenticates)
		s.claims = with(s.claims, object{"auth_time": c.at})
		_, err := s.visit(p, fresh)
		require.Equal(t, "login", s.query.Get("prompt"))
		if c.code != "" {
			refused(t, err, c.code)
			continue
		}
		require.NoError(t, err)
	}
}

func TestMicrosoftWantsTenants(t *testing.T) {
	good := presets.MicrosoftConfig{ClientID: theClient, ClientSecret: auth.NewSecret(theSecret)}
	for name, c := range map[string]struct {
		tenants []string
		any     bool
	}{
		"none":             {},
		"one and any":      {[]string{tenantA}, true},
		"a domain":         {[]string{"corp.onmicrosoft.com"}, false},
		"a word":           {[]string{"common"}, false},
		"a path":           {[]string{tenantA + "/.."}, false},
		"two, one of them": {[]string{tenantA, "organizations"}, false},
		"the mark":         {[]string{"{tenantid}"}, false},
	} {
		bad := good
		bad.Tenants, bad.AnyTenant = c.tenants, c.any
		_, err := presets.Microsoft(bad)
		require.ErrorContains(t, err, "Tenants", name)
	}
}
