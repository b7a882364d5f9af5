package password

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/argon2"
)

const (
	greatestTarget = 5 * time.Second
	// defaultCeiling is what the default Config.Memory and KnownShare have room for.
	defaultCeiling = 64 * kibi // KiB

	trials = 3 // of each parameters; the middle one counts
	rounds = 5 // of growing memory, and again of adding passes
)

// Calibrate returns parameters with which one hash takes about target on this machine, but not longer, and
// how long it took. Target is up to 5 seconds; a quarter of one is usual. Memory, in KiB, is the most that one hash
// may use; zero means 64 MiB, which fits the default Config.
//
// Memory is raised first, for it costs a guesser most, and passes are added when it has reached its bound. The
// result is never below what New accepts (ASVS 11.4.2): if even that takes longer than target, it is returned all
// the same, and the time tells. There is one lane, since a busy server has no idle cores for more.
//
// This is for a small command that somebody runs once on a machine like those that serve, with nothing else
// going on, and not for every start: parameters that follow the load of the moment would be weak just when it is
// high, and differ between machines that share a database. It takes at most about 35 times target. Write the
// result into the configuration:
//
//	password.Config{Params: password.Params{Memory: 65536, Passes: 2, Lanes: 1}}
//
// and mind the gate: Config.Memory must have room for as many hashes as should run at a time. Existing hashes
// are raised as people sign in.
//
// The error says what is out of range, or wraps the cause of ctx, which is looked at before each hash.
func Calibrate(ctx context.Context, target time.Duration, memory uint32) (Params, time.Duration, error) {
	return calibrator{argon2.IDKey, time.Now}.calibrate(ctx, target, memory)
}

// calibrator measures.
type calibrator struct {
	derive deriveFunc
	now    func() time.Time
}

// timed are parameters and the time of a hash made with them.
type timed struct {
	Params
	took time.Duration
}

func (c calibrator) calibrate(ctx context.Context, target time.Duration, memory uint32) (Params, time.Duration, error) {
	if memory == 0 {
		memory = defaultCeiling
	}
	least, ok := leastParams(memory)
	switch {
	case target <= 0 || target > greatestTarget:
		return Params{}, 0, fmt.Errorf("password: calibrate: the target is %v; it must be positive and at most %v", target, greatestTarget)
	case !ok || memory > maxMemory:
		return Params{}, 0, fmt.Errorf("password: calibrate: memory of %d KiB is out of range %d to %d", memory, 12*kibi, maxMemory)
	}
	c.hash(least) // the first one finds cold caches
	best, err := c.measure(ctx, least)
	if err != nil {
		return Params{}, 0, err
	}
	best, err = c.climb(ctx, best, target, func(p Params, by float64) Params { return p.withMemory(by, memory) })
	if err == nil && best.Memory > memory-kibi { // or more memory takes too long, and then so does another pass
		best, err = c.climb(ctx, best, target, Params.withPasses)
	}
	if err != nil {
		return Params{}, 0, err
	}
	return best.Params, best.took, nil
}

// leastParams returns the cheapest parameters that New accepts with the fewest passes that the memory allows.
func leastParams(memory uint32) (p Params, ok bool) {
	for i, floor := range []uint32{46 * kibi, 19 * kibi, 12 * kibi} {
		if memory >= floor {
			return Params{Memory: floor, Passes: uint32(i + 1), Lanes: 1}, true
		}
	}
	return Params{}, false
}

// climb goes on from best to the costliest parameters that stay within the target. Time is nearly proportional
// to what grows, so a few steps suffice; each is tried between what was short enough and what was not.
func (c calibrator) climb(ctx context.Context, best timed, target time.Duration, grow func(Params, float64) Params) (timed, error) {
	var tooLong *Params
	for range rounds {
		if best.took >= target || best.took <= 0 {
			return best, nil
		}
		next := grow(best.Params, float64(target)/float64(best.took))
		if tooLong != nil && next.work() >= tooLong.work() {
			half := float64(best.work()+tooLong.work()) / 2 / float64(best.work())
			next = grow(best.Params, half)
		}
		if next == best.Params || tooLong != nil && next == *tooLong {
			return best, nil
		}
		tried, err := c.measure(ctx, next)
		if err != nil {
			return timed{}, err
		}
		if tried.took > target {
			tooLong = &next
			continue
		}
		best = tried
	}
	return best, nil
}

// withMemory returns the parameters with so many times the memory, in whole MiB, up to a bound.
func (p Params) withMemory(by float64, most uint32) Params {
	memory := min(float64(p.Memory)*by, float64(most), float64(maxWork/p.Passes))
	if whole := uint32(memory) / kibi * kibi; whole > p.Memory {
		p.Memory = whole
	}
	return p
}

// withPasses returns the parameters with so many times the passes, up to the bounds of any hash.
func (p Params) withPasses(by float64) Params {
	p.Passes = uint32(min(float64(p.Passes)*by, maxPasses, float64(maxWork/p.Memory)))
	return p
}

func (c calibrator) measure(ctx context.Context, p Params) (timed, error) {
	var times []time.Duration
	for range trials {
		if err := context.Cause(ctx); err != nil {
			return timed{}, fmt.Errorf("password: calibrate: %w", err)
		}
		start := c.now()
		c.hash(p)
		times = append(times, c.now().Sub(start))
	}
	slices.Sort(times)
	return timed{p, times[trials/2]}, nil
}

func (c calibrator) hash(p Params) {
	c.derive([]byte("correct horse battery staple"), make([]byte, saltSize), p.Passes, p.Memory, p.Lanes, tagSize)
}
