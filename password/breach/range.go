package breach

import (
	"bytes"
	"cmp"
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/cardea-auth/cardea/auth"
)

const (
	publicService = "https://api.pwnedpasswords.com"
	// A person waits meanwhile.
	defaultTimeout = time.Second
	maxTimeout     = 10 * time.Second
	// The longest answer, in bytes. Today's have about 40 KB; a service must not be able to fill the memory.
	maxAnswer = 512 << 10
	maxHeader = 64 << 10
)

// RangeConfig is what a Range is made from. The zero value asks the public service of Have I Been Pwned.
type RangeConfig struct {
	// URL is where the service is; "/range/" and the prefix are appended. It must be https, or a loopback
	// address. Empty means https://api.pwnedpasswords.com.
	URL string
	// UserAgent names the caller, which the public service demands. Empty means "cardea".
	UserAgent string
	// MinCount is how often a password must have been seen in breaches to count as known. Zero means once.
	MinCount int
	// Timeout bounds the whole exchange, at most 10 seconds. Zero means 1 second.
	Timeout time.Duration
	// Client makes the requests. Nil means one of its own that asks for TLS 1.2 and honours the proxies of the
	// environment. Its cookies and its rules for redirects are not used; it must not log URLs, for they
	// hold the prefix.
	Client *http.Client
}

// Range asks a service that answers ranges: it is told the first five hex digits of the password's SHA-1 and
// answers with the rest of every hash that begins so (k-anonymity). It asks for padding, so that an observer of
// the connection cannot tell the range by its size. Make one with NewRange. It is safe for concurrent use.
type Range struct {
	base      *url.URL
	userAgent string
	minCount  uint64
	timeout   time.Duration
	client    *http.Client
}

// NewRange returns a Range. Its error names every problem of the configuration.
func NewRange(c RangeConfig) (*Range, error) {
	base, urlErr := parseBase(cmp.Or(c.URL, publicService))
	problems := []error{urlErr, checkMinCount(c.MinCount)}
	if strings.ContainsFunc(c.UserAgent, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }) {
		problems = append(problems, errors.New("UserAgent must be printable ASCII"))
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		problems = append(problems, fmt.Errorf("Timeout is %v; it must be between 0 and %v", c.Timeout, maxTimeout))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("breach: invalid RangeConfig: %w", err)
	}
	return &Range{
		base: base, userAgent: cmp.Or(c.UserAgent, "cardea"), minCount: uint64(cmp.Or(c.MinCount, 1)),
		timeout: cmp.Or(c.Timeout, defaultTimeout), client: confined(c.Client),
	}, nil
}

func checkMinCount(n int) error {
	if n < 0 || n > greatestMinima {
		return fmt.Errorf("MinCount is %d; it must be between 0 and %d", n, greatestMinima)
	}
	return nil
}

// parseBase refuses what would send the prefix in the clear, or elsewhere than meant. The error does not
// repeat the URL, in which somebody may have put a password.
func parseBase(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("URL cannot be read")
	case u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "":
		return nil, errors.New("URL must have a host, and neither a user, a query nor a fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return nil, errors.New("URL must be https; http is for loopback hosts")
	}
	return u, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// confined returns a client that goes nowhere but where it is sent: a redirect would tell the prefix to
// whoever the answer names, and a cookie would tell apart who asks.
func confined(given *http.Client) *http.Client {
	var c http.Client
	if given != nil {
		c = *given
	} else {
		c.Transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: maxHeader,
		}
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Jar = nil
	return &c
}

// Breached reports whether the password is known to the service. If it cannot be told, that is an error; after
// the Timeout it is context.DeadlineExceeded, and the cause of ctx if that ends before.
func (r *Range) Breached(ctx context.Context, password auth.Secret) (bool, error) {
	within, cancel := context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("no answer within %v: %w", r.timeout, context.DeadlineExceeded))
	defer cancel()
	d := digestOf(password)
	answer, err := r.fetch(within, string(d[:prefixSize]))
	if err != nil {
		return false, fmt.Errorf("breach: ask %s: %w", r.base.Host, err)
	}
	found, err := search(answer, d[prefixSize:], r.minCount)
	if err != nil {
		return false, fmt.Errorf("breach: answer of %s: %w", r.base.Host, err)
	}
	return found, nil
}

func (r *Range) fetch(ctx context.Context, prefix string) ([]byte, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base.JoinPath("range", prefix).String(), nil)
	if err != nil {
		return nil, errRequest
	}
	q.Header.Set("User-Agent", r.userAgent)
	q.Header.Set("Add-Padding", "true")
	q.Header.Set("Accept-Encoding", "identity") // compressed, the size would show how much of it is padding
	response, err := r.client.Do(q)
	if err != nil {
		return nil, tellable(ctx, err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("status %d", response.StatusCode)
	case endless(response):
		return nil, errors.New("nothing says where the answer ends")
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, tellable(ctx, err)
	case len(answer) > maxAnswer:
		return nil, fmt.Errorf("more than %d bytes", maxAnswer)
	}
	return answer, nil
}

// endless reports whether the body just goes on until the connection is closed, as in HTTP/1.0: whoever can
// cut the connection could then take entries away unnoticed.
func endless(r *http.Response) bool {
	return r.ProtoMajor < 2 && r.ContentLength < 0 && len(r.TransferEncoding) == 0
}

var errRequest = errors.New("the request failed")

// tellable returns what may be told of an error. Those of net/http hold the URL and with it the prefix, and
// some repeat what the other side sent, which may do so too. So only what is known to be harmless goes on.
func tellable(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var (
		lookup      *net.DNSError
		certificate *tls.CertificateVerificationError
		system      *os.SyscallError
		network     net.Error
	)
	switch {
	case errors.As(err, &lookup):
		return errors.New("the host name cannot be resolved")
	case errors.As(err, &certificate):
		return errors.New("the certificate is not valid for the host")
	case errors.As(err, &system):
		return system // such as "connect: connection refused"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case errors.As(err, &network) && network.Timeout():
		return fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)
	}
	return errRequest
}

// search looks for the suffix in an answer. It compares with every line to its end, so that the time does not
// tell where in the answer the suffix is, or whether it is. Entries seen zero times are padding.
func search(answer, suffix []byte, minCount uint64) (bool, error) {
	found, lines := 0, 0
	for line := range bytes.Lines(answer) {
		hash, count, ok := parseLine(trimEnd(line), len(suffix))
		if !ok {
			return false, errors.New("not lines of SUFFIX:COUNT")
		}
		enough := 0
		if count >= minCount {
			enough = 1
		}
		found |= subtle.ConstantTimeCompare(hash[:len(suffix)], suffix) & enough
		lines++
	}
	if lines == 0 {
		// With padding, and without, each range has hundreds: nothing at all is something broken in between.
		return false, errors.New("no lines")
	}
	return found == 1, nil
}
