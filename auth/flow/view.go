package flow

import (
	"cmp"
	"slices"
	"time"
)

// View is what may come next, for pages, for JSON and for callers in process alike. It holds nothing that
// the person may not see.
type View struct {
	Goal      Goal      `json:"goal"`
	Phase     Phase     `json:"phase"`
	Need      Need      `json:"need"`
	Outcome   string    `json:"outcome"` // "open", "granted", "completed" or "ended"
	Address   string    `json:"address,omitempty"`
	Actions   []Action  `json:"actions"`
	Refusal   *Refusal  `json:"refusal,omitempty"`
	Away      bool      `json:"away,omitempty"` // the person is at a provider
	ExpiresAt time.Time `json:"expires_at"`
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
		e.Trust = c.Trust && a.takes("trust")
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
	v := View{
		Goal: f.Goal, Phase: PhaseOf(p, f, now), Outcome: f.Outcome.String(), Address: f.Typed,
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
	v.Need = unmet(p, f, now)
	v.Away = f.Challenge.Method.Redirects() && f.Challenge.open(p, now)
	v.Actions = actions(p, f, now)
	return v
}

// Deadline returns when the flow expires if nothing more happens in it.
func Deadline(l Limits, f Flow) time.Time {
	idle, total := f.Touched.Add(l.Idle), f.Begun.Add(l.Total)
	if total.Before(idle) {
		return total
	}
	return idle
}

// actions lists everything that Step accepts from the person now.
func actions(p Policy, f Flow, now time.Time) []Action {
	need := unmet(p, f, now)
	var list []Action
	switch need {
	case Identification:
		list = identifyActions(p, f)
	case FirstFactor:
		list = firstActions(p)
	case Organisation:
		list = []Action{departAction(SSO, p.Rules.Connection)}
	case PasswordChange:
		list = []Action{newPasswordAction(f)}
	case NewFactor:
		list = enrolActions(f)
	case ExternalIdentity:
		list = []Action{departAction(Social, "")}
	case Acceptance:
		list = []Action{{Name: "accept", event: Accept{}}}
	default:
		list = proofActions(need, options(need, p, f, now), p, f, now)
	}
	list = append(list, returnActions(p, f, now)...)
	return append(list, wayOut(f))
}

func identifyActions(p Policy, f Flow) []Action {
	identify := Action{Name: "identify", Inputs: []Input{{"identifier", "text", true}}, event: Identify{}}
	switch f.Goal {
	case Activation:
		return []Action{submitAction(MailLink, f)}
	case Recovery:
		return []Action{identify, submitAction(MailLink, f)}
	case SignUp:
		return []Action{identify}
	}
	identify.Inputs = append(identify.Inputs, Input{"keep", "flag", false})
	list := []Action{identify}
	if p.Entry.Methods.Has(Passkey) {
		list = append(list, askAction(Passkey), submitAction(Passkey, f))
	}
	if p.Entry.Methods.Has(Social) {
		list = append(list, departAction(Social, ""))
	}
	return list
}

func firstActions(p Policy) []Action {
	var list []Action
	if p.Entry.Connection != "" {
		list = append(list, departAction(SSO, p.Entry.Connection))
	}
	for _, m := range p.Entry.Methods.List() {
		switch m {
		case Passkey:
			list = append(list, askAction(m), submitAction(m, Flow{}))
		case Social:
			list = append(list, departAction(m, ""))
		default:
			list = append(list, submitAction(m, Flow{}))
		}
	}
	return list
}

// proofActions offers the methods for a need after the first proof. A mailed code can be typed only while
// one is out, and asked for again once the last one is old enough.
func proofActions(need Need, methods Methods, p Policy, f Flow, now time.Time) []Action {
	var list []Action
	for _, m := range methods.List() {
		switch m {
		case MailCode, MailLink:
			if f.Challenge.Method == m && f.Challenge.open(p, now) {
				list = append(list, submitAction(m, f))
			}
			list = append(list, askAction(m))
		case Passkey:
			list = append(list, askAction(m), submitAction(m, f))
		case Social, SSO:
			list = append(list, departAction(m, ""))
		default:
			list = append(list, submitAction(m, f))
		}
	}
	if need == FreshPassword {
		list[0].Inputs = append(list[0].Inputs, newPasswordAction(f).Inputs...)
	}
	return list
}

func returnActions(p Policy, f Flow, now time.Time) []Action {
	c := f.Challenge
	if !c.Method.Redirects() || !c.open(p, now) {
		return nil
	}
	return []Action{{
		Name: c.Method.String() + "-return", Connection: c.Connection,
		event: Return{Method: c.Method, Connection: c.Connection},
	}}
}

func enrolActions(f Flow) []Action {
	set := newFactors(f.Proofs)
	if f.Goal == Enrolment {
		set = MethodsOf(f.Target.Enrol)
	}
	var list []Action
	for _, m := range set.List() {
		list = append(list, Action{
			Name: "enrol-" + m.String(), Inputs: []Input{{"credential", "object", true}, {"end_others", "flag", false}},
			event: Enrol{Method: m},
		})
	}
	return list
}

func newPasswordAction(f Flow) Action {
	inputs := []Input{{"new_password", "secret", true}}
	if f.Goal == Recovery || f.Goal == Enrolment || f.Goal == SignIn {
		inputs = append(inputs, Input{"end_others", "flag", false})
	}
	return Action{Name: "new-password", Inputs: inputs, event: NewPassword{}}
}

func submitAction(m Method, f Flow) Action {
	a := Action{Name: m.String(), event: Submit{Method: m}}
	switch m {
	case Password:
		a.Inputs = []Input{{"password", "secret", true}}
	case Passkey:
		a.Inputs = []Input{{"credential", "object", true}}
	default:
		a.Inputs = []Input{{"code", "secret", true}}
	}
	if f.Goal == SignIn && f.Proven() && MethodsOf(MailCode, TOTP, HostFactor).Has(m) {
		a.Inputs = append(a.Inputs, Input{"trust", "flag", false})
	}
	return a
}

func askAction(m Method) Action { return Action{Name: "send-" + m.String(), event: Ask{Method: m}} }

func departAction(m Method, connection string) Action {
	a := Action{Name: m.String(), Connection: connection, event: Depart{Method: m, Connection: connection}}
	if connection == "" {
		a.Inputs = []Input{{"connection", "text", true}}
	}
	return a
}

func wayOut(f Flow) Action {
	if f.Goal.ByStranger() && f.Subject.Account != "" && f.Goal != Activation {
		return Action{Name: "restart", event: Restart{}}
	}
	return Action{Name: "cancel", event: Cancel{}}
}

// offered reports whether the event is one of the actions; it compares what identifies the action and
// leaves the particulars aside.
func offered(list []Action, e Event) bool {
	return slices.ContainsFunc(list, func(a Action) bool { return a.event == shapeOf(e, a) })
}

func shapeOf(e Event, a Action) Event {
	switch e := e.(type) {
	case Identify:
		return Identify{}
	case Submit:
		return Submit{Method: e.Method}
	case Depart:
		if a.Connection == "" && e.Connection != "" {
			return Depart{Method: e.Method} // the person chooses among several
		}
		return e
	case NewPassword:
		return NewPassword{}
	case Enrol:
		return Enrol{Method: e.Method}
	}
	return e
}
