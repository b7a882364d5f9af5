package oidc_test

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation/oidc"
	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

// Attacks on tokens, by a provider's whole stack against ours. attacks_test.go has many more of them on the relying party
// alone.

// tokenAttack is an ID token that must sign nobody in, for this reason.
type tokenAttack struct {
	name string
	bend func(*oidctest.Token)
	code string
}

func setClaim(name string, value any) func(*oidctest.Token) {
	return func(k *oidctest.Token) {
		if k.Claims[name] = value; value == nil {
			delete(k.Claims, name)
		}
	}
}

func setHeader(name string, value any) func(*oidctest.Token) {
	return func(k *oidctest.Token) { k.Header[name] = value }
}

// at is a time some way from now, as tokens have it.
func at(d time.Duration) int64 { return time.Now().Add(d).Unix() }

var algAttacks = []tokenAttack{
	{"none", setHeader("alg", "none"), oidc.TokenMalformed},
	{"NoNe", setHeader("alg", "NoNe"), oidc.TokenMalformed},
	{"none with a signature", func(k *oidctest.Token) {
		k.Text = b64([]byte(`{"alg":"none"}`)) + "." + b64(marshal(k.Claims)) + ".AAAA"
	}, oidc.AlgorithmNotAllowed},
	{"HS256 by the client's secret", setHeader("alg", "HS256"), oidc.AlgorithmNotAllowed},
	{"HS256 by the public key", func(k *oidctest.Token) { k.Header["alg"], k.Secret = "HS256", der() }, oidc.AlgorithmNotAllowed},
	{"ES256, which is published and not listed here", setHeader("alg", "ES256"), oidc.AlgorithmNotAllowed},
}

var keyAttacks = []tokenAttack{
	{"kid unknown", setHeader("kid", "nobody"), oidc.KeyUnknown},
	{"kid of a path", setHeader("kid", "../../../../dev/null"), oidc.KeyUnknown},
	{"kid of an injection", setHeader("kid", "' OR 1=1 --"), oidc.KeyUnknown},
	{"kid empty", setHeader("kid", ""), oidc.TokenMalformed},
	{"jku", setHeader("jku", "https://evil.example/keys"), oidc.HeaderNotAllowed},
	{"x5u", setHeader("x5u", "https://evil.example/cert"), oidc.HeaderNotAllowed},
	{"jwk", func(k *oidctest.Token) {
		k.Text = sign(object{"alg": "RS256", "jwk": jwk("evil", otherRSA())}, marshal(k.Claims), otherRSA())
	}, oidc.HeaderNotAllowed},
	{"crit", setHeader("crit", []string{"exp"}), oidc.HeaderNotAllowed},
	{"another party's key", func(k *oidctest.Token) {
		k.Text = sign(object{"alg": "RS256", "kid": k.Header["kid"]}, marshal(k.Claims), otherRSA())
	}, oidc.SignatureInvalid},
}

var namingAttacks = []tokenAttack{
	{"iss of another", setClaim("iss", "https://evil.example"), oidc.IssuerMismatch},
	{"iss missing", setClaim("iss", nil), oidc.IssuerMismatch},
	{"aud of another", setClaim("aud", "another-client"), oidc.AudienceMismatch},
	{"aud missing", setClaim("aud", nil), oidc.AudienceMismatch},
	{"aud of others too", setClaim("aud", []string{stackClient, "another-client"}), oidc.AudienceMismatch},
	{"azp of another", setClaim("azp", "another-client"), oidc.AuthorizedPartyWrong},
	{"sub missing", setClaim("sub", nil), oidc.SubjectMalformed},
	{"sub empty", setClaim("sub", ""), oidc.SubjectMalformed},
	{"sub is a number", setClaim("sub", 7), oidc.SubjectMalformed},
	{"exp missing", setClaim("exp", nil), oidc.Expired},
	{"exp past", func(k *oidctest.Token) { k.Claims["exp"] = at(-2 * time.Minute) }, oidc.Expired},
	{"iat missing", setClaim("iat", nil), oidc.IssuedAtWrong},
}

var timeAttacks = []tokenAttack{
	{"nbf in the future", func(k *oidctest.Token) { k.Claims["nbf"] = at(2 * time.Minute) }, oidc.NotYetValid},
	{"iat in the future", func(k *oidctest.Token) { k.Claims["iat"] = at(2 * time.Minute) }, oidc.IssuedAtWrong},
	{"iat an hour ago", func(k *oidctest.Token) { k.Claims["iat"] = at(-time.Hour) }, oidc.IssuedAtWrong},
	{"exp in ten years", func(k *oidctest.Token) { k.Claims["exp"] = at(10 * 365 * 24 * time.Hour) }, oidc.LifetimeTooLong},
	{"auth_time in the future", func(k *oidctest.Token) { k.Claims["auth_time"] = at(time.Hour) }, oidc.AuthenticationUnknown},
}

// tokens tries each.
func tokens(list []tokenAttack) func(*scene) {
	return func(s *scene) {
		for _, a := range list {
			s.refusesToken(a)
		}
	}
}

// alterID bends ID tokens alone.
func (s *scene) alterID(bend func(*oidctest.Token)) {
	s.op.Alter(func(k *oidctest.Token) {
		if k.Kind == oidctest.IDToken {
			bend(k)
		}
	})
}

