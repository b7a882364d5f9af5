package auth_test

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Which deeds with second factors are tried.

func rules(c flow.Choice) deed { return deed{what: "rules", rule: c} }

func plain(by int, what string) deed { return deed{what: what, by: by} }

// paired, coded and keyed are how somebody who is signed in gets an app, recovery codes and a passkey, in the flow
// that is begun next.
func paired(by, flow int) []deed {
	return []deed{plain(by, "pair"), hands(by, flow, "enrol-totp", goodTry)}
}

func coded(by, flow int) []deed {
	return []deed{plain(by, "make-codes"), {what: "enrol-recovery-code", by: by, flow: flow}}
}

func keyed(by, flow int, d deed) []deed {
	return []deed{plain(by, "add-passkey"), {what: "send-passkey", by: by, flow: flow}, d}
}

// factorOpenings are: an app, recovery codes, a passkey or a security key that several are about to use at once; an
// account that must have a factor and gets one in two flows; one that is about to lose it; a reset; and another
// account with the same.
func factorOpenings() []opening {
	and := func(list []deed, more ...[]deed) []deed { return slices.Concat(append([][]deed{list}, more...)...) }
	in := []deed{signIn(owner, isAnn), submit(owner, 0, rightOne)}
	withApp := and(in, paired(owner, 1), []deed{pause(stepLength * time.Second)})
	withCodes := and(in, paired(owner, 1), coded(owner, 2), []deed{pause(stepLength * time.Second)})
	withKey := and(in, keyed(owner, 1, hands(owner, 1, "enrol-passkey", goodTry)))
	withPlainKey := and(in, keyed(owner, 1, hands(owner, 1, "enrol-passkey", goodTry).asPlain()))
	both := func(n int) []deed { // the thief and the native client, up to the second factor
		return []deed{signIn(thief, isAnn), submit(thief, n, rightOne), signIn(native, isAnn), submit(native, n+1, rightOne)}
	}
	touched := func(by, n int) []deed { return []deed{plain(by, "touch"), hands(by, n, "passkey", goodTry)} }
	acts := []deed{
		operator("reset-factors"), operator("disable"), operator("changed"), operator("end-all"), operator("delete"), operator("compromise"),
		rules(flow.Always), rules(flow.Never), plain(owner, "end-others"), plain(owner, "sign-out"), pause(stepLength * time.Second),
	}
	totp := func(by, n int) deed { return hands(by, n, "totp", goodTry) }
	code := func(by, n int) deed { return hands(by, n, "recovery-code", goodTry) }
	answer := func(by, n int) deed { return hands(by, n, "passkey", goodTry) }
	app := func(by, n int) deed { return hands(by, n, "enrol-totp", goodTry) }
	off := func(by, n int) deed { return deed{what: "remove", by: by, flow: n} }
	return []opening{
		{name: "no factor yet", story: in},
		{name: "about to be taken off", story: and(withCodes, []deed{plain(owner, "take-off")})},
		{"an app", and(withApp, both(2)), []deed{totp(thief, 2), hands(thief, 2, "totp", wrongTry)}, and(acts, []deed{totp(native, 3), totp(thief, 2), code(thief, 2)})},
		{"recovery codes", and(withCodes, both(3)), []deed{code(thief, 3), totp(thief, 3)}, and(acts, []deed{code(native, 4), code(thief, 3), totp(native, 4)})},
		{"a passkey", and(withKey, []deed{plain(thief, "touch"), plain(native, "touch")}), []deed{answer(thief, 2)},
			and(acts, []deed{answer(native, 3), answer(thief, 2), {what: "send-passkey", by: thief, flow: 2}})},
		{"a security key", and(withPlainKey, []deed{plain(thief, "touch")}, both(3), []deed{{what: "send-passkey", by: native, flow: 4}}),
			[]deed{answer(thief, 2), answer(native, 4)}, and(acts, []deed{answer(native, 4), answer(thief, 2), submit(thief, 2, rightOne)})},
		{"a touch is not all", and(withPlainKey, touched(thief, 2)), []deed{submit(thief, 2, rightOne)}, acts},
		{"a factor is due", and([]deed{rules(flow.Always)}, []deed{signIn(owner, isAnn), submit(owner, 0, rightOne), signIn(thief, isAnn), submit(thief, 1, rightOne)}),
			[]deed{app(owner, 0), app(thief, 1).ending()}, and(acts, []deed{app(thief, 1), app(owner, 0).ending(), {what: "send-passkey", by: thief, flow: 1}})},
		{"taken off", and(withCodes, []deed{plain(owner, "take-off"), plain(thief, "take-off").with(stolen), plain(owner, "enrol"), plain(owner, "raise")}),
			[]deed{off(owner, 3), off(owner, 3).ending(), submit(owner, 5, rightOne)},
			and(acts, []deed{off(owner, 3).ending(), off(thief, 4).with(stolen), renew(owner, 5, true), code(owner, 6)})},
		{"a session of a password", and(withApp, []deed{rules(flow.Never), signIn(thief, isAnn), submit(thief, 2, rightOne), rules(flow.IfEnrolled), plain(thief, "enrol"), plain(thief, "take-off"), plain(thief, "move")}),
			[]deed{submit(thief, 3, rightOne), totp(thief, 3)}, acts},
		{"two ways to add", and(in, []deed{plain(owner, "pair"), plain(owner, "pair"), plain(owner, "add-passkey"), {what: "send-passkey", by: owner, flow: 3}}),
			[]deed{app(owner, 1), hands(owner, 3, "enrol-passkey", goodTry)}, and(acts, []deed{app(owner, 2), app(owner, 1).ending(), hands(owner, 3, "enrol-passkey", goodTry)})},
		{"forgotten with an app", and(withApp, []deed{asks(thief, "forgot", isAnn), begin(thief, "reset"), mailLink(thief, 3, 0)}),
			[]deed{totp(thief, 3), fresh(thief, 3)}, and(acts, []deed{totp(thief, 3), fresh(thief, 3)})},
		{name: "two with an app", story: and(withApp, []deed{signIn(native, isEve), submit(native, 2, rightOne)}, paired(native, 3), []deed{pause(stepLength * time.Second), signIn(thief, isAnn), submit(thief, 4, rightOne)})},
		{name: "two with a passkey", story: and(withKey, []deed{signIn(native, isEve), submit(native, 2, rightOne)}, keyed(native, 3, hands(native, 3, "enrol-passkey", goodTry)),
			[]deed{signIn(thief, isAnn), submit(thief, 4, rightOne), {what: "send-passkey", by: thief, flow: 4}})},
		{name: "two with codes", story: and(withCodes, []deed{signIn(native, isEve), submit(native, 3, rightOne)}, paired(native, 4), coded(native, 5), []deed{signIn(thief, isAnn), submit(thief, 6, rightOne)})},
		{name: "codes that were replaced", story: and(withCodes, coded(owner, 3), []deed{signIn(thief, isAnn), submit(thief, 4, rightOne)})},
		{name: "the last one stays", story: and(withKey, []deed{rules(flow.Always)})},
		{name: "a ceremony after another", story: and(withKey, []deed{plain(thief, "touch"), pause(time.Second), {what: "send-passkey", by: thief, flow: 2}})},
	}
}

