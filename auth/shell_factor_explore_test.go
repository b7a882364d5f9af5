package auth_test

import (
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// runFactors is run for where people have second factors.
func (s *search) runFactors(x extent) error {
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	s.factored = true
	for _, o := range factorOpenings() {
		s.breadth(o.story, x.depth, (*arena).factorChoices)
	}
	for _, o := range factorOpenings() {
		s.pairs(o.story, o.outer, o.inner, x.stride)
	}
	s.parallel(x.walks, func(i int) error { return s.walk(uint64(i), x.length) })
	return s.problem
}

// factorReach is the whole of it, or what there is time for.
func factorReach() extent {
	switch {
	case raceEnabled:
		return extent{depth: 1, stride: 23, walks: 10, length: 40}
	case testing.Short():
		return extent{depth: 1, stride: 3, walks: 40, length: 60}
	}
	return extent{depth: 1, stride: 1, walks: 200, length: 80}
}

// TestShellFactorExploration is TestShellExploration where people have second factors.
func TestShellFactorExploration(t *testing.T) {
	began, s := time.Now(), newSearch(t, fault{})
	require.NoError(t, s.runFactors(factorReach()), problemFound)
	t.Logf("the shell with second factors: %s; %d changes of factors, %d uses; in %s",
		s.report(), s.total.factors, s.total.uses, time.Since(began).Round(time.Second))
	require.NotZero(t, s.total.sessions)
	require.NotZero(t, s.total.factors)
	require.NotZero(t, s.total.uses)
	for _, reason := range []auth.Reason{
		flow.WrongCode, flow.PasskeyRefused, flow.NotFound, flow.TooManyAttempts, flow.AssuranceShort, flow.FactorRequired, flow.Stale,
	} {
		require.NotZero(t, s.total.refusals[reason.String()], "nothing was refused as %s", reason)
	}
}
