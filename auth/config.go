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

	// Factors keeps second factors; every store of the library can. It is required with Apps, Codes, Passkeys and
	// HostFactor.
	Factors FactorStore
	// Apps lets people pair authenticator apps (package mfa/totp), and Codes lets those who have another second
	// factor make recovery codes (package mfa). Nil offers none.
	Apps  AuthenticatorApps
	Codes RecoveryCodes
	// Passkeys lets people add passkeys and security keys (package mfa/webauthn), as a second factor and, where
	// Entry offers them, to sign in with alone. Nil offers none.
	Passkeys Passkeys
	// HostFactor is a second factor of the host's own, such as a list of codes that it hands out; examples/codelist
	// has one. It counts as much as an app does: rules that demand a second factor are satisfied by it. Nil offers none.
	HostFactor HostFactor

	// Providers are the social providers that people can sign in with, once they connected them with their account while
	// signed in (packages federation/presets, federation/oidc and federation/goth), in the order in which they are
	// offered. Nothing ever connects an account by an address, and nobody opens an account by a provider. None offers
	// none.
	Providers []Provider
	// Links keeps what is connected; every store of the library can. It is required with Providers.
	Links LinkStore
	// ProviderSessions lets providers end the sessions that came of theirs (back-channel logout); every store of the
	// library can keep them. Package authhttp takes a provider's logout tokens at Callbacks, its id and "/logout". Nil
	// ends none.
	ProviderSessions ProviderSessionStore
	// Callbacks is the address below which providers answer, such as "https://app.example/auth/provider/": the
	// redirect address of each is this, its id and "/callback". It is https, or http to a loopback host in development,
	// and with package authhttp its Origin and Prefix and "/provider/". It is required with Providers.
	Callbacks string
	// ProviderTimeout is how long a provider may take to be asked for something. Zero means 10 seconds; at most a minute.
	ProviderTimeout time.Duration

	// Letters, Tickets and Secrets let the service write to people: invitations, links that reset a password or
	// undo a change of address, codes for new addresses and for sign-ins from unknown devices, and notices of
	// what was done to an account. All or none of them; package reset has the Secrets, which must be made from
	// the same Keys, every store of the library has Letters and Tickets, and package mail sends what is queued.
	// Without them there is neither recovery nor sign-up, rules that ask for a mailed code are a fault, and
	// nobody is told of anything.
	Letters LetterStore
	Tickets TicketStore
	Secrets MailSecrets
	// WriteToStrangers also writes to addresses that have no account, when somebody asks for a new password
	// there: "there is no account with this address". It helps people with several addresses, and lets everybody
	// send that mail to anybody, as often as Throttle.MailCap allows.
	WriteToStrangers bool
	// Posted is called when letters were queued, so that they leave at once (mail.Outbox has Notify). It must
	// not block. Nil calls nobody: whoever sends looks from time to time.
	Posted func()

	// Normalize makes the identifier that accounts are found by from what was typed. Nil means
	// NormalizeEmail.
	Normalize func(typed string) (Identifier, error)
	// Entry says what strangers are offered at an address of the domain (empty before one is typed). It
	// sees no account, so that it cannot tell who has one. Nil offers passwords, passkeys and
	// social providers if there are any here and, where mail is set up, to reset a forgotten password.
	Entry func(ctx context.Context, domain string) (flow.Entry, error)
	// Rules says what an account owes after its first proof. Nil asks for a second factor if one is enrolled. At
	// sign-up the account does not exist yet: its id is the one that it will have.
	Rules func(ctx context.Context, a Account) (flow.Rules, error)
	// Risk judges a sign-in after its first proof. Nil asks nobody.
	Risk func(ctx context.Context, r RiskRequest) (flow.Verdict, error)

	// RecoveryApprover decides whether a person who read the account's mail, and has nothing else, may go on:
	// in the place of second factors that are lost, which are removed when the new password is set, or to reopen a
	// locked account that has no password. It is asked whenever the person asks, once RecoveryDelay is over, and
	// answers whether somebody has approved by now, after whatever the host finds right: a call, a look at a
	// passport (ASVS 6.4.4: as much as when the account was opened). An approval serves once, so the host forgets it
	// when it gave it. An error is a fault and denies. Nil approves nothing, and offers nobody to ask.
	RecoveryApprover func(ctx context.Context, r RecoveryRequest) (approved bool, err error)
	// RecoveryDelay is how long an owner has to object before RecoveryApprover is asked: they are told when somebody
	// asks for an approval, and end it by signing in with two factors, or by any change of the account. Zero means a
	// day; from a minute to 30 days.
	RecoveryDelay time.Duration

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

	// Activity keeps what happened with each account, for its owner to read: sign-ins, refused attempts, changes; every
	// store of the library can. Nil keeps nothing and shows nothing.
	Activity ActivityStore
	// KeepActivity is how long that is kept. Zero means 90 days.
	KeepActivity time.Duration

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

// RecoveryRequest is what the host's RecoveryApprover sees.
type RecoveryRequest struct {
	Account Account
	FlowID  string    // the flow that asks; an approval is for it alone
	Locked  bool      // the account is to be reopened; else a second factor is lost
	Since   time.Time // when the owner was told
	Client  Client
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
	// devices separately: 5. It falls by one each MailLeak, 20 minutes. As many are sent to an address because
	// strangers ask for them, to reset a password or to sign up; that is counted by the address, whether or not it
	// has an account. An address prefix may cause as many as it may have failures. As many notices of new devices
	// are sent besides.
	MailCap  int
	MailLeak time.Duration
	// ReviewCap is how many new passwords an account may have judged: 30. It falls by one each ReviewLeak, a
	// minute.
	ReviewCap  int
	ReviewLeak time.Duration
}
