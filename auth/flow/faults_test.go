package flow

import (
	"slices"
	"time"
)

// faults are machines with one mistake each, of the kind that a later change might make.
func faults() []machine {
	return append(confirmationFaults(), []machine{
		underPolicy("forgets the organisation's rule", SignIn, func(p *Policy, _ Flow) { p.Rules.Connection = "" }),
		underPolicy("forgets the second factor", SignIn, func(p *Policy, _ Flow) { p.Rules.SecondFactor = Never }),
		underPolicy("never verifies the device", SignIn, func(p *Policy, _ Flow) { p.Rules.Verification = VerifyNever }),
		underPolicy("lets trust spare the factor unasked", SignIn, func(p *Policy, _ Flow) { p.Rules.TrustSparesFactor = true }),
		underPolicy("does not ask about risk", SignIn, func(p *Policy, _ Flow) { p.Rules.Risk = false }),
		underPolicy("forgives endless failures", SignIn, func(p *Policy, _ Flow) { p.Limits.Failures = 99 }),
		underPolicy("keeps flows for ever", SignIn, func(p *Policy, _ Flow) { p.Limits.Idle, p.Limits.Total = 99*tick, 99*tick }),
		underPolicy("takes old proofs for fresh", Linking, func(p *Policy, _ Flow) { p.Limits.Fresh = 99 * tick }),
		onEvent("takes every account for active", SignIn, func(e Event) Event {
			if found, ok := e.(SubjectFound); ok {
				found.Subject.Status = Active
				return found
			}
			return e
		}),
		onEvent("lets a decoy prove something", SignIn, func(e Event) Event {
			if found, ok := e.(SubjectFound); ok {
				found.Subject.Decoy = false
				found.Subject.Status = Active
				return found
			}
			return e
		}),
		onEvent("forgets that a password is compromised", SignIn, func(e Event) Event {
			if found, ok := e.(SubjectFound); ok {
				found.Subject.Compromised = false
				return found
			}
			return e
		}),
		onStep("takes anybody's proof", SignIn, func(f *Flow, e Event) Event {
			if checked, ok := e.(ProofChecked); ok && checked.Failure.Reason == 0 && f.Subject.Account != "" && !f.Subject.Decoy {
				checked.Proof.Account = f.Subject.Account
				return checked
			}
			return e
		}),
		onStep("takes a failure for a success", SignIn, func(f *Flow, e Event) Event {
			if ask, ok := f.await.(CheckProof); ok && typeIs[ProofChecked](e) && !f.Subject.Decoy {
				return ProofChecked{Proof: Proof{Method: ask.Method, Connection: ask.Connection, Account: f.Subject.Account}}
			}
			return e
		}),
		onStep("does not see that the account was closed meanwhile", SignIn, func(f *Flow, e Event) Event {
			if resume, ok := e.(Resume); ok {
				resume.Subject.Epochs, resume.Subject.Status = f.Subject.Epochs, f.Subject.Status
				return resume
			}
			return e
		}),
		afterStep("keeps proofs when the person starts over", SignIn, func(before Flow, e Event, f Flow, effects []Effect) (Flow, []Effect) {
			if typeIs[Restart](e) {
				f.Proofs = slices.Clone(before.Proofs)
			}
			return f, effects
		}),
		afterStep("takes a session's old proofs for new", StepUp, func(_ Flow, _ Event, f Flow, effects []Effect) (Flow, []Effect) {
			f.Proofs = slices.Clone(f.Proofs)
			for i := range f.Proofs {
				f.Proofs[i].Inherited = false
			}
			return f, effects
		}),
		afterStep("issues on the first proof", SignIn, func(_ Flow, e Event, f Flow, effects []Effect) (Flow, []Effect) {
			if checked, ok := e.(ProofChecked); ok && checked.Failure.Reason == 0 && f.Outcome == Open && f.Proven() {
				f.await = IssueSession{Account: f.Subject.Account, Epochs: f.Subject.Epochs, Assurance: AssuranceOf(f.Proofs)}
				return f, []Effect{f.await}
			}
			return f, effects
		}),
		afterStep("takes a code of the old address for the new one", Enrolment, func(before Flow, e Event, f Flow, effects []Effect) (Flow, []Effect) {
			if typeIs[Move](e) && before.Candidate.Identifier == "" {
				f.Candidate.Proven = true
			}
			return f, effects
		}),
		afterStep("changes the address on the session alone", Enrolment, func(_ Flow, e Event, f Flow, effects []Effect) (Flow, []Effect) {
			if typeIs[ChallengeMade](e) && f.Candidate.Identifier != "" && f.await == nil {
				f.await = Commit{Change: ChangeAddress}
				return f, []Effect{f.await}
			}
			return f, effects
		}),
		afterStep("lets an undone change end in a session", Reversal, func(_ Flow, e Event, f Flow, effects []Effect) (Flow, []Effect) {
			if typeIs[Committed](e) && f.Outcome == Completed {
				f.Outcome = Open
				f.await = IssueSession{Account: f.Subject.Account, Epochs: f.Subject.Epochs, Assurance: AssuranceOf(f.Proofs)}
				return f, []Effect{f.await}
			}
			return f, effects
		}),
		onEvent("lets a passkey in that was removed in the same moment", SignIn, func(e Event) Event {
			if checked, ok := e.(ProofChecked); ok {
				checked.Epochs = Epochs{}
				return checked
			}
			return e
		}),
		afterStep("takes a touch on a trusted device for a sign-in", SignIn, func(_ Flow, e Event, f Flow, effects []Effect) (Flow, []Effect) {
			checked, ok := e.(SubjectFound)
			if ok && f.Outcome == Open && f.await == nil && has(f.Proofs, Passkey) && has(f.Proofs, TrustedDevice) && checked.Subject.Status == Active {
				f.await = IssueSession{Account: f.Subject.Account, Epochs: f.Subject.Epochs, Proofs: f.Proofs, Assurance: AssuranceOf(f.Proofs)}
				return f, []Effect{f.await}
			}
			return f, effects
		}),
		afterStep("names somebody's passkeys to a stranger", SignIn, func(_ Flow, e Event, f Flow, effects []Effect) (Flow, []Effect) {
			if challenge, ok := f.await.(MakeChallenge); ok && challenge.Method == Passkey {
				challenge.Named = true
				f.await = challenge
				return f, []Effect{challenge}
			}
			return f, effects
		}),
		afterStep("lets a new passkey take the place of a better one", Enrolment, func(_ Flow, e Event, f Flow, effects []Effect) (Flow, []Effect) {
			if typeIs[Committed](e) && f.Target.Enrol == Passkey {
				f.Proofs = slices.DeleteFunc(slices.Clone(f.Proofs), func(p Proof) bool { return p.Verified })
			}
			return f, effects
		}),
		afterStep("takes every new factor for a passkey that verified its user", Enrolment, func(before Flow, e Event, f Flow, effects []Effect) (Flow, []Effect) {
			if committed, ok := e.(Committed); ok && committed.Verified && len(f.Proofs) > 0 && f.Target.Enrol == TOTP {
				f.Proofs = slices.Clone(f.Proofs)
				f.Proofs[len(f.Proofs)-1].Verified = true
			}
			return f, effects
		}),
		underPolicy("lets the last factor go that the rules demand", Enrolment, func(p *Policy, _ Flow) { p.Rules.SecondFactor = Never }),
		underPolicy("reopens without an approver", Recovery, func(p *Policy, _ Flow) { p.Rules.Approver = true }),
		afterStep("removes factors on the mail alone", Recovery, func(_ Flow, _ Event, f Flow, effects []Effect) (Flow, []Effect) {
			if commit, ok := f.await.(Commit); ok && !has(f.Proofs, Approval) {
				commit.ForgetFactors = true
				f.await = commit
				return f, []Effect{commit}
			}
			return f, effects
		}),
		onCommit("leaves a thief's connection in an account that was locked", Recovery, func(c *Commit) { c.ForgetLinks = false }),
		onCommit("disconnects at every recovery", Recovery, func(c *Commit) { c.ForgetLinks = true }),
		afterStep("tells nobody that it disconnected", Recovery, func(_ Flow, _ Event, f Flow, effects []Effect) (Flow, []Effect) {
			return f, slices.DeleteFunc(effects, func(e Effect) bool { return e == Notify{What: IdentityUnlinked, Method: Social} })
		}),
		onEvent("believes every provider that it asked the person", StepUp, func(e Event) Event {
			if checked, ok := e.(ProofChecked); ok && checked.Proof.Method.Redirects() {
				checked.Proof.AuthTime = epoch.Add(time.Hour)
				return checked
			}
			return e
		}),
		afterStep("does not ask a provider to ask the person", Enrolment, func(_ Flow, _ Event, f Flow, effects []Effect) (Flow, []Effect) {
			if challenge, ok := f.await.(MakeChallenge); ok && challenge.Method.Redirects() {
				challenge.Fresh = false
				f.await = challenge
				return f, []Effect{challenge}
			}
			return f, effects
		}),
		onStep("lets the last way in go", Linking, func(f *Flow, e Event) Event {
			f.Target.Sole = false
			return e
		}),
		afterStep("connects for whoever comes back", Linking, func(_ Flow, e Event, f Flow, effects []Effect) (Flow, []Effect) {
			if checked, ok := e.(ProofChecked); ok && checked.Failure.Reason == 0 && f.Outcome == Open && f.await == nil {
				f.await = Commit{Change: LinkIdentity, Method: Social}
				return f, []Effect{f.await}
			}
			return f, effects
		}),
		onStep("gives passwords to accounts that have none", Recovery, func(f *Flow, e Event) Event {
			if found, ok := e.(SubjectFound); ok {
				found.Subject.Enrolled = found.Subject.Enrolled.With(Password)
				return found
			}
			return e
		}),
		afterStep("resets a password on the mail alone", Recovery, func(_ Flow, e Event, f Flow, effects []Effect) (Flow, []Effect) {
			if f.Goal == Recovery && f.Outcome == Open && has(f.Proofs, MailLink) && f.await == nil {
				f.await = Commit{Change: CompleteRecovery, Method: Password}
				return f, []Effect{f.await}
			}
			return f, effects
		}),
	}...)
}

