package auth

import (
	"net/netip"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Client is who calls, as the transport saw it.
type Client struct {
	Browser   Secret     // the flow cookie; zero for a native client, and only for one
	Native    bool       // no cookies: the handle alone binds the flow, and tokens have their marks
	Device    Secret     // the device cookie, or the native client's device token; zero if there is none
	Session   Secret     // the token of the session that acts; zero if there is none
	Address   netip.Addr // the client's address, through declared proxies only
	UserAgent string
	Language  string // BCP 47, of the answer; letters to accounts without a language of their own use it
}

// The marks that native clients' tokens begin with. A mark is part of what is hashed, or signed, so it can be
// neither put in front of a cookie's value nor taken off to make one: what was issued to a browser is worth
// nothing in an Authorization header, and the other way round. Scanners for leaked secrets find the tokens by
// their marks; a session token is its mark and 43 characters of A-Z, a-z, 0-9, "-" and "_".
const (
	NativeSessionMark = "cardea_st_"
	NativeDeviceMark  = "cardea_dt_"
)

// owns reports whether the token was made for the client's transport.
func (c Client) owns(token Secret, mark string) bool {
	return strings.HasPrefix(token.Reveal(), mark) == c.Native
}

// own returns the client without tokens that were made for the other transport: to it they do not exist.
func (c Client) own() Client {
	if !c.owns(c.Session, NativeSessionMark) {
		c.Session = Secret{}
	}
	if !c.owns(c.Device, NativeDeviceMark) {
		c.Device = Secret{}
	}
	return c
}

// transport is how the client calls, for the audit.
func (c Client) transport() string {
	if c.Native {
		return "native"
	}
	return "browser"
}

// BeginRequest begins a flow.
type BeginRequest struct {
	Goal     flow.Goal
	Target   flow.Target
	ReturnTo string // where to go afterwards; what is not allowed is replaced by the default
	Client   Client
	Action   string // the first step, to be taken at once; empty means "identify" with an Identifier, else none
	Inputs   Inputs

	// Operation is what a step-up confirms; Target.Operation is not looked at. Target.Assurance is then the level, zero
	// for the highest that the account can reach, and only proofs made in the flow count.
	Operation Operation
}

// ContinueRequest takes one step in a flow.
type ContinueRequest struct {
	Handle Secret
	Action string // the name of an action that the View offered
	Inputs Inputs
	Client Client
}

// Inputs are the fields that actions take. Those that the action does not name are ignored, with one
// exception: a new password given together with the present one is used as soon as it is asked for.
type Inputs struct {
	Identifier  string
	Password    Secret
	NewPassword Secret
	Code        Secret
	Credential  Secret // a passkey's answer, as JSON (WebAuthn L3 §5.1, PublicKeyCredential.toJSON)
	Connection  string
	Name        string // what the person calls a new factor
	Keep        bool
	Trust       bool
	EndOthers   bool
}

// Progress is where a flow stands after a step.
type Progress struct {
	FlowID    string         // public: names the flow in a URL, and opens nothing
	Handle    Secret         // for the next step; changes with every step
	View      flow.View      // what may come next
	ReturnTo  string         // where to go once the goal is reached
	Session   *IssuedSession // the session, in the one answer that issues it
	Device    Secret         // a new value for the device cookie or the device token; zero to leave it
	Pairing   *Pairing       // the authenticator app that waits to be confirmed by a code; nil for none
	Codes     []Secret       // recovery codes, in the one answer that makes them
	Passkey   []byte         // the options of a passkey ceremony as JSON, in the one answer that begins it
	Repeated  bool           // the handle was one step old: this is a second look, nothing was done
	ExpiresAt time.Time

	// Departure is the provider's address that the person is to be sent to, while flow.View.Away says so and nothing came
	// back. It leads away from here, so it belongs on a page of its own and not in the answer to a form.
	Departure string
	// Departed says, in the one answer that begins the stay, that the person is to leave now.
	Departed bool
	// Confirmation lets the Operation be done once (Service.Confirmed), with the session of this answer. It comes with
	// that session and never again; zero if nothing was confirmed.
	Confirmation Secret
}
