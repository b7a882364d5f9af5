package webauthn_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/json"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"
	gowebauthn "github.com/go-webauthn/webauthn/webauthn"

	"github.com/cardea-auth/cardea/mfa/webauthn"
)

// BenchmarkAssertion checks one answer by ES256, three ways: ours, go-webauthn's own Finish of the same bytes, and
// no more than parsing and one verification. The figures of one run can be compared: ours is to take at most
// 1.1 of the second and 1.3 of the third.
func BenchmarkAssertion(b *testing.B) {
	w, d := newWorld(b), newDevice(webauthn.ES256)
	row := w.enrol("ann", d)
	c := w.beginGet("ann")
	answer := d.get(b, c)

	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.rp.FinishAssertion(b.Context(), c.State, answer, w.lookup, now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("go-webauthn", func(b *testing.B) {
		theirs, err := gowebauthn.New(&gowebauthn.Config{RPID: "app.example", RPDisplayName: "Example", RPOrigins: []string{"https://login.app.example"}})
		if err != nil {
			b.Fatal(err)
		}
		ann := theirUser{row.UserHandle, gowebauthn.Credential{ID: row.ID, PublicKey: row.PublicKey}}
		session, err := json.Marshal(gowebauthn.SessionData{ // they keep it between the halves, too
			Challenge: read(b, c).Challenge, RelyingPartyID: "app.example", UserID: row.UserHandle, AllowedCredentialIDs: [][]byte{row.ID},
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			var s gowebauthn.SessionData
			if err := json.Unmarshal(session, &s); err != nil {
				b.Fatal(err)
			}
			parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := theirs.ValidateLogin(ann, s, parsed); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parsing and verification", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !bare(answer, row.PublicKey) {
				b.Fatal("does not verify")
			}
		}
	})
}

// bare does what no check of an assertion can do without: two JSON texts, a key, a signature.
func bare(answer, cose []byte) bool {
	var envelope struct {
		ID, RawID, Type string
		Response        struct {
			ClientDataJSON, AuthenticatorData, Signature, UserHandle protocol.URLEncodedBase64
		}
	}
	var client struct {
		Type, Challenge, Origin string
		CrossOrigin             bool
	}
	if json.Unmarshal(answer, &envelope) != nil || json.Unmarshal(envelope.Response.ClientDataJSON, &client) != nil {
		return false
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), bytes.Join([][]byte{{4}, cose[10:42], cose[45:]}, nil))
	if err != nil {
		return false
	}
	hash := sha256.Sum256(envelope.Response.ClientDataJSON)
	digest := sha256.Sum256(append(envelope.Response.AuthenticatorData, hash[:]...))
	return ecdsa.VerifyASN1(key, digest[:], envelope.Response.Signature)
}

// BenchmarkUnknownCredential is what an answer costs that names no credential; it is to cost what a wrong one costs
// that does (BenchmarkWrongSignature), or the time would tell which exist.
func BenchmarkUnknownCredential(b *testing.B) {
	w, d := newWorld(b), newDevice(webauthn.ES256)
	c := w.beginDiscover()
	d.handle = make([]byte, 32)
	refuse(b, w, c, d.get(b, c), webauthn.CredentialUnknown)
}

func BenchmarkWrongSignature(b *testing.B) {
	w, d := newWorld(b), newDevice(webauthn.ES256)
	w.enrol("ann", d)
	c := w.beginDiscover()
	refuse(b, w, c, d.get(b, c, func(s *sent) { s.signer = newSigner(webauthn.ES256) }), webauthn.BadSignature)
}

func refuse(b *testing.B, w *world, c webauthn.Ceremony, answer []byte, reason webauthn.Reason) {
	b.ReportAllocs()
	var err error
	for b.Loop() {
		_, err = w.rp.FinishAssertion(b.Context(), c.State, answer, w.lookup, now)
	}
	refused(b, err, reason)
}

// BenchmarkBegin makes the options for an account, and those for nobody; they are to cost alike.
func BenchmarkBegin(b *testing.B) {
	w := newWorld(b)
	w.enrol("ann", newDevice(webauthn.ES256))
	for name, who := range map[string]webauthn.Claimant{
		"account": {Account: "ann", Identifier: "ann", Credentials: w.of("ann")}, "decoy": {Account: "decoy~1", Identifier: "ann"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.rp.BeginAssertion(who, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type theirUser struct {
	handle     []byte
	credential gowebauthn.Credential
}

func (u theirUser) WebAuthnID() []byte          { return u.handle }
func (u theirUser) WebAuthnName() string        { return "ann" }
func (u theirUser) WebAuthnDisplayName() string { return "ann" }
func (u theirUser) WebAuthnCredentials() []gowebauthn.Credential {
	return []gowebauthn.Credential{u.credential}
}
