package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Open implements auth.AccountStore.
func (s *Store) Open(ctx context.Context, id string, status flow.Status, passwordHash string, _ time.Time) error {
	rows, err := s.exec(ctx, `INSERT INTO cardea_accounts
		(id, status, security_epoch, session_epoch, password_hash, compromised) VALUES (?, ?, 1, 1, ?, 0)
		ON CONFLICT DO NOTHING`, id, int64(status), passwordHash)
	if err == nil && rows == 0 {
		return auth.ErrTaken
	}
	return fault("open account", err)
}

// readState is the one read that every step of a flow makes. The last column has a bit for each method that the
// account has a factor or a link of, as in flow.Methods, and 16 bits above it that of the factors that verify their
// user. A link of the method 0 is one that was disconnected.
const readState = `SELECT status, security_epoch, session_epoch, password_hash <> '', compromised & 1, compromised & 2 <> 0,
	(SELECT COALESCE(SUM(DISTINCT bit), 0) FROM (
		SELECT 1 << (method + 16 * verifying) AS bit FROM cardea_factors WHERE account = a.id
		UNION ALL SELECT 1 << method FROM cardea_links WHERE account = a.id AND method > 0) methods)
	FROM cardea_accounts a WHERE a.id = ?`

// State implements auth.AccountStore.
func (s *Store) State(ctx context.Context, id string) (auth.AccountState, error) {
	var state auth.AccountState
	var password bool
	var methods uint32
	err := s.state.QueryRowContext(ctx, id).
		Scan(&state.Status, &state.Epochs.Security, &state.Epochs.Session, &password, &state.Compromised, &state.ResetDue, &methods)
	if err != nil {
		return auth.AccountState{}, fault("read account", missing(err, auth.ErrNotFound), auth.ErrNotFound)
	}
	verifying := flow.Methods(methods >> 16)
	state.Enrolled, state.VerifyingPasskey = flow.Methods(methods)|verifying, verifying.Has(flow.Passkey)
	if password {
		state.Enrolled = state.Enrolled.With(flow.Password)
	}
	return state, nil
}

// SetStatus implements auth.AccountStore.
func (s *Store) SetStatus(ctx context.Context, id string, from auth.Standing, to flow.Status, _ time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	next := auth.Standing{Status: to, Epochs: raised(from.Epochs, true)}
	err := s.act(ctx, func(t tx) error {
		if err := t.restand(ctx, id, from, next); err != nil {
			return err
		}
		if err := t.remember(ctx, id, to); err != nil {
			return err
		}
		return t.addLetters(ctx, letters)
	})
	return changed("set status", next.Epochs, err)
}

// The column compromised has two bits: the mark of a compromised password, and that a reset is due.
const (
	setDue   = `UPDATE cardea_accounts SET compromised = compromised | 2 WHERE id = ?`
	clearDue = `UPDATE cardea_accounts SET compromised = compromised & 1 WHERE id = ?`
)

// remember keeps whether a reset is due, with a status that says something about it.
func (t tx) remember(ctx context.Context, id string, to flow.Status) error {
	var err error
	switch to {
	case flow.Locked:
		_, err = t.exec(ctx, setDue, id)
	case flow.Active:
		_, err = t.exec(ctx, clearDue, id)
	}
	return err
}

// RaiseEpochs implements auth.AccountStore.
func (s *Store) RaiseEpochs(ctx context.Context, id string, least flow.Epochs) (flow.Epochs, error) {
	return s.raise(ctx, "raise epochs", id, `UPDATE cardea_accounts SET
		security_epoch = CASE WHEN security_epoch < ? THEN ? ELSE security_epoch END,
		session_epoch = CASE WHEN session_epoch < ? THEN ? ELSE session_epoch END
		WHERE id = ? RETURNING security_epoch, session_epoch`,
		least.Security, least.Security, least.Session, least.Session, id)
}

// raise runs an UPDATE that returns the account's epochs. It commits apart from the statement: an error
// that came while its rows are closed could get lost.
func (s *Store) raise(ctx context.Context, what, id, update string, args ...any) (e flow.Epochs, err error) {
	err = s.act(ctx, func(t tx) error {
		err := t.row(ctx, update, args...).Scan(&e.Security, &e.Session)
		if errors.Is(err, sql.ErrNoRows) {
			return t.staleOrMissing(ctx, id)
		}
		return err
	})
	return changed(what, e, err)
}

