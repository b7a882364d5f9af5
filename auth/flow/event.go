package flow

// Event is something that happened: what the person did, or the result of an effect. Secrets are never in
// an event; it says that a password was submitted, not which. The set of events is closed.
type Event interface{ event() }

// What the person did. Each is accepted only if Next offers the matching Action.
type (
	// Begin starts a flow. It must be the first event and comes once.
	Begin struct {
		Goal     Goal
		Target   Target
		ReturnTo string // already validated
		Acting   Acting // who begins it; zero for a stranger
		Keep     bool   // keep me signed in
	}

	// Identify names the account by a normalised identifier, shown as it was typed.
	Identify struct {
		Identifier string
		Typed      string
		Keep       bool
	}

	// Submit says that the proof of a method was handed in: a typed secret, a passkey's answer, a link.
	Submit struct {
		Method Method
		Trust  bool // trust this device
		Keep   bool // keep me signed in, where the proof says whose it is
	}

	// Ask wants a challenge: a mailed code or link, again perhaps, or a passkey ceremony.
	Ask struct{ Method Method }

	// Depart leaves for a provider or an organisation's identity provider.
	Depart struct {
		Method     Method
		Connection string
	}

	// Return comes back from there.
	Return struct {
		Method     Method
		Connection string
	}

	// NewPassword says that a new password was handed in.
	NewPassword struct{ EndOthers bool }

	// Enrol says that the material of a new factor was handed in, with the proof that it works.
	Enrol struct {
		Method    Method
		EndOthers bool
	}

	// Remove says that the factor is to go.
	Remove struct{ EndOthers bool }

	// Move names the address that the account is to have, normalised, shown as it was typed.
	Move struct {
		Identifier string
		Typed      string
	}

	// Accept takes the handoff.
	Accept struct{}

	// Restart goes back to the address ("not you?").
	Restart struct{}

	// Cancel gives the flow up.
	Cancel struct{}

	// Spend says that the operation is about to be done on the strength of this flow, which was granted for it.
	// It brings what is true of the account of the session that does it.
	Spend struct {
		Operation string    // its hash
		Assurance Assurance // the level that it takes; zero is the highest that the account can reach
		Subject   Subject
	}

	// Resume comes first in each later request and brings what is true of the subject now.
	Resume struct {
		Subject Subject
		Known   bool
		Trusted Assurance
	}
)

// Results of effects. Each is accepted only while its effect is awaited.
type (
	// SubjectFound answers FindSubject.
	SubjectFound struct {
		Subject Subject
		Known   bool      // this browser completed a sign-in to the account before
		Trusted Assurance // the level that was reached when the person chose to trust this browser; zero if it is not trusted
		Typed   string    // the account's own address, to be shown where a proof named the account
	}

	// AttemptTaken answers TakeAttempt.
	AttemptTaken struct{ Refusal Refusal } // zero if the attempt may be made

	// ProofChecked answers CheckProof.
	ProofChecked struct {
		Proof   Proof   // of which account; At is set by the machine
		Failure Refusal // why there is no proof; zero if there is one
		// Epochs are the account's, from before the credential was used, where the proof names the account; zero if
		// they are not known. What is removed or ended in the same moment stays so.
		Epochs Epochs
	}

	// RiskAssessed answers AssessRisk.
	RiskAssessed struct{ Verdict Verdict }

	// ChallengeMade answers MakeChallenge.
	ChallengeMade struct{ Refusal Refusal } // zero if it was made

	// PasswordReviewed answers ReviewPassword.
	PasswordReviewed struct{ Refusal Refusal } // zero if the password is acceptable

	// Committed answers Commit with the account's epochs after it.
	Committed struct {
		Epochs   Epochs
		Verified bool // the new passkey verified its user
	}

	// CommitRefused answers Commit: nothing was changed.
	CommitRefused struct{ Refusal Refusal }

	// SessionIssued answers IssueSession.
	SessionIssued struct{}

	// SessionRefused answers IssueSession. Without a reason, the account changed since the flow looked.
	SessionRefused struct{ Reason Reason }
)

// Acting is the session that begins a flow.
type Acting struct {
	Session string // its public id
	Typed   string // the account's address, to be shown
	Subject Subject
	Proofs  []Proof
	Known   bool
	Trusted Assurance
}

// Verdict is the host's judgement of the risk of a sign-in.
type Verdict uint8

// The verdicts. The zero value means that nobody was asked.
const (
	RiskUnasked Verdict = iota
	RiskAllow
	RiskVerify // ask for a mailed code
	RiskRefuse // end the flow
	RiskLock   // end every session and lock the account
)

func (Begin) event()            {}
func (Identify) event()         {}
func (Submit) event()           {}
func (Ask) event()              {}
func (Depart) event()           {}
func (Return) event()           {}
func (NewPassword) event()      {}
func (Enrol) event()            {}
func (Remove) event()           {}
func (Move) event()             {}
func (Accept) event()           {}
func (Restart) event()          {}
func (Cancel) event()           {}
func (Resume) event()           {}
func (Spend) event()            {}
func (SubjectFound) event()     {}
func (AttemptTaken) event()     {}
func (ProofChecked) event()     {}
func (RiskAssessed) event()     {}
func (ChallengeMade) event()    {}
func (PasswordReviewed) event() {}
func (Committed) event()        {}
func (CommitRefused) event()    {}
func (SessionIssued) event()    {}
func (SessionRefused) event()   {}
