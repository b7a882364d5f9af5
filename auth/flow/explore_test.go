package flow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// This file is the exploration's engine: it walks every reachable state of one world, which is a policy,
// a goal and an account, with an environment that may answer anything. What must hold is in
// invariant_test.go, the worlds are in worlds_test.go, the comparison of known and unknown addresses in
// pairwise_test.go.

// machine is what is explored: the real Step and Next, or one with a planted fault.
type machine struct {
	name string
	goal Goal // of a planted fault: where it must show
	step func(Policy, Flow, Event, time.Time) (Flow, []Effect, error)
	next func(Policy, Flow, time.Time) View
}

var realMachine = machine{name: "real", step: Step, next: Next}

// tick is the unit of time in the exploration. Limits are a few ticks, so that each boundary is met exactly.
const tick = time.Minute

var tinyLimits = Limits{
	Idle: 2 * tick, Total: 3 * tick, Challenge: tick, Resend: tick, Fresh: tick, Confirmation: tick, Failures: 2, Tries: 1,
}

// epoch is when every exploration begins.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// The accounts of every world: the one the flow should be about, and a stranger's own.
const (
	alice   = "alice"
	mallory = "mallory"
	decoy   = "decoy"
)

// world is what one exploration is about. The entry of its policy is not fixed: a stranger may meet any of
// entries at any step, which covers each of them, and a host that changes its mind, in one walk.
type world struct {
	policy  Policy
	entries []Entry
	others  []Rules // rules that differ in what the goal does not look at; checkState shows that it does not
	begin   Begin
	subject Subject   // alice's account, or a decoy
	trusted Assurance // the level that was reached when the device was trusted
	known   bool
}

// state is a node: the facts and the clock.
type state struct {
	f   Flow
	now time.Time
}

// key is a state with its times turned into ages and cut off where no limit can tell them apart, so that
// the walk closes. It is packed, since millions are kept.
type key [56]byte

// packer writes a key field by field.
type packer struct {
	k key
	n int
}

func (p *packer) put(fields ...uint8) {
	p.n += copy(p.k[p.n:p.n+len(fields)], fields) // panics if the key is too small
}

func (p *packer) flag(set ...bool) {
	var b uint8
	for i, s := range set {
		if s {
			b |= 1 << i
		}
	}
	p.put(b)
}

func ageOf(now, t time.Time, most int) uint8 { return uint8(min(int(now.Sub(t)/tick), most)) }

// name packs the few strings that the worlds use.
func name(s string) uint8 {
	return uint8(slices.Index([]string{"", alice, mallory, decoy, "c1", "c2", "p1", "s1"}, s))
}

func keyOf(s state) key {
	f, p := s.f, &packer{}
	p.put(uint8(f.Goal), uint8(f.Outcome))
	if f.Outcome != Open && !(f.Outcome == Granted && f.Target.Operation != Operation{}) {
		return p.k // nothing follows
	}
	sub, c, claim := f.Subject, f.Challenge, f.claim // epochs are left out: only a change matters, and Resume brings it
	p.put(name(sub.Account), uint8(sub.Status), uint8(sub.Enrolled), uint8(sub.Enrolled>>8))
	p.flag(sub.Decoy, sub.VerifyingPasskey, sub.Compromised, f.Changed, f.Identifier != "", f.Known, sub.Reauthenticates)
	p.put(uint8(f.Verdict), uint8(f.Failures), ageOf(s.now, f.Begun, 3), ageOf(s.now, f.Touched, 2))
	if c.Method != 0 {
		p.put(uint8(c.Method), name(c.Connection), uint8(c.Tries), 1+ageOf(s.now, c.At, 1))
	} else {
		p.put(0, 0, 0, 0)
	}
	p.flag(f.Candidate.Identifier != "", f.Candidate.Proven, f.Spent)
	p.put(packAwait(f.await)...)
	p.put(uint8(claim.Method), name(claim.Account), name(claim.Connection), uint8(claim.Upstream))
	p.flag(claim.Verified, f.as != Epochs{}, !claim.AuthTime.IsZero())
	proofs := slices.SortedFunc(slices.Values(f.Proofs), func(a, b Proof) int {
		return cmp.Or(int(a.Method)-int(b.Method), strings.Compare(a.Connection, b.Connection))
	})
	for _, proof := range proofs {
		bits := uint8(proof.Upstream)<<2 | name(proof.Connection)<<4
		if proof.Verified {
			bits |= 1
		}
		if proof.Inherited {
			bits |= 2
		}
		age := ageClass(s.now.Sub(proof.At))
		if f.Goal.ByStranger() {
			age = 0 // all proofs are the flow's own, and those count however old they are
		}
		if proof.Method.Redirects() && !f.Goal.ByStranger() { // what counts is when they were authenticated there
			age |= authAge(s.now, proof) << 4
		}
		p.put(uint8(proof.Method)<<4|name(proof.Account), bits, age)
	}
	return p.k
}

