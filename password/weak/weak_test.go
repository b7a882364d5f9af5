package weak_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password"
	"github.com/cardea-auth/cardea/password/weak"
)

func all() []password.Format {
	return []password.Format{weak.SSHA(), weak.Django(), weak.Digest(), weak.HMAC(), weak.MD5Crypt()}
}

type row struct{ Password, Encoded, Tool string }

// rows are the hashes of these kinds that other implementations made.
func rows(t testing.TB) (found []row) {
	t.Helper()
	text, err := os.ReadFile("../testdata/fresh.json")
	require.NoError(t, err)
	var every []row
	require.NoError(t, json.NewDecoder(bytes.NewReader(text)).Decode(&every))
	for _, r := range every {
		for _, f := range all() {
			if f.Claims(r.Encoded) {
				found = append(found, r)
			}
		}
	}
	require.Greater(t, len(found), 50)
	return found
}

func TestNoHashIsClaimedTwice(t *testing.T) {
	for _, r := range rows(t) {
		claims := 0
		for _, f := range all() {
			if f.Claims(r.Encoded) {
				claims++
			}
		}
		require.Equal(t, 1, claims, r.Tool)
	}
}

// A sign-in with a weak hash takes the work of a new hash, and asks for an upgrade.
func TestWeakHashesAreUpgraded(t *testing.T) {
	h, err := password.New(password.Config{Params: password.Params{Memory: 12 << 10, Passes: 3, Lanes: 1}, Imported: all()})
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, r := range rows(t) {
		if seen[r.Tool] {
			continue // the rest are in the tests of package password
		}
		seen[r.Tool] = true
		match, upgrade, err := h.Verify(t.Context(), r.Encoded, auth.NewSecret(r.Password), false)
		require.NoError(t, err, r.Tool)
		require.True(t, match && upgrade, r.Tool)
	}
	section := fmt.Sprint(h.Report().Rows)
	require.Contains(t, section, "md5-crypt")
	require.Contains(t, section, "new hashes", "which are the slowest")
}

func TestLongPasswordsOfMD5CryptDoNotMatch(t *testing.T) {
	for _, r := range rows(t) {
		if strings.HasPrefix(r.Tool, "openssl passwd -1") && len(r.Password) == 256 {
			h, err := weak.MD5Crypt().Parse(r.Encoded)
			require.NoError(t, err)
			require.True(t, h.Matches([]byte(r.Password)))
			require.False(t, h.Matches([]byte(r.Password+"x")))
			require.Equal(t, h.Work(256), h.Work(3072), "nor do they take longer")
			return
		}
	}
	t.Fatal("no row")
}

func TestRefused(t *testing.T) {
	for _, encoded := range []string{
		"{SSHA}", "{SSHA}AAAA", "{SSHA}" + strings.Repeat("A", 27) + "=", "{SSHA}" + strings.Repeat("A", 300),
		"md5$a$b", "md5$" + strings.Repeat("0", 32), "md5$a$b$" + strings.Repeat("0", 32), "md5$a$" + strings.Repeat("0", 40), "sha1$a$" + strings.Repeat("0", 32),
		"sha1$a$" + strings.Repeat("F", 40), "md5$" + strings.Repeat("a", 129) + "$" + strings.Repeat("0", 32), "$md5$AAAA", "$sha256$AAAA",
		"$hmac-sha256$AAAA$AAAA", "$1$ninechars$" + strings.Repeat(".", 22), "$1$salt$" + strings.Repeat(".", 21) + "2", "$1$sa:t$" + strings.Repeat(".", 22),
		"$1$salt$" + strings.Repeat(".", 22) + "$",
	} {
		claimed := false
		for _, f := range all() {
			if !f.Claims(encoded) {
				continue
			}
			claimed = true
			h, err := f.Parse(encoded)
			require.Error(t, err, encoded)
			require.Nil(t, h)
		}
		require.True(t, claimed, encoded)
	}
	for _, encoded := range []string{"", "$md4$AAAA", "$hmac-md4$AAAA$AAAA", "crypt$$ab1Hv2Lg7ltQo", strings.Repeat("0", 40), strings.Repeat("A", 32)} {
		for _, f := range all() {
			require.False(t, f.Claims(encoded), encoded)
		}
	}
}

func FuzzWeak(f *testing.F) {
	for _, r := range rows(f) {
		f.Add(r.Encoded, len(r.Encoded)-1, byte(1))
	}
	f.Fuzz(func(t *testing.T, encoded string, at int, flip byte) {
		for _, format := range all() {
			if !format.Claims(encoded) || len(encoded) > 1024 {
				continue
			}
			h, err := format.Parse(encoded)
			if err != nil {
				require.Nil(t, h)
				continue
			}
			require.LessOrEqual(t, h.Work(3072), format.Decoy(1).Work(3072))
			require.False(t, h.Matches([]byte("nobody's password")))
			if at < 0 || at >= len(encoded) || flip == 0 {
				continue
			}
			altered := encoded[:at] + string(encoded[at]^flip) + encoded[at+1:]
			if other, err := format.Parse(altered); err == nil && format.Claims(altered) {
				require.NotEqual(t, fmt.Sprintf("%+v", h), fmt.Sprintf("%+v", other), "two spellings: %q and %q", encoded, altered)
			}
		}
	})
}
