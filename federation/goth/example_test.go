package viagoth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/markbates/goth"
	"github.com/markbates/goth/providers/gitlab"

	viagoth "github.com/cardea-auth/cardea/federation/goth"
)

// A host that has a GitLab of its own lets people sign in with it. Goth's default for the API is one that GitLab has
// switched off, so the addresses are given.
func ExampleNew() {
	const site = "https://gitlab.example"
	p, err := viagoth.New(viagoth.Config{
		ID: "gitlab", Name: "GitLab",
		Make: func(client *http.Client, redirectURI string) (goth.Provider, error) {
			g := gitlab.NewCustomisedURL("client-id", "client-secret", redirectURI,
				site+"/oauth/authorize", site+"/oauth/token", site+"/api/v4/user", "read_user")
			g.HTTPClient = client
			return g, nil
		},
		TokenInHeader: true,
	})
	if err != nil {
		panic(err)
	}
	departure, err := p.Begin(context.Background(), newTrip(1)) // auth.Service does this
	if err != nil {
		panic(err)
	}
	u, _ := url.Parse(departure.URL)
	fmt.Println(u.Host, u.Path, u.Query().Get("code_challenge_method"))
	// Output: gitlab.example /oauth/authorize S256
}
