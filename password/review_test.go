package password_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password"
)

var none = auth.PasswordContext{}

func review(t testing.TB, h *password.Hasher, pw string, about auth.PasswordContext) string {
	t.Helper()
	r, err := h.Review(t.Context(), auth.NewSecret(pw), about)
	require.NoError(t, err)
	require.False(t, r.Unchecked)
	return r.Problem
}

func readLines(t testing.TB, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func TestReviewLengths(t *testing.T) {
	// ASVS 6.2.1, 6.2.9: code points of the NFC form are counted, not bytes, and not what was typed.
	h := newHasher(t, password.Config{})
	const fine = "vqzjkxwbgmtrhpfdnlcs" // no words, no lines
	emoji := []rune("🦔🌧🎻🧀🚲🪁🥾🧭🪴🧵🎲🛶🪚🧯🪜")
	for _, row := range []struct {
		name, password string
		secondFactor   bool
		problem        string
	}{
		{"empty", "", false, password.TooShort},
		{"14", fine[:14], false, password.TooShort},
		{"15", fine[:15], false, ""},
		{"7 with a second factor", fine[:7], true, password.TooShort},
		{"8 with a second factor", fine[:8], true, ""},
		{"14 emoji, 56 bytes", string(emoji[:14]), false, password.TooShort},
		{"15 emoji", string(emoji), false, ""},
		{"15 typed, 14 after normalisation", fine[:13] + "u\u0308", false, password.TooShort},
		{"16 typed, 15 after normalisation", fine[:14] + "u\u0308", false, ""},
		{"256", random(t, 256), false, ""},
		{"257", random(t, 257), false, password.TooLong},
		{"a megabyte", strings.Repeat("a", 1<<20), false, password.TooLong},
		{"not UTF-8", fine + "\xff", false, password.Malformed},
		{"a surrogate", fine + "\xed\xa0\x80", false, password.Malformed},
		{"an overlong form", fine + "\xc0\xaf", false, password.Malformed},
		{"NUL is a character like others", fine[:7] + "\x00" + fine[7:14], false, ""},
	} {
		about := auth.PasswordContext{SecondFactor: row.secondFactor}
		require.Equal(t, row.problem, review(t, h, row.password, about), row.name)
	}
}

// random returns n random letters, the same each time.
func random(t testing.TB, n int) string {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz"[r.IntN(26)]
	}
	return string(b)
}

func TestReviewProblems(t *testing.T) {
	h := newHasher(t, password.Config{Common: []string{"Volkswagen Käfer 1303"}})
	for pw, problem := range map[string]string{
		"passwordpassword":              password.Common, // listed
		"PASSWORDpassword":              password.Common,
		"ｐａｓｓｗｏｒｄpassword":              password.Common, // full width
		"volkswagen KÄFER 1303":         password.Common,
		"!!!Counterstrike":              password.Common,
		"worldofwarcraft2":              password.Common,
		"w0rld0fw4rcr4ft":               password.Common,
		"thisismypassword":              password.Common,
		"abcabcabcabcabc":               password.Repetitive,
		"aaaaaaaaaaaaaaaaa":             password.Repetitive,
		"aaaaaaaaaaaaaaab":              password.Repetitive,
		"Zq7!xR2mZq7!xR2m":              password.Repetitive,
		"Zq7!xR2mZq7!xR2mZq":            password.Repetitive,
		"Summer24 Summer24 ":            password.Repetitive,
		"abcdefghijklmnopq":             password.Sequence,
		"zyxwvutsrqponmlkj":             password.Sequence,
		"98765432109876543":             password.Sequence,
		"19870612-1987061!":             password.Sequence,
		"клмнопрстуфхцчшщ":              password.Sequence,
		"qwertyuiop[]asdf":              password.Keyboard,
		"mnbvcxzlkjhgfd!":               password.Keyboard,
		"qwertzuiopüasdfghj":            password.Keyboard,
		"azertyuiopqsdfghjk":            password.Keyboard,
		"!QAZ@WSX#EDC$RFV%":             password.Keyboard,
		"йцукенгшщзфывапр":              password.Keyboard,
		"qqwweerrttyyuuiioo":            password.Keyboard,
		"iloveyoubutterfly123":          password.Words,
		"LetMeIn! Monkey 42":            password.Words,
		"dragon19870612!":               password.Words,
		"P@ssw0rd!2024!!!":              password.Words,
		"monkey-dragon-banana":          password.Words,
		"this is my password":           password.Words,
		"qwertyuiopdragon":              password.Words,
		"aaaaaaaapassword!":             password.Words,
		"correct horse battery st":      "",
		"horse battery staple":          "",
		"3141592654132442":              password.Words, // two listed numbers
		"monkey8473650935!":             "",             // so many digits and marks may be random
		"qwertyuiopasdfghjklz847365093": "",
		"l3f9toh1uaf81n21":              "",
		"dragon-monkey-8392-7301":       "",
	} {
		require.Equal(t, problem, review(t, h, pw, none), pw)
	}
}

