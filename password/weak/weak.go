// Package weak reads stored password hashes that take no work to guess: single rounds of MD5, SHA-1 and SHA-2,
// and md5-crypt. A stolen table of them is as good as a table of passwords, whatever the salt. A host that still
// has such hashes imports this package by name, and declares them for as long as any is left:
//
//	hasher, err := password.New(password.Config{Imported: []password.Format{weak.Django()}})
//
// They are only ever verified. After a sign-in the hash is Argon2id, and answers take as long for an account
// with one of these as for any other. Do not wait for all to sign in: after a few months, delete what is left and let
// their owners reset their passwords.
//
// Not supported are HMAC-MD4 and crypt(3) with DES, for which there is no sound implementation to build on, and
// what DES ignores (all but the first eight characters) makes matching it a gift to strangers. Their owners
// reset their passwords.
package weak

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"

	"github.com/cardea-auth/cardea/password"
)

// errSpelling says no more, since hashes do not belong into logs.
var errSpelling = errors.New("not written as such hashes are")

const maxSalt = 128 // bytes

// family is a kind of hash that differs from others only in how it is written.
type family struct {
	name   string
	claims func(encoded string) bool
	parse  func(encoded string) (digest, error)
}

// Name names the kind.
func (f family) Name() string { return f.name }

func (f family) Claims(encoded string) bool { return f.claims(encoded) }

func (f family) Parse(encoded string) (password.Hash, error) {
	d, err := f.parse(encoded)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Decoy returns the one hash that there is: all of them take next to no time.
func (family) Decoy(float64) password.Hash {
	return digest{function: "sha512", sum: make([]byte, sha512.Size)}
}

// digest is a stored hash whose time does not matter: of the password with something before and after it, or,
// if there is a key, its HMAC.
type digest struct {
	function           string
	before, after, key string
	sum                []byte
}

// checked returns the digest if there is such a function, and its sum has the size that this yields: an empty
// one would match everything.
func (d digest) checked() (digest, error) {
	f := function(d.function)
	if f == nil {
		return digest{}, errSpelling
	}
	if size := f().Size(); len(d.sum) != size {
		return digest{}, fmt.Errorf("digest has %d bytes and not %d", len(d.sum), size)
	}
	return d, nil
}

func (digest) Memory() int64  { return 0 }
func (digest) Work(int) int64 { return 1 }

func (d digest) Matches(password []byte) bool {
	h := function(d.function)()
	if d.key != "" {
		h = hmac.New(function(d.function), []byte(d.key))
	}
	h.Write([]byte(d.before))
	h.Write(password)
	h.Write([]byte(d.after))
	return subtle.ConstantTimeCompare(h.Sum(nil), d.sum) == 1
}

// function returns a hash function by its name; nil for an unknown one.
func function(name string) func() hash.Hash {
	switch name {
	case "md5":
		return md5.New
	case "sha1":
		return sha1.New
	case "sha224":
		return sha256.New224
	case "sha256":
		return sha256.New
	case "sha384":
		return sha512.New384
	case "sha512":
		return sha512.New
	}
	return nil
}

// exactly decodes padded base64 that has no other spelling.
func exactly(text string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || base64.StdEncoding.EncodeToString(raw) != text {
		return nil, errSpelling
	}
	return raw, nil
}

// lowerHex decodes hexadecimal digits in lower case.
func lowerHex(text string) ([]byte, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || hex.EncodeToString(raw) != text {
		return nil, errSpelling
	}
	return raw, nil
}

// SSHA reads the salted SHA-1 digests of LDAP directories: {SSHA} and, in padded base64, the digest and then the
// salt.
func SSHA() password.Format {
	const prefix = "{SSHA}"
	return family{
		name:   "ssha-sha1",
		claims: func(encoded string) bool { return strings.HasPrefix(encoded, prefix) },
		parse: func(encoded string) (digest, error) {
			raw, err := exactly(strings.TrimPrefix(encoded, prefix))
			if err != nil {
				return digest{}, err
			}
			if len(raw) <= sha1.Size || len(raw) > sha1.Size+maxSalt {
				return digest{}, errSpelling
			}
			return digest{function: "sha1", after: string(raw[sha1.Size:]), sum: raw[:sha1.Size]}.checked()
		},
	}
}
