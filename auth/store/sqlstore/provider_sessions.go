package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// attachSession keeps a session unless its key was ended at or after its Since. Its transaction has the write lock
// from its beginning, so that no end comes between the look and the row.
const attachSession = `INSERT INTO cardea_provider_sessions (provider_key, session, account, since, expires_at)
	SELECT ?, ?, ?, ?, ? WHERE NOT EXISTS
		(SELECT 1 FROM cardea_provider_ends WHERE provider_key = ? AND ended_at >= ? AND expires_at > ?)
	ON CONFLICT (provider_key, session) DO UPDATE
		SET account = excluded.account, since = excluded.since, expires_at = excluded.expires_at`

// AttachSession implements auth.ProviderSessionStore.
func (s *Store) AttachSession(ctx context.Context, sessions []auth.ProviderSession, now time.Time) error {
	err := s.act(ctx, func(t tx) error {
		for _, p := range sessions {
			since := micros(p.Since)
			rows, err := t.exec(ctx, attachSession, p.Key, p.Session, p.Account, since, micros(p.ExpiresAt), p.Key, since, micros(now))
			if err != nil {
				return err
			}
			if rows == 0 {
				return auth.ErrStale
			}
		}
		return nil
	})
	return fault("attach session", err, auth.ErrStale)
}

// SessionsOf implements auth.ProviderSessionStore.
func (s *Store) SessionsOf(ctx context.Context, key string, now time.Time) ([]auth.ProviderSession, error) {
	list, err := providerSessions(ctx, s.db, s.dialect, key, now)
	if err != nil {
		return nil, fault("read provider sessions", err)
	}
	return list, nil
}

// endKey remembers an end. Of two the latest counts, for the longest of their times.
const endKey = `INSERT INTO cardea_provider_ends (provider_key, ended_at, expires_at) VALUES (?, ?, ?)
	ON CONFLICT (provider_key) DO UPDATE SET
		ended_at = CASE WHEN excluded.ended_at > cardea_provider_ends.ended_at THEN excluded.ended_at ELSE cardea_provider_ends.ended_at END,
		expires_at = CASE WHEN excluded.expires_at > cardea_provider_ends.expires_at THEN excluded.expires_at ELSE cardea_provider_ends.expires_at END`

// EndSessions implements auth.ProviderSessionStore.
func (s *Store) EndSessions(ctx context.Context, key string, now, until time.Time) (list []auth.ProviderSession, err error) {
	err = s.act(ctx, func(t tx) error {
		if _, err := t.exec(ctx, endKey, key, micros(now), micros(until)); err != nil {
			return err
		}
		if list, err = providerSessions(ctx, t.conn, t.dialect, key, now); err != nil {
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM cardea_provider_sessions WHERE provider_key = ?`, key)
		return err
	})
	if err != nil {
		return nil, fault("end sessions", err)
	}
	return list, nil
}

// queries is a transaction, or the pool.
type queries interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// providerSessions returns the sessions of the key that expire after now.
func providerSessions(ctx context.Context, q queries, d Dialect, key string, now time.Time) (list []auth.ProviderSession, err error) {
	rows, err := q.QueryContext(ctx, d.rewrite(`SELECT session, account, since, expires_at
		FROM cardea_provider_sessions WHERE provider_key = ? AND expires_at > ? ORDER BY number`), key, micros(now))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		p := auth.ProviderSession{Key: key}
		var since, expires int64
		if err := rows.Scan(&p.Session, &p.Account, &since, &expires); err != nil {
			return nil, err
		}
		p.Since, p.ExpiresAt = moment(since), moment(expires)
		list = append(list, p)
	}
	return list, rows.Err()
}

// SweepProviderSessions implements auth.ProviderSessionStore.
func (s *Store) SweepProviderSessions(ctx context.Context, now time.Time, limit int) (int, error) {
	var swept int
	err := s.act(ctx, func(t tx) error {
		sessions, err := t.exec(ctx, `DELETE FROM cardea_provider_sessions WHERE number IN
			(SELECT number FROM cardea_provider_sessions WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`, micros(now), max(limit, 0))
		if err != nil {
			return err
		}
		ends, err := t.exec(ctx, `DELETE FROM cardea_provider_ends WHERE provider_key IN
			(SELECT provider_key FROM cardea_provider_ends WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`,
			micros(now), max(limit-int(sessions), 0))
		swept = int(sessions + ends)
		return err
	})
	if err != nil {
		return 0, fault("sweep provider sessions", err)
	}
	return swept, nil
}
