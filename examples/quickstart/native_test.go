package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// bearerCaller asks as an app does: without cookies, with the token of the last answer that had one.
func bearerCaller(t *testing.T, ask func(method, path, token string, body []byte) answer) caller {
	token := ""
	return func(method, path string, body fields) answer {
		t.Helper()
		var data []byte
		if body != nil {
			if path == "/auth/flow" {
				body["client"] = "native"
			}
			var err error
			data, err = json.Marshal(body)
			require.NoError(t, err)
		}
		a := ask(method, path, token, data)
		if next := a.text("session_token"); next != "" {
			token = next
		}
		return a
	}
}

// bareCaller asks with net/http and no jar.
func bareCaller(t *testing.T, s site) caller {
	return bearerCaller(t, func(method, path, token string, body []byte) answer {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(body))
		require.NoError(t, err)
		if body != nil {
			r.Header.Set("Content-Type", "application/json")
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		client := newClient(t)
		a := ask(t, client, r)
		require.Empty(t, client.Jar.Cookies(r.URL), "an app is given no cookie")
		return a
	})
}

// bareCurlCaller asks with the program curl and no file for cookies.
func bareCurlCaller(t *testing.T, s site) caller {
	curl := needed(t, "curl")
	return bearerCaller(t, func(method, path, token string, body []byte) answer {
		t.Helper()
		args := []string{"--silent", "--show-error", "--max-time", "30", "--noproxy", "*", "--request", method, "--write-out", "\n%{http_code}"}
		if token != "" {
			args = append(args, "--oauth2-bearer", token)
		}
		if body != nil {
			args = append(args, "--header", "Content-Type: application/json", "--data-binary", string(body))
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
	})
}

// TestTheStoryOfAnApp is the story over JSON for a program that keeps its tokens itself.
func TestTheStoryOfAnApp(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T, site) caller{"net/http": bareCaller, "curl": bareCurlCaller} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSite(t, "-native")
			app, second, web := open(t, s), open(t, s), httpCaller(t, s, newClient(t))
			require.Equal(t, 401, app("GET", "/secret", nil).status)
			a := app.enter(t, s, ada, true)
			require.Equal(t, "granted", a.text("outcome"), a.body)
			require.Regexp(t, `^cardea_st_[A-Za-z0-9_-]{43}$`, a.text("session_token"))
			require.Regexp(t, `^cardea_dt_1\.`, a.text("device_token"))
			require.Equal(t, 200, app("GET", "/secret", nil).status)
			require.Equal(t, 200, web.enter(t, s, ada, false).status)
			require.Equal(t, 200, web("GET", "/secret", nil).status, "browsers are served as ever")
			sessions := app("GET", "/auth/sessions", nil).body["sessions"].([]any)
			require.Len(t, sessions, 2)

			require.Equal(t, 200, app("POST", "/auth/sessions/end", fields{"others": true}).status)
			require.Equal(t, "session-required", web("GET", "/auth/session", nil).code())
			changeOverJSON(t, s, app, second)
			require.Equal(t, 200, app("POST", "/auth/sign-out", fields{}).status)
			require.Equal(t, "session-required", app("GET", "/secret", nil).code())
		})
	}
}

// TestAppsAreServedOnRequestOnly: without its flag the program takes no token from a header.
func TestAppsAreServedOnRequestOnly(t *testing.T) {
	t.Parallel()
	app := bareCaller(t, startSite(t))
	a := app("POST", "/auth/flow", fields{"goal": "sign-in", "identifier": ada.address})
	require.Equal(t, 403, a.status)
	require.Equal(t, "native-not-offered", a.code())
}
