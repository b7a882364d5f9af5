package presets

import (
	"cmp"
	"errors"
	"strings"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	"github.com/cardea-auth/cardea/federation/oidc"
)

const googleIssuer = "https://accounts.google.com"

// GoogleConfig is what Google makes a provider from.
type GoogleConfig struct {
	// ClientID and ClientSecret are those of the OAuth client, of the type "Web application". Required.
	ClientID     string
	ClientSecret auth.Secret
	// HostedDomain lets in people of one Google Workspace alone, by its primary domain: "example.com". It is asked for,
	// and every ID token must say it. Empty lets in everybody.
	HostedDomain string
	// ID names the provider in addresses and links; empty means "google". See auth.ProviderInfo.
	ID string
	// Name is what people call it; empty means "Google".
	Name string
	// HTTP are the rules for requests to Google.
	HTTP federation.ClientConfig
}

// Google returns a provider of Google accounts. Its error names every problem. The provider is safe for concurrent use.
//
// An address counts as authoritative if Google runs its mailbox: at gmail.com, or in the Workspace domain that the
// account belongs to. Anybody can make a Google account with an address of elsewhere, which Google verified once; it
// counts as asserted. Google does not say that it authenticates anew when asked to, nor when it did, so the provider
// does not serve to step up. Tokens of the issuer without "https://", which Google's documentation still allows, are
// refused: its configuration names the issuer with it, and a person must not have two names.
func Google(c GoogleConfig) (*oidc.Provider, error) {
	o := oidc.Config{
		Info:   auth.ProviderInfo{ID: cmp.Or(c.ID, "google"), Name: cmp.Or(c.Name, "Google")},
		Issuer: googleIssuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret, HTTP: c.HTTP,
		EmailTrust: googleTrust,
	}
	problems := []error{secretProblem(c.ClientSecret)}
	if c.HostedDomain != "" {
		domain := strings.ToLower(c.HostedDomain)
		if !strings.Contains(domain, ".") || strings.Trim(domain, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
			problems = append(problems, errors.New("HostedDomain must be a domain such as example.com"))
		}
		// What was asked for in the address is the person's to change; what counts is what the token says.
		o.Parameters, o.RequireClaims = map[string]string{"hd": domain}, map[string]string{"hd": domain}
	}
	return open("Google", o, problems...)
}

func googleTrust(c oidc.Claims) auth.EmailTrust {
	if !c.Bool("email_verified") {
		return auth.EmailUnverified
	}
	email, _ := c.Text("email")
	domain := email[strings.LastIndexByte(email, '@')+1:]
	hosted, _ := c.Text("hd")
	if strings.EqualFold(domain, "gmail.com") || hosted != "" && strings.EqualFold(domain, hosted) {
		return auth.EmailAuthoritative
	}
	return auth.EmailAsserted
}
