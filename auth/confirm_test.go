package auth_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// confirm has the person confirm the operation with their password, and returns what lets it be done.
func (b *browser) confirm(op auth.Operation, level flow.Assurance, password string) auth.Progress {
	b.w.t.Helper()
	p, err := b.askFor(op, level)
	require.NoError(b.w.t, err)
	require.Equal(b.w.t, op.Text(), p.View.Operation)
	require.Equal(b.w.t, flow.FreshProof, p.View.Need)
	p, err = b.password(p.Handle, password)
	require.NoError(b.w.t, err)
	require.NotNil(b.w.t, p.Session, "%+v", p.View)
	require.False(b.w.t, p.Confirmation.IsZero())
	return p
}

// askFor begins a step-up for the operation.
func (b *browser) askFor(op auth.Operation, level flow.Assurance) (auth.Progress, error) {
	return b.w.Begin(b.w.ctx, auth.BeginRequest{
		Goal: flow.StepUp, Target: flow.Target{Assurance: level}, Operation: op, Client: b.client(),
	})
}

// does asks whether the operation may be done now.
func (b *browser) does(op auth.Operation, level flow.Assurance, confirmation auth.Secret) error {
	return b.w.Confirmed(b.w.ctx, auth.ConfirmedRequest{Operation: op, Level: level, Confirmation: confirmation, Client: b.client()})
}

func deletion(t testing.TB) auth.Operation {
	return operation(t, "Delete project Alpha", "delete-project", "1")
}

// signedIn is a world with ann, signed in a moment ago.
func signedIn(t *testing.T, change ...func(*auth.Config)) (*world, *browser) {
	t.Helper()
	w := newWorld(t, change...)
	w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	return w, b
}

func TestConfirmedOnce(t *testing.T) {
	w, b := signedIn(t)
	op := deletion(t)
	refused(t, b.does(op, 0, auth.Secret{}), flow.StepUpRequired)
	old := b.session
	p := b.confirm(op, 0, right)
	require.False(t, w.alive(old), "a step-up has a session of its own")
	w.audit.take()
	require.NoError(t, b.does(op, 0, p.Confirmation))
	refused(t, b.does(op, 0, p.Confirmation), flow.StepUpRequired)
	events := w.audit.take()
	require.Len(t, events, 2)
	require.Equal(t, "confirmation-spent", events[0].What)
	require.Equal(t, "confirmation-refused", events[1].What)
	for _, e := range events {
		require.Equal(t, p.Session.ID, e.Session)
		require.Equal(t, p.Session.Account, e.Account)
		require.Equal(t, p.FlowID, e.FlowID)
		require.Equal(t, "browser", e.Client)
		require.NotEmpty(t, e.Prefix)
	}
	require.Equal(t, "step-up-required", events[1].Reason)
	require.NotContains(t, w.logs.String(), p.Confirmation.Reveal())
	require.Error(t, b.does(auth.Operation{}, 0, p.Confirmation))
}

