package viagoth_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/markbates/goth/providers/github"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	viagoth "github.com/cardea-auth/cardea/federation/goth"
)

// instant answers as GitHub does, at once.
type instant struct{}

func (instant) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := `{"id":583231,"login":"octocat","name":"The Octocat","email":"octocat@github.example"}`
	if r.URL.Host == "github.com" {
		answer = `{"access_token":"` + accessToken + `","token_type":"bearer"}`
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

// BenchmarkComplete is all that Complete takes beyond the network: goth's work and ours.
func BenchmarkComplete(b *testing.B) {
	p := newProvider(b, viagoth.Config{ID: "github", Name: "GitHub", Make: makeGitHub, HTTP: federation.ClientConfig{Client: &http.Client{Transport: instant{}}}})
	trip, _ := begin(b, p, newTrip(1))
	a := auth.Answer{Code: auth.NewSecret("code")}
	b.ReportAllocs()
	for b.Loop() {
		id, err := p.Complete(context.Background(), trip, a)
		require.NoError(b, err)
		require.Equal(b, "583231", id.Subject)
	}
}

// BenchmarkGothAlone is what goth takes for the same without us, to tell the two apart.
func BenchmarkGothAlone(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		g := github.New(clientID, clientSecret, redirectURI)
		g.HTTPClient = &http.Client{Transport: instant{}}
		session, err := g.UnmarshalSession(`{"AuthURL":"https://github.com/login/oauth/authorize","AccessToken":""}`)
		require.NoError(b, err)
		_, err = session.Authorize(g, gothCode("code"))
		require.NoError(b, err)
		user, err := g.FetchUser(session)
		require.NoError(b, err)
		require.Equal(b, "583231", user.UserID)
	}
}

type gothCode string

func (c gothCode) Get(string) string { return string(c) }

func BenchmarkBegin(b *testing.B) {
	p := newProvider(b, viagoth.Config{ID: "github", Name: "GitHub", Make: makeGitHub, HTTP: federation.ClientConfig{Client: &http.Client{Transport: instant{}}}})
	trip := newTrip(1)
	b.ReportAllocs()
	for b.Loop() {
		_, err := p.Begin(context.Background(), trip)
		require.NoError(b, err)
	}
}
