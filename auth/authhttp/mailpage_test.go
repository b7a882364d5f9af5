package authhttp_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

const (
	ticket    = "iiiiiiiiiiiiiiiiiiiiii"
	mailToken = ticket + ".ssssssssssssssssssssssssssssssssssssssssss1"
)

// linked is a browser that opened a mailed link.
func linked(purpose string) string {
	return flowCookie + "; __Host-cardea-link=" + purpose + "~" + mailToken
}

// linkView is what the service answers about a good link.
func linkView(goal flow.Goal, need flow.Need, actions ...flow.Action) flow.View {
	return flow.View{Goal: goal, Phase: flow.Providing, Need: need, Outcome: "open", Address: "Ada@example.com", Actions: actions}
}

func newPasswordAction() flow.Action {
	return flow.Action{Name: "new-password", Inputs: []flow.Input{
		{Name: "new_password", Kind: "secret", Required: true}, {Name: "end_others", Kind: "flag"},
	}}
}

func resetter() *fake {
	f := ada()
	f.mails = true
	f.onLink = func(flow.Goal, auth.Secret) (flow.View, error) {
		return linkView(flow.Recovery, flow.PasswordChange, newPasswordAction(), flow.Action{Name: "restart"}), nil
	}
	return f
}

// TestTheTokenLeavesTheAddress reads a mailed link as a browser does, and as a scanner does who opens it twice.
func TestTheTokenLeavesTheAddress(t *testing.T) {
	f := resetter()
	s := open(t, f)
	for range 2 {
		w := s.do(request{target: "/auth/link/reset?t=" + mailToken})
		require.Equal(t, http.StatusSeeOther, w.Code)
		require.Equal(t, "/auth/link/reset", w.Header().Get("Location"))
		require.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.Empty(t, w.Body.String())
		c := set(w, "__Host-cardea-link")
		require.Equal(t, "reset~"+mailToken, c.Value)
		require.True(t, c.HttpOnly && c.Secure && c.SameSite == http.SameSiteLaxMode && c.MaxAge == 3600)

		w = s.do(request{target: "/auth/link/reset", cookies: linked("reset")})
		require.Equal(t, http.StatusOK, w.Code)
		require.NotContains(t, w.Body.String(), mailToken)
		require.Contains(t, w.Body.String(), "Ada@example.com")
	}
	require.False(t, f.changed(), "%v", f.calls)
}

func TestResetByLink(t *testing.T) {
	f := resetter()
	s := open(t, f)
	page := s.do(request{target: "/auth/link/reset", cookies: linked("reset")})
	doc := parse(t, page)
	q := s.filled(page, "/auth/link/reset", map[string]string{"new_password": "a new phrase"})
	q.cookies = linked("reset")
	require.Equal(t, "on", q.form.Get("end_others"), "checked by default")
	require.Equal(t, ticket, q.form.Get("ticket"))
	require.Equal(t, "Ada@example.com", q.form.Get("username"), "password managers save it for this account")
	require.NotContains(t, textOf(doc), "Not you?")

	var tokens []string
	f.onBegin = func(auth.BeginRequest) (auth.Progress, error) {
		return at(linkView(flow.Recovery, flow.Identification, flow.Action{Name: "identify"}, flow.Action{Name: "mail-link"})), nil
	}
	f.onContinue = func(r auth.ContinueRequest) (auth.Progress, error) {
		tokens = append(tokens, r.Action+" "+r.Inputs.Code.Reveal())
		if r.Action == "mail-link" {
			return at(linkView(flow.Recovery, flow.PasswordChange, newPasswordAction())), nil
		}
		return at(flow.View{Goal: flow.Recovery, Phase: flow.Closed, Outcome: "completed"}), nil
	}
	w := s.do(q)
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "/auth/flow/flow-1", w.Header().Get("Location"))
	require.Equal(t, flow.Recovery, f.begun.Goal)
	require.Equal(t, []string{"mail-link " + mailToken, "new-password " + mailToken}, tokens)
	require.Equal(t, "a new phrase", f.continued.Inputs.NewPassword.Reveal())
	require.True(t, f.continued.Inputs.EndOthers)
	require.Negative(t, set(w, "__Host-cardea-link").MaxAge, "the browser need not have it any longer")
	require.Nil(t, set(w, "__Host-cardea-session"))
}