// TestConfirmationAttacks: what was confirmed is worth nothing but for that operation, by that session, from that
// browser, at that level, for a short while, and what was refused has not used it up.
func TestConfirmationAttacks(t *testing.T) {
	op := deletion(t)
	type scene struct {
		w    *world
		b    *browser
		p    auth.Progress
		t    *testing.T
		conf auth.Secret
	}
	stays, gone := true, false
	for name, c := range map[string]struct {
		try  func(s *scene) error
		left bool // it can be used afterwards by its owner
		want flow.Reason
	}{
		"another operation": {func(s *scene) error {
			return s.b.does(operation(s.t, "Delete project Alpha", "delete-project", "2"), 0, s.conf)
		}, stays, flow.StepUpRequired},
		"another sentence": {func(s *scene) error { return s.b.does(operation(s.t, "Say hello", "delete-project", "1"), 0, s.conf) }, stays, flow.StepUpRequired},
		"a higher level":   {func(s *scene) error { return s.b.does(op, flow.AAL2, s.conf) }, stays, flow.StepUpRequired},
		"none":             {func(s *scene) error { return s.b.does(op, 0, auth.Secret{}) }, stays, flow.StepUpRequired},
		"altered": {func(s *scene) error {
			text := []byte(s.conf.Reveal())
			text[len(text)-2] ^= 1
			return s.b.does(op, 0, auth.NewSecret(string(text)))
		}, stays, flow.StepUpRequired},
		"the handle in its place":  {func(s *scene) error { return s.b.does(op, 0, s.p.Handle) }, stays, flow.StepUpRequired},
		"the session in its place": {func(s *scene) error { return s.b.does(op, 0, s.b.session) }, stays, flow.StepUpRequired},
		"another account": {func(s *scene) error { // it was planted, with the flow cookie, in somebody's browser
			s.w.account("eve@example.com")
			eve := s.w.browser()
			eve.cookie = s.b.cookie
			eve.signIn("eve@example.com", right)
			return eve.does(op, 0, s.conf)
		}, stays, flow.StepUpRequired},
		"another session": {func(s *scene) error {
			other := s.w.browser()
			other.cookie = s.b.cookie
			other.signIn(ann, right)
			return other.does(op, 0, s.conf)
		}, stays, flow.StepUpRequired},
		"another browser": {func(s *scene) error {
			thief := *s.b
			thief.cookie = auth.NewSecret("the thief's own")
			return thief.does(op, 0, s.conf)
		}, stays, flow.StepUpRequired},
		"no browser": {func(s *scene) error {
			thief := *s.b
			thief.cookie = auth.Secret{}
			return thief.does(op, 0, s.conf)
		}, stays, flow.StepUpRequired},
		"native": {func(s *scene) error {
			thief := *s.b
			thief.native = true
			return thief.does(op, 0, s.conf)
		}, stays, flow.SessionRequired},
		"no session": {func(s *scene) error {
			thief := *s.b
			thief.session = auth.Secret{}
			return thief.does(op, 0, s.conf)
		}, stays, flow.SessionRequired},
		"the session before": {func(s *scene) error {
			s.p = s.b.confirm(op, 0, right)
			former := s.conf
			s.conf = s.p.Confirmation
			return s.b.does(op, 0, former)
		}, stays, flow.StepUpRequired},
		"the last second": {func(s *scene) error {
			s.w.clock.Advance(5*time.Minute - time.Second)
			return flow.Deny(flow.StepUpRequired)
		}, stays, flow.StepUpRequired},
		"too late": {func(s *scene) error {
			s.w.clock.Advance(5 * time.Minute)
			return s.b.does(op, 0, s.conf)
		}, gone, flow.StepUpRequired},
		"after a change of the password elsewhere": {func(s *scene) error {
			other := s.w.browser()
			other.signIn(ann, right)
			_, err := other.change(right, newer, false)
			require.NoError(s.t, err)
			require.True(s.t, s.w.alive(s.b.session), "its session goes on")
			return s.b.does(op, 0, s.conf)
		}, gone, flow.StepUpRequired},
		"after a change of the password here": {func(s *scene) error {
			_, err := s.b.change(right, newer, false)
			require.NoError(s.t, err)
			return s.b.does(op, 0, s.conf)
		}, gone, flow.StepUpRequired},
		"after the others were ended": {func(s *scene) error {
			require.NoError(s.t, s.w.EndOtherSessions(s.w.ctx, s.p.Session.Session, s.b.client()))
			require.True(s.t, s.w.alive(s.b.session))
			return s.b.does(op, 0, s.conf)
		}, gone, flow.StepUpRequired},
		"after a sign-out": {func(s *scene) error {
			require.NoError(s.t, s.w.SignOut(s.w.ctx, s.p.Session.Session))
			return s.b.does(op, 0, s.conf)
		}, gone, flow.SessionRequired},
		"after a sign-out and a sign-in": {func(s *scene) error {
			require.NoError(s.t, s.w.SignOut(s.w.ctx, s.p.Session.Session))
			s.b.signIn(ann, right)
			return s.b.does(op, 0, s.conf)
		}, gone, flow.StepUpRequired},
		"after another step-up": {func(s *scene) error {
			p, err := s.w.Begin(s.w.ctx, auth.BeginRequest{Goal: flow.StepUp, Target: flow.Target{Assurance: flow.AAL1}, Client: s.b.client()})
			require.NoError(s.t, err)
			_, err = s.b.password(p.Handle, right)
			require.NoError(s.t, err)
			return s.b.does(op, 0, s.conf)
		}, gone, flow.StepUpRequired},
		"of a disabled account": {func(s *scene) error {
			require.NoError(s.t, s.w.DisableAccount(s.w.ctx, s.p.Session.Account))
			return s.b.does(op, 0, s.conf)
		}, gone, flow.SessionRequired},
		"of a deleted account": {func(s *scene) error {
			require.NoError(s.t, s.w.store.Delete(s.w.ctx, s.p.Session.Account))
			return s.b.does(op, 0, s.conf)
		}, gone, flow.StepUpRequired},
	} {
		t.Run(name, func(t *testing.T) {
			w, b := signedIn(t)
			s := &scene{w: w, b: b, t: t}
			s.p = b.confirm(op, 0, right)
			s.conf = s.p.Confirmation
			refused(t, c.try(s), c.want)
			if c.left {
				require.NoError(t, b.does(op, 0, s.conf))
			}
			require.Error(t, b.does(op, 0, s.conf))
		})
	}
}

