package bench

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// turns is how often the library and the floor take turns.
const turns = 41

// versus runs a handler b.N times and the floor as often, each with a request that has its cookie, and reports the
// median of their ratios; other figures are of the handler's turns alone.
func versus(b *testing.B, ours, floor side) {
	ours.answer(b, 1)
	floor.answer(b, 1)
	var ratios []float64
	b.ReportAllocs()
	b.ResetTimer()
	for i := range min(b.N, turns) {
		n := b.N*(i+1)/min(b.N, turns) - b.N*i/min(b.N, turns)
		spent := ours.answer(b, n)
		b.StopTimer()
		ratios = append(ratios, float64(spent)/float64(floor.answer(b, n)))
		b.StartTimer()
	}
	b.StopTimer()
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-floor")
}

// side is a site with somebody signed in: a function that guards a handler, one that tells a handler who is there,
// and the cookie.
type side struct {
	guard  func(http.Handler) http.Handler
	who    func(*http.Request) string
	cookie string
}

const account = "acct-ada"

// answer lets the site answer n requests and returns how long it took.
func (s side) answer(b *testing.B, n int) time.Duration {
	seen := ""
	h := s.guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = s.who(r) }))
	r := browserRequest(s.cookie)
	w := &reply{http.Header{}}
	begun := time.Now()
	for range n {
		seen = ""
		clear(w.header)
		if h.ServeHTTP(w, r); seen != account {
			b.Fatalf("the handler saw %q", seen)
		}
	}
	return time.Since(begun)
}

// reply is an http.ResponseWriter that costs next to nothing.
type reply struct{ header http.Header }

func (w *reply) Header() http.Header            { return w.header }
func (w *reply) WriteHeader(int)                {}
func (w *reply) Write(text []byte) (int, error) { return len(text), nil }

// browserRequest is a request as a browser sends it, with what a site's own pages left among its cookies.
func browserRequest(cookie string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://app.example/inbox?page=2", nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8")
	r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	r.Header.Set("Accept-Language", "en-GB,en;q=0.9,de;q=0.8")
	r.Header.Set("Cookie", "theme=dark; _ga=GA1.1.1193620857.1767225600; _ga_K1M2N3P4Q5=GS2.1.s1767225600$o3$g1$t1767225900$j60$l0$h0; consent=2026-01-01.1.0.1; "+cookie)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("User-Agent", agent)
	return r
}

const agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36"
