package oidc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// forcedCooldown is between two fetches that somebody's token caused. Tokens that name keys which do not exist can
	// be made by everybody, and must not make us the provider's attacker.
	forcedCooldown = time.Minute
	// failureCooldown is how long a failure is answered without asking again, so that a provider that is down does
	// not keep each sign-in waiting until its time is out.
	failureCooldown = 15 * time.Second
	// fetchTimeout bounds a fetch whatever the host's own client does.
	fetchTimeout = 15 * time.Second
)

var (
	errCooldown = errors.New("it was asked a moment ago")
	errPanic    = errors.New("the fetch panicked")
)

// cached is a document of the provider that is kept for a while. Callers share one fetch, which goes on if one of
// them leaves. It is safe for concurrent use after init.
type cached[T any] struct {
	now   func() time.Time
	fetch func(context.Context) (T, time.Duration, error)

	mu      sync.Mutex
	value   T
	version int       // of value, from 1; 0 if there is none
	until   time.Time // when value ends
	forced  time.Time // when the last forced fetch began
	failed  time.Time // when the last fetch failed, if failure is not nil
	failure error
	flight  *flight[T]
}

// flight is a fetch under way. Its fields are set when done is closed.
type flight[T any] struct {
	done    chan struct{}
	value   T
	version int
	err     error
}

func (c *cached[T]) init(now func() time.Time, fetch func(context.Context) (T, time.Duration, error)) {
	c.now, c.fetch = now, fetch
}

// get returns the value and its version. If it is not there or has ended, it is fetched; a value that has ended is
// never returned.
func (c *cached[T]) get(ctx context.Context) (T, int, error) {
	c.mu.Lock()
	if c.version > 0 && c.now().Before(c.until) {
		defer c.mu.Unlock()
		return c.value, c.version, nil
	}
	return c.join(ctx, func() error { return nil })
}

// newer returns a value that was fetched after the one of that version, if one may be fetched now; else errCooldown.
func (c *cached[T]) newer(ctx context.Context, version int) (T, error) {
	c.mu.Lock()
	if c.version > version && c.now().Before(c.until) {
		defer c.mu.Unlock()
		return c.value, nil
	}
	v, _, err := c.join(ctx, func() error {
		now := c.now()
		if !c.forced.IsZero() && now.Sub(c.forced) < forcedCooldown {
			return errCooldown
		}
		c.forced = now
		return nil
	})
	return v, err
}

// join waits for the fetch that is under way, or for a new one if may allows it. It is called with the lock held, and
// gives it back.
func (c *cached[T]) join(ctx context.Context, may func() error) (none T, _ int, _ error) {
	f := c.flight
	if f == nil {
		err := c.failure
		if err == nil || c.now().Sub(c.failed) >= failureCooldown {
			err = may()
		}
		if err != nil {
			c.mu.Unlock()
			return none, 0, err
		}
		f = &flight[T]{done: make(chan struct{})}
		c.flight = f
		// Without the caller's end: who comes first must not be able to spoil it for those who wait with them.
		go c.fly(context.WithoutCancel(ctx), f)
	}
	c.mu.Unlock()
	select {
	case <-ctx.Done():
		return none, 0, context.Cause(ctx)
	case <-f.done:
		return f.value, f.version, f.err
	}
}

// fly fetches, and tells everybody who waits.
func (c *cached[T]) fly(ctx context.Context, f *flight[T]) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	value, ttl, err := c.guarded(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.value, c.until, c.failure = value, c.now().Add(ttl), nil
		c.version++
	} else {
		c.failure, c.failed = err, c.now()
	}
	f.value, f.version, f.err = value, c.version, err
	c.flight = nil
	close(f.done)
}

// guarded is fetch that returns an error where it panics: nobody's handler is below to recover, and the whole program
// would end.
func (c *cached[T]) guarded(ctx context.Context) (value T, ttl time.Duration, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %T", errPanic, r)
		}
	}()
	return c.fetch(ctx)
}
