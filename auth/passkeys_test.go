package auth_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/mfa/webauthn"
)

const site = "https://app.example"

// newKeyed is a world in which people may have passkeys beside other second factors, and sign in with them.
func newKeyed(t *testing.T, change ...func(*auth.Config)) *postal {
	t.Helper()
	setUp := func(c *auth.Config) {
		var err error
		c.Passkeys, err = webauthn.New(webauthn.Config{Keys: c.Keys, Origin: site, Product: "Test"})
		require.NoError(t, err)
		c.Entry = nil
	}
	return newFactored(t, append([]func(*auth.Config){setUp}, change...)...)
}

// register adds a passkey to the account that the browser is signed in to.
func (p *postal) register(b *browser, device *authtest.Authenticator) auth.Progress {
	p.t.Helper()
	at, err := b.enrolFactor(flow.Passkey)
	require.NoError(p.t, err)
	require.Equal(p.t, flow.NewFactor, at.View.Need)
	at, err = b.register(at, device)
	require.NoError(p.t, err)
	require.NotNil(p.t, at.Session, "%+v", at.View)
	p.only(auth.FactorNotice, ann)
	return at
}

// register makes a passkey in a flow that offers to.
func (b *browser) register(p auth.Progress, device *authtest.Authenticator) (auth.Progress, error) {
	p, err := b.do(p.Handle, "send-passkey", auth.Inputs{})
	if err != nil {
		return p, err
	}
	answer, err := device.Create(p.Passkey)
	require.NoError(b.w.t, err)
	return b.do(p.Handle, "enrol-passkey", auth.Inputs{Credential: answer, Name: "Laptop"})
}

// touch begins a sign-in with whatever passkey the device has.
func (b *browser) touch(device *authtest.Authenticator) (auth.Progress, error) {
	p, answer, err := b.ready(device)
	if err != nil {
		return p, err
	}
	return b.assert(p, answer)
}

// ready is a sign-in before the answer is sent.
func (b *browser) ready(device *authtest.Authenticator) (auth.Progress, auth.Secret, error) {
	p, err := b.w.Begin(b.w.ctx, auth.BeginRequest{Goal: flow.SignIn, Action: "send-passkey", Client: b.client()})
	if err != nil {
		return p, auth.Secret{}, err
	}
	answer, err := device.Get(p.Passkey)
	require.NoError(b.w.t, err)
	return p, answer, nil
}

func (b *browser) assert(p auth.Progress, answer auth.Secret) (auth.Progress, error) {
	return b.do(p.Handle, "passkey", auth.Inputs{Credential: answer})
}

// use answers the ceremony of a flow that offers one.
func (b *browser) use(p auth.Progress, device *authtest.Authenticator) (auth.Progress, error) {
	p, err := b.do(p.Handle, "send-passkey", auth.Inputs{})
	if err != nil {
		return p, err
	}
	answer, err := device.Get(p.Passkey)
	require.NoError(b.w.t, err)
	return b.assert(p, answer)
}

// passkeyed is somebody with a passkey, signed in a minute ago.
func (p *postal) passkeyed(device *authtest.Authenticator) (auth.Account, *browser) {
	p.t.Helper()
	a := p.account(ann)
	b := p.browser()
	b.signIn(ann, right)
	p.letters()
	p.register(b, device)
	p.clock.Advance(time.Minute)
	return a, b
}

// TestPasskeySignsInAlone: who verified themselves to it needs nothing else, not even an address.
func TestPasskeySignsInAlone(t *testing.T) {
	w := newKeyed(t)
	device := authtest.NewAuthenticator(site)
	a, b := w.passkeyed(device)

	p, err := w.browser().touch(device)
	require.NoError(t, err)
	require.NotNil(t, p.Session, "%+v", p.View)
	require.Equal(t, a.ID, p.Session.Account)
	require.Equal(t, flow.AAL2, p.Session.Assurance)
	list, err := w.Factors(w.ctx, p.Session.Session)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "Laptop", list[0].Name)
	require.Equal(t, flow.Passkey, list[0].Method)
	require.WithinDuration(t, w.clock.Now(), list[0].UsedAt, 0)

	typed := w.browser()
	p, err = typed.begin("somebody@else.example")
	require.NoError(t, err)
	p, err = typed.use(p, device)
	require.NoError(t, err)
	require.Equal(t, a.ID, p.Session.Account, "what was typed is a hint")
	require.Equal(t, ann, p.View.Address)

	_, err = b.enrolFactor(flow.Passkey)
	require.NoError(t, err, "a second device may have one too")
	require.NotContains(t, w.logs.String(), "clientDataJSON")
}

