package authhttp_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

func (s site) post(path, body string) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.do(request{method: "POST", target: path, body: body, cookies: bothCookie, header: map[string]string{"Accept": "application/json"}})
}

func decode(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	var got map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got), w.Body.String())
	return got
}

func TestAPIBegin(t *testing.T) {
	s := open(t, ada())
	w := s.do(request{method: "POST", target: "/auth/flow", body: `{"goal":"sign-in","identifier":"ada@example.com","keep":true,"return_to":"/inbox"}`})
	require.Equal(t, 200, w.Code)
	bound := set(w, "__Host-cardea-flow")
	require.NotNil(t, bound, "the first answer binds the flow to the browser")
	require.Equal(t, bound.Value, s.f.begun.Client.Browser.Reveal())
	require.Equal(t, auth.Inputs{Identifier: "ada@example.com", Keep: true}, s.f.begun.Inputs)
	got := decode(t, w)
	require.Equal(t, handle, got["flow"])
	require.Equal(t, "flow-1", got["flow_id"])
	require.Equal(t, "/inbox", got["return_to"])
	require.Equal(t, "first-factor", got["need"])
	require.Equal(t, "open", got["outcome"])
	require.Equal(t, "2026-03-03T14:15:00Z", got["expires_at"])
	require.Nil(t, got["error"])
}

func TestAPITargets(t *testing.T) {
	for body, want := range map[string]flow.Target{
		`{"goal":"step-up"}`:                              {Assurance: flow.AAL1, MaxAge: 5 * time.Minute},
		`{"goal":"step-up","level":"aal2","max_age":60}`:  {Assurance: flow.AAL2, MaxAge: time.Minute},
		`{"goal":"enrolment","enrol":"password"}`:         {Enrol: flow.Password},
		`{"goal":"sign-in","identifier":"x@example.com"}`: {},
	} {
		s := open(t, ada())
		require.Equal(t, 200, s.post("/auth/flow", body).Code)
		require.Equal(t, want, s.f.begun.Target)
		require.Equal(t, token, s.f.begun.Client.Session.Reveal())
	}
}

func TestAPIContinue(t *testing.T) {
	f := ada()
	f.progress = granted(flow.SignIn, true)
	s := open(t, f)
	w := s.post("/auth/flow", `{"flow":"h","action":"password","password":"pw"}`)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "h", f.continued.Handle.Reveal())
	require.Equal(t, "pw", f.continued.Inputs.Password.Reveal())
	require.NotNil(t, set(w, "__Host-cardea-session"))
	require.NotNil(t, set(w, "__Host-cardea-device"))
	require.NotContains(t, w.Body.String(), token, "ASVS 3.3.4; limen returned tokens to scripts")
	require.NotContains(t, w.Body.String(), "device-cookie")
	got := decode(t, w)
	require.Equal(t, "granted", got["outcome"])
	session := got["session"].(map[string]any)
	require.Equal(t, "session-1", session["id"])
	require.Equal(t, "aal1", session["assurance"])
	require.Equal(t, []any{"password"}, session["methods"])
	require.Equal(t, true, session["current"])
}

func TestAPIContinueNeedsTheBrowser(t *testing.T) {
	s := open(t, ada())
	w := s.do(request{method: "POST", target: "/auth/flow", body: `{"flow":"h","action":"password","password":"x"}`})
	require.Equal(t, 403, w.Code)
	require.False(t, s.f.changed(), "without a cookie it would count as a native client")
}

func TestEveryReasonHasAStatus(t *testing.T) {
	for _, r := range flow.Reasons() {
		require.Contains(t, authhttp.Statuses(), r, r.String())
	}
}

// TestAPIRefusals: the same status, body and headers whether the refusal is on record in the flow, came with
// its View, or without one.
func TestAPIRefusals(t *testing.T) {
	for reason, status := range authhttp.Statuses() {
		t.Run(reason.String(), func(t *testing.T) {
			refusal := flow.Refusal{Reason: reason, RetryAt: now.Add(90 * time.Second), Problem: "common"}
			for how, answer := range map[string]func() (auth.Progress, error){
				"recorded":  func() (auth.Progress, error) { return at(refusedView(passwordView(), refusal)), nil },
				"with view": func() (auth.Progress, error) { return at(passwordView()), &flow.DeniedError{Refusal: refusal} },
				"bare":      func() (auth.Progress, error) { return auth.Progress{}, &flow.DeniedError{Refusal: refusal} },
			} {
				f := ada()
				f.onContinue = func(auth.ContinueRequest) (auth.Progress, error) { return answer() }
				w := open(t, f).post("/auth/flow", `{"flow":"h","action":"password","password":"x"}`)
				require.Equal(t, status, w.Code, how)
				got := decode(t, w)
				if how != "bare" {
					require.Equal(t, handle, got["flow"])
				}
				if status == 200 {
					continue
				}
				require.Equal(t, "90", w.Header().Get("Retry-After"))
				told := got["error"].(map[string]any)
				require.Equal(t, reason.String(), told["code"])
				require.Equal(t, "2026-03-03T14:06:30Z", told["retry_at"])
				require.Equal(t, "common", told["problem"])
				require.NotEmpty(t, told["message"])
			}
		})
	}
}

