package memory

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTableAgainstMap fills and empties a table, with hashes that often collide, beside a map.
func TestTableAgainstMap(t *testing.T) {
	for _, hashes := range []uint32{1, 7, 300, 1 << 31} {
		var (
			table  table
			random = rand.New(rand.NewPCG(1, uint64(hashes)))
			model  = map[uint32]uint32{} // from ref to hash
			refs   []uint32
		)
		find := func(hash, ref uint32) uint32 { return table.find(hash, func(r uint32) bool { return r == ref }) }
		for next := uint32(1); next < 6000; next++ {
			emptying := next/1000%2 == 1
			if !emptying || len(refs) == 0 {
				model[next] = uint32(uint64(random.Uint32()%hashes) * (1<<32 - 1) / uint64(max(hashes-1, 1))) // the first to the last
				table.put(model[next], next)
				refs = append(refs, next)
			} else {
				i := random.IntN(len(refs))
				gone := refs[i]
				refs[i] = refs[len(refs)-1]
				refs = refs[:len(refs)-1]
				table.remove(model[gone], gone)
				require.Zero(t, find(model[gone], gone))
				delete(model, gone)
			}
			require.Equal(t, len(model), table.used)
			require.LessOrEqual(t, len(table.slots), max(fewestSlots, 3*len(model)), "memory is given back")
			if next%50 == 0 {
				for ref, hash := range model {
					require.Equal(t, ref, find(hash, ref))
				}
			}
		}
	}
}
