package auth

import (
	"errors"
	"net/netip"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Account is a person's account as the directory knows it.
type Account struct {
	ID         string    // stable, never reused; 1 to 128 bytes
	Identifier string    // normalised, unique; what sign-in looks for
	Display    string    // the identifier as it was typed, to be shown
	Name       string    // what to call the person; may be empty
	Language   string    // BCP 47; may be empty
	CreatedAt  time.Time // UTC
}

// AccountState is what the library itself keeps of an account.
type AccountState struct {
	Standing
	Enrolled         flow.Methods // the methods that it has a credential for
	VerifyingPasskey bool         // one of its passkeys is able to verify the user
	Compromised      bool         // the password must be changed at the next sign-in
	ResetDue         bool         // it was locked, or its address given back, and has had no new password since
}

// Standing decides whether an account's flows and sessions live on.
type Standing struct {
	Status flow.Status
	Epochs flow.Epochs
}

// Session is what a session is known by. It holds no token and may be listed.
type Session struct {
	ID              string // public; ends the session, but does not open it
	Account         string
	CreatedAt       time.Time
	AuthenticatedAt time.Time // the latest proof in it
	SeenAt          time.Time // coalesced to a minute
	ExpiresAt       time.Time // if it is not used before
	EndsAt          time.Time // however much it is used; zero if that is not known
	Keep            bool      // keep me signed in
	Proofs          []flow.Proof
	Assurance       flow.Assurance // of all proofs, however old
	UserAgent       string         // at most 256 bytes
	Prefix          netip.Prefix   // of the client's address: /24, or /48 for IPv6
	Current         bool           // in a listing: the one that asked
}

// IssuedSession is a new session with its token, which is shown this once.
type IssuedSession struct {
	Session
	Token Secret
}

// TrustedDevice is a browser or a native client that the owner of an account chose to trust after a code: for
// 30 days its sign-ins are spared what the rules say. It opens nothing by itself.
type TrustedDevice struct {
	ID        string // public; ends the trust, but does not stand for it
	Account   string
	Name      string         // as its owner called it, at most 64 code points; empty if they did not
	Assurance flow.Assurance // of the sign-in in which it was trusted
	CreatedAt time.Time
	SeenAt    time.Time // of its last sign-in
	ExpiresAt time.Time
	UserAgent string // at most 256 bytes
	Current   bool   // in a listing: the one that asked
}

// Reason is why something was refused; see package flow for the list.
type Reason = flow.Reason

// DeniedError is a refusal: a typed reason, all of which may be shown. Everything else that the library
// returns as an error is a fault, of which nothing may be shown.
type DeniedError = flow.DeniedError

// Errors that stores return, to be matched with errors.Is.
var (
	ErrNotFound = errors.New("not found")            // there is no such thing
	ErrTaken    = errors.New("taken")                // there is one already
	ErrStale    = errors.New("changed meanwhile")    // it is not what the caller last saw; nothing was written
	ErrLimit    = errors.New("at the session limit") // the account has as many sessions as it may
)
