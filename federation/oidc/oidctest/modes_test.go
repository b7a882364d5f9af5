package oidctest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

// plans are the suite's lists, and what is wanted beyond them.
var plans = map[oidctest.Plan]int{
	oidctest.Basic: 14, oidctest.FormPost: 15, oidctest.ByConfiguration: 6, oidctest.RPInitiatedLogout: 3,
	oidctest.BackChannelLogout: 8, oidctest.Beyond: 10, oidctest.Robustness: 10,
}

func TestModesAreDescribed(t *testing.T) {
	count, names := map[oidctest.Plan]int{}, map[oidctest.Mode]bool{}
	for _, m := range slices.Concat(oidctest.Modes(), oidctest.Failures()) {
		require.False(t, names[m.Mode], m.Mode)
		names[m.Mode] = true
		require.NotEmpty(t, m.About)
		require.Contains(t, []oidctest.Verdict{oidctest.Accept, oidctest.Refuse, oidctest.Either}, m.Verdict)
		require.Equal(t, m, m.Mode.Info())
		require.True(t, m.In(m.Plans[0]))
		require.Equal(t, m.In(oidctest.Robustness), !strings.Contains(string(m.Mode), "-client-test"))
		for _, p := range m.Plans {
			count[p]++
		}
	}
	require.Equal(t, plans, count)
	require.Empty(t, oidctest.Default.Info())
}

// TestModesDoWhatTheySay signs in under each mode and looks at what is wrong, and that nothing else is.
func TestModesDoWhatTheySay(t *testing.T) {
	cfg, rec := config(), newReceiver(t, http.StatusOK)
	cfg.Clients[0].BackChannelLogoutURI = rec.URL
	op := oidctest.Start(t, cfg)
	for _, m := range oidctest.Modes() {
		t.Run(string(m.Mode), func(t *testing.T) {
			op.Forget()
			op.SetMode(m.Mode)
			r := newRP(t, op)
			switch m.Drive {
			case oidctest.SignIn, oidctest.SignInTwice, oidctest.SilentError:
				check := signIns[m.Mode]
				require.NotNil(t, check)
				check(t, r)
			case oidctest.SignOut:
				got, _ := r.signIn()
				_, location, _ := r.signOut("id_token_hint", got.ID, "post_logout_redirect_uri", bye, "state", "s1")
				switch m.Mode {
				case oidctest.Logout:
					require.Equal(t, bye+"?state=s1", location)
				case oidctest.LogoutOtherState:
					require.Regexp(t, `\?state=.{20}`, location)
				default:
					require.Equal(t, bye, location)
				}
			case oidctest.BackChannel:
				got, _ := r.signIn()
				_, location, _ := r.signOut("id_token_hint", got.ID, "post_logout_redirect_uri", bye, "state", "s1")
				require.Equal(t, bye+"?state=s1", location)
				sent := op.Requests().Logouts
				require.Len(t, sent, 1)
				checkLogoutToken(t, m.Mode, r, r.parse(sent[0].Token))
			}
		})
	}
	require.Len(t, rec.got(), 11)
}

func checkLogoutToken(t *testing.T, m oidctest.Mode, r *rp, k *token) {
	t.Helper()
	wrong := map[oidctest.Mode]bool{m: true}
	require.Equal(t, !wrong[oidctest.BackChannelAlgNone], k.good)
	require.Equal(t, wrong[oidctest.BackChannelAlgNone], k.header["alg"] == "none")
	require.Equal(t, wrong[oidctest.BackChannelWrongAlg], k.header["alg"] == "ES256")
	require.Equal(t, wrong[oidctest.BackChannelNoEvent], k.claims["events"] == nil)
	require.Equal(t, wrong[oidctest.BackChannelWithNonce], k.claims["nonce"] != nil)
	require.Equal(t, wrong[oidctest.BackChannelWrongAudience], k.claims["aud"] != clientID)
	require.Equal(t, wrong[oidctest.BackChannelWrongIssuer], k.claims["iss"] != r.op.Issuer())
	events, _ := k.claims["events"].(map[string]any)
	require.Equal(t, wrong[oidctest.BackChannelWrongEvent] || wrong[oidctest.BackChannelNoEvent],
		events["http://schemas.openid.net/event/backchannel-logout"] == nil)
}

