package webauthn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/cardea-auth/cardea/auth"
)

// Claimant is whoever says to be an account.
type Claimant struct {
	// Account is the account's id, or that of a decoy; required.
	Account string
	// Identifier is the normalised identifier that was typed. The credential ids of an account that has none are
	// drawn from it, so that nothing changes on the day that somebody signs up. Required without Credentials.
	Identifier string
	// Credentials are those that the account has. With none of them, nobody passes: the browser is given ids that
	// nobody has, the same for an account without passkeys and for an address without an account.
	Credentials []Credential
	// Verify demands that the authenticator verifies its user, whatever Config says.
	Verify bool
}

// BeginAssertion begins to ask somebody who says to be an account for one of its credentials. Before a first proof
// the list of real ids tells a stranger when somebody's passkeys change, though not whether there is an account;
// BeginDiscoverable tells nothing at all and is the better choice there. An error means that the claimant is not
// one, or that randomness failed.
func (rp *RelyingParty) BeginAssertion(who Claimant, now time.Time) (Ceremony, error) {
	decoy := len(who.Credentials) == 0
	var err error
	switch {
	case who.Account == "":
		err = errors.New("no account")
	case decoy && who.Identifier == "":
		err = errors.New("no identifier to draw decoys from")
	default:
		err = checkOwned(who.Account, who.Credentials)
	}
	if err != nil {
		return Ceremony{}, fmt.Errorf("webauthn: begin assertion: %w", err)
	}
	s, err := rp.begin(gets, who.Verify, now)
	if err != nil {
		return Ceremony{}, err
	}
	s.Account, s.Decoy = who.Account, decoy
	list, decoys := who.Credentials, rp.decoys(who.Identifier) // made for everybody, or the time would tell for whom
	if decoy {
		list = decoys
	}
	for _, c := range list {
		s.list(c.ID)
	}
	return s.ceremony(rp.request(s, list))
}

// BeginDiscoverable begins to ask whoever it is for a passkey: the browser lists those that it has for us, on the
// press of a button or among what it fills into the address field. The options say nothing of anybody. An error
// means that randomness failed.
func (rp *RelyingParty) BeginDiscoverable(verify bool, now time.Time) (Ceremony, error) {
	s, err := rp.begin(discovers, verify, now)
	if err != nil {
		return Ceremony{}, err
	}
	return s.ceremony(rp.request(s, nil))
}

func (rp *RelyingParty) request(s state, list []Credential) requestOptions {
	return requestOptions{s.Challenge, rp.timeout.Milliseconds(), rp.id, described(list), verification(s.Verify)}
}

// Assertion is a proof that somebody has a credential.
type Assertion struct {
	// Account is whose it is.
	Account string
	// Verified says that the authenticator verified its user, and that its word on that counts: two factors.
	// Without it the proof is of one.
	Verified bool
	// FirstVerification says that it verified its user and was not known to be able to. The word counts from the
	// next time on if the caller stores Credential with UserVerified set, which it may do only if another factor
	// was proven in the same flow (L3 §7.2 step 25).
	FirstVerification bool
	// Credential is the row as it is to be stored now, with SignCount, BackedUp and UsedAt of this assertion. A
	// store writes these three in one statement, and only over a SignCount that is lower or where both are zero,
	// and denies otherwise: of two copies that tell the same number at the same time, one is refused.
	Credential Credential
}

// FinishAssertion checks the answer to an assertion. A refusal is a *RefusedError. An error of lookup is a fault
// and denies.
//
// An answer that names no credential costs the same work as one that does: a signature is verified all the same,
// and nothing that the row says is looked at before it. So the time tells a stranger nothing of what is stored.
//
// A counter that does not rise is refused, and nothing is to be stored. L3 §6.1.1 leaves it to the relying party
// whether to refuse or to weigh it as a risk. A credential whose counter is not always zero is in one device,
// which never tells a number twice: there is a copy of the key, or the device is broken, and its owner has
// another way in while a thief may not. Synchronised passkeys tell zero always and are not touched by it.
func (rp *RelyingParty) FinishAssertion(ctx context.Context, state, response []byte, lookup Lookup, now time.Time) (Assertion, error) {
	s, err := resume(state, now, gets, discovers)
	if err != nil {
		return Assertion{}, err
	}
	a, err := readAnswer(response)
	if err != nil {
		return Assertion{}, err
	}
	handle, signature, err := rp.checkAsserted(&a, s)
	if err != nil {
		return Assertion{}, err
	}
	c, found, err := find(ctx, lookup, a.id)
	if err != nil {
		return Assertion{}, err
	}
	key := c.PublicKey
	if !found {
		key = rp.nobodys
	}
	good := rp.verifySignature(&a, s, key, signature)
	switch {
	case !found || s.Decoy:
		return Assertion{}, refuse(CredentialUnknown)
	case !good:
		return Assertion{}, refuse(BadSignature)
	}
	if reason := a.compare(s, c, handle); reason != 0 {
		return Assertion{}, &RefusedError{Reason: reason, Account: c.Account, CredentialID: bytes.Clone(c.ID)}
	}
	verified := a.data.Flags.HasUserVerified()
	proof := Assertion{
		Account: c.Account, Verified: verified && c.UserVerified, FirstVerification: verified && !c.UserVerified,
		Credential: c,
	}
	proof.Credential.SignCount, proof.Credential.BackedUp = a.data.Counter, a.data.Flags.HasBackupState()
	proof.Credential.UsedAt = now.UTC()
	return proof, nil
}

