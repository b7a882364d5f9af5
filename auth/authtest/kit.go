package authtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// rule is one sentence of a contract, and the check that a store keeps it.
type rule[S any] struct {
	name  string // of the subtest
	why   string // the rule in a sentence, with what breaks if it is not kept
	check func(ctx context.Context, p *probe, store S)
}

func (r rule[S]) apply(ctx context.Context, store S) error {
	p := &probe{}
	r.check(ctx, p, store)
	if len(p.failures) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s\n%w", r.name, r.why, errors.Join(p.failures...))
}

func run[S any](t *testing.T, rules []rule[S], open func(t *testing.T) S) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			if err := r.apply(t.Context(), open(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

func check[S any](ctx context.Context, rules []rule[S], open func() (S, error)) error {
	var failures []error
	for _, r := range rules {
		store, err := open()
		if err != nil {
			return errors.Join(append(failures, fmt.Errorf("authtest: open a store for %q: %w", r.name, err))...)
		}
		if err := r.apply(ctx, store); err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// probe collects what a check finds wrong. A check goes on after a failure: what follows is often what
// tells the cause.
type probe struct{ failures []error }

func (p *probe) failf(format string, args ...any) {
	p.failures = append(p.failures, fmt.Errorf("\t"+format, args...))
}

// ok demands that there is no error.
func (p *probe) ok(what string, err error) {
	if err != nil {
		p.failf("%s: got the error %q, want none", what, err)
	}
}

// is demands an error that matches want.
func (p *probe) is(what string, err, want error) {
	if !errors.Is(err, want) {
		p.failf("%s: got the error %v, want %q", what, err, want)
	}
}

// fails demands an error, whatever it is.
func (p *probe) fails(what string, err error) {
	if err == nil {
		p.failf("%s: got no error, want one", what)
	}
}

// oneWon demands that one of several concurrent acts happened and all others were refused with lost.
func (p *probe) oneWon(what string, errs []error, lost error) {
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, lost):
			p.failf("%s: a loser got the error %q, want %q", what, err, lost)
		}
	}
	if won != 1 {
		p.failf("%s: %d of %d won, want exactly one", what, won, len(errs))
	}
}

// equal demands that two values are the same in every field. Times are the same if they are the same
// moment and both in UTC.
func equal[T any](p *probe, what string, got, want T) {
	if !reflect.DeepEqual(got, want) {
		p.failf("%s:\n\t got %+v\n\twant %+v", what, got, want)
	}
}

// racers is how many goroutines do the same thing at once.
const racers = 16

// race runs act n times at once and returns the errors.
func race(n int, act func(i int) error) []error {
	errs := make([]error, n)
	begin := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-begin
			errs[i] = act(i)
		})
	}
	close(begin)
	all.Wait()
	return errs
}

// start is the time at which every check begins. It has milliseconds, which stores must keep.
var start = time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC)

// tick is the finest time that stores must tell apart.
const tick = time.Millisecond

func at(d time.Duration) time.Time { return start.Add(d) }

// cancelled returns a context that is done.
func cancelled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// oddStrings are strings that careless storage confuses with one another: by a case-insensitive or
// accent-insensitive collation, by trimming, cutting, normalising, unquoted SQL or LIKE patterns. All of
// them are different names. None is longer than 128 bytes.
func oddStrings() []string {
	return []string{
		"a", "A", " a", "a ", " ", "\t", "a\n", "0", "00", "0.0", "null", "NULL", "-1",
		"\u00e9", "e\u0301", "\u00c9", "e", "\u00df", "ss", "\u212a", "k", "K", "\u0131", "i", "I",
		"'", "''", `"`, "`", `\`, `\\`, "'; DROP TABLE accounts; --", "$1", "?", ":a", "@a", "%", "_", "a%", "a_", "*", "{a}",
		"a\x00", "a\x00b", "\x00", "a\xff", "\xff", "\xc3\x28", "\u202ea", "\U0001f511", "a/b", "a|b", "../a",
		strings.Repeat("k", 127), strings.Repeat("k", 127) + "1", strings.Repeat("k", 127) + "2",
	}
}

// longStrings are strings of more than 200 bytes that differ only at the end.
func longStrings() []string {
	long := strings.Repeat("0123456789", 25)
	return []string{long, long + "a", long + "b", long + "A"}
}

// mayRefuse reports whether a store may refuse the string with an error: some databases have no text with
// NUL bytes or malformed UTF-8. Refusing is safe; taking it for another string is not.
func mayRefuse(s string) bool { return !utf8.ValidString(s) || slices.Contains([]byte(s), 0) }
