package totp

import (
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/cardea-auth/cardea/auth"
)

var (
	// ErrUnknownKey means that the key that sealed a record is not among auth.Keys: it was removed before
	// its records were sealed anew, or the record is not this installation's.
	ErrUnknownKey = errors.New("the key that sealed the record is not among Keys")
	// ErrAltered means that a record does not open: it was changed, cut, made with another key of the name, or
	// belongs to another row or account.
	ErrAltered = errors.New("the record was altered or belongs elsewhere")
)

// key is an opened record.
type key struct {
	algorithm Algorithm
	digits    uint8
	seed      [seedBytes]byte
}

// A sealed key is three fields joined by dots: the version, the name of the key that sealed it, and nonce and
// ciphertext in unpadded URL-safe base64. In the ciphertext are algorithm, digits and seed.
const (
	sealVersion = "1"
	plainBytes  = 2 + seedBytes
	sealedBytes = chacha20poly1305.NonceSizeX + plainBytes + chacha20poly1305.Overhead
)

// sealedText is the encoding of the last field. It is strict: of the texts that decode alike only one opens.
var sealedText = base64.RawURLEncoding.Strict()

// box seals and opens keys. Ciphers are behind a function, where package fmt does not look.
type box struct {
	current string
	cipher  func(name string) (cipher.AEAD, bool)
}

// newBox makes the cipher of the current key once; those of older ones are made when a record needs them.
func newBox(keys auth.Keys) box {
	derived := keys.Derive("totp seed")
	current, _ := newCipher(derived, derived.Current())
	return box{derived.Current(), func(name string) (cipher.AEAD, bool) {
		if name == derived.Current() {
			return current, true
		}
		return newCipher(derived, name)
	}}
}

// newCipher takes the MAC of a fixed label as the cipher's key: to whoever has not the key of the MAC it is
// 256 random bits.
func newCipher(keys auth.DerivedKeys, name string) (cipher.AEAD, bool) {
	sum, ok := keys.MAC(name, "seal")
	if !ok {
		return nil, false
	}
	c, err := chacha20poly1305.NewX(sum[:])
	return c, err == nil // it refuses no key of 32 bytes
}

// seal writes k for one record of one account under the current key. 192-bit nonces may be random for ever.
func (b box) seal(k key, record, account string, random io.Reader) (string, error) {
	c, _ := b.cipher(b.current) // that of the current key is always there
	nonce := make([]byte, chacha20poly1305.NonceSizeX, sealedBytes)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	plain := append([]byte{byte(k.algorithm), k.digits}, k.seed[:]...)
	sealed := c.Seal(nonce, nonce, plain, boundTo(b.current, record, account))
	return strings.Join([]string{sealVersion, b.current, sealedText.EncodeToString(sealed)}, "."), nil
}

// open reads a record. Nothing in it is believed before it opened.
func (b box) open(r Record) (key, error) {
	version, rest, _ := strings.Cut(r.Data, ".")
	name, text, _ := strings.Cut(rest, ".")
	if version != sealVersion || len(text) != sealedText.EncodedLen(sealedBytes) {
		return key{}, ErrAltered
	}
	c, ok := b.cipher(name)
	if !ok {
		return key{}, ErrUnknownKey
	}
	var buffer [sealedBytes]byte
	if n, err := sealedText.Decode(buffer[:], []byte(text)); err != nil || n != sealedBytes {
		return key{}, ErrAltered // the decoder skips line breaks, so the length tells too
	}
	nonce, sealed := buffer[:chacha20poly1305.NonceSizeX], buffer[chacha20poly1305.NonceSizeX:]
	plain, err := c.Open(sealed[:0], nonce, sealed, boundTo(name, r.ID, r.Account))
	if err != nil {
		return key{}, ErrAltered
	}
	k := key{algorithm: Algorithm(plain[0]), digits: plain[1]}
	copy(k.seed[:], plain[2:])
	return k, nil
}

// boundTo is the associated data: what the key is, where it belongs and who sealed it. Each part is preceded
// by its length, so that no two lists of parts give the same bytes.
func boundTo(name, record, account string) []byte {
	data := make([]byte, 0, 128)
	for _, part := range [...]string{"cardea totp seed", sealVersion, name, record, account} {
		data = append(binary.BigEndian.AppendUint32(data, uint32(len(part))), part...)
	}
	return data
}

// Reseal returns the record's key sealed under the current one of Keys; if it is already, the same text. When
// every record was sealed anew, the older keys can go. The store replaces the text only where it is still
// the one that was read. Its errors are ErrUnknownKey, ErrAltered, and that of Random.
func (v *Verifier) Reseal(r Record) (sealed string, err error) {
	k, err := v.box.open(r)
	if err != nil {
		return "", fmt.Errorf("totp: reseal: %w", err)
	}
	if strings.HasPrefix(r.Data, sealVersion+"."+v.box.current+".") {
		return r.Data, nil
	}
	sealed, err = v.box.seal(k, r.ID, r.Account, v.random)
	if err != nil {
		return "", fmt.Errorf("totp: reseal: %w", err)
	}
	return sealed, nil
}
