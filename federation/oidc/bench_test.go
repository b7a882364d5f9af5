package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/cardea-auth/cardea/federation/oidc"
)

// BenchmarkIDToken verifies one token three ways: ours with every check, go-oidc's Verify with its remote key set, and no
// more than decoding the parts, one signature and the claims. The figures of one run can be compared: ours is to take no
// longer than the second, and at most 1.8 (RS256) and 1.25 (ES256) of the third.
func BenchmarkIDToken(b *testing.B) {
	for _, c := range []struct {
		alg, kid string
		key      crypto.Signer
	}{{"RS256", "r1", rsaKey()}, {"ES256", "e1", ecKey()}} {
		w := newWorld(b)
		token := sign(object{"alg": c.alg, "kid": c.kid, "typ": "JWT"}, marshal(merge(w.claims(), object{"at_hash": hashOf(theAccess), "azp": "client-1"})), c.key)
		b.Run(c.alg+"/ours", func(b *testing.B) {
			run(b, func() error {
				_, err := w.provider.VerifyIDToken(b.Context(), w.trip, token, theAccess)
				return err
			})
		})
		b.Run(c.alg+"/go-oidc", func(b *testing.B) {
			keys := gooidc.NewRemoteKeySet(gooidc.ClientContext(b.Context(), w.srv.Client()), w.issuer+"/keys")
			theirs := gooidc.NewVerifier(w.issuer, keys, &gooidc.Config{
				ClientID: "client-1", SupportedSigningAlgs: []string{"RS256", "PS256", "ES256", "EdDSA"}, Now: func() time.Time { return now },
			})
			run(b, func() error { _, err := theirs.Verify(b.Context(), token); return err })
		})
		b.Run(c.alg+"/floor", func(b *testing.B) {
			run(b, func() error { return floor(token, c.key.Public()) })
		})
	}
}

// run measures f without its first call, which may fetch keys.
func run(b *testing.B, f func() error) {
	if err := f(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
}

// floor does what no verification can do without.
func floor(token string, key crypto.PublicKey) error {
	head, rest, _ := strings.Cut(token, ".")
	body, tail, _ := strings.Cut(rest, ".")
	header, _ := base64.RawURLEncoding.DecodeString(head)
	payload, _ := base64.RawURLEncoding.DecodeString(body)
	signature, err := base64.RawURLEncoding.DecodeString(tail)
	if err != nil {
		return err
	}
	var h struct{ Alg, Kid string }
	var c struct {
		Iss, Sub, Aud, Nonce string
		Iat, Exp             int64
	}
	if err := json.Unmarshal(header, &h); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(token[:len(token)-len(tail)-1]))
	switch k := key.(type) {
	case *rsa.PublicKey:
		if err := rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], signature); err != nil {
			return err
		}
	case *ecdsa.PublicKey:
		if !ecdsa.Verify(k, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
			return rsa.ErrVerification
		}
	}
	return json.Unmarshal(payload, &c)
}

// BenchmarkBogusToken is what a made-up token costs that anybody may send: it must not be more than a good one.
func BenchmarkBogusToken(b *testing.B) {
	w := newWorld(b)
	for name, token := range map[string]string{
		"unknown key": by("r2", otherRSA(), w), "wrong signature": by("r1", otherRSA(), w), "64 KiB of nothing": repeat("x", 64<<10),
		"a deep header": b64([]byte(`{"a":`+repeat("[", 1500)+repeat("]", 1500)+`}`)) + ".e30.e30",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.provider.VerifyIDToken(b.Context(), w.trip, token, theAccess); err == nil {
					b.Fatal("it held")
				}
			}
		})
	}
}

// BenchmarkDecode reads claims, and what encoding/json makes of the same: a map of raw values.
func BenchmarkDecode(b *testing.B) {
	w := newWorld(b)
	payload := marshal(w.claims())
	b.Run("ours", func(b *testing.B) {
		run(b, func() error { _, err := oidc.Decode(payload); return err })
	})
	b.Run("encoding/json", func(b *testing.B) {
		run(b, func() error { var m map[string]json.RawMessage; return json.Unmarshal(payload, &m) })
	})
}
