package auth

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxReturnTo bounds a return address, in bytes: it travels in URLs and is stored with each flow.
	maxReturnTo = 2048
	// maxDecodings is how often a path is decoded in search of something hidden. Proxies and frameworks in
	// front of each other decode twice; what is encoded more often than this was made to deceive.
	maxDecodings = 4
)

// ReturnRule says where a flow may lead when it is done, so that a link to the sign-in page cannot end on
// a stranger's site (ASVS 3.7.2, CWE-601). Allowed are paths of the own site ("/inbox?page=2") and
// absolute URLs below one of the host's entries. There are no wildcards. What cannot be read in one way
// only is refused. The zero value allows own paths and falls back to "/". It is safe for concurrent use.
type ReturnRule struct {
	entries  []returnEntry
	fallback string
}

// returnEntry is a place that the host allows, with everything below its path.
type returnEntry struct {
	origin string // scheme, host and port in one canonical spelling
	path   string // without a slash at its end; empty for the whole origin
}

// NewReturnRule returns the rule for Config.ReturnTo and Config.DefaultReturnTo. Entries are absolute https
// URLs without user, query, fragment or wildcard; http is for loopback hosts, in development. An empty
// fallback means "/"; any other must be allowed itself. The error names every problem at once.
func NewReturnRule(entries []string, fallback string) (*ReturnRule, error) {
	r := &ReturnRule{}
	var problems []error
	for i, text := range entries {
		entry, err := parseReturnEntry(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("ReturnTo[%d] is %q: %w", i, text, err))
			continue
		}
		r.entries = append(r.entries, entry)
	}
	if fallback != "" {
		clean, ok := r.canonical(fallback)
		if !ok {
			problems = append(problems, fmt.Errorf("DefaultReturnTo is %q; it must be a path of the own site or lie below an entry of ReturnTo", fallback))
		}
		r.fallback = clean
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return r, nil
}

// Clean returns the address in one canonical, all-ASCII spelling, or the fallback if it is empty or not
// allowed. Cleaning twice changes nothing.
func (r *ReturnRule) Clean(raw string) string {
	if clean, ok := r.canonical(raw); ok {
		return clean
	}
	return cmp.Or(r.fallback, "/")
}

// Allows reports whether the address may be followed. The empty one may not.
func (r *ReturnRule) Allows(raw string) bool {
	_, ok := r.canonical(raw)
	return ok
}

func (r *ReturnRule) canonical(raw string) (string, bool) {
	if len(raw) > maxReturnTo || !visible(raw) {
		return "", false
	}
	if strings.HasPrefix(raw, "/") {
		target, _, ok := cleanTarget(raw)
		return target, ok && len(target) <= maxReturnTo
	}
	origin, rest, err := cutOrigin(raw)
	if err != nil {
		return "", false
	}
	target, path, ok := cleanTarget(rest)
	if !ok || !r.covers(origin, path) {
		return "", false
	}
	return origin + target, len(origin)+len(target) <= maxReturnTo
}

// covers compares paths at a segment's end: an entry for /app is none for /application.
func (r *ReturnRule) covers(origin, path string) bool {
	for _, e := range r.entries {
		if e.origin == origin && (path == e.path || strings.HasPrefix(path, e.path+"/")) {
			return true
		}
	}
	return false
}

func parseReturnEntry(text string) (returnEntry, error) {
	switch {
	case strings.Contains(text, "*"):
		return returnEntry{}, errors.New("there are no wildcards; list each host") // whoever gets a host under one gets the sign-ins
	case strings.ContainsAny(text, "?#"):
		return returnEntry{}, errors.New("it must have no query and no fragment")
	case len(text) > maxReturnTo || !visible(text):
		return returnEntry{}, fmt.Errorf("it must have at most %d bytes, and no blank, quote or backslash", maxReturnTo)
	}
	origin, rest, err := cutOrigin(text)
	if err != nil {
		return returnEntry{}, err
	}
	if host, plain := strings.CutPrefix(origin, "http://"); plain && !loopback(host) {
		return returnEntry{}, errors.New("http is for loopback hosts only; use https")
	}
	_, path, ok := cleanTarget(rest)
	if !ok {
		return returnEntry{}, errors.New("its path must have no dot segments, doubled or encoded slashes, or malformed escapes")
	}
	return returnEntry{origin, strings.TrimSuffix(path, "/")}, nil
}

// visible reports whether the text has only characters that mean the same to every reader of a URL.
// Browsers drop tabs and line ends, trim blanks and take a backslash for a slash (WHATWG URL §4.4), which
// makes "/\t/evil.example" and "/\evil.example" another site.
func visible(text string) bool {
	if !utf8.ValidString(text) {
		return false
	}
	return !strings.ContainsFunc(text, func(c rune) bool {
		return strings.ContainsRune("\"<>\\", c) || !unicode.IsGraphic(c) || unicode.IsSpace(c)
	})
}

