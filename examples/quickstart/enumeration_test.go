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
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/standard"
)

// A stranger must not learn who has an account: not from what is answered, and not from how long it takes.

// kinds are who may stand behind an address. The addresses are equally long, so that no length differs either.
var kinds = []string{"known", "other", "ended"} // has an account; has none; has one that is closed

func addressOf(kind string, n int) string { return fmt.Sprintf("%s%03d@example.com", kind, n) }

// openCrowd serves the quickstart's assembly in process, with n accounts of each kind that has them, and with
// throttles that let a test try often from one network address.
func openCrowd(t *testing.T, n int) site {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	origin := "http://localhost:" + port
	config := standard.Config{
		Origin: origin, Product: "Quickstart", Driver: "sqlite", Database: filepath.Join(t.TempDir(), "site.db"),
		Service: func(c *auth.Config) {
			c.Throttle.PrefixCap, c.Throttle.BeginCap = 10_000, 10_000
		},
	}
	configure(&config)
	config.Logger = nil
	assembled, err := standard.Open(t.Context(), config)
	require.NoError(t, err)
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- assembled.Run(running) }()
	t.Cleanup(func() {
		stop()
		<-ended
		require.NoError(t, assembled.Close())
	})
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: assembled}}
	server.Start()
	t.Cleanup(server.Close)
	for i := range n {
		for _, kind := range []string{"known", "ended"} {
			account, err := assembled.Service.CreateAccount(t.Context(), auth.NewAccount{
				Identifier: addressOf(kind, i), Name: "Somebody", Language: "de", Password: auth.NewSecret(ada.password),
			})
			require.NoError(t, err)
			if kind == "ended" {
				require.NoError(t, assembled.Service.DisableAccount(context.Background(), account.ID))
			}
		}
	}
	return site{url: origin}
}

// TestStrangersSeeNoDifference compares everything of every answer, up to and beyond the throttle.
func TestStrangersSeeNoDifference(t *testing.T) {
	for _, c := range []struct {
		name string
		walk func(t *testing.T, s site, address string, tries int) []string
	}{
		{"JSON", walkJSON},
		{"pages", walkPages},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openCrowd(t, 1)
			// Two flows in two browsers: failures are counted for an address, whether it has an account or not.
			seen := func(kind string) []string {
				return append(c.walk(t, s, addressOf(kind, 0), 4), c.walk(t, s, addressOf(kind, 0), 3)...)
			}
			known := seen("known")
			for _, kind := range kinds[1:] {
				require.Equal(t, known, seen(kind), kind)
			}
			all := strings.Join(known, "\n")
			require.Contains(t, all, "password is not right")
			require.Contains(t, all, "too many attempts", "the walk went as far as the throttle")
		})
	}
}

// walkJSON signs in with wrong passwords over the API and returns what every answer was.
func walkJSON(t *testing.T, s site, address string, tries int) []string {
	t.Helper()
	client := newClient(t)
	post := func(body string) (string, fields) {
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/auth/flow", strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		w, err := client.Do(r)
		require.NoError(t, err)
		defer w.Body.Close()
		seen, text := describe(t, w, address)
		answered := fields{}
		require.NoError(t, json.Unmarshal([]byte(text), &answered))
		return seen, answered
	}
	seen, a := post(`{"goal":"sign-in","identifier":"` + address + `"}`)
	all := []string{seen}
	for range tries {
		seen, a = post(fmt.Sprintf(`{"flow":%q,"action":"password","password":"not the password"}`, a["flow"]))
		all = append(all, seen)
	}
	return all
}

var hiddenField = regexp.MustCompile(`name="(form_token|flow)" value="([^"]*)"`)

