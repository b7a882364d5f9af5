package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// The kits run on a real SQLite in the examples module, which has a driver. What is tested here needs none.

func TestSQLitePath(t *testing.T) {
	for dsn, want := range map[string]string{
		"accounts.db":                     "accounts.db",
		"./a/b.db?_txlock=immediate":      "./a/b.db",
		"file:accounts.db":                "accounts.db",
		"file:/var/lib/a.db?mode=rwc":     "/var/lib/a.db",
		"file:///var/lib/a.db":            "/var/lib/a.db",
		"file://localhost/var/lib/a.db":   "/var/lib/a.db",
		"file:/var/my%20files/50%25.db?x": "/var/my files/50%.db",
	} {
		got, err := sqlitePath(dsn)
		require.NoError(t, err, dsn)
		require.Equal(t, want, got, dsn)
	}
	for _, dsn := range []string{
		"", "?", "file:", ":memory:", "file::memory:", "file:a.db?mode=memory", "a.db?cache=shared&mode=memory",
		"file:/a?vfs=memdb", "file:%zz", "a.db?x=1;y=2",
	} {
		_, err := sqlitePath(dsn)
		require.Error(t, err, dsn)
	}
}

// oldDriver is a driver of the first days of database/sql: it can prepare, and no more.
type oldDriver struct {
	said []string
	fail func(query string) error
}

func (d *oldDriver) Open(string) (driver.Conn, error)          { return d, nil }
func (d *oldDriver) Prepare(query string) (driver.Stmt, error) { return oldStmt{d, query}, nil }
func (d *oldDriver) Begin() (driver.Tx, error)                 { return nil, errors.New("not here") }
func (d *oldDriver) Close() error                              { return nil }

type oldStmt struct {
	d     *oldDriver
	query string
}

func (s oldStmt) Close() error                              { return nil }
func (s oldStmt) NumInput() int                             { return 0 }
func (s oldStmt) Query([]driver.Value) (driver.Rows, error) { return nil, errors.New("not here") }
func (s oldStmt) Exec([]driver.Value) (driver.Result, error) {
	s.d.said = append(s.d.said, s.query)
	if s.d.fail != nil {
		return nil, s.d.fail(s.query)
	}
	return driver.ResultNoRows, nil
}

func connectorOf(d *oldDriver) *sqliteConnector {
	return &sqliteConnector{
		driver: d, open: func(context.Context) (driver.Conn, error) { return d.Open("") },
		busy: time.Minute, pragmas: []string{"PRAGMA one", "PRAGMA two"},
	}
}

func TestPragmasOfAnOldDriver(t *testing.T) {
	d := &oldDriver{}
	_, err := connectorOf(d).Connect(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"PRAGMA one", "PRAGMA two"}, d.said)
}

func TestLockedPragmasAreSaidAgain(t *testing.T) {
	locked := 3
	d := &oldDriver{}
	d.fail = func(query string) error {
		if query == "PRAGMA two" && locked > 0 {
			locked--
			return errors.New("sqlite: database is locked (5)")
		}
		return nil
	}
	_, err := connectorOf(d).Connect(t.Context())
	require.NoError(t, err)
	require.Zero(t, locked)

	d.fail = func(string) error { return errors.New("database is locked") }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := connectorOf(d)
	c.busy = time.Millisecond
	_, err = c.Connect(ctx)
	require.ErrorContains(t, err, "PRAGMA one: database is locked")
}

func TestOtherErrorsOfPragmasAreNotWaitedFor(t *testing.T) {
	broken := errors.New("file is not a database")
	d := &oldDriver{fail: func(string) error { return broken }}
	_, err := connectorOf(d).Connect(t.Context())
	require.ErrorIs(t, err, broken)
	require.Len(t, d.said, 1)
}

func TestMigrationsAreInOrder(t *testing.T) {
	steps, err := migrations(SQLite())
	require.NoError(t, err)
	require.NotEmpty(t, steps)
	require.Equal(t, "0001_initial.sql", steps[0].name)
	_, err = migrations(Dialect{name: "no such"})
	require.Error(t, err)
}

func TestNewNeedsADatabaseAndADialect(t *testing.T) {
	_, err := New(t.Context(), nil, SQLite(), Options{})
	require.Error(t, err)
	db := sql.OpenDB(connectorOf(&oldDriver{}))
	_, err = New(t.Context(), db, Dialect{}, Options{})
	require.Error(t, err)
	require.NoError(t, db.Close())
}

func TestCreatePrivateSaysWhatIsWrong(t *testing.T) {
	require.ErrorContains(t, createPrivate(filepath.Join(t.TempDir(), "no", "such", "folder.db")), "create")
}

// TestProofsAreNotBent: JSON would store two credentials that are not UTF-8 as the same one.
func TestProofsAreNotBent(t *testing.T) {
	for _, p := range []flow.Proof{
		{Method: flow.TOTP, Credential: "\xff"}, {Method: flow.SSO, Connection: "\xff"}, {Method: flow.TOTP, Account: "\xff"},
	} {
		_, err := sessionValues(session.Record{Proofs: []flow.Proof{p}})
		require.ErrorIs(t, err, errProofText)
	}
}
