package totp_test

import (
	"bytes"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/pquerna/otp"
	otptotp "github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/mfa/totp"
)

// seed is that of the RFC's vectors for SHA-1, which fixed makes every Verifier draw.
const seed = "12345678901234567890"

// now is the beginning of a step.
var now = time.Date(2026, 3, 4, 5, 6, 30, 0, time.UTC)

var step = now.Unix() / 30

// fixed is randomness that is the same seed and nonce again and again.
type fixed struct{}

func (fixed) Read(p []byte) (int, error) { return copy(p, strings.Repeat(seed, 2)), nil }

func masterKey(id string, b byte) auth.Key {
	return auth.Key{ID: id, Bytes: [32]byte(bytes.Repeat([]byte{b}, 32))}
}

func keyring(t testing.TB, current auth.Key, older ...auth.Key) auth.Keys {
	t.Helper()
	keys, err := auth.NewKeys(current, older...)
	require.NoError(t, err)
	return keys
}

// verifier returns a Verifier of the configuration, with keys if it has none.
func verifier(t testing.TB, c totp.Config) *totp.Verifier {
	t.Helper()
	if c.Keys.IsZero() {
		c.Keys = keyring(t, masterKey("k1", 1))
	}
	if c.Issuer == "" {
		c.Issuer = "Example"
	}
	v, err := totp.New(c)
	require.NoError(t, err)
	return v
}

// paired returns a new record of r1 and a1, and what its owner was shown.
func paired(t testing.TB, v *totp.Verifier) (totp.Record, totp.Pairing) {
	t.Helper()
	p, err := v.Pair("r1", "a1", "mia@example.org")
	require.NoError(t, err)
	return totp.Record{ID: "r1", Account: "a1", Data: p.Sealed}, p
}

// app is an authenticator app that opened the URI: another implementation of all of it.
func app(t testing.TB, p totp.Pairing, at time.Time) auth.Secret {
	t.Helper()
	key, err := otp.NewKeyFromURL(p.URI.Reveal())
	require.NoError(t, err)
	code, err := otptotp.GenerateCodeCustom(key.Secret(), at, otptotp.ValidateOpts{
		Period: uint(key.Period()), Digits: key.Digits(), Algorithm: key.Algorithm(),
	})
	require.NoError(t, err)
	return auth.NewSecret(code)
}

func TestNewNamesEveryProblem(t *testing.T) {
	_, err := totp.New(totp.Config{Issuer: "A:B", Algorithm: 3, Digits: 7})
	for _, part := range []string{"Keys are required", `Issuer is "A:B"`, "Algorithm is Algorithm(3)", "Digits is 7"} {
		require.ErrorContains(t, err, part)
	}
	keys := keyring(t, masterKey("k1", 1))
	for _, issuer := range []string{"", strings.Repeat("x", 65), "A\nB", "A\x00", "A\x7f", "\xff", "A\u0085"} {
		_, err := totp.New(totp.Config{Keys: keys, Issuer: issuer})
		require.ErrorContains(t, err, "Issuer", "%q", issuer)
	}
	for _, digits := range []int{-6, 1, 5, 9, 10, 262} {
		_, err := totp.New(totp.Config{Keys: keys, Issuer: "A", Digits: digits})
		require.ErrorContains(t, err, "Digits", "%d", digits)
	}
}

func TestURIs(t *testing.T) {
	for _, c := range []struct {
		name, issuer, label string
		algorithm           totp.Algorithm
		digits              int
		parameters          string
	}{
		{"as most are", "Example", "mia@example.org", totp.SHA1, 0, "algorithm=SHA1&digits=6&period=30"},
		{"another algorithm", "Example", "mia@example.org", totp.SHA256, 8, "algorithm=SHA256&digits=8&period=30"},
		{"the third", "Example", "mia@example.org", totp.SHA512, 6, "algorithm=SHA512&digits=6&period=30"},
		{"a space and an ampersand", "Smith & Sons", "mia smith", totp.SHA1, 6, ""},
		{"parameters in the issuer", "X&secret=AAAA&digits=1#", "mia", totp.SHA1, 6, ""},
		{"parameters in the label", "X", "mia?secret=AAAA&issuer=Y#frag", totp.SHA1, 6, ""},
		{"a colon in the label", "X", "urn:mia:1", totp.SHA1, 6, ""},
		{"slashes and dots", "X/../Y", "/../mia", totp.SHA1, 6, ""},
		{"percent and plus", "100%25", "mia+totp@example.org", totp.SHA1, 6, ""},
		{"beyond ASCII", "Bücher 株式会社", "jürgen@bücher.example", totp.SHA1, 6, ""},
		{"as long as they may be", strings.Repeat("ü", 32), strings.Repeat("é", 127), totp.SHA1, 6, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := verifier(t, totp.Config{Issuer: c.issuer, Algorithm: c.algorithm, Digits: c.digits, Random: fixed{}})
			p, err := v.Pair("r1", "a1", c.label)
			require.NoError(t, err)
			require.Contains(t, p.URI.Reveal(), c.parameters)
			require.Regexp(t, `\Aotpauth://totp/[A-Za-z0-9%._~@-]+:[A-Za-z0-9%._~@-]+\?[A-Za-z0-9%._~@=&-]+\z`, p.URI.Reveal())
			key, err := otp.NewKeyFromURL(p.URI.Reveal())
			require.NoError(t, err)
			require.Equal(t, "totp", key.Type())
			require.Equal(t, c.issuer, key.Issuer())
			require.Equal(t, c.label, key.AccountName())
			require.Equal(t, base32.StdEncoding.EncodeToString([]byte(seed)), key.Secret())
			require.EqualValues(t, 30, key.Period())
			require.Equal(t, c.algorithm.String(), key.Algorithm().String())
			require.Equal(t, max(c.digits, 6), key.Digits().Length())
		})
	}
}

