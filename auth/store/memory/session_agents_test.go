package memory

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAgentsAreForgotten: clients choose what they are called, so a name must not outlive its last session.
func TestAgentsAreForgotten(t *testing.T) {
	var a agents
	require.Empty(t, a.text(a.take("")))
	firefox := a.take("Firefox")
	require.Equal(t, firefox, a.take("Firefox"))
	for n := range 100 {
		made := a.take(fmt.Sprint("made up ", n))
		require.Equal(t, fmt.Sprint("made up ", n), a.text(made))
		a.drop(made)
	}
	require.Len(t, a.numbers, 1)
	require.Len(t, a.kept, 2, "the place of a forgotten one is used again")
	a.drop(firefox)
	require.Equal(t, "Firefox", a.text(firefox))
	a.drop(firefox)
	a.drop(0)
	require.Equal(t, agents{}, a)
}
