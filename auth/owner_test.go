package auth_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Whoever sits at a computer that the owner used once must not be able to stop the owner's other ones.
func TestEachKnownDeviceHasALaneOfItsOwn(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) { c.Throttle.Cap = 3 })
	w.account(ann)
	laptop, cafe := w.browser(), w.browser()
	laptop.signIn(ann, right)
	cafe.signIn(ann, right)
	laptop.session, cafe.session = auth.Secret{}, auth.Secret{}
	for range 3 {
		require.Equal(t, flow.BadCredentials, cafe.guess(ann, wrong).Reason)
	}
	require.Equal(t, flow.TooManyAttempts, cafe.guess(ann, right).Reason)
	laptop.signIn(ann, right)
}

// A known device pays for its own failures alone: strangers behind the same address must not stop it.
func TestKnownDeviceDoesNotShareItsPrefix(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) { c.Throttle.PrefixCap, c.Throttle.PrefixLeak = 2, time.Hour })
	w.account(ann)
	owner, neighbour := w.browser(), w.browser()
	neighbour.addr = owner.addr
	owner.signIn(ann, right)
	owner.session = auth.Secret{}
	for range 2 {
		neighbour.guess("nobody@example.com", wrong)
	}
	require.Equal(t, flow.TooManyAttempts, neighbour.guess(ann, right).Reason)
	owner.signIn(ann, right)
}

// An operator can let an owner back in whom strangers shut out from every device.
func TestUnlockForgetsStrangersFailures(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) { c.Throttle.Cap, c.Throttle.AccountCap = 3, 3 })
	a := w.account(ann)
	stranger := w.browser()
	for range 3 {
		stranger.guess(ann, wrong)
	}
	require.Equal(t, flow.TooManyAttempts, stranger.guess(ann, right).Reason)
	require.NoError(t, w.UnlockAccount(w.ctx, a.ID))
	require.Equal(t, flow.Active, w.standing(a.ID).Status)
	w.browser().signIn(ann, right)
}

// Two hostile sign-ins at once must not save the account from the lock.
func TestLockHoldsAgainstAnotherChange(t *testing.T) {
	first := true
	var w *world
	w = newWorld(t, func(c *auth.Config) {
		c.Risk = func(_ context.Context, r auth.RiskRequest) (flow.Verdict, error) {
			if first {
				first = false
				p, err := w.browser().try(ann, right)
				require.NoError(t, err)
				require.Equal(t, flow.AccountLocked, reasonOf(p))
				require.NoError(t, w.UnlockAccount(w.ctx, r.Account.ID))
			}
			return flow.RiskLock, nil
		}
	})
	a := w.account(ann)
	p, err := w.browser().try(ann, right)
	require.NoError(t, err)
	require.Nil(t, p.Session)
	require.Equal(t, flow.AccountLocked, reasonOf(p))
	require.Equal(t, flow.Locked, w.standing(a.ID).Status, "whatever changed meanwhile, the verdict holds")
	require.Equal(t, flow.Locked, w.mirror(a.ID).Status)
}

// Of a double click whose two requests run at the same time, the second one looks at what the first one did.
func TestSecondOfADoubleClickLooksOn(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	b := w.browser()
	p, err := b.begin(ann)
	require.NoError(t, err)
	click := func() (auth.Progress, error) {
		return w.Continue(w.ctx, auth.ContinueRequest{
			Handle: p.Handle, Action: "password", Client: b.client(), Inputs: auth.Inputs{Password: auth.NewSecret(right)},
		})
	}
	var first auth.Progress
	w.pw.meanwhile(func() {
		var err error
		first, err = click()
		require.NoError(t, err)
		require.NotNil(t, first.Session)
	})
	second, err := click()
	require.NoError(t, err)
	require.True(t, second.Repeated)
	require.Nil(t, second.Session)
	require.Equal(t, flow.Granted.String(), second.View.Outcome)
	require.Equal(t, []string{first.Session.ID}, w.live(a.ID))
}
