package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/standard"
)

// world is the program with its two people, served to browsers.
type world struct {
	t          *testing.T
	url        string
	folder     string
	site       *standard.Site
	office     *office
	ada, grace []string // what is printed on their cards
}

func serveCards(t *testing.T) *world {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	w := &world{t: t, url: "http://localhost:" + port, folder: t.TempDir()}
	w.site, w.office, err = open(t.Context(), w.url, w.folder)
	require.NoError(t, err)
	printed, err := welcome(t.Context(), w.site, w.office, io.Discard)
	require.NoError(t, err)
	w.ada, w.grace = printed[0], printed[1]
	server := &http.Server{Handler: handler(w.site), ReadHeaderTimeout: time.Minute}
	go server.Serve(l)
	t.Cleanup(func() {
		server.Close()
		w.site.Store.Close()
	})
	return w
}

// browser is one browser, with cookies.
type browser struct {
	w *world
	*http.Client
}

func (w *world) browser() browser {
	jar, err := cookiejar.New(nil)
	require.NoError(w.t, err)
	return browser{w, &http.Client{Jar: jar, Timeout: time.Minute}}
}

// answer is what a step of a flow came to.
type answer struct {
	Flow, Outcome, Need string
	Refusal             struct{ Reason string }
	Actions             []struct{ Name string }
}

// call returns the status and the text of an answer. It fails no test, since it may run beside others.
func (b browser) call(method, path, body string) (int, string) {
	r, err := http.NewRequest(method, b.w.url+path, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	r.Header.Set("Content-Type", "application/json")
	w, err := b.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		return 0, err.Error()
	}
	return w.StatusCode, string(text)
}

func (b browser) flow(body map[string]any) (answer, int) {
	text, _ := json.Marshal(body)
	status, said := b.call("POST", "/auth/flow", string(text))
	var a answer
	_ = json.Unmarshal([]byte(said), &a)
	return a, status
}

// password signs in as the person up to the second factor.
func (b browser) password(person int) answer {
	b.w.t.Helper()
	a, _ := b.flow(map[string]any{"goal": "sign-in", "identifier": demo[person].Identifier})
	a, status := b.flow(map[string]any{"flow": a.Flow, "action": "password", "password": demo[person].Password.Reveal()})
	require.Equal(b.w.t, 200, status)
	return a
}

// present hands a code in, as the first one of a card or as the next one.
func (b browser) present(a answer, code string) answer {
	a, _ = b.flow(map[string]any{"flow": a.Flow, "action": a.Actions[0].Name, "code": code})
	return a
}

// added is Ada's browser, after she added her card by its first code.
func (w *world) added() browser {
	w.t.Helper()
	b := w.browser()
	a := b.password(0)
	require.Equal(w.t, "new-factor", a.Need)
	require.Equal(w.t, "granted", b.present(a, w.ada[0]).Outcome)
	return b
}

// TestACardIsTheSecondFactor tells the whole story: added by its first code, asked for its next one, and wrong codes
// of every kind.
func TestACardIsTheSecondFactor(t *testing.T) {
	w := serveCards(t)
	b := w.browser()
	a := b.password(0)
	require.Equal(t, "new-factor", a.Need)
	require.Equal(t, "enrol-host-factor", a.Actions[0].Name)
	for _, code := range []string{"0000 0000", w.grace[0], w.ada[10]} {
		a = b.present(a, code)
		require.Equal(t, "wrong-code", a.Refusal.Reason)
	}
	status, _ := b.call("GET", "/", "")
	require.Equal(t, 401, status, "a password is not enough")
	require.Equal(t, "granted", b.present(a, w.ada[0]).Outcome)
	status, text := b.call("GET", "/", "")
	require.Equal(t, 200, status)
	require.Contains(t, text, "aal2")

	other := w.browser()
	a = other.password(0)
	require.Equal(t, "second-factor", a.Need)
	for name, code := range map[string]string{"the one that added it": w.ada[0], "Grace's": w.grace[1], "one further on": w.ada[4], "none": "card"} {
		a = other.present(a, code)
		require.Equal(t, "wrong-code", a.Refusal.Reason, name)
	}
	require.Equal(t, "granted", other.present(a, w.ada[3]).Outcome, "two were lost")
	third := w.browser()
	a = third.password(0)
	for _, code := range w.ada[:4] {
		a = third.present(a, code)
		require.Equal(t, "wrong-code", a.Refusal.Reason, "used, or older than what was used")
	}
	require.Equal(t, "granted", third.present(a, strings.ReplaceAll(w.ada[4], " ", "")).Outcome)
}

