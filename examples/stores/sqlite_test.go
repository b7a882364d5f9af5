package stores_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/store/sqlstore"
	"github.com/cardea-auth/cardea/session"
)

// openSQLite opens a Store on the file, which is closed when the test ends.
func openSQLite(t *testing.T, path string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func newSQLite(t *testing.T) *sqlstore.Store {
	t.Helper()
	return openSQLite(t, filepath.Join(t.TempDir(), "accounts.db"))
}

func TestSQLiteDirectory(t *testing.T) {
	authtest.RunDirectory(t, func(t *testing.T) auth.Directory { return newSQLite(t) })
}

func TestSQLiteAccounts(t *testing.T) {
	authtest.RunAccounts(t, func(t *testing.T) authtest.Accounts { return newSQLite(t) })
}

func TestSQLiteFlows(t *testing.T) {
	authtest.RunFlows(t, func(t *testing.T) auth.FlowStore { return newSQLite(t) })
}

func TestSQLiteCounters(t *testing.T) {
	authtest.RunCounters(t, func(t *testing.T) auth.Counters { return newSQLite(t) })
}

func TestSQLiteSessions(t *testing.T) {
	authtest.RunSessions(t, func(t *testing.T) session.Store { return newSQLite(t) })
}

func TestSQLiteTrust(t *testing.T) {
	authtest.RunTrust(t, func(t *testing.T) session.TrustStore { return newSQLite(t) })
}

func TestSQLiteTickets(t *testing.T) {
	authtest.RunTickets(t, func(t *testing.T) authtest.Tickets { return newSQLite(t) })
}

func TestSQLiteLetters(t *testing.T) {
	authtest.RunLetters(t, func(t *testing.T) auth.LetterStore { return newSQLite(t) })
}

func TestSQLiteActivity(t *testing.T) {
	authtest.RunActivity(t, func(t *testing.T) authtest.Activities { return newSQLite(t) })
}

func TestSQLiteFactors(t *testing.T) {
	authtest.RunFactors(t, func(t *testing.T) authtest.Factors { return newSQLite(t) })
}

func TestSQLiteLinks(t *testing.T) {
	authtest.RunLinks(t, func(t *testing.T) authtest.Links { return newSQLite(t) })
}

func TestSQLiteProviderSessions(t *testing.T) {
	authtest.RunProviderSessions(t, func(t *testing.T) auth.ProviderSessionStore { return newSQLite(t) })
}
