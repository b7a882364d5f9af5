package memory

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// links are kept under the lock of the people: what changes them raises the epochs of their account in the same act.
// They hold what is connected and what was: an id is dropped by ReleaseLink alone.
type links struct {
	byID      map[string]link
	byAccount map[string][]string // to the ids, in the order of connecting
}

// link is one that an account has or, if it is not live, had; nothing but the id is left of that one, and its account
// unless that was deleted.
type link struct {
	auth.Link
	live bool
	lost bool // its account was deleted: one that is opened under its id is another
}

func (x *links) init() { x.byID, x.byAccount = map[string]link{}, map[string][]string{} }

// of returns the links that the account has.
func (x *links) of(account string) []auth.Link {
	var list []auth.Link
	for _, id := range x.byAccount[account] {
		if l := x.byID[id]; l.live {
			list = append(list, l.Link)
		}
	}
	return list
}

// has returns the link if it is one that the account has.
func (x *links) has(account, id string) (link, bool) {
	l := x.byID[id]
	return l, l.live && l.Account == account
}

// free reports whether the account can have the link: nobody has or had it, or only itself had.
func (x *links) free(account, id string) bool {
	l, known := x.byID[id]
	return !known || !l.live && !l.lost && l.Account == account
}

// connect adds a link that is free, as the account's last.
func (x *links) connect(l auth.Link) {
	unlist(x.byAccount, l.Account, l.ID)
	l.LinkedAt, l.UsedAt = rounded(l.LinkedAt), rounded(l.UsedAt)
	x.byID[l.ID] = link{Link: l, live: true}
	x.byAccount[l.Account] = append(x.byAccount[l.Account], l.ID)
}

// disconnect leaves of a link the id and whose it was.
func (x *links) disconnect(l link) {
	x.byID[l.ID] = link{Link: auth.Link{ID: l.ID, Account: l.Account}}
}

// disconnectAll disconnects what the account has of the method.
func (x *links) disconnectAll(account string, m flow.Method) {
	for _, id := range x.byAccount[account] {
		if l := x.byID[id]; l.live && l.Method == m {
			x.disconnect(l)
		}
	}
}

// orphan leaves of all that the account has and had the ids.
func (x *links) orphan(account string) {
	for _, id := range x.byAccount[account] {
		x.byID[id] = link{Link: auth.Link{ID: id}, lost: true}
	}
	delete(x.byAccount, account)
}

// Links implements auth.LinkStore.
func (s *Store) Links(ctx context.Context, account string) ([]auth.Link, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.people.mu.RLock()
	defer s.people.mu.RUnlock()
	return s.people.links.of(account), nil
}

// FindLink implements auth.LinkStore.
func (s *Store) FindLink(ctx context.Context, id string) (auth.Link, error) {
	if err := ctx.Err(); err != nil {
		return auth.Link{}, err
	}
	s.people.mu.RLock()
	defer s.people.mu.RUnlock()
	l := s.people.links.byID[id]
	if !l.live {
		return auth.Link{}, auth.ErrNotFound
	}
	return l.Link, nil
}

// AddLink implements auth.LinkStore.
func (s *Store) AddLink(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
	if c.Link.Method == 0 {
		return flow.Epochs{}, errors.New("memory: add link: it has no method")
	}
	return s.changeLinks(ctx, c, func(x *links) error {
		if !x.free(c.Link.Account, c.Link.ID) {
			return auth.ErrTaken
		}
		x.connect(c.Link)
		return nil
	})
}

// RemoveLink implements auth.LinkStore.
func (s *Store) RemoveLink(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
	return s.changeLinks(ctx, c, func(x *links) error {
		l, ok := x.has(c.Link.Account, c.Link.ID)
		if !ok {
			return auth.ErrStale
		}
		x.disconnect(l)
		return nil
	})
}

// changeLinks applies one act to the links of an account that stands as it was seen, with what goes with it. An act
// that fails must have changed nothing.
func (s *Store) changeLinks(ctx context.Context, c auth.LinkChange, act func(x *links) error) (flow.Epochs, error) {
	return s.change(ctx, c.Link.Account, c.Letters, func(k *kept) error {
		if k.standing != c.From {
			return auth.ErrStale
		}
		if err := act(&s.people.links); err != nil {
			return err
		}
		k.standing.Epochs = raised(c.From.Epochs, c.EndSessions)
		s.people.tickets.drop(c.Link.Account, mortal)
		return nil
	})
}

// UseLink implements auth.LinkStore.
func (s *Store) UseLink(ctx context.Context, account, id, email, name string, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	l, ok := s.people.links.has(account, id)
	if !ok {
		return auth.ErrStale
	}
	l.Email, l.Name, l.UsedAt = cmp.Or(email, l.Email), cmp.Or(name, l.Name), rounded(now)
	s.people.links.byID[id] = l
	return nil
}

// ReleaseLink implements auth.LinkStore.
func (s *Store) ReleaseLink(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	l, known := s.people.links.byID[id]
	switch {
	case !known:
		return auth.ErrNotFound
	case l.live:
		return auth.ErrStale
	case !l.lost:
		unlist(s.people.links.byAccount, l.Account, id)
	}
	delete(s.people.links.byID, id)
	return nil
}
