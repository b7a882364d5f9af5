package flow

import "time"

// Effect is something for the shell to do, as data. In the list that Step returns, at most the last
// effect asks for a result; the shell carries out the others and then gives Step the result as an event.
// The set of effects is closed.
type Effect interface{ effect() }

// Effects that ask for a result.
type (
	// FindSubject looks for an account by its identifier or, if that is empty, by its id. Who is not found
	// becomes a decoy. Answered by SubjectFound.
	FindSubject struct {
		Identifier string
		Account    string
	}

	// TakeAttempt counts one try of a guessable method, before it is made. Answered by AttemptTaken.
	TakeAttempt struct{ Method Method }

	// CheckProof verifies what was handed in. For a decoy it does the same work and fails. Answered by ProofChecked.
	CheckProof struct {
		Method     Method
		Connection string
	}

	// AssessRisk asks the host. Answered by RiskAssessed.
	AssessRisk struct{}

	// MakeChallenge mails a code or a link, begins a passkey ceremony, or prepares the way to a provider.
	// For a decoy nothing is mailed; for a Candidate the code goes to the new address. Answered by ChallengeMade.
	MakeChallenge struct {
		Method     Method
		Connection string
		Enrols     bool // the ceremony makes a new passkey
		Named      bool // it asks for one of the subject's; else for whosever it is, and tells nothing of anybody
		Verify     bool // it must verify its user, or it would prove nothing that is due
		Fresh      bool // the provider is to authenticate the person anew, or to have done so at most MaxAge ago
		MaxAge     time.Duration
	}

	// ReviewPassword holds a new password against the password policy. Answered by PasswordReviewed.
	ReviewPassword struct{}

	// Commit changes the account in one atomic act that fails if its epochs are not those of the subject.
	// Answered by Committed or CommitRefused.
	Commit struct {
		Change    Change
		Method    Method // of StoreFactor
		EndOthers bool   // end all sessions but the acting one
		// ForgetFactors also removes all second factors: they are lost, and somebody has vouched for who is there.
		ForgetFactors bool
		// ForgetLinks also disconnects all social identities: whoever was in the account before it was locked may have
		// connected their own. Those of the method SSO are the organisation's.
		ForgetLinks bool
	}

	// IssueSession makes the session. It is produced in one place only, when nothing is unmet. Answered by
	// SessionIssued or SessionRefused.
	IssueSession struct {
		Account   string
		Epochs    Epochs
		Proofs    []Proof // shared with the flow: to be read only
		Assurance Assurance
		Keep      bool
		Trust     bool
		Replaces  string // the acting session, which ends in the same act; empty for a new sign-in
	}
)

// Effects that ask for nothing.
type (
	// SettleAttempts forgets the failures of a method that was just proven, or all of them after a full sign-in.
	SettleAttempts struct {
		Method Method
		All    bool
	}

	// Audit records a decision.
	Audit struct {
		What   AuditEvent
		Method Method
		Reason Reason
	}

	// Notify tells the account's owner.
	Notify struct {
		What   Notice
		Method Method
	}
)

// Change is what a Commit does to the account.
type Change uint8

// The changes.
const (
	ReplacePassword    Change = iota + 1 // set the password, raise the security epoch
	CompleteRecovery                     // the same, and consume the mailed link; reopens a locked account
	CompleteActivation                   // consume the invitation, set the password if one was given, make the account active
	CreateAccount                        // create the account with its proven address
	StoreFactor                          // add a second factor, raise the security epoch
	LinkIdentity                         // connect the external identity, raise the security epoch
	LockAccount                          // raise both epochs and lock
	ChangeAddress                        // give the account its Candidate, raise the security epoch
	UndoAddress                          // give it the former address back, raise both epochs and lock
	ReopenAccount                        // make a locked account active, raise both epochs
	RemoveFactor                         // remove the target's factor, raise the security epoch
	UnlinkIdentity                       // disconnect the target's external identity, raise the security epoch
)

var changeNames = [...]string{"", "replace-password", "complete-recovery", "complete-activation", "create-account", "store-factor", "link-identity", "lock-account", "change-address", "undo-address", "reopen-account", "remove-factor", "unlink-identity"}

// String returns the change's stable code.
func (c Change) String() string { return nameOf(changeNames[:], uint8(c)) }

// AuditEvent is what an Audit records.
type AuditEvent uint8

// The audit events.
const (
	FlowBegun AuditEvent = iota + 1
	ProofPassed
	ProofFailed
	AttemptRefused
	ChallengeSent
	RiskJudged
	ChangeMade
	ChangeRefused
	SessionGranted
	GoalReached
	FlowEnded
	ConfirmationSpent
)

var auditNames = [...]string{"", "flow-begun", "proof-passed", "proof-failed", "attempt-refused", "challenge-sent", "risk-judged", "change-made", "change-refused", "session-granted", "goal-reached", "flow-ended", "confirmation-spent"}

// String returns the event's stable code.
func (a AuditEvent) String() string { return nameOf(auditNames[:], uint8(a)) }

// Notice is what a Notify tells.
type Notice uint8

// The notices.
const (
	NewDevice Notice = iota + 1
	PasswordChanged
	FactorAdded
	IdentityLinked
	RecoveryCodeUsed
	LockedOut
	AddressChanged
	AddressUndone
	DeviceTrusted
	Reopened
	FactorRemoved
	IdentityUnlinked
)

var noticeNames = [...]string{"", "new-device", "password-changed", "factor-added", "identity-linked", "recovery-code-used", "locked-out", "address-changed", "address-undone", "device-trusted", "reopened", "factor-removed", "identity-unlinked"}

// String returns the notice's stable code.
func (n Notice) String() string { return nameOf(noticeNames[:], uint8(n)) }

func (FindSubject) effect()    {}
func (TakeAttempt) effect()    {}
func (CheckProof) effect()     {}
func (AssessRisk) effect()     {}
func (MakeChallenge) effect()  {}
func (ReviewPassword) effect() {}
func (Commit) effect()         {}
func (IssueSession) effect()   {}
func (SettleAttempts) effect() {}
func (Audit) effect()          {}
func (Notify) effect()         {}
