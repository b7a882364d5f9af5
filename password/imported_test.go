package password_test

import (
	"crypto"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/password"
	"github.com/cardea-auth/cardea/password/weak"
)

func TestNewRefusesFormats(t *testing.T) {
	for _, row := range []struct {
		name   string
		format password.Format
		says   string
	}{
		{"nil", nil, "Imported[0] is nil"},
		{"bcrypt too cheap", password.Bcrypt(3), "cost 3"},
		{"bcrypt too dear", password.Bcrypt(16), "cost 16"},
		{"a pepper with a NUL", password.BcryptTruncated(10, auth.NewSecret("a\x00b")), "NUL"},
		{"argon2 of nothing", password.Argon2id(password.Params{}), "0 passes"},
		{"argon2 of too much memory", password.Argon2i(password.Params{Memory: 1<<20 + 1, Passes: 1, Lanes: 1}), "1048577 KiB"},
		{"argon2 of too much work", password.Argon2i(password.Params{Memory: 1 << 20, Passes: 5, Lanes: 1}), "too much work"},
		{"argon2 beyond the gate", password.Argon2i(password.Params{Memory: 128 << 10, Passes: 1, Lanes: 1}), "both parts of Memory must have room for one"},
		{"scrypt of no power of two", password.Scrypt(1000, 8, 1), "power of two"},
		{"scrypt of nothing", password.Scrypt(0, 0, 0), "power of two"},
		{"scrypt of too much memory", password.Scrypt(1<<20, 16, 1), "too much work"},
		{"scrypt of too much work", password.Scrypt(1<<18, 8, 8), "too much work"},
		{"scrypt of too large blocks", password.Scrypt(1024, 65, 1), "r is 65"},
		{"scrypt beyond the gate", password.Scrypt(1<<17, 8, 1), "both parts of Memory must have room for one"},
		{"firebase of nothing", password.FirebaseScrypt(0, 8, 1), "power of two"},
		{"firebase of too much", password.FirebaseScrypt(31, 8, 1), "power of two"},
		{"pbkdf2 of no function", password.PBKDF2(crypto.MD5, 1000), "not supported"},
		{"pbkdf2 of nothing", password.PBKDF2(crypto.SHA256, 0), "0 iterations"},
		{"pbkdf2 of too much", password.PBKDF2(crypto.SHA256, 10_000_001), "10000001 iterations"},
		{"sha-crypt of nothing", password.SHA256Crypt(999), "999 rounds"},
		{"sha-crypt of too much", password.SHA512Crypt(3_000_001), "3000001 rounds"},
		{"one without a name", metered{units: 1, price: 1, meter: &meter{}}, "must have a name"},
		{"one that does nothing", metered{name: "idle", meter: &meter{}}, "does some work"},
		{"one of negative memory", metered{name: "odd", units: 1, memory: -1, meter: &meter{}}, "-1 bytes"},
	} {
		_, err := password.New(password.Config{Imported: []password.Format{row.format}})
		require.ErrorContains(t, err, row.says, row.name)
	}
	_, err := password.New(password.Config{MinLength: 1, Imported: []password.Format{password.Bcrypt(10), password.Bcrypt(99), password.BcryptTruncated(4, auth.Secret{})}})
	for _, says := range []string{"MinLength is 1", "cost 99", "bcrypt twice"} {
		require.ErrorContains(t, err, says, "all problems at once")
	}
}

func TestUndeclaredKindsAreNamed(t *testing.T) {
	var rows []freshRow
	readRows(t, "fresh.json", &rows)
	h := unpadded(t, small())
	names := map[string]bool{}
	for _, row := range rows {
		if strings.HasPrefix(row.Encoded, "$argon2id$") {
			continue // is always read
		}
		match, upgrade, err := h.Verify(t.Context(), row.Encoded, auth.NewSecret(row.Password), false)
		require.False(t, match || upgrade)
		require.Error(t, err)
		requireNoQuote(t, err, row.Encoded)
		require.ErrorContains(t, h.CheckHash(row.Encoded), strings.TrimPrefix(err.Error(), "password: stored hash: "))
		names[err.Error()] = true
	}
	for _, kind := range []string{
		"bcrypt", "argon2i", "argon2id", "scrypt", "firebase-scrypt", "pbkdf2", "sha256-crypt", "sha512-crypt", "ssha",
	} {
		require.Contains(t, names, "password: stored hash: "+kind+" is not declared in Config.Imported")
	}
	for _, kind := range []string{"ssha-sha1", "md5-crypt", "django-digest"} {
		require.Contains(t, names, "password: stored hash: "+kind+" is not declared in Config.Imported (package password/weak has it)")
	}
}

