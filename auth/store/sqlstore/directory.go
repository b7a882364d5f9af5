package sqlstore

import (
	"context"
	"database/sql"

	"github.com/cardea-auth/cardea/auth"
)

const selectPerson = `SELECT id, identifier, display, name, language, created_at FROM cardea_people WHERE `

// FindByIdentifier implements auth.Directory.
func (s *Store) FindByIdentifier(ctx context.Context, identifier string) (auth.Account, error) {
	return scanPerson(s.row(ctx, selectPerson+`identifier = ?`, identifier))
}

// FindByID implements auth.Directory.
func (s *Store) FindByID(ctx context.Context, id string) (auth.Account, error) {
	return scanPerson(s.row(ctx, selectPerson+`id = ?`, id))
}

func scanPerson(row *sql.Row) (auth.Account, error) {
	var a auth.Account
	var created int64
	err := row.Scan(&a.ID, &a.Identifier, &a.Display, &a.Name, &a.Language, &created)
	if err != nil {
		return auth.Account{}, fault("find account", missing(err, auth.ErrNotFound), auth.ErrNotFound)
	}
	a.CreatedAt = moment(created)
	return a, nil
}

// Create implements auth.Directory.
func (s *Store) Create(ctx context.Context, a auth.Account) error {
	rows, err := s.exec(ctx, `INSERT INTO cardea_people (id, identifier, display, name, language, created_at)
		VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		a.ID, a.Identifier, a.Display, a.Name, a.Language, micros(a.CreatedAt))
	if err == nil && rows == 0 {
		return auth.ErrTaken
	}
	return fault("create account", err)
}

// ChangeIdentifier implements auth.Directory.
func (s *Store) ChangeIdentifier(ctx context.Context, id, from, to, display string) error {
	err := s.act(ctx, func(t tx) error {
		var now string
		if err := t.row(ctx, `SELECT identifier FROM cardea_people WHERE id = ?`, id).Scan(&now); err != nil {
			return missing(err, auth.ErrNotFound)
		}
		if now != from {
			return auth.ErrStale
		}
		var others int
		if err := t.row(ctx, `SELECT COUNT(*) FROM cardea_people WHERE identifier = ? AND id <> ?`, to, id).Scan(&others); err != nil {
			return err
		}
		if others > 0 {
			return auth.ErrTaken
		}
		_, err := t.exec(ctx, `UPDATE cardea_people SET identifier = ?, display = ? WHERE id = ?`, to, display, id)
		return err
	})
	return fault("change identifier", err, auth.ErrNotFound, auth.ErrStale, auth.ErrTaken)
}
