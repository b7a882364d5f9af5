package stores_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
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
