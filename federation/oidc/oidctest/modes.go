package oidctest

// Modes returns the modes of the conformance suite, in the order of its plans. A table-driven test is
//
//	for _, m := range oidctest.Modes() {
//		t.Run(string(m.Mode), func(t *testing.T) { op.SetMode(m.Mode); … m.Drive … m.Verdict … })
//	}
//
// where those In(FormPost) run again with that response mode.
func Modes() []Info {
	certified := []Plan{Basic, FormPost}
	one := func(p Plan) []Plan { return []Plan{p} }
	return []Info{
		{ClientTest, certified, SignIn, Accept, "does all as it should"},
		{InvalidIssuer, certified, SignIn, Refuse, "the ID token names another issuer"},
		{MissingSubject, certified, SignIn, Refuse, "the ID token has no sub"},
		{InvalidAudience, certified, SignIn, Refuse, "the ID token is for another client"},
		{MissingIssuedAt, certified, SignIn, Refuse, "the ID token has no iat"},
		{KidAbsentSingleJWKS, certified, SignIn, Accept, "neither the ID token nor the keys have a kid or, the keys, an alg; one key of each kind is published"},
		{KidAbsentMultipleJWKS, certified, SignIn, Either, "the same, with three keys of each kind, of which one fits"},
		{IDTokenSigRS256, certified, SignIn, Accept, "signs with RS256 and says that it does nothing else"},
		{IDTokenSigNone, []Plan{Basic, FormPost, ByConfiguration}, SignIn, Either, "the ID token has alg none and no signature; to refuse it counts as skipped"},
		{InvalidSigRS256, certified, SignIn, Refuse, "the ID token's RS256 signature is broken"},
		{UserInfoInvalidSubject, certified, SignIn, Refuse, "/userinfo tells another sub than the ID token"},
		{InvalidNonce, certified, SignIn, Refuse, "the ID token has another nonce than the request"},
		{ScopeUserInfoClaims, certified, SignIn, Accept, "/userinfo tells what the scopes ask for, and the ID token does not"},
		{ClientSecretBasic, certified, SignIn, Accept, "/token takes client_secret_basic alone, whatever is registered"},

		{DiscoveryConfiguration, one(ByConfiguration), SignIn, Accept, "does all as it should; the configuration is to be fetched"},
		{DiscoveryJWKSURIKeys, one(ByConfiguration), SignIn, Accept, "the keys are at an address that is new each time, and nowhere else"},
		{DiscoveryIssuerMismatch, one(ByConfiguration), SignIn, Refuse, "the configuration names another issuer; no sign-in may begin"},
		{KeyRotationBeforeSigning, one(ByConfiguration), SignIn, Accept, "the keys are replaced right before an ID token is signed"},
		{KeyRotation, one(ByConfiguration), SignInTwice, Accept, "the keys are replaced when the second sign-in begins"},

		{FormPostError, one(FormPost), SilentError, Refuse, "answers login_required, by the response mode that was asked for"},

		{Logout, one(RPInitiatedLogout), SignOut, Accept, "ends the session and returns with the state"},
		{LogoutOtherState, one(RPInitiatedLogout), SignOut, Refuse, "returns with another state; the return must be dealt with, and is not the one that was asked for"},
		{LogoutNoState, one(RPInitiatedLogout), SignOut, Refuse, "returns without the state; as before"},

		{BackChannelLogoutToken, one(BackChannelLogout), BackChannel, Accept, "sends a logout token and then returns"},
		{BackChannelAlgNone, one(BackChannelLogout), BackChannel, Refuse, "the logout token has alg none and no signature"},
		{BackChannelNoEvent, one(BackChannelLogout), BackChannel, Refuse, "the logout token has no events"},
		{BackChannelWithNonce, one(BackChannelLogout), BackChannel, Refuse, "the logout token has a nonce"},
		{BackChannelWrongAlg, one(BackChannelLogout), BackChannel, Refuse, "the logout token is signed, by a published key, with an algorithm other than the client's for ID tokens"},
		{BackChannelWrongAudience, one(BackChannelLogout), BackChannel, Refuse, "the logout token is for another client"},
		{BackChannelWrongEvent, one(BackChannelLogout), BackChannel, Refuse, "the logout token's event is another one"},
		{BackChannelWrongIssuer, one(BackChannelLogout), BackChannel, Refuse, "the logout token names another issuer"},

		{MissingAudience, one(Beyond), SignIn, Refuse, "the ID token has no aud"},
		{InvalidAccessTokenHash, one(Beyond), SignIn, Refuse, "the ID token's at_hash is of another access token"},
		{InvalidSigES256, one(Beyond), SignIn, Refuse, "the ID token's ES256 signature is broken, and ES256 is all that the configuration lists"},
		{InvalidSigHS256, one(Beyond), SignIn, Refuse, "the same with HS256 and the client's secret"},
		{UserInfoSigned, one(Beyond), SignIn, Accept, "/userinfo answers with a signed token"},
		{UserInfoBearerHeader, one(Beyond), SignIn, Accept, "does all as it should; the access token is to come in the header"},
		{InvalidResponseIssuer, one(Beyond), SignIn, Refuse, "the answer names another issuer; the code must not be redeemed"},
		{RemovedResponseIssuer, one(Beyond), SignIn, Refuse, "the answer names no issuer, where the configuration says that it does"},
		{InvalidResponseState, one(Beyond), SignIn, Refuse, "the answer has another state"},
		{MissingResponseState, one(Beyond), SignIn, Refuse, "the answer has no state"},
	}
}

// Failures returns the modes that are not in the suite.
func Failures() []Info {
	one := []Plan{Robustness}
	return []Info{
		{Down, one, SignIn, Refuse, "answers with status 500"},
		{Garbage, one, SignIn, Refuse, "answers with what is no JSON, and says that it is"},
		{Slow, one, SignIn, Either, "waits for Config.Delay before it answers"},
		{Huge, one, SignIn, Refuse, "answers with ten megabytes of valid JSON"},
		{OtherKeys, one, SignIn, Refuse, "publishes the keys of another party under the ids of its own"},
		{UnusableKeys, one, SignIn, Accept, "publishes keys that nobody can use beside its own (RFC 7517 §5)"},
		{AnotherPerson, one, SignIn, Either, "answers as the person after the one who is signed in; to be refused where somebody is expected"},
		{AccessDenied, one, SignIn, Refuse, "answers with the error access_denied"},
		{RepeatedParameters, one, SignIn, Refuse, "the answer has code and state twice"},
		{CodeAndError, one, SignIn, Refuse, "the answer has a code and an error"},
	}
}
