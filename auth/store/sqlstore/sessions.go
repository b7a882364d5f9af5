package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

var (
	errEpoch = errors.New("sqlstore: the record's epoch is not the expected session epoch")
	errRaise = errors.New("sqlstore: the standing to raise to has a lower epoch, or none that is higher")
)

// sessionColumns are the columns of a session in the order of sessionValues and scanSession.
const sessionColumns = `s.hash, s.id, s.account, s.epoch, s.created_at, s.authenticated_at, s.seen_at,
	s.expires_at, s.ends_at, s.keep, s.assurance, s.proofs, s.user_agent, s.prefix`

// findSession says IN, not =, and means it: SQLite would look at the value that is bound to =, whether it tells
// something about the rows, and for that prepare a statement with a join anew at every execution.
const findSession = `SELECT ` + sessionColumns + `, k.status, k.security_epoch, k.session_epoch
	FROM cardea_sessions s JOIN cardea_standings k ON k.account = s.account WHERE s.hash IN (?)`

// CreateSession implements session.TokenStore.
func (s *Store) CreateSession(ctx context.Context, r session.Record, expect auth.Standing, o session.CreateOptions) error {
	if r.Epoch != expect.Epochs.Session {
		return errEpoch // such a session would be dead at once, or outlive the end of all others
	}
	values, err := sessionValues(r)
	if err != nil {
		return err
	}
	err = s.act(ctx, func(t tx) error {
		known, err := t.standing(ctx, r.Account)
		if err != nil {
			return err
		}
		if !follows(known, expect) {
			return auth.ErrStale
		}
		if err := t.unused(ctx, r); err != nil {
			return err
		}
		if err := t.replace(ctx, r.Account, known, o); err != nil {
			return err
		}
		if err := t.setStanding(ctx, r.Account, expect); err != nil {
			return err
		}
		if err := t.makeRoom(ctx, r.Account, expect, o); err != nil {
			return err
		}
		rows, err := t.exec(ctx, `INSERT INTO cardea_sessions
			(hash, id, account, epoch, created_at, authenticated_at, seen_at,
			expires_at, ends_at, keep, assurance, proofs, user_agent, prefix)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, values...)
		if err == nil && rows == 0 {
			return auth.ErrTaken
		}
		return err
	})
	return fault("create session", err, auth.ErrStale, auth.ErrLimit, auth.ErrTaken)
}

// follows reports whether a flow that saw the account as in expect has seen all that is known of it.
func follows(known, expect auth.Standing) bool {
	return known.Epochs.Security <= expect.Epochs.Security && known.Epochs.Session <= expect.Epochs.Session &&
		(known.Epochs != expect.Epochs || known.Status == expect.Status)
}

// unused refuses an id or a hash that is in use, be it of the session that is about to end: the token of a
// new session must be a new one.
func (t tx) unused(ctx context.Context, r session.Record) error {
	var n int
	err := t.row(ctx, `SELECT COUNT(*) FROM cardea_sessions WHERE hash = ? OR id = ?`, r.Hash[:], r.ID).Scan(&n)
	if err == nil && n > 0 {
		return auth.ErrTaken
	}
	return err
}

// replace ends the session that the new one takes the place of. A dead one counts as gone: what the flow
// inherited from it is gone too, whether it was swept yet or not.
func (t tx) replace(ctx context.Context, account string, known auth.Standing, o session.CreateOptions) error {
	if o.Replaces == "" {
		return nil
	}
	rows, err := t.exec(ctx, `DELETE FROM cardea_sessions WHERE account = ? AND id = ? AND epoch >= ? AND expires_at > ?`,
		account, o.Replaces, known.Epochs.Session, micros(o.Now))
	if err == nil && rows == 0 {
		return auth.ErrStale
	}
	return err
}

// makeRoom refuses, or ends the oldest live sessions, where the limit leaves no room for one more.
func (t tx) makeRoom(ctx context.Context, account string, expect auth.Standing, o session.CreateOptions) error {
	if o.Limit <= 0 {
		return nil
	}
	const live = `account = ? AND epoch >= ? AND expires_at > ?`
	args := []any{account, expect.Epochs.Session, micros(o.Now)}
	var n int
	if err := t.row(ctx, `SELECT COUNT(*) FROM cardea_sessions WHERE `+live, args...).Scan(&n); err != nil {
		return err
	}
	excess := n - o.Limit + 1
	if excess <= 0 {
		return nil
	}
	if !o.Evict {
		return auth.ErrLimit
	}
	_, err := t.exec(ctx, `DELETE FROM cardea_sessions WHERE hash IN
		(SELECT hash FROM cardea_sessions WHERE `+live+` ORDER BY created_at, id LIMIT ?)`, append(args, excess)...)
	return err
}

// FindSession implements session.TokenStore.
func (s *Store) FindSession(ctx context.Context, hash [32]byte) (session.Record, auth.Standing, error) {
	var known auth.Standing
	r, err := scanSession(s.find.QueryRowContext(ctx, hash[:]),
		&known.Status, &known.Epochs.Security, &known.Epochs.Session)
	if err != nil {
		return session.Record{}, auth.Standing{}, fault("find session", missing(err, auth.ErrNotFound), auth.ErrNotFound)
	}
	return r, known, nil
}

// TouchSession implements session.TokenStore.
func (s *Store) TouchSession(ctx context.Context, hash [32]byte, seen, expires time.Time) error {
	_, err := s.exec(ctx, `UPDATE cardea_sessions SET seen_at = ?, expires_at = ? WHERE hash = ? AND seen_at <= ?`,
		micros(seen), micros(expires), hash[:], micros(seen))
	return fault("touch session", err)
}

// EndSession implements session.TokenStore.
func (s *Store) EndSession(ctx context.Context, account, id string) error {
	rows, err := s.exec(ctx, `DELETE FROM cardea_sessions WHERE account = ? AND id = ?`, account, id)
	if err == nil && rows == 0 {
		return auth.ErrNotFound
	}
	return fault("end session", err)
}

// ListSessions implements session.AccountStore. It reads an index in its order, and no further than it must.
func (s *Store) ListSessions(ctx context.Context, account string, now time.Time, limit int) (list []session.Record, err error) {
	rows, err := s.db.QueryContext(ctx, s.dialect.rewrite(`SELECT `+sessionColumns+`
		FROM cardea_sessions s
		WHERE s.account = ? AND s.epoch = (SELECT session_epoch FROM cardea_standings WHERE account = ?) AND s.expires_at > ?
		ORDER BY s.seen_at DESC LIMIT ?`), account, account, micros(now), max(limit, 0))
	if err != nil {
		return nil, fault("list sessions", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		r, err := scanSession(rows)
		if err != nil {
			return nil, fault("list sessions", err)
		}
		list = append(list, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fault("list sessions", err)
	}
	return list, nil
}

// AlignStanding implements session.AccountStore. The standing of an account without sessions is kept too:
// it may be in the middle of its first sign-in.
func (s *Store) AlignStanding(ctx context.Context, account string, to auth.Standing) (auth.Standing, error) {
	var now auth.Standing
	err := s.act(ctx, func(t tx) error {
		known, err := t.standing(ctx, account)
		if err != nil {
			return err
		}
		now = known
		if to.Epochs.Security >= known.Epochs.Security {
			now.Status = to.Status
		}
		now.Epochs.Security = max(known.Epochs.Security, to.Epochs.Security)
		now.Epochs.Session = max(known.Epochs.Session, to.Epochs.Session)
		return t.setStanding(ctx, account, now)
	})
	if err != nil {
		return auth.Standing{}, fault("align standing", err)
	}
	return now, nil
}

// RaiseStanding implements session.AccountStore.
func (s *Store) RaiseStanding(ctx context.Context, account string, from, to auth.Standing, keep string) error {
	if !raises(from.Epochs, to.Epochs) {
		return errRaise
	}
	err := s.act(ctx, func(t tx) error {
		known, err := t.standing(ctx, account)
		if err != nil {
			return err
		}
		if known != from && known != (auth.Standing{}) {
			return auth.ErrStale // somebody else was here first; at the same height, both would keep a session
		}
		if err := t.setStanding(ctx, account, to); err != nil || keep == "" {
			return err
		}
		rows, err := t.exec(ctx, `UPDATE cardea_sessions SET epoch = ? WHERE account = ? AND id = ? AND epoch = ?`,
			to.Epochs.Session, account, keep, from.Epochs.Session)
		if err == nil && rows == 0 {
			return auth.ErrStale
		}
		return err
	})
	return fault("raise standing", err, auth.ErrStale)
}

// raises reports whether an epoch is higher in to than in from, and none lower. One must be: else two
// callers could both find the standing that they saw.
func raises(from, to flow.Epochs) bool {
	return to != from && to.Security >= from.Security && to.Session >= from.Session
}

// SweepSessions implements session.AccountStore. It finds those of older epochs by the accounts whose epoch
// rose since they were swept, so that it need not read all that live.
func (s *Store) SweepSessions(ctx context.Context, now time.Time, limit int) (int, error) {
	var expired, older int64
	limit = max(limit, 0)
	err := s.act(ctx, func(t tx) (err error) {
		expired, err = t.exec(ctx, `DELETE FROM cardea_sessions WHERE hash IN
			(SELECT hash FROM cardea_sessions WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`, micros(now), limit)
		if err != nil {
			return err
		}
		older, err = t.exec(ctx, `DELETE FROM cardea_sessions WHERE hash IN
			(SELECT s.hash FROM cardea_standings k JOIN cardea_sessions s ON s.account = k.account AND s.epoch < k.session_epoch
			WHERE k.swept_epoch < k.session_epoch LIMIT ?)`, int64(limit)-expired)
		if err != nil || expired+older == int64(limit) {
			return err
		}
		_, err = t.exec(ctx, `UPDATE cardea_standings SET swept_epoch = session_epoch WHERE swept_epoch < session_epoch`)
		return err
	})
	if err != nil {
		return 0, fault("sweep sessions", err)
	}
	return int(expired + older), nil
}

// standing returns the account's standing as the sessions know it, zero if they do not.
func (t tx) standing(ctx context.Context, account string) (known auth.Standing, err error) {
	err = t.row(ctx, `SELECT status, security_epoch, session_epoch FROM cardea_standings WHERE account = ?`, account).
		Scan(&known.Status, &known.Epochs.Security, &known.Epochs.Session)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.Standing{}, nil
	}
	return known, err
}

// setStanding sets the standing. An account that is new has no older sessions to sweep.
func (t tx) setStanding(ctx context.Context, account string, now auth.Standing) error {
	_, err := t.exec(ctx, `INSERT INTO cardea_standings (account, status, security_epoch, session_epoch, swept_epoch)
		VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (account) DO UPDATE SET status = excluded.status,
			security_epoch = excluded.security_epoch, session_epoch = excluded.session_epoch`,
		account, int64(now.Status), now.Epochs.Security, now.Epochs.Session, now.Epochs.Session)
	return err
}
