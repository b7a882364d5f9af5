package auth_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// open is a world in which strangers may do everything that a mailbox allows.
func newOpen(t *testing.T, change ...func(*auth.Config)) *postal {
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

func TestInvitation(t *testing.T) {
	w := newOpen(t)
	a, err := w.Invite(w.ctx, auth.NewAccount{Identifier: ann, Name: "Ann", Language: "de"})
	require.NoError(t, err)
	l := w.only(auth.InvitationLetter, ann)
	require.Equal(t, 24*time.Hour, l.ExpiresAt.Sub(w.clock.Now()))
	require.Equal(t, "de", l.Language)
	p, err := w.browser().try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.BadCredentials, reasonOf(p), "not before the activation")

	b := w.browser()
	p, err = b.renew(flow.Activation, w.secretIn(l), weak, true)
	require.NoError(t, err)
	require.Equal(t, flow.PasswordRejected, reasonOf(p))
	require.Equal(t, "too-short", p.View.Refusal.Problem)
	p, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(right)})
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	require.Nil(t, p.Session)
	require.Equal(t, flow.Active, w.standing(a.ID).Status)
	b.signIn(ann, right)
}

func TestInvitationsAreSentAgainAndWithdrawn(t *testing.T) {
	w := newOpen(t)
	a, err := w.Invite(w.ctx, auth.NewAccount{Identifier: ann})
	require.NoError(t, err)
	first := w.secretIn(w.only(auth.InvitationLetter, ann))
	again, err := w.Invite(w.ctx, auth.NewAccount{Identifier: ann})
	require.NoError(t, err)
	require.Equal(t, a.ID, again.ID)
	second := w.secretIn(w.only(auth.InvitationLetter, ann))
	require.NoError(t, w.ResendInvitation(w.ctx, a.ID))
	third := w.secretIn(w.only(auth.InvitationLetter, ann))
	for i, link := range []auth.Secret{first, second} {
		p, err := w.browser().follow(flow.Activation, link)
		require.NoError(t, err)
		require.Equal(t, flow.WrongCode, reasonOf(p), "the %d. link was replaced", i+1)
	}

	require.NoError(t, w.WithdrawInvitation(w.ctx, a.ID))
	p, err := w.browser().follow(flow.Activation, third)
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p))
	_, err = w.browser().ask(flow.Recovery, ann)
	require.NoError(t, err)
	require.Equal(t, []auth.LetterKind{auth.BlankLetter}, kinds(w.letters()), "and none can be asked for")
	require.ErrorIs(t, w.WithdrawInvitation(w.ctx, a.ID), auth.ErrStale)
	require.ErrorIs(t, w.ResendInvitation(w.ctx, a.ID), auth.ErrStale)

	require.NoError(t, w.EnableAccount(w.ctx, a.ID))
	require.NoError(t, w.ResendInvitation(w.ctx, a.ID))
	p, err = w.browser().renew(flow.Activation, w.secretIn(w.only(auth.InvitationLetter, ann)), right, true)
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	require.ErrorIs(t, w.ResendInvitation(w.ctx, a.ID), auth.ErrStale, "it is active")
	_, err = w.Invite(w.ctx, auth.NewAccount{Identifier: ann})
	refused(t, err, flow.AddressTaken)
}

// TestExpiredInvitationOffersANewOne asks for it as a forgotten password is asked for: whoever reads the mailbox
// gets the link, and the answer tells nobody else that there is an invitation.
func TestExpiredInvitationOffersANewOne(t *testing.T) {
	w := newOpen(t)
	_, err := w.Invite(w.ctx, auth.NewAccount{Identifier: ann})
	require.NoError(t, err)
	old := w.secretIn(w.only(auth.InvitationLetter, ann))
	w.clock.Advance(24 * time.Hour)
	p, err := w.browser().follow(flow.Activation, old)
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p))
	_, err = w.browser().ask(flow.Recovery, ann)
	require.NoError(t, err)
	p, err = w.browser().renew(flow.Activation, w.secretIn(w.only(auth.InvitationLetter, ann)), right, true)
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
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

