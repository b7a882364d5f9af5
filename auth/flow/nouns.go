package flow

import (
	"fmt"
	"strings"
	"time"
)

// Goal is what a flow is for. The zero value is no goal; a flow cannot begin with it.
type Goal uint8

// The goals. SignIn, SignUp, Recovery, Activation and Reversal begin with a stranger; the others begin with a
// session.
const (
	SignIn     Goal = iota + 1 // a new session
	SignUp                     // a new account, its address proven
	StepUp                     // a session of higher or fresher assurance
	Recovery                   // a new password for someone who lost theirs
	Activation                 // the first credential of an invited account
	Linking                    // an external identity connected to the account, or disconnected
	Enrolment                  // a password, a second factor or the address added or replaced, or a factor removed
	Handoff                    // a session taken over by another site of the same host
	Reversal                   // a change of address undone, from the old mailbox
)

var goalNames = [...]string{"", "sign-in", "sign-up", "step-up", "recovery", "activation", "linking", "enrolment", "handoff", "reversal"}

// String returns the goal's stable code.
func (g Goal) String() string { return nameOf(goalNames[:], uint8(g)) }

// MarshalText returns the goal's stable code.
func (g Goal) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText reads a stable code; an unknown one is an error.
func (g *Goal) UnmarshalText(text []byte) error {
	n, err := indexOf(goalNames[:], "goal", text)
	*g = Goal(n)
	return err
}

// ByStranger reports whether the goal begins without a session.
func (g Goal) ByStranger() bool {
	return g == SignIn || g.byMail()
}

// byMail reports whether the goal begins in a mailbox. Such a goal never ends in a session (ASVS 6.4.3).
func (g Goal) byMail() bool {
	return g == SignUp || g == Recovery || g == Activation || g == Reversal
}

// Method is a way to prove something. The zero value is no method.
type Method uint8

// The methods.
const (
	Password      Method = iota + 1
	MailCode             // a code mailed to the account's address, typed back in the same flow
	MailLink             // a mailed link, opened and confirmed
	TOTP                 // a time-based one-time password, RFC 6238
	RecoveryCode         // one of the printed one-use codes
	Passkey              // a WebAuthn credential, with or without user verification
	HostFactor           // a second factor of the host's own making
	Social               // a connected social provider
	SSO                  // the organisation's identity provider
	TrustedDevice        // a browser that the person chose to trust
	Approval             // an approver's word, for someone who lost everything else
)

var methodNames = [...]string{"", "password", "mail-code", "mail-link", "totp", "recovery-code", "passkey", "host-factor", "social", "sso", "trusted-device", "approval"}

// String returns the method's stable code.
func (m Method) String() string { return nameOf(methodNames[:], uint8(m)) }

// MarshalText returns the method's stable code.
func (m Method) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads a stable code; an unknown one is an error.
func (m *Method) UnmarshalText(text []byte) error {
	n, err := indexOf(methodNames[:], "method", text)
	*m = Method(n)
	return err
}

// Guessable reports whether the method's secret is short enough to be guessed, so that each try takes from a counter.
func (m Method) Guessable() bool {
	return MethodsOf(Password, MailCode, TOTP, RecoveryCode, HostFactor).Has(m)
}

// Redirects reports whether the proof comes back from another site.
func (m Method) Redirects() bool { return m == Social || m == SSO }

// Methods is a set of methods. The zero value is empty.
type Methods uint16

// MethodsOf returns the set of the given methods.
func MethodsOf(methods ...Method) Methods {
	var s Methods
	for _, m := range methods {
		s |= 1 << m
	}
	return s
}

// Has reports whether m is in the set.
func (s Methods) Has(m Method) bool { return m != 0 && s&(1<<m) != 0 }

// With returns the set with m added.
func (s Methods) With(m Method) Methods { return s | 1<<m }

// And returns the methods that are in both sets.
func (s Methods) And(t Methods) Methods { return s & t }

// List returns the methods of the set in the order of their declaration.
func (s Methods) List() []Method {
	var list []Method
	for m := range s.each {
		list = append(list, m)
	}
	return list
}

// each yields the methods in the same order.
func (s Methods) each(yield func(Method) bool) {
	for m := Password; m <= Approval; m++ {
		if s.Has(m) && !yield(m) {
			return
		}
	}
}

// String returns the stable codes, joined by a plus sign.
func (s Methods) String() string {
	var names []string
	for m := range s.each {
		names = append(names, m.String())
	}
	return strings.Join(names, "+")
}

