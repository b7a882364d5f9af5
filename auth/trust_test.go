package auth_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// verifying are rules under which a password from an untrusted device asks for a mailed code.
var verifying = flow.Rules{Verification: flow.VerifyPassword}

// newTrustingWorld is a world whose people may trust their devices.
func newTrustingWorld(t testing.TB, change ...func(*auth.Config)) *world {
	return newWorld(t, append([]func(*auth.Config){func(c *auth.Config) {
		devices, ok := c.Devices.(tapDevices)
		require.True(t, ok)
		trusted, err := session.NewTrustedDevices(session.TrustedDevicesConfig{
			Devices: devices.Devices.(*session.Devices), Store: c.Directory.(tapDirectory).Directory.(session.TrustStore),
		})
		require.NoError(t, err)
		c.TrustedDevices = tapTrusted{trusted, devices.t}
	}}, change...)...)
}

type tapTrusted struct {
	auth.TrustedDevices
	t *tap
}

func (d tapTrusted) Trusted(ctx context.Context, cookie auth.Secret, account string, epoch uint64, now time.Time) (flow.Assurance, error) {
	return tapped(d.t, ctx, "Trusted.Trusted", func() (flow.Assurance, error) {
		return d.TrustedDevices.Trusted(ctx, cookie, account, epoch, now)
	})
}

func (d tapTrusted) Trust(ctx context.Context, cookie auth.Secret, r auth.TrustRequest, now time.Time) (auth.TrustedDevice, error) {
	return tapped(d.t, ctx, "Trusted.Trust", func() (auth.TrustedDevice, error) {
		return d.TrustedDevices.Trust(ctx, cookie, r, now)
	})
}

func (d tapTrusted) Used(ctx context.Context, cookie auth.Secret, account string, epoch uint64, now time.Time) error {
	return d.t.do(ctx, "Trusted.Used", func() error { return d.TrustedDevices.Used(ctx, cookie, account, epoch, now) })
}

func (d tapTrusted) Restamp(ctx context.Context, cookie auth.Secret, account string, from, to uint64, now time.Time) error {
	return d.t.do(ctx, "Trusted.Restamp", func() error { return d.TrustedDevices.Restamp(ctx, cookie, account, from, to, now) })
}

func (d tapTrusted) RemoveAll(ctx context.Context, account string) error {
	return d.t.do(ctx, "Trusted.RemoveAll", func() error { return d.TrustedDevices.RemoveAll(ctx, account) })
}

// enrolling are accounts that have what the test says.
type enrolling struct {
	auth.AccountStore
	methods *flow.Methods
}

func (e enrolling) State(ctx context.Context, id string) (auth.AccountState, error) {
	state, err := e.AccountStore.State(ctx, id)
	state.Enrolled = *e.methods
	return state, err
}

// step takes one step under rules.
func (b *browser) step(handle auth.Secret, action string, in auth.Inputs, rules flow.Rules) (auth.Progress, error) {
	p, err := b.w.ContinueVerified(b.w.ctx, auth.ContinueRequest{Handle: handle, Action: action, Inputs: in, Client: b.client()}, rules)
	b.keep(p)
	return p, err
}

// enter begins a sign-in and hands in the right password, under rules.
func (b *browser) enter(email string, rules flow.Rules) auth.Progress {
	b.w.t.Helper()
	p, err := b.begin(email)
	require.NoError(b.w.t, err)
	p, err = b.step(p.Handle, "password", auth.Inputs{Password: auth.NewSecret(right)}, rules)
	require.NoError(b.w.t, err)
	return p
}

// verify is a sign-in that asks for the code, and must succeed with it.
func (b *browser) verify(email string, trust bool) auth.IssuedSession {
	b.w.t.Helper()
	p := b.enter(email, verifying)
	require.Equal(b.w.t, flow.DeviceCheck, p.View.Need)
	p, err := b.step(p.Handle, "mail-code", auth.Inputs{Code: auth.NewSecret("123456"), Trust: trust}, verifying)
	require.NoError(b.w.t, err)
	require.NotNil(b.w.t, p.Session)
	return *p.Session
}

