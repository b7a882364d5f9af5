package memory

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// tickets are kept under the lock of the people: what uses one changes its account in the same act.
type tickets struct {
	byID      map[string]auth.Ticket
	byAccount map[string][]string // to the ids, in the order of coming
	byOld     map[string][]string // those ForUndo, by the identifier that was given up
}

func (t *tickets) init() {
	t.byID = map[string]auth.Ticket{}
	t.byAccount, t.byOld = map[string][]string{}, map[string][]string{}
}

// put keeps a ticket whose id is not in use.
func (t *tickets) put(ticket auth.Ticket) {
	ticket.CreatedAt, ticket.ExpiresAt = rounded(ticket.CreatedAt), rounded(ticket.ExpiresAt)
	t.byID[ticket.ID] = ticket
	t.byAccount[ticket.Account] = append(t.byAccount[ticket.Account], ticket.ID)
	if ticket.Purpose == auth.ForUndo {
		t.byOld[ticket.Old] = append(t.byOld[ticket.Old], ticket.ID)
	}
}

func (t *tickets) remove(id string) {
	ticket := t.byID[id]
	delete(t.byID, id)
	unlist(t.byAccount, ticket.Account, id)
	if ticket.Purpose == auth.ForUndo {
		unlist(t.byOld, ticket.Old, id)
	}
}

func unlist(lists map[string][]string, key, id string) {
	rest := slices.DeleteFunc(lists[key], func(other string) bool { return other == id })
	if len(rest) == 0 {
		delete(lists, key)
		return
	}
	lists[key] = rest
}

// drop removes those of the account's tickets that are such.
func (t *tickets) drop(account string, such func(auth.Ticket) bool) {
	for _, id := range slices.Clone(t.byAccount[account]) {
		if such(t.byID[id]) {
			t.remove(id)
		}
	}
}

// mortal reports whether a ticket dies with a change of its account.
func mortal(t auth.Ticket) bool { return t.Purpose != auth.ForUndo }

// AddTicket implements auth.TicketStore.
func (s *Store) AddTicket(ctx context.Context, t auth.Ticket, letters ...auth.Letter) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	if _, taken := s.people.tickets.byID[t.ID]; taken {
		return auth.ErrTaken
	}
	s.people.tickets.drop(t.Account, func(other auth.Ticket) bool { return other.Purpose == t.Purpose && mortal(other) })
	s.people.tickets.put(t)
	s.letters.add(letters)
	return nil
}

// FindTicket implements auth.TicketStore.
func (s *Store) FindTicket(ctx context.Context, id string, now time.Time) (auth.Ticket, error) {
	if err := ctx.Err(); err != nil {
		return auth.Ticket{}, err
	}
	s.people.mu.RLock()
	defer s.people.mu.RUnlock()
	t, ok := s.people.tickets.byID[id]
	if !ok || !t.ExpiresAt.After(now) {
		return auth.Ticket{}, auth.ErrNotFound
	}
	return t, nil
}

// DropTickets implements auth.TicketStore.
func (s *Store) DropTickets(ctx context.Context, account string, p auth.Purpose) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	s.people.tickets.drop(account, func(t auth.Ticket) bool { return t.Purpose == p })
	return nil
}

// Reserved implements auth.TicketStore.
func (s *Store) Reserved(ctx context.Context, identifier string, now time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.people.mu.RLock()
	defer s.people.mu.RUnlock()
	t := &s.people.tickets
	return slices.ContainsFunc(t.byOld[identifier], func(id string) bool { return t.byID[id].ExpiresAt.After(now) }), nil
}

// CompleteRecovery implements auth.TicketStore.
func (s *Store) CompleteRecovery(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	if c.Hash == "" {
		return flow.Epochs{}, errors.New("memory: complete recovery: there is no hash")
	}
	return s.change(ctx, c.Account, c.Letters, func(k *kept) error {
		locked := k.standing.Status == flow.Locked
		if !s.completes(c, auth.ForReset, k.standing) || !locked && k.standing.Status != flow.Active {
			return auth.ErrStale
		}
		k.hash, k.compromised, k.resetDue = c.Hash, false, false
		k.standing = auth.Standing{Status: flow.Active, Epochs: raised(c.From.Epochs, c.EndSessions || locked)}
		s.people.tickets.drop(c.Account, mortal)
		if c.ForgetFactors {
			s.people.factors.set(c.Account, nil)
		}
		if c.ForgetLinks {
			s.people.links.disconnectAll(c.Account, flow.Social)
		}
		return nil
	})
}

// CompleteActivation implements auth.TicketStore.
func (s *Store) CompleteActivation(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	return s.change(ctx, c.Account, c.Letters, func(k *kept) error {
		if !s.completes(c, auth.ForInvitation, k.standing) || k.standing.Status != flow.Invited {
			return auth.ErrStale
		}
		k.hash, k.compromised, k.resetDue = c.Hash, false, false
		k.standing = auth.Standing{Status: flow.Active, Epochs: raised(c.From.Epochs, c.EndSessions)}
		s.people.tickets.drop(c.Account, mortal)
		return nil
	})
}

// ChangeAddress implements auth.TicketStore.
func (s *Store) ChangeAddress(ctx context.Context, id string, from auth.Standing, undo auth.Ticket, letters ...auth.Letter) (flow.Epochs, error) {
	if undo.Purpose != auth.ForUndo || undo.Account != id {
		return flow.Epochs{}, errors.New("memory: change address: the ticket does not undo it")
	}
	return s.change(ctx, id, letters, func(k *kept) error {
		if k.standing != from {
			return auth.ErrStale
		}
		if _, taken := s.people.tickets.byID[undo.ID]; taken {
			return auth.ErrTaken
		}
		k.standing.Epochs = raised(from.Epochs, false)
		s.people.tickets.drop(id, mortal)
		s.people.tickets.put(undo)
		return nil
	})
}

// CompleteUndo implements auth.TicketStore.
func (s *Store) CompleteUndo(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	return s.change(ctx, c.Account, c.Letters, func(k *kept) error {
		if !s.completes(c, auth.ForUndo, k.standing) {
			return auth.ErrStale
		}
		if k.standing.Status == flow.Active {
			k.standing.Status = flow.Locked
		}
		k.standing.Epochs, k.resetDue = raised(c.From.Epochs, true), true
		all := s.people.tickets.byAccount[c.Account]
		before := slices.Clone(all[:slices.Index(all, c.Ticket)])
		s.people.tickets.drop(c.Account, func(t auth.Ticket) bool { return mortal(t) || !slices.Contains(before, t.ID) })
		return nil
	})
}

// completes reports whether the account stands as the flow saw it and has the ticket that is to be used. A
// ticket ForUndo is of no security epoch.
func (s *Store) completes(c auth.Completion, p auth.Purpose, standing auth.Standing) bool {
	t, ok := s.people.tickets.byID[c.Ticket]
	return ok && standing == c.From && t.Account == c.Account && t.Purpose == p && t.ExpiresAt.After(c.Now) &&
		(p == auth.ForUndo || t.Security == standing.Epochs.Security)
}

// SweepTickets implements auth.TicketStore.
func (s *Store) SweepTickets(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	swept := 0
	for id, t := range s.people.tickets.byID {
		if swept >= limit {
			break
		}
		if !t.ExpiresAt.After(now) {
			s.people.tickets.remove(id)
			swept++
		}
	}
	return swept, nil
}
