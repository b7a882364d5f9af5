package auth_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/mfa/webauthn"
)

// acting is the browser's session.
func (b *browser) acting() auth.Session {
	b.w.t.Helper()
	s, err := b.w.Authenticate(b.w.ctx, b.session)
	require.NoError(b.w.t, err)
	return s
}

// TestAProviderSpeaksForItsOwnConnections: one that names another's issuer, by mistake or not, opens nothing that was
// connected through that one.
func TestAProviderSpeaksForItsOwnConnections(t *testing.T) {
	s := newSocial(t)
	_, owner := s.connected(ann, annAtAcme)
	s.other.complete = func(_ context.Context, t auth.Trip, a auth.Answer) (auth.Identity, error) {
		return auth.Identity{Issuer: s.acme.issuer, Subject: annAtAcme, Email: "thief@mail.example", AuthTime: t.Now}, nil
	}
	p, err := s.visit(s.browser(), s.other, "x")
	require.NoError(t, err)
	require.Nil(t, p.Session)
	require.Equal(t, flow.ProviderFailed, reasonOf(p))
	require.Equal(t, "other: connected-through-another", s.audit.last("proof-failed").Detail)
	p, err = s.connect(owner, s.other, "x")
	require.NoError(t, err)
	require.Equal(t, flow.ProviderFailed, reasonOf(p))
	list, err := s.Connections(s.ctx, owner.acting())
	require.NoError(t, err)
	require.Equal(t, annAtAcme+"@mail.example", list[0].Email, "it says nothing of her either")
}

// TestNoWayOutOfAnApp: what a native client is offered leads to no provider, in flows of a session too.
func TestNoWayOutOfAnApp(t *testing.T) {
	s := newSocial(t)
	_, owner := s.connected(ann, annAtAcme)
	s.pair(owner)
	app := s.browser()
	app.native = true
	p, err := app.try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.SecondFactor, p.View.Need)
	require.Empty(t, p.View.Providers)
	s.clock.Advance(time.Hour)

	plain := s.browser()
	plain.native = true
	s.account("bob@example.com")
	bob := s.browser()
	bob.signIn("bob@example.com", right)
	_, err = s.connect(bob, s.acme, "bob-at-acme")
	require.NoError(t, err)
	plain.signIn("bob@example.com", right)
	s.clock.Advance(time.Hour)
	p, err = s.Begin(s.ctx, auth.BeginRequest{
		Goal: flow.StepUp, Target: flow.Target{Assurance: flow.AAL1, MaxAge: time.Minute}, Client: plain.client(),
	})
	require.NoError(t, err)
	require.Empty(t, p.View.Providers)
	_, err = plain.do(p.Handle, "social", auth.Inputs{Connection: "acme"})
	refused(t, err, flow.NotOffered)
}

// TestTheHighestLevelCountsProviders: an account that reaches two factors with a provider's word and an app owes both for
// an operation that takes the most it can.
func TestTheHighestLevelCountsProviders(t *testing.T) {
	s := newSocial(t)
	a, err := s.CreateAccount(s.ctx, auth.NewAccount{Identifier: ann})
	require.NoError(t, err)
	_, err = s.store.SetStatus(s.ctx, a.ID, s.standing(a.ID), flow.Active, s.clock.Now())
	require.NoError(t, err)
	_, err = s.store.AddLink(s.ctx, auth.LinkChange{
		Link: auth.Link{ID: auth.LinkID(s.acme.issuer, annAtAcme), Account: a.ID, Method: flow.Social, Provider: "acme", Issuer: s.acme.issuer, Subject: annAtAcme},
		From: s.standing(a.ID), Now: s.clock.Now(),
	})
	require.NoError(t, err)
	b := s.browser()
	p, err := s.visit(b, s.acme, annAtAcme)
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	s.letters()
	s.pair(b)
	s.clock.Advance(time.Minute)
	op := deletion(t)
	d, err := s.DemandConfirmation(s.ctx, b.acting(), op, 0)
	require.NoError(t, err)
	require.Equal(t, flow.AAL2, d.Level)

	p, err = b.askFor(op, flow.AAL1)
	require.NoError(t, err)
	_, err = b.do(p.Handle, "social", auth.Inputs{Connection: "acme"})
	require.NoError(t, err)
	p, err = b.comeBack("acme", answerOf(s.acme, s.acme.trip(), annAtAcme))
	require.NoError(t, err)
	require.NotNil(t, p.Session, "%s", reasonOf(p))
	refused(t, b.does(op, 0, p.Confirmation), flow.StepUpRequired)
	require.NoError(t, b.does(op, flow.AAL1, p.Confirmation))
}