// cautious is a format of which nothing may be computed.
type cautious struct {
	metered
	t *testing.T
}

func (c cautious) Parse(encoded string) (password.Hash, error) {
	h, err := c.metered.Parse(encoded)
	if err != nil {
		return nil, err
	}
	return cautiousHash{h.(meteredHash), c.t}, nil
}

type cautiousHash struct {
	meteredHash
	t *testing.T
}

func (h cautiousHash) Matches([]byte) bool { h.t.Error("it was computed"); return true }

func TestDearerThanDeclaredIsNotComputed(t *testing.T) {
	c := small()
	c.Imported = []password.Format{cautious{metered{name: "slow", units: 1000, price: 1, memory: 1 << 20, meter: &meter{}}, t}}
	h := unpadded(t, c)
	for _, hash := range []string{"$slow$1001$typed", "$slow$9223372036854775807$typed", "$slow$" + strings.Repeat("1", 2000) + "$"} {
		match, _, err := h.Verify(t.Context(), hash, auth.NewSecret("typed"), false)
		require.Error(t, err)
		require.False(t, match)
	}
	for _, row := range []struct {
		format    password.Format
		fits, not []string
	}{
		{password.Bcrypt(5), []string{"$2b$05$" + strings.Repeat(".", 53)}, []string{"$2b$06$" + strings.Repeat(".", 53)}},
		{
			password.Argon2i(password.Params{Memory: 64, Passes: 2, Lanes: 1}),
			[]string{"$argon2i$v=19$m=64,t=2,p=1$" + salt + "$" + tag, "$argon2i$v=19$m=32,t=4,p=1$" + salt + "$" + tag},
			[]string{"$argon2i$v=19$m=65,t=1,p=1$" + salt + "$" + tag, "$argon2i$v=19$m=64,t=3,p=1$" + salt + "$" + tag},
		},
		{
			password.Argon2id(password.Params{Memory: 64 << 10, Passes: 2, Lanes: 1}),
			[]string{"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$" + tag, "argon2$argon2id$v=19$m=64,t=2,p=1$" + salt + "$" + tag},
			[]string{"$argon2id$v=19$m=65536,t=3,p=1$" + salt + "$" + tag, "$argon2id$v=19$m=65537,t=1,p=1$" + salt + "$" + tag, "argon2$argon2id$v=19$m=65537,t=1,p=1$" + salt + "$" + tag},
		},
		{password.PBKDF2(crypto.SHA256, 10), []string{"pbkdf2_sha256$10$seasalt$" + strings.Repeat("A", 43) + "="}, []string{"pbkdf2_sha256$11$seasalt$" + strings.Repeat("A", 43) + "=", "$pbkdf2-sha256$6$" + salt + "$" + strings.Repeat("A", 86)}},
	} {
		h := reading(t, row.format)
		for _, hash := range row.fits {
			require.NoError(t, h.CheckHash(hash), hash)
		}
		for _, hash := range row.not {
			require.Error(t, h.CheckHash(hash), hash)
		}
	}
}

func TestCheckHash(t *testing.T) {
	h := newHasher(t, small())
	own, err := h.Hash(t.Context(), auth.NewSecret("correct horse battery staple"), false)
	require.NoError(t, err)
	require.NoError(t, h.CheckHash(own))
	for _, bad := range []string{"", "!", "correct horse battery staple", own + " ", own[:len(own)-2]} {
		require.Error(t, h.CheckHash(bad), bad)
	}
}

