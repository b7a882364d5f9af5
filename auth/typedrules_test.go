package auth_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/flow"
)

// TestATypedAddressSparesNothing: whoever types the address first, and then proves by something that names the account
// itself, owes what everybody owes: the step that takes the proof over is taken under the account's rules.
func TestATypedAddressSparesNothing(t *testing.T) {
	ready := func(t *testing.T, b *browser) auth.Progress {
		at, err := b.begin(ann)
		require.NoError(t, err)
		return at
	}
	ways := map[string]func(t *testing.T, change func(*auth.Config)) func() auth.Progress{
		"a provider": func(t *testing.T, change func(*auth.Config)) func() auth.Progress {
			s := newSocial(t, change)
			_, owner := s.connected(ann, annAtAcme)
			s.pair(owner)
			s.clock.Advance(time.Minute)
			return func() auth.Progress {
				b := s.browser()
				_, err := b.do(ready(t, b).Handle, "social", auth.Inputs{Connection: "acme"})
				require.NoError(t, err)
				p, err := b.comeBack("acme", answerOf(s.acme, s.acme.trip(), annAtAcme))
				require.NoError(t, err)
				return p
			}
		},
		"a passkey that verified nobody": func(t *testing.T, change func(*auth.Config)) func() auth.Progress {
			w := newKeyed(t, change)
			device := authtest.NewAuthenticator(site)
			w.passkeyed(device)
			device.Verifies = false
			return func() auth.Progress {
				b := w.browser()
				p, err := b.use(ready(t, b), device)
				require.NoError(t, err)
				return p
			}
		},
	}
	strict := false // once the account is ready
	for by, world := range ways {
		for what, c := range map[string]struct {
			change func(*auth.Config)
			need   flow.Need
			ended  flow.Reason
		}{
			"a second factor": {func(*auth.Config) {}, flow.SecondFactor, 0},
			"a code by mail": {func(c *auth.Config) {
				c.Rules = func(context.Context, auth.Account) (flow.Rules, error) {
					if strict {
						return flow.Rules{Verification: flow.VerifyPasswordAndSocial}, nil
					}
					return flow.Rules{}, nil
				}
			}, flow.DeviceCheck, 0},
			"the host's verdict": {func(c *auth.Config) {
				c.Risk = func(context.Context, auth.RiskRequest) (flow.Verdict, error) {
					if strict {
						return flow.RiskRefuse, nil
					}
					return flow.RiskAllow, nil
				}
			}, flow.NoNeed, flow.SignInRefused},
		} {
			if what == "a code by mail" && by != "a provider" {
				continue // which a passkey stands in for
			}
			t.Run(by+", and then "+what, func(t *testing.T) {
				strict = false
				come := world(t, c.change)
				strict = true
				p := come()
				require.Nil(t, p.Session)
				require.Equal(t, c.need, p.View.Need)
				if c.ended != 0 {
					require.Equal(t, c.ended, reasonOf(p))
				}
			})
		}
	}
}
