package presets_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation/oidc"
	"github.com/cardea-auth/cardea/federation/presets"
)

// p8 is a private key as Apple gives it.
func p8(k crypto.PrivateKey) auth.Secret {
	return auth.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(k))})))
}

func apple(t *testing.T, k *ecdsa.PrivateKey, scopes []string) (*service, *oidc.Provider) {
	s := &service{
		t: t, discover: "https://appleid.apple.com/.well-known/openid-configuration",
		config: object{
			"issuer": "https://appleid.apple.com", "authorization_endpoint": "https://appleid.apple.com/auth/authorize",
			"token_endpoint": "https://appleid.apple.com/auth/token", "jwks_uri": "https://appleid.apple.com/auth/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"}, "token_endpoint_auth_methods_supported": []string{"client_secret_post"},
		},
		claims: object{"iss": "https://appleid.apple.com", "nonce_supported": true, "email": "x1@privaterelay.appleid.com",
			"email_verified": "true", "is_private_email": "true"},
	}
	return s, must(presets.Apple(presets.AppleConfig{
		TeamID: "TEAM123456", KeyID: "KEY1234567", ClientID: theClient, PrivateKey: p8(k), Scopes: scopes, HTTP: s.http(),
	}))
}

func ecKey(c elliptic.Curve) *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(c, rand.Reader)) }

func TestApple(t *testing.T) {
	k := ecKey(elliptic.P256())
	s, p := apple(t, k, nil)
	info := p.Info()
	require.Equal(t, auth.ProviderInfo{ID: "apple", Name: "Apple", FormPost: true, Notes: info.Notes}, info)
	require.Len(t, info.Notes, 1)
	id, err := s.visit(p)
	require.NoError(t, err)
	require.Equal(t, auth.Identity{
		Issuer: "https://appleid.apple.com", Subject: "subject-1", Email: "x1@privaterelay.appleid.com", EmailTrust: auth.EmailAsserted,
	}, id)
	require.Equal(t, url.Values{"scope": {"openid email"}, "response_mode": {"form_post"}}, s.asks())
	require.Equal(t, "the-verifier", s.forms[0].Get("code_verifier"))

	_, err = s.visit(p)
	require.NoError(t, err)
	require.NotEqual(t, s.forms[0].Get("client_secret"), s.forms[1].Get("client_secret"), "a new one for each request")
	for _, form := range s.forms {
		parts := strings.Split(form.Get("client_secret"), ".")
		require.Len(t, parts, 3)
		var header, claims object
		require.NoError(t, json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[0])), &header))
		require.NoError(t, json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[1])), &claims))
		require.Equal(t, object{"alg": "ES256", "kid": "KEY1234567"}, header)
		require.Equal(t, object{"iss": "TEAM123456", "sub": theClient, "aud": "https://appleid.apple.com",
			"iat": float64(now.Unix()), "exp": float64(now.Unix() + 300)}, claims, "good for five minutes at most")
		signature, sum := must(base64.RawURLEncoding.DecodeString(parts[2])), sha256.Sum256([]byte(parts[0]+"."+parts[1]))
		require.True(t, ecdsa.Verify(&k.PublicKey, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])))
	}
}

// TestAppleAsks: a form is posted across sites only where something is asked that makes Apple want that.
func TestAppleAsks(t *testing.T) {
	k := ecKey(elliptic.P256())
	for _, c := range []struct {
		scopes []string
		want   url.Values
	}{
		{nil, url.Values{"scope": {"openid email"}, "response_mode": {"form_post"}}},
		{[]string{"name"}, url.Values{"scope": {"openid name"}, "response_mode": {"form_post"}}},
		{[]string{"email", "name"}, url.Values{"scope": {"openid email name"}, "response_mode": {"form_post"}}},
		{[]string{}, url.Values{"scope": {"openid"}}},
	} {
		s, p := apple(t, k, c.scopes)
		_, err := s.visit(p)
		require.NoError(t, err)
		require.Equal(t, c.want, s.asks())
		require.Equal(t, len(c.want) == 2, p.Info().FormPost)
	}
}

// TestAppleUser: anybody can post a form with any user in it.
func TestAppleUser(t *testing.T) {
	k := ecKey(elliptic.P256())
	forged := `{"name":{"firstName":"Eve","lastName":"Adams"},"email":"victim@corp.example","sub":"subject-2","email_verified":true}`
	for _, c := range []struct {
		scopes []string
		email  any
		user   string
		want   auth.Identity
	}{
		{[]string{"name", "email"}, "ann@corp.example", forged, auth.Identity{Name: "Eve Adams", Email: "ann@corp.example", EmailTrust: auth.EmailAsserted}},
		{[]string{"name", "email"}, nil, forged, auth.Identity{Name: "Eve Adams"}},
		{[]string{"name", "email"}, "ann@corp.example", `{"name":`, auth.Identity{Email: "ann@corp.example", EmailTrust: auth.EmailAsserted}},
		{[]string{"email"}, "ann@corp.example", forged, auth.Identity{Email: "ann@corp.example", EmailTrust: auth.EmailAsserted}},
		{[]string{}, nil, forged, auth.Identity{}},
	} {
		s, p := apple(t, k, c.scopes)
		s.claims = with(s.claims, object{"email": c.email})
		id, err := s.visit(p, func(_ *auth.Trip, a *auth.Answer) { a.User = c.user })
		require.NoError(t, err)
		c.want.Issuer, c.want.Subject = "https://appleid.apple.com", "subject-1"
		require.Equal(t, c.want, id)
	}
}

func TestAppleAddresses(t *testing.T) {
	k := ecKey(elliptic.P256())
	for _, c := range []struct {
		verified any
		trust    auth.EmailTrust
	}{
		{true, auth.EmailAsserted}, {"true", auth.EmailAsserted}, {false, auth.EmailUnverified}, {"false", auth.EmailUnverified},
		{nil, auth.EmailUnverified}, {"TRUE", auth.EmailUnverified}, {1, auth.EmailUnverified}, {"1", auth.EmailUnverified},
	} {
		s, p := apple(t, k, nil)
		s.claims = with(s.claims, object{"email_verified": c.verified})
		id, err := s.visit(p)
		require.NoError(t, err)
		require.Equal(t, c.trust, id.EmailTrust, "%v", c.verified)
	}
}

func TestAppleConfig(t *testing.T) {
	k := ecKey(elliptic.P256())
	good := presets.AppleConfig{TeamID: "t", KeyID: "k", ClientID: "c", PrivateKey: p8(k)}
	_, err := presets.Apple(good)
	require.NoError(t, err)
	der := must(x509.MarshalPKCS8PrivateKey(k))
	for name, text := range map[string]auth.Secret{
		"none": {}, "text": auth.NewSecret("SENTINEL"), "P-384": p8(ecKey(elliptic.P384())), "RSA": p8(key()),
		"SEC 1": auth.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: must(x509.MarshalECPrivateKey(k))}))),
		"cut":   auth.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der[:40]}))),
	} {
		bad := good
		bad.PrivateKey = text
		_, err := presets.Apple(bad)
		require.ErrorContains(t, err, "PrivateKey", name)
		require.NotContains(t, err.Error(), "SENTINEL")
	}
	_, err = presets.Apple(presets.AppleConfig{Scopes: []string{"openid", "groups"}, ID: "App le"})
	for _, part := range []string{"TeamID", "KeyID", "ClientID", "PrivateKey", `Scopes has "openid"`, `Scopes has "groups"`, "Info.ID"} {
		require.ErrorContains(t, err, part)
	}
}
