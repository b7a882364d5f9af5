package authhttp

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientAddress returns the address that the request came from. X-Forwarded-For counts only if the peer is
// a declared proxy, and is then read from the right: the rightmost hop that is not such a proxy is the
// client. Everything left of it was sent by the client and may be made up, to escape throttling or to put
// the blame on somebody else. A hop that cannot be read ends the walk at the proxy that sent it.
func clientAddress(r *http.Request, proxies []netip.Prefix) netip.Addr {
	peer, ok := parseHop(r.RemoteAddr)
	if !ok {
		return netip.Addr{}
	}
	at := peer
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			if !within(proxies, at) {
				return at
			}
			var hop string
			hop, rest, more = cutLast(rest, ",")
			next, ok := parseHop(hop)
			if !ok {
				return at
			}
			at = next
		}
	}
	return at
}

func within(proxies []netip.Prefix, addr netip.Addr) bool {
	for _, p := range proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// parseHop reads an address with or without a port. An IPv4 address that is mapped into IPv6 is the IPv4
// address, and a zone is dropped: both would give one client many names.
func parseHop(text string) (netip.Addr, bool) {
	text = strings.Trim(text, " \t")
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	if both, err := netip.ParseAddrPort(text); err == nil {
		return both.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

func cutLast(s, sep string) (last, before string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[i+len(sep):], s[:i], true
	}
	return s, "", false
}
