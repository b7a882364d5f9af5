package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation/oidc"
)

func TestSignIn(t *testing.T) {
	w := newWorld(t)
	d, err := w.provider.Begin(t.Context(), w.trip)
	require.NoError(t, err)
	require.Equal(t, w.issuer, d.Issuer)
	require.False(t, d.TellsIssuer)
	require.Empty(t, d.Keep)
	require.Equal(t, map[string][]string{
		"response_type": {"code"}, "client_id": {"client-1"}, "redirect_uri": {w.trip.RedirectURI}, "scope": {"openid email"},
		"state": {"state-SENTINEL"}, "nonce": {"nonce-SENTINEL"}, "code_challenge": {w.trip.Challenge()}, "code_challenge_method": {"S256"},
	}, map[string][]string(query(t, d.URL)))

	i, err := w.complete(w.idToken)
	require.NoError(t, err)
	require.Equal(t, auth.Identity{
		Issuer: w.issuer, Subject: "subject-1", Email: "ann@example.com", EmailTrust: auth.EmailAsserted, Name: "Ann",
	}, i)
	require.Equal(t, map[string]int{"/.well-known/openid-configuration": 1, "/keys": 1, "/token": 1}, w.calls)

	form := w.requests["/token"][0].PostForm
	require.Equal(t, map[string][]string{
		"grant_type": {"authorization_code"}, "code": {theCode}, "redirect_uri": {w.trip.RedirectURI}, "code_verifier": {"verifier-SENTINEL"},
	}, map[string][]string(form))
	id, secret, ok := w.requests["/token"][0].BasicAuth()
	require.True(t, ok)
	require.Equal(t, []string{"client-1", theSecret}, []string{id, secret})
}

func TestEachAlgorithm(t *testing.T) {
	w := newWorld(t)
	for alg, by := range map[string]struct {
		kid string
		key any
	}{"RS256": {"r1", rsaKey()}, "PS256": {"r1", rsaKey()}, "ES256": {"e1", ecKey()}, "EdDSA": {"d1", edKey()}} {
		for _, header := range []object{{"alg": alg, "kid": by.kid}, {"alg": alg}} {
			_, err := w.complete(sign(header, marshal(w.claims()), by.key))
			require.NoError(t, err, alg)
		}
	}
	require.Equal(t, 1, w.called("/keys"))
}

// TestTheAlgorithmIsOurs: what a provider lists adds nothing to RS256 for a client that did not register another one.
func TestTheAlgorithmIsOurs(t *testing.T) {
	w := newWorld(t, func(_ *world, c *oidc.Config) { c.Algorithms = nil })
	_, err := w.complete(w.idToken)
	require.NoError(t, err)
	for alg, by := range map[string]struct {
		kid string
		key any
	}{"PS256": {"r1", rsaKey()}, "ES256": {"e1", ecKey()}, "EdDSA": {"d1", edKey()}} {
		_, err := w.complete(sign(object{"alg": alg, "kid": by.kid}, marshal(w.claims()), by.key))
		refused(t, err, oidc.AlgorithmNotAllowed)
	}
}

// TestRequireClaims: a claim that the host requires is there, and says to the letter what it should.
func TestRequireClaims(t *testing.T) {
	w := newWorld(t, func(_ *world, c *oidc.Config) {
		c.Parameters, c.RequireClaims = map[string]string{"hd": "example.com"}, map[string]string{"hd": "example.com"}
	})
	_, err := w.complete(w.token(nil, object{"hd": "example.com"}))
	require.NoError(t, err)
	for _, hd := range []any{nil, "evil.example", "Example.com", "example.com ", "", true, []string{"example.com"}, object{"hd": "example.com"}} {
		_, err := w.complete(w.token(nil, object{"hd": hd}))
		refused(t, err, oidc.ClaimMismatch)
	}
	_, err = w.complete(w.token(nil, object{"HD": "example.com"}))
	refused(t, err, oidc.ClaimMismatch)
}

// TestTheOtherAlgorithms are those that a host must ask for.
func TestTheOtherAlgorithms(t *testing.T) {
	p384, p521 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)), must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	for alg, key := range map[string]crypto.Signer{
		"RS384": rsaKey(), "RS512": rsaKey(), "PS384": rsaKey(), "PS512": rsaKey(), "ES384": p384, "ES512": p521,
	} {
		w := newWorld(t, func(_ *world, c *oidc.Config) { c.Algorithms = []string{alg} })
		w.set(func() {
			w.keys, w.config["id_token_signing_alg_values_supported"] = []object{jwk("k1", key)}, []string{alg}
		})
		token := sign(object{"alg": alg, "kid": "k1"}, marshal(w.claims()), key)
		_, err := w.complete(token)
		require.NoError(t, err, alg)
		flipped := []byte(token)
		flipped[len(flipped)-9] ^= 1
		_, err = w.complete(string(flipped))
		refused(t, err, oidc.SignatureInvalid, oidc.TokenMalformed)
	}
}

func TestNewNamesEveryProblem(t *testing.T) {
	_, err := oidc.New(oidc.Config{Info: auth.ProviderInfo{ID: "A"}, Algorithms: []string{"HS256"}, Skew: -1})
	for _, part := range []string{"Info.ID", "Info.Name", "Issuer", "ClientID", "HS256", "Skew"} {
		require.ErrorContains(t, err, part)
	}
}
