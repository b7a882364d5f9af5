package auth_test

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/password"
	"github.com/cardea-auth/cardea/session"
)

func TestRightPasswordSignsIn(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	b := w.browser()

	p, err := w.Begin(w.ctx, auth.BeginRequest{Goal: flow.SignIn, ReturnTo: "/inbox", Client: b.client()})
	require.NoError(t, err)
	require.Equal(t, flow.Identification, p.View.Need)
	p, err = b.do(p.Handle, "identify", auth.Inputs{Identifier: "  ANN@Example.COM ", Keep: true})
	require.NoError(t, err)
	require.Equal(t, flow.FirstFactor, p.View.Need)
	require.Equal(t, "ANN@Example.COM", p.View.Address)
	p, err = b.password(p.Handle, right)
	require.NoError(t, err)
	require.Equal(t, "/inbox", p.ReturnTo)
	require.NotNil(t, p.Session)
	require.False(t, p.Device.IsZero())
	require.True(t, p.Session.Keep)
	require.Equal(t, flow.AAL1, p.Session.Assurance)

	s, err := w.Authenticate(w.ctx, p.Session.Token)
	require.NoError(t, err)
	require.Equal(t, a.ID, s.Account)
	require.True(t, w.Fresh(s, flow.Target{Assurance: flow.AAL1, MaxAge: time.Minute}))
	w.clock.Advance(2 * time.Minute)
	require.False(t, w.Fresh(s, flow.Target{Assurance: flow.AAL1, MaxAge: time.Minute}))
	require.NoError(t, w.SignOut(w.ctx, s))
	_, err = w.Authenticate(w.ctx, p.Session.Token)
	refused(t, err, flow.SessionRequired)
}

// kinds are the accounts that an outsider must not tell from an unknown address, nor from each other.
func (w *world) kinds() map[string]string {
	w.account(ann)
	invited := func(email string) auth.Account {
		a, err := w.CreateAccount(w.ctx, auth.NewAccount{Identifier: email})
		require.NoError(w.t, err)
		return a
	}
	invited("invited@example.com")
	bare := invited("bare@example.com")
	_, err := w.store.SetStatus(w.ctx, bare.ID, w.standing(bare.ID), flow.Active, w.clock.Now())
	require.NoError(w.t, err)
	require.NoError(w.t, w.DisableAccount(w.ctx, w.account("disabled@example.com").ID))
	locked := w.account("locked@example.com")
	_, err = w.store.SetStatus(w.ctx, locked.ID, w.standing(locked.ID), flow.Locked, w.clock.Now())
	require.NoError(w.t, err)
	require.NoError(w.t, w.store.Create(w.ctx, auth.Account{ID: "never-opened", Identifier: "foreign@example.com"}))
	w.oldHash("old-disabled@example.com", flow.Disabled)
	return map[string]string{
		"wrong password": ann, "invited": "invited@example.com", "without a password": "bare@example.com",
		"disabled": "disabled@example.com", "locked": "locked@example.com", "never opened": "foreign@example.com",
		"disabled, hash due for an upgrade": "old-disabled@example.com",
	}
}

// oldHash creates an account whose hash is due for an upgrade.
func (w *world) oldHash(email string, status flow.Status) string {
	require.NoError(w.t, w.store.Create(w.ctx, auth.Account{ID: "old " + email, Identifier: email}))
	require.NoError(w.t, w.store.Open(w.ctx, "old "+email, status, hashOf("h0", right), w.clock.Now()))
	return "old " + email
}

