package flow

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// The rules of this file are written a second time, from what they should be and not from the machine's
// code, so that a mistake in one of them shows against the other.

// checkState holds for every reachable state.
func checkState(m machine, w world, s state) error {
	f, p := s.f, w.policy
	if f.Failures > p.Limits.Failures {
		return fmt.Errorf("%d failures; at most %d", f.Failures, p.Limits.Failures)
	}
	if f.Failures == p.Limits.Failures && f.Outcome == Open {
		return errors.New("the flow goes on after its last failure")
	}
	view := m.next(p, f, s.now)
	over := s.now.Sub(f.Begun) >= p.Limits.Total || s.now.Sub(f.Touched) >= p.Limits.Idle
	if over && len(view.Actions) > 0 {
		return errors.New("an expired flow offers actions")
	}
	if f.Outcome == Open && !over && f.await == nil && len(view.Actions) == 0 {
		return errors.New("an open flow offers nothing")
	}
	late := m.next(p, f, f.Begun.Add(p.Limits.Total))
	if len(late.Actions) > 0 {
		return errors.New("the flow never ends")
	}
	for _, proof := range f.Proofs {
		if proof.Account != f.Subject.Account {
			return fmt.Errorf("a proof of %q in a flow about %q", proof.Account, f.Subject.Account)
		}
	}
	missing := unmet(p, f, s.now)
	for _, r := range w.others {
		other := p
		other.Rules = r
		if unmet(other, f, s.now) != missing {
			return fmt.Errorf("the goal looks at %+v", r)
		}
	}
	if f.Subject.Decoy && f.Proven() {
		return errors.New("something was proven of a decoy")
	}
	return nil
}

// checkStep holds for every step: proofs come from somewhere, and sessions only when everything is met.
func checkStep(w world, s state, e Event, next Flow, effects []Effect) error {
	for _, proof := range next.Proofs {
		if !slices.Contains(s.f.Proofs, proof) && !explained(w, s, e, proof) {
			return fmt.Errorf("the proof %+v comes from nowhere", proof)
		}
	}
	if err := checkFacts(w, s, e, next); err != nil {
		return err
	}
	for i, effect := range effects {
		asks := true
		switch effect.(type) {
		case SettleAttempts, Audit, Notify:
			asks = false
		}
		if asks && i != len(effects)-1 {
			return fmt.Errorf("%T asks for a result and is not the last effect", effect)
		}
		if issue, ok := effect.(IssueSession); ok {
			if err := mayIssue(w, s, next, issue); err != nil {
				return err
			}
		}
		if commit, ok := effect.(Commit); ok {
			if err := mayCommit(w, s, next, commit); err != nil {
				return err
			}
		}
		if challenge, ok := effect.(MakeChallenge); ok {
			if err := mayChallenge(w, state{next, s.now}, challenge); err != nil {
				return err
			}
		}
	}
	if err := checkForgotten(s, e, next, effects); err != nil {
		return err
	}
	verified := func(f Flow) bool {
		return slices.ContainsFunc(f.Proofs, func(p Proof) bool { return p.Method == Passkey && p.Verified })
	}
	if next.Outcome == Open && next.Subject.Account == s.f.Subject.Account && verified(s.f) && !verified(next) {
		return errors.New("a passkey that verified its user is forgotten for one that did not")
	}
	if next.Outcome == Granted && !(typeIs[SessionIssued](e) && typeIs[IssueSession](s.f.await)) {
		return errors.New("granted without a session")
	}
	return nil
}

// checkForgotten holds what the machine makes of a recovery that disconnected: nobody is offered what is gone, and the
// owner hears of it, of what was there alone.
func checkForgotten(s state, e Event, next Flow, effects []Effect) error {
	c, ok := s.f.await.(Commit)
	if !ok || !typeIs[Committed](e) || c.Change == UnlinkIdentity {
		return nil
	}
	before, after := s.f.Subject.Enrolled, next.Subject.Enrolled
	gone := c.ForgetLinks && before.Has(Social)
	switch {
	case before.Has(Social) && after.Has(Social) == gone:
		return errors.New("a disconnected identity counts on, or a connected one does not")
	case before.Has(SSO) && !after.Has(SSO):
		return errors.New("the organisation's sign-in is forgotten with the person's own")
	case slices.Contains(effects, Effect(Notify{What: IdentityUnlinked, Method: Social})) != gone:
		return errors.New("the owner is not told that an identity was disconnected, or of one that was not")
	}
	return nil
}