// move begins a change of address, which needs a fresh proof.
func (b *browser) move(to string) (auth.Progress, error) {
	p, err := b.w.Begin(b.w.ctx, auth.BeginRequest{
		Goal: flow.Enrolment, Target: flow.Target{Enrol: flow.MailCode}, Client: b.client(),
	})
	if err != nil {
		return p, err
	}
	if p.View.Need == flow.FreshProof {
		if p, err = b.password(p.Handle, right); err != nil {
			return p, err
		}
	}
	return b.do(p.Handle, "new-address", auth.Inputs{Identifier: to})
}

func TestChangeOfAddress(t *testing.T) {
	w := newOpen(t)
	a := w.account(ann)
	b, other := w.browser(), w.browser()
	b.signIn(ann, right)
	other.signIn(ann, right)
	w.letters()
	w.clock.Advance(time.Hour)
	p, err := b.move("Bea@example.com")
	require.NoError(t, err)
	require.Equal(t, flow.Address, p.View.Need)
	require.Equal(t, "Bea@example.com", p.View.Candidate)
	l := w.only(auth.NewAddressLetter, "Bea@example.com")
	p, err = b.answer(p, w.secretIn(l))
	require.NoError(t, err)
	require.NotNil(t, p.Session, "%+v", p.View)

	undo := w.only(auth.AddressChangedNotice, ann)
	require.Equal(t, "Bea@example.com", undo.Address)
	require.Equal(t, 72*time.Hour, undo.ExpiresAt.Sub(w.clock.Now()))
	require.True(t, w.alive(other.session), "sessions go on")
	q, err := w.browser().try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.BadCredentials, reasonOf(q))
	w.browser().signIn("bea@example.com", right)
	_, err = w.CreateAccount(w.ctx, auth.NewAccount{Identifier: ann, Password: auth.NewSecret(right)})
	refused(t, err, flow.AddressTaken)
	w.letters()
	_, err = w.browser().ask(flow.SignUp, ann)
	require.NoError(t, err)
	require.Equal(t, []auth.LetterKind{auth.BlankLetter}, kinds(w.letters()), "it is reserved")

	p, err = w.browser().follow(flow.Reversal, w.secretIn(undo))
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	require.Empty(t, w.live(a.ID))
	require.Equal(t, flow.Locked, w.standing(a.ID).Status)
	require.Equal(t, flow.Locked, w.mirror(a.ID).Status)
	back := w.only(auth.AddressUndoneNotice, ann)
	require.Equal(t, "Bea@example.com", back.Address)
	p, err = w.browser().renew(flow.Recovery, w.resetLink(ann), newer, false)
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	w.browser().signIn(ann, newer)
}

// TestThiefMovesTwice takes the account back from whoever changed its address again and again.
func TestThiefMovesTwice(t *testing.T) {
	w := newOpen(t)
	a := w.account(ann)
	thief := w.browser()
	thief.signIn(ann, right)
	w.letters()
	var undo []auth.Letter
	for _, to := range []string{"thief1@example.com", "thief2@example.com"} {
		p, err := thief.move(to)
		require.NoError(t, err)
		_, err = thief.answer(p, w.secretIn(w.only(auth.NewAddressLetter, to)))
		require.NoError(t, err)
		undo = append(undo, w.letters()...)
		w.clock.Advance(2 * time.Minute)
	}
	require.Equal(t, ann, undo[0].To)
	p, err := w.browser().follow(flow.Reversal, w.secretIn(undo[0]))
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	account, err := w.Account(w.ctx, a.ID)
	require.NoError(t, err)
	require.Equal(t, ann, account.Identifier)
	p, err = thief.follow(flow.Reversal, w.secretIn(undo[1]))
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p), "the thief's own undo is gone")
	require.False(t, w.alive(thief.session))
}

