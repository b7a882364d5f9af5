package password

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

const (
	kibi = 1 << 10
	mebi = 1 << 20

	// Shorter passwords can be guessed from a stolen hash, whatever they are made of; with a second factor
	// they are not all that protects the account (ASVS 6.2.1, NIST SP 800-63B-4 §3.1.1.2).
	leastLength           = 15
	leastLengthWithFactor = 8
	// Passphrases and password managers must not be turned away (ASVS 6.2.9).
	leastMaxLength = 64
	// The longest password that any configuration accepts: 256 code points, at most 1 KiB of UTF-8.
	greatestMaxLength = 256
	// A blocklist must hold this many passwords of the lengths that are accepted (ASVS 6.2.4).
	leastCoverage = 3000

	greatestQueue  = 100_000
	greatestMemory = 1 << 40 // of all hashes together, in bytes; no sum of it overflows

	// heapGrowth is how much more than the memory of the hashes in flight the heap takes. Each hash allocates
	// its memory anew, and with GOGC at 100 the collector lets the heap grow to twice what is live.
	heapGrowth = 2
)

// BreachFailure says what becomes of a new password when Config.Breached fails. The zero value is no choice.
type BreachFailure uint8

// The choices.
const (
	// FailClosed refuses the password as Unchecked: while the check is down nobody sets a new one.
	FailClosed BreachFailure = iota + 1
	// FailOpen lets the password pass.
	FailOpen
)

// Config is what a Hasher is made from. The zero value is valid. New copies it.
type Config struct {
	// Params are the cost of new hashes. Zero means 46 MiB, one pass, one lane.
	Params Params

	// Keys are the pepper: new hashes are under the current one, stored ones are read with the one that they
	// name, and those without a pepper go on matching. A hash whose key is not there is an error of Verify: a
	// server without any keys cannot read what another peppers already, so the first key comes to all servers
	// at once. The zero value hashes passwords alone.
	Keys auth.Keys

	// Imported are the kinds of hashes from other systems, or from dearer times, that are still stored, each with
	// its greatest cost. A stored hash of another kind, or that costs more, is an error of Verify. While there
	// are any, every answer takes as long and holds as much memory as the dearest of them, and New takes up to
	// a fifth of a second to measure how long that is. New refuses costs beyond those that the constructors name,
	// and those that do not fit Memory. Formats must not change afterwards.
	Imported []Format

	// Memory bounds the memory that hashes take of the process, in bytes: those in flight, and as much again
	// that earlier ones left to the garbage collector. Zero means 512 MiB. KnownShare percent of it, 1 to 75,
	// are kept for known devices; zero means 25. Both parts must have room for one hash at least, which is
	// twice its Params.Memory. Stored hashes that need more than the part for unknown callers are not computed.
	Memory     int64
	KnownShare int
	// Queue is how many known, and how many unknown callers may wait at the gate. Zero means 64.
	Queue int
	// Wait is how long a caller waits at the gate before it is told that the server is busy. Zero means 3 seconds.
	Wait time.Duration

	// MinLength is the shortest new password, in code points. Zero means 15, which is also the least. It
	// may be raised to 64 as long as the built-in list and Common have 3,000 entries of that length.
	MinLength int
	// MinLengthWithFactor is the same for accounts with a mandatory second factor. Zero means 8, which is
	// also the least.
	MinLengthWithFactor int
	// MaxLength is the longest password, in code points, 64 to 256. Zero means 256.
	MaxLength int

	// ContextWords are what a stranger expects in passwords here: the organisation, the product, code names
	// (ASVS 6.1.2). A password made of these alone is refused; one that merely has them in it is not. Each must
	// have three code points and a letter.
	ContextWords []string
	// Common adds passwords to the built-in list. Case does not matter.
	Common []string

	// Breached reports whether a password is known from a breach (ASVS 6.2.12). Nil asks nobody. It is asked
	// last, and may be called concurrently. Its error is logged, so it must tell nothing of the password, nor
	// of its digest. Package breach has two such functions.
	Breached func(ctx context.Context, password auth.Secret) (bool, error)
	// BreachFailure must be chosen if Breached is set.
	BreachFailure BreachFailure

	// Logger receives the failures of Breached. Nil discards; the review itself says that there was one.
	Logger *slog.Logger
	// Random is the source of salts. Nil means crypto/rand.Reader. It may be read concurrently.
	Random io.Reader
}

