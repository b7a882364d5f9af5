package authhttp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

var update = flag.Bool("update", false, "write openapi.json and ERRORS.md")

// TestContractIsCurrent makes openapi.json and ERRORS.md from their templates, and fails if the files differ.
// With -update it writes them; go generate does that.
func TestContractIsCurrent(t *testing.T) {
	for name, made := range map[string][]byte{
		"openapi.json": pretty(t, fill(t, "openapi.json.tmpl")),
		"ERRORS.md":    fill(t, "ERRORS.md.tmpl"),
	} {
		if *update {
			require.NoError(t, os.WriteFile(name, made, 0o644))
			continue
		}
		there, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, string(made), string(there), "%s is out of date: go generate ./auth/authhttp", name)
	}
}

func fill(t testing.TB, name string) []byte {
	t.Helper()
	s := source{t, vocabulary(t), readWords(t)}
	made, err := template.New(name).Funcs(s.functions()).ParseFiles("contract/" + name)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, made.Execute(&b, nil))
	return b.Bytes()
}

// source is what the templates can ask for.
type source struct {
	t     testing.TB
	vocab map[string][]word
	words words
}

func (s source) functions() template.FuncMap {
	return template.FuncMap{
		"json": encode, "text": encode, "intro": s.intro, "answer": s.answer,
		"server": func() string { return authhttp.ContractServer }, "cookies": func() string { return authhttp.ContractCookies },
		"bodyKiB": func() int { return authhttp.BodyLimit >> 10 }, "flowIDLength": func() int { return authhttp.FlowIDLength },
		"handle": func() string { return exampleHandle },
		"goals":  s.goals, "actions": s.actions, "field": s.field,
		"mustField": func(name string) (string, error) { return s.field(variantField{name, true}) },
		"names":     s.names, "bullets": func(kind string) string { return bullets(s.vocab[kind]) }, "codes": s.codes,
		"inputNames": func() []string { return s.inputs(func(name, _ string) string { return name }) },
		"inputKinds": func() []string { return s.inputs(func(_, kind string) string { return kind }) },
		"levels":     func() []string { return levels()[1:] }, "assurances": levels,
		"flowStatuses": flowStatuses, "codesOf": codesOf, "statusDoc": s.statusDoc,
		"waits": func(status int) bool { return status == 429 || status == 503 },
		"example": func(status int) string {
			return map[int]string{401: "wrong", 409: "used", 410: "over", 422: "rejected", 429: "waiting"}[status]
		},
		"exampleName": func(scene string) string { return strings.ToUpper(scene[:1]) + scene[1:] },
		"errorCodes":  func() []string { return errorCodes(s.t) }, "refused": refused, "unproven": unproven, "onlyError": onlyError,
		"client": s.client,
		"errors": func() []advice { return catalogue(s.t) }, "retries": s.retries, "problems": s.problems,
	}
}

func encode(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSpace(b.String()), err
}

// intro is the document's own description, its paragraphs in one line each.
func (s source) intro() (string, error) {
	text, err := os.ReadFile("contract/intro.md")
	var paragraphs []string
	for p := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		paragraphs = append(paragraphs, strings.ReplaceAll(p, "\n", " "))
	}
	return strings.ReplaceAll(strings.Join(paragraphs, "\n\n"), "{bodyKiB}", strconv.Itoa(authhttp.BodyLimit>>10)), err
}

func (s source) answer(name string) string { return play(s.t, name) }

// request is one kind of body of POST /flow.
type variant struct {
	Name, Schema, Text string
	Must               []string
	Fields             []variantField // those beside the ones that every variant has
}

type variantField struct {
	Name string
	Must bool
}

func (s source) goals() []variant {
	var list []variant
	for _, g := range s.vocab["goals"] {
		text := strings.TrimSpace("Begins a flow for " + g.Text + ". " + s.words.Goals[g.Code])
		list = append(list, newVariant("Begin", g.Code, text, authhttp.GoalFields()[g.Code], 1))
	}
	return list
}

func (s source) actions() []variant {
	var list []variant
	table := authhttp.ActionFields()
	for _, name := range slices.Sorted(maps.Keys(table)) {
		require.NotEmpty(s.t, s.words.Actions[name], "words.json says nothing of the action %s", name)
		list = append(list, newVariant("Continue", name, s.words.Actions[name], table[name], 2))
	}
	require.Len(s.t, s.words.Actions, len(list), "words.json has an action that there is not")
	return list
}

