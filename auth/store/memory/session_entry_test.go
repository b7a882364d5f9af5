package memory

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

var (
	noon   = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	active = auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 1, Session: 1}}
)

func signedIn(account string, n int) session.Record {
	id := fmt.Sprintf("%s%017d", account[:min(5, len(account))], n)
	return session.Record{
		ID: id, Hash: sha256.Sum256([]byte(id)), Account: account, Epoch: 1,
		CreatedAt: noon, AuthenticatedAt: noon, SeenAt: noon, ExpiresAt: noon.Add(12 * time.Hour), EndsAt: noon.Add(7 * 24 * time.Hour),
		Assurance: flow.AAL1, Proofs: []flow.Proof{{Method: flow.Password, At: noon, Account: account}},
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
		Prefix:    netip.MustParsePrefix("192.0.2.0/24"),
	}
}

func FuzzPackIsReversible(f *testing.F) {
	f.Add("id", "account", "someone else", "credential", "connection", int64(1), int64(-1), int64(1<<60), true, byte(1), []byte{10, 0, 0, 0})
	f.Fuzz(func(t *testing.T, id, account, other, credential, connection string, created, authenticated, ends int64, flag bool, small byte, ip []byte) {
		const most = 1 << 61 // later than any time.Time of the contract; differences must not overflow
		r := session.Record{
			ID: id, Account: account, Keep: flag, Assurance: flow.Assurance(small),
			CreatedAt: moment(created % most), AuthenticatedAt: moment(authenticated % most), EndsAt: moment(ends % most),
			Proofs: []flow.Proof{
				{Method: flow.Method(small), At: moment(ends % most), Account: other, Credential: credential, Connection: connection, Verified: flag},
				{At: moment(created % most), Account: account, Inherited: flag, Upstream: flow.Assurance(small)},
			},
		}
		if a, ok := netip.AddrFromSlice(ip); ok {
			r.Prefix, _ = a.Prefix(int(small) % (a.BitLen() + 1))
		}
		r.Epoch, r.SeenAt, r.ExpiresAt = uint64(created), moment(ends%most), moment(created%most)
		var got session.Record
		key, whole := keyOf(id)
		unpack(pack(&r, whole), key, []byte(account), &got)
		require.Equal(t, r, got)
	})
}

// TestKeysThatShareAPlace gives a session to the indexes under another one's short keys: the short key finds,
// the whole one decides.
func TestKeysThatShareAPlace(t *testing.T) {
	s, ctx := New(), t.Context()
	one, other := signedIn("a", 1), signedIn("b", 2)
	require.NoError(t, s.CreateSession(ctx, one, active, session.CreateOptions{}))
	st, n := s.sessions.lookup(&one.Hash)
	id, _ := keyOf(other.ID)
	ids, shortID := s.sessions.idIndex(&id)
	ids.put(shortID, st.ref(n))
	hashes, shortHash := s.sessions.hashIndex(&other.Hash)
	hashes.put(shortHash, st.ref(n))

	_, _, err := s.FindSession(ctx, other.Hash)
	require.ErrorIs(t, err, auth.ErrNotFound)
	require.NoError(t, s.CreateSession(ctx, other, active, session.CreateOptions{}))
	got, _, err := s.FindSession(ctx, other.Hash)
	require.NoError(t, err)
	require.Equal(t, other, got)
	require.NoError(t, s.EndSession(ctx, "b", other.ID))
	_, _, err = s.FindSession(ctx, other.Hash)
	require.ErrorIs(t, err, auth.ErrNotFound)
	_, _, err = s.FindSession(ctx, one.Hash)
	require.NoError(t, err)
}

// TestIDsThatLookLikeKeys are ids that are nearly the base64 of 128 bits. Each is an id of its own.
func TestIDsThatLookLikeKeys(t *testing.T) {
	s, ctx := New(), t.Context()
	for n, id := range []string{
		"AAAAAAAAAAAAAAAAAAAAAA", // zero
		"AAAAAAAAAAAAAAAAAAAAAB", // the same bits, but for those that are dropped
		"AAAAAAAAAAAAAAAAAAAA\nA", "\nAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA",
		"-_-_-_-_-_-_-_-_-_-_-w", "+/+/+/+/+/+/+/+/+/+/+w", "", strings.Repeat("\x00", 16), strings.Repeat("A", 200),
	} {
		r := signedIn("a", n)
		r.ID, r.Hash = id, sha256.Sum256([]byte{byte(n)})
		require.NoError(t, s.CreateSession(ctx, r, active, session.CreateOptions{}), "%q", id)
		got, _, err := s.FindSession(ctx, r.Hash)
		require.NoError(t, err)
		require.Equal(t, r, got)
		r.Hash[31]++
		require.ErrorIs(t, s.CreateSession(ctx, r, active, session.CreateOptions{}), auth.ErrTaken)
	}
}