// TestPasskeyIsASecondFactor, verified or not, and the account's own alone.
func TestPasskeyIsASecondFactor(t *testing.T) {
	w := newKeyed(t)
	key := authtest.NewAuthenticator(site)
	key.Verifies, key.Counts = false, true
	a, _ := w.passkeyed(key)

	b := w.browser()
	p, err := b.try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.SecondFactor, p.View.Need)
	require.Equal(t, []string{"send-passkey", "restart"}, names(p.View))
	p, err = b.use(p, key)
	require.NoError(t, err)
	require.Equal(t, flow.AAL2, p.Session.Assurance)

	b = w.browser()
	p, err = b.touch(key)
	require.NoError(t, err)
	require.Nil(t, p.Session, "a key that verified nobody is one factor")
	require.Equal(t, flow.SecondFactor, p.View.Need)
	require.Equal(t, []string{"password", "restart"}, names(p.View))
	p, err = b.password(p.Handle, right)
	require.NoError(t, err)
	require.Equal(t, flow.AAL2, p.Session.Assurance)

	key.Verifies = true // it was given a PIN since
	p, err = w.browser().touch(key)
	require.NoError(t, err)
	require.Nil(t, p.Session, "its word on that does not count until it is added anew")
	require.Equal(t, a.ID, w.factorsOf(a.ID)[0].Account)
}

func (p *postal) factorsOf(account string) []auth.StoredFactor {
	list, err := p.store.Factors(context.Background(), account)
	require.NoError(p.t, err)
	return list
}

// TestPasskeyIsAStepOfTheSignIn where rules demand a factor, and mail alone never goes around it.
func TestPasskeyIsAStepOfTheSignIn(t *testing.T) {
	w := newKeyed(t, func(c *auth.Config) {
		c.Rules = func(context.Context, auth.Account) (flow.Rules, error) {
			return flow.Rules{SecondFactor: flow.Always}, nil
		}
	})
	a := w.account(ann)
	device := authtest.NewAuthenticator(site)
	b := w.browser()
	p, err := b.try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.NewFactor, p.View.Need)
	require.Nil(t, p.Session)
	p, err = b.register(p, device)
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	require.Equal(t, flow.AAL2, p.Session.Assurance)
	w.letters()

	b.session = p.Session.Token
	p, err = b.w.Begin(w.ctx, auth.BeginRequest{Goal: flow.Enrolment, Client: b.client(), Target: flow.Target{
		Enrol: flow.Passkey, Remove: w.factorsOf(a.ID)[0].ID,
	}})
	require.NoError(t, err)
	require.Equal(t, flow.FactorRequired, reasonOf(p))

	link := w.resetLink(ann)
	b = w.browser()
	p, err = b.follow(flow.Recovery, link)
	require.NoError(t, err)
	require.Equal(t, flow.SecondFactor, p.View.Need)
	p, err = b.use(p, device)
	require.NoError(t, err)
	require.Equal(t, flow.PasswordChange, p.View.Need)
}

// TestRemovedPasskeyIsWorthNothing, also to a ceremony that was open.
func TestRemovedPasskeyIsWorthNothing(t *testing.T) {
	w := newKeyed(t)
	device := authtest.NewAuthenticator(site)
	a, b := w.passkeyed(device)
	thief := w.browser()
	open, answer, err := thief.ready(device)
	require.NoError(t, err)

	p, err := b.w.Begin(w.ctx, auth.BeginRequest{Goal: flow.Enrolment, Client: b.client(), Target: flow.Target{
		Enrol: flow.Passkey, Remove: w.factorsOf(a.ID)[0].ID,
	}})
	require.NoError(t, err)
	p, err = b.do(p.Handle, "remove", auth.Inputs{})
	require.NoError(t, err)
	require.NotNil(t, p.Session, "%+v", p.View)

	p, err = thief.assert(open, answer)
	require.NoError(t, err)
	require.Equal(t, flow.PasskeyRefused, reasonOf(p))
	p, err = w.browser().touch(device)
	require.NoError(t, err)
	require.Equal(t, flow.PasskeyRefused, reasonOf(p))
	require.Equal(t, "credential-unknown", w.audit.last("proof-failed").Detail)
}

