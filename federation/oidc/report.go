package oidc

import (
	"maps"
	"slices"
	"strings"

	"github.com/cardea-auth/cardea/auth"
)

// Report implements auth.Reporter. What Info says of the provider beside the protocol, its notes and its classes, the
// service reports.
func (p *Provider) Report() auth.ReportSection {
	c := p.cfg
	rows := []auth.ReportRow{
		{Name: "issuer", Value: c.Issuer, Note: "compared to the letter"},
	}
	if p.issuer.template() {
		rows = append(rows, c.tenantsRow())
	}
	rows = append(rows, []auth.ReportRow{
		{Name: "scopes", Value: strings.Join(c.Scopes, ", "), Note: "ASVS 10.2.3: no more than sign-in needs"},
		{Name: "client authentication", Value: c.authWords(), Note: "one way, tried once"},
		{Name: "answers", Value: answers(c.Info.FormPost)},
		{Name: "PKCE", Value: asked(!c.Info.NoPKCE, "S256"), Note: "RFC 7636; without it and the nonce a stolen code can be redeemed by the thief"},
		{Name: "nonce", Value: asked(!c.Info.NoNonce, "required"), Note: "OpenID Connect Core §3.1.3.7"},
		{Name: "at_hash", Value: c.hashWords(), Note: "binds the access token to the ID token"},
		{Name: "signatures", Value: strings.Join(c.Algorithms, ", "), Note: "those of them that the provider lists"},
	}...)
	for _, name := range slices.Sorted(maps.Keys(c.RequireClaims)) {
		rows = append(rows, auth.ReportRow{Name: "claim " + name, Value: c.RequireClaims[name], Note: "required in every ID token"})
	}
	rows = append(rows, []auth.ReportRow{
		{Name: "an ID token is good for", Value: auth.ReportDuration(maxAge), Note: "and " + auth.ReportDuration(c.Skew) + " by which clocks may differ"},
		{Name: "a logout token is good for", Value: auth.ReportDuration(maxLogoutAge), Note: "likewise; ASVS 10.5.5"},
		{Name: "its keys are kept for", Value: auth.ReportDuration(minKeep) + " to " + auth.ReportDuration(maxKeep), Note: "as it says; a withdrawn one is good no longer than that"},
	}...)
	return auth.ReportSection{Title: "OpenID Connect with " + c.Info.Name, Rows: rows}
}

func (c Config) tenantsRow() auth.ReportRow {
	if c.AnyTenant {
		return auth.ReportRow{Name: "tenants", Value: "any", Note: "everybody on earth can make one; ASVS 10.5.3"}
	}
	return auth.ReportRow{Name: "tenants", Value: strings.Join(c.Tenants, ", "), Note: "ASVS 10.5.3"}
}

func (c Config) hashWords() string {
	if c.RequireAccessTokenHash {
		return "required"
	}
	return "checked where it is there"
}

func answers(formPost bool) string {
	if formPost {
		return "by a form that the browser posts (form_post)"
	}
	return "in the address (query)"
}

func asked(yes bool, word string) string {
	if yes {
		return word
	}
	return "not used: the provider cannot"
}