func TestAddressOfAnotherAccount(t *testing.T) {
	w := newOpen(t)
	w.account(ann)
	bea, err := w.CreateAccount(w.ctx, auth.NewAccount{Identifier: "bea@example.com", Password: auth.NewSecret(newer)})
	require.NoError(t, err)
	b := w.browser()
	b.signIn(ann, right)
	w.letters()
	p, err := b.move("bea@example.com")
	require.NoError(t, err)
	require.Equal(t, flow.Address, p.View.Need, "as if it were free")
	l := w.only(auth.TakenLetter, "bea@example.com")
	require.Equal(t, bea.ID, l.Account)
	p, err = b.answer(p, auth.NewSecret("12345678"))
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p))
}

// TestLinksThatAreNoGood have one refusal, whatever is wrong with them, and use nothing up.
func TestLinksThatAreNoGood(t *testing.T) {
	goals := []flow.Goal{flow.Recovery, flow.Activation, flow.Reversal}
	w := newOpen(t)
	w.account(ann)
	invited, err := w.Invite(w.ctx, auth.NewAccount{Identifier: "bea@example.com"})
	require.NoError(t, err)
	invitation := w.secretIn(w.only(auth.InvitationLetter, "bea@example.com"))
	link := w.resetLink(ann)
	text := link.Reveal()
	bad := map[string]string{
		"empty": "x", "truncated": text[:len(text)-1], "longer": text + "A", "other secret": text[:23] + invitation.Reveal()[23:],
		"other ticket": invitation.Reveal()[:23] + text[23:], "no dot": text[:22] + text[23:], "a decoy's": decoyLink(t, w),
	}
	for name, token := range bad {
		for _, goal := range goals {
			p, err := w.browser().follow(goal, auth.NewSecret(token))
			require.NoError(t, err)
			require.Equal(t, flow.WrongCode, reasonOf(p), "%s for %s", name, goal)
			require.Equal(t, flow.Identification, p.View.Need)
			_, err = w.PreviewLink(w.ctx, goal, auth.NewSecret(token), w.browser().client())
			refused(t, err, flow.WrongCode)
		}
	}
	for _, wrong := range []struct {
		goal  flow.Goal
		token auth.Secret
	}{{flow.Activation, link}, {flow.Reversal, link}, {flow.Recovery, invitation}, {flow.Reversal, invitation}} {
		p, err := w.browser().follow(wrong.goal, wrong.token)
		require.NoError(t, err)
		require.Equal(t, flow.WrongCode, reasonOf(p), "a link of another purpose for %s", wrong.goal)
	}
	require.NoError(t, w.DisableAccount(w.ctx, invited.ID))
	p, err := w.browser().follow(flow.Activation, invitation)
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p), "of a closed account")

	w.clock.Advance(30*time.Minute - time.Second)
	_, err = w.PreviewLink(w.ctx, flow.Recovery, link, w.browser().client())
	require.NoError(t, err, "it is good to the last second")
	w.clock.Advance(time.Second)
	p, err = w.browser().follow(flow.Recovery, link)
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p))
}

// decoyLink is the link that nobody is sent.
func decoyLink(t *testing.T, w *postal) string {
	t.Helper()
	var made auth.Ticket
	w.tap.set(func(_ context.Context, _ int, _ string, work func() error) error { return work() })
	before := w.cfg.Tickets
	require.NotNil(t, before)
	spy := &ticketSpy{TicketStore: before, made: &made}
	cfg := w.cfg
	cfg.Tickets = spy
	s, err := auth.New(cfg)
	require.NoError(t, err)
	_, err = s.Begin(w.ctx, auth.BeginRequest{
		Goal: flow.Recovery, Client: w.browser().client(), Inputs: auth.Inputs{Identifier: stranger},
	})
	require.NoError(t, err)
	require.Equal(t, []auth.LetterKind{auth.BlankLetter}, kinds(w.letters()))
	token, ok := w.secrets.Reveal(auth.SecretRef{Purpose: made.Purpose, Ticket: made.ID}, made.Key)
	require.True(t, ok)
	return token.Reveal()
}

type ticketSpy struct {
	auth.TicketStore
	made *auth.Ticket
}

func (s *ticketSpy) AddTicket(ctx context.Context, k auth.Ticket, letters ...auth.Letter) error {
	*s.made = k
	return s.TicketStore.AddTicket(ctx, k, letters...)
}

