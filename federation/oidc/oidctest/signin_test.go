package oidctest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

// requireInline checks that the policy permits the page's inline style or script, and nothing else of that kind.
func requireInline(t *testing.T, text, tag, policy string) {
	t.Helper()
	_, rest, found := strings.Cut(text, "<"+tag+">")
	require.True(t, found)
	inner, _, _ := strings.Cut(rest, "</"+tag+">")
	require.NotContains(t, inner, "ZgotmplZ")
	sum := sha256.Sum256([]byte(inner))
	require.Contains(t, policy, tag+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	require.Equal(t, 1, strings.Count(policy, tag+"-src"))
	require.NotContains(t, policy, "unsafe")
}

// browse goes somewhere and returns the address it is sent on to, or the page.
func (r *rp) browse(address string) (url.Values, string) {
	r.t.Helper()
	answer, err := r.http.Get(address)
	require.NoError(r.t, err)
	return r.landed(answer)
}

func (r *rp) landed(answer *http.Response) (url.Values, string) {
	r.t.Helper()
	_, text := r.read(answer)
	if answer.StatusCode != http.StatusSeeOther {
		return nil, text
	}
	u, err := url.Parse(answer.Header.Get("Location"))
	require.NoError(r.t, err)
	return u.Query(), ""
}

// press presses a button of the page.
func (r *rp) press(text string, button int) (url.Values, string) {
	r.t.Helper()
	form, err := oidctest.ReadForm(text)
	require.NoError(r.t, err)
	for name, values := range form.Buttons[button] {
		form.Fields[name] = values
	}
	answer, err := r.http.PostForm(strings.TrimSuffix(r.op.Issuer(), "/tenant")+form.Action, form.Fields)
	require.NoError(r.t, err)
	return r.landed(answer)
}

func TestThePageThatAsksWhoItIs(t *testing.T) {
	c, cfg := newClock(), config()
	cfg.Now, cfg.Interactive = c.Now, true
	op := oidctest.Start(t, cfg)
	r := newRP(t, op)

	_, text := r.browse(r.begin())
	require.Contains(t, text, "The App asks who you are.")
	require.Contains(t, text, "<strong>Continue as Alice</strong><small>alice@example.com</small>")
	require.Contains(t, text, "<strong>Continue as bob@example.com</strong></button>")
	v, _ := r.press(text, 0)
	require.Equal(t, r.state, v.Get("state"))
	got, _ := r.redeem(v.Get("code"))
	first := r.parse(got.ID).claims
	require.Equal(t, alice.Subject, first["sub"])
	_, again := r.press(text, 0)
	require.Contains(t, again, "invalid_request") // a page serves once

	c.advance(10 * time.Minute)
	v, _ = r.browse(r.begin("prompt", "none", "max_age", "600")) // the second time nobody is asked
	got, _ = r.redeem(v.Get("code"))
	second := r.parse(got.ID).claims
	require.Equal(t, first["auth_time"], second["auth_time"])
	require.Equal(t, first["sid"], second["sid"])

	for _, pairs := range [][]string{{"max_age", "599"}, {"max_age", "0"}, {"prompt", "login"}} {
		v, _ = r.browse(r.begin(append([]string{"response_mode", "query"}, pairs...)...))
		require.Nil(t, v, pairs)
		if pairs[0] == "max_age" {
			v, _ = r.browse(r.begin(append(pairs, "prompt", "none")...))
			require.Equal(t, "login_required", v.Get("error"))
		}
	}
	_, text = r.browse(r.begin("prompt", "login", "login_hint", bob.Email))
	form, err := oidctest.ReadForm(text)
	require.NoError(t, err)
	require.Equal(t, bob.Subject, form.Buttons[0].Get("subject")) // whom the client expects comes first
	v, _ = r.press(text, 1)
	got, _ = r.redeem(v.Get("code"))
	third := r.parse(got.ID).claims
	require.Equal(t, c.Now(), seconds(t, third, "auth_time").UTC())
	require.Equal(t, first["sid"], third["sid"])

	_, text = r.browse(r.begin("prompt", "select_account"))
	v, _ = r.press(text, 2)
	require.Equal(t, "access_denied", v.Get("error"))
	require.Equal(t, r.state, v.Get("state"))

	_, text = r.browse(r.begin("prompt", "login"))
	c.advance(11 * time.Minute)
	_, text = r.press(text, 0)
	require.Contains(t, text, "too old")

	stranger := newRP(t, op)
	v, _ = stranger.browse(stranger.begin("prompt", "none"))
	require.Equal(t, "login_required", v.Get("error"))
}

func TestThePagesFollowThePerson(t *testing.T) {
	cfg := config()
	cfg.Interactive = true
	op := oidctest.Start(t, cfg)
	r := newRP(t, op)
	for accept, lang := range map[string]string{
		"": "en", "de": "de", "de-AT,en;q=0.5": "de", "en,de;q=0.9": "en", "fr,de;q=0.3": "de", "en; q=0.2, de; q=0.8": "de", "fr": "en",
	} {
		q, err := http.NewRequest(http.MethodGet, r.begin(), nil)
		require.NoError(t, err)
		q.Header.Set("Accept-Language", accept)
		answer, err := r.http.Do(q)
		require.NoError(t, err)
		_, text := r.read(answer)
		require.Contains(t, text, `<html lang="`+lang+`">`, accept)
		policy := answer.Header.Get("Content-Security-Policy")
		requireInline(t, text, "style", policy)
		require.NotContains(t, policy, "script-src")
		require.NotContains(t, policy, "form-action")
	}
	_, text := r.browse(r.begin("ui_locales", "fr de-CH en"))
	require.Contains(t, text, "Weiter als Alice")
	require.Contains(t, text, "The App möchte wissen, wer Sie sind.")
	_, text = r.browse(r.begin("ui_locales", "de", "client_id", "nobody"))
	require.Contains(t, text, "Diese Anfrage lässt sich nicht beantworten")
	for pairs, title := range map[string]string{"": "Beim Test-Anbieter abmelden?", "yes": "Sie sind abgemeldet"} {
		answer, err := r.http.PostForm(r.at("end_session_endpoint"), url.Values{"ui_locales": {"de"}, "confirmed": {pairs}})
		require.NoError(t, err)
		_, text = r.read(answer)
		require.Contains(t, text, title)
	}
}

func TestSomebodyIsThereWithoutAPage(t *testing.T) {
	c, cfg := newClock(), config()
	cfg.Now = c.Now
	op := oidctest.Start(t, cfg)
	r := newRP(t, op)
	began := c.Now()
	c.advance(time.Hour)
	_, k := r.signIn("prompt", "none", "max_age", "3600")
	require.Equal(t, began, seconds(t, k.claims, "auth_time").UTC())
	require.Equal(t, "login_required", r.visit("prompt", "none", "max_age", "3599").Get("error"))
	for _, pair := range [][]string{{"max_age", "3599"}, {"max_age", "0"}, {"prompt", "login"}} {
		c.advance(2 * time.Hour)
		_, k = r.signIn(pair...)
		require.Equal(t, c.Now(), seconds(t, k.claims, "auth_time").UTC(), pair)
	}
	sid := func() any {
		v, _ := r.browse(r.begin()) // with cookies, as Visit does not
		got, _ := r.redeem(v.Get("code"))
		return r.parse(got.ID).claims["sid"]
	}
	first := sid()
	require.Equal(t, first, sid())
	c.advance(time.Second)
	op.SignIn(alice.Subject) // anew
	require.NotEqual(t, first, sid())
	op.SignIn("")
	require.Equal(t, "login_required", r.visit("prompt", "none").Get("error"))
	_, err := op.Visit(r.begin())
	require.ErrorContains(t, err, "Who is signing in?")
}

func TestAnIssuerWithAPath(t *testing.T) {
	cfg := config()
	cfg.Issuer, cfg.Interactive = "http://localhost:1/tenant", true
	op, err := oidctest.New(cfg)
	require.NoError(t, err)
	_, err = op.Visit("http://localhost:1/other/authorize")
	require.Error(t, err)
	_, err = op.Visit("http://localhost:1/tenant/authorize?client_id=" + clientID)
	require.ErrorContains(t, err, "status 400")
	r := &rp{t: t, op: op}
	_, err = op.Visit(r.begin())
	require.ErrorContains(t, err, `action="/tenant/sign-in"`)
	op.SignIn(bob.Subject)
	a, err := op.Visit(r.begin())
	require.NoError(t, err)
	require.NotEmpty(t, a.Values.Get("code"))
}
