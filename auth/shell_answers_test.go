package auth_test

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Running a deed, and holding its answer and what the stores are then against the ledger.

// run calls the service.
func (a *arena) run(ctx context.Context, r *request) (auth.Progress, error) {
	d, inputs := r.deed, auth.Inputs{
		Password: auth.NewSecret(r.password), NewPassword: auth.NewSecret(r.next), EndOthers: r.deed.others,
	}
	if r.secret != "" {
		inputs.Code = auth.NewSecret(r.secret)
	}
	if d.names() {
		inputs.Identifier = addresses[d.whom]
	}
	r.typed.into(&inputs)
	if r.password == "" {
		inputs.Password = auth.Secret{}
	}
	if r.next == "" {
		inputs.NewPassword = auth.Secret{}
	}
	switch {
	case d.begins():
		action := ""
		if d.what == "touch" {
			action = "send-passkey"
		}
		return a.w.Begin(ctx, auth.BeginRequest{Goal: r.flow.goal, Target: r.flow.target, Action: action, Client: r.client, Inputs: inputs})
	case d.continues():
		return a.w.Continue(ctx, auth.ContinueRequest{Handle: auth.NewSecret(r.shown), Action: d.what, Inputs: inputs, Client: r.client})
	case d.what == "look":
		id := "AAAAAAAAAAAAAAAAAAAAAA"
		if r.flow != nil {
			id = r.flow.id
		}
		return a.w.Look(ctx, id, r.client)
	case d.what == "preview":
		return auth.Progress{}, a.preview(ctx, r)
	case d.acts():
		return auth.Progress{}, a.act(ctx, r)
	}
	return auth.Progress{}, a.operate(ctx, r)
}

// act does what a session does outside a flow. With an ended one, the caller has looked it up before it ended.
func (a *arena) act(ctx context.Context, r *request) error {
	if r.deed.token == ended && r.deed.what == "end-others" {
		return a.w.EndOtherSessions(ctx, r.session.session, r.client)
	}
	s, err := a.w.Authenticate(ctx, r.client.Session)
	if err != nil {
		return err
	}
	switch r.deed.what {
	case "end-others":
		return a.w.EndOtherSessions(ctx, s, r.client)
	case "end-one":
		return a.w.EndSession(ctx, s, r.target)
	case "sign-out":
		return a.w.SignOut(ctx, s)
	}
	return nil
}

// operate is what the operator does. "host-password" is a host that sets a password itself and says so.
func (a *arena) operate(ctx context.Context, r *request) error {
	address := addresses[r.deed.whom]
	r.vacant = a.l.holder(address) == nil && a.l.reserved(address, r.now) == nil
	if p := a.l.people[r.whom]; p != nil {
		r.status, r.due, r.gone = p.status, p.due, p.deleted
	}
	switch r.deed.what {
	case "disable":
		return a.w.DisableAccount(ctx, r.whom)
	case "enable":
		return a.w.EnableAccount(ctx, r.whom)
	case "unlock":
		return a.w.UnlockAccount(ctx, r.whom)
	case "compromise":
		return a.w.MarkPasswordCompromised(ctx, r.whom)
	case "end-all":
		return a.w.EndSessions(ctx, r.whom)
	case "delete":
		return a.w.DeleteAccount(ctx, r.whom)
	case "invite":
		_, err := a.w.Invite(ctx, auth.NewAccount{Identifier: addresses[r.deed.whom]})
		return err
	case "resend":
		return a.w.ResendInvitation(ctx, r.whom)
	case "withdraw":
		return a.w.WithdrawInvitation(ctx, r.whom)
	case "send-reset":
		return a.w.SendReset(ctx, r.whom)
	case "reset-factors":
		r.typed.there = len(a.l.heldBy(r.whom)) > 0
		return a.w.ResetFactors(ctx, r.whom)
	case "host-password":
		state, err := a.w.store.State(ctx, r.whom)
		if err != nil {
			return err
		}
		if _, err := a.w.store.ReplacePassword(ctx, r.whom, state.Epochs, hashOf("h1", r.next), false, r.now); err != nil {
			return err
		}
		a.l.replaced(r.whom, r.next)
	}
	return a.w.AccountChanged(ctx, r.whom)
}

// expect says what must become of the request as far as that is decided before it runs.
func (a *arena) expect(r *request) verdict {
	l, d := a.l, r.deed
	required := verdict{refuses, flow.SessionRequired}
	switch {
	case d.continues():
		return l.judge(r)
	case d.what == "look":
		return l.judgeLook(r)
	case d.begins() && r.flow.byStranger(), d.operates(), d.what == "preview":
		return verdict{class: proceeds}
	case d.what == "end-others" && d.token == ended && !l.over(r.session):
		return verdict{class: unsure} // it expired since it was looked up, and keeping it does not revive it
	case r.session == nil || l.dead(r.session, r.now):
		return required
	case !l.live(r.session, r.now):
		return verdict{class: unsure}
	}
	return verdict{class: proceeds}
}

