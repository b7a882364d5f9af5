package authhttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/session"
)

// The story of a native client beside a browser, with nothing scripted but the hashing of passwords.

const (
	right = "kettle orbit velvet ninety"
	newer = "violet ladder umbrella thirty"
	email = "ada@example.com"
)

// plain keeps passwords as they are: what is told here is not about hashing.
type plain struct{}

func (plain) Verify(_ context.Context, hash string, p auth.Secret, _ bool) (match, upgrade bool, err error) {
	return hash != "" && hash == p.Reveal(), false, nil
}
func (plain) Hash(_ context.Context, p auth.Secret, _ bool) (string, error) { return p.Reveal(), nil }
func (plain) Review(_ context.Context, p auth.Secret, _ auth.PasswordContext) (auth.PasswordReview, error) {
	if len(p.Reveal()) < 15 {
		return auth.PasswordReview{Problem: "too-short"}, nil
	}
	return auth.PasswordReview{}, nil
}
func (plain) Lengths(bool) (int, int) { return 15, 256 }

// town is a running server that has one account.
type town struct {
	t       *testing.T
	url     string
	clock   *authtest.Clock
	account string
	manager *session.Manager
}

func newTown(t *testing.T) town {
	t.Helper()
	clock, store, keys := authtest.NewClock(now), memory.New(), testKey("k1", 1)
	manager, err := session.New(session.Config{Store: store})
	require.NoError(t, err)
	devices, err := session.NewDevices(session.DevicesConfig{Keys: keys})
	require.NoError(t, err)
	service, err := auth.New(auth.Config{
		Keys: keys, Directory: store, Accounts: store, PasswordStore: store, Flows: store, Counters: store,
		Passwords: plain{}, Sessions: manager, Devices: devices, Now: clock.Now,
	})
	require.NoError(t, err)
	account, err := service.CreateAccount(t.Context(), auth.NewAccount{Identifier: email, Password: auth.NewSecret(right)})
	require.NoError(t, err)
	h, err := authhttp.New(authhttp.Config{Service: service, Keys: keys, Origin: origin, Product: "Helpdesk", Native: true, Now: clock.Now})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/auth/", h)
	mux.Handle("/inbox", h.Require(inbox))
	mux.Handle("/keys", h.RequireFresh(time.Minute, flow.AAL1, inbox))
	mux.Handle("/projects/{name}", h.RequireConfirmed(0, projectDeletion, deleted))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return town{t, server.URL, clock, account.ID, manager}
}

// sessions returns the ids of the account's live sessions.
func (w town) sessions() []string {
	list, err := w.manager.List(w.t.Context(), w.account, w.clock.Now())
	require.NoError(w.t, err)
	ids := []string{}
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return ids
}

// caller is a browser, with its cookies, or a native client, with its tokens.
type caller struct {
	w               town
	native          bool
	cookies         map[string]string
	session, device string
}

func (w town) app() *caller     { return &caller{w: w, native: true, cookies: map[string]string{}} }
func (w town) browser() *caller { return &caller{w: w, cookies: map[string]string{}} }

type reply struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (r reply) text(name string) string { s, _ := r.body[name].(string); return s }

func (r reply) code() string {
	told, _ := r.body["error"].(map[string]any)
	s, _ := told["code"].(string)
	return s
}

// call sends a request as the caller's kind does, and keeps what it is given as its kind does.
func (c *caller) call(method, path string, body map[string]any, change ...func(*http.Request)) reply {
	c.w.t.Helper()
	sent := maps.Clone(body)
	if c.native && path == "/auth/flow" {
		sent["client"] = "native"
		if c.device != "" {
			sent["device_token"] = c.device
		}
	}
	var data []byte
	if sent != nil {
		var err error
		data, err = json.Marshal(sent)
		require.NoError(c.w.t, err)
	}
	r, err := http.NewRequestWithContext(c.w.t.Context(), method, c.w.url+path, bytes.NewReader(data))
	require.NoError(c.w.t, err)
	if sent != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	c.dress(r)
	for _, f := range change {
		f(r)
	}
	return c.keep(send(c.w.t, r))
}

