package authhttp_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

func TestSignInBeginsAFlow(t *testing.T) {
	s := open(t, ada())
	page := s.do(request{target: "/auth/sign-in?return_to=/inbox", cookies: flowCookie})
	q := s.filled(page, "/auth/sign-in", map[string]string{"identifier": " Ada@example.com ", "keep": "on"})
	q.cookies = flowCookie + "; __Host-cardea-device=d"
	w := s.do(q)
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "/auth/flow/flow-1", w.Header().Get("Location"))
	got := s.f.begun
	require.Equal(t, flow.SignIn, got.Goal)
	require.Equal(t, "/inbox", got.ReturnTo)
	require.Equal(t, " Ada@example.com ", got.Inputs.Identifier)
	require.True(t, got.Inputs.Keep)
	require.Equal(t, binding, got.Client.Browser.Reveal())
	require.Equal(t, "d", got.Client.Device.Reveal())
	require.Equal(t, "192.0.2.7", got.Client.Address.String())
	require.Equal(t, chromeOnWindows, got.Client.UserAgent)
	require.False(t, got.Client.Native)
}

func TestARefusedAddressIsKeptInTheForm(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		typed  string
		status int
		says   string
	}{
		{"empty", nil, "", 422, "Enter your e-mail address."},
		{"not an address", flow.Deny(flow.AddressRejected), "ada@", 422, "name@example.com"},
		{"too many", &flow.DeniedError{Refusal: flow.Refusal{Reason: flow.TooManyAttempts, RetryAt: now.Add(time.Minute)}}, "ada@example.com", 429, "in 60 seconds"},
		{"busy", flow.Deny(flow.Busy), "ada@example.com", 503, "right away"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := ada()
			f.err = c.err
			s := open(t, f)
			w := s.submit(s.get("/auth/sign-in?return_to=/inbox"), "/auth/sign-in", map[string]string{"identifier": c.typed, "keep": "on"})
			require.Equal(t, c.status, w.Code)
			values := formValues(forms(parse(t, w))[0])
			require.Equal(t, c.typed, values.Get("identifier"))
			require.Equal(t, "on", values.Get("keep"))
			require.Equal(t, "/inbox", values.Get("return_to"))
			require.Contains(t, w.Body.String(), c.says)
			require.Equal(t, c.status == 429 || c.status == 503, w.Header().Get("Retry-After") != "")
		})
	}
}

func TestALongReturnPathIsDropped(t *testing.T) {
	w := open(t, ada()).get("/auth/sign-in?return_to=/" + strings.Repeat("x", 3000))
	require.Equal(t, 200, w.Code)
	require.NotContains(t, w.Body.String(), "xxxx")
}

func TestAStepIsTakenAndThenRead(t *testing.T) {
	s := open(t, ada())
	w := s.submit(s.get("/auth/flow/flow-1"), "/auth/flow/flow-1", map[string]string{"action": "password", "password": " p w "})
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "/auth/flow/flow-1", w.Header().Get("Location"))
	require.Equal(t, handle, s.f.continued.Handle.Reveal())
	require.Equal(t, "password", s.f.continued.Action)
	require.Equal(t, " p w ", s.f.continued.Inputs.Password.Reveal(), "a password is never trimmed")
	require.Empty(t, w.Header().Values("Set-Cookie"))
}

func TestRestart(t *testing.T) {
	s := open(t, ada())
	w := s.submit(s.get("/auth/flow/flow-1"), "/auth/flow/flow-1", map[string]string{"action": "restart"})
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "restart", s.f.continued.Action)
}

func TestAnEmptyFieldCostsNoAttempt(t *testing.T) {
	f := ada()
	s := open(t, f)
	w := s.submit(s.get("/auth/flow/flow-1"), "/auth/flow/flow-1", map[string]string{"action": "password"})
	require.Equal(t, 422, w.Code)
	require.Contains(t, w.Body.String(), "Enter your password.")
	require.False(t, f.changed())
	f.progress = at(freshPasswordView())
	w = s.submit(s.get("/auth/flow/flow-1"), "/auth/flow/flow-1", map[string]string{"action": "password", "password": "x"})
	require.Equal(t, 422, w.Code)
	require.Contains(t, w.Body.String(), "Enter a new password.")
	require.False(t, f.changed())
}

