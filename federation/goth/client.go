package viagoth

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

const maxHeader = 64 << 10

// transport returns what makes the requests: the host's transport, or one of our own.
func transport(given *http.Client) http.RoundTripper {
	if given != nil && given.Transport != nil {
		return given.Transport
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// secure reports whether u is https, or http to the same machine.
func secure(u *url.URL) bool {
	return u.Hostname() != "" && u.Opaque == "" && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()))
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// unreachable returns what may be told of an error of net/http. Its own text holds addresses, in which there may be
// a token, and what the other side sent.
func unreachable(ctx context.Context, err error) error {
	if ended := interrupted(ctx); ended != nil {
		return ended
	}
	return &auth.ProviderError{Code: CodeUnreachable, Err: tellable(err)}
}

func tellable(err error) error {
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
		return context.DeadlineExceeded
	}
	return errors.New("the request failed")
}

// tokenAnswer returns the access token and the error code of a token endpoint's answer, the latter if it is a known one,
// and leaves the answer to be read again.
func tokenAnswer(response *http.Response) (token, code string) {
	text, _ := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(text))
	var answer struct {
		Token any `json:"access_token"`
		Error any `json:"error"`
	}
	if json.Unmarshal(text, &answer) == nil {
		token, _ = answer.Token.(string)
		code, _ = answer.Error.(string)
	} else if form, err := url.ParseQuery(string(text)); err == nil {
		token, code = form.Get("access_token"), form.Get("error")
	}
	if !oauthErrors[code] {
		code = ""
	}
	return token, code
}
