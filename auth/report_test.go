package auth_test

import (
	"context"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// both returns the report in its two forms.
func both(t *testing.T, s *auth.Service) (markdown, encoded string) {
	text, err := json.Marshal(s.Report())
	require.NoError(t, err)
	return s.Report().Markdown(), string(text)
}

// ASVS 6.1.1, 6.1.3, 7.1.1: the policy in force is documented, and by the program that enforces it.
func TestReportListsThePolicyInForce(t *testing.T) {
	markdown, encoded := both(t, newWorld(t).Service)
	for _, form := range []string{markdown, encoded} {
		for _, want := range []string{
			"L1", "sign-in", "step-up", "enrolment", "password", "aal1",
			"before waiting", "30 seconds, doubling to 1 hour", "unknown devices", "known devices",
			"100, one forgotten each 1 hour", "100, one forgotten each 36 seconds", "300, one forgotten each 1 second",
			"10 minutes", "1 hour", "5 minutes", "login verification by mailed code", "never", "no mail is configured",
		} {
			require.Contains(t, form, want)
		}
		require.NotContains(t, form, "handoff", "what is not offered is no way to a session")
	}
	var back auth.Report
	require.NoError(t, json.Unmarshal([]byte(encoded), &back))
	require.Equal(t, markdown, back.Markdown())
}

// A report that denies what is there is no documentation of it.
func TestReportTellsOfMailedCodes(t *testing.T) {
	for _, form := range strings.Split(newPostal(t).Report().Markdown(), "\n") {
		require.NotContains(t, form, "no mail is configured")
		if strings.Contains(form, "login verification by mailed code") {
			require.Contains(t, form, "as the account's rules say")
		}
	}
}

// A setting that the report does not show could be changed without anybody noticing.
func TestEverySettingShowsInTheReport(t *testing.T) {
	w := newWorld(t)
	for _, group := range []string{"Throttle", "Limits"} {
		fields := reflect.ValueOf(&w.cfg).Elem().FieldByName(group)
		for i := range fields.NumField() {
			name := group + "." + fields.Type().Field(i).Name
			t.Run(name, func(t *testing.T) {
				w := newWorld(t)
				markdown, encoded := both(t, w.Service)
				field := reflect.ValueOf(&w.cfg).Elem().FieldByName(group).Field(i)
				if field.Type() == reflect.TypeFor[time.Duration]() {
					field.SetInt(int64(21 * time.Minute)) // no default
				} else {
					field.SetInt(3)
				}
				s, err := auth.New(w.cfg)
				require.NoError(t, err)
				changedMarkdown, changedEncoded := both(t, s)
				require.NotEqual(t, markdown, changedMarkdown)
				require.NotEqual(t, encoded, changedEncoded)
			})
		}
	}
}

// reporting is a feature that reports hostile text.
type reporting struct {
	*passwords
	text string
}

func (r reporting) Report() auth.ReportSection {
	return auth.ReportSection{Title: r.text, Rows: []auth.ReportRow{{Name: r.text, Value: r.text, Note: r.text}}}
}

func TestReportCannotBeBrokenByWhatItShows(t *testing.T) {
	bar := regexp.MustCompile(`(\\.)|\|`)
	for _, text := range []string{"a|b", "a\\|b", "a\\", "a\nb", "a\r\n| x | y | z |\n", "|", "\\\\|", "a\r# b"} {
		w := newWorld(t)
		w.cfg.Passwords = reporting{w.pw, text}
		s, err := auth.New(w.cfg)
		require.NoError(t, err)
		markdown := s.Report().Markdown()
		section := markdown[strings.LastIndex(markdown, "\n## "):]
		lines := strings.Split(strings.TrimSpace(section), "\n")
		require.Len(t, lines, 5, "a title, an empty line, a head, a rule and one row: %q", section)
		bars := 0
		for _, m := range bar.FindAllStringSubmatch(lines[4], -1) {
			if m[1] == "" { // not an escaped character
				bars++
			}
		}
		require.Equal(t, 4, bars, "%q", lines[4])
		require.NotContains(t, section, "\r")
	}
}

func TestReportHoldsNoSecret(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) {
		c.Risk = func(context.Context, auth.RiskRequest) (flow.Verdict, error) { return flow.RiskAllow, nil }
	})
	w.account(ann)
	s := w.browser().signIn(ann, right)
	markdown, encoded := both(t, w.Service)
	for _, form := range []string{markdown, encoded} {
		require.Contains(t, form, "the host's function")
		for _, secret := range append(keyTexts("k1"), s.Token.Reveal(), ann, right) {
			require.NotContains(t, form, secret)
		}
	}
}