// newVariant leaves out the first common fields, which the template writes.
func newVariant(prefix, name, text string, s authhttp.Shape, common int) variant {
	v := variant{Name: name, Schema: prefix, Text: text, Must: s.Must}
	for part := range strings.SplitSeq(name, "-") {
		v.Schema += strings.ToUpper(part[:1]) + part[1:]
	}
	for _, f := range s.Must[common:] {
		v.Fields = append(v.Fields, variantField{f, true})
	}
	for _, f := range s.May {
		v.Fields = append(v.Fields, variantField{f, false})
	}
	return v
}

func (s source) field(f any) (string, error) {
	if f, ok := f.(variantField); ok {
		return encode(fieldSchema(s.t, f.Name, f.Must))
	}
	return encode(fieldSchema(s.t, f.(string), false))
}

func (s source) names(kind string) []string {
	require.NotEmpty(s.t, s.vocab[kind], kind)
	var list []string
	for _, w := range s.vocab[kind] {
		list = append(list, w.Code)
	}
	return list
}

// codes is the schema of a closed set of codes.
func (s source) codes(kind, intro string) (string, error) {
	names, err := encode(s.names(kind))
	text, textErr := encode(intro + "\n\n" + bullets(s.vocab[kind]))
	if textErr != nil {
		err = textErr
	}
	return fmt.Sprintf(`{"type": "string", "enum": %s, "description": %s}`, names, text), err
}

// inputs are the inputs that the machine ever asks for.
func (s source) inputs(pick func(name, kind string) string) []string {
	set := map[string]bool{}
	for _, o := range machineActions() {
		for name, kind := range o.kinds {
			set[pick(name, kind)] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// errorCodes are all codes of an error: those of the reasons that are answered as one, and that of a fault.
func errorCodes(t testing.TB) []string {
	var list []string
	for _, a := range catalogue(t) {
		if a.Statuses != "200" {
			list = append(list, a.Code)
		}
	}
	return list
}

// flowStatuses are the statuses of the reasons, without that of what was asked for.
func flowStatuses() []int {
	set := map[int]bool{}
	for _, r := range flow.Reasons() {
		set[authhttp.StatusOf(r)] = true
	}
	delete(set, 200)
	return slices.Sorted(maps.Keys(set))
}

func codesOf(status int) []string {
	var list []string
	for _, r := range flow.Reasons() {
		if authhttp.StatusOf(r) == status {
			list = append(list, r.String())
		}
	}
	return list
}

func (s source) statusDoc(status int) (string, error) {
	var list []word
	for _, r := range s.vocab["reasons"] {
		if slices.Contains(codesOf(status), r.Code) {
			list = append(list, r)
		}
	}
	return encode("Refused:\n\n" + bullets(list))
}

// onlyError is the schema of a refusal without a View, for some reasons.
func onlyError(reasons ...string) (string, error) {
	list, err := encode(reasons)
	return fmt.Sprintf(`{"allOf": [{"$ref": "#/components/schemas/ErrorAnswer"}, {"properties": {"error": {"properties": {"code": {"enum": %s}}}}}]}`, list), err
}

// refused is the answer that such a refusal is.
func refused(description string, reasons ...string) (string, error) {
	return refusedWith("", description, reasons)
}

// unproven is one with the header that tells native clients what to prove.
func unproven(description string, reasons ...string) (string, error) {
	return refusedWith(`"headers": {"WWW-Authenticate": {"$ref": "#/components/headers/WWW-Authenticate"}}, `, description, reasons)
}

func refusedWith(headers, description string, reasons []string) (string, error) {
	text, textErr := encode(description)
	schema, err := onlyError(reasons...)
	return fmt.Sprintf(`{"description": %s, %s"content": {"application/json": {"schema": %s}}}`, text, headers, schema), errors.Join(err, textErr)
}

// client is the schema of the field that says who asks.
func (s source) client() (string, error) {
	said, err := encode(s.words.Fields["client"])
	return fmt.Sprintf(`{"type": "string", "enum": ["browser", "native"], "description": %s}`, said), err
}

func (s source) retries() []struct{ Name, Text string } {
	var list []struct{ Name, Text string }
	for _, a := range catalogue(s.t) {
		row := struct{ Name, Text string }{a.Retry, s.words.Retry[a.Retry]}
		if !slices.Contains(list, row) {
			list = append(list, row)
		}
	}
	require.Len(s.t, s.words.Retry, len(list), "words.json has a way to retry that no code has")
	return list
}

func (s source) problems() []advice {
	var list []advice
	for _, p := range s.vocab["problems"] {
		said := sentences("problem." + p.Code)
		require.Len(s.t, said, 1, p.Code)
		list = append(list, advice{Code: p.Code, When: p.Text, Sentences: said})
	}
	return list
}
