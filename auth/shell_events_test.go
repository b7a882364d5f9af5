package auth_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// What the witnesses tell the ledger, and what it makes of it.

func (l *ledger) wrote(ctx context.Context, what string) {
	l.tick()
	if r := requestIn(ctx); r != nil {
		r.writes = append(r.writes, what)
	}
}

// found is the account, or the lack of one, behind the address that was typed. What stands for the lack of one is
// made with the oldest key.
func (l *ledger) found(r *request, identifier, account string) {
	f := r.flow
	if !r.disturbed && (!r.deed.names() && r.deed.what != "invite" || identifier != addresses[r.deed.whom]) &&
		(f == nil || identifier != f.address && identifier != f.candidate) {
		l.fail("an address was looked for that nobody typed")
	}
	if f == nil || f.goal == flow.SignUp || f.goal == flow.Enrolment {
		return // whose address it is decides nothing of whom it is about
	}
	r.whom = cmp.Or(account, fmt.Sprint(identifier, " under key ", r.oldest))
}

func (l *ledger) created(r *request, rec auth.FlowRecord) {
	if !r.deed.begins() || l.flows[rec.ID] != nil {
		l.fail("a flow was begun that nobody asked for")
		return
	}
	f := r.flow
	f.id, f.version, r.saved = rec.ID, rec.Version, rec.Version
	f.begun, f.stepped, f.saved, f.whom = r.now, r.now, r.now, r.whom
	f.seq = max(r.looked, r.start)
	if r.postage > 0 {
		f.sent = r.now
	}
	if f.goal == flow.SignUp {
		f.whom = ""
		l.prospect(r)
	}
	l.flows[rec.ID] = f
	l.begun = append(l.begun, f)
}

func (l *ledger) saved(r *request, rec auth.FlowRecord) {
	f := r.flow
	if f == nil || f != l.flows[rec.ID] {
		l.fail("a step of another flow than the handle's")
		return
	}
	if r.saved == 0 {
		if problem := l.mayAct(r); problem != "" {
			l.fail("a step that may not be: %s", problem)
		}
		f.stepped = r.now
	}
	f.version, f.before, f.saved, r.saved = rec.Version, r.handle, r.now, rec.Version
	f.takes(r.proof)
	l.stepped(r)
	l.steppedFactor(r)
	switch {
	case r.deed.what == "restart" && f.byStranger():
		f.whom, f.proof, f.proofs = "", nil, nil
		f.address, f.reached, f.link, f.sent = "", "", nil, time.Time{}
	case f.goal == flow.SignUp:
	case r.deed.what == "identify" && f.whom == "":
		f.whom = r.whom
	}
}

// admitted is an attempt to begin a flow.
func (l *ledger) admitted(r *request, ok bool) {
	r.refused = !ok
	if want := l.throttle.begin(r.deed.what, r.client.Address, r.now); want != ok {
		l.fail("beginning a flow was allowed: %t, and should be: %t", ok, want)
	}
}

// took is an attempt to have a password looked at.
func (l *ledger) took(r *request, ok bool) {
	if r.deed.what == "mail-code" && r.expect.class != refuses && r.expect.class != repeats {
		l.tookCode(r, ok)
		return
	}
	if method, ok2 := typedMethods[r.deed.what]; ok2 && r.expect.class != refuses && r.expect.class != repeats {
		l.tookFactor(r, method, ok)
		return
	}
	if r.deed.what != "password" || r.expect.class == refuses || r.expect.class == repeats {
		l.fail("a try was counted for what is none")
		return
	}
	machine := 0
	if r.known = l.knows(r, r.about); r.known {
		machine = l.device(r).machine
	}
	a := l.throttle.attempt(l.name(r.about), r.known, machine, r.client.Address)
	allowed := l.throttle.allows(a, r.now)
	switch {
	case ok && !allowed:
		l.fail("a try went past the counters")
	case ok && r.attempt != nil:
		l.fail("one try was counted twice")
	case !ok && allowed && !l.disturbed:
		l.fail("a try was refused that the counters allow")
	}
	if ok {
		l.throttle.count(a, r.now)
		r.attempt = a
		r.took++
	}
}

// gaveBack is attempts that are taken back from the counts, or counts that are cleared.
func (l *ledger) gaveBack(r *request, clears bool) {
	switch f := r.flow; {
	case r.deed.what == "new-password" && f != nil && f.goal == flow.Recovery: // the ledger knows when it is done
	case r.deed.what == "mail-code" && f.goal == flow.SignUp && (r.good || l.disturbed):
		l.throttle.giveBack(r.attempt, r.now, true)
	case r.deed.what == "unlock":
		l.throttle.forget(l.name(r.whom), true)
	case r.issued != nil && f.goal == flow.SignIn:
		l.throttle.forget(l.name(r.issued.account), false)
		if l.knows(r, r.issued.account) {
			*at(l.throttle.leaks, deviceCount(l.device(r).machine, l.name(r.issued.account))) = leaky{}
		}
	case r.right && (r.proof != nil || l.disturbed):
		l.throttle.giveBack(r.attempt, r.now, true)
		if clears && r.attempt != nil {
			*r.attempt.lane = lane{} // with what others have tried since it was taken back
		}
	case r.deed.busy && r.checks == 0:
		l.throttle.giveBack(r.attempt, r.now, false)
	default:
		l.fail("attempts were forgotten without a reason")
	}
}