// ASVS 6.3.8: valid accounts cannot be told from failed challenges by what is answered, nor by how much
// work is done (the early return on an unknown user in Authula, authboss and go-better-auth).
func TestOutsidersCannotTellAccountsApart(t *testing.T) {
	w := newWorld(t)
	kinds := w.kinds()
	// story signs in, wrongly, step by step, and returns all that an outsider sees and all that was done.
	story := func(email, password string) (seen []any, calls []string) {
		b := w.browser()
		w.tap.take()
		p, err := b.begin("")
		seen = append(seen, masked(t, p, err, email))
		p, err = b.do(p.Handle, "identify", auth.Inputs{Identifier: email})
		seen = append(seen, masked(t, p, err, email))
		for range 2 {
			p, err = b.password(p.Handle, password)
			require.Nil(t, p.Session)
			seen = append(seen, masked(t, p, err, email))
		}
		p, err = b.do(p.Handle, "restart", auth.Inputs{})
		seen = append(seen, masked(t, p, err, email))
		p, err = b.do(p.Handle, "identify", auth.Inputs{Identifier: email})
		seen = append(seen, masked(t, p, err, email))
		p, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(newer)})
		seen = append(seen, masked(t, p, err, email))
		p, err = w.Look(w.ctx, p.FlowID, b.client())
		seen = append(seen, masked(t, p, err, email))
		return seen, w.tap.take()
	}
	wantSeen, wantCalls := story(stranger, right)
	require.Contains(t, wantCalls, "Passwords.Verify")
	require.Equal(t, "bad-credentials", wantSeen[2].(map[string]any)["refusal"].(map[string]any)["reason"])
	for name, email := range kinds {
		t.Run(name, func(t *testing.T) {
			password := right // it is of no use to those that are closed
			if email == ann {
				password = wrong
			}
			seen, calls := story(email, password)
			require.Equal(t, wantSeen, seen)
			require.Equal(t, wantCalls, calls)
		})
	}
}

func TestUnknownAddressesAreNamedInNoAuditEvent(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	w.audit.take()
	before := len(w.logs.String())
	_, err := w.browser().try(stranger, wrong)
	require.NoError(t, err)
	events := w.audit.take()
	require.NotEmpty(t, events)
	for _, e := range events {
		require.Empty(t, e.Account, "%+v", e)
	}
	require.NotContains(t, w.logs.String()[before:], "account_id")
	require.NotContains(t, w.logs.String()[before:], "decoy")

	_, err = w.browser().try(ann, wrong) // the contrast: a real one is named, so the check above can fail
	require.NoError(t, err)
	require.Contains(t, w.logs.String(), "account_id")
}

func TestUpgradeReplacesTheHashAndNothingElse(t *testing.T) {
	w := newWorld(t)
	id := w.oldHash(ann, flow.Active)
	before := w.standing(id)
	w.browser().signIn(ann, right)
	hash, err := w.store.PasswordHash(w.ctx, id)
	require.NoError(t, err)
	require.Equal(t, hashOf("h1", right), hash)
	require.Equal(t, before, w.standing(id))
	w.browser().signIn(ann, right)
}

// authboss saves whole users and so overwrites a concurrent change of password: an upgrade must not.
func TestUpgradeNeverOverwritesANewPassword(t *testing.T) {
	w := newWorld(t)
	id := w.oldHash(ann, flow.Active)
	w.pw.meanwhile(func() {
		_, err := w.store.ReplacePassword(w.ctx, id, w.standing(id).Epochs, hashOf("h1", newer), false, w.clock.Now())
		require.NoError(t, err)
	})
	_, err := w.browser().try(ann, right)
	require.NoError(t, err)
	hash, err := w.store.PasswordHash(w.ctx, id)
	require.NoError(t, err)
	require.Equal(t, hashOf("h1", newer), hash)
}

func TestPreviewCreatesNothing(t *testing.T) {
	w := newWorld(t)
	w.tap.take()
	v, err := w.Preview(w.ctx, flow.SignIn)
	require.NoError(t, err)
	require.Equal(t, "identify", v.Actions[0].Name)
	require.Equal(t, []string{"Entry"}, w.tap.take())
}

