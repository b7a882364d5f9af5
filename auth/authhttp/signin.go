package authhttp

import (
	"net/http"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// showSignIn shows the first page. It begins no flow: a flow is a record in a store, and reading a page
// must not fill one.
func showSignIn(x *exchange) error {
	returnTo, err := x.returnTo()
	if err != nil {
		return err
	}
	return x.signInPage(http.StatusOK, signInForm{returnTo: returnTo})
}

// signInForm is what the first page's form has been filled with, and what was wrong with it.
type signInForm struct {
	returnTo   string
	identifier string
	keep       bool
	refusal    flow.Refusal
	missing    string
}

func (x *exchange) signInPage(status int, f signInForm) error {
	view, err := x.h.svc.Preview(x.r.Context(), flow.SignIn)
	if err != nil {
		return err
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
		view: view, url: x.path("/sign-in"), token: token, typed: f.identifier, keep: f.keep, missing: f.missing,
		hidden: []hidden{{"return_to", f.returnTo}}, onlyInputs: true,
	})
	return x.render(status, "sign-in", p)
}

func postSignIn(x *exchange) error {
	x.bound = cookie(x.r, x.h.cookies.flow)
	in, err := x.readForm(toBrowser, x.bound, "identifier", "keep", "return_to", "username")
	if err != nil {
		return err
	}
	filled := signInForm{returnTo: in.text("return_to"), identifier: in.text("identifier"), keep: in.flag("keep")}
	if filled.identifier == "" {
		filled.missing = "identifier"
		return x.signInPage(http.StatusUnprocessableEntity, filled)
	}
	p, err := x.h.svc.Begin(x.r.Context(), auth.BeginRequest{
		Goal: flow.SignIn, ReturnTo: filled.returnTo, Client: x.client(),
		Inputs: auth.Inputs{Identifier: filled.identifier, Keep: filled.keep},
	})
	if d := denial(err); d != nil {
		filled.refusal = d.Refusal
		x.retryAfter(problemOf(err))
		return x.signInPage(statusOf(d.Reason), filled)
	}
	if err != nil {
		return err
	}
	return x.proceed(p)
}

// proceed leads on after a step: to where the person wanted to go if a session was issued, else to the
// flow's page.
func (x *exchange) proceed(p auth.Progress) error {
	if err := x.keepProgress(p); err != nil {
		return err
	}
	if p.Session == nil {
		return x.redirect(x.path(flowPath + p.FlowID))
	}
	if p.View.Goal == flow.Enrolment {
		if err := x.leaveNotice("password-changed"); err != nil {
			return err
		}
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
	return x.h.setSession(x.w, p.Session.Session, p.Session.Token.Reveal(), x.now)
}
