package password_test

import (
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password"
	"github.com/cardea-auth/cardea/password/weak"
)

// reading returns a Hasher that reads the formats.
func reading(t testing.TB, formats ...password.Format) *password.Hasher {
	t.Helper()
	c := small()
	c.Imported = formats
	return unpadded(t, c)
}

func verify(t testing.TB, h *password.Hasher, hash, typed string) (match, upgrade bool) {
	t.Helper()
	match, upgrade, err := h.Verify(t.Context(), hash, auth.NewSecret(typed), false)
	require.NoError(t, err)
	return match, upgrade
}

// bcryptOf is what a system stores that hands bcrypt all or, as C does, the first 72 bytes.
func bcryptOf(t testing.TB, text string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(text[:min(len(text), 72)]), bcrypt.MinCost)
	require.NoError(t, err)
	return string(hash)
}

func TestBcryptBeyond72Bytes(t *testing.T) {
	long := strings.Repeat("0123456789", 8)
	strict, lenient := reading(t, password.Bcrypt(4)), reading(t, password.BcryptTruncated(4, auth.Secret{}))
	for _, row := range []struct {
		name, is, typed           string
		strict, lenient, upgraded bool
	}{
		{"72 bytes", long[:72], long[:72], true, true, true},
		{"longer, whole", long, long, false, true, false},
		{"longer, with a slip that the old system never saw", long, long[:72] + "x", false, true, false},
		{"longer then, only 72 bytes now", long, long[:72], true, true, true},
		{"longer, with a slip before", long, "x" + long[1:], false, false, false},
		{"umlauts count twice", strings.Repeat("ü", 36), strings.Repeat("ü", 37), false, true, false},
	} {
		hash := bcryptOf(t, row.is)
		match, upgrade := verify(t, strict, hash, row.typed)
		require.Equal(t, row.strict, match, row.name)
		require.Equal(t, row.strict, upgrade, row.name)
		match, upgrade = verify(t, lenient, hash, row.typed)
		require.Equal(t, row.lenient, match, row.name)
		require.Equal(t, row.upgraded, upgrade, "%s: what was never checked must not become the password", row.name)
	}
}

// Rodauth and Devise append their pepper to the password, and bcrypt ignores what is beyond 72 bytes: with a
// long password their pepper protects nothing. Their hashes are read as they are; the new one made at sign-in
// is under a pepper that comes before everything else.
func TestPepperOfRodauthAndDeviseBeyond72Bytes(t *testing.T) {
	const pepper = "a pepper of thirty-two characters"
	h := reading(t, password.BcryptTruncated(4, auth.NewSecret(pepper)))
	other := reading(t, password.BcryptTruncated(4, auth.NewSecret("another one")))
	for _, size := range []int{8, 30, 39, 40, 60, 72} {
		typed := strings.Repeat("p", size)
		hash := bcryptOf(t, typed+pepper)
		match, upgrade := verify(t, h, hash, typed)
		require.True(t, match && upgrade, "%d bytes: the whole password counted", size)
		match, _ = verify(t, other, hash, typed)
		require.Equal(t, size == 72, match, "at 72 bytes their pepper does not count any more")
	}
	match, upgrade := verify(t, h, bcryptOf(t, strings.Repeat("p", 80)+pepper), strings.Repeat("p", 80))
	require.True(t, match)
	require.False(t, upgrade)
	match, _ = verify(t, h, "bcrypt$"+bcryptOf(t, "typed"), "typed")
	require.True(t, match, "Django had no pepper")

	// Our own: one byte of the pepper's key is enough to refuse the longest password.
	long := auth.NewSecret(strings.Repeat("p", 200))
	c := small()
	c.Keys = keys(t, key("k", 1))
	ours := newHasher(t, c)
	hash, err := ours.Hash(t.Context(), long, false)
	require.NoError(t, err)
	c.Keys = keys(t, key("k", 2))
	match, _, err = newHasher(t, c).Verify(t.Context(), hash, long, false)
	require.NoError(t, err)
	require.False(t, match)
}

func TestBcryptAndNUL(t *testing.T) {
	// Bcrypt repeats the password with a NUL after each time: "a" and "a\x00a" are the same to it.
	hash := bcryptOf(t, "a")
	require.NoError(t, bcrypt.CompareHashAndPassword([]byte(hash), []byte("a\x00a")), "this is why")
	for _, f := range []password.Format{password.Bcrypt(4), password.BcryptTruncated(4, auth.Secret{})} {
		for _, typed := range []string{"a\x00a", "a\x00", "\x00a", "a\x00b"} {
			match, _ := verify(t, reading(t, f), hash, typed)
			require.False(t, match)
			match, _ = verify(t, reading(t, f), bcryptOf(t, typed), typed)
			require.False(t, match)
		}
	}
}

