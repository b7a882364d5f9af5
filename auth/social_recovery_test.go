package auth_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// newJudged is a world with providers and an approver, in which the host judges every sign-in by the verdict.
func newJudged(t *testing.T) (s *social, verdict *flow.Verdict) {
	t.Helper()
	verdict = new(flow.Verdict)
	*verdict = flow.RiskAllow
	return newSocial(t, func(c *auth.Config) {
		c.Risk = func(context.Context, auth.RiskRequest) (flow.Verdict, error) { return *verdict, nil }
		c.RecoveryApprover = func(context.Context, auth.RecoveryRequest) (bool, error) { return true, nil }
	}), verdict
}

// stranger demands that the provider's account signs nobody in.
func (s *social) stranger(b *browser, code string) {
	s.t.Helper()
	p, err := s.visit(b, s.acme, code)
	require.NoError(s.t, err)
	require.Nil(s.t, p.Session)
	require.Equal(s.t, flow.NotConnected, reasonOf(p))
}

// enters demands that the provider's account signs in to the account.
func (s *social) enters(a auth.Account, code string) *browser {
	s.t.Helper()
	b := s.browser()
	p, err := s.visit(b, s.acme, code)
	require.NoError(s.t, err)
	require.NotNil(s.t, p.Session, "%s", reasonOf(p))
	require.Equal(s.t, a.ID, p.Session.Account)
	return b
}

// locks has the host lock the account on a sign-in with its password.
func (s *social) locks(a auth.Account, verdict *flow.Verdict) {
	s.t.Helper()
	before := *verdict
	*verdict = flow.RiskLock
	p, err := s.browser().try(ann, right)
	require.NoError(s.t, err)
	require.Equal(s.t, flow.AccountLocked, reasonOf(p))
	require.Equal(s.t, flow.Locked, s.standing(a.ID).Status)
	*verdict = before
	s.letters()
}

// TestAResetAfterALockShutsTheThiefOut who was in for a moment and connected an identity of their own.
func TestAResetAfterALockShutsTheThiefOut(t *testing.T) {
	s, verdict := newJudged(t)
	a, _ := s.connected(ann, "ann-at-acme")
	thief := s.browser()
	thief.signIn(ann, right)
	s.letters()
	p, err := s.connect(thief, s.acme, "thief-at-acme")
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	s.only(auth.LinkNotice, ann)
	waiting := s.enters(a, "thief-at-acme")
	_, err = waiting.leave("acme")
	require.NoError(t, err)
	under := s.acme.trip()

	s.locks(a, verdict)
	p, err = s.visit(s.browser(), s.acme, "thief-at-acme")
	require.NoError(t, err)
	require.Nil(t, p.Session)
	p, err = s.browser().renew(flow.Recovery, s.resetLink(ann), newer, false)
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	letters := s.letters()
	require.ElementsMatch(t, []auth.LetterKind{auth.PasswordNotice, auth.LinkGoneNotice}, kinds(letters))
	for _, l := range letters {
		require.Equal(t, ann, l.To)
		require.NotContains(t, []string{"social", "Acme"}, l.Method, "there may be many")
	}
	require.Contains(t, strings.Join(s.happened(a.ID), "\n"), "identity-unlinked social")
	list, err := s.store.Links(s.ctx, a.ID)
	require.NoError(t, err)
	require.Empty(t, list)

	s.stranger(s.browser(), "thief-at-acme")
	s.stranger(thief, "thief-at-acme")
	p, err = waiting.comeBack("acme", answerOf(s.acme, under, "thief-at-acme"))
	require.NoError(t, err)
	require.Nil(t, p.Session)
	require.Equal(t, flow.NotConnected, reasonOf(p), "who was on the way does not come through either")
	s.stranger(s.browser(), "ann-at-acme")

	owner := s.browser()
	owner.signIn(ann, newer)
	p, err = s.connect(owner, s.acme, "ann-at-acme")
	require.NoError(t, err)
	require.NotNil(t, p.Session, "%s", reasonOf(p))
	s.enters(a, "ann-at-acme")
	s.account("bob@example.com")
	bob := s.browser()
	bob.signIn("bob@example.com", right)
	p, err = s.connect(bob, s.acme, "thief-at-acme")
	require.NoError(t, err)
	require.Equal(t, flow.IdentityTaken, reasonOf(p), "it is remembered whose it was")
}

