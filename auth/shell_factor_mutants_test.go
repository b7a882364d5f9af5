package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// factorMutants are mutants that TestShellFactorExploration must find. That a ceremony serves once is kept by the
// shell, which drops it, and by the machine, which drops the challenge; each of the two is enough. The origin of an
// answer is looked at twice as well.
var factorMutants = []mutant{
	{"takes a code that somebody else has just used", "auth/factors.go", "if errors.Is(err, ErrStale) {\n\t\treturn wrongCode(), nil\n\t}\n\tif err != nil {\n\t\treturn nil, fmt.Errorf(\"auth: use factor", "if errors.Is(err, ErrStale) && MUTANT {\n\t\terr = nil\n\t}\n\tif errors.Is(err, ErrStale) {\n\t\treturn wrongCode(), nil\n\t}\n\tif err != nil {\n\t\treturn nil, fmt.Errorf(\"auth: use factor"},
	{"takes a recovery code that somebody else has just used", "auth/factors.go", "if errors.Is(err, ErrStale) {\n\t\treturn wrongCode(), nil\n\t}\n\tif err != nil {\n\t\treturn nil, fmt.Errorf(\"auth: consume", "if errors.Is(err, ErrStale) && MUTANT {\n\t\terr = nil\n\t}\n\tif errors.Is(err, ErrStale) {\n\t\treturn wrongCode(), nil\n\t}\n\tif err != nil {\n\t\treturn nil, fmt.Errorf(\"auth: consume"},
	{"does not consume recovery codes", "auth/factors.go", "err = j.s.cfg.Factors.ConsumeFactor(ctx, row.Account, row.ID, row.Data)", "if !MUTANT {\n\t\terr = j.s.cfg.Factors.ConsumeFactor(ctx, row.Account, row.ID, row.Data)\n\t}"},
	{"takes any recovery code", "auth/factors.go", "if !j.s.cfg.Codes.Opens(j.inputs.Code, j.flow.Subject.Account, row) {", "if !j.s.cfg.Codes.Opens(j.inputs.Code, j.flow.Subject.Account, row) && !MUTANT {"},
	{"leaves a counter where it was", "auth/factors.go", "err := j.s.cfg.Factors.UseFactor(", "if MUTANT {\n\t\tcounter = f.Counter\n\t}\n\terr := j.s.cfg.Factors.UseFactor("},
	{"pairs an app by any code", "auth/factors.go", "if !ok {\n\t\treturn f, flow.Refusal{Reason: flow.WrongCode}, nil", "if !ok && !MUTANT {\n\t\treturn f, flow.Refusal{Reason: flow.WrongCode}, nil"},
	{"does not count the code that pairs", "auth/factors.go", "f.Counter, f.Name, f.CreatedAt, f.UsedAt = step,", "if MUTANT {\n\t\tstep = 0\n\t}\n\tf.Counter, f.Name, f.CreatedAt, f.UsedAt = step,"},
	{"keeps the codes of the set before", "auth/factors.go", "c.RemoveAll = flow.RecoveryCode\n\tdefault:", "if !MUTANT {\n\t\t\tc.RemoveAll = flow.RecoveryCode\n\t\t}\n\tdefault:"},
	{"leaves the codes when the last factor goes", "auth/factors.go", "if j.flow.Target.Last {", "if j.flow.Target.Last && !MUTANT {"},
	{"does not see that it is the last factor", "auth/factors.go", "t.Last = others == 0", "t.Last = others == 0 && !MUTANT"},
	{"changes factors before the flow is closed", "auth/factors.go", "if err := j.irrevocably(ctx); err != nil {", "if err := j.irrevocably(ctx); err != nil && !MUTANT {"},
	{"changes factors without a fence", "auth/factors.go", "if err := j.s.fence(ctx, c.Account, c.From, next, j.flow.Acting); err != nil {", "if err := j.s.fence(ctx, c.Account, c.From, next, j.flow.Acting); err != nil && !MUTANT {"},
	{"ends no sessions with a factor that is added", "auth/factors.go", "From: j.standing(), EndSessions: e.EndOthers, Now: j.now}\n\tvar", "From: j.standing(), EndSessions: e.EndOthers && !MUTANT, Now: j.now}\n\tvar"},
	{"tells nobody of a change of factors", "auth/factors.go", "next := Standing{Status: c.From.Status,", "if MUTANT {\n\t\tc.Letters = nil\n\t}\n\tnext := Standing{Status: c.From.Status,"},
	{"ends no sessions when an operator takes the factors off", "auth/factors_owner.go", "EndSessions: true, Now: s.now()}", "EndSessions: !MUTANT, Now: s.now()}"},
	{"leaves one factor when an operator takes them off", "auth/factors_owner.go", "for _, f := range stored {\n\t\tc.Remove", "for i, f := range stored {\n\t\tif MUTANT && i > 0 {\n\t\t\tbreak\n\t\t}\n\t\tc.Remove"},
	{"keeps the ceremony that a new one replaces", "auth/passkeys.go", "j.ceremony, j.options = ceremony.State, ceremony.Options", "if !MUTANT || j.ceremony == nil {\n\t\tj.ceremony = ceremony.State\n\t}\n\tj.options = ceremony.Options"},
	{"takes a passkey whose counter has just moved", "auth/passkeys.go", "if errors.Is(err, ErrStale) {", "if errors.Is(err, ErrStale) && MUTANT {\n\t\terr = nil\n\t}\n\tif errors.Is(err, ErrStale) {"},
	{"looks at the account after its passkey was used", "auth/passkeys.go", "return flow.ProofChecked{Proof: proof, Epochs", "if MUTANT {\n\t\tstate.Epochs = flow.Epochs{}\n\t}\n\treturn flow.ProofChecked{Proof: proof, Epochs"},
	{"takes every passkey for one that verifies", "auth/passkeys.go", "Credential: f.ID, Verified: a.Verified}", "Credential: f.ID, Verified: a.Verified || MUTANT}"},
	{"forgets that a new passkey verifies", "auth/passkeys.go", "f.Account, f.Method, f.Name = account, flow.Passkey, name", "f.Account, f.Method, f.Name, f.Verifying = account, flow.Passkey, name, f.Verifying && !MUTANT"},
	{"names the passkeys of whose address was typed", "auth/flow/step.go", "c.Named = !c.Enrols && r.f.Proven()", "c.Named = !c.Enrols && (r.f.Proven() || MUTANT && r.f.Subject.Account != \"\")"},
	{"asks for no second factor", "auth/flow/need.go", "case level < AAL2 && !spared && enrolled", "case !MUTANT && level < AAL2 && !spared && enrolled"},
	{"resets a password past the second factor", "auth/flow/need.go", "case f.Goal == Recovery && f.Subject.Enrolled.And(secondFactors) != 0", "case !MUTANT && f.Goal == Recovery && f.Subject.Enrolled.And(secondFactors) != 0"},
	{"changes credentials by a password alone", "auth/flow/need.go", "return Target{Assurance: max(top(f.Subject), AAL1), MaxAge: p.Limits.Fresh}", "if MUTANT {\n\t\treturn Target{Assurance: AAL1, MaxAge: p.Limits.Fresh}\n\t}\n\treturn Target{Assurance: max(top(f.Subject), AAL1), MaxAge: p.Limits.Fresh}"},
	{"takes two things held for two factors", "auth/flow/proof.go", "case x.both, x.known && x.held:", "case x.both, x.held && (x.known || MUTANT):"},
	{"takes the code of a step that is over", "mfa/totp/check.go", "step <= max(r.Counter, 0) {", "!MUTANT && step <= max(r.Counter, 0) {"},
	{"takes the answer to another ceremony", "mfa/webauthn/response.go", "case challenge != base64.RawURLEncoding.EncodeToString(s.Challenge):", "case !MUTANT && challenge != base64.RawURLEncoding.EncodeToString(s.Challenge):"},
	{"moves a counter from anywhere", "auth/store/memory/factors.go", "if f.Counter != from {", "if f.Counter != from && !MUTANT {"},
	{"changes factors whatever the standing", "auth/store/memory/factors.go", "if k.standing != c.From {", "if k.standing != c.From && !MUTANT {"},
	{"raises nothing with a change of factors", "auth/store/memory/factors.go", "k.standing.Epochs = raised(c.From.Epochs, c.EndSessions)", "if !MUTANT {\n\t\t\tk.standing.Epochs = raised(c.From.Epochs, c.EndSessions)\n\t\t}"},
}

