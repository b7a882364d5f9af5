package authhttp_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

// view returns a View with one need and the actions.
func view(goal flow.Goal, need flow.Need, actions ...flow.Action) flow.View {
	v := passwordView()
	v.Goal, v.Need, v.Actions = goal, need, actions
	return v
}

func action(name string, inputs ...flow.Input) flow.Action {
	return flow.Action{Name: name, Inputs: inputs}
}

var (
	code  = flow.Input{Name: "code", Kind: "secret", Required: true}
	trust = flow.Input{Name: "trust", Kind: "flag"}
)

// everyPage is every kind of page that there is, and for views that no method here makes yet, a plain one.
func everyPage(t *testing.T) map[string]*html.Node {
	pages := map[string]*html.Node{}
	add := func(name string, f *fake, q request) {
		pages[name] = parse(t, open(t, f).do(q))
	}
	flows := map[string]auth.Progress{
		"password": at(passwordView()), "new password": at(newPasswordView()), "fresh password": at(freshPasswordView()), "identify": at(identifyView()),
		"wrong password": at(refusedView(passwordView(), flow.Refusal{Reason: flow.BadCredentials})),
		"bad new one":    at(refusedView(newPasswordView(), flow.Refusal{Reason: flow.PasswordRejected, Problem: "too-short"})),
		"wait":           at(refusedView(passwordView(), flow.Refusal{Reason: flow.TooManyAttempts, RetryAt: now.Add(time.Minute)})),
		"code":           at(view(flow.SignIn, flow.DeviceCheck, action("mail-code", code, trust), action("send-mail-code"), action("restart"))),
		"totp":           at(view(flow.SignIn, flow.SecondFactor, action("totp", code, trust), action("recovery-code", code), action("restart"))),
		"social":         at(view(flow.SignIn, flow.FirstFactor, flow.Action{Name: "social", Connection: "google"}, action("password", flow.Input{Name: "password", Kind: "secret", Required: true}), action("restart"))),
		"sso":            at(view(flow.SignIn, flow.Organisation, flow.Action{Name: "sso", Connection: "acme"}, action("restart"))),
		"passkey":        at(view(flow.SignIn, flow.FirstFactor, action("passkey", flow.Input{Name: "credential", Kind: "object", Required: true}), action("send-passkey"), action("restart"))),
		"enrol":          at(view(flow.StepUp, flow.NewFactor, action("enrol-totp", code), action("send-passkey"), action("cancel"))),
		"enrol passkey":  at(view(flow.Enrolment, flow.NewFactor, action("send-passkey"), action("enrol-passkey", flow.Input{Name: "credential", Kind: "object", Required: true}), action("cancel"))),
		"second passkey": at(refusedView(view(flow.SignIn, flow.SecondFactor, action("send-passkey"), action("recovery-code", code), action("restart")), flow.Refusal{Reason: flow.PasskeyRefused})),
		"accept":         at(view(flow.Handoff, flow.Acceptance, action("accept"), action("cancel"))),
		"connection":     at(view(flow.Linking, flow.ExternalIdentity, action("social", flow.Input{Name: "connection", Kind: "text", Required: true}), action("cancel"))),
		"unknown":        at(view(flow.SignIn, flow.FirstFactor, action("telepathy", flow.Input{Name: "thought", Kind: "text", Required: true}), action("restart"))),
		"refused action": at(refusedView(view(flow.Handoff, flow.Acceptance, action("accept"), action("cancel")), flow.Refusal{Reason: flow.Busy})),
		"completed":      at(flow.View{Goal: flow.Recovery, Outcome: "completed"}),
		"granted":        granted(flow.SignIn, false),
	}
	for _, r := range flow.Reasons() {
		flows["ended "+r.String()] = at(endedView(r))
	}
	for name, p := range flows {
		f := ada()
		f.progress = p
		add("flow: "+name, f, request{target: "/auth/flow/flow-1", cookies: bothCookie})
	}
	for _, path := range []string{"sign-in", "account", "password", "confirm", "sign-out", "nothing"} {
		add(path, ada(), request{target: "/auth/" + path, cookies: bothCookie})
	}
	lost := ada()
	lost.progress = granted(flow.SignIn, false)
	add("lost", lost, request{target: "/auth/flow/flow-1", cookies: flowCookie})
	return pages
}

