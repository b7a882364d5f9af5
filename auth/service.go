package auth

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Service runs the login machine over the host's stores. It is safe for concurrent use. Make one with New.
type Service struct {
	cfg    Config
	log    *slog.Logger
	now    func() time.Time
	random io.Reader
}

var errUnfinished = errors.New("unfinished")

// New returns a Service, or an error that names every problem of the configuration at once.
func New(cfg Config) (*Service, error) { return nil, errUnfinished }

// Preview returns what a flow of the goal would offer first. It creates nothing, so that a GET can show it.
func (s *Service) Preview(ctx context.Context, goal flow.Goal) (flow.View, error) {
	return flow.View{}, errUnfinished
}

// Begin begins a flow and, if an identifier is given, takes its first step.
func (s *Service) Begin(ctx context.Context, r BeginRequest) (Progress, error) {
	return Progress{}, errUnfinished
}

// Continue takes one step. A handle that is one step old is, for 30 seconds, a second look at the current
// View and does nothing.
func (s *Service) Continue(ctx context.Context, r ContinueRequest) (Progress, error) {
	return Progress{}, errUnfinished
}

// Look returns where a flow stands, to the browser that began it, and changes nothing.
func (s *Service) Look(ctx context.Context, flowID string, c Client) (Progress, error) {
	return Progress{}, errUnfinished
}

// Authenticate returns the live session of a token, or a *DeniedError (SessionRequired).
func (s *Service) Authenticate(ctx context.Context, token Secret) (Session, error) {
	return Session{}, errUnfinished
}

// Fresh reports whether the session satisfies the target now.
func (s *Service) Fresh(session Session, t flow.Target) bool { return false }

// Account returns an account by its id, or ErrNotFound.
func (s *Service) Account(ctx context.Context, id string) (Account, error) {
	return Account{}, errUnfinished
}

// Sessions lists the live sessions of the acting session's account, the last seen first, the acting one marked.
func (s *Service) Sessions(ctx context.Context, acting Session) ([]Session, error) {
	return nil, errUnfinished
}

// EndSession ends one session of the acting session's account; another account's is a *DeniedError (NotFound).
func (s *Service) EndSession(ctx context.Context, acting Session, id string) error {
	return errUnfinished
}

// EndOtherSessions ends all sessions of the account but the acting one.
func (s *Service) EndOtherSessions(ctx context.Context, acting Session) error { return errUnfinished }

// SignOut ends the acting session.
func (s *Service) SignOut(ctx context.Context, acting Session) error { return errUnfinished }

// PasswordLengths returns the shortest and the longest password that accounts without a mandatory second
// factor may set, in code points.
func (s *Service) PasswordLengths() (shortest, longest int) { return 0, 0 }

// NewAccount is what CreateAccount makes an account from.
type NewAccount struct {
	Identifier string // as typed
	Name       string
	Language   string
	Password   Secret // with one, the account is active; without, it waits for its activation
}

// CreateAccount adds an account. It returns a *DeniedError: AddressRejected, AddressTaken or PasswordRejected.
func (s *Service) CreateAccount(ctx context.Context, n NewAccount) (Account, error) {
	return Account{}, errUnfinished
}

// DisableAccount closes an account: its sessions, open flows and mailed secrets end.
func (s *Service) DisableAccount(ctx context.Context, id string) error { return errUnfinished }

// EnableAccount reopens a disabled account. Sessions that ended stay ended.
func (s *Service) EnableAccount(ctx context.Context, id string) error { return errUnfinished }

// UnlockAccount reopens an account that was locked after a hostile sign-in.
func (s *Service) UnlockAccount(ctx context.Context, id string) error { return errUnfinished }

// DeleteAccount ends everything that the account has and forgets what the library keeps of it.
func (s *Service) DeleteAccount(ctx context.Context, id string) error { return errUnfinished }

// MarkPasswordCompromised makes the next sign-in with the password end in its change.
func (s *Service) MarkPasswordCompromised(ctx context.Context, id string) error { return errUnfinished }

// EndSessions ends all sessions of an account.
func (s *Service) EndSessions(ctx context.Context, id string) error { return errUnfinished }

// AccountChanged tells the library that the host changed an account behind its back.
func (s *Service) AccountChanged(ctx context.Context, id string) error { return errUnfinished }

// Run sweeps what expired, every minute, until ctx is done; it returns ctx's error. The host calls it in a
// goroutine of its own. Without it everything works, but stores grow.
func (s *Service) Run(ctx context.Context) error { return errUnfinished }
