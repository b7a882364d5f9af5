package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// token is what a client that is no page takes from a mailed link.
func token(t *testing.T, link string) string {
	t.Helper()
	_, text, found := strings.Cut(link, "?t=")
	require.True(t, found)
	return text
}

// TestTheMailboxOverJSON is what goes through the mailbox, for a program.
func TestTheMailboxOverJSON(t *testing.T) {
	t.Parallel()
	s := startSite(t, "-sign-up")
	call := httpCaller(t, s, newClient(t))
	step := func(body fields) answer { return call("POST", "/auth/flow", body) }

	invitation := token(t, s.mails.link(t, "mary@example.com"))
	a := step(fields{"goal": "activation"})
	a = step(fields{"flow": a.text("flow"), "action": "mail-link", "code": invitation})
	require.Equal(t, "new-password", a.text("need"), a.body)
	require.Equal(t, "mary@example.com", a.text("address"))
	a = step(fields{"flow": a.text("flow"), "action": "new-password", "new_password": "short"})
	require.Equal(t, 422, a.status)
	require.Equal(t, "too-short", a.body["error"].(fields)["problem"])
	a = step(fields{"flow": a.text("flow"), "action": "new-password", "new_password": fresh})
	require.Equal(t, "completed", a.text("outcome"))
	require.NotContains(t, a.body, "session")

	a = step(fields{"goal": "recovery", "identifier": ada.address})
	require.Equal(t, "address", a.text("need"))
	again := step(fields{"flow": a.text("flow"), "action": "send-mail-link"})
	require.Equal(t, "too-soon", again.code())
	link := token(t, s.mails.link(t, ada.address))
	a = step(fields{"flow": again.text("flow"), "action": "mail-link", "code": invitation})
	require.Equal(t, "wrong-code", a.code(), "used, and of another purpose")
	a = step(fields{"flow": a.text("flow"), "action": "mail-link", "code": link})
	require.Equal(t, "new-password", a.text("need"))
	a = step(fields{"flow": a.text("flow"), "action": "new-password", "new_password": fresh, "end_others": true})
	require.Equal(t, "completed", a.text("outcome"))

	a = step(fields{"goal": "sign-up", "identifier": "joan@example.com"})
	a = step(fields{"flow": a.text("flow"), "action": "mail-code", "code": s.mails.code(t, "joan@example.com")})
	a = step(fields{"flow": a.text("flow"), "action": "new-password", "new_password": fresh})
	require.Equal(t, "completed", a.text("outcome"))

	require.Equal(t, "granted", call.enter(t, s, person{"joan@example.com", fresh}, false).text("outcome"))
	a = step(fields{"goal": "enrolment", "enrol": "mail-code"})
	require.Equal(t, "new-address", a.text("need"))
	a = step(fields{"flow": a.text("flow"), "action": "new-address", "identifier": "Joan.C@example.com"})
	require.Equal(t, "Joan.C@example.com", a.text("candidate"))
	a = step(fields{"flow": a.text("flow"), "action": "mail-code", "code": s.mails.code(t, "Joan.C@example.com")})
	require.Equal(t, "granted", a.text("outcome"), a.body)
	require.Equal(t, "Joan.C@example.com", call("GET", "/auth/session", nil).body["account"].(fields)["address"])
	undo := token(t, s.mails.link(t, "joan@example.com"))
	a = step(fields{"goal": "reversal"})
	a = step(fields{"flow": a.text("flow"), "action": "mail-link", "code": undo})
	require.Equal(t, "completed", a.text("outcome"), a.body)
	require.Equal(t, "session-required", call("GET", "/auth/session", nil).code(), "all sessions ended")
}
