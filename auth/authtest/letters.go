package authtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// RunLetters checks the contract of auth.LetterStore, a subtest and a fresh, empty store for each rule.
func RunLetters(t *testing.T, open func(t *testing.T) auth.LetterStore) {
	t.Helper()
	run(t, letterRules(), open)
}

// CheckLetters checks the contract of auth.LetterStore outside a test. It calls open for each rule, which must
// return an empty store, and returns every rule that is broken.
func CheckLetters(ctx context.Context, open func() (auth.LetterStore, error)) error {
	return check(ctx, letterRules(), open)
}

func letterRules() []rule[auth.LetterStore] {
	return slices.Concat(queueRules, claimRules, letterSweepRules)
}

// letter returns a letter with every field set. It was queued at start and expires an hour later.
func letter(id string) auth.Letter {
	return auth.Letter{
		ID: id, Kind: auth.SignInLetter, Account: "account of " + id, To: "Zoë." + id + "@example.org", Name: "Zoë \"Z\" O'Neil <z>",
		Language: "de-AT",
		Secret: auth.SecretRef{
			Purpose: auth.ForSignIn, Ticket: "ticket of " + id, Flow: "flow of " + id, Account: "decoy of " + id, At: at(-3 * tick),
		},
		Key: "k1", At: at(-2 * tick), Device: "Browser/1.0 (\U0001f511; 'x' \\ %)", Network: "203.0.113.*", Method: "totp",
		Address: "other@example.org", CreatedAt: start, ExpiresAt: at(time.Hour),
	}
}

// lettersFrom returns letters with ids that begin with the prefix and sort in the order of the times that they
// were queued at, one a minute.
func lettersFrom(prefix string, n int) []auth.Letter {
	all := make([]auth.Letter, n)
	for i := range all {
		all[i] = letter(fmt.Sprintf("%s%03d", prefix, i))
		all[i].CreatedAt = at(time.Duration(i-n) * time.Minute)
	}
	return all
}

// claims claims at most limit letters and demands these, in this order. It returns them.
func claims(ctx context.Context, p *probe, s auth.LetterStore, now, until time.Time, limit int, want ...string) []auth.QueuedLetter {
	got, err := s.ClaimLetters(ctx, now, until, limit)
	p.ok("ClaimLetters", err)
	equal(p, fmt.Sprintf("claimed at %s", now.Sub(start)), idsOf(got), want)
	return got
}

func idsOf(letters []auth.QueuedLetter) []string {
	var ids []string
	for _, l := range letters {
		ids = append(ids, l.ID)
	}
	return ids
}