func TestWhereASessionLeads(t *testing.T) {
	for _, c := range []struct{ name, returnTo, want string }{
		{"path", "/inbox?box=1", "/inbox?box=1"},
		{"another site of the host", "https://other.example/x", "/auth/flow/flow-1"},
		{"nonsense", "javascript:alert(1)", "/auth/flow/flow-1"},
		{"another host in disguise", "//evil.example", "/auth/flow/flow-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := ada()
			s := open(t, f)
			page := s.get("/auth/flow/flow-1")
			f.progress = granted(flow.SignIn, false)
			f.progress.ReturnTo = c.returnTo
			w := s.submit(page, "/auth/flow/flow-1", map[string]string{"action": "password", "password": "x"})
			require.Equal(t, http.StatusSeeOther, w.Code)
			require.Equal(t, c.want, w.Header().Get("Location"))
			require.Equal(t, token, set(w, "__Host-cardea-session").Value)
		})
	}
}

// TestTheWayToAnotherSite: form-action holds for redirects of a POST too, so a page leads there.
func TestTheWayToAnotherSite(t *testing.T) {
	for _, c := range []struct{ returnTo, want string }{
		{"https://other.example/x?y=1&z=2", "https://other.example/x?y=1&z=2"},
		{"http://localhost:3000/x", "http://localhost:3000/x"},
		{"/inbox", "/inbox"},
		{"javascript:alert(1)", "/"},
		{"http://other.example/", "/"},
		{"//evil.example", "/"},
		{"", "/"},
	} {
		f := ada()
		f.progress = granted(flow.SignIn, false)
		f.progress.Session, f.progress.ReturnTo = nil, c.returnTo
		s := open(t, f)
		doc := parse(t, s.get("/auth/flow/flow-1"))
		refresh := all(doc, func(n *html.Node) bool { return attr(n, "http-equiv") == "refresh" })
		require.Len(t, refresh, 1)
		require.Equal(t, "0; url="+c.want, attr(refresh[0], "content"))
		require.Equal(t, c.want, attr(tags(tags(doc, "main")[0], "a")[0], "href"))
		w := s.do(request{target: "/auth/flow/flow-1", cookies: flowCookie})
		require.NotContains(t, w.Body.String(), "http-equiv=\"refresh\"", "this browser did not get the session")
		require.Contains(t, w.Body.String(), "Please sign in once more")
	}
}

func TestRefusalsOfAStepAreShownWithTheFlow(t *testing.T) {
	f := ada()
	s := open(t, f)
	page := s.get("/auth/flow/flow-1")
	f.onContinue = func(auth.ContinueRequest) (auth.Progress, error) { return at(passwordView()), flow.Deny(flow.Busy) }
	w := s.submit(page, "/auth/flow/flow-1", map[string]string{"action": "password", "password": "hunter2"})
	require.Equal(t, 503, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	require.NotContains(t, w.Body.String(), "hunter2")
	require.Contains(t, w.Body.String(), `name="password"`)

	for reason, want := range map[flow.Reason]struct {
		status int
		says   string
	}{
		flow.Expired: {410, "This took too long"}, flow.Stale: {409, "Please start again"}, flow.CookieRequired: {403, "sent no cookie"},
	} {
		f.onContinue = func(auth.ContinueRequest) (auth.Progress, error) { return auth.Progress{}, flow.Deny(reason) }
		w = s.submit(page, "/auth/flow/flow-1", map[string]string{"action": "password", "password": "x"})
		require.Equal(t, want.status, w.Code)
		require.Contains(t, w.Body.String(), want.says)
		require.Contains(t, w.Body.String(), "Start again")
	}
}

func TestChangePassword(t *testing.T) {
	f := ada()
	s := open(t, f)
	page := s.get("/auth/password")
	require.Equal(t, "on", s.filled(page, "/auth/password", nil).form.Get("end_others"), "checked by default")
	f.onBegin = func(auth.BeginRequest) (auth.Progress, error) { return at(freshPasswordView()), nil }
	f.onContinue = func(auth.ContinueRequest) (auth.Progress, error) {
		p := granted(flow.Enrolment, false)
		p.View.Enrol, p.ReturnTo = flow.Password, "/auth/account"
		return p, nil
	}
	w := s.submit(page, "/auth/password", map[string]string{"password": "old", "new_password": "new"})
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "/auth/account", w.Header().Get("Location"))
	require.Equal(t, token, set(w, "__Host-cardea-session").Value, "the session is a new one")
	require.Equal(t, "password-changed", set(w, "__Host-cardea-notice").Value)
	require.Equal(t, flow.Target{Enrol: flow.Password}, f.begun.Target)
	require.Equal(t, "/auth/account", f.begun.ReturnTo)
	require.Equal(t, token, f.begun.Client.Session.Reveal())
	in := f.continued.Inputs
	require.Equal(t, []string{"old", "new"}, []string{in.Password.Reveal(), in.NewPassword.Reveal()})
	require.True(t, in.EndOthers)
}

