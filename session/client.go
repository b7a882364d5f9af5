package session

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxUserAgent is how much of a User-Agent is kept, in bytes. Whoever calls chooses its length.
const maxUserAgent = 256

// cleanUserAgent returns the User-Agent as it may be listed and logged: valid UTF-8, no more than 256 bytes,
// whole characters, and none that controls a terminal or turns the writing direction.
func cleanUserAgent(text string) string {
	if len(text) <= maxUserAgent && !strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
		return strings.TrimSpace(text)
	}
	var out strings.Builder
	for _, c := range text { // bytes that are no UTF-8 come as utf8.RuneError
		if !unicode.IsGraphic(c) {
			continue
		}
		if out.Len()+utf8.RuneLen(c) > maxUserAgent {
			break
		}
		out.WriteRune(c)
	}
	return strings.TrimSpace(out.String())
}

// prefixOf returns the network of an address, which tells its owner enough to recognise a session and a
// thief of the database too little to find a person. It is zero if there is no address.
func prefixOf(a netip.Addr) netip.Prefix {
	bits := 48
	if a = a.Unmap(); a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
