package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// linkColumns are the columns of a link in the order of scanLink.
const linkColumns = `id, account, method, provider, issuer, subject, email, name, linked_at, used_at`

// blank makes of a link one that was. That its method is 0 says so.
const blank = `method = 0, provider = '', issuer = '', subject = '', email = '', name = '', linked_at = 0, used_at = 0`

func scanLink(row interface{ Scan(...any) error }) (auth.Link, error) {
	var l auth.Link
	var linked, used int64
	err := row.Scan(&l.ID, &l.Account, &l.Method, &l.Provider, &l.Issuer, &l.Subject, &l.Email, &l.Name, &linked, &used)
	if err != nil {
		return auth.Link{}, err
	}
	l.LinkedAt, l.UsedAt = moment(linked), moment(used)
	return l, nil
}

// Links implements auth.LinkStore.
func (s *Store) Links(ctx context.Context, account string) (list []auth.Link, err error) {
	rows, err := s.db.QueryContext(ctx, s.dialect.rewrite(`SELECT `+linkColumns+` FROM cardea_links
		WHERE account = ? AND method > 0 ORDER BY number`), account)
	if err != nil {
		return nil, fault("list links", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		l, err := scanLink(rows)
		if err != nil {
			return nil, fault("list links", err)
		}
		list = append(list, l)
	}
	if err := rows.Err(); err != nil {
		return nil, fault("list links", err)
	}
	return list, nil
}

// FindLink implements auth.LinkStore.
func (s *Store) FindLink(ctx context.Context, id string) (auth.Link, error) {
	l, err := scanLink(s.row(ctx, `SELECT `+linkColumns+` FROM cardea_links WHERE id = ? AND method > 0`, id))
	return l, fault("find link", missing(err, auth.ErrNotFound), auth.ErrNotFound)
}

// AddLink implements auth.LinkStore.
func (s *Store) AddLink(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
	if c.Link.Method == 0 {
		return flow.Epochs{}, errors.New("sqlstore: add link: it has no method")
	}
	return s.changeLinks(ctx, "add link", c, func(t tx) error {
		// What the account itself had makes room, and is connected as its last. An id that anybody else has or had stays.
		_, err := t.exec(ctx, `DELETE FROM cardea_links WHERE id = ? AND account = ? AND method = 0`, c.Link.ID, c.Link.Account)
		if err != nil {
			return err
		}
		l := c.Link
		rows, err := t.exec(ctx, `INSERT INTO cardea_links (`+linkColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO NOTHING`, l.ID, l.Account, int64(l.Method), l.Provider, l.Issuer, l.Subject, l.Email, l.Name,
			micros(l.LinkedAt), micros(l.UsedAt))
		if err == nil && rows == 0 {
			return auth.ErrTaken
		}
		return err
	})
}

// RemoveLink implements auth.LinkStore.
func (s *Store) RemoveLink(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
	return s.changeLinks(ctx, "remove link", c, func(t tx) error {
		rows, err := t.exec(ctx, `UPDATE cardea_links SET `+blank+` WHERE id = ? AND account = ? AND method > 0`,
			c.Link.ID, c.Link.Account)
		if err == nil && rows == 0 {
			return auth.ErrStale
		}
		return err
	})
}

// changeLinks applies one act to the links of an account that stands as it was seen, with what goes with it.
func (s *Store) changeLinks(ctx context.Context, what string, c auth.LinkChange, act func(t tx) error) (flow.Epochs, error) {
	to := auth.Standing{Status: c.From.Status, Epochs: raised(c.From.Epochs, c.EndSessions)}
	err := s.act(ctx, func(t tx) error {
		if err := t.restand(ctx, c.Link.Account, c.From, to); err != nil {
			return err
		}
		if err := act(t); err != nil {
			return err
		}
		if err := t.forget(ctx, c.Link.Account, noUndo); err != nil {
			return err
		}
		return t.addLetters(ctx, c.Letters)
	})
	return changed(what, to.Epochs, err)
}

// removeLinks removes what the account has of the method, as RemoveLink does.
func (t tx) removeLinks(ctx context.Context, account string, m flow.Method) error {
	_, err := t.exec(ctx, `UPDATE cardea_links SET `+blank+` WHERE account = ? AND method = ?`, account, int64(m))
	return err
}

// orphanLinks leaves of the links that the account has and had the ids, which are nobody's then: an account that is
// opened under its id must not come into them.
func (t tx) orphanLinks(ctx context.Context, account string) error {
	_, err := t.exec(ctx, `UPDATE cardea_links SET account = NULL, `+blank+` WHERE account = ?`, account)
	return err
}

// UseLink implements auth.LinkStore.
func (s *Store) UseLink(ctx context.Context, account, id, email, name string, now time.Time) error {
	rows, err := s.exec(ctx, `UPDATE cardea_links SET used_at = ?,
		email = CASE WHEN ? = '' THEN email ELSE ? END, name = CASE WHEN ? = '' THEN name ELSE ? END
		WHERE id = ? AND account = ? AND method > 0`, micros(now), email, email, name, name, id, account)
	if err == nil && rows == 0 {
		return auth.ErrStale
	}
	return fault("use link", err)
}

// ReleaseLink implements auth.LinkStore.
func (s *Store) ReleaseLink(ctx context.Context, id string) error {
	err := s.act(ctx, func(t tx) error {
		rows, err := t.exec(ctx, `DELETE FROM cardea_links WHERE id = ? AND method = 0`, id)
		if err != nil || rows > 0 {
			return err
		}
		var there bool
		if err := t.row(ctx, `SELECT EXISTS (SELECT 1 FROM cardea_links WHERE id = ?)`, id).Scan(&there); err != nil {
			return err
		}
		if there {
			return auth.ErrStale
		}
		return auth.ErrNotFound
	})
	return fault("release link", err, auth.ErrStale, auth.ErrNotFound)
}
