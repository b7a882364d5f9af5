package stores_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"

	"modernc.org/sqlite"
)

// faultyDriver is SQLite's driver with faults in it.
const faultyDriver = "sqlite-faulty"

func init() { sql.Register(faultyDriver, faulty{&sqlite.Driver{}}) }

// The ways in which a call of the driver is cut off.
const (
	cancelBefore = "the context ends before the call"
	cancelAfter  = "the context ends once the call is done"
	failBefore   = "the call fails and does nothing"
	failAfter    = "the call does its work and then fails"
	failOn       = "the call and all that follow fail"
)

// cut says which call is cut off, the first being 1, and how. The zero value cuts nothing.
type cut struct {
	how  string
	call int
}

// faults is the cut that is to be made. The driver is one for the whole process, so tests that use it do
// not run in parallel.
var faults faultPlan

type faultPlan struct {
	mu     sync.Mutex
	cut    cut
	cancel func()
	calls  int
}

func (f *faultPlan) arm(c cut, cancel func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut, f.cancel, f.calls = c, cancel, 0
}

func (f *faultPlan) disarm() { f.arm(cut{}, nil) }

// next counts a call and returns how it is to be cut, if it is the one.
func (f *faultPlan) next() (how string, cancel func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.cut.how == failOn && f.calls >= f.cut.call {
		return failBefore, nil
	}
	if f.calls != f.cut.call {
		return "", nil
	}
	return f.cut.how, f.cancel
}

// around makes the call with the fault that it is to have.
func around[T any](call func() (T, error)) (T, error) {
	how, cancel := faults.next()
	var none T
	switch how {
	case failBefore:
		return none, errBroken
	case cancelBefore:
		cancel()
	}
	result, err := call()
	switch how {
	case failAfter:
		if c, ok := any(result).(interface{ Close() error }); ok && err == nil {
			_ = c.Close()
		}
		return none, errBroken
	case cancelAfter:
		cancel()
	}
	return result, err
}

type faulty struct{ driver.Driver }

func (f faulty) Open(name string) (driver.Conn, error) {
	c, err := f.Driver.Open(name)
	if err != nil {
		return nil, err
	}
	return faultyConn{c}, nil
}

type faultyConn struct{ driver.Conn }

func (c faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return around(func() (driver.Result, error) { return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args) })
}

func (c faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return around(func() (driver.Rows, error) { return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args) })
}

func (c faultyConn) ResetSession(ctx context.Context) error {
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

func (c faultyConn) IsValid() bool { return c.Conn.(driver.Validator).IsValid() }
