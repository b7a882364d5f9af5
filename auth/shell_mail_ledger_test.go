package auth_test

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// What the ledger knows of mail: which links and codes are out, what each is good for, and who has which address.

// How long links live, which are those of package reset.
var linkLives = map[auth.Purpose]time.Duration{
	auth.ForReset: 30 * time.Minute, auth.ForInvitation: 24 * time.Hour, auth.ForUndo: 72 * time.Hour,
}

// linkFacts is a ticket. Whoever is in this world can read every mailbox, but not what was never mailed.
type linkFacts struct {
	id       string
	purpose  auth.Purpose
	account  string
	seq      int // when the account was looked at for it
	keys     int
	expires  time.Time
	old      string // of an undo: the address that was given up
	token    auth.Secret
	over     bool // it was used or replaced
	disputed bool // made while something else was going on: it may be void without the ledger's knowing
}

// codeFacts is a code that was mailed.
type codeFacts struct {
	flow *flowFacts
	at   time.Time
	to   string
	text auth.Secret
}

// post is the ledger's part that is about mail.
type post struct {
	links  []*linkFacts // in the order in which the store got them
	codes  []*codeFacts
	reveal func(auth.SecretRef, string) (auth.Secret, bool)
	alike  *sights
	vague  map[string]int // accounts whose epochs were raised in the middle of something, and when
}

// sights is what strangers were shown, in all arenas of a search, by what they did.
type sights struct {
	mu   sync.Mutex
	seen map[string]string
}

// differ returns what another stranger was shown who did the same, if it is something else.
func (s *sights) differ(did, saw string) (other string, differs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, ok := s.seen[did]; ok {
		return before, before != saw
	}
	s.seen[did] = saw
	return "", false
}

// holder is whose address it is; nil if nobody's.
func (l *ledger) holder(address string) *person {
	for _, p := range l.order {
		if p.address == address && !p.deleted {
			return p
		}
	}
	return nil
}

// reserved reports whether somebody can still take the address back.
func (l *ledger) reserved(address string, now time.Time) *linkFacts {
	for _, k := range l.post.links {
		if k.purpose == auth.ForUndo && k.old == address && !k.over && now.Before(k.expires) && !l.people[k.account].deleted {
			return k
		}
	}
	return nil
}

// void says why a link must not work; empty if nothing is known against it.
func (l *ledger) void(k *linkFacts, r *request) string {
	p := l.people[k.account]
	switch {
	case k.over:
		return "it was used, or another one took its place"
	case !r.now.Before(k.expires):
		return "it has expired"
	case p == nil || p.deleted:
		return "its account is gone"
	case k.purpose == auth.ForUndo:
		return "" // no change of the account makes it void
	}
	for _, e := range l.endings {
		if e.security && e.account == k.account && e.seq > k.seq {
			return "its account has changed since"
		}
	}
	return ""
}

// linkGoals says which links a goal takes.
var linkGoals = map[flow.Goal]auth.Purpose{
	flow.Recovery: auth.ForReset, flow.Activation: auth.ForInvitation, flow.Reversal: auth.ForUndo,
}

// opens reports whether the link that the request comes with is good for the goal.
func (l *ledger) opens(r *request, g flow.Goal) bool {
	k := r.link
	return k != nil && linkGoals[g] == k.purpose && k.keys >= r.oldest && l.void(k, r) == ""
}

// fits reports whether the code that the request comes with is the one that its flow waits for.
func (l *ledger) fits(r *request) bool {
	c, f := r.code, r.flow
	return c != nil && c.flow == f && c == l.lastCode(f) && c.to == f.expects() && r.now.Before(c.at.Add(shellLimits.Challenge))
}

// expects is the address that a code of the flow proves.
func (f *flowFacts) expects() string {
	if f.goal == flow.Enrolment {
		return f.candidate
	}
	return f.address
}

func (l *ledger) lastCode(f *flowFacts) *codeFacts {
	for _, c := range slices.Backward(l.post.codes) {
		if c.flow == f {
			return c
		}
	}
	return nil
}

// made is a ticket that the store has got, in the place of the account's other one of the purpose.
func (l *ledger) made(r *request, t auth.Ticket) *linkFacts {
	if life := linkLives[t.Purpose]; t.ExpiresAt.Sub(t.CreatedAt) != life || t.CreatedAt.Before(r.now) {
		l.fail("a link for %s that lives for %s", t.Purpose, t.ExpiresAt.Sub(t.CreatedAt))
	}
	k := &linkFacts{
		id: t.ID, purpose: t.Purpose, account: t.Account, seq: max(r.looked, r.start), keys: r.keys, expires: t.ExpiresAt,
		old: t.Old, disputed: l.disturbed,
	}
	if t.Purpose == auth.ForUndo {
		k.seq = l.tick()
	} else {
		l.drop(t.Account, func(other *linkFacts) bool { return other.purpose == t.Purpose })
	}
	l.post.links = append(l.post.links, k)
	return k
}

// drop notes which links of an account are void from now on.
func (l *ledger) drop(account string, such func(*linkFacts) bool) {
	for _, k := range l.post.links {
		if k.account == account && such(k) {
			k.over = true
		}
	}
}

