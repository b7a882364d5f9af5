package oidc_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation/oidc"
)

const backchannel = "http://schemas.openid.net/event/backchannel-logout"

// logoutToken is one that holds, bent.
func (w *world) logoutToken(header, claims object) string {
	base := object{
		"iss": w.issuer, "aud": "client-1", "sub": "subject-1", "sid": "session-1", "jti": "j1", "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"events": object{backchannel: object{}},
	}
	return sign(merge(object{"alg": "RS256", "kid": "r1", "typ": "logout+jwt"}, header), marshal(merge(base, claims)), rsaKey())
}

func (w *world) logout(token string) (auth.ProviderLogout, error) {
	return w.provider.VerifyLogout(w.t.Context(), auth.NewSecret(token), now)
}

func TestLogout(t *testing.T) {
	w := newWorld(t)
	got, err := w.logout(w.logoutToken(nil, nil))
	require.NoError(t, err)
	require.Equal(t, auth.ProviderLogout{
		ID: "j1", Issuer: w.issuer, Subject: "subject-1", Session: "session-1", ExpiresAt: now.Add(3*time.Minute + time.Second),
	}, got)
	for name, claims := range map[string]object{
		"a session alone": {"sub": nil}, "a subject alone": {"sid": nil}, "more events": {"events": object{backchannel: object{}, "https://example.com/e": 1}},
		"exp in a day": {"exp": now.Add(24 * time.Hour).Unix()}, "iat 2 minutes ago": {"iat": now.Add(-3 * time.Minute).Unix()},
	} {
		_, err := w.logout(w.logoutToken(nil, claims))
		require.NoError(t, err, name)
	}
	_, err = w.logout(w.logoutToken(object{"typ": "LOGOUT+JWT"}, nil))
	require.NoError(t, err)
	lenient := newWorld(t, func(_ *world, c *oidc.Config) { c.UntypedLogout = true })
	for _, typ := range []any{nil, "JWT", "logout+jwt"} {
		_, err := lenient.logout(lenient.logoutToken(object{"typ": typ}, nil))
		require.NoError(t, err, typ)
	}
	_, err = lenient.logout(lenient.logoutToken(object{"typ": "at+jwt"}, nil))
	refused(t, err, oidc.TypeNotAllowed)
}

func TestAttacksOnLogoutTokens(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		header, claims object
		code           string
	}{
		"alg none":             {object{"alg": "none"}, nil, oidc.AlgorithmNotAllowed},
		"wrong alg":            {object{"alg": "HS256"}, nil, oidc.AlgorithmNotAllowed},
		"alg of another key":   {object{"alg": "ES256"}, nil, oidc.KeyUnknown},
		"kid unknown":          {object{"kid": "x"}, nil, oidc.KeyUnknown},
		"no typ":               {object{"typ": nil}, nil, oidc.TypeNotAllowed},
		"typ JWT":              {object{"typ": "JWT"}, nil, oidc.TypeNotAllowed},
		"typ at+jwt":           {object{"typ": "at+jwt"}, nil, oidc.TypeNotAllowed},
		"typ secevent+jwt":     {object{"typ": "secevent+jwt"}, nil, oidc.TypeNotAllowed},
		"no events":            {nil, object{"events": nil}, oidc.NotALogout},
		"wrong event":          {nil, object{"events": object{backchannel + "x": object{}}}, oidc.NotALogout},
		"event in capitals":    {nil, object{"events": object{"HTTP://schemas.openid.net/event/backchannel-logout": object{}}}, oidc.NotALogout},
		"event null":           {nil, object{"events": object{backchannel: rawJSON("null")}}, oidc.NotALogout},
		"event true":           {nil, object{"events": object{backchannel: true}}, oidc.NotALogout},
		"event a list":         {nil, object{"events": object{backchannel: []any{}}}, oidc.NotALogout},
		"event a text":         {nil, object{"events": object{backchannel: "{}"}}, oidc.NotALogout},
		"event with something": {nil, object{"events": object{backchannel: object{"a": 1}}}, oidc.NotALogout},
		"event twice":          {nil, object{"events": rawJSON(`{"` + backchannel + `":{},"` + backchannel + `":{}}`)}, oidc.TokenMalformed},
		"events a list":        {nil, object{"events": []string{backchannel}}, oidc.NotALogout},
		"events a text":        {nil, object{"events": backchannel}, oidc.NotALogout},
		"nonce":                {nil, object{"nonce": "nonce-SENTINEL"}, oidc.NotALogout},
		"nonce null":           {nil, object{"nonce": rawJSON("null")}, oidc.NotALogout},
		"nonce empty":          {nil, object{"nonce": ""}, oidc.NotALogout},
		"iss of another":       {nil, object{"iss": "https://evil.example"}, oidc.IssuerMismatch},
		"no iss":               {nil, object{"iss": nil}, oidc.IssuerMismatch},
		"aud of another":       {nil, object{"aud": "client-2"}, oidc.AudienceMismatch},
		"aud of others too":    {nil, object{"aud": []string{"client-1", "client-2"}}, oidc.AudienceMismatch},
		"no aud":               {nil, object{"aud": nil}, oidc.AudienceMismatch},
		"no iat":               {nil, object{"iat": nil}, oidc.IssuedAtWrong},
		"iat old":              {nil, object{"iat": now.Add(-3*time.Minute - time.Second).Unix()}, oidc.IssuedAtWrong},
		"iat in the future":    {nil, object{"iat": now.Add(61 * time.Second).Unix()}, oidc.IssuedAtWrong},
		"no exp":               {nil, object{"exp": nil}, oidc.Expired},
		"exp past":             {nil, object{"exp": now.Add(-time.Minute).Unix()}, oidc.Expired},
		"exp a text":           {nil, object{"exp": strconv.FormatInt(now.Unix()+60, 10)}, oidc.Expired},
		"exp in two days":      {nil, object{"exp": now.AddDate(0, 0, 2).Unix()}, oidc.LifetimeTooLong},
		"exp in ten years":     {nil, object{"exp": now.AddDate(10, 0, 0).Unix()}, oidc.LifetimeTooLong},
		"no jti":               {nil, object{"jti": nil}, oidc.TokenIDMissing},
		"jti empty":            {nil, object{"jti": ""}, oidc.TokenIDMissing},
		"jti a number":         {nil, object{"jti": 1}, oidc.TokenIDMissing},
		"jti too long":         {nil, object{"jti": repeat("j", 256)}, oidc.TokenIDMissing},
		"nobody":               {nil, object{"sub": nil, "sid": nil}, oidc.LogoutOfNobody},
		"sub empty":            {nil, object{"sub": ""}, oidc.ClaimMalformed},
		"sid a list":           {nil, object{"sid": []string{"s"}}, oidc.ClaimMalformed},
		"Sub and Sid":          {nil, object{"sub": nil, "sid": nil, "Sub": "subject-1", "SID": "s"}, oidc.LogoutOfNobody},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.logout(w.logoutToken(c.header, c.claims))
			refused(t, err, c.code)
			_, err = w.logout(w.logoutToken(nil, nil))
			require.NoError(t, err)
		})
	}
	require.LessOrEqual(t, w.called("/keys"), 2)
}

