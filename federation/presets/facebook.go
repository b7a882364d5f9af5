package presets

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/markbates/goth"
	"github.com/markbates/goth/providers/facebook"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	viagoth "github.com/cardea-auth/cardea/federation/goth"
)

// FacebookConfig is what Facebook makes a provider from.
type FacebookConfig struct {
	// ClientID and ClientSecret are the app's id and secret, from the settings of the app at Meta. Required.
	ClientID     string
	ClientSecret auth.Secret
	// ID names the provider in addresses and links; empty means "facebook". See auth.ProviderInfo.
	ID string
	// Name is what people call it; empty means "Facebook".
	Name string
	// HTTP are the rules for requests to Facebook.
	HTTP federation.ClientConfig
}

// Facebook returns a provider of Facebook accounts, by the Graph API. Its error names every problem. The provider is safe for
// concurrent use.
//
// It asks for the id, the name and the address and for nothing else, proves with each request that it is made by the app
// and not by somebody who found a token (appsecret_proof), and sends the token in a header. The id is the person's
// within the app; another app has another one. Facebook does not say whether an address was verified, so it
// never counts as that. People who have no address at Facebook, or do not give it, come without one.
func Facebook(c FacebookConfig) (auth.Provider, error) {
	var problems []error
	if c.ClientID == "" || strings.Trim(c.ClientID, "0123456789") != "" {
		problems = append(problems, errors.New("ClientID must be the app's id, of digits"))
	}
	if c.ClientSecret.IsZero() {
		problems = append(problems, errors.New("ClientSecret is required"))
	}
	p, err := viagoth.New(viagoth.Config{
		ID: cmp.Or(c.ID, "facebook"), Name: cmp.Or(c.Name, "Facebook"),
		Make:          c.make,
		SecretInBody:  true, // Graph does not look at the header, and would be shown the code twice
		TokenInHeader: true, // goth puts the token in the address
		HTTP:          c.HTTP,
	})
	if err = errors.Join(append(problems, err)...); err != nil {
		return nil, fmt.Errorf("presets: invalid FacebookConfig: %w", err)
	}
	return p, nil
}

func (c FacebookConfig) make(client *http.Client, redirectURI string) (goth.Provider, error) {
	g := facebook.New(c.ClientID, c.ClientSecret.Reveal(), redirectURI)
	g.HTTPClient = client
	return g.SetCustomFields([]string{"id", "name", "email"}), nil
}
