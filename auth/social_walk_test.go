package auth_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// The walks of this file do whatever people and an adversary can do with providers, in any order: answers of anybody's
// come back to anybody's trip, in anybody's browser, at any provider's address, once more, late, posted or not. A ledger
// of its own, which knows nothing of the service, says after each step what may have come of it.

// stroller is one random walk.
type stroller struct {
	*social
	r        *rand.Rand
	people   []*walker
	browsers []*strollBrowser
	trips    []*strollTrip
	linked   map[string]string // code to account, of links that are there
	had      map[string]string // code to the only account that may ever have it
	changes  map[string]int    // how often an account's credentials changed
	granted  map[string]bool   // sessions that may be there
	seen     map[string]int    // what came about, so that a walk which does nothing is not taken for a good one
}

type walker struct{ email, account string }

type strollBrowser struct {
	*browser
	session auth.Session // the zero value if it has none
}

// strollTrip is a stay at a provider, as it was begun.
type strollTrip struct {
	auth.Trip
	at       time.Time
	provider *acme
	browser  *strollBrowser
	acting   auth.Session // of a linking or a step-up
	links    bool
	changes  int
	flowID   string
	over     bool // an answer was taken, or another trip of the flow begun
	parked   string
}

// codes are who can be named by a provider: by their codes.
var codes = []string{"ann-at-acme", "bob-at-acme", "carol-at-acme"}

func newStroller(t testing.TB, seed uint64) *stroller {
	w := &stroller{
		social: newSocial(t, func(c *auth.Config) { c.Throttle.BeginCap, c.Throttle.PrefixCap = 1<<20, 1<<20 }),
		r:      rand.New(rand.NewPCG(seed, 1)), linked: map[string]string{}, had: map[string]string{}, changes: map[string]int{},
		granted: map[string]bool{}, seen: map[string]int{},
	}
	for _, email := range []string{ann, "bob@example.com"} {
		w.people = append(w.people, &walker{email, w.account(email).ID})
	}
	for range 3 {
		w.browsers = append(w.browsers, &strollBrowser{browser: w.browser()})
	}
	return w
}

func oneOf[T any](w *stroller, list []T) T { return list[w.r.IntN(len(list))] }

func (w *stroller) step() {
	b := oneOf(w, w.browsers)
	switch w.r.IntN(16) {
	case 0, 1, 2:
		w.leaves(b)
	case 3, 4:
		w.connects(b)
	case 5, 6, 7, 8:
		w.comesBack(b)
	case 9:
		w.posts()
	case 10:
		w.fetches(b)
	case 11:
		w.disconnects(b)
	case 12:
		w.passes(b)
	case 13:
		w.proves(b)
	case 14:
		w.rarely()
	default:
		w.clock.Advance(oneOf(w, []time.Duration{time.Second, time.Minute, 6 * time.Minute, 11 * time.Minute}))
	}
	w.holds()
}

func (w *stroller) providers() []*acme { return []*acme{w.acme, w.other, w.posting} }

// departed notes a trip, if one began.
func (w *stroller) departed(p auth.Progress, b *strollBrowser, provider *acme, links bool) {
	if !p.Departed {
		return
	}
	for _, earlier := range w.trips {
		earlier.over = earlier.over || earlier.flowID == p.FlowID
	}
	t := &strollTrip{Trip: provider.trip(), at: w.clock.Now(), provider: provider, browser: b, links: links, flowID: p.FlowID}
	if p.View.Goal != flow.SignIn {
		t.acting = b.session
		t.changes = w.changes[b.session.Account]
	}
	w.trips = append(w.trips, t)
	w.seen["departures"]++
}

func (w *stroller) leaves(b *strollBrowser) {
	provider := oneOf(w, w.providers())
	p, err := b.leave(provider.info.ID)
	require.NoError(w.t, err)
	w.departed(p, b, provider, false)
}

func (w *stroller) connects(b *strollBrowser) {
	provider := oneOf(w, w.providers())
	p, err := w.Begin(w.ctx, auth.BeginRequest{Goal: flow.Linking, Target: flow.Target{Connection: provider.info.ID}, Client: b.client()})
	if err != nil {
		refused(w.t, err, flow.SessionRequired)
		return
	}
	if !p.Departed && p.View.Outcome == "open" {
		p, err = w.Continue(w.ctx, auth.ContinueRequest{Handle: p.Handle, Action: "password", Inputs: auth.Inputs{Password: auth.NewSecret(right)}, Client: b.client()})
		require.NoError(w.t, err)
	}
	w.departed(p, b, provider, true)
}

