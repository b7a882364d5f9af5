package auth_test

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/flow"
)

// The stories of TestFactorsFailAtEveryCall.

func factorStories() []mailStory {
	return []mailStory{
		{"an app is paired", func(p *plot) { p.enrolled() }, (*plot).pairs, (*plot).paired},
		{"new recovery codes", func(p *plot) {
			p.withApp()
			require.NoError(p.t, p.makesCodes())
		}, (*plot).makesCodes, (*plot).madeCodes},
		{"a passkey is added", func(p *plot) { p.enrolled() }, (*plot).addsPasskey, (*plot).addedPasskey},
		{"a card is added", func(p *plot) { p.enrolled() }, (*plot).addsCard, (*plot).addedCard},
		{"a sign-in with an app", (*plot).withApp, signsIn("totp"), (*plot).signedInOnce},
		{"a sign-in with a recovery code", func(p *plot) {
			p.withApp()
			require.NoError(p.t, p.makesCodes())
		}, signsIn("recovery-code"), (*plot).usedCode},
		{"a sign-in with a passkey alone", (*plot).withPasskey, (*plot).touchesOnce, (*plot).signedInOnce},
		{"a sign-in with a passkey as the second", (*plot).withPasskey, signsIn("passkey"), (*plot).signedInOnce},
		{"a sign-in with a card", func(p *plot) {
			p.enrolled()
			require.NoError(p.t, p.addsCard())
		}, signsIn("host-factor"), (*plot).signedInOnce},
		{"an app is removed", func(p *plot) {
			p.withApp()
			require.NoError(p.t, p.makesCodes())
		}, (*plot).removesApp, (*plot).removedApp},
		{"an operator takes them off", (*plot).withApp, func(p *plot) error { return p.ResetFactors(p.ctx, p.id) }, (*plot).reset},
	}
}

func (p *plot) withApp() {
	p.enrolled()
	require.NoError(p.t, p.pairs())
}

func (p *plot) withPasskey() {
	p.enrolled()
	require.NoError(p.t, p.addsPasskey())
}

// pairs adds an app. Where it is there already, only the answer got lost: the person has scanned the key.
func (p *plot) pairs() error {
	if len(p.stored(flow.TOTP)) > 0 {
		return nil
	}
	if err := p.signedIn(); err != nil {
		return err
	}
	at, err := p.b.enrolFactor(flow.TOTP)
	if err != nil {
		return err
	}
	p.has.app = appOf(at.Pairing)
	return p.gets(p.b.do(at.Handle, "enrol-totp", auth.Inputs{Code: p.has.app.code(p.clock.Now())}))
}

// paired: a password is enough and nobody was told, or the app is asked for and the owner was told.
func (p *plot) paired() bool {
	return p.added(flow.TOTP, (*plot).showsApp)
}

func (p *plot) added(m flow.Method, works func(*plot) bool) bool {
	if len(p.stored(m)) == 0 {
		require.True(p.t, p.enters(ann, right), p.where)
		require.False(p.t, p.told(auth.FactorNotice), "%s: the owner was told of what is not", p.where)
		return false
	}
	require.Len(p.t, p.stored(m), 1, p.where)
	require.True(p.t, p.told(auth.FactorNotice), p.where)
	require.True(p.t, works(p), p.where)
	return true
}

// makesCodes makes recovery codes in place of those that were there. Codes that nobody was shown are made again.
func (p *plot) makesCodes() error {
	if err := p.signedIn(); err != nil {
		return err
	}
	at, err := p.b.codes()
	if err == nil && len(at.Codes) > 0 {
		p.has.former, p.has.codes = p.has.codes, at.Codes
	}
	return p.gets(at, err)
}

// madeCodes: there is one set. Either it is the new one, and of the old one nothing works, or the old one is as good
// as before. Where the answer got lost it may be one that nobody has seen.
func (p *plot) madeCodes() bool {
	require.Len(p.t, slices.DeleteFunc(p.stored(flow.RecoveryCode), func(f auth.StoredFactor) bool {
		return f.CreatedAt != p.stored(flow.RecoveryCode)[0].CreatedAt
	}), len(p.stored(flow.RecoveryCode)), "%s: codes of two sets", p.where)
	require.True(p.t, p.showsApp(), p.where) // which brings the stores together: a code must not be lost over that
	if p.has.former == nil {                 // nobody was shown another set
		now := p.has.codes[0]
		if p.opens(now) {
			p.has.codes = p.has.codes[1:]
			require.False(p.t, p.opens(now), "%s: a code worked twice", p.where)
			return false
		}
		require.True(p.t, p.told(auth.FactorNotice), p.where)
		return false
	}
	require.True(p.t, p.told(auth.FactorNotice), p.where)
	require.False(p.t, p.opens(p.has.former[0]), "%s: a code of the set before", p.where)
	require.True(p.t, p.opens(p.has.codes[0]), p.where)
	p.has.codes = p.has.codes[1:]
	return true
}

// addsPasskey registers a device that is new each time, since its owner cannot tell what became of the one before.
func (p *plot) addsPasskey() error {
	if len(p.stored(flow.Passkey)) > 0 {
		return nil
	}
	if err := p.signedIn(); err != nil {
		return err
	}
	at, err := p.b.enrolFactor(flow.Passkey)
	if err != nil {
		return err
	}
	p.has.device = authtest.NewAuthenticator(site)
	p.has.device.Counts = true
	return p.gets(p.b.register(at, p.has.device))
}

func (p *plot) addedPasskey() bool { return p.added(flow.Passkey, (*plot).touches) }

