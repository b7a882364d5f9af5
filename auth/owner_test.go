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

// Of two requests with one handle, the one that comes second has done nothing, a change of password included: what
// it is told must be true.
func TestChangeThatLostItsStepIsNotMade(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	p, err := b.enrol()
	require.NoError(t, err)
	var first auth.Progress
	w.pw.meanwhile(func() {
		var err error
		first, err = b.password(p.Handle, right)
		require.NoError(t, err)
		require.Equal(t, flow.PasswordChange, first.View.Need)
	})
	second, err := b.do(p.Handle, "password", change(right, newer, true))
	require.NoError(t, err)
	require.True(t, second.Repeated)
	require.Equal(t, first.Handle.Reveal(), second.Handle.Reveal())
	require.True(t, w.alive(b.session))
	last, err := b.do(second.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(latest)})
	require.NoError(t, err)
	require.NotNil(t, last.Session, "the flow goes on where the first one left it")
	w.browser().signIn(ann, latest)
}

// The double click of a change of password: the second one shows what the first one did, though a change takes two
// versions of the flow.
func TestDoubleClickOfAChangeShowsItsEnd(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	p, err := b.enrol()
	require.NoError(t, err)
	again := auth.ContinueRequest{Handle: p.Handle, Action: "password", Inputs: change(right, newer, false), Client: b.client()}
	done, err := b.do(p.Handle, "password", change(right, newer, false))
	require.NoError(t, err)
	require.NotNil(t, done.Session)
	for range 2 {
		second, err := w.Continue(w.ctx, again)
		require.NoError(t, err)
		require.True(t, second.Repeated)
		require.Nil(t, second.Session)
		require.Equal(t, flow.Granted.String(), second.View.Outcome)
	}
	w.clock.Advance(30 * time.Second)
	_, err = w.Continue(w.ctx, again)
	refused(t, err, flow.Stale)
}

// An account that is deleted while its owner ends the other sessions is no fault of the server.
func TestEndOthersOfADeletedAccount(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	s := w.browser().signIn(ann, right)
	require.NoError(t, w.DeleteAccount(w.ctx, a.ID))
	refused(t, w.EndOtherSessions(w.ctx, s.Session, auth.Client{}), flow.SessionRequired)
	require.Empty(t, w.live(a.ID))
}
