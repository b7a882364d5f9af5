package password

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"strings"
)

const (
	sshaName = "ssha"
	ssha256  = "{SSHA256}"
	ssha512  = "{SSHA512}"
)

// sshaFormat reads the salted digests of LDAP directories.
type sshaFormat struct{}

// SSHA reads the salted SHA-256 and SHA-512 digests of LDAP directories: {SSHA256} or {SSHA512} and, in padded
// base64, the digest and then the salt. They are hardly a protection, for guessing them takes no work; upgrade
// them early, by asking people to sign in. Those of SHA-1, {SSHA}, are in package password/weak.
func SSHA() Format { return sshaFormat{} }

// Name returns "ssha".
func (sshaFormat) Name() string { return sshaName }

func (sshaFormat) Claims(encoded string) bool {
	_, ok := cutPrefixes(encoded, ssha256, ssha512)
	return ok
}

func (sshaFormat) Parse(encoded string) (Hash, error) {
	h := sshaHash{make: sha256.New}
	text, is256 := strings.CutPrefix(encoded, ssha256)
	if !is256 {
		h.make = sha512.New
		text = strings.TrimPrefix(encoded, ssha512)
	}
	raw, err := exactly(base64.StdEncoding, text)
	if err != nil {
		return nil, err
	}
	size := h.make().Size()
	if len(raw) < size {
		return nil, errSpelling
	}
	h.sum, h.salt = raw[:size], raw[size:]
	if err := sound(h.salt, h.sum); err != nil {
		return nil, err
	}
	return h, nil
}

func (sshaFormat) Decoy(float64) Hash {
	return sshaHash{sha512.New, make([]byte, sha512.Size), make([]byte, saltSize)}
}

// sshaHash is a stored digest.
type sshaHash struct {
	make      func() hash.Hash
	sum, salt []byte
}

func (sshaHash) Memory() int64  { return 0 }
func (sshaHash) Work(int) int64 { return 1 }

func (h sshaHash) Matches(password []byte) bool {
	f := h.make()
	f.Write(password)
	f.Write(h.salt)
	return subtle.ConstantTimeCompare(f.Sum(nil), h.sum) == 1
}
