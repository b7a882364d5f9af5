package auth_test

import (
	"slices"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// What is due, and who may change or use a second factor, as the library promises it. Each rule is asked when the
// store has done it.

var secondMethods = flow.MethodsOf(flow.TOTP, flow.RecoveryCode, flow.Passkey)

// falls says what is missing for a session; empty if nothing is.
func (l *ledger) falls(r *request, account string) string {
	f, due := r.flow, 1
	switch f.goal {
	case flow.SignIn:
		rule := l.held.second
		if r.ruled {
			rule = r.second
		}
		if rule == flow.Always || rule == flow.IfEnrolled && len(l.heldBy(account)) > 0 {
			due = 2
		}
	case flow.StepUp:
		due = int(f.target.Assurance)
	default:
		return "" // the change that it was for was held to more
	}
	if l.level(r, account, f.target.MaxAge) < due {
		return "a session without the second factor that is due"
	}
	return ""
}

// fallsToChange says what is missing to change what the account is signed in to with: all that it can prove, and
// lately.
func (l *ledger) fallsToChange(r *request, account string) string {
	if r.flow.goal != flow.Enrolment && len(l.heldBy(account)) == 0 {
		return "" // a sign-in has the compromised password changed before it has a first factor added
	}
	if r.flow.goal != flow.Enrolment {
		return l.falls(r, account)
	}
	if l.level(r, account, shellLimits.Fresh) < max(l.top(account), 1) {
		return "a change without the second factor"
	}
	return ""
}

// mayChangeFactors holds for every change of factors that is not an operator's doing.
func (l *ledger) mayChangeFactors(r *request, c auth.FactorChange) string {
	f, p := r.flow, l.people[c.Account]
	switch {
	case f == nil:
		return "outside a flow"
	case p == nil || p.deleted || p.status != flow.Active:
		return "of an account that is closed"
	case f.whom != c.Account:
		return "of another account than the flow is about"
	case f.closed && r.saved != f.version:
		return "by a flow that is over"
	case f.acting != nil && !r.fenced:
		return "by a session that had ended"
	case c.EndSessions != r.deed.others:
		return "that ends other sessions than was asked for"
	}
	if problem := l.mayGoOn(r, c.Account, f.acting != nil); problem != "" {
		return problem
	}
	if r.deed.what == "remove" {
		return l.mayRemove(r, c)
	}
	return l.mayAdd(r, c)
}

func (l *ledger) mayRemove(r *request, c auth.FactorChange) string {
	x := r.flow.removes
	others := slices.ContainsFunc(l.heldBy(c.Account), func(y *factorFacts) bool { return y != x && y.real() })
	switch {
	case r.flow.goal != flow.Enrolment || x == nil || x.account != c.Account || x.gone || !x.real():
		return "that takes off what it was not begun for"
	case len(c.Add) > 0 || len(c.Remove) != 1 || c.Remove[0] != x.id:
		return "that takes off something else"
	case !others != (c.RemoveAll == flow.RecoveryCode):
		return "that leaves the codes without a factor, or takes them although there is one"
	case !others && r.ruled && r.second == flow.Always:
		return "that takes off the last factor of an account that must have one"
	case !tells(c, auth.FactorGoneNotice):
		return "that the owner is not told of"
	}
	return l.fallsToChange(r, c.Account)
}

func (l *ledger) mayAdd(r *request, c auth.FactorChange) string {
	f := r.flow
	codes := r.deed.what == "enrol-recovery-code"
	switch {
	case len(c.Remove) > 0 || len(c.Add) == 0 || codes != (c.RemoveAll == flow.RecoveryCode):
		return "that does something else than add"
	case "enrol-"+c.Add[0].Method.String() != r.deed.what || !codes && len(c.Add) != 1:
		return "that adds something else"
	case !codes && !r.typed.fit:
		return "that adds what was not shown to work"
	case codes && !slices.ContainsFunc(l.heldBy(c.Account), (*factorFacts).real):
		return "that makes codes the only factor"
	case !tells(c, auth.FactorNotice):
		return "that the owner is not told of"
	case f.goal == flow.Enrolment && f.target.Enrol != c.Add[0].Method:
		return "by a flow for something else"
	case f.goal == flow.Enrolment:
		return l.fallsToChange(r, c.Account)
	case f.goal != flow.SignIn && f.goal != flow.StepUp, codes:
		return "by a flow for something else"
	case len(l.heldBy(c.Account)) > 0 || l.level(r, c.Account, f.target.MaxAge) < 1:
		return "by a flow that has not proven what is there"
	}
	return ""
}

// tells reports whether the change's one letter is the one to its owner.
func tells(c auth.FactorChange, kind auth.LetterKind) bool {
	return len(c.Letters) == 1 && c.Letters[0].Kind == kind && c.Letters[0].Account == c.Account
}

// changedFactors is a change that the store has made.
func (l *ledger) changedFactors(r *request, c auth.FactorChange) {
	if r.deed.operates() {
		if r.deed.what != "reset-factors" || c.Account != r.whom || len(c.Add) > 0 || !c.EndSessions || !tells(c, auth.FactorGoneNotice) {
			l.fail("an operator's change of factors that nobody asked for")
		}
	} else if problem := l.mayChangeFactors(r, c); problem != "" {
		l.fail("a change of factors %s", problem)
		return
	}
	for _, x := range l.heldBy(c.Account) {
		x.gone = slices.Contains(c.Remove, x.id) || c.RemoveAll != 0 && x.method == c.RemoveAll
	}
	e := &ending{account: c.Account, seq: max(r.raised, r.start), security: true, sessions: c.EndSessions}
	for _, s := range c.Add {
		l.addedFactor(r, s)
	}
	if f := r.flow; f != nil {
		e.flow, e.keep, f.enrolled = f, f.acting, f.goal == flow.Enrolment
	}
	l.drop(c.Account, func(k *linkFacts) bool { return k.purpose != auth.ForUndo })
	l.endings = append(l.endings, e)
	l.counts.factors++
}

func (l *ledger) addedFactor(r *request, s auth.StoredFactor) {
	if s.Account != r.flow.whom || l.held.factors[s.ID] != nil {
		l.fail("a factor of another account, or with an id that was used before")
	}
	x := &factorFacts{id: s.ID, account: s.Account, method: s.Method, counter: s.Counter}
	switch s.Method {
	case flow.TOTP:
		x.key = r.flow.app.key
		if codeOf(x.key, s.Counter) != r.typed.code {
			l.fail("the code that has confirmed an app is not counted as used")
		}
	case flow.RecoveryCode:
		x.handle = s.Handle
	case flow.Passkey:
		x.device, x.plain = r.typed.device, r.deed.plain
		if s.Verifying == x.plain {
			l.fail("a passkey that verifies its user: %t; it does: %t", s.Verifying, !x.plain)
		}
	}
	if x.real() {
		r.proof = &proofFacts{seq: l.tick(), at: r.now, account: x.account, method: x.method, verified: x.device != nil && !x.plain}
		r.flow.takes(r.proof)
	}
	l.held.factors[x.id], l.held.order = x, append(l.held.order, x)
}

// usedFactor is a factor that has proven something: its counter has moved, or, of a recovery code, it is no more.
func (l *ledger) usedFactor(r *request, account, id string, to int64, consumed bool) {
	f, x := r.flow, l.held.factors[id]
	var problem string
	switch {
	case f == nil || !r.deed.proves():
		problem = "and nobody handed anything in"
	case x == nil || x.gone || x.account != account:
		problem = "that is not there"
	case f.proven() && account != f.whom:
		problem = "of another account than the flow is about"
	case r.expect.class == refuses || r.expect.class == repeats:
		problem = "for nothing"
	default:
		problem = l.mayUseFactor(r, x, to)
	}
	if problem != "" {
		l.fail("a factor was used %s", problem)
		return
	}
	x.counter, x.used, x.gone = to, true, consumed
	l.counts.uses++
	if r.right = true; f.admits(l.people[account]) {
		r.proof = &proofFacts{seq: l.tick(), at: r.now, account: account, method: x.method, verified: x.device != nil && !x.plain}
		if f.whom == "" || !f.proven() {
			r.whom = account
		}
	}
}

// mayUseFactor holds what was handed in against the factor that it is taken for.
func (l *ledger) mayUseFactor(r *request, x *factorFacts, to int64) string {
	t := r.typed
	switch x.method {
	case flow.TOTP:
		switch {
		case r.deed.what != "totp" || r.attempt == nil:
			return "by a code that was not counted"
		case to <= x.counter:
			return "by a code that was used, or is older than one that was"
		case codeOf(x.key, to) != t.code || !shows(x.key, t.code, r.now, x.counter):
			return "by a code that it does not show"
		}
	case flow.RecoveryCode:
		switch {
		case r.deed.what != "recovery-code" || r.attempt == nil:
			return "by a code that was not counted"
		case t.code != x.text:
			return "by another code"
		}
	case flow.Passkey:
		switch c := t.ceremony; {
		case r.deed.what != "passkey" || t.factor != x || c == nil:
			return "by what another one has answered"
		case c != r.flow.ceremony && !l.disturbed, c.enrols, c.flow != r.flow:
			return "by the answer to another ceremony"
		case c.taken && c.takenBy != r && !l.disturbed:
			return "by the answer to a ceremony that is over"
		case !r.now.Before(c.at.Add(shellLimits.Challenge)):
			return "by an answer that came too late"
		case r.deed.try == wrongTry:
			return "by an answer that another site was given"
		case x.plain && to <= x.counter:
			return "by a copy of it"
		}
	}
	return ""
}

// steppedFactor notes what a step with a ceremony has brought when it is saved, first as a claim of the ceremony.
func (l *ledger) steppedFactor(r *request) {
	f := r.flow
	switch r.deed.what {
	case "passkey", "enrol-passkey":
		if c := f.ceremony; c != nil && c.at.Before(r.now.Add(1)) {
			c.taken, c.takenBy = true, r
		}
	}
	if r.deed.what == "passkey" && r.proof != nil && f.goal == flow.SignIn {
		f.whom = r.proof.account // what was typed is a hint
	}
}

// typedMethods are the methods whose codes are guessed at, by the actions that take them.
var typedMethods = map[string]flow.Method{"totp": flow.TOTP, "recovery-code": flow.RecoveryCode}

// tookFactor is an attempt to have a code looked at.
func (l *ledger) tookFactor(r *request, m flow.Method, ok bool) {
	whose, machine := l.name(r.about), 0
	known := l.knows(r, r.about)
	if known {
		machine = l.device(r).machine
	}
	a := l.throttle.attempt(whose, known, machine, r.client.Address)
	a.lane = at(l.throttle.lanes, methodLane(m, whose, known, machine))
	allowed := l.throttle.allows(a, r.now)
	switch {
	case ok && !allowed:
		l.fail("a code went past the counters")
	case !ok && allowed && !l.disturbed:
		l.fail("a code was refused that the counters allow")
	}
	if ok {
		l.throttle.count(a, r.now)
		r.attempt = a
	}
}
