package authhttp_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

func nativeOn(c *authhttp.Config) { c.Native = true }

// native is a request as an app sends it: no cookie, no Origin, no Sec-Fetch header. An empty body is a GET.
func native(target, body, authorization string) request {
	q := request{target: target, body: body, header: map[string]string{
		"Accept": "*/*", "User-Agent": "HelpdeskApp/2.1 (iPhone; iOS 18.2)", "Authorization": authorization,
		"Origin": "", "Sec-Fetch-Site": "",
	}}
	if body != "" {
		q.method = "POST"
	}
	return q
}

func codeOf(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	told, _ := decode(t, w)["error"].(map[string]any)
	text, _ := told["code"].(string)
	return text
}

const (
	nativeBegin = `{"client":"native","goal":"sign-in","identifier":"ada@example.com","keep":true}`
	nativeStep  = `{"client":"native","flow":"h","action":"password","password":"pw","device_token":"cardea_dt_1.x"}`
	challenge   = `Bearer realm="session"`
)

func TestNativeBegin(t *testing.T) {
	s := open(t, ada(), nativeOn)
	w := s.do(native("/auth/flow", nativeBegin, ""))
	require.Equal(t, 200, w.Code, w.Body)
	require.Empty(t, w.Result().Cookies())
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	got := s.f.begun.Client
	require.True(t, got.Native)
	require.True(t, got.Browser.IsZero() && got.Session.IsZero() && got.Device.IsZero())
	require.Equal(t, "HelpdeskApp/2.1 (iPhone; iOS 18.2)", got.UserAgent)
	require.Equal(t, "192.0.2.7", got.Address.String())
	require.Equal(t, auth.Inputs{Identifier: "ada@example.com", Keep: true}, s.f.begun.Inputs)
	body := decode(t, w)
	require.Equal(t, handle, body["flow"])
	require.NotContains(t, body, "session_token")
	require.NotContains(t, body, "device_token")
}

func TestNativeGrant(t *testing.T) {
	f := ada()
	f.progress = granted(flow.SignIn, true)
	f.progress.Session.Token, f.progress.Device = auth.NewSecret(bearer), auth.NewSecret("cardea_dt_1.y")
	s := open(t, f, nativeOn)
	w := s.do(native("/auth/flow", nativeStep, "bearer  "+bearer))
	require.Equal(t, 200, w.Code)
	require.Empty(t, w.Result().Cookies(), "tokens are in the answer, and nowhere else")
	require.NotContains(t, fmt.Sprint(w.Header()), bearer)
	got := f.continued
	require.True(t, got.Client.Native)
	require.True(t, got.Client.Browser.IsZero())
	require.Equal(t, bearer, got.Client.Session.Reveal())
	require.Equal(t, "cardea_dt_1.x", got.Client.Device.Reveal())
	require.Equal(t, "h", got.Handle.Reveal())
	body := decode(t, w)
	require.Equal(t, bearer, body["session_token"])
	require.Equal(t, "cardea_dt_1.y", body["device_token"])
	require.Equal(t, "session-1", body["session"].(map[string]any)["id"])
	require.NotContains(t, body["session"], "token")
	require.NotContains(t, body["return_to"], bearer, "no token is in an address (ASVS 14.2.1)")
}

