package viagoth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
)

// The codes of the errors that a Provider returns as *auth.ProviderError. They are stable.
const (
	// CodePanic: goth panicked, as it does at answers that lack what it expects.
	CodePanic = "goth-panic"
	// CodeProvider: what Make returned is of no use: an error, nothing, or a provider that does not use its client.
	CodeProvider = "goth-provider"
	// CodeAddress: goth's address to go to lacks something, has it twice, or has another state or redirect_uri.
	CodeAddress = "goth-address"
	// CodeSession: goth's session cannot be read, is not as Begin left it, or holds what may be a token.
	CodeSession = "goth-session"
	// CodeTrip: the trip has no state, verifier, redirect address or code.
	CodeTrip = "trip-incomplete"
	// CodeIssuer: the answer is of another issuer (RFC 9207).
	CodeIssuer = "issuer-mismatch"
	// CodeExchange: the token endpoint did not redeem the code.
	CodeExchange = "exchange-failed"
	// CodeBypassed: the code was redeemed past the client of the trip, or not at all.
	CodeBypassed = "client-bypassed"
	// CodeProfile: the service did not say who it is.
	CodeProfile = "profile-failed"
	// CodeSubject: it said so without an id, or with one that cannot be one person's.
	CodeSubject = "subject-missing"
	// CodeVerifier: the token request had a code, a redirect_uri or a code_verifier that is not the trip's.
	CodeVerifier = "token-request-altered"
	// CodeRepeated: the code was about to be sent again after it was redeemed, or once too often.
	CodeRepeated = "token-request-repeated"
	// CodeEndpoint: the code was about to be sent elsewhere than to the token endpoint.
	CodeEndpoint = "wrong-token-endpoint"
	// CodeRedirected: the token endpoint answered with a redirect, or another address with one to another host.
	CodeRedirected = "redirected"
	// CodeTooLarge: a request or an answer was larger than it may be.
	CodeTooLarge = "too-large"
	// CodeInsecure: a request was about to go over an unprotected connection.
	CodeInsecure = "insecure-address"
	// CodeEarly: there was a request before there was a code.
	CodeEarly = "request-before-code"
	// CodeOver: there was a request after the trip was over.
	CodeOver = "trip-over"
	// CodeInterrupted: the context ended or the time was up; the cause is wrapped.
	CodeInterrupted = "interrupted"
	// CodeUnreachable: there was no answer, or asking for one would have led into an internal network.
	CodeUnreachable = "unreachable"
)

func refuse(code, why string) error {
	if why == "" {
		return &auth.ProviderError{Code: code}
	}
	return &auth.ProviderError{Code: code, Err: errors.New(why)}
}

// interrupted returns the error of a context that ended, or nil.
func interrupted(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return &auth.ProviderError{Code: CodeInterrupted, Err: context.Cause(ctx)}
}

// unanswered returns what may be told of a request that had no answer, or too much of one.
func unanswered(q *http.Request, err error) error {
	if ended := interrupted(q.Context()); ended != nil {
		return ended
	}
	if errors.Is(err, federation.ErrTooLarge) {
		return refuse(CodeTooLarge, q.URL.Host)
	}
	return &auth.ProviderError{Code: CodeUnreachable, Err: federation.Tellable(q.Context(), err)}
}

// try calls into goth. It panics at answers that it does not expect; the value of a panic can hold one, so that only
// where it happened is told.
func try[T any](where string, call func() (T, error)) (result T, err error) {
	defer func() {
		if recover() != nil {
			err = refuse(CodePanic, where)
		}
	}()
	return call()
}

// coded reports whether an error is ours and may be told. All others are goth's, and hold what it was answered.
func coded(err error) bool {
	_, ours := err.(*auth.ProviderError) // not errors.As: what wraps ours is not ours
	return ours
}

// oauthErrors are the codes of RFC 6749 §5.2 and some that are in use; these alone are repeated from an answer.
var oauthErrors = map[string]bool{
	"invalid_request": true, "invalid_client": true, "invalid_grant": true, "unauthorized_client": true, "unsupported_grant_type": true,
	"invalid_scope": true, "bad_verification_code": true, "incorrect_client_credentials": true, "redirect_uri_mismatch": true,
}

func answered(u *url.URL, status int) string { return fmt.Sprintf("%s answered %d", u.Host, status) }

// plain returns text without what does not belong in a line of it.
func plain(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text))
}
