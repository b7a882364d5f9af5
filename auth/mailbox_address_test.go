package auth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

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