func TestNativeRequests(t *testing.T) {
	for _, c := range []struct{ target, body, call string }{
		{"/auth/session", "", "authenticate"},
		{"/auth/sessions", "", "sessions"},
		{"/auth/sessions/end", `{"id":"session-2"}`, "end-session"},
		{"/auth/sessions/end", `{"id":"session-1"}`, "end-session"},
		{"/auth/sessions/end", `{"others":true}`, "end-others"},
		{"/auth/sessions/end", `{"others":true,"device_token":"cardea_dt_x"}`, "end-others"},
		{"/auth/devices", "", "devices"},
		{"/auth/devices/rename", `{"id":"device-2","name":"Desk"}`, "rename-device"},
		{"/auth/devices/remove", `{"id":"device-2"}`, "remove-device"},
		{"/auth/devices/remove", `{"all":true}`, "remove-devices"},
		{"/auth/activity", "", "activity"},
		{"/auth/sign-out", `{}`, "sign-out"},
		{"/auth/flow", `{"client":"native","goal":"step-up"}`, "begin"},
	} {
		t.Run(c.target+c.body, func(t *testing.T) {
			f := ada()
			f.session.Keep = true // a browser would get its cookie renewed
			s := open(t, f, nativeOn)
			w := s.do(native(c.target, c.body, "Bearer "+bearer))
			require.Equal(t, 200, w.Code, w.Body)
			require.Contains(t, f.calls, c.call)
			require.Empty(t, w.Result().Cookies())
			require.Empty(t, w.Header().Get("Clear-Site-Data"))
			require.Empty(t, w.Header().Get("WWW-Authenticate"))
			require.NotContains(t, w.Body.String(), token)
			if c.call == "begin" {
				require.Equal(t, bearer, f.begun.Client.Session.Reveal())
			}
		})
	}
}

