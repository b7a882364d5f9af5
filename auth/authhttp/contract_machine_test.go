package authhttp_test

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

// This file asks the machine itself what it can offer: flow.Next is pure, so it is shown every combination of
// facts and policies that its answer may depend on. That is more than can be reached, and never less.

// offer is one action with the inputs that it comes with, over all Views.
type offer struct {
	name    string
	always  []string          // in every View that has the action
	kinds   map[string]string // of all inputs it ever has
	chooses bool              // a connection goes with it, as an input or in the View
}

// machineViews returns one View for each combination of goal, phase, need, outcome and actions.
var machineViews = sync.OnceValue(func() []flow.View {
	seen := map[string]flow.View{}
	for _, f := range machineFlows() {
		for _, p := range machinePolicies() {
			v := flow.Next(p, f, now)
			key := []byte{byte(v.Goal), byte(v.Phase), byte(v.Need), v.Outcome[0], byte(len(v.Actions))}
			for _, a := range v.Actions {
				key = append(key, a.Name...)
				key = append(key, a.Connection...)
				for _, in := range a.Inputs {
					key = append(key, in.Name...)
				}
			}
			if _, there := seen[string(key)]; !there {
				seen[string(key)] = v
			}
		}
	}
	var list []flow.View
	for _, key := range slices.Sorted(maps.Keys(seen)) {
		list = append(list, seen[key])
	}
	return list
})

// machinePolicies are every entry, which matters before a first proof, and every rule, which matters after it.
func machinePolicies() []flow.Policy {
	list := []flow.Policy{
		{Entry: flow.Entry{Methods: flow.MethodsOf(flow.Password, flow.Passkey, flow.Social), SignUp: true, Recovery: true}},
		{Entry: flow.Entry{Methods: flow.MethodsOf(flow.Password), Connection: "okta"}},
		{Rules: flow.Rules{Risk: true}},
	}
	for _, connection := range []string{"", "okta"} {
		for second := flow.Never; second <= flow.Always; second++ {
			for i, verification := range []flow.Verification{flow.VerifyNever, flow.VerifyPasswordAndSocial} {
				list = append(list, flow.Policy{
					Entry: flow.Entry{Methods: flow.MethodsOf(flow.Password), Recovery: i > 0, SignUp: i > 0},
					Rules: flow.Rules{Connection: connection, SecondFactor: second, Verification: verification, Approver: i > 0},
				})
			}
		}
	}
	for i := range list {
		list[i].Limits = flow.DefaultLimits()
	}
	return list
}

// machineFlows are the facts that a flow may hold.
func machineFlows() []flow.Flow {
	var list []flow.Flow
	for goal := flow.SignIn; goal <= flow.Reversal; goal++ {
		for _, target := range machineTargets(goal) {
			for _, subject := range machineSubjects() {
				for _, proofs := range machineProofs() {
					for _, challenge := range []flow.Method{0, flow.MailCode, flow.MailLink, flow.Passkey, flow.Social, flow.SSO} {
						f := flow.Flow{Goal: goal, Target: target, Subject: subject, Proofs: proofs, Begun: now, Touched: now}
						if challenge != 0 {
							f.Challenge = flow.Challenge{Method: challenge, Connection: connectionOf(challenge), At: now}
						}
						list = append(list, f)
						if target.Enrol == flow.MailCode {
							f.Candidate = flow.Candidate{Identifier: "new@example.com", Typed: "New@example.com"}
							list = append(list, f)
						}
					}
				}
			}
		}
	}
	for outcome := flow.Granted; outcome <= flow.Ended; outcome++ {
		list = append(list, flow.Flow{Goal: flow.SignIn, Outcome: outcome, Begun: now, Touched: now})
	}
	return list
}

// connectionOf is the connection of a challenge: a stay at a provider always has one.
func connectionOf(m flow.Method) string {
	if m.Redirects() {
		return "okta"
	}
	return ""
}

