package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Two stores take part in a change that raises epochs: the account's, which decides, and the sessions',
// which mirrors the standing so that a request costs one read. The mirror is raised first. From then on
// sessions of the old epoch are dead and no flow that looked before can get one, so a crash in between
// leaves less open than before, never more. If the account then does not follow, realign raises it.

// commit carries out a change of the account.
func (j *job) commit(ctx context.Context, e flow.Commit) (flow.Event, error) {
	switch e.Change {
	case flow.ReplacePassword:
		return j.replacePassword(ctx, e)
	case flow.LockAccount:
		ctx, stop := regardless(ctx) // a thief who hangs up in this moment is locked out all the same
		defer stop()
		told, err := j.tell(ctx, flow.LockedOut, 0)
		if err != nil {
			return nil, err
		}
		if err := j.s.lock(ctx, j.flow.Subject.Account, told); err != nil {
			return staleOrFault(err)
		}
		return flow.Committed{Epochs: j.flow.Subject.Epochs}, nil // they are of no use to anyone now
	case flow.CompleteRecovery:
		return j.completeRecovery(ctx, e)
	case flow.CompleteActivation:
		return j.completeActivation(ctx, e)
	case flow.CreateAccount:
		return j.createAccount(ctx)
	case flow.ChangeAddress:
		return j.changeAddress(ctx)
	case flow.UndoAddress:
		return j.undoAddress(ctx, e)
	case flow.ReopenAccount:
		return j.reopen(ctx)
	case flow.StoreFactor:
		return j.storeFactor(ctx, e)
	case flow.RemoveFactor:
		return j.removeFactor(ctx, e)
	case flow.LinkIdentity:
		return j.linkIdentity(ctx, e)
	case flow.UnlinkIdentity:
		return j.unlinkIdentity(ctx, e)
	}
	return nil, fmt.Errorf("auth: nothing carries out %s", e.Change)
}

// staleOrFault tells an account that changed under the flow from a store that failed.
func staleOrFault(err error) (flow.Event, error) {
	if errors.Is(err, ErrStale) || errors.Is(err, ErrNotFound) {
		return flow.CommitRefused{Refusal: flow.Refusal{Reason: flow.Stale}}, nil
	}
	return nil, err
}

func (j *job) replacePassword(ctx context.Context, e flow.Commit) (flow.Event, error) {
	subject := j.flow.Subject
	hash, err := j.newHash(ctx)
	if err != nil {
		return nil, err
	}
	if err := j.irrevocably(ctx); err != nil {
		return nil, err
	}
	told, err := j.tell(ctx, flow.PasswordChanged, flow.Password)
	if err != nil {
		return nil, err
	}
	from := Standing{Status: subject.Status, Epochs: subject.Epochs}
	next := Standing{Status: subject.Status, Epochs: raised(subject.Epochs, e.EndOthers)}
	if err := j.s.fence(ctx, subject.Account, from, next, j.flow.Acting); err != nil {
		return staleOrFault(err)
	}
	epochs, err := j.s.cfg.PasswordStore.ReplacePassword(ctx, subject.Account, subject.Epochs, hash, e.EndOthers, j.now, told...)
	if err != nil {
		if fault := j.s.realign(ctx, subject.Account); fault != nil {
			return nil, fault
		}
		return staleOrFault(fmt.Errorf("auth: replace password: %w", err))
	}
	j.s.restamp(ctx, j.client.Device, subject.Account, subject.Epochs.Session, epochs.Session)
	return flow.Committed{Epochs: epochs}, nil
}

// claim closes the flow in the store before something is done that cannot be undone: of two requests with one
// handle, only the one that closes the flow goes on, so a session is made once, and whoever is told that nothing
// was done can believe it. The flow is stored as after the given result; if the request is cut short, the person
// begins again.
func (j *job) claim(ctx context.Context, as flow.Event) error {
	waiting := j.flow
	p, err := j.policy(ctx)
	if err != nil {
		return err
	}
	if j.flow, _, err = flow.Step(p, waiting, as, j.now); err != nil {
		return err
	}
	if err := j.save(ctx); err != nil {
		return err
	}
	j.flow = waiting
	return nil
}

// raised returns the epochs after a change of credentials, and after the end of all sessions.
func raised(e flow.Epochs, sessions bool) flow.Epochs {
	e.Security++
	if sessions {
		e.Session++
	}
	return e
}

// fence raises the sessions' picture of an account from the standing that was seen to the one that is about
// to be, and keeps one session if asked to. If that picture is not the one that was seen, because somebody
// else was faster or an earlier change was cut short, it brings both together and returns ErrStale: raising
// it to a height that it has would end nothing.
func (s *Service) fence(ctx context.Context, id string, from, next Standing, keep string) error {
	known, err := s.cfg.Sessions.Align(ctx, id, from)
	if err != nil {
		return fmt.Errorf("auth: align sessions: %w", err)
	}
	if known == from {
		if err = s.cfg.Sessions.Raise(ctx, id, from, next, keep); err == nil {
			return nil
		}
		if !errors.Is(err, ErrStale) {
			return fmt.Errorf("auth: raise sessions: %w", err)
		}
	}
	if err := s.realign(ctx, id); err != nil {
		return err
	}
	return ErrStale
}

