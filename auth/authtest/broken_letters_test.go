package authtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/store/memory"
)

// letterStore is a sound store with hooks; hooks that are nil do nothing.
type letterStore struct {
	auth.LetterStore
	add      func(ctx context.Context, letters ...auth.Letter) error
	claim    func(ctx context.Context, now, until time.Time, limit int) ([]auth.QueuedLetter, error)
	postpone func(ctx context.Context, id string, attempts int, due time.Time) error
	remove   func(ctx context.Context, id string) error
	sweep    func(ctx context.Context, now time.Time, limit int) ([]auth.Letter, error)
}

func (s *letterStore) AddLetters(ctx context.Context, letters ...auth.Letter) error {
	if s.add != nil {
		return s.add(ctx, letters...)
	}
	return s.LetterStore.AddLetters(ctx, letters...)
}

func (s *letterStore) ClaimLetters(ctx context.Context, now, until time.Time, limit int) ([]auth.QueuedLetter, error) {
	if s.claim != nil {
		return s.claim(ctx, now, until, limit)
	}
	return s.LetterStore.ClaimLetters(ctx, now, until, limit)
}

func (s *letterStore) PostponeLetter(ctx context.Context, id string, attempts int, due time.Time) error {
	if s.postpone != nil {
		return s.postpone(ctx, id, attempts, due)
	}
	return s.LetterStore.PostponeLetter(ctx, id, attempts, due)
}

func (s *letterStore) RemoveLetter(ctx context.Context, id string) error {
	if s.remove != nil {
		return s.remove(ctx, id)
	}
	return s.LetterStore.RemoveLetter(ctx, id)
}

func (s *letterStore) SweepLetters(ctx context.Context, now time.Time, limit int) ([]auth.Letter, error) {
	if s.sweep != nil {
		return s.sweep(ctx, now, limit)
	}
	return s.LetterStore.SweepLetters(ctx, now, limit)
}

func brokenLetter(fault func(s *letterStore)) func() auth.LetterStore {
	return func() auth.LetterStore {
		s := &letterStore{LetterStore: memory.New()}
		fault(s)
		return s
	}
}

// sharedClaims claims a letter twice from the given claim on.
func sharedClaims(n int32) func() auth.LetterStore {
	return brokenLetter(func(s *letterStore) {
		late := from(n)
		var mu sync.Mutex
		var last []auth.QueuedLetter
		s.claim = func(ctx context.Context, now, until time.Time, limit int) ([]auth.QueuedLetter, error) {
			mu.Lock()
			defer mu.Unlock()
			if late() && last != nil {
				return last, nil
			}
			got, err := s.LetterStore.ClaimLetters(ctx, now, until, limit)
			last = got
			return got, err
		}
	})
}

