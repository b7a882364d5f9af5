package viagoth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/markbates/goth"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	viagoth "github.com/cardea-auth/cardea/federation/goth"
)

// TestBadAnswers: GitHub's endpoints answer anything but what they should. All say what was sent to them, as servers
// do in errors, and nothing of it gets into ours.
func TestBadAnswers(t *testing.T) {
	echo := func(r *http.Request) string {
		return r.PostForm.Encode() + " " + r.Header.Get("Authorization") + " " + accessToken
	}
	huge := strings.Repeat("x", 10<<20)
	for name, c := range map[string]struct {
		answer  func(w http.ResponseWriter, r *http.Request)
		token   string // the code if the token endpoint does so
		profile string // and if the API does
	}{
		"500": {func(w http.ResponseWriter, r *http.Request) { http.Error(w, echo(r), 500) }, viagoth.CodeExchange, viagoth.CodeProfile},
		"400": {func(w http.ResponseWriter, r *http.Request) { http.Error(w, echo(r), 400) }, viagoth.CodeExchange, viagoth.CodeProfile},
		"an error with 200": {func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"error":"bad_verification_code","error_description":%q}`, echo(r))
		}, viagoth.CodeExchange, viagoth.CodeSubject},
		"an error unknown": {func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, `{"error":%q}`, echo(r)) }, viagoth.CodeExchange, viagoth.CodeSubject},
		"garbage":          {func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>"+echo(r)) }, viagoth.CodeExchange, viagoth.CodeProfile},
		"another type":     {func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, `{"access_token":5,"id":%q}`, echo(r)) }, viagoth.CodeExchange, viagoth.CodeProfile},
		"nothing":          {func(http.ResponseWriter, *http.Request) {}, viagoth.CodeExchange, viagoth.CodeProfile},
		"10 MB": {func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"access_token":%q,"id":1,"x":%q}`, accessToken, huge)
		}, viagoth.CodeTooLarge, viagoth.CodeTooLarge},
		"10 MB after the JSON": {func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"access_token":%q,"id":1}%s`, accessToken, strings.Repeat(" ", 10<<20))
		}, viagoth.CodeTooLarge, viagoth.CodeTooLarge},
		"cut off": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"access_token":"x","id":1}`)
		}, viagoth.CodeUnreachable, viagoth.CodeUnreachable},
		"hung up":               {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, viagoth.CodeUnreachable, viagoth.CodeUnreachable},
		"302 to another host":   {redirect("https://evil.example/token", 302), viagoth.CodeRedirected, viagoth.CodeRedirected},
		"307 to another host":   {redirect("https://evil.example/token", 307), viagoth.CodeRedirected, viagoth.CodeRedirected},
		"308 to another port":   {redirect("https://github.com:8443/", 308), viagoth.CodeRedirected, viagoth.CodeRedirected},
		"302 to no TLS":         {func(w http.ResponseWriter, r *http.Request) { redirect("http://"+r.Host+"/x", 302)(w, r) }, viagoth.CodeRedirected, viagoth.CodeRedirected},
		"302 to the same place": {func(w http.ResponseWriter, r *http.Request) { redirect("https://"+r.Host+r.URL.Path, 302)(w, r) }, viagoth.CodeRedirected, viagoth.CodeRedirected},
		"302 to nowhere":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(302) }, viagoth.CodeRedirected, viagoth.CodeRedirected},
	} {
		for where, code := range map[string]string{"github.com": c.token, "api.github.com": c.profile} {
			t.Run(name+" "+where, func(t *testing.T) {
				s, config := githubService(t)
				s.before = func(w http.ResponseWriter, r *http.Request) bool {
					if r.Host == where {
						c.answer(w, r)
					}
					return r.Host == where
				}
				id, err := attempt(t, s, config)
				require.Zero(t, id)
				requireCode(t, code, err, newTrip(1).Verifier.Reveal())
				for _, r := range s.requests() {
					require.Contains(t, []string{"github.com", "api.github.com"}, r.host)
				}
			})
		}
	}
}

func redirect(to string, status int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(status)
	}
}

// TestRedirectOnTheSameHost: an API may move, as long as it stays where it is.
func TestRedirectOnTheSameHost(t *testing.T) {
	s, c := githubService(t)
	s.api["api.github.com/users/1"] = s.api["api.github.com/user"]
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/user" {
			redirect("https://api.github.com/users/1", 301)(w, r)
		}
		return r.URL.Path == "/user"
	}
	id, err := attempt(t, s, c)
	require.NoError(t, err)
	require.Equal(t, "583231", id.Subject)
}

