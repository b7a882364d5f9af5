package breach_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password/breach"
)

const known = "correct horse battery staple"

func hashOf(pw string) string {
	sum := sha1.Sum([]byte(pw))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// service speaks the protocol of the public one: ranges of suffixes and counts in CRLF lines, padded on request
// with entries that were never seen.
type service struct {
	counts map[string]int // by hash

	mu    sync.Mutex
	asked []*http.Request
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r)
	s.mu.Unlock()
	prefix, ok := strings.CutPrefix(r.URL.Path, "/range/")
	if !ok || len(prefix) != 5 || r.UserAgent() == "" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	var lines []string
	for hash, count := range s.counts {
		if strings.HasPrefix(hash, prefix) {
			lines = append(lines, fmt.Sprintf("%s:%d", hash[5:], count))
		}
	}
	if r.Header.Get("Add-Padding") == "true" {
		for i := len(lines); i < 800; i++ {
			lines = append(lines, hashOf(fmt.Sprint("padding ", i))[5:]+":0")
		}
	}
	_, _ = io.WriteString(w, strings.Join(lines, "\r\n"))
}

func serve(t testing.TB, h http.Handler) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func newRange(t testing.TB, c breach.RangeConfig) *breach.Range {
	t.Helper()
	r, err := breach.NewRange(c)
	require.NoError(t, err)
	return r
}

func TestRange(t *testing.T) {
	s := &service{counts: map[string]int{hashOf(known): 3, hashOf("once"): 1, hashOf("padding only"): 0, hashOf("caf\u00e9"): 7}}
	server := serve(t, s)
	for _, row := range []struct {
		password string
		minCount int
		want     bool
	}{
		{known, 0, true},
		{known, 3, true},
		{known, 4, false},
		{"once", 0, true},
		{"once", 2, false},
		{"padding only", 0, false},
		{"nobody else has this", 0, false},
		{known + " ", 0, false},
		{"Correct horse battery staple", 0, false},
		{"caf\u00e9", 0, true},
		{"cafe\u0301", 0, false}, // a Hasher gives the composed form
		{"", 0, false},
	} {
		r := newRange(t, breach.RangeConfig{URL: server.URL, MinCount: row.minCount})
		found, err := r.Breached(t.Context(), auth.NewSecret(row.password))
		require.NoError(t, err, row.password)
		require.Equal(t, row.want, found, "%q %d", row.password, row.minCount)
	}
}

// ASVS 6.2.12: the service must not learn the password. Five hex digits are all that it gets, in a request that
// is the same for everybody.
func TestRangeTellsFiveDigits(t *testing.T) {
	s := &service{}
	server := serve(t, s)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	jar.SetCookies(at, []*http.Cookie{{Name: "who", Value: "me"}})
	for _, client := range []*http.Client{nil, {Jar: jar}} {
		r := newRange(t, breach.RangeConfig{URL: server.URL + "/", UserAgent: "example.com", Client: client})
		_, err = r.Breached(t.Context(), auth.NewSecret(known))
		require.NoError(t, err)
	}
	require.Len(t, s.asked, 2)
	for _, q := range s.asked {
		require.Equal(t, "GET", q.Method)
		require.Equal(t, "/range/"+hashOf(known)[:5], q.RequestURI)
		require.Equal(t, http.Header{
			"User-Agent": {"example.com"}, "Add-Padding": {"true"}, "Accept-Encoding": {"identity"},
		}, q.Header)
		require.Zero(t, q.ContentLength)
	}
	require.NotNil(t, jar.Cookies(at), "the host's client is not changed")
}

// raw writes bytes to the connection as they are.
func raw(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, out, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(out, strings.ReplaceAll(answer, "PREFIX", r.URL.Path[len("/range/"):]))
		_ = out.Flush()
		_ = conn.Close()
	}
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, entryOf(known, 1)+"\r\n"+r.URL.Path) // right, but not meant so
	}
}

func entryOf(pw string, count int) string { return fmt.Sprintf("%s:%d", hashOf(pw)[5:], count) }

