package password

import (
	"crypto"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// maxIterations is the greatest cost of any stored hash: two to five seconds.
const maxIterations = 10_000_000

// pbkdf2Label returns how hashes name their hash function; empty for one that is not supported.
func pbkdf2Label(function crypto.Hash) string {
	switch function {
	case crypto.SHA1:
		return "sha1"
	case crypto.SHA224, crypto.SHA3_224:
		return "sha224"
	case crypto.SHA256:
		return "sha256"
	case crypto.SHA384, crypto.SHA3_384:
		return "sha384"
	case crypto.SHA512:
		return "sha512"
	}
	return ""
}

// pbkdf2Key derives a key. PBKDF2 has no need of a hash function without collisions, so SHA-1 is no weakness
// here; it is merely fast.
func pbkdf2Key(function crypto.Hash, password, salt []byte, iterations, size int) []byte {
	var make func() hash.Hash
	switch function {
	case crypto.SHA1:
		make = sha1.New
	case crypto.SHA224:
		make = sha256.New224
	case crypto.SHA256:
		make = sha256.New
	case crypto.SHA384:
		make = sha512.New384
	case crypto.SHA512:
		make = sha512.New
	case crypto.SHA3_224:
		make = func() hash.Hash { return sha3.New224() }
	case crypto.SHA3_384:
		make = func() hash.Hash { return sha3.New384() }
	default:
		return nil
	}
	key, err := pbkdf2.Key(make, string(password), salt, iterations, size)
	if err != nil {
		return nil // which equals nothing
	}
	return key
}

// pbkdf2Format reads PBKDF2 hashes as PHC strings and as passlib, kratos and Django write them.
type pbkdf2Format struct {
	function   crypto.Hash
	iterations int
}

// PBKDF2 reads the PBKDF2-HMAC hashes (RFC 8018 §5.2) of one hash function of up to iterations, 1 to
// 10,000,000. A digest that is longer than what the function yields takes its iterations more than once, and
// they are counted so. Function is crypto.SHA1, SHA224, SHA256, SHA384, SHA512, SHA3_224 or SHA3_384. It reads
// three dialects:
//
//   - PHC strings, kratos's too: $pbkdf2-sha256$i=100000,l=32$salt$key in unpadded base64. The length l is
//     ignored, for kratos ignores it; that of the key counts;
//   - passlib's: $pbkdf2-sha256$100000$salt$key, and $pbkdf2$ for SHA-1, with a dot for the plus of base64;
//   - Django's: pbkdf2_sha256$100000$salt$key in padded base64.
//
// Where kratos writes sha224 and sha384 it has hashed with SHA3-224 and SHA3-384; other systems mean what they
// write. Declare crypto.SHA3_224 for the first and crypto.SHA224 for the second: only one of them can be.
func PBKDF2(function crypto.Hash, iterations int) Format { return pbkdf2Format{function, iterations} }

func (f pbkdf2Format) check() error {
	if pbkdf2Label(f.function) == "" {
		return errors.New("the hash function is not supported")
	}
	if f.iterations < 1 || f.iterations > maxIterations {
		return fmt.Errorf("%d iterations are out of range 1 to %d", f.iterations, maxIterations)
	}
	return nil
}

// Name returns "pbkdf2-" and the hash function as hashes name it.
func (f pbkdf2Format) Name() string { return "pbkdf2-" + pbkdf2Label(f.function) }

// String describes the format for the report.
func (f pbkdf2Format) String() string {
	return fmt.Sprintf("PBKDF2-HMAC with %v of %d iterations", f.function, f.iterations)
}

// prefixes returns how PHC strings and Django's hashes begin.
func (f pbkdf2Format) prefixes() (phc []string, django string) {
	label := pbkdf2Label(f.function)
	phc = []string{"$pbkdf2-" + label + "$"}
	if f.function == crypto.SHA1 {
		phc = append(phc, "$pbkdf2$") // passlib's
	}
	return phc, "pbkdf2_" + label + "$"
}

func (f pbkdf2Format) Claims(encoded string) bool {
	phc, django := f.prefixes()
	_, ok := cutPrefixes(encoded, append(phc, django)...)
	return ok
}

// ab64 is passlib's base64.
var ab64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./").WithPadding(base64.NoPadding)

func (f pbkdf2Format) Parse(encoded string) (Hash, error) {
	phc, django := f.prefixes()
	h := pbkdf2Hash{function: f.function}
	rest, isDjango := strings.CutPrefix(encoded, django)
	if !isDjango {
		rest, _ = cutPrefixes(encoded, phc...)
	}
	fields := strings.Split(rest, "$")
	if len(fields) != 3 {
		return nil, errSpelling
	}
	var errs [3]error
	encoding := b64
	switch costs, err := assignments(fields[0], "i", "l"); {
	case isDjango:
		encoding = base64.StdEncoding
		h.iterations, errs[0] = decimal(fields[0])
		h.salt = []byte(fields[1])
	case err == nil && !strings.HasPrefix(encoded, "$pbkdf2$"):
		h.iterations = costs[0]
		h.salt, errs[1] = exactly(encoding, fields[1])
	default:
		encoding = ab64
		h.iterations, errs[0] = decimal(fields[0])
		h.salt, errs[1] = exactly(encoding, fields[1])
	}
	h.tag, errs[2] = exactly(encoding, fields[2])
	if slices.ContainsFunc(errs[:], func(err error) bool { return err != nil }) {
		return nil, errSpelling
	}
	if h.Work(0) < 1 || h.Work(0) > maxIterations {
		return nil, fmt.Errorf("%d iterations for %d bytes are out of range", h.iterations, len(h.tag))
	}
	if err := sound(h.salt, h.tag); err != nil {
		return nil, err
	}
	return h, nil
}

func (f pbkdf2Format) Decoy(share float64) Hash {
	iterations := int(share * float64(f.iterations))
	if iterations < 1 {
		return nil
	}
	return pbkdf2Hash{f.function, iterations, make([]byte, saltSize), make([]byte, f.function.Size())}
}

// pbkdf2Hash is a stored PBKDF2 hash.
type pbkdf2Hash struct {
	function   crypto.Hash
	iterations int
	salt, tag  []byte
}

func (h pbkdf2Hash) Memory() int64 { return 0 }

// Work is the iterations over all blocks of the key.
func (h pbkdf2Hash) Work(int) int64 {
	size := h.function.Size()
	return int64(h.iterations) * int64((len(h.tag)+size-1)/size)
}

func (h pbkdf2Hash) Matches(password []byte) bool {
	key := pbkdf2Key(h.function, password, h.salt, h.iterations, len(h.tag))
	return subtle.ConstantTimeCompare(key, h.tag) == 1
}
