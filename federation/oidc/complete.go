package oidc

import (
	"context"

	"github.com/cardea-auth/cardea/auth"
)

// Complete redeems the code and returns who came back. Every error is a *auth.ProviderError, but for faults of the trip
// and of Config's hooks.
func (p *Provider) Complete(ctx context.Context, t auth.Trip, a auth.Answer) (auth.Identity, error) {
	if err := p.checkTrip(t); err != nil {
		return auth.Identity{}, err
	}
	m, err := p.configuration(ctx)
	if err != nil {
		return auth.Identity{}, err
	}
	if err := p.checkAnswer(m, a); err != nil {
		return auth.Identity{}, err
	}
	granted, err := p.redeem(ctx, m, t, a.Code)
	if err != nil {
		return auth.Identity{}, err
	}
	token, err := p.verifyIDToken(ctx, m, t, granted)
	if err != nil {
		return auth.Identity{}, err
	}
	if a.Issuer != "" && a.Issuer != token.issuer {
		return auth.Identity{}, refuse(AnswerIssuerMismatch)
	}
	info, err := p.moreClaims(ctx, m, token, granted.access)
	if err != nil {
		return auth.Identity{}, err
	}
	return p.identity(token, info, a.User), nil
}

// checkAnswer looks at who answered before the code is sent anywhere: sent to the wrong provider, it would be that
// one's to redeem at the right one (mix-up, RFC 9207 §4).
func (p *Provider) checkAnswer(m *metadata, a auth.Answer) error {
	switch {
	case a.Code.IsZero():
		return refuse(CodeMissing)
	case a.Issuer == "" && m.tellsIssuer:
		return refuse(AnswerIssuerMissing)
	case a.Issuer != "" && !p.issuer.template() && a.Issuer != p.issuer.text:
		return refuse(AnswerIssuerMismatch)
	case a.Issuer != "" && p.issuer.template() && !p.issuer.fits(a.Issuer):
		return refuse(AnswerIssuerMismatch)
	}
	return nil
}

// identity makes an identity of claims that hold. Who it is comes from the ID token alone; what is shown, from the token
// or else from userinfo. The word on an address comes from where the address does: that of one must not vouch for another.
func (p *Provider) identity(token idToken, info Claims, user string) auth.Identity {
	i := auth.Identity{
		Issuer: token.issuer, Subject: token.subject, AuthTime: token.authTime, ACR: token.acr, Session: token.session,
	}
	if methods, ok := token.claims.list("amr", 16); ok { // they decide nothing, so a list that is none is no reason
		i.AMR = methods
	}
	for _, source := range []Claims{token.claims, info} {
		if name, _ := source.Text("name"); i.Name == "" {
			i.Name = shown(name, maxName)
		}
		if i.Email == "" {
			if i.Email = source.address(); i.Email != "" {
				i.EmailTrust = p.cfg.EmailTrust(source)
			}
		}
	}
	if i.EmailTrust > auth.EmailAuthoritative { // no level there is
		i.EmailTrust = auth.EmailUnverified
	}
	if i.Name == "" && p.cfg.UserParameter {
		i.Name = nameOfUser(user)
	}
	return i
}
