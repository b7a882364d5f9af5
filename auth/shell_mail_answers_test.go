package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Deeds with mailed secrets: which secret they come with, and what must become of them.

// Which of the mailed secrets: 0 is the newest that fits, 1 the one before it, …
const (
	foreignSecret = -1 // the newest of another purpose, or of another flow
	forgedSecret  = -2
)

// pickSecret chooses the link or the code that is handed in.
func (a *arena) pickSecret(r *request) bool {
	l, d := a.l, r.deed
	goal := d.topic
	if r.flow != nil {
		goal = r.flow.goal
	}
	switch {
	case d.what == "mail-code":
		r.code = l.pickCode(r.flow, d.link)
		if r.code != nil {
			r.secret, r.good = r.code.text.Reveal(), l.fits(r)
			r.free = l.holder(r.code.to) == nil && l.reserved(r.code.to, r.now) == nil
		} else if d.link == forgedSecret {
			r.secret = "00000000"
		}
	case d.secretive():
		if r.link = l.pickLink(linkGoals[goal], d.link); r.link != nil {
			r.secret, r.good = r.link.token.Reveal(), l.opens(r, goal)
		} else if d.link == forgedSecret {
			id := strings.Repeat("A", 22)
			if k := l.pickLink(linkGoals[goal], 0); k != nil {
				id = k.id
			}
			r.secret = id + "." + strings.Repeat("A", 43)
		}
	default:
		address := addresses[d.whom]
		if !d.names() && r.flow != nil {
			address = r.flow.address
		}
		r.free = l.holder(address) == nil && l.reserved(address, r.now) == nil
		return true
	}
	return r.secret != ""
}

func (l *ledger) pickLink(p auth.Purpose, which int) *linkFacts {
	for _, k := range slices.Backward(l.post.links) {
		if k.token.IsZero() || (k.purpose == p) == (which == foreignSecret) || which == forgedSecret {
			continue
		}
		if which <= 0 {
			return k
		}
		which--
	}
	return nil
}

func (l *ledger) pickCode(f *flowFacts, which int) *codeFacts {
	for _, c := range slices.Backward(l.post.codes) {
		if (c.flow == f) == (which == foreignSecret) || which == forgedSecret {
			continue
		}
		if which <= 0 {
			return c
		}
		which--
	}
	return nil
}

// stepped notes what a step with mail in it has brought, when it is saved for the first time.
func (l *ledger) stepped(r *request) {
	f := r.flow
	if r.postage > 0 {
		f.sent, f.tried = r.now, false
	}
	f.tried = f.tried || r.deed.what == "mail-code"
	switch d := r.deed; {
	case r.moved || f.closed:
	case d.what == "identify" && f.address == "":
		f.address = addresses[d.whom]
		l.prospect(r)
	case d.what == "new-address" && r.asked:
		f.candidate, f.reached = addresses[d.whom], ""
	case d.what == "mail-code" && l.fits(r):
		f.reached = f.expects()
	case d.what == "mail-link" && r.looking && l.opens(r, f.goal):
		f.link, f.whom = r.link, r.link.account
		f.takes(&proofFacts{seq: l.tick(), at: r.now, account: f.whom, method: flow.MailLink})
	case d.what == "mail-link" && r.looking && l.people[r.link.account].deleted:
		f.whom = r.link.account // it was good when the flow took it over
	}
	r.moved = true
}

// preview is the GET of a link by a program that opens links before people do, twice.
func (a *arena) preview(ctx context.Context, r *request) error {
	for range 2 {
		_, err := a.w.PreviewLink(ctx, r.deed.topic, auth.NewSecret(r.secret), r.client)
		switch {
		case len(r.writes) > 0 || r.asked:
			a.l.fail("a look at a link has done something: %q", r.writes)
		case err != nil && !errors.Is(err, flow.Deny(flow.WrongCode)):
			a.l.fail("a look at a link: %v", err)
		case a.l.disturbed:
		case err == nil && !r.good:
			a.l.fail("a link is shown as good that is void")
		case err != nil && r.good && a.l.certain(r.link):
			a.l.fail("a link is shown as void that is good")
		}
	}
	return nil
}

// certain reports whether the ledger knows for sure that nothing else has made the link void.
func (l *ledger) certain(k *linkFacts) bool { return !k.disputed && l.post.vague[k.account] < k.seq }

