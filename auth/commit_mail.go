package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/cardea-auth/cardea/auth/flow"
)

// The changes that a mailbox allows. Each ends in one act of the account's store, in which the ticket is consumed:
// of two callers with one link, one wins. Where the directory takes part too, the order is such that whatever is
// cut short leaves less open than before, and doing it again completes it:
//
//   - an account that signs itself up is opened before the directory has its address, so nobody finds half of it;
//   - before a change of address counts, the ticket that undoes it is there and its letter queued;
//   - an undone change gives the address back before the ticket is consumed.

// completion is the use of the ticket whose link the flow has proven.
func (j *job) completion(e flow.Commit, hash string, letters []Letter) Completion {
	return Completion{
		Ticket: j.shown(), Account: j.flow.Subject.Account, From: j.standing(), Hash: hash, EndSessions: e.EndOthers,
		ForgetFactors: e.ForgetFactors, ForgetLinks: e.ForgetLinks, Letters: letters, Now: j.now,
	}
}

// shown is the id of the ticket whose link the flow has proven.
func (j *job) shown() string {
	for _, p := range j.flow.Proofs {
		if p.Method == flow.MailLink {
			return p.Credential
		}
	}
	return ""
}

// standing is how the account stands as the flow saw it.
func (j *job) standing() Standing {
	return Standing{Status: j.flow.Subject.Status, Epochs: j.flow.Subject.Epochs}
}

// irrevocably claims the flow: whatever comes after it happens at most once.
func (j *job) irrevocably(ctx context.Context) error {
	return j.claim(ctx, flow.CommitRefused{Refusal: flow.Refusal{Reason: flow.Stale}})
}

// completed finishes a change that the account's store made, or did not make.
func (j *job) completed(ctx context.Context, epochs flow.Epochs, err error) (flow.Event, error) {
	id := j.flow.Subject.Account
	if err != nil {
		if fault := j.s.realign(ctx, id); fault != nil {
			return nil, fault
		}
		return staleOrFault(fmt.Errorf("auth: change account: %w", err))
	}
	return flow.Committed{Epochs: epochs}, nil
}

// completeRecovery sets the password that a mailed link allows.
func (j *job) completeRecovery(ctx context.Context, e flow.Commit) (flow.Event, error) {
	hash, err := j.newHash(ctx)
	if err != nil {
		return nil, err
	}
	told, err := j.tellOfRecovery(ctx, e)
	if err != nil {
		return nil, err
	}
	if err := j.irrevocably(ctx); err != nil {
		return nil, err
	}
	ends := e.EndOthers || j.flow.Subject.Status == flow.Locked
	return j.openFrom(ctx, ends, func() (flow.Epochs, error) {
		epochs, err := j.s.cfg.Tickets.CompleteRecovery(ctx, j.completion(e, hash, told))
		if err == nil {
			j.readmit(ctx)
		}
		return epochs, err
	})
}

// tellOfRecovery returns the letters that tell of a new password and of what goes with the old one. They name neither
// factors nor providers, of which there may be many.
func (j *job) tellOfRecovery(ctx context.Context, e flow.Commit) ([]Letter, error) {
	told, err := j.tell(ctx, flow.PasswordChanged, flow.Password)
	if err != nil {
		return nil, err
	}
	if e.ForgetFactors {
		gone, err := j.tell(ctx, flow.FactorRemoved, 0)
		if err != nil {
			return nil, err
		}
		told = append(told, gone...)
	}
	if e.ForgetLinks && j.flow.Subject.Enrolled.Has(flow.Social) {
		gone, err := j.tell(ctx, flow.IdentityUnlinked, 0)
		if err != nil {
			return nil, err
		}
		told = append(told, gone...)
	}
	return told, nil
}

// readmit opens the lanes again that strangers used up: they stop a password that is not the account's any more.
func (j *job) readmit(ctx context.Context) {
	if err := j.s.forgetAttempts(ctx, j.flow.Subject.Account); err != nil {
		j.s.fault(ctx, "reset attempts", err) // the password is set; an operator can open them
	}
}