// attacks on a site that serves native clients. Each is a request that mixes both ways, or brings a token that
// is none, with what it is answered.
var attacks = []struct {
	name   string
	q      request
	status int
	code   string
}{
	{"a cookie's token as a bearer", native("/auth/sessions/end", `{"others":true}`, "Bearer "+token), 401, "session-required"},
	{"a bearer's token in the cookie", asBrowser("/auth/sessions/end", `{"others":true}`, "__Host-cardea-session="+bearer), 401, "session-required"},
	{"a bearer's token in a kept cookie", asBrowser("/auth/sign-out", `{}`, "__Host-cardea-session="+bearer+".20515"), 401, "session-required"},
	{"bearer and session cookie", native("/auth/sign-out", `{}`, "Bearer "+bearer).with("Cookie", "__Host-cardea-session="+token), 400, "mixed-transport"},
	{"bearer and an empty cookie", native("/auth/sign-out", `{}`, "Bearer "+bearer).with("Cookie", "__Host-cardea-session="), 400, "mixed-transport"},
	{"bearer and two cookies of a name", native("/auth/sign-out", `{}`, "Bearer "+bearer).with("Cookie", "__Host-cardea-flow=a; __Host-cardea-flow=b"), 400, "mixed-transport"},
	{"bearer and a cookie without a value", native("/auth/sign-out", `{}`, "Bearer "+bearer).with("Cookie", "a=b; __Host-cardea-flow"), 400, "mixed-transport"},
	{"bearer and device cookie", native("/auth/sign-out", `{}`, "Bearer "+bearer).with("Cookie", "__Host-cardea-device =x"), 400, "mixed-transport"},
	{"bearer and notice cookie", native("/auth/sign-out", `{}`, "Bearer "+bearer).with("Cookie", "\t__Host-cardea-notice=x"), 400, "mixed-transport"},
	{"a wrong bearer and a good cookie", native("/auth/sign-out", `{}`, "Bearer x").with("Cookie", bothCookie), 400, "mixed-transport"},
	{"bearer with our own Origin", native("/auth/sign-out", `{}`, "Bearer "+bearer).with("Origin", origin), 400, "mixed-transport"},
	{"bearer with another Origin", native("/auth/sign-out", `{}`, "Bearer "+bearer).with("Origin", "https://evil.example"), 400, "mixed-transport"},
	{"bearer with Origin null", native("/auth/sign-out", `{}`, "Bearer "+bearer).with("Origin", "null"), 400, "mixed-transport"},
	{"bearer with Sec-Fetch-Site", native("/auth/sign-out", `{}`, "Bearer "+bearer).with("Sec-Fetch-Site", "none"), 400, "mixed-transport"},
	{"bearer with Sec-Fetch-Mode", native("/auth/sign-out", `{}`, "Bearer "+bearer).with("Sec-Fetch-Mode", "cors"), 400, "mixed-transport"},
	{"begin with a cookie", native("/auth/flow", nativeBegin, "").with("Cookie", flowCookie), 400, "mixed-transport"},
	{"begin with Origin", native("/auth/flow", nativeBegin, "").with("Origin", origin), 400, "mixed-transport"},
	{"begin from another site", native("/auth/flow", nativeBegin, "").with("Origin", "https://evil.example"), 403, "forbidden"},
	{"begin by a script", native("/auth/flow", nativeBegin, "").with("Sec-Fetch-Site", "same-origin"), 400, "mixed-transport"},
	{"begin by an address line", native("/auth/flow", nativeBegin, "").with("Sec-Fetch-Dest", "document"), 400, "mixed-transport"},
	{"step with the flow cookie", native("/auth/flow", nativeStep, "").with("Cookie", flowCookie), 400, "mixed-transport"},
	{"step with the session cookie", native("/auth/flow", nativeStep, "").with("Cookie", "__Host-cardea-session="+token), 400, "mixed-transport"},
	{"bearer without saying native", native("/auth/flow", `{"goal":"step-up"}`, "Bearer "+bearer), 400, "mixed-transport"},
	{"bearer of a browser", native("/auth/flow", `{"client":"browser","goal":"step-up"}`, "Bearer "+bearer), 400, "mixed-transport"},
	{"a native flow's step without saying so", native("/auth/flow", `{"flow":"h","action":"password","password":"x"}`, ""), 403, "cookie-required"},
	{"another client", native("/auth/flow", `{"client":"Native","goal":"sign-in"}`, ""), 400, "malformed"},
	{"no client", native("/auth/flow", `{"client":"","goal":"sign-in"}`, ""), 400, "malformed"},
	{"two clients", native("/auth/flow", `{"client":"browser","client":"native","goal":"sign-in"}`, ""), 400, "malformed"},
	{"a device token of a browser", asBrowser("/auth/flow", `{"goal":"sign-in","device_token":"x"}`, flowCookie), 400, "malformed"},
	{"an oversized device token", native("/auth/flow", `{"client":"native","goal":"sign-in","device_token":"`+strings.Repeat("x", 1025)+`"}`, ""), 400, "malformed"},
	{"a form", native("/auth/sessions/end", "others=on", "Bearer "+bearer).with("Content-Type", "application/x-www-form-urlencoded"), 415, "malformed"},
	{"a token in the address", native("/auth/sessions/end?access_token="+bearer+"&session_token="+bearer, `{"others":true}`, ""), 401, "session-required"},
	{"a token in the body", native("/auth/sessions/end", `{"others":true,"session_token":"`+bearer+`"}`, ""), 401, "session-required"},
	{"a token in the body of a flow", native("/auth/flow", `{"client":"native","goal":"step-up","session_token":"`+bearer+`"}`, ""), 400, "malformed"},
	{"a token beside the bearer", native("/auth/sessions/end", `{"others":true,"access_token":"x"}`, "Bearer "+bearer), 400, "malformed"},
	{"the form of a page", native("/auth/password", `{}`, "Bearer "+bearer), 400, "mixed-transport"},
	{"the sign-in page's", native("/auth/sign-in", `{}`, "Bearer "+bearer), 400, "mixed-transport"},
	{"a flow's page", native("/auth/flow/flow-1", `{}`, "Bearer "+bearer), 400, "mixed-transport"},
	{"basic credentials", native("/auth/sessions/end", `{"others":true}`, "Basic "+bearer), 401, "session-required"},
	{"a scheme that begins alike", native("/auth/sessions/end", `{"others":true}`, "Bearerx "+bearer), 401, "session-required"},
	{"the token alone", native("/auth/sessions/end", `{"others":true}`, bearer), 401, "session-required"},
	{"the scheme alone", native("/auth/sessions/end", `{"others":true}`, "Bearer"), 400, "malformed"},
	{"a tab", native("/auth/sessions/end", `{"others":true}`, "Bearer\t"+bearer), 400, "malformed"},
	{"two tokens", native("/auth/sessions/end", `{"others":true}`, "Bearer "+bearer+" "+bearer), 400, "malformed"},
	{"a list", native("/auth/sessions/end", `{"others":true}`, "Bearer "+bearer+", Bearer "+bearer), 400, "malformed"},
	{"a quoted token", native("/auth/sessions/end", `{"others":true}`, `Bearer "`+bearer+`"`), 400, "malformed"},
	{"a parameter", native("/auth/sessions/end", `{"others":true}`, "Bearer token="+bearer), 400, "malformed"},
	{"padding alone", native("/auth/sessions/end", `{"others":true}`, "Bearer =="), 400, "malformed"},
	{"not ASCII", native("/auth/sessions/end", `{"others":true}`, "Bearer "+bearer+"\u00e9"), 400, "malformed"},
	{"a step with a bad header", native("/auth/flow", nativeStep, "Bearer "), 400, "malformed"},
	{"an unknown token", native("/auth/sessions/end", `{"others":true}`, "Bearer "+auth.NativeSessionMark+"x"), 401, "session-required"},
	{"padding behind the token", native("/auth/sessions/end", `{"others":true}`, "Bearer "+bearer+"="), 401, "session-required"},
	{"somebody else's kind of token", native("/auth/sessions/end", `{"others":true}`, "Bearer eyJhbGciOiJub25lIn0.e30."), 401, "session-required"},
	{"an oversized token", native("/auth/sessions/end", `{"others":true}`, "Bearer "+bearer+strings.Repeat("A", 1<<16)), 401, "session-required"},
}

