package flow

import (
	"slices"
	"time"
)

// policies are every combination of choices. Connections come in two, so that a domain may route to another
// one than the organisation demands.
func entries() []Entry {
	var list []Entry
	all := []Method{Password, Passkey, Social}
	for bits := range 8 {
		var set Methods
		for i, m := range all {
			if bits>>i&1 == 1 {
				set = set.With(m)
			}
		}
		for _, c := range []string{"", "c1"} {
			if set != 0 || c != "" {
				list = append(list, Entry{Methods: set, Connection: c, SignUp: true, Recovery: true})
			}
		}
	}
	return list
}

func rules() []Rules {
	var list []Rules
	for _, connection := range []string{"", "c1", "c2"} {
		for second := Never; second <= Always; second++ {
			for verify := VerifyNever; verify <= VerifyPasswordAndSocial; verify++ {
				for _, spare := range []bool{false, true} {
					for _, risk := range []bool{false, true} {
						list = append(list, Rules{connection, second, verify, spare, risk, false, 0, false})
					}
				}
			}
		}
	}
	return list
}

// kinds are the accounts: every mix of credentials that the machine tells apart, and every standing.
func kinds() []Subject {
	var list []Subject
	add := func(verifying bool, methods ...Method) {
		list = append(list, Subject{
			Account: alice, Status: Active, Enrolled: MethodsOf(methods...), VerifyingPasskey: verifying,
		})
	}
	add(false, Password)
	add(false, Password, TOTP)
	add(false, Password, RecoveryCode)
	add(false, Password, HostFactor, RecoveryCode)
	add(false, Password, Passkey)
	add(true, Password, Passkey)
	add(false, Password, Social, TOTP)
	add(false, Social)
	add(false, Passkey)
	add(true, Passkey)
	add(false, Passkey, TOTP)
	for _, methods := range []Methods{MethodsOf(Social), MethodsOf(Password, Social, TOTP)} {
		list = append(list, Subject{Account: alice, Status: Active, Enrolled: methods, Reauthenticates: true})
	}
	add(false, SSO)
	add(false, SSO, TOTP)
	add(false)
	compromised := list[0]
	compromised.Compromised = true
	list = append(list, compromised)
	for _, status := range []Status{Invited, Disabled, Locked} {
		for _, methods := range []Methods{MethodsOf(Password), MethodsOf(Social, SSO, Passkey), MethodsOf(Password, Social, TOTP)} {
			list = append(list, Subject{Account: alice, Status: status, Enrolled: methods})
		}
	}
	return append(list, Subject{Account: decoy, Decoy: true})
}

// acting are the proofs that a session can bring: none that counts, one old, one fresh, two.
func actingProofs(s Subject) [][]Proof {
	proof := func(m Method, age time.Duration) Proof {
		return Proof{Method: m, At: epoch.Add(-age), Account: s.Account, Connection: connectionOf(m)}
	}
	var sets [][]Proof
	for _, m := range s.Enrolled.And(firstFactors).List() {
		if m.Redirects() {
			sets = append(sets, told(proof(m, 0), 0), told(proof(m, 0), 5*tick), told(proof(m, 5*tick), 0))
		}
		for _, age := range []time.Duration{tick, tick + time.Nanosecond} {
			sets = append(sets, []Proof{proof(m, age)})
		}
		for _, second := range s.Enrolled.And(secondFactors).List() {
			sets = append(sets, []Proof{proof(m, 5*tick), proof(second, 0)}, []Proof{proof(m, 0), proof(second, 0)})
		}
	}
	return sets
}

// told is a proof by a provider that told when it had authenticated the person.
func told(p Proof, before time.Duration) []Proof {
	p.AuthTime = p.At.Add(-before)
	return []Proof{p}
}

func connectionOf(m Method) string {
	switch m {
	case SSO:
		return "c1"
	case Social:
		return "p1"
	}
	return ""
}

