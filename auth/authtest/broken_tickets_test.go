package authtest

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
)

// completing is one of the three methods that consume a ticket.
type completing func(ctx context.Context, c auth.Completion) (flow.Epochs, error)

// ticketStore is a sound store with hooks; hooks that are nil do nothing.
type ticketStore struct {
	*memory.Store
	add      func(ctx context.Context, t auth.Ticket, letters ...auth.Letter) error
	find     func(ctx context.Context, id string, now time.Time) (auth.Ticket, error)
	drop     func(ctx context.Context, account string, p auth.Purpose) error
	reserved func(ctx context.Context, identifier string, now time.Time) (bool, error)
	complete func(ctx context.Context, p auth.Purpose, c auth.Completion, sound completing) (flow.Epochs, error)
	change   func(ctx context.Context, id string, from auth.Standing, undo auth.Ticket, letters ...auth.Letter) (flow.Epochs, error)
	sweep    func(ctx context.Context, now time.Time, limit int) (int, error)
	set      func(ctx context.Context, id string, from auth.Standing, to flow.Status, letters ...auth.Letter) (flow.Epochs, error)
	replace  func(ctx context.Context, id string, from flow.Epochs, hash string, end bool, letters ...auth.Letter) (flow.Epochs, error)
	mark     func(ctx context.Context, id string) (flow.Epochs, error)
	remove   func(ctx context.Context, id string) error
	state    func(ctx context.Context, id string) (auth.AccountState, error)
}

func (s *ticketStore) State(ctx context.Context, id string) (auth.AccountState, error) {
	if s.state != nil {
		return s.state(ctx, id)
	}
	return s.Store.State(ctx, id)
}

func (s *ticketStore) AddTicket(ctx context.Context, t auth.Ticket, letters ...auth.Letter) error {
	if s.add != nil {
		return s.add(ctx, t, letters...)
	}
	return s.Store.AddTicket(ctx, t, letters...)
}

func (s *ticketStore) FindTicket(ctx context.Context, id string, now time.Time) (auth.Ticket, error) {
	if s.find != nil {
		return s.find(ctx, id, now)
	}
	return s.Store.FindTicket(ctx, id, now)
}

func (s *ticketStore) DropTickets(ctx context.Context, account string, p auth.Purpose) error {
	if s.drop != nil {
		return s.drop(ctx, account, p)
	}
	return s.Store.DropTickets(ctx, account, p)
}

func (s *ticketStore) Reserved(ctx context.Context, identifier string, now time.Time) (bool, error) {
	if s.reserved != nil {
		return s.reserved(ctx, identifier, now)
	}
	return s.Store.Reserved(ctx, identifier, now)
}

func (s *ticketStore) CompleteRecovery(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	return s.completes(ctx, auth.ForReset, c, s.Store.CompleteRecovery)
}

func (s *ticketStore) CompleteActivation(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	return s.completes(ctx, auth.ForInvitation, c, s.Store.CompleteActivation)
}

func (s *ticketStore) CompleteUndo(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	return s.completes(ctx, auth.ForUndo, c, s.Store.CompleteUndo)
}

func (s *ticketStore) completes(ctx context.Context, p auth.Purpose, c auth.Completion, sound completing) (flow.Epochs, error) {
	if s.complete != nil {
		return s.complete(ctx, p, c, sound)
	}
	return sound(ctx, c)
}

func (s *ticketStore) ChangeAddress(ctx context.Context, id string, from auth.Standing, undo auth.Ticket, letters ...auth.Letter) (flow.Epochs, error) {
	if s.change != nil {
		return s.change(ctx, id, from, undo, letters...)
	}
	return s.Store.ChangeAddress(ctx, id, from, undo, letters...)
}

func (s *ticketStore) SweepTickets(ctx context.Context, now time.Time, limit int) (int, error) {
	if s.sweep != nil {
		return s.sweep(ctx, now, limit)
	}
	return s.Store.SweepTickets(ctx, now, limit)
}

func (s *ticketStore) SetStatus(ctx context.Context, id string, from auth.Standing, to flow.Status, now time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	if s.set != nil {
		return s.set(ctx, id, from, to, letters...)
	}
	return s.Store.SetStatus(ctx, id, from, to, now, letters...)
}