func TestOneSessionCookieInAnAnswer(t *testing.T) {
	f := ada()
	f.session.Keep = true // and its cookie is due to be renewed
	s := open(t, f)
	page := s.get("/auth/password")
	f.progress = granted(flow.Enrolment, false)
	for _, w := range []*httptest.ResponseRecorder{
		s.submit(page, "/auth/password", map[string]string{"password": "old", "new_password": "new"}),
		s.submit(s.get("/auth/sign-out"), "/auth/sign-out", nil),
	} {
		count := 0
		for _, line := range w.Header().Values("Set-Cookie") {
			if strings.HasPrefix(line, "__Host-cardea-session=") {
				count++
			}
		}
		require.Equal(t, 1, count, "%v", w.Header().Values("Set-Cookie"))
	}
}

// TestChangePasswordAfterAStaleProof: the present password is asked for as a proof first, and then the new
// one; the person gave both and is asked for neither again.
func TestChangePasswordAfterAStaleProof(t *testing.T) {
	f := ada()
	s := open(t, f)
	f.onBegin = func(auth.BeginRequest) (auth.Progress, error) {
		return at(view(flow.Enrolment, flow.FreshProof, action("password", flow.Input{Name: "password", Kind: "secret", Required: true}), action("cancel"))), nil
	}
	var steps []string
	f.onContinue = func(r auth.ContinueRequest) (auth.Progress, error) {
		steps = append(steps, r.Action)
		if r.Action == "password" {
			v := newPasswordView()
			v.Goal = flow.Enrolment
			return at(v), nil
		}
		return granted(flow.Enrolment, false), nil
	}
	w := s.submit(s.get("/auth/password"), "/auth/password", map[string]string{"password": "old", "new_password": "new"})
	require.Equal(t, []string{"password", "new-password"}, steps)
	require.NotNil(t, set(w, "__Host-cardea-session"))
}

func TestChangePasswordRefused(t *testing.T) {
	f := ada()
	s := open(t, f)
	page := s.get("/auth/password")
	for name, want := range map[string]string{"password": "Enter your password.", "new_password": "Enter a new password."} {
		values := map[string]string{"password": "x", "new_password": "x"}
		values[name] = ""
		w := s.submit(page, "/auth/password", values)
		require.Equal(t, 422, w.Code)
		require.Contains(t, w.Body.String(), want)
		require.False(t, f.changed())
	}
	f.onBegin = func(auth.BeginRequest) (auth.Progress, error) {
		return at(refusedView(freshPasswordView(), flow.Refusal{Reason: flow.BadCredentials})), nil
	}
	w := s.submit(page, "/auth/password", map[string]string{"password": "x", "new_password": "y"})
	require.Equal(t, "/auth/flow/flow-1", w.Header().Get("Location"), "the flow's page takes over")
	require.NotContains(t, f.calls, "continue", "a refusal is told before the next try")
	f.onBegin = func(auth.BeginRequest) (auth.Progress, error) { return auth.Progress{}, flow.Deny(flow.Busy) }
	w = s.submit(page, "/auth/password", map[string]string{"password": "x", "new_password": "y"})
	require.Equal(t, 503, w.Code)
	require.Contains(t, w.Body.String(), `name="new_password"`)
}

