package flow

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An outsider can type an address, guess, go back, wait, and prove who they are themselves. This file walks
// two flows side by side, one about an account and one about an address that nobody has, under everything
// an outsider can do, and demands that they cannot be told apart: the same views, the same effects in the
// same order, the same refusals.

// pair is a node of that walk.
type pair struct {
	real, fake Flow
	now        time.Time
}

// TestOutsiderCannotTell compares every kind of account with a decoy. That the account's own rules change
// nothing for an outsider is shown in each state for every one of them.
func TestOutsiderCannotTell(t *testing.T) {
	pairs, worlds := 0, 0
	for _, goal := range []Goal{SignIn, Recovery, SignUp} {
		for _, subject := range kinds() {
			n, err := comparePair(realMachine, goal, subject)
			require.NoError(t, err, "%s of %+v", goal, subject)
			pairs, worlds = pairs+n, worlds+1
		}
	}
	t.Logf("%d pairs of states in %d worlds", pairs, worlds)
}

// TestComparisonFindsLeaks plants leaks, of the kinds that libraries have had, and demands that the walk sees them.
func TestComparisonFindsLeaks(t *testing.T) {
	for _, leak := range leaks() {
		t.Run(leak.name, func(t *testing.T) {
			require.Error(t, firstLeak(leak))
		})
	}
}

func firstLeak(m machine) error {
	for _, goal := range []Goal{SignIn, Recovery} {
		for _, subject := range kinds() {
			if _, err := comparePair(m, goal, subject); err != nil {
				return err
			}
		}
	}
	return nil
}

func comparePair(m machine, goal Goal, subject Subject) (int, error) {
	if subject.Decoy {
		return 0, nil
	}
	w := world{policy: Policy{Limits: tinyLimits}, others: rules(), subject: subject}
	begun, _, err := m.step(Policy{Entry: entries()[0], Limits: tinyLimits}, Flow{}, Begin{Goal: goal}, epoch)
	if err != nil {
		return 0, err
	}
	start := pair{begun, begun, epoch}
	seen, queue := map[[2]key]bool{}, []pair{start}
	for len(queue) > 0 {
		p := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		next, err := followPair(m, w, p)
		if err != nil {
			return len(seen), err
		}
		for _, n := range next {
			k := [2]key{keyOf(state{n.real, n.now}), keyOf(state{n.fake, n.now})}
			if !seen[k] {
				seen[k] = true
				queue = append(queue, n)
			}
		}
	}
	return len(seen), nil
}

// followPair compares the two flows and takes every step that an outsider can take, in both.
func followPair(m machine, w world, p pair) ([]pair, error) {
	if p.real.Outcome != p.fake.Outcome {
		return nil, fmt.Errorf("one flow is %s, the other %s", p.real.Outcome, p.fake.Outcome)
	}
	if p.real.Outcome != Open {
		return nil, nil
	}
	if p.real.Subject.Account == alice && p.real.claim.Method == 0 {
		for _, r := range w.others {
			if unmet(Policy{Rules: r, Limits: tinyLimits}, p.real, p.now) != unmet(w.policy, p.real, p.now) {
				return nil, fmt.Errorf("what is due depends on %+v", r)
			}
		}
	}
	var next []pair
	var tried [][2]Event
	for _, entry := range entries() {
		policy := Policy{Entry: entry, Limits: tinyLimits}
		views := [2]View{m.next(policy, p.real, p.now), m.next(policy, p.fake, p.now)}
		if !reflect.DeepEqual(views[0], views[1]) {
			return nil, fmt.Errorf("the views differ:\n%+v\n%+v", views[0], views[1])
		}
		for _, events := range outsiderEvents(w, p, views[0]) {
			if slices.Contains(tried, events) {
				continue
			}
			tried = append(tried, events)
			n, err := stepPair(m, policy, p, events)
			if err != nil {
				return nil, fmt.Errorf("%T: %w", events[0], err)
			}
			next = append(next, n)
		}
	}
	if p.real.await == nil && p.now.Sub(epoch) <= tinyLimits.Total {
		next = append(next, pair{p.real, p.fake, p.now.Add(tick)})
	}
	return next, nil
}

