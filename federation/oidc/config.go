package oidc

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cardea-auth/cardea/federation"
)

func (c Config) problems(is issuer) (problems []error) {
	report := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	report(!validID(c.Info.ID), "Info.ID must be 1 to 32 of a to z, 0 to 9 and the hyphen")
	report(strings.TrimSpace(c.Info.Name) == "", "Info.Name is required")
	report(!printable(c.ClientID, 1, 1024), "ClientID is required, in printable ASCII")
	report(c.Skew < 0 || c.Skew > maxSkew, "Skew is %v; it must be between 0 and %v", c.Skew, maxSkew)
	report(c.UserInfo > UserInfoNever, "UserInfo is unknown")
	report(c.Algorithms != nil && len(c.Algorithms) == 0, "Algorithms is empty; nil means RS256")
	for _, name := range c.Algorithms {
		_, known := algorithmOf(name)
		report(!known, "Algorithms has %q, which is no signature by a public key that is known here", name)
	}
	for _, scope := range c.Scopes {
		report(!printable(scope, 1, 128) || strings.ContainsAny(scope, ` "\`), "Scopes has %q, which is none", scope)
	}
	for _, class := range c.Info.Vouches {
		report(!printable(class, 1, maxText) || strings.Contains(class, " "), "Info.Vouches has %q, which is none", class)
	}
	for _, aud := range c.Audiences {
		report(aud == "", "Audiences has an empty one")
	}
	for name := range c.Parameters {
		report(name == "" || ours(name), "Parameters has %q, which is the protocol's own", name)
	}
	for name, value := range c.RequireClaims {
		report(name == "" || value == "", "RequireClaims has a claim without a name or a text")
	}
	problems = append(problems, c.clientProblems()...)
	return append(problems, c.endpointProblems(is)...)
}

func (c Config) clientProblems() (problems []error) {
	secret, minted := !c.ClientSecret.IsZero(), c.MintSecret != nil
	if secret && minted {
		problems = append(problems, errors.New("ClientSecret and MintSecret are both given"))
	}
	switch c.ClientAuth {
	case ClientAuthDiscovered:
	case ClientSecretBasic, ClientSecretPost:
		if !secret && !minted {
			problems = append(problems, errors.New("ClientAuth needs a ClientSecret or MintSecret"))
		}
	case ClientAuthNone:
		if secret || minted {
			problems = append(problems, errors.New("ClientAuth is none, and there is a secret"))
		}
	default:
		problems = append(problems, errors.New("ClientAuth is unknown"))
	}
	// Whoever saw the code of such a client could redeem it.
	if !secret && !minted && c.Info.NoPKCE {
		problems = append(problems, errors.New("a client without a secret needs PKCE"))
	}
	return problems
}

func (c Config) endpointProblems(is issuer) (problems []error) {
	check := func(name, address string, required bool) {
		if address == "" && !required {
			return
		}
		if _, err := federation.ParseURL(address, c.HTTP.Development); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
	}
	check("DiscoveryURL", c.DiscoveryURL, false)
	if c.Endpoints == nil {
		if is.template() && c.DiscoveryURL == "" {
			problems = append(problems, errors.New("DiscoveryURL is required where Issuer has "+tenantMark))
		}
		return problems
	}
	if c.DiscoveryURL != "" {
		problems = append(problems, errors.New("DiscoveryURL and Endpoints are both given"))
	}
	check("Endpoints.Authorization", c.Endpoints.Authorization, true)
	check("Endpoints.Token", c.Endpoints.Token, true)
	check("Endpoints.Keys", c.Endpoints.Keys, true)
	check("Endpoints.UserInfo", c.Endpoints.UserInfo, false)
	check("Endpoints.EndSession", c.Endpoints.EndSession, false)
	return problems
}

func validID(id string) bool {
	return len(id) >= 1 && len(id) <= 32 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

// printable reports whether s is printable ASCII of least to most bytes.
func printable(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// ours reports whether a parameter of the authorization request is the protocol's: what this package sends, and what
// would take its place. A request object (RFC 9101) replaces every other parameter.
func ours(name string) bool {
	return slices.Contains([]string{
		"response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
		"response_mode", "max_age", "acr_values", "ui_locales", "request", "request_uri", "registration", "id_token_hint",
		"client_secret", "post_logout_redirect_uri",
	}, name)
}
