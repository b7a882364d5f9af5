package authhttp_test

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/authhttp"
)

// bodies lists the schemas of the objects that a request may be, by following oneOf and references.
func (d *document) bodies(pointer string) []string {
	pointer = d.resolve(pointer)
	branches, _ := d.at(pointer)["oneOf"].([]any)
	if branches == nil {
		return []string{pointer}
	}
	var list []string
	for i := range branches {
		list = append(list, d.bodies(below(pointer, "oneOf", strconv.Itoa(i)))...)
	}
	return list
}

// sample is a value that the schema of a field lets through.
func (d *document) sample(pointer string) any {
	schema := d.at(d.resolve(pointer))
	if fixed, ok := schema["const"]; ok {
		return fixed
	}
	if codes, ok := schema["enum"].([]any); ok {
		return codes[0]
	}
	if schema["type"] == "object" {
		return map[string]any{"id": "x", "response": map[string]any{"brace": "}\\\"{"}}
	}
	return map[any]any{"boolean": true, "integer": 60.0, "string": "x"}[schema["type"]]
}

// object is a body of the schema: with all its fields, or with those that must be there.
func (d *document) object(pointer string, all bool) map[string]any {
	body := map[string]any{}
	required, _ := d.at(pointer)["required"].([]any)
	properties, _ := d.at(pointer)["properties"].(map[string]any)
	for name := range properties {
		if all || slices.Contains(required, any(name)) {
			body[name] = d.sample(below(pointer, "properties", name))
		}
	}
	return body
}

// poster sends bodies to one path, and reports what came of it.
type poster struct {
	t    *testing.T
	path string
	site site
}

func (p poster) send(body map[string]any) (int, *fake) {
	p.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(p.t, err)
	*p.site.f = *ada()
	if body["client"] == nil && body["device_token"] != nil && p.path != "/flow" {
		return p.site.do(native("/auth"+p.path, string(text), "Bearer "+bearer)).Code, p.site.f // which is how such a client is told
	}
	if body["client"] == "native" {
		return p.site.do(native("/auth"+p.path, string(text), "")).Code, p.site.f
	}
	return p.site.post("/auth"+p.path, string(text)).Code, p.site.f
}

func (p poster) accepts(body map[string]any) *fake {
	p.t.Helper()
	status, f := p.send(body)
	require.Equal(p.t, 200, status, "%s: %v", p.path, body)
	require.True(p.t, f.changed(), "%v did not reach the service", body)
	return f
}

func (p poster) refuses(body map[string]any, why string) {
	p.t.Helper()
	status, f := p.send(body)
	require.Equal(p.t, 400, status, "%s, %s: %v", p.path, why, body)
	require.False(p.t, f.changed(), why)
}

func changed(body map[string]any, name string, value any) map[string]any {
	other := maps.Clone(body)
	other[name] = value
	if value == nil {
		delete(other, name)
	}
	return other
}

// TestRequestsAreAcceptedAsDocumented sends every kind of body that the document has. With its least and with
// all its fields it reaches the service; a field less or a field more, and it is refused.
func TestRequestsAreAcceptedAsDocumented(t *testing.T) {
	d := loadDocument(t, "openapi.json")
	kinds := 0
	for path, op := range d.operations() {
		if d.at(below(op, "requestBody")) == nil {
			continue
		}
		for _, pointer := range d.bodies(below(op, "requestBody", "content", "application/json", "schema")) {
			kinds++
			t.Run(strings.TrimPrefix(pointer, "#/components/schemas/"), func(t *testing.T) { d.tryBody(t, path, pointer) })
		}
	}
	require.Equal(t, len(authhttp.GoalFields())+len(authhttp.ActionFields())+7, kinds, "a kind of body is not tried")
}

