package flow

import (
	"errors"
	"fmt"
	"time"
)

// Policy is what a flow must satisfy: closed data, resolved by the host's function before each step. It
// has three parts so that what a stranger can see is kept apart from what an account owes.
type Policy struct {
	Entry  Entry
	Rules  Rules
	Limits Limits
}

// Entry is what is offered before a first proof. It MUST be resolved from the typed address's domain and
// the browser alone, never from the account: everything in it is visible to strangers.
type Entry struct {
	// Methods are the first factors offered: any of Password, Passkey and Social.
	Methods Methods
	// Connection is the SSO connection that the domain routes to; empty if none.
	Connection string
	// SignUp offers to open an account.
	SignUp bool
	// Recovery offers to have a link mailed that resets a forgotten password. Links that an operator has sent work
	// without it.
	Recovery bool
}

// Rules is what the account owes once something was proven. The zero value asks for no second factor, no
// verification and no SSO.
type Rules struct {
	// Connection is the SSO connection that the account's organisation makes mandatory; empty if none.
	Connection string
	// SecondFactor says when one is due.
	SecondFactor Choice
	// Verification says when a mailed code is due.
	Verification Verification
	// TrustSparesFactor lets a trusted device stand in for an enrolled second factor at sign-in, if the
	// person chose to trust it after proving one: a mailed code is no factor, and does not become one by
	// being remembered.
	TrustSparesFactor bool
	// Risk says that the host judges each sign-in after its first proof.
	Risk bool
	// NoTrust offers nobody to trust a device, and counts no trust that was given before.
	NoTrust bool
	// Unavailable are the second factors that nothing here can enrol.
	Unavailable Methods
	// Approver says that there is somebody who can let a person recover an account that nothing else opens.
	Approver bool
}

// Choice says when something is due.
type Choice uint8

// The choices.
const (
	Never Choice = iota
	IfEnrolled
	Always
)

// String returns the choice in words.
func (c Choice) String() string { return [...]string{"never", "if enrolled", "always"}[min(c, Always)] }

// Verification says after which sign-ins from an untrusted device a code is mailed to the account's address.
type Verification uint8

// The verifications.
const (
	VerifyNever Verification = iota
	VerifyPassword
	VerifyPasswordAndSocial
)

// String returns the verification in words.
func (v Verification) String() string {
	return [...]string{"never", "after a password", "after a password or a social sign-in"}[min(v, VerifyPasswordAndSocial)]
}

// Limits bound a flow. DefaultLimits has the usual values; all must be positive.
type Limits struct {
	Idle      time.Duration // after the last step
	Total     time.Duration // after the first step
	Challenge time.Duration // a mailed code, a passkey ceremony, a stay at a provider
	Resend    time.Duration // between two mails
	Fresh     time.Duration // the age of proofs that a change of credentials accepts
	// Confirmation is how long a confirmed operation may be done, after the last step of the flow that confirmed it.
	Confirmation time.Duration
	Failures     int // refused proofs in one flow
	Tries        int // tries of one mailed code
}

// DefaultLimits returns 10 minutes idle, 60 in all, 10 for a challenge, a resend after 60 seconds,
// freshness of 5 minutes, as many to do what was confirmed, 10 failures and 5 tries of a code (ASVS 6.6.3).
func DefaultLimits() Limits {
	return Limits{
		Idle: 10 * time.Minute, Total: time.Hour, Challenge: 10 * time.Minute,
		Resend: time.Minute, Fresh: 5 * time.Minute, Confirmation: 5 * time.Minute, Failures: 10, Tries: 5,
	}
}

// Validate reports every contradiction in the policy at once.
func (p Policy) Validate() error {
	var problems []error
	report := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	allowed := MethodsOf(Password, Passkey, Social)
	report(p.Entry.Methods&^allowed != 0, "Entry.Methods has %s; only %s can be a first factor", p.Entry.Methods&^allowed, allowed)
	report(p.Entry.Methods == 0 && p.Entry.Connection == "", "Entry offers no way to sign in")
	report(p.Rules.SecondFactor > Always, "Rules.SecondFactor is %d; it must be Never, IfEnrolled or Always", p.Rules.SecondFactor)
	report(p.Rules.Verification > VerifyPasswordAndSocial, "Rules.Verification is %d; it is out of range", p.Rules.Verification)
	l := p.Limits
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"Idle", l.Idle}, {"Total", l.Total}, {"Challenge", l.Challenge}, {"Resend", l.Resend}, {"Fresh", l.Fresh}, {"Confirmation", l.Confirmation}} {
		report(d.value <= 0, "Limits.%s is %s; it must be positive", d.name, d.value)
	}
	report(l.Failures < 1 || l.Failures > 100, "Limits.Failures is %d; it must be between 1 and 100", l.Failures)
	report(l.Tries < 1 || l.Tries > 5, "Limits.Tries is %d; it must be between 1 and 5", l.Tries)
	return errors.Join(problems...)
}
