package authhttp_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

const confirmationCookie = "__Host-cardea-confirmation"

// deletes makes the operation of a request that deletes project Alpha.
func deletes(t testing.TB) func(*http.Request) (auth.Operation, error) {
	t.Helper()
	op, err := auth.NewOperation("Delete project <Alpha>", "delete-project", "1")
	require.NoError(t, err)
	return func(*http.Request) (auth.Operation, error) { return op, nil }
}

// unconfirmed is a fake that has confirmed nothing.
func unconfirmed() *fake {
	f := ada()
	f.confirmErr = flow.Deny(flow.StepUpRequired)
	return f
}

func TestRequireConfirmedMatrix(t *testing.T) {
	down := errors.New("store down")
	form := map[string]string{}
	for _, c := range []struct {
		name    string
		method  string
		cookies string
		header  map[string]string
		confirm error
		demand  error
		down    error
		make    error
		want    int
	}{
		{"confirmed", "POST", bothCookie, form, nil, nil, nil, nil, 200},
		{"confirmed, PUT", "PUT", bothCookie, map[string]string{"Origin": origin}, nil, nil, nil, nil, 200},
		{"confirmed, PATCH", "PATCH", bothCookie, map[string]string{"Origin": origin}, nil, nil, nil, nil, 200},
		{"confirmed, DELETE", "DELETE", bothCookie, map[string]string{"Origin": origin}, nil, nil, nil, nil, 200},
		{"not confirmed", "POST", bothCookie, form, flow.Deny(flow.StepUpRequired), nil, nil, nil, 401},
		{"session over", "POST", bothCookie, form, flow.Deny(flow.SessionRequired), nil, nil, nil, 401},
		{"nobody", "POST", "", form, nil, nil, nil, nil, 401},
		{"GET", "GET", bothCookie, nil, nil, nil, nil, nil, 405},
		{"HEAD", "HEAD", bothCookie, nil, nil, nil, nil, nil, 405},
		{"OPTIONS", "OPTIONS", bothCookie, nil, nil, nil, nil, nil, 405},
		{"a method that there is not", "FROB", bothCookie, nil, nil, nil, nil, nil, 405},
		{"from another site", "POST", bothCookie, map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, nil, nil, nil, nil, 403},
		{"from a neighbour", "DELETE", bothCookie, map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://evil.app.example"}, nil, nil, nil, nil, 403},
		{"from who knows where", "POST", bothCookie, map[string]string{"Sec-Fetch-Site": "", "Origin": ""}, nil, nil, nil, nil, 403},
		{"store down", "POST", bothCookie, form, down, nil, nil, nil, 500},
		{"store of sessions down", "POST", bothCookie, form, nil, nil, down, nil, 500},
		{"store down when asked for", "POST", bothCookie, form, flow.Deny(flow.StepUpRequired), down, nil, nil, 500},
		{"no such project", "POST", bothCookie, form, nil, nil, nil, flow.Deny(flow.NotFound), 404},
		{"operation that cannot be made", "POST", bothCookie, form, nil, nil, nil, down, 500},
	} {
		for _, accept := range []string{"text/html", "application/json"} {
			t.Run(c.name+", "+accept, func(t *testing.T) {
				f := ada()
				f.confirmErr, f.demandErr, f.down = c.confirm, c.demand, c.down
				s := open(t, f)
				reached := 0
				next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					who, ok := authhttp.SessionFrom(r.Context())
					require.True(t, ok)
					require.Equal(t, "account-1", who.Account)
					reached++
				})
				make := func(r *http.Request) (auth.Operation, error) {
					_, ok := authhttp.SessionFrom(r.Context())
					require.True(t, ok, "whoever makes the operation knows who acts")
					op, _ := deletes(t)(r)
					return op, c.make
				}
				header := map[string]string{"Accept": accept}
				for k, v := range c.header {
					header[k] = v
				}
				w := s.serve(s.h.RequireConfirmed(0, make, next), request{
					method: c.method, target: "/delete", cookies: c.cookies + "; " + confirmationCookie + "=id.secret", header: header,
				})
				require.Equal(t, c.want, w.Code, w.Body.String())
				require.Equal(t, c.want == 200, reached == 1)
				if c.want == 405 || c.want == 403 {
					require.Zero(t, f.confirmed, "nothing was asked that could use it up")
				}
				if c.want == 200 {
					require.Equal(t, -1, set(w, confirmationCookie).MaxAge, "it is used up")
					require.Equal(t, "id.secret", f.confirmed.Confirmation.Reveal())
					require.Equal(t, binding, f.confirmed.Client.Browser.Reveal())
					require.Equal(t, token, f.confirmed.Client.Session.Reveal())
					require.False(t, f.confirmed.Client.Native)
				} else {
					require.Nil(t, set(w, confirmationCookie), "it may be another operation's")
				}
			})
		}
	}
}

