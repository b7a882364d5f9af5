package password

import (
	_ "embed"
	"sort"
	"strings"
	"unicode/utf8"
)

// The lists are sorted lines, folded. They are searched where they lie in the binary, so that they need no
// set-up and no memory. data/README.md says where they come from.
var (
	//go:embed data/common.txt
	commonText string
	//go:embed data/top.txt
	topText string
)

// wordList is a text of sorted, distinct lines.
type wordList string

// dictionary is what passwords are cut into.
type dictionary struct {
	common wordList // passwords of 8 code points and more, and shorter words
	top    wordList // the 500 most common words of them
}

func builtin() dictionary { return dictionary{common: wordList(commonText), top: wordList(topText)} }

// seekSteps is about how many lines a search looks at.
const seekSteps = 20

// seek returns the first line that is not below prefix, empty at the end.
func (l wordList) seek(prefix string) string {
	// The search is over bytes; each stands for the line it is in.
	at := sort.Search(len(l), func(i int) bool { return l.lineAt(i) >= prefix })
	if at == len(l) {
		return ""
	}
	return l.lineAt(at)
}

func (l wordList) lineAt(i int) string {
	text := string(l)
	start := strings.LastIndexByte(text[:i], '\n') + 1
	return text[start : i+strings.IndexByte(text[i:], '\n')]
}

func (l wordList) has(entry string) bool { return entry != "" && l.seek(entry) == entry }

// countFrom returns how many entries have at least n code points.
func (l wordList) countFrom(n int) (count int) {
	for line := range strings.Lines(string(l)) {
		if utf8.RuneCountInString(line)-1 >= n {
			count++
		}
	}
	return count
}

// countFrom returns how many of the entries have at least n code points.
func countFrom(entries []string, n int) (count int) {
	for _, e := range entries {
		if utf8.RuneCountInString(e) >= n {
			count++
		}
	}
	return count
}

// lookalikes are the letters that a digit or mark commonly stands for.
var lookalikes = map[rune]string{
	'0': "o", '1': "il", '3': "e", '4': "a", '5': "s", '7': "t", '8': "b", '9': "g",
	'@': "a", '$': "s", '!': "i", '+': "t", '|': "l", '€': "e",
}

// looksLike reports whether the typed character may stand for the letter.
func looksLike(typed, letter rune) bool {
	return typed == letter || strings.ContainsRune(lookalikes[typed], letter)
}

// wordsAt calls found for each entry that text begins with, with its length in code points. Look-alikes count,
// but at least half of the characters must be what they are.
func (l wordList) wordsAt(text []rune, e *effort, found func(entry string, length int)) {
	var grow func(prefix string, length, changed int)
	grow = func(prefix string, length, changed int) {
		if !e.spend(seekSteps) {
			return
		}
		line := l.seek(prefix)
		if !strings.HasPrefix(line, prefix) {
			return
		}
		if line == prefix && length > 0 && 2*changed <= length {
			found(line, length)
		}
		if length == len(text) {
			return
		}
		typed := text[length]
		grow(prefix+string(typed), length+1, changed)
		for _, c := range lookalikes[typed] {
			grow(prefix+string(c), length+1, changed+1)
		}
	}
	grow("", 0, 0)
}