// authAge tells apart what a provider may have told of when it authenticated the person.
func authAge(now time.Time, p Proof) uint8 {
	if p.AuthTime.IsZero() {
		return 7
	}
	return ageClass(now.Sub(p.AuthTime))
}

// ageClass tells the ages of proofs apart that MaxAge and Fresh, a tick both, tell apart now or later.
func ageClass(age time.Duration) uint8 {
	class := uint8(min(int(age/tick), 2)) << 1
	if age%tick != 0 && class < 4 {
		class |= 1
	}
	return class
}

// packAwait is the awaited effect, without what follows from the facts.
func packAwait(e Effect) []uint8 {
	switch e := e.(type) {
	case FindSubject:
		return []uint8{1, 0, name(e.Account)}
	case TakeAttempt:
		return []uint8{2, uint8(e.Method), 0}
	case CheckProof:
		return []uint8{3, uint8(e.Method), name(e.Connection)}
	case AssessRisk:
		return []uint8{4, 0, 0}
	case MakeChallenge:
		return []uint8{5, uint8(e.Method), name(e.Connection)}
	case ReviewPassword:
		return []uint8{6, 0, 0}
	case Commit:
		return []uint8{7, uint8(e.Change), uint8(e.Method)}
	case IssueSession:
		return []uint8{8, 0, 0}
	}
	return []uint8{0, 0, 0}
}

// explorer walks one world after another and counts what it saw.
type explorer struct {
	m        machine
	states   int
	steps    int
	seen     map[key]struct{}
	queue    []state
	problem  error
	observed map[transition]struct{} // for the table in the package comment; nil to leave it
}

type transition struct {
	from  Phase
	event string
	to    Phase
}

// explore walks w to closure and returns the first invariant that does not hold.
func (x *explorer) explore(w world) error {
	clear(x.seen)
	x.queue, x.problem = x.queue[:0], nil
	x.try(w, w.policy, state{now: epoch}, w.begin)
	for len(x.queue) > 0 && x.problem == nil {
		s := x.queue[len(x.queue)-1]
		x.queue = x.queue[:len(x.queue)-1]
		x.visit(w, s)
	}
	if x.problem != nil {
		return fmt.Errorf("%s\nin world %+v", x.problem, w)
	}
	return nil
}

func (x *explorer) visit(w world, s state) {
	if err := checkState(x.m, w, s); err != nil {
		x.problem = err
		return
	}
	if s.f.await != nil {
		for _, e := range answers(w, s.f) {
			x.try(w, w.policy, s, e)
		}
		return
	}
	if w.begin.Target.Operation != (Operation{}) {
		x.spend(w, s)
	}
	if x.problem == nil && s.f.Outcome == Granted && s.f.Target.Operation != (Operation{}) {
		x.wait(w, s)
	}
	if x.problem != nil || s.f.Outcome != Open {
		return
	}
	var tried []Event
	for _, p := range w.policies(s) {
		for _, e := range personEvents(x.m.next(p, s.f, s.now)) {
			if !slices.Contains(tried, e) {
				tried = append(tried, e)
				x.try(w, p, s, e)
			}
		}
	}
	for _, e := range resumes(w, s.f) {
		x.try(w, w.policy, s, e)
	}
	x.wait(w, s)
}

// wait lets time go by, until nothing can happen any more.
func (x *explorer) wait(w world, s state) {
	if s.now.Sub(epoch) < w.policy.Limits.Total+tick {
		x.push(state{s.f, s.now.Add(tick)})
	}
}

// policies are the ones that a state may meet: with every entry as long as nothing was proven, since only
// then the machine looks at it.
func (w world) policies(s state) []Policy {
	if s.f.Proven() || len(w.entries) == 0 {
		return []Policy{w.policy}
	}
	var list []Policy
	for _, entry := range w.entries {
		p := w.policy
		p.Entry = entry
		list = append(list, p)
	}
	return list
}

// try takes one step, checks it and queues what follows.
func (x *explorer) try(w world, p Policy, s state, e Event) {
	x.steps++
	next, effects, err := x.m.step(p, s.f, e, s.now)
	if err == nil {
		err = checkStep(w, s, e, next, effects)
		if x.observed != nil {
			x.observed[transition{PhaseOf(p, s.f, s.now), eventName(e), PhaseOf(p, next, s.now)}] = struct{}{}
		}
	}
	if err != nil {
		x.problem = fmt.Errorf("%T%+v: %w\nflow: %+v\nnext: %+v", e, e, err, s.f, next)
		return
	}
	x.push(state{next, s.now})
}

func (x *explorer) push(s state) {
	k := keyOf(s)
	if _, seen := x.seen[k]; seen {
		return
	}
	x.seen[k] = struct{}{}
	x.states++
	x.queue = append(x.queue, s)
}

