package memory

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// activity is what happened with all accounts. Delete, which holds the lock of the people, takes this one too; nothing
// takes them the other way round.
type activity struct {
	mu       sync.RWMutex
	accounts map[string][]auth.Activity // in the order in which they were begun
}

func (x *activity) init() { x.accounts = map[string][]auth.Activity{} }

// forget drops all entries of the account.
func (x *activity) forget(account string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.accounts, account)
}

// drop deletes entries of the account, by their places, and the account with its last one.
func (x *activity) drop(account string, gone func(i int) bool) (dropped int) {
	var rest []auth.Activity
	for i, a := range x.accounts[account] {
		if gone(i) {
			dropped++
			continue
		}
		rest = append(rest, a)
	}
	x.accounts[account] = rest
	if len(rest) == 0 {
		delete(x.accounts, account)
	}
	return dropped
}

// newest returns the places of the entries that match, the newest first.
func newest(list []auth.Activity, match func(auth.Activity) bool) []int {
	var places []int
	for i, a := range list {
		if match(a) {
			places = append(places, i)
		}
	}
	slices.SortFunc(places, func(a, b int) int { return cmp.Or(list[b].At.Compare(list[a].At), cmp.Compare(b, a)) })
	return places
}

// RecordActivity implements auth.ActivityStore.
func (s *Store) RecordActivity(ctx context.Context, a auth.Activity, keep int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	x := &s.activity
	x.mu.Lock()
	defer x.mu.Unlock()
	a.FirstAt, a.At, a.ExpiresAt = rounded(a.FirstAt), rounded(a.At), rounded(a.ExpiresAt)
	list := x.accounts[a.Account]
	if i := slices.IndexFunc(list, func(o auth.Activity) bool { return o.Class == a.Class && o.Merge == a.Merge }); i >= 0 && a.Merge != "" {
		take(&list[i], a)
	} else {
		x.accounts[a.Account] = append(list, a)
	}
	kept := newest(x.accounts[a.Account], func(o auth.Activity) bool { return o.Class == a.Class })
	surplus := kept[min(len(kept), keep):]
	x.drop(a.Account, func(i int) bool { return slices.Contains(surplus, i) })
	return nil
}

// take adds to an entry one that is alike.
func take(e *auth.Activity, a auth.Activity) {
	if !a.At.Before(e.At) {
		e.UserAgent, e.At = a.UserAgent, a.At
	}
	if a.ExpiresAt.After(e.ExpiresAt) {
		e.ExpiresAt = a.ExpiresAt
	}
	if a.FirstAt.Before(e.FirstAt) {
		e.FirstAt = a.FirstAt
	}
	e.Count += a.Count
}

// ListActivity implements auth.ActivityStore.
func (s *Store) ListActivity(ctx context.Context, account string, now time.Time, limit int) ([]auth.Activity, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.activity.mu.RLock()
	defer s.activity.mu.RUnlock()
	all := s.activity.accounts[account]
	places := newest(all, func(a auth.Activity) bool { return a.ExpiresAt.After(now) })
	var list []auth.Activity
	for _, i := range places[:min(len(places), max(limit, 0))] {
		list = append(list, all[i])
	}
	return list, nil
}

// SweepActivity implements auth.ActivityStore.
func (s *Store) SweepActivity(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.activity.mu.Lock()
	defer s.activity.mu.Unlock()
	swept := 0
	for account, list := range s.activity.accounts {
		if swept >= limit {
			break
		}
		left := limit - swept
		swept += s.activity.drop(account, func(i int) bool {
			gone := left > 0 && !list[i].ExpiresAt.After(now)
			if gone {
				left--
			}
			return gone
		})
	}
	return swept, nil
}
