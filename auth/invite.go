package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/cardea-auth/cardea/auth/flow"
)

// errNoMail is what writing to people is without mail.
var errNoMail = errors.New("auth: there is no mail, since Config.Letters is not set")

// Invite adds an account and mails its owner a link to activate it: they set the first password, or, where their
// organisation demands its own sign-in, are led there. Until then nothing signs in to the account. The account is
// given neither a password nor a hash. An address that was invited before and not activated is sent a new link,
// and the earlier one is void; so after a fault Invite can be repeated. It returns a *DeniedError: AddressRejected,
// or AddressTaken for every other address that is in use.
func (s *Service) Invite(ctx context.Context, n NewAccount) (Account, error) {
	switch {
	case !s.mails():
		return Account{}, errNoMail
	case !n.Password.IsZero() || !n.Hash.IsZero():
		return Account{}, errors.New("auth: an invited account sets its own password")
	}
	account, err := s.CreateAccount(ctx, n)
	if errors.Is(err, flow.Deny(flow.AddressTaken)) {
		account, err = s.invited(ctx, n.Identifier, err)
	}
	if err != nil {
		return Account{}, err
	}
	return account, s.invite(ctx, account)
}

// invited returns the account of an address that waits for its activation, or the refusal.
func (s *Service) invited(ctx context.Context, typed string, taken error) (Account, error) {
	identifier, err := s.cfg.Normalize(typed)
	if err != nil {
		return Account{}, err
	}
	account, err := s.cfg.Directory.FindByIdentifier(ctx, identifier.Value)
	if errors.Is(err, ErrNotFound) {
		return Account{}, taken // it is reserved for somebody who gave it up
	}
	if err != nil {
		return Account{}, fmt.Errorf("auth: find account: %w", err)
	}
	state, err := s.cfg.Accounts.State(ctx, account.ID)
	if err != nil {
		return Account{}, fmt.Errorf("auth: read account: %w", err)
	}
	if state.Status != flow.Invited {
		return Account{}, taken
	}
	return account, nil
}

// ResendInvitation mails a new link to an account that waits for its activation; the earlier one is void. It
// returns ErrNotFound, and ErrStale if the account does not wait for it.
func (s *Service) ResendInvitation(ctx context.Context, id string) error {
	if !s.mails() {
		return errNoMail
	}
	account, err := s.cfg.Directory.FindByID(ctx, id)
	if err != nil {
		return fmt.Errorf("auth: find account: %w", err)
	}
	return s.invite(ctx, account)
}

func (s *Service) invite(ctx context.Context, account Account) error {
	return s.sendLink(ctx, account, InvitationLetter, ForInvitation, "account-invited", func(a AccountState) bool {
		return a.Status == flow.Invited
	})
}

// SendReset mails the account's owner a link to set a new password, as if they had asked for it themselves; an
// earlier link is void. Whoever calls learns nothing that opens the account (ASVS 6.4.6). To make the present
// password useless at once, call MarkPasswordCompromised first. It returns ErrNotFound, and ErrStale for an
// account that a new password would not open: one that is closed, or is signed in to without a password.
func (s *Service) SendReset(ctx context.Context, id string) error {
	if !s.mails() {
		return errNoMail
	}
	account, err := s.cfg.Directory.FindByID(ctx, id)
	if err != nil {
		return fmt.Errorf("auth: find account: %w", err)
	}
	return s.sendLink(ctx, account, ResetLetter, ForReset, "reset-sent", func(a AccountState) bool {
		open := a.Status == flow.Active || a.Status == flow.Locked
		return open && flow.Resettable(flow.Rules{}, flow.Subject{Account: id, Enrolled: a.Enrolled})
	})
}

// sendLink mails a link to an account's owner, if the account stands as it must. The ticket and the letter come
// into being together.
func (s *Service) sendLink(ctx context.Context, account Account, kind LetterKind, p Purpose, what string, fits func(AccountState) bool) error {
	state, err := s.cfg.Accounts.State(ctx, account.ID)
	if err != nil {
		return fmt.Errorf("auth: read account: %w", err)
	}
	if !fits(state) {
		return fmt.Errorf("auth: mail a link for %s to an account that is %s: %w", p, state.Status, ErrStale)
	}
	j := &job{s: s, now: s.now()}
	l, err := j.linkLetter(account, kind, p, state.Epochs.Security)
	if err != nil {
		return err
	}
	j.letters, j.asked = []Letter{l}, true
	if err := j.post(ctx); err != nil {
		return err
	}
	s.decided(ctx, AuditEvent{What: what, Account: account.ID})
	return nil
}

// WithdrawInvitation takes the invitation back: its link is void, and no new one can be asked for, since the
// account is disabled. EnableAccount and ResendInvitation invite again, DeleteAccount forgets the account. It
// returns ErrNotFound, and ErrStale if the account does not wait for its activation.
func (s *Service) WithdrawInvitation(ctx context.Context, id string) error {
	waits := false
	err := s.changeStatus(ctx, id, "invitation-withdrawn", func(a AccountState) (flow.Status, bool) {
		waits = a.Status == flow.Invited
		return flow.Disabled, waits
	})
	if err == nil && !waits {
		return fmt.Errorf("auth: withdraw the invitation of an account that has none: %w", ErrStale)
	}
	return err
}
