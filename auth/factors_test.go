package auth_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	otp "github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/mfa"
	"github.com/cardea-auth/cardea/mfa/totp"
)

// newFactored is a world in which people may have second factors, and mail.
func newFactored(t testing.TB, change ...func(*auth.Config)) *postal {
	t.Helper()
	setUp := func(c *auth.Config) {
		var err error
		c.Apps, err = totp.New(totp.Config{Keys: c.Keys, Issuer: "Test"})
		require.NoError(t, err)
		c.Codes, err = mfa.NewCodes(mfa.CodesConfig{Keys: c.Keys})
		require.NoError(t, err)
		c.Factors = tapFactors{c.Accounts.(tapAccounts).AccountStore.(auth.FactorStore), c.Accounts.(tapAccounts).t}
	}
	return newOpen(t, append([]func(*auth.Config){setUp}, change...)...)
}

// app is an authenticator app.
type app struct{ key string }

func appOf(p *auth.Pairing) app { return app{strings.ReplaceAll(p.Text.Reveal(), " ", "")} }

func (a app) code(at time.Time) auth.Secret {
	code, err := otp.GenerateCode(a.key, at)
	if err != nil {
		panic(err)
	}
	return auth.NewSecret(code)
}

func (b *browser) enrolFactor(m flow.Method) (auth.Progress, error) {
	return b.w.Begin(b.w.ctx, auth.BeginRequest{Goal: flow.Enrolment, Target: flow.Target{Enrol: m}, Client: b.client()})
}

// pair adds an authenticator app to the account that the browser is signed in to.
func (p *postal) pair(b *browser) app {
	p.t.Helper()
	at, err := b.enrolFactor(flow.TOTP)
	require.NoError(p.t, err)
	require.Equal(p.t, flow.NewFactor, at.View.Need)
	require.NotNil(p.t, at.Pairing)
	a := appOf(at.Pairing)
	at, err = b.do(at.Handle, "enrol-totp", auth.Inputs{Code: a.code(p.clock.Now()), Name: "Phone"})
	require.NoError(p.t, err)
	require.NotNil(p.t, at.Session, "%+v", at.View)
	require.Equal(p.t, flow.AAL2, at.Session.Assurance)
	p.only(auth.FactorNotice, ann)
	return a
}

// enrolled is somebody with an authenticator app, signed in a minute ago.
func (p *postal) enrolled() (auth.Account, *browser, app) {
	p.t.Helper()
	a := p.account(ann)
	b := p.browser()
	b.signIn(ann, right)
	p.letters()
	paired := p.pair(b)
	p.clock.Advance(time.Minute)
	return a, b, paired
}

func (b *browser) totp(p auth.Progress, code auth.Secret) (auth.Progress, error) {
	return b.do(p.Handle, "totp", auth.Inputs{Code: code})
}

// TestAuthenticatorApp pairs an app and signs in with it.
func TestAuthenticatorApp(t *testing.T) {
	w := newFactored(t)
	w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	w.letters()
	p, err := b.enrolFactor(flow.TOTP)
	require.NoError(t, err)
	first := appOf(p.Pairing)
	again, err := w.Look(w.ctx, p.FlowID, b.client())
	require.NoError(t, err)
	require.Equal(t, first, appOf(again.Pairing), "a page that is reloaded shows the same key")
	for _, wrong := range []string{"000000", "1", "abcdef"} {
		p, err = b.do(p.Handle, "enrol-totp", auth.Inputs{Code: auth.NewSecret(wrong)})
		require.NoError(t, err)
		require.Equal(t, flow.WrongCode, reasonOf(p))
		require.Equal(t, first, appOf(p.Pairing))
	}
	q, err := w.browser().try(ann, right)
	require.NoError(t, err)
	require.NotNil(t, q.Session, "what is not confirmed counts for nothing")
	w.letters()

	code := first.code(w.clock.Now())
	p, err = b.do(p.Handle, "enrol-totp", auth.Inputs{Code: code, Name: "My phone"})
	require.NoError(t, err)
	require.Nil(t, p.Pairing, "the key is shown no more")
	require.Equal(t, flow.AAL2, p.Session.Assurance)
	w.only(auth.FactorNotice, ann)

	other := w.browser()
	p, err = other.try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.SecondFactor, p.View.Need)
	require.Nil(t, p.Session)
	p, err = other.totp(p, code)
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p), "the code that confirmed it cannot sign in")
	w.clock.Advance(30 * time.Second)
	p, err = other.totp(p, first.code(w.clock.Now()))
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	require.Equal(t, flow.AAL2, p.Session.Assurance)
	require.NotContains(t, w.logs.String(), first.key)
	require.NotContains(t, w.logs.String(), code.Reveal())
}

