package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/session"
)

var errRestamp = errors.New("sqlstore: the epoch to move trust to is not higher than the one it has")

// trustColumns are the columns of a trusted device in the order of scanTrust.
const trustColumns = `account, device, id, name, user_agent, assurance, epoch, created_at, seen_at, expires_at`

func scanTrust(row interface{ Scan(...any) error }) (session.TrustRecord, error) {
	var r session.TrustRecord
	var device []byte
	var created, seen, expires int64
	err := row.Scan(&r.Account, &device, &r.ID, &r.Name, &r.UserAgent, &r.Assurance, &r.Epoch, &created, &seen, &expires)
	if err == nil {
		err = copyHash(&r.Device, device)
	}
	if err != nil {
		return session.TrustRecord{}, err
	}
	r.CreatedAt, r.SeenAt, r.ExpiresAt = moment(created), moment(seen), moment(expires)
	return r, nil
}

// PutTrust implements session.TrustDeviceStore.
func (s *Store) PutTrust(ctx context.Context, r session.TrustRecord, now time.Time, limit int) error {
	err := s.act(ctx, func(t tx) error {
		var later, taken int
		var name string
		if err := t.row(ctx, `SELECT
			(SELECT COUNT(*) FROM cardea_trust WHERE account = ? AND epoch > ?),
			(SELECT COUNT(*) FROM cardea_trust WHERE id = ?),
			COALESCE((SELECT name FROM cardea_trust WHERE account = ? AND device = ?), '')`,
			r.Account, r.Epoch, r.ID, r.Account, r.Device[:]).Scan(&later, &taken, &name); err != nil {
			return err
		}
		switch {
		case later > 0:
			return auth.ErrStale // the sign-in that chose it ended with all others before it was done
		case taken > 0:
			return auth.ErrTaken
		case r.Name != "":
			name = r.Name
		}
		if err := t.makeRoomForTrust(ctx, r, now, limit); err != nil {
			return err
		}
		_, err := t.exec(ctx, `INSERT INTO cardea_trust (`+trustColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.Account, r.Device[:], r.ID, name, r.UserAgent, int64(r.Assurance), r.Epoch,
			micros(r.CreatedAt), micros(r.SeenAt), micros(r.ExpiresAt))
		return err
	})
	return fault("put trust", err, auth.ErrStale, auth.ErrTaken)
}

// makeRoomForTrust deletes the record that the new one replaces, those that are dead, and the oldest ones that
// leave no room for it.
func (t tx) makeRoomForTrust(ctx context.Context, r session.TrustRecord, now time.Time, limit int) error {
	if _, err := t.exec(ctx, `DELETE FROM cardea_trust WHERE account = ? AND (device = ? OR epoch < ? OR expires_at <= ?)`,
		r.Account, r.Device[:], r.Epoch, micros(now)); err != nil {
		return err
	}
	_, err := t.exec(ctx, `DELETE FROM cardea_trust WHERE account = ? AND id NOT IN
		(SELECT id FROM cardea_trust WHERE account = ? ORDER BY created_at DESC, id DESC LIMIT ?)`,
		r.Account, r.Account, max(limit, 1)-1)
	return err
}

// FindTrust implements session.TrustDeviceStore.
func (s *Store) FindTrust(ctx context.Context, account string, device [32]byte) (session.TrustRecord, error) {
	r, err := scanTrust(s.row(ctx, `SELECT `+trustColumns+` FROM cardea_trust WHERE account = ? AND device = ?`, account, device[:]))
	return r, fault("find trust", missing(err, auth.ErrNotFound), auth.ErrNotFound)
}

// TouchTrust implements session.TrustDeviceStore.
func (s *Store) TouchTrust(ctx context.Context, account string, device [32]byte, epoch uint64, seen time.Time) error {
	_, err := s.exec(ctx, `UPDATE cardea_trust SET seen_at = ? WHERE account = ? AND device = ? AND epoch = ? AND seen_at <= ?`,
		micros(seen), account, device[:], epoch, micros(seen))
	return fault("touch trust", err)
}

// RestampTrust implements session.TrustDeviceStore.
func (s *Store) RestampTrust(ctx context.Context, account string, device [32]byte, from, to uint64) error {
	if to <= from {
		return errRestamp
	}
	rows, err := s.exec(ctx, `UPDATE cardea_trust SET epoch = ? WHERE account = ? AND device = ? AND epoch = ?`,
		to, account, device[:], from)
	return fault("restamp trust", one(rows, err), auth.ErrNotFound)
}

// one makes auth.ErrNotFound of a statement that changed nothing.
func one(rows int64, err error) error {
	if err == nil && rows == 0 {
		return auth.ErrNotFound
	}
	return err
}

// ListTrust implements session.TrustAccountStore.
func (s *Store) ListTrust(ctx context.Context, account string, epoch uint64, now time.Time, limit int) (list []session.TrustRecord, err error) {
	rows, err := s.db.QueryContext(ctx, s.dialect.rewrite(`SELECT `+trustColumns+` FROM cardea_trust
		WHERE account = ? AND epoch = ? AND expires_at > ? ORDER BY seen_at DESC, id LIMIT ?`),
		account, epoch, micros(now), max(limit, 0))
	if err != nil {
		return nil, fault("list trust", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		r, err := scanTrust(rows)
		if err != nil {
			return nil, fault("list trust", err)
		}
		list = append(list, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fault("list trust", err)
	}
	return list, nil
}

// RenameTrust implements session.TrustAccountStore.
func (s *Store) RenameTrust(ctx context.Context, account, id, name string) error {
	rows, err := s.exec(ctx, `UPDATE cardea_trust SET name = ? WHERE account = ? AND id = ?`, name, account, id)
	return fault("rename trust", one(rows, err), auth.ErrNotFound)
}

// RemoveTrust implements session.TrustAccountStore.
func (s *Store) RemoveTrust(ctx context.Context, account, id string) error {
	rows, err := s.exec(ctx, `DELETE FROM cardea_trust WHERE account = ? AND id = ?`, account, id)
	return fault("remove trust", one(rows, err), auth.ErrNotFound)
}

// RemoveAllTrust implements session.TrustAccountStore.
func (s *Store) RemoveAllTrust(ctx context.Context, account string) error {
	_, err := s.exec(ctx, `DELETE FROM cardea_trust WHERE account = ?`, account)
	return fault("remove all trust", err)
}

// SweepTrust implements session.TrustAccountStore.
func (s *Store) SweepTrust(ctx context.Context, now time.Time, limit int) (int, error) {
	rows, err := s.exec(ctx, `DELETE FROM cardea_trust WHERE id IN
		(SELECT id FROM cardea_trust WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`, micros(now), max(limit, 0))
	return int(rows), fault("sweep trust", err)
}