// Of a goal that nothing here can serve, not even the beginning is offered. A handoff would be a second
// session for whoever holds one, and no report names it.
func TestGoalsThatNothingServesAreNotOffered(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	enrol := func(m flow.Method) flow.Target { return flow.Target{Enrol: m} }
	for name, c := range map[string]struct {
		goal   flow.Goal
		target flow.Target
		reason flow.Reason
	}{
		"none":         {0, flow.Target{}, flow.NotOffered},
		"beyond":       {99, flow.Target{}, flow.NotOffered},
		"sign-up":      {flow.SignUp, flow.Target{}, flow.NotOffered},
		"recovery":     {flow.Recovery, flow.Target{}, flow.NotOffered},
		"activation":   {flow.Activation, flow.Target{}, flow.NotOffered},
		"linking":      {flow.Linking, flow.Target{}, flow.NotOffered},
		"handoff":      {flow.Handoff, flow.Target{}, flow.NotOffered},
		"totp":         {flow.Enrolment, enrol(flow.TOTP), flow.NotOffered},
		"passkey":      {flow.Enrolment, enrol(flow.Passkey), flow.NotOffered},
		"nothing":      {flow.Enrolment, enrol(0), flow.NotOffered},
		"aal2":         {flow.StepUp, flow.Target{Assurance: flow.AAL2}, flow.AssuranceShort},
		"a code too":   {flow.StepUp, flow.Target{Methods: flow.MethodsOf(flow.Password, flow.TOTP)}, flow.AssuranceShort},
		"aal3":         {flow.StepUp, flow.Target{Assurance: flow.AAL3}, flow.AssuranceShort},
		"aal2, change": {flow.Enrolment, flow.Target{Assurance: flow.AAL3, Enrol: flow.Password}, flow.AssuranceShort},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Begin(w.ctx, auth.BeginRequest{Goal: c.goal, Target: c.target, Client: b.client(), Inputs: auth.Inputs{Keep: true}})
			refused(t, err, c.reason)
			if c.goal.ByStranger() {
				_, err = w.Preview(w.ctx, c.goal)
				refused(t, err, c.reason)
			}
		})
	}
	require.Len(t, w.live(a.ID), 1)
}

func TestAddressesThatCannotBeAreRefusedWithoutALookup(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	w.tap.take()
	_, err := b.begin("no address")
	refused(t, err, flow.AddressRejected)
	require.NotContains(t, w.tap.take(), "Directory.FindByIdentifier")
}

func TestHandleRotatesAtEveryStep(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	b := w.browser()
	seen := map[string]bool{}
	fresh := func(p auth.Progress, err error) auth.Secret {
		require.NoError(t, err)
		require.False(t, seen[p.Handle.Reveal()])
		seen[p.Handle.Reveal()] = true
		return p.Handle
	}
	h := fresh(b.begin(""))
	h = fresh(b.do(h, "identify", auth.Inputs{Identifier: ann}))
	h = fresh(b.password(h, wrong))
	h = fresh(b.do(h, "restart", auth.Inputs{}))
	h = fresh(b.do(h, "identify", auth.Inputs{Identifier: ann}))
	fresh(b.password(h, right))
	require.Len(t, seen, 6)
}

func TestPreviousHandleIsASecondLookForHalfAMinute(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration
		ok    bool
	}{
		{"at once", 0, true}, {"just before", 30*time.Second - time.Microsecond, true}, {"at 30 seconds", 30 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.account(ann)
			b := w.browser()
			first, err := b.begin(ann)
			require.NoError(t, err)
			second, err := b.password(first.Handle, wrong)
			require.NoError(t, err)
			w.clock.Advance(c.after)
			w.tap.take()
			again, err := b.password(first.Handle, right)
			calls := w.tap.take()
			require.Nil(t, again.Session)
			require.NotContains(t, calls, "Counters.Take")
			require.NotContains(t, calls, "Passwords.Verify")
			require.NotContains(t, calls, "Flows.Save")
			if !c.ok {
				refused(t, err, flow.Stale)
				require.Empty(t, again.FlowID)
				return
			}
			require.NoError(t, err)
			require.True(t, again.Repeated)
			require.True(t, again.Handle.Equal(second.Handle), "the lost answer's handle is handed out again")
			require.Equal(t, second.View, again.View)
			p, err := b.password(again.Handle, right)
			require.NoError(t, err)
			require.NotNil(t, p.Session)
			require.False(t, p.Repeated)
		})
	}
}

func TestHandleTwoStepsOldIsRefused(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	b := w.browser()
	first, err := b.begin(ann)
	require.NoError(t, err)
	second, err := b.password(first.Handle, wrong)
	require.NoError(t, err)
	_, err = b.password(second.Handle, wrong)
	require.NoError(t, err)
	_, err = b.password(first.Handle, right)
	refused(t, err, flow.Stale)
}

