package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/auth/store/sqlstore"
	"github.com/cardea-auth/cardea/password"
	"github.com/cardea-auth/cardea/session"
)

// BenchmarkMemory is a signed-in request where sessions are in memory, or, with gorilla, in the cookie.
func BenchmarkMemory(b *testing.B) {
	floor := inMemory()
	b.Run("cardea", func(b *testing.B) { versus(b, cardea(b, memory.New()), floor) })
	b.Run("scs", func(b *testing.B) { versus(b, scsSide(b, memstore.NewWithCleanupInterval(0)), floor) })
	b.Run("gorilla", func(b *testing.B) { versus(b, gorilla(b), floor) })
}

// BenchmarkSQLite is the same where sessions are in an SQLite file.
func BenchmarkSQLite(b *testing.B) {
	floor := inSQLite(b)
	b.Run("cardea", func(b *testing.B) {
		store, err := sqlstore.OpenSQLite(b.Context(), "sqlite", filepath.Join(b.TempDir(), "cardea.db"), sqlstore.Options{})
		require.NoError(b, err)
		defer func() { require.NoError(b, store.Close()) }()
		versus(b, cardea(b, store), floor)
	})
	b.Run("scs", func(b *testing.B) {
		db := openDatabase(b)
		_, err := db.Exec(`CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL)`)
		require.NoError(b, err)
		versus(b, scsSide(b, sqlite3store.NewWithCleanupInterval(db, 0)), floor)
	})
}

// store is every store of Cardea in one.
type store interface {
	auth.Directory
	auth.AccountStore
	auth.PasswordStore
	auth.FlowStore
	auth.Counters
	session.Store
}

// cardea is a whole installation, as in examples/byhand, and somebody who is kept signed in.
func cardea(b *testing.B, s store) side {
	b.Helper()
	master := auth.Key{ID: "k1"}
	rand.Read(master.Bytes[:])
	keys, err := auth.NewKeys(master)
	require.NoError(b, err)
	passwords, err := password.New(password.Config{})
	require.NoError(b, err)
	manager, err := session.New(session.Config{Store: s})
	require.NoError(b, err)
	devices, err := session.NewDevices(session.DevicesConfig{Keys: keys})
	require.NoError(b, err)
	service, err := auth.New(auth.Config{
		Keys: keys, Directory: s, Accounts: s, PasswordStore: s, Flows: s, Counters: s,
		Passwords: passwords, Sessions: manager, Devices: devices,
	})
	require.NoError(b, err)
	site, err := authhttp.New(authhttp.Config{Service: service, Keys: keys, Origin: "https://app.example", Product: "Bench"})
	require.NoError(b, err)
	now := time.Now()
	issued, err := manager.Issue(b.Context(), issueTo(account, now), now)
	require.NoError(b, err)
	return side{
		guard: site.Require,
		who: func(r *http.Request) string {
			s, _ := authhttp.SessionFrom(r.Context())
			return s.Account
		},
		cookie: "__Host-cardea-session=" + issued.Token.Reveal() + "." + strconv.FormatInt(now.Unix()/86400, 10),
	}
}

func issueTo(account string, now time.Time) auth.SessionRequest {
	return auth.SessionRequest{
		Account: account, Standing: auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 1, Session: 1}},
		Proofs: []flow.Proof{{Method: flow.Password, At: now, Account: account}}, Assurance: flow.AAL1, Keep: true,
		Client: auth.Client{Address: netip.MustParseAddr("203.0.113.7"), UserAgent: agent},
	}
}

// What the sessions of the others hold: the account, and what their owner would recognise the session by.
const accountKey, agentKey, methodKey, createdKey = "account", "agent", "method", "created"

func newSCS(s scs.Store) *scs.SessionManager {
	m := scs.New()
	m.Store, m.Lifetime, m.HashTokenInStore = s, 30*24*time.Hour, true
	return m
}

// commitSCS makes a session and returns its token.
func commitSCS(b *testing.B, m *scs.SessionManager, account string) string {
	ctx, err := m.Load(context.Background(), "")
	require.NoError(b, err)
	m.Put(ctx, accountKey, account)
	m.Put(ctx, agentKey, agent)
	m.Put(ctx, methodKey, "password")
	m.Put(ctx, createdKey, time.Now().UnixMicro())
	token, _, err := m.Commit(ctx)
	require.NoError(b, err)
	return token
}

func scsSide(b *testing.B, s scs.Store) side {
	b.Helper()
	m := newSCS(s)
	return side{
		guard: func(next http.Handler) http.Handler {
			return m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if m.GetString(r.Context(), accountKey) == "" {
					http.Error(w, "sign in", http.StatusUnauthorized)
					return
				}
				next.ServeHTTP(w, r)
			}))
		},
		who:    func(r *http.Request) string { return m.GetString(r.Context(), accountKey) },
		cookie: m.Cookie.Name + "=" + commitSCS(b, m, account),
	}
}

func gorilla(b *testing.B) side {
	b.Helper()
	const name = "session"
	var signing [64]byte
	rand.Read(signing[:])
	s := sessions.NewCookieStore(signing[:])
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "https://app.example/", nil)
	made, err := s.New(r, name)
	require.NoError(b, err)
	made.Values[accountKey], made.Values[agentKey], made.Values[methodKey] = account, agent, "password"
	made.Values[createdKey] = time.Now().UnixMicro()
	require.NoError(b, made.Save(r, w))
	c := w.Result().Cookies()[0]
	who := func(r *http.Request) string {
		found, _ := s.Get(r, name)
		text, _ := found.Values[accountKey].(string)
		return text
	}
	return side{
		guard: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r = r.WithContext(r.Context()) // gorilla keeps what it decoded under the request: each is a new one
				if who(r) == "" {
					http.Error(w, "sign in", http.StatusUnauthorized)
					return
				}
				next.ServeHTTP(w, r)
			})
		},
		who:    who,
		cookie: c.Name + "=" + c.Value,
	}
}

// BenchmarkHeap is what a thousand sessions of as many accounts hold of the heap, in bytes for each.
func BenchmarkHeap(b *testing.B) {
	b.Run("cardea", func(b *testing.B) {
		store := memory.New()
		manager, err := session.New(session.Config{Store: store})
		require.NoError(b, err)
		heap(b, store, func(n int) {
			now := time.Now()
			_, err := manager.Issue(b.Context(), issueTo(accountID(n), now), now)
			require.NoError(b, err)
		})
	})
	b.Run("scs", func(b *testing.B) {
		m := newSCS(memstore.NewWithCleanupInterval(0))
		heap(b, m, func(n int) { commitSCS(b, m, accountID(n)) })
	})
}

// accountID is a random-looking id of usual length.
func accountID(n int) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	return "acct-" + strconv.FormatUint(binary.BigEndian.Uint64(sum[:]), 36)
}

func heap(b *testing.B, holder any, create func(n int)) {
	const each = 1000
	before := heapInUse()
	for n := range b.N * each {
		create(n)
	}
	b.ReportMetric((heapInUse()-before)/float64(b.N*each), "B/session")
	runtime.KeepAlive(holder)
}

func heapInUse() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
