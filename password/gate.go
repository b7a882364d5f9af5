package password

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// gate bounds the memory of all hashes in flight. Unknown callers together never hold more than the shared
// part; the rest is there for known ones, who may use the shared part too. Callers of a lane are let in in
// the order in which they came. It starts no goroutines.
type gate struct {
	memory, shared int64 // bytes
	queue          int   // callers of each lane that may wait
	patience       time.Duration

	mu         sync.Mutex
	held       int64 // by all
	heldShared int64 // by unknown callers
	line       list.List
	waiting    map[bool]int // known or not: how many stand in line
}

// place is a caller's, in line or inside.
type place struct {
	bytes int64
	known bool
	in    chan struct{} // closed when the caller is let in
}

func newGate(memory, shared int64, queue int, patience time.Duration) *gate {
	return &gate{memory: memory, shared: shared, queue: queue, patience: patience, waiting: map[bool]int{}}
}

// enter waits until bytes are free for the caller. Each success must be followed by leave. It returns a
// *auth.DeniedError (Busy) at once if the line is full, and when the caller's patience is at an end.
func (g *gate) enter(ctx context.Context, bytes int64, known bool) (*place, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("password: wait to hash: %w", err)
	}
	p := &place{bytes, known, make(chan struct{})}
	g.mu.Lock()
	spot := g.line.PushBack(p)
	g.waiting[known]++
	g.admit() // whoever came before goes first
	inside := !g.outside(p)
	full := !inside && g.waiting[known] > g.queue
	if full {
		g.giveUp(spot)
	}
	g.mu.Unlock()
	switch {
	case inside:
		return p, nil
	case full:
		return nil, flow.Deny(flow.Busy)
	}
	return g.wait(ctx, spot)
}

// wait returns once the place at spot is inside, or has been given up.
func (g *gate) wait(ctx context.Context, spot *list.Element) (*place, error) {
	p := spot.Value.(*place)
	timer := time.NewTimer(g.patience)
	defer timer.Stop()
	select {
	case <-p.in:
		return p, nil
	case <-timer.C:
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.outside(p) {
		return p, nil // let in at the same moment: the place is taken, and must be left like any other
	}
	g.giveUp(spot)
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("password: wait to hash: %w", err)
	}
	return nil, flow.Deny(flow.Busy)
}

// leave gives back what the place holds.
func (g *gate) leave(p *place) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free(p)
}

// The functions below are called with the lock held.

func (g *gate) outside(p *place) bool {
	select {
	case <-p.in:
		return false
	default:
		return true
	}
}

func (g *gate) free(p *place) {
	g.held -= p.bytes
	if !p.known {
		g.heldShared -= p.bytes
	}
	g.admit()
}

// giveUp takes a place out of the line. Someone behind it who needs less may fit now.
func (g *gate) giveUp(spot *list.Element) {
	g.takeOut(spot)
	g.admit()
}

func (g *gate) takeOut(spot *list.Element) *place {
	p := g.line.Remove(spot).(*place)
	g.waiting[p.known]--
	return p
}

// admit lets in whoever fits, in the order of the line. A known caller may pass unknown ones that do not
// fit, for a part of the memory is kept for it; nobody passes a known caller that does not fit, nor one of
// the own lane.
func (g *gate) admit() {
	stuck := false // an unknown caller does not fit
	var next *list.Element
	for spot := g.line.Front(); spot != nil; spot = next {
		next = spot.Next()
		p := spot.Value.(*place)
		switch {
		case !p.known && (stuck || g.heldShared+p.bytes > g.shared || g.held+p.bytes > g.memory):
			stuck = true
		case p.known && g.held+p.bytes > g.memory:
			return
		default:
			g.takeOut(spot)
			g.held += p.bytes
			if !p.known {
				g.heldShared += p.bytes
			}
			close(p.in)
		}
	}
}