func TestReviewOfShortOnes(t *testing.T) {
	h := newHasher(t, password.Config{})
	for pw, problem := range map[string]string{
		"dragon99":   password.Common,
		"Summer2024": password.Common,
		"qwertz12":   password.Keyboard,
		"aaaaaa7!":   password.Repetitive,
		"abababab":   password.Repetitive,
		"20061231":   password.Sequence,
		"s4ms0n91":   password.Common,
		"54m50n91":   "", // more than half is disguised
		"qwervxkz":   "", // half of it is not explained
		"jane7392":   "",
		"l3f9toh1":   "",
	} {
		require.Equal(t, problem, review(t, h, pw, auth.PasswordContext{SecondFactor: true}), pw)
	}
}

func TestReviewRefusesTheCommon(t *testing.T) {
	// ASVS 6.2.4: at least 3,000 entries of the lengths that are accepted, for both lengths.
	h := newHasher(t, password.Config{})
	for shortest, secondFactor := range map[int]bool{8: true, 15: false} {
		refused := 0
		for entry := range strings.Lines(password.CommonList()) {
			entry = strings.TrimSuffix(entry, "\n")
			if utf8.RuneCountInString(entry) < shortest {
				continue
			}
			about := auth.PasswordContext{SecondFactor: secondFactor}
			for _, typed := range []string{entry, strings.ToUpper(entry)} {
				require.Equal(t, password.Common, review(t, h, typed, about), typed)
			}
			refused++
		}
		require.GreaterOrEqual(t, refused, 3000)
		t.Logf("%d listed passwords of %d code points and more", refused, shortest)
	}
}

func TestReviewRulesByThemselves(t *testing.T) {
	// Without the long entries of the list, the rules must still find those that are made in the usual ways.
	h := newHasher(t, password.Config{})
	h.WithoutLong(15)

	found, all := 0, 0
	for entry := range strings.Lines(password.CommonList()) {
		if entry = strings.TrimSuffix(entry, "\n"); utf8.RuneCountInString(entry) >= 15 {
			all++
			if review(t, h, entry, none) != "" {
				found++
			}
		}
	}
	t.Logf("of %d real ones, the rules find %d", all, found)
	require.Greater(t, found, 1500)

	derived := map[string]bool{}
	top := strings.Fields(password.TopList())
	for i, word := range top {
		next := top[(i+7)%len(top)]
		for _, made := range []string{
			word + word, word + word + word, word + " " + word + " " + word, word + next, word + "_" + next + "1!",
			word + next + "2024", word + next + "123456", "ilove" + word + next, "my" + word + "is" + next,
			word + "1234567890", "qwertyuiop" + word, word + "19991231" + "!", strings.ToUpper(word[:1]) + word[1:] + "123" + next,
			strings.Replace(strings.Replace(word, "o", "0", 1), "e", "3", 1) + next + "99",
		} {
			if len(made) >= 15 {
				derived[made] = true
			}
		}
	}
	for made := range derived {
		require.NotEmpty(t, review(t, h, made, none), made)
	}
	require.Greater(t, len(derived), 3000)
	t.Logf("%d derived ones", len(derived))
}

