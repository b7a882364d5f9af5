package authhttp

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// flowName is the id in the address. It names the flow and opens nothing.
func (x *exchange) flowName() string {
	return strings.TrimPrefix(x.r.URL.Path, x.path(flowPath))
}

// look reads where the flow stands, for the browser that began it.
func (x *exchange) look() (auth.Progress, error) {
	x.bound = cookie(x.r, x.h.cookies.flow)
	if x.bound == "" {
		return auth.Progress{}, deny(cookieRequired)
	}
	return x.h.svc.Look(x.r.Context(), x.flowName(), x.client())
}

func showFlow(x *exchange) error {
	p, err := x.look()
	if err != nil {
		return err
	}
	if x.json {
		return x.writeJSON(http.StatusOK, x.progressBody(p))
	}
	if x.leaving() && p.Departure != "" {
		return x.leavePage(p)
	}
	return x.flowPage(http.StatusOK, p, flow.Refusal{}, "")
}

// flowPage shows where the flow stands. A refusal that is not on record in the flow, and a field that was
// left empty, are shown this once.
func (x *exchange) flowPage(status int, p auth.Progress, refusal flow.Refusal, missing string) error {
	if p.View.Outcome != flow.Open.String() {
		return x.endPage(status, p)
	}
	if err := x.speakAccount(p.View.Goal); err != nil {
		return err
	}
	token, err := x.h.formToken(toBrowser, x.bound)
	if err != nil {
		return err
	}
	if refusal.Reason != 0 {
		p.View.Refusal = &refusal
	}
	body := x.present(presentation{
		view: p.View, url: x.path(flowPath + p.FlowID), token: token, missing: missing,
		hidden: []hidden{{"flow", p.Handle.Reveal()}}, named: true,
	})
	if body.Card.Pairing, err = x.pairingView(p.Pairing); err != nil {
		return err
	}
	return x.render(status, "flow", body)
}

// speakAccount changes to the account's language in flows that a session began. Before a proof nothing may
// depend on the account, so a stranger's flow goes by the browser alone.
func (x *exchange) speakAccount(g flow.Goal) error {
	if g == 0 || g.ByStranger() {
		return nil
	}
	s, err := x.session()
	if err != nil {
		return err
	}
	account, err := x.h.svc.Account(x.r.Context(), s.Account)
	if err != nil {
		return err
	}
	x.speak(account)
	return nil
}

// postFlow takes one step and leads back to the flow's page, which shows what came of it. So the browser's
// way back, and its reload, never send a password again.
func postFlow(x *exchange) error {
	if x.json {
		return &webError{status: http.StatusUnsupportedMediaType, reason: malformed, text: "error.media-type"}
	}
	x.bound = cookie(x.r, x.h.cookies.flow)
	in, err := x.readForm(toBrowser, x.bound, append([]string{"flow", "action", "username"}, inputNames...)...)
	if err != nil {
		return err
	}
	if in.text("action") == "" {
		return refuseBody(errFieldValue)
	}
	if missing := in.missing(); missing != "" {
		p, err := x.look()
		if err != nil {
			return err
		}
		return x.flowPage(http.StatusUnprocessableEntity, p, flow.Refusal{}, missing)
	}
	p, err := x.h.svc.Continue(x.r.Context(), auth.ContinueRequest{
		Handle: auth.NewSecret(in.text("flow")), Action: in.text("action"), Inputs: in.inputs(), Client: x.client(),
	})
	if d := denial(err); d != nil && p.FlowID != "" {
		x.retryAfter(problemOf(err))
		return x.flowPage(statusOf(d.Reason), p, d.Refusal, "")
	}
	if err != nil {
		return err
	}
	return x.proceed(p)
}

// missing returns the name of a required field that is empty, or nothing.
func (f fields) missing() string {
	for _, name := range actionFields[f.text("action")].must {
		if f.text(name) == "" {
			return name
		}
	}
	if f.has("new_password") && f.text("new_password") == "" {
		return "new_password" // on the page that asks for both
	}
	return ""
}

// endPage shows how a flow ended and leads on: to where the person wanted to go, or to a new beginning.
func (x *exchange) endPage(status int, p auth.Progress) error {
	v := p.View
	if v.Outcome == flow.Granted.String() {
		return x.grantedPage(status, p)
	}
	if v.Outcome == flow.Completed.String() {
		key := "completed." + v.Goal.String()
		if !x.lang.has(key + ".title") {
			key = "completed.other"
		}
		on := link{x.path("/sign-in"), x.lang.text("link.sign-in"), true}
		if v.Goal == flow.Reversal { // the account is locked until then
			on = link{x.path(firstPages[flow.Recovery]), x.lang.text("link.recovery"), true}
		}
		return x.render(status, "message", x.message(key, on))
	}
	refusal := flow.Refusal{Reason: flow.Expired}
	if v.Refusal != nil {
		refusal = *v.Refusal
	}
	on := link{with(x.path(cmp.Or(firstPages[v.Goal], "/sign-in")), "return_to", p.ReturnTo), x.lang.text("link.restart"), true}
	if refusal.Reason == flow.NoPassword || refusal.Reason == flow.OrganisationRequired {
		on = link{with(x.path("/sign-in"), "return_to", p.ReturnTo), x.lang.text("link.sign-in"), true}
	}
	if v.Goal != 0 && !v.Goal.ByStranger() {
		on = link{x.path("/account"), x.lang.text("link.account"), true}
	}
	end := page{Heading: x.lang.either("ended."+refusal.Reason.String(), "ended.other"), Trouble: refusal.Reason != flow.Cancelled}
	end.Card = &card{Lead: x.refused(refusal), Links: []link{on}}
	return x.render(status, "message", end)
}

// grantedPage is seen by those whom another site waits for, after a second click, and on the way back. If
// this browser did not get the session (the answer that brought it was lost), it offers to begin again.
func (x *exchange) grantedPage(status int, p auth.Progress) error {
	_, err := x.session()
	if denial(err) != nil {
		return x.render(status, "message", x.message("granted.lost",
			link{with(x.path("/sign-in"), "return_to", p.ReturnTo), x.lang.text("link.restart"), true}))
	}
	if err != nil {
		return err
	}
	target := p.ReturnTo
	if !localPath(target) && !webURL(target) && !loopbackURL(target) {
		target = x.h.cfg.Home
	}
	page := x.message("granted", link{target, x.lang.text("link.continue"), true})
	page.Refresh = target
	return x.render(status, "message", page)
}
