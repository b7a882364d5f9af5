package memory

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTextsAgainstStrings sets and drops texts of all lengths beside plain strings, and watches the memory.
func TestTextsAgainstStrings(t *testing.T) {
	var (
		refs   [200]uint32
		model  [len(refs)]string
		random = rand.New(rand.NewPCG(1, 2))
	)
	kept := texts{refs: func(each func(*uint32)) {
		for i := range refs {
			each(&refs[i])
		}
	}}
	for n := range 6000 {
		i := random.IntN(len(refs))
		switch {
		case random.IntN(3) > 0 && n/1000%3 != 2:
			model[i] = strings.Repeat(fmt.Sprint(n), random.IntN(40)*random.IntN(40)/20) + "."
			kept.set(&refs[i], []byte(model[i]))
		case refs[i] != 0:
			model[i] = ""
			kept.drop(&refs[i])
		}
		held, all := 1, 0
		for i, want := range model {
			if want == "" {
				require.Zero(t, refs[i])
				continue
			}
			if n%20 == 0 {
				require.Equal(t, want, string(kept.get(refs[i])))
			}
			held += len(kept.whole(refs[i]))
			all += len(want)
		}
		require.Equal(t, held, kept.held(), "what is held is known to the byte")
		require.LessOrEqual(t, len(kept.data), fewestText+2*kept.held(), "holes are given back")
		require.LessOrEqual(t, cap(kept.data), 4*all+4*fewestText)
	}
}

func TestTextOfTheSameLengthStaysInItsPlace(t *testing.T) {
	var ref uint32
	kept := texts{refs: func(each func(*uint32)) { each(&ref) }}
	kept.set(&ref, []byte("seen at noon"))
	at, holes := ref, kept.holes
	kept.set(&ref, []byte("seen at four"))
	require.Equal(t, "seen at four", string(kept.get(ref)))
	require.Equal(t, at, ref)
	require.Equal(t, holes, kept.holes)
}

// TestTextsAfterAFlood: where very many refs are empty, a text that comes and goes does not each time have
// all of them looked at.
func TestTextsAfterAFlood(t *testing.T) {
	refs, looked := make([]uint32, 1<<20), 0
	kept := texts{refs: func(each func(*uint32)) {
		for i := range refs {
			each(&refs[i])
		}
		looked += len(refs)
	}}
	kept.tidy(0)
	for n := range 100_000 {
		kept.set(&refs[n%100], []byte("a session of about forty bytes, more or less"))
		kept.drop(&refs[n%100])
	}
	require.Less(t, looked, 10*len(refs))
}
