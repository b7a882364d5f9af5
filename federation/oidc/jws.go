package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that the algorithms name
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
)

// algorithm is a way to sign (RFC 7518 §3.1, RFC 8037): the kind of key that it is for, the hash, and the curve.
type algorithm struct {
	kty   string
	pss   bool
	hash  crypto.Hash
	curve string
}

// algorithmOf returns an algorithm by its name. Those by a shared secret, and none, are not among them: a provider's
// public key is a secret that everybody knows.
func algorithmOf(name string) (algorithm, bool) {
	switch name {
	case "RS256":
		return algorithm{kty: "RSA", hash: crypto.SHA256}, true
	case "RS384":
		return algorithm{kty: "RSA", hash: crypto.SHA384}, true
	case "RS512":
		return algorithm{kty: "RSA", hash: crypto.SHA512}, true
	case "PS256":
		return algorithm{kty: "RSA", pss: true, hash: crypto.SHA256}, true
	case "PS384":
		return algorithm{kty: "RSA", pss: true, hash: crypto.SHA384}, true
	case "PS512":
		return algorithm{kty: "RSA", pss: true, hash: crypto.SHA512}, true
	case "ES256":
		return algorithm{kty: "EC", hash: crypto.SHA256, curve: "P-256"}, true
	case "ES384":
		return algorithm{kty: "EC", hash: crypto.SHA384, curve: "P-384"}, true
	case "ES512":
		return algorithm{kty: "EC", hash: crypto.SHA512, curve: "P-521"}, true
	case "EdDSA":
		return algorithm{kty: "OKP", hash: crypto.SHA512, curve: "Ed25519"}, true
	}
	return algorithm{}, false
}

// envelope is a token that was taken apart and not yet verified.
type envelope struct {
	name      string // of the algorithm
	algorithm algorithm
	kid       string // empty if it has none
	typ       string
	input     string // what was signed
	payload   []byte
	signature []byte
}

// openEnvelope reads a compact JWS (RFC 7515 §7.1). The JSON serialisations, which may have several signatures and
// headers that nobody signed, are not read at all.
func openEnvelope(token string) (envelope, error) {
	if len(token) > maxToken {
		return envelope{}, refuse(TokenMalformed)
	}
	head, rest, _ := strings.Cut(token, ".")
	body, tail, ok := strings.Cut(rest, ".")
	header, headOK := decode64(head, maxHeader)
	payload, bodyOK := decode64(body, maxToken)
	signature, tailOK := decode64(tail, maxToken)
	if !ok || !headOK || !bodyOK || !tailOK {
		return envelope{}, refuse(TokenMalformed)
	}
	e := envelope{input: token[:len(head)+1+len(body)], payload: payload, signature: signature}
	return e, e.readHeader(header)
}

// decode64 reads unpadded base64url. encoding/base64 skips line breaks, and would so read two texts as one token.
func decode64(s string, most int) ([]byte, bool) {
	if s == "" || len(s) > most || strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return b, err == nil
}

func (e *envelope) readHeader(header []byte) error {
	var alg, kid, typ json.RawMessage
	allowed := true
	err := each(header, func(name, value []byte) {
		switch string(name) {
		case "alg":
			alg = value
		case "kid":
			kid = value
		case "typ":
			typ = value
		default:
			// A flat header has neither a key in it (jwk, x5c) nor extensions that must be understood (crit).
			allowed = allowed && value[0] != '{' && value[0] != '[' && !notAllowed(string(name))
		}
	})
	switch {
	case err != nil:
		return refuse(TokenMalformed)
	case !allowed:
		return refuse(HeaderNotAllowed)
	}
	var ok bool
	if e.name, ok = text(alg); !ok {
		return refuse(AlgorithmNotAllowed)
	}
	if e.algorithm, ok = algorithmOf(e.name); !ok {
		return refuse(AlgorithmNotAllowed)
	}
	if e.kid, ok = optionalText(kid); !ok {
		return refuse(TokenMalformed)
	}
	if e.typ, ok = optionalText(typ); !ok {
		return refuse(TokenMalformed)
	}
	return nil
}

// notAllowed reports whether a header names a key that the signer chose, or changes what the token is: crit and b64
// (RFC 7797), encryption and compression, and a token within.
func notAllowed(header string) bool {
	switch header {
	case "jku", "jwk", "x5u", "x5c", "crit", "b64", "enc", "zip", "cty", "epk", "apu", "apv", "p2s", "p2c":
		return true
	}
	return false
}

// optionalText returns a header that may be missing, and whether it is one if it is there.
func optionalText(raw json.RawMessage) (string, bool) {
	if raw == nil {
		return "", true
	}
	s, ok := text(raw)
	return s, ok && printable(s, 1, maxText)
}

// verifies reports whether the envelope was signed by the key, which fits its algorithm.
func (e *envelope) verifies(k *key) bool {
	if e.algorithm.kty == "OKP" {
		pub, ok := k.public.(ed25519.PublicKey)
		return ok && ed25519.Verify(pub, []byte(e.input), e.signature)
	}
	h := e.algorithm.hash.New()
	h.Write([]byte(e.input))
	digest := h.Sum(nil)
	switch pub := k.public.(type) {
	case *rsa.PublicKey:
		if e.algorithm.pss {
			// The salt is as long as the hash (RFC 7518 §3.5).
			options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: e.algorithm.hash}
			return rsa.VerifyPSS(pub, e.algorithm.hash, digest, e.signature, options) == nil
		}
		return rsa.VerifyPKCS1v15(pub, e.algorithm.hash, digest, e.signature) == nil
	case *ecdsa.PublicKey:
		size := (pub.Curve.Params().BitSize + 7) / 8
		if len(e.signature) != 2*size { // both halves in full (RFC 7518 §3.4)
			return false
		}
		r, s := new(big.Int).SetBytes(e.signature[:size]), new(big.Int).SetBytes(e.signature[size:])
		return ecdsa.Verify(pub, digest, r, s)
	}
	return false
}