// with sets one more header.
func (q request) with(name, value string) request {
	header := map[string]string{name: value}
	for k, v := range q.header {
		if k != name {
			header[k] = v
		}
	}
	q.header = header
	return q
}

// asBrowser is a request of a script on a page of ours.
func asBrowser(target, body, cookies string) request {
	return request{method: "POST", target: target, body: body, cookies: cookies, header: map[string]string{"Accept": "application/json"}}
}

func TestNativeAttacks(t *testing.T) {
	for _, c := range attacks {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, ada(), nativeOn)
			w := s.do(c.q)
			require.Equal(t, c.status, w.Code, w.Body)
			require.Equal(t, c.code, codeOf(t, w))
			require.False(t, s.f.changed(), "%v", s.f.calls)
			require.Empty(t, w.Result().Cookies())
			require.NotContains(t, w.Body.String(), token, "an answer does not repeat what was sent")
			if c.name != "a token beside the bearer" && (c.status == 400 || strings.Contains(c.name, "oversized")) {
				require.Empty(t, s.f.calls, "refused before anything was looked up")
			}
		})
	}
}

// TestTwoAuthorizationHeaders: whoever stands in front of us may have believed the other one.
func TestTwoAuthorizationHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  int
	}{
		"twice the same":     {[]string{"Bearer " + bearer, "Bearer " + bearer}, 400},
		"two tokens":         {[]string{"Bearer " + bearer, "Bearer x"}, 400},
		"another scheme too": {[]string{"Basic x", "Bearer " + bearer}, 400},
		"and after it":       {[]string{"Bearer " + bearer, "Basic x"}, 400},
		"an empty one":       {[]string{"", "Bearer " + bearer}, 400},
		"none of ours":       {[]string{"Basic x", "Digest y"}, 401},
		"one":                {[]string{"Bearer " + bearer}, 204},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, ada(), nativeOn)
			r := httptest.NewRequest("GET", "/inbox", nil)
			r.Header["Authorization"] = c.lines
			w := httptest.NewRecorder()
			s.h.Require(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })).ServeHTTP(w, r)
			require.Equal(t, c.want, w.Code)
			require.Equal(t, c.want == 204, len(s.f.calls) > 0)
		})
	}
}

