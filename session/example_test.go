package session_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// A session is issued once, checked at each request, and ends by itself when it is not used.
func Example() {
	ctx := context.Background()
	sessions, err := session.New(session.Config{Store: newFakeStore()}) // a host gives a store of auth/store
	if err != nil {
		fmt.Println(err)
		return
	}
	morning := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	proofs := []flow.Proof{{Method: flow.Password, At: morning, Account: "acct-7"}}
	issued, err := sessions.Issue(ctx, auth.SessionRequest{
		Account: "acct-7", Standing: auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 1, Session: 1}},
		Proofs: proofs, Assurance: flow.AssuranceOf(proofs), Client: auth.Client{UserAgent: "Firefox"},
	}, morning)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("token:", issued.Token) // a Secret: only Reveal gives it away

	for _, now := range []time.Time{morning.Add(11 * time.Hour), morning.Add(22 * time.Hour), morning.Add(35 * time.Hour)} {
		s, err := sessions.Authenticate(ctx, issued.Token, now)
		if errors.Is(err, flow.Deny(flow.SessionRequired)) {
			fmt.Println("sign in again")
			continue
		}
		fmt.Println(s.Account, "until", s.ExpiresAt.Format("Mon 15:04"))
	}
	// Output:
	// token: [secret]
	// acct-7 until Tue 07:00
	// acct-7 until Tue 18:00
	// sign in again
}

// A browser that signed in before is recognised by a cookie that proves it.
func ExampleDevices() {
	keys, _ := auth.NewKeys(auth.Key{ID: "k1", Bytes: [32]byte{1}}) // a real one is 32 random bytes
	devices, err := session.NewDevices(session.DevicesConfig{Keys: keys})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	cookie, err := devices.Remember(auth.Secret{}, "acct-7", now)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(devices.Known(cookie, "acct-7", now.AddDate(0, 6, 0)))
	fmt.Println(devices.Known(cookie, "acct-8", now.AddDate(0, 6, 0)))
	fmt.Println(devices.Known(cookie, "acct-7", now.AddDate(1, 1, 0)))
	// Output:
	// true
	// false
	// false
}
