package auth_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/session"
)

const (
	ann      = "ann@example.com"
	stranger = "nobody@example.com"
	right    = "correct horse battery"
	wrong    = "incorrect horse battery"
	newer    = "an entirely new phrase"
	latest   = "the phrase after that"
	weak     = "weak"
)

var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// world is one installation over the memory store, with a tap on every port.
type world struct {
	t        testing.TB
	ctx      context.Context
	clock    *authtest.Clock
	store    *memory.Store
	sessions *session.Manager // without the tap
	pw       *passwords
	tap      *tap
	logs     *syncBuffer
	audit    *auditLog
	cfg      auth.Config
	browsers int
	*auth.Service
}

func newWorld(t testing.TB, change ...func(*auth.Config)) *world {
	t.Helper()
	w := &world{
		t: t, ctx: context.Background(), clock: authtest.NewClock(start), store: memory.New(),
		pw: &passwords{}, tap: &tap{}, logs: &syncBuffer{}, audit: &auditLog{},
	}
	keys := testKeys(t, "k1")
	var err error
	w.sessions, err = session.New(session.Config{Store: w.store})
	require.NoError(t, err)
	devices, err := session.NewDevices(session.DevicesConfig{Keys: keys})
	require.NoError(t, err)
	w.cfg = auth.Config{
		Keys: keys, Now: w.clock.Now,
		Directory: tapDirectory{w.store, w.tap}, Accounts: tapAccounts{w.store, w.tap},
		PasswordStore: tapPasswordStore{w.store, w.tap}, Flows: tapFlows{w.store, w.tap},
		Counters: tapCounters{w.store, w.tap}, Passwords: tapPasswords{w.pw, w.tap},
		Sessions: tapSessions{w.sessions, w.tap}, Devices: tapDevices{devices, w.tap},
		Audit:  tapAudit{w.audit, w.tap},
		Logger: slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Entry: func(ctx context.Context, _ string) (flow.Entry, error) {
			return tapped(w.tap, ctx, "Entry", func() (flow.Entry, error) {
				return flow.Entry{Methods: flow.MethodsOf(flow.Password)}, nil
			})
		},
		Rules: func(ctx context.Context, _ auth.Account) (flow.Rules, error) {
			return tapped(w.tap, ctx, "Rules", func() (flow.Rules, error) { return flow.Rules{}, nil })
		},
	}
	for _, c := range change {
		c(&w.cfg)
	}
	w.Service, err = auth.New(w.cfg)
	require.NoError(t, err)
	return w
}

func testKeys(t testing.TB, ids ...string) auth.Keys {
	t.Helper()
	var list []auth.Key
	for _, id := range ids {
		list = append(list, auth.Key{ID: id, Bytes: sha256.Sum256([]byte("test key " + id))})
	}
	keys, err := auth.NewKeys(list[0], list[1:]...)
	require.NoError(t, err)
	return keys
}

// account creates an active account with the right password.
func (w *world) account(email string) auth.Account {
	w.t.Helper()
	a, err := w.CreateAccount(w.ctx, auth.NewAccount{Identifier: email, Name: "Ann", Password: auth.NewSecret(right)})
	require.NoError(w.t, err)
	return a
}

// live returns the ids of the account's live sessions, past the tap.
func (w *world) live(account string) []string {
	list, err := w.sessions.List(context.Background(), account, w.clock.Now())
	require.NoError(w.t, err)
	ids := []string{}
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return ids
}

func (w *world) alive(token auth.Secret) bool {
	_, err := w.sessions.Authenticate(context.Background(), token, w.clock.Now())
	return err == nil
}

func (w *world) standing(account string) auth.Standing {
	state, err := w.store.State(context.Background(), account)
	require.NoError(w.t, err)
	return state.Standing
}

// mirror returns the standing as the sessions know it: news that are older than all change nothing.
func (w *world) mirror(account string) auth.Standing {
	known, err := w.sessions.Align(context.Background(), account, auth.Standing{})
	require.NoError(w.t, err)
	return known
}