func TestFlowBelongsToItsBrowser(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	owner, native := w.browser(), w.browser()
	native.native = true
	for name, c := range map[string]struct {
		owner *browser
		thief auth.Client
	}{
		"another browser":                {owner, w.browser().client()},
		"no cookie":                      {owner, auth.Client{}},
		"native against browser":         {owner, auth.Client{Native: true}},
		"native with the cookie":         {owner, auth.Client{Native: true, Browser: owner.cookie}},
		"browser against native":         {native, owner.client()},
		"nobody against native":          {native, auth.Client{}},
		"zero bytes against native":      {native, auth.Client{Browser: auth.NewSecret(string(make([]byte, 32)))}},
		"the hash in the cookie's place": {owner, auth.Client{Browser: auth.NewSecret("browser-cookie-")}},
		"both against native":            {native, auth.Client{Native: true, Browser: native.cookie}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := c.owner.begin(ann)
			require.NoError(t, err)
			w.tap.take()
			stolen, err := w.Continue(w.ctx, auth.ContinueRequest{
				Handle: p.Handle, Action: "password", Client: c.thief, Inputs: auth.Inputs{Password: auth.NewSecret(right)},
			})
			refused(t, err, flow.Expired) // to everyone else it does not exist
			require.Zero(t, stolen)
			require.Equal(t, []string{"Flows.Load"}, w.tap.take())
			_, err = w.Look(w.ctx, p.FlowID, c.thief)
			if c.thief.Browser.IsZero() {
				refused(t, err, flow.CookieRequired)
			} else {
				refused(t, err, flow.Expired)
			}
			p, err = c.owner.password(p.Handle, right)
			require.NoError(t, err)
			require.NotNil(t, p.Session)
		})
	}
	_, err := w.Begin(w.ctx, auth.BeginRequest{Goal: flow.SignIn})
	refused(t, err, flow.CookieRequired)
}

// Base64 has spare bits in its last character: two texts must not be one handle.
func TestAlteredHandlesAreRefused(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	b := w.browser()
	p, err := b.begin(ann)
	require.NoError(t, err)
	h := p.Handle.Reveal()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var altered []string
	for _, c := range alphabet {
		if byte(c) != h[len(h)-1] {
			altered = append(altered, h[:len(h)-1]+string(c))
		}
	}
	altered = append(altered, "", ".", h[1:], h+"A", h+"=", h[:22], h[:23], " "+h, h+"\n", h[:40]+"\n"+h[41:],
		p.FlowID+"."+h[:43], "AAAAAAAAAAAAAAAAAAAAAA"+h[22:])
	w.tap.take()
	for _, text := range altered {
		got, err := b.password(auth.NewSecret(text), right)
		require.Error(t, err, "%d", len(text))
		var denied *auth.DeniedError
		require.ErrorAs(t, err, &denied)
		require.Zero(t, got)
	}
	require.NotContains(t, w.tap.take(), "Passwords.Verify")
	_, err = b.password(p.Handle, right)
	require.NoError(t, err)
}

func TestHandlesOutliveARotationButNotTheirKey(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	b := w.browser()
	begin := func() auth.Progress {
		p, err := b.begin(ann)
		require.NoError(t, err)
		return p
	}
	old, retired := begin(), begin()

	w.cfg.Keys = testKeys(t, "k2", "k1")
	rotated, err := auth.New(w.cfg)
	require.NoError(t, err)
	w.Service = rotated
	p, err := b.password(old.Handle, right)
	require.NoError(t, err)
	require.NotNil(t, p.Session)

	w.cfg.Keys = testKeys(t, "k2")
	if w.Service, err = auth.New(w.cfg); err != nil {
		t.Fatal(err)
	}
	_, err = b.password(retired.Handle, right)
	refused(t, err, flow.Stale)
	_, err = w.Look(w.ctx, retired.FlowID, b.client())
	refused(t, err, flow.Stale)
}

