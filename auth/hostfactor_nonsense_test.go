package auth_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// badError is an error that cannot even be read.
type badError struct{ text *string }

func (e *badError) Error() string { return *e.text }

// untouched runs act, and demands that it brought no session and changed nothing of the account.
func untouched(w *postal, id string, act func() (auth.Progress, error)) (auth.Progress, error) {
	w.t.Helper()
	factors, standing, live := must(w.store.Factors(w.ctx, id)), w.standing(id), w.live(id)
	p, err := act()
	require.Nil(w.t, p.Session)
	require.Equal(w.t, factors, must(w.store.Factors(w.ctx, id)))
	require.Equal(w.t, standing, w.standing(id))
	require.Equal(w.t, live, w.live(id))
	return p, err
}

// TestACounterThatDoesNotRiseIsNoProof: a host that forgets what was used lets nobody use it twice. To whoever
// tries, it looks like any wrong code.
func TestACounterThatDoesNotRiseIsNoProof(t *testing.T) {
	for name, c := range map[string]struct {
		counter int64
		data    string
	}{
		"stays": {1, ""}, "goes back": {0, ""}, "is negative": {-1, ""}, "is the least": {math.MinInt64, ""}, "stays, with other data": {1, "other"},
	} {
		t.Run(name, func(t *testing.T) {
			w, host := newCarded(t)
			a, _ := w.carded()
			host.check = func(auth.StoredFactor, string) (auth.HostUse, bool, error) {
				return auth.HostUse{Counter: c.counter, Data: c.data}, true, nil
			}
			p, err := untouched(w, a.ID, func() (auth.Progress, error) { return w.browser().present(card(a.ID, 2)), nil })
			require.NoError(t, err)
			require.Equal(t, flow.WrongCode, reasonOf(p))
			require.Contains(t, w.logs.String(), "not after the last one's", "the host's programmer is told")
		})
	}
}

// hostFaults are what is a fault whichever question the host was asked.
var hostFaults = map[string]func() error{
	"an error":              func() error { return errFault },
	"a refusal":             func() error { return flow.Deny(flow.AccountUnavailable) },
	"a wrapped refusal":     func() error { return fmt.Errorf("x: %w", flow.Deny(flow.Stale)) },
	"a sentinel":            func() error { return auth.ErrStale },
	"another sentinel":      func() error { return auth.ErrNotFound },
	"an unreadable error":   func() error { return (*badError)(nil) },
	"a panic":               func() error { panic("card-secret") },
	"a panic of the system": func() error { panic(errors.New("card-secret")) },
	"a nil pointer":         func() error { var c *cards; c.asked.Add(1); return nil },
	"the end of goroutine":  func() error { runtime.Goexit(); return nil },
	"an error that tells":   func() error { return errors.New("no such code: card-secret") },
}

// TestWhatGoesWrongInAHostIsAFault: it denies and says nothing, also where what the host answers beside it, or the
// words of its error, would say something. The try was one.
func TestWhatGoesWrongInAHostIsAFault(t *testing.T) {
	typed := auth.NewSecret("card-secret")
	for name, fault := range hostFaults {
		t.Run(name, func(t *testing.T) {
			w, host := newCarded(t)
			a, b := w.carded()
			host.check = func(f auth.StoredFactor, _ string) (auth.HostUse, bool, error) {
				return auth.HostUse{Counter: f.Counter + 1}, true, fault()
			}
			host.enrol = func(string, string) (auth.HostEnrolment, bool, error) {
				return auth.HostEnrolment{Handle: "another"}, true, fault()
			}
			other := w.browser()
			at, err := other.try(ann, right)
			require.NoError(t, err)
			faulty := func(act func() (auth.Progress, error)) {
				t.Helper()
				p, err := untouched(w, a.ID, act)
				var denied *auth.DeniedError
				require.Error(t, err)
				require.NotErrorAs(t, err, &denied, "no host refuses on the service's behalf")
				require.NotErrorIs(t, err, auth.ErrStale)
				require.NotErrorIs(t, err, auth.ErrNotFound)
				require.NotContains(t, err.Error()+w.logs.String(), typed.Reveal())
				require.Empty(t, p.FlowID)
			}
			for range 5 {
				faulty(func() (auth.Progress, error) { return other.hostFactor(at, typed) })
			}
			p, err := other.hostFactor(at, typed)
			require.NoError(t, err)
			require.Equal(t, flow.TooManyAttempts, reasonOf(p), "or a fault would be a way to try for ever")
			w.clock.Advance(30 * time.Second)
			faulty(func() (auth.Progress, error) { return b.enrolCard(typed) })
		})
	}
}