// flaws are what can be wrong with an ID token.
type flaws struct {
	iss, sub, aud, iat, nonce, atHash, kid, signature bool
	alg                                               string
}

func hasFlaws(want flaws) func(*testing.T, *rp) {
	if want.alg == "" {
		want.alg = "RS256"
	}
	return func(t *testing.T, r *rp) {
		t.Helper()
		got, k := r.signIn()
		sum := sha256.Sum256([]byte(got.Access))
		has := flaws{
			iss: k.claims["iss"] != r.op.Issuer(), sub: k.claims["sub"] != alice.Subject, aud: k.claims["aud"] != clientID,
			iat: k.claims["iat"] == nil, nonce: k.claims["nonce"] != r.nonce, kid: k.header["kid"] == nil, signature: !k.good,
			atHash: k.claims["at_hash"] != base64.RawURLEncoding.EncodeToString(sum[:16]), alg: k.header["alg"].(string),
		}
		require.Equal(t, want, has)
		require.Equal(t, alice.Subject, r.userClaims(got.Access)["sub"])
	}
}

// signIns are the checks of the modes that concern signing in.
var signIns = map[oidctest.Mode]func(*testing.T, *rp){
	oidctest.ClientTest:             hasFlaws(flaws{}),
	oidctest.DiscoveryConfiguration: hasFlaws(flaws{}),
	oidctest.UserInfoBearerHeader: func(t *testing.T, r *rp) {
		got, _ := r.signIn()
		status, _ := r.get(r.at("userinfo_endpoint") + "?access_token=" + got.Access)
		require.Equal(t, http.StatusUnauthorized, status)
		require.Equal(t, alice.Subject, r.userClaims(got.Access)["sub"])
	},
	oidctest.InvalidIssuer:          hasFlaws(flaws{iss: true}),
	oidctest.MissingSubject:         hasFlaws(flaws{sub: true}),
	oidctest.InvalidAudience:        hasFlaws(flaws{aud: true}),
	oidctest.MissingAudience:        hasFlaws(flaws{aud: true}),
	oidctest.MissingIssuedAt:        hasFlaws(flaws{iat: true}),
	oidctest.InvalidNonce:           hasFlaws(flaws{nonce: true}),
	oidctest.InvalidAccessTokenHash: hasFlaws(flaws{atHash: true}),
	oidctest.IDTokenSigNone:         hasFlaws(flaws{alg: "none", kid: true, signature: true}),
	oidctest.InvalidSigRS256:        hasFlaws(flaws{signature: true}),
	oidctest.InvalidSigES256:        hasFlaws(flaws{signature: true, alg: "ES256"}),
	oidctest.InvalidSigHS256:        hasFlaws(flaws{signature: true, kid: true, alg: "HS256"}),
	oidctest.IDTokenSigRS256: func(t *testing.T, r *rp) {
		require.Equal(t, []any{"RS256"}, r.config["id_token_signing_alg_values_supported"])
		hasFlaws(flaws{})(t, r)
	},
	oidctest.KidAbsentSingleJWKS:   func(t *testing.T, r *rp) { kidAbsent(t, r, 1) },
	oidctest.KidAbsentMultipleJWKS: func(t *testing.T, r *rp) { kidAbsent(t, r, 3) },
	oidctest.UserInfoInvalidSubject: func(t *testing.T, r *rp) {
		got, k := r.signIn()
		require.Equal(t, alice.Subject, k.claims["sub"])
		require.NotEqual(t, alice.Subject, r.userClaims(got.Access)["sub"])
	},
	oidctest.ScopeUserInfoClaims: func(t *testing.T, r *rp) {
		got, k := r.signIn("scope", "openid email")
		require.NotContains(t, k.claims, "email")
		require.Equal(t, alice.Email, r.userClaims(got.Access)["email"])
		require.NotContains(t, r.userClaims(got.Access), "name")
	},
	oidctest.ClientSecretBasic: func(t *testing.T, r *rp) {
		require.Equal(t, []any{"client_secret_basic"}, r.config["token_endpoint_auth_methods_supported"])
		r.op.Register(oidctest.Client{ID: "post", Secret: secret, AuthMethod: "client_secret_post", RedirectURIs: []string{callback}})
		got, _ := r.redeem(r.visit("client_id", "post").Get("code"), "client_id", "post", "client_secret", secret)
		require.Equal(t, "invalid_client", got.Error)
		hasFlaws(flaws{})(t, r)
	},
	oidctest.DiscoveryJWKSURIKeys: func(t *testing.T, r *rp) {
		first := r.at("jwks_uri")
		hasFlaws(flaws{})(t, r)
		status, _ := r.get(r.op.Issuer() + "/jwks")
		require.Equal(t, http.StatusNotFound, status)
		require.Equal(t, 1, r.op.Requests().Fetches["/jwks"])
		r.op.SetMode(oidctest.DiscoveryJWKSURIKeys)
		require.NotEqual(t, first, newRP(t, r.op).at("jwks_uri"))
	},
	oidctest.DiscoveryIssuerMismatch: func(t *testing.T, r *rp) { require.NotEqual(t, r.op.Issuer(), r.config["issuer"]) },
	oidctest.KeyRotationBeforeSigning: func(t *testing.T, r *rp) {
		before := r.keys()
		_, k := r.signIn()
		require.True(t, k.good)
		require.NotContains(t, []any{before[0]["kid"], before[1]["kid"]}, k.header["kid"])
	},
	oidctest.KeyRotation: func(t *testing.T, r *rp) {
		before := r.keys()
		_, first := r.signIn()
		require.Equal(t, before[0]["kid"], first.header["kid"])
		_, second := r.signIn()
		require.True(t, second.good)
		require.NotEqual(t, before[0]["kid"], second.header["kid"])
		_, third := r.signIn()
		require.Equal(t, second.header["kid"], third.header["kid"])
	},
	oidctest.FormPostError: func(t *testing.T, r *rp) {
		a, err := r.op.Visit(r.begin("response_mode", "form_post", "prompt", "none", "max_age", "0"))
		require.NoError(t, err)
		require.True(t, a.Posted)
		require.Equal(t, "login_required", a.Values.Get("error"))
		require.Equal(t, r.state, a.Values.Get("state"))
	},
	oidctest.UserInfoSigned: func(t *testing.T, r *rp) {
		got, _ := r.signIn()
		answer, text := r.userInfo(got.Access)
		require.Equal(t, "application/jwt", answer.Header.Get("Content-Type"))
		k := r.parse(text)
		require.True(t, k.good)
		require.Equal(t, []any{r.op.Issuer(), clientID, alice.Subject}, []any{k.claims["iss"], k.claims["aud"], k.claims["sub"]})
	},
	oidctest.InvalidResponseIssuer: func(t *testing.T, r *rp) {
		v := r.visit()
		require.Equal(t, r.state, v.Get("state"))
		require.NotEqual(t, r.op.Issuer(), v.Get("iss"))
		require.True(t, v.Has("iss"))
	},
	oidctest.RemovedResponseIssuer: func(t *testing.T, r *rp) {
		require.Equal(t, true, r.config["authorization_response_iss_parameter_supported"])
		require.False(t, r.visit().Has("iss"))
	},
	oidctest.InvalidResponseState: func(t *testing.T, r *rp) {
		v := r.visit()
		require.NotEqual(t, r.state, v.Get("state"))
		require.True(t, v.Has("state") && v.Has("code"))
	},
	oidctest.MissingResponseState: func(t *testing.T, r *rp) {
		v := r.visit()
		require.True(t, !v.Has("state") && v.Has("code"))
	},
}

func kidAbsent(t *testing.T, r *rp, each int) {
	t.Helper()
	_, k := r.signIn()
	require.True(t, k.good)
	require.Equal(t, each, k.fitting)
	require.NotContains(t, k.header, "kid")
	require.Len(t, r.keys(), 2*each)
	for _, key := range r.keys() {
		require.NotContains(t, key, "kid")
		require.NotContains(t, key, "alg")
	}
}
