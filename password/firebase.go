package password

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
)

const firebaseName = "firebase-scrypt"

// firebaseFormat reads the hashes of Firebase Authentication, as kratos and Supabase write them.
type firebaseFormat struct{ scryptCost }

// FirebaseScrypt reads the hashes of Firebase Authentication that take no more memory and work than those of
// the given cost; a project's own is shown in its console, usually a memory cost of 14, 8 rounds and p = 1.
// MemoryCost is the logarithm of N to the base 2.
//
// Firebase exports the parts of its hashes. EncodeFirebase puts them together, in the spelling of kratos:
// $firescrypt$ln=14,r=8,p=1$salt$hash$separator$signer in padded base64. That of Supabase is read too:
// $fbscrypt$v=1,n=14,r=8,p=1,ss=separator,sk=signer$salt$hash.
func FirebaseScrypt(memoryCost, rounds, p int) Format {
	if memoryCost < 1 || memoryCost > 30 {
		return firebaseFormat{} // which check refuses
	}
	return firebaseFormat{scryptCost{1 << memoryCost, rounds, p}}
}

// Name returns "firebase-scrypt".
func (firebaseFormat) Name() string { return firebaseName }

// String describes the format for the report.
func (f firebaseFormat) String() string {
	return fmt.Sprintf("%s of N=%d, r=%d, p=%d", firebaseName, f.n, f.r, f.p)
}

const (
	kratosFirebase   = "$firescrypt$"
	supabaseFirebase = "$fbscrypt$"

	firebaseKey = 32 // bytes of an AES-256 key
)

func (firebaseFormat) Claims(encoded string) bool {
	_, ok := cutPrefixes(encoded, kratosFirebase, supabaseFirebase)
	return ok
}

func (firebaseFormat) Parse(encoded string) (Hash, error) {
	var h firebaseHash
	var err error
	if rest, ok := strings.CutPrefix(encoded, kratosFirebase); ok {
		h, err = parseKratosFirebase(rest)
	} else {
		h, err = parseSupabaseFirebase(strings.TrimPrefix(encoded, supabaseFirebase))
	}
	if err == nil {
		err = h.sound()
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (f firebaseFormat) Decoy(share float64) Hash {
	if cost, ok := f.share(share); ok {
		return firebaseHash{scryptCost: cost, salt: make([]byte, saltSize), tag: make([]byte, maxTag), signer: make([]byte, maxTag)}
	}
	return nil
}

// firebaseHash is a stored hash. Its tag is the signer, encrypted with a key derived from the password.
type firebaseHash struct {
	scryptCost
	salt, separator, signer, tag []byte
}

func (h firebaseHash) sound() error {
	if err := h.check(); err != nil {
		return err
	}
	if len(h.signer) != len(h.tag) || len(h.separator) > maxForeignSalt {
		return fmt.Errorf("signer of %d bytes for a hash of %d", len(h.signer), len(h.tag))
	}
	return sound(h.salt, h.tag)
}

func (h firebaseHash) Memory() int64  { return h.memory() }
func (h firebaseHash) Work(int) int64 { return h.work() }

func (h firebaseHash) Matches(password []byte) bool {
	salt := append(append([]byte{}, h.salt...), h.separator...)
	block, err := aes.NewCipher(h.key(password, salt, firebaseKey))
	if err != nil {
		return false // no key, since the cost was never checked
	}
	tag := make([]byte, len(h.signer))
	// The counter starts at zero; the key is used for this one text.
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(tag, h.signer)
	return subtle.ConstantTimeCompare(tag, h.tag) == 1
}

func parseKratosFirebase(rest string) (h firebaseHash, err error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 5 {
		return firebaseHash{}, errSpelling
	}
	costs, err := assignments(fields[0], "ln", "r", "p")
	if err != nil {
		return firebaseHash{}, err
	}
	return h.with(costs, fields[1], fields[2], fields[3], fields[4])
}

func parseSupabaseFirebase(rest string) (h firebaseHash, err error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 3 {
		return firebaseHash{}, errSpelling
	}
	parts := strings.Split(fields[0], ",")
	if len(parts) != 6 {
		return firebaseHash{}, errSpelling
	}
	costs, err := assignments(strings.Join(parts[:4], ","), "v", "n", "r", "p")
	separator, hasSeparator := strings.CutPrefix(parts[4], "ss=")
	signer, hasSigner := strings.CutPrefix(parts[5], "sk=")
	if err != nil || !hasSeparator || !hasSigner || costs[0] != 1 {
		return firebaseHash{}, errSpelling
	}
	return h.with(costs[1:], fields[1], fields[2], separator, signer)
}

// with returns a hash of these costs and of parts in padded base64.
func (h firebaseHash) with(costs []int, salt, tag, separator, signer string) (firebaseHash, error) {
	if costs[0] < 1 || costs[0] > 30 {
		return firebaseHash{}, fmt.Errorf("a memory cost of %d is out of range", costs[0])
	}
	h.scryptCost = scryptCost{1 << costs[0], costs[1], costs[2]}
	for _, part := range []struct {
		raw  *[]byte
		text string
	}{{&h.salt, salt}, {&h.tag, tag}, {&h.separator, separator}, {&h.signer, signer}} {
		raw, err := exactly(base64.StdEncoding, part.text)
		if err != nil {
			return firebaseHash{}, err
		}
		*part.raw = raw
	}
	return h, nil
}

// FirebaseParameters are the hash parameters of a Firebase project, as its console shows them: the keys in
// base64, in the standard or the URL-safe alphabet, padded or not.
type FirebaseParameters struct {
	SignerKey     string // base64_signer_key
	SaltSeparator string // base64_salt_separator
	Rounds        int    // rounds
	MemoryCost    int    // mem_cost
}

// EncodeFirebase returns the hash of a Firebase user in the form that is stored: salt and passwordHash are
// those of the user in the export, in base64 of either alphabet. It checks what Verify would check.
func EncodeFirebase(p FirebaseParameters, salt, passwordHash string) (string, error) {
	parts := []string{salt, passwordHash, p.SaltSeparator, p.SignerKey}
	for i, name := range []string{"salt", "passwordHash", "SaltSeparator", "SignerKey"} {
		text := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(parts[i], "="))
		raw, err := exactly(b64, text)
		if err != nil {
			return "", fmt.Errorf("password: encode Firebase hash: %s is not base64", name)
		}
		parts[i] = base64.StdEncoding.EncodeToString(raw)
	}
	f, ok := FirebaseScrypt(p.MemoryCost, p.Rounds, 1).(firebaseFormat)
	if !ok || f.check() != nil {
		return "", fmt.Errorf("password: encode Firebase hash: a memory cost of %d and %d rounds are out of range", p.MemoryCost, p.Rounds)
	}
	encoded := fmt.Sprintf("%sln=%s,r=%d,p=1$%s", kratosFirebase, f.ln(), p.Rounds, strings.Join(parts, "$"))
	if _, err := f.Parse(encoded); err != nil {
		return "", fmt.Errorf("password: encode Firebase hash: %w", err)
	}
	return encoded, nil
}