// TestEveryPageIsWellMade holds every page to what a person, a screen reader, a password manager and the
// content policy need of it.
func TestEveryPageIsWellMade(t *testing.T) {
	for name, doc := range everyPage(t) {
		t.Run(name, func(t *testing.T) {
			require.Len(t, tags(doc, "h1"), 1)
			require.NotEmpty(t, textOf(tags(doc, "h1")[0]))
			require.Len(t, tags(doc, "main"), 1)
			require.NotEmpty(t, textOf(tags(doc, "title")[0]))
			require.Empty(t, tags(doc, "style", "iframe", "object"), "the content policy forbids them")
			requireOneScript(t, doc)
			require.LessOrEqual(t, len(all(doc, func(n *html.Node) bool {
				return attr(n, "role") == "alert" && !hasAttr(n, "hidden") && n.Parent.Data != "noscript"
			})), 1)
			require.NotRegexp(t, `\b(need|reason|input|submit|error|ended|problem)\.[a-z]`, textOf(tags(doc, "body")[0]), "a text is missing")
			requireUniqueIDs(t, doc)
			for _, n := range all(doc, func(*html.Node) bool { return true }) {
				for _, a := range n.Attr {
					require.False(t, strings.HasPrefix(a.Key, "on") || a.Key == "style", "%s has %s", n.Data, a.Key)
				}
			}
			for _, f := range forms(doc) {
				requireGoodForm(t, doc, f)
			}
		})
	}
}

// requireOneScript holds a page to the script of passkeys, and that to forms that are for it. They are not seen where
// it does not run.
func requireOneScript(t *testing.T, doc *html.Node) {
	t.Helper()
	ceremonies := all(doc, func(n *html.Node) bool { return n.Data == "form" && hasAttr(n, "data-passkey") })
	scripts := tags(doc, "script")
	require.Equal(t, len(ceremonies) > 0, len(scripts) == 1, "a script without a form that needs it, or the reverse")
	for _, s := range scripts {
		require.Regexp(t, `^/auth/static/passkeys-[0-9a-f]{16}\.js$`, attr(s, "src"))
		require.Nil(t, s.FirstChild, "no script stands in a page")
	}
	for _, f := range ceremonies {
		require.True(t, hasAttr(f, "hidden"))
		require.Equal(t, "/auth/passkey", attr(f, "data-passkey-options"))
		require.Contains(t, formValues(f), "credential")
		require.Contains(t, []string{"passkey", "enrol-passkey"}, formValues(f).Get("action"))
	}
}

func requireUniqueIDs(t *testing.T, doc *html.Node) {
	t.Helper()
	seen := map[string]bool{}
	for _, n := range all(doc, func(n *html.Node) bool { return hasAttr(n, "id") }) {
		require.False(t, seen[attr(n, "id")], "id %s is there twice", attr(n, "id"))
		seen[attr(n, "id")] = true
	}
}

func requireGoodForm(t *testing.T, doc, f *html.Node) {
	t.Helper()
	require.Equal(t, "post", attr(f, "method"))
	require.True(t, strings.HasPrefix(attr(f, "action"), "/auth/"))
	require.NotEmpty(t, formValues(f).Get("form_token"))
	buttons := tags(f, "button")
	require.Len(t, buttons, 1)
	require.NotEmpty(t, textOf(buttons[0]))
	for _, in := range tags(f, "input") {
		kind, name := attr(in, "type"), attr(in, "name")
		if kind == "hidden" || name == "username" {
			continue
		}
		labels := all(doc, func(n *html.Node) bool { return n.Data == "label" && attr(n, "for") == attr(in, "id") })
		require.Len(t, labels, 1, name)
		require.NotEmpty(t, textOf(labels[0]))
		if strings.Contains(name, "password") {
			require.Equal(t, "password", kind)
			require.Empty(t, attr(in, "value"), "no secret is sent back")
			users := all(f, func(n *html.Node) bool { return attr(n, "autocomplete") == "username" })
			require.Len(t, users, 1, "password managers need the name")
			require.Equal(t, "Ada@example.com", attr(users[0], "value"))
		}
		want := map[string]string{"identifier": "username", "password": "current-password", "new_password": "new-password", "code": "one-time-code"}[name]
		if want != "" && !strings.HasPrefix(attr(in, "id"), "recovery-code") {
			require.Equal(t, want, attr(in, "autocomplete"))
		}
		for _, id := range strings.Fields(attr(in, "aria-describedby")) {
			require.Len(t, all(doc, func(n *html.Node) bool { return attr(n, "id") == id }), 1, "%s describes %s", id, name)
		}
	}
}

