package stores_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/store/sqlstore"
)

// TestActivityIsFoundByIndexes: an entry is recorded at every wrong password, and how long that takes must not depend
// on how much of it there is of others.
func TestActivityIsFoundByIndexes(t *testing.T) {
	s := newSQLite(t)
	for query, want := range map[string]string{
		`SELECT number FROM cardea_activity WHERE account = ? AND class = ? ORDER BY last_at DESC, number DESC LIMIT 20`: "INDEX cardea_activity_account (account=? AND class=?)",
		`SELECT what FROM cardea_activity WHERE account = ? AND expires_at > ? ORDER BY last_at DESC, number DESC`:       "INDEX cardea_activity_account (account=?)",
		`SELECT number FROM cardea_activity WHERE expires_at <= ? ORDER BY expires_at LIMIT 10`:                          "INDEX cardea_activity_expiry (expires_at<?)",
	} {
		require.Contains(t, planOf(t, s, query), want)
	}
}

// planOf returns how the database would find the rows.
func planOf(t *testing.T, s *sqlstore.Store, query string) string {
	t.Helper()
	args := []any{"x", 1}[:strings.Count(query, "?")]
	rows, err := s.DB().QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
		plan = append(plan, detail)
	}
	require.NoError(t, rows.Err())
	return strings.Join(plan, "\n")
}
