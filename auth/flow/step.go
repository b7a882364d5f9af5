package flow

import "time"

// Step applies e to f as of now. On an error the returned Flow equals f and there are no effects: a
// *[DeniedError] says that the event is not offered now, an *[UnexpectedEventError] that a result came that
// nothing asked for. At most the last effect asks for a result; the shell carries out the effects in order
// and calls Step with that result, in the same request. Step is pure and safe for concurrent use.
func Step(p Policy, f Flow, e Event, now time.Time) (Flow, []Effect, error) {
	if f.await != nil {
		return stepResult(p, f, e, now)
	}
	switch e := e.(type) {
	case Begin:
		return stepBegin(p, f, e, now)
	case Resume:
		return stepResume(p, f, e, now)
	case Spend:
		return stepSpend(p, f, e, now)
	case Identify, Submit, Ask, Depart, Return, NewPassword, Enrol, Remove, Move, Accept, Restart, Cancel:
		return stepPerson(p, f, e, now)
	}
	return f, nil, &UnexpectedEventError{PhaseOf(p, f, now), e}
}

// run is one Step in progress: the facts being changed and the effects so far.
type run struct {
	p       Policy
	f       Flow
	now     time.Time
	effects []Effect
}

func (r *run) tell(e Effect) {
	if r.effects == nil {
		r.effects = make([]Effect, 0, 4) // few steps have more
	}
	r.effects = append(r.effects, e)
}

// ask is the last effect of a step: the flow waits for its result.
func (r *run) ask(e Effect) {
	r.f.await = e
	r.tell(e)
}

func (r *run) done() (Flow, []Effect, error) { return r.f, r.effects, nil }

// end closes the flow without its goal.
func (r *run) end(reason Reason) {
	r.f.Outcome = Ended
	r.f.Last = Refusal{Reason: reason}
	r.tell(Audit{What: FlowEnded, Reason: reason})
}

// stepResume brings the subject up to date. Once something was proven, a change of the account's security
// epoch ends the flow: what was proven before a change of password or factor is not proof after it.
// Before that, the new facts are simply taken over; ending the flow would tell a stranger that there is
// an account whose owner just changed something.
func stepResume(p Policy, f Flow, e Resume, now time.Time) (Flow, []Effect, error) {
	if f.Goal == 0 || f.Subject.Account == "" {
		return f, nil, &UnexpectedEventError{PhaseOf(p, f, now), e}
	}
	if over(p, f, now) {
		return f, nil, nil
	}
	r := &run{p: p, f: f, now: now}
	old := f.Subject
	if f.Proven() && (e.Subject.Account != old.Account || e.Subject.Decoy != old.Decoy || e.Subject.Epochs.Security != old.Epochs.Security || r.barred(e.Subject)) {
		r.end(Stale)
		return r.done()
	}
	r.f.Subject, r.f.Known = e.Subject, e.Known
	r.trust(e.Trusted)
	return r.done()
}

// barred reports whether the goal is closed to an account of this standing.
func (r *run) barred(s Subject) bool {
	switch r.f.Goal {
	case SignUp, Reversal:
		return false // there is no account yet; and no closed account keeps an address that was stolen
	case Activation:
		return s.Status != Invited
	case Recovery:
		return s.Status != Active && s.Status != Locked
	}
	return s.Status != Active
}

// trust records whether this browser is trusted by the subject, and since which level.
func (r *run) trust(level Assurance) {
	r.f.Proofs = without(r.f.Proofs, func(p Proof) bool { return p.Method == TrustedDevice })
	if level != 0 && !r.f.Subject.Decoy {
		r.f.Proofs = with(r.f.Proofs, Proof{Method: TrustedDevice, At: r.now, Account: r.f.Subject.Account, Upstream: level})
	}
}

