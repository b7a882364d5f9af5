package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/cardea-auth/cardea/auth/flow"
)

// effects carries out what the machine asked for and returns the answer to the last one, nil if none is due.
func (j *job) effects(ctx context.Context, effects []flow.Effect) (flow.Event, error) {
	for _, e := range effects {
		answer, err := j.effect(ctx, e)
		if answer != nil || err != nil {
			return answer, err
		}
	}
	return nil, nil
}

func (j *job) effect(ctx context.Context, e flow.Effect) (flow.Event, error) {
	switch e := e.(type) {
	case flow.FindSubject:
		return j.findSubject(ctx, e)
	case flow.TakeAttempt:
		return j.takeAttempt(ctx, e.Method)
	case flow.CheckProof:
		return j.checkProof(ctx, e)
	case flow.AssessRisk:
		return j.assessRisk(ctx)
	case flow.ReviewPassword:
		return j.reviewPassword(ctx)
	case flow.Commit:
		return j.commit(ctx, e)
	case flow.IssueSession:
		return j.issueSession(ctx, e)
	case flow.SettleAttempts:
		return nil, j.settle(ctx, e)
	case flow.Audit:
		j.audit(ctx, e.What.String(), e.Method, e.Reason)
		return nil, nil
	case flow.MakeChallenge:
		return j.makeChallenge(ctx, e)
	case flow.Notify:
		j.notify(ctx, e)
		return nil, nil
	}
	return nil, fmt.Errorf("auth: nothing carries out %T", e)
}

// findSubject looks the account up. Who is not found becomes a decoy: an id that no account has, always
// the same for the same address, so that its counters work as an account's do.
func (j *job) findSubject(ctx context.Context, e flow.FindSubject) (flow.Event, error) {
	find, key := j.s.cfg.Directory.FindByIdentifier, e.Identifier
	if key == "" {
		find, key = j.s.cfg.Directory.FindByID, e.Account
	}
	if j.flow.Goal == flow.SignUp {
		return j.findProspect(ctx, key)
	}
	account, err := find(ctx, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("auth: find account: %w", err)
	}
	decoy := err != nil
	if decoy && e.Identifier == "" {
		return nil, flow.Deny(flow.Stale) // whose proof it is was deleted meanwhile
	}
	if decoy {
		account = j.prospect()
		account.ID = j.s.decoyID(key)
	}
	subject, err := j.subject(ctx, account.ID, decoy)
	if err != nil {
		return nil, err
	}
	known, trusted, err := j.recognise(ctx, subject)
	if err != nil {
		return nil, err
	}
	j.account, j.found, j.rules = &account, &subject, nil
	j.proving = j.proving || e.Identifier == "" // a proof has said whose it is
	return flow.SubjectFound{Subject: subject, Known: known, Trusted: trusted, Typed: account.Display}, nil
}

