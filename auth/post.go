package auth

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
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

// notices are the letters that tell an owner what was done to the account.
var notices = map[flow.Notice]LetterKind{
	flow.NewDevice:        NewDeviceNotice,
	flow.PasswordChanged:  PasswordNotice,
	flow.FactorAdded:      FactorNotice,
	flow.IdentityLinked:   LinkNotice,
	flow.RecoveryCodeUsed: RecoveryCodeNotice,
	flow.LockedOut:        LockNotice,
	flow.DeviceTrusted:    TrustNotice,
	flow.Reopened:         ReopenedNotice,
	flow.FactorRemoved:    FactorGoneNotice,
	flow.IdentityUnlinked: LinkGoneNotice,
}

// notify puts the notice on record and has it mailed. That it cannot be written changes nothing: what it tells
// of is done.
func (j *job) notify(ctx context.Context, e flow.Notify) {
	j.audit(ctx, auditNotice(e.What), e.Method, 0)
	kind, ok := notices[e.What]
	if !ok || !j.s.mails() || slices.Contains(j.told, e.What) || e.What == flow.NewDevice && !j.news(ctx) {
		return
	}
	l, err := j.notice(ctx, kind, e.Method)
	if err != nil {
		j.s.fault(ctx, "write notice", err)
		return
	}
	j.letters = append(j.letters, l)
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
	l, err := j.notice(ctx, notices[what], m)
	if err != nil {
		return nil, err
	}
	j.told = append(j.told, what)
	return []Letter{l}, nil
}

// notice returns the letter of a notice to the account's owner.
func (j *job) notice(ctx context.Context, kind LetterKind, m flow.Method) (Letter, error) {
	account, err := j.who(ctx)
	if err != nil {
		return Letter{}, err
	}
	return j.letter(account, kind, m, noticeLife)
}

// letter returns a letter to the owner of an account, still without a secret.
func (j *job) letter(to Account, kind LetterKind, m flow.Method, life time.Duration) (Letter, error) {
	id, err := randomID(j.s.random)
	if err != nil {
		return Letter{}, err
	}
	l := Letter{
		ID: id, Kind: kind, Account: to.ID, To: to.Display, Name: to.Name, Language: to.Language,
		At: j.now, Device: cleanAgent(j.client.UserAgent), CreatedAt: j.now, ExpiresAt: j.now.Add(life),
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

// post queues the letters of the step, with the ticket of the link in them if there is one, also when the request
// is over: the step is done. One that the person waits for is a fault if it cannot be queued; a notice is not: the
// person is not kept from what is theirs because somebody could not be told of it.
func (j *job) post(ctx context.Context) error {
	letters, ticket := j.letters, j.ticket
	j.letters, j.ticket = nil, nil
	if len(letters) == 0 && len(j.told) == 0 {
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
	var err error
	if ticket != nil {
		err = j.s.cfg.Tickets.AddTicket(ctx, *ticket, letters...)
	} else {
		err = j.s.cfg.Letters.AddLetters(ctx, letters...)
	}
	if err == nil {
		return nil
	}
	if j.asked {
		return fmt.Errorf("auth: queue letter: %w", err)
	}
	j.s.fault(ctx, "queue notices", err)
	return nil
}
