package password

import (
	"errors"
	"strings"

	"github.com/cardea-auth/cardea/auth"
)

// pepperPrefix begins a hash that needs a key beside the password: the key's name follows, then the PHC
// string of the Argon2id hash.
const pepperPrefix = "$pepper$"

// peppered is an Argon2id hash of a password's HMAC-SHA-256 under a key that is not in the database, so that
// a stolen database alone leaves nothing to guess at (NIST SP 800-63B-4 §3.1.1.2, last paragraph). The HMAC
// comes first and has 32 bytes whatever the password's length: a pepper that is appended to a password is
// ignored by hash functions that cut, as bcrypt does after 72 bytes.
type peppered struct {
	argon2id
	key    string
	pepper auth.DerivedKeys
}

var _ stored = peppered{}

// String returns the encoded hash.
func (p peppered) String() string { return pepperPrefix + p.key + p.argon2id.String() }

func (p peppered) matches(password []byte) bool {
	sum, ok := p.pepper.MAC(p.key, string(password))
	return p.argon2id.matches(sum[:]) && ok
}

// parsePeppered reads a peppered hash whose key is among those of pepper.
func parsePeppered(encoded string, within limits, derive deriveFunc, pepper auth.DerivedKeys) (stored, error) {
	rest, _ := strings.CutPrefix(encoded, pepperPrefix)
	key, _, ok := strings.Cut(rest, "$")
	if !ok || !strings.HasPrefix(rest[len(key):], argon2idPrefix) {
		return nil, errEncoding
	}
	inner, err := parseArgon2id(rest[len(key):], within, derive)
	if err != nil {
		return nil, err
	}
	if _, known := pepper.MAC(key); !known {
		return nil, errPepper
	}
	return peppered{inner.(argon2id), key, pepper}, nil
}

// errPepper does not name the key: what stands there is data, and may be anything.
var errPepper = errors.New("made with a key that is not among Config.Keys")

// seal returns what new hashes are made of: the text, or its HMAC under the current key if there is one.
func (h *Hasher) seal(text string) (password []byte, key string) {
	key = h.pepper.Current()
	if key == "" {
		return []byte(text), ""
	}
	sum, _ := h.pepper.MAC(key, text) // the current key is always there
	return sum[:], key
}

// due reports whether a new hash would be stronger than the one stored, or under a newer key.
func (h *Hasher) due(target stored) bool {
	p, _ := target.(peppered) // the zero value, of no key, for all others
	return p.key != h.pepper.Current() || target.weakerThan(h.params)
}
