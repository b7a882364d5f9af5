package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"strings"
)

// The algorithms that tokens are signed with.
const (
	RS256 = "RS256"
	ES256 = "ES256"
	HS256 = "HS256" // with the client's secret; the provider signs so in one mode alone
	None  = "none"  // no signature at all
)

// keySet is a pair of signing keys.
type keySet struct {
	id string
	rs *rsa.PrivateKey
	es *ecdsa.PrivateKey
}

func newKeySet() *keySet {
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // only without randomness
	}
	es, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return &keySet{random()[:8], rs, es}
}

func (k *keySet) kid(alg string) string { return strings.ToLower(alg[:2]) + "-" + k.id }

// jwks returns the two public keys, under the ids of the set that is named.
func (k *keySet) jwks(named *keySet) []map[string]any {
	point, err := k.es.PublicKey.Bytes() // 4, x, y
	if err != nil {
		panic(err) // the curve is known
	}
	return []map[string]any{
		{"kty": "RSA", "use": "sig", "alg": RS256, "kid": named.kid(RS256),
			"n": encoded(k.rs.N.Bytes()), "e": encoded(big.NewInt(int64(k.rs.E)).Bytes())},
		{"kty": "EC", "use": "sig", "alg": ES256, "kid": named.kid(ES256), "crv": "P-256",
			"x": encoded(point[1:33]), "y": encoded(point[33:])},
	}
}

// sign returns the signature of a token; none for an algorithm that is not known.
func (k *keySet) sign(alg string, secret, input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	switch alg {
	case RS256:
		return rsa.SignPKCS1v15(nil, k.rs, crypto.SHA256, digest[:])
	case ES256:
		r, s, err := ecdsa.Sign(rand.Reader, k.es, digest[:])
		if err != nil {
			return nil, err
		}
		signature := make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
		return signature, nil
	case HS256:
		mac := hmac.New(sha256.New, secret)
		mac.Write(input)
		return mac.Sum(nil), nil
	}
	return nil, nil
}

// verifies reports whether a signature is one of the set's.
func (k *keySet) verifies(alg string, input, signature []byte) bool {
	digest := sha256.Sum256(input)
	switch alg {
	case RS256:
		return rsa.VerifyPKCS1v15(&k.rs.PublicKey, crypto.SHA256, digest[:], signature) == nil
	case ES256:
		return len(signature) == 64 &&
			ecdsa.Verify(&k.es.PublicKey, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	}
	return false
}

// strangers returns n sets of keys that never sign, which are made when they are first asked for.
func (p *Provider) strangers(n int) []*keySet {
	for len(p.strange) < n {
		p.strange = append(p.strange, newKeySet())
	}
	return p.strange[:n]
}

// published returns the keys that the mode publishes.
func (p *Provider) published() []map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys := p.keys.jwks(p.keys)
	switch p.mode {
	case OtherKeys:
		return p.strangers(1)[0].jwks(p.keys)
	case UnusableKeys:
		return append([]map[string]any{
			{"kty": "AKP", "use": "sig", "alg": "ML-DSA-9999", "kid": "unknown-kind", "pub": "AAAA"},
			{"kty": "EC", "use": "sig", "alg": ES256, "kid": "unknown-curve", "crv": "P-999", "x": "AAAA", "y": "AAAA"},
			{"kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "kid": "for-encryption", "n": keys[0]["n"], "e": "AQAB"},
			{"kid": "of-no-kind"},
		}, keys...)
	case KidAbsentMultipleJWKS:
		others := p.strangers(2)
		keys = append(append(others[0].jwks(p.keys), keys...), others[1].jwks(p.keys)...)
	case KidAbsentSingleJWKS:
	default:
		return keys
	}
	for _, k := range keys {
		delete(k, "kid")
		delete(k, "alg")
	}
	return keys
}

func (p *Provider) serveKeys(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"keys": p.published()})
}

// errHint is why a hint is worth nothing.
var errHint = errors.New("the id_token_hint is none of this provider's")

// readHint returns the claims of an ID token that this provider issued, however long ago.
func (p *Provider) readHint(text string) (claims struct{ Sub, Sid, Aud string }, err error) {
	header, payload, signature, err := split(text)
	if err != nil {
		return claims, err
	}
	p.mu.Lock()
	sets := append([]*keySet{p.keys}, p.retired...)
	p.mu.Unlock()
	input := []byte(text[:strings.LastIndexByte(text, '.')])
	for _, k := range sets {
		if k.verifies(header.Alg, input, signature) {
			return claims, json.Unmarshal(payload, &claims)
		}
	}
	return claims, errHint
}
