package auth_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

const annAtAcme = "ann-at-acme"

// TestSocialFailsAtEveryCall does for identities at providers what TestMailFlowsFailAtEveryCall does for mailboxes:
// whatever fails or hangs, nobody gets a session who should not, nothing is half connected that cannot be connected again,
// and the sessions' picture of the account is the account's in the end.
func TestSocialFailsAtEveryCall(t *testing.T) {
	require.Greater(t, failEverywhere(t, socialStories(), withAcme), 100)
}

// withAcme offers acme and other. The plot finds them in its configuration.
func withAcme(c *auth.Config) {
	store := c.Accounts.(tapAccounts).AccountStore.(interface {
		auth.LinkStore
		auth.ProviderSessionStore
	})
	tap := c.Accounts.(tapAccounts).t
	c.Providers = []auth.Provider{newAcme("acme", "Acme"), newAcme("other", "Other")}
	c.Links, c.ProviderSessions = tapLinks{store, tap}, tapProviderSessions{store, tap}
	c.Callbacks = "https://app.example/auth/provider/"
	c.Entry = func(context.Context, string) (flow.Entry, error) {
		return flow.Entry{Methods: flow.MethodsOf(flow.Password, flow.Social), Recovery: true}, nil
	}
}

func socialStories() []mailStory {
	return []mailStory{
		{"a provider is connected", func(p *plot) { p.enrolled() }, (*plot).connects, (*plot).isConnected},
		{"a sign-in at a provider", (*plot).withLink, (*plot).visits, (*plot).visitedOnce},
		{"a sign-in of nobody at a provider", (*plot).withLink, (*plot).visitsAsNobody, (*plot).nobodyCame},
		{"a step-up at a provider", (*plot).withLink, (*plot).stepsUp, (*plot).steppedUp},
		{"a provider is disconnected", (*plot).withLink, (*plot).disconnects, (*plot).isDisconnected},
		{"a provider ends its session", (*plot).withVisit, (*plot).isEnded, (*plot).wasEnded},
		{"a provider ends all of a person's", (*plot).withVisit, (*plot).allEnd, (*plot).wasEnded},
	}
}

func (p *plot) acme() *acme { return p.cfg.Providers[0].(*acme) }

func (p *plot) withLink() {
	p.enrolled()
	require.NoError(p.t, p.connects())
	require.True(p.t, p.isConnected())
}

func (p *plot) links() []auth.Link {
	list, err := p.store.Links(context.Background(), p.id)
	require.NoError(p.t, err, p.where)
	return list
}

// connects connects the provider. Where it is connected already, only the answer got lost.
func (p *plot) connects() error {
	if len(p.links()) > 0 {
		return nil
	}
	if err := p.signedIn(); err != nil {
		return err
	}
	at, err := p.Begin(p.ctx, auth.BeginRequest{Goal: flow.Linking, Target: flow.Target{Connection: "acme"}, Client: p.b.client()})
	if err != nil {
		return err
	}
	require.True(p.t, at.Departed, "%s: %+v", p.where, at.View)
	at, err = p.b.comeBack("acme", answerOf(p.acme(), p.acme().trip(), annAtAcme))
	if err == nil && reasonOf(at) == flow.Stale && !p.again { // the stores had to be brought together
		p.again = true
		return p.connects()
	}
	return p.gets(at, err)
}

// comes is who gets in by a code: the account, or nobody. No fault is on; where an earlier one has left the stores apart,
// the first try brings them together.
func (p *plot) comes(code string) string {
	for range 2 {
		b := p.browser()
		_, err := b.leave("acme")
		require.NoError(p.t, err, p.where)
		at, err := b.comeBack("acme", answerOf(p.acme(), p.acme().trip(), code))
		require.NoError(p.t, err, p.where)
		if p.sees(at) {
			return at.Session.Account
		}
		if reasonOf(at) != flow.Stale {
			require.Equal(p.t, flow.NotConnected, reasonOf(at), p.where)
			return ""
		}
	}
	return ""
}

// isConnected: it is not, nobody gets in by it and nobody was told; or it is, its owner does, and was.
func (p *plot) isConnected() bool {
	if len(p.links()) == 0 {
		require.Empty(p.t, p.comes(annAtAcme), p.where)
		require.False(p.t, p.told(auth.LinkNotice), "%s: the owner was told of what is not", p.where)
		return false
	}
	require.Len(p.t, p.links(), 1, p.where)
	require.Equal(p.t, p.id, p.comes(annAtAcme), p.where)
	require.True(p.t, p.told(auth.LinkNotice), p.where)
	return true
}

// visits signs in on a new browser, and keeps the answer.
func (p *plot) visits() error { return p.visitsAs(annAtAcme) }

func (p *plot) visitsAs(code string) error {
	p.has.in, p.has.replay = false, nil
	b := p.browser()
	at, err := b.leave("acme")
	if err != nil {
		return err
	}
	if !at.Departed {
		return p.gets(at, nil)
	}
	params := answerOf(p.acme(), p.acme().trip(), code)
	p.has.replay = func() (auth.Progress, error) { return b.comeBack("acme", params) }
	at, err = p.has.replay()
	if err == nil && reasonOf(at) == flow.Stale { // the stores had to be brought together
		return p.visitsAs(code)
	}
	err = p.gets(at, err)
	p.has.in = err == nil
	return err
}

