package memory

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// letters are the queue of auth.LetterStore. It has no bound: one that a flood of requests could fill would
// keep the letters from those who need them, or make acts fail that must tell of themselves. What comes in is
// throttled by the service, and every letter expires.
//
// Acts of other ports that queue letters call add while they hold their own lock, so mu is the innermost one:
// nothing here takes another.
type letters struct {
	mu   sync.Mutex
	byID map[string]*letter
	next uint64
}

type letter struct {
	auth.QueuedLetter
	due    time.Time
	number uint64 // in the order of coming
}

func (q *letters) init() { q.byID = map[string]*letter{} }

// add queues letters. It cannot fail, so an act may call it when the rest is done.
func (q *letters) add(all []auth.Letter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range all {
		if _, queued := q.byID[l.ID]; queued {
			continue
		}
		l = ownLetter(l)
		q.next++
		q.byID[l.ID] = &letter{QueuedLetter: auth.QueuedLetter{Letter: l}, due: l.CreatedAt, number: q.next}
	}
}

// AddLetters implements auth.LetterStore.
func (s *Store) AddLetters(ctx context.Context, letters ...auth.Letter) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.letters.add(letters)
	return nil
}

// ClaimLetters implements auth.LetterStore.
func (s *Store) ClaimLetters(ctx context.Context, now, until time.Time, limit int) ([]auth.QueuedLetter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q := &s.letters
	q.mu.Lock()
	defer q.mu.Unlock()
	var due []*letter
	for _, l := range q.byID {
		// One that nobody tried is due whatever its time: the clock that made it may be ahead.
		if (l.Attempts == 0 || !l.due.After(now)) && l.ExpiresAt.After(now) {
			due = append(due, l)
		}
	}
	slices.SortFunc(due, func(a, b *letter) int {
		return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.number, b.number))
	})
	claimed := make([]auth.QueuedLetter, 0, min(len(due), max(limit, 0)))
	for _, l := range due[:cap(claimed)] {
		l.Attempts++
		l.due = rounded(until)
		claimed = append(claimed, l.QueuedLetter)
	}
	return claimed, nil
}

// PostponeLetter implements auth.LetterStore.
func (s *Store) PostponeLetter(ctx context.Context, id string, attempts int, due time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.letters.mu.Lock()
	defer s.letters.mu.Unlock()
	l, ok := s.letters.byID[id]
	if !ok || attempts == 0 || l.Attempts != attempts {
		return auth.ErrStale
	}
	l.due = rounded(due)
	return nil
}

// RemoveLetter implements auth.LetterStore.
func (s *Store) RemoveLetter(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.letters.mu.Lock()
	defer s.letters.mu.Unlock()
	delete(s.letters.byID, id)
	return nil
}

// SweepLetters implements auth.LetterStore.
func (s *Store) SweepLetters(ctx context.Context, now time.Time, limit int) ([]auth.Letter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.letters.mu.Lock()
	defer s.letters.mu.Unlock()
	var swept []auth.Letter
	for id, l := range s.letters.byID {
		if len(swept) >= limit {
			break
		}
		if !l.ExpiresAt.After(now) {
			delete(s.letters.byID, id)
			swept = append(swept, l.Letter)
		}
	}
	return swept, nil
}

func ownLetter(l auth.Letter) auth.Letter {
	l.Secret.At, l.At = rounded(l.Secret.At), rounded(l.At)
	l.CreatedAt, l.ExpiresAt = rounded(l.CreatedAt), rounded(l.ExpiresAt)
	return l
}
