package viagoth_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/markbates/goth"
	"github.com/markbates/goth/providers/azureadv2"
	"github.com/markbates/goth/providers/cognito"
	"github.com/markbates/goth/providers/discord"
	"github.com/markbates/goth/providers/faux"
	"github.com/markbates/goth/providers/fitbit"
	"github.com/markbates/goth/providers/lastfm"
	"github.com/markbates/goth/providers/linkedin"
	"github.com/markbates/goth/providers/mailru"
	"github.com/markbates/goth/providers/okta"
	"github.com/markbates/goth/providers/onedrive"
	"github.com/markbates/goth/providers/openidConnect"
	"github.com/markbates/goth/providers/reddit"
	"github.com/markbates/goth/providers/shopify"
	"github.com/markbates/goth/providers/steam"
	"github.com/markbates/goth/providers/tiktok"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	viagoth "github.com/cardea-auth/cardea/federation/goth"
)

func TestNewNamesEveryProblem(t *testing.T) {
	_, err := viagoth.New(viagoth.Config{ID: "Git Hub", Name: "a\nb", TokenURL: "http://odd.example/token", HTTP: federation.ClientConfig{Timeout: time.Hour},
		Issuer: strings.Repeat("x", 256)})
	require.Error(t, err)
	for _, field := range []string{"ID", "Name", "Make", "TokenURL", "Timeout", "Issuer"} {
		require.ErrorContains(t, err, field)
	}
	s, c := githubService(t)
	c.ID = ""
	c.Make = func(client *http.Client, redirectURI string) (goth.Provider, error) {
		return steam.New("key", redirectURI), nil
	}
	_, err = viagoth.New(c)
	require.ErrorContains(t, err, "ID")
	require.ErrorContains(t, err, "steam", "what is wrong with the provider is told with the rest")
	require.Empty(t, s.requests())
}

// TestRefusedProviders: what cannot be made safe here is refused when the host starts, with the reason and the way on.
func TestRefusedProviders(t *testing.T) {
	const to = redirectURI
	oidc, _ := openidConnect.NewCustomisedURL(clientID, clientSecret, to, oddAuth, oddToken, "https://odd.example", "", "")
	red := reddit.New(clientID, clientSecret, to, "permanent", oddToken, oddProfile)
	for name, c := range map[string]struct {
		g   goth.Provider
		why string
	}{
		"steam":         {steam.New("key", to), "OpenID 2.0"},
		"lastfm":        {lastfm.New(clientID, clientSecret, to), "not OAuth 2.0"},
		"tiktok":        {tiktok.New(clientID, clientSecret, to), "not OAuth 2.0"},
		"shopify":       {shopify.New(clientID, clientSecret, to), "more of an answer than the code"},
		"faux":          {&faux.Provider{}, "fake"},
		"openidConnect": {oidc, "federation/oidc"},
		"okta":          {okta.New(clientID, clientSecret, "https://o.example", to), "federation/oidc"},
		"cognito":       {cognito.New(clientID, clientSecret, "https://o.example", to), "federation/oidc"},
		"azureadv2":     {azureadv2.New(clientID, clientSecret, to, azureadv2.ProviderOptions{}), "federation/presets"},
		"linkedin":      {linkedin.New(clientID, clientSecret, to), "federation/presets"},
		"onedrive":      {onedrive.New(clientID, clientSecret, to), "by an address"},
		"discord":       {discord.New(clientID, clientSecret, to), "client of its own"},
		"fitbit":        {fitbit.New(clientID, clientSecret, to), "client of its own"},
		"mailru":        {mailru.New(clientID, clientSecret, to), "client of its own"},
		"reddit":        {&red, "client of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			s, config := githubService(t)
			config.Make = func(*http.Client, string) (goth.Provider, error) { return c.g, nil }
			_, err := viagoth.New(config)
			require.ErrorContains(t, err, name)
			require.ErrorContains(t, err, c.why)
			require.Empty(t, s.requests())
		})
	}
}

