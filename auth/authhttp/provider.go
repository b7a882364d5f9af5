package authhttp

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Where providers answer, below the prefix: /provider/{id}/callback, or /continue after an answer that was posted, and
// /logout, for providers that end sessions.
const providerPath = "/provider/"

// signedOutPath is where providers send people back to who signed out there too.
const signedOutPath = "/signed-out"

// providerRoutes are what each provider's addresses answer to.
var providerRoutes = map[string]route{
	"callback": {get: showCallback, post: postCallback, crossSite: true},
	"continue": {get: showContinue},
	"logout":   {post: postProviderLogout},
}

// providerRoute finds the route of a provider's address.
func (h *Handler) providerRoute(rest string) (route, bool) {
	id, name, _ := strings.Cut(rest, "/")
	rt, ok := providerRoutes[name]
	return rt, ok && h.provider(id) != nil
}

func (h *Handler) provider(id string) *auth.ProviderInfo {
	for _, info := range h.svc.Providers() {
		if info.ID == id {
			return &info
		}
	}
	return nil
}

// providerName is the provider whose address was called.
func (x *exchange) providerName() string {
	id, _, _ := strings.Cut(strings.TrimPrefix(x.r.URL.Path, x.path(providerPath)), "/")
	return id
}

// social is the action that leaves for a provider.
var social = flow.Social.String()

// providersView is the buttons of the providers that the View offers.
type providersView struct {
	Form    form   // that they are in; its own button is not used
	Outside string // else the id of the form on the page that they belong to, whose boxes go for them too
	Buttons []providerButton
	Style   string // of the buttons: "primary" where there is nothing else to do
}

type providerButton struct{ ID, Text string }

// providersView makes a button for each provider. On the first page they belong to the form beside them, so that "keep
// me signed in" goes for whatever is pressed.
func (x *exchange) providersView(p presentation, besides bool) *providersView {
	if !offers(p.view, social) || len(p.view.Providers) == 0 {
		return nil
	}
	v := &providersView{Style: "secondary"}
	for _, provider := range p.view.Providers {
		v.Buttons = append(v.Buttons, providerButton{provider.ID, x.lang.text("submit.social", "name", provider.Name)})
	}
	if p.onlyInputs && besides {
		v.Outside = "identify"
		return v
	}
	if !besides && len(v.Buttons) == 1 {
		v.Style = "primary"
	}
	v.Form = form{URL: p.url, Style: v.Style, Hidden: []hidden{{"form_token", p.token}}}
	for _, h := range p.hidden {
		if h.Value != "" {
			v.Form.Hidden = append(v.Form.Hidden, h)
		}
	}
	if p.named {
		v.Form.Hidden = append(v.Form.Hidden, hidden{"action", social})
	}
	return v
}

// leavePage leads away to a provider. It is a page of its own, read with GET, since browsers hold a redirect that
// answers a form against the page's form-action, which lets forms be sent to us alone. It leads on by itself; whoever
// comes back to it by the browser's own means goes on to the flow's page.
func (x *exchange) leavePage(p auth.Progress) error {
	name := ""
	for _, way := range p.View.Actions {
		if id, ok := strings.CutSuffix(way.Name, "-return"); ok && id != "" {
			if info := x.h.provider(way.Connection); info != nil {
				name = info.Name
			}
		}
	}
	out := page{Heading: x.lang.text("leave.title", "name", name), Refresh: p.Departure, SignIn: p.View.Goal == flow.SignIn}
	out.Card = &card{
		Lead:  x.lang.text("leave.text", "name", name),
		Links: []link{{p.Departure, x.lang.text("link.leave"), true}, {x.path(flowPath + p.FlowID), x.lang.text("link.another-way"), false}},
	}
	return x.render(http.StatusOK, "message", out)
}

// leaving reports whether the page that leads away was asked for.
func (x *exchange) leaving() bool { return x.r.URL.RawQuery == "leave" }

// showCallback takes somebody back who comes from a provider. It is the one GET that changes something, as the
// protocol has it: it needs the state, which is used up by it, and the cookie of the browser that set out.
func showCallback(x *exchange) error {
	if err := x.comesInPerson(); err != nil {
		return err
	}
	params, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return deny(malformed)
	}
	p, err := x.h.svc.Return(x.r.Context(), auth.ReturnRequest{Provider: x.providerName(), Params: params, Client: x.client()})
	return x.back(p, err)
}