// mayChallenge says what a ceremony may be about. Which passkeys an account has is not for strangers, and only who
// adds one is let make one.
func mayChallenge(w world, s state, c MakeChallenge) error {
	f := s.f
	bySession := f.Goal == StepUp || f.Goal == Handoff || f.Goal == Enrolment
	linking := f.Goal == Linking && level(young(f.Proofs, w.policy.Limits.Fresh, s.now)) < 1
	switch {
	case c.Method.Redirects() && (bySession || linking) && !c.Fresh:
		return errors.New("a fresh proof is due, and the provider need not ask the person")
	case c.Fresh && !(bySession || f.Goal == Linking):
		return errors.New("a person who only signs in is asked anew by the provider")
	case c.Named && !f.Proven():
		return errors.New("a stranger is given the list of somebody's passkeys")
	case c.Method == Passkey && f.Proven() && !c.Named && !c.Enrols:
		return errors.New("anybody's passkey is asked for, though it is known who is there")
	case c.Enrols && (c.Method != Passkey || !f.Proven() || f.Goal != SignIn && f.Goal != StepUp && f.Target.Enrol != Passkey):
		return errors.New("a passkey is made that nobody is to add")
	}
	return nil
}

// checkFacts holds the subject against what the environment said: the machine must believe it, and must not
// go on from what was proven before the account changed.
func checkFacts(w world, s state, e Event, next Flow) error {
	for _, p := range next.Proofs {
		// Where only proofs of this very flow count, a provider must have seen the person since they left for it.
		now := !p.Inherited && p.Method.Redirects() && p.At.Equal(s.now) && !slices.Contains(s.f.Proofs, p)
		if now && (s.f.Goal == StepUp || s.f.Goal == Handoff) && w.target().MaxAge == 0 && w.target().Assurance != 0 && p.AuthTime.Before(s.f.Challenge.At.Add(-tick)) {
			return errors.New("a provider's silence is taken for a fresh proof")
		}
	}
	if c := next.Candidate; c.Proven && c != s.f.Candidate {
		checked, ok := e.(ProofChecked)
		asked, mailed := s.f.await.(CheckProof)
		if !ok || !mailed || checked.Failure.Reason != 0 || asked.Method != MailCode || c.Identifier != s.f.Candidate.Identifier {
			return errors.New("an address that nobody read the mail of")
		}
	}
	switch e := e.(type) {
	case ProofChecked:
		if next.claim.Method != 0 && next.as != e.Epochs {
			return errors.New("it is forgotten how the account stood that a proof names")
		}
	case SubjectFound:
		if s.f.as != (Epochs{}) && s.f.as != e.Subject.Epochs {
			if next.Outcome != Ended || next.Proven() {
				return errors.New("a proof from before a change of its account counts")
			}
			return nil
		}
		if next.Subject != e.Subject {
			return errors.New("the subject is not the one that was found")
		}
	case Resume:
		if expired(w.policy, s.f, s.now) {
			return nil // nothing follows
		}
		if next.Outcome == Open && next.Subject != e.Subject {
			return errors.New("the flow goes on with old facts")
		}
		if next.Outcome == Open && s.f.Proven() && e.Subject.Epochs.Security != s.f.Subject.Epochs.Security {
			return errors.New("the flow goes on with proofs from before a change")
		}
	}
	return nil
}

func typeIs[T any](v any) bool { _, ok := v.(T); return ok }

// explained reports whether the event is reason enough for the proof.
func explained(w world, s state, e Event, p Proof) bool {
	switch e := e.(type) {
	case Begin:
		q := p
		q.Inherited = false
		return p.Method == TrustedDevice && e.Acting.Trusted == p.Upstream || p.Inherited && slices.Contains(e.Acting.Proofs, q)
	case Resume:
		return p.Method == TrustedDevice && e.Trusted == p.Upstream && p.Account == e.Subject.Account
	case SubjectFound:
		claimed := p.Method == s.f.claim.Method && p.Account == s.f.claim.Account && p.Account == e.Subject.Account && p.At.Equal(s.now)
		return p.Method == TrustedDevice && e.Trusted == p.Upstream && !e.Subject.Decoy || claimed && !e.Subject.Decoy
	case ProofChecked:
		return e.Failure.Reason == 0 && p.Method == e.Proof.Method && p.Account == e.Proof.Account &&
			p.Connection == e.Proof.Connection && p.Verified == e.Proof.Verified && p.Upstream == e.Proof.Upstream &&
			p.At.Equal(s.now) && !p.Inherited && authTimeOf(s, e.Proof).Equal(p.AuthTime)
	case Committed:
		c, ok := s.f.await.(Commit)
		return ok && c.Change == StoreFactor && c.Method == p.Method && p.Method != RecoveryCode && p.At.Equal(s.now) &&
			p.Verified == (e.Verified && p.Method == Passkey)
	}
	return false
}