// TestCeremoniesAreUsedOnce, by one of many and whatever comes of it.
func TestCeremoniesAreUsedOnce(t *testing.T) {
	w := newKeyed(t)
	device := authtest.NewAuthenticator(site)
	_, _ = w.passkeyed(device)
	b := w.browser()
	p, answer, err := b.ready(device)
	require.NoError(t, err)
	var wg sync.WaitGroup
	granted := make([]bool, 50)
	for i := range granted {
		wg.Go(func() {
			q, err := w.Continue(w.ctx, auth.ContinueRequest{
				Handle: p.Handle, Action: "passkey", Inputs: auth.Inputs{Credential: answer}, Client: b.client(),
			})
			granted[i] = err == nil && q.Session != nil
		})
	}
	wg.Wait()
	n := 0
	for _, g := range granted {
		if g {
			n++
		}
	}
	require.Equal(t, 1, n, "one answer, one sign-in")

	q, late, err := b.ready(device)
	require.NoError(t, err)
	q, err = b.assert(q, answer)
	require.NoError(t, err)
	require.Equal(t, flow.PasskeyRefused, reasonOf(q), "an answer to another ceremony")
	_, err = b.assert(q, late)
	refused(t, err, flow.NotOffered)
	q, err = b.use(q, device)
	require.NoError(t, err)
	require.NotNil(t, q.Session, "the person tries again in the same flow")
}

// TestCopiesOfAKeyAreNoticed: of two that tell the same number at the same time one is refused, and the records say
// whose key it is.
func TestCopiesOfAKeyAreNoticed(t *testing.T) {
	w := newKeyed(t)
	key := authtest.NewAuthenticator(site)
	key.Counts = true
	a, _ := w.passkeyed(key)
	one, other := w.browser(), w.browser()
	p, answer, err := one.ready(key)
	require.NoError(t, err)
	later, newer, err := other.ready(key)
	require.NoError(t, err)
	q, err := other.assert(later, newer)
	require.NoError(t, err)
	require.NotNil(t, q.Session)
	q, err = one.assert(p, answer)
	require.NoError(t, err)
	require.Nil(t, q.Session)
	require.Equal(t, flow.PasskeyRefused, reasonOf(q))
	e := w.audit.last("proof-failed")
	require.Equal(t, []string{"counter-went-back", a.ID}, []string{e.Detail, e.Account})
}

// TestForgedAnswers are all one refusal, which tells nothing; the records have the difference.
func TestForgedAnswers(t *testing.T) {
	w := newKeyed(t)
	device := authtest.NewAuthenticator(site)
	_, _ = w.passkeyed(device)
	eve := authtest.NewAuthenticator(site)
	_, err := eve.Create([]byte(`{"challenge":"AAAA","user":{"id":"AAAA"},"rp":{"id":"app.example"}}`))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		answer func(auth.Progress) auth.Secret
		detail string
	}{
		"no JSON":  {func(auth.Progress) auth.Secret { return auth.NewSecret("{") }, "malformed"},
		"nobody's": {func(p auth.Progress) auth.Secret { return must(eve.Get(p.Passkey)) }, "credential-unknown"},
		"another site's": {func(p auth.Progress) auth.Secret {
			device.Origin = "https://app.example.evil.example"
			defer func() { device.Origin = site }()
			return must(device.Get(p.Passkey))
		}, "wrong-origin"},
		"a bogus signature": {func(p auth.Progress) auth.Secret {
			return spoilt(t, must(device.Get(p.Passkey)), must(eve.Get(p.Passkey)))
		}, "bad-signature"},
		"a registration": {func(p auth.Progress) auth.Secret { return must(eve.Create(p.Passkey)) }, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			p, err := b.w.Begin(w.ctx, auth.BeginRequest{Goal: flow.SignIn, Action: "send-passkey", Client: b.client()})
			require.NoError(t, err)
			p, err = b.assert(p, c.answer(p))
			require.NoError(t, err)
			require.Nil(t, p.Session)
			require.Equal(t, flow.PasskeyRefused, reasonOf(p))
			require.Equal(t, []string{"identify", "send-passkey", "cancel"}, names(p.View))
			e := w.audit.last("proof-failed")
			require.Empty(t, e.Account, "whoever cannot sign must not have anybody warned")
			if name != "a registration" {
				require.Equal(t, c.detail, e.Detail)
			}
		})
	}
}

