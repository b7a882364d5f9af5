package authhttp_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

func TestFactorsOnTheAccountPage(t *testing.T) {
	f := ada()
	f.mails = true // everything is served
	s := open(t, f)
	doc := parse(t, s.get("/auth/account"))
	rows := tags(tags(tableOf(doc, "factors"), "tbody")[0], "tr")
	require.Len(t, rows, 2)
	require.Contains(t, textOf(rows[0]), "Ada's phone Authenticator app")
	require.Contains(t, textOf(rows[0]), "2 hours ago")
	require.Len(t, forms(rows[0]), 2, "to name it and to remove it")
	require.Contains(t, textOf(rows[1]), "Recovery codes 9 codes left")
	require.Empty(t, forms(rows[1]), "they are replaced, not removed")
	require.Contains(t, textOf(doc), "Replace recovery codes")

	f.factors = f.factors[:1]
	require.Contains(t, s.get("/auth/account").Body.String(), "Make recovery codes")
	f.factors = nil
	body := s.get("/auth/account").Body.String()
	require.Contains(t, body, "Add an authenticator app")
	require.NotContains(t, body, "recovery codes", "which are a way around a factor that is there")
	f.mails = false
	require.NotContains(t, s.get("/auth/account").Body.String(), "Second factors", "where there are none")
}

// TestFactorsBeginFlows: adding and removing is for the machine to decide, which a form only asks.
func TestFactorsBeginFlows(t *testing.T) {
	f := ada()
	f.mails = true
	f.progress = at(linkView(flow.Enrolment, flow.FreshProof))
	s := open(t, f)
	page := s.get("/auth/account")
	w := s.submit(page, "/auth/factors/add", map[string]string{"enrol": "totp"})
	require.Equal(t, "/auth/flow/flow-1", w.Header().Get("Location"))
	require.Equal(t, flow.Target{Enrol: flow.TOTP}, f.begun.Target)
	require.Equal(t, "/auth/account", f.begun.ReturnTo)
	w = s.submit(page, "/auth/factors/remove", nil)
	require.Equal(t, "/auth/flow/flow-1", w.Header().Get("Location"))
	require.Equal(t, flow.Target{Enrol: flow.TOTP, Remove: "factor-1"}, f.begun.Target)

	for name, values := range map[string]map[string]string{
		"another method": {"enrol": "telepathy"}, "no method": {"enrol": ""}, "a field too many": {"password": "x"},
	} {
		f.calls = nil
		require.Equal(t, http.StatusBadRequest, s.submit(page, "/auth/factors/add", values).Code, name)
		require.False(t, f.changed(), name)
	}
	f.calls = nil
	require.Equal(t, http.StatusBadRequest, s.submit(page, "/auth/factors/remove", map[string]string{"id": ""}).Code)
	require.Equal(t, http.StatusForbidden, s.submit(page, "/auth/factors/remove", map[string]string{"form_token": "x"}).Code)
	q := s.filled(page, "/auth/factors/add", nil)
	q.header = map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
	require.Equal(t, http.StatusForbidden, s.do(q).Code)
	require.False(t, f.changed())

	w = s.submit(page, "/auth/factors/rename", map[string]string{"name": "Desk"})
	require.Equal(t, "/auth/account", w.Header().Get("Location"))
	require.Equal(t, []string{"factor-1", "Desk"}, []string{f.ended, f.named})
	require.Equal(t, "factor-renamed", set(w, "__Host-cardea-notice").Value)
}

// TestPairingPage shows the key as a picture and as text, and only on that page.
func TestPairingPage(t *testing.T) {
	f := ada()
	v := linkView(flow.Enrolment, flow.NewFactor, flow.Action{Name: "enrol-totp", Inputs: []flow.Input{
		{Name: "code", Kind: "secret", Required: true}, {Name: "name", Kind: "text"}, {Name: "end_others", Kind: "flag"},
	}}, flow.Action{Name: "cancel"})
	v.Enrol = flow.TOTP
	f.progress = at(v)
	f.progress.Pairing = &auth.Pairing{URI: auth.NewSecret("otpauth://totp/Helpdesk:ada?secret=ABC"), Text: auth.NewSecret("ABCD EFGH")}
	s := open(t, f)
	w := s.get("/auth/flow/flow-1")
	doc := parse(t, w)
	require.Len(t, all(doc, func(d *html.Node) bool { return d.Data == "svg" && attr(d, "role") == "img" }), 1)
	require.Contains(t, textOf(doc), "ABCD EFGH")
	require.Contains(t, w.Body.String(), `href="otpauth://totp/Helpdesk:ada?secret=ABC"`)
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.NotContains(t, w.Header().Get("Content-Security-Policy"), "unsafe")
	code := all(doc, func(d *html.Node) bool { return attr(d, "name") == "code" })[0]
	require.Equal(t, []string{"one-time-code", "numeric"}, []string{attr(code, "autocomplete"), attr(code, "inputmode")})

	f.onContinue = func(auth.ContinueRequest) (auth.Progress, error) {
		p := granted(flow.Enrolment, false)
		p.View.Enrol, p.ReturnTo = flow.TOTP, "/auth/account"
		return p, nil
	}
	w = s.submit(w, "/auth/flow/flow-1", map[string]string{"code": "123456", "name": "Phone"})
	require.Equal(t, "/auth/account", w.Header().Get("Location"))
	require.Equal(t, "factor-added", set(w, "__Host-cardea-notice").Value)
	require.Equal(t, "Phone", f.continued.Inputs.Name)
}

