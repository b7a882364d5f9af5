package password

import (
	"math"
	"sync/atomic"
	"time"
)

// pace is how long a unit of work takes, in nanoseconds: the shortest time that was seen, since whatever
// disturbs a run makes it longer. The zero value has seen nothing. It is safe for concurrent use.
type pace struct{ bits atomic.Uint64 }

func (p *pace) nanos() float64 { return math.Float64frombits(p.bits.Load()) }

// saw takes a run into account.
func (p *pace) saw(took time.Duration, work int64) {
	seen := float64(max(took, 1)) / float64(max(work, 1))
	for {
		old := p.bits.Load()
		if old != 0 && math.Float64frombits(old) <= seen {
			return
		}
		if p.bits.CompareAndSwap(old, math.Float64bits(seen)) {
			return
		}
	}
}

// speed is how fast the hashes of a format are here.
type speed struct {
	own   pace
	fresh *pace // of new hashes
	whole int64 // the work of the dearest hash
	usual usual
}

// rate returns what a unit of the format's work takes, in units of Params.work.
func (s *speed) rate() float64 {
	if s == nil {
		return 1
	}
	return s.own.nanos() / s.fresh.nanos() * s.usual.ratio()
}

// usual corrects a rate. A hash that takes much memory is seldom as fast as at its best, one that takes none
// nearly always is; so what was seen of both within one answer, under the same load, moves the correction a
// step towards it: in the end as many answers are above it as below. It is safe for concurrent use.
type usual struct{ bits atomic.Uint64 }

const (
	usualStep = 0.02
	mostUsual = 2 // a correction beyond this, or beyond its inverse, would be a mistake
)

func (u *usual) ratio() float64 {
	if b := u.bits.Load(); b != 0 {
		return math.Float64frombits(b)
	}
	return 1
}

func (u *usual) saw(sample float64) {
	old := u.bits.Load()
	next := u.ratio()
	switch {
	case sample > next*(1+usualStep):
		next *= 1 + usualStep
	case sample < next/(1+usualStep):
		next /= 1 + usualStep
	}
	next = min(max(next, 1.0/mostUsual), mostUsual)
	u.bits.CompareAndSwap(old, math.Float64bits(next)) // whoever was faster has seen as much
}

// run does all of a task's work, and reports whether the hash matches.
func (h *Hasher) run(t task) bool {
	same, took := h.spend(t.hash, t.text)
	var (
		s      *speed
		filled time.Duration
		work   int64
	)
	for _, f := range t.fillers {
		_, d := h.spend(f, t.text)
		if foreign, ok := f.(foreign); ok {
			s, filled, work = foreign.speed, filled+d, work+foreign.Work(len(t.text))
		}
	}
	if own, ok := t.hash.(interface{ cost() Params }); ok && s != nil && own.cost() == h.params && took > 0 {
		paired := float64(filled) / float64(work) / (float64(took) / float64(h.params.work()))
		s.usual.saw(paired / (s.own.nanos() / s.fresh.nanos()))
	}
	return same
}

// spend does the work of a hash, and sees how long it takes. Only the dearest of each kind tell how fast it is:
// with less memory the same work is done sooner.
func (h *Hasher) spend(s stored, text []byte) (same bool, took time.Duration) {
	if h.measure == nil {
		return s.matches(text), 0
	}
	took = h.measure(func() { same = s.matches(text) })
	if to, work := h.paceOf(s, len(text)); to != nil {
		to.saw(took, work)
	}
	return same, took
}

// paceOf returns the pace that a run of the hash tells of, nil if it tells nothing.
func (h *Hasher) paceOf(s stored, size int) (to *pace, work int64) {
	if own, ok := s.(interface{ cost() Params }); ok && own.cost() == h.params {
		return &h.pace, h.params.work()
	}
	if f, ok := s.(foreign); ok && f.speed != nil && f.Work(typicalSize) == f.speed.whole {
		return &f.speed.own, f.Work(size)
	}
	return nil, 0
}
