package mail_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/mail"
)

// files makes a folder of overrides from pairs of name and text.
func files(pairs ...string) fs.FS {
	folder := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		folder[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return folder
}

func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	_, err := mail.New(mail.Config{
		Origin: "http://app.example", Prefix: "auth/", Product: "a\nb", From: "nobody", ReplyTo: "a@b", Support: "\"a b\"@example.org",
		Help: "javascript:alert(1)", Pages: mail.Pages{SignIn: "//evil.example"}, Language: "fr",
		Overrides: files("de.json", "{", "layout.html", "{{", "readme.md", ""),
	})
	for _, field := range []string{"Origin:", "Prefix:", "Product:", "From:", "ReplyTo:", "Support:", "Help:", "Pages:", "Language is", "de.json:", "layout.html", "readme.md: nothing reads it"} {
		require.ErrorContains(t, err, field)
	}
	_, err = mail.New(mail.Config{})
	for _, field := range []string{"Origin: it is required", "Product: it is required", "From: it is required", "Help: it is required"} {
		require.ErrorContains(t, err, field)
	}
}

func TestConfigRefuses(t *testing.T) {
	for name, change := range map[string]func(c *mail.Config){
		"origin with a path":     func(c *mail.Config) { c.Origin = "https://app.example/x" },
		"origin with a user":     func(c *mail.Config) { c.Origin = "https://ada@app.example" },
		"origin of another kind": func(c *mail.Config) { c.Origin = "ftp://app.example" },
		"prefix out of the site": func(c *mail.Config) { c.Prefix = "//evil.example" },
		"prefix with a query":    func(c *mail.Config) { c.Prefix = "/auth?x" },
		"product with a header":  func(c *mail.Config) { c.Product = "Example\r\nBcc: eve@evil.example" },
		"product too long":       func(c *mail.Config) { c.Product = strings.Repeat("x", 65) },
		"product that turns":     func(c *mail.Config) { c.Product = "Example\u202e" },
		"from with a header":     func(c *mail.Config) { c.From = "a@app.example\r\nBcc: eve@evil.example" },
		"name with a header":     func(c *mail.Config) { c.From = "\"a\r\n b\" <a@app.example>" },
		"name with a control":    func(c *mail.Config) { c.From = "=?utf-8?q?a=0D=0Ab?= <a@app.example>" },
		"two senders":            func(c *mail.Config) { c.From = "a@app.example, b@app.example" },
		"sender not for all":     func(c *mail.Config) { c.From = "zoë@app.example" },
		"help elsewhere":         func(c *mail.Config) { c.Help = "http://help.example" },
		"help with a break":      func(c *mail.Config) { c.Help = "/help\nx" },
		"help with a backslash":  func(c *mail.Config) { c.Help = `/\evil.example` },
		"help as a mail":         func(c *mail.Config) { c.Help = "mailto:a@app.example" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := sound()
			change(&cfg)
			r, err := mail.New(cfg)
			require.Error(t, err)
			require.Nil(t, r)
		})
	}
}

func TestLoopbackMayBePlain(t *testing.T) {
	for _, origin := range []string{"http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080", "https://app.example/"} {
		r := newRenderer(t, func(c *mail.Config) { c.Origin = origin })
		m, err := r.Render(letterOf(auth.ResetLetter, "en"))
		require.NoError(t, err)
		require.Contains(t, m.HTML.Reveal(), `href="`+strings.TrimSuffix(origin, "/")+`/auth/link/reset?t=`+fakeToken)
	}
}

func TestTextsAreOverriddenOneByOne(t *testing.T) {
	r := newRenderer(t, func(c *mail.Config) {
		c.Overrides = files(
			"de.json", `{"letters":{"reset":{"subject":"Servus bei {product}"}},"words":{"zone.CET":"MEZ"}}`,
			"de-AT.json", `{"words":{"month.1":"Jänner","greeting":"Grüß Gott,"}}`)
		c.TimeZone = time.FixedZone("CET", 3600)
	})
	l, secret := letterOf(auth.ResetLetter, "de-CH")
	m, err := r.Render(l, secret)
	require.NoError(t, err)
	require.Equal(t, "Servus bei Example", m.Subject)
	require.Contains(t, m.Text.Reveal(), "Neues Passwort festlegen")
	require.Contains(t, m.Text.Reveal(), "13:30\u00a0Uhr\u00a0MEZ")

	l.Language, l.At, l.Name = "de-AT", time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), ""
	m, err = r.Render(l, secret)
	require.NoError(t, err)
	require.Equal(t, "de-AT", m.Language)
	require.Equal(t, "Servus bei Example", m.Subject)
	require.Contains(t, m.Text.Reveal(), "Grüß Gott,")
	require.Contains(t, m.Text.Reveal(), "Jänner")
}

// TestAWholeNewLanguage renames the English catalogue, and tries a language with more plural forms.
func TestAWholeNewLanguage(t *testing.T) {
	english, err := os.ReadFile("texts/en.json")
	require.NoError(t, err)
	polish := strings.Replace(string(english), `"duration.minutes.one"`, `"duration.minutes.few": "{n} minuty", "duration.minutes.many": "{n} minut", "duration.minutes.one"`, 1)
	r := newRenderer(t, func(c *mail.Config) { c.Overrides = files("pl.json", polish) })
	l, secret := letterOf(auth.SignInLetter, "pl")
	l.ExpiresAt = noon.Add(3 * time.Minute)
	m, err := r.Render(l, secret)
	require.NoError(t, err)
	require.Contains(t, m.Text.Reveal(), "3 minuty")
	l.ExpiresAt = noon.Add(5 * time.Minute)
	m, err = r.Render(l, secret)
	require.NoError(t, err)
	require.Contains(t, m.Text.Reveal(), "5 minut,")

	arabic := newRenderer(t, func(c *mail.Config) { c.Overrides = files("ar.json", string(english)) })
	l.Language = "ar-EG"
	m, err = arabic.Render(l, secret)
	require.NoError(t, err)
	require.Contains(t, m.HTML.Reveal(), `<html lang="ar" dir="rtl">`)
	require.Contains(t, m.HTML.Reveal(), `<p dir="ltr"`, "codes are read from the left everywhere")
}

