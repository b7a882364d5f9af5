package authhttp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

// The tests of this file hold the handler and openapi.json together. What the handler answers must be in the
// document; what is in the document the handler must answer, or accept; and what is not, it must refuse.

// answered checks an answer against the document: its status, its headers, its type and its body.
func (d *document) answered(t *testing.T, method, path string, w *httptest.ResponseRecorder) {
	t.Helper()
	op := below("#", "paths", path, strings.ToLower(method))
	require.NotNil(t, d.at(op), "%s %s is not in the document", method, path)
	d.matches(t, below(op, "responses", strconv.Itoa(w.Code)), w)
}

// matches checks an answer against the response that the pointer names.
func (d *document) matches(t *testing.T, pointer string, w *httptest.ResponseRecorder) {
	t.Helper()
	require.NotNil(t, d.at(pointer), "%s is not in the document: %s", pointer, w.Body)
	d.seen[pointer] = true
	pointer = d.resolve(pointer)
	d.seen[pointer] = true
	headers, _ := d.at(pointer)["headers"].(map[string]any)
	for _, name := range []string{"Retry-After", "Allow", "WWW-Authenticate", "ETag", "Set-Cookie", "Cache-Control"} {
		value := w.Header().Get(name)
		if headers[name] == nil {
			if name == "Set-Cookie" {
				continue // whatever comes of a request, a session that is used may get its cookie renewed
			}
			require.Contains(t, []string{"", "no-store"}, value, "%s of %s is not in the document", name, pointer)
			continue
		}
		where := below(pointer, "headers", name)
		required, _ := d.at(d.resolve(where))["required"].(bool)
		require.False(t, required && value == "", "%s lacks %s", pointer, name)
		d.seen[where] = d.seen[where] || value != ""
	}
	if content := d.at(pointer)["content"]; content == nil {
		require.Empty(t, w.Body.String(), pointer)
		return
	}
	require.Equal(t, "application/json", w.Header().Get("Content-Type"), pointer)
	if strings.HasPrefix(pointer, "#/paths/~1openapi.json/") {
		return // it is no answer with a schema worth walking
	}
	var body any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body), w.Body.String())
	require.NoError(t, d.check(below(pointer, "content", "application/json", "schema"), body), w.Body.String())
}

var wantJSON = map[string]string{"Accept": "application/json"}

const aStep = `{"flow":"h","action":"cancel"}`

// TestAnswersAreInTheDocument drives every route of the handler through every reason, every View that the
// machine can show and every way to go wrong. All of it must be in the document, and all of the document must
// have come about in the end.
func TestAnswersAreInTheDocument(t *testing.T) {
	d := loadDocument(t, "openapi.json")
	d.driveReasons(t)
	d.driveViews(t)
	d.driveSessions(t)
	d.driveBadRequests(t)
	d.driveFaults(t)
	d.driveGuards(t)
	d.driveConfirmations(t)
	d.driveNative(t)
	d.driveItself(t)
	require.Empty(t, d.unmet(t), "this is in the document, and the handler never answered it")
}

// unmet lists the answers of the document, with all their parts, that have not come about.
func (d *document) unmet(t *testing.T) []string {
	t.Helper()
	var list []string
	visited := map[string]bool{}
	answer := func(pointer string) {
		if !d.seen[pointer] {
			list = append(list, pointer)
		}
		pointer = d.resolve(pointer)
		headers, _ := d.at(pointer)["headers"].(map[string]any)
		for name := range headers {
			if where := below(pointer, "headers", name); !d.seen[where] {
				list = append(list, where)
			}
		}
		if !strings.HasPrefix(pointer, "#/paths/~1openapi.json/") {
			list = append(list, d.unseen(below(pointer, "content", "application/json", "schema"), visited)...)
		}
	}
	for path, op := range d.operations() {
		for status := range d.at(below(op, "responses")) {
			answer(below(op, "responses", status))
		}
		require.Contains(t, append(authhttp.Paths(), "/flow/{id}", "/sessions/end", "/devices/rename", "/devices/remove", "/factors/rename", "/sign-out"), path)
	}
	for name := range d.at("#/components/responses") {
		answer(below("#/components/responses", name))
	}
	for _, path := range authhttp.Paths() {
		require.NotNil(t, d.at(below("#/paths", path)), "the handler serves %s", path)
	}
	return list
}

// operations yields the path and the pointer of each operation.
func (d *document) operations() map[string]string {
	all := map[string]string{}
	for path, item := range d.at("#/paths") {
		for method := range item.(map[string]any) {
			all[path] = below("#/paths", path, method)
		}
	}
	return all
}

