package auth_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// app returns a native client, without a session and known to nobody.
func (w *world) app() *browser {
	b := w.browser()
	b.native, b.agent = true, "HelpdeskApp/2.1"
	return b
}

// Whoever claims to be a browser and a native client at once is neither: to nothing of either is there a way.
func TestNobodyIsBothBrowserAndNative(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	app := w.app()
	p, err := app.begin(ann)
	require.NoError(t, err)
	both := app.client()
	both.Browser = app.cookie
	w.tap.take()

	_, err = w.Begin(w.ctx, auth.BeginRequest{Goal: flow.SignIn, Client: both, Inputs: auth.Inputs{Identifier: ann}})
	refused(t, err, flow.MixedTransport)
	require.Empty(t, w.tap.take(), "nothing is counted, looked up or kept")
	got, err := w.Continue(w.ctx, auth.ContinueRequest{
		Handle: p.Handle, Action: "password", Client: both, Inputs: auth.Inputs{Password: auth.NewSecret(right)},
	})
	refused(t, err, flow.Expired)
	require.Zero(t, got)
	got, err = w.Look(w.ctx, p.FlowID, both)
	refused(t, err, flow.Expired)
	require.Zero(t, got, "a look hands the handle out, and the id of a flow is public")
	require.Empty(t, w.live(a.ID))
	p, err = app.password(p.Handle, right)
	require.NoError(t, err)
	require.NotNil(t, p.Session, "and its owner goes on")
}

// A token of the other transport is no token: it begins nothing, continues nothing, and ends nothing.
func TestTokensOfTheOtherTransportAreNone(t *testing.T) {
	for name, native := range map[string]bool{"a browser's token from an app": true, "an app's token from a browser": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.account(ann)
			victim, thief := w.app(), w.browser()
			if native {
				victim, thief = thief, victim
			}
			s := victim.signIn(ann, right)
			for _, dress := range []string{"", auth.NativeSessionMark} {
				thief.session = auth.NewSecret(dress + s.Token.Reveal())
				if !native {
					thief.session = auth.NewSecret(strings.TrimPrefix(s.Token.Reveal(), dress))
				}
				for _, goal := range []auth.BeginRequest{
					{Goal: flow.StepUp, Target: flow.Target{Assurance: flow.AAL1, MaxAge: time.Hour}},
					{Goal: flow.Enrolment, Target: flow.Target{Enrol: flow.Password}},
				} {
					goal.Client = thief.client()
					_, err := w.Begin(w.ctx, goal)
					refused(t, err, flow.SessionRequired)
				}
			}
			p, err := victim.enrol()
			require.NoError(t, err)
			in := change(right, newer, true)
			_, err = thief.do(p.Handle, "password", in)
			refused(t, err, flow.Expired)
			thief.session = s.Token
			other := thief.signIn(ann, right)
			require.True(t, w.alive(s.Token), "a sign-in ends the session of the client it is made with, and no other's")
			require.Len(t, w.live(a.ID), 2)
			_, err = victim.do(p.Handle, "password", in)
			require.NoError(t, err)
			require.False(t, w.alive(other.Token))
			require.True(t, w.alive(victim.session))
		})
	}
}

// A native client has what a browser has: its own tokens at each turn, and the one before is dead.
func TestNativeRotation(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	app, web := w.app(), w.browser()
	web.signIn(ann, right)
	tokens := []auth.Secret{app.signIn(ann, right).Token}
	require.Contains(t, app.device.Reveal(), auth.NativeDeviceMark)

	w.clock.Advance(time.Hour)
	p, err := w.Begin(w.ctx, auth.BeginRequest{Goal: flow.StepUp, Target: flow.Target{Assurance: flow.AAL1, MaxAge: time.Minute}, Client: app.client()})
	require.NoError(t, err)
	p, err = app.password(p.Handle, right)
	require.NoError(t, err)
	tokens = append(tokens, p.Session.Token)
	p, err = app.change(right, newer, true)
	require.NoError(t, err)
	tokens = append(tokens, p.Session.Token)
	tokens = append(tokens, app.signIn(ann, newer).Token)
	for i, token := range tokens {
		require.Contains(t, token.Reveal(), auth.NativeSessionMark)
		require.Equal(t, i == len(tokens)-1, w.alive(token), i)
	}
	require.False(t, w.alive(web.session), "the change ended the others")
	require.Len(t, w.live(a.ID), 1)
}

