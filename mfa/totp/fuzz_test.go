package totp_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/pquerna/otp"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/mfa/totp"
)

// FuzzTyped: what is typed is right exactly if it is one of three codes with spaces and dashes; nothing is a fault.
func FuzzTyped(f *testing.F) {
	v := verifier(f, totp.Config{Random: fixed{}})
	r, _ := paired(f, v)
	var codes []string
	for n := step - 1; n <= step+1; n++ {
		codes = append(codes, totp.CodeAt(totp.SHA1, []byte(seed), n, 6))
	}
	for _, c := range append(codes, "", "000000", codes[0][:3]+" "+codes[0][3:], codes[1]+"\x00", "１２３４５６") {
		f.Add(c, int64(0))
	}
	f.Add(codes[2], step+1)
	f.Fuzz(func(t *testing.T, typed string, last int64) {
		plain := strings.Map(func(c rune) rune {
			if unicode.IsSpace(c) || unicode.Is(unicode.Pd, c) {
				return -1
			}
			return c
		}, typed)
		at := int64(slices.Index(codes, plain))
		want := at >= 0 && len(typed) <= 64 && step-1+at > last
		row := r
		row.Counter = last
		got, ok, err := v.Check(row, auth.NewSecret(typed), now)
		require.NoError(t, err)
		require.Equal(t, want, ok)
		if ok {
			require.Equal(t, step-1+at, got)
		} else {
			require.Zero(t, got)
		}
	})
}

// FuzzSealed: one text opens, in one place; all others are faults that show nothing.
func FuzzSealed(f *testing.F) {
	v := verifier(f, totp.Config{Random: fixed{}})
	r, _ := paired(f, v)
	code := auth.NewSecret(totp.CodeAt(totp.SHA1, []byte(seed), step, 6))
	f.Add(r.Data, r.ID, r.Account)
	f.Add("1.k1.", "", "")
	f.Add("1.k2."+r.Data[5:], "r1", "a1")
	f.Fuzz(func(t *testing.T, sealed, id, account string) {
		_, ok, err := v.Check(totp.Record{ID: id, Account: account, Data: sealed}, code, now)
		require.Equal(t, sealed == r.Data && id == r.ID && account == r.Account, ok)
		require.Equal(t, ok, err == nil)
	})
}

// FuzzPair: whatever the names are, the URI says just them, and the drawing is the code and its title.
func FuzzPair(f *testing.F) {
	f.Add("Example", "mia@example.org", "QR code")
	f.Add("A&B", "a?b#c/../%41+", "</title><script>")
	keys := keyring(f, masterKey("k1", 1))
	f.Fuzz(func(t *testing.T, issuer, label, title string) {
		v, err := totp.New(totp.Config{Keys: keys, Issuer: issuer, Random: fixed{}})
		if err != nil {
			return
		}
		p, err := v.Pair("r1", "a1", label)
		if err != nil {
			require.Equal(t, totp.Pairing{}, p)
			return
		}
		key, err := otp.NewKeyFromURL(p.URI.Reveal())
		require.NoError(t, err)
		require.Equal(t, issuer, key.Issuer())
		require.Equal(t, label, key.AccountName())
		require.Equal(t, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", key.Secret())
		svg, err := new(totp.Verifier).QR(p, title)
		require.NoError(t, err)
		drawn(t, svg.Reveal())
	})
}