// TestNativeIsOffByDefault: the header is as if it were not there, and what was issued while it was on is
// worth nothing.
func TestNativeIsOffByDefault(t *testing.T) {
	s := open(t, ada())
	for _, c := range []struct {
		name   string
		q      request
		status int
		code   string
	}{
		{"begin", native("/auth/flow", nativeBegin, ""), 403, "native-not-offered"},
		{"begin with a cookie", native("/auth/flow", nativeBegin, "").with("Cookie", bothCookie), 403, "native-not-offered"},
		{"step", native("/auth/flow", nativeStep, ""), 403, "native-not-offered"},
		{"step with a token", native("/auth/flow", nativeStep, "Bearer "+bearer), 403, "native-not-offered"},
		{"bearer", native("/auth/session", "", "Bearer "+bearer), 401, "session-required"},
		{"malformed bearer", native("/auth/session", "", "Bearer"), 401, "session-required"},
		{"sign out", native("/auth/sign-out", "{}", "Bearer "+bearer), 401, "session-required"},
		{"the token as a cookie", native("/auth/session", "", "").with("Cookie", "__Host-cardea-session="+bearer), 401, "session-required"},
	} {
		w := s.do(c.q)
		require.Equal(t, c.status, w.Code, c.name)
		require.Equal(t, c.code, codeOf(t, w), c.name)
		require.Empty(t, w.Header().Get("WWW-Authenticate"), c.name)
		require.Empty(t, s.f.calls, c.name)
	}
	w := s.do(native("/auth/session", "", "Bearer "+bearer).with("Cookie", bothCookie))
	require.Equal(t, 200, w.Code, "the cookie counts, whatever somebody in front of us authorises")
	require.Equal(t, 200, s.do(asBrowser("/auth/flow", `{"client":"browser","goal":"step-up"}`, bothCookie)).Code)
	require.False(t, s.f.begun.Client.Native)
}

