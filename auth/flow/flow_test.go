package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func plainPolicy() Policy {
	return Policy{Entry: Entry{Methods: MethodsOf(Password), SignUp: true, Recovery: true}, Limits: DefaultLimits()}
}

// begun returns a sign-in that waits for its first proof, of the given account.
func begun(t *testing.T, p Policy, s Subject) Flow {
	t.Helper()
	f := steps(t, p, Flow{}, Begin{Goal: SignIn}, Identify{Identifier: "a@b.example", Typed: "A@b.example"}, SubjectFound{Subject: s})
	require.Equal(t, FirstFactor, Next(p, f, epoch).Need)
	return f
}

func steps(t *testing.T, p Policy, f Flow, events ...Event) Flow {
	t.Helper()
	for _, e := range events {
		var err error
		f, _, err = Step(p, f, e, epoch)
		require.NoError(t, err, "%T", e)
	}
	return f
}

var active = Subject{Account: alice, Status: Active, Enrolled: MethodsOf(Password)}

func TestCodesAreStableAndReadBack(t *testing.T) {
	for g := SignIn; g <= Handoff; g++ {
		var back Goal
		readBack(t, g, &back)
		require.Equal(t, g, back)
	}
	for m := Password; m <= Approval; m++ {
		var back Method
		readBack(t, m, &back)
		require.Equal(t, m, back)
	}
	for s := Invited; s <= Locked; s++ {
		var back Status
		readBack(t, s, &back)
		require.Equal(t, s, back)
	}
	seen := map[string]bool{}
	for _, r := range Reasons() {
		var back Reason
		readBack(t, r, &back)
		require.Equal(t, r, back)
		require.False(t, seen[r.String()], r)
		seen[r.String()] = true
	}
	require.Equal(t, Cancelled, Reasons()[len(Reasons())-1], "every reason has a name")
	var none Reason
	text, err := none.MarshalText()
	require.NoError(t, err)
	require.Empty(t, text)
	require.Error(t, new(Goal).UnmarshalText([]byte("sign-in ")))
	require.Equal(t, "(99)", Goal(99).String())
	require.Equal(t, "status(99)", Status(99).String())
	require.Equal(t, "password+totp", MethodsOf(TOTP, Password).String())
	require.Equal(t, "if enrolled, after a password, proving, none, aal2",
		fmt.Sprintf("%s, %s, %s, %s, %s", IfEnrolled, VerifyPassword, Proving, NoNeed, AAL2))
	phase, err := json.Marshal(View{Phase: Proving, Need: FirstFactor})
	require.NoError(t, err)
	require.Contains(t, string(phase), `"phase":"proving","need":"first-factor"`)
}

func readBack(t *testing.T, v, back any) {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, back))
}

func TestFlowSurvivesStorage(t *testing.T) {
	f := begun(t, plainPolicy(), active)
	f.Proofs = []Proof{{Method: Social, At: epoch, Account: alice, Connection: "p1", Upstream: AAL2, Verified: true}}
	f.Last = Refusal{Reason: TooSoon, RetryAt: epoch, Problem: "common"}
	var back Flow
	readBack(t, f, &back)
	require.Equal(t, f, back)
}

func TestDeniedErrorMatchesByReason(t *testing.T) {
	err := fmt.Errorf("decorated: %w", &DeniedError{Refusal{Reason: TooSoon, RetryAt: epoch}})
	require.ErrorIs(t, err, Deny(TooSoon))
	require.NotErrorIs(t, err, Deny(Busy))
	require.False(t, errors.Is(err, errors.New("too-soon")))
	require.EqualError(t, Deny(Busy), "denied: busy")
}

func TestPolicyReportsEveryProblem(t *testing.T) {
	require.NoError(t, plainPolicy().Validate())
	err := Policy{Entry: Entry{Methods: MethodsOf(TOTP)}, Rules: Rules{SecondFactor: 9, Verification: 9}}.Validate()
	for _, want := range []string{"totp", "SecondFactor", "Verification", "Idle", "Total", "Challenge", "Resend", "Fresh", "Failures", "Tries"} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, Policy{Limits: DefaultLimits()}.Validate(), "no way to sign in")
}

