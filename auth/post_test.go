package auth_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/reset"
	"github.com/cardea-auth/cardea/session"
)

type tapLetters struct {
	auth.LetterStore
	t *tap
}

func (l tapLetters) AddLetters(ctx context.Context, letters ...auth.Letter) error {
	return l.t.do(ctx, "Letters.AddLetters", func() error { return l.LetterStore.AddLetters(ctx, letters...) })
}

// postal is a world in which every sign-in with a password from an untrusted device takes a mailed code.
type postal struct {
	*world
	secrets *reset.Secrets
	posted  int
}

func newPostal(t testing.TB, change ...func(*auth.Config)) *postal {
	t.Helper()
	p := &postal{}
	setUp := func(c *auth.Config) {
		var err error
		p.secrets, err = reset.New(reset.Config{Keys: c.Keys})
		require.NoError(t, err)
		store := c.Accounts.(tapAccounts).AccountStore.(interface {
			auth.LetterStore
			auth.TicketStore
			session.TrustStore
		})
		devices := c.Devices.(tapDevices).Devices.(*session.Devices)
		trusted, err := session.NewTrustedDevices(session.TrustedDevicesConfig{Store: store, Devices: devices})
		require.NoError(t, err)
		c.TrustedDevices = trusted
		c.Letters, c.Secrets = tapLetters{store, c.Accounts.(tapAccounts).t}, p.secrets
		c.Tickets = tapTickets{store, c.Accounts.(tapAccounts).t}
		c.Posted = func() { p.posted++ }
		c.Rules = func(context.Context, auth.Account) (flow.Rules, error) {
			return flow.Rules{SecondFactor: flow.IfEnrolled, Verification: flow.VerifyPassword}, nil
		}
	}
	p.world = newWorld(t, append([]func(*auth.Config){setUp}, change...)...)
	return p
}

// letters takes everything out of the queue.
func (p *postal) letters() []auth.Letter {
	p.t.Helper()
	queued, err := p.store.ClaimLetters(context.Background(), p.clock.Now(), p.clock.Now().Add(time.Second), 100)
	require.NoError(p.t, err)
	var list []auth.Letter
	for _, q := range queued {
		require.NoError(p.t, p.store.RemoveLetter(context.Background(), q.ID))
		list = append(list, q.Letter)
	}
	return list
}

func kinds(list []auth.Letter) (kinds []auth.LetterKind) {
	for _, l := range list {
		kinds = append(kinds, l.Kind)
	}
	return kinds
}

// code takes the one code out of the queue.
func (p *postal) code() auth.Secret {
	p.t.Helper()
	list := p.letters()
	require.Equal(p.t, []auth.LetterKind{auth.SignInLetter}, kinds(list))
	code, ok := p.secrets.Reveal(list[0].Secret, list[0].Key)
	require.True(p.t, ok)
	return code
}

// enter goes as far as the code.
func (p *postal) enter(b *browser) auth.Progress {
	p.t.Helper()
	at, err := b.try("ann@example.com", right)
	require.NoError(p.t, err)
	require.Equal(p.t, flow.DeviceCheck, at.View.Need, "%+v", at.View)
	return at
}

func (b *browser) code(handle, code auth.Secret, trust bool) (auth.Progress, error) {
	return b.do(handle, "mail-code", auth.Inputs{Code: code, Trust: trust})
}