func TestPair(t *testing.T) {
	v := verifier(t, totp.Config{})
	r, p := paired(t, v)
	require.Regexp(t, `\A([A-Z2-7]{4} ){7}[A-Z2-7]{4}\z`, p.Text.Reveal(), "160 bits")
	require.Contains(t, p.URI.Reveal(), "secret="+strings.ReplaceAll(p.Text.Reveal(), " ", "")+"&")
	require.Regexp(t, `\A1\.k1\.[A-Za-z0-9_-]{83}\z`, p.Sealed)

	again, err := v.Show(r, "mia@example.org")
	require.NoError(t, err)
	require.Equal(t, p.Sealed, again.Sealed)
	require.True(t, p.URI.Equal(again.URI))
	require.True(t, p.Text.Equal(again.Text))

	_, other := paired(t, v)
	require.False(t, p.Text.Equal(other.Text))
	require.NotEqual(t, p.Sealed[:40], other.Sealed[:40], "another nonce")

	for _, c := range [][3]string{
		{"", "a1", "mia"}, {"r1", "", "mia"}, {"r1", "a1", ""}, {"r1", "a1", "a\nb"}, {"r1", "a1", "\xff"}, {"r1", "a1", strings.Repeat("x", 255)},
	} {
		p, err := v.Pair(c[0], c[1], c[2])
		require.Error(t, err, "%q", c)
		require.Equal(t, totp.Pairing{}, p)
	}
}

// A key must not be made of what a broken source left of it (ASVS 6.5.3).
func TestRandomnessMayFail(t *testing.T) {
	broken := iotest.ErrReader(errors.New("broken"))
	for name, random := range map[string]io.Reader{
		"at once": broken, "within the seed": io.MultiReader(strings.NewReader(seed[:19]), broken),
		"within the nonce": io.MultiReader(strings.NewReader(seed+seed), broken), "at the end": strings.NewReader(seed + seed),
	} {
		p, err := verifier(t, totp.Config{Random: random}).Pair("r1", "a1", "mia")
		require.Error(t, err, name)
		require.Equal(t, totp.Pairing{}, p)
	}
	little := iotest.OneByteReader(strings.NewReader(strings.Repeat(seed, 3)))
	_, whole := paired(t, verifier(t, totp.Config{Random: little}))
	require.Equal(t, "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ", whole.Text.Reveal(), "all that a source gives little by little")
	_, same := paired(t, verifier(t, totp.Config{Random: strings.NewReader(strings.Repeat(seed, 3))}))
	require.Equal(t, same.Sealed, whole.Sealed)

	r, _ := paired(t, verifier(t, totp.Config{}))
	v := verifier(t, totp.Config{Keys: keyring(t, masterKey("k2", 2), masterKey("k1", 1)), Random: broken})
	_, err := v.Reseal(r)
	require.ErrorContains(t, err, "broken")
}

// TestNothingIsPrinted prints all that the package returns in every way, and looks for the seed and for the key
// that seals it.
func TestNothingIsPrinted(t *testing.T) {
	keys := keyring(t, masterKey("k1", 1))
	v := verifier(t, totp.Config{Keys: keys, Random: fixed{}})
	r, p := paired(t, v)
	svg, err := new(totp.Verifier).QR(p, "QR code")
	require.NoError(t, err)
	_, _, failed := v.Check(totp.Record{ID: "r1", Account: "a2", Data: p.Sealed}, app(t, p, now), now)
	require.Error(t, failed)
	seal, _ := keys.Derive("totp seed").MAC("k1", "seal")

	var secrets []string
	for _, raw := range []string{seed, string(seal[:]), string(bytes.Repeat([]byte{1}, 32))} {
		secrets = append(secrets, raw, hex.EncodeToString([]byte(raw)), strings.ToUpper(hex.EncodeToString([]byte(raw))),
			strings.Trim(fmt.Sprint([]byte(raw)), "[]"), fmt.Sprintf("%#v", []byte(raw))[len("[]byte{"):][:40])
	}
	secrets = append(secrets, p.Text.Reveal(), strings.ReplaceAll(p.Text.Reveal(), " ", ""), "otpauth", "<path")
	for _, value := range []any{v, *v, r, &r, p, &p, svg, []totp.Pairing{p}, map[string]any{"p": p}, failed} {
		printed := ""
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			printed += fmt.Sprintf(verb, value) + "\n"
		}
		text, _ := json.Marshal(value)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", value)
		for _, s := range secrets {
			require.NotContains(t, printed+string(text)+log.String(), s, "%T", value)
		}
	}
}