// cutOrigin splits an absolute URL into its canonical origin and what follows.
func cutOrigin(text string) (origin, rest string, err error) {
	scheme, after, found := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	if !found || scheme != "https" && scheme != "http" {
		return "", "", errors.New("it must begin with https://")
	}
	authority := after
	if end := strings.IndexAny(after, "/?#"); end >= 0 {
		authority, rest = after[:end], after[end:]
	}
	host, port, ok := cutPort(authority)
	if !ok {
		return "", "", errors.New("its host must be followed by a port from 1 to 65535 or by nothing")
	}
	if host, ok = canonicalHost(host); !ok {
		return "", "", errors.New("it must name a host, by its name or address, without user or password")
	}
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return scheme + "://" + host, rest, nil
	}
	return scheme + "://" + host + ":" + port, rest, nil
}

// cutPort splits an authority. A port is digits only, without a leading zero.
func cutPort(authority string) (host, port string, ok bool) {
	colon := strings.LastIndexByte(authority, ':')
	if colon < 0 || strings.HasSuffix(authority, "]") {
		return authority, "", true
	}
	host, port = authority[:colon], authority[colon+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	return host, port, err == nil && n > 0 && strconv.FormatUint(n, 10) == port
}

// canonicalHost returns one spelling for each host. Browsers read 127.1, 0x7f000001 and 2130706433 as
// addresses; a host that ends in a number is refused unless it is a plain IPv4 address.
func canonicalHost(host string) (string, bool) {
	if literal, bracket := strings.CutPrefix(host, "["); bracket {
		literal, closed := strings.CutSuffix(literal, "]")
		a, err := netip.ParseAddr(literal)
		if !closed || err != nil || !a.Is6() || a.Zone() != "" {
			return "", false
		}
		return "[" + a.String() + "]", true
	}
	if a, err := netip.ParseAddr(host); err == nil && a.Is4() {
		return a.String(), true
	}
	return asciiDomain(host)
}

func loopback(hostport string) bool {
	host, _, _ := cutPort(hostport)
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && a.IsLoopback()
}

// cleanTarget checks path, query and fragment, and returns them in ASCII with the path by itself.
func cleanTarget(rest string) (target, path string, ok bool) {
	if !strings.HasPrefix(rest, "/") {
		rest = "/" + rest // https://host and https://host?query mean its root
	}
	before, fragment, _ := strings.Cut(rest, "#")
	path, query, _ := strings.Cut(before, "?")
	if !honestPath(path) || !honest(query) || !honest(fragment) || strings.Contains(fragment, "#") {
		return "", "", false
	}
	return escape(rest), escape(path), true
}

// honest reports whether every escape is well formed and none hides a control character, such as the line
// end that splits a header.
func honest(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			continue
		}
		c, ok := unescape(text[i:])
		if !ok || control(c) {
			return false
		}
	}
	return true
}

// honestPath reports whether the path leads where it seems to, also for those who decode it once more
// than they should: no dot segments, no slash that was doubled or encoded, no backslash, no bytes that
// only a careless decoder takes for text.
func honestPath(path string) bool {
	if !honest(path) {
		return false
	}
	slashes := strings.Count(path, "/")
	for range maxDecodings {
		if strings.Count(path, "/") != slashes || strings.Contains(path, "//") || strings.Contains(path, `\`) ||
			strings.ContainsFunc(path, unicode.IsControl) || !utf8.ValidString(path) || hasDotSegment(path) {
			return false
		}
		decoded := decodeOnce(path)
		if decoded == path {
			return true
		}
		path = decoded
	}
	return false
}

// hasDotSegment looks at what stands before a semicolon too: some servers drop the rest of a segment.
func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		name, _, _ := strings.Cut(segment, ";")
		if name == "." || name == ".." {
			return true
		}
	}
	return false
}

// decodeOnce decodes every escape that is well formed and leaves the others.
func decodeOnce(text string) string {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c, ok := unescape(text[i:])
		if ok {
			i += 2
		} else {
			c = text[i]
		}
		out = append(out, c)
	}
	return string(out)
}

// unescape returns the byte of the escape that text begins with.
func unescape(text string) (byte, bool) {
	if len(text) < 3 || text[0] != '%' {
		return 0, false
	}
	n, err := strconv.ParseUint(text[1:3], 16, 8) // takes neither a sign nor a blank
	return byte(n), err == nil
}

func control(c byte) bool { return c < ' ' || c == 0x7f }

// escape writes what is not part of a URL (RFC 3986 §2) as escapes; a Location header is ASCII.
func escape(text string) string {
	var out strings.Builder
	for _, c := range []byte(text) {
		if c >= utf8.RuneSelf || strings.IndexByte("^`{|}", c) >= 0 {
			fmt.Fprintf(&out, "%%%02X", c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}
