package session

import (
	"context"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// TrustRecord is the trust of one account in one device as a store keeps it. It holds a hash that stands for
// the device within this account alone, never the id in the device's cookie.
type TrustRecord struct {
	ID        string // public, unique
	Account   string
	Device    [32]byte // unique within the account
	Name      string   // as its owner called it; empty if they did not
	UserAgent string
	Assurance flow.Assurance // of the sign-in in which it was trusted
	Epoch     uint64         // the account's session epoch that it belongs to
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
}

// TrustStore keeps trusted devices. It knows no account's standing: its callers say which session epoch they
// mean, and trust of another one counts for nothing without being touched. The contracts of package auth's ports
// hold for it too.
type TrustStore interface {
	TrustDeviceStore
	TrustAccountStore
}

// TrustDeviceStore is what concerns one device of an account.
type TrustDeviceStore interface {
	// PutTrust adds the record in the place of the one of the same account and device, whose Name it takes over
	// unless it has one. In the same act it deletes the account's records of older epochs and those that expired
	// by now, and of what is left those that were created first, until with the new one, which stays, there are
	// no more than limit, which must be positive. It returns auth.ErrStale, and changes nothing, if the account
	// has a record of a higher epoch; auth.ErrTaken if the id is in use, be it by the record that is replaced.
	PutTrust(ctx context.Context, r TrustRecord, now time.Time, limit int) error
	// FindTrust returns the record, whether or not it expired and of whatever epoch, or auth.ErrNotFound.
	FindTrust(ctx context.Context, account string, device [32]byte) (TrustRecord, error)
	// TouchTrust sets SeenAt of the record, if it is of this epoch and was not seen later. Else it changes
	// nothing, which is no error.
	TouchTrust(ctx context.Context, account string, device [32]byte, epoch uint64, seen time.Time) error
	// RestampTrust moves the record on to the epoch to, if it is of exactly the epoch from; else it returns
	// auth.ErrNotFound. It is another error, and nothing changes, if to is not higher than from.
	RestampTrust(ctx context.Context, account string, device [32]byte, from, to uint64) error
}

// TrustAccountStore is what concerns an account's devices by their ids, and all of them.
type TrustAccountStore interface {
	// ListTrust returns the account's records of exactly this epoch that expire after now, the last seen first,
	// and at most limit of them.
	ListTrust(ctx context.Context, account string, epoch uint64, now time.Time, limit int) ([]TrustRecord, error)
	// RenameTrust sets the name of the account's record of this id, or returns auth.ErrNotFound.
	RenameTrust(ctx context.Context, account, id, name string) error
	// RemoveTrust deletes the account's record of this id, or returns auth.ErrNotFound.
	RemoveTrust(ctx context.Context, account, id string) error
	// RemoveAllTrust deletes the account's records. An account without any is no error.
	RemoveAllTrust(ctx context.Context, account string) error
	// SweepTrust deletes at most limit records that expired by now and returns how many.
	SweepTrust(ctx context.Context, now time.Time, limit int) (int, error)
}
