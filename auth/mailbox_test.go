package auth_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// open is a world in which strangers may do everything that a mailbox allows.
func newOpen(t testing.TB, change ...func(*auth.Config)) *postal {
	t.Helper()
	setUp := func(c *auth.Config) {
		c.Entry = func(context.Context, string) (flow.Entry, error) {
			return flow.Entry{Methods: flow.MethodsOf(flow.Password), Recovery: true, SignUp: true}, nil
		}
		c.Rules = func(context.Context, auth.Account) (flow.Rules, error) {
			return flow.Rules{SecondFactor: flow.IfEnrolled}, nil
		}
	}
	return newPostal(t, append([]func(*auth.Config){setUp}, change...)...)
}

// secretIn returns the link's token or the code of a letter.
func (p *postal) secretIn(l auth.Letter) auth.Secret {
	p.t.Helper()
	require.False(p.t, l.Secret.IsZero(), "a letter of the kind %s has no secret", l.Kind)
	secret, ok := p.secrets.Reveal(l.Secret, l.Key)
	require.True(p.t, ok)
	return secret
}

// only is the one letter that is in the queue, of the kind and to the address that it must have.
func (p *postal) only(kind auth.LetterKind, to string) auth.Letter {
	p.t.Helper()
	list := p.letters()
	require.Equal(p.t, []auth.LetterKind{kind}, kinds(list))
	require.Equal(p.t, to, list[0].To)
	return list[0]
}

// ask begins a flow of a stranger's goal with an address.
func (b *browser) ask(goal flow.Goal, email string) (auth.Progress, error) {
	return b.w.Begin(b.w.ctx, auth.BeginRequest{Goal: goal, Client: b.client(), Inputs: auth.Inputs{Identifier: email}})
}

// follow opens a mailed link, in a flow of its own.
func (b *browser) follow(goal flow.Goal, token auth.Secret) (auth.Progress, error) {
	p, err := b.w.Begin(b.w.ctx, auth.BeginRequest{Goal: goal, Client: b.client()})
	if err != nil {
		return p, err
	}
	return b.do(p.Handle, "mail-link", auth.Inputs{Code: token})
}

// renew follows a link and sets a password.
func (b *browser) renew(goal flow.Goal, token auth.Secret, password string, endOthers bool) (auth.Progress, error) {
	p, err := b.follow(goal, token)
	if err != nil || reasonOf(p) != 0 {
		return p, err
	}
	return b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(password), EndOthers: endOthers})
}

func (b *browser) answer(p auth.Progress, code auth.Secret) (auth.Progress, error) {
	return b.do(p.Handle, "mail-code", auth.Inputs{Code: code})
}

// resetLink asks for a new password and returns the link that is mailed.
func (p *postal) resetLink(email string) auth.Secret {
	p.t.Helper()
	asked, err := p.browser().ask(flow.Recovery, email)
	require.NoError(p.t, err)
	require.Equal(p.t, flow.Address, asked.View.Need)
	return p.secretIn(p.only(auth.ResetLetter, email))
}

func TestForgottenPassword(t *testing.T) {
	w := newOpen(t)
	a := w.account(ann)
	there := w.browser()
	there.signIn(ann, right)
	w.letters()

	link := w.resetLink(ann)
	elsewhere := w.browser() // the mail is read on another device
	p, err := elsewhere.follow(flow.Recovery, link)
	require.NoError(t, err)
	require.Equal(t, flow.PasswordChange, p.View.Need)
	require.Equal(t, []string{"new-password", "restart"}, names(p.View))

	p, err = elsewhere.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(weak)})
	require.NoError(t, err)
	require.Equal(t, flow.PasswordRejected, reasonOf(p), "and the link is still good")

	p, err = elsewhere.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(newer), EndOthers: true})
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	require.Nil(t, p.Session, "a reset never signs in (ASVS 6.4.3)")
	require.Empty(t, w.live(a.ID), "all sessions ended")
	w.only(auth.PasswordNotice, ann)

	q, err := w.browser().try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.BadCredentials, reasonOf(q))
	w.browser().signIn(ann, newer)
}

func TestResetLeavesSessionsIfAsked(t *testing.T) {
	w := newOpen(t)
	a := w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	w.letters()
	p, err := w.browser().renew(flow.Recovery, w.resetLink(ann), newer, false)
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	require.Len(t, w.live(a.ID), 1)
	require.True(t, w.alive(b.session))
}

func TestSignUp(t *testing.T) {
	w := newOpen(t)
	b := w.browser()
	p, err := b.ask(flow.SignUp, "New@Example.com")
	require.NoError(t, err)
	require.Equal(t, flow.Address, p.View.Need)
	l := w.only(auth.SignUpLetter, "New@Example.com")
	p, err = b.answer(p, auth.NewSecret("00000000"))
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p))
	p, err = b.answer(p, w.secretIn(l))
	require.NoError(t, err)
	require.Equal(t, flow.PasswordChange, p.View.Need)
	p, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret("new@example.com")})
	require.NoError(t, err)
	require.Equal(t, flow.PasswordRejected, reasonOf(p), "it is judged by the address")
	p, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(right)})
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	require.Nil(t, p.Session)
	b.signIn("new@example.com", right)
}

func TestSignUpWithATakenAddress(t *testing.T) {
	w := newOpen(t)
	a := w.account(ann)
	b := w.browser()
	p, err := b.ask(flow.SignUp, ann)
	require.NoError(t, err)
	l := w.only(auth.HasAccountLetter, ann)
	require.Equal(t, a.ID, l.Account)
	require.True(t, l.Secret.IsZero())
	p, err = b.answer(p, auth.NewSecret("00000000"))
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p))
	w.browser().signIn(ann, right)
}

// TestOneAddressIsOneAccount lets two people prove the same address, one after the other.
func TestOneAddressIsOneAccount(t *testing.T) {
	w := newOpen(t)
	var ready []auth.Progress
	var browsers []*browser
	for range 2 {
		b := w.browser()
		p, err := b.ask(flow.SignUp, ann)
		require.NoError(t, err)
		p, err = b.answer(p, w.secretIn(w.only(auth.SignUpLetter, ann)))
		require.NoError(t, err)
		require.Equal(t, flow.PasswordChange, p.View.Need)
		ready, browsers = append(ready, p), append(browsers, b)
	}
	p, err := browsers[1].do(ready[1].Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(right)})
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	p, err = browsers[0].do(ready[0].Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(newer)})
	require.NoError(t, err)
	require.Equal(t, flow.Stale, reasonOf(p))
	w.browser().signIn(ann, right)
}

// names are the actions that a View offers.
func names(v flow.View) (list []string) {
	for _, a := range v.Actions {
		list = append(list, a.Name)
	}
	return list
}
