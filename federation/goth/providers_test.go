package viagoth_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/markbates/goth"
	"github.com/markbates/goth/providers/bitbucket"
	"github.com/markbates/goth/providers/digitalocean"
	"github.com/markbates/goth/providers/facebook"
	"github.com/markbates/goth/providers/gitea"
	"github.com/markbates/goth/providers/gitlab"
	"github.com/markbates/goth/providers/heroku"
	"github.com/markbates/goth/providers/slack"
	"github.com/markbates/goth/providers/spotify"
	"github.com/markbates/goth/providers/twitch"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	viagoth "github.com/cardea-auth/cardea/federation/goth"
)

type factory = func(client *http.Client, redirectURI string) (goth.Provider, error)

// providers are goth's, as a host makes them, the API that they ask, and who comes out.
var providers = []struct {
	id, tokenURL string
	make         factory
	api          map[string]string
	want         auth.Identity
}{
	{"github", "https://github.com/login/oauth/access_token", makeGitHub,
		map[string]string{"api.github.com/user": `{"id":583231,"login":"octocat","name":"The Octocat","email":"octocat@github.example"}`},
		auth.Identity{Subject: "583231", Name: "The Octocat", Email: "octocat@github.example"}},
	{"gitlab", "https://gitlab.com/oauth/token", func(c *http.Client, to string) (goth.Provider, error) {
		g := gitlab.NewCustomisedURL(clientID, clientSecret, to, gitlab.AuthURL, gitlab.TokenURL, "https://gitlab.com/api/v4/user", "read_user")
		g.HTTPClient = c
		return g, nil
	}, map[string]string{"gitlab.com/api/v4/user": `{"id":42,"username":"tanuki","name":"Tanuki","email":"t@gitlab.example"}`},
		auth.Identity{Subject: "42", Name: "Tanuki", Email: "t@gitlab.example"}},
	{"facebook", "https://graph.facebook.com/oauth/access_token", func(c *http.Client, to string) (goth.Provider, error) {
		g := facebook.New(clientID, clientSecret, to)
		g.HTTPClient = c
		return g, nil
	}, map[string]string{"graph.facebook.com/me": `{"id":"10158","name":"F B","email":"f@facebook.example"}`},
		auth.Identity{Subject: "10158", Name: "F B", Email: "f@facebook.example"}},
	{"spotify", "https://accounts.spotify.com/api/token", func(c *http.Client, to string) (goth.Provider, error) {
		g := spotify.New(clientID, clientSecret, to)
		g.HTTPClient = c
		return g, nil
	}, map[string]string{"api.spotify.com/v1/me": `{"id":"smedjan","display_name":"Sme Djan","email":"s@spotify.example"}`},
		auth.Identity{Subject: "smedjan", Name: "Sme Djan", Email: "s@spotify.example"}},
	{"bitbucket", "https://bitbucket.org/site/oauth2/access_token", func(c *http.Client, to string) (goth.Provider, error) {
		g := bitbucket.New(clientID, clientSecret, to)
		g.HTTPClient = c
		return g, nil
	}, map[string]string{
		"api.bitbucket.org/2.0/user":        `{"uuid":"{f1-2}","username":"bb","display_name":"Bit Bucket"}`,
		"api.bitbucket.org/2.0/user/emails": `{"values":[{"email":"b@bitbucket.example","is_primary":true,"is_confirmed":true}]}`,
	}, auth.Identity{Subject: "{f1-2}", Name: "Bit Bucket", Email: "b@bitbucket.example"}},
	{"twitch", "https://id.twitch.tv/oauth2/token", func(c *http.Client, to string) (goth.Provider, error) {
		g := twitch.New(clientID, clientSecret, to)
		g.HTTPClient = c
		return g, nil
	}, map[string]string{"api.twitch.tv/helix/users": `{"data":[{"id":"141981764","login":"dev","display_name":"Dev","email":"d@twitch.example"}]}`},
		auth.Identity{Subject: "141981764", Name: "dev", Email: "d@twitch.example"}},
	{"slack", "https://slack.com/api/oauth.access", func(c *http.Client, to string) (goth.Provider, error) {
		g := slack.New(clientID, clientSecret, to)
		g.HTTPClient = c
		return g, nil
	}, map[string]string{
		"slack.com/api/auth.test":  `{"ok":true,"user_id":"U0G9","user":"slacker"}`,
		"slack.com/api/users.info": `{"ok":true,"user":{"id":"U0G9","name":"slacker","profile":{"email":"u@slack.example","real_name":"Sla Cker"}}}`,
	}, auth.Identity{Subject: "U0G9", Name: "Sla Cker", Email: "u@slack.example"}},
	{"gitea", "https://gitea.com/login/oauth/access_token", func(c *http.Client, to string) (goth.Provider, error) {
		g := gitea.New(clientID, clientSecret, to)
		g.HTTPClient = c
		return g, nil
	}, map[string]string{"gitea.com/api/v1/user": `{"id":7,"login":"tea","full_name":"Git Ea","email":"g@gitea.example"}`},
		auth.Identity{Subject: "7", Name: "Git Ea", Email: "g@gitea.example"}},
	{"digitalocean", "https://cloud.digitalocean.com/v1/oauth/token", func(c *http.Client, to string) (goth.Provider, error) {
		g := digitalocean.New(clientID, clientSecret, to)
		g.HTTPClient = c
		return g, nil
	}, map[string]string{"api.digitalocean.com/v2/account": `{"account":{"uuid":"b6fr89","email":"o@ocean.example"}}`},
		auth.Identity{Subject: "b6fr89", Email: "o@ocean.example"}},
	{"heroku", "https://id.heroku.com/oauth/token", func(c *http.Client, to string) (goth.Provider, error) {
		g := heroku.New(clientID, clientSecret, to)
		g.HTTPClient = c
		return g, nil
	}, map[string]string{"api.heroku.com/account": `{"id":"0123-4567","name":"He Roku","email":"h@heroku.example"}`},
		auth.Identity{Subject: "0123-4567", Name: "He Roku", Email: "h@heroku.example"}},
}

