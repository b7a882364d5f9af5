package flow

import (
	"slices"
	"time"
)

// Need is the first requirement that is not met. The zero value means that nothing is.
type Need uint8

// The needs, in the order in which a sign-in meets them.
const (
	NoNeed           Need = iota
	Identification        // which account it is about
	FirstFactor           // a first proof, of those that strangers are offered
	Address               // proof of the mailbox, by a mailed code or link
	Consent               // an approver's word
	Judgement             // the host's verdict on the risk
	Organisation          // a proof from the organisation's own identity provider
	SecondFactor          // a second, distinct factor
	DeviceCheck           // a mailed code, because the device is not trusted (login verification)
	FreshProof            // a proof that is fresh and strong enough for the target
	FreshPassword         // the present password, before it is replaced
	PasswordChange        // a new password
	NewFactor             // a new second factor
	Removal               // the word to remove a second factor or a link
	NewAddress            // the address to change to
	ExternalIdentity      // the external identity to connect
	Acceptance            // the handoff taken
	Completion            // the change that the goal is for
	Impossible            // nothing that the account has can meet what is due
)

var needNames = [...]string{
	"none", "identification", "first-factor", "address", "consent", "judgement", "organisation", "second-factor", "verification",
	"fresh-proof", "fresh-password", "new-password", "new-factor", "removal", "new-address", "external-identity", "acceptance", "completion", "impossible",
}

// String returns the need's stable code.
func (n Need) String() string { return needNames[min(int(n), len(needNames)-1)] }

// MarshalText returns the need's stable code.
func (n Need) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// unmet returns the first requirement of the policy that the facts do not meet. It is the only place that
// decides what is due; Next shows its answer and Step obeys it.
func unmet(p Policy, f Flow, now time.Time) Need {
	if f.Subject.Account == "" {
		return Identification
	}
	switch f.Goal {
	case SignIn:
		return unmetSignIn(p, f, now)
	case SignUp, Recovery, Activation, Reversal:
		return unmetByMail(p.Rules, f)
	case Handoff:
		return unmetHandoff(p, f, now)
	default:
		return unmetBySession(p, f, now)
	}
}

func unmetSignIn(p Policy, f Flow, now time.Time) Need {
	r := p.Rules
	level := AssuranceOf(f.Proofs)
	// Trust stands in for what one holds. It does not make a touch of a key that verifies nobody a whole sign-in.
	proven := factorsOf(f.Proofs)
	spared := r.TrustSparesFactor && trustOf(r, f) >= AAL2 && (proven.known || proven.both)
	enrolled := f.Subject.Enrolled.And(secondFactors) != 0
	switch {
	case !provesAny(f.Proofs, firstFactors):
		return FirstFactor
	case r.Risk && f.Verdict == RiskUnasked:
		return Judgement
	case r.Connection != "" && !provesConnection(f.Proofs, r.Connection):
		return Organisation
	case level < AAL2 && !spared && enrolled && r.SecondFactor != Never:
		return orImpossible(SecondFactor, p, f, now)
	case verificationDue(r, f, level):
		return DeviceCheck
	case f.Subject.Compromised && proves(f.Proofs, Password):
		return PasswordChange
	case level < AAL2 && !enrolled && r.SecondFactor == Always && newFactors(r, f.Proofs) == 0:
		return Impossible
	case level < AAL2 && !enrolled && r.SecondFactor == Always:
		return NewFactor // which trust does not spare: it stands in for a factor that is there
	}
	return NoNeed
}

// verificationDue applies S4: a code by mail after a password from an untrusted device, or whenever the
// host doubts. A second factor, a passkey or the organisation's word in the same sign-in takes its place.
func verificationDue(r Rules, f Flow, level Assurance) bool {
	if level >= AAL2 || provesAny(f.Proofs, MethodsOf(MailCode, Passkey, SSO)) {
		return false
	}
	if f.Verdict == RiskVerify {
		return true
	}
	if trustOf(r, f) != 0 {
		return false
	}
	if proves(f.Proofs, Password) {
		return r.Verification >= VerifyPassword
	}
	return r.Verification >= VerifyPasswordAndSocial
}

// trustOf returns the level that was reached when the person chose to trust this device, zero if it is not
// trusted or trust does not count here. It spares what the rules say and proves nothing.
func trustOf(r Rules, f Flow) Assurance {
	i := slices.IndexFunc(f.Proofs, func(p Proof) bool { return p.Method == TrustedDevice })
	if i < 0 || r.NoTrust {
		return 0
	}
	return f.Proofs[i].Upstream
}

