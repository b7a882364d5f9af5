package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"

	"github.com/cardea-auth/cardea/auth/flow"
)

// A confirmation is the record of the flow in which it was given, and nothing besides: the flow says which operation,
// by whose proofs and when, and to save it as spent is the one atomic act that uses it up. What its owner holds is
// the flow's id and a secret that is derived from it together with the session that came of it, as a handle is from
// its version: whoever reads the store cannot make one, nobody else's session can use it, and the server cannot hand
// it out a second time, not even to the same browser, since that session is named in one answer only.
//
// One step-up replaces the session of the one before, so there is one confirmation at a time: the last.

// ConfirmedRequest asks to do an operation that was confirmed.
type ConfirmedRequest struct {
	// Operation is what is about to be done, made anew from the request that does it.
	Operation Operation
	// Level is what its confirmation must have reached. Zero is the highest level that the account can reach.
	Level flow.Assurance
	// Confirmation is Progress.Confirmation of the step-up; the zero value is none.
	Confirmation Secret
	// Client is who calls: with the session that acts, and a browser with the flow cookie of the step-up.
	Client Client
}

// Confirmed uses a confirmation up and returns nil if the operation may be done now. It must be called before the
// operation is done, for a request that changes things (never for a GET, which anybody can make a browser send), and
// at most one call is answered with nil, however many come at once.
//
// It returns a *DeniedError with StepUpRequired for whatever is not good: no confirmation, one of another operation,
// account, session, browser or transport, one below the level, used before, older than Limits.Confirmation, or from
// before the account's epochs changed; and with SessionRequired if the session has ended. What is refused is not
// used up, so that a request for another operation does not spoil what was confirmed for this one. Any other error
// is a fault: the operation must not be done, and the confirmation may have been used up.
func (s *Service) Confirmed(ctx context.Context, r ConfirmedRequest) error {
	if r.Operation.IsZero() {
		return errors.New("auth: confirmed: no operation")
	}
	j := &job{s: s, now: s.now(), client: r.Client.own()}
	session, err := s.Authenticate(ctx, j.client.Session)
	if err != nil {
		return err
	}
	err = j.spend(ctx, session, r)
	var denied *DeniedError
	if !errors.As(err, &denied) {
		return err
	}
	if !r.Confirmation.IsZero() { // without one, this is the request that finds out what is due
		j.recordConfirmation(ctx, session, auditNotConfirmed, flow.StepUpRequired)
	}
	return flow.Deny(flow.StepUpRequired) // how it falls short is nobody's business
}

// auditNotConfirmed is the event of a confirmation that was handed in and is not good for what it was handed in for.
const auditNotConfirmed = "confirmation-refused"

// spend saves the flow as spent if it confirms the operation to this session. Of several requests that read it
// unspent, one can save it.
func (j *job) spend(ctx context.Context, session Session, r ConfirmedRequest) error {
	id, secret, ok := splitHandle(r.Confirmation)
	if !ok {
		return flow.Deny(flow.StepUpRequired)
	}
	if err := j.load(ctx, id); err != nil {
		return err // for another browser or transport there is no such flow
	}
	if !j.s.confirmations.Check(j.record.Key, secret, confirmationParts(j.record, session.ID, r.Operation.hash)...) {
		return flow.Deny(flow.StepUpRequired)
	}
	subject, err := j.present(ctx, session.Account)
	if err != nil {
		return err
	}
	p, err := j.policy(ctx)
	if err != nil {
		return err
	}
	next, effects, err := flow.Step(p, j.flow, flow.Spend{Operation: r.Operation.hash, Assurance: r.Level, Subject: subject}, j.now)
	if err != nil {
		return err
	}
	j.flow, j.saved = next, false
	if err := j.save(ctx); err != nil {
		return err
	}
	for _, e := range effects { // only who saved it has anything to tell
		if told, ok := e.(flow.Audit); ok {
			j.recordConfirmation(ctx, session, told.What.String(), told.Reason)
		}
	}
	return nil
}

// confirmation returns the secret that the flow's owner spends it with, zero unless this is the request that granted
// it, and granted it for an operation.
func (j *job) confirmation() Secret {
	hash := j.flow.Target.Operation.Hash
	if hash == "" || j.issued == nil || j.flow.Outcome != flow.Granted {
		return Secret{}
	}
	sum, ok := j.s.confirmations.MAC(j.record.Key, confirmationParts(j.record, j.issued.ID, hash)...)
	if !ok {
		return Secret{} // its key was retired; the handle shows it
	}
	return NewSecret(j.record.ID + "." + base64.RawURLEncoding.EncodeToString(sum[:]))
}

// confirmationParts are what a confirmation's secret is derived from. The session and the operation are among them,
// though the machine looks at the operation too: a confirmation that was planted in somebody else's browser is of
// another session, and a record that somebody rewrote in the store is of another operation.
func confirmationParts(r FlowRecord, session, operation string) []string {
	return []string{r.ID, strconv.FormatUint(r.Version, 10), session, operation}
}

func (j *job) recordConfirmation(ctx context.Context, session Session, what string, reason flow.Reason) {
	e := AuditEvent{
		What: what, Goal: flow.StepUp.String(), FlowID: j.record.ID, Account: session.Account, Session: session.ID,
		Client: j.client.transport(), UserAgent: cleanAgent(j.client.UserAgent), Known: j.flow.Known,
	}
	if reason != 0 {
		e.Reason = reason.String()
	}
	if j.client.Address.IsValid() {
		e.Prefix = j.prefixKey()
	}
	j.s.decided(ctx, e)
}