// personEvents are all events that the view offers, with each choice of connection.
func personEvents(v View) []Event {
	var events []Event
	for _, a := range v.Actions {
		switch e := a.Event(Choices{}, "p1").(type) {
		case Identify:
			events = append(events, Identify{Identifier: "alice@example.com", Typed: "Alice@example.com"})
		case Move:
			events = append(events, Move{Identifier: "new@example.com", Typed: "New@example.com"})
		default:
			events = append(events, e)
		}
	}
	return events
}

// resumes are what may have become of the subject between two requests.
func resumes(w world, f Flow) []Event {
	s := f.Subject
	if s.Account == "" {
		return nil
	}
	same := Resume{Subject: s, Known: w.known}
	if s.Decoy {
		return []Event{same}
	}
	if s.Account == alice {
		same.Trusted = w.trusted
	}
	changed, disabled := same, same
	changed.Subject.Epochs.Security++
	disabled.Subject.Epochs.Security++
	disabled.Subject.Status = Disabled
	return []Event{same, changed, disabled}
}

// answers are all results that the environment may give to the awaited effect.
func answers(w world, f Flow) []Event {
	switch asked := f.await.(type) {
	case FindSubject:
		return foundAnswers(w, asked)
	case TakeAttempt:
		return []Event{AttemptTaken{}, AttemptTaken{Refusal{Reason: TooManyAttempts}}}
	case CheckProof:
		return append(proofAnswers(w, f, asked), ProofChecked{Failure: Refusal{Reason: BadCredentials}})
	case AssessRisk:
		return []Event{RiskAssessed{RiskAllow}, RiskAssessed{RiskVerify}, RiskAssessed{RiskRefuse}, RiskAssessed{RiskLock}}
	case MakeChallenge:
		return []Event{ChallengeMade{}, ChallengeMade{Refusal{Reason: ProviderFailed}}}
	case ReviewPassword:
		return []Event{PasswordReviewed{}, PasswordReviewed{Refusal{Reason: PasswordRejected}}}
	case Commit:
		raised := f.Subject.Epochs
		raised.Security++
		list := []Event{Committed{Epochs: raised}, CommitRefused{Refusal{Reason: Stale}}, CommitRefused{Refusal{Reason: WrongCode}}}
		if asked.Change == StoreFactor {
			list = append(list, Committed{Epochs: raised, Verified: true}) // which must count for nothing but a passkey
		}
		return list
	case IssueSession:
		return []Event{SessionIssued{}, SessionRefused{}, SessionRefused{TooManySessions}}
	}
	return nil
}

func foundAnswers(w world, asked FindSubject) []Event {
	if asked.Account == mallory {
		return []Event{
			SubjectFound{Subject: Subject{Account: mallory, Status: Active, Enrolled: MethodsOf(Password, Social, Passkey, SSO)}},
			SubjectFound{Subject: Subject{Account: mallory, Decoy: true}},
		}
	}
	found := SubjectFound{Subject: w.subject, Known: w.known, Trusted: w.trusted}
	if w.subject.Decoy {
		found.Trusted = 0
	}
	return []Event{found}
}

// proofAnswers are the successes that are possible: of alice, if she has such a credential, of mallory's
// own where the proof itself says whose it is, and of an identity that nobody has connected.
func proofAnswers(w world, f Flow, asked CheckProof) []Event {
	base := Proof{Method: asked.Method, Connection: asked.Connection}
	var proofs []Proof
	enrolled := w.subject.Enrolled.Has(asked.Method) || MethodsOf(MailCode, MailLink, Approval).Has(asked.Method) || f.Subject.Enrolled.Has(asked.Method)
	named := MethodsOf(Passkey, Social, SSO, MailLink).Has(asked.Method)
	if enrolled && !w.subject.Decoy {
		for _, p := range variants(f, base) {
			p.Account = alice
			proofs = append(proofs, p)
		}
	}
	if named {
		p := base
		p.Account = mallory
		proofs = append(proofs, p)
	}
	if asked.Method.Redirects() {
		proofs = append(proofs, base)
	}
	var events []Event
	for _, p := range proofs {
		events = append(events, ProofChecked{Proof: p})
		if asked.Method == Passkey && p.Account != "" {
			events = append(events, ProofChecked{Proof: p, Epochs: Epochs{Security: 9}}) // and the account has changed when it is looked up
		}
	}
	return events
}

func variants(f Flow, p Proof) []Proof {
	strong := p
	switch p.Method {
	case Passkey:
		strong.Verified = true
	case Social, SSO:
		strong.Upstream = AAL2
		list := []Proof{p, strong}
		if f.Goal.ByStranger() {
			return list // where all proofs are the flow's own, and none has to be fresh
		}
		now := f.Touched
		for _, at := range []time.Time{now, now.Add(time.Hour), now.Add(-time.Hour)} { // as told by clocks that may be ahead
			p.AuthTime = at
			list = append(list, p)
		}
		return list
	default:
		return []Proof{p}
	}
	return []Proof{p, strong}
}

func eventName(e Event) string { return fmt.Sprintf("%T", e)[len("flow."):] }