func TestRequireConfirmedRefusesNonsense(t *testing.T) {
	s := open(t, ada())
	require.Panics(t, func() { s.h.RequireConfirmed(flow.AAL3+1, deletes(t), inbox) })
	require.Panics(t, func() { s.h.RequireConfirmed(0, nil, inbox) })
	require.Panics(t, func() { s.h.RequireConfirmed(0, deletes(t), nil) })
}

// TestWhatIsConfirmedIsShown: the sentence stands on the page that asks and beside the password, and nothing of the
// request is kept.
func TestWhatIsConfirmedIsShown(t *testing.T) {
	f := unconfirmed()
	f.account.Language = "de"
	s := open(t, f)
	guard := s.h.RequireConfirmed(flow.AAL2, deletes(t), inbox)
	w := s.serve(guard, request{
		method: "POST", target: "/projects/1/delete", cookies: bothCookie, form: map[string][]string{"reason": {"hunter2"}},
		header: map[string]string{"Referer": origin + "/projects/1?tab=2"},
	})
	require.Equal(t, 401, w.Code)
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Contains(t, w.Header().Get("Content-Security-Policy"), "form-action 'self'")
	require.NotContains(t, w.Body.String(), "hunter2")
	doc := parse(t, w)
	require.Contains(t, textOf(tags(doc, "main")[0]), "Delete project <Alpha>")
	require.Contains(t, textOf(doc), "Bisher ist nichts geschehen")
	form := formValues(forms(doc)[0])
	require.Equal(t, "k1.token", form.Get("operation"))
	require.Equal(t, "/projects/1?tab=2", form.Get("return_to"))
	require.Equal(t, "/projects/1?tab=2", attr(tags(tags(doc, "main")[0], "a")[0], "href"))

	op, _ := deletes(t)(nil)
	f.operation, f.level = op, flow.AAL2
	f.progress = at(freshView(op.Text()))
	w = s.submit(w, "/auth/confirm", nil)
	require.Equal(t, 303, w.Code)
	require.Equal(t, "/auth/flow/flow-1", w.Header().Get("Location"))
	require.Equal(t, "k1.token", f.read)
	require.Equal(t, flow.StepUp, f.begun.Goal)
	require.Equal(t, flow.Target{Assurance: flow.AAL2}, f.begun.Target)
	require.Equal(t, op, f.begun.Operation)
	require.Equal(t, "/projects/1?tab=2", f.begun.ReturnTo)

	page := s.get("/auth/flow/flow-1")
	main := tags(parse(t, page), "main")[0]
	require.Contains(t, textOf(main), "Delete project <Alpha>")
	require.Contains(t, page.Body.String(), `type="password"`)
	f.progress = granted(flow.StepUp, false)
	f.progress.Confirmation, f.progress.ExpiresAt, f.progress.ReturnTo = auth.NewSecret("flow-1.confirmed"), now.Add(5*time.Minute), "/projects/1?tab=2"
	w = s.submit(page, "/auth/flow/flow-1", map[string]string{"action": "password", "password": "x"})
	require.Equal(t, "/projects/1?tab=2", w.Header().Get("Location"))
	c := set(w, confirmationCookie)
	require.Equal(t, "flow-1.confirmed", c.Value)
	require.Equal(t, 300, c.MaxAge)
	require.True(t, c.HttpOnly && c.Secure && c.SameSite == http.SameSiteLaxMode && c.Path == "/" && c.Domain == "")
	require.NotContains(t, w.Header().Get("Location"), "confirmed")
	require.NotContains(t, w.Body.String(), "flow-1.confirmed")
}

