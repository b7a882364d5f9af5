package auth_test

import (
	"context"
	"errors"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// The stories of TestMailFlowsFailAtEveryCall.

func mailStories() []mailStory {
	return []mailStory{
		{"a forgotten password", func(p *plot) { p.enrolled() }, (*plot).recover, (*plot).recovered},
		{"a forgotten password of a locked account", func(p *plot) {
			p.enrolled()
			_, err := p.store.SetStatus(p.ctx, p.id, p.standing(p.id), flow.Locked, p.clock.Now())
			require.NoError(p.t, err)
			require.NoError(p.t, p.AccountChanged(p.ctx, p.id))
			p.was = flow.Locked
		}, (*plot).recover, (*plot).recovered},
		{"an activation", (*plot).invited, (*plot).activate, (*plot).activated},
		{"a sign-up", func(*plot) {}, (*plot).signUp, (*plot).signedUp},
		{"a change of address", func(p *plot) { p.enrolled() }, (*plot).move, (*plot).moved},
		{"a reversal", func(p *plot) {
			p.enrolled()
			require.NoError(p.t, p.move())
			var err error
			p.given, err = p.newest(auth.AddressChangedNotice)
			require.NoError(p.t, err)
		}, (*plot).undo, (*plot).undone},
		{"an invitation", func(*plot) {}, func(p *plot) error {
			a, err := p.Invite(p.ctx, auth.NewAccount{Identifier: ann})
			p.id = a.ID
			return err
		}, (*plot).hasInvitation},
		{"an invitation that is sent again", (*plot).invited, func(p *plot) error {
			return p.ResendInvitation(p.ctx, p.id)
		}, (*plot).wasSentAgain},
		{"an invitation that is withdrawn", (*plot).invited, func(p *plot) error {
			err := p.WithdrawInvitation(p.ctx, p.id)
			if errors.Is(err, auth.ErrStale) && p.status() == flow.Disabled {
				return nil // it was done, and only the answer got lost
			}
			return err
		}, (*plot).withdrawn},
	}
}

// enrolled is an account whose owner is signed in.
func (p *plot) enrolled() {
	p.id, p.was = p.account(ann).ID, flow.Active
	p.tokens = append(p.tokens, p.b.signIn(ann, right).Token)
}

func (p *plot) invited() {
	a, err := p.Invite(p.ctx, auth.NewAccount{Identifier: ann})
	require.NoError(p.t, err)
	p.id = a.ID
	p.given, err = p.newest(auth.InvitationLetter)
	require.NoError(p.t, err)
}

// recover uses the link that was mailed, if there is a good one, and else asks for one.
func (p *plot) recover() error {
	if p.given.IsZero() || !p.good(flow.Recovery, p.given) {
		if _, err := p.browser().ask(flow.Recovery, ann); err != nil {
			return err
		}
		var err error
		if p.given, err = p.newest(auth.ResetLetter); err != nil {
			return err
		}
		p.before = p.standing(p.id)
	}
	return p.completes(p.browser().renew(flow.Recovery, p.given, newer, true))
}

// recovered: either the old password is as good as before, and so is the link as long as nobody brought the two
// stores together by signing in; or the new one is, no session is left, and its owner is told.
func (p *plot) recovered() bool {
	switch p.hash() {
	case hashOf("h1", right):
		require.Equal(p.t, p.was, p.status(), p.where)
		if !p.given.IsZero() && p.standing(p.id) == p.before {
			require.True(p.t, p.good(flow.Recovery, p.given), "%s: the account is as it was, and the link is void", p.where)
		}
		require.Equal(p.t, p.was == flow.Active, p.enters(ann, right), p.where)
		require.False(p.t, p.told(auth.PasswordNotice), "%s: the owner was told of what is not", p.where)
		return false
	case hashOf("h1", newer):
		for _, token := range p.tokens {
			require.False(p.t, p.alive(token), "%s: a session of before", p.where)
		}
		require.Equal(p.t, flow.Active, p.status(), p.where)
		require.True(p.t, p.told(auth.PasswordNotice), p.where)
		require.False(p.t, p.good(flow.Recovery, p.given), "%s: the link is good again", p.where)
		require.False(p.t, p.enters(ann, right), p.where)
		require.True(p.t, p.enters(ann, newer), p.where)
		return true
	}
	p.t.Fatalf("%s: the password is neither", p.where)
	return false
}

// activate uses the invitation, and asks for a new one if it is void by now.
func (p *plot) activate() error {
	if p.status() == flow.Active {
		return nil // it was done, and only the answer got lost
	}
	use := func() (auth.Progress, error) { return p.browser().renew(flow.Activation, p.given, right, false) }
	at, err := use()
	if err != nil || reasonOf(at) != flow.WrongCode {
		return p.completes(at, err)
	}
	if _, err = p.browser().ask(flow.Recovery, ann); err != nil {
		return err
	}
	if p.given, err = p.newest(auth.InvitationLetter); err != nil {
		return err
	}
	return p.completes(use())
}

func (p *plot) activated() bool {
	if p.status() == flow.Active {
		require.Equal(p.t, hashOf("h1", right), p.hash(), p.where)
		require.False(p.t, p.good(flow.Activation, p.given), p.where)
		require.True(p.t, p.enters(ann, right), p.where)
		return true
	}
	require.Equal(p.t, flow.Invited, p.status(), p.where)
	require.Empty(p.t, p.hash(), p.where)
	require.False(p.t, p.enters(ann, right), p.where)
	return false
}

func (p *plot) signUp() error {
	b := p.browser()
	at, err := b.ask(flow.SignUp, ann)
	if err != nil {
		return err
	}
	if p.told(auth.HasAccountLetter) {
		return nil // it was done, and only the answer got lost
	}
	code, err := p.newest(auth.SignUpLetter)
	if err != nil {
		return err
	}
	if at, err = b.answer(at, code); err != nil {
		return err
	}
	return p.completes(b.do(at.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(right)}))
}

