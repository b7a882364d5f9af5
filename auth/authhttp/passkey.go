package authhttp

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// sendPasskey is the action that begins a ceremony. It stands for the whole way on a page: the form's script takes
// it, and sends the form with what the authenticator said.
const sendPasskey = "send-passkey"

// passkeyPath answers the script.
const passkeyPath = "/passkey"

// ceremonyView is a form that a script has to fill in.
type ceremonyView struct {
	Kind     string // "get" or "create"
	Options  string // where the ceremony begins
	Autofill bool
	Like     string // the id of the box beside another form that goes for this one too
	Errors   []ceremonyError
}

type ceremonyError struct{ Code, Text string }

// ceremonyErrors are the codes of the script that have a sentence of their own; the empty one has that of all others.
var ceremonyErrors = []string{"cancelled", "registered", ""}

// ceremony makes the form of a passkey out of one that would only begin the ceremony.
func (x *exchange) ceremony(f *form, p presentation) {
	v := &ceremonyView{Kind: "get", Options: x.path(passkeyPath)}
	action := flow.Passkey.String()
	if p.view.Need == flow.NewFactor {
		v.Kind, action = "create", "enrol-"+action
		for _, name := range []string{"name", "end_others"} {
			f.Fields = append(f.Fields, x.field(action, flow.Input{Name: name, Kind: map[string]string{"end_others": "flag"}[name]}, false, ""))
		}
	}
	if p.onlyInputs { // no flow yet: where to go afterwards is said where it begins
		v.Autofill, v.Like = true, "identify-keep"
		i := slices.IndexFunc(f.Hidden, func(h hidden) bool { return h.Name == "return_to" })
		if i >= 0 {
			v.Options = with(v.Options, "return_to", f.Hidden[i].Value)
			f.Hidden = slices.Delete(f.Hidden, i, i+1)
		}
		f.Hidden = append(f.Hidden, hidden{"flow", ""})
	}
	for _, code := range ceremonyErrors {
		key := "passkey.failed"
		if code != "" {
			key = "passkey." + code
		}
		v.Errors = append(v.Errors, ceremonyError{code, x.lang.text(key)})
	}
	f.Passkey = v
	f.Hidden = append(f.Hidden, hidden{"action", action}, hidden{"credential", ""})
}

// ceremonyBody is what the script needs.
type ceremonyBody struct {
	Options json.RawMessage `json:"options"`
	Action  string          `json:"action"` // where the answer goes
	Flow    string          `json:"flow"`   // the handle that it goes with
}

// postPasskey begins a ceremony for a form of a page: in its flow, or at sign-in in a new one, since reading that
// page began none. It answers the page's script, so in JSON, and reads the form, so by its token.
func postPasskey(x *exchange) error {
	x.json = true
	x.bound = cookie(x.r, x.h.cookies.flow)
	in, err := x.readForm(toBrowser, x.bound, "flow", "action", "credential", "name", "keep", "end_others")
	if err != nil {
		return err
	}
	returnTo, err := x.returnTo()
	if err != nil {
		return err
	}
	var p auth.Progress
	if in.text("flow") == "" {
		p, err = x.h.svc.Begin(x.r.Context(), auth.BeginRequest{
			Goal: flow.SignIn, ReturnTo: returnTo, Action: sendPasskey, Client: x.client(),
		})
	} else {
		p, err = x.h.svc.Continue(x.r.Context(), auth.ContinueRequest{
			Handle: auth.NewSecret(in.text("flow")), Action: sendPasskey, Client: x.client(),
		})
	}
	if err != nil {
		return err
	}
	if p.Passkey == nil {
		refusal := flow.Refusal{Reason: flow.Stale} // a second look, or the end
		if p.View.Refusal != nil {
			refusal = *p.View.Refusal
		}
		return &auth.DeniedError{Refusal: refusal}
	}
	return x.writeJSON(http.StatusOK, ceremonyBody{p.Passkey, x.path(flowPath + p.FlowID), p.Handle.Reveal()})
}
