package auth_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// lossy is a world with an approver, and somebody who lost an authenticator app.
type lossy struct {
	*postal
	a        auth.Account
	app      app
	approved bool
	asked    int
}

func newLossy(t *testing.T) *lossy {
	t.Helper()
	l := &lossy{}
	l.postal = newFactored(t, func(c *auth.Config) {
		c.RecoveryApprover = func(context.Context, auth.RecoveryRequest) (bool, error) {
			l.asked++
			return l.approved, nil
		}
		c.Rules = nil // a second factor if one is enrolled
	})
	a, b, paired := l.enrolled()
	_, err := b.codes()
	require.NoError(t, err)
	l.letters()
	l.a, l.app = a, paired
	return l
}

// recover reads the mail of a reset and asks for an approval.
func (l *lossy) recover() (*browser, auth.Progress) {
	l.t.Helper()
	b := l.browser()
	p, err := b.follow(flow.Recovery, l.resetLink(ann))
	require.NoError(l.t, err)
	require.Equal(l.t, flow.SecondFactor, p.View.Need)
	require.Contains(l.t, names(p.View), "approval")
	p, err = b.do(p.Handle, "approval", auth.Inputs{})
	require.NoError(l.t, err)
	return b, p
}

// TestWhoLostEverythingComesBack after a while in which the owner could object, and without the factors that are lost
// (ASVS 6.4.4).
func TestWhoLostEverythingComesBack(t *testing.T) {
	l := newLossy(t)
	l.approved = true
	_, p := l.recover()
	require.Equal(t, flow.NotApproved, reasonOf(p))
	require.Equal(t, l.clock.Now().Add(24*time.Hour), p.View.Refusal.RetryAt.UTC())
	l.only(auth.RecoveryAskedNotice, ann)
	l.clock.Advance(23 * time.Hour)
	_, p = l.recover()
	require.Equal(t, l.clock.Now().Add(time.Hour), p.View.Refusal.RetryAt.UTC(), "asking again does not begin anew")
	require.Empty(t, l.letters(), "nor tell again")
	require.Zero(t, l.asked)

	l.clock.Advance(time.Hour)
	b, p := l.recover()
	require.Equal(t, flow.PasswordChange, p.View.Need)
	require.Equal(t, 1, l.asked)
	p, err := b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(newer), EndOthers: true})
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	require.Nil(t, p.Session, "mail never ends in a session")
	require.ElementsMatch(t, []auth.LetterKind{auth.PasswordNotice, auth.FactorGoneNotice}, kinds(l.letters()))
	require.Empty(t, l.factorsOf(l.a.ID))
	q, err := l.browser().try(ann, newer)
	require.NoError(t, err)
	require.NotNil(t, q.Session, "nothing is asked for that is lost")
}

// TestOwnersObject by signing in with what is said to be lost, or by any change; then the waiting begins anew.
func TestOwnersObject(t *testing.T) {
	for name, object := range map[string]func(l *lossy){
		"a sign-in with two factors": func(l *lossy) {
			b := l.browser()
			p, err := b.try(ann, right)
			require.NoError(l.t, err)
			p, err = b.totp(p, l.app.code(l.clock.Now()))
			require.NoError(l.t, err)
			require.NotNil(l.t, p.Session)
		},
		"a change of the account": func(l *lossy) { require.NoError(l.t, l.ResetFactorsOfNobody()) },
		"too long a wait":         func(l *lossy) { l.clock.Advance(8 * 24 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLossy(t)
			l.approved = true
			l.recover()
			l.letters()
			l.clock.Advance(23 * time.Hour)
			object(l)
			l.letters()
			l.clock.Advance(time.Hour)
			_, p := l.recover()
			require.Equal(t, flow.NotApproved, reasonOf(p))
			require.Equal(t, l.clock.Now().Add(24*time.Hour), p.View.Refusal.RetryAt.UTC())
			require.Zero(t, l.asked)
			l.only(auth.RecoveryAskedNotice, ann)
		})
	}
}

// ResetFactorsOfNobody changes the account by a new password.
func (l *lossy) ResetFactorsOfNobody() error {
	_, err := l.store.ReplacePassword(l.ctx, l.a.ID, l.standing(l.a.ID).Epochs, "another hash", false, l.clock.Now())
	return errors.Join(err, l.AccountChanged(l.ctx, l.a.ID))
}

// TestPasswordsAloneDoNotObject: whoever stole the password must not keep its owner out for ever.
func TestPasswordsAloneDoNotObject(t *testing.T) {
	l := newLossy(t)
	l.approved = true
	l.recover()
	l.letters()
	thief := l.browser()
	_, err := thief.try(ann, right)
	require.NoError(t, err)
	l.clock.Advance(24 * time.Hour)
	_, p := l.recover()
	require.Equal(t, flow.PasswordChange, p.View.Need)
}

// TestManyAskAtOnce, and wait from the same moment.
func TestManyAskAtOnce(t *testing.T) {
	l := newLossy(t)
	const many = 8
	var browsers []*browser
	var ready []auth.Progress
	for range many {
		b := l.browser()
		b.addr = b.addr.Next()
		p, err := b.follow(flow.Recovery, l.resetLink(ann))
		require.NoError(t, err)
		browsers, ready = append(browsers, b), append(ready, p)
		l.clock.Advance(20 * time.Minute) // as many mails as there may be
	}
	l.clock.Advance(-20 * time.Minute)
	var wg sync.WaitGroup
	for i, b := range browsers[many-1:] {
		for range many {
			wg.Go(func() {
				_, _ = l.Continue(l.ctx, auth.ContinueRequest{Handle: ready[many-1+i].Handle, Action: "approval", Client: b.client()})
			})
		}
	}
	wg.Wait()
	require.Zero(t, l.asked)
	tickets := 0
	for _, letter := range l.letters() {
		if letter.Kind == auth.RecoveryAskedNotice {
			tickets++
		}
	}
	require.GreaterOrEqual(t, tickets, 1, "the owner is told")
	l.clock.Advance(24 * time.Hour)
	l.approved = true
	_, p := l.recover()
	require.Equal(t, flow.PasswordChange, p.View.Need)
}

// TestWaitingFaultsDeny: whatever store fails, nobody is let in, and the owner is told before anybody waits.
func TestWaitingFaultsDeny(t *testing.T) {
	for _, waited := range []bool{false, true} {
		for n := 1; ; n++ {
			l := newLossy(t)
			l.approved = true
			if waited {
				l.recover()
				l.letters()
				l.clock.Advance(24 * time.Hour)
			}
			b := l.browser()
			p, err := b.follow(flow.Recovery, l.resetLink(ann))
			require.NoError(t, err)
			calls, failed := 0, ""
			l.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
				if calls++; calls == n && !bystander(name) {
					failed = name
					return errFault
				}
				return work()
			})
			q, err := b.do(p.Handle, "approval", auth.Inputs{})
			l.tap.set(nil)
			if calls < n {
				break
			}
			if failed == "" {
				continue
			}
			require.Error(t, err, failed)
			require.NotEqual(t, flow.PasswordChange, q.View.Need, failed)
			if !waited {
				require.Zero(t, l.asked, failed)
			}
		}
	}
}

// bystander reports whether a port that fails changes nothing of a decision.
func bystander(call string) bool {
	return strings.HasPrefix(call, "Audit.") || strings.HasPrefix(call, "Activity.") || strings.HasPrefix(call, "Devices.")
}