// authTimeOf is what is believed of when a provider authenticated the person: what it says, but not the future.
func authTimeOf(s state, p Proof) time.Time {
	if p.AuthTime.After(s.now) {
		return s.now
	}
	return p.AuthTime
}

// level is the assurance of proofs, counted the slow way.
func level(proofs []Proof) int {
	best := 0
	for i, a := range proofs {
		best = max(best, single(a))
		for _, b := range proofs[i+1:] {
			if knows(a) && holds(b) || holds(a) && knows(b) {
				best = 2
			}
		}
	}
	return best
}

func single(p Proof) int {
	switch {
	case p.Method == Passkey && p.Verified, (p.Method == Social || p.Method == SSO) && p.Upstream >= AAL2:
		return 2
	case knows(p), holds(p):
		return 1
	}
	return 0
}

func knows(p Proof) bool { return p.Method == Password || p.Method == Social || p.Method == SSO }

func holds(p Proof) bool {
	return p.Method == TOTP || p.Method == RecoveryCode || p.Method == Passkey || p.Method == HostFactor
}

func has(proofs []Proof, methods ...Method) bool {
	for _, p := range proofs {
		if slices.Contains(methods, p.Method) {
			return true
		}
	}
	return false
}

func ssoBy(proofs []Proof, connection string) bool {
	for _, p := range proofs {
		if p.Method == SSO && p.Connection == connection {
			return true
		}
	}
	return false
}

// mayIssue is the whole of what a session demands.
func mayIssue(w world, s state, f Flow, issue IssueSession) error {
	subject := f.Subject
	switch {
	case subject.Decoy || subject.Status != Active:
		return errors.New("a session for a decoy or a closed account")
	case issue.Account != subject.Account || issue.Epochs != subject.Epochs:
		return errors.New("a session for another account than the flow's")
	case int(issue.Assurance) != level(f.Proofs):
		return fmt.Errorf("a session of %s; the proofs reach %d", issue.Assurance, level(f.Proofs))
	}
	switch f.Goal {
	case SignIn:
		return mayEnter(w, f)
	case StepUp, Handoff:
		return errors.Join(mayConfirm(w, s, f), mayStepUp(w, s, f, w.target()))
	case Linking, Enrolment:
		if !f.Changed {
			return errors.New("the goal is not reached")
		}
		return nil
	}
	return fmt.Errorf("%s must not end in a session", f.Goal)
}

func mayEnter(w world, f Flow) error {
	r, proofs := w.policy.Rules, f.Proofs
	second := f.Subject.Enrolled&MethodsOf(TOTP, RecoveryCode, Passkey, HostFactor) != 0
	sole := !slices.ContainsFunc(proofs, func(p Proof) bool { return knows(p) || single(p) == 2 }) // a touch, and nothing that one knows
	spared := r.TrustSparesFactor && has(proofs, TrustedDevice) && second && !sole
	due := r.SecondFactor == Always || r.SecondFactor == IfEnrolled && second
	vouched := level(proofs) == 2 || has(proofs, Passkey, SSO, MailCode)
	doubted := f.Verdict == RiskVerify && !vouched
	unknown := !has(proofs, TrustedDevice) && !vouched
	switch {
	case !has(proofs, Password, Passkey, Social, SSO):
		return errors.New("no first factor")
	case r.Connection != "" && !ssoBy(proofs, r.Connection):
		return errors.New("the organisation's sign-in was skipped")
	case due && level(proofs) < 2 && !spared:
		return errors.New("the second factor was skipped")
	case r.Risk && f.Verdict != RiskAllow && f.Verdict != RiskVerify:
		return errors.New("the risk was not judged")
	case doubted:
		return errors.New("the host's doubt was ignored")
	case unknown && has(proofs, Password) && r.Verification != VerifyNever:
		return errors.New("login verification was skipped after a password")
	case unknown && has(proofs, Social) && r.Verification == VerifyPasswordAndSocial:
		return errors.New("login verification was skipped after a social sign-in")
	case f.Subject.Compromised && has(proofs, Password):
		return errors.New("a compromised password was not changed")
	case f.Acting != "":
		return errors.New("a sign-in replaces nobody's session")
	}
	return nil
}

