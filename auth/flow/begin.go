package flow

import (
	"slices"
	"time"
)

func stepBegin(p Policy, f Flow, e Begin, now time.Time) (Flow, []Effect, error) {
	if f.Goal != 0 {
		return f, nil, &UnexpectedEventError{PhaseOf(p, f, now), e}
	}
	if refusal := refuseBegin(p, e); refusal != nil {
		return f, nil, refusal
	}
	r := &run{p: p, now: now}
	r.f = Flow{Goal: e.Goal, Target: e.Target, ReturnTo: e.ReturnTo, Begun: now, Touched: now, Choices: Choices{Keep: e.Keep}}
	r.tell(Audit{What: FlowBegun})
	if !e.Goal.ByStranger() {
		r.f.Acting, r.f.Subject, r.f.Known = e.Acting.Session, e.Acting.Subject, e.Acting.Known
		r.f.Typed = e.Acting.Typed
		r.f.Proofs = slices.Clone(e.Acting.Proofs)
		for i := range r.f.Proofs {
			r.f.Proofs[i].Inherited = true
		}
		r.trust(e.Acting.Trusted)
		r.advance()
	}
	return r.done()
}

// refuseBegin says why the flow cannot begin: a goal that strangers may not have, an account that is
// closed, a session whose proofs are of somebody else, a level that does not exist, an operation that cannot be
// shown.
func refuseBegin(p Policy, e Begin) *DeniedError {
	if e.Goal < SignIn || e.Goal > Reversal {
		return Deny(NotOffered)
	}
	if !confirmable(e.Goal, e.Target.Operation) {
		return Deny(NotOffered)
	}
	if e.Goal.ByStranger() {
		if e.Goal == SignUp && !p.Entry.SignUp {
			return Deny(NotOffered)
		}
		return nil // a Recovery may begin with a link that an operator had sent
	}
	a := e.Acting
	foreign := func(proof Proof) bool { return proof.Account != a.Subject.Account }
	switch {
	case a.Session == "" || a.Subject.Account == "" || a.Subject.Decoy:
		return Deny(SessionRequired)
	case a.Subject.Status != Active || slices.ContainsFunc(a.Proofs, foreign):
		return Deny(SessionRequired)
	case e.Target.Assurance > AAL2:
		return Deny(AssuranceShort)
	case e.Goal == Enrolment && !enrollable.Has(e.Target.Enrol):
		return Deny(NotOffered)
	case e.Target.Remove != "" && e.Target.Connection != "":
		return Deny(NotOffered)
	case e.Target.Remove != "" && !removable(e.Goal).Has(e.Target.Enrol):
		return Deny(NotOffered)
	}
	return nil
}

// removable are the methods of which the goal can remove one.
func removable(g Goal) Methods {
	switch g {
	case Enrolment:
		return secondFactors
	case Linking:
		return MethodsOf(Social, SSO)
	}
	return 0
}
