package password

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"hash"
	"strings"
)

const (
	// The bounds and the default of the rounds are those of the specification, but for the upper bound, which
	// is about two seconds.
	minRounds, maxRounds, defaultRounds = 1000, 3_000_000, 5000
	maxCryptSalt                        = 16
	// maxCryptText bounds the passwords of SHA-crypt, in bytes: each round takes in the whole password, so its
	// time grows with what a stranger types.
	maxCryptText = 256
)

// crypt64 is the alphabet of crypt(3); its digits come least significant first.
const crypt64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// shaCryptVariant is one of the two hash functions.
type shaCryptVariant struct {
	name     string
	prefixes []string
	make     func() hash.Hash
	block    int // bytes that the function takes in at a time
	overhead int // bytes that it adds to the last block
	order    func(digest []byte) [][]byte
	encoded  int    // length of the digest in base64
	last     string // what its last character may be: the rest of the bits do not exist
}

func sha256Crypt() *shaCryptVariant {
	return &shaCryptVariant{
		name: "sha256-crypt", prefixes: []string{"$5$", "$sha256-crypt$"}, make: sha256.New, block: sha256.BlockSize, overhead: 9,
		order: func(d []byte) (groups [][]byte) {
			for i, a, b, c := 0, 0, 10, 20; i < 10; i, a, b, c = i+1, (a+21)%30, (b+21)%30, (c+21)%30 {
				groups = append(groups, []byte{d[a], d[b], d[c]})
			}
			return append(groups, []byte{d[31], d[30]})
		},
		encoded: 43, last: crypt64[:1<<4],
	}
}

func sha512Crypt() *shaCryptVariant {
	return &shaCryptVariant{
		name: "sha512-crypt", prefixes: []string{"$6$", "$sha512-crypt$"}, make: sha512.New, block: sha512.BlockSize, overhead: 17,
		order: func(d []byte) (groups [][]byte) {
			for i, a, b, c := 0, 0, 21, 42; i < 21; i, a, b, c = i+1, (a+22)%63, (b+22)%63, (c+22)%63 {
				groups = append(groups, []byte{d[a], d[b], d[c]})
			}
			return append(groups, []byte{d[63]})
		},
		encoded: 86, last: crypt64[:1<<2],
	}
}

// shaCryptFormat reads the SHA-crypt hashes of Unix systems, and kratos's spelling of them.
type shaCryptFormat struct {
	*shaCryptVariant
	rounds int
}

// SHA256Crypt reads the SHA-256 hashes of Unix systems and passlib (crypt(3), "Unix crypt using SHA-256 and
// SHA-512" by U. Drepper) of up to rounds, 1,000 to 3,000,000: $5$salt$digest, which has 5,000, or
// $5$rounds=n$salt$digest; also kratos's, which begin with $sha256-crypt$. A password of more than 256 bytes
// does not match: the time of each round grows with it.
func SHA256Crypt(rounds int) Format { return shaCryptFormat{sha256Crypt(), rounds} }

// SHA512Crypt is SHA256Crypt for SHA-512, whose hashes begin with $6$ or $sha512-crypt$.
func SHA512Crypt(rounds int) Format { return shaCryptFormat{sha512Crypt(), rounds} }

func (f shaCryptFormat) check() error {
	if f.rounds < minRounds || f.rounds > maxRounds {
		return fmt.Errorf("%d rounds are out of range %d to %d", f.rounds, minRounds, maxRounds)
	}
	return nil
}

// Name returns "sha256-crypt" or "sha512-crypt".
func (f shaCryptFormat) Name() string { return f.name }

// String describes the format for the report.
func (f shaCryptFormat) String() string { return fmt.Sprintf("%s of %d rounds", f.name, f.rounds) }

func (f shaCryptFormat) Claims(encoded string) bool {
	_, ok := cutPrefixes(encoded, f.prefixes...)
	return ok
}

