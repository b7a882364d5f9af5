package authhttp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth"
)

// exchange is one request and its answer.
type exchange struct {
	h     *Handler
	w     http.ResponseWriter
	r     *http.Request
	now   time.Time
	lang  *catalog
	json  bool   // the answer is JSON
	bound string // the flow cookie, once it was read or set

	native       bool   // the request is a native client's, or claims to be; it is given no cookie
	sessionToken string // a native client's,
	deviceToken  string // and its device's, once they were read
}

const (
	userAgentLimit = 256
	returnToLimit  = 2048
)

func (h *Handler) exchange(w http.ResponseWriter, r *http.Request, asJSON bool) *exchange {
	native := h.bears(r)
	return &exchange{
		h: h, w: w, r: r, now: h.cfg.Now(), native: native, json: native || asJSON || wantsJSON(r),
		lang: h.languages.match(r.Header.Get("Accept-Language")),
	}
}

// wantsJSON reports whether the request is for JSON rather than for a page: it brings JSON, or asks for it
// and not for HTML.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return isJSON(r) || strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

func (x *exchange) path(p string) string { return x.h.cfg.Prefix + p }

// client is who calls, for the service. The flow cookie, or what a native client has in its place, must have
// been read before.
func (x *exchange) client() auth.Client {
	c := auth.Client{
		Address: clientAddress(x.r, x.h.cfg.TrustedProxies), UserAgent: userAgent(x.r), Native: x.native,
		Language: x.lang.tag.String(),
	}
	if x.native {
		c.Session, c.Device = auth.NewSecret(x.sessionToken), auth.NewSecret(x.deviceToken)
		return c
	}
	token, _, _ := strings.Cut(cookie(x.r, x.h.cookies.session), ".")
	c.Browser, c.Session = auth.NewSecret(x.bound), auth.NewSecret(token)
	c.Device = auth.NewSecret(cookie(x.r, x.h.cookies.device))
	return c
}

func userAgent(r *http.Request) string {
	text := r.UserAgent()
	if len(text) > userAgentLimit {
		text = text[:userAgentLimit]
		for !utf8.ValidString(text) && len(text) > userAgentLimit-utf8.UTFMax {
			text = text[:len(text)-1]
		}
	}
	return strings.ToValidUTF8(text, "")
}

// session returns the session of the request; it is a refusal if there is none.
func (x *exchange) session() (auth.Session, error) { return x.h.authenticate(x.w, x.r) }

// query returns a parameter of the address. A repeated one is refused: two readers of the same address
// must not see two values (ASVS 15.3.7). Others are ignored.
func (x *exchange) query(name string) (string, error) {
	values := x.r.URL.Query()[name]
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1 || !utf8.ValidString(values[0]):
		return "", deny(malformed)
	}
	return values[0], nil
}

// returnTo returns the return_to parameter. Whether it is allowed, the service says.
func (x *exchange) returnTo() (string, error) {
	target, err := x.query("return_to")
	if len(target) > returnToLimit {
		target = ""
	}
	return target, err
}

// redirect answers 303, so that the browser reads the next page with GET and never repeats a POST.
func (x *exchange) redirect(target string) error {
	x.w.Header().Set("Location", target)
	x.w.WriteHeader(http.StatusSeeOther)
	return nil
}

func (x *exchange) write(status int, body []byte) error {
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	if x.r.Method == http.MethodHead {
		return nil
	}
	_, _ = x.w.Write(body) // a client that went away is no fault
	return nil
}

func (x *exchange) writeJSON(status int, body any) error {
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(body); err != nil {
		return fmt.Errorf("authhttp: encode answer: %w", err)
	}
	x.w.Header().Set("Content-Type", "application/json")
	x.w.Header().Set("Content-Language", x.lang.tag.String())
	addVary(x.w.Header(), "Accept", "Accept-Language", "Cookie")
	return x.write(status, text.Bytes())
}

// render writes a page. It is made in full before the first byte leaves, so that a fault half way through
// is still answered as one.
func (x *exchange) render(status int, name string, p page) error {
	p.lang, p.h = x.lang, x.h
	if p.Notice == "" {
		p.Notice = x.takeNotice()
	}
	var body bytes.Buffer
	if err := x.h.pages[name].ExecuteTemplate(&body, "layout", p); err != nil {
		return fmt.Errorf("authhttp: template %s: %w", name, err)
	}
	header := x.w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", x.lang.tag.String())
	// Not no-referrer: under that policy browsers send "Origin: null" with a form, which we refuse.
	header.Set("Referrer-Policy", "same-origin")
	if strings.HasPrefix(x.r.URL.Path, x.path(providerPath)) {
		header.Set("Referrer-Policy", "no-referrer") // there is a code in the address, and no form on the page
	}
	if p.scripted() {
		header.Set("Content-Security-Policy", x.h.scriptPolicy())
	}
	addVary(header, "Accept", "Accept-Language", "Cookie")
	return x.write(status, body.Bytes())
}

// speak changes the language of the answer to the account's, if it has one that there are texts in.
func (x *exchange) speak(a auth.Account) {
	if c := x.h.languages.find(a.Language); c != nil {
		x.lang = c
	}
}

// with returns path with parameters, leaving out the empty ones.
func with(path string, pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}
