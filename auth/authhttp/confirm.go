package authhttp

import (
	"net/http"
	"strconv"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// defaultMaxAge is the age of proofs that a confirmation accepts if its link names none.
const defaultMaxAge = 5 * time.Minute

// showConfirm asks to go on. The flow begins with the button: a link, wherever it comes from, begins nothing.
func showConfirm(x *exchange) error {
	level, err1 := x.query("level")
	age, err2 := x.query("max_age")
	returnTo, err3 := x.returnTo()
	target, ok := parseTarget(level, age)
	if err1 != nil || err2 != nil || err3 != nil || !ok {
		return deny(malformed)
	}
	s, err := x.session()
	if err != nil {
		return err
	}
	account, token, err := x.formOf(s)
	if err != nil {
		return err
	}
	p := x.message("confirm")
	p.Card.Address = account.Display
	p.Card.Forms = []form{{
		URL: x.path("/confirm"), Submit: x.lang.text("submit.confirm"), Style: "primary",
		Hidden: []hidden{
			{"form_token", token}, {"return_to", returnTo}, {"level", target.Assurance.String()},
			{"max_age", strconv.Itoa(int(target.MaxAge / time.Second))},
		},
	}}
	return x.render(http.StatusOK, "confirm", p)
}

// formOf prepares a page whose form is of the session and begins a flow: in the account's language, with the form's
// token, for a browser that the flow can be bound to.
func (x *exchange) formOf(s auth.Session) (account auth.Account, token string, err error) {
	if account, err = x.h.svc.Account(x.r.Context(), s.Account); err != nil {
		return account, "", err
	}
	x.speak(account)
	if token, err = x.h.formToken(toSession, s.ID); err != nil {
		return account, "", err
	}
	_, err = x.browser()
	return account, token, err
}

func postConfirm(x *exchange) error {
	s, err := x.session()
	if err != nil {
		return err
	}
	in, err := x.readForm(toSession, s.ID, "return_to", "level", "max_age", "operation")
	if err != nil {
		return err
	}
	if x.bound = cookie(x.r, x.h.cookies.flow); x.bound == "" {
		return deny(cookieRequired)
	}
	if in.has("operation") {
		p, err := x.confirmOperation(s, in)
		if d := denial(err); d != nil && d.Reason == flow.Expired && !x.json {
			return x.demandOver(in.text("return_to"))
		}
		if err != nil {
			return err
		}
		return x.proceed(p)
	}
	target, ok := parseTarget(in.text("level"), strconv.Itoa(in.number("max_age")))
	if !ok {
		return deny(malformed)
	}
	p, err := x.h.svc.Begin(x.r.Context(), auth.BeginRequest{
		Goal: flow.StepUp, Target: target, ReturnTo: in.text("return_to"), Client: x.client(),
	})
	if err != nil {
		return err
	}
	return x.proceed(p)
}

// parseTarget reads a level and an age in seconds. Whoever writes a lower one into the address gains
// nothing: the handler that asked compares with its own.
func parseTarget(level, age string) (flow.Target, bool) {
	t := flow.Target{Assurance: flow.AAL1, MaxAge: defaultMaxAge}
	if level != "" {
		l, ok := parseLevel(level)
		if !ok {
			return flow.Target{}, false
		}
		t.Assurance = l
	}
	if age != "" {
		seconds, err := strconv.Atoi(age)
		if err != nil || seconds < 1 || seconds > int(deviceAge/time.Second) {
			return flow.Target{}, false
		}
		t.MaxAge = time.Duration(seconds) * time.Second
	}
	return t, true
}

func parseLevel(text string) (flow.Assurance, bool) {
	for l := flow.AAL1; l <= flow.AAL3; l++ {
		if l.String() == text {
			return l, true
		}
	}
	return 0, false
}
