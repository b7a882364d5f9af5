package auth_test

import (
	"math/rand/v2"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Which deeds with mail in them are tried.

func mailLink(by, flow, which int) deed {
	return deed{what: "mail-link", by: by, flow: flow, link: which}
}
func mailCode(by, flow, which int) deed {
	return deed{what: "mail-code", by: by, flow: flow, link: which}
}
func asks(by int, what string, whom int) deed {
	return deed{what: what, by: by, whom: whom}
}

func fresh(by, flow int) deed {
	return deed{what: "new-password", by: by, flow: flow, next: anotherOne}
}

func (d deed) ending() deed {
	d.others = true
	return d
}

// mailChoices are the deeds with mail in them that may make a difference where the arena stands.
func (a *arena) mailChoices() []deed {
	var list []deed
	for _, whom := range []int{isAnn, isIvy, isNobody} {
		list = append(list, asks(thief, "forgot", whom), asks(owner, "sign-up", whom), deed{what: "invite", whom: whom})
	}
	list = append(list, asks(native, "forgot", isEve), asks(thief, "sign-up", isNobody), begin(owner, "reset"), begin(owner, "activate"), begin(thief, "undo"))
	if len(a.l.issued) > 0 {
		list = append(list, begin(owner, "move"), begin(thief, "move").with(stolen), begin(thief, "move").with(ended))
	}
	for i := max(0, len(a.l.begun)-3); i < len(a.l.begun); i++ {
		list = append(list, a.mailSteps(i)...)
	}
	for _, goal := range []flow.Goal{flow.Recovery, flow.Activation, flow.Reversal} {
		list = append(list, deed{what: "preview", by: thief, topic: goal})
	}
	for _, what := range []string{"resend", "withdraw", "send-reset", "enable", "disable"} {
		list = append(list, deed{what: what, whom: isIvy}, deed{what: what, whom: isAnn})
	}
	for _, w := range []time.Duration{shellLimits.Resend, shellLimits.Challenge, shellThrottle.MailLeak, 30 * time.Minute, 72 * time.Hour} {
		list = append(list, pause(w), pause(w-time.Microsecond))
	}
	return append(list, operator("unlock"), operator("delete"), operator("compromise"), operator("changed"), deed{what: "rotate"}, deed{what: "retire"}, deed{what: "sweep"})
}

// mailSteps are what the browser of a flow that a mailbox serves, and others, may do with its handles.
func (a *arena) mailSteps(i int) []deed {
	f := a.l.begun[i]
	by, other := f.by, (f.by+1)%clients
	if f.goal == flow.SignIn || f.goal == flow.StepUp || f.target.Enrol == flow.Password {
		return []deed{submit(by, i, rightOne)}
	}
	list := []deed{
		fresh(by, i), fresh(by, i).ending(), fresh(by, i).aged(1), fresh(other, i), {what: "new-password", by: by, flow: i, next: weakOne},
		{what: "look", by: other, flow: i}, {what: "restart", by: by, flow: i}, {what: "cancel", by: by, flow: i},
		submit(by, i, rightOne),
	}
	switch {
	case f.target.Enrol == flow.MailCode:
		list = append(list, deed{what: "new-address", by: by, flow: i, whom: isNobody}, deed{what: "new-address", by: by, flow: i, whom: isFree},
			deed{what: "new-address", by: by, flow: i, whom: isEve}, deed{what: "new-address", by: by, flow: i, whom: isNobody}.with(stolen))
		fallthrough
	case f.goal == flow.SignUp:
		list = append(list, mailCode(by, i, 0), mailCode(by, i, 0).aged(1), mailCode(other, i, 0), mailCode(by, i, 1), mailCode(by, i, foreignSecret),
			mailCode(by, i, forgedSecret), deed{what: "send-mail-code", by: by, flow: i})
	default:
		list = append(list, mailLink(by, i, 0), mailLink(by, i, 0).aged(1), mailLink(other, i, 0), mailLink(by, i, 1), mailLink(by, i, foreignSecret),
			mailLink(by, i, forgedSecret), deed{what: "send-mail-link", by: by, flow: i})
	}
	return append(list, deed{what: "identify", by: by, flow: i, whom: isAnn}, deed{what: "identify", by: by, flow: i, whom: isNobody})
}

// mailOpenings are: a link, a code or an invitation that several hold at once; an account that is about to move, one
// that a thief has moved twice, and one that is locked.
func mailOpenings() []opening {
	signedIn := []deed{signIn(owner, isAnn), submit(owner, 0, rightOne)}
	acts := []deed{
		operator("disable"), operator("compromise"), operator("changed"), operator("delete"), operator("send-reset"),
		signIn(native, isAnn), begin(owner, "end-others"), deed{what: "rotate"}, pause(30 * time.Minute),
	}
	and := func(list []deed, more ...deed) []deed { return append(list[:len(list):len(list)], more...) }
	code := func(by, flow int) deed { return mailCode(by, flow, 0) }
	moving := and(signedIn, begin(owner, "move"), deed{what: "new-address", by: owner, flow: 1, whom: isNobody})
	moved := and(moving, code(owner, 1), begin(owner, "move"), pause(time.Minute), deed{what: "new-address", by: owner, flow: 2, whom: isFree}, code(owner, 2))
	forgotten := and(signedIn, asks(thief, "forgot", isAnn), begin(thief, "reset"), mailLink(thief, 2, 0), signIn(native, isAnn))
	invited := []deed{{what: "invite", whom: isIvy}, begin(owner, "activate"), mailLink(owner, 0, 0), begin(thief, "activate"), mailLink(thief, 1, 0)}
	joining := []deed{
		asks(owner, "sign-up", isNobody), code(owner, 0), asks(thief, "sign-up", isNobody), code(thief, 1),
	}
	return []opening{
		{name: "mail"},
		{name: "rotated", story: []deed{asks(thief, "forgot", isNobody), asks(thief, "forgot", isNobody), {what: "rotate"}}},
		{name: "no more mail", story: and(moving, pause(time.Minute), deed{what: "send-mail-code", by: owner, flow: 1}, pause(time.Minute),
			deed{what: "new-address", by: owner, flow: 1, whom: isFree})},
		{name: "sent again", story: and(moving, pause(time.Minute), deed{what: "send-mail-code", by: owner, flow: 1})},
		{name: "shut out", story: []deed{
			signIn(thief, isAnn), submit(thief, 0, wrongOne), submit(thief, 0, wrongOne), signIn(native, isAnn),
			asks(owner, "forgot", isAnn), mailLink(owner, 2, 0), fresh(owner, 2),
		}},
		{name: "replaced", story: and(forgotten, asks(owner, "forgot", isAnn))},
		{"forgotten", forgotten, []deed{mailLink(thief, 1, 0), fresh(thief, 2), fresh(thief, 2).ending(), submit(native, 3, rightOne), asks(native, "forgot", isAnn)},
			and(acts, mailLink(thief, 1, 0), fresh(thief, 2).ending(), fresh(thief, 2), submit(native, 3, rightOne), asks(native, "forgot", isAnn))},
		{"locked", and(signedIn, signIn(thief, isAnn), deed{what: "password", by: thief, flow: 1, pw: rightOne, hostile: true}, asks(thief, "forgot", isAnn), mailLink(thief, 2, 0)),
			[]deed{fresh(thief, 2), operator("unlock")}, and(acts, fresh(thief, 2), operator("unlock"), submit(owner, 0, rightOne))},
		{"invited", invited, []deed{fresh(owner, 0), fresh(thief, 1), {what: "withdraw", whom: isIvy}, {what: "resend", whom: isIvy}},
			[]deed{fresh(owner, 0), fresh(thief, 1), {what: "withdraw", whom: isIvy}, {what: "resend", whom: isIvy}, {what: "invite", whom: isIvy}, {what: "delete", whom: isIvy}}},
		{"signing up", joining, []deed{fresh(owner, 0), {what: "invite", whom: isNobody}, asks(native, "sign-up", isNobody)},
			[]deed{fresh(owner, 0), fresh(thief, 1), {what: "invite", whom: isNobody}, asks(native, "sign-up", isNobody), asks(native, "forgot", isNobody)}},
		{"moving", and(moving, asks(thief, "sign-up", isNobody), code(thief, 2), begin(thief, "step-up").with(stolen)),
			[]deed{code(owner, 1), fresh(thief, 2), {what: "invite", whom: isAnn}, {what: "invite", whom: isNobody}},
			and(acts, code(owner, 1), fresh(thief, 2), deed{what: "invite", whom: isNobody}, submit(thief, 3, rightOne).with(stolen))},
		{"moved", and(moved, pause(time.Minute), begin(thief, "undo"), begin(native, "undo"), asks(thief, "sign-up", isAnn)),
			[]deed{mailLink(thief, 3, 0), mailLink(native, 4, 1)},
			and(acts, mailLink(thief, 3, 0), mailLink(native, 4, 1), mailLink(native, 4, 0), begin(owner, "move"), deed{what: "invite", whom: isAnn}, begin(owner, "use"))},
	}
}

// naturalMail is what somebody would do next in a flow that mail has a part in, who wants to get on.
func (a *arena) naturalMail(i int, random *rand.Rand) (deed, bool) {
	f := a.l.begun[i]
	if f.goal == flow.SignIn || f.goal == flow.StepUp || f.target.Enrol == flow.Password {
		return deed{}, false
	}
	switch f.need {
	case flow.NewAddress:
		return deed{what: "new-address", by: f.by, flow: i, whom: isNobody + random.IntN(2)}, true
	case flow.FreshProof:
		return submit(f.by, i, rightOne), true
	case flow.PasswordChange:
		return deed{what: "new-password", by: f.by, flow: i, next: anotherOne, others: random.IntN(2) == 0}, true
	case flow.Address:
		if a.l.lastCode(f) != nil {
			return mailCode(f.by, i, 0), true
		}
	}
	return mailLink(f.by, i, random.IntN(2)), true
}

// mailBeginning begins something that mail has a part in.
func mailBeginning(by int, random *rand.Rand) deed {
	list := []deed{
		asks(by, "forgot", random.IntN(4)), asks(by, "sign-up", isNobody+random.IntN(2)), begin(by, "move"), begin(by, "reset"),
		begin(by, "activate"), begin(by, "undo"), {what: "invite", whom: random.IntN(len(addresses))}, operator("send-reset"),
	}
	return list[random.IntN(len(list))]
}

// packMail writes which secrets are out into the key of the arena.
func (a *arena) packMail(k *packer, now time.Time) {
	l := a.l
	r := &request{now: now, oldest: l.oldest}
	for i, x := range l.post.links {
		if x.token.IsZero() || l.void(x, r) != "" && i < len(l.post.links)-1 {
			continue
		}
		k.text(string(x.purpose))
		k.put(i, indexOf(l.order, l.people[x.account]))
		k.flag(l.void(x, r) != "")
		k.age(x.expires.Sub(now), linkLives[auth.ForUndo])
	}
	for i, f := range l.begun {
		k.flag(f.tried)
		k.age(now.Sub(f.sent), shellLimits.Challenge)
		if c := l.lastCode(f); c != nil && !f.closed {
			k.put(i)
			k.text(c.to)
			k.age(now.Sub(c.at), shellLimits.Challenge)
		}
	}
}

func indexOf(list []*person, p *person) int {
	for i := range list {
		if list[i] == p {
			return i
		}
	}
	return -1
}

// mailEpilogue tries every link once more.
func mailEpilogue(a *arena) []deed {
	if len(a.l.post.links) == 0 {
		return nil
	}
	var list []deed
	for i, what := range []string{"reset", "activate", "undo"} {
		list = append(list, begin(native, what), mailLink(native, len(a.l.begun)+i, 0), fresh(native, len(a.l.begun)+i))
	}
	return list
}