// TestTokensOfOneKindAreNotTheOther: the same keys sign both, for the same audience.
func TestTokensOfOneKindAreNotTheOther(t *testing.T) {
	w := newWorld(t, func(_ *world, c *oidc.Config) { c.UntypedLogout = true }) // the types alone would tell
	both := object{"jti": "j1", "sid": "session-1", "nonce": nil}
	for _, typ := range []any{nil, "JWT", "logout+jwt"} {
		_, err := w.logout(w.token(object{"typ": typ}, both))
		refused(t, err, oidc.NotALogout)
		_, err = w.complete(w.logoutToken(object{"typ": typ}, object{"nonce": "nonce-SENTINEL"}))
		refused(t, err, oidc.EventsNotAllowed, oidc.TypeNotAllowed)
	}
}

// TestAMarkUntilExpiresAtIsLongEnough: a logout token serves once, so what names it must be kept as long as it holds.
func TestAMarkUntilExpiresAtIsLongEnough(t *testing.T) {
	w := newWorld(t)
	for _, life := range []time.Duration{30 * time.Second, 2 * time.Minute, time.Hour} {
		token := w.logoutToken(nil, object{"exp": now.Add(life).Unix()})
		got, err := w.logout(token)
		require.NoError(t, err)
		for later := time.Duration(0); later < 15*time.Minute; later += time.Second {
			_, err := w.provider.VerifyLogout(t.Context(), auth.NewSecret(token), now.Add(later))
			if !now.Add(later).Before(got.ExpiresAt) {
				require.Error(t, err, "%v of %v", later, life)
			}
		}
		_, err = w.provider.VerifyLogout(t.Context(), auth.NewSecret(token), now.Add(min(life, 2*time.Minute)+59*time.Second))
		require.NoError(t, err)
	}
}

// TestLogoutWhileTheProviderIsDown: it is no refusal, or the provider would not try again and the session would live on.
func TestLogoutWhileTheProviderIsDown(t *testing.T) {
	for _, path := range []string{discoveryPath, "/keys"} {
		w := newWorld(t)
		w.handle(path, status(500, everything))
		_, err := w.logout(w.logoutToken(nil, nil))
		require.ErrorContains(t, err, "unavailable")
		var refusal *auth.ProviderError
		require.NotErrorAs(t, err, &refusal)
		quiet(t, err)
	}
}
