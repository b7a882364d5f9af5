package oidc_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation/oidc"
)

const (
	tenantA = "11111111-aaaa-bbbb-cccc-222222222222"
	tenantB = "33333333-dddd-eeee-ffff-444444444444"
)

// manyTenants makes the provider one of many tenants, as Microsoft's is. All may sign in.
func manyTenants(w *world, c *oidc.Config) {
	c.Issuer = w.srv.URL + "/{tenantid}/v2.0"
	c.DiscoveryURL, c.AnyTenant = w.srv.URL, true
	w.config["issuer"] = c.Issuer
	w.keys = []object{merge(jwk("r1", rsaKey()), object{"issuer": c.Issuer})}
}

func of(w *world, tenant string) string { return w.srv.URL + "/" + tenant + "/v2.0" }

func TestTenants(t *testing.T) {
	fill := func(iss, tid any) func(*world) object {
		return func(w *world) object {
			if s, ok := iss.(string); ok {
				iss = strings.Replace(s, "SELF", w.srv.URL, 1)
			}
			return object{"iss": iss, "tid": tid}
		}
	}
	only := func(_ *world, c *oidc.Config) { c.Tenants, c.AnyTenant = []string{strings.ToUpper(tenantA)}, false }
	keyOf := func(issuer string) func(*world, *oidc.Config) {
		return func(w *world, c *oidc.Config) {
			w.keys = []object{merge(jwk("r1", rsaKey()), object{"issuer": strings.Replace(issuer, "SELF", w.srv.URL, 1)})}
		}
	}
	for name, c := range map[string]struct {
		bend   func(*world, *oidc.Config)
		claims func(*world) object
		code   string
	}{
		"a tenant":                  {nil, fill("SELF/"+tenantA+"/v2.0", tenantA), ""},
		"another tenant":            {nil, fill("SELF/"+tenantB+"/v2.0", tenantB), ""},
		"iss of another tenant":     {nil, fill("SELF/"+tenantA+"/v2.0", tenantB), oidc.IssuerMismatch},
		"no tid":                    {nil, fill("SELF/"+tenantA+"/v2.0", nil), oidc.IssuerMismatch},
		"tid is no GUID":            {nil, fill("SELF/evil/v2.0", "evil"), oidc.IssuerMismatch},
		"tid of 36 other letters":   {nil, fill("SELF/"+repeat("z", 36)+"/v2.0", repeat("z", 36)), oidc.IssuerMismatch},
		"tid of 36 digits":          {nil, fill("SELF/"+repeat("1", 36)+"/v2.0", repeat("1", 36)), oidc.IssuerMismatch},
		"tid of 8 and 28":           {nil, fill("SELF/11111111-"+repeat("z", 27)+"/v2.0", "11111111-"+repeat("z", 27)), oidc.IssuerMismatch},
		"tid of a path":             {nil, fill("SELF/../evil/v2.0", "../evil"), oidc.IssuerMismatch},
		"tid is the mark":           {nil, fill("SELF/{tenantid}/v2.0", "{tenantid}"), oidc.IssuerMismatch},
		"tid in another case":       {nil, fill("SELF/"+tenantA+"/v2.0", strings.ToUpper(tenantA)), oidc.IssuerMismatch},
		"tid with braces":           {nil, fill("SELF/{"+tenantA+"}/v2.0", "{"+tenantA+"}"), oidc.IssuerMismatch},
		"tid with a line break":     {nil, fill("SELF/"+tenantA+"\n/v2.0", tenantA+"\n"), oidc.IssuerMismatch},
		"tid is a list":             {nil, fill("SELF/"+tenantA+"/v2.0", []string{tenantA}), oidc.IssuerMismatch},
		"iss of another host":       {nil, fill("https://evil.example/"+tenantA+"/v2.0", tenantA), oidc.IssuerMismatch},
		"iss of another version":    {nil, fill("SELF/"+tenantA+"/v1.0", tenantA), oidc.IssuerMismatch},
		"iss is the template":       {nil, fill("SELF/{tenantid}/v2.0", tenantA), oidc.IssuerMismatch},
		"a tenant that may":         {only, fill("SELF/"+tenantA+"/v2.0", tenantA), ""},
		"a tenant that may not":     {only, fill("SELF/"+tenantB+"/v2.0", tenantB), oidc.TenantNotAllowed},
		"a key of the tenant":       {keyOf("SELF/" + tenantA + "/v2.0"), fill("SELF/"+tenantA+"/v2.0", tenantA), ""},
		"a key of another tenant":   {keyOf("SELF/" + tenantB + "/v2.0"), fill("SELF/"+tenantA+"/v2.0", tenantA), oidc.KeyOfAnotherIssuer},
		"a key of another template": {keyOf("https://login.example/{tenantid}/v2.0"), fill("SELF/"+tenantA+"/v2.0", tenantA), oidc.KeyOfAnotherIssuer},
		"a key of nobody": {func(w *world, _ *oidc.Config) { w.keys = []object{jwk("r1", rsaKey())} },
			fill("SELF/"+tenantA+"/v2.0", tenantA), oidc.KeyOfAnotherIssuer},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, manyTenants, func(w *world, cfg *oidc.Config) {
				if c.bend != nil {
					c.bend(w, cfg)
				}
			})
			d, err := w.provider.Begin(t.Context(), w.trip)
			require.NoError(t, err)
			require.Empty(t, d.Issuer)
			claims := c.claims(w)
			i, err := w.complete(w.token(nil, claims))
			if c.code != "" {
				refused(t, err, c.code)
			} else {
				require.NoError(t, err)
				require.Equal(t, claims["iss"], i.Issuer)
			}
			// Nobody was asked for anything because of a claim.
			require.Equal(t, 1, w.called(discoveryPath))
			require.Len(t, w.calls, 3)
		})
	}
}

