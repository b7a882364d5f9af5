package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// What a stranger can ask for, a link that resets a password or a code that opens an account, is answered alike
// whatever there is at the address: the same reads, one counter that goes by the address, one letter queued with
// or without a ticket, and all that differs is what the letter says and whether it is ever sent.

// makeChallenge has a code or a link mailed, as far as mails may go out.
func (j *job) makeChallenge(ctx context.Context, e flow.MakeChallenge) (flow.Event, error) {
	if e.Method == flow.Passkey && j.s.cfg.Passkeys != nil {
		return j.beginPasskey(ctx, e)
	}
	if e.Method == flow.Social && len(j.s.cfg.Providers) > 0 {
		return j.depart(ctx, e)
	}
	if e.Method != flow.MailCode && e.Method != flow.MailLink || !j.s.mails() {
		return nil, fmt.Errorf("auth: nothing makes a challenge of %s for %s", e.Method, j.flow.Goal)
	}
	taken, err := j.s.cfg.Counters.Take(ctx, j.mailBuckets(), j.now)
	if err != nil {
		return nil, fmt.Errorf("auth: count mail: %w", err)
	}
	if !taken.OK {
		return flow.ChallengeMade{Refusal: flow.Refusal{Reason: flow.TooSoon, RetryAt: taken.RetryAt}}, nil
	}
	l, err := j.challengeLetter(ctx)
	if err != nil {
		return nil, err
	}
	j.letters, j.asked = append(j.letters, l), true
	return flow.ChallengeMade{}, nil
}

// mailBuckets bound the letters with a secret in them: a mailbox must not be flooded by whoever knows its
// owner's password, nor must many mailboxes be by one network. Known devices share a bucket of their own, which
// strangers cannot use up: else whoever has the password could keep its owner from ever getting a code. What
// strangers may ask for is counted by the address: if an account's own codes counted there too, the next answer
// would tell that it has some. Each goal has its own: else whoever keeps asking for an account at an address keeps
// its owner from ever getting a new password.
func (j *job) mailBuckets() []Bucket {
	t, key := j.s.throttle, "mail|"+j.flow.Subject.Account
	bucket := func(key string) Bucket { return Bucket{Key: key, Cap: t.MailCap, Leak: t.MailLeak, Forget: forget} }
	switch {
	case j.flow.Goal == flow.Enrolment: // many accounts must not flood the mailbox that they all want to have
		candidate := bucket("mail-candidate|" + j.s.decoyID(j.flow.Candidate.Identifier))
		return []Bucket{bucket(key), candidate, j.mailPrefix()}
	case j.flow.Known:
		return []Bucket{bucket("mail-known|" + j.flow.Subject.Account)}
	case j.flow.Goal == flow.Recovery || j.flow.Goal == flow.SignUp:
		key = "mail-asked|" + j.flow.Goal.String() + "|" + j.s.decoyID(j.flow.Identifier)
	}
	return []Bucket{bucket(key), j.mailPrefix()}
}

// mailPrefix bounds the letters that one network causes.
func (j *job) mailPrefix() Bucket {
	t := j.s.throttle
	return Bucket{Key: "mail-prefix|" + j.prefixKey(), Cap: t.PrefixCap, Leak: t.PrefixLeak, Forget: forget}
}

// challengeLetter is the letter that the flow's goal has mailed.
func (j *job) challengeLetter(ctx context.Context) (Letter, error) {
	switch j.flow.Goal {
	case flow.Recovery:
		return j.recoveryLetter(ctx)
	case flow.SignUp:
		return j.signUpLetter(ctx)
	case flow.Enrolment:
		return j.candidateLetter(ctx)
	case flow.SignIn:
		return j.codeLetter(ctx, SignInLetter)
	}
	return Letter{}, fmt.Errorf("auth: nothing mails a challenge for %s", j.flow.Goal)
}

// codeLetter carries the flow's code to whoever the flow is about.
func (j *job) codeLetter(ctx context.Context, kind LetterKind) (Letter, error) {
	account, err := j.who(ctx)
	if err != nil {
		return Letter{}, err
	}
	l, err := j.letter(account, kind, flow.MailCode, j.s.cfg.Limits.Challenge)
	l.Secret, l.Key = j.codeRef(j.now), j.record.Key
	return l, err
}

// linkLetter carries the link of a new ticket, which takes the place of the account's earlier one.
func (j *job) linkLetter(to Account, kind LetterKind, p Purpose, security uint64) (Letter, error) {
	ticket, err := j.s.cfg.Secrets.NewTicket(p, to.ID, j.now)
	if err != nil {
		return Letter{}, err
	}
	ticket.Security, j.ticket = security, &ticket
	l, err := j.letter(to, kind, 0, ticket.ExpiresAt.Sub(j.now))
	l.Secret, l.Key = ticket.secret(), ticket.Key
	return l, err
}

