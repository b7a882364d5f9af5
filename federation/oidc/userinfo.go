package oidc

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// moreClaims returns what the userinfo endpoint says, if it is to be asked (Core §5.3), and else nothing.
func (p *Provider) moreClaims(ctx context.Context, m *metadata, token idToken, access string) (Claims, error) {
	if !p.asksUserInfo(m, token.claims) {
		return Claims{}, nil
	}
	info, err := p.userInfo(ctx, m, access)
	if err != nil {
		return Claims{}, err
	}
	// The access token may be another person's, swapped in on the way (Core §5.3.2).
	if sub, ok := info.Text("sub"); !ok || sub != token.subject {
		return Claims{}, refuse(UserInfoOfAnother)
	}
	return info, nil
}

func (p *Provider) asksUserInfo(m *metadata, c Claims) bool {
	switch p.cfg.UserInfo {
	case UserInfoAlways:
		return true
	case UserInfoNever:
		return false
	}
	return m.userInfo != "" && c.address() == "" && slices.Contains(p.cfg.Scopes, "email")
}

func (p *Provider) userInfo(ctx context.Context, m *metadata, access string) (Claims, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.userInfo, nil)
	if err != nil || m.userInfo == "" {
		return Claims{}, refuse(UserInfoUnavailable)
	}
	request.Header.Set("Authorization", "Bearer "+access) // and not in the address, which gets logged (RFC 6750 §2.3)
	request.Header.Set("Accept", "application/json, application/jwt")
	a, err := p.ask(request)
	if err != nil {
		return Claims{}, refuseFor(UserInfoUnavailable, err)
	}
	switch a.mediaType {
	case "application/json":
		members, err := decode(a.body)
		if err != nil || len(a.body) > maxToken {
			return Claims{}, refuse(UserInfoMalformed)
		}
		return Claims{members: members, textBooleans: p.cfg.TextBooleans}, nil
	case "application/jwt":
		return p.signedUserInfo(ctx, m, strings.TrimSpace(string(a.body)))
	}
	return Claims{}, refuse(UserInfoMalformed)
}

// signedUserInfo checks an answer that is signed. It must then say who made it and for whom (Core §5.3.2), or one that
// another client got could be put here.
func (p *Provider) signedUserInfo(ctx context.Context, m *metadata, token string) (Claims, error) {
	e, signedBy, claims, err := p.open(ctx, m, token)
	if err != nil {
		return Claims{}, err
	}
	if e.typ != "" && !strings.EqualFold(e.typ, "JWT") || claims.Has("events") {
		return Claims{}, refuse(TypeNotAllowed)
	}
	if p.issuer.template() { // such an answer has no tid to fill it
		return Claims{}, refuse(UserInfoMalformed)
	}
	if _, err := p.issuer.check(claims, signedBy); err != nil {
		return Claims{}, err
	}
	return claims, p.checkAudience(claims, false)
}
