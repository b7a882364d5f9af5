package password

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/cardea-auth/cardea/auth"
)

const (
	maxBcryptCost = 15 // about two seconds
	maxBcryptText = 72 // bytes of a password that bcrypt looks at
)

// bcryptFormat reads bcrypt hashes as Unix systems write them ($2a$, $2b$, $2y$), and Django's bcrypt$ and
// bcrypt_sha256$.
type bcryptFormat struct {
	cost      int
	truncates bool
	pepper    auth.Secret
}

// Bcrypt reads bcrypt hashes of a cost up to maxCost, 4 to 15: $2a$, $2b$ and $2y$, and Django's bcrypt$ and
// bcrypt_sha256$. (Not $2x$, which marks the hashes of a faulty implementation.)
//
// Bcrypt looks at no more than 72 bytes of a password. Whether the system that made a hash refused longer ones
// or ignored the rest cannot be told from the hash; here they do not match, so that nothing is accepted that
// was not checked, and their owners reset their passwords. BcryptTruncated is for systems known to have
// ignored the rest. Django's bcrypt_sha256 hashes the password first, so there all of it counts.
//
// A password with a NUL in it matches no bcrypt hash: what reads C strings stopped there, and for the others
// "a" and "a\x00a" are the same password.
func Bcrypt(maxCost int) Format { return bcryptFormat{cost: maxCost} }

// BcryptTruncated is Bcrypt for hashes from a system that ignored what a password has beyond 72 bytes, such as
// Devise, Rodauth, or Django with its hasher BCryptPasswordHasher. There, and only there, such a password is
// matched by its first 72 bytes. It is not upgraded: only they were ever checked, and a slip in the rest would
// become the password. It goes on matching as it always did until its owner changes it.
//
// Pepper is what that system appended to each password before it hashed it: Devise's config.pepper, Rodauth's
// password_pepper. It is empty if there was none, and does not concern Django's hashes. Where password and
// pepper together are longer than 72 bytes, bcrypt ignored the end of the pepper, or all of it; the new hash
// made at sign-in has no such gap.
func BcryptTruncated(maxCost int, pepper auth.Secret) Format {
	return bcryptFormat{cost: maxCost, truncates: true, pepper: pepper}
}

func (f bcryptFormat) check() error {
	if f.cost < bcrypt.MinCost || f.cost > maxBcryptCost {
		return fmt.Errorf("cost %d is out of range %d to %d", f.cost, bcrypt.MinCost, maxBcryptCost)
	}
	if strings.Contains(f.pepper.Reveal(), "\x00") {
		return errors.New("the pepper has a NUL in it, so it would match nothing")
	}
	return nil
}

// Name returns "bcrypt".
func (bcryptFormat) Name() string { return "bcrypt" }

// String describes the format for the report.
func (f bcryptFormat) String() string {
	if f.truncates {
		return fmt.Sprintf("bcrypt of cost %d, with what it ignores beyond 72 bytes", f.cost)
	}
	return fmt.Sprintf("bcrypt of cost %d", f.cost)
}

const (
	djangoBcrypt       = "bcrypt$"
	djangoBcryptSHA256 = "bcrypt_sha256$"
)

var bcryptPrefixes = []string{"$2a$", "$2b$", "$2y$"}

func (bcryptFormat) Claims(encoded string) bool {
	if rest, ok := cutPrefixes(encoded, djangoBcryptSHA256, djangoBcrypt); ok {
		encoded = rest
	}
	_, ok := cutPrefixes(encoded, bcryptPrefixes...)
	return ok
}

// bcrypt64 is the base64 of bcrypt, which has an alphabet of its own.
var bcrypt64 = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)

// Lengths of the parts of a bcrypt hash such as $2b$12$ and then salt and digest.
const (
	bcryptSize   = 60
	bcryptHeader = len("$2b$12$")
	bcryptSalt   = 22
)

func (f bcryptFormat) Parse(encoded string) (Hash, error) {
	h := bcryptHash{bcryptFormat: f}
	text, sha := strings.CutPrefix(encoded, djangoBcryptSHA256)
	text, django := strings.CutPrefix(text, djangoBcrypt)
	h.sha = sha
	if sha || django {
		h.pepper = auth.Secret{}
	}
	_, known := cutPrefixes(text, bcryptPrefixes...)
	if !known || sha && django || len(text) != bcryptSize || text[bcryptHeader-1] != '$' {
		return nil, errSpelling
	}
	digits := text[len("$2b$") : bcryptHeader-1]
	cost, err := decimal(strings.TrimPrefix(digits, "0"))
	if err != nil {
		return nil, errSpelling
	}
	if cost < bcrypt.MinCost || cost > maxBcryptCost {
		return nil, fmt.Errorf("cost %d is out of range %d to %d", cost, bcrypt.MinCost, maxBcryptCost)
	}
	_, saltErr := exactly(bcrypt64, text[bcryptHeader:bcryptHeader+bcryptSalt])
	_, digestErr := exactly(bcrypt64, text[bcryptHeader+bcryptSalt:])
	if saltErr != nil || digestErr != nil {
		return nil, errSpelling
	}
	h.cost, h.encoded = cost, []byte(text)
	return h, nil
}

func (f bcryptFormat) Decoy(share float64) Hash {
	f.cost += int(math.Floor(math.Log2(share)))
	if f.cost < bcrypt.MinCost {
		return nil
	}
	encoded := fmt.Appendf(nil, "$2b$%02d$%s", f.cost, strings.Repeat(".", bcryptSize-bcryptHeader))
	return bcryptHash{bcryptFormat: f, encoded: encoded}
}

// bcryptHash is a stored bcrypt hash; the cost is its own.
type bcryptHash struct {
	bcryptFormat
	encoded []byte
	sha     bool // Django's: the hexadecimal SHA-256 of the password was hashed
}

func (bcryptHash) Memory() int64    { return 0 }
func (h bcryptHash) Work(int) int64 { return 1 << h.cost }

func (h bcryptHash) Matches(password []byte) bool {
	text := append(bytes.Clone(password), h.pepper.Reveal()...)
	if h.sha {
		sum := sha256.Sum256(password)
		text = []byte(hex.EncodeToString(sum[:]))
	}
	// Beyond 72 bytes all passwords are alike, and a NUL ends or repeats them. The work is done anyway.
	sound := bytes.IndexByte(text, 0) < 0 && (len(text) <= maxBcryptText || h.truncates)
	same := bcrypt.CompareHashAndPassword(h.encoded, text[:min(len(text), maxBcryptText)]) == nil
	return same && sound
}

// cuts reports whether a part of the password does not count. Of a pepper it does not matter.
func (h bcryptHash) cuts(password []byte) bool {
	return h.truncates && !h.sha && len(password) > maxBcryptText
}
