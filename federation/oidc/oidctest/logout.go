package oidctest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// endSession is where a client sends people to sign out (OpenID Connect RP-Initiated Logout 1.0).
func (p *Provider) endSession(w http.ResponseWriter, r *http.Request) {
	values := r.Form
	p.note(func(l *Log) { l.EndSessions = capped(l.EndSessions, values) })
	end, bad := p.readEnd(values)
	if bad != nil {
		p.showError(w, r, bad)
		return
	}
	// Without a hint anybody's link could do it, so that a person is asked; but only where people see pages.
	if p.cfg.Interactive && end.sid == "" && r.PostForm.Get("confirmed") != "yes" {
		p.show(w, r, http.StatusOK, page{Kind: "leave", Action: p.base + pathEndSession, Fields: values, Locales: values.Get("ui_locales")})
		return
	}
	p.leave(r, end.sid)
	p.setCookie(w, "")
	if end.returnTo == "" {
		p.show(w, r, http.StatusOK, page{Kind: "left", Locales: values.Get("ui_locales")})
		return
	}
	v := url.Values{}
	if state := values.Get("state"); state != "" {
		v.Set("state", state)
	}
	mode, _, _ := p.state()
	mode.spoilReturn(v)
	http.Redirect(w, r, extended(end.returnTo, v), http.StatusSeeOther)
}

// ending is a request to sign out that has been read.
type ending struct {
	client   Client
	sid      string
	returnTo string
}

func (p *Provider) readEnd(v url.Values) (end ending, bad *refusal) {
	if name, twice := repeated(v); twice {
		return end, refuse("invalid_request", "%s stands twice", name)
	}
	id := v.Get("client_id")
	if hint := v.Get("id_token_hint"); hint != "" {
		claims, err := p.readHint(hint)
		if err != nil || id != "" && id != claims.Aud {
			return end, refuse("invalid_request", "the id_token_hint is none of this provider's for the client")
		}
		id, end.sid = claims.Aud, claims.Sid
	}
	p.mu.Lock()
	k, known := p.clients[id]
	p.mu.Unlock()
	end.client, end.returnTo = k, v.Get("post_logout_redirect_uri")
	switch {
	case id != "" && !known:
		return end, refuse("invalid_request", "client_id is none that is registered")
	case end.returnTo != "" && !slices.Contains(k.PostLogoutRedirectURIs, end.returnTo):
		return end, refuse("invalid_request", "post_logout_redirect_uri is none of the client's: %q", end.returnTo)
	}
	return end, nil
}

// leave ends the session of the hint, the browser's, and those of whoever is signed in without a page, and tells the
// clients.
func (p *Provider) leave(r *http.Request, sid string) {
	c, err := r.Cookie(p.cookie)
	p.mu.Lock()
	var over []*session
	for _, s := range p.sessions {
		silent := p.here != nil && sid == "" && s.subject == p.here.subject
		if s.sid == sid || silent || err == nil && c.Value == s.sid {
			over = append(over, s)
			delete(p.sessions, s.sid)
		}
		if p.here != nil && s.subject == p.here.subject {
			p.here.since = p.now() // who comes back without a page has signed in anew
		}
	}
	p.mu.Unlock()
	for _, s := range over {
		for _, id := range slices.Sorted(maps.Keys(s.clients)) {
			p.deliver(r.Context(), id, s.subject, s.sid)
		}
	}
}

// Logout ends sessions and tells the clients by logout tokens, as the mode has it (OpenID Connect Back-Channel Logout
// 1.0). With a sid, it is that session, and the token names both. With a subject alone, it is all of theirs, and the
// token has no sid. It returns what was sent, to clients that have a BackChannelLogoutURI and were told of a session.
func (p *Provider) Logout(ctx context.Context, subject, sid string) []Delivery {
	p.mu.Lock()
	clients := map[string]bool{}
	for _, s := range p.sessions {
		if sid != "" && s.sid == sid || sid == "" && s.subject == subject {
			maps.Copy(clients, s.clients)
			subject = s.subject
			delete(p.sessions, s.sid)
		}
	}
	p.mu.Unlock()
	var sent []Delivery
	for _, id := range slices.Sorted(maps.Keys(clients)) {
		if d, ok := p.deliver(ctx, id, subject, sid); ok {
			sent = append(sent, d)
		}
	}
	return sent
}

// LogoutToken returns a logout token for the client, as the mode has it, without sending it. Subject or sid may be
// empty, and then are not in it.
func (p *Provider) LogoutToken(client, subject, sid string) (string, error) {
	p.mu.Lock()
	k, known := p.clients[client]
	mode, keys, alter, now := p.mode, p.keys, p.alter, p.now()
	p.mu.Unlock()
	if !known {
		return "", fmt.Errorf("oidctest: no client %q", client)
	}
	claims := map[string]any{
		"iss": p.cfg.Issuer, "aud": k.ID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": random(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if subject != "" {
		claims["sub"] = subject
	}
	if sid != "" {
		claims["sid"] = sid
	}
	t := newToken(LogoutToken, k, keys, claims)
	mode.spoilLogoutToken(t, keys)
	if alter != nil {
		alter(t)
	}
	return t.sign(keys)
}

// deliver sends a logout token, if the client takes them.
func (p *Provider) deliver(ctx context.Context, client, subject, sid string) (d Delivery, ok bool) {
	p.mu.Lock()
	uri := p.clients[client].BackChannelLogoutURI
	p.mu.Unlock()
	if uri == "" {
		return d, false
	}
	d = Delivery{ClientID: client, URI: uri}
	if d.Token, d.Err = p.LogoutToken(client, subject, sid); d.Err == nil {
		p.post(ctx, &d)
	}
	p.note(func(l *Log) { l.Logouts = capped(l.Logouts, d) })
	return d, true
}

func (p *Provider) post(ctx context.Context, d *Delivery) {
	body := url.Values{"logout_token": {d.Token}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URI, strings.NewReader(body))
	if err != nil {
		d.Err = err
		return
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := p.http.Do(r)
	if err != nil {
		d.Err = err
		return
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxBody))
	d.Status, d.CacheControl = answer.StatusCode, answer.Header.Get("Cache-Control")
}
