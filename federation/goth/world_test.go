package viagoth_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/markbates/goth"
	"github.com/markbates/goth/providers/github"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	viagoth "github.com/cardea-auth/cardea/federation/goth"
)

const (
	clientID     = "client-id-of-ours"
	clientSecret = "client+secret/of=ours%41" // in need of encoding
	accessToken  = "ACCESS-TOKEN-of-somebody"
	redirectURI  = "https://app.example/auth/provider/x/callback"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// service is a fake of a social provider: an authorization server that is strict on PKCE, and an API. It stands
// behind a transport that sends every request to it, whatever the host.
type service struct {
	t        testing.TB
	server   *httptest.Server
	tokenURL string
	api      map[string]string // host and path, and the JSON that they answer
	inBody   bool              // the client's secret is taken in the body only
	noPKCE   bool
	before   func(w http.ResponseWriter, r *http.Request) bool // may answer in place of the service

	mu    sync.Mutex
	codes map[string]url.Values // code -> the query of the address that somebody went to
	log   []request
}

type request struct {
	method, host, path string
	query, form        url.Values
	header             http.Header
}

func newService(t testing.TB, tokenURL string, api map[string]string) *service {
	s := &service{t: t, tokenURL: tokenURL, api: api, codes: map[string]url.Values{}}
	s.server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.server.Close)
	return s
}

// RoundTrip implements http.RoundTripper.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	q := r.Clone(r.Context())
	q.Host = r.URL.Host
	q.URL.Scheme, q.URL.Host = "http", strings.TrimPrefix(s.server.URL, "http://")
	return http.DefaultTransport.RoundTrip(q)
}

// client is the configuration of a client whose every request comes here.
func (s *service) client() federation.ClientConfig {
	return federation.ClientConfig{Client: &http.Client{Transport: s}}
}

func (s *service) serve(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	s.log = append(s.log, request{r.Method, r.Host, r.URL.Path, r.URL.Query(), r.PostForm, r.Header.Clone()})
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case s.before != nil && s.before(w, r):
	case s.isToken(r):
		s.token(w, r)
	case s.api[r.Host+r.URL.Path] == "":
		w.WriteHeader(http.StatusNotFound)
	case r.Header.Get("Authorization") != "Bearer "+accessToken && r.URL.Query().Get("access_token") != accessToken:
		w.WriteHeader(http.StatusUnauthorized)
	default:
		fmt.Fprint(w, s.api[r.Host+r.URL.Path])
	}
}

func (s *service) isToken(r *http.Request) bool { return "https://"+r.Host+r.URL.Path == s.tokenURL }

func (s *service) token(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := r.BasicAuth()
	id, secret = unescape(id), unescape(secret)
	if !ok || s.inBody {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if id != clientID || secret != clientSecret {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"invalid_client"}`)
		return
	}
	s.mu.Lock()
	asked, known := s.codes[r.PostForm.Get("code")]
	delete(s.codes, r.PostForm.Get("code"))
	s.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	verified := s.noPKCE || asked.Get("code_challenge") == base64.RawURLEncoding.EncodeToString(sum[:])
	if !known || !verified || asked.Get("redirect_uri") != r.PostForm.Get("redirect_uri") {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":"invalid_grant","error_description":"%s"}`, r.PostForm.Encode()) // as some do
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": accessToken, "token_type": "bearer", "expires_in": 3600, "expires": 3600})
}

func unescape(text string) string {
	plain, _ := url.QueryUnescape(text)
	return plain
}

// approve is a person who goes to the address and agrees. It returns the code.
func (s *service) approve(t testing.TB, address string) auth.Secret {
	u, err := url.Parse(address)
	require.NoError(t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	code := fmt.Sprintf("CODE-of-somebody-%d-%d", len(s.codes), len(s.log))
	s.codes[code] = u.Query()
	return auth.NewSecret(code)
}

func (s *service) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.log...)
}

func (s *service) tokenRequests() (list []request) {
	for _, r := range s.requests() {
		if "https://"+r.host+r.path == s.tokenURL {
			list = append(list, r)
		}
	}
	return list
}

// newTrip is a trip as the service makes one, whose secrets differ by n.
func newTrip(n int) auth.Trip {
	secret := func(kind string) auth.Secret {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", kind, n))
		return auth.NewSecret(base64.RawURLEncoding.EncodeToString(sum[:]))
	}
	return auth.Trip{State: secret("state"), Nonce: secret("nonce"), Verifier: secret("verifier"), RedirectURI: redirectURI, Now: now}
}

// githubService is a fake GitHub, and the configuration of a provider for it.
func githubService(t testing.TB) (*service, viagoth.Config) {
	s := newService(t, "https://github.com/login/oauth/access_token", map[string]string{
		"api.github.com/user": `{"id":583231,"login":"octocat","name":"The Octocat","email":"octocat@github.example"}`,
	})
	return s, viagoth.Config{ID: "github", Name: "GitHub", Make: makeGitHub, HTTP: s.client()}
}

func makeGitHub(client *http.Client, redirectURI string) (goth.Provider, error) {
	g := github.New(clientID, clientSecret, redirectURI)
	g.HTTPClient = client
	return g, nil
}

func newProvider(t testing.TB, c viagoth.Config) *viagoth.Provider {
	t.Helper()
	p, err := viagoth.New(c)
	require.NoError(t, err)
	return p
}

// begin begins a trip, and returns it with what is kept.
func begin(t testing.TB, p auth.Provider, trip auth.Trip) (auth.Trip, auth.Departure) {
	t.Helper()
	d, err := p.Begin(context.Background(), trip)
	require.NoError(t, err)
	trip.Keep = d.Keep
	return trip, d
}

// requireCode checks the code of an error, and that nothing is in it that must be in no log.
func requireCode(t testing.TB, code string, err error, secrets ...string) {
	t.Helper()
	require.Error(t, err)
	var refused *auth.ProviderError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, code, refused.Code, "%v", err)
	for e := err; e != nil; {
		for _, secret := range append(secrets, clientSecret, accessToken, "CODE-of-somebody") {
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", e, e, e), secret)
		}
		unwrapper, ok := e.(interface{ Unwrap() error })
		if !ok {
			break
		}
		e = unwrapper.Unwrap()
	}
}
