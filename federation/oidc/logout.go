package oidc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// logoutEvent is the one event of a logout token.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// VerifyLogout checks a logout token (OpenID Connect Back-Channel Logout 1.0 §2.6). That each serves once is for the
// caller to see to: ID names it, and ExpiresAt is until when it would hold, skew included, so a mark that is kept until
// then is kept long enough. An error is a *auth.ProviderError if the token is worth nothing. That the provider's keys
// could not be had says nothing of it, so that is another error: refused for good, a token that holds would end nothing.
func (p *Provider) VerifyLogout(ctx context.Context, token auth.Secret, now time.Time) (auth.ProviderLogout, error) {
	l, err := p.verifyLogout(ctx, token, now)
	if bad, ok := errors.AsType[*auth.ProviderError](err); ok && (bad.Code == DiscoveryUnavailable || bad.Code == KeysUnavailable) {
		return auth.ProviderLogout{}, fmt.Errorf("oidc: verify logout token: %s", bad.Error()) // not %w: it is no refusal
	}
	return l, err
}

func (p *Provider) verifyLogout(ctx context.Context, token auth.Secret, now time.Time) (auth.ProviderLogout, error) {
	m, err := p.configuration(ctx)
	if err != nil {
		return auth.ProviderLogout{}, err
	}
	e, signedBy, claims, err := p.open(ctx, m, token.Reveal())
	if err != nil {
		return auth.ProviderLogout{}, err
	}
	untyped := p.cfg.UntypedLogout && (e.typ == "" || strings.EqualFold(e.typ, "JWT"))
	if !untyped && !strings.EqualFold(e.typ, "logout+jwt") {
		return auth.ProviderLogout{}, refuse(TypeNotAllowed)
	}
	if claims.Has("nonce") || !hasLogoutEvent(claims) {
		return auth.ProviderLogout{}, refuse(NotALogout)
	}
	l := auth.ProviderLogout{ExpiresAt: p.holdsUntil(claims)}
	if l.Issuer, err = p.issuer.check(claims, signedBy); err != nil {
		return auth.ProviderLogout{}, err
	}
	if err := errors.Join(p.checkAudience(claims, false), p.checkTimes(claims, now, maxLogoutAge, maxLogoutLife)); err != nil {
		return auth.ProviderLogout{}, first(err)
	}
	return l, readLogout(&l, claims)
}

// readLogout reads who is logged out.
func readLogout(l *auth.ProviderLogout, c Claims) (err error) {
	var ok bool
	if l.ID, ok = c.identifier("jti"); !ok {
		return refuse(TokenIDMissing)
	}
	if l.Subject, err = c.optional("sub"); err != nil {
		return err
	}
	if l.Session, err = c.optional("sid"); err != nil {
		return err
	}
	if l.Subject == "" && l.Session == "" {
		return refuse(LogoutOfNobody)
	}
	return nil
}

// hasLogoutEvent reports whether the claim events has the event, as an empty object and nothing else.
func hasLogoutEvent(c Claims) bool {
	events, err := decode(c.Raw("events"))
	if err != nil {
		return false
	}
	event, err := decode(events[logoutEvent])
	return err == nil && len(event) == 0
}

// holdsUntil is the first moment at which checkTimes refuses the token as too old.
func (p *Provider) holdsUntil(c Claims) time.Time {
	exp, _ := c.instant("exp")
	iat, _ := c.instant("iat")
	until := iat.Add(maxLogoutAge)
	if exp.Before(until) {
		until = exp
	}
	return until.Add(p.cfg.Skew + time.Second).UTC()
}
