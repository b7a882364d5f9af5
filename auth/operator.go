package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/cardea-auth/cardea/auth/flow"
)

// NewAccount is what CreateAccount makes an account from.
type NewAccount struct {
	Identifier string // as typed
	Name       string
	Language   string
	Password   Secret // with one, the account is active; without, it waits for its activation
}

// CreateAccount adds an account. It returns a *DeniedError: AddressRejected, AddressTaken or
// PasswordRejected; or Busy, if the password cannot be checked or hashed at the moment. After a fault it can be
// repeated and completes what was begun; AddressTaken then means that it was complete and only the answer got lost.
func (s *Service) CreateAccount(ctx context.Context, n NewAccount) (Account, error) {
	identifier, err := s.cfg.Normalize(n.Identifier)
	if err != nil {
		return Account{}, err
	}
	status, hash := flow.Invited, ""
	if !n.Password.IsZero() {
		if hash, err = s.newHash(ctx, n, identifier); err != nil {
			return Account{}, err
		}
		status = flow.Active
	}
	account, err := s.directoryEntry(ctx, n, identifier)
	if err != nil {
		return Account{}, err
	}
	if err := s.cfg.Accounts.Open(ctx, account.ID, status, hash, s.now()); err != nil {
		if errors.Is(err, ErrTaken) {
			return Account{}, flow.Deny(flow.AddressTaken)
		}
		return Account{}, fmt.Errorf("auth: open account: %w", err)
	}
	s.decided(ctx, AuditEvent{What: "account-created", Account: account.ID})
	return account, nil
}

func (s *Service) newHash(ctx context.Context, n NewAccount, id Identifier) (string, error) {
	review, err := s.cfg.Passwords.Review(ctx, n.Password, PasswordContext{Identifier: id.Value, Name: n.Name})
	if err != nil {
		return "", fmt.Errorf("auth: review password: %w", err)
	}
	refusal := review.refusal()
	if review.Unchecked {
		e := AuditEvent{What: auditUnchecked, Method: flow.Password.String()}
		if refusal.Reason != 0 {
			e.Reason = refusal.Reason.String()
		}
		s.decided(ctx, e)
	}
	if refusal.Reason != 0 {
		return "", &DeniedError{Refusal: refusal}
	}
	hash, err := s.cfg.Passwords.Hash(ctx, n.Password, true)
	if err != nil {
		return "", fmt.Errorf("auth: hash password: %w", err)
	}
	return hash, nil
}

// directoryEntry adds the account to the directory. One that is there already but was never opened, since
// an earlier call was cut short or the host put it there, is taken up.
func (s *Service) directoryEntry(ctx context.Context, n NewAccount, identifier Identifier) (Account, error) {
	id, err := randomID(s.random)
	if err != nil {
		return Account{}, err
	}
	account := Account{
		ID: id, Identifier: identifier.Value, Display: identifier.Display,
		Name: n.Name, Language: n.Language, CreatedAt: s.now().UTC(),
	}
	err = s.cfg.Directory.Create(ctx, account)
	if err == nil {
		return account, nil
	}
	if !errors.Is(err, ErrTaken) {
		return Account{}, fmt.Errorf("auth: create account: %w", err)
	}
	if account, err = s.cfg.Directory.FindByIdentifier(ctx, identifier.Value); err != nil {
		return Account{}, fmt.Errorf("auth: find account: %w", err)
	}
	return account, nil
}

// DisableAccount closes an account: its sessions and open flows end, whatever it is doing. It returns
// ErrNotFound.
func (s *Service) DisableAccount(ctx context.Context, id string) error {
	return s.changeStatus(ctx, id, "account-disabled", func(AccountState) (flow.Status, bool) {
		return flow.Disabled, true
	})
}

// EnableAccount reopens a disabled account. Sessions that ended stay ended. An account that was never
// activated waits for its activation again. An account that is not disabled stays as it is.
func (s *Service) EnableAccount(ctx context.Context, id string) error {
	return s.changeStatus(ctx, id, "account-enabled", func(a AccountState) (flow.Status, bool) {
		if a.Enrolled == 0 {
			return flow.Invited, a.Status == flow.Disabled
		}
		return flow.Active, a.Status == flow.Disabled
	})
}

