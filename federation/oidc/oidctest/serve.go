package oidctest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The paths below the issuer.
const (
	pathConfiguration = "/.well-known/openid-configuration"
	pathKeys          = "/jwks"
	pathAuthorize     = "/authorize"
	pathSignIn        = "/sign-in"
	pathToken         = "/token"
	pathUserInfo      = "/userinfo"
	pathEndSession    = "/end_session"
)

// maxBody bounds what is read of a request.
const maxBody = 64 << 10

// ServeHTTP serves everything below the issuer.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, p.base)
	if !ok {
		http.NotFound(w, r)
		return
	}
	handlers := map[string]http.HandlerFunc{
		pathConfiguration: p.configuration, pathKeys: p.serveKeys, pathAuthorize: p.authorize, pathSignIn: p.signIn,
		pathToken: p.token, pathUserInfo: p.userInfo, pathEndSession: p.endSession,
	}
	path = p.count(path)
	serve := handlers[path]
	if serve == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "oidctest: the request cannot be read", http.StatusBadRequest)
		return
	}
	mode := p.failure(path)
	if p.fail(w, r, mode) {
		return
	}
	if mode == Huge {
		w = padded{w}
	}
	serve(w, r)
}

// count notes the request and returns the path by its usual name. The address of the keys may be another one.
func (p *Provider) count(path string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch path {
	case p.jwksPath:
		path = pathKeys
	case pathKeys:
		return ""
	case pathConfiguration, pathAuthorize, pathSignIn, pathToken, pathUserInfo, pathEndSession:
	default:
		return ""
	}
	p.seen.Fetches[path]++
	return path
}

// failure returns the mode, if it is not confined to other paths.
func (p *Provider) failure(path string) Mode {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.only) > 0 && !slices.Contains(p.only, path) {
		return Default
	}
	return p.mode
}

// fail answers as a provider does that is out of order, and reports whether it has.
func (p *Provider) fail(w http.ResponseWriter, r *http.Request, mode Mode) bool {
	switch mode {
	case Down:
		http.Error(w, "oidctest: out of order", http.StatusInternalServerError)
		return true
	case Garbage:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{\"issuer\": [\x00<!doctype html><title>Sign in to the wireless network</title>")
		return true
	case Slow:
		timer := time.NewTimer(p.cfg.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return true
		}
	}
	return false
}

// hugePadding is how much more than it should be an answer is in the mode Huge.
const hugePadding = 10 << 20

// padded is a writer that puts ten megabytes into the first JSON object that is written.
type padded struct{ http.ResponseWriter }

// Write writes b, with the padding if it is an object.
func (w padded) Write(b []byte) (int, error) {
	if len(b) < 3 || b[0] != '{' {
		return w.ResponseWriter.Write(b)
	}
	if _, err := io.WriteString(w.ResponseWriter, `{"padding":"`+strings.Repeat("x", hugePadding)+`",`); err != nil {
		return 0, err
	}
	n, err := w.ResponseWriter.Write(b[1:])
	return n + 1, err
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		http.Error(w, fmt.Sprintf("oidctest: %v", err), http.StatusInternalServerError) // a claim of the host's that is no JSON
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// refusal is an error that the protocol has a code for.
type refusal struct {
	status int
	code   string
	reason string
}

func refuse(code, reason string, args ...any) *refusal {
	status := http.StatusBadRequest
	if code == "invalid_client" || code == "invalid_token" {
		status = http.StatusUnauthorized
	}
	return &refusal{status, code, fmt.Sprintf(reason, args...)}
}

func (e *refusal) write(w http.ResponseWriter) {
	writeJSON(w, e.status, map[string]string{"error": e.code, "error_description": e.reason})
}

// repeated returns a parameter that stands twice, which none may (RFC 6749 §3.1).
func repeated(values map[string][]string) (string, bool) {
	for name, all := range values {
		if len(all) > 1 {
			return name, true
		}
	}
	return "", false
}
