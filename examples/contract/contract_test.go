package contract_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	"github.com/pb33f/libopenapi/datamodel"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/examples/contract"
	"github.com/cardea-auth/cardea/password"
	"github.com/cardea-auth/cardea/session"
)

const (
	file    = "../../auth/authhttp/openapi.json"
	origin  = "https://app.example"
	address = "ada@example.com"
	right   = "kettle orbit velvet ninety"
	newer   = "violet ladder umbrella thirty"
)

func document(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return text
}

// TestTheDocumentIsOpenAPI checks the document against the schema that the OpenAPI Initiative published for 3.1,
// and reads it with a library that follows every reference.
func TestTheDocumentIsOpenAPI(t *testing.T) {
	meta, err := jsonschema.UnmarshalJSON(strings.NewReader(datamodel.OpenAPI31SchemaData))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("meta.json", meta))
	schema, err := c.Compile("meta.json")
	require.NoError(t, err)
	check := func(text []byte) error {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		require.NoError(t, err)
		return schema.Validate(value)
	}
	text := document(t)
	require.NoError(t, check(text))
	for _, broken := range [][2]string{
		{`"openapi": "3.1.0"`, `"openapi": "3.0.0"`},
		{`"in": "cookie"`, `"in": "body"`},
		{`"operationId": "postFlow"`, `"operationID": "postFlow"`},
		{`"required": true,`, `"required": "yes",`},
	} {
		require.Contains(t, string(text), broken[0])
		require.Error(t, check(bytes.ReplaceAll(text, []byte(broken[0]), []byte(broken[1]))), broken[1])
	}

	read, err := libopenapi.NewDocument(text)
	require.NoError(t, err)
	model, err := read.BuildV3Model()
	require.NoError(t, err)
	var plain struct{ Paths map[string]any }
	require.NoError(t, json.Unmarshal(text, &plain))
	require.NotEmpty(t, plain.Paths)
	require.Equal(t, len(plain.Paths), model.Model.Paths.PathItems.Len())
}

// TestEverySchemaCompiles: each of the document's schemas is one of JSON Schema 2020-12, and each reference leads somewhere.
func TestEverySchemaCompiles(t *testing.T) {
	checker, err := contract.New(document(t))
	require.NoError(t, err)
	var root struct {
		Components struct {
			Schemas map[string]any
		}
	}
	require.NoError(t, json.Unmarshal(document(t), &root))
	require.NotEmpty(t, root.Components.Schemas)
	for name := range root.Components.Schemas {
		_, err := checker.Schema("#/components/schemas/" + name)
		require.NoError(t, err, name)
	}
}

// example is one of the document, in place or by reference.
type example struct {
	Ref   string `json:"$ref"`
	Value json.RawMessage
}

type media map[string]struct{ Examples map[string]example }

// TestTheExamplesFit: each example of a request or an answer is what its schema says.
func TestTheExamplesFit(t *testing.T) {
	checker, err := contract.New(document(t))
	require.NoError(t, err)
	var root struct {
		Paths map[string]map[string]struct {
			RequestBody struct{ Content media }
			Responses   map[string]struct{ Content media }
		}
		Components struct{ Examples map[string]example }
	}
	require.NoError(t, json.Unmarshal(document(t), &root))
	count := 0
	fit := func(pointer string, content media) {
		for kind, of := range content {
			for name, one := range of.Examples {
				if name, shared := strings.CutPrefix(one.Ref, "#/components/examples/"); shared {
					one = root.Components.Examples[name]
				}
				schema, err := checker.Schema(pointer + "/content/" + strings.ReplaceAll(kind, "/", "~1") + "/schema")
				require.NoError(t, err)
				value, err := jsonschema.UnmarshalJSON(bytes.NewReader(one.Value))
				require.NoError(t, err, name)
				require.NoError(t, schema.Validate(value), name)
				count++
			}
		}
	}
	for path, item := range root.Paths {
		for method, op := range item {
			pointer := "#/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + method
			fit(pointer+"/requestBody", op.RequestBody.Content)
			for status, answer := range op.Responses {
				fit(pointer+"/responses/"+status, answer.Content)
			}
		}
	}
	require.GreaterOrEqual(t, count, 20)
}

