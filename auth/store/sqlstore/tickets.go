package sqlstore

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// In the statements 'undo' is auth.ForUndo: a partial index is used only for the text that it was made with.

// AddTicket implements auth.TicketStore.
func (s *Store) AddTicket(ctx context.Context, ticket auth.Ticket, letters ...auth.Letter) error {
	err := s.act(ctx, func(t tx) error {
		// One with the same id stays, so that putting the ticket finds it.
		_, err := t.exec(ctx, `DELETE FROM cardea_tickets
			WHERE account = ? AND purpose = ? AND purpose <> 'undo' AND id <> ?`,
			ticket.Account, string(ticket.Purpose), ticket.ID)
		if err != nil {
			return err
		}
		if err := t.putTicket(ctx, ticket); err != nil {
			return err
		}
		return t.addLetters(ctx, letters)
	})
	return fault("add ticket", err, auth.ErrTaken)
}

// putTicket keeps a ticket, unless its id is in use.
func (t tx) putTicket(ctx context.Context, ticket auth.Ticket) error {
	rows, err := t.exec(ctx, `INSERT INTO cardea_tickets
		(id, purpose, account, security_epoch, key_name, created_at, expires_at, old_identifier, old_display, new_identifier)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		ticket.ID, string(ticket.Purpose), ticket.Account, ticket.Security, ticket.Key,
		micros(ticket.CreatedAt), micros(ticket.ExpiresAt), ticket.Old, ticket.OldDisplay, ticket.New)
	if err == nil && rows == 0 {
		return auth.ErrTaken
	}
	return err
}

// FindTicket implements auth.TicketStore.
func (s *Store) FindTicket(ctx context.Context, id string, now time.Time) (auth.Ticket, error) {
	t := auth.Ticket{ID: id}
	var purpose string
	var created, expires int64
	err := s.row(ctx, `SELECT purpose, account, security_epoch, key_name, created_at, expires_at, old_identifier, old_display, new_identifier
		FROM cardea_tickets WHERE id = ? AND expires_at > ?`, id, micros(now)).
		Scan(&purpose, &t.Account, &t.Security, &t.Key, &created, &expires, &t.Old, &t.OldDisplay, &t.New)
	if err != nil {
		return auth.Ticket{}, fault("find ticket", missing(err, auth.ErrNotFound), auth.ErrNotFound)
	}
	t.Purpose, t.CreatedAt, t.ExpiresAt = auth.Purpose(purpose), moment(created), moment(expires)
	return t, nil
}

// DropTickets implements auth.TicketStore.
func (s *Store) DropTickets(ctx context.Context, account string, p auth.Purpose) error {
	_, err := s.exec(ctx, `DELETE FROM cardea_tickets WHERE account = ? AND purpose = ?`, account, string(p))
	return fault("drop tickets", err)
}

// Reserved implements auth.TicketStore.
func (s *Store) Reserved(ctx context.Context, identifier string, now time.Time) (reserved bool, err error) {
	err = s.row(ctx, `SELECT EXISTS (SELECT 1 FROM cardea_tickets
		WHERE old_identifier = ? AND purpose = 'undo' AND expires_at > ?)`, identifier, micros(now)).Scan(&reserved)
	return reserved, fault("look for a reservation", err)
}

// CompleteRecovery implements auth.TicketStore.
func (s *Store) CompleteRecovery(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	if c.Hash == "" {
		return flow.Epochs{}, errors.New("sqlstore: complete recovery: there is no hash")
	}
	locked := c.From.Status == flow.Locked
	to := auth.Standing{Status: flow.Active, Epochs: raised(c.From.Epochs, c.EndSessions || locked)}
	err := s.act(ctx, func(t tx) error {
		if !locked && c.From.Status != flow.Active {
			return t.staleOrMissing(ctx, c.Account)
		}
		if err := t.completeWithPassword(ctx, c, auth.ForReset, to); err != nil {
			return err
		}
		if c.ForgetFactors {
			if _, err := t.exec(ctx, `DELETE FROM cardea_factors WHERE account = ?`, c.Account); err != nil {
				return err
			}
		}
		if c.ForgetLinks {
			return t.removeLinks(ctx, c.Account, flow.Social)
		}
		return nil
	})
	return changed("complete recovery", to.Epochs, err)
}

// CompleteActivation implements auth.TicketStore.
func (s *Store) CompleteActivation(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	to := auth.Standing{Status: flow.Active, Epochs: raised(c.From.Epochs, c.EndSessions)}
	err := s.act(ctx, func(t tx) error {
		if c.From.Status != flow.Invited {
			return t.staleOrMissing(ctx, c.Account)
		}
		return t.completeWithPassword(ctx, c, auth.ForInvitation, to)
	})
	return changed("complete activation", to.Epochs, err)
}

// completeWithPassword uses a ticket that allows to set a password.
func (t tx) completeWithPassword(ctx context.Context, c auth.Completion, p auth.Purpose, to auth.Standing) error {
	if _, err := t.use(ctx, c, p, to); err != nil {
		return err
	}
	if err := t.forget(ctx, c.Account, noUndo); err != nil {
		return err
	}
	_, err := t.exec(ctx, `UPDATE cardea_accounts SET password_hash = ?, compromised = 0 WHERE id = ?`, c.Hash, c.Account)
	if err != nil {
		return err
	}
	return t.addLetters(ctx, c.Letters)
}

// use consumes a ticket and gives its account another standing, or refuses both. A ticket ForUndo is of no
// security epoch. It returns the ticket's number in the order of coming.
func (t tx) use(ctx context.Context, c auth.Completion, p auth.Purpose, to auth.Standing) (number int64, err error) {
	if err := t.restand(ctx, c.Account, c.From, to); err != nil {
		return 0, err
	}
	err = t.row(ctx, `DELETE FROM cardea_tickets
		WHERE id = ? AND account = ? AND purpose = ? AND (purpose = 'undo' OR security_epoch = ?) AND expires_at > ?
		RETURNING number`, c.Ticket, c.Account, string(p), c.From.Epochs.Security, micros(c.Now)).Scan(&number)
	return number, missing(err, auth.ErrStale)
}

// noUndo is for forget: no ticket comes after it, so no undo is forgotten.
const noUndo = math.MaxInt64

// forget deletes the account's tickets, of those ForUndo only the ones that came after the given number.
func (t tx) forget(ctx context.Context, account string, after int64) error {
	_, err := t.exec(ctx, `DELETE FROM cardea_tickets WHERE account = ? AND (purpose <> 'undo' OR number > ?)`, account, after)
	return err
}

// ChangeAddress implements auth.TicketStore.
func (s *Store) ChangeAddress(ctx context.Context, id string, from auth.Standing, undo auth.Ticket, letters ...auth.Letter) (flow.Epochs, error) {
	if undo.Purpose != auth.ForUndo || undo.Account != id {
		return flow.Epochs{}, errors.New("sqlstore: change address: the ticket does not undo it")
	}
	to := auth.Standing{Status: from.Status, Epochs: raised(from.Epochs, false)}
	err := s.act(ctx, func(t tx) error {
		if err := t.restand(ctx, id, from, to); err != nil {
			return err
		}
		// Only then are others forgotten: one of them may have the id.
		if err := t.putTicket(ctx, undo); err != nil {
			return err
		}
		if err := t.forget(ctx, id, noUndo); err != nil {
			return err
		}
		return t.addLetters(ctx, letters)
	})
	return changed("change address", to.Epochs, err)
}

// CompleteUndo implements auth.TicketStore.
func (s *Store) CompleteUndo(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	to := auth.Standing{Status: c.From.Status, Epochs: raised(c.From.Epochs, true)}
	if to.Status == flow.Active {
		to.Status = flow.Locked
	}
	err := s.act(ctx, func(t tx) error {
		number, err := t.use(ctx, c, auth.ForUndo, to)
		if err != nil {
			return err
		}
		if err := t.forget(ctx, c.Account, number); err != nil {
			return err
		}
		if err := t.remember(ctx, c.Account, flow.Locked); err != nil {
			return err
		}
		return t.addLetters(ctx, c.Letters)
	})
	return changed("complete undo", to.Epochs, err)
}

// SweepTickets implements auth.TicketStore.
func (s *Store) SweepTickets(ctx context.Context, now time.Time, limit int) (int, error) {
	rows, err := s.exec(ctx, `DELETE FROM cardea_tickets WHERE number IN
		(SELECT number FROM cardea_tickets WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`, micros(now), max(limit, 0))
	return int(rows), fault("sweep tickets", err)
}
