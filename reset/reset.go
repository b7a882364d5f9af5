// Package reset makes and checks the secrets that are sent by mail: links that reset a password, accept an
// invitation or undo a change of address, and codes that are typed into the flow that asked for them.
//
//	secrets, err := reset.New(reset.Config{Keys: keys})
//
// [Secrets] implements auth.MailSecrets. Nothing of a secret is ever stored, not even its hash: a link's
// token is the id of its ticket and an HMAC of the ticket under a key that is not in the database, and a
// code is drawn from an HMAC of the flow that it belongs to. So a copy of the database holds nothing to use
// or to guess at, a letter in the queue carries no secret either, and the letter can be made again after a
// crash with the same link in it.
//
// What a secret is bound to is what goes into its HMAC: the purpose, the account, the ticket or the flow,
// the moment it was made. A token of one purpose is no token for another, and a code of one flow is none in
// any other.
//
// That a secret works once, expires, and dies with a change of the account is not decided here: the store
// consumes tickets in the act that they allow (auth.TicketStore), and the machine (auth/flow) counts the
// tries of a code.
//
// Secrets is safe for concurrent use.
package reset

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// Config is what Secrets are made from.
type Config struct {
	// Keys are required.
	Keys auth.Keys
	// Reset is how long a link that resets a password lives, at most 24 hours. Zero means 30 minutes.
	Reset time.Duration
	// Invitation is how long an invitation lives, at most 30 days. Zero means 24 hours.
	Invitation time.Duration
	// Undo is how long a change of address can be undone, at most 30 days. Zero means 72 hours.
	Undo time.Duration
	// Random is the source of ticket ids; nil means crypto/rand.Reader. It may be read concurrently.
	Random io.Reader
}

// Secrets makes and checks mailed secrets. It is safe for concurrent use. Make it with New.
type Secrets struct {
	links, codes auth.DerivedKeys
	lifetimes    map[auth.Purpose]time.Duration
	random       io.Reader
}

var _ auth.MailSecrets = (*Secrets)(nil)

const day = 24 * time.Hour