// TestRowThatIsAnothersByNow: between the look into the index and the lock of the stripe the session may
// end, and its row become another's. Its token must not open that one.
func TestRowThatIsAnothersByNow(t *testing.T) {
	s, ctx := New(), t.Context()
	old, other := signedIn("a", 1), signedIn("a", 2)
	require.NoError(t, s.CreateSession(ctx, old, active, session.CreateOptions{}))
	st, n := s.sessions.lookup(&old.Hash)
	require.True(t, st.rows.at(n).of(old.Hash))
	require.NoError(t, s.EndSession(ctx, "a", old.ID))
	require.False(t, st.rows.at(n).of(old.Hash))
	require.False(t, st.rows.at(n).of([32]byte{}), "a free row is nobody's")
	require.NoError(t, s.CreateSession(ctx, other, active, session.CreateOptions{}))
	require.Equal(t, other.Hash, st.rows.at(n).hash, "the row is used again")
	require.False(t, st.rows.at(n).of(old.Hash))
}

// TestSweptMemoryIsUsedAgain floods the store with sessions of made-up browsers, several times over.
func TestSweptMemoryIsUsedAgain(t *testing.T) {
	s, ctx := New(), t.Context()
	made := func() (rows uint32) {
		for i := range s.sessions.stripes {
			rows += s.sessions.stripes[i].rows.made
		}
		return rows
	}
	const flood = 5000
	for round := range 3 {
		for n := range flood {
			r := signedIn("a", round*flood+n)
			r.UserAgent = fmt.Sprint(round, n)
			require.NoError(t, s.CreateSession(ctx, r, active, session.CreateOptions{}))
		}
		swept, err := s.SweepSessions(ctx, noon.Add(24*time.Hour), flood+1)
		require.NoError(t, err)
		require.Equal(t, flood, swept)
		require.EqualValues(t, flood, made())
		for i := range spread {
			st := &s.sessions.stripes[i]
			require.LessOrEqual(t, cap(st.texts.data), 4*fewestText+2*int(st.rows.made))
			require.Empty(t, st.agents)
			require.LessOrEqual(t, len(s.sessions.byHash[i].slots), fewestSlots)
			require.LessOrEqual(t, len(s.sessions.byID[i].slots), fewestSlots)
		}
	}
}

// TestFullStripeRefuses: at numbers that memory hardly allows a store refuses, and mixes nothing up.
func TestFullStripeRefuses(t *testing.T) {
	s, ctx := New(), t.Context()
	require.NoError(t, s.CreateSession(ctx, signedIn("a", 1), active, session.CreateOptions{}))
	for i := range s.sessions.stripes {
		s.sessions.stripes[i].rows.made += mostRows
	}
	require.ErrorIs(t, s.CreateSession(ctx, signedIn("a", 2), active, session.CreateOptions{}), errFull)
	_, err := s.AlignStanding(ctx, "b", active)
	require.ErrorIs(t, err, errFull)
	require.ErrorIs(t, s.RaiseStanding(ctx, "b", auth.Standing{}, active, ""), errFull)
	_, err = s.AlignStanding(ctx, "a", active)
	require.NoError(t, err, "what is known can be aligned")
	_, _, err = s.FindSession(ctx, signedIn("a", 1).Hash)
	require.NoError(t, err)
}

// TestEverythingAtOnce has no assertion of its own but the invariant that a session is found with a standing
// that is at least its own epoch; the race detector and a deadlock would tell the rest.
func TestEverythingAtOnce(t *testing.T) {
	s, ctx := New(), t.Context()
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for n := range 200 {
				account := fmt.Sprint(n % 5)
				r := signedIn(account, w*1000+n)
				known, _ := s.AlignStanding(ctx, account, active)
				r.Epoch = known.Epochs.Session
				_ = s.CreateSession(ctx, r, known, session.CreateOptions{Now: noon, Limit: 4, Evict: true})
				if found, stands, err := s.FindSession(ctx, r.Hash); err == nil && found.Epoch > stands.Epochs.Session {
					t.Errorf("found epoch %d in %+v", found.Epoch, stands)
				}
				_ = s.TouchSession(ctx, r.Hash, noon.Add(time.Duration(n)), noon.Add(time.Hour))
				_, _ = s.ListSessions(ctx, account, noon, 3)
				if n%10 == 0 {
					raised := known
					raised.Epochs.Session++
					_ = s.RaiseStanding(ctx, account, known, raised, r.ID)
				}
				if n%17 == 0 {
					_, _ = s.SweepSessions(ctx, noon, 10)
				}
				_ = s.EndSession(ctx, account, r.ID)
			}
		})
	}
	all.Wait()
}

func BenchmarkFindSession(b *testing.B) {
	s, ctx := New(), b.Context()
	const n = 1 << 17
	hashes := make([][32]byte, n)
	for i := range hashes {
		r := signedIn(fmt.Sprintf("account-%014d", i/4), i)
		hashes[i] = r.Hash
		if err := s.CreateSession(ctx, r, active, session.CreateOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			if _, _, err := s.FindSession(ctx, hashes[(i*7919)%n]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
