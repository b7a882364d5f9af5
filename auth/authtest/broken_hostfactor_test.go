package authtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
)

func TestHostFactorRulesCatch(t *testing.T) {
	caught(t, hostFactorRules(), brokenHostFactors(), func() IssuedCodes { return newSheets().issued() })
}

func TestCheckHostFactorReportsEveryBrokenRule(t *testing.T) {
	require.NoError(t, CheckHostFactor(t.Context(), func() (IssuedCodes, error) { return newSheets().issued(), nil }))
	err := CheckHostFactor(t.Context(), func() (IssuedCodes, error) { return heedless()(), nil })
	for _, name := range []string{"the code that added it is used", "an older code is used up", "codes are used in turn"} {
		require.ErrorContains(t, err, name)
	}
	require.NotContains(t, err.Error(), "a code adds what was issued:")
	unopened := errors.New("no printer")
	require.ErrorIs(t, CheckHostFactor(t.Context(), func() (IssuedCodes, error) { return IssuedCodes{}, unopened }), unopened)
}

// sheets is a sound host's factor with hooks; hooks that are nil do nothing. It remembers the place of the last code
// of each account that it accepted.
type sheets struct {
	mu    sync.Mutex
	used  map[string]int
	enrol func(ctx context.Context, account string, typed auth.Secret) (auth.HostEnrolment, bool, error)
	check func(ctx context.Context, f auth.StoredFactor, typed auth.Secret) (auth.HostUse, bool, error)
}

func newSheets() *sheets { return &sheets{used: map[string]int{}} }

func (s *sheets) issued() IssuedCodes {
	return IssuedCodes{s, func(account string, n int) (auth.Secret, time.Time) {
		return auth.NewSecret(sheetCode(account, n)), at(time.Duration(n) * time.Minute)
	}}
}

func sheetCode(account string, n int) string { return fmt.Sprintf("%s-%06d", account, 700000+n) }

// placeOf is the place of the code, from 1; zero for none.
func placeOf(account, typed string) int {
	for n := range issued {
		if (account == "a1" || account == "a2") && sheetCode(account, n) == typed {
			return n + 1
		}
	}
	return 0
}

func (s *sheets) accepts(account string, n int) {
	s.used[account] = max(s.used[account], n)
}

func (s *sheets) soundEnrol(account string, typed auth.Secret) (auth.HostEnrolment, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := placeOf(account, typed.Reveal())
	if n <= s.used[account] {
		return auth.HostEnrolment{}, false, nil
	}
	s.accepts(account, n)
	return auth.HostEnrolment{Handle: "sheet of " + account, Data: "sealed", Counter: int64(n)}, true, nil
}

func (s *sheets) soundCheck(f auth.StoredFactor, typed auth.Secret) (auth.HostUse, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Handle != "sheet of "+f.Account {
		return auth.HostUse{}, false, errors.New("no such sheet")
	}
	n := placeOf(f.Account, typed.Reveal())
	if int64(n) <= f.Counter {
		return auth.HostUse{}, false, nil
	}
	s.accepts(f.Account, n)
	return auth.HostUse{Counter: int64(n), Data: "sealed again"}, true, nil
}

func (s *sheets) Enrol(ctx context.Context, account string, typed auth.Secret, _ time.Time) (auth.HostEnrolment, bool, error) {
	if s.enrol != nil {
		return s.enrol(ctx, account, typed)
	}
	return s.soundEnrol(account, typed)
}

func (s *sheets) Check(ctx context.Context, f auth.StoredFactor, typed auth.Secret, _ time.Time) (auth.HostUse, bool, error) {
	if s.check != nil {
		return s.check(ctx, f, typed)
	}
	return s.soundCheck(f, typed)
}

func brokenSheets(fault func(s *sheets)) func() IssuedCodes {
	return func() IssuedCodes {
		s := newSheets()
		fault(s)
		return s.issued()
	}
}

// misenrolling changes what Enrol is asked or answers.
func misenrolling(ask func(account, typed string) (string, string), answer func(e *auth.HostEnrolment, ok *bool)) func() IssuedCodes {
	return brokenSheets(func(s *sheets) {
		s.enrol = func(_ context.Context, account string, typed auth.Secret) (auth.HostEnrolment, bool, error) {
			a, c := account, typed.Reveal()
			if ask != nil {
				a, c = ask(a, c)
			}
			e, ok, err := s.soundEnrol(a, auth.NewSecret(c))
			if answer != nil {
				answer(&e, &ok)
			}
			return e, ok, err
		}
	})
}

// misusing changes what Check is asked.
func misusing(ask func(f *auth.StoredFactor, typed *string)) func() IssuedCodes {
	return brokenSheets(func(s *sheets) {
		s.check = func(_ context.Context, f auth.StoredFactor, typed auth.Secret) (auth.HostUse, bool, error) {
			code := typed.Reveal()
			ask(&f, &code)
			return s.soundCheck(f, auth.NewSecret(code))
		}
	})
}

