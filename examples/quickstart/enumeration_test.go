package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/standard"
)

// A stranger must not learn who has an account: not from what is answered, and not from how long it takes.

// kinds are who may stand behind an address. The addresses are equally long, so that no length differs either.
var kinds = []string{"known", "other", "ended", "guest"} // has an account; has none; has one that is closed; is invited

func addressOf(kind string, n int) string { return fmt.Sprintf("%s%03d@example.com", kind, n) }

// openCrowd serves the quickstart's assembly in process, with n accounts of each kind that has them, and with
// throttles that let a test try often from one network address.
func openCrowd(t *testing.T, n int) site {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	origin := "http://localhost:" + port
	config := standard.Config{
		Origin: origin, Product: "Quickstart", Driver: "sqlite", Database: filepath.Join(t.TempDir(), "site.db"),
		Service: func(c *auth.Config) {
			c.Throttle.PrefixCap, c.Throttle.BeginCap = 10_000, 10_000
		},
	}
	configure(&config)
	config.Logger, config.SignUp = nil, true
	assembled, err := standard.Open(t.Context(), config)
	require.NoError(t, err)
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- assembled.Run(running) }()
	t.Cleanup(func() {
		stop()
		<-ended
		require.NoError(t, assembled.Close())
	})
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: assembled}}
	server.Start()
	t.Cleanup(server.Close)
	for i := range n {
		for _, kind := range []string{"known", "ended"} {
			account, err := assembled.Service.CreateAccount(t.Context(), auth.NewAccount{
				Identifier: addressOf(kind, i), Name: "Somebody", Language: "de", Password: auth.NewSecret(ada.password),
			})
			require.NoError(t, err)
			if kind == "ended" {
				require.NoError(t, assembled.Service.DisableAccount(context.Background(), account.ID))
			}
		}
		_, err := assembled.Service.Invite(t.Context(), auth.NewAccount{Identifier: addressOf("guest", i), Name: "Somebody", Language: "de"})
		require.NoError(t, err)
	}
	return site{url: origin}
}

// TestStrangersSeeNoDifference compares everything of every answer, up to and beyond the throttle.
func TestStrangersSeeNoDifference(t *testing.T) {
	for _, c := range []struct {
		name string
		walk func(t *testing.T, s site, address string, tries int) []string
	}{
		{"JSON", walkJSON},
		{"pages", walkPages},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openCrowd(t, 1)
			// Two flows in two browsers: failures are counted for an address, whether it has an account or not.
			seen := func(kind string) []string {
				return append(c.walk(t, s, addressOf(kind, 0), 4), c.walk(t, s, addressOf(kind, 0), 3)...)
			}
			known := seen("known")
			for _, kind := range kinds[1:] {
				require.Equal(t, known, seen(kind), kind)
			}
			all := strings.Join(known, "\n")
			require.Contains(t, all, "password is not right")
			require.Contains(t, all, "too many attempts", "the walk went as far as the throttle")
		})
	}
}

// TestStrangersMeasureNoDifference tries wrong passwords in turns and compares the medians of how long the
// answers took. The margin is wide, since test machines are busy; the figures are in the log.
func TestStrangersMeasureNoDifference(t *testing.T) {
	if testing.Short() {
		t.Skip("this takes seconds, and -short was asked for")
	}
	const rounds, perAccount = 40, 4 // a fifth failure would have to wait
	s := openCrowd(t, rounds/perAccount)
	client := newClient(t)
	client.Transport = nil // connections are kept, so that their set-up is not measured
	call := httpCaller(t, s, client)
	compareTimes(t, rounds, func(kind string, i int) time.Duration {
		a := call("POST", "/auth/flow", fields{"goal": "sign-in", "identifier": addressOf(kind, i/perAccount)})
		start := time.Now()
		a = call("POST", "/auth/flow", fields{"flow": a.text("flow"), "action": "password", "password": "not the password"})
		took := time.Since(start)
		require.Equal(t, "bad-credentials", a.code())
		return took
	})
}

// TestStrangersMeasureNoDifferenceInTheMailbox asks for new passwords and for accounts, in turns. A mail is written
// for some addresses and none for others, but not while anybody waits.
func TestStrangersMeasureNoDifferenceInTheMailbox(t *testing.T) {
	if testing.Short() {
		t.Skip("this takes seconds, and -short was asked for")
	}
	const rounds, perAddress = 120, 4 // a sixth mail to one address would have to wait
	for _, goal := range []string{"recovery", "sign-up"} {
		t.Run(goal, func(t *testing.T) {
			s := openCrowd(t, rounds/perAddress)
			client := newClient(t)
			client.Transport = nil
			call := httpCaller(t, s, client)
			compareTimes(t, rounds, func(kind string, i int) time.Duration {
				start := time.Now()
				a := call("POST", "/auth/flow", fields{"goal": goal, "identifier": addressOf(kind, i/perAddress)})
				took := time.Since(start)
				require.Equal(t, "address", a.text("need"), a.body)
				return took
			})
		})
	}
}

// compareTimes has every kind of address tried in turns, and compares the medians of how long that took.
func compareTimes(t *testing.T, rounds int, try func(kind string, round int) time.Duration) {
	t.Helper()
	took := map[string][]time.Duration{}
	for i := range rounds {
		for turn := range kinds {
			kind := kinds[(turn+i)%len(kinds)] // nobody is always first
			took[kind] = append(took[kind], try(kind, i))
		}
	}
	middle := map[string]time.Duration{}
	for _, kind := range kinds {
		slices.Sort(took[kind])
		middle[kind] = took[kind][rounds/2]
		t.Logf("%s: median %s, a tenth below %s, a tenth above %s", kind, middle[kind], took[kind][rounds/10], took[kind][rounds*9/10])
	}
	for _, kind := range kinds[1:] {
		ratio := float64(middle[kind]) / float64(middle["known"])
		t.Logf("%s : known = %.3f", kind, ratio)
		require.Greater(t, ratio, 0.67)
		require.Less(t, ratio, 1.5)
	}
}

// TestStrangersSeeNoDifferenceInTheMailbox compares everything of every answer to who asks for a new password, or
// for an account, until no more mails are sent.
func TestStrangersSeeNoDifferenceInTheMailbox(t *testing.T) {
	for _, goal := range []string{"recovery", "sign-up"} {
		for name, walk := range map[string]func(*testing.T, site, string, string) []string{"JSON": askJSON, "pages": askPages} {
			t.Run(goal+"/"+name, func(t *testing.T) {
				s := openCrowd(t, 1)
				var want []string
				for _, kind := range kinds {
					var seen []string
					for range 7 {
						seen = append(seen, walk(t, s, goal, addressOf(kind, 0))...)
					}
					if want == nil {
						want = seen
					}
					require.Equal(t, want, seen, kind)
				}
				require.Contains(t, strings.Join(want, "\n"), "WAIT minutes", "the walk went as far as the limit of mails")
			})
		}
	}
}
