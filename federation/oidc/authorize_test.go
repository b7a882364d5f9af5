package oidc_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation/oidc"
)

func TestAuthorizationRequest(t *testing.T) {
	base := func(more map[string][]string) map[string][]string {
		q := map[string][]string{
			"response_type": {"code"}, "client_id": {"client-1"}, "redirect_uri": {"https://app.example/auth/example/callback"},
			"scope": {"openid email"}, "state": {"state-SENTINEL"}, "nonce": {"nonce-SENTINEL"},
			"code_challenge_method": {"S256"},
		}
		for k, v := range more {
			if q[k] = v; v == nil {
				delete(q, k)
			}
		}
		return q
	}
	for name, c := range map[string]struct {
		bend func(*oidc.Config)
		trip func(*auth.Trip)
		want map[string][]string
	}{
		"plain":        {nil, nil, base(nil)},
		"no nonce":     {func(c *oidc.Config) { c.Info.NoNonce = true }, nil, base(map[string][]string{"nonce": nil})},
		"no PKCE":      {func(c *oidc.Config) { c.Info.NoPKCE = true }, nil, base(map[string][]string{"code_challenge_method": nil})},
		"form post":    {func(c *oidc.Config) { c.Info.FormPost = true }, nil, base(map[string][]string{"response_mode": {"form_post"}})},
		"classes":      {func(c *oidc.Config) { c.Info.Vouches = []string{"phr", "mfa"} }, nil, base(map[string][]string{"acr_values": {"phr mfa"}})},
		"scopes":       {func(c *oidc.Config) { c.Scopes = []string{"address"} }, nil, base(map[string][]string{"scope": {"openid address"}})},
		"language":     {nil, func(t *auth.Trip) { t.Language = "de-AT" }, base(map[string][]string{"ui_locales": {"de-AT"}})},
		"fresh":        {nil, func(t *auth.Trip) { t.Fresh = true }, base(map[string][]string{"prompt": {"login"}, "max_age": {"0"}})},
		"fresh within": {nil, func(t *auth.Trip) { t.Fresh, t.MaxAge = true, 5*time.Minute }, base(map[string][]string{"prompt": {"login"}, "max_age": {"300"}})},
		"own parameters": {func(c *oidc.Config) {
			c.Parameters = map[string]string{"hd": "example.com", "prompt": "select_account"}
		}, nil, base(map[string][]string{"hd": {"example.com"}, "prompt": {"select_account"}})},
		"own prompt, fresh": {func(c *oidc.Config) { c.Parameters = map[string]string{"prompt": "none"} }, func(t *auth.Trip) { t.Fresh = true },
			base(map[string][]string{"prompt": {"login"}, "max_age": {"0"}})},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(_ *world, cfg *oidc.Config) {
				if c.bend != nil {
					c.bend(cfg)
				}
			})
			if c.trip != nil {
				c.trip(&w.trip)
			}
			d, err := w.provider.Begin(t.Context(), w.trip)
			require.NoError(t, err)
			got := map[string][]string(query(t, d.URL))
			require.Equal(t, w.provider.Info().NoPKCE, got["code_challenge"] == nil)
			delete(got, "code_challenge")
			require.Equal(t, c.want, got)
		})
	}
}

// TestAnEndpointsOwnParametersOverrideNothing: a query is part of an endpoint (RFC 6749 §3.1), and readers differ in
// whether the first or the last of two counts.
func TestAnEndpointsOwnParametersOverrideNothing(t *testing.T) {
	w := newWorld(t)
	w.set(func() {
		w.config["authorization_endpoint"] = w.issuer + "/authorize?tenant=a&redirect_uri=https://evil.example&state=theirs&nonce=theirs" +
			"&client_id=theirs&response_type=token&scope=all&code_challenge=theirs&code_challenge_method=plain&response_mode=fragment" +
			"&request=theirs&request_uri=https://evil.example&max_age=9&ui_locales=x&acr_values=x&registration=x&id_token_hint=x"
		w.config["end_session_endpoint"] = w.issuer + "/logout?tenant=a&client_id=theirs&post_logout_redirect_uri=https://evil.example&state=theirs"
	})
	d, err := w.provider.Begin(t.Context(), w.trip)
	require.NoError(t, err)
	require.Equal(t, map[string][]string{
		"tenant": {"a"}, "response_type": {"code"}, "client_id": {"client-1"}, "redirect_uri": {w.trip.RedirectURI}, "scope": {"openid email"},
		"state": {"state-SENTINEL"}, "nonce": {"nonce-SENTINEL"}, "code_challenge": {w.trip.Challenge()}, "code_challenge_method": {"S256"},
	}, map[string][]string(query(t, d.URL)))

	address, err := w.provider.LogoutURL(t.Context(), "https://app.example/bye", "s1")
	require.NoError(t, err)
	require.Equal(t, map[string][]string{
		"tenant": {"a"}, "client_id": {"client-1"}, "post_logout_redirect_uri": {"https://app.example/bye"}, "state": {"s1"},
	}, map[string][]string(query(t, address)))
}