// TestTokenRequestIsNotRedirected, not even on its host: what is sent there is to be redeemed there.
func TestTokenRequestIsNotRedirected(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		s, c := githubService(t)
		s.before = func(w http.ResponseWriter, r *http.Request) bool {
			if s.isToken(r) {
				redirect("https://github.com/elsewhere", status)(w, r)
			}
			return s.isToken(r)
		}
		_, err := attempt(t, s, c)
		requireCode(t, viagoth.CodeRedirected, err)
		require.Len(t, s.requests(), 1)
	}
}

// TestTransportAlone: a provider that takes the transport of its client and leaves the rest is bound to the same rules.
func TestTransportAlone(t *testing.T) {
	s := oddService(t)
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/me" {
			redirect("https://evil.example/me", 302)(w, r)
		}
		return r.URL.Path == "/me"
	}
	_, err := attempt(t, s, oddConfig(s, func(o *odd) { o.client = &http.Client{Transport: o.client.Transport} }))
	requireCode(t, viagoth.CodeRedirected, err)
}

// TestEnds: goth knows no context; its requests end with the trip's all the same.
func TestEnds(t *testing.T) {
	for _, where := range []string{"github.com", "api.github.com"} {
		reached, release := make(chan struct{}, 10), make(chan struct{})
		s, c := githubService(t)
		s.before = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Host == where {
				reached <- struct{}{}
				select {
				case <-r.Context().Done():
				case <-release:
				}
			}
			return r.Host == where
		}
		p := newProvider(t, c)
		trip, d := begin(t, p, newTrip(1))
		ctx, cancel := context.WithCancelCause(context.Background())
		gone := errors.New("the person is gone")
		go func() { <-reached; cancel(gone) }()
		_, err := p.Complete(ctx, trip, auth.Answer{Code: s.approve(t, d.URL)})
		requireCode(t, viagoth.CodeInterrupted, err)
		require.ErrorIs(t, err, gone)

		c.HTTP.Timeout = 30 * time.Millisecond
		p = newProvider(t, c)
		_, err = p.Complete(context.Background(), trip, auth.Answer{Code: s.approve(t, d.URL)})
		requireCode(t, viagoth.CodeInterrupted, err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		c.HTTP.Timeout, c.HTTP.Client.Timeout = 0, 30*time.Millisecond
		_, err = newProvider(t, c).Complete(context.Background(), trip, auth.Answer{Code: s.approve(t, d.URL)})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		close(release)

		before := len(s.requests())
		_, err = p.Complete(ctx, trip, auth.Answer{Code: s.approve(t, d.URL)})
		requireCode(t, viagoth.CodeInterrupted, err)
		_, err = p.Begin(ctx, newTrip(2))
		requireCode(t, viagoth.CodeInterrupted, err)
		require.Len(t, s.requests(), before)
	}
}

// TestBeginIsSilent: what asks the network before there is a code is refused, also if it begins to later than in New.
func TestBeginIsSilent(t *testing.T) {
	s, armed := oddService(t), false
	p := newProvider(t, oddConfig(s, func(o *odd) {
		o.begin = func(o *odd, state string) (goth.Session, error) {
			if armed {
				_, _ = o.client.Get("https://odd.example/request_token")
			}
			return o.session(o.query(state))
		}
	}))
	armed = true
	_, err := p.Begin(context.Background(), newTrip(1))
	requireCode(t, viagoth.CodeEarly, err)
	require.Empty(t, s.requests())
}

func TestUnreachable(t *testing.T) {
	s, c := githubService(t)
	p := newProvider(t, c)
	trip, d := begin(t, p, newTrip(1))
	code := s.approve(t, d.URL)
	s.server.Close()
	_, err := p.Complete(context.Background(), trip, auth.Answer{Code: code})
	requireCode(t, viagoth.CodeUnreachable, err, s.server.URL)
}

// TestManyTrips: trips of one provider at the same time have nothing of one another: the fake checks the verifier and
// the client the person.
func TestManyTrips(t *testing.T) {
	s := newService(t, "https://github.com/login/oauth/access_token", nil)
	c := viagoth.Config{ID: "github", Name: "GitHub", Make: makeGitHub, HTTP: s.client()}
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Host == "api.github.com" { // who it is, is in the token here
			fmt.Fprintf(w, `{"id":%s}`, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer token-"))
			return true
		}
		if !s.isToken(r) {
			return false
		}
		s.mu.Lock()
		state := s.codes[r.PostForm.Get("code")].Get("state")
		s.mu.Unlock()
		for n := range 40 {
			if trip := newTrip(n + 1); trip.State.Reveal() == state && trip.Verifier.Reveal() == r.PostForm.Get("code_verifier") {
				fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer"}`, n+1)
				return true
			}
		}
		http.Error(w, "mixed up", http.StatusBadRequest)
		return true
	}
	p := newProvider(t, c)
	var group sync.WaitGroup
	for n := range 40 {
		group.Go(func() {
			trip, d := begin(t, p, newTrip(n+1))
			id, err := p.Complete(context.Background(), trip, auth.Answer{Code: s.approve(t, d.URL)})
			if err != nil || id.Subject != fmt.Sprint(n+1) {
				t.Errorf("trip %d: %v %v", n+1, id, err)
			}
		})
	}
	group.Wait()
}

