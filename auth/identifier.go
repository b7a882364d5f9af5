package auth

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"github.com/cardea-auth/cardea/auth/flow"
)

// The longest that each part of an address may be, in bytes: RFC 5321 §4.5.3.1, and for the whole the 256
// of a path without its angle brackets. What was typed may hold blanks and invisible characters besides.
const (
	maxTyped   = 1024
	maxLocal   = 64
	maxAddress = 254
)

// NormalizeEmail returns the identifier for an e-mail address as somebody typed it, or a *DeniedError
// (AddressRejected). Blanks and invisible characters around it are dropped, and so are invisible ones
// inside the part before the @; full-width letters, as Japanese and Chinese keyboards write them, become
// plain. The domain becomes lower-case ASCII by the lookup rules of IDNA (RFC 5891, UTS 46).
//
// Value and Display always name one mailbox, and no two mailboxes share a Value. So the part before the @
// is compared without regard to case, letter by letter, and nothing else of it is changed: ß is not ss, the
// dotless ı is not i, and accents and dots count. Letters that stand for others (the ligature ﬃ, the
// capital İ whose small form is i) are refused: whoever could have their own mailbox taken for another's
// would sign in as its owner. Quoted local parts, addresses in brackets and domains of a single label are
// refused as well. Look-alikes from other scripts are different mailboxes and stay different.
func NormalizeEmail(typed string) (Identifier, error) {
	id, ok := normalizeEmail(typed)
	if !ok {
		return Identifier{}, flow.Deny(flow.AddressRejected)
	}
	return id, nil
}

func normalizeEmail(typed string) (Identifier, bool) {
	if len(typed) > maxTyped || !utf8.ValidString(typed) {
		return Identifier{}, false
	}
	text := strings.TrimFunc(strings.Map(plainWidth, typed), func(c rune) bool {
		return unicode.IsSpace(c) || invisible(c) || unicode.Is(unicode.Bidi_Control, c)
	})
	local, domain, found := strings.Cut(text, "@")
	if !found {
		return Identifier{}, false
	}
	local = norm.NFC.String(strings.Map(dropInvisible, local))
	folded := norm.NFC.String(strings.Map(unicode.ToLower, local))
	ascii, ok := asciiDomain(domain)
	if !ok || !strings.Contains(ascii, ".") || !mailbox(local) || !mailbox(folded) || becomesASCII(local) {
		return Identifier{}, false
	}
	shown := norm.NFC.String(domain)
	if strings.ContainsFunc(shown, func(c rune) bool { return !unicode.IsGraphic(c) }) {
		shown = ascii // some scripts need joiners, which must not be shown where they deceive
	}
	id := Identifier{Value: folded + "@" + ascii, Display: local + "@" + shown, Domain: ascii}
	return id, len(id.Value) <= maxAddress && len(id.Display) <= maxTyped
}

// mailbox reports whether the text is a dot-atom of RFC 5322 §3.2.3, with the letters of RFC 6532 and
// without letters that are mere forms of others.
func mailbox(local string) bool {
	if len(local) == 0 || len(local) > maxLocal || !norm.NFKC.IsNormalString(local) {
		return false
	}
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return false
	}
	return !strings.ContainsFunc(local, func(c rune) bool {
		if c < utf8.RuneSelf {
			return !asciiAtom(c)
		}
		return !unicode.IsGraphic(c) || unicode.IsSpace(c)
	})
}

// asciiAtom reports whether c may stand in a dot-atom. Quotes, brackets, commas, colons and blanks may
// not: they would change what a mail header says.
func asciiAtom(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", c)
}

// becomesASCII reports whether lower case would turn a foreign letter into a plain one. Taking admİn for
// admin let strangers reset other people's passwords elsewhere (CVE-2019-19844).
func becomesASCII(local string) bool {
	return strings.ContainsFunc(local, func(c rune) bool {
		return c >= utf8.RuneSelf && unicode.ToLower(c) < utf8.RuneSelf
	})
}

// plainWidth maps full-width ASCII (U+FF01 to U+FF5E) to ASCII.
func plainWidth(c rune) rune {
	if 0xFF01 <= c && c <= 0xFF5E {
		return c - 0xFF01 + '!'
	}
	return c
}

func dropInvisible(c rune) rune {
	if invisible(c) {
		return -1
	}
	return c
}

// invisible reports whether c is shown as nothing and changes nothing around it: the default-ignorable
// characters of Unicode, which come along when an address is copied. The controls of the writing
// direction are not among them: inside an address they make it look like another.
func invisible(c rune) bool {
	if unicode.Is(unicode.Bidi_Control, c) {
		return false
	}
	return unicode.In(c, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
		c >= utf8.RuneSelf && unicode.Is(unicode.Cf, c) && !unicode.Is(unicode.Prepended_Concatenation_Mark, c)
}

// domainRules are those of IDNA for looking a domain up, with the length limits of DNS.
var domainRules = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.VerifyDNSLength(true))

// asciiDomain returns a domain's one lower-case ASCII spelling. No top-level domain begins with a digit, but
// the addresses do that some readers would find in such a name.
func asciiDomain(domain string) (string, bool) {
	ascii, err := domainRules.ToASCII(domain)
	if err != nil || ascii == "" {
		return "", false
	}
	again, err := domainRules.ToASCII(ascii)
	top := ascii[strings.LastIndexByte(ascii, '.')+1:]
	return ascii, err == nil && again == ascii && top != "" && (top[0] < '0' || top[0] > '9')
}
