package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// What goes through the mailbox, in a real browser that runs no scripts, over a real mail server, in every
// language.

const (
	fresh  = "lantern gravel ostrich tempo"
	newest = "marble canyon whisper eleven"
)

// TestInvitationInABrowser: the link opens a page for the first password, and then the person signs in.
func TestInvitationInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := startMailingSite(t)
			mary := person{"mary@example.com", fresh}
			link := s.mails.link(t, mary.address)
			scan(t, link)
			b := openBrowser(t, s, language)
			b.follow(link)
			require.Equal(t, "/auth/link/invitation", b.path(), "the token is out of the address")
			require.Equal(t, b.texts["need.new-password.title.activation"], b.text("h1"))
			require.Equal(t, mary.address, b.text(".chip .who"))
			require.Equal(t, "new-password", b.attribute(`input[name="new_password"]`, "autocomplete"))
			b.look("invitation")
			b.write("new_password", "too short")
			b.press("form.primary button")
			require.Equal(t, strings.ReplaceAll(b.texts["problem.too-short"], "{min}", "15"), b.text(".field.wrong .error"))
			b.write("new_password", mary.password)
			b.press("form.primary button")
			require.Equal(t, b.texts["completed.activation.title"], b.text("h1"))
			require.Nil(t, b.cookie("cardea-session"), "and signs nobody in")
			require.Nil(t, b.cookie("cardea-link"))
			b.signIn(mary, false)

			other := b.another()
			other.follow(link)
			other.badLink()
			other.look("bad-link")
		})
	}
}

// scan reads a link as mail scanners do, twice, and follows where it leads.
func scan(t *testing.T, link string) {
	t.Helper()
	for range 2 {
		client := newClient(t)
		for url := link; url != ""; {
			w, err := client.Get(url)
			require.NoError(t, err)
			require.NoError(t, w.Body.Close())
			url = ""
			if w.StatusCode == http.StatusSeeOther {
				next, err := w.Location()
				require.NoError(t, err)
				url = next.String()
			}
		}
	}
}

// follow opens an address from a mail.
func (b *browser) follow(link string) {
	b.t.Helper()
	b.do(chromedp.Navigate(link))
}

// badLink checks the page of a link that is no good, and the way on.
func (b *browser) badLink() {
	b.t.Helper()
	require.Equal(b.t, b.texts["bad-link.title"], b.text("h1"))
	require.Equal(b.t, 1, b.count(`a.primary[href="/auth/recovery"]`))
}

// TestForgottenPasswordInABrowser: asked for in one browser, done in another, and all sessions end.
func TestForgottenPasswordInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := startMailingSite(t)
			b := openBrowser(t, s, language)
			b.signIn(ada, true)
			asking, reading := b.another(), b.another()
			asking.visit("/auth/sign-in")
			asking.press(`footer a[href="/auth/recovery"]`)
			asking.look("recovery")
			asking.write("identifier", ada.address)
			asking.press("form.primary button")
			require.Equal(t, b.texts["need.address.title"], asking.text("h1"))
			require.Equal(t, b.texts["need.address.lead.recovery"], asking.text(".lead"))
			asking.look("recovery-sent")

			link := s.mails.link(t, ada.address)
			scan(t, link)
			reading.follow(link)
			require.Equal(t, "/auth/link/reset", reading.path())
			require.NotContains(t, reading.html(), strings.TrimPrefix(link, s.url+"/auth/link/reset?t="))
			require.True(t, page[bool](reading, `document.querySelector("input[name=end_others]").checked`))
			reading.look("new-password")
			reading.write("new_password", fresh)
			reading.press("form.primary button")
			require.Equal(t, b.texts["completed.recovery.title"], reading.text("h1"))
			b.isOut()

			reading.follow(link)
			reading.badLink()
			reading.press("a.primary")
			require.Equal(t, "/auth/recovery", reading.path())
			b.visit(secretPage)
			b.identify(ada.address, false)
			b.prove(ada.password)
			b.wrongPassword()
			b.prove(fresh)
			b.verify(person{ada.address, fresh})
			require.Equal(t, secretPage, b.path())
		})
	}
}