// proves begins a step-up by a provider.
func (w *stroller) proves(b *strollBrowser) {
	p, err := w.Begin(w.ctx, auth.BeginRequest{Goal: flow.StepUp, Target: flow.Target{Assurance: flow.AAL1}, Client: b.client()})
	if err != nil || len(p.View.Providers) == 0 {
		return
	}
	id := p.View.Providers[0].ID
	p, err = w.Continue(w.ctx, auth.ContinueRequest{Handle: p.Handle, Action: "social", Inputs: auth.Inputs{Connection: id}, Client: b.client()})
	require.NoError(w.t, err)
	for _, provider := range w.providers() {
		if provider.info.ID == id {
			w.departed(p, b, provider, false)
		}
	}
}

// comesBack brings an answer to a trip, mostly as it should be.
func (w *stroller) comesBack(b *strollBrowser) {
	if len(w.trips) == 0 {
		return
	}
	t := w.trips[len(w.trips)-1-w.r.IntN(min(len(w.trips), 6))]
	if w.r.IntN(4) > 0 {
		b = t.browser
	}
	route := t.provider
	if w.r.IntN(8) == 0 {
		route = oneOf(w, w.providers())
	}
	code := oneOf(w, codes)
	params := answerOf(t.provider, t.Trip, code)
	if w.r.IntN(10) == 0 {
		params["iss"] = []string{w.other.issuer}
	}
	p, err := b.w.Return(w.ctx, auth.ReturnRequest{Provider: route.info.ID, Params: params, Client: b.client()})
	fits := route == t.provider && !t.provider.info.FormPost && params["iss"][0] == t.provider.issuer
	w.answered(p, err, b, t, code, fits)
}

// posts has an answer parked.
func (w *stroller) posts() {
	if len(w.trips) == 0 {
		return
	}
	t, code := w.trips[len(w.trips)-1-w.r.IntN(min(len(w.trips), 6))], oneOf(w, codes)
	if _, err := w.Park(w.ctx, auth.ReturnRequest{Provider: oneOf(w, w.providers()).info.ID, Params: answerOf(t.provider, t.Trip, code)}); err == nil {
		require.True(w.t, t.provider.info.FormPost && t.parked == "" && !t.over, "an answer is parked that nobody waits for")
		t.parked = code
	}
}

// fetches comes for a parked answer.
func (w *stroller) fetches(b *strollBrowser) {
	if len(w.trips) == 0 {
		return
	}
	t := w.trips[len(w.trips)-1-w.r.IntN(min(len(w.trips), 6))]
	if w.r.IntN(4) > 0 {
		b = t.browser
	}
	route := t.provider
	if w.r.IntN(8) == 0 {
		route = oneOf(w, w.providers())
	}
	p, err := w.ReturnParked(w.ctx, route.info.ID, t.flowID, b.client())
	w.answered(p, err, b, t, t.parked, route == t.provider && t.parked != "")
}

// answered holds what came of an answer against the ledger.
func (w *stroller) answered(p auth.Progress, err error, b *strollBrowser, t *strollTrip, code string, fits bool) {
	if err != nil {
		require.Nil(w.t, p.Session, "a refusal with a session")
		return
	}
	taken := t.over
	t.over = true
	if p.Session == nil {
		w.seen[reasonOf(p).String()]++
		return
	}
	got := p.Session.Session
	why := fmt.Sprintf("a session for %s by %s, in a trip of %+v", got.Account, code, *t)
	require.True(w.t, fits, "%s: the answer is not one to this trip", why)
	require.False(w.t, taken, "%s: the trip was over", why)
	require.Same(w.t, t.browser, b, "%s: in another browser", why)
	require.Less(w.t, w.clock.Now().Sub(t.at), 10*time.Minute, "%s: too late", why)
	switch {
	case t.links:
		w.mayLink(got, t, code, why)
	case t.acting.ID != "":
		require.Equal(w.t, t.acting.Account, got.Account, why)
		require.Equal(w.t, w.linked[code], got.Account, why)
		require.Equal(w.t, t.changes, w.changes[got.Account], "%s: the account changed meanwhile", why)
		w.seen["step-ups"]++
	default:
		require.Equal(w.t, w.linked[code], got.Account, why)
		w.seen["sign-ins"]++
	}
	w.enters(b, *p.Session)
}

func (w *stroller) mayLink(got auth.Session, t *strollTrip, code, why string) {
	require.Equal(w.t, t.acting.Account, got.Account, why)
	require.Equal(w.t, t.changes, w.changes[got.Account], "%s: the account changed meanwhile", why)
	require.Contains(w.t, []string{"", got.Account}, w.had[code], "%s: it was another account's", why)
	if w.linked[code] == "" {
		w.linked[code], w.had[code] = got.Account, got.Account
		w.changes[got.Account]++
		w.seen["links"]++
		return
	}
	require.Equal(w.t, w.linked[code], got.Account, why)
}

