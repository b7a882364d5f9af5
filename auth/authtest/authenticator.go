package authtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"

	"github.com/cardea-auth/cardea/auth"
)

// Authenticator is a browser with an authenticator in software, which answers passkey ceremonies in tests as an
// honest one does: the options go in, what navigator.credentials would give comes out, as PublicKeyCredential.toJSON
// writes it. The zero value is not one; make it with NewAuthenticator, and change the fields between ceremonies. Its
// methods may be called concurrently.
type Authenticator struct {
	// Origin is the page's.
	Origin string
	// Verifies says that it verifies its user, by PIN or biometrics.
	Verifies bool
	// Counts says that it counts its signatures, as one does whose keys stay in one device.
	Counts bool

	mu   sync.Mutex
	held []*heldKey // the one that was made first comes first
}

type heldKey struct {
	id, handle []byte
	key        *ecdsa.PrivateKey
	count      uint32
}

// ErrNoPasskey is the error of Get if the authenticator has none of those that are asked for, and of Create if it has
// one already. A browser tells its page no more than that.
var ErrNoPasskey = errors.New("authtest: the authenticator has no such passkey to use, or has one to exclude")

// NewAuthenticator returns an authenticator without passkeys that verifies its user and does not count.
func NewAuthenticator(origin string) *Authenticator {
	return &Authenticator{Origin: origin, Verifies: true}
}

// ceremonyOptions are the options of both kinds, as far as an authenticator looks at them.
type ceremonyOptions struct {
	Challenge string                `json:"challenge"`
	RPID      string                `json:"rpId"`
	RP        struct{ ID string }   `json:"rp"`
	User      struct{ ID string }   `json:"user"`
	Allow     []struct{ ID string } `json:"allowCredentials"`
	Exclude   []struct{ ID string } `json:"excludeCredentials"`
	// UserVerification of an assertion, and Selection of a registration.
	UserVerification string                            `json:"userVerification"`
	Selection        struct{ UserVerification string } `json:"authenticatorSelection"`
}

func readOptions(options []byte) (o ceremonyOptions, err error) {
	if err := json.Unmarshal(options, &o); err != nil {
		return o, fmt.Errorf("authtest: read options: %w", err)
	}
	return o, nil
}

// Create makes a passkey, or returns ErrNoPasskey if the options exclude one that it has, or demand a verification
// that it cannot give.
func (a *Authenticator) Create(options []byte) (auth.Secret, error) {
	o, err := readOptions(options)
	if err != nil {
		return auth.Secret{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	excluded := slices.ContainsFunc(o.Exclude, func(c struct{ ID string }) bool { return a.find(c.ID) != nil })
	if excluded || o.Selection.UserVerification == "required" && !a.Verifies {
		return auth.Secret{}, ErrNoPasskey
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return auth.Secret{}, err
	}
	k := &heldKey{id: make([]byte, 32), key: key}
	_, _ = rand.Read(k.id)
	if k.handle, err = base64.RawURLEncoding.DecodeString(o.User.ID); err != nil {
		return auth.Secret{}, fmt.Errorf("authtest: read user handle: %w", err)
	}
	a.held = append(a.held, k)
	public, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return auth.Secret{}, err
	}
	attested := slices.Concat(make([]byte, 16), binary.BigEndian.AppendUint16(nil, uint16(len(k.id))), k.id,
		[]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}, public[1:33], []byte{0x22, 0x58, 0x20}, public[33:])
	data := a.data(o.RP.ID, k, attested)
	object := slices.Concat([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData"), []byte{0x59}, binary.BigEndian.AppendUint16(nil, uint16(len(data))), data)
	return k.answer(map[string]any{
		"clientDataJSON": encoded(a.client("webauthn.create", o.Challenge)), "attestationObject": encoded(object),
		"transports": []string{"internal"},
	})
}

// Get uses a passkey: the first that is allowed, or the first of all where the options name none. It returns
// ErrNoPasskey if there is none, or if they demand a verification that it cannot give.
func (a *Authenticator) Get(options []byte) (auth.Secret, error) {
	o, err := readOptions(options)
	if err != nil {
		return auth.Secret{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var k *heldKey
	if len(o.Allow) == 0 && len(a.held) > 0 {
		k = a.held[0]
	}
	for _, c := range o.Allow {
		if k == nil {
			k = a.find(c.ID)
		}
	}
	if k == nil || o.UserVerification == "required" && !a.Verifies {
		return auth.Secret{}, ErrNoPasskey
	}
	if a.Counts {
		k.count++
	}
	data, client := a.data(o.RPID, k, nil), a.client("webauthn.get", o.Challenge)
	hash := sha256.Sum256(client)
	signed := sha256.Sum256(slices.Concat(data, hash[:]))
	signature, err := k.key.Sign(rand.Reader, signed[:], crypto.SHA256)
	if err != nil {
		return auth.Secret{}, err
	}
	return k.answer(map[string]any{
		"clientDataJSON": encoded(client), "authenticatorData": encoded(data), "signature": encoded(signature),
		"userHandle": encoded(k.handle),
	})
}

func (a *Authenticator) find(id string) *heldKey {
	i := slices.IndexFunc(a.held, func(k *heldKey) bool { return encoded(k.id) == id })
	if i < 0 {
		return nil
	}
	return a.held[i]
}

// client is what the browser says of the ceremony (L3 §5.8.1).
func (a *Authenticator) client(kind, challenge string) []byte {
	text, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.Origin, "crossOrigin": false})
	if err != nil {
		panic(err) // texts alone
	}
	return text
}

// data is what the authenticator says (L3 §6.1).
func (a *Authenticator) data(rpID string, k *heldKey, attested []byte) []byte {
	if rpID == "" {
		if u, err := url.Parse(a.Origin); err == nil {
			rpID = u.Hostname()
		}
	}
	flags := byte(1) // somebody is there
	if a.Verifies {
		flags |= 1 << 2
	}
	if attested != nil {
		flags |= 1 << 6
	}
	hash := sha256.Sum256([]byte(rpID))
	return slices.Concat(hash[:], []byte{flags}, binary.BigEndian.AppendUint32(nil, k.count), attested)
}

// answer is what the page sends.
func (k *heldKey) answer(response map[string]any) (auth.Secret, error) {
	text, err := json.Marshal(map[string]any{
		"id": encoded(k.id), "rawId": encoded(k.id), "type": "public-key", "response": response,
		"authenticatorAttachment": "platform", "clientExtensionResults": map[string]any{},
	})
	return auth.NewSecret(string(text)), err
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