func TestBeginRefuses(t *testing.T) {
	closed := plainPolicy()
	closed.Entry.SignUp, closed.Entry.Recovery = false, false
	acting := Acting{Session: "s1", Subject: active, Proofs: []Proof{{Method: Password, At: epoch, Account: alice}}}
	bend := func(change func(*Acting)) Acting {
		a := acting
		change(&a)
		return a
	}
	for name, row := range map[string]struct {
		e    Begin
		want Reason
	}{
		"no goal":                  {Begin{}, NotOffered},
		"unknown goal":             {Begin{Goal: Reversal + 1}, NotOffered},
		"no sign-up":               {Begin{Goal: SignUp}, NotOffered},
		"no session":               {Begin{Goal: StepUp}, SessionRequired},
		"nobody":                   {Begin{Goal: StepUp, Acting: bend(func(a *Acting) { a.Subject.Account = "" })}, SessionRequired},
		"decoy":                    {Begin{Goal: StepUp, Acting: bend(func(a *Acting) { a.Subject.Decoy = true })}, SessionRequired},
		"closed account":           {Begin{Goal: StepUp, Acting: bend(func(a *Acting) { a.Subject.Status = Locked })}, SessionRequired},
		"another's proof":          {Begin{Goal: StepUp, Acting: bend(func(a *Acting) { a.Proofs = []Proof{{Method: Password, Account: mallory}} })}, SessionRequired},
		"no such level":            {Begin{Goal: StepUp, Acting: acting, Target: Target{Assurance: AAL3}}, AssuranceShort},
		"nothing to enrol":         {Begin{Goal: Enrolment, Acting: acting}, NotOffered},
		"removes in a step-up":     {Begin{Goal: StepUp, Acting: acting, Target: Target{Enrol: TOTP, Remove: "f1"}}, NotOffered},
		"disconnects a factor":     {Begin{Goal: Linking, Acting: acting, Target: Target{Enrol: TOTP, Remove: "f1"}}, NotOffered},
		"connects and disconnects": {Begin{Goal: Linking, Acting: acting, Target: Target{Enrol: Social, Remove: "l1", Connection: "p1"}}, NotOffered},
		"enrols a provider":        {Begin{Goal: Enrolment, Acting: acting, Target: Target{Enrol: Social}}, NotOffered},
		"removes a password":       {Begin{Goal: Enrolment, Acting: acting, Target: Target{Enrol: Password, Remove: "f1"}}, NotOffered},
	} {
		t.Run(name, func(t *testing.T) {
			f, effects, err := Step(closed, Flow{}, row.e, epoch)
			require.ErrorIs(t, err, Deny(row.want))
			require.Empty(t, effects)
			require.Equal(t, Flow{}, f)
		})
	}
}

// TestRefusedEventsChangeNothing gives every event to a flow that does not expect it.
func TestRefusedEventsChangeNothing(t *testing.T) {
	p := plainPolicy()
	waiting := begun(t, p, active)
	working := steps(t, p, waiting, Submit{Method: Password})
	over := waiting
	over.Outcome = Ended
	person := []Event{
		Identify{}, Submit{Method: TOTP}, Submit{Method: MailLink}, Submit{Method: TrustedDevice}, Ask{Method: MailCode}, Depart{Method: SSO, Connection: "c1"},
		Return{Method: SSO, Connection: "c1"}, NewPassword{}, Enrol{Method: TOTP}, Accept{}, Cancel{},
	}
	results := []Event{
		SubjectFound{Subject: active}, AttemptTaken{}, ProofChecked{Proof: Proof{Method: Password, Account: alice}}, RiskAssessed{RiskAllow},
		ChallengeMade{}, PasswordReviewed{}, Committed{}, CommitRefused{}, SessionIssued{}, SessionRefused{},
	}
	same := func(f Flow, e Event) error {
		next, effects, err := Step(p, f, e, epoch)
		require.Error(t, err, "%T", e)
		require.Empty(t, effects)
		require.Equal(t, f, next)
		return err
	}
	for _, e := range person {
		require.ErrorIs(t, same(waiting, e), Deny(NotOffered), "%T", e)
		require.ErrorIs(t, same(over, e), Deny(Stale), "%T", e)
		same(working, e)
		same(Flow{}, e)
	}
	var unexpected *UnexpectedEventError
	for _, e := range results {
		require.ErrorAs(t, same(waiting, e), &unexpected)
		require.ErrorAs(t, same(Flow{}, e), &unexpected)
		if !typeIs[AttemptTaken](e) {
			require.ErrorAs(t, same(working, e), &unexpected)
		}
	}
	require.ErrorContains(t, same(waiting, Begin{Goal: SignIn}), "unexpected flow.Begin while proving")
	same(Flow{}, Resume{})
	late, _, err := Step(p, waiting, Submit{Method: Password}, epoch.Add(p.Limits.Idle))
	require.ErrorIs(t, err, Deny(Expired))
	require.Equal(t, waiting, late)
}