var queueRules = []rule[auth.LetterStore]{
	{
		"a letter comes back whole",
		"a letter is claimed with every field as given, times in UTC to the millisecond, as the first attempt",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			full, bare := letter("l1"), auth.Letter{ID: "l2", Kind: auth.BlankLetter, CreatedAt: at(tick), ExpiresAt: at(time.Hour)}
			p.ok("AddLetters", s.AddLetters(ctx, full, bare))
			got, err := s.ClaimLetters(ctx, at(tick), at(time.Minute), 10)
			p.ok("ClaimLetters", err)
			equal(p, "claimed", got, []auth.QueuedLetter{{Letter: full, Attempts: 1}, {Letter: bare, Attempts: 1}})
		},
	},
	{
		"a letter is due at once",
		"a letter that nobody tried is claimed whatever its time: the clock that made it may be ahead, and a code is waited for",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			l := letter("l1")
			l.CreatedAt = at(10 * time.Second)
			p.ok("AddLetters", s.AddLetters(ctx, l))
			claims(ctx, p, s, start, at(time.Minute), 10, "l1")
		},
	},
	{
		"adding nothing is no error",
		"an act that tells nobody queues no letter",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			p.ok("AddLetters", s.AddLetters(ctx))
			claims(ctx, p, s, start, at(time.Minute), 10)
		},
	},
	{
		"an id is queued once",
		"a letter whose id is there already is skipped and the others are queued: an act that is repeated sends nothing twice",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			first, again := letter("l1"), letter("l1")
			again.To = "mallory@example.org"
			p.ok("AddLetters", s.AddLetters(ctx, first))
			p.ok("AddLetters", s.AddLetters(ctx, again, letter("l2"), again))
			got := claims(ctx, p, s, start, at(time.Minute), 10, "l1", "l2")
			if len(got) > 0 {
				equal(p, "the first letter", got[0], auth.QueuedLetter{Letter: first, Attempts: 1})
			}
			p.ok("AddLetters of a claimed one", s.AddLetters(ctx, again))
			claims(ctx, p, s, at(time.Second), at(time.Minute), 10)
		},
	},
	{
		"letters are queued together",
		"of letters given at once all are queued or, if one cannot be stored, none: an act tells all whom it concerns",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			odd := letter("l2")
			odd.To = "\xff\x00@example.org"
			var want []string
			if err := s.AddLetters(ctx, letter("l1"), odd, letter("l3")); err == nil {
				want = []string{"l1", "l2", "l3"}
			}
			claims(ctx, p, s, start, at(time.Minute), 10, want...)
		},
	},
	{
		"a removed letter is gone",
		"a letter that was sent is not claimed again, not even when its claim has run out; the others stay",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			p.ok("AddLetters", s.AddLetters(ctx, letter("l1"), letter("l2"), letter("l3")))
			claims(ctx, p, s, start, at(time.Minute), 2, "l1", "l2")
			p.ok("RemoveLetter", s.RemoveLetter(ctx, "l1"))
			p.ok("RemoveLetter of one that nobody claimed", s.RemoveLetter(ctx, "l3"))
			claims(ctx, p, s, at(2*time.Minute), at(3*time.Minute), 10, "l2")
		},
	},
	{
		"removing an unknown letter is no error",
		"two who sent one letter both remove it",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			p.ok("RemoveLetter", s.RemoveLetter(ctx, "l1"))
			p.ok("AddLetters", s.AddLetters(ctx, letter("l1")))
			p.ok("RemoveLetter", s.RemoveLetter(ctx, "l1"))
			p.ok("RemoveLetter again", s.RemoveLetter(ctx, "l1"))
		},
	},
	{
		"letter ids are opaque",
		"ids that differ in a byte are different letters; one that cannot be stored is refused, never mistaken",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			stored := map[string]bool{}
			for _, id := range append(oddStrings(), longStrings()...) {
				if err := s.AddLetters(ctx, letter(id)); err == nil {
					stored[id] = true
				} else if !mayRefuse(id) {
					p.failf("AddLetters of %q: %v", id, err)
				}
			}
			got, err := s.ClaimLetters(ctx, start, at(time.Minute), 1000)
			p.ok("ClaimLetters", err)
			for _, l := range got {
				if !stored[l.ID] {
					p.failf("claimed %q, which was not queued, or was claimed before", l.ID)
				}
				delete(stored, l.ID)
				equal(p, fmt.Sprintf("letter %q", l.ID), l.Letter, letter(l.ID))
			}
			for id := range stored {
				p.failf("%q was queued and not claimed", id)
			}
		},
	},
	{
		"what a letter says is opaque",
		"addresses and names come back byte by byte or are refused: nobody else's mailbox may get the letter",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			want := map[string]string{}
			for i, text := range append(oddStrings(), longStrings()...) {
				l := letter(fmt.Sprintf("l%03d", i))
				l.To, l.Name, l.Device = text, text, text
				if err := s.AddLetters(ctx, l); err == nil {
					want[l.ID] = text
				} else if !mayRefuse(text) {
					p.failf("AddLetters to %q: %v", text, err)
				}
			}
			got, err := s.ClaimLetters(ctx, start, at(time.Minute), 1000)
			p.ok("ClaimLetters", err)
			equal(p, "how many were claimed", len(got), len(want))
			for _, l := range got {
				equal(p, "to, name and device of "+l.ID, []string{l.To, l.Name, l.Device}, []string{want[l.ID], want[l.ID], want[l.ID]})
			}
		},
	},
	{
		"a done context queues nothing",
		"with a context that is done every method returns an error and leaves the queue as it was",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			p.ok("AddLetters", s.AddLetters(ctx, letter("l1")))
			claims(ctx, p, s, start, at(time.Minute), 1, "l1")
			done := cancelled(ctx)
			_, claim := s.ClaimLetters(done, at(time.Minute), at(2*time.Minute), 10)
			_, sweep := s.SweepLetters(done, at(2*time.Hour), 10)
			for what, err := range map[string]error{
				"AddLetters": s.AddLetters(done, letter("l2")), "ClaimLetters": claim, "SweepLetters": sweep,
				"PostponeLetter": s.PostponeLetter(done, "l1", 1, start), "RemoveLetter": s.RemoveLetter(done, "l1"),
			} {
				p.fails(what, err)
				if errors.Is(err, auth.ErrStale) {
					p.failf("%s: got %v for a letter that is there", what, err)
				}
			}
			got := claims(ctx, p, s, at(time.Minute), at(2*time.Minute), 10, "l1")
			if len(got) > 0 {
				equal(p, "attempts", got[0].Attempts, 2)
			}
		},
	},
}