// decoyID is a keyed hash: only this installation can tell that the id is nobody's. It is made with the oldest
// key, so that a rotation does not change it: an account keeps its failed attempts, and if an unknown address
// lost them on that day, it would stand out.
func (s *Service) decoyID(identifier string) string {
	sum, _ := s.decoys.MAC(s.decoys.oldest, identifier)
	return "decoy~" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

func (j *job) checkProof(ctx context.Context, e flow.CheckProof) (flow.Event, error) {
	switch e.Method {
	case flow.Password:
		return j.checkPassword(ctx)
	case flow.MailCode:
		return j.checkMailCode(), nil
	case flow.MailLink:
		return j.checkMailLink(ctx)
	case flow.Approval:
		return j.checkApproval(ctx)
	case flow.TOTP:
		return j.checkTOTP(ctx)
	case flow.RecoveryCode:
		return j.checkRecoveryCode(ctx)
	case flow.Passkey:
		return j.checkPasskey(ctx)
	case flow.HostFactor:
		return j.checkHostFactor(ctx)
	case flow.Social:
		return j.checkProvider(ctx, e)
	}
	return nil, fmt.Errorf("auth: nothing verifies %s", e.Method)
}

func (j *job) checkPassword(ctx context.Context) (flow.Event, error) {
	subject := j.flow.Subject
	hash, err := j.s.cfg.PasswordStore.PasswordHash(ctx, subject.Account)
	if err != nil {
		return nil, fmt.Errorf("auth: read password: %w", err)
	}
	if subject.Decoy {
		hash = ""
	}
	match, upgrade, err := j.s.cfg.Passwords.Verify(ctx, hash, j.inputs.Password, j.flow.Known)
	if err != nil {
		return nil, j.unchecked(ctx, err)
	}
	// A closed account costs what an unknown address costs, even with the right password: no upgrade of its
	// hash and no rules (ASVS 6.3.8).
	if !match || subject.Decoy || subject.Status != flow.Active {
		return flow.ProofChecked{Failure: flow.Refusal{Reason: flow.BadCredentials}}, nil
	}
	if upgrade {
		j.rehash(ctx, hash)
	}
	return flow.ProofChecked{Proof: flow.Proof{Method: flow.Password, Account: subject.Account}}, nil
}

// unchecked gives the attempt back when the server was too busy to look at it: a flood must not use up
// the owner's attempts.
func (j *job) unchecked(ctx context.Context, err error) error {
	var denied *DeniedError
	if !errors.As(err, &denied) {
		return fmt.Errorf("auth: verify password: %w", err)
	}
	if refund := j.s.cfg.Counters.Refund(ctx, j.attemptBuckets(flow.Password), j.now); refund != nil {
		return fmt.Errorf("auth: refund attempt: %w", refund)
	}
	return err
}

// rehash stores a stronger hash of the password that was just proven. It is a service to the future: if
// it fails, the sign-in goes on and the next one tries again.
func (j *job) rehash(ctx context.Context, old string) {
	hash, err := j.s.cfg.Passwords.Hash(ctx, j.inputs.Password, j.flow.Known)
	if err == nil {
		err = j.s.cfg.PasswordStore.Rehash(ctx, j.flow.Subject.Account, old, hash)
	}
	if err != nil && !errors.Is(err, ErrStale) {
		j.s.fault(ctx, "rehash", err)
	}
}

func (j *job) assessRisk(ctx context.Context) (flow.Event, error) {
	account, err := j.who(ctx)
	if err != nil {
		return nil, err
	}
	verdict, err := j.s.cfg.Risk(ctx, RiskRequest{Account: account, Client: j.client, Known: j.flow.Known, Proofs: slices.Clone(j.flow.Proofs)})
	if err != nil {
		return nil, fmt.Errorf("auth: assess risk: %w", err)
	}
	return flow.RiskAssessed{Verdict: verdict}, nil
}

func (j *job) reviewPassword(ctx context.Context) (flow.Event, error) {
	account, err := j.who(ctx)
	if err != nil {
		return nil, err
	}
	if wait, err := j.takeReview(ctx, account.ID); err != nil || wait.Reason != 0 {
		return flow.PasswordReviewed{Refusal: wait}, err
	}
	review, err := j.s.cfg.Passwords.Review(ctx, j.inputs.NewPassword, PasswordContext{
		Identifier: account.Identifier, Name: account.Name,
		SecondFactor: j.rules != nil && j.rules.SecondFactor == flow.Always,
	})
	if err != nil {
		return nil, fmt.Errorf("auth: review password: %w", err)
	}
	refusal := review.refusal()
	if review.Unchecked {
		j.audit(ctx, auditUnchecked, flow.Password, refusal.Reason)
	}
	if refusal.Reason == flow.Busy {
		return nil, &DeniedError{Refusal: refusal} // nothing happened; the flow stays where it was
	}
	if refusal.Reason == 0 && j.flow.Subject.Compromised {
		problem, err := j.unchanged(ctx)
		if err != nil {
			return nil, err
		}
		refusal = PasswordReview{Problem: problem}.refusal()
	}
	return flow.PasswordReviewed{Refusal: refusal}, nil
}

// takeReview counts a review of a new password. It costs work outside the gate of the hashes, and perhaps a
// question to a list of leaked passwords that answers only so many; no person needs a great number of them.
func (j *job) takeReview(ctx context.Context, account string) (flow.Refusal, error) {
	return j.takeOf(ctx, "review|"+account)
}

// takeOf counts what an account may have done as often as it may have passwords judged.
func (j *job) takeOf(ctx context.Context, key string) (flow.Refusal, error) {
	t := j.s.throttle
	taken, err := j.s.cfg.Counters.Take(ctx, []Bucket{
		{Key: key, Cap: t.ReviewCap, Leak: t.ReviewLeak, Forget: forget},
	}, j.now)
	if err != nil {
		return flow.Refusal{}, fmt.Errorf("auth: count: %w", err)
	}
	if !taken.OK {
		return flow.Refusal{Reason: flow.TooManyAttempts, RetryAt: taken.RetryAt}, nil
	}
	return flow.Refusal{}, nil
}

// ProblemUnchanged is the problem of a new password that is the compromised one again.
const ProblemUnchanged = "unchanged"

// unchanged refuses the compromised password as its own successor.
func (j *job) unchanged(ctx context.Context) (problem string, err error) {
	hash, err := j.s.cfg.PasswordStore.PasswordHash(ctx, j.flow.Subject.Account)
	if err != nil {
		return "", fmt.Errorf("auth: read password: %w", err)
	}
	same, _, err := j.s.cfg.Passwords.Verify(ctx, hash, j.inputs.NewPassword, j.flow.Known)
	if err != nil {
		return "", fmt.Errorf("auth: verify password: %w", err)
	}
	if same {
		problem = ProblemUnchanged
	}
	return problem, nil
}

// issueSession claims the flow before it makes the session. If the session then cannot be made, the person
// begins again.
func (j *job) issueSession(ctx context.Context, e flow.IssueSession) (flow.Event, error) {
	if j.rules == nil { // cannot be; without the account's rules nothing would be unmet
		return nil, errors.New("auth: issue session: the account's rules were not asked for")
	}
	if err := j.claim(ctx, flow.SessionIssued{}); err != nil {
		return nil, err
	}
	issued, err := j.s.cfg.Sessions.Issue(ctx, SessionRequest{
		Account: e.Account, Standing: Standing{Status: flow.Active, Epochs: e.Epochs}, Proofs: e.Proofs,
		Assurance: e.Assurance, Keep: e.Keep, Replaces: e.Replaces, Client: j.client,
	}, j.now)
	switch {
	case errors.Is(err, ErrLimit):
		return flow.SessionRefused{Reason: flow.TooManySessions}, nil
	case errors.Is(err, ErrStale):
		return flow.SessionRefused{}, j.s.realign(ctx, e.Account)
	case err != nil:
		return nil, fmt.Errorf("auth: issue session: %w", err)
	}
	if !j.client.owns(issued.Token, NativeSessionMark) {
		return nil, errors.New("auth: issue session: the token is not one for the client's transport")
	}
	j.issued = &issued
	if err := j.attach(ctx, e); err != nil {
		return j.detached(ctx, err)
	}
	j.endFormer(ctx)
	j.objects(ctx, e)
	if j.remember(ctx, e.Account) {
		j.trust(ctx, e)
	}
	return flow.SessionIssued{}, nil
}

// endFormer ends the session that this client had before it signed in anew: its token is about to be
// overwritten, and a session that nobody holds must not stay in the list.
func (j *job) endFormer(ctx context.Context) {
	if j.flow.Goal != flow.SignIn || j.client.Session.IsZero() {
		return
	}
	former, err := j.s.Authenticate(ctx, j.client.Session)
	if err == nil {
		err = j.s.SignOut(ctx, former)
	}
	var denied *DeniedError
	if err != nil && !errors.As(err, &denied) {
		j.s.fault(ctx, "end former session", err)
	}
}

// remember makes this a known device of the account, and reports whether it could.
func (j *job) remember(ctx context.Context, account string) bool {
	device := j.client.Device
	if j.client.Native && device.IsZero() {
		device = NewSecret(NativeDeviceMark) // asks for a token, not for a cookie
	}
	device, err := j.s.cfg.Devices.Remember(device, account, j.now)
	if err == nil && !j.client.owns(device, NativeDeviceMark) {
		err = errors.New("auth: the device token is not one for the client's transport")
	}
	if err != nil {
		j.s.fault(ctx, "remember device", err) // the session stands; the device stays unknown
		return false
	}
	j.device = device
	return true
}

func (j *job) audit(ctx context.Context, what string, m flow.Method, r flow.Reason) {
	reason := ""
	if r != 0 {
		reason = r.String()
	}
	if !j.s.heard(ctx, reason) {
		return
	}
	e := AuditEvent{
		What: what, Goal: j.flow.Goal.String(), FlowID: j.record.ID, Session: j.flow.Acting, Reason: reason,
		Client: j.client.transport(), UserAgent: cleanAgent(j.client.UserAgent), Known: j.flow.Known,
	}
	if !j.flow.Subject.Decoy {
		e.Account = j.flow.Subject.Account
	}
	if j.issued != nil {
		e.Session = j.issued.ID
	}
	if m != 0 {
		e.Method = m.String()
	}
	if m.Redirects() {
		e.Detail = j.detail
		if r != 0 && !j.flow.Proven() {
			e.Account = "" // as below
		}
	}
	if r == flow.PasskeyRefused {
		e.Detail = j.detail
		if !j.flow.Proven() {
			e.Account = j.suspect // whose address was typed has nothing to do with it
		}
	}
	if j.client.Address.IsValid() {
		e.Prefix = j.prefixKey()
	}
	j.s.decidedOn(ctx, e, j.occasion())
}
