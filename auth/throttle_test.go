package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// from moves the browser to another address, so that the prefix's own counter stays out of a test.
func (b *browser) from(n int) {
	b.addr = netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

// target is what guesses are aimed at: an account and an unknown address must not differ (ASVS 6.3.8).
func eachTarget(t *testing.T, test func(t *testing.T, w *world, email string), change ...func(*auth.Config)) {
	for name, email := range map[string]string{"account": ann, "decoy": stranger} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, change...)
			w.account(ann)
			test(t, w, email)
		})
	}
}

func (b *browser) guess(email, password string) flow.Refusal {
	b.w.t.Helper()
	p, err := b.try(email, password)
	require.NoError(b.w.t, err)
	require.Nil(b.w.t, p.Session)
	require.NotNil(b.w.t, p.View.Refusal)
	return *p.View.Refusal
}

// ASVS 6.3.1: the wait begins at the fifth failure in a row and doubles up to an hour; tries while waiting
// do not prolong it, and the right password is refused like any other.
func TestWaitDoublesFromTheFifthFailure(t *testing.T) {
	eachTarget(t, func(t *testing.T, w *world, email string) {
		b, n := w.browser(), 0
		guess := func(password string) flow.Refusal {
			n++
			b.from(n)
			return b.guess(email, password)
		}
		for range 5 {
			require.Equal(t, flow.Refusal{Reason: flow.BadCredentials}, guess(wrong))
		}
		wait := 30 * time.Second
		for range 12 {
			retry := w.clock.Now().Add(wait)
			hashes := w.pw.count()
			refusal := flow.Refusal{Reason: flow.TooManyAttempts, RetryAt: retry}
			require.Equal(t, refusal, guess(wrong))
			require.Equal(t, refusal, guess(right))
			w.clock.Advance(wait - time.Microsecond)
			require.Equal(t, refusal, guess(right), "refused tries do not prolong the wait")
			require.Equal(t, hashes, w.pw.count())
			w.clock.Advance(time.Microsecond)
			require.Equal(t, flow.BadCredentials, guess(wrong).Reason)
			wait = min(2*wait, time.Hour)
		}
	})
}

// NIST SP 800-63B-4 §3.2.2: no more than 100 consecutive failures; and ASVS 6.3.1: strangers who use up
// theirs must not lock the owner out.
func TestHundredFailuresStopStrangersAndNotTheOwner(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	owner := w.browser()
	owner.signIn(ann, right)
	owner.session = auth.Secret{}

	exhaust := func(b *browser, from int) {
		for i := range 100 {
			b.from(from + i)
			require.Equal(t, flow.BadCredentials, b.guess(ann, wrong).Reason, i)
			w.clock.Advance(time.Hour)
		}
		b.from(from + 101)
	}
	thief := w.browser()
	exhaust(thief, 1000)
	for range 2 { // at once, and most of a year later
		hashes := w.pw.count()
		require.Equal(t, flow.Refusal{Reason: flow.TooManyAttempts}, thief.guess(ann, wrong), "there is no time to wait for")
		require.Equal(t, flow.Refusal{Reason: flow.TooManyAttempts}, thief.guess(ann, right))
		require.Equal(t, hashes, w.pw.count())
		w.clock.Advance(300 * 24 * time.Hour)
	}
	w.clock.Advance(-300 * 24 * time.Hour)
	owner.signIn(ann, right)
	require.Equal(t, flow.TooManyAttempts, thief.guess(ann, right).Reason, "the owner's sign-in does not reopen the strangers' lane")

	owner.session = auth.Secret{}
	exhaust(owner, 5000)
	require.Equal(t, flow.Refusal{Reason: flow.TooManyAttempts}, owner.guess(ann, right), "a known device has a cap of its own")
}

func TestDecoysStopAtAHundredToo(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for i := range 100 {
		b.from(i)
		require.Equal(t, flow.BadCredentials, b.guess(stranger, wrong).Reason)
		w.clock.Advance(time.Hour)
	}
	b.from(1000)
	require.Equal(t, flow.Refusal{Reason: flow.TooManyAttempts}, b.guess(stranger, right))
}

func TestSuccessForgetsTheFailuresInARow(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	b := w.browser()
	for range 5 {
		for range 4 {
			require.Equal(t, flow.BadCredentials, b.guess(ann, wrong).Reason)
		}
		w.browser().signIn(ann, right)
	}
}

// A device cookie of another account, of another installation, or a made-up one opens no lane.
func TestOnlyAProvenDeviceHasTheKnownLane(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) { c.Throttle.Cap = 2 })
	w.account(ann)
	w.account("eve@example.com")
	owner, eve := w.browser(), w.browser()
	owner.signIn(ann, right)
	eve.signIn("eve@example.com", right)
	eve.session = auth.Secret{}
	for range 2 {
		eve.guess(ann, wrong)
	}
	require.Equal(t, flow.TooManyAttempts, eve.guess(ann, right).Reason)
	eve.device = auth.NewSecret("1.k1.forged")
	require.Equal(t, flow.TooManyAttempts, eve.guess(ann, right).Reason)
	owner.signIn(ann, right)
}

