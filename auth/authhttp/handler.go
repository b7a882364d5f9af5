package authhttp

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// Handler serves everything under Config.Prefix, and /.well-known/change-password. Mount all of /.well-known/,
// or leave it to something that answers 404 there: browsers believe the address of the form only on a site that
// knows what it has not. It is safe for concurrent use. Make one with New.
//
// Pages, relative to the prefix:
//
//	/sign-in          the address, then by 303 to the flow
//	/sign-up          the same, to open an account (where that is offered)
//	/recovery         the same, to set a new password
//	/link/{purpose}   where mailed links lead: "reset", "invitation", "undo"
//	/flow/{id}        whatever the flow asks for next
//	/account          the person's second factors, sessions and trusted devices, and what happened lately
//	/password         change the password
//	/address          change the address
//	/confirm          prove again who you are (level, max_age, return_to), or confirm an act of the host's (POST)
//	/passkey          begins a passkey ceremony, for the script of these pages (POST)
//	/provider/{id}/callback  where a provider sends people back to
//	/provider/{id}/logout    where it sends logout tokens (POST)
//	/connections/add  begins to connect a provider, and /connections/remove to disconnect one (POST)
//	/signed-out       where people come back to who signed out at their provider too
//	/factors/add      begins to add a second factor, and /factors/remove to remove one (POST)
//	/sign-out         asks, then ends the session
//	/help/mail        what our mails are, and what to do about one that nobody asked for
//
// A mailed link has its token as "t" in the address. The GET moves it into a cookie and leads on to the address
// without it, so it stays in no history and no log; it looks whether the link is good and changes nothing, since
// programs open links in mails before people do. Only the page's form uses it.
//
// JSON:
//
//	POST /flow          begins a flow ("goal") or takes its next step ("flow", "action")
//	GET  /flow/{id}     where it stands
//	GET  /session       who is signed in
//	GET  /sessions      the account's sessions
//	POST /sessions/end  ends one ("id") or all others ("others"); also as a form
//	GET  /devices       the devices that the account trusts
//	POST /devices/rename  names one ("id", "name"; empty takes the name away); also as a form
//	POST /devices/remove  ends the trust in one ("id") or in all ("all"); also as a form
//	GET  /factors       the account's second factors
//	POST /factors/rename  names one ("id", "name"; empty takes the name away); also as a form
//	GET  /connections   the providers that the account is connected with
//	GET  /activity      what happened lately with the account
//	POST /sign-out      ends this one; also as a form
//	GET  /openapi.json  the contract of all of these (OpenAPI 3.1)
//
// The API answers a step with the View, the handle for the next step ("flow") and, when one was issued,
// the session; a browser's tokens are in cookies only. A refusal has the status of its reason and an "error"
// with the reason's stable code and a sentence, beside the View if the flow goes on: 401 for a proof that
// failed or is missing, 403 for what no proof would help, 404, 409 and 410 for what is not, not now or no
// longer there, 422 for an address or a new password that cannot be used, 429 and 503 with Retry-After.
// ERRORS.md, beside this file, says of each code what it means and what a client should do.
//
// RequireConfirmed has an act of the host's confirmed: the 401 with "step-up-required" then has an "operation", with
// which the client begins a step-up, and "confirms", the sentence that the person reads. A browser's confirmation is in
// a cookie of five minutes.
//
// Native clients, with Config.Native, begin a flow with "client":"native" beside the goal and repeat it with
// every step. The handle alone then binds the flow, and nothing that is answered sets a cookie. The answer
// that issues a session has its token in "session_token", and "device_token" proves at the next sign-in that
// this client is known: it is sent along, under that name, with every request to /flow. Every other request
// has "Authorization: Bearer" and the session token (RFC 6750 §2.1), to the JSON routes but GET /flow/{id} and
// to the host's own; so do flows that need a session. A step-up or a new password answers with a new
// session token, and the one before is dead. A "confirmation" goes into the header Cardea-Confirmation of the one
// request that it is for. POST /sessions/end takes "device_token" too: the device that ends
// all other sessions stays trusted, if it was.
//
// Which of the two a request is, is decided before anything is looked up. A native one has no cookie of ours,
// no Origin and no Sec-Fetch header, and asks for no page; else it is refused with 400 and the code
// mixed-transport. So no request that has a cookie is ever judged by its bearer token, and no script on a page
// gets hold of a token. The cross-origin check stands before these requests as before all others; there is no
// form token, since they are JSON. A 401 has "WWW-Authenticate: Bearer" (RFC 6750 §3), with error
// "invalid_token" where there was a token, and "insufficient_user_authentication" with the level and the age
// where a step-up is required (RFC 9470 §3). Without Config.Native, "client":"native" is refused with 403 and
// the code native-not-offered.
type Handler struct {
	cfg       Config
	svc       service
	guard     *http.CrossOriginProtection
	languages *languages
	pages     templates
	log       *slog.Logger
	tokens    auth.DerivedKeys
	cookies   names
	style     static
	script    static
	contract  contract
	routes    map[string]route
}

