package auth_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cardea-auth/cardea/auth/flow"
)

// search explores an installation, with or without a planted fault, in three ways: every order of deeds from a
// few openings, to a depth; every pair of deeds of which one runs in the middle of the other; and long walks.
type search struct {
	t        testing.TB
	fault    fault
	factored bool // people may have second factors

	alike   *sights
	mu      sync.Mutex
	seen    map[string]struct{}
	arenas  int
	total   counts
	problem error
	stop    atomic.Bool
}

func newSearch(t testing.TB, wrong fault) *search {
	return &search{t: t, fault: wrong, alike: &sights{seen: map[string]string{}}, seen: map[string]struct{}{}, total: counts{refusals: map[string]int{}}}
}

// parallel calls visit for 0 to n-1 on all processors, and leaves the rest out once there is a problem.
func (s *search) parallel(n int, visit func(i int) error) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && !s.stop.Load(); i = int(next.Add(1)) - 1 {
				if err := visit(i); err != nil {
					s.fail(err)
				}
			}
		})
	}
	workers.Wait()
}

func (s *search) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.problem == nil {
		s.problem = err
	}
	s.stop.Store(true)
}

// count adds up what an arena has seen before it is left behind.
func (s *search) count(a *arena) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := a.l.counts
	s.arenas++
	s.total.requests += c.requests
	s.total.sessions += c.sessions
	s.total.interleaved += c.interleaved
	s.total.changes += c.changes
	s.total.links += c.links
	s.total.codes += c.codes
	s.total.completions += c.completions
	s.total.moves += c.moves
	s.total.signUps += c.signUps
	s.total.shown += c.shown
	s.total.factors += c.factors
	s.total.uses += c.uses
	s.total.repeats += c.repeats
	for reason, n := range c.refusals {
		s.total.refusals[reason] += n
	}
}

// arena returns a new arena, in which strangers see what they see in all others.
func (s *search) arena() *arena {
	a := newArena(s.t, s.fault, s.factored)
	a.l.post.alike = s.alike
	return a
}

// at returns an arena after the story.
func (s *search) at(story []deed) (*arena, error) {
	a := s.arena()
	return a, a.play(story...)
}

// breadth tries every order of deeds that follows an opening, to the given depth. Of two orders that lead to the
// same abstract state only one is followed.
func (s *search) breadth(opening []deed, depth int, choices func(*arena) []deed) {
	frontier := [][]deed{opening}
	for range depth {
		all := make([][]found, len(frontier))
		s.parallel(len(frontier), func(i int) (err error) {
			all[i], err = s.expand(frontier[i], choices)
			return err
		})
		var next [][]deed
		for i, steps := range all {
			for _, x := range steps {
				if _, seen := s.seen[x.key]; !seen {
					s.seen[x.key] = struct{}{}
					next = append(next, append(slices.Clip(frontier[i]), x.deed))
				}
			}
		}
		frontier = next
	}
}

// found is a deed with the abstract state that it leads to.
type found struct {
	deed deed
	key  string
}

// expand tries every deed that may follow the story. A new arena is made only after a deed that changed it.
func (s *search) expand(story []deed, choices func(*arena) []deed) (steps []found, err error) {
	a, err := s.at(story)
	if err != nil {
		return nil, err
	}
	for _, d := range choices(a) {
		a.touched, a.story = false, a.story[:len(story)]
		if err := a.play(d); err != nil {
			return nil, err
		}
		if !a.touched {
			continue
		}
		steps = append(steps, found{d, a.key()})
		s.count(a)
		if a, err = s.at(story); err != nil {
			return nil, err
		}
	}
	s.count(a)
	return steps, nil
}

// pairs runs, from an opening, every deed in the middle of every other one, before each of its calls of a port,
// and then what the epilogue says. It takes one pair in so many.
func (s *search) pairs(opening []deed, outer, inner []deed, stride int) {
	var all []deed
	n := 0
	for _, x := range outer {
		a, err := s.at(opening)
		if err == nil {
			err = a.play(x)
		}
		if err != nil {
			s.fail(err)
			return
		}
		for k := 1; k <= a.calls; k++ {
			for _, y := range inner {
				if n++; n%stride == 0 {
					all = append(all, x.within(k, y))
				}
			}
		}
	}
	s.parallel(len(all), func(i int) error {
		a, err := s.at(append(slices.Clip(opening), all[i]))
		if err == nil {
			err = a.play(epilogue(a)...)
		}
		s.count(a)
		return err
	})
}

