package authtest

import (
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// movedFrom1 is how an active account stands after a change of its address.
var movedFrom1 = flow.Epochs{Security: 2, Session: 1}

var addressRules = []rule[Tickets]{
	{
		"a change of address can be undone",
		"ChangeAddress keeps the undo, queues the letter that has it and raises the security epoch alone; status, password and mark stay, and the old identifier is reserved",
		inMailbox(func(m mailbox) {
			for i, status := range []flow.Status{flow.Invited, flow.Active, flow.Disabled, flow.Locked} {
				id := fmt.Sprintf("a%d", i)
				m.p.ok("Open", m.s.Open(m.ctx, id, status, firstHash, start))
				epochs(m.p, "MarkCompromised", flow.Epochs{Security: 2, Session: 1})(m.s.MarkCompromised(m.ctx, id, start))
				undo := of(id, ticket("u"+id, auth.ForUndo))
				epochs(m.p, "ChangeAddress", flow.Epochs{Security: 3, Session: 1})(
					m.s.ChangeAddress(m.ctx, id, standing(status, 2, 1), undo, letter("l"+id)))
				kept(m.ctx, m.p, m.s, id, standing(status, 3, 1), firstHash, true)
				m.has(undo)
				m.reserves(undo.Old, start, true)
			}
			m.told("la0", "la1", "la2", "la3")
		}),
	},
	{
		"a change of address forgets mailed secrets",
		"tickets that were mailed to the old address go, but for those ForUndo; other accounts' stay",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			undo, others := ticket("u1", auth.ForUndo), of("a2", ticket("r2", auth.ForReset))
			m.adds(undo, others, ticket("r1", auth.ForReset), ticket("i1", auth.ForInvitation))
			epochs(m.p, "ChangeAddress", movedFrom1)(m.s.ChangeAddress(m.ctx, "a1", opened, ticket("u2", auth.ForUndo)))
			m.lacks("r1", "i1")
			m.has(undo, others, ticket("u2", auth.ForUndo))
		}),
	},
	{
		"a change of address needs the account",
		"an unknown account is ErrNotFound; no undo is kept and no letter queued",
		inMailbox(func(m mailbox) {
			lost(m.p, "ChangeAddress", auth.ErrNotFound)(
				m.s.ChangeAddress(m.ctx, "a1", opened, ticket("u1", auth.ForUndo), letter("l1")))
			m.lacks("u1")
			m.reserves(ticket("u1", auth.ForUndo).Old, start, false)
			m.told()
		}),
	},
	{
		"a change of address is from what was seen",
		"unless status and both epochs are those in from it is ErrStale and nothing changes",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			m.adds(ticket("r1", auth.ForReset))
			for _, from := range append(nearly(), standing(flow.Locked, 1, 1), standing(flow.Invited, 1, 1)) {
				lost(m.p, fmt.Sprintf("ChangeAddress from %+v", from), auth.ErrStale)(
					m.s.ChangeAddress(m.ctx, "a1", from, ticket("u1", auth.ForUndo), letter("l1")))
			}
			m.lacks("u1")
			recoveryUse.nothing(m)
		}),
	},
	{
		"a change of address takes its own undo",
		"a ticket of another purpose or of another account is an error, and nothing changes: the change could not be undone",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			m.adds(ticket("r1", auth.ForReset))
			for _, wrong := range []auth.Ticket{ticket("t1", auth.ForReset), ticket("t1", auth.ForInvitation), of("a2", ticket("t1", auth.ForUndo))} {
				_, err := m.s.ChangeAddress(m.ctx, "a1", opened, wrong, letter("l1"))
				m.p.fails(fmt.Sprintf("ChangeAddress with %+v", wrong), err)
			}
			m.lacks("t1")
			recoveryUse.nothing(m)
		}),
	},
	{
		"a change of address takes an id of its own",
		"an undo whose id is in use, be it by a ticket that the change forgets, is ErrTaken, and nothing changes",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			m.adds(ticket("r1", auth.ForReset), ticket("u1", auth.ForUndo), of("a2", ticket("u2", auth.ForUndo)))
			for _, id := range []string{"r1", "u1", "u2"} {
				lost(m.p, "ChangeAddress with the ticket "+id, auth.ErrTaken)(
					m.s.ChangeAddress(m.ctx, "a1", opened, ticket(id, auth.ForUndo), letter("l1")))
			}
			m.has(ticket("u1", auth.ForUndo), of("a2", ticket("u2", auth.ForUndo)))
			recoveryUse.nothing(m)
		}),
	},
	{
		"one change of address wins",
		"of changes made at once from one standing one happens, and its undo alone is kept",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			errs := race(racers, func(i int) error {
				_, err := m.s.ChangeAddress(m.ctx, "a1", opened, ticket(fmt.Sprintf("u%d", i), auth.ForUndo))
				return err
			})
			m.p.oneWon("ChangeAddress", errs, auth.ErrStale)
			for i, err := range errs {
				if id := fmt.Sprintf("u%d", i); err == nil {
					m.has(ticket(id, auth.ForUndo))
				} else {
					m.lacks(id)
				}
			}
		}),
	},
}

