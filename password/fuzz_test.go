package password_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password"
)

func FuzzStoredHash(f *testing.F) {
	f.Add("$argon2id$v=19$" + good)
	for _, row := range badHashes {
		if len(row.hash) < 1000 {
			f.Add(row.hash)
		}
	}
	shape := regexp.MustCompile(`\A\$argon2id\$v=19\$m=[1-9]\d{0,6},t=([1-9]|10),p=([1-9]|1[0-6])\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}\z`)
	f.Fuzz(func(t *testing.T, encoded string) {
		again, err := password.Reformat(encoded)
		if err != nil {
			require.Empty(t, again)
			return
		}
		require.Equal(t, encoded, again, "one hash, one spelling")
		require.Regexp(t, shape, encoded)
	})
}

func FuzzVerify(f *testing.F) {
	f.Add("correct horse", "correct horse ")
	f.Add("Zürich", "Zu\u0308rich")
	f.Add("\xff", "\xff")
	f.Add("\x00", "")
	f.Fuzz(func(t *testing.T, is, typed string) {
		h, _ := recorded(t, small())
		hash, err := h.Hash(t.Context(), auth.NewSecret(is), false)
		usable := is != "" && utf8.ValidString(is) && utf8.RuneCountInString(norm.NFC.String(is)) <= 256
		require.Equal(t, usable, err == nil)
		if err != nil {
			require.Empty(t, hash)
			return
		}
		match, upgrade, err := h.Verify(t.Context(), hash, auth.NewSecret(typed), false)
		require.NoError(t, err)
		require.False(t, upgrade)
		same := utf8.ValidString(typed) && norm.NFC.String(is) == norm.NFC.String(typed)
		require.Equal(t, same, match)
	})
}

var problems = []string{
	"", password.TooShort, password.TooLong, password.Malformed, password.Context, password.Common, password.Repetitive,
	password.Sequence, password.Keyboard, password.Words,
}

func FuzzReview(f *testing.F) {
	f.Add("correct horse battery staple", "jane@example.com", "Jane Doe", false)
	f.Add("AcmeCorp2026!!!!", "", "AcmeCorp", true)
	f.Add("passwordpassword", "@", "", true)
	f.Add("1!1!1!qwertyaaaa20001231", "\xff", "a b c", true)
	h := newHasher(f, small())
	f.Fuzz(func(t *testing.T, pw, identifier, name string, secondFactor bool) {
		about := auth.PasswordContext{Identifier: identifier, Name: name, SecondFactor: secondFactor}
		problem := review(t, h, pw, about)
		require.True(t, slices.Contains(problems, problem), problem)

		shortest, longest := h.Lengths(secondFactor)
		n := utf8.RuneCountInString(norm.NFC.String(pw))
		legal := utf8.ValidString(pw) && shortest <= n && n <= longest
		refused := slices.Contains([]string{password.Malformed, password.TooShort, password.TooLong}, problem)
		require.Equal(t, !legal, refused, "%q for %d code points", problem, n)
		if utf8.ValidString(pw) {
			require.Equal(t, problem, review(t, h, norm.NFC.String(pw), about), "what is hashed is what is judged")
		}
	})
}

func FuzzReviewHasNoRulesOfComposition(f *testing.F) {
	// Seven letters that are in no list cannot be explained, so whatever stands before them does no harm: no
	// kind of character is demanded and none is refused (ASVS 6.2.5).
	const unlisted = "山川日月木火土金水空海星花鳥風"
	f.Add("")
	f.Add("password")
	f.Add("      ")
	f.Add("\x00\u202e\U0010ffff")
	h := newHasher(f, small())
	f.Fuzz(func(t *testing.T, before string) {
		pw := norm.NFC.String(strings.ToValidUTF8(before, "")) + unlisted
		if utf8.RuneCountInString(pw) > 256 {
			return
		}
		require.Empty(t, review(t, h, pw, none), "%q", pw)
	})
}
