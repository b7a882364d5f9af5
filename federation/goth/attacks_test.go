package viagoth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/markbates/goth"
	"github.com/markbates/goth/providers/zoom"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	viagoth "github.com/cardea-auth/cardea/federation/goth"
)

const oddMe = `{"UserID":"u1","Name":"Od D","Email":"odd@odd.example"}`

func oddService(t testing.TB) *service {
	s := newService(t, oddToken, map[string]string{"api.odd.example/me": oddMe})
	s.inBody = true
	return s
}

// attempt takes one person through a provider.
func attempt(t testing.TB, s *service, c viagoth.Config) (auth.Identity, error) {
	t.Helper()
	p := newProvider(t, c)
	trip, d := begin(t, p, newTrip(1))
	return p.Complete(context.Background(), trip, auth.Answer{Code: s.approve(t, d.URL)})
}

func TestOddProvider(t *testing.T) {
	s := oddService(t)
	id, err := attempt(t, s, oddConfig(s, nil))
	require.NoError(t, err)
	require.Equal(t, auth.Identity{Issuer: "goth:odd", Subject: "u1", Name: "Od D", Email: "odd@odd.example"}, id)
}

// TestTokenRequests: whatever a provider makes of the token request, the verifier goes to the token endpoint with the code of
// its own trip, once, or not at all.
func TestTokenRequests(t *testing.T) {
	changed := func(change func(url.Values)) func(*odd, goth.Params) (string, error) {
		return func(o *odd, params goth.Params) (string, error) {
			form := o.form(params)
			change(form)
			return o.exchange(form)
		}
	}
	for name, c := range map[string]struct {
		authorize func(*odd, goth.Params) (string, error)
		code      string
	}{
		"a verifier of its own":   {changed(func(f url.Values) { f.Set("code_verifier", "known-to-the-attacker") }), viagoth.CodeVerifier},
		"two verifiers":           {changed(func(f url.Values) { f["code_verifier"] = []string{"", "x"} }), viagoth.CodeVerifier},
		"an empty verifier":       {changed(func(f url.Values) { f.Set("code_verifier", "") }), ""},
		"the right verifier":      {changed(func(f url.Values) { f.Set("code_verifier", newTrip(1).Verifier.Reveal()) }), ""},
		"another code":            {changed(func(f url.Values) { f.Set("code", "of-the-attacker") }), viagoth.CodeVerifier},
		"two codes":               {changed(func(f url.Values) { f.Add("code", "of-the-attacker") }), viagoth.CodeVerifier},
		"no code":                 {changed(func(f url.Values) { f.Del("code") }), viagoth.CodeVerifier},
		"another redirect_uri":    {changed(func(f url.Values) { f.Set("redirect_uri", "https://evil.example") }), viagoth.CodeVerifier},
		"two redirect_uris":       {changed(func(f url.Values) { f.Add("redirect_uri", redirectURI) }), viagoth.CodeVerifier},
		"two grant types":         {changed(func(f url.Values) { f.Add("grant_type", "authorization_code") }), viagoth.CodeBypassed},
		"a token without a code":  {changed(func(f url.Values) { f.Set("grant_type", "client_credentials") }), viagoth.CodeBypassed},
		"another host":            {at("https://evil.example/token"), viagoth.CodeEndpoint},
		"another path":            {at("https://odd.example/open-redirect"), viagoth.CodeEndpoint},
		"another port":            {at("https://odd.example:8443/token"), viagoth.CodeEndpoint},
		"a query":                 {at(oddToken + "?to=evil.example"), viagoth.CodeEndpoint},
		"no TLS":                  {at("http://odd.example/token"), viagoth.CodeInsecure},
		"a token out of nowhere":  {func(*odd, goth.Params) (string, error) { return accessToken, nil }, viagoth.CodeBypassed},
		"none, and no error":      {func(*odd, goth.Params) (string, error) { return "", nil }, viagoth.CodeBypassed},
		"another token":           {swapped, viagoth.CodeBypassed},
		"the code twice":          {twice, viagoth.CodeRepeated},
		"a fault it passes over":  {heedless, viagoth.CodeEndpoint},
		"an endless request":      {changed(func(f url.Values) { f.Set("x", strings.Repeat("x", 70<<10)) }), viagoth.CodeTooLarge},
		"a client of its own":     {elsewhere, viagoth.CodeBypassed},
		"an error that tells all": {func(*odd, goth.Params) (string, error) { return "", errors.New(clientSecret + accessToken) }, viagoth.CodeExchange},
	} {
		t.Run(name, func(t *testing.T) {
			s := oddService(t)
			s.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.PostForm.Get("grant_type") == "client_credentials" || len(r.PostForm["grant_type"]) > 1 {
					fmt.Fprintf(w, `{"access_token":%q}`, accessToken)
					return true
				}
				return false
			}
			id, err := attempt(t, s, oddConfig(s, func(o *odd) { o.authorize = c.authorize }))
			for _, r := range s.requests() {
				if r.host+r.path != "odd.example/token" {
					require.NotContains(t, r.form.Encode()+r.query.Encode(), newTrip(1).Verifier.Reveal())
				}
			}
			if name == "a fault it passes over" {
				require.Empty(t, s.requests(), "after a fault nothing is sent any more")
			}
			if c.code == "" {
				require.NoError(t, err)
				require.Equal(t, "u1", id.Subject)
				require.Equal(t, []string{newTrip(1).Verifier.Reveal()}, s.tokenRequests()[0].form["code_verifier"])
				return
			}
			require.Zero(t, id)
			requireCode(t, c.code, err, newTrip(1).Verifier.Reveal(), newTrip(1).State.Reveal())
		})
	}
}