// trustOffered reports whether the device may be trusted together with a proof of the method: with a code that
// is typed at sign-in, after a first proof. A recovery code is a way out of trouble and no start of a habit.
func trustOffered(r Rules, f Flow, m Method) bool {
	return !r.NoTrust && f.Goal == SignIn && f.Proven() && trusting.Has(m)
}

// unmetByMail serves the goals that begin in a mailbox. Mail opens the door to a new credential but is no
// factor: an account that has a second one is asked for it before its password changes (ASVS 6.4.3).
func unmetByMail(r Rules, f Flow) Need {
	switch {
	case !provesAny(f.Proofs, MethodsOf(MailCode, MailLink)):
		return Address
	case f.Changed:
		return NoNeed
	case f.Goal == Reversal:
		return Completion // nothing else may stand in the owner's way
	case f.Goal == Recovery && !Resettable(r, f.Subject):
		return unmetWithoutPassword(r, f)
	case f.Goal == Activation && r.Connection != "" && !provesConnection(f.Proofs, r.Connection):
		return Organisation
	case f.Goal == Activation && r.Connection != "":
		return Completion
	case f.Goal == Recovery && f.Subject.Enrolled.And(secondFactors) != 0 && !provesAny(f.Proofs, secondFactors.With(Approval)):
		return SecondFactor
	}
	return PasswordChange
}

// lost reports whether an approver's word stands in for the second factor of a recovery: the factors that nobody could
// show would only keep the person out at the next sign-in.
func lost(f Flow) bool {
	return f.Subject.Enrolled.And(secondFactors) != 0 && proves(f.Proofs, Approval) && !provesAny(f.Proofs, secondFactors)
}

// Resettable reports whether a new password would let the account's owner in. It would not where the
// organisation demands its own sign-in, and an account that is signed in to otherwise must not get a password
// by mail that it never had: the mailbox would become a way in beside the ones that its owner chose.
func Resettable(r Rules, s Subject) bool {
	return r.Connection == "" && (s.Enrolled.Has(Password) || s.Enrolled.And(firstFactors) == 0)
}

// unmetWithoutPassword is what a recovery can do for an account that a password does not open: if it was locked,
// somebody who knows its owner can have it reopened, and nothing else is changed.
func unmetWithoutPassword(r Rules, f Flow) Need {
	switch {
	case f.Subject.Status != Locked, !r.Approver:
		return Impossible
	case !proves(f.Proofs, Approval):
		return Consent
	}
	return Completion
}

func unmetHandoff(p Policy, f Flow, now time.Time) Need {
	if need := unmetTarget(p, f, f.Target, now); need != NoNeed {
		return need
	}
	if !f.Changed {
		return Acceptance
	}
	return NoNeed
}

func unmetBySession(p Policy, f Flow, now time.Time) Need {
	if f.Changed && f.Goal != StepUp {
		return NoNeed
	}
	// A session alone must not replace a password: the present one is asked for (ASVS 6.2.3).
	replaces := f.Goal == Enrolment && f.Target.Enrol == Password
	if replaces && f.Subject.Enrolled.Has(Password) && !proves(freshProofs(0, f.Proofs, now), Password) {
		return FreshPassword
	}
	target := effectiveTarget(p, f)
	if need := unmetTarget(p, f, target, now); need != NoNeed {
		return need
	}
	switch {
	case f.Goal == Linking && f.Target.Remove != "" && f.Target.Sole:
		return Impossible
	case f.Goal == Linking && f.Target.Remove != "":
		return Removal
	case f.Goal == Linking:
		return ExternalIdentity
	case replaces:
		return PasswordChange
	case f.changesAddress():
		return unmetAddress(f)
	case f.Goal == Enrolment:
		return unmetFactor(p.Rules, f)
	}
	return NoNeed
}

// unmetFactor keeps the account from losing the last factor that it must have, and from having recovery codes as
// its only factor: they are a way out, and whoever has nothing else would use them up one by one.
func unmetFactor(r Rules, f Flow) Need {
	codes := f.Target.Enrol == RecoveryCode
	switch {
	case f.Target.Remove != "" && (codes || f.Target.Sole || f.Target.Last && r.SecondFactor == Always):
		return Impossible
	case f.Target.Remove != "":
		return Removal
	case r.Unavailable.Has(f.Target.Enrol):
		return Impossible
	case codes && f.Subject.Enrolled.And(realFactors) == 0:
		return Impossible
	}
	return NewFactor
}

// unmetAddress lets a new address count only once somebody has read what was mailed there.
func unmetAddress(f Flow) Need {
	switch {
	case f.Candidate.Identifier == "":
		return NewAddress
	case !f.Candidate.Proven:
		return Address
	}
	return Completion
}

func (f Flow) changesAddress() bool { return f.Goal == Enrolment && f.Target.Enrol == MailCode }