// enters takes over a session; the browser's former one has ended.
func (w *stroller) enters(b *strollBrowser, s auth.IssuedSession) {
	delete(w.granted, b.session.ID)
	b.session, b.browser.session = s.Session, s.Token
	w.granted[s.ID] = true
}

func (w *stroller) passes(b *strollBrowser) {
	p, err := b.browser.try(oneOf(w, w.people).email, right)
	if err == nil && p.Session != nil {
		w.enters(b, *p.Session)
	}
}

func (w *stroller) disconnects(b *strollBrowser) {
	code := oneOf(w, codes)
	p, err := w.Begin(w.ctx, auth.BeginRequest{
		Goal: flow.Linking, Target: flow.Target{Remove: auth.LinkID(w.acme.issuer, code)}, Client: b.client(),
	})
	if err != nil {
		return
	}
	require.Equal(w.t, b.session.Account, w.linked[code], "somebody else's connection is found")
	if p.View.Need == flow.FreshProof {
		p, err = w.Continue(w.ctx, auth.ContinueRequest{Handle: p.Handle, Action: "password", Inputs: auth.Inputs{Password: auth.NewSecret(right)}, Client: b.client()})
		require.NoError(w.t, err)
	}
	p, err = w.Continue(w.ctx, auth.ContinueRequest{Handle: p.Handle, Action: "remove", Client: b.client()})
	require.NoError(w.t, err)
	require.NotNil(w.t, p.Session, "%s", reasonOf(p))
	delete(w.linked, code)
	w.changes[b.session.Account]++
	w.enters(b, *p.Session)
	w.seen["removals"]++
}

// rarely does what changes much: an account is deleted and made anew, all sessions end, or an identity is released.
func (w *stroller) rarely() {
	person, code := oneOf(w, w.people), oneOf(w, codes)
	switch w.r.IntN(4) {
	case 0:
		require.NoError(w.t, w.DeleteAccount(w.ctx, person.account))
		for c, account := range w.linked {
			if account == person.account {
				delete(w.linked, c)
			}
		}
		for c, account := range w.had {
			if account == person.account {
				w.had[c] = "nobody"
			}
		}
		w.leftOut(person.account)
		person.account = w.account(person.email).ID
	case 1:
		require.NoError(w.t, w.EndSessions(w.ctx, person.account))
		w.leftOut(person.account)
	default:
		if w.ReleaseIdentity(w.ctx, w.acme.issuer, code) == nil {
			require.Empty(w.t, w.linked[code], "a connection that is in use was released")
			delete(w.had, code)
			w.seen["releases"]++
		}
	}
}

// leftOut says that none of the account's sessions may be there any more.
func (w *stroller) leftOut(account string) {
	for _, b := range w.browsers {
		if b.session.Account == account {
			delete(w.granted, b.session.ID)
			b.session, b.browser.session = auth.Session{}, auth.Secret{}
		}
	}
}

// holds compares the stores with the ledger.
func (w *stroller) holds() {
	for _, person := range w.people {
		for _, id := range w.live(person.account) {
			require.True(w.t, w.granted[id], "a session that nobody was granted")
		}
		links, err := w.store.Links(w.ctx, person.account)
		require.NoError(w.t, err)
		mine := 0
		for _, account := range w.linked {
			if account == person.account {
				mine++
			}
		}
		require.Len(w.t, links, mine)
		if known := w.mirror(person.account).Epochs; known != (flow.Epochs{}) { // who was signed in once
			require.Equal(w.t, known, w.standing(person.account).Epochs)
		}
	}
	if len(w.trips) > 40 {
		w.trips = w.trips[20:]
	}
}

func TestSocialWalks(t *testing.T) {
	walks, length := 200, 250
	if raceEnabled || testing.Short() {
		walks = 20
	}
	seen := map[string]int{}
	for seed := range uint64(walks) {
		w := newStroller(t, seed)
		for _, p := range w.providers() {
			p.issuer = w.acme.issuer // one identity may come through several of them
		}
		for range length {
			w.step()
		}
		for what, n := range w.seen {
			seen[what] += n
		}
	}
	t.Logf("%d walks of %d steps: %v", walks, length, seen)
	if walks < 100 {
		return // too few for all of it
	}
	for _, what := range []string{"departures", "sign-ins", "links", "removals", "not-connected", "wrong-person", "identity-taken", "provider-failed", "step-ups", "releases"} {
		require.NotZero(t, seen[what], what)
	}
}
