package authhttp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/cardea-auth/cardea/auth/flow"
)

const deviceCookie = bothCookie + "; __Host-cardea-device=device-secret"

// rowsOf returns the rows of the list with that id as its heading.
func rowsOf(doc *html.Node, id string) []*html.Node {
	lists := all(doc, func(n *html.Node) bool { return n.Data == "table" && attr(n, "aria-labelledby") == id })
	if len(lists) == 0 {
		return nil
	}
	return tags(tags(lists[0], "tbody")[0], "tr")
}

func TestAccountListsTrustedDevices(t *testing.T) {
	s := open(t, ada())
	doc := parse(t, s.do(request{target: "/auth/account", cookies: deviceCookie}))
	require.Equal(t, "device-secret", s.f.device.Reveal(), "the service says which one is this")
	rows := rowsOf(doc, "devices")
	require.Len(t, rows, 2)
	require.Equal(t, "Chrome on Windows This device Trusted 2 days ago Rename: Chrome on Windows Name Save name: Chrome on Windows 31 March 2026 now Remove: Chrome on Windows",
		strings.ReplaceAll(textOf(rows[0]), "just now", "now"))
	require.Contains(t, textOf(rows[1]), "Ada's <phone> Safari on iPhone · Trusted 20 days ago", "what people type is text")
	require.Empty(t, tags(doc, "phone"))
	require.Contains(t, textOf(doc), "Remove all 2 trusted devices")
	require.NotContains(t, textOf(doc), "device-secret")

	for n, want := range map[int]bool{0: false, 1: false, 2: true} {
		f := ada()
		f.devices = f.devices[:n]
		doc := parse(t, open(t, f).get("/auth/account"))
		require.Len(t, rowsOf(doc, "devices"), n)
		require.Equal(t, want, strings.Contains(textOf(doc), "trusted devices"), "all of %d", n)
		require.Equal(t, n > 0, strings.Contains(textOf(doc), "Devices you trust"))
	}
}

// TestManageTrustedDevicesByForms: each form does its one thing, says so on the next page, and needs its token.
func TestManageTrustedDevicesByForms(t *testing.T) {
	for name, c := range map[string]struct {
		action string
		values map[string]string
		call   string
		notice string
	}{
		"rename":     {"/auth/devices/rename", map[string]string{"name": "Desk"}, "rename-device", "The name was saved."},
		"no name":    {"/auth/devices/rename", map[string]string{"name": " "}, "rename-device", "The name was saved."},
		"remove":     {"/auth/devices/remove", nil, "remove-device", "The device is not trusted any more."},
		"remove all": {"/auth/devices/remove", map[string]string{"id": "", "all": "on"}, "remove-devices", "No device is trusted any more."},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, ada())
			q := s.filled(s.get("/auth/account"), c.action, c.values)
			w := s.do(q)
			require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
			require.Equal(t, "/auth/account", w.Header().Get("Location"))
			require.Contains(t, s.f.calls, c.call)
			next := s.do(request{target: "/auth/account", cookies: bothCookie + "; __Host-cardea-notice=" + set(w, "__Host-cardea-notice").Value})
			require.Contains(t, textOf(parse(t, next)), c.notice)

			s.f.calls = nil
			q.form.Set("form_token", "x")
			require.Equal(t, http.StatusForbidden, s.do(q).Code)
			q.form.Del("form_token")
			require.Equal(t, http.StatusForbidden, s.do(q).Code)
			require.False(t, s.f.changed())
		})
	}
	s := open(t, ada())
	s.submit(s.get("/auth/account"), "/auth/devices/rename", map[string]string{"id": "device-2", "name": " B\u00fcro "})
	require.Equal(t, [2]string{"device-2", " B\u00fcro "}, [2]string{s.f.ended, s.f.named}, "the service cleans it")
}

