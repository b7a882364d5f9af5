package memory

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// held is how many sessions BenchmarkSessionsHeld keeps.
const held = 1_000_000

// BenchmarkSessionsHeld reports the memory that a session takes of a million of them, its share of its
// account and of every index included. The floor is rows that nothing leads to, of what cannot be left out:
// the token's hash, two names of 128 bits, five times to the second, the browser's number and the network.
func BenchmarkSessionsHeld(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		reportHeld(b, func(crowd *crowd) any {
			rows := make([]floorRow, held)
			for i := range rows {
				hash := crowd.signIn(1).Hash
				copy(rows[i][:], hash[:])
			}
			return rows
		})
	})
	for _, each := range []int{1, 10} {
		b.Run(fmt.Sprintf("%d_an_account", each), func(b *testing.B) {
			reportHeld(b, func(crowd *crowd) any {
				s := New()
				for range held {
					if err := s.CreateSession(b.Context(), crowd.signIn(each), active, session.CreateOptions{}); err != nil {
						b.Fatal(err)
					}
				}
				return s
			})
		})
	}
}

// floorRow is room for a hash, two names, five times, a browser and a network.
type floorRow [32 + 2*16 + 5*4 + 4 + 6]byte

// reportHeld reports what is on the heap for the sake of what fill returns.
func reportHeld(b *testing.B, fill func(*crowd) any) {
	for b.Loop() {
		var before, after runtime.MemStats
		crowd := newCrowd()
		runtime.GC()
		runtime.ReadMemStats(&before)
		filled := fill(crowd)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/held, "B/session")
		b.ReportMetric(float64(after.HeapInuse-before.HeapInuse)/held, "in-use-B/session")
		runtime.KeepAlive(filled)
		runtime.KeepAlive(crowd)
	}
}

// crowd makes up sessions as a Manager makes them: names of 128 random bits, a thousand browsers, most with
// a password alone, some with a second factor, a few by a passkey.
type crowd struct {
	random  *rand.Rand
	agents  []string
	account string
	n       int
}

func newCrowd() *crowd {
	c := &crowd{random: rand.New(rand.NewPCG(1, 2))}
	for _, platform := range []string{
		"Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64", "Linux; Android 10; K", "X11; CrOS x86_64 14541.0.0",
	} {
		for version := range 100 {
			chrome := fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", platform, 50+version)
			c.agents = append(c.agents, chrome, fmt.Sprintf("%s Edg/%d.0.0.0", chrome, 50+version))
		}
	}
	return c
}

func (c *crowd) name() string {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 16), c.random.Uint64())
	return base64.RawURLEncoding.EncodeToString(binary.LittleEndian.AppendUint64(b, c.random.Uint64()))
}

// signIn returns the next session. Every so many are of one account.
func (c *crowd) signIn(each int) session.Record {
	if c.n%each == 0 {
		c.account = c.name()
	}
	c.n++
	id := c.name()
	now := noon.Add(time.Duration(c.random.Int64N(int64(30 * 24 * time.Hour)))).Truncate(time.Microsecond)
	r := session.Record{
		ID: id, Hash: sha256.Sum256([]byte(id)), Account: c.account, Epoch: 1,
		CreatedAt: now, AuthenticatedAt: now.Add(-time.Duration(c.random.Int64N(int64(time.Second)))), SeenAt: now.Add(time.Duration(c.random.Int64N(int64(10 * time.Hour)))),
		EndsAt: now.Add(7 * 24 * time.Hour), Assurance: flow.AAL1, UserAgent: c.agents[c.random.IntN(len(c.agents))],
		Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(c.random.Uint32()), byte(c.random.Uint32()), byte(c.random.Uint32()), 0}), 24),
	}
	r.ExpiresAt = r.SeenAt.Add(12 * time.Hour)
	r.Proofs = []flow.Proof{{Method: flow.Password, At: r.AuthenticatedAt, Account: c.account}}
	switch c.n % 10 {
	case 0, 1:
		r.Assurance = flow.AAL2
		r.Proofs[0].At = r.AuthenticatedAt.Add(-20 * time.Second)
		r.Proofs = append(r.Proofs, flow.Proof{Method: flow.TOTP, At: r.AuthenticatedAt, Account: c.account})
	case 2:
		r.Assurance, r.Keep, r.EndsAt = flow.AAL2, true, now.Add(365*24*time.Hour)
		r.Proofs = []flow.Proof{{Method: flow.Passkey, At: r.AuthenticatedAt, Account: c.account, Credential: c.name(), Verified: true}}
	case 3:
		address := netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: byte(c.random.Uint32()), 5: byte(c.random.Uint32())})
		r.Prefix = netip.PrefixFrom(address, 48)
	}
	return r
}
