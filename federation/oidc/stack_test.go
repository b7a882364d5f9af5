package oidc_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/federation"
	"github.com/cardea-auth/cardea/federation/oidc"
	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
	"github.com/cardea-auth/cardea/session"
)

// The tests on this stack run all of it: the service, its pages on a server of this machine, this relying party, and a
// provider that can be told to misbehave. The app is at "localhost" and the provider at "127.0.0.1": two sites, as in life.

const (
	stackClient = "cardea-app"
	// stackSecret has characters that client_secret_basic must encode.
	stackSecret = "s3cret+%7E/SENTINEL:x"
	rightPhrase = "correct horse battery"
	annsAddress = "ann@example.com"
	bobsAddress = "bob@example.com"
)

var (
	alice = oidctest.Person{
		Subject: "alice-at-op", Name: "Alice Example", Email: "alice@mail.example", EmailVerified: true, Phone: "+1 555 0100",
		GivenName: "Alice", FamilyName: "Example",
	}
	bert = oidctest.Person{Subject: "bert-at-op", Name: "Bert Example", Email: "bert@mail.example", EmailVerified: true}
)

// newOP starts a provider where Alice is signed in.
func newOP(t testing.TB, bends ...func(*oidctest.Config)) *oidctest.Provider {
	t.Helper()
	c := oidctest.Config{People: []oidctest.Person{alice, bert}, Delay: 300 * time.Millisecond}
	for _, bend := range bends {
		bend(&c)
	}
	return oidctest.Start(t, c)
}

// stack is an installation.
type stack struct {
	t       testing.TB
	op      *oidctest.Provider // of the provider "acme"
	origin  string
	store   *memory.Store
	svc     *auth.Service
	audit   *trail
	logs    *lockedBuffer
	handler atomic.Pointer[http.Handler]
	ann     auth.Account
	// patience is how long a provider may take.
	patience time.Duration
}

// newStack starts an installation where Ann has an account that is connected with nothing.
func newStack(t testing.TB, op *oidctest.Provider) *stack {
	t.Helper()
	s := &stack{t: t, op: op, store: memory.New(), audit: &trail{}, logs: &lockedBuffer{}, patience: 2 * time.Second}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.handler.Load()).ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	s.origin = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	s.restart(s.rp("acme", op))
	s.ann = s.account(annsAddress)
	return s
}

// connected starts an installation where Ann's account is connected with Alice at acme.
func connected(t testing.TB, op *oidctest.Provider) *stack {
	t.Helper()
	s := newStack(t, op)
	b := s.surfer()
	b.password(annsAddress)
	b.connect("acme")
	require.Len(t, s.links(s.ann), 1)
	return s
}

func (s *stack) account(address string) auth.Account {
	s.t.Helper()
	a, err := s.svc.CreateAccount(s.t.Context(), auth.NewAccount{Identifier: address, Name: "Somebody", Password: auth.NewSecret(rightPhrase)})
	require.NoError(s.t, err)
	return a
}

// rp is a relying party of the provider, as the conformance suite registers one, whose caches are empty. The provider
// comes to know it.
func (s *stack) rp(id string, op *oidctest.Provider, bends ...func(*oidc.Config)) *oidc.Provider {
	s.t.Helper()
	callbacks := s.origin + "/auth/provider/" + id
	op.Register(oidctest.Client{
		ID: stackClient, Secret: stackSecret, AuthMethod: "client_secret_basic", IDTokenAlg: oidctest.RS256,
		RedirectURIs: []string{callbacks + "/callback"}, PostLogoutRedirectURIs: []string{s.origin + "/auth/signed-out"},
		BackChannelLogoutURI: callbacks + "/logout",
	})
	c := oidc.Config{
		Info:   auth.ProviderInfo{ID: id, Name: strings.ToUpper(id), Reauthenticates: true},
		Issuer: op.Issuer(), ClientID: stackClient, ClientSecret: auth.NewSecret(stackSecret),
		ClientAuth: oidc.ClientSecretBasic, Algorithms: []string{"RS256"}, UserInfo: oidc.UserInfoAlways,
		Scopes: []string{"openid", "email", "profile", "address", "phone"}, HTTP: federation.ClientConfig{Development: true},
	}
	for _, bend := range bends {
		bend(&c)
	}
	p, err := oidc.New(c)
	require.NoError(s.t, err)
	return p
}

