package password

import "time"

// All answers take as long as the slowest hash that may be stored. The account that has no hash, the one with
// a cheap hash from an import and the one that was upgraded yesterday would otherwise each answer in a time
// of its own, and tell a stranger that it exists, or how it is protected. The time is spent on work, not on
// waiting: under load work takes longer, and who only waits is told apart.

// timedKind is a kind of hash that may be stored: a new one, or that of a declared format.
type timedKind struct {
	name    string
	dearest stored // no password's, as costly as any
	// decoy returns a hash of nobody's password that takes a share of the time of dearest, or a little less;
	// nil if there is none.
	decoy func(share float64) stored
}

// newKind is the kind of new hashes.
func (h *Hasher) newKind(decoy argon2id) timedKind {
	return timedKind{name: "new hashes", dearest: decoy, decoy: func(share float64) stored {
		p := decoy.Params
		p.Memory = uint32(share * float64(p.Memory))
		if p.Memory < 8*uint32(p.Lanes) { // the least that Argon2 can do
			return nil
		}
		return argon2id{p, make([]byte, saltSize), make([]byte, tagSize), decoy.derive}
	}}
}

func foreignKind(f Format, s *speed) timedKind {
	return timedKind{name: f.Name(), dearest: foreign{f.Decoy(1), s}, decoy: func(share float64) stored {
		if hash := f.Decoy(share); hash != nil {
			return foreign{hash, s}
		}
		return nil
	}}
}

// slowest returns the kind whose dearest hash takes the longest for a password of size bytes. Kinds differ in
// how they take long passwords.
func (h *Hasher) slowest(size int) timedKind {
	found := h.kinds[0]
	for _, k := range h.kinds[1:] {
		if k.dearest.lasts(size) > found.dearest.lasts(size) {
			found = k
		}
	}
	return found
}

// What is missing is made up for in a few steps, as some kinds only come in powers of two, until less than a
// 64th is missing.
const (
	maxFillers = 6
	leastShare = 1.0 / 64
)

// task is what an answer does for one text: a hash to compare with, or one of nobody's password, and then
// fillers that make up for the rest of the time.
type task struct {
	text    []byte
	hash    stored
	fillers []stored
}

// newTask plans the answer for an account whose hash is target, nil if it has none.
func (h *Hasher) newTask(target stored, text string) task {
	slow := h.slowest(len(text))
	t := task{[]byte(text), target, nil}
	if target == nil {
		t.hash = slow.dearest
		return t
	}
	whole := slow.dearest.lasts(len(text))
	for missing := whole - h.lasts(target, len(text)); len(t.fillers) < maxFillers; {
		share := float64(missing) / float64(whole)
		if share < leastShare {
			break
		}
		d := slow.decoy(share)
		if d == nil || d.lasts(len(text)) <= 0 {
			break
		}
		t.fillers = append(t.fillers, d)
		missing -= d.lasts(len(text))
	}
	return t
}

// bytes is what the tasks hold at the gate, one after the other.
func (h *Hasher) bytes(tasks ...task) int64 {
	most := h.reserved
	for _, t := range tasks {
		most = max(most, t.hash.reserve())
		for _, f := range t.fillers {
			most = max(most, f.reserve())
		}
	}
	return most
}

// lasts is how long a stored hash takes here. Lanes run side by side, so an Argon2id hash that has as many as
// the declared ones is as fast as those.
func (h *Hasher) lasts(s stored, size int) int64 {
	own, ok := s.(interface{ cost() Params })
	if ok && own.cost().Lanes != h.params.Lanes {
		for _, d := range h.imported {
			if f, is := d.Format.(argon2Format); is && f.name == argon2idName && f.params.Lanes == own.cost().Lanes {
				return foreign{argon2Hash{argon2id{Params: own.cost()}}, d.speed}.lasts(size)
			}
		}
	}
	return s.lasts(size)
}

// A kind is measured by hashing with ever more of its cost until that takes long enough to be measured. Then all
// kinds are measured in turns, so that a machine that is slow for a while is slow for all of them: what counts
// is how fast they are compared with each other.
const (
	calibration   = 180 * time.Millisecond // the most that New measures
	firstShare    = 1.0 / 1024
	turns         = 3
	doublingPrice = 14 // all runs of a kind together take less than so many times what is long enough
	typicalSize   = 16 // bytes of a password, where kinds are compared
)

// stopwatch says how long work took.
type stopwatch func(work func()) time.Duration

// probe is a hash whose work is measured. The shortest time counts: whatever disturbs a run makes it longer.
type probe struct {
	hash     stored
	shortest time.Duration
}

func (p *probe) run(measure stopwatch) {
	took := max(measure(func() { p.hash.matches(make([]byte, typicalSize)) }), 1)
	if p.shortest == 0 || took < p.shortest {
		p.shortest = took
	}
}

// tell passes what was seen on.
func (p *probe) tell(to *pace) { to.saw(p.shortest, p.hash.lasts(typicalSize)) }

// newProbe returns the cheapest decoy of a kind that takes long enough, or its dearest hash. A decoy that takes
// so long only once was disturbed.
func newProbe(k timedKind, enough time.Duration, measure stopwatch) *probe {
	for share := firstShare; share < 1; share *= 2 {
		d := k.decoy(share)
		if d == nil {
			continue
		}
		p := &probe{hash: d}
		if p.run(measure); p.shortest < enough {
			continue
		}
		if p.run(measure); p.shortest >= enough/2 {
			return p
		}
	}
	return &probe{hash: k.dearest}
}

// take takes over the declared formats, after measuring how fast they are here compared with a new hash. It
// runs once, in New, one hash at a time. Half of the time goes to the new hash, with which all are compared. A
// machine that is busy just then misleads it; what is computed afterwards puts that right (see spend).
func (h *Hasher) take(formats []Format, measure stopwatch) {
	if len(formats) == 0 {
		return
	}
	h.measure = measure
	half := calibration / doublingPrice / 2
	probes := []*probe{newProbe(h.kinds[0], half, measure)}
	for _, f := range formats {
		probes = append(probes, newProbe(foreignKind(f, nil), half/time.Duration(len(formats)), measure))
	}
	for range turns {
		for _, p := range probes {
			p.run(measure)
		}
	}
	probes[0].tell(&h.pace)
	for i, f := range formats {
		s := &speed{fresh: &h.pace, whole: f.Decoy(1).Work(typicalSize)}
		probes[i+1].tell(&s.own)
		h.kinds = append(h.kinds, foreignKind(f, s))
		h.imported = append(h.imported, declared{f, f.Decoy(1), s})
	}
	// Every answer holds as much as the dearest, or a full gate would let the cheap ones pass first.
	for _, k := range h.kinds {
		h.reserved = max(h.reserved, k.dearest.reserve())
	}
}
