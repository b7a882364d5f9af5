package auth_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// What an operator or the owner does while a sign-in is in the middle of its hash: the sign-in saw the
// account as it was before, and must not end in a session (ASVS 7.4.3; the race that limen and authboss lose).
func TestChangeInTheMiddleOfASignInLeavesItWithoutASession(t *testing.T) {
	for name, c := range map[string]struct {
		act    func(w *world, id string, owner *browser) error
		status flow.Status
		next   string // the password that signs in afterwards
	}{
		"password change": {func(_ *world, _ string, owner *browser) error {
			p, err := owner.change(right, newer, false)
			require.NotNil(owner.w.t, p.Session)
			return err
		}, flow.Active, newer},
		"password change that ends others": {func(_ *world, _ string, owner *browser) error {
			_, err := owner.change(right, newer, true)
			return err
		}, flow.Active, newer},
		"disable":      {func(w *world, id string, _ *browser) error { return w.DisableAccount(w.ctx, id) }, flow.Disabled, ""},
		"compromised":  {func(w *world, id string, _ *browser) error { return w.MarkPasswordCompromised(w.ctx, id) }, flow.Active, right},
		"end sessions": {func(w *world, id string, _ *browser) error { return w.EndSessions(w.ctx, id) }, flow.Active, right},
		"end others": {func(w *world, _ string, owner *browser) error {
			s, err := w.Authenticate(w.ctx, owner.session)
			require.NoError(w.t, err)
			return w.EndOtherSessions(w.ctx, s, auth.Client{})
		}, flow.Active, right},
		"account changed": {func(w *world, id string, _ *browser) error { return w.AccountChanged(w.ctx, id) }, flow.Active, right},
		"delete":          {func(w *world, id string, _ *browser) error { return w.DeleteAccount(w.ctx, id) }, flow.Disabled, ""},
		"disable and enable": {func(w *world, id string, _ *browser) error {
			require.NoError(w.t, w.DisableAccount(w.ctx, id))
			return w.EnableAccount(w.ctx, id)
		}, flow.Active, right},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.account(ann)
			owner, late := w.browser(), w.browser()
			owner.signIn(ann, right)
			p, err := late.begin(ann)
			require.NoError(t, err)
			acted := false
			w.pw.meanwhile(func() {
				acted = true
				require.NoError(t, c.act(w, a.ID, owner))
			})
			p, err = late.password(p.Handle, right)
			require.True(t, acted)
			require.Nil(t, p.Session)
			if name == "delete" {
				refused(t, err, flow.Stale)
			} else {
				require.NoError(t, err)
				require.Equal(t, "ended", p.View.Outcome)
				require.Equal(t, flow.Stale, reasonOf(p))
			}
			require.LessOrEqual(t, len(w.live(a.ID)), 1, "the owner's at most")

			p, err = w.browser().try(ann, right)
			require.NoError(t, err)
			switch {
			case c.next == "":
				require.Equal(t, flow.BadCredentials, reasonOf(p))
				require.Empty(t, w.live(a.ID))
				return
			case c.next == newer:
				require.Equal(t, flow.BadCredentials, reasonOf(p))
				w.browser().signIn(ann, newer)
			case name == "compromised":
				require.Equal(t, flow.PasswordChange, p.View.Need)
			default:
				require.NotNil(t, p.Session, "the very next sign-in works")
			}
			require.Equal(t, c.status, w.standing(a.ID).Status)
			require.Equal(t, w.standing(a.ID), w.mirror(a.ID))
		})
	}
}

// A lock by the host's risk function ends the sessions that are there, and the sign-ins under way.
func TestHostileSignInLocksTheAccount(t *testing.T) {
	verdict := flow.RiskAllow
	w := newWorld(t, func(c *auth.Config) {
		c.Risk = func(_ context.Context, r auth.RiskRequest) (flow.Verdict, error) {
			require.Equal(t, ann, r.Account.Identifier)
			return verdict, nil
		}
	})
	a := w.account(ann)
	owner, late := w.browser(), w.browser()
	owner.signIn(ann, right)
	p, err := late.begin(ann)
	require.NoError(t, err)
	w.pw.meanwhile(func() {
		verdict = flow.RiskLock
		hostile, err := w.browser().try(ann, right)
		require.NoError(t, err)
		require.Nil(t, hostile.Session)
		require.Equal(t, flow.AccountLocked, reasonOf(hostile))
		verdict = flow.RiskAllow
	})
	p, err = late.password(p.Handle, right)
	require.NoError(t, err)
	require.Nil(t, p.Session)
	require.Empty(t, w.live(a.ID))
	require.Equal(t, flow.Locked, w.standing(a.ID).Status)
	p, err = w.browser().try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.BadCredentials, reasonOf(p))
	require.NoError(t, w.UnlockAccount(w.ctx, a.ID))
	require.Empty(t, w.live(a.ID))
	w.browser().signIn(ann, right)

	verdict = flow.RiskRefuse
	p, err = w.browser().try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.SignInRefused, reasonOf(p))
	require.Equal(t, flow.Active, w.standing(a.ID).Status)
}