// secret names the token of the ticket's link.
func (t Ticket) secret() SecretRef { return SecretRef{Purpose: t.Purpose, Ticket: t.ID} }

// blank is what is queued where nobody is written to.
func (l Letter) blank() Letter {
	return Letter{ID: l.ID, Kind: BlankLetter, CreatedAt: l.CreatedAt, ExpiresAt: l.ExpiresAt}
}

// recoveryLetter answers who asks for a new password. Every address gets a ticket, also one without an account;
// whether its link is in a letter, and in which, depends on what could open the account again. An account that
// was never activated is sent its invitation once more: its link may have expired.
func (j *job) recoveryLetter(ctx context.Context) (Letter, error) {
	account, err := j.who(ctx)
	if err != nil {
		return Letter{}, err
	}
	subject, purpose := j.flow.Subject, ForReset
	if subject.Status == flow.Invited {
		purpose = ForInvitation // and nothing of it for a decoy, which stands as invited too
	}
	l, err := j.linkLetter(account, ResetLetter, purpose, subject.Epochs.Security)
	if err != nil {
		return Letter{}, err
	}
	closed := subject.Status == flow.Locked
	switch {
	case subject.Decoy && j.s.cfg.WriteToStrangers:
		l.Kind, l.Account = NoAccountLetter, ""
	case subject.Decoy, subject.Status == flow.Disabled, subject.Epochs == flow.Epochs{}:
		return l.blank(), nil
	case subject.Status == flow.Invited:
		l.Kind = InvitationLetter
		return l, nil
	case flow.Resettable(flow.Rules{}, subject):
		return l, nil
	case closed && j.s.cfg.RecoveryApprover != nil:
		l.Kind = ReopenLetter
		return l, nil
	case closed:
		l.Kind = ClosedLetter
	default:
		l.Kind, l.Method = NoPasswordLetter, otherWay(subject.Enrolled).String()
	}
	l.Secret, l.Key = SecretRef{}, ""
	return l, nil
}

// otherWay is how an account without a password is signed in to.
func otherWay(enrolled flow.Methods) flow.Method {
	for _, m := range []flow.Method{flow.SSO, flow.Social} {
		if enrolled.Has(m) {
			return m
		}
	}
	return flow.Passkey
}

// holding is who has an address.
type holding struct {
	account  Account
	subject  flow.Subject
	found    bool
	reserved bool // somebody gave it up so lately that they can take it back
}

func (h holding) free() bool { return !h.found && !h.reserved }

// active reports whether the holder is somebody to write to about their account.
func (h holding) active() bool {
	return h.found && (h.subject.Status == flow.Active || h.subject.Status == flow.Locked)
}

// holder looks who has an address. It costs the same whether anybody has.
func (j *job) holder(ctx context.Context, identifier string) (holding, error) {
	account, err := j.s.cfg.Directory.FindByIdentifier(ctx, identifier)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return holding{}, fmt.Errorf("auth: find account: %w", err)
	}
	h := holding{account: account, found: err == nil}
	if !h.found {
		account.ID = j.s.decoyID(identifier)
	}
	if h.subject, err = j.subject(ctx, account.ID, !h.found); err != nil {
		return holding{}, err
	}
	if h.reserved, err = j.s.cfg.Tickets.Reserved(ctx, identifier, j.now); err != nil {
		return holding{}, fmt.Errorf("auth: look for a reservation: %w", err)
	}
	return h, nil
}

// findProspect makes the subject of a sign-up: an account to be if the address is free, and else a decoy, which
// walks the same steps and never gets a code.
func (j *job) findProspect(ctx context.Context, identifier string) (flow.Event, error) {
	h, err := j.holder(ctx, identifier)
	if err != nil {
		return nil, err
	}
	id, err := randomID(j.s.random)
	if err != nil {
		return nil, err
	}
	// Both get an id of their own in each flow: wrong codes that added up for a taken address alone would tell.
	subject := flow.Subject{Account: id, Decoy: !h.free()}
	j.account, j.found, j.rules = nil, &subject, nil
	return flow.SubjectFound{Subject: subject}, nil
}

// signUpLetter carries the code to a free address. Who has an account there already is told so, and who has one
// that waits for its activation is sent the invitation again. A ticket is kept for all, or it would be slower.
func (j *job) signUpLetter(ctx context.Context) (Letter, error) {
	h, err := j.holder(ctx, j.flow.Identifier)
	if err != nil {
		return Letter{}, err
	}
	invited := j.flow.Subject.Decoy && h.found && h.subject.Status == flow.Invited && h.subject.Epochs != (flow.Epochs{})
	whose := h.account
	if !invited {
		whose.ID = j.s.decoyID(j.flow.Identifier)
	}
	l, err := j.linkLetter(whose, InvitationLetter, ForInvitation, h.subject.Epochs.Security)
	switch {
	case err != nil || invited:
		return l, err
	case !j.flow.Subject.Decoy:
		return j.codeLetter(ctx, SignUpLetter) // an address that was taken meanwhile is refused in the end
	case !h.active():
		return l.blank(), nil
	}
	return j.letter(h.account, HasAccountLetter, 0, j.s.cfg.Limits.Challenge)
}

