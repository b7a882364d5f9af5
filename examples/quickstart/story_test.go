package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// The whole story of one person, in a real browser that runs no scripts, in every language.

var languages = []string{"en", "de"}

const secretPage = "/secret?page=1"

// TestSignInInABrowser: a protected page, the address, a wrong password, the right one, and back to the page.
func TestSignInInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t, startSite(t), language)
			b.noScripts()
			b.visit(secretPage)
			require.Equal(t, "/auth/sign-in?return_to=%2Fsecret%3Fpage%3D1", b.path())
			require.Equal(t, language, b.attribute("html", "lang"))
			require.Equal(t, b.texts["need.identification.title"], b.text("h1"))
			require.Equal(t, "username webauthn", b.attribute(`input[name="identifier"]`, "autocomplete"))
			require.Equal(t, b.texts["submit.identify"], b.text("form.primary button"))
			b.look("sign-in")

			b.identify("not an address", false)
			require.Equal(t, b.texts["reason.address-rejected"], b.text(".field .error"))
			require.Equal(t, "not an address", b.attribute(`input[name="identifier"]`, "value"), "what was typed is kept")
			b.look("sign-in-error")

			b.identify(ada.address, false)
			require.Equal(t, b.texts["need.first-factor.password.title"], b.text("h1"))
			require.Equal(t, ada.address, b.text(".chip .who"))
			require.Equal(t, "current-password", b.attribute(`input[name="password"]`, "autocomplete"))
			b.look("password")

			b.prove("not the password of ada")
			b.wrongPassword()
			b.look("password-error")

			b.prove(ada.password)
			require.Equal(t, b.texts["need.verification.title"], b.text("h1"))
			require.Equal(t, "one-time-code", b.attribute(`input[name="code"]`, "autocomplete"))
			require.Nil(t, b.cookie("cardea-session"))
			b.look("code")
			b.write("code", "0000 0000")
			b.press("form.primary button")
			require.Equal(t, b.texts["reason.wrong-code"], b.text(".field.wrong .error"))
			b.look("code-error")

			b.verify(ada)
			require.Equal(t, secretPage, b.path())
			require.Contains(t, b.text("body"), "Only you see this.")
			require.True(t, b.cookie("cardea-session").Session, "without 'keep me signed in' the cookie ends with the browser")
			require.True(t, b.cookie("cardea-session").HTTPOnly)
		})
	}
}

// TestTooManyPasswordsInABrowser: after five wrong passwords the page says how long to wait, and the right one
// has to wait too.
func TestTooManyPasswordsInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t, startSite(t), language)
			b.visit(secretPage)
			b.identify(ada.address, false)
			for range 5 {
				b.prove("not the password of ada")
			}
			b.prove(ada.password)
			sentence, _, _ := strings.Cut(b.texts["reason.too-many-attempts.wait"], "{wait}")
			require.True(t, strings.HasPrefix(b.text(".error[role=alert]"), sentence), b.text(".error[role=alert]"))
			require.Nil(t, b.cookie("cardea-session"))
			require.NotContains(t, b.html(), ada.password)
			b.look("throttled")
		})
	}
}

// TestKeepMeSignedIn: the cookie outlives the browser, for 30 days.
func TestKeepMeSignedIn(t *testing.T) {
	t.Parallel()
	b := openBrowser(t, startSite(t), "en")
	b.signIn(ada, true)
	cookie := b.cookie("cardea-session")
	require.False(t, cookie.Session)
	require.InDelta(t, time.Now().Add(30*24*time.Hour).Unix(), cookie.Expires, 300)
}

// TestNotYou: the way back from the password to the address.
func TestNotYou(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t, startSite(t), language)
			b.visit(secretPage)
			b.identify(grace.address, false)
			require.Equal(t, b.texts["submit.restart"], b.text(".chip button"))
			b.press(".chip button")
			require.Equal(t, b.texts["need.identification.title"], b.text("h1"))
			require.Zero(t, b.count(".chip"))
			require.Zero(t, b.count(".error:not([hidden])"))
			b.identify(ada.address, false)
			b.prove(ada.password)
			b.verify(ada)
			require.Equal(t, secretPage, b.path(), "the page that was asked for is still known")
		})
	}
}