// stepPerson applies what the person did, if it is among the actions that Next offers.
func stepPerson(p Policy, f Flow, e Event, now time.Time) (Flow, []Effect, error) {
	phase, need := stand(p, f, now)
	switch phase {
	case New:
		return f, nil, &UnexpectedEventError{New, e}
	case Closed:
		return f, nil, closedRefusal(f)
	}
	if !offered(offers(make([]offer, 0, mostOffers), need, p, f, now), e) {
		return f, nil, Deny(NotOffered)
	}
	r := &run{p: p, f: f, now: now}
	r.f.Touched = now
	r.f.Last = Refusal{}
	switch e := e.(type) {
	case Identify:
		r.identify(e)
	case Submit:
		r.submit(e)
	case Ask:
		r.challenge(e.Method)
	case Depart:
		r.depart(e)
	case Return:
		r.ask(CheckProof(e))
	case NewPassword:
		r.f.Choices.EndOthers = e.EndOthers
		r.ask(ReviewPassword{})
	case Enrol:
		r.f.Choices.EndOthers = e.EndOthers
		r.ask(Commit{Change: StoreFactor, Method: e.Method, EndOthers: e.EndOthers})
	case Remove:
		r.f.Choices.EndOthers = e.EndOthers
		r.ask(r.removal(e))
	case Move:
		r.move(e)
	case Accept:
		r.f.Changed = true
		r.advance()
	case Restart:
		r.restart()
	case Cancel:
		r.end(Cancelled)
	}
	return r.done()
}

func closedRefusal(f Flow) *DeniedError {
	if f.Outcome == Open {
		return Deny(Expired)
	}
	return Deny(Stale)
}

func (r *run) identify(e Identify) {
	r.f.Identifier, r.f.Typed = e.Identifier, e.Typed
	r.f.Choices.Keep = e.Keep // the last word: the box is shown again, empty, after "not you?"
	r.ask(FindSubject{Identifier: e.Identifier})
}

// submit takes an attempt from the account's counters before a guess is looked at, so that parallel
// guesses cannot outrun the count. Whether to trust the device is said anew with each code: what was ticked
// beside a wrong one must not be granted with another, on a form that shows an empty box or none.
func (r *run) submit(e Submit) {
	r.f.Choices.Trust = e.Trust && trustOffered(r.p.Rules, r.f, e.Method)
	if asksToKeep(r.f) && e.Method == Passkey {
		r.f.Choices.Keep = e.Keep
	}
	if e.Method.Guessable() {
		r.ask(TakeAttempt{Method: e.Method})
		return
	}
	r.ask(CheckProof{Method: e.Method})
}

// challenge makes a new challenge unless the last mail is too recent (a mailbox must not be flooded). A passkey is
// asked for by name only once something was proven: the list of an account's credentials is not for strangers.
func (r *run) challenge(m Method) {
	if (m == MailCode || m == MailLink) && r.tooSoon(m) {
		return
	}
	c := MakeChallenge{Method: m}
	if m == Passkey {
		need := unmet(r.p, r.f, r.now)
		c.Enrols, c.Verify = need == NewFactor, mustVerify(need, r.p, r.f, r.now)
		c.Named = !c.Enrols && r.f.Proven()
	}
	r.ask(c)
}

func (r *run) tooSoon(m Method) bool {
	next := r.f.Challenge.At.Add(r.p.Limits.Resend)
	if r.f.Challenge.Method != m || !r.now.Before(next) {
		return false
	}
	r.f.Last = Refusal{Reason: TooSoon, RetryAt: next}
	return true
}

// depart sends the person to a provider. Where a fresh proof is due, being signed in there is not enough.
func (r *run) depart(e Depart) {
	c := MakeChallenge{Method: e.Method, Connection: e.Connection}
	c.Fresh, c.MaxAge = anew(r.p, r.f, r.now)
	r.ask(c)
}

// anew reports whether a provider must have authenticated the person for this, and how long ago at most. Zero is
// since they left for it.
func anew(p Policy, f Flow, now time.Time) (fresh bool, age time.Duration) {
	switch unmet(p, f, now) {
	case FreshProof:
	case Organisation:
		if f.Goal.ByStranger() {
			return false, 0
		}
	default:
		return false, 0
	}
	return true, effectiveTarget(p, f).MaxAge
}

func (r *run) removal(e Remove) Commit {
	c := Commit{Change: RemoveFactor, Method: r.f.Target.Enrol, EndOthers: e.EndOthers}
	if r.f.Goal == Linking {
		c.Change = UnlinkIdentity
	}
	return c
}

