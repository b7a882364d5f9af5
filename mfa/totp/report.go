package totp

import (
	"fmt"

	"github.com/cardea-auth/cardea/auth"
)

// Report implements auth.Reporter.
func (v *Verifier) Report() auth.ReportSection {
	return auth.ReportSection{Title: "Authenticator apps", Rows: []auth.ReportRow{
		{Name: "a code lives", Value: fmt.Sprintf("%d seconds, and one step before and after", period), Note: "ASVS 6.5.5, RFC 6238 §5.2"},
		{Name: "a code is good for", Value: "one proof", Note: "ASVS 6.5.1; the one that confirms the app counts as used"},
		{Name: "new keys have", Value: fmt.Sprintf("%d bits, %s, %d digits", 8*seedBytes, v.algorithm, v.digits), Note: "RFC 4226 §4; sealed with the installation's keys"},
	}}
}