// driveReasons has the service refuse a step for every reason, in each of the three ways that it has.
func (d *document) driveReasons(t *testing.T) {
	var refusals []flow.Refusal
	for _, r := range flow.Reasons() {
		refusal := flow.Refusal{Reason: r}
		switch r {
		case flow.TooManyAttempts, flow.TooSoon, flow.Busy:
			refusal.RetryAt = now.Add(90 * time.Second)
		case flow.PasswordRejected:
			for _, p := range vocabulary(t)["problems"] {
				refusals = append(refusals, flow.Refusal{Reason: r, Problem: p.Code})
			}
			refusal.Problem = "of-the-hosts-own"
		}
		refusals = append(refusals, refusal)
	}
	s := open(t, ada(), nativeOn)
	for _, refusal := range refusals {
		for _, way := range []func() (auth.Progress, error){
			func() (auth.Progress, error) { return at(refusedView(passwordView(), refusal)), nil },
			func() (auth.Progress, error) { return at(passwordView()), &flow.DeniedError{Refusal: refusal} },
			func() (auth.Progress, error) { return auth.Progress{}, &flow.DeniedError{Refusal: refusal} },
		} {
			if p, err := way(); refusal.Reason == flow.Cancelled && err != nil && p.FlowID == "" {
				continue // nobody refuses a step for that: it is how a flow has ended
			}
			s.f.progress, s.f.err = way()
			d.answered(t, "POST", "/flow", s.post("/auth/flow", aStep))
		}
	}
}

// driveViews shows every View of the machine, as the answer to a step and as a look at the flow.
func (d *document) driveViews(t *testing.T) {
	f := ada()
	s := open(t, f, nativeOn)
	for _, v := range machineViews() {
		f.progress = at(v)
		d.answered(t, "POST", "/flow", s.post("/auth/flow", aStep))
		d.answered(t, "GET", "/flow/{id}", s.do(request{target: "/auth/flow/flow-1", cookies: flowCookie, header: wantJSON}))
	}
	f.progress = granted(flow.Enrolment, true)
	f.progress.Codes = []auth.Secret{auth.NewSecret("AAAAAA-BBBBBB-CCCCCC")}
	d.answered(t, "POST", "/flow", s.post("/auth/flow", aStep))
	f.progress = at(passwordView())
	f.progress.Pairing = &auth.Pairing{URI: auth.NewSecret("otpauth://totp/x"), Text: auth.NewSecret("AAAA BBBB")}
	d.answered(t, "POST", "/flow", s.post("/auth/flow", aStep))
	f.progress = at(passwordView())
	f.progress.Passkey = []byte(`{"challenge":"AAAA"}`)
	d.answered(t, "POST", "/flow", s.post("/auth/flow", aStep))
	f.progress = at(passwordView())
	f.progress.View.Away, f.progress.View.Providers = true, []flow.Provider{{ID: "google", Name: "Google"}}
	f.progress.Departure = "https://accounts.google.com/o/oauth2/v2/auth?state=x"
	d.answered(t, "POST", "/flow", s.post("/auth/flow", aStep))
	f.progress = granted(flow.SignIn, true)
	for m := flow.Password; m <= flow.Approval; m++ {
		f.progress.Session.Proofs = append(f.progress.Session.Proofs, flow.Proof{Method: m})
	}
	for l := flow.Assurance(0); l <= flow.AAL3; l++ {
		f.progress.Session.Assurance = l
		d.answered(t, "POST", "/flow", s.post("/auth/flow", aStep))
	}
	f.progress.Session.Prefix = f.list[0].Prefix
	d.answered(t, "POST", "/flow", s.do(request{method: "POST", target: "/auth/flow", body: `{"goal":"sign-in"}`}))
}

func (d *document) driveSessions(t *testing.T) {
	f := ada()
	f.account.Language = "de"
	f.session.Keep = true // so that its cookie is renewed
	s := open(t, f, nativeOn)
	for _, path := range []string{"/session", "/sessions", "/devices", "/factors", "/connections", "/activity"} {
		d.answered(t, "GET", path, s.do(request{target: "/auth" + path, cookies: bothCookie}))
		d.answered(t, "GET", path, s.do(request{target: "/auth" + path}))
	}
	for _, what := range activities(t) {
		f.activity = []auth.Activity{{What: auth.ActivityWhat(what.Code), Count: 1}}
		d.answered(t, "GET", "/activity", s.do(request{target: "/auth/activity", cookies: bothCookie}))
	}
	for path, body := range map[string]string{
		"/sessions/end": `{"others":true}`, "/sign-out": `{}`,
		"/devices/rename": `{"id":"device-2","name":"Desk"}`, "/devices/remove": `{"all":true}`, "/factors/rename": `{"id":"factor-1","name":"Phone"}`,
	} {
		d.answered(t, "POST", path, s.post("/auth"+path, body))
		d.answered(t, "POST", path, s.do(request{method: "POST", target: "/auth" + path, body: body}))
	}
	f.changeErr = flow.Deny(flow.NotFound)
	d.answered(t, "POST", "/sessions/end", s.post("/auth/sessions/end", `{"id":"another's"}`))
	d.answered(t, "POST", "/devices/rename", s.post("/auth/devices/rename", `{"id":"another's","name":"mine"}`))
	d.answered(t, "POST", "/devices/remove", s.post("/auth/devices/remove", `{"id":"another's"}`))
	d.answered(t, "POST", "/factors/rename", s.post("/auth/factors/rename", `{"id":"another's","name":"mine"}`))
	f.changeErr = flow.Deny(flow.SessionRequired)
	d.answered(t, "POST", "/sessions/end", s.post("/auth/sessions/end", `{"others":true}`))
}

