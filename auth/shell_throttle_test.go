package auth_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// throttle counts attempts a second time: failures in a row of one authenticator, from each known device and
// from all unknown ones, and the leaking counts of accounts and addresses.
type throttle struct {
	rule  auth.Throttle
	lanes map[string]*lane
	leaks map[string]*leaky
}

// lane is failures in a row.
type lane struct {
	n            int
	last, before time.Time
}

func (x *lane) open(rule auth.Throttle, now time.Time) bool {
	if x.n >= rule.Cap {
		return false
	}
	if x.n < rule.Free {
		return true
	}
	wait := rule.FirstDelay << (x.n - rule.Free)
	return !now.Before(x.last.Add(min(wait, rule.MaxDelay)))
}

func (x *lane) add(now time.Time) {
	x.n++
	x.before = x.last
	if now.After(x.last) {
		x.last = now
	}
}

// leaky is a count that falls by one each leak.
type leaky struct {
	n    int
	next time.Time
}

func (x *leaky) at(now time.Time, leak time.Duration) int {
	for x.n > 0 && !now.Before(x.next) {
		x.n--
		x.next = x.next.Add(leak)
	}
	return x.n
}

func (x *leaky) add(now time.Time, leak time.Duration) {
	if x.at(now, leak) == 0 {
		x.next = now.Add(leak)
	}
	x.n++
}

func (x *leaky) less(now time.Time, leak time.Duration) {
	if x.at(now, leak) > 0 {
		x.n--
	}
}

// attempt is one try of a password with the counts that it is in.
type attempt struct {
	lane            *lane
	prefix, account *leaky // of a known device: nil, and that of all that it tries
	given           bool   // it was given back
}

func at[T any](m map[string]*T, key string) *T {
	if m[key] == nil {
		m[key] = new(T)
	}
	return m[key]
}

// attempt finds the counts of a try. An unknown address has counts as an account has.
func (t *throttle) attempt(whom string, known bool, machine int, addr netip.Addr) *attempt {
	if known {
		return &attempt{lane: at(t.lanes, fmt.Sprint("device ", machine, " ", whom)), account: at(t.leaks, deviceCount(machine, whom))}
	}
	return &attempt{
		lane: at(t.lanes, whom), prefix: at(t.leaks, addr.String()), account: at(t.leaks, whom),
	}
}

func (t *throttle) allows(a *attempt, now time.Time) bool {
	if !a.lane.open(t.rule, now) {
		return false
	}
	return (a.prefix == nil || a.prefix.at(now, t.rule.PrefixLeak) < t.rule.PrefixCap) &&
		a.account.at(now, t.rule.AccountLeak) < t.rule.AccountCap
}

// deviceCount is what a known device tries of one account is counted under, of all methods together.
func deviceCount(machine int, whom string) string {
	return fmt.Sprint("all of device ", machine, " ", whom)
}

func (t *throttle) count(a *attempt, now time.Time) {
	a.lane.add(now)
	if a.prefix != nil {
		a.prefix.add(now, t.rule.PrefixLeak)
	}
	a.account.add(now, t.rule.AccountLeak)
}

// giveBack is what a success does: the failures in a row are over, and the shared counts lose the try.
func (t *throttle) giveBack(a *attempt, now time.Time, success bool) {
	if a == nil || a.given {
		return
	}
	a.given = true
	if success {
		*a.lane = lane{}
	} else if a.lane.n--; a.lane.n <= 0 {
		*a.lane = lane{}
	} else {
		a.lane.last = a.lane.before
	}
	if a.prefix != nil {
		a.prefix.less(now, t.rule.PrefixLeak)
	}
	a.account.less(now, t.rule.AccountLeak)
}

// forget is what a full sign-in does for the account, and an operator for its lane too.
func (t *throttle) forget(account string, all bool) {
	*at(t.leaks, account) = leaky{}
	if all {
		*at(t.lanes, account) = lane{}
		for _, m := range typedMethods {
			*at(t.lanes, methodLane(m, account, false, 0)) = lane{}
		}
	}
}

// begin counts a flow that is begun, by a page that offers passkeys or by a person, and reports whether it may be.
func (t *throttle) begin(what string, addr netip.Addr, now time.Time) bool {
	lane := "begin "
	if what == "touch" {
		lane = "begin by itself "
	}
	x := at(t.leaks, lane+addr.String())
	if x.at(now, t.rule.BeginLeak) >= t.rule.BeginCap {
		return false
	}
	x.add(now, t.rule.BeginLeak)
	return true
}
