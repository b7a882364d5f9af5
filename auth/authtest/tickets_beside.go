package authtest

import (
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// reservingRules are about identifiers that were given up lately.
var reservingRules = []rule[Tickets]{
	{
		"an address is reserved",
		"an identifier that was given up is reserved until the moment at which its undo expires, a millisecond before it too: in between, nobody else may take it",
		inMailbox(func(m mailbox) {
			undo := ticket("u1", auth.ForUndo)
			m.reserves(undo.Old, start, false)
			m.adds(undo)
			m.reserves(undo.Old, start, true)
			m.reserves(undo.Old, undo.ExpiresAt.Add(-tick), true)
			m.reserves(undo.Old, undo.ExpiresAt, false)
		}),
	},
	{
		"only the old address is reserved",
		"neither the new identifier is reserved, nor the old one as it was typed, nor what tickets of other purposes say",
		inMailbox(func(m mailbox) {
			undo, odd := ticket("u1", auth.ForUndo), ticket("r1", auth.ForReset)
			odd.Old = "odd@example.org"
			m.adds(undo, odd, ticket("i1", auth.ForInvitation))
			for _, free := range []string{undo.New, undo.OldDisplay, odd.Old, "", "a1", "u1"} {
				m.reserves(free, start, false)
			}
		}),
	},
	{
		"undos of one address reserve it together",
		"an identifier is reserved as long as one of the tickets that reserve it is there, whosever they are",
		inMailbox(func(m mailbox) {
			first, second, third := ticket("u1", auth.ForUndo), ticket("u2", auth.ForUndo), of("a2", ticket("u3", auth.ForUndo))
			second.Old, third.Old = first.Old, first.Old
			first.ExpiresAt = at(time.Minute)
			m.adds(first, second, third)
			m.reserves(first.Old, at(time.Minute), true)
			m.p.ok("DropTickets", m.s.DropTickets(m.ctx, "a1", auth.ForUndo))
			m.reserves(first.Old, start, true)
			m.p.ok("DropTickets", m.s.DropTickets(m.ctx, "a2", auth.ForUndo))
			m.reserves(first.Old, start, false)
		}),
	},
	{
		"reserved addresses are opaque",
		"an identifier is reserved byte by byte: neither is one like it reserved, nor can one like it pass for it",
		inMailbox(func(m mailbox) {
			all := append(oddStrings(), longStrings()...)
			reserved := map[string]bool{}
			for i, identifier := range all {
				undo := ticket(fmt.Sprintf("u%d", i), auth.ForUndo)
				undo.Old = identifier
				if i%2 == 1 {
					continue
				}
				if err := m.s.AddTicket(m.ctx, undo); err == nil {
					reserved[identifier] = true
				} else if !mayRefuse(identifier) {
					m.p.failf("AddTicket with the old identifier %q: %v", identifier, err)
				}
			}
			for _, identifier := range all {
				got, err := m.s.Reserved(m.ctx, identifier, start)
				if err != nil && mayRefuse(identifier) {
					continue
				}
				m.p.ok("Reserved", err)
				equal(m.p, fmt.Sprintf("Reserved(%q)", identifier), got, reserved[identifier])
			}
		}),
	},
}

var ticketSweepRules = []rule[Tickets]{
	{
		"a ticket sweep takes what expired",
		"tickets that expired by now go, the one that expires now included, and no others",
		inMailbox(func(m mailbox) {
			var all []auth.Ticket
			for i := range 5 {
				t := of(fmt.Sprintf("a%d", i), ticket(fmt.Sprintf("t%d", i), linked[i%len(linked)]))
				t.ExpiresAt = at(time.Duration(i+1) * tick)
				all = append(all, t)
			}
			m.adds(all...)
			n, err := m.s.SweepTickets(m.ctx, at(3*tick), 100)
			m.p.ok("SweepTickets", err)
			equal(m.p, "swept", n, 3)
			m.lacks("t0", "t1", "t2")
			m.has(all[3:]...)
			m.reserves(all[2].Old, start, false)
		}),
	},
	{
		"a ticket sweep keeps to its limit",
		"a sweep deletes at most limit tickets, and another one deletes the rest",
		inMailbox(func(m mailbox) {
			for i := range 5 {
				m.adds(ticket(fmt.Sprintf("t%d", i), auth.ForUndo))
			}
			for _, step := range []struct{ limit, want int }{{-1, 0}, {0, 0}, {2, 2}, {2, 2}, {2, 1}, {2, 0}} {
				n, err := m.s.SweepTickets(m.ctx, at(2*time.Hour), step.limit)
				m.p.ok("SweepTickets", err)
				equal(m.p, fmt.Sprintf("swept with limit %d", step.limit), n, step.want)
			}
		}),
	},
}

// besideRules are about what the ports beside the tickets do to tickets and letters.
var besideRules = []rule[Tickets]{
	{
		"a new password forgets mailed secrets",
		"ReplacePassword forgets the account's tickets, so that a mail from before opens nothing, but keeps those ForUndo; one that is refused forgets none",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			reset, invitation, undo := ticket("r1", auth.ForReset), ticket("i1", auth.ForInvitation), ticket("u1", auth.ForUndo)
			others := of("a2", ticket("r2", auth.ForReset))
			m.adds(reset, invitation, undo, others)
			lost(m.p, "ReplacePassword", auth.ErrStale)(
				m.s.ReplacePassword(m.ctx, "a1", flow.Epochs{Security: 1, Session: 2}, secondHash, false, start))
			m.has(reset, invitation, undo, others)
			epochs(m.p, "ReplacePassword", flow.Epochs{Security: 2, Session: 1})(
				m.s.ReplacePassword(m.ctx, "a1", opened.Epochs, secondHash, false, start))
			m.lacks("r1", "i1")
			m.has(undo, others)
		}),
	},
	{
		"a new password tells of itself",
		"ReplacePassword queues its letters in the same act, and none if it is refused",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			lost(m.p, "ReplacePassword", auth.ErrStale)(
				m.s.ReplacePassword(m.ctx, "a1", flow.Epochs{Security: 2, Session: 1}, secondHash, false, start, letter("refused")))
			lost(m.p, "ReplacePassword", auth.ErrNotFound)(
				m.s.ReplacePassword(m.ctx, "a3", opened.Epochs, secondHash, false, start, letter("unknown")))
			epochs(m.p, "ReplacePassword", flow.Epochs{Security: 2, Session: 1})(
				m.s.ReplacePassword(m.ctx, "a1", opened.Epochs, secondHash, false, start, letter("l1"), letter("l2")))
			m.told("l1", "l2")
		}),
	},
	{
		"a new status tells of itself",
		"SetStatus queues its letters in the same act, and none if it is refused",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			lost(m.p, "SetStatus", auth.ErrStale)(
				m.s.SetStatus(m.ctx, "a1", standing(flow.Active, 2, 1), flow.Locked, start, letter("refused")))
			lost(m.p, "SetStatus", auth.ErrNotFound)(m.s.SetStatus(m.ctx, "a3", opened, flow.Locked, start, letter("unknown")))
			epochs(m.p, "SetStatus", flow.Epochs{Security: 2, Session: 2})(
				m.s.SetStatus(m.ctx, "a1", opened, flow.Locked, start, letter("l1"), letter("l2")))
			m.told("l1", "l2")
		}),
	},
	{
		"delete forgets the tickets",
		"a deleted account's tickets are gone, undos too, and what they reserved is free; those of others stay, and so do letters that are queued",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			undo, others := ticket("u1", auth.ForUndo), of("a2", ticket("u2", auth.ForUndo))
			m.p.ok("AddTicket", m.s.AddTicket(m.ctx, undo, letter("l1")))
			m.adds(ticket("r1", auth.ForReset), ticket("i1", auth.ForInvitation), others, of("a2", ticket("r2", auth.ForReset)))
			m.p.ok("Delete", m.s.Delete(m.ctx, "a1"))
			m.lacks("u1", "r1", "i1")
			m.has(others, of("a2", ticket("r2", auth.ForReset)))
			m.reserves(undo.Old, start, false)
			m.reserves(others.Old, start, true)
			lost(m.p, "CompleteUndo", auth.ErrNotFound)(m.s.CompleteUndo(m.ctx, completion("u1")))
			m.told("l1")
		}),
	},
	{
		"what cannot be told does not happen",
		"if a letter cannot be queued, the act that it tells of does not happen, and the other letters are not queued either",
		inMailbox(func(m mailbox) {
			odd := letter("l2")
			odd.To = "\xff\x00@example.org"
			for what, verb := range tellingVerbs() {
				verb.prepare(m)
				if verb.act(m.ctx, m.s, letter("l1"), odd, letter("l3")) == nil {
					m.told("l1", "l2", "l3")
				} else {
					verb.nothing(m)
				}
				for _, id := range []string{"l1", "l2", "l3"} {
					m.p.ok("RemoveLetter after "+what, m.s.RemoveLetter(m.ctx, id))
				}
			}
		}),
	},
}
