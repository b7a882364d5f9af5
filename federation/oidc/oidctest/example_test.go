package oidctest_test

import (
	"fmt"
	"net/url"

	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

// A provider needs no server to be sent to.
func ExampleProvider_Visit() {
	op, err := oidctest.New(oidctest.Config{
		Issuer:  "http://localhost:9000",
		Clients: []oidctest.Client{{ID: "app", Secret: "secret", RedirectURIs: []string{"https://app.example/callback"}}},
		People:  []oidctest.Person{{Subject: "1", Name: "Alice"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	op.SetMode(oidctest.AccessDenied)
	answer, err := op.Visit(op.Issuer() + "/authorize?" + url.Values{
		"response_type": {"code"}, "scope": {"openid"}, "client_id": {"app"}, "redirect_uri": {"https://app.example/callback"},
		"state": {"s1"}, "code_challenge_method": {"S256"}, "code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
	}.Encode())
	fmt.Println(answer.RedirectURI, answer.Values.Get("error"), answer.Values.Get("state"), answer.Values.Get("iss"), err)
	// Output: https://app.example/callback access_denied s1 http://localhost:9000 <nil>
}
