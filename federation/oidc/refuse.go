package oidc

import "github.com/cardea-auth/cardea/auth"

// The codes of a *auth.ProviderError, which say why the provider's answer is worth nothing. They are stable, and for
// records: the person is told none of them.
const (
	// The provider could not be asked, or not as it is configured.
	DiscoveryUnavailable  = "discovery-unavailable"  // its configuration could not be fetched
	DiscoveryMalformed    = "discovery-malformed"    // it cannot be read, or lacks an endpoint, or has one by http
	DiscoveryIssuer       = "discovery-issuer"       // it is the configuration of another issuer
	DiscoveryAlgorithms   = "discovery-algorithms"   // it signs by none of our algorithms
	DiscoveryClientAuth   = "discovery-client-auth"  // it takes none of our ways to authenticate
	KeysUnavailable       = "keys-unavailable"       // its keys could not be fetched
	KeysMalformed         = "keys-malformed"         // they cannot be read
	TokenUnavailable      = "token-unavailable"      // the token endpoint did not answer, or not to the point
	TokenRefused          = "token-refused"          // it refused the code, or us
	IDTokenMissing        = "id-token-missing"       // it gave no ID token
	TokenTypeUnknown      = "token-type-unknown"     // the access token is no bearer token
	UserInfoUnavailable   = "userinfo-unavailable"   // the userinfo endpoint did not answer, or not to the point
	UserInfoMalformed     = "userinfo-malformed"     // its answer cannot be read
	UserInfoOfAnother     = "userinfo-of-another"    // it is about somebody else than the ID token
	CodeMissing           = "code-missing"           // the answer had no code
	AnswerIssuerMismatch  = "answer-issuer-mismatch" // the answer was another issuer's (RFC 9207)
	AnswerIssuerMissing   = "answer-issuer-missing"  // it does not name its issuer, as this one does
	TokenMalformed        = "token-malformed"        // no compact JWS, or no JSON object, or a member twice, or too large
	HeaderNotAllowed      = "header-not-allowed"     // a header that brings keys or changes the meaning
	AlgorithmNotAllowed   = "algorithm-not-allowed"  // signed by none of the algorithms that are
	TypeNotAllowed        = "type-not-allowed"       // a token of another kind
	KeyUnknown            = "key-unknown"            // signed by a key that the issuer does not have
	KeyAmbiguous          = "key-ambiguous"          // the issuer has two keys of that name
	SignatureInvalid      = "signature-invalid"      // not signed by that key
	KeyOfAnotherIssuer    = "key-of-another-issuer"  // signed by a key that is good for other tenants
	ClaimMalformed        = "claim-malformed"        // a claim is not of its type, or too long
	ClaimMismatch         = "claim-mismatch"         // a claim that the host requires is missing, or says something else
	IssuerMismatch        = "issuer-mismatch"        // another issuer's
	TenantNotAllowed      = "tenant-not-allowed"     // a tenant that is not among Tenants
	AudienceMismatch      = "audience-mismatch"      // for somebody else, or for others too
	AuthorizedPartyWrong  = "authorized-party-wrong" // given to somebody else
	SubjectMalformed      = "subject-malformed"      // no subject, or none that can be one
	Expired               = "expired"                // no longer good, or does not say until when
	LifetimeTooLong       = "lifetime-too-long"      // says that it is good for longer than any should be
	IssuedAtWrong         = "issued-at-wrong"        // does not say when it was issued, or too long ago, or in the future
	NotYetValid           = "not-yet-valid"          // not good yet
	NonceMismatch         = "nonce-mismatch"         // made for another sign-in
	AccessTokenMismatch   = "access-token-mismatch"  // the access token beside it belongs to another
	AuthenticationTooOld  = "authentication-too-old" // the person did not authenticate anew
	AuthenticationUnknown = "authentication-unknown" // when they authenticated is not told, or in the future
	EventsNotAllowed      = "events-not-allowed"     // an ID token with events is another kind of token
	NotALogout            = "not-a-logout"           // a logout token without the one event, or with a nonce
	LogoutOfNobody        = "logout-of-nobody"       // names neither a subject nor a session
	TokenIDMissing        = "token-id-missing"       // a logout token without an id, which could serve many times
)

func refuse(code string) error { return &auth.ProviderError{Code: code} }

// refuseFor is refuse with a cause, which must be fit to be logged.
func refuseFor(code string, cause error) error { return &auth.ProviderError{Code: code, Err: cause} }
