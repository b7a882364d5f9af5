package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/cardea-auth/cardea/federation"
)

// How long what was fetched is kept. Keys are kept as long as the provider says, within these bounds.
const (
	minKeep     = 5 * time.Minute
	maxKeep     = 24 * time.Hour
	defaultKeep = time.Hour
)

// metadata is what there is to know of a provider (OpenID Connect Discovery 1.0 §3).
type metadata struct {
	authorization, endSession *url.URL // endSession is nil if there is none
	token, keys, userInfo     string   // userInfo is empty if there is none
	algorithms                []string
	clientAuth                ClientAuth
	tellsIssuer               bool
}

// discover fetches the configuration, or takes that of Config.
func (p *Provider) discover(ctx context.Context) (*metadata, time.Duration, error) {
	if e := p.cfg.Endpoints; e != nil {
		m := &metadata{token: e.Token, keys: e.Keys, userInfo: e.UserInfo, algorithms: p.cfg.Algorithms, tellsIssuer: e.TellsIssuer}
		m.clientAuth, _ = p.cfg.chooseAuth(nil)
		return m, defaultKeep, p.parseEndpoints(m, e.Authorization, e.EndSession)
	}
	ctx = gooidc.ClientContext(ctx, p.fetcher)
	// go-oidc compares the issuer with where it looked. That may be elsewhere here, so it is told not to, and read does.
	remote, err := gooidc.NewProvider(gooidc.InsecureIssuerURLContext(ctx, p.issuer.text), p.cfg.DiscoveryURL)
	if err != nil { // which may hold the whole answer
		return nil, 0, refuseFor(DiscoveryUnavailable, tellable(ctx, err))
	}
	var raw json.RawMessage
	if remote.Claims(&raw) != nil {
		return nil, 0, refuse(DiscoveryMalformed)
	}
	members, err := decode(raw)
	if err != nil {
		return nil, 0, refuseFor(DiscoveryMalformed, err)
	}
	m, err := p.read(Claims{members: members})
	return m, defaultKeep, err
}

// read checks a configuration.
func (p *Provider) read(d Claims) (*metadata, error) {
	text := func(name string) string { s, _ := d.Text(name); return s }
	if text("issuer") != p.issuer.text { // to the letter: it is what tokens will say (Discovery §4.3)
		return nil, refuse(DiscoveryIssuer)
	}
	m := &metadata{
		token: text("token_endpoint"), keys: text("jwks_uri"), userInfo: text("userinfo_endpoint"),
		tellsIssuer: d.Bool("authorization_response_iss_parameter_supported"), algorithms: p.cfg.Algorithms,
	}
	if err := p.parseEndpoints(m, text("authorization_endpoint"), text("end_session_endpoint")); err != nil {
		return nil, err
	}
	if listed, ok := d.list("id_token_signing_alg_values_supported", maxMembers); ok {
		m.algorithms = slices.DeleteFunc(slices.Clone(m.algorithms), func(a string) bool { return !slices.Contains(listed, a) })
	}
	if len(m.algorithms) == 0 {
		return nil, refuse(DiscoveryAlgorithms)
	}
	methods, _ := d.list("token_endpoint_auth_methods_supported", maxMembers)
	var ok bool
	if m.clientAuth, ok = p.cfg.chooseAuth(methods); !ok {
		return nil, refuse(DiscoveryClientAuth)
	}
	return m, nil
}

// parseEndpoints sees to it that each address is one that may be used, wherever it came from.
func (p *Provider) parseEndpoints(m *metadata, authorization, endSession string) (err error) {
	parse := func(address string, required bool) *url.URL {
		if err != nil || address == "" && !required {
			return nil
		}
		u, bad := federation.ParseURL(address, p.cfg.HTTP.Development)
		if bad == nil {
			_, bad = url.ParseQuery(u.RawQuery)
		}
		if bad != nil {
			err = refuseFor(DiscoveryMalformed, errors.New("an endpoint is missing, or is no address that may be used"))
		}
		return u
	}
	parse(m.token, true)
	parse(m.keys, true)
	parse(m.userInfo, false)
	m.authorization, m.endSession = parse(authorization, true), parse(endSession, false)
	return err
}

// fetchKeys fetches the keys from where the configuration says that they are.
func (p *Provider) fetchKeys(ctx context.Context) (*keySet, time.Duration, error) {
	m, _, err := p.metadata.get(ctx)
	if err != nil {
		return nil, 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.keys, nil)
	if err != nil {
		return nil, 0, refuse(KeysUnavailable)
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := p.ask(request)
	if err != nil {
		return nil, 0, refuseFor(KeysUnavailable, err)
	}
	set, err := parseKeys(answer.body)
	if err != nil {
		return nil, 0, refuse(KeysMalformed)
	}
	return set, keepFor(answer.header), nil
}

// keepFor is how long an answer may be kept, by its max-age and how old it is already (RFC 9111).
func keepFor(h http.Header) time.Duration {
	keep := defaultKeep
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return minKeep
		case "max-age":
			if seconds, err := strconv.Atoi(strings.Trim(value, `"`)); err == nil {
				age, _ := strconv.Atoi(h.Get("Age"))
				keep = time.Duration(min(max(seconds-max(age, 0), 0), int(maxKeep/time.Second))) * time.Second
			}
		}
	}
	return min(max(keep, minKeep), maxKeep)
}

// answer is what an endpoint said, with status 200.
type answer struct {
	mediaType string
	header    http.Header
	body      []byte
}

// ask makes a request. Its errors are fit to be logged.
func (p *Provider) ask(r *http.Request) (answer, error) {
	response, err := p.fetcher.Do(r)
	if err != nil {
		return answer{}, tellable(r.Context(), err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return answer{}, statusError(response.StatusCode)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, tellable(r.Context(), err)
	}
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return answer{mediaType, response.Header, body}, nil
}

// statusError is the status of an answer that was not read.
type statusError int

// Error returns the status as a number: its words are the other side's.
func (e statusError) Error() string { return "status " + strconv.Itoa(int(e)) }

// refusesStatus makes an error of an answer that is one, so that nobody reads what it says.
type refusesStatus struct{ next http.RoundTripper }

func (t refusesStatus) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		_ = response.Body.Close()
		return nil, statusError(response.StatusCode)
	}
	return response, err
}

func tellable(ctx context.Context, err error) error {
	if status, ok := errors.AsType[statusError](err); ok {
		return status
	}
	return federation.Tellable(ctx, err)
}
