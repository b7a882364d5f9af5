package authhttp_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/authhttp"
)

func TestBadJSON(t *testing.T) {
	big := strings.Repeat("x", 70<<10)
	for _, c := range []struct {
		name, body string
		header     map[string]string
		want       int
	}{
		{"empty object", `{}`, nil, 400},
		{"no body", "", map[string]string{"Content-Type": "application/json"}, 400},
		{"array", `[]`, nil, 400},
		{"null", `null`, nil, 400},
		{"unknown field", `{"goal":"sign-in","is_admin":true}`, nil, 400},
		{"field of a form only", `{"goal":"sign-in","form_token":"x"}`, nil, 400},
		{"repeated field", `{"goal":"sign-in","identifier":"a@b.example","identifier":"c@d.example"}`, nil, 400},
		{"repeated by escape", `{"goal":"sign-in","identifier":"a@b.example","\u0069dentifier":"c@d.example"}`, nil, 400},
		{"other case", `{"Goal":"sign-in"}`, nil, 400},
		{"trailing data", `{"goal":"sign-in"} {}`, nil, 400},
		{"trailing comma", `{"goal":"sign-in",}`, nil, 400},
		{"missing colon", `{"goal" "sign-in"}`, nil, 400},
		{"number for text", `{"goal":1}`, nil, 400},
		{"text for flag", `{"goal":"sign-in","keep":"true"}`, nil, 400},
		{"number for flag", `{"goal":"sign-in","keep":1}`, nil, 400},
		{"null for flag", `{"goal":"sign-in","keep":null}`, nil, 400},
		{"object for text", `{"goal":"sign-in","identifier":{"a":1}}`, nil, 400},
		{"array for text", `{"goal":"sign-in","identifier":["a"]}`, nil, 400},
		{"fraction for number", `{"goal":"step-up","max_age":1.5}`, nil, 400},
		{"negative number", `{"goal":"step-up","max_age":-1}`, nil, 400},
		{"huge number", `{"goal":"step-up","max_age":1e99}`, nil, 400},
		{"no age", `{"goal":"step-up","max_age":0}`, nil, 400},
		{"unknown level", `{"goal":"step-up","level":"aal9"}`, nil, 400},
		{"level of another goal", `{"goal":"sign-in","level":"aal2"}`, nil, 400},
		{"enrol of another goal", `{"goal":"sign-in","enrol":"password"}`, nil, 400},
		{"enrolment of nothing", `{"goal":"enrolment"}`, nil, 400},
		{"unknown method", `{"goal":"enrolment","enrol":"telepathy"}`, nil, 400},
		{"unknown goal", `{"goal":"(1)"}`, nil, 400},
		{"empty goal", `{"goal":""}`, nil, 400},
		{"both kinds", `{"goal":"sign-in","flow":"x","action":"password"}`, nil, 400},
		{"password at the beginning", `{"goal":"sign-in","password":"x"}`, nil, 400},
		{"malformed UTF-8", "{\"goal\":\"sign-in\",\"identifier\":\"\xff\"}", nil, 400},
		{"overlong UTF-8", "{\"goal\":\"sign-in\",\"identifier\":\"\xc0\xae\"}", nil, 400},
		{"lone surrogate", `{"goal":"sign-in","identifier":"\ud800"}`, nil, 400},
		{"NUL", `{"goal":"sign-in","identifier":"a\u0000b"}`, nil, 400},
		{"long identifier", `{"goal":"sign-in","identifier":"` + big[:2000] + `"}`, nil, 400},
		{"large body", `{"goal":"sign-in","identifier":"` + big + `"}`, nil, 413},
		{"deep", strings.Repeat(`{"goal":`, 9000) + strings.Repeat("}", 9000), nil, 413},
		{"deep but small", strings.Repeat(`[`, 9000) + strings.Repeat("]", 9000), nil, 400},
		{"text/plain", `{"goal":"sign-in"}`, map[string]string{"Content-Type": "text/plain"}, 415},
		{"form type", `{"goal":"sign-in"}`, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 415},
		{"no type", `{"goal":"sign-in"}`, map[string]string{"Content-Type": ""}, 415},
		{"other JSON", `{"goal":"sign-in"}`, map[string]string{"Content-Type": "application/ld+json"}, 415},
		{"other charset", `{"goal":"sign-in"}`, map[string]string{"Content-Type": "application/json; charset=utf-16"}, 415},
		{"compressed", `{"goal":"sign-in"}`, map[string]string{"Content-Encoding": "gzip"}, 415},
		{"step without action", `{"flow":"x","password":"y"}`, nil, 400},
		{"step without its field", `{"flow":"x","action":"password"}`, nil, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, ada())
			w := s.do(request{method: "POST", target: "/auth/flow", body: c.body, header: c.header, cookies: bothCookie})
			require.Equal(t, c.want, w.Code, w.Body.String())
			require.False(t, s.f.changed())
			var told struct {
				Error struct{ Code, Message string }
			}
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &told))
			require.Equal(t, "malformed", told.Error.Code)
			require.NotEmpty(t, told.Error.Message)
		})
	}
}

func TestGoodJSON(t *testing.T) {
	for _, c := range []struct{ name, body, contentType string }{
		{"plain", `{"goal":"sign-in","identifier":"ada@example.com","keep":true,"return_to":"/inbox"}`, "application/json"},
		{"charset", ` {"goal":"sign-in"} ` + "\n", "application/json; charset=UTF-8"},
		{"step-up", `{"goal":"step-up","level":"aal2","max_age":60}`, "application/json"},
		{"surrogate pair", `{"goal":"sign-in","identifier":"\ud83d\ude00@example.com"}`, "application/json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, ada())
			w := s.do(request{method: "POST", target: "/auth/flow", body: c.body, header: map[string]string{"Content-Type": c.contentType}, cookies: bothCookie})
			require.Equal(t, 200, w.Code, w.Body.String())
			require.True(t, s.f.changed())
		})
	}
}

