package presets_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	"github.com/cardea-auth/cardea/federation/presets"
)

const (
	appSecret   = "0123456789abcdef-app-secret"
	token       = "EAAG-token"
	redirectURI = "https://app.example/callback"
)

// graph is a fake of Facebook that keeps what it was sent.
type graph struct {
	t         *testing.T
	challenge string
	profile   string
	forms     []url.Values
	asked     []*http.Request
}

func (g *graph) RoundTrip(r *http.Request) (*http.Response, error) {
	require.Equal(g.t, "graph.facebook.com", r.URL.Host)
	require.Equal(g.t, "https", r.URL.Scheme)
	answer, status := g.profile, http.StatusOK
	if r.URL.Path == "/oauth/access_token" {
		body, err := io.ReadAll(r.Body)
		require.NoError(g.t, err)
		form, err := url.ParseQuery(string(body))
		require.NoError(g.t, err)
		g.forms = append(g.forms, form)
		require.Empty(g.t, r.Header.Get("Authorization"))
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		answer = fmt.Sprintf(`{"access_token":%q,"token_type":"bearer","expires_in":5183944}`, token)
		if base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge {
			answer, status = `{"error":{"message":"Error validating verification code","code":100}}`, http.StatusBadRequest
		}
	} else {
		g.asked = append(g.asked, r)
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader([]byte(answer))), Request: r}, nil
}

func trip() auth.Trip {
	return auth.Trip{State: auth.NewSecret("the-state"), Nonce: auth.NewSecret("the-nonce"), Verifier: auth.NewSecret("the-verifier"),
		RedirectURI: redirectURI}
}

func TestFacebook(t *testing.T) {
	g := &graph{t: t, profile: `{"id":"10158000000000001","name":"Open Graph","email":"open@graph.example"}`}
	p, err := presets.Facebook(presets.FacebookConfig{ClientID: "1234567890", ClientSecret: auth.NewSecret(appSecret),
		HTTP: federation.ClientConfig{Client: &http.Client{Transport: g}}})
	require.NoError(t, err)
	require.Equal(t, "facebook", p.Info().ID)
	require.Equal(t, "Facebook", p.Info().Name)
	require.False(t, p.Info().NoPKCE)

	d, err := p.Begin(context.Background(), trip())
	require.NoError(t, err)
	u, err := url.Parse(d.URL)
	require.NoError(t, err)
	g.challenge = u.Query().Get("code_challenge")
	require.Equal(t, trip().Challenge(), g.challenge)
	require.Equal(t, "https://www.facebook.com/dialog/oauth", u.Scheme+"://"+u.Host+u.Path)
	require.Equal(t, url.Values{"client_id": {"1234567890"}, "redirect_uri": {redirectURI}, "response_type": {"code"}, "scope": {"email"},
		"state": {"the-state"}, "code_challenge": {g.challenge}, "code_challenge_method": {"S256"}}, u.Query())

	kept := trip()
	kept.Keep = d.Keep
	id, err := p.Complete(context.Background(), kept, auth.Answer{Code: auth.NewSecret("the-code")})
	require.NoError(t, err)
	require.Equal(t, auth.Identity{Issuer: "goth:facebook", Subject: "10158000000000001", Name: "Open Graph", Email: "open@graph.example",
		EmailTrust: auth.EmailUnverified}, id)

	require.Equal(t, []url.Values{{"grant_type": {"authorization_code"}, "code": {"the-code"}, "code_verifier": {"the-verifier"},
		"redirect_uri": {redirectURI}, "client_id": {"1234567890"}, "client_secret": {appSecret}}}, g.forms, "one request, with the secret in its body")
	require.Len(t, g.asked, 1)
	mac := hmac.New(sha256.New, []byte(appSecret))
	mac.Write([]byte(token))
	require.Equal(t, url.Values{"fields": {"id,name,email"}, "appsecret_proof": {hex.EncodeToString(mac.Sum(nil))}}, g.asked[0].URL.Query(),
		"the proof is in the address, and the token is not")
	require.Equal(t, "Bearer "+token, g.asked[0].Header.Get("Authorization"))
}

func TestFacebookFails(t *testing.T) {
	for profile, code := range map[string]string{
		`{}`: "subject-missing",
		`{"error":{"message":"Invalid appsecret_proof","type":"GraphMethodException","code":100}}`: "subject-missing",
		`{"id":10158}`: "profile-failed",
		`<html>`:       "profile-failed",
	} {
		g := &graph{t: t, profile: profile, challenge: trip().Challenge()}
		p, err := presets.Facebook(presets.FacebookConfig{ClientID: "1", ClientSecret: auth.NewSecret(appSecret), HTTP: federation.ClientConfig{Client: &http.Client{Transport: g}}})
		require.NoError(t, err)
		d, err := p.Begin(context.Background(), trip())
		require.NoError(t, err)
		kept := trip()
		kept.Keep = d.Keep
		_, err = p.Complete(context.Background(), kept, auth.Answer{Code: auth.NewSecret("the-code")})
		var refused *auth.ProviderError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, code, refused.Code)
		g.challenge = "of somebody else"
		g.forms = nil
		_, err = p.Complete(context.Background(), kept, auth.Answer{Code: auth.NewSecret("the-code")})
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "exchange-failed", refused.Code)
		require.ErrorContains(t, err, "graph.facebook.com answered 400")
		require.Len(t, g.forms, 1, "a code that was refused is not sent again")
	}
}

func TestFacebookConfig(t *testing.T) {
	_, err := presets.Facebook(presets.FacebookConfig{ID: "Face Book", ClientID: "not digits"})
	for _, field := range []string{"ID", "ClientID", "ClientSecret"} {
		require.ErrorContains(t, err, field)
	}
	require.NotContains(t, fmt.Sprintf("%+v", presets.FacebookConfig{ClientSecret: auth.NewSecret(appSecret)}), appSecret)
}
