package oidctest

import (
	"io"
	"net/http"
	"strings"
)

// userInfo is the userinfo endpoint. It takes the access token from the header and from nowhere else.
func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	p.mu.Lock()
	g := p.access[token]
	known := g != nil && strings.EqualFold(scheme, "Bearer") && p.now().Sub(g.issued) < accessLife
	seen := UserInfoRequest{Method: r.Method, Bearer: strings.EqualFold(scheme, "Bearer") && token != "", OK: known}
	var claims map[string]any
	var k Client
	if known {
		person, _ := p.person(g.subject)
		claims, k = person.claims(g.scopes), p.clients[g.client]
		claims["sub"] = g.subject
	}
	mode, keys, alter := p.mode, p.keys, p.alter
	p.mu.Unlock()
	p.note(func(l *Log) { l.UserInfos = capped(l.UserInfos, seen) })
	if !known {
		w.Header().Set("WWW-Authenticate", `Bearer realm="oidctest", error="invalid_token"`)
		refuse("invalid_token", "the header has no access token of this provider").write(w)
		return
	}
	if mode == UserInfoInvalidSubject {
		claims["sub"] = "somebody-else"
	}
	t := newToken(UserInfo, k, keys, claims)
	if mode == UserInfoSigned {
		t.Claims["iss"], t.Claims["aud"] = p.cfg.Issuer, k.ID
	} else {
		t.Header = nil
	}
	if alter != nil {
		alter(t)
	}
	if t.Header == nil && t.Text == "" {
		writeJSON(w, http.StatusOK, t.Claims)
		return
	}
	text, err := t.sign(keys)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/jwt")
	_, _ = io.WriteString(w, text)
}
