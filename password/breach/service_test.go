package breach_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/password"
	"github.com/cardea-auth/cardea/password/breach"
	"github.com/cardea-auth/cardea/session"
)

const (
	ann    = "ann@example.com"
	first  = "correct horse battery staple"
	second = "vqzjkxwbgmtrhpfdnlcs"
	leaked = "fdnlcsvqzjkxwbgmtrhp"
)

// lists is the service of ranges, which can be taken down.
type lists struct {
	service
	down atomic.Bool
}

func (l *lists) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.down.Load() {
		http.Error(w, "down", http.StatusBadGateway)
		return
	}
	l.service.ServeHTTP(w, r)
}

// install is a whole installation and the browser of somebody who is signed in.
type install struct {
	t       *testing.T
	origin  string
	browser *http.Client
	lists   *lists

	mu     sync.Mutex
	log    bytes.Buffer
	events []auth.AuditEvent
}

func (i *install) Write(p []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.log.Write(p)
}

func (i *install) Record(_ context.Context, e auth.AuditEvent) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if e.What == "password-check-failed" {
		i.events = append(i.events, e)
	}
	return nil
}

func newInstall(t *testing.T, failure password.BreachFailure) *install {
	t.Helper()
	i := &install{t: t, lists: &lists{service: service{counts: map[string]int{hashOf(leaked): 9}}}}
	logger := slog.New(slog.NewTextHandler(i, nil))
	keys, err := auth.NewKeys(auth.Key{ID: "k1", Bytes: sha256.Sum256([]byte("test key"))})
	require.NoError(t, err)
	known := newRange(t, breach.RangeConfig{URL: serve(t, i.lists).URL, Timeout: 10 * time.Second})
	hasher, err := password.New(password.Config{
		Params: password.Params{Memory: 12 << 10, Passes: 3, Lanes: 1}, Logger: logger,
		Breached: known.Breached, BreachFailure: failure,
	})
	require.NoError(t, err)
	store := memory.New()
	sessions, err := session.New(session.Config{Store: store})
	require.NoError(t, err)
	devices, err := session.NewDevices(session.DevicesConfig{Keys: keys})
	require.NoError(t, err)
	svc, err := auth.New(auth.Config{
		Keys: keys, Directory: store, Accounts: store, PasswordStore: store, Flows: store, Counters: store,
		Passwords: hasher, Sessions: sessions, Devices: devices, Logger: logger, Audit: i,
	})
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(nil)
	i.origin = "http://" + server.Listener.Addr().String()
	server.Config.Handler, err = authhttp.New(authhttp.Config{
		Service: svc, Keys: keys, Origin: i.origin, Product: "Example", InsecureCookiesForLoopback: true, Logger: logger,
	})
	require.NoError(t, err)
	server.Start()
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	i.browser = &http.Client{Jar: jar}

	_, err = svc.CreateAccount(t.Context(), auth.NewAccount{Identifier: ann, Password: auth.NewSecret(leaked)})
	require.ErrorIs(t, err, flow.Deny(flow.PasswordRejected))
	_, err = svc.CreateAccount(t.Context(), auth.NewAccount{Identifier: ann, Password: auth.NewSecret(first)})
	require.NoError(t, err)
	_, begun := i.api(map[string]any{"goal": "sign-in", "identifier": ann})
	code, _ := i.api(map[string]any{"flow": begun["flow"], "action": "password", "password": first})
	require.Equal(t, 200, code)
	return i
}

func (i *install) api(in map[string]any) (code int, out map[string]any) {
	i.t.Helper()
	text, err := json.Marshal(in)
	require.NoError(i.t, err)
	answer, err := i.browser.Post(i.origin+"/auth/flow", "application/json", bytes.NewReader(text))
	require.NoError(i.t, err)
	defer answer.Body.Close()
	require.NoError(i.t, json.NewDecoder(answer.Body).Decode(&out))
	return answer.StatusCode, out
}

func (i *install) change(next string) (code int, out map[string]any) {
	i.t.Helper()
	code, begun := i.api(map[string]any{"goal": "enrolment", "enrol": "password"})
	require.Equal(i.t, 200, code)
	return i.api(map[string]any{"flow": begun["flow"], "action": "password", "password": first, "new_password": next})
}

// changeOnPage fills the form that people see.
func (i *install) changeOnPage(next string) (code int, retry, page string) {
	i.t.Helper()
	read := func(r *http.Response, err error) string {
		require.NoError(i.t, err)
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		require.NoError(i.t, err)
		code, retry = r.StatusCode, r.Header.Get("Retry-After")
		return string(text)
	}
	form := read(i.browser.Get(i.origin + "/auth/password"))
	token := regexp.MustCompile(`name="form_token" value="([^"]+)"`).FindStringSubmatch(form)
	require.Len(i.t, token, 2, form)
	post, err := http.NewRequest(http.MethodPost, i.origin+"/auth/password", strings.NewReader(url.Values{
		"form_token": {html.UnescapeString(token[1])}, "password": {first}, "new_password": {next},
	}.Encode()))
	require.NoError(i.t, err)
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	post.Header.Set("Origin", i.origin)
	page = read(i.browser.Do(post))
	return code, retry, page
}

// ASVS 6.2.12, 16.3.3: when the list cannot be asked, the person is told so in a sentence and can try again, or
// the password passes, as the host chose; either way it is on record, without a trace of the password.
func TestServiceSaysWhenItCannotCheck(t *testing.T) {
	t.Run("closed", func(t *testing.T) {
		i := newInstall(t, password.FailClosed)
		code, out := i.change(leaked)
		require.Equal(t, 422, code)
		require.Equal(t, "breached", out["error"].(map[string]any)["problem"])
		require.Empty(t, i.events)

		i.lists.down.Store(true)
		code, out = i.change(second)
		require.Equal(t, 503, code)
		require.Equal(t, map[string]any{
			"code": "busy", "problem": "unchecked",
			"message": "We could not check your new password just now, and have changed nothing. Please try again in a moment.",
		}, out["error"])
		require.Equal(t, "open", out["outcome"])
		require.Len(t, i.events, 1)
		require.Equal(t, "busy", i.events[0].Reason)

		code, retry, page := i.changeOnPage(second)
		require.Equal(t, 503, code, page)
		require.Equal(t, "1", retry)
		require.Contains(t, page, "We could not check your new password just now")
		require.Contains(t, page, `name="new_password"`, "the form is there to try again")
		require.Len(t, i.events, 2)
		require.Contains(t, i.log.String(), "status 502")

		i.lists.down.Store(false)
		code, out = i.change(second)
		require.Equal(t, 200, code)
		require.Equal(t, "granted", out["outcome"])
		i.silent()
	})
	t.Run("open", func(t *testing.T) {
		i := newInstall(t, password.FailOpen)
		i.lists.down.Store(true)
		code, out := i.change(second)
		require.Equal(t, 200, code)
		require.Equal(t, "granted", out["outcome"])
		require.Len(t, i.events, 1)
		require.Empty(t, i.events[0].Reason)
		require.NotEmpty(t, i.events[0].Account)
		require.Contains(t, i.log.String(), "status 502")
		require.Contains(t, i.log.String(), "event=password-check-failed")
		i.silent()
	})
}

func (i *install) silent() {
	i.t.Helper()
	for _, pw := range []string{first, second, leaked} {
		for _, secret := range []string{pw, hashOf(pw), hashOf(pw)[:5], hashOf(pw)[5:]} {
			require.NotContains(i.t, strings.ToUpper(i.log.String()), strings.ToUpper(secret))
		}
	}
}
