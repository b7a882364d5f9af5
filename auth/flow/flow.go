// Package flow is the login as a pure function: what may happen next, and what follows from it.
//
// A [Flow] holds facts only: its goal, the account it is about, what has been proven and when. The next
// step is never stored; it is computed as the first requirement of the [Policy] that the facts do not
// meet. [Step] applies one [Event] and returns the new facts with the [Effect]s to carry out; [Next] says
// what may come next. The caller (the shell, auth.Service) owns the clock, the stores and every secret;
// it carries out the effects and hands their results back as events.
//
// What this package guarantees, and its exploration shows for every policy, kind of account and order of
// events:
//
//   - [IssueSession] comes from one place, and only when nothing is unmet;
//   - no session for an account that is invited, disabled or locked, nor for a decoy;
//   - every proof that counts is of the account that the session is for;
//   - an organisation's sign-in rule holds on every path;
//   - what was confirmed serves once, for that operation and for nothing else;
//   - a trusted device spares what the rules say it spares, at sign-in alone, and proves nothing;
//   - before a first proof, nothing that [Next] returns or Step asks for depends on the account;
//   - every path ends, and refused proofs are bounded.
//
// What it does not do: it keeps no counters that outlive a flow (TakeAttempt asks for them), it does not
// know what a password is, and it does not tell the time.
//
// # Transitions
//
// A phase is computed as well. The table lists, for each phase, the events that are accepted in it and
// the phases that can follow. Whatever is not in it is refused and changes nothing.
//
//	new          Begin             identifying proving providing working closed
//	identifying  Ask               working
//	identifying  Cancel            closed
//	identifying  Depart            working
//	identifying  Identify          working
//	identifying  Return            working
//	identifying  Submit            working
//	proving      Ask               proving working
//	proving      Cancel            closed
//	proving      Depart            working
//	proving      Move              proving working
//	proving      Restart           identifying
//	proving      Resume            proving closed
//	proving      Return            working
//	proving      Submit            working
//	providing    Accept            working
//	providing    Ask               working
//	providing    Cancel            closed
//	providing    Depart            working
//	providing    Enrol             working
//	providing    Move              working
//	providing    NewPassword       working
//	providing    Remove            working
//	providing    Restart           identifying
//	providing    Resume            providing closed
//	providing    Return            working
//	working      AttemptTaken      proving working
//	working      ChallengeMade     identifying proving providing
//	working      CommitRefused     proving providing closed
//	working      Committed         working closed
//	working      PasswordReviewed  providing working
//	working      ProofChecked      identifying proving providing working closed
//	working      RiskAssessed      proving providing working closed
//	working      SessionIssued     closed
//	working      SessionRefused    closed
//	working      SubjectFound      proving providing working closed
//	closed       Resume            closed
//	closed       Spend             closed
package flow

import (
	"slices"
	"time"
)

// Flow is the facts of one flow. The zero value has not begun. A Flow is a value: Step never changes the
// one it is given. It holds no secret, but it does hold an address.
type Flow struct {
	Goal       Goal      `json:"goal"`
	Target     Target    `json:"target,omitzero"`
	Acting     string    `json:"acting,omitempty"` // the session that began it
	Identifier string    `json:"identifier,omitempty"`
	Typed      string    `json:"typed,omitempty"`
	Subject    Subject   `json:"subject,omitzero"`
	Known      bool      `json:"known,omitempty"`
	Proofs     []Proof   `json:"proofs,omitempty"` // flows share a list, so it is never changed in place
	Challenge  Challenge `json:"challenge,omitzero"`
	Candidate  Candidate `json:"candidate,omitzero"`
	Verdict    Verdict   `json:"verdict,omitempty"`
	Choices    Choices   `json:"choices,omitzero"`
	ReturnTo   string    `json:"return_to,omitempty"`
	Failures   int       `json:"failures,omitempty"`
	Changed    bool      `json:"changed,omitempty"` // the goal's change, or its acceptance, is done
	Last       Refusal   `json:"last,omitzero"`     // why the last try was refused
	Outcome    Outcome   `json:"outcome,omitempty"`
	Spent      bool      `json:"spent,omitempty"` // the confirmation that it was granted as was used
	Begun      time.Time `json:"begun"`
	Touched    time.Time `json:"touched"`

	await Effect // the effect whose result is due; never stored, since no request ends while one is
	claim Proof  // a proof whose account is being looked up
	as    Epochs // that the account had then; zero if they are not known
}

// Challenge is what is out with the person: a mailed code, a ceremony, a stay at a provider. The zero
// value is none.
type Challenge struct {
	Method     Method    `json:"method,omitzero"`
	Connection string    `json:"connection,omitempty"`
	At         time.Time `json:"at,omitzero"`
	Tries      int       `json:"tries,omitempty"`
}

// Candidate is the address that an account is about to have. The zero value is none.
type Candidate struct {
	Identifier string `json:"identifier,omitempty"`
	Typed      string `json:"typed,omitempty"`
	Proven     bool   `json:"proven,omitempty"` // the code that was mailed there came back
}

// Outcome is how a flow ended. The zero value is open.
type Outcome uint8

// The outcomes.
const (
	Open      Outcome = iota
	Granted           // a session was issued
	Completed         // the goal is reached, and it yields no session
	Ended             // it leads nowhere: Last says why
)

// Phase sums up where a flow stands. It is computed, never stored.
type Phase uint8

// The phases.
const (
	New         Phase = iota // not begun
	Identifying              // the account is not known yet
	Proving                  // a proof is due
	Providing                // something else is due: a new password, a factor, a handoff's acceptance
	Working                  // an effect's result is due
	Closed                   // granted, completed or ended
)

var phaseNames = [...]string{"new", "identifying", "proving", "providing", "working", "closed"}

// String returns the phase's stable code.
func (p Phase) String() string { return phaseNames[min(int(p), len(phaseNames)-1)] }

// MarshalText returns the phase's stable code.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// PhaseOf returns where the flow stands under the policy.
func PhaseOf(p Policy, f Flow, now time.Time) Phase {
	phase, _ := stand(p, f, now)
	return phase
}

// stand returns where the flow stands, and what is unmet if it has begun and is not over.
func stand(p Policy, f Flow, now time.Time) (Phase, Need) {
	switch {
	case f.Goal == 0:
		return New, NoNeed
	case over(p, f, now):
		return Closed, NoNeed
	}
	need := unmet(p, f, now)
	if f.await != nil {
		return Working, need
	}
	switch need {
	case Identification:
		return Identifying, need
	case PasswordChange, NewFactor, Removal, NewAddress, ExternalIdentity, Acceptance:
		return Providing, need
	}
	return Proving, need
}

func over(p Policy, f Flow, now time.Time) bool { return f.Outcome != Open || expired(p, f, now) }

// expired reports whether the flow waited too long after its last step or took too long in all. A clock that
// was set back to before the flow began ends it too: it must not buy time.
func expired(p Policy, f Flow, now time.Time) bool {
	return now.Sub(f.Touched) >= p.Limits.Idle || now.Sub(f.Begun) >= p.Limits.Total || now.Sub(f.Begun) < -clockSkew
}

func (c Challenge) open(p Policy, now time.Time) bool {
	return c.Method != 0 && now.Sub(c.At) < p.Limits.Challenge && c.Tries < p.Limits.Tries
}

// Proven reports whether anything was proven in the flow or brought by its session. A trusted device
// proves nothing by itself. Until then the account must leave no trace in what a stranger sees.
func (f Flow) Proven() bool {
	return slices.ContainsFunc(f.Proofs, func(p Proof) bool { return p.Method != TrustedDevice })
}
