package totp_test

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/mfa/totp"
)

// TestRFC6238 holds all of appendix B. The RFC's text forgets to say so, but its seeds are as long as the hashes.
func TestRFC6238(t *testing.T) {
	long := strings.Repeat(seed, 4)
	seeds := map[totp.Algorithm]string{totp.SHA1: seed, totp.SHA256: long[:32], totp.SHA512: long[:64]}
	for _, row := range []struct {
		at                   int64
		sha1, sha256, sha512 string
	}{
		{59, "94287082", "46119246", "90693936"},
		{1111111109, "07081804", "68084774", "25091201"},
		{1111111111, "14050471", "67062674", "99943326"},
		{1234567890, "89005924", "91819424", "93441116"},
		{2000000000, "69279037", "90698825", "38618901"},
		{20000000000, "65353130", "77737706", "47863826"},
	} {
		for a, want := range map[totp.Algorithm]string{totp.SHA1: row.sha1, totp.SHA256: row.sha256, totp.SHA512: row.sha512} {
			require.Equal(t, want, totp.CodeAt(a, []byte(seeds[a]), row.at/30, 8), "%s at %d", a, row.at)
			require.Equal(t, want[2:], totp.CodeAt(a, []byte(seeds[a]), row.at/30, 6), "the last six of the eight")
		}
		r, _ := paired(t, verifier(t, totp.Config{Digits: 8, Random: fixed{}}))
		got, ok, err := verifier(t, totp.Config{}).Check(r, auth.NewSecret(row.sha1), time.Unix(row.at, 0))
		require.NoError(t, err)
		require.True(t, ok, "at %d, the seed being that of the RFC", row.at)
		require.Equal(t, row.at/30, got)
	}
}

// TestRFC4226 holds the codes of appendix D.
func TestRFC4226(t *testing.T) {
	for n, want := range strings.Fields("755224 287082 359152 969429 338314 254676 287922 162583 399871 520489") {
		require.Equal(t, want, totp.CodeAt(totp.SHA1, []byte(seed), int64(n), 6), "counter %d", n)
	}
}

func TestCodesAreThoseOfOTP(t *testing.T) {
	for a, theirs := range map[totp.Algorithm]otp.Algorithm{
		totp.SHA1: otp.AlgorithmSHA1, totp.SHA256: otp.AlgorithmSHA256, totp.SHA512: otp.AlgorithmSHA512,
	} {
		for n := range int64(500) {
			b := make([]byte, 20)
			rand.Read(b)
			digits := 6 + int(n%2)*2
			want, err := hotp.GenerateCodeCustom(base32.StdEncoding.EncodeToString(b), uint64(step+n),
				hotp.ValidateOpts{Digits: otp.Digits(digits), Algorithm: theirs})
			require.NoError(t, err)
			require.Equal(t, want, totp.CodeAt(a, b, step+n, digits), "%s", a)
		}
	}
}

func TestCodesAreThoseOfOathtool(t *testing.T) {
	tool, err := exec.LookPath("oathtool")
	if err != nil {
		t.Skip("oathtool is not installed (Debian has it in the package of this name)")
	}
	for _, a := range []totp.Algorithm{totp.SHA1, totp.SHA256, totp.SHA512} {
		for _, digits := range []int{6, 8} {
			v := verifier(t, totp.Config{Algorithm: a, Digits: digits})
			r, p := paired(t, v)
			for _, at := range []time.Time{time.Unix(59, 0), now, now.Add(29 * time.Second), time.Date(2038, 1, 20, 0, 0, 0, 0, time.UTC)} {
				cmd := exec.Command(tool, "--totp="+a.String(), "--digits="+strconv.Itoa(digits), "--base32",
					"--now="+at.UTC().Format("2006-01-02 15:04:05 UTC"), "-")
				cmd.Stdin = strings.NewReader(p.Text.Reveal())
				out, err := cmd.Output()
				require.NoError(t, err)
				got, ok, err := v.Check(r, auth.NewSecret(strings.TrimSpace(string(out))), at)
				require.NoError(t, err)
				require.True(t, ok, "%s, %d digits, at %s", a, digits, at)
				require.Equal(t, at.Unix()/30, got)
			}
		}
	}
}