// browser is one browser, which keeps its cookies as a real one does.
type browser struct {
	w       *world
	cookie  auth.Secret
	device  auth.Secret
	session auth.Secret
	addr    netip.Addr
	agent   string
	native  bool
}

// browser returns a new browser, without a session and known to nobody.
func (w *world) browser() *browser {
	w.browsers++
	return &browser{
		w: w, cookie: auth.NewSecret(fmt.Sprint("browser-cookie-", w.browsers)),
		addr: netip.MustParseAddr("192.0.2.7"), agent: "Firefox/140",
	}
}

func (b *browser) client() auth.Client {
	c := auth.Client{Browser: b.cookie, Device: b.device, Session: b.session, Address: b.addr, UserAgent: b.agent, Native: b.native}
	if b.native {
		c.Browser = auth.Secret{}
	}
	return c
}

// keep takes over the cookies of an answer.
func (b *browser) keep(p auth.Progress) {
	if p.Session != nil {
		b.session = p.Session.Token
	}
	if !p.Device.IsZero() {
		b.device = p.Device
	}
}

func (b *browser) begin(email string) (auth.Progress, error) {
	return b.w.Begin(b.w.ctx, auth.BeginRequest{Goal: flow.SignIn, Client: b.client(), Inputs: auth.Inputs{Identifier: email}})
}

func (b *browser) do(handle auth.Secret, action string, in auth.Inputs) (auth.Progress, error) {
	p, err := b.w.Continue(b.w.ctx, auth.ContinueRequest{Handle: handle, Action: action, Inputs: in, Client: b.client()})
	b.keep(p)
	return p, err
}

func (b *browser) password(handle auth.Secret, password string) (auth.Progress, error) {
	return b.do(handle, "password", auth.Inputs{Password: auth.NewSecret(password)})
}

// try begins a flow and hands in a password.
func (b *browser) try(email, password string) (auth.Progress, error) {
	p, err := b.begin(email)
	if err != nil {
		return p, err
	}
	return b.password(p.Handle, password)
}

// signIn is a sign-in that must succeed.
func (b *browser) signIn(email, password string) auth.IssuedSession {
	b.w.t.Helper()
	p, err := b.try(email, password)
	require.NoError(b.w.t, err)
	require.NotNil(b.w.t, p.Session, "%+v", p.View)
	require.Equal(b.w.t, "granted", p.View.Outcome)
	return *p.Session
}

// enrol begins a change of password.
func (b *browser) enrol() (auth.Progress, error) {
	return b.w.Begin(b.w.ctx, auth.BeginRequest{
		Goal: flow.Enrolment, Target: flow.Target{Enrol: flow.Password}, Client: b.client(),
	})
}

func (b *browser) change(old, next string, others bool) (auth.Progress, error) {
	p, err := b.enrol()
	if err != nil {
		return p, err
	}
	return b.do(p.Handle, "password", change(old, next, others))
}

func change(old, next string, others bool) auth.Inputs {
	return auth.Inputs{Password: auth.NewSecret(old), NewPassword: auth.NewSecret(next), EndOthers: others}
}

func refused(t testing.TB, err error, reason flow.Reason) {
	t.Helper()
	require.ErrorIs(t, err, flow.Deny(reason))
}

// reasonOf returns the refusal that a View shows, zero if none.
func reasonOf(p auth.Progress) flow.Reason {
	if p.View.Refusal == nil {
		return 0
	}
	return p.View.Refusal.Reason
}

// masked is an answer as an outsider compares it: without what is random, dated or typed.
func masked(t testing.TB, p auth.Progress, err error, typed string) map[string]any {
	t.Helper()
	text, fault := json.Marshal(p.View)
	require.NoError(t, fault)
	var v map[string]any
	require.NoError(t, json.Unmarshal(bytes.ReplaceAll(text, []byte(typed), []byte("ADDRESS")), &v))
	delete(v, "expires_at")
	v["has_flow"], v["has_handle"] = p.FlowID != "", !p.Handle.IsZero()
	v["session"], v["device"] = p.Session != nil, !p.Device.IsZero()
	v["return_to"], v["repeated"] = p.ReturnTo, p.Repeated
	v["deadline"] = p.ExpiresAt.Sub(start).String()
	if err != nil {
		v["error"] = err.Error()
	}
	return v
}

