package password

import (
	"fmt"
	"strings"

	"github.com/cardea-auth/cardea/auth"
)

// Report returns the password policy in force, for the policy report (ASVS 6.1.2, 6.2.1, 11.4.2).
func (h *Hasher) Report() auth.ReportSection {
	breached := "nobody is asked"
	if h.breached != nil {
		breached = map[BreachFailure]string{FailClosed: "asked; a failure refuses, and is on record", FailOpen: "asked; a failure lets pass, and is on record"}[h.onFailure]
	}
	words := "none"
	if len(h.contextWords) > 0 {
		words = strings.Join(h.contextWords, ", ")
	}
	pepper := "none"
	if key := h.pepper.Current(); key != "" {
		pepper = "HMAC-SHA-256 under the key " + key
	}
	return auth.ReportSection{Title: "Passwords", Rows: []auth.ReportRow{
		{Name: "length, in code points", Value: fmt.Sprintf("%d to %d", h.minLength, h.maxLength), Note: "NIST SP 800-63B-4 §3.1.1.2 asks for 15"},
		{Name: "length with a mandatory second factor", Value: fmt.Sprintf("%d to %d", h.minLengthWithFactor, h.maxLength), Note: "NIST asks for 8"},
		{Name: "composition rules, expiry", Value: "none", Note: "ASVS 6.2.5, 6.2.10"},
		{Name: "words of the context that are no password alone", Value: words},
		{Name: "known from breaches", Value: breached},
		{Name: "hash", Value: "Argon2id " + h.params.String(), Note: "ASVS 11.4.2"},
		{Name: "imported hashes", Value: h.importedNames(), Note: "replaced as people sign in"},
		{Name: "answers take as long as", Value: h.slowest(typicalSize).name, Note: "whether or not there is an account"},
		{Name: "pepper", Value: pepper, Note: "NIST SP 800-63B-4 §3.1.1.2"},
	}}
}
