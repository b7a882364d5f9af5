package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Format is a kind of hash that another system made and that Verify still understands. This package has one
// for each good key derivation function, package password/weak has what should never have been used, and a
// host may implement one for hashes of its own making. It must be safe for concurrent use.
type Format interface {
	// Name names the kind in errors and reports, such as "bcrypt".
	Name() string
	// Claims reports whether encoded is written as hashes of this kind are. It looks no further than that:
	// what is claimed may still be refused by Parse. A hash that two formats claim is not read at all.
	Claims(encoded string) bool
	// Parse reads a claimed hash of at most 1 KiB. It does none of the hash's work, and refuses what has more
	// than one spelling, an empty salt where there should be one, and a digest that is empty or so short that
	// it would match by chance. Its errors never quote the hash.
	Parse(encoded string) (Hash, error)
	// Decoy returns a hash of nobody's password. Decoy(1) takes as long, and holds as much memory, as any
	// hash may that is stored: what costs more is refused before any work is done. Other shares, above 0 and
	// below 1, are of that time; Decoy comes as near to them as it can without taking longer, and returns nil
	// if nothing takes as little.
	Decoy(share float64) Hash
}

// Hash is a stored hash, read and found to be sound. It must be safe for concurrent use.
type Hash interface {
	// Memory is what Matches holds at its peak, in bytes. A few kilobytes may be called nothing.
	Memory() int64
	// Work is how long Matches takes for a password of size bytes, in a unit that all hashes of the format
	// share. It is positive.
	Work(size int) int64
	// Matches does the whole work, whatever the password, and compares in constant time. Password is valid
	// UTF-8; it is empty for input that is none.
	Matches(password []byte) bool
}

const (
	// What hashes of other systems may have. Some systems salted with a few bytes; all that can be done
	// about it is to replace their hashes when people sign in.
	minForeignSalt, maxForeignSalt = 4, 128
	maxForeign                     = 1024 // of an encoded hash, in bytes
)

// errSpelling stands for every way in which a hash is not what its system would have written. It says no
// more: hashes do not belong into logs.
var errSpelling = errors.New("not written as such hashes are")

// undeclared are the kinds that errors can name though they are not declared, by how their hashes begin. Those
// with a note cannot be declared either.
var undeclared = []struct{ prefix, name, note string }{
	{"$2x$", "bcrypt of the revision 2x", ": it hashes wrongly, and is not supported"},
	{"$2", "bcrypt", ""},
	{"bcrypt", "bcrypt", ""},
	{"$argon2i$", argon2iName, ""},
	{"argon2$argon2id$", argon2idName, ""},
	{"argon2$argon2i$", argon2iName, ""},
	{"$argon2d$", "argon2d", ": it is not for passwords, and not supported"},
	{"$scrypt$", scryptName, ""},
	{"scrypt$", scryptName, ""},
	{"$firescrypt$", firebaseName, ""},
	{"$fbscrypt$", firebaseName, ""},
	{"$pbkdf2", "pbkdf2", ""},
	{"pbkdf2", "pbkdf2", ""},
	{"$5$", "sha256-crypt", ""},
	{"$6$", "sha512-crypt", ""},
	{"$sha256-crypt$", "sha256-crypt", ""},
	{"$sha512-crypt$", "sha512-crypt", ""},
	{"{SSHA256}", sshaName, ""},
	{"{SSHA512}", sshaName, ""},
	{"{SSHA}", "ssha-sha1", " (package password/weak has it)"},
	{"$1$", "md5-crypt", " (package password/weak has it)"},
	{"$apr1$", "md5-crypt", " (package password/weak has it)"},
	{"$md5-crypt$", "md5-crypt", " (package password/weak has it)"},
	{"$hmac-md4$", "hmac-md4", ": it is not supported"},
	{"$hmac-", "hmac", " (package password/weak has it)"},
	{"$md5$", "digest", " (package password/weak has it)"},
	{"$sha", "digest", " (package password/weak has it)"},
	{"md5$", "django-digest", " (package password/weak has it)"},
	{"sha1$", "django-digest", " (package password/weak has it)"},
	{"crypt$", "crypt with DES", ": it is not supported"},
	{"$y$", "yescrypt", ": it is not supported"},
}

var errFormat = errors.New("unknown format")

// errUndeclared returns the error for a hash that no format claims. It names the kind, and quotes nothing.
func errUndeclared(encoded string) error {
	for _, u := range undeclared {
		if strings.HasPrefix(encoded, u.prefix) {
			return fmt.Errorf("%s is not declared in Config.Imported%s", u.name, u.note)
		}
	}
	return errFormat
}

// errUnusable is the error for Django's mark of an account without a password.
var errUnusable = errors.New("a mark that there is no password")

// unusable reports whether encoded is Django's mark of an account without a password: an exclamation mark and
// anything. It is answered as if there were no hash.
func unusable(encoded string) bool { return strings.HasPrefix(encoded, "!") }

// exactly decodes text, which must be the one way to write the result: encoding/base64 itself skips line breaks and
// ignores stray bits at the end.
func exactly(e *base64.Encoding, text string) ([]byte, error) {
	raw, err := e.DecodeString(text)
	if err != nil || e.EncodeToString(raw) != text {
		return nil, errSpelling
	}
	return raw, nil
}

// decimal reads a number below 2^31 as strconv writes it: no sign, no leading zeros.
func decimal(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || strconv.FormatUint(n, 10) != text {
		return 0, errSpelling
	}
	return int(n), nil
}

// assignments reads "name=number,name=number" with exactly these names in this order.
func assignments(text string, names ...string) ([]int, error) {
	parts := strings.Split(text, ",")
	if len(parts) != len(names) {
		return nil, errSpelling
	}
	numbers := make([]int, len(parts))
	for i, part := range parts {
		digits, ok := strings.CutPrefix(part, names[i]+"=")
		n, err := decimal(digits)
		if err != nil || !ok {
			return nil, errSpelling
		}
		numbers[i] = n
	}
	return numbers, nil
}

// cutPrefixes returns the text after the first of the prefixes that it begins with.
func cutPrefixes(text string, prefixes ...string) (rest string, ok bool) {
	for _, p := range prefixes {
		if rest, ok = strings.CutPrefix(text, p); ok {
			return rest, true
		}
	}
	return "", false
}

// sound checks the sizes of what a hash of another system holds.
func sound(salt, digest []byte) error {
	if len(salt) < minForeignSalt || len(salt) > maxForeignSalt {
		return fmt.Errorf("salt of %d bytes is out of range %d to %d", len(salt), minForeignSalt, maxForeignSalt)
	}
	if len(digest) < minTag || len(digest) > maxTag {
		return fmt.Errorf("digest of %d bytes is out of range %d to %d", len(digest), minTag, maxTag)
	}
	return nil
}
