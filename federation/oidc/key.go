package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
)

// RSA keys have 2048 bits at least (NIST SP 800-131A), and 8192 at most: what a verification costs grows with the
// square of it. The exponent is above 2^16 (FIPS 186-5 §5.4); with 1 every signature holds.
const (
	minModulus  = 2048
	maxModulus  = 8192
	minExponent = 1<<16 + 1
	maxKeys     = 64
)

// key is a public key that a provider signs tokens with (RFC 7517).
type key struct {
	kid    string
	kty    string
	curve  string
	alg    string // the only algorithm that it is for; empty means each that fits
	issuer string // Microsoft's: which tenants it is good for
	public crypto.PublicKey
}

// fits reports whether the key is for the algorithm. A key that says that it is for one is for no other.
func (k *key) fits(name string, a algorithm) bool {
	return k.kty == a.kty && k.curve == a.curve && (k.alg == "" || k.alg == name)
}

// keySet are the keys of a provider, at one time.
type keySet struct{ keys []*key }

var errKeySet = errors.New("not a set of keys")

// parseKeys reads a JWK Set. Keys that are of no use here are left out, as RFC 7517 §5 says.
func parseKeys(document []byte) (*keySet, error) {
	members, err := decode(document)
	if err != nil {
		return nil, errKeySet
	}
	var all []json.RawMessage
	if raw := members["keys"]; len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &all) != nil || len(all) > maxKeys {
		return nil, errKeySet
	}
	set := &keySet{}
	for _, raw := range all {
		if k := parseKey(raw); k != nil {
			set.keys = append(set.keys, k)
		}
	}
	return set, nil
}

// parseKey returns a key, or nil if it is none that verifies signatures: one for encryption, a shared secret, a private
// key that somebody published, one of a kind that is not known here, or one that is too weak.
func parseKey(raw json.RawMessage) *key {
	m, err := decode(raw)
	if err != nil || m["d"] != nil || m["k"] != nil {
		return nil
	}
	member := func(name string) string { s, _ := text(m[name]); return s }
	if m["use"] != nil && member("use") != "sig" {
		return nil
	}
	if ops := m["key_ops"]; ops != nil {
		if all, ok := (Claims{members: m}).list("key_ops", 16); !ok || !slices.Contains(all, "verify") {
			return nil
		}
	}
	k := &key{kid: member("kid"), kty: member("kty"), alg: member("alg"), issuer: member("issuer")}
	if m["kid"] != nil && !printable(k.kid, 1, maxText) || m["alg"] != nil && k.alg == "" {
		return nil
	}
	switch k.kty {
	case "RSA":
		k.public = rsaKey(member("n"), member("e"))
	case "EC":
		k.curve = member("crv")
		k.public = ecKey(k.curve, member("x"), member("y"))
	case "OKP":
		if k.curve = member("crv"); k.curve == "Ed25519" {
			if x, ok := decode64(member("x"), maxHeader); ok && len(x) == ed25519.PublicKeySize {
				k.public = ed25519.PublicKey(x)
			}
		}
	}
	if k.public == nil {
		return nil
	}
	return k
}

// rsaKey returns nil, and not a pointer that is nil, for a key that is none.
func rsaKey(modulus, exponent string) crypto.PublicKey {
	n, okN := decode64(modulus, maxHeader)
	e, okE := decode64(exponent, 8)
	if !okN || !okE {
		return nil
	}
	modulusInt, exponentInt := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e).Int64()
	if bits := modulusInt.BitLen(); bits < minModulus || bits > maxModulus || modulusInt.Bit(0) == 0 {
		return nil
	}
	if exponentInt < minExponent || exponentInt > 1<<31-1 || exponentInt&1 == 0 {
		return nil
	}
	return &rsa.PublicKey{N: modulusInt, E: int(exponentInt)}
}

func ecKey(curve, x, y string) crypto.PublicKey {
	var c elliptic.Curve
	switch curve {
	case "P-256":
		c = elliptic.P256()
	case "P-384":
		c = elliptic.P384()
	case "P-521":
		c = elliptic.P521()
	default:
		return nil
	}
	size := (c.Params().BitSize + 7) / 8
	bx, okX := decode64(x, maxHeader)
	by, okY := decode64(y, maxHeader)
	if !okX || !okY || len(bx) != size || len(by) != size {
		return nil
	}
	// This is where a point off the curve is refused.
	pub, err := ecdsa.ParseUncompressedPublicKey(c, slices.Concat([]byte{4}, bx, by))
	if err != nil {
		return nil
	}
	return pub
}

// verify returns the key that signed the envelope.
func (s *keySet) verify(e *envelope) (*key, error) {
	if e.kid == "" {
		return s.verifyUnnamed(e)
	}
	var named *key
	for _, k := range s.keys {
		if k.kid != e.kid {
			continue
		}
		if named != nil { // which of them it is would be for the signer to choose
			return nil, refuse(KeyAmbiguous)
		}
		named = k
	}
	switch {
	case named == nil || !named.fits(e.name, e.algorithm):
		return nil, refuse(KeyUnknown)
	case !e.verifies(named):
		return nil, refuse(SignatureInvalid)
	}
	return named, nil
}

// verifyUnnamed tries the keys that fit, for a provider that does not name them (Core §10.1 allows it where it has one).
func (s *keySet) verifyUnnamed(e *envelope) (*key, error) {
	code := KeyUnknown
	for _, k := range s.keys {
		if !k.fits(e.name, e.algorithm) {
			continue
		}
		if e.verifies(k) {
			return k, nil
		}
		code = SignatureInvalid
	}
	return nil, refuse(code)
}
