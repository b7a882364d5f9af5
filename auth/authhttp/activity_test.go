package authhttp_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

func TestAccountShowsWhatHappened(t *testing.T) {
	s := open(t, ada())
	doc := parse(t, s.get("/auth/account"))
	rows := rowsOf(doc, "activity")
	require.Len(t, rows, 3)
	require.Equal(t, "Signed in Password, Authenticator app Chrome on Windows 203.0.113.* just now", textOf(rows[0]))
	require.Equal(t, "Wrong password 7 times, first 5 hours ago Unknown device 198.51.100.* 3 hours ago", textOf(rows[1]))
	require.Equal(t, "Account created – – on 23 December 2025", textOf(rows[2]))
	times := tags(rows[1], "time")
	require.Equal(t, "3 March 2026, 11:05 UTC", attr(times[1], "title"))
	require.Equal(t, "2026-03-03T11:05:00Z", attr(times[1], "datetime"))
	require.Equal(t, "attempt", attr(rows[1], "class"))
	require.Empty(t, attr(rows[0], "class"))
	require.NotContains(t, s.get("/auth/account").Body.String(), "Eve", "whoever tries has no words of its own on the owner's page")

	s.f.activity = nil
	require.NotContains(t, s.get("/auth/account").Body.String(), "Recent activity", "where nothing is kept")
}

// TestEveryActivityHasItsSentence: in each language, one that is there for it alone, and not the one for strangers to
// this version of the program.
func TestEveryActivityHasItsSentence(t *testing.T) {
	for _, lang := range []string{"en", "de"} {
		f := ada()
		s := open(t, f)
		texts := authhttp.Texts(lang)
		said := map[string]string{texts["activity.other"]: "other"}
		see := func(a auth.Activity) string {
			a.Count = 1
			f.activity = []auth.Activity{a}
			w := s.do(request{target: "/auth/account", cookies: bothCookie, header: map[string]string{"Accept-Language": lang}})
			return textOf(tags(rowsOf(parse(t, w), "activity")[0], "strong")[0])
		}
		for _, what := range activities(t) {
			text := see(auth.Activity{What: auth.ActivityWhat(what.Code)})
			require.Empty(t, said[text], "%s: %s and %s", lang, what.Code, said[text])
			said[text] = what.Code
		}
		for _, m := range []flow.Method{flow.Password, flow.MailCode, flow.TOTP, flow.RecoveryCode} {
			text := see(auth.Activity{What: auth.ActivityAttemptFailed, Methods: flow.MethodsOf(m)})
			require.Empty(t, said[text], "%s: %s", lang, m)
			said[text] = m.String()
		}
		require.Equal(t, texts["activity.other"], see(auth.Activity{What: "of a later version"}))
	}
}

func TestActivityNamesItsMethods(t *testing.T) {
	f := ada()
	s := open(t, f)
	for want, a := range map[string]auth.Activity{
		"Signed in with a new device Your organisation, Trusted device": {What: auth.ActivityNewDevice, Methods: flow.MethodsOf(flow.SSO, flow.TrustedDevice)},
		"Recovery codes made":                                  {What: auth.ActivityFactorAdded, Methods: flow.MethodsOf(flow.RecoveryCode)},
		"Second factor added Authenticator app":                {What: auth.ActivityFactorAdded, Methods: flow.MethodsOf(flow.TOTP)},
		"Password changed":                                     {What: auth.ActivityPasswordChanged, Methods: flow.MethodsOf(flow.Password)},
		"First step right, second step refused Recovery codes": {What: auth.ActivitySecondStepFailed, Methods: flow.MethodsOf(flow.RecoveryCode)},
		"Passkey refused":                                      {What: auth.ActivityAttemptFailed, Methods: flow.MethodsOf(flow.Passkey)},
		"Sign-in attempt refused Sign-in method":               {What: auth.ActivityAttemptFailed, Methods: flow.MethodsOf(flow.MailLink)},
	} {
		a.Count, a.At = 1, now
		f.activity = []auth.Activity{a}
		require.Equal(t, want+" – – just now", textOf(rowsOf(parse(t, s.get("/auth/account")), "activity")[0]))
	}
}

func TestAPIActivity(t *testing.T) {
	s := open(t, ada())
	w := s.do(request{target: "/auth/activity", cookies: bothCookie})
	require.Equal(t, 200, w.Code)
	list := decode(t, w)["activity"].([]any)
	require.Len(t, list, 3)
	require.Equal(t, map[string]any{
		"what": "attempt-failed", "methods": []any{"password"}, "device": "Unknown device", "user_agent": `Mozilla/5.0 <b>"Eve"</b>`,
		"network": "198.51.100.0/24", "count": 7.0, "first_at": "2026-03-03T09:05:00Z", "at": "2026-03-03T11:05:00Z",
	}, list[1])
	require.Equal(t, map[string]any{
		"what": "account-created", "methods": []any{}, "count": 1.0, "first_at": "2025-12-23T14:05:00Z", "at": "2025-12-23T14:05:00Z",
	}, list[2])
	require.NotContains(t, w.Body.String(), "account-1", "merging and classes are the store's matter")

	s.f.activity = nil
	require.JSONEq(t, `{"activity":[]}`, s.do(request{target: "/auth/activity", cookies: bothCookie}).Body.String())
	require.Equal(t, http.StatusUnauthorized, s.do(request{target: "/auth/activity"}).Code)
	require.Equal(t, http.StatusMethodNotAllowed, s.do(request{method: "POST", target: "/auth/activity", body: "{}", cookies: bothCookie}).Code)

	s.f.changeErr = errors.New("the disk is on fire")
	for _, target := range []string{"/auth/activity", "/auth/account"} {
		w := s.do(request{target: target, cookies: bothCookie})
		require.Equal(t, http.StatusInternalServerError, w.Code)
		require.NotContains(t, w.Body.String(), "fire")
	}
}