// young keeps the proofs that a target counts.
func young(proofs []Proof, age time.Duration, now time.Time) []Proof {
	var list []Proof
	for _, p := range proofs {
		at := p.At
		if p.Method == Social || p.Method == SSO {
			at = p.AuthTime
		}
		switch {
		case at.IsZero():
		case age == 0 && !p.Inherited && p.At.Sub(at) < 11*time.Minute, age > 0 && now.Sub(at) <= age:
			list = append(list, p)
		}
	}
	return list
}

func mayStepUp(w world, s state, f Flow, t Target) error {
	fresh := young(f.Proofs, t.MaxAge, s.now)
	if level(fresh) < int(t.Assurance) {
		return errors.New("the target's assurance is not reached")
	}
	for _, m := range t.Methods.List() {
		if !has(fresh, m) {
			return fmt.Errorf("%s was not proven", m)
		}
	}
	asked := t.Assurance > 0 || t.Methods != 0
	if c := w.policy.Rules.Connection; asked && c != "" && !ssoBy(fresh, c) {
		return errors.New("the organisation's sign-in was skipped in a step-up")
	}
	if f.Acting == "" {
		return errors.New("a step-up without a session")
	}
	if f.Goal == Handoff && !f.Changed {
		return errors.New("the handoff was not accepted")
	}
	return nil
}

// mayCommit is what each change of an account demands.
func mayCommit(w world, s state, f Flow, c Commit) error {
	subject, r := f.Subject, w.policy.Rules
	mailed := has(f.Proofs, MailCode, MailLink)
	switch {
	case subject.Decoy:
		return errors.New("a change of a decoy")
	case f.Goal != SignUp && !f.Proven():
		return errors.New("a change before anything was proven")
	case c.ForgetLinks != (f.Goal == Recovery && c.Change == CompleteRecovery && c.Method == Password && subject.Status == Locked):
		return errors.New("a thief's connection outlives the reset that a lock makes due, or an owner's goes without one")
	}
	switch f.Goal {
	case SignIn:
		return mayChangeInSignIn(w, f, c)
	case StepUp:
		if c.Change != StoreFactor || level(young(f.Proofs, w.target().MaxAge, s.now)) < 1 {
			return errors.New("a change in a step-up without a fresh proof")
		}
		return nil
	case Recovery, Activation, SignUp, Reversal:
		wants := map[Goal]Change{Recovery: CompleteRecovery, Activation: CompleteActivation, SignUp: CreateAccount, Reversal: UndoAddress}
		if c.Change == ReopenAccount {
			return mayReopen(r, f)
		}
		switch {
		case c.Change != wants[f.Goal]:
			return fmt.Errorf("%s commits %s", f.Goal, c.Change)
		case !mailed:
			return errors.New("a credential by mail, and no mail was proven")
		case f.Goal == Recovery && r.Connection != "":
			return errors.New("a password reset in an organisation that demands SSO")
		case f.Goal == Recovery && subject.Enrolled&MethodsOf(Passkey, Social, SSO) != 0 && !subject.Enrolled.Has(Password):
			return errors.New("a password for an account that has none and other ways in")
		case f.Goal == Activation && r.Connection != "" && !ssoBy(f.Proofs, r.Connection):
			return errors.New("an activation past the organisation's sign-in")
		case f.Goal == Recovery && subject.Enrolled&MethodsOf(TOTP, RecoveryCode, Passkey, HostFactor) != 0 &&
			!has(f.Proofs, TOTP, RecoveryCode, Passkey, HostFactor, Approval):
			return errors.New("a reset past the second factor")
		case f.Goal == Recovery && subject.Status != Active && subject.Status != Locked,
			f.Goal == Activation && subject.Status != Invited:
			return errors.New("the account's standing forbids it")
		case c.ForgetFactors != (f.Goal == Recovery && has(f.Proofs, Approval) && subject.Enrolled&MethodsOf(TOTP, RecoveryCode, Passkey, HostFactor) != 0 &&
			!has(f.Proofs, TOTP, RecoveryCode, Passkey, HostFactor)):
			return errors.New("factors go that nobody vouched to be lost, or stay that are")
		}
		return nil
	case Linking, Enrolment:
		return mayChangeBySession(w, s, f, c)
	}
	return fmt.Errorf("%s must not change the account", f.Goal)
}

