package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/oauth2"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
)

// ClientAuth is how a client authenticates at the token endpoint (Core §9).
type ClientAuth uint8

// The ways. The zero value takes one that the provider lists.
const (
	ClientAuthDiscovered ClientAuth = iota
	ClientSecretBasic               // in the Authorization header
	ClientSecretPost                // in the body
	ClientAuthNone                  // a public client
)

// String returns the way's name in the registry of OAuth.
func (a ClientAuth) String() string {
	switch a {
	case ClientSecretBasic:
		return "client_secret_basic"
	case ClientSecretPost:
		return "client_secret_post"
	case ClientAuthNone:
		return "none"
	}
	return "as the provider lists"
}

// chooseAuth returns how to authenticate where the provider lists these ways; nil means that it lists none, which means
// basic (Discovery §3).
func (c Config) chooseAuth(listed []string) (ClientAuth, bool) {
	switch {
	case c.ClientAuth != ClientAuthDiscovered:
		return c.ClientAuth, true
	case c.ClientSecret.IsZero() && c.MintSecret == nil:
		return ClientAuthNone, true
	case listed == nil || slices.Contains(listed, ClientSecretBasic.String()):
		return ClientSecretBasic, true
	}
	return ClientSecretPost, slices.Contains(listed, ClientSecretPost.String())
}

func (c Config) authWords() string {
	words := c.ClientAuth.String()
	if c.ClientAuth == ClientAuthDiscovered && c.ClientSecret.IsZero() && c.MintSecret == nil {
		words = ClientAuthNone.String()
	}
	if c.MintSecret != nil {
		words += ", by a secret that is made for each request"
	}
	return words
}

// tokens are what the code was worth.
type tokens struct{ id, access string }

// redeem sends the code to the token endpoint, once (RFC 6749 §4.1.3). The way to authenticate is given: where it is not,
// golang.org/x/oauth2 tries one and then the other, and a code that was sent twice is a sign of theft to the provider.
func (p *Provider) redeem(ctx context.Context, m *metadata, t auth.Trip, code auth.Secret) (tokens, error) {
	secret := p.cfg.ClientSecret
	if p.cfg.MintSecret != nil {
		var err error
		if secret, err = p.cfg.MintSecret(ctx, t.Now); err != nil {
			return tokens{}, fmt.Errorf("oidc: make a client secret: %w", err)
		}
	}
	style := oauth2.AuthStyleInParams
	if m.clientAuth == ClientSecretBasic {
		style = oauth2.AuthStyleInHeader
	}
	client := oauth2.Config{
		ClientID: p.cfg.ClientID, ClientSecret: secret.Reveal(), RedirectURL: t.RedirectURI,
		Endpoint: oauth2.Endpoint{TokenURL: m.token, AuthStyle: style},
	}
	var options []oauth2.AuthCodeOption
	if !p.cfg.Info.NoPKCE {
		options = append(options, oauth2.VerifierOption(t.Verifier.Reveal()))
	}
	granted, err := client.Exchange(context.WithValue(ctx, oauth2.HTTPClient, p.client), code.Reveal(), options...)
	if err != nil {
		return tokens{}, tokenError(ctx, err)
	}
	if granted.Type() != "Bearer" {
		return tokens{}, refuse(TokenTypeUnknown)
	}
	id, _ := granted.Extra("id_token").(string)
	if id == "" {
		return tokens{}, refuse(IDTokenMissing)
	}
	return tokens{id: id, access: granted.AccessToken}, nil
}

// tokenError keeps what the token endpoint said to itself: its answer may repeat the code or hold a token.
func tokenError(ctx context.Context, err error) error {
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return refuseFor(TokenUnavailable, federation.Tellable(ctx, err))
	}
	status := 0
	if answer.Response != nil {
		status = answer.Response.StatusCode
	}
	if status >= http.StatusInternalServerError {
		return refuseFor(TokenUnavailable, statusError(status))
	}
	return refuseFor(TokenRefused, fmt.Errorf("status %d, %s", status, knownError(answer.ErrorCode)))
}

// knownError returns an error code of RFC 6749 §5.2, or of one of its extensions that providers use. What else a
// provider writes there is not repeated.
func knownError(code string) string {
	known := []string{
		"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
		"access_denied", "server_error", "temporarily_unavailable", "interaction_required", "consent_required", "login_required",
		"invalid_target", "invalid_resource", "invalid_dpop_proof", "use_dpop_nonce", "slow_down",
	}
	if i := slices.Index(known, code); i >= 0 {
		return known[i]
	}
	return "another error"
}
