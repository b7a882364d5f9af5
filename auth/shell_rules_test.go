package auth_test

import (
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// The limits of the installation that is explored: small, so that each boundary is a step or two away.
var (
	shellLimits = flow.Limits{
		Idle: 3 * time.Minute, Total: 8 * time.Minute, Challenge: 100 * time.Second, Resend: time.Minute,
		Fresh: 2 * time.Minute, Failures: 3, Tries: 1,
	}
	shellThrottle = auth.Throttle{
		Free: 2, FirstDelay: 40 * time.Second, MaxDelay: 80 * time.Second, Cap: 5,
		AccountCap: 6, AccountLeak: time.Hour, PrefixCap: 7, PrefixLeak: time.Hour, BeginCap: 9, BeginLeak: 2 * time.Minute,
		MailCap: 2, MailLeak: 4 * time.Minute,
	}
)

// The sessions' own limits, which are those of package session for "not kept signed in".
const (
	sessionIdle     = 12 * time.Hour
	sessionAbsolute = 7 * 24 * time.Hour
	sessionSlack    = time.Minute // "last seen" is written down no more often
)

// stepUpAge is how old a proof may be for the kind of step-up that takes the session's own.
const stepUpAge = 5 * time.Minute

// dead reports whether the session must not be good for anything any more.
func (l *ledger) dead(s *sessionFacts, now time.Time) bool {
	return l.over(s) || !now.Before(s.used.Add(sessionIdle)) || !now.Before(s.absolute)
}

// over reports whether an act has ended the session.
func (l *ledger) over(s *sessionFacts) bool {
	p := l.people[s.account]
	if s.ended || p.deleted || p.status != flow.Active {
		return true
	}
	for _, e := range l.endings {
		if e.sessions && e.account == s.account && e.keep != s && s.seq < e.seq {
			return true
		}
	}
	return false
}

// live reports whether nothing can have ended the session. While requests run inside each other, and in the
// last minute before the idle limit, the ledger does not know.
func (l *ledger) live(s *sessionFacts, now time.Time) bool {
	return !l.dead(s, now) && !l.disturbed && now.Before(s.surely.Add(sessionIdle-sessionSlack))
}

// mayIssue holds for every session that comes into being: which flow it is from decides whether it may.
func (l *ledger) mayIssue(r *request, account string) string {
	f, p := r.flow, l.people[account]
	switch {
	case f == nil || r.deed.operates():
		return "a session outside a flow"
	case p == nil || p.deleted:
		return "a session for an account that is gone"
	case p.status != flow.Active:
		return "a session for an account that is " + p.status.String()
	case p.compromised && f.goal == flow.SignIn && proves(l.evidence(r), flow.Password):
		return "a sign-in past a compromised password"
	case f.whom != account && r.whom != account:
		return "a session for another account than the flow is about"
	case f.goal != flow.SignIn && f.goal != flow.StepUp && f.goal != flow.Enrolment:
		return "a session out of a mailbox"
	case f.issued != nil:
		return "a second session from one flow"
	case f.acting != nil && l.dead(f.acting, r.now):
		return "a session in the place of one that has ended" // even if that was a moment ago
	case f.closed && r.saved != f.version:
		return "a session from a flow that is over"
	}
	if problem := l.mayGoOn(r, account, f.goal == flow.StepUp && f.target.MaxAge > 0 || f.goal == flow.Enrolment && f.target.Enrol != flow.Password); problem != "" {
		return problem
	}
	return l.falls(r, account)
}

// mayGoOn holds for everything that a flow does in the name of an account: what was proven in it, when, by
// whom, and what has happened since.
func (l *ledger) mayGoOn(r *request, account string, inherited bool) string {
	f := r.flow
	if problem := l.mayAct(r); problem != "" {
		return problem
	}
	proof := f.proof
	if r.proof != nil {
		proof = r.proof
	}
	fresh := inherited && r.now.Sub(f.acting.proofAt) <= f.lasts()
	switch {
	case proof == nil && !fresh:
		return "nothing was proven"
	case proof != nil && proof.account != account:
		return "it was proven of another account"
	}
	for _, e := range l.endings {
		if e.account != account || e.flow == f {
			continue
		}
		late := r.start > e.seq || r.proof != nil && r.proof.seq > e.seq || r.looked > e.seq
		switch {
		case e.sessions && !late:
			return "all sessions were ended in the middle of it"
		case e.security && f.byStranger() && l.evidence(r)[0].seq < e.seq, e.security && !f.byStranger() && f.seq < e.seq:
			return "the account changed since the flow saw it"
		}
	}
	return ""
}

// lasts is how old a proof may be that the session has brought along.
func (f *flowFacts) lasts() time.Duration {
	if f.goal == flow.Enrolment {
		return shellLimits.Fresh
	}
	return stepUpAge
}

// mayAct holds for whoever takes the step.
func (l *ledger) mayAct(r *request) string {
	f := r.flow
	switch {
	case f.by != r.who:
		return "the flow is another browser's"
	case f.expired(r.now):
		return "the flow had expired"
	case r.handle != 0 && r.saved == 0 && r.handle != f.version:
		return "the handle was an old one"
	case f.acting != nil && r.session != f.acting:
		return "the session that acts is not the one that began the flow"
	case f.acting != nil && !l.disturbed && l.dead(f.acting, r.now):
		return "the session that began the flow had ended"
	case f.keys < r.oldest:
		return "the flow's key was retired"
	}
	return ""
}

// mayChange holds for every change of a password that is not the host's own doing.
func (l *ledger) mayChange(r *request, account string) string {
	f, p := r.flow, l.people[account]
	switch {
	case f == nil || r.deed.operates():
		return "a change outside a flow"
	case p == nil || p.deleted || p.status != flow.Active:
		return "a change of an account that is closed"
	case f.whom != account:
		return "a change of another account than the flow is about"
	case f.closed && r.saved != f.version: // else it was this request that closed it
		return "a change by a flow that is over"
	case f.acting != nil && !r.fenced:
		return "a change by a session that had ended"
	case f.goal == flow.SignIn && !p.compromised:
		return "a change that was not due"
	case f.goal != flow.SignIn && (f.goal != flow.Enrolment || f.target.Enrol != flow.Password):
		return "a change by a flow for something else"
	}
	if problem := l.mayGoOn(r, account, false); problem != "" {
		return problem
	}
	if proof := f.proof; f.goal == flow.Enrolment && r.proof == nil && r.now.Sub(proof.at) > shellLimits.Fresh {
		return "the proof was not fresh any more"
	}
	return l.fallsToChange(r, account)
}

// owed reports whether the step must have led to a session in an undisturbed world, so that an installation that
// refuses everybody fails as well.
func (l *ledger) owed(r *request) bool {
	f := r.flow
	if r.expect.class != proceeds || !r.right || r.deed.hostile || r.deed.busy {
		return false
	}
	p := l.people[f.whom]
	if r.deed.what != "password" && (!r.deed.proves() || p == nil) {
		return false
	}
	return p.status == flow.Active && !p.compromised && !p.ahead && (f.goal == flow.SignIn || f.goal == flow.StepUp) && l.falls(r, p.id) == ""
}