// A service that is down, broken or hostile must not make a known password pass for an unknown one, nor take
// time or memory; and none of it may put the digest into a log.
func TestRangeDoubtsAreErrors(t *testing.T) {
	var elsewhere service
	other := serve(t, &elsewhere)
	redirect := func(code int, to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to+r.URL.Path, code) }
	}
	good, padding := entryOf(known, 5), entryOf("padding", 0)
	for _, row := range []struct {
		name   string
		answer http.HandlerFunc
		says   string
	}{
		{"not found", status(404), "status 404"},
		{"limited", status(429), "status 429"},
		{"broken", status(500), "status 500"},
		{"down", status(503), "status 503"},
		{"another success", status(206), "status 206"},
		{"no content", status(204), "status 204"},
		{"not modified", status(304), "status 304"},
		{"sent elsewhere", redirect(302, other.URL), "status 302"},
		{"sent elsewhere for good", redirect(308, other.URL), "status 308"},
		{"sent around", redirect(307, ""), "status 307"},

		{"nothing", body(""), "no lines"},
		{"an empty line", body("\r\n"), "not lines"},
		{"an empty line among others", body(good + "\r\n\r\n" + padding), "not lines"},
		{"a page", body("<!doctype html><title>Sign in to the network</title>"), "not lines"},
		{"JSON", body(`{"suffix":1}`), "not lines"},
		{"no count", body(good + "\r\n" + padding[:35]), "not lines"},
		{"empty count", body(good + "\r\n" + padding[:36]), "not lines"},
		{"cut within a hash", body(good + "\r\n" + padding[:20]), "not lines"},
		{"negative", body(padding[:36] + "-1"), "not lines"},
		{"signed", body(padding[:36] + "+1"), "not lines"},
		{"fraction", body(padding[:36] + "1.0"), "not lines"},
		{"grouped", body(padding[:36] + "1_000"), "not lines"},
		{"hex", body(padding[:36] + "0x1"), "not lines"},
		{"huge", body(padding[:36] + "9999999999999999999"), "not lines"},
		{"endless count", body(padding[:36] + strings.Repeat("0", 1000)), "not lines"},
		{"spaces", body(" " + padding), "not lines"},
		{"whole hashes", body(hashOf(known) + ":1"), "not lines"},
		{"not hex", body("G" + padding[1:]), "not lines"},
		{"NTLM hashes", body(padding[:27] + ":1"), "not lines"},
		{"bare CR", body(good + "\r" + padding), "not lines"},
		{"NUL", body(good + "\x00"), "not lines"},
		{"a mark at the beginning", body("\ufeff" + good), "not lines"},

		{"too long", body(strings.Repeat(padding+"\r\n", 20_000)), "more than 524288 bytes"},
		{"one long line", body(strings.Repeat("A", 600<<10)), "more than 524288 bytes"},
		{"cut", raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + good + "\r\n"), "unexpected EOF"},
		{"cut in a chunk", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n26\r\n" + padding + "\r\n"), "unexpected EOF"},
		{"no end", raw("HTTP/1.0 200 OK\r\n\r\n" + padding + "\r\n"), "nothing says where the answer ends"},
		{"no answer", raw(""), "EOF"},
		{"no HTTP", raw("220 mail PREFIX\r\n"), "the request failed"},
		{"an echo for a status", raw("HTTP/1.1 PREFIX PREFIX\r\n\r\n"), "the request failed"},
		{"an echo for a header", raw("HTTP/1.1 200 OK\r\nPREFIX\r\n\r\n"), "the request failed"},
		{"an echo for a length", raw("HTTP/1.1 200 OK\r\nContent-Length: PREFIX\r\n\r\n"), "the request failed"},
		{"compressed though not asked", raw("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"), "not lines"},
		{"endless headers", raw("HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("a", 1000)+"\r\n", 100)), "the request failed"},
	} {
		server := serve(t, row.answer)
		r := newRange(t, breach.RangeConfig{URL: server.URL, Timeout: 10 * time.Second})
		found, err := r.Breached(t.Context(), auth.NewSecret(known))
		require.ErrorContains(t, err, row.says, row.name)
		require.False(t, found, row.name)
		silent(t, err, known)
	}
	require.Empty(t, elsewhere.asked, "the prefix went to a host of somebody else's choice")
}

// silent checks that an error tells nothing of a password, however it is printed.
func silent(t testing.TB, err error, pw string) {
	t.Helper()
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		for _, secret := range []string{pw, hashOf(pw)[:5], hashOf(pw)[5:], "/range"} {
			require.NotContains(t, strings.ToLower(text), strings.ToLower(secret))
		}
	}
	for err != nil { // nor may anybody find it by unwrapping
		var u *url.Error
		require.False(t, errors.As(err, &u))
		err = errors.Unwrap(err)
	}
}

