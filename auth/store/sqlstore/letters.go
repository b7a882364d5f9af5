package sqlstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth"
)

// AddLetters implements auth.LetterStore.
func (s *Store) AddLetters(ctx context.Context, letters ...auth.Letter) error {
	return fault("add letters", s.act(ctx, func(t tx) error { return t.addLetters(ctx, letters) }))
}

// addLetters queues letters in the transaction of the act that they tell of.
func (t tx) addLetters(ctx context.Context, letters []auth.Letter) error {
	for _, l := range letters {
		text, err := encodeLetter(l)
		if err != nil {
			return err
		}
		created := micros(l.CreatedAt)
		_, err = t.exec(ctx, `INSERT INTO cardea_letters (id, due_at, was_due_at, attempts, expires_at, letter)
			VALUES (?, ?, ?, 0, ?, ?) ON CONFLICT DO NOTHING`, l.ID, created, created, micros(l.ExpiresAt), text)
		if err != nil {
			return err
		}
	}
	return nil
}

// due is the condition of a claim. A letter that nobody tried is due whatever its time: the clock that made
// it may be ahead.
const due = `(due_at <= ? OR attempts = 0) AND expires_at > ?`

// ClaimLetters implements auth.LetterStore. Most calls find nothing, and take no write lock to do so.
func (s *Store) ClaimLetters(ctx context.Context, now, until time.Time, limit int) ([]auth.QueuedLetter, error) {
	at := micros(now)
	var any bool
	if err := s.row(ctx, `SELECT EXISTS (SELECT 1 FROM cardea_letters WHERE `+due+`)`, at, at).Scan(&any); err != nil {
		return nil, fault("look for letters", err)
	}
	if !any || limit <= 0 {
		return nil, nil
	}
	var rows []letterRow
	err := s.act(ctx, func(t tx) (err error) {
		rows, err = t.letterRows(ctx, `UPDATE cardea_letters
			SET was_due_at = due_at, due_at = ?, attempts = attempts + 1
			WHERE id IN (SELECT id FROM cardea_letters WHERE `+due+` ORDER BY due_at, id LIMIT ?)
			RETURNING id, was_due_at, attempts, expires_at, letter`, micros(until), at, at, limit)
		return err
	})
	if err != nil {
		return nil, fault("claim letters", err)
	}
	slices.SortFunc(rows, func(a, b letterRow) int { // RETURNING has no order
		return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.ID, b.ID))
	})
	claimed := make([]auth.QueuedLetter, len(rows))
	for i, r := range rows {
		claimed[i] = r.QueuedLetter
	}
	return claimed, nil
}

// PostponeLetter implements auth.LetterStore.
func (s *Store) PostponeLetter(ctx context.Context, id string, attempts int, due time.Time) error {
	rows, err := s.exec(ctx, `UPDATE cardea_letters SET due_at = ? WHERE id = ? AND attempts = ? AND attempts > 0`,
		micros(due), id, attempts)
	if err == nil && rows == 0 {
		return auth.ErrStale
	}
	return fault("postpone letter", err)
}

// RemoveLetter implements auth.LetterStore.
func (s *Store) RemoveLetter(ctx context.Context, id string) error {
	_, err := s.exec(ctx, `DELETE FROM cardea_letters WHERE id = ?`, id)
	return fault("remove letter", err)
}

// SweepLetters implements auth.LetterStore. It too takes the write lock only if there is something to do.
func (s *Store) SweepLetters(ctx context.Context, now time.Time, limit int) ([]auth.Letter, error) {
	var any bool
	if err := s.row(ctx, `SELECT EXISTS (SELECT 1 FROM cardea_letters WHERE expires_at <= ?)`, micros(now)).Scan(&any); err != nil {
		return nil, fault("look for letters", err)
	}
	if !any || limit <= 0 {
		return nil, nil
	}
	var rows []letterRow
	err := s.act(ctx, func(t tx) (err error) {
		rows, err = t.letterRows(ctx, `DELETE FROM cardea_letters WHERE id IN
			(SELECT id FROM cardea_letters WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
			RETURNING id, due_at, attempts, expires_at, letter`, micros(now), limit)
		return err
	})
	if err != nil {
		return nil, fault("sweep letters", err)
	}
	swept := make([]auth.Letter, len(rows))
	for i, r := range rows {
		swept[i] = r.Letter
	}
	return swept, nil
}

