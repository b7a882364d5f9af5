package password_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password"
)

func TestNewRefuses(t *testing.T) {
	params := func(kib, passes uint32, lanes uint8) password.Config {
		return password.Config{Params: password.Params{Memory: kib, Passes: passes, Lanes: lanes}, Memory: 8 << 30}
	}
	never := func(context.Context, auth.Secret) (bool, error) { return false, nil }
	for _, row := range []struct {
		name   string
		config password.Config
		says   string // empty: accepted
	}{
		{"all defaults", password.Config{}, ""},
		// The floor of ASVS 11.4.2.
		{"46 MiB, one pass", params(46<<10, 1, 1), ""},
		{"below it", params(46<<10-1, 1, 1), "they must reach"},
		{"19 MiB, two passes", params(19<<10, 2, 1), ""},
		{"below it", params(19<<10-1, 2, 1), "they must reach"},
		{"12 MiB, three passes", params(12<<10, 3, 1), ""},
		{"below it", params(12<<10-1, 3, 1), "they must reach"},
		{"many passes do not replace memory", params(8<<10, 10, 1), "they must reach"},
		{"no passes", params(46<<10, 0, 1), "0 passes"},
		{"no lanes", params(46<<10, 1, 0), "0 lanes"},
		{"more lanes", params(46<<10, 1, 16), ""},
		{"too many lanes", params(46<<10, 1, 17), "17 lanes"},
		{"too many passes", params(46<<10, 11, 1), "11 passes"},
		{"1 GiB", params(1<<20, 4, 1), ""},
		{"too much memory", params(1<<20+1, 1, 1), "1048577 KiB"},
		{"too much work", params(1<<20, 5, 1), "too much work"},

		{"room for one hash in each part", password.Config{Memory: 368 << 20}, ""},
		{"no room in the part for known devices", password.Config{Memory: 368<<20 - 8}, "for known devices"},
		{"no room in the rest", password.Config{Memory: 200 << 20, KnownShare: 75}, "and the rest"},
		{"negative memory", password.Config{Memory: -1}, "Memory is -1"},
		{"absurd memory", password.Config{Memory: 1 << 62}, "Memory is"},
		{"negative share", password.Config{KnownShare: -1}, "KnownShare is -1"},
		{"all for known devices", password.Config{KnownShare: 100}, "KnownShare is 100"},
		{"negative queue", password.Config{Queue: -1}, "Queue is -1"},
		{"negative wait", password.Config{Wait: -time.Second}, "Wait is -1s"},

		{"shorter passwords", password.Config{MinLength: 14}, "MinLength is 14"},
		{"longer passwords", password.Config{MinLength: 17}, ""},
		{"longer than the list covers", password.Config{MinLength: 18}, "need 3000; add to Common"},
		{"with a list of one's own", password.Config{MinLength: 24, Common: manyLong(3000)}, ""},
		{"no room for passphrases", password.Config{MinLength: 65, Common: manyLong(3000)}, "MinLength is 65"},
		{"7 with a second factor", password.Config{MinLengthWithFactor: 7}, "MinLengthWithFactor is 7"},
		{"8 with a second factor", password.Config{MinLengthWithFactor: 8}, ""},
		{"at most 63", password.Config{MaxLength: 63}, "MaxLength is 63"},
		{"at most 64", password.Config{MaxLength: 64}, ""},
		{"at most 257", password.Config{MaxLength: 257}, "MaxLength is 257"},

		{"a word of two letters", password.Config{ContextWords: []string{"acme", "ag"}}, `ContextWords has "ag"`},
		{"a number", password.Config{ContextWords: []string{"365"}}, `ContextWords has "365"`},
		{"no choice for breaches", password.Config{Breached: never}, "BreachFailure must be"},
		{"not a choice", password.Config{Breached: never, BreachFailure: 3}, "BreachFailure must be"},
		{"a choice", password.Config{Breached: never, BreachFailure: password.FailClosed}, ""},
	} {
		h, err := password.New(row.config)
		if row.says == "" {
			require.NoError(t, err, row.name)
			require.NotNil(t, h, row.name)
			continue
		}
		require.ErrorContains(t, err, row.says, row.name)
		require.Nil(t, h, row.name)
	}
}

// manyLong returns n made-up entries of 24 letters and digits.
func manyLong(n int) (entries []string) {
	for i := range n {
		entries = append(entries, fmt.Sprintf("made-up-for-this-test-%06d", i))
	}
	return entries
}

func TestNewNamesEveryProblem(t *testing.T) {
	_, err := password.New(password.Config{
		Params: password.Params{Memory: 1}, Memory: -1, KnownShare: 99, Queue: -1, Wait: -1,
		MinLength: 1, MinLengthWithFactor: 1, MaxLength: 1, ContextWords: []string{""},
		Breached: func(context.Context, auth.Secret) (bool, error) { return false, nil },
	})
	for _, name := range []string{"Params", "Memory", "KnownShare", "Queue", "Wait", "MinLength", "MinLengthWithFactor", "MaxLength", "ContextWords", "BreachFailure"} {
		require.ErrorContains(t, err, name)
	}
	require.True(t, strings.HasPrefix(err.Error(), "password: invalid Config: "))
}

func TestLengths(t *testing.T) {
	h := newHasher(t, password.Config{})
	shortest, longest := h.Lengths(false)
	require.Equal(t, []int{15, 256}, []int{shortest, longest})
	shortest, longest = h.Lengths(true)
	require.Equal(t, []int{8, 256}, []int{shortest, longest})
}