func TestBcryptRevisions(t *testing.T) {
	h := reading(t, password.Bcrypt(6))
	digest := bcryptOf(t, "typed")[len("$2a$"):]
	for _, prefix := range []string{"$2a$", "$2b$", "$2y$", "bcrypt$$2b$"} {
		match, _ := verify(t, h, prefix+digest, "typed")
		require.True(t, match, prefix)
	}
	for _, prefix := range []string{"$2x$", "$2$", "$2z$", "$2A$", "bcrypt_sha256$bcrypt$$2b$", "bcrypt$bcrypt$$2b$", "bcrypt$", "$2b$0"} {
		require.Error(t, h.CheckHash(prefix+digest), prefix)
	}
	for _, cost := range []string{"03", "00", "4$", "+4", " 4", "07", "31", "99", "0x"} {
		require.Error(t, h.CheckHash("$2b$"+cost+digest[2:]), cost)
	}
	stray := digest[:len("04$")+21] + "/" // the last character of a salt has two bits
	require.ErrorContains(t, h.CheckHash("$2b$"+stray+digest[len(stray):]), "not written as")
}

func TestLnOfKratosIsNItself(t *testing.T) {
	h := reading(t, password.Scrypt(1024, 8, 1))
	key, err := scrypt.Key([]byte("typed"), []byte("sixteen bytes..."), 1024, 8, 1, 32)
	require.NoError(t, err)
	padded := base64.StdEncoding.EncodeToString([]byte("sixteen bytes...")) + "$" + base64.StdEncoding.EncodeToString(key)
	raw := strings.ReplaceAll(padded, "=", "")
	for _, good := range []string{"$scrypt$ln=10,r=8,p=1$" + raw, "$scrypt$ln=1024,r=8,p=1$" + padded} {
		match, _ := verify(t, h, good, "typed")
		require.True(t, match, good)
	}
	for _, bad := range []string{
		"$scrypt$ln=1024,r=8,p=1$" + raw, "$scrypt$ln=10,r=8,p=1$" + padded, "$scrypt$ln=63,r=8,p=1$" + raw, "$scrypt$ln=31,r=8,p=1$" + raw,
		"$scrypt$ln=1000,r=8,p=1$" + padded, "$scrypt$ln=0,r=8,p=1$" + raw, "$scrypt$ln=11,r=8,p=1$" + raw, "$scrypt$ln=2048,r=8,p=1$" + padded,
		"$scrypt$ln=10,r=16,p=1$" + raw, "$scrypt$ln=10,r=8,p=2$" + raw, "$scrypt$ln=10,p=1,r=8$" + raw, "$scrypt$ln=10,r=8$" + raw,
	} {
		require.Error(t, h.CheckHash(bad), bad)
	}
}

func TestKratosSHA224IsSHA3(t *testing.T) {
	// From kratos's own tests; what its name says would not match.
	const hash = "$pbkdf2-sha224$i=100000,l=32$A2nzbFd+wwzPSb+TqkF5Pw$9M4GM2yOYw/fZvsvQbF/0Ec8JO2u9O1MYRTfrDimX6o"
	match, _ := verify(t, reading(t, password.PBKDF2(crypto.SHA3_224, 200_000)), hash, "test")
	require.True(t, match)
	match, _ = verify(t, reading(t, password.PBKDF2(crypto.SHA224, 200_000)), hash, "test")
	require.False(t, match)
	require.ErrorContains(t, reading(t, password.PBKDF2(crypto.SHA3_224, 199_999)).CheckHash(hash), "costs more",
		"32 bytes are two blocks of SHA3-224, so each iteration counts twice")
	c := small()
	c.Imported = []password.Format{password.PBKDF2(crypto.SHA3_224, 1000), password.PBKDF2(crypto.SHA224, 1000)}
	_, err := password.New(c)
	require.ErrorContains(t, err, "pbkdf2-sha224 twice", "nothing tells which one was meant")
}

// Kratos compares as many bytes as the stored digest has: none, and any password is right. In Argon2 the same
// hash makes it panic.
func TestEmptyDigestOfKratosNeverMatches(t *testing.T) {
	h := unpadded(t, everything())
	for _, hash := range []string{
		"$scrypt$ln=1024,r=8,p=1$c2FsdHNhbHRzYWx0$", "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0$", "scrypt$1024$seasalt$8$1$",
		"$firescrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0$$Bw==$", "$firescrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0$$Bw==$a2V5a2V5",
		"$fbscrypt$v=1,n=10,r=8,p=1,ss=,sk=$c2FsdHNhbHRzYWx0$", "$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$",
		"argon2$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$", "$pbkdf2-sha256$i=10,l=0$c2FsdHNhbHRzYWx0$", "$pbkdf2-sha256$10$c2FsdHNhbHRzYWx0$",
		"pbkdf2_sha256$10$seasalt$", "$5$saltstring$", "$6$rounds=1000$saltstring$", "$2b$04$", "bcrypt_sha256$", "{SSHA256}", "{SSHA512}",
		"{SSHA}", "$md5$", "$md5$pf=e1NBTFR9e1BBU1NXT1JEfQ==$MTIz$", "$sha256$pf=e1NBTFR9e1BBU1NXT1JEfQ==$MTIz$", "$hmac-sha256$$MTIz",
		"md5$$", "sha1$seasalt$", "$1$salt$", "$apr1$salt$", ":", strings.Repeat("0", 32) + ":",
	} {
		for _, typed := range []string{"", "anything at all"} {
			match, upgrade, err := h.Verify(t.Context(), hash, auth.NewSecret(typed), false)
			require.Error(t, err, hash)
			require.False(t, match || upgrade, hash)
		}
	}
}

