package authhttp

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

//go:embed catalog/*.json
var catalogFiles embed.FS

// catalog is all texts of one language: key to sentence, with {name} where something is put in. A text
// that depends on a number has one key for each plural form that the language tells apart ("x.one",
// "x.other", … after CLDR).
type catalog struct {
	tag   language.Tag
	texts map[string]string
}

func (c *catalog) has(key string) bool {
	_, ok := c.texts[key]
	return ok
}

// text returns the sentence with its placeholders filled from pairs of name and value.
func (c *catalog) text(key string, pairs ...string) string {
	s, ok := c.texts[key]
	if !ok {
		return key
	}
	return fill(s, pairs)
}

// fill puts values in the place of their names in braces. What it puts in is not looked at again.
func fill(s string, pairs []string) string {
	var filled strings.Builder
	for {
		before, after, opened := strings.Cut(s, "{")
		name, rest, closed := strings.Cut(after, "}")
		if !opened || !closed {
			filled.WriteString(s)
			return filled.String()
		}
		filled.WriteString(before)
		if value, ok := valueOf(pairs, name); ok {
			filled.WriteString(value)
			s = rest
		} else {
			filled.WriteByte('{')
			s = after
		}
	}
}

func valueOf(pairs []string, name string) (value string, ok bool) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == name {
			return pairs[i+1], true
		}
	}
	return "", false
}

// either returns the sentence of the first key that there is.
func (c *catalog) either(keys ...string) string {
	for _, key := range keys {
		if c.has(key) {
			return c.text(key)
		}
	}
	return ""
}

var pluralForms = map[plural.Form]string{
	plural.Zero: ".zero", plural.One: ".one", plural.Two: ".two", plural.Few: ".few", plural.Many: ".many",
}

// plural returns the sentence for the number n, which fills {n}.
func (c *catalog) plural(key string, n int) string {
	form := plural.Cardinal.MatchPlural(c.tag, n, 0, 0, 0, 0)
	if special := key + pluralForms[form]; form != plural.Other && c.has(special) {
		key = special
	} else {
		key += ".other"
	}
	return c.text(key, "n", strconv.Itoa(n))
}

// direction is the lang's writing direction, for the dir attribute.
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

	mu      sync.RWMutex
	matched map[string]*catalog // by Accept-Language; browsers send few different ones, all of them with every request
}

const (
	// acceptLimit is how much of an Accept-Language is looked at; honest ones are far shorter.
	acceptLimit = 256
	// matchedLimit is how many answers are remembered. Whoever fills the room with nonsense only makes the
	// others be matched anew, at every request.
	matchedLimit = 256
)

// match returns the catalogue that suits an Accept-Language best.
func (l *languages) match(accept string) *catalog {
	if accept == "" || len(accept) > acceptLimit {
		return l.list[0]
	}
	l.mu.RLock()
	c := l.matched[accept]
	l.mu.RUnlock()
	if c != nil {
		return c
	}
	c = l.best(accept)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.matched) < matchedLimit {
		l.matched[strings.Clone(accept)] = c // a part of a longer text would keep all of it
	}
	return c
}

func (l *languages) best(accept string) *catalog {
	tags, _, err := language.ParseAcceptLanguage(accept)
	if err != nil || len(tags) == 0 {
		return l.list[0]
	}
	_, i, confidence := l.matcher.Match(tags...)
	if confidence == language.No {
		return l.list[0]
	}
	return l.list[i]
}

// find returns the catalogue for a language tag, or nil if there is none that its speakers can read.
func (l *languages) find(tag string) *catalog {
	t, err := language.Parse(tag)
	if tag == "" || err != nil {
		return nil
	}
	_, i, confidence := l.matcher.Match(t)
	if confidence < language.High {
		return nil
	}
	return l.list[i]
}

// newLanguages reads the catalogues of this package and the host's, and reports every missing, unknown or
// differently filled text at once.
func newLanguages(first string, extra map[string]map[string]string) (*languages, error) {
	all, err := ownCatalogs()
	if err != nil {
		return nil, err
	}
	var problems []error
	base := maps.Clone(all[language.English].texts)
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		tag, err := language.Parse(name)
		if err != nil {
			problems = append(problems, fmt.Errorf("Catalogs has %q, which is no language tag", name))
			continue
		}
		if all[tag] == nil {
			all[tag] = &catalog{tag, map[string]string{}}
		}
		maps.Copy(all[tag].texts, extra[name])
		problems = append(problems, compareTexts(name, base, all[tag].texts)...)
	}
	l := &languages{matched: map[string]*catalog{}}
	tag, err := language.Parse(first)
	if err != nil || all[tag] == nil {
		return nil, errors.Join(append(problems, fmt.Errorf("Language is %q; there is no catalogue for it", first))...)
	}
	tags := []language.Tag{tag}
	for other := range all {
		if other != tag {
			tags = append(tags, other)
		}
	}
	slices.SortFunc(tags[1:], func(a, b language.Tag) int { return strings.Compare(a.String(), b.String()) })
	for _, t := range tags {
		l.list = append(l.list, all[t])
	}
	l.matcher = language.NewMatcher(tags)
	return l, errors.Join(problems...)
}

func ownCatalogs() (map[language.Tag]*catalog, error) {
	all := map[language.Tag]*catalog{}
	for _, name := range []string{"en", "de"} {
		text, err := catalogFiles.ReadFile("catalog/" + name + ".json")
		if err != nil {
			return nil, fmt.Errorf("authhttp: catalogue %s: %w", name, err)
		}
		c := &catalog{tag: language.MustParse(name)}
		if err := json.Unmarshal(text, &c.texts); err != nil {
			return nil, fmt.Errorf("authhttp: catalogue %s: %w", name, err)
		}
		all[c.tag] = c
	}
	return all, nil
}

var (
	placeholder = regexp.MustCompile(`\{[a-z_]+\}`)
	pluralKey   = regexp.MustCompile(`\.(zero|one|two|few|many)$`)
)

// compareTexts reports what a catalogue lacks, has too much, or fills otherwise than base. Plural forms
// other than ".other" differ from language to language.
func compareTexts(name string, base, texts map[string]string) []error {
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(base)) {
		got, ok := texts[key]
		switch {
		case !ok && !pluralKey.MatchString(key):
			problems = append(problems, fmt.Errorf("catalogue %s: %s is missing", name, key))
		case ok && !pluralKey.MatchString(key) && !slices.Equal(placeholders(base[key]), placeholders(got)):
			problems = append(problems, fmt.Errorf("catalogue %s: %s must have the placeholders %v", name, key, placeholders(base[key])))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		if _, ok := base[pluralKey.ReplaceAllString(key, ".other")]; !ok && !hasKey(base, key) {
			problems = append(problems, fmt.Errorf("catalogue %s: %s is not a text of any page", name, key))
		}
	}
	return problems
}

func hasKey(texts map[string]string, key string) bool { _, ok := texts[key]; return ok }

func placeholders(text string) []string {
	found := placeholder.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}