func TestConfirm(t *testing.T) {
	f := ada()
	s := open(t, f)
	w := s.submit(s.get("/auth/confirm?return_to=/danger&level=aal2&max_age=90"), "/auth/confirm", nil)
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "/auth/flow/flow-1", w.Header().Get("Location"))
	require.Equal(t, flow.StepUp, f.begun.Goal)
	require.Equal(t, flow.Target{Assurance: flow.AAL2, MaxAge: 90 * time.Second}, f.begun.Target)
	require.Equal(t, "/danger", f.begun.ReturnTo)
	for _, bad := range []string{"level=none", "level=aal9", "max_age=0", "max_age=-1", "max_age=x", "max_age=99999999999"} {
		require.Equal(t, 400, s.get("/auth/confirm?"+bad).Code, bad)
	}
	q := s.filled(s.get("/auth/confirm"), "/auth/confirm", map[string]string{"level": "none"})
	require.Equal(t, 400, s.do(q).Code)
	f.err = flow.Deny(flow.AssuranceShort)
	require.Equal(t, 403, s.submit(s.get("/auth/confirm"), "/auth/confirm", nil).Code)
}

func TestAccountPage(t *testing.T) {
	s := open(t, ada())
	doc := parse(t, s.get("/auth/account"))
	rows := tags(tags(tableOf(doc, "sessions"), "tbody")[0], "tr")
	require.Len(t, rows, 3)
	require.Contains(t, textOf(rows[0]), "Chrome on Windows This session")
	require.Empty(t, forms(rows[0]), "this session ends by signing out")
	require.Contains(t, textOf(rows[1]), "Safari on iPhone")
	require.Contains(t, textOf(rows[1]), "2001:db8:1:*")
	require.Contains(t, textOf(rows[1]), "3 hours ago")
	require.Contains(t, textOf(rows[2]), "Firefox on macOS")
	require.Contains(t, textOf(rows[2]), "198.51.100.*")
	require.Contains(t, textOf(doc), "End 2 other sessions")
	require.NotContains(t, textOf(doc), token)

	alone := ada()
	alone.list = alone.list[:1]
	require.NotContains(t, open(t, alone).get("/auth/account").Body.String(), "other session")
}

func TestEndingSessions(t *testing.T) {
	s := open(t, ada())
	page := s.get("/auth/account")
	w := s.submit(page, "/auth/sessions/end", nil)
	require.Equal(t, "/auth/account", w.Header().Get("Location"))
	require.Equal(t, "session-2", s.f.ended)
	require.Equal(t, "session-ended", set(w, "__Host-cardea-notice").Value)

	w = s.submit(page, "/auth/sessions/end", map[string]string{"id": "", "others": "on"})
	require.Equal(t, "others-ended", set(w, "__Host-cardea-notice").Value)
	require.Contains(t, s.f.calls, "end-others")

	w = s.submit(page, "/auth/sessions/end", map[string]string{"id": "session-1"})
	require.Equal(t, -1, set(w, "__Host-cardea-session").MaxAge, "one's own is a sign-out")

	s.f.calls = nil
	for _, bad := range []map[string]string{{"id": ""}, {"others": "on"}} {
		require.Equal(t, 400, s.submit(page, "/auth/sessions/end", bad).Code)
	}
	require.False(t, s.f.changed())

	s.f.changeErr = flow.Deny(flow.NotFound)
	require.Equal(t, 404, s.submit(page, "/auth/sessions/end", nil).Code)
	s.f.changeErr = errors.New("down")
	require.Equal(t, 500, s.submit(page, "/auth/sessions/end", nil).Code)
}