// TestAnswersFitIntoAFlow: what somebody sends to a provider's address is kept in a flow, whose record is bounded.
func TestAnswersFitIntoAFlow(t *testing.T) {
	s := newSocial(t)
	for what, text := range map[string]string{
		"what HTML escapes": "<", "control characters": "\x01", "broken text": "\xff", "quotes": `"`, "lines": "\u2028",
	} {
		b := s.browser()
		at, err := b.leave("posting")
		require.NoError(t, err)
		params := answerOf(s.posting, s.posting.trip(), strings.Repeat(text, (4<<10)/len(text)))
		params["user"] = []string{strings.Repeat(text, (1<<10)/len(text))}
		id, err := s.Park(s.ctx, auth.ReturnRequest{Provider: "posting", Params: params})
		require.NoError(t, err, what)
		r, err := s.store.LoadFlow(s.ctx, at.FlowID, s.clock.Now())
		require.NoError(t, err)
		require.LessOrEqual(t, len(r.Data), 16<<10, what)
		_, err = s.ReturnParked(s.ctx, "posting", id, b.client())
		require.NoError(t, err)
	}
}

// TestAFloodOfForgedAnswers fills no records: whoever calls a provider's address with nothing of ours costs a line now
// and then.
func TestAFloodOfForgedAnswers(t *testing.T) {
	s := newSocial(t, func(c *auth.Config) { c.Throttle.BeginCap = 10 })
	s.audit.take()
	for n := range 100 {
		_, err := s.Return(s.ctx, auth.ReturnRequest{Provider: "acme", Params: map[string][]string{"state": {fmt.Sprint(n)}}, Client: s.browser().client()})
		refused(t, err, flow.Expired)
		_, err = s.Park(s.ctx, auth.ReturnRequest{Provider: "posting", Params: map[string][]string{"state": {fmt.Sprint(n)}}})
		refused(t, err, flow.Expired)
	}
	require.LessOrEqual(t, len(s.audit.take()), 20)
	_, err := s.browser().leave("acme")
	require.NoError(t, err, "and keeps nobody from signing in")
	s.acme.logout = func(auth.Secret) (auth.ProviderLogout, error) {
		return auth.ProviderLogout{}, &auth.ProviderError{Code: "signature"}
	}
	s.audit.take()
	for range 100 {
		refused(t, s.EndedAtProvider(s.ctx, "acme", auth.NewSecret("forged")), flow.Forbidden)
	}
	require.LessOrEqual(t, len(s.audit.take()), 10)
}

// TestALinkThatGoesWhileItIsConnectedAnew is told like any change of the account, and is no fault.
func TestALinkThatGoesWhileItIsConnectedAnew(t *testing.T) {
	s := newSocial(t)
	_, owner := s.connected(ann, annAtAcme)
	id := auth.LinkID(s.acme.issuer, annAtAcme)
	other := s.browser()
	other.signIn(ann, right)
	gone, err := s.Begin(s.ctx, auth.BeginRequest{Goal: flow.Linking, Target: flow.Target{Remove: id}, Client: other.client()})
	require.NoError(t, err)
	_, err = s.Begin(s.ctx, auth.BeginRequest{Goal: flow.Linking, Target: flow.Target{Connection: "acme"}, Client: owner.client()})
	require.NoError(t, err)
	removed := false
	s.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
		err := work()
		if name == "Links.FindLink" && !removed {
			removed = true
			_, err := other.do(gone.Handle, "remove", auth.Inputs{})
			require.NoError(t, err)
		}
		return err
	})
	p, err := owner.comeBack("acme", answerOf(s.acme, s.acme.trip(), annAtAcme))
	s.tap.set(nil)
	require.NoError(t, err, "no fault")
	require.True(t, removed)
	require.Equal(t, flow.Stale, reasonOf(p))
}

