package presets

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	"github.com/cardea-auth/cardea/federation/oidc"
)

const appleIssuer = "https://appleid.apple.com"

// AppleConfig is what Apple makes a provider from.
type AppleConfig struct {
	// TeamID is that of the developer account, KeyID that of the private key, and ClientID the Services ID. Required.
	TeamID, KeyID, ClientID string
	// PrivateKey is the key for Sign in with Apple as Apple gave it: a file .p8, in PEM. Required.
	PrivateKey auth.Secret
	// Scopes are what to ask of the person: "email", "name", both, or nothing. Nil means the email. If it asks for
	// anything, Apple answers by a form that the browser posts from its site; else in the address.
	Scopes []string
	// ID names the provider in addresses and links; empty means "apple". See auth.ProviderInfo.
	ID string
	// Name is what people call it; empty means "Apple".
	Name string
	// HTTP are the rules for requests to Apple.
	HTTP federation.ClientConfig
}

// Apple returns a provider of Apple accounts. Its error names every problem. The provider is safe for concurrent use.
//
// The client's secret is signed anew for each request and good for five minutes. PKCE is sent, though Apple documents
// nothing about it, so what binds a code to its sign-in is the nonce. A verified address counts as asserted; it may be one
// of Apple's relay, which is the person's at this service alone. The name comes once, when the person agrees, in a form
// field that nobody signed: it is for showing, and what the field says of the address is not read. Apple does not promise
// to authenticate anew, so the provider does not serve to step up.
func Apple(c AppleConfig) (*oidc.Provider, error) {
	scopes := c.Scopes
	if scopes == nil {
		scopes = []string{"email"}
	}
	var problems []error
	for _, scope := range scopes {
		if scope != "email" && scope != "name" {
			problems = append(problems, fmt.Errorf("Scopes has %q; it may have email and name", scope))
		}
	}
	key, err := applePrivateKey(c.PrivateKey)
	mint, mintErr := oidc.AppleSecret(oidc.AppleKey{TeamID: c.TeamID, KeyID: c.KeyID, ClientID: c.ClientID, PrivateKey: key})
	problems = append(problems, err, mintErr)
	return open("Apple", oidc.Config{
		Info: auth.ProviderInfo{
			ID: cmp.Or(c.ID, "apple"), Name: cmp.Or(c.Name, "Apple"), FormPost: len(scopes) > 0,
			Notes: []string{"It does not say that it verifies PKCE, which is sent: the nonce is what binds a code to its sign-in."},
		},
		Issuer: appleIssuer, ClientID: c.ClientID, MintSecret: mint, HTTP: c.HTTP,
		Scopes: append([]string{"openid"}, scopes...), UserInfo: oidc.UserInfoNever, // there is no endpoint
		TextBooleans: true, UserParameter: slices.Contains(scopes, "name"),
	}, problems...)
}

// applePrivateKey reads a file .p8. Its errors say nothing of what is in it.
func applePrivateKey(text auth.Secret) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text.Reveal()))
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("PrivateKey must be a private key in PEM, as it stands in Apple's file .p8")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("PrivateKey cannot be read, or is no key on an elliptic curve")
	}
	return key, nil
}
