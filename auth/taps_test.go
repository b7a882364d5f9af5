package auth_test

import (
	"context"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// The taps wrap each port of the shell; see tap.

type tapDirectory struct {
	auth.Directory
	t *tap
}

func (d tapDirectory) FindByIdentifier(ctx context.Context, identifier string) (auth.Account, error) {
	return tapped(d.t, ctx, "Directory.FindByIdentifier", func() (auth.Account, error) { return d.Directory.FindByIdentifier(ctx, identifier) })
}

func (d tapDirectory) FindByID(ctx context.Context, id string) (auth.Account, error) {
	return tapped(d.t, ctx, "Directory.FindByID", func() (auth.Account, error) { return d.Directory.FindByID(ctx, id) })
}

func (d tapDirectory) Create(ctx context.Context, a auth.Account) error {
	return d.t.do(ctx, "Directory.Create", func() error { return d.Directory.Create(ctx, a) })
}

func (d tapDirectory) ChangeIdentifier(ctx context.Context, id, from, to, display string) error {
	return d.t.do(ctx, "Directory.ChangeIdentifier", func() error { return d.Directory.ChangeIdentifier(ctx, id, from, to, display) })
}

type tapAccounts struct {
	auth.AccountStore
	t *tap
}

func (a tapAccounts) Open(ctx context.Context, id string, status flow.Status, hash string, now time.Time) error {
	return a.t.do(ctx, "Accounts.Open", func() error { return a.AccountStore.Open(ctx, id, status, hash, now) })
}

func (a tapAccounts) State(ctx context.Context, id string) (auth.AccountState, error) {
	return tapped(a.t, ctx, "Accounts.State", func() (auth.AccountState, error) { return a.AccountStore.State(ctx, id) })
}

func (a tapAccounts) SetStatus(ctx context.Context, id string, from auth.Standing, to flow.Status, now time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	return tapped(a.t, ctx, "Accounts.SetStatus", func() (flow.Epochs, error) {
		return a.AccountStore.SetStatus(ctx, id, from, to, now, letters...)
	})
}

func (a tapAccounts) RaiseEpochs(ctx context.Context, id string, least flow.Epochs) (flow.Epochs, error) {
	return tapped(a.t, ctx, "Accounts.RaiseEpochs", func() (flow.Epochs, error) { return a.AccountStore.RaiseEpochs(ctx, id, least) })
}

func (a tapAccounts) Delete(ctx context.Context, id string) error {
	return a.t.do(ctx, "Accounts.Delete", func() error { return a.AccountStore.Delete(ctx, id) })
}

type tapPasswordStore struct {
	auth.PasswordStore
	t *tap
}

func (p tapPasswordStore) PasswordHash(ctx context.Context, id string) (string, error) {
	return tapped(p.t, ctx, "PasswordStore.PasswordHash", func() (string, error) { return p.PasswordStore.PasswordHash(ctx, id) })
}

func (p tapPasswordStore) ReplacePassword(ctx context.Context, id string, from flow.Epochs, hash string, end bool, now time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	return tapped(p.t, ctx, "PasswordStore.ReplacePassword", func() (flow.Epochs, error) {
		return p.PasswordStore.ReplacePassword(ctx, id, from, hash, end, now, letters...)
	})
}

func (p tapPasswordStore) Rehash(ctx context.Context, id, old, hash string) error {
	return p.t.do(ctx, "PasswordStore.Rehash", func() error { return p.PasswordStore.Rehash(ctx, id, old, hash) })
}

func (p tapPasswordStore) MarkCompromised(ctx context.Context, id string, now time.Time) (flow.Epochs, error) {
	return tapped(p.t, ctx, "PasswordStore.MarkCompromised", func() (flow.Epochs, error) { return p.PasswordStore.MarkCompromised(ctx, id, now) })
}

type tapFlows struct {
	auth.FlowStore
	t *tap
}

func (f tapFlows) CreateFlow(ctx context.Context, r auth.FlowRecord) error {
	return f.t.do(ctx, "Flows.Create", func() error { return f.FlowStore.CreateFlow(ctx, r) })
}

func (f tapFlows) LoadFlow(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error) {
	return tapped(f.t, ctx, "Flows.Load", func() (auth.FlowRecord, error) { return f.FlowStore.LoadFlow(ctx, id, now) })
}

func (f tapFlows) SaveFlow(ctx context.Context, r auth.FlowRecord) error {
	return f.t.do(ctx, "Flows.Save", func() error { return f.FlowStore.SaveFlow(ctx, r) })
}

type tapCounters struct {
	auth.Counters
	t *tap
}

func (c tapCounters) Take(ctx context.Context, b []auth.Bucket, now time.Time) (auth.Taken, error) {
	return tapped(c.t, ctx, "Counters.Take", func() (auth.Taken, error) { return c.Counters.Take(ctx, b, now) })
}

func (c tapCounters) Refund(ctx context.Context, b []auth.Bucket, now time.Time) error {
	return c.t.do(ctx, "Counters.Refund", func() error { return c.Counters.Refund(ctx, b, now) })
}

func (c tapCounters) Reset(ctx context.Context, keys ...string) error {
	return c.t.do(ctx, "Counters.Reset", func() error { return c.Counters.Reset(ctx, keys...) })
}

type tapPasswords struct {
	auth.Passwords
	t *tap
}

func (p tapPasswords) Verify(ctx context.Context, hash string, password auth.Secret, known bool) (bool, bool, error) {
	type answer struct{ match, upgrade bool }
	a, err := tapped(p.t, ctx, "Passwords.Verify", func() (a answer, err error) {
		a.match, a.upgrade, err = p.Passwords.Verify(ctx, hash, password, known)
		return a, err
	})
	return a.match, a.upgrade, err
}

func (p tapPasswords) Hash(ctx context.Context, password auth.Secret, known bool) (string, error) {
	return tapped(p.t, ctx, "Passwords.Hash", func() (string, error) { return p.Passwords.Hash(ctx, password, known) })
}

func (p tapPasswords) Review(ctx context.Context, password auth.Secret, about auth.PasswordContext) (auth.PasswordReview, error) {
	return tapped(p.t, ctx, "Passwords.Review", func() (auth.PasswordReview, error) { return p.Passwords.Review(ctx, password, about) })
}

type tapSessions struct {
	auth.Sessions
	t *tap
}

func (s tapSessions) Issue(ctx context.Context, r auth.SessionRequest, now time.Time) (auth.IssuedSession, error) {
	return tapped(s.t, ctx, "Sessions.Issue", func() (auth.IssuedSession, error) { return s.Sessions.Issue(ctx, r, now) })
}

func (s tapSessions) Authenticate(ctx context.Context, token auth.Secret, now time.Time) (auth.Session, error) {
	return tapped(s.t, ctx, "Sessions.Authenticate", func() (auth.Session, error) { return s.Sessions.Authenticate(ctx, token, now) })
}

func (s tapSessions) List(ctx context.Context, account string, now time.Time) ([]auth.Session, error) {
	return tapped(s.t, ctx, "Sessions.List", func() ([]auth.Session, error) { return s.Sessions.List(ctx, account, now) })
}

func (s tapSessions) End(ctx context.Context, account, id string) error {
	return s.t.do(ctx, "Sessions.End", func() error { return s.Sessions.End(ctx, account, id) })
}

func (s tapSessions) Align(ctx context.Context, account string, to auth.Standing) (auth.Standing, error) {
	return tapped(s.t, ctx, "Sessions.Align", func() (auth.Standing, error) { return s.Sessions.Align(ctx, account, to) })
}

func (s tapSessions) Raise(ctx context.Context, account string, from, to auth.Standing, keep string) error {
	return s.t.do(ctx, "Sessions.Raise", func() error { return s.Sessions.Raise(ctx, account, from, to, keep) })
}

type tapDevices struct {
	auth.Devices
	t *tap
}

func (d tapDevices) Known(cookie auth.Secret, account string, now time.Time) (known bool) {
	_ = d.t.do(context.Background(), "Devices.Known", func() error {
		known = d.Devices.Known(cookie, account, now)
		return nil
	})
	return known
}

func (d tapDevices) Remember(cookie auth.Secret, account string, now time.Time) (auth.Secret, error) {
	return tapped(d.t, context.Background(), "Devices.Remember", func() (auth.Secret, error) { return d.Devices.Remember(cookie, account, now) })
}

type tapTickets struct {
	auth.TicketStore
	t *tap
}

func (s tapTickets) AddTicket(ctx context.Context, k auth.Ticket, letters ...auth.Letter) error {
	return s.t.do(ctx, "Tickets.AddTicket", func() error { return s.TicketStore.AddTicket(ctx, k, letters...) })
}

func (s tapTickets) FindTicket(ctx context.Context, id string, now time.Time) (auth.Ticket, error) {
	return tapped(s.t, ctx, "Tickets.FindTicket", func() (auth.Ticket, error) { return s.TicketStore.FindTicket(ctx, id, now) })
}

func (s tapTickets) Reserved(ctx context.Context, identifier string, now time.Time) (bool, error) {
	return tapped(s.t, ctx, "Tickets.Reserved", func() (bool, error) { return s.TicketStore.Reserved(ctx, identifier, now) })
}

func (s tapTickets) CompleteRecovery(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	return tapped(s.t, ctx, "Tickets.CompleteRecovery", func() (flow.Epochs, error) { return s.TicketStore.CompleteRecovery(ctx, c) })
}

func (s tapTickets) CompleteActivation(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	return tapped(s.t, ctx, "Tickets.CompleteActivation", func() (flow.Epochs, error) { return s.TicketStore.CompleteActivation(ctx, c) })
}

func (s tapTickets) ChangeAddress(ctx context.Context, id string, from auth.Standing, undo auth.Ticket, letters ...auth.Letter) (flow.Epochs, error) {
	return tapped(s.t, ctx, "Tickets.ChangeAddress", func() (flow.Epochs, error) {
		return s.TicketStore.ChangeAddress(ctx, id, from, undo, letters...)
	})
}

func (s tapTickets) CompleteUndo(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	return tapped(s.t, ctx, "Tickets.CompleteUndo", func() (flow.Epochs, error) { return s.TicketStore.CompleteUndo(ctx, c) })
}

type tapAudit struct {
	auth.AuditSink
	t *tap
}

func (a tapAudit) Record(ctx context.Context, e auth.AuditEvent) error {
	return a.t.do(ctx, "Audit.Record", func() error { return a.AuditSink.Record(ctx, e) })
}

type tapFactors struct {
	auth.FactorStore
	t *tap
}

func (s tapFactors) Factors(ctx context.Context, account string) ([]auth.StoredFactor, error) {
	return tapped(s.t, ctx, "Factors.Factors", func() ([]auth.StoredFactor, error) { return s.FactorStore.Factors(ctx, account) })
}

func (s tapFactors) FindPasskey(ctx context.Context, handle string) (auth.StoredFactor, error) {
	return tapped(s.t, ctx, "Factors.FindPasskey", func() (auth.StoredFactor, error) { return s.FactorStore.FindPasskey(ctx, handle) })
}

func (s tapFactors) ChangeFactors(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
	return tapped(s.t, ctx, "Factors.ChangeFactors", func() (flow.Epochs, error) { return s.FactorStore.ChangeFactors(ctx, c) })
}

func (s tapFactors) UseFactor(ctx context.Context, account, id string, from, to int64, data string, now time.Time) error {
	return s.t.do(ctx, "Factors.UseFactor", func() error { return s.FactorStore.UseFactor(ctx, account, id, from, to, data, now) })
}

func (s tapFactors) ConsumeFactor(ctx context.Context, account, id, data string) error {
	return s.t.do(ctx, "Factors.ConsumeFactor", func() error { return s.FactorStore.ConsumeFactor(ctx, account, id, data) })
}

type tapActivity struct {
	auth.ActivityStore
	t *tap
}

func (a tapActivity) RecordActivity(ctx context.Context, e auth.Activity, keep int) error {
	return a.t.do(ctx, "Activity.Record", func() error { return a.ActivityStore.RecordActivity(ctx, e, keep) })
}

func (a tapActivity) ListActivity(ctx context.Context, account string, now time.Time, limit int) ([]auth.Activity, error) {
	return tapped(a.t, ctx, "Activity.List", func() ([]auth.Activity, error) { return a.ActivityStore.ListActivity(ctx, account, now, limit) })
}

type tapLinks struct {
	auth.LinkStore
	t *tap
}

func (s tapLinks) Links(ctx context.Context, account string) ([]auth.Link, error) {
	return tapped(s.t, ctx, "Links.Links", func() ([]auth.Link, error) { return s.LinkStore.Links(ctx, account) })
}

func (s tapLinks) FindLink(ctx context.Context, id string) (auth.Link, error) {
	return tapped(s.t, ctx, "Links.FindLink", func() (auth.Link, error) { return s.LinkStore.FindLink(ctx, id) })
}

func (s tapLinks) AddLink(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
	return tapped(s.t, ctx, "Links.AddLink", func() (flow.Epochs, error) { return s.LinkStore.AddLink(ctx, c) })
}

func (s tapLinks) RemoveLink(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
	return tapped(s.t, ctx, "Links.RemoveLink", func() (flow.Epochs, error) { return s.LinkStore.RemoveLink(ctx, c) })
}

func (s tapLinks) UseLink(ctx context.Context, account, id, email, name string, now time.Time) error {
	return s.t.do(ctx, "Links.UseLink", func() error { return s.LinkStore.UseLink(ctx, account, id, email, name, now) })
}

type tapProviderSessions struct {
	auth.ProviderSessionStore
	t *tap
}

func (s tapProviderSessions) AttachSession(ctx context.Context, list []auth.ProviderSession, now time.Time) error {
	return s.t.do(ctx, "ProviderSessions.AttachSession", func() error { return s.ProviderSessionStore.AttachSession(ctx, list, now) })
}

func (s tapProviderSessions) SessionsOf(ctx context.Context, key string, now time.Time) ([]auth.ProviderSession, error) {
	return tapped(s.t, ctx, "ProviderSessions.SessionsOf", func() ([]auth.ProviderSession, error) {
		return s.ProviderSessionStore.SessionsOf(ctx, key, now)
	})
}

func (s tapProviderSessions) EndSessions(ctx context.Context, key string, now, until time.Time) ([]auth.ProviderSession, error) {
	return tapped(s.t, ctx, "ProviderSessions.EndSessions", func() ([]auth.ProviderSession, error) {
		return s.ProviderSessionStore.EndSessions(ctx, key, now, until)
	})
}
