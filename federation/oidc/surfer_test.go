package oidc_test

import (
	"context"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

// surfer is a browser: it keeps cookies, follows redirects and our pages that lead away, and sends no cookies along with
// a form that another site has it post (SameSite=Lax).
type surfer struct {
	t    testing.TB
	s    *stack
	http *http.Client
	page page  // where it is
	seen []hop // everything that it saw
}

// page is what a browser shows.
type page struct {
	url    *url.URL
	status int
	body   string
}

// hop is one request and what came of it.
type hop struct {
	address string
	header  http.Header
	body    string
}

func (s *stack) surfer() *surfer {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	stop := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &surfer{t: s.t, s: s, http: &http.Client{Jar: jar, CheckRedirect: stop}}
}

// answer is what somebody comes back from a provider with.
type answer struct {
	address string     // with the parameters, if they are in it
	form    url.Values // what is posted, else nil
}

// values are the parameters, wherever they are.
func (a answer) values(t testing.TB) url.Values {
	t.Helper()
	if a.form != nil {
		return a.form
	}
	u, err := url.Parse(a.address)
	require.NoError(t, err)
	return u.Query()
}

// with is the answer with other parameters. The name alone takes one out.
func (a answer) with(t testing.TB, name string, values ...string) answer {
	t.Helper()
	u, err := url.Parse(a.address)
	require.NoError(t, err)
	all := url.Values{}
	for n, v := range a.values(t) {
		all[n] = v
	}
	if all[name] = values; len(values) == 0 {
		delete(all, name)
	}
	if a.form != nil {
		return answer{a.address, all}
	}
	u.RawQuery = all.Encode()
	return answer{u.String(), nil}
}

// send makes one request and follows what it redirects to, up to an address where stop says so.
func (b *surfer) send(r *http.Request, cookies bool, stop func(*url.URL) bool) *url.URL {
	b.t.Helper()
	for range 10 {
		client := *b.http
		if !cookies {
			client.Jar = nil
		}
		response, err := client.Do(r)
		require.NoError(b.t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(b.t, err)
		require.NoError(b.t, response.Body.Close())
		b.seen = append(b.seen, hop{r.URL.String(), response.Header, string(body)})
		b.page = page{r.URL, response.StatusCode, string(body)}
		next, err := response.Location()
		if err != nil {
			return nil
		}
		if stop != nil && stop(next) {
			return next
		}
		require.Contains(b.t, []int{302, 303}, response.StatusCode)
		// It is a GET to the top of the page, with which Lax cookies come along whoever led here.
		r, err = http.NewRequestWithContext(context.Background(), http.MethodGet, next.String(), nil)
		require.NoError(b.t, err)
		cookies = true
	}
	require.Fail(b.t, "too many redirects")
	return nil
}

func (b *surfer) get(address string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, b.absolute(address), nil)
	require.NoError(b.t, err)
	b.send(r, true, nil)
}

func (b *surfer) absolute(address string) string {
	if strings.HasPrefix(address, "/") {
		return b.s.origin + address
	}
	return address
}

// post posts a form of our pages.
func (b *surfer) post(address string, form url.Values) {
	b.t.Helper()
	b.send(b.posting(address, form, b.s.origin), true, nil)
}

func (b *surfer) posting(address string, form url.Values, origin string) *http.Request {
	b.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, b.absolute(address), strings.NewReader(form.Encode()))
	require.NoError(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	return r
}

var (
	formOf  = regexp.MustCompile(`(?s)<form[^>]* action="([^"]*)"[^>]*>(.*?)</form>`)
	inputOf = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	leadsOn = regexp.MustCompile(`<meta http-equiv="refresh" content="0; url=([^"]*)">`)
	linkOf  = regexp.MustCompile(`<a[^>]* href="([^"]*)"`)
)

// form reads the first form of the page that goes to the address and has the value in it, if one is given.
func (b *surfer) form(action, has string) url.Values {
	b.t.Helper()
	for _, m := range formOf.FindAllStringSubmatch(b.page.body, -1) {
		if html.UnescapeString(m[1]) != action || !strings.Contains(m[0], has) {
			continue
		}
		v := url.Values{}
		for _, in := range inputOf.FindAllStringSubmatch(m[2], -1) {
			v.Add(html.UnescapeString(in[1]), html.UnescapeString(in[2]))
		}
		return v
	}
	require.Fail(b.t, "no such form", "%s %q in %s", action, has, b.page.body)
	return nil
}

// password signs in by the password.
func (b *surfer) password(address string) {
	b.t.Helper()
	b.get("/auth/sign-in")
	form := b.form("/auth/sign-in", "")
	form.Set("identifier", address)
	b.post("/auth/sign-in", form)
	form = b.form(b.page.url.Path, `name="password"`)
	form.Set("password", rightPhrase)
	b.post(b.page.url.Path, form)
	require.NotEmpty(b.t, b.account(), b.page.body)
}

// depart goes from the sign-in page up to the page that leads away, and returns where it leads: empty if it does not.
func (b *surfer) depart(provider string, more ...string) string {
	b.t.Helper()
	path := "/auth/sign-in"
	for i := 0; i < len(more); i += 2 {
		path += "?" + url.Values{more[i]: {more[i+1]}}.Encode()
	}
	b.get(path)
	form := b.form("/auth/sign-in", "")
	form.Set("identifier", "")
	form.Set("connection", provider)
	b.post("/auth/sign-in", form)
	return b.away()
}

// connecting goes from the account page up to the page that leads away.
func (b *surfer) connecting(provider string) string {
	b.t.Helper()
	b.get("/auth/account")
	form := b.form("/auth/connections/add", `value="`+provider+`"`)
	b.post("/auth/connections/add", form)
	return b.away()
}

// away is where the page leads by itself, which its button does too.
func (b *surfer) away() string {
	b.t.Helper()
	m := leadsOn.FindStringSubmatch(b.page.body)
	if m == nil {
		return ""
	}
	require.Contains(b.t, b.page.body, `href="`+m[1]+`"`, "for browsers that do not go on by themselves")
	return html.UnescapeString(m[1])
}

// visit goes to the provider and returns what it sends back.
func (b *surfer) visit(address string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
	require.NoError(b.t, err)
	if back := b.send(r, true, func(u *url.URL) bool { return strings.HasPrefix(u.String(), b.s.origin) }); back != nil {
		return answer{address: back.String()}
	}
	form, err := oidctest.ReadForm(b.page.body)
	require.NoError(b.t, err, b.page.body)
	return answer{form.Action, form.Fields}
}

// arrive comes back with an answer.
func (b *surfer) arrive(a answer) {
	b.t.Helper()
	if a.form == nil {
		b.get(a.address)
		return
	}
	r := b.posting(a.address, a.form, b.s.op.Issuer())
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	b.send(r, false, nil)
}

// signIn signs in at a provider, as far as that goes.
func (b *surfer) signIn(provider string, more ...string) {
	b.t.Helper()
	if to := b.depart(provider, more...); to != "" {
		b.arrive(b.visit(to))
	}
}

// connect connects the provider with the account that is signed in.
func (b *surfer) connect(provider string) {
	b.t.Helper()
	to := b.connecting(provider)
	require.NotEmpty(b.t, to, b.page.body)
	b.arrive(b.visit(to))
}

// account is the id of the account that this browser has a live session of; empty for none.
func (b *surfer) account() string {
	b.t.Helper()
	token := b.cookie("cardea-session")
	if token == "" {
		return ""
	}
	live, err := b.s.svc.Authenticate(context.Background(), auth.NewSecret(token))
	if err != nil {
		return ""
	}
	return live.Account
}

func (b *surfer) cookie(name string) string {
	b.t.Helper()
	u, err := url.Parse(b.s.origin)
	require.NoError(b.t, err)
	for _, c := range b.http.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// stays requires that the browser is on a page of ours, which names no fault and has a way on.
func (b *surfer) stays() {
	b.t.Helper()
	require.True(b.t, strings.HasPrefix(b.page.url.String(), b.s.origin+"/auth/"), b.page.url)
	require.Less(b.t, b.page.status, 500, b.page.body)
	for _, m := range append(formOf.FindAllStringSubmatch(b.page.body, -1), linkOf.FindAllStringSubmatch(b.page.body, -1)...) {
		if to := html.UnescapeString(m[1]); strings.HasPrefix(to, "/auth/sign-in") || strings.HasPrefix(to, "/auth/flow/") {
			return
		}
	}
	require.Fail(b.t, "there is no way on", "%s", b.page.body)
}
