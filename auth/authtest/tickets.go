package authtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Tickets is what keeps tickets, the accounts that they are about and the letters that carry them. The ports
// are about the same rows, or change in the same acts, and are checked together.
type Tickets interface {
	Accounts
	auth.TicketStore
	auth.LetterStore
}

// RunTickets checks the contract of auth.TicketStore, and what auth.AccountStore and auth.PasswordStore do to
// tickets and letters, a subtest and a fresh, empty store for each rule.
func RunTickets(t *testing.T, open func(t *testing.T) Tickets) {
	t.Helper()
	run(t, ticketRules(), open)
}

// CheckTickets checks what RunTickets does, outside a test. It calls open for each rule, which must return an
// empty store, and returns every rule that is broken.
func CheckTickets(ctx context.Context, open func() (Tickets, error)) error {
	return check(ctx, ticketRules(), open)
}

func ticketRules() []rule[Tickets] {
	rules := slices.Concat(keepingRules, reservingRules, ticketSweepRules, recoveryRules, activationRules, addressRules, undoRules,
		besideRules, ticketRaceRules)
	for _, u := range uses {
		rules = append(rules, u.rules()...)
	}
	return rules
}

// mailbox calls the store and states what must come of it.
type mailbox struct {
	ctx context.Context
	p   *probe
	s   Tickets
}

// inMailbox makes a check of f.
func inMailbox(f func(m mailbox)) func(ctx context.Context, p *probe, s Tickets) {
	return func(ctx context.Context, p *probe, s Tickets) { f(mailbox{ctx, p, s}) }
}

// ticket returns a ticket of the account "a1" as it has just been opened. It expires after an hour.
func ticket(id string, purpose auth.Purpose) auth.Ticket {
	t := auth.Ticket{ID: id, Purpose: purpose, Account: "a1", Security: 1, Key: "k1", CreatedAt: start, ExpiresAt: at(time.Hour)}
	if purpose == auth.ForUndo {
		t.Security = 0
		t.Old, t.OldDisplay, t.New = id+"-old@example.org", id+"-Old@Example.org", id+"-new@example.org"
	}
	return t
}

// of returns the ticket as another account's.
func of(account string, t auth.Ticket) auth.Ticket {
	t.Account = account
	return t
}

// completion is the use of a ticket of the account "a1" as it has just been opened.
func completion(id string) auth.Completion {
	return auth.Completion{Ticket: id, Account: "a1", From: opened, Hash: secondHash, Now: start}
}

// opens opens the account "a1", and "a2" beside it, which nothing may happen to.
func (m mailbox) opens(status flow.Status, hash string) {
	m.p.ok("Open", m.s.Open(m.ctx, "a1", status, hash, start))
	m.p.ok("Open", m.s.Open(m.ctx, "a2", status, hash, start))
}

// stands demands that the account "a1" stands so.
func (m mailbox) stands(want auth.Standing, hash string, compromised bool) {
	kept(m.ctx, m.p, m.s, "a1", want, hash, compromised)
}

// tickets are those that checks of what is beside tickets begin with.
func (m mailbox) tickets() []auth.Ticket {
	return []auth.Ticket{ticket("r1", auth.ForReset), ticket("u1", auth.ForUndo), of("a2", ticket("r2", auth.ForReset))}
}

// now is how the account stands.
func (m mailbox) now(account string) auth.Standing {
	state, err := m.s.State(m.ctx, account)
	m.p.ok(fmt.Sprintf("State(%q)", account), err)
	return state.Standing
}

func (m mailbox) adds(tickets ...auth.Ticket) {
	for _, t := range tickets {
		m.p.ok("AddTicket "+t.ID, m.s.AddTicket(m.ctx, t))
	}
}

// has demands that the tickets are there, as they are given.
func (m mailbox) has(want ...auth.Ticket) {
	for _, t := range want {
		got, err := m.s.FindTicket(m.ctx, t.ID, start)
		m.p.ok(fmt.Sprintf("FindTicket(%q)", t.ID), err)
		equal(m.p, fmt.Sprintf("ticket %q", t.ID), got, t)
	}
}

// lacks demands that there are no such tickets.
func (m mailbox) lacks(ids ...string) {
	for _, id := range ids {
		_, err := m.s.FindTicket(m.ctx, id, at(-1000*time.Hour))
		m.p.is(fmt.Sprintf("FindTicket(%q)", id), err, auth.ErrNotFound)
	}
}

// told demands that these letters are queued and no others. It is for the end of a check: it claims them.
func (m mailbox) told(want ...string) {
	got, err := m.s.ClaimLetters(m.ctx, start, at(time.Minute), 1000)
	m.p.ok("ClaimLetters", err)
	ids := idsOf(got)
	slices.Sort(ids)
	equal(m.p, "letters", ids, want)
}

