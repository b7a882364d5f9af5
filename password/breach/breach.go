// Package breach tells whether a password is known from a data breach, which new passwords must not be (ASVS
// 6.2.12, NIST SP 800-63B-4 §3.1.1.2). There are two ways to ask, and each has a method Breached that fits
// password.Config:
//
//	known, err := breach.NewRange(breach.RangeConfig{})       // a service; five hex digits leave the process
//	known, err := breach.OpenList("pwned.txt", breach.ListConfig{}) // a file; nothing leaves it
//
//	hasher, err := password.New(password.Config{Breached: known.Breached, BreachFailure: password.FailClosed})
//
// # What is looked up
//
// The SHA-1 of the password's bytes as they are given, nothing trimmed or folded. A password.Hasher gives the
// NFC form, which is what it would hash. The lists hold the bytes that other sites leaked. For ASCII that is
// the same. Beyond ASCII keyboards produce NFC, so most entries are found; those that a site kept in another
// encoding or normalisation are not, and neither are the variants of a leaked password: the lists and rules of
// package password, which fold case and look-alikes, are for them.
//
// SHA-1 protects nothing here. It is how the lists are indexed.
//
// # When it fails
//
// Every doubt is an error and never "not known": no answer in time, another status than 200, a redirect, an
// answer too long, cut short or not in the format, a file that is out of order, ends early or has holes. What
// becomes of the new password then is for password.Config.BreachFailure to say. Errors tell nothing of the
// password: not its digest, not the prefix that was asked for, not the place in the file.
package breach

import (
	"crypto/sha1"
	"encoding/hex"
	"strconv"

	"github.com/cardea-auth/cardea/auth"
)

const (
	hexSize    = 2 * sha1.Size
	prefixSize = 5 // hex digits; about a thousand known passwords share each prefix

	maxDigits      = 18      // of a count
	greatestMinima = 1 << 40 // of MinCount
)

// digest is a SHA-1 in upper-case hex digits, as the lists write it.
type digest [hexSize]byte

func digestOf(password auth.Secret) (d digest) {
	sum := sha1.Sum([]byte(password.Reveal()))
	hex.Encode(d[:], sum[:])
	upper(d[:])
	return d
}

func upper(hexDigits []byte) {
	for i, c := range hexDigits {
		if 'a' <= c && c <= 'f' {
			hexDigits[i] = c - 'a' + 'A'
		}
	}
}

// parseLine reads "HASH:COUNT", where the hash is the last size hex digits of a digest, and returns them in
// upper case at the beginning of hash. Anything before, between or after is refused.
func parseLine(line []byte, size int) (hash digest, count uint64, ok bool) {
	if len(line) <= size+1 || len(line) > size+1+maxDigits || line[size] != ':' {
		return digest{}, 0, false
	}
	for i, c := range line[:size] {
		switch {
		case '0' <= c && c <= '9', 'A' <= c && c <= 'F', 'a' <= c && c <= 'f':
			hash[i] = c
		default:
			return digest{}, 0, false
		}
	}
	count, err := strconv.ParseUint(string(line[size+1:]), 10, 63)
	if err != nil {
		return digest{}, 0, false
	}
	upper(hash[:size])
	return hash, count, true
}

// trimEnd takes one line break off the end, LF or CRLF.
func trimEnd(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
		if n > 1 && line[n-2] == '\r' {
			line = line[:n-2]
		}
	}
	return line
}
