package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/cardea-auth/cardea/auth/flow"
)

// errNoMail is what inviting is without mail.
var errNoMail = errors.New("auth: there are no invitations, since Config.Letters is not set")

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

// invite mails the link. The ticket and the letter come into being together.
func (s *Service) invite(ctx context.Context, account Account) error {
	state, err := s.cfg.Accounts.State(ctx, account.ID)
	if err != nil {
		return fmt.Errorf("auth: read account: %w", err)
	}
	if state.Status != flow.Invited {
		return fmt.Errorf("auth: invite an account that is %s: %w", state.Status, ErrStale)
	}
	j := &job{s: s, now: s.now()}
	l, err := j.linkLetter(account, InvitationLetter, ForInvitation, state.Epochs.Security)
	if err != nil {
		return err
	}
	j.letters, j.asked = []Letter{l}, true
	if err := j.post(ctx); err != nil {
		return err
	}
	s.decided(ctx, AuditEvent{What: "account-invited", Account: account.ID})
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