func TestAPIFaultsSayNothing(t *testing.T) {
	f := ada()
	f.err = errors.New("pq: hunter2")
	w := open(t, f).post("/auth/flow", `{"goal":"sign-in"}`)
	require.Equal(t, 500, w.Code)
	require.JSONEq(t, `{"error":{"code":"fault","message":"It was not your doing. Please try again in a few minutes."}}`, w.Body.String())
}

func TestAPILook(t *testing.T) {
	s := open(t, ada())
	q := request{target: "/auth/flow/flow-1", cookies: flowCookie, header: map[string]string{"Accept": "application/json"}}
	got := decode(t, s.do(q))
	require.Equal(t, handle, got["flow"])
	require.Equal(t, binding, s.f.looked.Browser.Reveal())
	s.f.progress = at(refusedView(passwordView(), flow.Refusal{Reason: flow.BadCredentials}))
	require.Equal(t, 200, s.do(q).Code, "it was read, whatever the last step came to")
	q.cookies = ""
	require.Equal(t, 403, s.do(q).Code)
}

func TestAPISessions(t *testing.T) {
	s := open(t, ada())
	got := decode(t, s.do(request{target: "/auth/session", cookies: bothCookie}))
	require.Equal(t, "session-1", got["session"].(map[string]any)["id"])
	require.Equal(t, "Ada@example.com", got["account"].(map[string]any)["address"])
	w := s.do(request{target: "/auth/sessions", cookies: bothCookie})
	require.NotContains(t, w.Body.String(), token)
	list := decode(t, w)["sessions"].([]any)
	require.Len(t, list, 3)
	require.Equal(t, "Safari on iPhone", list[1].(map[string]any)["device"])
	require.Equal(t, "2001:db8:1::/48", list[1].(map[string]any)["network"])
	for _, target := range []string{"/auth/session", "/auth/sessions"} {
		w := s.do(request{target: target})
		require.Equal(t, 401, w.Code)
		require.Equal(t, "session-required", decode(t, w)["error"].(map[string]any)["code"])
	}
}

func TestAPIEndSessions(t *testing.T) {
	s := open(t, ada())
	require.Equal(t, 200, s.post("/auth/sessions/end", `{"id":"session-2"}`).Code)
	require.Equal(t, "session-2", s.f.ended)
	require.Equal(t, 200, s.post("/auth/sessions/end", `{"others":true}`).Code)
	require.Contains(t, s.f.calls, "end-others")
	w := s.post("/auth/sessions/end", `{"id":"session-1"}`)
	require.Equal(t, 200, w.Code)
	require.Equal(t, -1, set(w, "__Host-cardea-session").MaxAge)
	s.f.calls = nil
	for _, bad := range []string{`{}`, `{"others":false}`, `{"id":"a","others":true}`, `{"id":1}`, `{"form_token":"x","id":"a"}`} {
		require.Equal(t, 400, s.post("/auth/sessions/end", bad).Code, bad)
	}
	require.False(t, s.f.changed())
}

func TestAPISignOut(t *testing.T) {
	s := open(t, ada())
	require.Equal(t, 400, s.post("/auth/sign-out", `{"x":1}`).Code)
	require.False(t, s.f.changed())
	w := s.post("/auth/sign-out", `{}`)
	require.Equal(t, 200, w.Code)
	require.Equal(t, -1, set(w, "__Host-cardea-session").MaxAge)
	require.Equal(t, `"cache", "storage"`, w.Header().Get("Clear-Site-Data"))
	require.Nil(t, set(w, "__Host-cardea-notice"))
	w = s.do(request{method: "POST", target: "/auth/sign-out", body: "{}"})
	require.Equal(t, http.StatusUnauthorized, w.Code)
}

func TestMessagesAreInTheRequestsLanguage(t *testing.T) {
	s := open(t, ada())
	w := s.do(request{target: "/auth/session", header: map[string]string{"Accept-Language": "de"}})
	require.Equal(t, "de", w.Header().Get("Content-Language"))
	require.Contains(t, w.Body.String(), "Bitte melden Sie sich zuerst an.")
}
