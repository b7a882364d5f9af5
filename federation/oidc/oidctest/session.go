package oidctest

import (
	"net/http"
	"time"
)

// session is one stay of a person in one browser.
type session struct {
	sid      string
	subject  string
	authTime time.Time
	began    time.Time
	clients  map[string]bool // who was told of it
}

// grant is what a code and its access token stand for.
type grant struct {
	client      string
	redirectURI string
	challenge   string
	nonce       string
	scopes      []string
	acrs        []string // asked for
	sid         string
	subject     string
	authTime    time.Time
	issued      time.Time
	used        bool
	access      string // the access token; empty before there is one, and after it is revoked
}

func (p *Provider) begin(subject string, at time.Time) *session {
	s := &session{sid: random()[:22], subject: subject, authTime: at, began: p.now(), clients: map[string]bool{}}
	p.sessions[s.sid] = s
	return s
}

// current returns the session of the browser; of whoever is signed in without a page, if there is somebody. It is nil
// if there is none.
func (p *Provider) current(r *http.Request) *session {
	var s *session
	if c, err := r.Cookie(p.cookie); err == nil {
		s = p.sessions[c.Value]
	}
	switch {
	case p.here == nil:
		return s
	case s != nil && s.subject == p.here.subject && !s.authTime.Before(p.here.since):
		return s
	}
	return p.begin(p.here.subject, p.here.since)
}

// another returns a session of the person after the one whose it is.
func (p *Provider) another(s *session) *session {
	for i, person := range p.people {
		if person.Subject == s.subject {
			return p.begin(p.people[(i+1)%len(p.people)].Subject, p.now())
		}
	}
	return s
}

func (p *Provider) setCookie(w http.ResponseWriter, sid string) {
	c := &http.Cookie{
		Name: p.cookie, Value: sid, Path: p.base + "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: len(p.cfg.Issuer) > 6 && p.cfg.Issuer[:6] == "https:",
	}
	if sid == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// sweep forgets what is over, so that a demo can run for days.
func (p *Provider) sweep() {
	now := p.now()
	for id, q := range p.asking {
		if now.Sub(q.at) > askingLife {
			delete(p.asking, id)
		}
	}
	for code, g := range p.codes { // used ones are kept for a while, to know them again
		if now.Sub(g.issued) > 10*codeLife {
			delete(p.codes, code)
		}
	}
	for token, g := range p.access {
		if now.Sub(g.issued) > 2*accessLife {
			delete(p.access, token)
		}
	}
	for sid, s := range p.sessions {
		if now.Sub(s.began) > sessionLife {
			delete(p.sessions, sid)
		}
	}
}
