package flow

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// connections are none, two of organisations and one of a provider.
var connections = []string{"", "c1", "c2", "p1"}

// everyDeed is whatever a person can do, with every method and every connection, offered or not.
func everyDeed() []Event {
	list := []Event{
		Identify{}, Identify{Identifier: "a", Typed: "A", Keep: true}, NewPassword{}, NewPassword{EndOthers: true}, Move{}, Move{Identifier: "a", Typed: "A"},
		Submit{Method: Password, Trust: true}, Submit{Method: TOTP, Trust: true}, Submit{Method: Passkey, Keep: true}, Enrol{TOTP, true}, Accept{}, Restart{}, Cancel{},
	}
	for m := Method(0); m <= Approval+1; m++ {
		list = append(list, Submit{Method: m}, Ask{m}, Enrol{Method: m})
		for _, c := range connections {
			list = append(list, Depart{m, c}, Return{m, c})
		}
	}
	return list
}

// shown are the deeds that the view's actions lead to, with nothing filled in but the connection.
func shown(v View) map[Event]bool {
	set := map[Event]bool{}
	for _, a := range v.Actions {
		for _, c := range connections {
			set[a.Event(Choices{}, c)] = true
		}
	}
	return set
}

// bare leaves out what the person fills in.
func bare(e Event) Event {
	switch e := e.(type) {
	case Identify:
		return Identify{}
	case Move:
		return Move{}
	case Submit:
		return Submit{Method: e.Method}
	case NewPassword:
		return NewPassword{}
	case Enrol:
		return Enrol{Method: e.Method}
	}
	return e
}

// differ returns the first deed that the machine shows and refuses, or accepts and does not show.
func differ(m machine, p Policy, f Flow, now time.Time, deeds []Event) error {
	shown := shown(m.next(p, f, now))
	for _, e := range deeds {
		_, _, err := m.step(p, f, e, now)
		switch shown := shown[bare(e)]; {
		case shown && err != nil:
			return fmt.Errorf("%T%+v is shown and refused: %w", e, e, err)
		case !shown && err == nil:
			return fmt.Errorf("%T%+v is accepted and not shown", e, e)
		case !shown && !typeIs[*DeniedError](err):
			return fmt.Errorf("%T%+v is refused as a fault: %w", e, e, err)
		}
	}
	return nil
}

// compared walks every world of a goal, or one in so many, and returns in how many views, each in a state that
// the walk reaches, every deed was tried, and the first difference.
func compared(m machine, goal Goal, stride int) (views int, found error) {
	deeds, n := everyDeed(), 0
	walked := realMachine // whose walk calls next in every state
	walked.next = func(p Policy, f Flow, now time.Time) View {
		if f.await == nil && found == nil {
			views++
			found = differ(m, p, f, now, deeds)
		}
		return Next(p, f, now)
	}
	x := &explorer{m: walked, seen: map[key]struct{}{}}
	worldsOf(goal, func(w world) bool {
		if n++; n%stride == 0 {
			if err := x.explore(w); err != nil && found == nil {
				found = err
			}
		}
		return found == nil
	})
	return views, found
}

// TestStepAcceptsWhatNextShows tries everything that a person can do in the states of the exploration, of some
// of the worlds: the strides are primes, so that the sample is not in step with any choice.
func TestStepAcceptsWhatNextShows(t *testing.T) {
	for goal := SignIn; goal <= Reversal; goal++ {
		stride := 37
		if goal == SignIn {
			stride = 293
		}
		if testing.Short() || raceEnabled {
			stride *= 7
		}
		views, err := compared(realMachine, goal, stride)
		require.NoError(t, err)
		t.Logf("%-10s %d deeds in %d views", goal, len(everyDeed()), views)
	}
}

// TestComparisonFindsDifferences plants some.
func TestComparisonFindsDifferences(t *testing.T) {
	refusing := func(refusal error) func(Policy, Flow, Event, time.Time) (Flow, []Effect, error) {
		return func(p Policy, f Flow, e Event, now time.Time) (Flow, []Effect, error) {
			if typeIs[Ask](e) {
				return f, nil, refusal
			}
			return Step(p, f, e, now)
		}
	}
	for want, m := range map[string]machine{
		"flow.Submit{Method:password Trust:true Keep:false} is accepted and not shown": {step: Step, next: func(p Policy, f Flow, now time.Time) View {
			v := Next(p, f, now)
			v.Actions = slices.DeleteFunc(v.Actions, func(a Action) bool { return a.Name == "password" })
			return v
		}},
		"is shown and refused":  {step: refusing(Deny(NotOffered)), next: Next},
		"is refused as a fault": {step: refusing(&UnexpectedEventError{}), next: Next},
	} {
		_, err := compared(m, SignIn, 31)
		require.ErrorContains(t, err, want)
	}
}

// TestOffersAndEventsAgree goes from each offer to its event and back.
func TestOffersAndEventsAgree(t *testing.T) {
	for d := identifies; d <= cancels; d++ {
		o := offer{deed: d}
		switch d {
		case submits, asks, enrols:
			o.method = TOTP
		case departs, returns:
			o.method, o.connection = SSO, "c1"
		}
		require.Equal(t, o, offerOf(o.event()))
		require.True(t, offered([]offer{o}, o.event()))
		require.False(t, offered(nil, o.event()))
	}
	for _, e := range []Event{Begin{}, Resume{}, SessionIssued{}} {
		require.Zero(t, offerOf(e))
	}
}