// TestACodeWorksOnce: many browsers come with the same code at once, and one of them gets in.
func TestACodeWorksOnce(t *testing.T) {
	w := serveCards(t)
	w.added()
	const many = 8
	browsers, ready := make([]browser, many), make([]answer, many)
	for i := range many {
		browsers[i] = w.browser()
		ready[i] = browsers[i].password(0)
	}
	var all sync.WaitGroup
	var in atomic.Int64
	for i := range many {
		all.Go(func() {
			if browsers[i].present(ready[i], w.ada[1]).Outcome == "granted" {
				in.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, in.Load())
}

// TestACardThatIsAddedAgainGoesOn: what somebody saw when it was typed is still used after an operator took the card
// off the account.
func TestACardThatIsAddedAgainGoesOn(t *testing.T) {
	w := serveCards(t)
	w.added()
	b := w.browser()
	require.Equal(t, "granted", b.present(b.password(0), w.ada[1]).Outcome)
	account, err := w.site.Store.FindByIdentifier(t.Context(), demo[0].Identifier)
	require.NoError(t, err)
	require.NoError(t, w.site.Service.ResetFactors(t.Context(), account.ID))
	a := b.password(0)
	require.Equal(t, "new-factor", a.Need)
	for _, code := range w.ada[:2] {
		a = b.present(a, code)
		require.Equal(t, "wrong-code", a.Refusal.Reason)
	}
	require.Equal(t, "granted", b.present(a, w.ada[2]).Outcome)
}

// TestThePagesSpeakOfCards, and the report too.
func TestThePagesSpeakOfCards(t *testing.T) {
	w := serveCards(t)
	b := w.browser()
	a := b.password(0)
	id, _, _ := strings.Cut(a.Flow, ".")
	page := func(path string) string {
		r, err := b.Get(w.url + path)
		require.NoError(t, err)
		defer r.Body.Close()
		require.Equal(t, 200, r.StatusCode)
		text, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return string(text)
	}
	text := page("/auth/flow/" + id)
	require.Contains(t, text, "<h1>Add your code card</h1>")
	require.Contains(t, text, "Type the first code of the card that the office gave you")
	require.Len(t, regexp.MustCompile(`name="code"`).FindAllString(text, -1), 1)
	require.Contains(t, text, `name="name"`)
	b.present(a, w.ada[0])
	require.Contains(t, page("/auth/account"), "Code card")

	b = w.browser()
	id, _, _ = strings.Cut(b.password(0).Flow, ".")
	text = page("/auth/flow/" + id)
	require.Contains(t, text, "<h1>Enter the next code of your card</h1>")
	require.Contains(t, text, `name="trust"`)

	report := w.site.Service.Report().Markdown()
	require.Contains(t, report, "| codes of a card | 20 of 8 digits, in their order |")
	require.Contains(t, report, "| sign-in | password and host factor | aal2 |")
}

// TestNothingOfACodeIsInTheDatabase, and nothing of it in the office.
func TestNothingOfACodeIsInTheDatabase(t *testing.T) {
	w := serveCards(t)
	w.added()
	files, err := filepath.Glob(filepath.Join(w.folder, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		stored, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, code := range append(w.ada, w.grace...) {
			require.False(t, bytes.Contains(stored, []byte(code)), file)
			require.False(t, bytes.Contains(stored, []byte(strings.ReplaceAll(code, " ", ""))), file)
		}
	}
}

// TestRunAndShutDown runs as main does, signs in with what was printed, and stops.
func TestRunAndShutDown(t *testing.T) {
	l, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	ctx, stop := context.WithCancel(t.Context())
	said, ended := &bytes.Buffer{}, make(chan error, 1)
	go func() { ended <- run(ctx, "localhost:"+port, said) }()
	require.Eventually(t, func() bool {
		conn, err := net.DialTimeout("tcp", "localhost:"+port, time.Second)
		return err == nil && conn.Close() == nil
	}, 30*time.Second, 20*time.Millisecond)
	b := (&world{t: t, url: "http://localhost:" + port}).browser()
	a := b.password(0)
	require.Equal(t, "new-factor", a.Need)
	b.CloseIdleConnections()
	stop()
	require.NoError(t, <-ended)
	first := regexp.MustCompile(`(?m)^  +1 (\d{4} \d{4})`).FindStringSubmatch(said.String())
	require.Len(t, first, 2, "%s", said)
}
