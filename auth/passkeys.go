package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/cardea-auth/cardea/auth/flow"
)

// askPasskey is the action that begins a ceremony.
var askPasskey = "send-" + flow.Passkey.String()

// beginPasskey begins the ceremony that the machine asks for. A former one is void from then on.
func (j *job) beginPasskey(ctx context.Context, e flow.MakeChallenge) (flow.Event, error) {
	if e.Enrols {
		if refusal, err := j.full(ctx, flow.Passkey); err != nil || refusal.Reason != 0 {
			return flow.ChallengeMade{Refusal: refusal}, err
		}
	}
	ceremony, err := j.passkeyCeremony(ctx, e)
	if err != nil {
		return nil, err
	}
	j.trip = nil
	j.ceremony, j.options = ceremony.State, ceremony.Options
	return flow.ChallengeMade{}, nil
}

func (j *job) passkeyCeremony(ctx context.Context, e flow.MakeChallenge) (PasskeyCeremony, error) {
	var account Account
	var has []StoredFactor
	var err error
	if e.Named || e.Enrols {
		if account, err = j.who(ctx); err != nil {
			return PasskeyCeremony{}, err
		}
		if has, err = j.factors(ctx, flow.Passkey); err != nil {
			return PasskeyCeremony{}, err
		}
	}
	var ceremony PasskeyCeremony
	if e.Enrols {
		ceremony, err = j.s.cfg.Passkeys.Create(account, has, j.now)
	} else {
		ceremony, err = j.s.cfg.Passkeys.Ask(account, has, e.Verify, j.now)
	}
	if err != nil {
		return PasskeyCeremony{}, fmt.Errorf("auth: begin passkey ceremony: %w", err)
	}
	return ceremony, nil
}

// takeCeremony ends the ceremony that is open: it serves once, whatever comes of it.
func (j *job) takeCeremony() (state []byte) {
	state, j.ceremony = j.ceremony, nil
	return state
}

// checkPasskey looks whose passkey gave the answer. The passkey's counter moves on in the store: of a passkey and
// its copy that tell the same number at the same time, one is refused.
func (j *job) checkPasskey(ctx context.Context) (flow.Event, error) {
	open := j.takeCeremony()
	if open == nil {
		return flow.ProofChecked{Failure: j.noPasskey("no-ceremony", "")}, nil
	}
	if err := j.once(ctx, flow.PasskeyRefused); err != nil {
		return nil, err
	}
	store := j.s.cfg.Factors
	a, err := j.s.cfg.Passkeys.Answered(ctx, open, j.inputs.Credential, store.FindPasskey, j.now)
	if err != nil {
		return nil, fmt.Errorf("auth: check passkey: %w", err)
	}
	if a.Refused != "" {
		return flow.ProofChecked{Failure: j.noPasskey(a.Refused, a.Factor.Account)}, nil
	}
	f := a.Factor
	state, err := j.s.cfg.Accounts.State(ctx, f.Account) // before it is used: see flow.ProofChecked
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("auth: read account: %w", err)
	}
	err = store.UseFactor(ctx, f.Account, f.ID, f.Counter, a.Counter, a.Data, j.now)
	if errors.Is(err, ErrStale) {
		return flow.ProofChecked{Failure: j.noPasskey("counter-moved", f.Account)}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("auth: use passkey: %w", err)
	}
	proof := flow.Proof{Method: flow.Passkey, Account: f.Account, Credential: f.ID, Verified: a.Verified}
	return flow.ProofChecked{Proof: proof, Epochs: state.Epochs}, nil
}

// noPasskey is the one refusal of every answer: which check failed would tell a forger what to mend, and whether a
// credential is known here. The records have it, with the account if the passkey was its own.
func (j *job) noPasskey(detail, account string) flow.Refusal {
	j.detail, j.suspect = detail, account
	return flow.Refusal{Reason: flow.PasskeyRefused}
}

// confirmedPasskey is the new passkey, if the answer is one to the ceremony that was begun for this account.
func (j *job) confirmedPasskey(ctx context.Context) (f StoredFactor, refusal flow.Refusal, err error) {
	name, ok := factorName(j.inputs.Name)
	if !ok {
		return f, flow.Refusal{Reason: flow.Malformed}, nil
	}
	state := j.takeCeremony()
	if state == nil {
		return f, j.noPasskey("no-ceremony", ""), nil
	}
	account := j.flow.Subject.Account
	a, err := j.s.cfg.Passkeys.Created(ctx, account, state, j.inputs.Credential, j.s.cfg.Factors.FindPasskey, j.now)
	if err != nil {
		return f, flow.Refusal{}, fmt.Errorf("auth: check new passkey: %w", err)
	}
	if a.Refused != "" {
		return f, j.noPasskey(a.Refused, ""), nil
	}
	f = a.Factor
	if f.ID, err = randomID(j.s.random); err != nil {
		return f, flow.Refusal{}, err
	}
	f.Account, f.Method, f.Name = account, flow.Passkey, name
	f.CreatedAt, f.UsedAt = j.now.UTC(), j.now.UTC()
	return f, flow.Refusal{}, nil
}