// endpoint answers one request. What it returns as an error is answered by exchange.fail.
type endpoint func(*exchange) error

// route is what one path answers to. GET serves HEAD too; no get changes anything, but that of a provider's answer.
type route struct {
	get, post endpoint
	json      bool // an API route: it answers in JSON, whatever it is asked for
	native    bool // native clients are answered too, if it is in JSON
	// crossSite lets another site post: it is looked at without cookies, and carries a secret of ours.
	crossSite bool
}

const (
	flowPath     = "/flow/"
	linkPath     = "/link/"
	wellKnown    = "/.well-known/change-password"
	flowIDLength = 64 // the longest flow id that is looked for
)

func (h *Handler) table() map[string]route {
	return map[string]route{
		"":                {get: toAccount},
		"/":               {get: toAccount},
		"/sign-in":        {get: showSignIn, post: postSignIn},
		"/sign-up":        {get: showSignUp, post: postSignUp},
		"/recovery":       {get: showRecovery, post: postRecovery},
		"/address":        {get: showAddress, post: postAddress},
		"/help/mail":      {get: showMailHelp},
		"/account":        {get: showAccount},
		passkeyPath:       {post: postPasskey},
		"/password":       {get: showPassword, post: postPassword},
		"/confirm":        {get: showConfirm, post: postConfirm},
		"/sign-out":       {get: showSignOut, post: postSignOut, native: true},
		"/flow":           {post: apiFlow, json: true, native: true},
		"/session":        {get: apiSession, json: true, native: true},
		"/sessions":       {get: apiSessions, json: true, native: true},
		"/sessions/end":   {post: postEnd, native: true},
		"/devices":        {get: apiDevices, json: true, native: true},
		"/devices/rename": {post: postRename, native: true},
		"/devices/remove": {post: postRemove, native: true},
		"/factors":        {get: apiFactors, json: true, native: true},
		"/factors/add":    {post: postAddFactor},
		"/factors/remove": {post: postRemoveFactor},
		"/factors/rename": {post: postRenameFactor, native: true},
		"/activity":       {get: apiActivity, json: true, native: true},

		"/connections":        {get: apiConnections, json: true, native: true},
		"/connections/add":    {post: postConnect},
		"/connections/remove": {post: postDisconnect},
		signedOutPath:         {get: showSignedOut},
		"/openapi.json":       {get: showContract, json: true, native: true},
	}
}

func (h *Handler) find(urlPath string) (route, bool) {
	if urlPath == wellKnown {
		return route{get: toPassword}, true
	}
	rest, ok := strings.CutPrefix(urlPath, h.cfg.Prefix)
	if !ok {
		return route{}, false
	}
	if rt, ok := h.routes[rest]; ok {
		return rt, true
	}
	if id, ok := strings.CutPrefix(rest, flowPath); ok && flowID(id) {
		return route{get: showFlow, post: postFlow}, true
	}
	if purpose, ok := strings.CutPrefix(rest, linkPath); ok && linkGoals[auth.Purpose(purpose)] != 0 {
		return route{get: showLink, post: postLink}, true
	}
	if rest, ok := strings.CutPrefix(rest, providerPath); ok {
		return h.providerRoute(rest)
	}
	for _, file := range []static{h.style, h.script} {
		if file.is(rest) {
			return route{get: file.show}, true
		}
	}
	return route{}, false
}

