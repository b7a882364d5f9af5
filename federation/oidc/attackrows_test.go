package oidc_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

// scene is where one attack takes place: an installation in which Ann's account is connected with Alice at acme, and a
// second provider that somebody else runs.
type scene struct {
	*stack
	t     *testing.T
	other *oidctest.Provider
}

// attackRow is a kind of attack: what is tried on the whole stack here, and the tests that show the rest.
type attackRow struct {
	name  string
	try   func(*scene) // nil if it cannot be tried from outside
	shown string       // folder.TestName, several of them with a space between
}

// attackRows are the attacks of RFC 9700, of OpenID Connect Core §16 and of what was found in other libraries.
var attackRows = []attackRow{
	{"mix-up", (*scene).mixUp, "auth.TestAnswersThatAreNotTheirs federation/oidc.TestWhoAnswers federation/oidc.TestWhoAnswersForATenant"},
	{"code injection", (*scene).codeInjection, "federation/goth.TestStolenCode"},
	{"PKCE downgrade", (*scene).downgrade, "auth.TestDepartures federation/goth.TestCallbackDecidesNothing"},
	{"state and login CSRF", (*scene).loginCSRF, "auth.TestAnswersThatAreNotTheirs auth.TestTripsAreApart"},
	{"forced linking", (*scene).forcedLinking, "auth.TestForcedLinking"},
	{"callback replay and callbacks at once", (*scene).replay, "auth.TestTwoCallbacksAtOnce auth.TestPostedAnswers"},
	{"nonce missing, wrong or replayed", (*scene).nonce, "federation/oidc.TestAttacksOnIDTokens federation/oidc.TestNothingIsReadFromAnEmptyTrip"},
	{"alg none, HS256 and unlisted ones", tokens(algAttacks), "federation/oidc.TestAttacksOnIDTokens federation/oidc.TestAlgorithmsAreThoseOfBoth"},
	{"kid, jku, x5u, jwk", tokens(keyAttacks), "federation/oidc.TestAttacksOnIDTokens federation/oidc.TestKeysThatAreNoGood"},
	{"iss, aud, exp, iat, sub, azp", tokens(namingAttacks), "federation/oidc.TestAttacksOnIDTokens"},
	{"nbf and iat windows", tokens(timeAttacks), "federation/oidc.TestAttacksOnIDTokens federation/oidc.TestAlmostAttacks"},
	{"claims twice and in another case", (*scene).caseVariants, "federation/oidc.TestAttacksOnIDTokens federation/oidc.TestDecodeRefuses"},
	{"at_hash and another's access token", (*scene).accessTokens, "federation/oidc.TestAccessTokenHashByAlgorithm federation/oidc.TestConformance"},
	{"tokens of another kind or client as ID token", (*scene).otherTokens, "federation/oidc.TestTokensOfOneKindAreNotTheOther"},
	{"userinfo of another", nil, "federation/oidc.TestUserInfo federation/oidc.TestConformance"},
	{"error, repeated parameters, code and error", (*scene).parameters, "auth.TestAnswersThatAreNotTheirs auth/authhttp.TestRepeatedParametersAreRefused"},
	{"open redirect in return_to", (*scene).returnTo, "auth.TestReturnTo"},
	{"server-side requests into the internal network", nil, "federation/oidc.TestTheInternalNetworkIsClosed federation/oidc.TestNoEndpointLeadsInward federation.TestNamesThatResolveInward federation.TestRedirects federation.TestNothingThatCarriesASecretIsRedirected federation.TestOnlyHTTPS federation.TestNoProxyOfTheEnvironment"},
	{"bogus tokens fetch keys", (*scene).bogusTokens, "federation/oidc.TestBogusTokensFetchTwice"},
	{"tokens and secrets in what leaks", nil, "federation/oidc.TestNothingLeaks federation/oidc.TestTokenErrorsTellACodeAndNothingElse federation.TestTellable federation/goth.TestNothingIsLogged"},
	{"an account made beforehand for somebody's address", (*scene).preHijack, "auth.TestAProvidersAddressMakesNobody"},
	{"nOAuth: an address that a tenant made up", (*scene).nOAuth, "federation/oidc.TestTenants auth.TestAProvidersAddressMakesNobody"},
	{"a subject that the provider gives to another", (*scene).reusedSubject, "auth.TestDisconnect auth/authtest.TestLinkRulesCatch"},
	{"the same subject at another provider", (*scene).sameSubject, "federation/oidc.TestTenants"},
	{"an address that changes at the provider", (*scene).movedAddress, "auth.TestConnectAndSignIn"},
	{"Apple's parameter user", (*scene).appleUser, "federation/oidc.TestNames"},
	{"logout tokens forged and replayed", (*scene).logoutTokens, "federation/oidc.TestAttacksOnLogoutTokens auth.TestEndedAtProvider federation/oidc.TestConformance"},
}

// TestAttacksOnTheStack tries each kind of attack, and makes sure that the tests of the rest are there.
func TestAttacksOnTheStack(t *testing.T) {
	op, other := newOP(t), newOP(t)
	for _, row := range attackRows {
		t.Run(row.name, func(t *testing.T) {
			for _, name := range strings.Fields(row.shown) {
				require.True(t, testExists(t, name), "%s is not there", name)
			}
			if row.try == nil {
				return
			}
			for _, p := range []*oidctest.Provider{op, other} {
				p.SetMode(oidctest.Default)
				p.Alter(nil)
				p.SetPerson(alice)
				p.SignIn(alice.Subject)
			}
			s := &scene{connected(t, op), t, other}
			op.Forget()
			other.Forget()
			s.audit.take()
			row.try(s)
		})
	}
}

// testExists looks for folder.TestName.
func testExists(t *testing.T, name string) bool {
	t.Helper()
	folder, test, ok := strings.Cut(name, ".")
	require.True(t, ok, name)
	files, err := filepath.Glob(filepath.Join("..", "..", folder, "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.Contains(string(text), "\nfunc "+test+"(") {
			return true
		}
	}
	return false
}

// turnedAway requires that the browser has no session, is on a page with a way on, and that the records say why.
func (s *scene) turnedAway(b *surfer, because string) {
	s.t.Helper()
	require.Empty(s.t, b.account(), "a session")
	b.stays()
	require.Contains(s.t, reasons(s.audit.take()), because)
}

// redeemed is how often the provider was sent a code.
func redeemed(p *oidctest.Provider) int { return len(p.Requests().Tokens) }
