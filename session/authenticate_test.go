package session_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

func token(c byte) auth.Secret { return auth.NewSecret(strings.Repeat(string(c), 43)) }

// What is no token costs no read of the store, and no two texts are one token.
func TestTokenIsReadStrictly(t *testing.T) {
	store := newFakeStore()
	m := newManager(t, store)
	s := signIn(t, m, false, start)
	good := s.Token.Reveal()
	require.Len(t, good, 43)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	bad := []string{
		"", good[:42], good + "A", good + "=", good + "\n", "\n" + good[:42], good[:20] + "\r\n" + good[22:], good[:42] + "=", " " + good, good + " ",
		strings.Repeat("\n", 43), strings.Repeat("+", 43), strings.Repeat("/", 43), strings.Repeat("A", 1<<20), strings.Repeat("\xff", 43), "\u00fc" + good[2:],
	}
	last := strings.IndexByte(alphabet, good[42])
	for i := 1; i < 4; i++ { // the other three characters with the same four bits that count
		bad = append(bad, good[:42]+string(alphabet[last|i]))
	}
	for _, text := range bad {
		_, err := m.Authenticate(t.Context(), auth.NewSecret(text), start)
		require.ErrorIs(t, err, denied, "%.60q", text)
	}
	require.Zero(t, store.calls["FindSession"])
	for hash := range store.sessions { // the stored value cannot be presented (ASVS 7.2.3)
		_, err := m.Authenticate(t.Context(), auth.NewSecret(base64.RawURLEncoding.EncodeToString(hash[:])), start)
		require.ErrorIs(t, err, denied)
	}
	_, err := m.Authenticate(t.Context(), s.Token, start)
	require.NoError(t, err)
}

func FuzzToken(f *testing.F) {
	f.Add(strings.Repeat("A", 43))
	f.Add(strings.Repeat("A", 42) + "B")
	f.Add(strings.Repeat("_-9z", 10) + "\r\nA")
	f.Add(auth.NativeSessionMark + strings.Repeat("A", 43))
	f.Add(auth.NativeSessionMark + auth.NativeSessionMark + strings.Repeat("A", 33))
	store := newFakeStore()
	m, err := session.New(session.Config{Store: store})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		before := store.calls["FindSession"]
		_, err := m.Authenticate(t.Context(), auth.NewSecret(text), start)
		require.ErrorIs(t, err, denied)
		if store.calls["FindSession"] == before {
			return
		}
		text = strings.TrimPrefix(text, auth.NativeSessionMark)
		raw, err := base64.RawURLEncoding.DecodeString(text)
		require.NoError(t, err)
		require.Len(t, raw, 32)
		require.Equal(t, text, base64.RawURLEncoding.EncodeToString(raw), "the one spelling")
	})
}

// Times are checked to the nanosecond (ASVS 7.3.1, 7.3.2).
func TestIdleLimit(t *testing.T) {
	for keep, idle := range map[bool]time.Duration{false: 12 * time.Hour, true: 30 * day} {
		m := newManager(t, newFakeStore())
		s := signIn(t, m, keep, start)
		require.Equal(t, start.Add(idle), s.ExpiresAt)
		_, err := m.Authenticate(t.Context(), s.Token, start.Add(idle))
		require.ErrorIs(t, err, denied, "at the limit")
		got, err := m.Authenticate(t.Context(), s.Token, start.Add(idle-1))
		require.NoError(t, err, "a nanosecond before")
		require.Equal(t, start.Add(idle-1), got.SeenAt)
		require.Equal(t, start.Add(2*idle-1), got.ExpiresAt, "it slides")
		_, err = m.Authenticate(t.Context(), s.Token, start.Add(2*idle-2))
		require.NoError(t, err)
	}
}

// Used every hour, a session ends at its absolute limit all the same. One peer's sessions slide for ever:
// its only limit moves with use (limen, session_manager.go).
func TestAbsoluteLimit(t *testing.T) {
	for keep, absolute := range map[bool]time.Duration{false: 7 * day, true: 365 * day} {
		m := newManager(t, newFakeStore())
		s := signIn(t, m, keep, start)
		for at := start; at.Before(start.Add(absolute)); at = at.Add(time.Hour) {
			got, err := m.Authenticate(t.Context(), s.Token, at)
			require.NoError(t, err, at)
			require.False(t, got.ExpiresAt.After(start.Add(absolute)))
			require.Equal(t, start, got.AuthenticatedAt, "use is no proof")
		}
		_, err := m.Authenticate(t.Context(), s.Token, start.Add(absolute-1))
		require.NoError(t, err)
		_, err = m.Authenticate(t.Context(), s.Token, start.Add(absolute))
		require.ErrorIs(t, err, denied)
	}
}

