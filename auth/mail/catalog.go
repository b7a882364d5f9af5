package mail

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"github.com/cardea-auth/cardea/auth"
)

//go:embed texts/*.json
var textFiles embed.FS

// catalog is all texts of one language, with {name} where something is put in. A word that depends on a number
// has one key for each plural form that the language tells apart ("x.one", "x.other", … after CLDR).
type catalog struct {
	tag     language.Tag
	words   map[string]string
	letters map[auth.LetterKind]map[string]string
}

// catalogFile is a catalogue as it is written, or the part of one that a host changes.
type catalogFile struct {
	Words   map[string]string                     `json:"words"`
	Letters map[auth.LetterKind]map[string]string `json:"letters"`
}

// longestText is the most that one text may have, in bytes.
const longestText = 4096

// longestSubject keeps a subject within what mail programs show and servers take, in bytes.
const longestSubject = 240

// fill puts values into the placeholders of a text, from pairs of name and value. What is put in is not looked
// at again.
func fill(text string, pairs ...string) string {
	filled := slices.Clone(pairs)
	for i := 0; i < len(filled); i += 2 {
		filled[i] = "{" + filled[i] + "}"
	}
	return strings.NewReplacer(filled...).Replace(text)
}

func (c *catalog) word(key string, pairs ...string) string { return fill(c.words[key], pairs...) }

var pluralForms = map[plural.Form]string{
	plural.Zero: ".zero", plural.One: ".one", plural.Two: ".two", plural.Few: ".few", plural.Many: ".many",
}

// plural returns the word for the number n, which fills {n}.
func (c *catalog) plural(key string, n int) string {
	form := plural.Cardinal.MatchPlural(c.tag, n, 0, 0, 0, 0)
	special := c.words[key+pluralForms[form]]
	if form == plural.Other || special == "" {
		special = c.words[key+".other"]
	}
	return fill(special, "n", strconv.Itoa(n))
}

// direction is the language's writing direction, for the dir attribute.
func (c *catalog) direction() string {
	script, _ := c.tag.Script()
	if slices.Contains([]string{"Arab", "Hebr", "Thaa", "Syrc", "Nkoo"}, script.String()) {
		return "rtl"
	}
	return "ltr"
}

// languages are the catalogues, the default one first.
type languages struct {
	list    []*catalog
	matcher language.Matcher
}

// longestTag is how much of a language tag is looked at; honest ones are far shorter.
const longestTag = 128

// match returns the catalogue that suits a language tag best, the default one if none does.
func (l *languages) match(tag string) *catalog {
	if tag == "" || len(tag) > longestTag {
		return l.list[0]
	}
	t, err := language.Parse(tag)
	if err != nil {
		return l.list[0]
	}
	_, i, confidence := l.matcher.Match(t)
	if confidence == language.No {
		return l.list[0]
	}
	return l.list[i]
}

