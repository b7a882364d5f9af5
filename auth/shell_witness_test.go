package auth_test

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// The witnesses wrap each port once more, and tell the ledger what passed. A request travels in the context.

type requestKey struct{}

func requestIn(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// witnessed puts a witness before every port.
func (l *ledger) witnessed(c *auth.Config) {
	c.Directory = witnessDirectory{c.Directory, l}
	c.Accounts = witnessAccounts{c.Accounts, l}
	c.PasswordStore = witnessPasswordStore{c.PasswordStore, l}
	c.Flows = witnessFlows{c.Flows, l}
	c.Counters = witnessCounters{c.Counters, l}
	c.Passwords = witnessPasswords{c.Passwords, l}
	c.Sessions = witnessSessions{c.Sessions, l}
	c.Audit = witnessAudit{c.Audit, l}
	c.Letters, c.Tickets = witnessLetters{c.Letters, l}, witnessTickets{c.Tickets, l}
	l.watches(c)
	c.Logger = slog.New(witnessLog{slog.DiscardHandler, l})
}

type witnessDirectory struct {
	auth.Directory
	l *ledger
}

func (d witnessDirectory) FindByIdentifier(ctx context.Context, identifier string) (auth.Account, error) {
	account, err := d.Directory.FindByIdentifier(ctx, identifier)
	if r := requestIn(ctx); r != nil {
		d.l.found(r, identifier, account.ID)
	}
	return account, err
}

func (d witnessDirectory) Create(ctx context.Context, a auth.Account) error {
	err := d.Directory.Create(ctx, a)
	if r := requestIn(ctx); r != nil && err == nil {
		d.l.wrote(ctx, "create account")
		d.l.listed(r, a)
	}
	return err
}

func (d witnessDirectory) ChangeIdentifier(ctx context.Context, id, from, to, display string) error {
	err := d.Directory.ChangeIdentifier(ctx, id, from, to, display)
	if err == nil {
		d.l.wrote(ctx, "address")
		d.l.moved(requestIn(ctx), id, from, to)
	}
	return err
}

type witnessAccounts struct {
	auth.AccountStore
	l *ledger
}

func (a witnessAccounts) State(ctx context.Context, id string) (auth.AccountState, error) {
	state, err := a.AccountStore.State(ctx, id)
	if r := requestIn(ctx); r != nil && r.looked == 0 {
		r.looked = a.l.tick()
	}
	return state, err
}

func (a witnessAccounts) Open(ctx context.Context, id string, status flow.Status, hash string, now time.Time) error {
	err := a.AccountStore.Open(ctx, id, status, hash, now)
	if r := requestIn(ctx); r != nil && err == nil {
		a.l.wrote(ctx, "open account")
		a.l.opened(r, id, status, hash)
	}
	return err
}

func (a witnessAccounts) SetStatus(ctx context.Context, id string, from auth.Standing, to flow.Status, now time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	epochs, err := a.AccountStore.SetStatus(ctx, id, from, to, now, letters...)
	if err == nil {
		a.l.wrote(ctx, "status")
		p := a.l.people[id]
		p.status, a.l.shaken[id] = to, true
		p.due = to == flow.Locked || p.due && to != flow.Active
	}
	return epochs, err
}

func (a witnessAccounts) RaiseEpochs(ctx context.Context, id string, least flow.Epochs) (flow.Epochs, error) {
	epochs, err := a.AccountStore.RaiseEpochs(ctx, id, least)
	if err == nil {
		a.l.wrote(ctx, "epochs")
		a.l.post.vague[id] = a.l.tick()
	}
	return epochs, err
}

func (a witnessAccounts) Delete(ctx context.Context, id string) error {
	err := a.AccountStore.Delete(ctx, id)
	if p := a.l.people[id]; err == nil && p != nil {
		a.l.wrote(ctx, "delete")
		p.deleted = true
		for _, x := range a.l.heldBy(id) {
			x.gone = true
		}
	}
	return err
}

type witnessPasswordStore struct {
	auth.PasswordStore
	l *ledger
}

func (p witnessPasswordStore) ReplacePassword(ctx context.Context, id string, from flow.Epochs, hash string, end bool, now time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	epochs, err := p.PasswordStore.ReplacePassword(ctx, id, from, hash, end, now, letters...)
	if err == nil {
		p.l.wrote(ctx, "password")
		p.l.changed(requestIn(ctx), id, hash, end)
	}
	return epochs, err
}

func (p witnessPasswordStore) Rehash(ctx context.Context, id, old, hash string) error {
	err := p.PasswordStore.Rehash(ctx, id, old, hash)
	if err == nil {
		p.l.wrote(ctx, "rehash")
		if hash != hashOf("h1", p.l.people[id].password) {
			p.l.fail("a new hash of another password")
		}
	}
	return err
}

func (p witnessPasswordStore) MarkCompromised(ctx context.Context, id string, now time.Time) (flow.Epochs, error) {
	epochs, err := p.PasswordStore.MarkCompromised(ctx, id, now)
	if err == nil {
		p.l.wrote(ctx, "mark")
		p.l.people[id].compromised = true
	}
	return epochs, err
}

type witnessFlows struct {
	auth.FlowStore
	l *ledger
}

func (f witnessFlows) CreateFlow(ctx context.Context, r auth.FlowRecord) error {
	err := f.FlowStore.CreateFlow(ctx, r)
	if err == nil {
		f.l.wrote(ctx, "create flow")
		f.l.created(requestIn(ctx), r)
	}
	return err
}

func (f witnessFlows) LoadFlow(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error) {
	rec, err := f.FlowStore.LoadFlow(ctx, id, now)
	if r := requestIn(ctx); r != nil && err == nil {
		r.loaded = rec.Version
		if facts := f.l.flows[id]; facts != nil {
			r.about, r.had = facts.whom, facts.proof
		}
	}
	return rec, err
}

func (f witnessFlows) SaveFlow(ctx context.Context, r auth.FlowRecord) error {
	err := f.FlowStore.SaveFlow(ctx, r)
	if err == nil {
		f.l.wrote(ctx, "save flow")
		f.l.saved(requestIn(ctx), r)
	}
	return err
}

type witnessCounters struct {
	auth.Counters
	l *ledger
}

func (c witnessCounters) Take(ctx context.Context, b []auth.Bucket, now time.Time) (auth.Taken, error) {
	taken, err := c.Counters.Take(ctx, b, now)
	switch r := requestIn(ctx); {
	case strings.HasPrefix(b[0].Key, "review|"), strings.HasPrefix(b[0].Key, "new-device|"):
		return taken, err // the ledger keeps no count of reviews and notices; no arena has as many reviews as are allowed
	case strings.HasPrefix(b[0].Key, "mail"):
		if err == nil {
			c.l.paid(r, taken.OK)
		}
		return taken, err
	}
	if r := requestIn(ctx); err == nil && r.deed.begins() {
		c.l.admitted(r, taken.OK)
	} else if err == nil {
		c.l.took(r, taken.OK)
	}
	return taken, err
}

func (c witnessCounters) Refund(ctx context.Context, b []auth.Bucket, now time.Time) error {
	err := c.Counters.Refund(ctx, b, now)
	if err == nil {
		c.l.gaveBack(requestIn(ctx), false)
	}
	return err
}

func (c witnessCounters) Reset(ctx context.Context, keys ...string) error {
	err := c.Counters.Reset(ctx, keys...)
	if err == nil {
		c.l.gaveBack(requestIn(ctx), true)
	}
	return err
}

type witnessPasswords struct {
	auth.Passwords
	l *ledger
}

func (p witnessPasswords) Verify(ctx context.Context, hash string, password auth.Secret, known bool) (bool, bool, error) {
	r := requestIn(ctx)
	if r.deed.busy {
		return false, false, flow.Deny(flow.Busy)
	}
	p.l.checked(r, password.Reveal())
	return p.Passwords.Verify(ctx, hash, password, known)
}

func (p witnessPasswords) Hash(ctx context.Context, password auth.Secret, known bool) (string, error) {
	if r := requestIn(ctx); r != nil && r.deed.busy {
		return "", flow.Deny(flow.Busy)
	}
	return p.Passwords.Hash(ctx, password, known)
}

type witnessSessions struct {
	auth.Sessions
	l *ledger
}

func (s witnessSessions) Issue(ctx context.Context, q auth.SessionRequest, now time.Time) (auth.IssuedSession, error) {
	issued, err := s.Sessions.Issue(ctx, q, now)
	if err == nil {
		s.l.wrote(ctx, "issue")
		s.l.granted(requestIn(ctx), issued)
	}
	return issued, err
}

func (s witnessSessions) Authenticate(ctx context.Context, token auth.Secret, now time.Time) (auth.Session, error) {
	shown := s.l.byToken(token)
	dead := shown != nil && s.l.dead(shown, now) // as of now: it may end while it is looked at
	found, err := s.Sessions.Authenticate(ctx, token, now)
	s.l.authenticated(shown, dead, now, found.ID, err)
	return found, err
}

func (s witnessSessions) End(ctx context.Context, account, id string) error {
	err := s.Sessions.End(ctx, account, id)
	if err == nil {
		s.l.wrote(ctx, "end")
		s.l.ended(requestIn(ctx), id)
	}
	return err
}

func (s witnessSessions) Raise(ctx context.Context, account string, from, to auth.Standing, keep string) error {
	err := s.Sessions.Raise(ctx, account, from, to, keep)
	if err == nil {
		s.l.wrote(ctx, "raise")
		s.l.raised(requestIn(ctx), account)
	}
	return err
}

type witnessAudit struct {
	auth.AuditSink
	l *ledger
}

func (a witnessAudit) Record(ctx context.Context, e auth.AuditEvent) error {
	if r := requestIn(ctx); e.What == flow.SessionGranted.String() {
		r.granted++
		if r.issued == nil || e.Session != r.issued.id || e.Account != r.issued.account {
			a.l.fail("the audit trail names a session that was not issued: %+v", e)
		}
	}
	return a.AuditSink.Record(ctx, e)
}

// witnessLog takes any fault for a problem: no port fails here unless it was made to.
type witnessLog struct {
	slog.Handler
	l *ledger
}

func (witnessLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

func (w witnessLog) Handle(_ context.Context, record slog.Record) error {
	text := record.Message
	record.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	w.l.fail("a fault without a cause: %s", text)
	return nil
}

// tapSessionStore lets other requests run inside the sessions' own steps.
type tapSessionStore struct {
	session.Store
	t *tap
}

func (s tapSessionStore) CreateSession(ctx context.Context, r session.Record, expect auth.Standing, o session.CreateOptions) error {
	return s.t.do(ctx, "SessionStore.Create", func() error { return s.Store.CreateSession(ctx, r, expect, o) })
}

func (s tapSessionStore) FindSession(ctx context.Context, hash [32]byte) (session.Record, auth.Standing, error) {
	var standing auth.Standing
	r, err := tapped(s.t, ctx, "SessionStore.Find", func() (r session.Record, err error) {
		r, standing, err = s.Store.FindSession(ctx, hash)
		return r, err
	})
	return r, standing, err
}

func (s tapSessionStore) TouchSession(ctx context.Context, hash [32]byte, seen, expires time.Time) error {
	return s.t.do(ctx, "SessionStore.Touch", func() error { return s.Store.TouchSession(ctx, hash, seen, expires) })
}