func TestFlowsExpire(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	b := w.browser()
	t.Run("ten minutes after the last step", func(t *testing.T) {
		alive, err := b.begin(ann)
		require.NoError(t, err)
		dead, err := b.begin(ann)
		require.NoError(t, err)
		w.clock.Advance(10*time.Minute - time.Microsecond)
		p, err := b.password(alive.Handle, right)
		require.NoError(t, err)
		require.NotNil(t, p.Session)
		w.clock.Advance(time.Microsecond)
		p, err = b.password(dead.Handle, right)
		refused(t, err, flow.Expired)
		require.Nil(t, p.Session)
		_, err = w.Look(w.ctx, dead.FlowID, b.client())
		refused(t, err, flow.Expired)
	})
	t.Run("an hour in all", func(t *testing.T) {
		p, err := b.begin(ann)
		require.NoError(t, err)
		for range 6 {
			w.clock.Advance(9 * time.Minute)
			p, err = b.do(p.Handle, "restart", auth.Inputs{})
			require.NoError(t, err)
			p, err = b.do(p.Handle, "identify", auth.Inputs{Identifier: ann})
			require.NoError(t, err)
		}
		require.Equal(t, 6*time.Minute, p.ExpiresAt.Sub(w.clock.Now()))
		w.clock.Advance(6 * time.Minute)
		_, err = b.password(p.Handle, right)
		refused(t, err, flow.Expired)
	})
	t.Run("a refused action is no step", func(t *testing.T) {
		p, err := b.begin(ann)
		require.NoError(t, err)
		w.clock.Advance(9 * time.Minute)
		_, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(newer)})
		refused(t, err, flow.NotOffered)
		_, err = b.do(p.Handle, "password", auth.Inputs{})
		refused(t, err, flow.Malformed)
		w.clock.Advance(time.Minute)
		_, err = b.password(p.Handle, right)
		refused(t, err, flow.Expired)
	})
}

// theauth-go and go-better-auth hand the same token out twice.
func TestFlowYieldsOneSessionOnly(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	b := w.browser()
	p, err := b.begin(ann)
	require.NoError(t, err)
	granted, err := b.password(p.Handle, right)
	require.NoError(t, err)
	require.NotNil(t, granted.Session)
	b.session = auth.Secret{} // so that nothing ends the first one
	for _, h := range []auth.Secret{p.Handle, granted.Handle, granted.Handle, p.Handle} {
		for _, action := range []string{"password", "identify", "restart", "new-password"} {
			again, err := b.do(h, action, auth.Inputs{Identifier: ann, Password: auth.NewSecret(right), NewPassword: auth.NewSecret(newer)})
			require.NoError(t, err)
			require.Nil(t, again.Session)
			require.Equal(t, flow.Closed, again.View.Phase)
			require.Empty(t, again.View.Actions)
		}
	}
	require.Equal(t, []string{granted.Session.ID}, w.live(a.ID))
}

func TestOfManyAnswersToOneHandleOneGetsTheSession(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	b := w.browser()
	p, err := b.begin(ann)
	require.NoError(t, err)
	const many = 32
	answers := make([]auth.Progress, many)
	errs := make([]error, many)
	var ready, done sync.WaitGroup
	ready.Add(many)
	for i := range many {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			answers[i], errs[i] = w.Continue(context.Background(), auth.ContinueRequest{
				Handle: p.Handle, Action: "password", Client: b.client(), Inputs: auth.Inputs{Password: auth.NewSecret(right)},
			})
		})
	}
	done.Wait()
	var got []string
	for i := range many {
		if answers[i].Session != nil {
			require.NoError(t, errs[i])
			got = append(got, answers[i].Session.ID)
		} else if errs[i] != nil {
			var denied *auth.DeniedError
			require.ErrorAs(t, errs[i], &denied)
		}
	}
	require.Len(t, got, 1)
	require.Equal(t, got, w.live(a.ID))
}

