package auth_test

import (
	"slices"
	"time"

	otp "github.com/pquerna/otp/totp"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/flow"
)

// What the ledger knows of second factors: who has which, what of them was used, and what proofs amount to.

// held is the ledger's part that is about second factors.
type held struct {
	possible   bool
	second     flow.Choice // when one is due
	factors    map[string]*factorFacts
	order      []*factorFacts // in the order in which the store got them
	ceremonies []*ceremonyFacts
}

// factorFacts is a second factor as it truly is, or one recovery code.
type factorFacts struct {
	id, account string
	method      flow.Method
	key         string // of an app
	handle      string // of a recovery code
	text        string
	device      *authtest.Authenticator
	plain       bool  // the device counts, and verifies nobody
	told        int64 // the number that it has told last
	counter     int64 // what was used last, as the store has it
	used        bool  // of a recovery code
	gone        bool
}

// appFacts is an app that a flow has shown the key of.
type appFacts struct{ key, account string }

// ceremonyFacts is a ceremony of a passkey that a flow has begun.
type ceremonyFacts struct {
	flow    *flowFacts
	options []byte
	at      time.Time
	enrols  bool
	taken   bool // something was handed in for it
	takenBy *request
	answer  typed
}

// typed is what a request hands in, and what the ledger knows of it.
type typed struct {
	code, credential string
	factor           *factorFacts
	told             int64 // the number in the answer of a key that counts
	ceremony         *ceremonyFacts
	device           *authtest.Authenticator // of a new passkey
	fit              bool                    // it is what it should be, as things stood when the request began
	there            bool                    // the operator has something to take off
}

func (t typed) into(in *auth.Inputs) {
	if t.code != "" {
		in.Code = auth.NewSecret(t.code)
	}
	if t.credential != "" {
		in.Credential = auth.NewSecret(t.credential)
	}
}

const stepLength = 30 // seconds, of a code of an app

func stepOf(now time.Time) int64 { return now.Unix() / stepLength }

// codeOf is what an app shows in a step.
func codeOf(key string, step int64) string {
	code, err := otp.GenerateCode(key, time.Unix(step*stepLength, 0))
	if err != nil {
		panic(err)
	}
	return code
}

// shows reports whether an app shows the code now, or has in the step before, or will in the next, and not before
// the given step was over.
func shows(key, code string, now time.Time, after int64) bool {
	for s := stepOf(now) - 1; s <= stepOf(now)+1; s++ {
		if s > after && codeOf(key, s) == code {
			return true
		}
	}
	return false
}

// heldBy are the second factors that an account has.
func (l *ledger) heldBy(account string) []*factorFacts {
	return slices.DeleteFunc(slices.Clone(l.held.order), func(x *factorFacts) bool { return x.gone || x.account != account })
}

// real reports whether it is more than a way out.
func (x *factorFacts) real() bool { return x.method != flow.RecoveryCode }

// strength is what proofs amount to (NIST SP 800-63B-4 §2.1–2.2).
type strength struct{ known, held, both bool }

func (s *strength) add(m flow.Method, verified bool) {
	switch m {
	case flow.Password:
		s.known = true
	case flow.TOTP, flow.RecoveryCode:
		s.held = true
	case flow.Passkey:
		s.held, s.both = true, s.both || verified
	}
}

func (s strength) level() int {
	switch {
	case s.both, s.known && s.held:
		return 2
	case s.known, s.held:
		return 1
	}
	return 0
}

// top is the highest level that the account can reach.
func (l *ledger) top(account string) int {
	var s strength
	if l.people[account].password != "" {
		s.add(flow.Password, false)
	}
	for _, x := range l.heldBy(account) {
		s.add(x.method, !x.plain)
	}
	return s.level()
}

// evidence is all that was proven: in this flow first, and then what its session has brought.
func (l *ledger) evidence(r *request) []*proofFacts {
	list := slices.Clone(r.flow.proofs)
	if r.proof != nil && !slices.Contains(list, r.proof) {
		list = append(list, r.proof)
	}
	if r.flow.acting != nil {
		list = append(list, r.flow.acting.proofs...)
	}
	return list
}

// level is what was proven of the account, and no longer ago than age; with no age, in this flow.
func (l *ledger) level(r *request, account string, age time.Duration) int {
	var s strength
	own := len(r.flow.proofs)
	if r.proof != nil && !slices.Contains(r.flow.proofs, r.proof) {
		own++
	}
	for i, p := range l.evidence(r) {
		if p.account == account && (age == 0 && i < own || age > 0 && r.now.Sub(p.at) <= age) {
			s.add(p.method, p.verified)
		}
	}
	return s.level()
}

func proves(list []*proofFacts, m flow.Method) bool {
	return slices.ContainsFunc(list, func(p *proofFacts) bool { return p.method == m })
}

func (f *flowFacts) takes(p *proofFacts) {
	if p != nil && !slices.Contains(f.proofs, p) {
		f.proof, f.proofs = p, append(f.proofs, p)
	}
}

// admits reports whether proofs of the account count here: a reset is how a locked one is opened again.
func (f *flowFacts) admits(p *person) bool {
	return !p.deleted && (p.status == flow.Active || f.goal == flow.Recovery && p.status == flow.Locked)
}

// proven reports whether anything is proven in the flow, or by the session that began it.
func (f *flowFacts) proven() bool { return f.acting != nil || len(f.proofs) > 0 }
