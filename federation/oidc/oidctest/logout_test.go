package oidctest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

const bye = "https://app.example/bye"

// receiver is a client's address for logout tokens.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	tokens []string
}

func newReceiver(t *testing.T, status int) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		r.tokens = append(r.tokens, q.PostFormValue("logout_token"))
		r.mu.Unlock()
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.tokens...)
}

// signOut goes to the end of the session and returns where that leads.
func (r *rp) signOut(pairs ...string) (int, string, string) {
	r.t.Helper()
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	answer, err := r.http.Get(r.at("end_session_endpoint") + "?" + v.Encode())
	require.NoError(r.t, err)
	status, text := r.read(answer)
	return status, answer.Header.Get("Location"), text
}

func TestSigningOut(t *testing.T) {
	cfg, rec := config(), newReceiver(t, http.StatusOK)
	cfg.Clients[0].BackChannelLogoutURI = rec.URL
	op := oidctest.Start(t, cfg)
	r := newRP(t, op)
	got, k := r.signIn()
	op.Rotate() // a hint outlives the key that signed it
	status, location, _ := r.signOut("id_token_hint", got.ID, "post_logout_redirect_uri", bye, "state", "s 1")
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, bye+"?state=s+1", location)
	require.Len(t, rec.got(), 1)

	logout := r.parse(rec.got()[0])
	require.True(t, logout.good)
	require.Equal(t, "logout+jwt", logout.header["typ"])
	require.Equal(t, op.Issuer(), logout.claims["iss"])
	require.Equal(t, clientID, logout.claims["aud"])
	require.Equal(t, k.claims["sub"], logout.claims["sub"])
	require.Equal(t, k.claims["sid"], logout.claims["sid"])
	require.NotEmpty(t, logout.claims["jti"])
	require.NotContains(t, logout.claims, "nonce")
	require.Equal(t, map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}, logout.claims["events"])
	require.Equal(t, 2*time.Minute, seconds(t, logout.claims, "exp").Sub(seconds(t, logout.claims, "iat")))
	seen := op.Requests()
	require.Equal(t, oidctest.Delivery{ClientID: clientID, URI: rec.URL, Token: rec.got()[0], Status: 200, CacheControl: "no-store"}, seen.Logouts[0])
	require.Equal(t, "s 1", seen.EndSessions[0].Get("state"))

	_, location, _ = r.signOut("client_id", clientID, "post_logout_redirect_uri", bye)
	require.Equal(t, bye, location)
	require.Len(t, rec.got(), 1) // there was no session any more
	status, location, text := r.signOut("client_id", clientID)
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, location)
	require.Contains(t, text, "You are signed out")

	other := newRP(t, oidctest.Start(t, config()))
	foreign, _ := other.signIn()
	for name, pairs := range map[string][]string{
		"unregistered address":     {"client_id", clientID, "post_logout_redirect_uri", bye + "/x"},
		"address without a client": {"post_logout_redirect_uri", bye},
		"unknown client":           {"client_id", "nobody"},
		"another client than hint": {"client_id", "nobody", "id_token_hint", got.ID},
		"foreign hint":             {"id_token_hint", foreign.ID},
		"no hint":                  {"id_token_hint", "x"},
		"unsigned hint":            {"id_token_hint", "eyJhbGciOiJub25lIn0.e30."},
	} {
		t.Run(name, func(t *testing.T) {
			status, location, _ := r.signOut(pairs...)
			require.Equal(t, http.StatusBadRequest, status)
			require.Empty(t, location)
		})
	}
}

func TestSigningOutOnAPage(t *testing.T) {
	cfg := config()
	cfg.Interactive = true
	op := oidctest.Start(t, cfg)
	r := newRP(t, op)
	_, text := r.browse(r.begin())
	v, _ := r.press(text, 0)
	got, _ := r.redeem(v.Get("code"))

	_, _, text = r.signOut("client_id", clientID, "post_logout_redirect_uri", bye, "state", "s")
	require.Contains(t, text, "Sign out of the test provider?")
	v, _ = r.browse(r.begin("prompt", "none"))
	require.True(t, v.Has("code")) // asking ends nothing
	v, _ = r.press(text, 0)
	require.Equal(t, "s", v.Get("state"))
	v, _ = r.browse(r.begin("prompt", "none"))
	require.Equal(t, "login_required", v.Get("error"))

	_, location, _ := r.signOut("id_token_hint", got.ID, "post_logout_redirect_uri", bye) // with a hint nobody is asked
	require.Equal(t, bye, location)
}

func TestTheProviderSignsSomebodyOut(t *testing.T) {
	cfg, rec, refusing := config(), newReceiver(t, http.StatusOK), newReceiver(t, http.StatusBadRequest)
	cfg.Clients[0].BackChannelLogoutURI = rec.URL
	cfg.Clients = append(cfg.Clients,
		oidctest.Client{ID: "refusing", RedirectURIs: []string{callback}, BackChannelLogoutURI: refusing.URL},
		oidctest.Client{ID: "silent", RedirectURIs: []string{callback}},
		oidctest.Client{ID: "gone", RedirectURIs: []string{callback}, BackChannelLogoutURI: "http://127.0.0.1:1/"})
	op := oidctest.Start(t, cfg)
	r := newRP(t, op)
	_, k := r.signIn()
	for _, id := range []string{"refusing", "silent", "gone"} {
		r.visit("client_id", id)
	}
	require.Empty(t, op.Logout(t.Context(), bob.Subject, ""))
	sid := k.claims["sid"].(string)
	sent := op.Logout(t.Context(), "", sid)
	require.Len(t, sent, 1)
	require.Equal(t, sid, r.parse(sent[0].Token).claims["sid"])
	require.Equal(t, alice.Subject, r.parse(sent[0].Token).claims["sub"])
	require.Empty(t, op.Logout(t.Context(), "", sid)) // it is over

	sent = op.Logout(t.Context(), alice.Subject, "")
	require.Len(t, sent, 2)
	require.Equal(t, "gone", sent[0].ClientID)
	require.Error(t, sent[0].Err)
	require.Equal(t, http.StatusBadRequest, sent[1].Status)
	require.NotContains(t, r.parse(sent[1].Token).claims, "sid")

	text, err := op.LogoutToken(clientID, "", "some-session")
	require.NoError(t, err)
	require.NotContains(t, r.parse(text).claims, "sub")
	_, err = op.LogoutToken("nobody", "", "")
	require.Error(t, err)

	op.Register(oidctest.Client{ID: "es", IDTokenAlg: oidctest.ES256})
	for mode, header := range map[oidctest.Mode]string{
		oidctest.Default: "ES256", oidctest.BackChannelWrongAlg: "RS256", oidctest.KidAbsentSingleJWKS: "ES256",
	} {
		op.SetMode(mode)
		text, err = op.LogoutToken("es", alice.Subject, "")
		require.NoError(t, err)
		k := r.parse(text)
		require.True(t, k.good, mode)
		require.Equal(t, header, k.header["alg"])
	}
}
