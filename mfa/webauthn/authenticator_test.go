package webauthn_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/mfa/webauthn"
)

// This file is an authenticator and a browser made of nothing but what the specifications say, so that no
// mistake is shared with what is tested. Every field of what they send can be bent.

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func unb64(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	require.NoError(t, err)
	return b
}

// CBOR (RFC 8949), as much as is needed.

func cborHead(major byte, n uint64) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)}
	case n < 1<<8:
		return []byte{major<<5 | 24, byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(n))
	}
	return binary.BigEndian.AppendUint32([]byte{major<<5 | 26}, uint32(n))
}

func cborInt(n int) []byte {
	if n < 0 {
		return cborHead(1, uint64(-1-n))
	}
	return cborHead(0, uint64(n))
}

func cborBytes(b []byte) []byte { return append(cborHead(2, uint64(len(b))), b...) }
func cborText(s string) []byte  { return append(cborHead(3, uint64(len(s))), s...) }

func cborArray(items ...[]byte) []byte {
	return append(cborHead(4, uint64(len(items))), slices.Concat(items...)...)
}

// cborMap makes a map of keys and values in turn.
func cborMap(items ...[]byte) []byte {
	return append(cborHead(5, uint64(len(items)/2)), slices.Concat(items...)...)
}

// signer is a key of one of the algorithms.
type signer struct {
	alg webauthn.Algorithm
	key crypto.Signer
}

func (s signer) cose() []byte {
	switch k := s.key.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := k.Bytes() // 4, x, y
		if err != nil {
			panic(err)
		}
		return ec2(-7, 1, point[1:33], point[33:])
	case ed25519.PublicKey:
		return okp(-8, 6, k)
	case *rsa.PublicKey:
		return cborMap(cborInt(1), cborInt(3), cborInt(3), cborInt(-257), cborInt(-1), cborBytes(k.N.Bytes()), cborInt(-2), cborBytes([]byte{1, 0, 1}))
	}
	panic("no such key")
}

func ec2(alg, curve int, x, y []byte) []byte {
	return cborMap(cborInt(1), cborInt(2), cborInt(3), cborInt(alg), cborInt(-1), cborInt(curve), cborInt(-2), cborBytes(x), cborInt(-3), cborBytes(y))
}

func okp(alg, curve int, x []byte) []byte {
	return cborMap(cborInt(1), cborInt(1), cborInt(3), cborInt(alg), cborInt(-1), cborInt(curve), cborInt(-2), cborBytes(x))
}

func (s signer) sign(message []byte) []byte {
	digest, opts := sha256.Sum256(message), crypto.SignerOpts(crypto.SHA256)
	input := digest[:]
	if s.alg == webauthn.EdDSA {
		input, opts = message, crypto.Hash(0)
	}
	sig, err := s.key.Sign(rand.Reader, input, opts)
	if err != nil {
		panic(err)
	}
	return sig
}

func newSigner(alg webauthn.Algorithm) signer {
	var key crypto.Signer
	var err error
	switch alg {
	case webauthn.ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case webauthn.EdDSA:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case webauthn.RS256:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		panic(err)
	}
	return signer{alg, key}
}

const (
	flagUP = 1 << iota
	_
	flagUV
	flagBE
	flagBS
	_
	flagAT
	flagED
)

// device is an authenticator with one credential.
type device struct {
	signer
	id     []byte
	handle []byte
	flags  byte
	count  uint32
	aaguid [16]byte
}

// newDevice makes an authenticator that verifies its user and keeps its keys.
func newDevice(alg webauthn.Algorithm) *device {
	d := &device{signer: newSigner(alg), id: make([]byte, 32), flags: flagUP | flagUV, aaguid: [16]byte{0xaa, 0xbb}}
	_, _ = rand.Read(d.id)
	return d
}

// sent is what goes over the wire, before it is put together.
type sent struct {
	client     map[string]any // of the client data
	clientText []byte         // instead of it

	rpID      string
	flags     byte
	count     uint32
	id        []byte // in the attested data
	idLength  int    // instead of its true length
	key       []byte // COSE
	extension []byte // CBOR
	trailing  []byte // after the authenticator data

	format    string
	statement func(authData, clientHash []byte) []byte // CBOR; nil for an empty one
	object    func(authData, statement []byte) []byte  // the attestation object; nil for an honest one

	signer    signer
	signature func(authData, clientHash []byte) []byte // nil for an honest one

	envelope map[string]any // changes to the outer object; a nil value deletes
	inner    map[string]any // changes to "response"; a nil value deletes
	text     func([]byte) []byte
}

