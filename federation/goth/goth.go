// Package viagoth makes an auth.Provider of a provider of github.com/markbates/goth, for the long tail of services
// that know people by OAuth 2.0 and have no OpenID Connect: GitHub, GitLab, Facebook, Spotify, Slack and others.
//
// The package is not called goth like its folder, because whoever imports it imports goth too. Import it as
//
//	viagoth "github.com/cardea-auth/cardea/federation/goth"
//
// and give it a function that makes one of goth's providers:
//
//	p, err := viagoth.New(viagoth.Config{
//		ID: "github", Name: "GitHub",
//		Make: func(client *http.Client, redirectURI string) (goth.Provider, error) {
//			g := github.New(clientID, clientSecret, redirectURI)
//			g.HTTPClient = client
//			return g, nil
//		},
//	})
//
// Goth knows the addresses and the answers of these services, and is trusted with nothing else. Each trip has a goth
// provider of its own and an HTTP client of its own, which sends the code once, to the token endpoint alone, with the
// code verifier of the trip (RFC 7636), which goth has no way to send; follows no redirect to another host; ends with the
// trip's context; and is dead when the trip is over. What is below it keeps the rules of package federation: https alone,
// no address of an internal network, answers that are bounded. Goth is given the code and nothing
// else of what came back, and never sees the state: it is asked for an address with a placeholder in its stead, which
// is replaced here. So a callback cannot bring in a redirect_uri or a code_verifier, as it can with goth alone. What
// goth panics at is caught, and what it says in errors is thrown away, since it repeats tokens and answers.
//
// Goth's sessions are kept as they are before the code is redeemed, when they hold an address and no token. Access
// tokens serve for the one question of who it is, and are dropped. Its registry and its package gothic are not used.
//
// Nobody signs what comes back, and nonces are not known here: an identity rests on TLS to the token endpoint and to
// the service's API, and on PKCE against stolen codes. Where a provider has OpenID Connect, federation/oidc is the better way,
// and New refuses goth's providers for such services with a word on where to go; see Config.Make.
package viagoth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/markbates/goth"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
)

// Config is what a Provider is made from.
type Config struct {
	// ID names the provider in addresses and links: 1 to 32 of a to z, 0 to 9 and the hyphen. Required. People are
	// known by "goth:" and it, so it must stay what it is.
	ID string
	// Name is what people call it: "GitHub". Required; at most 64 bytes.
	Name string
	// Make returns a goth provider that is new, makes all its requests with client and has its answers sent to
	// redirectURI. Required. It is called for each half of each trip, and by New; it must be safe for concurrent use.
	//
	// New refuses some of goth's providers, and says why: those of OAuth 1.0 and OpenID 2.0, which have no state
	// (twitter, tumblr, xero, steam); those that make requests with a client of their own (discord, fitbit, yandex and
	// others); those of services that federation/oidc or federation/presets serves better (openidConnect, google, apple and
	// others); and those that know people by an address, which can be somebody else's tomorrow.
	Make func(client *http.Client, redirectURI string) (goth.Provider, error)
	// TokenURL is where codes are redeemed, and the one place that is told the code verifier. It may be empty for
	// the providers that come with goth, which are asked; it is required for all others.
	TokenURL string
	// Email returns the address of a user and what the provider's word on it is worth. Nil means goth's address,
	// unverified. The user has no tokens. It must be safe for concurrent use.
	Email func(goth.User) (string, auth.EmailTrust)
	// Issuer is who answers by RFC 9207. If it is set, every answer must name it; empty means that answers do not.
	Issuer string
	// NoPKCE leaves out the code challenge, for a provider that refuses it. The report tells.
	NoPKCE bool
	// SecretInBody sends the client's secret in the body of the token request at once. Else it is sent in a header and,
	// if that is refused, in the body, and a Provider remembers which one served.
	SecretInBody bool
	// TokenInHeader moves an access token that goth puts in the address of a request, and so in the logs of everything
	// between here and there, to the Authorization header (RFC 6750 §2.1). The provider's API must take it there.
	TokenInHeader bool
	// HTTP are the rules for requests to the provider. Its Timeout bounds all requests of a trip together. Its
	// Development also allows addresses by http at loopback. A Client of the host's must not log bodies or headers,
	// for they hold secrets.
	HTTP federation.ClientConfig
}

const (
	maxName      = 64
	maxKeep      = 2 << 10 // of auth.Departure
	maxURL       = 4 << 10
	issuerPrefix = "goth:"
)

// Provider is an auth.Provider whose knowledge of a service is goth's. Make it with New; the zero value serves for
// nothing. It is safe for concurrent use: trips share nothing but the connections of the HTTP client.
type Provider struct {
	config   Config
	info     auth.ProviderInfo
	tokenURL *url.URL
	base     http.RoundTripper
	timeout  time.Duration
	// secretInBody is set once the provider is seen to take the client's secret nowhere else.
	secretInBody atomic.Bool
}

var _ auth.Provider = (*Provider)(nil)

// New returns a Provider. Its error names every problem of the configuration. It makes no network request by itself:
// goth's provider is tried against a client that refuses all.
func New(c Config) (*Provider, error) {
	problems := c.problems()
	p := &Provider{config: c}
	if client, err := federation.NewClient(c.HTTP); err != nil {
		problems = append(problems, err)
	} else { // its rules for redirects are not taken along: the trip has its own, which look at each answer
		p.base, p.timeout = client.Transport, client.Timeout
	}
	p.secretInBody.Store(c.SecretInBody)
	var note string
	if c.Make != nil {
		var err error
		if p.tokenURL, note, err = c.examine(); err != nil {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("viagoth: invalid Config: %w", err)
	}
	p.info = c.describe(note)
	return p, nil
}

var idPattern = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

func (c Config) problems() (problems []error) {
	report := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	report(!idPattern.MatchString(c.ID), "ID is %q; it must be 1 to 32 of a to z, 0 to 9 and the hyphen", c.ID)
	report(c.Name == "" || len(c.Name) > maxName || !utf8.ValidString(c.Name) || c.Name != plain(c.Name),
		"Name has %d bytes; it must be text of 1 to %d", len(c.Name), maxName)
	report(c.Make == nil, "Make is required")
	report(len(c.Issuer) > 255, "Issuer has %d bytes; at most 255 are kept", len(c.Issuer))
	if c.TokenURL != "" {
		_, err := federation.ParseURL(c.TokenURL, c.HTTP.Development)
		report(err != nil, "TokenURL: %w", err)
	}
	return problems
}

func (c Config) describe(note string) auth.ProviderInfo {
	notes := []string{"It is asked through goth: nobody signs what it tells, which rests on TLS to the token endpoint and the service's API."}
	if note != "" {
		notes = append(notes, note)
	}
	return auth.ProviderInfo{ID: c.ID, Name: c.Name, NoPKCE: c.NoPKCE, NoNonce: true, Notes: notes}
}

// Info implements auth.Provider.
func (p *Provider) Info() auth.ProviderInfo {
	info := p.info
	info.Notes = slices.Clone(info.Notes)
	return info
}
