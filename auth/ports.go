package auth

import (
	"context"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// The contracts of this file hold for every port: methods may be called concurrently; each is one atomic
// act that happens wholly or not at all; a method whose context is done returns an error and has changed
// nothing, or has changed everything; times are compared with the now that is given, never with a clock
// of the store's own; strings are opaque bytes. Package authtest has a kit that checks each of them.

// Directory is the host's own list of people. The library asks it who there is and keeps nothing in it.
type Directory interface {
	// FindByIdentifier returns the account with the normalised identifier, or ErrNotFound.
	FindByIdentifier(ctx context.Context, identifier string) (Account, error)
	// FindByID returns the account, or ErrNotFound.
	FindByID(ctx context.Context, id string) (Account, error)
	// Create adds the account. It returns ErrTaken if its id or its identifier is in use.
	Create(ctx context.Context, a Account) error
	// ChangeIdentifier gives the account another identifier if it still has the one in from. It returns
	// ErrNotFound, ErrStale if the identifier is not from, and ErrTaken if another account has the new one.
	ChangeIdentifier(ctx context.Context, id, from, to, display string) error
}

// AccountStore keeps what the library owns of each account: its standing. It is keyed by the directory's ids.
// Letters that its methods and those of PasswordStore are given are for a LetterStore beside it; where mail is
// not set up there is none, and there are no letters.
type AccountStore interface {
	// Open begins to keep an account, with both epochs at 1 and the given status and password hash (empty
	// for none). It returns ErrTaken if the account is kept already.
	Open(ctx context.Context, id string, status flow.Status, passwordHash string, now time.Time) error
	// State returns what is kept, or ErrNotFound.
	State(ctx context.Context, id string) (AccountState, error)
	// SetStatus sets the status, raises both epochs by one and queues the letters that tell of it. AccountState's
	// ResetDue is set with Locked, taken back with Active, and stays as it is with the others. It returns
	// ErrNotFound, or ErrStale unless the account stands exactly as in from; no letter is queued then.
	SetStatus(ctx context.Context, id string, from Standing, to flow.Status, now time.Time, letters ...Letter) (flow.Epochs, error)
	// RaiseEpochs raises each epoch to at least the given one, never lowers one, and returns what they are
	// then. It returns ErrNotFound.
	RaiseEpochs(ctx context.Context, id string, least flow.Epochs) (flow.Epochs, error)
	// Delete forgets everything that is kept of the account; a store that is the directory as well forgets
	// the account itself. Of its links the ids stay (see LinkStore). The account's factors and what happened with it go too, and its tickets, those ForUndo with the
	// others: what they reserve is free then. Letters that are queued already stay. An unknown account is no error.
	Delete(ctx context.Context, id string) error
}

// PasswordStore keeps password hashes, beside AccountStore and in the same transactions.
type PasswordStore interface {
	// PasswordHash returns the hash, empty if the account has no password or is unknown.
	PasswordHash(ctx context.Context, id string) (string, error)
	// ReplacePassword sets the hash, clears the compromised mark and ResetDue and raises the security epoch by one, and
	// with endSessions the session epoch too. It forgets all the account's tickets but those ForUndo, and
	// queues the letters that tell of it. It returns ErrNotFound, or ErrStale unless the account's epochs are
	// those in from; no letter is queued then.
	ReplacePassword(ctx context.Context, id string, from flow.Epochs, hash string, endSessions bool, now time.Time, letters ...Letter) (flow.Epochs, error)
	// Rehash replaces the hash old by a stronger one of the same password, and nothing else. It returns
	// ErrStale unless the hash is old, and also if old is empty.
	Rehash(ctx context.Context, id, old, hash string) error
	// MarkCompromised makes the next sign-in with the password end in its change, and raises the security
	// epoch by one. It returns ErrNotFound, and ErrStale if the account has no password.
	MarkCompromised(ctx context.Context, id string, now time.Time) (flow.Epochs, error)
}

// FlowRecord is one flow between two requests.
type FlowRecord struct {
	ID        string
	Version   uint64   // 1 at first; each save has the next
	Key       string   // the name of the key that the handles are derived from
	Browser   [32]byte // SHA-256 of the browser's flow cookie; all zero for a native client
	Data      []byte   // opaque; at most 16 KiB
	TouchedAt time.Time
	ExpiresAt time.Time
}

// FlowStore keeps flows.
type FlowStore interface {
	// CreateFlow adds the record. It returns ErrTaken if the id is in use.
	CreateFlow(ctx context.Context, r FlowRecord) error
	// LoadFlow returns the record, or ErrNotFound if there is none that expires after now.
	LoadFlow(ctx context.Context, id string, now time.Time) (FlowRecord, error)
	// SaveFlow replaces the record if its stored version is the one before r.Version; else ErrStale, also if
	// there is no such record.
	SaveFlow(ctx context.Context, r FlowRecord) error
	// SweepFlows deletes at most limit records that expired by now and returns how many.
	SweepFlows(ctx context.Context, now time.Time, limit int) (int, error)
}

// Bucket is a counter of attempts with its rule. A count falls by one each Leak, and starts again at zero
// when no attempt was counted for Forget.
type Bucket struct {
	Key        string        // what is counted; at most 256 bytes
	Cap        int           // an attempt is refused at this count; it must be positive
	Free       int           // from this count on, attempts must wait; zero for never
	FirstDelay time.Duration // the wait at Free; it doubles with each further one
	MaxDelay   time.Duration // the longest wait
	Leak       time.Duration // zero for never
	Forget     time.Duration // it must be positive
}

// Taken answers Counters.Take.
type Taken struct {
	OK bool
	// RetryAt is, if not OK, when an attempt may succeed; zero if waiting does not help, which is so at the
	// cap of a bucket without Leak, though it is forgotten some day.
	RetryAt time.Time
}

// Counters count attempts.
type Counters interface {
	// Take counts one attempt in every bucket, or in none if any of them refuses it. A refused attempt
	// leaves no trace: waiting is not prolonged by those who do not wait. Keys are distinct.
	Take(ctx context.Context, buckets []Bucket, now time.Time) (Taken, error)
	// Refund takes one attempt back in each bucket, as if it had not been made. A count does not fall below zero.
	Refund(ctx context.Context, buckets []Bucket, now time.Time) error
	// Reset sets counts to zero. Unknown keys are no error.
	Reset(ctx context.Context, keys ...string) error
	// SweepCounters deletes at most limit counts that are zero by now, forgotten or leaked away, and returns
	// how many.
	SweepCounters(ctx context.Context, now time.Time, limit int) (int, error)
}

// Passwords hashes and judges passwords; package password has the implementation.
type Passwords interface {
	// Verify compares password with an encoded hash. An empty hash does the work of a current one and does
	// not match. Upgrade says that the password matches and that its hash is weaker than new ones. Known
	// callers use the share that is reserved for them. It returns a *DeniedError (Busy) at the limit.
	Verify(ctx context.Context, hash string, password Secret, known bool) (match, upgrade bool, err error)
	// Hash returns the encoded hash of a password. It returns a *DeniedError (Busy) at the limit.
	Hash(ctx context.Context, password Secret, known bool) (string, error)
	// Review judges a new password.
	Review(ctx context.Context, password Secret, about PasswordContext) (PasswordReview, error)
	// Lengths returns the shortest and the longest password accepted, in code points.
	Lengths(secondFactor bool) (shortest, longest int)
}

// PasswordReview is the judgement of a new password.
type PasswordReview struct {
	// Problem is the stable code of what is wrong, empty if nothing is.
	Problem string
	// Unchecked says that a check which asks others, such as a list of leaked passwords, could not be made. With
	// a Problem, the password is refused for that, and may be tried again; without one, the policy lets it pass.
	// Whoever made the review has logged the cause.
	Unchecked bool
}

// refusal returns what the person is told, nothing if the password may be used. One that could not be checked
// is not bad: it is the server that cannot do its part just now.
func (r PasswordReview) refusal() flow.Refusal {
	switch {
	case r.Problem == "":
		return flow.Refusal{}
	case r.Unchecked:
		return flow.Refusal{Reason: flow.Busy, Problem: r.Problem}
	}
	return flow.Refusal{Reason: flow.PasswordRejected, Problem: r.Problem}
}

// PasswordContext is what a new password is compared with.
type PasswordContext struct {
	Identifier   string
	Name         string
	SecondFactor bool // a second factor is mandatory for the account, so a shorter password will do
}

// Sessions issues and checks sessions; package session has the implementation.
type Sessions interface {
	// Issue makes a session, and ends the one it replaces in the same act. It returns ErrStale if the
	// account no longer stands as in the request, and ErrLimit. The token begins with NativeSessionMark for
	// a native client, and never for a browser; the mark is part of the text that is hashed.
	Issue(ctx context.Context, r SessionRequest, now time.Time) (IssuedSession, error)
	// Authenticate returns the live session of a token, or a *DeniedError (SessionRequired).
	Authenticate(ctx context.Context, token Secret, now time.Time) (Session, error)
	// List returns the account's live sessions, the last seen first, and of very many only the first.
	List(ctx context.Context, account string, now time.Time) ([]Session, error)
	// End ends one session of the account. An unknown one is ErrNotFound.
	End(ctx context.Context, account, session string) error
	// Align brings the account's standing as the sessions know it up to s, one that the account had as a
	// whole: epochs only rise, and the status is taken over unless it is older news. Sessions of an older
	// session epoch end. It returns the standing as it is then known.
	Align(ctx context.Context, account string, s Standing) (Standing, error)
	// Raise replaces the account's standing as the sessions know it, if that is exactly from, by to, in one
	// act: of two callers that saw the same standing, one wins. Else it returns ErrStale, and nothing
	// changes. An account that is not known yet counts as standing at from. Sessions of an older session
	// epoch end, but for the one named in keep, which goes on; if it is not alive at from, that is ErrStale
	// too. It is another error if to has a lower epoch than from, or none that is higher.
	Raise(ctx context.Context, account string, from, to Standing, keep string) error
	// SweepSessions deletes at most limit sessions that ended by now and returns how many.
	SweepSessions(ctx context.Context, now time.Time, limit int) (int, error)
}

// SessionRequest is what a session is made from.
type SessionRequest struct {
	Account   string
	Standing  Standing // as the flow saw it
	Proofs    []flow.Proof
	Assurance flow.Assurance
	Keep      bool
	Replaces  string // a session of the same account that ends in the same act; empty for none
	Client    Client
}

// Devices recognises browsers that completed a sign-in before; package session has the implementation.
type Devices interface {
	// Known reports whether the cookie says, and proves, that this browser completed a sign-in to the account.
	// A native client's token stands for the cookie; it begins with NativeDeviceMark, which it proves too.
	Known(cookie Secret, account string, now time.Time) bool
	// Device returns an id of the device that the cookie belongs to, at most 64 bytes, empty if the cookie is
	// absent or altered. Attempts of known devices are counted under it.
	Device(cookie Secret) string
	// Remember returns the cookie with the account added. For a cookie that begins with NativeDeviceMark, be
	// it the mark alone, it returns a native client's token, and for no other.
	Remember(cookie Secret, account string, now time.Time) (Secret, error)
}

// TrustedDevices keeps which devices the owners of accounts chose to trust; package session has the
// implementation. What is not named by its id is named by the device cookie, or a native client's device
// token, whose altered and foreign values are of no device.
type TrustedDevices interface {
	TrustedSignIns
	TrustedList
}

// TrustedSignIns is what sign-ins need of trusted devices.
type TrustedSignIns interface {
	// Trusted returns the level that was reached when the cookie's device was trusted by the account, zero if
	// it is not trusted: never, not any more, under another session epoch, or by a device that is not known to
	// the account. How long it takes depends on the cookie, not on whether there is such an account.
	Trusted(ctx context.Context, cookie Secret, account string, epoch uint64, now time.Time) (flow.Assurance, error)
	// Trust makes the cookie's device a trusted one, in the place of its earlier trust; its name stays. It
	// returns ErrStale if the device has trust of a later session epoch, and ErrNotFound for a cookie of no
	// device that the account knows.
	Trust(ctx context.Context, cookie Secret, r TrustRequest, now time.Time) (TrustedDevice, error)
	// Used records that the device signed in. One that is not trusted is no error.
	Used(ctx context.Context, cookie Secret, account string, epoch uint64, now time.Time) error
	// Restamp moves the device's trust on to a later session epoch, if it is of exactly the epoch in from;
	// else, and for a device that is not trusted, it returns ErrNotFound.
	Restamp(ctx context.Context, cookie Secret, account string, from, to uint64, now time.Time) error
}

// TrustedList is what the owner of an account needs of its trusted devices, and the sweep.
type TrustedList interface {
	// List returns the account's devices that are trusted now, under the session epoch, the last used first;
	// the one of the cookie is marked.
	List(ctx context.Context, cookie Secret, account string, epoch uint64, now time.Time) ([]TrustedDevice, error)
	// Rename gives a device of the account another name, cleaned of what cannot be seen; an empty one takes
	// its name away. It returns ErrNotFound, and a *DeniedError (Malformed) for a name that is too long.
	Rename(ctx context.Context, account, id, name string) error
	// Remove ends the trust in a device of the account, or returns ErrNotFound.
	Remove(ctx context.Context, account, id string) error
	// RemoveAll ends the trust in all devices of the account.
	RemoveAll(ctx context.Context, account string) error
	// SweepTrusted deletes at most limit devices whose trust expired by now and returns how many.
	SweepTrusted(ctx context.Context, now time.Time, limit int) (int, error)
}

// TrustRequest is what trust in a device is made from.
type TrustRequest struct {
	Account   string
	Epoch     uint64         // the account's session epoch, with which the trust ends
	Assurance flow.Assurance // the level that was reached by the sign-in; it must not be zero
	UserAgent string
}

// AuditSink receives every decision, beside the log.
type AuditSink interface {
	// Record takes one event. It must not block for long; an error is logged and changes nothing.
	Record(ctx context.Context, e AuditEvent) error
}
