package authhttp_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

// families are the keys that code puts together, with what their last part may be.
func families(t testing.TB) map[string][]string {
	var reasons, needs, goals, months []string
	for _, r := range flow.Reasons() {
		reasons = append(reasons, r.String())
	}
	for n := flow.Identification; n <= flow.Impossible; n++ {
		needs = append(needs, n.String())
	}
	for g := flow.SignIn; g <= flow.Reversal; g++ {
		goals = append(goals, g.String())
	}
	for m := 1; m <= 12; m++ {
		months = append(months, fmt.Sprint(m))
	}
	happenings := []string{
		"attempt-failed.password", "attempt-failed.mail-code", "attempt-failed.totp", "attempt-failed.recovery-code", "attempt-failed.passkey", "attempt-failed.host-factor", "factor-added.recovery-code", "other",
	}
	for _, a := range activities(t) {
		happenings = append(happenings, a.Code)
	}
	return map[string][]string{
		"activity.": happenings,
		"reason.":   append(reasons, "other"),
		"need.":     append(needs, "other"),
		"problem.":  {"too-short", "too-long", "malformed", "common", "repetitive", "sequence", "keyboard", "words", "context", "breached", "unchanged", "unchecked"},
		"notice.":   {"password-changed", "address-changed", "signed-out", "session-ended", "others-ended", "device-renamed", "device-removed", "devices-removed", "factor-added", "factor-removed", "factor-renamed", "connection-added", "connection-removed"},
		"month.":    months,
		"link.": {
			"reset.title", "reset.text", "reset.submit", "invitation.title", "invitation.text", "invitation.submit",
			"undo.title", "undo.text", "undo.submit",
		},
		"mail-help.": {
			"why.title", "why.text", "unasked.title", "unasked.text", "codes.title", "codes.text", "real.title", "real.text",
		},
		"bad-link.": {"title", "text"}, "codes.": {"title", "text"}, "signed-out.": {"title", "text"}, "signed-out-here.": {"title", "text"}, "code-used.": {"title", "text"}, "method.": {"password", "mail-code", "totp", "recovery-code", "passkey", "host-factor", "social", "sso", "trusted-device"},
		"passkey.": {"cancelled", "registered", "failed"},
		"account.": {"add-passkey", "add-totp", "add-host-factor", "add-recovery-code", "replace-recovery-code"},
		"goals":    goals,
	}
}

// optional are families of which a page takes what there is.
var optional = regexp.MustCompile(`^(need\.[a-z-]+\.(lead(\.[a-z-]+)?|[a-z-]+\.title|[a-z-]+\.lead(\.[a-z-]+)?)|reason\.[a-z-]+\.wait|completed\.[a-z-]+\.(title|text)|` +
	`ended\.[a-z-]+|need\.[a-z-]+\.title\.[a-z-]+|fold\.[a-z-]+|error\.[0-9]+|(input|hint|required)\.[a-z_]+(\.[a-z-]+)?|submit\.[a-z-]+(\.[a-z-]+){0,2}|(granted|granted\.lost|confirm|sign-out)\.(title|text))$`)

// TestEveryTextIsThereAndUsed holds the catalogues against the templates and the code: nothing that a page
// asks for is missing in any language, and nothing is in a catalogue that no page asks for.
func TestEveryTextIsThereAndUsed(t *testing.T) {
	used := map[string]bool{ // what a page falls back to
		"need.other.title": true, "submit.other": true, "required.other": true, "ended.other": true, "error.other": true,
		"error.500": true, "completed.other.title": true, "completed.other.text": true, "method.other": true,
	}
	literal := regexp.MustCompile(`(?:\.T |lang\.(?:text|plural|either)\(|c\.(?:text|plural)\(|\btext: +)"([a-z0-9_.-]+)"`)
	addFrom := func(text string) {
		for _, m := range literal.FindAllStringSubmatch(text, -1) {
			used[m[1]] = true
		}
	}
	require.NoError(t, fs.WalkDir(authhttp.TemplateFiles, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			text, readErr := fs.ReadFile(authhttp.TemplateFiles, path)
			addFrom(string(text))
			return readErr
		}
		return err
	}))
	files, err := fs.Glob(os.DirFS("."), "*.go")
	require.NoError(t, err)
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			addFrom(string(text))
		}
	}
	for family, members := range families(t) {
		for _, m := range members {
			switch family {
			case "need.":
				used[family+m+".title"] = true
			case "goals":
			default:
				used[family+m] = true
			}
		}
	}
	for _, tag := range []string{"en", "de"} {
		texts := authhttp.Texts(tag)
		for key := range used {
			require.True(t, has(texts, key) || has(texts, key+".other") || strings.HasSuffix(key, "."), "%s: %s is missing", tag, key)
		}
		for key := range texts {
			base := regexp.MustCompile(`\.(one|other)$`).ReplaceAllString(key, "")
			require.True(t, used[key] || used[base] || optional.MatchString(key), "%s: %s is not used", tag, key)
		}
	}
}

