package password_test

import (
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/password"
)

// seconds returns a Hasher with places for three hashes of unknown callers and one more for known devices, each
// of which takes a second.
func seconds(t *testing.T, queue int) (h *password.Hasher, most *atomic.Int64) {
	t.Helper()
	var running atomic.Int64
	most = new(atomic.Int64)
	c := small()
	c.Memory, c.KnownShare, c.Queue, c.Wait = 96*mib, 25, queue, time.Hour
	h, err := password.NewWithDerive(c, func(_, _ []byte, _, _ uint32, _ uint8, size uint32) []byte {
		now := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		time.Sleep(time.Second)
		return make([]byte, size)
	})
	require.NoError(t, err)
	return h, most
}

// The share of known devices: under a flood of strangers, an owner waits for the hashes of the owners in front
// and not for those of strangers, however many stand in line (ASVS 6.3.1, 15.2.2).
func TestFloodOfStrangersDoesNotKeepOwnersWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, most := seconds(t, 1000)
		start := time.Now()
		for range 1000 {
			ask(t.Context(), h, false)
		}
		time.Sleep(500 * time.Millisecond) // in the middle of everything
		var waited [10]time.Duration
		var wg sync.WaitGroup
		for i := range waited {
			wg.Go(func() {
				began := time.Now()
				_, _, err := h.Verify(t.Context(), "", secret, true)
				waited[i] = time.Since(began) - time.Second // its own hash
				if err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		for i, d := range waited {
			require.LessOrEqual(t, d, time.Duration(i)*time.Second, "owner %d has %d owners in front", i, i)
		}
		synctest.Wait()
		for _, _, waiting := h.Held(); waiting > 0; _, _, waiting = h.Held() {
			time.Sleep(time.Second)
		}
		time.Sleep(time.Second)
		empty(t, h)
		require.EqualValues(t, 4, most.Load())
		// The strangers had three places all the time, and lost none of it to the owners.
		require.InDelta(t, 1000/3.0, time.Since(start).Seconds(), 3)
	})
}

// A place that becomes free is taken at once: the line costs no throughput.
func TestFloodLeavesNoPlaceEmpty(t *testing.T) {
	for _, row := range []struct {
		name          string
		others, known int
		lasts         time.Duration
	}{
		{"owners use all places", 0, 64, 16 * time.Second},
		{"strangers theirs", 63, 0, 21 * time.Second},
		{"both", 48, 16, 16 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, most := seconds(t, 100)
			start := time.Now()
			var wg sync.WaitGroup
			for i := range row.others + row.known {
				wg.Go(func() {
					if _, _, err := h.Verify(t.Context(), "", secret, i >= row.others); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
			}
			wg.Wait()
			require.Equal(t, row.lasts, time.Since(start), row.name)
			require.LessOrEqual(t, most.Load(), int64(4), row.name)
			empty(t, h)
		})
	}
}

// Who finds the line full is told so without any wait, and the lines of owners and strangers are apart.
func TestFloodIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := seconds(t, 5)
		for range 3 + 5 {
			ask(t.Context(), h, false)
		}
		start := time.Now()
		for range 1000 {
			require.ErrorIs(t, ask(t.Context(), h, false).result(t), busy)
		}
		require.Zero(t, time.Since(start))
		for range 1 + 5 {
			ask(t.Context(), h, true)
		}
		require.ErrorIs(t, ask(t.Context(), h, true).result(t), busy)
		require.Zero(t, time.Since(start))
		_, _, waiting := h.Held()
		require.Equal(t, 5+5, waiting)
		time.Sleep(time.Minute)
		empty(t, h)
	})
}

// ASVS 15.2.2: what the process takes for hashes is what the configuration says, however many sign in at once.
// This one measures the real thing; 64 MiB are the allowance for all else. Without the gate it would be 24
// times 12 MiB at least, and mostly twice that.
func TestFloodTakesTheConfiguredMemory(t *testing.T) {
	c := small()
	c.Memory, c.KnownShare, c.Queue, c.Wait = 96*mib, 25, 100, time.Hour
	h := newHasher(t, c)
	p := watch()
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			if _, _, err := h.Verify(t.Context(), "", secret, i%4 == 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, p.stop(), uint64(c.Memory+64*mib))
}

// peak watches how much memory the process takes.
type peak struct {
	before, most uint64
	over         chan struct{}
	done         sync.WaitGroup
}

func watch() *peak {
	debug.FreeOSMemory() // what came before does not count
	p := &peak{before: taken(), over: make(chan struct{})}
	p.done.Go(func() {
		for {
			p.most = max(p.most, taken())
			select {
			case <-p.over:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	return p
}

// stop returns the most that was taken since watch, in bytes.
func (p *peak) stop() uint64 {
	close(p.over)
	p.done.Wait()
	return p.most - p.before
}

// taken is what the Go runtime has of the system.
func taken() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}