// completeActivation makes an invited account an active one, with its first password if there is one.
func (j *job) completeActivation(ctx context.Context, e flow.Commit) (flow.Event, error) {
	hash := ""
	if e.Method == flow.Password {
		var err error
		if hash, err = j.newHash(ctx); err != nil {
			return nil, err
		}
	}
	if err := j.irrevocably(ctx); err != nil {
		return nil, err
	}
	return j.openFrom(ctx, e.EndOthers, func() (flow.Epochs, error) {
		return j.s.cfg.Tickets.CompleteActivation(ctx, j.completion(e, hash, nil))
	})
}

// reopen makes a locked account active that no password opens.
func (j *job) reopen(ctx context.Context) (flow.Event, error) {
	told, err := j.tell(ctx, flow.Reopened, flow.Approval)
	if err != nil {
		return nil, err
	}
	if _, err := j.s.cfg.Tickets.FindTicket(ctx, j.shown(), j.now); err != nil {
		return staleOrFault(fmt.Errorf("auth: find ticket: %w", err)) // it was replaced, or its time ran out
	}
	if err := j.irrevocably(ctx); err != nil {
		return nil, err
	}
	epochs, err := j.s.setStatus(ctx, j.flow.Subject.Account, j.standing(), flow.Active, told)
	if err != nil {
		return staleOrFault(err)
	}
	return flow.Committed{Epochs: epochs}, nil
}

// openFrom makes a change after which the account is active. The sessions hear of its epochs before it and of its
// status after it: in between, nobody is let in.
func (j *job) openFrom(ctx context.Context, endSessions bool, act func() (flow.Epochs, error)) (flow.Event, error) {
	id, from := j.flow.Subject.Account, j.standing()
	// A link that was replaced since it was shown must not end sessions, nor make the one in its place void.
	if _, err := j.s.cfg.Tickets.FindTicket(ctx, j.shown(), j.now); err != nil {
		return staleOrFault(fmt.Errorf("auth: find ticket: %w", err))
	}
	if err := j.s.surpass(ctx, id, from, false, endSessions); err != nil {
		return staleOrFault(err)
	}
	epochs, err := act()
	if err != nil {
		return staleOrFault(fmt.Errorf("auth: change account: %w", err)) // the link stays good, and surpass goes on from here
	}
	if err := j.s.realign(ctx, id); err != nil {
		j.s.fault(ctx, "align sessions", err) // the change is made; the next sign-in brings them together
	}
	return flow.Committed{Epochs: epochs}, nil
}

// createAccount makes the account of who signed up. Who was faster with the same address has it.
func (j *job) createAccount(ctx context.Context) (flow.Event, error) {
	taken := flow.CommitRefused{Refusal: flow.Refusal{Reason: flow.Stale}}
	account, err := j.who(ctx)
	if err != nil {
		return nil, err
	}
	h, err := j.holder(ctx, account.Identifier)
	if err != nil || !h.free() {
		return taken, err
	}
	hash, err := j.newHash(ctx)
	if err != nil {
		return nil, err
	}
	if err := j.irrevocably(ctx); err != nil {
		return nil, err
	}
	ctx, stop := regardless(ctx)
	defer stop()
	if err := j.s.cfg.Accounts.Open(ctx, account.ID, flow.Active, hash, j.now); err != nil {
		return nil, fmt.Errorf("auth: open account: %w", err)
	}
	err = j.s.cfg.Directory.Create(ctx, account)
	switch {
	case err == nil:
		return flow.Committed{Epochs: flow.Epochs{Security: 1, Session: 1}}, nil
	case !errors.Is(err, ErrTaken):
		return nil, fmt.Errorf("auth: create account: %w", err)
	}
	if err := j.s.cfg.Accounts.Delete(ctx, account.ID); err != nil {
		j.s.fault(ctx, "delete account without an address", err) // nobody finds it
	}
	return taken, nil
}

