package presets

import (
	"cmp"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	"github.com/cardea-auth/cardea/federation/oidc"
)

// LastPassConfig is what LastPass makes a provider from.
type LastPassConfig struct {
	// Issuer is the issuer identifier that LastPass gave the company, to the letter. Required: LastPass publishes none.
	Issuer string
	// ClientID and ClientSecret are what was registered there. Required.
	ClientID     string
	ClientSecret auth.Secret
	// Endpoints are those of an issuer without discovery. Nil means discovery.
	Endpoints *oidc.Endpoints
	// ID names the provider in addresses and links; empty means "lastpass". See auth.ProviderInfo.
	ID string
	// Name is what people call it; empty means "LastPass".
	Name string
	// HTTP are the rules for requests to LastPass.
	HTTP federation.ClientConfig
}

// LastPass returns a provider of LastPass accounts. Its error names every problem. The provider is safe for concurrent
// use.
//
// It is a connection more than a preset: nothing in it but the name is LastPass's. What LastPass documents to the public is
// SAML with metadata for each app; OpenID Connect is a matter between LastPass and a company that was given an issuer.
// Who was given none connects it by SAML. All that a strict provider does is expected of it: PKCE, a nonce, RS256. A
// verified address counts as asserted, on the word of whom the host chose.
func LastPass(c LastPassConfig) (*oidc.Provider, error) {
	return open("LastPass", oidc.Config{
		Info: auth.ProviderInfo{
			ID: cmp.Or(c.ID, "lastpass"), Name: cmp.Or(c.Name, "LastPass"),
			Notes: []string{"Its issuer is the host's to vouch for: LastPass publishes none."},
		},
		Issuer: c.Issuer, Endpoints: c.Endpoints, ClientID: c.ClientID, ClientSecret: c.ClientSecret, HTTP: c.HTTP,
	}, secretProblem(c.ClientSecret))
}