func TestRangeReadsWhatMirrorsWrite(t *testing.T) {
	for name, text := range map[string]string{
		"LF":              entryOf("a", 1) + "\n" + entryOf(known, 2) + "\n",
		"CRLF at the end": entryOf(known, 2) + "\r\n",
		"lower case":      strings.ToLower(entryOf(known, 2)),
		"twice":           entryOf(known, 0) + "\n" + entryOf(known, 2) + "\n" + entryOf(known, 0),
	} {
		r := newRange(t, breach.RangeConfig{URL: serve(t, body(text)).URL})
		found, err := r.Breached(t.Context(), auth.NewSecret(known))
		require.NoError(t, err, name)
		require.True(t, found, name)
	}
}

// hanging answers its beginning and then nothing, until the test ends.
func hanging(t *testing.T, beginning string) *httptest.Server {
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if beginning != "" {
			_, _ = io.WriteString(w, beginning)
			_ = http.NewResponseController(w).Flush()
		}
		<-over
	}))
	t.Cleanup(func() { close(over); s.Close() })
	return s
}

func TestRangeDoesNotWait(t *testing.T) {
	for name, beginning := range map[string]string{"no answer": "", "no end": entryOf(known, 1) + "\r\n"} {
		server := hanging(t, beginning)
		r := newRange(t, breach.RangeConfig{URL: server.URL, Timeout: 20 * time.Millisecond})
		_, err := r.Breached(t.Context(), auth.NewSecret(known))
		require.ErrorIs(t, err, context.DeadlineExceeded, name)
		require.ErrorContains(t, err, "no answer within 20ms", name)
		silent(t, err, known)

		r = newRange(t, breach.RangeConfig{URL: server.URL, Client: &http.Client{Timeout: 20 * time.Millisecond}})
		_, err = r.Breached(t.Context(), auth.NewSecret(known))
		require.ErrorIs(t, err, context.DeadlineExceeded, "%s: the client's own limit", name)
		silent(t, err, known)

		gone := errors.New("the client went away")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(20*time.Millisecond, func() { cancel(gone) })
		r = newRange(t, breach.RangeConfig{URL: server.URL, Timeout: 10 * time.Second})
		_, err = r.Breached(ctx, auth.NewSecret(known))
		require.ErrorIs(t, err, gone, name)
		silent(t, err, known)
	}
}

// transport fails in a way of its own.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

func TestRangeWhenNobodyIsThere(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	untrusted := httptest.NewUnstartedServer(&service{})
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	for _, row := range []struct {
		name   string
		config breach.RangeConfig
		says   string
	}{
		{"refused", breach.RangeConfig{URL: closed.URL}, "connect"},
		{"not trusted", breach.RangeConfig{URL: untrusted.URL}, "certificate is not valid"},
		{"no such host", breach.RangeConfig{URL: "https://breach.invalid", Client: &http.Client{Transport: &http.Transport{}}}, "cannot be resolved"},
		{"a transport that talks", breach.RangeConfig{Client: &http.Client{Transport: transport(func(q *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("GET %s failed", q.URL)
		})}}, "the request failed"},
	} {
		row.config.Timeout = 10 * time.Second
		_, err := newRange(t, row.config).Breached(t.Context(), auth.NewSecret(known))
		require.ErrorContains(t, err, row.says, row.name)
		silent(t, err, known)
	}
}

func TestRangeOverTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(&service{counts: map[string]int{hashOf(known): 1}})
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	r := newRange(t, breach.RangeConfig{URL: server.URL, Client: server.Client()})
	found, err := r.Breached(t.Context(), auth.NewSecret(known))
	require.NoError(t, err)
	require.True(t, found)
}

func TestRangeIsConcurrent(t *testing.T) {
	server := serve(t, &service{counts: map[string]int{hashOf(known): 1}})
	r := newRange(t, breach.RangeConfig{URL: server.URL, Timeout: 10 * time.Second})
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			pw := known
			if i%2 == 1 {
				pw = fmt.Sprint("unknown ", i)
			}
			found, err := r.Breached(t.Context(), auth.NewSecret(pw))
			if err != nil || found != (pw == known) {
				t.Errorf("%q: %v, %v", pw, found, err)
			}
		})
	}
	wg.Wait()
}

func TestNewRangeRefuses(t *testing.T) {
	for _, row := range []struct {
		name   string
		config breach.RangeConfig
		says   string // empty: accepted
	}{
		{"all defaults", breach.RangeConfig{}, ""},
		{"a mirror", breach.RangeConfig{URL: "https://mirror.example/pwned/"}, ""},
		{"loopback", breach.RangeConfig{URL: "http://127.0.0.1:8080"}, ""},
		{"loopback, IPv6", breach.RangeConfig{URL: "http://[::1]:8080"}, ""},
		{"loopback by name", breach.RangeConfig{URL: "http://localhost"}, ""},
		{"in the clear", breach.RangeConfig{URL: "http://api.pwnedpasswords.com"}, "must be https"},
		{"in the clear, much like loopback", breach.RangeConfig{URL: "http://127.0.0.1.example"}, "must be https"},
		{"a name below localhost", breach.RangeConfig{URL: "http://localhost.example"}, "must be https"},
		{"any address", breach.RangeConfig{URL: "http://0.0.0.0"}, "must be https"},
		{"another scheme", breach.RangeConfig{URL: "ftp://mirror.example"}, "must be https"},
		{"no scheme", breach.RangeConfig{URL: "mirror.example"}, "must have a host"},
		{"no host", breach.RangeConfig{URL: "https://"}, "must have a host"},
		{"only a port", breach.RangeConfig{URL: "https://:443"}, "must have a host"},
		{"a user", breach.RangeConfig{URL: "https://me:hunter2@mirror.example"}, "neither a user"},
		{"a query", breach.RangeConfig{URL: "https://mirror.example?key=hunter2"}, "neither a user"},
		{"an empty query", breach.RangeConfig{URL: "https://mirror.example?"}, "neither a user"},
		{"a fragment", breach.RangeConfig{URL: "https://mirror.example#hunter2"}, "neither a user"},
		{"not a URL", breach.RangeConfig{URL: "https://hunter2\x7f"}, "cannot be read"},
		{"header in the agent", breach.RangeConfig{UserAgent: "me\r\nX: y"}, "UserAgent"},
		{"negative timeout", breach.RangeConfig{Timeout: -1}, "Timeout is -1ns"},
		{"long timeout", breach.RangeConfig{Timeout: 11 * time.Second}, "Timeout is 11s"},
		{"negative count", breach.RangeConfig{MinCount: -1}, "MinCount is -1"},
	} {
		r, err := breach.NewRange(row.config)
		if row.says == "" {
			require.NoError(t, err, row.name)
			require.NotNil(t, r)
			continue
		}
		require.ErrorContains(t, err, row.says, row.name)
		require.NotContains(t, err.Error(), "hunter2", row.name)
		require.Nil(t, r)
	}
	_, err := breach.NewRange(breach.RangeConfig{URL: "x", UserAgent: "\n", MinCount: -1, Timeout: -1})
	for _, name := range []string{"URL", "UserAgent", "MinCount", "Timeout"} {
		require.ErrorContains(t, err, name)
	}
}