func (f shaCryptFormat) Parse(encoded string) (Hash, error) {
	rest, _ := cutPrefixes(encoded, f.prefixes...)
	rounds := defaultRounds
	if text, ok := strings.CutPrefix(rest, "rounds="); ok {
		digits, after, _ := strings.Cut(text, "$")
		n, err := decimal(digits)
		if err != nil {
			return nil, err
		}
		rounds, rest = n, after
	}
	salt, digest, _ := strings.Cut(rest, "$")
	if salt == "" || len(salt) > maxCryptSalt || len(digest) != f.encoded || strings.Trim(salt+digest, crypt64) != "" {
		return nil, errSpelling
	}
	if !strings.Contains(f.last, digest[len(digest)-1:]) {
		return nil, errSpelling
	}
	f.rounds = rounds
	if err := f.check(); err != nil {
		return nil, err
	}
	return shaCryptHash{f, []byte(salt), digest}, nil
}

func (f shaCryptFormat) Decoy(share float64) Hash {
	if f.rounds = int(share * float64(f.rounds)); f.rounds < 1 {
		return nil
	}
	return shaCryptHash{f, []byte(crypt64[:maxCryptSalt]), strings.Repeat(".", f.encoded)}
}

// shaCryptHash is a stored hash; the rounds are its own.
type shaCryptHash struct {
	shaCryptFormat
	salt   []byte
	digest string // as it stands in the hash
}

func (shaCryptHash) Memory() int64 { return 0 }

// Work is the number of blocks that are hashed in all rounds. What a round takes in repeats every 42 rounds.
func (h shaCryptHash) Work(size int) int64 {
	const period = 2 * 3 * 7
	size = min(size, maxCryptText)
	digest, blocks := h.make().Size(), 0
	for i := range period {
		taken := digest + size + h.overhead
		if i%3 != 0 {
			taken += maxCryptSalt
		}
		if i%7 != 0 {
			taken += size
		}
		blocks += (taken + h.block - 1) / h.block
	}
	return max(int64(h.rounds)*int64(blocks)/period, 1)
}

func (h shaCryptHash) Matches(password []byte) bool {
	whole := len(password) <= maxCryptText
	digest := h.derive(password[:min(len(password), maxCryptText)])
	return subtle.ConstantTimeCompare([]byte(digest), []byte(h.digest)) == 1 && whole
}

// derive returns the digest as it stands in a hash. The steps are those of the specification.
func (h shaCryptHash) derive(key []byte) string {
	sum := func(parts ...[]byte) []byte {
		f := h.make()
		for _, p := range parts {
			f.Write(p)
		}
		return f.Sum(nil)
	}
	b := sum(key, h.salt, key)
	first := [][]byte{key, h.salt, repeated(b, len(key))}
	for n := len(key); n > 0; n >>= 1 {
		if n&1 != 0 {
			first = append(first, b)
		} else {
			first = append(first, key)
		}
	}
	a := sum(first...)
	p := repeated(sum(repeated(key, len(key)*len(key))), len(key))
	s := repeated(sum(repeated(h.salt, len(h.salt)*(16+int(a[0])))), len(h.salt))
	return h.encode(h.run(a, p, s))
}

// run does the rounds.
func (h shaCryptHash) run(a, p, s []byte) []byte {
	f := h.make()
	for i := range h.rounds {
		f.Reset()
		if i%2 != 0 {
			f.Write(p)
		} else {
			f.Write(a)
		}
		if i%3 != 0 {
			f.Write(s)
		}
		if i%7 != 0 {
			f.Write(p)
		}
		if i%2 != 0 {
			f.Write(a)
		} else {
			f.Write(p)
		}
		a = f.Sum(a[:0])
	}
	return a
}

// encode writes the digest in the order of the specification, each group of bytes in base64.
func (h shaCryptHash) encode(digest []byte) string {
	var text strings.Builder
	for _, group := range h.order(digest) {
		n := 0
		for _, b := range group {
			n = n<<8 | int(b)
		}
		for range len(group) + 1 {
			text.WriteByte(crypt64[n&63])
			n >>= 6
		}
	}
	return text.String()
}

// repeated returns the first size bytes of b, said again and again.
func repeated(b []byte, size int) []byte {
	out := make([]byte, 0, size+len(b))
	for len(out) < size {
		out = append(out, b...)
	}
	return out[:size]
}
