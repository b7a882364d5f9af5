package authhttp

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// Browsers bring cookies, with every request and whoever made them send it; that is what form tokens and the
// cross-origin check are for. A native client brings its token itself, in a header that no other site can make
// anybody send, so neither is needed for it. A request that has both would be checked as the one and
// authorised as the other: there is none that is let through.

// What "client" in a request to /flow may be.
const (
	asBrowser = "browser"
	asNative  = "native"
)

var errAuthorization = errors.New("Authorization header")

func mixed(cause string) error {
	return &webError{status: statuses[mixedTransport], reason: mixedTransport, cause: errors.New(cause)}
}

// bears reports whether the request has a bearer token, well made or not, where one is looked at. On the way
// of every request with a cookie, it costs one look into the header.
func (h *Handler) bears(r *http.Request) bool {
	if !h.cfg.Native {
		return false
	}
	for _, line := range r.Header["Authorization"] {
		if isBearer(line) {
			return true
		}
	}
	return false
}

// isBearer reports whether credentials are of the scheme Bearer; schemes have no case (RFC 9110 §11.1). What
// comes after the scheme's name may be anything that does not make it another name: "Bearer," is a mistake,
// and not a scheme that is none of our business.
func isBearer(line string) bool {
	const scheme = "bearer"
	return len(line) >= len(scheme) && strings.EqualFold(line[:len(scheme)], scheme) &&
		(len(line) == len(scheme) || !tokenChar(line[len(scheme)]))
}

// tokenChar reports whether c may be in the name of a scheme (RFC 9110 §5.6.2).
func tokenChar(c byte) bool {
	return alphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// bearerToken reads "Bearer" 1*SP b64token (RFC 6750 §2.1), the one Authorization header that there may be:
// of two, whoever stands in front of us may have believed the other.
func bearerToken(lines []string) (token string, err error) {
	if len(lines) != 1 || !isBearer(lines[0]) {
		return "", refuseBody(errAuthorization)
	}
	rest := lines[0][len("bearer"):]
	token = strings.TrimLeft(rest, " ")
	if len(token) == len(rest) || !isB64Token(token) {
		return "", refuseBody(errAuthorization)
	}
	return token, nil
}

// isB64Token reports whether text is 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=".
func isB64Token(text string) bool {
	text = strings.TrimRight(text, "=")
	for i := range len(text) {
		if c := text[i]; !alphanumeric(c) && strings.IndexByte("-._~+/", c) < 0 {
			return false
		}
	}
	return text != ""
}

// authenticateBearer returns the session of a native client's request.
func (h *Handler) authenticateBearer(r *http.Request) (auth.Session, error) {
	if err := h.pure(r); err != nil {
		return auth.Session{}, err
	}
	token, err := bearerToken(r.Header["Authorization"])
	if err != nil {
		return auth.Session{}, err
	}
	// A browser's token is refused here and in a store's eyes too: the mark is part of what was hashed.
	if !strings.HasPrefix(token, auth.NativeSessionMark) || len(token) > cookieLimit {
		return auth.Session{}, deny(sessionRequired)
	}
	return h.svc.Authenticate(r.Context(), auth.NewSecret(token))
}

// pure refuses a request that has anything of a browser's: a cookie of ours, which says that there is another
// identity, or a header that scripts can neither set nor leave out. So a script on a page is not served as
// a native client, which would put the tokens where the next injected script finds them. It stops nobody who
// writes requests by hand, and need not: they hold what they send.
func (h *Handler) pure(r *http.Request) error {
	for name := range r.Header {
		if name == "Origin" || strings.HasPrefix(name, "Sec-Fetch-") {
			return mixed("native client with a browser's header")
		}
	}
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(pair, "=")
			switch strings.Trim(name, " \t") {
			case h.cookies.session, h.cookies.flow, h.cookies.device, h.cookies.notice, h.cookies.confirmation:
				return mixed("native client with a cookie")
			}
		}
	}
	return nil
}

// forNative refuses a request with a bearer token that is a browser's too, or that is for a page.
func (x *exchange) forNative(rt route) error {
	if !rt.native || !rt.json && x.r.Method != http.MethodPost {
		return mixed("native client on a page")
	}
	return x.h.pure(x.r)
}

// transport decides whether a request to /flow is a browser's or a native client's, by its own word and
// before anything is looked up. One that says the one and looks like the other is neither.
func (x *exchange) transport(in fields) error {
	client := in.text("client")
	switch {
	case client == asNative:
		return x.nativeTransport(in)
	case in.has("client") && client != asBrowser:
		return refuseBody(errFieldValue)
	case x.native:
		return mixed("bearer token of a browser")
	case in.has("device_token"):
		return refuseBody(errUnknownField) // a browser's is in a cookie
	}
	return nil
}

func (x *exchange) nativeTransport(in fields) (err error) {
	if !x.h.cfg.Native {
		return deny(nativeOff)
	}
	if err := x.h.pure(x.r); err != nil {
		return err
	}
	if x.native {
		if x.sessionToken, err = bearerToken(x.r.Header["Authorization"]); err != nil {
			return err
		}
	}
	x.native, x.deviceToken = true, in.text("device_token")
	return nil
}

// challenge tells a native client that it has to prove something, and what (RFC 6750 §3, RFC 9470 §3). A
// browser is never told so: it has nothing that could go into this header.
func (x *exchange) challenge(p problem) {
	if p.status != http.StatusUnauthorized || !x.h.cfg.Native || x.h.pure(x.r) != nil {
		return
	}
	text := `Bearer realm="session"`
	switch {
	case !x.h.bears(x.r): // without credentials there is no error in them
	case p.refusal.Reason == sessionRequired:
		text += `, error="invalid_token"`
	case p.target.Assurance != 0:
		text += fmt.Sprintf(`, error="insufficient_user_authentication", acr_values="%s", max_age="%d"`,
			p.target.Assurance, int(p.target.MaxAge/time.Second))
	}
	x.w.Header().Set("WWW-Authenticate", text)
}
