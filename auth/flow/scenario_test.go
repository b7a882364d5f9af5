package flow

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the scenario files anew; read the difference before you keep it")

// TestScenarios plays the stories in testdata/scenarios. A block is a command, a line of dashes, what
// happened, and an empty line. Lines that begin with # are comments.
//
// Commands: policy WORD=VALUE…, account WORD…, begin GOAL [target], ACTION [ok|wrong|of NAME|…], wait DURATION,
// resume, changed, spend [other] [level=LEVEL].
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			played := play(t, string(text))
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(played), 0o644))
			}
			require.Equal(t, string(text), played)
		})
	}
}

// play runs every command of a scenario and returns the scenario with what happened.
func play(t *testing.T, text string) string {
	s := &stage{t: t, now: epoch, p: Policy{Entry: Entry{Methods: MethodsOf(Password), Recovery: true, SignUp: true}, Limits: DefaultLimits()}}
	s.subject = Subject{Account: alice, Status: Active, Epochs: Epochs{1, 1}, Enrolled: MethodsOf(Password)}
	var out []string
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var kept []string
		for line := range strings.Lines(block) {
			line = strings.TrimRight(line, "\n")
			if line == "----" {
				break
			}
			kept = append(kept, line)
			if !strings.HasPrefix(line, "#") {
				kept = append(kept, "----", s.do(strings.Fields(line)))
				break
			}
		}
		out = append(out, strings.Join(kept, "\n"))
	}
	return strings.Join(out, "\n\n") + "\n"
}

// stage is the little world of a scenario: it answers effects as the command says.
type stage struct {
	t       *testing.T
	p       Policy
	f       Flow
	subject Subject
	trusted Assurance
	now     time.Time
	lines   []string
}

func (s *stage) do(words []string) string {
	s.lines = nil
	verb, args := words[0], words[1:]
	switch verb {
	case "policy":
		s.policy(args)
		return "ok"
	case "account":
		s.account(args)
		return "ok"
	case "wait":
		d, err := time.ParseDuration(args[0])
		require.NoError(s.t, err)
		s.now = s.now.Add(d)
		return s.show()
	case "changed":
		s.subject.Epochs.Security++
		s.drive(Resume{Subject: s.subject, Trusted: s.trusted}, nil)
	case "begin":
		s.begin(args)
	case "spend":
		s.spend(args)
	default:
		s.act(verb, args)
	}
	return s.show()
}

func (s *stage) policy(args []string) {
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "second-factor":
			s.p.Rules.SecondFactor = map[string]Choice{"never": Never, "if-enrolled": IfEnrolled, "always": Always}[value]
		case "verify":
			s.p.Rules.Verification = map[string]Verification{"password": VerifyPassword, "social": VerifyPasswordAndSocial}[value]
		case "sso":
			s.p.Rules.Connection = value
		case "route":
			s.p.Entry.Connection = value
		case "entry":
			s.p.Entry.Methods = methodsNamed(s.t, value)
		case "risk":
			s.p.Rules.Risk = true
		case "trust-spares":
			s.p.Rules.TrustSparesFactor = true
		case "no-trust":
			s.p.Rules.NoTrust = true
		case "unavailable":
			s.p.Rules.Unavailable = methodsNamed(s.t, value)
		case "approver":
			s.p.Rules.Approver = true
		case "no-recovery":
			s.p.Entry.Recovery = false
		default:
			s.t.Fatalf("unknown policy word %q", arg)
		}
	}
}

func (s *stage) account(args []string) {
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "has":
			s.subject.Enrolled = methodsNamed(s.t, value)
		case "status":
			require.NoError(s.t, s.subject.Status.UnmarshalText([]byte(value)))
		case "unknown":
			s.subject = Subject{Account: decoy, Decoy: true}
		case "compromised":
			s.subject.Compromised = true
		case "verifying":
			s.subject.VerifyingPasskey = true
		case "trusted": // with "=aal1", after a mailed code only
			s.trusted = AAL2
			if value == AAL1.String() {
				s.trusted = AAL1
			}
		default:
			s.t.Fatalf("unknown account word %q", arg)
		}
	}
}

func methodsNamed(t *testing.T, list string) Methods {
	var set Methods
	for name := range strings.SplitSeq(list, ",") {
		var m Method
		require.NoError(t, m.UnmarshalText([]byte(name)))
		set = set.With(m)
	}
	return set
}

func (s *stage) begin(args []string) {
	var e Begin
	require.NoError(s.t, e.Goal.UnmarshalText([]byte(args[0])))
	if !e.Goal.ByStranger() {
		e.Acting = Acting{Session: "s1", Subject: s.subject, Trusted: s.trusted}
	}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "level":
			e.Target.Assurance = map[string]Assurance{"aal1": AAL1, "aal2": AAL2, "aal3": AAL3}[value]
		case "max-age":
			e.Target.MaxAge, _ = time.ParseDuration(value)
		case "enrol":
			e.Target.Enrol = methodsNamed(s.t, value).List()[0]
		case "remove":
			e.Target.Remove = value
		case "last":
			e.Target.Last = true
		case "operation":
			e.Target.Operation = deletion
		case "proven":
			for _, m := range methodsNamed(s.t, value).List() {
				verified := m == Passkey && slices.Contains(args, "verified")
				e.Acting.Proofs = append(e.Acting.Proofs, Proof{Method: m, At: s.now, Account: alice, Verified: verified})
			}
		}
	}
	s.f = Flow{}
	s.drive(e, nil)
}