// TestNativeBehindTheGuards: the host's own handlers.
func TestNativeBehindTheGuards(t *testing.T) {
	guards := map[string]func(site) http.Handler{
		"require":  func(s site) http.Handler { return s.h.Require(inbox) },
		"fresh":    func(s site) http.Handler { return s.h.RequireFresh(time.Minute, flow.AAL2, inbox) },
		"identify": func(s site) http.Handler { return s.h.Identify(inbox) },
	}
	for _, c := range []struct {
		name                     string
		q                        request
		down                     error
		require, fresh, identify int
		challenged               string
		unknown/* to identify */ bool
	}{
		{"a token", native("/inbox", "", "Bearer "+bearer), nil, 200, 200, 200, "", false},
		{"a token, posted", native("/inbox", "{}", "Bearer "+bearer), nil, 200, 200, 200, "", false},
		{"a token, for a page", native("/inbox", "", "Bearer "+bearer).with("Accept", "text/html"), nil, 200, 200, 200, "", false},
		{"a dead token", native("/inbox", "", "Bearer "+bearer+"A"), nil, 401, 401, 200, challenge + `, error="invalid_token"`, true},
		{"a dead token, for a page", native("/inbox", "", "Bearer "+bearer+"A").with("Accept", "text/html"), nil, 401, 401, 200, challenge + `, error="invalid_token"`, true},
		{"a browser's token", native("/inbox", "", "Bearer "+token), nil, 401, 401, 200, challenge + `, error="invalid_token"`, true},
		{"nothing", native("/inbox", "", ""), nil, 401, 401, 200, challenge, true},
		{"another scheme", native("/inbox", "", "Basic x"), nil, 401, 401, 200, challenge, true},
		{"malformed", native("/inbox", "", "Bearer a b"), nil, 400, 400, 400, "", false},
		{"with a cookie", native("/inbox", "", "Bearer "+bearer).with("Cookie", bothCookie), nil, 400, 400, 400, "", false},
		{"with Origin", native("/inbox", "", "Bearer "+bearer).with("Origin", origin), nil, 400, 400, 400, "", false},
		{"with Sec-Fetch", native("/inbox", "", "Bearer "+bearer).with("Sec-Fetch-Mode", "cors"), nil, 400, 400, 400, "", false},
		{"in the address", native("/inbox?access_token="+bearer, "", ""), nil, 401, 401, 200, challenge, true},
		{"store down", native("/inbox", "", "Bearer "+bearer), errors.New("down"), 500, 500, 500, "", false},
		{"busy", native("/inbox", "", "Bearer "+bearer), flow.Deny(flow.Busy), 503, 503, 503, "", false},
		{"a browser", asBrowser("/inbox", "{}", bothCookie), nil, 200, 200, 200, "", false},
		{"a browser with another scheme", asBrowser("/inbox", "{}", bothCookie).with("Authorization", "Basic x"), nil, 200, 200, 200, "", false},
		{"a browser's dead cookie", asBrowser("/inbox", "{}", "__Host-cardea-session=x"), nil, 401, 401, 200, "", true},
		{"a browser without a cookie", asBrowser("/inbox", "{}", ""), nil, 401, 401, 200, "", true},
		{"a bearer's token as a cookie", asBrowser("/inbox", "{}", "__Host-cardea-session="+bearer), nil, 401, 401, 200, "", true},
	} {
		for guard, want := range map[string]int{"require": c.require, "fresh": c.fresh, "identify": c.identify} {
			t.Run(c.name+", "+guard, func(t *testing.T) {
				f := ada()
				f.session.Keep, f.down = true, c.down
				s := open(t, f, nativeOn)
				w := s.serve(guards[guard](s), c.q)
				require.Equal(t, want, w.Code)
				if want == 401 {
					require.Equal(t, c.challenged, w.Header().Get("WWW-Authenticate"))
				} else {
					require.Empty(t, w.Header().Get("WWW-Authenticate"))
				}
				who := "inbox of account-1"
				if c.unknown {
					who = "inbox of nobody"
				}
				require.Equal(t, want == 200, w.Body.String() == who, w.Body)
				if c.q.cookies == "" {
					require.Empty(t, w.Result().Cookies(), "a kept session's cookie is renewed, and this has none")
				}
			})
		}
	}
}

// TestNativeStepUpIsNamed covers RFC 9470 §3.
func TestNativeStepUpIsNamed(t *testing.T) {
	f := ada()
	f.fresh = false
	s := open(t, f, nativeOn)
	guard := s.h.RequireFresh(90*time.Second, flow.AAL2, inbox)
	for _, q := range []request{
		native("/inbox", "", "Bearer "+bearer), native("/inbox", "{}", "Bearer "+bearer),
		native("/inbox", "", "Bearer "+bearer).with("Accept", "text/html"),
	} {
		w := s.serve(guard, q)
		require.Equal(t, 401, w.Code, "never led to a page")
		require.Equal(t, challenge+`, error="insufficient_user_authentication", acr_values="aal2", max_age="90"`, w.Header().Get("WWW-Authenticate"))
		told := decode(t, w)["error"].(map[string]any)
		require.Equal(t, "step-up-required", told["code"])
		require.Equal(t, "aal2", told["level"])
		require.EqualValues(t, 90, told["max_age"])
	}
	w := s.serve(guard, asBrowser("/inbox", "{}", bothCookie))
	require.Equal(t, 401, w.Code)
	require.Empty(t, w.Header().Get("WWW-Authenticate"))
}

