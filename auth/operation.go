package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Operation is one dangerous act of the host's, such as the deletion of a project: a sentence that the person reads
// before they confirm it, and a hash of that sentence and of everything that decides what will be done. What is
// confirmed for one operation is worth nothing for another (ASVS 7.5.3). It can only be made by NewOperation, from
// what the host's own server knows, so that nobody can have a person confirm the one under the words of the other.
// The zero value is none, and nothing takes it. Operations can be compared with ==.
type Operation struct{ text, hash string }

// LongestOperation is how long the sentence of an Operation may be, in code points.
const LongestOperation = 300

// operationDomain keeps hashes of operations apart from hashes of anything else, and of operations that are put
// together in another way some day.
const operationDomain = "cardea operation 1"

// NewOperation returns the operation that text describes to the person, in their language: "Delete project Alpha".
// The parts are what is done and everything that decides what it is done to, by names that mean one thing for ever:
// "delete-project", the project's id. The sentence is not enough, since two projects may be called Alpha, and it
// counts as well, since the person confirms what they read: if Alpha is called Beta by the time it is deleted, they
// are asked again. Each part stands for itself: ("ab", "c") is not ("a", "bc").
//
// The text is cleaned of line ends and of what cannot be seen or turns the direction of writing. It is an error if
// nothing is left, if it has more than LongestOperation code points or is not UTF-8, and if there is no part.
func NewOperation(text string, parts ...string) (Operation, error) {
	if len(parts) == 0 {
		return Operation{}, errors.New("auth: operation without a part: its sentence alone may fit several")
	}
	if !utf8.ValidString(text) {
		return Operation{}, errors.New("auth: operation: the sentence is not UTF-8")
	}
	text = sentence(text)
	if text == "" {
		return Operation{}, errors.New("auth: operation without a sentence that can be read")
	}
	// It is not cut short: what decides may stand at its end.
	if n := utf8.RuneCountInString(text); n > LongestOperation {
		return Operation{}, fmt.Errorf("auth: operation: the sentence has %d characters; at most %d", n, LongestOperation)
	}
	return Operation{text, hashOperation(text, parts)}, nil
}

// hashOperation is SHA-256 over the domain, the sentence and the parts. Each is preceded by its length, so that no two
// operations give the same input.
func hashOperation(text string, parts []string) string {
	h := sha256.New()
	var length [8]byte
	write := func(part string) {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	write(operationDomain)
	write(text)
	for _, part := range parts {
		write(part)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// sentence returns text on one line, without characters that cannot be seen: names of things are chosen by people,
// and one that turns the direction of writing can make a sentence say the contrary.
func sentence(text string) string {
	text = strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return ' '
		case !unicode.IsGraphic(c):
			return -1
		}
		return c
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// Text returns the sentence, as it is shown.
func (o Operation) Text() string { return o.text }

// Hash returns the hash, in 43 characters of unpadded URL-safe base64.
func (o Operation) Hash() string { return o.hash }

// IsZero reports whether there is no operation.
func (o Operation) IsZero() bool { return o == Operation{} }

// String returns the sentence.
func (o Operation) String() string { return o.text }

// facts are what the machine is told of it.
func (o Operation) facts() flow.Operation { return flow.Operation{Hash: o.hash, Text: o.text} }