// effectiveTarget is what the goal asks for: a change of credentials demands a fresh proof at the highest
// level the account can reach (ASVS 7.5.1), whatever the caller wanted.
func effectiveTarget(p Policy, f Flow) Target {
	if f.Target.Operation != (Operation{}) {
		return confirming(f.Target, f.Subject)
	}
	if f.Goal == StepUp || f.Goal == Handoff {
		return f.Target
	}
	return Target{Assurance: max(top(f.Subject), AAL1), MaxAge: p.Limits.Fresh}
}

func unmetTarget(p Policy, f Flow, t Target, now time.Time) Need {
	if t.Assurance == 0 && t.Methods == 0 {
		return NoNeed
	}
	fresh := freshProofs(t.MaxAge, f.Proofs, now)
	if p.Rules.Connection != "" && !provesConnection(fresh, p.Rules.Connection) {
		return Organisation // proving again who one is, is a sign-in that is due
	}
	if Meets(t, f.Proofs, now) {
		return NoNeed
	}
	if targetOptions(t, f, now) != 0 {
		return FreshProof
	}
	if f.Goal == StepUp && t.Assurance == AAL2 && AssuranceOf(fresh) == AAL1 && top(f.Subject) < AAL2 && t.Methods&^f.Subject.Enrolled == 0 && newFactors(p.Rules, fresh) != 0 {
		return NewFactor // the account has none that could; enrolling one is a step of the step-up
	}
	return Impossible
}

// newFactors returns the factors that would lift the proofs once enrolled. Recovery codes are a way out, not
// the factor that a policy demands.
func newFactors(r Rules, proofs []Proof) Methods {
	return raises(proofs, realFactors&^r.Unavailable, false)
}

// targetOptions returns the enrolled methods that bring the proofs closer to the target.
func targetOptions(t Target, f Flow, now time.Time) Methods {
	fresh := freshProofs(t.MaxAge, f.Proofs, now)
	var missing Methods
	for m := range t.Methods.And(f.Subject.repeatable()).each {
		if !proves(fresh, m) {
			missing = missing.With(m)
		}
	}
	if AssuranceOf(fresh) < t.Assurance {
		missing |= raises(fresh, f.Subject.repeatable(), f.Subject.VerifyingPasskey)
	}
	return missing.And(firstFactors | secondFactors)
}

func orImpossible(n Need, p Policy, f Flow, now time.Time) Need {
	if options(n, p, f, now) == 0 {
		return Impossible
	}
	return n
}

// options returns the methods that can meet a need that comes after the first proof.
func options(n Need, p Policy, f Flow, now time.Time) Methods {
	switch n {
	case SecondFactor:
		if f.Goal == Recovery {
			set := f.Subject.Enrolled.And(secondFactors)
			if p.Rules.Approver {
				set = set.With(Approval)
			}
			return set
		}
		set := secondFactors.With(Password).With(Social) // these two complete a passkey that verified nobody
		return raises(f.Proofs, f.Subject.Enrolled.And(set), f.Subject.VerifyingPasskey)
	case FreshProof:
		return targetOptions(effectiveTarget(p, f), f, now)
	case FreshPassword:
		return MethodsOf(Password)
	case DeviceCheck:
		return MethodsOf(MailCode)
	case Address:
		return MethodsOf(addressMethod(f.Goal))
	case Consent:
		return MethodsOf(Approval)
	}
	return 0
}

// mustVerify reports whether a passkey would be of no use unless it verified its user: it proves what is proven
// already, or nothing else that the account has reaches the level together with it. Where it would be of use all
// the same, verification is only asked for, and security keys that cannot serve as well.
func mustVerify(n Need, p Policy, f Flow, now time.Time) bool {
	proofs, level, others := f.Proofs, AAL2, f.Subject.Enrolled
	switch {
	case n == FreshProof:
		t := effectiveTarget(p, f)
		proofs, level, others = freshProofs(t.MaxAge, f.Proofs, now), t.Assurance, f.Subject.repeatable()
	case n != SecondFactor || f.Goal == Recovery:
		return false
	}
	present := factorsOf(proofs)
	all := present.with(Passkey, false, 0)
	idle := all.assurance() == present.assurance()
	for m := range (others &^ MethodsOf(Passkey)).each {
		all = all.with(m, false, 0)
	}
	return present.assurance() < level && (idle || all.assurance() < level)
}

// addressMethod is how a goal has a mailbox proven: by a code where the flow goes on in the same browser, by a
// link where it may be opened in another one.
func addressMethod(g Goal) Method {
	if g == SignUp || g == Enrolment {
		return MailCode
	}
	return MailLink
}