func TestReviewLetsGoodOnesPass(t *testing.T) {
	h := newHasher(t, password.Config{ContextWords: []string{"acme", "roadrunner"}})
	about := auth.PasswordContext{Identifier: "jane.doe@example.com", Name: "Jane Doe"}
	good := readLines(t, "testdata/good.txt")
	require.Greater(t, len(good), 300)
	for _, pw := range good {
		require.Empty(t, review(t, h, pw, about), pw)
	}
}

func TestReviewContext(t *testing.T) {
	// ASVS 6.2.11: the whole password against each word, not a search for the word within it.
	h := newHasher(t, password.Config{ContextWords: []string{"AcmeCorp", "Roadrunner", "Größe AG"}})
	about := auth.PasswordContext{Identifier: "jane.doe-smith@mail.example.co.uk", Name: "Jané Doe-Smith"}
	for pw, problem := range map[string]string{
		"AcmeCorp2026!!!!":                     password.Context,
		"acmecorp 2026-2027":                   password.Context,
		"2026ACMECORP2026":                     password.Context,
		"@cmeC0rp20262026":                     password.Context,
		"AcmeCorpAcmeCorp":                     password.Context,
		"roadrunner@acmecorp":                  password.Context,
		"GRÖSSE AG 1234567":                    password.Context,
		"jane.doe-smith!!":                     password.Context,
		"janedoesmith1990":                     password.Context,
		"Smith, Jane (1987)":                   password.Context,
		"Jané Doe-Smith!":                      password.Context,
		"mail.example.co.uk":                   password.Context,
		"JANE.DOE-SMITH@MAIL.EXAMPLE.CO.UK":    password.Context,
		"123jane.doe-smith@mail.example.co.uk": password.Context,
		"janespassword123":                     password.Words,
		"acmecorpdragon1!":                     password.Words,
		"correct acme horse battery":           "",
		"acmecorp loves correct horses":        "",
		"Jane eats 14 pickled turnips":         "",
		"smithereens of porcelain":             "",
	} {
		require.Equal(t, problem, review(t, h, pw, about), pw)
	}
	about.Name = strings.Repeat("x ", 99) + strings.Repeat("abc ", 40) + "zebrastripes"
	require.Empty(t, review(t, h, "zebrastripes2026", about), "the work for one name is bounded")
	require.Equal(t, password.Context, review(t, h, "s4ms0n1234567890", auth.PasswordContext{Name: "Samson"}))
	require.Empty(t, review(t, h, "54m50n#76384#609", auth.PasswordContext{Name: "Samson"}))
	// An account that suggests nothing, or too much, does no harm.
	const fine = "vqzjkxwbgmtrhpf"
	for _, about := range []auth.PasswordContext{
		{}, {Identifier: "@", Name: " "}, {Identifier: "a@b.c", Name: "J K"}, {Identifier: "\xff\xfe@\xff", Name: "\xff"},
		{Identifier: strings.Repeat("@", 1000), Name: strings.Repeat("abc ", 10_000)},
	} {
		require.Empty(t, review(t, h, fine, about))
	}
}

func TestReviewIsCanonical(t *testing.T) {
	h := newHasher(t, password.Config{Common: []string{"schöne grüße aus köln"}})
	require.Equal(t, password.Common, review(t, h, "schöne grüße aus köln", none))
	require.Equal(t, password.Common, review(t, h, "scho\u0308ne gru\u0308ße aus ko\u0308ln", none))
	require.Equal(t, password.Common, review(t, h, "SCHÖNE GRÜSSE AUS KÖLN", none))
}

