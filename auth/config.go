package auth

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Profile is a named set of defaults and demands.
type Profile string

// The profiles. ProfileL1 is the default; New refuses the others until they can keep what they promise.
const (
	ProfileL1 Profile = "L1" // everything that costs the person nothing
	ProfileL2 Profile = "L2" // a second factor for everyone
	ProfileL3 Profile = "L3" // hardware keys for everyone
)

// Config is what a Service is made from. New copies it; later changes have no effect.
type Config struct {
	// Profile is ProfileL1 if empty.
	Profile Profile
	// Keys are required.
	Keys Keys

	// The stores are required. One value may serve as several of them.
	Directory     Directory
	Accounts      AccountStore
	PasswordStore PasswordStore
	Flows         FlowStore
	Counters      Counters

	// The features. Passwords, Sessions and Devices are required.
	Passwords Passwords
	Sessions  Sessions
	Devices   Devices
	// TrustedDevices lets people trust the devices they sign in with; see flow.Rules for what that spares them.
	// Nil offers no trust, whatever the rules say.
	TrustedDevices TrustedDevices

	// Letters and Secrets let the service write to people: codes for sign-ins from unknown devices where the
	// rules ask for them, and notices of what was done to an account. Both or neither; package reset has the
	// Secrets, which must be made from the same Keys, every store of the library has Letters, and package mail
	// sends what is queued. Without them, rules that ask for a mailed code are a fault, and nobody is told of
	// anything.
	Letters LetterStore
	Secrets MailSecrets
	// Posted is called when letters were queued, so that they leave at once (mail.Outbox has Notify). It must
	// not block. Nil calls nobody: whoever sends looks from time to time.
	Posted func()

	// Normalize makes the identifier that accounts are found by from what was typed. Nil means
	// NormalizeEmail.
	Normalize func(typed string) (Identifier, error)
	// Entry says what strangers are offered at an address of the domain (empty before one is typed). It
	// sees no account, so that it cannot tell who has one. Nil offers passwords.
	Entry func(ctx context.Context, domain string) (flow.Entry, error)
	// Rules says what an account owes after its first proof. Nil asks for a second factor if one is enrolled.
	Rules func(ctx context.Context, a Account) (flow.Rules, error)
	// Risk judges a sign-in after its first proof. Nil asks nobody.
	Risk func(ctx context.Context, r RiskRequest) (flow.Verdict, error)

	// ReturnTo lists what return addresses may be, besides paths of the own site: absolute https URLs, each
	// standing for itself and everything below its path.
	ReturnTo []string
	// DefaultReturnTo is where to go when no other place is asked for, or the one asked for is not allowed.
	// Empty means "/".
	DefaultReturnTo string

	// Limits bound a flow; zero fields mean flow.DefaultLimits.
	Limits flow.Limits
	// Throttle bounds attempts; zero fields have defaults.
	Throttle Throttle

	// Audit receives every decision. Nil means the log alone.
	Audit AuditSink
	// Logger receives every decision and every fault. Nil discards.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now. It may be called concurrently.
	Now func() time.Time
	// Random is the source of secrets; nil means crypto/rand.Reader. It may be read concurrently.
	Random io.Reader
}

// RiskRequest is what the host's Risk function sees.
type RiskRequest struct {
	Account Account
	Client  Client
	Known   bool // this browser completed a sign-in to the account before
	Proofs  []flow.Proof
}

// Identifier is a normalised identifier.
type Identifier struct {
	Value   string // unique; what accounts are found by
	Display string // as typed, trimmed
	Domain  string // what Entry sees; empty for identifiers without one
}

// Throttle bounds attempts. Zero fields mean the values given here. The bounds follow ASVS 6.3.1 and NIST
// SP 800-63B-4 §3.2.2: at most 100 consecutive failures of one authenticator, and a growing wait before.
type Throttle struct {
	// Free is how many failures of one authenticator in a row are free of waiting: 5.
	Free int
	// FirstDelay is the wait after the last free one, 30 seconds; it doubles with each further failure up
	// to MaxDelay, an hour.
	FirstDelay, MaxDelay time.Duration
	// Cap is how many failures of one authenticator in a row stop it, for unknown and for known devices
	// separately: 100, which is also the most.
	Cap int
	// AccountCap is how many failures of all authenticators together, from unknown devices, stop them: 100.
	// It falls by one each AccountLeak, an hour.
	AccountCap  int
	AccountLeak time.Duration
	// PrefixCap is how many failures an address prefix (an IPv4 address, an IPv6 /64) may have: 100. It
	// falls by one each PrefixLeak, 36 seconds.
	PrefixCap  int
	PrefixLeak time.Duration
	// BeginCap is how many flows an address prefix may begin: 300. It falls by one each BeginLeak, a second.
	BeginCap  int
	BeginLeak time.Duration
	// MailCap is how many letters with a code or a link in them an account is sent, for unknown and for known
	// devices separately: 5. It falls by one each MailLeak, 20 minutes. An address prefix may cause as many as it
	// may have failures. As many notices of new devices are sent besides.
	MailCap  int
	MailLeak time.Duration
	// ReviewCap is how many new passwords an account may have judged: 30. It falls by one each ReviewLeak, a
	// minute.
	ReviewCap  int
	ReviewLeak time.Duration
}
