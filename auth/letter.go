package auth

import (
	"context"
	"time"
)

// Letter is a mail that is due, as data: what it tells, and whom. It holds neither text nor a secret. The
// text is made when it is sent, and so is the link or the code in it, from a key that is not in the store:
// a copy of the queue opens nothing. It does hold an address.
type Letter struct {
	ID       string // unique; the same however often the letter is sent
	Kind     LetterKind
	Account  string // whose account it is about; empty if the address has none
	To       string // the address, as it was typed
	Name     string // what to call the person; may be empty
	Language string // BCP 47: the account's, else the one of the browser that asked; may be empty

	Secret SecretRef // the link or the code in it; zero for neither
	Key    string    // the name of the key that the secret is made with

	At      time.Time // when what it tells of happened
	Device  string    // what caused it, by its User-Agent; empty if no browser did
	Network string    // where that was: a /24, or a /48 for IPv6; may be empty
	Method  string    // the factor or the way of signing in that it tells of
	Address string    // the other address of a change

	CreatedAt time.Time
	ExpiresAt time.Time // it is not sent any more from then on
}

// LetterKind says what a letter tells. The set is closed.
type LetterKind string

// The kinds. Those with a link or a code in them answer somebody's request; the notices tell an owner what
// was done to the account.
const (
	// BlankLetter is never sent. It is queued where another address would get a letter, so that the answer
	// takes as long.
	BlankLetter LetterKind = "blank"

	InvitationLetter LetterKind = "invitation"     // link: set the first password
	ResetLetter      LetterKind = "reset"          // link: set a new password
	NoPasswordLetter LetterKind = "no-password"    // asked for a reset, but signs in by Method
	NoAccountLetter  LetterKind = "no-account"     // asked for a reset, but the address has no account
	ReopenLetter     LetterKind = "reopen"         // link: have a locked account without a password opened again
	ClosedLetter     LetterKind = "closed"         // asked for a reset of such an account, and nobody can be asked
	SignUpLetter     LetterKind = "sign-up"        // code: the address of a new account
	HasAccountLetter LetterKind = "has-account"    // asked for an account, and has one
	SignInLetter     LetterKind = "sign-in"        // code: login verification
	NewAddressLetter LetterKind = "new-address"    // code, to the new address of a change
	TakenLetter      LetterKind = "address-in-use" // instead of that code, to the owner of that address

	AddressChangedNotice LetterKind = "address-changed" // link, to the old address: undo it
	AddressUndoneNotice  LetterKind = "address-undone"
	PasswordNotice       LetterKind = "password-changed"
	NewDeviceNotice      LetterKind = "new-device"
	TrustNotice          LetterKind = "device-trusted"
	FactorNotice         LetterKind = "factor-added"
	FactorGoneNotice     LetterKind = "factor-removed"
	RecoveryCodeNotice   LetterKind = "recovery-code-used"
	LinkNotice           LetterKind = "identity-linked"
	LinkGoneNotice       LetterKind = "identity-unlinked"
	LockNotice           LetterKind = "locked-out"
	ReopenedNotice       LetterKind = "reopened"
	RecoveryAskedNotice  LetterKind = "recovery-asked" // somebody says to have lost the factors, and waits for an approval
)

// SecretRef names a mailed secret without telling it: the link of a ticket, or the code of a flow.
type SecretRef struct {
	Purpose Purpose
	Ticket  string    // of a link: the ticket's id
	Flow    string    // of a code: the flow that it must be typed into
	Account string    // of a code: whose it is, or the decoy's id
	At      time.Time // of a code: when it was made; only the last one of a flow counts
}

// IsZero reports whether r names nothing.
func (r SecretRef) IsZero() bool { return r == SecretRef{} }

// QueuedLetter is a letter on its way.
type QueuedLetter struct {
	Letter
	Attempts int // how often it was claimed, this time included
}

// LetterStore is the queue of letters, beside AccountStore and in the same transactions: what the account
// store changes and the letters that tell of it happen together. It delivers at least once.
type LetterStore interface {
	// AddLetters queues letters, all or none, to be sent at once. One whose id is there already is skipped.
	AddLetters(ctx context.Context, letters ...Letter) error
	// ClaimLetters returns at most limit letters that are due by now, those due first coming first, and
	// hides them from all other callers until the given time: whoever dies with a letter in hand leaves it to
	// the next. Letters that expired by now are not returned.
	ClaimLetters(ctx context.Context, now, until time.Time, limit int) ([]QueuedLetter, error)
	// PostponeLetter makes a letter due at the given time, if it is still in the same attempt; else ErrStale.
	PostponeLetter(ctx context.Context, id string, attempts int, due time.Time) error
	// RemoveLetter takes a letter out of the queue: it was sent, or given up. An unknown one is no error.
	RemoveLetter(ctx context.Context, id string) error
	// SweepLetters deletes at most limit letters that expired by now, and returns them: nobody got them.
	SweepLetters(ctx context.Context, now time.Time, limit int) ([]Letter, error)
}