// ASVS 7.4.3, 7.5.2.
func TestEndOthersKeepsTheActingSession(t *testing.T) {
	w := newWorld(t)
	a, bob := w.account(ann), w.account("bob@example.com")
	kept, other, foreign := w.browser(), w.browser(), w.browser()
	s := kept.signIn(ann, right)
	other.signIn(ann, right)
	foreign.signIn("bob@example.com", right)
	list, err := w.Sessions(w.ctx, s.Session)
	require.NoError(t, err)
	require.Len(t, list, 2)
	for _, x := range list {
		require.Equal(t, x.ID == s.ID, x.Current)
	}
	refused(t, w.EndSession(w.ctx, s.Session, w.live(bob.ID)[0]), flow.NotFound)
	for range 2 {
		require.NoError(t, w.EndOtherSessions(w.ctx, s.Session, auth.Client{}))
		require.Equal(t, []string{s.ID}, w.live(a.ID))
		require.True(t, w.alive(kept.session))
		require.False(t, w.alive(other.session))
		require.True(t, w.alive(foreign.session))
	}
	third := w.browser()
	last := third.signIn(ann, right)
	require.NoError(t, w.EndSession(w.ctx, s.Session, last.ID))
	require.False(t, w.alive(third.session))
	require.NoError(t, w.EndSessions(w.ctx, a.ID))
	require.Empty(t, w.live(a.ID))
	require.True(t, w.alive(foreign.session))
}

// A thief who keeps ending the others of a stolen session must not outrun whoever ends them all: neither by
// raising the epoch to the same height a moment before, nor by being kept then.
func TestEndSessionsCannotBeOutrunByEndOthers(t *testing.T) {
	for name, c := range map[string]func(w *world, id string, own auth.Session) error{
		"all":             func(w *world, id string, _ auth.Session) error { return w.EndSessions(w.ctx, id) },
		"account changed": func(w *world, id string, _ auth.Session) error { return w.AccountChanged(w.ctx, id) },
		"others":          func(w *world, _ string, own auth.Session) error { return w.EndOtherSessions(w.ctx, own, auth.Client{}) },
		"disable":         func(w *world, id string, _ auth.Session) error { return w.DisableAccount(w.ctx, id) },
	} {
		for n := 1; n <= 4; n++ {
			t.Run(fmt.Sprint(name, n), func(t *testing.T) {
				w := newWorld(t)
				a := w.account(ann)
				thief, owner := w.browser(), w.browser()
				stolen, own := thief.signIn(ann, right), owner.signIn(ann, right)
				calls, acted := 0, false
				w.tap.set(func(_ context.Context, _ int, _ string, work func() error) error {
					err := work()
					if calls++; calls == n {
						acted = true
						if err := w.EndOtherSessions(w.ctx, stolen.Session, auth.Client{}); n > 2 && err != nil {
							refused(t, err, flow.SessionRequired) // it had ended by then
						} else {
							require.NoError(t, err)
						}
					}
					return err
				})
				err := c(w, a.ID, own.Session)
				w.tap.set(nil)
				require.True(t, acted)
				if name == "others" && err != nil {
					refused(t, err, flow.SessionRequired) // the thief was first, and the owner is told
					require.False(t, w.alive(owner.session))
					own = owner.signIn(ann, right)
					err = w.EndOtherSessions(w.ctx, own.Session, auth.Client{})
				}
				require.NoError(t, err)
				require.False(t, w.alive(thief.session))
				if name == "disable" {
					require.NoError(t, w.EnableAccount(w.ctx, a.ID))
					require.Empty(t, w.live(a.ID))
				}
			})
		}
	}
}

// A session that ended must not come back by being named as the one to keep.
func TestEndOthersDoesNotReviveADeadSession(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	b := w.browser()
	s := b.signIn(ann, right)
	require.NoError(t, w.EndSessions(w.ctx, a.ID))
	fresh := w.browser().signIn(ann, right)
	refused(t, w.EndOtherSessions(w.ctx, s.Session, auth.Client{}), flow.SessionRequired)
	require.False(t, w.alive(b.session))
	require.Equal(t, []string{fresh.ID}, w.live(a.ID), "what has ended ends nobody else either")
}

