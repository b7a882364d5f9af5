package password

import (
	"context"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// NewWithDerive is New with another function in the place of argon2.IDKey.
func NewWithDerive(c Config, derive func(password, salt []byte, passes, memory uint32, lanes uint8, size uint32) []byte) (*Hasher, error) {
	return newHasher(c, derive, func(work func()) time.Duration { work(); return time.Millisecond })
}

// NewWithStopwatch is New with another function in the place of argon2.IDKey, and measured by measure, which
// is asked about new hashes first and then about the formats in their order.
func NewWithStopwatch(c Config, derive func(password, salt []byte, passes, memory uint32, lanes uint8, size uint32) []byte, measure func(work func()) time.Duration) (*Hasher, error) {
	return newHasher(c, derive, measure)
}

// WithoutLong takes the long entries out of the built-in list, so that a test sees what the rules find alone.
func (h *Hasher) WithoutLong(from int) {
	var short strings.Builder
	for line := range strings.Lines(commonText) {
		if len([]rune(line))-1 < from {
			short.WriteString(line)
		}
	}
	h.words.common = wordList(short.String())
}

// Held returns what the gate has given out, and how many wait.
func (h *Hasher) Held() (bytes, shared int64, waiting int) {
	h.gate.mu.Lock()
	defer h.gate.mu.Unlock()
	return h.gate.held, h.gate.heldShared, h.gate.line.Len()
}

// Grow widens the gate, and calls meanwhile before anybody can notice.
func (h *Hasher) Grow(bytes int64, meanwhile func()) {
	h.gate.mu.Lock()
	defer h.gate.mu.Unlock()
	meanwhile()
	h.gate.memory += bytes
	h.gate.shared += bytes
	h.gate.admit()
}

// CommonList is the built-in list.
func CommonList() string { return commonText }

// TopList is the list of the most common words.
func TopList() string { return topText }

// Reformat reads a PHC string and writes it again.
func Reformat(encoded string) (string, error) {
	s, err := parseArgon2id(encoded, greatest, nil)
	if err != nil {
		return "", err
	}
	return s.(argon2id).String(), nil
}

// Repepper reads a peppered hash and writes it again.
func Repepper(encoded string, keys auth.Keys) (string, error) {
	s, err := parsePeppered(encoded, greatest, nil, keys.Derive("password pepper"))
	if err != nil {
		return "", err
	}
	return s.(peppered).String(), nil
}

// CalibrateWith is Calibrate with another hash function and clock.
func CalibrateWith(ctx context.Context, derive func(password, salt []byte, passes, memory uint32, lanes uint8, size uint32) []byte,
	now func() time.Time, target time.Duration, memory uint32,
) (Params, time.Duration, error) {
	return calibrator{derive, now}.calibrate(ctx, target, memory)
}

// MaxEffort is the most that Effort should be.
const MaxEffort = int(maxEffort)

// Effort returns how many steps the review of a password takes.
func (h *Hasher) Effort(pw string, about auth.PasswordContext) int {
	text, _ := canonical(pw, h.maxLength)
	left := maxEffort
	h.guessable([]rune(fold(text)), about, h.minLength, &left)
	return int(maxEffort - left)
}

// Period is period, and whether text repeats at all.
func Period(text string) (int, bool) { return period([]rune(text)) }

// ReservedFor returns what Verify holds at the gate for a stored hash, in bytes.
func ReservedFor(h *Hasher, encoded string) int64 {
	target, err := h.read(encoded)
	if err != nil {
		target = nil
	}
	return h.bytes(h.newTask(target, "a password"))
}