// heedless does not look at the counter, and always answers the same.
func heedless() func() IssuedCodes {
	return brokenSheets(func(s *sheets) {
		s.check = func(_ context.Context, f auth.StoredFactor, typed auth.Secret) (auth.HostUse, bool, error) {
			return auth.HostUse{Counter: 1}, placeOf(f.Account, typed.Reveal()) > 0, nil
		}
	})
}

func brokenHostFactors() map[string]func() IssuedCodes {
	all := maps.Clone(brokenHostEnrolments)
	maps.Copy(all, brokenHostUses)
	maps.Copy(all, brokenHostQuestions)
	return all
}

var brokenHostEnrolments = map[string]func() IssuedCodes{
	"a code adds what was issued": misenrolling(nil, func(e *auth.HostEnrolment, _ *bool) { e.Handle = "" }),
	"what was issued has one handle": misenrolling(nil, func(e *auth.HostEnrolment, _ *bool) {
		e.Handle += fmt.Sprint(" code ", e.Counter)
	}),
	"a wrong code adds nothing": misenrolling(func(account, typed string) (string, string) {
		return account, strings.TrimSuffix(typed, "\x00")
	}, nil),
	"somebody else's code adds nothing": misenrolling(func(account, typed string) (string, string) {
		return fold(account), typed
	}, nil),
	"what was used adds nothing": brokenSheets(func(s *sheets) {
		s.enrol = func(_ context.Context, account string, typed auth.Secret) (auth.HostEnrolment, bool, error) {
			n := placeOf(account, typed.Reveal()) // it remembers nothing
			return auth.HostEnrolment{Handle: "sheet of " + account, Counter: int64(n)}, n > 0, nil
		}
	}),
}

var brokenHostUses = map[string]func() IssuedCodes{
	"the code that added it is used": misusing(func(f *auth.StoredFactor, _ *string) { f.Counter-- }),
	"codes are used in turn":         heedless(),
	"a code may be lost": brokenSheets(func(s *sheets) {
		s.check = func(_ context.Context, f auth.StoredFactor, typed auth.Secret) (auth.HostUse, bool, error) {
			if placeOf(f.Account, typed.Reveal()) != int(f.Counter)+1 { // exactly the next one, for ever
				return auth.HostUse{}, false, nil
			}
			return s.soundCheck(f, typed)
		}
	}),
	"an older code is used up": misusing(func(f *auth.StoredFactor, typed *string) {
		if n := placeOf(f.Account, *typed); n > 0 && int64(n) < f.Counter { // it knows the last one only
			f.Counter = 0
		}
	}),
	"a wrong code is wrong": brokenSheets(func(s *sheets) {
		s.check = func(_ context.Context, f auth.StoredFactor, typed auth.Secret) (auth.HostUse, bool, error) {
			if placeOf(f.Account, typed.Reveal()) == 0 {
				return auth.HostUse{}, false, errors.New("not a code")
			}
			return s.soundCheck(f, typed)
		}
	}),
	"a code is of one account": misusing(func(f *auth.StoredFactor, typed *string) {
		*typed = strings.Replace(*typed, "a2", f.Account, 1) // looks at the digits alone
	}),
	"a factor is of one account": misusing(func(f *auth.StoredFactor, _ *string) {
		f.Account = strings.TrimPrefix(f.Handle, "sheet of ") // believes what is stored
	}),
	"nothing stored is a code": misenrolling(nil, func(e *auth.HostEnrolment, _ *bool) {
		e.Data = "next: " + strings.ReplaceAll(sheetCode("a1", 4), "-", "")
	}),
}

var brokenHostQuestions = map[string]func() IssuedCodes{
	"questions may come at once": brokenSheets(func(s *sheets) {
		crowded := from(3)
		s.check = func(_ context.Context, f auth.StoredFactor, typed auth.Secret) (auth.HostUse, bool, error) {
			if crowded() {
				return auth.HostUse{}, false, errors.New("the table is locked")
			}
			return s.soundCheck(f, typed)
		}
	}),
	"a question ends with its context": brokenSheets(func(s *sheets) {
		s.check = func(ctx context.Context, f auth.StoredFactor, typed auth.Secret) (auth.HostUse, bool, error) {
			if ctx.Err() != nil {
				select {} // waits for a server that never answers
			}
			return s.soundCheck(f, typed)
		}
	}),
	"an error quotes no code": brokenSheets(func(s *sheets) {
		s.check = func(_ context.Context, f auth.StoredFactor, typed auth.Secret) (auth.HostUse, bool, error) {
			use, ok, err := s.soundCheck(f, typed)
			if err != nil {
				err = fmt.Errorf("code %s: %w", typed.Reveal(), err)
			}
			return use, ok, err
		}
	}),
}
