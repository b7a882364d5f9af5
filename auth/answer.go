package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth/flow"
)

// ReturnRequest is a browser that comes back from a provider.
type ReturnRequest struct {
	Provider string              // whose redirect address it came to
	Params   map[string][]string // the answer's parameters, in the address or, posted, in the body
	Client   Client
}

// answer is what a provider's answer says, before any of it is believed.
type answer struct {
	Bad    string `json:"bad,omitempty"` // what is wrong with it; a stable code
	Code   string `json:"code,omitempty"`
	Issuer string `json:"iss,omitempty"`
	Error  string `json:"error,omitempty"`
	User   string `json:"user,omitempty"`
}

// The longest parameters of an answer.
const (
	longestCode      = 4 << 10
	longestIssuer    = 512
	longestErrorCode = 64
	longestUser      = 1 << 10
)

// readAnswer reads the parameters. A repeated one, and a code beside an error, are read differently by different
// readers, so they are good for nothing (RFC 6749 §3.1).
func readAnswer(params map[string][]string) (state string, a answer) {
	one := func(name string, longest int) string {
		values := params[name]
		switch {
		case len(values) > 1:
			a.Bad = "repeated-" + name
		case len(values) == 1 && len(values[0]) > longest:
			a.Bad = "long-" + name
		case len(values) == 1 && strings.ContainsFunc(values[0], func(c rune) bool { return c < ' ' || c > '~' }): // RFC 6749 §A
			a.Bad = "malformed-" + name
		case len(values) == 1:
			return values[0]
		}
		return ""
	}
	state = one("state", 256)
	a.Code, a.Issuer, a.Error = one("code", longestCode), one("iss", longestIssuer), one("error", longestErrorCode)
	if user := params["user"]; len(user) == 1 && len(user[0]) <= longestUser && utf8.ValidString(user[0]) && !strings.ContainsFunc(user[0], unicode.IsControl) {
		a.User = user[0]
	}
	switch {
	case a.Bad != "":
	case a.Code != "" && a.Error != "":
		a.Bad = "code-and-error"
	case a.Code == "" && a.Error == "":
		a.Bad = "no-code"
	}
	return state, a
}

// Return takes a person back who was sent to a provider (flow.View.Away), with what the provider says of them. It
// belongs to a GET, to which the browser brings its cookies. A *DeniedError says that nothing was done: the answer is
// for no trip that this browser is on (Expired), or not any more (Stale). What the provider said, and whatever is wrong
// with that, is in the Progress, as after any other step.
func (s *Service) Return(ctx context.Context, r ReturnRequest) (Progress, error) {
	p, err := s.comesBack(ctx, r)
	s.turnedAway(ctx, r.Provider, r.Client, err)
	return p, err
}

func (s *Service) comesBack(ctx context.Context, r ReturnRequest) (Progress, error) {
	state, a := readAnswer(r.Params)
	flowID, tripID, mac, ok := splitState(state)
	if !ok {
		return Progress{}, flow.Deny(flow.Expired)
	}
	j := &job{s: s, now: s.now(), client: r.Client.own()}
	if err := j.comeBack(ctx, flowID); err != nil {
		return Progress{}, err
	}
	if !j.names(tripID, mac) {
		return j.late(ctx)
	}
	p := s.provider(j.trip.Provider)
	if p != nil && p.Info().FormPost {
		return Progress{}, flow.Deny(flow.Expired) // its answers are posted; this one is somebody else's
	}
	if j.trip.Provider != r.Provider {
		a = answer{Bad: "wrong-address"} // an answer of another provider is passed off as this one's (mix-up)
	}
	return j.arrive(ctx, a)
}

// Park takes the answer of a provider that has the browser post it from the provider's site. Such a request brings no
// cookies, so it proves nothing of whose browser it is: the answer is kept, unread, in the flow that its state names,
// and the browser is sent on to where its cookies come along, which then calls ReturnParked. It returns the flow's id,
// or a *DeniedError: Expired, if the answer is for no open trip to this provider; Stale, if there is one already,
// which is beside the flow's id: a form that was sent twice leads on all the same.
func (s *Service) Park(ctx context.Context, r ReturnRequest) (flowID string, err error) {
	flowID, err = s.park(ctx, r)
	s.turnedAway(ctx, r.Provider, r.Client, err)
	return flowID, err
}

func (s *Service) park(ctx context.Context, r ReturnRequest) (flowID string, err error) {
	state, a := readAnswer(r.Params)
	flowID, tripID, mac, ok := splitState(state)
	if !ok {
		return "", flow.Deny(flow.Expired)
	}
	j := &job{s: s, now: s.now()}
	if err := j.loadAnyones(ctx, flowID); err != nil {
		return "", err
	}
	p := s.provider(r.Provider)
	switch {
	case !j.names(tripID, mac) || j.trip.Provider != r.Provider || p == nil || !p.Info().FormPost || j.flow.Outcome != flow.Open:
		return "", flow.Deny(flow.Expired)
	case j.trip.Parked != nil:
		return flowID, flow.Deny(flow.Stale)
	}
	parked := *j.trip
	parked.Parked, parked.URL = &a, ""
	j.trip, j.saved = &parked, false
	return flowID, j.save(ctx)
}