func TestAccountCapFallsByOneAnHourAndAFullSignInResetsIt(t *testing.T) {
	few := func(c *auth.Config) { c.Throttle.AccountCap, c.Throttle.Free = 3, 50 }
	eachTarget(t, func(t *testing.T, w *world, email string) {
		b := w.browser()
		for range 3 {
			require.Equal(t, flow.BadCredentials, b.guess(email, wrong).Reason)
		}
		refusal := flow.Refusal{Reason: flow.TooManyAttempts, RetryAt: w.clock.Now().Add(time.Hour)}
		require.Equal(t, refusal, b.guess(email, right))
		w.clock.Advance(time.Hour - time.Microsecond)
		require.Equal(t, refusal, b.guess(email, right))
		w.clock.Advance(time.Microsecond)
		require.Equal(t, flow.BadCredentials, b.guess(email, wrong).Reason)
		require.Equal(t, flow.TooManyAttempts, b.guess(email, right).Reason)
	}, few)

	w := newWorld(t, few)
	w.account(ann)
	owner, b := w.browser(), w.browser()
	owner.signIn(ann, right)
	for range 3 {
		b.guess(ann, wrong)
	}
	owner.signIn(ann, right) // from a known device, which the cap does not concern
	for range 3 {
		require.Equal(t, flow.BadCredentials, b.guess(ann, wrong).Reason)
	}
	require.Equal(t, flow.TooManyAttempts, b.guess(ann, wrong).Reason)
}

// Whoever has one address of an IPv6 /64 has them all, and hiding the address must gain nothing.
func TestPrefixCap(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		same       bool
	}{
		{"one IPv4 address", "192.0.2.1", "192.0.2.1", true},
		{"two of one /24", "192.0.2.1", "192.0.2.2", false},
		{"IPv4 written as IPv6", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"one /64", "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
		{"two /64", "2001:db8::1", "2001:db8:0:1::1", false},
		{"zones", "fe80::1%eth0", "fe80::1%eth1", true},
		{"none", "", "", true},
		{"none and one", "", "192.0.2.1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, func(c *auth.Config) { c.Throttle.PrefixCap, c.Throttle.PrefixLeak = 3, time.Minute })
			w.account(ann)
			parse := func(text string) (a netip.Addr) {
				if text != "" {
					a = netip.MustParseAddr(text)
				}
				return a
			}
			b := w.browser()
			b.addr = parse(c.a)
			for i := range 3 { // sprayed over unknown addresses
				require.Equal(t, flow.BadCredentials, b.guess(fmt.Sprintf("user%d@example.com", i), wrong).Reason)
			}
			b.addr = parse(c.b)
			p, err := b.try(ann, right)
			require.NoError(t, err)
			if !c.same {
				require.NotNil(t, p.Session)
				return
			}
			require.Equal(t, &flow.Refusal{Reason: flow.TooManyAttempts, RetryAt: w.clock.Now().Add(time.Minute)}, p.View.Refusal)
			w.clock.Advance(time.Minute)
			for range 3 { // a success gives its attempt back
				b.signIn(ann, right)
				b.device = auth.Secret{} // a known device is not counted under its prefix
			}
			require.Equal(t, flow.BadCredentials, b.guess(ann, wrong).Reason)
			require.Equal(t, flow.TooManyAttempts, b.guess(ann, right).Reason, "and does not forget the failures of the prefix")
		})
	}
}

// authboss and limen read the counter, then write it: parallel guesses outrun both.
func TestParallelGuessesCannotOutrunTheCounter(t *testing.T) {
	eachTarget(t, func(t *testing.T, w *world, email string) {
		const many = 200
		start := w.pw.count()
		parallel(t, w, email, many)
		require.LessOrEqual(t, w.pw.count()-start, 5)
		require.Positive(t, w.pw.count()-start)
	}, func(c *auth.Config) { c.Throttle.PrefixCap = 1000 })
	eachTarget(t, func(t *testing.T, w *world, email string) {
		start := w.pw.count()
		parallel(t, w, email, 200)
		require.LessOrEqual(t, w.pw.count()-start, 7)
	}, func(c *auth.Config) { c.Throttle = auth.Throttle{Free: 100, Cap: 7, PrefixCap: 1000} })
}

// parallel guesses with flows of many browsers and, for every other guess, with one and the same handle.
func parallel(t *testing.T, w *world, email string, many int) {
	shared := w.browser()
	same, err := shared.begin(email)
	require.NoError(t, err)
	var done sync.WaitGroup
	for i := range many {
		b, handle := shared, same.Handle
		if i%2 == 0 {
			b = w.browser()
			p, err := b.begin(email)
			require.NoError(t, err)
			handle = p.Handle
		}
		done.Go(func() {
			p, err := w.Continue(context.Background(), auth.ContinueRequest{
				Handle: handle, Action: "password", Client: b.client(), Inputs: auth.Inputs{Password: auth.NewSecret(fmt.Sprint("guess", i))},
			})
			if err == nil && p.Session != nil {
				t.Error("a guess got a session")
			}
		})
	}
	done.Wait()
}

