package auth_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// happened returns all that is kept of the account, the oldest first, as "what methods network agent count".
func (w *world) happened(account string) (list []string) {
	w.t.Helper()
	all, err := w.store.ListActivity(context.Background(), account, w.clock.Now(), 1000)
	require.NoError(w.t, err)
	for i := len(all) - 1; i >= 0; i-- {
		a := all[i]
		text := string(a.What)
		if a.Methods != 0 {
			text += " " + a.Methods.String()
		}
		if a.Network.IsValid() {
			text += " " + a.Network.String()
		}
		if a.UserAgent != "" {
			text += " " + a.UserAgent
		}
		if a.Count > 1 {
			text += fmt.Sprint(" x", a.Count)
		}
		list = append(list, text)
	}
	return list
}

// later lets a minute pass before each act, so that their order is one of times.
func (w *world) later(acts ...func() error) {
	w.t.Helper()
	for _, act := range acts {
		w.clock.Advance(time.Minute)
		require.NoError(w.t, act())
	}
}

// A life tells its owner what is worth knowing, each with the device and the network, and nothing twice.
func TestActivityOfALife(t *testing.T) {
	w := newFactored(t)
	a := w.account(ann)
	b, phone := w.browser(), w.browser()
	phone.agent, phone.addr = "HelpdeskApp/2.1", netip.MustParseAddr("2001:db8:1:2::3")
	var paired app
	w.later(
		func() error { b.guess(ann, wrong); b.guess(ann, wrong); return nil },
		func() error { b.signIn(ann, right); return nil },
		func() error { w.letters(); paired = w.pair(b); return nil },
	)
	w.clock.Advance(time.Minute)
	made, err := b.codes()
	require.NoError(t, err)
	w.clock.Advance(time.Minute)
	p, err := phone.try(ann, right)
	require.NoError(t, err)
	p, err = phone.totp(p, auth.NewSecret("000000"))
	require.NoError(t, err)
	w.clock.Advance(time.Minute)
	p, err = phone.totp(p, paired.code(w.clock.Now()))
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	w.clock.Advance(time.Minute)
	p, err = phone.try(ann, right)
	require.NoError(t, err)
	p, err = phone.do(p.Handle, "recovery-code", auth.Inputs{Code: made.Codes[0]})
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	acting := p.Session.Session
	w.later(
		func() error { _, err := b.change(right, newer, false); return err },
		func() error { return w.EndSession(w.ctx, acting, w.live(a.ID)[0]) },
	)
	require.Equal(t, []string{
		"account-created",
		"attempt-failed password 192.0.2.0/24 Firefox/140 x2",
		"new-device password 192.0.2.0/24 Firefox/140",
		"factor-added totp 192.0.2.0/24 Firefox/140",
		"factor-added recovery-code 192.0.2.0/24 Firefox/140",
		"second-step-failed totp 2001:db8:1::/48 HelpdeskApp/2.1",
		"new-device password+totp 2001:db8:1::/48 HelpdeskApp/2.1",
		"recovery-code-used recovery-code 2001:db8:1::/48 HelpdeskApp/2.1",
		"signed-in password+recovery-code 2001:db8:1::/48 HelpdeskApp/2.1",
		"password-changed password 192.0.2.0/24 Firefox/140",
		"session-ended 2001:db8:1::/48 HelpdeskApp/2.1",
	}, w.happened(a.ID))
}