// ReturnParked is Return for an answer that Park kept. It is for the browser that the flow is bound to, and serves once.
func (s *Service) ReturnParked(ctx context.Context, provider, flowID string, c Client) (Progress, error) {
	p, err := s.comesForParked(ctx, provider, flowID, c)
	s.turnedAway(ctx, provider, c, err)
	return p, err
}

// turnedAway records an answer that is for no open trip of the browser that brought it. Some are late or came twice;
// others are forged, or somebody else's that a browser was made to bring (login CSRF).
func (s *Service) turnedAway(ctx context.Context, provider string, c Client, err error) {
	var d *DeniedError
	j := &job{s: s, now: s.now(), client: c}
	if !errors.As(err, &d) || !s.heard(ctx, d.Reason.String()) || !j.worthTelling(ctx, "answer-refused|"+j.prefixKey()) {
		return
	}
	e := AuditEvent{
		What: "provider-answer-refused", Method: flow.Social.String(), Reason: d.Reason.String(), UserAgent: cleanAgent(c.UserAgent),
	}
	if s.provider(provider) != nil {
		e.Detail = provider
	}
	if p, ok := throttlePrefix(c.Address); ok {
		e.Prefix = p.String()
	}
	s.decided(ctx, e)
}

// worthTelling reports whether a refusal of what anybody can send, as often as they like, is put on record: of a flood,
// so many that it shows, and not all.
func (j *job) worthTelling(ctx context.Context, key string) bool {
	t := j.s.throttle
	taken, err := j.s.cfg.Counters.Take(ctx, []Bucket{{Key: key, Cap: t.BeginCap, Leak: t.BeginLeak, Forget: forget}}, j.now)
	return err != nil || taken.OK
}

func (s *Service) comesForParked(ctx context.Context, provider, flowID string, c Client) (Progress, error) {
	j := &job{s: s, now: s.now(), client: c.own()}
	if err := j.comeBack(ctx, flowID); err != nil {
		return Progress{}, err
	}
	if j.trip == nil || j.trip.Parked == nil || j.trip.Provider != provider {
		return j.late(ctx)
	}
	return j.arrive(ctx, *j.trip.Parked)
}

// comeBack loads the flow of a browser that comes back.
func (j *job) comeBack(ctx context.Context, flowID string) error {
	if j.client.Browser.IsZero() {
		return flow.Deny(flow.CookieRequired)
	}
	if err := j.load(ctx, flowID); err != nil {
		return err
	}
	if j.flow.Acting != "" {
		return j.stillActing(ctx)
	}
	return nil
}

// late shows the flow to somebody who comes back once more, or after having gone on otherwise.
func (j *job) late(ctx context.Context) (Progress, error) {
	p, err := j.secondLook(ctx)
	if err != nil {
		return Progress{}, err
	}
	return p, flow.Deny(flow.Stale)
}

func (j *job) arrive(ctx context.Context, a answer) (Progress, error) {
	if err := j.resume(ctx); err != nil {
		return Progress{}, err
	}
	j.answer = &a
	return j.step(ctx, j.flow.Challenge.Method.String()+"-return")
}

// checkProvider has the provider say who came back. The trip is over from here on, and the flow is claimed before the
// code is redeemed: of two answers to one trip, one is looked at.
func (j *job) checkProvider(ctx context.Context, e flow.CheckProof) (flow.Event, error) {
	t := j.trip
	if t == nil || j.answer == nil || t.Provider != e.Connection {
		return nil, flow.Deny(flow.NotOffered) // nobody came back: an action by this name is not for pages and clients
	}
	j.trip, j.left = nil, t.At
	if err := j.once(ctx, flow.ProviderFailed); err != nil {
		return nil, err
	}
	identity, err := j.vouched(ctx, t)
	var said *declined
	switch {
	case errors.As(err, &said):
		j.detail = t.Provider + ": " + said.code
		return flow.ProofChecked{Failure: flow.Refusal{Reason: flow.ProviderDeclined}}, nil
	case err != nil:
		return flow.ProofChecked{Failure: j.unvouched(ctx, t.Provider, err)}, nil
	}
	return j.identified(ctx, e, identity)
}

// declined is a provider's refusal to say who it is, mostly because the person changed their mind.
type declined struct{ code string }

func (d *declined) Error() string { return "declined: " + d.code }

