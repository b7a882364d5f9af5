package auth_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// cards is a host that hands out numbered codes and remembers nothing of which were used: that is the service's.
// It answers otherwise if a test says so.
type cards struct {
	asked atomic.Int64
	enrol func(account, typed string) (auth.HostEnrolment, bool, error)
	check func(f auth.StoredFactor, typed string) (auth.HostUse, bool, error)
}

const cardLength = 40

// card is the n-th code, from 1, of the account's card.
func card(account string, n int) auth.Secret {
	return auth.NewSecret(fmt.Sprintf("card-%s-%03d", account, n))
}

func place(account, typed string) int {
	for n := 1; n <= cardLength; n++ {
		if card(account, n).Equal(auth.NewSecret(typed)) {
			return n
		}
	}
	return 0
}

func (c *cards) Enrol(_ context.Context, account string, typed auth.Secret, _ time.Time) (auth.HostEnrolment, bool, error) {
	c.asked.Add(1)
	if c.enrol != nil {
		return c.enrol(account, typed.Reveal())
	}
	n := place(account, typed.Reveal())
	return auth.HostEnrolment{Handle: "card of " + account, Data: "issued", Counter: int64(n)}, n > 0, nil
}

func (c *cards) Check(_ context.Context, f auth.StoredFactor, typed auth.Secret, _ time.Time) (auth.HostUse, bool, error) {
	c.asked.Add(1)
	if c.check != nil {
		return c.check(f, typed.Reveal())
	}
	n := int64(place(f.Account, typed.Reveal()))
	return auth.HostUse{Counter: n, Data: fmt.Sprint("used up to ", n)}, n > f.Counter, nil
}

func (c *cards) Report() auth.ReportSection {
	return auth.ReportSection{Title: "Cards", Rows: []auth.ReportRow{{Name: "codes on a card", Value: fmt.Sprint(cardLength)}}}
}

// newCarded is a world in which people may have second factors, the host's among them.
func newCarded(t *testing.T, change ...func(*auth.Config)) (*postal, *cards) {
	t.Helper()
	host := &cards{}
	w := newFactored(t, append([]func(*auth.Config){func(c *auth.Config) { c.HostFactor = host }}, change...)...)
	return w, host
}

// enrolCard begins to add a card, and hands in a code of it.
func (b *browser) enrolCard(code auth.Secret) (auth.Progress, error) {
	p, err := b.enrolFactor(flow.HostFactor)
	if err != nil {
		return p, err
	}
	return b.do(p.Handle, "enrol-host-factor", auth.Inputs{Code: code, Name: "In the drawer"})
}

// carded is somebody whose card was added by its first code.
func (p *postal) carded() (auth.Account, *browser) {
	p.t.Helper()
	a := p.account(ann)
	b := p.browser()
	b.signIn(ann, right)
	p.letters()
	at, err := b.enrolCard(card(a.ID, 1))
	require.NoError(p.t, err)
	require.NotNil(p.t, at.Session, "%+v", at.View)
	p.only(auth.FactorNotice, ann)
	return a, b
}

func (b *browser) hostFactor(p auth.Progress, code auth.Secret) (auth.Progress, error) {
	return b.do(p.Handle, "host-factor", auth.Inputs{Code: code})
}

// present signs in up to the second factor, and hands the code in.
func (b *browser) present(code auth.Secret) auth.Progress {
	b.w.t.Helper()
	p, err := b.try(ann, right)
	require.NoError(b.w.t, err)
	require.Equal(b.w.t, flow.SecondFactor, p.View.Need)
	p, err = b.hostFactor(p, code)
	require.NoError(b.w.t, err)
	return p
}