// freshView is a step-up that waits for the password.
func freshView(operation string) flow.View {
	v := passwordView()
	v.Goal, v.Need, v.Operation = flow.StepUp, flow.FreshProof, operation
	v.Actions = []flow.Action{v.Actions[0], {Name: "cancel"}}
	return v
}

// TestNoLinkLeadsToASentence: what is confirmed comes from a token that the server made, in a form that it made, and
// from no address.
func TestNoLinkLeadsToASentence(t *testing.T) {
	f := unconfirmed()
	s := open(t, f)
	w := s.get("/auth/confirm?operation=k1.token&confirms=Say+hello&return_to=/x")
	require.Equal(t, 200, w.Code)
	require.NotContains(t, w.Body.String(), "Say hello")
	require.NotContains(t, w.Body.String(), "k1.token")
	page := s.serve(s.h.RequireConfirmed(0, deletes(t), inbox), request{method: "POST", target: "/delete", cookies: bothCookie})
	require.NotContains(t, page.Header().Get("Location"), "token")

	q := s.filled(page, "/auth/confirm", map[string]string{"form_token": "x"})
	require.Equal(t, 403, s.do(q).Code, "another site's form")
	for name, value := range map[string]string{"level": "aal1", "max_age": "3600"} {
		require.Equal(t, 400, s.submit(page, "/auth/confirm", map[string]string{name: value}).Code, name)
	}
	require.False(t, f.changed())
	f.readErr = flow.Deny(flow.Expired)
	w = s.submit(page, "/auth/confirm", map[string]string{"return_to": "//evil.example"})
	require.Equal(t, 410, w.Code)
	require.Contains(t, w.Body.String(), "you are asked anew")
	require.Equal(t, "/", attr(tags(tags(parse(t, w), "main")[0], "a")[0], "href"))
	w = s.submit(page, "/auth/confirm", map[string]string{"return_to": "/projects/1"})
	require.Equal(t, "/projects/1", attr(tags(tags(parse(t, w), "main")[0], "a")[0], "href"))
	require.False(t, f.changed())
}

// TestAPIConfirms: the refusal says what to confirm and how to begin, and the cookie has what comes of it.
func TestAPIConfirms(t *testing.T) {
	f := unconfirmed()
	s := open(t, f)
	w := s.serve(s.h.RequireConfirmed(flow.AAL2, deletes(t), inbox), request{method: "DELETE", target: "/projects/1", body: "{}", cookies: bothCookie})
	require.Equal(t, 401, w.Code)
	var got struct {
		Error struct{ Code, Message, Level, Confirms, Operation string }
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	require.Equal(t, "step-up-required", got.Error.Code)
	require.Equal(t, "aal2", got.Error.Level)
	require.Equal(t, "Delete project <Alpha>", got.Error.Confirms)
	require.Equal(t, "k1.token", got.Error.Operation)
	require.Empty(t, w.Header().Get("WWW-Authenticate"))

	f.operation, _ = deletes(t)(nil)
	f.progress = granted(flow.StepUp, false)
	f.progress.Confirmation, f.progress.ExpiresAt = auth.NewSecret("flow-1.confirmed"), now.Add(5*time.Minute)
	w = s.post("/auth/flow", `{"goal":"step-up","operation":"k1.token","return_to":"/x"}`)
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, "k1.token", f.read)
	require.Equal(t, f.operation, f.begun.Operation)
	require.Equal(t, "/x", f.begun.ReturnTo)
	require.Equal(t, flow.Target{}, f.begun.Target)
	require.Equal(t, "flow-1.confirmed", set(w, confirmationCookie).Value)
	require.NotContains(t, w.Body.String(), "flow-1.confirmed", "a browser's secrets are in cookies alone")

	f.readErr = flow.Deny(flow.Expired)
	require.Equal(t, 410, s.post("/auth/flow", `{"goal":"step-up","operation":"k1.token"}`).Code)
	w = s.do(request{method: "POST", target: "/auth/flow", body: `{"goal":"step-up","operation":"k1.token"}`, cookies: flowCookie})
	require.Equal(t, 401, w.Code, "nobody's operation")
	require.Equal(t, 400, s.post("/auth/flow", `{"goal":"sign-in","operation":"k1.token"}`).Code)
}

