package webauthn

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

// maxResponse bounds what is read of an answer. A registration with an RSA key has less than 2 KiB; the longest
// credential ids would add four.
const maxResponse = 16 << 10

// members are the members of a JSON object.
type members map[string]json.RawMessage

// readObject reads an object that has each member once. Package encoding/json takes the last of two, and "ORIGIN"
// for "origin": whoever checks one and signs, or stores, the other has been deceived. Members that nobody
// asks for are left alone; browsers add new ones (L3 §5.8.1.2).
func readObject(text []byte) (members, bool) {
	if !json.Valid(text) || !utf8.Valid(text) {
		return nil, false
	}
	text = bytes.TrimSpace(text)
	if text[0] != '{' {
		return nil, false
	}
	m := make(members, 8)
	for rest := bytes.TrimSpace(text[1:]); rest[0] != '}'; {
		colon := next(rest)
		name, ok := unquote(bytes.TrimSpace(rest[:colon]))
		rest = rest[colon+1:]
		end := next(rest)
		if _, twice := m[name]; twice || !ok {
			return nil, false
		}
		m[name] = bytes.TrimSpace(rest[:end])
		if rest[end] == ',' {
			end++
		}
		rest = bytes.TrimSpace(rest[end:])
	}
	return m, true
}

// next returns where the colon, the comma or the brace is that ends a name or a value of an object. It relies on
// text being what is left of valid JSON after the object's opening brace.
func next(text []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case depth > 0 && (c == '}' || c == ']'):
			depth--
		case depth == 0 && (c == ':' || c == ',' || c == '}'):
			return i
		}
	}
	return len(text)
}

// unquote returns what a JSON string stands for.
func unquote(raw []byte) (text string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	if plain := raw[1 : len(raw)-1]; bytes.IndexByte(plain, '\\') < 0 {
		return string(plain), true
	}
	return text, json.Unmarshal(raw, &text) == nil
}

// text returns a string. One that is absent is empty; what is no string is not ok.
func (m members) text(name string) (value string, ok bool) {
	raw, there := m[name]
	if !there {
		return "", true
	}
	return unquote(raw)
}

// bytes returns what a string of unpadded URL-safe base64 stands for. There is one way to write it: Go's decoder
// passes over line ends and stray bits, and one credential must not have several names.
func (m members) bytes(name string) ([]byte, bool) {
	text, ok := m.text(name)
	if !ok || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	value, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return value, err == nil
}

// answer is what a browser sent, taken apart and not yet believed.
type answer struct {
	id         []byte
	response   members
	clientData []byte
	client     protocol.CollectedClientData
	authData   []byte
	data       protocol.AuthenticatorData
}

// readAnswer reads the envelope of both ceremonies: a PublicKeyCredential as L3 §5.1.8 and §5.1.9 write it in JSON.
func readAnswer(text []byte) (answer, error) {
	if len(text) > maxResponse {
		return answer{}, refuse(TooLarge)
	}
	credential, ok := readObject(text)
	if !ok {
		return answer{}, refuse(Malformed)
	}
	var a answer
	kind, typed := credential.text("type")
	id, named := credential.bytes("id")
	raw, again := credential.bytes("rawId")
	if !typed || !named || !again || kind != "public-key" || !bytes.Equal(id, raw) {
		return answer{}, refuse(Malformed)
	}
	if len(id) < minCredentialID || len(id) > maxCredentialID {
		return answer{}, refuse(Malformed) // L3 §7.1 step 25
	}
	a.id = id
	if a.response, ok = readObject(credential["response"]); !ok {
		return answer{}, refuse(Malformed)
	}
	if a.clientData, ok = a.response.bytes("clientDataJSON"); !ok {
		return answer{}, refuse(Malformed)
	}
	return a, nil
}

// checkClient reads and checks what the browser says that it was asked (L3 §7.1 steps 5 to 12, §7.2 steps 8 to 14).
// It is signed as it stands, so it is checked as it stands: go-webauthn folds the case of an origin, by the rules
// of Unicode, and passes over user, path and query.
func (rp *RelyingParty) checkClient(a *answer, s state) error {
	m, ok := readObject(a.clientData)
	if !ok {
		return refuse(Malformed)
	}
	kind, hasKind := m.text("type")
	challenge, hasChallenge := m.text("challenge")
	origin, hasOrigin := m.text("origin")
	if !hasKind || !hasChallenge || !hasOrigin {
		return refuse(Malformed)
	}
	switch {
	case kind != s.Kind.clientType():
		return refuse(WrongCeremony)
	case challenge != base64.RawURLEncoding.EncodeToString(s.Challenge):
		return refuse(WrongChallenge)
	case origin != rp.origin:
		return refuse(WrongOrigin)
	}
	if err := checkFrame(m); err != nil {
		return err
	}
	a.client = protocol.CollectedClientData{Type: protocol.CeremonyType(kind), Challenge: challenge, Origin: origin}
	return nil
}

// checkFrame refuses what was made in a frame of another site, which could be drawn over (clickjacking), and
// what claims a token binding: no connection of ours has one, so it was made for another.
func checkFrame(m members) error {
	if frame, there := m["crossOrigin"]; there && string(frame) != "false" {
		if string(frame) == "true" {
			return refuse(CrossOrigin)
		}
		return refuse(Malformed)
	}
	if _, there := m["topOrigin"]; there {
		return refuse(CrossOrigin)
	}
	binding, there := m["tokenBinding"] // gone from L3; old browsers say "supported"
	if !there {
		return nil
	}
	b, ok := readObject(binding)
	status, typed := b.text("status")
	switch {
	case !ok || !typed:
		return refuse(Malformed)
	case status != "supported" && status != "not-supported":
		return refuse(TokenBinding)
	}
	return nil
}

// checkAuthenticator checks what the authenticator says (L3 §7.1 steps 13 to 18, §7.2 steps 15 to 20).
func (rp *RelyingParty) checkAuthenticator(a *answer, s state) error {
	want := sha256.Sum256([]byte(rp.id))
	flags := a.data.Flags
	switch {
	case !bytes.Equal(a.data.RPIDHash, want[:]):
		return refuse(WrongRelyingParty)
	case !flags.HasUserPresent():
		return refuse(UserNotPresent)
	case s.Verify && !flags.HasUserVerified():
		return refuse(UserNotVerified)
	case flags.HasBackupState() && !flags.HasBackupEligible():
		return refuse(BackupFlags)
	}
	return nil
}

// decodeCBOR decodes one item and nothing after it.
func decodeCBOR(data []byte, into any) error { return webauthncbor.Unmarshal(data, into) }