// driveBadRequests sends what no client should.
func (d *document) driveBadRequests(t *testing.T) {
	s := open(t, ada(), nativeOn)
	for _, path := range []string{"/flow", "/sessions/end", "/devices/rename", "/devices/remove", "/factors/rename", "/sign-out"} {
		for _, q := range []request{
			{body: `{`},
			{body: `{"unheard":"of"}`},
			{body: `{}`, header: map[string]string{"Content-Type": "text/plain", "Accept": "application/json"}},
			{body: `{"a":"` + strings.Repeat("x", authhttp.BodyLimit) + `"}`},
			{body: `{}`, header: map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}},
		} {
			q.method, q.target, q.cookies = "POST", "/auth"+path, bothCookie
			if q.header["Content-Type"] == "text/plain" && path != "/flow" {
				// Without JSON these answer as the forms that they are as well.
				q.header = map[string]string{"Content-Encoding": "gzip"}
			}
			d.answered(t, "POST", path, s.do(q))
		}
	}
	d.answered(t, "POST", "/flow", s.do(request{method: "POST", target: "/auth/flow", body: aStep}))
	d.answered(t, "GET", "/flow/{id}", s.do(request{target: "/auth/flow/flow-1", header: wantJSON}))
	d.answered(t, "GET", "/flow/{id}", s.do(request{target: "/auth/flow/a.b", header: wantJSON}))
	for _, gone := range []flow.Reason{flow.Expired, flow.Stale} {
		s.f.err = flow.Deny(gone)
		d.answered(t, "GET", "/flow/{id}", s.do(request{target: "/auth/flow/flow-1", cookies: flowCookie, header: wantJSON}))
	}
	d.matches(t, "#/components/responses/NoSuchPath", s.do(request{target: "/auth/nothing", header: wantJSON}))
	for path := range d.operations() {
		target := "/auth" + strings.ReplaceAll(path, "{id}", "flow-1")
		d.matches(t, "#/components/responses/MethodNotAllowed", s.do(request{method: "DELETE", target: target, header: wantJSON, cookies: bothCookie}))
	}
}

func (d *document) driveFaults(t *testing.T) {
	f := ada()
	f.err, f.down = errors.New("store down"), errors.New("store down")
	s := open(t, f, func(c *authhttp.Config) { c.Logger = quiet() })
	for path, op := range d.operations() {
		if path == "/openapi.json" {
			continue // it asks nobody
		}
		method, body := "GET", ""
		if strings.HasSuffix(op, "/post") {
			method, body = "POST", map[bool]string{true: aStep, false: "{}"}[path == "/flow"]
		}
		w := s.do(request{method: method, target: "/auth" + strings.ReplaceAll(path, "{id}", "flow-1"), body: body, cookies: bothCookie, header: wantJSON})
		require.Equal(t, 500, w.Code)
		d.answered(t, method, path, w)
	}
}

// driveGuards has the host's own handlers ask for more than the session has.
func (d *document) driveGuards(t *testing.T) {
	f := ada()
	f.fresh = false
	s := open(t, f, nativeOn)
	never := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was let through") })
	for l := flow.AAL1; l <= flow.AAL3; l++ {
		guarded := s.h.RequireFresh(time.Minute, l, never)
		for _, q := range []request{{target: "/admin", cookies: bothCookie, header: wantJSON}, native("/admin", "", "Bearer "+bearer)} {
			d.matches(t, "#/components/responses/StepUpRequired", s.serve(guarded, q))
		}
	}
	d.matches(t, "#/components/responses/SignedOut", s.serve(s.h.Require(never), request{target: "/admin", header: wantJSON}))
}