// epilogue tries everything that was ever given out once more, and then waits until every flow has ended.
func epilogue(a *arena) []deed {
	var list []deed
	for i, f := range a.l.begun {
		list = append(list, submit(f.by, i, rightOne).aged(1), submit((f.by+1)%clients, i, rightOne), submit(f.by, i, rightOne))
	}
	list = append(list, begin(owner, "use"), begin(thief, "use"), begin(thief, "use").with(stolen), begin(thief, "use").with(ended))
	list = append(list, mailEpilogue(a)...)
	list = append(list, factorEpilogue(a)...)
	list = append(list, pause(shellLimits.Total))
	for i, f := range a.l.begun {
		list = append(list, submit(f.by, i, rightOne), submit(f.by, i, rightOne).aged(1))
	}
	return append(list, signIn(native, isAnn), submit(native, len(a.l.begun), rightOne))
}

// walk does length deeds of a seeded choice: some that lead on, some of any kind, some in the middle of others.
func (s *search) walk(seed uint64, length int) error {
	random := rand.New(rand.NewPCG(seed, 0))
	a := s.arena()
	var err error
	for range length {
		if err = a.play(a.anyDeed(random, 2)); err != nil {
			err = fmt.Errorf("walk %d: %w", seed, err)
			break
		}
	}
	if err == nil {
		err = a.play(epilogue(a)...)
	}
	s.count(a)
	return err
}

// anyDeed chooses a deed, perhaps with others inside it, nested to the depth.
func (a *arena) anyDeed(random *rand.Rand, depth int) deed {
	d := a.natural(random)
	if random.IntN(100) < 12 {
		d = mailBeginning(random.IntN(clients), random)
	}
	choices := a.choices
	if random.IntN(2) == 0 {
		choices = a.mailChoices
	}
	if a.l.held.possible && random.IntN(3) > 0 {
		choices = a.factorChoices
	}
	if list := choices(); random.IntN(100) < 45 {
		d = list[random.IntN(len(list))]
	}
	if d.what == "delete" && random.IntN(8) > 0 {
		d = operator("unlock")
	}
	if depth > 0 && !d.turns() && random.IntN(100) < 25 {
		return d.within(1+random.IntN(18), a.anyDeed(random, depth-1))
	}
	return d
}

// natural is what somebody would do next who wants to get on.
func (a *arena) natural(random *rand.Rand) deed {
	p := a.l.people[a.ids[isAnn]]
	switch {
	case p.status == flow.Disabled && random.IntN(3) == 0:
		return operator("enable")
	case p.status == flow.Locked && random.IntN(3) == 0:
		return asks(owner, "forgot", isAnn) // only a reset opens it
	}
	for i := len(a.l.begun) - 1; i >= max(0, len(a.l.begun)-3); i-- {
		f := a.l.begun[i]
		if f.closed || f.expired(a.w.clock.Now()) || random.IntN(3) == 0 {
			continue
		}
		if d, ok := a.naturalFactor(i, random); ok {
			return d
		}
		if d, ok := a.naturalMail(i, random); ok {
			return d
		}
		switch {
		case f.need == flow.Identification:
			return deed{what: "identify", by: f.by, flow: i, whom: random.IntN(2)}
		case f.need == flow.PasswordChange:
			return deed{what: "new-password", by: f.by, flow: i, next: anotherOne, others: random.IntN(2) == 0}
		case f.goal == flow.Enrolment:
			return renew(f.by, i, random.IntN(2) == 0)
		}
		return submit(f.by, i, rightOne)
	}
	by := random.IntN(clients)
	if s := a.l.byToken(a.clients[by].session); s != nil && a.l.live(s, a.w.clock.Now()) {
		if a.l.held.possible && random.IntN(3) > 0 {
			return a.factorBeginning(by, random)
		}
		return begin(by, []string{"step-up", "fresh", "enrol", "end-others", "use"}[random.IntN(5)])
	}
	return signIn(by, random.IntN(2))
}

func (s *search) report() string {
	var b strings.Builder
	c := s.total
	fmt.Fprintf(&b, "%d requests in %d arenas, %d of them inside others; %d abstract states; %d sessions, %d changes of password, %d second looks; %d links and %d codes mailed, %d links used, %d accounts opened, %d addresses changed, %d answers to strangers; refusals:",
		c.requests, s.arenas, c.interleaved, len(s.seen), c.sessions, c.changes, c.repeats,
		c.links, c.codes, c.completions, c.signUps, c.moves, c.shown)
	for _, reason := range slices.Sorted(maps.Keys(c.refusals)) {
		fmt.Fprintf(&b, " %s %d", reason, c.refusals[reason])
	}
	return b.String()
}