// restart takes up the installation with these providers. What is stored stays.
func (s *stack) restart(providers ...auth.Provider) {
	s.t.Helper()
	keys, err := auth.NewKeys(auth.Key{ID: "k1", Bytes: sha256.Sum256([]byte("a key for tests"))})
	require.NoError(s.t, err)
	sessions, err := session.New(session.Config{Store: s.store})
	require.NoError(s.t, err)
	devices, err := session.NewDevices(session.DevicesConfig{Keys: keys})
	require.NoError(s.t, err)
	logger := slog.New(slog.NewJSONHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.svc, err = auth.New(auth.Config{
		Keys: keys, Directory: s.store, Accounts: s.store, PasswordStore: s.store, Flows: s.store, Counters: s.store,
		Passwords: plainPasswords{}, Sessions: sessions, Devices: devices, Activity: s.store, Audit: s.audit, Logger: logger,
		Providers: providers, Links: s.store, ProviderSessions: s.store, Callbacks: s.origin + "/auth/provider/",
		ProviderTimeout: s.patience, DefaultReturnTo: "/home", Throttle: auth.Throttle{BeginCap: 10000},
		Rules: func(context.Context, auth.Account) (flow.Rules, error) { return flow.Rules{}, nil },
	})
	require.NoError(s.t, err)
	pages, err := authhttp.New(authhttp.Config{
		Service: s.svc, Keys: keys, Origin: s.origin, Product: "Test", InsecureCookiesForLoopback: true, Logger: logger,
	})
	require.NoError(s.t, err)
	mux := http.NewServeMux()
	mux.Handle("/auth/", pages)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("the app at " + r.URL.Path)) })
	var h http.Handler = mux
	s.handler.Store(&h)
}

// live are the ids of the account's sessions.
func (s *stack) live(a auth.Account) []string {
	s.t.Helper()
	list, err := s.svc.Sessions(context.Background(), auth.Session{Account: a.ID})
	require.NoError(s.t, err)
	ids := []string{}
	for _, one := range list {
		ids = append(ids, one.ID)
	}
	return ids
}

func (s *stack) links(a auth.Account) []auth.Link {
	s.t.Helper()
	list, err := s.store.Links(context.Background(), a.ID)
	require.NoError(s.t, err)
	return list
}

// trail keeps what was audited.
type trail struct {
	mu     sync.Mutex
	events []auth.AuditEvent
}

func (a *trail) Record(_ context.Context, e auth.AuditEvent) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, e)
	return nil
}

// take returns what was audited since the last time.
func (a *trail) take() []auth.AuditEvent {
	a.mu.Lock()
	defer a.mu.Unlock()
	events := a.events
	a.events = nil
	return events
}

// reasons are the details of the events that refuse something: a provider's id and a code.
func reasons(events []auth.AuditEvent) (list []string) {
	for _, e := range events {
		if e.Reason != "" && e.Detail != "" {
			list = append(list, e.Detail)
		}
	}
	return list
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// plainPasswords is a fast stand-in for package password.
type plainPasswords struct{}

func (plainPasswords) Verify(_ context.Context, hash string, password auth.Secret, _ bool) (match, upgrade bool, err error) {
	return hash == plainHash(password), false, nil
}

func (plainPasswords) Hash(_ context.Context, password auth.Secret, _ bool) (string, error) {
	return plainHash(password), nil
}

func (plainPasswords) Review(context.Context, auth.Secret, auth.PasswordContext) (auth.PasswordReview, error) {
	return auth.PasswordReview{}, nil
}

func (plainPasswords) Lengths(bool) (shortest, longest int) { return 8, 64 }

func plainHash(password auth.Secret) string {
	sum := sha256.Sum256([]byte(password.Reveal()))
	return hex.EncodeToString(sum[:])
}
