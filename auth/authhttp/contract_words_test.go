package authhttp_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

// This file gathers what openapi.json and ERRORS.md say: the codes and their meaning from the constants of the
// machine, the fields from the tables of the handler, the sentences from the catalogue, and what no code says
// from contract/words.json.

// word is a code with its meaning.
type word struct{ Code, Text string }

// advice is what a client should know of the code of a refusal.
type advice struct {
	Code, Statuses, When, Do, Retry string
	Sentences                       []string
}

// words is contract/words.json.
type words struct {
	Retry                    map[string]string
	Codes                    map[string]advice
	Goals, Actions, Outcomes map[string]string
	Fields                   map[string]string
}

func readWords(t testing.TB) words {
	t.Helper()
	data, err := os.ReadFile("contract/words.json")
	require.NoError(t, err)
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	var w words
	require.NoError(t, dec.Decode(&w))
	return w
}

// comments returns what a source file says of the constants of a block, in their order; the block is the one
// that begins with the given name.
func comments(t testing.TB, file, first string) []word {
	t.Helper()
	parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, parser.ParseComments)
	require.NoError(t, err)
	for _, d := range parsed.Decls {
		block, ok := d.(*ast.GenDecl)
		if !ok || block.Tok != gotoken.CONST || block.Specs[0].(*ast.ValueSpec).Names[0].Name != first {
			continue
		}
		var list []word
		for _, s := range block.Specs {
			spec := s.(*ast.ValueSpec)
			w := word{Code: spec.Names[0].Name, Text: strings.TrimSpace(spec.Comment.Text())}
			if len(spec.Values) == 1 {
				if text, ok := spec.Values[0].(*ast.BasicLit); ok {
					w.Code, err = strconv.Unquote(text.Value)
					require.NoError(t, err)
				}
			}
			list = append(list, w)
		}
		return list
	}
	t.Fatalf("%s has no block of constants that begins with %s", file, first)
	return nil
}

// vocabulary returns the codes of each kind, in the order of their declaration.
func vocabulary(t testing.TB) map[string][]word {
	t.Helper()
	w := readWords(t)
	declared := func(file, first string, code func(int) string) []word {
		list := comments(t, file, first)
		for i := range list {
			list[i].Code = code(i)
		}
		return list
	}
	all := map[string][]word{
		"goals":      declared("../flow/nouns.go", "SignIn", func(i int) string { return (flow.SignIn + flow.Goal(i)).String() }),
		"methods":    declared("../flow/nouns.go", "Password", func(i int) string { return (flow.Password + flow.Method(i)).String() }),
		"needs":      declared("../flow/need.go", "NoNeed", func(i int) string { return flow.Need(i).String() }),
		"phases":     declared("../flow/flow.go", "New", func(i int) string { return flow.Phase(i).String() }),
		"outcomes":   declared("../flow/flow.go", "Open", func(i int) string { return flow.Outcome(i).String() }),
		"reasons":    declared("../flow/reason.go", "BadCredentials", func(i int) string { return flow.Reasons()[i].String() }),
		"activities": activities(t),
		"problems": append(comments(t, "../../password/review.go", "TooShort"),
			word{auth.ProblemUnchanged, "the compromised password again"}),
	}
	// A flow that an answer tells of has begun and waits for nobody but the person.
	all["phases"] = slices.DeleteFunc(all["phases"], func(p word) bool {
		return p.Code == flow.New.String() || p.Code == flow.Working.String()
	})
	for i, o := range all["outcomes"] {
		all["outcomes"][i].Text = w.Outcomes[o.Code] // the comments speak to Go
	}
	for _, a := range machineActions() {
		text := w.Actions[a.name]
		if _, here := authhttp.ActionFields()[a.name]; !here {
			text = "Needs what no request can carry yet; leave it out."
		}
		all["actions"] = append(all["actions"], word{a.name, text})
	}
	all["needs"][0].Text = "nothing is"
	all["methods"][0].Text = "something that the person knows"
	return all
}

