// Package federation holds what every way of asking somebody else who a person is has in common: the rules for
// requests that leave the house.
//
//	client, err := federation.NewClient(federation.ClientConfig{})
//
// [NewClient] returns an http.Client that asks by https alone, ends after a time, reads no more than a bounded answer,
// follows no redirect to elsewhere, and connects to no address of the internal network: the addresses that a provider
// names in its configuration, and what a name resolves to, are chosen by others, and a server that fetches whatever it
// is told is the way into a network (server-side request forgery, ASVS 1.3.6). [ParseURL] is the same rule for an
// address before it is used, and [Tellable] keeps what came over the wire out of errors.
//
// federation/oidc is a relying party of OpenID Connect on these rules; federation/goth and federation/presets stand
// beside it. Who may sign in, and whose account an identity opens, is decided by auth.Service.
package federation

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = time.Minute
	// A connection that is not there after this long will not be in time either.
	stepTimeout = 5 * time.Second
	// The answers of providers have a few KiB; the largest key sets and metadata some 100. It must be less than the
	// 1 MiB where golang.org/x/oauth2 cuts an answer off without saying so.
	defaultBody  = 512 << 10
	maxBody      = 16 << 20
	maxHeader    = 64 << 10
	maxRedirects = 3
)

// ClientConfig is what a client is made from. The zero value is strict.
type ClientConfig struct {
	// Timeout bounds a whole exchange, from the look-up of the name to the last byte of the answer; at most 1 minute.
	// Zero means 10 seconds.
	Timeout time.Duration
	// MaxBody is the longest answer in bytes, counted after decompression; at most 16 MiB. Zero means 512 KiB.
	MaxBody int64
	// AllowPrivate lets it connect to private addresses too (RFC 1918, RFC 6598, RFC 4193), for identity providers in
	// an intranet. Loopback and link-local addresses, where machines tell their own secrets, stay closed.
	AllowPrivate bool
	// Development lets it connect to loopback addresses, and ask "localhost" and loopback addresses by plain http.
	// Others stay as they are. It is not for production.
	Development bool
	// RootCAs are whom to believe about certificates. Nil means the system's.
	RootCAs *x509.CertPool
	// Resolver looks names up. Nil means the system's.
	Resolver *net.Resolver
	// Client is the host's own, for proxies and the like. Its Transport is used as it is, so which addresses it
	// connects to is its own matter, and RootCAs and Resolver must be nil. All other rules hold, the shorter timeout
	// counts, and its cookies and its rules for redirects are not used. Nil means one that uses no proxy, not even
	// that of the environment, since a proxy would connect for it to where it must not.
	Client *http.Client
}

// What a client refuses to do. Match them with errors.Is.
var (
	ErrInsecure = errors.New("the address is neither https nor, in development, loopback")
	ErrAddress  = errors.New("the host's address is not a public one")
	ErrRedirect = errors.New("the answer leads elsewhere")
	ErrTooLarge = errors.New("the answer is too large")
)

// NewClient returns a client that keeps the rules. Its error names every problem of the configuration. The client
// is safe for concurrent use; it must not be changed.
func NewClient(c ClientConfig) (*http.Client, error) {
	if err := errors.Join(c.problems()...); err != nil {
		return nil, fmt.Errorf("federation: invalid ClientConfig: %w", err)
	}
	client := &http.Client{Timeout: cmp.Or(c.Timeout, defaultTimeout), CheckRedirect: checkRedirect}
	var next http.RoundTripper
	switch {
	case c.Client == nil:
		next = c.transport()
	case c.Client.Transport == nil:
		next = http.DefaultTransport
	default:
		next = c.Client.Transport
	}
	if c.Client != nil && c.Client.Timeout > 0 {
		client.Timeout = min(client.Timeout, c.Client.Timeout)
	}
	client.Transport = &guard{next: next, maxBody: cmp.Or(c.MaxBody, defaultBody), development: c.Development}
	return client, nil
}

func (c ClientConfig) problems() (problems []error) {
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		problems = append(problems, fmt.Errorf("Timeout is %v; it must be between 0 and %v", c.Timeout, maxTimeout))
	}
	if c.MaxBody < 0 || c.MaxBody > maxBody {
		problems = append(problems, fmt.Errorf("MaxBody is %d; it must be between 0 and %d", c.MaxBody, maxBody))
	}
	if c.Client != nil && (c.RootCAs != nil || c.Resolver != nil) {
		problems = append(problems, errors.New("RootCAs and Resolver belong to the Transport of Client, if that is given"))
	}
	return problems
}

func (c ClientConfig) transport() *http.Transport {
	dialer := &net.Dialer{Timeout: stepTimeout, KeepAlive: 30 * time.Second, Resolver: c.Resolver, ControlContext: c.checkDial}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs},
		TLSHandshakeTimeout:    stepTimeout,
		ResponseHeaderTimeout:  min(cmp.Or(c.Timeout, defaultTimeout), defaultTimeout),
		MaxResponseHeaderBytes: maxHeader,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        90 * time.Second,
	}
}

// checkDial looks at the address that is about to be connected to. A check of the name before, or of what it
// resolves to, would not do: it could resolve to something else the next time (DNS rebinding).
func (c ClientConfig) checkDial(_ context.Context, _, address string, _ syscall.RawConn) error {
	if !c.mayDial(address) {
		return ErrAddress
	}
	return nil
}

// checkRedirect follows a provider around its own host, and nowhere else: a redirect is how a request is made to
// carry what it has to somebody else. One that carries a code, a secret or a token is not made twice at all.
func checkRedirect(next *http.Request, via []*http.Request) error {
	first := via[0]
	carries := first.Header.Get("Authorization") != "" || first.Header.Get("Cookie") != "" || first.Body != nil ||
		first.Method != http.MethodGet && first.Method != http.MethodHead
	elsewhere := next.URL.Scheme != first.URL.Scheme || next.URL.Host != first.URL.Host || next.URL.User != nil
	if carries || elsewhere || len(via) > maxRedirects {
		return ErrRedirect
	}
	return nil
}

// ParseURL returns an address that may be asked or that people may be sent to: https with a host, and without a user
// or a fragment. With development, http is good for "localhost" and loopback addresses. The error does not repeat the
// address.
func ParseURL(text string, development bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("the address cannot be read")
	case u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "":
		return nil, errors.New("the address must have a host, and neither a user nor a fragment")
	case !secure(u, development):
		return nil, ErrInsecure
	}
	return u, nil
}

func secure(u *url.URL, development bool) bool {
	return u.Scheme == "https" || u.Scheme == "http" && development && loopback(u.Hostname())
}