// mayReopen is what it takes to open a locked account that a new password would not open.
func mayReopen(r Rules, f Flow) error {
	passwordless := f.Subject.Enrolled&MethodsOf(Passkey, Social, SSO) != 0 && !f.Subject.Enrolled.Has(Password)
	switch {
	case f.Goal != Recovery || f.Subject.Status != Locked:
		return errors.New("a reopening of what is not locked")
	case !has(f.Proofs, MailLink) || !has(f.Proofs, Approval) || !r.Approver:
		return errors.New("a reopening without an approver's word")
	case !passwordless && r.Connection == "":
		return errors.New("a reopening without the reset that is due")
	}
	return nil
}

func mayChangeInSignIn(w world, f Flow, c Commit) error {
	r := w.policy.Rules
	if c.Change == LockAccount {
		if f.Verdict != RiskLock || !has(f.Proofs, Password, Passkey, Social, SSO) {
			return errors.New("a lock without a proof or a verdict")
		}
		return nil
	}
	calm := f
	calm.Subject.Compromised = false
	w.policy.Rules.SecondFactor = min(r.SecondFactor, IfEnrolled) // the factor is what is being enrolled
	if err := mayEnter(w, calm); err != nil {
		return fmt.Errorf("a change before the sign-in is otherwise complete: %w", err)
	}
	return nil
}

// mayChangeFactors is what adding and removing a second factor demands beside the proofs.
func mayChangeFactors(w world, f Flow, c Commit) error {
	t := f.Target
	switch {
	case (c.Change == RemoveFactor) != (f.Goal == Enrolment && t.Remove != ""),
		(c.Change == UnlinkIdentity) != (f.Goal == Linking && t.Remove != ""),
		(c.Change == LinkIdentity) != (f.Goal == Linking && t.Remove == ""):
		return fmt.Errorf("the target %+v commits %s", t, c.Change)
	case (c.Change == RemoveFactor || c.Change == UnlinkIdentity) && w.begin.Target.Sole:
		return errors.New("the last way in is gone")
	case c.Change == RemoveFactor && (t.Enrol == RecoveryCode || t.Last && w.policy.Rules.SecondFactor == Always):
		return errors.New("the last factor is gone, and the rules demand one")
	case c.Change == StoreFactor && c.Method == RecoveryCode && f.Subject.Enrolled&MethodsOf(TOTP, Passkey, HostFactor) == 0:
		return errors.New("recovery codes are the only factor")
	case (c.Change == StoreFactor || c.Change == RemoveFactor) && c.Method != t.Enrol:
		return fmt.Errorf("the target %+v changes %s", t, c.Method)
	}
	return nil
}

func mayChangeBySession(w world, s state, f Flow, c Commit) error {
	fresh := young(f.Proofs, w.policy.Limits.Fresh, s.now)
	var all []Proof
	for _, m := range f.Subject.Enrolled.List() {
		if m == Social && !f.Subject.Reauthenticates {
			continue // it cannot be proven afresh
		}
		all = append(all, Proof{Method: m, Verified: f.Subject.VerifyingPasskey})
	}
	address := f.Goal == Enrolment && f.Target.Enrol == MailCode
	if err := mayChangeFactors(w, f, c); err != nil {
		return err
	}
	switch {
	case address != (c.Change == ChangeAddress):
		return fmt.Errorf("the enrolment of %s commits %s", f.Target.Enrol, c.Change)
	case address && !(f.Candidate.Proven && f.Candidate.Identifier != ""):
		return errors.New("a change to an address that was not proven")
	case f.Subject.Status != Active || f.Acting == "":
		return errors.New("a change without a live session")
	case level(fresh) < max(level(all), 1):
		return errors.New("a change without fresh proof at the account's own level")
	case w.policy.Rules.Connection != "" && !ssoBy(fresh, w.policy.Rules.Connection):
		return errors.New("a change past the organisation's sign-in")
	case f.Goal == Enrolment && f.Target.Enrol == Password && f.Subject.Enrolled.Has(Password) && !has(young(f.Proofs, 0, s.now), Password):
		return errors.New("a password replaced without the present one")
	}
	return nil
}
