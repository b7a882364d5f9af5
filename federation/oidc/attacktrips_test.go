package oidc_test

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation/oidc"
	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

// Attacks on the way to a provider and back.

// mixUp has the answer of one provider taken for another's, so that its code goes to the wrong token endpoint.
func (s *scene) mixUp() {
	s.restart(s.rp("acme", s.op), s.rp("evil", s.other))
	elsewhere := func(a answer, from, to string) answer {
		return answer{strings.Replace(a.address, "/"+from+"/", "/"+to+"/", 1), a.form}
	}
	b := s.surfer()
	b.arrive(elsewhere(b.visit(b.depart("acme")), "acme", "evil"))
	s.turnedAway(b, "acme: wrong-address")

	// The evil one sends people on to the honest one, where they seem to sign in to us as always.
	b = s.surfer()
	to, err := url.Parse(b.depart("evil"))
	require.NoError(s.t, err)
	q := to.Query()
	q.Set("redirect_uri", s.origin+"/auth/provider/acme/callback")
	honest := b.visit(s.op.Issuer() + "/authorize?" + q.Encode())
	b.arrive(honest)
	s.turnedAway(b, "evil: wrong-address")
	b = s.surfer()
	began := b.visit(b.depart("evil"))
	b.arrive(began.with(s.t, "code", honest.values(s.t).Get("code")).with(s.t, "iss", s.op.Issuer()))
	s.turnedAway(b, "evil: issuer-mismatch")
	for _, iss := range [][]string{{s.other.Issuer()}, {}, {""}, {s.op.Issuer() + "/"}, {s.op.Issuer(), s.op.Issuer()}} {
		b = s.surfer()
		b.arrive(b.visit(b.depart("acme")).with(s.t, "iss", iss...))
		require.Empty(s.t, b.account())
		b.stays()
	}
	require.Zero(s.t, redeemed(s.op)+redeemed(s.other), "a code was sent somewhere")
}

// codeInjection puts the code of somebody's sign-in into the thief's own.
func (s *scene) codeInjection() {
	inject := func(because string) {
		victim, thief := s.surfer(), s.surfer()
		stolen := victim.visit(victim.depart("acme")).values(s.t).Get("code")
		s.op.SignIn(bert.Subject)
		began := thief.visit(thief.depart("acme"))
		s.op.SignIn(alice.Subject)
		thief.arrive(began.with(s.t, "code", stolen))
		s.turnedAway(thief, because)
	}
	inject("acme: token-refused") // by the verifier
	s.restart(s.rp("acme", s.op, func(c *oidc.Config) { c.Info.NoPKCE = true }))
	s.op.Register(oidctest.Client{
		ID: stackClient, Secret: stackSecret, NoPKCE: true, RedirectURIs: []string{s.origin + "/auth/provider/acme/callback"},
	})
	inject("acme: nonce-mismatch") // where there is none
}

// downgrade has the answer say what the protocol's values are. Whatever it brings, what was begun is what is redeemed.
func (s *scene) downgrade() {
	b := s.surfer()
	back := b.visit(b.depart("acme"))
	for name, value := range map[string]string{
		"code_verifier": "x", "code_challenge": "x", "code_challenge_method": "plain", "redirect_uri": "https://evil.example/",
		"client_id": "evil", "client_secret": "evil", "nonce": "evil", "token_endpoint": "https://evil.example/", "provider": "other",
		"grant_type": "password", "id_token": "evil", "access_token": "evil",
	} {
		back = back.with(s.t, name, value)
	}
	b.arrive(back)
	require.Equal(s.t, s.ann.ID, b.account(), b.page.body)
	log := s.op.Requests()
	asked, form := log.Authorizations[0].Params, log.Tokens[0].Form
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	require.Equal(s.t, []string{"S256", b64(sum[:])}, []string{asked.Get("code_challenge_method"), asked.Get("code_challenge")})
	require.Equal(s.t, url.Values{
		"grant_type": {"authorization_code"}, "redirect_uri": {s.origin + "/auth/provider/acme/callback"},
		"code": {back.values(s.t).Get("code")}, "code_verifier": {form.Get("code_verifier")},
	}, form)
}

