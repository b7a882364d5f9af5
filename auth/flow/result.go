package flow

import (
	"cmp"
	"time"
)

// stepResult applies the result of the awaited effect.
func stepResult(p Policy, f Flow, e Event, now time.Time) (Flow, []Effect, error) {
	r := &run{p: p, f: f, now: now}
	asked := f.await
	r.f.await = nil
	if !r.result(asked, e) {
		return f, nil, &UnexpectedEventError{Working, e}
	}
	return r.done()
}

// result pairs each effect with its answer and reports whether e is the answer to what was asked.
func (r *run) result(asked Effect, e Event) bool {
	switch asked := asked.(type) {
	case FindSubject:
		e, ok := e.(SubjectFound)
		return ok && r.found(asked, e)
	case TakeAttempt:
		e, ok := e.(AttemptTaken)
		return ok && r.attempted(asked, e)
	case CheckProof:
		e, ok := e.(ProofChecked)
		return ok && r.checked(asked, e)
	case AssessRisk:
		e, ok := e.(RiskAssessed)
		return ok && r.judged(e)
	case MakeChallenge:
		e, ok := e.(ChallengeMade)
		return ok && r.challenged(asked, e)
	case ReviewPassword:
		e, ok := e.(PasswordReviewed)
		return ok && r.reviewed(e)
	case Commit:
		return r.committed(asked, e)
	case IssueSession:
		return r.issued(asked, e)
	}
	return false
}

// found takes the subject over. For a claimed proof it must be the very account that the proof names.
func (r *run) found(asked FindSubject, e SubjectFound) bool {
	if e.Subject.Account == "" || asked.Account != "" && e.Subject.Account != asked.Account {
		return false
	}
	r.f.Subject, r.f.Known = e.Subject, e.Known
	r.trust(e.Trusted)
	claim, as := r.f.claim, r.f.as
	r.f.claim, r.f.as = Proof{}, Epochs{}
	if claim.Method != 0 && as != (Epochs{}) && as != e.Subject.Epochs {
		r.end(Stale)
		return true
	}
	if claim.Method != 0 {
		r.f.Identifier, r.f.Typed = "", e.Typed // what was typed was a hint, and perhaps somebody else's address
		r.accept(claim)
		return true
	}
	r.advance()
	return true
}

func (r *run) attempted(asked TakeAttempt, e AttemptTaken) bool {
	if e.Refusal.Reason != 0 {
		r.f.Last = e.Refusal
		r.tell(Audit{What: AttemptRefused, Method: asked.Method, Reason: e.Refusal.Reason})
		return true
	}
	r.ask(CheckProof{Method: asked.Method})
	return true
}

// checked decides whose proof it is. The typed address is only a hint: at sign-in, and before anything
// else was proven, a passkey or a provider names the account itself, and so does a mailed link when the
// flow begins with it. Everywhere else the proof must be of the subject.
func (r *run) checked(asked CheckProof, e ProofChecked) bool {
	if e.Failure.Reason != 0 {
		r.fail(asked.Method, e.Failure)
		return true
	}
	proof := e.Proof
	if proof.Method != asked.Method || asked.Connection != "" && proof.Connection != asked.Connection {
		return false
	}
	proof.At, proof.Inherited = r.now, false
	if proof.AuthTime.After(r.now) {
		proof.AuthTime = r.now // of a clock that is ahead, and it must not stay fresh for longer
	}
	if r.f.Goal == Linking && unmet(r.p, r.f, r.now) == ExternalIdentity {
		r.identity(proof)
		return true
	}
	switch {
	case proof.Method == MailCode && r.f.changesAddress():
		r.reached(proof)
	case proof.Account == "":
		r.fail(proof.Method, Refusal{Reason: NotConnected})
	case proof.Account == r.f.Subject.Account && !r.f.Subject.Decoy && r.silent(proof):
		r.fail(proof.Method, Refusal{Reason: NotRecent})
	case proof.Account == r.f.Subject.Account && !r.f.Subject.Decoy:
		r.accept(proof)
	case r.namesSubject(proof.Method):
		r.f.claim, r.f.as = proof, e.Epochs
		r.ask(FindSubject{Account: proof.Account})
	default:
		r.fail(proof.Method, Refusal{Reason: WrongPerson})
	}
	return true
}

