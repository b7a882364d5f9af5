package auth_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// remove begins to remove a factor.
func (b *browser) remove(id string) (auth.Progress, error) {
	return b.w.Begin(b.w.ctx, auth.BeginRequest{
		Goal: flow.Enrolment, Target: flow.Target{Enrol: flow.TOTP, Remove: id}, Client: b.client(),
	})
}

func TestFactorsAreRemovedWithTheFactorItself(t *testing.T) {
	w := newFactored(t)
	a, b, paired := w.enrolled()
	_, err := b.codes()
	require.NoError(t, err)
	other := w.browser()
	p, err := other.try(ann, right)
	require.NoError(t, err)
	p, err = other.totp(p, paired.code(w.clock.Now()))
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	w.letters()
	w.clock.Advance(time.Hour)
	list, err := w.store.Factors(w.ctx, a.ID)
	require.NoError(t, err)

	_, err = b.remove("nobody's")
	refused(t, err, flow.NotFound)
	p, err = b.remove(list[0].ID)
	require.NoError(t, err)
	require.Equal(t, flow.FreshProof, p.View.Need)
	p, err = b.password(p.Handle, right)
	require.NoError(t, err)
	require.Equal(t, flow.FreshProof, p.View.Need, "a password is not enough to take away what protects against its theft")
	p, err = b.totp(p, paired.code(w.clock.Now()))
	require.NoError(t, err)
	require.Equal(t, flow.Removal, p.View.Need)
	p, err = b.do(p.Handle, "remove", auth.Inputs{EndOthers: true})
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	require.False(t, w.alive(other.session), "others end")
	w.only(auth.FactorGoneNotice, ann)
	left, err := w.store.Factors(w.ctx, a.ID)
	require.NoError(t, err)
	require.Empty(t, left, "the codes were a way around the factor")
	q, err := w.browser().try(ann, right)
	require.NoError(t, err)
	require.NotNil(t, q.Session)
}

// TestLastFactorStaysWhereRulesDemandOne, and enrolling one is a step of the sign-in.
func TestLastFactorStaysWhereRulesDemandOne(t *testing.T) {
	always := func(c *auth.Config) {
		c.Rules = func(context.Context, auth.Account) (flow.Rules, error) {
			return flow.Rules{SecondFactor: flow.Always}, nil
		}
	}
	w := newFactored(t, always)
	a := w.account(ann)
	b := w.browser()
	p, err := b.try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.NewFactor, p.View.Need)
	require.Nil(t, p.Session)
	require.Equal(t, []string{"enrol-totp", "restart"}, names(p.View))
	paired := appOf(p.Pairing)
	p, err = b.do(p.Handle, "enrol-totp", auth.Inputs{Code: paired.code(w.clock.Now())})
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	list, err := w.store.Factors(w.ctx, a.ID)
	require.NoError(t, err)
	w.clock.Advance(time.Minute)
	p, err = b.remove(list[0].ID)
	require.NoError(t, err)
	require.Equal(t, flow.FactorRequired, reasonOf(p), "%+v", p.View)
	require.Equal(t, "ended", p.View.Outcome)
}

// TestResetAsksForTheSecondFactorFirst (ASVS 6.4.3).
func TestResetAsksForTheSecondFactorFirst(t *testing.T) {
	w := newFactored(t)
	_, b, paired := w.enrolled()
	link := w.resetLink(ann)
	elsewhere := w.browser()
	p, err := elsewhere.follow(flow.Recovery, link)
	require.NoError(t, err)
	require.Equal(t, flow.SecondFactor, p.View.Need)
	q, err := elsewhere.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(newer)})
	refused(t, err, flow.NotOffered)
	require.Equal(t, flow.SecondFactor, q.View.Need)
	require.True(t, w.alive(b.session))
	p, err = elsewhere.totp(p, paired.code(w.clock.Now()))
	require.NoError(t, err)
	require.Equal(t, flow.PasswordChange, p.View.Need)
	p, err = elsewhere.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(newer), EndOthers: true})
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	require.Nil(t, p.Session)
	q, err = w.browser().try(ann, newer)
	require.NoError(t, err)
	require.Equal(t, flow.SecondFactor, q.View.Need, "and the factor is still there")
}

// TestOperatorsResetFactors, and neither read nor set a secret.
func TestOperatorsResetFactors(t *testing.T) {
	w := newFactored(t)
	a, b, _ := w.enrolled()
	require.NoError(t, w.ResetFactors(w.ctx, a.ID))
	w.only(auth.FactorGoneNotice, ann)
	require.False(t, w.alive(b.session))
	p, err := w.browser().try(ann, right)
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	require.NoError(t, w.ResetFactors(w.ctx, a.ID), "nothing is left to remove")
	require.ErrorIs(t, w.ResetFactors(w.ctx, "nobody"), auth.ErrNotFound)
}

