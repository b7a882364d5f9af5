package oidc_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation/oidc"
	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

// leaks watches what goes between a provider and us, and looks for it where it must not be.
type leaks struct {
	*stack
	transport *http.Transport
	mu        sync.Mutex
	given     int      // tokens
	tokens    []string // that the provider gave us, and what stands for our secret
	answers   []string // codes and states: for the callback's address, and nowhere else
	browsers  []*surfer
}

// TestNothingLeaks lives through sign-ins, connecting, failures and signing out, and looks for every token and secret in
// all that a browser sees and in all that is recorded (ASVS 10.1.1): the log, the audit, pages, headers, cookies, JSON and
// addresses. Nothing of a token may be there, not even a part of it.
func TestNothingLeaks(t *testing.T) {
	for name, bend := range map[string]func(*oidc.Config){"query": func(*oidc.Config) {}, "form post": byFormPost} {
		t.Run(name, func(t *testing.T) {
			l := &leaks{stack: newStack(t, newOP(t)), transport: http.DefaultTransport.(*http.Transport).Clone()}
			defer l.transport.CloseIdleConnections()
			l.restart(l.rp("acme", l.op, bend, func(c *oidc.Config) { c.HTTP.Client = &http.Client{Transport: l} }))
			l.story()
			l.failures()
			l.search()
		})
	}
}

// RoundTrip asks the provider, and keeps the tokens that it gives us.
func (l *leaks) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.transport.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/token") {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	var given map[string]any
	if json.Unmarshal(body, &given) == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, name := range []string{"access_token", "id_token"} {
			if token, _ := given[name].(string); token != "" {
				l.given++
				for _, part := range strings.Split(token, ".") {
					l.tokens = append(l.tokens, part[:20]) // not even a part of it
				}
			}
		}
	}
	return response, err
}

func (l *leaks) surf() *surfer {
	b := l.surfer()
	l.browsers = append(l.browsers, b)
	return b
}

// comes is a browser that brings an answer, which is noted.
func (l *leaks) comes(b *surfer, to string, bend ...func(answer) answer) {
	l.t.Helper()
	require.NotEmpty(l.t, to, b.page.body)
	back := b.visit(to)
	u, err := url.Parse(to)
	require.NoError(l.t, err)
	state := u.Query().Get("state")
	l.answers = append(l.answers, state[len(state)-43:])
	for _, name := range []string{"code", "state"} {
		if v := back.values(l.t).Get(name); v != "" {
			l.answers = append(l.answers, v[max(0, len(v)-43):]) // of a state, what cannot be guessed
		}
	}
	for _, f := range bend {
		back = f(back)
	}
	b.arrive(back)
}

func (l *leaks) story() {
	b := l.surf()
	b.password(annsAddress)
	l.comes(b, b.connecting("acme"))
	require.Len(l.t, l.links(l.ann), 1)
	b = l.surf()
	l.comes(b, b.depart("acme"))
	require.Equal(l.t, l.ann.ID, b.account())
	for _, path := range []string{
		"/auth/account", "/auth/connections", "/auth/session", "/auth/sessions", "/auth/activity", "/auth/devices", "/auth/factors",
		"/auth/sign-in", "/home",
	} {
		b.get(path)
	}
	b.get(b.signOut())
	b.get("/auth/account")
}

