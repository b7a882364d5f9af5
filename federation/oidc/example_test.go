package oidc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	"github.com/cardea-auth/cardea/federation/oidc"
)

// A host gives a Provider to auth.Config. The service then makes the trips; here one is made by hand.
func Example() {
	// A provider that knows nobody.
	var issuer string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%q,"token_endpoint":%q,"jwks_uri":%q}`, issuer, issuer+"/authorize", issuer+"/token", issuer+"/keys")
		case "/token":
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_grant"}`)
		}
	}))
	defer srv.Close()
	issuer = srv.URL

	provider, err := oidc.New(oidc.Config{
		Info:     auth.ProviderInfo{ID: "example", Name: "Example"},
		Issuer:   issuer,
		ClientID: "cardea", ClientSecret: auth.NewSecret("from the provider's console"),
		HTTP: federation.ClientConfig{Development: true}, // for http at a loopback address
	})
	if err != nil {
		panic(err)
	}

	trip := auth.Trip{
		State: auth.NewSecret("s"), Nonce: auth.NewSecret("n"), Verifier: auth.NewSecret("v"),
		RedirectURI: "https://app.example/auth/example/callback", Now: time.Now(),
	}
	departure, err := provider.Begin(context.Background(), trip)
	if err != nil {
		panic(err)
	}
	u, _ := url.Parse(departure.URL)
	fmt.Println(u.Path, u.Query().Get("scope"), u.Query().Get("code_challenge_method"))

	// Somebody comes back with a code that they made up.
	_, err = provider.Complete(context.Background(), trip, auth.Answer{Code: auth.NewSecret("made up")})
	var refusal *auth.ProviderError
	if errors.As(err, &refusal) {
		fmt.Println("for the audit record:", refusal)
	}
	// Output:
	// /authorize openid email S256
	// for the audit record: provider: token-refused: status 400, invalid_grant
}

func ExampleNew_problems() {
	_, err := oidc.New(oidc.Config{
		Info: auth.ProviderInfo{ID: "example", Name: "Example"}, Issuer: "http://id.example.com", ClientID: "cardea", Algorithms: []string{"HS256"},
	})
	fmt.Println(err)
	// Output:
	// oidc: invalid Config: Algorithms has "HS256", which is no signature by a public key that is known here
	// Issuer: the address is neither https nor, in development, loopback
}
