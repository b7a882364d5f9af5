package oidctest

import (
	"crypto/sha256"
	"crypto/subtle"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// token is the token endpoint.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	seen := TokenRequest{Form: r.PostForm}
	answer, bad := p.redeem(r, &seen)
	if bad != nil {
		seen.Error = bad.code
	}
	p.note(func(l *Log) { l.Tokens = capped(l.Tokens, seen) })
	if bad != nil {
		if bad.code == "invalid_client" {
			w.Header().Set("WWW-Authenticate", `Basic realm="oidctest"`)
		}
		bad.write(w)
		return
	}
	w.Header().Set("Pragma", "no-cache")
	writeJSON(w, http.StatusOK, answer)
}

// redeem makes tokens of a code.
func (p *Provider) redeem(r *http.Request, seen *TokenRequest) (map[string]any, *refusal) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	name, twice := repeated(r.PostForm)
	switch {
	case r.Method != http.MethodPost || kind != "application/x-www-form-urlencoded":
		return nil, refuse("invalid_request", "it must be a form that is posted")
	case r.URL.RawQuery != "":
		return nil, refuse("invalid_request", "parameters belong into the body")
	case twice:
		return nil, refuse("invalid_request", "%s stands twice", name)
	}
	k, bad := p.authenticate(r, seen)
	if bad != nil {
		return nil, bad
	}
	if r.PostForm.Get("grant_type") != "authorization_code" {
		return nil, refuse("unsupported_grant_type", "grant_type must be authorization_code")
	}
	g, access, bad := p.claim(k, r.PostForm)
	if bad != nil {
		return nil, bad
	}
	idToken, err := p.idToken(k, g, access)
	if err != nil {
		return nil, &refusal{http.StatusInternalServerError, "server_error", err.Error()}
	}
	return map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": int(accessLife / time.Second),
		"scope": strings.Join(g.scopes, " "), "id_token": idToken,
	}, nil
}

// authenticate returns the client, if it came in the one way that it is registered for.
func (p *Provider) authenticate(r *http.Request, seen *TokenRequest) (Client, *refusal) {
	id, secret, basic := r.BasicAuth()
	form := r.PostForm
	switch {
	case basic && form.Has("client_secret"):
		seen.Auth = "both"
		return Client{}, refuse("invalid_request", "the client authenticates twice")
	case basic: // both parts are encoded as in a form (RFC 6749 §2.3.1)
		seen.Auth = "client_secret_basic"
		var err, err2 error
		id, err = url.QueryUnescape(id)
		secret, err2 = url.QueryUnescape(secret)
		if err != nil || err2 != nil || form.Has("client_id") && form.Get("client_id") != id {
			return Client{}, refuse("invalid_client", "the client authenticates as nobody, or as two")
		}
	case form.Has("client_secret"):
		seen.Auth = "client_secret_post"
		id, secret = form.Get("client_id"), form.Get("client_secret")
	default:
		seen.Auth = "none"
		id = form.Get("client_id")
	}
	seen.ClientID = id
	p.mu.Lock()
	k, known := p.clients[id]
	method := k.AuthMethod
	if p.mode == ClientSecretBasic {
		method = "client_secret_basic"
	}
	p.mu.Unlock()
	if !known || method != seen.Auth || subtle.ConstantTimeCompare([]byte(k.Secret), []byte(secret)) != 1 {
		return Client{}, refuse("invalid_client", "there is no such client, or not with this secret, or not in this way")
	}
	return k, nil
}

// claim uses up a code, whatever comes of it, and returns what it stands for with a new access token. A code that comes
// a second time was stolen from one of the two, so what the first got is revoked (RFC 6749 §4.1.2).
func (p *Provider) claim(k Client, form url.Values) (grant, string, *refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.codes[form.Get("code")]
	if g == nil {
		return grant{}, "", refuse("invalid_grant", "there is no such code")
	}
	if g.used {
		delete(p.access, g.access)
		return grant{}, "", refuse("invalid_grant", "the code was used already")
	}
	g.used = true
	verifier := form.Get("code_verifier")
	sum := sha256.Sum256([]byte(verifier))
	switch {
	case g.client != k.ID:
		return grant{}, "", refuse("invalid_grant", "the code is of another client")
	case p.now().Sub(g.issued) >= codeLife:
		return grant{}, "", refuse("invalid_grant", "the code is older than a minute")
	case g.redirectURI != form.Get("redirect_uri"):
		return grant{}, "", refuse("invalid_grant", "redirect_uri is another one than before")
	case g.challenge == "" && verifier != "", g.challenge != "" && encoded(sum[:]) != g.challenge,
		g.challenge != "" && (len(verifier) < 43 || len(verifier) > 128):
		return grant{}, "", refuse("invalid_grant", "code_verifier is not the one of code_challenge")
	}
	if p.mode == KeyRotationBeforeSigning {
		p.rotate()
	}
	g.access = random()
	p.access[g.access] = g
	return *g, g.access, nil
}

// idToken returns the ID token of the grant.
func (p *Provider) idToken(k Client, g grant, access string) (string, error) {
	p.mu.Lock()
	person, _ := p.person(g.subject)
	mode, keys, alter, now := p.mode, p.keys, p.alter, p.now()
	p.mu.Unlock()
	claims := map[string]any{}
	if p.cfg.ClaimsInIDToken && mode != ScopeUserInfoClaims {
		claims = person.claims(g.scopes)
	} else if len(person.Claims) > 0 {
		claims = person.claims(nil)
	}
	for name, value := range map[string]any{
		"iss": p.cfg.Issuer, "sub": g.subject, "aud": k.ID, "iat": now.Unix(), "exp": now.Add(idTokenLife).Unix(),
		"auth_time": g.authTime.Unix(), "at_hash": half(access), "sid": g.sid,
	} {
		claims[name] = value
	}
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	if acr := person.acr(g.acrs); acr != "" {
		claims["acr"] = acr
	}
	if len(person.AMR) > 0 {
		claims["amr"] = person.AMR
	}
	t := newToken(IDToken, k, keys, claims)
	mode.spoilIDToken(t, keys)
	if alter != nil {
		alter(t)
	}
	return t.sign(keys)
}