// flowID reports whether text can be the id of a flow.
func flowID(text string) bool {
	return text != "" && len(text) <= flowIDLength && !strings.ContainsFunc(text, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_'
	})
}

// patience bounds a request: a store that hangs must not collect requests until memory ends. It is longer
// than any queue in front of a password hash.
const patience = 20 * time.Second

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	r = r.WithContext(ctx)
	secure(w.Header())
	rt, found := h.find(r.URL.Path)
	x := h.exchange(w, r, rt.json)
	defer x.recover()
	if err := x.serve(rt, found); err != nil {
		x.fail(err)
	}
}

func (x *exchange) serve(rt route, found bool) error {
	if !found {
		return deny(notFound)
	}
	if x.native {
		if err := x.forNative(rt); err != nil {
			return err
		}
	}
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		if rt.get != nil {
			return rt.get(x)
		}
	case http.MethodPost:
		if rt.post == nil {
			break
		}
		x.json = rt.json || x.native || isJSON(x.r)
		if !rt.crossSite {
			if err := x.h.checkOrigin(x.r); err != nil {
				return err
			}
		}
		return rt.post(x)
	}
	x.w.Header().Set("Allow", rt.allowed())
	return &webError{status: http.StatusMethodNotAllowed, reason: malformed, text: "error.method"}
}

func (rt route) allowed() string {
	var list []string
	if rt.get != nil {
		list = append(list, "GET", "HEAD")
	}
	if rt.post != nil {
		list = append(list, "POST")
	}
	return strings.Join(list, ", ")
}

// recover answers a panic like any other fault. Its message may hold anything, a secret too, so only the
// runtime's own errors are logged in full.
func (x *exchange) recover() {
	caught := recover()
	if caught == nil {
		return
	}
	if caught == http.ErrAbortHandler {
		panic(caught)
	}
	attrs := []slog.Attr{slog.String("where", x.r.URL.Path), slog.String("stack", string(debug.Stack()))}
	if err, ok := caught.(runtime.Error); ok {
		attrs = append(attrs, slog.Any("error", err))
	}
	x.h.log.LogAttrs(x.r.Context(), slog.LevelError, "panic", attrs...)
	x.answer(problem{status: http.StatusInternalServerError, code: faultCode, text: "error.fault"})
}

// contentPolicy lets a page load our stylesheet and images, send its forms to us, and nothing else: there
// is no script on it, so one that got in does not run (ASVS 3.4.3, 3.4.6).
const contentPolicy = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// scriptPolicy is for pages that offer passkeys. It adds the one script, by its address: what else the site serves,
// and be it what somebody uploaded, does not run here.
func (h *Handler) scriptPolicy() string {
	return contentPolicy + "; script-src " + h.cfg.Origin + h.cfg.Prefix + h.script.path + "; connect-src " + h.cfg.Origin + h.cfg.Prefix + passkeyPath + "; require-trusted-types-for 'script'; trusted-types 'none'"
}

// secure sets the headers that every answer has, errors included (ASVS 3.4, 3.5.8, 14.3.2).
func secure(header http.Header) {
	pairs := [...][2]string{
		{"Cache-Control", "no-store"},
		{"Content-Security-Policy", contentPolicy},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"},
		{"Referrer-Policy", "no-referrer"},
		{"X-Content-Type-Options", "nosniff"},
	}
	values := make([]string, len(pairs)) // one allocation for all; the capacities keep them apart
	for i, pair := range pairs {
		values[i] = pair[1]
		header[pair[0]] = values[i : i+1 : i+1]
	}
}

func toAccount(x *exchange) error  { return x.redirect(x.path("/account")) }
func toPassword(x *exchange) error { return x.redirect(x.path("/password")) }

// addVary adds fields to Vary without repeating one.
func addVary(header http.Header, fields ...string) {
	list := slices.Grow(header["Vary"], len(fields))
	for _, f := range fields {
		if !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	header["Vary"] = list
}
