package auth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/idna"

	"github.com/cardea-auth/cardea/auth"
)

// readRows reads attack data. A key that nobody knows fails the test: a misspelt one would be ignored for ever.
func readRows[Row any](t testing.TB, path string) []Row {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var file struct {
		About string `json:"about"`
		Rows  []Row  `json:"rows"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&file))
	require.NotEmpty(t, file.Rows)
	return file.Rows
}

type returnRow struct {
	URL     string   `json:"url"`
	Repeat  int      `json:"repeat"` // how often url is written one after the other; zero for once
	Base    string   `json:"base"`   // where the own site is
	Allow   []string `json:"allow"`
	Verdict string   `json:"verdict"`
	Why     string   `json:"why"`
	Source  string   `json:"source"`
}

func (r returnRow) raw() string { return strings.Repeat(r.URL, max(r.Repeat, 1)) }

// rule is made of the entries that it takes; TestReturnEntries says which those are.
func (r returnRow) rule(t testing.TB) *auth.ReturnRule {
	taken := slices.DeleteFunc(slices.Clone(r.Allow), func(entry string) bool {
		_, err := auth.NewReturnRule([]string{entry}, "")
		return err != nil
	})
	rule, err := auth.NewReturnRule(taken, "/home")
	require.NoError(t, err)
	return rule
}

// The rows hold the open redirects of others, such as authboss's, whose guard looks for "://" only.
func TestReturnTo(t *testing.T) {
	counts := map[string]int{}
	for _, row := range readRows[returnRow](t, "testdata/return_to.json") {
		rule := row.rule(t)
		counts[row.Verdict]++
		switch row.Verdict {
		case "refuse":
			require.False(t, rule.Allows(row.raw()), "%q: %s (%s)", row.URL, row.Why, row.Source)
			require.Equal(t, "/home", rule.Clean(row.raw()))
		case "accept":
			require.True(t, rule.Allows(row.raw()), "%q: %s (%s)", row.URL, row.Why, row.Source)
			requireStays(t, rule.Clean(row.raw()), row.Base, row.Allow)
		default:
			t.Errorf("%q: unknown verdict %q", row.URL, row.Verdict)
		}
	}
	require.Greater(t, counts["refuse"], 230)
	require.Greater(t, counts["accept"], 60)
}

// requireStays checks that a clean address leads to the own site or to an entry, read as net/url reads it
// and as a browser does.
func requireStays(t testing.TB, clean, base string, allow []string) {
	t.Helper()
	if base == "" {
		base = "https://own.example/"
	}
	site, err := url.Parse(base)
	require.NoError(t, err)
	resolved, err := site.Parse(clean)
	require.NoError(t, err, "%q", clean)
	require.Nil(t, resolved.User)
	origins := []string{originOf(site)}
	for _, entry := range allow {
		if u, err := url.Parse(entry); err == nil {
			origins = append(origins, originOf(u))
		}
	}
	require.Contains(t, origins, originOf(resolved), "%q", clean)
	require.Contains(t, origins, browserOrigin(site, clean), "%q, as a browser reads it", clean)
	require.NotRegexp(t, `(^|/)\.\.?(/|$)`, resolved.Path, "%q", clean)
	if strings.HasPrefix(clean, "/") { // a proxy may decode a path before it redirects to it
		for decoded, n := clean, 0; n < 3; n++ {
			require.Equal(t, originOf(site), browserOrigin(site, decoded), "%q, decoded %d times", clean, n)
			if decoded, err = url.PathUnescape(decoded); err != nil {
				break
			}
		}
	}
}

// originOf gives each origin one spelling, in its own way.
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Hostname())
	if a, err := netip.ParseAddr(host); err == nil {
		host = a.String()
	} else if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	port := u.Port()
	if port == "443" && u.Scheme == "https" || port == "80" && u.Scheme == "http" {
		port = ""
	}
	return u.Scheme + "://" + host + ":" + port
}

// browserOrigin follows the WHATWG URL parser in what makes it differ from RFC 3986: it trims controls and
// blanks, drops tabs and line ends, takes backslashes for slashes and any number of slashes for two.
func browserOrigin(site *url.URL, raw string) string {
	raw = strings.TrimFunc(raw, func(c rune) bool { return c <= ' ' })
	raw = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(raw)
	head, _, _ := strings.Cut(raw, "?")
	head, _, _ = strings.Cut(head, "#")
	head = strings.ReplaceAll(head, `\`, "/")
	scheme, rest := site.Scheme, head
	if name, after, found := strings.Cut(head, ":"); found && !strings.Contains(name, "/") {
		scheme, rest = strings.ToLower(name), "//"+strings.TrimLeft(after, "/")
	}
	if !strings.HasPrefix(rest, "//") {
		return originOf(site)
	}
	authority, _, _ := strings.Cut(strings.TrimLeft(rest, "/"), "/")
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	u, err := url.Parse(scheme + "://" + authority)
	if err != nil {
		return "unreadable"
	}
	return originOf(u)
}

func TestReturnToCanonical(t *testing.T) {
	rule, err := auth.NewReturnRule([]string{"https://M\u00dcNCHEN.example:443/app/", "http://[0::1]:8080"}, "https://m\u00fcnchen.example/app/done")
	require.NoError(t, err)
	for raw, want := range map[string]string{
		"":                                     "https://xn--mnchen-3ya.example/app/done",
		"//attacker.example":                   "https://xn--mnchen-3ya.example/app/done",
		"/gr\u00f6\u00dfe?q={\u00fc}":          "/gr%C3%B6%C3%9Fe?q=%7B%C3%BC%7D",
		"HTTPS://M\u00fcnchen.EXAMPLE/app":     "https://xn--mnchen-3ya.example/app",
		"https://m\u00fcnchen.example/app?x#y": "https://xn--mnchen-3ya.example/app?x#y",
		"http://[::1]:8080?x":                  "http://[::1]:8080/?x",
	} {
		require.Equal(t, want, rule.Clean(raw), "%q", raw)
		require.Equal(t, want, rule.Clean(want))
	}
	require.Equal(t, "/", new(auth.ReturnRule).Clean("https://own.example"), "the zero value allows own paths only")
	require.Equal(t, "/x", new(auth.ReturnRule).Clean("/x"))
}

// A path may grow when its letters are escaped; it may not grow past the bound.
func TestReturnToLengthOnceEscaped(t *testing.T) {
	rule := new(auth.ReturnRule)
	require.True(t, rule.Allows("/"+strings.Repeat("\u00fc", 341)))
	require.False(t, rule.Allows("/"+strings.Repeat("\u00fc", 342)))
}

// The entries of other projects' allow-lists (ory/kratos, Apache-2.0; django-allauth, MIT) and our own.
func TestReturnEntries(t *testing.T) {
	for _, entry := range []string{
		"https://foo.com", "https://example.com", "https://example.com/callback", "https://example.com:8443/a/b/",
		"HTTPS://Example.COM", "https://m\u00fcnchen.example", "https://192.0.2.1", "https://[2001:db8::1]:443", "https://intranet",
		"http://localhost", "http://localhost:3000/app", "http://127.0.0.1:3000", "http://127.9.9.9", "http://[::1]:3000",
	} {
		_, err := auth.NewReturnRule([]string{entry}, "")
		require.NoError(t, err, "%q", entry)
	}
	for _, entry := range []string{
		"https://*.foo.com", "https://app.foo.com/*", "https://*", "https://*.com", "https://*.co.uk", "https://*foo.com", "https://foo.*.com",
		"https://*.example.com", "https://*.projectname.pages.dev/", "https://*--projectname-com.netlify.app", "http://*.localhost:3000",
		"https://*.*.example.com", "http*://example.com", "https://example.com/callback/*", "https://example.com:*",
		"", " ", "/", "/app", "app.example", "//app.example", "https://", "https:///x", "https://user@app.example", "https://user:pw@app.example",
		"http://app.example", "http://192.168.0.1", "http://localhost.attacker.example", "http://127.0.0.1.attacker.example", "http://[2001:db8::1]",
		"ftp://app.example", "myapp://callback", "javascript:alert(1)", "https:app.example",
		"https://app.example?x=1", "https://app.example/#x", "https://app.example/a/../b", "https://app.example//a", "https://app.example/%2fa", "https://app.example/%zz",
		"https://app.example:0", "https://app.example:", "https://app.example:65536", "https://app.example:0443", "https://[127.0.0.1]", "https://app.example.", "https://.app.example", "https://a..b",
		"https://app.example\\x", "https://app.example/a b", "https://[a-z].app.example", "https://app_1.example", "https://1.2.3", "https://0x7f000001", "https://[fe80::1%25lo]",
	} {
		_, err := auth.NewReturnRule([]string{entry}, "")
		require.Error(t, err, "%q", entry)
	}
}

func TestReturnRuleNamesEveryProblem(t *testing.T) {
	rule, err := auth.NewReturnRule([]string{"https://*.app.example", "https://app.example", "http://app.example"}, "https://elsewhere.example")
	require.Nil(t, rule)
	for _, part := range []string{`ReturnTo[0] is "https://*.app.example": there are no wildcards`, `ReturnTo[2] is "http://app.example": http is for loopback`, `DefaultReturnTo is "https://elsewhere.example"`} {
		require.ErrorContains(t, err, part)
	}
	require.NotContains(t, err.Error(), "ReturnTo[1]")
}

func ExampleReturnRule() {
	rule, err := auth.NewReturnRule([]string{"https://admin.example.com/centre"}, "/home")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, asked := range []string{"/inbox?page=2", "https://admin.example.com/centre/people", "https://admin.example.com/centrefold", "//elsewhere.example", ""} {
		fmt.Println(rule.Clean(asked))
	}
	// Output:
	// /inbox?page=2
	// https://admin.example.com/centre/people
	// /home
	// /home
	// /home
}

func FuzzReturnTo(f *testing.F) {
	for _, row := range readRows[returnRow](f, "testdata/return_to.json") {
		f.Add(row.raw())
	}
	allow := []string{"https://app.example/app", "https://m\u00fcnchen.example:8443", "http://localhost:3000", "http://[::1]"}
	rule, err := auth.NewReturnRule(allow, "/home")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, raw string) {
		clean := rule.Clean(raw)
		requireStays(t, clean, "", allow)
		require.Equal(t, clean, rule.Clean(clean), "cleaning twice changes nothing")
		require.LessOrEqual(t, len(clean), 2048)
		require.False(t, strings.ContainsFunc(clean, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune("\\\"<>", c) }), "%q", clean)
		if strings.HasPrefix(clean, "https://app.example") {
			require.Regexp(t, `^https://app\.example/app([/?#]|$)`, clean)
		}
	})
}
