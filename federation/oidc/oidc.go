// Package oidc signs people in at an OpenID provider: it is a relying party of OpenID Connect Core 1.0 that uses the
// authorization code flow and nothing else.
//
//	provider, err := oidc.New(oidc.Config{
//		Info:     auth.ProviderInfo{ID: "example", Name: "Example"},
//		Issuer:   "https://id.example.com",
//		ClientID: "cardea", ClientSecret: secret,
//	})
//
// [Provider] is an auth.Provider, an auth.LogoutVerifier and an auth.LogoutLeader. The service owns what keeps a
// sign-in its own: state, nonce and verifier, whose browser it is, and that it serves once. Here is what must hold of
// the provider's answers, and none of it is optional:
//
//   - Keys come from the issuer's own configuration, by https, bounded in size and age. One that is not there any more
//     stops being good when the cached set ends, a new one is fetched when a token names it, and made-up tokens cannot
//     have keys fetched more than once a minute. What a token brings along (jku, jwk, x5u, x5c) is no key.
//   - A token is one compact JWS by one of few algorithms, each for its own kind of key.
//   - Its claims are read once, with their exact names; a token that has one twice is refused. Other readers take the
//     last one, or one in another case, and so a claim that a user may set becomes the one that names them.
//   - Issuer, audience, authorized party, times, nonce, access-token hash, type and subject are checked as Core §3.1.3.7
//     says, and more strictly where it leaves a choice.
//   - No error has any part of a token, a code or a secret in it.
//
// Every refusal of the provider's answer, and every failure to get one, is a *auth.ProviderError with one of this
// package's codes. Any other error is a fault of the caller or the host.
//
// Discovery is by github.com/coreos/go-oidc, the token request by golang.org/x/oauth2. Signatures and claims are checked
// here, with the standard library's cryptography.
//
// A Provider is safe for concurrent use. It runs nothing in the background: a fetch that several callers wait for has
// a goroutine of its own, which ends with it.
package oidc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
)

// Config is what a Provider is made from. New copies it.
type Config struct {
	// Info describes the provider to the service. ID and Name are required. Its fields steer what is asked: FormPost,
	// NoPKCE, NoNonce, and Vouches, which are asked for as acr_values. Whether the class that came back is one of
	// them is for the service to see.
	Info auth.ProviderInfo
	// Issuer is the provider's issuer identifier, to the letter. A provider of many tenants, each of which is an
	// issuer, has "{tenantid}" in the place of one segment of its path; the claim tid, a GUID, fills it. Required.
	Issuer string
	// Tenants are the tenants that may sign in, if Issuer has "{tenantid}": GUIDs, at least one unless AnyTenant is set.
	Tenants []string
	// AnyTenant lets every tenant sign in instead. Everybody on earth can make one and say in it what they like of their
	// people, so that nothing but issuer and subject means anything then. The report tells (ASVS 10.5.3).
	AnyTenant bool
	// DiscoveryURL is where the configuration is, up to "/.well-known/openid-configuration". Empty means Issuer, and
	// with "{tenantid}" it is required.
	DiscoveryURL string
	// Endpoints are those of a provider without discovery. Nil means discovery.
	Endpoints *Endpoints
	// ClientID is the client identifier that the provider gave. Required.
	ClientID string
	// ClientSecret is its secret. Empty, without MintSecret, means a public client, which is safe by PKCE alone.
	ClientSecret auth.Secret
	// MintSecret makes a secret for each request instead; see [AppleSecret].
	MintSecret func(ctx context.Context, now time.Time) (auth.Secret, error)
	// ClientAuth is how the client authenticates at the token endpoint. Zero means what the provider lists, basic
	// first. One way is tried and no other: the code must not be sent twice.
	ClientAuth ClientAuth
	// Scopes are asked for; "openid" is added. Nil means openid and email, which is what sign-in needs (ASVS 10.2.3).
	Scopes []string
	// Parameters are added to the authorization request, such as hd of Google. Those of the protocol cannot be. The
	// person can change them on the way, so that they are wishes; see RequireClaims.
	Parameters map[string]string
	// RequireClaims are claims that an ID token must have, as exactly these texts, such as hd of Google. Others are
	// refused, also those that do not have them.
	RequireClaims map[string]string
	// Algorithms are those by which tokens may be signed, of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384,
	// ES512 and EdDSA, and of these the ones that the provider lists. Nil means RS256 alone, which is what a provider
	// signs by for a client that registered nothing else (Core §3.1.3.7); one that did names it here.
	Algorithms []string
	// Audiences are further audiences that a token may have beside ClientID. A token for others too is refused.
	Audiences []string
	// RequireAccessTokenHash refuses ID tokens without at_hash. It makes up a little for NoNonce.
	RequireAccessTokenHash bool
	// UserInfo says when the userinfo endpoint is asked. Zero means if the email was asked for and is not in the ID token.
	UserInfo UserInfo
	// UntypedLogout also takes logout tokens whose type is "JWT" or missing, of providers that do not type them as
	// logout+jwt (ASVS 10.5.5). Their event, and the nonce that they must not have, still tell them from ID tokens.
	UntypedLogout bool
	// TextBooleans takes the texts "true" and "false" for booleans, as Apple and Cognito write them.
	TextBooleans bool
	// UserParameter takes a name to show from Apple's parameter user, which is not signed, if no claim has one.
	UserParameter bool
	// EmailTrust says what the provider's word on an address is worth, by the claims of a token that holds; it is not
	// asked where there is no address. Nil means auth.EmailAsserted if email_verified is true.
	EmailTrust func(Claims) auth.EmailTrust
	// Skew is by how much the provider's clock may differ, at most 5 minutes. Zero means 1 minute.
	Skew time.Duration
	// HTTP are the rules for requests to the provider. Its Development also allows endpoints by http at loopback.
	HTTP federation.ClientConfig
	// Now is the clock by which what was fetched ages. Nil means time.Now. Tokens are judged by the time that the
	// service gives.
	Now func() time.Time
}

