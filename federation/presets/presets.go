// Package presets has providers of services that many people have an account with, each with what is peculiar to it.
//
//	google, err := presets.Google(presets.GoogleConfig{ClientID: id, ClientSecret: secret})
//	…
//	site, err := standard.Open(ctx, standard.Config{Providers: []auth.Provider{google}, …})
//
// At each service a client is registered first, with a redirect address that is the site's origin, then
// "/auth/provider/", the provider's id and "/callback" (with other assemblies auth.Config.Callbacks says what stands
// before the id). A service that asks where people return to when they sign out gets the origin and "/auth/signed-out",
// and one that sends logout tokens gets the redirect address with "logout" in the place of "callback":
//
//	service    where to register                             redirect address ends in   the host copies
//	Google     console.cloud.google.com, Credentials         google/callback            client id, secret
//	Microsoft  entra.microsoft.com, App registrations        microsoft/callback         application id, secret, tenant ids
//	Apple      developer.apple.com, Identifiers and Keys     apple/callback             Services ID, team id, key id, key
//	LinkedIn   linkedin.com/developers, product "Sign In     linkedin/callback          client id, secret
//	           with LinkedIn using OpenID Connect"
//	Facebook   developers.facebook.com, Facebook Login       facebook/callback          app id, app secret
//	LastPass   the company's own administrator says          lastpass/callback          issuer, client id, secret
//
// What comes back differs, and what it is worth:
//
//	service    asked by         bound by          an address counts as                                   serves to step up
//	Google     OpenID Connect   PKCE, nonce       authoritative at gmail.com and in its own Workspace    no
//	                                              domain, else asserted if verified
//	Microsoft  OpenID Connect   PKCE, nonce       asserted with xms_edov, else unverified                if the host says so
//	Apple      OpenID Connect   PKCE, nonce       asserted if verified                                   no
//	LinkedIn   OpenID Connect   neither           asserted if verified                                   no
//	Facebook   the Graph API    PKCE              unverified                                             no
//	LastPass   OpenID Connect   PKCE, nonce       asserted if verified                                   no
//
// "Bound by" is what keeps a stolen code from serving in the thief's sign-in. "Serves to step up" says whether coming
// back shows that the person is there: the service must authenticate them anew when it is asked to, and tell when it
// did, in a token that is checked. Where a service does not promise that, it is not assumed. No address decides whose
// account it is, whatever it counts as: people are known by issuer and subject.
//
// None of the constructors touches the network; each names every problem of its configuration. Service.Report has a
// section for each provider that is configured: its redirect address, how it answers, PKCE, nonce, whether it serves to
// step up, which of its classes count as two factors, and what there is to note; and one of federation/oidc: issuer,
// tenants, scopes, required claims and algorithms.
//
// A service that is not here is a matter of federation/oidc if it has OpenID Connect, and of federation/goth if not.
package presets

import (
	"errors"
	"fmt"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation/oidc"
)

// open makes the provider. All of these services register clients that have a secret, and take it in the body of the
// token request, as their documentation shows it.
func open(service string, c oidc.Config, problems ...error) (*oidc.Provider, error) {
	if !c.ClientSecret.IsZero() || c.MintSecret != nil { // that there is none is among the problems
		c.ClientAuth = oidc.ClientSecretPost
	}
	p, err := oidc.New(c)
	if err = errors.Join(append(problems, err)...); err != nil {
		return nil, fmt.Errorf("presets: invalid %sConfig: %w", service, err)
	}
	return p, nil
}

// secretProblem names a secret that is missing.
func secretProblem(s auth.Secret) error {
	if s.IsZero() {
		return errors.New("ClientSecret is required")
	}
	return nil
}
