package flow

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// provenSets are proofs of alice, up to two of different methods.
func provenSets() [][]Proof {
	sets := [][]Proof{nil}
	for _, m := range MethodsOf(Password, MailCode, MailLink, TOTP, RecoveryCode, Passkey, HostFactor, Social, SSO).List() {
		for _, set := range sets {
			if len(set) < 2 {
				p := Proof{Method: m, At: epoch, Account: alice, Connection: connectionOf(m)}
				sets = append(sets, append(slices.Clone(set), p))
			}
		}
	}
	return sets
}

func trustedAt(level Assurance, proofs []Proof) []Proof {
	return append(slices.Clone(proofs), Proof{Method: TrustedDevice, At: epoch, Account: alice, Upstream: level})
}

// eachStand calls back for every policy, account, verdict and set of proofs under a goal.
func eachStand(goal Goal, yield func(r Rules, f Flow)) {
	for _, r := range rules() {
		for _, subject := range kinds() {
			if subject.Decoy || subject.Status != Active {
				continue // nothing is proven of them
			}
			for _, proofs := range provenSets() {
				f := Flow{Goal: goal, Subject: subject, Proofs: proofs, Begun: epoch, Touched: epoch, Target: Target{Assurance: AAL2, MaxAge: tick}}
				yield(r, f)
				if goal == SignIn { // the only one that is judged
					for _, f.Verdict = range []Verdict{RiskAllow, RiskVerify} {
						yield(r, f)
					}
				}
			}
		}
	}
}

// needUnder is what is due if the device was trusted at the level; zero is not at all.
func needUnder(r Rules, f Flow, level Assurance) Need {
	if level != 0 {
		f.Proofs = trustedAt(level, f.Proofs)
	}
	return unmet(Policy{Entry: Entry{Methods: firstFactors}, Rules: r, Limits: tinyLimits}, f, epoch)
}

// TestTrustSparesWhatItSays holds what is due with trust against what is due without, for every policy, account
// and set of proofs. Trust stands in for the mailed code, and for a factor only where the policy says so and the
// person had proven one; it never stands in for anything else, nor under another goal.
func TestTrustSparesWhatItSays(t *testing.T) {
	spares := map[Need]int{}
	eachStand(SignIn, func(r Rules, f Flow) {
		without := needUnder(r, f, 0)
		refused, plain := r, r
		refused.NoTrust, plain.TrustSparesFactor = true, false
		mailed, proven := needUnder(r, f, AAL1), needUnder(r, f, AAL2)
		switch {
		case needUnder(refused, f, AAL2) != without:
			t.Fatalf("trust counts where the rules allow none: %+v %+v", r, f)
		case mailed != needUnder(plain, f, AAL2):
			t.Fatalf("trust after a mailed code is more than one that spares no factor: %+v %+v", r, f)
		case proven == without:
			return
		}
		spares[without]++
		switch {
		case without == DeviceCheck && f.Verdict != RiskVerify:
		case (without == SecondFactor || without == Impossible) && r.TrustSparesFactor && f.Subject.Enrolled.And(secondFactors) != 0:
		default:
			t.Fatalf("trust spares %s: %+v %+v", without, r, f)
		}
	})
	require.Positive(t, spares[DeviceCheck])
	require.Positive(t, spares[SecondFactor])

	for _, goal := range []Goal{SignUp, StepUp, Recovery, Activation, Linking, Enrolment, Handoff} {
		eachStand(goal, func(r Rules, f Flow) {
			if without, with := needUnder(r, f, 0), needUnder(r, f, AAL2); without != with {
				t.Fatalf("trust turns %s into %s under %s: %+v %+v", without, with, goal, r, f)
			}
		})
	}
}

// typing drives a sign-in from its password on. A code is typed as method, with the box ticked or not; one that
// is wrong fails.
type typing struct {
	method Method
	trust  bool
	wrong  bool
}

