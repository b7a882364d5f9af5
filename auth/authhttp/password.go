package authhttp

import (
	"net/http"
	"slices"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// changePassword is how the present and the new password are asked for together: the form of a flow that
// has not begun yet.
var changePassword = flow.View{
	Goal: flow.Enrolment, Phase: flow.Proving, Need: flow.FreshPassword, Outcome: flow.Open.String(),
	Actions: []flow.Action{{Name: "password", Inputs: []flow.Input{
		{Name: "password", Kind: "secret", Required: true}, {Name: "new_password", Kind: "secret", Required: true},
		{Name: "end_others", Kind: "flag"},
	}}},
}

func showPassword(x *exchange) error {
	s, err := x.session()
	if err != nil {
		return err
	}
	return x.passwordPage(http.StatusOK, s, flow.Refusal{}, "")
}

func (x *exchange) passwordPage(status int, s auth.Session, refusal flow.Refusal, missing string) error {
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
	view := changePassword
	view.Address = account.Display
	if refusal.Reason != 0 {
		view.Refusal = &refusal
	}
	p := x.present(presentation{view: view, url: x.path("/password"), token: token, missing: missing})
	p.Card.Links = []link{{x.path("/account"), x.lang.text("link.account"), false}}
	return x.render(status, "password", p)
}

// postPassword begins the flow and takes its steps at once, as far as two passwords lead. If more is
// asked for, or one of them is refused, the flow's page goes on.
func postPassword(x *exchange) error {
	s, err := x.session()
	if err != nil {
		return err
	}
	in, err := x.readForm(toSession, s.ID, "username", "password", "new_password", "end_others")
	if err != nil {
		return err
	}
	if x.bound = cookie(x.r, x.h.cookies.flow); x.bound == "" {
		return deny(cookieRequired)
	}
	for _, name := range []string{"password", "new_password"} {
		if in.text(name) == "" {
			return x.passwordPage(http.StatusUnprocessableEntity, s, flow.Refusal{}, name)
		}
	}
	p, err := x.replacePassword(in.inputs())
	if d := denial(err); d != nil && d.Reason != sessionRequired {
		x.retryAfter(problemOf(err))
		return x.passwordPage(statusOf(d.Reason), s, d.Refusal, "")
	}
	if err != nil {
		return err
	}
	return x.proceed(p)
}

func (x *exchange) replacePassword(in auth.Inputs) (auth.Progress, error) {
	ctx, client := x.r.Context(), x.client()
	p, err := x.h.svc.Begin(ctx, auth.BeginRequest{
		Goal: flow.Enrolment, Target: flow.Target{Enrol: flow.Password}, ReturnTo: x.path("/account"), Client: client,
	})
	for _, action := range []string{flow.Password.String(), "new-password"} {
		if err != nil || p.View.Refusal != nil || !offers(p.View, action) {
			continue
		}
		p, err = x.h.svc.Continue(ctx, auth.ContinueRequest{Handle: p.Handle, Action: action, Inputs: in, Client: client})
	}
	return p, err
}

func offers(v flow.View, action string) bool {
	return slices.ContainsFunc(v.Actions, func(a flow.Action) bool { return a.Name == action })
}