// loginCSRF has a browser bring the attacker's answer, so that its owner works in the attacker's account. It is how gothic
// is attacked, where the request may choose the state.
func (s *scene) loginCSRF() {
	mallory := s.account(bobsAddress)
	attacker := s.surfer()
	attacker.password(bobsAddress)
	s.op.SignIn(bert.Subject)
	attacker.connect("acme")
	require.Len(s.t, s.links(mallory), 1)
	attacker = s.surfer()
	theirs := attacker.visit(attacker.depart("acme"))
	s.op.SignIn(alice.Subject)
	s.op.Forget()
	s.audit.take()

	victim := s.surfer()
	victim.arrive(theirs) // a browser that never was here
	s.turnedAway(victim, "acme")
	own := victim.depart("acme")
	victim.arrive(theirs) // one that is on its way itself
	s.turnedAway(victim, "acme")
	ours, err := url.Parse(own)
	require.NoError(s.t, err)
	state := ours.Query().Get("state")
	for _, chosen := range []string{"known", "", strings.Repeat("A", 200), state[:len(state)-1] + "_", state + "x"} {
		victim.arrive(theirs.with(s.t, "state", chosen))
		s.turnedAway(victim, "acme")
	}
	for _, address := range []string{"/auth/sign-in?state=known&connection=acme", "/auth/provider/acme?state=known", "/auth/flow?connection=acme"} {
		victim.get(address) // no GET begins anything, with whatever state
		require.Empty(s.t, victim.away())
	}
	victim.get("/auth/sign-in")
	form := victim.form("/auth/sign-in", "")
	form.Set("connection", "acme")
	form.Set("state", "known")
	victim.post("/auth/sign-in", form)
	require.Empty(s.t, victim.away())
	// An auto-submitting form of another site begins nothing either.
	form.Del("state")
	victim.send(victim.posting("/auth/sign-in", form, "https://evil.example"), false, nil)
	require.Equal(s.t, http.StatusForbidden, victim.page.status)
	require.Zero(s.t, redeemed(s.op))
	victim.arrive(victim.visit(own))
	require.Equal(s.t, s.ann.ID, victim.account(), "her own way is still open")
}

// forcedLinking has somebody finish a linking that somebody else began, both ways round.
func (s *scene) forcedLinking() {
	mallory := s.account(bobsAddress)
	victim, attacker := s.surfer(), s.surfer()
	victim.password(annsAddress)
	attacker.password(bobsAddress)
	s.op.SignIn(bert.Subject)
	theirs := attacker.visit(attacker.connecting("acme"))
	s.audit.take()
	victim.arrive(theirs)
	require.Equal(s.t, s.ann.ID, victim.account())
	victim.stays()
	require.NotEmpty(s.t, reasons(s.audit.take()))
	require.Len(s.t, s.links(s.ann), 1, "the attacker would get in by it")

	// The other way round: the attacker brings a victim's answer, to sign in as them later from their provider.
	s.restart(s.rp("second", s.op), s.rp("acme", s.op))
	s.rp("second", s.op) // the provider has one address for the client
	hers := victim.visit(victim.connecting("second"))
	attacker.arrive(hers)
	require.Empty(s.t, s.links(mallory))
	require.Zero(s.t, redeemed(s.op))
	victim.arrive(hers)
	require.Len(s.t, s.links(s.ann), 2)

	// Without a session, with another person's, and after signing out, nothing is connected.
	for _, change := range []func(*surfer){
		func(b *surfer) { b.signOutHere() },
		func(b *surfer) { b.signOutHere(); b.password(annsAddress) },
	} {
		b := s.surfer()
		b.password(bobsAddress)
		back := b.visit(b.connecting("second"))
		change(b)
		b.arrive(back)
		require.Empty(s.t, s.links(mallory))
		require.Len(s.t, s.links(s.ann), 2)
	}
}

