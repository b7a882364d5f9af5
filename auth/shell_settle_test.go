package auth_test

import (
	"context"
	"errors"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// settle compares the stores with the ledger when nothing is under way.
func (a *arena) settle() {
	l, now := a.l, a.w.clock.Now()
	for _, p := range l.order {
		id := p.id
		a.settleAccount(p)
		a.settleFactors(p)
		list, err := a.w.sessions.List(context.Background(), id, now)
		if err != nil {
			l.fail("list: %v", err)
		}
		real := map[string]bool{}
		for _, s := range list {
			real[s.ID] = true
			if l.sessions[s.ID] == nil || l.sessions[s.ID].account != id {
				l.fail("a session from nowhere")
			}
		}
		for _, s := range l.issued {
			if s.account == id {
				a.settleSession(s, real[s.id])
			}
		}
	}
}

func (a *arena) settleSession(s *sessionFacts, real bool) {
	l, now := a.l, a.w.clock.Now()
	switch {
	case real && l.dead(s, now):
		l.fail("a session lives that has ended")
	case real || l.dead(s, now):
	case l.disturbed && l.shaken[s.account]:
		s.ended = true // by one of those that ran at the same time
	case now.Before(s.surely.Add(sessionIdle - sessionSlack)):
		l.fail("a session is gone that nobody ended")
	}
}

func (a *arena) settleAccount(p *person) {
	state, err := a.w.store.State(context.Background(), p.id)
	if p.deleted {
		if !errors.Is(err, auth.ErrNotFound) && !p.remains {
			a.l.fail("a deleted account is still there: %v", err)
		}
		return
	}
	hash, _ := a.w.store.PasswordHash(context.Background(), p.id)
	listed, missing := a.w.store.FindByID(context.Background(), p.id)
	if missing != nil || listed.Identifier != p.address {
		a.l.fail("the account has the address %q (%v); it should be %q", listed.Identifier, missing, p.address)
	}
	if err != nil || state.Status != p.status || state.Compromised != p.compromised || p.password == "" && hash != "" ||
		p.password != "" && hash != hashOf("h1", p.password) && hash != hashOf("h0", p.password) {
		a.l.fail("the account is %+v (%v); it should be %+v", state, err, *p)
	}
	known, err := a.w.sessions.Align(context.Background(), p.id, auth.Standing{})
	// A reset that something else came in the way of may leave the sessions' picture ahead, and never behind.
	ahead := known != (auth.Standing{}) && known != state.Standing
	behind := known.Epochs.Security < state.Epochs.Security || known.Epochs.Session < state.Epochs.Session ||
		known.Status == flow.Active && state.Status != flow.Active
	if err != nil || ahead && (behind || !a.l.disturbed && !p.ahead) {
		a.l.fail("the sessions know the account as %+v; it is %+v", known, state.Standing)
	}
	p.ahead = ahead
}
