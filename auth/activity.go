package auth

import (
	"context"
	"net/netip"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// ActivityWhat is what an Activity tells of. The codes are stable and the list is closed.
type ActivityWhat string

// What owners are told of.
const (
	ActivitySignedIn           ActivityWhat = "signed-in"            // somebody signed in
	ActivityNewDevice          ActivityWhat = "new-device"           // somebody signed in with a device that the account did not know
	ActivityAttemptFailed      ActivityWhat = "attempt-failed"       // a password, a code or another proof was refused
	ActivitySecondStepFailed   ActivityWhat = "second-step-failed"   // a second proof was refused, after a first one that was right
	ActivityRecoveryCodeUsed   ActivityWhat = "recovery-code-used"   // a recovery code took the place of a second factor
	ActivityResetAsked         ActivityWhat = "reset-asked"          // somebody asked for a link to set a new password
	ActivityResetSent          ActivityWhat = "reset-sent"           // an operator had such a link sent
	ActivityPasswordChanged    ActivityWhat = "password-changed"     // the password was changed
	ActivityPasswordReset      ActivityWhat = "password-reset"       // a new password was set with a mailed link
	ActivityPasswordCompromise ActivityWhat = "password-compromised" // an operator has the password replaced at the next sign-in
	ActivityAddressChanged     ActivityWhat = "address-changed"      // the account got another address
	ActivityAddressUndone      ActivityWhat = "address-undone"       // the account got its former address back
	ActivityFactorAdded        ActivityWhat = "factor-added"         // a second factor was added, or recovery codes were made
	ActivityFactorRemoved      ActivityWhat = "factor-removed"       // a second factor was removed
	ActivityFactorsReset       ActivityWhat = "factors-reset"        // an operator removed all second factors
	ActivityIdentityLinked     ActivityWhat = "identity-linked"      // another sign-in was connected
	ActivityIdentityUnlinked   ActivityWhat = "identity-unlinked"    // another sign-in was disconnected
	ActivityDeviceTrusted      ActivityWhat = "device-trusted"       // a device was trusted
	ActivityDeviceRemoved      ActivityWhat = "device-removed"       // a device is not trusted any more
	ActivityDevicesRemoved     ActivityWhat = "devices-removed"      // no device is trusted any more
	ActivitySessionEnded       ActivityWhat = "session-ended"        // one session was ended from elsewhere
	ActivitySessionsEnded      ActivityWhat = "sessions-ended"       // all sessions were ended, or all but the one that asked
	ActivityAccountCreated     ActivityWhat = "account-created"      // the account came into being
	ActivityAccountActivated   ActivityWhat = "account-activated"    // an invitation was taken
	ActivityAccountLocked      ActivityWhat = "account-locked"       // a hostile sign-in locked the account
	ActivityAccountUnlocked    ActivityWhat = "account-unlocked"     // a locked account was opened again
	ActivityAccountDisabled    ActivityWhat = "account-disabled"     // an operator closed the account
	ActivityAccountEnabled     ActivityWhat = "account-enabled"      // an operator opened the account
	ActivityAccountChanged     ActivityWhat = "account-changed"      // the host changed the account elsewhere, and its sessions ended
)

// ActivityClass says who can cause an Activity. Each class has room of its own, so that none crowds another out:
// a stranger's wrong passwords hide no sign-in, and a thief's sign-ins hide no change of password.
type ActivityClass uint8

// The classes.
const (
	ActivityAttempt ActivityClass = iota + 1 // whoever knows the address: nothing was proven
	ActivityUse                              // whoever proved something, as often as they like
	ActivityChange                           // a change of the account
)

// Activity is an entry of what happened with an account, for its owner to read. It holds no secret and no address of
// mail. Several events that look alike to their owner are one entry with a count.
type Activity struct {
	Account   string        // or, of attempts alone, the decoy in its place
	Class     ActivityClass // never zero
	Merge     string        // entries that have the same, in a class of an account, are one; empty for none; at most 256 bytes
	What      ActivityWhat
	Methods   flow.Methods // that were proven or refused, or that the change is of; may be empty
	Network   netip.Prefix // of the client's address: /24, or /48 for IPv6; zero if there is none
	UserAgent string       // of the last event, at most 256 bytes, without control characters
	Count     int          // how many events; at least 1
	FirstAt   time.Time    // of the first event
	At        time.Time    // of the last event
	ExpiresAt time.Time
}

// ActivityStore keeps what happened with accounts, beside AccountStore: AccountStore.Delete forgets the account's
// entries too. What it returns decides nothing, ever.
type ActivityStore interface {
	// RecordActivity adds an entry. If the account has one of the same Class and the same Merge, which is not empty,
	// that one takes it in: its Count grows by that of a, FirstAt becomes the earlier of the two, At and ExpiresAt
	// become the later, and UserAgent becomes that of a unless a has the earlier At; the rest of it stays. Then of
	// the account's entries of that class only the newest are left, keep of them, which is positive. All of that is
	// one act. There need not be an account of that id: decoys cost what accounts cost.
	RecordActivity(ctx context.Context, a Activity, keep int) error
	// ListActivity returns the account's entries that expire after now, at most limit, the newest At first, and of
	// those with the same At the one that was begun last. It returns none for an unknown account.
	ListActivity(ctx context.Context, account string, now time.Time, limit int) ([]Activity, error)
	// SweepActivity deletes at most limit entries that expired by now and returns how many.
	SweepActivity(ctx context.Context, now time.Time, limit int) (int, error)
}
