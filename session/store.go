package session

import (
	"context"
	"net/netip"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Record is one session as a store keeps it. It holds the hash of the token, never the token.
type Record struct {
	ID              string   // public, unique
	Hash            [32]byte // SHA-256 of the token, unique
	Account         string
	Epoch           uint64 // the account's session epoch that it belongs to
	CreatedAt       time.Time
	AuthenticatedAt time.Time
	SeenAt          time.Time
	ExpiresAt       time.Time // idle or absolute limit, whichever comes first
	EndsAt          time.Time // the absolute limit
	Keep            bool
	Assurance       flow.Assurance
	Proofs          []flow.Proof
	UserAgent       string
	Prefix          netip.Prefix
}

// Store keeps sessions and, for each account that has or had one, the account's standing as the sessions
// know it. The contracts of package auth's ports hold for it too.
type Store interface {
	TokenStore
	AccountStore
}

// TokenStore is what single sessions need.
type TokenStore interface {
	// CreateSession adds the record, whose Epoch is expect.Epochs.Session. In the same act it ends the
	// session of the same account whose id is in o.Replaces, and takes expect over as the account's
	// standing. It returns auth.ErrStale, and changes nothing, if the known standing has a higher epoch of
	// either kind or, at the same epochs, another status; auth.ErrLimit if o.Limit live sessions (those of
	// the current epoch that expire after o.Now, without the replaced one) are there and o.Evict is false,
	// else it ends those that were created first until the new one fits; auth.ErrTaken if the id or the hash
	// is in use, be it by the session that is replaced.
	CreateSession(ctx context.Context, r Record, expect auth.Standing, o CreateOptions) error
	// FindSession returns the record and the account's standing in one read, whether or not the session is
	// still alive, or auth.ErrNotFound. The record is the caller's to keep.
	FindSession(ctx context.Context, hash [32]byte) (Record, auth.Standing, error)
	// TouchSession sets SeenAt and ExpiresAt, unless the stored SeenAt is later. An unknown session is no error.
	TouchSession(ctx context.Context, hash [32]byte, seen, expires time.Time) error
	// EndSession deletes the account's session of this id, or returns auth.ErrNotFound.
	EndSession(ctx context.Context, account, id string) error
}

// AccountStore is what all sessions of an account need together.
type AccountStore interface {
	// ListSessions returns the account's sessions of the current epoch that expire after now, the last
	// seen first, and at most limit of them.
	ListSessions(ctx context.Context, account string, now time.Time, limit int) ([]Record, error)
	// AlignStanding raises the known epochs to at least those of s, a standing that the account had as a
	// whole, and takes the status over if s has a security epoch at least as high as the known one. Sessions
	// of older epochs are dead without being touched. An account without sessions is remembered too. It
	// returns the standing as it is then.
	AlignStanding(ctx context.Context, account string, s auth.Standing) (auth.Standing, error)
	// RaiseStanding takes to over as the known standing in one act, if that is exactly from; else it returns
	// auth.ErrStale, and nothing changes. Of two callers that saw the same standing, one wins. An account of
	// which nothing is known, or the zero standing, counts as standing at from. With keep, the account's
	// session of that id must be of the session epoch in from, else it is auth.ErrStale too; it moves on to
	// the one in to. All others of older epochs are dead without being touched. It is another error, and
	// nothing changes, if to has a lower epoch than from, or none that is higher.
	RaiseStanding(ctx context.Context, account string, from, to auth.Standing, keep string) error
	// SweepSessions deletes at most limit sessions that expired by now or are of an older epoch, and
	// returns how many.
	SweepSessions(ctx context.Context, now time.Time, limit int) (int, error)
}

// CreateOptions go with CreateSession.
type CreateOptions struct {
	Now      time.Time
	Replaces string // the id of the session that ends; empty for none. An unknown or dead one is auth.ErrStale.
	Limit    int    // the most live sessions that the account may have; zero for no limit
	Evict    bool   // end the oldest instead of refusing
}
