package memory

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"runtime"
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
		got := session.Record{Account: account}
		unpack(pack(r), &got)
		require.Equal(t, r, got)
		e := entry{fixed: pack(r)}
		require.Equal(t, id, e.id())
		require.Equal(t, r.CreatedAt, e.created())
	})
}

// TestHashesThatShareEightBytes are still two sessions: the short key finds, the whole hash decides.
func TestHashesThatShareEightBytes(t *testing.T) {
	s, ctx := New(), t.Context()
	var all []session.Record
	for n := range 3 {
		r := signedIn("a", n)
		r.Hash = [32]byte{31: byte(n)}
		all = append(all, r)
		require.NoError(t, s.CreateSession(ctx, r, active, session.CreateOptions{}))
	}
	for _, ended := range []int{0, 2, 1} {
		r, _, err := s.FindSession(ctx, all[ended].Hash)
		require.NoError(t, err)
		require.Equal(t, all[ended].ID, r.ID)
		_, _, err = s.FindSession(ctx, [32]byte{31: 9})
		require.ErrorIs(t, err, auth.ErrNotFound)
		again := signedIn("a", 9)
		again.Hash = all[ended].Hash
		require.ErrorIs(t, s.CreateSession(ctx, again, active, session.CreateOptions{}), auth.ErrTaken)

		require.NoError(t, s.EndSession(ctx, "a", all[ended].ID))
		_, _, err = s.FindSession(ctx, all[ended].Hash)
		require.ErrorIs(t, err, auth.ErrNotFound)
	}
	for i := range spread {
		require.Empty(t, s.sessions.byHash[i].first)
		require.Empty(t, s.sessions.byHash[i].rest)
		require.Empty(t, s.sessions.byID[i].first)
	}
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

// BenchmarkSessionSize reports how much memory a session takes, its share of the account (four sessions
// each) and of the indexes included.
func BenchmarkSessionSize(b *testing.B) {
	const n = 1 << 18
	for b.Loop() {
		s := New()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range n {
			if err := s.CreateSession(b.Context(), signedIn(fmt.Sprintf("account-%014d", i/4), i), active, session.CreateOptions{}); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/session")
		runtime.KeepAlive(s)
	}
}