// silent reports whether a provider let the person through without asking, where it was to ask.
func (r *run) silent(proof Proof) bool {
	fresh, age := anew(r.p, r.f, r.now)
	switch {
	case !fresh || !proof.Method.Redirects():
		return false
	case age == 0:
		return proof.AuthTime.Before(r.f.Challenge.At.Add(-clockSkew))
	}
	return !proof.within(age, r.now)
}

func (r *run) namesSubject(m Method) bool {
	if r.f.Proven() {
		return false
	}
	switch r.f.Goal {
	case SignIn:
		return MethodsOf(Passkey, Social, SSO).Has(m)
	case Recovery, Activation, Reversal:
		return m == MailLink
	}
	return false
}

// reached says that the code which was mailed to the new address came back. It proves that the address is
// read by whoever is there, and nothing of who that is: it is no proof of the account, and forgives no failures.
func (r *run) reached(proof Proof) {
	r.f.Candidate.Proven = true
	r.f.Challenge = Challenge{}
	r.tell(Audit{What: ProofPassed, Method: proof.Method})
	r.advance()
}

// identity handles the external identity of a Linking: it must belong to nobody, or to the person already.
func (r *run) identity(proof Proof) {
	r.f.Challenge = Challenge{}
	switch proof.Account {
	case "":
		r.ask(Commit{Change: LinkIdentity, Method: proof.Method})
	case r.f.Subject.Account:
		r.f.Changed = true
		r.advance()
	default:
		r.fail(proof.Method, Refusal{Reason: IdentityTaken})
	}
}

// accept adds a proof of the subject. A closed account is told apart only from whoever proved to own it
// by more than a password: to someone with a password it looks like a wrong one.
func (r *run) accept(proof Proof) {
	if r.f.Subject.Decoy || r.barred(r.f.Subject) {
		if proof.Method.Guessable() || r.f.Subject.Decoy {
			r.fail(proof.Method, Refusal{Reason: BadCredentials})
			return
		}
		r.end(AccountUnavailable)
		return
	}
	r.prove(proof)
	r.f.Challenge = Challenge{}
	r.tell(Audit{What: ProofPassed, Method: proof.Method})
	if proof.Method.Guessable() {
		r.tell(SettleAttempts{Method: proof.Method})
	}
	if proof.Method == RecoveryCode {
		r.tell(Notify{What: RecoveryCodeUsed, Method: RecoveryCode})
	}
	r.advance()
}

// prove adds a proof in the place of an older one of its kind. A passkey that did not verify its user takes
// nothing away from one that did.
func (r *run) prove(proof Proof) {
	r.f.Proofs = with(without(r.f.Proofs, func(old Proof) bool {
		return old.Method == proof.Method && old.Connection == proof.Connection && (proof.Verified || !old.Verified)
	}), proof)
}

// fail counts a refused proof. The flow ends when it has seen too many of them; the account's own
// counters, which outlive it, were charged by TakeAttempt.
func (r *run) fail(m Method, refusal Refusal) {
	r.tell(Audit{What: ProofFailed, Method: m, Reason: refusal.Reason})
	r.f.Last = refusal
	r.f.Failures++
	if m == MailCode {
		r.f.Challenge.Tries++
	} else if m.Redirects() || m == Passkey {
		r.f.Challenge = Challenge{} // a state or a ceremony serves once
	}
	if r.f.Failures >= r.p.Limits.Failures {
		r.end(TooManyAttempts)
	}
}

func (r *run) judged(e RiskAssessed) bool {
	switch e.Verdict {
	case RiskAllow, RiskVerify, RiskRefuse, RiskLock:
	default:
		return false
	}
	r.f.Verdict = e.Verdict
	r.tell(Audit{What: RiskJudged})
	switch e.Verdict {
	case RiskRefuse:
		r.end(SignInRefused)
	case RiskLock:
		r.ask(Commit{Change: LockAccount})
	default:
		r.advance()
	}
	return true
}

func (r *run) challenged(asked MakeChallenge, e ChallengeMade) bool {
	if e.Refusal.Reason != 0 {
		r.f.Last = e.Refusal
		return true
	}
	r.f.Challenge = Challenge{Method: asked.Method, Connection: asked.Connection, At: r.now}
	r.tell(Audit{What: ChallengeSent, Method: asked.Method})
	return true
}

func (r *run) reviewed(e PasswordReviewed) bool {
	if e.Refusal.Reason != 0 {
		r.f.Last = e.Refusal
		return true
	}
	change := r.commit()
	change.Method = Password
	r.ask(change)
	return true
}