// TestResultsMustFitTheQuestion gives answers of the right kind with the wrong content.
func TestResultsMustFitTheQuestion(t *testing.T) {
	p := plainPolicy()
	p.Entry.Methods = MethodsOf(Password, Social)
	p.Rules.Risk = true
	found := steps(t, p, Flow{}, Begin{Goal: SignIn}, Identify{Identifier: "a"})
	away := steps(t, p, begun(t, p, active), Depart{Method: Social, Connection: "p1"}, ChallengeMade{}, Return{Method: Social, Connection: "p1"})
	claimed := steps(t, p, away, ProofChecked{Proof: Proof{Method: Social, Connection: "p1", Account: mallory}})
	risky := steps(t, p, begun(t, p, active), Submit{Method: Password}, AttemptTaken{}, ProofChecked{Proof: Proof{Method: Password, Account: alice}})
	locking := steps(t, p, risky, RiskAssessed{RiskLock})
	issuing := steps(t, p, risky, RiskAssessed{RiskAllow})
	for name, row := range map[string]struct {
		f Flow
		e Event
	}{
		"no subject":             {found, SubjectFound{}},
		"another claimed person": {claimed, SubjectFound{Subject: active}},
		"another method":         {away, ProofChecked{Proof: Proof{Method: Password, Account: alice}}},
		"another provider":       {away, ProofChecked{Proof: Proof{Method: Social, Connection: "p2", Account: alice}}},
		"no verdict":             {risky, RiskAssessed{}},
		"a refusal of nothing":   {locking, CommitRefused{}},
		"no commit":              {locking, SessionIssued{}},
		"no session":             {issuing, Committed{}},
	} {
		t.Run(name, func(t *testing.T) {
			f, _, err := Step(p, row.f, row.e, epoch)
			var unexpected *UnexpectedEventError
			require.ErrorAs(t, err, &unexpected)
			require.Equal(t, row.f, f)
		})
	}
	locked := steps(t, p, locking, CommitRefused{Refusal{Reason: WrongCode}})
	require.Equal(t, Refusal{Reason: Stale}, locked.Last, "a lock that fails still ends the sign-in")
	broken := Flow{Goal: SignIn, await: Audit{}}
	_, _, err := Step(p, broken, SessionIssued{}, epoch)
	require.Error(t, err)
}

// TestStepKeepsProofs: flows that came of one another share their lists of proofs, so no step may write to one,
// nor to the room behind it.
func TestStepKeepsProofs(t *testing.T) {
	watched, longest := realMachine, 0
	watched.step = func(p Policy, f Flow, e Event, now time.Time) (Flow, []Effect, error) {
		before := slices.Clone(f.Proofs[:cap(f.Proofs)])
		next, effects, err := Step(p, f, e, now)
		require.Equal(t, before, f.Proofs[:cap(f.Proofs)], "%T", e)
		longest = max(longest, len(before))
		return next, effects, err
	}
	x := &explorer{m: watched, seen: map[key]struct{}{}}
	for _, goal := range []Goal{SignIn, StepUp, Enrolment} {
		n := 0
		worldsOf(goal, func(w world) bool {
			if n++; n%211 == 0 {
				require.NoError(t, x.explore(w))
			}
			return true
		})
	}
	require.Greater(t, longest, 2)
}