// TestConfirmationsComeOnce: the answer that has the session has the confirmation; no look, repeat or lost answer has
// it again, and after the repeat window nothing has.
func TestConfirmationsComeOnce(t *testing.T) {
	w, b := signedIn(t)
	op := deletion(t)
	asked, err := b.askFor(op, 0)
	require.NoError(t, err)
	require.True(t, asked.Confirmation.IsZero())
	step := auth.ContinueRequest{Handle: asked.Handle, Action: "password", Inputs: auth.Inputs{Password: auth.NewSecret(right)}, Client: b.client()}
	p, err := w.Continue(w.ctx, step)
	require.NoError(t, err)
	b.keep(p)
	for _, spent := range []bool{false, true} {
		looked, err := w.Look(w.ctx, p.FlowID, b.client())
		require.NoError(t, err)
		require.Equal(t, "granted", looked.View.Outcome)
		require.True(t, looked.Confirmation.IsZero())
		for _, handle := range []auth.Secret{asked.Handle, p.Handle, looked.Handle} {
			step.Handle, step.Client = handle, b.client()
			again, err := w.Continue(w.ctx, step)
			require.True(t, again.Confirmation.IsZero())
			require.Nil(t, again.Session)
			require.True(t, err == nil || errors.Is(err, flow.Deny(flow.Stale)), err)
			refused(t, b.does(op, 0, handle), flow.StepUpRequired)
		}
		if !spent {
			require.NoError(t, b.does(op, 0, p.Confirmation))
		}
		refused(t, b.does(op, 0, looked.Handle), flow.StepUpRequired)
	}
	refused(t, b.does(op, 0, p.Confirmation), flow.StepUpRequired)
}

// TestOfManyRequestsOneIsConfirmed: one save of the flow decides.
func TestOfManyRequestsOneIsConfirmed(t *testing.T) {
	w, b := signedIn(t)
	op := deletion(t)
	p := b.confirm(op, 0, right)
	w.audit.take()
	const many = 32
	var (
		ready, done sync.WaitGroup
		won         atomic.Int32
	)
	ready.Add(many)
	for range many {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			err := b.does(op, 0, p.Confirmation)
			if err == nil {
				won.Add(1)
				return
			}
			refused(t, err, flow.StepUpRequired)
		})
	}
	done.Wait()
	require.EqualValues(t, 1, won.Load())
	spent := 0
	for _, e := range w.audit.take() {
		if e.What == "confirmation-spent" {
			spent++
		}
	}
	require.Equal(t, 1, spent, "who lost has nothing to tell")
}

