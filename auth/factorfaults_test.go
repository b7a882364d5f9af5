package auth_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/mfa"
	"github.com/cardea-auth/cardea/mfa/totp"
	"github.com/cardea-auth/cardea/mfa/webauthn"
)

// TestFactorsFailAtEveryCall does for second factors what TestMailFlowsFailAtEveryCall does for mailboxes. The stories
// are in factorstories_test.go.
func TestFactorsFailAtEveryCall(t *testing.T) {
	require.Greater(t, failEverywhere(t, factorStories(), factored(t)), 150)
}

// factored lets people have every kind of second factor, and taps the host's.
func factored(t *testing.T) func(*auth.Config) {
	return func(c *auth.Config) {
		var err error
		c.Apps, err = totp.New(totp.Config{Keys: c.Keys, Issuer: "Test"})
		require.NoError(t, err)
		c.Codes, err = mfa.NewCodes(mfa.CodesConfig{Keys: c.Keys})
		require.NoError(t, err)
		c.Passkeys, err = webauthn.New(webauthn.Config{Keys: c.Keys, Origin: site, Product: "Test"})
		require.NoError(t, err)
		tap := c.Accounts.(tapAccounts).t
		c.Factors = tapFactors{c.Accounts.(tapAccounts).AccountStore.(auth.FactorStore), tap}
		c.HostFactor = tapHost{&cards{}, tap}
		c.Entry = func(context.Context, string) (flow.Entry, error) {
			return flow.Entry{Methods: flow.MethodsOf(flow.Password, flow.Passkey), Recovery: true}, nil
		}
	}
}

type tapHost struct {
	*cards
	t *tap
}

func (h tapHost) Enrol(ctx context.Context, account string, typed auth.Secret, now time.Time) (e auth.HostEnrolment, ok bool, err error) {
	e, err = tapped(h.t, ctx, "Host.Enrol", func() (e auth.HostEnrolment, err error) {
		e, ok, err = h.cards.Enrol(ctx, account, typed, now)
		return e, err
	})
	return e, ok, err
}

func (h tapHost) Check(ctx context.Context, f auth.StoredFactor, typed auth.Secret, now time.Time) (use auth.HostUse, ok bool, err error) {
	use, err = tapped(h.t, ctx, "Host.Check", func() (use auth.HostUse, err error) {
		use, ok, err = h.cards.Check(ctx, f, typed, now)
		return use, err
	})
	return use, ok, err
}

// belongings are what the person of a plot has in hand.
type belongings struct {
	app    app
	codes  []auth.Secret // the recovery codes that they were shown last
	former []auth.Secret // and the ones before
	device *authtest.Authenticator
	card   int // the last place on the card that was typed

	in     bool                          // the latest sign-in led to a session
	replay func() (auth.Progress, error) // hands in again what the latest sign-in did
}

func (h belongings) secrets() []string {
	list := reveal(slices.Concat(h.codes, h.former))
	if h.app.key != "" {
		list = append(list, h.app.key)
	}
	return list
}

// stored are the account's factors of a method.
func (p *plot) stored(m flow.Method) []auth.StoredFactor {
	return slices.DeleteFunc(p.factorsOf(p.id), func(f auth.StoredFactor) bool { return f.Method != m })
}

// later waits until an app shows a code that it has not shown before.
func (p *plot) later() { p.clock.Advance(30 * time.Second) }

// lifts goes from a password to a session by whatever of the person's works, an app's code before a card's.
func (p *plot) lifts(b *browser, at auth.Progress) (auth.Progress, error) {
	switch {
	case at.View.Need != flow.SecondFactor:
		return at, nil
	case slices.Contains(names(at.View), "totp"):
		p.later()
		return b.totp(at, p.has.app.code(p.clock.Now()))
	case slices.Contains(names(at.View), "host-factor"):
		p.has.card++
		return b.hostFactor(at, card(p.id, p.has.card))
	case slices.Contains(names(at.View), "send-passkey"):
		return b.use(at, p.has.device)
	}
	return at, errors.New("nothing that the person has is asked for")
}

// signedIn makes sure that the person's browser has a session. The fault may have cost them the one that they had,
// and where it has left the stores apart, the first try brings them together.
func (p *plot) signedIn() error {
	for range 2 {
		if p.alive(p.b.session) {
			return nil
		}
		at, err := p.b.try(ann, right)
		if err == nil {
			at, err = p.lifts(p.b, at)
		}
		if err != nil {
			return err
		}
		p.sees(at)
	}
	return nil
}

// sees keeps the token of a session that an answer brought.
func (p *plot) sees(at auth.Progress) bool {
	if at.Session != nil {
		p.tokens = append(p.tokens, at.Session.Token)
	}
	return at.Session != nil
}

// gets is whether a step that the person is to succeed with has led to a session.
func (p *plot) gets(at auth.Progress, err error) error {
	if err == nil && !p.sees(at) {
		return errors.New("no session: " + reasonOf(at).String())
	}
	return err
}

// tries is whether a sign-in by the password and this leads to a session. No fault is on; where an earlier one has
// left the stores apart, the first try brings them together.
func (p *plot) tries(next func(b *browser, at auth.Progress) (auth.Progress, error)) bool {
	for range 2 {
		b := p.browser()
		at, err := b.try(ann, right)
		require.NoError(p.t, err, p.where)
		if reasonOf(at) == flow.Stale {
			continue
		}
		require.Nil(p.t, at.Session, "%s: a password was enough", p.where)
		require.Equal(p.t, flow.SecondFactor, at.View.Need, p.where)
		at, err = next(b, at)
		require.NoError(p.t, err, p.where)
		if reasonOf(at) != flow.Stale {
			return p.sees(at)
		}
	}
	return false
}

// showsApp is whether a code that the app shows, and has not shown before, signs in.
func (p *plot) showsApp() bool {
	return p.tries(func(b *browser, at auth.Progress) (auth.Progress, error) {
		p.later()
		return b.totp(at, p.has.app.code(p.clock.Now()))
	})
}

// opens is whether the recovery code signs in.
func (p *plot) opens(code auth.Secret) bool {
	return p.tries(func(b *browser, at auth.Progress) (auth.Progress, error) {
		return b.do(at.Handle, "recovery-code", auth.Inputs{Code: code})
	})
}

// touches is whether the passkey alone signs in.
func (p *plot) touches() bool {
	at, err := p.browser().touch(p.has.device)
	require.NoError(p.t, err, p.where)
	return p.sees(at)
}
