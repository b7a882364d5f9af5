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

func TestInvitation(t *testing.T) {
	w := newOpen(t)
	a, err := w.Invite(w.ctx, auth.NewAccount{Identifier: ann, Name: "Ann", Language: "de"})
	require.NoError(t, err)
	l := w.only(auth.InvitationLetter, ann)
	require.Equal(t, 24*time.Hour, l.ExpiresAt.Sub(w.clock.Now()))
	require.Equal(t, "de", l.Language)
	p, err := w.browser().try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.BadCredentials, reasonOf(p), "not before the activation")

	b := w.browser()
	p, err = b.renew(flow.Activation, w.secretIn(l), weak, true)
	require.NoError(t, err)
	require.Equal(t, flow.PasswordRejected, reasonOf(p))
	require.Equal(t, "too-short", p.View.Refusal.Problem)
	p, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(right)})
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	require.Nil(t, p.Session)
	require.Equal(t, flow.Active, w.standing(a.ID).Status)
	b.signIn(ann, right)
}

func TestInvitationsAreSentAgainAndWithdrawn(t *testing.T) {
	w := newOpen(t)
	a, err := w.Invite(w.ctx, auth.NewAccount{Identifier: ann})
	require.NoError(t, err)
	first := w.secretIn(w.only(auth.InvitationLetter, ann))
	again, err := w.Invite(w.ctx, auth.NewAccount{Identifier: ann})
	require.NoError(t, err)
	require.Equal(t, a.ID, again.ID)
	second := w.secretIn(w.only(auth.InvitationLetter, ann))
	require.NoError(t, w.ResendInvitation(w.ctx, a.ID))
	third := w.secretIn(w.only(auth.InvitationLetter, ann))
	for i, link := range []auth.Secret{first, second} {
		p, err := w.browser().follow(flow.Activation, link)
		require.NoError(t, err)
		require.Equal(t, flow.WrongCode, reasonOf(p), "the %d. link was replaced", i+1)
	}

	require.NoError(t, w.WithdrawInvitation(w.ctx, a.ID))
	p, err := w.browser().follow(flow.Activation, third)
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p))
	_, err = w.browser().ask(flow.Recovery, ann)
	require.NoError(t, err)
	require.Equal(t, []auth.LetterKind{auth.BlankLetter}, kinds(w.letters()), "and none can be asked for")
	require.ErrorIs(t, w.WithdrawInvitation(w.ctx, a.ID), auth.ErrStale)
	require.ErrorIs(t, w.ResendInvitation(w.ctx, a.ID), auth.ErrStale)

	require.NoError(t, w.EnableAccount(w.ctx, a.ID))
	require.NoError(t, w.ResendInvitation(w.ctx, a.ID))
	p, err = w.browser().renew(flow.Activation, w.secretIn(w.only(auth.InvitationLetter, ann)), right, true)
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	require.ErrorIs(t, w.ResendInvitation(w.ctx, a.ID), auth.ErrStale, "it is active")
	_, err = w.Invite(w.ctx, auth.NewAccount{Identifier: ann})
	refused(t, err, flow.AddressTaken)
}

// TestExpiredInvitationOffersANewOne asks for it as a forgotten password is asked for: whoever reads the mailbox
// gets the link, and the answer tells nobody else that there is an invitation.
func TestExpiredInvitationOffersANewOne(t *testing.T) {
	w := newOpen(t)
	_, err := w.Invite(w.ctx, auth.NewAccount{Identifier: ann})
	require.NoError(t, err)
	old := w.secretIn(w.only(auth.InvitationLetter, ann))
	w.clock.Advance(24 * time.Hour)
	p, err := w.browser().follow(flow.Activation, old)
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p))
	_, err = w.browser().ask(flow.Recovery, ann)
	require.NoError(t, err)
	p, err = w.browser().renew(flow.Activation, w.secretIn(w.only(auth.InvitationLetter, ann)), right, true)
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
}

