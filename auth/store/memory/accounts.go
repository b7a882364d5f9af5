package memory

import (
	"context"
	"errors"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Open implements auth.AccountStore.
func (s *Store) Open(ctx context.Context, id string, status flow.Status, passwordHash string, _ time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	if _, taken := s.people.kept[id]; taken {
		return auth.ErrTaken
	}
	s.people.kept[id] = kept{
		standing: auth.Standing{Status: status, Epochs: flow.Epochs{Security: 1, Session: 1}},
		hash:     passwordHash,
	}
	return nil
}

// State implements auth.AccountStore.
func (s *Store) State(ctx context.Context, id string) (auth.AccountState, error) {
	if err := ctx.Err(); err != nil {
		return auth.AccountState{}, err
	}
	s.people.mu.RLock()
	defer s.people.mu.RUnlock()
	k, ok := s.people.kept[id]
	if !ok {
		return auth.AccountState{}, auth.ErrNotFound
	}
	state := auth.AccountState{Standing: k.standing, Compromised: k.compromised, ResetDue: k.resetDue}
	if k.hash != "" {
		state.Enrolled = state.Enrolled.With(flow.Password)
	}
	for _, f := range s.people.factors.byAccount[id] {
		state.Enrolled = state.Enrolled.With(f.Method)
		state.VerifyingPasskey = state.VerifyingPasskey || f.Method == flow.Passkey && f.Verifying
	}
	for _, l := range s.people.links.of(id) {
		state.Enrolled = state.Enrolled.With(l.Method)
	}
	return state, nil
}

// SetStatus implements auth.AccountStore.
func (s *Store) SetStatus(ctx context.Context, id string, from auth.Standing, to flow.Status, _ time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	return s.change(ctx, id, letters, func(k *kept) error {
		if k.standing != from {
			return auth.ErrStale
		}
		k.standing = auth.Standing{Status: to, Epochs: raised(from.Epochs, true)}
		k.resetDue = to == flow.Locked || k.resetDue && to != flow.Active
		return nil
	})
}

// RaiseEpochs implements auth.AccountStore.
func (s *Store) RaiseEpochs(ctx context.Context, id string, least flow.Epochs) (flow.Epochs, error) {
	return s.change(ctx, id, nil, func(k *kept) error {
		k.standing.Epochs = highest(k.standing.Epochs, least)
		return nil
	})
}

// Delete implements auth.AccountStore. It deletes the account from the directory too. Its sessions are
// another port's: what that one knows of the standing stays, so that no sign-in that began before can end
// in a session.
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	delete(s.people.kept, id)
	s.people.tickets.drop(id, func(auth.Ticket) bool { return true })
	s.people.factors.set(id, nil)
	s.people.links.orphan(id)
	s.activity.forget(id)
	if a, ok := s.people.byID[id]; ok {
		delete(s.people.byID, id)
		delete(s.people.byIdentifier, a.Identifier)
	}
	return nil
}

// PasswordHash implements auth.PasswordStore.
func (s *Store) PasswordHash(ctx context.Context, id string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	s.people.mu.RLock()
	defer s.people.mu.RUnlock()
	return s.people.kept[id].hash, nil
}

// ReplacePassword implements auth.PasswordStore.
func (s *Store) ReplacePassword(ctx context.Context, id string, from flow.Epochs, hash string, endSessions bool, _ time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	return s.change(ctx, id, letters, func(k *kept) error {
		if k.standing.Epochs != from {
			return auth.ErrStale
		}
		k.hash, k.compromised, k.resetDue = hash, false, false
		k.standing.Epochs = raised(from, endSessions)
		s.people.tickets.drop(id, mortal)
		return nil
	})
}

// Rehash implements auth.PasswordStore.
func (s *Store) Rehash(ctx context.Context, id, old, hash string) error {
	_, err := s.change(ctx, id, nil, func(k *kept) error {
		if k.hash != old || old == "" {
			return auth.ErrStale // without a password there is nothing to rehash: this must not give one
		}
		k.hash = hash
		return nil
	})
	if errors.Is(err, auth.ErrNotFound) {
		return auth.ErrStale
	}
	return err
}

// MarkCompromised implements auth.PasswordStore.
func (s *Store) MarkCompromised(ctx context.Context, id string, _ time.Time) (flow.Epochs, error) {
	return s.change(ctx, id, nil, func(k *kept) error {
		if k.hash == "" {
			return auth.ErrStale
		}
		k.compromised = true
		k.standing.Epochs.Security++
		return nil
	})
}

// change applies one act to what is kept of an account, and queues the letters that tell of it. An act that
// fails is dropped whole; it must not touch tickets, factors or links before it knows that it does not fail.
func (s *Store) change(ctx context.Context, id string, letters []auth.Letter, act func(*kept) error) (flow.Epochs, error) {
	if err := ctx.Err(); err != nil {
		return flow.Epochs{}, err
	}
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	k, ok := s.people.kept[id]
	if !ok {
		return flow.Epochs{}, auth.ErrNotFound
	}
	if err := act(&k); err != nil {
		return flow.Epochs{}, err
	}
	s.people.kept[id] = k
	s.letters.add(letters)
	return k.standing.Epochs, nil
}

// raised returns the epochs after a change of the account, and after one that ends all sessions.
func raised(e flow.Epochs, sessions bool) flow.Epochs {
	e.Security++
	if sessions {
		e.Session++
	}
	return e
}

func highest(a, b flow.Epochs) flow.Epochs {
	return flow.Epochs{Security: max(a.Security, b.Security), Session: max(a.Session, b.Session)}
}
