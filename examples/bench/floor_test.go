package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

// held is what the floor keeps of a session, and key where a handler finds it.
type (
	held struct {
		account, agent     string
		created, seen, end time.Time
	}
	key struct{}
)

const floorCookie = "__Host-session"

// floorSide signs somebody in at a site written by hand: the cookie's SHA-256, a lookup, and the session in the
// request's context.
func floorSide(token string, find func(context.Context, [32]byte) (held, bool)) side {
	return side{
		cookie: floorCookie + "=" + token,
		who: func(r *http.Request) string {
			s, _ := r.Context().Value(key{}).(held)
			return s.account
		},
		guard: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := r.Cookie(floorCookie)
				if err != nil {
					http.Error(w, "sign in", http.StatusUnauthorized)
					return
				}
				s, ok := find(r.Context(), sha256.Sum256([]byte(c.Value)))
				if !ok || !time.Now().Before(s.end) {
					http.Error(w, "sign in", http.StatusUnauthorized)
					return
				}
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, s)))
			})
		},
	}
}

func newToken() string {
	var raw [32]byte
	rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// inMemory is the floor over a sharded map.
func inMemory() side {
	var shards [64]struct {
		sync.RWMutex
		sessions map[[32]byte]held
		_        [32]byte
	}
	token, now := newToken(), time.Now()
	hash := sha256.Sum256([]byte(token))
	shards[hash[0]%64].sessions = map[[32]byte]held{hash: {account, agent, now, now, now.Add(30 * 24 * time.Hour)}}
	return floorSide(token, func(_ context.Context, hash [32]byte) (held, bool) {
		shard := &shards[hash[0]%64]
		shard.RLock()
		defer shard.RUnlock()
		s, ok := shard.sessions[hash]
		return s, ok
	})
}

// openDatabase opens an SQLite file with the settings of sqlstore's.
func openDatabase(b *testing.B) *sql.DB {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "sessions.db")+
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)&_pragma=trusted_schema(OFF)")
	require.NoError(b, err)
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	return db
}

// inSQLite is the floor over one prepared SELECT by primary key.
func inSQLite(b *testing.B) side {
	b.Helper()
	db := openDatabase(b)
	_, err := db.Exec(`CREATE TABLE sessions (hash BLOB NOT NULL PRIMARY KEY, account TEXT NOT NULL, agent TEXT NOT NULL,
		created_at INTEGER NOT NULL, seen_at INTEGER NOT NULL, expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID`)
	require.NoError(b, err)
	token, now := newToken(), time.Now()
	hash := sha256.Sum256([]byte(token))
	_, err = db.Exec(`INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)`,
		hash[:], account, agent, now.UnixMicro(), now.UnixMicro(), now.Add(30*24*time.Hour).UnixMicro())
	require.NoError(b, err)
	find, err := db.Prepare(`SELECT account, agent, created_at, seen_at, expires_at FROM sessions WHERE hash = ?`)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, find.Close()) })
	return floorSide(token, func(ctx context.Context, hash [32]byte) (s held, ok bool) {
		var created, seen, end int64
		err := find.QueryRowContext(ctx, hash[:]).Scan(&s.account, &s.agent, &created, &seen, &end)
		s.created, s.seen, s.end = time.UnixMicro(created), time.UnixMicro(seen), time.UnixMicro(end)
		return s, err == nil
	})
}
