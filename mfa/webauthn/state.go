package webauthn

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Ceremony is a ceremony that began.
type Ceremony struct {
	// Options is what the browser is given: the JSON of PublicKeyCredentialCreationOptionsJSON or
	// PublicKeyCredentialRequestOptionsJSON (L3 §5.1.8, §5.1.9), with <, > and & escaped.
	Options []byte
	// State is what the ceremony is finished with. It must be kept on the server, with the flow that asked,
	// and must be dropped in the act that finishes it. It is opaque, and less than 8 KiB.
	State []byte
}

type kind string

// The kinds of ceremonies.
const (
	creates   kind = "create"
	gets      kind = "get"
	discovers kind = "discover"
)

// clientType returns what the browser calls the ceremony in what is signed, so that no registration passes for
// an assertion.
func (k kind) clientType() string {
	if k == creates {
		return "webauthn.create"
	}
	return "webauthn.get"
}

const (
	stateVersion    = 1
	challengeLength = 32 // L3 §13.4.3 demands 16 bytes, NIST SP 800-63B-4 §3.1.6.2 eight
)

// state is what a State says.
type state struct {
	Version   int      `json:"v"`
	Kind      kind     `json:"kind"`
	Challenge []byte   `json:"challenge"`
	ExpiresAt int64    `json:"expires"` // in milliseconds since 1970
	Verify    bool     `json:"verify,omitempty"`
	Account   string   `json:"account,omitempty"` // empty for discovers
	Handle    []byte   `json:"handle,omitempty"`  // of creates: the user handle that the authenticator was given
	Listed    [][]byte `json:"listed,omitempty"`  // SHA-256 of the ids allowed, or of creates the ids excluded
	Decoy     bool     `json:"decoy,omitempty"`   // the ids are nobody's; whatever comes is refused
}

// begin draws the challenge and fixes the end.
func (rp *RelyingParty) begin(k kind, verify bool, now time.Time) (state, error) {
	challenge := make([]byte, challengeLength)
	if _, err := io.ReadFull(rp.random, challenge); err != nil {
		return state{}, fmt.Errorf("webauthn: read randomness: %w", err)
	}
	return state{
		Version: stateVersion, Kind: k, Challenge: challenge, Verify: verify || rp.verify,
		ExpiresAt: now.Add(rp.timeout).UnixMilli(),
	}, nil
}

// ceremony writes both halves.
func (s state) ceremony(options any) (Ceremony, error) {
	text, err := json.Marshal(options)
	if err != nil {
		return Ceremony{}, fmt.Errorf("webauthn: write options: %w", err)
	}
	data, err := json.Marshal(s)
	if err != nil {
		return Ceremony{}, fmt.Errorf("webauthn: write state: %w", err)
	}
	return Ceremony{text, data}, nil
}

// resume reads a State. One that cannot be read is a fault: the caller kept it, not the browser. The challenge is
// looked at because an empty one would be answered by everybody.
func resume(data []byte, now time.Time, kinds ...kind) (state, error) {
	var s state
	if err := decodeStrict(data, &s); err != nil {
		return state{}, errors.New("webauthn: the state cannot be read") // without what is in it
	}
	if s.Version != stateVersion || len(s.Challenge) != challengeLength {
		return state{}, errors.New("webauthn: the state is not one of this package")
	}
	for _, k := range kinds {
		if s.Kind != k {
			continue
		}
		if now.UnixMilli() >= s.ExpiresAt {
			return state{}, refuse(Expired)
		}
		return s, nil
	}
	return state{}, refuse(WrongCeremony)
}

// decodeStrict reads one JSON value that has no member we did not write, and nothing after it.
func decodeStrict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows")
	}
	return nil
}

// list notes the ids that the ceremony names: their hashes, which are short whatever the ids are.
func (s *state) list(ids ...[]byte) {
	for _, id := range ids {
		sum := sha256.Sum256(id)
		s.Listed = append(s.Listed, sum[:])
	}
}

func (s *state) lists(id []byte) bool {
	sum := sha256.Sum256(id)
	for _, listed := range s.Listed {
		if bytes.Equal(listed, sum[:]) {
			return true
		}
	}
	return false
}