// TestSessionsInABrowser: the account page lists sessions, ends one, and ends all others.
func TestSessionsInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t, startSite(t), language)
			b.signIn(ada, true)
			b.visit("/auth/account")
			require.Equal(t, b.texts["account.title"], b.text("h1"))
			require.Equal(t, 1, b.count("table[aria-labelledby=sessions] tbody tr"))
			require.Zero(t, b.count("form.danger"), "there are no others to end")
			b.ownSession()
			b.look("account-one")

			second := b.another()
			second.signIn(ada, false)
			b.visit("/auth/account")
			require.Equal(t, 2, b.count("table[aria-labelledby=sessions] tbody tr"))
			b.ownSession()
			require.True(t, strings.HasPrefix(b.text("form.row button"), b.texts["account.end"]))
			b.press("form.row button")
			require.Equal(t, b.texts["notice.session-ended"], b.text(`.notice[role="status"]`))
			require.Equal(t, 1, b.count("table[aria-labelledby=sessions] tbody tr"))
			second.isOut()

			second.signIn(ada, false)
			third := b.another()
			third.signIn(ada, true)
			b.visit("/auth/account")
			require.Equal(t, strings.ReplaceAll(b.texts["account.end-others.other"], "{n}", "2"), b.text("form.danger button"))
			b.look("account")
			b.press("form.danger button")
			require.Equal(t, b.texts["notice.others-ended"], b.text(`.notice[role="status"]`))
			require.Equal(t, 1, b.count("table[aria-labelledby=sessions] tbody tr"))
			b.look("account-notice")
			b.visit("/auth/account")
			require.Zero(t, b.count(".notice"), "a notice is shown once")
			second.isOut()
			third.isOut()
		})
	}
}

// TestPasswordManagersFindTheForm: a browser believes /.well-known/change-password only on a site that knows
// what it does not have. Chromium asks for a page that cannot exist, and unless that is a 404 it leads the
// person to the front page instead (W3C, A Well-Known URL for Changing Passwords).
func TestPasswordManagersFindTheForm(t *testing.T) {
	t.Parallel()
	b := openBrowser(t, startSite(t), "en")
	b.signIn(ada, false)
	b.visit("/.well-known/change-password")
	require.Equal(t, "/auth/password", b.path())
}

// TestChangeOfPasswordInABrowser: the present one is asked for, a weak new one is refused with a reason, and a
// good one ends the other sessions.
func TestChangeOfPasswordInABrowser(t *testing.T) {
	t.Parallel()
	const changed = "violet ladder umbrella thirty"
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t, startSite(t), language)
			b.signIn(ada, false)
			second := b.another()
			second.signIn(ada, true)

			b.visit("/auth/account")
			b.press(`.bar a[href="/auth/password"]`)
			require.Equal(t, "/auth/password", b.path())
			require.Equal(t, b.texts["need.fresh-password.title"], b.text("h1"))
			require.Equal(t, "new-password", b.attribute(`input[name="new_password"]`, "autocomplete"))
			require.Equal(t, ada.address, b.attribute(`input[name="username"]`, "value"), "password managers learn whose it is")
			b.look("change")

			b.change("not the password of ada", changed)
			require.Equal(t, b.texts["reason.bad-credentials.signed-in"], b.text(".error[role=alert]"))
			require.NotContains(t, b.html(), changed)
			b.look("change-wrong")

			b.change(ada.password, "password password password")
			b.reasonInWords()
			b.look("change-weak")

			b.newPassword(ada.password, changed)
			require.Equal(t, "/auth/account", b.path())
			require.Equal(t, b.texts["notice.password-changed"], b.text(`.notice[role="status"]`))
			require.Equal(t, 1, b.count("table[aria-labelledby=sessions] tbody tr"), "the others were ended")
			b.look("changed")
			second.isOut()

			second.visit(secretPage)
			second.identify(ada.address, false)
			second.prove(ada.password)
			second.wrongPassword()
			second.prove(changed)
			second.verify(ada)
			require.Equal(t, secretPage, second.path())
		})
	}
}