func TestLogoutURL(t *testing.T) {
	w := newWorld(t)
	address, err := w.provider.LogoutURL(t.Context(), "", "")
	require.NoError(t, err)
	require.Equal(t, w.issuer+"/logout?client_id=client-1", address)
	w = newWorld(t)
	w.set(func() { delete(w.config, "end_session_endpoint") })
	address, err = w.provider.LogoutURL(t.Context(), "https://app.example/bye", "s1")
	require.NoError(t, err)
	require.Empty(t, address)
	w = newWorld(t)
	w.handle(discoveryPath, status(500, ""))
	_, err = w.provider.LogoutURL(t.Context(), "https://app.example/bye", "s1")
	refused(t, err, oidc.DiscoveryUnavailable)
}

func TestTripsThatLackSomething(t *testing.T) {
	w := newWorld(t)
	for name, bend := range map[string]func(*auth.Trip){
		"state": func(t *auth.Trip) { t.State = auth.Secret{} }, "nonce": func(t *auth.Trip) { t.Nonce = auth.Secret{} },
		"verifier": func(t *auth.Trip) { t.Verifier = auth.Secret{} }, "redirect": func(t *auth.Trip) { t.RedirectURI = "" },
		"time": func(t *auth.Trip) { t.Now = time.Time{} }, "age": func(t *auth.Trip) { t.MaxAge = -1 },
	} {
		trip := w.trip
		bend(&trip)
		_, err := w.provider.Begin(t.Context(), trip)
		require.ErrorContains(t, err, "the trip", name)
		_, err = w.provider.Complete(t.Context(), trip, auth.Answer{Code: auth.NewSecret(theCode)})
		require.ErrorContains(t, err, "the trip", name)
	}
	trip := w.trip
	trip.RedirectURI = "https://app.example/" + repeat("x", 4096)
	_, err := w.provider.Begin(t.Context(), trip)
	require.ErrorContains(t, err, "too long")
	require.Zero(t, w.called("/token"))
}

func TestWhoAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		tells  bool
		issuer func(*world) string
		code   string
	}{
		"tells, and told":          {true, func(w *world) string { return w.issuer }, ""},
		"tells, and did not":       {true, func(*world) string { return "" }, oidc.AnswerIssuerMissing},
		"tells, another":           {true, func(*world) string { return "https://evil.example" }, oidc.AnswerIssuerMismatch},
		"does not, and told":       {false, func(w *world) string { return w.issuer }, ""},
		"does not, another":        {false, func(*world) string { return "https://evil.example" }, oidc.AnswerIssuerMismatch},
		"does not, with a slash":   {false, func(w *world) string { return w.issuer + "/" }, oidc.AnswerIssuerMismatch},
		"does not, and nothing is": {false, func(*world) string { return "" }, ""},
	} {
		w := newWorld(t)
		w.set(func() { w.config["authorization_response_iss_parameter_supported"] = c.tells })
		d, err := w.provider.Begin(t.Context(), w.trip)
		require.NoError(t, err)
		require.Equal(t, []any{w.issuer, c.tells}, []any{d.Issuer, d.TellsIssuer}, name)
		_, err = w.provider.Complete(t.Context(), w.trip, auth.Answer{Code: auth.NewSecret(theCode), Issuer: c.issuer(w)})
		if c.code == "" {
			require.NoError(t, err, name)
			continue
		}
		refused(t, err, c.code)
		require.Zero(t, w.called("/token"), "the code must not reach another provider than its own")
	}
	w := newWorld(t)
	_, err := w.provider.Complete(t.Context(), w.trip, auth.Answer{})
	refused(t, err, oidc.CodeMissing)
}