// TestConfirmationTakesTheTopLevel: without a level of its own, an operation takes all that the account has.
func TestConfirmationTakesTheTopLevel(t *testing.T) {
	w := newFactored(t)
	_, b, paired := w.enrolled()
	op := deletion(t)
	p, err := b.askFor(op, 0)
	require.NoError(t, err)
	p, err = b.password(p.Handle, right)
	require.NoError(t, err)
	require.Nil(t, p.Session, "the session's own code does not count")
	require.Equal(t, flow.FreshProof, p.View.Need)
	p, err = b.totp(p, paired.code(w.clock.Now()))
	require.NoError(t, err)
	require.NotNil(t, p.Session, "%+v", p.View)
	require.NoError(t, b.does(op, 0, p.Confirmation))

	low := b.confirm(op, flow.AAL1, right)
	require.Equal(t, flow.AAL2, low.Session.Assurance, "the session keeps what it had")
	refused(t, b.does(op, 0, low.Confirmation), flow.StepUpRequired)
	refused(t, b.does(op, flow.AAL2, low.Confirmation), flow.StepUpRequired)
	require.NoError(t, b.does(op, flow.AAL1, low.Confirmation))
	demand, err := w.DemandConfirmation(w.ctx, low.Session.Session, op, 0)
	require.NoError(t, err)
	require.Equal(t, flow.AAL2, demand.Level)

	_, err = b.askFor(op, flow.AAL3)
	refused(t, err, flow.AssuranceShort)
}

// TestConfirmationsOfNativeClients are bound by the session token alone, and are worth nothing in a browser.
func TestConfirmationsOfNativeClients(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	app := w.browser()
	app.native = true
	app.signIn(ann, right)
	op := deletion(t)
	p := app.confirm(op, 0, right)
	page := w.browser()
	page.signIn(ann, right)
	refused(t, page.does(op, 0, p.Confirmation), flow.StepUpRequired)
	other := w.browser()
	other.native = true
	other.signIn(ann, right)
	refused(t, other.does(op, 0, p.Confirmation), flow.StepUpRequired)
	require.NoError(t, app.does(op, 0, p.Confirmation))
	refused(t, app.does(op, 0, p.Confirmation), flow.StepUpRequired)
}

// TestOperationsAreForStepUps: no other goal confirms anything, and a step-up for nothing confirms nothing.
func TestOperationsAreForStepUps(t *testing.T) {
	w, b := signedIn(t)
	op := deletion(t)
	for _, r := range []auth.BeginRequest{
		{Goal: flow.SignIn}, {Goal: flow.Enrolment, Target: flow.Target{Enrol: flow.Password}},
	} {
		r.Operation, r.Client = op, b.client()
		_, err := w.Begin(w.ctx, r)
		refused(t, err, flow.NotOffered)
	}
	// A target from outside names no operation: only NewOperation makes one.
	p, err := w.Begin(w.ctx, auth.BeginRequest{
		Goal: flow.StepUp, Client: b.client(),
		Target: flow.Target{Assurance: flow.AAL1, Operation: flow.Operation{Hash: op.Hash(), Text: "Say hello"}},
	})
	require.NoError(t, err)
	require.Empty(t, p.View.Operation)
	if p.Session == nil {
		p, err = b.password(p.Handle, right)
		require.NoError(t, err)
	}
	require.NotNil(t, p.Session)
	b.keep(p)
	require.True(t, p.Confirmation.IsZero())
	require.False(t, w.Fresh(p.Session.Session, flow.Target{Operation: flow.Operation{Hash: op.Hash()}}), "no session confirms by itself")
}

