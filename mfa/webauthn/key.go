package webauthn

import (
	"bytes"
	"crypto/elliptic"
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// Algorithm is a COSE algorithm of signatures (RFC 9053, RFC 8812).
type Algorithm int

// The algorithms that can be offered: those that L3 §5.4 says every relying party should.
const (
	ES256 Algorithm = -7   // ECDSA on P-256 with SHA-256
	EdDSA Algorithm = -8   // Ed25519
	RS256 Algorithm = -257 // RSASSA-PKCS1-v1_5 with SHA-256; Windows Hello on older machines has no other
)

// String returns the algorithm's name.
func (a Algorithm) String() string {
	switch a {
	case ES256:
		return "ES256"
	case EdDSA:
		return "EdDSA"
	case RS256:
		return "RS256"
	}
	return fmt.Sprintf("Algorithm(%d)", int(a))
}

func (a Algorithm) known() bool { return a == ES256 || a == EdDSA || a == RS256 }

// A COSE key of each algorithm begins like this in its canonical form (RFC 9052 §7, CTAP2 canonical CBOR). What
// follows are the coordinates or the modulus. There is no room for the optional parameters that L3 §6.5.1
// forbids, a private key among them.
var (
	es256Head = []byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20} // {1: 2, 3: -7, -1: 1, -2: x
	es256Mid  = []byte{0x22, 0x58, 0x20}                                           // -3: y}
	ed25519   = []byte{0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20} // {1: 1, 3: -8, -1: 6, -2: x}
	rs256Head = []byte{0xa4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20, 0x59}       // {1: 3, 3: -257, -1: n
	rs256Tail = []byte{0x21, 0x43, 0x01, 0x00, 0x01}                               // -2: 65537}
)

// coordinate is the length of one on P-256 and Curve25519, in bytes.
const coordinate = 32

// RSA keys have 2048 bits at least (NIST SP 800-131A; ASVS 11.6.1), and 4096 at most: what a verification costs
// grows with the cube of it, and the key is chosen by whoever registers it.
const (
	minModulus = 2048 / 8
	maxModulus = 4096 / 8
)

// algorithmOf returns the algorithm of a COSE key in canonical form, and whether it is one that is good to verify
// with. It costs no arithmetic.
func algorithmOf(key []byte) (Algorithm, bool) {
	switch n := len(key); {
	case n == len(es256Head)+coordinate+len(es256Mid)+coordinate && bytes.HasPrefix(key, es256Head):
		return ES256, bytes.HasPrefix(key[len(es256Head)+coordinate:], es256Mid)
	case n == len(ed25519)+coordinate && bytes.HasPrefix(key, ed25519):
		return EdDSA, true
	case n > len(rs256Head)+2+len(rs256Tail) && bytes.HasPrefix(key, rs256Head) && bytes.HasSuffix(key, rs256Tail):
		size := key[len(rs256Head):]
		modulus := size[2 : len(size)-len(rs256Tail)]
		whole := len(modulus) == int(size[0])<<8|int(size[1]) && len(modulus) <= maxModulus
		return RS256, whole && len(modulus) >= minModulus && modulus[0] >= 0x80 && modulus[len(modulus)-1]&1 == 1
	}
	return 0, false
}

// newKey checks the key of a new credential. Where nothing was attested, nothing was signed with it yet, and
// go-webauthn would store what can never verify anything: a point off the curve, half a key.
func (rp *RelyingParty) newKey(key []byte) (Algorithm, error) {
	var claim struct {
		Algorithm int64 `cbor:"3,keyasint"`
	}
	if err := decodeCBOR(key, &claim); err != nil {
		return 0, refuse(Malformed)
	}
	if !slices.Contains(rp.algorithms, Algorithm(claim.Algorithm)) {
		return 0, refuse(AlgorithmNotOffered)
	}
	algorithm, ok := algorithmOf(key)
	if !ok {
		return 0, refuse(UnusableKey)
	}
	if _, err := webauthncose.ParsePublicKey(key); err != nil {
		return 0, refuse(UnusableKey)
	}
	return algorithm, nil
}

// basePoint returns the generator of P-256 as a COSE key: any point would do, so that an answer that names no
// credential costs a verification like any other.
func basePoint() []byte {
	p := elliptic.P256().Params()
	x, y := p.Gx.FillBytes(make([]byte, coordinate)), p.Gy.FillBytes(make([]byte, coordinate))
	return slices.Concat(es256Head, x, es256Mid, y)
}

func coseAlgorithm(a Algorithm) webauthncose.COSEAlgorithmIdentifier {
	return webauthncose.COSEAlgorithmIdentifier(a)
}
