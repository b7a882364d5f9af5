package federation

import "net/netip"

// reserved are the ranges that hold no host of the public internet, beside those that netip.Addr knows by itself
// (RFC 6890, and the registries of special-purpose addresses at IANA).
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("192.0.0.0/24"),    // IETF protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and the broadcast address
	netip.MustParsePrefix("2001::/23"),       // IETF protocol assignments; Teredo hides an IPv4 address
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4 hides an IPv4 address
	netip.MustParsePrefix("3fff::/20"),       // documentation
}

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	sharedSpace   = netip.MustParsePrefix("100.64.0.0/10") // carrier-grade NAT, RFC 6598
	nat64         = netip.MustParsePrefix("64:ff9b::/96")  // RFC 6052
)

// mayDial reports whether a connection may go to an address, host and port as net.Dialer writes them.
func (c ClientConfig) mayDial(hostPort string) bool {
	ap, err := netip.ParseAddrPort(hostPort)
	if err != nil {
		return false
	}
	a := ap.Addr()
	if a.Zone() != "" { // a link's own addresses
		return false
	}
	a = a.Unmap()
	if nat64.Contains(a) { // behind it stands an IPv4 host, which counts as itself
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case a.IsLoopback():
		return c.Development
	case a.IsPrivate(), sharedSpace.Contains(a):
		return c.AllowPrivate
	}
	return public(a)
}

func public(a netip.Addr) bool {
	if a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || a.Is6() && !globalUnicast.Contains(a) {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// loopback reports whether a host as it stands in an address is this machine. A name that only resolves to it is not.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
