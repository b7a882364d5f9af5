package authhttp_test

import (
	"context"
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

// inbox is a handler of the host; it says who is there.
var inbox = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	s, ok := authhttp.SessionFrom(r.Context())
	if !ok {
		_, _ = w.Write([]byte("inbox of nobody"))
		return
	}
	_, _ = w.Write([]byte("inbox of " + s.Account))
})

func TestRequireMatrix(t *testing.T) {
	session, none := bothCookie, ""
	fresh := func(s site) http.Handler { return s.h.RequireFresh(5*time.Minute, flow.AAL2, inbox) }
	plain := func(s site) http.Handler { return s.h.Require(inbox) }
	maybe := func(s site) http.Handler { return s.h.Identify(inbox) }
	down := errors.New("store down")
	for _, c := range []struct {
		name    string
		guard   func(site) http.Handler
		cookies string
		stale   bool
		down    error
		want    map[string]int // by kind of request: page, api, post, form
		reaches bool
	}{
		{"require, session", plain, session, false, nil, codes(200, 200, 200, 200), true},
		{"require, none", plain, none, false, nil, codes(303, 401, 401, 401), false},
		{"require, unknown token", plain, "__Host-cardea-session=x", false, nil, codes(303, 401, 401, 401), false},
		{"require, store down", plain, session, false, down, codes(500, 500, 500, 500), false},
		{"require, busy", plain, session, false, flow.Deny(flow.Busy), codes(503, 503, 503, 503), false},
		{"require, cancelled", plain, session, false, context.Canceled, codes(500, 500, 500, 500), false},
		{"fresh, session", fresh, session, false, nil, codes(200, 200, 200, 200), true},
		{"fresh, stale", fresh, session, true, nil, codes(303, 401, 401, 401), false},
		{"fresh, none", fresh, none, true, nil, codes(303, 401, 401, 401), false},
		{"fresh, store down", fresh, session, false, down, codes(500, 500, 500, 500), false},
		{"identify, session", maybe, session, false, nil, codes(200, 200, 200, 200), true},
		{"identify, none", maybe, none, false, nil, codes(200, 200, 200, 200), true},
		{"identify, busy", maybe, session, false, flow.Deny(flow.Busy), codes(503, 503, 503, 503), false},
		{"identify, store down", maybe, session, false, down, codes(500, 500, 500, 500), false},
	} {
		for kind, want := range c.want {
			t.Run(c.name+", "+kind, func(t *testing.T) {
				f := ada()
				f.fresh, f.down = !c.stale, c.down
				s := open(t, f)
				q := request{target: "/inbox?box=1", cookies: c.cookies}
				switch kind {
				case "api":
					q.header = map[string]string{"Accept": "*/*"}
				case "post":
					q.method, q.body, q.header = "POST", "{}", map[string]string{"Accept": "application/json"}
				case "form":
					q.method = "POST"
				}
				w := s.serve(c.guard(s), q)
				require.Equal(t, want, w.Code)
				require.Equal(t, c.reaches, w.Code == 200)
				if !c.reaches {
					require.NotContains(t, w.Body.String(), "inbox of", "the page must not follow a refusal")
				}
			})
		}
	}
}

func codes(page, api, post, form int) map[string]int {
	return map[string]int{"page": page, "api": api, "post": post, "form": form}
}

func TestWhereTheRefusedAreSent(t *testing.T) {
	f := ada()
	f.fresh = false
	s := open(t, f)
	for _, c := range []struct{ target, cookies, want string }{
		{"/inbox?box=1&x=%2F", "", "/auth/sign-in?return_to=%2Finbox%3Fbox%3D1%26x%3D%252F"},
		{"//evil.example/x", "", "/auth/sign-in"},
		{`/\evil.example`, "", "/auth/sign-in"},
		{"/inbox", bothCookie, "/auth/confirm?level=aal2&max_age=90&return_to=%2Finbox"},
		{"//evil.example/x", bothCookie, "/auth/confirm?level=aal2&max_age=90"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RequestURI = c.target
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Cookie", c.cookies)
		w := httptest.NewRecorder()
		s.h.RequireFresh(90*time.Second+time.Millisecond, flow.AAL2, inbox).ServeHTTP(w, r)
		require.Equal(t, 303, w.Code)
		require.Equal(t, c.want, w.Header().Get("Location"))
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	}
}

func TestRefusalBodies(t *testing.T) {
	f := ada()
	s := open(t, f)
	q := request{target: "/inbox", header: map[string]string{"Accept": "application/json"}}
	type told struct {
		Error struct {
			Code, Message, Level string
			MaxAge               int `json:"max_age"`
		}
	}
	var got told
	require.NoError(t, json.Unmarshal(s.serve(s.h.Require(inbox), q).Body.Bytes(), &got))
	require.Equal(t, "session-required", got.Error.Code)
	f.fresh, q.cookies, got = false, bothCookie, told{}
	require.NoError(t, json.Unmarshal(s.serve(s.h.RequireFresh(time.Minute, flow.AAL2, inbox), q).Body.Bytes(), &got))
	require.Equal(t, "step-up-required", got.Error.Code)
	require.Equal(t, "aal2", got.Error.Level)
	require.Equal(t, 60, got.Error.MaxAge)
}

// TestARefusedPostIsExplained: nothing of it is kept, the page says so and leads back to where it came from.
func TestARefusedPostIsExplained(t *testing.T) {
	f := ada()
	f.fresh = false
	s := open(t, f)
	for _, c := range []struct{ referer, cookies, want string }{
		{origin + "/settings?tab=2", bothCookie, "/auth/confirm?level=aal1&max_age=60&return_to=%2Fsettings%3Ftab%3D2"},
		{"https://evil.example/settings", bothCookie, "/auth/confirm?level=aal1&max_age=60"},
		{origin + "//evil.example", bothCookie, "/auth/confirm?level=aal1&max_age=60"},
		{origin + "/settings", "", "/auth/sign-in?return_to=%2Fsettings"},
	} {
		w := s.serve(s.h.RequireFresh(time.Minute, flow.AAL1, inbox), request{
			method: "POST", target: "/settings/delete", form: map[string][]string{"secret": {"hunter2"}}, cookies: c.cookies,
			header: map[string]string{"Referer": c.referer},
		})
		require.Equal(t, 401, w.Code)
		require.NotContains(t, w.Body.String(), "hunter2")
		links := tags(tags(parse(t, w), "main")[0], "a")
		require.Len(t, links, 1)
		require.Equal(t, c.want, attr(links[0], "href"))
	}
}

func TestRequireFreshRefusesNonsense(t *testing.T) {
	s := open(t, ada())
	require.Panics(t, func() { s.h.RequireFresh(0, flow.AAL1, inbox) })
	require.Panics(t, func() { s.h.RequireFresh(time.Minute, 0, inbox) })
}

func TestSessionFrom(t *testing.T) {
	_, ok := authhttp.SessionFrom(t.Context())
	require.False(t, ok)
	s := open(t, ada())
	var got auth.Session
	type key struct{}
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got, _ = authhttp.SessionFrom(r.Context())
		require.Equal(t, "kept", r.Context().Value(key{}))
	})
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", bothCookie)
	s.h.Require(next).ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithValue(r.Context(), key{}, "kept")))
	require.Equal(t, "session-1", got.ID)
}

// TestRequireIsLean: the token, the context and the request's copy, and nothing else of ours.
func TestRequireIsLean(t *testing.T) {
	s := open(t, ada())
	h := s.h.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", "a=b; "+bothCookie)
	w := httptest.NewRecorder()
	s.f.calls = make([]string, 0, 1000)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }), 3.0)
}
