package auth

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// forget is how long a counter is kept after its last attempt.
const forget = 365 * 24 * time.Hour

// throttlePrefix returns what an address is counted under: an IPv4 address alone, an IPv6 /64, since whoever
// has one address of a /64 has them all.
func throttlePrefix(a netip.Addr) (netip.Prefix, bool) {
	if !a.IsValid() {
		return netip.Prefix{}, false
	}
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	return p, err == nil
}

// prefixKey counts clients without an address together: an attacker must not gain by hiding it.
func (j *job) prefixKey() string {
	if j.prefix == "" {
		j.prefix = "unknown"
		if p, ok := throttlePrefix(j.client.Address); ok {
			j.prefix = p.String()
		}
	}
	return j.prefix
}

// admit bounds how many flows an address prefix may begin. Those that a page begins by itself, to offer passkeys in its
// address field, are counted apart: an office full of idle pages must not keep anybody from typing an address.
func (j *job) admit(ctx context.Context, action string) error {
	t, key := j.s.throttle, "begin|"
	if action == askPasskey {
		key = "begin-passkey|"
	}
	taken, err := j.s.cfg.Counters.Take(ctx, []Bucket{
		{Key: key + j.prefixKey(), Cap: t.BeginCap, Leak: t.BeginLeak, Forget: forget},
	}, j.now)
	if err != nil {
		return fmt.Errorf("auth: count flow: %w", err)
	}
	if !taken.OK {
		return &DeniedError{Refusal: flow.Refusal{Reason: flow.TooManyAttempts, RetryAt: taken.RetryAt}}
	}
	return nil
}

// attemptBuckets are the counters that a try of the method takes from, the authenticator's own lane first. A
// known device has one of its own, so that strangers who use up theirs do not lock the owner out (ASVS 6.3.1).
func (j *job) attemptBuckets(m flow.Method) []Bucket {
	t := j.s.throttle
	lane := Bucket{
		Key: j.laneKey(m), Cap: t.Cap, Free: t.Free, FirstDelay: t.FirstDelay, MaxDelay: t.MaxDelay, Forget: forget,
	}
	if j.flow.Known {
		return []Bucket{lane, {Key: j.deviceKey(), Cap: t.AccountCap, Leak: t.AccountLeak, Forget: forget}}
	}
	return []Bucket{
		lane,
		{Key: "prefix|" + j.prefixKey(), Cap: t.PrefixCap, Leak: t.PrefixLeak, Forget: forget},
		{Key: accountKey(j.flow.Subject.Account), Cap: t.AccountCap, Leak: t.AccountLeak, Forget: forget},
	}
}

// deviceKey counts the failures of all authenticators that a known device makes: whoever sits at one must not
// have a hundred tries of each.
func (j *job) deviceKey() string {
	return "device|" + j.s.cfg.Devices.Device(j.client.Device) + "|" + j.flow.Subject.Account
}

// laneKey gives each known device a lane of its own: whoever sits at a computer that the owner used once
// must not be able to stop the owner's other ones.
func (j *job) laneKey(m flow.Method) string {
	if j.flow.Known {
		return "known|" + m.String() + "|" + j.s.cfg.Devices.Device(j.client.Device) + "|" + j.flow.Subject.Account
	}
	return unknownKey(m, j.flow.Subject.Account)
}

func unknownKey(m flow.Method, account string) string { return "unknown|" + m.String() + "|" + account }

func accountKey(account string) string { return "account|" + account }

// forgetAttempts opens the lanes of unknown devices again that strangers used up.
func (s *Service) forgetAttempts(ctx context.Context, account string) error {
	keys := []string{accountKey(account)}
	for m := flow.Password; m <= flow.Approval; m++ {
		if m.Guessable() {
			keys = append(keys, unknownKey(m, account))
		}
	}
	return s.resetAttempts(ctx, keys...)
}

func (s *Service) resetAttempts(ctx context.Context, keys ...string) error {
	if err := s.cfg.Counters.Reset(ctx, keys...); err != nil {
		return fmt.Errorf("auth: reset attempts: %w", err)
	}
	return nil
}

// takeAttempt counts a try before it is made; a success gives it back. Parallel guesses cannot outrun it.
func (j *job) takeAttempt(ctx context.Context, m flow.Method) (flow.Event, error) {
	taken, err := j.s.cfg.Counters.Take(ctx, j.attemptBuckets(m), j.now)
	if err != nil {
		return nil, fmt.Errorf("auth: count attempt: %w", err)
	}
	if !taken.OK {
		return flow.AttemptTaken{Refusal: flow.Refusal{Reason: flow.TooManyAttempts, RetryAt: taken.RetryAt}}, nil
	}
	return flow.AttemptTaken{}, nil
}

// settle forgets the failures of the authenticator that was proven and gives the attempt back to the
// counters that are shared; a full sign-in resets the account's own.
func (j *job) settle(ctx context.Context, e flow.SettleAttempts) error {
	if e.All {
		keys := []string{accountKey(j.flow.Subject.Account)}
		if j.flow.Known {
			keys = append(keys, j.deviceKey())
		}
		if err := j.s.cfg.Counters.Reset(ctx, keys...); err != nil {
			j.s.fault(ctx, "reset account counter", err) // the session exists; the counter only falls by itself
		}
		return nil
	}
	buckets := j.attemptBuckets(e.Method)
	if shared := buckets[1:]; len(shared) > 0 {
		if err := j.s.cfg.Counters.Refund(ctx, shared, j.now); err != nil {
			return fmt.Errorf("auth: refund attempt: %w", err)
		}
	}
	return j.s.resetAttempts(ctx, buckets[0].Key)
}

func (t Throttle) withDefaults() Throttle {
	def := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	wait := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&t.Free, 5)
	wait(&t.FirstDelay, 30*time.Second)
	wait(&t.MaxDelay, time.Hour)
	def(&t.Cap, 100)
	def(&t.AccountCap, 100)
	wait(&t.AccountLeak, time.Hour)
	def(&t.PrefixCap, 100)
	wait(&t.PrefixLeak, 36*time.Second)
	def(&t.BeginCap, 300)
	wait(&t.BeginLeak, time.Second)
	def(&t.MailCap, 5)
	wait(&t.MailLeak, 20*time.Minute)
	def(&t.ReviewCap, 30)
	wait(&t.ReviewLeak, time.Minute)
	return t
}