// TestHostFactor adds the host's factor and signs in with it.
func TestHostFactor(t *testing.T) {
	w, _ := newCarded(t)
	a := w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	w.letters()
	p, err := b.enrolFactor(flow.HostFactor)
	require.NoError(t, err)
	require.Equal(t, flow.NewFactor, p.View.Need)
	require.Nil(t, p.Pairing, "what the host issued is not shown again")
	for _, wrong := range []auth.Secret{auth.NewSecret("000000"), auth.NewSecret(" "), card("somebody else", 1)} {
		p, err = b.do(p.Handle, "enrol-host-factor", auth.Inputs{Code: wrong})
		require.NoError(t, err)
		require.Equal(t, flow.WrongCode, reasonOf(p))
	}
	w.audit.take()
	p, err = b.do(p.Handle, "enrol-host-factor", auth.Inputs{Code: card(a.ID, 2), Name: "In the drawer"})
	require.NoError(t, err)
	require.Equal(t, flow.AAL2, p.Session.Assurance)
	w.only(auth.FactorNotice, ann)
	require.Equal(t, []string{"change-made host-factor", "notice-factor-added host-factor", "session-granted"}, happened(w))
	list, err := w.Factors(w.ctx, p.Session.Session)
	require.NoError(t, err)
	require.Equal(t, []auth.Factor{{ID: list[0].ID, Method: flow.HostFactor, Name: "In the drawer", CreatedAt: start, UsedAt: start}}, list)

	w.clock.Advance(time.Minute)
	other := w.browser()
	for _, old := range []int{1, 2} {
		p = other.present(card(a.ID, old))
		require.Equal(t, flow.WrongCode, reasonOf(p), "the code that added it cannot sign in, nor one before it")
	}
	require.Equal(t, []string{"host-factor", "restart"}, names(p.View))
	p, err = other.hostFactor(p, card(a.ID, 5))
	require.NoError(t, err)
	require.Equal(t, flow.AAL2, p.Session.Assurance)
	require.Contains(t, happened(w), "proof-passed host-factor")
	stored := must(w.store.Factors(w.ctx, a.ID))
	require.Equal(t, auth.StoredFactor{
		ID: list[0].ID, Account: a.ID, Method: flow.HostFactor, Name: "In the drawer", Handle: "card of " + a.ID, Data: "used up to 5",
		Counter: 5, CreatedAt: start, UsedAt: start.Add(time.Minute),
	}, stored[0])
	for n := 1; n <= 5; n++ {
		require.Equal(t, flow.WrongCode, reasonOf(w.browser().present(card(a.ID, n))), "used, or older than what was used")
		require.NotContains(t, w.logs.String(), card(a.ID, n).Reveal())
	}
}

// happened is what was decided, with the method that it was about.
func happened(w *postal) (all []string) {
	for _, e := range w.audit.take() {
		if e.What != "flow-begun" && e.What != "proof-failed" {
			all = append(all, strings.TrimSpace(e.What+" "+e.Method))
		}
	}
	return all
}

