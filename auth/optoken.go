package auth

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Between the request that was refused and the step-up that it takes, the operation is in the hands of the client: the
// server keeps nothing of it. So that the sentence which the person will read is the one that belongs to the hash,
// and neither is a sentence out of somebody's link, both travel in a token that only this server can make, and only
// for the session whose request was refused.

// operationLife is how long an operation's token begins a step-up.
const operationLife = 10 * time.Minute

// ConfirmationDemand says what a confirmation takes.
type ConfirmationDemand struct {
	Operation Operation
	// Level is what has to be reached. A demand for the highest level that the account can reach names that.
	Level flow.Assurance
	// Token stands for the operation where it is not at hand: ReadOperation reads it. It is no secret, since nobody
	// else's session can use it, but has the sentence in it.
	Token string
}

// DemandConfirmation returns what the acting session has to do to confirm the operation: a step-up with that Operation.
// A level of zero asks for the highest that the account can reach.
func (s *Service) DemandConfirmation(ctx context.Context, acting Session, op Operation, level flow.Assurance) (ConfirmationDemand, error) {
	if op.IsZero() {
		return ConfirmationDemand{}, errors.New("auth: demand confirmation: no operation")
	}
	d := ConfirmationDemand{Operation: op, Level: level, Token: s.operationToken(acting, op, level)}
	if level != 0 {
		return d, nil
	}
	j := &job{s: s, now: s.now()}
	subject, err := j.present(ctx, acting.Account)
	d.Level = flow.Top(subject)
	return d, err
}

// The parts of a token's payload, in bytes; what follows is the sentence.
const (
	tokenExpiry = 8
	tokenLevel  = 1
	tokenHash   = 43
	tokenFixed  = tokenExpiry + tokenLevel + tokenHash
	tokenMAC    = 32
)

func (s *Service) operationToken(acting Session, op Operation, level flow.Assurance) string {
	payload := binary.BigEndian.AppendUint64(nil, uint64(s.now().Add(operationLife).Unix()))
	payload = append(payload, byte(level))
	payload = append(payload, op.hash+op.text...)
	key := s.operations.Current()
	sum, _ := s.operations.MAC(key, acting.Account, acting.ID, string(payload))
	return key + "." + base64.RawURLEncoding.EncodeToString(append(sum[:], payload...))
}

// ReadOperation returns the operation that the token was made for and the level that was asked for, zero for the
// highest. A token of another session, one that is too old or that was altered is a *DeniedError (Expired).
func (s *Service) ReadOperation(acting Session, token string) (Operation, flow.Assurance, error) {
	key, text, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) <= tokenMAC+tokenFixed {
		return Operation{}, 0, flow.Deny(flow.Expired)
	}
	sum, payload := raw[:tokenMAC], raw[tokenMAC:]
	if !s.operations.Check(key, sum, acting.Account, acting.ID, string(payload)) {
		return Operation{}, 0, flow.Deny(flow.Expired)
	}
	if uint64(s.now().Unix()) >= binary.BigEndian.Uint64(payload) {
		return Operation{}, 0, flow.Deny(flow.Expired)
	}
	level := flow.Assurance(payload[tokenExpiry])
	return Operation{hash: string(payload[tokenExpiry+tokenLevel : tokenFixed]), text: string(payload[tokenFixed:])}, level, nil
}