// newLanguages reads the catalogues of this package and the host's, and reports every missing, unknown or
// unusable text at once.
func newLanguages(first string, own, host fs.FS) (*languages, error) {
	all := map[language.Tag]*catalog{}
	var problems []error
	for _, folder := range []fs.FS{own, host} {
		if folder == nil {
			continue
		}
		names, err := fs.Glob(folder, "*.json")
		problems = append(problems, err)
		// Shorter tags come first, so that de-AT is what de is but for its own texts.
		slices.SortFunc(names, func(a, b string) int { return len(a) - len(b) })
		for _, name := range names {
			problems = append(problems, readCatalog(all, folder, name))
		}
	}
	english := all[language.English]
	for _, c := range all {
		problems = append(problems, c.check(english)...)
	}
	tag, err := language.Parse(first)
	if err != nil || all[tag] == nil {
		problems = append(problems, fmt.Errorf("Language is %q; there is no catalogue for it", first))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(slices.Collect(maps.Keys(all)), func(t language.Tag) bool { return t == tag })
	slices.SortFunc(others, func(a, b language.Tag) int { return strings.Compare(a.String(), b.String()) })
	tags := append([]language.Tag{tag}, others...)
	l := &languages{matcher: language.NewMatcher(tags)}
	for _, t := range tags {
		l.list = append(l.list, all[t])
	}
	return l, nil
}

// readCatalog adds what the file says to the catalogue of its language, which begins as a copy of the nearest
// wider one.
func readCatalog(all map[language.Tag]*catalog, folder fs.FS, name string) error {
	tag, err := language.Parse(strings.TrimSuffix(path.Base(name), ".json"))
	if err != nil {
		return fmt.Errorf("%s: its name is no language tag", name)
	}
	text, err := fs.ReadFile(folder, name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var file catalogFile
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if d.More() {
		return fmt.Errorf("%s: there is something behind the catalogue", name)
	}
	if !utf8.Valid(text) {
		return fmt.Errorf("%s: it is not UTF-8", name)
	}
	c := all[tag]
	if c == nil {
		c = &catalog{tag: tag, words: map[string]string{}, letters: map[auth.LetterKind]map[string]string{}}
		for wider := tag.Parent(); wider != language.Und; wider = wider.Parent() {
			if base := all[wider]; base != nil {
				c.take(catalogFile{base.words, base.letters})
				break
			}
		}
		all[tag] = c
	}
	c.take(file)
	return nil
}

// take copies the texts of a file over those that there are.
func (c *catalog) take(file catalogFile) {
	maps.Copy(c.words, file.Words)
	for kind, texts := range file.Letters {
		if c.letters[kind] == nil {
			c.letters[kind] = map[string]string{}
		}
		maps.Copy(c.letters[kind], texts)
	}
}

var (
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
	pluralKey   = regexp.MustCompile(`\.(zero|one|two|few|many)$`)
	// freeKeys are words that a language may have beyond the English ones: names of time zones, and of methods,
	// such as of the host's providers.
	freeKeys = regexp.MustCompile(`^(zone\.[A-Z]+|method\.[a-z0-9-]+)$`)
)

// check reports what the catalogue lacks, has too much, or cannot use.
func (c *catalog) check(english *catalog) []error {
	var problems []error
	report := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("catalogue %s: "+format, append([]any{c.tag}, args...)...))
	}
	for _, key := range slices.Sorted(maps.Keys(english.words)) {
		if c.words[key] == "" && !pluralKey.MatchString(key) {
			report("the word %s is missing", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.words)) {
		model, known := english.words[key]
		if !known {
			model, known = english.words[pluralKey.ReplaceAllString(key, ".other")]
		}
		if !known && !freeKeys.MatchString(key) {
			report("%s is no word of any letter", key)
			continue
		}
		c.checkText(report, "the word "+key, c.words[key], placeholders(model), !pluralKey.MatchString(key))
	}
	for _, name := range slices.Sorted(maps.Keys(c.letters)) {
		if _, known := kinds[name]; !known {
			report("there are no letters of the kind %q", string(name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		texts, fields := c.letters[name], kinds[name].fields()
		for _, field := range fields {
			if texts[field] == "" {
				report("%s has no %s", name, field)
			}
		}
		for _, field := range slices.Sorted(maps.Keys(texts)) {
			if !slices.Contains(fields, field) && !slices.Contains(mayHave, field) {
				report("%s cannot have a text %q", name, field)
			}
			c.checkText(report, string(name)+"."+field, texts[field], []string{"{product}"}, false)
		}
		if len(texts["subject"]) > longestSubject {
			report("%s.subject has more than %d bytes", name, longestSubject)
		}
	}
	return problems
}

// checkText reports what is wrong with one text. It may have these placeholders, and if all is set, it must.
func (c *catalog) checkText(report func(format string, args ...any), where, text string, may []string, all bool) {
	if len(text) > longestText {
		report("%s has more than %d bytes", where, longestText)
	}
	if strings.ContainsFunc(text, unicode.IsControl) { // a line break could end a header
		report("%s has a line break or a control character", where)
	}
	has := placeholders(text)
	for _, p := range has {
		if !slices.Contains(may, p) {
			report("%s has the placeholder %s, which nothing fills", where, p)
		}
	}
	for _, p := range may {
		if all && text != "" && !slices.Contains(has, p) {
			report("%s lacks the placeholder %s", where, p)
		}
	}
}

func placeholders(text string) []string {
	found := placeholder.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}
