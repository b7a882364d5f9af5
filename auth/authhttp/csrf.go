package authhttp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Two layers stand before every change (ASVS 3.5.1, NIST SP 800-63B-4 §5.1): the browser's own word on
// where a request comes from, and a token that only our own page could have put into the form. JSON needs
// no token: no form can send that content type, and a script of another site needs leave that we never give.

var errOrigin = errors.New("neither Sec-Fetch-Site nor Origin")

// checkOrigin refuses requests that another site, or a neighbouring subdomain, made the browser send.
// net/http lets requests through that have neither header, since browsers always send one of them; with a
// cookie and a form's content type such a request is still not taken on trust.
func (h *Handler) checkOrigin(r *http.Request) error {
	err := h.guard.Check(r)
	bare := r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == ""
	if err == nil && bare && !isJSON(r) && r.Header.Get("Cookie") != "" {
		err = errOrigin
	}
	if err != nil {
		return &webError{status: http.StatusForbidden, reason: forbidden, cause: err}
	}
	return nil
}

// What a form token is bound to.
const (
	toBrowser = "browser" // the flow cookie; for forms that come before a session
	toSession = "session" // the session's id
)

const tokenNonce = 12

// formToken returns the token for forms that are bound to value. The nonce makes each one different, so
// that a compressed page does not give it away letter by letter (BREACH).
func (h *Handler) formToken(kind, value string) (string, error) {
	var nonce [tokenNonce]byte
	if _, err := io.ReadFull(h.cfg.Random, nonce[:]); err != nil {
		return "", fmt.Errorf("authhttp: read randomness: %w", err)
	}
	key := h.tokens.Current()
	sum, _ := h.tokens.MAC(key, kind, string(nonce[:]), value)
	return key + "." + base64.RawURLEncoding.EncodeToString(append(nonce[:], sum[:]...)), nil
}

func (h *Handler) checkToken(token, kind, value string) bool {
	key, text, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || value == "" || len(raw) < tokenNonce {
		return false
	}
	return h.tokens.Check(key, raw[tokenNonce:], kind, string(raw[:tokenNonce]), value)
}
