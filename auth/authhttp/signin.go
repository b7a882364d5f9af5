package authhttp

import (
	"net/http"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// firstPages are the goals that strangers begin with an address, and the pages that ask for it.
var firstPages = map[flow.Goal]string{flow.SignIn: "/sign-in", flow.SignUp: "/sign-up", flow.Recovery: "/recovery"}

func showSignIn(x *exchange) error   { return x.showFirst(flow.SignIn) }
func showSignUp(x *exchange) error   { return x.showFirst(flow.SignUp) }
func showRecovery(x *exchange) error { return x.showFirst(flow.Recovery) }
func postSignIn(x *exchange) error   { return x.postFirst(flow.SignIn) }
func postSignUp(x *exchange) error   { return x.postFirst(flow.SignUp) }
func postRecovery(x *exchange) error { return x.postFirst(flow.Recovery) }

// showFirst shows the first page of a goal. It begins no flow: a flow is a record in a store, and reading a page
// must not fill one.
func (x *exchange) showFirst(goal flow.Goal) error {
	returnTo, err := x.returnTo()
	if err != nil {
		return err
	}
	return x.firstPage(http.StatusOK, firstForm{goal: goal, returnTo: returnTo})
}

// firstForm is what the first page's form has been filled with, and what was wrong with it.
type firstForm struct {
	goal       flow.Goal
	returnTo   string
	identifier string
	keep       bool
	refusal    flow.Refusal
	missing    string
}

func (x *exchange) firstPage(status int, f firstForm) error {
	view, err := x.h.svc.Preview(x.r.Context(), f.goal)
	if err != nil {
		return err
	}
	if !offers(view, "identify") {
		return deny(flow.NotOffered)
	}
	bound, err := x.browser()
	if err != nil {
		return err
	}
	token, err := x.h.formToken(toBrowser, bound)
	if err != nil {
		return err
	}
	view.Refusal = nil
	if f.refusal.Reason != 0 {
		view.Refusal = &f.refusal
	}
	p := x.present(presentation{
		view: view, url: x.path(firstPages[f.goal]), token: token, typed: f.identifier, keep: f.keep, missing: f.missing,
		hidden: []hidden{{"return_to", f.returnTo}}, onlyInputs: true,
	})
	if f.goal != flow.SignIn {
		p.Card.Links = []link{{with(x.path("/sign-in"), "return_to", f.returnTo), x.lang.text("link.to-sign-in"), false}}
	}
	return x.render(status, "sign-in", p)
}

func (x *exchange) postFirst(goal flow.Goal) error {
	x.bound = cookie(x.r, x.h.cookies.flow)
	in, err := x.readForm(toBrowser, x.bound, "identifier", "keep", "return_to", "username", "connection")
	if err != nil {
		return err
	}
	filled := firstForm{goal: goal, returnTo: in.text("return_to"), identifier: in.text("identifier"), keep: in.flag("keep")}
	if in.has("connection") && goal == flow.SignIn {
		return x.beginAway(filled, in.text("connection"))
	}
	if filled.identifier == "" {
		filled.missing = "identifier"
		return x.firstPage(http.StatusUnprocessableEntity, filled)
	}
	p, err := x.h.svc.Begin(x.r.Context(), auth.BeginRequest{
		Goal: goal, ReturnTo: filled.returnTo, Client: x.client(),
		Inputs: auth.Inputs{Identifier: filled.identifier, Keep: filled.keep},
	})
	return x.begun(p, err, filled)
}

// begun leads on from the first page, or shows it again with what was wrong.
func (x *exchange) begun(p auth.Progress, err error, filled firstForm) error {
	if d := denial(err); d != nil {
		filled.refusal = d.Refusal
		x.retryAfter(problemOf(err))
		return x.firstPage(statusOf(d.Reason), filled)
	}
	if err != nil {
		return err
	}
	return x.proceed(p)
}

// beginAway begins a sign-in with the way to a provider. What is typed as an address is of no account for it.
func (x *exchange) beginAway(filled firstForm, provider string) error {
	p, err := x.h.svc.Begin(x.r.Context(), auth.BeginRequest{
		Goal: flow.SignIn, ReturnTo: filled.returnTo, Client: x.client(), Action: flow.Social.String(),
		Inputs: auth.Inputs{Connection: provider, Keep: filled.keep},
	})
	return x.begun(p, err, filled)
}

// enrolled are the notices of what was just added or replaced.
var enrolled = map[flow.Method]string{
	flow.Password: "password-changed", flow.MailCode: "address-changed", flow.TOTP: "factor-added", flow.Passkey: "factor-added",
	flow.HostFactor: "factor-added",
}

// proceed leads on after a step: to where the person wanted to go if a session was issued, else to the
// flow's page.
func (x *exchange) proceed(p auth.Progress) error {
	if err := x.keepProgress(p); err != nil {
		return err
	}
	if len(p.Codes) > 0 {
		return x.codesPage(p)
	}
	if p.Departed && p.Departure != "" {
		return x.redirect(x.path(flowPath+p.FlowID) + "?leave")
	}
	if p.Session == nil {
		return x.redirect(x.path(flowPath + p.FlowID))
	}
	notice := enrolled[p.View.Enrol]
	switch {
	case p.View.Goal == flow.Linking && p.View.Removes:
		notice = "connection-removed"
	case p.View.Goal == flow.Linking:
		notice = "connection-added"
	case p.View.Removes:
		notice = "factor-removed"
	}
	if notice != "" {
		if err := x.leaveNotice(notice); err != nil {
			return err
		}
	}
	if p.View.Goal == flow.SignIn && provedBy(p.Session.Session, flow.RecoveryCode) {
		return x.codeUsedPage(p)
	}
	if localPath(p.ReturnTo) {
		return x.redirect(p.ReturnTo)
	}
	// Browsers hold a redirect to another site after a POST against form-action, so a page of ours leads there.
	return x.redirect(x.path(flowPath + p.FlowID))
}

// keepProgress sets the cookies that a step brought. A native client finds its tokens in the answer.
func (x *exchange) keepProgress(p auth.Progress) error {
	if x.native {
		return nil
	}
	if !p.Device.IsZero() {
		if err := x.h.setCookie(x.w, x.h.cookies.device, p.Device.Reveal(), deviceAge); err != nil {
			return err
		}
	}
	if p.Session == nil {
		return nil
	}
	if err := x.keepConfirmation(p); err != nil {
		return err
	}
	return x.h.setSession(x.w, p.Session.Session, p.Session.Token.Reveal(), x.now)
}