// TestRefusedShapes: a provider that nobody knows is judged by what it does.
func TestRefusedShapes(t *testing.T) {
	query := func(change func(o *odd, q url.Values)) func(*odd) {
		return func(o *odd) {
			o.begin = func(o *odd, state string) (goth.Session, error) {
				q := o.query(state)
				change(o, q)
				return o.session(q)
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*odd)
		why    string
	}{
		"no state, as OAuth 1.0": {query(func(_ *odd, q url.Values) { q.Del("state") }), "no state"},
		"a state of its own":     {query(func(_ *odd, q url.Values) { q.Set("state", "known-to-the-attacker") }), "state is not"},
		"two states":             {query(func(_ *odd, q url.Values) { q.Add("state", "known-to-the-attacker") }), "state is not"},
		"another redirect_uri":   {query(func(_ *odd, q url.Values) { q.Set("redirect_uri", "https://evil.example") }), "redirect_uri"},
		"two redirect_uris":      {query(func(_ *odd, q url.Values) { q.Add("redirect_uri", "https://evil.example") }), "redirect_uri"},
		"the implicit flow":      {query(func(_ *odd, q url.Values) { q.Set("response_type", "token") }), "response_type"},
		"no client_id":           {query(func(_ *odd, q url.Values) { q.Del("client_id") }), "client_id"},
		"a challenge of its own": {query(func(_ *odd, q url.Values) { q.Set("code_challenge", "x") }), "code_challenge"},
		"a plain one":            {query(func(_ *odd, q url.Values) { q.Set("code_challenge_method", "plain") }), "code_challenge"},
		"an unprotected address": {func(o *odd) { o.geturl = func() (string, error) { return "http://odd.example/?state=x", nil } }, "not https"},
		"one at loopback":        {func(o *odd) { o.geturl = func() (string, error) { return "http://localhost/?state=x", nil } }, "not https"},
		"script":                 {func(o *odd) { o.geturl = func() (string, error) { return "javascript:alert(1)", nil } }, "not https"},
		"no address":             {func(o *odd) { o.geturl = func() (string, error) { return "", errors.New(clientSecret) } }, "there is none"},
		"a broken query":         {func(o *odd) { o.geturl = func() (string, error) { return oddAuth + "?state=a;b=c", nil } }, "query"},
		"an endless address": {func(o *odd) {
			o.geturl = func() (string, error) { return oddAuth + "?" + strings.Repeat("x", 5000), nil }
		}, "too long"},
		"no session": {func(o *odd) { o.begin = func(*odd, string) (goth.Session, error) { return nil, nil } }, "no session"},
		"an error with a secret": {func(o *odd) {
			o.begin = func(*odd, string) (goth.Session, error) { return nil, errors.New(clientSecret) }
		}, viagoth.CodeProvider},
		"a token before the code":  {func(o *odd) { o.marshal = func() string { return `{"AuthURL":"","RequestToken":"8ldIZyxQ"}` } }, "may be a token"},
		"a nested one":             {func(o *odd) { o.marshal = func() string { return `{"RequestToken":{"Token":"8ldIZyxQ"}}` } }, "more than its address"},
		"a session that is a form": {func(o *odd) { o.marshal = func() string { return "token=8ldIZyxQ" } }, "not a JSON object"},
		"an endless session": {func(o *odd) { // longer than the service keeps
			o.marshal = func() string { return `{"AuthURL":""}` + strings.Repeat(" ", 2<<10) }
		}, "bytes"},
		"an empty one": {func(o *odd) { o.marshal = func() string { return "" } }, "bytes"},
		"a request in Begin": {func(o *odd) {
			o.begin = func(o *odd, state string) (goth.Session, error) {
				_, _ = o.client.Get("https://odd.example/request_token")
				return o.session(o.query(state))
			}
		}, viagoth.CodeEarly},
		"a client of its own": {func(o *odd) { o.client = http.DefaultClient }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, oddToken, nil)
			_, err := viagoth.New(oddConfig(s, c.change))
			switch name {
			case "a client of its own": // nobody can tell; Complete does
				require.NoError(t, err)
			default:
				require.ErrorContains(t, err, c.why)
				require.NotContains(t, err.Error(), clientSecret)
			}
			require.Empty(t, s.requests())
		})
	}
}

func TestMakeThatFails(t *testing.T) {
	s, c := githubService(t)
	for name, f := range map[string]factory{
		"an error":  func(*http.Client, string) (goth.Provider, error) { return nil, errors.New(clientSecret) },
		"nothing":   func(*http.Client, string) (goth.Provider, error) { return nil, nil },
		"typed nil": func(*http.Client, string) (goth.Provider, error) { return (*odd)(nil), nil },
		"a panic":   func(*http.Client, string) (goth.Provider, error) { panic(clientSecret) },
		"no client": func(_ *http.Client, to string) (goth.Provider, error) { return makeGitHub(nil, to) },
		"another client": func(_ *http.Client, to string) (goth.Provider, error) {
			return makeGitHub(&http.Client{}, to)
		},
		"another redirect": func(client *http.Client, _ string) (goth.Provider, error) {
			return makeGitHub(client, "https://evil.example")
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := c
			config.Make, config.TokenURL = f, oddToken
			_, err := viagoth.New(config)
			require.ErrorContains(t, err, "Make")
			require.NotContains(t, err.Error(), clientSecret)
			if name == "an error" {
				require.ErrorContains(t, err, "Make returned an error")
			}
			if strings.HasSuffix(name, " client") {
				require.ErrorContains(t, err, "did not give its client to the provider")
			}
		})
	}
	require.Empty(t, s.requests())
}

func TestTokenURL(t *testing.T) {
	s, c := githubService(t)
	c.TokenURL = "https://github.com/login/oauth/access_token"
	newProvider(t, c)
	c.TokenURL = "https://github.example/login/oauth/access_token"
	_, err := viagoth.New(c)
	require.ErrorContains(t, err, "TokenURL")
	odd := oddConfig(s, nil)
	odd.TokenURL = ""
	_, err = viagoth.New(odd)
	require.ErrorContains(t, err, "TokenURL is required")
}

func TestInfo(t *testing.T) {
	_, c := githubService(t)
	info := newProvider(t, c).Info()
	require.Equal(t, auth.ProviderInfo{ID: "github", Name: "GitHub", NoNonce: true, Notes: info.Notes}, info)
	require.Len(t, info.Notes, 1)
	info.Notes[0] = ""
	require.NotEmpty(t, newProvider(t, c).Info().Notes[0])
	c.NoPKCE = true
	require.True(t, newProvider(t, c).Info().NoPKCE)
}