// passwords is a fast stand-in for package password. Hashes begin with "h1:", those due for an upgrade with "h0:".
type passwords struct {
	mu       sync.Mutex
	verified int
	busy     bool
	down     auth.PasswordReview // of passwords that are not too short
	during   func()              // runs once, in the middle of the next Verify
}

func hashOf(scheme, password string) string {
	sum := sha256.Sum256([]byte(password))
	return scheme + ":" + hex.EncodeToString(sum[:])
}

func (p *passwords) Verify(ctx context.Context, hash string, password auth.Secret, _ bool) (match, upgrade bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, false, err
	}
	p.mu.Lock()
	busy, during := p.busy, p.during
	p.during = nil
	if !busy {
		p.verified++
	}
	p.mu.Unlock()
	if busy {
		return false, false, flow.Deny(flow.Busy)
	}
	old := hash == hashOf("h0", password.Reveal())
	match = old || hash == hashOf("h1", password.Reveal())
	if during != nil {
		during()
	}
	return match, old, nil
}

func (p *passwords) Hash(ctx context.Context, password auth.Secret, _ bool) (string, error) {
	if p.isBusy() {
		return "", flow.Deny(flow.Busy)
	}
	return hashOf("h1", password.Reveal()), ctx.Err()
}

func (p *passwords) Review(ctx context.Context, password auth.Secret, about auth.PasswordContext) (auth.PasswordReview, error) {
	if len(password.Reveal()) < 8 || password.Reveal() == about.Identifier {
		return auth.PasswordReview{Problem: "too-short"}, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.down, ctx.Err()
}

func (*passwords) Lengths(bool) (int, int) { return 8, 64 }

func (p *passwords) isBusy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busy
}

func (p *passwords) setBusy(busy bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = busy
}

func (p *passwords) setDown(r auth.PasswordReview) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = r
}

func (p *passwords) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.verified
}

// meanwhile runs act in the middle of the next Verify.
func (p *passwords) meanwhile(act func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.during = act
}

type auditLog struct {
	mu     sync.Mutex
	events []auth.AuditEvent
}

func (a *auditLog) Record(_ context.Context, e auth.AuditEvent) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, e)
	return nil
}

// last returns the latest event of the kind.
func (a *auditLog) last(what string) (last auth.AuditEvent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.events {
		if e.What == what {
			last = e
		}
	}
	return last
}

func (a *auditLog) take() []auth.AuditEvent {
	a.mu.Lock()
	defer a.mu.Unlock()
	events := a.events
	a.events = nil
	return events
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// tap sees every call of a port, and may do something else in its place.
type tap struct {
	mu    sync.Mutex
	calls []string
	hook  func(ctx context.Context, n int, name string, work func() error) error
}

var errFault = errors.New("the disk is on fire")

func (t *tap) do(ctx context.Context, name string, work func() error) error {
	t.mu.Lock()
	t.calls = append(t.calls, name)
	n, hook := len(t.calls), t.hook
	t.mu.Unlock()
	if hook == nil {
		return work()
	}
	return hook(ctx, n, name, work)
}

func (t *tap) set(hook func(ctx context.Context, n int, name string, work func() error) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hook = hook
}

// take returns the calls since the last time.
func (t *tap) take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	calls := t.calls
	t.calls = nil
	return calls
}

// failOnce makes the next call of the port fail, after its work if worked is true.
func (t *tap) failOnce(port string, worked bool) {
	var once sync.Once
	t.set(func(_ context.Context, _ int, name string, work func() error) (err error) {
		hit := false
		if strings.HasPrefix(name, port) {
			once.Do(func() { hit = true })
		}
		if hit && !worked {
			return errFault
		}
		if err = work(); hit {
			err = errFault
		}
		return err
	})
}

func tapped[T any](t *tap, ctx context.Context, name string, work func() (T, error)) (T, error) {
	var v T
	err := t.do(ctx, name, func() (err error) {
		v, err = work()
		return err
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}
