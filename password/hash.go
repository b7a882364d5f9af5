package password

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// stored is an encoded hash, read and found to be within its limits.
type stored interface {
	// reserve is what the gate holds while the hash is computed, in bytes. A format that takes time but
	// little memory reserves as much as a new hash would.
	reserve() int64
	// work is the time that the hash takes, as Params.work counts it.
	work() int64
	// matches does the whole work, whatever the password, and compares in constant time.
	matches(password []byte) bool
	// weakerThan reports whether a hash made with p would be stronger.
	weakerThan(p Params) bool
}

// limits bound what a stored hash may cost before any work is done.
type limits struct {
	memory uint32 // KiB
}

// format reads the encoded hashes that begin with a prefix.
type format struct {
	prefix string
	parse  func(encoded string, within limits, derive deriveFunc) (stored, error)
}

// formats are all that Verify understands. No prefix begins another.
var formats = []format{
	{argon2idPrefix, parseArgon2id},
}

var errFormat = errors.New("unknown format")

// read returns the stored hash.
func (h *Hasher) read(encoded string) (stored, error) {
	if strings.HasPrefix(encoded, pepperPrefix) {
		return parsePeppered(encoded, h.limits, h.derive, h.pepper)
	}
	for _, f := range formats {
		if strings.HasPrefix(encoded, f.prefix) {
			return f.parse(encoded, h.limits, h.derive)
		}
	}
	return nil, errFormat
}

// newDecoy returns a hash of no password, as costly as a new one.
func (h *Hasher) newDecoy() (stored, error) {
	random := make([]byte, saltSize+tagSize)
	if _, err := io.ReadFull(h.random, random); err != nil {
		return nil, fmt.Errorf("password: read randomness: %w", err)
	}
	return argon2id{h.params, random[:saltSize], random[saltSize:], h.derive}, nil
}

// Verify compares password with an encoded hash. Upgrade says that it matches and that a new hash would be
// stronger, or under a newer key. An empty hash is answered like a wrong password, after the work of a new hash; so is a password
// that is empty, malformed or too long. A hash that cannot be read, or that costs more than the limits allow, is
// an error and takes that work too. At the limit of the gate the error is a *auth.DeniedError (Busy); when
// ctx ends before its turn, it wraps the cause.
func (h *Hasher) Verify(ctx context.Context, hash string, password auth.Secret, known bool) (match, upgrade bool, err error) {
	// With a problem, text is empty: what is no password must cost as much as a wrong one, or the time tells
	// them apart, but its own bytes never reach the hash function, for their number is the caller's choice.
	// The greatest length that any configuration allowed counts, or lowering MaxLength would lock people out.
	text, problem := canonical(password.Reveal(), greatestMaxLength)
	target, exists := h.decoy, false
	if hash != "" {
		found, readErr := h.read(hash)
		if readErr != nil {
			err = fmt.Errorf("password: stored hash: %w", readErr)
		} else {
			target, exists = found, true
		}
	}
	rest := h.missing(target)
	place, gateErr := h.gate.enter(ctx, max(target.reserve(), rest.bytes()), known)
	if gateErr != nil {
		return false, false, gateErr
	}
	defer h.gate.leave(place)
	same := target.matches([]byte(text))
	if rest.Passes > 0 {
		h.derive([]byte(text), make([]byte, saltSize), rest.Passes, rest.Memory, rest.Lanes, tagSize)
	}
	match = same && exists && problem == "" && err == nil
	return match, match && h.due(target), err
}

// missing returns the work that a new hash takes beyond the stored one, nothing if there is none. Without
// it, an old and cheap hash would be answered sooner than an unknown account, and so tell that it exists.
func (h *Hasher) missing(target stored) Params {
	p := h.params
	memory := (p.work() - target.work()) / int64(p.Passes)
	if memory < 8*int64(p.Lanes) { // the least that Argon2 can do
		return Params{}
	}
	p.Memory = uint32(memory)
	return p
}

// Hash returns the encoded hash of a password, with a salt of its own: a PHC string, after the name of the
// current key if there are Config.Keys. It does not judge the password, but
// refuses what Verify could never match: a *auth.DeniedError (PasswordRejected) for one that is empty,
// malformed or too long. At the limit of the gate it is a *auth.DeniedError (Busy).
func (h *Hasher) Hash(ctx context.Context, password auth.Secret, known bool) (string, error) {
	text, problem := canonical(password.Reveal(), h.maxLength)
	if problem != "" {
		return "", &auth.DeniedError{Refusal: flow.Refusal{Reason: flow.PasswordRejected, Problem: problem}}
	}
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(h.random, salt); err != nil {
		return "", fmt.Errorf("password: read randomness: %w", err)
	}
	place, err := h.gate.enter(ctx, h.params.bytes(), known)
	if err != nil {
		return "", err
	}
	defer h.gate.leave(place)
	p := h.params
	sealed, key := h.seal(text)
	hash := argon2id{Params: p, salt: salt, tag: h.derive(sealed, salt, p.Passes, p.Memory, p.Lanes, tagSize)}
	if key == "" {
		return hash.String(), nil
	}
	return peppered{argon2id: hash, key: key}.String(), nil
}