// occurrences are acts on an account of which its owner is told, each in a world of its own, with what that adds.
var occurrences = map[string]struct {
	act  func(w *postal, a auth.Account) error
	want []string
}{
	"operators close and open it": {func(w *postal, a auth.Account) error {
		w.later(func() error { return w.DisableAccount(w.ctx, a.ID) }, func() error { return w.EnableAccount(w.ctx, a.ID) })
		return nil
	}, []string{"account-disabled", "account-enabled"}},
	"an operator unlocks it": {func(w *postal, a auth.Account) error {
		if _, err := w.store.ReplacePassword(w.ctx, a.ID, w.standing(a.ID).Epochs, "", false, start); err != nil {
			return err // only those without a password are unlocked
		}
		if _, err := w.store.SetStatus(w.ctx, a.ID, w.standing(a.ID), flow.Locked, start); err != nil {
			return err
		}
		return w.UnlockAccount(w.ctx, a.ID)
	}, []string{"account-unlocked"}},
	"the password is compromised": {func(w *postal, a auth.Account) error { return w.MarkPasswordCompromised(w.ctx, a.ID) }, []string{"password-compromised"}},
	"the host changed it":         {func(w *postal, a auth.Account) error { return w.AccountChanged(w.ctx, a.ID) }, []string{"account-changed"}},
	"an operator ends all":        {func(w *postal, a auth.Account) error { return w.EndSessions(w.ctx, a.ID) }, []string{"sessions-ended"}},
	"an operator sends a link":    {func(w *postal, a auth.Account) error { return w.SendReset(w.ctx, a.ID) }, []string{"reset-sent"}},
	"the factors are lost": {func(w *postal, a auth.Account) error {
		b := w.browser()
		b.signIn(ann, right)
		w.letters()
		w.pair(b)
		w.clock.Advance(time.Minute)
		return w.ResetFactors(w.ctx, a.ID)
	}, []string{"new-device password 192.0.2.0/24 Firefox/140", "factor-added totp 192.0.2.0/24 Firefox/140", "factors-reset"}},
	"a factor is removed": {func(w *postal, a auth.Account) error {
		b := w.browser()
		b.signIn(ann, right)
		w.letters()
		w.pair(b)
		w.clock.Advance(time.Minute)
		list, err := w.store.Factors(w.ctx, a.ID)
		if err != nil {
			return err
		}
		p, err := b.remove(list[0].ID)
		if err != nil {
			return err
		}
		_, err = b.do(p.Handle, "remove", auth.Inputs{})
		return err
	}, []string{
		"new-device password 192.0.2.0/24 Firefox/140", "factor-added totp 192.0.2.0/24 Firefox/140", "factor-removed totp 192.0.2.0/24 Firefox/140",
	}},
	"the password is forgotten": {func(w *postal, a auth.Account) error {
		link := w.resetLink(ann)
		w.clock.Advance(time.Minute)
		_, err := w.browser().renew(flow.Recovery, link, newer, true)
		return err
	}, []string{"reset-asked 192.0.2.0/24 Firefox/140", "password-reset password 192.0.2.0/24 Firefox/140"}},
	"the address is stolen and brought back": {func(w *postal, a auth.Account) error {
		b := w.browser()
		b.signIn(ann, right)
		w.letters()
		w.clock.Advance(time.Minute)
		p, err := b.move("bea@example.com")
		if err != nil {
			return err
		}
		if _, err = b.answer(p, w.secretIn(w.only(auth.NewAddressLetter, "bea@example.com"))); err != nil {
			return err
		}
		w.clock.Advance(time.Minute)
		for _, l := range w.letters() {
			if !l.Secret.IsZero() {
				_, err = w.browser().follow(flow.Reversal, w.secretIn(l))
			}
		}
		return err
	}, []string{
		"new-device password 192.0.2.0/24 Firefox/140", "address-changed 192.0.2.0/24 Firefox/140", "address-undone 192.0.2.0/24 Firefox/140",
	}},
	"a hostile sign-in": {func(w *postal, a auth.Account) error {
		w.cfg.Risk = func(context.Context, auth.RiskRequest) (flow.Verdict, error) { return flow.RiskLock, nil }
		s, err := auth.New(w.cfg)
		if err != nil {
			return err
		}
		w.Service = s
		_, err = w.browser().try(ann, right)
		return err
	}, []string{"account-locked 192.0.2.0/24 Firefox/140"}},
	"devices come and go": {func(w *postal, a auth.Account) error {
		w.cfg.Rules = func(context.Context, auth.Account) (flow.Rules, error) { return verifying, nil }
		s, err := auth.New(w.cfg)
		if err != nil {
			return err
		}
		w.Service = s
		b := w.browser()
		at := w.enter(b)
		p, err := b.code(at.Handle, w.code(), true)
		if err != nil {
			return err
		}
		acting := p.Session.Session
		w.later(
			func() error { return w.RemoveTrustedDevice(w.ctx, acting, w.trusts(a.ID)[0]) },
			func() error { return w.RemoveTrustedDevices(w.ctx, acting) },
			func() error { return w.EndOtherSessions(w.ctx, acting, b.client()) },
		)
		return nil
	}, []string{
		"device-trusted 192.0.2.0/24 Firefox/140", "new-device password+mail-code 192.0.2.0/24 Firefox/140",
		"device-removed 192.0.2.0/24 Firefox/140", "devices-removed 192.0.2.0/24 Firefox/140", "sessions-ended 192.0.2.0/24 Firefox/140",
	}},
	"who sits at a session guesses": {func(w *postal, a auth.Account) error {
		b := w.browser()
		b.signIn(ann, right)
		w.clock.Advance(time.Hour)
		_, err := b.change(wrong, newer, false)
		return err
	}, []string{"new-device password 192.0.2.0/24 Firefox/140", "attempt-failed password 192.0.2.0/24 Firefox/140"}},
}

