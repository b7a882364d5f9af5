package oidctest

import "net/url"

// elsewhere is an issuer that is not this one.
const elsewhere = "https://issuer.invalid"

// spoilConfiguration does to the metadata what the mode says.
func (m Mode) spoilConfiguration(doc map[string]any) {
	const algs = "id_token_signing_alg_values_supported"
	switch m {
	case DiscoveryIssuerMismatch:
		doc["issuer"] = elsewhere
	case IDTokenSigRS256, InvalidSigRS256:
		doc[algs] = []string{RS256}
	case InvalidSigES256:
		doc[algs] = []string{ES256}
	case InvalidSigHS256:
		doc[algs] = []string{HS256}
	case IDTokenSigNone:
		doc[algs] = []string{RS256, ES256, None}
	case ClientSecretBasic:
		doc["token_endpoint_auth_methods_supported"] = []string{"client_secret_basic"}
	}
}

// spoilIDToken does to an ID token what the mode says.
func (m Mode) spoilIDToken(t *Token, keys *keySet) {
	switch m {
	case InvalidIssuer:
		t.Claims["iss"] = elsewhere
	case MissingSubject:
		delete(t.Claims, "sub")
	case InvalidAudience:
		t.Claims["aud"] = "another-client"
	case MissingAudience:
		delete(t.Claims, "aud")
	case MissingIssuedAt:
		delete(t.Claims, "iat")
	case InvalidNonce:
		t.Claims["nonce"] = random()
	case InvalidAccessTokenHash:
		t.Claims["at_hash"] = half(random())
	case KidAbsentSingleJWKS, KidAbsentMultipleJWKS:
		delete(t.Header, "kid")
	case IDTokenSigRS256:
		t.setAlg(RS256, keys)
	case IDTokenSigNone:
		t.setAlg(None, keys)
	case InvalidSigRS256:
		t.setAlg(RS256, keys)
		t.BadSignature = true
	case InvalidSigES256:
		t.setAlg(ES256, keys)
		t.BadSignature = true
	case InvalidSigHS256:
		t.setAlg(HS256, keys)
		t.BadSignature = true
	}
}

// spoilLogoutToken does to a logout token what the mode says.
func (m Mode) spoilLogoutToken(t *Token, keys *keySet) {
	switch m {
	case BackChannelAlgNone:
		t.setAlg(None, keys)
	case BackChannelNoEvent:
		delete(t.Claims, "events")
	case BackChannelWithNonce:
		t.Claims["nonce"] = random()
	case BackChannelWrongAlg:
		if t.Header["alg"] == RS256 {
			t.setAlg(ES256, keys)
		} else {
			t.setAlg(RS256, keys)
		}
	case BackChannelWrongAudience:
		t.Claims["aud"] = "another-client"
	case BackChannelWrongEvent:
		t.Claims["events"] = map[string]any{"http://schemas.openid.net/event/another": map[string]any{}}
	case BackChannelWrongIssuer:
		t.Claims["iss"] = elsewhere
	case KidAbsentSingleJWKS, KidAbsentMultipleJWKS:
		delete(t.Header, "kid")
	}
}

// spoilAnswer does to the parameters of an authorization response what the mode says.
func (m Mode) spoilAnswer(v url.Values) {
	switch m {
	case InvalidResponseIssuer:
		v.Set("iss", elsewhere)
	case RemovedResponseIssuer:
		v.Del("iss")
	case InvalidResponseState:
		v.Set("state", random())
	case MissingResponseState:
		v.Del("state")
	case RepeatedParameters:
		v.Add("code", random())
		v.Add("state", v.Get("state"))
	case CodeAndError:
		v.Set("error", "server_error")
	}
}

// spoilReturn does to the parameters of a return from signing out what the mode says.
func (m Mode) spoilReturn(v url.Values) {
	switch m {
	case LogoutOtherState:
		v.Set("state", random())
	case LogoutNoState:
		v.Del("state")
	}
}