func TestSkew(t *testing.T) {
	v := verifier(t, totp.Config{})
	r, p := paired(t, v)
	code := app(t, p, now) // of the step that begins now
	for _, c := range []struct {
		after time.Duration
		ok    bool
	}{
		{-61 * time.Second, false}, {-31 * time.Second, false}, {-30*time.Second - 1, false},
		{-30 * time.Second, true}, {-1, true}, {0, true}, {30*time.Second - 1, true}, {30 * time.Second, true}, {60*time.Second - 1, true},
		{60 * time.Second, false}, {90 * time.Second, false}, {24 * time.Hour, false},
	} {
		got, ok, err := v.Check(r, code, now.Add(c.after).In(time.FixedZone("X", 3600)))
		require.NoError(t, err)
		require.Equal(t, c.ok, ok, "%s after its step began", c.after)
		if c.ok {
			require.Equal(t, step, got, "the step is that of the code, not of the clock")
		} else {
			require.Zero(t, got)
		}
	}
}

// NIST SP 800-63B-4 §3.1.4.2 and ASVS 6.5.1: a code works once. Those who keep the last code instead of its step
// let the one before it through; those who keep it before the check forget it at the next wrong one.
func TestAStepIsUsedOnce(t *testing.T) {
	const wrong = math.MinInt64
	type try struct {
		code, at int64 // steps from now
		ok       bool
	}
	for name, tries := range map[string][]try{
		"the same again":                  {{0, 0, true}, {0, 0, false}, {0, 1, false}},
		"the next one":                    {{0, 0, true}, {1, 1, true}, {2, 2, true}},
		"an older after a newer":          {{0, 0, true}, {-1, 0, false}},
		"an early one, then the current":  {{1, 0, true}, {0, 0, false}, {1, 1, false}, {2, 1, true}},
		"a late one, then the current":    {{-1, 0, true}, {0, 0, true}, {-1, 0, false}},
		"a wrong one between":             {{0, 0, true}, {wrong, 0, false}, {0, 0, false}, {-1, 0, false}, {1, 0, true}},
		"wrong ones first":                {{wrong, 0, false}, {wrong, 0, false}, {0, 0, true}},
		"the clock was set back":          {{0, 0, true}, {-5, -5, false}, {1, 1, true}},
		"all three, the newest first":     {{1, 0, true}, {0, 0, false}, {-1, 0, false}},
		"the confirmation, then a signin": {{0, 0, true}, {0, 0, false}, {1, 0, true}},
	} {
		v := verifier(t, totp.Config{})
		r, p := paired(t, v)
		for i, c := range tries {
			at := now.Add(time.Duration(c.at) * 30 * time.Second)
			code := auth.NewSecret("none")
			if c.code != wrong {
				code = app(t, p, now.Add(time.Duration(c.code)*30*time.Second))
			}
			got, ok, err := v.Check(r, code, at)
			require.NoError(t, err)
			require.Equal(t, c.ok, ok, "%s: try %d", name, i)
			if ok {
				require.Equal(t, step+c.code, got)
				r.Counter = got
			} else {
				require.Zero(t, got)
			}
		}
	}
}

// Steps 910737 and 910738 of the RFC's seed have the same code. It is used once, not once as each of them.
func TestTwoStepsWithOneCode(t *testing.T) {
	v := verifier(t, totp.Config{Random: fixed{}})
	r, _ := paired(t, v)
	require.Equal(t, totp.CodeAt(totp.SHA1, []byte(seed), 910737, 6), totp.CodeAt(totp.SHA1, []byte(seed), 910738, 6))
	for at := int64(910737); at <= 910738; at++ {
		got, ok, err := v.Check(r, auth.NewSecret("911617"), time.Unix(at*30, 0))
		require.NoError(t, err)
		require.True(t, ok)
		require.EqualValues(t, 910738, got)
	}
	r.Counter = 910738
	_, ok, err := v.Check(r, auth.NewSecret("911617"), time.Unix(910738*30, 0))
	require.NoError(t, err)
	require.False(t, ok)
}

