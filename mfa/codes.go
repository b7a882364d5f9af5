package mfa

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/cardea-auth/cardea/auth"
)

// CodeCount is how many recovery codes a set has.
const CodeCount = 10

// A code is 18 characters of 5 random bits each. The first two select its row, which leaves 80 bits to guess
// (NIST SP 800-63B-4 §4.2.1.1 demands 64 of a saved recovery code, ASVS 6.5.4 twenty).
const (
	selectorLength = 2
	codeLength     = 18
	groupLength    = 6

	// maxTyped bounds the work for what is typed, in bytes; a code with a dash between any two characters is
	// shorter.
	maxTyped = 128
	// maxDraws bounds the search for ten selectors that differ. Ten draws of 1,024 repeat one in 4 % of sets; that
	// many repeat only if the source of randomness is stuck.
	maxDraws = 64
)

// alphabet is Crockford's base32: digits and letters without I, L, O and U.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

var crockford = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// CodesConfig is what Codes are made from.
type CodesConfig struct {
	// Keys are required.
	Keys auth.Keys
	// Random is the source of codes; nil means crypto/rand.Reader. It may be read concurrently.
	Random io.Reader
}

// Codes makes and checks recovery codes. It is safe for concurrent use. Make it with NewCodes.
type Codes struct {
	keys   auth.DerivedKeys
	random io.Reader
}

// NewCodes returns Codes, or an error if there are no keys.
func NewCodes(c CodesConfig) (*Codes, error) {
	if c.Keys.IsZero() {
		return nil, errors.New("mfa: invalid CodesConfig: Keys are required")
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return &Codes{c.Keys.Derive("recovery code"), c.Random}, nil
}

// Record is what a store keeps of one code, in a row of the account. Nothing in it is secret.
//
// The hash is HMAC-SHA-256 under a key that is derived from auth.Keys, over the account and the whole code.
// NIST SP 800-63B-4 §3.1.2.2 and ASVS 6.5.2 ask for a salted password hash below 112 bits, because a copy of
// the database would else be something to guess at. Here it is not: without the key, which is not in the
// database, there is nothing to compare a guess with. And with it 2^80 guesses remain, which a million million
// a second take 38,000 years for, for each code on its own: the account and the selector are in the hash, so
// no guess counts twice, which is what a salt is for. A slow hash would add cost where anyone may ask for it.
//
// The store consumes a code by one statement that deletes the row of the account with this Selector and this
// Hash; the code counts only if that deleted one. Of two requests with the same code at most one deletes it,
// whatever Matches told them (ASVS 6.5.1). The Hash belongs to it: if the set was replaced in between, a
// code of the old one must not consume a code of the new one. A new set replaces the old one whole, in one act.
type Record struct {
	// Selector is the part of the code that names its row: two characters, others in each code of a set.
	Selector string
	// Key is the name of the key that the hash is made with.
	Key string
	// Hash is 43 characters of unpadded URL-safe base64.
	Hash string
}

// Make makes a set of ten codes for the account. Shown is to be shown once, to the person only; records are
// to be stored, in place of all that the account had. Both have the same order, which means nothing. An error
// means that no account was named, or that randomness failed, also if it repeats itself; then there is no set.
func (c *Codes) Make(account string) (shown []auth.Secret, records []Record, err error) {
	if account == "" {
		return nil, nil, errors.New("mfa: make recovery codes: no account")
	}
	taken := map[string]bool{}
	for range maxDraws {
		code, err := c.draw()
		if err != nil {
			return nil, nil, err
		}
		selector := code[:selectorLength]
		if taken[selector] {
			continue
		}
		taken[selector] = true
		key := c.keys.Current()
		hash, _ := c.hash(key, account, code)
		shown = append(shown, auth.NewSecret(grouped(code)))
		records = append(records, Record{selector, key, hash})
		if len(records) == CodeCount {
			return shown, records, nil
		}
	}
	return nil, nil, errors.New("mfa: make recovery codes: the source of randomness repeats itself")
}

// draw returns a new code. Each character is five whole bits of the random ones, so that all are equally likely.
func (c *Codes) draw() (string, error) {
	var b [(codeLength*5 + 7) / 8]byte
	if _, err := io.ReadFull(c.random, b[:]); err != nil {
		return "", fmt.Errorf("mfa: make recovery codes: read randomness: %w", err)
	}
	return crockford.EncodeToString(b[:])[:codeLength], nil
}

// hash returns what a record keeps of a code; ok is false if there is no such key.
func (c *Codes) hash(key, account, code string) (hash string, ok bool) {
	sum, ok := c.keys.MAC(key, account, code)
	if !ok {
		return "", false
	}
	return base64.RawURLEncoding.EncodeToString(sum[:]), true
}

// Selector returns the selector in what was typed, by which the store finds the row; ok is false if it is not
// the shape of a code. So a wrong code costs one hash and not one for each row.
func Selector(typed auth.Secret) (selector string, ok bool) {
	code, ok := codeOf(typed.Reveal())
	if !ok {
		return "", false
	}
	return code[:selectorLength], true
}

// Matches reports whether typed is the account's code that r was made for. The time depends on nothing secret.
//
// If there is no row of the selector, or nothing that could be a code was typed, or the account is a decoy, give
// the zero Record: that takes the same one hash and is false, so that time does not tell which accounts have
// codes. A record whose key is gone matches nothing; the person needs another way in and a new set.
func (c *Codes) Matches(typed auth.Secret, account string, r Record) bool {
	code, whole := codeOf(typed.Reveal())
	hash, known := c.hash(cmp.Or(r.Key, c.keys.Current()), account, code)
	if !known {
		hash, _ = c.hash(c.keys.Current(), account, code)
	}
	same := subtle.ConstantTimeCompare([]byte(hash), []byte(r.Hash)) == 1
	return same && whole && known && r.Key != "" && r.Selector == code[:selectorLength]
}

// codeOf returns what was typed as it was made: without spaces and dashes, in capitals, the letters that look like
// digits as these. Whole is false if that is no code; then code is as much of it as there is.
func codeOf(typed string) (code string, whole bool) {
	var b [codeLength]byte
	n, strange := 0, len(typed) > maxTyped
	for _, c := range typed[:min(len(typed), maxTyped)] {
		switch digit, ok := digitOf(c); {
		case ok && n < codeLength:
			b[n] = digit
			n++
		case ok || !unicode.IsSpace(c) && !unicode.Is(unicode.Pd, c):
			strange = true
		}
	}
	return string(b[:n]), n == codeLength && !strange
}

// digitOf returns the character of the alphabet that c was meant to be.
func digitOf(c rune) (digit byte, ok bool) {
	if c >= 'a' && c <= 'z' {
		c -= 'a' - 'A' // of ASCII only: Unicode has other letters that become these
	}
	switch c {
	case 'O':
		return '0', true
	case 'I', 'L':
		return '1', true
	}
	return byte(c), c < unicode.MaxASCII && strings.IndexByte(alphabet, byte(c)) >= 0
}

// grouped puts a dash after every sixth character but the last.
func grouped(code string) string {
	var groups []string
	for ; len(code) > groupLength; code = code[groupLength:] {
		groups = append(groups, code[:groupLength])
	}
	return strings.Join(append(groups, code), "-")
}