// failures are sign-ins that end badly, each in another place.
func (l *leaks) failures() {
	for _, m := range []oidctest.Mode{
		oidctest.InvalidIssuer, oidctest.InvalidNonce, oidctest.InvalidSigRS256, oidctest.InvalidAccessTokenHash, oidctest.UserInfoInvalidSubject,
		oidctest.RepeatedParameters, oidctest.CodeAndError, oidctest.InvalidResponseIssuer, oidctest.InvalidResponseState, oidctest.AccessDenied,
	} {
		l.op.SetMode(m)
		b := l.surf()
		l.comes(b, b.depart("acme"))
		require.Empty(l.t, b.account(), m)
	}
	for _, m := range []oidctest.Mode{oidctest.Down, oidctest.Garbage, oidctest.Huge} {
		for _, path := range []string{"/token", "/userinfo"} {
			l.op.SetMode(m, path)
			b := l.surf()
			l.comes(b, b.depart("acme"))
			require.Empty(l.t, b.account(), m)
		}
	}
	l.op.SetMode(oidctest.Default)
	for _, bend := range []func(answer) answer{
		func(a answer) answer { return a.with(l.t, "code", "forged-code-SENTINEL") },
		func(a answer) answer { return a.with(l.t, "state", "forged-state-SENTINEL") },
		func(a answer) answer { return a.with(l.t, "error", "error-SENTINEL") },
		func(a answer) answer { return a.with(l.t, "iss", "https://iss-SENTINEL.example") },
	} {
		b := l.surf()
		l.comes(b, b.depart("acme"), bend)
		require.Empty(l.t, b.account())
		b.get("/auth/sign-in")
	}
	l.answers = append(l.answers, "forged-code-SENTINEL", "forged-state-SENTINEL", "error-SENTINEL", "iss-SENTINEL")
	b := l.surf()
	r := b.posting("/auth/provider/acme/logout", url.Values{"logout_token": {"logout-token-SENTINEL.a.b"}}, "")
	r.Header.Del("Origin")
	b.send(r, false, nil)
}

// search looks for everything everywhere.
func (l *leaks) search() {
	l.tokens = append(l.tokens, stackSecret, "SENTINEL", base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(stackClient) + ":" + url.QueryEscape(stackSecret)))[20:])
	log := l.op.Requests()
	require.Greater(l.t, len(log.Tokens), 8)
	require.Greater(l.t, l.given, 12)
	for _, r := range log.Tokens {
		l.tokens = append(l.tokens, r.Form.Get("code_verifier"))
	}
	l.tokens = append(l.tokens, "eyJ", "id_token\"", "access_token", "code_verifier", "client_secret") // how each JWT begins, and names
	events, err := json.Marshal(l.audit.take())
	require.NoError(l.t, err)
	for place, text := range map[string]string{"log": l.logs.String(), "audit": string(events)} {
		l.absent(place, text, l.tokens)
		l.absent(place, text, l.answers)
	}
	callbacks := ""
	for _, b := range l.browsers {
		for _, h := range b.seen {
			l.searchHop(h)
			if strings.Contains(h.address, "/callback?") {
				callbacks += h.address
			}
		}
	}
	if l.svc.Providers()[0].FormPost {
		require.Empty(l.t, callbacks, "a posted answer came in an address")
	} else {
		require.Contains(l.t, callbacks, l.answers[0], "what is looked for is there where it must be")
	}
}

// searchHop looks in one page. A page of the provider's, and the address of ours that it answers to, hold the answer; the
// page that leads away, the request.
func (l *leaks) searchHop(h hop) {
	headers, err := json.Marshal(h.header)
	require.NoError(l.t, err)
	ours := strings.HasPrefix(h.address, l.origin)
	l.absent("address "+h.address, h.address, withoutMarks(l.tokens))
	if !ours {
		return
	}
	l.absent("headers of "+h.address, string(headers), l.tokens)
	l.absent("page "+h.address, h.body, l.tokens)
	l.absent("headers of "+h.address, string(headers), l.answers)
	if !strings.HasSuffix(h.address, "?leave") {
		l.absent("page "+h.address, h.body, l.answers)
	}
	if !strings.Contains(h.address, "/callback") {
		l.absent("address "+h.address, h.address, l.answers)
	}
}

// withoutMarks leaves out what a forged answer itself brings in its address.
func withoutMarks(list []string) (rest []string) {
	for _, s := range list {
		if s != "SENTINEL" {
			rest = append(rest, s)
		}
	}
	return rest
}

func (l *leaks) absent(place, text string, secrets []string) {
	l.t.Helper()
	for _, secret := range secrets {
		for _, form := range []string{secret, url.QueryEscape(secret)} {
			if secret != "" && strings.Contains(text, form) {
				require.Fail(l.t, "it leaks", "%q in the %s: %s", form, place, text)
			}
		}
	}
}
