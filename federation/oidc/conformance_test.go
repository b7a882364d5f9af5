package oidc_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation/oidc"
	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

// conformance is one module of the conformance suite, or a failure beyond it, met by the whole stack.
type conformance struct {
	*stack
	t    *testing.T
	mode oidctest.Info
}

func byFormPost(c *oidc.Config) { c.Info.FormPost = true }

// TestConformance meets every mode that the provider has, each in a subtest that has the name of the suite's module. The
// suite is https://gitlab.com/openid/conformance-suite, package net.openid.conformance.openid.client.
func TestConformance(t *testing.T) {
	plans := map[oidctest.Plan]int{
		oidctest.Basic: 14, oidctest.ByConfiguration: 6, oidctest.FormPost: 15, oidctest.RPInitiatedLogout: 3,
		oidctest.BackChannelLogout: 8, oidctest.Beyond: 10, oidctest.Robustness: 10,
	}
	op := newOP(t)
	met := map[oidctest.Mode]bool{}
	for plan, modes := range plans {
		ran := 0
		t.Run(string(plan), func(t *testing.T) {
			op.SetMode(oidctest.Default)
			s := connected(t, op)
			for _, m := range slices.Concat(oidctest.Modes(), oidctest.Failures()) {
				if !m.In(plan) {
					continue
				}
				ran, met[m.Mode] = ran+1, true
				t.Run(string(m.Mode), func(t *testing.T) { (&conformance{s, t, m}).meet(plan) })
			}
		})
		require.Equal(t, modes, ran, "%s: a mode was not met", plan)
	}
	require.Len(t, met, len(oidctest.Modes())+len(oidctest.Failures()))
}

func (c *conformance) meet(plan oidctest.Plan) {
	c.stack.t = c.t
	c.op.SetMode(oidctest.Default)
	var bends []func(*oidc.Config)
	if plan == oidctest.FormPost {
		bends = append(bends, byFormPost)
	}
	c.restart(c.rp("acme", c.op, bends...))
	c.op.SetMode(c.mode.Mode)
	defer c.op.SetMode(oidctest.Default)
	c.op.Forget()
	c.audit.take()
	switch c.mode.Drive {
	case oidctest.SignIn, oidctest.SilentError:
		c.signsIn()
	case oidctest.SignInTwice:
		c.signsIn()
		c.signsIn()
	case oidctest.SignOut:
		c.signsOut()
	case oidctest.BackChannel:
		c.isToldOfAnEnd()
	default:
		require.Fail(c.t, "no such drive", c.mode.Drive)
	}
}

// signsIn signs in once and holds what came of it against the verdict.
func (c *conformance) signsIn() {
	before := c.live(c.ann)
	b := c.surfer()
	b.signIn("acme")
	got := b.account()
	switch c.mode.Verdict {
	case oidctest.Accept:
		require.Equal(c.t, c.ann.ID, got, "%s %v", b.page.body, reasons(c.audit.take()))
	case oidctest.Refuse:
		require.Empty(c.t, got, "a session")
	}
	if got != "" {
		require.Equal(c.t, c.ann.ID, got, "somebody else's session")
		require.Len(c.t, c.live(c.ann), len(before)+1)
		require.Equal(c.t, "/home", b.page.url.Path)
	} else {
		require.Equal(c.t, before, c.live(c.ann))
		b.stays()
		require.NotEmpty(c.t, reasons(c.audit.take()), "nobody can find out why")
	}
	c.wasAsked()
}

// wasAsked is what the provider must and must not have seen.
func (c *conformance) wasAsked() {
	log := c.op.Requests()
	for _, r := range log.Tokens {
		require.Equal(c.t, []string{"client_secret_basic", stackClient}, []string{r.Auth, r.ClientID})
	}
	for _, r := range log.UserInfos {
		require.Equal(c.t, []any{"GET", true}, []any{r.Method, r.Bearer}, "the access token is for the header alone")
	}
	for _, a := range log.Authorizations {
		require.Empty(c.t, a.Error)
		require.Equal(c.t, "openid email profile address phone", a.Params.Get("scope"))
	}
	switch c.mode.Mode {
	case oidctest.DiscoveryIssuerMismatch, oidctest.InvalidSigHS256, oidctest.InvalidSigES256:
		require.Empty(c.t, log.Authorizations, "a sign-in has begun")
	case oidctest.InvalidResponseIssuer, oidctest.RemovedResponseIssuer, oidctest.InvalidResponseState, oidctest.MissingResponseState,
		oidctest.FormPostError, oidctest.AccessDenied, oidctest.RepeatedParameters, oidctest.CodeAndError:
		require.NotEmpty(c.t, log.Authorizations)
		require.Empty(c.t, log.Tokens, "the code was redeemed")
	case oidctest.KeyRotation, oidctest.KeyRotationBeforeSigning:
		require.LessOrEqual(c.t, log.Fetches["/jwks"], 2)
	case oidctest.UserInfoBearerHeader, oidctest.UserInfoInvalidSubject, oidctest.UserInfoSigned, oidctest.ScopeUserInfoClaims:
		require.Len(c.t, log.UserInfos, 1)
	case oidctest.DiscoveryConfiguration, oidctest.DiscoveryJWKSURIKeys:
		require.Equal(c.t, []int{1, 1}, []int{log.Fetches["/.well-known/openid-configuration"], log.Fetches["/jwks"]})
	}
}

// TestProvidersThatFailInPlaces: a provider of which one part is out of order is refused as one that is so altogether.
func TestProvidersThatFailInPlaces(t *testing.T) {
	s := connected(t, newOP(t))
	s.patience = 100 * time.Millisecond // less than the provider takes in the mode Slow
	for _, m := range []oidctest.Mode{oidctest.Down, oidctest.Garbage, oidctest.Huge, oidctest.Slow} {
		for _, path := range []string{"/.well-known/openid-configuration", "/jwks", "/token", "/userinfo"} {
			t.Run(string(m)+path, func(t *testing.T) {
				s.restart(s.rp("acme", s.op))
				s.op.SetMode(m, path)
				defer s.op.SetMode(oidctest.Default)
				c := &conformance{s, t, m.Info()}
				s.t = t
				c.op.Forget()
				c.audit.take()
				c.mode.Verdict = oidctest.Refuse
				c.signsIn()
			})
		}
	}
}