// reserves demands what Reserved says.
func (m mailbox) reserves(identifier string, now time.Time, want bool) {
	got, err := m.s.Reserved(m.ctx, identifier, now)
	m.p.ok("Reserved", err)
	equal(m.p, fmt.Sprintf("Reserved(%q) at %s", identifier, now.Sub(start)), got, want)
}

var keepingRules = []rule[Tickets]{
	{
		"a ticket comes back whole",
		"a ticket is found with every field as given, times in UTC to the millisecond",
		inMailbox(func(m mailbox) {
			full := auth.Ticket{
				ID: "t1", Purpose: auth.ForUndo, Account: "a1", Security: 7, Key: "key \U0001f511", CreatedAt: at(-3 * tick), ExpiresAt: at(5 * tick),
				Old: "zoë@example.org", OldDisplay: "Zoë@Example.org", New: "new@example.org",
			}
			bare := auth.Ticket{ID: "t2", Purpose: auth.ForReset, Account: "a1", CreatedAt: start, ExpiresAt: at(tick)}
			m.adds(full, bare)
			m.has(full, bare)
		}),
	},
	{
		"an unknown ticket is not found",
		"what is not there is ErrNotFound, not an empty ticket, and an account's id is no ticket's",
		inMailbox(func(m mailbox) {
			m.lacks("t1", "")
			m.adds(ticket("t1", auth.ForReset))
			m.lacks("t2", "a1", "", "k1")
		}),
	},
	{
		"a look consumes nothing",
		"a link is opened by scanners of mails too, so a ticket can be found again and again",
		inMailbox(func(m mailbox) {
			for i, purpose := range linked {
				t := ticket(fmt.Sprintf("t%d", i), purpose)
				m.adds(t)
				m.has(t, t, t)
			}
		}),
	},
	{
		"a ticket expires at its moment",
		"a ticket that expires now is not found, and a millisecond before it is",
		inMailbox(func(m mailbox) {
			t := ticket("t1", auth.ForReset)
			m.adds(t)
			_, err := m.s.FindTicket(m.ctx, "t1", t.ExpiresAt.Add(-tick))
			m.p.ok("FindTicket before", err)
			for _, late := range []time.Duration{0, tick, time.Hour} {
				_, err = m.s.FindTicket(m.ctx, "t1", t.ExpiresAt.Add(late))
				m.p.is(fmt.Sprintf("FindTicket %s after", late), err, auth.ErrNotFound)
			}
		}),
	},
	{
		"a ticket takes the other's place",
		"of an account's tickets of a purpose the last one counts, so that a mail that was intercepted dies by the next; tickets of other purposes and other accounts stay",
		inMailbox(func(m mailbox) {
			invitation, others := ticket("i1", auth.ForInvitation), of("a2", ticket("r2", auth.ForReset))
			m.adds(ticket("r1", auth.ForReset), invitation, others, ticket("r3", auth.ForReset))
			m.lacks("r1")
			m.has(ticket("r3", auth.ForReset), invitation, others)
			m.adds(ticket("i2", auth.ForInvitation))
			m.lacks("i1")
			m.has(ticket("r3", auth.ForReset), ticket("i2", auth.ForInvitation), others)
		}),
	},
	{
		"undos stand beside each other",
		"a ticket ForUndo is never replaced: else a thief who changes the address twice is rid of the first undo",
		inMailbox(func(m mailbox) {
			m.adds(ticket("u1", auth.ForUndo), ticket("u2", auth.ForUndo), ticket("r1", auth.ForReset), ticket("u3", auth.ForUndo))
			m.has(ticket("u1", auth.ForUndo), ticket("u2", auth.ForUndo), ticket("u3", auth.ForUndo), ticket("r1", auth.ForReset))
		}),
	},
	{
		"a ticket id is used once",
		"adding a ticket with an id that is in use, be it that of the ticket to be replaced, is ErrTaken; it changes nothing and queues no letter",
		inMailbox(func(m mailbox) {
			m.adds(ticket("t1", auth.ForReset), of("a2", ticket("t2", auth.ForReset)))
			longer := ticket("t1", auth.ForReset)
			longer.ExpiresAt = at(9 * time.Hour)
			for _, again := range []auth.Ticket{
				ticket("t1", auth.ForReset), longer, ticket("t1", auth.ForInvitation), ticket("t1", auth.ForUndo),
				of("a2", ticket("t1", auth.ForReset)), ticket("t2", auth.ForReset),
			} {
				m.p.is(fmt.Sprintf("AddTicket %+v", again), m.s.AddTicket(m.ctx, again, letter("l1")), auth.ErrTaken)
			}
			m.has(ticket("t1", auth.ForReset), of("a2", ticket("t2", auth.ForReset)))
			m.told()
		}),
	},
	{
		"one ticket of an id wins",
		"of tickets added at once with one id one is kept",
		inMailbox(func(m mailbox) {
			errs := race(racers, func(i int) error {
				return m.s.AddTicket(m.ctx, of(fmt.Sprintf("a%d", i), ticket("t1", auth.ForReset)))
			})
			m.p.oneWon("AddTicket", errs, auth.ErrTaken)
			for i, err := range errs {
				if err == nil {
					m.has(of(fmt.Sprintf("a%d", i), ticket("t1", auth.ForReset)))
				}
			}
		}),
	},
	{
		"one ticket of a purpose stays",
		"of tickets added at once for one account and purpose one is there in the end",
		inMailbox(func(m mailbox) {
			m.p.ok("AddTicket", errors.Join(race(racers, func(i int) error {
				return m.s.AddTicket(m.ctx, ticket(fmt.Sprintf("t%d", i), auth.ForReset))
			})...))
			there := 0
			for i := range racers {
				if _, err := m.s.FindTicket(m.ctx, fmt.Sprintf("t%d", i), start); err == nil {
					there++
				}
			}
			equal(m.p, "tickets that are there", there, 1)
		}),
	},
	{
		"a ticket brings its letters",
		"the letters that a ticket is added with are queued",
		inMailbox(func(m mailbox) {
			m.p.ok("AddTicket", m.s.AddTicket(m.ctx, ticket("t1", auth.ForReset), letter("l1"), letter("l2")))
			m.p.ok("AddTicket", m.s.AddTicket(m.ctx, of("no account", ticket("t2", auth.ForReset)), letter("l3")))
			m.told("l1", "l2", "l3")
		}),
	},
	{
		"tickets are dropped by purpose",
		"DropTickets forgets all the account's tickets of the purpose and no others; none is no error",
		inMailbox(func(m mailbox) {
			m.p.ok("DropTickets of none", m.s.DropTickets(m.ctx, "a1", auth.ForInvitation))
			m.adds(ticket("r1", auth.ForReset), ticket("i1", auth.ForInvitation), ticket("u1", auth.ForUndo), ticket("u2", auth.ForUndo),
				of("a2", ticket("i2", auth.ForInvitation)), of("a2", ticket("u3", auth.ForUndo)))
			m.p.ok("DropTickets", m.s.DropTickets(m.ctx, "a1", auth.ForInvitation))
			m.lacks("i1")
			m.has(ticket("r1", auth.ForReset), ticket("u1", auth.ForUndo), ticket("u2", auth.ForUndo), of("a2", ticket("i2", auth.ForInvitation)))
			m.p.ok("DropTickets", m.s.DropTickets(m.ctx, "a1", auth.ForUndo))
			m.lacks("u1", "u2")
			m.has(ticket("r1", auth.ForReset), of("a2", ticket("u3", auth.ForUndo)))
		}),
	},
	{
		"ticket ids are opaque",
		"ids that differ in a byte are different tickets; one that cannot be stored is refused, never mistaken",
		inMailbox(func(m mailbox) {
			stored := map[string]auth.Ticket{}
			for i, id := range append(oddStrings(), longStrings()...) {
				t := of(fmt.Sprintf("a%d", i), ticket(id, auth.ForReset))
				if err := m.s.AddTicket(m.ctx, t); err == nil {
					stored[id] = t
				} else if !mayRefuse(id) {
					m.p.failf("AddTicket of %q: %v", id, err)
				}
			}
			for _, t := range stored {
				m.has(t)
			}
		}),
	},
	{
		"accounts of tickets are opaque",
		"a ticket takes the place of none that is another account's, however alike the names are, and drops none",
		inMailbox(func(m mailbox) {
			var stored []auth.Ticket
			for i, account := range oddStrings() {
				t := of(account, ticket(fmt.Sprintf("t%d", i), auth.ForReset))
				if err := m.s.AddTicket(m.ctx, t); err == nil {
					stored = append(stored, t)
				} else if !mayRefuse(account) {
					m.p.failf("AddTicket of account %q: %v", account, err)
				}
			}
			m.has(stored...)
			m.p.ok("DropTickets", m.s.DropTickets(m.ctx, "a", auth.ForReset))
			m.lacks(stored[0].ID)
			m.has(stored[1:]...)
		}),
	},
	{
		"a done context changes no ticket",
		"with a context that is done every method returns an error and leaves tickets, account and letters as they were",
		inMailbox(func(m mailbox) {
			done := cancelled(m.ctx)
			for what, verb := range ticketVerbs() {
				verb.prepare(m)
				err := verb.act(done, m.s, letter("l1"))
				m.p.fails(what, err)
				if errors.Is(err, auth.ErrStale) || errors.Is(err, auth.ErrNotFound) {
					m.p.failf("%s: got %q of what is as it was seen", what, err)
				}
				verb.nothing(m)
			}
		}),
	},
}

// linked are the purposes of tickets.
var linked = []auth.Purpose{auth.ForReset, auth.ForInvitation, auth.ForUndo}