// spared reports whether a password is enough here.
func (b *browser) spared(email string) bool {
	b.w.t.Helper()
	p := b.enter(email, verifying)
	require.True(b.w.t, p.Session != nil || p.View.Need == flow.DeviceCheck, "%+v", p.View)
	return p.Session != nil
}

// trusts returns the ids of the devices that the account trusts, past the tap.
func (w *world) trusts(account string) []string {
	w.t.Helper()
	list, err := w.TrustedDevices(context.Background(), auth.Session{Account: account}, auth.Client{})
	require.NoError(w.t, err)
	ids := []string{}
	for _, d := range list {
		ids = append(ids, d.ID)
	}
	return ids
}

func (w *world) whatHappened() (what []string) {
	for _, e := range w.audit.take() {
		what = append(what, e.What)
	}
	return what
}

// S4, from the first code to the last.
func TestTrustedDeviceIsSparedTheCode(t *testing.T) {
	w := newTrustingWorld(t)
	a := w.account(ann)
	laptop, other := w.browser(), w.browser()

	laptop.verify(ann, false)
	require.False(t, laptop.spared(ann), "known is not trusted")
	require.Empty(t, w.trusts(a.ID))
	w.audit.take()
	s := laptop.verify(ann, true)
	require.Contains(t, w.whatHappened(), "device-trusted")
	require.False(t, slices.ContainsFunc(s.Proofs, func(p flow.Proof) bool { return p.Method == flow.TrustedDevice }))

	list, err := w.TrustedDevices(w.ctx, s.Session, laptop.client())
	require.NoError(t, err)
	require.Equal(t, []auth.TrustedDevice{{
		ID: list[0].ID, Account: a.ID, Assurance: flow.AAL1, CreatedAt: start, SeenAt: start,
		ExpiresAt: start.Add(30 * 24 * time.Hour), UserAgent: laptop.agent, Current: true,
	}}, list)
	list, err = w.TrustedDevices(w.ctx, s.Session, other.client())
	require.NoError(t, err)
	require.False(t, list[0].Current)

	w.clock.Advance(time.Hour)
	require.True(t, laptop.spared(ann))
	require.Equal(t, flow.AAL1, must(w.Authenticate(w.ctx, laptop.session)).Assurance, "trust raises nothing")
	list, err = w.TrustedDevices(w.ctx, s.Session, laptop.client())
	require.NoError(t, err)
	require.Equal(t, start.Add(time.Hour), list[0].SeenAt, "its use is shown")
	require.Equal(t, start.Add(30*24*time.Hour), list[0].ExpiresAt, "and prolongs nothing")

	require.False(t, other.spared(ann), "another browser")
	other.device = auth.NewSecret(laptop.device.Reveal() + "x")
	require.False(t, other.spared(ann), "an altered cookie")

	require.NoError(t, w.SignOut(w.ctx, must(w.Authenticate(w.ctx, laptop.session))))
	require.True(t, laptop.spared(ann), "signing out removes no trust")
	w.clock.Set(start.Add(30*24*time.Hour - time.Millisecond))
	require.True(t, laptop.spared(ann))
	w.clock.Advance(time.Millisecond)
	require.Empty(t, w.trusts(a.ID))
	require.False(t, laptop.spared(ann), "after 30 days, to the millisecond")
	require.NoError(t, w.Sweep(w.ctx))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestTrustIsOfOneAccount: two people share a browser, and one of them trusts it.
func TestTrustIsOfOneAccount(t *testing.T) {
	w := newTrustingWorld(t)
	w.account(ann)
	w.account("bob@example.com")
	shared := w.browser()
	shared.verify("bob@example.com", false)
	shared.verify(ann, true)
	require.True(t, shared.spared(ann))
	require.False(t, shared.spared("bob@example.com"))
}

// TestWhatEndsTrust tries each way on a trusted laptop beside a trusted phone, from which some of it is done.
func TestWhatEndsTrust(t *testing.T) {
	type stage struct {
		w             *world
		id            string
		laptop, phone *browser
		acting        auth.Session // the phone's
	}
	end := func(s stage) error { return s.w.EndOtherSessions(s.w.ctx, s.acting, s.phone.client()) }
	for name, c := range map[string]struct {
		act           func(s stage) error
		laptop, phone bool // still trusted afterwards
		password      string
	}{
		"nothing":               {func(stage) error { return nil }, true, true, right},
		"the phone signs out":   {func(s stage) error { return s.w.SignOut(s.w.ctx, s.acting) }, true, true, right},
		"the phone ends others": {end, false, true, right},
		"and once more":         {func(s stage) error { return firstOf(end(s), end(s)) }, false, true, right},
		"an operator ends all":  {func(s stage) error { return s.w.EndSessions(s.w.ctx, s.id) }, false, false, right},
		"the host changed it":   {func(s stage) error { return s.w.AccountChanged(s.w.ctx, s.id) }, false, false, right},
		"closed and opened": {func(s stage) error {
			return firstOf(s.w.DisableAccount(s.w.ctx, s.id), s.w.EnableAccount(s.w.ctx, s.id))
		}, false, false, right},
		"a device is removed":      {func(s stage) error { return s.w.RemoveTrustedDevice(s.w.ctx, s.acting, s.w.trusts(s.id)[1]) }, false, true, right},
		"all are removed":          {func(s stage) error { return s.w.RemoveTrustedDevices(s.w.ctx, s.acting) }, false, false, right},
		"the password is changed":  {func(s stage) error { return changed(s.phone, false) }, true, true, newer},
		"and the others are ended": {func(s stage) error { return changed(s.phone, true) }, false, true, newer},
		"others end without the device": {func(s stage) error {
			return s.w.EndOtherSessions(s.w.ctx, s.acting, auth.Client{})
		}, false, false, right},
		"others end with a cookie of nobody's": {func(s stage) error {
			return s.w.EndOtherSessions(s.w.ctx, s.acting, auth.Client{Device: auth.NewSecret(s.laptop.device.Reveal() + "x")})
		}, false, false, right},
		"others end by a session that has ended": {func(s stage) error {
			require.NoError(s.w.t, s.w.SignOut(s.w.ctx, s.acting))
			refused(s.w.t, end(s), flow.SessionRequired)
			return nil
		}, true, true, right},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTrustingWorld(t)
			s := stage{w: w, id: w.account(ann).ID, laptop: w.browser(), phone: w.browser()}
			s.laptop.verify(ann, true)
			w.clock.Advance(time.Second)
			s.acting = s.phone.verify(ann, true).Session
			w.clock.Advance(time.Second)
			require.NoError(t, c.act(s))
			for _, b := range []struct {
				*browser
				want bool
			}{{s.laptop, c.laptop}, {s.phone, c.phone}} {
				p, err := b.begin(ann)
				require.NoError(t, err)
				p, err = b.step(p.Handle, "password", auth.Inputs{Password: auth.NewSecret(c.password)}, verifying)
				require.NoError(t, err)
				require.Equal(t, b.want, p.Session != nil, "%+v", p.View)
			}
		})
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func changed(b *browser, others bool) error {
	p, err := b.change(right, newer, others)
	require.NotNil(b.w.t, p.Session)
	return err
}

// TestTrustEndsWithTheAccount: an account that is opened anew under its old id begins at the first epoch again,
// which is also that of the trust from before.
func TestTrustEndsWithTheAccount(t *testing.T) {
	w := newTrustingWorld(t)
	a := w.account(ann)
	b := w.browser()
	b.verify(ann, true)
	require.NoError(t, w.DeleteAccount(w.ctx, a.ID))
	require.NoError(t, w.store.Create(w.ctx, a))
	require.NoError(t, w.store.Open(w.ctx, a.ID, flow.Active, hashOf("h1", right), start))
	require.Equal(t, uint64(1), w.standing(a.ID).Epochs.Session)
	require.Empty(t, w.trusts(a.ID))
}

// TestTrustIsLookedUpAnewAtEachStep: trust that ends while the password is typed does not count.
func TestTrustIsLookedUpAnewAtEachStep(t *testing.T) {
	for name, act := range map[string]func(w *world, acting auth.Session) error{
		"removed":      func(w *world, acting auth.Session) error { return w.RemoveTrustedDevices(w.ctx, acting) },
		"others ended": func(w *world, acting auth.Session) error { return w.EndOtherSessions(w.ctx, acting, auth.Client{}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newTrustingWorld(t)
			w.account(ann)
			b, owner := w.browser(), w.browser()
			b.verify(ann, true)
			acting := owner.verify(ann, false)
			p, err := b.begin(ann)
			require.NoError(t, err)
			require.NoError(t, act(w, acting.Session))
			p, err = b.step(p.Handle, "password", auth.Inputs{Password: auth.NewSecret(right)}, verifying)
			require.NoError(t, err)
			require.Equal(t, flow.DeviceCheck, p.View.Need)
		})
	}
}

// TestTrustThatLosesARace: all sessions end between the session and its trust, or before either.
func TestTrustThatLosesARace(t *testing.T) {
	w := newTrustingWorld(t)
	a := w.account(ann)
	b := w.browser()
	w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
		if name == "Trusted.Trust" {
			w.tap.set(nil)
			require.NoError(t, w.EndSessions(context.Background(), a.ID))
		}
		return work()
	})
	b.verify(ann, true)
	require.Empty(t, w.trusts(a.ID), "born dead")
	require.False(t, b.spared(ann))
}

