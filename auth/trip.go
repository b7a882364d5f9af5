package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// A trip is a stay of a person at a provider. What makes it this one's and no other's is derived from the flow, the
// trip's random id and a key that is not in the store: whoever reads the store can neither answer for a provider nor
// redeem a code. It is kept in its flow, which only the browser that began it opens, and is used up by the save that
// claims the flow, before a code is redeemed.

// trip is what a flow keeps of the stay that is open.
type trip struct {
	ID          string        `json:"id"`
	At          time.Time     `json:"at"` // when the person left
	Provider    string        `json:"provider"`
	URL         string        `json:"url"`
	Issuer      string        `json:"issuer,omitempty"`
	TellsIssuer bool          `json:"tells_issuer,omitempty"`
	Fresh       bool          `json:"fresh,omitempty"`
	MaxAge      time.Duration `json:"max_age,omitempty"`
	Keep        []byte        `json:"keep,omitempty"`
	Parked      *answer       `json:"parked,omitempty"` // what a posted answer brought, until the browser comes for it
}

// Bounds of what a provider may have kept. Together they leave room in a flow's record.
const (
	longestDeparture = 4 << 10
	longestKeep      = 2 << 10
)

// part derives one of the trip's secrets, 256 bits as 43 characters.
func (j *job) part(t *trip, name string) Secret {
	sum, ok := j.s.trips.MAC(j.record.Key, name, j.record.ID, t.ID)
	if !ok {
		return Secret{} // the key was retired; the zero value equals nothing that comes back
	}
	return NewSecret(base64.RawURLEncoding.EncodeToString(sum[:]))
}

// state names the flow and the trip, so that a posted answer, which brings no cookie, finds them.
func (j *job) state(t *trip) Secret {
	return NewSecret(j.record.ID + "." + t.ID + "." + j.part(t, "state").Reveal())
}

// splitState returns the flow's id and the trip's, and what proves that the state is ours.
func splitState(state string) (flowID, tripID string, mac []byte, ok bool) {
	parts := strings.Split(state, ".")
	if len(parts) != 3 || len(parts[0]) != idLength || len(parts[1]) != idLength || len(parts[2]) != secretLength {
		return "", "", nil, false
	}
	mac, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	return parts[0], parts[1], mac, err == nil
}

// names reports whether the state is that of the open trip.
func (j *job) names(tripID string, mac []byte) bool {
	return j.trip != nil && j.trip.ID == tripID && j.s.trips.Check(j.record.Key, mac, "state", j.record.ID, j.trip.ID)
}

// journey is the trip as its provider sees it.
func (j *job) journey(t *trip) Trip {
	return Trip{
		State: j.state(t), Nonce: j.part(t, "nonce"), Verifier: j.part(t, "verifier"), RedirectURI: j.s.callback(t.Provider),
		Fresh: t.Fresh, MaxAge: t.MaxAge, Language: j.client.Language, Now: j.now, Keep: t.Keep,
	}
}

// callback is the redirect address of a provider. Each has its own, so that an answer of one cannot be passed off as
// that of another (RFC 9700 §4.4.2.2).
func (s *Service) callback(provider string) string { return s.cfg.Callbacks + provider + "/callback" }

// depart prepares the way to a provider. Whatever keeps it from being one is told as a refusal: a provider that is
// down must leave the person on a page with other ways.
func (j *job) depart(ctx context.Context, e flow.MakeChallenge) (flow.Event, error) {
	p, err := j.chosen(ctx, e.Connection)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, flow.Deny(flow.NotOffered)
	}
	id, err := randomID(j.s.random)
	if err != nil {
		return nil, err
	}
	t := &trip{ID: id, At: j.now.UTC(), Provider: e.Connection, Fresh: e.Fresh, MaxAge: e.MaxAge}
	d, err := j.begin(ctx, p, t)
	if err != nil {
		refusal := j.unvouched(ctx, e.Connection, err)
		j.audit(ctx, "departure-failed", e.Method, refusal.Reason)
		return flow.ChallengeMade{Refusal: refusal}, nil
	}
	t.URL, t.Issuer, t.TellsIssuer, t.Keep = d.URL, d.Issuer, d.TellsIssuer, d.Keep
	j.trip, j.ceremony, j.departed = t, nil, true
	return flow.ChallengeMade{}, nil
}

func (j *job) begin(ctx context.Context, p Provider, t *trip) (d Departure, err error) {
	err = j.ask(ctx, func(ctx context.Context) (err error) {
		d, err = p.Begin(ctx, j.journey(t))
		return err
	})
	if err == nil {
		err = departs(d, p.Info(), j.journey(t))
	}
	return d, err
}

// ask calls a provider, for as long as people can be left waiting. One that panics has failed, and no more.
func (j *job) ask(ctx context.Context, call func(context.Context) error) (err error) {
	ctx, stop := context.WithTimeout(ctx, j.s.cfg.ProviderTimeout)
	defer stop()
	defer func() {
		if recover() != nil { // what was thrown may hold a token
			err = &ProviderError{Code: "panic"}
		}
	}()
	return call(ctx)
}

// departs reports what is wrong with the address that a provider wants a person sent to: everything that makes the
// trip safe must be in it exactly once and as the service made it, whatever the provider's own address has in it.
func departs(d Departure, info ProviderInfo, t Trip) error {
	wrong := func(what string) error { return fmt.Errorf("auth: the departure to %s %s", info.ID, what) }
	u, err := url.Parse(d.URL)
	switch {
	case err != nil || !reachable(d.URL):
		return wrong("is no https address") // the parser's error would quote it
	case len(d.URL) > longestDeparture || len(d.Keep) > longestKeep || len(d.Issuer) > 512:
		return wrong("is too long")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return wrong("has a query that cannot be read")
	}
	must := map[string]string{"response_type": "code", "state": t.State.Reveal(), "redirect_uri": t.RedirectURI}
	if !info.NoPKCE {
		must["code_challenge"], must["code_challenge_method"] = t.Challenge(), "S256"
	}
	if !info.NoNonce {
		must["nonce"] = t.Nonce.Reveal()
	}
	if info.FormPost {
		must["response_mode"] = "form_post"
	}
	var lacking []string
	for name, value := range must {
		if got := query[name]; len(got) != 1 || got[0] != value {
			lacking = append(lacking, name)
		}
	}
	if len(lacking) > 0 {
		slices.Sort(lacking)
		return wrong("does not carry, once and as auth.Departure says: " + strings.Join(lacking, ", "))
	}
	return nil
}

// reachable reports whether a browser may be sent to the address: https, or http to this very machine.
func reachable(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && u.User == nil && u.Opaque == "" && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Host))
}

// unvouched is what the person is told when a provider did not vouch for them: the same for whatever it was. The
// records have the code, and the log has the cause.
func (j *job) unvouched(ctx context.Context, provider string, err error) flow.Refusal {
	j.detail = provider + ": fault"
	var known *ProviderError
	switch {
	case errors.As(err, &known):
		j.detail = provider + ": " + cleanAgent(known.Code)
	case errors.Is(err, context.DeadlineExceeded):
		j.detail = provider + ": timeout"
	}
	if known != nil { // anybody can cause these with a code of their own making, so they are no alarm
		j.s.log.LogAttrs(ctx, slog.LevelWarn, "provider failed", slog.String("provider", provider), slog.Any("error", err))
	} else {
		j.s.fault(ctx, "provider "+provider, err)
	}
	return flow.Refusal{Reason: flow.ProviderFailed}
}
