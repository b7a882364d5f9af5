package reset_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"testing"

	"github.com/cardea-auth/cardea/auth"
)

// BenchmarkTicketFloor is what BenchmarkTicket cannot do without: two bare HMAC-SHA-256, one to issue the link and
// one to check it. It stands beside the figure so that a slow machine is told from slow code.
func BenchmarkTicketFloor(b *testing.B) {
	secret, message := make([]byte, 32), []byte("mailed link reset AAAAAAAAAAAAAAAAAAAAAA")
	var sum [sha256.Size]byte
	b.ReportAllocs()
	for b.Loop() {
		for range 2 {
			mac := hmac.New(sha256.New, secret)
			mac.Write(message)
			mac.Sum(sum[:0])
		}
	}
}

// BenchmarkTicketCheck is only what a visitor causes who comes with a link.
func BenchmarkTicketCheck(b *testing.B) {
	s := secrets(b, key("k1", 1))
	tk, token := ticket(b, s, auth.ForReset)
	b.ReportAllocs()
	for b.Loop() {
		if id, ok := s.Ticket(token); !ok || id != tk.ID || !s.Opens(token, tk) {
			b.Fatal("does not open")
		}
	}
}