var undoRules = []rule[Tickets]{
	{
		"an undo locks the account",
		"CompleteUndo locks an active account and raises both epochs; password and mark stay, whatever the completion says of them",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			epochs(m.p, "MarkCompromised", flow.Epochs{Security: 2, Session: 1})(m.s.MarkCompromised(m.ctx, "a1", start))
			m.adds(ticket("u1", auth.ForUndo))
			c := completion("u1")
			c.From = standing(flow.Active, 2, 1)
			epochs(m.p, "CompleteUndo", flow.Epochs{Security: 3, Session: 2})(m.s.CompleteUndo(m.ctx, c))
			m.stands(standing(flow.Locked, 3, 2), firstHash, true)
			m.reserves(ticket("u1", auth.ForUndo).Old, start, false)
			kept(m.ctx, m.p, m.s, "a2", opened, firstHash, false)
		}),
	},
	{
		"an undo opens no account",
		"an account that is not active keeps its status: locked, a disabled one could be opened by a reset",
		inMailbox(func(m mailbox) {
			for _, status := range []flow.Status{flow.Invited, flow.Disabled, flow.Locked} {
				id := status.String()
				m.p.ok("Open", m.s.Open(m.ctx, id, status, firstHash, start))
				m.adds(of(id, ticket("of "+id, auth.ForUndo)))
				c := completion("of " + id)
				c.Account, c.From = id, standing(status, 1, 1)
				epochs(m.p, "CompleteUndo", flow.Epochs{Security: 2, Session: 2})(m.s.CompleteUndo(m.ctx, c))
				kept(m.ctx, m.p, m.s, id, standing(status, 2, 2), firstHash, false)
			}
		}),
	},
	{
		"an undo demands a reset",
		"CompleteUndo sets ResetDue whatever the status, and a recovery takes it back",
		inMailbox(func(m mailbox) {
			due := func(id string, want bool) {
				state, err := m.s.State(m.ctx, id)
				m.p.ok("State", err)
				equal(m.p, fmt.Sprintf("ResetDue of %s", id), state.ResetDue, want)
			}
			for _, status := range []flow.Status{flow.Active, flow.Disabled} {
				id := status.String()
				m.p.ok("Open", m.s.Open(m.ctx, id, status, firstHash, start))
				m.adds(of(id, ticket("of "+id, auth.ForUndo)))
				c := completion("of " + id)
				c.Account, c.From = id, standing(status, 1, 1)
				due(id, false)
				epochs(m.p, "CompleteUndo", flow.Epochs{Security: 2, Session: 2})(m.s.CompleteUndo(m.ctx, c))
				due(id, true)
			}
			reset := of("active", ticket("r9", auth.ForReset))
			reset.Security = 2
			m.adds(reset)
			c := completion("r9")
			c.Account, c.From = "active", standing(flow.Locked, 2, 2)
			epochs(m.p, "CompleteRecovery", flow.Epochs{Security: 3, Session: 3})(m.s.CompleteRecovery(m.ctx, c))
			due("active", false)
		}),
	},
	{
		"an undo outlives every change",
		"no change of the account makes a ticket ForUndo void: a thief has made them all",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			epochs(m.p, "ChangeAddress", movedFrom1)(m.s.ChangeAddress(m.ctx, "a1", opened, ticket("u1", auth.ForUndo)))
			epochs(m.p, "MarkCompromised", flow.Epochs{Security: 3, Session: 1})(m.s.MarkCompromised(m.ctx, "a1", start))
			epochs(m.p, "ReplacePassword", flow.Epochs{Security: 4, Session: 2})(
				m.s.ReplacePassword(m.ctx, "a1", flow.Epochs{Security: 3, Session: 1}, secondHash, true, start))
			epochs(m.p, "SetStatus", flow.Epochs{Security: 5, Session: 3})(
				m.s.SetStatus(m.ctx, "a1", standing(flow.Active, 4, 2), flow.Locked, start))
			reset := ticket("r1", auth.ForReset)
			reset.Security = 5
			m.adds(reset)
			c := completion("r1")
			c.From = standing(flow.Locked, 5, 3)
			epochs(m.p, "CompleteRecovery", flow.Epochs{Security: 6, Session: 4})(m.s.CompleteRecovery(m.ctx, c))
			epochs(m.p, "ChangeAddress", flow.Epochs{Security: 7, Session: 4})(
				m.s.ChangeAddress(m.ctx, "a1", standing(flow.Active, 6, 4), ticket("u2", auth.ForUndo)))
			epochs(m.p, "RaiseEpochs", flow.Epochs{Security: 9, Session: 9})(m.s.RaiseEpochs(m.ctx, "a1", flow.Epochs{Security: 9, Session: 9}))
			m.has(ticket("u1", auth.ForUndo))
			c = completion("u1")
			c.From = standing(flow.Active, 9, 9)
			epochs(m.p, "CompleteUndo", flow.Epochs{Security: 10, Session: 10})(m.s.CompleteUndo(m.ctx, c))
			m.stands(standing(flow.Locked, 10, 10), secondHash, false)
		}),
	},
	{
		"an undo forgets what came after it",
		"the account's tickets go but for the undos that the store got before, whatever the clocks said: a thief's later undo would bring the thief's address back, and an earlier one is the owner's",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			var undos []auth.Ticket
			for i := range 4 {
				undo := ticket(fmt.Sprintf("u%d", i), auth.ForUndo)
				undo.CreatedAt = at(-time.Duration(i) * time.Minute)
				undos = append(undos, undo)
			}
			same := undos[1].CreatedAt
			undos[2].CreatedAt, undos[0].CreatedAt = same, same
			m.adds(undos[:2]...)
			m.adds(of("a2", ticket("another's", auth.ForUndo)))
			m.adds(undos[2:]...)
			m.adds(ticket("r1", auth.ForReset), ticket("i1", auth.ForInvitation))
			epochs(m.p, "CompleteUndo", flow.Epochs{Security: 2, Session: 2})(m.s.CompleteUndo(m.ctx, completion("u1")))
			m.lacks("u1", "u2", "u3", "r1", "i1")
			m.has(undos[0], of("a2", ticket("another's", auth.ForUndo)))
			for i, undo := range undos {
				m.reserves(undo.Old, start, i == 0)
			}
			c := completion("u0")
			c.From = standing(flow.Locked, 2, 2)
			epochs(m.p, "CompleteUndo", flow.Epochs{Security: 3, Session: 3})(m.s.CompleteUndo(m.ctx, c))
		}),
	},
}

