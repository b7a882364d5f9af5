package mfa_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/mfa"
)

// BenchmarkMatches has its floor beside it: the one hash that a check costs, whether the code is right or wrong and
// whether there is a row or none. Ten rows would cost ten times that.
func BenchmarkMatches(b *testing.B) {
	c := codes(b, masterKey("k1", 1))
	shown, records := set(b, c)
	plain := strings.ReplaceAll(shown[0].Reveal(), "-", "")
	wrong := auth.NewSecret(plain[:17] + string(alphabet[(strings.IndexByte(alphabet, plain[17])+1)%32]))
	for _, try := range []struct {
		name   string
		typed  auth.Secret
		record mfa.Record
		ok     bool
	}{
		{"right", shown[0], records[0], true}, {"wrong", wrong, records[0], false}, {"no row", wrong, mfa.Record{}, false},
		{"key gone", shown[0], mfa.Record{Selector: records[0].Selector, Key: "k9", Hash: records[0].Hash}, false},
	} {
		b.Run(try.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if c.Matches(try.typed, "a1", try.record) != try.ok {
					b.Fatal("decides otherwise")
				}
			}
		})
	}
	b.Run("floor=HMAC-SHA-256", func(b *testing.B) {
		b.ReportAllocs()
		key := make([]byte, 32)
		for b.Loop() {
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte("0000a10000" + plain))
			mac.Sum(nil)
		}
	})
	b.Run("floor=HMAC of a derived key", func(b *testing.B) {
		b.ReportAllocs()
		keys, err := auth.NewKeys(masterKey("k1", 1))
		if err != nil {
			b.Fatal(err)
		}
		derived := keys.Derive("recovery code")
		for b.Loop() {
			derived.MAC("k1", "a1", plain)
		}
	})
}

func BenchmarkMake(b *testing.B) {
	c := codes(b, masterKey("k1", 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.Make("a1"); err != nil {
			b.Fatal(err)
		}
	}
}
