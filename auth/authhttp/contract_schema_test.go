package authhttp_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// document is openapi.json. It checks values against its schemas, with the part of JSON Schema that the document
// uses and a failure at anything else, and remembers what it has seen, so that a test can ask what it has not.
type document struct {
	root map[string]any
	seen map[string]bool // properties and codes, by where the document has them
}

func loadDocument(t testing.TB, path string) *document {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	d := &document{seen: map[string]bool{}}
	require.NoError(t, json.Unmarshal(text, &d.root))
	return d
}

// at returns what stands under a pointer, such as "#/components/schemas/Error".
func (d *document) at(pointer string) map[string]any {
	var here any = d.root
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "#/"), "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch v := here.(type) {
		case map[string]any:
			here = v[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(v) {
				return nil
			}
			here = v[i]
		}
	}
	found, _ := here.(map[string]any)
	return found
}

// below is the pointer to a part of what another points to.
func below(pointer string, parts ...string) string {
	for _, part := range parts {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(part)
	}
	return pointer
}

// resolve follows a reference.
func (d *document) resolve(pointer string) string {
	if ref, ok := d.at(pointer)["$ref"].(string); ok {
		return d.resolve(ref)
	}
	return pointer
}

// check says what is wrong with a value, and remembers what it met if nothing is.
func (d *document) check(pointer string, value any) error {
	met := map[string]bool{}
	if err := d.valid(pointer, value, met); err != nil {
		return err
	}
	maps.Copy(d.seen, met)
	return nil
}

// keyword checks one keyword of the schema under pointer.
type keyword func(d *document, pointer string, want, value any, met map[string]bool) error

// keywords are those that say something of a value. Each says nothing of values of another type.
func keywords() map[string]keyword {
	silent := func(*document, string, any, any, map[string]bool) error { return nil }
	return map[string]keyword{
		"title": silent, "description": silent, "discriminator": silent, "required": checkRequired, "type": checkType,
		"const": checkConst, "enum": checkEnum, "properties": checkProperties, "additionalProperties": checkAdditional,
		"items": checkItems, "allOf": checkAll, "anyOf": checkSome, "oneOf": checkSome, "format": checkFormat,
		"minLength": checkLength, "maxLength": checkLength, "minimum": checkBound, "maximum": checkBound, "pattern": checkPattern,
		"dependentSchemas": checkDependent,
		"$ref": func(d *document, _ string, want, value any, met map[string]bool) error {
			return d.valid(want.(string), value, met)
		},
	}
}

func (d *document) valid(pointer string, value any, met map[string]bool) error {
	schema := d.at(pointer)
	if schema == nil {
		return fmt.Errorf("%s: there is no schema", pointer)
	}
	all := keywords()
	for _, name := range slices.Sorted(maps.Keys(schema)) {
		check, known := all[name]
		if !known {
			return fmt.Errorf("%s: nothing here checks %q", pointer, name)
		}
		if err := check(d, below(pointer, name), schema[name], value, met); err != nil {
			return err
		}
	}
	return nil
}

func wrong(pointer string, value any) error {
	text, _ := json.Marshal(value)
	return fmt.Errorf("%s: %s", pointer, text)
}

func checkType(_ *document, p string, want, value any, _ map[string]bool) error {
	ok := false
	switch v := value.(type) {
	case map[string]any:
		ok = want == "object"
	case []any:
		ok = want == "array"
	case string:
		ok = want == "string"
	case bool:
		ok = want == "boolean"
	case float64:
		ok = want == "number" || want == "integer" && v == float64(int64(v))
	}
	if !ok {
		return wrong(p, value)
	}
	return nil
}

func checkConst(_ *document, p string, want, value any, met map[string]bool) error {
	if !reflect.DeepEqual(want, value) {
		return wrong(p, value)
	}
	met[p] = true
	return nil
}

func checkEnum(_ *document, p string, want, value any, met map[string]bool) error {
	i := slices.IndexFunc(want.([]any), func(one any) bool { return reflect.DeepEqual(one, value) })
	if i < 0 {
		return wrong(p, value)
	}
	met[below(p, strconv.Itoa(i))] = true
	return nil
}

