package authhttp_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/session"
)

// The benchmarks measure what the library costs beside what the same work costs at the least: the few lines
// that somebody would write by hand who needs no more than that work (floor_test.go). Both take turns in one
// run, and "x-floor" is the median of their ratios; other figures are of the library's turns alone.

const benchTurns = 41

// versus runs ours b.N times and floor as often.
func versus(b *testing.B, ours, floor func()) {
	ours()
	floor()
	var ratios []float64
	took := func(n int, f func()) time.Duration {
		begun := time.Now()
		for range n {
			f()
		}
		return time.Since(begun)
	}
	turns := min(b.N, benchTurns)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range turns {
		n := b.N*(i+1)/turns - b.N*i/turns
		spent := took(n, ours)
		b.StopTimer()
		ratios = append(ratios, float64(spent)/float64(took(n, floor)))
		b.StartTimer()
	}
	b.StopTimer()
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-floor")
}

// sink is an http.ResponseWriter that is used again and again, so that its own cost is next to nothing.
type sink struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *sink) Header() http.Header            { return w.header }
func (w *sink) WriteHeader(status int)         { w.status = status }
func (w *sink) Write(text []byte) (int, error) { return w.body.Write(text) }

// serve answers one request and returns the reply, which is good until the next.
func (w *sink) serve(h http.Handler, r *http.Request) *sink {
	clear(w.header)
	w.status = http.StatusOK
	w.body.Reset()
	h.ServeHTTP(w, r)
	return w
}

// cookie returns the value of a cookie that the reply sets, or nothing.
func (w *sink) cookie(name string) string {
	for _, line := range w.header["Set-Cookie"] {
		if rest, ok := strings.CutPrefix(line, name+"="); ok {
			value, _, _ := strings.Cut(rest, ";")
			return value
		}
	}
	return ""
}

// others are the cookies that a site's own pages leave behind.
const others = "theme=dark; _ga=GA1.1.1193620857.1767225600; _ga_K1M2N3P4Q5=GS2.1.s1767225600$o3$g1$t1767225900$j60$l0$h0; consent=2026-01-01.1.0.1"

// browserRequest is a request as a browser sends it. The body, if any, is set by post.
func browserRequest(method, target, cookies string) *http.Request {
	u, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	return &http.Request{
		Method: method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "app.example",
		RemoteAddr: "203.0.113.7:50144", RequestURI: target, Body: http.NoBody,
		Header: http.Header{
			"Accept":          {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"},
			"Accept-Encoding": {"gzip, deflate, br, zstd"},
			"Accept-Language": {"en-GB,en;q=0.9,de;q=0.8"},
			"Cookie":          {cookies},
			"Sec-Fetch-Dest":  {"document"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"same-origin"},
			"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36"},
		},
	}
}

// stubPasswords hashes in no time: what is measured is all the rest.
type stubPasswords struct{}

func (stubPasswords) Verify(_ context.Context, hash string, password auth.Secret, _ bool) (match, upgrade bool, err error) {
	return hash == "stub:"+password.Reveal(), false, nil
}

func (stubPasswords) Hash(_ context.Context, password auth.Secret, _ bool) (string, error) {
	return "stub:" + password.Reveal(), nil
}

func (stubPasswords) Review(context.Context, auth.Secret, auth.PasswordContext) (auth.PasswordReview, error) {
	return auth.PasswordReview{}, nil
}

func (stubPasswords) Lengths(bool) (shortest, longest int) { return 15, 256 }

const benchPassword = "kettle orbit velvet ninety"

// newBenchSite is an installation in memory with one account. It is as strict as ever, but for the bound on how many
// flows one address may begin.
func newBenchSite(b *testing.B) *authhttp.Handler {
	b.Helper()
	master := auth.Key{ID: "k1"}
	rand.Read(master.Bytes[:])
	keys, err := auth.NewKeys(master)
	require.NoError(b, err)
	store := memory.New()
	sessions, err := session.New(session.Config{Store: store})
	require.NoError(b, err)
	devices, err := session.NewDevices(session.DevicesConfig{Keys: keys})
	require.NoError(b, err)
	service, err := auth.New(auth.Config{
		Keys: keys, Directory: store, Accounts: store, PasswordStore: store, Flows: store, Counters: store,
		Passwords: stubPasswords{}, Sessions: sessions, Devices: devices,
		Throttle: auth.Throttle{BeginCap: 1 << 20, BeginLeak: time.Microsecond},
	})
	require.NoError(b, err)
	_, err = service.CreateAccount(b.Context(), auth.NewAccount{
		Identifier: "ada@example.com", Name: "Ada", Password: auth.NewSecret(benchPassword),
	})
	require.NoError(b, err)
	h, err := authhttp.New(authhttp.Config{Service: service, Keys: keys, Origin: origin, Product: "Bench"})
	require.NoError(b, err)
	return h
}