// move has a code mailed to the address that the account is to have. Another one can be named until the code
// comes back, as often as a mail may go out.
func (r *run) move(e Move) {
	if r.tooSoon(MailCode) {
		return
	}
	if e.Identifier != r.f.Candidate.Identifier {
		// The code that is out was read at another address. It must not prove this one if no letter may go out now.
		r.f.Challenge = Challenge{}
	}
	r.f.Candidate = Candidate{Identifier: e.Identifier, Typed: e.Typed}
	r.ask(MakeChallenge{Method: MailCode})
}

// restart forgets the account and what was ticked for it, but not the failures: going back must not buy new
// guesses, and the next person must not inherit "keep me signed in".
func (r *run) restart() {
	f := r.f
	r.f = Flow{
		Goal: f.Goal, Target: f.Target, ReturnTo: f.ReturnTo, Failures: f.Failures,
		Begun: f.Begun, Touched: r.now,
	}
}

// advance looks for what is due and asks for whatever needs no person: the host's verdict, the code that
// has to be mailed, the change that the goal is for, and, when nothing is unmet, the end of the flow.
func (r *run) advance() {
	switch unmet(r.p, r.f, r.now) {
	case NoNeed:
		r.finish()
	case Judgement:
		r.ask(AssessRisk{})
	case DeviceCheck:
		r.send(MailCode)
	case Address:
		r.send(addressMethod(r.f.Goal))
	case Completion:
		r.ask(r.commit())
	case ExternalIdentity:
		if r.f.Target.Connection != "" { // it was chosen when the flow began
			r.depart(Depart{Social, r.f.Target.Connection})
		}
	case Impossible:
		r.end(r.impossible())
	}
}

func (r *run) send(m Method) {
	if r.f.Challenge.Method != m || !r.f.Challenge.open(r.p, r.now) {
		r.ask(MakeChallenge{Method: m})
	}
}

func (r *run) impossible() Reason {
	switch {
	case r.f.Goal == Recovery && r.f.Subject.Status == Locked:
		return AccountLocked
	case r.f.Goal == Recovery && r.p.Rules.Connection != "":
		return OrganisationRequired
	case r.f.Goal == Recovery:
		return NoPassword
	case r.f.Target.Remove != "":
		return FactorRequired
	}
	return AssuranceShort
}

// finish is the one exit. Goals that begin in a mailbox never end in a session (ASVS 6.4.3); the others do.
func (r *run) finish() {
	if r.f.Goal.byMail() {
		r.f.Outcome = Completed
		r.tell(Audit{What: GoalReached})
		return
	}
	if r.f.Subject.Decoy || r.f.Subject.Status != Active {
		r.end(AccountUnavailable) // cannot be reached; stands here so that no later change can reach past it
		return
	}
	replaces := r.f.Acting
	if r.f.Goal == Handoff {
		replaces = "" // the session that hands over lives on beside the one on the other site
	}
	r.ask(IssueSession{
		Account: r.f.Subject.Account, Epochs: r.f.Subject.Epochs, Proofs: r.f.Proofs,
		Assurance: AssuranceOf(r.f.Proofs), Keep: r.f.Choices.Keep, Trust: r.trusts(), Replaces: replaces,
	})
}

// trusts reports whether the person chose to trust this browser and may: at sign-in, by a code that was right.
func (r *run) trusts() bool {
	return r.f.Choices.Trust && r.f.Goal == SignIn && !r.p.Rules.NoTrust && provesAny(r.f.Proofs, trusting)
}

// commit is the change that the goal is for.
func (r *run) commit() Commit {
	c := Commit{Change: ReplacePassword, EndOthers: r.f.Choices.EndOthers}
	switch r.f.Goal {
	case SignUp:
		c.Change = CreateAccount
	case Recovery:
		c.Change = ReopenAccount // of which nothing goes: an account without a password may have no other way in
		if Resettable(r.p.Rules, r.f.Subject) {
			c.Change, c.ForgetFactors, c.ForgetLinks = CompleteRecovery, lost(r.f), r.f.Subject.Status == Locked
		}
	case Activation:
		c.Change = CompleteActivation
	case Linking:
		c.Change = LinkIdentity
	case Reversal:
		c.Change = UndoAddress
	case Enrolment:
		if r.f.changesAddress() {
			c.Change = ChangeAddress
		}
	}
	return c
}