// TestNativeProofsThatFail: a 401 of a flow says what scheme there is, and not that a good token were bad.
func TestNativeProofsThatFail(t *testing.T) {
	f := ada()
	f.progress = at(refusedView(passwordView(), flow.Refusal{Reason: flow.BadCredentials}))
	s := open(t, f, nativeOn)
	for _, authorization := range []string{"", "Bearer " + bearer} {
		w := s.do(native("/auth/flow", nativeStep, authorization))
		require.Equal(t, 401, w.Code)
		require.Equal(t, challenge, w.Header().Get("WWW-Authenticate"))
	}
	f.onContinue = func(auth.ContinueRequest) (auth.Progress, error) {
		return auth.Progress{}, flow.Deny(flow.SessionRequired)
	}
	w := s.do(native("/auth/flow", nativeStep, "Bearer "+bearer))
	require.Equal(t, challenge+`, error="invalid_token"`, w.Header().Get("WWW-Authenticate"))
	w = s.do(native("/auth/flow", nativeStep, ""))
	require.Equal(t, challenge, w.Header().Get("WWW-Authenticate"))
	w = s.do(asBrowser("/auth/flow", `{"flow":"h","action":"password","password":"x"}`, bothCookie))
	require.Equal(t, 401, w.Code)
	require.Empty(t, w.Header().Get("WWW-Authenticate"))
}

// TestPagesAreForBrowsers: no page is made for a bearer token, and so none has a form token in it.
func TestPagesAreForBrowsers(t *testing.T) {
	for _, target := range []string{
		"/auth", "/auth/sign-in", "/auth/account", "/auth/password", "/auth/confirm", "/auth/sign-out", "/auth/flow/flow-1", "/.well-known/change-password",
	} {
		for _, accept := range []string{"text/html", "application/json"} {
			s := open(t, ada(), nativeOn)
			w := s.do(native(target, "", "Bearer "+bearer).with("Accept", accept))
			require.Equal(t, 400, w.Code, target)
			require.Equal(t, "mixed-transport", codeOf(t, w))
			require.Empty(t, s.f.calls)
		}
	}
}

