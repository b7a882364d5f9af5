package auth_test

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/reset"
	"github.com/cardea-auth/cardea/session"
)

// fault is a mistake in a port. The zero value is none.
type fault struct {
	name    string
	config  func(*auth.Config)
	store   func(session.Store) session.Store
	devices func(auth.Devices) auth.Devices
}

// arena is one installation with everybody in it, and the ledger that watches them.
type arena struct {
	w       *world
	l       *ledger
	fault   fault
	clients [clients]*browser
	ids     [isNobody]string
	story   []deed
	touched bool // something has changed since this was last reset
	calls   int  // of ports, in the latest request
}

func newArena(t testing.TB, wrong fault, factored bool) *arena {
	a := &arena{l: newLedger(shellThrottle), fault: wrong}
	a.l.held.possible = factored
	a.w = newWorld(t, func(c *auth.Config) {
		store, tap := c.Flows.(tapFlows).FlowStore.(*memory.Store), c.Sessions.(tapSessions).t
		var inner session.Store = tapSessionStore{store, tap}
		if wrong.store != nil {
			inner = wrong.store(inner)
		}
		manager, err := session.New(session.Config{Store: inner})
		require.NoError(t, err)
		c.Sessions = tapSessions{manager, tap}
		c.Limits, c.Throttle = shellLimits, shellThrottle
		a.l.mails(t, c, store, tap)
		if factored {
			a.l.equips(t, c, store, tap)
		}
		c.Risk = func(ctx context.Context, _ auth.RiskRequest) (flow.Verdict, error) {
			if requestIn(ctx).deed.hostile {
				return flow.RiskLock, nil
			}
			return flow.RiskAllow, nil
		}
		if wrong.config != nil {
			wrong.config(c)
		}
		if wrong.devices != nil {
			c.Devices = wrong.devices(c.Devices)
		}
		a.l.witnessed(c)
	})
	for i := range isNobody {
		a.enter(t, i)
	}
	for i := range a.clients {
		a.clients[i] = a.w.browser()
		a.clients[i].addr = netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)})
	}
	a.clients[native].native = true
	a.w.tap.set(a.interrupt)
	return a
}

// enter adds an account: Ann, Eve whose hash is due for an upgrade, and Ivy who never came.
func (a *arena) enter(t testing.TB, i int) {
	n := auth.NewAccount{Identifier: addresses[i]}
	p := &person{name: addresses[i], address: addresses[i], status: flow.Invited}
	if i != isIvy {
		n.Password, p.password, p.status = auth.NewSecret(right), right, flow.Active
	}
	account, err := a.w.CreateAccount(a.w.ctx, n)
	require.NoError(t, err)
	a.l.order = append(a.l.order, p)
	if i == isEve {
		require.NoError(t, a.w.store.Rehash(a.w.ctx, account.ID, hashOf("h1", right), hashOf("h0", right)))
	}
	p.id, a.ids[i], a.l.people[account.ID] = account.ID, account.ID, p
}

// serve starts the service with the keys of the day, as a restart after a rotation does.
func (a *arena) serve() {
	var names []string
	for k := a.l.keys; k >= a.l.oldest; k-- {
		names = append(names, fmt.Sprint("k", k))
	}
	cfg := a.w.cfg
	cfg.Keys = testKeys(a.w.t, names...)
	devices, err := session.NewDevices(session.DevicesConfig{Keys: cfg.Keys})
	require.NoError(a.w.t, err)
	cfg.Devices = devices
	if a.fault.devices != nil {
		cfg.Devices = a.fault.devices(devices)
	}
	secrets, err := reset.New(reset.Config{Keys: cfg.Keys})
	require.NoError(a.w.t, err)
	cfg.Secrets, a.l.post.reveal = secrets, secrets.Reveal
	a.w.Service, err = auth.New(cfg)
	require.NoError(a.w.t, err)
}

// interrupt lets one request run in the middle of another one.
func (a *arena) interrupt(ctx context.Context, _ int, _ string, work func() error) error {
	if r := requestIn(ctx); r != nil {
		if r.calls++; r.deed.during != nil && r.calls == r.deed.at {
			r.disturbed, a.l.disturbed = true, true
			a.do(*r.deed.during)
		}
	}
	return work()
}

// play does one deed after another and returns the first problem, with the story that led to it.
func (a *arena) play(deeds ...deed) (problem error) {
	defer func() {
		if v := recover(); v != nil {
			a.l.fail("panic: %v", v)
		}
		if a.l.problem != nil {
			problem = fmt.Errorf("%w, after:\n%s", a.l.problem, tell(a.story))
		}
	}()
	for _, d := range deeds {
		a.story = append(a.story, d)
		if a.do(d); a.l.problem != nil {
			break
		}
	}
	return nil
}

func (a *arena) do(d deed) {
	l := a.l
	if l.problem != nil {
		return
	}
	if d.turns() {
		a.turn(d)
		return
	}
	r, ok := a.resolve(d)
	if !ok {
		return
	}
	if l.depth++; l.depth > 1 {
		l.disturbed, r.inner = true, true
		l.counts.interleaved++
	}
	l.counts.requests++
	r.expect, l.latest = a.expect(r), r
	p, err := a.run(context.WithValue(a.w.ctx, requestKey{}, r), r)
	a.close(r, p, err)
	a.calls = r.calls
	if l.depth--; l.depth == 0 {
		a.settle()
		l.disturbed = false
		clear(l.shaken)
		a.w.tap.take()
	}
}