func (c *caller) dress(r *http.Request) {
	if c.native {
		r.Header.Set("User-Agent", "HelpdeskApp/2.1 (iPhone; iOS 18.2)")
		if c.session != "" {
			r.Header.Set("Authorization", "Bearer "+c.session)
		}
		return
	}
	r.Header.Set("User-Agent", chromeOnWindows)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, value := range c.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
}

func send(t *testing.T, r *http.Request) reply {
	t.Helper()
	w, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer w.Body.Close()
	var raw bytes.Buffer
	_, err = raw.ReadFrom(w.Body)
	require.NoError(t, err)
	got := reply{status: w.StatusCode, header: w.Header, raw: raw.String()}
	if w.Header.Get("Content-Type") == "application/json" {
		require.NoError(t, json.Unmarshal(raw.Bytes(), &got.body))
	}
	return got
}

func (c *caller) keep(r reply) reply {
	c.w.t.Helper()
	if c.native {
		require.Empty(c.w.t, r.header["Set-Cookie"])
		require.Empty(c.w.t, r.header["Location"])
		if s := r.text("session_token"); s != "" {
			c.session, c.device = s, r.text("device_token")
		}
		return r
	}
	require.NotContains(c.w.t, r.raw, "_token", "a browser's tokens are in cookies only")
	for _, set := range (&http.Response{Header: r.header}).Cookies() {
		c.cookies[set.Name] = set.Value
	}
	return r
}

// step does an action in the flow that stands as in r.
func (c *caller) step(r reply, action string, in map[string]any) reply {
	c.w.t.Helper()
	body := map[string]any{"flow": r.text("flow"), "action": action}
	maps.Copy(body, in)
	return c.call("POST", "/auth/flow", body)
}

func (c *caller) begin() reply {
	c.w.t.Helper()
	r := c.call("POST", "/auth/flow", map[string]any{"goal": "sign-in", "identifier": email, "keep": true})
	require.Equal(c.w.t, 200, r.status, r.raw)
	return r
}

func (c *caller) enter(password string) reply {
	c.w.t.Helper()
	return c.step(c.begin(), "password", map[string]any{"password": password})
}

// signedIn reports whether the caller is let through.
func (c *caller) signedIn() bool {
	c.w.t.Helper()
	r := c.call("GET", "/inbox", nil)
	require.Equal(c.w.t, r.status == 200, strings.HasPrefix(r.raw, "inbox of "), r.raw)
	return r.status == 200
}

func TestTheStoryOfANativeClient(t *testing.T) {
	w := newTown(t)
	app, other, web := w.app(), w.app(), w.browser()

	r := app.call("POST", "/auth/flow", map[string]any{"goal": "sign-in"})
	require.Equal(t, "identification", r.text("need"), r.raw)
	r = app.step(r, "identify", map[string]any{"identifier": email, "keep": true})
	require.Equal(t, "first-factor", r.text("need"))
	begun := r
	r = app.step(r, "password", map[string]any{"password": "not the password of ada"})
	require.Equal(t, 401, r.status)
	require.Equal(t, "bad-credentials", r.code())
	require.Equal(t, challenge, r.header.Get("WWW-Authenticate"))
	require.Empty(t, r.text("session_token"))
	again := app.step(begun, "password", map[string]any{"password": right})
	require.Equal(t, r.text("flow"), again.text("flow"), "a handle is good for one step; a second look shows the way on")
	require.Empty(t, app.session)
	r = app.step(r, "password", map[string]any{"password": right})
	require.Equal(t, "granted", r.text("outcome"), r.raw)
	require.Regexp(t, `^cardea_st_[A-Za-z0-9_-]{43}$`, app.session)
	require.Regexp(t, `^cardea_dt_1\.`, app.device)
	require.NotContains(t, r.text("return_to"), "cardea_")
	require.Equal(t, true, r.body["session"].(map[string]any)["keep"])
	lost := app.step(again, "password", map[string]any{"password": right})
	require.Empty(t, lost.text("session_token"), "no token is shown twice")
	require.True(t, app.signedIn())

	require.Equal(t, "granted", web.enter(right).text("outcome"))
	require.Equal(t, "granted", other.enter(right).text("outcome"))
	nativeSessions(t, w, app, other, web)
	nativeRotation(t, w, app, web)

	require.Equal(t, 200, app.call("POST", "/auth/sign-out", map[string]any{}).status)
	require.False(t, app.signedIn())
	r = app.call("GET", "/auth/session", nil)
	require.Equal(t, 401, r.status)
	require.Equal(t, challenge+`, error="invalid_token"`, r.header.Get("WWW-Authenticate"))
	require.True(t, web.signedIn(), "signing out ends one session")
}