// Endpoints are the addresses of a provider, as its documentation has them.
type Endpoints struct {
	Authorization, Token, Keys string // required; Keys is the jwks_uri
	UserInfo, EndSession       string // may be empty
	// TellsIssuer says that it names itself in its answers (RFC 9207).
	TellsIssuer bool
}

// UserInfo says when the userinfo endpoint is asked (Core §5.3).
type UserInfo uint8

// The choices. The zero value is the first.
const (
	UserInfoForEmail UserInfo = iota // if the email was asked for, is not in the ID token, and there is an endpoint
	UserInfoAlways                   // at each sign-in; there must be an endpoint
	UserInfoNever
)

const (
	defaultSkew = time.Minute
	maxSkew     = 5 * time.Minute
	// maxAge is how old an ID token may be, beside the skew, and maxLogoutAge a logout token (ASVS 10.5.5). Both are used
	// at once; an older one was kept by somebody.
	maxAge       = 10 * time.Minute
	maxLogoutAge = 2 * time.Minute
	// maxLife is how long an ID token may say that it is good, and maxLogoutLife a logout token. One that says for
	// ever is a forger's, or a mistake that makes it one's. ID tokens of a month are known.
	maxLife       = 31 * 24 * time.Hour
	maxLogoutLife = 24 * time.Hour
)

// Provider is an OpenID provider as this relying party knows it. It is safe for concurrent use. Make it with New.
type Provider struct {
	cfg      Config
	issuer   issuer
	client   *http.Client // asks the token endpoint
	fetcher  *http.Client // asks everything else, where an error status says it all
	metadata cached[*metadata]
	keys     cached[*keySet]
}

var (
	_ auth.Provider       = (*Provider)(nil)
	_ auth.LogoutVerifier = (*Provider)(nil)
	_ auth.LogoutLeader   = (*Provider)(nil)
	_ auth.Reporter       = (*Provider)(nil)
)

// New returns a Provider, or an error that names every problem of the configuration. It asks the provider nothing.
func New(c Config) (*Provider, error) {
	client, clientErr := federation.NewClient(c.HTTP)
	is, issuerErr := parseIssuer(c)
	if err := errors.Join(append(c.problems(is), issuerErr, clientErr)...); err != nil {
		return nil, fmt.Errorf("oidc: invalid Config: %w", err)
	}
	fetcher := *client
	fetcher.Transport = refusesStatus{client.Transport}
	p := &Provider{cfg: c.complete(), issuer: is, client: client, fetcher: &fetcher}
	p.metadata.init(p.cfg.Now, p.discover)
	p.keys.init(p.cfg.Now, p.fetchKeys)
	return p, nil
}

// complete fills in what is zero, and copies what the host could still change.
func (c Config) complete() Config {
	c.Info = cloneInfo(c.Info)
	c.Skew = cmp.Or(c.Skew, defaultSkew)
	c.DiscoveryURL = cmp.Or(c.DiscoveryURL, c.Issuer)
	c.Algorithms = slices.Clone(c.Algorithms)
	if c.Algorithms == nil {
		c.Algorithms = []string{"RS256"}
	}
	c.Scopes = slices.Clone(c.Scopes)
	if c.Scopes == nil {
		c.Scopes = []string{"openid", "email"}
	}
	if !slices.Contains(c.Scopes, "openid") {
		c.Scopes = append([]string{"openid"}, c.Scopes...)
	}
	c.Audiences, c.Parameters, c.RequireClaims = slices.Clone(c.Audiences), maps.Clone(c.Parameters), maps.Clone(c.RequireClaims)
	if c.Endpoints != nil {
		e := *c.Endpoints
		c.Endpoints = &e
	}
	if c.EmailTrust == nil {
		c.EmailTrust = AssertedIfVerified
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func cloneInfo(i auth.ProviderInfo) auth.ProviderInfo {
	i.Notes, i.Vouches = slices.Clone(i.Notes), slices.Clone(i.Vouches)
	return i
}

// Info implements auth.Provider.
func (p *Provider) Info() auth.ProviderInfo { return cloneInfo(p.cfg.Info) }
