package password_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password"
)

// A review is done outside the gate, so no password may make it long (ASVS 15.2.2). Steps are counted, not time.
func TestReviewEffortIsBounded(t *testing.T) {
	h := newHasher(t, password.Config{ContextWords: []string{"acme", "aaa", "1il"}})
	abouts := []auth.PasswordContext{
		{Identifier: "jane.doe@example.com", Name: "Jane Doe"},
		{Identifier: strings.Repeat("a1l", 20) + "@" + strings.Repeat("il1.", 30), Name: strings.Repeat(strings.Repeat("a", 2000)+" ", 40)},
	}
	spent := 0
	for _, unit := range []string{
		"\u2057",           // four primes each
		"\u2172",           // iii
		"\u2026", "\ufb00", // three dots, ff
		"\ufdfa", // eighteen letters and spaces, the most that one code point becomes
		"a", "1", "1il!|", "aab", "a1", "!1", "0", "love1", "12345678901234567890", "qwertyuiop", "1q2w3e", "2000", "aaaaaaaaaaaaaaaa ", "iloveyou",
		"\u2172\u2172\u2172\u2172\u2172\u2172\u2172\u2172\u2172\u21721",
	} {
		for _, tail := range []string{"", "x", "9z"} {
			n := (256 - len(tail)) / len([]rune(unit))
			for i, about := range abouts {
				effort := h.Effort(strings.Repeat(unit, n)+tail, about)
				require.LessOrEqual(t, effort, password.MaxEffort+100_000, "%q%q %d", unit, tail, i)
				spent = max(spent, effort)
			}
		}
	}
	require.Greater(t, spent, password.MaxEffort, "some spend it all, or this shows nothing")
}

// What people and programs choose is far from the bound, so that it changes no verdict.
func TestReviewEffortSufficesForGoodPasswords(t *testing.T) {
	h := newHasher(t, password.Config{ContextWords: append(strings.Fields(password.TopList())[:100], "acme", "roadrunner")})
	about := auth.PasswordContext{Identifier: "jane.doe@example.com", Name: "Jane Doe"}
	r := rand.New(rand.NewPCG(3, 4))
	words := strings.Fields(password.TopList())
	for _, letters := range []string{
		"abcdefghijklmnopqrstuvwxyz", "0123456789", "0123456789abcdef", "абвгдежзиклмнопрст", "漢字仮名交文",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "1!|il0o@4a", "01",
	} {
		for range 6 {
			var b strings.Builder
			for range 256 {
				runes := []rune(letters)
				b.WriteRune(runes[r.IntN(len(runes))])
			}
			require.Less(t, h.Effort(b.String(), about), password.MaxEffort/2, b.String())
			require.Empty(t, review(t, h, b.String(), about))
		}
	}
	for range 20 {
		var phrase string
		for len(phrase) < 240 {
			phrase += words[r.IntN(len(words))] + " "
		}
		require.Less(t, h.Effort(phrase, about), password.MaxEffort/4, phrase)
		require.Empty(t, review(t, h, phrase, about))
	}
}

// A password that takes all effort repeats itself and is refused as that; it must not pass for good.
func TestReviewEffortSpentRefuses(t *testing.T) {
	h := newHasher(t, password.Config{})
	for _, unit := range []string{"\u2057", "\u2172", "\ufdfa"} {
		pw := strings.Repeat(unit, 254) + "x"
		require.Greater(t, h.Effort(pw, none), password.MaxEffort)
		require.Equal(t, password.Repetitive, review(t, h, pw, none))
	}
}

func FuzzPeriod(f *testing.F) {
	for _, text := range []string{"", "a", "aa", "ab", "abab", "ababa", "aabaab", "abcabcab", "aaaab", "abaaba"} {
		f.Add(text)
	}
	plain := func(text []rune) (int, bool) {
	next:
		for p := 1; p <= len(text)/2; p++ {
			for i := p; i < len(text); i++ {
				if text[i] != text[i-p] {
					continue next
				}
			}
			return p, true
		}
		return 0, false
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, repeats := plain([]rune(text))
		got, ok := password.Period(text)
		require.Equal(t, repeats, ok)
		if ok {
			require.Equal(t, want, got)
		}
	})
}
