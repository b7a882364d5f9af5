package gothsurvey_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/markbates/goth"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation"
	viagoth "github.com/cardea-auth/cardea/federation/goth"
)

// verdict is what New says of a provider, in part; empty if it takes it.
type verdict string

const (
	taken         verdict = ""
	openIDConnect verdict = "use federation/oidc"
	preset        verdict = "use its preset in federation/presets"
	byAddress     verdict = "it knows people by an address"
	oauth1        verdict = "it is OAuth 1.0"
	openID2       verdict = "it is OpenID 2.0"
	ownProtocol   verdict = "its protocol is not OAuth 2.0"
	needsMore     verdict = "it needs more of an answer than the code"
	ownClient     verdict = "with an HTTP client of its own"
	fake          verdict = "it is goth's fake"
)

const redirectURI = "https://app.example/callback"

// recorder answers every request with a token or an empty object, and keeps what was asked.
type recorder struct{ asked []string }

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	body := ""
	if q.Body != nil {
		text, _ := io.ReadAll(q.Body)
		body = string(text)
	}
	r.asked = append(r.asked, q.Method+" "+q.URL.Host+q.URL.Path+" "+body)
	answer := "{}"
	if strings.Contains(body, "authorization_code") {
		answer = `{"access_token":"TOKEN","token_type":"bearer","expires":60,"email":"a@b.example","id":"https://api.example/me","stripe_user_id":"acct_1"}`
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(answer)), Request: q}, nil
}

// watched replaces what requests go through that do not use the client they are given. Nothing in this package
// reaches the network.
func watched(t *testing.T) *recorder {
	past, before := &recorder{}, http.DefaultTransport
	http.DefaultTransport = past
	t.Cleanup(func() { http.DefaultTransport = before })
	return past
}

// withClient gives a provider its client, as hosts do.
func withClient(g goth.Provider, client *http.Client) goth.Provider {
	if v := reflect.ValueOf(g).Elem(); v.Kind() == reflect.Struct {
		if f := v.FieldByName("HTTPClient"); f.IsValid() {
			f.Set(reflect.ValueOf(client))
		}
	}
	return g
}

// TestSurveyIsWhole: no provider of goth's is missing.
func TestSurveyIsWhole(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/markbates/goth").Output()
	require.NoError(t, err)
	entries, err := os.ReadDir(filepath.Join(strings.TrimSpace(string(out)), "providers"))
	require.NoError(t, err)
	var names, surveyed []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	for _, s := range survey {
		surveyed = append(surveyed, s.name)
	}
	slices.Sort(names)
	slices.Sort(surveyed)
	require.Equal(t, names, surveyed)
}

// TestVerdicts: New takes what is good and refuses the rest with the reason, and no request is made over it, not even by
// those that have a client of their own.
func TestVerdicts(t *testing.T) {
	past := watched(t)
	for _, s := range survey {
		given := &recorder{}
		p, err := viagoth.New(viagoth.Config{ID: "x", Name: "X", HTTP: federation.ClientConfig{Client: &http.Client{Transport: given}},
			Make: func(client *http.Client, to string) (goth.Provider, error) {
				return withClient(s.make(client, to), client), nil
			}})
		if s.verdict == taken {
			require.NoError(t, err, s.name)
			require.NotNil(t, p)
		} else {
			require.ErrorContains(t, err, "goth's "+s.name+" is not taken: ", s.name)
			require.ErrorContains(t, err, string(s.verdict), s.name)
		}
		require.Empty(t, given.asked, s.name)
	}
	require.Empty(t, past.asked)
}

// TestReasons: goth's providers do what they are taken or refused for.
func TestReasons(t *testing.T) {
	past := watched(t)
	for _, s := range survey {
		past.asked = nil
		given := &recorder{}
		client := &http.Client{Transport: given}
		g := withClient(s.make(client, redirectURI), client)
		address, err := run(g)
		switch s.verdict {
		case taken:
			require.Empty(t, past.asked, "%s makes requests past its client", s.name)
			require.NotEmpty(t, given.asked, s.name)
			require.Contains(t, given.asked[0], "grant_type=authorization_code", s.name)
			u, _ := url.Parse(address)
			require.Equal(t, []string{"the-state"}, u.Query()["state"], s.name)
			require.Equal(t, []string{redirectURI}, u.Query()["redirect_uri"], s.name)
		case ownClient:
			require.NotEmpty(t, past.asked, "%s may be mended", s.name)
		case oauth1:
			require.Error(t, err, s.name)
			require.Contains(t, strings.ToLower(past.asked[0]), "request", s.name)
		case openID2:
			require.NotContains(t, address, "state", s.name)
		}
	}
}

type code string

func (c code) Get(name string) string {
	if name == "code" {
		return string(c)
	}
	return ""
}

// run takes a trip with goth alone.
func run(g goth.Provider) (address string, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.Join(err, fmt.Errorf("panic: %v", v))
		}
	}()
	session, err := g.BeginAuth("the-state")
	if err != nil {
		return "", err
	}
	if address, err = session.GetAuthURL(); err != nil {
		return "", err
	}
	if session, err = g.UnmarshalSession(session.Marshal()); err != nil {
		return address, err
	}
	if _, err = session.Authorize(g, code("the-code")); err != nil {
		return address, err
	}
	_, err = g.FetchUser(session)
	return address, err
}
