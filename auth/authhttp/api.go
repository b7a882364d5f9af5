package authhttp

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// stepNames are the fields that POST {prefix}/flow may have at all; checkFields looks which go together.
var stepNames = slices.Concat([]string{"goal", "return_to", "level", "max_age", "operation", "enrol", "remove", "flow", "action", "client", "device_token"}, inputNames)

// progressBody is where a flow stands: the View, and what its next step needs.
type progressBody struct {
	flow.View
	Flow      string       `json:"flow,omitempty"` // the handle for the next step
	FlowID    string       `json:"flow_id"`
	ReturnTo  string       `json:"return_to,omitempty"`
	ExpiresAt time.Time    `json:"expires_at"`
	Session   *sessionBody `json:"session,omitempty"`
	Error     *errorBody   `json:"error,omitempty"`

	// In the answer that has a new authenticator app confirmed, in the one that makes recovery codes, and in the one
	// that begins a passkey ceremony.
	Pairing       *pairingBody    `json:"pairing,omitempty"`
	RecoveryCodes []string        `json:"recovery_codes,omitempty"`
	Passkey       json.RawMessage `json:"passkey,omitempty"`

	// While the person is to leave for a provider: its address, to be opened as a page of its own.
	Departure string `json:"departure,omitempty"`

	// For native clients alone, in the one answer that issues them.
	SessionToken string `json:"session_token,omitempty"`
	DeviceToken  string `json:"device_token,omitempty"`
	Confirmation string `json:"confirmation,omitempty"`
}

// sessionBody is a session without its token. A browser has that in a cookie that no script can read.
type sessionBody struct {
	ID              string        `json:"id"`
	Account         string        `json:"account"`
	CreatedAt       time.Time     `json:"created_at"`
	AuthenticatedAt time.Time     `json:"authenticated_at"`
	SeenAt          time.Time     `json:"seen_at"`
	ExpiresAt       time.Time     `json:"expires_at"`
	Keep            bool          `json:"keep"`
	Assurance       string        `json:"assurance"`
	Methods         []flow.Method `json:"methods"`
	Device          string        `json:"device"`
	UserAgent       string        `json:"user_agent"`
	Network         string        `json:"network,omitempty"`
	Current         bool          `json:"current"`
}

type accountBody struct {
	ID       string `json:"id"`
	Address  string `json:"address"`
	Name     string `json:"name,omitempty"`
	Language string `json:"language,omitempty"`
}

func (x *exchange) progressBody(p auth.Progress) progressBody {
	b := progressBody{
		View: p.View, Flow: p.Handle.Reveal(), FlowID: p.FlowID, ReturnTo: p.ReturnTo, ExpiresAt: p.ExpiresAt.UTC(),
	}
	b.Pairing, b.RecoveryCodes = factorBodies(p)
	b.Passkey, b.Departure = p.Passkey, p.Departure
	if p.Session != nil {
		s := x.sessionBody(p.Session.Session)
		s.Current = true
		b.Session = &s
	}
	if x.native {
		b.DeviceToken = p.Device.Reveal()
	}
	if x.native && p.Session != nil {
		b.SessionToken = p.Session.Token.Reveal()
		b.Confirmation = p.Confirmation.Reveal()
	}
	return b
}

func (x *exchange) sessionBody(s auth.Session) sessionBody {
	b := sessionBody{
		ID: s.ID, Account: s.Account, CreatedAt: s.CreatedAt.UTC(), AuthenticatedAt: s.AuthenticatedAt.UTC(),
		SeenAt: s.SeenAt.UTC(), ExpiresAt: s.ExpiresAt.UTC(), Keep: s.Keep, Assurance: s.Assurance.String(),
		Methods: []flow.Method{}, Device: x.device(s.UserAgent).text, UserAgent: s.UserAgent, Current: s.Current,
	}
	for _, proof := range s.Proofs {
		b.Methods = append(b.Methods, proof.Method)
	}
	if s.Prefix.IsValid() {
		b.Network = s.Prefix.String()
	}
	return b
}