// visitor signs in over JSON as a script on a page does: the address, then the password.
type visitor struct {
	first, second          http.Request
	flowCookie, beginning  string // the name of the cookie; the cookies before it
	firstBody, secondParts []byte
	reply                  sink
}

func newVisitor(target, flowCookie, cookies string) *visitor {
	v := &visitor{flowCookie: flowCookie, beginning: cookies, reply: sink{header: http.Header{}}}
	for _, r := range []*http.Request{&v.first, &v.second} {
		*r = *browserRequest(http.MethodPost, target, cookies)
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Dest", "empty")
		r.Header.Set("Sec-Fetch-Mode", "cors")
	}
	v.firstBody = []byte(`{"goal":"sign-in","identifier":"Ada@example.com","keep":true,"return_to":"/inbox"}`)
	v.secondParts = []byte(`","action":"password","password":"` + benchPassword + `"}`)
	return v
}

// signIn returns the last reply, which has the session's cookie.
func (v *visitor) signIn(h http.Handler) *sink {
	v.first.Body = io.NopCloser(bytes.NewReader(v.firstBody))
	w := v.reply.serve(h, &v.first)
	_, rest, _ := bytes.Cut(w.body.Bytes(), []byte(`"flow":"`))
	handle, _, _ := bytes.Cut(rest, []byte(`"`))
	body := append(append(append(make([]byte, 0, 256), `{"flow":"`...), handle...), v.secondParts...)
	v.second.Header["Cookie"][0] = v.beginning + "; " + v.flowCookie + "=" + w.cookie(v.flowCookie)
	v.second.Body = io.NopCloser(bytes.NewReader(body))
	return v.reply.serve(h, &v.second)
}

// BenchmarkRequire is a request with a valid session on its way to the host's handler.
func BenchmarkRequire(b *testing.B) {
	site := newBenchSite(b)
	const name = "__Host-cardea-session"
	signedIn := newVisitor("/auth/flow", "__Host-cardea-flow", others).signIn(site)
	token := signedIn.cookie(name)
	require.NotEmpty(b, token, signedIn.body.String())
	var seen string
	ours := site.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, _ := authhttp.SessionFrom(r.Context())
		seen = s.Account
	}))
	plain := newFloor()
	floorToken := plain.issue("acct-ada", "agent")
	floor := plain.require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, _ := r.Context().Value(floorKey{}).(floorSession)
		seen = s.account
	}))
	w := sink{header: http.Header{}}
	measured := func(h http.Handler, cookie string) func() {
		r := browserRequest(http.MethodGet, "/inbox?page=2", others+"; "+cookie)
		return func() {
			seen = ""
			if w.serve(h, r); seen == "" {
				b.Fatal("the handler was not reached")
			}
		}
	}
	versus(b, measured(ours, name+"="+token), measured(floor, floorCookie+"="+floorToken))
}

// BenchmarkSignIn is a whole sign-in over JSON, in two requests, from a browser that never was here and from
// one that signed in before.
func BenchmarkSignIn(b *testing.B) {
	site := newBenchSite(b)
	const name, device = "__Host-cardea-session", "__Host-cardea-device"
	v := newVisitor("/auth/flow", "__Host-cardea-flow", others)
	known := v.signIn(site).cookie(device)
	require.NotEmpty(b, known, v.reply.body.String())
	plain := newFloor()
	floor := measuredSignIn(b, newVisitor("/sign-in", floorFlow, others), plain.signIn(), floorCookie)
	b.Run("new-browser", func(b *testing.B) {
		versus(b, measuredSignIn(b, v, site, name), floor)
	})
	b.Run("known-browser", func(b *testing.B) {
		v := newVisitor("/auth/flow", "__Host-cardea-flow", others+"; "+device+"="+known)
		versus(b, measuredSignIn(b, v, site, name), floor)
	})
}

func measuredSignIn(b *testing.B, v *visitor, h http.Handler, sessionCookie string) func() {
	return func() {
		if v.signIn(h).cookie(sessionCookie) == "" {
			b.Fatal(v.reply.body.String())
		}
	}
}
