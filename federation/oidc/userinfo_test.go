package oidc_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation/oidc"
)

func says(mediaType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_, _ = w.Write([]byte(body))
	}
}

func always(_ *world, c *oidc.Config) { c.UserInfo = oidc.UserInfoAlways }

func TestUserInfo(t *testing.T) {
	signed := func(w *world, header, claims object, key any) string {
		base := object{"iss": w.issuer, "aud": "client-1", "sub": "subject-1", "email": "ann@info.example"}
		return sign(merge(object{"alg": "RS256", "kid": "r1"}, header), marshal(merge(base, claims)), key)
	}
	for name, c := range map[string]struct {
		mediaType string
		body      func(*world) string
		code      string
	}{
		"plain":                  {"application/json; charset=utf-8", text(`{"sub":"subject-1","email":"ann@info.example"}`), ""},
		"another sub":            {"application/json", text(`{"sub":"subject-2"}`), oidc.UserInfoOfAnother},
		"no sub":                 {"application/json", text(`{"email":"a@b.example"}`), oidc.UserInfoOfAnother},
		"Sub":                    {"application/json", text(`{"Sub":"subject-1"}`), oidc.UserInfoOfAnother},
		"sub in another case":    {"application/json", text(`{"sub":"SUBJECT-1"}`), oidc.UserInfoOfAnother},
		"sub is a number":        {"application/json", text(`{"sub":1}`), oidc.UserInfoOfAnother},
		"sub twice":              {"application/json", text(`{"sub":"subject-1","sub":"subject-1"}`), oidc.UserInfoMalformed},
		"email twice":            {"application/json", text(`{"sub":"subject-1","email":"a@b.example","email":"c@d.example"}`), oidc.UserInfoMalformed},
		"a list":                 {"application/json", text(`[{"sub":"subject-1"}]`), oidc.UserInfoMalformed},
		"a page":                 {"text/html", text(`{"sub":"subject-1"}`), oidc.UserInfoMalformed},
		"no type":                {"", text(`{"sub":"subject-1"}`), oidc.UserInfoMalformed},
		"too large":              {"application/json", text(`{"sub":"subject-1","x":"` + repeat("x", 70<<10) + `"}`), oidc.UserInfoMalformed},
		"signed":                 {"application/jwt", func(w *world) string { return signed(w, nil, nil, rsaKey()) }, ""},
		"signed, another sub":    {"application/jwt", func(w *world) string { return signed(w, nil, object{"sub": "subject-2"}, rsaKey()) }, oidc.UserInfoOfAnother},
		"signed, another iss":    {"application/jwt", func(w *world) string { return signed(w, nil, object{"iss": "https://evil.example"}, rsaKey()) }, oidc.IssuerMismatch},
		"signed, no iss":         {"application/jwt", func(w *world) string { return signed(w, nil, object{"iss": nil}, rsaKey()) }, oidc.IssuerMismatch},
		"signed, another aud":    {"application/jwt", func(w *world) string { return signed(w, nil, object{"aud": "client-2"}, rsaKey()) }, oidc.AudienceMismatch},
		"signed, no aud":         {"application/jwt", func(w *world) string { return signed(w, nil, object{"aud": nil}, rsaKey()) }, oidc.AudienceMismatch},
		"signed by another":      {"application/jwt", func(w *world) string { return signed(w, nil, nil, otherRSA()) }, oidc.SignatureInvalid},
		"signed, unknown key":    {"application/jwt", func(w *world) string { return signed(w, object{"kid": "r2"}, nil, rsaKey()) }, oidc.KeyUnknown},
		"unsigned":               {"application/jwt", func(w *world) string { return signed(w, object{"alg": "none"}, nil, nil) }, oidc.TokenMalformed},
		"an access token":        {"application/jwt", func(w *world) string { return signed(w, object{"typ": "at+jwt"}, nil, rsaKey()) }, oidc.TypeNotAllowed},
		"a logout token":         {"application/jwt", func(w *world) string { return signed(w, nil, object{"events": object{}}, rsaKey()) }, oidc.TypeNotAllowed},
		"JSON that calls itself": {"application/jwt", text(`{"sub":"subject-1"}`), oidc.TokenMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, always)
			w.handle("/userinfo", says(c.mediaType, c.body(w)))
			_, err := w.complete(w.token(nil, object{"email": nil}))
			if c.code != "" {
				refused(t, err, c.code)
			} else {
				require.NoError(t, err)
			}
			r := w.requests["/userinfo"][0]
			require.Equal(t, []string{"Bearer " + theAccess, ""}, []string{r.Header.Get("Authorization"), r.URL.RawQuery})
		})
	}
}

func text(s string) func(*world) string { return func(*world) string { return s } }

