package authhttp

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// names are the names of the cookies.
type names struct{ session, flow, device, notice, link, confirmation string }

const (
	// deviceAge is how long a browser is known after its last sign-in.
	deviceAge = 365 * 24 * time.Hour
	// noticeAge is how long a notice waits for the page that shows it.
	noticeAge = time.Minute
	// linkAge is how long the token of a mailed link waits for the form that uses it.
	linkAge = time.Hour
	// cookieLimit bounds a cookie with its attributes: browsers drop larger ones without a word (ASVS 3.3.5).
	cookieLimit = 4096
	day         = 24 * time.Hour
)

// cookieNames returns names with the __Host- prefix: a browser takes such a cookie only from this very
// host, over https and for the whole site, so that a neighbouring subdomain cannot plant one (RFC 6265bis §4.1.3.2).
func cookieNames(insecure bool) names {
	prefix := "__Host-"
	if insecure {
		prefix = ""
	}
	return names{prefix + "cardea-session", prefix + "cardea-flow", prefix + "cardea-device", prefix + "cardea-notice", prefix + "cardea-link", prefix + "cardea-confirmation"}
}

// cookie returns the value of the named cookie, without allocating. It is empty if there is none, or if
// there is more than one: a second one was planted, and which of them comes first is up to the planter.
func cookie(r *http.Request, name string) string {
	value, found := "", false
	for _, line := range r.Header["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			v, ok := strings.CutPrefix(strings.TrimLeft(pair, " \t"), name)
			if !ok {
				continue
			}
			if v = strings.Trim(v, " \t"); v != "" && v[0] != '=' {
				continue // another name that begins like this one
			}
			if found {
				return ""
			}
			value, found = strings.TrimPrefix(v, "="), true
		}
	}
	if len(value) > cookieLimit || !cookieOctets(value) {
		return ""
	}
	return value
}

// cookieOctets reports whether all bytes may stand in a cookie's value (RFC 6265 §4.1.1). Ours never need
// the quotes that the RFC allows around it.
func cookieOctets(value string) bool {
	for i := range len(value) {
		if c := value[i]; c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\' {
			return false
		}
	}
	return true
}

// setCookie sets a cookie: for the browser session if age is zero, gone at once if it is negative.
func (h *Handler) setCookie(w http.ResponseWriter, name, value string, age time.Duration) error {
	text := name + "=" + value + h.cookieAttributes(age)
	if !cookieOctets(value) || len(text) > cookieLimit {
		return fmt.Errorf("authhttp: cookie %s: %d bytes cannot be set", name, len(text))
	}
	// A renewed cookie may have been set already; two of one name in an answer are for browsers to pick from.
	header := w.Header()
	header["Set-Cookie"] = append(slices.DeleteFunc(header["Set-Cookie"], func(earlier string) bool {
		return strings.HasPrefix(earlier, name+"=")
	}), text)
	return nil
}

// cookieAttributes are those of all our cookies: for the whole site, not for scripts, over https, not with what other
// sites' pages send but for links.
func (h *Handler) cookieAttributes(age time.Duration) string {
	attributes := "; Path=/; HttpOnly; Secure; SameSite=Lax"
	if h.cfg.InsecureCookiesForLoopback {
		attributes = "; Path=/; HttpOnly; SameSite=Lax"
	}
	if age == 0 {
		return attributes
	}
	return attributes + "; Max-Age=" + strconv.Itoa(max(int(math.Ceil(age.Seconds())), 0))
}

func (h *Handler) dropCookie(w http.ResponseWriter, name string) {
	_ = h.setCookie(w, name, "", -time.Second) // an empty value always fits
}

// setSession hands a session's token to the browser. With "keep me signed in" the cookie lasts as long as
// the session would unused, and carries the day that the session was seen on: that way one look at the request
// tells when it has to be renewed, as the session was. Nobody gains anything by changing the day.
func (h *Handler) setSession(w http.ResponseWriter, s auth.Session, token string, now time.Time) error {
	if !s.Keep {
		return h.setCookie(w, h.cookies.session, token, 0)
	}
	value := token + "." + strconv.FormatInt(dayOf(s.SeenAt), 10)
	return h.setCookie(w, h.cookies.session, value, max(s.ExpiresAt.Sub(now), time.Second))
}

func dayOf(t time.Time) int64 { return t.Unix() / int64(day/time.Second) }

// authenticate returns the session that the request's cookie names, or a native client's bearer token. A kept
// one gets its cookie renewed, at most once a day, so that it lasts as long as the session, which slides.
func (h *Handler) authenticate(w http.ResponseWriter, r *http.Request) (auth.Session, error) {
	if h.bears(r) {
		return h.authenticateBearer(r)
	}
	token, set, dated := strings.Cut(cookie(r, h.cookies.session), ".")
	if token == "" || strings.HasPrefix(token, auth.NativeSessionMark) {
		return auth.Session{}, deny(sessionRequired) // a native client's token is worth nothing in a cookie
	}
	s, err := h.svc.Authenticate(r.Context(), auth.NewSecret(token))
	if err != nil {
		return auth.Session{}, err
	}
	if !s.Keep {
		return s, nil
	}
	if on, err := strconv.ParseInt(set, 10, 64); !dated || err != nil || on != dayOf(s.SeenAt) {
		// Whoever caches this answer would hand the session to others.
		w.Header().Set("Cache-Control", "no-store")
		return s, h.setSession(w, s, token, h.cfg.Now())
	}
	return s, nil
}

// browser returns the flow cookie, which binds flows and anonymous forms to this browser, and sets one if
// there is none.
func (x *exchange) browser() (string, error) {
	if x.bound != "" {
		return x.bound, nil
	}
	x.bound = cookie(x.r, x.h.cookies.flow)
	if x.bound != "" {
		return x.bound, nil
	}
	fresh, err := auth.RandomSecret(x.h.cfg.Random)
	if err != nil {
		return "", err
	}
	x.bound = fresh.Reveal()
	return x.bound, x.h.setCookie(x.w, x.h.cookies.flow, x.bound, 0)
}

// notices are the short messages that one page leaves for the next. They travel in a cookie, not in the
// address: nobody can make a link to a page that says "your password was changed".
var notices = []string{"password-changed", "address-changed", "signed-out", "session-ended", "others-ended", "device-renamed", "device-removed", "devices-removed",
	"factor-added", "factor-removed", "factor-renamed", "connection-added", "connection-removed"}

func (x *exchange) leaveNotice(code string) error {
	return x.h.setCookie(x.w, x.h.cookies.notice, code, noticeAge)
}

func (x *exchange) takeNotice() string {
	code := cookie(x.r, x.h.cookies.notice)
	if code == "" {
		return ""
	}
	x.h.dropCookie(x.w, x.h.cookies.notice)
	for _, known := range notices {
		if code == known {
			return x.lang.text("notice." + code)
		}
	}
	return ""
}
