package password

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/scrypt"
	"golang.org/x/text/unicode/norm"
)

const (
	scryptName = "scrypt"

	// The greatest cost of any stored hash: a gigabyte, and about three seconds.
	maxScryptMemory = 1 << 30
	maxScryptWork   = 1 << 23 // blocks: N·r·p
	maxScryptR      = 64
	maxScryptP      = 64
	minScryptN      = 16
	// leastPlainN is where a number called ln is N itself and not its logarithm: the next power of two beyond any
	// logarithm that fits the memory.
	leastPlainN = 64
)

// scryptCost is the cost of scrypt (RFC 7914 §2).
type scryptCost struct{ n, r, p int }

func (c scryptCost) check() error {
	switch {
	case c.n < minScryptN || c.n > maxScryptWork || c.n&(c.n-1) != 0:
		return fmt.Errorf("N is %d; it must be a power of two from %d to %d", c.n, minScryptN, maxScryptWork)
	case c.r < 1 || c.r > maxScryptR || c.p < 1 || c.p > maxScryptP:
		return fmt.Errorf("r is %d and p is %d; they must be 1 to %d and 1 to %d", c.r, c.p, maxScryptR, maxScryptP)
	case c.memory() > maxScryptMemory || c.work() > maxScryptWork:
		return fmt.Errorf("N=%d, r=%d, p=%d is too much work", c.n, c.r, c.p)
	}
	return nil
}

// memory is what scrypt holds, in bytes: the big vector, the p blocks, and two to work with.
func (c scryptCost) memory() int64 { return 128 * int64(c.r) * int64(c.n+c.p+2) }

func (c scryptCost) work() int64 { return int64(c.n) * int64(c.r) * int64(c.p) }

// share returns the greatest cost that takes at most a share of the work, by a smaller N.
func (c scryptCost) share(share float64) (less scryptCost, ok bool) {
	limit := share * float64(c.work())
	for float64(c.work()) > limit {
		c.n /= 2
		if c.n < minScryptN {
			return scryptCost{}, false
		}
	}
	return c, true
}

// key derives a key. It is nil, which equals nothing, if the cost was never checked.
func (c scryptCost) key(password, salt []byte, size int) []byte {
	key, err := scrypt.Key(password, salt, c.n, c.r, c.p, size)
	if err != nil {
		return nil
	}
	return key
}

// scryptFormat reads scrypt hashes as PHC strings and as Django, kratos and better-auth write them.
type scryptFormat struct{ scryptCost }

// Scrypt reads scrypt hashes (RFC 7914) that take no more memory, N·r, and no more work, N·r·p, than those of
// the given cost; N is a power of two. The limits are 1 GiB and N·r·p = 2^23. It reads four dialects:
//
//   - PHC strings, passlib's too: $scrypt$ln=14,r=8,p=1$salt$key in unpadded base64, where ln is the logarithm
//     of N to the base 2;
//   - kratos's: $scrypt$ln=16384,r=8,p=1$salt$key in padded base64, where ln is N itself. A number from 64 up
//     is N, a smaller one is the logarithm: what the other reading would mean nobody uses;
//   - Django's: scrypt$16384$salt$8$1$key, in the order N, salt, r, p;
//   - better-auth's: salt:key in hexadecimal with N=16384, r=16, p=1, where the digits of the salt themselves
//     are the salt, and the password is hashed in its NFKC form.
func Scrypt(n, r, p int) Format { return scryptFormat{scryptCost{n, r, p}} }

// Name returns "scrypt".
func (scryptFormat) Name() string { return scryptName }

// String describes the format for the report.
func (f scryptFormat) String() string {
	return fmt.Sprintf("scrypt of N=%d, r=%d, p=%d", f.n, f.r, f.p)
}

const (
	phcScrypt    = "$scrypt$"
	djangoScrypt = "scrypt$"
)

func (scryptFormat) Claims(encoded string) bool {
	_, ok := cutPrefixes(encoded, phcScrypt, djangoScrypt)
	return ok || looksLikeBetterAuth(encoded)
}