// checked is a password that is about to be looked at.
func (l *ledger) checked(r *request, password string) {
	f := r.flow
	if f == nil || r.expect.class == refuses || r.expect.class == repeats {
		l.fail("a password was looked at for nothing")
		return
	}
	if password == r.next && r.checks == r.took && (r.had != nil || r.proof != nil) {
		return // the new one is held against the compromised one
	}
	if r.checks++; r.checks > r.took {
		l.fail("a password was looked at uncounted")
	}
	p := l.people[r.about]
	if p == nil || p.deleted || password != p.password {
		return
	}
	r.right = true
	if p.status == flow.Active {
		r.proof = &proofFacts{seq: l.tick(), at: r.now, account: p.id, method: flow.Password}
	}
}

// granted is a session that came into being.
func (l *ledger) granted(r *request, issued auth.IssuedSession) {
	if r == nil || r.flow == nil {
		l.fail("a session outside a flow")
		return
	}
	if problem := l.mayIssue(r, issued.Account); problem != "" {
		l.fail("a session that may not be: %s", problem)
	}
	f := r.flow
	s := &sessionFacts{
		id: issued.ID, account: issued.Account, token: issued.Token, session: issued.Session, seq: l.tick(),
		used: r.now, surely: r.now, native: r.client.Native,
	}
	proof := f.proof
	if r.proof != nil {
		proof = r.proof
	}
	switch {
	case proof != nil:
		s.proofAt, s.absolute = proof.at, proof.at.Add(sessionAbsolute)
	case f.acting != nil:
		s.proofAt, s.absolute = f.acting.proofAt, f.acting.absolute
	}
	s.proofs = l.evidence(r)
	if f.acting != nil {
		f.acting.ended = true
	}
	f.issued, f.closed, r.issued = s, true, s
	l.sessions[s.id] = s
	l.issued = append(l.issued, s)
	l.counts.sessions++
}

func (l *ledger) byToken(token auth.Secret) *sessionFacts {
	for _, s := range l.issued {
		if s.token.Reveal() == token.Reveal() {
			return s
		}
	}
	return nil
}

// authenticated is a token that was shown, of a session that may have been dead before.
func (l *ledger) authenticated(s *sessionFacts, dead bool, now time.Time, id string, err error) {
	switch {
	case err != nil && !errors.Is(err, flow.Deny(flow.SessionRequired)):
		l.fail("authenticate: %v", err)
	case err != nil && s != nil && l.live(s, now):
		l.fail("a live session was refused")
	case err == nil && (s == nil || s.id != id):
		l.fail("a token opened a session that is not its own")
	case err == nil && dead:
		l.fail("a dead session was good for something")
	case err == nil:
		s.used = later(s.used, now)
		if now.Sub(s.surely) >= sessionSlack {
			s.surely = now
		}
	}
}

func later(t, u time.Time) time.Time {
	if u.After(t) {
		return u
	}
	return t
}

// raised is the moment from which what came before is over. A session that acts must be alive then.
func (l *ledger) raised(r *request, account string) {
	r.fenced = r.flow != nil && r.flow.acting != nil && !l.dead(r.flow.acting, r.now)
	r.raised, l.shaken[account] = l.tick(), true
}

// ended is one session that was ended by its id: by its owner, or because its cookie was overwritten.
func (l *ledger) ended(r *request, id string) {
	s := l.sessions[id]
	switch {
	case s == nil:
		l.fail("a session was ended that nobody was given")
		return
	case r.deed.what == "sign-out" && s == r.session:
	case r.deed.what == "end-one" && s.id == r.target:
	case r.issued != nil && r.flow.goal == flow.SignIn && s == r.session:
	default:
		l.fail("a session was ended that nobody asked to end")
	}
	s.ended = true
}

// changed is a password that was replaced.
func (l *ledger) changed(r *request, id, hash string, end bool) {
	if problem := l.mayChange(r, id); problem != "" {
		l.fail("a change that may not be: %s", problem)
		return
	}
	if hash != hashOf("h1", r.next) || len(r.next) < 8 || end != r.deed.others {
		l.fail("a change to something else than was asked for")
	}
	l.replaced(id, r.next)
	l.endings = append(l.endings, &ending{
		account: id, seq: max(r.raised, r.start), security: true, sessions: end, keep: r.flow.acting, flow: r.flow,
	})
	l.counts.changes++
}

func (l *ledger) replaced(id, password string) {
	p := l.people[id]
	p.former, p.password, p.compromised, p.due = p.password, password, false, false
}
