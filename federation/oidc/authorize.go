package oidc

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// maxURL is the longest address of a departure.
const maxURL = 4 << 10

// Begin returns the authorization request (Core §3.1.2.1). An error is a *auth.ProviderError if the provider's
// configuration could not be had.
func (p *Provider) Begin(ctx context.Context, t auth.Trip) (auth.Departure, error) {
	if err := p.checkTrip(t); err != nil {
		return auth.Departure{}, err
	}
	m, err := p.configuration(ctx)
	if err != nil {
		return auth.Departure{}, err
	}
	d := auth.Departure{URL: extend(m.authorization, p.request(t)), Issuer: p.cfg.Issuer, TellsIssuer: m.tellsIssuer}
	if p.issuer.template() { // who will answer is known when they have; Complete compares then
		d.Issuer = ""
	}
	if len(d.URL) > maxURL {
		return auth.Departure{}, errors.New("oidc: the authorization request is too long")
	}
	if t.Fresh {
		d.Keep = keepBegun(t.Now)
	}
	return d, nil
}

// checkTrip refuses a trip that lacks what protects it. An empty nonce would equal an empty one.
func (p *Provider) checkTrip(t auth.Trip) error {
	switch i := p.cfg.Info; {
	case t.State.IsZero(), t.RedirectURI == "", t.Now.IsZero(), !i.NoNonce && t.Nonce.IsZero(), !i.NoPKCE && t.Verifier.IsZero():
		return errors.New("oidc: the trip lacks a state, a nonce, a verifier, a redirect URI or a time")
	case t.MaxAge < 0:
		return errors.New("oidc: the trip has a negative MaxAge")
	}
	return nil
}

// request are the parameters of an authorization request.
func (p *Provider) request(t auth.Trip) url.Values {
	q := url.Values{}
	for name, value := range p.cfg.Parameters {
		q.Set(name, value)
	}
	q.Set("response_type", "code")
	q.Set("client_id", p.cfg.ClientID)
	q.Set("redirect_uri", t.RedirectURI)
	q.Set("scope", strings.Join(p.cfg.Scopes, " "))
	q.Set("state", t.State.Reveal())
	i := p.cfg.Info
	if !i.NoNonce {
		q.Set("nonce", t.Nonce.Reveal())
	}
	if !i.NoPKCE {
		q.Set("code_challenge", t.Challenge())
		q.Set("code_challenge_method", "S256")
	}
	if i.FormPost {
		q.Set("response_mode", "form_post")
	}
	if t.Fresh {
		q.Set("prompt", "login") // some know only this, and some only max_age; auth_time tells whether they did
		q.Set("max_age", strconv.FormatInt(int64(t.MaxAge/time.Second), 10))
	}
	if len(i.Vouches) > 0 {
		q.Set("acr_values", strings.Join(i.Vouches, " "))
	}
	if t.Language != "" && printable(t.Language, 1, 64) {
		q.Set("ui_locales", t.Language)
	}
	return q
}

// extend returns an endpoint's address with parameters. Of those that the endpoint has by itself, which RFC 6749 §3.1
// lets it have, none counts that is the protocol's: a redirect_uri, a nonce or a request object there would take the
// place of ours.
func extend(endpoint *url.URL, parameters url.Values) string {
	u := *endpoint
	q := url.Values{}
	for name, values := range u.Query() {
		if !ours(name) {
			q[name] = values
		}
	}
	for name, values := range parameters {
		q[name] = values
	}
	u.RawQuery, u.ForceQuery = q.Encode(), false
	return u.String()
}

// LogoutURL returns where a person signs out at the provider (OpenID Connect RP-Initiated Logout 1.0 §2). It has no
// id_token_hint: the browser would carry a token that says who the person is, so none is kept. Most providers ask the
// person then.
func (p *Provider) LogoutURL(ctx context.Context, returnTo, state string) (string, error) {
	m, err := p.configuration(ctx)
	if err != nil {
		return "", err
	}
	if m.endSession == nil {
		return "", nil
	}
	q := url.Values{"client_id": {p.cfg.ClientID}}
	if returnTo != "" {
		q.Set("post_logout_redirect_uri", returnTo)
	}
	if state != "" {
		q.Set("state", state)
	}
	return extend(m.endSession, q), nil
}

// configuration returns the provider's, as a caller is told of it.
func (p *Provider) configuration(ctx context.Context) (*metadata, error) {
	m, _, err := p.metadata.get(ctx)
	return m, asRefusal(DiscoveryUnavailable, err)
}

// asRefusal makes a refusal of an error that is none, such as the end of the caller's patience.
func asRefusal(code string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*auth.ProviderError](err); ok {
		return err
	}
	return refuseFor(code, err)
}

// When a trip began decides how old an authentication may be, and so it is kept with the trip.
func keepBegun(now time.Time) []byte { return strconv.AppendInt(nil, now.Unix(), 10) }

func begun(keep []byte) (time.Time, error) {
	seconds, err := strconv.ParseInt(string(keep), 10, 64)
	if err != nil {
		return time.Time{}, errors.New("oidc: the trip does not say when it began")
	}
	return time.Unix(seconds, 0), nil
}
