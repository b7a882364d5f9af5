package totp_test

import (
	"crypto/hmac"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	otptotp "github.com/pquerna/otp/totp"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/mfa/totp"
)

// BenchmarkCheck has its floor beside it: what three HMACs cost that nobody can do without, and what otp takes to
// find a code wrong, without a seal. Right, early, late and wrong codes take the same.
func BenchmarkCheck(b *testing.B) {
	v := verifier(b, totp.Config{})
	r, p := paired(b, v)
	early, late := app(b, p, now.Add(30*time.Second)), app(b, p, now.Add(-30*time.Second))
	for _, c := range []struct {
		name  string
		typed auth.Secret
		ok    bool
	}{
		{"right", app(b, p, now), true}, {"early", early, true}, {"late", late, true}, {"wrong", auth.NewSecret("000000"), false},
		{"letters", auth.NewSecret("letter"), false}, {"nothing", auth.Secret{}, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok, err := v.Check(r, c.typed, now); ok != c.ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
	b.Run("floor=otp,wrong", func(b *testing.B) {
		b.ReportAllocs()
		secret := strings.ReplaceAll(p.Text.Reveal(), " ", "")
		for b.Loop() {
			if ok, err := otptotp.ValidateCustom("000000", secret, now, otptotp.ValidateOpts{Skew: 1, Digits: otp.DigitsSix}); ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("floor=3xHMAC-SHA-1", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for n := range uint64(3) {
				mac := hmac.New(otp.AlgorithmSHA1.Hash, []byte(seed))
				mac.Write(binary.BigEndian.AppendUint64(nil, n))
				mac.Sum(nil)
			}
		}
	})
}

// BenchmarkPair makes a key and draws it, which is done once a person.
func BenchmarkPair(b *testing.B) {
	v := verifier(b, totp.Config{})
	b.ReportAllocs()
	for b.Loop() {
		p, err := v.Pair("r1", "a1", "mia@example.org")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := new(totp.Verifier).QR(p, "QR code"); err != nil {
			b.Fatal(err)
		}
	}
}
