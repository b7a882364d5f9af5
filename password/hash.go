package password

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// stored is an encoded hash, read and found to be within its limits.
type stored interface {
	// reserve is what the gate holds while the hash is computed, in bytes.
	reserve() int64
	// lasts is the time that the hash takes for a password of size bytes, as Params.work counts it.
	lasts(size int) int64
	// matches does the whole work, whatever the password, and compares in constant time.
	matches(password []byte) bool
	// weakerThan reports whether a hash made with p would be stronger.
	weakerThan(p Params) bool
}

// limits bound what a stored Argon2id hash may cost before any work is done.
type limits struct {
	memory uint32 // KiB
	work   int64  // as Params.work counts it
}

// read returns the stored hash.
func (h *Hasher) read(encoded string) (stored, error) {
	switch {
	case strings.HasPrefix(encoded, pepperPrefix):
		return parsePeppered(encoded, h.limits, h.derive, h.pepper)
	case strings.HasPrefix(encoded, argon2idPrefix):
		return parseArgon2id(encoded, h.limits, h.derive)
	}
	return h.readForeign(encoded)
}

// CheckHash returns an error if Verify could not read an encoded hash: one of a kind that is not declared, of
// a greater cost, or not written as such hashes are. It names the kind and never quotes the hash. It does
// none of the hash's work, so an import can check every row. An empty hash is an error too, and so is Django's
// mark of an account without a password, an exclamation mark and what follows: such an account has no hash.
func (h *Hasher) CheckHash(encoded string) error {
	if unusable(encoded) {
		return fmt.Errorf("password: check hash: %w", errUnusable)
	}
	if _, err := h.read(encoded); err != nil {
		return fmt.Errorf("password: check hash: %w", err)
	}
	return nil
}

// newDecoy returns a hash of no password, as costly as a new one.
func (h *Hasher) newDecoy() (argon2id, error) {
	random := make([]byte, saltSize+tagSize)
	if _, err := io.ReadFull(h.random, random); err != nil {
		return argon2id{}, fmt.Errorf("password: read randomness: %w", err)
	}
	return argon2id{h.params, random[:saltSize], random[saltSize:], h.derive}, nil
}

// Verify compares password with an encoded hash. Upgrade says that it matches and that a new hash would be
// stronger or under a newer key, which is so for every hash of another system. An empty hash is answered like
// a wrong password; so are Django's mark of an account without one, if any formats are declared, and a password
// that is empty, malformed or too long. A hash that cannot be read, or that costs more than the limits allow,
// is an error. All of them take the same work: that of a new hash, or of the slowest of Config.Imported.
//
// A password counts in its NFC form. While formats are declared it also counts as it was typed, for other
// systems hashed that; one that differs from its NFC form is then tried both ways, which takes twice the time
// whatever the account.
//
// At the limit of the gate the error is a *auth.DeniedError (Busy); when ctx ends before its turn, it wraps
// the cause.
func (h *Hasher) Verify(ctx context.Context, hash string, password auth.Secret, known bool) (match, upgrade bool, err error) {
	// With a problem, text is empty: what is no password must cost as much as a wrong one, or the time tells
	// them apart, but its own bytes never reach the hash function, for their number is the caller's choice.
	// The greatest length that any configuration allowed counts, or lowering MaxLength would lock people out.
	text, problem := canonical(password.Reveal(), greatestMaxLength)
	texts := []string{text}
	if raw := password.Reveal(); len(h.imported) > 0 && problem == "" && raw != text {
		texts = append(texts, raw)
	}
	var target stored // nil for an account without a hash
	if hash != "" && !(len(h.imported) > 0 && unusable(hash)) {
		if target, err = h.read(hash); err != nil {
			target, err = nil, fmt.Errorf("password: stored hash: %w", err)
		}
	}
	tasks := make([]task, len(texts))
	for i, text := range texts {
		tasks[i] = h.newTask(target, text)
	}
	place, gateErr := h.gate.enter(ctx, h.bytes(tasks...), known)
	if gateErr != nil {
		return false, false, gateErr
	}
	defer h.gate.leave(place)
	whole := false
	for _, t := range tasks {
		if h.run(t) && target != nil && problem == "" {
			match, whole = true, whole || !ignoresSome(target, t.text)
		}
	}
	return match, match && whole && h.due(target), err
}

// Hash returns the encoded hash of a password, with a salt of its own: a PHC string, after the name of the
// current key if there are Config.Keys. It does not judge the password, but refuses what Verify could never
// match: a *auth.DeniedError (PasswordRejected) for one that is empty, malformed or too long. At the limit of
// the gate it is a *auth.DeniedError (Busy).
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
