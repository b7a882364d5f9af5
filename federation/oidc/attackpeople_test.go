package oidc_test

import (
	"net/http"
	"net/url"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation/oidc"
	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

// Attacks on whose account it is.

// strangerAt is a browser that came back from the provider as somebody who is connected with nobody here.
func (s *scene) strangerAt(subject string) {
	s.t.Helper()
	s.op.SignIn(subject)
	defer s.op.SignIn(alice.Subject)
	before := s.live(s.ann)
	b := s.surfer()
	b.signIn("acme")
	require.Empty(s.t, b.account(), "a session")
	b.stays()
	require.Equal(s.t, before, s.live(s.ann))
}

// preHijack has an attacker open an account with somebody's address before them. Their provider then vouches for that
// address, and must not lead them into it; nor the attacker's provider into theirs.
func (s *scene) preHijack() {
	mallory := s.account("victim@mail.example")
	for subject, verified := range map[string]bool{"victim": true, "victim-unverified": false} {
		s.op.SetPerson(oidctest.Person{Subject: subject, Email: "victim@mail.example", EmailVerified: verified})
		s.strangerAt(subject)
	}
	require.Empty(s.t, s.links(mallory))
	require.Empty(s.t, s.live(mallory))
	for subject, verified := range map[string]bool{"mallory": true, "mallory-unverified": false} {
		s.op.SetPerson(oidctest.Person{Subject: subject, Email: annsAddress, EmailVerified: verified, Name: "Ann"})
		s.strangerAt(subject)
	}
	require.Len(s.t, s.links(s.ann), 1)
}

// nOAuth has the owner of a tenant give one of its people the address of a victim.
func (s *scene) nOAuth() {
	s.op.SetPerson(oidctest.Person{
		Subject: "mallory-of-a-tenant", Email: annsAddress, EmailVerified: true, Name: "Ann",
		Claims: map[string]any{
			"upn": annsAddress, "preferred_username": annsAddress, "unique_name": annsAddress, "xms_edov": true, "oid": alice.Subject,
			"tid": "00000000-0000-0000-0000-000000000001",
		},
	})
	s.strangerAt("mallory-of-a-tenant")
}

// reusedSubject has the provider give a former customer's number to a new one.
func (s *scene) reusedSubject() {
	owner := s.surfer()
	owner.password(annsAddress)
	owner.get("/auth/account")
	owner.post("/auth/connections/remove", owner.form("/auth/connections/remove", ""))
	form := owner.form(owner.page.url.Path, `value="remove"`)
	owner.post(owner.page.url.Path, form)
	require.Empty(s.t, s.links(s.ann), owner.page.body)
	s.strangerAt(alice.Subject)

	bob := s.account(bobsAddress)
	b := s.surfer()
	b.password(bobsAddress)
	b.connect("acme")
	require.Empty(s.t, s.links(bob), "it was somebody else's")
	owner.connect("acme")
	require.Len(s.t, s.links(s.ann), 1, "it is still hers")

	// Her account is deleted, and a new one opened: it is another one.
	require.NoError(s.t, s.svc.DeleteAccount(s.t.Context(), s.ann.ID))
	s.ann = s.account(annsAddress)
	s.strangerAt(alice.Subject)
	b.connect("acme")
	require.Empty(s.t, s.links(bob))
}

// sameSubject has another provider name its own person as acme names Ann, with all that acme tells of her.
func (s *scene) sameSubject() {
	s.restart(s.rp("evil", s.other), s.rp("acme", s.op))
	b := s.surfer()
	b.signIn("evil")
	require.Empty(s.t, b.account(), "a session")
	b.stays()
	require.NotZero(s.t, redeemed(s.other))
	// Nor does it become hers by being connected with somebody else: they are two identities.
	bob := s.account(bobsAddress)
	b.password(bobsAddress)
	b.connect("evil")
	require.Len(s.t, s.links(bob), 1, b.page.body)
	for provider, owner := range map[string]string{"evil": bob.ID, "acme": s.ann.ID} {
		b := s.surfer()
		b.signIn(provider)
		require.Equal(s.t, owner, b.account(), provider)
	}
}

// movedAddress changes the person's address at the provider, to one that is somebody else's here.
func (s *scene) movedAddress() {
	bob := s.account(bobsAddress)
	moved := alice
	moved.Email = bobsAddress
	s.op.SetPerson(moved)
	b := s.surfer()
	b.signIn("acme")
	require.Equal(s.t, s.ann.ID, b.account(), "the account goes by the subject")
	require.Empty(s.t, s.links(bob))
	require.Equal(s.t, bobsAddress, s.links(s.ann)[0].Email, "for showing")
	a, err := s.svc.Account(s.t.Context(), s.ann.ID)
	require.NoError(s.t, err)
	require.Equal(s.t, annsAddress, a.Identifier)
	// Another person comes into the address that she had there.
	s.op.SetPerson(oidctest.Person{Subject: "next-owner", Email: alice.Email, EmailVerified: true})
	s.strangerAt("next-owner")
}

// appleUser forges the one parameter of a posted answer that nobody signs.
func (s *scene) appleUser() {
	s.restart(s.rp("acme", s.op, byFormPost, func(c *oidc.Config) { c.UserParameter = true }))
	bob := s.account(bobsAddress)
	s.op.SetPerson(oidctest.Person{Subject: "apple-1"})
	s.op.SignIn("apple-1")
	b := s.surfer()
	b.password(bobsAddress)
	back := b.visit(b.connecting("acme"))
	require.NotNil(s.t, back.form)
	b.arrive(back.with(s.t, "user", `{"name":{"firstName":"<b>Eve","lastName":"Ex"},"email":"ann@example.com","sub":"`+alice.Subject+`"}`))
	links := s.links(bob)
	require.Len(s.t, links, 1, b.page.body)
	require.Equal(s.t, []string{"apple-1", "<b>Eve Ex", ""}, []string{links[0].Subject, links[0].Name, links[0].Email})
	require.Len(s.t, s.links(s.ann), 1)
	b.get("/auth/account")
	require.NotContains(s.t, b.page.body, "<b>Eve")
	for _, odd := range []string{"nonsense", `{"name":[]}`, `{"name":{"firstName":7}}`} {
		b = s.surfer()
		b.arrive(b.visit(b.depart("acme")).with(s.t, "user", odd))
		require.Equal(s.t, bob.ID, b.account(), odd)
	}
}

// tell sends a logout token as a provider does, and returns the status.
func (b *surfer) tell(token string) int {
	b.t.Helper()
	r := b.posting("/auth/provider/acme/logout", url.Values{"logout_token": {token}}, "")
	r.Header.Del("Origin")
	b.send(r, false, nil)
	require.Equal(b.t, []string{"no-store"}, b.seen[len(b.seen)-1].header["Cache-Control"])
	return b.page.status
}

// logoutTokens has somebody end sessions that are not theirs to end.
func (s *scene) logoutTokens() {
	b, sid := s.signedIn()
	tell := b.tell
	forged := func(bend func(*oidctest.Token)) string {
		s.op.Alter(bend)
		defer s.op.Alter(nil)
		token, err := s.op.LogoutToken(stackClient, alice.Subject, sid)
		require.NoError(s.t, err)
		return token
	}
	for _, bend := range []func(*oidctest.Token){
		setClaim("events", map[string]any{backchannel: nil}), setClaim("events", map[string]any{backchannel: true}), setClaim("events", nil),
		setClaim("jti", nil), setClaim("iat", at(-time.Hour)), setClaim("iat", nil), setClaim("exp", nil), setClaim("exp", at(-2*time.Minute)),
		setClaim("iss", "https://evil.example"), setClaim("aud", "another-client"), setClaim("nonce", "x"), setHeader("typ", "at+jwt"),
		setHeader("alg", "none"), setHeader("alg", "HS256"), setHeader("alg", "ES256"), setHeader("jku", "https://evil.example"),
		func(k *oidctest.Token) { delete(k.Claims, "sub"); delete(k.Claims, "sid") },
		func(k *oidctest.Token) { k.BadSignature = true },
		func(k *oidctest.Token) { k.Header["typ"] = "JWT"; delete(k.Claims, "events") }, // an ID token
	} {
		require.Equal(s.t, http.StatusBadRequest, tell(forged(bend)))
		require.NotEmpty(s.t, b.account())
	}
	for _, token := range []string{"", "x", "a.b.c"} {
		require.Equal(s.t, http.StatusBadRequest, tell(token))
	}
	for _, harmless := range []func(*oidctest.Token){setClaim("sid", "of-another"), func(k *oidctest.Token) { delete(k.Claims, "sid"); k.Claims["sub"] = "another" }} {
		require.Equal(s.t, http.StatusOK, tell(forged(harmless)))
		require.NotEmpty(s.t, b.account())
	}
	good := forged(func(*oidctest.Token) {})
	b.get("/auth/provider/acme/logout?logout_token=" + good)
	require.Equal(s.t, http.StatusMethodNotAllowed, b.page.status)
	b.get("/auth/provider/acme/logout?iss=" + url.QueryEscape(s.op.Issuer()) + "&sid=" + sid) // by the front channel
	require.NotEmpty(s.t, b.account())
	require.Equal(s.t, http.StatusOK, tell(good))
	require.Empty(s.t, b.account())

	b.signIn("acme")
	require.Equal(s.t, http.StatusBadRequest, tell(good), "it serves once")
	require.Equal(s.t, s.ann.ID, b.account())
}
