package mail_test

import (
	"testing"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/mail"
)

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := mail.New(sound()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	r := newRenderer(b, nil)
	l, secret := letterOf(auth.ResetLetter, "de")
	b.ReportAllocs()
	for b.Loop() {
		m, err := r.Render(l, secret)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.MIME(); err != nil {
			b.Fatal(err)
		}
	}
}