// TestStepUpTakesTheFactor: a session of a password alone does not reach the second level.
func TestStepUpTakesTheFactor(t *testing.T) {
	w := newFactored(t)
	_, b, paired := w.enrolled()
	w.clock.Advance(time.Hour)
	target := flow.Target{Assurance: flow.AAL2, MaxAge: 5 * time.Minute}
	p, err := w.Begin(w.ctx, auth.BeginRequest{Goal: flow.StepUp, Target: target, Client: b.client()})
	require.NoError(t, err)
	require.Equal(t, flow.FreshProof, p.View.Need)
	p, err = b.totp(p, paired.code(w.clock.Now()))
	require.NoError(t, err)
	require.Nil(t, p.Session)
	p, err = b.password(p.Handle, right)
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	require.True(t, w.Fresh(p.Session.Session, target))
}

// TestGuessesOfAllMethodsCountTogether, from unknown devices and from one that is known.
func TestGuessesOfAllMethodsCountTogether(t *testing.T) {
	for _, known := range []bool{false, true} {
		w := newFactored(t, func(c *auth.Config) {
			c.Throttle.AccountCap, c.Throttle.Free, c.Throttle.PrefixCap = 6, 100, 1<<20
		})
		_, b, _ := w.enrolled()
		_, err := b.codes()
		require.NoError(t, err)
		thief := w.browser()
		if known {
			thief.device = b.device
		}
		p, err := thief.try(ann, right)
		require.NoError(t, err)
		for i := range 6 {
			method := []string{"totp", "recovery-code"}[i%2]
			p, err = thief.do(p.Handle, method, auth.Inputs{Code: auth.NewSecret("000000")})
			require.NoError(t, err)
			require.Equal(t, flow.WrongCode, reasonOf(p), "%v %d", known, i)
		}
		for _, method := range []string{"totp", "recovery-code"} {
			p, err = thief.do(p.Handle, method, auth.Inputs{Code: auth.NewSecret("000000")})
			require.NoError(t, err)
			require.Equal(t, flow.TooManyAttempts, reasonOf(p), "%v %s", known, method)
		}
	}
}

// TestRulesHoldFromTheFirstStep: a flow that a session begins may be complete at once, and then the rules must have
// been asked.
func TestRulesHoldFromTheFirstStep(t *testing.T) {
	rules := flow.Rules{}
	w := newWorld(t, func(c *auth.Config) {
		c.Rules = func(context.Context, auth.Account) (flow.Rules, error) { return rules, nil }
	})
	w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	begin := auth.BeginRequest{Goal: flow.StepUp, Target: flow.Target{Assurance: flow.AAL1, MaxAge: time.Hour}, Client: b.client()}
	p, err := w.Begin(w.ctx, begin)
	require.NoError(t, err)
	require.NotNil(t, p.Session, "the password was just typed")
	b.keep(p)
	begin.Client = b.client()
	rules.Connection = "c1"
	_, err = w.Begin(w.ctx, begin)
	require.ErrorContains(t, err, "rules ask for a connection")
}

// TestNotYouMakesAnotherKey: the key that waits is of one account, and "not you?" may lead to another.
func TestNotYouMakesAnotherKey(t *testing.T) {
	w := newFactored(t, func(c *auth.Config) {
		c.Rules = func(context.Context, auth.Account) (flow.Rules, error) {
			return flow.Rules{SecondFactor: flow.Always}, nil
		}
	})
	w.account(ann)
	bea, err := w.CreateAccount(w.ctx, auth.NewAccount{Identifier: "bea@example.com", Password: auth.NewSecret(right)})
	require.NoError(t, err)
	b := w.browser()
	p, err := b.try(ann, right)
	require.NoError(t, err)
	first := appOf(p.Pairing)
	p, err = b.do(p.Handle, "restart", auth.Inputs{})
	require.NoError(t, err)
	require.Nil(t, p.Pairing)
	p, err = b.do(p.Handle, "identify", auth.Inputs{Identifier: "bea@example.com"})
	require.NoError(t, err)
	p, err = b.password(p.Handle, right)
	require.NoError(t, err)
	second := appOf(p.Pairing)
	require.NotEqual(t, first, second)
	p, err = b.do(p.Handle, "enrol-totp", auth.Inputs{Code: first.code(w.clock.Now())})
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p))
	p, err = b.do(p.Handle, "enrol-totp", auth.Inputs{Code: second.code(w.clock.Now())})
	require.NoError(t, err)
	require.Equal(t, bea.ID, p.Session.Account)
}
