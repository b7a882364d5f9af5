package mail_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/mail"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/reset"
)

// An outbox over the memory store, which shows its mails instead of sending them.
func Example() {
	keys, _ := auth.NewKeys(auth.Key{ID: "k1", Bytes: [32]byte{1}})
	secrets, _ := reset.New(reset.Config{Keys: keys})
	store, preview := memory.New(), &mail.Preview{}
	renderer, err := mail.New(mail.Config{
		Origin: "https://app.example", Product: "Example", From: "no-reply@app.example", Help: "/help",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	outbox, err := mail.NewOutbox(mail.OutboxConfig{Store: store, Secrets: secrets, Renderer: renderer, Sender: preview})
	if err != nil {
		fmt.Println(err)
		return
	}

	// The library queues letters in the acts that they tell of; the host runs the outbox.
	ctx, now := context.Background(), time.Now()
	_ = store.AddLetters(ctx, auth.Letter{
		ID: "1", Kind: auth.PasswordNotice, To: "ada@example.org", Language: "de", At: now, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	})
	if err := outbox.Flush(ctx); err != nil {
		fmt.Println(err)
	}
	for _, m := range preview.Messages() {
		fmt.Println(m.To.Address, "|", m.Subject)
	}
	// Output: ada@example.org | Ihr Passwort für Example wurde geändert
}

// A host's own words for one kind of letter; everything else stays.
func ExampleConfig_overrides() {
	renderer, err := mail.New(mail.Config{
		Origin: "https://app.example", Product: "Example", From: "Example <no-reply@app.example>", Help: "/help",
		Overrides: files("en.json", `{"letters": {"reset": {"subject": "Forgot your password? No problem"}}}`),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := renderer.Render(letterOf(auth.ResetLetter, "en"))
	fmt.Println(m.Subject, err)

	_, err = mail.New(mail.Config{
		Origin: "https://app.example", Product: "Example", From: "Example <no-reply@app.example>", Help: "/help",
		Overrides: files("en.json", `{"letters": {"reset": {"subject": "Hi {nmae}"}}}`),
	})
	fmt.Println(err)
	// Output:
	// Forgot your password? No problem <nil>
	// mail: invalid Config:
	// Overrides: catalogue en: reset.subject has the placeholder {nmae}, which nothing fills
}

// service is a mail service with an HTTP API.
type service struct{}

func (service) Send(_ context.Context, m mail.Message) error {
	if strings.HasSuffix(m.To.Address, ".invalid") {
		return mail.Permanent(fmt.Errorf("the service answered 422"))
	}
	fmt.Printf("POST to=%s subject=%q text=%d bytes\n", m.To.Address, m.Subject, len(m.Text.Reveal()))
	return nil
}

// A sender of the host's own is one method.
func ExampleSender() {
	var sender mail.Sender = service{}
	m := mail.Message{ID: "1", Kind: auth.ResetLetter, Subject: "Set a new password", Text: auth.NewSecret("Hello")}
	m.To.Address = "ada@example.org"
	fmt.Println(m, sender.Send(context.Background(), m))
	m.To.Address = "ada@example.invalid"
	fmt.Println(mail.IsPermanent(sender.Send(context.Background(), m)))
	// Output:
	// POST to=ada@example.org subject="Set a new password" text=5 bytes
	// mail "1" (reset) <nil>
	// true
}
