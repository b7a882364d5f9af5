package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/mail"
)

// TestTheOutboxInABrowser: a code is read where the mail is shown, and a link in a mail opens its page.
func TestTheOutboxInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t, startSite(t, "-invite", ""), language)
			b.visit("/outbox")
			require.Equal(t, "Outbox", b.text("h1"))
			require.Zero(t, b.count(".mail"))
			b.look("outbox-empty")
			b.visit("/")
			b.identify(ada.address, false)
			b.prove(ada.password)
			code := b.mails.code(t, ada.address)

			desk := b.tab()
			desk.visit("/outbox")
			require.Equal(t, 1, desk.count(".mail[open]"))
			require.Equal(t, language, desk.attribute(".mail strong", "lang"), "in the language of the browser, as the account has none")
			require.Contains(t, desk.text(".mail small"), ada.address)
			desk.look("outbox-code")
			desk.do(chromedp.Click(chromedp.CSS(".text summary")))
			require.Contains(t, desk.text(".text pre"), code)
			desk.look("outbox-text")

			b.write("code", code)
			b.press("form.primary button")
			require.Equal(t, "/", b.path())
			require.Contains(t, b.text("body"), "Only you see this.")
			b.look("front")
			b.press(`a[href="/outbox"]`)
			require.Eventually(t, func() bool {
				b.press(`.top a`)
				return b.count(".mail") == 2
			}, 10*time.Second, 50*time.Millisecond, "the owner is told of the new device")
			b.look("outbox")

			b.another().signIn(grace, false)
			b.visit("/outbox")
			b.press(`.filter a[href="/outbox?to=grace%40example.com"]`)
			require.NotContains(t, b.text(".mails"), ada.address)
			require.Equal(t, grace.address, b.text(".filter [aria-current]"))
			b.look("outbox-filtered")
		})
	}
}

// TestALinkInTheOutbox: a mail stands in a frame that may do nothing but lead the page elsewhere, if somebody
// clicks.
func TestALinkInTheOutbox(t *testing.T) {
	t.Parallel()
	b := openBrowser(t, startSite(t), "en")
	b.signIn(ada, false)
	b.visit("/outbox?to=" + ada.address)
	require.Eventually(t, func() bool {
		b.visit("/outbox?to=" + ada.address)
		return b.attribute(".mail", "data-kind") == string("new-device")
	}, 10*time.Second, 50*time.Millisecond)
	b.do(chromedp.EmulateViewport(1280, 1200))
	frame := page[[]float64](b, `(() => { const r = document.querySelector("iframe").getBoundingClientRect(); return [r.x, r.y, r.width] })()`)
	for down := 60.0; down < 500 && b.path() != "/auth/account"; down += 20 { // the button is wide, and somewhere there
		b.do(chromedp.MouseClickXY(frame[0]+frame[2]/2, frame[1]+down))
		time.Sleep(50 * time.Millisecond)
	}
	require.Equal(t, "/auth/account", b.path())
	require.Equal(t, b.texts["account.title"], b.text("h1"))
}

// TestSomebodyIsInvited: the demo has somebody to begin as, who can be anybody.
func TestSomebodyIsInvited(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"mary@example.com", "alan@example.com"} {
		s := startSite(t, "-invite", address)
		require.True(t, strings.HasPrefix(s.mails.link(t, address), s.url+"/auth/link/invitation?t="))
	}
}

// TestMailsOverARealServer: with its flags the program sends mails, in both languages, and shows none.
func TestMailsOverARealServer(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := startMailingSite(t)
			b := openBrowser(t, s, language)
			b.visit(secretPage)
			b.identify(ada.address, false)
			b.prove(ada.password)
			require.Equal(t, b.texts["need.verification.title"], b.text("h1"))
			m := s.mails.await(t, ada.address, codeInMail)
			require.Equal(t, language, m.language)
			code := codeInMail.FindStringSubmatch(m.text)[1]
			require.Contains(t, strings.Join(regexp.MustCompile(`>(\d{4})<`).FindAllString(m.html, -1), ""), strings.ReplaceAll(code, " ", "<>"))
			b.write("code", code)
			b.press("form.primary button")
			require.Equal(t, secretPage, b.path())
			b.visit("/")
			require.Zero(t, b.count(`a[href="/outbox"]`))
			b.visit("/outbox")
			require.Zero(t, b.count(".mail"))
			require.Contains(t, b.text("body"), "Only you see this.", "it is a page like any other")
		})
	}
}

// TestTheFlagsOfAMailServer: what is wrong with them is said before anything is served, and all of it.
func TestTheFlagsOfAMailServer(t *testing.T) {
	t.Parallel()
	path, err := binary()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), path, "-data", filepath.Join(t.TempDir(), "site.db"), "-smtp", "mail.example", "-smtp-password-file", filepath.Join(t.TempDir(), "none"))
	said, err := cmd.CombinedOutput()
	require.Error(t, err)
	for _, problem := range []string{"-smtp is", "-smtp needs -from", "none: no such file"} {
		require.Contains(t, string(said), problem)
	}
	_, err = os.Stat("quickstart.db")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// The outbox opens accounts. Somebody on the network must not see it, nor a page whose name leads here
// (DNS rebinding).
func TestTheOutboxIsForThisMachine(t *testing.T) {
	for _, c := range []struct {
		from, host string
		status     int
	}{
		{"127.0.0.1:5000", "localhost:8080", 200},
		{"[::1]:5000", "localhost", 200},
		{"127.0.0.1:5000", "127.0.0.1:8080", 200},
		{"[::ffff:127.0.0.1]:5000", "[::1]:8080", 200},
		{"192.0.2.7:5000", "localhost:8080", 404},
		{"[2001:db8::1]:5000", "localhost:8080", 404},
		{"127.0.0.1:5000", "evil.example:8080", 404},
		{"127.0.0.1:5000", "localhost.evil.example", 404},
		{"127.0.0.1:5000", "192.0.2.7", 404},
		{"127.0.0.1:5000", "", 404},
		{"@", "localhost:8080", 404},
	} {
		r := httptest.NewRequest("GET", "/outbox", nil)
		r.RemoteAddr, r.Host = c.from, c.host
		w := httptest.NewRecorder()
		outboxPage(w, r)
		require.Equal(t, c.status, w.Code, c)
	}
}

// A mail can do nothing to the page that shows it, and whatever is in it stays in its frame.
func TestMailsStayInTheirFrames(t *testing.T) {
	const evil = `"></iframe><script>alert(1)</script>`
	t.Cleanup(func() { outbox = mail.Preview{} })
	m := mail.Message{ID: "m1", Kind: "sign-in", Language: "en", Subject: evil, MessageID: "<m1@quickstart.example>"}
	m.To.Address = "ada@example.com"
	require.NoError(t, outbox.Send(t.Context(), m))
	r := httptest.NewRequest("GET", "/outbox?to="+"%22%3E%3Cscript%3E", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:5000", "localhost:8080"
	w := httptest.NewRecorder()
	outboxPage(w, r)
	require.Equal(t, 200, w.Code)
	require.NotContains(t, w.Body.String(), "<script")
	r = httptest.NewRequest("GET", "/outbox?to=ADA@example.com", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:5000", "localhost:8080"
	w = httptest.NewRecorder()
	outboxPage(w, r)
	require.Len(t, mailsOn(w.Body.String()), 1)
	require.NotContains(t, w.Body.String(), "<script")
	require.Equal(t, http.StatusOK, w.Code)
	require.NotContains(t, regexp.MustCompile(`sandbox="([^"]*)"`).FindString(w.Body.String()), "allow-s", "neither scripts nor this origin")
	require.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
}
