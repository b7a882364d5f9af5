package weak

import (
	"crypto/md5"
	"crypto/subtle"
	"strings"

	"github.com/cardea-auth/cardea/password"
)

const (
	md5Rounds    = 1000
	maxCryptSalt = 8
	// maxCryptText bounds the passwords, in bytes: each round takes in the whole password.
	maxCryptText = 256
	encodedMD5   = 22
	// crypt64 is the alphabet of crypt(3); its digits come least significant first.
	crypt64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// MD5Crypt reads the MD5 hashes of Unix systems, $1$salt$digest, of Apache, $apr1$salt$digest, and kratos's
// spelling of the first, $md5-crypt$salt$digest. The salt may be missing. A password of more than 256 bytes
// does not match.
func MD5Crypt() password.Format { return md5Crypt{} }

type md5Crypt struct{}

// magics are what stands before the salt and what is hashed for it.
var magics = []struct{ prefix, magic string }{{"$1$", "$1$"}, {"$md5-crypt$", "$1$"}, {"$apr1$", "$apr1$"}}

// Name returns "md5-crypt".
func (md5Crypt) Name() string { return "md5-crypt" }

func (md5Crypt) Claims(encoded string) bool {
	for _, m := range magics {
		if strings.HasPrefix(encoded, m.prefix) {
			return true
		}
	}
	return false
}

func (md5Crypt) Parse(encoded string) (password.Hash, error) {
	for _, m := range magics {
		rest, ok := strings.CutPrefix(encoded, m.prefix)
		if !ok {
			continue
		}
		salt, sum, _ := strings.Cut(rest, "$")
		if len(salt) > maxCryptSalt || len(sum) != encodedMD5 || strings.Trim(salt+sum, crypt64) != "" {
			return nil, errSpelling
		}
		if !strings.Contains(crypt64[:4], sum[encodedMD5-1:]) { // the last of 22 digits has two bits
			return nil, errSpelling
		}
		return md5CryptHash{m.magic, salt, sum}, nil
	}
	return nil, errSpelling
}

func (md5Crypt) Decoy(float64) password.Hash {
	return md5CryptHash{"$apr1$", crypt64[:maxCryptSalt], strings.Repeat(".", encodedMD5)}
}

type md5CryptHash struct{ magic, salt, sum string }

func (md5CryptHash) Memory() int64 { return 0 }

// Work is about the blocks of 64 bytes that are hashed.
func (md5CryptHash) Work(size int) int64 {
	return md5Rounds * int64(1+2*min(size, maxCryptText)/md5.BlockSize)
}

func (h md5CryptHash) Matches(password []byte) bool {
	whole := len(password) <= maxCryptText
	sum := h.derive(password[:min(len(password), maxCryptText)])
	return subtle.ConstantTimeCompare([]byte(sum), []byte(h.sum)) == 1 && whole
}

// derive does what P.-H. Kamp's md5-crypt does.
func (h md5CryptHash) derive(key []byte) string {
	inner := md5.New()
	inner.Write(key)
	inner.Write([]byte(h.salt))
	inner.Write(key)
	b := inner.Sum(nil)

	outer := md5.New()
	outer.Write(key)
	outer.Write([]byte(h.magic + h.salt))
	for n := len(key); n > 0; n -= md5.Size {
		outer.Write(b[:min(n, md5.Size)])
	}
	for n := len(key); n > 0; n >>= 1 {
		if n&1 != 0 {
			outer.Write([]byte{0})
		} else {
			outer.Write(key[:1])
		}
	}
	a := outer.Sum(nil)
	for i := range md5Rounds {
		a = h.round(i, a, key)
	}
	return encodeMD5(a)
}

func (h md5CryptHash) round(i int, a, key []byte) []byte {
	f := md5.New()
	first, last := a, key
	if i%2 != 0 {
		first, last = key, a
	}
	f.Write(first)
	if i%3 != 0 {
		f.Write([]byte(h.salt))
	}
	if i%7 != 0 {
		f.Write(key)
	}
	f.Write(last)
	return f.Sum(nil)
}

// encodeMD5 writes the digest in the order of md5-crypt, each group of bytes in base64.
func encodeMD5(d []byte) string {
	var text strings.Builder
	write := func(n, digits int) {
		for range digits {
			text.WriteByte(crypt64[n&63])
			n >>= 6
		}
	}
	for _, g := range [][3]int{{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}} {
		write(int(d[g[0]])<<16|int(d[g[1]])<<8|int(d[g[2]]), 4)
	}
	write(int(d[11]), 2)
	return text.String()
}
