package authhttp

import (
	"net/http"
	"strings"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// linkGoals are the goals that mailed links are for.
var linkGoals = map[auth.Purpose]flow.Goal{
	auth.ForReset: flow.Recovery, auth.ForInvitation: flow.Activation, auth.ForUndo: flow.Reversal,
}

// purpose is what the link in the address is for.
func (x *exchange) purpose() auth.Purpose {
	return auth.Purpose(strings.TrimPrefix(x.r.URL.Path, x.path(linkPath)))
}

// showLink takes the token out of the address, and then shows what the link is for.
func showLink(x *exchange) error {
	if !x.r.URL.Query().Has("t") {
		return x.linkPage(http.StatusOK, "")
	}
	token, err := x.query("t")
	if err != nil {
		return err
	}
	value := string(x.purpose()) + "~" + token
	if !cookieOctets(value) || len(value) > linkLimit {
		return x.badLink() // a mail program may have broken it
	}
	if err := x.h.setCookie(x.w, x.h.cookies.link, value, linkAge); err != nil {
		return err
	}
	return x.redirect(x.r.URL.Path)
}

// linkLimit is longer than any token with its purpose.
const linkLimit = 256

// linkToken is the token that the cookie holds for this purpose, and the public half of it, which names the
// ticket; both are empty if there is none.
func (x *exchange) linkToken() (token auth.Secret, ticket string) {
	purpose, text, _ := strings.Cut(cookie(x.r, x.h.cookies.link), "~")
	if purpose != string(x.purpose()) {
		return auth.Secret{}, ""
	}
	ticket, _, _ = strings.Cut(text, ".")
	return auth.NewSecret(text), ticket
}

// linkPage shows what whoever has the link may do. It reads and changes nothing.
func (x *exchange) linkPage(status int, missing string) error {
	token, ticket := x.linkToken()
	if token.IsZero() {
		return x.badLink()
	}
	bound, err := x.browser()
	if err != nil {
		return err
	}
	view, err := x.h.svc.PreviewLink(x.r.Context(), linkGoals[x.purpose()], token, x.client())
	if d := denial(err); d != nil && d.Reason == flow.WrongCode {
		return x.badLink()
	}
	if err != nil {
		return err
	}
	if view.Outcome != flow.Open.String() {
		return x.endPage(status, auth.Progress{View: view})
	}
	formToken, err := x.h.formToken(toBrowser, bound)
	if err != nil {
		return err
	}
	if !offers(view, "new-password") {
		return x.render(status, "flow", x.linkButton(view, formToken, ticket))
	}
	view.Actions = only(view.Actions, "new-password")
	return x.render(status, "flow", x.present(presentation{
		view: view, url: x.r.URL.Path, token: formToken, missing: missing, hidden: []hidden{{"ticket", ticket}},
	}))
}

// only keeps one action.
func only(list []flow.Action, name string) []flow.Action {
	var kept []flow.Action
	for _, a := range list {
		if a.Name == name {
			kept = append(kept, a)
		}
	}
	return kept
}

// linkButton is the page of a link that takes nothing but a press: what comes next, the flow asks for.
func (x *exchange) linkButton(view flow.View, formToken, ticket string) page {
	key := "link." + string(x.purpose())
	p := x.message(key)
	if view.Goal != flow.Reversal { // its present address is the one to be rid of
		p.Card.Address = view.Address
	}
	p.Card.Forms = []form{{
		URL: x.r.URL.Path, Submit: x.lang.text(key + ".submit"), Style: "primary",
		Hidden: []hidden{{"form_token", formToken}, {"ticket", ticket}},
	}}
	return p
}

// badLink is the one page for every link that is no good, whatever is wrong with it.
func (x *exchange) badLink() error {
	x.h.dropCookie(x.w, x.h.cookies.link)
	view, err := x.h.svc.Preview(x.r.Context(), flow.SignIn)
	if err != nil {
		return err
	}
	on := []link{{x.path("/sign-in"), x.lang.text("link.to-sign-in"), !view.Recovery}}
	if view.Recovery {
		on = append([]link{{x.path(firstPages[flow.Recovery]), x.lang.text("link.new-link"), true}}, on...)
	}
	p := x.message("bad-link", on...)
	p.Trouble = true
	return x.render(http.StatusGone, "message", p)
}

// postLink begins the flow that the link is for, hands the link in and, if it came along, the new password. The
// form names the ticket: a link that was opened in another tab meanwhile must not get this form's password.
func postLink(x *exchange) error {
	x.bound = cookie(x.r, x.h.cookies.flow)
	in, err := x.readForm(toBrowser, x.bound, "ticket", "new_password", "end_others", "username")
	if err != nil {
		return err
	}
	token, ticket := x.linkToken()
	switch {
	case token.IsZero():
		return x.badLink()
	case ticket != in.text("ticket"):
		return x.redirect(x.r.URL.Path)
	case in.has("new_password") && in.text("new_password") == "":
		return x.linkPage(http.StatusUnprocessableEntity, "new_password")
	}
	p, err := x.useLink(token, in.inputs())
	if err != nil {
		return err
	}
	if p.View.Refusal != nil && p.View.Refusal.Reason == flow.WrongCode {
		return x.badLink()
	}
	x.h.dropCookie(x.w, x.h.cookies.link) // the flow has it now
	return x.proceed(p)
}

func (x *exchange) useLink(token auth.Secret, in auth.Inputs) (auth.Progress, error) {
	ctx, client := x.r.Context(), x.client()
	p, err := x.h.svc.Begin(ctx, auth.BeginRequest{Goal: linkGoals[x.purpose()], Client: client})
	if err != nil {
		return p, err
	}
	in.Code = token
	for _, action := range []string{flow.MailLink.String(), "new-password"} {
		if err != nil || p.View.Refusal != nil || !offers(p.View, action) || action == "new-password" && in.NewPassword.IsZero() {
			continue
		}
		p, err = x.h.svc.Continue(ctx, auth.ContinueRequest{Handle: p.Handle, Action: action, Inputs: in, Client: client})
	}
	return p, err
}

// showMailHelp explains our mails to whoever got one.
func showMailHelp(x *exchange) error {
	p := page{Heading: x.lang.text("mail-help.title"), Card: &card{Lead: x.lang.text("mail-help.lead", "product", x.h.cfg.Product)}}
	for _, key := range []string{"mail-help.why", "mail-help.unasked", "mail-help.codes", "mail-help.real"} {
		p.Card.Parts = append(p.Card.Parts, part{
			Heading: x.lang.text(key + ".title"), Text: x.lang.text(key+".text", "product", x.h.cfg.Product, "origin", x.h.cfg.Origin),
		})
	}
	p.Card.Links = []link{{x.path("/account"), x.lang.text("link.to-account"), false}}
	view, err := x.h.svc.Preview(x.r.Context(), flow.SignIn)
	if err != nil {
		return err
	}
	if view.Recovery {
		p.Card.Links = append([]link{{x.path(firstPages[flow.Recovery]), x.lang.text("link.recovery"), true}}, p.Card.Links...)
	}
	return x.render(http.StatusOK, "message", p)
}
