package mfa_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/mfa"
)

// FuzzTyped: what is typed is the code exactly if it is it with what people do to codes undone, and a selector is
// found exactly in what has the shape of a code.
func FuzzTyped(f *testing.F) {
	c := codes(f, masterKey("k1", 1))
	shown, records := set(f, c)
	code := strings.ReplaceAll(shown[0].Reveal(), "-", "")
	for _, typed := range []string{shown[0].Reveal(), code, strings.ToLower(code), "oil-OIL", "", code[:17], code + "\x00", code[:17] + "ſ"} {
		f.Add(typed)
	}
	lookalikes := strings.NewReplacer("O", "0", "I", "1", "L", "1")
	f.Fuzz(func(t *testing.T, typed string) {
		plain := lookalikes.Replace(strings.Map(func(r rune) rune {
			switch {
			case unicode.IsSpace(r) || unicode.Is(unicode.Pd, r):
				return -1
			case r >= 'a' && r <= 'z':
				return r - 'a' + 'A'
			}
			return r
		}, typed))
		whole := len(typed) <= 128 && len(plain) == 18 && strings.Trim(plain, alphabet) == ""
		for _, r := range plain {
			whole = whole && strings.ContainsRune(alphabet, r)
		}
		selector, ok := mfa.Selector(auth.NewSecret(typed))
		require.Equal(t, whole, ok)
		if ok {
			require.Equal(t, plain[:2], selector)
		} else {
			require.Empty(t, selector)
		}
		require.Equal(t, whole && plain == code, c.Matches(auth.NewSecret(typed), "a1", records[0]))
		require.False(t, c.Matches(auth.NewSecret(typed), "a1", mfa.Record{}))
	})
}

// FuzzRecord: a code matches the record that was made with it, and no other.
func FuzzRecord(f *testing.F) {
	c := codes(f, masterKey("k1", 1))
	shown, records := set(f, c)
	f.Add(records[0].Selector, records[0].Key, records[0].Hash, "a1")
	f.Add("", "", "", "")
	f.Fuzz(func(t *testing.T, selector, key, hash, account string) {
		r := mfa.Record{Selector: selector, Key: key, Hash: hash}
		require.Equal(t, r == records[0] && account == "a1", c.Matches(shown[0], account, r))
	})
}
