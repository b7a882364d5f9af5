package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// tidying is how long the end of a transaction may take once its context is done.
const tidying = 5 * time.Second

// tx is a transaction under way.
type tx struct {
	conn    *sql.Conn
	dialect Dialect
}

func (t tx) exec(ctx context.Context, query string, args ...any) (rows int64, err error) {
	result, err := t.conn.ExecContext(ctx, t.dialect.rewrite(query), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (t tx) row(ctx context.Context, query string, args ...any) *sql.Row {
	return t.conn.QueryRowContext(ctx, t.dialect.rewrite(query), args...)
}

// act runs f in a transaction: all of it happens, or, if f or ctx or the database fails, nothing. Errors of
// f are returned as they are.
func (s *Store) act(ctx context.Context, f func(t tx) error) error {
	return s.writing(ctx, func() error { return transact(ctx, s.db, s.dialect, f) })
}

// writing runs f when no other goroutine of this Store writes. Where the database has one write lock, those
// who wait for it wait here, first come first served: its own waiting is by polling, and lets some starve.
func (s *Store) writing(ctx context.Context, f func() error) error {
	if s.writer == nil {
		return f()
	}
	select {
	case <-s.writer:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.writer <- struct{}{} }()
	return f()
}

// transact does not use sql.Tx: that cannot say how the transaction begins.
func transact(ctx context.Context, db *sql.DB, d Dialect, f func(t tx) error) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed {
			abandon(ctx, conn)
		}
		_ = conn.Close() // returns it to the pool; an error says that it was discarded
	}()
	if _, err := conn.ExecContext(ctx, d.begin); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := f(tx{conn, d}); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// From here on the act is done or not done whatever becomes of ctx: a cancelled COMMIT would leave both
	// the caller and the connection in doubt.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidying)
	defer cancel()
	if _, err := conn.ExecContext(ending, "COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	committed = true
	return nil
}

// abandon ends a transaction that may or may not have begun. A connection that cannot say that it ended is
// closed: in the pool it would carry the transaction, and its locks, to the next caller.
func abandon(ctx context.Context, conn *sql.Conn) {
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidying)
	defer cancel()
	if _, err := conn.ExecContext(ending, "ROLLBACK"); err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
}

// exec runs one statement that changes something, and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, query string, args ...any) (rows int64, err error) {
	err = s.writing(ctx, func() error {
		result, err := s.db.ExecContext(ctx, s.dialect.rewrite(query), args...)
		if err != nil {
			return err
		}
		rows, err = result.RowsAffected()
		return err
	})
	return rows, err
}

func (s *Store) row(ctx context.Context, query string, args ...any) *sql.Row {
	return s.db.QueryRowContext(ctx, s.dialect.rewrite(query), args...)
}

// fault wraps an error of the database. Refusals of the ports' contracts pass as they are, and so do nil
// errors.
func fault(what string, err error, refusals ...error) error {
	if err == nil {
		return nil
	}
	for _, r := range refusals {
		if errors.Is(err, r) {
			return err
		}
	}
	return fmt.Errorf("sqlstore: %s: %w", what, err)
}

// missing replaces sql.ErrNoRows by what the port calls it.
func missing(err, as error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return as
	}
	return err
}
