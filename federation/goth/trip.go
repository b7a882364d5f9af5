package viagoth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/cardea-auth/cardea/federation"
)

const (
	maxRequest   = 64 << 10
	maxRedirects = 3
)

// trip is the transport of one half of one trip. What a goth provider does not do by itself is done here, and what it
// must not do is refused, once and for all: a trip with a fault has no identity, even if goth passed over it.
type trip struct {
	ctx         context.Context
	base        http.RoundTripper // nil refuses every request, as is right before there is a code
	tokenURL    *url.URL
	code        string
	redirectURI string
	verifier    string // empty with NoPKCE
	moveToken   bool
	development bool
	inBody      bool // move the client's secret to the body

	mu       sync.Mutex
	over     bool
	sent     int    // token requests
	redeemed string // the access token that one of them was answered
	byHeader bool   // the first one had the client's secret in a header
	fault    error
	last     string   // what was answered last, without anything of the answer
	asked    *url.URL // with a nil base: where the code would have gone
}

// client returns the HTTP client that a goth provider is given. Its redirects are also judged by RoundTrip, since goth may take
// the transport and leave the rest.
func (t *trip) client() *http.Client {
	return &http.Client{Transport: t, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return t.fail(refuse(CodeRedirected, "too often"))
		}
		return nil
	}}
}

// end makes the client useless, for whatever goth may have left running.
func (t *trip) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// fail records the first fault, which is the one to tell, and returns err.
func (t *trip) fail(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fault == nil {
		t.fault = err
	}
	return err
}

// RoundTrip implements http.RoundTripper. Its errors have nothing of a request or an answer in them.
func (t *trip) RoundTrip(given *http.Request) (*http.Response, error) {
	body, err := readBody(given)
	if err != nil {
		return nil, t.fail(err)
	}
	q, cancel := t.request(given, body)
	defer cancel()
	token, err := t.prepare(q, body)
	if err != nil {
		return nil, t.fail(err)
	}
	response, err := t.exchange(q)
	if err != nil {
		return nil, t.fail(err)
	}
	if token {
		t.settle(response)
	}
	response.Request = given
	return response, nil
}

// request returns a copy to work on, which ends with the trip and with the original. Its URL and header are the
// original's, and are copied by who changes them.
func (t *trip) request(given *http.Request, body []byte) (*http.Request, func()) {
	ctx, cancel := context.WithCancelCause(t.ctx)
	stop := context.AfterFunc(given.Context(), func() { cancel(context.Cause(given.Context())) })
	q := given.WithContext(ctx)
	setBody(q, body)
	return q, func() { stop(); cancel(nil) }
}

// prepare checks a request and puts in what is missing. It reports whether it is the token request.
func (t *trip) prepare(q *http.Request, body []byte) (token bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	form, token := tokenForm(q, body)
	_, insecure := federation.ParseURL(q.URL.String(), t.development)
	switch {
	case t.over:
		return false, refuse(CodeOver, "")
	case t.fault != nil && t.base != nil:
		return false, t.fault // whatever was wrong, trying again is not how it gets right
	case insecure != nil:
		return false, refuse(CodeInsecure, q.URL.Host)
	case t.base == nil:
		if token && t.asked == nil {
			t.asked = q.URL
		}
		return false, refuse(CodeEarly, "")
	case token:
		return true, t.redeem(q, form)
	case t.moveToken:
		moveToken(q)
	}
	return false, nil
}

// redeem makes a token request of the trip out of goth's. Whoever could send the verifier elsewhere, or have another
// code redeemed with it, would undo what PKCE is for.
func (t *trip) redeem(q *http.Request, form url.Values) error {
	switch {
	case q.URL.String() != t.tokenURL.String():
		return refuse(CodeEndpoint, q.URL.Host)
	case t.redeemed != "":
		return refuse(CodeRepeated, "")
	case t.sent > 1 || t.sent == 1 && !t.byHeader:
		return refuse(CodeExchange, t.last)
	case !only(form, "code", t.code), form.Has("redirect_uri") && !only(form, "redirect_uri", t.redirectURI):
		return refuse(CodeVerifier, "")
	case t.verifier != "":
		if given := form["code_verifier"]; len(given) > 1 || len(given) == 1 && given[0] != "" && given[0] != t.verifier {
			return refuse(CodeVerifier, "")
		}
		form.Set("code_verifier", t.verifier)
	}
	if id, secret, ok := q.BasicAuth(); ok {
		if t.byHeader = !t.inBody; t.inBody {
			moveSecret(q, form, id, secret)
		}
	} else {
		t.byHeader = false
	}
	t.sent++
	setBody(q, []byte(form.Encode()))
	return nil
}

// exchange sends a request and reads the whole answer, so that goth is never given a part of one.
func (t *trip) exchange(q *http.Request) (*http.Response, error) {
	response, err := t.base.RoundTrip(q)
	if err != nil {
		return nil, unanswered(q, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body) // which is bounded
	if err != nil {
		return nil, unanswered(q, err)
	}
	t.mu.Lock()
	t.last = answered(q.URL, response.StatusCode)
	t.mu.Unlock()
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(answer)), int64(len(answer))
	return response, checkRedirect(q, response)
}