// TestConfirmationFaults: a port that fails lets nothing be done, whether or not it did its work, and what was used up
// without anybody knowing stays used up.
func TestConfirmationFaults(t *testing.T) {
	op := deletion(t)
	for _, port := range []string{"Sessions.Authenticate", "Flows.Load", "Accounts.State", "Entry", "Directory.FindByID", "Rules", "Flows.Save"} {
		for _, worked := range []bool{false, true} {
			w, b := signedIn(t)
			p := b.confirm(op, 0, right)
			w.tap.take()
			w.tap.failOnce(port, worked)
			err := b.does(op, 0, p.Confirmation)
			require.ErrorIs(t, err, errFault, "%s: %v", port, w.tap.take())
			var denied *auth.DeniedError
			require.False(t, errors.As(err, &denied), port)
			w.tap.set(nil)
			err = b.does(op, 0, p.Confirmation)
			if port == "Flows.Save" && worked {
				refused(t, err, flow.StepUpRequired)
			} else {
				require.NoError(t, err, port)
			}
			refused(t, b.does(op, 0, p.Confirmation), flow.StepUpRequired)
		}
	}
	w, b := signedIn(t)
	p := b.confirm(op, 0, right)
	over, cancel := context.WithCancel(w.ctx)
	cancel()
	require.Error(t, w.Confirmed(over, auth.ConfirmedRequest{Operation: op, Confirmation: p.Confirmation, Client: b.client()}))
	require.NoError(t, b.does(op, 0, p.Confirmation))
}

// TestConfirmationOutlivesARotationOfKeys, but not the removal of its key.
func TestConfirmationOutlivesARotationOfKeys(t *testing.T) {
	w, b := signedIn(t)
	op := deletion(t)
	p := b.confirm(op, 0, right)
	rotated := w.cfg
	rotated.Keys = testKeys(t, "k2", "k1")
	var err error
	w.Service, err = auth.New(rotated)
	require.NoError(t, err)
	require.NoError(t, b.does(op, 0, p.Confirmation))
	p = b.confirm(op, 0, right)
	rotated.Keys = testKeys(t, "k3")
	w.Service, err = auth.New(rotated)
	require.NoError(t, err)
	refused(t, b.does(op, 0, p.Confirmation), flow.StepUpRequired)
}

// TestConfirmationsAreKeptAsLongAsTheyServe: the record lasts for the five minutes, however short a flow may wait, and
// is swept after them.
func TestConfirmationsAreKeptAsLongAsTheyServe(t *testing.T) {
	op := deletion(t)
	w, b := signedIn(t, func(c *auth.Config) { c.Limits.Idle, c.Limits.Total = time.Minute, 2*time.Minute })
	p := b.confirm(op, 0, right)
	require.Equal(t, w.clock.Now().Add(5*time.Minute), p.ExpiresAt)
	w.clock.Advance(5*time.Minute - time.Second)
	require.NoError(t, w.Sweep(w.ctx))
	require.NoError(t, b.does(op, 0, p.Confirmation))
	p = b.confirm(op, 0, right)
	w.clock.Advance(5 * time.Minute)
	n, err := w.store.SweepFlows(w.ctx, w.clock.Now(), 100)
	require.NoError(t, err)
	require.NotZero(t, n)
	refused(t, b.does(op, 0, p.Confirmation), flow.StepUpRequired)
}

// TestConfirmationAfterAFactorIsAdded: an account that cannot reach the level adds a factor on the way, and the change
// of its epochs that goes with that is the flow's own.
func TestConfirmationAfterAFactorIsAdded(t *testing.T) {
	w := newFactored(t)
	w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	op := deletion(t)
	p, err := b.askFor(op, flow.AAL2)
	require.NoError(t, err)
	p, err = b.password(p.Handle, right)
	require.NoError(t, err)
	require.Equal(t, flow.NewFactor, p.View.Need)
	require.Equal(t, op.Text(), p.View.Operation)
	p, err = b.do(p.Handle, "enrol-totp", auth.Inputs{Code: appOf(p.Pairing).code(w.clock.Now())})
	require.NoError(t, err)
	require.NotNil(t, p.Session, "%+v", p.View)
	require.NoError(t, b.does(op, flow.AAL2, p.Confirmation))
}
