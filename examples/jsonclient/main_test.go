package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/standard"
	"github.com/cardea-auth/cardea/examples/contract"
)

// serve runs the program's routes over an API until the test ends, and returns their address. What the page
// sends to the API, and what it is answered, is held against the OpenAPI document on the way.
func serve(t *testing.T, api func(origin string) http.Handler) string {
	t.Helper()
	text, err := os.ReadFile("../../auth/authhttp/openapi.json")
	require.NoError(t, err)
	checker, err := contract.New(text)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	origin := "http://localhost:" + port
	behind := api(origin)
	var one sync.Mutex
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: routes(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one.Lock()
		defer one.Unlock()
		check(t, checker, behind, w, r)
	}))}}
	server.Start()
	t.Cleanup(server.Close)
	return origin
}

func check(t *testing.T, checker *contract.Checker, api http.Handler, w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/auth")
	sent, err := io.ReadAll(r.Body)
	if err == nil {
		err = checker.Request(r.Method, path, sent)
	}
	if err != nil {
		t.Errorf("%s %s: %v", r.Method, path, err)
	}
	r.Body = io.NopCloser(bytes.NewReader(sent))
	answer := httptest.NewRecorder()
	api.ServeHTTP(answer, r)
	if err := checker.Answer(r.Method, path, answer.Code, answer.Header(), answer.Body.Bytes()); err != nil {
		t.Errorf("%s %s: %v: %s", r.Method, path, err, answer.Body)
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// tab is a Chromium that shows one page.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func openTab(t *testing.T, address string) tab {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" && os.Getenv("CI") == "true" {
		t.Fatal("chromium is not installed, and CI skips nothing")
	}
	if path == "" {
		t.Skip("chromium is not installed, so this test has nothing to run")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(filepath.Join(t.TempDir(), "profile")), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en"), chromedp.Flag("accept-lang", "en"))
	ctx, _ := chromedp.NewExecAllocator(context.Background(), options...) // it ends with the browser
	ctx, _ = chromedp.NewContext(ctx)
	require.NoError(t, chromedp.Do(ctx))
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) })
	b := tab{t, ctx}
	b.visit(address)
	return b
}

func (b tab) visit(address string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, chromedp.Navigate(address)))
}

func evaluate[T any](b tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err, expression)
	return value
}

// until waits until the page reads so.
func (b tab) until(selector, text string) {
	b.t.Helper()
	got := ""
	defer func() {
		if b.t.Failed() {
			b.t.Logf("%s reads %q", selector, got)
		}
	}()
	require.Eventually(b.t, func() bool {
		got = evaluate[string](b, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
		return got == text
	}, 30*time.Second, 20*time.Millisecond, "%s never reads %q", selector, text)
}

// submit fills the form of an action and sends it, by the button as people do. A value of true ticks a box.
func (b tab) submit(action string, values map[string]any) {
	b.t.Helper()
	text, err := json.Marshal(values)
	require.NoError(b.t, err)
	pressed := evaluate[string](b, fmt.Sprintf(`((action, values) => {
		const form = document.querySelector('form[data-action="' + action + '"]')
		for (const [name, value] of Object.entries(values ?? {})) {
			const field = form.elements[name]
			if (value === true) field.click(); else field.value = value
		}
		const button = form.querySelector("button")
		if (button.disabled) return "shut"
		button.click()
		return form.checkValidity() ? "sent" : "not valid"
	})(%q, %s)`, action, text))
	require.Equal(b.t, "sent", pressed, action)
}

func (b tab) actions() []string {
	b.t.Helper()
	return evaluate[[]string](b, `[...document.querySelectorAll("form")].map(form => form.dataset.action)`)
}

// TestThePageOverARealService signs in, errs, is throttled, waits too long and signs out.
func TestThePageOverARealService(t *testing.T) {
	clock := authtest.NewClock(time.Now())
	origin := serve(t, func(origin string) http.Handler {
		site, err := standard.Open(t.Context(), standard.Config{
			Origin: origin, Product: "Jsonclient", Driver: "sqlite", Database: filepath.Join(t.TempDir(), "site.db"),
			Service: func(c *auth.Config) { c.Now = clock.Now }, HTTP: func(c *authhttp.Config) { c.Now = clock.Now },
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, site.Close()) })
		_, err = site.Service.CreateAccount(t.Context(), demo)
		require.NoError(t, err)
		return site
	})
	b := openTab(t, origin+"/spa/")
	wrong := map[string]any{"password": "not this one, surely"}

	b.until("h1", "Sign in")
	b.submit("identify", map[string]any{"identifier": "ada"})
	b.until("#message", "This is not a complete e-mail address. It should look like name@example.com.")
	b.submit("identify", map[string]any{"identifier": demo.Identifier, "keep": true})
	b.until("h1", "Your password")
	b.submit("password", wrong)
	b.until("#message", "The e-mail address or the password is not right. Please check both and try again.")

	clock.Advance(11 * time.Minute)
	b.submit("password", map[string]any{"password": demo.Password.Reveal()})
	b.until("h1", "Sign in")
	b.until("#message", "For your protection, you have only a little time for each step. Please start again.")
	b.submit("identify", map[string]any{"identifier": demo.Identifier})
	b.until("h1", "Your password")
	b.submit("password", map[string]any{"password": demo.Password.Reveal()})
	b.until("h1", "You are signed in, "+demo.Identifier)
	b.visit(origin + "/spa/")
	b.until("h1", "You are signed in, "+demo.Identifier)
	evaluate[bool](b, `(document.querySelector("button").click(), true)`)
	b.until("h1", "Sign in")

	b.submit("identify", map[string]any{"identifier": "nobody@example.com"})
	b.until("h1", "Your password")
	for range 5 {
		b.submit("password", wrong)
		b.until("#message", "The e-mail address or the password is not right. Please check both and try again.")
		evaluate[bool](b, `(document.querySelector("#message").textContent = "", true)`)
	}
	b.submit("password", wrong)
	b.until("#message", "There were too many attempts. You can try again in 30 seconds.")
	require.True(t, evaluate[bool](b, `document.querySelector('form[data-action="password"] button').disabled`))
	b.submit("restart", nil)
	b.until("h1", "Sign in")
}