var (
	secondFactors = MethodsOf(TOTP, RecoveryCode, Passkey, HostFactor)
	realFactors   = MethodsOf(TOTP, Passkey, HostFactor) // those that one keeps, unlike a list of codes
	firstFactors  = MethodsOf(Password, Passkey, Social, SSO)
	trusting      = MethodsOf(MailCode, TOTP, HostFactor)                                  // those whose form offers to trust the device
	enrollable    = MethodsOf(Password, MailCode, TOTP, RecoveryCode, Passkey, HostFactor) // MailCode is the mailbox: the account's address
)

// Status is the standing of an account. The zero value, Invited, can sign in by no path.
type Status uint8

// The statuses.
const (
	Invited  Status = iota // created, never activated
	Active                 // can sign in
	Disabled               // closed by an administrator
	Locked                 // closed after a hostile sign-in, until the password is reset
)

var statusNames = [...]string{"invited", "active", "disabled", "locked"}

// String returns the status's stable code.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// MarshalText returns the status's stable code.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a stable code; an unknown one is an error.
func (s *Status) UnmarshalText(text []byte) error {
	n, err := indexOf(statusNames[:], "status", text)
	*s = Status(n)
	return err
}

// Epochs count the changes that end what came before them; both only rise.
type Epochs struct {
	Security uint64 `json:"security"` // a change ends open flows and mailed secrets
	Session  uint64 `json:"session"`  // a change ends sessions and device trust
}

// Subject is the account that a flow is about, as it was when last looked at.
type Subject struct {
	// Account is the account's stable id; for a decoy, an id that no account has.
	Account string `json:"account,omitempty"`
	// Decoy marks a subject that stands in for an account that the flow cannot be about: an unknown
	// address at sign-in, a taken one at sign-up. It walks the same steps and proves nothing.
	Decoy bool `json:"decoy,omitempty"`
	// Status is the account's standing.
	Status Status `json:"status"`
	// Epochs are the account's, as of the last look.
	Epochs Epochs `json:"epochs"`
	// Enrolled are the methods that the account has a credential for.
	Enrolled Methods `json:"enrolled,omitempty"`
	// VerifyingPasskey says that one of its passkeys is able to verify the user.
	VerifyingPasskey bool `json:"verifying_passkey,omitempty"`
	// Reauthenticates says that one of its social providers authenticates people anew and tells when it did.
	Reauthenticates bool `json:"reauthenticates,omitempty"`
	// Compromised says that its password is known to others and must be changed at the next sign-in.
	Compromised bool `json:"compromised,omitempty"`
}

// Target is the assurance that a flow begun by a session has to reach.
type Target struct {
	// Assurance is the least level; zero asks for none.
	Assurance Assurance `json:"assurance,omitempty"`
	// MaxAge is the greatest age of a proof that counts. Zero counts only proofs made in this flow.
	MaxAge time.Duration `json:"max_age,omitempty"`
	// Methods must each be proven within MaxAge.
	Methods Methods `json:"methods,omitempty"`
	// Enrol is the method that an Enrolment adds or replaces: Password, a second factor, or MailCode, which is
	// the address that codes are mailed to.
	Enrol Method `json:"enrol,omitempty"`
	// Connection is the provider that a Linking connects; empty lets the person choose.
	Connection string `json:"connection,omitempty"`
	// Remove is what is removed instead: the factor, of the method Enrol, by an Enrolment, and the link to an external
	// identity by a Linking.
	Remove string `json:"remove,omitempty"`
	// Last says that no other second factor would remain, recovery codes aside.
	Last bool `json:"last,omitempty"`
	// Sole says that without what is removed nothing would sign the account in.
	Sole bool `json:"sole,omitempty"`
	// Operation is what a StepUp confirms. With one, only proofs made in this flow count, whatever MaxAge says, and
	// an Assurance of zero asks for the highest level that the account can reach.
	Operation Operation `json:"operation,omitzero"`
}

// Choices are what the person ticked.
type Choices struct {
	Keep      bool `json:"keep,omitempty"`       // keep me signed in
	Trust     bool `json:"trust,omitempty"`      // trust this device
	EndOthers bool `json:"end_others,omitempty"` // sign out of all other sessions
}

func nameOf(names []string, n uint8) string {
	if int(n) < len(names) && n > 0 {
		return names[n]
	}
	return fmt.Sprintf("(%d)", n)
}

func indexOf(names []string, kind string, text []byte) (int, error) {
	for i, name := range names {
		if name == string(text) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("flow: unknown %s %q", kind, text)
}
