package auth_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
)

// logKeys is all that a record may hold.
var logKeys = []string{
	"time", "level", "msg", "event", "goal", "flow_id", "account_id", "session_id", "method", "reason", "client", "prefix",
	"user_agent", "where", "error",
}

// ASVS 16.2.5, 14.2.1: the log of a whole life holds no password, token, handle, cookie or address, and
// nothing in it can pass for a record of its own.
func TestLogHoldsNoSecretAndNoAddress(t *testing.T) {
	s := newStory(t)
	w := s.w
	s.b.agent = "Mozilla/5.0\r\n{\"msg\":\"forged\"}\nmsg=forged \x1b[31m\u2028\u202e"
	for _, st := range steps {
		require.NoError(t, st.do(s), st.name)
	}
	p, err := s.b.begin(ann)
	require.NoError(t, err)
	p2, err := s.b.password(p.Handle, wrong)
	require.NoError(t, err)
	w.tap.failOnce("Devices.Remember", false) // so that a fault is logged as well
	require.NoError(t, s.signIn(s.other, newer, latest))

	log := w.logs.String()
	secrets := append(reveal(s.tokens), right, wrong, newer, latest, ann, stranger, "example.com", p.Handle.Reveal(), p2.Handle.Reveal(),
		strings.Split(p.Handle.Reveal(), ".")[1], s.b.cookie.Reveal(), s.other.cookie.Reveal(), s.b.device.Reveal(), s.other.device.Reveal(),
		hashOf("h1", right), hashOf("h1", newer), hashOf("h1", latest))
	for _, secret := range secrets {
		require.NotEmpty(t, secret)
		require.NotContains(t, log, secret)
	}
	events := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(log), "\n") {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record), "%s", line)
		require.Contains(t, []any{"decision", "fault"}, record["msg"])
		for key := range record {
			require.Contains(t, logKeys, key)
		}
		if event, ok := record["event"].(string); ok {
			events[event] = true
		}
	}
	for _, want := range []string{
		"account-created", "flow-begun", "proof-passed", "proof-failed", "session-granted", "sessions-ended", "change-made",
		"notice-password-changed", "notice-new-device", "password-compromised", "account-disabled", "account-enabled", "signed-out",
	} {
		require.True(t, events[want], "%s is not in the log", want)
	}
	for _, e := range w.audit.take() {
		require.NotContains(t, e.UserAgent, "\n")
		require.NotContains(t, e.UserAgent, "\r")
		require.NotContains(t, e.UserAgent, "\x1b")
		require.NotContains(t, e.UserAgent, "\u202e")
		require.Equal(t, start, e.Time)
	}
}

// Whoever calls chooses the length and the characters of a User-Agent.
func TestUserAgentInTheAuditIsBounded(t *testing.T) {
	for name, agent := range map[string]string{
		"long": strings.Repeat("a", 100_000), "wide": strings.Repeat("€", 1000), "no text": strings.Repeat("\xff\x00", 1000),
		"lines": strings.Repeat("\r\n", 1000), "empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var text bytes.Buffer
			w.cfg.Logger = slog.New(slog.NewTextHandler(&text, nil))
			s, err := auth.New(w.cfg)
			require.NoError(t, err)
			w.Service = s
			b := w.browser()
			b.agent = agent
			_, err = b.try(ann, wrong)
			require.NoError(t, err)
			events := w.audit.take()
			for _, e := range events {
				require.LessOrEqual(t, len(e.UserAgent), 256)
				require.True(t, utf8.ValidString(e.UserAgent))
			}
			require.Len(t, strings.Split(strings.TrimSpace(text.String()), "\n"), len(events))
		})
	}
}
