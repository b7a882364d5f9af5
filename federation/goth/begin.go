package viagoth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/markbates/goth"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
)

// placeholder stands in for the state wherever goth can see it. So it is in no session that is kept, and a provider that
// makes up a state of its own, or drops it, is seen to.
const placeholder = "a-placeholder-for-the-state-of-a-goth-trip0"

// Begin implements auth.Provider. It makes no requests, and lets goth make none. Its errors are of type
// *auth.ProviderError. The trip's nonce is not sent, for nothing that comes back could be compared with it, and Fresh and Language have
// no effect.
func (p *Provider) Begin(ctx context.Context, t auth.Trip) (auth.Departure, error) {
	if err := interrupted(ctx); err != nil {
		return auth.Departure{}, err
	}
	if t.State.IsZero() || t.RedirectURI == "" || t.Verifier.IsZero() && !p.config.NoPKCE {
		return auth.Departure{}, refuse(CodeTrip, "")
	}
	silent := &trip{ctx: ctx, development: p.config.HTTP.Development}
	defer silent.end()
	address, keep, err := p.config.depart(silent, t.RedirectURI)
	if err != nil {
		return auth.Departure{}, silent.outcome(err, CodeProvider)
	}
	query := address.Query()
	query.Set("state", t.State.Reveal())
	if !p.config.NoPKCE {
		query.Set("code_challenge", t.Challenge())
		query.Set("code_challenge_method", "S256")
	}
	address.RawQuery = query.Encode()
	d := auth.Departure{URL: address.String(), Issuer: p.config.Issuer, TellsIssuer: p.config.Issuer != "", Keep: []byte(keep)}
	if len(d.URL) > maxURL {
		return auth.Departure{}, refuse(CodeAddress, "it is longer than 4 KiB")
	}
	return d, nil
}

// depart asks a goth provider for an address, with the placeholder in it, and for what is to be kept.
func (c Config) depart(t *trip, redirectURI string) (address *url.URL, keep string, err error) {
	g, err := c.open(t, redirectURI)
	if err != nil {
		return nil, "", err
	}
	session, err := try("BeginAuth", func() (goth.Session, error) { return g.BeginAuth(placeholder) })
	if err = t.outcome(err, CodeProvider); err == nil && session == nil {
		err = refuse(CodeProvider, "BeginAuth returned no session")
	}
	if err != nil {
		return nil, "", err
	}
	return c.read(session, redirectURI)
}

// open makes a goth provider that uses the trip's client.
func (c Config) open(t *trip, redirectURI string) (goth.Provider, error) {
	client := t.client()
	g, err := try("Make", func() (goth.Provider, error) { return c.Make(client, redirectURI) })
	switch {
	case err != nil && coded(err):
		return nil, err
	case err != nil:
		return nil, refuse(CodeProvider, "Make returned an error, which is not repeated, since it may hold a secret")
	case g == nil:
		return nil, refuse(CodeProvider, "Make returned no provider")
	case refusals[nameOf(g)] != "":
		return nil, refuse(CodeProvider, "goth's "+nameOf(g)+" is not taken: "+refusals[nameOf(g)])
	case !uses(g, client):
		return nil, refuse(CodeProvider, "Make did not give its client to the provider, which would make requests that nothing here sees")
	}
	return g, nil
}

// uses reports whether a goth provider has the client, as far as that can be asked. Most of goth's have a method that tells;
// for the others, what counts is that the code is seen to be redeemed with it.
func uses(g goth.Provider, client *http.Client) bool {
	told, err := try("Client", func() (*http.Client, error) {
		if has, ok := g.(interface{ Client() *http.Client }); ok {
			return has.Client(), nil
		}
		return client, nil
	})
	return err == nil && told == client
}

// read takes a session apart that no code has been redeemed with.
func (c Config) read(session goth.Session, redirectURI string) (address *url.URL, keep string, err error) {
	text, err := try("GetAuthURL", func() (string, error) { return session.GetAuthURL() })
	if err == nil {
		address, err = c.checkAddress(text, redirectURI)
	}
	if err != nil {
		if !coded(err) {
			err = refuse(CodeAddress, "there is none")
		}
		return nil, "", err
	}
	keep, err = try("Marshal", func() (string, error) { return session.Marshal(), nil })
	if err == nil {
		err = checkKept(keep, text, redirectURI)
	}
	return address, keep, err
}