// TestBadLinksAreOnePage holds every way in which a link can be no good against one answer.
func TestBadLinksAreOnePage(t *testing.T) {
	f := ada()
	f.onBegin = func(auth.BeginRequest) (auth.Progress, error) {
		return at(linkView(flow.Recovery, flow.Identification, flow.Action{Name: "mail-link"})), nil
	}
	f.onContinue = func(auth.ContinueRequest) (auth.Progress, error) {
		return at(refusedView(linkView(flow.Recovery, flow.Identification), flow.Refusal{Reason: flow.WrongCode})), nil
	}
	s := open(t, f)
	f.onLink = resetter().onLink
	page := s.do(request{target: "/auth/link/reset", cookies: linked("reset")})
	used := s.filled(page, "/auth/link/reset", map[string]string{"new_password": "a new phrase"})
	used.cookies = linked("reset")
	f.onLink = nil

	bad := map[string]request{
		"refused":              {target: "/auth/link/reset", cookies: linked("reset")},
		"of another purpose":   {target: "/auth/link/undo", cookies: linked("undo")},
		"cookie of another":    {target: "/auth/link/invitation", cookies: linked("reset")},
		"without a cookie":     {target: "/auth/link/reset", cookies: flowCookie},
		"empty":                {target: "/auth/link/reset?t=", cookies: flowCookie},
		"broken by a mailer":   {target: "/auth/link/reset?t=a%20b", cookies: flowCookie},
		"much too long":        {target: "/auth/link/reset?t=" + strings.Repeat("a", 3000), cookies: flowCookie},
		"used in the meantime": used,
	}
	var want string
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		w := s.do(bad[name])
		if w.Code == http.StatusSeeOther { // an empty token is one like any other
			q := bad[name]
			q.target = w.Header().Get("Location")
			w = s.do(q)
		}
		require.Equal(t, http.StatusGone, w.Code, name)
		require.Contains(t, w.Body.String(), "This link does not work", name)
		want = or(want, w.Body.String())
		require.Equal(t, want, w.Body.String(), name)
		require.Negative(t, set(w, "__Host-cardea-link").MaxAge, name)
	}
	require.Contains(t, want, `href="/auth/sign-in"`)
	f.recovers = true
	require.Contains(t, s.do(bad["refused"]).Body.String(), `href="/auth/recovery"`, "the way on")
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// TestLinksOfTwoTabs: the password typed for one account must not be set for another, whose link was opened
// since, perhaps by somebody who wanted just that.
func TestLinksOfTwoTabs(t *testing.T) {
	f := resetter()
	s := open(t, f)
	page := s.do(request{target: "/auth/link/reset", cookies: linked("reset")})
	q := s.filled(page, "/auth/link/reset", map[string]string{"new_password": "a new phrase"})
	q.cookies = flowCookie + "; __Host-cardea-link=reset~jjjjjjjjjjjjjjjjjjjjjj" + mailToken[22:]
	w := s.do(q)
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "/auth/link/reset", w.Header().Get("Location"), "the page of the other link is shown")
	require.False(t, f.changed(), "%v", f.calls)
}

func TestLinkFormsAreGuarded(t *testing.T) {
	f := resetter()
	s := open(t, f)
	page := s.do(request{target: "/auth/link/reset", cookies: linked("reset")})
	good := s.filled(page, "/auth/link/reset", map[string]string{"new_password": "a new phrase"})
	good.cookies = linked("reset")
	for name, bend := range map[string]func(*request){
		"another site": func(q *request) {
			q.header = map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
		},
		"no token":          func(q *request) { q.form.Del("form_token") },
		"another browser's": func(q *request) { q.cookies = strings.Replace(q.cookies, binding, "x"+binding[1:], 1) },
		"no flow cookie":    func(q *request) { q.cookies = strings.TrimPrefix(q.cookies, flowCookie+"; ") },
		"a field too many":  func(q *request) { q.form.Set("code", mailToken) },
		"JSON":              func(q *request) { q.body, q.form = `{"ticket":"x"}`, nil },
	} {
		q := good
		q.form = maps.Clone(good.form)
		bend(&q)
		w := s.do(q)
		require.GreaterOrEqual(t, w.Code, 400, name)
		require.False(t, f.changed(), name)
	}
	q := good
	q.form = url.Values{}
	maps.Copy(q.form, good.form)
	q.form.Set("new_password", "")
	w := s.do(q)
	require.Equal(t, http.StatusUnprocessableEntity, w.Code)
	require.Contains(t, w.Body.String(), "Enter a new password.")
	require.False(t, f.changed())
}