func at(address string) func(*odd, goth.Params) (string, error) {
	return func(o *odd, params goth.Params) (string, error) { return o.exchangeAt(address, o.form(params)) }
}

func swapped(o *odd, params goth.Params) (string, error) {
	_, err := o.exchange(o.form(params))
	return "token-of-the-attacker", err
}

func twice(o *odd, params goth.Params) (string, error) {
	if token, err := o.exchange(o.form(params)); err != nil {
		return token, err
	}
	return o.exchange(o.form(params))
}

// heedless tries another host first and takes no notice of how that went.
func heedless(o *odd, params goth.Params) (string, error) {
	_, _ = o.exchangeAt("https://evil.example/token", o.form(params))
	return o.exchange(o.form(params))
}

// elsewhere redeems the code in a way that nothing here sees, as goth's discord and others do.
func elsewhere(o *odd, params goth.Params) (string, error) {
	past := *o
	past.client = &http.Client{Transport: answering(fmt.Sprintf(`{"access_token":%q}`, accessToken))}
	return past.exchange(past.form(params))
}

type answering string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(a))), Header: http.Header{}, Request: r}, nil
}

// TestCallbackDecidesNothing: goth's zoom takes redirect_uri and code_verifier from the callback (as fitbit and openidConnect do).
// An auth.Answer has no room for them, and goth is told the code alone.
func TestCallbackDecidesNothing(t *testing.T) {
	s := newService(t, "https://zoom.us/oauth/token", map[string]string{"zoom.us/v2/users/me": `{"id":"z1","email":"z@zoom.example"}`})
	id, err := attempt(t, s, viagoth.Config{ID: "zoom", Name: "Zoom", HTTP: s.client(), Make: func(c *http.Client, to string) (goth.Provider, error) {
		g := zoom.New(clientID, clientSecret, to)
		g.HTTPClient = c
		return g, nil
	}})
	require.NoError(t, err)
	require.Equal(t, "z1", id.Subject)
	require.Equal(t, []string{newTrip(1).Verifier.Reveal()}, s.tokenRequests()[0].form["code_verifier"])
	require.Equal(t, []string{redirectURI}, s.tokenRequests()[0].form["redirect_uri"])

	asked := map[string]string{}
	s = oddService(t)
	_, err = attempt(t, s, oddConfig(s, func(o *odd) {
		o.authorize = func(o *odd, params goth.Params) (string, error) {
			for _, name := range []string{"code", "state", "redirect_uri", "code_verifier", "error", "Code", "code ", ""} {
				asked[name] = params.Get(name)
			}
			return o.exchange(o.form(params))
		}
	}))
	require.NoError(t, err)
	require.Contains(t, asked["code"], "CODE-of-somebody")
	delete(asked, "code")
	for name, value := range asked {
		require.Empty(t, value, name)
	}
}

// TestPanics: goth panics at answers that lack something. None ends the host's request, and none is told.
func TestPanics(t *testing.T) {
	for name, change := range map[string]func(o *odd, armed bool){
		"UnmarshalSession": func(o *odd, armed bool) {
			if armed {
				o.restore = func(*odd, string) (goth.Session, error) { panic(clientSecret) }
			}
		},
		"Authorize": func(o *odd, _ bool) { o.authorize = func(*odd, goth.Params) (string, error) { panic(clientSecret) } },
		"FetchUser": func(o *odd, _ bool) { o.fetch = func(*odd) (goth.User, error) { panic(accessToken) } },
		"GetAuthURL": func(o *odd, armed bool) {
			if armed {
				o.geturl = func() (string, error) { panic(clientSecret) }
			}
		},
		"Marshal": func(o *odd, armed bool) {
			if armed {
				o.marshal = func() string { panic(clientSecret) }
			}
		},
		"Make": func(_ *odd, armed bool) {
			if armed {
				panic(clientSecret)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, armed := oddService(t), false
			p := newProvider(t, oddConfig(s, func(o *odd) { change(o, armed) }))
			trip, d := begin(t, p, newTrip(1))
			armed = true
			_, err := p.Complete(context.Background(), trip, auth.Answer{Code: s.approve(t, d.URL)})
			requireCode(t, viagoth.CodePanic, err)
			require.ErrorContains(t, err, name)
			if name == "Make" || name == "GetAuthURL" || name == "Marshal" {
				_, err = p.Begin(context.Background(), newTrip(2))
				requireCode(t, viagoth.CodePanic, err)
			}
		})
	}
	s := oddService(t)
	c := oddConfig(s, nil)
	c.Email = func(goth.User) (string, auth.EmailTrust) { panic(accessToken) }
	_, err := attempt(t, s, c)
	requireCode(t, viagoth.CodePanic, err)
}

