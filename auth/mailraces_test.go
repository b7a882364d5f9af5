package auth_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// racers is how many use one secret at the same time.
const racers = 32

// newCrowd is an installation in which a crowd may ask for mail.
func newCrowd(t *testing.T) *postal {
	return newOpen(t, func(c *auth.Config) {
		c.Throttle.MailCap, c.Throttle.BeginCap, c.Throttle.PrefixCap, c.Throttle.ReviewCap = 100, 1<<20, 1<<20, 1<<20
		c.Posted = nil
	})
}

// race lets all do their part at the same moment, and returns who was told that it is done. Nobody else may have
// got anywhere, and nobody a session that is not part of it.
func race(t *testing.T, part func(i int) (auth.Progress, error)) (winners []int) {
	t.Helper()
	var ready, done sync.WaitGroup
	answers, faults := make([]auth.Progress, racers), make([]error, racers)
	start := make(chan struct{})
	ready.Add(racers)
	for i := range racers {
		done.Go(func() {
			ready.Done()
			<-start
			answers[i], faults[i] = part(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	for i, p := range answers {
		won := faults[i] == nil && !p.Repeated && (p.View.Outcome == "completed" || p.Session != nil)
		if won {
			winners = append(winners, i)
			continue
		}
		require.Nil(t, p.Session)
		if faults[i] != nil {
			var denied *auth.DeniedError
			require.ErrorAs(t, faults[i], &denied, "a race is no fault")
		}
	}
	return winners
}

func phrase(i int) string { return fmt.Sprint("the passphrase of number ", i) }

// renewals is a race of browsers that have all followed one link, each with a password of its own.
func (p *postal) renewals(goal flow.Goal, link auth.Secret) (winners []int) {
	browsers, at := make([]*browser, racers), make([]auth.Progress, racers)
	for i := range racers {
		var err error
		browsers[i] = p.browser()
		at[i], err = browsers[i].follow(goal, link)
		require.NoError(p.t, err)
		require.Equal(p.t, flow.PasswordChange, at[i].View.Need)
	}
	return race(p.t.(*testing.T), func(i int) (auth.Progress, error) {
		return browsers[i].do(at[i].Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(phrase(i)), EndOthers: i%2 == 0})
	})
}

// onlyWinner checks that the one password that was set is the winner's.
func (p *postal) onlyWinner(email string, winners []int) {
	p.t.Helper()
	require.Len(p.t, winners, 1)
	for i := range racers {
		at, err := p.browser().try(email, phrase(i))
		if i == winners[0] {
			require.NoError(p.t, err)
			require.NotNil(p.t, at.Session, "%+v", at.View)
		} else {
			require.Nil(p.t, at.Session)
		}
		require.NoError(p.t, p.UnlockAccount(p.ctx, p.idOf(email))) // the tries are no attack
	}
}

func (p *postal) idOf(email string) string {
	a, err := p.store.FindByIdentifier(p.ctx, email)
	require.NoError(p.t, err)
	return a.ID
}

func TestOneLinkHasOneWinner(t *testing.T) {
	t.Run("reset", func(t *testing.T) {
		w := newCrowd(t)
		a := w.account(ann)
		b := w.browser()
		b.signIn(ann, right)
		w.letters()
		before := w.standing(a.ID).Epochs.Security
		winners := w.renewals(flow.Recovery, w.resetLink(ann))
		require.Equal(t, []auth.LetterKind{auth.PasswordNotice}, kinds(w.letters()), "the losers tell nobody of anything")
		require.Less(t, before, w.standing(a.ID).Epochs.Security)
		w.onlyWinner(ann, winners)
	})
	t.Run("invitation", func(t *testing.T) {
		w := newCrowd(t)
		_, err := w.Invite(w.ctx, auth.NewAccount{Identifier: ann})
		require.NoError(t, err)
		w.onlyWinner(ann, w.renewals(flow.Activation, w.secretIn(w.only(auth.InvitationLetter, ann))))
	})
	t.Run("undo", func(t *testing.T) {
		w := newCrowd(t)
		a := w.account(ann)
		thief := w.browser()
		thief.signIn(ann, right)
		w.letters()
		at, err := thief.move(bea)
		require.NoError(t, err)
		_, err = thief.answer(at, w.secretIn(w.only(auth.NewAddressLetter, bea)))
		require.NoError(t, err)
		undo := w.secretIn(w.only(auth.AddressChangedNotice, ann))
		browsers := w.browsersOf(racers)
		winners := race(t, func(i int) (auth.Progress, error) { return browsers[i].follow(flow.Reversal, undo) })
		require.Len(t, winners, 1)
		require.Equal(t, flow.Locked, w.standing(a.ID).Status)
		require.Equal(t, a.ID, w.idOf(ann))
		require.Equal(t, []auth.LetterKind{auth.AddressUndoneNotice}, kinds(w.letters()))
	})
}

func (p *postal) browsersOf(n int) (list []*browser) {
	for range n {
		list = append(list, p.browser())
	}
	return list
}

// TestOneHandleHasOneWinner uses the handle of one flow many times at once: the code that a sign-up or a new
// address is proven with, and the password that completes a sign-up or a reset.
func TestOneHandleHasOneWinner(t *testing.T) {
	w := newCrowd(t)
	b := w.browser()
	at, err := b.ask(flow.SignUp, ann)
	require.NoError(t, err)
	code := w.secretIn(w.only(auth.SignUpLetter, ann))
	together := func(action string, in func(i int) auth.Inputs) []int {
		client, handle := b.client(), at.Handle
		return race(t, func(i int) (auth.Progress, error) {
			return w.Continue(w.ctx, auth.ContinueRequest{Handle: handle, Action: action, Inputs: in(i), Client: client})
		})
	}
	var went atomic.Int32
	client, handle := b.client(), at.Handle
	race(t, func(int) (auth.Progress, error) {
		p, err := w.Continue(w.ctx, auth.ContinueRequest{Handle: handle, Action: "mail-code", Inputs: auth.Inputs{Code: code}, Client: client})
		if err == nil && !p.Repeated && p.View.Need == flow.PasswordChange {
			went.Add(1)
		}
		return p, err
	})
	require.EqualValues(t, 1, went.Load(), "one of them took the step")
	at, err = w.Look(w.ctx, at.FlowID, client)
	require.NoError(t, err)
	password := func(i int) auth.Inputs { return auth.Inputs{NewPassword: auth.NewSecret(phrase(i))} }
	w.onlyWinner(ann, together("new-password", password))

	w.letters()
	b = w.browser()
	at, err = b.follow(flow.Recovery, w.resetLink(ann))
	require.NoError(t, err)
	w.onlyWinner(ann, together("new-password", password))
}

// TestOneAddressCodeHasOneWinner types the code of a new address many times at once.
func TestOneAddressCodeHasOneWinner(t *testing.T) {
	w := newCrowd(t)
	a := w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	w.letters()
	at, err := b.move(bea)
	require.NoError(t, err)
	code := w.secretIn(w.only(auth.NewAddressLetter, bea))
	client := b.client()
	winners := race(t, func(int) (auth.Progress, error) {
		return w.Continue(w.ctx, auth.ContinueRequest{Handle: at.Handle, Action: "mail-code", Inputs: auth.Inputs{Code: code}, Client: client})
	})
	require.Len(t, winners, 1)
	require.Len(t, w.live(a.ID), 1)
	require.Equal(t, []auth.LetterKind{auth.AddressChangedNotice}, kinds(w.letters()), "one ticket undoes it")
}

// TestOneAddressHasOneOwner has many people prove one address: half of them to open an account, half of them to
// move theirs there.
func TestOneAddressHasOneOwner(t *testing.T) {
	w := newCrowd(t)
	browsers, at, codes := w.browsersOf(racers), make([]auth.Progress, racers), make([]auth.Secret, racers)
	ids := map[string]int{}
	for i, b := range browsers {
		var err error
		if i%2 == 0 {
			at[i], err = b.ask(flow.SignUp, bea)
			require.NoError(t, err)
			at[i], err = b.answer(at[i], w.secretIn(w.only(auth.SignUpLetter, bea)))
			require.NoError(t, err)
			continue
		}
		email := fmt.Sprintf("mover%d@example.com", i)
		ids[w.account(email).ID] = i
		b.signIn(email, right)
		w.letters()
		at[i], err = b.move(bea)
		require.NoError(t, err)
		codes[i] = w.secretIn(w.only(auth.NewAddressLetter, bea))
	}
	winners := race(t, func(i int) (auth.Progress, error) {
		if i%2 == 0 {
			return browsers[i].do(at[i].Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(phrase(i))})
		}
		return browsers[i].answer(at[i], codes[i])
	})
	require.Len(t, winners, 1)
	owner, moved := ids[w.idOf(bea)]
	require.Equal(t, winners[0]%2 == 1, moved)
	if moved {
		require.Equal(t, winners[0], owner)
	} else {
		w.browser().signIn(bea, phrase(winners[0]))
	}
}

// TestResetBeatsOldPassword lets whoever knows the old password sign in without a pause while it is reset. Once the
// reset is answered nobody gets in with it, and nobody is in who did.
func TestResetBeatsOldPassword(t *testing.T) {
	for range 10 {
		w := newCrowd(t)
		a := w.account(ann)
		var answered atomic.Bool
		var late atomic.Int32
		var thieves sync.WaitGroup
		for _, b := range w.browsersOf(4) {
			thieves.Go(func() {
				for over := false; !over; {
					over = answered.Load()
					p, err := b.try(ann, right)
					if err == nil && p.Session != nil && over {
						late.Add(1)
					}
				}
			})
		}
		w.resetUnderFire(newer)
		answered.Store(true)
		thieves.Wait()
		require.Zero(t, late.Load(), "the old password was good after the reset")
		require.Empty(t, w.live(a.ID), "whoever came in with it is out")
	}
}

// resetUnderFire resets the password while others sign in. A sign-in that meets the reset halfway brings the stores
// together, which makes the link void: then another one is asked for.
func (p *postal) resetUnderFire(password string) {
	p.t.Helper()
	for range 20 {
		b := p.browser()
		_, err := b.ask(flow.Recovery, ann)
		require.NoError(p.t, err)
		for _, l := range p.letters() {
			if l.Kind != auth.ResetLetter {
				continue // of the devices that are new
			}
			at, err := b.renew(flow.Recovery, p.secretIn(l), password, true)
			require.NoError(p.t, err)
			if at.View.Outcome == "completed" {
				return
			}
			require.Equal(p.t, flow.Stale, reasonOf(at))
		}
	}
	p.t.Fatal("whoever signs in keeps the owner from a reset")
}