// world is a real service over the memory store, and its handler.
type world struct {
	t       *testing.T
	clock   *authtest.Clock
	handler http.Handler
	service *auth.Service
	checker *contract.Checker // of the document that the handler serves
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: authtest.NewClock(time.Date(2026, 3, 3, 14, 5, 0, 0, time.UTC))}
	keys, err := auth.NewKeys(auth.Key{ID: "k1", Bytes: sha256.Sum256([]byte("a key for tests"))})
	require.NoError(t, err)
	store := memory.New()
	passwords, hasherErr := password.New(password.Config{})
	sessions, sessionErr := session.New(session.Config{Store: store})
	devices, deviceErr := session.NewDevices(session.DevicesConfig{Keys: keys})
	require.NoError(t, errors.Join(hasherErr, sessionErr, deviceErr))
	w.service, err = auth.New(auth.Config{
		Keys: keys, Directory: store, Accounts: store, PasswordStore: store, Flows: store, Counters: store,
		Passwords: passwords, Sessions: sessions, Devices: devices, Now: w.clock.Now,
	})
	require.NoError(t, err)
	w.handler, err = authhttp.New(authhttp.Config{Service: w.service, Keys: keys, Origin: origin, Product: "Contract", Native: true, Now: w.clock.Now})
	require.NoError(t, err)
	served := httptest.NewRecorder()
	w.handler.ServeHTTP(served, httptest.NewRequest("GET", "/auth/openapi.json", nil))
	w.checker, err = contract.New(served.Body.Bytes())
	require.NoError(t, err)
	_, err = w.service.CreateAccount(t.Context(), auth.NewAccount{Identifier: address, Name: "Ada", Password: auth.NewSecret(right)})
	require.NoError(t, err)
	return w
}

// fields is a JSON object.
type fields = map[string]any

// client is one browser, or an app, which keeps its tokens itself.
type client struct {
	*world
	jar                 http.CookieJar // nil for an app
	bearer, deviceToken string
	last                fields // the answer before
}

func (w *world) client() *client {
	jar, err := cookiejar.New(nil)
	require.NoError(w.t, err)
	return &client{world: w, jar: jar}
}

// send sends a request and holds it and its answer against the document, which must know the request unless it
// is to be answered with 400. Status zero is any.
func (c *client) send(method, path string, body fields, status int) {
	c.t.Helper()
	var text []byte
	if c.jar == nil && path == "/flow" {
		body = maps.Clone(body)
		body["client"] = "native"
		if c.deviceToken != "" {
			body["device_token"] = c.deviceToken
		}
	}
	if body != nil {
		var err error
		text, err = json.Marshal(body)
		require.NoError(c.t, err)
	}
	err := c.checker.Request(method, path, text)
	require.Equal(c.t, status == 400 && method == "POST", err != nil, "%s: %v", text, err)
	answer := httptest.NewRecorder()
	c.handler.ServeHTTP(answer, c.request(method, path, text))
	if c.jar != nil {
		c.jar.SetCookies(here(), answer.Result().Cookies())
	} else {
		require.Empty(c.t, answer.Result().Cookies())
	}
	got, err := io.ReadAll(answer.Body)
	require.NoError(c.t, err)
	if status != 0 {
		require.Equal(c.t, status, answer.Code, "%s: %s", text, got)
	}
	require.NoError(c.t, c.checker.Answer(method, path, answer.Code, answer.Header(), got), "%s", got)
	c.last = nil
	require.NoError(c.t, json.Unmarshal(got, &c.last))
	c.keepTokens()
	if told, ok := c.last["error"].(fields); ok {
		require.Equal(c.t, told["retry_at"] != nil || answer.Code == 503, answer.Header().Get("Retry-After") != "", "%s", got)
	}
}

// here is the address of the site, for the cookies.
func here() *url.URL { return &url.URL{Scheme: "https", Host: strings.TrimPrefix(origin, "https://")} }

// request is one of a program: it has no Origin.
func (c *client) request(method, path string, body []byte) *http.Request {
	r := httptest.NewRequest(method, origin+"/auth"+path, bytes.NewReader(body))
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.jar != nil {
		for _, cookie := range c.jar.Cookies(here()) {
			r.AddCookie(cookie)
		}
	}
	if c.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	return r
}

// keepTokens is what an app does with every answer. A browser's answers must have none.
func (c *client) keepTokens() {
	c.t.Helper()
	token, issued := c.last["session_token"].(string)
	device, known := c.last["device_token"].(string)
	require.False(c.t, c.jar != nil && (issued || known), "a script must not see tokens")
	c.bearer, c.deviceToken = cmp.Or(token, c.bearer), cmp.Or(device, c.deviceToken)
}

// step takes a step in the flow of the answer before.
func (c *client) step(action string, more fields, status int) {
	c.t.Helper()
	body := fields{"flow": c.last["flow"], "action": action}
	for name, value := range more {
		body[name] = value
	}
	c.send("POST", "/flow", body, status)
}

func (c *client) code() string {
	told, _ := c.last["error"].(fields)
	code, _ := told["code"].(string)
	return code
}