// worldsOf yields every world of a goal. Goals other than signing in look at nothing of the rules but the
// connection; their worlds carry the other rules along, to be compared in every state.
func worldsOf(goal Goal, yield func(world) bool) {
	all := rules()
	for _, r := range all {
		var others []Rules
		if goal != SignIn {
			if r != (Rules{Connection: r.Connection}) {
				continue
			}
			others = all[slices.IndexFunc(all, func(o Rules) bool { return o.Connection == r.Connection }):][:len(all)/3]
		}
		if !worldsUnder(r, others, goal, yield) {
			return
		}
		if goal != Recovery { // the only one that looks for an approver
			continue
		}
		r.Approver, others = true, slices.Clone(others)
		for i := range others {
			others[i].Approver = true
		}
		if !worldsUnder(r, others, goal, yield) {
			return
		}
	}
}

// worldsUnder yields the worlds under one set of rules, and reports whether to go on.
func worldsUnder(r Rules, others []Rules, goal Goal, yield func(world) bool) bool {
	for _, subject := range kinds() {
		worlds := sessionsWorlds(goal, subject)
		if goal.ByStranger() {
			worlds = strangersWorlds(goal, subject)
		}
		for _, w := range worlds {
			w.policy.Rules, w.policy.Limits, w.subject, w.others = r, tinyLimits, subject, others
			if !lastWorlds(w, yield) {
				return false
			}
		}
	}
	return true
}

// lastWorlds yields a world, and if it is about the account's last factor, also one in which the rules demand it.
func lastWorlds(w world, yield func(world) bool) bool {
	if !w.begin.Target.Last {
		return yield(w)
	}
	demanding, lenient := w, w
	demanding.policy.Rules.SecondFactor = Always
	demands := func(r Rules) bool { return r.SecondFactor == Always }
	lenient.others = slices.DeleteFunc(slices.Clone(w.others), demands)
	demanding.others = slices.DeleteFunc(slices.Clone(w.others), func(r Rules) bool { return !demands(r) })
	return yield(lenient) && yield(demanding)
}

func strangersWorlds(goal Goal, subject Subject) []world {
	if subject.Reauthenticates {
		return nil // it is known of who has a session, and of nobody else
	}
	w := world{
		policy: Policy{Entry: Entry{Methods: MethodsOf(Password), SignUp: true, Recovery: true}}, begin: Begin{Goal: goal},
	}
	switch goal {
	case SignIn:
		w.entries = entries()
	case SignUp, Recovery: // which look at nothing else of it
		w.entries = []Entry{w.policy.Entry, {Methods: MethodsOf(Password)}}
	}
	trusted := w
	trusted.trusted = AAL2 // less, and NoTrust, are held against it by TestTrustSparesWhatItSays
	return []world{w, trusted}
}

func sessionsWorlds(goal Goal, subject Subject) []world {
	if subject.Decoy || subject.Status != Active {
		return nil // refused at Begin, which TestBeginRefuses shows
	}
	var list []world
	for _, proofs := range actingProofs(subject) {
		for _, target := range targetsOf(goal) {
			list = append(list, world{
				policy: Policy{Entry: Entry{Methods: MethodsOf(Password)}},
				begin:  Begin{Goal: goal, Target: target, Acting: Acting{Session: "s1", Subject: subject, Proofs: proofs}},
			})
		}
	}
	return list
}

func targetsOf(goal Goal) []Target {
	switch goal {
	case Enrolment:
		var list []Target
		for _, m := range enrollable.List() {
			list = append(list, Target{Enrol: m})
		}
		for _, m := range []Method{TOTP, Passkey, RecoveryCode} {
			list = append(list, Target{Enrol: m, Remove: "f1"}, Target{Enrol: m, Remove: "f1", Last: true})
		}
		return append(list, Target{Enrol: Passkey, Remove: "f1", Sole: true})
	case Linking:
		return []Target{{}, {Connection: "p1"}, {Enrol: Social, Remove: "l1"}, {Enrol: SSO, Remove: "l1", Sole: true}}
	case StepUp:
		return append(agesOf(), confirmations()...)
	}
	return agesOf()
}

// agesOf are targets at every level, with and without an age.
func agesOf() []Target {
	return []Target{
		{}, {Assurance: AAL1}, {Assurance: AAL2}, {Assurance: AAL1, MaxAge: tick}, {Assurance: AAL2, MaxAge: tick},
		{Assurance: AAL1, MaxAge: tick, Methods: MethodsOf(Password)}, {Methods: MethodsOf(TOTP), MaxAge: tick},
	}
}