// changeAddress gives the account its candidate. The old address is told, with a link that takes the change back;
// both are in the store before the directory changes anything.
func (j *job) changeAddress(ctx context.Context) (flow.Event, error) {
	candidate := j.flow.Candidate
	account, err := j.who(ctx)
	if err != nil {
		return nil, err
	}
	h, err := j.holder(ctx, candidate.Identifier)
	if err != nil || !h.free() {
		return flow.CommitRefused{Refusal: flow.Refusal{Reason: flow.AddressTaken}}, err
	}
	undo, l, err := j.undoLetter(account, candidate)
	if err != nil {
		return nil, err
	}
	if err := j.irrevocably(ctx); err != nil {
		return nil, err
	}
	ctx, stop := regardless(ctx) // from here on the old address is told of a change: it must not depend on who waits
	defer stop()
	from := j.standing()
	next := Standing{Status: from.Status, Epochs: raised(from.Epochs, false)}
	if err := j.s.fence(ctx, account.ID, from, next, j.flow.Acting); err != nil {
		return staleOrFault(err)
	}
	epochs, err := j.s.cfg.Tickets.ChangeAddress(ctx, account.ID, from, undo, l)
	if err != nil {
		return j.completed(ctx, epochs, err)
	}
	err = j.s.cfg.Directory.ChangeIdentifier(ctx, account.ID, account.Identifier, candidate.Identifier, candidate.Typed)
	if errors.Is(err, ErrTaken) || errors.Is(err, ErrStale) || errors.Is(err, ErrNotFound) {
		return flow.CommitRefused{Refusal: flow.Refusal{Reason: flow.Stale}}, nil // somebody was faster
	}
	if err != nil {
		return nil, fmt.Errorf("auth: change identifier: %w", err)
	}
	j.account, j.told = nil, append(j.told, flow.AddressChanged)
	return flow.Committed{Epochs: epochs}, nil
}

// undoLetter is the letter to the old address, and the ticket of the link in it.
func (j *job) undoLetter(account Account, candidate flow.Candidate) (Ticket, Letter, error) {
	undo, err := j.s.cfg.Secrets.NewTicket(ForUndo, account.ID, j.now)
	if err != nil {
		return Ticket{}, Letter{}, err
	}
	undo.Old, undo.OldDisplay, undo.New = account.Identifier, account.Display, candidate.Identifier
	l, err := j.letter(account, AddressChangedNotice, 0, undo.ExpiresAt.Sub(j.now))
	l.Secret, l.Key, l.Address = undo.secret(), undo.Key, candidate.Typed
	return undo, l, err
}

// undoAddress gives the account its former address back, from whatever it has by now, and locks it. The sessions
// of whoever took it end first.
func (j *job) undoAddress(ctx context.Context, e flow.Commit) (flow.Event, error) {
	account, err := j.who(ctx)
	if err != nil {
		return nil, err
	}
	use := j.completion(e, "", nil)
	ticket, err := j.s.cfg.Tickets.FindTicket(ctx, use.Ticket, j.now)
	if err != nil {
		return staleOrFault(fmt.Errorf("auth: find ticket: %w", err))
	}
	l, err := j.undoneNotice(account, ticket)
	if err != nil {
		return nil, err
	}
	use.Letters = []Letter{l}
	if err := j.irrevocably(ctx); err != nil {
		return nil, err
	}
	ctx, stop := regardless(ctx) // a thief's session may be sending requests in between; this goes on
	defer stop()
	if err := j.s.surpass(ctx, account.ID, j.standing(), true, true); err != nil {
		return staleOrFault(err)
	}
	if account.Identifier != ticket.Old { // it is back already if an earlier attempt was cut short
		if err := j.outranked(ctx, account, ticket); err != nil {
			return j.completed(ctx, flow.Epochs{}, err)
		}
		err := j.s.cfg.Directory.ChangeIdentifier(ctx, account.ID, account.Identifier, ticket.Old, ticket.OldDisplay)
		if errors.Is(err, ErrTaken) {
			return j.lockInstead(ctx)
		}
		if err != nil {
			return j.completed(ctx, flow.Epochs{}, err)
		}
	}
	j.account, j.told = nil, append(j.told, flow.AddressUndone)
	return j.completeUndo(ctx, use, ticket)
}