// checkRedirect refuses to be sent to another host: it would be given the token, and asked who somebody is.
func checkRedirect(q *http.Request, response *http.Response) error {
	if response.StatusCode < 300 || response.StatusCode > 399 || response.StatusCode == http.StatusNotModified {
		return nil
	}
	to, err := response.Location()
	read := q.Method == http.MethodGet || q.Method == http.MethodHead
	if err != nil || !read || to.Scheme != q.URL.Scheme || !strings.EqualFold(to.Host, q.URL.Host) {
		return refuse(CodeRedirected, q.URL.Host)
	}
	return nil
}

// tokenAnswer returns the access token and the error code of a token endpoint's answer, the latter if it is a known one,
// and leaves the answer to be read again.
func tokenAnswer(response *http.Response) (token, code string) {
	text, _ := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(text))
	var answer struct {
		Token any `json:"access_token"`
		Error any `json:"error"`
	}
	if json.Unmarshal(text, &answer) == nil {
		token, _ = answer.Token.(string)
		code, _ = answer.Error.(string)
	} else if form, err := url.ParseQuery(string(text)); err == nil {
		token, code = form.Get("access_token"), form.Get("error")
	}
	if !oauthErrors[code] {
		code = ""
	}
	return token, code
}

// settle notes how a token request went.
func (t *trip) settle(response *http.Response) {
	t.mu.Lock()
	defer t.mu.Unlock()
	token, code := tokenAnswer(response)
	if response.StatusCode >= 200 && response.StatusCode <= 299 {
		t.redeemed = token
	}
	if code != "" {
		t.last += ": " + code
	}
}

// outcome returns the first fault, or what says that a call failed otherwise.
func (t *trip) outcome(err error, code string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.fault != nil:
		return t.fault
	case err == nil || coded(err):
		return err
	}
	return refuse(code, t.last) // what goth says may hold the answer, and with it tokens
}

// redeemedFor reports whether token is what the code was redeemed for, by the request that had the verifier.
func (t *trip) redeemedFor(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return token != "" && token == t.redeemed
}

// servedInBody reports whether the secret was refused in a header and taken in the body.
func (t *trip) servedInBody() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.redeemed != "" && t.sent == 2
}

// tokenForm returns the form of a request that redeems a code.
func tokenForm(q *http.Request, body []byte) (url.Values, bool) {
	if q.Method != http.MethodPost || !strings.HasPrefix(q.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return nil, false
	}
	form, err := url.ParseQuery(string(body))
	return form, err == nil && only(form, "grant_type", "authorization_code")
}

func only(form url.Values, name, value string) bool {
	return len(form[name]) == 1 && form[name][0] == value
}

// moveSecret moves the client's secret from the header to the body (RFC 6749 §2.3.1). In the header it is
// encoded once more, which some that do not use x/oauth2 leave out.
func moveSecret(q *http.Request, form url.Values, id, secret string) {
	plainID, idErr := url.QueryUnescape(id)
	plainSecret, secretErr := url.QueryUnescape(secret)
	if errors.Join(idErr, secretErr) != nil {
		plainID, plainSecret = id, secret
	}
	q.Header = q.Header.Clone()
	q.Header.Del("Authorization")
	form.Set("client_id", plainID)
	form.Set("client_secret", plainSecret)
}

// moveToken moves an access token from the address to the header (RFC 6750 §5.3: addresses are logged).
func moveToken(q *http.Request) {
	query := q.URL.Query()
	if given := query["access_token"]; len(given) == 1 && q.Header.Get("Authorization") == "" {
		query.Del("access_token")
		u := *q.URL
		u.RawQuery = query.Encode()
		q.URL, q.Header = &u, q.Header.Clone()
		if q.Header == nil {
			q.Header = http.Header{}
		}
		q.Header.Set("Authorization", "Bearer "+given[0])
	}
}

func readBody(q *http.Request) ([]byte, error) {
	if q.Body == nil {
		return nil, nil
	}
	defer q.Body.Close()
	body, err := io.ReadAll(io.LimitReader(q.Body, maxRequest+1))
	switch {
	case err != nil:
		return nil, refuse(CodeUnreachable, "the request cannot be read")
	case len(body) > maxRequest:
		return nil, refuse(CodeTooLarge, q.URL.Host)
	}
	return body, nil
}

// setBody gives a request a body that can be read again, as HTTP/2 may have to.
func setBody(q *http.Request, body []byte) {
	if len(body) == 0 {
		q.Body, q.GetBody, q.ContentLength = nil, nil, 0
		return
	}
	q.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	q.Body, _ = q.GetBody()
	q.ContentLength = int64(len(body))
	q.TransferEncoding = nil
}