// nativeSessions tells of the list, and of ending one of it from either side.
func nativeSessions(t *testing.T, w town, app, other, web *caller) {
	t.Helper()
	r := app.call("GET", "/auth/session", nil)
	require.Equal(t, email, r.body["account"].(map[string]any)["address"])
	mine := r.body["session"].(map[string]any)["id"]
	devices, current, ids := map[string]int{}, 0, map[string]any{}
	r = app.call("GET", "/auth/sessions", nil)
	require.NotContains(t, r.raw, "cardea_")
	for _, one := range r.body["sessions"].([]any) {
		s := one.(map[string]any)
		devices[s["device"].(string)]++
		if s["current"] == true {
			current++
			require.Equal(t, mine, s["id"])
			continue
		}
		ids[s["device"].(string)] = s["id"]
	}
	require.Equal(t, 1, current)
	require.Equal(t, map[string]int{"HelpdeskApp on iPhone": 2, "Chrome on Windows": 1}, devices)

	require.Equal(t, 200, app.call("POST", "/auth/sessions/end", map[string]any{"id": ids["HelpdeskApp on iPhone"]}).status)
	require.False(t, other.signedIn())
	require.Equal(t, "not-found", app.call("POST", "/auth/sessions/end", map[string]any{"id": ids["HelpdeskApp on iPhone"]}).code())
	require.True(t, app.signedIn() && web.signedIn())
	require.Equal(t, "granted", other.enter(right).text("outcome"))
	require.Equal(t, 200, web.call("POST", "/auth/sessions/end", map[string]any{"others": true}).status)
	require.False(t, app.signedIn() || other.signedIn(), "a browser ends apps")
	require.Equal(t, "granted", app.enter(right).text("outcome"))
	require.Equal(t, 200, app.call("POST", "/auth/sessions/end", map[string]any{"others": true}).status)
	require.False(t, web.signedIn(), "and an app browsers")
	require.Len(t, w.sessions(), 1)
}

// nativeRotation tells of step-up and a new password: each brings a new token, and the one before is dead.
func nativeRotation(t *testing.T, w town, app, web *caller) {
	t.Helper()
	require.Equal(t, "granted", web.enter(right).text("outcome"))
	w.clock.Advance(time.Hour)
	r := app.call("GET", "/keys", nil)
	require.Equal(t, 401, r.status)
	require.Equal(t, "step-up-required", r.code())
	require.Equal(t, challenge+`, error="insufficient_user_authentication", acr_values="aal1", max_age="60"`, r.header.Get("WWW-Authenticate"))
	told := r.body["error"].(map[string]any)
	first := *app
	r = app.call("POST", "/auth/flow", map[string]any{"goal": "step-up", "level": told["level"], "max_age": told["max_age"]})
	require.Equal(t, 200, r.status, r.raw)
	r = app.step(r, "password", map[string]any{"password": right})
	require.Equal(t, "granted", r.text("outcome"), r.raw)
	require.NotEqual(t, first.session, app.session)
	require.False(t, first.signedIn(), "the token before it is dead")
	require.Equal(t, 200, app.call("GET", "/keys", nil).status)

	second := *app
	r = app.call("POST", "/auth/flow", map[string]any{"goal": "enrolment", "enrol": "password"})
	r = app.step(r, "password", map[string]any{"password": right})
	require.Equal(t, "new-password", r.text("need"), r.raw)
	r = app.step(r, "new-password", map[string]any{"new_password": "too short"})
	require.Equal(t, 422, r.status)
	r = app.step(r, "new-password", map[string]any{"new_password": newer, "end_others": true})
	require.Equal(t, "granted", r.text("outcome"), r.raw)
	require.False(t, second.signedIn() || web.signedIn())
	require.True(t, app.signedIn())
	require.Equal(t, "bad-credentials", w.app().enter(right).code())
	require.Equal(t, "granted", web.enter(newer).text("outcome"))
}

