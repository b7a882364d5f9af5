// Package totp makes and checks the keys of authenticator apps: time-based one-time passwords (RFC 6238),
// with a step of 30 seconds.
//
//	verifier, err := totp.New(totp.Config{Keys: keys, Issuer: "Example"})
//
// [Verifier.Pair] makes a key for an account. It returns the sealed key, which a store keeps, and what the
// person is shown once: a QR code, the URI in it, and the key as text for typing. The key counts for nothing
// until [Verifier.Check] accepted a code for it; [Verifier.Show] renders it again until then.
//
// A key at rest is sealed with XChaCha20-Poly1305 under a key that is derived from auth.Keys and named in
// the record. The seal covers the record's id and the account: whoever can write to the database cannot move
// his own key into somebody else's row. Algorithm and number of digits are sealed with the key, so that a
// later change of Config leaves the apps that are paired already valid.
//
// Check accepts a code of the current step, the one before and the one after: clocks differ, and typing
// takes time. It never accepts a step that was used, nor an older one (NIST SP 800-63B-4 §3.1.4.2, ASVS
// 6.5.1). For that the caller keeps the step that Check returns, by one compare-and-set; see [Record]. The
// code that confirmed a pairing counts as used like any other.
//
// Not decided here: how many wrong codes an account may try (a code has 20 bits, so this must be limited),
// whether a factor is demanded, and who may pair or remove one.
package totp

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pquerna/otp"

	"github.com/cardea-auth/cardea/auth"
)

const (
	// period is fixed: apps ignore others, and the longer a code lives the longer it can be relayed (ASVS 6.5.5).
	period = 30
	// skew is how many steps a code may be early or late (RFC 6238 §5.2 advises one for the delay of typing;
	// one the other way is for a phone whose clock is fast).
	skew = 1
	// seedBytes is 160 bits, as RFC 4226 §4 advises, for the longer hashes too; NIST SP 800-63B-4 §3.1.4.1
	// demands 112.
	seedBytes = 20
	// maxIssuer and maxLabel keep the QR code readable for a phone. The longest address has 254 bytes (RFC 5321).
	maxIssuer = 64
	maxLabel  = 254
)

// Algorithm is the hash of the HMAC that codes are made with. Its values are stored and never change.
type Algorithm uint8

const (
	// SHA1 is what every app knows. As an HMAC it is not touched by the collisions of SHA-1 (RFC 6238 §1.2
	// makes it the default).
	SHA1 Algorithm = iota
	// SHA256 and SHA512 are ignored by several apps, which then show codes that are never right. The person
	// finds out when the pairing is to be confirmed.
	SHA256
	// SHA512 is as SHA256.
	SHA512
)

// String returns the name as key URIs have it.
func (a Algorithm) String() string {
	switch a {
	case SHA1:
		return "SHA1"
	case SHA256:
		return "SHA256"
	case SHA512:
		return "SHA512"
	}
	return fmt.Sprintf("Algorithm(%d)", uint8(a))
}

// hash returns the algorithm's name in otp, which alone knows which hash is meant. MD5 has no way in.
func (a Algorithm) hash() otp.Algorithm {
	switch a {
	case SHA256:
		return otp.AlgorithmSHA256
	case SHA512:
		return otp.AlgorithmSHA512
	}
	return otp.AlgorithmSHA1
}

// Config is what a Verifier is made from.
type Config struct {
	// Keys are required.
	Keys auth.Keys
	// Issuer is the name of the product, which apps show beside the account. It is required, has at most 64
	// bytes, and neither a colon (it ends there in the app's label) nor control characters.
	Issuer string
	// Algorithm of new keys. The zero value is SHA1.
	Algorithm Algorithm
	// Digits of the codes of new keys, 6 or 8. Zero means 6.
	Digits int
	// Random is the source of keys and nonces; nil means crypto/rand.Reader. It may be read concurrently.
	Random io.Reader
}

// Verifier makes and checks keys. It is safe for concurrent use. Make it with New.
type Verifier struct {
	box       box
	issuer    string
	algorithm Algorithm
	digits    uint8
	random    io.Reader
}