// TestMixedTransportIsLogged covers ASVS 16.3.3, and that no log has a secret in it.
func TestMixedTransportIsLogged(t *testing.T) {
	var log bytes.Buffer
	s := open(t, ada(), nativeOn, func(c *authhttp.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for _, c := range attacks {
		log.Reset()
		s.do(c.q)
		require.Equal(t, c.status == 400 || c.status == 403 && c.code == "forbidden" || c.status == 415, strings.Contains(log.String(), "request refused"), c.name)
		for _, secret := range []string{token, binding, "1.x"} {
			require.NotContains(t, log.String(), secret, c.name)
		}
	}
}

// TestFormsHaveNoWayAroundTheirToken: a browser's form that claims to be native is a form all the same.
func TestFormsHaveNoWayAroundTheirToken(t *testing.T) {
	s := open(t, ada(), nativeOn)
	for name, q := range map[string]request{
		"no token":            {form: url.Values{"others": {"on"}}, cookies: bothCookie},
		"client in the form":  {form: url.Values{"others": {"on"}, "client": {"native"}}, cookies: bothCookie},
		"token in the form":   {form: url.Values{"others": {"on"}, "access_token": {bearer}}, cookies: bothCookie},
		"nothing but that":    {form: url.Values{"others": {"on"}, "access_token": {bearer}}, header: map[string]string{"Origin": "", "Sec-Fetch-Site": ""}},
		"bearer and form":     {form: url.Values{"others": {"on"}}, cookies: bothCookie, header: map[string]string{"Authorization": "Bearer " + bearer}},
		"bearer without any":  {form: url.Values{"others": {"on"}}, header: map[string]string{"Authorization": "Bearer " + bearer}},
		"bearer, bare form":   {form: url.Values{"others": {"on"}}, header: map[string]string{"Authorization": "Bearer " + bearer, "Origin": "", "Sec-Fetch-Site": ""}},
		"json cross-site":     {body: `{"others":true}`, cookies: bothCookie, header: map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}},
		"bearer, cross-site":  {body: `{"others":true}`, header: map[string]string{"Authorization": "Bearer " + bearer, "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}},
		"basic, cross-site":   {body: `{"others":true}`, cookies: bothCookie, header: map[string]string{"Authorization": "Basic x", "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}},
		"broken bearer, form": {form: url.Values{"others": {"on"}}, cookies: bothCookie, header: map[string]string{"Authorization": "Bearer"}},
	} {
		q.method, q.target = "POST", "/auth/sessions/end"
		w := s.do(q)
		require.GreaterOrEqual(t, w.Code, 400, name)
		require.Less(t, w.Code, 500, name)
		require.False(t, s.f.changed(), name)
	}
}

// TestNativeCostsBrowsersNothing: one look into the header, and no allocation.
func TestNativeCostsBrowsersNothing(t *testing.T) {
	cost := func(change ...func(*authhttp.Config)) float64 {
		s := open(t, ada(), change...)
		guard := s.h.Identify(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := httptest.NewRequest("GET", "/inbox", nil)
		r.Header.Set("Cookie", bothCookie)
		w := httptest.NewRecorder()
		return testing.AllocsPerRun(100, func() { s.f.calls = s.f.calls[:0]; guard.ServeHTTP(w, r) })
	}
	require.Equal(t, cost(), cost(nativeOn))
}

// TestNativeSessionsInTheList: they are among the others, under the name that the app gave itself.
func TestNativeSessionsInTheList(t *testing.T) {
	for agent, want := range map[string]string{
		"HelpdeskApp/2.1 (iPhone; iOS 18.2)":         "HelpdeskApp on iPhone",
		"HelpdeskApp/2.1 (Windows NT 10.0)":          "HelpdeskApp on Windows",
		"HelpdeskApp/1 CFNetwork/1494.0.7 Darwin/23": "HelpdeskApp",
		"okhttp/4.12.0": "okhttp",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_2)": "iPhone",
		"Mozilla/5.0":                    "Unknown device",
		"/1.0":                           "Unknown device",
		"Help desk/1.0":                  "Unknown device",
		"<b>This/1.0":                    "Unknown device",
		"Hélpdesk/1.0":                   "Unknown device",
		strings.Repeat("x", 41) + "/1.0": "Unknown device",
		strings.Repeat("x", 40) + "/1.0 (Windows 11)": strings.Repeat("x", 40) + " on Windows",
	} {
		f := ada()
		f.list[1].UserAgent = agent
		s := open(t, f, nativeOn)
		list := decode(t, s.do(native("/auth/sessions", "", "Bearer "+bearer)))["sessions"].([]any)
		require.Equal(t, want, list[1].(map[string]any)["device"])
		rows := tags(tags(tableOf(parse(t, s.get("/auth/account")), "sessions"), "tbody")[0], "tr")
		require.Len(t, rows, 3)
		require.Equal(t, want, textOf(tags(rows[1], "strong")[0]))
	}
}

func FuzzBearer(f *testing.F) {
	for _, line := range []string{"Bearer x", "bearer  " + bearer, "Bearer", "Bearer =", "Basic x", "Bearer x,Bearer y", "BEARER\tx", "Bearer a==b"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got, err := authhttp.BearerToken([]string{line})
		if err != nil {
			require.Empty(t, got)
			require.NotContains(t, err.Error(), line+"!", "an error does not repeat what was sent")
			return
		}
		require.True(t, authhttp.IsBearer(line))
		require.Regexp(t, `^[A-Za-z0-9._~+/-]+=*$`, got)
		require.Regexp(t, `^(?i:bearer) +$`, strings.TrimSuffix(line, got))
		again, err := authhttp.BearerToken([]string{"Bearer " + got})
		require.NoError(t, err)
		require.Equal(t, got, again)
		_, err = authhttp.BearerToken([]string{line, line})
		require.Error(t, err)
	})
}
