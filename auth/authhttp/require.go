package authhttp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// sessionKey is the key of the session in a request's context.
type sessionKey struct{}

// sessionContext is a context with a session in it. One value for both costs a request one allocation.
type sessionContext struct {
	context.Context
	session auth.Session
}

func (c *sessionContext) Value(key any) any {
	if key == (sessionKey{}) {
		return &c.session
	}
	return c.Context.Value(key)
}

// SessionFrom returns the session of the request whose context it is given; ok is false if nobody is
// signed in, or if the handler stands behind none of Require, RequireFresh, RequireConfirmed and Identify.
func SessionFrom(ctx context.Context) (session auth.Session, ok bool) {
	s, ok := ctx.Value(sessionKey{}).(*auth.Session)
	if !ok {
		return auth.Session{}, false
	}
	return *s, true
}

func withSession(r *http.Request, s auth.Session) *http.Request {
	return r.WithContext(&sessionContext{r.Context(), s})
}

// Require lets only signed-in people through to next. Others are sent to the sign-in page when they read a
// page (a GET that accepts HTML), and get 401 with the code session-required in any other case. If the
// session cannot be checked the answer is 500, never next. With Config.Native, a request with a bearer token
// is let through by that alone, and is refused with 400 if it is a browser's as well.
func (h *Handler) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := h.authenticate(w, r)
		if err != nil {
			h.refuse(w, r, err, flow.Target{})
			return
		}
		next.ServeHTTP(w, withSession(r, s))
	})
}

// RequireFresh lets only people through to next whose proofs of at most maxAge reach the level (ASVS
// 7.5.3). Others are sent to prove it when they read a page, and get 401 with the code step-up-required,
// the level and the age in any other case, native clients always: nothing that they posted is kept. Whatever is done
// for as long as the proofs are fresh passes; an act that cannot be taken back belongs behind RequireConfirmed. It
// panics if maxAge is less than a second or level is none, since nothing could meet the one and everything
// would meet the other.
func (h *Handler) RequireFresh(maxAge time.Duration, level flow.Assurance, next http.Handler) http.Handler {
	if maxAge < time.Second || level < flow.AAL1 || level > flow.AAL3 {
		panic(fmt.Sprintf("authhttp: RequireFresh of %s and %s", maxAge, level))
	}
	target := flow.Target{Assurance: level, MaxAge: maxAge.Truncate(time.Second)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := h.authenticate(w, r)
		if err == nil && !h.svc.Fresh(s, target) {
			err = deny(stepUpRequired)
		}
		if err != nil {
			h.refuse(w, r, err, target)
			return
		}
		next.ServeHTTP(w, withSession(r, s))
	})
}

// Identify lets everybody through to next, and tells it who is signed in. If a session is named that cannot
// be checked the answer is 500: to go on as if nobody were signed in would show the wrong page.
func (h *Handler) Identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := h.authenticate(w, r)
		if d := denial(err); d != nil && d.Reason == sessionRequired {
			next.ServeHTTP(w, r)
			return
		}
		if err != nil {
			h.refuse(w, r, err, flow.Target{})
			return
		}
		next.ServeHTTP(w, withSession(r, s))
	})
}

// refuse answers for a handler of the host.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error, target flow.Target) {
	secure(w.Header())
	x := h.exchange(w, r, !strings.Contains(r.Header.Get("Accept"), "text/html"))
	p := problemOf(err)
	if p.refusal.Reason != stepUpRequired {
		x.fail(err)
		return
	}
	p.target = target
	if !x.json && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		_ = x.redirect(x.confirmURL(target, x.here())) // writes headers only
		return
	}
	x.answer(p)
}

// confirmURL is the page where the target can be reached.
func (x *exchange) confirmURL(t flow.Target, returnTo string) string {
	return with(x.path("/confirm"), "level", t.Assurance.String(),
		"max_age", strconv.Itoa(int(t.MaxAge/time.Second)), "return_to", returnTo)
}

// cameFrom is the page of our own that a refused POST was sent from, or nothing.
func (x *exchange) cameFrom() string {
	u, err := url.Parse(x.r.Referer())
	if err != nil || u.Scheme+"://"+u.Host != x.h.cfg.Origin {
		return ""
	}
	return local(u.RequestURI())
}
