package oidctest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

func TestFailures(t *testing.T) {
	cfg := config()
	cfg.Delay = 50 * time.Millisecond
	op := oidctest.Start(t, cfg)
	r := newRP(t, op)
	for _, m := range oidctest.Failures() {
		t.Run(string(m.Mode), func(t *testing.T) {
			op.SetMode(m.Mode)
			defer op.SetMode(oidctest.Default)
			check := failures[m.Mode]
			require.NotNil(t, check)
			check(t, r)
		})
	}
	_, k := r.signIn()
	require.True(t, k.good)
}

var failures = map[oidctest.Mode]func(*testing.T, *rp){
	oidctest.Down: func(t *testing.T, r *rp) {
		for _, path := range []string{"/jwks", "/authorize", "/token", "/userinfo", "/end_session", "/.well-known/openid-configuration"} {
			status, _ := r.get(r.op.Issuer() + path)
			require.Equal(t, http.StatusInternalServerError, status)
		}
		r.op.SetMode(oidctest.Down, "/token")
		v := r.visit()
		require.True(t, v.Has("code"))
		status, _ := r.get(r.at("token_endpoint"))
		require.Equal(t, http.StatusInternalServerError, status)
	},
	oidctest.Garbage: func(t *testing.T, r *rp) {
		status, text := r.get(r.at("jwks_uri"))
		require.Equal(t, http.StatusOK, status)
		require.False(t, json.Valid([]byte(text)))
	},
	oidctest.Slow: func(t *testing.T, r *rp) {
		began := time.Now()
		status, _ := r.get(r.at("jwks_uri"))
		require.Equal(t, http.StatusOK, status)
		require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
	},
	oidctest.Huge: func(t *testing.T, r *rp) {
		for _, name := range []string{"jwks_uri", "token_endpoint", "userinfo_endpoint"} {
			_, text := r.get(r.at(name))
			require.Greater(t, len(text), 10<<20)
			require.True(t, json.Valid([]byte(text)))
		}
		require.True(t, r.visit().Has("code"))
	},
	oidctest.OtherKeys: func(t *testing.T, r *rp) {
		_, k := r.signIn()
		require.Equal(t, 1, k.fitting)
		require.False(t, k.good)
	},
	oidctest.UnusableKeys: func(t *testing.T, r *rp) {
		_, k := r.signIn()
		require.True(t, k.good)
		require.Len(t, r.keys(), 6)
	},
	oidctest.AnotherPerson: func(t *testing.T, r *rp) {
		got, k := r.signIn()
		require.Equal(t, bob.Subject, k.claims["sub"])
		require.Equal(t, bob.Subject, r.userClaims(got.Access)["sub"])
	},
	oidctest.AccessDenied: func(t *testing.T, r *rp) {
		v := r.visit()
		require.Equal(t, "access_denied", v.Get("error"))
		require.Equal(t, r.state, v.Get("state"))
		require.False(t, v.Has("code"))
	},
	oidctest.RepeatedParameters: func(t *testing.T, r *rp) {
		v := r.visit()
		require.Len(t, v["code"], 2)
		require.Equal(t, []string{r.state, r.state}, v["state"])
		a, err := r.op.Visit(r.begin("response_mode", "form_post"))
		require.NoError(t, err)
		require.Len(t, a.Values["code"], 2)
	},
	oidctest.CodeAndError: func(t *testing.T, r *rp) {
		v := r.visit()
		require.True(t, v.Has("code") && v.Has("error"))
	},
}

// TestASlowProviderEnds sees that nothing waits for a client that has gone, nor beyond the end of a test.
func TestASlowProviderEnds(t *testing.T) {
	began := time.Now()
	t.Run("server", func(t *testing.T) {
		op := oidctest.Start(t, config())
		op.SetMode(oidctest.Slow, "/jwks")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, op.Issuer()+"/jwks", nil)
		require.NoError(t, err)
		_, err = http.DefaultClient.Do(q)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	require.Less(t, time.Since(began), 10*time.Second)
}

// reported is a test that fails.
type reported struct{ lines int }

func (r *reported) Helper()               {}
func (r *reported) Cleanup(func())        {}
func (r *reported) Fatalf(string, ...any) { r.lines++; panic(r) }

func TestStartRefusesWhatNewDoes(t *testing.T) {
	for name, cfg := range map[string]oidctest.Config{"an issuer": {Issuer: "http://localhost", People: config().People}, "nobody": {}} {
		r := &reported{}
		require.PanicsWithValue(t, r, func() { oidctest.Start(r, cfg) }, name)
		require.Equal(t, 1, r.lines)
	}
}

func TestOtherPathsAndMethods(t *testing.T) {
	op := oidctest.Start(t, config())
	r := newRP(t, op)
	for path, want := range map[string]int{"/": 404, "/nothing": 404, "/sign-in": 405, "/token": 400, "/userinfo": 401, "/authorize?a=%zz": 400} {
		status, _ := r.get(op.Issuer() + path)
		require.Equal(t, want, status, path)
	}
	_, err := op.Visit("://")
	require.Error(t, err)
	_, err = oidctest.ReadForm("<p>")
	require.Error(t, err)
}

// TestWhatIsNoJSON sees that a claim that cannot be told is a fault of the provider's, and no half of an answer.
func TestWhatIsNoJSON(t *testing.T) {
	cfg := config()
	cfg.Clients[0].BackChannelLogoutURI = "http://127.0.0.1:1/"
	op := oidctest.Start(t, cfg)
	r := newRP(t, op)
	got, _ := r.signIn()
	op.Alter(func(k *oidctest.Token) { k.Claims["x"] = func() {} })
	answer, _ := r.userInfo(got.Access)
	require.Equal(t, http.StatusInternalServerError, answer.StatusCode)
	bad, status := r.redeem(r.visit().Get("code"))
	require.Equal(t, http.StatusInternalServerError, status)
	require.Equal(t, "server_error", bad.Error)
	sent := op.Logout(t.Context(), alice.Subject, "")
	require.Error(t, sent[0].Err)
	op.SetMode(oidctest.UserInfoSigned)
	answer, _ = r.userInfo(got.Access)
	require.Equal(t, http.StatusInternalServerError, answer.StatusCode)
}

// TestADemoRunsForDays sees that what is over is forgotten.
func TestADemoRunsForDays(t *testing.T) {
	c, cfg := newClock(), config()
	cfg.Now, cfg.Interactive = c.Now, true
	op := oidctest.Start(t, cfg)
	r := newRP(t, op)
	_, text := r.browse(r.begin())
	v, _ := r.press(text, 0)
	got, _ := r.redeem(v.Get("code"))
	c.advance(13 * time.Hour)
	r.browse(r.begin("client_id", clientID))
	v, _ = r.browse(r.begin("prompt", "none"))
	require.Equal(t, "login_required", v.Get("error"))
	answer, _ := r.userInfo(got.Access)
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	for range 1010 {
		_, err := op.Visit(r.begin("prompt", "none"))
		require.NoError(t, err)
	}
	require.Len(t, op.Requests().Authorizations, 1000)
	require.Greater(t, op.Requests().Fetches["/authorize"], 1010)
}