// TestKeptIsAltered: what is kept lies in a database. Whoever could write there could put a token or another address into it.
func TestKeptIsAltered(t *testing.T) {
	s, c := githubService(t)
	p := newProvider(t, c)
	trip, d := begin(t, p, newTrip(1))
	kept := string(d.Keep)
	for name, altered := range map[string]string{
		"empty":              "",
		"no JSON":            "garbage",
		"another thing":      `[]`,
		"nothing in it":      `{}`,
		"with a token":       strings.Replace(kept, `"AccessToken":""`, `"AccessToken":"token-of-the-attacker"`, 1),
		"with a hidden one":  strings.Replace(kept, `"AccessToken":""`, `"AccessToken":"token-of-the-attacker","AccessToken":null`, 1),
		"another case":       strings.Replace(kept, `"AccessToken":""`, `"accesstoken":"token-of-the-attacker"`, 1),
		"another state":      strings.Replace(kept, "state=", "state=x", 1),
		"another redirect":   strings.Replace(kept, "app.example", "evil.example", 1),
		"something appended": kept + `{"AccessToken":"x"}`,
		"too much":           kept + strings.Repeat(" ", 5000),
	} {
		require.NotEqual(t, kept, altered, name)
		trip.Keep = []byte(altered)
		_, err := p.Complete(context.Background(), trip, auth.Answer{Code: s.approve(t, d.URL)})
		require.Error(t, err, name)
		var refused *auth.ProviderError
		require.ErrorAs(t, err, &refused, name)
		require.Contains(t, []string{viagoth.CodeSession, viagoth.CodeAddress}, refused.Code, name)
	}
	require.Empty(t, s.requests(), "the code is not sent for a trip that is not as it was")
	trip.Keep = d.Keep
	trip.RedirectURI = "https://app.example/auth/provider/y/callback"
	_, err := p.Complete(context.Background(), trip, auth.Answer{Code: s.approve(t, d.URL)})
	requireCode(t, viagoth.CodeAddress, err)
}

func TestIncompleteTrips(t *testing.T) {
	s, c := githubService(t)
	p := newProvider(t, c)
	for name, strip := range map[string]func(*auth.Trip){
		"state":    func(t *auth.Trip) { t.State = auth.Secret{} },
		"verifier": func(t *auth.Trip) { t.Verifier = auth.Secret{} },
		"redirect": func(t *auth.Trip) { t.RedirectURI = "" },
	} {
		trip := newTrip(1)
		strip(&trip)
		_, err := p.Begin(context.Background(), trip)
		requireCode(t, viagoth.CodeTrip, err)
		if name != "state" {
			_, err = p.Complete(context.Background(), trip, auth.Answer{Code: auth.NewSecret("c")})
			requireCode(t, viagoth.CodeTrip, err)
		}
	}
	_, err := p.Complete(context.Background(), newTrip(1), auth.Answer{})
	requireCode(t, viagoth.CodeTrip, err)
	long := newTrip(1)
	long.RedirectURI = "https://app.example/" + strings.Repeat("x", 5000)
	_, err = p.Begin(context.Background(), long)
	requireCode(t, viagoth.CodeAddress, err)
	require.Empty(t, s.requests())
}

// TestStolenCode: a code that was taken from somebody's browser is of no use in a trip of the thief's own.
func TestStolenCode(t *testing.T) {
	s, c := githubService(t)
	p := newProvider(t, c)
	_, victims := begin(t, p, newTrip(1))
	thiefs, _ := begin(t, p, newTrip(2))
	_, err := p.Complete(context.Background(), thiefs, auth.Answer{Code: s.approve(t, victims.URL)})
	requireCode(t, viagoth.CodeExchange, err)
	require.ErrorContains(t, err, "github.com answered 400: invalid_grant")
}

func TestNoPKCE(t *testing.T) {
	s, c := githubService(t)
	s.noPKCE, c.NoPKCE = true, true
	p := newProvider(t, c)
	trip, d := begin(t, p, newTrip(1))
	require.NotContains(t, d.URL, "code_challenge")
	_, err := p.Complete(context.Background(), trip, auth.Answer{Code: s.approve(t, d.URL)})
	require.NoError(t, err)
	require.False(t, s.tokenRequests()[0].form.Has("code_verifier"))
}

// TestAfterTheTrip: what goth may have left running, or has kept, reaches nothing any more.
func TestAfterTheTrip(t *testing.T) {
	s := oddService(t)
	var left []*odd
	_, err := attempt(t, s, oddConfig(s, func(o *odd) { left = append(left, o) }))
	require.NoError(t, err)
	before := len(s.requests())
	for _, o := range left {
		for _, client := range []*http.Client{o.client, {Transport: o.client.Transport}} {
			_, err := client.Get("https://api.odd.example/me")
			require.Error(t, err)
			var refused *auth.ProviderError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, viagoth.CodeOver, refused.Code)
		}
	}
	require.Len(t, s.requests(), before)
}
