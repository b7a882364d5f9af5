package authhttp

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// The reasons that this package gives of itself.
const (
	sessionRequired = flow.SessionRequired
	stepUpRequired  = flow.StepUpRequired
	cookieRequired  = flow.CookieRequired
	nativeOff       = flow.NativeNotOffered
	mixedTransport  = flow.MixedTransport
	malformed       = flow.Malformed
	forbidden       = flow.Forbidden
	notFound        = flow.NotFound
)

// faultCode is the code of an answer that says nothing.
const faultCode = "fault"

func deny(r flow.Reason) error { return flow.Deny(r) }

// webError is a refusal of a request as such, before anything was asked of the service.
type webError struct {
	status int
	reason flow.Reason
	text   string // key of the sentence, if not the reason's
	cause  error  // for the log
}

func (e *webError) Error() string { return "refused: " + e.reason.String() }
func (e *webError) Unwrap() error { return e.cause }

// statuses maps each reason to the status that it is answered with. Those that tell of a proof that was
// not accepted are 401, those that no proof would help are 403.
var statuses = map[flow.Reason]int{
	flow.BadCredentials:       http.StatusUnauthorized,
	flow.WrongCode:            http.StatusUnauthorized,
	flow.NotConnected:         http.StatusUnauthorized,
	flow.WrongPerson:          http.StatusUnauthorized,
	flow.ProviderFailed:       http.StatusUnauthorized,
	flow.ProviderDeclined:     http.StatusUnauthorized,
	flow.NotRecent:            http.StatusUnauthorized,
	flow.SessionRequired:      http.StatusUnauthorized,
	flow.StepUpRequired:       http.StatusUnauthorized,
	flow.Forbidden:            http.StatusForbidden,
	flow.CookieRequired:       http.StatusForbidden,
	flow.NativeNotOffered:     http.StatusForbidden,
	flow.AccountUnavailable:   http.StatusForbidden,
	flow.AccountLocked:        http.StatusForbidden,
	flow.SignInRefused:        http.StatusForbidden,
	flow.OrganisationRequired: http.StatusForbidden,
	flow.NoPassword:           http.StatusForbidden,
	flow.NotApproved:          http.StatusForbidden,
	flow.FactorRequired:       http.StatusConflict,
	flow.AssuranceShort:       http.StatusForbidden,
	flow.NotFound:             http.StatusNotFound,
	flow.Stale:                http.StatusConflict,
	flow.NotOffered:           http.StatusConflict,
	flow.IdentityTaken:        http.StatusConflict,
	flow.TooManyFactors:       http.StatusConflict,
	flow.TooManySessions:      http.StatusConflict,
	flow.Expired:              http.StatusGone,
	flow.Malformed:            http.StatusBadRequest,
	flow.MixedTransport:       http.StatusBadRequest,
	flow.PasswordRejected:     http.StatusUnprocessableEntity,
	flow.AddressRejected:      http.StatusUnprocessableEntity,
	flow.AddressTaken:         http.StatusUnprocessableEntity,
	flow.PasskeyRefused:       http.StatusUnauthorized,
	flow.TooManyAttempts:      http.StatusTooManyRequests,
	flow.TooSoon:              http.StatusTooManyRequests,
	flow.Busy:                 http.StatusServiceUnavailable,
	flow.Cancelled:            http.StatusOK, // it is what the person asked for
}

// statusOf returns the status of a reason. One that is not listed would be a mistake, which a test finds.
func statusOf(r flow.Reason) int {
	if s, ok := statuses[r]; ok {
		return s
	}
	return http.StatusForbidden
}

// problem is how an error is answered.
type problem struct {
	status  int
	code    string
	text    string // key of the sentence, if not the reason's
	refusal flow.Refusal
	target  flow.Target              // of a step-up that is required
	demand  *auth.ConfirmationDemand // what that has to confirm; nil for nothing
}

// problemOf sorts an error into what may be told and what may not.
func problemOf(err error) problem {
	var web *webError
	if errors.As(err, &web) {
		return problem{status: web.status, code: web.reason.String(), text: web.text, refusal: flow.Refusal{Reason: web.reason}}
	}
	if d := denial(err); d != nil {
		return problem{status: statusOf(d.Reason), code: d.Reason.String(), refusal: d.Refusal}
	}
	return problem{status: http.StatusInternalServerError, code: faultCode, text: "error.fault"}
}

// denial returns the refusal that err is, or nil if it is a fault.
func denial(err error) *auth.DeniedError {
	var d *auth.DeniedError
	if errors.As(err, &d) {
		return d
	}
	return nil
}