// TestTrustIsGrantedWithTheRightCodeAlone: what the person ticked beside a wrong code, or where there was no box,
// grants nothing.
func TestTrustIsGrantedWithTheRightCodeAlone(t *testing.T) {
	factor := Rules{SecondFactor: IfEnrolled}
	mailed := Rules{Verification: VerifyPassword}
	for name, c := range map[string]struct {
		rules    Rules
		enrolled Methods
		typed    []typing
		granted  bool
	}{
		"ticked":                               {factor, MethodsOf(TOTP), []typing{{TOTP, true, false}}, true},
		"not ticked":                           {factor, MethodsOf(TOTP), []typing{{TOTP, false, false}}, false},
		"ticked beside a mailed code":          {mailed, 0, []typing{{MailCode, true, false}}, true},
		"ticked beside a host's own factor":    {factor, MethodsOf(HostFactor), []typing{{HostFactor, true, false}}, true},
		"ticked again after a wrong code":      {factor, MethodsOf(TOTP), []typing{{TOTP, true, true}, {TOTP, true, false}}, true},
		"ticked beside a wrong code alone":     {factor, MethodsOf(TOTP), []typing{{TOTP, true, true}, {TOTP, false, false}}, false},
		"ticked, then a recovery code":         {factor, MethodsOf(TOTP, RecoveryCode), []typing{{TOTP, true, true}, {RecoveryCode, false, false}}, false},
		"a recovery code has no box":           {factor, MethodsOf(RecoveryCode), []typing{{RecoveryCode, true, false}}, false},
		"the rules allow no trust":             {Rules{SecondFactor: IfEnrolled, NoTrust: true}, MethodsOf(TOTP), []typing{{TOTP, true, false}}, false},
		"nor beside a mailed code":             {Rules{Verification: VerifyPassword, NoTrust: true}, 0, []typing{{MailCode, true, false}}, false},
		"a password has no box":                {Rules{}, 0, nil, false},
		"nor has one before a code, unticked":  {factor, MethodsOf(TOTP), []typing{{TOTP, false, false}}, false},
		"a passkey has no box, and keeps none": {factor, MethodsOf(TOTP, Passkey), []typing{{TOTP, true, true}, {Passkey, false, false}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := Policy{Entry: Entry{Methods: MethodsOf(Password)}, Rules: c.rules, Limits: DefaultLimits()}
			f := Flow{Goal: SignIn, Begun: epoch, Touched: epoch, Typed: "a", Subject: Subject{Account: alice, Status: Active, Enrolled: c.enrolled.With(Password)}}
			for _, try := range append([]typing{{Password, true, false}}, c.typed...) {
				if try.method == MailCode || try.method == Passkey {
					f.Challenge = Challenge{Method: try.method, At: epoch}
				}
				f = typed(t, p, f, try)
			}
			issue, ok := f.await.(IssueSession)
			require.True(t, ok, "%+v", f)
			require.Equal(t, c.granted, issue.Trust)
		})
	}
}

// typed hands one proof in and answers what the machine asks, but for the session and a mailed code.
func typed(t *testing.T, p Policy, f Flow, try typing) Flow {
	t.Helper()
	f, effects, err := Step(p, f, Submit{Method: try.method, Trust: try.trust}, epoch)
	require.NoError(t, err)
	for {
		var answer Event
		switch effects[len(effects)-1].(type) {
		case TakeAttempt:
			answer = AttemptTaken{}
		case CheckProof:
			checked := ProofChecked{Proof: Proof{Method: try.method, Account: alice}}
			if try.wrong {
				checked = ProofChecked{Failure: Refusal{Reason: WrongCode}}
			}
			answer = checked
		case MakeChallenge:
			answer = ChallengeMade{}
		default:
			return f
		}
		f, effects, err = Step(p, f, answer, epoch)
		require.NoError(t, err)
		if f.await == nil {
			return f
		}
	}
}

// TestTrustIsOfferedWithACodeAtSignIn: the box is beside the codes that are typed at sign-in, and nowhere else.
func TestTrustIsOfferedWithACodeAtSignIn(t *testing.T) {
	offeredBy := func(p Policy, f Flow) (with []string) {
		for _, a := range Next(p, f, epoch).Actions {
			if a.takes("trust") {
				with = append(with, a.Name)
			}
		}
		return with
	}
	all := Subject{Account: alice, Status: Active, Enrolled: MethodsOf(Password, TOTP, RecoveryCode, Passkey, HostFactor)}
	password := Proof{Method: Password, At: epoch, Account: alice}
	p := Policy{Entry: Entry{Methods: MethodsOf(Password)}, Rules: Rules{SecondFactor: Always}, Limits: DefaultLimits()}
	f := Flow{Goal: SignIn, Subject: all, Begun: epoch, Touched: epoch}
	require.Empty(t, offeredBy(p, f), "before a proof")
	f.Proofs = trustedAt(AAL2, nil)
	require.Empty(t, offeredBy(p, f), "trust is no proof")
	f.Proofs = []Proof{password}
	require.Equal(t, []string{"totp", "host-factor"}, offeredBy(p, f))
	p.Rules.NoTrust = true
	require.Empty(t, offeredBy(p, f), "the rules allow none")
	p.Rules.NoTrust = false
	for _, goal := range []Goal{StepUp, Recovery, Linking, Enrolment, Handoff} {
		g := f
		g.Goal, g.Target = goal, Target{Assurance: AAL2, Enrol: TOTP}
		require.Empty(t, offeredBy(p, g), goal.String())
	}
}
