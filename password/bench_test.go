package password_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password"
)

// BenchmarkArgon2id is the floor under BenchmarkVerify: the hash function by itself.
func BenchmarkArgon2id(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		argon2.IDKey([]byte("correct horse battery staple"), []byte("saltsaltsaltsalt"), 1, 46<<10, 1, 32)
	}
}

func BenchmarkVerify(b *testing.B) {
	h := newHasher(b, password.Config{})
	hash, err := h.Hash(b.Context(), secret, false)
	require.NoError(b, err)
	for name, stored := range map[string]string{"match": hash, "decoy": ""} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = h.Verify(b.Context(), stored, secret, false)
			}
		})
	}
}

// BenchmarkGate is what Verify costs besides the hash function.
func BenchmarkGate(b *testing.B) {
	tagOf := make([]byte, 32)
	h, err := password.NewWithDerive(password.Config{}, func(_, _ []byte, _, _ uint32, _ uint8, _ uint32) []byte { return tagOf })
	require.NoError(b, err)
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			_, _, _ = h.Verify(b.Context(), "", secret, false)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _, _ = h.Verify(b.Context(), "", secret, false)
			}
		})
	})
}

func BenchmarkReview(b *testing.B) {
	h := newHasher(b, password.Config{ContextWords: []string{"acme", "roadrunner"}})
	about := auth.PasswordContext{Identifier: "jane.doe@example.com", Name: "Jane Doe"}
	for name, pw := range map[string]string{
		"good": "correct horse battery staple", "weak": "iloveyoubutterfly123", "long": random(b, 256), "hostile": strings.Repeat("⁗", 254) + "x",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _ = h.Review(b.Context(), auth.NewSecret(pw), about)
			}
		})
	}
}