// candidateLetter carries the code to the address that an account is to have. If that is somebody else's, they
// are told, and nothing that is mailed there proves anything.
func (j *job) candidateLetter(ctx context.Context) (Letter, error) {
	candidate := j.flow.Candidate
	h, err := j.holder(ctx, candidate.Identifier)
	if err != nil {
		return Letter{}, err
	}
	if h.free() {
		l, err := j.codeLetter(ctx, NewAddressLetter)
		l.To = candidate.Typed
		return l, err
	}
	l, err := j.letter(h.account, TakenLetter, 0, j.s.cfg.Limits.Challenge)
	if err == nil && !h.active() {
		l = l.blank()
	}
	return l, err
}

// codePurposes says what the code of a goal is good for.
var codePurposes = map[flow.Goal]Purpose{flow.SignIn: ForSignIn, flow.SignUp: ForSignUp, flow.Enrolment: ForAddress}

// codeRef names the code that was mailed at the given moment. It is good in this flow alone, which is bound to
// its browser, and for this account: "not you?" leaves no code behind that counts for the next person. Of two
// addresses that a flow names one after the other, the moment tells the codes apart.
func (j *job) codeRef(at time.Time) SecretRef {
	return SecretRef{Purpose: codePurposes[j.flow.Goal], Flow: j.record.ID, Account: j.flow.Subject.Account, At: at}
}

// checkMailCode compares what was typed with the code that is out. The machine counts the tries.
func (j *job) checkMailCode() flow.Event {
	matches := j.s.mails() && j.s.cfg.Secrets.Matches(j.inputs.Code, j.codeRef(j.flow.Challenge.At), j.record.Key)
	if !matches || j.flow.Subject.Decoy {
		return flow.ProofChecked{Failure: flow.Refusal{Reason: flow.WrongCode}}
	}
	return flow.ProofChecked{Proof: flow.Proof{Method: flow.MailCode, Account: j.flow.Subject.Account}}
}

// linkPurposes says what the links of a goal are tickets for.
var linkPurposes = map[flow.Goal]Purpose{
	flow.Recovery: ForReset, flow.Activation: ForInvitation, flow.Reversal: ForUndo,
}

// checkMailLink looks whether a link is good. It consumes nothing: that is the act that the link allows. Whatever
// is wrong with it, too short, altered, of another purpose, used, expired, replaced, or made void by a change of
// the account, it is refused with one and the same reason.
func (j *job) checkMailLink(ctx context.Context) (flow.Event, error) {
	bad := flow.ProofChecked{Failure: flow.Refusal{Reason: flow.WrongCode}}
	ticket, err := j.openTicket(ctx)
	if errors.Is(err, ErrNotFound) {
		return bad, nil
	}
	if err != nil {
		return nil, err
	}
	state, err := j.s.cfg.Accounts.State(ctx, ticket.Account)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("auth: read account: %w", err)
	}
	if err != nil || ticket.Purpose != ForUndo && ticket.Security != state.Epochs.Security {
		return bad, nil
	}
	_, err = j.s.cfg.Directory.FindByID(ctx, ticket.Account)
	if errors.Is(err, ErrNotFound) { // the host's own list need not say when somebody leaves it
		return bad, nil
	}
	if err != nil {
		return nil, fmt.Errorf("auth: find account: %w", err)
	}
	return flow.ProofChecked{Proof: flow.Proof{Method: flow.MailLink, Account: ticket.Account, Credential: ticket.ID}}, nil
}

// openTicket returns the ticket that the token opens, for the flow's goal, or ErrNotFound.
func (j *job) openTicket(ctx context.Context) (Ticket, error) {
	id, ok := "", false
	if j.s.mails() {
		id, ok = j.s.cfg.Secrets.Ticket(j.inputs.Code)
	}
	if !ok {
		return Ticket{}, ErrNotFound
	}
	ticket, err := j.s.cfg.Tickets.FindTicket(ctx, id, j.now)
	if err != nil {
		return Ticket{}, fmt.Errorf("auth: find ticket: %w", err)
	}
	if ticket.Purpose != linkPurposes[j.flow.Goal] || !j.s.cfg.Secrets.Opens(j.inputs.Code, ticket) {
		return Ticket{}, ErrNotFound
	}
	return ticket, nil
}
