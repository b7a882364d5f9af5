package oidctest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// Kind is what a token is for.
type Kind string

// The kinds. An answer of /userinfo is a token in one mode alone; in others it has claims, and no header.
const (
	IDToken     Kind = "id_token"
	LogoutToken Kind = "logout_token"
	UserInfo    Kind = "userinfo"
)

// Token is a token that is about to be signed; see Provider.Alter.
type Token struct {
	Kind   Kind
	Header map[string]any // alg decides how it is signed; an alg that is not known leaves the signature empty
	Claims map[string]any
	Secret []byte // the key of HS256; the client's secret unless it is changed
	// BadSignature breaks the signature.
	BadSignature bool
	// Text, if it is set, is sent instead of all that.
	Text string
}

// sign returns the token's text.
func (t *Token) sign(keys *keySet) (string, error) {
	if t.Text != "" {
		return t.Text, nil
	}
	header, err := json.Marshal(t.Header)
	if err != nil {
		return "", fmt.Errorf("oidctest: header of %s: %w", t.Kind, err)
	}
	claims, err := json.Marshal(t.Claims)
	if err != nil {
		return "", fmt.Errorf("oidctest: claims of %s: %w", t.Kind, err)
	}
	input := encoded(header) + "." + encoded(claims)
	alg, _ := t.Header["alg"].(string)
	signature, err := keys.sign(alg, t.Secret, []byte(input))
	if err != nil {
		return "", fmt.Errorf("oidctest: sign %s: %w", t.Kind, err)
	}
	if t.BadSignature {
		for i := range signature {
			signature[i] ^= 0x5a
		}
	}
	return input + "." + encoded(signature), nil
}

// header returns what a token of this client says before the modes change it.
func newToken(kind Kind, k Client, keys *keySet, claims map[string]any) *Token {
	types := map[Kind]string{IDToken: "JWT", LogoutToken: "logout+jwt", UserInfo: "JWT"}
	t := &Token{Kind: kind, Header: map[string]any{"typ": types[kind]}, Claims: claims, Secret: []byte(k.Secret)}
	t.setAlg(k.IDTokenAlg, keys)
	return t
}

// setAlg sets the algorithm, and the key's id where there is a key.
func (t *Token) setAlg(alg string, keys *keySet) {
	t.Header["alg"] = alg
	delete(t.Header, "kid")
	if alg == RS256 || alg == ES256 {
		t.Header["kid"] = keys.kid(alg)
	}
}

// half is the hash that binds an access token to an ID token (OpenID Connect Core §3.1.3.6).
func half(text string) string {
	sum := sha256.Sum256([]byte(text))
	return encoded(sum[:16])
}

// split takes a token apart.
func split(text string) (header struct{ Alg string }, payload, signature []byte, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return header, nil, nil, errHint
	}
	var decoded [3][]byte
	for i, part := range parts {
		if decoded[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return header, nil, nil, errHint
		}
	}
	return header, decoded[1], decoded[2], json.Unmarshal(decoded[0], &header)
}
