package authhttp

import (
	"net/http"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// newAddress is what a change of address begins with.
var newAddress = flow.Target{Enrol: flow.MailCode}

func showAddress(x *exchange) error {
	if !x.h.svc.Serves(flow.Enrolment, newAddress) {
		return deny(notFound)
	}
	s, err := x.session()
	if err != nil {
		return err
	}
	return x.addressPage(http.StatusOK, s, addressForm{})
}

// addressForm is what the form has been filled with, and what was wrong with it.
type addressForm struct {
	typed   string
	refusal flow.Refusal
	missing string
}

// addressPage asks for the new address, and for the password with it if it was not proven lately: the form of a
// flow that has not begun yet, which has the last word on what is due.
func (x *exchange) addressPage(status int, s auth.Session, f addressForm) error {
	account, err := x.h.svc.Account(x.r.Context(), s.Account)
	if err != nil {
		return err
	}
	x.speak(account)
	token, err := x.h.formToken(toSession, s.ID)
	if err != nil {
		return err
	}
	if _, err := x.browser(); err != nil { // the POST begins a flow, which is bound to it
		return err
	}
	action := flow.Action{Name: "new-address", Inputs: []flow.Input{{Name: "identifier", Kind: "text", Required: true}}}
	if x.asksPassword(s) {
		action.Inputs = append([]flow.Input{{Name: "password", Kind: "secret", Required: true}}, action.Inputs...)
	}
	view := flow.View{
		Goal: flow.Enrolment, Enrol: flow.MailCode, Phase: flow.Providing, Need: flow.NewAddress, Outcome: flow.Open.String(),
		Address: account.Display, Actions: []flow.Action{action},
	}
	if f.refusal.Reason != 0 {
		view.Refusal = &f.refusal
	}
	p := x.present(presentation{view: view, url: x.path("/address"), token: token, typed: f.typed, missing: f.missing})
	p.Card.Links = []link{{x.path("/account"), x.lang.text("link.account"), false}}
	return x.render(status, "password", p)
}

func (x *exchange) asksPassword(s auth.Session) bool {
	return !x.h.svc.Fresh(s, flow.Target{Assurance: flow.AAL1, MaxAge: defaultMaxAge})
}

// postAddress begins the flow and takes its steps at once, as far as what was typed leads. The flow's page goes
// on, with the code or with whatever else is due.
func postAddress(x *exchange) error {
	s, err := x.session()
	if err != nil {
		return err
	}
	in, err := x.readForm(toSession, s.ID, "username", "password", "identifier")
	if err != nil {
		return err
	}
	if x.bound = cookie(x.r, x.h.cookies.flow); x.bound == "" {
		return deny(cookieRequired)
	}
	for _, name := range []string{"password", "identifier"} {
		if in.has(name) && in.text(name) == "" || name == "identifier" && !in.has(name) {
			return x.addressPage(http.StatusUnprocessableEntity, s, addressForm{typed: in.text("identifier"), missing: name})
		}
	}
	p, err := x.moveAddress(in.inputs())
	if d := denial(err); d != nil && d.Reason != sessionRequired {
		x.retryAfter(problemOf(err))
		return x.addressPage(statusOf(d.Reason), s, addressForm{typed: in.text("identifier"), refusal: d.Refusal})
	}
	if err != nil {
		return err
	}
	return x.proceed(p)
}

func (x *exchange) moveAddress(in auth.Inputs) (auth.Progress, error) {
	ctx, client := x.r.Context(), x.client()
	p, err := x.h.svc.Begin(ctx, auth.BeginRequest{
		Goal: flow.Enrolment, Target: newAddress, ReturnTo: x.path("/account"), Client: client,
	})
	for _, action := range []string{flow.Password.String(), "new-address"} {
		if err != nil || p.View.Refusal != nil || !offers(p.View, action) || action == "password" && in.Password.IsZero() {
			continue
		}
		p, err = x.h.svc.Continue(ctx, auth.ContinueRequest{Handle: p.Handle, Action: action, Inputs: in, Client: client})
	}
	return p, err
}
