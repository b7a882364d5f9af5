package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// Provider is somebody else who knows people: a social provider, or an organisation's identity provider. Packages
// federation/oidc, federation/goth and federation/presets have implementations. It is safe for concurrent use.
//
// A provider turns a trip into an address to go to, and what comes back into who it is; and nothing else. The service
// owns what keeps a trip its own: the state, the nonce and the verifier, which browser began it and which one came
// back, that it serves once and for how long, where it returns to, and which issuer may answer. It looks at the
// address that Begin returns and refuses one that does not carry them.
type Provider interface {
	// Info describes the provider. It returns the same each time.
	Info() ProviderInfo
	// Begin returns where to send the person. It may ask the provider for its configuration, within ctx.
	Begin(ctx context.Context, t Trip) (Departure, error)
	// Complete returns who came back. It is called at most once for a trip, after all that the service checks. An
	// error is never told to the person; see ProviderError.
	Complete(ctx context.Context, t Trip, a Answer) (Identity, error)
}

// ProviderInfo describes a provider.
type ProviderInfo struct {
	// ID names the provider in addresses, links and sessions: 1 to 32 of a to z, 0 to 9 and the hyphen. It must stay
	// what it is.
	ID string
	// Name is what people call it: "Google".
	Name string
	// FormPost says that it answers by a form that the browser posts from its site to ours (OAuth 2.0 Form Post
	// Response Mode). Else it answers in the address.
	FormPost bool
	// Reauthenticates says that it authenticates people anew when asked to, and tells when it did (auth_time). Without
	// that, coming back from it proves who somebody is, and not that they are there: it serves to sign in and not to
	// step up.
	Reauthenticates bool
	// NoPKCE and NoNonce say that it cannot do these. Whoever steals a code from somebody's browser can then redeem it
	// in a sign-in of their own, unless it has at least one of the two. The report tells.
	NoPKCE, NoNonce bool
	// Notes are what else the report should tell of it, a sentence each.
	Notes []string
	// Vouches lists the authentication context classes (acr) that count as two factors here. Empty means that a second
	// factor is asked for after it as after a password.
	Vouches []string
}

// Trip is one stay of a person at a provider. Its secrets are made anew for each.
type Trip struct {
	State       Secret // what the answer must bring back
	Nonce       Secret // what an ID token must have in it
	Verifier    Secret // the code verifier of PKCE, RFC 7636; see Challenge
	RedirectURI string // where the answer comes to; each provider has its own
	// Fresh asks that the person authenticates anew, at most MaxAge ago. A zero MaxAge is now.
	Fresh  bool
	MaxAge time.Duration
	// Language is the person's, as a BCP 47 tag; may be empty.
	Language string
	Now      time.Time
	// Keep is what Begin returned under this name; in Begin it is empty.
	Keep []byte
}

// Challenge returns the code challenge of the trip's verifier, by the method S256.
func (t Trip) Challenge() string {
	sum := sha256.Sum256([]byte(t.Verifier.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Departure is where to send a person.
type Departure struct {
	// URL is the provider's address: https, or http to a loopback host in development. At most 4 KiB.
	URL string
	// Issuer is who will answer, to be compared with the answer's iss (RFC 9207); empty if it is not known before.
	Issuer string
	// TellsIssuer says that the answer must name it.
	TellsIssuer bool
	// Keep is what the provider needs again in Complete, at most 2 KiB. It is kept as it is, so no secret belongs
	// in it.
	Keep []byte
}

// Answer is what a provider's answer brought, of which the service has checked what it can.
type Answer struct {
	Code   Secret // the authorization code
	Issuer string // the answer's iss; empty if it had none
	// User is Apple's parameter of that name: unsigned, so good for a name to show and for nothing else. At most 1 KiB.
	User string
}

// ProviderError says why a provider's answer is worth nothing. Its code is for the records; the person is told that the
// provider did not vouch for them, whatever it was. Other errors of a Provider are told to the person alike and
// logged as faults.
type ProviderError struct {
	// Code is a stable code such as "nonce-mismatch".
	Code string
	// Err is the cause, without any part of a token, a code or a secret; may be nil.
	Err error
}

// Error returns the code and the cause.
func (e *ProviderError) Error() string {
	if e.Err == nil {
		return "provider: " + e.Code
	}
	return "provider: " + e.Code + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *ProviderError) Unwrap() error { return e.Err }

// LogoutVerifier is a Provider that can tell us that it ended a session (OpenID Connect Back-Channel Logout 1.0).
type LogoutVerifier interface {
	// VerifyLogout returns what a logout token ends. An error is a *ProviderError if the token is worth nothing, else a
	// fault. That a token serves once is for the caller to see to, by its ID.
	VerifyLogout(ctx context.Context, token Secret, now time.Time) (ProviderLogout, error)
}

// ProviderLogout is what a provider ended: one of its sessions, or all of a person's.
type ProviderLogout struct {
	ID        string // the token's jti
	Issuer    string
	Subject   string // may be empty if Session is not
	Session   string // may be empty if Subject is not
	ExpiresAt time.Time
}

// LogoutLeader is a Provider where a person can sign out as well (OpenID Connect RP-Initiated Logout 1.0).
type LogoutLeader interface {
	// LogoutURL returns the address that a person is sent to, to come back to returnTo with the state; empty if the
	// provider has none.
	LogoutURL(ctx context.Context, returnTo, state string) (string, error)
}