// The known lane is opened by the client's own kind of token; guessing by turns in both ways gains nothing.
func TestNativeThrottling(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	owner, web := w.app(), w.browser()
	owner.signIn(ann, right)
	web.signIn(ann, right)
	for n := range 5 {
		b := w.browser()
		b.native = n%2 == 0
		b.from(n)
		require.Equal(t, flow.BadCredentials, b.guess(ann, wrong).Reason)
	}
	for name, c := range map[string]struct {
		native bool
		device auth.Secret
		in     bool
	}{
		"nobody, native":                  {true, auth.Secret{}, false},
		"nobody, browser":                 {false, auth.Secret{}, false},
		"the app's token":                 {true, owner.device, true},
		"the browser's cookie":            {false, web.device, true},
		"the app's token in a cookie":     {false, owner.device, false},
		"the browser's cookie as a token": {true, web.device, false},
		"the cookie with the mark":        {true, auth.NewSecret(auth.NativeDeviceMark + web.device.Reveal()), false},
		"the token without it":            {false, auth.NewSecret(strings.TrimPrefix(owner.device.Reveal(), auth.NativeDeviceMark)), false},
		"the mark alone":                  {true, auth.NewSecret(auth.NativeDeviceMark), false},
	} {
		b := w.browser()
		b.native, b.device = c.native, c.device
		p, err := b.try(ann, right)
		require.NoError(t, err)
		require.Equal(t, c.in, p.Session != nil, name)
		if !c.in {
			require.Equal(t, flow.TooManyAttempts, reasonOf(p), name)
		}
	}
}

// The audit tells how somebody came.
func TestAuditNamesTheTransport(t *testing.T) {
	for want, native := range map[string]bool{"native": true, "browser": false} {
		w := newWorld(t)
		w.account(ann)
		w.audit.take()
		b := w.browser()
		b.native = native
		_, err := b.try(ann, wrong)
		require.NoError(t, err)
		b.signIn(ann, right)
		events := w.audit.take()
		require.NotEmpty(t, events)
		for _, e := range events {
			require.Equal(t, want, e.Client, e.What)
		}
		require.Contains(t, w.logs.String(), fmt.Sprintf(`"client":%q`, want))
	}
}

// unmarked are sessions and devices of a host's own that know nothing of marks, or put them everywhere.
type unmarked struct {
	auth.Sessions
	auth.Devices
	lie bool
}

func (u unmarked) Issue(ctx context.Context, r auth.SessionRequest, now time.Time) (auth.IssuedSession, error) {
	r.Client.Native = u.lie
	return u.Sessions.Issue(ctx, r, now)
}

func (u unmarked) Remember(_ auth.Secret, account string, now time.Time) (auth.Secret, error) {
	var blank auth.Secret
	if u.lie {
		blank = auth.NewSecret(auth.NativeDeviceMark)
	}
	return u.Devices.Remember(blank, account, now)
}

// A host's own Sessions that mistake the transport give no token away, and such Devices no device.
func TestTokensOfTheWrongKindAreNotHandedOut(t *testing.T) {
	for _, native := range []bool{true, false} {
		w := newWorld(t, func(c *auth.Config) { c.Sessions = unmarked{Sessions: c.Sessions, lie: !native} })
		w.account(ann)
		b := w.browser()
		b.native = native
		p, err := b.try(ann, right)
		require.ErrorContains(t, err, "not one for the client's transport")
		require.Zero(t, p)

		w = newWorld(t, func(c *auth.Config) { c.Devices = unmarked{Devices: c.Devices, lie: !native} })
		w.account(ann)
		b = w.browser()
		b.native = native
		b.signIn(ann, right)
		require.True(t, b.device.IsZero(), "the session stands and the device stays unknown")
		require.Contains(t, w.logs.String(), `"where":"remember device"`)
	}
}