// TestEverythingMailedDiesWithAChange holds every kind of change against a link and a code that were mailed before.
func TestEverythingMailedDiesWithAChange(t *testing.T) {
	changes := map[string]func(w *postal, a auth.Account){
		"a reset by another link": func(w *postal, a auth.Account) {
			w.letters()
			w.clock.Advance(time.Minute)
			_, err := w.browser().renew(flow.Recovery, w.resetLink(ann), newer, true)
			require.NoError(w.t, err)
		},
		"a newer link": func(w *postal, a auth.Account) { w.letters(); w.resetLink(ann) },
		"a new password": func(w *postal, a auth.Account) {
			b := w.browser()
			b.signIn(ann, right)
			_, err := b.change(right, newer, false)
			require.NoError(w.t, err)
		},
		"a compromised password": func(w *postal, a auth.Account) {
			require.NoError(w.t, w.MarkPasswordCompromised(w.ctx, a.ID))
		},
		"the account is disabled and enabled": func(w *postal, a auth.Account) {
			require.NoError(w.t, w.DisableAccount(w.ctx, a.ID))
			require.NoError(w.t, w.EnableAccount(w.ctx, a.ID))
		},
		"the host changed it": func(w *postal, a auth.Account) { require.NoError(w.t, w.AccountChanged(w.ctx, a.ID)) },
		"it is deleted":       func(w *postal, a auth.Account) { require.NoError(w.t, w.DeleteAccount(w.ctx, a.ID)) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			w := newOpen(t)
			a := w.account(ann)
			link := w.resetLink(ann)
			open := w.browser()
			half, err := open.follow(flow.Recovery, link)
			require.NoError(t, err)
			require.Equal(t, flow.PasswordChange, half.View.Need)
			change(w, a)
			p, err := w.browser().follow(flow.Recovery, link)
			require.NoError(t, err)
			require.Equal(t, flow.WrongCode, reasonOf(p))
			p, err = open.do(half.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(latest)})
			if err != nil { // there is no account any more that the flow could show
				refused(t, err, flow.Stale)
				return
			}
			require.Equal(t, flow.Stale, reasonOf(p), "and so does what was begun with it")
		})
	}
}

func TestUndoOutlivesEveryChange(t *testing.T) {
	w := newOpen(t)
	a := w.account(ann)
	thief := w.browser()
	thief.signIn(ann, right)
	w.letters()
	p, err := thief.move("thief@example.com")
	require.NoError(t, err)
	_, err = thief.answer(p, w.secretIn(w.only(auth.NewAddressLetter, "thief@example.com")))
	require.NoError(t, err)
	undo := w.secretIn(w.only(auth.AddressChangedNotice, ann))
	w.clock.Advance(time.Minute)
	_, err = thief.change(right, newer, true)
	require.NoError(t, err)
	_, err = w.browser().renew(flow.Recovery, w.resetOf("thief@example.com"), latest, true)
	require.NoError(t, err)
	w.clock.Advance(72*time.Hour - time.Minute - time.Second)
	p, err = w.browser().follow(flow.Reversal, undo)
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	account, err := w.Account(w.ctx, a.ID)
	require.NoError(t, err)
	require.Equal(t, ann, account.Identifier)
}

// resetOf is resetLink past the other letters in the queue.
func (p *postal) resetOf(email string) auth.Secret {
	p.letters()
	return p.resetLink(email)
}

// TestMailIsBounded asks a thousand times, for an address with an account and for one without.
func TestMailIsBounded(t *testing.T) {
	for _, email := range []string{ann, stranger} {
		w := newOpen(t, func(c *auth.Config) {
			c.Throttle.BeginCap, c.Throttle.PrefixCap, c.WriteToStrangers = 1<<20, 1<<20, true
		})
		w.account(ann)
		sent := 0
		for i := range 1000 {
			p, err := w.browser().ask(flow.Recovery, email)
			require.NoError(t, err)
			if i >= 5 {
				require.Equal(t, flow.TooSoon, reasonOf(p))
			}
			sent += len(w.letters())
		}
		require.Equal(t, 5, sent, email)
	}
}

