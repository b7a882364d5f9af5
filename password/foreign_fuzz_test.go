package password_test

import (
	"crypto"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password"
)

// fuzzFormat holds for every format: reading never panics; what is read costs no more than is declared; it has one
// spelling, so that a changed character is another hash or none; and errors quote nothing.
func fuzzFormat(f *testing.F, formats ...password.Format) {
	var rows []freshRow
	readRows(f, "fresh.json", &rows)
	var vectors []foreignRow
	readRows(f, "foreign.json", &vectors)
	for _, v := range vectors {
		rows = append(rows, freshRow{Encoded: v.Encoded})
	}
	for _, row := range rows {
		for _, format := range formats {
			if format.Claims(row.Encoded) {
				f.Add(row.Encoded, len(row.Encoded)-1, byte(1))
				f.Add(row.Encoded, len(row.Encoded)/2, byte('$'))
			}
		}
	}
	f.Fuzz(func(t *testing.T, encoded string, at int, flip byte) {
		for _, format := range formats {
			if !format.Claims(encoded) || len(encoded) > 1024 {
				continue
			}
			hash, err := format.Parse(encoded)
			if err != nil {
				require.Nil(t, hash)
				requireNoQuote(t, err, encoded)
				continue
			}
			for _, size := range []int{0, 1, 72, 256, 3072} {
				require.Positive(t, hash.Work(size))
			}
			require.GreaterOrEqual(t, hash.Memory(), int64(0))
			require.LessOrEqual(t, hash.Memory(), int64(1<<30+1<<24))
			if at < 0 || at >= len(encoded) || flip == 0 {
				continue
			}
			altered := encoded[:at] + string(encoded[at]^flip) + encoded[at+1:]
			if !format.Claims(altered) || sameMeaning.ReplaceAllString(altered, "") == sameMeaning.ReplaceAllString(encoded, "") {
				continue
			}
			if other, err := format.Parse(altered); err == nil {
				require.NotEqual(t, fmt.Sprintf("%#v", hash), fmt.Sprintf("%#v", other), "two spellings: %q and %q", encoded, altered)
			}
		}
	})
}

func FuzzBcrypt(f *testing.F) {
	fuzzFormat(f, password.Bcrypt(15), password.BcryptTruncated(15, auth.NewSecret("pepper")))
}

func FuzzArgon2(f *testing.F) {
	dearest := password.Params{Memory: 1 << 20, Passes: 4, Lanes: 1}
	fuzzFormat(f, password.Argon2i(dearest), password.Argon2id(dearest))
}

func FuzzScrypt(f *testing.F) { fuzzFormat(f, password.Scrypt(1<<20, 8, 1)) }

func FuzzFirebase(f *testing.F) { fuzzFormat(f, password.FirebaseScrypt(20, 8, 1)) }

func FuzzPBKDF2(f *testing.F) {
	fuzzFormat(f, password.PBKDF2(crypto.SHA1, 10_000_000), password.PBKDF2(crypto.SHA256, 10_000_000),
		password.PBKDF2(crypto.SHA3_384, 10_000_000))
}

func FuzzSHACrypt(f *testing.F) {
	fuzzFormat(f, password.SHA256Crypt(3_000_000), password.SHA512Crypt(3_000_000))
}

func FuzzSSHA(f *testing.F) { fuzzFormat(f, password.SSHA()) }

// FuzzForeignVerify asks a Hasher that reads cheap kinds of everything. Nothing that is not in the test data
// matches the password of all of them.
func FuzzForeignVerify(f *testing.F) {
	h := unpadded(f, cheapest())
	var rows []freshRow
	readRows(f, "fresh.json", &rows)
	for _, row := range rows {
		f.Add(row.Encoded)
	}
	const nobodys = "the password of no row at all"
	f.Fuzz(func(t *testing.T, encoded string) {
		if strings.HasPrefix(encoded, "$argon2id$") {
			return
		}
		match, upgrade, err := h.Verify(t.Context(), encoded, auth.NewSecret(nobodys), false)
		require.False(t, match || upgrade)
		if err != nil {
			requireNoQuote(t, err, encoded)
		}
	})
}
