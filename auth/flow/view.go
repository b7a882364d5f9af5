package flow

import (
	"cmp"
	"slices"
	"time"
)

// View is what may come next, for pages, for JSON and for callers in process alike. It holds nothing that
// the person may not see.
type View struct {
	Goal      Goal     `json:"goal"`
	Phase     Phase    `json:"phase"`
	Need      Need     `json:"need"`
	Outcome   string   `json:"outcome"` // "open", "granted", "completed" or "ended"
	Address   string   `json:"address,omitempty"`
	Enrol     Method   `json:"enrol,omitzero"`      // what an enrolment adds or replaces
	Removes   bool     `json:"removes,omitempty"`   // it removes a factor of that method instead
	Candidate string   `json:"candidate,omitempty"` // the address to change to, while its code is out
	Operation string   `json:"confirms,omitempty"`  // what a step-up confirms, in the host's words; to be shown
	Actions   []Action `json:"actions"`
	// Providers are what the action "social" can be done with, or the one that is about to be disconnected. Next knows
	// none; the shell adds them.
	Providers []Provider `json:"providers,omitempty"`
	Refusal   *Refusal   `json:"refusal,omitempty"`
	Away      bool       `json:"away,omitempty"`     // the person is at a provider
	Recovery  bool       `json:"recovery,omitempty"` // before a proof at sign-in: a forgotten password can be reset
	SignUp    bool       `json:"sign_up,omitempty"`  // and an account can be opened
	ExpiresAt time.Time  `json:"expires_at"`
}

// Provider is a social provider that is offered.
type Provider struct {
	ID   string `json:"id"`   // the input "connection"
	Name string `json:"name"` // what people call it
}

// Action is one thing that may be done next.
type Action struct {
	Name       string  `json:"name"` // stable: "identify", "password", "send-mail-code", "sso", …
	Inputs     []Input `json:"inputs,omitempty"`
	Connection string  `json:"connection,omitempty"`

	event Event // the event it stands for, without its particulars
}

// Event returns the event that the action stands for, with what the person filled in. Choices that are not
// among the action's inputs count as not made. Only Identify needs more: the caller sets its identifier.
func (a Action) Event(c Choices, connection string) Event {
	switch e := a.event.(type) {
	case Identify:
		e.Keep = c.Keep && a.takes("keep")
		return e
	case Submit:
		e.Trust, e.Keep = c.Trust && a.takes("trust"), c.Keep && a.takes("keep")
		return e
	case Depart:
		e.Connection = cmp.Or(e.Connection, connection)
		return e
	case NewPassword:
		e.EndOthers = c.EndOthers && a.takes("end_others")
		return e
	case Enrol:
		e.EndOthers = c.EndOthers && a.takes("end_others")
		return e
	case Remove:
		e.EndOthers = c.EndOthers && a.takes("end_others")
		return e
	default:
		return e
	}
}

func (a Action) takes(input string) bool {
	return slices.ContainsFunc(a.Inputs, func(in Input) bool { return in.Name == input })
}

// Input is one field of an action.
type Input struct {
	Name     string `json:"name"` // stable: "identifier", "password", "new_password", "code", "keep", …
	Kind     string `json:"kind"` // "text", "secret", "flag" or "object"
	Required bool   `json:"required,omitempty"`
}

var outcomeNames = [...]string{"open", "granted", "completed", "ended"}

// String returns the outcome's stable code.
func (o Outcome) String() string { return outcomeNames[min(int(o), len(outcomeNames)-1)] }

// Next returns what may come next. It is pure, and Step accepts exactly the actions it lists.
func Next(p Policy, f Flow, now time.Time) View {
	phase, need := stand(p, f, now)
	v := View{
		Goal: f.Goal, Phase: phase, Need: need, Outcome: f.Outcome.String(), Address: f.Typed, Candidate: f.Candidate.Typed,
		Enrol: f.Target.Enrol, Removes: f.Target.Remove != "", Operation: f.Target.Operation.Text,
		Actions: []Action{}, ExpiresAt: Deadline(p.Limits, f),
	}
	last := f.Last
	if f.Outcome == Open && expired(p, f, now) {
		last, v.Outcome = Refusal{Reason: Expired}, Ended.String()
	}
	if last.Reason != 0 {
		v.Refusal = &last
	}
	if v.Phase == Closed || v.Phase == New {
		return v
	}
	if f.Goal == SignIn && !f.Proven() {
		v.Recovery, v.SignUp = p.Entry.Recovery, p.Entry.SignUp
	}
	v.Away = f.Challenge.Method.Redirects() && f.Challenge.open(p, now)
	v.Actions = actions(need, p, f, now)
	return v
}

