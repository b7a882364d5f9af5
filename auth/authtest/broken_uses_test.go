package authtest

import (
	"context"
	"errors"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// misledUse changes what the uses of one purpose are asked for.
func misledUse(purpose auth.Purpose, mislead func(ctx context.Context, s *ticketStore, c *auth.Completion)) func() Tickets {
	return brokenTicket(func(s *ticketStore) {
		s.complete = func(ctx context.Context, p auth.Purpose, c auth.Completion, sound completing) (flow.Epochs, error) {
			if p == purpose {
				mislead(ctx, s, &c)
			}
			return sound(ctx, c)
		}
	})
}

// afterUse does something once a ticket of the purpose was used.
func afterUse(purpose auth.Purpose, do func(ctx context.Context, s *ticketStore, c auth.Completion)) func() Tickets {
	return brokenTicket(func(s *ticketStore) {
		s.complete = func(ctx context.Context, p auth.Purpose, c auth.Completion, sound completing) (flow.Epochs, error) {
			e, err := sound(ctx, c)
			if p == purpose && err == nil {
				do(ctx, s, c)
			}
			return e, err
		}
	})
}

// deafUse does not tell which error (from the n-th on) of uses, of changes of address and of status.
func deafUse(n int32, which error) func() Tickets {
	return brokenTicket(func(s *ticketStore) {
		deaf := lateSwallow(n, which)
		s.complete = func(ctx context.Context, _ auth.Purpose, c auth.Completion, sound completing) (flow.Epochs, error) {
			e, err := sound(ctx, c)
			return e, deaf(err)
		}
		s.change = func(ctx context.Context, id string, from auth.Standing, undo auth.Ticket, letters ...auth.Letter) (flow.Epochs, error) {
			e, err := s.Store.ChangeAddress(ctx, id, from, undo, letters...)
			return e, deaf(err)
		}
		s.set = func(ctx context.Context, id string, from auth.Standing, to flow.Status, letters ...auth.Letter) (flow.Epochs, error) {
			e, err := s.Store.SetStatus(ctx, id, from, to, start, letters...)
			return e, deaf(err)
		}
	})
}

// current returns the standing as it is.
func (s *ticketStore) current(ctx context.Context, id string) auth.Standing {
	state, _ := s.Store.State(ctx, id)
	return state.Standing
}

// anyTicket uses the account's own ticket for one that is refused.
func anyTicket(u use) func() Tickets {
	return brokenTicket(func(s *ticketStore) {
		s.complete = func(ctx context.Context, _ auth.Purpose, c auth.Completion, sound completing) (flow.Epochs, error) {
			e, err := sound(ctx, c)
			if errors.Is(err, auth.ErrStale) {
				c.Ticket = u.id
				return sound(ctx, c)
			}
			return e, err
		}
	})
}

// brokenUses are the stores that break what all uses have in common.
func brokenUses() map[string]func() Tickets {
	all := map[string]func() Tickets{}
	for _, u := range uses {
		all[u.name+" needs the account"] = deafUse(1, auth.ErrNotFound)
		all[u.name+" needs its ticket"] = anyTicket(u)
		all[u.name+" consumes its ticket"] = afterUse(u.purpose, func(ctx context.Context, s *ticketStore, c auth.Completion) {
			_ = s.Store.AddTicket(ctx, u.ticket())
		})
		all[u.name+" is in time"] = misledUse(u.purpose, func(_ context.Context, _ *ticketStore, c *auth.Completion) {
			c.Now = c.Now.Add(-tick)
		})
		all[u.name+" is from what was seen"] = misledUse(u.purpose, func(ctx context.Context, s *ticketStore, c *auth.Completion) {
			c.From.Epochs.Session = s.current(ctx, c.Account).Epochs.Session
		})
		all[u.name+" tells of itself"] = misledUse(u.purpose, func(ctx context.Context, s *ticketStore, c *auth.Completion) {
			_ = s.AddLetters(ctx, c.Letters...)
			c.Letters = nil
		})
		all["one user wins "+u.name] = deafUse(3, auth.ErrStale)
		if u.purpose != auth.ForUndo {
			all[u.name+" ends with the security epoch"] = misledAdd(func(_ *ticketStore, t *auth.Ticket, _ *[]auth.Letter) { t.Security = 1 })
		}
	}
	return all
}

// openingClosed lets a use succeed with accounts that it is not for.
func openingClosed(purpose auth.Purpose) func() Tickets {
	return brokenTicket(func(s *ticketStore) {
		s.complete = func(ctx context.Context, p auth.Purpose, c auth.Completion, sound completing) (flow.Epochs, error) {
			e, err := sound(ctx, c)
			if p == purpose && errors.Is(err, auth.ErrStale) && c.From.Status == flow.Disabled {
				return s.Store.SetStatus(ctx, c.Account, c.From, flow.Active, c.Now)
			}
			return e, err
		}
	})
}

// remembering brings the account's tickets back after a use.
func remembering(u use) func() Tickets {
	return afterUse(u.purpose, func(ctx context.Context, s *ticketStore, _ auth.Completion) {
		_ = s.Store.AddTicket(ctx, ticket("i1", auth.ForInvitation))
	})
}

var brokenVerbs = map[string]func() Tickets{
	"a recovery sets the password": misledUse(auth.ForReset, func(_ context.Context, _ *ticketStore, c *auth.Completion) { c.EndSessions = true }),
	"a recovery ends sessions":     misledUse(auth.ForReset, func(_ context.Context, _ *ticketStore, c *auth.Completion) { c.EndSessions = false }),
	"a recovery opens a locked account": afterUse(auth.ForReset, func(ctx context.Context, s *ticketStore, c auth.Completion) {
		_, _ = s.Store.SetStatus(ctx, c.Account, s.current(ctx, c.Account), c.From.Status, c.Now)
	}),
	"a recovery opens no closed account": openingClosed(auth.ForReset),
	"a recovery leaves a password": brokenTicket(func(s *ticketStore) {
		s.complete = func(ctx context.Context, p auth.Purpose, c auth.Completion, sound completing) (flow.Epochs, error) {
			if p == auth.ForReset && c.Hash == "" {
				return s.Store.ReplacePassword(ctx, c.Account, c.From.Epochs, "", c.EndSessions, c.Now)
			}
			return sound(ctx, c)
		}
	}),
	"a recovery forgets mailed secrets": remembering(recoveryUse),

	"an activation opens an invited account": misledUse(auth.ForInvitation, func(_ context.Context, _ *ticketStore, c *auth.Completion) {
		c.EndSessions = true
	}),
	"an activation without a password": misledUse(auth.ForInvitation, func(ctx context.Context, s *ticketStore, c *auth.Completion) {
		if c.Hash == "" {
			c.Hash, _ = s.Store.PasswordHash(ctx, c.Account)
		}
	}),
	"an activation opens no other account": openingClosed(auth.ForInvitation),
	"an activation forgets mailed secrets": remembering(activationUse),
	"an undo opens no account":             lockingAll(),
	"an undo demands a reset": brokenTicket(func(s *ticketStore) {
		s.state = func(ctx context.Context, id string) (auth.AccountState, error) {
			state, err := s.Store.State(ctx, id)
			state.ResetDue = state.Status == flow.Locked // forgets the disabled ones
			return state, err
		}
	}),
	"an undo outlives every change":                   brokenTicket(func(s *ticketStore) { s.replace = s.forgetfulReplace }),
	"an undo forgets what came after it":              byCreation(),
	"a recovery voids a later ticket":                 deafUse(1, auth.ErrStale),
	"a recovery clears no later mark":                 unmarking(),
	"a recovery and a status do not both win":         deafUse(3, auth.ErrStale),
	"an undo and a change of address do not both win": deafUse(3, auth.ErrStale),
	"an undo locks the account": afterUse(auth.ForUndo, func(ctx context.Context, s *ticketStore, c auth.Completion) {
		old, _ := s.Store.PasswordHash(ctx, c.Account)
		_ = s.Store.Rehash(ctx, c.Account, old, c.Hash)
	}),
}

// lockingAll locks whatever an undo is of.
func lockingAll() func() Tickets {
	return brokenTicket(func(s *ticketStore) {
		s.complete = func(ctx context.Context, p auth.Purpose, c auth.Completion, sound completing) (flow.Epochs, error) {
			if p == auth.ForUndo && c.From.Status == flow.Disabled {
				return s.Store.SetStatus(ctx, c.Account, c.From, flow.Locked, c.Now)
			}
			return sound(ctx, c)
		}
	})
}

// forgetfulReplace replaces a password and forgets undos too.
func (s *ticketStore) forgetfulReplace(ctx context.Context, id string, from flow.Epochs, hash string, end bool, letters ...auth.Letter) (flow.Epochs, error) {
	_ = s.Store.DropTickets(ctx, id, auth.ForUndo)
	return s.Store.ReplacePassword(ctx, id, from, hash, end, start, letters...)
}

// byCreation goes by the tickets' times when an undo forgets those after it.
func byCreation() func() Tickets {
	return brokenTicket(func(s *ticketStore) {
		undos := map[string]auth.Ticket{}
		s.add = func(ctx context.Context, t auth.Ticket, letters ...auth.Letter) error {
			if t.Purpose == auth.ForUndo {
				undos[t.ID] = t
			}
			return s.Store.AddTicket(ctx, t, letters...)
		}
		s.complete = func(ctx context.Context, _ auth.Purpose, c auth.Completion, sound completing) (flow.Epochs, error) {
			e, err := sound(ctx, c)
			for _, undo := range undos {
				if undo.Account == c.Account && undo.CreatedAt.Before(undos[c.Ticket].CreatedAt) {
					_ = s.Store.AddTicket(ctx, undo)
				}
			}
			return e, err
		}
	})
}

// unmarking loses all marks but the first.
func unmarking() func() Tickets {
	return brokenTicket(func(s *ticketStore) {
		late := from(2)
		s.mark = func(ctx context.Context, id string) (flow.Epochs, error) {
			if late() {
				return s.current(ctx, id).Epochs, nil
			}
			return s.Store.MarkCompromised(ctx, id, start)
		}
	})
}

// misledChange changes what ChangeAddress is asked for.
func misledChange(mislead func(ctx context.Context, s *ticketStore, id string, from *auth.Standing, undo *auth.Ticket)) func() Tickets {
	return brokenTicket(func(s *ticketStore) {
		s.change = func(ctx context.Context, id string, from auth.Standing, undo auth.Ticket, letters ...auth.Letter) (flow.Epochs, error) {
			mislead(ctx, s, id, &from, &undo)
			return s.Store.ChangeAddress(ctx, id, from, undo, letters...)
		}
	})
}

var brokenAddresses = map[string]func() Tickets{
	"a change of address can be undone": misledChange(func(_ context.Context, _ *ticketStore, _ string, _ *auth.Standing, undo *auth.Ticket) {
		undo.ExpiresAt = undo.ExpiresAt.Truncate(time.Minute)
	}),
	"a change of address forgets mailed secrets": brokenTicket(func(s *ticketStore) {
		s.change = func(ctx context.Context, id string, from auth.Standing, undo auth.Ticket, letters ...auth.Letter) (flow.Epochs, error) {
			e, err := s.Store.ChangeAddress(ctx, id, from, undo, letters...)
			_ = s.Store.AddTicket(ctx, ticket("r1", auth.ForReset))
			return e, err
		}
	}),
	"a change of address needs the account": brokenTicket(func(s *ticketStore) {
		s.change = func(ctx context.Context, id string, from auth.Standing, undo auth.Ticket, letters ...auth.Letter) (flow.Epochs, error) {
			_ = s.Store.AddTicket(ctx, undo)
			return s.Store.ChangeAddress(ctx, id, from, undo, letters...)
		}
	}),
	"a change of address is from what was seen": misledChange(func(ctx context.Context, s *ticketStore, id string, from *auth.Standing, _ *auth.Ticket) {
		from.Status = s.current(ctx, id).Status
	}),
	"a change of address takes its own undo": misledChange(func(_ context.Context, _ *ticketStore, id string, _ *auth.Standing, undo *auth.Ticket) {
		undo.Account = id
	}),
	"a change of address takes an id of its own": misledChange(func(ctx context.Context, s *ticketStore, id string, _ *auth.Standing, _ *auth.Ticket) {
		_ = s.Store.DropTickets(ctx, id, auth.ForReset)
	}),
	"one change of address wins": deafUse(3, auth.ErrStale),
}

var brokenBeside = map[string]func() Tickets{
	"a new password forgets mailed secrets": brokenTicket(func(s *ticketStore) { s.replace = s.forgetfulReplace }),
	"a new password tells of itself": brokenTicket(func(s *ticketStore) {
		s.replace = func(ctx context.Context, id string, from flow.Epochs, hash string, end bool, letters ...auth.Letter) (flow.Epochs, error) {
			_ = s.AddLetters(ctx, letters...)
			return s.Store.ReplacePassword(ctx, id, from, hash, end, start)
		}
	}),
	"a new status tells of itself": brokenTicket(func(s *ticketStore) {
		s.set = func(ctx context.Context, id string, from auth.Standing, to flow.Status, _ ...auth.Letter) (flow.Epochs, error) {
			return s.Store.SetStatus(ctx, id, from, to, start)
		}
	}),
	"delete forgets the tickets": brokenTicket(func(s *ticketStore) {
		s.remove = func(ctx context.Context, id string) error {
			err := s.Store.Delete(ctx, id)
			_ = s.Store.AddTicket(ctx, of(id, ticket("u1", auth.ForUndo)))
			return err
		}
	}),
	"what cannot be told does not happen": brokenTicket(func(s *ticketStore) {
		s.set = func(ctx context.Context, id string, from auth.Standing, to flow.Status, letters ...auth.Letter) (flow.Epochs, error) {
			e, err := s.Store.SetStatus(ctx, id, from, to, start)
			if err == nil {
				err = errors.New("malformed text")
			}
			return e, err
		}
	}),
}
