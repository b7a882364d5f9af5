package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Factor is a second factor as its owner sees it in a list. The codes of a set of recovery codes are one of them.
type Factor struct {
	ID        string // public; names the factor, and proves nothing
	Method    flow.Method
	Name      string    // as its owner called it; may be empty
	CreatedAt time.Time // UTC
	UsedAt    time.Time // when it last proved something; zero for never, or if that is not known
	Left      int       // recovery codes that were not used yet
}

// secondFactors returns which second factors can be enrolled and verified here.
func (s *Service) secondFactors() flow.Methods {
	var set flow.Methods
	if s.cfg.Factors == nil {
		return set
	}
	if s.cfg.Apps != nil {
		set = set.With(flow.TOTP)
	}
	if s.cfg.Codes != nil {
		set = set.With(flow.RecoveryCode)
	}
	if s.cfg.Passkeys != nil {
		set = set.With(flow.Passkey)
	}
	if s.cfg.HostFactor != nil {
		set = set.With(flow.HostFactor)
	}
	return set
}

// factors returns the factors of the flow's subject that are of the method.
func (j *job) factors(ctx context.Context, m flow.Method) ([]StoredFactor, error) {
	all, err := j.s.cfg.Factors.Factors(ctx, j.flow.Subject.Account)
	if err != nil {
		return nil, fmt.Errorf("auth: read factors: %w", err)
	}
	var list []StoredFactor
	for _, f := range all {
		if f.Method == m {
			list = append(list, f)
		}
	}
	return list, nil
}

// checkTOTP looks for the authenticator app that shows the code. The step counts as used once the store has moved
// to it: of two requests with one code, the other one is refused like a wrong code.
func (j *job) checkTOTP(ctx context.Context) (flow.Event, error) {
	list, err := j.factors(ctx, flow.TOTP)
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		step, ok, err := j.s.cfg.Apps.Check(f, j.inputs.Code, j.now)
		if err != nil {
			return nil, fmt.Errorf("auth: check code of factor %s: %w", f.ID, err)
		}
		if !ok {
			continue
		}
		return j.used(ctx, f, step, "")
	}
	return wrongCode(), nil
}

func wrongCode() flow.Event {
	return flow.ProofChecked{Failure: flow.Refusal{Reason: flow.WrongCode}}
}

// once claims the flow before something that works once is used up, as if it had been refused: of a double click, the
// second one must neither lose against the first nor say so first. If the request is cut short, the person tries again.
func (j *job) once(ctx context.Context, r flow.Reason) error {
	return j.claim(ctx, flow.ProofChecked{Failure: flow.Refusal{Reason: r}})
}

