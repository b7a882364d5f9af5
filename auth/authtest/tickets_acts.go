package authtest

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// ticketVerb is one method, in a way that would do something where the account "a1" has the status and there
// are the tickets of prepare.
type ticketVerb struct {
	status flow.Status
	act    func(ctx context.Context, s Tickets, letters ...auth.Letter) error
}

// prepare makes what the method is about, whatever was there before.
func (v ticketVerb) prepare(m mailbox) {
	m.p.ok("Delete", errors.Join(m.s.Delete(m.ctx, "a1"), m.s.Delete(m.ctx, "a2")))
	m.opens(v.status, firstHash)
	m.adds(ticket("r1", auth.ForReset), ticket("i1", auth.ForInvitation), ticket("u1", auth.ForUndo))
}

// nothing demands that all is as prepare left it.
func (v ticketVerb) nothing(m mailbox) {
	m.stands(standing(v.status, 1, 1), firstHash, false)
	m.has(ticket("r1", auth.ForReset), ticket("i1", auth.ForInvitation), ticket("u1", auth.ForUndo))
	m.lacks("new")
	m.told()
}

// tellingVerbs are the methods that queue letters.
func tellingVerbs() map[string]ticketVerb {
	verbs := map[string]ticketVerb{
		"AddTicket": {flow.Active, func(ctx context.Context, s Tickets, letters ...auth.Letter) error {
			return s.AddTicket(ctx, ticket("new", auth.ForReset), letters...)
		}},
		"ChangeAddress": {flow.Active, func(ctx context.Context, s Tickets, letters ...auth.Letter) error {
			_, err := s.ChangeAddress(ctx, "a1", opened, ticket("new", auth.ForUndo), letters...)
			return err
		}},
		"SetStatus": {flow.Active, func(ctx context.Context, s Tickets, letters ...auth.Letter) error {
			_, err := s.SetStatus(ctx, "a1", opened, flow.Locked, start, letters...)
			return err
		}},
		"ReplacePassword": {flow.Active, func(ctx context.Context, s Tickets, letters ...auth.Letter) error {
			_, err := s.ReplacePassword(ctx, "a1", opened.Epochs, secondHash, true, start, letters...)
			return err
		}},
	}
	for _, u := range uses {
		verbs[u.name] = ticketVerb{u.status, func(ctx context.Context, s Tickets, letters ...auth.Letter) error {
			c := u.completion()
			c.Letters = letters
			_, err := u.verb(s, ctx, c)
			return err
		}}
	}
	return verbs
}

// ticketVerbs are all methods that deal with tickets.
func ticketVerbs() map[string]ticketVerb {
	verbs := map[string]ticketVerb{
		"FindTicket": {flow.Active, func(ctx context.Context, s Tickets, _ ...auth.Letter) error {
			_, err := s.FindTicket(ctx, "r1", start)
			return err
		}},
		"DropTickets": {flow.Active, func(ctx context.Context, s Tickets, _ ...auth.Letter) error {
			return s.DropTickets(ctx, "a1", auth.ForReset)
		}},
		"Reserved": {flow.Active, func(ctx context.Context, s Tickets, _ ...auth.Letter) error {
			_, err := s.Reserved(ctx, ticket("u1", auth.ForUndo).Old, start)
			return err
		}},
		"SweepTickets": {flow.Active, func(ctx context.Context, s Tickets, _ ...auth.Letter) error {
			_, err := s.SweepTickets(ctx, at(2*time.Hour), 10)
			return err
		}},
		"Delete": {flow.Active, func(ctx context.Context, s Tickets, _ ...auth.Letter) error { return s.Delete(ctx, "a1") }},
	}
	maps.Copy(verbs, tellingVerbs())
	return verbs
}
