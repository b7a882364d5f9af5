package authhttp

import (
	"context"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// service is what this package needs of auth.Service; tests put a scripted one in its place.
type service interface {
	flows
	identities
	sessions
	devices
	factors
	activity
	confirmations
	providers
}

// flows is the login machine.
type flows interface {
	Preview(ctx context.Context, goal flow.Goal) (flow.View, error)
	PreviewLink(ctx context.Context, goal flow.Goal, token auth.Secret, c auth.Client) (flow.View, error)
	Serves(goal flow.Goal, t flow.Target) bool
	Begin(ctx context.Context, r auth.BeginRequest) (auth.Progress, error)
	Continue(ctx context.Context, r auth.ContinueRequest) (auth.Progress, error)
	Look(ctx context.Context, flowID string, c auth.Client) (auth.Progress, error)
}

// identities tells who a request is from.
type identities interface {
	Authenticate(ctx context.Context, token auth.Secret) (auth.Session, error)
	Fresh(session auth.Session, t flow.Target) bool
	Account(ctx context.Context, id string) (auth.Account, error)
	PasswordLengths() (shortest, longest int)
}

// sessions is what a person may do with their own sessions.
type sessions interface {
	Sessions(ctx context.Context, acting auth.Session) ([]auth.Session, error)
	EndSession(ctx context.Context, acting auth.Session, id string) error
	EndOtherSessions(ctx context.Context, acting auth.Session, c auth.Client) error
	SignOut(ctx context.Context, acting auth.Session) error
}

// factors is what a person may do with their second factors, beside flows that add and remove them.
type factors interface {
	Factors(ctx context.Context, acting auth.Session) ([]auth.Factor, error)
	RenameFactor(ctx context.Context, acting auth.Session, id, name string) error
	QR(p auth.Pairing, title string) (auth.Secret, error)
}

// devices is what a person may do with the devices that they chose to trust.
type devices interface {
	TrustedDevices(ctx context.Context, acting auth.Session, c auth.Client) ([]auth.TrustedDevice, error)
	RenameTrustedDevice(ctx context.Context, acting auth.Session, id, name string) error
	RemoveTrustedDevice(ctx context.Context, acting auth.Session, id string) error
	RemoveTrustedDevices(ctx context.Context, acting auth.Session) error
}

// providers is the way to somebody else who knows people, and back.
type providers interface {
	Providers() []auth.ProviderInfo
	Callbacks() string
	Connections(ctx context.Context, acting auth.Session) ([]auth.Connection, error)
	Return(ctx context.Context, r auth.ReturnRequest) (auth.Progress, error)
	Park(ctx context.Context, r auth.ReturnRequest) (flowID string, err error)
	ReturnParked(ctx context.Context, provider, flowID string, c auth.Client) (auth.Progress, error)
	EndedAtProvider(ctx context.Context, provider string, token auth.Secret) error
	SignOutAt(ctx context.Context, ended auth.Session, returnTo, state string) (string, error)
}

// activity is what a person is told of their account.
type activity interface {
	Activity(ctx context.Context, acting auth.Session) ([]auth.Activity, error)
}

var _ service = (*auth.Service)(nil)
