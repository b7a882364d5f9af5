package sqlstore

import (
	"context"
	"net/netip"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// recordActivity adds a row, or takes it into the one that is alike: of columns without a table's name, SQL means
// those of the row that is there. The User-Agent is assigned by the times as they were.
const recordActivity = `INSERT INTO cardea_activity
	(account, class, alike, what, methods, network, user_agent, times, first_at, last_at, expires_at)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (account, class, alike) WHERE alike <> '' DO UPDATE SET
		times = cardea_activity.times + excluded.times,
		user_agent = CASE WHEN excluded.last_at >= cardea_activity.last_at THEN excluded.user_agent ELSE cardea_activity.user_agent END,
		first_at = CASE WHEN excluded.first_at < cardea_activity.first_at THEN excluded.first_at ELSE cardea_activity.first_at END,
		last_at = CASE WHEN excluded.last_at > cardea_activity.last_at THEN excluded.last_at ELSE cardea_activity.last_at END,
		expires_at = CASE WHEN excluded.expires_at > cardea_activity.expires_at THEN excluded.expires_at ELSE cardea_activity.expires_at END`

// RecordActivity implements auth.ActivityStore.
func (s *Store) RecordActivity(ctx context.Context, a auth.Activity, keep int) error {
	network := ""
	if a.Network.IsValid() {
		network = a.Network.String()
	}
	err := s.act(ctx, func(t tx) error {
		if _, err := t.exec(ctx, recordActivity, a.Account, int64(a.Class), a.Merge, string(a.What), int64(a.Methods), network, a.UserAgent,
			a.Count, micros(a.FirstAt), micros(a.At), micros(a.ExpiresAt)); err != nil {
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM cardea_activity WHERE account = ? AND class = ? AND number NOT IN
			(SELECT number FROM cardea_activity WHERE account = ? AND class = ? ORDER BY last_at DESC, number DESC LIMIT ?)`,
			a.Account, int64(a.Class), a.Account, int64(a.Class), keep)
		return err
	})
	return fault("record activity", err)
}

// ListActivity implements auth.ActivityStore.
func (s *Store) ListActivity(ctx context.Context, account string, now time.Time, limit int) (list []auth.Activity, err error) {
	rows, err := s.db.QueryContext(ctx, s.dialect.rewrite(`SELECT
		account, class, alike, what, methods, network, user_agent, times, first_at, last_at, expires_at FROM cardea_activity
		WHERE account = ? AND expires_at > ? ORDER BY last_at DESC, number DESC LIMIT ?`), account, micros(now), max(limit, 0))
	if err != nil {
		return nil, fault("list activity", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		a, err := scanActivity(rows)
		if err != nil {
			return nil, fault("list activity", err)
		}
		list = append(list, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fault("list activity", err)
	}
	return list, nil
}

func scanActivity(row interface{ Scan(...any) error }) (auth.Activity, error) {
	var a auth.Activity
	var network string
	var first, last, expires int64
	err := row.Scan(&a.Account, &a.Class, &a.Merge, &a.What, &a.Methods, &network, &a.UserAgent, &a.Count, &first, &last, &expires)
	if err == nil && network != "" {
		a.Network, err = netip.ParsePrefix(network)
	}
	if err != nil {
		return auth.Activity{}, err
	}
	a.FirstAt, a.At, a.ExpiresAt = moment(first), moment(last), moment(expires)
	return a, nil
}

// SweepActivity implements auth.ActivityStore.
func (s *Store) SweepActivity(ctx context.Context, now time.Time, limit int) (int, error) {
	rows, err := s.exec(ctx, `DELETE FROM cardea_activity WHERE number IN
		(SELECT number FROM cardea_activity WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`, micros(now), max(limit, 0))
	return int(rows), fault("sweep activity", err)
}
