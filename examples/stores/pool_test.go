package stores_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/store/sqlstore"
)

// TestEveryConnectionIsSetUp holds all connections of the pool at once, so that none is asked twice. A
// PRAGMA said once to the pool would have set up one of them.
func TestEveryConnectionIsSetUp(t *testing.T) {
	s := newSQLite(t)
	n := s.DB().Stats().MaxOpenConnections
	require.Greater(t, n, 1)
	for range n {
		conn, err := s.DB().Conn(t.Context())
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "busy_timeout": "5000", "synchronous": "2", "foreign_keys": "1", "trusted_schema": "0",
		} {
			var got string
			require.NoError(t, conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
			require.Equal(t, want, got, pragma)
		}
	}
}

// TestTheDSNDoesNotLoosen says in the DSN what must not be.
func TestTheDSNDoesNotLoosen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	s := openSQLite(t, "file:"+path+"?_pragma=synchronous(0)&_pragma=journal_mode(delete)&_pragma=foreign_keys(0)")
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		require.NoError(t, s.DB().QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		require.Equal(t, want, got, pragma)
	}
}

// TestTheFilesArePrivate looks at every file that SQLite makes, while they are there.
func TestTheFilesArePrivate(t *testing.T) {
	for _, dsn := range []func(path string) string{
		func(path string) string { return path },
		func(path string) string { return path + "?_txlock=immediate" },
		func(path string) string { return "file:" + path },
		func(path string) string { return "file://" + path },
		func(path string) string { return "file:" + strings.ReplaceAll(path, "a", "%61") + "?_txlock=immediate" },
	} {
		folder := t.TempDir()
		openSQLite(t, dsn(filepath.Join(folder, "accounts.db")))
		files, err := os.ReadDir(folder)
		require.NoError(t, err)
		require.Len(t, files, 3, "the database, the log and its index; no leftovers")
		for _, f := range files {
			info, err := f.Info()
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f.Name())
		}
	}
}

// TestAFileThatIsThereKeepsItsMode does not tighten what somebody set on purpose.
func TestAFileThatIsThereKeepsItsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Chmod(path, 0o640))
	openSQLite(t, path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm())
}

// TestMemoryIsRefused: each connection of a pool would have a database of its own, and a session would be
// known to one connection and unknown to the next.
func TestMemoryIsRefused(t *testing.T) {
	for _, dsn := range []string{"", ":memory:", "file::memory:", "file::memory:?cache=shared", "file:x?mode=memory&cache=shared", "?a=b"} {
		_, err := sqlstore.OpenSQLite(t.Context(), "sqlite", dsn, sqlstore.Options{})
		require.ErrorContains(t, err, "must be a file", dsn)
	}
}

func TestUnknownDriver(t *testing.T) {
	_, err := sqlstore.OpenSQLite(t.Context(), "no-such-driver", filepath.Join(t.TempDir(), "x.db"), sqlstore.Options{})
	require.ErrorContains(t, err, "no-such-driver")
}

// TestAPoolOfTheHosts uses a pool that the host has opened, and leaves it open.
func TestAPoolOfTheHosts(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "host.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	_, err = db.Exec(`CREATE TABLE users (id TEXT)`)
	require.NoError(t, err)

	s, err := sqlstore.New(t.Context(), db, sqlstore.SQLite(), sqlstore.Options{})
	require.NoError(t, err)
	require.Same(t, db, s.DB())
	require.NoError(t, s.Close())
	require.NoError(t, db.PingContext(t.Context()), "the pool is the host's to close")
}