func machineTargets(goal flow.Goal) []flow.Target {
	switch {
	case goal == flow.Enrolment:
		var list []flow.Target
		for m := flow.Password; m <= flow.Approval; m++ {
			if slices.Contains(enrollable(), m.String()) {
				list = append(list, flow.Target{Enrol: m}, flow.Target{Enrol: m, Remove: "factor-1"})
			}
		}
		return list
	case goal.ByStranger():
		return []flow.Target{{}}
	}
	return []flow.Target{{Assurance: flow.AAL1, MaxAge: time.Minute}, {Assurance: flow.AAL2, MaxAge: time.Minute}}
}

func machineSubjects() []flow.Subject {
	list := []flow.Subject{{}, {Account: "a", Status: flow.Locked, Enrolled: flow.MethodsOf(flow.Social)}, {Account: "a", Status: flow.Invited}, {Account: "a", Status: flow.Active, Compromised: true}}
	for _, enrolled := range []flow.Methods{
		flow.MethodsOf(flow.Password), flow.MethodsOf(flow.Password, flow.TOTP), flow.MethodsOf(flow.Password, flow.HostFactor),
		flow.MethodsOf(flow.Password, flow.TOTP, flow.RecoveryCode, flow.Passkey, flow.HostFactor, flow.Social, flow.SSO),
	} {
		list = append(list, flow.Subject{Account: "a", Status: flow.Active, Enrolled: enrolled, VerifyingPasskey: true})
	}
	return list
}

func machineProofs() [][]flow.Proof {
	list := [][]flow.Proof{nil}
	list = append(list, []flow.Proof{{Method: flow.Password, At: now, Account: "a"}, {Method: flow.TOTP, At: now, Account: "a"}})
	for m := flow.Password; m <= flow.Approval; m++ {
		one := flow.Proof{Method: m, At: now, Account: "a", Connection: connectionOf(m)}
		old := flow.Proof{Method: m, At: now.Add(-time.Hour), Account: "a", Connection: connectionOf(m), Inherited: true}
		list = append(list, []flow.Proof{one}, []flow.Proof{old})
		if m != flow.MailLink {
			list = append(list, []flow.Proof{{Method: flow.MailLink, At: now, Account: "a"}, one})
		}
	}
	return list
}

// machineActions sums up what the machine can offer, in the order of the alphabet.
var machineActions = sync.OnceValue(func() []offer {
	all := map[string]offer{}
	for _, v := range machineViews() {
		for _, a := range v.Actions {
			o, known := all[a.Name]
			if !known {
				o = offer{name: a.Name, kinds: map[string]string{}}
			}
			var required []string
			for _, in := range a.Inputs {
				o.kinds[in.Name] = in.Kind
				if in.Required && (!known || slices.Contains(o.always, in.Name)) {
					required = append(required, in.Name)
				}
			}
			o.always = required
			o.chooses = o.chooses || a.Connection != "" || o.kinds["connection"] != ""
			all[a.Name] = o
		}
	}
	var list []offer
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name])
	}
	return list
})

// TestTheHandlerTakesWhatTheMachineOffers holds the handler's table of actions and the machine together, in
// both directions: each action that the machine can offer has its fields there, and nothing else has.
func TestTheHandlerTakesWhatTheMachineOffers(t *testing.T) {
	table := authhttp.ActionFields()
	for _, o := range machineActions() {
		kinds, carried := maps.Clone(o.kinds), true
		if o.chooses {
			kinds["connection"] = "text"
		}
		for name, kind := range kinds {
			got, _ := authhttp.FieldKind(name)
			carried = carried && got != ""
			if got != "" {
				require.Equal(t, map[string]string{"text": "text", "secret": "text", "flag": "flag", "object": "object"}[kind], got, "%s of %s", name, o.name)
			}
		}
		fields, there := table[o.name]
		require.Equal(t, carried, there, "the machine can offer %s with %v", o.name, kinds)
		if !there {
			continue
		}
		require.ElementsMatch(t, append([]string{"flow", "action"}, o.always...), fields.Must, o.name)
		require.ElementsMatch(t, slices.Collect(maps.Keys(kinds)), append(fields.Must[2:], fields.May...), o.name)
		delete(table, o.name)
	}
	require.Empty(t, table, "the machine offers none of these")
	for _, g := range vocabulary(t)["goals"] {
		require.Contains(t, authhttp.GoalFields(), g.Code)
	}
	require.Len(t, authhttp.GoalFields(), len(vocabulary(t)["goals"]))
}