// factorChoices are the deeds with second factors that may make a difference where the arena stands.
func (a *arena) factorChoices() []deed {
	list := []deed{signIn(thief, isAnn), plain(thief, "touch"), plain(native, "touch"), rules(flow.Never), rules(flow.IfEnrolled), rules(flow.Always)}
	if len(a.l.issued) > 0 {
		for _, what := range []string{"pair", "make-codes", "add-passkey", "take-off", "raise"} {
			list = append(list, plain(owner, what), plain(thief, what).with(stolen))
		}
		list = append(list, deed{what: "take-off", by: owner, try: foreignTry}, plain(owner, "move"), plain(owner, "enrol"), plain(native, "take-off"))
	}
	for i := max(0, len(a.l.begun)-3); i < len(a.l.begun); i++ {
		list = append(list, a.factorSteps(i)...)
	}
	for _, w := range []time.Duration{time.Second, stepLength * time.Second, shellLimits.Challenge, shellLimits.Fresh + time.Second, shellLimits.Idle} {
		list = append(list, pause(w))
	}
	return append(list, operator("reset-factors"), operator("disable"), operator("enable"), operator("unlock"), operator("compromise"), operator("delete"),
		deed{what: "reset-factors", whom: isEve}, begin(owner, "end-others"), deed{what: "rotate"})
}

