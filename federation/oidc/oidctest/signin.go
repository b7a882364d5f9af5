package oidctest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// askPage is the page that asks who it is. Whom the client expects comes first.
func (p *Provider) askPage(id string, q *request) page {
	people := slices.Clone(p.people)
	slices.SortStableFunc(people, func(a, b Person) int { return b.fits(q.hint) - a.fits(q.hint) })
	return page{Kind: "ask", Action: p.base + pathSignIn, Request: id, Client: q.client.Name, People: people, Locales: q.locales}
}

// fits returns 1 if the hint is about the person, and 0 if not.
func (p Person) fits(hint string) int {
	if hint != "" && (hint == p.Subject || strings.EqualFold(hint, p.Email)) {
		return 1
	}
	return 0
}

// Label is what the person's button calls them.
func (p Person) Label() string {
	for _, name := range []string{p.Name, p.Email} {
		if name != "" {
			return name
		}
	}
	return p.Subject
}

// signIn takes the answer of the page that asks who it is. A page serves once.
func (p *Provider) signIn(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "oidctest: POST alone", http.StatusMethodNotAllowed)
		return
	}
	id, subject := r.PostForm.Get("request"), r.PostForm.Get("subject")
	p.mu.Lock()
	q := p.asking[id]
	delete(p.asking, id)
	_, known := p.person(subject)
	old := q != nil && p.now().Sub(q.at) > askingLife
	if q == nil || old || !known && subject != "" {
		p.mu.Unlock()
		p.showError(w, r, refuse("invalid_request", "this page was answered already, or is too old; begin again where you came from"))
		return
	}
	if subject == "" {
		p.mu.Unlock()
		p.answer(w, r, q, url.Values{"error": {"access_denied"}, "error_description": {"the person said no"}})
		return
	}
	s := p.current(r)
	if s == nil || s.subject != subject {
		s = p.begin(subject, p.now())
	}
	s.authTime = p.now()
	code := p.issue(q, s)
	p.mu.Unlock()
	p.setCookie(w, s.sid)
	p.answer(w, r, q, url.Values{"code": {code}})
}