func TestUnknownDeviceIsVerifiedByMail(t *testing.T) {
	w := newPostal(t)
	a := w.account("ann@example.com")
	b := w.browser()
	at := w.enter(b)
	require.Equal(t, 1, w.posted)

	list := w.letters()
	require.Len(t, list, 1)
	l := list[0]
	code, ok := w.secrets.Reveal(l.Secret, l.Key)
	require.True(t, ok)
	text, err := json.Marshal(l)
	require.NoError(t, err)
	require.NotContains(t, string(text), code.Reveal(), "the queue holds no secret")
	require.NotEmpty(t, l.ID)
	require.Equal(t, auth.Letter{
		ID: l.ID, Kind: auth.SignInLetter, Account: a.ID, To: "ann@example.com", Name: "Ann",
		Secret: auth.SecretRef{Purpose: auth.ForSignIn, Flow: at.FlowID, Account: a.ID, At: start}, Key: "k1",
		At: start, Device: "Firefox/140", Network: "192.0.2.0/24", Method: "mail-code",
		CreatedAt: start, ExpiresAt: start.Add(10 * time.Minute),
	}, l)

	at, err = b.code(at.Handle, code, true)
	require.NoError(t, err)
	require.NotNil(t, at.Session)
	require.Equal(t, []auth.LetterKind{auth.TrustNotice, auth.NewDeviceNotice}, kinds(w.letters()))
	b.signIn("ann@example.com", right) // the device is trusted now
	require.Empty(t, w.letters())
	require.NotContains(t, w.logs.String(), code.Reveal())
}

// A code is good once, in its flow, in its browser, for ten minutes and five tries, and only the last one.
func TestMailedCodesAreBound(t *testing.T) {
	w := newPostal(t)
	w.account("ann@example.com")
	b, other := w.browser(), w.browser()
	at := w.enter(b)
	code := w.code()

	second := w.enter(b) // the same browser, another tab
	secondCode := w.code()
	p, err := b.code(second.Handle, code, false)
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p), "a code of another flow")
	_, err = other.code(at.Handle, code, false)
	refused(t, err, flow.Expired)
	p, err = b.code(p.Handle, secondCode, false)
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	w.letters()
	again, err := b.code(second.Handle, secondCode, false)
	require.Nil(t, again.Session, "%v", err)

	w.clock.Advance(61 * time.Second)
	resent, err := b.do(at.Handle, "send-mail-code", auth.Inputs{})
	require.NoError(t, err)
	newer := w.code()
	p, err = b.code(resent.Handle, code, false)
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p), "a code that was replaced")
	w.clock.Advance(10*time.Minute - time.Millisecond)
	require.NotNil(t, w.look(b, p), "the flow is still there")
	w.clock.Advance(time.Millisecond)
	p, err = b.code(p.Handle, newer, false)
	require.Nil(t, p.Session, "ten minutes are over: %v", err)
}

// look returns the flow's View, nil if the flow is over.
func (p *postal) look(b *browser, at auth.Progress) *flow.View {
	got, err := p.Look(p.ctx, at.FlowID, b.client())
	if err != nil || len(got.View.Actions) == 0 {
		return nil
	}
	return &got.View
}

func TestMailedCodeHasFiveTries(t *testing.T) {
	w := newPostal(t)
	w.account("ann@example.com")
	b := w.browser()
	at := w.enter(b)
	code := w.code()
	var err error
	for range 5 {
		at, err = b.code(at.Handle, auth.NewSecret("00000000"), false)
		require.NoError(t, err)
		require.Equal(t, flow.WrongCode, reasonOf(at))
	}
	_, err = b.code(at.Handle, code, false)
	refused(t, err, flow.NotOffered)
	w.clock.Advance(61 * time.Second)
	at, err = b.do(at.Handle, "send-mail-code", auth.Inputs{})
	require.NoError(t, err)
	code = w.code()
	at, err = b.code(at.Handle, auth.NewSecret("00000000"), false)
	require.NoError(t, err)
	at, err = b.code(at.Handle, code, false)
	require.NoError(t, err)
	require.Nil(t, at.Session)
	require.Equal(t, flow.TooManyAttempts, reasonOf(at), "a new code does not forgive the failures of the account")
	w.clock.Advance(time.Minute)
	at, err = b.code(at.Handle, code, false)
	require.NoError(t, err)
	require.NotNil(t, at.Session)
}

