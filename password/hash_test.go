package password_test

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/password"
)

// small is the cheapest configuration that New accepts.
func small() password.Config {
	return password.Config{Params: password.Params{Memory: 12 << 10, Passes: 3, Lanes: 1}}
}

func newHasher(t testing.TB, c password.Config) *password.Hasher {
	t.Helper()
	h, err := password.New(c)
	require.NoError(t, err)
	return h
}

// call is one use of the hash function.
type call struct {
	password, salt string
	params         password.Params
	size           uint32
}

// recorder stands in for Argon2. Its tags depend on the password alone.
type recorder struct{ calls []call }

func (r *recorder) derive(pw, salt []byte, passes, memory uint32, lanes uint8, size uint32) []byte {
	r.calls = append(r.calls, call{string(pw), string(salt), password.Params{Memory: memory, Passes: passes, Lanes: lanes}, size})
	sum := sha512.Sum512(pw)
	return sum[:size]
}

// sumOf is the tag of a recorder, in base64.
func sumOf(pw string, size uint32) string {
	return base64.RawStdEncoding.EncodeToString(new(recorder).derive([]byte(pw), nil, 1, 1, 1, size))
}

func recorded(t testing.TB, c password.Config) (*password.Hasher, *recorder) {
	t.Helper()
	r := &recorder{}
	h, err := password.NewWithDerive(c, r.derive)
	require.NoError(t, err)
	return h, r
}

func TestVerifyReferenceHashes(t *testing.T) {
	// Made with the reference implementation, Debian's argon2 0~20171227-0.3:
	//	printf %s PASSWORD | argon2 SALT -id -t T -k M -p P -l SIZE -e
	h := newHasher(t, small())
	for i, row := range []struct {
		password, hash string
		upgrade        bool
	}{
		{"correct horse battery staple", "$argon2id$v=19$m=47104,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$IkvoUIFKMZxntYGKRb7JoHEYYBT6yovf7fl1eBi0vfU", true},
		{"correct horse battery staple", "$argon2id$v=19$m=19456,t=2,p=1$YW5vdGhlciBzYWx0IDE2Yg$1ySPLH/g/kWdSk0U3jueqj9bSaqeOBp+8rYIu4gu26k", true},
		{"correct horse battery staple", "$argon2id$v=19$m=12288,t=3,p=1$dGhpcmQgc2FsdCwgMTYgYg$OvQvo2GM6jqYAY/4ZVKQLZAaNNAZTxiHatwn7L+zwPo", false},
		{"Grüße aus Köln, 2 Personen", "$argon2id$v=19$m=12288,t=3,p=1$c2FsdHNhbHRzYWx0c2FsdA$cksZ8IOKYvxjVdbo1DtW3LjnIPL9jbA8LgGtZWTvYaY", false},
		{"tiny", "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$7GR5kLsrdJOeT9bB2HYV6w", true},
		{"tiny", "$argon2id$v=19$m=64,t=2,p=4$c2FsdHNhbHQ$g/ol/DndV6BzM8bHNNkMkKe16E2c+la0+AqUA7UVTx4jH6Rphf7IAbNZoA0CdmWPZgd/6JZXeXdOXZycB1Z2vA", true},
		{"with\x00a NUL inside it", "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$3wD2Q/2XOdQVITJsWvluC9F6pNE1z+N/6eIk9+IR1Yk", true},
	} {
		match, upgrade, err := h.Verify(t.Context(), row.hash, auth.NewSecret(row.password), false)
		require.NoError(t, err, row.hash)
		require.True(t, match, row.hash)
		require.Equal(t, row.upgrade, upgrade, row.hash)

		if i%3 != 0 {
			continue // real hashes take their time
		}
		match, upgrade, err = h.Verify(t.Context(), row.hash, auth.NewSecret(row.password+" "), false)
		require.NoError(t, err, row.hash)
		require.False(t, match || upgrade, row.hash)
	}
}