// apiFlow begins a flow, or takes the next step in one.
func apiFlow(x *exchange) error {
	in, err := x.readJSON(stepNames...)
	if err != nil {
		return err
	}
	if err := x.transport(in); err != nil {
		return err
	}
	if err := checkFields(in); err != nil {
		return err
	}
	step := x.begin
	if in.has("flow") {
		step = x.advance
	}
	p, err := step(in)
	d := denial(err)
	if err != nil && (d == nil || p.FlowID == "") {
		return err
	}
	if err := x.keepProgress(p); err != nil {
		return err
	}
	if d == nil && p.View.Refusal != nil && p.View.Outcome != flow.Granted.String() {
		d = &auth.DeniedError{Refusal: *p.View.Refusal}
	}
	body, status := x.progressBody(p), http.StatusOK
	if d != nil && d.Reason != flow.Cancelled {
		trouble := problemOf(d)
		x.retryAfter(trouble)
		x.challenge(trouble)
		told := x.errorBody(trouble)
		body.Error, status = &told, trouble.status
	}
	return x.writeJSON(status, body)
}

func (x *exchange) begin(in fields) (auth.Progress, error) {
	var goal flow.Goal
	if goal.UnmarshalText([]byte(in.text("goal"))) != nil || goal == 0 {
		return auth.Progress{}, refuseBody(errFieldValue)
	}
	r := auth.BeginRequest{
		Goal: goal, ReturnTo: in.text("return_to"),
		Inputs: auth.Inputs{Identifier: in.text("identifier"), Keep: in.flag("keep")},
	}
	var ok bool
	if r.Target, ok = beginTarget(in, goal); !ok {
		return auth.Progress{}, refuseBody(errFieldValue)
	}
	if !x.native {
		if _, err := x.browser(); err != nil {
			return auth.Progress{}, err
		}
	}
	if in.has("operation") {
		s, err := x.session()
		if err != nil {
			return auth.Progress{}, err
		}
		return x.confirmOperation(s, in)
	}
	r.Client = x.client()
	return x.h.svc.Begin(x.r.Context(), r)
}

// beginTarget reads what a flow has to reach.
func beginTarget(in fields, goal flow.Goal) (flow.Target, bool) {
	if goal == flow.Enrolment {
		var t flow.Target
		err := t.Enrol.UnmarshalText([]byte(in.text("enrol")))
		t.Remove = in.text("remove")
		return t, err == nil && t.Enrol != 0 && in.has("remove") == (t.Remove != "")
	}
	if goal == flow.Linking {
		t := flow.Target{Connection: in.text("connection"), Remove: in.text("remove")}
		if t.Remove != "" {
			t.Enrol = flow.Social
		}
		return t, in.has("remove") == (t.Remove != "") && in.has("connection") == (t.Connection != "")
	}
	if goal != flow.StepUp {
		return flow.Target{}, true
	}
	t := flow.Target{Assurance: flow.AAL1, MaxAge: defaultMaxAge}
	if in.has("level") {
		l, ok := parseLevel(in.text("level"))
		if !ok {
			return flow.Target{}, false
		}
		t.Assurance = l
	}
	if in.has("max_age") {
		t.MaxAge = time.Duration(in.number("max_age")) * time.Second
	}
	return t, t.MaxAge >= time.Second && t.MaxAge <= deviceAge
}

func (x *exchange) advance(in fields) (auth.Progress, error) {
	if !x.native {
		if x.bound = cookie(x.r, x.h.cookies.flow); x.bound == "" {
			return auth.Progress{}, deny(cookieRequired)
		}
	}
	if in.text("action") == "" || in.missing() != "" {
		return auth.Progress{}, refuseBody(errFieldValue)
	}
	return x.h.svc.Continue(x.r.Context(), auth.ContinueRequest{
		Handle: auth.NewSecret(in.text("flow")), Action: in.text("action"), Inputs: in.inputs(), Client: x.client(),
	})
}

func apiSession(x *exchange) error {
	s, err := x.session()
	if err != nil {
		return err
	}
	a, err := x.h.svc.Account(x.r.Context(), s.Account)
	if err != nil {
		return err
	}
	s.Current = true
	return x.writeJSON(http.StatusOK, struct {
		Session sessionBody `json:"session"`
		Account accountBody `json:"account"`
	}{x.sessionBody(s), accountBody{a.ID, a.Display, a.Name, a.Language}})
}

func apiSessions(x *exchange) error {
	s, err := x.session()
	if err != nil {
		return err
	}
	list, err := x.h.svc.Sessions(x.r.Context(), s)
	if err != nil {
		return err
	}
	bodies := []sessionBody{}
	for _, one := range list {
		bodies = append(bodies, x.sessionBody(one))
	}
	return x.writeJSON(http.StatusOK, struct {
		Sessions []sessionBody `json:"sessions"`
	}{bodies})
}