func (p *plot) addsCard() error {
	if len(p.stored(flow.HostFactor)) > 0 {
		return nil
	}
	if err := p.signedIn(); err != nil {
		return err
	}
	p.has.card++
	return p.gets(p.b.enrolCard(card(p.id, p.has.card)))
}

func (p *plot) addedCard() bool {
	return p.added(flow.HostFactor, func(p *plot) bool {
		return p.tries(func(b *browser, at auth.Progress) (auth.Progress, error) {
			p.has.card++
			return b.hostFactor(at, card(p.id, p.has.card))
		})
	})
}

// signsIn signs in on a new browser by the password and something new of the method, and keeps what was handed in.
func signsIn(method string) func(*plot) error {
	return func(p *plot) error {
		p.has.in, p.has.replay = false, nil
		b := p.browser()
		at, err := b.try(ann, right)
		if err != nil {
			return err
		}
		if reasonOf(at) == flow.Stale { // the stores had to be brought together
			if at, err = b.try(ann, right); err != nil {
				return err
			}
		}
		var in auth.Inputs
		switch method {
		case "totp":
			p.later()
			in.Code = p.has.app.code(p.clock.Now())
		case "recovery-code":
			in.Code, p.has.codes, p.has.former = p.has.codes[0], p.has.codes[1:], p.has.codes[:1]
		case "host-factor":
			p.has.card++
			in.Code = card(p.id, p.has.card)
		case "passkey":
			if at, err = b.do(at.Handle, "send-passkey", auth.Inputs{}); err != nil {
				return err
			}
			in.Credential = must(p.has.device.Get(at.Passkey))
		}
		return p.handsIn(b, at, method, in)
	}
}

// handsIn is the last step of a sign-in. What can be handed in anywhere is replayed in another browser.
func (p *plot) handsIn(b *browser, at auth.Progress, method string, in auth.Inputs) error {
	p.has.replay = func() (auth.Progress, error) {
		if method == "passkey" {
			return b.do(at.Handle, method, in)
		}
		other := p.browser()
		at, err := other.try(ann, right)
		if err != nil {
			return at, err
		}
		return other.do(at.Handle, method, in)
	}
	err := p.gets(b.do(at.Handle, method, in))
	p.has.in = err == nil
	return err
}

func (p *plot) touchesOnce() error {
	p.has.in, p.has.replay = false, nil
	b := p.browser()
	at, answer, err := b.ready(p.has.device)
	if err != nil {
		return err
	}
	return p.handsIn(b, at, "passkey", auth.Inputs{Credential: answer})
}

// signedInOnce: what was handed in has led to a session, or it leads to one now, or it is used up; but to two it
// never leads, and a password alone to none.
func (p *plot) signedInOnce() bool {
	require.False(p.t, p.enters(ann, right), "%s: a password was enough", p.where)
	sessions := 0
	if p.has.in {
		sessions++
	}
	for range 2 {
		if p.has.replay == nil {
			break // the fault came before it was handed in
		}
		at, err := p.has.replay()
		if err != nil {
			_ = denial(p, err)
		}
		if p.sees(at) {
			sessions++
		}
	}
	require.LessOrEqual(p.t, sessions, 1, "%s: it worked twice", p.where)
	return p.has.in
}

// denial is the refusal that the error must be.
func denial(p *plot, err error) *auth.DeniedError {
	var denied *auth.DeniedError
	require.ErrorAs(p.t, err, &denied, p.where)
	return denied
}

// usedCode is signedInOnce; and whoever got in by a recovery code did not do so unnoticed.
func (p *plot) usedCode() bool {
	in := p.signedInOnce()
	if in && p.lost != "Letters.AddLetters" { // a notice that cannot be queued keeps nobody from what is theirs
		require.True(p.t, p.told(auth.RecoveryCodeNotice), p.where)
	}
	return in
}

func (p *plot) removesApp() error {
	list := p.stored(flow.TOTP)
	if len(list) == 0 {
		return nil
	}
	if err := p.signedIn(); err != nil {
		return err
	}
	at, err := p.b.remove(list[0].ID)
	if err != nil {
		return err
	}
	return p.gets(p.b.do(at.Handle, "remove", auth.Inputs{EndOthers: true}))
}

// removedApp: the app is asked for as before, or nothing is and its owner was told. The codes go with it.
func (p *plot) removedApp() bool {
	if len(p.stored(flow.TOTP)) > 0 {
		require.Len(p.t, p.stored(flow.RecoveryCode), 10, p.where)
		require.False(p.t, p.told(auth.FactorGoneNotice), p.where)
		require.True(p.t, p.showsApp(), p.where)
		return false
	}
	return p.none()
}

// none: nothing is left that a password does not open, and the owner was told.
func (p *plot) none() bool {
	require.Empty(p.t, p.factorsOf(p.id), p.where)
	require.True(p.t, p.told(auth.FactorGoneNotice), p.where)
	require.True(p.t, p.enters(ann, right), p.where)
	return true
}

// reset: as removedApp, and no session outlives it.
func (p *plot) reset() bool {
	if len(p.stored(flow.TOTP)) > 0 {
		require.False(p.t, p.told(auth.FactorGoneNotice), p.where)
		require.True(p.t, p.showsApp(), p.where)
		return false
	}
	before := p.tokens
	if !p.has.in {
		for _, token := range before {
			require.False(p.t, p.alive(token), "%s: a session of before", p.where)
		}
	}
	p.has.in = true // from now on there are sessions of after
	return p.none()
}
