package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// walker is a stranger who tries an address, and writes down everything of every answer.
type walker struct {
	t       *testing.T
	s       site
	client  *http.Client
	address string
	all     []string
}

func newWalker(t *testing.T, s site, address string) *walker {
	return &walker{t: t, s: s, client: newClient(t), address: address}
}

// post takes a step over the API.
func (w *walker) post(body fields) fields {
	w.t.Helper()
	sent, err := json.Marshal(body)
	require.NoError(w.t, err)
	r, err := http.NewRequestWithContext(w.t.Context(), "POST", w.s.url+"/auth/flow", bytes.NewReader(sent))
	require.NoError(w.t, err)
	r.Header.Set("Content-Type", "application/json")
	answered := fields{}
	text, _ := w.do(r)
	require.NoError(w.t, json.Unmarshal([]byte(text), &answered))
	return answered
}

func (w *walker) do(r *http.Request) (text string, answer *http.Response) {
	w.t.Helper()
	answer, err := w.client.Do(r)
	require.NoError(w.t, err)
	defer answer.Body.Close()
	seen, text := describe(w.t, answer, w.address)
	w.all = append(w.all, seen)
	return text, answer
}

func (w *walker) send(method, path string, form url.Values) (string, *http.Response) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.s.url+path, strings.NewReader(form.Encode()))
	require.NoError(w.t, err)
	r.Header.Set("Accept", "text/html")
	if method == "POST" {
		r.Header.Set("Origin", w.s.url)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return w.do(r)
}

var hiddenField = regexp.MustCompile(`name="(form_token|flow)" value="([^"]*)"`)

// shown is a page that a browser shows.
type shown struct{ path, text string }

// submit sends the page's form, as a browser would, and follows where that leads.
func (w *walker) submit(page shown, form url.Values) shown {
	w.t.Helper()
	for _, field := range hiddenField.FindAllStringSubmatch(page.text, 2) {
		form.Set(field[1], field[2])
	}
	text, answer := w.send("POST", page.path, form)
	if next := answer.Header.Get("Location"); next != "" {
		text, _ = w.send("GET", next, nil)
		return shown{next, text}
	}
	return shown{page.path, text}
}

// begin fills in the first form of a goal.
func (w *walker) begin(path string) shown {
	w.t.Helper()
	text, _ := w.send("GET", path, nil)
	return w.submit(shown{path, text}, url.Values{"identifier": {w.address}})
}

// walkJSON signs in with wrong passwords over the API and returns what every answer was.
func walkJSON(t *testing.T, s site, address string, tries int) []string {
	t.Helper()
	w := newWalker(t, s, address)
	a := w.post(fields{"goal": "sign-in", "identifier": address})
	for range tries {
		a = w.post(fields{"flow": a["flow"], "action": "password", "password": "not the password"})
	}
	return w.all
}

// walkPages does the same with the pages, as a browser would.
func walkPages(t *testing.T, s site, address string, tries int) []string {
	t.Helper()
	w := newWalker(t, s, address)
	page := w.begin("/auth/sign-in")
	for range tries {
		page = w.submit(page, url.Values{"action": {"password"}, "password": {"not the password"}})
	}
	return w.all
}

// askJSON asks for a mail over the API, types a wrong code or link, and asks again.
func askJSON(t *testing.T, s site, goal, address string) []string {
	t.Helper()
	w, method := newWalker(t, s, address), "mail-link"
	if goal == "sign-up" {
		method = "mail-code"
	}
	a := w.post(fields{"goal": goal, "identifier": address})
	a = w.post(fields{"flow": a["flow"], "action": method, "code": "12345678"})
	a = w.post(fields{"flow": a["flow"], "action": "send-" + method})
	w.post(fields{"flow": a["flow"], "action": "restart"})
	return w.all
}

// askPages does the same with the pages.
func askPages(t *testing.T, s site, goal, address string) []string {
	t.Helper()
	w := newWalker(t, s, address)
	page := w.begin("/auth/" + goal)
	if goal == "sign-up" {
		page = w.submit(page, url.Values{"action": {"mail-code"}, "code": {"12345678"}})
		w.submit(page, url.Values{"action": {"send-mail-code"}})
		return w.all
	}
	w.submit(page, url.Values{"action": {"send-mail-link"}})
	return w.all
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
	{regexp.MustCompile(`\b(1[5-9]|20) (minutes)`), "WAIT $2"},           // and of 20
	{regexp.MustCompile(`(Retry-After: )(2[5-9]|30|5[5-9]|60|1[01]\d\d|1200)\b`), "${1}WAIT"},
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
