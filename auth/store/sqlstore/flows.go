package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// CreateFlow implements auth.FlowStore.
func (s *Store) CreateFlow(ctx context.Context, r auth.FlowRecord) error {
	rows, err := s.exec(ctx, `INSERT INTO cardea_flows (id, version, key_name, browser, data, touched_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		r.ID, r.Version, r.Key, r.Browser[:], blob(r.Data), micros(r.TouchedAt), micros(r.ExpiresAt))
	if err == nil && rows == 0 {
		return auth.ErrTaken
	}
	return fault("create flow", err)
}

// LoadFlow implements auth.FlowStore.
func (s *Store) LoadFlow(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error) {
	r := auth.FlowRecord{ID: id}
	var browser []byte
	var touched, expires int64
	err := s.row(ctx, `SELECT version, key_name, browser, data, touched_at, expires_at
		FROM cardea_flows WHERE id = ? AND expires_at > ?`, id, micros(now)).
		Scan(&r.Version, &r.Key, &browser, &r.Data, &touched, &expires)
	if err == nil {
		err = copyHash(&r.Browser, browser)
	}
	if err != nil {
		return auth.FlowRecord{}, fault("load flow", missing(err, auth.ErrNotFound), auth.ErrNotFound)
	}
	r.TouchedAt, r.ExpiresAt = moment(touched), moment(expires)
	return r, nil
}

// SaveFlow implements auth.FlowStore.
func (s *Store) SaveFlow(ctx context.Context, r auth.FlowRecord) error {
	rows, err := s.exec(ctx, `UPDATE cardea_flows
		SET version = ?, key_name = ?, browser = ?, data = ?, touched_at = ?, expires_at = ?
		WHERE id = ? AND version + 1 = ?`,
		r.Version, r.Key, r.Browser[:], blob(r.Data), micros(r.TouchedAt), micros(r.ExpiresAt), r.ID, r.Version)
	if err == nil && rows == 0 {
		return auth.ErrStale
	}
	return fault("save flow", err)
}

// SweepFlows implements auth.FlowStore.
func (s *Store) SweepFlows(ctx context.Context, now time.Time, limit int) (int, error) {
	rows, err := s.exec(ctx, `DELETE FROM cardea_flows WHERE id IN
		(SELECT id FROM cardea_flows WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`, micros(now), max(limit, 0))
	return int(rows), fault("sweep flows", err)
}

// blob returns the bytes such that none are an empty value and not NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// copyHash refuses what is not a hash: a row that somebody cut short must not match anything.
func copyHash(to *[32]byte, from []byte) error {
	if len(from) != len(to) {
		return fmt.Errorf("a stored hash has %d bytes", len(from))
	}
	copy(to[:], from)
	return nil
}
