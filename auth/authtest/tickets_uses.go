package authtest

import (
	"context"
	"fmt"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// use is one of the acts that consume a ticket. They have rules in common.
type use struct {
	name    string // with its article
	purpose auth.Purpose
	id      string      // of its ticket
	status  flow.Status // of an account that it is for
	verb    func(Tickets, context.Context, auth.Completion) (flow.Epochs, error)
}

var (
	recoveryUse   = use{"a recovery", auth.ForReset, "r1", flow.Active, Tickets.CompleteRecovery}
	activationUse = use{"an activation", auth.ForInvitation, "i1", flow.Invited, Tickets.CompleteActivation}
	undoUse       = use{"an undo", auth.ForUndo, "u1", flow.Active, Tickets.CompleteUndo}

	uses = []use{recoveryUse, activationUse, undoUse}
)

// ticket returns the ticket that it consumes.
func (u use) ticket() auth.Ticket { return ticket(u.id, u.purpose) }

// from is how an account stands that it is for.
func (u use) from() auth.Standing { return standing(u.status, 1, 1) }

func (u use) completion() auth.Completion {
	c := completion(u.id)
	c.From = u.from()
	return c
}

// refused demands that the store refuses it.
func (u use) refused(m mailbox, what string, c auth.Completion, want error) {
	c.Letters = []auth.Letter{letter("refused")}
	lost(m.p, fmt.Sprintf("%s %s", u.name, what), want)(u.verb(m.s, m.ctx, c))
}

// nothing demands that nothing happened: the account stands as it did and has its ticket.
func (u use) nothing(m mailbox) {
	m.stands(u.from(), firstHash, false)
	m.has(u.ticket())
	m.told()
}

func (u use) rules() []rule[Tickets] {
	rules := []rule[Tickets]{
		{u.name + " needs the account", "an unknown account is ErrNotFound; a ticket of that id, which is a decoy's, stays", inMailbox(u.needsAccount)},
		{
			u.name + " needs its ticket",
			"without a ticket of that purpose and that account it is ErrStale and nothing changes: one mail does not do what another one allows",
			inMailbox(u.needsTicket),
		},
		{u.name + " consumes its ticket", "a ticket that was used is gone, and using it again is ErrStale", inMailbox(u.consumes)},
		{u.name + " is in time", "a ticket that expires now is ErrStale and nothing changes, and a millisecond before it works", inMailbox(u.inTime)},
		{
			u.name + " is from what was seen",
			"unless status and both epochs are those in From it is ErrStale and nothing changes: what was proven was proven to another account",
			inMailbox(u.fromWhatWasSeen),
		},
		{u.name + " tells of itself", "its letters are queued in the same act, and none if it is refused", inMailbox(u.tells)},
		{"one user wins " + u.name, "of many that use one ticket at once one succeeds", inMailbox(u.oneWins)},
	}
	if u.purpose != auth.ForUndo {
		rules = append(rules, rule[Tickets]{
			u.name + " ends with the security epoch",
			"a ticket of another security epoch than the account's is ErrStale and nothing changes: whatever raised the epoch voids the mails from before",
			inMailbox(u.endsWithEpoch),
		})
	}
	return rules
}

func (u use) needsAccount(m mailbox) {
	u.refused(m, "of nobody", u.completion(), auth.ErrNotFound)
	m.adds(u.ticket())
	u.refused(m, "of a decoy", u.completion(), auth.ErrNotFound)
	c := u.completion()
	c.From = standing(flow.Disabled, 0, 0)
	u.refused(m, "of a decoy that looks closed", c, auth.ErrNotFound)
	m.has(u.ticket())
	_, err := m.s.State(m.ctx, "a1")
	m.p.is("State", err, auth.ErrNotFound)
	m.told()
}

func (u use) needsTicket(m mailbox) {
	m.opens(u.status, firstHash)
	refused := func(id string) {
		c := u.completion()
		c.Ticket = id
		u.refused(m, fmt.Sprintf("with the ticket %q", id), c, auth.ErrStale)
	}
	refused(u.id)
	m.adds(u.ticket(), of("a2", ticket("another's", u.purpose)))
	for _, purpose := range append([]auth.Purpose{auth.ForSignIn}, linked...) {
		if purpose != u.purpose {
			t := ticket("for "+string(purpose), purpose)
			t.Security = 1
			m.adds(t)
			refused(t.ID)
			m.has(t)
		}
	}
	for _, id := range []string{"another's", "unknown", "", "a1", u.id + " ", " " + u.id} {
		refused(id)
	}
	m.has(of("a2", ticket("another's", u.purpose)))
	u.nothing(m)
}

func (u use) consumes(m mailbox) {
	m.opens(u.status, firstHash)
	m.adds(u.ticket())
	raised, err := u.verb(m.s, m.ctx, u.completion())
	m.p.ok(u.name, err)
	m.lacks(u.id)
	for _, status := range []flow.Status{flow.Invited, flow.Active, flow.Locked} {
		c := u.completion()
		c.From = auth.Standing{Status: status, Epochs: raised}
		u.refused(m, "again as "+status.String(), c, auth.ErrStale)
	}
	u.refused(m, "again", u.completion(), auth.ErrStale)
	kept(m.ctx, m.p, m.s, "a2", u.from(), firstHash, false)
	m.told()
}

func (u use) inTime(m mailbox) {
	m.opens(u.status, firstHash)
	m.adds(u.ticket())
	c := u.completion()
	c.Now = u.ticket().ExpiresAt
	u.refused(m, "at the moment at which the ticket expires", c, auth.ErrStale)
	m.stands(u.from(), firstHash, false)
	m.has(u.ticket())
	c.Now = c.Now.Add(-tick)
	_, err := u.verb(m.s, m.ctx, c)
	m.p.ok(u.name+" in time", err)
	m.told()
}

func (u use) fromWhatWasSeen(m mailbox) {
	m.opens(u.status, firstHash)
	m.adds(u.ticket())
	var others []auth.Standing
	for _, s := range nearly() {
		others = append(others, auth.Standing{Status: u.status, Epochs: s.Epochs})
	}
	for _, status := range []flow.Status{flow.Invited, flow.Active, flow.Disabled, flow.Locked} {
		if status != u.status {
			others = append(others, standing(status, 1, 1))
		}
	}
	for _, from := range others {
		c := u.completion()
		c.From = from
		u.refused(m, fmt.Sprintf("from %+v", from), c, auth.ErrStale)
	}
	u.nothing(m)
}

func (u use) tells(m mailbox) {
	m.opens(u.status, firstHash)
	m.adds(u.ticket())
	c := u.completion()
	c.Letters = []auth.Letter{letter("l1"), letter("l2")}
	_, err := u.verb(m.s, m.ctx, c)
	m.p.ok(u.name, err)
	u.refused(m, "again", c, auth.ErrStale)
	m.told("l1", "l2")
}

func (u use) oneWins(m mailbox) {
	m.opens(u.status, firstHash)
	m.adds(u.ticket())
	m.p.oneWon(u.name, race(racers, func(i int) error {
		c := u.completion()
		c.Hash = fmt.Sprintf("hash-%d", i)
		c.Letters = []auth.Letter{letter("l1")}
		_, err := u.verb(m.s, m.ctx, c)
		return err
	}), auth.ErrStale)
	state, err := m.s.State(m.ctx, "a1")
	m.p.ok("State", err)
	equal(m.p, "security epoch", state.Epochs.Security, 2)
	m.lacks(u.id)
	m.told("l1")
}

func (u use) endsWithEpoch(m mailbox) {
	m.opens(u.status, firstHash)
	for i, security := range []uint64{0, 2, 3} {
		t := ticket(fmt.Sprintf("t%d", i), u.purpose)
		t.Security = security
		m.adds(t)
		c := u.completion()
		c.Ticket = t.ID
		u.refused(m, fmt.Sprintf("at epoch 1 with a ticket of epoch %d", security), c, auth.ErrStale)
	}
	m.adds(u.ticket())
	epochs(m.p, "RaiseEpochs", flow.Epochs{Security: 2, Session: 1})(m.s.RaiseEpochs(m.ctx, "a1", flow.Epochs{Security: 2}))
	c := u.completion()
	u.refused(m, "from before the epoch rose", c, auth.ErrStale)
	c.From.Epochs.Security = 2
	u.refused(m, "with a ticket from before the epoch rose", c, auth.ErrStale)
	m.stands(standing(u.status, 2, 1), firstHash, false)
	m.told()
}
