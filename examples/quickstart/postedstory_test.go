package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/standard"
	"github.com/cardea-auth/cardea/federation"
	"github.com/cardea-auth/cardea/federation/oidc"
	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

// startPosted runs a site with a provider, at another site, that has the browser post its answers, as Apple does.
func startPosted(t *testing.T) site {
	t.Helper()
	l, err := net.Listen("tcp", freeAddress(t))
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	origin := "http://localhost:" + port
	op := oidctest.Start(t, oidctest.Config{
		Clients: []oidctest.Client{{ID: "site", Secret: "kept", RedirectURIs: []string{origin + "/auth/provider/posting/callback"}}},
		People:  []oidctest.Person{{Subject: "ada", Email: "ada@id.example", EmailVerified: true}},
	})
	provider, err := oidc.New(oidc.Config{
		Info: auth.ProviderInfo{ID: "posting", Name: "Posting ID", FormPost: true}, Issuer: op.Issuer(), ClientID: "site",
		ClientSecret: auth.NewSecret("kept"), HTTP: federation.ClientConfig{Development: true},
	})
	require.NoError(t, err)
	assembled, err := standard.Open(t.Context(), standard.Config{
		Origin: origin, Product: "Quickstart", Driver: "sqlite", Database: filepath.Join(t.TempDir(), "site.db"), Providers: []auth.Provider{provider},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, assembled.Close()) })
	mux := http.NewServeMux()
	mux.Handle("/auth/", assembled)
	mux.Handle("/", assembled.Require(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("Only you see this."))
	})))
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: mux}}
	server.Start()
	t.Cleanup(server.Close)
	_, err = assembled.Service.CreateAccount(t.Context(), demo[0])
	require.NoError(t, err)
	return site{url: origin}
}

// TestPostedAnswersInABrowser: the answer comes by a form that another site has the browser post, to which it brings no
// cookie of ours; it is continued where the cookie comes along, with scripts and without.
func TestPostedAnswersInABrowser(t *testing.T) {
	t.Parallel()
	s := startPosted(t)
	for name, scripts := range map[string]bool{"by itself": true, "by a button": false} {
		t.Run(name, func(t *testing.T) {
			b := openBrowser(t, s, "en")
			b.others = true
			b.runScripts(scripts)
			sent := func() {
				if !scripts {
					b.waitFor(`location.hostname === "127.0.0.1" && document.querySelector("form button") !== null`)
					b.press("form button")
				}
			}
			b.visit(secretPage)
			b.identify(ada.address, false)
			b.prove(ada.password)
			b.visit("/auth/account")
			if b.count(connectButton) > 0 {
				b.press(connectButton)
				sent()
				b.waitFor(`location.pathname === "/auth/account" && document.querySelector("table[aria-labelledby=connections]") !== null`)
			}
			b.visit("/auth/sign-out")
			b.press("form.primary button")
			b.visit(secretPage)
			b.press(providerButton)
			sent()
			b.waitFor(`location.pathname + location.search === "` + secretPage + `"`)
			require.Contains(t, b.text("body"), "Only you see this")
		})
	}
}
