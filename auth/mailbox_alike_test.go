package auth_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// TestMailIsBounded asks a thousand times, for an address with an account and for one without.
func TestMailIsBounded(t *testing.T) {
	for _, email := range []string{ann, stranger} {
		w := newOpen(t, func(c *auth.Config) {
			c.Throttle.BeginCap, c.Throttle.PrefixCap, c.WriteToStrangers = 1<<20, 1<<20, true
		})
		w.account(ann)
		sent := 0
		for i := range 1000 {
			p, err := w.browser().ask(flow.Recovery, email)
			require.NoError(t, err)
			if i >= 5 {
				require.Equal(t, flow.TooSoon, reasonOf(p))
			}
			sent += len(w.letters())
		}
		require.Equal(t, 5, sent, email)
	}
}

// TestOwnCodesDoNotTell lets an owner use up the letters of the account itself: a stranger must not see it.
func TestOwnCodesDoNotTell(t *testing.T) {
	w := newOpen(t, func(c *auth.Config) {
		c.Rules = func(context.Context, auth.Account) (flow.Rules, error) {
			return flow.Rules{Verification: flow.VerifyPassword}, nil
		}
	})
	w.account(ann)
	for range 5 {
		_, err := w.browser().try(ann, right)
		require.NoError(t, err)
	}
	for _, goal := range []flow.Goal{flow.Recovery, flow.SignUp} {
		p, err := w.browser().ask(goal, ann)
		require.NoError(t, err)
		require.Zero(t, reasonOf(p), "%s", goal)
	}
}

// TestEveryAddressIsAnsweredAlike compares what strangers see, for every goal that a mailbox serves, and the calls
// that it costs.
func TestEveryAddressIsAnsweredAlike(t *testing.T) {
	addresses := map[string]func(w *postal) string{
		"active":  func(w *postal) string { w.account(ann); return ann },
		"unknown": func(*postal) string { return stranger },
		"invited": func(w *postal) string {
			_, err := w.Invite(w.ctx, auth.NewAccount{Identifier: ann})
			require.NoError(t, err)
			return ann
		},
		"disabled": func(w *postal) string { require.NoError(t, w.DisableAccount(w.ctx, w.account(ann).ID)); return ann },
		"never opened": func(w *postal) string {
			require.NoError(t, w.store.Create(w.ctx, auth.Account{ID: "x1", Identifier: ann, Display: ann}))
			return ann
		},
		"reserved": func(w *postal) string {
			w.account(ann)
			b := w.browser()
			b.signIn(ann, right)
			w.letters()
			p, err := b.move("bea@example.com")
			require.NoError(t, err)
			_, err = b.answer(p, w.secretIn(w.only(auth.NewAddressLetter, "bea@example.com")))
			require.NoError(t, err)
			return ann
		},
	}
	type seen struct {
		views []map[string]any
		calls []string
	}
	for _, goal := range []flow.Goal{flow.Recovery, flow.SignUp} {
		var want *seen
		for name, make := range addresses {
			w := newOpen(t)
			email := make(w)
			w.letters()
			w.tap.take()
			b, got := w.browser(), &seen{}
			look := func(p auth.Progress, err error) auth.Progress {
				got.views = append(got.views, masked(t, p, err, email))
				return p
			}
			begun := w.clock.Now()
			p := look(b.ask(goal, email))
			action := "mail-code"
			if goal == flow.Recovery {
				action = "mail-link"
			}
			p = look(b.do(p.Handle, action, auth.Inputs{Code: auth.NewSecret("00000000")}))
			p = look(b.do(p.Handle, "send-"+action, auth.Inputs{}))
			w.clock.Advance(time.Minute)
			p = look(b.do(p.Handle, "send-"+action, auth.Inputs{}))
			p = look(b.do(p.Handle, action, auth.Inputs{Code: auth.NewSecret("00000000")}))
			look(b.do(p.Handle, "restart", auth.Inputs{}))
			for _, v := range got.views {
				delete(v, "deadline")
				if r, ok := v["refusal"].(map[string]any); ok && r["retry_at"] != nil {
					at, err := time.Parse(time.RFC3339, fmt.Sprint(r["retry_at"]))
					require.NoError(t, err)
					r["retry_at"] = at.Sub(begun).String()
				}
			}
			got.calls = w.tap.take()
			require.Len(t, w.letters(), 2, "%s: as many letters for all, of which the blank ones are never sent", name)
			if want == nil {
				want = got
				continue
			}
			require.Equal(t, want.views, got.views, "%s of an address that is %s", goal, name)
			require.Equal(t, want.calls, got.calls, "%s of an address that is %s", goal, name)
		}
	}
}