func TestAPIDevices(t *testing.T) {
	s := open(t, ada())
	w := s.do(request{target: "/auth/devices", cookies: deviceCookie})
	require.Equal(t, "device-secret", s.f.device.Reveal())
	require.NotContains(t, w.Body.String(), "device-secret")
	list := decode(t, w)["devices"].([]any)
	require.Equal(t, map[string]any{
		"id": "device-1", "device": "Chrome on Windows", "user_agent": chromeOnWindows, "current": true,
		"created_at": "2026-03-01T14:05:00Z", "seen_at": "2026-03-03T14:04:00Z", "expires_at": "2026-03-31T14:05:00Z",
	}, list[0])
	require.Equal(t, "Ada's <phone>", list[1].(map[string]any)["name"])
	require.Equal(t, false, list[1].(map[string]any)["current"])
	s.f.devices = nil
	require.JSONEq(t, `{"devices":[]}`, s.do(request{target: "/auth/devices", cookies: bothCookie}).Body.String())

	require.Equal(t, 200, s.post("/auth/devices/rename", `{"id":"device-2","name":"Desk"}`).Code)
	require.Equal(t, [2]string{"device-2", "Desk"}, [2]string{s.f.ended, s.f.named})
	require.Equal(t, 200, s.post("/auth/devices/rename", `{"id":"device-2","name":""}`).Code)
	require.Empty(t, s.f.named)
	require.Equal(t, 200, s.post("/auth/devices/remove", `{"id":"device-2"}`).Code)
	require.Equal(t, "device-2", s.f.ended)
	require.Equal(t, 200, s.post("/auth/devices/remove", `{"all":true}`).Code)
	require.Contains(t, s.f.calls, "remove-devices")
}

func TestAPIDevicesRefuses(t *testing.T) {
	s := open(t, ada())
	for target, bodies := range map[string][]string{
		"/auth/devices/rename": {`{}`, `{"id":"a"}`, `{"name":"b"}`, `{"id":"","name":"b"}`, `{"id":"a","name":1}`, `{"id":"a","name":"b","all":true}`,
			`{"id":"a","name":"b","name":"c"}`, `{"id":"a","name":"` + strings.Repeat("x", 513) + `"}`, "{\"id\":\"a\",\"name\":\"\\u0000\"}"},
		"/auth/devices/remove": {`{}`, `{"all":false}`, `{"id":""}`, `{"id":"","all":false}`, `{"id":"","all":true}`, `{"id":"a","all":true}`, `{"id":["a"]}`, `{"id":"a","name":"b"}`},
		"/auth/sessions/end":   {`{"others":true,"device_token":"cardea_dt_x"}`}, // a browser's is in its cookie
	} {
		for _, body := range bodies {
			require.Equal(t, http.StatusBadRequest, s.post(target, body).Code, target+body)
		}
	}
	require.False(t, s.f.changed())
	for _, target := range []string{"/auth/devices/rename", "/auth/devices/remove"} {
		require.Equal(t, http.StatusMethodNotAllowed, s.get(target).Code, "no GET changes anything")
		w := s.do(request{method: "POST", target: target, body: `{"id":"a","name":"b"}`, cookies: flowCookie})
		require.Equal(t, http.StatusUnauthorized, w.Code)
		w = s.do(request{method: "POST", target: target, body: `{"id":"a"}`, cookies: bothCookie, header: map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}})
		require.Equal(t, http.StatusForbidden, w.Code)
	}
	require.Equal(t, http.StatusUnauthorized, s.do(request{target: "/auth/devices"}).Code)
	require.False(t, s.f.changed())

	for reason, status := range map[flow.Reason]int{flow.NotFound: 404, flow.Malformed: 400} {
		s.f.changeErr = flow.Deny(reason)
		w := s.post("/auth/devices/rename", `{"id":"theirs","name":"x"}`)
		require.Equal(t, status, w.Code)
		require.Equal(t, reason.String(), decode(t, w)["error"].(map[string]any)["code"])
	}
}

// TestEndingOthersNamesTheDevice: the one that ends all others stays trusted, so the service must learn which it is.
func TestEndingOthersNamesTheDevice(t *testing.T) {
	s := open(t, ada(), nativeOn)
	w := s.do(request{method: "POST", target: "/auth/sessions/end", body: `{"others":true}`, cookies: deviceCookie})
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "device-secret", s.f.device.Reveal())
	require.Equal(t, http.StatusOK, s.do(native("/auth/sessions/end", `{"others":true,"device_token":"cardea_dt_x"}`, "Bearer "+bearer)).Code)
	require.Equal(t, "cardea_dt_x", s.f.device.Reveal())
	require.Equal(t, http.StatusOK, s.do(native("/auth/sessions/end", `{"others":true}`, "Bearer "+bearer)).Code)
	require.True(t, s.f.device.IsZero())
}