// TestBrokenOverrides: whatever is wrong is told when the program starts, and not when a mail is due.
func TestBrokenOverrides(t *testing.T) {
	layout, err := os.ReadFile("layout/layout.html")
	require.NoError(t, err)
	text, err := os.ReadFile("layout/layout.txt")
	require.NoError(t, err)
	without := func(from []byte, part string) string {
		require.Contains(t, string(from), part)
		return strings.ReplaceAll(string(from), part, "")
	}
	for name, row := range map[string]struct {
		folder fs.FS
		want   string
	}{
		"no JSON":               {files("de.json", "Servus"), "de.json"},
		"two catalogues":        {files("de.json", "{}{}"), "behind the catalogue"},
		"not UTF-8":             {files("de.json", "{\"words\":{\"greeting\":\"\xff\"}}"), "not UTF-8"},
		"unknown part":          {files("de.json", `{"mails":{}}`), "mails"},
		"unknown kind":          {files("de.json", `{"letters":{"resett":{}}}`), `"resett"`},
		"unknown field":         {files("de.json", `{"letters":{"reset":{"subjekt":"x"}}}`), `"subjekt"`},
		"a button too much":     {files("de.json", `{"letters":{"sign-in":{"button":"x"}}}`), `"button"`},
		"unknown word":          {files("de.json", `{"words":{"greetings":"x"}}`), "greetings"},
		"unknown language":      {files("deutsch_.json", `{}`), "no language tag"},
		"half a language":       {files("fr.json", `{"words":{"greeting":"Bonjour,"}}`), "catalogue fr"},
		"emptied text":          {files("de.json", `{"letters":{"reset":{"why":""}}}`), "reset has no why"},
		"emptied word":          {files("de.json", `{"words":{"why":""}}`), "why is missing"},
		"line break in subject": {files("de.json", `{"letters":{"reset":{"subject":"a\r\nBcc: eve@evil.example"}}}`), "line break"},
		"long subject":          {files("de.json", `{"letters":{"reset":{"subject":"`+strings.Repeat("x", 241)+`"}}}`), "more than 240"},
		"long text":             {files("de.json", `{"letters":{"reset":{"text":"`+strings.Repeat("x", 4097)+`"}}}`), "more than 4096"},
		"unfilled placeholder":  {files("de.json", `{"letters":{"reset":{"text":"Hallo {name}"}}}`), "{name}"},
		"lost placeholder":      {files("de.json", `{"words":{"valid.link":"Gilt {duration}."}}`), "{until}"},
		"no template":           {files("layout.html", "{{if}}"), "layout.html"},
		"no layout in it":       {files("layout.html", "<p>"), "the layout failed"},
		"unknown value":         {files("layout.txt", `{{define "layout"}}{{.Secret}}{{end}}`), "the layout failed"},
		"unknown function":      {files("layout.txt", `{{define "layout"}}{{exec .}}{{end}}`), "exec"},
		"link lost":             {files("layout.html", without(layout, "{{.URL}}")), "layout.html loses"},
		"link lost in text":     {files("layout.txt", without(text, "{{.URL}}")), "layout.txt loses"},
		"code lost":             {files("layout.html", without(layout, "{{$group}}")), "layout.html loses"},
		"reason lost":           {files("layout.html", without(layout, "{{.Why}}")), "layout.html loses"},
		"advice lost":           {files("layout.txt", without(text, "{{wrap .Unasked}}")), "layout.txt loses"},
		"help lost":             {files("layout.txt", without(text, "{{.Help.URL}}")), "layout.txt loses"},
		"a file nothing reads":  {files("de.yaml", ""), "nothing reads it"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := sound()
			cfg.Overrides = row.folder
			r, err := mail.New(cfg)
			require.ErrorContains(t, err, row.want)
			require.Nil(t, r)
		})
	}
}

func TestALayoutOfOnesOwn(t *testing.T) {
	r := newRenderer(t, func(c *mail.Config) {
		c.Overrides = files("layout.html", `{{define "layout"}}<h1>{{.Heading}}</h1>{{.Text}} {{range .CodeGroups}}{{.}} {{end}}
			{{with .Button}}<a href="{{.URL}}">{{.Label}}</a> {{.URL}}{{end}} {{.Valid}} {{.Unasked}} {{.Why}} <a href="{{.Help.URL}}">?</a>{{end}}`)
	})
	l, secret := letterOf(auth.ResetLetter, "en")
	l.Name = "<script>"
	m, err := r.Render(l, secret)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(m.HTML.Reveal(), "<h1>Set a new password</h1>"))
}

func TestMarkupIsEscaped(t *testing.T) {
	r := newRenderer(t, func(c *mail.Config) { c.Product = `<b>"Ex" & 'Co'</b>` })
	m, err := r.Render(letterOf(auth.InvitationLetter, "en"))
	require.NoError(t, err)
	require.NotContains(t, m.HTML.Reveal(), "<b>")
	require.Contains(t, m.Text.Reveal(), `<b>"Ex" & 'Co'</b>`)
}
