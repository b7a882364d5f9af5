package auth_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// hangUp makes the client of a request go away once the port has done its work. From then on the ports fail as a
// database does with the request's context.
func (w *world) hangUp(port string) context.Context {
	ctx, cancel := context.WithCancel(w.ctx)
	w.tap.set(func(within context.Context, _ int, name string, work func() error) error {
		if err := within.Err(); err != nil {
			return err
		}
		err := work()
		if strings.HasPrefix(name, port) {
			cancel()
		}
		return err
	})
	w.t.Cleanup(cancel)
	return ctx
}

// Whoever closes half of the connection cancels the request's context and still reads the answer. A thief who does
// it in the moment in which the session is there must not keep the owner from hearing of it.
func TestHangingUpSuppressesNoNotice(t *testing.T) {
	for _, port := range []string{"Sessions.Issue", "Devices.Remember"} {
		t.Run(port, func(t *testing.T) {
			w := newPostal(t)
			w.account("ann@example.com")
			b := w.browser()
			at := w.enter(b)
			code := w.code()
			w.audit.take()
			ctx := w.hangUp(port)
			p, err := w.Continue(ctx, auth.ContinueRequest{
				Handle: at.Handle, Action: flow.MailCode.String(), Inputs: auth.Inputs{Code: code}, Client: b.client(),
			})
			w.tap.set(nil)
			require.NoError(t, err)
			require.NotNil(t, p.Session)
			require.Equal(t, []auth.LetterKind{auth.NewDeviceNotice}, kinds(w.letters()))
			require.Contains(t, whats(w.audit.take()), "session-granted")
		})
	}
}

// Nor must who is found to be a thief save the account from being locked.
func TestHangingUpPreventsNoLock(t *testing.T) {
	w := newWorld(t, func(c *auth.Config) {
		c.Rules = func(context.Context, auth.Account) (flow.Rules, error) { return flow.Rules{Risk: true}, nil }
		c.Risk = func(context.Context, auth.RiskRequest) (flow.Verdict, error) { return flow.RiskLock, nil }
	})
	a := w.account("ann@example.com")
	b := w.browser()
	at, err := b.begin("ann@example.com")
	require.NoError(t, err)
	_, err = w.Continue(w.hangUp("Counters.Reset"), auth.ContinueRequest{
		Handle: at.Handle, Action: flow.Password.String(), Inputs: auth.Inputs{Password: auth.NewSecret(right)}, Client: b.client(),
	})
	w.tap.set(nil)
	require.Error(t, err)
	require.Equal(t, flow.Locked, w.standing(a.ID).Status)
}

// A guess that was looked at is on record, whether or not the one who made it waits for the answer.
func TestHangingUpSuppressesNoAudit(t *testing.T) {
	w := newWorld(t)
	w.account("ann@example.com")
	b := w.browser()
	at, err := b.begin("ann@example.com")
	require.NoError(t, err)
	w.audit.take()
	_, err = w.Continue(w.hangUp("Passwords.Verify"), auth.ContinueRequest{
		Handle: at.Handle, Action: flow.Password.String(), Inputs: auth.Inputs{Password: auth.NewSecret("a wrong password")}, Client: b.client(),
	})
	require.Error(t, err)
	require.Contains(t, whats(w.audit.take()), "proof-failed")
}

func whats(events []auth.AuditEvent) (list []string) {
	for _, e := range events {
		list = append(list, e.What)
	}
	return list
}