// TestRecoveryCodesAreShownOnce: in the very answer that makes them, since nothing else will ever have them.
func TestRecoveryCodesAreShownOnce(t *testing.T) {
	f := ada()
	v := linkView(flow.Enrolment, flow.NewFactor, flow.Action{Name: "enrol-recovery-code", Inputs: []flow.Input{{Name: "end_others", Kind: "flag"}}})
	v.Enrol = flow.RecoveryCode
	f.progress = at(v)
	s := open(t, f)
	page := s.get("/auth/flow/flow-1")
	f.onContinue = func(auth.ContinueRequest) (auth.Progress, error) {
		p := granted(flow.Enrolment, false)
		p.View.Enrol, p.ReturnTo = flow.RecoveryCode, "/auth/account"
		p.Codes = []auth.Secret{auth.NewSecret("AAAAAA-BBBBBB-CCCCCC"), auth.NewSecret("DDDDDD-EEEEEE-FFFFFF")}
		return p, nil
	}
	w := s.submit(page, "/auth/flow/flow-1", nil)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, token, set(w, "__Host-cardea-session").Value, "the new session comes with it")
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	doc := parse(t, w)
	require.Equal(t, "AAAAAA-BBBBBB-CCCCCC", textOf(tags(tags(doc, "ol")[0], "li")[0]))
	link := all(doc, func(d *html.Node) bool { return hasAttr(d, "download") })[0]
	_, text, _ := strings.Cut(attr(link, "href"), "base64,")
	file, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	require.Contains(t, string(file), "DDDDDD-EEEEEE-FFFFFF")

	s = open(t, f, func(c *authhttp.Config) { c.Native = true })
	r := decode(t, s.post("/auth/flow", aStep))
	require.Equal(t, []any{"AAAAAA-BBBBBB-CCCCCC", "DDDDDD-EEEEEE-FFFFFF"}, r["recovery_codes"])
}

func TestFactorsOverJSON(t *testing.T) {
	f := ada()
	s := open(t, f)
	list := decode(t, s.do(request{target: "/auth/factors", cookies: bothCookie}))["factors"].([]any)
	require.Len(t, list, 2)
	first := list[0].(map[string]any)
	require.Equal(t, "totp", first["method"])
	require.Equal(t, "Ada's phone", first["name"])
	require.EqualValues(t, 9, list[1].(map[string]any)["left"])
	require.Equal(t, 401, s.do(request{target: "/auth/factors"}).Code)
	f.progress = at(passwordView())
	s.post("/auth/flow", `{"goal":"enrolment","enrol":"totp","remove":"factor-1"}`)
	require.Equal(t, flow.Target{Enrol: flow.TOTP, Remove: "factor-1"}, f.begun.Target)
	f.calls = nil
	require.Equal(t, 400, s.post("/auth/flow", `{"goal":"enrolment","enrol":"totp","remove":""}`).Code)
	require.False(t, f.changed())
}

// TestOtherWaysAreFolded: a second field for a code would be taken for the first one.
func TestOtherWaysAreFolded(t *testing.T) {
	f := ada()
	codeInput := []flow.Input{{Name: "code", Kind: "secret", Required: true}}
	f.progress = at(linkView(flow.SignIn, flow.SecondFactor, flow.Action{Name: "totp", Inputs: codeInput}, flow.Action{Name: "recovery-code", Inputs: codeInput}))
	doc := parse(t, open(t, f).get("/auth/flow/flow-1"))
	folds := all(doc, func(d *html.Node) bool { return d.Data == "details" && attr(d, "class") == "fold" })
	require.Len(t, folds, 1)
	require.Equal(t, "Use a recovery code", textOf(tags(folds[0], "summary")[0]))
	field := all(folds[0], func(d *html.Node) bool { return attr(d, "name") == "code" })[0]
	require.Equal(t, []string{"off", "text"}, []string{attr(field, "autocomplete"), attr(field, "inputmode")})
}