func TestFreshAuthentication(t *testing.T) {
	began := now.Add(-3 * time.Minute)
	for name, c := range map[string]struct {
		age  time.Duration // MaxAge
		at   any           // auth_time
		code string
	}{
		"within the trip":          {0, now.Add(-time.Minute), ""},
		"before it, by the skew":   {0, began.Add(-time.Minute), ""},
		"before it":                {0, began.Add(-time.Minute - time.Second), oidc.AuthenticationTooOld},
		"an hour ago":              {0, now.Add(-time.Hour), oidc.AuthenticationTooOld},
		"not told":                 {0, nil, oidc.AuthenticationUnknown},
		"told as a text":           {0, "now", oidc.AuthenticationUnknown},
		"in the future":            {0, now.Add(2 * time.Minute), oidc.AuthenticationUnknown},
		"within the age":           {5 * time.Minute, began.Add(-5 * time.Minute), ""},
		"beyond the age":           {5 * time.Minute, began.Add(-6*time.Minute - time.Second), oidc.AuthenticationTooOld},
		"not told, within the age": {5 * time.Minute, nil, oidc.AuthenticationUnknown},
		"zero":                     {time.Hour, time.Unix(0, 0), oidc.AuthenticationTooOld},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.trip.Fresh, w.trip.MaxAge, w.trip.Now = true, c.age, began
			d, err := w.provider.Begin(t.Context(), w.trip)
			require.NoError(t, err)
			w.trip.Keep, w.trip.Now = d.Keep, now
			if at, ok := c.at.(time.Time); ok {
				c.at = at.Unix()
			}
			i, err := w.complete(w.token(nil, object{"auth_time": c.at, "acr": "phr", "amr": []string{"pwd", "otp"}, "sid": "s1"}))
			if c.code != "" {
				refused(t, err, c.code)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.at, i.AuthTime.Unix())
			require.Equal(t, []any{"phr", []string{"pwd", "otp"}, "s1"}, []any{i.ACR, i.AMR, i.Session})
		})
	}
	w := newWorld(t)
	w.trip.Fresh = true // and nothing says when it began
	_, err := w.complete(w.token(nil, object{"auth_time": now.Unix()}))
	require.ErrorContains(t, err, "does not say when it began")
}

func TestProvidersThatCannotDoTheNonce(t *testing.T) {
	w := newWorld(t, func(_ *world, c *oidc.Config) { c.Info.NoNonce, c.RequireAccessTokenHash = true, true })
	hash := object{"nonce": nil, "at_hash": hashOf(theAccess)}
	_, err := w.complete(w.token(nil, hash))
	require.NoError(t, err)
	_, err = w.complete(w.token(nil, object{"at_hash": hashOf(theAccess)})) // none was asked for
	refused(t, err, oidc.NonceMismatch)
	_, err = w.complete(w.token(nil, object{"nonce": nil}))
	refused(t, err, oidc.AccessTokenMismatch)
}

func TestAccessTokenHashByAlgorithm(t *testing.T) {
	w := newWorld(t, func(_ *world, c *oidc.Config) { c.RequireAccessTokenHash = true })

	claims := merge(w.claims(), object{"at_hash": longHashOf("another")})
	_, err := w.complete(sign(object{"alg": "EdDSA", "kid": "d1"}, marshal(claims), edKey()))
	refused(t, err, oidc.AccessTokenMismatch)
	claims["at_hash"] = longHashOf(theAccess)
	_, err = w.complete(sign(object{"alg": "EdDSA", "kid": "d1"}, marshal(claims), edKey()))
	require.NoError(t, err)
	claims["at_hash"] = hashOf(theAccess)
	_, err = w.complete(sign(object{"alg": "ES256", "kid": "e1"}, marshal(claims), ecKey()))
	require.NoError(t, err)
}