// judgeLook says what a look at a flow must show: nothing to anyone but the browser that began it.
func (l *ledger) judgeLook(r *request) verdict {
	f := r.flow
	switch {
	case r.client.Native:
		return verdict{refuses, flow.CookieRequired}
	case f == nil || f.by != r.who || !f.closed && f.expired(r.now):
		return verdict{refuses, flow.Expired}
	case f.expired(r.now):
		return verdict{class: unsure}
	case f.keys < r.oldest:
		return verdict{refuses, flow.Stale}
	case l.gone(f):
		return verdict{class: unsure}
	}
	return verdict{class: proceeds}
}

// close holds the answer against what was expected, and learns from it.
func (a *arena) close(r *request, p auth.Progress, err error) {
	l := a.l
	var denied *auth.DeniedError
	switch {
	case errors.As(err, &denied):
		l.counts.refusals[denied.Reason.String()]++
		if slices.ContainsFunc(r.writes, func(w string) bool { return !l.spares(r, w) }) {
			l.fail("a refused request (%v) has written %q", err, r.writes)
		}
	case err != nil && !r.deed.operates():
		l.fail("a fault without a cause: %v", err)
	case p.View.Refusal != nil:
		l.counts.refusals[p.View.Refusal.Reason.String()]++
	}
	if (p.Session != nil) != (r.issued != nil) || p.Session != nil && (err != nil || p.Session.ID != r.issued.id) {
		l.fail("the session of the answer is not the one that was issued")
	}
	if want := min(1, len(slices.DeleteFunc(slices.Clone(r.writes), func(w string) bool { return w != "issue" }))); r.granted != want {
		l.fail("%d sessions in the audit trail, and %d issued", r.granted, want)
	}
	if r.took != r.checks && !r.deed.busy {
		l.fail("%d tries counted and %d passwords looked at", r.took, r.checks)
	}
	if r.issued != nil && r.session != nil && !r.inner && !l.dead(r.session, a.w.clock.Now()) {
		l.fail("the session that the browser had before lives on")
	}
	a.compare(r, p, err, denied)
	if r.deed.operates() || r.deed.what == "end-others" {
		a.closeAct(r, err)
	} else {
		a.learn(r, p)
	}
	a.touched = a.touched || len(r.writes) > 0 || r.took > 0 || r.deed.begins() || r.deed.acts() || r.deed.operates()
}

// spares reports whether a refused request may have written this: it has brought the stores together after another
// act in its middle, or what it has written is of an account that is gone, or a code was used up before another step
// of the same flow came first.
func (l *ledger) spares(r *request, write string) bool {
	account := r.whom
	if r.session != nil {
		account = r.session.account
	}
	p := l.people[account]
	return l.disturbed && (write == "epochs" || write == "use factor" || write == "raise" && p != nil && p.deleted)
}

// compare holds the answer against the verdict.
func (a *arena) compare(r *request, p auth.Progress, err error, denied *auth.DeniedError) {
	l := a.l
	if r.refused {
		if denied == nil || denied.Reason != flow.TooManyAttempts {
			l.fail("a flow began past the counters: %v", err)
		}
		return
	}
	stranger := r.flow == nil || r.flow.by != r.who
	if r.disturbed && (r.expect.class == refuses || r.expect.class == repeats) && !stranger {
		// Why it is refused may have changed since, but not that nothing is done.
		if len(r.writes) > 0 || err == nil && !p.Repeated {
			l.fail("an old handle has done something: %v, %q", err, r.writes)
		}
		return
	}
	if r.closed && denied != nil && denied.Reason == flow.Expired {
		return // a flow that the account's change ended keeps the time of the step before
	}
	switch r.expect.class {
	case refuses:
		if denied == nil || denied.Refusal != (flow.Refusal{Reason: r.expect.reason}) || !reflect.DeepEqual(p, auth.Progress{}) {
			l.fail("the answer is %v with %+v; it must be %s and nothing else", err, p, r.expect.reason)
		}
	case repeats:
		l.counts.repeats++
		if err != nil || !p.Repeated || p.Session != nil || !p.Device.IsZero() || len(r.writes) > 0 {
			l.fail("a second look has done something, or was none: %v, %q", err, r.writes)
		}
	case proceeds:
		if l.disturbed {
			break
		}
		if p.Repeated {
			l.fail("a current handle was taken for an old one")
		}
		if l.owed(r) && (r.issued == nil || err != nil) {
			l.fail("the right password opened nothing: %v, %+v", err, p.View)
		}
		a.compareMail(r, p, err)
		a.compareFactor(r, p, err)
		if r.proof != nil && r.had == nil && r.deed.hostile && r.flow.goal == flow.SignIn && l.people[r.flow.whom].status != flow.Locked {
			l.fail("a hostile sign-in did not lock the account")
		}
	}
}