var brokenLetters = map[string]func() auth.LetterStore{
	"a letter comes back whole": brokenLetter(func(s *letterStore) {
		s.add = func(ctx context.Context, letters ...auth.Letter) error {
			for i := range letters {
				letters[i].Secret.At = letters[i].Secret.At.Truncate(time.Second)
			}
			return s.LetterStore.AddLetters(ctx, letters...)
		}
	}),
	"a letter is due at once": brokenLetter(func(s *letterStore) {
		s.claim = func(ctx context.Context, now, until time.Time, limit int) ([]auth.QueuedLetter, error) {
			got, err := s.LetterStore.ClaimLetters(ctx, now, until, limit)
			return slices.DeleteFunc(got, func(l auth.QueuedLetter) bool { return l.CreatedAt.After(now) }), err
		}
	}),
	"adding nothing is no error": brokenLetter(func(s *letterStore) {
		s.add = func(ctx context.Context, letters ...auth.Letter) error {
			if len(letters) == 0 {
				return errors.New("no rows")
			}
			return s.LetterStore.AddLetters(ctx, letters...)
		}
	}),
	"an id is queued once": brokenLetter(func(s *letterStore) {
		s.add = func(ctx context.Context, letters ...auth.Letter) error {
			for _, l := range letters {
				_ = s.LetterStore.RemoveLetter(ctx, l.ID)
			}
			return s.LetterStore.AddLetters(ctx, letters...)
		}
	}),
	"letters are queued together": brokenLetter(func(s *letterStore) {
		s.add = func(ctx context.Context, letters ...auth.Letter) error {
			for _, l := range letters {
				if strings.Contains(l.To, "\xff") {
					return errors.New("malformed text")
				}
				if err := s.LetterStore.AddLetters(ctx, l); err != nil {
					return err
				}
			}
			return nil
		}
	}),
	"a removed letter is gone": brokenLetter(func(s *letterStore) {
		s.remove = func(ctx context.Context, id string) error {
			return swallow(s.LetterStore.PostponeLetter(ctx, id, 1, at(90*time.Second)), auth.ErrStale)
		}
	}),
	"removing an unknown letter is no error": brokenLetter(func(s *letterStore) {
		removed := map[string]bool{"l1": true}
		s.add = func(ctx context.Context, letters ...auth.Letter) error {
			removed["l1"] = false
			return s.LetterStore.AddLetters(ctx, letters...)
		}
		s.remove = func(ctx context.Context, id string) error {
			if removed[id] {
				return auth.ErrNotFound
			}
			removed[id] = true
			return s.LetterStore.RemoveLetter(ctx, id)
		}
	}),
	"letter ids are opaque": brokenLetter(func(s *letterStore) {
		s.add = func(ctx context.Context, letters ...auth.Letter) error {
			for i := range letters {
				letters[i].ID = fold(letters[i].ID)
			}
			return s.LetterStore.AddLetters(ctx, letters...)
		}
	}),
	"what a letter says is opaque": brokenLetter(func(s *letterStore) {
		s.add = func(ctx context.Context, letters ...auth.Letter) error {
			for i := range letters {
				letters[i].To = trim(letters[i].To)
			}
			return s.LetterStore.AddLetters(ctx, letters...)
		}
	}),
	"a done context queues nothing": brokenLetter(func(s *letterStore) {
		s.remove = func(ctx context.Context, id string) error {
			_ = s.LetterStore.RemoveLetter(context.WithoutCancel(ctx), id)
			return ctx.Err()
		}
	}),
	"a claim hides the letter": brokenLetter(func(s *letterStore) {
		s.claim = func(ctx context.Context, now, until time.Time, limit int) ([]auth.QueuedLetter, error) {
			return s.LetterStore.ClaimLetters(ctx, now, until.Add(-tick), limit)
		}
	}),
	"one claimer gets a letter": sharedClaims(3),
	"a claim keeps to its limit": brokenLetter(func(s *letterStore) {
		s.claim = func(ctx context.Context, now, until time.Time, limit int) ([]auth.QueuedLetter, error) {
			return s.LetterStore.ClaimLetters(ctx, now, until, max(limit, 1))
		}
	}),
	"those due first come first": brokenLetter(func(s *letterStore) {
		s.claim = func(ctx context.Context, now, until time.Time, limit int) ([]auth.QueuedLetter, error) {
			got, err := s.LetterStore.ClaimLetters(ctx, now, until, limit)
			slices.SortFunc(got, func(a, b auth.QueuedLetter) int { return a.CreatedAt.Compare(b.CreatedAt) })
			return got, err
		}
	}),
	"an expired letter is not claimed": brokenLetter(func(s *letterStore) {
		s.add = func(ctx context.Context, letters ...auth.Letter) error {
			for i := range letters {
				letters[i].ExpiresAt = letters[i].ExpiresAt.Add(tick)
			}
			return s.LetterStore.AddLetters(ctx, letters...)
		}
	}),
	"a postponed letter waits": brokenLetter(func(s *letterStore) {
		s.postpone = func(ctx context.Context, id string, attempts int, due time.Time) error {
			return s.LetterStore.PostponeLetter(ctx, id, attempts, due.Add(-tick))
		}
	}),
	"only the present attempt postpones": brokenLetter(func(s *letterStore) {
		s.postpone = func(ctx context.Context, id string, attempts int, due time.Time) error {
			err := s.LetterStore.PostponeLetter(ctx, id, attempts, due)
			if errors.Is(err, auth.ErrStale) {
				return s.LetterStore.PostponeLetter(ctx, id, attempts+1, due)
			}
			return err
		}
	}),
	"a sweep returns what expired": brokenLetter(func(s *letterStore) {
		s.sweep = func(ctx context.Context, now time.Time, limit int) ([]auth.Letter, error) {
			return s.LetterStore.SweepLetters(ctx, now.Add(-tick), limit)
		}
	}),
	"a sweep takes claimed letters too": brokenLetter(func(s *letterStore) {
		claimed := map[string]bool{}
		s.claim = func(ctx context.Context, now, until time.Time, limit int) ([]auth.QueuedLetter, error) {
			got, err := s.LetterStore.ClaimLetters(ctx, now, until, limit)
			for _, l := range got {
				claimed[l.ID] = true
			}
			return got, err
		}
		s.sweep = func(ctx context.Context, now time.Time, limit int) ([]auth.Letter, error) {
			got, err := s.LetterStore.SweepLetters(ctx, now, limit)
			return slices.DeleteFunc(got, func(l auth.Letter) bool { return claimed[l.ID] }), err
		}
	}),
	"a letter sweep keeps to its limit": brokenLetter(func(s *letterStore) {
		s.sweep = func(ctx context.Context, now time.Time, _ int) ([]auth.Letter, error) {
			return s.LetterStore.SweepLetters(ctx, now, 1000)
		}
	}),
	"one sweeper reports a letter": brokenLetter(func(s *letterStore) {
		var mu sync.Mutex
		late, last := from(3), []auth.Letter(nil)
		s.sweep = func(ctx context.Context, now time.Time, limit int) ([]auth.Letter, error) {
			mu.Lock()
			defer mu.Unlock()
			if late() && last != nil {
				return last, nil
			}
			got, err := s.LetterStore.SweepLetters(ctx, now, limit)
			last = got
			return got, err
		}
	}),
}