// TestTrustSparesTheFactorOnlyAfterOne: a mailed code is no factor, and an attacker who has the mailbox before a
// factor is enrolled must not have spared themselves the factor that comes later.
func TestTrustSparesTheFactorOnlyAfterOne(t *testing.T) {
	factor := flow.Rules{SecondFactor: flow.IfEnrolled, TrustSparesFactor: true}
	enrolled := flow.MethodsOf(flow.Password)
	w := newTrustingWorld(t, func(c *auth.Config) { c.Accounts = enrolling{c.Accounts, &enrolled} })
	w.account(ann)
	early := w.browser()
	early.verify(ann, true)

	enrolled = enrolled.With(flow.TOTP)
	p := early.enter(ann, factor)
	require.Equal(t, flow.SecondFactor, p.View.Need)
	p, err := early.step(p.Handle, "totp", auth.Inputs{Code: auth.NewSecret("wrong"), Trust: true}, factor)
	require.NoError(t, err)
	p, err = early.step(p.Handle, "totp", auth.Inputs{Code: auth.NewSecret("123456")}, factor)
	require.NoError(t, err)
	require.Equal(t, flow.AAL2, p.Session.Assurance)
	require.Equal(t, flow.SecondFactor, early.enter(ann, factor).View.Need, "what was ticked beside the wrong code grants nothing")

	p = early.enter(ann, factor)
	p, err = early.step(p.Handle, "totp", auth.Inputs{Code: auth.NewSecret("123456"), Trust: true}, factor)
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	p = early.enter(ann, factor)
	require.NotNil(t, p.Session, "now it does")
	require.Equal(t, flow.AAL1, p.Session.Assurance, "and the session is worth what was proven")
	require.Equal(t, flow.SecondFactor, early.enter(ann, flow.Rules{SecondFactor: flow.IfEnrolled}).View.Need, "unless the rules say nothing of it")
	forbidden := factor
	forbidden.NoTrust = true
	require.Equal(t, flow.SecondFactor, early.enter(ann, forbidden).View.Need, "or forbid it")
}

