package oidctest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config says what a provider is. Issuer is required, except for Start, which has one of its own.
type Config struct {
	// Issuer is the provider's name and address: http or https to a loopback host, without query, fragment or a slash
	// at the end. It may have a path, so that several providers share a host.
	Issuer string
	// Clients are who may ask; see Register for later ones.
	Clients []Client
	// People are who can sign in; the first is who it is at the start. One is required.
	People []Person
	// Interactive shows a page with a button for each person to whoever has no session yet. Else the first of People
	// is signed in, as after SignIn, and nobody sees a page.
	Interactive bool
	// NoResponseIssuer leaves out the issuer in answers (RFC 9207), and says so in the configuration.
	NoResponseIssuer bool
	// ClaimsInIDToken puts what the scopes ask for into ID tokens as well as in the answers of /userinfo.
	ClaimsInIDToken bool
	// Delay is how long the mode Slow waits. Zero means 30 seconds.
	Delay time.Duration
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// HTTP sends the logout tokens. Nil means a client of its own that follows no redirects and waits five seconds.
	HTTP *http.Client
}

// Client is a relying party that the provider knows.
type Client struct {
	ID string
	// Name is what people are told that they sign in to. Empty means the ID.
	Name string
	// Secret authenticates it; empty for a public client.
	Secret string
	// AuthMethod is the one way in which it authenticates: client_secret_basic, client_secret_post or none. Empty means
	// none for a public client, and client_secret_basic for any other.
	AuthMethod string
	// RedirectURIs and PostLogoutRedirectURIs are compared to the letter.
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	// BackChannelLogoutURI is where logout tokens are sent; empty for none.
	BackChannelLogoutURI string
	// IDTokenAlg signs its ID tokens and logout tokens: RS256 or ES256. Empty means RS256.
	IDTokenAlg string
	// NoPKCE lets it do without a code challenge. One that it sends is verified all the same.
	NoPKCE bool
}

// Person is somebody who can sign in.
type Person struct {
	Subject       string // required, the person's name at this provider
	Email         string
	EmailVerified bool
	Name          string
	GivenName     string
	FamilyName    string
	Phone         string
	// ACRs are the authentication context classes that the person can reach. The first is theirs, unless a request
	// prefers another of them. Empty means that none is told.
	ACRs []string
	// AMR are the methods told with it.
	AMR []string
	// Claims are told whatever the scopes, in ID tokens and in the answers of /userinfo.
	Claims map[string]any
}

func (c Config) problems() (problems []error) {
	if err := loopback(c.Issuer); err != nil {
		problems = append(problems, fmt.Errorf("Issuer is %q; %w", c.Issuer, err))
	}
	if len(c.People) == 0 {
		problems = append(problems, errors.New("People is empty; a provider knows somebody"))
	}
	for i, p := range c.People {
		if p.Subject == "" || slices.ContainsFunc(c.People[:i], func(q Person) bool { return q.Subject == p.Subject }) {
			problems = append(problems, fmt.Errorf("People has the subject %q, which is empty or there twice", p.Subject))
		}
	}
	for i, k := range c.Clients {
		if err := k.problem(); err != nil {
			problems = append(problems, err)
		}
		if slices.ContainsFunc(c.Clients[:i], func(q Client) bool { return q.ID == k.ID }) {
			problems = append(problems, fmt.Errorf("Clients has the ID %q twice", k.ID))
		}
	}
	if c.Delay < 0 {
		problems = append(problems, fmt.Errorf("Delay is %s; it must not be negative", c.Delay))
	}
	return problems
}

// loopback keeps the provider out of production: nobody but this machine can reach such an issuer.
func loopback(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil:
		return err
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.User != nil, u.RawQuery != "", u.Fragment != "",
		strings.HasSuffix(issuer, "/"), strings.HasSuffix(issuer, "?"), strings.HasSuffix(issuer, "#"):
		return errors.New("it must be http or https with a host, and without user, query, fragment or a slash at the end")
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback() {
		return nil
	}
	return errors.New("this provider lets anybody in as anybody, and is for tests and demos on a loopback host alone")
}

func (k Client) problem() error {
	methods := []string{"client_secret_basic", "client_secret_post"}
	if k.Secret == "" {
		methods = []string{"none"}
	}
	switch {
	case k.ID == "":
		return errors.New("Clients has one without an ID")
	case k.AuthMethod != "" && !slices.Contains(methods, k.AuthMethod):
		return fmt.Errorf("Clients: AuthMethod of %q is %q; with its Secret it must be one of %v", k.ID, k.AuthMethod, methods)
	case !slices.Contains([]string{"", RS256, ES256}, k.IDTokenAlg):
		return fmt.Errorf("Clients: IDTokenAlg of %q is %q; it must be RS256 or ES256", k.ID, k.IDTokenAlg)
	}
	return nil
}

// filled returns the client with its defaults.
func (k Client) filled() Client {
	if k.AuthMethod == "" {
		k.AuthMethod = "client_secret_basic"
		if k.Secret == "" {
			k.AuthMethod = "none"
		}
	}
	if k.IDTokenAlg == "" {
		k.IDTokenAlg = RS256
	}
	if k.Name == "" {
		k.Name = k.ID
	}
	k.RedirectURIs, k.PostLogoutRedirectURIs = slices.Clone(k.RedirectURIs), slices.Clone(k.PostLogoutRedirectURIs)
	return k
}

// acr returns the class that answers a request for one of the wanted.
func (p Person) acr(wanted []string) string {
	for _, w := range wanted {
		if slices.Contains(p.ACRs, w) {
			return w
		}
	}
	if len(p.ACRs) > 0 {
		return p.ACRs[0]
	}
	return ""
}

// claims returns what the scopes ask for (OpenID Connect Core §5.4), and what is told in any case.
func (p Person) claims(scopes []string) map[string]any {
	out := map[string]any{}
	for name, value := range p.Claims {
		out[name] = value
	}
	tell := func(scope, name, value string) {
		if value != "" && slices.Contains(scopes, scope) {
			out[name] = value
		}
	}
	tell("profile", "name", p.Name)
	tell("profile", "given_name", p.GivenName)
	tell("profile", "family_name", p.FamilyName)
	tell("email", "email", p.Email)
	tell("phone", "phone_number", p.Phone)
	if out["email"] != nil {
		out["email_verified"] = p.EmailVerified
	}
	return out
}