// Whoever has a password must not be able to flood its owner's mailbox.
func TestMailsAreLimited(t *testing.T) {
	w := newPostal(t)
	w.account("ann@example.com")
	for range 5 {
		w.enter(w.browser())
	}
	require.Len(t, w.letters(), 5)
	for range 20 {
		b := w.browser()
		b.addr = b.addr.Next()
		at := w.enter(b)
		require.Equal(t, flow.TooSoon, reasonOf(at))
		require.Equal(t, start.Add(20*time.Minute), at.View.Refusal.RetryAt)
		_, err := b.code(at.Handle, auth.NewSecret("00000000"), false)
		refused(t, err, flow.NotOffered)
	}
	require.Empty(t, w.letters())
	w.clock.Advance(20 * time.Minute)
	w.enter(w.browser())
	require.Len(t, w.letters(), 1)
}

// Whoever has a password must not be able to keep its owner, on a known device, from getting a code.
func TestKnownDevicesAreMailedApart(t *testing.T) {
	w := newPostal(t)
	w.account("ann@example.com")
	owner := w.browser()
	at := w.enter(owner)
	_, err := owner.code(at.Handle, w.code(), false)
	require.NoError(t, err)
	w.letters()
	for range 6 {
		w.enter(w.browser())
	}
	w.letters()
	for range 5 {
		require.Zero(t, reasonOf(w.enter(owner)))
		w.code()
	}
	require.Equal(t, flow.TooSoon, reasonOf(w.enter(owner)), "nor are they a way round the limit")
	require.Empty(t, w.letters())
}

// Where a password is all that it takes, whoever has it must not flood the mailbox with notices of new devices.
func TestNoticesOfNewDevicesAreLimited(t *testing.T) {
	w := newPostal(t, func(c *auth.Config) {
		c.Rules = func(context.Context, auth.Account) (flow.Rules, error) { return flow.Rules{}, nil }
	})
	w.account("ann@example.com")
	for range 30 {
		b := w.browser()
		b.addr = b.addr.Next()
		b.signIn("ann@example.com", right)
	}
	require.Len(t, w.letters(), 5)
	w.clock.Advance(20 * time.Minute)
	w.browser().signIn("ann@example.com", right)
	w.browser().signIn("ann@example.com", right)
	require.Equal(t, []auth.LetterKind{auth.NewDeviceNotice}, kinds(w.letters()))

	takes := 0
	w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
		if name == "Counters.Take" {
			if takes++; takes == 3 { // after those of the beginning and of the attempt
				return errFault
			}
		}
		return work()
	})
	w.browser().signIn("ann@example.com", right)
	require.Len(t, w.letters(), 1, "a counter that fails keeps nobody from being told")
}

func TestNobodyIsMailedBeforeAProof(t *testing.T) {
	w := newPostal(t)
	w.account("ann@example.com")
	for _, row := range [][2]string{{"ann@example.com", "wrong password"}, {"nobody@example.com", right}} {
		_, err := w.browser().try(row[0], row[1])
		require.NoError(t, err)
	}
	require.Empty(t, w.letters())
	require.Zero(t, w.posted)
}

// Many requests with one handle make one mail.
func TestOneStepMakesOneMail(t *testing.T) {
	w := newPostal(t)
	w.account("ann@example.com")
	b := w.browser()
	at, err := b.begin("ann@example.com")
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, _ = w.Continue(w.ctx, auth.ContinueRequest{
				Handle: at.Handle, Action: "password", Inputs: auth.Inputs{Password: auth.NewSecret(right)}, Client: b.client(),
			})
		})
	}
	all.Wait()
	require.Len(t, w.letters(), 1)
}

