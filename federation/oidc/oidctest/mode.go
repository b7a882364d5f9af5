package oidctest

import "slices"

// Mode is one thing that a provider does wrong, or in a special way. Those of Modes are named as the test modules of
// the OpenID Foundation's conformance suite, so that subtests can carry the suite's own names; those of Failures have
// names of ours.
type Mode string

// Verdict is what a relying party must make of it.
type Verdict string

// The verdicts. What is accepted or refused depends on the Drive: the sign-in; the return from signing out; or the
// logout token.
const (
	Accept Verdict = "accept"
	Refuse Verdict = "refuse"
	Either Verdict = "either"
)

// Drive is what a relying party does to meet the mode.
type Drive string

// The ways.
const (
	SignIn      Drive = "sign in"        // one sign-in, with a request to /userinfo
	SignInTwice Drive = "sign in twice"  // a second one with the same configuration, and the verdict is on that
	SignOut     Drive = "sign out"       // sign in, then go to /end_session with a state and come back
	BackChannel Drive = "logout token"   // the same, with a logout token sent in between; the verdict is on the token
	SilentError Drive = "silent sign-in" // a request by form_post with prompt=none and max_age=0
)

// Plan is a list of modes that belong together, by the suite's certification profiles.
type Plan string

// The plans.
const (
	Basic             Plan = "basic"
	ByConfiguration   Plan = "config"
	FormPost          Plan = "form-post" // with response_mode=form_post
	RPInitiatedLogout Plan = "rp-initiated-logout"
	BackChannelLogout Plan = "back-channel-logout"
	Beyond            Plan = "beyond"     // in the suite, and wanted without being certified
	Robustness        Plan = "robustness" // not in the suite
)

// Info describes a mode.
type Info struct {
	Mode    Mode
	Plans   []Plan
	Drive   Drive
	Verdict Verdict
	About   string // what the provider does
}

// In reports whether the mode belongs to the plan.
func (i Info) In(plan Plan) bool { return slices.Contains(i.Plans, plan) }

// Info returns what Modes or Failures has on the mode; nothing for Default.
func (m Mode) Info() Info {
	for _, i := range slices.Concat(Modes(), Failures()) {
		if i.Mode == m {
			return i
		}
	}
	return Info{}
}

// Default is no mode: a strict provider that does all as it should.
const Default Mode = ""

// The modes of the suite.
const (
	ClientTest               Mode = "oidcc-client-test"
	InvalidIssuer            Mode = "oidcc-client-test-invalid-iss"
	MissingSubject           Mode = "oidcc-client-test-missing-sub"
	InvalidAudience          Mode = "oidcc-client-test-invalid-aud"
	MissingIssuedAt          Mode = "oidcc-client-test-missing-iat"
	KidAbsentSingleJWKS      Mode = "oidcc-client-test-kid-absent-single-jwks"
	KidAbsentMultipleJWKS    Mode = "oidcc-client-test-kid-absent-multiple-jwks"
	IDTokenSigRS256          Mode = "oidcc-client-test-idtoken-sig-rs256"
	IDTokenSigNone           Mode = "oidcc-client-test-idtoken-sig-none"
	InvalidSigRS256          Mode = "oidcc-client-test-invalid-sig-rs256"
	UserInfoInvalidSubject   Mode = "oidcc-client-test-userinfo-invalid-sub"
	InvalidNonce             Mode = "oidcc-client-test-nonce-invalid"
	ScopeUserInfoClaims      Mode = "oidcc-client-test-scope-userinfo-claims"
	ClientSecretBasic        Mode = "oidcc-client-test-client-secret-basic"
	DiscoveryConfiguration   Mode = "oidcc-client-test-discovery-openid-config"
	DiscoveryJWKSURIKeys     Mode = "oidcc-client-test-discovery-jwks-uri-keys"
	DiscoveryIssuerMismatch  Mode = "oidcc-client-test-discovery-issuer-mismatch"
	KeyRotationBeforeSigning Mode = "oidcc-client-test-signing-key-rotation-just-before-signing"
	KeyRotation              Mode = "oidcc-client-test-signing-key-rotation"
	FormPostError            Mode = "oidcc-client-test-form-post-error"
	Logout                   Mode = "oidcc-client-test-rp-init-logout"
	LogoutOtherState         Mode = "oidcc-client-test-rp-init-logout-other-state"
	LogoutNoState            Mode = "oidcc-client-test-rp-init-logout-no-state"
	BackChannelLogoutToken   Mode = "oidcc-client-test-rp-backchannel-rpinitlogout"
	BackChannelAlgNone       Mode = "oidcc-client-test-rp-backchannel-rpinitlogout-alg-none"
	BackChannelNoEvent       Mode = "oidcc-client-test-rp-backchannel-rpinitlogout-no-event"
	BackChannelWithNonce     Mode = "oidcc-client-test-rp-backchannel-rpinitlogout-with-nonce"
	BackChannelWrongAlg      Mode = "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-alg"
	BackChannelWrongAudience Mode = "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-aud"
	BackChannelWrongEvent    Mode = "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-event"
	BackChannelWrongIssuer   Mode = "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-iss"
	MissingAudience          Mode = "oidcc-client-test-missing-aud"
	InvalidAccessTokenHash   Mode = "oidcc-client-test-invalid-athash"
	InvalidSigES256          Mode = "oidcc-client-test-invalid-sig-es256"
	InvalidSigHS256          Mode = "oidcc-client-test-invalid-sig-hs256"
	UserInfoSigned           Mode = "oidcc-client-test-userinfo-signed"
	UserInfoBearerHeader     Mode = "oidcc-client-test-userinfo-bearer-header"
	InvalidResponseIssuer    Mode = "fapi2-security-profile-final-client-test-invalid-authorization-response-iss"
	RemovedResponseIssuer    Mode = "fapi2-security-profile-final-client-test-remove-authorization-response-iss"
	InvalidResponseState     Mode = "fapi2-security-profile-final-client-test-ensure-authorization-response-with-invalid-state-fails"
	MissingResponseState     Mode = "fapi2-security-profile-final-client-test-ensure-authorization-response-with-invalid-missing-state-fails"
)

// The failures.
const (
	Down               Mode = "down"
	Garbage            Mode = "garbage"
	Slow               Mode = "slow"
	Huge               Mode = "huge"
	OtherKeys          Mode = "other-keys"
	UnusableKeys       Mode = "unusable-keys"
	AnotherPerson      Mode = "another-person"
	AccessDenied       Mode = "access-denied"
	RepeatedParameters Mode = "repeated-parameters"
	CodeAndError       Mode = "code-and-error"
)
