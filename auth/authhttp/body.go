package authhttp

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth"
)

// bodyLimit bounds what is read of a request. The largest honest one is a password change.
const bodyLimit = 64 << 10

// kind is what a field holds.
type kind uint8

const (
	isText   kind = iota
	isFlag        // true or false; in a form a checkbox
	isNumber      // of seconds
	isObject      // a JSON object, kept as its text; in a form that text
)

// fieldKinds lists every field that any request may have, with the most bytes that its value may take. A
// longer value is no password or address of anybody, only work for whoever has to read it.
var fieldKinds = map[string]struct {
	kind  kind
	limit int
}{
	"form_token": {isText, 256}, "flow": {isText, 256}, "action": {isText, 64}, "goal": {isText, 64}, "return_to": {isText, 4096},
	"username":   {isText, 1024}, // what password managers read; ignored
	"identifier": {isText, 1024}, "password": {isText, 4096}, "new_password": {isText, 4096}, "code": {isText, 256},
	"client": {isText, 16}, "device_token": {isText, 1024},
	"connection": {isText, 256}, "keep": {isFlag, 8}, "trust": {isFlag, 8}, "end_others": {isFlag, 8},
	"level": {isText, 16}, "max_age": {isNumber, 16}, "enrol": {isText, 64}, "id": {isText, 256}, "others": {isFlag, 8},
	"credential": {isObject, 16 << 10},
	"name":       {isText, 512}, "all": {isFlag, 8}, "ticket": {isText, 64}, "remove": {isText, 256},
	"operation": {isText, 2048}, // a token with a sentence in it, see auth.LongestOperation
}

// fields are the fields of a request, each there at most once.
type fields map[string]any

func (f fields) text(name string) string { s, _ := f[name].(string); return s }
func (f fields) flag(name string) bool   { b, _ := f[name].(bool); return b }
func (f fields) number(name string) int  { n, _ := f[name].(int); return n }
func (f fields) has(name string) bool    { _, ok := f[name]; return ok }

// inputNames are the fields that go to an action.
var inputNames = []string{"identifier", "password", "new_password", "code", "credential", "connection", "name", "keep", "trust", "end_others"}

func (f fields) inputs() auth.Inputs {
	return auth.Inputs{
		Identifier: f.text("identifier"), Password: auth.NewSecret(f.text("password")),
		NewPassword: auth.NewSecret(f.text("new_password")), Code: auth.NewSecret(f.text("code")), Credential: auth.NewSecret(f.text("credential")),
		Connection: f.text("connection"), Name: f.text("name"), Keep: f.flag("keep"), Trust: f.flag("trust"), EndOthers: f.flag("end_others"),
	}
}

var (
	errUnknownField  = errors.New("unknown field")
	errRepeatedField = errors.New("repeated field")
	errFieldValue    = errors.New("field of another type, or too long, or not text")
	errSyntax        = errors.New("syntax")
)

func refuseBody(cause error) error {
	return &webError{status: http.StatusBadRequest, reason: malformed, cause: cause}
}

// object is the text of a JSON object, on its way into fields.
type object string

// put adds a field, if it is allowed here, new and fit to be read.
func (f fields) put(name string, value any, allowed []string) error {
	spec, known := fieldKinds[name]
	if !known || !slices.Contains(allowed, name) {
		return errUnknownField
	}
	if f.has(name) {
		return errRepeatedField
	}
	switch v := value.(type) {
	case string:
		if spec.kind != isText || len(v) > spec.limit || !cleanText(v) {
			return errFieldValue
		}
	case object:
		if spec.kind != isObject || len(v) > spec.limit || !cleanText(string(v)) {
			return errFieldValue
		}
		value = string(v)
	case bool:
		if spec.kind != isFlag {
			return errFieldValue
		}
	case int:
		if spec.kind != isNumber || v < 0 {
			return errFieldValue
		}
	}
	f[name] = value
	return nil
}

// cleanText reports whether text is UTF-8 that arrived whole: U+FFFD stands where a decoder met what it
// could not read (a lone surrogate in JSON), and NUL ends a string for some who read it later.
func cleanText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsRune(text, utf8.RuneError) && strings.IndexByte(text, 0) < 0
}

// readForm reads a form that may have the fields in allowed, besides its token, which must be ours and
// bound to value.
func (x *exchange) readForm(kind, value string, allowed ...string) (fields, error) {
	body, err := x.read("application/x-www-form-urlencoded")
	if err != nil {
		return nil, err
	}
	f, err := parseForm(string(body), append(allowed, "form_token"))
	if err != nil {
		return nil, refuseBody(err)
	}
	if value == "" {
		return nil, deny(cookieRequired)
	}
	if !x.h.checkToken(f.text("form_token"), kind, value) {
		return nil, &webError{status: http.StatusForbidden, reason: forbidden, cause: errors.New("form token")}
	}
	return f, nil
}

func (x *exchange) readJSON(allowed ...string) (fields, error) {
	body, err := x.read("application/json")
	if err != nil {
		return nil, err
	}
	f, err := parseJSON(body, allowed)
	if err != nil {
		return nil, refuseBody(err)
	}
	return f, nil
}

// read returns the body if it is of the media type, in UTF-8, not compressed and not too large.
func (x *exchange) read(mediaType string) ([]byte, error) {
	if !isMedia(x.r, mediaType) || x.r.Header.Get("Content-Encoding") != "" {
		return nil, &webError{status: http.StatusUnsupportedMediaType, reason: malformed, text: "error.media-type"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, bodyLimit))
	if err == nil {
		return body, nil
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, &webError{status: http.StatusRequestEntityTooLarge, reason: malformed, text: "error.too-large"}
	}
	return nil, refuseBody(err)
}

func isJSON(r *http.Request) bool { return isMedia(r, "application/json") }

func isMedia(r *http.Request, want string) bool {
	types := r.Header["Content-Type"]
	if len(types) != 1 {
		return false
	}
	if types[0] == want { // as nearly everybody sends it
		return true
	}
	got, params, err := mime.ParseMediaType(types[0])
	if err != nil || got != want {
		return false
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return false
		}
	}
	return true
}

func parseForm(body string, allowed []string) (fields, error) {
	values, err := url.ParseQuery(body)
	if err != nil {
		return nil, errSyntax // the error itself quotes what was sent
	}
	f := fields{}
	for name, list := range values {
		if len(list) > 1 {
			return nil, errRepeatedField
		}
		var value any = list[0]
		switch fieldKinds[name].kind {
		case isFlag:
			if list[0] != "on" {
				return nil, errFieldValue
			}
			value = true
		case isObject:
			value = object(list[0])
		case isNumber:
			if value, err = strconv.Atoi(list[0]); err != nil {
				return nil, errFieldValue
			}
		}
		if err := f.put(name, value, allowed); err != nil {
			return nil, err
		}
	}
	return f, nil
}
