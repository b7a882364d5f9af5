package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

const (
	tokenBytes = 32
	tokenChars = 43
	markChars  = len(auth.NativeSessionMark)

	// clockSkew is how far ahead another instance's clock may be. A session that was seen later than this
	// is denied: a clock that was set back must not revive sessions that ended.
	clockSkew = time.Minute
)

// Authenticate returns the live session of a token, or a *DeniedError (SessionRequired), which says nothing
// about why. A store that fails is a fault, and no session either. The store is read once; at most once a
// minute for each session it is also written, to move "last seen" and the idle limit on. If that write
// fails, the session is still good: the fault goes to the log.
func (m *Manager) Authenticate(ctx context.Context, token auth.Secret, now time.Time) (auth.Session, error) {
	now = wall(now)
	hash, ok := hashToken(token.Reveal())
	if !ok {
		return auth.Session{}, flow.Deny(flow.SessionRequired)
	}
	rec, standing, err := m.store.FindSession(ctx, hash)
	switch {
	case errors.Is(err, auth.ErrNotFound):
		return auth.Session{}, flow.Deny(flow.SessionRequired)
	case err != nil:
		return auth.Session{}, fmt.Errorf("session: authenticate: %w", err)
	case rec.Hash != hash:
		return auth.Session{}, errors.New("session: authenticate: the store returned another session")
	case !alive(&rec, standing, now):
		return auth.Session{}, flow.Deny(flow.SessionRequired)
	}
	m.touch(ctx, &rec, now)
	return sessionOf(&rec), nil
}

// hashToken returns the SHA-256 of a presented token, mark and all. Decoding is strict, down to the two bits
// of the last character that carry nothing, so that no two texts name one session; and what cannot be a token
// costs no read of the store.
func hashToken(token string) (hash [sha256.Size]byte, ok bool) {
	var text [markChars + tokenChars]byte
	mark := 0
	if isNative(token) {
		mark = markChars
	}
	if len(token) != mark+tokenChars {
		return hash, false
	}
	copy(text[:], token)
	var raw [tokenBytes]byte
	n, err := base64.RawURLEncoding.Strict().Decode(raw[:], text[mark:mark+tokenChars])
	if err != nil || n != tokenBytes { // fewer if there are line ends, which the decoder skips
		return hash, false
	}
	return sha256.Sum256(text[:mark+tokenChars]), true
}

// isNative reports whether the token is a native client's. A browser's begins with the mark once in 2^60, and
// is then too short for either.
func isNative(token string) bool { return strings.HasPrefix(token, auth.NativeSessionMark) }

// alive reports whether the session may be used now. The account's standing is asked at every request, so
// that closing an account ends its sessions at once (ASVS 7.4.2).
func alive(r *Record, s auth.Standing, now time.Time) bool {
	return s.Status == flow.Active && r.Epoch == s.Epochs.Session &&
		now.Before(r.ExpiresAt) && now.Before(r.EndsAt) && !r.SeenAt.After(now.Add(clockSkew))
}

// touch records that the session is used and moves its idle limit on, never past its absolute one.
func (m *Manager) touch(ctx context.Context, r *Record, now time.Time) {
	if now.Sub(r.SeenAt) < seenEvery {
		return
	}
	expires := earlier(now.Add(m.limits.of(r.Keep).Idle), r.EndsAt)
	if err := m.store.TouchSession(ctx, r.Hash, now, expires); err != nil {
		m.log.ErrorContext(ctx, "fault", "where", "touch session", "account_id", r.Account, "error", err)
		return
	}
	r.SeenAt, r.ExpiresAt = now, expires
}