func TestWhoAnswersForATenant(t *testing.T) {
	for name, c := range map[string]struct {
		iss  func(*world) string
		code string
		sent int
	}{
		"its issuer":       {func(w *world) string { return of(w, tenantA) }, "", 1},
		"nobody":           {func(*world) string { return "" }, "", 1},
		"another tenant's": {func(w *world) string { return of(w, tenantB) }, oidc.AnswerIssuerMismatch, 1},
		"the template":     {func(w *world) string { return w.srv.URL + "/{tenantid}/v2.0" }, oidc.AnswerIssuerMismatch, 0},
		"another host's":   {func(*world) string { return "https://evil.example/" + tenantA + "/v2.0" }, oidc.AnswerIssuerMismatch, 0},
	} {
		w := newWorld(t, manyTenants)
		w.set(func() { w.idToken = w.token(nil, object{"iss": of(w, tenantA), "tid": tenantA}) })
		_, err := w.provider.Complete(t.Context(), w.trip, auth.Answer{Code: auth.NewSecret(theCode), Issuer: c.iss(w)})
		if c.code != "" {
			refused(t, err, c.code)
		} else {
			require.NoError(t, err, name)
		}
		require.Equal(t, c.sent, w.called("/token"), name)
	}
	w := newWorld(t, manyTenants, func(w *world, _ *oidc.Config) { w.config["authorization_response_iss_parameter_supported"] = true })
	_, err := w.complete(w.token(nil, object{"iss": of(w, tenantA), "tid": tenantA}))
	refused(t, err, oidc.AnswerIssuerMissing)
}

// TestSignedUserInfoOfTenants: it names no tenant, so nobody could say whose it is.
func TestSignedUserInfoOfTenants(t *testing.T) {
	w := newWorld(t, manyTenants, always)
	claims := object{"iss": of(w, tenantA), "tid": tenantA}
	_, err := w.complete(w.token(nil, claims))
	require.NoError(t, err)
	w.handle("/userinfo", says("application/jwt", w.token(nil, claims)))
	_, err = w.complete(w.token(nil, claims))
	refused(t, err, oidc.UserInfoMalformed)
}
