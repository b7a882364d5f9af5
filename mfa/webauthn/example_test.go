package webauthn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/mfa/webauthn"
)

// A host keeps credentials in a table whose key is their id, and hands them over when it is asked.
func ExampleRelyingParty() {
	keys, err := auth.NewKeys(auth.Key{ID: "k1", Bytes: [32]byte{1, 2, 3}})
	if err != nil {
		panic(err)
	}
	rp, err := webauthn.New(webauthn.Config{Keys: keys, Origin: "https://app.example", Product: "Example"})
	if err != nil {
		panic(err)
	}
	table := map[string]webauthn.Credential{}
	lookup := func(_ context.Context, id []byte) (webauthn.Credential, error) {
		if c, ok := table[string(id)]; ok {
			return c, nil
		}
		return webauthn.Credential{}, auth.ErrNotFound
	}

	// Somebody opens the sign-in page. The options go into it, the state into their flow.
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	ceremony, err := rp.BeginDiscoverable(false, now)
	if err != nil {
		panic(err)
	}
	var options struct {
		RPID             string `json:"rpId"`
		UserVerification string
		Timeout          int
	}
	if err := json.Unmarshal(ceremony.Options, &options); err != nil {
		panic(err)
	}
	fmt.Println(options.RPID, options.UserVerification, options.Timeout)

	// What comes back is checked once, and the state dropped in the same act.
	_, err = rp.FinishAssertion(context.Background(), ceremony.State, []byte(`{"id":"AAAA"}`), lookup, now)
	var refusal *webauthn.RefusedError
	if errors.As(err, &refusal) {
		fmt.Println("for the audit record:", refusal.Reason)
	}
	// Output:
	// app.example preferred 300000
	// for the audit record: malformed
}

func ExampleNew_problems() {
	_, err := webauthn.New(webauthn.Config{Origin: "http://127.0.0.1:8080", Product: "Example", Timeout: time.Hour})
	fmt.Println(err)
	// Output:
	// webauthn: invalid Config: Keys are required
	// Origin is "http://127.0.0.1:8080"; an IP address is no relying-party id, a name must stand there
	// Timeout is 1h0m0s; it must be 30s to 5m0s
}
