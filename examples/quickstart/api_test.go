package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fields is a JSON object.
type fields = map[string]any

// answer is what the API said.
type answer struct {
	status int
	body   fields
}

// code is the stable code of a refusal, empty if it is none.
func (a answer) code() string {
	refusal, _ := a.body["error"].(fields)
	code, _ := refusal["code"].(string)
	return code
}

func (a answer) text(name string) string {
	text, _ := a.body[name].(string)
	return text
}

// caller asks the API; net/http in one test and curl in another.
type caller func(method, path string, body fields) answer

func httpCaller(t *testing.T, s site, client *http.Client) caller {
	return func(method, path string, body fields) answer {
		t.Helper()
		var sent io.Reader
		if body != nil {
			data, err := json.Marshal(body)
			require.NoError(t, err)
			sent = bytes.NewReader(data)
		}
		r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, sent)
		require.NoError(t, err)
		r.Header.Set("Accept", "application/json")
		if body != nil {
			r.Header.Set("Content-Type", "application/json")
		}
		return ask(t, client, r)
	}
}

func ask(t *testing.T, client *http.Client, r *http.Request) answer {
	t.Helper()
	w, err := client.Do(r)
	require.NoError(t, err)
	defer w.Body.Close()
	data, err := io.ReadAll(io.LimitReader(w.Body, 1<<20))
	require.NoError(t, err)
	a := answer{status: w.StatusCode}
	if strings.HasPrefix(w.Header.Get("Content-Type"), "application/json") {
		require.NoError(t, json.Unmarshal(data, &a.body), "%s", data)
	}
	return a
}

// curlCaller asks with the program curl and a file for its cookies.
func curlCaller(t *testing.T, s site) caller {
	curl, jar := needed(t, "curl"), filepath.Join(t.TempDir(), "cookies")
	return func(method, path string, body fields) answer {
		t.Helper()
		args := []string{
			"--silent", "--show-error", "--max-time", "30", "--noproxy", "*", "--cookie", jar, "--cookie-jar", jar,
			"--request", method, "--header", "Accept: application/json", "--write-out", "\n%{http_code}",
		}
		if body != nil {
			data, err := json.Marshal(body)
			require.NoError(t, err)
			args = append(args, "--header", "Content-Type: application/json", "--data-binary", string(data))
		}
		out, err := exec.CommandContext(t.Context(), curl, append(args, s.url+path)...).Output()
		require.NoError(t, err)
		end := bytes.LastIndexByte(out, '\n')
		a := answer{}
		a.status, err = strconv.Atoi(string(out[end+1:]))
		require.NoError(t, err)
		if bytes.HasPrefix(out, []byte("{")) {
			require.NoError(t, json.Unmarshal(out[:end], &a.body))
		}
		return a
	}
}

// enter signs in, with the code from the mail if one is asked for, and returns the last answer.
func (call caller) enter(t *testing.T, s site, who person, keep bool) answer {
	t.Helper()
	a := call("POST", "/auth/flow", fields{"goal": "sign-in", "identifier": who.address, "keep": keep, "return_to": "/inbox"})
	require.Equal(t, 200, a.status, a.body)
	require.Equal(t, "first-factor", a.text("need"))
	require.Equal(t, who.address, a.text("address"))
	a = call("POST", "/auth/flow", fields{"flow": a.text("flow"), "action": "password", "password": who.password})
	if a.text("need") != "verification" {
		return a
	}
	require.Equal(t, 200, a.status, a.body)
	return call("POST", "/auth/flow", fields{"flow": a.text("flow"), "action": "mail-code", "code": s.mails.code(t, who.address)})
}

// TestTheStoryOverJSON is the story of the pages for a program, told by net/http and by curl.
func TestTheStoryOverJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		open func(*testing.T, site) caller
	}{
		{"net/http", func(t *testing.T, s site) caller { return httpCaller(t, s, newClient(t)) }},
		{"curl", curlCaller},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := startSite(t)
			first, second := c.open(t, s), c.open(t, s)
			signInOverJSON(t, s, first)
			sessionsOverJSON(t, s, first, second)
			changeOverJSON(t, s, first, second)

			require.Equal(t, 200, first("POST", "/auth/sign-out", fields{}).status)
			require.Equal(t, "session-required", first("GET", "/auth/session", nil).code())
			require.Equal(t, "session-required", first("GET", "/secret", nil).code())
			require.Equal(t, 401, first("POST", "/auth/sign-out", fields{}).status)
		})
	}
}