var claimRules = []rule[auth.LetterStore]{
	{
		"a claim hides the letter",
		"nobody else gets a claimed letter before the claim runs out; at that very moment it is due again, as the next attempt: whoever died with it leaves it to the next",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			p.ok("AddLetters", s.AddLetters(ctx, letter("l1")))
			until := at(time.Minute)
			claims(ctx, p, s, start, until, 10, "l1")
			claims(ctx, p, s, start, until, 10)
			claims(ctx, p, s, until.Add(-tick), at(time.Hour), 10)
			got := claims(ctx, p, s, until, until.Add(time.Minute), 10, "l1")
			if len(got) > 0 {
				equal(p, "claimed again", got[0], auth.QueuedLetter{Letter: letter("l1"), Attempts: 2})
			}
		},
	},
	{
		"one claimer gets a letter",
		"of callers that claim at once each letter goes to one: nobody is told twice",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			all := lettersFrom("l", 3*racers)
			p.ok("AddLetters", s.AddLetters(ctx, all...))
			claimed := make([][]auth.QueuedLetter, racers)
			errs := race(racers, func(i int) (err error) {
				for range 3 {
					got, claimErr := s.ClaimLetters(ctx, start, at(time.Minute), 2)
					claimed[i], err = append(claimed[i], got...), errors.Join(err, claimErr)
				}
				return err
			})
			p.ok("ClaimLetters", errors.Join(errs...))
			ids := idsOf(slices.Concat(claimed...))
			slices.Sort(ids)
			var want []string
			for _, l := range all {
				want = append(want, l.ID)
			}
			equal(p, "claimed by anybody", ids, want)
		},
	},
	{
		"a claim keeps to its limit",
		"a claim returns at most limit letters, and another one returns the rest",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			p.ok("AddLetters", s.AddLetters(ctx, lettersFrom("l", 5)...))
			claims(ctx, p, s, start, at(time.Minute), 0)
			claims(ctx, p, s, start, at(time.Minute), 2, "l000", "l001")
			claims(ctx, p, s, start, at(time.Minute), 2, "l002", "l003")
			claims(ctx, p, s, start, at(time.Minute), 2, "l004")
			claims(ctx, p, s, start, at(time.Minute), 2)
		},
	},
	{
		"those due first come first",
		"letters are claimed in the order in which they became due, whether queued or postponed: none waits for ever behind newer ones",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			all := lettersFrom("l", 4) // due at -4m to -1m
			slices.Reverse(all)
			p.ok("AddLetters", s.AddLetters(ctx, all...))
			claims(ctx, p, s, start, at(time.Minute), 1, "l000")
			p.ok("PostponeLetter", s.PostponeLetter(ctx, "l000", 1, at(-150*time.Second)))
			claims(ctx, p, s, start, at(time.Minute), 10, "l001", "l000", "l002", "l003")
		},
	},
	{
		"an expired letter is not claimed",
		"at the very moment of ExpiresAt a letter is not sent any more; a millisecond before, it is",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			first, second := letter("l1"), letter("l2")
			first.ExpiresAt, second.ExpiresAt = at(time.Minute), at(time.Minute+tick)
			p.ok("AddLetters", s.AddLetters(ctx, first, second))
			claims(ctx, p, s, at(time.Minute), at(time.Minute+tick), 10, "l2")
			claims(ctx, p, s, at(time.Minute+tick), at(time.Hour), 10)
		},
	},
	{
		"a postponed letter waits",
		"a letter that is postponed is due at the given time and not before, sooner or later than its claim runs out",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			p.ok("AddLetters", s.AddLetters(ctx, letter("l1"), letter("l2")))
			claims(ctx, p, s, start, at(10*time.Minute), 10, "l1", "l2")
			sooner, later := at(time.Minute), at(20*time.Minute)
			p.ok("PostponeLetter", s.PostponeLetter(ctx, "l1", 1, sooner))
			p.ok("PostponeLetter", s.PostponeLetter(ctx, "l2", 1, later))
			claims(ctx, p, s, sooner.Add(-tick), at(time.Hour), 10)
			claims(ctx, p, s, sooner, at(time.Hour), 10, "l1")
			claims(ctx, p, s, later.Add(-tick), at(time.Hour), 10)
			claims(ctx, p, s, later, at(time.Hour), 10, "l2")
		},
	},
	{
		"only the present attempt postpones",
		"who lost a letter to another attempt, or never had it, gets ErrStale and changes nothing",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			p.ok("AddLetters", s.AddLetters(ctx, letter("l1")))
			p.is("Postpone before any attempt", s.PostponeLetter(ctx, "l1", 0, at(50*time.Minute)), auth.ErrStale)
			claims(ctx, p, s, start, at(time.Minute), 10, "l1")
			claims(ctx, p, s, at(time.Minute), at(2*time.Minute), 10, "l1")
			for _, attempts := range []int{0, 1, 3, -1} {
				err := s.PostponeLetter(ctx, "l1", attempts, at(50*time.Minute))
				p.is(fmt.Sprintf("Postpone of attempt %d in attempt 2", attempts), err, auth.ErrStale)
			}
			p.is("Postpone of an unknown one", s.PostponeLetter(ctx, "l2", 1, start), auth.ErrStale)
			claims(ctx, p, s, at(2*time.Minute), at(3*time.Minute), 10, "l1")
			p.ok("RemoveLetter", s.RemoveLetter(ctx, "l1"))
			p.is("Postpone of a removed one", s.PostponeLetter(ctx, "l1", 3, start), auth.ErrStale)
			claims(ctx, p, s, at(4*time.Minute), at(5*time.Minute), 10)
		},
	},
}