var ticketRaceRules = []rule[Tickets]{
	{
		"a recovery and a status do not both win",
		"of a recovery and a change of status that saw the same account one happens: a mail does not reopen what is closed at that moment",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			m.adds(ticket("r1", auth.ForReset))
			errs := race(racers, func(i int) (err error) {
				if i%2 == 0 {
					_, err = m.s.SetStatus(m.ctx, "a1", opened, flow.Disabled, start)
				} else {
					_, err = m.s.CompleteRecovery(m.ctx, completion("r1"))
				}
				return err
			})
			m.p.oneWon("SetStatus or CompleteRecovery", errs, auth.ErrStale)
			for i, err := range errs {
				switch {
				case err == nil && i%2 == 0:
					m.stands(standing(flow.Disabled, 2, 2), firstHash, false)
				case err == nil:
					m.stands(standing(flow.Active, 2, 1), secondHash, false)
				}
			}
		}),
	},
	{
		"an undo and a change of address do not both win",
		"of an undo and another change of address that saw the same account one happens",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			m.adds(ticket("u1", auth.ForUndo))
			errs := race(racers, func(i int) (err error) {
				if i%2 == 0 {
					_, err = m.s.ChangeAddress(m.ctx, "a1", opened, ticket(fmt.Sprintf("new%d", i), auth.ForUndo))
				} else {
					_, err = m.s.CompleteUndo(m.ctx, completion("u1"))
				}
				return err
			})
			m.p.oneWon("ChangeAddress or CompleteUndo", errs, auth.ErrStale)
			for i, err := range errs {
				switch {
				case err == nil && i%2 == 0:
					m.stands(standing(flow.Active, 2, 1), firstHash, false)
					m.has(ticket("u1", auth.ForUndo))
				case err == nil:
					m.stands(standing(flow.Locked, 2, 2), firstHash, false)
					m.lacks("u1")
				case i%2 == 0:
					m.lacks(fmt.Sprintf("new%d", i))
				}
			}
		}),
	},
	{
		"a recovery clears no later mark",
		"of a recovery and a mark at once the mark stays, either on the old password, and the recovery is ErrStale, or on the new one",
		inMailbox(func(m mailbox) {
			ids := openMany(m)
			errs := race(2*len(ids), func(i int) (err error) {
				id := ids[i/2]
				if i%2 == 0 {
					_, err = m.s.MarkCompromised(m.ctx, id, start)
				} else {
					_, err = m.s.CompleteRecovery(m.ctx, completionOf(id, "of "+id))
				}
				return err
			})
			for i, id := range ids {
				m.p.ok("MarkCompromised", errs[2*i])
				if errs[2*i+1] == nil {
					kept(m.ctx, m.p, m.s, id, standing(flow.Active, 3, 1), secondHash, true)
					continue
				}
				m.p.is("CompleteRecovery", errs[2*i+1], auth.ErrStale)
				kept(m.ctx, m.p, m.s, id, standing(flow.Active, 2, 1), firstHash, true)
			}
		}),
	},
	{
		"a recovery voids a later ticket",
		"of a recovery and another ticket at once either the recovery is ErrStale, and the new ticket works, or it happens, and the new ticket does not",
		inMailbox(func(m mailbox) {
			ids := openMany(m)
			errs := race(2*len(ids), func(i int) (err error) {
				id := ids[i/2]
				if i%2 == 0 {
					return m.s.AddTicket(m.ctx, of(id, ticket("later of "+id, auth.ForReset)))
				}
				_, err = m.s.CompleteRecovery(m.ctx, completionOf(id, "of "+id))
				return err
			})
			for i, id := range ids {
				m.p.ok("AddTicket", errs[2*i])
				m.lacks("of " + id)
				later := completionOf(id, "later of "+id)
				if errs[2*i+1] == nil {
					later.From = standing(flow.Active, 2, 1)
					recoveryUse.refused(m, "with the later ticket", later, auth.ErrStale)
				} else {
					m.p.is("CompleteRecovery", errs[2*i+1], auth.ErrStale)
					epochs(m.p, "CompleteRecovery", flow.Epochs{Security: 2, Session: 1})(m.s.CompleteRecovery(m.ctx, later))
				}
				kept(m.ctx, m.p, m.s, id, standing(flow.Active, 2, 1), secondHash, false)
			}
		}),
	},
}

// openMany opens active accounts with a ticket ForReset each, and returns their ids.
func openMany(m mailbox) []string {
	ids := make([]string, racers)
	for i := range ids {
		ids[i] = fmt.Sprintf("a%d", i)
		m.p.ok("Open", m.s.Open(m.ctx, ids[i], flow.Active, firstHash, start))
		m.adds(of(ids[i], ticket("of "+ids[i], auth.ForReset)))
	}
	return ids
}

func completionOf(account, id string) auth.Completion {
	c := completion(id)
	c.Account = account
	return c
}