// TestTrustIsOfferedWhereItIsKept: no store, no box; and no trust from before either.
func TestTrustIsOfferedWhereItIsKept(t *testing.T) {
	box := func(w *world) (offered bool) {
		p := w.browser().enter(ann, verifying)
		for _, action := range p.View.Actions {
			for _, in := range action.Inputs {
				offered = offered || in.Name == "trust"
			}
		}
		return offered
	}
	with := newTrustingWorld(t)
	with.account(ann)
	require.True(t, box(with))
	without := newWorld(t)
	a := without.account(ann)
	require.False(t, box(without))
	b := without.browser()
	b.verify(ann, true)
	require.False(t, b.spared(ann))
	acting := auth.Session{Account: a.ID}
	require.Empty(t, without.trusts(a.ID))
	refused(t, without.RemoveTrustedDevice(without.ctx, acting, "x"), flow.NotFound)
	refused(t, without.RenameTrustedDevice(without.ctx, acting, "x", "y"), flow.NotFound)
	refused(t, without.RemoveTrustedDevices(without.ctx, acting), flow.NotFound)

	_, err := auth.New(func() auth.Config { c := with.cfg; c.TrustedDevices = (*session.TrustedDevices)(nil); return c }())
	require.ErrorContains(t, err, "TrustedDevices is a nil pointer")
}