// factorSteps are what the flow's own browser and others may do with its handles.
func (a *arena) factorSteps(i int) []deed {
	f := a.l.begun[i]
	by, other := f.by, (f.by+1)%clients
	list := []deed{
		{what: "send-passkey", by: by, flow: i}, {what: "remove", by: by, flow: i}, {what: "remove", by: by, flow: i, others: true},
		{what: "enrol-recovery-code", by: by, flow: i}, submit(by, i, rightOne), {what: "restart", by: by, flow: i}, {what: "look", by: other, flow: i},
		fresh(by, i), renew(by, i, true), {what: "remove", by: other, flow: i},
	}
	for _, what := range []string{"totp", "recovery-code", "passkey"} {
		for _, t := range []try{goodTry, againTry, wrongTry, foreignTry, goneTry} {
			list = append(list, hands(by, i, what, t))
		}
		list = append(list, hands(by, i, what, goodTry).aged(1), hands(other, i, what, goodTry), hands(by, i, what, goodTry).with(stolen))
	}
	list = append(list, hands(by, i, "totp", aheadTry), hands(by, i, "totp", olderTry), hands(by, i, "passkey", formerTry))
	for _, what := range []string{"enrol-totp", "enrol-passkey"} {
		list = append(list, hands(by, i, what, goodTry), hands(by, i, what, goodTry).ending(), hands(other, i, what, goodTry), hands(by, i, what, goodTry).aged(1))
	}
	return append(list, hands(by, i, "enrol-totp", wrongTry), hands(by, i, "enrol-totp", foreignTry), hands(by, i, "enrol-passkey", formerTry),
		hands(by, i, "enrol-passkey", goodTry).asPlain(), deed{what: "new-address", by: by, flow: i, whom: isFree}, mailCode(by, i, 0), mailLink(by, i, 0))
}

// naturalFactor is what somebody would do next in a flow that waits for a second factor, who wants to get on.
func (a *arena) naturalFactor(i int, random *rand.Rand) (deed, bool) {
	f := a.l.begun[i]
	if !a.l.held.possible {
		return deed{}, false
	}
	switch f.need {
	case flow.SecondFactor, flow.FreshProof:
		return a.naturalProof(i, random), true
	case flow.NewFactor:
		switch {
		case f.target.Enrol == flow.RecoveryCode:
			return deed{what: "enrol-recovery-code", by: f.by, flow: i}, true
		case f.ceremony != nil && !f.ceremony.taken:
			return deed{what: "enrol-passkey", by: f.by, flow: i, try: goodTry, plain: random.IntN(2) == 0}, true
		case f.target.Enrol == flow.Passkey || random.IntN(3) == 0:
			return deed{what: "send-passkey", by: f.by, flow: i}, true
		}
		return hands(f.by, i, "enrol-totp", goodTry), true
	case flow.Removal:
		return deed{what: "remove", by: f.by, flow: i, others: random.IntN(2) == 0}, true
	case flow.Identification:
		if f.ceremony != nil && !f.ceremony.taken {
			return hands(f.by, i, "passkey", goodTry), true
		}
	}
	return deed{}, false
}

// naturalProof is one of what the account has, and a wait where its app has shown nothing new yet.
func (a *arena) naturalProof(i int, random *rand.Rand) deed {
	f := a.l.begun[i]
	if f.need == flow.FreshProof && random.IntN(2) == 0 {
		return submit(f.by, i, rightOne)
	}
	list := a.l.heldBy(f.whom)
	if len(list) == 0 {
		return submit(f.by, i, rightOne)
	}
	x := list[random.IntN(len(list))]
	switch {
	case x.method == flow.RecoveryCode:
		return hands(f.by, i, "recovery-code", goodTry)
	case x.method == flow.TOTP && x.counter >= stepOf(a.w.clock.Now()):
		return pause(stepLength * time.Second)
	case x.method == flow.TOTP:
		return hands(f.by, i, "totp", goodTry)
	case f.ceremony != nil && !f.ceremony.taken:
		return hands(f.by, i, "passkey", goodTry)
	}
	return deed{what: "send-passkey", by: f.by, flow: i}
}

// factorBeginning is what somebody who is signed in may do about second factors.
func (a *arena) factorBeginning(by int, random *rand.Rand) deed {
	list := []string{"pair", "pair", "make-codes", "add-passkey", "take-off", "raise", "raise", "enrol"}
	return plain(by, list[random.IntN(len(list))])
}

// factorEpilogue tries everything that was ever used once more, and what is gone.
func factorEpilogue(a *arena) []deed {
	if !a.l.held.possible {
		return nil
	}
	var list []deed
	for i, f := range a.l.begun {
		for _, what := range []string{"totp", "recovery-code", "passkey"} {
			list = append(list, hands(f.by, i, what, againTry), hands(f.by, i, what, goneTry))
		}
	}
	n := len(a.l.begun)
	return append(list, signIn(native, isAnn), submit(native, n, rightOne), hands(native, n, "totp", againTry), hands(native, n, "totp", goneTry),
		hands(native, n, "recovery-code", againTry), hands(native, n, "totp", goodTry))
}
