package mfa

import "github.com/cardea-auth/cardea/auth"

// Report implements auth.Reporter.
func (*Codes) Report() auth.ReportSection {
	return auth.ReportSection{Title: "Recovery codes", Rows: []auth.ReportRow{
		{Name: "a set has", Value: "10 codes of 80 bits, each good once", Note: "NIST SP 800-63B-4 §4.2.1.1, ASVS 6.5.4"},
		{Name: "kept as", Value: "HMAC-SHA-256 under a key of the installation", Note: "not a slow hash: without the key there is nothing to compare a guess with"},
	}}
}