func underPolicy(name string, goal Goal, bend func(*Policy, Flow)) machine {
	return machine{
		name: name, goal: goal,
		step: func(p Policy, f Flow, e Event, now time.Time) (Flow, []Effect, error) {
			bend(&p, f)
			return Step(p, f, e, now)
		},
		next: func(p Policy, f Flow, now time.Time) View {
			bend(&p, f)
			return Next(p, f, now)
		},
	}
}

func onEvent(name string, goal Goal, bend func(Event) Event) machine {
	return onStep(name, goal, func(_ *Flow, e Event) Event { return bend(e) })
}

func onStep(name string, goal Goal, bend func(*Flow, Event) Event) machine {
	return machine{name: name, goal: goal, next: Next, step: func(p Policy, f Flow, e Event, now time.Time) (Flow, []Effect, error) {
		bent := f
		e = bend(&bent, e)
		return Step(p, bent, e, now)
	}}
}

func afterStep(name string, goal Goal, bend func(Flow, Event, Flow, []Effect) (Flow, []Effect)) machine {
	return machine{name: name, goal: goal, next: Next, step: func(p Policy, f Flow, e Event, now time.Time) (Flow, []Effect, error) {
		next, effects, err := Step(p, f, e, now)
		if err != nil {
			return next, effects, err
		}
		next, effects = bend(f, e, next, effects)
		return next, effects, nil
	}}
}

func onCommit(name string, goal Goal, bend func(*Commit)) machine {
	return afterStep(name, goal, func(_ Flow, _ Event, f Flow, effects []Effect) (Flow, []Effect) {
		commit, ok := f.await.(Commit)
		if !ok {
			return f, effects
		}
		bend(&commit)
		f.await = commit
		return f, []Effect{commit}
	})
}