func TestLoweredParametersAreCovered(t *testing.T) {
	// Without the declaration, accounts that were there before the parameters were lowered answer later than others.
	old := password.Params{Memory: 64 << 10, Passes: 3, Lanes: 1}
	m := &meter{price: 1000}
	strong, err := password.NewWithStopwatch(password.Config{Params: old, Memory: 1 << 30}, m.derive, m.measure)
	require.NoError(t, err)
	hash, err := strong.Hash(t.Context(), auth.NewSecret("typed"), false)
	require.NoError(t, err)
	for _, declared := range []bool{false, true} {
		c := password.Config{Memory: 1 << 30}
		if declared {
			c.Imported = []password.Format{password.Argon2id(old)}
		}
		calibrated := func(work func()) (d time.Duration) {
			before := m.spent
			work()
			if m.spent > before {
				return time.Duration(m.spent - before)
			}
			return 12 * time.Millisecond // a decoy of the declared kind, which the meter does not see: 4 MiB, three passes
		}
		h, err := password.NewWithStopwatch(c, m.derive, calibrated)
		require.NoError(t, err)
		match, upgrade := verify(t, h, hash, "typed")
		require.True(t, match)
		require.False(t, upgrade, "what is stronger stays")
		require.Equal(t, declared, strings.Contains(reportRow(t, h, "answers take as long as"), "argon2id"))
	}
}

func reportRow(t testing.TB, h *password.Hasher, name string) string {
	t.Helper()
	for _, row := range h.Report().Rows {
		if row.Name == name {
			return row.Value
		}
	}
	t.Fatalf("no row %q", name)
	return ""
}

func TestReportShowsWhatIsImported(t *testing.T) {
	require.Equal(t, "none", reportRow(t, newHasher(t, small()), "imported hashes"))
	require.Equal(t, "new hashes", reportRow(t, newHasher(t, small()), "answers take as long as"))
	m := &meter{price: 1}
	h := newMetered(t, m, metered{name: "slow", units: 1e6, price: 1e3})
	require.Equal(t, "slow", reportRow(t, h, "answers take as long as"))
	pepper := "devise pepper"
	h = reading(t, password.BcryptTruncated(12, auth.NewSecret(pepper)), password.PBKDF2(crypto.SHA256, 600_000), weak.Django())
	require.Equal(t, "bcrypt of cost 12, with what it ignores beyond 72 bytes, PBKDF2-HMAC with SHA-256 of 600000 iterations, django-digest", reportRow(t, h, "imported hashes"))
	for _, row := range h.Report().Rows {
		require.NotContains(t, row.Value, pepper)
	}
}

func TestEncodeFirebase(t *testing.T) {
	// The user and the parameters of the test of github.com/firebase/scrypt, as an export has them.
	p := password.FirebaseParameters{
		SignerKey:     "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
		SaltSeparator: "Bw==", Rounds: 8, MemoryCost: 14,
	}
	const salt, hash = "42xEC-ixf3L2lw==", "lSrfV15cpx95_sZS2W9c9Kp6i_LVgQNDNC_qzrCnh1SAyZvqmZqAjTdn3aoItz-VHjoZilo78198JAdRuid5lQ=="
	encoded, err := password.EncodeFirebase(p, salt, hash)
	require.NoError(t, err)
	h := reading(t, password.FirebaseScrypt(14, 8, 1))
	match, upgrade := verify(t, h, encoded, "user1password")
	require.True(t, match && upgrade)
	match, _ = verify(t, h, encoded, "user2password")
	require.False(t, match)
	unpaddedForm, err := password.EncodeFirebase(p, strings.TrimRight(salt, "="), strings.TrimRight(hash, "="))
	require.NoError(t, err)
	require.Equal(t, encoded, unpaddedForm)

	for name, change := range map[string]func(p *password.FirebaseParameters, salt, hash *string){
		"no hash":           func(_ *password.FirebaseParameters, _, hash *string) { *hash = "" },
		"a short hash":      func(_ *password.FirebaseParameters, _, hash *string) { *hash = "AAAA" },
		"no salt":           func(_ *password.FirebaseParameters, salt, _ *string) { *salt = "" },
		"no base64":         func(_ *password.FirebaseParameters, salt, _ *string) { *salt = "42xEC ixf3L2lw" },
		"another alphabet":  func(_ *password.FirebaseParameters, _, hash *string) { *hash = strings.ReplaceAll(*hash, "_", "!") },
		"a field separator": func(_ *password.FirebaseParameters, salt, _ *string) { *salt = "42xE$AAAA" },
		"a line break":      func(_ *password.FirebaseParameters, salt, _ *string) { *salt = "42xE\nC-ixf3L2lw" },
		"another signer":    func(p *password.FirebaseParameters, _, _ *string) { p.SignerKey = "AAAAAAAAAAAAAAAAAAAAAA==" },
		"no rounds":         func(p *password.FirebaseParameters, _, _ *string) { p.Rounds = 0 },
		"no memory cost":    func(p *password.FirebaseParameters, _, _ *string) { p.MemoryCost = 0 },
		"N for its log":     func(p *password.FirebaseParameters, _, _ *string) { p.MemoryCost = 16384 },
	} {
		p, salt, hash := p, salt, hash
		change(&p, &salt, &hash)
		encoded, err := password.EncodeFirebase(p, salt, hash)
		require.Error(t, err, name)
		require.Empty(t, encoded, name)
		require.NotContains(t, err.Error(), "lSrf", name)
	}
}