// TestAHostsCodeIsUsedOnce lets many use one code at once (ASVS 6.5.1, NIST SP 800-63B-4 §3.1.2.2). The host lets
// all of them through; one signs in.
func TestAHostsCodeIsUsedOnce(t *testing.T) {
	w, _ := newCarded(t)
	a, _ := w.carded()
	const many = 50
	var ready []auth.Progress
	var browsers []*browser
	for range many {
		b := w.browser()
		b.addr = b.addr.Next()
		p, err := b.try(ann, right)
		require.NoError(t, err)
		ready, browsers = append(ready, p), append(browsers, b)
	}
	var all sync.WaitGroup
	var granted atomic.Int64
	for i := range many {
		all.Go(func() {
			p, err := browsers[i].hostFactor(ready[i], card(a.ID, 2))
			if err == nil && p.Session != nil {
				granted.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, granted.Load(), "one code, one sign-in")
}

// TestAHostsFactorSatisfiesRules: where every account must have a second factor, the host's alone is enough, and
// recovery codes are a way around it as around any other.
func TestAHostsFactorSatisfiesRules(t *testing.T) {
	w, _ := newCarded(t, func(c *auth.Config) {
		c.Apps = nil
		c.Rules = func(context.Context, auth.Account) (flow.Rules, error) {
			return flow.Rules{SecondFactor: flow.Always}, nil
		}
	})
	a := w.account(ann)
	b := w.browser()
	p, err := b.try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.NewFactor, p.View.Need)
	require.Nil(t, p.Session)
	require.Equal(t, []string{"enrol-host-factor", "restart"}, names(p.View))
	p, err = b.do(p.Handle, "enrol-host-factor", auth.Inputs{Code: card(a.ID, 1)})
	require.NoError(t, err)
	require.Equal(t, flow.AAL2, p.Session.Assurance)
	p, err = b.codes()
	require.NoError(t, err)
	require.Len(t, p.Codes, 10)
	list := must(w.Factors(w.ctx, p.Session.Session))
	p, err = b.remove(list[0].ID)
	require.NoError(t, err)
	require.Equal(t, flow.FactorRequired, reasonOf(p), "the last one stays")
	lost := w.browser()
	q, err := lost.try(ann, right)
	require.NoError(t, err)
	require.Equal(t, []string{"recovery-code", "host-factor", "restart"}, names(q.View))
}

// TestAHostsFactorIsRemovedWithItself, named anew, and reset by an operator.
func TestAHostsFactorIsRemovedWithItself(t *testing.T) {
	w, _ := newCarded(t)
	a, b := w.carded()
	id := must(w.store.Factors(w.ctx, a.ID))[0].ID
	acting := must(w.Authenticate(w.ctx, b.session))
	require.NoError(t, w.RenameFactor(w.ctx, acting, id, "With the keys"))
	require.Equal(t, "With the keys", must(w.Factors(w.ctx, acting))[0].Name)
	w.clock.Advance(time.Hour)
	p, err := b.remove(id)
	require.NoError(t, err)
	p, err = b.password(p.Handle, right)
	require.NoError(t, err)
	require.Equal(t, flow.FreshProof, p.View.Need)
	p, err = b.hostFactor(p, card(a.ID, 2))
	require.NoError(t, err)
	require.Equal(t, flow.Removal, p.View.Need)
	p, err = b.do(p.Handle, "remove", auth.Inputs{})
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	w.only(auth.FactorGoneNotice, ann)
	require.Empty(t, must(w.store.Factors(w.ctx, a.ID)))

	p, err = b.enrolCard(card(a.ID, 3))
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	w.letters()
	require.NoError(t, w.ResetFactors(w.ctx, a.ID))
	w.only(auth.FactorGoneNotice, ann)
	require.False(t, w.alive(b.session))
	require.Empty(t, must(w.store.Factors(w.ctx, a.ID)))
}

// TestAHostsFactorIsAskedForEverywhere a second factor is: before a new password, and to step up.
func TestAHostsFactorIsAskedForEverywhere(t *testing.T) {
	w, _ := newCarded(t)
	a, b := w.carded()
	w.clock.Advance(time.Hour)
	target := flow.Target{Methods: flow.MethodsOf(flow.HostFactor), MaxAge: time.Minute}
	p, err := w.Begin(w.ctx, auth.BeginRequest{Goal: flow.StepUp, Target: target, Client: b.client()})
	require.NoError(t, err)
	p, err = b.hostFactor(p, card(a.ID, 2))
	require.NoError(t, err)
	require.True(t, w.Fresh(p.Session.Session, target))

	elsewhere := w.browser()
	p, err = elsewhere.follow(flow.Recovery, w.resetLink(ann))
	require.NoError(t, err)
	require.Equal(t, flow.SecondFactor, p.View.Need)
	p, err = elsewhere.hostFactor(p, card(a.ID, 2))
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p), "used in between")
	p, err = elsewhere.hostFactor(p, card(a.ID, 3))
	require.NoError(t, err)
	require.Equal(t, flow.PasswordChange, p.View.Need)
}

// TestADeviceIsTrustedWithAHostsFactor, and then spared it where the rules let trust do so.
func TestADeviceIsTrustedWithAHostsFactor(t *testing.T) {
	w, _ := newCarded(t, func(c *auth.Config) {
		trusted, err := session.NewTrustedDevices(session.TrustedDevicesConfig{
			Devices: c.Devices.(tapDevices).Devices.(*session.Devices), Store: c.Directory.(tapDirectory).Directory.(session.TrustStore),
		})
		require.NoError(t, err)
		c.TrustedDevices = trusted
		c.Rules = func(context.Context, auth.Account) (flow.Rules, error) {
			return flow.Rules{SecondFactor: flow.IfEnrolled, TrustSparesFactor: true}, nil
		}
	})
	a, _ := w.carded()
	b := w.browser()
	p, err := b.try(ann, right)
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(p.View.Actions[0].Inputs, func(in flow.Input) bool { return in.Name == "trust" }))
	p, err = b.do(p.Handle, "host-factor", auth.Inputs{Code: card(a.ID, 2), Trust: true})
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	b.signIn(ann, right)
}

