package auth_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Each of these was a way in, a way to keep somebody out, or something that tells who has an account.

// TestWrongCodesOfASignUpDoNotAddUp for a taken address alone.
func TestWrongCodesOfASignUpDoNotAddUp(t *testing.T) {
	seen := map[string]string{}
	for _, email := range []string{ann, stranger} {
		w := newOpen(t)
		w.account(ann)
		for range 2 {
			b := w.browser()
			p, err := b.ask(flow.SignUp, email)
			require.NoError(t, err)
			for range 5 {
				p, err = b.answer(p, auth.NewSecret("00000000"))
				require.NoError(t, err)
				seen[email] += reasonOf(p).String() + " "
			}
		}
	}
	require.Equal(t, seen[stranger], seen[ann])
}

// TestSignUpsDoNotUseUpTheOwnersLinks.
func TestSignUpsDoNotUseUpTheOwnersLinks(t *testing.T) {
	w := newOpen(t)
	w.account(ann)
	for range 6 {
		_, err := w.browser().ask(flow.SignUp, ann)
		require.NoError(t, err)
	}
	w.letters()
	w.resetLink(ann)
}

// TestManyAccountsDoNotFloodOneMailbox.
func TestManyAccountsDoNotFloodOneMailbox(t *testing.T) {
	w := newOpen(t)
	sent := 0
	for i := range 4 {
		email := fmt.Sprintf("m%d@example.com", i)
		_, err := w.CreateAccount(w.ctx, auth.NewAccount{Identifier: email, Password: auth.NewSecret(right)})
		require.NoError(t, err)
		b := w.browser()
		b.addr = netip.MustParseAddr(fmt.Sprintf("198.51.100.%d", i+1))
		b.signIn(email, right)
		w.letters()
		for range 3 {
			_, err := b.move("victim@example.com")
			require.NoError(t, err)
			sent += len(w.letters())
			w.clock.Advance(61 * time.Second)
		}
	}
	require.LessOrEqual(t, sent, 6, "5, and what leaked away meanwhile")
}

// TestAnInvitationIsNotReplacedByASignUp that began before it.
func TestAnInvitationIsNotReplacedByASignUp(t *testing.T) {
	w := newOpen(t)
	b := w.browser()
	p, err := b.ask(flow.SignUp, ann)
	require.NoError(t, err)
	w.letters()
	_, err = w.Invite(w.ctx, auth.NewAccount{Identifier: ann})
	require.NoError(t, err)
	link := w.secretIn(w.only(auth.InvitationLetter, ann))
	w.clock.Advance(61 * time.Second)
	_, err = b.do(p.Handle, "send-mail-code", auth.Inputs{})
	require.NoError(t, err)
	q, err := w.browser().follow(flow.Activation, link)
	require.NoError(t, err)
	require.Equal(t, flow.PasswordChange, q.View.Need)
}

// TestAForeignLinkAsksNobodysRules: handed in to a flow about somebody else, a link of one's own is looked at alike,
// whoever that is.
func TestAForeignLinkAsksNobodysRules(t *testing.T) {
	calls := map[string][]string{}
	for _, email := range []string{ann, stranger} {
		w := newOpen(t, func(c *auth.Config) {
			c.Rules = func(_ context.Context, a auth.Account) (flow.Rules, error) {
				if a.Identifier == ann {
					return flow.Rules{Connection: "nobody has it"}, nil // a fault, if it is asked
				}
				return flow.Rules{}, nil
			}
		})
		w.account(ann)
		_, err := w.CreateAccount(w.ctx, auth.NewAccount{Identifier: "mallory@example.com", Password: auth.NewSecret(right)})
		require.NoError(t, err)
		own := w.resetLink("mallory@example.com")
		b := w.browser()
		p, err := b.ask(flow.Recovery, email)
		require.NoError(t, err)
		w.tap.take()
		p, err = b.do(p.Handle, "mail-link", auth.Inputs{Code: own})
		require.NoError(t, err, email)
		require.Equal(t, "mallory@example.com", p.View.Address)
		calls[email] = w.tap.take()
	}
	require.Equal(t, calls[stranger], calls[ann])
}

// TestOperatorsLinkWorksWhereStrangersMayNotAsk.
func TestOperatorsLinkWorksWhereStrangersMayNotAsk(t *testing.T) {
	w := newOpen(t, func(c *auth.Config) {
		c.Entry = func(context.Context, string) (flow.Entry, error) {
			return flow.Entry{Methods: flow.MethodsOf(flow.Password)}, nil
		}
	})
	a := w.account(ann)
	_, err := w.browser().ask(flow.Recovery, ann)
	refused(t, err, flow.NotOffered)
	require.NoError(t, w.SendReset(w.ctx, a.ID))
	p, err := w.browser().renew(flow.Recovery, w.secretIn(w.only(auth.ResetLetter, ann)), newer, true)
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
}

// stolen is an account whose address and password somebody else has changed, and the link that undoes it.
func (p *postal) stolen() (a auth.Account, undo auth.Secret, thief *browser) {
	p.t.Helper()
	a = p.account(ann)
	thief = p.browser()
	thief.signIn(ann, right)
	p.letters()
	at, err := thief.move("thief@example.com")
	require.NoError(p.t, err)
	_, err = thief.answer(at, p.secretIn(p.only(auth.NewAddressLetter, "thief@example.com")))
	require.NoError(p.t, err)
	undo = p.secretIn(p.only(auth.AddressChangedNotice, ann))
	p.clock.Advance(time.Minute)
	_, err = thief.change(right, newer, true)
	require.NoError(p.t, err)
	p.letters()
	return a, undo, thief
}