// A flood that keeps the server busy must not use up the owner's attempts, nor their flow.
func TestBusyGivesTheAttemptBack(t *testing.T) {
	eachTarget(t, func(t *testing.T, w *world, email string) {
		b := w.browser()
		p, err := b.begin(email)
		require.NoError(t, err)
		w.pw.setBusy(true)
		for range 20 {
			answer, err := b.password(p.Handle, right)
			refused(t, err, flow.Busy)
			require.True(t, answer.Handle.Equal(p.Handle), "the same handle goes on")
			require.Nil(t, answer.View.Refusal)
			require.Equal(t, p.View, answer.View)
		}
		w.pw.setBusy(false)
		for range 2 {
			p, err = b.password(p.Handle, wrong)
			require.NoError(t, err)
			require.Equal(t, flow.BadCredentials, reasonOf(p), "neither the lane, the account nor the prefix was charged")
		}
		p, err = b.password(p.Handle, right)
		require.NoError(t, err)
		require.Equal(t, email == ann, p.Session != nil)
	}, func(c *auth.Config) { c.Throttle.Cap, c.Throttle.AccountCap, c.Throttle.PrefixCap = 3, 3, 3 })
}

// If the attempt cannot be given back, that is a fault; it must not pass for a refusal that cost nothing.
func TestBusyWithoutARefundIsAFault(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	b := w.browser()
	p, err := b.begin(ann)
	require.NoError(t, err)
	w.pw.setBusy(true)
	w.tap.failOnce("Counters.Refund", false)
	_, err = b.password(p.Handle, right)
	require.ErrorIs(t, err, errFault)
	var denied *auth.DeniedError
	require.False(t, errors.As(err, &denied))
}

func TestBeginCap(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) { c.Throttle.BeginCap = 3 })
	b := w.browser()
	for range 3 {
		_, err := b.begin("")
		require.NoError(t, err)
	}
	w.tap.take()
	_, err := b.begin("")
	var denied *auth.DeniedError
	require.ErrorAs(t, err, &denied)
	require.Equal(t, flow.Refusal{Reason: flow.TooManyAttempts, RetryAt: w.clock.Now().Add(time.Second)}, denied.Refusal)
	require.Equal(t, []string{"Counters.Take"}, w.tap.take(), "nothing is stored for a flood")
	b.from(1)
	_, err = b.begin("")
	require.NoError(t, err)
	b.addr = netip.MustParseAddr("192.0.2.7")
	w.clock.Advance(time.Second)
	_, err = b.begin("")
	require.NoError(t, err)
}

func TestFlowEndsAfterItsFailures(t *testing.T) {
	eachTarget(t, func(t *testing.T, w *world, email string) {
		b := w.browser()
		p, err := b.begin(email)
		require.NoError(t, err)
		for i := range 3 {
			require.Equal(t, "open", p.View.Outcome, i)
			p, err = b.do(p.Handle, "restart", auth.Inputs{})
			require.NoError(t, err)
			p, err = b.do(p.Handle, "identify", auth.Inputs{Identifier: email})
			require.NoError(t, err)
			p, err = b.password(p.Handle, wrong)
			require.NoError(t, err)
		}
		require.Equal(t, "ended", p.View.Outcome)
		p, err = b.password(p.Handle, right)
		require.NoError(t, err)
		require.Nil(t, p.Session)
	}, func(c *auth.Config) { c.Limits.Failures = 3 })
}

// An account keeps its failed attempts over a rotation of keys, and so must an address that nobody has: else that
// day would tell the two apart.
func TestRotationForgetsNoAttempts(t *testing.T) {
	eachTarget(t, func(t *testing.T, w *world, email string) {
		b := w.browser()
		for range 2 {
			require.Equal(t, flow.BadCredentials, b.guess(email, wrong).Reason)
		}
		cfg := w.cfg
		cfg.Keys = testKeys(t, "k2", "k1")
		var err error
		w.Service, err = auth.New(cfg)
		require.NoError(t, err)
		require.Equal(t, flow.TooManyAttempts, b.guess(email, wrong).Reason)
	}, func(c *auth.Config) { c.Throttle.Cap = 2 })
}

// A review costs work that no gate bounds, and questions to a service that answers only so many.
func TestReviewsAreLimited(t *testing.T) {
	w := newWorld(t)
	w.account("ann@example.com")
	b := w.browser()
	b.signIn("ann@example.com", right)
	p, err := b.enrol()
	require.NoError(t, err)
	p, err = b.do(p.Handle, "password", auth.Inputs{Password: auth.NewSecret(right)})
	require.NoError(t, err)
	for range 30 {
		p, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret("short")})
		require.NoError(t, err)
		require.Equal(t, flow.PasswordRejected, reasonOf(p))
	}
	p, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret("a password of good length")})
	require.NoError(t, err)
	require.Equal(t, flow.TooManyAttempts, reasonOf(p))
	require.Equal(t, w.clock.Now().Add(time.Minute), p.View.Refusal.RetryAt)
	w.clock.Advance(time.Minute)
	p, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret("a password of good length")})
	require.NoError(t, err)
	require.NotNil(t, p.Session)
}