// TestAHostsAnswerMustFitTheStore: what no store has to keep is never asked of one.
func TestAHostsAnswerMustFitTheStore(t *testing.T) {
	w, host := newCarded(t)
	a, b := w.carded()
	long := strings.Repeat("d", 4097)
	for name, e := range map[string]auth.HostEnrolment{
		"no handle": {Counter: 1}, "a long handle": {Handle: strings.Repeat("h", 1401)}, "a handle that is no text": {Handle: "\xff"},
		"long data": {Handle: "h", Data: long}, "a negative counter": {Handle: "h", Counter: -1},
	} {
		host.enrol = func(string, string) (auth.HostEnrolment, bool, error) { return e, true, nil }
		_, err := untouched(w, a.ID, func() (auth.Progress, error) { return b.enrolCard(card(a.ID, 1)) })
		require.ErrorContains(t, err, "auth: host factor: ", name)
	}
	host.check = func(auth.StoredFactor, string) (auth.HostUse, bool, error) {
		return auth.HostUse{Counter: 9, Data: long}, true, nil
	}
	w.clock.Advance(time.Minute) // a fault is a try
	at, err := b.try(ann, right)
	require.NoError(t, err)
	_, err = untouched(w, a.ID, func() (auth.Progress, error) { return b.hostFactor(at, card(a.ID, 2)) })
	require.ErrorContains(t, err, "Data is longer")

	w.clock.Advance(time.Hour)
	host.check = nil
	require.NotNil(t, b.present(card(a.ID, 2)).Session)
	host.enrol = func(string, string) (auth.HostEnrolment, bool, error) {
		return auth.HostEnrolment{Handle: strings.Repeat("h", 1400), Data: long[1:]}, true, nil
	}
	p, err := b.enrolCard(card(a.ID, 1))
	require.NoError(t, err)
	require.NotNil(t, p.Session, "the longest")
	host.check = func(auth.StoredFactor, string) (auth.HostUse, bool, error) {
		return auth.HostUse{Counter: math.MaxInt64, Data: long[1:]}, true, nil
	}
	require.NotNil(t, w.browser().present(card(a.ID, 2)).Session)
}

// TestWhatIsNoCodeNeverReachesTheHost: what takes long to look at is not looked at.
func TestWhatIsNoCodeNeverReachesTheHost(t *testing.T) {
	w, host := newCarded(t)
	a, b := w.carded()
	asked := host.asked.Load()
	long := auth.NewSecret(strings.Repeat("9", 257))
	require.Equal(t, flow.WrongCode, reasonOf(w.browser().present(long)))
	p, err := b.enrolCard(long)
	require.NoError(t, err)
	require.Equal(t, flow.WrongCode, reasonOf(p))
	at, err := b.enrolFactor(flow.HostFactor)
	require.NoError(t, err)
	_, err = b.do(at.Handle, "enrol-host-factor", auth.Inputs{})
	refused(t, err, flow.Malformed)
	p, err = b.do(at.Handle, "enrol-host-factor", auth.Inputs{Code: card(a.ID, 2), Name: strings.Repeat("n", 65)})
	require.NoError(t, err)
	require.Equal(t, flow.Malformed, reasonOf(p), "before a code is spent on it")
	require.Equal(t, asked, host.asked.Load())
	require.Equal(t, flow.WrongCode, reasonOf(w.browser().present(auth.NewSecret(strings.Repeat("9", 256)))))
	require.Equal(t, asked+1, host.asked.Load())
}

// TestAHostThatHangsIsLeftBehind: the request ends after ten seconds of the host, nobody is let in, and what it
// answers then changes nothing.
func TestAHostThatHangsIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, host := newCarded(t)
		a, b := w.carded()
		release := make(chan struct{})
		host.check = func(f auth.StoredFactor, _ string) (auth.HostUse, bool, error) {
			<-release // whatever its context says
			return auth.HostUse{Counter: f.Counter + 1}, true, nil
		}
		host.enrol = func(string, string) (auth.HostEnrolment, bool, error) {
			<-release
			return auth.HostEnrolment{Handle: "late"}, true, nil
		}
		other := w.browser()
		at, err := other.try(ann, right)
		require.NoError(t, err)
		for _, act := range []func() (auth.Progress, error){
			func() (auth.Progress, error) { return other.hostFactor(at, card(a.ID, 2)) },
			func() (auth.Progress, error) { return b.enrolCard(card(a.ID, 2)) },
		} {
			began := time.Now()
			_, err = untouched(w, a.ID, act)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, 10*time.Second, time.Since(began))
		}
		_, err = untouched(w, a.ID, func() (auth.Progress, error) {
			close(release)
			synctest.Wait() // it answers
			return auth.Progress{}, nil
		})
		require.NoError(t, err)
	})
}