// TestSignUpInABrowser opens an account, and shows the owner of a taken address nothing else.
func TestSignUpInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := startMailingSite(t, "-sign-up")
			b := openBrowser(t, s, language)
			b.visit("/auth/sign-in")
			b.press(`footer a[href="/auth/sign-up"]`)
			require.Equal(t, b.texts["need.identification.title.sign-up"], b.text("h1"))
			b.look("sign-up")
			b.write("identifier", ada.address)
			b.press("form.primary button")
			taken := b.text("main")
			b.press(".chip button")
			b.visit("/auth/sign-up")
			joan := person{"joan@example.com", fresh}
			b.write("identifier", joan.address)
			b.press("form.primary button")
			require.Equal(t, strings.ReplaceAll(taken, ada.address, joan.address), b.text("main"))
			b.look("sign-up-code")
			b.write("code", s.mails.code(t, joan.address))
			b.press("form.primary button")
			require.Equal(t, b.texts["need.new-password.title.sign-up"], b.text("h1"))
			b.write("new_password", joan.password)
			b.press("form.primary button")
			require.Equal(t, b.texts["completed.sign-up.title"], b.text("h1"))
			b.signIn(joan, false)
		})
	}
}

// TestChangeOfAddressInABrowser: proven by a code at the new address, told to the old one, and undone from there.
func TestChangeOfAddressInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := startMailingSite(t)
			b := openBrowser(t, s, language)
			b.signIn(grace, false)
			b.visit("/auth/account")
			b.press(`a[href="/auth/address"]`)
			require.Equal(t, b.texts["need.new-address.title"], b.text("h1"))
			b.look("address")
			b.write("identifier", "grace.h@example.com")
			b.press("form.primary button")
			require.Equal(t, strings.ReplaceAll(b.texts["candidate.lead"], "{address}", "grace.h@example.com"), b.text(".lead"))
			b.look("address-code")
			b.write("code", s.mails.code(t, "grace.h@example.com"))
			b.press("form.primary button")
			require.Equal(t, b.texts["notice.address-changed"], b.text(".notice"))
			require.Contains(t, b.text(".chip .who"), "grace.h@example.com")

			owner := b.another()
			link := s.mails.link(t, grace.address)
			scan(t, link)
			b.visit("/auth/account")
			require.Contains(t, b.text(".chip .who"), "grace.h@example.com", "scanners undo nothing")
			owner.follow(link)
			require.Equal(t, b.texts["link.undo.title"], owner.text("h1"))
			owner.look("undo")
			owner.press("form.primary button")
			require.Equal(t, b.texts["completed.reversal.title"], owner.text("h1"))
			b.isOut()
			owner.press("a.primary")
			owner.write("identifier", grace.address)
			owner.press("form.primary button")
			owner.follow(s.mails.link(t, grace.address))
			owner.write("new_password", newest)
			owner.press("form.primary button")
			owner.signIn(person{grace.address, newest}, false)
		})
	}
}

// TestMailHelpInABrowser: the page that every mail leads to.
func TestMailHelpInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t, startSite(t), language)
			b.visit("/auth/help/mail")
			require.Equal(t, b.texts["mail-help.title"], b.text("h1"))
			b.look("mail-help")
		})
	}
}

// TestTrustedDeviceInABrowser: after a code from a mail the device is trusted, by a name that its owner gives it, and
// asked for no code until the trust is taken back.
func TestTrustedDeviceInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := startMailingSite(t)
			b := openBrowser(t, s, language)
			b.toSecondFactor(ada)
			b.tick("trust")
			b.verify(ada)
			require.Equal(t, secretPage, b.path())
			m := s.mails.await(t, ada.address, regexp.MustCompile(`/auth/account`))
			require.Equal(t, language, m.language, "the owner is told")

			b.visit("/auth/account")
			b.do(chromedp.Click(chromedp.CSS(`table[aria-labelledby=devices] details.rename summary`)))
			b.writeIn("table[aria-labelledby=devices]", "name", "Schreibtisch")
			b.press("table[aria-labelledby=devices] details.rename button")
			require.Equal(t, b.texts["notice.device-renamed"], b.text(".notice"))
			require.Equal(t, "Schreibtisch", b.text("table[aria-labelledby=devices] strong"))
			b.look("devices")

			b.signOut()
			b.toSecondFactor(ada)
			require.Equal(t, secretPage, b.path(), "no code is asked for")
			b.visit("/auth/account")
			b.press("table[aria-labelledby=devices] td.act button")
			require.Equal(t, b.texts["notice.device-removed"], b.text(".notice"))
			b.signOut()
			b.toSecondFactor(ada)
			require.Equal(t, b.texts["need.verification.title"], b.text("h1"))
		})
	}
}

func (b *browser) signOut() {
	b.t.Helper()
	b.visit("/auth/sign-out")
	b.press("form.primary button")
}
