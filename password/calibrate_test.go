package password_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/password"
)

// machine takes time of its own clock for each hash.
type machine struct {
	clock  time.Time
	takes  func(kib, passes uint32) time.Duration
	hashes int
	during func()
}

func (m *machine) now() time.Time { return m.clock }

func (m *machine) derive(_, _ []byte, passes, kib uint32, lanes uint8, size uint32) []byte {
	if lanes != 1 {
		panic("lanes")
	}
	if m.hashes++; m.during != nil {
		m.during()
	}
	m.clock = m.clock.Add(m.takes(kib, passes))
	return make([]byte, size)
}

// steady takes the given time for each MiB and pass.
func steady(perMiB time.Duration) func(kib, passes uint32) time.Duration {
	return func(kib, passes uint32) time.Duration {
		return time.Duration(kib) * time.Duration(passes) * perMiB / 1024
	}
}

func TestCalibrate(t *testing.T) {
	const ms = time.Millisecond
	for _, row := range []struct {
		name   string
		perMiB time.Duration
		target time.Duration
		memory uint32 // MiB
		want   password.Params
		took   time.Duration
	}{
		{"memory first", ms, 100 * ms, 256, password.Params{Memory: 100 << 10, Passes: 1, Lanes: 1}, 100 * ms},
		{"up to its bound, then passes", ms, 250 * ms, 64, password.Params{Memory: 64 << 10, Passes: 3, Lanes: 1}, 192 * ms},
		{"the default bound", ms, 250 * ms, 0, password.Params{Memory: 64 << 10, Passes: 3, Lanes: 1}, 192 * ms},
		{"all of a target", ms, 256 * ms, 64, password.Params{Memory: 64 << 10, Passes: 4, Lanes: 1}, 256 * ms},
		{"no longer than the target", ms, 255 * ms, 64, password.Params{Memory: 64 << 10, Passes: 3, Lanes: 1}, 192 * ms},
		{"never below the floor", ms, 10 * ms, 64, password.Params{Memory: 46 << 10, Passes: 1, Lanes: 1}, 46 * ms},
		{"a small machine", ms, 100 * ms, 32, password.Params{Memory: 32 << 10, Passes: 3, Lanes: 1}, 96 * ms},
		{"a small machine, short", ms, 45 * ms, 32, password.Params{Memory: 22 << 10, Passes: 2, Lanes: 1}, 44 * ms},
		{"a tiny machine", ms, 100 * ms, 12, password.Params{Memory: 12 << 10, Passes: 8, Lanes: 1}, 96 * ms},
		{"a tiny machine, short", ms, 1 * ms, 12, password.Params{Memory: 12 << 10, Passes: 3, Lanes: 1}, 36 * ms},
		{"all passes there are", ms, 5 * time.Second, 64, password.Params{Memory: 64 << 10, Passes: 10, Lanes: 1}, 640 * ms},
		{"all memory there is", 10 * time.Microsecond, 5 * time.Second, 1024, password.Params{Memory: 1 << 20, Passes: 4, Lanes: 1}, 40960 * time.Microsecond},
		{"a clock that stands", 0, time.Second, 64, password.Params{Memory: 46 << 10, Passes: 1, Lanes: 1}, 0},
	} {
		m := &machine{takes: steady(row.perMiB)}
		p, took, err := password.CalibrateWith(t.Context(), m.derive, m.now, row.target, row.memory<<10)
		require.NoError(t, err, row.name)
		require.Equal(t, row.want, p, row.name)
		require.Equal(t, row.took, took, row.name)
	}
}

// Whatever the machine, the result is one that New accepts and within the bounds, found in bounded time.
func TestCalibrateOnAnyMachine(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		target := time.Duration(random.Int64N(int64(5*time.Second))) + 1
		memory := 12<<10 + random.Uint32N(1<<20-12<<10+1)
		speed := float64(time.Duration(random.ExpFloat64() * float64(time.Millisecond)))
		bent, noise := 1+random.Float64()/3, random.Float64()/4
		m := &machine{takes: func(kib, passes uint32) time.Duration { // more memory is slower memory, and others work too
			mib := float64(kib) / 1024
			return time.Duration(speed * mib * bent * float64(passes) * (1 + noise*random.Float64()))
		}}
		p, took, err := password.CalibrateWith(t.Context(), m.derive, m.now, target, memory)
		require.NoError(t, err)
		_, err = password.New(password.Config{Params: p, Memory: 16 << 30})
		require.NoError(t, err)
		require.LessOrEqual(t, p.Memory, memory)
		floor := p == password.Params{Memory: 46 << 10, Passes: 1, Lanes: 1} || p == password.Params{Memory: 19 << 10, Passes: 2, Lanes: 1} ||
			p == password.Params{Memory: 12 << 10, Passes: 3, Lanes: 1}
		require.True(t, floor || took <= target, "%v took %v of %v", p, took, target)
		full := p.Memory > memory-1024 && p.Passes == 10 || p.Memory*p.Passes > 4<<20-p.Memory
		room := float64(took)*(1+1/float64(p.Passes)) < 0.6*float64(target)
		require.False(t, !full && room && p.Memory <= memory-1024, "%v took only %v of %v", p, took, target)
		require.LessOrEqual(t, m.hashes, 34)
	}
}

func TestCalibrateRefuses(t *testing.T) {
	for _, row := range []struct {
		target time.Duration
		memory uint32
		says   string
	}{
		{0, 0, "the target is 0s"},
		{-time.Second, 0, "the target is -1s"},
		{5*time.Second + 1, 0, "at most 5s"},
		{time.Second, 12<<10 - 1, "memory of 12287 KiB"},
		{time.Second, 1<<20 + 1, "memory of 1048577 KiB"},
	} {
		m := &machine{takes: steady(time.Millisecond)}
		p, took, err := password.CalibrateWith(t.Context(), m.derive, m.now, row.target, row.memory)
		require.ErrorContains(t, err, row.says)
		require.Zero(t, p)
		require.Zero(t, took)
		require.Zero(t, m.hashes)
	}
}

func TestCalibrateEndsWithItsContext(t *testing.T) {
	enough := errors.New("enough")
	for after := range 9 {
		ctx, cancel := context.WithCancelCause(t.Context())
		m := &machine{takes: steady(time.Millisecond)}
		m.during = func() {
			if m.hashes > after {
				cancel(enough)
			}
		}
		_, _, err := password.CalibrateWith(ctx, m.derive, m.now, time.Second, 0)
		require.ErrorIs(t, err, enough)
		require.Equal(t, after+1, m.hashes)
	}
}

// What it finds depends on the machine: 5 ms is little enough to get the floor on any.
func ExampleCalibrate() {
	params, took, err := password.Calibrate(context.Background(), 5*time.Millisecond, 12<<10)
	if err != nil {
		panic(err)
	}
	fmt.Printf("Params: password.Params{Memory: %d, Passes: %d, Lanes: %d}, %t\n", params.Memory, params.Passes, params.Lanes, took > 0)
	// Output:
	// Params: password.Params{Memory: 12288, Passes: 3, Lanes: 1}, true
}