// TestACallerWhoLeavesDoesNotWaitForTheHost, and two factors share one patience.
func TestACallerWhoLeavesDoesNotWaitForTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, host := newCarded(t)
		a, b := w.carded()
		host.enrol = func(string, string) (auth.HostEnrolment, bool, error) {
			return auth.HostEnrolment{Handle: "a second card"}, true, nil
		}
		p, err := b.enrolCard(card(a.ID, 1))
		require.NoError(t, err)
		require.NotNil(t, p.Session)
		host.check = func(auth.StoredFactor, string) (auth.HostUse, bool, error) {
			time.Sleep(6 * time.Second)
			return auth.HostUse{}, false, nil
		}
		at, err := b.try(ann, right)
		require.NoError(t, err)
		began := time.Now()
		_, err = b.hostFactor(at, card(a.ID, 2))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 10*time.Second, time.Since(began))

		leaving, leave := context.WithTimeout(w.ctx, time.Second)
		defer leave()
		began = time.Now()
		_, err = w.Continue(leaving, auth.ContinueRequest{
			Handle: at.Handle, Action: "host-factor", Inputs: auth.Inputs{Code: card(a.ID, 2)}, Client: b.client(),
		})
		require.Error(t, err)
		require.Equal(t, time.Second, time.Since(began))
		time.Sleep(time.Minute) // the host's goroutines end
	})
}

// TestAHostsFactorThatIsGoneIsNotSkipped: an account that has one is asked for it, though nobody can check it any
// more. Whoever takes the host's factor out of the configuration must not take it from under people.
func TestAHostsFactorThatIsGoneIsNotSkipped(t *testing.T) {
	w, _ := newCarded(t)
	a, b := w.carded()
	cfg := w.cfg
	cfg.HostFactor = nil
	s, err := auth.New(cfg)
	require.NoError(t, err)
	w.Service = s
	other := w.browser()
	at, err := other.try(ann, right)
	require.NoError(t, err)
	require.Equal(t, flow.SecondFactor, at.View.Need)
	_, err = untouched(w, a.ID, func() (auth.Progress, error) { return other.hostFactor(at, card(a.ID, 2)) })
	require.ErrorContains(t, err, "Config.HostFactor is not set")
	_, err = b.enrolCard(card(a.ID, 2))
	refused(t, err, flow.NotOffered)
}

func TestNewRefusesAHostsFactorThatCannotWork(t *testing.T) {
	w, _ := newCarded(t)
	for want, change := range map[string]func(*auth.Config){
		"Factors is required with Apps, Codes, Passkeys and HostFactor":  func(c *auth.Config) { c.Factors, c.Apps, c.Codes = nil, nil, nil },
		"HostFactor is a nil pointer; leave the field out to offer none": func(c *auth.Config) { c.HostFactor = (*cards)(nil) },
		"Codes are set without another second factor":                    func(c *auth.Config) { c.HostFactor, c.Apps = nil, nil },
	} {
		cfg := w.cfg
		change(&cfg)
		s, err := auth.New(cfg)
		require.ErrorContains(t, err, want)
		require.Nil(t, s)
	}
}

// TestAHostsFactorIsReported: as a way to a session, by what the service holds it to and by what the host says of it.
func TestAHostsFactorIsReported(t *testing.T) {
	w, _ := newCarded(t)
	markdown, encoded := both(t, w.Service)
	for _, want := range []string{
		"| sign-in | password and host factor | aal2 |", "| step-up | password and host factor | aal2 |", "| codes on a card | 40 |",
		"| a code works | once |", "| an answer is waited for | 10 seconds |",
	} {
		require.Contains(t, markdown, want)
	}
	require.Contains(t, encoded, `"proofs":"password and host factor"`)
	without, _ := both(t, newFactored(t).Service)
	require.NotContains(t, without, "host")
}