// The two stores are written one after the other. A crash in between must leave less open than before, and
// must not leave the owner outside.
func TestCrashBetweenTheStoresLeavesNothingOpen(t *testing.T) {
	type doer func(w *world, id string, owner *browser) error
	changePassword := func(others bool) doer {
		return func(_ *world, _ string, owner *browser) error {
			_, err := owner.change(right, newer, others)
			return err
		}
	}
	for name, c := range map[string]struct {
		port   string
		act    doer
		others bool // the act would have ended the others
		owner  bool // the owner's own session may survive
	}{
		"change password":             {"PasswordStore.ReplacePassword", changePassword(false), false, true},
		"change password, end others": {"PasswordStore.ReplacePassword", changePassword(true), true, true},
		"disable":                     {"Accounts.SetStatus", func(w *world, id string, _ *browser) error { return w.DisableAccount(w.ctx, id) }, true, false},
		"end sessions":                {"Accounts.RaiseEpochs", func(w *world, id string, _ *browser) error { return w.EndSessions(w.ctx, id) }, true, false},
		"account changed":             {"Accounts.RaiseEpochs", func(w *world, id string, _ *browser) error { return w.AccountChanged(w.ctx, id) }, true, false},
		"compromised":                 {"PasswordStore.MarkCompromised", func(w *world, id string, _ *browser) error { return w.MarkPasswordCompromised(w.ctx, id) }, false, true},
		"end others": {"Accounts.RaiseEpochs", func(w *world, _ string, owner *browser) error {
			s, err := w.sessions.Authenticate(w.ctx, owner.session, w.clock.Now())
			require.NoError(w.t, err)
			return w.EndOtherSessions(w.ctx, s, auth.Client{})
		}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.account(ann)
			owner, other := w.browser(), w.browser()
			owner.signIn(ann, right)
			other.signIn(ann, right)
			acting := owner.session
			crashed := false
			w.tap.set(func(_ context.Context, _ int, port string, work func() error) error {
				crashed = crashed || port == c.port
				if crashed { // from here on nothing is reached any more
					return errFault
				}
				return work()
			})
			err := c.act(w, a.ID, owner)
			require.ErrorIs(t, err, errFault)
			w.tap.set(nil)

			require.Equal(t, !c.others, w.alive(other.session), "ended, or as it was")
			require.Equal(t, c.owner, w.alive(acting))
			before := w.live(a.ID)

			p, err := w.browser().try(ann, right)
			require.NoError(t, err)
			if p.Session == nil {
				require.Equal(t, flow.Stale, reasonOf(p), "begin again")
				w.browser().signIn(ann, right)
			}
			require.Equal(t, !c.others, w.alive(other.session), "bringing the stores together revives nothing")
			require.Len(t, w.live(a.ID), len(before)+1)
			require.NoError(t, w.EndSessions(w.ctx, a.ID))
			require.Empty(t, w.live(a.ID))
			require.False(t, w.alive(acting), "the session that was kept ends with all")
			require.Equal(t, w.standing(a.ID), w.mirror(a.ID))
			w.browser().signIn(ann, right)
		})
	}
}

// The same straight after the crash, with no sign-in in between that brings the stores together.
func TestEndSessionsAfterACrashEndsTheKeptOne(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	owner := w.browser()
	s := owner.signIn(ann, right)
	for range 3 { // the sessions' picture runs ahead by three
		w.tap.failOnce("Accounts.RaiseEpochs", false)
		require.ErrorIs(t, w.EndOtherSessions(w.ctx, s.Session, auth.Client{}), errFault)
	}
	w.tap.set(nil)
	require.True(t, w.alive(owner.session))
	before := w.mirror(a.ID).Epochs.Session
	require.NoError(t, w.EndSessions(w.ctx, a.ID))
	require.Greater(t, w.mirror(a.ID).Epochs.Session, before)
	require.False(t, w.alive(owner.session))
	require.Empty(t, w.live(a.ID))
	w.browser().signIn(ann, right)

	s2, err := w.sessions.List(w.ctx, a.ID, w.clock.Now())
	require.NoError(t, err)
	w.tap.failOnce("Accounts.RaiseEpochs", false)
	require.ErrorIs(t, w.EndOtherSessions(w.ctx, s2[0], auth.Client{}), errFault)
	w.tap.set(nil)
	require.NoError(t, w.DisableAccount(w.ctx, a.ID))
	require.Empty(t, w.live(a.ID), "nor does it survive the end of the account")
	require.NoError(t, w.EnableAccount(w.ctx, a.ID))
	require.Empty(t, w.live(a.ID))
}

