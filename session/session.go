// Package session issues sessions, checks them at every request and ends them; it also recognises browsers
// that signed in before, and keeps which of them people chose to trust.
//
// A [Manager] implements auth.Sessions over a [Store], and [Devices] implements auth.Devices over nothing
// but a cookie; [TrustedDevices] implements auth.TrustedDevices over that cookie and a [TrustStore]. Start with
// [New], [NewDevices] and [NewTrustedDevices]; a host supplies the stores (auth/store has several, and
// auth/authtest has a kit that checks a store of its own) and the keys.
//
// A session is an opaque token of 256 random bits. The store keeps its SHA-256 only, so that a copy of the
// database opens no session (ASVS 7.2.3), and nothing but [Manager.Issue] ever returns a token. A native
// client's token begins with auth.NativeSessionMark, which is hashed along: no token can be carried from a
// cookie into an Authorization header, or back.
//
// A session has two limits. The idle limit slides with use. The absolute limit counts from when its owner
// last really signed in and never slides (ASVS 7.3.2): a stolen session does not live for ever by being used.
// "Keep me signed in" is the same session with longer limits, for which the policy report gives a reason.
//
// Every request reads the store once, and that read brings the account's standing along: "end all
// sessions" and "close this account" each write one row, whatever number of sessions they end. Whatever
// the store fails to answer is denied.
//
// Signing in and step-up make a new session and end the old one in one act, so that a token seen before a
// change of level is worth nothing after it (ASVS 7.2.4). What replaces a session carries its "keep me
// signed in" on, and its absolute limit too, unless the whole sign-in was done anew.
//
// What this package does not do: it sets no cookies (auth/authhttp does), it decides about no proof
// (auth/flow does), it caches nothing, and it starts no goroutine.
//
// A Manager, Devices and TrustedDevices are safe for concurrent use.
package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// Config is what a Manager is made from. New copies it.
type Config struct {
	// Store is required.
	Store Store
	// Plain bounds sessions without "keep me signed in". Zero fields mean 12 hours idle, 7 days in all.
	Plain Lifetime
	// Keep bounds sessions with it. Zero fields mean 30 days idle, 365 days in all.
	Keep Lifetime
	// MaxPerAccount is how many live sessions an account may have. Zero means any number.
	MaxPerAccount int
	// EvictOldest ends the session that was created first to make room for another. If it is false, a
	// sign-in at the limit is refused.
	EvictOldest bool
	// Random is the source of tokens and ids; nil means crypto/rand.Reader. It may be read concurrently.
	Random io.Reader
	// Logger receives faults that no caller is told of. Nil discards.
	Logger *slog.Logger
}

// Manager issues and checks sessions. It is safe for concurrent use. Make one with New.
type Manager struct {
	store  Store
	limits Limits
	random io.Reader
	log    *slog.Logger
}

var _ auth.Sessions = (*Manager)(nil)

// New returns a Manager, or an error that names every problem of the configuration at once.
func New(cfg Config) (*Manager, error) {
	var problems []error
	if cfg.Store == nil {
		problems = append(problems, errors.New("Store is required"))
	}
	limits := limitsOf(cfg)
	problems = append(problems, limits.problems()...)
	if len(problems) > 0 {
		return nil, fmt.Errorf("session: invalid Config:\n%w", errors.Join(problems...))
	}
	m := &Manager{store: cfg.Store, limits: limits, random: cfg.Random, log: cfg.Logger}
	if m.random == nil {
		m.random = rand.Reader
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	return m, nil
}

// Limits returns the limits in force.
func (m *Manager) Limits() Limits { return m.limits }

// MaxListed is how many sessions List returns at most. Whoever collects sessions, by a script that signs in
// for each request, must not make a page of them cost more than that.
const MaxListed = 100

// List returns the account's live sessions, the last seen first, and at most MaxListed of them. None is
// marked as the current one, and none holds a token.
func (m *Manager) List(ctx context.Context, account string, now time.Time) ([]auth.Session, error) {
	records, err := m.store.ListSessions(ctx, account, now, MaxListed)
	if err != nil {
		return nil, fmt.Errorf("session: list: %w", err)
	}
	list := make([]auth.Session, 0, len(records))
	for i := range records {
		list = append(list, sessionOf(&records[i]))
	}
	return list, nil
}

// End ends one session of the account. An unknown one, and one of another account, is auth.ErrNotFound.
func (m *Manager) End(ctx context.Context, account, session string) error {
	if err := m.store.EndSession(ctx, account, session); err != nil {
		return fmt.Errorf("session: end: %w", err)
	}
	return nil
}

// Align brings the account's standing as the sessions know it up to s, and returns it as it is then known.
// Sessions of an older session epoch end. It keeps none: of two callers that align to the same height, neither
// would learn that it came second. Raise tells them.
func (m *Manager) Align(ctx context.Context, account string, s auth.Standing) (auth.Standing, error) {
	known, err := m.store.AlignStanding(ctx, account, s)
	if err != nil {
		return auth.Standing{}, fmt.Errorf("session: align: %w", err)
	}
	return known, nil
}

// Raise replaces the account's standing as the sessions know it, if that is exactly from, by to. Else it
// returns auth.ErrStale, and nothing changes: of two callers that saw the same standing, one wins. Sessions
// of an older session epoch end, but for the one whose id is in keep, which goes on; if it is not of the
// session epoch in from, that is auth.ErrStale too. A to with a lower epoch than from, or with none that is
// higher, is a fault.
func (m *Manager) Raise(ctx context.Context, account string, from, to auth.Standing, keep string) error {
	if err := m.store.RaiseStanding(ctx, account, from, to, keep); err != nil {
		return fmt.Errorf("session: raise: %w", err)
	}
	return nil
}

// SweepSessions deletes at most limit sessions that ended by now and returns how many.
func (m *Manager) SweepSessions(ctx context.Context, now time.Time, limit int) (int, error) {
	n, err := m.store.SweepSessions(ctx, now, limit)
	if err != nil {
		return n, fmt.Errorf("session: sweep: %w", err)
	}
	return n, nil
}

// sessionOf leaves out the hash and everything else that is of use to the store alone.
func sessionOf(r *Record) auth.Session {
	return auth.Session{
		ID: r.ID, Account: r.Account, CreatedAt: r.CreatedAt, AuthenticatedAt: r.AuthenticatedAt, SeenAt: r.SeenAt,
		ExpiresAt: r.ExpiresAt, EndsAt: r.EndsAt, Keep: r.Keep, Proofs: r.Proofs, Assurance: r.Assurance, UserAgent: r.UserAgent, Prefix: r.Prefix,
	}
}
