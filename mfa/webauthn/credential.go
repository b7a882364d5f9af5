package webauthn

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Credential is what a store keeps of a passkey or a security key (L3 §4, credential record). Nothing in it is
// secret, but whoever can write it can sign in. ID is the key of the table, for all accounts together: a store
// that let two accounts have one would let the second sign in the first.
type Credential struct {
	// ID is what the authenticator calls it: 16 to 1023 bytes.
	ID []byte
	// Account is whose it is.
	Account string
	// UserHandle is the account's name to the authenticator. A passkey that is used without an address hands it
	// back, and it must be the one in the row that its ID finds: so no handle has ever to be resolved, and
	// the keys that handles are derived from may be gone.
	UserHandle []byte
	// PublicKey is the COSE key, in its one canonical form.
	PublicKey []byte
	// Algorithm is the key's.
	Algorithm Algorithm
	// SignCount is the highest number that the authenticator told; zero for those that do not count, such as
	// all that are synchronised.
	SignCount uint32
	// Transports are how the authenticator can be reached, as the browser said: a hint for the next time.
	Transports []string
	// BackupEligible says that the key may leave its device; it never changes.
	BackupEligible bool
	// BackedUp says that it has.
	BackedUp bool
	// AAGUID is the model that the authenticator claims to be, unproven; all zero if it does not tell.
	AAGUID [16]byte
	// UserVerified says that the authenticator verified its user at the registration, or later beside another
	// factor (L3 §4, uvInitialized). Until then its word on verification counts for nothing.
	UserVerified bool
	// CreatedAt and UsedAt are UTC; UsedAt is zero before the first assertion.
	CreatedAt, UsedAt time.Time
}

// Lookup returns the credential with the id, of whatever account, or auth.ErrNotFound. Any other error is a
// fault, and denies. It must take the same time for a credential that is there and one that is not, as far as
// a database does.
type Lookup func(ctx context.Context, id []byte) (Credential, error)

const (
	minCredentialID = 16   // L3 §4, credential id: fewer bytes could be guessed, or clash
	maxCredentialID = 1023 // L3 §7.1 step 25
	maxUserHandle   = 64   // L3 §5.4.3
	// maxListed bounds the credentials of one account that a ceremony names. Nobody has that many; the options
	// and the record of the flow are to stay small.
	maxListed = 64
	// maxTransports and maxTransport bound what a browser may have us keep.
	maxTransports = 8
	maxTransport  = 32
)

// handle returns the user handle of an account. All its credentials have the same one, for an authenticator keeps
// one passkey for each handle and would else list the person twice. It is derived with the oldest key, so that
// a rotation does not change it, and the account cannot be read from it (L3 §14.6.1).
func (rp *RelyingParty) handle(account string, of []Credential) []byte {
	for _, c := range of {
		if len(c.UserHandle) > 0 {
			return c.UserHandle
		}
	}
	sum, _ := rp.handles.MAC(rp.handles.Oldest(), account)
	return sum[:]
}

// transports returns what is fit to be kept of what the browser said: words such as "internal" or "hybrid", in
// the order that browsers give them. Unknown ones are kept, as L3 §5.8.4 demands.
func transports(said []string) []string {
	var kept []string
	for _, t := range said {
		word := len(t) > 0 && len(t) <= maxTransport && strings.Trim(t, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
		if word && len(kept) < maxTransports {
			kept = append(kept, t)
		}
	}
	slices.Sort(kept)
	return slices.Compact(kept)
}

// plain reports whether text can be shown: UTF-8 without control characters.
func plain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}
