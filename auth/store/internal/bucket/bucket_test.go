package bucket_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/store/internal/bucket"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// TestRetryAtIsExact holds RetryAt against the rule itself, for many rules and histories: an attempt just
// before it is refused, an attempt at it is not.
func TestRetryAtIsExact(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for range 20_000 {
		b := auth.Bucket{
			Key: "k", Cap: 1 + rnd.IntN(8), Free: rnd.IntN(5),
			FirstDelay: time.Duration(rnd.IntN(60)) * time.Second, MaxDelay: time.Duration(rnd.IntN(300)) * time.Second,
			Leak: time.Duration(rnd.IntN(3)*rnd.IntN(90)) * time.Second, Forget: time.Duration(1+rnd.IntN(1000)) * time.Second,
		}
		var c bucket.Count
		now := start
		for range 20 {
			now = now.Add(time.Duration(rnd.IntN(60_000)) * time.Millisecond)
			next, taken := bucket.Take(b, c, now)
			if taken.OK {
				c = next
				continue
			}
			refused++
			require.Equal(t, c, next, "a refusal changes nothing")
			if taken.RetryAt.IsZero() {
				require.Zero(t, b.Leak, "%+v", b)
				_, taken = bucket.Take(b, c, bucket.ZeroAt(b, c).Add(-1))
				require.False(t, taken.OK)
				_, taken = bucket.Take(b, c, bucket.ZeroAt(b, c))
				require.True(t, taken.OK)
				continue
			}
			_, before := bucket.Take(b, c, taken.RetryAt.Add(-1))
			require.False(t, before.OK, "%+v %+v", b, c)
			_, at := bucket.Take(b, c, taken.RetryAt)
			require.True(t, at.OK, "%+v %+v", b, c)
		}
	}
	require.Greater(t, refused, 10_000)
}

func TestDelaysDoNotOverflow(t *testing.T) {
	b := auth.Bucket{Key: "k", Cap: 1000, Free: 1, FirstDelay: time.Second, MaxDelay: math.MaxInt64, Forget: math.MaxInt64}
	c, now := bucket.Count{}, start
	for range 500 {
		next, taken := bucket.Take(b, c, now)
		if !taken.OK {
			require.True(t, taken.RetryAt.After(now))
			now = taken.RetryAt
			continue
		}
		c = next
	}
}

func TestZeroMaxDelayIsNoFreePass(t *testing.T) {
	b := auth.Bucket{Key: "k", Cap: 10, Free: 1, FirstDelay: time.Minute, Forget: time.Hour}
	c, _ := bucket.Take(b, bucket.Count{}, start)
	_, taken := bucket.Take(b, c, start)
	require.Equal(t, auth.Taken{RetryAt: start.Add(time.Minute)}, taken)
}

// TestClockThatGoesBack plays two servers whose clocks differ: the one that is behind shortens no wait and
// gains no leak.
func TestClockThatGoesBack(t *testing.T) {
	b := auth.Bucket{Key: "k", Cap: 3, Free: 2, FirstDelay: time.Minute, MaxDelay: time.Hour, Leak: time.Hour, Forget: 24 * time.Hour}
	c, _ := bucket.Take(b, bucket.Count{}, start)
	c, taken := bucket.Take(b, c, start.Add(-30*time.Minute))
	require.True(t, taken.OK)
	require.Equal(t, 2, c.N)
	_, taken = bucket.Take(b, c, start.Add(59*time.Second))
	require.Equal(t, auth.Taken{RetryAt: start.Add(time.Minute)}, taken)
}

// TestZeroAtIsExact: a count that a sweep deletes must mean nothing any more, and one that it keeps something.
func TestZeroAtIsExact(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 5_000 {
		b := auth.Bucket{Key: "k", Cap: 100, Leak: time.Duration(rnd.IntN(90)) * time.Second, Forget: time.Duration(1+rnd.IntN(1000)) * time.Second}
		c, now := bucket.Count{}, start
		for range 1 + rnd.IntN(20) {
			now = now.Add(time.Duration(rnd.IntN(60_000)) * time.Millisecond)
			c, _ = bucket.Take(b, c, now)
		}
		zero := bucket.ZeroAt(b, c)
		fresh, _ := bucket.Take(b, bucket.Count{}, zero)
		next, _ := bucket.Take(b, c, zero)
		require.Equal(t, fresh, next)
		next, _ = bucket.Take(b, c, zero.Add(-1))
		require.Greater(t, next.N, 1)
	}
	huge := auth.Bucket{Key: "k", Cap: 10, Leak: math.MaxInt64, Forget: time.Hour}
	c, _ := bucket.Take(huge, bucket.Count{}, start)
	c, _ = bucket.Take(huge, c, start)
	require.Equal(t, start.Add(time.Hour), bucket.ZeroAt(huge, c))
}

func TestValidateNamesEveryProblem(t *testing.T) {
	err := bucket.Validate([]auth.Bucket{{Key: "a", Cap: 1, Forget: 1}, {Key: "a"}, {Key: string(make([]byte, 257)), Cap: 1, Forget: 1}})
	require.ErrorContains(t, err, "there twice")
	require.ErrorContains(t, err, "cap of \"a\" is 0")
	require.ErrorContains(t, err, "forget time of \"a\"")
	require.ErrorContains(t, err, "257 bytes")
	require.NoError(t, bucket.Validate(nil))
}
