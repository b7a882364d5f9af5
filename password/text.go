package password

import (
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxRaw bounds what is normalised at all, in bytes. NFC turns at most twelve bytes into one code point, so
// nothing that is longer could become a password.
const maxRaw = 12 * greatestMaxLength

// canonical returns what is hashed of a password: its NFC form and nothing else. If there is a problem, text
// is empty.
func canonical(raw string, maxLength int) (text, problem string) {
	switch {
	case raw == "":
		return "", TooShort
	case len(raw) > maxRaw:
		return "", TooLong
	case !utf8.ValidString(raw):
		return "", Malformed
	}
	text = norm.NFC.String(raw)
	if utf8.RuneCountInString(text) > maxLength {
		return "", TooLong
	}
	return text, ""
}

// fold returns the form in which passwords are compared with lists. It is never hashed: here, and only
// here, full-width letters and capitals are like any others.
func fold(s string) string { return cases.Fold().String(norm.NFKC.String(s)) }
