package memory

import (
	"context"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// FindByIdentifier implements auth.Directory.
func (s *Store) FindByIdentifier(ctx context.Context, identifier string) (auth.Account, error) {
	if err := ctx.Err(); err != nil {
		return auth.Account{}, err
	}
	s.people.mu.RLock()
	defer s.people.mu.RUnlock()
	id, ok := s.people.byIdentifier[identifier]
	if !ok {
		return auth.Account{}, auth.ErrNotFound
	}
	return s.people.byID[id], nil
}

// FindByID implements auth.Directory.
func (s *Store) FindByID(ctx context.Context, id string) (auth.Account, error) {
	if err := ctx.Err(); err != nil {
		return auth.Account{}, err
	}
	s.people.mu.RLock()
	defer s.people.mu.RUnlock()
	a, ok := s.people.byID[id]
	if !ok {
		return auth.Account{}, auth.ErrNotFound
	}
	return a, nil
}

// Create implements auth.Directory.
func (s *Store) Create(ctx context.Context, a auth.Account) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	if _, taken := s.people.byID[a.ID]; taken {
		return auth.ErrTaken
	}
	if _, taken := s.people.byIdentifier[a.Identifier]; taken {
		return auth.ErrTaken
	}
	a.CreatedAt = rounded(a.CreatedAt)
	s.people.byID[a.ID] = a
	s.people.byIdentifier[a.Identifier] = a.ID
	return nil
}

// ChangeIdentifier implements auth.Directory.
func (s *Store) ChangeIdentifier(ctx context.Context, id, from, to, display string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	a, ok := s.people.byID[id]
	switch {
	case !ok:
		return auth.ErrNotFound
	case a.Identifier != from:
		return auth.ErrStale
	}
	if owner, taken := s.people.byIdentifier[to]; taken && owner != id {
		return auth.ErrTaken
	}
	delete(s.people.byIdentifier, from)
	a.Identifier, a.Display = to, display
	s.people.byIdentifier[to] = id
	s.people.byID[id] = a
	return nil
}

// rounded drops what a database would not keep either, so that a test on this store holds on others.
func rounded(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }
