package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Identity is a person as an external provider knows them. The key is issuer and subject together, and nothing
// else: an address identifies nobody, since whoever runs a mail domain hands it on.
type Identity struct {
	Issuer     string // who says so; 1 to 255 bytes
	Subject    string // the person, never reassigned by the issuer; 1 to 255 bytes
	Email      string // to be shown, cut after 320 bytes; may be empty
	EmailTrust EmailTrust
	Name       string // to be shown, cut after 256 bytes; may be empty
	// AuthTime is when the person last authenticated at the provider, as it tells. Zero, if it does not, counts as
	// long ago (ASVS 6.8.4).
	AuthTime time.Time
	ACR      string   // the class of that authentication, as the provider calls it; empty if not told
	AMR      []string // its methods (RFC 8176)
	Session  string   // the provider's own session, by which it can end ours; empty if not told
}

// EmailTrust is how much a provider's word on an address is worth. The zero value is nothing.
type EmailTrust uint8

// The levels of trust. None of them lets anybody in: an address never decides whose account it is.
const (
	EmailUnverified    EmailTrust = iota // anybody could have typed it
	EmailAsserted                        // the provider says that it was verified once
	EmailAuthoritative                   // the provider runs the mailbox's domain
)

// String returns the level in a word.
func (t EmailTrust) String() string {
	return [...]string{"unverified", "asserted", "authoritative"}[min(t, EmailAuthoritative)]
}

// LinkID returns the id under which the link of an external identity is kept: a hash of issuer and subject, which
// can be named in public and tells nothing of either.
func LinkID(issuer, subject string) string {
	h := sha256.New()
	for _, part := range []string{issuer, subject} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Link connects an external identity with an account.
type Link struct {
	ID       string // see LinkID; to a store any 1 to 128 bytes, which it does not derive
	Account  string
	Method   flow.Method // Social or SSO
	Provider string      // the id of the provider or connection through which it was connected, at most 128 bytes
	Issuer   string      // as in Identity
	Subject  string      // likewise
	Email    string      // as the provider told it last, to be shown to the owner; at most 320 bytes
	Name     string      // as the provider told it last, likewise; at most 256 bytes
	LinkedAt time.Time   // UTC
	UsedAt   time.Time   // when it last signed somebody in; zero for never
}