// signedUp: nobody has the address, or somebody who can sign in.
func (p *plot) signedUp() bool {
	a, err := p.store.FindByIdentifier(context.Background(), ann)
	if errors.Is(err, auth.ErrNotFound) {
		require.False(p.t, p.enters(ann, right), p.where)
		return false
	}
	require.NoError(p.t, err, p.where)
	p.id = a.ID
	require.Equal(p.t, flow.Active, p.status(), "%s: half an account has the address", p.where)
	require.True(p.t, p.enters(ann, right), p.where)
	return true
}

// move changes the address. The person signs in again if the fault has cost them their session.
func (p *plot) move() error {
	if p.address() == bea {
		return nil // it was done, and only the answer got lost
	}
	if !p.alive(p.b.session) {
		for range 2 {
			at, err := p.b.try(ann, right)
			if err != nil {
				return err
			}
			if at.Session != nil {
				break
			}
		}
	}
	at, err := p.b.move(bea)
	if err != nil {
		return err
	}
	code, err := p.newest(auth.NewAddressLetter)
	if err != nil {
		return err
	}
	if at, err = p.b.answer(at, code); err != nil {
		return err
	}
	if at.Session == nil {
		return errors.New("the address was not changed: " + reasonOf(at).String())
	}
	p.tokens = append(p.tokens, at.Session.Token)
	return nil
}

// moved: either the old address signs in, or the new one does, and what undoes it is on its way to the old one.
func (p *plot) moved() bool {
	if p.address() == ann {
		require.True(p.t, p.enters(ann, right), p.where)
		require.False(p.t, p.enters(bea, right), p.where)
		return false
	}
	require.Equal(p.t, bea, p.address(), p.where)
	require.False(p.t, p.enters(ann, right), p.where)
	require.True(p.t, p.enters(bea, right), p.where)
	undo, err := p.newest(auth.AddressChangedNotice)
	require.NoError(p.t, err, p.where)
	require.True(p.t, p.good(flow.Reversal, undo), p.where)
	reserved, err := p.store.Reserved(context.Background(), ann, p.clock.Now())
	require.NoError(p.t, err, p.where)
	require.True(p.t, reserved, p.where)
	return true
}

func (p *plot) undo() error {
	if p.address() == ann && p.status() == flow.Locked && !p.good(flow.Reversal, p.given) {
		return nil // it was done, and only the answer got lost
	}
	return p.completes(p.browser().follow(flow.Reversal, p.given))
}

// undone: as long as it is not done, the link is good. When it is, nobody is left in the account.
func (p *plot) undone() bool {
	if p.good(flow.Reversal, p.given) {
		require.False(p.t, p.told(auth.AddressUndoneNotice), p.where)
		return false
	}
	require.Equal(p.t, ann, p.address(), p.where)
	require.Equal(p.t, flow.Locked, p.status(), p.where)
	require.Empty(p.t, p.live(p.id), p.where)
	require.True(p.t, p.told(auth.AddressUndoneNotice), p.where)
	require.False(p.t, p.enters(ann, right), p.where)
	require.False(p.t, p.enters(bea, right), p.where)
	return true
}

// hasInvitation: whoever is invited has a link that is good.
func (p *plot) hasInvitation() bool {
	a, err := p.store.FindByIdentifier(context.Background(), ann)
	if err == nil {
		p.id = a.ID
	}
	link, err := p.newest(auth.InvitationLetter)
	if err != nil {
		require.False(p.t, p.enters(ann, right), p.where)
		return false
	}
	require.True(p.t, p.good(flow.Activation, link), p.where)
	require.Equal(p.t, flow.Invited, p.status(), p.where)
	require.Empty(p.t, p.hash(), p.where)
	return true
}

// wasSentAgain: one link is good, the newest one that was mailed.
func (p *plot) wasSentAgain() bool {
	again, err := p.newest(auth.InvitationLetter)
	require.Equal(p.t, err != nil, p.good(flow.Activation, p.given), p.where)
	if err != nil {
		return false
	}
	require.True(p.t, p.good(flow.Activation, again), p.where)
	return true
}

// withdrawn: the link is void with the account closed, or nothing is lost that cannot be asked for again.
func (p *plot) withdrawn() bool {
	require.Empty(p.t, p.hash(), p.where)
	if p.status() == flow.Disabled {
		require.False(p.t, p.good(flow.Activation, p.given), p.where)
		return true
	}
	require.Equal(p.t, flow.Invited, p.status(), p.where)
	return false
}
