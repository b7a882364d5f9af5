package webauthn

import (
	"encoding/base64"

	"github.com/go-webauthn/webauthn/protocol"
)

// base64URL is written as browsers read bytes in JSON (L3 §5.1.10).
type base64URL []byte

// MarshalText writes unpadded URL-safe base64.
func (b base64URL) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

type creationOptions struct {
	RP        rpEntity     `json:"rp"`
	User      userEntity   `json:"user"`
	Challenge base64URL    `json:"challenge"`
	Params    []param      `json:"pubKeyCredParams"`
	Timeout   int64        `json:"timeout"` // milliseconds
	Exclude   []descriptor `json:"excludeCredentials"`
	Selection selection    `json:"authenticatorSelection"`
	// Attestation is none: an attestation names the batch of a device, which is the person's affair.
	Attestation string `json:"attestation"`
}

type rpEntity struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type userEntity struct {
	ID          base64URL `json:"id"`
	Name        string    `json:"name"`
	DisplayName string    `json:"displayName"`
}

type param struct {
	Type string    `json:"type"`
	Alg  Algorithm `json:"alg"`
}

type selection struct {
	ResidentKey        string `json:"residentKey"`
	RequireResidentKey bool   `json:"requireResidentKey"` // for browsers of Level 1
	UserVerification   string `json:"userVerification"`
}

type requestOptions struct {
	Challenge        base64URL    `json:"challenge"`
	Timeout          int64        `json:"timeout"` // milliseconds
	RPID             string       `json:"rpId"`
	Allow            []descriptor `json:"allowCredentials"`
	UserVerification string       `json:"userVerification"`
}

type descriptor struct {
	Type       string    `json:"type"`
	ID         base64URL `json:"id"`
	Transports []string  `json:"transports,omitempty"`
}

// described lists credentials as options do, never as null.
func described(list []Credential) []descriptor {
	all := make([]descriptor, 0, len(list))
	for _, c := range list {
		all = append(all, descriptor{"public-key", c.ID, transports(c.Transports)})
	}
	return all
}

func verification(demanded bool) string {
	if demanded {
		return "required"
	}
	return "preferred"
}

// offered are the algorithms as go-webauthn compares them.
func (rp *RelyingParty) offered() []protocol.CredentialParameter {
	list := make([]protocol.CredentialParameter, len(rp.algorithms))
	for i, a := range rp.algorithms {
		list[i].Type, list[i].Algorithm = protocol.PublicKeyCredentialType, coseAlgorithm(a)
	}
	return list
}