// compareMail holds the answer to a step with mail in it against what it must be, where nothing else went on.
func (a *arena) compareMail(r *request, p auth.Progress, err error) {
	f := r.flow
	if r.deed.begins() && r.deed.names() && err != nil {
		a.l.fail("a stranger is told something: %v", err)
	}
	if f == nil || err != nil || r.closed || p.View.Outcome == flow.Ended.String() {
		return
	}
	accepted := p.View.Refusal == nil && r.saved > 0
	switch d := r.deed; {
	case d.secretive() && accepted && !r.good:
		a.l.fail("a link or a code was taken that is not good")
	case d.what == "mail-link" && !accepted && r.good && a.l.certain(r.link):
		a.l.fail("a good link was refused: %+v", p.View.Refusal)
	case d.what == "mail-code" && !accepted && r.good && r.attempt != nil && (r.free || f.goal == flow.SignUp):
		a.l.fail("a good code was refused: %+v", p.View.Refusal)
	case d.what == "new-password" && f.goal != flow.SignIn && f.goal != flow.Enrolment:
		a.compareNew(r, p)
	case f.goal == flow.Recovery || f.goal == flow.SignUp:
		if d.begins() || d.what == "identify" || strings.HasPrefix(d.what, "send-") || d.what == "mail-code" && !r.good {
			a.shown(r, p)
		}
	}
}

// compareNew is the new password of a flow that a mailbox has allowed.
func (a *arena) compareNew(r *request, p auth.Progress) {
	f, done := r.flow, p.View.Outcome == flow.Completed.String()
	kept := slices.ContainsFunc(r.writes, func(w string) bool {
		return w == "recovery" || w == "activation" || w == "create account"
	})
	due := f.goal == flow.SignUp && r.free && f.reached != "" || f.link != nil && a.l.certain(f.link) && f.need == flow.PasswordChange
	switch {
	case done != kept:
		a.l.fail("done: %t, and in the stores: %t", done, kept)
	case !done && due && len(r.next) >= 8 && r.deed.next == anotherOne && !r.deed.busy:
		a.l.fail("a new password was refused: %+v", p.View.Refusal)
	}
}

// shown holds what a stranger sees against what others saw who did the same. Whose address it was must not matter,
// nor how many calls of ports it takes.
func (a *arena) shown(r *request, p auth.Progress) {
	f := r.flow
	if f.proof != nil || f.reached != "" {
		return
	}
	v := p.View
	v.Address, v.ExpiresAt = "", time.Time{}
	waits := v.Refusal != nil && !v.Refusal.RetryAt.IsZero()
	if v.Refusal != nil {
		v.Refusal = &flow.Refusal{Reason: v.Refusal.Reason, Problem: v.Refusal.Problem}
	}
	text, err := json.Marshal(v)
	if err != nil {
		a.l.fail("%v", err)
	}
	out := !f.tried && r.now.Before(f.sent.Add(shellLimits.Challenge))
	did := fmt.Sprint(f.goal, " ", r.deed.what, " ", r.asked, r.postage, " tried ", r.attempt != nil, " out ", out, " failures ", f.failures, " native ", r.client.Native)
	saw := fmt.Sprint(string(text), waits, p.Session != nil, !p.Device.IsZero(), " calls ", r.calls)
	a.l.counts.shown++
	if other, differs := a.l.post.alike.differ(did, saw); differs {
		a.l.fail("strangers who did the same (%s) see %s and %s", did, other, saw)
	}
}

// writesLetters reports whether an operator's deed has somebody written to and changes nothing else.
func (d deed) writesLetters() bool {
	return d.what == "invite" || d.what == "resend" || d.what == "send-reset"
}

// intendMail checks that the operator got what was asked for.
func (a *arena) intendMail(r *request, p *person, err error) {
	l, gone := a.l, p == nil || p.deleted
	var want error
	switch d := r.deed; {
	case d.what == "invite":
		address := addresses[d.whom]
		if p = l.holder(address); !r.vacant && (p == nil || r.status != flow.Invited) {
			want = flow.Deny(flow.AddressTaken)
		}
		if want == nil && (p == nil || p.status != flow.Invited) {
			l.fail("an invitation of nobody")
		}
	case gone:
		want = auth.ErrNotFound
	case d.what == "send-reset":
		if r.status != flow.Active && r.status != flow.Locked {
			want = auth.ErrStale
		}
	case r.status != flow.Invited:
		if want = auth.ErrStale; p.status != r.status {
			l.fail("%s of an account that is %s made it %s", d.what, r.status, p.status)
		}
	case d.what == "withdraw" && p.status != flow.Disabled:
		l.fail("an invitation that was withdrawn leaves an account that is %s", p.status)
	}
	if !errors.Is(err, want) {
		l.fail("%s: %v; it should be: %v", r.deed.what, err, want)
	}
}
