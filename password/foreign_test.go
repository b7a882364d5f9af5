package password_test

import (
	"bytes"
	"crypto"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password"
	"github.com/cardea-auth/cardea/password/weak"
)

// everything declares all kinds, with the greatest costs in the test data.
func everything() password.Config {
	c := small()
	c.Memory = 1 << 30
	c.Imported = []password.Format{
		password.Bcrypt(15),
		password.Argon2i(password.Params{Memory: 65536, Passes: 3, Lanes: 4}),
		password.Argon2id(password.Params{Memory: 102400, Passes: 2, Lanes: 8}),
		password.Scrypt(16384, 16, 1),
		password.FirebaseScrypt(14, 8, 1),
		password.PBKDF2(crypto.SHA1, 390_000),
		password.PBKDF2(crypto.SHA256, 390_000),
		password.PBKDF2(crypto.SHA512, 210_000),
		password.PBKDF2(crypto.SHA3_224, 200_000),
		password.PBKDF2(crypto.SHA3_384, 100_000),
		password.SHA256Crypt(535_000),
		password.SHA512Crypt(656_000),
		password.SSHA(),
		weak.SSHA(), weak.Django(), weak.Digest(), weak.HMAC(), weak.MD5Crypt(),
	}
	return c
}

// cheapest declares the kinds of fresh.json with little more than their costs there.
func cheapest() password.Config {
	c := small()
	c.Imported = []password.Format{
		password.Bcrypt(5),
		password.Argon2i(password.Params{Memory: 256, Passes: 3, Lanes: 2}),
		password.Argon2id(password.Params{Memory: 512, Passes: 2, Lanes: 2}),
		password.Scrypt(16384, 16, 1), // better-auth has no other cost
		password.FirebaseScrypt(10, 8, 1),
		password.PBKDF2(crypto.SHA1, 3000), password.PBKDF2(crypto.SHA256, 3000), password.PBKDF2(crypto.SHA512, 3000),
		password.SHA256Crypt(5000), password.SHA512Crypt(5000), password.SSHA(),
		weak.SSHA(), weak.Django(), weak.Digest(), weak.HMAC(), weak.MD5Crypt(),
	}
	return c
}

// unpadded returns a Hasher that believes new hashes to be the slowest of all, and whose decoys of that kind
// take no time: what it computes is the stored hash and nothing else.
func unpadded(t testing.TB, c password.Config) *password.Hasher {
	t.Helper()
	c.Random = zeros{}
	blank, isNew := make([]byte, 16), false
	h, err := password.NewWithStopwatch(c, func(pw, salt []byte, passes, memory uint32, lanes uint8, size uint32) []byte {
		if isNew = bytes.Equal(salt, blank); isNew {
			return make([]byte, size)
		}
		return argon2.IDKey(pw, salt, passes, memory, lanes, size)
	}, func(work func()) time.Duration {
		isNew = false
		work()
		if isNew {
			return time.Hour
		}
		return time.Second // more than enough to be measured, at the first and smallest share
	})
	require.NoError(t, err)
	return h
}

// foreignRow is a hash that another system made, or should not have accepted.
type foreignRow struct {
	Password, Encoded, Scheme, Dialect, Source, Note, Verdict string
	ExpectedOK                                                bool `json:"expected_ok"`
}

func readRows(t testing.TB, name string, rows any) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(rows))
}

// refusedByDesign are the rows that their own systems accept and this package does not.
var refusedByDesign = map[string]string{
	"$hmac-md4$":           "MD4 has been broken for decades, and x/crypto marks its implementation as deprecated",
	"argon2$argon2i$m=8":   "version 16 of Argon2 differs from RFC 9106, and x/crypto has only version 19",
	"crypt$$ab1Hv2Lg7ltQo": "crypt(3) with DES looks at eight characters of a password",
}

// slowRows are hashes that take up to two seconds, and many times that under the race detector.
var slowRows = regexp.MustCompile(`^\$2a\$15|rounds=|m=65536`)

