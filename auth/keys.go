package auth

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"log/slog"
)

// Key is one 256-bit master key with its name. The name is stored beside what the key protects; it must be
// 1 to 16 letters or digits and must never be used again for another key.
type Key struct {
	ID    string
	Bytes [32]byte
}

// String returns the key's name only.
func (k Key) String() string { return "key " + k.ID }

// GoString returns the key's name only.
func (k Key) GoString() string { return k.String() }

// Format prints the key's name for every verb.
func (k Key) Format(w fmt.State, _ rune) { _, _ = fmt.Fprint(w, k.String()) }

// LogValue returns the key's name only.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns the key's name only; a key cannot be stored or sent by accident.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Keys are the master keys of an installation: the first is current and makes new things, the others only
// read what they made before (rotation: put a new key in front, keep the old ones). Every purpose derives
// its own key by HKDF-SHA-256 (RFC 5869), so that no value made for one purpose is good for another. The
// zero value has no key, and New refuses it. They stand behind two pointers, of which no verb of package
// fmt follows the second, so that printing a struct that holds Keys in an unexported field cannot reach
// them either.
type Keys struct{ p **[]Key }

// NewKeys returns the keys, the current one first. It reports every problem: none at all, an unusable or a
// repeated name, a key of zeros only.
func NewKeys(current Key, older ...Key) (Keys, error) {
	var problems []error
	seen := map[string]bool{}
	list := append([]Key{current}, older...)
	for i, k := range list {
		if !validKeyID(k.ID) {
			problems = append(problems, fmt.Errorf("key %d: the name %q must be 1 to 16 letters or digits", i, k.ID))
		}
		if seen[k.ID] {
			problems = append(problems, fmt.Errorf("key %d: the name %q is used twice", i, k.ID))
		}
		seen[k.ID] = true
		if k.Bytes == [32]byte{} {
			problems = append(problems, fmt.Errorf("key %d: all bytes are zero", i))
		}
	}
	if len(problems) > 0 {
		return Keys{}, fmt.Errorf("auth: invalid Keys: %w", errors.Join(problems...))
	}
	p := &list
	return Keys{&p}, nil
}

func validKeyID(id string) bool {
	if len(id) == 0 || len(id) > 16 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// IsZero reports whether there is no key.
func (k Keys) IsZero() bool { return k.p == nil }

// String returns the keys' names only.
func (k Keys) String() string {
	text := "keys"
	if k.p != nil {
		for _, key := range **k.p {
			text += " " + key.ID
		}
	}
	return text
}

// GoString returns the keys' names only.
func (k Keys) GoString() string { return k.String() }

// Derive returns the keys for one purpose, such as "flow handle". It panics without a key.
func (k Keys) Derive(purpose string) DerivedKeys {
	list := **k.p
	keys := make(map[string]hash.Cloner, len(list))
	for _, master := range list {
		key, err := hkdf.Key(sha256.New, master.Bytes[:], nil, "cardea "+purpose, 32)
		if err != nil {
			panic("auth: derive key: " + err.Error()) // only for a length that is out of range
		}
		keys[master.ID] = keyed(key)
	}
	return DerivedKeys{k.String(), list[0].ID, list[len(list)-1].ID, func(id string) hash.Cloner { return keys[id] }}
}

// DerivedKeys are the keys of one purpose. They are safe for concurrent use. The zero value has no key.
type DerivedKeys struct {
	names   string // as they are printed
	current string
	oldest  string
	keyed   func(id string) hash.Cloner // nil for an unknown one; fmt does not look into functions either
}

// keyed returns the HMAC that is cloned for each use: the key is worked in once, which is half of the work.
func keyed(key []byte) hash.Cloner {
	h := hmac.New(sha256.New, key)
	h.Reset() // also lets the clones share what the key makes
	return h.(hash.Cloner)
}

// String returns the keys' names only.
func (d DerivedKeys) String() string { return d.names }

// GoString returns the keys' names only.
func (d DerivedKeys) GoString() string { return d.String() }

// Current returns the name of the key that makes new things, empty if there is none.
func (d DerivedKeys) Current() string { return d.current }

// Oldest returns the name of the key that was there first. What must not change when keys rotate is made with it.
func (d DerivedKeys) Oldest() string { return d.oldest }

// MAC returns the HMAC-SHA-256 of parts under the named key; ok is false if there is no such key. Each part
// is preceded by its length, so that no two lists of parts give the same input.
func (d DerivedKeys) MAC(key string, parts ...string) (sum [32]byte, ok bool) {
	if d.keyed == nil {
		return sum, false
	}
	base := d.keyed(key)
	if base == nil {
		return sum, false
	}
	h, err := base.Clone()
	if err != nil {
		return sum, false // no hash of the standard library does that
	}
	var buffer [192]byte // of most inputs; longer ones grow it
	text := buffer[:0]
	for _, p := range parts {
		text = append(binary.BigEndian.AppendUint32(text, uint32(len(p))), p...)
	}
	h.Write(text)
	h.Sum(sum[:0])
	return sum, true
}

// Check reports whether sum is the MAC of parts under the named key, in constant time.
func (d DerivedKeys) Check(key string, sum []byte, parts ...string) bool {
	want, ok := d.MAC(key, parts...)
	return ok && subtle.ConstantTimeCompare(want[:], sum) == 1
}