func has(texts map[string]string, key string) bool { _, ok := texts[key]; return ok }

// TestOptionalTextsNameWhatThereIs: an optional key with a spelling mistake would never be found.
func TestOptionalTextsNameWhatThereIs(t *testing.T) {
	f := families(t)
	for key := range authhttp.Texts("en") {
		family, rest, _ := strings.Cut(key, ".")
		parts := strings.Split(rest, ".")
		switch family {
		case "need":
			require.Contains(t, f["need."], parts[0], key)
			if i := slices.Index(parts, "lead"); i > 0 && len(parts) > i+1 {
				require.Contains(t, f["goals"], parts[i+1], key)
			}
		case "ended", "reason":
			require.Contains(t, f["reason."], parts[0], key)
		case "completed":
			require.Contains(t, append(f["goals"], "other"), parts[0], key)
		}
	}
}

func TestLanguagesSayTheSameThings(t *testing.T) {
	placeholder := regexp.MustCompile(`\{[a-z]+\}`)
	en, de := authhttp.Texts("en"), authhttp.Texts("de")
	require.Equal(t, slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(de)))
	for key := range en {
		a, b := placeholder.FindAllString(en[key], -1), placeholder.FindAllString(de[key], -1)
		slices.Sort(a)
		slices.Sort(b)
		require.Equal(t, a, b, key)
		require.NotEmpty(t, strings.TrimSpace(en[key]), key)
		require.NotEmpty(t, strings.TrimSpace(de[key]), key)
		require.NotRegexp(t, `\b(du|dein|deine|dir|dich)\b`, de[key], key)
	}
}

func TestLanguageNegotiation(t *testing.T) {
	s := open(t, ada())
	wants := map[string]string{
		"": "en", "de": "de", "de-AT,de;q=0.9,en;q=0.8": "de", "en-GB,en;q=0.9,de;q=0.8": "en", "fr,de;q=0.5": "de", "fr": "en",
		"DE": "de", "*": "en", ";;;": "en", "de;q=0": "en", strings.Repeat("de,", 500): "en", "zh-Hant, de;q=0.1": "de",
	}
	for accept, want := range wants {
		w := s.do(request{target: "/auth/sign-in", header: map[string]string{"Accept-Language": accept}})
		require.Equal(t, want, w.Header().Get("Content-Language"), "%q", accept)
		require.Contains(t, w.Body.String(), `<html lang="`+want+`" dir="ltr">`)
		require.Contains(t, w.Header().Values("Vary"), "Accept-Language")
	}
	for range 2 { // what is remembered is the same, and there is an end to it
		for accept, want := range wants {
			require.Equal(t, want, s.h.Match(accept), "%q", accept)
		}
		for n := range 2 * authhttp.MatchedLimit {
			require.Equal(t, "de", s.h.Match(fmt.Sprintf("de;q=0.%03d", n+1)))
		}
	}
	require.Equal(t, authhttp.MatchedLimit, s.h.Matched())
}

// Of two values, neither is taken for a text with a name in it.
func TestPlaceholders(t *testing.T) {
	pairs := []string{"browser", "{system}", "system", "Linux {browser} {"}
	for text, want := range map[string]string{
		"{browser} on {system}": "{system} on Linux {browser} {", "{system}{system}": "Linux {browser} {Linux {browser} {",
		"{}{{browser}": "{}{{system}", "{other} }{browser}{": "{other} }{system}{", "plain": "plain", "": "",
	} {
		require.Equal(t, want, authhttp.Fill(text, pairs...), text)
	}
}

