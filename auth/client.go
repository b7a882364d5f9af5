package auth

import (
	"net/netip"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Client is who calls, as the transport saw it.
type Client struct {
	Browser   Secret     // the flow cookie; zero only for a native client
	Native    bool       // no cookies: the handle alone binds the flow
	Device    Secret     // the device cookie; zero if there is none
	Session   Secret     // the token of the session that acts; zero if there is none
	Address   netip.Addr // the client's address, through declared proxies only
	UserAgent string
}

// BeginRequest begins a flow.
type BeginRequest struct {
	Goal     flow.Goal
	Target   flow.Target
	ReturnTo string // where to go afterwards; what is not allowed is replaced by the default
	Client   Client
	Inputs   Inputs // with an Identifier, the first step is taken at once
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
	Connection  string
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
	Device    Secret         // a new value for the device cookie; zero to leave it
	Repeated  bool           // the handle was one step old: this is a second look, nothing was done
	ExpiresAt time.Time
}
