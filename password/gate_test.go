package password_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/password"
)

const mib = 1 << 20

var (
	secret = auth.NewSecret("correct horse battery staple")
	busy   = &auth.DeniedError{Refusal: flow.Refusal{Reason: flow.Busy}}
)

// gated returns a Hasher with room for four hashes of 12 MiB, one of them for known devices only, whose
// hash function runs until the test lets it go on.
func gated(t *testing.T, queue int) (h *password.Hasher, running *atomic.Int64, finish chan struct{}) {
	t.Helper()
	running, finish = new(atomic.Int64), make(chan struct{})
	c := small()
	c.Memory, c.KnownShare, c.Queue, c.Wait = 96*mib, 25, queue, time.Minute
	h, err := password.NewWithDerive(c, func(_, _ []byte, _, _ uint32, _ uint8, size uint32) []byte {
		running.Add(1)
		defer running.Add(-1)
		<-finish
		return make([]byte, size)
	})
	require.NoError(t, err)
	return h, running, finish
}

// asked is a call of Verify in flight.
type asked struct {
	done chan struct{}
	err  error
}

func ask(ctx context.Context, h *password.Hasher, known bool) *asked {
	a := &asked{done: make(chan struct{})}
	go func() {
		defer close(a.done)
		_, _, a.err = h.Verify(ctx, "", secret, known)
	}()
	synctest.Wait() // until it runs, waits or has been sent away
	return a
}

func (a *asked) result(t *testing.T) error {
	t.Helper()
	select {
	case <-a.done:
		return a.err
	default:
		t.Fatal("it is still running or waiting")
		return nil
	}
}

func empty(t *testing.T, h *password.Hasher) {
	t.Helper()
	bytes, shared, waiting := h.Held()
	require.Zero(t, bytes)
	require.Zero(t, shared)
	require.Zero(t, waiting)
}

func TestGateKeepsAShareForKnownDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, running, finish := gated(t, 2)
		var flood []*asked
		for range 5 {
			flood = append(flood, ask(t.Context(), h, false))
		}
		require.EqualValues(t, 3, running.Load(), "the fourth place is not theirs")
		require.ErrorIs(t, ask(t.Context(), h, false).result(t), busy, "the line is full: told so at once")
		owner := ask(t.Context(), h, true)
		require.EqualValues(t, 4, running.Load(), "the owner goes straight in")

		second := ask(t.Context(), h, true)
		require.EqualValues(t, 4, running.Load())
		finish <- struct{}{} // one of the four; if it was unknown, an unknown one follows
		synctest.Wait()
		require.EqualValues(t, 4, running.Load())
		close(finish)
		synctest.Wait()
		for _, a := range append(flood, owner, second) {
			require.NoError(t, a.result(t))
		}
		empty(t, h)
	})
}

func TestGateSharesMayBeUsedByKnownDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, running, finish := gated(t, 2)
		var owners []*asked
		for range 6 {
			owners = append(owners, ask(t.Context(), h, true))
		}
		require.EqualValues(t, 4, running.Load())
		require.ErrorIs(t, ask(t.Context(), h, true).result(t), busy, "their line has an end too")
		close(finish)
		synctest.Wait()
		for _, a := range owners {
			require.NoError(t, a.result(t))
		}
		empty(t, h)
	})
}

func TestGateIsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []int
		finish := make(chan struct{})
		c := small()
		c.Memory, c.KnownShare = 96*mib, 75 // one at a time for unknown callers
		h, err := password.NewWithDerive(c, func(pw, _ []byte, _, _ uint32, _ uint8, size uint32) []byte {
			mu.Lock()
			order = append(order, int(pw[0]))
			mu.Unlock()
			<-finish
			return make([]byte, size)
		})
		require.NoError(t, err)
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() { _, _, _ = h.Verify(t.Context(), "", auth.NewSecret(string(rune('0'+i))), false) })
			synctest.Wait()
		}
		close(finish)
		wg.Wait()
		require.Equal(t, []int{'0', '1', '2', '3', '4', '5', '6', '7', '8', '9'}, order)
	})
}

func TestGateCancelledWaitersFreeTheirPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, running, finish := gated(t, 2)
		for range 3 {
			ask(t.Context(), h, false)
		}
		gone := errors.New("the client went away")
		ctx, cancel := context.WithCancelCause(t.Context())
		left := ask(ctx, h, false)
		stays := ask(t.Context(), h, false)
		require.ErrorIs(t, ask(t.Context(), h, false).result(t), busy)
		cancel(gone)
		synctest.Wait()
		require.ErrorIs(t, left.result(t), gone, "at once, not when its turn comes")
		next := ask(t.Context(), h, false) // in the place that became free
		require.EqualValues(t, 3, running.Load())
		close(finish)
		synctest.Wait()
		require.NoError(t, stays.result(t))
		require.NoError(t, next.result(t))
		empty(t, h)
	})
}

