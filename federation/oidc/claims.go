package oidc

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth"
)

// Claims are what a provider says of a person, in a token or an answer that holds. Names are exact, and each is there
// once. It is safe for concurrent use.
type Claims struct {
	members      map[string]json.RawMessage
	textBooleans bool
}

// Has reports whether the claim is there, whatever it is.
func (c Claims) Has(name string) bool { return c.members[name] != nil }

// Text returns a claim that is a string, and whether it is one.
func (c Claims) Text(name string) (string, bool) { return text(c.members[name]) }

// Bool reports whether a claim is true. With Config.TextBooleans, the text "true" is too.
func (c Claims) Bool(name string) bool {
	raw := string(c.members[name])
	return raw == "true" || c.textBooleans && raw == `"true"`
}

// Raw returns a claim as it stands, in JSON; nil if it is not there. It must not be changed.
func (c Claims) Raw(name string) json.RawMessage { return c.members[name] }

// AssertedIfVerified is the default EmailTrust: auth.EmailAsserted if email_verified is true.
func AssertedIfVerified(c Claims) auth.EmailTrust {
	if c.Bool("email_verified") {
		return auth.EmailAsserted
	}
	return auth.EmailUnverified
}

func text(raw json.RawMessage) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	s, ok := unquote(raw)
	return string(s), ok
}

// identifier returns a claim that names something: printable ASCII of 1 to 255 bytes.
func (c Claims) identifier(name string) (string, bool) {
	s, ok := c.Text(name)
	return s, ok && printable(s, 1, maxText)
}

// optional returns a claim that may be missing. If it is there, it must be an identifier.
func (c Claims) optional(name string) (string, error) {
	if !c.Has(name) {
		return "", nil
	}
	s, ok := c.identifier(name)
	if !ok {
		return "", refuse(ClaimMalformed)
	}
	return s, nil
}

// latest is the end of the year 9999, beyond which a time is none.
const latest = 253402300799

// instant returns a claim that is a NumericDate (RFC 7519 §2): seconds since 1970, a JSON number that may have
// decimals. A number in a string is none.
func (c Claims) instant(name string) (time.Time, bool) {
	raw := string(c.members[name])
	whole, decimals, _ := strings.Cut(raw, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || seconds < 0 || seconds > latest || strings.TrimLeft(decimals, "0123456789") != "" {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}

// list returns a claim that is a list of strings, at most most of them.
func (c Claims) list(name string, most int) ([]string, bool) {
	var all []json.RawMessage
	if raw := c.members[name]; len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &all) != nil || len(all) > most {
		return nil, false
	}
	texts := make([]string, 0, len(all))
	for _, raw := range all {
		s, ok := text(raw)
		if !ok {
			return nil, false
		}
		texts = append(texts, s)
	}
	return texts, true
}

// Bounds of what is shown, as auth.Link keeps it.
const (
	maxEmail = 320
	maxName  = 256
)

// shown returns a text that may be shown: without what is not printed, and cut to most bytes at a character.
func shown(s string, most int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s))
	for len(s) > most {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

// address returns the email, if it can be one. A cut one would be another.
func (c Claims) address() string {
	email, _ := c.Text("email")
	if len(email) > maxEmail || email != shown(email, maxEmail) || !strings.Contains(email, "@") {
		return ""
	}
	return email
}
