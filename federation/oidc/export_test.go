package oidc

import (
	"context"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// Decode is for the fuzz target.
var Decode = decode

// VerifyIDToken checks an ID token as Complete does when it has one.
func (p *Provider) VerifyIDToken(ctx context.Context, t auth.Trip, id, access string) (Claims, error) {
	m, err := p.configuration(ctx)
	if err != nil {
		return Claims{}, err
	}
	token, err := p.verifyIDToken(ctx, m, t, tokens{id: id, access: access})
	return token.claims, err
}

// The bounds of what is fetched.
const (
	ForcedCooldown  = forcedCooldown
	FailureCooldown = failureCooldown
	MinKeep         = minKeep
	MaxKeep         = maxKeep
)

// KeepFor is how long keys with this Cache-Control are kept.
var KeepFor = keepFor

// Cached is for tests of the cache alone.
type Cached = cached[int]

// NewCached returns one.
func NewCached(now func() time.Time, fetch func(context.Context) (int, time.Duration, error)) *Cached {
	var c Cached
	c.init(now, fetch)
	return &c
}

// Get and Newer ask it.
func (c *cached[T]) Get(ctx context.Context) (T, int, error)           { return c.get(ctx) }
func (c *cached[T]) Newer(ctx context.Context, version int) (T, error) { return c.newer(ctx, version) }
