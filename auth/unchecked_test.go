package auth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

var (
	letPass = auth.PasswordReview{Unchecked: true}
	refuse  = auth.PasswordReview{Unchecked: true, Problem: "unchecked"}
)

// ASVS 6.2.12: if nobody can say whether a new password is known from a breach, that is on record, whether it
// passes or not.
func TestUncheckedPasswords(t *testing.T) {
	unchecked := func(w *world) (found []auth.AuditEvent) {
		for _, e := range w.audit.take() {
			if e.What == "password-check-failed" {
				found = append(found, e)
			}
		}
		return found
	}
	for _, c := range []struct {
		name   string
		review auth.PasswordReview
		next   string
		reason string // of the event
		events int
	}{
		{"checked", auth.PasswordReview{}, newer, "", 0},
		{"refused by those that work", refuse, weak, "", 0},
		{"let pass", letPass, newer, "", 1},
		{"refused", refuse, newer, "busy", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.account(ann)
			b := w.browser()
			acting := b.signIn(ann, right)
			w.audit.take()
			w.pw.setDown(c.review)
			begun, err := b.enrol()
			require.NoError(t, err)
			p, err := b.do(begun.Handle, "password", change(right, c.next, true))
			events := unchecked(w)
			require.Len(t, events, c.events)
			for _, e := range events {
				require.Equal(t, auth.AuditEvent{
					Time: start, What: "password-check-failed", Goal: "enrolment", FlowID: begun.FlowID, Account: a.ID, Session: acting.ID,
					Method: "password", Reason: c.reason, Client: "browser", Prefix: e.Prefix, UserAgent: e.UserAgent, Known: true,
				}, e)
				require.Contains(t, w.logs.String(), `"event":"password-check-failed"`)
			}
			if c.reason == "" {
				require.NoError(t, err)
				require.Equal(t, c.next == newer, p.Session != nil)
				return
			}
			refused(t, err, flow.Busy)
			var denied *auth.DeniedError
			require.ErrorAs(t, err, &denied)
			require.Equal(t, flow.Refusal{Reason: flow.Busy, Problem: "unchecked"}, denied.Refusal)
			require.True(t, p.Handle.Equal(begun.Handle), "the same handle goes on")
			require.True(t, w.alive(b.session), "nothing happened")
			w.pw.setDown(auth.PasswordReview{})
			p, err = b.do(p.Handle, "password", change(right, newer, true))
			require.NoError(t, err)
			require.NotNil(t, p.Session)
		})
	}
	t.Run("a new account", func(t *testing.T) {
		w := newWorld(t)
		w.pw.setDown(refuse)
		_, err := w.CreateAccount(w.ctx, auth.NewAccount{Identifier: ann, Password: auth.NewSecret(right)})
		refused(t, err, flow.Busy)
		_, err = w.store.FindByIdentifier(w.ctx, ann)
		require.ErrorIs(t, err, auth.ErrNotFound, "a refusal creates nothing")
		require.Equal(t, []auth.AuditEvent{{Time: start, What: "password-check-failed", Method: "password", Reason: "busy"}}, unchecked(w))
		w.pw.setDown(letPass)
		w.account(ann)
		require.Equal(t, []auth.AuditEvent{{Time: start, What: "password-check-failed", Method: "password"}}, unchecked(w))
	})
}

// A compromised password stays refused as its own successor, also while others cannot be asked.
func TestUncheckedPasswordsMayNotBeTheCompromisedOne(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	require.NoError(t, w.MarkPasswordCompromised(w.ctx, a.ID))
	w.pw.setDown(letPass)
	b := w.browser()
	p, err := b.try(ann, right)
	require.NoError(t, err)
	p, err = b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(right)})
	require.NoError(t, err)
	require.Equal(t, &flow.Refusal{Reason: flow.PasswordRejected, Problem: auth.ProblemUnchanged}, p.View.Refusal)
	require.Nil(t, p.Session)
}
