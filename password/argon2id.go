package password

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Params are the cost of an Argon2id hash (RFC 9106 §3.1). More memory is what costs a guesser most; more
// than one lane gains nothing on a busy server.
type Params struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
}

// The greatest cost of any hash, new or stored. A stored hash is data: whoever can write one must not be able
// to make a single sign-in take all memory or minutes of work.
const (
	maxMemory = 1 << 20 // KiB: 1 GiB
	maxPasses = 10
	maxLanes  = 16
	maxWork   = 4 << 20 // about four seconds
)

var greatest = limits{memory: maxMemory, work: maxWork}

// String returns the parameters as they stand in a PHC string.
func (p Params) String() string {
	return fmt.Sprintf("m=%d,t=%d,p=%d", p.Memory, p.Passes, p.Lanes)
}

// bytes is the memory that a hash holds while it is computed.
func (p Params) bytes() int64 { return int64(p.Memory) * kibi }

// work is about the time that a hash takes: the memory that it fills, in KiB, over all passes.
func (p Params) work() int64 { return int64(p.Memory) * int64(p.Passes) }

// weakerThan reports whether p costs a guesser less memory or fewer passes. Lanes do not count: they share
// the same memory and work.
func (p Params) weakerThan(q Params) bool { return p.Memory < q.Memory || p.Passes < q.Passes }

// bounded returns an error for what is not Argon2 or costs too much.
func (p Params) bounded(within limits) error {
	switch {
	case p.Passes < 1 || p.Passes > maxPasses:
		return fmt.Errorf("%d passes are out of range 1 to %d", p.Passes, maxPasses)
	case p.Lanes < 1 || p.Lanes > maxLanes:
		return fmt.Errorf("%d lanes are out of range 1 to %d", p.Lanes, maxLanes)
	case p.Memory < 8*uint32(p.Lanes) || p.Memory > within.memory:
		return fmt.Errorf("memory of %d KiB is out of range %d to %d", p.Memory, 8*uint32(p.Lanes), within.memory)
	case p.work() > within.work:
		return fmt.Errorf("%d passes over %d KiB are too much work", p.Passes, p.Memory)
	}
	return nil
}

// check returns an error for parameters that are not good for new hashes: too costly, or below the floor of
// ASVS 11.4.2 (its Appendix C).
func (p Params) check() error {
	if err := p.bounded(greatest); err != nil {
		return fmt.Errorf("Params: %w", err)
	}
	floor := p.Memory >= 46*kibi || p.Memory >= 19*kibi && p.Passes >= 2 || p.Memory >= 12*kibi && p.Passes >= 3
	if !floor {
		return fmt.Errorf("Params are %v; they must reach 46 MiB with one pass, 19 MiB with two or 12 MiB with three", p)
	}
	return nil
}

const (
	saltSize = 16 // NIST SP 800-63B-4 §3.1.1.2 asks for 4 bytes, RFC 9106 §3.1 advises 16
	tagSize  = 32

	// What stored hashes may have. A short or empty tag would match by chance, or always.
	minSalt, maxSalt = 8, 64
	minTag, maxTag   = 16, 64
	maxEncoded       = 256
)

// deriveFunc is argon2.IDKey.
type deriveFunc func(password, salt []byte, passes, memory uint32, lanes uint8, size uint32) []byte

// argon2id is a stored Argon2id hash.
type argon2id struct {
	Params
	salt, tag []byte
	derive    deriveFunc
}

var _ stored = argon2id{}

const argon2idPrefix = "$argon2id$"

// b64 is what PHC strings use: the standard alphabet without padding.
var b64 = base64.RawStdEncoding

// String returns the PHC string.
func (a argon2id) String() string {
	return argon2idPrefix + "v=19$" + a.Params.String() + "$" + b64.EncodeToString(a.salt) + "$" + b64.EncodeToString(a.tag)
}

func (a argon2id) reserve() int64  { return a.bytes() }
func (a argon2id) lasts(int) int64 { return a.work() }
func (a argon2id) cost() Params    { return a.Params }

func (a argon2id) matches(password []byte) bool {
	tag := a.derive(password, a.salt, a.Passes, a.Memory, a.Lanes, uint32(len(a.tag)))
	return subtle.ConstantTimeCompare(tag, a.tag) == 1
}

func (a argon2id) weakerThan(p Params) bool {
	return a.Params.weakerThan(p) || len(a.salt) < saltSize || len(a.tag) < tagSize
}

// errEncoding stands for every way in which a stored hash is not what String would have written. It says no
// more: hashes do not belong into logs.
var errEncoding = errors.New("not an Argon2id PHC string of version 19")

// parseArgon2id reads a PHC string. There is one way to write each hash, the one of String, and others are
// refused: leading zeros, padding, stray bits at the end of the base64 or line breaks within it, other or
// repeated parameters, anything before or after.
func parseArgon2id(encoded string, within limits, derive deriveFunc) (stored, error) {
	if len(encoded) > maxEncoded {
		return nil, errEncoding
	}
	fields := strings.Split(encoded, "$")
	if len(fields) != 6 {
		return nil, errEncoding
	}
	a := argon2id{derive: derive}
	var errs [3]error
	a.Params, errs[0] = parseParams(fields[3])
	a.salt, errs[1] = b64.DecodeString(fields[4])
	a.tag, errs[2] = b64.DecodeString(fields[5])
	if errors.Join(errs[:]...) != nil || a.String() != encoded {
		return nil, errEncoding
	}
	if len(a.salt) < minSalt || len(a.salt) > maxSalt || len(a.tag) < minTag || len(a.tag) > maxTag {
		return nil, fmt.Errorf("salt of %d or tag of %d bytes is out of range", len(a.salt), len(a.tag))
	}
	if err := a.bounded(within); err != nil {
		return nil, err
	}
	return a, nil
}

// parseParams reads what Params.String writes, and more: the caller compares.
func parseParams(s string) (p Params, err error) {
	var numbers [3]uint64
	parts := strings.Split(s, ",")
	if len(parts) != len(numbers) {
		return Params{}, errEncoding
	}
	for i, bits := range []int{32, 32, 8} {
		digits, ok := strings.CutPrefix(parts[i], []string{"m=", "t=", "p="}[i])
		if numbers[i], err = strconv.ParseUint(digits, 10, bits); err != nil || !ok {
			return Params{}, errEncoding
		}
	}
	return Params{uint32(numbers[0]), uint32(numbers[1]), uint8(numbers[2])}, nil
}