func TestReviewAsksBreached(t *testing.T) {
	down := errors.New("no answer")
	for _, row := range []struct {
		name    string
		found   bool
		err     error
		failure password.BreachFailure
		want    auth.PasswordReview
		logged  string // empty: nothing
	}{
		{"found", true, nil, password.FailClosed, auth.PasswordReview{Problem: password.Breached}, ""},
		{"not found", false, nil, password.FailClosed, auth.PasswordReview{}, ""},
		{"down, closed", false, down, password.FailClosed, auth.PasswordReview{Problem: password.Unchecked, Unchecked: true}, "ERROR"},
		{"found and down, closed", true, down, password.FailClosed, auth.PasswordReview{Problem: password.Unchecked, Unchecked: true}, "ERROR"},
		{"down, open", false, down, password.FailOpen, auth.PasswordReview{Unchecked: true}, "WARN"},
		{"found and down, open", true, down, password.FailOpen, auth.PasswordReview{Unchecked: true}, "WARN"},
	} {
		var asked []string
		var log strings.Builder
		h := newHasher(t, password.Config{
			Breached: func(_ context.Context, pw auth.Secret) (bool, error) {
				asked = append(asked, pw.Reveal())
				return row.found, row.err
			},
			BreachFailure: row.failure,
			Logger:        slog.New(slog.NewTextHandler(&log, nil)),
		})
		const pw = "vqzjkxwbgmtrhp\u0065\u0301"
		got, err := h.Review(t.Context(), auth.NewSecret(pw), none)
		require.NoError(t, err, row.name)
		require.Equal(t, row.want, got, row.name)
		require.Equal(t, []string{"vqzjkxwbgmtrhp\u00e9"}, asked, row.name)
		require.Equal(t, row.logged != "", strings.Contains(log.String(), "no answer"), row.name)
		require.Contains(t, log.String(), row.logged, row.name)
		require.NotContains(t, log.String(), "vqzj")

		require.Equal(t, password.Common, review(t, h, "passwordpassword", none))
		require.Equal(t, password.TooShort, review(t, h, "vqzj", none))
		require.Len(t, asked, 1, "what is refused anyway leaves the process in no form")
	}
}

func TestReviewTellsAnEndedRequestFromAFailedCheck(t *testing.T) {
	gone := errors.New("the client went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	var log strings.Builder
	h := newHasher(t, password.Config{
		Breached: func(ctx context.Context, _ auth.Secret) (bool, error) {
			cancel(gone)
			return false, ctx.Err()
		},
		BreachFailure: password.FailOpen,
		Logger:        slog.New(slog.NewTextHandler(&log, nil)),
	})
	_, err := h.Review(ctx, auth.NewSecret("vqzjkxwbgmtrhpfdnlcs"), none)
	require.ErrorIs(t, err, gone)
	require.Empty(t, log.String())
}

func TestReviewIsBounded(t *testing.T) {
	// The longest passwords with the most ways to cut them end, and soon.
	h := newHasher(t, password.Config{})
	for _, part := range []string{"1il!|", "a", "an", "love1", "welcome!l0ve", "qwerty", "1q2w", "\ufdfa", "!1!1!1|", "2000", "aaa1"} {
		for _, end := range []string{"", "x"} {
			n := (256 - len(end)) / utf8.RuneCountInString(part)
			_ = review(t, h, strings.Repeat(part, n)+end, none)
		}
	}
}

func TestListsAreInOrder(t *testing.T) {
	for name, text := range map[string]string{"common": password.CommonList(), "top": password.TopList()} {
		last := ""
		for line := range strings.Lines(text) {
			entry := strings.TrimSuffix(line, "\n")
			require.NotEqual(t, line, entry, "%s: the last line ends too", name)
			require.Less(t, last, entry, name)
			require.True(t, utf8.ValidString(entry), name)
			last = entry
		}
	}
	for word := range strings.Lines(password.TopList()) {
		require.Contains(t, password.CommonList(), "\n"+word, "every top word is a common one")
	}
}

func ExampleHasher_Review() {
	h, err := password.New(password.Config{ContextWords: []string{"Acme"}})
	if err != nil {
		panic(err)
	}
	about := auth.PasswordContext{Identifier: "jane.doe@example.com", Name: "Jane Doe"}
	for _, typed := range []string{"Acme2026Acme2026!", "iloveyouforever123", "correct horse battery staple"} {
		review, err := h.Review(context.Background(), auth.NewSecret(typed), about)
		fmt.Printf("%q %v\n", review.Problem, err)
	}
	// Output:
	// "context" <nil>
	// "common" <nil>
	// "" <nil>
}