// Delete implements auth.AccountStore. It deletes the account from the directory too. Its sessions are
// another port's: what that one knows of the standing stays, so that no sign-in that began before can end
// in a session.
func (s *Store) Delete(ctx context.Context, id string) error {
	err := s.act(ctx, func(t tx) error {
		if _, err := t.exec(ctx, `DELETE FROM cardea_factors WHERE account = ?`, id); err != nil {
			return err
		}
		if err := t.orphanLinks(ctx, id); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM cardea_accounts WHERE id = ?`, id); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM cardea_tickets WHERE account = ?`, id); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM cardea_activity WHERE account = ?`, id); err != nil {
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM cardea_people WHERE id = ?`, id)
		return err
	})
	return fault("delete account", err)
}

// PasswordHash implements auth.PasswordStore.
func (s *Store) PasswordHash(ctx context.Context, id string) (hash string, err error) {
	err = s.row(ctx, `SELECT password_hash FROM cardea_accounts WHERE id = ?`, id).Scan(&hash)
	return hash, fault("read password hash", missing(err, nil))
}

// ReplacePassword implements auth.PasswordStore.
func (s *Store) ReplacePassword(ctx context.Context, id string, from flow.Epochs, hash string, endSessions bool, _ time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	to := raised(from, endSessions)
	err := s.act(ctx, func(t tx) error {
		rows, err := t.exec(ctx, `UPDATE cardea_accounts
			SET password_hash = ?, compromised = 0, security_epoch = ?, session_epoch = ?
			WHERE id = ? AND security_epoch = ? AND session_epoch = ?`,
			hash, to.Security, to.Session, id, from.Security, from.Session)
		if err != nil {
			return err
		}
		if rows == 0 {
			return t.staleOrMissing(ctx, id)
		}
		if err := t.forget(ctx, id, noUndo); err != nil {
			return err
		}
		return t.addLetters(ctx, letters)
	})
	return changed("replace password", to, err)
}

// Rehash implements auth.PasswordStore.
func (s *Store) Rehash(ctx context.Context, id, old, hash string) error {
	rows, err := s.exec(ctx, `UPDATE cardea_accounts SET password_hash = ?
		WHERE id = ? AND password_hash = ? AND password_hash <> ''`, hash, id, old)
	if err == nil && rows == 0 {
		return auth.ErrStale
	}
	return fault("rehash password", err)
}

// MarkCompromised implements auth.PasswordStore.
func (s *Store) MarkCompromised(ctx context.Context, id string, _ time.Time) (flow.Epochs, error) {
	return s.raise(ctx, "mark password", id, `UPDATE cardea_accounts
		SET compromised = compromised | 1, security_epoch = security_epoch + 1
		WHERE id = ? AND password_hash <> '' RETURNING security_epoch, session_epoch`, id)
}

// restand gives the account another standing if it stands exactly as in from.
func (t tx) restand(ctx context.Context, id string, from, to auth.Standing) error {
	rows, err := t.exec(ctx, `UPDATE cardea_accounts SET status = ?, security_epoch = ?, session_epoch = ?
		WHERE id = ? AND status = ? AND security_epoch = ? AND session_epoch = ?`,
		int64(to.Status), to.Epochs.Security, to.Epochs.Session,
		id, int64(from.Status), from.Epochs.Security, from.Epochs.Session)
	if err == nil && rows == 0 {
		return t.staleOrMissing(ctx, id)
	}
	return err
}

// staleOrMissing tells why a condition on an account was not met. Whichever it is, nothing was changed.
func (t tx) staleOrMissing(ctx context.Context, id string) error {
	var there bool
	if err := t.row(ctx, `SELECT EXISTS (SELECT 1 FROM cardea_accounts WHERE id = ?)`, id).Scan(&there); err != nil {
		return err
	}
	if !there {
		return auth.ErrNotFound
	}
	return auth.ErrStale
}

// changed is what an act on an account returns: the epochs, or why it did not happen.
func changed(what string, e flow.Epochs, err error) (flow.Epochs, error) {
	if err != nil {
		return flow.Epochs{}, fault(what, err, auth.ErrNotFound, auth.ErrStale, auth.ErrTaken)
	}
	return e, nil
}

// raised returns the epochs after a change of the account, and after one that ends all sessions.
func raised(e flow.Epochs, sessions bool) flow.Epochs {
	e.Security++
	if sessions {
		e.Session++
	}
	return e
}
