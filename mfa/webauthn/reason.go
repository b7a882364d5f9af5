package webauthn

import "fmt"

// Reason is why the answer of a browser was refused: a stable code for logs and audit records. It is not for
// the person, nor for whoever else sent the answer: which check failed tells a forger what to mend, and some
// tell whether a credential exists. To people an assertion was right or was not.
type Reason uint8

// The reasons. The zero value is no refusal.
const (
	Malformed              Reason = iota + 1 // it cannot be read, or has something twice, or more than one thing
	TooLarge                                 // more than 16 KiB
	Expired                                  // the ceremony took longer than it may
	WrongCeremony                            // a registration's answer to an assertion, or the reverse
	WrongAccount                             // the ceremony, the credential or the user handle is of somebody else
	WrongChallenge                           // it answers another question: an old one, or another flow's
	WrongOrigin                              // it was made for another site
	CrossOrigin                              // it was made in a frame of another site
	TokenBinding                             // it was made for a TLS connection that is not ours
	WrongRelyingParty                        // the authenticator signed for another domain
	UserNotPresent                           // nobody touched the authenticator
	UserNotVerified                          // verification was demanded, and there was none that counts
	BackupFlags                              // it claims to be backed up and unable to be backed up
	BackupEligibility                        // it could not be backed up once and can be now, or the reverse
	AlgorithmNotOffered                      // the key is for an algorithm that was not offered
	UnusableKey                              // the key is none, or too weak, or too large
	AttestationNotAskedFor                   // it has a statement that nobody asked for
	BadAttestation                           // its statement does not hold
	CredentialTaken                          // the credential is registered already, for this account or another
	CredentialUnknown                        // no such credential is registered
	CredentialNotAllowed                     // the credential is not among those that were asked for
	NoUserHandle                             // it does not say whose it is, and nobody was asked for
	BadSignature                             // the signature is not the credential's, of this answer
	CounterWentBack                          // there may be a copy of the authenticator
)

var reasonNames = [...]string{
	"", "malformed", "too-large", "expired", "wrong-ceremony", "wrong-account", "wrong-challenge", "wrong-origin",
	"cross-origin", "token-binding", "wrong-relying-party", "user-not-present", "user-not-verified", "backup-flags",
	"backup-eligibility", "algorithm-not-offered", "unusable-key", "attestation-not-asked-for", "bad-attestation",
	"credential-taken", "credential-unknown", "credential-not-allowed", "no-user-handle", "bad-signature", "counter-went-back",
}

// Reasons returns all reasons, in the order of their declaration.
func Reasons() []Reason {
	all := make([]Reason, 0, len(reasonNames)-1)
	for r := Malformed; int(r) < len(reasonNames); r++ {
		all = append(all, r)
	}
	return all
}

// String returns the reason's stable code.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason-%d", r)
}

// RefusedError is a refusal; every other error of this package is a fault. Match it with errors.As, or compare
// reasons with errors.Is against a &RefusedError that has only a Reason. Its text is the code alone.
type RefusedError struct {
	Reason Reason
	// Account and CredentialID say whose credential it was. They are set only if its signature was good, so
	// that a stranger cannot make a host warn somebody: for WrongAccount, UserNotVerified, BackupEligibility and
	// CounterWentBack. They are for the host, and in no text.
	Account      string
	CredentialID []byte
}

func refuse(r Reason) error { return &RefusedError{Reason: r} }

// Error returns the reason's code.
func (e *RefusedError) Error() string { return "webauthn: refused: " + e.Reason.String() }

// Is reports whether target is a RefusedError with the same reason.
func (e *RefusedError) Is(target error) bool {
	t, ok := target.(*RefusedError)
	return ok && t.Reason == e.Reason
}
