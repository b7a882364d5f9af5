package authhttp_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

// begun is a flow in which a ceremony just began.
func begun() auth.Progress {
	p := at(view(flow.SignIn, flow.Identification, action("identify"), action("send-passkey"),
		action("passkey", flow.Input{Name: "credential", Kind: "object", Required: true})))
	p.Passkey = []byte(`{"challenge":"AAAA"}`)
	return p
}

// withPasskeys is a service whose sign-in page offers them.
func withPasskeys() *fake {
	f := ada()
	f.passkeys = true
	f.progress = begun()
	return f
}

// script sends the page's passkey form where its script would.
func (s site) script(page *httptest.ResponseRecorder, target string, values map[string]string) *httptest.ResponseRecorder {
	s.t.Helper()
	with := map[string]string{"action": "passkey"}
	maps.Copy(with, values)
	q := s.filled(page, "/auth/sign-in", with)
	q.target = target
	return s.do(q)
}

// TestSignInPageOffersPasskeys in the address field and by a button, with the script that both need, and nothing else
// that could run.
func TestSignInPageOffersPasskeys(t *testing.T) {
	f := withPasskeys()
	s := open(t, f)
	page := s.get("/auth/sign-in?return_to=/inbox")
	body := page.Body.String()
	require.Contains(t, body, `autocomplete="username webauthn"`)
	require.Contains(t, body, "Sign in with a passkey")
	require.Contains(t, body, "data-passkey-autofill")
	policy := page.Header().Get("Content-Security-Policy")
	require.Regexp(t, `script-src https://app\.example/auth/static/passkeys-[0-9a-f]{16}\.js; connect-src https://app\.example/auth/passkey; `, policy)
	require.NotContains(t, policy, "unsafe")
	require.NotContains(t, policy, "script-src 'self'", "what somebody uploaded to this site is not to run")
	script := s.do(request{target: strings.Split(strings.Split(body, `<script src="`)[1], `"`)[0]})
	require.Equal(t, "text/javascript; charset=utf-8", script.Header().Get("Content-Type"))
	require.Contains(t, script.Header().Get("Cache-Control"), "immutable")
	require.Equal(t, authhttp.Script, script.Body.String())
	require.Equal(t, []string{"preview"}, f.calls, "reading the page begins no flow")

	f.passkeys = false
	page = s.get("/auth/sign-in")
	require.NotContains(t, page.Header().Get("Content-Security-Policy"), "script-src")
	require.NotContains(t, page.Body.String(), "passkey")
}

// TestCeremoniesBeginForTheScript: in a new flow on the sign-in page, and in the page's own elsewhere.
func TestCeremoniesBeginForTheScript(t *testing.T) {
	f := withPasskeys()
	s := open(t, f)
	page := s.get("/auth/sign-in?return_to=/inbox")
	require.Contains(t, page.Body.String(), `data-passkey-options="/auth/passkey?return_to=%2Finbox"`)
	w := s.script(page, "/auth/passkey?return_to=%2Finbox", nil)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.JSONEq(t, `{"options":{"challenge":"AAAA"},"action":"/auth/flow/flow-1","flow":"flow-1.secret"}`, w.Body.String())
	require.Equal(t, []any{flow.SignIn, "send-passkey", "/inbox"}, []any{f.begun.Goal, f.begun.Action, f.begun.ReturnTo})

	w = s.script(page, "/auth/passkey", map[string]string{"flow": handle})
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Equal(t, []string{handle, "send-passkey"}, []string{f.continued.Handle.Reveal(), f.continued.Action})
	require.Zero(t, f.continued.Inputs, "what else is in the form is for the answer")

	for name, c := range map[string]struct {
		progress auth.Progress
		err      error
		status   int
		code     string
	}{
		"too many flows": {auth.Progress{}, flow.Deny(flow.TooManyAttempts), http.StatusTooManyRequests, "too-many-attempts"},
		"a second look":  {at(passwordView()), nil, http.StatusConflict, "stale"},
		"the end":        {at(endedView(flow.Expired)), nil, http.StatusGone, "expired"},
		"a fault":        {auth.Progress{}, errors.New("store down"), http.StatusInternalServerError, "fault"},
	} {
		f.progress, f.err = c.progress, c.err
		w := s.script(page, "/auth/passkey", nil)
		require.Equal(t, c.status, w.Code, name)
		var body struct {
			Error struct{ Code, Message string }
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
		require.Equal(t, c.code, body.Error.Code)
		require.NotEmpty(t, body.Error.Message, "the page shows it")
	}
	f.calls = nil
	require.Equal(t, http.StatusForbidden, s.script(page, "/auth/passkey", map[string]string{"form_token": "x"}).Code)
	require.Empty(t, f.calls)
	require.Equal(t, http.StatusMethodNotAllowed, s.get("/auth/passkey").Code)
}

// TestAnswersGoToTheFlow, whole, and what was ticked beside another form with them.
func TestAnswersGoToTheFlow(t *testing.T) {
	f := withPasskeys()
	s := open(t, f)
	page := s.get("/auth/sign-in")
	answer := `{"id":"AAAA","response":{"signature":"` + strings.Repeat("A", 8<<10) + `"}}`
	w := s.script(page, "/auth/flow/flow-1", map[string]string{"flow": handle, "credential": answer, "keep": "on"})
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body.String())
	require.Equal(t, "passkey", f.continued.Action)
	require.Equal(t, answer, f.continued.Inputs.Credential.Reveal())
	require.True(t, f.continued.Inputs.Keep)
	w = s.script(page, "/auth/flow/flow-1", map[string]string{"flow": handle, "credential": strings.Repeat("x", 17<<10)})
	require.Equal(t, http.StatusBadRequest, w.Code)
}

// The script has to live with a strict content security policy, and to be read in one sitting.
func TestScript(t *testing.T) {
	text := authhttp.Script
	require.Less(t, strings.Count(text, "\n"), 180)
	for _, never := range []string{"eval", "Function(", "innerHTML", "outerHTML", "document.write", "insertAdjacent", ".style", "setAttribute(", "javascript:", "import(", "localStorage", "console."} {
		require.NotContains(t, text, never)
	}
	for _, must := range []string{`"use strict"`, "isConditionalMediationAvailable", "AbortController", `mediation`} {
		require.Contains(t, text, must)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return // a browser reads it in the quickstart's tests
	}
	file := t.TempDir() + "/passkeys.js"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	out, err := exec.Command(node, "--check", file).CombinedOutput()
	require.NoError(t, err, string(out))
}