// activities are what an entry of what happened can tell of.
func activities(t testing.TB) []word { return comments(t, "../activity.go", "ActivitySignedIn") }

// catalogueSentences are the English sentences that go with a code, with examples in their gaps.
func catalogueSentences(code string) []string {
	keys := []string{"reason." + code, "reason." + code + ".wait"}
	switch code {
	case authhttp.FaultCode:
		keys = []string{"error.fault"}
	case flow.Malformed.String():
		keys = append(keys, "error.method", "error.too-large", "error.media-type")
	}
	return sentences(keys...)
}

func sentences(keys ...string) []string {
	fill := strings.NewReplacer("{wait}", "in 2 minutes", "{min}", "15", "{max}", "256")
	var list []string
	for _, key := range keys {
		if text, ok := authhttp.Texts("en")[key]; ok {
			list = append(list, fill.Replace(text))
		}
	}
	return list
}

// catalogue is every code that an answer can have, in the order of its declaration, the fault last.
func catalogue(t testing.TB) []advice {
	t.Helper()
	w := readWords(t)
	var list []advice
	for _, r := range flow.Reasons() {
		statuses := strconv.Itoa(authhttp.StatusOf(r))
		if r == flow.Malformed {
			statuses += ", 405, 413 or 415"
		}
		list = append(list, advice{Code: r.String(), Statuses: statuses})
	}
	list = append(list, advice{Code: authhttp.FaultCode, Statuses: "500"})
	require.Len(t, w.Codes, len(list), "words.json has a code that there is not, or lacks one")
	for i, a := range list {
		said, ok := w.Codes[a.Code]
		require.True(t, ok, "words.json says nothing of %s", a.Code)
		require.Contains(t, w.Retry, said.Retry, a.Code)
		list[i].When, list[i].Do, list[i].Retry = said.When, said.Do, said.Retry
		list[i].Sentences = catalogueSentences(a.Code)
		require.NotEmpty(t, list[i].Sentences, a.Code)
	}
	return list
}

// scene is an answer of the handler that the document shows as an example.
type scene struct {
	target, body string
	progress     auth.Progress
	err          error
}

const (
	exampleID     = "Vb2cGqfKTQ6bQ5qzPjQ0Mw"
	exampleToken  = auth.NativeSessionMark + "Qm3xJ8vYc1Zt5sWf0uKd7nRb2hLg9pEa4iTo6yUwXe"
	exampleHandle = exampleID + ".m0Yp2mJwq8nYy3b1W7h5o2xL4s9d0FQe6rTzKcVaUuI"
)

