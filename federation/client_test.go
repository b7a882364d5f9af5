package federation_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/cardea-auth/cardea/federation"
)

// server starts one with a certificate, and returns rules under which it may be asked.
func server(t *testing.T, h http.HandlerFunc) (string, federation.ClientConfig) {
	t.Helper()
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return srv.URL, federation.ClientConfig{Development: true, RootCAs: roots}
}

func client(t *testing.T, c federation.ClientConfig) *http.Client {
	t.Helper()
	made, err := federation.NewClient(c)
	require.NoError(t, err)
	t.Cleanup(made.CloseIdleConnections)
	return made
}

func read(c *http.Client, address string) (string, error) {
	response, err := c.Get(address)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestAnswersAreBounded(t *testing.T) {
	const bound = 1000
	for name, c := range map[string]struct {
		size int
		how  func(w http.ResponseWriter, body []byte)
	}{
		"with its length":    {bound, func(w http.ResponseWriter, b []byte) { _, _ = w.Write(b) }},
		"in pieces":          {bound, func(w http.ResponseWriter, b []byte) { pieces(w, b) }},
		"compressed":         {bound, func(w http.ResponseWriter, b []byte) { compressed(w, b) }},
		"nothing":            {0, func(w http.ResponseWriter, b []byte) { _, _ = w.Write(b) }},
		"compressed to less": {10 << 20, func(w http.ResponseWriter, b []byte) { compressed(w, b) }},
		"endless":            {10 << 20, func(w http.ResponseWriter, b []byte) { pieces(w, b) }},
	} {
		var more atomic.Bool
		address, rules := server(t, func(w http.ResponseWriter, r *http.Request) {
			size := c.size
			if more.Load() {
				size++
			}
			c.how(w, make([]byte, size))
		})
		rules.MaxBody = bound
		body, err := read(client(t, rules), address)
		if c.size <= bound {
			require.NoError(t, err, name)
			require.Len(t, body, c.size, name)
		} else {
			require.ErrorIs(t, err, federation.ErrTooLarge, name)
		}
		more.Store(true)
		if c.size == bound {
			_, err = read(client(t, rules), address)
			require.ErrorIs(t, err, federation.ErrTooLarge, name)
		}
	}
}

func pieces(w http.ResponseWriter, b []byte) {
	for len(b) > 0 {
		n := min(len(b), 777)
		if _, err := w.Write(b[:n]); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		b = b[n:]
	}
}

func compressed(w http.ResponseWriter, b []byte) {
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	_, _ = z.Write(b)
	_ = z.Close()
}

// TestABoundedBodyStaysAtItsEnd: who reads on after the error must not get the rest.
func TestABoundedBodyStaysAtItsEnd(t *testing.T) {
	address, rules := server(t, func(w http.ResponseWriter, _ *http.Request) { pieces(w, bytes.Repeat([]byte("x"), 5000)) })
	rules.MaxBody = 1000
	response, err := client(t, rules).Get(address)
	require.NoError(t, err)
	defer response.Body.Close()
	total, failures := 0, 0
	for range 5000 {
		n, err := response.Body.Read(make([]byte, 64))
		total += n
		if errors.Is(err, federation.ErrTooLarge) {
			if failures++; failures == 5 {
				break
			}
		}
	}
	require.Equal(t, []int{1000, 5}, []int{total, failures})
}

func TestASlowDripEnds(t *testing.T) {
	for name, begin := range map[string]int{"before the header": 0, "in the body": 200} {
		address, rules := server(t, func(w http.ResponseWriter, r *http.Request) {
			if begin > 0 {
				w.WriteHeader(begin)
			}
			for range 200 {
				if begin > 0 {
					_, _ = w.Write([]byte("x"))
					_ = http.NewResponseController(w).Flush()
				}
				select {
				case <-r.Context().Done():
					panic(http.ErrAbortHandler) // an end in good order could still reach who just gave up
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
		rules.Timeout = 200 * time.Millisecond
		began := time.Now()
		_, err := read(client(t, rules), address)
		require.Error(t, err, name)
		require.ErrorIs(t, federation.Tellable(t.Context(), err), context.DeadlineExceeded, name)
		require.Less(t, time.Since(began), 3*time.Second, name)

		own := &http.Client{Transport: client(t, federation.ClientConfig{Development: true, RootCAs: rules.RootCAs}).Transport}
		_, err = read(client(t, federation.ClientConfig{Client: own, Development: true, Timeout: 200 * time.Millisecond}), address)
		require.ErrorIs(t, federation.Tellable(t.Context(), err), context.DeadlineExceeded, "the host's own client: %#v", err)
	}
}

func TestRedirects(t *testing.T) {
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("somebody went elsewhere") }))
	t.Cleanup(elsewhere.Close)
	for name, c := range map[string]struct {
		to   func(self, path string) string
		want error
	}{
		"once":             {func(_, p string) string { return map[string]string{"/": "/1"}[p] }, nil},
		"three times":      {func(_, p string) string { return map[string]string{"/": "/1", "/1": "/2", "/2": "/3"}[p] }, nil},
		"four times":       {func(_, p string) string { return map[string]string{"/": "/1", "/1": "/2", "/2": "/3", "/3": "/4"}[p] }, federation.ErrRedirect},
		"for ever":         {func(_, p string) string { return "/" }, federation.ErrRedirect},
		"to its full name": {func(s, p string) string { return map[string]string{"/": s + "/1"}[p] }, nil},
		"to another port":  {func(string, string) string { return elsewhere.URL }, federation.ErrRedirect},
		"to another host":  {func(string, string) string { return "https://example.com/" }, federation.ErrRedirect},
		"to plain http":    {func(s, _ string) string { return "http" + strings.TrimPrefix(s, "https") }, federation.ErrRedirect},
		"to a name of it":  {func(s, _ string) string { return strings.Replace(s, "127.0.0.1", "localhost", 1) }, federation.ErrRedirect},
		"with a user": {func(s, p string) string {
			return map[string]string{"/": strings.Replace(s, "https://", "https://user:pass@", 1) + "/1"}[p]
		}, federation.ErrRedirect},
		"without a scheme":   {func(string, string) string { return "//example.com/" }, federation.ErrRedirect},
		"to a file":          {func(string, string) string { return "file:///etc/passwd" }, federation.ErrRedirect},
		"first here, then …": {func(_, p string) string { return map[string]string{"/": "/1", "/1": "https://example.com"}[p] }, federation.ErrRedirect},
	} {
		var self string
		address, rules := server(t, func(w http.ResponseWriter, r *http.Request) {
			if to := c.to(self, r.URL.Path); to != "" {
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusTemporaryRedirect)
			}
		})
		self = address
		_, err := read(client(t, rules), address+"/")
		require.ErrorIs(t, err, c.want, name)
	}
}

// TestNothingThatCarriesASecretIsRedirected: 307 repeats a body, and net/http an Authorization header at the same host.
func TestNothingThatCarriesASecretIsRedirected(t *testing.T) {
	for name, make := range map[string]func(address string) *http.Request{
		"a form": func(a string) *http.Request {
			r, _ := http.NewRequest(http.MethodPost, a, strings.NewReader("code=x"))
			return r
		},
		"an empty form": func(a string) *http.Request { r, _ := http.NewRequest(http.MethodPost, a, nil); return r },
		"a bearer token": func(a string) *http.Request {
			r, _ := http.NewRequest(http.MethodGet, a, nil)
			r.Header.Set("Authorization", "Bearer x")
			return r
		},
		"a cookie": func(a string) *http.Request {
			r, _ := http.NewRequest(http.MethodGet, a, nil)
			r.Header.Set("Cookie", "a=b")
			return r
		},
	} {
		for _, code := range []int{301, 302, 303, 307, 308} {
			var calls atomic.Int32
			address, rules := server(t, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				w.Header().Set("Location", "/again")
				w.WriteHeader(code)
			})
			response, err := client(t, rules).Do(make(address))
			if response != nil {
				response.Body.Close()
			}
			require.ErrorIs(t, err, federation.ErrRedirect, name)
			require.EqualValues(t, 1, calls.Load(), name)
		}
	}
}

