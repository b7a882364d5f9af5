package authtest

import (
	"context"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/store/memory"
)

// diaryStore is a sound store of which single methods are replaced.
type diaryStore struct {
	*memory.Store
	record func(ctx context.Context, a auth.Activity, keep int) error
	list   func(ctx context.Context, account string, now time.Time, limit int) ([]auth.Activity, error)
	sweep  func(ctx context.Context, now time.Time, limit int) (int, error)
	erase  func(ctx context.Context, id string) error
}

func (s *diaryStore) RecordActivity(ctx context.Context, a auth.Activity, keep int) error {
	return s.record(ctx, a, keep)
}

func (s *diaryStore) ListActivity(ctx context.Context, account string, now time.Time, limit int) ([]auth.Activity, error) {
	return s.list(ctx, account, now, limit)
}

func (s *diaryStore) SweepActivity(ctx context.Context, now time.Time, limit int) (int, error) {
	return s.sweep(ctx, now, limit)
}

func (s *diaryStore) Delete(ctx context.Context, id string) error { return s.erase(ctx, id) }

func brokenDiary(breaking func(s *diaryStore)) func() Activities {
	return func() Activities {
		m := memory.New()
		s := &diaryStore{m, m.RecordActivity, m.ListActivity, m.SweepActivity, m.Delete}
		breaking(s)
		return s
	}
}

// bentEntry changes what is recorded.
func bentEntry(bend func(s *diaryStore, a *auth.Activity, keep *int)) func() Activities {
	return brokenDiary(func(s *diaryStore) {
		s.record = func(ctx context.Context, a auth.Activity, keep int) error {
			bend(s, &a, &keep)
			return s.Store.RecordActivity(ctx, a, keep)
		}
	})
}

// of returns the account's entry with the same Merge, or a zero one.
func (s *diaryStore) of(a auth.Activity) auth.Activity {
	list, _ := s.Store.ListActivity(context.Background(), a.Account, time.Time{}, 100)
	for _, e := range list {
		if e.Class == a.Class && e.Merge == a.Merge && a.Merge != "" {
			return e
		}
	}
	return auth.Activity{}
}

var brokenActivity = map[string]func() Activities{
	"activity comes back whole": bentEntry(func(_ *diaryStore, a *auth.Activity, _ *int) { a.ExpiresAt = a.ExpiresAt.Truncate(time.Second) }),
	"the longest activity comes back whole": bentEntry(func(_ *diaryStore, a *auth.Activity, _ *int) {
		a.Merge = a.Merge[:min(len(a.Merge), 255)]
	}),
	"the newest activity comes first": brokenDiary(func(s *diaryStore) { // by when an entry was begun
		s.list = func(ctx context.Context, account string, now time.Time, limit int) ([]auth.Activity, error) {
			list, err := s.Store.ListActivity(ctx, account, now, 100)
			for i := 1; i < len(list); i++ {
				if list[i].FirstAt.After(list[i-1].FirstAt) {
					list[i-1], list[i] = list[i], list[i-1]
				}
			}
			return list[:min(limit, len(list))], err
		}
	}),
	"expired activity is not listed": brokenDiary(func(s *diaryStore) {
		s.list = func(ctx context.Context, account string, now time.Time, limit int) ([]auth.Activity, error) {
			return s.Store.ListActivity(ctx, account, now.Add(-tick), limit)
		}
	}),
	"accounts have activity of their own": brokenDiary(func(s *diaryStore) { // of decoys nothing is kept
		s.record = func(ctx context.Context, a auth.Activity, keep int) error {
			if a.Account == "decoy~a2" {
				return nil
			}
			return s.Store.RecordActivity(ctx, a, keep)
		}
	}),
	"activity is opaque": bentEntry(func(_ *diaryStore, a *auth.Activity, _ *int) {
		if a.Account == "all" {
			a.Merge = fold(a.Merge)
		}
	}),
	"alike activity is one entry": bentEntry(func(s *diaryStore, a *auth.Activity, _ *int) { // the last recorded is the last
		if e := s.of(*a); e.Count > 0 && a.At.Before(e.At) {
			a.At = e.At
		}
	}),
	"other activity stays apart": bentEntry(func(_ *diaryStore, a *auth.Activity, _ *int) {
		if a.Merge == "" {
			a.Merge = "none"
		}
	}),
	"no event is lost": brokenDiary(func(s *diaryStore) {
		late := from(3)
		s.record = func(ctx context.Context, a auth.Activity, keep int) error {
			if late() {
				return nil
			}
			return s.Store.RecordActivity(ctx, a, keep)
		}
	}),
	"activity keeps to its room": bentEntry(func(_ *diaryStore, _ *auth.Activity, keep *int) {
		if *keep == 3 {
			*keep = 4
		}
	}),
	"classes have room of their own": bentEntry(func(_ *diaryStore, a *auth.Activity, _ *int) { a.Class = auth.ActivityUse }),
	"the room holds at once": brokenDiary(func(s *diaryStore) {
		late, turn := from(6), sync.Mutex{}
		s.record = func(ctx context.Context, a auth.Activity, keep int) error {
			turn.Lock()
			defer turn.Unlock()
			if late() {
				keep = 50
			}
			return s.Store.RecordActivity(ctx, a, keep)
		}
	}),
	"activity ends with its account": brokenDiary(func(s *diaryStore) {
		s.erase = func(ctx context.Context, id string) error {
			list, _ := s.Store.ListActivity(ctx, id, time.Time{}, 100)
			err := s.Store.Delete(ctx, id)
			for _, a := range list {
				if a.Class == auth.ActivityChange {
					_ = s.Store.RecordActivity(ctx, a, 50)
				}
			}
			return err
		}
	}),
	"a sweep deletes expired activity": brokenDiary(func(s *diaryStore) {
		s.sweep = func(ctx context.Context, now time.Time, limit int) (int, error) {
			return s.Store.SweepActivity(ctx, now.Add(-tick), limit)
		}
	}),
	"activity under a done context stays": brokenDiary(func(s *diaryStore) {
		s.record = func(ctx context.Context, a auth.Activity, keep int) error {
			_ = s.Store.RecordActivity(context.WithoutCancel(ctx), a, keep)
			return ctx.Err()
		}
	}),
}