// ASVS 7.2.4: a new token at each authentication, and the old one is worth nothing.
func TestSignInEndsTheSessionOfTheSameBrowser(t *testing.T) {
	w := newWorld(t)
	a, other := w.account(ann), w.account("bob@example.com")
	b, elsewhere := w.browser(), w.browser()
	kept := elsewhere.signIn(ann, right)
	first := b.signIn(ann, right)
	second := b.signIn("bob@example.com", right)
	require.False(t, w.alive(first.Token))
	require.True(t, w.alive(second.Token))
	require.Equal(t, []string{kept.ID}, w.live(a.ID))
	require.Equal(t, []string{second.ID}, w.live(other.ID))
	_, err := b.try("bob@example.com", wrong)
	require.NoError(t, err)
	require.True(t, w.alive(second.Token), "a failed sign-in ends nothing")
}

// ASVS 6.2.3: the change of a password asks for the present one. ASVS 7.4.3: other sessions end if asked.
func TestPasswordChange(t *testing.T) {
	setup := func(t *testing.T) (w *world, a auth.Account, b, other *browser) {
		w = newWorld(t)
		a = w.account(ann)
		b, other = w.browser(), w.browser()
		p, err := b.begin("")
		require.NoError(t, err)
		p, err = b.do(p.Handle, "identify", auth.Inputs{Identifier: ann, Keep: true})
		require.NoError(t, err)
		_, err = b.password(p.Handle, right)
		require.NoError(t, err)
		other.signIn(ann, right)
		return w, a, b, other
	}
	t.Run("the others stay", func(t *testing.T) {
		w, a, b, other := setup(t)
		old := b.session
		p, err := b.change(right, newer, false)
		require.NoError(t, err)
		require.NotNil(t, p.Session)
		require.True(t, p.Session.Keep, "keep me signed in survives")
		require.False(t, w.alive(old))
		require.True(t, w.alive(b.session))
		require.True(t, w.alive(other.session))
		require.Len(t, w.live(a.ID), 2)
		_, err = w.browser().try(ann, right)
		require.NoError(t, err)
		w.browser().signIn(ann, newer)
	})
	t.Run("the others end", func(t *testing.T) {
		w, a, b, other := setup(t)
		old := b.session
		_, err := b.change(right, newer, true)
		require.NoError(t, err)
		require.False(t, w.alive(old))
		require.False(t, w.alive(other.session))
		require.True(t, w.alive(b.session))
		require.Len(t, w.live(a.ID), 1)
	})
	t.Run("a wrong present password is refused and counted", func(t *testing.T) {
		w, _, b, _ := setup(t)
		old, hashes := b.session, w.pw.count()
		p, err := b.change(wrong, newer, true)
		require.NoError(t, err)
		require.Equal(t, flow.BadCredentials, reasonOf(p))
		require.Nil(t, p.Session)
		for range 4 {
			p, err = b.do(p.Handle, "password", change(wrong, newer, true))
			require.NoError(t, err)
		}
		p, err = b.do(p.Handle, "password", change(right, newer, true))
		require.NoError(t, err)
		require.Equal(t, flow.TooManyAttempts, reasonOf(p), "a stolen session must not become a guessing lane")
		require.Equal(t, hashes+5, w.pw.count())
		require.True(t, w.alive(old))
		w.clock.Advance(time.Minute)
		w.browser().signIn(ann, right)
	})
	t.Run("a weak one is refused with its problem, a better one taken", func(t *testing.T) {
		w, _, b, _ := setup(t)
		p, err := b.change(right, weak, false)
		require.NoError(t, err)
		require.Equal(t, &flow.Refusal{Reason: flow.PasswordRejected, Problem: "too-short"}, p.View.Refusal)
		require.Equal(t, flow.PasswordChange, p.View.Need)
		p, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(newer)})
		require.NoError(t, err)
		require.NotNil(t, p.Session)
		w.browser().signIn(ann, newer)
	})
	t.Run("in two steps", func(t *testing.T) {
		_, _, b, _ := setup(t)
		p, err := b.enrol()
		require.NoError(t, err)
		p, err = b.do(p.Handle, "password", auth.Inputs{Password: auth.NewSecret(right)})
		require.NoError(t, err)
		require.Equal(t, flow.PasswordChange, p.View.Need)
		p, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(newer)})
		require.NoError(t, err)
		require.NotNil(t, p.Session)
	})
	t.Run("not without the present one", func(t *testing.T) {
		_, _, b, _ := setup(t)
		p, err := b.enrol()
		require.NoError(t, err)
		_, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(newer)})
		refused(t, err, flow.NotOffered)
	})
}