// TestProviders takes people through ten of goth's providers, against fakes of their services that insist on PKCE,
// on the redirect address and on the client's secret; once with the secret in the header and once in the body.
func TestProviders(t *testing.T) {
	for n, c := range providers {
		for _, inBody := range []bool{false, true} {
			t.Run(c.id+map[bool]string{false: " header", true: " body"}[inBody], func(t *testing.T) {
				s := newService(t, c.tokenURL, c.api)
				s.inBody = inBody
				p := newProvider(t, viagoth.Config{ID: c.id, Name: c.id, Make: c.make, HTTP: s.client()})
				for again := range 2 {
					trip, d := begin(t, p, newTrip(n+100*again))
					checkDeparture(t, trip, d)
					id, err := p.Complete(context.Background(), trip, auth.Answer{Code: s.approve(t, d.URL)})
					require.NoError(t, err)
					want := c.want
					want.Issuer = "goth:" + c.id
					require.Equal(t, want, id)
				}
				checkTokenRequests(t, s, n, inBody)
			})
		}
	}
}

func checkDeparture(t *testing.T, trip auth.Trip, d auth.Departure) {
	t.Helper()
	u, err := url.Parse(d.URL)
	require.NoError(t, err)
	require.Equal(t, "https", u.Scheme)
	for name, value := range map[string]string{
		"state": trip.State.Reveal(), "redirect_uri": redirectURI, "code_challenge": trip.Challenge(), "code_challenge_method": "S256",
		"response_type": "code", "client_id": clientID,
	} {
		require.Equal(t, []string{value}, u.Query()[name], name)
	}
	require.Empty(t, d.Issuer)
	require.False(t, d.TellsIssuer)
	for _, secret := range []auth.Secret{trip.State, trip.Nonce, trip.Verifier} {
		require.NotContains(t, string(d.Keep), secret.Reveal(), "what is kept is kept in the clear")
	}
	require.NotContains(t, string(d.Keep)+d.URL, clientSecret)
	require.NotContains(t, d.URL, trip.Verifier.Reveal())
}

// checkTokenRequests: the verifier is in each token request and nowhere else, and the code is sent twice only until it is
// known where the service takes the secret.
func checkTokenRequests(t *testing.T, s *service, n int, inBody bool) {
	t.Helper()
	sent := s.tokenRequests()
	require.Len(t, sent, map[bool]int{false: 2, true: 3}[inBody])
	require.Equal(t, []string{newTrip(n).Verifier.Reveal()}, sent[0].form["code_verifier"])
	require.Equal(t, []string{newTrip(n + 100).Verifier.Reveal()}, sent[len(sent)-1].form["code_verifier"])
	for _, r := range s.requests() {
		require.NotContains(t, r.query.Encode(), newTrip(n).Verifier.Reveal())
		require.NotContains(t, r.query.Encode(), "CODE-of-somebody")
		if "https://"+r.host+r.path != s.tokenURL {
			require.Empty(t, r.form["code_verifier"])
		}
	}
}