func TestOperatorsStartAReset(t *testing.T) {
	w := newOpen(t)
	a := w.account(ann)
	require.NoError(t, w.SendReset(w.ctx, a.ID))
	l := w.only(auth.ResetLetter, ann)
	p, err := w.browser().renew(flow.Recovery, w.secretIn(l), newer, true)
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	w.letters()
	invited, err := w.Invite(w.ctx, auth.NewAccount{Identifier: "bea@example.com"})
	require.NoError(t, err)
	require.ErrorIs(t, w.SendReset(w.ctx, invited.ID), auth.ErrStale)
	require.NoError(t, w.DisableAccount(w.ctx, a.ID))
	require.ErrorIs(t, w.SendReset(w.ctx, a.ID), auth.ErrStale)
	require.ErrorIs(t, w.SendReset(w.ctx, "nobody"), auth.ErrNotFound)
	for _, e := range w.audit.take() {
		require.NotContains(t, fmt.Sprintf("%+v", e), w.secretIn(l).Reveal())
	}
}

// TestLockedAccountIsReopened by a reset, or, without a password, by the host's approver.
func TestLockedAccountIsReopened(t *testing.T) {
	lock := func(w *postal, a auth.Account) {
		state, err := w.store.State(w.ctx, a.ID)
		require.NoError(t, err)
		_, err = w.store.SetStatus(w.ctx, a.ID, state.Standing, flow.Locked, w.clock.Now())
		require.NoError(t, err)
	}
	w := newOpen(t)
	a := w.account(ann)
	lock(w, a)
	p, err := w.browser().renew(flow.Recovery, w.resetLink(ann), newer, false)
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	require.Equal(t, flow.Active, w.standing(a.ID).Status)
	require.Equal(t, w.standing(a.ID), w.mirror(a.ID))
	w.browser().signIn(ann, newer)

	social := func(c *auth.Config) { c.Accounts = socialOnly{c.Accounts} }
	without := newOpen(t, social)
	a = without.account(ann)
	_, err = without.browser().ask(flow.Recovery, ann)
	require.NoError(t, err)
	require.Equal(t, "social", without.only(auth.NoPasswordLetter, ann).Method)
	lock(without, a)
	_, err = without.browser().ask(flow.Recovery, ann)
	require.NoError(t, err)
	without.only(auth.ClosedLetter, ann)

	approved, asked := false, []auth.RecoveryRequest{}
	with := newOpen(t, social, func(c *auth.Config) {
		c.RecoveryApprover = func(_ context.Context, r auth.RecoveryRequest) (bool, error) {
			asked = append(asked, r)
			return approved, nil
		}
	})
	a = with.account(ann)
	lock(with, a)
	_, err = with.browser().ask(flow.Recovery, ann)
	require.NoError(t, err)
	require.Empty(t, asked, "nobody is asked before the mail is read")
	b := with.browser()
	p, err = b.follow(flow.Recovery, with.secretIn(with.only(auth.ReopenLetter, ann)))
	require.NoError(t, err)
	require.Equal(t, flow.Consent, p.View.Need)
	p, err = b.do(p.Handle, "approval", auth.Inputs{})
	require.NoError(t, err)
	require.Equal(t, flow.NotApproved, reasonOf(p))
	require.Equal(t, with.clock.Now().Add(24*time.Hour), p.View.Refusal.RetryAt.UTC())
	require.Empty(t, asked, "the owner can object first")
	with.only(auth.RecoveryAskedNotice, ann)
	require.Equal(t, flow.Locked, with.standing(a.ID).Status)

	with.clock.Advance(24 * time.Hour)
	b = with.browser()
	_, err = b.ask(flow.Recovery, ann)
	require.NoError(t, err)
	p, err = b.follow(flow.Recovery, with.secretIn(with.only(auth.ReopenLetter, ann)))
	require.NoError(t, err)
	p, err = b.do(p.Handle, "approval", auth.Inputs{})
	require.NoError(t, err)
	require.Equal(t, flow.NotApproved, reasonOf(p))
	require.Zero(t, p.View.Refusal.RetryAt, "nobody has approved")
	approved = true
	p, err = b.do(p.Handle, "approval", auth.Inputs{})
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	require.Equal(t, flow.Active, with.standing(a.ID).Status)
	require.True(t, asked[1].Locked)
	require.Equal(t, ann, asked[1].Account.Identifier)
	with.only(auth.ReopenedNotice, ann)
}

// socialOnly makes every account one that is signed in to through a provider.
type socialOnly struct{ auth.AccountStore }

func (s socialOnly) State(ctx context.Context, id string) (auth.AccountState, error) {
	state, err := s.AccountStore.State(ctx, id)
	if err == nil {
		state.Enrolled = flow.MethodsOf(flow.Social)
	}
	return state, err
}