// visitedOnce: an answer leads to one session at most, of the one account, whenever it is brought again.
func (p *plot) visitedOnce() bool {
	sessions := 0
	if p.has.in {
		sessions++
	}
	for range 2 {
		if p.has.replay == nil {
			break // the fault came before there was an answer
		}
		at, err := p.has.replay()
		if err != nil {
			_ = denial(p, err)
		}
		if at.Session != nil {
			require.Equal(p.t, p.id, at.Session.Account, p.where)
			sessions++
		}
	}
	require.LessOrEqual(p.t, sessions, 1, "%s: it worked twice", p.where)
	return p.has.in
}

// visitsAsNobody signs in as somebody who is connected with no account.
func (p *plot) visitsAsNobody() error {
	before := len(p.live(p.id))
	err := p.visitsAs("nobody-at-acme")
	require.Error(p.t, err, "%s: a session of nobody's", p.where)
	require.Len(p.t, p.live(p.id), before, p.where)
	if p.lost == "" || err.Error() == "no session: "+flow.NotConnected.String() {
		p.has.card++ // it was said as it is
		return nil
	}
	return err
}

func (p *plot) nobodyCame() bool {
	require.Empty(p.t, p.comes("nobody-at-acme"), p.where)
	require.Len(p.t, p.links(), 1, p.where)
	return p.has.card > 0
}

// stepsUp proves afresh who is there, by the provider alone.
func (p *plot) stepsUp() error {
	p.has.in, p.has.replay = false, nil
	if err := p.signedIn(); err != nil {
		return err
	}
	p.clock.Advance(time.Hour)
	b := p.b
	at, err := p.Begin(p.ctx, auth.BeginRequest{
		Goal: flow.StepUp, Target: flow.Target{Assurance: flow.AAL1, MaxAge: 5 * time.Minute}, Client: b.client(),
	})
	if err != nil {
		return err
	}
	if at, err = b.do(at.Handle, "social", auth.Inputs{Connection: "acme"}); err != nil || !at.Departed {
		return p.gets(at, err)
	}
	params := answerOf(p.acme(), p.acme().trip(), annAtAcme)
	p.has.replay = func() (auth.Progress, error) { return b.comeBack("acme", params) }
	err = p.gets(p.has.replay())
	p.has.in = err == nil
	return err
}

// steppedUp is visitedOnce; and of the session that was replaced nothing is left.
func (p *plot) steppedUp() bool {
	done := p.visitedOnce()
	if done {
		require.True(p.t, p.alive(p.b.session), p.where)
	}
	return done
}

func (p *plot) disconnects() error {
	if len(p.links()) == 0 {
		return nil
	}
	if err := p.signedIn(); err != nil {
		return err
	}
	at, err := p.Begin(p.ctx, auth.BeginRequest{
		Goal: flow.Linking, Target: flow.Target{Remove: auth.LinkID(p.acme().issuer, annAtAcme)}, Client: p.b.client(),
	})
	if err != nil {
		return err
	}
	return p.gets(p.b.do(at.Handle, "remove", auth.Inputs{EndOthers: true}))
}

// isDisconnected: its owner gets in as before and was told of nothing, or nobody does and the owner was told.
func (p *plot) isDisconnected() bool {
	if len(p.links()) > 0 {
		require.False(p.t, p.told(auth.LinkGoneNotice), p.where)
		require.Equal(p.t, p.id, p.comes(annAtAcme), p.where)
		return false
	}
	require.True(p.t, p.told(auth.LinkGoneNotice), p.where)
	require.Empty(p.t, p.comes(annAtAcme), p.where)
	return true
}

// withVisit is a session that came of the provider's, the newest of p.tokens, beside one that did not.
func (p *plot) withVisit() {
	p.withLink()
	p.tokens = append(p.tokens, p.b.signIn(ann, right).Token)
	p.clock.Advance(time.Second)
	require.NoError(p.t, p.visits())
	p.given = p.tokens[len(p.tokens)-1]
}

func (p *plot) isEnded() error { return p.ends("", "sid-"+annAtAcme) }

func (p *plot) allEnd() error { return p.ends(annAtAcme, "") }

// ends has the provider tell it, by the same token each time. It stops when it has got through.
func (p *plot) ends(subject, session string) error {
	if !p.alive(p.given) {
		return nil
	}
	p.acme().logout = func(auth.Secret) (auth.ProviderLogout, error) {
		return auth.ProviderLogout{ID: "one-token", Issuer: p.acme().issuer, Subject: subject, Session: session}, nil
	}
	return p.EndedAtProvider(p.ctx, "acme", auth.NewSecret("token"))
}

// wasEnded: the session is over or not, and what did not come of the provider lives on.
func (p *plot) wasEnded() bool {
	require.True(p.t, p.alive(p.b.session), "%s: a password's session", p.where)
	return !p.alive(p.given)
}