// TestConcurrentRequests: a provider may make requests at the same time, and the code is still sent once.
func TestConcurrentRequests(t *testing.T) {
	s := oddService(t)
	_, err := attempt(t, s, oddConfig(s, func(o *odd) {
		o.authorize = func(o *odd, params goth.Params) (string, error) {
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() { _, _ = o.exchange(o.form(params)) })
			}
			group.Wait()
			return accessToken, nil
		}
	}))
	require.Error(t, err)
	require.Len(t, s.tokenRequests(), 1)
}

// TestTokenInHeader: goth's gitea asks with its token in the address, where logs keep it.
func TestTokenInHeader(t *testing.T) {
	for _, c := range providers {
		if c.id != "gitea" && c.id != "facebook" && c.id != "gitlab" {
			continue
		}
		for _, move := range []bool{false, true} {
			s := newService(t, c.tokenURL, c.api)
			id, err := attempt(t, s, viagoth.Config{ID: c.id, Name: c.id, Make: c.make, HTTP: s.client(), TokenInHeader: move})
			require.NoError(t, err)
			require.Equal(t, c.want.Subject, id.Subject)
			last := s.requests()[len(s.requests())-1]
			require.Equal(t, !move, strings.Contains(last.query.Encode(), accessToken))
			if move {
				require.Equal(t, "Bearer "+accessToken, last.header.Get("Authorization"))
			}
		}
	}
}

// TestNothingIsLogged: neither a trip's errors nor its configuration print what must be in no log.
func TestNothingIsLogged(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	s, c := githubService(t)
	p := newProvider(t, c)
	trip, d := begin(t, p, newTrip(1))
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(w, strings.NewReader(r.PostForm.Encode()+r.Header.Get("Authorization")))
		return true
	}
	code := s.approve(t, d.URL)
	_, err := p.Complete(context.Background(), trip, auth.Answer{Code: code})
	logger.Error("sign-in", "error", err, "info", p.Info(), "provider", fmt.Sprintf("%+v %#v", p, p), "trip", trip)
	for _, secret := range []string{code.Reveal(), clientSecret, accessToken, trip.Verifier.Reveal(), trip.State.Reveal(), trip.Nonce.Reveal()} {
		require.NotContains(t, log.String(), secret)
	}
}

// TestInternalAddresses: a service's name can come to mean a machine of the host's own network, and its API can send
// goth to one. Nobody connects to it.
func TestInternalAddresses(t *testing.T) {
	for _, host := range []string{"127.0.0.1:1", "169.254.169.254", "10.0.0.1", "[::1]:1"} {
		s, to := oddService(t), "https://"+host+"/token"
		c := oddConfig(s, func(o *odd) {
			o.authorize = func(o *odd, params goth.Params) (string, error) { return o.exchangeAt(to, o.form(params)) }
		})
		c.TokenURL, c.HTTP = to, federation.ClientConfig{}
		_, err := attempt(t, s, c)
		requireCode(t, viagoth.CodeUnreachable, err)
		require.ErrorIs(t, err, federation.ErrAddress)
	}
}

// TestLoopbackIsForDevelopment, by plain http as well.
func TestLoopbackIsForDevelopment(t *testing.T) {
	s := oddService(t)
	to := s.server.URL + "/token"
	c := oddConfig(s, func(o *odd) {
		o.authorize = func(o *odd, params goth.Params) (string, error) { return o.exchangeAt(to, o.form(params)) }
		o.fetch = func(*odd) (goth.User, error) { return goth.User{UserID: "u1"}, nil }
	})
	s.before = func(w http.ResponseWriter, _ *http.Request) bool {
		fmt.Fprintf(w, `{"access_token":%q}`, accessToken)
		return true
	}
	c.TokenURL, c.HTTP = to, federation.ClientConfig{}
	_, err := viagoth.New(c)
	require.ErrorContains(t, err, "TokenURL")
	require.ErrorIs(t, err, federation.ErrInsecure)
	c.HTTP.Development = true
	id, err := attempt(t, s, c)
	require.NoError(t, err)
	require.Equal(t, "u1", id.Subject)
}