// A change whose fence finds the sessions ahead brings both together; the next try goes through, and ends
// the others as it was asked to.
func TestPasswordChangeAfterACrashEndsTheOthers(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	owner, other := w.browser(), w.browser()
	s := owner.signIn(ann, right)
	w.tap.failOnce("Accounts.RaiseEpochs", false)
	require.ErrorIs(t, w.EndOtherSessions(w.ctx, s.Session, auth.Client{}), errFault)
	w.tap.set(nil)
	p, err := other.try(ann, right)
	require.NoError(t, err)
	if p.Session == nil {
		other.signIn(ann, right)
	}
	p, err = owner.change(right, newer, true)
	require.NoError(t, err)
	if p.Session == nil {
		require.Equal(t, flow.Stale, reasonOf(p))
		p, err = owner.change(right, newer, true)
		require.NoError(t, err)
	}
	require.NotNil(t, p.Session)
	require.False(t, w.alive(other.session))
	require.True(t, w.alive(owner.session))
}

// Bringing the stores together reads the account once more after it raised it: an account that was closed
// meanwhile must not stand as open in the sessions' picture.
func TestRealignNeverReopensWhatWasClosedMeanwhile(t *testing.T) {
	for _, port := range []string{"Accounts.State", "Sessions.Align", "Sessions.Raise", "Accounts.RaiseEpochs"} {
		for n := 1; n <= 3; n++ {
			w := newWorld(t)
			a := w.account(ann)
			s := w.browser().signIn(ann, right)
			w.tap.failOnce("Accounts.RaiseEpochs", false)
			require.ErrorIs(t, w.EndOtherSessions(w.ctx, s.Session, auth.Client{}), errFault)
			seen := 0
			w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
				err := work()
				if name == port {
					if seen++; seen == n {
						w.tap.set(nil)
						require.NoError(t, w.DisableAccount(w.ctx, a.ID))
					}
				}
				return err
			})
			_ = w.EnableAccount(w.ctx, a.ID) // nothing to enable: it only brings the stores together
			_ = w.AccountChanged(w.ctx, a.ID)
			w.tap.set(nil)
			if seen < n {
				continue // there are fewer calls of this port
			}
			require.Equal(t, flow.Disabled, w.standing(a.ID).Status, "%s %d", port, n)
			require.Equal(t, flow.Disabled, w.mirror(a.ID).Status, "%s %d", port, n)
			require.Empty(t, w.live(a.ID))
		}
	}
}

// ASVS 6.2.10: a password is not changed for its age.
func TestOldPasswordsStayGood(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	w.browser().signIn(ann, right)
	w.clock.Advance(10 * 365 * 24 * time.Hour)
	w.browser().signIn(ann, right)
}

// ASVS 6.2.10, the other half: a compromised one must be changed, and no way leads past that.
func TestCompromisedPasswordMustBeChangedInTheSignIn(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	elsewhere := w.browser()
	elsewhere.signIn(ann, right)
	require.NoError(t, w.MarkPasswordCompromised(w.ctx, a.ID))
	before := w.live(a.ID)
	b := w.browser()
	p, err := b.try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.PasswordChange, p.View.Need)
	for _, action := range []string{"password", "identify", "cancel", "accept", "", "skip"} {
		p, err = b.do(p.Handle, action, auth.Inputs{Password: auth.NewSecret(right), Identifier: ann, NewPassword: auth.NewSecret(newer)})
		refused(t, err, flow.NotOffered)
		require.Nil(t, p.Session)
	}
	p, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(weak)})
	require.NoError(t, err)
	require.Equal(t, flow.PasswordRejected, reasonOf(p))
	p, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(right)})
	require.NoError(t, err)
	require.Equal(t, &flow.Refusal{Reason: flow.PasswordRejected, Problem: auth.ProblemUnchanged}, p.View.Refusal)
	p, err = b.do(p.Handle, "restart", auth.Inputs{})
	require.NoError(t, err)
	p, err = b.do(p.Handle, "identify", auth.Inputs{Identifier: ann})
	require.NoError(t, err)
	p, err = b.password(p.Handle, right)
	require.NoError(t, err)
	require.Nil(t, p.Session)
	require.Equal(t, before, w.live(a.ID))
	p, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(newer)})
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	w.browser().signIn(ann, newer)
	p, err = w.browser().try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.BadCredentials, reasonOf(p))
}

