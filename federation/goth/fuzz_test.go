package viagoth_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	viagoth "github.com/cardea-auth/cardea/federation/goth"
)

// scripted answers what it is told to, and counts.
type scripted struct {
	token, profile string
	status, asked  int
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked++
	answer := s.profile
	if r.URL.Host == "github.com" {
		answer = s.token
	}
	return &http.Response{StatusCode: s.status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

func scriptedProvider(t testing.TB, s *scripted) *viagoth.Provider {
	return newProvider(t, viagoth.Config{ID: "github", Name: "GitHub", Make: makeGitHub, HTTP: federation.ClientConfig{Client: &http.Client{Transport: s}}})
}

// FuzzAnswers: whatever a service answers, there is an identity with a subject or an error with a code and nothing of
// the answer in it.
func FuzzAnswers(f *testing.F) {
	f.Add(`{"access_token":"T","token_type":"bearer"}`, `{"id":1}`, 200)
	f.Add(`access_token=T&token_type=bearer`, `{"id":0}`, 200)
	f.Add(`{"error":"invalid_grant"}`, ``, 400)
	f.Add(`null`, `null`, 200)
	f.Add(``, `{}`, 302)
	s := &scripted{}
	p := scriptedProvider(f, s)
	trip, _ := begin(f, p, newTrip(1))
	f.Fuzz(func(t *testing.T, token, profile string, status int) {
		if status < 200 || status > 599 {
			return
		}
		*s = scripted{token: token, profile: profile, status: status}
		id, err := p.Complete(context.Background(), trip, auth.Answer{Code: auth.NewSecret("CODE-of-somebody")})
		require.LessOrEqual(t, s.asked, 3)
		if err == nil {
			require.NotContains(t, []string{"", "0"}, id.Subject)
			require.Equal(t, "goth:github", id.Issuer)
			return
		}
		require.Zero(t, id)
		var refused *auth.ProviderError
		require.ErrorAs(t, err, &refused)
		require.Regexp(t, `^provider: [a-z-]+(: (github\.com|api\.github\.com)( answered [0-9]{3}(: [a-z_]+)?)?|: Authorize|: FetchUser)?$`, err.Error())
	})
}

// FuzzKept: whatever is kept, the code is sent only for a session that holds nothing but the address of the trip.
func FuzzKept(f *testing.F) {
	s := &scripted{token: `{"access_token":"T","token_type":"bearer"}`, profile: `{"id":1}`, status: 200}
	p := scriptedProvider(f, s)
	trip, d := begin(f, p, newTrip(1))
	f.Add(string(d.Keep))
	f.Add(strings.Replace(string(d.Keep), `"AccessToken":""`, `"AccessToken":"x"`, 1))
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, keep string) {
		trip.Keep, s.asked = []byte(keep), 0
		_, err := p.Complete(context.Background(), trip, auth.Answer{Code: auth.NewSecret("c")})
		if err != nil {
			require.Zero(t, s.asked)
			return
		}
		var session map[string]string
		require.NoError(t, json.Unmarshal([]byte(keep), &session))
		require.Empty(t, session["AccessToken"])
		u, err := url.Parse(session["AuthURL"])
		require.NoError(t, err)
		require.Equal(t, []string{redirectURI}, u.Query()["redirect_uri"])
	})
}