// outranked returns ErrStale if an earlier change is being undone: the account has an address back already whose
// ticket is still there. That one's word counts, and the address must not be taken away again. In this order, either
// its ticket is seen, or it was consumed, and this one was forgotten with it.
func (j *job) outranked(ctx context.Context, account Account, t Ticket) error {
	reserved, err := j.s.cfg.Tickets.Reserved(ctx, account.Identifier, j.now)
	if err != nil {
		return fmt.Errorf("auth: look for a reservation: %w", err)
	}
	if reserved {
		return fmt.Errorf("auth: an earlier change is being undone: %w", ErrStale)
	}
	if _, err := j.s.cfg.Tickets.FindTicket(ctx, t.ID, j.now); err != nil {
		return fmt.Errorf("auth: find ticket: %w", err)
	}
	return nil
}

// completeUndo consumes the ticket. Another change at the same time, perhaps of whoever is being thrown out, must
// not save them from that, so it is done on whatever stands then. That change may have been the undo of a later one,
// which took the address away again: it is given back anew, as long as there still is the ticket that says so.
func (j *job) completeUndo(ctx context.Context, use Completion, ticket Ticket) (flow.Event, error) {
	for range attempts {
		epochs, err := j.s.cfg.Tickets.CompleteUndo(ctx, use)
		if err == nil {
			if err := j.s.realign(ctx, use.Account); err != nil {
				j.s.fault(ctx, "align sessions", err) // it is locked; the next sign-in brings them together
			}
			return flow.Committed{Epochs: epochs}, nil
		}
		if !errors.Is(err, ErrStale) {
			return j.completed(ctx, epochs, err)
		}
		state, err := j.s.cfg.Accounts.State(ctx, use.Account)
		if err != nil || state.Standing == use.From { // it is the ticket that is gone
			return j.completed(ctx, flow.Epochs{}, cmp.Or(err, ErrStale))
		}
		use.From = state.Standing
		if err := j.giveBack(ctx, ticket); err != nil {
			return j.completed(ctx, flow.Epochs{}, err)
		}
	}
	return j.completed(ctx, flow.Epochs{}, ErrStale)
}

// giveBack makes the address that the ticket says the account's again, while the ticket is there.
func (j *job) giveBack(ctx context.Context, t Ticket) error {
	if _, err := j.s.cfg.Tickets.FindTicket(ctx, t.ID, j.now); err != nil {
		return fmt.Errorf("auth: find ticket: %w", err)
	}
	account, err := j.s.cfg.Directory.FindByID(ctx, t.Account)
	if err != nil {
		return fmt.Errorf("auth: find account: %w", err)
	}
	if account.Identifier == t.Old {
		return nil
	}
	err = j.s.cfg.Directory.ChangeIdentifier(ctx, t.Account, account.Identifier, t.Old, t.OldDisplay)
	if err != nil {
		return fmt.Errorf("auth: change identifier: %w", err)
	}
	return nil
}

// lockInstead closes an account whose former address belongs to somebody else by now, as a host's own list of people
// may have it. The address cannot be given back; whoever took the account must not keep it all the same, and what
// comes next is for an operator to find out. The ticket stays.
func (j *job) lockInstead(ctx context.Context) (flow.Event, error) {
	id := j.flow.Subject.Account
	j.s.fault(ctx, "undo a change of address", fmt.Errorf("the former address of account %s: %w", id, ErrTaken))
	if err := j.s.lock(ctx, id, nil); err != nil {
		return staleOrFault(err)
	}
	return flow.CommitRefused{Refusal: flow.Refusal{Reason: flow.Stale}}, nil
}

// undoneNotice is to the address that is back.
func (j *job) undoneNotice(account Account, t Ticket) (Letter, error) {
	removed := account.Display
	if account.Identifier == t.Old {
		removed = t.New
	}
	account.Display = t.OldDisplay
	l, err := j.letter(account, AddressUndoneNotice, 0, noticeLife)
	l.Address = removed
	return l, err
}

// newHash hashes the new password.
func (j *job) newHash(ctx context.Context) (string, error) {
	hash, err := j.s.cfg.Passwords.Hash(ctx, j.inputs.NewPassword, j.flow.Known)
	if err != nil {
		return "", fmt.Errorf("auth: hash password: %w", err)
	}
	return hash, nil
}