// TestARealServiceKeepsToTheDocument tells a long story to a real service. Each request and each answer is held
// against the document that the service's own handler serves, by a validator that is not ours.
func TestARealServiceKeepsToTheDocument(t *testing.T) {
	w := newWorld(t)
	signIn(t, w)
	refusals(t, w)
	w = newWorld(t)
	sessions(t, w)
	change(t, w)
}

// TestAnAppKeepsToTheDocument is the same for a client without cookies.
func TestAnAppKeepsToTheDocument(t *testing.T) {
	w := newWorld(t)
	app := &client{world: w}
	app.send("GET", "/session", nil, 401)
	app.send("POST", "/flow", fields{"goal": "sign-in", "identifier": address, "keep": true}, 200)
	require.Nil(t, app.last["session_token"], "nothing is proven yet")
	app.step("password", fields{"password": "not this one, surely"}, 401)
	app.step("password", fields{"password": right}, 200)
	require.Equal(t, "granted", app.last["outcome"])
	require.NotEmpty(t, app.bearer)
	require.NotEmpty(t, app.deviceToken)
	app.send("GET", "/session", nil, 200)
	app.send("GET", "/sessions", nil, 200)
	before := app.bearer
	app.send("POST", "/flow", fields{"goal": "enrolment", "enrol": "password"}, 200)
	app.step("password", fields{"password": right, "new_password": newer}, 200)
	require.NotEqual(t, before, app.bearer)
	app.send("GET", "/session", nil, 200)
	app.send("GET", "/flow/AAAAAAAAAAAAAAAAAAAAAA", nil, 400)
	require.Equal(t, "mixed-transport", app.code())
	app.send("POST", "/sign-out", fields{}, 200)
	app.send("GET", "/session", nil, 401)
	app.bearer = "cardea_st_dead"
	app.send("POST", "/flow", fields{"goal": "step-up"}, 401)
}

func signIn(t *testing.T, w *world) {
	t.Helper()
	c := w.client()
	c.send("POST", "/flow", fields{"goal": "sign-in", "return_to": "/inbox"}, 200)
	require.Equal(t, "identification", c.last["need"])
	c.step("identify", fields{"identifier": "ada"}, 422)
	require.Equal(t, "address-rejected", c.code())
	c.step("identify", fields{"identifier": address, "keep": true}, 200)
	c.step("restart", nil, 200)
	c.step("identify", fields{"identifier": address, "keep": true}, 200)
	c.step("password", fields{"password": "not this one, surely"}, 401)
	require.Equal(t, "bad-credentials", c.code())
	c.send("GET", "/flow/"+c.last["flow_id"].(string), nil, 200)
	c.step("totp", fields{"code": "123456"}, 409)
	require.Equal(t, "not-offered", c.code())
	c.step("password", fields{}, 400)
	require.Equal(t, "malformed", c.code())
	c.send("POST", "/flow", fields{"goal": "sign-in", "identifier": address}, 200)
	before := c.last["flow"]
	c.step("password", fields{"password": right}, 200)
	require.Equal(t, "granted", c.last["outcome"])
	c.send("POST", "/flow", fields{"flow": before, "action": "password", "password": right}, 200) // a double click
	require.Nil(t, c.last["session"])
}

func refusals(t *testing.T, w *world) {
	t.Helper()
	c := w.client()
	c.send("POST", "/flow", fields{"flow": "x", "action": "cancel"}, 403)
	require.Equal(t, "cookie-required", c.code())
	for _, session := range []string{"/session", "/sessions"} {
		c.send("GET", session, nil, 401)
	}
	c.send("POST", "/sign-out", fields{}, 401)
	c.send("POST", "/flow", fields{"goal": "step-up"}, 401)
	c.send("POST", "/flow", fields{"goal": "recovery", "identifier": address}, 409)
	c.send("POST", "/flow", fields{"goal": "sign-in", "unheard": "of"}, 400)
	for range 6 {
		c.send("POST", "/flow", fields{"goal": "sign-in", "identifier": address}, 200)
		c.step("password", fields{"password": "not this one, surely"}, 0)
	}
	require.Equal(t, "too-many-attempts", c.code())
	require.NotNil(t, c.last["error"].(fields)["retry_at"])
	w.clock.Advance(time.Hour)
	c.send("POST", "/flow", fields{"flow": c.last["flow"], "action": "cancel"}, 410)
	require.Equal(t, "expired", c.code())
	c.send("GET", "/flow/AAAAAAAAAAAAAAAAAAAAAA", nil, 410)
	c.send("POST", "/flow", fields{"goal": "sign-in"}, 200)
	c.step("cancel", nil, 200)
	require.Equal(t, "ended", c.last["outcome"])
}

