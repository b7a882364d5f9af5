package auth_test

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// TestPasskeysThatAreRemovedMidway: a sign-in that has used the passkey, and not yet looked at the account, does not
// outrun the removal that ends all sessions.
func TestPasskeysThatAreRemovedMidway(t *testing.T) {
	for name, remove := range map[string]func(w *postal, a auth.Account, b *browser){
		"by the owner": func(w *postal, a auth.Account, b *browser) {
			p, err := w.Begin(w.ctx, auth.BeginRequest{Goal: flow.Enrolment, Client: b.client(), Target: flow.Target{
				Enrol: flow.Passkey, Remove: w.factorsOf(a.ID)[0].ID,
			}})
			require.NoError(w.t, err)
			p, err = b.do(p.Handle, "remove", auth.Inputs{EndOthers: true})
			require.NoError(w.t, err)
			require.NotNil(w.t, p.Session)
		},
		"by an operator": func(w *postal, a auth.Account, _ *browser) { require.NoError(w.t, w.ResetFactors(w.ctx, a.ID)) },
	} {
		for _, when := range []string{"Accounts.State", "Factors.UseFactor", "Directory.FindByID", "Devices.Known", "Sessions.Issue"} {
			t.Run(name+" after "+when, func(t *testing.T) {
				w := newKeyed(t)
				device := authtest.NewAuthenticator(site)
				a, b := w.passkeyed(device)
				thief := w.browser()
				open, answer, err := thief.ready(device)
				require.NoError(t, err)
				var done atomic.Bool
				w.tap.set(func(_ context.Context, _ int, call string, work func() error) error {
					meanwhile := call == when && done.CompareAndSwap(false, true)
					if meanwhile && when == "Sessions.Issue" {
						remove(w, a, b)
						return work()
					}
					err := work()
					if meanwhile {
						remove(w, a, b)
					}
					return err
				})
				p, err := thief.assert(open, answer)
				if err == nil {
					require.Nil(t, p.Session)
				}
				require.Empty(t, w.factorsOf(a.ID))
				require.LessOrEqual(t, len(w.live(a.ID)), 1, "the owner's")
			})
		}
	}
}

// TestTrustDoesNotSpareThePassword: it stands in for what one holds, and a touch of a key is just that.
func TestTrustDoesNotSpareThePassword(t *testing.T) {
	w := newKeyed(t, func(c *auth.Config) {
		devices := c.Devices.(tapDevices)
		trusted, err := session.NewTrustedDevices(session.TrustedDevicesConfig{
			Devices: devices.Devices.(*session.Devices), Store: c.Directory.(tapDirectory).Directory.(session.TrustStore),
		})
		require.NoError(t, err)
		c.TrustedDevices = tapTrusted{trusted, devices.t}
		c.Rules = func(context.Context, auth.Account) (flow.Rules, error) {
			return flow.Rules{SecondFactor: flow.Always, TrustSparesFactor: true}, nil
		}
	})
	w.account(ann)
	b := w.browser()
	p, err := b.try(ann, right)
	require.NoError(t, err)
	app := appOf(p.Pairing)
	_, err = b.do(p.Handle, "enrol-totp", auth.Inputs{Code: app.code(w.clock.Now())})
	require.NoError(t, err)
	key := authtest.NewAuthenticator(site)
	key.Verifies = false
	p, err = b.enrolFactor(flow.Passkey)
	require.NoError(t, err)
	_, err = b.register(p, key)
	require.NoError(t, err)
	w.clock.Advance(time.Minute)
	p, err = b.try(ann, right)
	require.NoError(t, err)
	p, err = b.do(p.Handle, "totp", auth.Inputs{Code: app.code(w.clock.Now()), Trust: true})
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	p, err = b.try(ann, right)
	require.NoError(t, err)
	require.NotNil(t, p.Session, "it spares the code")
	p, err = b.touch(key)
	require.NoError(t, err)
	require.Nil(t, p.Session)
	require.Equal(t, flow.SecondFactor, p.View.Need)
	require.Contains(t, names(p.View), "password")
}

// TestDoubleClicksLetSomebodyIn, and are no alarm: of two requests with one answer, one signs in and the other one
// looks on.
func TestDoubleClicksLetSomebodyIn(t *testing.T) {
	w := newKeyed(t)
	key := authtest.NewAuthenticator(site)
	key.Counts = true
	_, b := w.passkeyed(key)
	_, err := b.codes()
	require.NoError(t, err)
	for range 100 {
		w.clock.Advance(10 * time.Second)
		b := w.browser()
		p, answer, err := b.ready(key)
		require.NoError(t, err)
		w.twice(b, p, "passkey", auth.Inputs{Credential: answer})
	}
	for _, e := range w.audit.take() {
		require.Empty(t, e.Detail, "no copy was made of the key")
	}
}

// TestDoubleClicksUseUpOneCode, and nobody is told that it was wrong.
func TestDoubleClicksUseUpOneCode(t *testing.T) {
	w := newFactored(t)
	_, b, paired := w.enrolled()
	made, err := b.codes()
	require.NoError(t, err)
	for i := range 20 {
		w.clock.Advance(time.Minute)
		b := w.browser()
		p, err := b.try(ann, right)
		require.NoError(t, err)
		if i < 10 {
			w.twice(b, p, "recovery-code", auth.Inputs{Code: made.Codes[i]})
		} else {
			w.twice(b, p, "totp", auth.Inputs{Code: paired.code(w.clock.Now())})
		}
	}
}