// The mark holds even if the server dies right after it: a sign-in that looked before gets no session.
func TestCompromisedPasswordSignsNobodyInAfterACrash(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	late := w.browser()
	p, err := late.begin(ann)
	require.NoError(t, err)
	w.pw.meanwhile(func() {
		marked := false
		w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
			if marked && name != "Audit.Record" {
				return errFault
			}
			marked = marked || name == "PasswordStore.MarkCompromised"
			return work()
		})
		require.ErrorIs(t, w.MarkPasswordCompromised(w.ctx, a.ID), errFault)
		require.True(t, marked)
		w.tap.set(nil)
	})
	p, err = late.password(p.Handle, right)
	require.NoError(t, err)
	require.Nil(t, p.Session)
	require.Empty(t, w.live(a.ID))
}

// Two changes at once: the account ends with one of the two passwords, and the loser is told.
func TestOfTwoPasswordChangesOneWins(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	first, second := w.browser(), w.browser()
	first.signIn(ann, right)
	second.signIn(ann, right)
	p, err := first.enrol()
	require.NoError(t, err)
	w.pw.meanwhile(func() {
		_, err := second.change(right, newer, false)
		require.NoError(t, err)
	})
	p, err = first.do(p.Handle, "password", change(right, "a phrase that loses", false))
	require.NoError(t, err)
	require.Nil(t, p.Session)
	require.Equal(t, flow.Stale, reasonOf(p))
	w.browser().signIn(ann, newer)
}

// Before a first proof, what changed is simply taken over: an end of the flow would tell a stranger that there
// is an account whose owner just changed something.
func TestChangeBeforeTheFirstProofIsTakenOver(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	owner, b := w.browser(), w.browser()
	owner.signIn(ann, right)
	p, err := b.begin(ann)
	require.NoError(t, err)
	_, err = owner.change(right, newer, true)
	require.NoError(t, err)
	p, err = b.password(p.Handle, right)
	require.NoError(t, err)
	require.Equal(t, flow.BadCredentials, reasonOf(p))
	p, err = b.password(p.Handle, newer)
	require.NoError(t, err)
	require.NotNil(t, p.Session)

	late := w.browser()
	p, err = late.begin(ann)
	require.NoError(t, err)
	require.NoError(t, w.DisableAccount(w.ctx, a.ID))
	p, err = late.password(p.Handle, newer)
	require.NoError(t, err)
	require.Equal(t, flow.BadCredentials, reasonOf(p), "closed in between looks like a wrong password, too")
	require.Equal(t, "open", p.View.Outcome)
}

// A change that failed alone leaves the two stores together: the owner need not sign in twice.
func TestFailedChangeBringsTheStoresTogether(t *testing.T) {
	for port, act := range map[string]func(w *world, id string, owner *browser) error{
		"PasswordStore.ReplacePassword": func(_ *world, _ string, owner *browser) error {
			_, err := owner.change(right, newer, false)
			return err
		},
		"Accounts.SetStatus":            func(w *world, id string, _ *browser) error { return w.DisableAccount(w.ctx, id) },
		"PasswordStore.MarkCompromised": func(w *world, id string, _ *browser) error { return w.MarkPasswordCompromised(w.ctx, id) },
	} {
		w := newWorld(t)
		a := w.account(ann)
		owner := w.browser()
		owner.signIn(ann, right)
		w.tap.failOnce(port, false)
		require.ErrorIs(t, act(w, a.ID, owner), errFault)
		w.tap.set(nil)
		require.Equal(t, w.standing(a.ID), w.mirror(a.ID), port)
		w.browser().signIn(ann, right)
	}
}

// After something was proven, a change of the account ends the flow between two requests, too.
func TestChangeBetweenTwoStepsEndsTheFlow(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	p, err := b.enrol()
	require.NoError(t, err)
	p, err = b.do(p.Handle, "password", auth.Inputs{Password: auth.NewSecret(right)})
	require.NoError(t, err)
	require.Equal(t, flow.PasswordChange, p.View.Need)
	require.NoError(t, w.MarkPasswordCompromised(w.ctx, a.ID))
	p, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(newer)})
	require.NoError(t, err)
	require.Equal(t, flow.Stale, reasonOf(p))
	hash, err := w.store.PasswordHash(w.ctx, a.ID)
	require.NoError(t, err)
	require.Equal(t, hashOf("h1", right), hash)
}