// New returns Secrets, or an error that names every problem.
func New(c Config) (*Secrets, error) {
	var problems []error
	if c.Keys.IsZero() {
		problems = append(problems, errors.New("Keys are required"))
	}
	lifetimes := map[auth.Purpose]time.Duration{}
	for _, l := range []struct {
		name                   string
		purpose                auth.Purpose
		value, otherwise, most time.Duration
	}{
		{"Reset", auth.ForReset, c.Reset, 30 * time.Minute, day},
		{"Invitation", auth.ForInvitation, c.Invitation, day, 30 * day},
		{"Undo", auth.ForUndo, c.Undo, 3 * day, 30 * day},
	} {
		lifetimes[l.purpose] = cmp.Or(l.value, l.otherwise)
		if l.value < 0 || l.value > l.most {
			problems = append(problems, fmt.Errorf("%s is %s; it must be positive and at most %s", l.name, l.value, l.most))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("reset: invalid Config: %w", err)
	}
	s := &Secrets{
		links: c.Keys.Derive("mailed link"), codes: c.Keys.Derive("mailed code"),
		lifetimes: lifetimes, random: c.Random,
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	return s, nil
}

// A token is "id.secret", of 128 and 256 bits.
const (
	idLength     = 22
	secretLength = 43
)

// NewTicket returns a ticket for the purpose, or an error if the purpose has no links or randomness failed.
func (s *Secrets) NewTicket(p auth.Purpose, account string, now time.Time) (auth.Ticket, error) {
	life, ok := s.lifetimes[p]
	if !ok {
		return auth.Ticket{}, fmt.Errorf("reset: there are no links for the purpose %q", p)
	}
	var id [16]byte
	if _, err := io.ReadFull(s.random, id[:]); err != nil {
		return auth.Ticket{}, fmt.Errorf("reset: read randomness: %w", err)
	}
	return auth.Ticket{
		ID: base64.RawURLEncoding.EncodeToString(id[:]), Purpose: p, Account: account,
		Key: s.links.Current(), CreatedAt: now, ExpiresAt: now.Add(life),
	}, nil
}

// Ticket returns the id in a token. There is one way to write each token.
func (s *Secrets) Ticket(token auth.Secret) (id string, ok bool) {
	id, secret, found := strings.Cut(token.Reveal(), ".")
	_, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	return id, found && len(id) == idLength && len(secret) == secretLength && err == nil
}

// Opens reports whether token is that of the ticket.
func (s *Secrets) Opens(token auth.Secret, t auth.Ticket) bool {
	want, ok := s.link(t.Purpose, t.ID, t.Key)
	return ok && token.Equal(want)
}

// link returns the token of a ticket. The account is not part of it: the ticket says whose it is, and its
// id is never used again.
func (s *Secrets) link(p auth.Purpose, ticket, key string) (auth.Secret, bool) {
	sum, ok := s.links.MAC(key, string(p), ticket)
	return auth.NewSecret(ticket + "." + base64.RawURLEncoding.EncodeToString(sum[:])), ok
}

// Reveal returns what the letter carries.
func (s *Secrets) Reveal(r auth.SecretRef, key string) (auth.Secret, bool) {
	if r.Ticket != "" {
		return s.link(r.Purpose, r.Ticket, key)
	}
	code, ok := s.code(r, key)
	return auth.NewSecret(code), ok
}

// Matches reports whether typed is the code that r names.
func (s *Secrets) Matches(typed auth.Secret, r auth.SecretRef, key string) bool {
	want, ok := s.code(r, key)
	got := strings.Map(func(c rune) rune {
		if c == ' ' || c == '-' || c == '\u00a0' {
			return -1 // as codes are shown, pasted and typed
		}
		return c
	}, typed.Reveal())
	return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1 && ok
}

// codeDigits makes a code that is guessed with a chance of 5 in 100 million in its five tries.
const (
	codeDigits = 8
	codeSpace  = 100_000_000
	// fair is the greatest multiple of codeSpace that fits 32 bits. Numbers from there on are drawn again, or
	// low codes would be likelier.
	fair = 1<<32 - 1<<32%codeSpace
)

// code draws a code from the HMAC of everything that it is bound to.
func (s *Secrets) code(r auth.SecretRef, key string) (code string, ok bool) {
	at := strconv.FormatInt(r.At.UnixMicro(), 10) // the finest that every store keeps
	for round := 0; ; round++ {
		sum, ok := s.codes.MAC(key, string(r.Purpose), r.Flow, r.Account, at, strconv.Itoa(round))
		if !ok || r.Flow == "" || r.Account == "" {
			return "", false
		}
		for b := sum[:]; len(b) > 0; b = b[4:] {
			if n := binary.BigEndian.Uint32(b); uint64(n) < fair {
				return fmt.Sprintf("%0*d", codeDigits, n%codeSpace), true
			}
		}
	}
}

// Report implements auth.Reporter.
func (s *Secrets) Report() auth.ReportSection {
	row := func(name string, p auth.Purpose, note string) auth.ReportRow {
		return auth.ReportRow{Name: name, Value: auth.ReportDuration(s.lifetimes[p]), Note: note}
	}
	return auth.ReportSection{Title: "Mailed secrets", Rows: []auth.ReportRow{
		row("a link to reset a password works once and for", auth.ForReset, "ASVS 6.4.3; one at a time"),
		row("an invitation works once and for", auth.ForInvitation, "ASVS 6.4.1; one at a time"),
		row("a change of address can be undone for", auth.ForUndo, "the old address is reserved as long"),
		{Name: "codes", Value: fmt.Sprintf("%d digits, in one flow and one browser", codeDigits), Note: "ASVS 6.6.2"},
	}}
}
