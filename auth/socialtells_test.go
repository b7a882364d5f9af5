package auth_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// typedBefore are the addresses that somebody may have typed before they went to a provider.
var typedBefore = map[string]string{
	"nothing": "", "one with a connection": ann, "one without": "bob@example.com", "one that is disabled": "eve@example.com",
	"nobody's": stranger,
}

// mixed is an installation with an account of each kind.
func mixed(t *testing.T) *social {
	s := newSocial(t)
	s.connected(ann, annAtAcme)
	s.account("bob@example.com")
	_, eve := s.connected("eve@example.com", "eve-at-acme")
	require.True(t, s.alive(eve.session))
	a, err := s.store.FindByIdentifier(s.ctx, "eve@example.com")
	require.NoError(t, err)
	require.NoError(t, s.DisableAccount(s.ctx, a.ID))
	return s
}

// strangersTrip types the address, goes to acme and comes back with the parameters, and returns all that an outsider sees
// of it: the answers on the way, and the refusal of the last one.
func (s *social) strangersTrip(t *testing.T, typed string, params func(auth.Trip) map[string][]string) string {
	t.Helper()
	b := s.browser()
	var seen []map[string]any
	see := func(p auth.Progress, err error) auth.Progress {
		m := masked(t, p, err, "ADDRESS")
		m["departed"] = p.Departed
		seen = append(seen, m)
		return p
	}
	if typed == "" {
		see(b.leave("acme"))
	} else {
		at, err := b.begin(typed)
		require.NoError(t, err)
		see(b.do(at.Handle, "social", auth.Inputs{Connection: "acme"}))
	}
	p := see(b.comeBack("acme", params(s.acme.trip())))
	require.Nil(t, p.Session)
	text, err := json.Marshal(seen)
	require.NoError(t, err)
	// What was typed is shown again to who typed it. It goes for every address alike.
	return strings.ReplaceAll(string(text), typed+`"`, `ADDRESS"`)
}

// TestStrangersLearnNothingAtAProvider: whoever comes back as somebody whom no account here is connected with, or with an
// answer that is worth nothing, sees the same whatever address they typed before.
func TestStrangersLearnNothingAtAProvider(t *testing.T) {
	for name, params := range map[string]func(*social) func(auth.Trip) map[string][]string{
		"as nobody": func(s *social) func(auth.Trip) map[string][]string {
			return func(trip auth.Trip) map[string][]string { return answerOf(s.acme, trip, "nobody-at-acme") }
		},
		"declined": func(s *social) func(auth.Trip) map[string][]string {
			return func(trip auth.Trip) map[string][]string {
				return map[string][]string{"state": {trip.State.Reveal()}, "error": {"access_denied"}}
			}
		},
		"of another issuer": func(s *social) func(auth.Trip) map[string][]string {
			return func(trip auth.Trip) map[string][]string {
				return map[string][]string{"state": {trip.State.Reveal()}, "code": {annAtAcme}, "iss": {"https://evil.example"}}
			}
		},
		"with a state of their own": func(s *social) func(auth.Trip) map[string][]string {
			return func(trip auth.Trip) map[string][]string {
				return map[string][]string{"state": {"x"}, "code": {annAtAcme}}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := mixed(t)
			want := s.strangersTrip(t, stranger, params(s))
			for kind, typed := range typedBefore {
				if typed == "" {
					continue // nothing was typed: there is no address to show
				}
				require.Equal(t, want, s.strangersTrip(t, typed, params(s)), kind)
			}
			require.Equal(t, s.strangersTrip(t, "", params(s)), s.strangersTrip(t, "", params(s)))
		})
	}
}

// TestWhatWasTypedDecidesNothing: who the provider names is who comes in, whatever address was typed; and an account that
// is disabled is closed to its owner as well.
func TestWhatWasTypedDecidesNothing(t *testing.T) {
	for kind, typed := range typedBefore {
		t.Run(kind, func(t *testing.T) {
			s := mixed(t)
			come := func(code string) auth.Progress {
				b := s.browser()
				if typed == "" {
					_, err := b.leave("acme")
					require.NoError(t, err)
				} else {
					at, err := b.begin(typed)
					require.NoError(t, err)
					_, err = b.do(at.Handle, "social", auth.Inputs{Connection: "acme"})
					require.NoError(t, err)
				}
				p, err := b.comeBack("acme", answerOf(s.acme, s.acme.trip(), code))
				require.NoError(t, err)
				return p
			}
			a, err := s.store.FindByIdentifier(s.ctx, ann)
			require.NoError(t, err)
			p := come(annAtAcme)
			require.NotNil(t, p.Session, "%s", reasonOf(p))
			require.Equal(t, a.ID, p.Session.Account)
			p = come("eve-at-acme")
			require.Nil(t, p.Session)
			require.Equal(t, flow.AccountUnavailable, reasonOf(p), "to its owner, who has proven it, this may be said")
		})
	}
}
