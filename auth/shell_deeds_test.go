package auth_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// The clients. The thief may hold copies of the owner's session, device cookie and handles, but not the owner's
// flow cookie: whoever has that is the same browser to everyone.
const (
	owner = iota
	thief
	native
	clients
)

var clientNames = [clients]string{"owner", "thief", "native client"}

// The people: two accounts, one that was never activated, and two addresses that nobody has.
const (
	isAnn = iota
	isEve
	isIvy
	isNobody
	isFree // another one
)

var addresses = [...]string{ann, "eve@example.com", "ivy@example.com", stranger, "free@example.com"}

// Which of several things a deed takes along.
type pick int

const (
	own pick = iota
	none
	stolen // the newest live one that this client was not given
	ended  // the newest one that is over
)

var pickNames = [...]string{"own", "no", "a stolen", "an ended"}

// Which password a deed hands in.
type guess int

const (
	noPassword guess = iota
	rightOne         // the account's, as it is
	wrongOne
	formerOne // the one before
	anotherOne
	weakOne
)

var guessNames = [...]string{"no", "the right", "a wrong", "the former", "another", "a weak"}

// Handles that no answer has shown.
const (
	forged    = -1 // of a flow that is there
	imaginary = -2 // of none
)

// deed is one thing that somebody does. A deed that cannot be done where it stands is left out.
type deed struct {
	what    string
	by      int
	whom    int
	flow    int // in the order of their beginning
	age     int // of the handle: 0 is the current one, 1 the one before, …
	pw      guess
	next    guess // a new password
	others  bool  // end all others
	token   pick
	device  pick
	hostile bool // the host takes this sign-in for hostile
	busy    bool // the server is too busy to look at passwords
	wait    time.Duration
	link    int       // which of the links or codes that were mailed
	topic   flow.Goal // of a link that is only looked at
	try     try       // which code or answer of a second factor
	plain   bool      // the new passkey is a key that counts and verifies nobody
	rule    flow.Choice

	during *deed // runs in the middle of this one, before its call of a port that at numbers
	at     int
}

var goals = map[string]struct {
	goal   flow.Goal
	target flow.Target
}{
	"sign-in": {goal: flow.SignIn},
	"step-up": {flow.StepUp, flow.Target{Assurance: flow.AAL1}},
	"fresh":   {flow.StepUp, flow.Target{Assurance: flow.AAL1, MaxAge: stepUpAge}},
	"enrol":   {flow.Enrolment, flow.Target{Enrol: flow.Password}},

	"forgot":   {goal: flow.Recovery}, // with an address
	"reset":    {goal: flow.Recovery}, // to follow a link
	"activate": {goal: flow.Activation},
	"undo":     {goal: flow.Reversal},
	"sign-up":  {goal: flow.SignUp},
	"move":     {flow.Enrolment, flow.Target{Enrol: flow.MailCode}},

	"pair":        {flow.Enrolment, flow.Target{Enrol: flow.TOTP}},
	"make-codes":  {flow.Enrolment, flow.Target{Enrol: flow.RecoveryCode}},
	"add-passkey": {flow.Enrolment, flow.Target{Enrol: flow.Passkey}},
	"take-off":    {flow.Enrolment, flow.Target{Enrol: flow.TOTP}}, // of what is taken off
	"raise":       {flow.StepUp, flow.Target{Assurance: flow.AAL2, MaxAge: stepUpAge}},
	"touch":       {goal: flow.SignIn}, // with a passkey
}

func (d deed) begins() bool {
	_, ok := goals[d.what]
	return ok
}

func (d deed) continues() bool {
	switch d.what {
	case "identify", "password", "new-password", "restart", "cancel", "accept":
		return true
	case "mail-link", "mail-code", "send-mail-link", "send-mail-code", "new-address":
		return true
	}
	return d.factors()
}

// names reports whether the deed names an address.
func (d deed) names() bool {
	switch d.what {
	case "sign-in", "identify", "forgot", "sign-up", "new-address":
		return true
	}
	return false
}

// secretive reports whether the deed comes with a link or a code.
func (d deed) secretive() bool {
	return d.what == "mail-link" || d.what == "mail-code" || d.what == "preview"
}

// acts is what a session does outside a flow.
func (d deed) acts() bool {
	switch d.what {
	case "use", "end-others", "end-one", "sign-out":
		return true
	}
	return false
}

func (d deed) operates() bool {
	switch d.what {
	case "disable", "enable", "unlock", "compromise", "changed", "end-all", "delete", "host-password":
		return true
	case "invite", "resend", "withdraw", "send-reset", "reset-factors":
		return true
	}
	return false
}

// turns is what happens to the installation itself.
func (d deed) turns() bool {
	switch d.what {
	case "wait", "rotate", "retire", "sweep", "rules":
		return true
	}
	return false
}

func (d deed) String() string {
	var b strings.Builder
	switch {
	case d.what == "wait":
		return "wait " + d.wait.String()
	case d.what == "rules":
		return "a second factor is due: " + d.rule.String()
	case d.turns():
		return d.what
	case d.operates():
		fmt.Fprintf(&b, "operator: %s %s", d.what, addresses[d.whom])
	default:
		fmt.Fprintf(&b, "%s: %s", clientNames[d.by], d.what)
	}
	if d.names() {
		b.WriteString(" " + addresses[d.whom])
	}
	if d.continues() || d.what == "look" {
		fmt.Fprintf(&b, " flow %d", d.flow)
		if d.age != 0 {
			fmt.Fprintf(&b, " handle %d back", d.age)
		}
	}
	if d.secretive() {
		fmt.Fprintf(&b, ", secret %d", d.link)
	}
	if d.try != noTry {
		b.WriteString(", " + tryNames[d.try])
	}
	if d.pw != noPassword {
		b.WriteString(", " + guessNames[d.pw] + " password")
	}
	if d.next != noPassword {
		b.WriteString(", " + guessNames[d.next] + " password to be")
	}
	for _, mark := range []struct {
		is   bool
		text string
	}{{d.others, ", ending others"}, {d.hostile, ", hostile"}, {d.busy, ", busy"}, {d.plain, ", a plain key"}} {
		if mark.is {
			b.WriteString(mark.text)
		}
	}
	if d.token != own {
		b.WriteString(", " + pickNames[d.token] + " session")
	}
	if d.device != own {
		b.WriteString(", " + pickNames[d.device] + " device")
	}
	if d.during != nil {
		fmt.Fprintf(&b, ", and before call %d { %s }", d.at, d.during)
	}
	return b.String()
}

func tell(story []deed) string {
	var b strings.Builder
	for i, d := range story {
		fmt.Fprintf(&b, "%3d  %s\n", i+1, d)
	}
	return b.String()
}

// Short ways to write a deed.

func signIn(by, whom int) deed       { return deed{what: "sign-in", by: by, whom: whom} }
func begin(by int, what string) deed { return deed{what: what, by: by} }
func operator(what string) deed      { return deed{what: what, whom: isAnn} }
func pause(d time.Duration) deed     { return deed{what: "wait", wait: d} }

func submit(by, flow int, pw guess) deed {
	return deed{what: "password", by: by, flow: flow, pw: pw}
}

func renew(by, flow int, others bool) deed {
	return deed{what: "password", by: by, flow: flow, pw: rightOne, next: anotherOne, others: others}
}

func (d deed) aged(age int) deed {
	d.age = age
	return d
}

func (d deed) with(token pick) deed {
	d.token = token
	return d
}

func (d deed) within(at int, inner deed) deed {
	d.during, d.at = &inner, at
	return d
}
