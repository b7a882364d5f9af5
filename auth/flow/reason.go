package flow

import (
	"fmt"
	"time"
)

// Reason is why something was refused. Every reason may be shown to whoever asked: none tells whether an
// account exists before something was proven. The zero value is no refusal.
type Reason uint8

// The reasons.
const (
	BadCredentials       Reason = iota + 1 // unknown address, wrong password, closed account: deliberately one reason
	WrongCode                              // the code is wrong, used or expired
	PasskeyRefused                         // the passkey is not known here, or its answer is wrong or too late
	TooManyAttempts                        // wait until RetryAt; without one, reset the password or use another factor
	TooSoon                                // a code was sent a moment ago; wait until RetryAt
	Busy                                   // the server is at its limit for password checks, or cannot make one; try again at once
	Expired                                // the flow waited too long; begin again
	Stale                                  // the account or the flow changed meanwhile; begin again
	NotOffered                             // this action is not among those that may come next
	NotConnected                           // this external identity belongs to no account; sign in and connect it first
	WrongPerson                            // the proof is of somebody else than the flow is about
	IdentityTaken                          // this external identity belongs to another account
	ProviderFailed                         // the provider did not vouch for the person
	ProviderDeclined                       // the person, or the provider, said no there
	NotRecent                              // the provider did not authenticate the person anew
	AccountUnavailable                     // the account is closed; contact support
	AccountLocked                          // the account was locked just now; reset the password
	SignInRefused                          // the host's risk rules refuse this sign-in
	OrganisationRequired                   // the organisation demands its own sign-in
	NoPassword                             // the account is signed in to without a password, and gets none by mail
	NotApproved                            // nobody has let the person recover the account yet
	PasswordRejected                       // the new password is not acceptable; the problem says why
	FactorRequired                         // the account must have this factor; add another one first
	AssuranceShort                         // the account has no factor that reaches what is asked for
	TooManyFactors                         // the account has as many of these as it may; remove one first
	TooManySessions                        // the account has as many sessions as it may; end one elsewhere
	SessionRequired                        // sign in first
	StepUpRequired                         // prove again who you are
	CookieRequired                         // the browser sent no cookie of ours
	NativeNotOffered                       // no native clients are served here
	MixedTransport                         // the request has what browsers send and what native clients send
	Malformed                              // the request cannot be read
	Forbidden                              // the request did not come from our own page
	AddressRejected                        // not an address that can be used
	AddressTaken                           // the address belongs to another account; only operators are told
	NotFound                               // there is nothing under this name, for you
	Cancelled                              // the person gave up
)

var reasonNames = [...]string{
	"", "bad-credentials", "wrong-code", "passkey-refused", "too-many-attempts", "too-soon", "busy", "expired", "stale", "not-offered",
	"not-connected", "wrong-person", "identity-taken", "provider-failed", "provider-declined", "not-recent", "account-unavailable", "account-locked",
	"sign-in-refused", "organisation-required", "no-password", "not-approved", "password-rejected", "factor-required", "assurance-short", "too-many-factors", "too-many-sessions", "session-required", "step-up-required",
	"cookie-required", "native-not-offered", "mixed-transport", "malformed", "forbidden", "address-rejected", "address-taken", "not-found", "cancelled",
}

// Reasons returns all reasons, in the order of their declaration.
func Reasons() []Reason {
	all := make([]Reason, 0, len(reasonNames)-1)
	for r := BadCredentials; int(r) < len(reasonNames); r++ {
		all = append(all, r)
	}
	return all
}

// String returns the reason's stable code.
func (r Reason) String() string { return nameOf(reasonNames[:], uint8(r)) }

// MarshalText returns the reason's stable code.
func (r Reason) MarshalText() ([]byte, error) {
	if r == 0 {
		return nil, nil
	}
	return []byte(r.String()), nil
}

// UnmarshalText reads a stable code; an unknown one is an error.
func (r *Reason) UnmarshalText(text []byte) error {
	n, err := indexOf(reasonNames[:], "reason", text)
	*r = Reason(n)
	return err
}

// Refusal is a reason with what goes with it. The zero value is no refusal.
type Refusal struct {
	Reason  Reason    `json:"reason,omitzero"`
	RetryAt time.Time `json:"retry_at,omitzero"` // when to try again; zero if waiting does not help
	Problem string    `json:"problem,omitempty"` // what is wrong with a new password: a stable code of the password policy
}

// DeniedError says that something was refused. All of it may be shown. Match it with errors.As, or
// compare reasons with errors.Is against a &DeniedError that has only a Reason.
type DeniedError struct{ Refusal }

// Deny returns a DeniedError for the reason.
func Deny(r Reason) *DeniedError { return &DeniedError{Refusal{Reason: r}} }

// Error returns the reason's code.
func (e *DeniedError) Error() string { return "denied: " + e.Reason.String() }

// Is reports whether target is a DeniedError with the same reason.
func (e *DeniedError) Is(target error) bool {
	t, ok := target.(*DeniedError)
	return ok && t.Reason == e.Reason
}

// UnexpectedEventError says that a result came that no effect asked for: a mistake of the caller, never
// of the person.
type UnexpectedEventError struct {
	Phase Phase
	Event Event
}

// Error names the phase and the kind of event.
func (e *UnexpectedEventError) Error() string {
	return fmt.Sprintf("flow: unexpected %T while %s", e.Event, e.Phase)
}