// TestACodeThatWasKeptBackOutlivesNoLogout: whoever waits with an answer until the provider has ended its session gets none
// here by it.
func TestACodeThatWasKeptBackOutlivesNoLogout(t *testing.T) {
	s := newSocial(t)
	a, _ := s.connected(ann, annAtAcme)
	s.acme.logout = func(auth.Secret) (auth.ProviderLogout, error) {
		return auth.ProviderLogout{ID: "1", Issuer: s.acme.issuer, Session: "sid-" + annAtAcme}, nil
	}
	since := s.clock.Now()
	s.acme.complete = func(_ context.Context, t auth.Trip, a auth.Answer) (auth.Identity, error) {
		return auth.Identity{Issuer: s.acme.issuer, Subject: annAtAcme, AuthTime: since, Session: "sid-" + annAtAcme}, nil
	}
	b := s.browser()
	_, err := b.leave("acme")
	require.NoError(t, err)
	s.clock.Advance(time.Minute)
	require.NoError(t, s.EndedAtProvider(s.ctx, "acme", auth.NewSecret("token")))
	s.clock.Advance(time.Minute)
	before := s.live(a.ID)
	p, err := b.comeBack("acme", answerOf(s.acme, s.acme.trip(), annAtAcme))
	require.NoError(t, err)
	require.Nil(t, p.Session)
	require.Equal(t, before, s.live(a.ID))
	since = s.clock.Now()
	p, err = s.visit(s.browser(), s.acme, annAtAcme)
	require.NoError(t, err)
	require.NotNil(t, p.Session, "who signed in there anew is let in")
}

// TestTheLastPasskeyStaysWhereItsProviderLeft: a connection with a provider that is not offered any more signs nobody in,
// so it is no reason to let the last passkey go.
func TestTheLastPasskeyStaysWhereItsProviderLeft(t *testing.T) {
	s := newSocial(t, func(c *auth.Config) {
		var err error
		c.Passkeys, err = webauthn.New(webauthn.Config{Keys: c.Keys, Origin: site, Product: "Test"})
		require.NoError(t, err)
		c.Entry = nil
	})
	a, err := s.CreateAccount(s.ctx, auth.NewAccount{Identifier: ann})
	require.NoError(t, err)
	_, err = s.store.SetStatus(s.ctx, a.ID, s.standing(a.ID), flow.Active, s.clock.Now())
	require.NoError(t, err)
	_, err = s.store.AddLink(s.ctx, auth.LinkChange{
		Link: auth.Link{ID: auth.LinkID(s.acme.issuer, annAtAcme), Account: a.ID, Method: flow.Social, Provider: "acme", Issuer: s.acme.issuer, Subject: annAtAcme},
		From: s.standing(a.ID), Now: s.clock.Now(),
	})
	require.NoError(t, err)
	b, device := s.browser(), authtest.NewAuthenticator(site)
	_, err = s.visit(b, s.acme, annAtAcme)
	require.NoError(t, err)
	s.letters()
	s.register(b, device)
	_, err = b.touch(device)
	require.NoError(t, err)
	p, err := b.remove(s.factorsOf(a.ID)[0].ID)
	require.NoError(t, err)
	require.Equal(t, flow.Removal, p.View.Need)
	s.acme.info.ID = "renamed"
	s.Service, err = auth.New(s.cfg) // the next day
	require.NoError(t, err)
	p, err = b.remove(s.factorsOf(a.ID)[0].ID)
	require.NoError(t, err)
	require.Equal(t, flow.FactorRequired, reasonOf(p))
}

// TestTwoDisconnectsLeaveAWayIn: each of two flows saw that another connection remains; one of them goes through.
func TestTwoDisconnectsLeaveAWayIn(t *testing.T) {
	for range 20 {
		s := newSocial(t, func(c *auth.Config) { c.Posted = nil })
		a, err := s.CreateAccount(s.ctx, auth.NewAccount{Identifier: ann})
		require.NoError(t, err)
		_, err = s.store.SetStatus(s.ctx, a.ID, s.standing(a.ID), flow.Active, s.clock.Now())
		require.NoError(t, err)
		var flows []func()
		for _, p := range []*acme{s.acme, s.other} {
			_, err = s.store.AddLink(s.ctx, auth.LinkChange{
				Link: auth.Link{ID: auth.LinkID(p.issuer, "ann"), Account: a.ID, Method: flow.Social, Provider: p.info.ID, Issuer: p.issuer, Subject: "ann"},
				From: s.standing(a.ID), Now: s.clock.Now(),
			})
			require.NoError(t, err)
		}
		for _, p := range []*acme{s.acme, s.other} {
			b := s.browser()
			_, err := s.visit(b, p, "ann")
			require.NoError(t, err)
			at, err := s.Begin(s.ctx, auth.BeginRequest{Goal: flow.Linking, Target: flow.Target{Remove: auth.LinkID(p.issuer, "ann")}, Client: b.client()})
			require.NoError(t, err)
			require.Equal(t, flow.Removal, at.View.Need)
			flows = append(flows, func() { _, _ = b.do(at.Handle, "remove", auth.Inputs{}) })
		}
		var in sync.WaitGroup
		for _, remove := range flows {
			in.Go(remove)
		}
		in.Wait()
		links, err := s.store.Links(s.ctx, a.ID)
		require.NoError(t, err)
		require.NotEmpty(t, links)
	}
}