func TestOnlyHTTPS(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	t.Cleanup(plain.Close)
	_, err := read(client(t, federation.ClientConfig{}), plain.URL)
	require.ErrorIs(t, err, federation.ErrInsecure)
	_, err = client(t, federation.ClientConfig{}).Post(plain.URL, "text/plain", strings.NewReader("code=x"))
	require.ErrorIs(t, err, federation.ErrInsecure)
	body, err := read(client(t, federation.ClientConfig{Development: true}), plain.URL)
	require.NoError(t, err)
	require.Equal(t, "ok", body)
	for _, address := range []string{"http://example.com", "http://localhost.example.com", "http://10.0.0.1", "ftp://localhost", "http://localhost.", "http://2130706433"} {
		_, err := read(client(t, federation.ClientConfig{Development: true}), address)
		require.Error(t, err, address)
		_, err = federation.ParseURL(address, true)
		require.ErrorIs(t, err, federation.ErrInsecure, address)
	}
	_, err = read(client(t, federation.ClientConfig{Client: plain.Client()}), plain.URL)
	require.ErrorIs(t, err, federation.ErrInsecure, "with the host's own client too")
}

func TestParseURL(t *testing.T) {
	for address, want := range map[string]bool{
		"https://example.com": true, "https://example.com:8443/a?b=c": true, "https://10.0.0.1": true, "http://localhost:1": false,
		"http://example.com": false, "//example.com": false, "example.com": false, "": false, "https://": false, "https:///a": false,
		"https://user@example.com": false, "https://example.com#a": false, "https:example.com": false, "javascript:alert(1)": false,
		"https://exa mple.com": false, "https://example.com/\x00": false, "HTTPS://example.com": true, "https://[::1": false,
	} {
		_, err := federation.ParseURL(address, false)
		require.Equal(t, want, err == nil, address)
		if err != nil && len(address) > 9 {
			require.NotContains(t, err.Error(), address)
		}
	}
	for _, address := range []string{"http://localhost:8080", "http://127.0.0.1", "http://127.9.9.9", "http://[::1]:80"} {
		_, err := federation.ParseURL(address, true)
		require.NoError(t, err, address)
	}
}

