package authhttp

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// confirmations is what lets a dangerous act of the host's be done.
type confirmations interface {
	Confirmed(ctx context.Context, r auth.ConfirmedRequest) error
	DemandConfirmation(ctx context.Context, acting auth.Session, op auth.Operation, level flow.Assurance) (auth.ConfirmationDemand, error)
	ReadOperation(acting auth.Session, token string) (auth.Operation, flow.Assurance, error)
}

// ConfirmationHeader is the header in which a native client sends what confirms the operation of its request. A
// browser's confirmation is in a cookie, and this header of its requests is not looked at.
const ConfirmationHeader = "Cardea-Confirmation"

// acting are the methods that a confirmed act may have. A request of another one can be made by a link, by an image or
// by a browser that reads ahead, and the browser brings its cookies along.
const actingMethods = "POST, PUT, PATCH, DELETE"

// RequireConfirmed lets a request through to next if the person has confirmed exactly what it does, by proofs made for
// that and nothing else, and lets it through once (ASVS 7.5.3). It stands before acts that cannot be taken back: to
// delete a project, to hand over an account, to pay. Everything that decides what the request does must be in what
// operation makes of it; what is confirmed for one operation is worth nothing for another, and is not used up by it.
//
// Level is what the proofs must reach; zero is the highest level that the account can reach. Operation makes the
// operation of the request (auth.NewOperation), with a sentence in the language of its reader, from what the server
// knows: the project's name as it is in the database, not as it is in the form. SessionFrom tells it who acts. It is
// called for every request, before the answer is decided, and must change nothing. It may read a form (ParseForm keeps
// that for next); a body that it reads otherwise it must put back. It should look whether the person may do this at
// all: its *auth.DeniedError is answered as such (flow.Deny(flow.NotFound), say), any other error as a fault.
//
// Who has not confirmed it gets 401. On a page that shows the sentence, the person goes on to prove who they are, reads
// the sentence again beside the password, and comes back to where the request was sent from (to Config.Home if that
// page has the Referrer-Policy no-referrer). Nothing that was posted is kept: they send it again, and it passes, once,
// within flow.Limits.Confirmation (5 minutes). Others get the code step-up-required with the level, the sentence in
// "confirms" and the token that begins the step-up in "operation": it goes to POST {prefix}/flow with the goal step-up.
// The confirmation that comes of it is in a cookie; a native client finds it in "confirmation" and sends it in the
// header Cardea-Confirmation.
//
// It ends with the session that came of the step-up, with any change of the account's password, factors, address or
// status, and with the end of its other sessions. There is one at a time: to confirm another operation, in another tab
// too, begins a new session, and the former confirmation ends with the former one.
//
// GET, HEAD and other methods that change nothing get 405 and never reach next, and what another site made the browser
// send gets 403: neither can use up a confirmation. If a store fails the answer is 500, and next is not called. It
// panics on a level that there is not, and without operation or next.
func (h *Handler) RequireConfirmed(level flow.Assurance, operation func(*http.Request) (auth.Operation, error), next http.Handler) http.Handler {
	if level > flow.AAL3 || operation == nil || next == nil {
		panic(fmt.Sprintf("authhttp: RequireConfirmed at %s", level))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		allowed, err := h.confirmed(w, r, level, operation)
		if err != nil {
			h.refuse(w, r, err, flow.Target{})
			return
		}
		if allowed != nil {
			next.ServeHTTP(w, allowed)
		}
	})
}

// confirmed returns the request as next is to see it, or nil if it was answered: the person is asked to confirm.
func (h *Handler) confirmed(w http.ResponseWriter, r *http.Request, level flow.Assurance, operation func(*http.Request) (auth.Operation, error)) (*http.Request, error) {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		w.Header().Set("Allow", actingMethods)
		return nil, &webError{status: http.StatusMethodNotAllowed, reason: malformed, text: "error.method"}
	}
	if err := h.checkOrigin(r); err != nil {
		return nil, err
	}
	s, err := h.authenticate(w, r)
	if err != nil {
		return nil, err
	}
	r = withSession(r, s)
	op, err := operation(r)
	if err != nil {
		return nil, err
	}
	x, confirmation, err := h.confirming(w, r)
	if err != nil {
		return nil, err
	}
	err = h.svc.Confirmed(r.Context(), auth.ConfirmedRequest{Operation: op, Level: level, Confirmation: confirmation, Client: x.client()})
	if d := denial(err); d != nil && d.Reason == stepUpRequired {
		return nil, x.demand(s, op, level)
	}
	if err != nil {
		return nil, err
	}
	if !x.native {
		h.dropCookie(w, h.cookies.confirmation) // it is worth nothing any more
	}
	return r, nil
}