func signInOverJSON(t *testing.T, s site, call caller) {
	t.Helper()
	a := call("GET", "/secret", nil)
	require.Equal(t, 401, a.status)
	require.Equal(t, "session-required", a.code())

	a = call("POST", "/auth/flow", fields{"goal": "sign-in"})
	require.Equal(t, "identification", a.text("need"))
	a = call("POST", "/auth/flow", fields{"flow": a.text("flow"), "action": "identify", "identifier": ada.address, "keep": true})
	require.Equal(t, "first-factor", a.text("need"))
	begun := a.text("flow")
	a = call("POST", "/auth/flow", fields{"flow": begun, "action": "password", "password": "not the password of ada"})
	require.Equal(t, 401, a.status)
	require.Equal(t, "bad-credentials", a.code())
	require.NotEqual(t, begun, a.text("flow"), "a handle is good for one step")
	require.Equal(t, "open", a.text("outcome"))

	looked := call("GET", "/auth/flow/"+a.text("flow_id"), nil)
	require.Equal(t, a.text("flow"), looked.text("flow"), "a look changes nothing")
	a = call("POST", "/auth/flow", fields{"flow": a.text("flow"), "action": "password", "password": ada.password})
	require.Equal(t, 200, a.status, a.body)
	require.Equal(t, "verification", a.text("need"), "this device is not trusted")
	require.NotContains(t, a.body, "session")
	require.Equal(t, 401, call("GET", "/secret", nil).status, "half a sign-in is none")
	a = call("POST", "/auth/flow", fields{"flow": a.text("flow"), "action": "mail-code", "code": "00000000"})
	require.Equal(t, "wrong-code", a.code())
	a = call("POST", "/auth/flow", fields{"flow": a.text("flow"), "action": "mail-code", "code": s.mails.code(t, ada.address)})
	require.Equal(t, 200, a.status, a.body)
	require.Equal(t, "granted", a.text("outcome"))
	session := a.body["session"].(fields)
	require.Equal(t, true, session["keep"])
	require.NotContains(t, session, "token", "the token is in a cookie that no script can read")
	expires, err := time.Parse(time.RFC3339, session["expires_at"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(30*24*time.Hour), expires, 5*time.Minute)
	require.Equal(t, 200, call("GET", "/secret", nil).status)

	account := call("GET", "/auth/session", nil).body["account"].(fields)
	require.Equal(t, ada.address, account["address"])
}

func sessionsOverJSON(t *testing.T, s site, first, second caller) {
	t.Helper()
	require.Equal(t, 200, second.enter(t, s, ada, false).status)
	list := first("GET", "/auth/sessions", nil).body["sessions"].([]any)
	require.Len(t, list, 2)
	var other fields
	current := 0
	for _, one := range list {
		session := one.(fields)
		if session["current"] == true {
			current++
			continue
		}
		other = session
	}
	require.Equal(t, 1, current)
	require.Equal(t, "127.0.0.0/24", other["network"])
	require.NotEmpty(t, other["seen_at"])
	require.Equal(t, 200, first("POST", "/auth/sessions/end", fields{"id": other["id"]}).status)
	require.Equal(t, "session-required", second("GET", "/auth/session", nil).code())
	require.Equal(t, "not-found", first("POST", "/auth/sessions/end", fields{"id": other["id"]}).code())

	require.Equal(t, 200, second.enter(t, s, grace, false).status)
	mine := second("GET", "/auth/session", nil).body["session"].(fields)["id"]
	require.Equal(t, "not-found", first("POST", "/auth/sessions/end", fields{"id": mine}).code(), "of another account")
	require.Equal(t, 200, second("GET", "/auth/session", nil).status)

	require.Equal(t, 200, second.enter(t, s, ada, false).status)
	require.Equal(t, 200, first("POST", "/auth/sessions/end", fields{"others": true}).status)
	require.Equal(t, "session-required", second("GET", "/auth/session", nil).code())
	require.Equal(t, 200, first("GET", "/auth/session", nil).status)
}

func changeOverJSON(t *testing.T, s site, first, second caller) {
	t.Helper()
	changed := person{ada.address, "violet ladder umbrella thirty"}
	require.Equal(t, 200, second.enter(t, s, ada, false).status)
	a := first("POST", "/auth/flow", fields{"goal": "enrolment", "enrol": "password"})
	require.Equal(t, 200, a.status, a.body)
	step := func(action string, more fields) answer {
		body := fields{"flow": a.text("flow"), "action": action}
		for name, value := range more {
			body[name] = value
		}
		return first("POST", "/auth/flow", body)
	}
	a = step("password", fields{"password": "not the password of ada"})
	require.Equal(t, "bad-credentials", a.code())
	a = step("password", fields{"password": ada.password})
	require.Equal(t, 200, a.status, a.body)
	require.Equal(t, "new-password", a.text("need"))
	a = step("new-password", fields{"new_password": "too short"})
	require.Equal(t, 422, a.status)
	require.Equal(t, "password-rejected", a.code())
	require.Equal(t, "too-short", a.body["error"].(fields)["problem"])
	a = step("new-password", fields{"new_password": changed.password, "end_others": true})
	require.Equal(t, "granted", a.text("outcome"), a.body)
	require.Equal(t, "session-required", second("GET", "/auth/session", nil).code())
	require.Equal(t, "bad-credentials", second.enter(t, s, ada, false).code())
	require.Equal(t, 200, second.enter(t, s, changed, false).status)
	require.Equal(t, 200, first("GET", "/auth/session", nil).status, "who changed it stays signed in")
}

// TestBadInput: each request that no program of ours would send gets a status of its own kind and a stable code.
func TestBadInput(t *testing.T) {
	t.Parallel()
	const begin = `{"goal":"sign-in"}`
	const asJSON = "application/json"
	const page = "" // is answered with a page, which has no code
	s := startSite(t)
	for _, c := range []struct {
		name, method, path, media, body string
		header                          map[string]string
		status                          int
		code                            string
	}{
		{"no body", "POST", "/auth/flow", asJSON, "", nil, 400, "malformed"},
		{"not JSON", "POST", "/auth/flow", asJSON, "goal=sign-in", nil, 400, "malformed"},
		{"cut short", "POST", "/auth/flow", asJSON, `{"goal":"sign-in"`, nil, 400, "malformed"},
		{"an array", "POST", "/auth/flow", asJSON, `[` + begin + `]`, nil, 400, "malformed"},
		{"null", "POST", "/auth/flow", asJSON, `null`, nil, 400, "malformed"},
		{"trailing data", "POST", "/auth/flow", asJSON, begin + `{}`, nil, 400, "malformed"},
		{"a field twice", "POST", "/auth/flow", asJSON, `{"goal":"sign-in","goal":"recovery"}`, nil, 400, "malformed"},
		{"a field twice, escaped", "POST", "/auth/flow", asJSON, `{"goal":"sign-in","\u0067oal":"sign-in"}`, nil, 400, "malformed"},
		{"another case", "POST", "/auth/flow", asJSON, `{"Goal":"sign-in"}`, nil, 400, "malformed"},
		{"an unknown field", "POST", "/auth/flow", asJSON, `{"goal":"sign-in","admin":true}`, nil, 400, "malformed"},
		{"a field of another step", "POST", "/auth/flow", asJSON, `{"goal":"sign-in","password":"x"}`, nil, 400, "malformed"},
		{"a number for a text", "POST", "/auth/flow", asJSON, `{"goal":1}`, nil, 400, "malformed"},
		{"a text for a flag", "POST", "/auth/flow", asJSON, `{"goal":"sign-in","keep":"true"}`, nil, 400, "malformed"},
		{"null for a text", "POST", "/auth/flow", asJSON, `{"goal":"sign-in","identifier":null}`, nil, 400, "malformed"},
		{"an object for a text", "POST", "/auth/flow", asJSON, `{"goal":"sign-in","identifier":{"$ne":""}}`, nil, 400, "malformed"},
		{"malformed UTF-8", "POST", "/auth/flow", asJSON, "{\"goal\":\"sign-in\",\"identifier\":\"ada\xff@example.com\"}", nil, 400, "malformed"},
		{"half a surrogate pair", "POST", "/auth/flow", asJSON, `{"goal":"sign-in","identifier":"\ud800@example.com"}`, nil, 400, "malformed"},
		{"a NUL", "POST", "/auth/flow", asJSON, `{"goal":"sign-in","identifier":"a\u0000@example.com"}`, nil, 400, "malformed"},
		{"an unknown goal", "POST", "/auth/flow", asJSON, `{"goal":"everything"}`, nil, 400, "malformed"},
		{"deeply nested", "POST", "/auth/flow", asJSON, strings.Repeat("[", 30_000), nil, 400, "malformed"},
		{"oversized", "POST", "/auth/flow", asJSON, `{"goal":"sign-in","identifier":"` + strings.Repeat("a", 70_000) + `"}`, nil, 413, "malformed"},
		{"an oversized field", "POST", "/auth/flow", asJSON, `{"goal":"sign-in","identifier":"` + strings.Repeat("a", 2000) + `"}`, nil, 400, "malformed"},
		{"no address", "POST", "/auth/flow", asJSON, `{"goal":"sign-in","identifier":"ada"}`, nil, 422, "address-rejected"},
		{"no content type", "POST", "/auth/flow", "", begin, nil, 415, "malformed"},
		{"a form", "POST", "/auth/flow", "application/x-www-form-urlencoded", "goal=sign-in", map[string]string{"Origin": s.url}, 415, "malformed"},
		{"JSON as text", "POST", "/auth/flow", "text/plain", begin, nil, 415, "malformed"},
		{"another charset", "POST", "/auth/flow", asJSON + "; charset=utf-16", begin, nil, 415, "malformed"},
		{"compressed", "POST", "/auth/flow", asJSON, begin, map[string]string{"Content-Encoding": "gzip"}, 415, "malformed"},
		{"GET", "GET", "/auth/flow", "", "", nil, 405, "malformed"},
		{"PUT", "PUT", "/auth/flow", asJSON, begin, nil, 405, "malformed"},
		{"DELETE", "DELETE", "/auth/sessions", "", "", nil, 405, "malformed"},
		{"a method that is none", "FROB", "/auth/flow", "", "", nil, 405, "malformed"},
		{"from another site", "POST", "/auth/flow", asJSON, begin, map[string]string{"Sec-Fetch-Site": "cross-site"}, 403, "forbidden"},
		{"from a neighbour", "POST", "/auth/flow", asJSON, begin, map[string]string{"Sec-Fetch-Site": "same-site"}, 403, "forbidden"},
		{"from another origin", "POST", "/auth/flow", asJSON, begin, map[string]string{"Origin": "https://evil.example"}, 403, "forbidden"},
		{"from nowhere", "POST", "/auth/flow", asJSON, begin, map[string]string{"Origin": "null"}, 403, "forbidden"},
		{"a page's form from another site", "POST", "/auth/sign-in", "application/x-www-form-urlencoded", "identifier=ada%40example.com", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403, page},
		{"a page's form without a token", "POST", "/auth/sign-in", "application/x-www-form-urlencoded", "identifier=ada%40example.com", map[string]string{"Sec-Fetch-Site": "same-origin"}, 403, page},
		{"a step without a cookie", "POST", "/auth/flow", asJSON, `{"flow":"a.b","action":"password","password":"x"}`, nil, 403, "cookie-required"},
		{"a handle that is none", "POST", "/auth/flow", asJSON, `{"flow":"a.b","action":"password","password":"x"}`, map[string]string{"Cookie": "cardea-flow=" + strings.Repeat("a", 43)}, 409, "stale"},
		{"nobody's sessions", "POST", "/auth/sessions/end", asJSON, `{"others":true}`, nil, 401, "session-required"},
		{"an unknown page", "GET", "/auth/nothing", "", "", nil, 404, "not-found"},
		{"another's flow", "GET", "/auth/flow/AAAAAAAAAAAAAAAAAAAAAA", "", "", map[string]string{"Cookie": "cardea-flow=" + strings.Repeat("a", 43)}, 410, "expired"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), c.method, s.url+c.path, strings.NewReader(c.body))
			require.NoError(t, err)
			r.Header.Set("Accept", "application/json")
			if c.media != "" {
				r.Header.Set("Content-Type", c.media)
			}
			for name, value := range c.header {
				r.Header.Set(name, value)
			}
			a := ask(t, newClient(t), r)
			require.Equal(t, c.status, a.status, a.body)
			require.Equal(t, c.code, a.code())
			if c.code == page {
				return
			}
			message := a.body["error"].(fields)["message"].(string)
			require.NotEmpty(t, message)
			require.NotContains(t, message, "ada", "an answer does not repeat what was sent")
		})
	}
}

// TestReturnAddresses: a link to the sign-in page cannot lead to another site afterwards.
func TestReturnAddresses(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	for _, target := range []string{
		"https://evil.example/", "//evil.example", `/\evil.example`, `\/evil.example`, "/\t/evil.example",
		"javascript:alert(1)", "///evil.example", "/%2f/../..//evil.example/..", "http:evil.example",
	} {
		call := httpCaller(t, s, newClient(t))
		a := call("POST", "/auth/flow", fields{"goal": "sign-in", "identifier": ada.address, "return_to": target})
		if a.status == 400 {
			continue
		}
		require.Equal(t, 200, a.status, "%q: %v", target, a.body)
		u, err := url.Parse(a.text("return_to"))
		require.NoError(t, err)
		require.Empty(t, u.Host, target)
		require.Empty(t, u.Scheme, target)
		require.False(t, strings.HasPrefix(a.text("return_to"), "//"), target)
	}
}