// resolver answers each question with one address, as a server of somebody who wants in would.
func resolver(t *testing.T, address string) *net.Resolver {
	t.Helper()
	a := netip.MustParseAddr(address)
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			for {
				var size [2]byte // as over TCP: a pipe is no packet connection
				if _, err := io.ReadFull(theirs, size[:]); err != nil {
					return
				}
				question := make([]byte, int(size[0])<<8|int(size[1]))
				if _, err := io.ReadFull(theirs, question); err != nil {
					return
				}
				reply := answer(question, a)
				_, _ = theirs.Write(append([]byte{byte(len(reply) >> 8), byte(len(reply))}, reply...))
			}
		}()
		return ours, nil
	}}
}

func answer(question []byte, a netip.Addr) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	q := m.Questions[0]
	h := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}
	switch {
	case q.Type == dnsmessage.TypeA && a.Is4():
		m.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AResource{A: a.As4()}}}
	case q.Type == dnsmessage.TypeAAAA && a.Is6():
		m.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}}}
	}
	packed, _ := m.Pack()
	return packed
}

// TestNamesThatResolveInward: the name is public and what it resolves to is not.
func TestNamesThatResolveInward(t *testing.T) {
	for _, inward := range []string{"127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "64:ff9b::a9fe:a9fe", "::ffff:10.0.0.1"} {
		_, err := read(client(t, federation.ClientConfig{Resolver: resolver(t, inward), Timeout: 3 * time.Second}), "https://id.example.com/")
		require.ErrorIs(t, err, federation.ErrAddress, inward)
		require.Equal(t, federation.ErrAddress, federation.Tellable(t.Context(), err))
	}
	// The control: in development the same name leads to the loopback, and the connection is made.
	address, rules := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	rules.Resolver = resolver(t, "127.0.0.1")
	port := address[strings.LastIndexByte(address, ':'):]
	body, err := read(client(t, rules), "https://example.com"+port) // which is in the certificate
	require.NoError(t, err)
	require.Equal(t, "ok", body)
}