func (a *arena) turn(d deed) {
	a.touched = true
	switch d.what {
	case "wait":
		a.w.clock.Advance(d.wait)
		if a.l.depth == 0 {
			a.settle()
		}
	case "rotate":
		a.l.keys++
		a.serve()
	case "retire":
		a.l.oldest = a.l.keys
		a.serve()
	case "rules":
		a.l.held.second = d.rule
	case "sweep":
		if err := a.w.Sweep(a.w.ctx); err != nil {
			a.l.fail("sweep: %v", err)
		}
	}
}

// resolve looks up what the deed is about; ok is false if there is no such thing here.
func (a *arena) resolve(d deed) (r *request, ok bool) {
	l := a.l
	r = &request{deed: d, who: d.by, now: a.w.clock.Now(), start: l.tick(), keys: l.keys, oldest: l.oldest}
	r.client = a.clients[d.by].client()
	if !a.pickCookies(r) {
		return nil, false
	}
	r.session = l.byToken(r.client.Session)
	if !d.acts() && r.session != nil && r.session.native != r.client.Native {
		r.session = nil // a token of the other transport is none
	}
	if d.operates() || d.names() {
		r.whom = a.named(d)
	}
	switch {
	case d.begins():
		g := goals[d.what]
		r.flow = &flowFacts{by: d.by, goal: g.goal, target: g.target, keys: l.keys, handles: map[uint64]string{}}
		if d.names() {
			r.flow.address = addresses[d.whom]
		}
		if !g.goal.ByStranger() && r.session != nil {
			r.flow.acting, r.whom = r.session, r.session.account
		}
	case d.continues() || d.what == "look":
		if !a.pickHandle(r) {
			return nil, false
		}
	case d.what == "end-one":
		return r, a.pickTarget(r)
	}
	return r, a.pickPasswords(r) && a.pickSecret(r) && a.pickFactor(r)
}

// named is whom a deed is about: the id of an account, or an address that nobody has. Operators know accounts by
// their ids, also when they are gone or have another address by now.
func (a *arena) named(d deed) string {
	if d.operates() && d.what != "invite" && d.whom < isNobody {
		return a.ids[d.whom]
	}
	if p := a.l.holder(addresses[d.whom]); p != nil {
		return p.id
	}
	return addresses[d.whom]
}

// pickCookies chooses the session and the device that come along.
func (a *arena) pickCookies(r *request) bool {
	find := func(good func(s *sessionFacts) bool) bool {
		for i := len(a.l.issued) - 1; i >= 0; i-- {
			if s := a.l.issued[i]; good(s) {
				r.client.Session = s.token
				return true
			}
		}
		return false
	}
	found := true
	switch r.deed.token {
	case none:
		r.client.Session = auth.Secret{}
	case stolen:
		mine := r.client.Session.Reveal()
		found = find(func(s *sessionFacts) bool { return !a.l.dead(s, r.now) && s.token.Reveal() != mine })
	case ended:
		found = find(func(s *sessionFacts) bool { return a.l.dead(s, r.now) })
	}
	switch r.deed.device {
	case none:
		r.client.Device = auth.Secret{}
	case stolen:
		other := a.clients[(r.deed.by+1)%2].device
		found = found && !other.IsZero()
		r.client.Device = other
	}
	return found
}

// pickHandle chooses the handle that is shown.
func (a *arena) pickHandle(r *request) bool {
	d := r.deed
	if d.flow >= len(a.l.begun) {
		return false
	}
	f := a.l.begun[d.flow]
	switch {
	case d.age == forged:
		r.flow, r.shown = f, f.id+"."+strings.Repeat("A", 43)
	case d.age == imaginary:
		r.shown = strings.Repeat("A", 22) + "." + strings.Repeat("A", 43)
	case uint64(d.age) < f.version:
		r.flow, r.handle = f, f.version-uint64(d.age)
		r.shown = f.handles[r.handle]
	}
	r.closed = r.flow != nil && f.closed
	return r.shown != ""
}

// pickTarget chooses the session that is to be ended: the newest other one of the same account.
func (a *arena) pickTarget(r *request) bool {
	if r.session == nil {
		return false
	}
	for _, s := range a.l.issued {
		if s.account == r.session.account && s != r.session && !a.l.dead(s, r.now) {
			r.target = s.id
		}
	}
	return r.target != ""
}

// pickPasswords turns the kinds of passwords into texts, as the account stands.
func (a *arena) pickPasswords(r *request) bool {
	whom := r.whom
	if r.flow != nil && r.flow.whom != "" {
		whom = r.flow.whom
	}
	p := a.l.people[whom]
	if p == nil {
		p = &person{password: right}
	}
	text := func(g guess) string {
		switch g {
		case rightOne:
			return cmp.Or(p.password, right) // Ivy has none: nothing is right
		case wrongOne:
			return wrong
		case formerOne:
			return p.former
		case anotherOne:
			if p.password == newer {
				return latest
			}
			return newer
		case weakOne:
			return weak
		}
		return ""
	}
	r.password, r.next = text(r.deed.pw), text(r.deed.next)
	return (r.deed.pw == noPassword || r.password != "") && (r.deed.next == noPassword || r.next != "")
}