func scenes() map[string]scene {
	example := func(v flow.View, returnTo string) auth.Progress {
		p := at(v)
		p.FlowID, p.Handle, p.ReturnTo = exampleID, auth.NewSecret(exampleHandle), returnTo
		return p
	}
	step := func(p auth.Progress) scene {
		return scene{"/auth/flow", `{"flow":"x","action":"password","password":"x"}`, p, nil}
	}
	refused := func(v flow.View, r flow.Refusal) scene { return step(example(refusedView(v, r), "/inbox")) }
	signedIn := granted(flow.SignIn, true)
	signedIn.FlowID, signedIn.Handle = exampleID, auth.NewSecret(exampleHandle)
	signedIn.View.Address = "Ada@example.com"
	nativeProgress := signedIn
	nativeProgress.Device = auth.NewSecret("cardea_dt_1.ZGV2aWNlIG9mIGFuIGFwcA")
	nativeProgress.Session = &auth.IssuedSession{Session: signedIn.Session.Session, Token: auth.NewSecret(exampleToken)}
	return map[string]scene{
		"begun":         step(example(identifyView(), "/")),
		"identified":    step(example(passwordView(), "/inbox")),
		"granted":       step(signedIn),
		"grantedNative": {"/auth/flow", `{"flow":"x","action":"password","password":"x","client":"native"}`, nativeProgress, nil},
		"cancelled":     step(example(endedView(flow.Cancelled), "/inbox")),
		"wrong":         refused(passwordView(), flow.Refusal{Reason: flow.BadCredentials}),
		"rejected":      refused(newPasswordView(), flow.Refusal{Reason: flow.PasswordRejected, Problem: "common"}),
		"waiting":       refused(passwordView(), flow.Refusal{Reason: flow.TooManyAttempts, RetryAt: now.Add(90 * time.Second)}),
		"used":          {"/auth/flow", `{"flow":"x","action":"cancel"}`, auth.Progress{}, flow.Deny(flow.Stale)},
		"over":          {"/auth/flow", `{"flow":"x","action":"cancel"}`, auth.Progress{}, flow.Deny(flow.Expired)},
		"session":       {"/auth/session", "", auth.Progress{}, nil},
		"sessions":      {"/auth/sessions", "", auth.Progress{}, nil},
		"devices":       {"/auth/devices", "", auth.Progress{}, nil},
		"factors":       {"/auth/factors", "", auth.Progress{}, nil},
		"connections":   {"/auth/connections", "", auth.Progress{}, nil},
		"activity":      {"/auth/activity", "", auth.Progress{}, nil},
	}
}

// play returns what the handler answers in the scene.
func play(t testing.TB, name string) string {
	t.Helper()
	s, ok := scenes()[name]
	require.True(t, ok, name)
	f := ada()
	f.progress, f.err = s.progress, s.err
	q := request{target: s.target, cookies: bothCookie, header: wantJSON}
	if s.body != "" {
		q.method, q.body = "POST", s.body
	}
	if strings.Contains(s.body, "native") {
		q = native(s.target, s.body, "")
	}
	return open(t, f, nativeOn).do(q).Body.String()
}

// field returns the schema of a request's field; one that must be there must not be empty.
func fieldSchema(t testing.TB, name string, must bool) map[string]any {
	t.Helper()
	kind, limit := authhttp.FieldKind(name)
	require.NotEmpty(t, kind, "no request may have %s", name)
	said := readWords(t).Fields[name]
	require.NotEmpty(t, said, "words.json says nothing of the field %s", name)
	schema := map[string]any{"type": map[string]string{"text": "string", "flag": "boolean", "number": "integer", "object": "object"}[kind]}
	switch {
	case name == "level":
		schema["enum"] = levels()[1:]
	case name == "enrol":
		schema["enum"] = enrollable()
	case kind == "text":
		schema["maxLength"] = limit
		if must && name != "flow" {
			schema["minLength"] = 1
		}
	case kind == "number":
		schema["minimum"], schema["maximum"] = 1, int(authhttp.MaxAge/time.Second)
	}
	schema["description"] = said
	return schema
}

// levels are the names of the levels of assurance, none first.
func levels() []string {
	var list []string
	for l := flow.Assurance(0); l <= flow.AAL3; l++ {
		list = append(list, l.String())
	}
	return list
}

// enrollable are the methods that the machine lets an enrolment begin with.
func enrollable() []string {
	var list []string
	for m := flow.Password; m <= flow.Approval; m++ {
		acting := flow.Acting{Session: "s", Subject: flow.Subject{Account: "a", Status: flow.Active}}
		begin := flow.Begin{Goal: flow.Enrolment, Target: flow.Target{Enrol: m}, Acting: acting}
		if _, _, err := flow.Step(flow.Policy{Limits: flow.DefaultLimits()}, flow.Flow{}, begin, now); err == nil {
			list = append(list, m.String())
		}
	}
	return list
}

// bullets is a list of codes with their meanings, in Markdown.
func bullets(list []word) string {
	var b strings.Builder
	for _, w := range list {
		fmt.Fprintf(&b, "- `%s`: %s\n", w.Code, w.Text)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