// spoilt is an answer with another one's signature.
func spoilt(t *testing.T, answer, other auth.Secret) auth.Secret {
	var m, o struct {
		ID       string            `json:"id"`
		RawID    string            `json:"rawId"`
		Type     string            `json:"type"`
		Response map[string]string `json:"response"`
	}
	require.NoError(t, json.Unmarshal([]byte(answer.Reveal()), &m))
	require.NoError(t, json.Unmarshal([]byte(other.Reveal()), &o))
	m.Response["signature"] = o.Response["signature"]
	text, err := json.Marshal(m)
	require.NoError(t, err)
	return auth.NewSecret(string(text))
}

// TestOthersPasskeysProveNothing of the account that a flow is about.
func TestOthersPasskeysProveNothing(t *testing.T) {
	w := newKeyed(t)
	device := authtest.NewAuthenticator(site)
	_, b := w.passkeyed(device)
	mallory, err := w.CreateAccount(w.ctx, auth.NewAccount{Identifier: "mallory@example.com", Password: auth.NewSecret(wrong)})
	require.NoError(t, err)
	m := w.browser()
	m.signIn("mallory@example.com", wrong)
	evil := authtest.NewAuthenticator(site)
	at, err := m.enrolFactor(flow.Passkey)
	require.NoError(t, err)
	_, err = m.register(at, evil)
	require.NoError(t, err)
	w.letters()

	thief := w.browser()
	p, err := thief.try(ann, right) // the password is known
	require.NoError(t, err)
	p, err = thief.do(p.Handle, "send-passkey", auth.Inputs{})
	require.NoError(t, err)
	_, err = evil.Get(p.Passkey)
	require.ErrorIs(t, err, authtest.ErrNoPasskey, "it is not among those that are asked for")
	var o map[string]any
	require.NoError(t, json.Unmarshal(p.Passkey, &o))
	delete(o, "allowCredentials")
	free, err := json.Marshal(o)
	require.NoError(t, err)
	p, err = thief.assert(p, must(evil.Get(free)))
	require.NoError(t, err)
	require.Nil(t, p.Session)
	require.Equal(t, flow.PasskeyRefused, reasonOf(p))

	w.clock.Advance(time.Hour)
	p, err = b.w.Begin(w.ctx, auth.BeginRequest{Goal: flow.StepUp, Target: flow.Target{Assurance: flow.AAL2, MaxAge: time.Minute}, Client: b.client()})
	require.NoError(t, err)
	p, err = b.do(p.Handle, "send-passkey", auth.Inputs{})
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(p.Passkey, &o))
	delete(o, "allowCredentials")
	free, err = json.Marshal(o)
	require.NoError(t, err)
	p, err = b.assert(p, must(evil.Get(free)))
	require.NoError(t, err)
	require.Equal(t, flow.PasskeyRefused, reasonOf(p), "nor in a session")
	require.NotEmpty(t, mallory.ID)
}

// TestPasskeyOptionsTellNothing before something was proven: they are those of nobody.
func TestPasskeyOptionsTellNothing(t *testing.T) {
	w := newKeyed(t)
	_, _ = w.passkeyed(authtest.NewAuthenticator(site))
	options := func(address string) map[string]any {
		b := w.browser()
		p, err := b.begin(address)
		require.NoError(t, err)
		p, err = b.do(p.Handle, "send-passkey", auth.Inputs{})
		require.NoError(t, err)
		var o map[string]any
		require.NoError(t, json.Unmarshal(p.Passkey, &o))
		require.NotEmpty(t, o["challenge"])
		delete(o, "challenge")
		require.Empty(t, o["allowCredentials"])
		return o
	}
	require.Equal(t, options("unknown@example.com"), options(ann))
}

// TestPasskeyCeremoniesEnd after five minutes (ASVS 6.7.2), though their flow goes on.
func TestPasskeyCeremoniesEnd(t *testing.T) {
	w := newKeyed(t)
	device := authtest.NewAuthenticator(site)
	_, _ = w.passkeyed(device)
	b := w.browser()
	p, answer, err := b.ready(device)
	require.NoError(t, err)
	w.clock.Advance(5 * time.Minute)
	p, err = b.assert(p, answer)
	require.NoError(t, err)
	require.Equal(t, flow.PasskeyRefused, reasonOf(p))
	require.Equal(t, "expired", w.audit.last("proof-failed").Detail)
	p, err = b.use(p, device)
	require.NoError(t, err)
	require.NotNil(t, p.Session)
}
