package viagoth

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/markbates/goth"

	"github.com/cardea-auth/cardea/auth"
)

const (
	maxSubject  = 255
	maxEmail    = 320
	maxFullName = 256
)

// onlyCode is all that goth is told of an answer. It has nothing for redirect_uri and code_verifier, which some of
// goth's providers would take from whoever made the callback.
type onlyCode string

// Get returns the code for "code", and nothing for everything else.
func (c onlyCode) Get(name string) string {
	if name == "code" {
		return string(c)
	}
	return ""
}

var errTimeout = fmt.Errorf("the provider took too long: %w", context.DeadlineExceeded)

// Complete implements auth.Provider. All its errors are of type *auth.ProviderError with one of the codes above; one
// because of ctx wraps the cause. None has anything in it of a code, a token, a secret or an answer.
func (p *Provider) Complete(ctx context.Context, t auth.Trip, a auth.Answer) (auth.Identity, error) {
	switch {
	case a.Code.IsZero() || t.RedirectURI == "" || t.Verifier.IsZero() && !p.config.NoPKCE:
		return auth.Identity{}, refuse(CodeTrip, "")
	case p.config.Issuer != "" && a.Issuer != p.config.Issuer:
		return auth.Identity{}, refuse(CodeIssuer, "")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.timeout, errTimeout)
	defer cancel()
	if err := interrupted(ctx); err != nil {
		return auth.Identity{}, err
	}
	transport := p.trip(ctx, t, a)
	defer transport.end()
	user, err := p.fetch(transport, t, a)
	if err != nil {
		return auth.Identity{}, err
	}
	if transport.servedInBody() {
		p.secretInBody.Store(true) // the code need not be sent twice the next time
	}
	return p.identify(user)
}

func (p *Provider) trip(ctx context.Context, t auth.Trip, a auth.Answer) *trip {
	made := &trip{
		ctx: ctx, base: p.base, tokenURL: p.tokenURL, code: a.Code.Reveal(), redirectURI: t.RedirectURI,
		moveToken: p.config.TokenInHeader, inBody: p.secretInBody.Load(), development: p.config.HTTP.Development,
	}
	if !p.config.NoPKCE {
		made.verifier = t.Verifier.Reveal()
	}
	return made
}

// fetch redeems the code and asks who it is. That goth is content is not enough: the code must have been seen to be redeemed, by
// the request that had the verifier.
func (p *Provider) fetch(transport *trip, t auth.Trip, a auth.Answer) (goth.User, error) {
	g, err := p.config.open(transport, t.RedirectURI)
	if err != nil {
		return goth.User{}, transport.outcome(err, CodeProvider)
	}
	session, err := p.config.restore(g, t)
	if err != nil {
		return goth.User{}, transport.outcome(err, CodeSession)
	}
	token, err := try("Authorize", func() (string, error) { return session.Authorize(g, onlyCode(a.Code.Reveal())) })
	if err = transport.outcome(err, CodeExchange); err != nil {
		return goth.User{}, err
	}
	if !transport.redeemedFor(token) {
		return goth.User{}, refuse(CodeBypassed, "")
	}
	user, err := try("FetchUser", func() (goth.User, error) { return g.FetchUser(session) })
	return user, transport.outcome(err, CodeProfile)
}

// identify makes an identity of goth's user.
func (p *Provider) identify(user goth.User) (auth.Identity, error) {
	user.AccessToken, user.AccessTokenSecret, user.RefreshToken, user.IDToken = "", "", "", ""
	if !isSubject(user.UserID) {
		return auth.Identity{}, refuse(CodeSubject, "")
	}
	email, trust := user.Email, auth.EmailUnverified
	if p.config.Email != nil {
		if _, err := try("Config.Email", func() (struct{}, error) {
			email, trust = p.config.Email(user)
			return struct{}{}, nil
		}); err != nil {
			return auth.Identity{}, err
		}
	}
	name := plain(user.Name)
	if name == "" {
		name = plain(user.NickName)
	}
	id := auth.Identity{Issuer: issuerPrefix + p.config.ID, Subject: user.UserID, Name: cut(name, maxFullName)}
	if email != "" && email == plain(email) && len(email) <= maxEmail {
		if id.Email = email; trust <= auth.EmailAuthoritative {
			id.EmailTrust = trust
		}
	}
	return id, nil
}

// isSubject refuses what goth makes of an answer without an id: a number that is not there becomes "0" in it, and
// everybody would be the same person.
func isSubject(id string) bool {
	switch strings.ToLower(id) {
	case "", "0", "-1", "nan", "null", "nil", "<nil>", "undefined", "none", "false", "[]", "{}", "map[]":
		return false
	}
	// What fmt prints of something missing ("%!d(<nil>)"), and of a number that has lost its last digits ("1.2e+09").
	if strings.HasPrefix(id, "%!") || rounded(id) {
		return false
	}
	return len(id) <= maxSubject && utf8.ValidString(id) && id == plain(id)
}

// rounded reports whether an id is a float as fmt prints large ones, which two people can share.
func rounded(id string) bool {
	mantissa, exponent, found := strings.Cut(id, "e+")
	return found && mantissa != "" && strings.Trim(mantissa, "0123456789.") == "" && strings.Trim(exponent, "0123456789") == ""
}

// cut shortens text to n bytes without breaking a character.
func cut(text string, n int) string {
	for len(text) > n {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
