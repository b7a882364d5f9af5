package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// idToken is an ID token that holds.
type idToken struct {
	claims          Claims
	issuer, subject string
	authTime        time.Time // zero if not told
	acr, session    string    // empty if not told
}

// open verifies the signature of a token by one of the provider's keys and reads its claims. Nothing is read from them
// before.
func (p *Provider) open(ctx context.Context, m *metadata, token string) (envelope, *key, Claims, error) {
	e, err := openEnvelope(token)
	if err != nil {
		return e, nil, Claims{}, err
	}
	if !slices.Contains(m.algorithms, e.name) {
		return e, nil, Claims{}, refuse(AlgorithmNotAllowed)
	}
	signedBy, err := p.verifySignature(ctx, &e)
	if err != nil {
		return e, nil, Claims{}, err
	}
	members, err := decode(e.payload)
	if err != nil {
		return e, nil, Claims{}, refuse(TokenMalformed)
	}
	return e, signedBy, Claims{members: members, textBooleans: p.cfg.TextBooleans}, nil
}

// verifySignature returns the key that signed. If none did, the keys may have been changed a moment ago, so they are
// fetched anew, unless that was done just now.
func (p *Provider) verifySignature(ctx context.Context, e *envelope) (*key, error) {
	set, version, err := p.keys.get(ctx)
	if err != nil {
		return nil, asRefusal(KeysUnavailable, err)
	}
	k, refusal := set.verify(e)
	if refusal == nil {
		return k, nil
	}
	set, err = p.keys.newer(ctx, version)
	if errors.Is(err, errCooldown) {
		return nil, refusal
	}
	if err != nil {
		return nil, asRefusal(KeysUnavailable, err)
	}
	return set.verify(e)
}

// verifyIDToken checks an ID token (Core §3.1.3.7) against the trip that it was asked for on, and against the access token
// that came with it.
func (p *Provider) verifyIDToken(ctx context.Context, m *metadata, t auth.Trip, granted tokens) (idToken, error) {
	e, signedBy, claims, err := p.open(ctx, m, granted.id)
	if err != nil {
		return idToken{}, err
	}
	// An access token (at+jwt) or a logout token of the same issuer is signed by the same keys.
	if e.typ != "" && !strings.EqualFold(e.typ, "JWT") {
		return idToken{}, refuse(TypeNotAllowed)
	}
	if claims.Has("events") {
		return idToken{}, refuse(EventsNotAllowed)
	}
	token := idToken{claims: claims}
	if token.issuer, err = p.issuer.check(claims, signedBy); err != nil {
		return idToken{}, err
	}
	var ok bool
	if token.subject, ok = claims.identifier("sub"); !ok {
		return idToken{}, refuse(SubjectMalformed)
	}
	if err := errors.Join(
		p.checkAudience(claims, true), p.checkTimes(claims, t.Now, maxAge, maxLife), p.checkNonce(claims, t),
		p.checkAccessToken(claims, e.algorithm, granted.access), p.checkRequired(claims),
	); err != nil {
		return idToken{}, first(err)
	}
	return token, p.readAuthentication(&token, t)
}

// first returns the first of joined errors: there is one code for a refusal.
func first(err error) error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()[0]
	}
	return err
}

// checkAudience sees to it that a token is for this client and for nobody else. One for others too can be used by them
// here, and was perhaps asked for by them; so who asked must be named then.
func (p *Provider) checkAudience(c Claims, isIDToken bool) error {
	audience, ok := c.list("aud", 16)
	if one, isText := c.Text("aud"); isText {
		audience, ok = []string{one}, true
	}
	if !ok || !slices.Contains(audience, p.cfg.ClientID) {
		return refuse(AudienceMismatch)
	}
	for _, a := range audience {
		if a != p.cfg.ClientID && !slices.Contains(p.cfg.Audiences, a) {
			return refuse(AudienceMismatch)
		}
	}
	if azp, isText := c.Text("azp"); c.Has("azp") && (!isText || azp != p.cfg.ClientID) || !c.Has("azp") && len(audience) > 1 && isIDToken {
		return refuse(AuthorizedPartyWrong)
	}
	return nil
}

// checkTimes checks exp, iat and nbf. Both kinds of token are used as soon as they are made, so iat, which must be
// there, bounds how long a stolen one is good whatever exp says: age is how old it may be, life what exp may promise.
func (p *Provider) checkTimes(c Claims, now time.Time, age, life time.Duration) error {
	skew := p.cfg.Skew
	exp, ok := c.instant("exp")
	if !ok || now.Sub(exp) >= skew {
		return refuse(Expired)
	}
	iat, ok := c.instant("iat")
	if !ok || now.Sub(iat) > age+skew || iat.Sub(now) > skew {
		return refuse(IssuedAtWrong)
	}
	if exp.Sub(iat) > life {
		return refuse(LifetimeTooLong)
	}
	if c.Has("nbf") {
		if nbf, ok := c.instant("nbf"); !ok || nbf.Sub(now) > skew {
			return refuse(NotYetValid)
		}
	}
	return nil
}

// checkNonce binds the token to the trip: a code that was stolen from another browser brings a token with that one's.
func (p *Provider) checkNonce(c Claims, t auth.Trip) error {
	if p.cfg.Info.NoNonce {
		if c.Has("nonce") { // none was sent, so it answers somebody else
			return refuse(NonceMismatch)
		}
		return nil
	}
	nonce, ok := c.Text("nonce")
	if want := t.Nonce.Reveal(); !ok || want == "" || subtle.ConstantTimeCompare([]byte(nonce), []byte(want)) != 1 {
		return refuse(NonceMismatch)
	}
	return nil
}

// checkAccessToken checks at_hash: the left half of the access token's hash, by the hash of the signature (Core §3.1.3.6).
func (p *Provider) checkAccessToken(c Claims, a algorithm, access string) error {
	if !c.Has("at_hash") && !p.cfg.RequireAccessTokenHash {
		return nil
	}
	h := a.hash.New()
	h.Write([]byte(access))
	sum := h.Sum(nil)
	want := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	if got, ok := c.Text("at_hash"); !ok || subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return refuse(AccessTokenMismatch)
	}
	return nil
}

// checkRequired checks the claims that the host requires. That a parameter of the request asked for them says nothing:
// it went through the person's browser.
func (p *Provider) checkRequired(c Claims) error {
	for name, want := range p.cfg.RequireClaims {
		if got, ok := c.Text(name); !ok || got != want {
			return refuse(ClaimMismatch)
		}
	}
	return nil
}

// readAuthentication reads when and how the person authenticated, and checks it where the trip asked for it anew.
func (p *Provider) readAuthentication(token *idToken, t auth.Trip) (err error) {
	if token.acr, err = token.claims.optional("acr"); err != nil {
		return err
	}
	if token.session, err = token.claims.optional("sid"); err != nil {
		return err
	}
	told := token.claims.Has("auth_time")
	if told {
		at, ok := token.claims.instant("auth_time")
		if !ok || at.Sub(t.Now) > p.cfg.Skew { // one in the future would stay fresh
			return refuse(AuthenticationUnknown)
		}
		token.authTime = at
	}
	if !t.Fresh {
		return nil
	}
	began, err := begun(t.Keep)
	switch {
	case err != nil:
		return err
	case !told: // max_age makes it required (Core §2)
		return refuse(AuthenticationUnknown)
	case began.Sub(token.authTime) > t.MaxAge+p.cfg.Skew:
		return refuse(AuthenticationTooOld)
	}
	return nil
}
