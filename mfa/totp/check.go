package totp

import (
	"crypto/hmac"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
	"time"
	"unicode"

	"github.com/cardea-auth/cardea/auth"
)

const (
	maxDigits = 8
	// maxTyped bounds the work for what is typed, in bytes; a code with a dash between any two digits is shorter.
	maxTyped = 64
)

// Check reports whether typed is the code of a step that may still be used, and which step that is; the
// caller then saves it as Record demands, and counts a code that is not accepted as a failure. Spaces and
// dashes in typed are ignored. Step is zero unless ok.
//
// The codes of all three steps are computed and compared whatever was typed, so the time tells neither how
// much of a code was right nor which way the app's clock is wrong. An error is a fault, never a wrong code:
// ErrUnknownKey or ErrAltered. Before 1970 no code is right.
func (v *Verifier) Check(r Record, typed auth.Secret, now time.Time) (step int64, ok bool, err error) {
	k, err := v.box.open(r)
	if err != nil {
		return 0, false, fmt.Errorf("totp: check: %w", err)
	}
	got, whole := digitsOf(typed.Reveal(), int(k.digits))
	mac := hmac.New(k.algorithm.hash().Hash, k.seed[:])
	first := stepAt(now) - skew
	match := -1
	for i := range 2*skew + 1 {
		want := codeAt(mac, first+int64(i), int(k.digits))
		// If two steps have the same code, it is the later one's, or it could be used again as that.
		match = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(got[:], want[:]), i, match)
	}
	step = first + int64(match)
	if match < 0 || !whole || step <= max(r.Counter, 0) { // used, or older than what was used
		return 0, false, nil
	}
	return step, true, nil
}

// stepAt returns the number of whole steps since 1970, rounded down (RFC 6238 §4.2).
func stepAt(t time.Time) int64 {
	seconds := t.Unix()
	step := seconds / period
	if seconds%period < 0 {
		step--
	}
	return step
}

// codeAt returns the code of a step as digits, followed by zero bytes (RFC 4226 §5.3). The functions of otp
// work the key into the HMAC anew for each step; here one HMAC serves all three, which makes up for opening
// the seal. The tests hold it against otp, oathtool and the RFC.
func codeAt(mac hash.Hash, step int64, digits int) (code [maxDigits]byte) {
	var buffer [64]byte // the longest sum
	mac.Reset()
	mac.Write(binary.BigEndian.AppendUint64(buffer[:0], uint64(step)))
	sum := mac.Sum(buffer[:0])
	offset := sum[len(sum)-1] & 0xf
	value := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	for i := digits - 1; i >= 0; i-- {
		code[i] = byte('0' + value%10)
		value /= 10
	}
	return code
}

// digitsOf returns what was typed without spaces and dashes, as codeAt returns a code; whole is false if that
// is not the given number of digits. It does not stop at the first wrong character.
func digitsOf(typed string, digits int) (code [maxDigits]byte, whole bool) {
	n, strange := 0, len(typed) > maxTyped
	for _, c := range typed[:min(len(typed), maxTyped)] {
		switch {
		case '0' <= c && c <= '9' && n < digits:
			code[n] = byte(c)
			n++
		case unicode.IsSpace(c) || unicode.Is(unicode.Pd, c): // as codes are shown, pasted and typed
		default:
			strange = true // also a digit too many
		}
	}
	return code, n == digits && !strange
}
