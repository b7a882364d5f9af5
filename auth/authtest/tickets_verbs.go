package authtest

import (
	"fmt"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

var recoveryRules = []rule[Tickets]{
	{
		"a recovery sets the password",
		"CompleteRecovery sets the hash, clears the mark and raises the security epoch alone, so that sessions live on",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			epochs(m.p, "MarkCompromised", flow.Epochs{Security: 2, Session: 1})(m.s.MarkCompromised(m.ctx, "a1", start))
			t, c := ticket("r1", auth.ForReset), completion("r1")
			t.Security, c.From = 2, standing(flow.Active, 2, 1)
			m.adds(t)
			epochs(m.p, "CompleteRecovery", flow.Epochs{Security: 3, Session: 1})(m.s.CompleteRecovery(m.ctx, c))
			m.stands(standing(flow.Active, 3, 1), secondHash, false)
			kept(m.ctx, m.p, m.s, "a2", opened, firstHash, false)
		}),
	},
	{
		"a recovery ends sessions",
		"with EndSessions both epochs rise by one",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, "")
			m.adds(ticket("r1", auth.ForReset))
			c := completion("r1")
			c.EndSessions = true
			epochs(m.p, "CompleteRecovery", flow.Epochs{Security: 2, Session: 2})(m.s.CompleteRecovery(m.ctx, c))
			m.stands(standing(flow.Active, 2, 2), secondHash, false)
		}),
	},
	{
		"a recovery opens a locked account",
		"a locked account is active afterwards, and its sessions end whether that was asked for or not",
		inMailbox(func(m mailbox) {
			m.opens(flow.Locked, firstHash)
			m.adds(ticket("r1", auth.ForReset))
			c := completion("r1")
			c.From.Status = flow.Locked
			epochs(m.p, "CompleteRecovery", flow.Epochs{Security: 2, Session: 2})(m.s.CompleteRecovery(m.ctx, c))
			m.stands(standing(flow.Active, 2, 2), secondHash, false)
		}),
	},
	{
		"a recovery opens no closed account",
		"an account that is disabled or was never activated is ErrStale, and gets no password either",
		inMailbox(func(m mailbox) { opensNone(m, recoveryUse, flow.Disabled, flow.Invited) }),
	},
	{
		"a recovery leaves a password",
		"an empty hash is an error and changes nothing",
		inMailbox(func(m mailbox) {
			m.opens(flow.Active, firstHash)
			m.adds(ticket("r1", auth.ForReset))
			c := completion("r1")
			c.Hash, c.Letters = "", []auth.Letter{letter("l1")}
			_, err := m.s.CompleteRecovery(m.ctx, c)
			m.p.fails("CompleteRecovery", err)
			recoveryUse.nothing(m)
		}),
	},
	{
		"a recovery forgets mailed secrets",
		"the account's other tickets go, so that a mail from before opens nothing, but for those ForUndo; other accounts' stay",
		inMailbox(func(m mailbox) { forgetsMailed(m, recoveryUse) }),
	},
}

var activationRules = []rule[Tickets]{
	{
		"an activation opens an invited account",
		"CompleteActivation sets the hash, clears the mark, makes the account active and raises the security epoch, and with EndSessions the session epoch too",
		inMailbox(func(m mailbox) {
			for i, session := range []uint64{1, 2} {
				id := fmt.Sprintf("a%d", i)
				m.p.ok("Open", m.s.Open(m.ctx, id, flow.Invited, firstHash, start))
				epochs(m.p, "MarkCompromised", flow.Epochs{Security: 2, Session: 1})(m.s.MarkCompromised(m.ctx, id, start))
				t, c := of(id, ticket("of "+id, auth.ForInvitation)), completion("of "+id)
				t.Security = 2
				m.adds(t)
				c.Account, c.From, c.EndSessions = id, standing(flow.Invited, 2, 1), session == 2
				epochs(m.p, "CompleteActivation", flow.Epochs{Security: 3, Session: session})(m.s.CompleteActivation(m.ctx, c))
				kept(m.ctx, m.p, m.s, id, standing(flow.Active, 3, session), secondHash, false)
			}
		}),
	},
	{
		"an activation without a password",
		"with an empty hash the active account has no password, even if it had one before: whoever set that had not proven the address",
		inMailbox(func(m mailbox) {
			for i, hash := range []string{"", firstHash} {
				id := fmt.Sprintf("a%d", i)
				m.p.ok("Open", m.s.Open(m.ctx, id, flow.Invited, hash, start))
				m.adds(of(id, ticket("of "+id, auth.ForInvitation)))
				c := completion("of " + id)
				c.Account, c.From, c.Hash = id, standing(flow.Invited, 1, 1), ""
				epochs(m.p, "CompleteActivation", flow.Epochs{Security: 2, Session: 1})(m.s.CompleteActivation(m.ctx, c))
				kept(m.ctx, m.p, m.s, id, standing(flow.Active, 2, 1), "", false)
			}
		}),
	},
	{
		"an activation opens no other account",
		"an account that is active, disabled or locked is ErrStale, and gets no password either: an old invitation is no reset",
		inMailbox(func(m mailbox) { opensNone(m, activationUse, flow.Active, flow.Disabled, flow.Locked) }),
	},
	{
		"an activation forgets mailed secrets",
		"the account's other tickets go, but for those ForUndo; other accounts' stay",
		inMailbox(func(m mailbox) { forgetsMailed(m, activationUse) }),
	},
}

// opensNone demands that accounts of these statuses are refused, though they have the ticket.
func opensNone(m mailbox, u use, statuses ...flow.Status) {
	for _, status := range statuses {
		id := status.String()
		m.p.ok("Open", m.s.Open(m.ctx, id, status, firstHash, start))
		t := of(id, ticket("of "+id, u.purpose))
		m.adds(t)
		c := completion(t.ID)
		c.Account, c.From = id, standing(status, 1, 1)
		u.refused(m, "of one that is "+id, c, auth.ErrStale)
		kept(m.ctx, m.p, m.s, id, standing(status, 1, 1), firstHash, false)
		m.has(t)
	}
	m.told()
}

// forgetsMailed demands that of the account's tickets only those ForUndo survive.
func forgetsMailed(m mailbox, u use) {
	m.opens(u.status, firstHash)
	undos := []auth.Ticket{ticket("undo1", auth.ForUndo), ticket("undo2", auth.ForUndo)}
	others := []auth.Ticket{of("a2", ticket("another's reset", auth.ForReset)), of("a2", ticket("another's undo", auth.ForUndo))}
	m.adds(undos...)
	m.adds(others...)
	m.adds(ticket("r1", auth.ForReset), ticket("i1", auth.ForInvitation))
	_, err := u.verb(m.s, m.ctx, u.completion())
	m.p.ok(u.name, err)
	m.lacks("r1", "i1")
	m.has(undos...)
	m.has(others...)
}
