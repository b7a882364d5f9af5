package flow

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// What the exploration does about confirmations: in every state of a world whose step-up is for an operation,
// somebody tries to spend it, for that operation and another one, at every level, after everything that may have
// become of the account. Whether that may succeed is written here a second time.

var (
	deletion = Operation{Hash: "h1", Text: "Delete project Alpha"}
	transfer = Operation{Hash: "h2", Text: "Give project Alpha to Mallory"}
)

// confirmations are the targets of step-ups for an operation. The ages in them must not count.
func confirmations() []Target {
	return []Target{
		{Operation: deletion}, {Operation: deletion, Assurance: AAL1, MaxAge: 9 * tick}, {Operation: deletion, Assurance: AAL2, MaxAge: tick},
		{Operation: deletion, Assurance: AAL1, Methods: MethodsOf(TOTP)},
	}
}

// spends are all ways to use what was confirmed, for whoever the session is of by then.
func spends(f Flow) []Spend {
	same := f.Subject
	changed, ended, disabled, other, nobody := same, same, same, same, same
	changed.Epochs.Security++
	ended.Epochs.Session++
	disabled.Status = Disabled
	other.Account = mallory
	nobody.Decoy = true
	var list []Spend
	for _, hash := range []string{deletion.Hash, transfer.Hash, ""} {
		for _, level := range []Assurance{0, AAL1, AAL2, AAL3} {
			list = append(list, Spend{hash, level, same})
		}
		for _, subject := range []Subject{changed, ended, disabled, other, nobody} {
			list = append(list, Spend{hash, AAL1, subject})
		}
	}
	return list
}

// spend tries to spend the flow, under the world's policy and after an organisation made its sign-in mandatory.
func (x *explorer) spend(w world, s state) {
	organised := w.policy
	organised.Rules.Connection = "c1"
	policies, ways := []Policy{w.policy, organised}, spends(s.f)
	if s.f.Outcome != Granted {
		policies, ways = policies[:1], ways[:2] // nothing is there to be spent, whatever else is right
	}
	for _, p := range policies {
		for _, e := range ways {
			x.steps++
			next, effects, err := x.m.step(p, s.f, e, s.now)
			if problem := checkSpend(w, p, s, e, next, effects, err); problem != nil {
				x.problem = fmt.Errorf("%+v: %w\nflow: %+v\nnext: %+v", e, problem, s.f, next)
				return
			}
			if err == nil {
				if x.observed != nil {
					x.observed[transition{PhaseOf(p, s.f, s.now), eventName(e), PhaseOf(p, next, s.now)}] = struct{}{}
				}
				x.push(state{next, s.now})
			}
		}
	}
}