// checkAddress refuses an address that would not bring back what the service compares, or would to somebody else.
func (c Config) checkAddress(text, redirectURI string) (*url.URL, error) {
	u, err := federation.ParseURL(text, c.HTTP.Development)
	if err != nil || len(text) > maxURL {
		return nil, refuse(CodeAddress, "it is not https, or has a user or a fragment, or is too long")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, refuse(CodeAddress, "its query cannot be read")
	}
	switch {
	case len(query["state"]) == 0:
		return nil, refuse(CodeAddress, "it has no state, so that an answer can be put into somebody else's browser; it is not OAuth 2.0")
	case !only(query, "state", placeholder):
		return nil, refuse(CodeAddress, "its state is not the one that was given")
	case !only(query, "redirect_uri", redirectURI):
		return nil, refuse(CodeAddress, "its redirect_uri is not the one that was given")
	case !only(query, "response_type", "code"):
		return nil, refuse(CodeAddress, "its response_type is not code")
	case len(query["client_id"]) != 1 || query.Get("client_id") == "":
		return nil, refuse(CodeAddress, "it has no client_id, or several")
	case !c.NoPKCE && (query.Has("code_challenge") || query.Has("code_challenge_method")):
		return nil, refuse(CodeAddress, "it has a code_challenge of the provider's own, whose verifier nothing here keeps")
	}
	return u, nil
}

// checkKept refuses a session that holds anything but its address: a token or a secret would lie in the clear where
// trips are kept.
func checkKept(keep, address, redirectURI string) error {
	if keep == "" || len(keep) > maxKeep {
		return refuse(CodeSession, fmt.Sprintf("it has %d bytes; 1 to %d can be kept", len(keep), maxKeep))
	}
	var members map[string]any
	if json.Unmarshal([]byte(keep), &members) != nil {
		return refuse(CodeSession, "it is not a JSON object")
	}
	for _, value := range members {
		switch v := value.(type) {
		case nil, bool:
		case string:
			if v != "" && v != address && v != redirectURI && v != (time.Time{}).Format(time.RFC3339) {
				return refuse(CodeSession, "it holds what may be a token before there is one")
			}
		default:
			if v != float64(0) {
				return refuse(CodeSession, "it holds more than its address before there is a token")
			}
		}
	}
	return nil
}

// restore returns the session that Begin kept, for a goth provider. What was kept must be what a session is written as, to the
// letter, and hold nothing but an address as Begin gave it: then there is nothing in it that could steer what follows.
func (c Config) restore(g goth.Provider, t auth.Trip) (goth.Session, error) {
	kept := string(t.Keep)
	session, err := try("UnmarshalSession", func() (goth.Session, error) { return g.UnmarshalSession(kept) })
	if err != nil || session == nil {
		if coded(err) {
			return nil, err
		}
		return nil, refuse(CodeSession, "it cannot be read")
	}
	_, again, err := c.read(session, t.RedirectURI)
	if err == nil && again != kept {
		err = refuse(CodeSession, "it is not as it was kept")
	}
	return session, err
}

// examine tries a goth provider without letting it reach the network, and finds out where it redeems codes. Of a
// provider that is not known to use its client this could not be asked without a request, so TokenURL must say it.
func (c Config) examine() (tokenURL *url.URL, note string, err error) {
	const redirectURI = "https://localhost/callback"
	t := &trip{ctx: context.Background(), development: c.HTTP.Development}
	defer t.end()
	g, err := c.open(t, redirectURI)
	if err != nil {
		return nil, "", fmt.Errorf("Make: %w", err)
	}
	name := nameOf(g)
	note, known := seen[name]
	if !known && c.TokenURL == "" {
		return nil, "", errors.New("TokenURL is required for a provider that is not one of those known to use their client")
	}
	_, keep, err := c.depart(t, redirectURI)
	if err != nil {
		return nil, "", fmt.Errorf("Make returns a provider that cannot begin: %w", t.outcome(err, CodeProvider))
	}
	if !known {
		tokenURL, err = url.Parse(c.TokenURL)
		return tokenURL, "", err
	}
	tokenURL, err = c.endpoint(t, redirectURI, keep)
	if err == nil && c.TokenURL != "" && c.TokenURL != tokenURL.String() {
		err = fmt.Errorf("TokenURL is not where goth's %s redeems codes", name)
	}
	return tokenURL, note, err
}

// endpoint has a code redeemed against a client that refuses all requests, and returns where it would have gone.
func (c Config) endpoint(t *trip, redirectURI, keep string) (*url.URL, error) {
	g, err := c.open(t, redirectURI)
	if err != nil {
		return nil, fmt.Errorf("Make: %w", err)
	}
	session, err := c.restore(g, auth.Trip{RedirectURI: redirectURI, Keep: []byte(keep)})
	if err != nil {
		return nil, fmt.Errorf("Make returns a provider whose session cannot be kept: %w", err)
	}
	_, _ = try("Authorize", func() (string, error) { return session.Authorize(g, onlyCode(placeholder)) })
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asked == nil {
		return nil, errors.New("Make returns a provider that does not redeem its code with its client over a secure connection")
	}
	return t.asked, nil
}
