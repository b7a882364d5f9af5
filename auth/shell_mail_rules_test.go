package auth_test

import (
	"slices"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// What a mailbox allows, as the library promises it: who may have a password set, an account opened, an address
// changed or taken back. Each rule is asked when the store has done it.

// mayUse holds for every use of a link, whatever it allows.
func (l *ledger) mayUse(r *request, c auth.Completion, g flow.Goal) string {
	f := r.flow
	if f == nil || r.deed.operates() || f.goal != g {
		return "a use of a link outside its flow"
	}
	k := f.link
	switch {
	case k == nil || k.id != c.Ticket || k.account != c.Account:
		return "a use of a link that was not shown"
	case l.void(k, r) != "":
		return "a use of a link: " + l.void(k, r)
	case f.closed && r.saved != f.version:
		return "a use of a link by a flow that is over"
	}
	return l.mayAct(r)
}

// recovered is a password that was reset.
func (l *ledger) recovered(r *request, c auth.Completion) {
	p := l.people[c.Account]
	problem := l.mayUse(r, c, flow.Recovery)
	switch {
	case problem != "":
	case p.status != flow.Active && p.status != flow.Locked:
		problem = "a reset of an account that is " + p.status.String()
	case len(l.heldBy(p.id)) > 0 && !slices.ContainsFunc(r.flow.proofs, func(q *proofFacts) bool { return secondMethods.Has(q.method) }):
		problem = "a reset past a second factor"
	case c.Hash != hashOf("h1", r.next) || len(r.next) < 8 || c.EndSessions != r.deed.others:
		problem = "a reset to something else than was asked for"
	case len(c.Letters) != 1 || c.Letters[0].Kind != auth.PasswordNotice || c.Letters[0].Account != c.Account:
		problem = "a reset that nobody is told of"
	}
	if problem != "" {
		l.fail("a reset that may not be: %s", problem)
		return
	}
	l.completed(r, p, c.EndSessions || p.status == flow.Locked)
	p.status = flow.Active
	l.replaced(p.id, r.next)
	l.throttle.forget(l.name(p.id), true)
}

// completed notes what a link has ended: itself, every other one but those that undo, and perhaps all sessions.
func (l *ledger) completed(r *request, p *person, sessions bool) {
	r.flow.link.over = true
	l.drop(p.id, func(k *linkFacts) bool { return k.purpose != auth.ForUndo })
	l.endings = append(l.endings, &ending{
		account: p.id, seq: max(r.raised, r.start), security: true, sessions: sessions, flow: r.flow,
	})
	l.counts.completions++
}

// activated is an account with its first password.
func (l *ledger) activated(r *request, c auth.Completion) {
	p := l.people[c.Account]
	problem := l.mayUse(r, c, flow.Activation)
	switch {
	case problem != "":
	case p.status != flow.Invited:
		problem = "an activation of an account that is " + p.status.String()
	case c.Hash != hashOf("h1", r.next) || len(r.next) < 8 || c.EndSessions:
		problem = "an activation with something else than was asked for"
	}
	if problem != "" {
		l.fail("an activation that may not be: %s", problem)
		return
	}
	l.completed(r, p, false)
	p.status = flow.Active
	l.replaced(p.id, r.next)
}

// leaving is an account that is about to change its address: what undoes it is on its way.
func (l *ledger) leaving(r *request, id string, undo auth.Ticket, letters []auth.Letter) {
	f, p := r.flow, l.people[id]
	if f == nil || f.goal != flow.Enrolment || f.target.Enrol != flow.MailCode || f.whom != id {
		l.fail("a change of address outside its flow")
		return
	}
	problem := l.mayGoOn(r, id, true)
	switch {
	case problem != "":
	case l.fallsToChange(r, id) != "":
		problem = l.fallsToChange(r, id)
	case f.acting == nil || !r.fenced:
		problem = "by a session that had ended"
	case p.deleted || p.status != flow.Active:
		problem = "of an account that is closed"
	case f.candidate == "" || f.reached != f.candidate || undo.New != f.candidate:
		problem = "to an address that nobody has read a code at"
	case undo.Old != p.address:
		problem = "and what undoes it leads elsewhere"
	case len(letters) != 1 || letters[0].Kind != auth.AddressChangedNotice || letters[0].To != p.address:
		problem = "that the old address is not told of"
	case f.closed && r.saved != f.version:
		problem = "by a flow that is over"
	}
	if problem != "" {
		l.fail("a change of address that may not be: %s", problem)
		return
	}
	l.drop(id, func(k *linkFacts) bool { return k.purpose != auth.ForUndo })
	l.endings = append(l.endings, &ending{account: id, seq: max(r.raised, r.start), security: true, keep: f.acting, flow: f})
	f.leaves = true
	l.made(r, undo)
	l.queued(r, letters)
}

// moved is an address that the directory has changed.
func (l *ledger) moved(r *request, id, from, to string) {
	f, p := r.flow, l.people[id]
	forth := f != nil && f.leaves && f.whom == id && to == f.candidate
	back := f != nil && f.goal == flow.Reversal && f.link != nil && f.link.account == id && f.link.old == to && l.void(f.link, r) == ""
	switch other := l.holder(to); {
	case !forth && !back:
		l.fail("an address that nobody asked to change, or has proven: %s", to)
	case other != nil && other != p:
		l.fail("one address of two accounts: %s", to)
	case from != p.address:
		l.fail("a change from an address that the account did not have")
	case forth && l.reserved(to, r.now) != nil:
		l.fail("an address was given away that its owner can take back: %s", to)
	}
	p.address = to
	l.counts.moves++
}

// undone is a change of address that was taken back.
func (l *ledger) undone(r *request, c auth.Completion) {
	p := l.people[c.Account]
	problem := l.mayUse(r, c, flow.Reversal)
	switch {
	case problem != "":
	case p.address != r.flow.link.old:
		problem = "the address is not back"
	case len(c.Letters) != 1 || c.Letters[0].Kind != auth.AddressUndoneNotice || c.Letters[0].To != p.address:
		problem = "nobody is told of it"
	}
	if problem != "" {
		l.fail("a reversal that may not be: %s", problem)
		return
	}
	after := false
	for _, k := range l.post.links { // what was given up later was given up by whoever had taken the account
		if after = after || k == r.flow.link; after && k.account == p.id {
			k.over = true
		}
	}
	l.completed(r, p, true)
	p.due = true
	if p.status == flow.Active {
		p.status = flow.Locked
	}
}

// opened is an account that the library begins to keep: one that was invited, or whose owner signed up.
func (l *ledger) opened(r *request, id string, status flow.Status, hash string) {
	p := l.newcomer(id)
	if p.deleted && l.disturbed {
		p.remains = true // it was deleted while it was taken up: nothing leads to what is kept of it
		return
	}
	p.status = status
	if r.deed.operates() {
		if status != flow.Invited || hash != "" {
			l.fail("an invited account that is %s", status)
		}
		return
	}
	f := r.flow
	switch {
	case f == nil || f.goal != flow.SignUp || r.deed.what != "new-password":
		l.fail("an account that nobody signed up for")
		return
	case f.address == "" || f.reached != f.address:
		l.fail("an account for an address that nobody has read a code at")
	case l.mayAct(r) != "":
		l.fail("a sign-up that may not be: %s", l.mayAct(r))
	case status != flow.Active || hash != hashOf("h1", r.next) || len(r.next) < 8:
		l.fail("an account with something else than was asked for")
	case f.opened:
		l.fail("two accounts out of one flow")
	}
	f.opened = true
	l.replaced(id, r.next)
}

// newcomer is the account with the id, perhaps one that comes into being.
func (l *ledger) newcomer(id string) *person {
	p := l.people[id]
	if p == nil {
		p = &person{id: id, name: "newcomer " + string(rune('a'+len(l.order)))}
		l.people[id], l.order = p, append(l.order, p)
	}
	return p
}

// listed is an account that the directory has got.
func (l *ledger) listed(r *request, a auth.Account) {
	p := l.newcomer(a.ID)
	switch {
	case l.holder(a.Identifier) != nil:
		l.fail("one address of two accounts: %s", a.Identifier)
	case l.reserved(a.Identifier, r.now) != nil:
		l.fail("an address was given away that its owner can take back: %s", a.Identifier)
	case !r.deed.operates() && (r.flow == nil || r.flow.goal != flow.SignUp || r.flow.address != a.Identifier):
		l.fail("an account of another address than was proven: %s", a.Identifier)
	}
	p.address = a.Identifier
	l.counts.signUps++
}