func TestWhenUserInfoIsAsked(t *testing.T) {
	for name, c := range map[string]struct {
		bend   func(*world, *oidc.Config)
		claims object
		asked  int
		email  string
		trust  auth.EmailTrust
	}{
		"the token has it":             {nil, nil, 0, "ann@example.com", auth.EmailAsserted},
		"the token lacks it":           {nil, object{"email": nil}, 1, "ann@info.example", auth.EmailAsserted},
		"nobody asked for it":          {func(_ *world, c *oidc.Config) { c.Scopes = []string{"openid"} }, object{"email": nil}, 0, "", auth.EmailUnverified},
		"never":                        {func(_ *world, c *oidc.Config) { c.UserInfo = oidc.UserInfoNever }, object{"email": nil}, 0, "", auth.EmailUnverified},
		"there is none":                {func(w *world, _ *oidc.Config) { delete(w.config, "userinfo_endpoint") }, object{"email": nil}, 0, "", auth.EmailUnverified},
		"always, and the token stands": {always, nil, 1, "ann@example.com", auth.EmailAsserted},
		// What vouches for one address must not vouch for another.
		"always, and its word does not cross": {always, object{"email_verified": nil}, 1, "ann@example.com", auth.EmailUnverified},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world, cfg *oidc.Config) {
				if c.bend != nil {
					c.bend(w, cfg)
				}
			})
			i, err := w.complete(w.token(nil, c.claims))
			require.NoError(t, err)
			require.Equal(t, []any{c.email, c.trust, "subject-1", c.asked}, []any{i.Email, i.EmailTrust, i.Subject, w.called("/userinfo")})
		})
	}
	w := newWorld(t)
	w.handle("/userinfo", says("application/json", `{"sub":"subject-1","email":"victim@example.com"}`))
	i, err := w.complete(w.token(nil, object{"email": nil, "email_verified": true}))
	require.NoError(t, err)
	require.Equal(t, []any{"victim@example.com", auth.EmailUnverified}, []any{i.Email, i.EmailTrust})

	w = newWorld(t, always, func(w *world, _ *oidc.Config) { delete(w.config, "userinfo_endpoint") })
	_, err = w.complete(w.token(nil, nil))
	refused(t, err, oidc.UserInfoUnavailable)
}

func TestWhatAnAddressIsWorth(t *testing.T) {
	for name, c := range map[string]struct {
		claims object
		bend   func(*world, *oidc.Config)
		email  string
		trust  auth.EmailTrust
	}{
		"verified":                  {nil, nil, "ann@example.com", auth.EmailAsserted},
		"not verified":              {object{"email_verified": false}, nil, "ann@example.com", auth.EmailUnverified},
		"not told":                  {object{"email_verified": nil}, nil, "ann@example.com", auth.EmailUnverified},
		"told in capitals":          {object{"email_verified": nil, "EMAIL_VERIFIED": true, "Email_Verified": true}, nil, "ann@example.com", auth.EmailUnverified},
		"told as a text":            {object{"email_verified": "true"}, nil, "ann@example.com", auth.EmailUnverified},
		"told as a text, as agreed": {object{"email_verified": "true"}, func(_ *world, c *oidc.Config) { c.TextBooleans = true }, "ann@example.com", auth.EmailAsserted},
		"not, as a text, as agreed": {object{"email_verified": "false"}, func(_ *world, c *oidc.Config) { c.TextBooleans = true }, "ann@example.com", auth.EmailUnverified},
		"told as a number":          {object{"email_verified": 1}, func(_ *world, c *oidc.Config) { c.TextBooleans = true }, "ann@example.com", auth.EmailUnverified},
		"no address":                {object{"email": "ann"}, nil, "", auth.EmailUnverified},
		"two lines":                 {object{"email": "ann@example.com\r\nBcc: x@y.example"}, nil, "", auth.EmailUnverified},
		"too long":                  {object{"email": repeat("a", 310) + "@example.com"}, nil, "", auth.EmailUnverified},
		"the host decides": {nil, func(_ *world, c *oidc.Config) {
			c.EmailTrust = func(c oidc.Claims) auth.EmailTrust {
				if domain, _ := c.Text("hd"); domain == "example.com" {
					return auth.EmailAuthoritative
				}
				return auth.EmailUnverified
			}
		}, "ann@example.com", auth.EmailUnverified},
		"the host says nonsense": {nil, func(_ *world, c *oidc.Config) {
			c.EmailTrust = func(oidc.Claims) auth.EmailTrust { return 200 }
		}, "ann@example.com", auth.EmailUnverified},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world, cfg *oidc.Config) {
				if cfg.UserInfo = oidc.UserInfoNever; c.bend != nil {
					c.bend(w, cfg)
				}
			})
			i, err := w.complete(w.token(nil, c.claims))
			require.NoError(t, err)
			require.Equal(t, []any{c.email, c.trust}, []any{i.Email, i.EmailTrust})
		})
	}
}

func TestNames(t *testing.T) {
	w := newWorld(t, func(_ *world, c *oidc.Config) { c.UserParameter, c.UserInfo = true, oidc.UserInfoNever })
	for _, c := range []struct {
		name any
		user string
		want string
	}{
		{"Ann", `{"name":{"firstName":"Eve"}}`, "Ann"},
		{nil, `{"name":{"firstName":"Ann","lastName":"Example"},"email":"victim@example.com"}`, "Ann Example"},
		{nil, `{"name":{"firstName":"Ann"}}`, "Ann"},
		{nil, `{"name":"Ann"}`, ""},
		{nil, `nonsense`, ""},
		{nil, ``, ""},
		{"A\u202enn\n", "", "Ann"},
		{repeat("é", 200), "", repeat("é", 128)},
		{7, "", ""},
	} {
		w.set(func() { w.idToken = w.token(nil, object{"name": c.name, "email": nil}) })
		i, err := w.provider.Complete(t.Context(), w.trip, auth.Answer{Code: auth.NewSecret(theCode), User: c.user})
		require.NoError(t, err)
		require.Equal(t, []any{c.want, ""}, []any{i.Name, i.Email}, "the address in it is nobody's word")
	}
	w = newWorld(t)
	w.set(func() { w.idToken = w.token(nil, object{"name": nil}) })
	i, err := w.provider.Complete(t.Context(), w.trip, auth.Answer{Code: auth.NewSecret(theCode), User: `{"name":{"firstName":"Ann"}}`})
	require.NoError(t, err)
	require.Empty(t, i.Name, "nobody agreed to it")
}
