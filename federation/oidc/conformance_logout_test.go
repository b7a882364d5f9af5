package oidc_test

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

// signedIn is a browser that signed in at the provider, and the name of its session there.
func (s *stack) signedIn() (*surfer, string) {
	s.t.Helper()
	var mu sync.Mutex
	sid := ""
	s.op.Alter(func(k *oidctest.Token) {
		mu.Lock()
		defer mu.Unlock()
		if k.Kind == oidctest.IDToken {
			sid, _ = k.Claims["sid"].(string)
		}
	})
	b := s.surfer()
	b.signIn("acme")
	s.op.Alter(nil)
	require.Equal(s.t, s.ann.ID, b.account(), b.page.body)
	return b, sid
}

// signOut signs out here, and returns where the page offers to sign out there as well.
func (b *surfer) signOut() string {
	b.t.Helper()
	b.get("/auth/sign-out")
	b.post("/auth/sign-out", b.form("/auth/sign-out", ""))
	require.Empty(b.t, b.account())
	for _, m := range linkOf.FindAllStringSubmatch(b.page.body, -1) {
		if to := html.UnescapeString(m[1]); strings.HasPrefix(to, b.s.op.Issuer()+"/end_session") {
			return to
		}
	}
	require.Fail(b.t, "the provider's sign-out is not offered", b.page.body)
	return ""
}

// signsOut signs out here and there and comes back, with whatever the provider makes of the state. Coming back changes
// nothing here, for nobody: anybody can send anybody to that address.
func (c *conformance) signsOut() {
	b, _ := c.signedIn()
	other := c.surfer()
	other.password(annsAddress)
	to := b.signOut()
	u, err := url.Parse(to)
	require.NoError(c.t, err)
	require.Equal(c.t, url.Values{
		"client_id": {stackClient}, "post_logout_redirect_uri": {c.origin + "/auth/signed-out"},
	}, u.Query(), "no token travels in an address")
	b.get(to)
	c.isBackFromSigningOut(b)
	require.Len(c.t, c.op.Requests().EndSessions, 1)
	for _, query := range []string{"", "?state=", "?state=of-somebody-else", "?state=a&state=b", "?error=%3Cscript%3E", "?%zz"} {
		b.get("/auth/signed-out" + query)
		c.isBackFromSigningOut(b)
		other.get("/auth/signed-out" + query)
		require.Equal(c.t, c.ann.ID, other.account())
		require.Equal(c.t, "/auth/account", other.page.url.Path)
		require.NotContains(c.t, other.page.body, "You are signed out", "it is not true")
	}
}

func (c *conformance) isBackFromSigningOut(b *surfer) {
	require.Equal(c.t, "/auth/signed-out", b.page.url.Path)
	require.Equal(c.t, 200, b.page.status, b.page.body)
	require.NotContains(c.t, b.page.body, "state")
	require.NotContains(c.t, b.page.body, "script>")
	require.Contains(c.t, b.page.body, `href="/auth/sign-in"`)
}

// isToldOfAnEnd has the provider end one session, and then all of a person's, and tell us by a logout token.
func (c *conformance) isToldOfAnEnd() {
	b, sid := c.signedIn()
	same, _ := c.signedIn()
	plain := c.surfer()
	plain.password(annsAddress)
	accepted := c.mode.Verdict == oidctest.Accept
	held := func(sent []oidctest.Delivery) {
		require.NotEmpty(c.t, sent)
		for _, d := range sent {
			require.NoError(c.t, d.Err)
			require.Equal(c.t, map[bool]int{true: 200, false: 400}[accepted], d.Status)
			require.Equal(c.t, "no-store", d.CacheControl)
		}
	}
	c.audit.take()
	held(c.op.Logout(context.Background(), "", sid))
	require.Equal(c.t, !accepted, b.account() != "")
	require.Equal(c.t, c.ann.ID, same.account(), "another session at the provider")
	if !accepted {
		require.NotEmpty(c.t, reasons(c.audit.take()))
	}
	// The suite's way: the person signs out here and goes to the provider, which tells us before it sends them back.
	third, _ := c.signedIn()
	to := third.signOut()
	c.op.Forget()
	third.get(to)
	held(c.op.Requests().Logouts)
	c.isBackFromSigningOut(third)
	require.Equal(c.t, !accepted, same.account() != "", "all of the person's sessions at the provider are over")
	require.Equal(c.t, c.ann.ID, plain.account(), "a password's session is none of the provider's")
}

// TestALogoutTokenIsNotLostWhileTheProviderIsDown: a token that could not be checked is not refused, so that the provider
// sends it again, and then it does its work.
func TestALogoutTokenIsNotLostWhileTheProviderIsDown(t *testing.T) {
	s := connected(t, newOP(t))
	b, sid := s.signedIn()
	token, err := s.op.LogoutToken(stackClient, alice.Subject, sid)
	require.NoError(t, err)
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks"} {
		s.restart(s.rp("acme", s.op))
		s.op.SetMode(oidctest.Down, path)
		require.Equal(t, http.StatusInternalServerError, b.tell(token))
		require.Equal(t, s.ann.ID, b.account())
		s.op.SetMode(oidctest.Default)
	}
	s.restart(s.rp("acme", s.op)) // or wait until the provider is asked again
	require.Equal(t, http.StatusOK, b.tell(token))
	require.Empty(t, b.account())
}