// confirming reads what confirms the request, as its transport has it.
func (h *Handler) confirming(w http.ResponseWriter, r *http.Request) (x *exchange, confirmation auth.Secret, err error) {
	x = h.exchange(w, r, !strings.Contains(r.Header.Get("Accept"), "text/html"))
	if !x.native {
		x.bound = cookie(r, h.cookies.flow)
		return x, auth.NewSecret(cookie(r, h.cookies.confirmation)), nil
	}
	if x.sessionToken, err = bearerToken(r.Header["Authorization"]); err != nil {
		return nil, auth.Secret{}, err
	}
	if values := r.Header[ConfirmationHeader]; len(values) == 1 { // of two, somebody in front of us may have seen the other
		confirmation = auth.NewSecret(values[0])
	}
	return x, confirmation, nil
}

// demand answers a request that nobody has confirmed.
func (x *exchange) demand(s auth.Session, op auth.Operation, level flow.Assurance) error {
	d, err := x.h.svc.DemandConfirmation(x.r.Context(), s, op, level)
	if err != nil {
		return err
	}
	secure(x.w.Header())
	p := problemOf(deny(stepUpRequired))
	p.target, p.demand = flow.Target{Assurance: d.Level}, &d
	if x.json {
		x.answer(p)
		return nil
	}
	return x.demandPage(s, p)
}

// demandPage shows what would be done, and goes on to confirm it. It is made from the request itself and has no
// address, so that no link leads to a sentence that the server did not write for this session.
func (x *exchange) demandPage(s auth.Session, p problem) error {
	account, token, err := x.formOf(s)
	if err != nil {
		return err
	}
	from := x.cameFrom()
	back := from
	if back == "" {
		back = x.h.cfg.Home
	}
	out := page{Heading: x.lang.text("confirmation.title"), Card: &card{
		Lead: x.lang.text("confirmation.refused"), Address: account.Display,
		Operation: p.demand.Operation.Text(), Then: x.lang.text("confirmation.next"),
		Links: []link{{back, x.lang.text("confirmation.back"), false}},
		Forms: []form{{
			URL: x.path("/confirm"), Submit: x.lang.text("submit.confirm"), Style: "primary",
			Hidden: []hidden{{"form_token", token}, {"return_to", from}, {"operation", p.demand.Token}},
		}},
	}}
	return x.render(p.status, "confirm", out)
}

// confirmOperation begins the step-up that a demand's page asked for.
func (x *exchange) confirmOperation(s auth.Session, in fields) (auth.Progress, error) {
	if in.has("level") || in.has("max_age") {
		return auth.Progress{}, refuseBody(errFieldValue) // the token says what it takes
	}
	op, level, err := x.h.svc.ReadOperation(s, in.text("operation"))
	if err != nil {
		return auth.Progress{}, err
	}
	return x.h.svc.Begin(x.r.Context(), auth.BeginRequest{
		Goal: flow.StepUp, Target: flow.Target{Assurance: level}, Operation: op, ReturnTo: in.text("return_to"), Client: x.client(),
	})
}

// demandOver leads back to where the request came from: its demand is too old, or of a session that has been replaced
// since, perhaps in another tab.
func (x *exchange) demandOver(returnTo string) error {
	back := local(returnTo)
	if back == "" {
		back = x.h.cfg.Home
	}
	return x.render(http.StatusGone, "message", page{
		Heading: x.lang.text("confirmation.over.title"), Trouble: true,
		Card: &card{Lead: x.lang.text("confirmation.over.text"), Links: []link{{back, x.lang.text("link.back-to"), true}}},
	})
}

// showOperation puts what a flow confirms where it cannot be overlooked: between the heading and the form.
func (x *exchange) showOperation(c *card, v flow.View) {
	if v.Operation == "" {
		return
	}
	c.Operation, c.Then = v.Operation, x.lang.text("confirmation.then")
	if v.Need == flow.FreshProof || c.Lead == "" {
		c.Lead = x.lang.text("confirmation.lead")
	}
}

// keepConfirmation hands the confirmation to the browser, for as long as it can be used. A native client finds it in
// the answer.
func (x *exchange) keepConfirmation(p auth.Progress) error {
	if p.Confirmation.IsZero() {
		return nil
	}
	return x.h.setCookie(x.w, x.h.cookies.confirmation, p.Confirmation.Reveal(), p.ExpiresAt.Sub(x.now))
}
