package mail

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth"
)

// exact says a moment in full, with its zone.
func (c *catalog) exact(t time.Time, zone *time.Location) string {
	t = t.In(zone)
	return c.word("time.exact", "day", strconv.Itoa(t.Day()), "month", c.words["month."+strconv.Itoa(int(t.Month()))],
		"year", strconv.Itoa(t.Year()), "time", t.Format("15:04"), "zone", c.zone(t))
}

// zone names the time zone of t: by the catalogue's own name, by its abbreviation, or, where it has none, by
// its distance from UTC.
func (c *catalog) zone(t time.Time) string {
	name, _ := t.Zone()
	if own := c.words["zone."+name]; own != "" {
		return own
	}
	if strings.ContainsAny(name, "+-0123456789") || name == "" {
		return "UTC" + t.Format("-07:00")
	}
	return name
}

// duration says how long something is valid, in the largest unit that says it exactly. What is left over is
// dropped: nobody is promised more than there is.
func (c *catalog) duration(d time.Duration) string {
	const hour, day = time.Hour, 24 * time.Hour
	d = d.Round(time.Second) // stores drop what is finer, of both ends
	switch {
	case d > 3*day && d%day == 0:
		return c.plural("duration.days", int(d/day))
	case d >= 2*hour && d%hour == 0, d > day:
		return c.plural("duration.hours", int(d/hour))
	}
	return c.plural("duration.minutes", int(d/time.Minute))
}

// device names what a User-Agent stands for. Only names from a list are shown.
func (c *catalog) device(userAgent string) string {
	a := auth.DescribeAgent(userAgent)
	switch {
	case userAgent == "":
		return ""
	case a.Browser == "" && a.System == "":
		return c.words["device.unknown"]
	case a.Browser == "" || a.System == "":
		return a.Browser + a.System
	}
	return c.word("device.summary", "browser", a.Browser, "system", a.System)
}

// network shows a prefix of addresses, or the name that a host gives to the place.
func network(text string) string {
	if p, err := netip.ParsePrefix(text); err == nil {
		return auth.DescribeNetwork(p)
	}
	if shownNetwork.MatchString(text) {
		return text
	}
	return plain(text, "0123456789()")
}

// shownNetwork is what DescribeNetwork makes. Names with dots are not: mail programs turn them into links.
var shownNetwork = regexp.MustCompile(`^([0-9.]{1,15}\*?|[0-9a-f:]{2,39}\*?)$`)

// method names a factor or a way of signing in. One that has no name in the catalogue is shown as the host
// calls it.
func (c *catalog) method(name string) string {
	if text := c.words["method."+name]; text != "" {
		return text
	}
	return plain(name, "0123456789")
}

// longestPlain is how long a name may be, in code points.
const longestPlain = 60

// plain returns the text if it reads like a name, and nothing otherwise: letters, blanks, what stands in
// names, and the given characters. It stops "Win $$$ at evil.example", which a stranger typed as a name, from reaching
// somebody's mailbox under the product's; mail programs turn such words into links by themselves.
func plain(text, also string) string {
	text = strings.Trim(text, " ")
	if utf8.RuneCountInString(text) > longestPlain || !utf8.ValidString(text) {
		return ""
	}
	previous := ' '
	for i, c := range text {
		switch {
		case unicode.IsLetter(c), unicode.IsMark(c), strings.ContainsRune(" '’-,"+also, c):
		case c == '.': // an initial, not a domain
			if next, _ := utf8.DecodeRuneInString(text[i+1:]); i+1 < len(text) && next != ' ' || !unicode.IsLetter(previous) {
				return ""
			}
		default:
			return ""
		}
		previous = c
	}
	return text
}

// wrap breaks a text into lines of at most 72 code points where it has blanks that may be broken at.
func wrap(text string) string {
	const width = 72
	var b strings.Builder
	column := 0
	for word := range strings.SplitSeq(text, " ") {
		length := utf8.RuneCountInString(word)
		switch {
		case column == 0:
		case column+1+length > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += length
	}
	return b.String()
}

// groups splits a code in two, which is easier to read and to type.
func groups(code string) []string {
	half := (len(code) + 1) / 2
	if len(code) < 6 {
		return []string{code}
	}
	return []string{code[:half], code[half:]}
}
