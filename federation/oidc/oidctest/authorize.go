package oidctest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// request is an authorization request that has been read.
type request struct {
	client      Client
	redirectURI string
	formPost    bool
	state       string
	nonce       string
	challenge   string
	scopes      []string
	acrs        []string
	prompts     []string
	maxAge      time.Duration // negative for none
	hint        string
	locales     string
	at          time.Time
}

// authorize is the authorization endpoint.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	if r.Method == http.MethodPost {
		values = r.PostForm
	}
	q, trust, bad := p.readRequest(values)
	p.note(func(l *Log) {
		a := Authorization{Params: values}
		if bad != nil {
			a.Error = bad.code
		}
		l.Authorizations = capped(l.Authorizations, a)
	})
	switch {
	case !trust: // whoever asks may not be who they say, so nothing goes to the address
		p.showError(w, r, bad)
		return
	case bad == nil:
		p.mu.Lock()
		p.sweep()
		p.asked++
		if p.mode == KeyRotation && p.asked == 2 {
			p.rotate()
		}
		bad = p.mode.denial()
		p.mu.Unlock()
	}
	if bad != nil {
		p.answer(w, r, q, url.Values{"error": {bad.code}, "error_description": {bad.reason}})
		return
	}
	p.identify(w, r, q)
}

// denial is what a mode answers to every request.
func (m Mode) denial() *refusal {
	switch m {
	case AccessDenied:
		return refuse("access_denied", "the person said no")
	case FormPostError:
		return refuse("login_required", "nobody is signed in that recently")
	}
	return nil
}

// identify finds out who it is: the session tells, or a page asks.
func (p *Provider) identify(w http.ResponseWriter, r *http.Request, q *request) {
	p.mu.Lock()
	s, now := p.current(r), p.now()
	silent, none := p.here != nil, slices.Contains(q.prompts, "none")
	stale := s == nil || slices.Contains(q.prompts, "login") || q.maxAge == 0 || q.maxAge > 0 && now.Sub(s.authTime) > q.maxAge
	switch {
	case stale && none:
		p.mu.Unlock()
		p.answer(w, r, q, url.Values{"error": {"login_required"}, "error_description": {"nobody is signed in that recently"}})
		return
	case stale && silent:
		s.authTime, p.here.since = now, now
	case stale, !silent && slices.Contains(q.prompts, "select_account"):
		id := random()
		q.at, p.asking[id] = now, q
		page := p.askPage(id, q)
		p.mu.Unlock()
		p.show(w, r, http.StatusOK, page)
		return
	}
	if p.mode == AnotherPerson {
		s = p.another(s)
	}
	code := p.issue(q, s)
	p.mu.Unlock()
	p.setCookie(w, s.sid)
	p.answer(w, r, q, url.Values{"code": {code}})
}

// issue returns a code for the session.
func (p *Provider) issue(q *request, s *session) string {
	code := random()
	s.clients[q.client.ID] = true
	p.codes[code] = &grant{
		client: q.client.ID, redirectURI: q.redirectURI, challenge: q.challenge, nonce: q.nonce, scopes: q.scopes,
		acrs: q.acrs, sid: s.sid, subject: s.subject, authTime: s.authTime, issued: p.now(),
	}
	return code
}

// readRequest reads an authorization request. Trust says that it names a client and an address of its, so that an error
// can be answered there.
func (p *Provider) readRequest(v url.Values) (q *request, trust bool, bad *refusal) {
	p.mu.Lock()
	k, known := p.clients[v.Get("client_id")]
	p.mu.Unlock()
	switch {
	case !known || len(v["client_id"]) != 1:
		return nil, false, refuse("invalid_request", "client_id is none that is registered")
	case len(v["redirect_uri"]) != 1 || !slices.Contains(k.RedirectURIs, v.Get("redirect_uri")):
		return nil, false, refuse("invalid_request", "redirect_uri is none of the client's: %q", v.Get("redirect_uri"))
	}
	q = &request{
		client: k, redirectURI: v.Get("redirect_uri"), state: v.Get("state"), nonce: v.Get("nonce"),
		formPost: v.Get("response_mode") == "form_post", challenge: v.Get("code_challenge"),
		scopes: strings.Fields(v.Get("scope")), acrs: strings.Fields(v.Get("acr_values")),
		prompts: strings.Fields(v.Get("prompt")), maxAge: -1, hint: v.Get("login_hint"), locales: v.Get("ui_locales"),
	}
	if text := v.Get("max_age"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 0 {
			return q, true, refuse("invalid_request", "max_age is no number of seconds")
		}
		q.maxAge = time.Duration(seconds) * time.Second
	}
	return q, true, q.problem(v)
}

func (q *request) problem(v url.Values) *refusal {
	name, twice := repeated(v)
	mode, method := v.Get("response_mode"), v.Get("code_challenge_method")
	switch {
	case twice:
		return refuse("invalid_request", "%s stands twice", name)
	case v.Has("request"):
		return refuse("request_not_supported", "request objects are not supported")
	case v.Has("request_uri"):
		return refuse("request_uri_not_supported", "request objects are not supported")
	case v.Get("response_type") != "code":
		return refuse("unsupported_response_type", "response_type must be code")
	case mode != "" && mode != "query" && mode != "form_post":
		return refuse("invalid_request", "response_mode must be query or form_post")
	case !slices.Contains(q.scopes, "openid"):
		return refuse("invalid_scope", "scope must have openid")
	case q.challenge == "" && !q.client.NoPKCE:
		return refuse("invalid_request", "code_challenge is required")
	case q.challenge != "" && (method != "S256" || len(q.challenge) != 43):
		return refuse("invalid_request", "code_challenge must be one of the method S256")
	case slices.Contains(q.prompts, "none") && len(q.prompts) > 1:
		return refuse("invalid_request", "prompt has none and more")
	}
	return nil
}

// answer sends the browser back with the parameters.
func (p *Provider) answer(w http.ResponseWriter, r *http.Request, q *request, v url.Values) {
	mode, _, _ := p.state()
	if q.state != "" {
		v.Set("state", q.state)
	}
	if !p.cfg.NoResponseIssuer {
		v.Set("iss", p.cfg.Issuer)
	}
	mode.spoilAnswer(v)
	if q.formPost {
		p.show(w, r, http.StatusOK, page{Kind: "post", Action: q.redirectURI, Fields: v, Locales: q.locales})
		return
	}
	http.Redirect(w, r, extended(q.redirectURI, v), http.StatusSeeOther)
}

// extended returns the address with more parameters.
func extended(address string, v url.Values) string {
	if len(v) == 0 {
		return address
	}
	if strings.Contains(address, "?") {
		return address + "&" + v.Encode()
	}
	return address + "?" + v.Encode()
}
