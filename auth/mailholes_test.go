package auth_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Ways round the rules of a mailbox, each of which was open once.

// TestCodeOfOneAddressProvesNoOther names another address when no letter may go out any more. The code of the
// earlier one, which its owner has read, must not stand for it.
func TestCodeOfOneAddressProvesNoOther(t *testing.T) {
	w := newOpen(t)
	a := w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	w.letters()
	at, err := b.move("mine@example.com")
	require.NoError(t, err)
	for len(w.letters()) > 0 { // as many as there are
		w.clock.Advance(time.Minute)
		at, err = b.do(at.Handle, "send-mail-code", auth.Inputs{})
		require.NoError(t, err)
	}
	require.Equal(t, flow.TooSoon, reasonOf(at))
	w.clock.Advance(20 * time.Minute) // one more letter may go out: the last
	b.signIn(ann, right)
	w.letters()
	at, err = b.move("mine@example.com")
	require.NoError(t, err)
	code := w.secretIn(w.only(auth.NewAddressLetter, "mine@example.com"))
	w.clock.Advance(time.Minute)
	at, err = b.do(at.Handle, "new-address", auth.Inputs{Identifier: "victim@example.com"})
	require.NoError(t, err)
	require.Equal(t, flow.TooSoon, reasonOf(at))
	_, err = b.answer(at, code)
	refused(t, err, flow.NotOffered)
	account, err := w.Account(w.ctx, a.ID)
	require.NoError(t, err)
	require.Equal(t, ann, account.Identifier)
}

// TestResetOpensWhatStrangersShut resets the password of an account that strangers have guessed at until nobody was
// let in from an unknown device any more.
func TestResetOpensWhatStrangersShut(t *testing.T) {
	w := newOpen(t, func(c *auth.Config) { c.Throttle.Cap = 6 })
	w.account(ann)
	thief := w.browser()
	for range 6 {
		_, err := thief.try(ann, wrong)
		require.NoError(t, err)
		w.clock.Advance(time.Hour)
	}
	at, err := w.browser().try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.TooManyAttempts, reasonOf(at))
	require.Zero(t, at.View.Refusal.RetryAt, "waiting does not help")
	at, err = w.browser().renew(flow.Recovery, w.resetLink(ann), newer, true)
	require.NoError(t, err)
	require.Equal(t, "completed", at.View.Outcome)
	w.browser().signIn(ann, newer)
}

// TestReplacedLinkEndsNothing uses a link that a newer one has replaced after it was followed: it is refused, and
// neither ends sessions nor makes the newer one void.
func TestReplacedLinkEndsNothing(t *testing.T) {
	w := newOpen(t)
	w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	w.letters()
	old := w.browser()
	at, err := old.follow(flow.Recovery, w.resetLink(ann))
	require.NoError(t, err)
	link := w.resetLink(ann)
	at, err = old.do(at.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(newer), EndOthers: true})
	require.NoError(t, err)
	require.Equal(t, flow.Stale, reasonOf(at))
	require.True(t, w.alive(b.session))
	at, err = w.browser().renew(flow.Recovery, link, latest, false)
	require.NoError(t, err)
	require.Equal(t, "completed", at.View.Outcome)
}

// TestLinkOfSomebodyWhoLeft follows the links of people whom the host has taken from its own list without a word.
func TestLinkOfSomebodyWhoLeft(t *testing.T) {
	gone := false
	w := newOpen(t, func(c *auth.Config) { c.Directory = leaving{c.Directory, &gone} })
	w.account(ann)
	link := w.resetLink(ann)
	gone = true
	at, err := w.browser().follow(flow.Recovery, link)
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(at))
	_, err = w.PreviewLink(w.ctx, flow.Recovery, link, w.browser().client())
	refused(t, err, flow.WrongCode)
}

// leaving is a directory whose people have left.
type leaving struct {
	auth.Directory
	gone *bool
}

func (d leaving) FindByID(ctx context.Context, id string) (auth.Account, error) {
	if *d.gone {
		return auth.Account{}, auth.ErrNotFound
	}
	return d.Directory.FindByID(ctx, id)
}

