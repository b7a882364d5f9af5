package authhttp_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

// TestEveryAnswerHasTheSecurityHeaders covers ASVS 3.4.3 to 3.4.6, 3.5.8 and 14.3.2.
func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	broken := ada()
	broken.err = errors.New("store down")
	denied := ada()
	denied.err = flow.Deny(flow.Busy)
	for name, c := range map[string]struct {
		f *fake
		q request
	}{
		"sign-in":     {ada(), request{target: "/auth/sign-in"}},
		"flow":        {ada(), request{target: "/auth/flow/flow-1", cookies: bothCookie}},
		"flow json":   {ada(), request{target: "/auth/flow/flow-1", cookies: bothCookie, header: map[string]string{"Accept": "application/json"}}},
		"account":     {ada(), request{target: "/auth/account", cookies: bothCookie}},
		"redirect":    {ada(), request{target: "/auth/account"}},
		"not found":   {ada(), request{target: "/auth/nothing"}},
		"outside":     {ada(), request{target: "/elsewhere"}},
		"method":      {ada(), request{method: "PUT", target: "/auth/sign-in"}},
		"forbidden":   {ada(), request{method: "POST", target: "/auth/sign-in", header: map[string]string{"Sec-Fetch-Site": "cross-site"}}},
		"fault":       {broken, request{target: "/auth/flow/flow-1", cookies: bothCookie}},
		"busy":        {denied, request{target: "/auth/flow/flow-1", cookies: bothCookie}},
		"session":     {ada(), request{target: "/auth/session", cookies: bothCookie}},
		"no session":  {ada(), request{target: "/auth/session"}},
		"well-known":  {ada(), request{target: "/.well-known/change-password"}},
		"head":        {ada(), request{method: "HEAD", target: "/auth/sign-in"}},
		"json refuse": {ada(), request{method: "POST", target: "/auth/flow", body: "{"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, c.f).do(c.q).Header()
			require.Equal(t, "no-store", h.Get("Cache-Control"))
			require.Equal(t, "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'", h.Get("Content-Security-Policy"))
			require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
			require.Equal(t, "same-origin", h.Get("Cross-Origin-Resource-Policy"))
			require.Equal(t, "same-origin", h.Get("Cross-Origin-Opener-Policy"))
			require.NotEmpty(t, h.Get("Permissions-Policy"))
			require.Contains(t, []string{"no-referrer", "same-origin"}, h.Get("Referrer-Policy"))
		})
	}
}

func TestMethods(t *testing.T) {
	for _, c := range []struct{ method, target, allow string }{
		{"POST", "/auth/account", "GET, HEAD"},
		{"DELETE", "/auth/sign-in", "GET, HEAD, POST"},
		{"GET", "/auth/flow", "POST"},
		{"GET", "/auth/sessions/end", "POST"},
		{"POST", "/auth/session", "GET, HEAD"},
		{"PUT", "/auth/flow/flow-1", "GET, HEAD, POST"},
		{"OPTIONS", "/auth/flow", "POST"},
		{"POST", "/.well-known/change-password", "GET, HEAD"},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			s := open(t, ada())
			w := s.do(request{method: c.method, target: c.target, cookies: bothCookie})
			require.Equal(t, http.StatusMethodNotAllowed, w.Code)
			require.Equal(t, c.allow, w.Header().Get("Allow"))
			require.False(t, s.f.changed())
		})
	}
}

// TestReadingChangesNothing covers ASVS 3.5.3: no GET asks the service for a change.
func TestReadingChangesNothing(t *testing.T) {
	for _, method := range []string{"GET", "HEAD"} {
		for _, target := range []string{
			"/auth", "/auth/", "/auth/sign-in?return_to=/x", "/auth/flow/flow-1", "/auth/account", "/auth/password", "/auth/confirm",
			"/auth/sign-out", "/auth/session", "/auth/sessions", "/.well-known/change-password",
		} {
			s := open(t, ada())
			w := s.do(request{method: method, target: target, cookies: bothCookie})
			require.Less(t, w.Code, 400, target)
			require.False(t, s.f.changed(), "%s %s: %v", method, target, s.f.calls)
			if method == "HEAD" {
				require.Zero(t, w.Body.Len(), target)
			}
		}
	}
}

func TestUnknownPaths(t *testing.T) {
	for _, target := range []string{"/auth/nothing", "/authx", "/auth/flow/", "/auth/flow/a%2Fb", "/auth/flow/a.b", "/auth/static/other.css", "/auth/flow/%00"} {
		require.Equal(t, 404, open(t, ada()).get(target).Code, target)
	}
}

// TestRefusedRequestsAreLogged covers ASVS 16.3.3, and that no log has a secret in it.
func TestRefusedRequestsAreLogged(t *testing.T) {
	var log bytes.Buffer
	f := ada()
	s := open(t, f, func(c *authhttp.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for name, c := range map[string]struct {
		q    request
		want []string
	}{
		"cross-site": {request{method: "POST", target: "/auth/sign-in", header: map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}},
			[]string{"level=WARN", "reason=forbidden", "address=192.0.2.7", "where=/auth/sign-in", "cause="}},
		"token": {request{method: "POST", target: "/auth/flow/flow-1", form: url.Values{"password": {"hunter2"}, "form_token": {"hunter2"}}, cookies: bothCookie},
			[]string{"level=WARN", "reason=forbidden", `cause="form token"`}},
		"malformed": {request{method: "POST", target: "/auth/flow", body: `{"password":"hunter2","hunter2":"hunter2"}`, cookies: bothCookie},
			[]string{"level=WARN", "reason=malformed", `cause="unknown field"`}},
		"panic": {request{target: "/auth/account", cookies: bothCookie}, []string{"level=ERROR", "msg=panic", "stack="}},
	} {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			f.panics = nil
			if name == "panic" {
				f.panics = "hunter2"
			}
			s.do(c.q)
			for _, part := range c.want {
				require.Contains(t, log.String(), part)
			}
			for _, secret := range []string{"hunter2", token, binding} {
				require.NotContains(t, log.String(), secret)
			}
		})
	}
}

func TestPanicsAndFaultsSayNothing(t *testing.T) {
	for name, f := range map[string]*fake{
		"panic": {panics: "hunter2 in a panic"},
		"fault": {err: errors.New("hunter2: no such table"), session: ada().session},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, f, func(c *authhttp.Config) { c.Logger = quiet() })
			for _, accept := range []string{"text/html", "application/json"} {
				w := s.do(request{target: "/auth/flow/flow-1", cookies: bothCookie, header: map[string]string{"Accept": accept}})
				require.Equal(t, 500, w.Code)
				require.NotContains(t, w.Body.String(), "hunter2")
			}
		})
	}
	require.Panics(t, func() { open(t, &fake{panics: http.ErrAbortHandler}).get("/auth/account") })
}