// TestOwnCodesDoNotTell lets an owner use up the letters of the account itself: a stranger must not see it.
func TestOwnCodesDoNotTell(t *testing.T) {
	w := newOpen(t, func(c *auth.Config) {
		c.Rules = func(context.Context, auth.Account) (flow.Rules, error) {
			return flow.Rules{Verification: flow.VerifyPassword}, nil
		}
	})
	w.account(ann)
	for range 5 {
		_, err := w.browser().try(ann, right)
		require.NoError(t, err)
	}
	for _, goal := range []flow.Goal{flow.Recovery, flow.SignUp} {
		p, err := w.browser().ask(goal, ann)
		require.NoError(t, err)
		require.Zero(t, reasonOf(p), "%s", goal)
	}
}

// TestEveryAddressIsAnsweredAlike compares what strangers see, for every goal that a mailbox serves, and the calls
// that it costs.
func TestEveryAddressIsAnsweredAlike(t *testing.T) {
	addresses := map[string]func(w *postal) string{
		"active":  func(w *postal) string { w.account(ann); return ann },
		"unknown": func(*postal) string { return stranger },
		"invited": func(w *postal) string {
			_, err := w.Invite(w.ctx, auth.NewAccount{Identifier: ann})
			require.NoError(t, err)
			return ann
		},
		"disabled": func(w *postal) string { require.NoError(t, w.DisableAccount(w.ctx, w.account(ann).ID)); return ann },
		"never opened": func(w *postal) string {
			require.NoError(t, w.store.Create(w.ctx, auth.Account{ID: "x1", Identifier: ann, Display: ann}))
			return ann
		},
		"reserved": func(w *postal) string {
			w.account(ann)
			b := w.browser()
			b.signIn(ann, right)
			w.letters()
			p, err := b.move("bea@example.com")
			require.NoError(t, err)
			_, err = b.answer(p, w.secretIn(w.only(auth.NewAddressLetter, "bea@example.com")))
			require.NoError(t, err)
			return ann
		},
	}
	type seen struct {
		views []map[string]any
		calls []string
	}
	for _, goal := range []flow.Goal{flow.Recovery, flow.SignUp} {
		var want *seen
		for name, make := range addresses {
			w := newOpen(t)
			email := make(w)
			w.letters()
			w.tap.take()
			b, got := w.browser(), &seen{}
			look := func(p auth.Progress, err error) auth.Progress {
				got.views = append(got.views, masked(t, p, err, email))
				return p
			}
			begun := w.clock.Now()
			p := look(b.ask(goal, email))
			action := "mail-code"
			if goal == flow.Recovery {
				action = "mail-link"
			}
			p = look(b.do(p.Handle, action, auth.Inputs{Code: auth.NewSecret("00000000")}))
			p = look(b.do(p.Handle, "send-"+action, auth.Inputs{}))
			w.clock.Advance(time.Minute)
			p = look(b.do(p.Handle, "send-"+action, auth.Inputs{}))
			p = look(b.do(p.Handle, action, auth.Inputs{Code: auth.NewSecret("00000000")}))
			look(b.do(p.Handle, "restart", auth.Inputs{}))
			for _, v := range got.views {
				delete(v, "deadline")
				if r, ok := v["refusal"].(map[string]any); ok && r["retry_at"] != nil {
					at, err := time.Parse(time.RFC3339, fmt.Sprint(r["retry_at"]))
					require.NoError(t, err)
					r["retry_at"] = at.Sub(begun).String()
				}
			}
			got.calls = w.tap.take()
			require.Len(t, w.letters(), 2, "%s: as many letters for all, of which the blank ones are never sent", name)
			if want == nil {
				want = got
				continue
			}
			require.Equal(t, want.views, got.views, "%s of an address that is %s", goal, name)
			require.Equal(t, want.calls, got.calls, "%s of an address that is %s", goal, name)
		}
	}
}

// names are the actions that a View offers.
func names(v flow.View) (list []string) {
	for _, a := range v.Actions {
		list = append(list, a.Name)
	}
	return list
}
