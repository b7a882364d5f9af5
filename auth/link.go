package auth

import (
	"context"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// LinkChange connects or disconnects one external identity of an account in one act.
type LinkChange struct {
	Link        Link     // RemoveLink needs its ID and Account alone
	From        Standing // as the caller saw the account
	EndSessions bool
	Letters     []Letter
	Now         time.Time
}

// LinkStore keeps which external identities are connected with which accounts, beside AccountStore and in the same
// transactions. AccountStore.State tells in AccountState.Enrolled of which methods an account has links, and
// AccountStore.Delete leaves of them, and of those that were removed, the ids alone. TicketStore.CompleteRecovery may
// remove them, as RemoveLink does. No other act on an account changes its links.
//
// An identity is never handed on: what was connected with one account cannot be connected with another, not when it
// was disconnected and not when the account was deleted, until an operator releases it; an account that is opened
// later under a deleted one's id is another account. So whoever held a provider's account for a moment cannot have its
// owner's next sign-in end in an account that is not theirs, and a provider that gives a former customer's number to a
// new one opens nothing. What is left to remember that is the id, which is a hash, and while the account is there its
// id.
type LinkStore interface {
	// Links returns the account's links, those connected first coming first, and none for an unknown account. One that
	// was disconnected and connected again counts from then.
	Links(ctx context.Context, account string) ([]Link, error)
	// FindLink returns the link with the id, whosever it is, or ErrNotFound, also for one that was removed.
	FindLink(ctx context.Context, id string) (Link, error)
	// AddLink adds the link if no account has, or had, one with its id; that its own account had it is no
	// hindrance, and nothing of that one comes back. It raises the security epoch by one, with EndSessions the
	// session epoch too, forgets all the account's tickets but those ForUndo, and queues the letters. It returns
	// ErrNotFound for an unknown account; ErrStale unless the account stands exactly as in c.From; and ErrTaken if
	// the account has the link already, or another one has or had it. Nothing is changed then, and no letter queued.
	// A link without a method is another error.
	AddLink(ctx context.Context, c LinkChange) (flow.Epochs, error)
	// RemoveLink removes the account's link, and otherwise does as AddLink does. Of the identity, only the id and
	// whose it was are kept. It returns ErrNotFound for an unknown account, and ErrStale unless the account
	// stands exactly as in c.From and has the link.
	RemoveLink(ctx context.Context, c LinkChange) (flow.Epochs, error)
	// UseLink records that the account's link signed somebody in, and what the provider tells of them now: it sets
	// UsedAt, and Email and Name unless the given one is empty, since some providers tell them once. It returns
	// ErrStale unless the account has the link. It raises no epoch.
	UseLink(ctx context.Context, account, id, email, name string, now time.Time) error
	// ReleaseLink forgets that a link was ever there which was removed or deleted with its account, so that any account
	// can have it. It returns ErrNotFound if there is nothing to forget, and ErrStale if an account has the link. It
	// raises no epoch.
	ReleaseLink(ctx context.Context, id string) error
}

// ProviderSession says that one of our sessions came of a session at a provider, which can end it.
type ProviderSession struct {
	// Key names the provider's session, or all that it has of one person: a hash, 1 to 64 bytes.
	Key       string
	Account   string
	Session   string    // our session's public id, at most 128 bytes
	Since     time.Time // when the provider vouched for it
	ExpiresAt time.Time // when it can be forgotten
}

// ProviderSessionStore keeps which sessions came of which sessions at providers (OpenID Connect Back-Channel Logout
// 1.0).
type ProviderSessionStore interface {
	// AttachSession keeps all of the given ones, or none; one takes the place of what has its Key and Session. It
	// returns ErrStale if one of their keys was ended at or after its Since, and the end is still remembered: the
	// provider ended its session while ours was being made.
	AttachSession(ctx context.Context, sessions []ProviderSession, now time.Time) error
	// SessionsOf returns the sessions of the key that expire after now, and changes nothing.
	SessionsOf(ctx context.Context, key string, now time.Time) ([]ProviderSession, error)
	// EndSessions returns the sessions of the key that expire after now and forgets them, and remembers that the key was
	// ended now, until the given time and not at it. Of several ends of a key the latest counts, for the longest of
	// their times.
	EndSessions(ctx context.Context, key string, now, until time.Time) ([]ProviderSession, error)
	// SweepProviderSessions deletes at most limit of what expired by now, sessions and remembered ends, and returns
	// how many.
	SweepProviderSessions(ctx context.Context, now time.Time, limit int) (int, error)
}
