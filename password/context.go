package password

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth"
)

const (
	// leastContextWord is the shortest context word, in code points: shorter ones are part of too many
	// good passwords.
	leastContextWord = 3
	// maxPersonal bounds the work that one long name makes.
	maxPersonal = 32
)

// personalForms returns the words that the account suggests.
func personalForms(about auth.PasswordContext) []string {
	forms := contextForms(about.Identifier)
	if at := strings.LastIndexByte(about.Identifier, '@'); at >= 0 {
		forms = append(forms, contextForms(about.Identifier[:at], about.Identifier[at+1:])...)
	}
	forms = append(forms, contextForms(about.Name)...)
	return forms[:min(len(forms), maxPersonal)]
}

// contextForms returns each text, folded, and the words in it. Numbers and what is too short are left out.
func contextForms(texts ...string) (forms []string) {
	for _, text := range texts {
		text = fold(text)
		words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for _, w := range append(words, text) {
			if usableContext(w) {
				forms = append(forms, w)
			}
		}
	}
	return forms
}

// UsableContextWord reports whether word can be one of Config.ContextWords: it has three code points and a letter.
func UsableContextWord(word string) bool { return usableContext(fold(word)) }

func usableContext(word string) bool {
	return utf8.RuneCountInString(word) >= leastContextWord && strings.ContainsFunc(word, unicode.IsLetter)
}

// contextPieces returns the pieces that text begins with among the words, look-alikes included.
func contextPieces(text []rune, words []string, e *effort) (found []piece) {
	for _, w := range words {
		n, seen := beginsWith(text, w)
		if !e.spend(seen) { // only what fits so far counts: how many words there are is the host's choice
			return nil
		}
		if n > 0 {
			found = append(found, repeats(text, piece{ofContext, n, priceContext})...)
		}
	}
	return found
}

// beginsWith returns the length of word if text begins with it or with its look-alikes, else zero; and how much
// of the text it looked at.
func beginsWith(text []rune, word string) (length, seen int) {
	changed := 0
	for _, c := range word {
		if seen == len(text) || !looksLike(text[seen], c) {
			return 0, seen
		}
		if text[seen] != c {
			changed++
		}
		seen++
	}
	if 2*changed > seen {
		return 0, seen
	}
	return seen, seen
}