// queued is what goes out. A letter with a secret in it goes to whom it belongs, and was paid for.
func (l *ledger) queued(r *request, letters []auth.Letter) {
	for _, letter := range letters {
		if letter.Secret.IsZero() {
			continue
		}
		text, ok := l.post.reveal(letter.Secret, letter.Key)
		if !ok {
			l.fail("a letter whose secret cannot be made")
		}
		if r.mailed++; r.mailed > r.postage && !r.deed.operates() && letter.Kind != auth.AddressChangedNotice {
			l.fail("a letter of the kind %s went past the counters", letter.Kind)
		}
		if letter.Secret.Ticket == "" {
			l.sentCode(r, letter, text)
			continue
		}
		i := slices.IndexFunc(l.post.links, func(k *linkFacts) bool { return k.id == letter.Secret.Ticket })
		if i < 0 || l.post.links[i].purpose != letter.Secret.Purpose {
			l.fail("a letter with the link of no ticket")
			return
		}
		l.post.links[i].token = text
		l.addressed(l.post.links[i], letter)
	}
}

// addressed holds a letter with a link against whose account it opens.
func (l *ledger) addressed(k *linkFacts, letter auth.Letter) {
	p := l.people[k.account]
	if p == nil {
		l.fail("a link to an account that nobody has")
		return
	}
	if l.disturbed {
		return // the account may have changed since it was looked at
	}
	l.counts.links++
	switch {
	case letter.To != p.address, k.purpose == auth.ForUndo && letter.To != k.old:
		l.fail("a link to %s went to %s", p.address, letter.To)
	case p.deleted, k.purpose == auth.ForReset && p.status != flow.Active && p.status != flow.Locked,
		k.purpose == auth.ForInvitation && p.status != flow.Invited:
		l.fail("a link for %s to an account that is %s", k.purpose, p.status)
	}
}

func (l *ledger) sentCode(r *request, letter auth.Letter, text auth.Secret) {
	f := r.flow
	if f == nil || f.id != letter.Secret.Flow && f.id != "" || letter.To != f.expects() {
		l.fail("a code of another flow, or to another address than the one that it proves: %s", letter.To)
		return
	}
	if !l.disturbed && (l.holder(letter.To) != nil || l.reserved(letter.To, r.now) != nil) {
		l.fail("a code went to an address that is somebody's")
	}
	l.counts.codes++
	l.post.codes = append(l.post.codes, &codeFacts{flow: f, at: letter.Secret.At, to: letter.To, text: text})
}

// paid is an attempt to have a letter with a secret in it sent.
func (l *ledger) paid(r *request, ok bool) {
	f := r.flow
	if f == nil {
		l.fail("mail that nobody asked for")
		return
	}
	whose, prefix := l.payers(r)
	want := l.throttle.mail(whose, prefix, r.now)
	if ok && !want || !ok && want && !l.disturbed {
		l.fail("a letter for %q: %t, and should be: %t", whose, ok, want)
	}
	r.asked = true
	if ok {
		r.postage++
	}
}

// payers are the counts that a letter is in: that of the account, or, where strangers ask for it, of the address for
// each goal; a new address is in another one, whoever wants to have it. Known devices are in none of the network's.
func (l *ledger) payers(r *request) (whose []string, prefix string) {
	f := r.flow
	prefix = "mail from " + r.client.Address.String()
	named := func(address string) string {
		if r.deed.what == "identify" || r.deed.what == "new-address" {
			address = addresses[r.deed.whom]
		}
		return fmt.Sprint(address, " under key ", r.oldest)
	}
	about := cmp.Or(f.whom, r.whom)
	switch {
	case f.goal == flow.Enrolment:
		return []string{"mail " + l.name(f.whom), "mail to " + named(f.candidate)}, prefix
	case f.goal != flow.SignUp && about != "" && l.knows(r, about):
		return []string{"mail known " + l.name(about)}, ""
	}
	return []string{fmt.Sprint("mail asked ", f.goal, " ", named(f.address))}, prefix
}

// mail counts a letter with a secret in it, and reports whether it may go out.
func (t *throttle) mail(whose []string, prefix string, now time.Time) bool {
	for _, name := range whose {
		if at(t.leaks, name).at(now, t.rule.MailLeak) >= t.rule.MailCap {
			return false
		}
	}
	if prefix != "" {
		network := at(t.leaks, prefix)
		if network.at(now, t.rule.PrefixLeak) >= t.rule.PrefixCap {
			return false
		}
		network.add(now, t.rule.PrefixLeak)
	}
	for _, name := range whose {
		at(t.leaks, name).add(now, t.rule.MailLeak)
	}
	return true
}

// prospect notes under what the tries of a sign-up's codes are counted: by the flow alone, be there a code or none.
func (l *ledger) prospect(r *request) {
	r.flow.lane = fmt.Sprint("prospect of ", slices.Index(l.begun, r.flow), " at ", r.flow.stepped)
}

// tookCode is an attempt to have a code looked at.
func (l *ledger) tookCode(r *request, ok bool) {
	f := r.flow
	whose, known, machine := f.lane, false, 0
	if f.goal == flow.Enrolment {
		whose = l.name(f.whom)
		if known = l.knows(r, f.whom); known {
			machine = l.device(r).machine
		}
	}
	a := l.throttle.attempt(whose, known, machine, r.client.Address)
	a.lane = at(l.throttle.lanes, fmt.Sprint("code ", whose, known, machine))
	allowed := l.throttle.allows(a, r.now)
	if ok && !allowed || !ok && allowed && !l.disturbed {
		l.fail("a code was looked at: %t, and should be: %t", ok, allowed)
	}
	if ok {
		l.throttle.count(a, r.now)
		r.attempt = a
	}
}