func TestVerifyForeignVectors(t *testing.T) {
	b, err := os.ReadFile("testdata/argon2id.json")
	require.NoError(t, err)
	var rows []struct{ Password, Encoded, Verdict, Why, Source string }
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&rows))
	require.NotEmpty(t, rows)

	slow := newHasher(t, small())
	quick, _ := recorded(t, small())
	for _, row := range rows {
		h := slow
		if row.Verdict == "refused" { // before the hash function is asked
			h = quick
		}
		match, upgrade, err := h.Verify(t.Context(), row.Encoded, auth.NewSecret(row.Password), false)
		switch row.Verdict {
		case "match":
			require.NoError(t, err, row.Why)
			require.True(t, match, row.Why)
			require.True(t, upgrade, "all of them are weaker than any new hash: %s", row.Source)
		case "no-match":
			require.NoError(t, err, row.Why)
			require.False(t, match || upgrade, row.Why)
		case "refused":
			require.Error(t, err, row.Why)
			require.False(t, match || upgrade, row.Why)
		default:
			t.Fatalf("unknown verdict %q", row.Verdict)
		}
	}
}

// badHashes are stored hashes that must not be computed.
var badHashes = []struct{ name, hash string }{
	{"no format", "correct horse battery staple"},
	{"another variant", "$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$3wD2Q/2XOdQVITJsWvluC9F6pNE1z+N/6eIk9+IR1Yk"},
	{"prefix only", "$argon2id$"},
	{"version 16", "$argon2id$v=16$" + good},
	{"no version", "$argon2id$" + good},
	{"version with a zero", "$argon2id$v=019$" + good},
	{"something before", " $argon2id$v=19$" + good},
	{"something after", "$argon2id$v=19$" + good + " "},
	{"another field after", "$argon2id$v=19$" + good + "$"},
	{"line break after", "$argon2id$v=19$" + good + "\n"},
	{"line break within, which encoding/base64 skips", "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNh\nbHRzYWx0c2FsdA$" + tag},
	{"padded salt", "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA==$" + tag},
	{"padded tag", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + tag + "="},
	{"stray bits in the last character of the salt", "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdB$" + tag},
	{"stray bits in the last character of the tag", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + tag[:len(tag)-1] + "l"},
	{"URL alphabet", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + strings.ReplaceAll(tag, "/", "_")},
	{"empty salt", "$argon2id$v=19$m=64,t=1,p=1$$" + tag},
	{"short salt", "$argon2id$v=19$m=64,t=1,p=1$c2FsdA$" + tag},
	{"long salt", "$argon2id$v=19$m=64,t=1,p=1$" + strings.Repeat("AAAA", 22) + "$" + tag},
	{"empty tag, which would match everything", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$"},
	{"short tag, which would match one in 16 million", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$AAAA"},
	{"long tag", "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + strings.Repeat("AAAA", 22)},
	{"leading zero", "$argon2id$v=19$m=064,t=1,p=1$" + salt + "$" + tag},
	{"sign", "$argon2id$v=19$m=+64,t=1,p=1$" + salt + "$" + tag},
	{"hexadecimal", "$argon2id$v=19$m=0x40,t=1,p=1$" + salt + "$" + tag},
	{"underscore", "$argon2id$v=19$m=6_4,t=1,p=1$" + salt + "$" + tag},
	{"twice the same", "$argon2id$v=19$m=64,m=64,t=1,p=1$" + salt + "$" + tag},
	{"another order", "$argon2id$v=19$t=1,m=64,p=1$" + salt + "$" + tag},
	{"one too few", "$argon2id$v=19$m=64,t=1$" + salt + "$" + tag},
	{"unknown parameter", "$argon2id$v=19$m=64,t=1,p=1,keyid=abc$" + salt + "$" + tag},
	{"no passes, on which Argon2 panics", "$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + tag},
	{"no lanes, on which Argon2 panics", "$argon2id$v=19$m=64,t=1,p=0$" + salt + "$" + tag},
	{"too many lanes", "$argon2id$v=19$m=1024,t=1,p=17$" + salt + "$" + tag},
	{"lanes beyond a byte", "$argon2id$v=19$m=4096,t=1,p=257$" + salt + "$" + tag},
	{"too many passes", "$argon2id$v=19$m=64,t=11,p=1$" + salt + "$" + tag},
	{"too little memory for the lanes", "$argon2id$v=19$m=31,t=1,p=4$" + salt + "$" + tag},
	{"more memory than unknown callers share", "$argon2id$v=19$m=196609,t=1,p=1$" + salt + "$" + tag},
	{"memory beyond 32 bits", "$argon2id$v=19$m=4294967360,t=1,p=1$" + salt + "$" + tag},
	{"very long", "$argon2id$v=19$m=" + strings.Repeat("1", 1<<20) + ",t=1,p=1$" + salt + "$" + tag},
}

const (
	salt = "c2FsdHNhbHRzYWx0c2FsdA"
	tag  = "3wD2Q/2XOdQVITJsWvluC9F6pNE1z+N/6eIk9+IR1Yk"
	good = "m=64,t=1,p=1$" + salt + "$" + tag
)

func TestVerifyRefusesBadHashes(t *testing.T) {
	h, r := recorded(t, password.Config{})
	_, _, err := h.Verify(t.Context(), "$argon2id$v=19$"+good, auth.NewSecret("x"), false)
	require.NoError(t, err, "the rows below must differ from a good one")
	for _, row := range badHashes {
		t.Run(row.name, func(t *testing.T) {
			r.calls = nil
			match, upgrade, err := h.Verify(t.Context(), row.hash, auth.NewSecret("a password"), false)
			require.ErrorContains(t, err, "password: stored hash")
			require.False(t, match || upgrade)
			require.NotContains(t, err.Error(), "c2Fsd", "hashes stay out of errors")
			require.Len(t, r.calls, 1, "it takes the time of a hash")
			require.Equal(t, password.Params{Memory: 46 << 10, Passes: 1, Lanes: 1}, r.calls[0].params)
		})
	}
}

func TestVerifyAlwaysDoesTheWork(t *testing.T) {
	// An unknown account, an account without a password and input that is no password must take the time of a
	// wrong password, and what is no password must not reach the hash function.
	params := password.Params{Memory: 19 << 10, Passes: 2, Lanes: 1}
	h, r := recorded(t, password.Config{Params: params})
	hash, err := h.Hash(t.Context(), auth.NewSecret("a fine password"), false)
	require.NoError(t, err)
	for _, row := range []struct{ name, hash, password, reaches string }{
		{"wrong", hash, "another password", "another password"},
		{"no hash", "", "a fine password", "a fine password"},
		{"empty", hash, "", ""},
		{"empty, no hash", "", "", ""},
		{"malformed", hash, "a fine password\xff", ""},
		{"malformed, no hash", "", "\xc3\x28", ""},
		{"too long", hash, strings.Repeat("a", 257), ""},
		{"a megabyte", hash, strings.Repeat("a", 1<<20), ""},
		{"a megabyte, no hash", "", strings.Repeat("a", 1<<20), ""},
	} {
		for _, known := range []bool{false, true} {
			r.calls = nil
			match, upgrade, err := h.Verify(t.Context(), row.hash, auth.NewSecret(row.password), known)
			require.NoError(t, err, row.name)
			require.False(t, match || upgrade, row.name)
			require.Len(t, r.calls, 1, row.name)
			require.Equal(t, params, r.calls[0].params, row.name)
			require.Equal(t, uint32(32), r.calls[0].size, row.name)
			require.Len(t, r.calls[0].salt, 16, row.name)
			require.Equal(t, row.reaches, r.calls[0].password, row.name)
		}
	}
}

func TestVerifyEvensOutCheapHashes(t *testing.T) {
	// A hash from an import may be a thousand times cheaper than a new one. Whether the password is right or
	// wrong, the answer must not come sooner than for an unknown account.
	for _, params := range []password.Params{{Memory: 46 << 10, Passes: 1, Lanes: 1}, {Memory: 12 << 10, Passes: 3, Lanes: 1}, {Memory: 64 << 10, Passes: 3, Lanes: 4}} {
		h, r := recorded(t, password.Config{Params: params, Memory: 1 << 30})
		full := float64(params.Memory) * float64(params.Passes)
		for _, stored := range []string{"m=8,t=1,p=1", "m=64,t=2,p=4", "m=8192,t=2,p=1", "m=12288,t=3,p=1"} {
			hash := "$argon2id$v=19$" + stored + "$" + salt + "$" + sumOf("right", 32)
			for _, typed := range []string{"right", "wrong"} {
				r.calls = nil
				match, _, err := h.Verify(t.Context(), hash, auth.NewSecret(typed), false)
				require.NoError(t, err)
				require.Equal(t, typed == "right", match)
				var work float64
				for _, c := range r.calls {
					work += float64(c.params.Memory) * float64(c.params.Passes)
					require.LessOrEqual(t, c.params.Memory, params.Memory, "and no more memory either")
				}
				require.InEpsilon(t, full, work, 0.01, "%s under %v", stored, params)
			}
		}
	}
}

// zeros is a broken source of randomness.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestDecoyNeverMatches(t *testing.T) {
	c := password.Config{Random: zeros{}}
	h, err := password.NewWithDerive(c, func(_, _ []byte, _, _ uint32, _ uint8, size uint32) []byte { return make([]byte, size) })
	require.NoError(t, err)
	for _, hash := range []string{"", "$argon2id$", "nonsense"} {
		match, upgrade, _ := h.Verify(t.Context(), hash, auth.NewSecret("anything at all"), false)
		require.False(t, match || upgrade, "the tags are equal, but there is no account")
	}
	// Nor does input that is no password match a hash of the empty one.
	empty := "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + strings.Repeat("A", 43)
	for _, pw := range []string{"", "\xff", strings.Repeat("a", 257)} {
		match, _, err := h.Verify(t.Context(), empty, auth.NewSecret(pw), false)
		require.NoError(t, err)
		require.False(t, match)
	}
}

func TestHashAndVerify(t *testing.T) {
	h := newHasher(t, small())
	hash, err := h.Hash(t.Context(), auth.NewSecret("correct horse battery staple"), true)
	require.NoError(t, err)
	require.Regexp(t, `^\$argon2id\$v=19\$m=12288,t=3,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`, hash)
	again, err := h.Hash(t.Context(), auth.NewSecret("correct horse battery staple"), true)
	require.NoError(t, err)
	require.NotEqual(t, hash, again, "each hash has a salt of its own")
	for _, known := range []bool{false, true} {
		match, upgrade, err := h.Verify(t.Context(), hash, auth.NewSecret("correct horse battery staple"), known)
		require.NoError(t, err)
		require.True(t, match)
		require.False(t, upgrade)
	}
}

func TestPasswordsAreTakenWhole(t *testing.T) {
	// Others trimmed at sign-up but not at sign-in, or ignored all after the 72nd byte (ASVS 6.2.8, 6.2.9).
	h, _ := recorded(t, password.Config{})
	long := strings.Repeat("0123456789", 10)
	for _, row := range []struct {
		name, is, typed string
		match           bool
	}{
		{"the same", "correct horse battery", "correct horse battery", true},
		{"space after", "correct horse battery ", "correct horse battery", false},
		{"space before", " correct horse battery", "correct horse battery", false},
		{"spaces kept", "  correct horse battery\t\n", "  correct horse battery\t\n", true},
		{"case", "Correct horse battery", "correct horse battery", false},
		{"NUL ends nothing", "correct\x00horse", "correct\x00house", false},
		{"byte 73", long[:72] + "a", long[:72] + "b", false},
		{"only the first 72 bytes", long, long[:72], false},
		{"64 runes of four bytes", strings.Repeat("🔑", 64), strings.Repeat("🔑", 64), true},
		{"256 runes of four bytes", strings.Repeat("🔑", 256), strings.Repeat("🔑", 256), true},
		{"composed and decomposed", "Zürich über alles", norm.NFD.String("Zürich über alles"), true},
		{"decomposed and composed", norm.NFD.String("각하 Ṩ ǖ à la carte"), "각하 Ṩ ǖ à la carte", true},
		{"256 runes that compose from nine bytes each", strings.Repeat("각", 256), norm.NFD.String(strings.Repeat("각", 256)), true},
		{"compatibility is not equality", "ﬁne password 12345", "fine password 12345", false},
		{"an accent is not nothing", "Zurich uber alles", "Zürich über alles", false},
	} {
		hash, err := h.Hash(t.Context(), auth.NewSecret(row.is), false)
		require.NoError(t, err, row.name)
		match, _, err := h.Verify(t.Context(), hash, auth.NewSecret(row.typed), false)
		require.NoError(t, err, row.name)
		require.Equal(t, row.match, match, row.name)
	}
}

func TestHashRefuses(t *testing.T) {
	h, r := recorded(t, password.Config{})
	for pw, problem := range map[string]string{
		"":                          password.TooShort,
		"correct horse\xff battery": password.Malformed,
		"\xed\xa0\x80 a surrogate":  password.Malformed,
		strings.Repeat("a", 257):    password.TooLong,
		strings.Repeat("🔑", 257):    password.TooLong,
		strings.Repeat("a", 1<<20):  password.TooLong,
	} {
		_, err := h.Hash(t.Context(), auth.NewSecret(pw), false)
		var denied *auth.DeniedError
		require.ErrorAs(t, err, &denied)
		require.Equal(t, flow.Refusal{Reason: flow.PasswordRejected, Problem: problem}, denied.Refusal)
	}
	require.Empty(t, r.calls)
}

func TestUpgrade(t *testing.T) {
	// Another library verified with the configured parameters instead of the stored ones: changing them locked
	// everyone out.
	at := func(memory, passes uint32, lanes uint8) password.Params {
		return password.Params{Memory: memory << 10, Passes: passes, Lanes: lanes}
	}
	for _, row := range []struct {
		name         string
		was, is      password.Params
		upgradeIsDue bool
	}{
		{"the same", at(46, 1, 1), at(46, 1, 1), false},
		{"more memory now", at(46, 1, 1), at(64, 1, 1), true},
		{"more passes now", at(46, 1, 1), at(46, 2, 1), true},
		{"less now", at(64, 3, 1), at(46, 1, 1), false},
		{"another row of the floor", at(46, 1, 1), at(19, 2, 1), true},
		{"lanes do not count", at(46, 1, 1), at(46, 1, 4), false},
	} {
		old, _ := recorded(t, password.Config{Params: row.was, Memory: 512 << 20})
		hash, err := old.Hash(t.Context(), auth.NewSecret("correct horse battery staple"), false)
		require.NoError(t, err, row.name)
		h, r := recorded(t, password.Config{Params: row.is, Memory: 512 << 20})
		match, upgrade, err := h.Verify(t.Context(), hash, auth.NewSecret("correct horse battery staple"), false)
		require.NoError(t, err, row.name)
		require.True(t, match, row.name)
		require.Equal(t, row.upgradeIsDue, upgrade, row.name)
		require.Equal(t, row.was, r.calls[0].params, "the stored parameters, whatever is configured")
	}
	for name, hash := range map[string]string{
		"a short salt": "$argon2id$v=19$m=47104,t=1,p=1$c2FsdHNhbHQ$" + sumOf("tiny", 32),
		"a short tag":  "$argon2id$v=19$m=47104,t=1,p=1$" + salt + "$" + sumOf("tiny", 16),
	} {
		h, _ := recorded(t, password.Config{})
		match, upgrade, err := h.Verify(t.Context(), hash, auth.NewSecret("tiny"), false)
		require.NoError(t, err, name)
		require.True(t, match, name)
		require.True(t, upgrade, name)
	}
}

func TestRandomnessFails(t *testing.T) {
	down := errors.New("no entropy")
	broken := brokenReader{err: down}
	_, err := password.New(password.Config{Random: &broken})
	require.ErrorIs(t, err, down)

	broken = brokenReader{left: 48, err: down} // enough for New
	h := newHasher(t, password.Config{Random: &broken})
	hash, err := h.Hash(t.Context(), auth.NewSecret("correct horse battery staple"), false)
	require.ErrorIs(t, err, down)
	require.Empty(t, hash)
}

type brokenReader struct {
	left int
	err  error
}

func (b *brokenReader) Read(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.left -= n
	if n == 0 {
		return 0, b.err
	}
	return n, nil
}

func TestContextEndsBeforeWork(t *testing.T) {
	h, r := recorded(t, password.Config{})
	gone := errors.New("the client went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	_, err := h.Hash(ctx, auth.NewSecret("correct horse battery staple"), false)
	require.ErrorIs(t, err, gone)
	match, _, err := h.Verify(ctx, "", auth.NewSecret("correct horse battery staple"), true)
	require.ErrorIs(t, err, gone)
	require.False(t, match)
	require.Empty(t, r.calls)
}

func TestLoweringTheMaxLengthLocksNobodyOut(t *testing.T) {
	long := auth.NewSecret(strings.Repeat("kettle orbit velvet ", 5))
	wide, err := password.New(small())
	require.NoError(t, err)
	hash, err := wide.Hash(t.Context(), long, false)
	require.NoError(t, err)
	c := small()
	c.MaxLength = 64
	narrow, err := password.New(c)
	require.NoError(t, err)
	match, _, err := narrow.Verify(t.Context(), hash, long, false)
	require.NoError(t, err)
	require.True(t, match)
}
