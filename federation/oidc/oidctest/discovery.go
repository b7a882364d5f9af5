package oidctest

import (
	"net/http"
	"slices"
)

// configuration serves the provider's metadata (OpenID Connect Discovery §3).
func (p *Provider) configuration(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	mode, keys := p.mode, p.jwksPath
	var acrs []string
	for _, person := range p.people {
		acrs = append(acrs, person.ACRs...)
	}
	p.mu.Unlock()
	slices.Sort(acrs)
	at := func(path string) string { return p.cfg.Issuer + path }
	doc := map[string]any{
		"issuer":                                p.cfg.Issuer,
		"authorization_endpoint":                at(pathAuthorize),
		"token_endpoint":                        at(pathToken),
		"userinfo_endpoint":                     at(pathUserInfo),
		"end_session_endpoint":                  at(pathEndSession),
		"jwks_uri":                              at(keys),
		"scopes_supported":                      []string{"openid", "profile", "email", "phone"},
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query", "form_post"},
		"grant_types_supported":                 []string{"authorization_code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{RS256, ES256},
		"userinfo_signing_alg_values_supported": []string{RS256, ES256},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "none"},
		"code_challenge_methods_supported":      []string{"S256"},
		"prompt_values_supported":               []string{"none", "login", "select_account"},
		"ui_locales_supported":                  []string{"en", "de"},
		"claims_supported": []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "acr", "amr", "sid",
			"name", "given_name", "family_name", "email", "email_verified", "phone_number"},
		"claims_parameter_supported":                     false,
		"request_parameter_supported":                    false,
		"request_uri_parameter_supported":                false,
		"backchannel_logout_supported":                   true,
		"backchannel_logout_session_supported":           true,
		"authorization_response_iss_parameter_supported": !p.cfg.NoResponseIssuer,
	}
	if acrs = slices.Compact(acrs); len(acrs) > 0 {
		doc["acr_values_supported"] = acrs
	}
	mode.spoilConfiguration(doc)
	writeJSON(w, http.StatusOK, doc)
}