// committed takes over what the change made true. A refused one leaves everything as it was; if the
// account changed meanwhile, the flow cannot go on.
func (r *run) committed(asked Commit, e Event) bool {
	switch e := e.(type) {
	case Committed:
		r.f.Subject.Epochs = e.Epochs
		r.tell(Audit{What: ChangeMade, Method: asked.Method})
		r.changed(asked, e.Verified)
		return true
	case CommitRefused:
		if e.Refusal.Reason == 0 {
			return false
		}
		r.tell(Audit{What: ChangeRefused, Method: asked.Method, Reason: e.Refusal.Reason})
		switch {
		case e.Refusal.Reason == Stale, asked.Change == LockAccount, asked.Change == UndoAddress:
			r.end(Stale)
		case asked.Change == ChangeAddress:
			r.f.Candidate = Candidate{} // the person names another one
			r.f.Last = e.Refusal
		case asked.Change == StoreFactor, asked.Change == LinkIdentity:
			r.fail(asked.Method, e.Refusal)
		default:
			r.f.Last = e.Refusal
		}
		return true
	}
	return false
}

func (r *run) changed(asked Commit, verified bool) {
	switch asked.Change {
	case LockAccount:
		r.tell(Notify{What: LockedOut})
		r.end(AccountLocked)
		return
	case StoreFactor:
		r.f.Subject.Enrolled = r.f.Subject.Enrolled.With(asked.Method)
		if asked.Method != RecoveryCode { // the new factor was shown to work; codes were only shown
			r.prove(Proof{Method: asked.Method, At: r.now, Account: r.f.Subject.Account, Verified: verified && asked.Method == Passkey})
			r.f.Challenge = Challenge{}
		}
		r.tell(Notify{What: FactorAdded, Method: asked.Method})
		r.f.Changed = r.f.Goal == Enrolment
	case RemoveFactor:
		r.tell(Notify{What: FactorRemoved, Method: asked.Method})
		r.f.Changed = true
	case LinkIdentity:
		r.tell(Notify{What: IdentityLinked, Method: asked.Method})
		r.f.Subject.Enrolled = r.f.Subject.Enrolled.With(asked.Method)
		r.f.Changed = true
	case UnlinkIdentity:
		r.tell(Notify{What: IdentityUnlinked, Method: asked.Method})
		r.f.Changed = true
	case ChangeAddress:
		r.f.Typed, r.f.Candidate = r.f.Candidate.Typed, Candidate{}
		r.tell(Notify{What: AddressChanged})
		r.f.Changed = true
	case UndoAddress:
		r.tell(Notify{What: AddressUndone})
		r.f.Changed = true
	case ReopenAccount:
		r.tell(Notify{What: Reopened})
		r.f.Changed = true
	default:
		if asked.Method == Password {
			r.f.Subject.Compromised = false
			r.f.Subject.Enrolled = r.f.Subject.Enrolled.With(Password)
		}
		if asked.Change == ReplacePassword || asked.Change == CompleteRecovery {
			r.tell(Notify{What: PasswordChanged, Method: Password})
		}
		r.forget(asked)
		r.f.Changed = r.f.Goal != SignIn
	}
	r.advance()
}

// forget takes over what a recovery removed beside the old password.
func (r *run) forget(asked Commit) {
	if asked.ForgetFactors {
		r.f.Subject.Enrolled &^= secondFactors
		r.f.Subject.VerifyingPasskey = false
		r.tell(Notify{What: FactorRemoved})
	}
	if asked.ForgetLinks && r.f.Subject.Enrolled.Has(Social) {
		r.f.Subject.Enrolled &^= MethodsOf(Social)
		r.f.Subject.Reauthenticates = false
		r.tell(Notify{What: IdentityUnlinked, Method: Social})
	}
}

func (r *run) issued(asked IssueSession, e Event) bool {
	switch e := e.(type) {
	case SessionIssued:
		r.f.Outcome = Granted
		r.tell(Audit{What: SessionGranted})
		if asked.Trust {
			r.tell(Notify{What: DeviceTrusted})
		}
		if r.f.Goal == SignIn {
			r.tell(SettleAttempts{All: true})
			if !r.f.Known {
				r.tell(Notify{What: NewDevice})
			}
		}
		return true
	case SessionRefused:
		r.end(cmp.Or(e.Reason, Stale))
		return true
	}
	return false
}