// TestLinksThatTakeAPress are those after which something else is due, or that at once do their work.
func TestLinksThatTakeAPress(t *testing.T) {
	for purpose, c := range map[string]struct {
		view flow.View
		says string
	}{
		"undo":       {linkView(flow.Reversal, flow.Completion, flow.Action{Name: "cancel"}), "Undo the change"},
		"reset":      {linkView(flow.Recovery, flow.SecondFactor, flow.Action{Name: "totp"}), "Continue"},
		"invitation": {linkView(flow.Activation, flow.Organisation, flow.Action{Name: "sso", Connection: "c1"}), "Continue"},
	} {
		f := ada()
		f.onLink = func(flow.Goal, auth.Secret) (flow.View, error) { return c.view, nil }
		f.onBegin = func(auth.BeginRequest) (auth.Progress, error) {
			return at(linkView(c.view.Goal, flow.Identification, flow.Action{Name: "mail-link"})), nil
		}
		f.onContinue = func(auth.ContinueRequest) (auth.Progress, error) { return at(c.view), nil }
		s := open(t, f)
		page := s.do(request{target: "/auth/link/" + purpose, cookies: linked(purpose)})
		require.Equal(t, http.StatusOK, page.Code)
		buttons := tags(parse(t, page), "button")
		require.Len(t, buttons, 1, purpose)
		require.Equal(t, c.says, textOf(buttons[0]))
		q := s.filled(page, "/auth/link/"+purpose, nil)
		q.cookies = linked(purpose)
		w := s.do(q)
		require.Equal(t, "/auth/flow/flow-1", w.Header().Get("Location"), purpose)
		require.Equal(t, c.view.Goal, f.begun.Goal)
	}
}

func TestLinkOfAnAccountThatItCannotOpen(t *testing.T) {
	f := ada()
	f.onLink = func(flow.Goal, auth.Secret) (flow.View, error) {
		v := endedView(flow.NoPassword)
		v.Goal = flow.Recovery
		return v, nil
	}
	w := open(t, f).do(request{target: "/auth/link/reset", cookies: linked("reset")})
	require.Contains(t, w.Body.String(), "This account has no password")
	require.Contains(t, w.Body.String(), `href="/auth/sign-in`)
}

func TestOtherLinksAreNotThere(t *testing.T) {
	s := open(t, ada())
	for _, target := range []string{"/auth/link/", "/auth/link/sign-in", "/auth/link/reset/", "/auth/link/RESET", "/auth/link"} {
		require.Equal(t, http.StatusNotFound, s.get(target).Code, target)
	}
	require.Equal(t, http.StatusBadRequest, s.get("/auth/link/reset?t=a&t=b").Code, "two readers must not see two tokens")
}

// TestFirstPages asks for an address, for each goal that begins with one.
func TestFirstPages(t *testing.T) {
	for goal, path := range map[flow.Goal]string{flow.Recovery: "/auth/recovery", flow.SignUp: "/auth/sign-up", flow.SignIn: "/auth/sign-in"} {
		f := ada()
		f.progress = at(linkView(goal, flow.Address, flow.Action{Name: "send-mail-link"}, flow.Action{Name: "restart"}))
		s := open(t, f)
		page := s.get(path + "?return_to=/inbox")
		require.Equal(t, http.StatusOK, page.Code)
		require.False(t, f.changed())
		w := s.submit(page, path, map[string]string{"identifier": "Ada@example.com"})
		require.Equal(t, "/auth/flow/flow-1", w.Header().Get("Location"))
		require.Equal(t, goal, f.begun.Goal)
		require.Equal(t, "/inbox", f.begun.ReturnTo)
		require.Equal(t, "Ada@example.com", f.begun.Inputs.Identifier)
		w = s.submit(page, path, map[string]string{"identifier": " "})
		require.Equal(t, http.StatusSeeOther, w.Code, "the service says what is an address")
		w = s.submit(page, path, map[string]string{"identifier": ""})
		require.Equal(t, http.StatusUnprocessableEntity, w.Code)
	}
}

func TestRecoveryPageAsksForNoCode(t *testing.T) {
	f := ada()
	f.progress = at(linkView(flow.Recovery, flow.Address,
		flow.Action{Name: "mail-link", Inputs: []flow.Input{{Name: "code", Kind: "secret", Required: true}}},
		flow.Action{Name: "send-mail-link"}, flow.Action{Name: "restart"}))
	w := open(t, f).get("/auth/flow/flow-1")
	require.NotContains(t, w.Body.String(), `name="code"`, "the link is opened, not typed")
	require.Contains(t, w.Body.String(), "Send the message again")
	require.Contains(t, w.Body.String(), "If there is an account with this address")
}

