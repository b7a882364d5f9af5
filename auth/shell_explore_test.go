package auth_test

import (
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// opening is where orders of deeds begin, and which of them run in the middle of which.
type opening struct {
	name         string
	story        []deed
	outer, inner []deed
}

// openings are: nothing yet; an account and an address whose counters are full; flows and sessions of several
// browsers side by side; a password that was proven again; a compromised password that was proven; a session that
// was lost to a thief; a closed account.
func openings() []opening {
	owners := []deed{signIn(owner, isAnn), submit(owner, 0, rightOne)}
	after := func(deeds ...deed) []deed { return append(owners[:2:2], deeds...) }
	var acts []deed
	for _, what := range []string{"disable", "compromise", "changed", "end-all", "delete"} {
		acts = append(acts, operator(what))
	}
	acts = append(acts,
		deed{what: "host-password", whom: isAnn, next: anotherOne}, begin(owner, "end-others"), begin(owner, "sign-out"),
		deed{what: "rotate"}, pause(shellLimits.Idle),
	)
	turn := func(by, flow int) deed { return deed{what: "new-password", by: by, flow: flow, next: anotherOne} }
	twice := func(list ...deed) (both []deed) { // with the double click of each
		for _, d := range list {
			both = append(both, d, d.aged(1))
		}
		return append(both, acts...)
	}
	return []opening{
		{name: "nothing"},
		{"guessed", []deed{
			signIn(thief, isAnn), submit(thief, 0, wrongOne), submit(thief, 0, wrongOne), signIn(native, isAnn),
		}, []deed{submit(thief, 0, wrongOne), submit(native, 1, rightOne), operator("unlock")},
			[]deed{submit(native, 1, rightOne), submit(native, 1, wrongOne), operator("unlock"), signIn(owner, isAnn), pause(40 * time.Second)}},
		{name: "address used up", story: []deed{
			signIn(thief, isAnn), submit(thief, 0, wrongOne), submit(thief, 0, wrongOne),
			signIn(thief, isEve), submit(thief, 1, wrongOne), submit(thief, 1, wrongOne),
			signIn(thief, isNobody), submit(thief, 2, wrongOne), submit(thief, 2, wrongOne),
			pause(40 * time.Second), submit(thief, 1, rightOne), signIn(thief, isIvy), submit(thief, 3, wrongOne),
		}},
		{"side by side", after(signIn(thief, isAnn), begin(owner, "enrol")),
			append([]deed{submit(thief, 1, rightOne), renew(owner, 2, false), renew(owner, 2, true)}, acts[:8]...),
			twice(submit(thief, 1, rightOne), submit(thief, 1, wrongOne), renew(owner, 2, true), submit(owner, 2, wrongOne), begin(owner, "fresh"))},
		{"proven again", after(begin(owner, "enrol"), submit(owner, 1, rightOne), begin(owner, "step-up")),
			[]deed{turn(owner, 1), submit(owner, 2, rightOne), begin(owner, "fresh"), begin(owner, "end-others"), begin(owner, "use")},
			twice(turn(owner, 1), submit(owner, 2, rightOne), begin(owner, "enrol"), deed{what: "cancel", by: owner, flow: 1})},
		{"compromised", []deed{
			signIn(native, isAnn), submit(native, 0, rightOne), operator("compromise"), signIn(thief, isAnn), submit(thief, 1, rightOne),
		}, []deed{turn(thief, 1), operator("disable"), begin(native, "end-others")},
			twice(turn(thief, 1), deed{what: "restart", by: thief, flow: 1}, begin(native, "enrol"))},
		{"stolen", after(begin(thief, "enrol").with(stolen), begin(thief, "step-up").with(stolen)),
			[]deed{
				renew(thief, 1, true).with(stolen), submit(thief, 2, rightOne).with(stolen), begin(owner, "end-others"), operator("end-all"),
				begin(thief, "end-others").with(stolen),
			},
			twice(renew(thief, 1, true).with(stolen), submit(thief, 2, rightOne).with(stolen), begin(thief, "end-others").with(stolen))},
		{"closed", after(signIn(thief, isAnn), operator("disable"), signIn(native, isAnn)),
			[]deed{operator("enable"), submit(thief, 1, rightOne), operator("disable"), operator("delete")},
			[]deed{operator("enable"), operator("disable"), submit(thief, 1, rightOne), submit(native, 2, rightOne), operator("changed")}},
	}
}

// extent is how far a search goes.
type extent struct {
	depth, stride, walks, length int
}

// run searches as far as the extent says, and stops at the first problem.
func (s *search) run(x extent) error {
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // short-lived garbage, and plenty of memory
	for _, o := range openings() {
		s.breadth(o.story, x.depth, (*arena).choices)
		s.pairs(o.story, o.outer, o.inner, x.stride)
	}
	for _, o := range mailOpenings() {
		s.breadth(o.story, x.depth, (*arena).mailChoices)
		s.pairs(o.story, o.outer, o.inner, x.stride)
	}
	s.parallel(x.walks, func(i int) error { return s.walk(uint64(i), x.length) })
	return s.problem
}

// reach is the whole of it, or what there is time for.
func reach() extent {
	switch {
	case raceEnabled:
		return extent{depth: 1, stride: 11, walks: 20, length: 40}
	case testing.Short():
		return extent{depth: 1, stride: 3, walks: 150, length: 60}
	}
	return extent{depth: 2, stride: 1, walks: 400, length: 80}
}

// problemFound is what the test says when the exploration has found something.
const problemFound = "the exploration has found that"

// TestShellExploration lets an adversary, the owner and the operator loose on the shell, and holds everything that
// comes of it against the ledger. It runs a part with -short and under the race detector.
func TestShellExploration(t *testing.T) {
	began, s := time.Now(), newSearch(t, fault{})
	require.NoError(t, s.run(reach()), problemFound)
	t.Logf("the shell: %s, in %s", s.report(), time.Since(began).Round(time.Second))
	require.NotZero(t, s.total.sessions)
	require.NotZero(t, s.total.changes)
	require.NotZero(t, s.total.repeats)
	require.NotZero(t, s.total.completions)
	require.NotZero(t, s.total.moves)
	require.NotZero(t, s.total.signUps)
	require.NotZero(t, s.total.shown)
	for _, reason := range []auth.Reason{
		flow.BadCredentials, flow.TooManyAttempts, flow.Expired, flow.Stale, flow.SessionRequired, flow.NotOffered,
		flow.AccountLocked, flow.PasswordRejected, flow.Busy, flow.WrongCode, flow.TooSoon, flow.AddressTaken,
	} {
		require.NotZero(t, s.total.refusals[reason.String()], "nothing was refused as %s", reason)
	}
}

// TestShellExplorationFindsPortFaults plants one fault after another: an exploration that cannot fail shows nothing.
func TestShellExplorationFindsPortFaults(t *testing.T) {
	for _, f := range portFaults() {
		t.Run(testName(f.name), func(t *testing.T) {
			err := newSearch(t, f).run(extent{depth: 1, stride: 3, walks: 150, length: 60})
			require.Error(t, err, "the exploration does not see that %s", f.name)
			t.Log(strings.SplitN(err.Error(), "\n", 2)[0])
		})
	}
}
