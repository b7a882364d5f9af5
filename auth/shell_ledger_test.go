package auth_test

import (
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// The exploration of the shell: an adversary drives auth.Service over the memory store, the real sessions and
// the real devices, and a ledger decides what is right. The machine's own exploration, in package flow, has
// shown that no order of events skips a step; this one is about what lies around it: handles, browsers,
// sessions, epochs, counters, clocks, keys, and whole requests that run in the middle of other ones.
//
//   - shell_ledger_test.go, shell_rules_test.go: the ledger, which knows who asked what, who proved what and when;
//   - shell_throttle_test.go: the counters, counted a second time;
//   - shell_witness_test.go: tells the ledger what passes through the ports;
//   - shell_events_test.go, shell_answers_test.go, shell_settle_test.go: what the ledger makes of that, of each answer,
//     and of what the stores hold in the end;
//   - shell_deeds_test.go, shell_arena_test.go: what the adversary, the owner and the operator may do;
//   - shell_mail_*_test.go: all of that for what goes through a mailbox;
//   - shell_factor_*_test.go: and for second factors, with an exploration of their own;
//   - shell_choices_test.go, shell_key_test.go, shell_search_test.go, shell_explore_test.go: which orders of it are
//     tried, and the tests;
//   - shell_faults_test.go, shell_mutants_test.go: what the exploration must find.
//
// The ledger is written from what the library promises and shares no rule with its code.

// ledger is the reference model of one installation. Its time is a count of what passed through the ports, so
// that "before" and "after" are exact where requests run inside each other.
type ledger struct {
	seq       int
	depth     int // requests under way
	disturbed bool
	problem   error

	people   map[string]*person // by account id
	order    []*person          // in the order of their coming
	post     post
	flows    map[string]*flowFacts
	begun    []*flowFacts // in the order of their beginning
	sessions map[string]*sessionFacts
	issued   []*sessionFacts
	endings  []*ending
	devices  map[string]*deviceFacts // by cookie
	throttle *throttle
	shaken   map[string]bool // accounts whose sessions a disturbed act may have ended
	held     held
	latest   *request // that began

	keys, oldest int // the generation of keys that is current, and the oldest that is kept
	machines     int // device ids given out
	counts       counts
}

// person is an account as it truly is: the ledger learns of a change when the store has made it.
type person struct {
	id, name    string
	address     string
	status      flow.Status
	password    string
	former      string
	compromised bool
	due         bool // it was locked, or its address given back, and has had no new password since
	deleted     bool
	ahead       bool // the sessions' picture of it is
	remains     bool // something is kept of it all the same
}

// proofFacts is one right password, or something else that proves who is there, that was handed in and looked at.
type proofFacts struct {
	seq      int
	at       time.Time
	account  string
	method   flow.Method
	verified bool // by a passkey that verified its user
}

// flowFacts is what the world knows of one flow.
type flowFacts struct {
	id       string
	seq      int // when the account was looked at for it, or it was begun
	by       int // the browser that began it
	goal     flow.Goal
	target   flow.Target
	acting   *sessionFacts
	whom     string // the account's id, or a name for an address that nobody has
	keys     int
	handles  map[uint64]string
	version  uint64
	before   uint64 // the version whose handle took the latest step
	begun    time.Time
	stepped  time.Time
	saved    time.Time
	proof    *proofFacts // made in this flow
	failures int
	issued   *sessionFacts
	closed   bool
	need     flow.Need // as last seen

	address   string     // that was typed
	candidate string     // the one to change to
	lane      string     // under which tries of its codes are counted
	reached   string     // the one at which a code was read
	link      *linkFacts // that was shown and is good
	sent      time.Time  // when a letter was last paid for
	tried     bool       // a code was typed since
	leaves    bool       // the account's change of address is prepared
	opened    bool       // an account was made

	proofs   []*proofFacts // all that were made in this flow
	app      appFacts      // whose key it has shown
	ceremony *ceremonyFacts
	removes  *factorFacts
	enrolled bool // the change of a factor that it is for is made
}

func (f *flowFacts) byStranger() bool { return f.goal.ByStranger() }

// sessionFacts is one session that was issued.
type sessionFacts struct {
	id, account string
	token       auth.Secret
	session     auth.Session
	seq         int
	proofAt     time.Time // of the proof in it
	absolute    time.Time
	proofs      []*proofFacts
	native      bool      // it belongs to a client without cookies
	used        time.Time // when it was shown last, by anybody
	surely      time.Time // when that was last recorded for certain
	ended       bool
}

// ending is an act that ends what came before it.
type ending struct {
	account  string
	seq      int
	security bool // it ends flows that have proven something
	sessions bool // it ends sessions
	keep     *sessionFacts
	flow     *flowFacts // the flow that did it goes on
}

// deviceFacts is what a device cookie stands for.
type deviceFacts struct {
	native  bool
	machine int
	keys    int
	known   map[string]int // account to the generation of its tag
}

// request is one call of the service with what is known of it beforehand and what happened in it.
type request struct {
	deed    deed
	who     int
	client  auth.Client
	now     time.Time
	start   int
	inner   bool // it ran in the middle of another one
	keys    int
	oldest  int
	flow    *flowFacts
	handle  uint64 // the version that the presented handle belongs to; zero for a made-up one
	session *sessionFacts
	target  string // the session that is to be ended
	whom    string // the account that is named
	status  flow.Status
	due     bool
	gone    bool
	expect  verdict
	closed  bool // the flow was over before

	shown, password, next string // the texts that are handed in
	link                  *linkFacts
	code                  *codeFacts
	secret                string // the link or the code, as it is handed in

	// What happened in it.
	looked  int // when the account was first looked at
	loaded  uint64
	about   string      // the account that the flow was about when it was loaded
	had     *proofFacts // what it had proven then
	saved   uint64
	fenced  bool // the acting session was alive when the account was about to change
	raised  int  // when the sessions' picture was raised
	refused bool // by the counters, to begin
	known   bool
	took    int
	attempt *attempt
	checks  int
	proof   *proofFacts
	right   bool // the right password, whether or not it may be used
	issued  *sessionFacts
	granted int // entries in the audit trail
	writes  []string
	calls   int  // of ports
	asked   bool // the counters were asked whether a letter may go out
	postage int  // how many may
	mailed  int  // letters with a secret in them
	looking bool // at a link that is good
	good    bool // what was handed in, before it was used
	free    bool // the address that it is about was nobody's
	vacant  bool // so was the one that the operator names
	moved   bool // what the step has brought is noted

	typed  typed
	second flow.Choice // the rule that the account was held to
	ruled  bool

	disturbed bool // something ran in the middle of it
}

// verdict is what must become of a request, as far as its handle, browser and session decide.
type verdict struct {
	class  class
	reason flow.Reason
}

type class int

const (
	proceeds class = iota // the machine decides
	repeats               // a second look
	refuses               // with this very reason, and nothing else in the answer
	unsure                // the ledger does not know: something runs at the same time
)

type counts struct {
	requests, sessions, interleaved, changes, repeats int
	links, codes, completions, moves, signUps, shown  int
	factors, uses                                     int
	refusals                                          map[string]int
}

func newLedger(rule auth.Throttle) *ledger {
	return &ledger{
		people: map[string]*person{}, flows: map[string]*flowFacts{}, sessions: map[string]*sessionFacts{},
		devices: map[string]*deviceFacts{}, shaken: map[string]bool{}, keys: 1, oldest: 1,
		throttle: &throttle{rule: rule, lanes: map[string]*lane{}, leaks: map[string]*leaky{}},
		counts:   counts{refusals: map[string]int{}},
		post:     post{alike: &sights{seen: map[string]string{}}, vague: map[string]int{}},
		held:     held{factors: map[string]*factorFacts{}},
	}
}

// fail keeps the first problem.
func (l *ledger) fail(format string, args ...any) {
	if l.problem == nil {
		l.problem = fmt.Errorf(format, args...)
	}
}

func (l *ledger) tick() int {
	l.seq++
	return l.seq
}

// name returns what counts are kept under: the same in every arena.
func (l *ledger) name(whom string) string {
	if p := l.people[whom]; p != nil {
		return p.name
	}
	return whom
}

// device returns what the client's device cookie stands for, under the keys of the request; nil if it is absent,
// cannot be read any more, or belongs to the other transport.
func (l *ledger) device(r *request) *deviceFacts {
	d := l.devices[r.client.Device.Reveal()]
	if d == nil || d.keys < r.oldest || d.native != r.client.Native {
		return nil
	}
	return d
}

// knows reports whether the device proves a former sign-in to the account.
func (l *ledger) knows(r *request, account string) bool {
	d := l.device(r)
	return d != nil && d.known[account] >= r.oldest
}

// remember notes the device cookie that an answer brought.
func (l *ledger) remember(r *request, cookie auth.Secret) {
	next := &deviceFacts{native: r.client.Native, keys: r.keys, known: map[string]int{}}
	if old := l.device(r); old != nil {
		next.machine = old.machine
		for account, keys := range old.known {
			if keys >= r.oldest {
				next.known[account] = keys
			}
		}
	} else {
		l.machines++
		next.machine = l.machines
	}
	next.known[r.issued.account] = r.keys
	l.devices[cookie.Reveal()] = next
}

// expired reports whether the flow waited too long or took too long.
func (f *flowFacts) expired(now time.Time) bool {
	return !now.Before(f.stepped.Add(shellLimits.Idle)) || !now.Before(f.begun.Add(shellLimits.Total))
}

// judge decides what must become of a step before it is taken.
func (l *ledger) judge(r *request) verdict {
	f := r.flow
	switch {
	case f == nil || f.by != r.who:
		return verdict{refuses, flow.Expired} // to everyone else the flow does not exist
	case f.closed && f.expired(r.now):
		return verdict{class: unsure} // what is left of it shows that it is over, or is gone
	case f.expired(r.now):
		return verdict{refuses, flow.Expired}
	case f.acting != nil && !f.closed && !l.actsFor(r, f):
		if r.session == f.acting && !l.dead(f.acting, r.now) {
			return verdict{class: unsure}
		}
		return verdict{refuses, flow.SessionRequired}
	case f.keys < r.oldest:
		return verdict{refuses, flow.Stale}
	case l.gone(f):
		return verdict{class: unsure}
	case r.handle == f.version:
		return verdict{class: proceeds}
	case r.handle != 0 && r.handle == f.before && r.now.Before(f.saved.Add(30*time.Second)):
		return verdict{class: repeats}
	}
	return verdict{refuses, flow.Stale}
}

// actsFor reports whether the request comes with the live session that began the flow.
func (l *ledger) actsFor(r *request, f *flowFacts) bool {
	return r.session == f.acting && l.live(f.acting, r.now)
}

// gone reports whether the account that the flow is about was deleted; what is left of the flow shows nothing.
func (l *ledger) gone(f *flowFacts) bool {
	p := l.people[f.whom]
	return p != nil && p.deleted
}
