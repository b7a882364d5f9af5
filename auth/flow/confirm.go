package flow

import "time"

// A StepUp may be for one operation of the host's (ASVS 7.5.3): "Delete project Alpha". Then its granted facts are a
// confirmation, which is spent once, by whoever is about to do just that. Nothing else confirms anything: not the
// session that the StepUp ends in, however fresh it is, and not a StepUp that was for nothing in particular.

// Operation is an act of the host's, with what it is done to. The zero value is none.
type Operation struct {
	// Hash tells it from every other operation. The machine only compares it.
	Hash string `json:"hash,omitempty"`
	// Text is what the person reads while they prove who they are.
	Text string `json:"text,omitempty"`
}

// whole reports whether the operation can be shown and can be told from others. One that cannot be shown would be
// confirmed by somebody who does not know what it is.
func (o Operation) whole() bool { return o.Hash != "" && o.Text != "" }

// confirmable reports whether a flow of the goal may be for the operation.
func confirmable(g Goal, o Operation) bool {
	return o == Operation{} || g == StepUp && o.whole()
}

// confirming is what a confirmation takes: proofs made in this flow, since those that the session brought were made
// for something else, at the level that is asked for. Zero is the highest that the account can reach.
func confirming(t Target, s Subject) Target {
	if t.Assurance == 0 {
		t.Assurance = Top(s)
	}
	t.MaxAge, t.Operation = 0, Operation{}
	return t
}

// Top returns the highest level that the account can reach with what it has enrolled, at least AAL1. A provider that
// vouches for more shows that only when it does.
func Top(s Subject) Assurance { return max(top(s), AAL1) }

// stepSpend spends the confirmation. Whoever saves the flow that it returns, in the place of the one that was given,
// may do the operation; of two who spend it at once, one can save. It is refused with StepUpRequired, whatever is
// wrong, and then nothing is spent: a request for another operation must not use up what was confirmed for this one.
func stepSpend(p Policy, f Flow, e Spend, now time.Time) (Flow, []Effect, error) {
	if !confirms(p, f, e, now) {
		return f, nil, Deny(StepUpRequired)
	}
	r := &run{p: p, f: f, now: now}
	r.f.Spent = true
	r.tell(Audit{What: ConfirmationSpent})
	return r.done()
}

// confirms is the whole of what a confirmation demands when it is used. The account must stand exactly as it did when
// it was made: whoever changed a password or ended all sessions meanwhile had a reason, and asks again.
func confirms(p Policy, f Flow, e Spend, now time.Time) bool {
	was, is := f.Subject, e.Subject
	switch {
	case f.Goal != StepUp || f.Outcome != Granted || f.Spent:
		return false
	case !f.Target.Operation.whole() || f.Target.Operation.Hash != e.Operation:
		return false // what was confirmed for another operation is worth nothing for this one
	case is.Account != was.Account || is.Decoy || is.Status != Active || is.Epochs != was.Epochs:
		return false
	case now.Sub(f.Touched) >= p.Limits.Confirmation || now.Sub(f.Touched) < -clockSkew:
		return false
	}
	f.Subject = is
	asked := Target{Assurance: e.Assurance, Methods: f.Target.Methods}
	return unmetTarget(p, f, confirming(asked, is), now) == NoNeed
}
