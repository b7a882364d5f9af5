package authhttp_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

var (
	hostCode  = []flow.Input{{Name: "code", Kind: "secret", Required: true}, {Name: "trust", Kind: "flag"}}
	hostEnrol = []flow.Input{{Name: "code", Kind: "secret", Required: true}, {Name: "name", Kind: "text"}, {Name: "end_others", Kind: "flag"}}
)

// named returns the fields of the name, in the page or a part of it.
func named(n *html.Node, name string) []*html.Node {
	return all(n, func(d *html.Node) bool { return attr(d, "name") == name })
}

// TestAHostsFactorOnTheAccountPage: it is listed, named, removed and added like any other.
func TestAHostsFactorOnTheAccountPage(t *testing.T) {
	f := ada()
	f.mails = true // everything is served
	f.factors = []auth.Factor{{ID: "factor-9", Method: flow.HostFactor, CreatedAt: now}}
	s := open(t, f)
	page := s.get("/auth/account")
	row := tags(tags(tableOf(parse(t, page), "factors"), "tbody")[0], "tr")[0]
	require.Contains(t, textOf(row), "Your organisation's code")
	require.Len(t, forms(row), 2, "to name it and to remove it")
	require.Contains(t, textOf(parse(t, page)), "Add your organisation's code")
	f.progress = at(linkView(flow.Enrolment, flow.FreshProof))
	w := s.submit(page, "/auth/factors/remove", nil)
	require.Equal(t, "/auth/flow/flow-1", w.Header().Get("Location"))
	require.Equal(t, flow.Target{Enrol: flow.HostFactor, Remove: "factor-9"}, f.begun.Target)
	s.submit(page, "/auth/factors/add", map[string]string{"enrol": "host-factor"})
	require.Equal(t, flow.Target{Enrol: flow.HostFactor}, f.begun.Target)
	s.submit(page, "/auth/factors/rename", map[string]string{"name": "Drawer"})
	require.Equal(t, []string{"factor-9", "Drawer"}, []string{f.ended, f.named})

	list := decode(t, s.do(request{target: "/auth/factors", cookies: bothCookie}))["factors"].([]any)
	require.Equal(t, "host-factor", list[0].(map[string]any)["method"])
}

// TestAddingAHostsFactor: one field for the code, one for a name, and no keyboard of digits, since nobody knows what
// the host's codes are made of.
func TestAddingAHostsFactor(t *testing.T) {
	f := ada()
	v := linkView(flow.Enrolment, flow.NewFactor, flow.Action{Name: "enrol-host-factor", Inputs: hostEnrol}, flow.Action{Name: "cancel"})
	v.Enrol = flow.HostFactor
	f.progress = at(v)
	s := open(t, f)
	page := s.get("/auth/flow/flow-1")
	doc := parse(t, page)
	require.Equal(t, "Add your organisation's code", textOf(tags(doc, "h1")[0]))
	require.Contains(t, textOf(doc), "Type a code that your organisation gave you.")
	require.NotContains(t, textOf(doc), "Scan the code")
	require.Len(t, named(doc, "code"), 1)
	require.Len(t, named(doc, "name"), 1)
	code := named(doc, "code")[0]
	require.Equal(t, []string{"text", "off", "text"}, []string{attr(code, "type"), attr(code, "autocomplete"), attr(code, "inputmode")})
	require.Contains(t, textOf(doc), "Name (optional)")

	f.onContinue = func(auth.ContinueRequest) (auth.Progress, error) {
		p := granted(flow.Enrolment, false)
		p.View.Enrol, p.ReturnTo = flow.HostFactor, "/auth/account"
		return p, nil
	}
	w := s.submit(page, "/auth/flow/flow-1", map[string]string{"code": "K7-44", "name": "Drawer"})
	require.Equal(t, "/auth/account", w.Header().Get("Location"))
	require.Equal(t, "factor-added", set(w, "__Host-cardea-notice").Value)
	require.Equal(t, []string{"enrol-host-factor", "K7-44", "Drawer"}, []string{f.continued.Action, f.continued.Inputs.Code.Reveal(), f.continued.Inputs.Name})
}

// TestSigningInWithAHostsFactor: alone it is the page, beside an app it is folded; the device can be trusted with it.
func TestSigningInWithAHostsFactor(t *testing.T) {
	f := ada()
	host := flow.Action{Name: "host-factor", Inputs: hostCode}
	f.progress = at(linkView(flow.SignIn, flow.SecondFactor, host))
	s := open(t, f)
	page := s.get("/auth/flow/flow-1")
	doc := parse(t, page)
	require.Equal(t, "Enter your organisation's code", textOf(tags(doc, "h1")[0]))
	code := named(doc, "code")[0]
	require.Equal(t, []string{"off", "text"}, []string{attr(code, "autocomplete"), attr(code, "inputmode")})
	s.submit(page, "/auth/flow/flow-1", map[string]string{"code": "K7-44", "trust": "on"})
	require.Equal(t, "host-factor", f.continued.Action)
	require.True(t, f.continued.Inputs.Trust)

	f.progress = at(linkView(flow.SignIn, flow.SecondFactor, flow.Action{Name: "totp", Inputs: hostCode}, host))
	doc = parse(t, s.get("/auth/flow/flow-1"))
	folds := all(doc, func(d *html.Node) bool { return d.Data == "details" && attr(d, "class") == "fold" })
	require.Len(t, folds, 1)
	require.Equal(t, "Use your organisation's code", textOf(tags(folds[0], "summary")[0]))
	require.Len(t, named(folds[0], "code"), 1)
}

// TestAHostNamesItsFactor in its own words, in each language.
func TestAHostNamesItsFactor(t *testing.T) {
	f := ada()
	f.mails = true
	f.factors = []auth.Factor{{ID: "factor-9", Method: flow.HostFactor, CreatedAt: now}}
	s := open(t, f, func(c *authhttp.Config) {
		c.Catalogs = map[string]map[string]string{
			"en": {"method.host-factor": "Code card", "account.add-host-factor": "Add a code card"},
			"de": {"method.host-factor": "Codekarte"},
		}
	})
	require.Contains(t, textOf(parse(t, s.get("/auth/account"))), "Add a code card")
	german := s.do(request{target: "/auth/account", cookies: bothCookie, header: map[string]string{"Accept-Language": "de"}})
	row := tags(tags(tableOf(parse(t, german), "factors"), "tbody")[0], "tr")[0]
	require.Contains(t, textOf(row), "Codekarte")
	require.Contains(t, textOf(parse(t, german)), "Code Ihrer Organisation hinzufügen", "what the host leaves out")
}