// comesInPerson refuses what is not a browser that shows a page to somebody: a look at the headers, a page loaded ahead,
// a frame.
func (x *exchange) comesInPerson() error {
	dest := x.r.Header.Get("Sec-Fetch-Dest")
	if x.r.Method != http.MethodGet || x.r.Header.Get("Sec-Purpose") != "" || dest != "" && dest != "document" {
		return deny(malformed)
	}
	x.bound = cookie(x.r, x.h.cookies.flow) // without it the service refuses, and records that it did
	return nil
}

// back leads on from a provider's answer. Who comes back twice, or late, sees where the flow stands.
func (x *exchange) back(p auth.Progress, err error) error {
	if d := denial(err); d != nil && p.FlowID != "" {
		return x.redirect(x.path(flowPath + p.FlowID))
	}
	if err != nil {
		return err
	}
	return x.proceed(p)
}

// postCallback parks an answer that a provider has the browser post from its site, without our cookies, and sends the
// browser on to where they come along. That must be a 303: a 307 would post the answer again.
func postCallback(x *exchange) error {
	x.json = false
	body, err := x.read("application/x-www-form-urlencoded")
	if err != nil {
		return err
	}
	params, err := url.ParseQuery(string(body))
	if err != nil {
		return refuseBody(errSyntax)
	}
	flowID, err := x.h.svc.Park(x.r.Context(), auth.ReturnRequest{Provider: x.providerName(), Params: params, Client: x.client()})
	if d := denial(err); d != nil && d.Reason == flow.Stale && flowID != "" {
		err = nil // it was sent twice; the first one counts
	}
	if err != nil {
		return err
	}
	return x.redirect(with(x.path(providerPath+x.providerName()+"/continue"), "flow", flowID))
}

// showContinue takes somebody back whose answer was parked.
func showContinue(x *exchange) error {
	if err := x.comesInPerson(); err != nil {
		return err
	}
	id, err := x.query("flow")
	if err != nil || !flowID(id) {
		return deny(malformed)
	}
	p, err := x.h.svc.ReturnParked(x.r.Context(), x.providerName(), id, x.client())
	return x.back(p, err)
}

// postProviderLogout answers a provider that tells us which sessions are over, as OpenID Connect Back-Channel Logout
// 1.0 §2.8 has it: 200, or 400 for a token that is worth nothing. A fault is a 500, and it tries again.
func postProviderLogout(x *exchange) error {
	x.json = true
	body, err := x.read("application/x-www-form-urlencoded")
	if err != nil {
		return err
	}
	params, err := url.ParseQuery(string(body))
	if err != nil || len(params["logout_token"]) != 1 {
		return refuseBody(errors.New("no single logout token"))
	}
	err = x.h.svc.EndedAtProvider(x.r.Context(), x.providerName(), auth.NewSecret(params["logout_token"][0]))
	if d := denial(err); d != nil && d.Reason == forbidden {
		return refuseBody(errors.New("logout token"))
	}
	if err != nil {
		return err
	}
	return x.writeJSON(http.StatusOK, struct{}{})
}

// showSignedOut is where people come back to from a provider where they signed out too. It believes nothing of what the
// address brings: anybody can send anybody here, and whoever is still signed in must not be told that they are not and
// leave the browser to the next person.
func showSignedOut(x *exchange) error {
	_, err := x.session()
	if err == nil {
		return x.redirect(x.path("/account"))
	}
	if denial(err) == nil {
		return err
	}
	return x.render(http.StatusOK, "message", x.message("signed-out", link{x.path("/sign-in"), x.lang.text("link.sign-in"), true}))
}

// signOutElsewhere offers to sign out at the provider as well that the session came of. It never happens by itself: the
// person may be using it for other things.
func (x *exchange) signOutElsewhere(ended auth.Session) (address string) {
	if x.json {
		return ""
	}
	address, err := x.h.svc.SignOutAt(x.r.Context(), ended, x.h.cfg.Origin+x.path(signedOutPath), "")
	if err != nil {
		x.logProblem(problemOf(err), err) // the session here is over all the same
		return ""
	}
	return address
}

// signedOutHere says that the session here is over, and leads to where the other one can be ended.
func (x *exchange) signedOutHere(address string) error {
	x.dropSession()
	return x.render(http.StatusOK, "message", x.message("signed-out-here",
		link{address, x.lang.text("link.sign-out-there"), true}, link{x.path("/sign-in"), x.lang.text("link.to-sign-in"), false}))
}
