package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// sqliteConns is how many connections a pool may have: enough for readers not to wait for each other, and
// few enough that each keeps its page cache warm. Writers take turns anyway.
const sqliteConns = 8

// OpenSQLite opens an SQLite database, creates or migrates its schema and returns the Store; Close closes
// both. The driver is named as it registered itself with database/sql; dsn is what it opens: a path, or a
// "file:" URI with the driver's own parameters. A file that does not exist is created readable by its owner
// alone, as it will hold password hashes. Databases in memory are refused: each connection would have its
// own. Every connection of the pool is in WAL mode, syncs each commit, waits for writers and enforces
// foreign keys, whatever the dsn says.
func OpenSQLite(ctx context.Context, driverName, dsn string, o Options) (*Store, error) {
	path, err := sqlitePath(dsn)
	if err != nil {
		return nil, err
	}
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	c, err := newSQLiteConnector(driverName, dsn, o)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(sqliteConns)
	db.SetMaxIdleConns(sqliteConns)
	s, err := onSQLite(ctx, db, o)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func onSQLite(ctx context.Context, db *sql.DB, o Options) (*Store, error) {
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return nil, fmt.Errorf("sqlstore: open: %w", err)
	}
	if mode != "wal" {
		return nil, fmt.Errorf("sqlstore: open: the database is in journal mode %q and cannot be put into WAL mode", mode)
	}
	s, err := New(ctx, db, SQLite(), o)
	if err != nil {
		return nil, err
	}
	s.owned = true
	return s, nil
}

// sqlitePath returns the path that a dsn names, in either of its forms.
func sqlitePath(dsn string) (string, error) {
	path, query, _ := strings.Cut(dsn, "?")
	if uri, ok := strings.CutPrefix(path, "file:"); ok {
		path = uri
		if rest, ok := strings.CutPrefix(path, "//"); ok {
			_, path, _ = strings.Cut(rest, "/") // "localhost" or nothing
			path = "/" + path
		}
		var err error
		if path, err = url.PathUnescape(path); err != nil {
			return "", errors.New("sqlstore: open: the path in the URI is not well escaped")
		}
	}
	// A query that cannot be read is refused by the driver; here, doubt is taken for memory.
	values, err := url.ParseQuery(query)
	if path == "" || strings.Contains(path, ":memory:") || err != nil || values.Get("mode") == "memory" || values.Get("vfs") == "memdb" {
		return "", errors.New("sqlstore: open: the database must be a file; a database in memory is another one for each connection")
	}
	return path, nil
}

// createPrivate makes an empty file that only its owner can read, unless there is one. SQLite gives its
// other files the same mode. The file comes into being under another name and is then linked: closing a
// file that SQLite has open elsewhere in this process would drop SQLite's locks on it.
func createPrivate(path string) error {
	if _, err := os.Lstat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return nil // it is there, or SQLite will say what is wrong
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".cardea-*") // mode 0600
	if err != nil {
		return fmt.Errorf("sqlstore: create: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if err := f.Close(); err != nil {
		return fmt.Errorf("sqlstore: create: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("sqlstore: create (an empty file of mode 0600 made beforehand will do): %w", err)
	}
	return nil
}

// sqliteConnector sets up each connection as it is opened: what a PRAGMA says holds for one connection, so
// saying it once to the pool would set up one of many.
type sqliteConnector struct {
	driver  driver.Driver
	open    func(ctx context.Context) (driver.Conn, error)
	busy    time.Duration
	pragmas []string
}

func newSQLiteConnector(driverName, dsn string, o Options) (*sqliteConnector, error) {
	named, err := sql.Open(driverName, dsn) // opens nothing yet; it is how a driver is found by its name
	if err != nil {
		return nil, fmt.Errorf("sqlstore: open: %w", err)
	}
	c := &sqliteConnector{driver: named.Driver()}
	if err := named.Close(); err != nil {
		return nil, fmt.Errorf("sqlstore: open: %w", err)
	}
	c.open = func(context.Context) (driver.Conn, error) { return c.driver.Open(dsn) }
	if d, ok := c.driver.(driver.DriverContext); ok {
		inner, err := d.OpenConnector(dsn)
		if err != nil {
			return nil, fmt.Errorf("sqlstore: open: %w", err)
		}
		c.open = inner.Connect
	}
	c.busy = 5 * time.Second
	if o.BusyTimeout > 0 {
		c.busy = max(o.BusyTimeout, time.Millisecond)
	}
	c.pragmas = []string{
		fmt.Sprintf("PRAGMA busy_timeout = %d", c.busy.Milliseconds()), // first, for those that follow
		"PRAGMA journal_mode = WAL",                                    // readers and the writer do not wait for each other
		"PRAGMA synchronous = FULL",                                    // NORMAL may lose commits in a power cut: an old password would work again
		"PRAGMA foreign_keys = ON",
		"PRAGMA trusted_schema = OFF", // a schema that somebody tampered with calls no functions
	}
	return c, nil
}

// Connect implements driver.Connector. The connection is the driver's own, with all that it can do.
func (c *sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	for _, pragma := range c.pragmas {
		if err := c.say(ctx, conn, pragma); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", pragma, err), conn.Close())
		}
	}
	return conn, nil
}

// say sets one thing up. Putting a new file into WAL mode fails at once where another process does the same,
// busy timeout or not; so it is tried again until that is over. "Database is locked" is SQLite's own text
// for it, which every driver passes on.
func (c *sqliteConnector) say(ctx context.Context, conn driver.Conn, pragma string) error {
	waiting, cancel := context.WithTimeout(ctx, c.busy)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		err := execOn(ctx, conn, pragma)
		if err == nil || !strings.Contains(err.Error(), "database is locked") {
			return err
		}
		select {
		case <-again.C:
		case <-waiting.Done():
			return err
		}
	}
}

// Driver implements driver.Connector.
func (c *sqliteConnector) Driver() driver.Driver { return c.driver }

// execOn runs a statement on a connection that database/sql does not know yet.
func execOn(ctx context.Context, conn driver.Conn, query string) error {
	if e, ok := conn.(driver.ExecerContext); ok {
		_, err := e.ExecContext(ctx, query, nil)
		if !errors.Is(err, driver.ErrSkip) {
			return err
		}
	}
	stmt, err := conn.Prepare(query)
	if err != nil {
		return err
	}
	if e, ok := stmt.(driver.StmtExecContext); ok {
		_, err = e.ExecContext(ctx, nil)
	} else {
		//lint:ignore SA1019 it is all that older drivers have
		_, err = stmt.Exec(nil)
	}
	return errors.Join(err, stmt.Close())
}
