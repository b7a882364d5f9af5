package webauthn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/cardea-auth/cardea/auth"
)

// Registrant is who a credential is made for.
type Registrant struct {
	// Account is the account's id; required.
	Account string
	// Name tells the person's accounts apart in the list that an authenticator shows: the address, usually.
	// Required; at most 256 bytes. DisplayName is what to call the person; empty means Name.
	Name, DisplayName string
	// Credentials are those that the account has. An authenticator that has one of them makes no other.
	Credentials []Credential
	// AllowNonDiscoverable also takes a credential that its authenticator cannot find by itself: a security key
	// without room left. It is good as a second factor and for no sign-in without an address.
	AllowNonDiscoverable bool
	// Verify demands that the authenticator verifies its user, whatever Config says.
	Verify bool
}

// maxShown bounds the names in the options, in bytes.
const maxShown = 256

// BeginRegistration begins to make a credential. An error means that the registrant is not one, or that
// randomness failed.
func (rp *RelyingParty) BeginRegistration(who Registrant, now time.Time) (Ceremony, error) {
	if who.DisplayName == "" {
		who.DisplayName = who.Name
	}
	if err := who.check(); err != nil {
		return Ceremony{}, fmt.Errorf("webauthn: begin registration: %w", err)
	}
	s, err := rp.begin(creates, who.Verify, now)
	if err != nil {
		return Ceremony{}, err
	}
	s.Account, s.Handle = who.Account, rp.handle(who.Account, who.Credentials)
	for _, c := range who.Credentials {
		s.list(c.ID)
	}
	resident := "required"
	if who.AllowNonDiscoverable {
		resident = "preferred"
	}
	o := creationOptions{
		RP:        rpEntity{rp.id, rp.product},
		User:      userEntity{s.Handle, who.Name, who.DisplayName},
		Challenge: s.Challenge, Timeout: rp.timeout.Milliseconds(), Exclude: described(who.Credentials),
		Selection:   selection{resident, !who.AllowNonDiscoverable, verification(s.Verify)},
		Attestation: "none",
	}
	for _, a := range rp.algorithms {
		o.Params = append(o.Params, param{"public-key", a})
	}
	return s.ceremony(o)
}

func (who Registrant) check() error {
	if who.Account == "" {
		return errors.New("no account")
	}
	for _, name := range []string{who.Name, who.DisplayName} {
		if name == "" || len(name) > maxShown || !plain(name) {
			return fmt.Errorf("a name must be text of 1 to %d bytes", maxShown)
		}
	}
	return checkOwned(who.Account, who.Credentials)
}

// checkOwned catches a caller that mixed up the rows of two accounts, before one signs in as the other.
func checkOwned(account string, list []Credential) error {
	if len(list) > maxListed {
		return fmt.Errorf("the account has %d credentials; a ceremony can name %d", len(list), maxListed)
	}
	for _, c := range list {
		if c.Account != account {
			return errors.New("a credential of another account is among those of this one")
		}
	}
	return nil
}

// FinishRegistration checks the answer to a registration that began for the account, and returns the credential
// to be stored. A refusal is a *RefusedError. An error of lookup is a fault and denies.
//
// A credential that lookup finds is refused, whoever has it: an attacker who knew the id of somebody's credential
// could else have it found under their own account (L3 §7.1 step 26). Two registrations at the same time both
// find nothing, so the store must refuse the second row with the same ID, too.
func (rp *RelyingParty) FinishRegistration(ctx context.Context, account string, state, response []byte, lookup Lookup, now time.Time) (Credential, error) {
	s, err := resume(state, now, creates)
	if err != nil {
		return Credential{}, err
	}
	if s.Account != account {
		return Credential{}, refuse(WrongAccount)
	}
	a, err := readAnswer(response)
	if err != nil {
		return Credential{}, err
	}
	if err := rp.checkClient(&a, s); err != nil {
		return Credential{}, err
	}
	algorithm, err := rp.checkAttested(&a, s)
	if err != nil {
		return Credential{}, err
	}
	if s.lists(a.id) {
		return Credential{}, refuse(CredentialTaken)
	}
	switch _, err := lookup(ctx, bytes.Clone(a.id)); {
	case err == nil:
		return Credential{}, refuse(CredentialTaken)
	case !errors.Is(err, auth.ErrNotFound):
		return Credential{}, fmt.Errorf("webauthn: look up credential: %w", err)
	}
	c := a.credential(s, now)
	c.Algorithm = algorithm
	return c, nil
}

// checkAttested reads the attestation object and checks what the authenticator says in it.
func (rp *RelyingParty) checkAttested(a *answer, s state) (Algorithm, error) {
	raw, ok := a.response.bytes("attestationObject")
	if !ok {
		return 0, refuse(Malformed)
	}
	var object protocol.AttestationObject
	if err := decodeCBOR(raw, &object); err != nil {
		return 0, refuse(Malformed)
	}
	if err := object.AuthData.Unmarshal(object.RawAuthData); err != nil {
		return 0, refuse(Malformed)
	}
	a.authData, a.data = object.RawAuthData, object.AuthData
	if err := rp.checkAuthenticator(a, s); err != nil {
		return 0, err
	}
	if !bytes.Equal(a.id, a.data.AttData.CredentialID) {
		return 0, refuse(Malformed) // the id outside is nobody's word; without attested data there is none inside
	}
	algorithm, err := rp.newKey(a.data.AttData.CredentialPublicKey)
	if err != nil {
		return 0, err
	}
	return algorithm, rp.checkStatement(a, s, object)
}

// checkStatement takes no attestation, and the authenticator's own signature for one: browsers that were asked
// for none may leave that in (L3 §5.1.3 step 22). Every other format is a parser of certificates that a stranger
// may feed, for an answer that nobody asked for.
func (rp *RelyingParty) checkStatement(a *answer, s state, object protocol.AttestationObject) error {
	self := object.Format == "packed" && len(object.AttStatement) <= 2 // its algorithm and the signature
	if object.Format != "none" && !self {
		return refuse(AttestationNotAskedFor)
	}
	parsed := protocol.ParsedCredentialCreationData{
		ParsedPublicKeyCredential: protocol.ParsedPublicKeyCredential{RawID: a.id},
		Response:                  protocol.ParsedAttestationResponse{CollectedClientData: a.client, AttestationObject: object},
	}
	parsed.Raw.AttestationResponse.ClientDataJSON = a.clientData
	_, err := parsed.Verify(a.client.Challenge, rp.id, []string{rp.origin}, nil, nil,
		protocol.TopOriginExplicitVerificationMode, false, s.Verify, true, nil, rp.offered(),
		protocol.AttestationPolicy{}, protocol.SignaturePolicy{})
	if err != nil {
		return refuse(BadAttestation) // all else that it checks was checked above
	}
	return nil
}

// credential is the row to be stored (L3 §7.1 step 27). Nothing in it points into what the browser sent.
func (a *answer) credential(s state, now time.Time) Credential {
	c := Credential{
		ID: bytes.Clone(a.id), Account: s.Account, UserHandle: s.Handle,
		PublicKey: bytes.Clone(a.data.AttData.CredentialPublicKey),
		SignCount: a.data.Counter, BackupEligible: a.data.Flags.HasBackupEligible(),
		BackedUp: a.data.Flags.HasBackupState(), UserVerified: a.data.Flags.HasUserVerified(), CreatedAt: now.UTC(),
	}
	copy(c.AAGUID[:], a.data.AttData.AAGUID)
	var said []string
	if json.Unmarshal(a.response["transports"], &said) == nil {
		c.Transports = transports(said)
	}
	return c
}