func TestTheHostsOwnClient(t *testing.T) {
	address, rules := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "https://example.com/", http.StatusFound)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		_, _ = w.Write(make([]byte, 2000))
		if len(r.Cookies()) > 0 {
			t.Error("a cookie came back")
		}
	})
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	own := &http.Client{Jar: jar, Transport: client(t, rules).Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	c := client(t, federation.ClientConfig{Client: own, MaxBody: 2000})
	for range 2 {
		_, err = read(c, address)
		require.NoError(t, err)
	}
	_, err = read(client(t, federation.ClientConfig{Client: own, MaxBody: 1999}), address)
	require.ErrorIs(t, err, federation.ErrTooLarge)
	_, err = read(c, address+"/away")
	require.ErrorIs(t, err, federation.ErrRedirect)
	require.NotNil(t, own.Jar, "it is not changed")
	require.Equal(t, time.Second, client(t, federation.ClientConfig{Client: &http.Client{Timeout: time.Second}}).Timeout)
	require.Equal(t, 2*time.Second, client(t, federation.ClientConfig{Timeout: 2 * time.Second, Client: &http.Client{Timeout: time.Hour}}).Timeout)
}

func TestNoProxyOfTheEnvironment(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	t.Cleanup(proxy.Close)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	t.Setenv("HTTP_PROXY", proxy.URL)
	c := client(t, federation.ClientConfig{Resolver: resolver(t, "10.0.0.1"), Timeout: 3 * time.Second})
	_, err := read(c, "https://id.example.com/")
	require.ErrorIs(t, err, federation.ErrAddress)
}

func TestConfigsThatMustNotBe(t *testing.T) {
	_, err := federation.NewClient(federation.ClientConfig{Timeout: time.Hour, MaxBody: -1, Client: &http.Client{}, Resolver: &net.Resolver{}})
	for _, part := range []string{"Timeout", "MaxBody", "RootCAs and Resolver"} {
		require.ErrorContains(t, err, part)
	}
}

func TestTellable(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	for err, want := range map[error]string{
		errors.New("https://x/?code=SENTINEL"):           "the request failed",
		&net.DNSError{Err: "SENTINEL", Name: "SENTINEL"}: "the host name cannot be resolved",
		io.EOF: "unexpected EOF",
		&net.OpError{Op: "SENTINEL", Err: context.DeadlineExceeded}: "context deadline exceeded",
	} {
		require.EqualError(t, federation.Tellable(ctx, err), want)
	}
	address, rules := server(t, func(http.ResponseWriter, *http.Request) {})
	rules.RootCAs = nil
	_, err := read(client(t, rules), address+"/?code=SENTINEL")
	require.EqualError(t, federation.Tellable(ctx, err), "the certificate is not valid for the host")
	_, err = read(client(t, federation.ClientConfig{Development: true}), "https://127.0.0.1:1/?code=SENTINEL")
	require.EqualError(t, federation.Tellable(ctx, err), "connect: connection refused")
	require.NoError(t, federation.Tellable(ctx, nil))
	cancel(gone)
	require.Equal(t, gone, federation.Tellable(ctx, io.EOF))
}
