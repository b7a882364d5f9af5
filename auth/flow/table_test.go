package flow

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTransitionTable compares the table in the package comment with what the exploration sees happen.
func TestTransitionTable(t *testing.T) {
	x := &explorer{m: realMachine, seen: map[key]struct{}{}, observed: map[transition]struct{}{}}
	for goal := SignIn; goal <= Reversal; goal++ {
		n, stride := 0, 19 // primes, so that a sample is not in step with any choice
		if goal == SignIn {
			stride = 59
		}
		worldsOf(goal, func(w world) bool {
			if n++; n%stride == 0 {
				require.NoError(t, x.explore(w))
			}
			return true
		})
	}
	source, err := os.ReadFile("flow.go")
	require.NoError(t, err)
	comment, _, found := strings.Cut(string(source), "\npackage flow")
	require.True(t, found)
	var table []string
	for line := range strings.Lines(comment) {
		if row, ok := strings.CutPrefix(line, "//\t"); ok {
			table = append(table, strings.TrimRight(row, "\n"))
		}
	}
	require.Equal(t, strings.Join(tableOf(x.observed), "\n"), strings.Join(table, "\n"))
}

func tableOf(observed map[transition]struct{}) []string {
	next := map[Phase]map[string][]string{}
	for t := range observed {
		if next[t.from] == nil {
			next[t.from] = map[string][]string{}
		}
		next[t.from][t.event] = append(next[t.from][t.event], t.to.String())
	}
	var rows []string
	for phase := New; phase <= Closed; phase++ {
		rows = append(rows, rowsOf(phase, next[phase])...)
	}
	return rows
}

func rowsOf(phase Phase, events map[string][]string) []string {
	var rows []string
	for event, to := range events {
		slices.SortFunc(to, func(a, b string) int { return slices.Index(phaseNames[:], a) - slices.Index(phaseNames[:], b) })
		rows = append(rows, strings.TrimRight(fmt.Sprintf("%-12s %-17s %s", phase, event, strings.Join(slices.Compact(to), " ")), " "))
	}
	slices.Sort(rows)
	return rows
}