func TestGateWakesWhoStandsBehindACancelledOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finish := make(chan struct{})
		var running atomic.Int64
		c := small()
		c.Memory = 96 * mib
		h, err := password.NewWithDerive(c, func(_, _ []byte, _, _ uint32, _ uint8, size uint32) []byte {
			running.Add(1)
			<-finish
			return make([]byte, size)
		})
		require.NoError(t, err)
		ask(t.Context(), h, true) // 12 of 48 MiB
		ask(t.Context(), h, true) // 24
		ctx, cancel := context.WithCancel(t.Context())
		large := &asked{done: make(chan struct{})}
		go func() { // needs 36 at once, and is first in line
			defer close(large.done)
			_, _, large.err = h.Verify(ctx, "$argon2id$v=19$m=36864,t=1,p=1$"+salt+"$"+tag, secret, true)
		}()
		synctest.Wait()
		behind := ask(t.Context(), h, true) // 36 would fit, but nobody passes
		require.EqualValues(t, 2, running.Load())
		cancel()
		synctest.Wait()
		require.ErrorIs(t, large.result(t), context.Canceled)
		require.EqualValues(t, 3, running.Load(), "nobody else would have woken it")
		close(finish)
		synctest.Wait()
		require.NoError(t, behind.result(t))
		empty(t, h)
	})
}

func TestGateUnknownCallersDoNotPassEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, running, finish := gated(t, 3) // 36 MiB for unknown callers
		ask(t.Context(), h, false)
		verify := func(kib string, known bool) {
			go func() {
				_, _, _ = h.Verify(t.Context(), "$argon2id$v=19$m="+kib+",t=1,p=1$"+salt+"$"+tag, secret, known)
			}()
			synctest.Wait()
		}
		verify("32768", false)
		verify("1024", false)
		require.EqualValues(t, 1, running.Load(), "the small one fits, but the large one came first")
		verify("1024", true)
		require.EqualValues(t, 2, running.Load(), "a known one passes both")
		close(finish)
		synctest.Wait()
		empty(t, h)
	})
}

func TestGatePatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, finish := gated(t, 2)
		for range 3 {
			ask(t.Context(), h, false)
		}
		waiter := ask(t.Context(), h, false)
		time.Sleep(time.Minute - 1)
		select {
		case <-waiter.done:
			t.Fatal("too early")
		default:
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.ErrorIs(t, waiter.result(t), busy)
		close(finish)
		synctest.Wait()
		empty(t, h)
	})
}

func TestGateCancelAndAdmissionAtOnce(t *testing.T) {
	// Whoever is let in and cancelled at the same moment goes on, and leaves nothing behind.
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			h, _, finish := gated(t, 2)
			for range 3 {
				ask(t.Context(), h, false)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancelled := ask(ctx, h, false)
			h.Grow(12*mib, cancel)
			synctest.Wait()
			close(finish)
			synctest.Wait()
			if err := cancelled.result(t); err != nil {
				require.ErrorIs(t, err, context.Canceled)
			}
			empty(t, h)
		})
	}
}

func TestGateSurvivesAPanic(t *testing.T) {
	h, err := password.NewWithDerive(small(), func(_, _ []byte, _, _ uint32, _ uint8, _ uint32) []byte { panic("out of luck") })
	require.NoError(t, err)
	require.Panics(t, func() { _, _, _ = h.Verify(t.Context(), "", secret, false) })
	require.Panics(t, func() { _, _ = h.Hash(t.Context(), secret, true) })
	empty(t, h)
}

func TestGateUnderFlood(t *testing.T) {
	// A thousand callers with hashes of all sizes, some of whom give up: never more than the memory in flight
	// (ASVS 15.2.2), and everybody gets an answer.
	const memory = 100 * mib
	var held, most atomic.Int64
	c := small()
	c.Memory, c.Queue, c.Wait = 2*memory, 1000, time.Minute
	h, err := password.NewWithDerive(c, func(_, _ []byte, _, kib uint32, _ uint8, size uint32) []byte {
		now := held.Add(int64(kib) << 10)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		for range 200 {
			runtime.Gosched() // let others in, so that holding overlaps
		}
		held.Add(-int64(kib) << 10)
		return make([]byte, size)
	})
	require.NoError(t, err)
	hashes := []string{
		"", "$argon2id$v=19$m=65536,t=1,p=1$" + salt + "$" + tag, "$argon2id$v=19$m=32768,t=1,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=8,t=1,p=1$" + salt + "$" + tag, "not a hash",
	}
	var wg sync.WaitGroup
	for range 1000 {
		hash, known, impatient := hashes[rand.IntN(len(hashes))], rand.IntN(4) == 0, rand.IntN(3) == 0
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if impatient {
				go cancel()
			}
			_, _, _ = h.Verify(ctx, hash, secret, known)
		})
	}
	wg.Wait()
	empty(t, h)
	require.LessOrEqual(t, most.Load(), int64(memory))
	require.Greater(t, most.Load(), int64(memory)/2, "they ran side by side, or this shows nothing")
}