func stepPair(m machine, policy Policy, p pair, events [2]Event) (pair, error) {
	a, aEffects, aErr := m.step(policy, p.real, events[0], p.now)
	b, bEffects, bErr := m.step(policy, p.fake, events[1], p.now)
	if fmt.Sprint(aErr) != fmt.Sprint(bErr) {
		return pair{}, fmt.Errorf("the refusals differ: %v and %v", aErr, bErr)
	}
	if !reflect.DeepEqual(aEffects, bEffects) {
		return pair{}, fmt.Errorf("the effects differ:\n%+v\n%+v", aEffects, bEffects)
	}
	if a.Outcome == Granted && a.Subject.Account != mallory {
		return pair{}, errors.New("an outsider got in")
	}
	return pair{a, b, p.now}, nil
}

// outsiderEvents are what an outsider can bring about, as the event in the real and in the fake flow. They
// fail every proof of the account; a passkey or a provider may prove them to be themselves. Meanwhile the
// owner may do anything to the account.
func outsiderEvents(w world, p pair, v View) [][2]Event {
	var list [][2]Event
	both := func(events ...Event) {
		for _, e := range events {
			list = append(list, [2]Event{e, e})
		}
	}
	switch asked := p.real.await.(type) {
	case nil:
		both(personEvents(v)...)
		return append(list, ownerEvents(p)...)
	case FindSubject:
		if asked.Account == mallory {
			both(foundAnswers(w, asked)...)
			return list
		}
		fake := Subject{Account: decoy, Decoy: true}
		return [][2]Event{{SubjectFound{Subject: w.subject}, SubjectFound{Subject: fake}}}
	case CheckProof:
		both(ProofChecked{Failure: Refusal{Reason: BadCredentials}})
		if MethodsOf(Passkey, Social, SSO).Has(asked.Method) {
			both(ProofChecked{Proof: Proof{Method: asked.Method, Connection: asked.Connection, Account: mallory}})
			both(ProofChecked{Proof: Proof{Method: asked.Method, Connection: asked.Connection}})
		}
		return list
	}
	both(answers(w, p.real)...)
	return list
}

func ownerEvents(p pair) [][2]Event {
	if p.real.Subject.Account == "" || p.real.Subject.Account == mallory {
		return nil
	}
	still := Resume{Subject: p.fake.Subject}
	var list [][2]Event
	for _, e := range resumes(world{}, p.real) {
		list = append(list, [2]Event{e, still})
	}
	enrolled := Resume{Subject: p.real.Subject}
	enrolled.Subject.Enrolled = MethodsOf(Password, TOTP)
	enrolled.Subject.Compromised = true
	enrolled.Subject.Epochs.Security++
	return append(list, [2]Event{enrolled, still})
}

// leaks are machines that give something away.
func leaks() []machine {
	view := func(name string, bend func(Flow, *View)) machine {
		return machine{name: name, step: Step, next: func(p Policy, f Flow, now time.Time) View {
			v := Next(p, f, now)
			bend(f, &v)
			return v
		}}
	}
	return []machine{
		view("says that there is no such account", func(f Flow, v *View) {
			if f.Subject.Decoy {
				v.Refusal = &Refusal{Reason: NotFound}
			}
		}),
		view("offers the methods that the account has", func(f Flow, v *View) {
			if v.Need == FirstFactor && !f.Subject.Enrolled.Has(Password) {
				v.Actions = nil
			}
		}),
		view("tells a closed account", func(f Flow, v *View) {
			if f.Subject.Status == Disabled && f.Subject.Account == alice {
				v.Refusal = &Refusal{Reason: AccountUnavailable}
			}
		}),
		{name: "hashes nothing for unknown addresses", next: Next, step: func(p Policy, f Flow, e Event, now time.Time) (Flow, []Effect, error) {
			if submit, ok := e.(Submit); ok && f.Subject.Decoy && f.await == nil {
				f.Failures++
				return f, []Effect{Audit{What: ProofFailed, Method: submit.Method}}, nil
			}
			return Step(p, f, e, now)
		}},
		{name: "ends the flow when the owner changes something", next: Next, step: func(p Policy, f Flow, e Event, now time.Time) (Flow, []Effect, error) {
			if resume, ok := e.(Resume); ok && resume.Subject.Epochs != f.Subject.Epochs {
				f.Outcome, f.Last = Ended, Refusal{Reason: Stale}
				return f, nil, nil
			}
			return Step(p, f, e, now)
		}},
		{name: "counts fewer failures for accounts", next: Next, step: func(p Policy, f Flow, e Event, now time.Time) (Flow, []Effect, error) {
			next, effects, err := Step(p, f, e, now)
			if err == nil && typeIs[ProofChecked](e) && !f.Subject.Decoy && f.Subject.Account == alice {
				next.Failures, next.Outcome, next.Last = 0, Open, Refusal{Reason: BadCredentials}
			}
			return next, effects, err
		}},
	}
}