type bend func(*sent)

func (d *device) base(challenge, kind string, bends []bend) *sent {
	s := &sent{
		client: map[string]any{"type": kind, "challenge": challenge, "origin": "https://login.app.example", "crossOrigin": false},
		rpID:   "app.example", flags: d.flags, count: d.count, id: d.id, key: d.cose(), format: "none", signer: d.signer,
		idLength: -1, envelope: map[string]any{}, inner: map[string]any{},
	}
	for _, b := range bends {
		b(s)
	}
	return s
}

func (s *sent) clientData() []byte {
	if s.clientText != nil {
		return s.clientText
	}
	text, err := json.Marshal(s.client)
	if err != nil {
		panic(err)
	}
	return text
}

func (s *sent) authData(attested []byte) []byte {
	hash := sha256.Sum256([]byte(s.rpID))
	flags := s.flags
	if s.extension != nil {
		flags |= flagED
	}
	data := binary.BigEndian.AppendUint32(append(hash[:], flags), s.count)
	return slices.Concat(data, attested, s.extension, s.trailing)
}

func (s *sent) finish(id []byte, response map[string]any) []byte {
	envelope := map[string]any{"id": b64(id), "rawId": b64(id), "type": "public-key", "clientExtensionResults": map[string]any{}, "response": response}
	for to, changes := range map[*map[string]any]map[string]any{&envelope: s.envelope, &response: s.inner} {
		for name, value := range changes {
			if (*to)[name] = value; value == nil {
				delete(*to, name)
			}
		}
	}
	text, err := json.Marshal(envelope)
	if err != nil {
		panic(err)
	}
	if s.text != nil {
		text = s.text(text)
	}
	return text
}

// options are those of both ceremonies, as a browser reads them.
type options struct {
	Challenge string
	Timeout   int
	RPID      string `json:"rpId"`
	RP        struct{ ID, Name string }
	User      struct{ ID, Name, DisplayName string }
	Params    []struct {
		Type string
		Alg  int
	} `json:"pubKeyCredParams"`
	Exclude, Allow         []listed
	ExcludeCredentials     []listed
	AllowCredentials       []listed
	Attestation            string
	UserVerification       string
	AuthenticatorSelection struct {
		ResidentKey, UserVerification string
		RequireResidentKey            bool
	}
}

type listed struct {
	Type, ID   string
	Transports []string
}

func read(t testing.TB, c webauthn.Ceremony) options {
	t.Helper()
	var o options
	require.NoError(t, json.Unmarshal(c.Options, &o))
	return o
}

// create answers a registration.
func (d *device) create(t testing.TB, c webauthn.Ceremony, bends ...bend) []byte {
	t.Helper()
	o := read(t, c)
	d.handle = unb64(t, o.User.ID)
	s := d.base(o.Challenge, "webauthn.create", bends)
	length := len(s.id)
	if s.idLength >= 0 {
		length = s.idLength
	}
	attested := slices.Concat(d.aaguid[:], binary.BigEndian.AppendUint16(nil, uint16(length)), s.id, s.key)
	s.flags ^= flagAT // a bend that sets it unsets it
	if s.flags&flagAT == 0 {
		attested = nil
	}
	authData, client := s.authData(attested), s.clientData()
	hash := sha256.Sum256(client)
	statement := cborMap()
	if s.statement != nil {
		statement = s.statement(authData, hash[:])
	}
	object := cborMap(cborText("fmt"), cborText(s.format), cborText("attStmt"), statement, cborText("authData"), cborBytes(authData))
	if s.object != nil {
		object = s.object(authData, statement)
	}
	return s.finish(s.id, map[string]any{
		"clientDataJSON": b64(client), "attestationObject": b64(object), "transports": []string{"internal", "hybrid"},
	})
}

// get answers an assertion. The authenticator counts, unless it does not.
func (d *device) get(t testing.TB, c webauthn.Ceremony, bends ...bend) []byte {
	t.Helper()
	if d.count > 0 {
		d.count++
	}
	s := d.base(read(t, c).Challenge, "webauthn.get", bends)
	authData, client := s.authData(nil), s.clientData()
	hash := sha256.Sum256(client)
	signed := slices.Concat(authData, hash[:])
	var signature []byte
	if s.signature != nil {
		signature = s.signature(authData, hash[:])
	} else {
		signature = s.signer.sign(signed)
	}
	return s.finish(s.id, map[string]any{
		"clientDataJSON": b64(client), "authenticatorData": b64(authData), "signature": b64(signature), "userHandle": b64(d.handle),
	})
}