// checkSpend demands that a confirmation is spent if and only if it may be, and that nothing else comes of it.
func checkSpend(w world, p Policy, s state, e Spend, next Flow, effects []Effect, err error) error {
	may := maySpend(w, p, s, e)
	switch {
	case may != nil && err == nil:
		return may
	case may != nil:
		if !errors.Is(err, Deny(StepUpRequired)) || len(effects) > 0 || !reflect.DeepEqual(s.f, next) {
			return fmt.Errorf("a refused confirmation leaves a trace: %w", err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("a good confirmation is refused: %w", err)
	}
	spent := s.f
	spent.Spent = true
	if !reflect.DeepEqual(spent, next) || !slices.Equal(effects, []Effect{Audit{What: ConfirmationSpent}}) {
		return errors.New("spending a confirmation does something else")
	}
	return nil
}

// maySpend is the whole of what doing a confirmed operation demands.
func maySpend(w world, p Policy, s state, e Spend) error {
	f := s.f
	fresh := young(f.Proofs, 0, s.now)
	var all []Proof
	for _, m := range e.Subject.Enrolled.List() {
		all = append(all, Proof{Method: m, Verified: e.Subject.VerifyingPasskey})
	}
	due := int(e.Assurance)
	if due == 0 {
		due = max(level(all), 1)
	}
	switch {
	case f.Outcome != Granted || f.Spent:
		return errors.New("a confirmation that was never given, or twice used")
	case e.Operation != w.begin.Target.Operation.Hash || e.Operation == "":
		return errors.New("a confirmation of another operation")
	case s.now.Sub(f.Touched) >= p.Limits.Confirmation:
		return errors.New("a confirmation that is too old")
	case e.Subject.Account != alice || e.Subject.Decoy || e.Subject.Status != Active:
		return errors.New("a confirmation by somebody else, or of a closed account")
	case e.Subject.Epochs != f.Subject.Epochs:
		return errors.New("a confirmation from before a change of the account")
	case level(fresh) < due:
		return errors.New("a confirmation without proofs of its own at the level that is due")
	case p.Rules.Connection != "" && !ssoBy(fresh, p.Rules.Connection):
		return errors.New("a confirmation past the organisation's sign-in")
	}
	return nil
}

// target is what the flow of the world has to reach: what is for an operation counts no age.
func (w world) target() Target {
	t := w.begin.Target
	if t.Operation != (Operation{}) {
		t.MaxAge = 0
	}
	return t
}

// mayConfirm is what a session demands that ends a step-up for an operation, beside what any step-up demands.
func mayConfirm(w world, s state, f Flow) error {
	t := w.begin.Target
	if t.Operation != f.Target.Operation {
		return errors.New("the operation changed under way")
	}
	if t.Operation == (Operation{}) {
		return nil
	}
	var all []Proof
	for _, m := range f.Subject.Enrolled.List() {
		all = append(all, Proof{Method: m, Verified: f.Subject.VerifyingPasskey})
	}
	due := int(t.Assurance)
	if due == 0 {
		due = max(level(all), 1)
	}
	fresh := young(f.Proofs, 0, s.now)
	switch {
	case f.Goal != StepUp:
		return errors.New("an operation in a flow that is no step-up")
	case level(fresh) < due:
		return errors.New("confirmed without proofs of its own")
	case w.policy.Rules.Connection != "" && !ssoBy(fresh, w.policy.Rules.Connection):
		return errors.New("confirmed past the organisation's sign-in")
	}
	return nil
}

// spend plays the command of that name in a scenario.
func (s *stage) spend(args []string) {
	e := Spend{Operation: deletion.Hash, Subject: s.subject}
	for _, arg := range args {
		switch arg {
		case "other":
			e.Operation = transfer.Hash
		default:
			e.Assurance = map[string]Assurance{"level=aal1": AAL1, "level=aal2": AAL2, "level=aal3": AAL3}[arg]
		}
	}
	s.drive(e, nil)
}

// confirmationFaults are machines that go wrong about confirmations.
func confirmationFaults() []machine {
	spending := func(name string, bend func(*Flow, *Spend)) machine {
		return onStep(name, StepUp, func(f *Flow, e Event) Event {
			if spend, ok := e.(Spend); ok {
				bend(f, &spend)
				return spend
			}
			return e
		})
	}
	return []machine{
		spending("takes what was confirmed for another operation", func(f *Flow, e *Spend) { e.Operation = f.Target.Operation.Hash }),
		spending("does not see what became of the account", func(f *Flow, e *Spend) { e.Subject.Epochs = f.Subject.Epochs }),
		spending("takes another account's confirmation", func(f *Flow, e *Spend) { e.Subject.Account = f.Subject.Account }),
		spending("forgets at which level", func(_ *Flow, e *Spend) { e.Assurance = AAL1 }),
		spending("takes a confirmation twice", func(f *Flow, _ *Spend) { f.Spent = false }),
		spending("takes a confirmation before it is given", func(f *Flow, _ *Spend) { f.Outcome = Granted }),
		underPolicy("keeps confirmations for ever", StepUp, func(p *Policy, f Flow) {
			if f.Outcome == Granted {
				p.Limits.Confirmation = 99 * tick
			}
		}),
		underPolicy("forgets the organisation when it is used", StepUp, func(p *Policy, f Flow) {
			if f.Outcome == Granted {
				p.Rules.Connection = ""
			}
		}),
		onStep("confirms by what the session brought", StepUp, func(f *Flow, e Event) Event {
			if begin, ok := e.(Begin); ok && begin.Target.Operation != (Operation{}) {
				for i := range begin.Acting.Proofs {
					begin.Acting.Proofs = slices.Clone(begin.Acting.Proofs)
					begin.Acting.Proofs[i].At = epoch
				}
				begin.Target = Target{Assurance: begin.Target.Assurance, MaxAge: tick}
				return begin
			}
			return e
		}),
		afterStep("lets the operation be changed", StepUp, func(_ Flow, e Event, f Flow, effects []Effect) (Flow, []Effect) {
			if typeIs[ProofChecked](e) && f.Target.Operation == deletion {
				f.Target.Operation = transfer
			}
			return f, effects
		}),
		afterStep("leaves a confirmation unspent", StepUp, func(_ Flow, e Event, f Flow, effects []Effect) (Flow, []Effect) {
			if typeIs[Spend](e) {
				f.Spent = false
			}
			return f, effects
		}),
	}
}
