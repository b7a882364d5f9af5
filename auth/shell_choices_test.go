package auth_test

import (
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// The waits: on both sides of each limit that a step can meet.
var waits = []time.Duration{
	30*time.Second - time.Microsecond, time.Microsecond, 30 * time.Second, 40 * time.Second, 80 * time.Second,
	shellLimits.Fresh + time.Second, shellLimits.Idle - time.Microsecond, shellLimits.Idle, shellLimits.Total,
	time.Hour, sessionIdle, sessionAbsolute,
}

// choices are the deeds that may make a difference where the arena stands.
func (a *arena) choices() []deed {
	list := a.beginnings()
	for i := max(0, len(a.l.begun)-3); i < len(a.l.begun); i++ {
		list = append(list, a.steps(i)...)
	}
	list = append(list, a.sessionDeeds()...)
	list = append(list, a.operatorDeeds()...)
	for _, w := range waits {
		list = append(list, pause(w))
	}
	if a.l.keys < 4 {
		list = append(list, deed{what: "rotate"})
	}
	if a.l.oldest < a.l.keys {
		list = append(list, deed{what: "retire"})
	}
	return append(list, deed{what: "sweep"})
}

func (a *arena) beginnings() []deed {
	list := []deed{
		signIn(owner, isAnn), signIn(thief, isAnn), signIn(native, isAnn), signIn(thief, isEve), signIn(thief, isNobody), signIn(thief, isIvy),
		{what: "sign-in", by: thief, whom: isEve, token: stolen}, {what: "sign-in", by: thief, whom: isAnn, device: stolen},
	}
	if len(a.l.issued) == 0 {
		return append(list, begin(owner, "enrol"), begin(thief, "fresh"))
	}
	for _, what := range []string{"step-up", "fresh", "enrol"} {
		list = append(list, begin(owner, what), begin(thief, what).with(stolen), begin(thief, what).with(ended))
	}
	return append(list, begin(thief, "enrol"), begin(native, "enrol"))
}

// steps are what the flow's own browser and others may do with its handles.
func (a *arena) steps(i int) []deed {
	f := a.l.begun[i]
	if f.goal != flow.SignIn && f.goal != flow.StepUp && f.target.Enrol != flow.Password {
		return a.mailSteps(i)
	}
	by, other := f.by, (f.by+1)%clients
	list := []deed{
		submit(by, i, rightOne), submit(by, i, wrongOne), submit(other, i, rightOne), submit((f.by+2)%clients, i, rightOne),
		submit(by, i, rightOne).aged(1), submit(by, i, wrongOne).aged(1), submit(other, i, rightOne).aged(1),
		submit(by, i, rightOne).aged(2), submit(by, i, rightOne).aged(forged), submit(other, i, rightOne).aged(forged),
		submit(by, i, rightOne).aged(imaginary), {what: "look", by: by, flow: i}, {what: "look", by: other, flow: i},
		{what: "password", by: by, flow: i, pw: rightOne, busy: true}, {what: "password", by: by, flow: i, pw: formerOne},
		{what: "accept", by: by, flow: i},
	}
	if f.byStranger() {
		return append(list, a.strangersSteps(f, i)...)
	}
	list = append(list,
		submit(by, i, rightOne).with(stolen), submit(by, i, rightOne).with(none), submit(by, i, rightOne).with(ended),
		deed{what: "cancel", by: by, flow: i},
	)
	if f.goal == flow.Enrolment {
		list = append(list,
			renew(by, i, false), renew(by, i, true), renew(by, i, true).with(stolen), renew(by, i, false).aged(1),
			deed{what: "password", by: by, flow: i, pw: rightOne, next: weakOne},
			deed{what: "password", by: by, flow: i, pw: wrongOne, next: anotherOne},
		)
		for _, others := range []bool{false, true} {
			list = append(list, deed{what: "new-password", by: by, flow: i, next: anotherOne, others: others})
		}
		list = append(list,
			deed{what: "new-password", by: by, flow: i, next: anotherOne, age: 1}, deed{what: "new-password", by: other, flow: i, next: anotherOne},
			deed{what: "new-password", by: by, flow: i, next: anotherOne, token: stolen},
		)
	}
	return list
}

func (a *arena) strangersSteps(f *flowFacts, i int) []deed {
	by := f.by
	list := []deed{
		{what: "restart", by: by, flow: i}, {what: "identify", by: by, flow: i, whom: isAnn}, {what: "identify", by: by, flow: i, whom: isEve},
		{what: "password", by: by, flow: i, pw: rightOne, hostile: true}, {what: "password", by: by, flow: i, pw: rightOne, device: stolen},
		{what: "password", by: by, flow: i, pw: rightOne, token: stolen},
	}
	if f.proof != nil {
		list = append(list,
			deed{what: "new-password", by: by, flow: i, next: anotherOne}, deed{what: "new-password", by: by, flow: i, next: anotherOne, others: true},
			deed{what: "new-password", by: by, flow: i, next: rightOne}, deed{what: "new-password", by: by, flow: i, next: anotherOne, age: 1},
			deed{what: "new-password", by: by, flow: i, next: anotherOne, busy: true},
		)
	}
	return list
}

func (a *arena) sessionDeeds() []deed {
	if len(a.l.issued) == 0 {
		return nil
	}
	return []deed{
		begin(owner, "use"), begin(thief, "use"), begin(thief, "use").with(stolen), begin(thief, "use").with(ended),
		begin(owner, "end-others"), begin(thief, "end-others").with(stolen), begin(thief, "end-others").with(ended),
		begin(owner, "end-one"), begin(thief, "end-one").with(stolen), begin(owner, "sign-out"), begin(thief, "sign-out").with(stolen),
	}
}

func (a *arena) operatorDeeds() []deed {
	var list []deed
	for _, what := range []string{"disable", "enable", "unlock", "compromise", "changed", "end-all", "delete"} {
		list = append(list, operator(what))
	}
	return append(list,
		deed{what: "host-password", whom: isAnn, next: anotherOne}, deed{what: "compromise", whom: isEve}, deed{what: "compromise", whom: isIvy},
		deed{what: "disable", whom: isEve}, deed{what: "enable", whom: isEve}, deed{what: "disable", whom: isIvy}, deed{what: "enable", whom: isIvy},
		deed{what: "disable", whom: isNobody},
	)
}