// A store that forgets one of the two times must not make a session immortal.
func TestBothTimesAreChecked(t *testing.T) {
	for _, spoil := range []func(*session.Record){
		func(r *session.Record) { r.EndsAt = start },
		func(r *session.Record) { r.ExpiresAt = start },
		func(r *session.Record) { r.EndsAt = time.Time{} },
		func(r *session.Record) { r.Epoch = 0 },
		func(r *session.Record) { r.Epoch = 2 },
	} {
		store := newFakeStore()
		m := newManager(t, store)
		s := signIn(t, m, false, start)
		for hash, r := range store.sessions {
			spoil(&r)
			store.sessions[hash] = r
		}
		_, err := m.Authenticate(t.Context(), s.Token, start)
		require.ErrorIs(t, err, denied)
	}
}

func TestClockSetBack(t *testing.T) {
	m := newManager(t, newFakeStore())
	s := signIn(t, m, false, start)
	_, err := m.Authenticate(t.Context(), s.Token, start.Add(-time.Minute))
	require.NoError(t, err, "another instance's clock may be a minute ahead")
	_, err = m.Authenticate(t.Context(), s.Token, start.Add(-time.Minute-1))
	require.ErrorIs(t, err, denied)

	used := start.Add(6 * time.Hour)
	_, err = m.Authenticate(t.Context(), s.Token, used)
	require.NoError(t, err)
	_, err = m.Authenticate(t.Context(), s.Token, start.Add(time.Hour))
	require.ErrorIs(t, err, denied, "it was seen later than now")
	_, err = m.Authenticate(t.Context(), s.Token, used)
	require.NoError(t, err)
}

func TestLastSeenIsWrittenOnceAMinute(t *testing.T) {
	store := newFakeStore()
	m := newManager(t, store)
	s := signIn(t, m, false, start)
	for at := start; at.Before(start.Add(5 * time.Minute)); at = at.Add(time.Second) {
		got, err := m.Authenticate(t.Context(), s.Token, at)
		require.NoError(t, err)
		require.Less(t, at.Sub(got.SeenAt), time.Minute)
		require.Equal(t, got.SeenAt.Add(12*time.Hour), got.ExpiresAt)
	}
	require.Equal(t, 4, store.calls["TouchSession"])
	require.Equal(t, 300, store.calls["FindSession"], "one read a request")
	require.Zero(t, store.calls["ListSessions"])
}

func TestTouchThatFailsDeniesNobody(t *testing.T) {
	store := newFakeStore()
	var log bytes.Buffer
	m := newManager(t, store, func(c *session.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	s := signIn(t, m, false, start)
	store.fail["TouchSession"] = errDown
	got, err := m.Authenticate(t.Context(), s.Token, start.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, s.Session, got, "what is told is what is stored")
	require.Contains(t, log.String(), errDown.Error())
	require.NotContains(t, log.String(), s.Token.Reveal())
	_, err = m.Authenticate(t.Context(), s.Token, start.Add(12*time.Hour))
	require.ErrorIs(t, err, denied, "nor does it prolong")
}

// swapped answers every question with the same record.
type swapped struct {
	*fakeStore
	rec session.Record
}

func (s swapped) FindSession(context.Context, [32]byte) (session.Record, auth.Standing, error) {
	return s.rec, standing, nil
}

func TestStoreThatReturnsAnotherSession(t *testing.T) {
	store := newFakeStore()
	signIn(t, newManager(t, store), false, start)
	for _, rec := range store.sessions {
		_, err := newManager(t, swapped{store, rec}).Authenticate(t.Context(), token('A'), start)
		require.ErrorContains(t, err, "another session")
		require.NotErrorIs(t, err, denied)
	}
}

// Requests of one browser come side by side, while the session ends and the account is closed.
func TestConcurrentUse(t *testing.T) {
	m := newManager(t, newFakeStore())
	s := signIn(t, m, true, start)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 50 {
				now := start.Add(time.Duration(n*i) * time.Minute)
				if _, err := m.Authenticate(t.Context(), s.Token, now); err != nil && !isDenied(err) {
					t.Error(err)
				}
				if i == 0 && n == 25 {
					_, _ = m.Align(t.Context(), anna, auth.Standing{Status: flow.Disabled, Epochs: flow.Epochs{Security: 2, Session: 2}})
				}
			}
		})
	}
	wg.Wait()
	_, err := m.Authenticate(t.Context(), s.Token, start.Add(time.Hour))
	require.ErrorIs(t, err, denied)
}

func isDenied(err error) bool { return fmt.Sprint(err) == denied.Error() }

// The floor is what any session store must do: hash the token and look it up.
func BenchmarkAuthenticate(b *testing.B) {
	store := &mapStore{fakeStore: newFakeStore()}
	m := newManager(b, store)
	s := signIn(b, m, false, start)
	text := s.Token.Reveal()
	b.Run("authenticate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.Authenticate(b.Context(), s.Token, start); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			hash := sha256.Sum256([]byte(text))
			if _, ok := store.sessions[hash]; !ok {
				b.Fatal("not found")
			}
		}
	})
}

// mapStore reads without a lock or a count.
type mapStore struct{ *fakeStore }

func (s *mapStore) FindSession(_ context.Context, hash [32]byte) (session.Record, auth.Standing, error) {
	r, ok := s.sessions[hash]
	if !ok {
		return session.Record{}, auth.Standing{}, auth.ErrNotFound
	}
	return r, standing, nil
}
