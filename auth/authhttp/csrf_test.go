package authhttp_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/authhttp"
)

// TestCrossSiteRequests covers ASVS 3.5.1: each row is a sign-in form of ours, complete but for what the row
// says, sent by a browser that the row describes.
func TestCrossSiteRequests(t *testing.T) {
	for _, c := range []struct {
		name   string
		header map[string]string
		ok     bool
	}{
		{"own page", map[string]string{}, true},
		{"own page, older browser", map[string]string{"Sec-Fetch-Site": ""}, true},
		{"another site", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, false},
		{"another site, older browser", map[string]string{"Sec-Fetch-Site": "", "Origin": "https://evil.example"}, false},
		{"neighbouring subdomain", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://other.app.example"}, false},
		{"null origin", map[string]string{"Sec-Fetch-Site": "", "Origin": "null"}, false},
		{"null origin, cross-site", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "null"}, false},
		{"other port, older browser", map[string]string{"Sec-Fetch-Site": "", "Origin": origin + ":8443"}, false},
		{"neither header", map[string]string{"Sec-Fetch-Site": "", "Origin": ""}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, ada())
			q := s.filled(s.get("/auth/sign-in"), "/auth/sign-in", map[string]string{"identifier": "ada@example.com"})
			q.header = c.header
			w := s.do(q)
			require.Equal(t, c.ok, s.f.changed())
			if c.ok {
				require.Equal(t, http.StatusSeeOther, w.Code)
			} else {
				require.Equal(t, http.StatusForbidden, w.Code)
			}
		})
	}
}

func TestJSONFromAnotherSite(t *testing.T) {
	for site, want := range map[string]int{"same-origin": 200, "none": 200, "cross-site": 403, "same-site": 403} {
		s := open(t, ada())
		w := s.do(request{method: "POST", target: "/auth/flow", body: `{"goal":"sign-in"}`, header: map[string]string{"Sec-Fetch-Site": site, "Origin": "https://evil.example"}})
		require.Equal(t, want, w.Code, site)
		require.Equal(t, want == 200, s.f.changed(), site)
	}
}

// TestFormTokens tries each form with tokens that are not its own; login CSRF is the first of them.
func TestFormTokens(t *testing.T) {
	other := open(t, ada())
	otherBrowser := formValues(forms(parse(t, other.do(request{target: "/auth/sign-in", cookies: "__Host-cardea-flow=another"})))[0]).Get("form_token")
	f := ada()
	f.session.ID = "session-9"
	otherSession := tokenOn(t, open(t, f), "/auth/account", "/auth/sign-out")
	otherKeys := tokenOn(t, open(t, ada(), func(c *authhttp.Config) {
		c.Keys = testKey("k1", 2)
	}), "/auth/account", "/auth/sign-out")
	s := open(t, ada())
	for _, page := range []struct{ read, action string }{
		{"/auth/sign-in", "/auth/sign-in"}, {"/auth/flow/flow-1", "/auth/flow/flow-1"}, {"/auth/account", "/auth/sessions/end"},
		{"/auth/account", "/auth/sign-out"}, {"/auth/account", "/auth/devices/rename"}, {"/auth/account", "/auth/devices/remove"}, {"/auth/password", "/auth/password"}, {"/auth/confirm", "/auth/confirm"},
	} {
		own := tokenOn(t, s, page.read, page.action)
		require.NotEqual(t, own, tokenOn(t, s, page.read, page.action), "each rendering has a token of its own")
		kind := map[bool]string{true: tokenOn(t, s, "/auth/sign-in", "/auth/sign-in"), false: tokenOn(t, s, "/auth/account", "/auth/sign-out")}
		anonymous := page.action == "/auth/sign-in" || page.action == "/auth/flow/flow-1"
		for name, bad := range map[string]string{
			"missing": "", "empty MAC": "k1.", "short": own[:len(own)-2], "longer": own + "A", "other key": "k2" + own[2:],
			"other browser": otherBrowser, "other session": otherSession, "other installation": otherKeys, "other kind": kind[!anonymous],
			"nonsense": "x",
		} {
			t.Run(page.action+" "+name, func(t *testing.T) {
				s.f.calls = nil
				q := s.filled(s.get(page.read), page.action, map[string]string{"form_token": bad})
				w := s.do(q)
				require.Equal(t, http.StatusForbidden, w.Code)
				require.False(t, s.f.changed(), "%v", s.f.calls)
			})
		}
	}
}

func tokenOn(t *testing.T, s site, read, action string) string {
	t.Helper()
	return s.filled(s.get(read), action, nil).form.Get("form_token")
}

func TestFormsNeedTheirCookie(t *testing.T) {
	s := open(t, ada())
	for _, c := range []struct{ read, action, cookies string }{
		{"/auth/sign-in", "/auth/sign-in", ""},
		{"/auth/flow/flow-1", "/auth/flow/flow-1", "__Host-cardea-session=" + token},
		{"/auth/password", "/auth/password", "__Host-cardea-session=" + token},
		{"/auth/confirm", "/auth/confirm", "__Host-cardea-session=" + token},
	} {
		q := s.filled(s.get(c.read), c.action, map[string]string{"password": "x", "new_password": "y"})
		if c.action != "/auth/flow/flow-1" && c.action != "/auth/password" {
			q.form.Del("password")
			q.form.Del("new_password")
		}
		q.form.Del("action")
		q.cookies = c.cookies
		w := s.do(q)
		require.Equal(t, http.StatusForbidden, w.Code, c.action)
		require.Contains(t, w.Body.String(), "Your browser sent no cookie")
		require.False(t, s.f.changed(), c.action)
	}
}