// surpass raises the sessions' picture of an account above whatever it is, and keeps no session; if the change closes
// the account, the sessions are told at once. It is for the changes that a mailed link allows. Where an earlier
// attempt was cut short, the picture is ahead of the account; fence would bring the account up to it, and so make the
// very link void that completes what was begun. The picture is raised once more instead, with nothing kept that the
// other attempt, perhaps somebody else's, may have kept.
func (s *Service) surpass(ctx context.Context, id string, from Standing, closes, endSessions bool) error {
	known, err := s.cfg.Sessions.Align(ctx, id, from)
	if err != nil {
		return fmt.Errorf("auth: align sessions: %w", err)
	}
	next := Standing{Status: known.Status, Epochs: raised(flow.Epochs{
		Security: max(known.Epochs.Security, from.Epochs.Security), Session: max(known.Epochs.Session, from.Epochs.Session),
	}, endSessions)}
	if closes && next.Status == flow.Active {
		next.Status = flow.Locked
	}
	if err := s.cfg.Sessions.Raise(ctx, id, known, next, ""); err != nil {
		return fmt.Errorf("auth: raise sessions: %w", err)
	}
	return nil
}

func ahead(a, b flow.Epochs) bool { return a.Security > b.Security || a.Session > b.Session }

// setStatus changes the status from the standing that was seen. To close an account, the sessions are told
// first; to open one, last: in between, nobody is let in.
func (s *Service) setStatus(ctx context.Context, id string, from Standing, to flow.Status, letters []Letter) (flow.Epochs, error) {
	next := Standing{Status: to, Epochs: raised(from.Epochs, true)}
	if to != flow.Active {
		if err := s.fence(ctx, id, from, next, ""); err != nil {
			return flow.Epochs{}, err
		}
	}
	epochs, err := s.cfg.Accounts.SetStatus(ctx, id, from, to, s.now(), letters...)
	if err != nil {
		if fault := s.realign(ctx, id); fault != nil {
			return flow.Epochs{}, fault
		}
		return flow.Epochs{}, fmt.Errorf("auth: set status: %w", err)
	}
	if _, err := s.cfg.Sessions.Align(ctx, id, Standing{Status: to, Epochs: epochs}); err != nil {
		return flow.Epochs{}, fmt.Errorf("auth: align sessions: %w", err)
	}
	return epochs, nil
}

// realign brings the account and the sessions' picture of it together again after one of them was left
// behind: both take the higher epochs. It opens nothing: what it tells the sessions is always a standing
// that the account had as a whole, so a status that changed meanwhile is never taken back.
func (s *Service) realign(ctx context.Context, id string) error {
	for range attempts {
		state, err := s.cfg.Accounts.State(ctx, id)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("auth: read account: %w", err)
		}
		known, err := s.cfg.Sessions.Align(ctx, id, state.Standing)
		if err != nil {
			return fmt.Errorf("auth: align sessions: %w", err)
		}
		if !ahead(known.Epochs, state.Epochs) {
			return nil
		}
		if _, err := s.cfg.Accounts.RaiseEpochs(ctx, id, known.Epochs); err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("auth: raise epochs: %w", err)
		}
	}
	return fmt.Errorf("auth: account keeps changing: %w", ErrStale)
}

// endSessions ends all sessions of an account but the one named in keep, in one write however many there
// are, and the trust in all devices but the one that goes with it. It returns ErrStale if the session to keep
// has ended.
func (s *Service) endSessions(ctx context.Context, id, keep string, device Secret) error {
	end := func(e flow.Epochs) flow.Epochs {
		e.Session++
		return e
	}
	was, is, err := s.raise(ctx, id, keep, end)
	if err != nil {
		return err
	}
	s.restamp(ctx, device, id, was.Session, is.Session)
	return nil
}

// raise lifts the sessions' picture first and the account after it. Whoever loses against another change
// tries again on top of it: a thief who keeps ending the others must not outrun whoever ends them all. It
// returns the epochs as they were and as they are.
func (s *Service) raise(ctx context.Context, id, keep string, higher func(flow.Epochs) flow.Epochs) (was, is flow.Epochs, err error) {
	for range attempts {
		state, err := s.cfg.Accounts.State(ctx, id)
		if err != nil {
			return was, is, fmt.Errorf("auth: read account: %w", err)
		}
		next := Standing{Status: state.Status, Epochs: higher(state.Epochs)}
		err = s.fence(ctx, id, state.Standing, next, keep)
		if errors.Is(err, ErrStale) {
			continue
		}
		if err != nil {
			return was, is, err
		}
		if _, err := s.cfg.Accounts.RaiseEpochs(ctx, id, next.Epochs); err != nil {
			return was, is, fmt.Errorf("auth: raise epochs: %w", err)
		}
		return state.Epochs, next.Epochs, nil
	}
	return was, is, fmt.Errorf("auth: account keeps changing: %w", ErrStale)
}