// TestSignOutInABrowser: the cookie is gone, and the Back button shows nothing.
func TestSignOutInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t, startSite(t), language)
			b.signIn(ada, true)
			b.visit("/auth/account")
			require.Contains(t, b.html(), ada.address)
			b.press(`form[action="/auth/sign-out"] button`)
			require.Equal(t, "/auth/sign-in", b.path())
			require.Equal(t, b.texts["notice.signed-out"], b.text(`.notice[role="status"]`))
			require.Nil(t, b.cookie("cardea-session"))
			require.NotNil(t, b.cookie("cardea-device"), "the browser stays known")
			b.look("signed-out")
			for _, before := range []string{"the account", "the protected page"} {
				b.do(chromedp.NavigateBack())
				require.Equal(t, b.texts["need.identification.title"], b.text("h1"), "back to %s", before)
				require.NotContains(t, b.html(), ada.address)
			}
			b.do(chromedp.NavigateBack())
			require.Zero(t, b.count("input[type=password]"), "back to the password: the flow was this browser's of before")
			require.NotContains(t, b.html(), ada.address)

			b.signIn(ada, false)
			b.visit("/auth/sign-out")
			require.Equal(t, b.texts["sign-out.title"], b.text("h1"))
			b.look("sign-out")
			b.press("form.primary button")
			b.isOut()
		})
	}
}

// TestAFormThatWasOpenForTooLong: one tab signs out, and the form in the other is worth nothing any more. The
// page says so and leads on.
func TestAFormThatWasOpenForTooLong(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t, startSite(t), language)
			b.visit("/auth/sign-in")
			other := b.tab()
			other.signIn(ada, false)
			other.visit("/auth/account")
			other.press(`form[action="/auth/sign-out"] button`)

			b.write("identifier", ada.address)
			require.EqualValues(t, 403, b.press("form.primary button"))
			require.Equal(t, b.texts["error.403"], b.text("h1"))
			require.Contains(t, b.text("main"), b.texts["reason.forbidden"])
			b.look("forbidden")
			b.press(".links a")
			b.identify(ada.address, false)
			b.prove(ada.password)
			b.verify(ada)
			require.Contains(t, b.text("body"), "Only you see this.")
		})
	}
}

// TestAnOldTab: a form that is one step old shows where things stand and tries nothing; an older one ends.
func TestAnOldTab(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t, startSite(t), language)
			b.visit(secretPage)
			b.identify(ada.address, false)
			other := b.tab()
			other.visit(b.path())
			other.prove("not the password of ada")
			b.prove(ada.password)
			require.Nil(t, b.cookie("cardea-session"), "a form of before is looked at, not used")
			require.Equal(t, b.texts["need.first-factor.password.title"], b.text("h1"))

			other.prove("not the password of ada either")
			other.prove("nor this one")
			b.write("password", ada.password)
			status := b.press("form.primary button")
			require.Nil(t, b.cookie("cardea-session"))
			require.GreaterOrEqual(t, status, int64(400))
			require.NotContains(t, b.html(), ada.password)
			b.look("old-tab")
			b.press(".links a")
			b.identify(ada.address, false)
			b.prove(ada.password)
			b.verify(ada)
			require.NotNil(t, b.cookie("cardea-session"))
		})
	}
}

// TestOtherPages: pages that no story leads to.
func TestOtherPages(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t, startSite(t), language)
			b.visit("/auth/nothing")
			require.Equal(t, b.texts["error.404"], b.text("h1"))
			b.look("not-found")
			b.visit("/auth/sign-in")
			b.do(chromedp.Click(chromedp.CSS("summary")))
			b.look("no-account")
			b.signIn(ada, false)
			b.visit("/auth/confirm?return_to=%2Fsecret")
			require.Equal(t, b.texts["confirm.title"], b.text("h1"))
			b.look("confirm")
			b.press("form.primary button")
			require.Equal(t, "/secret", b.path(), "the sign-in of a moment ago suffices")
		})
	}
}

