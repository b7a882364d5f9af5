// Package webauthn performs the ceremonies of passkeys and security keys (W3C Web Authentication Level 3): it
// makes the options that a browser is given, and checks what comes back.
//
//	rp, err := webauthn.New(webauthn.Config{Keys: keys, Origin: "https://app.example", Product: "Example"})
//
// [RelyingParty] has two ceremonies of two halves each. BeginRegistration and FinishRegistration make a
// [Credential] for an account; BeginAssertion (of somebody whose address is known) or BeginDiscoverable (of
// whoever it is: the button and the autofill of a sign-in page) and FinishAssertion prove that somebody has one.
// Between the halves lies the [Ceremony]'s State. It belongs to the flow that asked, and the rule that nothing
// here can keep is the caller's: a State is finished at most once, whatever came of it. A flow's record is saved
// by compare-and-swap, so it is enough to drop the State in the same save.
//
// What the host must supply is the storage of credentials, as [Lookup] and [Credential] say, and the script that a page
// needs; the pages of auth/authhttp have one. For auth.Service a RelyingParty is the port auth.Passkeys, and everything
// about storage, flows and single use is done there.
//
// What came back is read once, strictly, and every rule is applied to that one reading: what github.com/go-webauthn
// verifies is what was looked at here. It brings the parsing of authenticator data, COSE keys and attestation,
// and all cryptography. The origin to the letter, frames, members that stand twice, keys that can verify nothing,
// the owner of a credential, its counter, its backup flags and its first word on verification are checked here.
//
// What is not decided here: how often somebody may try, and what a passkey is worth. The machine (auth/flow)
// takes one that verified its user for two factors and any other for one; Assertion.Verified is that bit.
//
// Attestation is not asked for, so nothing is known about who made an authenticator; AAGUID is a claim that is
// good for naming a passkey and for nothing else.
package webauthn

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// Config is what a RelyingParty is made from.
type Config struct {
	// Keys are required. User handles and the credential ids of decoys are derived from the oldest one.
	Keys auth.Keys
	// Origin is the public base URL of the pages, such as "https://app.example" or "http://localhost:8080", as
	// browsers write it: in lower case, internationalised names in Punycode, without the port that the scheme
	// has anyway. Required; https, or http on localhost. A browser gives no passkey to an IP address.
	Origin string
	// RPID is the domain that passkeys are bound to: the host of Origin, which empty means, or a domain that it
	// belongs to. Every host below it may ask for them, so it should be as narrow as the product allows. To
	// change it later makes all passkeys useless.
	RPID string
	// Product is what authenticators show that they are asked for. Required; at most 64 bytes, which is what
	// they need to keep.
	Product string
	// Algorithms are offered for new passkeys, the preferred one first. Nil means ES256, EdDSA and RS256, which
	// all authenticators in use have one of. A passkey that was made with another one stays good.
	Algorithms []Algorithm
	// RequireVerification demands of every ceremony that the authenticator verified its user, by PIN or
	// biometrics. Without it that is asked for, recorded, and demanded only where the caller does
	// (NIST SP 800-63B-4 appendix B: ask for it, and look at the answer).
	RequireVerification bool
	// Timeout is how long a ceremony may take, from 30 seconds to 5 minutes. Zero means 5 minutes (ASVS 6.7.2).
	Timeout time.Duration
	// Random is the source of challenges; nil means crypto/rand.Reader. It may be read concurrently.
	Random io.Reader
}

const (
	minTimeout = 30 * time.Second
	maxTimeout = 5 * time.Minute
	// maxName is what an authenticator keeps of a name at least (L3 §6.4.1); it may cut a longer one.
	maxName = 64
)

// RelyingParty performs ceremonies. It is safe for concurrent use. Make it with New.
type RelyingParty struct {
	handles, decoyKeys auth.DerivedKeys
	origin, id         string
	product            string
	algorithms         []Algorithm
	verify             bool
	timeout            time.Duration
	random             io.Reader
	nobodys            []byte // a public key to check the answers against that name no credential
}