// TestForeignVectors verifies the test data of other projects.
func TestForeignVectors(t *testing.T) {
	var rows []foreignRow
	readRows(t, "foreign.json", &rows)
	require.Len(t, rows, 204)
	h := unpadded(t, everything())
	designed := 0
	for _, row := range rows {
		if testing.Short() && slowRows.MatchString(row.Encoded) {
			continue
		}
		match, upgrade, err := h.Verify(t.Context(), row.Encoded, auth.NewSecret(row.Password), false)
		verdict := "no-match"
		switch {
		case err != nil:
			verdict = "refused"
			requireNoQuote(t, err, row.Encoded)
		case match:
			verdict = "match"
		}
		require.Equal(t, row.Verdict, verdict, "%s %s", row.Source, row.Note)
		require.Equal(t, match, upgrade, "every one of them is replaced")
		if match == row.ExpectedOK {
			continue
		}
		designed++
		require.True(t, row.ExpectedOK && verdict == "refused", row.Source)
		require.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(refusedByDesign)), func(prefix string) bool {
			return strings.HasPrefix(row.Encoded, prefix)
		}), "%s: nothing says why", row.Source)
	}
	require.Len(t, refusedByDesign, designed)
}

// kindWords are parts of hashes that say what kind they are. Errors may have them.
var kindWords = regexp.MustCompile(`argon2|pbkdf2|crypt|hmac|SSHA|^[0-9]+$`)

// requireNoQuote checks that an error has nothing of a hash that could be a part of its salt or digest.
func requireNoQuote(t testing.TB, err error, encoded string) {
	t.Helper()
	for _, field := range strings.FieldsFunc(encoded, func(r rune) bool { return strings.ContainsRune("$=,{}:", r) }) {
		for i := 0; i+8 <= len(field) && !kindWords.MatchString(field); i++ {
			require.NotContains(t, err.Error(), field[i:i+8])
		}
	}
}

// freshRow is a hash that testdata/fresh.py made with another implementation.
type freshRow struct{ Password, Encoded, Tool string }

// freshHasher reads the hashes of a tool. SHA-3 stands in PBKDF2 hashes under the name of SHA-2.
func freshHashers(t testing.TB) func(tool string) *password.Hasher {
	sha3, sha2 := everything(), everything()
	for i, f := range sha2.Imported {
		switch f.Name() {
		case "pbkdf2-sha224":
			sha2.Imported[i] = password.PBKDF2(crypto.SHA224, 2000)
		case "pbkdf2-sha384":
			sha2.Imported[i] = password.PBKDF2(crypto.SHA384, 2000)
		}
	}
	hashers := map[bool]*password.Hasher{true: unpadded(t, sha3), false: unpadded(t, sha2)}
	return func(tool string) *password.Hasher { return hashers[strings.Contains(tool, "sha3_")] }
}

func TestFreshHashes(t *testing.T) {
	var rows []freshRow
	readRows(t, "fresh.json", &rows)
	hasher := freshHashers(t)
	for _, row := range rows {
		h := hasher(row.Tool)
		require.NoError(t, h.CheckHash(row.Encoded), row.Tool)
		match, upgrade, err := h.Verify(t.Context(), row.Encoded, auth.NewSecret(row.Password), false)
		require.NoError(t, err, row.Tool)
		require.True(t, match && upgrade, "%s of %q", row.Tool, row.Password)
		match, _, err = h.Verify(t.Context(), row.Encoded, auth.NewSecret("x"+row.Password), false)
		require.NoError(t, err, row.Tool)
		require.False(t, match, row.Tool)
	}
}

// sameMeaning are the characters that may change without a change of meaning: the revision of bcrypt, and the
// length that kratos ignores.
var sameMeaning = regexp.MustCompile(`\$2[aby]\$|,l=\d+`)

func TestAlteredHashesNeverMatch(t *testing.T) {
	var rows []freshRow
	readRows(t, "fresh.json", &rows)
	hasher := freshHashers(t)
	seen, stride := map[string]bool{}, 11
	if testing.Short() {
		stride = 61
	}
	for _, row := range rows {
		if kind := row.Tool + row.Encoded[:3]; seen[kind] || row.Tool == "better-auth" { // which takes 32 MiB each time
			continue
		} else {
			seen[kind] = true
		}
		for at := range row.Encoded {
			last := at == len(row.Encoded)-1 || strings.ContainsRune("$=,", rune(row.Encoded[at+1]))
			if at%stride != 0 && !last {
				continue
			}
			// In base64 the neighbour of the last character often differs only in bits that do not count.
			altered := row.Encoded[:at] + string(row.Encoded[at]^1) + row.Encoded[at+1:]
			if sameMeaning.ReplaceAllString(altered, "") == sameMeaning.ReplaceAllString(row.Encoded, "") {
				continue
			}
			match, upgrade, _ := hasher(row.Tool).Verify(t.Context(), altered, auth.NewSecret(row.Password), false)
			require.False(t, match || upgrade, "%s: %s", row.Tool, altered)
		}
	}
	require.Greater(t, len(seen), 40)
}