func checkRequired(_ *document, p string, want, value any, _ map[string]bool) error {
	object, ok := value.(map[string]any)
	for _, name := range want.([]any) {
		if _, there := object[name.(string)]; ok && !there {
			return fmt.Errorf("%s: %s is missing", p, name)
		}
	}
	return nil
}

func checkProperties(d *document, p string, want, value any, met map[string]bool) error {
	object, _ := value.(map[string]any)
	for name := range want.(map[string]any) {
		if part, there := object[name]; there {
			if err := d.valid(below(p, name), part, met); err != nil {
				return err
			}
			met[below(p, name)] = true
		}
	}
	return nil
}

// checkAdditional knows the one use of the keyword that the document makes: nothing else may be there.
func checkAdditional(d *document, p string, want, value any, _ map[string]bool) error {
	if want != false {
		return fmt.Errorf("%s: only false is understood", p)
	}
	object, _ := value.(map[string]any)
	allowed, _ := d.at(strings.TrimSuffix(p, "/additionalProperties"))["properties"].(map[string]any)
	for name := range object {
		if _, ok := allowed[name]; !ok {
			return fmt.Errorf("%s: %s is not in the document", p, name)
		}
	}
	return nil
}

func checkDependent(d *document, p string, want, value any, met map[string]bool) error {
	object, _ := value.(map[string]any)
	for name := range want.(map[string]any) {
		if _, there := object[name]; there {
			if err := d.valid(below(p, name), value, met); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkItems(d *document, p string, _, value any, met map[string]bool) error {
	list, _ := value.([]any)
	for _, one := range list {
		if err := d.valid(p, one, met); err != nil {
			return err
		}
	}
	return nil
}

func checkAll(d *document, p string, want, value any, met map[string]bool) error {
	for i := range want.([]any) {
		if err := d.valid(below(p, strconv.Itoa(i)), value, met); err != nil {
			return err
		}
	}
	return nil
}

// checkSome wants one branch to fit, and of oneOf no more than one.
func checkSome(d *document, p string, want, value any, met map[string]bool) error {
	var problems []string
	fits := 0
	for i := range want.([]any) {
		own := map[string]bool{}
		if err := d.valid(below(p, strconv.Itoa(i)), value, own); err != nil {
			problems = append(problems, err.Error())
			continue
		}
		fits++
		maps.Copy(met, own)
	}
	if fits == 0 || fits > 1 && strings.HasSuffix(p, "/oneOf") {
		return fmt.Errorf("%s: %d branches fit: %s", p, fits, strings.Join(problems, "; "))
	}
	return nil
}

func checkLength(_ *document, p string, want, value any, _ map[string]bool) error {
	text, ok := value.(string)
	n, bound := utf8.RuneCountInString(text), int(want.(float64))
	if ok && (strings.HasSuffix(p, "/minLength") && n < bound || strings.HasSuffix(p, "/maxLength") && n > bound) {
		return wrong(p, value)
	}
	return nil
}

func checkBound(_ *document, p string, want, value any, _ map[string]bool) error {
	n, ok := value.(float64)
	if ok && (strings.HasSuffix(p, "/minimum") && n < want.(float64) || strings.HasSuffix(p, "/maximum") && n > want.(float64)) {
		return wrong(p, value)
	}
	return nil
}

func checkPattern(_ *document, p string, want, value any, _ map[string]bool) error {
	if text, ok := value.(string); ok && !regexp.MustCompile(want.(string)).MatchString(text) {
		return wrong(p, value)
	}
	return nil
}

func checkFormat(_ *document, p string, want, value any, _ map[string]bool) error {
	text, ok := value.(string)
	if want != "date-time" {
		return fmt.Errorf("%s: only date-time is understood", p)
	}
	if _, err := time.Parse(time.RFC3339, text); ok && err != nil {
		return wrong(p, value)
	}
	return nil
}

// unseen lists the properties and codes below a schema that no value had yet.
func (d *document) unseen(pointer string, visited map[string]bool) []string {
	if visited[pointer] {
		return nil
	}
	visited[pointer] = true
	schema := d.at(pointer)
	var list []string
	note := func(p string) {
		if !d.seen[p] {
			list = append(list, p)
		}
	}
	if _, ok := schema["const"]; ok {
		note(below(pointer, "const"))
	}
	codes, _ := schema["enum"].([]any)
	for i, code := range codes {
		if p := below(pointer, "enum", strconv.Itoa(i)); !d.seen[p] {
			list = append(list, fmt.Sprintf("%s (%v)", p, code))
		}
	}
	if ref, ok := schema["$ref"].(string); ok {
		list = append(list, d.unseen(ref, visited)...)
	}
	properties, _ := schema["properties"].(map[string]any)
	for name := range properties {
		p := below(pointer, "properties", name)
		note(p)
		list = append(list, d.unseen(p, visited)...)
	}
	if schema["items"] != nil {
		list = append(list, d.unseen(below(pointer, "items"), visited)...)
	}
	for _, combined := range []string{"allOf", "anyOf", "oneOf"} {
		branches, _ := schema[combined].([]any)
		for i := range branches {
			list = append(list, d.unseen(below(pointer, combined, strconv.Itoa(i)), visited)...)
		}
	}
	return list
}

// TestTheCheckerRefuses: a checker that lets everything through would prove nothing.
func TestTheCheckerRefuses(t *testing.T) {
	for _, c := range []struct{ schema, good, bad string }{
		{`{"type":"object","additionalProperties":false,"properties":{"a":{}}}`, `{"a":1}`, `{"b":1}`},
		{`{"type":"object","required":["a"]}`, `{"a":null}`, `{}`},
		{`{"properties":{"a":{"type":"string"}}}`, `{"a":"x"}`, `{"a":1}`},
		{`{"type":"integer","minimum":1,"maximum":3}`, `3`, `4`},
		{`{"type":"integer","minimum":1}`, `1`, `0`},
		{`{"type":"integer"}`, `2`, `2.5`},
		{`{"type":"boolean"}`, `true`, `"true"`},
		{`{"type":"string"}`, `"x"`, `null`},
		{`{"type":"array","items":{"enum":["a","b"]}}`, `["a","b"]`, `["a","c"]`},
		{`{"const":true}`, `true`, `false`},
		{`{"minLength":1,"maxLength":2}`, `"üü"`, `"üüü"`},
		{`{"minLength":1}`, `"x"`, `""`},
		{`{"pattern":"^a+$"}`, `"aa"`, `"ab"`},
		{`{"format":"date-time"}`, `"2026-03-03T14:06:30Z"`, `"2026-03-03"`},
		{`{"allOf":[{"required":["a"]},{"required":["b"]}]}`, `{"a":1,"b":1}`, `{"a":1}`},
		{`{"anyOf":[{"const":1},{"const":2}]}`, `2`, `3`},
		{`{"oneOf":[{"type":"string"},{"const":"x"}]}`, `"y"`, `"x"`},
		{`{"dependentSchemas":{"a":{"required":["b"]}}}`, `{"a":1,"b":1}`, `{"a":1}`},
		{`{"$ref":"#/other"}`, `1`, `2`},
	} {
		d := &document{seen: map[string]bool{}}
		require.NoError(t, json.Unmarshal([]byte(`{"other":{"const":1},"schema":`+c.schema+`}`), &d.root))
		for text, fits := range map[string]bool{c.good: true, c.bad: false} {
			var value any
			require.NoError(t, json.Unmarshal([]byte(text), &value))
			require.Equal(t, fits, d.check("#/schema", value) == nil, "%s: %s", c.schema, text)
		}
	}
	d := &document{root: map[string]any{"schema": map[string]any{"multipleOf": 2.0}}}
	require.Error(t, d.check("#/schema", 2.0), "a keyword that nobody checks")
}