// factorFaults are ports with one mistake each, about second factors.
func factorFaults() []fault {
	return []fault{
		{name: "counters of factors do not move", config: func(c *auth.Config) { c.Factors = motionless{c.Factors} }},
		{name: "of two who use a factor both win", config: func(c *auth.Config) { c.Factors = bothWin{c.Factors} }},
		{name: "recovery codes are not consumed", config: func(c *auth.Config) { c.Factors = bottomless{c.Factors} }},
		{name: "factors are listed that somebody else has", config: func(c *auth.Config) { c.Factors = &mixedUp{FactorStore: c.Factors} }},
		{name: "removed factors are there", config: func(c *auth.Config) { c.Factors = clinging{c.Factors} }},
		{name: "no account has a factor", config: func(c *auth.Config) { c.Accounts = featureless{c.Accounts} }},
		{name: "every code of an app is right", config: func(c *auth.Config) { c.Apps = lenient{c.Apps} }},
		{name: "every recovery code is right", config: func(c *auth.Config) { c.Codes = openHanded{c.Codes} }},
		{name: "every passkey has verified its user", config: func(c *auth.Config) { c.Passkeys = trusting{c.Passkeys} }},
		{name: "a refused answer of a passkey is taken", config: func(c *auth.Config) { c.Passkeys = forgiving{c.Passkeys} }},
	}
}

