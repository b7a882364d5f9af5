package webauthn

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

var _ auth.Passkeys = (*RelyingParty)(nil)

// Create is BeginRegistration for auth.FactorStore. It also takes a security key that its authenticator cannot find
// by itself or that verifies nobody: it is good as a second factor, and counts as no more.
func (rp *RelyingParty) Create(a auth.Account, has []auth.StoredFactor, now time.Time) (auth.PasskeyCeremony, error) {
	list, err := credentials(has)
	if err != nil {
		return auth.PasskeyCeremony{}, err
	}
	return begun(rp.BeginRegistration(Registrant{
		Account: a.ID, Name: shown(a.Display, a.ID), DisplayName: shown(a.Name, a.Display, a.ID),
		Credentials: list, AllowNonDiscoverable: true,
	}, now))
}

// Created is FinishRegistration for auth.FactorStore.
func (rp *RelyingParty) Created(ctx context.Context, account string, state []byte, answer auth.Secret, find auth.FindPasskey, now time.Time) (auth.PasskeyAnswer, error) {
	c, err := rp.FinishRegistration(ctx, account, state, []byte(answer.Reveal()), lookup(find), now)
	if err != nil {
		return refused(err)
	}
	data, err := record(c)
	if err != nil {
		return auth.PasskeyAnswer{}, err
	}
	return auth.PasskeyAnswer{Verified: c.UserVerified, Factor: auth.StoredFactor{
		Account: c.Account, Method: flow.Passkey, Handle: handleOf(c.ID), Data: data,
		Counter: int64(c.SignCount), Verifying: c.UserVerified, CreatedAt: c.CreatedAt,
	}}, nil
}

// Ask is BeginAssertion for auth.FactorStore, and BeginDiscoverable without an account.
func (rp *RelyingParty) Ask(a auth.Account, has []auth.StoredFactor, verify bool, now time.Time) (auth.PasskeyCeremony, error) {
	if a.ID == "" {
		return begun(rp.BeginDiscoverable(verify, now))
	}
	list, err := credentials(has)
	if err != nil {
		return auth.PasskeyCeremony{}, err
	}
	return begun(rp.BeginAssertion(Claimant{Account: a.ID, Identifier: shown(a.Identifier, a.ID), Credentials: list, Verify: verify}, now))
}

// Answered is FinishAssertion for auth.FactorStore. Verification that a passkey was not able to when it was made
// does not count: its owner adds it anew.
func (rp *RelyingParty) Answered(ctx context.Context, state []byte, answer auth.Secret, find auth.FindPasskey, now time.Time) (auth.PasskeyAnswer, error) {
	var row auth.StoredFactor
	a, err := rp.FinishAssertion(ctx, state, []byte(answer.Reveal()), func(ctx context.Context, id []byte) (Credential, error) {
		var err error
		if row, err = find(ctx, handleOf(id)); err != nil {
			return Credential{}, err
		}
		return credential(row)
	}, now)
	if err != nil {
		return refused(err)
	}
	data, err := record(a.Credential)
	if err != nil {
		return auth.PasskeyAnswer{}, err
	}
	return auth.PasskeyAnswer{Factor: row, Counter: int64(a.Credential.SignCount), Data: data, Verified: a.Verified}, nil
}

func begun(c Ceremony, err error) (auth.PasskeyCeremony, error) {
	return auth.PasskeyCeremony{Options: c.Options, State: c.State}, err
}

// refused tells a refusal from a fault.
func refused(err error) (auth.PasskeyAnswer, error) {
	var no *RefusedError
	if !errors.As(err, &no) {
		return auth.PasskeyAnswer{}, err
	}
	return auth.PasskeyAnswer{Refused: no.Reason.String(), Factor: auth.StoredFactor{Account: no.Account}}, nil
}

func lookup(find auth.FindPasskey) Lookup {
	return func(ctx context.Context, id []byte) (Credential, error) {
		row, err := find(ctx, handleOf(id))
		if err != nil {
			return Credential{}, err
		}
		return credential(row)
	}
}

func handleOf(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

// stored is what Data says of a credential. What a store has a column for is not in it.
type stored struct {
	Version    int       `json:"v"`
	UserHandle []byte    `json:"handle"`
	PublicKey  []byte    `json:"key"`
	Algorithm  Algorithm `json:"alg"`
	Transports []string  `json:"transports,omitempty"`
	Eligible   bool      `json:"eligible,omitempty"`
	BackedUp   bool      `json:"backed_up,omitempty"`
	AAGUID     []byte    `json:"aaguid"`
}

const storedVersion = 1

func record(c Credential) (string, error) {
	data, err := json.Marshal(stored{
		storedVersion, c.UserHandle, c.PublicKey, c.Algorithm, c.Transports, c.BackupEligible, c.BackedUp, c.AAGUID[:],
	})
	if err != nil {
		return "", fmt.Errorf("webauthn: write credential: %w", err)
	}
	return string(data), nil
}

// credential reads a row. One that cannot be read is a fault, and denies.
func credential(f auth.StoredFactor) (Credential, error) {
	id, err := base64.RawURLEncoding.Strict().DecodeString(f.Handle)
	var s stored
	if decodeStrict([]byte(f.Data), &s) != nil || err != nil || s.Version != storedVersion || f.Method != flow.Passkey ||
		f.Counter < 0 || f.Counter != int64(uint32(f.Counter)) || len(s.AAGUID) != 16 {
		return Credential{}, errors.New("webauthn: a stored passkey cannot be read")
	}
	return Credential{
		ID: id, Account: f.Account, UserHandle: s.UserHandle, PublicKey: s.PublicKey, Algorithm: s.Algorithm,
		SignCount: uint32(f.Counter), Transports: s.Transports, BackupEligible: s.Eligible, BackedUp: s.BackedUp,
		AAGUID: [16]byte(s.AAGUID), UserVerified: f.Verifying, CreatedAt: f.CreatedAt, UsedAt: f.UsedAt,
	}, nil
}

func credentials(rows []auth.StoredFactor) ([]Credential, error) {
	var list []Credential
	for _, row := range rows[:min(len(rows), maxListed)] {
		c, err := credential(row)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// shown returns the first of the names that is one, as an authenticator can show it.
func shown(names ...string) string {
	for _, name := range names {
		name = strings.Map(func(c rune) rune {
			if unicode.IsControl(c) || c == utf8.RuneError {
				return -1
			}
			return c
		}, name)
		for len(name) > maxShown {
			_, last := utf8.DecodeLastRuneInString(name)
			name = name[:len(name)-last]
		}
		if strings.TrimSpace(name) != "" {
			return name
		}
	}
	return "?"
}
