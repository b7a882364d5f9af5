package password_test

import (
	"errors"
	"flag"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/cardea-auth/cardea/password"
)

// With 64, the benchmark is the flood of the design; ungated it takes 4 to 9 GB of memory and a minute.
var flooders = flag.Int("flooders", 16, "sign-ins at once in BenchmarkFlood")

// The hash of the flood: 64 MiB and three passes.
var costly = password.Params{Memory: 64 << 10, Passes: 3, Lanes: 1}

func costlyHash(bool) error {
	argon2.IDKey([]byte("correct horse battery staple"), make([]byte, 16), costly.Passes, costly.Memory, costly.Lanes, 32)
	return nil
}

// flood is what came of so many sign-ins at once.
type flood struct {
	all      time.Duration
	took     []time.Duration // of those that were let in, the shortest first
	refusals []time.Duration
	peak     uint64 // bytes
}

// run signs so many in at once, every fourth from a known device.
func run(b *testing.B, n int, signIn func(known bool) error) (f flood) {
	b.Helper()
	p := watch()
	var mu sync.Mutex
	var ready, wg sync.WaitGroup
	ready.Add(n)
	var start atomic.Int64
	begun := time.Now()
	open := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			ready.Done()
			<-open
			mine := time.Now()
			err := signIn(i%4 == 0)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, busy):
				f.refusals = append(f.refusals, time.Since(mine))
			case err != nil:
				b.Error(err)
			default:
				f.took = append(f.took, time.Since(mine))
			}
		})
	}
	ready.Wait()
	start.Store(int64(time.Since(begun)))
	close(open)
	wg.Wait()
	f.all = time.Since(begun) - time.Duration(start.Load())
	f.peak = p.stop()
	slices.Sort(f.took)
	slices.Sort(f.refusals)
	return f
}

func (f flood) perSecond() float64 { return float64(len(f.took)) / f.all.Seconds() }

func (f flood) report(b *testing.B) {
	b.ReportMetric(float64(f.peak)/mib, "peak-MiB")
	b.ReportMetric(f.perSecond(), "hashes/s")
	b.ReportMetric(f.took[len(f.took)*99/100].Seconds(), "p99-s")
}

// BenchmarkFlood is many sign-ins at once, without a gate and through it. "gate" also lets two at once through and no
// more, which is the floor: it reports the gate's throughput as a share of that, and its memory beyond
// Config.Memory. The two alternate, so that a busy machine is busy for both. "full" has a short line, and reports how soon the rest is refused.
func BenchmarkFlood(b *testing.B) {
	gated := func(b *testing.B, queue int) (password.Config, func(bool) error) {
		// Two places for unknown callers, and one more for known devices.
		c := password.Config{Params: costly, Memory: 400 * mib, KnownShare: 34, Queue: queue, Wait: time.Hour}
		h := newHasher(b, c)
		return c, func(known bool) error { _, _, err := h.Verify(b.Context(), "", secret, known); return err }
	}
	b.Run("ungated", func(b *testing.B) {
		for b.Loop() {
			run(b, *flooders, costlyHash).report(b)
		}
	})
	b.Run("gate", func(b *testing.B) {
		c, verify := gated(b, *flooders)
		for b.Loop() {
			var floors, gates [2]flood
			floors[0], gates[0] = run(b, *flooders, atMost(2)), run(b, *flooders, verify)
			gates[1], floors[1] = run(b, *flooders, verify), run(b, *flooders, atMost(2))
			worst := gates[0]
			worst.peak = max(worst.peak, gates[1].peak)
			worst.report(b)
			b.ReportMetric((float64(worst.peak)-float64(c.Memory))/mib, "over-MiB")
			b.ReportMetric(float64(max(floors[0].peak, floors[1].peak))/mib, "floor-MiB")
			b.ReportMetric(float64(floors[0].all+floors[1].all)/float64(gates[0].all+gates[1].all), "of-floor")
		}
	})
	b.Run("full", func(b *testing.B) {
		_, verify := gated(b, 2)
		for b.Loop() {
			f := run(b, *flooders, verify)
			f.report(b)
			require.NotEmpty(b, f.refusals)
			b.ReportMetric(float64(len(f.refusals)), "refused")
			b.ReportMetric(float64(f.refusals[len(f.refusals)-1].Microseconds())/1000, "refused-ms")
		}
	})
}

// atMost bounds the hashes in flight by a number.
func atMost(n int) func(bool) error {
	places := make(chan struct{}, n)
	return func(known bool) error {
		places <- struct{}{}
		defer func() { <-places }()
		return costlyHash(known)
	}
}
