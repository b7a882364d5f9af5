package mail_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/mail"
)

// What is in the golden files. These open nothing.
const (
	fakeToken = "EXAMPLE-TICKET.NOT-A-REAL-TOKEN-but-as-long-as-one-is-00000"
	fakeCode  = "12345678"
)

// noon is when everything happens.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:136.0) Gecko/20100101 Firefox/136.0"

// lives are the letters that carry a secret, and how long it lives.
var lives = map[auth.LetterKind]time.Duration{
	auth.InvitationLetter: 24 * time.Hour, auth.ResetLetter: 30 * time.Minute, auth.ReopenLetter: 30 * time.Minute, auth.AddressChangedNotice: 72 * time.Hour,
	auth.SignUpLetter: 10 * time.Minute, auth.SignInLetter: 10 * time.Minute, auth.NewAddressLetter: 10 * time.Minute,
}

// links are those of them with a link.
var links = map[auth.LetterKind]auth.Purpose{
	auth.InvitationLetter: auth.ForInvitation, auth.ResetLetter: auth.ForReset, auth.ReopenLetter: auth.ForReset, auth.AddressChangedNotice: auth.ForUndo,
}

// every kind that is sent.
var everyKind = []auth.LetterKind{
	auth.InvitationLetter, auth.ResetLetter, auth.NoPasswordLetter, auth.NoAccountLetter, auth.ReopenLetter, auth.ClosedLetter, auth.SignUpLetter,
	auth.HasAccountLetter, auth.SignInLetter, auth.NewAddressLetter, auth.TakenLetter, auth.AddressChangedNotice,
	auth.AddressUndoneNotice, auth.PasswordNotice, auth.NewDeviceNotice, auth.TrustNotice, auth.FactorNotice,
	auth.FactorGoneNotice, auth.RecoveryCodeNotice, auth.LinkNotice, auth.LinkGoneNotice, auth.LockNotice, auth.ReopenedNotice,
	auth.RecoveryAskedNotice,
}

// letterOf returns a letter of the kind, as the library queues it, and its secret.
func letterOf(kind auth.LetterKind, tag string) (auth.Letter, auth.Secret) {
	l := auth.Letter{
		ID: "letter-1", Kind: kind, Account: "account-1", To: "ada@example.org", Name: "Ada Lovelace", Language: tag,
		Key: "k1", At: noon.Add(-time.Minute), Device: firefox, Network: "203.0.113.0/24",
		CreatedAt: noon, ExpiresAt: noon.Add(7 * 24 * time.Hour),
	}
	switch kind {
	case auth.NoPasswordLetter:
		l.Method = "sso"
	case auth.FactorNotice, auth.FactorGoneNotice:
		l.Method = "totp"
	case auth.LinkNotice, auth.LinkGoneNotice:
		l.Method = "LinkedIn"
	case auth.AddressChangedNotice, auth.AddressUndoneNotice:
		l.Address = "countess@example.net"
	}
	life, ok := lives[kind]
	if !ok {
		return l, auth.Secret{}
	}
	l.ExpiresAt = noon.Add(life)
	if purpose, ok := links[kind]; ok {
		l.Secret = auth.SecretRef{Purpose: purpose, Ticket: "EXAMPLE-TICKET"}
		return l, auth.NewSecret(fakeToken)
	}
	l.Secret = auth.SecretRef{Purpose: auth.ForSignIn, Flow: "flow-1", Account: "account-1", At: noon}
	return l, auth.NewSecret(fakeCode)
}

func sound() mail.Config {
	return mail.Config{
		Origin: "https://app.example", Product: "Example", From: "no-reply@app.example", Help: "/help/mails",
		Support: "support@app.example", Pages: mail.Pages{SignUp: "/join"},
	}
}

// plain is the Renderer of the sound configuration. Making one takes a while: it tries all that it may write.
var plain = sync.OnceValues(func() (*mail.Renderer, error) { return mail.New(sound()) })

func newRenderer(t testing.TB, change func(*mail.Config)) *mail.Renderer {
	t.Helper()
	if change == nil {
		r, err := plain()
		require.NoError(t, err)
		return r
	}
	cfg := sound()
	change(&cfg)
	r, err := mail.New(cfg)
	require.NoError(t, err)
	return r
}