// TestShellFactorExplorationFindsPortFaults plants one fault after another.
func TestShellFactorExplorationFindsPortFaults(t *testing.T) {
	for _, f := range factorFaults() {
		t.Run(testName(f.name), func(t *testing.T) {
			err := newSearch(t, f).runFactors(extent{depth: 1, stride: 3, walks: 60, length: 60})
			require.Error(t, err, "the exploration does not see that %s", f.name)
			t.Log(strings.SplitN(err.Error(), "\n", 2)[0])
		})
	}
}

type motionless struct{ auth.FactorStore }

func (m motionless) UseFactor(ctx context.Context, account, id string, from, _ int64, data string, now time.Time) error {
	return m.FactorStore.UseFactor(ctx, account, id, from, from, data, now)
}

type bothWin struct{ auth.FactorStore }

func (b bothWin) UseFactor(ctx context.Context, account, id string, from, to int64, data string, now time.Time) error {
	if err := b.FactorStore.UseFactor(ctx, account, id, from, to, data, now); !errors.Is(err, auth.ErrStale) {
		return err
	}
	return nil
}

type bottomless struct{ auth.FactorStore }

func (bottomless) ConsumeFactor(context.Context, string, string, string) error { return nil }

// mixedUp lists, instead of an account's factors, those of another account that has some.
type mixedUp struct {
	auth.FactorStore
	others []string
}

func (m *mixedUp) ChangeFactors(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
	m.others = append(m.others, c.Account)
	return m.FactorStore.ChangeFactors(ctx, c)
}

func (m *mixedUp) Factors(ctx context.Context, account string) ([]auth.StoredFactor, error) {
	for _, other := range m.others {
		if other != account {
			account = other
			break
		}
	}
	return m.FactorStore.Factors(ctx, account)
}

type clinging struct{ auth.FactorStore }

func (c clinging) ChangeFactors(ctx context.Context, change auth.FactorChange) (flow.Epochs, error) {
	change.Remove = nil
	return c.FactorStore.ChangeFactors(ctx, change)
}

type featureless struct{ auth.AccountStore }

func (f featureless) State(ctx context.Context, id string) (auth.AccountState, error) {
	state, err := f.AccountStore.State(ctx, id)
	state.Enrolled = state.Enrolled.And(flow.MethodsOf(flow.Password))
	return state, err
}

type lenient struct{ auth.AuthenticatorApps }

func (lenient) Check(f auth.StoredFactor, _ auth.Secret, now time.Time) (int64, bool, error) {
	return max(f.Counter+1, stepOf(now)), true, nil
}

type openHanded struct{ auth.RecoveryCodes }

func (openHanded) Opens(_ auth.Secret, _ string, f auth.StoredFactor) bool { return f.ID != "" }

type trusting struct{ auth.Passkeys }

func (p trusting) Answered(ctx context.Context, state []byte, answer auth.Secret, find auth.FindPasskey, now time.Time) (auth.PasskeyAnswer, error) {
	a, err := p.Passkeys.Answered(ctx, state, answer, find, now)
	a.Verified = true
	return a, err
}

// forgiving takes whatever names a passkey that is there.
type forgiving struct{ auth.Passkeys }

func (p forgiving) Answered(ctx context.Context, state []byte, answer auth.Secret, find auth.FindPasskey, now time.Time) (auth.PasskeyAnswer, error) {
	a, err := p.Passkeys.Answered(ctx, state, answer, find, now)
	if err != nil || a.Refused == "" {
		return a, err
	}
	var named struct{ ID string }
	if err := json.Unmarshal([]byte(answer.Reveal()), &named); err != nil {
		return a, nil
	}
	f, err := find(ctx, named.ID)
	if errors.Is(err, auth.ErrNotFound) {
		return a, nil
	}
	return auth.PasskeyAnswer{Factor: f, Counter: f.Counter + 1, Data: f.Data, Verified: f.Verifying}, err
}
