package memory

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// providerSessions is which sessions came of which sessions at providers, and what was ended there, by the key. One
// lock holds both together: nothing is attached between an end's look and what it forgets.
type providerSessions struct {
	mu    sync.Mutex
	byKey map[string]map[string]auth.ProviderSession // by the id of our session
	ends  map[string]providerEnd
}

// providerEnd says that a key was ended.
type providerEnd struct{ at, until time.Time }

func (x *providerSessions) init() {
	x.byKey, x.ends = map[string]map[string]auth.ProviderSession{}, map[string]providerEnd{}
}

// late reports whether the session's key was ended at or after its Since, and that is remembered.
func (x *providerSessions) late(p auth.ProviderSession, now time.Time) bool {
	end, ended := x.ends[p.Key]
	return ended && end.until.After(now) && !end.at.Before(p.Since)
}

// put keeps a session, in the place of what has its key and session.
func (x *providerSessions) put(p auth.ProviderSession) {
	if x.byKey[p.Key] == nil {
		x.byKey[p.Key] = map[string]auth.ProviderSession{}
	}
	x.byKey[p.Key][p.Session] = p
}

// live returns the sessions of the key that expire after now, in no order.
func (x *providerSessions) live(key string, now time.Time) (list []auth.ProviderSession) {
	for _, p := range x.byKey[key] {
		if p.ExpiresAt.After(now) {
			list = append(list, p)
		}
	}
	return list
}

// AttachSession implements auth.ProviderSessionStore.
func (s *Store) AttachSession(ctx context.Context, sessions []auth.ProviderSession, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	x := &s.provider
	x.mu.Lock()
	defer x.mu.Unlock()
	all := slices.Clone(sessions)
	for i := range all {
		all[i].Since, all[i].ExpiresAt = rounded(all[i].Since), rounded(all[i].ExpiresAt)
		if x.late(all[i], now) {
			return auth.ErrStale
		}
	}
	for _, p := range all {
		x.put(p)
	}
	return nil
}

// SessionsOf implements auth.ProviderSessionStore.
func (s *Store) SessionsOf(ctx context.Context, key string, now time.Time) ([]auth.ProviderSession, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.provider.mu.Lock()
	defer s.provider.mu.Unlock()
	return s.provider.live(key, now), nil
}

// EndSessions implements auth.ProviderSessionStore.
func (s *Store) EndSessions(ctx context.Context, key string, now, until time.Time) ([]auth.ProviderSession, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	x := &s.provider
	x.mu.Lock()
	defer x.mu.Unlock()
	end := providerEnd{rounded(now), rounded(until)}
	if before, ended := x.ends[key]; ended {
		end = providerEnd{later(end.at, before.at), later(end.until, before.until)}
	}
	x.ends[key] = end
	list := x.live(key, now)
	delete(x.byKey, key)
	return list, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// SweepProviderSessions implements auth.ProviderSessionStore.
func (s *Store) SweepProviderSessions(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	x := &s.provider
	x.mu.Lock()
	defer x.mu.Unlock()
	swept := 0
	for key, sessions := range x.byKey {
		for id, p := range sessions {
			if swept < limit && !p.ExpiresAt.After(now) {
				delete(sessions, id)
				swept++
			}
		}
		if len(sessions) == 0 {
			delete(x.byKey, key)
		}
	}
	for key, end := range x.ends {
		if swept >= limit {
			break
		}
		if !end.until.After(now) {
			delete(x.ends, key)
			swept++
		}
	}
	return swept, nil
}