// TestAddressThatIsBeingLeftStaysReserved invites an address in the very moment in which its owner moves away.
func TestAddressThatIsBeingLeftStaysReserved(t *testing.T) {
	for _, port := range []string{"Directory.FindByIdentifier", "Tickets.Reserved", "Directory.Create"} {
		w := newOpen(t)
		w.account(ann)
		b := w.browser()
		b.signIn(ann, right)
		w.letters()
		at, err := b.move(bea)
		require.NoError(t, err)
		code := w.secretIn(w.only(auth.NewAddressLetter, bea))
		w.before(port, func() {
			p, err := b.answer(at, code)
			require.NoError(t, err)
			require.NotNil(t, p.Session)
		})
		_, err = w.Invite(w.ctx, auth.NewAccount{Identifier: ann})
		refused(t, err, flow.AddressTaken)
		w.tap.set(nil)
	}
}

// before does something else once, before the next call of the port.
func (w *world) before(port string, act func()) {
	done := false
	w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
		if name == port && !done {
			done = true
			act()
		}
		return work()
	})
}

// TestOneOfTwoWins uses one link a second time before each call that the first use makes: one of the two wins,
// whatever comes in between.
func TestOneOfTwoWins(t *testing.T) {
	for _, port := range []string{
		"Flows.Save", "Tickets.FindTicket", "Sessions.Align", "Sessions.Raise", "Tickets.CompleteRecovery", "Accounts.State",
	} {
		t.Run(port, func(t *testing.T) {
			w := newOpen(t)
			w.account(ann)
			link := w.resetLink(ann)
			first, second := w.browser(), w.browser()
			one, err := first.follow(flow.Recovery, link)
			require.NoError(t, err)
			two, err := second.follow(flow.Recovery, link)
			require.NoError(t, err)
			w.letters()
			won := 0
			finish := func(b *browser, at auth.Progress, password string) {
				p, err := b.do(at.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(password), EndOthers: true})
				require.NoError(t, err)
				if p.View.Outcome == "completed" {
					won++
				}
			}
			w.before(port, func() { finish(second, two, latest) })
			finish(first, one, newer)
			require.Equal(t, 1, won)
			require.Equal(t, []auth.LetterKind{auth.PasswordNotice}, kinds(w.letters()))
		})
	}
}

// TestLaterUndoDoesNotOutrunTheOwners lets a thief, who has moved the account twice, use the link that leads back to
// the thief's own first address in the middle of the owner's reversal.
func TestLaterUndoDoesNotOutrunTheOwners(t *testing.T) {
	for _, port := range []string{"Flows.Save", "Sessions.Raise", "Directory.ChangeIdentifier", "Tickets.CompleteUndo", "Accounts.State"} {
		t.Run(port, func(t *testing.T) {
			w := newOpen(t)
			a := w.account(ann)
			thief := w.browser()
			thief.signIn(ann, right)
			w.letters()
			var undo []auth.Secret
			for _, to := range []string{"thief1@example.com", "thief2@example.com"} {
				at, err := thief.move(to)
				require.NoError(t, err)
				_, err = thief.answer(at, w.secretIn(w.only(auth.NewAddressLetter, to)))
				require.NoError(t, err)
				undo = append(undo, w.secretIn(w.letters()[0]))
				w.clock.Advance(time.Minute)
			}
			w.before(port, func() { _, _ = w.browser().follow(flow.Reversal, undo[1]) })
			_, err := w.browser().follow(flow.Reversal, undo[0])
			require.NoError(t, err)
			w.tap.set(nil)
			if _, err := w.PreviewLink(w.ctx, flow.Reversal, undo[0], thief.client()); err == nil {
				_, err = w.browser().follow(flow.Reversal, undo[0]) // it was cut short, and the link is still good
				require.NoError(t, err)
			}
			account, err := w.Account(w.ctx, a.ID)
			require.NoError(t, err)
			require.Equal(t, ann, account.Identifier)
			require.Equal(t, flow.Locked, w.standing(a.ID).Status)
		})
	}
}
