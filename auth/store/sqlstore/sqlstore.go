// Package sqlstore keeps everything in an SQL database: every store that the library needs, in one schema,
// over database/sql. It imports no driver; the host chooses one.
//
// Start with OpenSQLite, which makes a pool whose every connection is set up as it must be, creates or
// migrates the schema, and returns the Store:
//
//	import _ "modernc.org/sqlite"
//
//	store, err := sqlstore.OpenSQLite(ctx, "sqlite", "accounts.db", sqlstore.Options{})
//
// Or give New a pool that the host has already; its set-up is then the host's (see New). The Store is an
// auth.Directory, auth.AccountStore, auth.PasswordStore, auth.FlowStore, auth.Counters, auth.TicketStore,
// auth.FactorStore, auth.LinkStore, auth.ProviderSessionStore, auth.LetterStore, auth.ActivityStore, session.Store and
// session.TrustStore. A host that has its own table of users implements auth.Directory itself and uses the Store for
// the rest.
//
// Each method is one atomic act: a statement whose conditions are in its WHERE clause, or a transaction that
// has the write lock from its beginning. A context that is cancelled in the middle leaves nothing half done.
// FindSession, which every request of a signed-in person makes, is one prepared read by two primary keys, and
// State, which every step of a flow makes, is one by a primary key and two indexes.
//
// What the Store does not do: it deletes nothing by itself (Service.Run calls its sweeps), encrypts nothing
// (password hashes and hashes of tokens are in the database; secrets that must be read again are sealed
// before they get here), and never changes tables that do not begin with "cardea_".
//
// SQLite must be of version 3.37 or later. The tests in examples/stores run the conformance kits of
// package authtest on this package, and show how a host does so on its own stores.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/session"
)

// Store is every store in one. Make one with OpenSQLite or New; it is safe for concurrent use. Several
// Stores, in one process or in many, may use one database.
type Store struct {
	db      *sql.DB
	dialect Dialect
	owned   bool          // the pool is closed with the Store
	writer  chan struct{} // holds a token while nobody writes; nil if writers need no queue
	find    *sql.Stmt     // FindSession
	state   *sql.Stmt     // State
}

var (
	_ auth.Directory     = (*Store)(nil)
	_ auth.AccountStore  = (*Store)(nil)
	_ auth.PasswordStore = (*Store)(nil)
	_ auth.Counters      = (*Store)(nil)
	_ session.Store      = (*Store)(nil)
	_ session.TrustStore = (*Store)(nil)
	_ auth.FlowStore     = (*Store)(nil)
	_ auth.TicketStore   = (*Store)(nil)
	_ auth.LetterStore   = (*Store)(nil)
	_ auth.FactorStore   = (*Store)(nil)
	_ auth.ActivityStore = (*Store)(nil)
	_ auth.LinkStore     = (*Store)(nil)

	_ auth.ProviderSessionStore = (*Store)(nil)
)

// Options go with OpenSQLite and New. The zero value is good.
type Options struct {
	// MigrateByHand leaves the schema alone: unless it is exactly the current one, the error is ErrSchema.
	// The host calls Migrate when it sees fit.
	MigrateByHand bool
	// BusyTimeout is how long SQLite waits for another process to finish writing before a method fails.
	// Zero means 5 seconds. Only OpenSQLite reads it.
	BusyTimeout time.Duration
}

// New returns a Store on a pool of the host's, which stays the host's to close. The connections' set-up is
// the host's too; for SQLite each one needs a busy timeout and must be in WAL mode, with synchronous=FULL
// unless a power cut may undo a changed password. Schemas newer than this version knows are ErrSchema.
func New(ctx context.Context, db *sql.DB, d Dialect, o Options) (*Store, error) {
	if db == nil || d.name == "" {
		return nil, errors.New("sqlstore: New needs a database and a dialect")
	}
	s := &Store{db: db, dialect: d}
	if d.oneWriter {
		s.writer = make(chan struct{}, 1)
		s.writer <- struct{}{}
	}
	prepareSchema := Migrate
	if o.MigrateByHand {
		prepareSchema = checkSchema
	}
	err := prepareSchema(ctx, db, d)
	if err != nil {
		return nil, err
	}
	if s.find, err = db.PrepareContext(ctx, d.rewrite(findSession)); err != nil {
		return nil, fmt.Errorf("sqlstore: prepare: %w", err)
	}
	if s.state, err = db.PrepareContext(ctx, d.rewrite(readState)); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlstore: prepare: %w", err), s.find.Close())
	}
	return s, nil
}

// DB returns the pool, so that the host can use it too. Tables that begin with "cardea_" are the Store's.
func (s *Store) DB() *sql.DB { return s.db }

// Close ends the Store, and the pool too if OpenSQLite made it.
func (s *Store) Close() error {
	err := errors.Join(s.find.Close(), s.state.Close())
	if s.owned {
		err = errors.Join(err, s.db.Close())
	}
	return err
}

// micros is how times are kept: microseconds since 1970, which the zero time survives. What is lost is
// lost downwards, so that things expire early rather than late.
func micros(t time.Time) int64 { return t.UnixMicro() }

func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