var letterSweepRules = []rule[auth.LetterStore]{
	{
		"a sweep returns what expired",
		"letters that expired by now go, the one that expires now included, and no others; all of each is told, so that it can be reported",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			var want []auth.Letter
			for i := range 5 {
				l := letter(fmt.Sprintf("l%d", i))
				l.ExpiresAt = at(time.Duration(i) * tick)
				p.ok("AddLetters", s.AddLetters(ctx, l))
				if i <= 2 {
					want = append(want, l)
				}
			}
			got, err := s.SweepLetters(ctx, at(2*tick), 100)
			p.ok("SweepLetters", err)
			slices.SortFunc(got, func(a, b auth.Letter) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
			equal(p, "swept", got, want)
			claims(ctx, p, s, start.Add(-time.Hour), at(time.Minute), 100, "l3", "l4")
		},
	},
	{
		"a sweep takes claimed letters too",
		"a letter that expired in somebody's hands is swept as well, and its attempt can no longer postpone it",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			p.ok("AddLetters", s.AddLetters(ctx, letter("l1")))
			claims(ctx, p, s, start, at(2*time.Hour), 10, "l1")
			got, err := s.SweepLetters(ctx, at(time.Hour), 100)
			p.ok("SweepLetters", err)
			equal(p, "swept", got, []auth.Letter{letter("l1")})
			p.is("Postpone of a swept one", s.PostponeLetter(ctx, "l1", 1, start), auth.ErrStale)
		},
	},
	{
		"a letter sweep keeps to its limit",
		"a sweep deletes at most limit letters, and another one deletes the rest",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			p.ok("AddLetters", s.AddLetters(ctx, lettersFrom("l", 5)...))
			for _, step := range []struct{ limit, want int }{{0, 0}, {2, 2}, {2, 2}, {2, 1}, {2, 0}} {
				got, err := s.SweepLetters(ctx, at(2*time.Hour), step.limit)
				p.ok("SweepLetters", err)
				equal(p, fmt.Sprintf("swept with limit %d", step.limit), len(got), step.want)
			}
		},
	},
	{
		"one sweeper reports a letter",
		"of callers that sweep at once each expired letter is returned to one: no failure is reported twice",
		func(ctx context.Context, p *probe, s auth.LetterStore) {
			p.ok("AddLetters", s.AddLetters(ctx, lettersFrom("l", 2*racers)...))
			swept := make([][]auth.Letter, racers)
			errs := race(racers, func(i int) (err error) {
				swept[i], err = s.SweepLetters(ctx, at(2*time.Hour), 3)
				return err
			})
			p.ok("SweepLetters", errors.Join(errs...))
			var ids []string
			for _, l := range slices.Concat(swept...) {
				ids = append(ids, l.ID)
			}
			slices.Sort(ids)
			var want []string
			for _, l := range lettersFrom("l", 2*racers) {
				want = append(want, l.ID)
			}
			equal(p, "swept by anybody", ids, want)
		},
	},
}