// TestCodesAreUsedOnce lets many use one code, and an older one after a newer one.
func TestCodesAreUsedOnce(t *testing.T) {
	w := newFactored(t)
	_, _, a := w.enrolled()
	const many = 50
	var ready []auth.Progress
	var browsers []*browser
	for range many {
		b := w.browser()
		b.addr = b.addr.Next()
		p, err := b.try(ann, right)
		require.NoError(t, err)
		require.Equal(t, flow.SecondFactor, p.View.Need)
		ready, browsers = append(ready, p), append(browsers, b)
	}
	older, code := a.code(w.clock.Now().Add(-30*time.Second)), a.code(w.clock.Now())
	var wg sync.WaitGroup
	granted := make([]bool, many)
	for i := range many {
		wg.Go(func() {
			p, err := browsers[i].totp(ready[i], code)
			granted[i] = err == nil && p.Session != nil
		})
	}
	wg.Wait()
	n := 0
	for _, g := range granted {
		if g {
			n++
		}
	}
	require.Equal(t, 1, n, "one code, one sign-in")
	w.clock.Advance(time.Hour) // the tries are forgiven
	w.clock.Advance(-time.Hour)
	b := w.browser()
	p, err := b.try(ann, right)
	require.NoError(t, err)
	if p.View.Need == flow.SecondFactor {
		p, err = b.totp(p, older)
		require.NoError(t, err)
		require.Nil(t, p.Session, "an older step after a newer one")
	}
}

// TestWrongCodesLeaveNoTrace: a wrong code does not move what was used last.
func TestWrongCodesLeaveNoTrace(t *testing.T) {
	w := newFactored(t)
	acc, _, a := w.enrolled()
	before, err := w.store.Factors(w.ctx, acc.ID)
	require.NoError(t, err)
	b := w.browser()
	p, err := b.try(ann, right)
	require.NoError(t, err)
	p, err = b.totp(p, a.code(w.clock.Now().Add(2*time.Minute)))
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p))
	after, err := w.store.Factors(w.ctx, acc.ID)
	require.NoError(t, err)
	require.Equal(t, before, after)
	p, err = b.totp(p, a.code(w.clock.Now()))
	require.NoError(t, err)
	require.NotNil(t, p.Session)
}

func (b *browser) codes() (auth.Progress, error) {
	p, err := b.enrolFactor(flow.RecoveryCode)
	if err != nil {
		return p, err
	}
	return b.do(p.Handle, "enrol-recovery-code", auth.Inputs{})
}

func TestRecoveryCodes(t *testing.T) {
	w := newFactored(t)
	a, b, paired := w.enrolled()
	p, err := b.codes()
	require.NoError(t, err)
	require.Len(t, p.Codes, 10)
	w.only(auth.FactorNotice, ann)
	again, err := w.Look(w.ctx, p.FlowID, b.client())
	require.NoError(t, err)
	require.Empty(t, again.Codes, "shown once")
	list, err := w.Factors(w.ctx, p.Session.Session)
	require.NoError(t, err)
	require.Equal(t, []flow.Method{flow.TOTP, flow.RecoveryCode}, []flow.Method{list[0].Method, list[1].Method})
	require.Equal(t, "Phone", list[0].Name)
	require.Equal(t, 10, list[1].Left)

	lost := w.browser()
	q, err := lost.try(ann, right)
	require.NoError(t, err)
	require.Equal(t, []string{"totp", "recovery-code", "restart"}, names(q.View))
	code := auth.NewSecret(strings.ToLower(strings.ReplaceAll(p.Codes[3].Reveal(), "-", " ")))
	q, err = lost.do(q.Handle, "recovery-code", auth.Inputs{Code: code})
	require.NoError(t, err)
	require.NotNil(t, q.Session)
	require.Contains(t, kinds(w.letters()), auth.RecoveryCodeNotice)
	second := w.browser()
	q, err = second.try(ann, right)
	require.NoError(t, err)
	q, err = second.do(q.Handle, "recovery-code", auth.Inputs{Code: p.Codes[3]})
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(q), "each works once")
	w.letters()

	w.clock.Advance(30 * time.Second)
	replaced, err := b.codes()
	require.NoError(t, err)
	require.Len(t, replaced.Codes, 10)
	q, err = second.do(q.Handle, "recovery-code", auth.Inputs{Code: p.Codes[4]})
	require.NoError(t, err)
	require.Nil(t, q.Session, "a new set ends the old one")
	for _, secret := range append(p.Codes, auth.NewSecret(paired.key)) {
		require.NotContains(t, w.logs.String(), secret.Reveal())
	}
	require.Equal(t, flow.Active, w.standing(a.ID).Status)
}

// TestRecoveryCodesAreNoFactorOfTheirOwn: they are a way around one that is there.
func TestRecoveryCodesAreNoFactorOfTheirOwn(t *testing.T) {
	w := newFactored(t)
	w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	p, err := b.enrolFactor(flow.RecoveryCode)
	require.NoError(t, err)
	require.Equal(t, flow.AssuranceShort, reasonOf(p))
	require.Equal(t, "ended", p.View.Outcome)
}