func (c Config) withDefaults() Config {
	if c.Params == (Params{}) {
		c.Params = Params{Memory: 46 * kibi, Passes: 1, Lanes: 1}
	}
	c.Memory = cmp.Or(c.Memory, 512*mebi)
	c.KnownShare = cmp.Or(c.KnownShare, 25)
	c.Queue = cmp.Or(c.Queue, 64)
	c.Wait = cmp.Or(c.Wait, 3*time.Second)
	c.MinLength = cmp.Or(c.MinLength, leastLength)
	c.MinLengthWithFactor = cmp.Or(c.MinLengthWithFactor, leastLengthWithFactor)
	c.MaxLength = cmp.Or(c.MaxLength, greatestMaxLength)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return c
}

// inFlight is what all hashes in flight together may hold.
func (c Config) inFlight() int64 { return c.Memory / heapGrowth }

// sharedMemory is the part of it that unknown callers may use.
func (c Config) sharedMemory() int64 { return c.inFlight() - c.knownMemory() }

func (c Config) knownMemory() int64 { return c.inFlight() * int64(c.KnownShare) / 100 }

// limits are those of stored Argon2id hashes: what the gate has room for, or what is declared.
func (c Config) limits() limits {
	for _, f := range c.Imported {
		if d, ok := f.(argon2Format); ok && d.name == argon2idName {
			return limits{max(c.Params.Memory, d.params.Memory), max(c.Params.work(), d.params.work())}
		}
	}
	return limits{uint32(min(c.sharedMemory()/kibi, maxMemory)), maxWork}
}

// check returns every problem.
func (c Config) check() error {
	problems := []error{c.Params.check(), c.checkImported()}
	require := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	between := func(name string, value, least, greatest int) {
		require(least <= value && value <= greatest, "%s is %d; it must be between %d and %d", name, value, least, greatest)
	}
	between("KnownShare", c.KnownShare, 1, 75)
	between("Queue", c.Queue, 1, greatestQueue)
	require(c.Wait > 0, "Wait is %v; it must be positive", c.Wait)
	one := c.Params.bytes()
	require(0 < c.Memory && c.Memory <= greatestMemory, "Memory is %d; it must be positive and at most 1 TiB", c.Memory)
	require(c.knownMemory() >= one && c.sharedMemory() >= one, "Memory is %d; both the %d %% for known devices and the rest must have room for one hash, %d bytes", c.Memory, c.KnownShare, heapGrowth*one)

	between("MinLength", c.MinLength, leastLength, leastMaxLength)
	between("MinLengthWithFactor", c.MinLengthWithFactor, leastLengthWithFactor, leastMaxLength)
	between("MaxLength", c.MaxLength, leastMaxLength, greatestMaxLength)
	if shortest := max(c.MinLength, c.MinLengthWithFactor); shortest > leastLength {
		n := builtin().common.countFrom(shortest) + countFrom(c.Common, shortest)
		require(n >= leastCoverage, "the lists of common passwords have %d entries of %d code points and more, and need %d; add to Common", n, shortest, leastCoverage)
	}
	for _, w := range c.ContextWords {
		require(usableContext(w), "ContextWords has %q; each must have at least %d code points and a letter", w, leastContextWord)
	}
	if c.Breached != nil {
		known := slices.Contains([]BreachFailure{FailClosed, FailOpen}, c.BreachFailure)
		require(known, "BreachFailure must be FailClosed or FailOpen when Breached is set")
	}
	return errors.Join(problems...)
}
