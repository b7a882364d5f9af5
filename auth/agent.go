package auth

import (
	"net/netip"
	"strings"
)

// Agent is what a person recognises a browser of theirs by. Both names are from short lists, empty for what
// is not on them: whoever sends a User-Agent cannot have words of its own shown to the account's owner.
type Agent struct {
	Browser string // "Chrome"
	System  string // "Windows"
	Phone   bool
}

// browserMarks and systemMarks are what browsers and systems call themselves in their User-Agent, the more
// special ones first: nearly every browser claims to be Chrome or Safari as well.
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

// DescribeAgent sums a User-Agent up. It is for people to recognise; nothing is decided by it.
func DescribeAgent(userAgent string) Agent {
	a := Agent{Browser: match(browserMarks, userAgent), System: match(systemMarks, userAgent)}
	a.Phone = a.System == "iPhone" || a.System == "Android" && strings.Contains(userAgent, "Mobile")
	return a
}

func match(marks [][2]string, agent string) string {
	for _, m := range marks {
		if strings.Contains(agent, m[0]) {
			return m[1]
		}
	}
	return ""
}

// DescribeNetwork shows an address prefix the way people know addresses: 203.0.113.* for a /24. It is empty
// for an invalid one.
func DescribeNetwork(p netip.Prefix) string {
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
