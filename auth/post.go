package auth

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Letters are queued once the flow is stored: of several requests with one handle, only the one that took the
// step has a mail sent. What is queued holds no secret, so a challenge whose letter got lost is only a mail that
// never comes, and the person has another one sent.

// noticeLife is how long a notice is worth sending. A mail server that is down for longer is a matter of its own.
const noticeLife = 3 * 24 * time.Hour

// mails reports whether letters can be sent at all.
func (s *Service) mails() bool { return s.cfg.Letters != nil }

// makeChallenge has a code mailed, as far as mails may go out.
func (j *job) makeChallenge(ctx context.Context, e flow.MakeChallenge) (flow.Event, error) {
	if e.Method != flow.MailCode || j.flow.Goal != flow.SignIn || !j.s.mails() {
		return nil, fmt.Errorf("auth: nothing makes a challenge of %s for %s", e.Method, j.flow.Goal)
	}
	taken, err := j.s.cfg.Counters.Take(ctx, j.mailBuckets(), j.now)
	if err != nil {
		return nil, fmt.Errorf("auth: count mail: %w", err)
	}
	if !taken.OK {
		return flow.ChallengeMade{Refusal: flow.Refusal{Reason: flow.TooSoon, RetryAt: taken.RetryAt}}, nil
	}
	err = j.write(ctx, SignInLetter, e.Method, j.codeRef(j.now), j.s.cfg.Limits.Challenge)
	return flow.ChallengeMade{}, err
}

// mailBuckets bound the letters with a secret in them: a mailbox must not be flooded by whoever knows its
// owner's password, nor must many mailboxes be by one network. Known devices share a bucket of their own, which
// strangers cannot use up: else whoever has the password could keep its owner from ever getting a code.
func (j *job) mailBuckets() []Bucket {
	t, key := j.s.throttle, "mail|"+j.flow.Subject.Account
	if j.flow.Known {
		key = "mail-known|" + j.flow.Subject.Account
	}
	return []Bucket{
		{Key: key, Cap: t.MailCap, Leak: t.MailLeak, Forget: forget},
		{Key: "mail-prefix|" + j.prefixKey(), Cap: t.PrefixCap, Leak: t.PrefixLeak, Forget: forget},
	}
}

// codeRef names the code that was mailed at the given moment. It is good in this flow alone, which is bound to
// its browser, and for this account: "not you?" leaves no code behind that counts for the next person.
func (j *job) codeRef(at time.Time) SecretRef {
	return SecretRef{Purpose: ForSignIn, Flow: j.record.ID, Account: j.flow.Subject.Account, At: at}
}

// checkMailCode compares what was typed with the code that is out. The machine counts the tries.
func (j *job) checkMailCode() flow.Event {
	if !j.s.mails() || !j.s.cfg.Secrets.Matches(j.inputs.Code, j.codeRef(j.flow.Challenge.At), j.record.Key) {
		return flow.ProofChecked{Failure: flow.Refusal{Reason: flow.WrongCode}}
	}
	return flow.ProofChecked{Proof: flow.Proof{Method: flow.MailCode, Account: j.flow.Subject.Account}}
}

// notices are the letters that tell an owner what was done to the account.
var notices = map[flow.Notice]LetterKind{
	flow.NewDevice:        NewDeviceNotice,
	flow.PasswordChanged:  PasswordNotice,
	flow.FactorAdded:      FactorNotice,
	flow.IdentityLinked:   LinkNotice,
	flow.RecoveryCodeUsed: RecoveryCodeNotice,
	flow.LockedOut:        LockNotice,
	flow.DeviceTrusted:    TrustNotice,
}

// notify puts the notice on record and has it mailed. That it cannot be written changes nothing: what it tells
// of is done.
func (j *job) notify(ctx context.Context, e flow.Notify) {
	j.audit(ctx, auditNotice(e.What), e.Method, 0)
	kind, ok := notices[e.What]
	if !ok || !j.s.mails() || e.What == j.told || e.What == flow.NewDevice && !j.news(ctx) {
		return
	}
	if err := j.write(ctx, kind, e.Method, SecretRef{}, noticeLife); err != nil {
		j.s.fault(ctx, "write notice", err)
	}
}