// TestAnUndoThatCannotGiveTheAddressBack locks the account all the same.
func TestAnUndoThatCannotGiveTheAddressBack(t *testing.T) {
	w := newOpen(t)
	a, undo, thief := w.stolen()
	require.NoError(t, w.store.Create(w.ctx, auth.Account{ID: "other", Identifier: ann, Display: ann})) // the host's own doing
	p, err := w.browser().follow(flow.Reversal, undo)
	require.NoError(t, err)
	require.Equal(t, flow.Stale, reasonOf(p))
	require.Equal(t, flow.Locked, w.standing(a.ID).Status)
	require.False(t, w.alive(thief.session))
	q, err := w.browser().try("thief@example.com", newer)
	require.NoError(t, err)
	require.Nil(t, q.Session)
}

// TestAThiefCannotOutrunTheUndo, however often they change something in between.
func TestAThiefCannotOutrunTheUndo(t *testing.T) {
	w := newOpen(t)
	a, undo, _ := w.stolen()
	raced := false
	w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
		if name == "Tickets.CompleteUndo" && !raced {
			raced = true
			_, err := w.store.RaiseEpochs(context.Background(), a.ID, flow.Epochs{Security: 50, Session: 1})
			require.NoError(t, err)
		}
		return work()
	})
	p, err := w.browser().follow(flow.Reversal, undo)
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	require.Equal(t, flow.Locked, w.standing(a.ID).Status)
}

// TestUnlockIsNoWayAroundTheReset: whoever locked an account by way of its password still knows it.
func TestUnlockIsNoWayAroundTheReset(t *testing.T) {
	w := newOpen(t)
	a, undo, _ := w.stolen()
	p, err := w.browser().follow(flow.Reversal, undo)
	require.NoError(t, err)
	require.Equal(t, "completed", p.View.Outcome)
	require.ErrorIs(t, w.UnlockAccount(w.ctx, a.ID), auth.ErrStale)
	p, err = w.browser().try(ann, newer)
	require.NoError(t, err)
	require.Nil(t, p.Session)
	w.letters()
	require.NoError(t, w.SendReset(w.ctx, a.ID))
	_, err = w.browser().renew(flow.Recovery, w.secretIn(w.only(auth.ResetLetter, ann)), latest, true)
	require.NoError(t, err)
	w.browser().signIn(ann, latest)
}

// TestDisablingIsNoWayAroundTheReset, in whatever order an operator and the owner act.
func TestDisablingIsNoWayAroundTheReset(t *testing.T) {
	for name, first := range map[string]bool{"the undo first": true, "the operator first": false} {
		w := newOpen(t)
		a, undo, _ := w.stolen()
		if !first {
			require.NoError(t, w.DisableAccount(w.ctx, a.ID))
		}
		p, err := w.browser().follow(flow.Reversal, undo)
		require.NoError(t, err)
		require.Equal(t, "completed", p.View.Outcome, name)
		if first {
			require.NoError(t, w.DisableAccount(w.ctx, a.ID))
		}
		require.NoError(t, w.EnableAccount(w.ctx, a.ID))
		require.Equal(t, flow.Locked, w.standing(a.ID).Status, name)
		q, err := w.browser().try(ann, newer)
		require.NoError(t, err)
		require.Nil(t, q.Session, name)
		w.letters()
		_, err = w.browser().renew(flow.Recovery, w.resetLink(ann), latest, true)
		require.NoError(t, err)
		w.browser().signIn(ann, latest)
		require.NoError(t, w.DisableAccount(w.ctx, a.ID))
		require.NoError(t, w.EnableAccount(w.ctx, a.ID))
		w.browser().signIn(ann, latest)
	}
}

// TestTwoUndosAtOnce: the link that the owner was sent counts, and not the thief's, whatever the order in which their
// requests reach the stores.
func TestTwoUndosAtOnce(t *testing.T) {
	for _, at := range []string{"Directory.ChangeIdentifier", "Tickets.CompleteUndo"} {
		for _, ownersFirst := range []bool{true, false} {
			w := newOpen(t)
			a := w.account(ann)
			thief := w.browser()
			thief.signIn(ann, right)
			w.letters()
			var undo []auth.Secret
			for _, to := range []string{"thief1@example.com", "thief2@example.com"} {
				p, err := thief.move(to)
				require.NoError(t, err)
				_, err = thief.answer(p, w.secretIn(w.only(auth.NewAddressLetter, to)))
				require.NoError(t, err)
				undo = append(undo, w.secretIn(w.letters()[0]))
				w.clock.Advance(2 * time.Minute)
			}
			first, second := undo[0], undo[1]
			if !ownersFirst {
				first, second = second, first
			}
			other, once := w.browser(), false
			w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
				if name == at && !once {
					once = true
					_, err := other.follow(flow.Reversal, second)
					require.NoError(t, err)
				}
				return work()
			})
			_, err := w.browser().follow(flow.Reversal, first)
			require.NoError(t, err)
			account, err := w.store.FindByID(w.ctx, a.ID)
			require.NoError(t, err)
			if account.Identifier != ann { // an undo that was cut short by another is completed by doing it again
				_, err = w.browser().follow(flow.Reversal, undo[0])
				require.NoError(t, err)
				account, err = w.store.FindByID(w.ctx, a.ID)
				require.NoError(t, err)
			}
			require.Equal(t, ann, account.Identifier, "%s, the owner's first: %v", at, ownersFirst)
			require.Equal(t, flow.Locked, w.standing(a.ID).Status)
		}
	}
}