func TestBadForms(t *testing.T) {
	for _, c := range []struct {
		name, extra, contentType string
		want                     int
	}{
		{"unknown field", "is_admin=1", "", 400},
		{"repeated field", "identifier=b", "", 400},
		{"repeated token", "form_token=b", "", 400},
		{"malformed UTF-8", "return_to=%ff", "", 400},
		{"raw malformed UTF-8", "return_to=\xff", "", 400},
		{"replacement character", "return_to=%EF%BF%BD", "", 400},
		{"NUL", "return_to=a%00b", "", 400},
		{"bad escape", "return_to=%zz", "", 400},
		{"semicolon", "return_to=a;keep=on", "", 400},
		{"flag that is none", "keep=yes", "", 400},
		{"long field", "return_to=" + strings.Repeat("x", 5000), "", 400},
		{"large", "return_to=" + strings.Repeat("x", 70<<10), "", 413},
		{"multipart", "", "multipart/form-data; boundary=x", 415},
		{"text/plain", "", "text/plain", 415},
		{"JSON", "", "application/json", 415},
		{"other charset", "", "application/x-www-form-urlencoded; charset=latin1", 415},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, ada())
			q := s.filled(s.get("/auth/sign-in"), "/auth/sign-in", map[string]string{"identifier": "ada@example.com"})
			q.body, q.form = q.form.Encode(), nil
			if c.extra != "" {
				q.body += "&" + c.extra
			}
			q.header = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
			if c.contentType != "" {
				q.header["Content-Type"] = c.contentType
			}
			w := s.do(q)
			require.Equal(t, c.want, w.Code)
			require.False(t, s.f.changed())
		})
	}
}

func TestRepeatedParametersAreRefused(t *testing.T) {
	s := open(t, ada())
	require.Equal(t, http.StatusBadRequest, s.get("/auth/sign-in?return_to=/a&return_to=/b").Code)
	require.Equal(t, http.StatusBadRequest, s.get("/auth/confirm?level=aal1&level=aal2").Code)
	require.Equal(t, http.StatusBadRequest, s.get("/auth/sign-in?return_to=%ff").Code)
	require.Equal(t, http.StatusOK, s.get("/auth/sign-in?return_to=/a&utm_source=x&utm_source=y&broken=%zz").Code)
}

// FuzzJSON: what is accepted reads as encoding/json reads it, and has no field twice, only fields that are
// known, and only clean text.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"goal":"sign-in","keep":true,"max_age":3}`, `{"a":1,"a":2}`, `{"goal":"\ud800"}`, `{}`, `{"goal":{"goal":1}}`, "\xff",
		" { \"goal\"\t: \"a\\\"b\\\\\" ,\n\"keep\" : false , \"max_age\":7 } ", `{"code":"\u0041\ud83d\ude00","g\u006fal":"x"}`} {
		f.Add([]byte(seed))
	}
	allowed := authhttp.FieldNames()
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := authhttp.ParseJSON(body, allowed)
		if err != nil {
			require.Nil(t, got)
			return
		}
		var plain map[string]any
		require.NoError(t, json.Unmarshal(body, &plain))
		require.Len(t, plain, len(got))
		for name, value := range got {
			require.EqualValues(t, plain[name], value)
		}
		dec := json.NewDecoder(strings.NewReader(string(body)))
		tokens := 0
		for _, err := dec.Token(); err == nil; _, err = dec.Token() {
			tokens++
		}
		require.Equal(t, 2+2*len(got), tokens, "a field was there twice")
		requireClean(t, got, allowed)
	})
}

// FuzzForm holds forms to the same.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{"identifier=a&keep=on", "identifier=a&identifier=b", "max_age=3", "%zz", "identifier=%ff", ""} {
		f.Add(seed)
	}
	allowed := authhttp.FieldNames()
	f.Fuzz(func(t *testing.T, body string) {
		got, err := authhttp.ParseForm(body, allowed)
		if err != nil {
			require.Nil(t, got)
			return
		}
		values, err := url.ParseQuery(body)
		require.NoError(t, err)
		require.Len(t, values, len(got))
		requireClean(t, got, allowed)
	})
}

func requireClean(t *testing.T, got map[string]any, allowed []string) {
	t.Helper()
	for name, value := range got {
		require.Contains(t, allowed, name)
		if text, ok := value.(string); ok {
			require.True(t, utf8.ValidString(text) && !strings.ContainsAny(text, "\x00\uFFFD"))
		}
	}
}

// TestRequestsHaveNoSecretQuestions: nothing that a person is asked for, and nothing that a request can carry, is a
// hint or the answer to a question that others know the answer of too (ASVS 6.4.2).
func TestRequestsHaveNoSecretQuestions(t *testing.T) {
	asked := map[string]bool{}
	for _, v := range machineViews() {
		for _, a := range v.Actions {
			for _, in := range a.Inputs {
				asked[in.Name] = true
			}
		}
	}
	require.ElementsMatch(t, []string{
		"identifier", "password", "new_password", "code", "credential", "connection", "name", "keep", "trust", "end_others",
	}, slices.Collect(maps.Keys(asked)), "whatever is new here must be something that one knows alone, or has")
}
