package stores_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/store/sqlstore"
)

// TestABrokenLetterHoldsNobodyUp: a row that cannot be read is claimed as a letter of no kind, and those
// behind it are claimed as they are.
func TestABrokenLetterHoldsNobodyUp(t *testing.T) {
	s := newSQLite(t)
	ctx := t.Context()
	require.NoError(t, s.AddLetters(ctx, dueLetter("m1"), dueLetter("m2")))
	_, err := s.DB().ExecContext(ctx, `UPDATE cardea_letters SET letter = substr(letter, 1, 9) WHERE id = 'm1'`)
	require.NoError(t, err)

	got, err := s.ClaimLetters(ctx, noon, noon.Add(time.Minute), 10)
	require.NoError(t, err)
	broken := auth.Letter{ID: "m1", ExpiresAt: noon.Add(time.Hour)}
	require.Equal(t, []auth.QueuedLetter{{Letter: broken, Attempts: 1}, {Letter: dueLetter("m2"), Attempts: 1}}, got)
	swept, err := s.SweepLetters(ctx, noon.Add(time.Hour), 10)
	require.NoError(t, err)
	require.ElementsMatch(t, []auth.Letter{broken, dueLetter("m2")}, swept)
}

// TestADatabaseWithoutLettersGetsThem migrates a database that the first version of the schema made: tickets come
// with the letters.
func TestADatabaseWithoutLettersGetsThem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	db := bare(t, path)
	s := openSQLite(t, path)
	require.NoError(t, s.Create(t.Context(), auth.Account{ID: "a1", Identifier: "a1@example.org"}))
	_, err := db.ExecContext(t.Context(), `DROP TABLE cardea_tickets; DROP TABLE cardea_letters; DELETE FROM cardea_schema WHERE version >= 2`)
	require.NoError(t, err)

	require.NoError(t, sqlstore.Migrate(t.Context(), db, sqlstore.SQLite()))
	require.NoError(t, s.AddLetters(t.Context(), dueLetter("m1")))
	_, err = s.FindByID(t.Context(), "a1")
	require.NoError(t, err)
}