// twice sends one step twice at the same time. One of the two must end in a session.
func (p *postal) twice(b *browser, at auth.Progress, action string, in auth.Inputs) {
	p.t.Helper()
	var wg sync.WaitGroup
	granted := make([]bool, 2)
	for i := range granted {
		wg.Go(func() {
			q, err := p.Continue(p.ctx, auth.ContinueRequest{Handle: at.Handle, Action: action, Inputs: in, Client: b.client()})
			granted[i] = err == nil && q.Session != nil
		})
	}
	wg.Wait()
	require.NotEqual(p.t, granted[0], granted[1], "%v", granted)
}

// TestAnswersAreUsedUpByFaultsToo: what was handed in is not good a second time, whatever broke.
func TestAnswersAreUsedUpByFaultsToo(t *testing.T) {
	for n := 1; ; n++ {
		w := newKeyed(t)
		device := authtest.NewAuthenticator(site)
		a, _ := w.passkeyed(device)
		before := len(w.live(a.ID))
		b := w.browser()
		p, answer, err := b.ready(device)
		require.NoError(t, err)
		calls := 0
		w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
			if calls++; calls == n && !bystander(name) {
				return errFault
			}
			return work()
		})
		first, _ := b.assert(p, answer)
		w.tap.set(nil)
		if calls < n {
			return
		}
		again, _ := b.assert(p, answer)
		require.False(t, first.Session != nil && again.Session != nil)
		require.LessOrEqual(t, len(w.live(a.ID)), before+1)
	}
}

// TestOnlyTheKeysOwnerIsWarned: whoever types somebody's address and answers with a passkey of their own, or with
// rubbish, leaves no trace with that person.
func TestOnlyTheKeysOwnerIsWarned(t *testing.T) {
	w := newKeyed(t)
	a := w.account(ann)
	mallory, err := w.CreateAccount(w.ctx, auth.NewAccount{Identifier: "mallory@example.com", Password: auth.NewSecret(wrong)})
	require.NoError(t, err)
	m := w.browser()
	m.signIn("mallory@example.com", wrong)
	evil := authtest.NewAuthenticator(site)
	evil.Counts = true
	at, err := m.enrolFactor(flow.Passkey)
	require.NoError(t, err)
	_, err = m.register(at, evil)
	require.NoError(t, err)
	b := w.browser()
	p, err := b.begin(ann)
	require.NoError(t, err)
	p, err = b.do(p.Handle, "send-passkey", auth.Inputs{})
	require.NoError(t, err)
	late := must(evil.Get(p.Passkey))
	_, err = w.browser().touch(evil)
	require.NoError(t, err)
	_, err = b.assert(p, late)
	require.NoError(t, err)
	e := w.audit.last("proof-failed")
	require.Equal(t, []string{mallory.ID, "counter-went-back"}, []string{e.Account, e.Detail})

	w.tap.take()
	b = w.browser()
	p, err = b.begin(ann)
	require.NoError(t, err)
	p, err = b.do(p.Handle, "send-passkey", auth.Inputs{})
	require.NoError(t, err)
	_, err = b.assert(p, auth.NewSecret("{}"))
	require.NoError(t, err)
	require.NotContains(t, w.tap.take(), "Activity.RecordActivity", "it takes from no counter, so it must fill nothing")
	require.Empty(t, w.audit.last("proof-failed").Account)
	require.NotEmpty(t, a.ID)
}

// TestKeysAddedTwiceAtOnce: the store lets one in, and the other one begins again.
func TestKeysAddedTwiceAtOnce(t *testing.T) {
	w := newKeyed(t)
	w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	p, err := b.enrolFactor(flow.Passkey)
	require.NoError(t, err)
	p, err = b.do(p.Handle, "send-passkey", auth.Inputs{})
	require.NoError(t, err)
	w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
		if name == "Factors.ChangeFactors" {
			return auth.ErrTaken
		}
		return work()
	})
	p, err = b.do(p.Handle, "enrol-passkey", auth.Inputs{Credential: must(authtest.NewAuthenticator(site).Create(p.Passkey))})
	require.NoError(t, err)
	require.Equal(t, flow.Stale, reasonOf(p))
}

// TestManyPasskeys: as many as a ceremony can name.
func TestManyPasskeys(t *testing.T) {
	w := newKeyed(t)
	a, b := w.passkeyed(authtest.NewAuthenticator(site))
	for range 31 {
		w.register(b, authtest.NewAuthenticator(site))
	}
	require.Len(t, w.factorsOf(a.ID), 32)
	p, err := b.enrolFactor(flow.Passkey)
	require.NoError(t, err)
	p, err = b.do(p.Handle, "send-passkey", auth.Inputs{})
	require.NoError(t, err)
	require.Equal(t, flow.TooManyFactors, reasonOf(p))
	require.Nil(t, p.Passkey)
}

// TestIdlePagesStarveNobody: what pages begin by themselves is counted apart from what people begin.
func TestIdlePagesStarveNobody(t *testing.T) {
	w := newKeyed(t)
	w.account(ann)
	office := netip.MustParseAddr("203.0.113.5")
	idle := func() error {
		b := w.browser()
		b.addr = office
		_, err := w.Begin(w.ctx, auth.BeginRequest{Goal: flow.SignIn, Action: "send-passkey", Client: b.client()})
		return err
	}
	for range 300 {
		require.NoError(t, idle())
	}
	refused(t, idle(), flow.TooManyAttempts)
	b := w.browser()
	b.addr = office
	p, err := b.try(ann, right)
	require.NoError(t, err)
	require.NotNil(t, p.Session)
}