func (s *ticketStore) ReplacePassword(ctx context.Context, id string, from flow.Epochs, hash string, end bool, now time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	if s.replace != nil {
		return s.replace(ctx, id, from, hash, end, letters...)
	}
	return s.Store.ReplacePassword(ctx, id, from, hash, end, now, letters...)
}

func (s *ticketStore) MarkCompromised(ctx context.Context, id string, now time.Time) (flow.Epochs, error) {
	if s.mark != nil {
		return s.mark(ctx, id)
	}
	return s.Store.MarkCompromised(ctx, id, now)
}

func (s *ticketStore) Delete(ctx context.Context, id string) error {
	if s.remove != nil {
		return s.remove(ctx, id)
	}
	return s.Store.Delete(ctx, id)
}

func brokenTicket(fault func(s *ticketStore)) func() Tickets {
	return func() Tickets {
		s := &ticketStore{Store: memory.New()}
		fault(s)
		return s
	}
}

func brokenTickets() map[string]func() Tickets {
	all := map[string]func() Tickets{}
	for _, some := range []map[string]func() Tickets{
		brokenKeeping, brokenReserving, brokenBeside, brokenVerbs, brokenAddresses, brokenUses(),
	} {
		maps.Copy(all, some)
	}
	return all
}

// misledAdd changes what AddTicket is asked for.
func misledAdd(mislead func(s *ticketStore, t *auth.Ticket, letters *[]auth.Letter)) func() Tickets {
	return brokenTicket(func(s *ticketStore) {
		s.add = func(ctx context.Context, t auth.Ticket, letters ...auth.Letter) error {
			mislead(s, &t, &letters)
			return s.Store.AddTicket(ctx, t, letters...)
		}
	})
}

// deafAdd does not tell ErrTaken of AddTicket (from the n-th on).
func deafAdd(n int32) func() Tickets {
	return brokenTicket(func(s *ticketStore) {
		deaf := lateSwallow(n, auth.ErrTaken)
		s.add = func(ctx context.Context, t auth.Ticket, letters ...auth.Letter) error {
			return deaf(s.Store.AddTicket(ctx, t, letters...))
		}
	})
}

// unforgetting finds tickets that are no longer there (from the n-th added on).
func unforgetting(n int32) func() Tickets {
	return brokenTicket(func(s *ticketStore) {
		late := from(n)
		var added sync.Map
		s.add = func(ctx context.Context, t auth.Ticket, letters ...auth.Letter) error {
			if late() {
				added.Store(t.ID, t)
			}
			return s.Store.AddTicket(ctx, t, letters...)
		}
		s.find = func(ctx context.Context, id string, now time.Time) (auth.Ticket, error) {
			t, err := s.Store.FindTicket(ctx, id, now)
			if old, ok := added.Load(id); ok && errors.Is(err, auth.ErrNotFound) {
				return old.(auth.Ticket), nil
			}
			return t, err
		}
	})
}

