// Package password hashes passwords, verifies them and judges new ones. Hasher is what a Service takes as
// auth.Passwords.
//
//	hasher, err := password.New(password.Config{ContextWords: []string{"acme", "roadrunner"}})
//
// Hashes are Argon2id (RFC 9106) in the PHC string form and carry their own parameters, so that the
// parameters may be raised at any time: old hashes go on matching, and Verify says which are due for a
// stronger one.
//
// With Config.Keys, a password is first put through HMAC-SHA-256 under a key that is not in the database (a
// pepper), and its hash begins with the key's name: "$pepper$2026$argon2id$v=19$…". To rotate, first add the
// new key behind the current one on every server, then put it in front; hashes move to it as people sign in.
// The old key may go once no hash begins with its name. Whoever loses the keys loses all passwords.
//
// Every hash first passes a gate that bounds the memory of all hashes in flight, those of unknown accounts
// included. Who does not get through waits in line, and past the end of the line is told that the server is
// busy (ASVS 15.2.2). A part of the memory is kept for browsers that completed a sign-in before, so that a
// flood of strangers does not lock the owners of accounts out. Each hash allocates its memory anew (46 MiB by
// default) and leaves it to the garbage collector, which lets the heap grow to about twice what is live. The
// gate allows for that, so Config.Memory is what hashing adds to a process with the default GOGC; with another
// one it is (1 + GOGC/100) / 2 times that.
//
// Passwords are Unicode. Their only change is normalisation to NFC, so that what looks and types the same
// is the same; nothing is trimmed, folded or cut, and malformed UTF-8 is refused (ASVS 6.2.8, NIST SP
// 800-63B-4 §3.1.1.2). Length counts code points. There are no rules of composition and no expiry; Review
// refuses what is commonly used, patterns and chains of common words, and what can be told from the account
// or its surroundings.
//
// Hashes of other systems are read too, so that people who move keep their passwords: Config.Imported declares
// their kinds with the greatest cost of each, and what is not declared, or costs more, is not computed. They are
// only ever verified; Verify then asks for an upgrade, and after the next sign-in the hash is Argon2id. While
// formats are declared, all answers take as long as the slowest of them. Declare what is still stored, no more,
// and take it away when the last such hash is gone.
//
// Not in this package: throttling and lockout, the storing of hashes, and marks for compromised passwords.
// Clients for lists of leaked passwords are in package breach.
package password

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/cardea-auth/cardea/auth"
)

// Hasher hashes, verifies and judges passwords. Make one with New. It is safe for concurrent use, and one
// should serve the whole process: each has a gate of its own.
type Hasher struct {
	params   Params
	limits   limits
	gate     *gate
	kinds    []timedKind // new hashes, then those of imported
	pace     pace        // of new hashes
	measure  stopwatch   // nil if no formats are declared
	imported []declared
	reserved int64            // what each answer holds at the gate at least, in bytes
	pepper   auth.DerivedKeys // of no key if passwords are hashed alone
	random   io.Reader
	derive   deriveFunc

	minLength, minLengthWithFactor, maxLength int

	words        dictionary
	common       map[string]bool // Config.Common, folded
	contextWords []string        // Config.ContextWords, folded
	breached     func(ctx context.Context, password auth.Secret) (bool, error)
	onFailure    BreachFailure
	logger       *slog.Logger
}

var _ auth.Passwords = (*Hasher)(nil)

// New returns a Hasher. Its error names every problem of the configuration.
func New(c Config) (*Hasher, error) {
	return newHasher(c, argon2.IDKey, func(work func()) time.Duration {
		begun := time.Now()
		work()
		return time.Since(begun)
	})
}

func newHasher(c Config, derive deriveFunc, measure stopwatch) (*Hasher, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("password: invalid Config: %w", err)
	}
	h := &Hasher{
		params:              c.Params,
		limits:              c.limits(),
		gate:                newGate(c.inFlight(), c.sharedMemory(), c.Queue, c.Wait),
		random:              c.Random,
		derive:              derive,
		minLength:           c.MinLength,
		minLengthWithFactor: c.MinLengthWithFactor,
		maxLength:           c.MaxLength,
		words:               builtin(),
		contextWords:        contextForms(c.ContextWords...),
		common:              make(map[string]bool, len(c.Common)),
		breached:            c.Breached,
		onFailure:           c.BreachFailure,
		logger:              c.Logger,
	}
	if !c.Keys.IsZero() {
		h.pepper = c.Keys.Derive("password pepper")
	}
	for _, entry := range c.Common {
		h.common[fold(entry)] = true
	}
	decoy, err := h.newDecoy()
	if err != nil {
		return nil, err
	}
	h.kinds = []timedKind{h.newKind(decoy)}
	h.take(c.Imported, measure)
	return h, nil
}

// Lengths returns the shortest and the longest password accepted, in code points.
func (h *Hasher) Lengths(secondFactor bool) (shortest, longest int) {
	if secondFactor {
		return h.minLengthWithFactor, h.maxLength
	}
	return h.minLength, h.maxLength
}
