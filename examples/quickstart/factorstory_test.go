package main

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
)

// authenticator is an app that was paired by typing the key.
type authenticator struct{ key string }

// code is the app's code, a step later than the last one that was asked for: each works once.
func (a authenticator) code(t *testing.T, later int) string {
	t.Helper()
	code, err := totp.GenerateCode(a.key, time.Now().Add(time.Duration(later)*30*time.Second))
	require.NoError(t, err)
	return code
}

// TestAuthenticatorAppInABrowser pairs an app, signs in with it, and with a recovery code when it is lost.
func TestAuthenticatorAppInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := startSite(t)
			b := openBrowser(t, s, language)
			b.noScripts()
			b.signIn(ada, false)
			app := b.pairApp()
			codes := b.makeCodes()

			other := b.another()
			other.toSecondFactor(ada)
			require.Equal(t, b.texts["need.second-factor.totp.title"], other.text("h1"))
			other.look("second-factor")
			other.write("code", "000000")
			other.press("form.primary button")
			require.Equal(t, b.texts["reason.wrong-code"], other.text(".field.wrong .error"))
			require.Nil(t, other.cookie("cardea-session"))
			other.write("code", app.code(t, 1))
			other.press("form.primary button")
			require.Equal(t, secretPage, other.path())

			lost := b.another()
			lost.toSecondFactor(ada)
			lost.unfold()
			lost.useCode(strings.ToLower(codes[0]))
			require.Equal(t, b.texts["code-used.title"], lost.text("h1"), "a push to replace what is lost")
			require.Contains(t, lost.text(".lead"), strings.ReplaceAll(b.texts["code-used.left.other"], "{n}", "9"))
			lost.look("code-used")
			lost.press(".links a:not(.button)")
			require.Equal(t, secretPage, lost.path())
			again := b.another()
			again.toSecondFactor(ada)
			again.unfold()
			again.useCode(codes[0])
			require.NotEqual(t, secretPage, again.path(), "each works once")

			b.visit("/auth/account")
			require.Contains(t, b.text("table[aria-labelledby=factors]"), strings.ReplaceAll(b.texts["account.codes-left.other"], "{n}", "9"))
			b.press("table[aria-labelledby=factors] td.act button")
			require.Equal(t, b.texts["need.removal.title"], b.text("h1"))
			b.look("factor-remove")
			b.press("form.primary button")
			require.Equal(t, b.texts["notice.factor-removed"], b.text(".notice"))
			require.Zero(t, b.count("table[aria-labelledby=factors]"), "the codes went with it")
			other.isOut()
		})
	}
}

// pairApp adds an authenticator app to the account that the browser is signed in to.
func (b *browser) pairApp() authenticator {
	b.t.Helper()
	b.visit("/auth/account")
	b.press(`form[action="/auth/factors/add"]:has(input[value="totp"]) button`)
	require.Equal(b.t, b.texts["need.new-factor.enrol-totp.title"], b.text("h1"))
	require.Equal(b.t, 1, b.count(".qr svg[role=img] title"))
	b.look("pairing")
	app := authenticator{strings.ReplaceAll(b.text(".key"), " ", "")}
	app.key = strings.Join(strings.Fields(app.key), "")
	b.write("code", app.code(b.t, 0))
	b.write("name", "Telefon")
	b.press("form.primary button")
	require.Equal(b.t, b.texts["notice.factor-added"], b.text(".notice"))
	require.Contains(b.t, b.text("table[aria-labelledby=factors]"), "Telefon")
	b.look("factors")
	return app
}

// makeCodes makes recovery codes and returns those that the page shows.
func (b *browser) makeCodes() []string {
	b.t.Helper()
	b.press(`form:has(input[value="recovery-code"]) button`)
	b.press("form.primary button")
	require.Equal(b.t, b.texts["codes.title"], b.text("h1"))
	b.look("codes")
	codes := page[[]string](b, `[...document.querySelectorAll(".codes li")].map(e => e.innerText.trim())`)
	require.Len(b.t, codes, 10)
	b.press("a.primary")
	require.Equal(b.t, "/auth/account", b.path())
	return codes
}

// toSecondFactor signs in as far as the password goes.
func (b *browser) toSecondFactor(who person) {
	b.t.Helper()
	b.visit(secretPage)
	b.identify(who.address, false)
	b.prove(who.password)
}

// useCode types into the form for recovery codes, which is not the first one.
func (b *browser) useCode(code string) {
	b.t.Helper()
	b.writeIn("details.fold", "code", code)
	b.press("details.fold button")
}

// unfold opens the form for recovery codes.
func (b *browser) unfold() {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS("details.fold summary")))
}