// TestManyAtOnce is how a store is used: fifty requests with one code, of which one may sign in.
func TestManyAtOnce(t *testing.T) {
	v := verifier(t, totp.Config{})
	r, p := paired(t, v)
	code := app(t, p, now)
	var mu sync.Mutex
	var last int64
	signedIn := 0
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			got, ok, err := v.Check(r, code, now)
			if err != nil || !ok {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if last < got { // UPDATE … SET last = got WHERE id = … AND last < got
				last = got
				signedIn++
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, signedIn)
	require.Equal(t, step, last)
}

func TestTyped(t *testing.T) {
	for _, digits := range []int{6, 8} {
		v := verifier(t, totp.Config{Digits: digits})
		r, p := paired(t, v)
		code := app(t, p, now).Reveal()
		half := digits / 2
		for _, typed := range []string{
			code, code[:half] + " " + code[half:], code[:half] + "-" + code[half:], " " + code + "\t\n", code[:1] + "  " + code[1:],
			code[:half] + "\u00a0" + code[half:], code[:half] + "\u202f" + code[half:], code[:half] + "–" + code[half:], "-" + code + "-",
			strings.Join(strings.Split(code, ""), "‑"),
		} {
			_, ok, err := v.Check(r, auth.NewSecret(typed), now)
			require.NoError(t, err)
			require.True(t, ok, "%q", typed)
		}
		n, _ := strconv.Atoi(code)
		for _, typed := range []string{
			"", " ", "-", code[1:], code[:digits-1], code + "0", "0" + code, code + code, "+" + code, code + "x", "x" + code, code[:half] + "." + code[half:],
			code[:half] + "\x00" + code[half:], code[:digits-1] + "\x00", "\x00" + code, code + "\x00\x00", code[:digits-1] + "٣", "１２３４５６",
			code + strings.Repeat(" ", 64), strings.Repeat(code, 1000), "\xff" + code, fmt.Sprintf("%0*d", digits, (n+1)%1_000_000), fmt.Sprintf("%x", n),
		} {
			got, ok, err := v.Check(r, auth.NewSecret(typed), now)
			require.NoError(t, err, "%q: what is typed is never a fault", typed)
			require.False(t, ok, "%q", typed)
			require.Zero(t, got)
		}
	}
	r, p := paired(t, verifier(t, totp.Config{Digits: 8}))
	_, ok, err := verifier(t, totp.Config{}).Check(r, auth.NewSecret(app(t, p, now).Reveal()[2:]), now)
	require.NoError(t, err)
	require.False(t, ok, "six of eight digits")
}

func TestBrokenClocks(t *testing.T) {
	v := verifier(t, totp.Config{Random: fixed{}})
	r, _ := paired(t, v)
	for _, at := range []time.Time{
		{}, time.Unix(-1, 0), time.Unix(-15, 0), time.Unix(-30, 0), time.Unix(-31, 0), time.Unix(0, 0), time.Unix(29, 999), time.Unix(-1<<40, 0),
		time.Unix(1<<62, 0), time.Unix(-1<<62, 0), time.Unix(math.MaxInt64, 0), time.Unix(math.MinInt64, 0), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	} {
		center := int64(math.Floor(float64(at.Unix()) / 30))
		for _, last := range []int64{0, -1, math.MinInt64, math.MaxInt64} {
			r.Counter = last
			for n := center - 1; n <= min(center+1, 0); n++ {
				got, ok, err := v.Check(r, auth.NewSecret(totp.CodeAt(totp.SHA1, []byte(seed), n, 6)), at)
				require.NoError(t, err)
				require.False(t, ok, "step %d at %s", n, at)
				require.Zero(t, got)
			}
			_, _, err := v.Check(r, auth.NewSecret("123456"), at)
			require.NoError(t, err)
		}
	}
	r.Counter = 0
	_, ok, err := v.Check(r, auth.NewSecret("287082"), time.Unix(-1, 0))
	require.NoError(t, err)
	require.False(t, ok, "two steps early: steps before 1970 are rounded down too")
	got, ok, err := v.Check(r, auth.NewSecret("287082"), time.Unix(0, 0))
	require.NoError(t, err)
	require.True(t, ok, "the first step that may be used")
	require.EqualValues(t, 1, got)
}