// news bounds the notices of new devices, the only ones that whoever has a password can cause as often as they
// sign in: they must neither flood the mailbox nor bury other letters in it. The owner was told of the first ones,
// and the audit has them all. A count that fails keeps nobody from being told.
func (j *job) news(ctx context.Context) bool {
	t := j.s.throttle
	taken, err := j.s.cfg.Counters.Take(ctx, []Bucket{
		{Key: "new-device|" + j.flow.Subject.Account, Cap: t.MailCap, Leak: t.MailLeak, Forget: forget},
	}, j.now)
	if err != nil {
		j.s.fault(ctx, "count notice", err)
		return true
	}
	return taken.OK
}

// tell returns the letter of a notice, to be queued in the same act as the change that it tells of: whoever
// changes a password must not be able to keep its owner from hearing of it. Without mail there is none.
func (j *job) tell(ctx context.Context, what flow.Notice, m flow.Method) ([]Letter, error) {
	if !j.s.mails() {
		return nil, nil
	}
	l, err := j.letter(ctx, notices[what], m, SecretRef{}, noticeLife)
	if err != nil {
		return nil, err
	}
	j.told = what
	return []Letter{l}, nil
}

// write adds a letter to those that are queued with this step.
func (j *job) write(ctx context.Context, kind LetterKind, m flow.Method, secret SecretRef, life time.Duration) error {
	l, err := j.letter(ctx, kind, m, secret, life)
	if err == nil {
		j.letters = append(j.letters, l)
	}
	return err
}

// letter returns a letter to the account's owner.
func (j *job) letter(ctx context.Context, kind LetterKind, m flow.Method, secret SecretRef, life time.Duration) (Letter, error) {
	account, err := j.who(ctx)
	if err != nil {
		return Letter{}, err
	}
	id, err := randomID(j.s.random)
	if err != nil {
		return Letter{}, err
	}
	l := Letter{
		ID: id, Kind: kind, Account: account.ID, To: account.Display, Name: account.Name, Language: account.Language,
		Secret: secret, At: j.now, Device: cleanAgent(j.client.UserAgent), CreatedAt: j.now, ExpiresAt: j.now.Add(life),
	}
	if !secret.IsZero() {
		l.Key = j.record.Key
	}
	if l.Language == "" {
		l.Language = j.client.Language
	}
	if m != 0 {
		l.Method = m.String()
	}
	if prefix, err := j.client.Address.Unmap().Prefix(networkBits(j.client.Address)); err == nil {
		l.Network = prefix.String()
	}
	return l, nil
}

// networkBits is how much of an address people are told of: enough to recognise a network by.
func networkBits(a netip.Addr) int {
	if a.Unmap().Is4() {
		return 24
	}
	return 48
}

// post queues the letters of the step, also when the request is over: the step is done. One that the person waits
// for is a fault if it cannot be queued; a notice is not: the person is not kept from what is theirs because
// somebody could not be told of it.
func (j *job) post(ctx context.Context) error {
	letters := j.letters
	j.letters = nil
	if len(letters) == 0 && j.told == 0 {
		return nil
	}
	if j.s.cfg.Posted != nil {
		defer j.s.cfg.Posted()
	}
	if len(letters) == 0 {
		return nil
	}
	ctx, stop := regardless(ctx)
	defer stop()
	err := j.s.cfg.Letters.AddLetters(ctx, letters...)
	if err == nil {
		return nil
	}
	for _, l := range letters {
		if !l.Secret.IsZero() {
			return fmt.Errorf("auth: queue letter: %w", err)
		}
	}
	j.s.fault(ctx, "queue notices", err)
	return nil
}