// letterRow is a letter as the queue has it.
type letterRow struct {
	auth.QueuedLetter
	due int64
}

// letterRows runs a statement that returns letters. It reads them all: an error may come with the last one.
func (t tx) letterRows(ctx context.Context, query string, args ...any) (all []letterRow, err error) {
	rows, err := t.conn.QueryContext(ctx, t.dialect.rewrite(query), args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r letterRow
		var id, text string
		var expires int64
		if err := rows.Scan(&id, &r.due, &r.Attempts, &expires, &text); err != nil {
			return nil, err
		}
		r.Letter = decodeLetter(text)
		r.ID, r.ExpiresAt = id, moment(expires)
		all = append(all, r)
	}
	return all, rows.Err()
}

// letterText is what the column letter holds, with short names and times as micros: time.Time has years that
// JSON has not. The id and the expiry have columns of their own.
type letterText struct {
	Kind      auth.LetterKind `json:"kind"`
	Account   string          `json:"account,omitempty"`
	To        string          `json:"to,omitempty"`
	Name      string          `json:"name,omitempty"`
	Language  string          `json:"language,omitempty"`
	Purpose   auth.Purpose    `json:"purpose,omitempty"`
	Ticket    string          `json:"ticket,omitempty"`
	Flow      string          `json:"flow,omitempty"`
	CodeOf    string          `json:"code_of,omitempty"`
	CodeAt    int64           `json:"code_at"`
	Key       string          `json:"key,omitempty"`
	At        int64           `json:"at"`
	Device    string          `json:"device,omitempty"`
	Network   string          `json:"network,omitempty"`
	Method    string          `json:"method,omitempty"`
	Address   string          `json:"address,omitempty"`
	CreatedAt int64           `json:"created_at"`
}

var errLetterText = errors.New("a letter has text that is not UTF-8")

// encodeLetter returns the letter as JSON, which has no bytes that are not UTF-8 and would replace them by a
// mark: a letter must not go to somebody else's address.
func encodeLetter(l auth.Letter) (string, error) {
	text := letterText{
		Kind: l.Kind, Account: l.Account, To: l.To, Name: l.Name, Language: l.Language, Purpose: l.Secret.Purpose,
		Ticket: l.Secret.Ticket, Flow: l.Secret.Flow, CodeOf: l.Secret.Account, CodeAt: micros(l.Secret.At), Key: l.Key,
		At: micros(l.At), Device: l.Device, Network: l.Network, Method: l.Method, Address: l.Address, CreatedAt: micros(l.CreatedAt),
	}
	for _, s := range []string{
		l.ID, string(text.Kind), text.Account, text.To, text.Name, text.Language, string(text.Purpose), text.Ticket,
		text.Flow, text.CodeOf, text.Key, text.Device, text.Network, text.Method, text.Address,
	} {
		if !utf8.ValidString(s) {
			return "", errLetterText
		}
	}
	b, err := json.Marshal(text)
	return string(b), err
}

// decodeLetter returns a letter of no kind for text that is none: whoever sends letters reports that one and
// goes on, while an error here would hold up the whole queue.
func decodeLetter(text string) auth.Letter {
	var t letterText
	if json.Unmarshal([]byte(text), &t) != nil {
		return auth.Letter{}
	}
	return auth.Letter{
		Kind: t.Kind, Account: t.Account, To: t.To, Name: t.Name, Language: t.Language,
		Secret: auth.SecretRef{Purpose: t.Purpose, Ticket: t.Ticket, Flow: t.Flow, Account: t.CodeOf, At: moment(t.CodeAt)},
		Key:    t.Key, At: moment(t.At), Device: t.Device, Network: t.Network, Method: t.Method, Address: t.Address,
		CreatedAt: moment(t.CreatedAt),
	}
}
