package authhttp

import (
	"net/netip"
	"strings"
)

// device is what a person recognises a browser of theirs by.
type device struct {
	text  string // "Chrome on Windows"
	Phone bool
}

// Text returns the summary in the language of the page.
func (d device) Text() string { return d.text }

// marks are what browsers and systems call themselves in their User-Agent, the more special ones first:
// nearly every browser claims to be Chrome or Safari as well.
var (
	browserMarks = [][2]string{
		{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"}, {"Vivaldi/", "Vivaldi"},
		{"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"}, {"Chromium/", "Chromium"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
	}
	systemMarks = [][2]string{
		{"Windows", "Windows"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"},
		{"Mac OS X", "macOS"}, {"Macintosh", "macOS"}, {"Linux", "Linux"},
	}
)

// device sums a User-Agent up. It is for people to recognise; nothing is decided by it.
func (x *exchange) device(agent string) device {
	browser, system := match(browserMarks, agent), match(systemMarks, agent)
	if browser == "" {
		browser = product(agent)
	}
	d := device{Phone: system == "iPhone" || system == "Android" && strings.Contains(agent, "Mobile")}
	switch {
	case browser == "" && system == "":
		d.text = x.lang.text("device.unknown")
	case browser == "":
		d.text = system
	case system == "":
		d.text = browser
	default:
		d.text = x.lang.text("device.summary", "browser", browser, "system", system)
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

func match(marks [][2]string, agent string) string {
	for _, m := range marks {
		if strings.Contains(agent, m[0]) {
			return m[1]
		}
	}
	return ""
}

// network shows an address prefix the way people know addresses: 203.0.113.* for a /24.
func network(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	text := p.Masked().Addr().String()
	if p.Addr().Is4() && p.Bits() == 24 {
		return strings.TrimSuffix(text, "0") + "*"
	}
	if p.Addr().Is6() && p.Bits() < 128 {
		return strings.TrimSuffix(text, "::") + ":*"
	}
	return text
}
