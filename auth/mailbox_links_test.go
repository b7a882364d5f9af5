package auth_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

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

// TestWithoutMailThereIsNoMailbox refuses everything that would need one.
func TestWithoutMailThereIsNoMailbox(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	for _, goal := range []flow.Goal{flow.Recovery, flow.SignUp, flow.Activation, flow.Reversal} {
		_, err := w.browser().ask(goal, "")
		refused(t, err, flow.NotOffered)
		_, err = w.PreviewLink(w.ctx, goal, auth.NewSecret("x"), w.browser().client())
		refused(t, err, flow.NotOffered)
		require.False(t, w.Serves(goal, flow.Target{}))
	}
	_, err := w.Invite(w.ctx, auth.NewAccount{Identifier: "bea@example.com"})
	require.ErrorContains(t, err, "Config.Letters is not set")
	require.ErrorContains(t, w.ResendInvitation(w.ctx, a.ID), "Config.Letters is not set")
	require.ErrorContains(t, w.SendReset(w.ctx, a.ID), "Config.Letters is not set")
	open := newWorld(t, func(c *auth.Config) {
		c.Entry = func(context.Context, string) (flow.Entry, error) {
			return flow.Entry{Methods: flow.MethodsOf(flow.Password), Recovery: true}, nil
		}
	})
	_, err = open.browser().ask(flow.SignIn, ann)
	require.ErrorContains(t, err, "offers recovery or sign-up", "what cannot be kept must not look as if it were")
}

// TestPreviewOfALinkChangesNothing opens every kind of link as a scanner does, twice, and uses it afterwards.
func TestPreviewOfALinkChangesNothing(t *testing.T) {
	w := newOpen(t)
	a := w.account(ann)
	link := w.resetLink(ann)
	w.audit.take()
	w.tap.take()
	for range 2 {
		v, err := w.PreviewLink(w.ctx, flow.Recovery, link, w.browser().client())
		require.NoError(t, err)
		require.Equal(t, flow.PasswordChange, v.Need)
		require.Equal(t, ann, v.Address)
	}
	require.Empty(t, w.audit.take())
	for _, call := range w.tap.take() {
		require.Contains(t, []string{"Tickets.FindTicket", "Accounts.State", "Directory.FindByID", "Devices.Known", "Entry", "Rules"}, call)
	}
	p, err := w.browser().renew(flow.Recovery, link, newer, true)
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	_, err = w.PreviewLink(w.ctx, flow.SignIn, link, w.browser().client())
	refused(t, err, flow.NotOffered)
	require.Equal(t, flow.Active, w.standing(a.ID).Status)
}