// learn notes what the answer brought: handles, cookies, where the flow stands.
func (a *arena) learn(r *request, p auth.Progress) {
	l := a.l
	if r.issued != nil && !p.Device.IsZero() {
		l.remember(r, p.Device)
	}
	a.clients[r.who].keep(p)
	f := l.flows[p.FlowID]
	if f == nil {
		return
	}
	version := max(r.loaded, r.saved)
	if known := f.handles[version]; known != "" && known != p.Handle.Reveal() {
		l.fail("two handles of one step")
	}
	for v, text := range f.handles {
		if v != version && text == p.Handle.Reveal() {
			l.fail("one handle of two steps")
		}
	}
	if f.handles[version] == "" {
		f.handles[version], a.touched = p.Handle.Reveal(), true
	}
	if version != f.version {
		return // another request has gone on since
	}
	f.need = p.View.Need
	a.learnFactor(r, f, p)
	if p.View.Outcome != flow.Open.String() && !(p.View.Refusal != nil && p.View.Refusal.Reason == flow.Expired) {
		f.closed = true
	}
	if wrong := r.deed.factors() && r.saved > 0 && factorRefused(p) || r.deed.secretive() && p.View.Refusal != nil && p.View.Refusal.Reason == flow.WrongCode; wrong && r.saved > 0 ||
		r.checks > 0 && r.proof == nil && r.saved > 0 && r.deed.what == "password" {
		if f.failures++; f.failures >= shellLimits.Failures && !f.closed {
			l.fail("the flow goes on after its last failure")
		}
	}
	if r.proof != nil && r.had == nil && r.deed.hostile && f.goal == flow.SignIn {
		l.endings = append(l.endings, &ending{account: f.whom, seq: max(r.raised, r.start), security: true, sessions: true})
	}
}

// closeAct notes what an operator, or the end of all other sessions, has ended.
func (a *arena) closeAct(r *request, err error) {
	l, account := a.l, r.whom
	if r.deed.what == "end-others" {
		if err == nil {
			l.endings = append(l.endings, &ending{account: r.session.account, seq: max(r.raised, r.start), sessions: true, keep: r.session})
		}
		return
	}
	p := l.people[account]
	if !l.disturbed {
		a.intend(r, p, err)
	}
	if p == nil || err != nil || r.deed.writesLetters() {
		return
	}
	e := &ending{account: account, seq: max(r.raised, r.start)}
	switch r.deed.what {
	case "disable", "enable", "unlock", "withdraw":
		e.security = p.status != r.status
		e.sessions = e.security
	case "compromise":
		e.security = true
	case "end-all":
		e.sessions = true
	case "reset-factors":
		return // the ledger knows when the store has done it
	default:
		e.security, e.sessions = true, true
	}
	l.endings = append(l.endings, e)
}

// intend checks that the operator got what was asked for.
func (a *arena) intend(r *request, p *person, err error) {
	l := a.l
	if r.deed.writesLetters() || r.deed.what == "withdraw" {
		a.intendMail(r, p, err)
		return
	}
	gone := p == nil || p.deleted && r.deed.what != "delete"
	if gone {
		if !errors.Is(err, auth.ErrNotFound) {
			l.fail("an operator's act on nobody: %v", err)
		}
		return
	}
	if p.password == "" && r.deed.what == "compromise" {
		if !errors.Is(err, auth.ErrStale) {
			l.fail("a password that is not there was marked: %v", err)
		}
		return
	}
	want := r.status
	switch {
	case r.deed.what == "reset-factors" && len(l.heldBy(p.id)) > 0:
		l.fail("an operator took the factors off, and they are there")
	case r.deed.what == "disable", r.deed.what == "delete" && !r.gone:
		want = flow.Disabled
	case r.deed.what == "enable" && want == flow.Disabled && p.password == "":
		want = flow.Invited
	case r.deed.what == "enable" && want == flow.Disabled && r.due:
		want = flow.Locked
	case r.deed.what == "unlock" && want == flow.Locked && p.password != "":
		if !errors.Is(err, auth.ErrStale) || p.status != flow.Locked {
			l.fail("an account was unlocked whose password somebody else may know: %v", err)
		}
		return
	case r.deed.what == "enable" && want == flow.Disabled, r.deed.what == "unlock" && want == flow.Locked:
		want = flow.Active
	}
	if err != nil || p.status != want || r.deed.what == "compromise" && !p.compromised || r.deed.what == "delete" && !p.deleted {
		l.fail("%s: %v, and the account is %+v", r.deed.what, err, *p)
	}
}
