package password

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

const (
	argon2idName = "argon2id"
	argon2iName  = "argon2i"

	argon2iPrefix = "$argon2i$"
	djangoArgon2  = "argon2"
)

// argon2Format reads Argon2 hashes that are not new ones.
type argon2Format struct {
	name   string
	params Params
	derive deriveFunc
}

// Argon2id declares Argon2id hashes dearer than new ones: those of other systems, or of this one before its
// Params were lowered. They are read anyway, as long as the gate has room for them, but only when they are
// declared do all answers take as long as theirs. Then what takes more memory, or more work, than hashes of
// the given cost is refused. It also reads Django's, which are PHC strings after "argon2". Only version 19 is
// supported; hashes of version 16 have that number in their second field, or none.
func Argon2id(dearest Params) Format {
	return argon2Format{argon2idName, dearest, argon2.IDKey}
}

// Argon2i reads Argon2i hashes, as PHC strings and as Django writes them. Limits and version are those of Argon2id.
func Argon2i(dearest Params) Format {
	return argon2Format{argon2iName, dearest, argon2.Key}
}

func (f argon2Format) check() error { return f.params.bounded(greatest) }

// Name returns "argon2id" or "argon2i".
func (f argon2Format) Name() string { return f.name }

// String describes the format for the report.
func (f argon2Format) String() string { return fmt.Sprintf("%s of %v", f.name, f.params) }

// Claims leaves the PHC strings of Argon2id to the Hasher itself.
func (f argon2Format) Claims(encoded string) bool {
	if f.name == argon2iName && strings.HasPrefix(encoded, argon2iPrefix) {
		return true
	}
	return strings.HasPrefix(encoded, djangoArgon2+"$"+f.name+"$")
}

var errVersion = errors.New("not an Argon2 PHC string of version 19")

func (f argon2Format) Parse(encoded string) (Hash, error) {
	// The variants are written alike but for their names.
	fields, ok := strings.CutPrefix(strings.TrimPrefix(encoded, djangoArgon2), "$"+f.name+"$")
	if !ok {
		return nil, errSpelling
	}
	s, err := parseArgon2id(argon2idPrefix+fields, greatest, f.derive)
	if errors.Is(err, errEncoding) {
		return nil, errVersion
	}
	if err != nil {
		return nil, err
	}
	return argon2Hash{s.(argon2id)}, nil
}

func (f argon2Format) Decoy(share float64) Hash {
	p := f.params
	p.Memory = uint32(share * float64(p.Memory))
	if p.Memory < 8*uint32(p.Lanes) {
		return nil
	}
	return argon2Hash{argon2id{p, make([]byte, saltSize), make([]byte, tagSize), f.derive}}
}

// argon2Hash is a stored hash.
type argon2Hash struct{ argon2id }

func (h argon2Hash) Memory() int64                { return h.bytes() }
func (h argon2Hash) Work(int) int64               { return h.Params.work() }
func (h argon2Hash) Matches(password []byte) bool { return h.matches(password) }
