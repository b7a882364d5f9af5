package auth_test

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"
)

// key is the abstract state of the arena: ids, handles and tokens are left out, and times are ages, cut off where
// no limit can tell them apart. Arenas of one key behave alike.
func (a *arena) key() string {
	l, now := a.l, a.w.clock.Now()
	k := packer{}
	k.put(l.keys, l.oldest)
	for _, p := range l.order {
		k.put(int(p.status), slices.Index(addresses[:], p.address))
		k.flag(p.compromised, p.deleted, p.former != "")
		k.text(p.password)
	}
	for i, f := range l.begun {
		if f.closed && (f.expired(now) || i < len(l.begun)-2) || f.expired(now) && i < len(l.begun)-1 {
			continue // nothing follows from it but refusals
		}
		a.packFlow(&k, i, f, now)
	}
	for i, s := range l.issued {
		if dead := l.dead(s, now); dead && i < len(l.issued)-1 {
			continue
		} else {
			a.packSession(&k, s, dead, now)
		}
	}
	a.packCounts(&k, now)
	a.packMail(&k, now)
	a.packFactors(&k, now)
	for _, c := range a.clients {
		held := l.byToken(c.session)
		k.put(slices.Index(l.issued, held))
		for _, id := range a.ids {
			d := l.devices[c.device.Reveal()]
			k.flag(d != nil && d.keys >= l.oldest && d.known[id] >= l.oldest)
		}
	}
	return string(k)
}

func (a *arena) packFlow(k *packer, i int, f *flowFacts, now time.Time) {
	k.put(i, f.by, int(f.goal), int(f.target.MaxAge/time.Second), f.failures, int(f.need), slices.Index(a.l.issued, f.acting))
	k.put(slices.Index(addresses[:], f.address), slices.Index(addresses[:], f.candidate), slices.Index(a.l.post.links, f.link))
	k.flag(f.reached != "", f.leaves)
	k.put(slices.Index(a.l.order, a.l.people[f.whom]), f.keys, int(min(f.version, 3)))
	k.flag(f.closed, f.issued != nil, f.proof != nil, f.whom == "")
	k.age(now.Sub(f.saved), 30*time.Second)
	k.age(now.Sub(f.stepped), shellLimits.Idle)
	k.age(now.Sub(f.begun), shellLimits.Total)
	changed := false // since the flow saw the account
	for _, e := range a.l.endings {
		changed = changed || e.security && e.flow != f && e.account == f.whom && e.seq > f.seq && (f.proof == nil || e.seq > f.proof.seq)
	}
	k.flag(changed)
	if f.proof != nil {
		k.age(now.Sub(f.proof.at), shellLimits.Fresh+1)
	}
}

func (a *arena) packSession(k *packer, s *sessionFacts, dead bool, now time.Time) {
	k.put(slices.Index(a.l.order, a.l.people[s.account]))
	if k.flag(dead); dead {
		return
	}
	k.age(now.Sub(s.proofAt), stepUpAge+1)
	k.age(now.Sub(s.used), sessionIdle)
	k.age(now.Sub(s.surely), sessionIdle)
	k.age(sessionAbsolute-s.absolute.Sub(now), sessionAbsolute)
}

func (a *arena) packCounts(k *packer, now time.Time) {
	t := a.l.throttle
	for _, name := range slices.Sorted(maps.Keys(t.lanes)) {
		x := t.lanes[name]
		if x.n == 0 {
			continue
		}
		k.text(name)
		k.put(x.n)
		k.age(now.Sub(x.last), t.rule.MaxDelay)
	}
	for _, name := range slices.Sorted(maps.Keys(t.leaks)) {
		if x := t.leaks[name]; x.n > 0 {
			k.text(name)
			k.put(x.n)
			k.age(x.next.Sub(now), time.Hour)
		}
	}
}

// packer writes a key.
type packer []byte

func (k *packer) put(fields ...int) {
	for _, f := range fields {
		*k = binary.AppendVarint(*k, int64(f))
	}
}

func (k *packer) flag(set ...bool) {
	for _, s := range set {
		if s {
			*k = append(*k, 1)
		} else {
			*k = append(*k, 0)
		}
	}
}

func (k *packer) text(s string) { *k = append(append(*k, s...), 0) }

// age writes a duration, cut off where it makes no difference any more.
func (k *packer) age(d, most time.Duration) { k.put(int(min(max(d, -1), most))) }