var brokenKeeping = map[string]func() Tickets{
	"a ticket comes back whole": misledAdd(func(_ *ticketStore, t *auth.Ticket, _ *[]auth.Letter) {
		t.CreatedAt = t.CreatedAt.Truncate(time.Second)
	}),
	"an unknown ticket is not found": brokenTicket(func(s *ticketStore) {
		s.find = func(ctx context.Context, id string, now time.Time) (auth.Ticket, error) {
			t, err := s.Store.FindTicket(ctx, id, now)
			return t, swallow(err, auth.ErrNotFound)
		}
	}),
	"a look consumes nothing": brokenTicket(func(s *ticketStore) {
		s.find = func(ctx context.Context, id string, now time.Time) (auth.Ticket, error) {
			t, err := s.Store.FindTicket(ctx, id, now)
			_ = s.Store.DropTickets(ctx, t.Account, t.Purpose)
			return t, err
		}
	}),
	"a ticket expires at its moment": brokenTicket(func(s *ticketStore) {
		s.find = func(ctx context.Context, id string, now time.Time) (auth.Ticket, error) {
			return s.Store.FindTicket(ctx, id, now.Add(-tick))
		}
	}),
	"a ticket takes the other's place": unforgetting(1),
	"undos stand beside each other": misledAdd(func(s *ticketStore, t *auth.Ticket, _ *[]auth.Letter) {
		_ = s.Store.DropTickets(context.Background(), t.Account, t.Purpose)
	}),
	"a ticket id is used once": misledAdd(func(s *ticketStore, t *auth.Ticket, _ *[]auth.Letter) {
		// The ticket that is to be replaced goes first, and its id with it.
		_ = s.Store.DropTickets(context.Background(), t.Account, t.Purpose)
	}),
	"one ticket of an id wins":       deafAdd(3),
	"one ticket of a purpose stays":  unforgetting(racers - 1),
	"a ticket brings its letters":    misledAdd(func(_ *ticketStore, _ *auth.Ticket, letters *[]auth.Letter) { *letters = nil }),
	"tickets are dropped by purpose": forgetful(func(auth.Purpose) bool { return true }),
	"ticket ids are opaque":          misledAdd(func(_ *ticketStore, t *auth.Ticket, _ *[]auth.Letter) { t.ID = fold(t.ID) }),
	"accounts of tickets are opaque": brokenTicket(func(s *ticketStore) {
		s.drop = func(ctx context.Context, account string, p auth.Purpose) error {
			_ = s.Store.DropTickets(ctx, "A", p)
			return s.Store.DropTickets(ctx, account, p)
		}
	}),
	"a done context changes no ticket": brokenTicket(func(s *ticketStore) {
		s.sweep = func(ctx context.Context, now time.Time, limit int) (int, error) {
			_, _ = s.Store.SweepTickets(context.WithoutCancel(ctx), now, limit)
			return 0, ctx.Err()
		}
	}),
}

// forgetful drops more than it is told to.
func forgetful(more func(p auth.Purpose) bool) func() Tickets {
	return brokenTicket(func(s *ticketStore) {
		s.drop = func(ctx context.Context, account string, p auth.Purpose) error {
			for _, other := range linked {
				if other == p || more(other) {
					_ = s.Store.DropTickets(ctx, account, other)
				}
			}
			return nil
		}
	})
}

// misledReserved changes what Reserved is asked for.
func misledReserved(mislead func(identifier *string, now *time.Time)) func() Tickets {
	return brokenTicket(func(s *ticketStore) {
		s.reserved = func(ctx context.Context, identifier string, now time.Time) (bool, error) {
			mislead(&identifier, &now)
			return s.Store.Reserved(ctx, identifier, now)
		}
	})
}

var brokenReserving = map[string]func() Tickets{
	"an address is reserved": misledReserved(func(_ *string, now *time.Time) { *now = now.Add(-tick) }),
	"only the old address is reserved": misledReserved(func(identifier *string, _ *time.Time) {
		if undo := ticket("u1", auth.ForUndo); *identifier == undo.OldDisplay {
			*identifier = undo.Old
		}
	}),
	"undos of one address reserve it together": brokenTicket(func(s *ticketStore) {
		dropped := false
		s.drop = func(ctx context.Context, account string, p auth.Purpose) error {
			dropped = true
			return s.Store.DropTickets(ctx, account, p)
		}
		s.reserved = func(ctx context.Context, identifier string, now time.Time) (bool, error) {
			reserved, err := s.Store.Reserved(ctx, identifier, now)
			return reserved && !dropped, err
		}
	}),
	"reserved addresses are opaque": misledReserved(func(identifier *string, _ *time.Time) { *identifier = trim(*identifier) }),
	"a ticket sweep takes what expired": brokenTicket(func(s *ticketStore) {
		s.sweep = func(ctx context.Context, now time.Time, limit int) (int, error) {
			return s.Store.SweepTickets(ctx, now.Add(-tick), limit)
		}
	}),
	"a ticket sweep keeps to its limit": brokenTicket(func(s *ticketStore) {
		s.sweep = func(ctx context.Context, now time.Time, _ int) (int, error) {
			return s.Store.SweepTickets(ctx, now, 1000)
		}
	}),
}