func (s *scene) refusesToken(a tokenAttack) {
	s.t.Helper()
	s.alterID(a.bend)
	defer s.op.Alter(nil)
	b := s.surfer()
	b.signIn("acme")
	require.Empty(s.t, b.account(), a.name)
	s.turnedAway(b, "acme: "+a.code)
}

func (s *scene) nonce() {
	s.refusesToken(tokenAttack{"missing", setClaim("nonce", nil), oidc.NonceMismatch})
	s.refusesToken(tokenAttack{"empty", setClaim("nonce", ""), oidc.NonceMismatch})
	s.refusesToken(tokenAttack{"of a list", func(k *oidctest.Token) { k.Claims["nonce"] = []any{k.Claims["nonce"]} }, oidc.NonceMismatch})
	var mu sync.Mutex
	var earlier any
	s.alterID(func(k *oidctest.Token) {
		mu.Lock()
		defer mu.Unlock()
		earlier = k.Claims["nonce"]
	})
	b := s.surfer()
	b.signIn("acme")
	require.Equal(s.t, s.ann.ID, b.account())
	mu.Lock()
	used := earlier
	mu.Unlock()
	s.refusesToken(tokenAttack{"replayed", setClaim("nonce", used), oidc.NonceMismatch})
}

func (s *scene) caseVariants() {
	s.refusesToken(tokenAttack{"Sub alone", func(k *oidctest.Token) {
		k.Claims["Sub"], k.Claims["SUB"] = k.Claims["sub"], k.Claims["sub"]
		delete(k.Claims, "sub")
	}, oidc.SubjectMalformed})
	s.refusesToken(tokenAttack{"sub twice", func(k *oidctest.Token) {
		payload := strings.TrimSuffix(string(marshal(k.Claims)), "}") + `,"sub":"` + alice.Subject + `"}`
		k.Text = sign(k.Header, []byte(payload), otherRSA())
	}, oidc.SignatureInvalid}) // and with the right key, as attacks_test.go has it, it is malformed
	// What a person may set at the provider must not become who they are.
	s.op.SignIn(bert.Subject)
	s.alterID(func(k *oidctest.Token) {
		k.Claims["Sub"], k.Claims["SUB"], k.Claims["s\u016bb"] = alice.Subject, alice.Subject, alice.Subject
	})
	b := s.surfer()
	b.signIn("acme")
	require.Empty(s.t, b.account())
}

func (s *scene) accessTokens() {
	s.refusesToken(tokenAttack{"of another access token", setClaim("at_hash", hashOf("another")), oidc.AccessTokenMismatch})
	s.refusesToken(tokenAttack{"empty", setClaim("at_hash", ""), oidc.AccessTokenMismatch})
	s.op.Alter(func(k *oidctest.Token) {
		if k.Kind == oidctest.UserInfo { // the access token was swapped for Bert's
			k.Claims["sub"] = bert.Subject
		}
	})
	defer s.op.Alter(nil)
	b := s.surfer()
	b.signIn("acme")
	s.turnedAway(b, "acme: "+oidc.UserInfoOfAnother)
}

func (s *scene) otherTokens() {
	s.refusesToken(tokenAttack{"an access token", setHeader("typ", "at+jwt"), oidc.TypeNotAllowed})
	s.refusesToken(tokenAttack{"a logout token by its name", setHeader("typ", "logout+jwt"), oidc.TypeNotAllowed})
	s.refusesToken(tokenAttack{"a logout token by what it says", setClaim("events", map[string]any{backchannel: map[string]any{}}), oidc.EventsNotAllowed})
	logout, err := s.op.LogoutToken(stackClient, alice.Subject, "")
	require.NoError(s.t, err)
	s.refusesToken(tokenAttack{"a real one", func(k *oidctest.Token) { k.Text = logout }, oidc.TypeNotAllowed})
	s.op.Register(oidctest.Client{ID: "sibling", Secret: "x", RedirectURIs: []string{"https://sibling.example/"}})
	sibling, err := s.op.LogoutToken("sibling", alice.Subject, "")
	require.NoError(s.t, err)
	s.refusesToken(tokenAttack{"a sibling's", func(k *oidctest.Token) { k.Text = sibling }, oidc.TypeNotAllowed})
	s.refusesToken(tokenAttack{"an ID token for a sibling", setClaim("aud", "sibling"), oidc.AudienceMismatch})
}

// bogusTokens makes us fetch the provider's keys again and again, on somebody's behalf.
func (s *scene) bogusTokens() {
	s.restart(s.rp("acme", s.op))
	n := 0
	s.alterID(func(k *oidctest.Token) { n++; k.Header["kid"] = fmt.Sprint("bogus-", n) })
	for range 50 {
		b := s.surfer()
		b.signIn("acme")
		require.Empty(s.t, b.account())
	}
	require.Equal(s.t, 50, redeemed(s.op))
	require.LessOrEqual(s.t, s.op.Requests().Fetches["/jwks"], 2)
	s.op.Alter(nil)
	b := s.surfer()
	b.signIn("acme")
	require.Equal(s.t, s.ann.ID, b.account(), "the honest ones are not kept out")
}