func TestWhatOwnersAreTold(t *testing.T) {
	for name, o := range occurrences {
		t.Run(name, func(t *testing.T) {
			w := newFactored(t)
			a := w.account(ann)
			w.clock.Advance(time.Minute)
			require.NoError(t, o.act(w, a))
			require.Equal(t, append([]string{"account-created"}, o.want...), w.happened(a.ID))
		})
	}
	t.Run("an account is opened", func(t *testing.T) {
		w := newFactored(t)
		b := w.browser()
		p, err := b.ask(flow.SignUp, ann)
		require.NoError(t, err)
		p, err = b.answer(p, auth.NewSecret("00000000")) // there is nobody yet to be told
		require.NoError(t, err)
		p, err = b.answer(p, w.secretIn(w.only(auth.SignUpLetter, ann)))
		require.NoError(t, err)
		_, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(right)})
		require.NoError(t, err)
		a, err := w.store.FindByIdentifier(w.ctx, ann)
		require.NoError(t, err)
		require.Equal(t, []string{"account-created password 192.0.2.0/24 Firefox/140"}, w.happened(a.ID))
	})
	t.Run("an invitation is taken", func(t *testing.T) {
		w := newFactored(t)
		a, err := w.Invite(w.ctx, auth.NewAccount{Identifier: ann})
		require.NoError(t, err)
		w.clock.Advance(time.Minute)
		_, err = w.browser().renew(flow.Activation, w.secretIn(w.only(auth.InvitationLetter, ann)), right, false)
		require.NoError(t, err)
		require.Equal(t, []string{"account-created", "account-activated password 192.0.2.0/24 Firefox/140"}, w.happened(a.ID))
	})
}

// TestEveryActivityIsToldSomewhere: a code that nothing records would be a promise of the API that nobody keeps.
func TestEveryActivityIsToldSomewhere(t *testing.T) {
	source, err := os.ReadFile("activity.go")
	require.NoError(t, err)
	record, err := os.ReadFile("activity_record.go")
	require.NoError(t, err)
	codes := regexp.MustCompile(`(Activity\w+) +ActivityWhat = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1)
	require.Greater(t, len(codes), 20)
	tests, err := os.ReadFile("activity_test.go")
	require.NoError(t, err)
	social, err := os.ReadFile("social_test.go")
	require.NoError(t, err)
	tests = append(tests, social...)
	for _, c := range codes {
		require.Regexp(t, `\b`+c[1]+`\b`, string(record), "nothing records %s", c[2])
		require.Regexp(t, `"`+c[2]+`[" ]`, string(tests), "no test sees %s", c[2])
	}
}