// TestGuessesOfAHostsFactorCountWithTheOthers: three methods share one limit, also on a device that is known
// (NIST SP 800-63B-4 §3.1.2.2 and §3.2.2), and the host is not asked about what is beyond it.
func TestGuessesOfAHostsFactorCountWithTheOthers(t *testing.T) {
	for _, known := range []bool{false, true} {
		w, host := newCarded(t, func(c *auth.Config) {
			c.Throttle.AccountCap, c.Throttle.Free, c.Throttle.PrefixCap = 9, 100, 1<<20
		})
		a, b, _ := w.enrolled()
		p, err := b.enrolCard(card(a.ID, 1))
		require.NoError(t, err)
		require.NotNil(t, p.Session)
		_, err = b.codes()
		require.NoError(t, err)
		thief := w.browser()
		if known {
			thief.device = b.device
		}
		methods := []string{"totp", "recovery-code", "host-factor"}
		p, err = thief.try(ann, right)
		require.NoError(t, err)
		for i := range 9 {
			p, err = thief.do(p.Handle, methods[i%3], auth.Inputs{Code: auth.NewSecret("000000")})
			require.NoError(t, err)
			require.Equal(t, flow.WrongCode, reasonOf(p), "%v %d", known, i)
		}
		asked := host.asked.Load()
		for _, method := range methods {
			p, err = thief.do(p.Handle, method, auth.Inputs{Code: card(a.ID, 2)})
			require.NoError(t, err)
			require.Equal(t, flow.TooManyAttempts, reasonOf(p), "%v %s", known, method)
		}
		require.Equal(t, asked, host.asked.Load())
	}
}

// TestGuessesOfANewHostsFactorAreCounted: a thief of a session who guesses what the owner has in a drawer is
// stopped, in however many flows, and so is one who then goes on at the sign-in.
func TestGuessesOfANewHostsFactorAreCounted(t *testing.T) {
	w, host := newCarded(t)
	a := w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	for i := range 5 {
		p, err := b.enrolCard(auth.NewSecret("guess"))
		require.NoError(t, err)
		require.Equal(t, flow.WrongCode, reasonOf(p), "%d", i)
	}
	p, err := b.enrolCard(card(a.ID, 1))
	require.NoError(t, err)
	require.Equal(t, flow.TooManyAttempts, reasonOf(p), "even the right one")
	require.Equal(t, w.clock.Now().Add(30*time.Second), p.View.Refusal.RetryAt)
	require.EqualValues(t, 5, host.asked.Load())
	w.clock.Advance(30 * time.Second)
	p, err = b.enrolCard(card(a.ID, 1))
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	for i := range 5 {
		p = b.present(auth.NewSecret("guess"))
		require.Equal(t, flow.WrongCode, reasonOf(p), "what was right forgave the tries: %d", i)
	}
	require.Equal(t, flow.TooManyAttempts, reasonOf(b.present(card(a.ID, 2))))
}

// TestACardIsAddedOnce: with two counters, each code would work once by each of them.
func TestACardIsAddedOnce(t *testing.T) {
	w, _ := newCarded(t)
	a, b := w.carded()
	p := w.browser().present(card(a.ID, 7))
	require.NotNil(t, p.Session)
	for _, n := range []int{1, 7, 8} {
		p, err := b.enrolCard(card(a.ID, n))
		require.NoError(t, err)
		require.Equal(t, flow.WrongCode, reasonOf(p))
	}
	require.Len(t, must(w.store.Factors(w.ctx, a.ID)), 1)
}

// TestSomebodyElsesCodeIsWrong: the host is asked about the account that is signing in, and no other.
func TestSomebodyElsesCodeIsWrong(t *testing.T) {
	w, host := newCarded(t)
	a, _ := w.carded()
	var accounts []string
	host.check = func(f auth.StoredFactor, typed string) (auth.HostUse, bool, error) {
		accounts = append(accounts, f.Account)
		return auth.HostUse{}, false, nil
	}
	require.Equal(t, flow.WrongCode, reasonOf(w.browser().present(card("bea", 2))))
	require.Equal(t, []string{a.ID}, accounts)
}
