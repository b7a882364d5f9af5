package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// In the statements 6 is flow.Passkey: a partial index is used only for the text that it was made with.

// factorColumns are the columns of a factor in the order of scanFactor.
const factorColumns = `id, account, method, name, handle, data, counter, verifying, created_at, used_at`

func scanFactor(row interface{ Scan(...any) error }) (auth.StoredFactor, error) {
	var f auth.StoredFactor
	var created, used int64
	err := row.Scan(&f.ID, &f.Account, &f.Method, &f.Name, &f.Handle, &f.Data, &f.Counter, &f.Verifying, &created, &used)
	if err != nil {
		return auth.StoredFactor{}, err
	}
	f.CreatedAt, f.UsedAt = moment(created), moment(used)
	return f, nil
}

// Factors implements auth.FactorStore.
func (s *Store) Factors(ctx context.Context, account string) (list []auth.StoredFactor, err error) {
	rows, err := s.db.QueryContext(ctx, s.dialect.rewrite(`SELECT `+factorColumns+` FROM cardea_factors
		WHERE account = ? ORDER BY number`), account)
	if err != nil {
		return nil, fault("list factors", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		f, err := scanFactor(rows)
		if err != nil {
			return nil, fault("list factors", err)
		}
		list = append(list, f)
	}
	if err := rows.Err(); err != nil {
		return nil, fault("list factors", err)
	}
	return list, nil
}

// FindPasskey implements auth.FactorStore.
func (s *Store) FindPasskey(ctx context.Context, handle string) (auth.StoredFactor, error) {
	f, err := scanFactor(s.row(ctx, `SELECT `+factorColumns+` FROM cardea_factors
		WHERE handle = ? AND method = 6 AND handle <> ''`, handle))
	return f, fault("find passkey", missing(err, auth.ErrNotFound), auth.ErrNotFound)
}

// ChangeFactors implements auth.FactorStore.
func (s *Store) ChangeFactors(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
	if slices.ContainsFunc(c.Add, func(f auth.StoredFactor) bool { return f.Account != c.Account }) {
		return flow.Epochs{}, errors.New("sqlstore: change factors: one of them is another account's")
	}
	to := auth.Standing{Status: c.From.Status, Epochs: raised(c.From.Epochs, c.EndSessions)}
	err := s.act(ctx, func(t tx) error {
		if err := t.restand(ctx, c.Account, c.From, to); err != nil {
			return err
		}
		if err := t.removeFactors(ctx, c); err != nil {
			return err
		}
		if err := t.addFactors(ctx, c.Add); err != nil {
			return err
		}
		if err := t.forget(ctx, c.Account, noUndo); err != nil {
			return err
		}
		return t.addLetters(ctx, c.Letters)
	})
	return changed("change factors", to.Epochs, err)
}

// removeFactors deletes what the change removes, and refuses it if there is not all that it names.
func (t tx) removeFactors(ctx context.Context, c auth.FactorChange) error {
	// What is named comes before all of a method: it may be of that method.
	for _, id := range slices.Compact(slices.Sorted(slices.Values(c.Remove))) {
		rows, err := t.exec(ctx, `DELETE FROM cardea_factors WHERE id = ? AND account = ?`, id, c.Account)
		if err != nil {
			return err
		}
		if rows == 0 {
			return auth.ErrStale
		}
	}
	if c.RemoveAll == 0 {
		return nil
	}
	_, err := t.exec(ctx, `DELETE FROM cardea_factors WHERE account = ? AND method = ?`, c.Account, int64(c.RemoveAll))
	return err
}

// addFactors keeps factors of one account, unless an id or a handle is in use. They come in the order of their ids.
func (t tx) addFactors(ctx context.Context, add []auth.StoredFactor) error {
	for _, f := range slices.SortedFunc(slices.Values(add), func(a, b auth.StoredFactor) int { return cmp.Compare(a.ID, b.ID) }) {
		rows, err := t.exec(ctx, `INSERT INTO cardea_factors (`+factorColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO NOTHING`, f.ID, f.Account, int64(f.Method), f.Name, f.Handle, f.Data, f.Counter, f.Verifying,
			micros(f.CreatedAt), micros(f.UsedAt))
		if err != nil {
			return err
		}
		if rows == 0 {
			return auth.ErrTaken
		}
	}
	return nil
}

// UseFactor implements auth.FactorStore.
func (s *Store) UseFactor(ctx context.Context, account, id string, from, to int64, data string, now time.Time) error {
	rows, err := s.exec(ctx, `UPDATE cardea_factors
		SET counter = ?, data = CASE WHEN ? = '' THEN data ELSE ? END, used_at = ?
		WHERE id = ? AND account = ? AND counter = ?`, to, data, data, micros(now), id, account, from)
	if err == nil && rows == 0 {
		return auth.ErrStale
	}
	return fault("use factor", err)
}

// ConsumeFactor implements auth.FactorStore.
func (s *Store) ConsumeFactor(ctx context.Context, account, id, data string) error {
	rows, err := s.exec(ctx, `DELETE FROM cardea_factors WHERE id = ? AND account = ? AND data = ?`, id, account, data)
	if err == nil && rows == 0 {
		return auth.ErrStale
	}
	return fault("consume factor", err)
}

// RenameFactor implements auth.FactorStore.
func (s *Store) RenameFactor(ctx context.Context, account, id, name string) error {
	rows, err := s.exec(ctx, `UPDATE cardea_factors SET name = ? WHERE id = ? AND account = ?`, name, id, account)
	return fault("rename factor", one(rows, err), auth.ErrNotFound)
}