// fail answers an error. Whoever merely lacks a session and reads a page is sent to sign in.
func (x *exchange) fail(err error) {
	p := problemOf(err)
	x.logProblem(p, err)
	reading := x.r.Method == http.MethodGet || x.r.Method == http.MethodHead
	if p.refusal.Reason == sessionRequired && reading && !x.json {
		_ = x.redirect(with(x.path("/sign-in"), "return_to", x.here())) // writes headers only
		return
	}
	x.answer(p)
}

func (x *exchange) logProblem(p problem, err error) {
	ctx, where := x.r.Context(), slog.String("where", x.r.URL.Path)
	switch {
	case p.code == faultCode:
		x.h.log.LogAttrs(ctx, slog.LevelError, "fault", where, slog.Any("error", err))
	case p.refusal.Reason == forbidden || p.refusal.Reason == malformed || p.refusal.Reason == mixedTransport:
		// Worth an alert when they come in numbers: somebody tries what no page of ours does (ASVS 16.3.3).
		attrs := []slog.Attr{where, slog.String("reason", p.code), slog.String("address", clientAddress(x.r, x.h.cfg.TrustedProxies).String())}
		if cause := errors.Unwrap(err); cause != nil {
			attrs = append(attrs, slog.String("cause", cause.Error()))
		}
		x.h.log.LogAttrs(ctx, slog.LevelWarn, "request refused", attrs...)
	}
}

// answer writes a problem in the form that the request asked for.
func (x *exchange) answer(p problem) {
	x.retryAfter(p)
	x.challenge(p)
	if x.json {
		if err := x.writeJSON(p.status, struct {
			Error errorBody `json:"error"`
		}{x.errorBody(p)}); err == nil {
			return
		}
	} else if err := x.render(p.status, "message", x.problemPage(p)); err == nil {
		return
	}
	// Not even the page that says so could be made.
	http.Error(x.w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
}

func (x *exchange) retryAfter(p problem) {
	wait := time.Duration(0)
	if p.status == http.StatusServiceUnavailable {
		wait = time.Second
	}
	if at := p.refusal.RetryAt; !at.IsZero() {
		wait = max(at.Sub(x.now), time.Second)
	}
	if wait > 0 {
		x.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
}

// errorBody is a problem as the API tells it.
type errorBody struct {
	Code    string     `json:"code"`
	Message string     `json:"message"`
	RetryAt *time.Time `json:"retry_at,omitempty"`
	Problem string     `json:"problem,omitempty"`
	Level   string     `json:"level,omitempty"`   // of the step-up that is required
	MaxAge  int        `json:"max_age,omitempty"` // seconds

	// Of a step-up that has to confirm something: what it is, and the token that begins it.
	Confirms  string `json:"confirms,omitempty"`
	Operation string `json:"operation,omitempty"`
}

func (x *exchange) errorBody(p problem) errorBody {
	body := errorBody{Code: p.code, Message: x.sentence(p), Problem: p.refusal.Problem}
	if at := p.refusal.RetryAt; !at.IsZero() {
		at = at.UTC()
		body.RetryAt = &at
	}
	if p.target.Assurance != 0 {
		body.Level, body.MaxAge = p.target.Assurance.String(), int(p.target.MaxAge/time.Second)
	}
	if p.demand != nil {
		body.Confirms, body.Operation = p.demand.Operation.Text(), p.demand.Token
	}
	return body
}

// sentence says what happened, and the way on, in the language of the answer.
func (x *exchange) sentence(p problem) string {
	if p.text != "" {
		return x.lang.text(p.text)
	}
	return x.refused(p.refusal)
}

func (x *exchange) refused(r flow.Refusal) string {
	key := "reason." + r.Reason.String()
	if !r.RetryAt.IsZero() && x.lang.has(key+".wait") {
		return x.lang.text(key+".wait", "wait", x.lang.wait(r.RetryAt.Sub(x.now)))
	}
	if r.Problem != "" && x.lang.has("problem."+r.Problem) {
		shortest, longest := x.h.svc.PasswordLengths()
		return x.lang.text("problem."+r.Problem, "min", strconv.Itoa(shortest), "max", strconv.Itoa(longest))
	}
	if x.lang.has(key) {
		return x.lang.text(key)
	}
	return x.lang.text("reason.other")
}

// here is the page that was asked for, to come back to. Only what is certainly a path of the own site is
// used; a request for "//evil.example/" has a path that is none.
func (x *exchange) here() string {
	if strings.HasPrefix(x.r.URL.Path, x.path(flowPath)) || strings.HasPrefix(x.r.URL.Path, x.path(providerPath)) {
		return "" // a flow ends with the session that began it, and a code is for this one address
	}
	return local(x.r.RequestURI)
}

// local returns target if it is a path of the own site that is short enough to be carried along, else nothing.
func local(target string) string {
	if len(target) > returnToLimit || !localPath(target) {
		return ""
	}
	return target
}
