package authhttp_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// floor is a sign-in written by hand: sessions and open sign-ins in maps under the SHA-256 of a random text,
// two handlers, one middleware. It has no throttle, no policy, no epochs and one kind of error.
type floor struct {
	shards   [64]floorShard
	mu       sync.Mutex
	accounts map[string]floorAccount
	pending  map[[32]byte]floorPending
}

type floorShard struct {
	sync.RWMutex
	sessions map[[32]byte]floorSession
	_        [32]byte
}

type floorAccount struct{ id, hash string }

type floorPending struct {
	account floorAccount
	keep    bool
	until   time.Time
}

type floorSession struct {
	account, agent     string
	created, seen, end time.Time
}

type floorKey struct{}

const floorCookie, floorFlow = "__Host-session", "__Host-flow"

func newFloor() *floor {
	f := &floor{accounts: map[string]floorAccount{}, pending: map[[32]byte]floorPending{}}
	for i := range f.shards {
		f.shards[i].sessions = map[[32]byte]floorSession{}
	}
	f.accounts["Ada@example.com"] = floorAccount{"acct-ada", "stub:" + benchPassword}
	return f
}

func floorRandom() string {
	var raw [32]byte
	rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

func (f *floor) issue(account, agent string) string {
	token := floorRandom()
	hash := sha256.Sum256([]byte(token))
	now := time.Now()
	s := &f.shards[hash[0]%64]
	s.Lock()
	defer s.Unlock()
	s.sessions[hash] = floorSession{account, agent, now, now, now.Add(30 * 24 * time.Hour)}
	return token
}

// require is the least that a middleware with sessions on the server can do.
func (f *floor) require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie(floorCookie)
		if err != nil {
			http.Error(w, "sign in", http.StatusUnauthorized)
			return
		}
		hash := sha256.Sum256([]byte(c.Value))
		shard := &f.shards[hash[0]%64]
		shard.RLock()
		s, ok := shard.sessions[hash]
		shard.RUnlock()
		if !ok || !time.Now().Before(s.end) {
			http.Error(w, "sign in", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), floorKey{}, s)))
	})
}

// signIn answers both requests, as ours does on one address.
func (f *floor) signIn() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Identifier, Flow, Password string
			Keep                       bool
		}
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
		if err := d.Decode(&in); err != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		if in.Flow == "" {
			f.identify(w, in.Identifier, in.Keep)
			return
		}
		f.password(w, r, in.Flow, in.Password)
	})
}

func (f *floor) identify(w http.ResponseWriter, identifier string, keep bool) {
	flow := floorRandom()
	f.mu.Lock()
	f.pending[sha256.Sum256([]byte(flow))] = floorPending{f.accounts[identifier], keep, time.Now().Add(10 * time.Minute)}
	f.mu.Unlock()
	setFloorCookie(w, floorFlow, floorRandom(), 0)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(struct {
		Flow string `json:"flow"`
		Need string `json:"need"`
	}{flow, "password"})
}

func (f *floor) password(w http.ResponseWriter, r *http.Request, flow, password string) {
	hash := sha256.Sum256([]byte(flow))
	f.mu.Lock()
	p, ok := f.pending[hash]
	delete(f.pending, hash)
	f.mu.Unlock()
	if !ok || !time.Now().Before(p.until) || p.account.hash != "stub:"+password {
		http.Error(w, "wrong", http.StatusUnauthorized)
		return
	}
	token := f.issue(p.account.id, r.UserAgent())
	setFloorCookie(w, floorCookie, token, 30*24*3600)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(struct {
		Account string    `json:"account"`
		Expires time.Time `json:"expires"`
	}{p.account.id, time.Now().Add(30 * 24 * time.Hour)})
}

func setFloorCookie(w http.ResponseWriter, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	})
}