// TestSignOut covers ASVS 7.4.1 and 14.3.1.
func TestSignOut(t *testing.T) {
	s := open(t, ada())
	s.f.session.Keep = true
	w := s.submit(s.get("/auth/sign-out"), "/auth/sign-out", nil)
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "/auth/sign-in", w.Header().Get("Location"))
	require.Equal(t, `"cache", "storage"`, w.Header().Get("Clear-Site-Data"))
	for _, name := range []string{"session", "flow"} {
		c := set(w, "__Host-cardea-"+name)
		require.Equal(t, -1, c.MaxAge)
		require.Empty(t, c.Value)
		require.True(t, c.Secure && c.HttpOnly && c.Path == "/", "a __Host- cookie is only taken with these")
	}
	require.Nil(t, set(w, "__Host-cardea-device"), "the device stays known")
	require.Equal(t, "signed-out", set(w, "__Host-cardea-notice").Value)

	s.f.changeErr = errors.New("down")
	w = s.submit(s.get("/auth/sign-out"), "/auth/sign-out", nil)
	require.Equal(t, 500, w.Code)
	require.NotContains(t, w.Header().Get("Set-Cookie"), "__Host-cardea-session=;", "the session lives, and so does its cookie")

	kept := open(t, ada(), func(c *authhttp.Config) { c.KeepSiteData = true })
	require.Empty(t, kept.submit(kept.get("/auth/sign-out"), "/auth/sign-out", nil).Header().Get("Clear-Site-Data"))

	require.Equal(t, "/auth/sign-in", open(t, ada()).do(request{target: "/auth/sign-out"}).Header().Get("Location"))
}

func TestPagesOfASessionSendStrangersToSignIn(t *testing.T) {
	for target, want := range map[string]string{
		"/auth/account": "/auth/sign-in?return_to=%2Fauth%2Faccount", "/auth/password": "/auth/sign-in?return_to=%2Fauth%2Fpassword",
		"/auth/confirm?level=aal2": "/auth/sign-in?return_to=%2Fauth%2Fconfirm%3Flevel%3Daal2",
	} {
		w := open(t, ada()).do(request{target: target})
		require.Equal(t, 303, w.Code)
		require.Equal(t, want, w.Header().Get("Location"))
	}
	f := ada()
	f.err = flow.Deny(flow.SessionRequired)
	require.Equal(t, "/auth/sign-in", open(t, f).get("/auth/flow/flow-1").Header().Get("Location"), "that flow is over")
}

func TestAFlowOfAnotherBrowser(t *testing.T) {
	f := ada()
	w := open(t, f).do(request{target: "/auth/flow/flow-1"})
	require.Equal(t, 403, w.Code)
	require.Empty(t, f.calls, "the service is not asked without a cookie: that would be a native client")
	require.Nil(t, set(w, "__Host-cardea-flow"))
}

func TestDevices(t *testing.T) {
	for agent, want := range map[string]string{
		chromeOnWindows: "Chrome on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0":              "Edge on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 OPR/120.0.0.0":              "Opera on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Safari/605.1.15":                      "Safari on macOS",
		"Mozilla/5.0 (iPad; CPU OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/143.0 Mobile/15E148 Safari/604.1":              "Chrome on iPad",
		"Mozilla/5.0 (Linux; Android 15; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36": "Samsung Internet on Android",
		"Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0":                                                                     "Firefox on Linux",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36":                             "Chrome on ChromeOS",
		"curl/8.5": "curl", "": "Unknown device", "Helpdesk for Windows/3": "Windows", "Firefox/1": "Firefox",
	} {
		f := ada()
		f.list = f.list[:1]
		f.list[0].UserAgent = agent
		doc := parse(t, open(t, f).get("/auth/account"))
		require.Equal(t, want, textOf(tags(tableOf(doc, "sessions"), "strong")[0]), agent)
	}
}

func TestLongAndBrokenUserAgents(t *testing.T) {
	for _, agent := range []string{strings.Repeat("x", 5000), strings.Repeat("ü", 300), "a\xffb", strings.Repeat("x", 255) + "ü"} {
		s := open(t, ada())
		s.do(request{method: "POST", target: "/auth/flow", body: `{"goal":"sign-in"}`, header: map[string]string{"User-Agent": agent}})
		got := s.f.begun.Client.UserAgent
		require.LessOrEqual(t, len(got), 256)
		require.True(t, strings.ToValidUTF8(got, "") == got)
	}
}