// TestWaysToHelpAreThoseOfThePolicy: what the View does not offer, no page leads to.
func TestWaysToHelpAreThoseOfThePolicy(t *testing.T) {
	f := ada()
	s := open(t, f)
	for _, target := range []string{"/auth/sign-in", "/auth/flow/flow-1"} {
		body := s.get(target).Body.String()
		require.NotContains(t, body, "/auth/recovery", target)
		require.NotContains(t, body, "/auth/sign-up", target)
	}
	f.recovers = true
	f.progress.View.Recovery, f.progress.View.SignUp = true, true
	for _, target := range []string{"/auth/sign-in", "/auth/flow/flow-1"} {
		body := s.get(target).Body.String()
		require.Contains(t, body, `<a href="/auth/recovery">Forgot your password?</a>`, target)
		require.Contains(t, body, `<a href="/auth/sign-up">Create one</a>`, target)
	}
}

func TestMailHelp(t *testing.T) {
	f := ada()
	f.recovers = true
	s := open(t, f)
	w := s.do(request{target: "/auth/help/mail"})
	require.Equal(t, http.StatusOK, w.Code, "also for who is signed in nowhere")
	for _, says := range []string{"Why you got one", "If it was not you", origin, "/auth/recovery", "Helpdesk"} {
		require.Contains(t, w.Body.String(), says)
	}
}

func TestChangeAddress(t *testing.T) {
	f := ada()
	s := open(t, f)
	require.Equal(t, http.StatusNotFound, s.get("/auth/address").Code)
	require.NotContains(t, s.get("/auth/account").Body.String(), "/auth/address")
	f.mails, f.fresh = true, false
	require.Contains(t, s.get("/auth/account").Body.String(), `href="/auth/address"`)

	page := s.get("/auth/address")
	require.Contains(t, page.Body.String(), `autocomplete="current-password"`, "it was not proven lately")
	require.Contains(t, page.Body.String(), `autocomplete="email"`)
	var did []string
	f.onBegin = func(auth.BeginRequest) (auth.Progress, error) {
		return at(linkView(flow.Enrolment, flow.FreshProof, flow.Action{Name: "password"})), nil
	}
	f.onContinue = func(r auth.ContinueRequest) (auth.Progress, error) {
		did = append(did, r.Action)
		if r.Action == "password" {
			return at(linkView(flow.Enrolment, flow.NewAddress, flow.Action{Name: "new-address"})), nil
		}
		return at(linkView(flow.Enrolment, flow.Address)), nil
	}
	w := s.submit(page, "/auth/address", map[string]string{"password": "old", "identifier": "new@example.com"})
	require.Equal(t, "/auth/flow/flow-1", w.Header().Get("Location"), w.Body.String())
	require.Equal(t, []string{"password", "new-address"}, did)
	require.Equal(t, flow.Target{Enrol: flow.MailCode}, f.begun.Target)
	require.Equal(t, "new@example.com", f.continued.Inputs.Identifier)

	w = s.submit(page, "/auth/address", map[string]string{"password": "old", "identifier": ""})
	require.Equal(t, http.StatusUnprocessableEntity, w.Code)
	f.onContinue = func(r auth.ContinueRequest) (auth.Progress, error) {
		if r.Action == "password" {
			return at(linkView(flow.Enrolment, flow.NewAddress, flow.Action{Name: "new-address"})), nil
		}
		return f.progress, flow.Deny(flow.AddressRejected)
	}
	w = s.submit(page, "/auth/address", map[string]string{"password": "old", "identifier": "nonsense"})
	require.Equal(t, http.StatusUnprocessableEntity, w.Code)
	require.Contains(t, w.Body.String(), `value="nonsense"`, "what was typed is kept")
	require.NotContains(t, w.Body.String(), `value="old"`)

	f.fresh = true
	require.NotContains(t, s.get("/auth/address").Body.String(), "current-password")
}

func TestNewAddressIsShownWhileItsCodeIsOut(t *testing.T) {
	f := ada()
	v := linkView(flow.Enrolment, flow.Address, flow.Action{Name: "mail-code", Inputs: []flow.Input{{Name: "code", Kind: "secret", Required: true}}}, flow.Action{Name: "cancel"})
	v.Enrol, v.Candidate = flow.MailCode, "New@example.com"
	f.progress = at(v)
	var w *httptest.ResponseRecorder = open(t, f).get("/auth/flow/flow-1")
	require.Contains(t, w.Body.String(), "We sent a message to New@example.com.")
}
