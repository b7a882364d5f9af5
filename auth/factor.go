package auth

import (
	"context"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// StoredFactor is one second factor of an account, or one recovery code of its set, as a store keeps it. Nothing in
// it is a secret to whoever has not the keys: what verifies a factor is sealed, hashed or public.
type StoredFactor struct {
	ID      string // chosen before it is stored, never used again; 1 to 128 bytes
	Account string
	Method  flow.Method
	Name    string // as its owner called it, at most 64 code points; may be empty
	// Handle is what it is looked up by, at most 1,400 bytes: a passkey's credential id, a recovery code's selector,
	// the serial number of what a host issued. Empty for others, which is none: it is like no other and finds nothing.
	// No two passkeys have the same, of whatever accounts; other handles differ within an account and a method.
	Handle    string
	Data      string    // what verifies it, opaque, at most 4 KiB
	Counter   int64     // the last step of an authenticator app or place of a host's code, the signature counter of a passkey
	Verifying bool      // a passkey that is able to verify its user
	CreatedAt time.Time // UTC
	UsedAt    time.Time // when it last proved something; zero for never
}

// FactorChange adds and removes second factors of one account in one act.
type FactorChange struct {
	Account string
	From    Standing // as the caller saw the account
	// Remove are the ids of factors to remove, and RemoveAll a method of which all go.
	Remove      []string
	RemoveAll   flow.Method
	Add         []StoredFactor // after the removal; all of the account
	EndSessions bool
	Letters     []Letter
	Now         time.Time
}

// FactorStore keeps second factors, beside AccountStore and in the same transactions. AccountStore.State tells of
// them in AccountState.Enrolled and VerifyingPasskey, and AccountStore.Delete deletes them with the account.
type FactorStore interface {
	// Factors returns the account's factors of all methods, those added first coming first, and of those added
	// together in the order of their ids. It returns none for an unknown account.
	Factors(ctx context.Context, account string) ([]StoredFactor, error)
	// FindPasskey returns the passkey with the handle, whosever it is, or ErrNotFound.
	FindPasskey(ctx context.Context, handle string) (StoredFactor, error)
	// ChangeFactors removes and adds what the change says, raises the security epoch by one, with EndSessions the
	// session epoch too, forgets all the account's tickets but those ForUndo, and queues the letters. It returns
	// ErrNotFound for an unknown account; ErrStale unless the account stands exactly as in c.From and has every
	// factor that c.Remove names; and ErrTaken if an id or a handle of c.Add is in use after the removal, or comes
	// twice. Nothing is changed then, and no letter queued. That none of RemoveAll's method is there is no error;
	// a factor of another account in c.Add is one.
	ChangeFactors(ctx context.Context, c FactorChange) (flow.Epochs, error)
	// UseFactor records that a factor proved something: it moves Counter from one value to another, replaces Data
	// unless the given one is empty, and sets UsedAt. It returns ErrStale unless the account has the factor and its
	// Counter is from: of two callers with one code, one wins (ASVS 6.5.1). The values may be the same, for a
	// passkey that does not count; then each caller wins. It raises no epoch.
	UseFactor(ctx context.Context, account, id string, from, to int64, data string, now time.Time) error
	// ConsumeFactor deletes a factor that works once. It returns ErrStale unless the account has it with exactly
	// this Data. It raises no epoch.
	ConsumeFactor(ctx context.Context, account, id, data string) error
	// RenameFactor gives a factor another name, or returns ErrNotFound. It raises no epoch.
	RenameFactor(ctx context.Context, account, id, name string) error
}

// Pairing is the key of an authenticator app as it is shown to its owner, once. It prints no part of the key.
type Pairing struct {
	Sealed string // what the store keeps, as StoredFactor.Data
	URI    Secret // the key with its parameters as otpauth://totp/…, which apps open
	Text   Secret // the key for typing
}

// AuthenticatorApps makes and checks the keys of authenticator apps; package mfa/totp has the implementation.
type AuthenticatorApps interface {
	// Pair makes a new key for the factor of the account. The label, such as the account's address, is what the
	// app shows.
	Pair(factor, account, label string) (Pairing, error)
	// Show returns the pairing again, for a key that is not confirmed yet.
	Show(f StoredFactor, label string) (Pairing, error)
	// QR draws the URI as an svg element, which has the title as its text alternative.
	QR(p Pairing, title string) (Secret, error)
	// Check reports whether typed is the code of a step after f.Counter, and which, to be saved by
	// FactorStore.UseFactor. An error is a fault, never a wrong code.
	Check(f StoredFactor, typed Secret, now time.Time) (step int64, ok bool, err error)
}

// RecoveryCodes makes and checks recovery codes; package mfa has the implementation.
type RecoveryCodes interface {
	// NewSet makes a set of codes: to be shown once, and to be stored in place of all that the account had.
	NewSet(account string) (shown []Secret, set []StoredFactor, err error)
	// Handle returns the handle of the code that was typed, by which its row is found; ok is false if it can be none.
	Handle(typed Secret) (handle string, ok bool)
	// Opens reports whether typed is the account's code that f was made for. The zero f takes as long and is false.
	Opens(typed Secret, account string, f StoredFactor) bool
}