func TestLettersThatCannotBeQueued(t *testing.T) {
	w := newPostal(t)
	w.account("ann@example.com")
	b := w.browser()
	at, err := b.begin("ann@example.com")
	require.NoError(t, err)
	broken := func(_ context.Context, _ int, name string, work func() error) error {
		if name == "Letters.AddLetters" {
			return errFault
		}
		return work()
	}
	w.tap.set(broken)
	_, err = b.password(at.Handle, right)
	require.ErrorIs(t, err, errFault, "the person would wait for nothing")
	w.tap.set(nil)
	require.NotContains(t, w.logs.String(), "ann@example.com")

	w.clock.Advance(61 * time.Second)
	look, err := w.Look(w.ctx, at.FlowID, b.client())
	require.NoError(t, err)
	at, err = b.do(look.Handle, "send-mail-code", auth.Inputs{})
	require.NoError(t, err)
	code := w.code()
	w.tap.set(broken)
	at, err = b.code(at.Handle, code, false)
	require.NoError(t, err, "a notice that cannot be queued keeps nobody out")
	require.NotNil(t, at.Session)
	require.Contains(t, w.logs.String(), "queue notices")
}

// The notice of a new password is queued in the act that sets it: a crash right after loses neither.
func TestPasswordNoticeGoesWithTheChange(t *testing.T) {
	w := newPostal(t)
	a := w.account("ann@example.com")
	b := w.browser()
	at := w.enter(b)
	_, err := b.code(at.Handle, w.code(), false)
	require.NoError(t, err)
	w.letters()
	posted := w.posted
	w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
		if name == "Letters.AddLetters" {
			return errFault
		}
		return work()
	})
	_, err = b.change(right, "another good password", true)
	require.NoError(t, err)
	list := w.letters()
	require.Equal(t, []auth.LetterKind{auth.PasswordNotice}, kinds(list))
	require.Equal(t, a.ID, list[0].Account)
	require.Equal(t, posted+1, w.posted)
}

// So is the notice of a lock.
func TestLockNoticeGoesWithTheLock(t *testing.T) {
	w := newPostal(t, func(c *auth.Config) {
		c.Risk = func(context.Context, auth.RiskRequest) (flow.Verdict, error) { return flow.RiskLock, nil }
	})
	a := w.account("ann@example.com")
	w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
		if name == "Letters.AddLetters" {
			return errFault
		}
		return work()
	})
	p, err := w.browser().try("ann@example.com", right)
	require.NoError(t, err)
	require.Equal(t, flow.AccountLocked, reasonOf(p))
	require.Equal(t, flow.Locked, w.standing(a.ID).Status)
	require.Equal(t, []auth.LetterKind{auth.LockNotice}, kinds(w.letters()))
}

func TestLettersAndSecretsGoTogether(t *testing.T) {
	w := newPostal(t)
	cfg := w.cfg
	cfg.Secrets = nil
	_, err := auth.New(cfg)
	require.ErrorContains(t, err, "Letters, Tickets and Secrets are required together")
	cfg = w.cfg
	cfg.Letters = nil
	_, err = auth.New(cfg)
	require.ErrorContains(t, err, "Letters, Tickets and Secrets are required together")
	cfg = w.cfg
	cfg.Tickets = nil
	_, err = auth.New(cfg)
	require.ErrorContains(t, err, "Letters, Tickets and Secrets are required together")

	cfg = w.cfg
	other, err := reset.New(reset.Config{Keys: testKeys(t, "k9")})
	require.NoError(t, err)
	cfg.Secrets = other
	_, err = auth.New(cfg)
	require.ErrorContains(t, err, "the same Keys")

	plain := newWorld(t, func(c *auth.Config) {
		c.Rules = func(context.Context, auth.Account) (flow.Rules, error) {
			return flow.Rules{Verification: flow.VerifyPassword}, nil
		}
	})
	plain.account("ann@example.com")
	_, err = plain.browser().try("ann@example.com", right)
	require.ErrorContains(t, err, "Config.Letters is not set", "a rule that cannot be kept must not look as if it were")
	require.False(t, strings.Contains(err.Error(), "ann@"))
}