// UnlockAccount reopens an account that was locked after a hostile sign-in; one that is closed otherwise stays
// closed. It also forgets the failed attempts from unknown devices, so that an owner whom strangers shut out
// can try again.
func (s *Service) UnlockAccount(ctx context.Context, id string) error {
	if err := s.forgetAttempts(ctx, id); err != nil {
		return err
	}
	return s.changeStatus(ctx, id, "account-unlocked", func(a AccountState) (flow.Status, bool) {
		return flow.Active, a.Status == flow.Locked
	})
}

// lock closes an account after a hostile sign-in. Another change at the same time must not save it from that,
// so the lock is put on whatever stands then.
func (s *Service) lock(ctx context.Context, id string) error {
	return s.changeStatus(ctx, id, "account-locked", func(a AccountState) (flow.Status, bool) {
		return flow.Locked, a.Status == flow.Active
	})
}

// attempts is how often an operator's change is tried again when the account changed under it.
const attempts = 5

func (s *Service) changeStatus(ctx context.Context, id, what string, decide func(AccountState) (flow.Status, bool)) error {
	for range attempts {
		state, err := s.cfg.Accounts.State(ctx, id)
		if err != nil {
			return fmt.Errorf("auth: read account: %w", err)
		}
		to, apply := decide(state)
		if !apply || to == state.Status {
			return s.realign(ctx, id) // nothing to change; an earlier call may have been cut short
		}
		_, err = s.setStatus(ctx, id, state.Standing, to)
		if errors.Is(err, ErrStale) {
			continue
		}
		if err != nil {
			return err
		}
		s.decided(ctx, AuditEvent{What: what, Account: id})
		return nil
	}
	return fmt.Errorf("auth: account keeps changing: %w", ErrStale)
}

// DeleteAccount ends everything that the account has and forgets what the library keeps of it. An unknown
// account is no error.
func (s *Service) DeleteAccount(ctx context.Context, id string) error {
	if err := s.DisableAccount(ctx, id); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := s.cfg.Accounts.Delete(ctx, id); err != nil {
		return fmt.Errorf("auth: delete account: %w", err)
	}
	s.decided(ctx, AuditEvent{What: "account-deleted", Account: id})
	return nil
}

// MarkPasswordCompromised makes the next sign-in with the password end in its change, and ends open flows.
// It returns ErrNotFound, and ErrStale if the account has no password.
func (s *Service) MarkPasswordCompromised(ctx context.Context, id string) error {
	for range attempts {
		state, err := s.cfg.Accounts.State(ctx, id)
		if err != nil {
			return fmt.Errorf("auth: read account: %w", err)
		}
		// Flows that have looked at the account must not get a session any more, even if they are faster.
		next := Standing{Status: state.Status, Epochs: raised(state.Epochs, false)}
		err = s.fence(ctx, id, state.Standing, next, "")
		if errors.Is(err, ErrStale) {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := s.cfg.PasswordStore.MarkCompromised(ctx, id, s.now()); err != nil {
			return errors.Join(fmt.Errorf("auth: mark password: %w", err), s.realign(ctx, id))
		}
		s.decided(ctx, AuditEvent{What: "password-compromised", Account: id})
		return s.realign(ctx, id)
	}
	return fmt.Errorf("auth: account keeps changing: %w", ErrStale)
}

// EndSessions ends all sessions of an account. It returns ErrNotFound.
func (s *Service) EndSessions(ctx context.Context, id string) error {
	return s.endSessions(ctx, id, "")
}

// AccountChanged tells the library that the host changed an account behind its back: its sessions and open
// flows end. It returns ErrNotFound.
func (s *Service) AccountChanged(ctx context.Context, id string) error {
	end := func(e flow.Epochs) flow.Epochs { return raised(e, true) }
	if err := s.raise(ctx, id, "", end); err != nil {
		return err
	}
	s.decided(ctx, AuditEvent{What: "account-changed", Account: id})
	return s.realign(ctx, id) // its status may have changed meanwhile
}
