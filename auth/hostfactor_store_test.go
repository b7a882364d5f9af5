package auth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// TestAStoreThatFailsUnderAHostsFactor lets nobody in. A code that was not used can be typed again; one that was used
// before the answer got lost cannot.
func TestAStoreThatFailsUnderAHostsFactor(t *testing.T) {
	for _, worked := range []bool{false, true} {
		w, _ := newCarded(t)
		a, _ := w.carded()
		other := w.browser()
		at, err := other.try(ann, right)
		require.NoError(t, err)
		live := w.live(a.ID)
		for _, call := range []string{"Counters.Take", "Factors.Factors", "Factors.UseFactor"} {
			w.tap.failOnce(call, worked)
			p, err := other.hostFactor(at, card(a.ID, 2))
			require.ErrorIs(t, err, errFault, call)
			require.Nil(t, p.Session)
			require.Equal(t, live, w.live(a.ID))
			w.tap.set(nil)
		}
		at, err = w.Look(w.ctx, at.FlowID, other.client()) // the last try was claimed before it broke off
		require.NoError(t, err)
		p, err := other.hostFactor(at, card(a.ID, 2))
		require.NoError(t, err)
		require.Equal(t, worked, p.Session == nil, "used before the answer got lost: %v", worked)

		w.clock.Advance(time.Hour)
		b := w.browser()
		q := b.present(card(a.ID, 9))
		require.NotNil(t, q.Session)
		require.NoError(t, w.ResetFactors(w.ctx, a.ID))
		b.signIn(ann, right)
		for _, call := range []string{"Counters.Take", "Counters.Refund", "Counters.Reset", "Factors.ChangeFactors"} {
			at, err := b.enrolFactor(flow.HostFactor)
			require.NoError(t, err)
			w.tap.failOnce(call, worked)
			p, err := b.do(at.Handle, "enrol-host-factor", auth.Inputs{Code: card(a.ID, 10)})
			require.ErrorIs(t, err, errFault, call)
			require.Nil(t, p.Session)
			w.tap.set(nil)
			if call != "Factors.ChangeFactors" || !worked {
				require.Empty(t, must(w.store.Factors(w.ctx, a.ID)), call)
			}
		}
	}
}

// TestWhatHappensWhileTheHostThinks: an account that is closed, or whose factors are taken off, in the time that the
// host takes for its answer, is let in by none.
func TestWhatHappensWhileTheHostThinks(t *testing.T) {
	for name, meanwhile := range map[string]func(w *postal, id string) error{
		"an operator takes its factors off": func(w *postal, id string) error { return w.ResetFactors(w.ctx, id) },
		"an operator disables it":           func(w *postal, id string) error { return w.DisableAccount(w.ctx, id) },
		"it is deleted":                     func(w *postal, id string) error { return w.DeleteAccount(w.ctx, id) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, adds := range []bool{false, true} {
				w, host := newCarded(t)
				a, b := w.carded()
				host.check = func(f auth.StoredFactor, _ string) (auth.HostUse, bool, error) {
					return auth.HostUse{Counter: f.Counter + 1}, true, meanwhile(w, a.ID)
				}
				host.enrol = func(string, string) (auth.HostEnrolment, bool, error) {
					return auth.HostEnrolment{Handle: "a second card"}, true, meanwhile(w, a.ID)
				}
				var p auth.Progress
				if adds {
					p, _ = b.enrolCard(card(a.ID, 2))
				} else {
					p = w.browser().present(card(a.ID, 2))
				}
				require.Nil(t, p.Session)
				require.Empty(t, w.live(a.ID))
				for _, f := range must(w.store.Factors(w.ctx, a.ID)) {
					require.Equal(t, "card of "+a.ID, f.Handle, "nothing was added")
				}
			}
		})
	}
}

// TestOfTwoWhoAddACardOneDoes: both hold a flow and a right code; the account changes under the second.
func TestOfTwoWhoAddACardOneDoes(t *testing.T) {
	w, _ := newCarded(t)
	a := w.account(ann)
	b := w.browser()
	b.signIn(ann, right)
	first, err := b.enrolFactor(flow.HostFactor)
	require.NoError(t, err)
	other := w.browser()
	other.signIn(ann, right)
	second, err := other.enrolFactor(flow.HostFactor)
	require.NoError(t, err)
	p, err := b.do(first.Handle, "enrol-host-factor", auth.Inputs{Code: card(a.ID, 1)})
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	p, err = other.do(second.Handle, "enrol-host-factor", auth.Inputs{Code: card(a.ID, 1)})
	require.True(t, err != nil || p.Session == nil)
	require.Len(t, must(w.store.Factors(w.ctx, a.ID)), 1)
}
