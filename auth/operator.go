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

	// Hash is what another system stored of the person's password, in the place of Password. The account is
	// active, and the person signs in with the password as ever.
	Hash EncodedHash
}

// EncodedHash is a password hash of another system in its encoded form, such as "$2b$12$…". It is a type of its
// own so that no password can stand where a hash belongs: it would be stored as it is. It prints as "[secret]".
// The zero value is none.
type EncodedHash struct{ text Secret }

// NewEncodedHash returns the hash whose encoded form is text.
func NewEncodedHash(text string) EncodedHash { return EncodedHash{NewSecret(text)} }

// String returns "[secret]".
func (EncodedHash) String() string { return redacted }

// IsZero reports whether there is no hash.
func (h EncodedHash) IsZero() bool { return h.text.IsZero() }

// ErrHash is returned by CreateAccount for a hash that could not be verified at sign-in.
var ErrHash = errors.New("auth: hash cannot be read")

// HashChecker may be implemented by a Config.Passwords that can tell whether Verify could read an encoded hash,
// without doing the hash's work. Its error says why not, and must not quote the hash. Without it, CreateAccount
// takes no hashes.
type HashChecker interface {
	CheckHash(encoded string) error
}

// CreateAccount adds an account. It returns a *DeniedError: AddressRejected, AddressTaken or
// PasswordRejected; or Busy, if the password cannot be checked or hashed at the moment. A hash that
// Config.Passwords cannot read is ErrHash, with the cause, and nothing is created. After a fault it can be
// repeated and completes what was begun; AddressTaken then means that it was complete and only the answer got lost.
func (s *Service) CreateAccount(ctx context.Context, n NewAccount) (Account, error) {
	identifier, err := s.cfg.Normalize(n.Identifier)
	if err != nil {
		return Account{}, err
	}
	hash, err := s.firstHash(ctx, n, identifier)
	if err != nil {
		return Account{}, err
	}
	status := flow.Active
	if hash == "" {
		status = flow.Invited
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

// reserved refuses an address that an account gave up so lately that its owner can take it back.
func (s *Service) reserved(ctx context.Context, id Identifier) error {
	if !s.mails() {
		return nil
	}
	reserved, err := s.cfg.Tickets.Reserved(ctx, id.Value, s.now())
	if err != nil {
		return fmt.Errorf("auth: look for a reservation: %w", err)
	}
	if reserved {
		return flow.Deny(flow.AddressTaken)
	}
	return nil
}

// firstHash returns the encoded hash that a new account begins with, empty for none. That of another system is
// checked now: whoever imports learns what is wrong with a row, and not its owner when signing in fails.
func (s *Service) firstHash(ctx context.Context, n NewAccount, id Identifier) (string, error) {
	switch {
	case !n.Password.IsZero() && !n.Hash.IsZero():
		return "", errors.New("auth: new account has both a password and a hash")
	case !n.Password.IsZero():
		return s.newHash(ctx, n, id)
	case n.Hash.IsZero():
		return "", nil
	}
	checker, ok := s.cfg.Passwords.(HashChecker)
	if !ok {
		return "", fmt.Errorf("%w: Config.Passwords is no HashChecker", ErrHash)
	}
	encoded := n.Hash.text.Reveal()
	if err := checker.CheckHash(encoded); err != nil {
		return "", fmt.Errorf("%w: %w", ErrHash, err)
	}
	return encoded, nil
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
// an earlier call was cut short or the host put it there, is taken up. Whoever moves to another address reserves
// the former one before: looked for in this order, it is always seen to be one or the other.
func (s *Service) directoryEntry(ctx context.Context, n NewAccount, identifier Identifier) (Account, error) {
	id, err := randomID(s.random)
	if err != nil {
		return Account{}, err
	}
	account := Account{
		ID: id, Identifier: identifier.Value, Display: identifier.Display,
		Name: n.Name, Language: n.Language, CreatedAt: s.now().UTC(),
	}
	there, err := s.cfg.Directory.FindByIdentifier(ctx, identifier.Value)
	if err == nil {
		return there, nil
	}
	if !errors.Is(err, ErrNotFound) {
		return Account{}, fmt.Errorf("auth: find account: %w", err)
	}
	if err := s.reserved(ctx, identifier); err != nil {
		return Account{}, err
	}
	if err = s.cfg.Directory.Create(ctx, account); err == nil {
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
// activated waits for its activation again, and one that waits for a reset is locked again. An account that is not disabled stays as it is.
func (s *Service) EnableAccount(ctx context.Context, id string) error {
	return s.changeStatus(ctx, id, "account-enabled", func(a AccountState) (flow.Status, bool) {
		if a.Enrolled == 0 {
			return flow.Invited, a.Status == flow.Disabled
		}
		if a.ResetDue {
			return flow.Locked, a.Status == flow.Disabled // to disable it is no way around the reset
		}
		return flow.Active, a.Status == flow.Disabled
	})
}

// UnlockAccount forgets the failed attempts from unknown devices, so that an owner whom strangers shut out can try
// again, and reopens an account that was locked after a hostile sign-in; one that is closed otherwise stays closed.
// An account with a password is not reopened where mail is set up, and that is ErrStale: somebody else may know
// the password, so only a new one opens it again (SendReset).
func (s *Service) UnlockAccount(ctx context.Context, id string) error {
	if err := s.forgetAttempts(ctx, id); err != nil {
		return err
	}
	due := false
	err := s.changeStatus(ctx, id, "account-unlocked", func(a AccountState) (flow.Status, bool) {
		due = a.Status == flow.Locked && s.mails() && a.Enrolled.Has(flow.Password)
		return flow.Active, a.Status == flow.Locked && !due
	})
	if err == nil && due {
		return fmt.Errorf("auth: unlock an account whose password must be reset: %w", ErrStale)
	}
	return err
}

// lock closes an account after a hostile sign-in. Another change at the same time must not save it from that,
// so the lock is put on whatever stands then. The letters are queued in the act itself.
func (s *Service) lock(ctx context.Context, id string, letters []Letter) error {
	return s.changeStatus(ctx, id, "account-locked", func(a AccountState) (flow.Status, bool) {
		return flow.Locked, a.Status == flow.Active
	}, letters...)
}

// attempts is how often an operator's change is tried again when the account changed under it.
const attempts = 5

func (s *Service) changeStatus(ctx context.Context, id, what string, decide func(AccountState) (flow.Status, bool), letters ...Letter) error {
	for range attempts {
		state, err := s.cfg.Accounts.State(ctx, id)
		if err != nil {
			return fmt.Errorf("auth: read account: %w", err)
		}
		to, apply := decide(state)
		if !apply || to == state.Status {
			return s.realign(ctx, id) // nothing to change; an earlier call may have been cut short
		}
		_, err = s.setStatus(ctx, id, state.Standing, to, letters)
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
	if s.cfg.TrustedDevices != nil {
		if err := s.cfg.TrustedDevices.RemoveAll(ctx, id); err != nil {
			return fmt.Errorf("auth: delete trusted devices: %w", err)
		}
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

// EndSessions ends all sessions of an account, and the trust in all its devices. It returns ErrNotFound.
func (s *Service) EndSessions(ctx context.Context, id string) error {
	if err := s.endSessions(ctx, id, "", Secret{}); err != nil {
		return err
	}
	s.decided(ctx, AuditEvent{What: "sessions-ended", Account: id})
	return nil
}

// AccountChanged tells the library that the host changed an account behind its back: its sessions and open
// flows end. It returns ErrNotFound.
func (s *Service) AccountChanged(ctx context.Context, id string) error {
	end := func(e flow.Epochs) flow.Epochs { return raised(e, true) }
	if _, _, err := s.raise(ctx, id, "", end); err != nil {
		return err
	}
	s.decided(ctx, AuditEvent{What: "account-changed", Account: id})
	return s.realign(ctx, id) // its status may have changed meanwhile
}