// act does an offered action; the arguments say what becomes of it.
func (s *stage) act(name string, args []string) {
	view := Next(s.p, s.f, s.now)
	i := slices.IndexFunc(view.Actions, func(a Action) bool { return a.Name == name })
	if i < 0 {
		s.lines = append(s.lines, "not offered")
		return
	}
	e := view.Actions[i].Event(Choices{Trust: slices.Contains(args, "trust")}, "p1")
	if id, ok := e.(Identify); ok {
		id.Identifier, id.Typed = "alice@example.com", "Alice@example.com"
		e = id
	}
	if _, ok := e.(Move); ok {
		e = Move{Identifier: "new@example.com", Typed: "New@example.com"}
	}
	s.drive(e, args)
}

// drive steps until the machine waits for the person.
func (s *stage) drive(e Event, args []string) {
	for e != nil {
		next, effects, err := Step(s.p, s.f, e, s.now)
		if err != nil {
			s.lines = append(s.lines, err.Error())
			return
		}
		s.f, e = next, nil
		for _, effect := range effects {
			s.lines = append(s.lines, "  "+describe(effect))
			e = s.answer(effect, args)
		}
	}
}

func (s *stage) answer(effect Effect, args []string) Event {
	wrong := slices.Contains(args, "wrong")
	switch e := effect.(type) {
	case FindSubject:
		subject := s.subject
		if e.Account != "" && e.Account != subject.Account {
			subject = Subject{Account: e.Account, Status: Active, Enrolled: MethodsOf(Password, Social)}
		}
		return SubjectFound{Subject: subject, Trusted: s.trusted}
	case TakeAttempt:
		if slices.Contains(args, "throttled") {
			return AttemptTaken{Refusal{Reason: TooManyAttempts, RetryAt: s.now.Add(30 * time.Second)}}
		}
		return AttemptTaken{}
	case CheckProof:
		if wrong || s.f.Subject.Decoy {
			return ProofChecked{Failure: Refusal{Reason: BadCredentials}}
		}
		p := Proof{Method: e.Method, Connection: e.Connection, Account: s.subject.Account, Verified: slices.Contains(args, "verified")}
		if i := slices.Index(args, "of"); i >= 0 {
			p.Account = strings.TrimPrefix(args[i+1], "nobody")
		}
		if slices.Contains(args, "vouched") {
			p.Upstream = AAL2
		}
		return ProofChecked{Proof: p}
	case AssessRisk:
		i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "risk=") })
		return RiskAssessed{map[string]Verdict{"risk=allow": RiskAllow, "risk=verify": RiskVerify, "risk=refuse": RiskRefuse, "risk=lock": RiskLock}[args[i]]}
	case MakeChallenge:
		return ChallengeMade{}
	case ReviewPassword:
		if wrong {
			return PasswordReviewed{Refusal{Reason: PasswordRejected, Problem: "common"}}
		}
		return PasswordReviewed{}
	case Commit:
		if slices.Contains(args, "stale") {
			return CommitRefused{Refusal{Reason: Stale}}
		}
		if slices.Contains(args, "throttled") { // a code that can be guessed is counted where it adds a factor, too
			return CommitRefused{Refusal{Reason: TooManyAttempts, RetryAt: s.now.Add(30 * time.Second)}}
		}
		if wrong {
			return CommitRefused{Refusal{Reason: WrongCode}}
		}
		if slices.Contains(args, "taken") {
			return CommitRefused{Refusal{Reason: AddressRejected}}
		}
		s.subject.Epochs.Security++
		return Committed{Epochs: s.subject.Epochs, Verified: slices.Contains(args, "verified")}
	case IssueSession:
		if slices.Contains(args, "overtaken") {
			return SessionRefused{}
		}
		return SessionIssued{}
	}
	return nil
}

// particulars says what kind of ceremony it is.
func (e MakeChallenge) particulars() (words string) {
	for _, p := range []struct {
		word string
		so   bool
	}{{" to enrol", e.Enrols}, {" of the account", e.Named}, {" verifying", e.Verify}} {
		if p.so {
			words += p.word
		}
	}
	return words
}

// describe prints an effect in the words of the scenario files.
func describe(e Effect) string {
	switch e := e.(type) {
	case FindSubject:
		return strings.TrimSpace("find " + e.Identifier + e.Account)
	case TakeAttempt:
		return "take attempt of " + e.Method.String()
	case CheckProof:
		return strings.TrimSpace("check " + e.Method.String() + " " + e.Connection)
	case AssessRisk:
		return "assess risk"
	case MakeChallenge:
		return strings.TrimSpace("make challenge "+e.Method.String()+" "+e.Connection) + e.particulars()
	case ReviewPassword:
		return "review password"
	case Commit:
		what := "commit " + e.Change.String()
		if e.ForgetFactors {
			what += " without the factors"
		}
		if e.ForgetLinks {
			what += " without the connections"
		}
		return what
	case IssueSession:
		return fmt.Sprintf("issue session for %s at %s", e.Account, e.Assurance)
	case SettleAttempts:
		if e.All {
			return "settle all attempts"
		}
		return "settle attempts of " + e.Method.String()
	case Audit:
		return "audit " + e.What.String()
	case Notify:
		return "notify " + e.What.String()
	}
	return fmt.Sprintf("%T", e)
}

// show prints where the flow stands.
func (s *stage) show() string {
	v := Next(s.p, s.f, s.now)
	line := v.Outcome
	if v.Outcome == Open.String() {
		names := map[string]bool{}
		for _, a := range v.Actions {
			names[a.Name] = true
		}
		line += ": " + v.Need.String() + " [" + strings.Join(slices.Sorted(maps.Keys(names)), " ") + "]"
	}
	if v.Operation != "" {
		line += " of " + strconv.Quote(v.Operation)
	}
	if s.f.Spent {
		line += ", spent"
	}
	if v.Refusal != nil {
		line += " refused=" + v.Refusal.Reason.String()
	}
	return strings.Join(append([]string{line}, s.lines...), "\n")
}
