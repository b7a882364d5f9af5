package memory

import "unique"

// agents are the browsers that a stripe's sessions name, each counted, since browsers are few and sessions
// many. What no session names any more is forgotten: clients choose the text. The zero value is empty.
type agents struct {
	kept    []agent // numbered from one; zero is no browser at all
	numbers map[unique.Handle[string]]uint32
	free    []uint32
}

type agent struct {
	text     unique.Handle[string] // stripes that know it share its memory
	sessions uint32
}

func (a *agents) text(n uint32) string {
	if n == 0 {
		return ""
	}
	return a.kept[n-1].text.Value()
}

// take returns the number of the browser for one more session.
func (a *agents) take(text string) uint32 {
	if text == "" {
		return 0
	}
	handle := unique.Make(text)
	n := a.numbers[handle]
	if n == 0 {
		n = a.add(handle)
	}
	a.kept[n-1].sessions++
	return n
}

func (a *agents) add(handle unique.Handle[string]) uint32 {
	if a.numbers == nil {
		a.numbers = map[unique.Handle[string]]uint32{}
	}
	var n uint32
	if last := len(a.free) - 1; last >= 0 {
		n, a.free = a.free[last], a.free[:last]
	} else {
		a.kept = append(a.kept, agent{})
		n = uint32(len(a.kept))
	}
	a.kept[n-1].text = handle
	a.numbers[handle] = n
	return n
}

// drop says that one session less names the browser.
func (a *agents) drop(n uint32) {
	if n == 0 {
		return
	}
	known := &a.kept[n-1]
	if known.sessions--; known.sessions > 0 {
		return
	}
	delete(a.numbers, known.text)
	*known = agent{}
	a.free = append(a.free, n)
	if len(a.numbers) == 0 {
		*a = agents{} // after a flood of made-up names
	}
}
