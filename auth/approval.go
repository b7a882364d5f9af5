package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// approvalWindow is how long the approver may be asked once the owner had the time to object.
const approvalWindow = 7 * 24 * time.Hour

// checkApproval asks the host whether somebody let the person go on. Whoever reads the owner's mail can come this far,
// so the owner is told first and has a while to object: by signing in with the factor that is said to be lost, or by
// any change of the account's credentials.
func (j *job) checkApproval(ctx context.Context) (flow.Event, error) {
	account, err := j.who(ctx)
	if err != nil {
		return nil, err
	}
	if wait, err := j.takeOf(ctx, "approval|"+account.ID); err != nil || wait.Reason != 0 {
		return flow.ProofChecked{Failure: wait}, err
	}
	since, err := j.waitsSince(ctx, account)
	if err != nil {
		return nil, err
	}
	if at := since.Add(j.s.cfg.RecoveryDelay); j.now.Before(at) {
		return flow.ProofChecked{Failure: flow.Refusal{Reason: flow.NotApproved, RetryAt: at}}, nil
	}
	approved, err := j.s.cfg.RecoveryApprover(ctx, RecoveryRequest{
		Account: account, FlowID: j.record.ID, Locked: j.flow.Subject.Status == flow.Locked, Since: since,
		Client: j.client, Proofs: slices.Clone(j.flow.Proofs),
	})
	if err != nil {
		return nil, fmt.Errorf("auth: ask approver: %w", err)
	}
	if !approved {
		return flow.ProofChecked{Failure: flow.Refusal{Reason: flow.NotApproved}}, nil
	}
	return flow.ProofChecked{Proof: flow.Proof{Method: flow.Approval, Account: account.ID}}, nil
}

// waitsSince returns since when the account waits for an approval, which may be since now. The owner is told in the
// same act.
func (j *job) waitsSince(ctx context.Context, account Account) (time.Time, error) {
	t, err := j.waiting(ctx, account.ID)
	if !errors.Is(err, ErrNotFound) {
		return t.CreatedAt, err
	}
	letter, err := j.notice(ctx, RecoveryAskedNotice, 0)
	if err != nil {
		return time.Time{}, err
	}
	t.CreatedAt, t.ExpiresAt = j.now.UTC(), j.now.Add(j.s.cfg.RecoveryDelay+approvalWindow).UTC()
	err = j.s.cfg.Tickets.AddTicket(ctx, t, letter)
	if errors.Is(err, ErrTaken) { // somebody asked in the same moment
		t, err = j.waiting(ctx, account.ID)
	} else if err == nil {
		j.audit(ctx, "recovery-asked", flow.Approval, 0)
		if j.s.cfg.Posted != nil {
			j.s.cfg.Posted()
		}
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("auth: wait for approval: %w", err)
	}
	return t.CreatedAt, nil
}

// waiting returns the ticket of an account that waits for an approval, or the one that it would have with ErrNotFound.
// A change of the account since then ends the waiting. Its id follows from the account and the epoch, so that an
// account that is asked for twice at once waits once.
func (j *job) waiting(ctx context.Context, account string) (Ticket, error) {
	security := j.flow.Subject.Epochs.Security
	sum, _ := j.s.decoys.MAC(j.s.decoys.oldest, "approval", account, fmt.Sprint(security))
	t := Ticket{
		ID: "approval~" + base64.RawURLEncoding.EncodeToString(sum[:16]), Purpose: ForApproval, Account: account, Security: security,
	}
	found, err := j.s.cfg.Tickets.FindTicket(ctx, t.ID, j.now)
	switch {
	case err == nil && (found.Account != account || found.Purpose != ForApproval || found.Security != security):
		return t, errors.New("auth: find waiting recovery: the ticket is of something else")
	case err == nil:
		return found, nil
	case !errors.Is(err, ErrNotFound):
		return t, fmt.Errorf("auth: find waiting recovery: %w", err)
	}
	// One that ran out may still be there, and would be in the way.
	if err := j.s.cfg.Tickets.DropTickets(ctx, account, ForApproval); err != nil {
		return t, fmt.Errorf("auth: forget waiting recovery: %w", err)
	}
	return t, ErrNotFound
}

// objects ends a recovery that waits for an approval, when its owner just signed in with what is said to be lost. It
// changes nothing about the session: the owner was told of the recovery, and an operator can refuse it.
func (j *job) objects(ctx context.Context, e flow.IssueSession) {
	if j.s.cfg.RecoveryApprover == nil || e.Assurance < flow.AAL2 {
		return
	}
	if err := j.s.cfg.Tickets.DropTickets(ctx, e.Account, ForApproval); err != nil {
		j.s.fault(ctx, "end waiting recovery", err)
	}
}