func (j *job) used(ctx context.Context, f StoredFactor, counter int64, data string) (flow.Event, error) {
	if err := j.once(ctx, flow.WrongCode); err != nil {
		return nil, err
	}
	err := j.s.cfg.Factors.UseFactor(ctx, f.Account, f.ID, f.Counter, counter, data, j.now)
	if errors.Is(err, ErrStale) {
		return wrongCode(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("auth: use factor: %w", err)
	}
	return flow.ProofChecked{Proof: flow.Proof{Method: f.Method, Account: f.Account, Credential: f.ID}}, nil
}

// checkRecoveryCode finds the row by the code's handle, so that a wrong code costs one hash and not one for each
// row, and consumes the code by deleting it.
func (j *job) checkRecoveryCode(ctx context.Context) (flow.Event, error) {
	list, err := j.factors(ctx, flow.RecoveryCode)
	if err != nil {
		return nil, err
	}
	handle, ok := j.s.cfg.Codes.Handle(j.inputs.Code)
	row := StoredFactor{} // costs the same hash
	for _, f := range list {
		if ok && f.Handle == handle {
			row = f
		}
	}
	if !j.s.cfg.Codes.Opens(j.inputs.Code, j.flow.Subject.Account, row) {
		return wrongCode(), nil
	}
	if err := j.once(ctx, flow.WrongCode); err != nil {
		return nil, err
	}
	err = j.s.cfg.Factors.ConsumeFactor(ctx, row.Account, row.ID, row.Data)
	if errors.Is(err, ErrStale) {
		return wrongCode(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("auth: consume recovery code: %w", err)
	}
	return flow.ProofChecked{Proof: flow.Proof{Method: flow.RecoveryCode, Account: row.Account, Credential: row.ID}}, nil
}

// pair prepares the key of an authenticator app, once it can be enrolled. It waits in the flow, sealed, and counts
// for nothing before a code of it came back.
func (j *job) pair(ctx context.Context, view flow.View) error {
	if !offersEnrolment(view, flow.TOTP) || j.pending.Account == j.flow.Subject.Account {
		return nil
	}
	account, err := j.who(ctx) // perhaps another one than before "not you?"
	if err != nil {
		return err
	}
	id, err := randomID(j.s.random)
	if err != nil {
		return err
	}
	p, err := j.s.cfg.Apps.Pair(id, account.ID, account.Display)
	if err != nil {
		return fmt.Errorf("auth: pair authenticator app: %w", err)
	}
	j.pending = pendingFactor{ID: id, Account: account.ID, Data: p.Sealed}
	j.saved = false
	return nil
}

// pairing shows what waits to be confirmed.
func (j *job) pairing(ctx context.Context, view flow.View) (*Pairing, error) {
	if !offersEnrolment(view, flow.TOTP) || j.pending.Account != j.flow.Subject.Account {
		return nil, nil
	}
	account, err := j.who(ctx)
	if err != nil {
		return nil, err
	}
	p, err := j.s.cfg.Apps.Show(j.pending.factor(), account.Display)
	if err != nil {
		return nil, fmt.Errorf("auth: show authenticator app: %w", err)
	}
	return &p, nil
}

// mostFactors is how many factors of a method an account may have, recovery codes aside. Nobody has that many, and each
// ceremony names them all.
const mostFactors = 32

// full refuses one more factor of the method.
func (j *job) full(ctx context.Context, m flow.Method) (flow.Refusal, error) {
	list, err := j.factors(ctx, m)
	if err != nil || len(list) < mostFactors {
		return flow.Refusal{}, err
	}
	return flow.Refusal{Reason: flow.TooManyFactors}, nil
}

func offersEnrolment(view flow.View, m flow.Method) bool {
	for _, a := range view.Actions {
		if a.Name == "enrol-"+m.String() {
			return true
		}
	}
	return false
}

// pendingFactor is a factor that waits in its flow to be confirmed.
type pendingFactor struct {
	ID      string `json:"id,omitempty"`
	Account string `json:"account,omitempty"`
	Data    string `json:"data,omitempty"`
}

func (p pendingFactor) factor() StoredFactor {
	return StoredFactor{ID: p.ID, Account: p.Account, Method: flow.TOTP, Data: p.Data}
}

// storeFactor adds the factor that was shown to work, or a set of recovery codes in place of the former one.
func (j *job) storeFactor(ctx context.Context, e flow.Commit) (flow.Event, error) {
	c := FactorChange{Account: j.flow.Subject.Account, From: j.standing(), EndSessions: e.EndOthers, Now: j.now}
	var shown []Secret
	switch e.Method {
	case flow.TOTP, flow.Passkey, flow.HostFactor:
		f, refusal, err := j.confirmed(ctx, e.Method)
		if err != nil {
			return nil, err
		}
		if refusal.Reason != 0 {
			return flow.CommitRefused{Refusal: refusal}, nil
		}
		c.Add = []StoredFactor{f}
	case flow.RecoveryCode:
		var err error
		if shown, c.Add, err = j.newCodes(c.Account); err != nil {
			return nil, err
		}
		c.RemoveAll = flow.RecoveryCode
	default:
		return nil, fmt.Errorf("auth: nothing enrols %s", e.Method)
	}
	answer, err := j.changeFactors(ctx, c, flow.FactorAdded, e.Method)
	done, ok := answer.(flow.Committed)
	if !ok {
		return answer, err
	}
	j.codes, j.pending, j.ceremony = shown, pendingFactor{}, nil
	done.Verified = e.Method == flow.Passkey && c.Add[0].Verifying
	return done, err
}

// confirmed is the new factor, if it was shown to work.
func (j *job) confirmed(ctx context.Context, m flow.Method) (StoredFactor, flow.Refusal, error) {
	if refusal, err := j.full(ctx, m); err != nil || refusal.Reason != 0 {
		return StoredFactor{}, refusal, err
	}
	switch m {
	case flow.Passkey:
		return j.confirmedPasskey(ctx)
	case flow.HostFactor:
		return j.confirmedHostFactor(ctx)
	}
	return j.confirmedApp()
}

// confirmedApp is the app whose key waits, if the code is its. That step counts as used.
func (j *job) confirmedApp() (StoredFactor, flow.Refusal, error) {
	f := j.pending.factor()
	if f.Account != j.flow.Subject.Account {
		return f, flow.Refusal{Reason: flow.Stale}, nil
	}
	step, ok, err := j.s.cfg.Apps.Check(f, j.inputs.Code, j.now)
	if err != nil {
		return f, flow.Refusal{}, fmt.Errorf("auth: check code of new factor: %w", err)
	}
	if !ok {
		return f, flow.Refusal{Reason: flow.WrongCode}, nil
	}
	name, ok := factorName(j.inputs.Name)
	if !ok {
		return f, flow.Refusal{Reason: flow.Malformed}, nil
	}
	f.Counter, f.Name, f.CreatedAt, f.UsedAt = step, name, j.now.UTC(), j.now.UTC()
	return f, flow.Refusal{}, nil
}

func (j *job) newCodes(account string) (shown []Secret, set []StoredFactor, err error) {
	shown, set, err = j.s.cfg.Codes.NewSet(account)
	if err != nil {
		return nil, nil, fmt.Errorf("auth: make recovery codes: %w", err)
	}
	for i := range set {
		if set[i].ID, err = randomID(j.s.random); err != nil {
			return nil, nil, err
		}
		set[i].CreatedAt = j.now.UTC()
	}
	return shown, set, nil
}

// removeFactor removes the target's factor. With the last one, the recovery codes go too: they are a way around a
// factor that is there.
func (j *job) removeFactor(ctx context.Context, e flow.Commit) (flow.Event, error) {
	c := FactorChange{
		Account: j.flow.Subject.Account, From: j.standing(), Remove: []string{j.flow.Target.Remove}, EndSessions: e.EndOthers, Now: j.now,
	}
	if j.flow.Target.Last {
		c.RemoveAll = flow.RecoveryCode
	}
	return j.changeFactors(ctx, c, flow.FactorRemoved, e.Method)
}

// removes completes the target of a removal: the factor must be the account's, and whether it is the last one is
// not for the caller to say. What changes afterwards raises the security epoch, which ends the flow.
func (j *job) removes(ctx context.Context, acting flow.Acting, goal flow.Goal, t *flow.Target) error {
	t.Last = false
	t.Sole = false
	if t.Remove == "" {
		return nil
	}
	if goal == flow.Linking {
		return j.disconnects(ctx, acting, t)
	}
	all, err := j.s.cfg.Factors.Factors(ctx, acting.Subject.Account)
	if err != nil {
		return fmt.Errorf("auth: read factors: %w", err)
	}
	there, others, passkeys := false, 0, 0
	for _, f := range all {
		switch {
		case f.ID == t.Remove:
			there, t.Enrol = true, f.Method
		case f.Method == flow.Passkey:
			passkeys++
			fallthrough
		case f.Method != flow.RecoveryCode:
			others++
		}
	}
	if !there {
		return flow.Deny(flow.NotFound)
	}
	t.Last = others == 0
	if t.Enrol == flow.Passkey && passkeys == 0 && !acting.Subject.Enrolled.Has(flow.Password) {
		linked, err := j.linked(ctx, acting.Subject)
		t.Sole = !linked
		return err
	}
	return nil
}

// changeFactors carries a change out, as replacePassword does.
func (j *job) changeFactors(ctx context.Context, c FactorChange, what flow.Notice, m flow.Method) (flow.Event, error) {
	var err error
	if c.Letters, err = j.tell(ctx, what, m); err != nil {
		return nil, err
	}
	if err := j.irrevocably(ctx); err != nil {
		return nil, err
	}
	next := Standing{Status: c.From.Status, Epochs: raised(c.From.Epochs, c.EndSessions)}
	if err := j.s.fence(ctx, c.Account, c.From, next, j.flow.Acting); err != nil {
		return staleOrFault(err)
	}
	epochs, err := j.s.cfg.Factors.ChangeFactors(ctx, c)
	if errors.Is(err, ErrTaken) {
		err = fmt.Errorf("%w: %w", ErrStale, err) // somebody else added the same one in the same moment
	}
	if err == nil {
		j.s.restamp(ctx, j.client.Device, c.Account, c.From.Epochs.Session, epochs.Session)
	}
	return j.completed(ctx, epochs, err)
}

// longestFactorName is how long a factor's name may be, in code points.
const longestFactorName = 64

// factorName cleans what a person called a factor; ok is false if it is too long.
func factorName(typed string) (name string, ok bool) {
	for _, c := range typed {
		if unicode.IsGraphic(c) && c != utf8.RuneError {
			name += string(c)
		}
	}
	return name, utf8.RuneCountInString(name) <= longestFactorName
}