// TestThePageKnowsNoOrder shows the page what no server of today offers, all at once, and presses everything.
func TestThePageKnowsNoOrder(t *testing.T) {
	const offered = `{"goal":"sign-in","phase":"proving","need":"second-factor","outcome":"open","expires_at":"2030-01-01T00:00:00Z",
		"flow":"h%d","flow_id":"f","actions":[
		{"name":"mail-code","inputs":[{"name":"code","kind":"secret","required":true},{"name":"trust","kind":"flag"}]},
		{"name":"send-mail-code"},{"name":"passkey","inputs":[{"name":"credential","kind":"object","required":true}]},
		{"name":"social","inputs":[{"name":"connection","kind":"text","required":true}]},
		{"name":"sso","connection":"okta"},{"name":"accept"},{"name":"cancel"}]%s}`
	sent := make(chan string, 10)
	steps := 0
	origin := serve(t, func(string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Path == "/auth/session" {
				w.WriteHeader(401)
				fmt.Fprint(w, `{"error":{"code":"session-required","message":"Please sign in first."}}`)
				return
			}
			body, _ := io.ReadAll(r.Body)
			sent <- string(body)
			steps++
			more := ""
			if strings.Contains(string(body), "send-mail-code") {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(429)
				more = `,"error":{"code":"too-soon","message":"Wait."}`
			}
			fmt.Fprintf(w, offered, steps, more)
		})
	})
	b := openTab(t, origin+"/spa/")
	next := func() string {
		select {
		case body := <-sent:
			return body
		case <-time.After(30 * time.Second):
			t.Fatal("the page sent nothing")
			return ""
		}
	}
	require.JSONEq(t, `{"goal":"sign-in","return_to":"/spa/"}`, next())
	b.until("h1", "second-factor")
	require.Equal(t, []string{"mail-code", "send-mail-code", "social", "sso", "accept", "cancel"}, b.actions(), "what is more than a form is left out")
	for i, c := range []struct {
		action string
		values map[string]any
		want   string
	}{
		{"mail-code", map[string]any{"code": "123456"}, `{"flow":"h1","action":"mail-code","code":"123456"}`},
		{"mail-code", map[string]any{"code": "123456", "trust": true}, `{"flow":"h2","action":"mail-code","code":"123456","trust":true}`},
		{"social", map[string]any{"connection": "google"}, `{"flow":"h3","action":"social","connection":"google"}`},
		{"sso", nil, `{"flow":"h4","action":"sso","connection":"okta"}`},
		{"accept", nil, `{"flow":"h5","action":"accept"}`},
		{"send-mail-code", nil, `{"flow":"h6","action":"send-mail-code"}`},
	} {
		evaluate[bool](b, fmt.Sprintf(`(document.querySelector("main").dataset.before = %d, document.querySelector("form").id = "old", true)`, i))
		b.submit(c.action, c.values)
		require.JSONEq(t, c.want, next())
		require.Eventually(t, func() bool { return evaluate[bool](b, `document.querySelector("#old") === null`) }, 30*time.Second, 20*time.Millisecond)
	}
	b.until("#message", "Wait.")
	shut := `document.querySelector('form[data-action="send-mail-code"] button').disabled`
	require.Eventually(t, func() bool { return !evaluate[bool](b, shut) }, 30*time.Second, 20*time.Millisecond, "the button opens again")
	b.submit("cancel", nil)
	require.JSONEq(t, `{"flow":"h7","action":"cancel"}`, next())
}

// TestThePageIsAsShortAsItClaims: sixty lines, and nothing from elsewhere.
func TestThePageIsAsShortAsItClaims(t *testing.T) {
	script, err := page.ReadFile("page/client.js")
	require.NoError(t, err)
	require.LessOrEqual(t, bytes.Count(script, []byte("\n")), 60)
	for _, far := range []string{"import ", "require(", "://", "innerHTML"} {
		require.NotContains(t, string(script), far)
	}
}