// TestNativeConfirms: the header of RFC 9470, a field of the answer, and a header of the request that is let through.
func TestNativeConfirms(t *testing.T) {
	f := unconfirmed()
	s := open(t, f, nativeOn)
	guard := s.h.RequireConfirmed(flow.AAL2, deletes(t), inbox)
	q := native("/projects/1", "{}", "Bearer "+bearer)
	q.method = "DELETE"
	w := s.serve(guard, q)
	require.Equal(t, 401, w.Code)
	require.Equal(t, `Bearer realm="session", error="insufficient_user_authentication", acr_values="aal2", max_age="0"`, w.Header().Get("WWW-Authenticate"))
	require.Contains(t, w.Body.String(), `"operation":"k1.token"`)
	require.Empty(t, w.Header().Values("Set-Cookie"))

	f.operation, _ = deletes(t)(nil)
	f.progress = granted(flow.StepUp, false)
	f.progress.Confirmation, f.progress.ExpiresAt = auth.NewSecret("flow-1.confirmed"), now.Add(5*time.Minute)
	w = s.do(native("/auth/flow", `{"goal":"step-up","operation":"k1.token","client":"native"}`, "Bearer "+bearer))
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, f.operation, f.begun.Operation)
	require.True(t, f.begun.Client.Native)
	require.Contains(t, w.Body.String(), `"confirmation":"flow-1.confirmed"`)
	require.Empty(t, w.Header().Values("Set-Cookie"))

	f.confirmErr = nil
	q.header[authhttp.ConfirmationHeader] = "flow-1.confirmed"
	w = s.serve(guard, q)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "flow-1.confirmed", f.confirmed.Confirmation.Reveal())
	require.Equal(t, bearer, f.confirmed.Client.Session.Reveal())
	require.True(t, f.confirmed.Client.Native)
	require.Empty(t, w.Header().Values("Set-Cookie"))

	q.cookies = confirmationCookie + "=x"
	require.Equal(t, 400, s.serve(guard, q).Code, "neither a browser nor a native client")
	r := httptest.NewRequest("DELETE", "/projects/1", nil)
	r.Header = http.Header{"Authorization": {"Bearer " + bearer}, authhttp.ConfirmationHeader: {"a", "b"}}
	guard.ServeHTTP(httptest.NewRecorder(), r)
	require.True(t, f.confirmed.Confirmation.IsZero(), "of two, none")
	s.serve(guard, request{method: "POST", target: "/x", cookies: bothCookie, header: map[string]string{authhttp.ConfirmationHeader: "x"}})
	require.True(t, f.confirmed.Confirmation.IsZero(), "a browser's is in its cookie")
}

func TestSignOutForgetsTheConfirmation(t *testing.T) {
	s := open(t, ada())
	q := s.filled(s.get("/auth/sign-out"), "/auth/sign-out", nil)
	require.Nil(t, set(s.do(q), confirmationCookie))
	q.cookies += "; " + confirmationCookie + "=x"
	require.Equal(t, -1, set(s.do(q), confirmationCookie).MaxAge)
}

// TestACardMustShowWhatIsConfirmed: a template that was replaced by one that does not know of it is refused.
func TestACardMustShowWhatIsConfirmed(t *testing.T) {
	cfg := config()
	cfg.Templates = fstest.MapFS{"card.html": {Data: []byte(`{{define "card"}}{{with .Card}}{{.Lead}}{{end}}{{end}}`)}}
	_, err := authhttp.NewWith(cfg, ada())
	require.ErrorContains(t, err, ".Card.Operation")
}
