package flow

import (
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stride takes every world, or one in so many where time is short; it is prime, so that a sample is not in
// step with any choice.
func stride() int {
	switch {
	case raceEnabled:
		return 101 // it is slow, and what is shared is shared by any of them
	case testing.Short():
		return 29
	}
	return 1
}

// walk explores the worlds of a goal on all processors and returns what was seen, or the first problem.
func walk(m machine, goal Goal, stride int) (worlds, states, steps int, problem error) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // short-lived garbage, and plenty of memory
	var (
		mu      sync.Mutex
		workers sync.WaitGroup
		queue   = make(chan world, 64)
		stop    = make(chan struct{})
		once    sync.Once
	)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			x := &explorer{m: m, seen: map[key]struct{}{}}
			for w := range queue {
				err := x.explore(w)
				mu.Lock()
				worlds++
				if err != nil && problem == nil {
					problem = err
				}
				mu.Unlock()
				if err != nil {
					once.Do(func() { close(stop) })
				}
			}
			mu.Lock()
			states, steps = states+x.states, steps+x.steps
			mu.Unlock()
		})
	}
	n := 0
	worldsOf(goal, func(w world) bool {
		if n++; n%stride != 0 {
			return true
		}
		select {
		case queue <- w:
			return true
		case <-stop:
			return false
		}
	})
	close(queue)
	workers.Wait()
	return worlds, states, steps, problem
}

// TestExploration walks every policy, kind of account and order of events to closure. It runs a sample with
// -short and under the race detector.
func TestExploration(t *testing.T) {
	began, all := time.Now(), [3]int{}
	for goal := SignIn; goal <= Reversal; goal++ {
		worlds, states, steps, err := walk(realMachine, goal, stride())
		require.NoError(t, err)
		t.Logf("%-10s %6d worlds %10d states %10d steps", goal, worlds, states, steps)
		all[0], all[1], all[2] = all[0]+worlds, all[1]+states, all[2]+steps
	}
	t.Logf("%-10s %6d worlds %10d states %10d steps in %s", "all", all[0], all[1], all[2], time.Since(began).Round(time.Second))
}

// TestExplorationFindsFaults plants one fault after another and demands that the walk finds it: an
// exploration that cannot fail shows nothing.
func TestExplorationFindsFaults(t *testing.T) {
	for _, fault := range faults() {
		t.Run(strings.ReplaceAll(fault.name, " ", "_"), func(t *testing.T) {
			_, _, _, found := walk(fault, fault.goal, 7)
			require.Error(t, found, "the exploration does not see a machine that %s", fault.name)
		})
	}
}