// New returns a RelyingParty, or an error that names every problem.
func New(c Config) (*RelyingParty, error) {
	problems := c.problems()
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("webauthn: invalid Config: %w", err)
	}
	rp := &RelyingParty{
		handles: c.Keys.Derive("passkey user handle"), decoyKeys: c.Keys.Derive("passkey decoy"),
		origin: strings.TrimSuffix(c.Origin, "/"), id: c.RPID, product: c.Product,
		algorithms: slices.Clone(c.Algorithms), verify: c.RequireVerification,
		timeout: cmp.Or(c.Timeout, maxTimeout), random: c.Random, nobodys: basePoint(),
	}
	if rp.id == "" {
		u, _ := url.Parse(rp.origin)
		rp.id = u.Hostname()
	}
	if rp.algorithms == nil {
		rp.algorithms = []Algorithm{ES256, EdDSA, RS256}
	}
	if rp.random == nil {
		rp.random = rand.Reader
	}
	return rp, nil
}

func (c Config) problems() (problems []error) {
	report := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	report(c.Keys.IsZero(), "Keys are required")
	host, err := hostOf(strings.TrimSuffix(c.Origin, "/"))
	report(err != nil, "%w", err)
	report(err == nil && c.RPID != "" && !covers(c.RPID, host),
		"RPID is %q; it must be the host of Origin, %q, or a domain that this belongs to", c.RPID, host)
	report(c.Product == "" || len(c.Product) > maxName || !plain(c.Product),
		"Product has %d bytes; it must be text of 1 to %d", len(c.Product), maxName)
	report(c.Algorithms != nil && len(c.Algorithms) == 0, "Algorithms is empty; nil means all that are known")
	for i, a := range c.Algorithms {
		report(!a.known(), "Algorithms has %d; it must be ES256, EdDSA or RS256", int(a))
		report(slices.Contains(c.Algorithms[:i], a), "Algorithms has %s twice", a)
	}
	report(c.Timeout != 0 && (c.Timeout < minTimeout || c.Timeout > maxTimeout),
		"Timeout is %s; it must be %s to %s", c.Timeout, minTimeout, maxTimeout)
	return problems
}

// hostOf returns the host of an origin that is written as browsers write it. What they send is compared with
// it byte by byte, so one that is written otherwise would refuse everybody.
func hostOf(origin string) (host string, err error) {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin {
		return "", fmt.Errorf("Origin is %q; it must be scheme and host alone, such as https://app.example", origin)
	}
	host = u.Hostname()
	loopback := host == "localhost" || strings.HasSuffix(host, ".localhost")
	switch _, notIP := netip.ParseAddr(host); {
	case notIP == nil:
		return "", fmt.Errorf("Origin is %q; an IP address is no relying-party id, a name must stand there", origin)
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback):
		return "", fmt.Errorf("Origin is %q; it must be https, or http on localhost", origin)
	case !domain(host):
		return "", fmt.Errorf("Origin is %q; its host must be a name in lower case, internationalised ones in Punycode", origin)
	case u.Port() == "" && strings.HasSuffix(u.Host, ":"), u.Port() == map[string]string{"https": "443", "http": "80"}[u.Scheme]:
		return "", fmt.Errorf("Origin is %q; browsers leave out the port that the scheme has anyway", origin)
	}
	return host, nil
}

// domain reports whether name is one of letters, digits and hyphens, as browsers write hosts.
func domain(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return len(name) <= 253
}

// covers reports whether id is host or a domain that it belongs to. A name without a dot is a top-level domain,
// which no browser takes but localhost.
func covers(id, host string) bool {
	return domain(id) && (id == host || strings.HasSuffix(host, "."+id) && (strings.Contains(id, ".") || id == "localhost"))
}

// Report implements auth.Reporter.
func (rp *RelyingParty) Report() auth.ReportSection {
	verification := "asked for; demanded where two factors are"
	if rp.verify {
		verification = "demanded always"
	}
	return auth.ReportSection{Title: "Passkeys", Rows: []auth.ReportRow{
		{Name: "they are bound to", Value: rp.id, Note: "and asked for at " + rp.origin + " alone, never in a frame"},
		{Name: "a ceremony may take", Value: auth.ReportDuration(rp.timeout), Note: "ASVS 6.7.2; its challenge has 256 bits"},
		{Name: "verification of the user", Value: verification, Note: "NIST SP 800-63B-4 appendix B"},
		{Name: "a counter that goes back", Value: "refused", Note: "WebAuthn L3 §6.1.1: there may be a copy"},
		{Name: "attestation", Value: "not asked for", Note: "so no passkey reaches AAL3"},
	}}
}
