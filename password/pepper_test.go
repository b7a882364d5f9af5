package password_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password"
)

// key returns a master key whose bytes are all b.
func key(id string, b byte) auth.Key {
	k := auth.Key{ID: id}
	for i := range k.Bytes {
		k.Bytes[i] = b
	}
	return k
}

func keys(t testing.TB, current auth.Key, older ...auth.Key) auth.Keys {
	t.Helper()
	k, err := auth.NewKeys(current, older...)
	require.NoError(t, err)
	return k
}

// withKeys is the cheapest configuration with a pepper.
func withKeys(k auth.Keys) password.Config {
	c := small()
	c.Keys = k
	return c
}

func TestPepper(t *testing.T) {
	first, second := key("2025", 1), key("2026", 2)
	plain, _ := recorded(t, small())
	before, r := recorded(t, withKeys(keys(t, first)))
	during, _ := recorded(t, withKeys(keys(t, second, first)))
	after, _ := recorded(t, withKeys(keys(t, second)))
	forged, _ := recorded(t, withKeys(keys(t, key("2025", 3))))
	const text = "correct horse battery staple"

	hash, err := before.Hash(t.Context(), auth.NewSecret(text), false)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(hash, "$pepper$2025$argon2id$v=19$m=12288,t=3,p=1$"), hash)
	mac, ok := keys(t, first).Derive("password pepper").MAC("2025", text)
	require.True(t, ok)
	require.Equal(t, string(mac[:]), r.calls[len(r.calls)-1].password, "Argon2 sees the HMAC, of 32 bytes, and never the password")

	unpeppered, err := plain.Hash(t.Context(), auth.NewSecret(text), false)
	require.NoError(t, err)
	for _, row := range []struct {
		name           string
		h              *password.Hasher
		hash, typed    string
		match, upgrade bool
		fails          bool
	}{
		{"its own key", before, hash, text, true, false, false},
		{"another password", before, hash, text + " ", false, false, false},
		{"no password", before, hash, "", false, false, false},
		{"an older key", during, hash, text, true, true, false},
		{"an older key, another password", during, hash, text + " ", false, false, false},
		{"a key that was dropped", after, hash, text, false, false, true},
		{"no keys at all", plain, hash, text, false, false, true},
		{"another key of the same name", forged, hash, text, false, false, false},
		{"a hash from before there was a pepper", before, unpeppered, text, true, true, false},
		{"the bare hash of the HMAC", plain, strings.TrimPrefix(hash, "$pepper$2025"), text, false, false, false},
		{"the HMAC typed as a password", plain, strings.TrimPrefix(hash, "$pepper$2025"), string(mac[:]), false, false, false},
	} {
		match, upgrade, err := row.h.Verify(t.Context(), row.hash, auth.NewSecret(row.typed), false)
		require.Equal(t, row.fails, err != nil, row.name)
		require.Equal(t, row.match, match, row.name)
		require.Equal(t, row.upgrade, upgrade, row.name)
		if err != nil {
			require.NotContains(t, err.Error(), "2025", row.name)
			require.NotContains(t, err.Error(), text, row.name)
		}
	}
}

// In rodauth and Devise the pepper is appended to the password, and bcrypt ignores what is beyond 72 bytes:
// of a long password neither the end nor the pepper counts.
func TestPepperOfLongPasswords(t *testing.T) {
	long := strings.Repeat("x", 72)
	here := newHasher(t, withKeys(keys(t, key("a", 1))))
	hash, err := here.Hash(t.Context(), auth.NewSecret(long+" and its end"), false)
	require.NoError(t, err)
	match, _, err := here.Verify(t.Context(), hash, auth.NewSecret(long+" and another"), false)
	require.NoError(t, err)
	require.False(t, match, "the end counts")
	elsewhere := newHasher(t, withKeys(keys(t, key("a", 2))))
	match, _, err = elsewhere.Verify(t.Context(), hash, auth.NewSecret(long+" and its end"), false)
	require.NoError(t, err)
	require.False(t, match, "so does the key")
	match, upgrade, err := here.Verify(t.Context(), hash, auth.NewSecret(long+" and its end"), false)
	require.NoError(t, err)
	require.True(t, match)
	require.False(t, upgrade)
}

func TestMalformedPepper(t *testing.T) {
	h, r := recorded(t, withKeys(keys(t, key("a", 1))))
	decoy := len(r.calls)
	for _, hash := range []string{
		"$pepper$", "$pepper$a", "$pepper$a$", "$pepper$$argon2id$v=19$" + good, "$pepper$b$argon2id$v=19$" + good,
		"$pepper$a $argon2id$v=19$" + good, "$pepper$A$argon2id$v=19$" + good, "$pepper$a$a$argon2id$v=19$" + good,
		"$pepper$a$pepper$a$argon2id$v=19$" + good, "$pepper$a$argon2i$v=19$" + good, "$pepper$a$argon2id$v=16$" + good,
		" $pepper$a$argon2id$v=19$" + good, "$pepper$a$argon2id$v=19$" + good + "\n", "$PEPPER$a$argon2id$v=19$" + good,
		"$pepper$a$argon2id$v=19$m=9999999,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + tag,
	} {
		match, upgrade, err := h.Verify(t.Context(), hash, auth.NewSecret("whatever it is"), false)
		require.Error(t, err, hash)
		require.False(t, match || upgrade, hash)
	}
	for _, c := range r.calls[decoy:] {
		require.Equal(t, small().Params, c.params, "each takes the work of a new hash, and no other")
	}
}

func FuzzPepper(f *testing.F) {
	k := keys(f, key("a", 1), key("b2", 2))
	f.Add("$pepper$a$argon2id$v=19$" + good)
	f.Add("$pepper$b2$argon2id$v=19$" + good)
	f.Add("$pepper$c$argon2id$v=19$" + good)
	f.Fuzz(func(t *testing.T, encoded string) {
		again, err := password.Repepper("$pepper$"+encoded, k)
		if err != nil {
			require.Empty(t, again)
			return
		}
		require.Equal(t, "$pepper$"+encoded, again, "one hash, one spelling")
	})
}