// noScripts makes sure that the rest is seen by a browser that really runs none.
func (b *browser) noScripts() {
	b.t.Helper()
	b.do(chromedp.Navigate("data:text/html,<title>none</title><script>document.title='ran'</script>"))
	require.Equal(b.t, "none", get(b, chromedp.Title()))
}

// identify fills in the first form and sends it.
func (b *browser) identify(address string, keep bool) {
	b.t.Helper()
	b.write("identifier", address)
	if keep {
		b.tick("keep")
	}
	b.press("form.primary button")
}

// prove fills in the password and sends it.
func (b *browser) prove(password string) {
	b.t.Helper()
	b.write("password", password)
	b.press("form.primary button")
}

// verify types the code from the mail, which a device that is not trusted is asked for.
func (b *browser) verify(who person) {
	b.t.Helper()
	require.Equal(b.t, b.texts["need.verification.title"], b.text("h1"))
	b.write("code", b.mails.code(b.t, who.address))
	b.press("form.primary button")
}

func (b *browser) signIn(who person, keep bool) {
	b.t.Helper()
	b.visit(secretPage)
	b.identify(who.address, keep)
	b.prove(who.password)
	b.verify(who)
	require.Equal(b.t, secretPage, b.path())
}

// isOut makes a request and finds itself signed out.
func (b *browser) isOut() {
	b.t.Helper()
	b.visit(secretPage)
	require.True(b.t, strings.HasPrefix(b.path(), "/auth/sign-in?"), b.path())
}

// wrongPassword checks the page after a wrong password: one alert, beside the field, and no secret.
func (b *browser) wrongPassword() {
	b.t.Helper()
	require.Equal(b.t, b.texts["reason.bad-credentials"], b.text(".field.wrong .error"))
	require.Equal(b.t, 1, b.count("[role=alert]:not([hidden])"))
	id := b.attribute(".field.wrong .error", "id")
	require.Contains(b.t, strings.Fields(b.attribute(`input[name="password"]`, "aria-describedby")), id)
	require.Equal(b.t, "true", b.attribute(`input[name="password"]`, "aria-invalid"))
	require.Equal(b.t, ada.address, b.text(".chip .who"))
	require.Empty(b.t, b.attribute(`input[name="password"]`, "value"))
	require.NotContains(b.t, b.html(), "not the password")
	require.True(b.t, strings.HasPrefix(get(b, chromedp.Title()), strings.ReplaceAll(b.texts["title.error"], "{title}", "")))
}

// ownSession checks the row of the session that is looking.
func (b *browser) ownSession() {
	b.t.Helper()
	system := strings.NewReplacer("{browser}", "Chrome", "{system}", "Linux")
	require.Equal(b.t, 1, b.count(".list tr.current"))
	require.Equal(b.t, system.Replace(b.texts["device.summary"]), b.text(".list tr.current strong"))
	require.Equal(b.t, b.texts["account.this"], b.text(".list tr.current .badge"))
	require.Contains(b.t, b.text(".list tr.current"), "127.0.0.*")
	require.Contains(b.t, b.text(".list tr.current td > time"), b.texts["time.now"])
	require.Contains(b.t, b.text(".list tr.current"), b.texts["account.kept"])
	require.Zero(b.t, b.count(".list tr.current form"), "it is ended by signing out")
}

func (b *browser) change(current, next string) {
	b.t.Helper()
	if b.path() != "/auth/password" {
		b.visit("/auth/password")
	}
	b.write("password", current)
	b.write("new_password", next)
	b.press("form.primary button")
}

// newPassword goes on from a refused new password, on whatever form the page shows.
func (b *browser) newPassword(current, next string) {
	b.t.Helper()
	if b.count(`input[name="password"]`) > 0 {
		b.write("password", current)
	}
	b.write("new_password", next)
	b.press("form.primary button")
}

// reasonInWords checks that a refused new password is told why.
func (b *browser) reasonInWords() {
	b.t.Helper()
	said := b.text(".field.wrong .error")
	for key, text := range b.texts {
		if strings.HasPrefix(key, "problem.") && text == said {
			return
		}
	}
	require.Fail(b.t, "no reason of the catalogue", fmt.Sprintf("%q", said))
}