func TestWhereARefusalIsTold(t *testing.T) {
	for _, c := range []struct {
		name    string
		view    flow.View
		refusal flow.Refusal
		field   string
		says    string
	}{
		{"wrong password", passwordView(), flow.Refusal{Reason: flow.BadCredentials}, "password-password", "Please check both"},
		{"wrong present password", freshPasswordView(), flow.Refusal{Reason: flow.BadCredentials}, "password-password", "not your current password"},
		{"bad new password", freshPasswordView(), flow.Refusal{Reason: flow.PasswordRejected, Problem: "too-long"}, "password-new_password", "at most 256"},
		{"unknown problem", newPasswordView(), flow.Refusal{Reason: flow.PasswordRejected, Problem: "new-rule"}, "new-password-new_password", "Please choose another"},
		{"unchecked new password", freshPasswordView(), flow.Refusal{Reason: flow.Busy, Problem: "unchecked"}, "password-new_password", "could not check your new password"},
		{"wait", passwordView(), flow.Refusal{Reason: flow.TooManyAttempts, RetryAt: now.Add(30 * time.Second)}, "password-password", "in 30 seconds"},
		{"no wait helps", passwordView(), flow.Refusal{Reason: flow.TooManyAttempts}, "password-password", "another way"},
		{"no field", view(flow.Handoff, flow.Acceptance, action("accept")), flow.Refusal{Reason: flow.Busy}, "", "right away"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := ada()
			f.progress = at(refusedView(c.view, c.refusal))
			doc := parse(t, open(t, f).get("/auth/flow/flow-1"))
			alerts := all(doc, func(n *html.Node) bool { return attr(n, "role") == "alert" })
			require.Len(t, alerts, 1)
			require.Contains(t, textOf(alerts[0]), c.says)
			require.True(t, strings.HasPrefix(textOf(tags(doc, "title")[0]), "Error: "))
			if c.field == "" {
				return
			}
			in := all(doc, func(n *html.Node) bool { return attr(n, "id") == c.field })[0]
			require.Equal(t, "true", attr(in, "aria-invalid"))
			require.Contains(t, strings.Fields(attr(in, "aria-describedby")), attr(alerts[0], "id"))
			require.True(t, hasAttr(in, "autofocus"))
			require.Len(t, all(doc, func(n *html.Node) bool { return hasAttr(n, "autofocus") }), 1)
		})
	}
}

// TestWhatTakesAScriptIsNotOffered: a passkey's answer cannot be typed.
func TestWhatTakesAScriptIsNotOffered(t *testing.T) {
	f := ada()
	object := flow.Input{Name: "credential", Kind: "object", Required: true}
	f.progress = at(view(flow.SignIn, flow.FirstFactor, action("passkey", object), action("password", flow.Input{Name: "password", Kind: "secret", Required: true}), action("restart")))
	page := open(t, f).get("/auth/flow/flow-1").Body.String()
	require.NotContains(t, page, "credential")
	require.NotContains(t, page, `value="passkey"`)
	require.Contains(t, page, `name="password"`)
}

func TestHelp(t *testing.T) {
	page := open(t, ada()).get("/auth/sign-in").Body.String()
	require.Contains(t, page, `href="https://help.example/"`)
	require.Contains(t, page, "No account yet?")
	require.NotContains(t, page, "orgot", "what does not work is not offered")
	page = open(t, ada(), func(c *authhttp.Config) { c.Support = "" }).get("/auth/sign-in").Body.String()
	require.NotContains(t, page, "Contact support")
}

func TestWhatPeopleTypeIsEscaped(t *testing.T) {
	f := ada()
	evil := `"><script>alert(1)</script>`
	v := passwordView()
	v.Address = evil
	f.progress = at(v)
	f.account.Display, f.account.Name, f.list[0].UserAgent = evil, evil, "Chrome/1 "+evil
	s := open(t, f, func(c *authhttp.Config) { c.Product = evil })
	for _, target := range []string{"/auth/flow/flow-1", "/auth/account", "/auth/password", "/auth/sign-in?return_to=" + `%22%3E%3Cscript%3Ealert(1)%3C/script%3E`, "/auth/confirm?return_to=%22%3E%3Cscript%3E"} {
		w := s.get(target)
		require.Equal(t, 200, w.Code)
		require.NotContains(t, w.Body.String(), "<script", target)
	}
}

// TestContrast computes what WCAG 2.2 asks for (1.4.3 and 1.4.11) from the stylesheet's own colours, in both
// colour schemes.
func TestContrast(t *testing.T) {
	pattern := regexp.MustCompile(`--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)`)
	colours := map[string][2]string{}
	for _, m := range pattern.FindAllStringSubmatch(authhttp.Style(), -1) {
		colours[m[1]] = [2]string{m[2], m[3]}
	}
	for _, c := range []struct {
		front, back string
		least       float64
	}{
		{"text", "ground", 4.5}, {"text", "surface", 4.5}, {"text", "sunken", 4.5}, {"muted", "ground", 4.5}, {"muted", "surface", 4.5},
		{"accent", "ground", 4.5}, {"accent", "surface", 4.5}, {"accent", "sunken", 4.5}, {"accent-strong", "surface", 4.5},
		{"on-accent", "accent", 4.5}, {"on-accent", "accent-strong", 4.5}, {"danger", "surface", 4.5}, {"danger", "danger-ground", 4.5},
		{"good", "good-ground", 4.5}, {"edge", "surface", 3}, {"accent", "ground", 3},
	} {
		for scheme := range 2 {
			require.Contains(t, colours, c.front)
			require.Contains(t, colours, c.back)
			got := contrast(t, colours[c.front][scheme], colours[c.back][scheme])
			require.GreaterOrEqual(t, got, c.least, "%s on %s, scheme %d", c.front, c.back, scheme)
		}
	}
}