// TestAnUndoneChangeOfAddressShutsTheThiefOut also where an operator disabled the account in between.
func TestAnUndoneChangeOfAddressShutsTheThiefOut(t *testing.T) {
	for name, between := range map[string]func(s *social, a auth.Account){
		"at once": func(*social, auth.Account) {},
		"disabled in between": func(s *social, a auth.Account) {
			require.NoError(s.t, s.DisableAccount(s.ctx, a.ID))
			require.NoError(s.t, s.EnableAccount(s.ctx, a.ID))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSocial(t)
			a, undo, thief := s.stolen()
			p, err := s.connect(thief, s.acme, "thief-at-acme")
			require.NoError(t, err)
			require.NotNil(t, p.Session, "%s", reasonOf(p))
			s.enters(a, "thief-at-acme")
			p, err = s.browser().follow(flow.Reversal, undo)
			require.NoError(t, err)
			require.Equal(t, "completed", p.View.Outcome)
			between(s, a)
			require.Equal(t, flow.Locked, s.standing(a.ID).Status)
			_, err = s.browser().renew(flow.Recovery, s.resetOf(ann), latest, false)
			require.NoError(t, err)
			require.ElementsMatch(t, []auth.LetterKind{auth.PasswordNotice, auth.LinkGoneNotice}, kinds(s.letters()))
			s.stranger(s.browser(), "thief-at-acme")
			s.browser().signIn(ann, latest)
		})
	}
}

// TestAForgottenPasswordDisconnectsNothing: nobody says that a stranger was there.
func TestAForgottenPasswordDisconnectsNothing(t *testing.T) {
	s, _ := newJudged(t)
	a, _ := s.connected(ann, "ann-at-acme")
	p, err := s.browser().renew(flow.Recovery, s.resetLink(ann), newer, true)
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	s.only(auth.PasswordNotice, ann)
	s.enters(a, "ann-at-acme")
}

// TestNobodyIsToldOfConnectionsThatWereNotThere when a locked account is reset.
func TestNobodyIsToldOfConnectionsThatWereNotThere(t *testing.T) {
	s, verdict := newJudged(t)
	s.locks(s.account(ann), verdict)
	_, err := s.browser().renew(flow.Recovery, s.resetLink(ann), newer, false)
	require.NoError(t, err)
	s.only(auth.PasswordNotice, ann)
}

// TestFactorsAndConnectionsGoTogether where an approver vouches for the owner of an account that was locked.
func TestFactorsAndConnectionsGoTogether(t *testing.T) {
	s, verdict := newJudged(t)
	a, b := s.connected(ann, "ann-at-acme")
	s.pair(b)
	s.locks(a, verdict)
	asks := func() (*browser, auth.Progress) {
		b := s.browser()
		p, err := b.follow(flow.Recovery, s.resetOf(ann))
		require.NoError(t, err)
		p, err = b.do(p.Handle, "approval", auth.Inputs{})
		require.NoError(t, err)
		s.letters()
		return b, p
	}
	_, p := asks()
	require.Equal(t, flow.NotApproved, reasonOf(p))
	s.clock.Advance(24 * time.Hour)
	b, p = asks()
	require.Equal(t, flow.PasswordChange, p.View.Need)
	p, err := b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(newer)})
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	require.ElementsMatch(t, []auth.LetterKind{auth.PasswordNotice, auth.FactorGoneNotice, auth.LinkGoneNotice}, kinds(s.letters()))
	s.stranger(s.browser(), "ann-at-acme")
	s.browser().signIn(ann, newer)
}

// TestReopeningLeavesTheOnlyWayIn: where there is no password to reset, a connection that is gone could not be made
// anew.
func TestReopeningLeavesTheOnlyWayIn(t *testing.T) {
	s, verdict := newJudged(t)
	a, err := s.CreateAccount(s.ctx, auth.NewAccount{Identifier: ann})
	require.NoError(t, err)
	_, err = s.store.SetStatus(s.ctx, a.ID, s.standing(a.ID), flow.Active, s.clock.Now())
	require.NoError(t, err)
	_, err = s.store.AddLink(s.ctx, auth.LinkChange{
		Link: auth.Link{ID: auth.LinkID(s.acme.issuer, "ann-at-acme"), Account: a.ID, Method: flow.Social, Provider: "acme", Issuer: s.acme.issuer, Subject: "ann-at-acme"},
		From: s.standing(a.ID), Now: s.clock.Now(),
	})
	require.NoError(t, err)
	s.enters(a, "ann-at-acme")
	*verdict = flow.RiskLock
	p, err := s.visit(s.browser(), s.acme, "ann-at-acme")
	require.NoError(t, err)
	require.Equal(t, flow.AccountLocked, reasonOf(p))
	*verdict = flow.RiskAllow
	for range 2 {
		s.letters()
		_, err = s.browser().ask(flow.Recovery, ann)
		require.NoError(t, err)
		b := s.browser()
		p, err = b.follow(flow.Recovery, s.secretIn(s.only(auth.ReopenLetter, ann)))
		require.NoError(t, err)
		require.Equal(t, flow.Consent, p.View.Need)
		p, err = b.do(p.Handle, "approval", auth.Inputs{})
		require.NoError(t, err)
		s.clock.Advance(24 * time.Hour)
	}
	require.Equal(t, "completed", p.View.Outcome)
	require.Equal(t, flow.Active, s.standing(a.ID).Status)
	require.NotContains(t, kinds(s.letters()), auth.LinkGoneNotice)
	s.enters(a, "ann-at-acme")
}