// TestNativeDeviceIsKnown: the device token opens the lane that strangers cannot fill.
func TestNativeDeviceIsKnown(t *testing.T) {
	w := newTown(t)
	app := w.app()
	require.Equal(t, "granted", app.enter(right).text("outcome"))
	require.Equal(t, 200, app.call("POST", "/auth/sign-out", map[string]any{}).status)
	app.session = ""
	r := w.app().begin()
	for range 5 {
		r = w.app().step(r, "password", map[string]any{"password": "not the password of ada"})
		require.Equal(t, "bad-credentials", r.code())
	}
	require.Equal(t, "too-many-attempts", w.app().enter(right).code())
	require.Equal(t, "too-many-attempts", w.browser().enter(right).code(), "one count for both ways")
	require.Equal(t, "granted", app.enter(right).text("outcome"))
}

// TestTransportsDoNotMix: each row takes what one kind was given to the other kind. It is refused, and nothing
// changed: the same sessions live, and the flow goes on for whoever began it.
func TestTransportsDoNotMix(t *testing.T) {
	w := newTown(t)
	app, web := w.app(), w.browser()
	app.enter(right)
	web.enter(right)
	sessionCookie, deviceCookie := "__Host-cardea-session", "__Host-cardea-device"
	cookieToken, _, dated := strings.Cut(web.cookies[sessionCookie], ".")
	require.True(t, dated, "a kept session's cookie has a day behind the token")
	bare := strings.TrimPrefix(app.session, auth.NativeSessionMark)
	others, stepUp := map[string]any{"others": true}, map[string]any{"goal": "step-up"}
	as := func(session string) *caller { return &caller{w: w, native: true, session: session} }
	with := func(value string) *caller { return &caller{w: w, cookies: map[string]string{sessionCookie: value}} }
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, c := range []struct {
		name   string
		try    func() reply
		status int
		code   string
	}{
		{"cookie token as a bearer", func() reply { return as(cookieToken).call("POST", "/auth/sessions/end", others) }, 401, "session-required"},
		{"whole cookie as a bearer", func() reply { return as(web.cookies[sessionCookie]).call("POST", "/auth/sessions/end", others) }, 401, "session-required"},
		{"cookie token with the mark", func() reply {
			return as(auth.NativeSessionMark+cookieToken).call("POST", "/auth/sessions/end", others)
		}, 401, "session-required"},
		{"cookie token with the mark, step-up", func() reply {
			return as(auth.NativeSessionMark+cookieToken).call("POST", "/auth/flow", stepUp)
		}, 401, "session-required"},
		{"cookie token as a bearer, step-up", func() reply { return as(cookieToken).call("POST", "/auth/flow", stepUp) }, 401, "session-required"},
		{"cookie token at the host's", func() reply { return as(auth.NativeSessionMark+cookieToken).call("GET", "/inbox", nil) }, 401, "session-required"},
		{"bearer token as a cookie", func() reply { return with(app.session).call("POST", "/auth/sessions/end", others) }, 401, "session-required"},
		{"bearer token without the mark as a cookie", func() reply { return with(bare).call("POST", "/auth/sessions/end", others) }, 401, "session-required"},
		{"bearer token as a cookie, step-up", func() reply { return with(app.session).call("POST", "/auth/flow", stepUp) }, 401, "session-required"},
		{"bearer token as a cookie at the host's", func() reply { return with(bare).call("GET", "/inbox", nil) }, 401, "session-required"},
		{"bearer token without the mark", func() reply { return as(bare).call("GET", "/inbox", nil) }, 401, "session-required"},
		{"cookies and bearer", func() reply {
			return web.call("POST", "/auth/sessions/end", others, header("Authorization", "Bearer "+app.session))
		}, 400, "mixed-transport"},
		{"cookies and bearer at the host's", func() reply { return web.call("GET", "/inbox", nil, header("Authorization", "Bearer "+app.session)) }, 400, "mixed-transport"},
		{"bearer and a cookie that is none", func() reply {
			return app.call("POST", "/auth/sign-out", map[string]any{}, header("Cookie", sessionCookie+"=x"))
		}, 400, "mixed-transport"},
		{"Origin and bearer", func() reply { return app.call("POST", "/auth/sign-out", map[string]any{}, header("Origin", origin)) }, 400, "mixed-transport"},
		{"Origin and native", func() reply {
			return w.app().call("POST", "/auth/flow", map[string]any{"goal": "sign-in", "identifier": email}, header("Origin", w.url))
		}, 400, "mixed-transport"},
		{"a script of our own page", func() reply {
			return web.call("POST", "/auth/flow", map[string]any{"goal": "sign-in", "client": "native"})
		}, 400, "mixed-transport"},
		{"a token in the address", func() reply {
			return w.app().call("POST", "/auth/sessions/end?access_token="+app.session, others)
		}, 401, "session-required"},
		{"a token in the body", func() reply {
			return w.app().call("POST", "/auth/sessions/end", map[string]any{"others": true, "session_token": app.session})
		}, 401, "session-required"},
		{"a token in the address of the host's", func() reply { return w.app().call("GET", "/inbox?access_token="+app.session, nil) }, 401, "session-required"},
		{"native handle from a browser", func() reply { return web.step(w.app().begin(), "password", map[string]any{"password": right}) }, 410, "expired"},
		{"native handle from a new browser", func() reply {
			b := w.browser()
			b.begin()
			return b.step(w.app().begin(), "password", map[string]any{"password": right})
		}, 410, "expired"},
		{"native handle without any cookie", func() reply {
			return w.browser().step(w.app().begin(), "password", map[string]any{"password": right})
		}, 403, "cookie-required"},
		{"browser handle natively", func() reply { return w.app().step(w.browser().begin(), "password", map[string]any{"password": right}) }, 410, "expired"},
		{"browser handle natively, with its cookie", func() reply {
			b := w.browser()
			r := b.begin()
			return w.app().call("POST", "/auth/flow", map[string]any{"flow": r.text("flow"), "action": "password", "password": right},
				header("Cookie", "__Host-cardea-flow="+b.cookies["__Host-cardea-flow"]))
		}, 400, "mixed-transport"},
		{"a look at a native flow", func() reply { return web.call("GET", "/auth/flow/"+w.app().begin().text("flow_id"), nil) }, 410, "expired"},
		{"a look by an app", func() reply { return app.call("GET", "/auth/flow/"+w.app().begin().text("flow_id"), nil) }, 400, "mixed-transport"},
		{"another's session goes on", func() reply {
			r := app.call("POST", "/auth/flow", map[string]any{"goal": "enrolment", "enrol": "password"})
			return as("").step(r, "password", map[string]any{"password": right})
		}, 401, "session-required"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := w.sessions()
			r := c.try()
			require.Equal(t, c.status, r.status, r.raw)
			require.Equal(t, c.code, r.code())
			require.Empty(t, r.text("flow"), "no handle is handed out")
			require.Equal(t, before, w.sessions())
			require.True(t, app.signedIn() && web.signedIn())
		})
	}
	app.session, app.device = "", web.cookies[deviceCookie]
	r := app.begin()
	require.NotEqual(t, web.cookies[deviceCookie], app.step(r, "password", map[string]any{"password": right}).text("device_token"))
	require.NotContains(t, app.device, strings.Split(web.cookies[deviceCookie], ".")[2], "a cookie gives its id to no token")
}