// checkAsserted reads the rest of the answer and checks all of it that needs no credential.
func (rp *RelyingParty) checkAsserted(a *answer, s state) (handle, signature []byte, err error) {
	if err := rp.checkClient(a, s); err != nil {
		return nil, nil, err
	}
	var ok, signed, handled bool
	a.authData, ok = a.response.bytes("authenticatorData")
	signature, signed = a.response.bytes("signature")
	if string(a.response["userHandle"]) == "null" {
		delete(a.response, "userHandle") // as browsers write what the authenticator did not say
	}
	handle, handled = a.response.bytes("userHandle")
	if !ok || !signed || !handled || len(handle) > maxUserHandle {
		return nil, nil, refuse(Malformed)
	}
	// L3 §6.1: what attests a key has no place in an assertion.
	if err := a.data.Unmarshal(a.authData); err != nil || a.data.Flags.HasAttestedCredentialData() {
		return nil, nil, refuse(Malformed)
	}
	if err := rp.checkAuthenticator(a, s); err != nil {
		return nil, nil, err
	}
	switch {
	case s.Kind == discovers && len(handle) == 0:
		return nil, nil, refuse(NoUserHandle) // L3 §7.2 step 6
	case s.Kind == gets && !s.lists(a.id):
		return nil, nil, refuse(CredentialNotAllowed) // L3 §7.2 step 5
	}
	return handle, signature, nil
}

// find looks a credential up and does not believe a row that cannot be the one that was asked for.
func find(ctx context.Context, lookup Lookup, id []byte) (c Credential, found bool, err error) {
	c, err = lookup(ctx, bytes.Clone(id))
	if errors.Is(err, auth.ErrNotFound) {
		return Credential{}, false, nil
	}
	if err != nil {
		return Credential{}, false, fmt.Errorf("webauthn: look up credential: %w", err)
	}
	algorithm, ok := algorithmOf(c.PublicKey)
	if !bytes.Equal(c.ID, id) || c.Account == "" || len(c.UserHandle) == 0 || !ok || algorithm != c.Algorithm {
		return Credential{}, false, errors.New("webauthn: look up credential: the row is not a credential with this id")
	}
	return c, true, nil
}

// verifySignature reports whether the signature is the key's, of the authenticator's data and the browser's
// (L3 §7.2 steps 21 and 22).
func (rp *RelyingParty) verifySignature(a *answer, s state, key, signature []byte) bool {
	parsed := protocol.ParsedCredentialAssertionData{Response: protocol.ParsedAssertionResponse{
		CollectedClientData: a.client, AuthenticatorData: a.data, Signature: signature,
	}}
	parsed.Raw.AssertionResponse.ClientDataJSON = a.clientData
	parsed.Raw.AssertionResponse.AuthenticatorData = a.authData
	err := parsed.Verify(a.client.Challenge, rp.id, "", []string{rp.origin}, nil, nil,
		protocol.TopOriginExplicitVerificationMode, false, s.Verify, true, key, protocol.SignaturePolicy{})
	return err == nil
}

// compare holds the answer against the credential that signed it.
func (a *answer) compare(s state, c Credential, handle []byte) Reason {
	flags := a.data.Flags
	switch {
	case s.Kind == gets && c.Account != s.Account:
		return WrongAccount // L3 §7.2 step 6
	case len(handle) > 0 && !bytes.Equal(handle, c.UserHandle):
		return WrongAccount
	case flags.HasBackupEligible() != c.BackupEligible:
		return BackupEligibility // it is told once (L3 §6.1.3): this is another authenticator
	case a.data.Counter <= c.SignCount && (a.data.Counter != 0 || c.SignCount != 0):
		return CounterWentBack
	case s.Verify && !c.UserVerified:
		return UserNotVerified // its first word on it does not count (L3 §4, uvInitialized)
	}
	return 0
}