// vouched returns who the provider says it is.
func (j *job) vouched(ctx context.Context, t *trip) (Identity, error) {
	p, a := j.s.provider(t.Provider), j.answer
	switch {
	case p == nil:
		return Identity{}, &ProviderError{Code: "not-configured"}
	case a.Bad != "":
		return Identity{}, &ProviderError{Code: a.Bad}
	case t.TellsIssuer && a.Issuer == "":
		return Identity{}, &ProviderError{Code: "issuer-missing"} // RFC 9207 §2.4
	case t.Issuer != "" && a.Issuer != "" && a.Issuer != t.Issuer:
		return Identity{}, &ProviderError{Code: "issuer-mismatch"}
	case a.Error == "access_denied":
		return Identity{}, &declined{a.Error}
	case a.Error != "":
		return Identity{}, &ProviderError{Code: "answered-" + errorCode(a.Error)}
	}
	var identity Identity
	err := j.ask(ctx, func(ctx context.Context) (err error) {
		identity, err = p.Complete(ctx, j.journey(t), Answer{Code: NewSecret(a.Code), Issuer: a.Issuer, User: a.User})
		return err
	})
	if err != nil {
		return Identity{}, err
	}
	return identity, wellFormed(&identity)
}

// errorCode is an error of RFC 6749 as it can be put on record; anything else that stands in its place is not.
func errorCode(code string) string {
	if strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "error"
	}
	return code
}

// wellFormed refuses an identity without a name of its own, and cleans what is only shown.
func wellFormed(i *Identity) error {
	for _, part := range []string{i.Issuer, i.Subject} {
		if part == "" || len(part) > 255 || !utf8.ValidString(part) {
			return &ProviderError{Code: "no-subject"}
		}
	}
	i.Email, i.Name = legible(i.Email, 320), legible(i.Name, 256)
	return nil
}

// legible is somebody else's text without what cannot be seen, cut to a number of bytes.
func legible(text string, most int) string {
	var b strings.Builder
	for _, c := range text[:min(len(text), 4*most)] {
		if !unicode.IsGraphic(c) || c == utf8.RuneError {
			continue
		}
		if b.Len()+utf8.RuneLen(c) > most {
			break
		}
		b.WriteRune(c)
	}
	return b.String()
}

// identified looks whose the identity is. How the account stands is read before the link is used: see
// flow.ProofChecked.
func (j *job) identified(ctx context.Context, e flow.CheckProof, i Identity) (flow.Event, error) {
	proof := flow.Proof{
		Method: e.Method, Connection: e.Connection, Credential: LinkID(i.Issuer, i.Subject), AuthTime: i.AuthTime.UTC(),
		Upstream: j.s.vouchedFor(e.Connection, i), Origin: origin(e.Connection, i.Issuer, i.Session),
	}
	link, err := j.s.cfg.Links.FindLink(ctx, proof.Credential)
	if errors.Is(err, ErrNotFound) {
		return j.unconnected(e, proof, i), nil
	}
	if err != nil {
		return nil, fmt.Errorf("auth: find link: %w", err)
	}
	if link.Method != e.Method || link.Provider != e.Connection {
		// The issuer is what a provider's own code says. One that says another's, by mistake or not, must not open what
		// was connected through that one.
		return flow.ProofChecked{Failure: j.unvouched(ctx, e.Connection, &ProviderError{Code: "connected-through-another"})}, nil
	}
	state, err := j.s.cfg.Accounts.State(ctx, link.Account)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("auth: read account: %w", err)
	}
	err = j.s.cfg.Links.UseLink(ctx, link.Account, link.ID, i.Email, i.Name, j.now)
	if errors.Is(err, ErrStale) {
		return j.unconnected(e, proof, i), nil // it was disconnected in this moment
	}
	if err != nil {
		return nil, fmt.Errorf("auth: use link: %w", err)
	}
	j.detail = e.Connection
	proof.Account = link.Account
	return flow.ProofChecked{Proof: proof, Epochs: state.Epochs}, nil
}

// unconnected is an identity that is connected with nobody. It waits in the job, in case that it is to be.
func (j *job) unconnected(e flow.CheckProof, proof flow.Proof, i Identity) flow.Event {
	j.detail, j.stranger = e.Connection, &Link{
		ID: proof.Credential, Method: e.Method, Provider: e.Connection, Issuer: i.Issuer, Subject: i.Subject,
		Email: i.Email, Name: i.Name, LinkedAt: j.now.UTC(),
	}
	return flow.ProofChecked{Proof: proof}
}

// vouchedFor is the level that the provider's word counts as here.
func (s *Service) vouchedFor(provider string, i Identity) flow.Assurance {
	for _, class := range s.provider(provider).Info().Vouches {
		if i.ACR != "" && i.ACR == class {
			return flow.AAL2
		}
	}
	return 0
}
