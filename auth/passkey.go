package auth

import (
	"context"
	"time"
)

// PasskeyCeremony is a ceremony of a passkey or a security key that began.
type PasskeyCeremony struct {
	// Options is what the browser is given, as JSON: PublicKeyCredentialCreationOptionsJSON or
	// PublicKeyCredentialRequestOptionsJSON (WebAuthn L3 §5.1.8, §5.1.9). It holds no secret.
	Options []byte
	// State is what the ceremony is finished with, at most 8 KiB. The service keeps it in the flow and finishes it
	// once, whatever comes of it.
	State []byte
}

// PasskeyAnswer is what came of a ceremony.
type PasskeyAnswer struct {
	// Refused says why the answer is worth nothing, as a stable code for the records; empty means that it holds.
	// Who sent it is not told.
	Refused string
	// Factor is the passkey: a new one without its id and name, or the stored one that was used. Of a refused
	// answer it names the account of the passkey, and only if the passkey did sign it: whoever cannot sign must not
	// be able to have anybody warned.
	Factor StoredFactor
	// Counter and Data are what the store is to keep of the one that was used, from now on.
	Counter int64
	Data    string
	// Verified says that the authenticator verified its user, and that its word on that counts.
	Verified bool
}

// FindPasskey looks a passkey up by its credential id; see FactorStore.
type FindPasskey func(ctx context.Context, handle string) (StoredFactor, error)

// Passkeys performs the ceremonies of passkeys and security keys; package mfa/webauthn has the implementation. An
// error of its methods is a fault, never a wrong answer.
type Passkeys interface {
	// Create begins to make a passkey for the account, which has the given ones already.
	Create(a Account, has []StoredFactor, now time.Time) (PasskeyCeremony, error)
	// Created checks the answer to a ceremony that Create began for the account.
	Created(ctx context.Context, account string, state []byte, answer Secret, find FindPasskey, now time.Time) (PasskeyAnswer, error)
	// Ask begins to ask for a passkey: for one of those given, which are the account's, or with the zero Account
	// for one of anybody's, which tells nothing of anybody. With verify it must verify its user.
	Ask(a Account, has []StoredFactor, verify bool, now time.Time) (PasskeyCeremony, error)
	// Answered checks the answer to a ceremony that Ask began. One that no stored passkey gave takes as long.
	Answered(ctx context.Context, state []byte, answer Secret, find FindPasskey, now time.Time) (PasskeyAnswer, error)
}