// TestFinishGuardsItself calls the one exit with facts that cannot reach it.
func TestFinishGuardsItself(t *testing.T) {
	for _, s := range []Subject{{Account: decoy, Decoy: true, Status: Active}, {Account: alice, Status: Locked}} {
		r := &run{p: plainPolicy(), f: Flow{Goal: SignIn, Subject: s}, now: epoch}
		r.finish()
		require.Equal(t, Ended, r.f.Outcome)
		require.Nil(t, r.f.await)
	}
	require.Equal(t, LinkIdentity, (&run{f: Flow{Goal: Linking}}).commit().Change)
}

// TestProofOfAnotherPerson shows that a proof names the account only where the goal lets it.
func TestProofOfAnotherPerson(t *testing.T) {
	f := steps(t, plainPolicy(), Flow{}, Begin{Goal: SignUp}, Identify{Identifier: "a"}, SubjectFound{Subject: Subject{Account: alice}},
		ChallengeMade{}, Submit{Method: MailCode}, AttemptTaken{}, ProofChecked{Proof: Proof{Method: MailCode, Account: mallory}})
	require.Equal(t, WrongPerson, f.Last.Reason)
	require.False(t, f.Proven())
}

func TestHandoffKeepsTheSessionThatHandsOver(t *testing.T) {
	acting := Acting{Session: "s1", Subject: active, Proofs: []Proof{{Method: Password, At: epoch, Account: alice}}}
	f := steps(t, plainPolicy(), Flow{}, Begin{Goal: Handoff, Acting: acting})
	_, effects, err := Step(plainPolicy(), f, Accept{}, epoch)
	require.NoError(t, err)
	require.Empty(t, effects[len(effects)-1].(IssueSession).Replaces)
}

func TestFreshnessAtItsBoundary(t *testing.T) {
	target := Target{Assurance: AAL1, MaxAge: 5 * time.Minute}
	at := func(age time.Duration) []Proof {
		return []Proof{{Method: Password, At: epoch.Add(-age), Account: alice, Inherited: true}}
	}
	require.True(t, Meets(target, at(5*time.Minute), epoch))
	require.False(t, Meets(target, at(5*time.Minute+1), epoch))
	require.True(t, Meets(target, at(-clockSkew), epoch), "another instance's clock may be a little ahead")
	require.False(t, Meets(target, at(-clockSkew-1), epoch), "a clock that was set back must not keep proofs fresh")
	require.False(t, Meets(Target{Assurance: AAL1}, at(0), epoch), "zero counts only proofs of the flow itself")
	require.False(t, Meets(Target{Methods: MethodsOf(TOTP), MaxAge: time.Hour}, at(0), epoch))
	require.False(t, Meets(Target{Operation: Operation{Hash: "h", Text: "Pay"}, MaxAge: time.Hour}, at(0), epoch), "a session confirms no operation")
}

func TestAssurance(t *testing.T) {
	for _, row := range []struct {
		want   Assurance
		proofs []Proof
	}{
		{0, nil},
		{0, []Proof{{Method: MailCode}, {Method: MailLink}, {Method: TrustedDevice}, {Method: Approval}}},
		{AAL1, []Proof{{Method: Password}, {Method: MailCode}}},
		{AAL1, []Proof{{Method: Password}, {Method: TrustedDevice}}},
		{AAL1, []Proof{{Method: TOTP}, {Method: RecoveryCode}}},
		{AAL1, []Proof{{Method: Passkey}, {Method: TOTP}}},
		{AAL1, []Proof{{Method: Password}, {Method: Social}}},
		{AAL2, []Proof{{Method: Password}, {Method: TOTP}}},
		{AAL2, []Proof{{Method: Password}, {Method: Passkey}}},
		{AAL2, []Proof{{Method: Passkey, Verified: true}}},
		{AAL2, []Proof{{Method: SSO, Upstream: AAL2}}},
		{AAL2, []Proof{{Method: Social}, {Method: HostFactor}}},
	} {
		require.Equal(t, row.want, AssuranceOf(row.proofs), "%+v", row.proofs)
	}
}

