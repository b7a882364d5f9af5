// Package mail turns letters into mails and sends them. An auth.Letter says what happened and to whom, without
// text and without a secret; here it gets its words, its link or its code, and leaves.
//
//	renderer, err := mail.New(mail.Config{
//		Origin: "https://app.example", Product: "Example", From: "no-reply@app.example", Help: "/help",
//	})
//	sender, err := mail.NewSMTP(mail.SMTPConfig{Host: "smtp.app.example", Username: "app", Password: password})
//	outbox, err := mail.NewOutbox(mail.OutboxConfig{
//		Store: store, Secrets: secrets, Renderer: renderer, Sender: sender, Logger: logger,
//	})
//	go outbox.Run(ctx)
//
// Start with [New]. A [Renderer] knows every kind of letter in English and German. Each mail has an HTML and a
// text part that say the same: one heading, at most one button or one code, when and from where it was caused,
// why it came, and what to do if the reader did not ask for it. [Config.Overrides] changes single texts, the
// layout, or adds languages; whatever is wrong with them is an error of New and never one at sending.
//
// An [Outbox] takes letters from the queue (auth.LetterStore), has them written, and gives them to a [Sender].
// It tries again what failed for now, gives up what failed for good or came too late, and reports that. Only
// while a letter is being written is its secret known; it is in the [Message], which does not print it.
//
// [SMTP] sends over TLS with certificates checked, or without to this very machine. A host that sends over
// something else implements Sender, one method. [Preview] keeps the last messages in memory, for development.
//
// What strangers can write does not get into a mail: a device is named from a list of known browsers, and a
// person by name only if it looks like one and the address is known to be theirs. So nobody can use these
// mails to send words or links of their own to somebody else.
//
// What the package does not do: it queues nothing (the acts that letters tell of do), signs no mail (DKIM is
// the mail server's), handles no bounces, and starts no goroutine: the host calls [Outbox.Run].
package mail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/mail"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// Message is a mail, ready to be sent. It holds a secret that opens an account: it prints as its id and kind
// only, and its text must be revealed.
type Message struct {
	ID       string // the letter's
	Kind     auth.LetterKind
	Account  string // whose account it is about; may be empty
	Language string // the BCP 47 tag of the language that it is written in

	From    mail.Address
	ReplyTo mail.Address // empty for none
	// To is where it goes. Its domain is in ASCII (IDNA); the part before the @ may be UTF-8, and then only
	// servers with SMTPUTF8 (RFC 6531) take it.
	To      mail.Address
	Subject string // one line
	Text    auth.Secret
	HTML    auth.Secret

	MessageID string // with its angle brackets; the same whenever the letter is written
	Date      time.Time
}

// String returns the message's id and kind.
func (m Message) String() string { return fmt.Sprintf("mail %q (%s)", m.ID, m.Kind) }

// GoString returns the message's id and kind.
func (m Message) GoString() string { return m.String() }

// Format prints the message's id and kind for every verb.
func (m Message) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, m.String()) }

// LogValue returns the message's id and kind.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.String()) }

// MarshalText returns the message's id and kind; a Message cannot be stored or sent by accident.
func (m Message) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Sender sends one message.
type Sender interface {
	// Send returns nil once somebody else has taken the message over. An error made by Permanent says that
	// trying again is no use; after any other one the message is sent again, so a sender that cannot tell
	// returns an error: twice is better than never. An error's text is logged, so it must hold neither the
	// address nor anything of the message. Send may be called concurrently, and returns soon after ctx is
	// done.
	Send(ctx context.Context, m Message) error
}

// permanent marks an error that no further attempt will mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error of a Sender: the message will never be taken, however often it is sent. Nil stays
// nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// IsPermanent reports whether an error was marked by Permanent.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}