// TestOwnersManageTheirDevicesAlone tries it with one's own and with somebody else's.
func TestOwnersManageTheirDevicesAlone(t *testing.T) {
	w := newTrustingWorld(t)
	a, bob := w.account(ann), w.account("bob@example.com")
	own, foreign := w.browser().verify(ann, true), w.browser().verify("bob@example.com", true)
	id, theirs := w.trusts(a.ID)[0], w.trusts(bob.ID)[0]
	w.audit.take()

	refused(t, w.RenameTrustedDevice(w.ctx, own.Session, theirs, "mine"), flow.NotFound)
	refused(t, w.RemoveTrustedDevice(w.ctx, own.Session, theirs), flow.NotFound)
	refused(t, w.RemoveTrustedDevice(w.ctx, foreign.Session, id), flow.NotFound)
	refused(t, w.RenameTrustedDevice(w.ctx, own.Session, id, strings.Repeat("x", 65)), flow.Malformed)
	require.Empty(t, w.whatHappened())

	require.NoError(t, w.RenameTrustedDevice(w.ctx, own.Session, id, " Ann's\u202e  laptop\n"))
	list, err := w.TrustedDevices(w.ctx, own.Session, auth.Client{})
	require.NoError(t, err)
	require.Equal(t, "Ann's laptop", list[0].Name)
	require.NoError(t, w.RemoveTrustedDevice(w.ctx, own.Session, id))
	require.NoError(t, w.RemoveTrustedDevices(w.ctx, own.Session))
	require.Equal(t, []string{"device-renamed", "device-removed", "devices-removed"}, w.whatHappened())
	require.Empty(t, w.trusts(a.ID))
	require.Equal(t, []string{theirs}, w.trusts(bob.ID))
}