// TestImportedAccountsSignIn takes hashes of many kinds through the Service: each account signs in with its old
// password, and then has a new hash, under the pepper.
func TestImportedAccountsSignIn(t *testing.T) {
	var rows []freshRow
	readRows(t, "fresh.json", &rows)
	store := memory.New()
	c := cheapest()
	c.Keys = keys(t, key("k1", 1))
	s := server(t, store, c)
	seen := map[string]bool{}
	for _, row := range rows {
		if seen[row.Tool] || strings.Contains(row.Tool, "-id") || strings.HasSuffix(row.Tool, "384") || strings.HasSuffix(row.Tool, "224") {
			continue
		}
		seen[row.Tool] = true
		address := "person" + strings.ReplaceAll(strings.ReplaceAll(row.Tool, " ", "."), "_", "") + "@example.com"
		a, err := s.CreateAccount(t.Context(), auth.NewAccount{Identifier: address, Hash: auth.NewEncodedHash(row.Encoded)})
		require.NoError(t, err, row.Tool)
		require.Equal(t, flow.BadCredentials, signIn(t, s, address, "x"+row.Password).Refusal.Reason, row.Tool)
		stored, err := store.PasswordHash(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, row.Encoded, stored, "a wrong password changes nothing")
		for range 2 {
			require.Equal(t, flow.Granted.String(), signIn(t, s, address, row.Password).Outcome, row.Tool)
			stored, err = store.PasswordHash(t.Context(), a.ID)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(stored, "$pepper$k1$argon2id$"), row.Tool)
		}
	}
	require.Greater(t, len(seen), 30)
}

func TestCreateAccountTakesOnlyHashesThatCanBeRead(t *testing.T) {
	store := memory.New()
	c := small()
	c.Imported = []password.Format{password.Bcrypt(5)}
	s := server(t, store, c)
	for name, hash := range map[string]string{
		"a password":              "correct horse battery staple",
		"an undeclared kind":      "pbkdf2_sha256$10$seasalt$" + strings.Repeat("A", 43) + "=",
		"a greater cost":          "$2b$06$" + strings.Repeat(".", 53),
		"a cut one":               "$2b$05$" + strings.Repeat(".", 52),
		"a mark of no password":   "!8f3kLmT0v1Xr5cYq2WnZaBsDgHjPe4UiO7x9KMwN",
		"white space":             "$2b$05$" + strings.Repeat(".", 53) + "\n",
		"somebody's own Argon2id": "$argon2id$v=19$m=64,t=1,p=1$c2FsdA$" + tag,
	} {
		_, err := s.CreateAccount(t.Context(), auth.NewAccount{Identifier: "ann@example.com", Hash: auth.NewEncodedHash(hash)})
		require.ErrorIs(t, err, auth.ErrHash, name)
		requireNoQuote(t, err, hash)
		require.NotContains(t, err.Error(), "horse", name)
		_, err = store.FindByIdentifier(t.Context(), "ann@example.com")
		require.ErrorIs(t, err, auth.ErrNotFound, "nothing is created: %s", name)
	}
	_, err := s.CreateAccount(t.Context(), auth.NewAccount{
		Identifier: "ann@example.com", Password: auth.NewSecret("correct horse battery staple"), Hash: auth.NewEncodedHash("$2b$05$" + strings.Repeat(".", 53)),
	})
	require.ErrorContains(t, err, "both a password and a hash")
	require.False(t, errors.Is(err, auth.ErrHash))
}