// driveNative is what an app sends, and what is neither an app's nor a browser's.
func (d *document) driveNative(t *testing.T) {
	f := ada()
	f.progress = scenes()["grantedNative"].progress
	s := open(t, f, nativeOn)
	good := "Bearer " + bearer
	d.answered(t, "POST", "/flow", s.do(native("/auth/flow", nativeStep, good)))
	d.answered(t, "POST", "/flow", open(t, ada()).do(native("/auth/flow", nativeStep, "")))
	for path, op := range d.operations() {
		method, body, target := "GET", "", "/auth"+strings.ReplaceAll(path, "{id}", "flow-1")
		if strings.HasSuffix(op, "/post") {
			method, body = "POST", map[string]string{
				"/flow": nativeStep, "/sessions/end": `{"others":true}`, "/sign-out": "{}",
				"/devices/rename": `{"id":"device-2","name":"Desk"}`, "/devices/remove": `{"all":true}`, "/factors/rename": `{"id":"factor-1","name":"Phone"}`,
			}[path]
		}
		whole := s.do(native(target, body, good))
		require.Equal(t, path == "/flow/{id}", whole.Code == 400, path)
		d.answered(t, method, path, whole)
		q := native(target, body, good)
		q.cookies = bothCookie
		mixed := s.do(q)
		require.Equal(t, 400, mixed.Code, path)
		d.answered(t, method, path, mixed)
		d.answered(t, method, path, s.do(native(target, body, "Bearer ?")))
		d.answered(t, method, path, s.do(native(target, body, "Bearer "+auth.NativeSessionMark+"dead")))
	}
	f.progress, f.err = auth.Progress{}, flow.Deny(flow.SessionRequired)
	d.answered(t, "POST", "/flow", s.do(native("/auth/flow", nativeStep, good)))
}

func (d *document) driveItself(t *testing.T) {
	s := open(t, ada())
	w := s.do(request{target: "/auth/openapi.json"})
	d.answered(t, "GET", "/openapi.json", w)
	d.answered(t, "GET", "/openapi.json", s.do(request{target: "/auth/openapi.json", header: map[string]string{"If-None-Match": w.Header().Get("ETag")}}))
}

// TestAnUnknownActionIsTheServicesWord: it is no mistake of form, and the answer has the View with what may be done.
func TestAnUnknownActionIsTheServicesWord(t *testing.T) {
	f := ada()
	f.err = flow.Deny(flow.NotOffered)
	w := open(t, f).post("/auth/flow", `{"flow":"h","action":"unheard-of","password":"x"}`)
	require.Equal(t, 409, w.Code)
	require.Equal(t, "unheard-of", f.continued.Action)
}

// TestContractIsServed: with this server's own address and cookies, for anybody, and to be kept.
func TestContractIsServed(t *testing.T) {
	for _, c := range []struct {
		origin, prefix, session string
		loopback                bool
	}{
		{"https://app.example", "/auth", "__Host-cardea-session", false},
		{"https://login.example:8443", "/a/b", "__Host-cardea-session", false},
		{"http://localhost:8080", "/auth", "cardea-session", true},
	} {
		f := ada()
		s := open(t, f, func(cfg *authhttp.Config) {
			cfg.Origin, cfg.Prefix, cfg.InsecureCookiesForLoopback = c.origin, c.prefix, c.loopback
		})
		target := c.prefix + "/openapi.json"
		w := s.do(request{target: target, cookies: bothCookie})
		require.Equal(t, 200, w.Code)
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		require.Equal(t, "public, max-age=3600", w.Header().Get("Cache-Control"))
		require.Empty(t, w.Header()["Set-Cookie"])
		require.Empty(t, w.Header()["Vary"])
		require.Empty(t, f.calls, "it asks nobody")
		d := &document{}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &d.root))
		require.Equal(t, []any{map[string]any{"url": c.origin + c.prefix}}, d.root["servers"])
		require.Equal(t, c.session, d.at("#/components/securitySchemes/session")["name"])
		require.Equal(t, !c.loopback, strings.Contains(w.Body.String(), "__Host-"))

		head := s.do(request{method: "HEAD", target: target})
		require.Equal(t, fmt.Sprint(w.Body.Len()), head.Header().Get("Content-Length"))
		require.Zero(t, head.Body.Len())
		tag := w.Header().Get("ETag")
		for named, status := range map[string]int{tag: 304, `"other", W/` + tag: 304, `"other"`: 200, strings.Trim(tag, `"`): 200} {
			require.Equal(t, status, s.do(request{target: target, header: map[string]string{"If-None-Match": named}}).Code, named)
		}
		require.Equal(t, 405, s.do(request{method: "POST", target: target, body: "{}"}).Code)
	}
}