// TestTrustUnderFaults: a store that fails is never taken for one that says no, nor for one that says yes; and
// what fails after the session takes nothing but the trust.
func TestTrustUnderFaults(t *testing.T) {
	w := newTrustingWorld(t)
	a := w.account(ann)
	b := w.browser()
	b.verify(ann, true)

	w.tap.failOnce("Trusted.Trusted", false)
	_, err := b.begin(ann)
	require.ErrorIs(t, err, errFault)
	p, err := b.begin(ann)
	require.NoError(t, err)
	w.tap.failOnce("Trusted.Trusted", true)
	_, err = b.step(p.Handle, "password", auth.Inputs{Password: auth.NewSecret(right)}, verifying)
	require.ErrorIs(t, err, errFault)
	_, err = b.enrol()
	require.NoError(t, err)
	w.tap.failOnce("Trusted.Trusted", false)
	_, err = b.enrol()
	require.ErrorIs(t, err, errFault, "nor where a session begins a flow")

	w.tap.failOnce("Trusted.Used", false)
	require.True(t, b.spared(ann))
	fresh := w.browser()
	w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
		if name == "Trusted.Trust" {
			return errFault
		}
		return work()
	})
	fresh.verify(ann, true)
	w.tap.set(nil)
	require.Len(t, w.trusts(a.ID), 1)
	require.False(t, fresh.spared(ann))

	acting := must(w.Authenticate(w.ctx, b.session))
	w.tap.failOnce("Trusted.Restamp", false)
	require.NoError(t, w.EndOtherSessions(w.ctx, acting, b.client()))
	require.False(t, w.alive(fresh.session))
	require.False(t, b.spared(ann), "its trust ended with the others'")

	w.tap.failOnce("Trusted.RemoveAll", false)
	require.ErrorIs(t, w.DeleteAccount(w.ctx, a.ID), errFault)
	require.NoError(t, w.DeleteAccount(w.ctx, a.ID))
	require.NotContains(t, w.logs.String(), b.device.Reveal())
}

// TestDecoysCostTheSameTrust: the same calls for a known and an unknown address, with and without a cookie.
func TestDecoysCostTheSameTrust(t *testing.T) {
	w := newTrustingWorld(t)
	w.account(ann)
	w.account("bob@example.com")
	own := w.browser()
	own.verify("bob@example.com", true)
	for _, b := range []*browser{own, w.browser()} {
		var calls [2][]string
		for i, email := range []string{ann, stranger} {
			w.tap.take()
			p, err := b.begin(email)
			require.NoError(t, err)
			_, err = b.password(p.Handle, wrong)
			require.NoError(t, err)
			calls[i] = w.tap.take()
		}
		require.Equal(t, calls[0], calls[1])
		require.Contains(t, calls[0], "Trusted.Trusted")
	}
}

// TestNativeTrustStaysNative: a token is not a cookie, on either way.
func TestNativeTrustStaysNative(t *testing.T) {
	w := newTrustingWorld(t)
	w.account(ann)
	app, page := w.browser(), w.browser()
	app.native = true
	app.verify(ann, true)
	require.True(t, app.spared(ann))
	page.device = app.device
	require.False(t, page.spared(ann), "the app's token in a cookie")
	page = w.browser()
	page.verify(ann, true)
	thief := w.browser()
	thief.native, thief.device = true, page.device
	require.False(t, thief.spared(ann), "a cookie as a token")
	thief.device = auth.NewSecret(auth.NativeDeviceMark + page.device.Reveal())
	require.False(t, thief.spared(ann), "a cookie with the mark put on")
	page.device = auth.NewSecret(strings.TrimPrefix(app.device.Reveal(), auth.NativeDeviceMark))
	require.False(t, page.spared(ann), "a token with the mark taken off")
	acting := must(w.Authenticate(w.ctx, app.session))
	require.NoError(t, w.EndOtherSessions(w.ctx, acting, app.client()))
	require.True(t, app.spared(ann), "an app that ends the others keeps its trust too")
}

// TestCompromisedPasswordOnATrustedDevice: whoever changes it and ends the others keeps the trust of this device,
// and of no other.
func TestCompromisedPasswordOnATrustedDevice(t *testing.T) {
	w := newTrustingWorld(t)
	a := w.account(ann)
	b, other := w.browser(), w.browser()
	b.verify(ann, true)
	other.verify(ann, true)
	require.NoError(t, w.MarkPasswordCompromised(w.ctx, a.ID))
	p := b.enter(ann, verifying)
	require.Equal(t, flow.PasswordChange, p.View.Need)
	p, err := b.step(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(newer), EndOthers: true}, verifying)
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	require.Len(t, w.trusts(a.ID), 1)
	list, err := w.TrustedDevices(w.ctx, p.Session.Session, b.client())
	require.NoError(t, err)
	require.True(t, list[0].Current)
}