func (d *document) tryBody(t *testing.T, path, pointer string) {
	p := poster{t, path, open(t, ada(), nativeOn)}
	least, whole := d.object(pointer, false), d.object(pointer, true)
	p.accepts(least)
	all := whole
	if _, confirms := whole["operation"]; confirms {
		d.tryConfirming(t, p, pointer, whole)
		whole = changed(whole, "operation", nil)
	}
	if path == "/flow" {
		require.Equal(t, "browser", whole["client"])
		p.refuses(whole, "a browser's device token")
		browser := changed(whole, "device_token", nil)
		p.accepts(browser).received(t, browser)
		p.refuses(changed(whole, "client", nil), "nobody's device token")
		p.refuses(changed(browser, "client", "unheard-of"), "a client that there is not")
		whole["client"] = "native"
	}
	p.accepts(whole).received(t, whole)
	for name := range least {
		if path != "/sign-out" {
			p.refuses(changed(least, name, nil), "without "+name)
		}
	}
	for _, name := range append(authhttp.Fields(), "unheard-of") {
		if _, there := all[name]; !there {
			kind, _ := authhttp.FieldKind(name)
			value := map[string]any{"text": "x", "flag": true, "number": 60, "object": map[string]any{}, "": "x"}[kind]
			p.refuses(changed(least, name, value), "with "+name)
		}
	}
	for name := range whole {
		if name == "client" {
			continue
		}
		d.tryField(t, p, below(pointer, "properties", name), whole, name)
	}
}

// tryField breaks each limit of a field.
func (d *document) tryField(t *testing.T, p poster, pointer string, body map[string]any, name string) {
	schema := d.at(d.resolve(pointer))
	if n, ok := schema["maxLength"].(float64); ok {
		p.accepts(changed(body, name, strings.Repeat("x", int(n))))
		p.refuses(changed(body, name, strings.Repeat("x", int(n)+1)), name+" is too long")
	}
	if schema["minLength"] != nil {
		p.refuses(changed(body, name, ""), name+" is empty")
	}
	if n, ok := schema["maximum"].(float64); ok {
		p.accepts(changed(body, name, n))
		p.refuses(changed(body, name, n+1), name+" is too large")
		p.refuses(changed(body, name, schema["minimum"].(float64)-1), name+" is too small")
	}
	codes, _ := schema["enum"].([]any)
	for _, code := range codes {
		p.accepts(changed(body, name, code))
	}
	if codes != nil {
		p.refuses(changed(body, name, "unheard-of"), name+" is a code that there is not")
	}
	switch schema["type"] {
	case "string":
		p.refuses(changed(body, name, true), name+" is no text")
	case "boolean", "integer", "object":
		p.refuses(changed(body, name, "x"), name+" is a text")
	}
	if schema["type"] == "object" {
		p.refuses(changed(body, name, []any{}), name+" is a list")
		p.refuses(changed(body, name, map[string]any{"x": strings.Repeat("x", 16<<10)}), name+" is too long")
	}
}

// received checks that no field of a body was ignored on its way to the service.
func (f *fake) received(t *testing.T, body map[string]any) {
	t.Helper()
	in, target, client := f.continued.Inputs, f.begun.Target, f.continued.Client
	if body["goal"] != nil {
		in, client = f.begun.Inputs, f.begun.Client
	} else if body["flow"] == nil {
		client.Device = f.device
	}
	got := map[string]any{
		"goal": f.begun.Goal.String(), "return_to": f.begun.ReturnTo, "level": target.Assurance.String(),
		"max_age": target.MaxAge.Seconds(), "enrol": target.Enrol.String(), "flow": f.continued.Handle.Reveal(),
		"action": f.continued.Action, "identifier": in.Identifier, "password": in.Password.Reveal(),
		"new_password": in.NewPassword.Reveal(), "code": in.Code.Reveal(), "credential": in.Credential.Reveal(), "connection": cmp.Or(in.Connection, target.Connection),
		"keep": in.Keep, "trust": in.Trust, "end_others": in.EndOthers,
		"client": map[bool]string{true: "native", false: "browser"}[client.Native], "device_token": client.Device.Reveal(),
		"id": f.ended, "others": slices.Contains(f.calls, "end-others"),
		"name": cmp.Or(f.named, in.Name), "remove": target.Remove, "operation": f.read, "all": slices.Contains(f.calls, "remove-devices"),
	}
	for name, value := range body {
		if _, object := value.(map[string]any); object {
			text, err := json.Marshal(value)
			require.NoError(t, err)
			value = string(text)
		}
		require.Equal(t, value, got[name], name)
	}
}
