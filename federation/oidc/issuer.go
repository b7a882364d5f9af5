package oidc

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cardea-auth/cardea/federation"
)

// tenantMark stands for a tenant in the issuer of a provider of many.
const tenantMark = "{tenantid}"

// maxIssuer is the longest issuer, so that one with its tenant filled in still is an identifier.
const maxIssuer = maxText - 36 + len(tenantMark)

// issuer is who may have issued a token: one, or one for each tenant.
type issuer struct {
	text    string
	tenants []string // in lower case; empty means all, which Config.AnyTenant asked for
}

func parseIssuer(c Config) (issuer, error) {
	is, text := issuer{text: c.Issuer}, c.Issuer
	u, err := federation.ParseURL(strings.Replace(text, tenantMark, "tenant", 1), c.HTTP.Development)
	switch {
	case text == "" || len(text) > maxIssuer:
		return is, fmt.Errorf("Issuer is required, of at most %d bytes", maxIssuer)
	case err != nil:
		return is, fmt.Errorf("Issuer: %w", err)
	case u.RawQuery != "" || u.ForceQuery:
		return is, errors.New("Issuer must have no query")
	case strings.ContainsAny(strings.Replace("/"+text+"/", "/"+tenantMark+"/", "/", 1), "{}"):
		return is, errors.New("Issuer may have {tenantid} once, as a whole segment of its path")
	case strings.Contains(text, "//"+tenantMark):
		return is, errors.New("Issuer must have its own host: a tenant must not choose it")
	case !is.template() && (len(c.Tenants) > 0 || c.AnyTenant):
		return is, errors.New("Tenants and AnyTenant are of use only where Issuer has {tenantid}")
	case is.template() && c.AnyTenant == (len(c.Tenants) > 0):
		return is, errors.New("Tenants must name who may sign in, or else AnyTenant say that everybody may: one of the two")
	}
	for _, t := range c.Tenants {
		if !guid(t) {
			return is, fmt.Errorf("Tenants has %q, which is no GUID", t)
		}
		is.tenants = append(is.tenants, strings.ToLower(t))
	}
	return is, nil
}

// template reports whether each tenant is an issuer of its own.
func (is issuer) template() bool { return strings.Contains(is.text, tenantMark) }

// check returns the issuer of verified claims. The tenant is only compared with: an address that is made from a claim
// and then asked for keys would let everybody vouch for themselves.
func (is issuer) check(c Claims, signedBy *key) (string, error) {
	iss, ok := c.Text("iss")
	if !ok {
		return "", refuse(IssuerMismatch)
	}
	if !is.template() {
		if iss != is.text {
			return "", refuse(IssuerMismatch)
		}
		return iss, nil
	}
	tid, ok := c.Text("tid")
	if !ok || !guid(tid) || iss != strings.Replace(is.text, tenantMark, tid, 1) {
		return "", refuse(IssuerMismatch)
	}
	if len(is.tenants) > 0 && !slices.Contains(is.tenants, strings.ToLower(tid)) {
		return "", refuse(TenantNotAllowed)
	}
	// One set of keys serves all tenants, but not each key does: those of one cloud or one kind of account must not
	// sign for another.
	if signedBy.issuer != iss && signedBy.issuer != is.text {
		return "", refuse(KeyOfAnotherIssuer)
	}
	return iss, nil
}

// fits reports whether iss is the issuer of some tenant. Which one it must be, a verified token says.
func (is issuer) fits(iss string) bool {
	before, after, _ := strings.Cut(is.text, tenantMark)
	tid, begins := strings.CutPrefix(iss, before)
	tid, ends := strings.CutSuffix(tid, after)
	return begins && ends && guid(tid)
}

// guid reports whether s is one in the usual form, 8-4-4-4-12 hex digits.
func guid(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F'):
			return false
		}
	}
	return true
}