// Deadline returns when the flow expires if nothing more happens in it. One that confirms an operation is kept for as
// long as that can be used.
func Deadline(l Limits, f Flow) time.Time {
	if f.Outcome == Granted && f.Target.Operation != (Operation{}) {
		return f.Touched.Add(l.Confirmation)
	}
	idle, total := f.Touched.Add(l.Idle), f.Begun.Add(l.Total)
	if total.Before(idle) {
		return total
	}
	return idle
}

// actions shows the offers. The need says what they are for.
func actions(need Need, p Policy, f Flow, now time.Time) []Action {
	list := offers(make([]offer, 0, mostOffers), need, p, f, now)
	shown := make([]Action, 0, len(list))
	for _, o := range list {
		shown = append(shown, o.action(need, p.Rules, f))
	}
	return shown
}

// action is how the offer is shown: a name, and what the person may fill in.
func (o offer) action(need Need, r Rules, f Flow) Action {
	a := Action{Name: o.method.String(), Connection: o.connection, event: o.event()}
	switch o.deed {
	case identifies:
		a.Name, a.Inputs = "identify", []Input{{"identifier", "text", true}}
		if asksToKeep(f) {
			a.Inputs = append(a.Inputs, Input{"keep", "flag", false})
		}
	case submits:
		a.Inputs = submitInputs(o.method, need, r, f)
	case asks:
		a.Name = "send-" + a.Name
	case departs:
		if o.connection == "" {
			a.Inputs = []Input{{"connection", "text", true}}
		}
	case returns:
		a.Name += "-return"
	case renews:
		a.Name, a.Inputs = "new-password", newPasswordInputs(f)
	case enrols:
		a.Name, a.Inputs = "enrol-"+a.Name, enrolInputs(o.method)
	case removes:
		a.Name, a.Inputs = "remove", []Input{{"end_others", "flag", false}}
	case moves:
		a.Name, a.Inputs = "new-address", []Input{{"identifier", "text", true}}
	case accepts:
		a.Name = "accept"
	case restarts:
		a.Name = "restart"
	case cancels:
		a.Name = "cancel"
	}
	return a
}

// asksToKeep reports whether the step that says who is there also says whether to keep them signed in.
func asksToKeep(f Flow) bool { return f.Goal == SignIn && f.Subject.Account == "" }

func submitInputs(m Method, need Need, r Rules, f Flow) []Input {
	var inputs []Input
	switch m {
	case Password:
		inputs = []Input{{"password", "secret", true}}
	case Passkey:
		inputs = []Input{{"credential", "object", true}}
	case Approval:
	default:
		inputs = []Input{{"code", "secret", true}}
	}
	if trustOffered(r, f, m) {
		inputs = append(inputs, Input{"trust", "flag", false})
	}
	if asksToKeep(f) && m == Passkey {
		inputs = append(inputs, Input{"keep", "flag", false})
	}
	if need == FreshPassword {
		inputs = append(inputs, newPasswordInputs(f)...) // the present password and the new one are one form
	}
	return inputs
}

// enrolInputs are the proof that a new factor works, and what its owner calls it. Recovery codes are only shown.
func enrolInputs(m Method) []Input {
	proof := Input{"code", "secret", true}
	switch m {
	case RecoveryCode:
		return []Input{{"end_others", "flag", false}}
	case Passkey:
		proof = Input{"credential", "object", true}
	}
	return []Input{proof, {"name", "text", false}, {"end_others", "flag", false}}
}

func newPasswordInputs(f Flow) []Input {
	inputs := []Input{{"new_password", "secret", true}}
	if f.Goal == Recovery || f.Goal == Enrolment || f.Goal == SignIn {
		inputs = append(inputs, Input{"end_others", "flag", false})
	}
	return inputs
}
