package main

import (
	"bufio"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// provider is an OpenID provider as a person meets it: what its pages ask, and what is pressed on them.
type provider struct {
	name, issuer, email string
	signIn, signOut     func(b *browser)
	endSession          string // where a person signs out there
}

const (
	connectButton    = `form[action="/auth/connections/add"] button`
	disconnectButton = `form[action="/auth/connections/remove"] button`
	providerButton   = `button[name="connection"]`
)

// demoID is the provider that comes with the site, at the port after it.
func demoID(s site) provider {
	issuer := strings.Replace(s.url, "localhost", "127.0.0.1", 1)
	issuer = issuer[:strings.LastIndex(issuer, ":")+1] + next(issuer[strings.LastIndex(issuer, ":")+1:])
	press := func(b *browser) { b.press("form button") }
	return provider{name: "Demo ID", issuer: issuer, email: "ada@id.example", signIn: press, signOut: press, endSession: issuer + "/end_session"}
}

// realProvider starts a certified one, from the folder of packages that the variable OPENID_PROVIDER names.
func realProvider(t *testing.T, start func(t *testing.T, flags ...string) site) (site, provider) {
	t.Helper()
	node, folder := needed(t, "node"), os.Getenv("OPENID_PROVIDER")
	if folder == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("OPENID_PROVIDER is not set, and CI skips nothing")
		}
		t.Skip("OPENID_PROVIDER names no folder with testdata/openid-provider and its packages (npm ci), so there is no provider to sign in with")
	}
	secret := filepath.Join(t.TempDir(), "secret")
	text := rand.Text() + rand.Text()
	require.NoError(t, os.WriteFile(secret, []byte(text), 0o600))
	port := strings.TrimPrefix(freeAddress(t), "localhost:")
	issuer := "http://127.0.0.1:" + port
	s := start(t, "-oidc-issuer", issuer, "-oidc-secret-file", secret, "-oidc-name", "Real ID")
	cmd := exec.Command(node, filepath.Join(folder, "provider.mjs"))
	cmd.Env = append(os.Environ(), "SITE="+s.url, "SECRET="+text, "PORT="+port)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "issuer "+issuer+"\n", line)
	return s, provider{
		name: "Real ID", issuer: issuer, email: "countess@id.example",
		signIn: func(b *browser) {
			b.write("login", "countess")
			b.write("password", "whatever")
			b.press("form button")
			b.waitFor(`location.hostname === "localhost" || document.querySelector("input[name=login]") === null`)
			if page[string](b, "location.hostname") == "127.0.0.1" { // the first time, it asks whether to tell us
				b.press("form button")
			}
		},
		signOut:    func(b *browser) { b.press(`button[value="yes"]`) },
		endSession: issuer + "/session/end",
	}
}

// TestProvidersInABrowser: the site is at localhost and the provider at 127.0.0.1, which are two sites to a browser, and
// forms of ours may be sent to our own site alone.
func TestProvidersInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := startSite(t)
			openBrowser(t, s, language).connects(demoID(s))
		})
	}
	t.Run("a certified provider", func(t *testing.T) {
		t.Parallel()
		s, p := realProvider(t, startSite)
		openBrowser(t, s, "en").connects(p)
	})
}

// connects is the whole story: connect, sign in without being asked anything, sign out there too, have the provider end
// the session, disconnect.
func (b *browser) connects(p provider) {
	t := b.t
	b.others = true
	b.signIn(ada, false)
	b.visit("/auth/account")
	b.look("connect")
	b.press(connectButton)
	b.waitFor(`location.origin === "` + p.issuer + `"`)
	p.signIn(b)
	b.waitFor(`location.pathname === "/auth/account"`)
	require.Equal(t, b.texts["notice.connection-added"], b.text(".notice"))
	require.Contains(t, b.text("table[aria-labelledby=connections]"), p.name)
	require.Contains(t, b.text("table[aria-labelledby=connections]"), p.email)
	b.look("connected")

	b.visit("/auth/sign-out")
	b.press("form.primary button")
	b.visit(secretPage)
	b.look("sign-in-providers")
	require.Contains(t, b.text(providerButton), p.name)
	b.press(providerButton)
	b.waitFor(`location.pathname + location.search === "` + secretPage + `"`)
	require.Contains(t, b.text("body"), "Only you see this", "signed in, and nobody asked anything")

	b.visit("/auth/sign-out")
	b.press("form.primary button")
	require.Equal(t, b.texts["signed-out-here.title"], b.text("h1"))
	b.look("signed-out-here")
	b.press(".links a.primary")
	p.signOut(b)
	b.waitFor(`location.pathname === "/auth/signed-out"`)
	require.Equal(t, b.texts["signed-out.title"], b.text("h1"))
	b.look("signed-out")

	b.visit(secretPage)
	b.press(providerButton)
	b.waitFor(`location.origin === "` + p.issuer + `"`)
	p.signIn(b)
	b.waitFor(`location.pathname + location.search === "` + secretPage + `"`)
	b.do(chromedp.Navigate(p.endSession))
	p.signOut(b)
	b.visit(secretPage)
	require.Contains(t, b.path(), "/auth/sign-in", "the provider has told us that its session is over")

	b.signIn(ada, false)
	b.visit("/auth/account")
	b.press(disconnectButton)
	b.look("disconnect")
	b.press("form.primary button")
	require.Equal(t, b.texts["notice.connection-removed"], b.text(".notice"))
	b.visit("/auth/sign-out")
	b.press("form.primary button")
	b.visit(secretPage)
	b.press(providerButton)
	b.waitFor(`location.origin === "` + p.issuer + `"`)
	p.signIn(b)
	b.waitFor(`document.querySelector("[role=alert]") !== null`)
	require.Contains(t, b.text("main"), b.texts["reason.not-connected"])
	b.look("not-connected")
}