// What a session begun, neither another session nor a dead one finishes: its proofs must not change hands.
func TestFlowOfASessionEndsWithIt(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	w.account("bob@example.com")
	b := w.browser()
	b.signIn(ann, right)
	acting := b.session

	p, err := b.enrol()
	require.NoError(t, err)
	for name, foreign := range map[string]auth.Secret{
		"none": {}, "of the same person": w.browser().signIn(ann, right).Token,
		"of somebody else": w.browser().signIn("bob@example.com", right).Token, "garbage": auth.NewSecret("garbage"),
	} {
		b.session = foreign
		_, err = b.do(p.Handle, "password", change(right, newer, true))
		require.ErrorIs(t, err, flow.Deny(flow.SessionRequired), name)
	}
	b.session = acting
	s, err := w.Authenticate(w.ctx, acting)
	require.NoError(t, err)
	require.NoError(t, w.SignOut(w.ctx, s))
	_, err = b.do(p.Handle, "password", change(right, newer, true))
	refused(t, err, flow.SessionRequired)
	_, err = b.enrol()
	refused(t, err, flow.SessionRequired)
	require.Len(t, w.live(a.ID), 1)
	w.browser().signIn(ann, right)
}

// ASVS 7.2.4, 7.5.3.
func TestStepUpRotatesTheToken(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	b := w.browser()
	old := b.signIn(ann, right)
	w.clock.Advance(time.Hour)
	target := flow.Target{Assurance: flow.AAL1, MaxAge: 5 * time.Minute}
	require.False(t, w.Fresh(old.Session, target))
	p, err := w.Begin(w.ctx, auth.BeginRequest{Goal: flow.StepUp, Target: target, Client: b.client()})
	require.NoError(t, err)
	p, err = b.password(p.Handle, right)
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	require.True(t, w.Fresh(p.Session.Session, target))
	require.False(t, w.alive(old.Token))
	require.Equal(t, []string{p.Session.ID}, w.live(a.ID))
}

func TestNativeClientsNeedNoCookie(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	b := w.browser()
	b.native = true
	require.True(t, w.alive(b.signIn(ann, right).Token))
}

// The real thing once: Argon2id at a low cost, plain taps off.
func TestSignInWithRealPasswords(t *testing.T) {
	hasher, err := password.New(password.Config{})
	require.NoError(t, err)
	store := memory.New()
	sessions, err := session.New(session.Config{Store: store})
	require.NoError(t, err)
	devices, err := session.NewDevices(session.DevicesConfig{Keys: testKeys(t, "k1")})
	require.NoError(t, err)
	s, err := auth.New(auth.Config{
		Keys: testKeys(t, "k1"), Directory: store, Accounts: store, PasswordStore: store, Flows: store, Counters: store,
		Passwords: hasher, Sessions: sessions, Devices: devices,
	})
	require.NoError(t, err)
	ctx := context.Background()
	secret := auth.NewSecret("otters-like-quiet-rivers-92")
	_, err = s.CreateAccount(ctx, auth.NewAccount{Identifier: ann, Password: secret})
	require.NoError(t, err)
	client := auth.Client{Browser: auth.NewSecret("cookie"), Address: netip.MustParseAddr("192.0.2.1")}
	for _, c := range []struct {
		email string
		pw    auth.Secret
		in    bool
	}{{ann, auth.NewSecret(wrong), false}, {stranger, secret, false}, {ann, secret, true}} {
		p, err := s.Begin(ctx, auth.BeginRequest{Goal: flow.SignIn, Client: client, Inputs: auth.Inputs{Identifier: c.email}})
		require.NoError(t, err)
		p, err = s.Continue(ctx, auth.ContinueRequest{Handle: p.Handle, Action: "password", Client: client, Inputs: auth.Inputs{Password: c.pw}})
		require.NoError(t, err)
		require.Equal(t, c.in, p.Session != nil)
	}
}