func TestActionsCarryWhatWasFilledIn(t *testing.T) {
	all := Choices{Keep: true, Trust: true, EndOthers: true}
	with := func(e Event, inputs ...string) Action {
		a := Action{event: e}
		for _, name := range inputs {
			a.Inputs = append(a.Inputs, Input{Name: name})
		}
		return a
	}
	require.Equal(t, Identify{Keep: true}, with(Identify{}, "keep").Event(all, ""))
	require.Equal(t, Submit{Method: TOTP, Trust: true}, with(Submit{Method: TOTP}, "code", "trust").Event(all, ""))
	require.Equal(t, NewPassword{EndOthers: true}, with(NewPassword{}, "end_others").Event(all, ""))
	require.Equal(t, Enrol{Method: TOTP, EndOthers: true}, with(Enrol{Method: TOTP}, "end_others").Event(all, ""))
	for _, e := range []Event{Identify{}, Submit{Method: Password}, NewPassword{}, Enrol{Method: TOTP}} {
		require.Equal(t, e, with(e).Event(all, ""), "a box that was not offered was not ticked")
	}
	require.Equal(t, Depart{SSO, "c1"}, with(Depart{SSO, "c1"}).Event(all, "c2"), "the person does not choose what the policy chose")
	require.Equal(t, Depart{Social, "p1"}, with(Depart{Social, ""}).Event(all, "p1"))
	require.Equal(t, Cancel{}, with(Cancel{}).Event(all, ""))
}

// TestNotYouForgetsKeepMeSignedIn: on a shared computer the next person must not inherit it.
func TestNotYouForgetsKeepMeSignedIn(t *testing.T) {
	p := plainPolicy()
	f := steps(t, p, Flow{}, Begin{Goal: SignIn, Keep: true}, Identify{Identifier: "a", Keep: true}, SubjectFound{Subject: active})
	require.True(t, f.Choices.Keep)
	f = steps(t, p, f, Restart{})
	require.False(t, f.Choices.Keep)
	f = steps(t, p, f, Identify{Identifier: "b"}, SubjectFound{Subject: active})
	require.False(t, f.Choices.Keep)
}

func TestClockSetBackEndsTheFlow(t *testing.T) {
	p := plainPolicy()
	f := begun(t, p, active)
	require.Equal(t, Proving, PhaseOf(p, f, epoch.Add(-clockSkew)))
	require.Equal(t, Closed, PhaseOf(p, f, epoch.Add(-clockSkew-1)))
}

func TestEventsAndEffectsAreClosed(t *testing.T) {
	for _, e := range []Event{
		Begin{}, Identify{}, Submit{}, Ask{}, Depart{}, Return{}, NewPassword{}, Enrol{}, Accept{}, Restart{}, Cancel{}, Resume{}, Spend{},
		SubjectFound{}, AttemptTaken{}, ProofChecked{}, RiskAssessed{}, ChallengeMade{}, PasswordReviewed{}, Committed{},
		CommitRefused{}, SessionIssued{}, SessionRefused{},
	} {
		e.event()
	}
	for _, e := range []Effect{
		FindSubject{}, TakeAttempt{}, CheckProof{}, AssessRisk{}, MakeChallenge{}, ReviewPassword{}, Commit{}, IssueSession{},
		SettleAttempts{}, Audit{}, Notify{},
	} {
		e.effect()
	}
}

// TestRecoveryWithoutEntryBeginsWithALink: strangers may not ask for one, and a link that an operator had sent works.
func TestRecoveryWithoutEntryBeginsWithALink(t *testing.T) {
	p := plainPolicy()
	p.Entry.Recovery = false
	f, _, err := Step(p, Flow{}, Begin{Goal: Recovery}, epoch)
	require.NoError(t, err)
	var names []string
	for _, a := range Next(p, f, epoch).Actions {
		names = append(names, a.Name)
	}
	require.Equal(t, []string{"mail-link", "cancel"}, names)
	_, _, err = Step(p, f, Identify{Identifier: "alice@example.com"}, epoch)
	require.ErrorIs(t, err, Deny(NotOffered))
}