// New returns a Verifier, or an error that names every problem.
func New(c Config) (*Verifier, error) {
	var problems []error
	if c.Keys.IsZero() {
		problems = append(problems, errors.New("Keys are required"))
	}
	if !printable(c.Issuer, maxIssuer) || strings.Contains(c.Issuer, ":") {
		problems = append(problems, fmt.Errorf("Issuer is %q; it must be 1 to %d bytes of text without colons and control characters",
			c.Issuer, maxIssuer))
	}
	if c.Algorithm > SHA512 {
		problems = append(problems, fmt.Errorf("Algorithm is %s; it must be SHA1, SHA256 or SHA512", c.Algorithm))
	}
	if c.Digits == 0 {
		c.Digits = 6
	}
	if !validDigits(c.Digits) {
		problems = append(problems, fmt.Errorf("Digits is %d; it must be 6 or 8", c.Digits))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("totp: invalid Config: %w", err)
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return &Verifier{newBox(c.Keys), c.Issuer, c.Algorithm, uint8(c.Digits), c.Random}, nil
}

func validDigits(n int) bool { return n == 6 || n == 8 }

// printable reports whether text is 1 to most bytes of UTF-8 without control characters.
func printable(text string, most int) bool {
	return text != "" && len(text) <= most && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// Record is what a store keeps of one key: ID, Account, the sealed key in Data, about 90 bytes of printable ASCII
// that are worth nothing without auth.Keys, and the last step that was used in Counter; zero means none.
//
// The store saves the step of an accepted code by compare-and-set, which auth.FactorStore has as UseFactor: one
// statement that moves Counter to step where it is still the one that was checked against. The code counts only
// if that changed the row. Of two requests with the same code, or with an older one after a newer one, at most one
// changes it, whatever Check told them. A code that is not accepted changes nothing.
type Record = auth.StoredFactor

// Pairing is a key as it is shown to its owner, once. URI and Text are Secrets. Text is in base32, in eight groups
// of four characters.
type Pairing = auth.Pairing

var _ auth.AuthenticatorApps = (*Verifier)(nil)

// Pair makes a new key for the account and seals it for the record with this id. The label, such as the
// account's address, is what the app shows; it has at most 254 bytes and no control characters. An error
// means an unusable argument, or that randomness failed. Nothing is stored.
func (v *Verifier) Pair(record, account, label string) (Pairing, error) {
	if record == "" || account == "" {
		return Pairing{}, errors.New("totp: pair: record and account are required")
	}
	k := key{algorithm: v.algorithm, digits: v.digits}
	if _, err := io.ReadFull(v.random, k.seed[:]); err != nil {
		return Pairing{}, fmt.Errorf("totp: pair: read randomness: %w", err)
	}
	sealed, err := v.box.seal(k, record, account, v.random)
	if err != nil {
		return Pairing{}, fmt.Errorf("totp: pair: %w", err)
	}
	return v.pairing(k, sealed, label)
}

// Show returns the pairing of a record again, for a page that is reloaded. It must not be called for a key
// that was confirmed: who takes over a session must not take the key as well. Its errors are ErrUnknownKey,
// ErrAltered and an unusable label.
func (v *Verifier) Show(r Record, label string) (Pairing, error) {
	k, err := v.box.open(r)
	if err != nil {
		return Pairing{}, fmt.Errorf("totp: show: %w", err)
	}
	return v.pairing(k, r.Data, label)
}

func (v *Verifier) pairing(k key, sealed, label string) (Pairing, error) {
	if !printable(label, maxLabel) {
		return Pairing{}, fmt.Errorf("totp: the label must be 1 to %d bytes of text without control characters", maxLabel)
	}
	text := base32.StdEncoding.EncodeToString(k.seed[:])
	uri := fmt.Sprintf("otpauth://totp/%s:%s?secret=%s&issuer=%[1]s&algorithm=%[4]s&digits=%[5]d&period=%[6]d",
		escape(v.issuer), escape(label), text, k.algorithm, k.digits, period)
	return Pairing{Sealed: sealed, URI: auth.NewSecret(uri), Text: auth.NewSecret(grouped(text))}, nil
}

// escape writes all but unreserved characters and the at sign as percent escapes, in paths and queries
// alike: an issuer or address with an ampersand must not add a parameter, and some apps read a plus sign or
// a plus for a space differently.
func escape(text string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~@"
	var b strings.Builder
	for _, c := range []byte(text) {
		if strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// grouped puts a space after every fourth character but the last. Apps ignore it.
func grouped(text string) string {
	var b strings.Builder
	for i, c := range []byte(text) {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte(c)
	}
	return b.String()
}
