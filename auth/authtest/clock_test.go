package authtest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/store/memory"
)

func TestClock(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	c := authtest.NewClock(noon)
	require.Equal(t, noon, c.Now())
	require.Equal(t, noon.Add(time.Hour), c.Advance(time.Hour))
	require.Equal(t, noon.Add(time.Hour), c.Now())
	require.Equal(t, noon.Add(-time.Hour), c.Advance(-2*time.Hour))
	c.Set(noon)
	require.Equal(t, noon, c.Now())
	require.Zero(t, (&authtest.Clock{}).Now())
}

func TestClockIsSafeForConcurrentUse(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	c := authtest.NewClock(noon)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			c.Advance(time.Second)
			c.Now()
		})
	}
	all.Wait()
	require.Equal(t, noon.Add(100*time.Second), c.Now())
}

// forgetful counts nothing, as a store does that lost its table.
type forgetful struct{ auth.Counters }

func (forgetful) Take(context.Context, []auth.Bucket, time.Time) (auth.Taken, error) {
	return auth.Taken{OK: true}, nil
}

func ExampleCheckCounters() {
	ctx := context.Background()
	err := authtest.CheckCounters(ctx, func() (auth.Counters, error) { return memory.New(), nil })
	fmt.Println("memory:", err)

	err = authtest.CheckCounters(ctx, func() (auth.Counters, error) { return forgetful{memory.New()}, nil })
	fmt.Println("forgetful is broken:", err != nil)
	// Output:
	// memory: <nil>
	// forgetful is broken: true
}
