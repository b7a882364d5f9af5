package authhttp

import (
	"net/netip"
	"strings"

	"github.com/cardea-auth/cardea/auth"
)

// device is what a person recognises a browser of theirs by.
type device struct {
	text  string // "Chrome on Windows"
	Phone bool
}

// Text returns the summary in the language of the page.
func (d device) Text() string { return d.text }

// device sums a User-Agent up. It is for people to recognise; nothing is decided by it.
func (x *exchange) device(agent string) device {
	a := auth.DescribeAgent(agent)
	if a.Browser == "" {
		a.Browser = product(agent)
	}
	d := device{Phone: a.Phone}
	switch {
	case a.Browser == "" && a.System == "":
		d.text = x.lang.text("device.unknown")
	case a.Browser == "":
		d.text = a.System
	case a.System == "":
		d.text = a.Browser
	default:
		d.text = x.lang.text("device.summary", "browser", a.Browser, "system", a.System)
	}
	return d
}

// longestProduct is the longest name of a program that is shown, in bytes.
const longestProduct = 40

// product returns what a program that is no browser calls itself: "HelpdeskApp/2.1 (iPhone; iOS 18.2)" is
// HelpdeskApp (RFC 9110 §10.1.5). Browsers of every make begin with Mozilla, which tells nobody anything.
func product(agent string) string {
	name, _, versioned := strings.Cut(agent, "/")
	if !versioned || name == "Mozilla" || len(name) > longestProduct || strings.ContainsFunc(name, func(c rune) bool {
		return c > '~' || !tokenChar(byte(c))
	}) {
		return ""
	}
	return name
}

// network shows an address prefix the way people know addresses.
func network(p netip.Prefix) string { return auth.DescribeNetwork(p) }
