package auth_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
)

// reportingAcme has a section of its own as well.
type reportingAcme struct{ *acme }

func (reportingAcme) Report() auth.ReportSection {
	return auth.ReportSection{Title: "Of its own", Rows: []auth.ReportRow{{Name: "issuer", Value: "https://acme.example"}}}
}

func titled(r auth.Report, title string) map[string][]string {
	rows := map[string][]string{}
	for _, s := range r.Sections {
		if s.Title == title {
			for _, row := range s.Rows {
				rows[row.Name] = append(rows[row.Name], row.Value)
			}
		}
	}
	return rows
}

// A provider that lacks what protects a sign-in, or counts for more than a password, must not do so unseen.
func TestReportTellsOfProviders(t *testing.T) {
	bare := &acme{info: auth.ProviderInfo{
		ID: "bare", Name: "Bare", FormPost: true, NoPKCE: true, NoNonce: true, Notes: []string{"It is slow.", "It is old."},
	}, issuer: "https://bare.example"}
	s := newSocial(t, func(c *auth.Config) {
		strong := c.Providers[0].(*acme)
		strong.info.Vouches = []string{"phr", "mfa"}
		c.Providers = []auth.Provider{reportingAcme{strong}, bare}
	})
	r := s.Report()
	require.Equal(t, map[string][]string{
		"id": {"acme"}, "answers at": {"https://app.example/auth/provider/acme/callback"}, "answers": {"in the address"}, "PKCE": {"S256"},
		"nonce": {"compared"}, "serves to step up": {"yes"}, "counts as two factors": {"with the class phr or mfa"}, "can end sessions here": {"yes"},
	}, titled(r, "Provider Acme"))
	require.Equal(t, map[string][]string{
		"id": {"bare"}, "answers at": {"https://app.example/auth/provider/bare/callback"},
		"answers": {"by a form that the browser posts from its site"}, "PKCE": {"not used: it cannot"}, "nonce": {"not used: it cannot"},
		"serves to step up": {"no"}, "counts as two factors": {"never"}, "can end sessions here": {"yes"},
		"a code that was stolen from a browser": {"serves in the thief's sign-in"}, "note": {"It is slow.", "It is old."},
	}, titled(r, "Provider Bare"))
	require.Equal(t, map[string][]string{"issuer": {"https://acme.example"}}, titled(r, "Of its own"))
	var back auth.Report
	markdown, encoded := both(t, s.Service)
	require.Contains(t, markdown, "https://app.example/auth/provider/bare/logout", "the other address to register")
	require.NoError(t, json.Unmarshal([]byte(encoded), &back))
	require.Equal(t, markdown, back.Markdown())

	bare.info.NoPKCE = false
	require.Contains(t, titled(s.Report(), "Provider Bare"), "a code that was stolen from a browser", "what it says later changes nothing")
	s = newSocial(t, func(c *auth.Config) { c.Providers = []auth.Provider{bare} })
	require.NotContains(t, titled(s.Report(), "Provider Bare"), "a code that was stolen from a browser", "PKCE binds it")
	s = newSocial(t, func(c *auth.Config) { c.ProviderSessions = nil })
	require.Equal(t, []string{"no"}, titled(s.Report(), "Provider Acme")["can end sessions here"], "there is nobody to find them")
}

// The ways to a session by a provider are listed, each with its worth, and for a step-up only those that serve.
func TestReportListsTheWaysByProviders(t *testing.T) {
	s := newSocial(t, func(c *auth.Config) {
		c.Providers[0].(*acme).info.Vouches = []string{"mfa"}
		c.Providers[1].(*acme).info.Reauthenticates = false
	})
	paths := s.Report().Paths
	for _, want := range []auth.ReportPath{
		{Goal: "sign-in", Proofs: "social (Acme, Other, Posting)", Assurance: "aal1"},
		{Goal: "sign-in", Proofs: "social (Acme, Other, Posting) and totp", Assurance: "aal2"},
		{Goal: "sign-in", Proofs: "social (Acme, Other, Posting) and recovery code", Assurance: "aal2"},
		{Goal: "sign-in", Proofs: "social that vouches for two factors (Acme)", Assurance: "aal2"},
		{Goal: "step-up", Proofs: "social (Acme, Posting)", Assurance: "aal1"},
		{Goal: "step-up", Proofs: "social (Acme, Posting) and totp", Assurance: "aal2"},
		{Goal: "enrolment", Proofs: "social (Acme, Posting)", Assurance: "aal1"},
	} {
		require.Contains(t, paths, want)
	}
	for _, p := range newPostal(t).Report().Paths {
		require.NotContains(t, p.Proofs, "social")
	}
	s = newSocial(t, func(c *auth.Config) { c.Providers[0].(*acme).info.Vouches = nil })
	require.False(t, slices.ContainsFunc(s.Report().Paths, func(p auth.ReportPath) bool {
		return p.Proofs == "social that vouches for two factors (Acme)"
	}))
}
