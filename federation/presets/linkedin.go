package presets

import (
	"cmp"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	"github.com/cardea-auth/cardea/federation/oidc"
)

const linkedInIssuer = "https://www.linkedin.com/oauth"

// LinkedInConfig is what LinkedIn makes a provider from.
type LinkedInConfig struct {
	// ClientID and ClientSecret are the app's, from its tab "Auth". Required.
	ClientID     string
	ClientSecret auth.Secret
	// ID names the provider in addresses and links; empty means "linkedin". See auth.ProviderInfo.
	ID string
	// Name is what people call it; empty means "LinkedIn".
	Name string
	// HTTP are the rules for requests to LinkedIn.
	HTTP federation.ClientConfig
}

// LinkedIn returns a provider of LinkedIn accounts. Its error names every problem. The provider is safe for concurrent
// use.
//
// LinkedIn puts no nonce into its ID tokens, and refuses the clients of web sites that use PKCE. So whoever steals a
// code from somebody's browser before it was used can sign in with it, in a sign-in of their own. What is left is done:
// the code serves with the client's secret only, and the userinfo endpoint must know the access token that came with the
// ID token as the same person's. A hash of that one in the ID token (at_hash) must be right; that there is one, LinkedIn
// does not promise. The report says what is missing.
//
// A verified address counts as asserted. LinkedIn says of itself that it does not verify who its members are. It does
// not say when it saw a person, so the provider does not serve to step up.
func LinkedIn(c LinkedInConfig) (*oidc.Provider, error) {
	return open("LinkedIn", oidc.Config{
		Info: auth.ProviderInfo{
			ID: cmp.Or(c.ID, "linkedin"), Name: cmp.Or(c.Name, "LinkedIn"), NoNonce: true, NoPKCE: true,
			Notes: []string{
				"It has neither nonce nor PKCE: whoever steals a code before it is used can sign in with it as the person. That the code needs the client's secret, and that ID token, access token and userinfo must fit together, does not stop that.",
				"It says of itself that it does not verify who its members are.",
			},
		},
		Issuer: linkedInIssuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret, HTTP: c.HTTP,
		UserInfo: oidc.UserInfoAlways,
	}, secretProblem(c.ClientSecret))
}