func sessions(t *testing.T, w *world) {
	t.Helper()
	first, second := w.client(), w.client()
	for _, c := range []*client{first, second} {
		c.send("POST", "/flow", fields{"goal": "sign-in", "identifier": address}, 200)
		c.step("password", fields{"password": right}, 200)
	}
	first.send("GET", "/session", nil, 200)
	require.Equal(t, address, first.last["account"].(fields)["address"])
	first.send("GET", "/sessions", nil, 200)
	list := first.last["sessions"].([]any)
	require.Len(t, list, 2)
	for _, one := range list {
		if one := one.(fields); one["current"] == false {
			first.send("POST", "/sessions/end", fields{"id": one["id"]}, 200)
			first.send("POST", "/sessions/end", fields{"id": one["id"]}, 404)
		}
	}
	first.send("POST", "/sessions/end", fields{}, 400)
	second.send("GET", "/session", nil, 401)
	first.send("POST", "/sessions/end", fields{"others": true}, 200)
	first.send("POST", "/sign-out", fields{"unheard": "of"}, 400)
	first.send("POST", "/sign-out", fields{}, 200)
	first.send("GET", "/session", nil, 401)
}

func change(t *testing.T, w *world) {
	t.Helper()
	c := w.client()
	c.send("POST", "/flow", fields{"goal": "sign-in", "identifier": address}, 200)
	c.step("password", fields{"password": right}, 200)
	w.clock.Advance(10 * time.Minute)
	c.send("POST", "/flow", fields{"goal": "step-up", "max_age": 60, "level": "aal1", "return_to": "/"}, 200)
	require.Equal(t, "fresh-proof", c.last["need"])
	c.step("password", fields{"password": right}, 200)
	c.send("POST", "/flow", fields{"goal": "step-up", "level": "aal2"}, 403)
	require.Equal(t, "assurance-short", c.code())
	c.send("POST", "/flow", fields{"goal": "enrolment"}, 400)
	c.send("POST", "/flow", fields{"goal": "enrolment", "enrol": "totp"}, 409)
	c.send("POST", "/flow", fields{"goal": "enrolment", "enrol": "password"}, 200)
	require.Equal(t, "fresh-password", c.last["need"])
	c.step("password", fields{"password": right}, 200)
	c.step("new-password", fields{"new_password": "password password"}, 422)
	require.Equal(t, "password-rejected", c.code())
	require.NotEmpty(t, c.last["error"].(fields)["problem"])
	c.step("new-password", fields{"new_password": newer, "end_others": true}, 200)
	require.Equal(t, "granted", c.last["outcome"])
	c.send("POST", "/flow", fields{"goal": "enrolment", "enrol": "password", "return_to": "/account"}, 200)
	c.step("password", fields{"password": newer, "new_password": right}, 200)
	require.Equal(t, "granted", c.last["outcome"], "both at once")
}

// TestTheCheckerRefuses: what is not in the document does not pass.
func TestTheCheckerRefuses(t *testing.T) {
	checker, err := contract.New(document(t))
	require.NoError(t, err)
	asJSON := http.Header{"Content-Type": {"application/json"}}
	require.NoError(t, checker.Answer("POST", "/sign-out", 200, asJSON, []byte(`{}`)))
	for name, err := range map[string]error{
		"path":    checker.Answer("GET", "/elsewhere", 200, asJSON, []byte(`{}`)),
		"method":  checker.Answer("PUT", "/flow", 200, asJSON, []byte(`{}`)),
		"status":  checker.Answer("POST", "/sign-out", 418, asJSON, []byte(`{}`)),
		"type":    checker.Answer("POST", "/sign-out", 200, http.Header{"Content-Type": {"text/html"}}, []byte(`{}`)),
		"header":  checker.Answer("POST", "/sign-out", 200, http.Header{"Content-Type": {"application/json"}, "Retry-After": {"1"}}, []byte(`{}`)),
		"body":    checker.Answer("POST", "/sign-out", 200, asJSON, []byte(`{"a":1}`)),
		"no JSON": checker.Answer("POST", "/sign-out", 200, asJSON, []byte(`{`)),
		"field":   checker.Request("POST", "/flow", []byte(`{"goal":"sign-in","admin":true}`)),
		"device":  checker.Request("POST", "/flow", []byte(`{"goal":"sign-in","device_token":"x"}`)),
		"goal":    checker.Request("POST", "/flow", []byte(`{"goal":"world-domination"}`)),
		"a body":  checker.Request("GET", "/session", []byte(`{}`)),
		"an id":   checker.Request("GET", "/flow/a/b", nil),
	} {
		require.Error(t, err, name)
	}
	for _, bad := range []string{`[]`, `{`, ``} {
		_, err := contract.New([]byte(bad))
		require.Error(t, err, bad)
	}
}