// walkPages does the same with the pages, as a browser would.
func walkPages(t *testing.T, s site, address string, tries int) []string {
	t.Helper()
	client, all := newClient(t), []string{}
	send := func(method, path string, form url.Values) (string, *http.Response) {
		r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		r.Header.Set("Accept", "text/html")
		if method == "POST" {
			r.Header.Set("Origin", s.url)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w, err := client.Do(r)
		require.NoError(t, err)
		defer w.Body.Close()
		seen, text := describe(t, w, address)
		all = append(all, seen)
		return text, w
	}
	submit := func(page, path string, form url.Values) string {
		for _, field := range hiddenField.FindAllStringSubmatch(page, 2) {
			form.Set(field[1], field[2])
		}
		text, w := send("POST", path, form)
		if next := w.Header.Get("Location"); next != "" {
			text, _ = send("GET", next, nil)
			return next + "\n" + text
		}
		return path + "\n" + text
	}
	page, _ := send("GET", "/auth/sign-in", nil)
	page = submit(page, "/auth/sign-in", url.Values{"identifier": {address}})
	for range tries {
		path, text, _ := strings.Cut(page, "\n")
		page = submit(text, path, url.Values{"action": {"password"}, "password": {"not the password"}})
	}
	return all
}

// varying is what differs from one answer to the next, whoever is asked about.
var varying = []struct {
	pattern *regexp.Regexp
	mask    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`(cardea-flow=)[\w-]{43}`), "${1}BROWSER"},
	{regexp.MustCompile(`[\w-]{22}\.[\w-]{43}`), "HANDLE"},
	{regexp.MustCompile(`k1\.[\w-]{59}`), "TOKEN"},
	{regexp.MustCompile(`("flow_id":"|/auth/flow/)[\w-]{22}`), "${1}FLOW"},
	{regexp.MustCompile(`\b(2[5-9]|30|5[5-9]|60) (seconds)`), "WAIT $2"}, // what is left of 30 and of 60
	{regexp.MustCompile(`(Retry-After: )(2[5-9]|30|5[5-9]|60)\b`), "${1}WAIT"},
}

// describe writes down everything of an answer, with what always varies masked.
func describe(t *testing.T, w *http.Response, address string) (seen, text string) {
	t.Helper()
	body, err := io.ReadAll(io.LimitReader(w.Body, 1<<20))
	require.NoError(t, err)
	w.Header.Del("Date")
	if w.Header.Get("Content-Type") == "application/json" {
		w.Header.Del("Content-Length") // fractions of a second are written without zeros at their end
	}
	var all bytes.Buffer
	fmt.Fprintln(&all, w.Status)
	require.NoError(t, w.Header.Write(&all)) // in the order of the names
	fmt.Fprintf(&all, "\n%s", body)
	seen = strings.ReplaceAll(all.String(), address, "ADDRESS")
	for _, v := range varying {
		seen = v.pattern.ReplaceAllString(seen, v.mask)
	}
	return seen, string(body)
}

// TestStrangersMeasureNoDifference tries wrong passwords in turns and compares the medians of how long the
// answers took. The margin is wide, since test machines are busy; the figures are in the log.
func TestStrangersMeasureNoDifference(t *testing.T) {
	if testing.Short() {
		t.Skip("this takes seconds, and -short was asked for")
	}
	const rounds, perAccount = 40, 4 // a fifth failure would have to wait
	s := openCrowd(t, rounds/perAccount)
	client := newClient(t)
	client.Transport = nil // connections are kept, so that their set-up is not measured
	call := httpCaller(t, s, client)
	took := map[string][]time.Duration{}
	for i := range rounds {
		for turn := range kinds {
			kind := kinds[(turn+i)%len(kinds)] // nobody is always first
			a := call("POST", "/auth/flow", fields{"goal": "sign-in", "identifier": addressOf(kind, i/perAccount)})
			start := time.Now()
			a = call("POST", "/auth/flow", fields{"flow": a.text("flow"), "action": "password", "password": "not the password"})
			took[kind] = append(took[kind], time.Since(start))
			require.Equal(t, "bad-credentials", a.code())
		}
	}
	middle := map[string]time.Duration{}
	for _, kind := range kinds {
		slices.Sort(took[kind])
		middle[kind] = took[kind][rounds/2]
		t.Logf("%s: median %s, a tenth below %s, a tenth above %s", kind, middle[kind], took[kind][rounds/10], took[kind][rounds*9/10])
	}
	for _, kind := range kinds[1:] {
		ratio := float64(middle[kind]) / float64(middle["known"])
		t.Logf("%s : known = %.3f", kind, ratio)
		require.Greater(t, ratio, 0.67)
		require.Less(t, ratio, 1.5)
	}
}