// signOutHere signs out here alone.
func (b *surfer) signOutHere() {
	b.t.Helper()
	b.get("/auth/sign-out")
	b.post("/auth/sign-out", b.form("/auth/sign-out", ""))
	require.Empty(b.t, b.account())
}

// replay brings one answer many times, at once and later.
func (s *scene) replay() {
	before := len(s.live(s.ann))
	b := s.surfer()
	back := b.visit(b.depart("acme"))
	var in sync.WaitGroup
	for range 10 {
		in.Go(func() {
			if response, err := b.http.Get(back.address); err == nil {
				_ = response.Body.Close()
			}
		})
	}
	in.Wait()
	require.Len(s.t, s.live(s.ann), before+1)
	for range 2 {
		b.arrive(back)
		s.surfer().arrive(back)
	}
	require.Len(s.t, s.live(s.ann), before+1, "an answer serves once")
	require.Equal(s.t, 1, redeemed(s.op))
}

// parameters are answers that can be read in two ways, or in none. No code of theirs is sent anywhere.
func (s *scene) parameters() {
	for _, c := range []struct {
		name    string
		values  []string
		because string
	}{
		{"code", []string{"a", "b"}, "acme: repeated-code"},
		{"error", []string{"access_denied"}, "acme: code-and-error"},
		{"error", []string{"a", "b"}, "acme: repeated-error"},
		{"iss", []string{s.op.Issuer(), s.op.Issuer()}, "acme: repeated-iss"},
		{"code", nil, "acme: no-code"},
		{"code", []string{""}, "acme: no-code"},
		{"code", []string{strings.Repeat("x", 5000)}, "acme: long-code"},
	} {
		b := s.surfer()
		b.arrive(b.visit(b.depart("acme")).with(s.t, c.name, c.values...))
		s.turnedAway(b, c.because)
	}
	for code, because := range map[string]string{
		"access_denied": "acme: access_denied", "server_error": "acme: answered-server_error", "<script>": "acme: answered-error",
		"temporarily_unavailable": "acme: answered-temporarily_unavailable", "consent_required": "acme: answered-consent_required",
	} {
		b := s.surfer()
		back := b.visit(b.depart("acme")).with(s.t, "code").with(s.t, "error", code)
		b.arrive(back.with(s.t, "error_description", "<script>alert(1)</script>").with(s.t, "error_uri", "https://evil.example/"))
		s.turnedAway(b, because)
		require.NotContains(s.t, b.page.body, "evil.example")
		require.NotContains(s.t, b.page.body, "alert(1)")
	}
	require.Zero(s.t, redeemed(s.op))
}

// returnTo has the sign-in end on another site.
func (s *scene) returnTo() {
	for _, to := range []string{
		"//e.example", `/\e.example`, "/%09/e.example", "/\t/e.example", "https:e.example", "javascript:alert(1)", "https://e.example/",
		`\\e.example`, "/%2f%2fe.example", "/%5ce.example", " //e.example", "//localhost@e.example", "data:text/html,x", "///e.example",
		s.origin + "@e.example", "http://localhost.e.example/", "/a/..//e.example", "https:///e.example", "/%0d%0aSet-Cookie:a=b",
	} {
		b := s.surfer()
		b.signIn("acme", "return_to", to)
		require.Equal(s.t, s.ann.ID, b.account(), "%q %s", to, b.page.body)
		for _, h := range b.seen {
			if location := h.header.Get("Location"); strings.HasPrefix(h.address, s.origin) && location != "" {
				require.Regexp(s.t, `^/([a-z][a-zA-Z0-9/?=_%.-]*)?$`, location, to)
				require.NotContains(s.t, location, "e.example")
			}
		}
	}
	b := s.surfer()
	b.signIn("acme", "return_to", "/inbox?page=2")
	require.Equal(s.t, "/inbox?page=2", b.page.url.RequestURI())
}