func TestTheAccountsLanguageComesFirstOnceItIsKnown(t *testing.T) {
	f := ada()
	f.account.Language = "de-CH"
	s := open(t, f)
	for target, want := range map[string]string{"/auth/account": "de", "/auth/password": "de", "/auth/confirm": "de", "/auth/sign-in": "en", "/auth/flow/flow-1": "en"} {
		require.Equal(t, want, s.get(target).Header().Get("Content-Language"), target)
	}
	f.progress = at(freshPasswordView())
	require.Equal(t, "de", s.get("/auth/flow/flow-1").Header().Get("Content-Language"))
	f.account.Language = "fr"
	require.Equal(t, "en", s.get("/auth/account").Header().Get("Content-Language"), "no texts in it")
}

func TestAnotherLanguage(t *testing.T) {
	hebrew := maps.Clone(authhttp.Texts("en"))
	hebrew["need.identification.title"] = "כניסה"
	hebrew["account.end-others.two"] = "{n} (two)"
	s := open(t, ada(), func(c *authhttp.Config) {
		c.Catalogs = map[string]map[string]string{"he": hebrew, "de": {"help.support": "Hilfe holen"}}
	})
	w := s.do(request{target: "/auth/sign-in", header: map[string]string{"Accept-Language": "he"}})
	require.Contains(t, w.Body.String(), `<html lang="he" dir="rtl">`)
	require.Contains(t, w.Body.String(), "<h1>כניסה</h1>")
	w = s.do(request{target: "/auth/account", cookies: bothCookie, header: map[string]string{"Accept-Language": "he"}})
	require.Contains(t, w.Body.String(), "2 (two)", "plural forms follow the language")
	w = s.do(request{target: "/auth/sign-in", header: map[string]string{"Accept-Language": "de"}})
	require.Contains(t, w.Body.String(), "Hilfe holen")

	cfg := config()
	delete(hebrew, "title")
	cfg.Catalogs = map[string]map[string]string{"he": hebrew}
	_, err := authhttp.NewWith(cfg, ada())
	require.ErrorContains(t, err, "catalogue he: title is missing")
}

func TestRelativeTimesAndPlurals(t *testing.T) {
	for _, c := range []struct {
		ago    time.Duration
		en, de string
	}{
		{-time.Minute, "just now", "gerade eben"},
		{30 * time.Second, "just now", "gerade eben"},
		{2 * time.Minute, "2 minutes ago", "vor 2 Minuten"},
		{time.Hour, "1 hour ago", "vor 1 Stunde"},
		{24 * time.Hour, "1 day ago", "vor 1 Tag"},
		{29 * 24 * time.Hour, "29 days ago", "vor 29 Tagen"},
		{31 * 24 * time.Hour, "on 31 January 2026", "am 31. Januar 2026"},
	} {
		f := ada()
		f.list[0].SeenAt, f.factors, f.connects = now.Add(-c.ago), nil, nil
		s := open(t, f)
		for lang, want := range map[string]string{"en": c.en, "de": c.de} {
			w := s.do(request{target: "/auth/account", cookies: bothCookie, header: map[string]string{"Accept-Language": lang}})
			times := tags(parse(t, w), "time")
			require.Equal(t, want, textOf(times[1]))
			require.Equal(t, now.Add(-c.ago).Format(time.RFC3339), attr(times[1], "datetime"))
			require.Contains(t, attr(times[1], "title"), "UTC")
		}
	}
}

func TestWaits(t *testing.T) {
	for _, c := range []struct {
		wait   time.Duration
		en, de string
		after  string
	}{
		{-time.Second, "in 1 second", "in 1 Sekunde", "1"},
		{300 * time.Millisecond, "in 1 second", "in 1 Sekunde", "1"},
		{30 * time.Second, "in 30 seconds", "in 30 Sekunden", "30"},
		{91 * time.Second, "in 2 minutes", "in 2 Minuten", "91"},
		{time.Hour, "in 60 minutes", "in 60 Minuten", "3600"},
		{91 * time.Minute, "in 2 hours", "in 2 Stunden", "5460"},
	} {
		f := ada()
		f.err = &flow.DeniedError{Refusal: flow.Refusal{Reason: flow.TooManyAttempts, RetryAt: now.Add(c.wait)}}
		for lang, want := range map[string]string{"en": c.en, "de": c.de} {
			w := open(t, f).do(request{method: "POST", target: "/auth/flow", body: `{"goal":"sign-in"}`, header: map[string]string{"Accept-Language": lang}})
			require.Equal(t, 429, w.Code)
			require.Contains(t, w.Body.String(), want)
			require.Equal(t, c.after, w.Header().Get("Retry-After"))
		}
	}
}