// Kratos bounds the cost of what it imports, but not the rounds of SHA-crypt.
func TestRoundsOfSHACryptAreBounded(t *testing.T) {
	h := reading(t, password.SHA256Crypt(6000), password.SHA512Crypt(6000))
	tail256, tail512 := "$saltstring$"+strings.Repeat(".", 43), "$saltstring$"+strings.Repeat(".", 86)
	require.NoError(t, h.CheckHash("$5$rounds=6000"+tail256))
	require.NoError(t, h.CheckHash("$5"+tail256), "5,000 of them")
	for _, rounds := range []string{"6001", "999999999", "4294967296", "999", "0", "-1", "06000", "+6000", "6e3", "", " 6000"} {
		require.Error(t, h.CheckHash("$5$rounds="+rounds+tail256), rounds)
		require.Error(t, h.CheckHash("$sha512-crypt$rounds="+rounds+tail512), rounds)
	}
	require.Error(t, h.CheckHash("$5$saltstring$"+strings.Repeat(".", 42)+"E"), "the last digit has four bits")
	require.Error(t, h.CheckHash("$6$saltstring$"+strings.Repeat(".", 85)+"2"), "two bits")
	require.Error(t, reading(t, password.SHA256Crypt(4999)).CheckHash("$5"+tail256), "its default is beyond what is declared")
	// Its time grows with the password, so what is too long for it is not hashed whole, and does not match.
	var rows []freshRow
	readRows(t, "fresh.json", &rows)
	tried := 0
	for _, f := range []password.Format{password.SHA256Crypt(5000), password.SHA512Crypt(5000)} {
		for _, row := range rows {
			if len(row.Password) == 256 && f.Claims(row.Encoded) {
				hash, err := f.Parse(row.Encoded)
				require.NoError(t, err)
				require.True(t, hash.Matches([]byte(row.Password)), row.Tool)
				require.False(t, hash.Matches([]byte(row.Password+"x")), row.Tool)
				require.Equal(t, hash.Work(256), hash.Work(3072), "nor does it take longer")
				tried++
			}
		}
	}
	require.Positive(t, tried)
}

func TestDjangoMarksAccountsWithoutAPassword(t *testing.T) {
	h := unpadded(t, everything())
	for _, mark := range []string{"!", "!8f3kLmT0v1Xr5cYq2WnZaBsDgHjPe4UiO7x9KMwN", "!$2b$04$" + strings.Repeat(".", 53)} {
		for _, typed := range []string{"", "!", mark, "8f3kLmT0v1Xr5cYq2WnZaBsDgHjPe4UiO7x9KMwN"} {
			match, upgrade := verify(t, h, mark, typed)
			require.False(t, match || upgrade)
		}
		require.ErrorContains(t, h.CheckHash(mark), "no password", "an import leaves it out")
	}
}

func TestBetterAuthTakesPasswordsInNFKC(t *testing.T) {
	h := reading(t, password.Scrypt(16384, 16, 1))
	salt := "000102030405060708090a0b0c0d0e0f"
	key, err := scrypt.Key([]byte("fine password"), []byte(salt), 16384, 16, 1, 64) // the digits are the salt
	require.NoError(t, err)
	hash := salt + ":" + hex.EncodeToString(key)
	for _, typed := range []string{"fine password", "ﬁne password", "ｆｉｎｅ password"} {
		match, _ := verify(t, h, hash, typed)
		require.True(t, match, typed)
	}
	require.Error(t, h.CheckHash(strings.ToUpper(hash)))
	require.Error(t, reading(t, password.Scrypt(16384, 8, 1)).CheckHash(hash), "it takes twice the memory")
}

func TestTemplateOfKratosCannotMoveThePassword(t *testing.T) {
	h := reading(t, weak.Digest())
	b := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	digest := b(strings.Repeat("d", 16))
	require.NoError(t, h.CheckHash("$md5$pf="+b("{SALT}{PASSWORD}")+"$"+b("salt")+"$"+digest))
	for _, template := range []string{"", "{SALT}", "{PASSWORD}", "{PASSWORD}{PASSWORD}{SALT}", "{SALT}{SALT}{PASSWORD}", "123", "{salt}{password}"} {
		require.Error(t, h.CheckHash("$md5$pf="+b(template)+"$"+b("salt")+"$"+digest), template)
	}
}