func (scryptFormat) Parse(encoded string) (Hash, error) {
	var h scryptHash
	var err error
	if rest, ok := strings.CutPrefix(encoded, phcScrypt); ok {
		h, err = parsePHCScrypt(rest)
	} else if rest, ok := strings.CutPrefix(encoded, djangoScrypt); ok {
		h, err = parseDjangoScrypt(rest)
	} else {
		h, err = parseBetterAuth(encoded)
	}
	if err == nil {
		err = h.check()
	}
	if err == nil {
		err = sound(h.salt, h.tag)
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (f scryptFormat) Decoy(share float64) Hash {
	if cost, ok := f.share(share); ok {
		return scryptHash{scryptCost: cost, salt: make([]byte, saltSize), tag: make([]byte, tagSize)}
	}
	return nil
}

// scryptHash is a stored scrypt hash.
type scryptHash struct {
	scryptCost
	salt, tag []byte
	nfkc      bool
}

func (h scryptHash) Memory() int64  { return h.memory() }
func (h scryptHash) Work(int) int64 { return h.work() }

func (h scryptHash) Matches(password []byte) bool {
	if h.nfkc {
		password = norm.NFKC.Bytes(password)
	}
	return subtle.ConstantTimeCompare(h.key(password, h.salt, len(h.tag)), h.tag) == 1
}

// parsePHCScrypt reads the dialects that begin alike. The size of ln tells them apart.
func parsePHCScrypt(rest string) (h scryptHash, err error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 3 {
		return scryptHash{}, errSpelling
	}
	costs, err := assignments(fields[0], "ln", "r", "p")
	if err != nil {
		return scryptHash{}, err
	}
	h.scryptCost = scryptCost{costs[0], costs[1], costs[2]}
	encoding := base64.StdEncoding
	if h.n < leastPlainN {
		if h.n, encoding = 1<<min(h.n, 30), b64; costs[0] > 30 {
			return scryptHash{}, fmt.Errorf("ln is %d", costs[0])
		}
	}
	var saltErr, tagErr error
	h.salt, saltErr = exactly(encoding, fields[1])
	h.tag, tagErr = exactly(encoding, fields[2])
	if saltErr != nil || tagErr != nil {
		return scryptHash{}, errSpelling
	}
	return h, nil
}

func parseDjangoScrypt(rest string) (h scryptHash, err error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 5 {
		return scryptHash{}, errSpelling
	}
	var errs [4]error
	h.n, errs[0] = decimal(fields[0])
	h.salt = []byte(fields[1])
	h.r, errs[1] = decimal(fields[2])
	h.p, errs[2] = decimal(fields[3])
	h.tag, errs[3] = exactly(base64.StdEncoding, fields[4])
	if errors.Join(errs[:]...) != nil {
		return scryptHash{}, errSpelling
	}
	return h, nil
}

// Sizes of better-auth's salt and key, in hexadecimal digits.
const (
	betterAuthSalt = 32
	betterAuthKey  = 128
)

func looksLikeBetterAuth(encoded string) bool {
	return len(encoded) == betterAuthSalt+1+betterAuthKey && encoded[betterAuthSalt] == ':'
}

func parseBetterAuth(encoded string) (scryptHash, error) {
	salt, tag, _ := strings.Cut(encoded, ":")
	if _, err := lowerHex(salt); err != nil {
		return scryptHash{}, err
	}
	raw, err := lowerHex(tag)
	if err != nil {
		return scryptHash{}, err
	}
	return scryptHash{scryptCost: scryptCost{16384, 16, 1}, salt: []byte(salt), tag: raw, nfkc: true}, nil
}

// lowerHex decodes hexadecimal digits in lower case, the only spelling that is taken.
func lowerHex(text string) ([]byte, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || hex.EncodeToString(raw) != text {
		return nil, errSpelling
	}
	return raw, nil
}

// ln returns the logarithm of N to the base 2 as it stands in a hash.
func (c scryptCost) ln() string {
	ln := 0
	for n := c.n; n > 1; n /= 2 {
		ln++
	}
	return strconv.Itoa(ln)
}
