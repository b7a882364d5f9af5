package auth_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// acme is a provider that does what a test tells it to. By default it vouches for the subject that the code names.
type acme struct {
	info     auth.ProviderInfo
	issuer   string
	tells    bool
	begin    func(auth.Trip, *url.Values)
	complete func(context.Context, auth.Trip, auth.Answer) (auth.Identity, error)
	beginErr error
	logout   func(auth.Secret) (auth.ProviderLogout, error)

	mu    sync.Mutex
	trips []auth.Trip
	asked int // how often Complete was called
}

func newAcme(id, name string) *acme {
	return &acme{info: auth.ProviderInfo{ID: id, Name: name, Reauthenticates: true}, issuer: "https://" + id + ".example"}
}

func (p *acme) Info() auth.ProviderInfo { return p.info }

func (p *acme) Begin(_ context.Context, t auth.Trip) (auth.Departure, error) {
	p.mu.Lock()
	p.trips = append(p.trips, t)
	p.mu.Unlock()
	q := url.Values{
		"response_type": {"code"}, "state": {t.State.Reveal()}, "redirect_uri": {t.RedirectURI}, "nonce": {t.Nonce.Reveal()},
		"code_challenge": {t.Challenge()}, "code_challenge_method": {"S256"},
	}
	if p.info.FormPost {
		q.Set("response_mode", "form_post")
	}
	if p.begin != nil {
		p.begin(t, &q)
	}
	return auth.Departure{URL: p.issuer + "/authorize?" + q.Encode(), Issuer: p.issuer, TellsIssuer: p.tells, Keep: []byte("kept")}, p.beginErr
}

func (p *acme) Complete(ctx context.Context, t auth.Trip, a auth.Answer) (auth.Identity, error) {
	p.mu.Lock()
	p.asked++
	p.mu.Unlock()
	if p.complete != nil {
		return p.complete(ctx, t, a)
	}
	return auth.Identity{
		Issuer: p.issuer, Subject: a.Code.Reveal(), Email: a.Code.Reveal() + "@mail.example", Name: "A. N.", AuthTime: t.Now, Session: "sid-" + a.Code.Reveal(),
	}, nil
}

func (p *acme) VerifyLogout(_ context.Context, token auth.Secret, _ time.Time) (auth.ProviderLogout, error) {
	return p.logout(token)
}

// trip is the last one.
func (p *acme) trip() auth.Trip { return p.trips[len(p.trips)-1] }

// social is a world with providers in it.
type social struct {
	*postal
	acme, other, posting *acme
}

func newSocial(t testing.TB, change ...func(*auth.Config)) *social {
	t.Helper()
	s := &social{acme: newAcme("acme", "Acme"), other: newAcme("other", "Other"), posting: newAcme("posting", "Posting")}
	s.posting.info.FormPost = true
	s.acme.info.Vouches = []string{"urn:two"}
	setUp := func(c *auth.Config) {
		store := c.Accounts.(tapAccounts).AccountStore.(interface {
			auth.LinkStore
			auth.ProviderSessionStore
		})
		c.Providers = []auth.Provider{s.acme, s.other, s.posting}
		c.Links, c.ProviderSessions = tapLinks{store, c.Accounts.(tapAccounts).t}, tapProviderSessions{store, c.Accounts.(tapAccounts).t}
		c.Callbacks = "https://app.example/auth/provider/"
		c.Entry = func(context.Context, string) (flow.Entry, error) {
			return flow.Entry{Methods: flow.MethodsOf(flow.Password, flow.Social), Recovery: true, SignUp: true}, nil
		}
	}
	s.postal = newFactored(t, append([]func(*auth.Config){setUp}, change...)...)
	return s
}

// leave begins a sign-in with the way to a provider.
func (b *browser) leave(provider string) (auth.Progress, error) {
	return b.w.Begin(b.w.ctx, auth.BeginRequest{
		Goal: flow.SignIn, Client: b.client(), Action: "social", Inputs: auth.Inputs{Connection: provider},
	})
}

// answerOf are the parameters of an answer to a trip.
func answerOf(p *acme, t auth.Trip, code string) map[string][]string {
	return map[string][]string{"state": {t.State.Reveal()}, "code": {code}, "iss": {p.issuer}}
}

func (b *browser) comeBack(provider string, params map[string][]string) (auth.Progress, error) {
	p, err := b.w.Return(b.w.ctx, auth.ReturnRequest{Provider: provider, Params: params, Client: b.client()})
	b.keep(p)
	return p, err
}

// visit leaves for a provider and comes back with a code.
func (s *social) visit(b *browser, p *acme, code string) (auth.Progress, error) {
	s.t.Helper()
	at, err := b.leave(p.info.ID)
	require.NoError(s.t, err)
	require.True(s.t, at.Departed && at.View.Away)
	require.NotEmpty(s.t, at.Departure)
	return b.comeBack(p.info.ID, answerOf(p, p.trip(), code))
}

// connect connects the provider's account with the one that the browser is signed in to.
func (s *social) connect(b *browser, p *acme, code string) (auth.Progress, error) {
	s.t.Helper()
	at, err := b.w.Begin(b.w.ctx, auth.BeginRequest{Goal: flow.Linking, Target: flow.Target{Connection: p.info.ID}, Client: b.client()})
	require.NoError(s.t, err)
	require.True(s.t, at.Departed, "%+v", at.View)
	return b.comeBack(p.info.ID, answerOf(p, p.trip(), code))
}

// connected is an account with a connection, and the browser that is signed in to it.
func (s *social) connected(email, code string) (auth.Account, *browser) {
	s.t.Helper()
	a, b := s.account(email), s.browser()
	b.signIn(email, right)
	p, err := s.connect(b, s.acme, code)
	require.NoError(s.t, err)
	require.NotNil(s.t, p.Session, "%s", reasonOf(p))
	s.letters()
	return a, b
}

func TestConnectAndSignIn(t *testing.T) {
	s := newSocial(t)
	a, b := s.account(ann), s.browser()
	b.signIn(ann, right)
	s.clock.Advance(time.Minute)
	p, err := s.connect(b, s.acme, "ann-at-acme")
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	letters := s.letters()
	require.Contains(t, kinds(letters), auth.LinkNotice)
	require.Equal(t, "Acme", letters[len(letters)-1].Method)
	list, err := s.Connections(s.ctx, p.Session.Session)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, []string{"Acme", "ann-at-acme@mail.example"}, []string{list[0].ProviderName, list[0].Email})

	elsewhere := s.browser()
	p, err = s.visit(elsewhere, s.acme, "ann-at-acme")
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	require.Equal(t, a.ID, p.Session.Account)
	require.Contains(t, strings.Join(s.happened(a.ID), "\n"), "identity-linked social")

	p, err = s.visit(s.browser(), s.acme, "somebody-else")
	require.NoError(t, err)
	require.Nil(t, p.Session)
	require.Equal(t, flow.NotConnected, p.View.Refusal.Reason)
	require.Equal(t, flow.Identification, p.View.Need, "there are other ways")
	require.NotContains(t, s.logs.String(), "ann-at-acme", "the code, or what the provider calls her")
}

func TestAProvidersAddressMakesNobody(t *testing.T) {
	s := newSocial(t)
	s.account(ann)
	s.acme.complete = func(_ context.Context, t auth.Trip, _ auth.Answer) (auth.Identity, error) {
		return auth.Identity{Issuer: "https://acme.example", Subject: "mallory", Email: ann, EmailTrust: auth.EmailAuthoritative, AuthTime: t.Now}, nil
	}
	p, err := s.visit(s.browser(), s.acme, "x")
	require.NoError(t, err)
	require.Nil(t, p.Session)
	require.Equal(t, flow.NotConnected, p.View.Refusal.Reason)
}

func TestDisconnect(t *testing.T) {
	s := newSocial(t)
	a, b := s.connected(ann, "ann-at-acme")
	id := auth.LinkID(s.acme.issuer, "ann-at-acme")
	remove := func(id string) (auth.Progress, error) {
		return s.Begin(s.ctx, auth.BeginRequest{Goal: flow.Linking, Target: flow.Target{Remove: id}, Client: b.client()})
	}
	_, err := remove(auth.LinkID(s.acme.issuer, "somebody-else"))
	refused(t, err, flow.NotFound)
	p, err := remove(id)
	require.NoError(t, err)
	require.Equal(t, flow.Removal, p.View.Need)
	p, err = b.do(p.Handle, "remove", auth.Inputs{})
	require.NoError(t, err)
	require.NotNil(t, p.Session)
	require.Equal(t, []auth.LetterKind{auth.LinkGoneNotice}, kinds(s.letters()))
	require.Contains(t, strings.Join(s.happened(a.ID), "\n"), "identity-unlinked social")
	p, err = s.visit(s.browser(), s.acme, "ann-at-acme")
	require.NoError(t, err)
	require.Equal(t, flow.NotConnected, p.View.Refusal.Reason)

	t.Run("another account never gets it", func(t *testing.T) {
		s.account("bob@example.com")
		bob := s.browser()
		bob.signIn("bob@example.com", right)
		p, err := s.connect(bob, s.acme, "ann-at-acme")
		require.NoError(t, err)
		require.Equal(t, flow.IdentityTaken, p.View.Refusal.Reason)
		require.NoError(t, s.ReleaseIdentity(s.ctx, s.acme.issuer, "ann-at-acme"))
		p, err = s.connect(bob, s.acme, "ann-at-acme")
		require.NoError(t, err)
		require.NotNil(t, p.Session)
		require.ErrorIs(t, s.ReleaseIdentity(s.ctx, s.acme.issuer, "ann-at-acme"), auth.ErrStale)
	})
}

// TestTheLastWayInStays: an account that a provider alone opens cannot be disconnected from it.
func TestTheLastWayInStays(t *testing.T) {
	s := newSocial(t)
	a, err := s.CreateAccount(s.ctx, auth.NewAccount{Identifier: ann})
	require.NoError(t, err)
	epochs, err := s.store.SetStatus(s.ctx, a.ID, s.standing(a.ID), flow.Active, s.clock.Now())
	require.NoError(t, err)
	for _, code := range []string{"one", "two"} {
		epochs, err = s.store.AddLink(s.ctx, auth.LinkChange{
			Link: auth.Link{ID: auth.LinkID(s.acme.issuer, code), Account: a.ID, Method: flow.Social, Provider: "acme", Issuer: s.acme.issuer, Subject: code},
			From: auth.Standing{Status: flow.Active, Epochs: epochs}, Now: s.clock.Now(),
		})
		require.NoError(t, err)
	}
	b := s.browser()
	for n, code := range []string{"one", "two"} {
		p, err := s.visit(b, s.acme, "two")
		require.NoError(t, err)
		require.NotNil(t, p.Session, "%s", reasonOf(p))
		p, err = s.Begin(s.ctx, auth.BeginRequest{
			Goal: flow.Linking, Target: flow.Target{Remove: auth.LinkID(s.acme.issuer, code), Sole: false}, Client: b.client(),
		})
		require.NoError(t, err)
		if n == 1 {
			require.Equal(t, flow.FactorRequired, p.View.Refusal.Reason)
			return
		}
		_, err = b.do(p.Handle, "remove", auth.Inputs{})
		require.NoError(t, err)
	}
}

// TestTheSecondFactorFollowsTheAccount also after a provider's word, unless the provider is configured to vouch for it.
func TestTheSecondFactorFollowsTheAccount(t *testing.T) {
	s := newSocial(t)
	_, b := s.connected(ann, "ann-at-acme")
	s.pair(b)
	s.clock.Advance(time.Minute)
	p, err := s.visit(s.browser(), s.acme, "ann-at-acme")
	require.NoError(t, err)
	require.Nil(t, p.Session)
	require.Equal(t, flow.SecondFactor, p.View.Need)
	for class, want := range map[string]flow.Need{"": flow.SecondFactor, "urn:one": flow.SecondFactor, "urn:two": flow.NoNeed} {
		s.acme.complete = func(_ context.Context, t auth.Trip, a auth.Answer) (auth.Identity, error) {
			return auth.Identity{Issuer: s.acme.issuer, Subject: a.Code.Reveal(), AuthTime: t.Now, ACR: class}, nil
		}
		p, err := s.visit(s.browser(), s.acme, "ann-at-acme")
		require.NoError(t, err)
		require.Equal(t, want, p.View.Need, class)
	}
}

// TestAnswersThatAreNotTheirs is what an attacker can make of an answer, with a browser and a code of their own. None
// of it reaches the provider's token endpoint, and none of it signs anybody in.
func TestAnswersThatAreNotTheirs(t *testing.T) {
	const mine = "ann-at-acme"
	with := func(p map[string][]string, name string, values ...string) map[string][]string {
		p[name] = values
		return p
	}
	for name, c := range map[string]struct {
		come func(s *social, b *browser) (auth.Progress, error)
		want flow.Reason
		open bool // the trip is not used up by it
	}{
		"no state": {func(s *social, b *browser) (auth.Progress, error) {
			return b.comeBack("acme", with(answerOf(s.acme, s.acme.trip(), mine), "state"))
		}, flow.Expired, true},
		"a state of their own making": {func(s *social, b *browser) (auth.Progress, error) {
			state := s.acme.trip().State.Reveal()
			return b.comeBack("acme", with(answerOf(s.acme, s.acme.trip(), mine), "state", state[:len(state)-43]+strings.Repeat("A", 43)))
		}, flow.Stale, true},
		"a state twice": {func(s *social, b *browser) (auth.Progress, error) {
			state := s.acme.trip().State.Reveal()
			return b.comeBack("acme", with(answerOf(s.acme, s.acme.trip(), mine), "state", state, state))
		}, flow.Expired, true},
		"in another browser": {func(s *social, b *browser) (auth.Progress, error) {
			return s.browser().comeBack("acme", answerOf(s.acme, s.acme.trip(), mine))
		}, flow.Expired, true},
		"without a cookie": {func(s *social, b *browser) (auth.Progress, error) {
			return s.Return(s.ctx, auth.ReturnRequest{Provider: "acme", Params: answerOf(s.acme, s.acme.trip(), mine)})
		}, flow.CookieRequired, true},
		"of an earlier trip": {func(s *social, b *browser) (auth.Progress, error) {
			earlier := s.acme.trip()
			p, err := b.w.Look(b.w.ctx, strings.SplitN(earlier.State.Reveal(), ".", 2)[0], b.client())
			require.NoError(s.t, err)
			_, err = b.do(p.Handle, "social", auth.Inputs{Connection: "acme"})
			require.NoError(s.t, err)
			return b.comeBack("acme", answerOf(s.acme, earlier, mine))
		}, flow.Stale, true},
		"at another provider's address": {func(s *social, b *browser) (auth.Progress, error) {
			return b.comeBack("other", answerOf(s.acme, s.acme.trip(), mine))
		}, flow.ProviderFailed, false},
		"of another issuer": {func(s *social, b *browser) (auth.Progress, error) {
			return b.comeBack("acme", with(answerOf(s.acme, s.acme.trip(), mine), "iss", "https://other.example"))
		}, flow.ProviderFailed, false},
		"of no issuer, where it tells": {func(s *social, b *browser) (auth.Progress, error) {
			return b.comeBack("acme", with(answerOf(s.acme, s.acme.trip(), mine), "iss"))
		}, flow.ProviderFailed, false},
		"with two codes": {func(s *social, b *browser) (auth.Progress, error) {
			return b.comeBack("acme", with(answerOf(s.acme, s.acme.trip(), mine), "code", mine, "other"))
		}, flow.ProviderFailed, false},
		"with a code and an error": {func(s *social, b *browser) (auth.Progress, error) {
			return b.comeBack("acme", with(answerOf(s.acme, s.acme.trip(), mine), "error", "access_denied"))
		}, flow.ProviderFailed, false},
		"with neither": {func(s *social, b *browser) (auth.Progress, error) {
			return b.comeBack("acme", with(answerOf(s.acme, s.acme.trip(), mine), "code"))
		}, flow.ProviderFailed, false},
		"with an endless code": {func(s *social, b *browser) (auth.Progress, error) {
			return b.comeBack("acme", answerOf(s.acme, s.acme.trip(), strings.Repeat("x", 5000)))
		}, flow.ProviderFailed, false},
		"declined": {func(s *social, b *browser) (auth.Progress, error) {
			p := with(answerOf(s.acme, s.acme.trip(), mine), "code")
			return b.comeBack("acme", with(p, "error", "access_denied"))
		}, flow.ProviderDeclined, false},
		"with an error": {func(s *social, b *browser) (auth.Progress, error) {
			p := with(answerOf(s.acme, s.acme.trip(), mine), "code")
			return b.comeBack("acme", with(p, "error", "server_error"))
		}, flow.ProviderFailed, false},
		"too late": {func(s *social, b *browser) (auth.Progress, error) {
			s.clock.Advance(11 * time.Minute)
			return b.comeBack("acme", answerOf(s.acme, s.acme.trip(), mine))
		}, flow.Expired, true},
		"as an action": {func(s *social, b *browser) (auth.Progress, error) {
			p, err := b.w.Look(b.w.ctx, strings.SplitN(s.acme.trip().State.Reveal(), ".", 2)[0], b.client())
			require.NoError(s.t, err)
			return b.do(p.Handle, "social-return", auth.Inputs{Code: auth.NewSecret(mine)})
		}, flow.NotOffered, true},
		"posted, and it does not post": {func(s *social, b *browser) (auth.Progress, error) {
			_, err := s.Park(s.ctx, auth.ReturnRequest{Provider: "acme", Params: answerOf(s.acme, s.acme.trip(), mine)})
			return auth.Progress{}, err
		}, flow.Expired, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSocial(t)
			s.acme.tells = true
			a, _ := s.connected(ann, mine)
			before, asked := s.live(a.ID), s.acme.asked
			b := s.browser()
			_, err := b.leave("acme")
			require.NoError(t, err)
			p, err := c.come(s, b)
			if err != nil {
				refused(t, err, c.want)
			} else {
				require.NotNil(t, p.View.Refusal)
				require.Equal(t, c.want, p.View.Refusal.Reason)
			}
			require.Nil(t, p.Session)
			require.Equal(t, asked, s.acme.asked, "a code was redeemed")
			require.Equal(t, before, s.live(a.ID))
			if name == "too late" || name == "of an earlier trip" {
				return
			}
			p, err = b.comeBack("acme", answerOf(s.acme, s.acme.trip(), mine)) // the person's own answer, afterwards
			if c.open {
				require.NoError(t, err)
				require.NotNil(t, p.Session, "an attacker has used up somebody's trip")
			} else {
				refused(t, err, flow.Stale)
				require.Nil(t, p.Session)
			}
		})
	}
}

// TestTwoCallbacksAtOnce: one of them is looked at, however they interleave, and makes one session.
func TestTwoCallbacksAtOnce(t *testing.T) {
	s := newSocial(t)
	a, _ := s.connected(ann, "ann-at-acme")
	before, asked := len(s.live(a.ID)), s.acme.asked
	b := s.browser()
	_, err := b.leave("acme")
	require.NoError(t, err)
	params := answerOf(s.acme, s.acme.trip(), "ann-at-acme")
	var in sync.WaitGroup
	for range 20 {
		in.Go(func() {
			_, _ = s.Return(s.ctx, auth.ReturnRequest{Provider: "acme", Params: params, Client: b.client()})
		})
	}
	in.Wait()
	require.Len(t, s.live(a.ID), before+1)
	require.Equal(t, asked+1, s.acme.asked)
}

func TestPostedAnswers(t *testing.T) {
	s := newSocial(t)
	_, owner := s.connected(ann, "ann-at-acme")
	s.posting.issuer = "https://posting.example"
	at, err := s.Begin(s.ctx, auth.BeginRequest{Goal: flow.Linking, Target: flow.Target{Connection: "posting"}, Client: owner.client()})
	require.NoError(t, err)
	require.True(t, at.Departed)
	params := answerOf(s.posting, s.posting.trip(), "ann-at-posting")

	_, err = owner.comeBack("posting", params)
	refused(t, err, flow.Expired) // it posts its answers, and this one was made into an address
	_, err = s.Park(s.ctx, auth.ReturnRequest{Provider: "acme", Params: params})
	refused(t, err, flow.Expired)
	id, err := s.Park(s.ctx, auth.ReturnRequest{Provider: "posting", Params: params})
	require.NoError(t, err)
	again, err := s.Park(s.ctx, auth.ReturnRequest{Provider: "posting", Params: answerOf(s.posting, s.posting.trip(), "mallory")})
	refused(t, err, flow.Stale)
	require.Equal(t, id, again, "who sent the form twice is led on")
	_, err = s.ReturnParked(s.ctx, "posting", id, s.browser().client())
	refused(t, err, flow.Expired)
	_, err = s.ReturnParked(s.ctx, "acme", id, owner.client())
	refused(t, err, flow.Stale)
	p, err := s.ReturnParked(s.ctx, "posting", id, owner.client())
	require.NoError(t, err)
	require.NotNil(t, p.Session, "%s", reasonOf(p))
	owner.keep(p)
	_, err = s.ReturnParked(s.ctx, "posting", id, owner.client())
	refused(t, err, flow.Stale)
}

// TestForcedLinking: whoever has somebody finish a linking that they began themselves, or the other way round, connects
// nothing.
func TestForcedLinking(t *testing.T) {
	s := newSocial(t)
	ours := s.account(ann)
	s.account("mallory@example.com")
	victim, mallory := s.browser(), s.browser()
	victim.signIn(ann, right)
	mallory.signIn("mallory@example.com", right)
	at, err := s.Begin(s.ctx, auth.BeginRequest{Goal: flow.Linking, Target: flow.Target{Connection: "acme"}, Client: mallory.client()})
	require.NoError(t, err)
	require.True(t, at.Departed)
	params := answerOf(s.acme, s.acme.trip(), "mallory-at-acme")
	_, err = victim.comeBack("acme", params)
	refused(t, err, flow.Expired)
	stolen := victim.client()
	stolen.Browser = mallory.cookie // a cookie that was planted
	_, err = s.Return(s.ctx, auth.ReturnRequest{Provider: "acme", Params: params, Client: stolen})
	refused(t, err, flow.SessionRequired)
	links, err := s.store.Links(s.ctx, ours.ID)
	require.NoError(t, err)
	require.Empty(t, links)
}

// TestFreshProofByAProvider: the provider is asked to authenticate the person anew, and its silence is no proof.
func TestFreshProofByAProvider(t *testing.T) {
	s := newSocial(t)
	s.connected(ann, "ann-at-acme")
	s.account("bob@example.com")
	bob := s.browser()
	bob.signIn("bob@example.com", right)
	_, err := s.connect(bob, s.acme, "bob-at-acme")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		code  string
		since time.Duration
		never bool
		want  flow.Reason
	}{
		"just now":             {"ann-at-acme", 0, false, 0},
		"an hour ago":          {"ann-at-acme", time.Hour, false, flow.NotRecent},
		"not told":             {"ann-at-acme", 0, true, flow.NotRecent},
		"of somebody else":     {"bob-at-acme", 0, false, flow.WrongPerson},
		"of nobody":            {"carol-at-acme", 0, false, flow.NotConnected},
		"a clock ahead":        {"ann-at-acme", -time.Hour, false, 0},
		"within the freshness": {"ann-at-acme", 2 * time.Minute, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s.acme.complete = nil
			b := s.browser()
			b.signIn(ann, right)
			s.clock.Advance(time.Hour)
			s.acme.complete = func(_ context.Context, t auth.Trip, a auth.Answer) (auth.Identity, error) {
				i := auth.Identity{Issuer: s.acme.issuer, Subject: a.Code.Reveal(), AuthTime: t.Now.Add(-c.since)}
				if c.never {
					i.AuthTime = time.Time{}
				}
				return i, nil
			}
			p, err := s.Begin(s.ctx, auth.BeginRequest{
				Goal: flow.StepUp, Target: flow.Target{Assurance: flow.AAL1, MaxAge: 5 * time.Minute}, Client: b.client(),
			})
			require.NoError(t, err)
			require.Equal(t, []flow.Provider{{ID: "acme", Name: "Acme"}}, p.View.Providers, "only her own")
			_, err = b.do(p.Handle, "social", auth.Inputs{Connection: "other"})
			refused(t, err, flow.NotOffered)
			p, err = b.do(p.Handle, "social", auth.Inputs{Connection: "acme"})
			require.NoError(t, err)
			require.True(t, s.acme.trip().Fresh)
			require.Equal(t, 5*time.Minute, s.acme.trip().MaxAge)
			p, err = b.comeBack("acme", answerOf(s.acme, s.acme.trip(), c.code))
			require.NoError(t, err)
			if c.want == 0 {
				require.NotNil(t, p.Session, "%s", reasonOf(p))
				return
			}
			require.Nil(t, p.Session)
			require.Equal(t, c.want, p.View.Refusal.Reason)
		})
	}
}

// TestProvidersThatAreNotWell: whatever becomes of a provider, the person is on a page with a way on, the audit has
// what it was, and no part of a secret is anywhere.
func TestProvidersThatAreNotWell(t *testing.T) {
	fails := func(err error) func(context.Context, auth.Trip, auth.Answer) (auth.Identity, error) {
		return func(context.Context, auth.Trip, auth.Answer) (auth.Identity, error) { return auth.Identity{}, err }
	}
	says := func(i auth.Identity) func(context.Context, auth.Trip, auth.Answer) (auth.Identity, error) {
		return func(context.Context, auth.Trip, auth.Answer) (auth.Identity, error) { return i, nil }
	}
	for name, c := range map[string]struct {
		complete func(context.Context, auth.Trip, auth.Answer) (auth.Identity, error)
		detail   string
	}{
		"refuses": {fails(&auth.ProviderError{Code: "nonce-mismatch"}), "acme: nonce-mismatch"},
		"fails":   {fails(errors.New("connection reset")), "acme: fault"},
		"panics": {func(context.Context, auth.Trip, auth.Answer) (auth.Identity, error) {
			panic("secret-code")
		}, "acme: panic"},
		"hangs": {func(ctx context.Context, _ auth.Trip, _ auth.Answer) (auth.Identity, error) {
			<-ctx.Done()
			return auth.Identity{}, ctx.Err()
		}, "acme: timeout"},
		"names nobody":        {says(auth.Identity{Issuer: "https://acme.example"}), "acme: no-subject"},
		"has no issuer":       {says(auth.Identity{Subject: "x"}), "acme: no-subject"},
		"names somebody long": {says(auth.Identity{Issuer: "https://acme.example", Subject: strings.Repeat("x", 256)}), "acme: no-subject"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSocial(t, func(c *auth.Config) { c.ProviderTimeout = 50 * time.Millisecond })
			s.connected(ann, "x")
			s.acme.complete = c.complete
			b := s.browser()
			p, err := s.visit(b, s.acme, "secret-code")
			require.NoError(t, err)
			require.Nil(t, p.Session)
			require.Equal(t, flow.ProviderFailed, p.View.Refusal.Reason)
			require.NotEmpty(t, p.View.Actions)
			last := s.audit.last("proof-failed")
			require.Equal(t, c.detail, last.Detail)
			require.NotContains(t, s.logs.String(), "secret-code")
			require.NotContains(t, s.logs.String(), s.acme.trip().State.Reveal())
			p, err = b.do(p.Handle, "identify", auth.Inputs{Identifier: ann})
			require.NoError(t, err)
			_, err = b.password(p.Handle, right)
			require.NoError(t, err)
		})
	}
	t.Run("cannot begin", func(t *testing.T) {
		s := newSocial(t)
		s.acme.beginErr = errors.New("down")
		p, err := s.browser().leave("acme")
		require.NoError(t, err)
		require.False(t, p.Departed || p.View.Away)
		require.Empty(t, p.Departure)
		require.Equal(t, flow.ProviderFailed, p.View.Refusal.Reason)
	})
}

// TestDepartures: a provider that gets wrong what keeps a trip its own sends nobody anywhere.
func TestDepartures(t *testing.T) {
	for name, begin := range map[string]func(auth.Trip, *url.Values){
		"another state": func(_ auth.Trip, q *url.Values) { q.Set("state", "x") },
		"two states":    func(_ auth.Trip, q *url.Values) { q.Add("state", "x") },
		"no state":      func(_ auth.Trip, q *url.Values) { q.Del("state") },
		"no challenge":  func(_ auth.Trip, q *url.Values) { q.Del("code_challenge") },
		"a plain verifier": func(t auth.Trip, q *url.Values) {
			q.Set("code_challenge", t.Verifier.Reveal())
			q.Set("code_challenge_method", "plain")
		},
		"no nonce":         func(_ auth.Trip, q *url.Values) { q.Del("nonce") },
		"another address":  func(_ auth.Trip, q *url.Values) { q.Set("redirect_uri", "https://evil.example/") },
		"the implicit way": func(_ auth.Trip, q *url.Values) { q.Set("response_type", "id_token") },
		"endless":          func(_ auth.Trip, q *url.Values) { q.Set("x", strings.Repeat("x", 5000)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSocial(t)
			s.acme.begin = begin
			p, err := s.browser().leave("acme")
			require.NoError(t, err)
			require.Empty(t, p.Departure)
			require.Equal(t, flow.ProviderFailed, p.View.Refusal.Reason)
		})
	}
	t.Run("all at once", func(t *testing.T) { // whoever writes a provider need not find out one by one
		s := newSocial(t)
		s.posting.begin = func(_ auth.Trip, q *url.Values) { *q = url.Values{} }
		_, err := s.browser().leave("posting")
		require.NoError(t, err)
		require.Contains(t, s.logs.String(),
			"does not carry, once and as auth.Departure says: code_challenge, code_challenge_method, nonce, redirect_uri, response_mode, response_type, state")
	})
	for _, issuer := range []string{"http://acme.example", "javascript:alert(1)//", "//acme.example", "https://user@acme.example", "https:acme.example"} {
		s := newSocial(t)
		s.acme.issuer = issuer
		p, err := s.browser().leave("acme")
		require.NoError(t, err)
		require.Empty(t, p.Departure, issuer)
	}
}

// What can be missing or wrong around providers is told when the host starts.
func TestNewChecksProviders(t *testing.T) {
	var none *acme
	cfg := newSocial(t).cfg
	for want, change := range map[string]func(*auth.Config){
		"Links is required with Providers":           func(c *auth.Config) { c.Links = nil },
		`Callbacks is ""`:                            func(c *auth.Config) { c.Callbacks = "" },
		"ends in a slash":                            func(c *auth.Config) { c.Callbacks = "https://app.example/auth/provider" },
		"by https or to a loopback host":             func(c *auth.Config) { c.Callbacks = "http://app.example/auth/provider/" },
		"ProviderTimeout is":                         func(c *auth.Config) { c.ProviderTimeout = time.Hour },
		"Providers[1] is nil":                        func(c *auth.Config) { c.Providers = []auth.Provider{newAcme("a", "A"), none} },
		`Providers[1] has the id "a", which another`: func(c *auth.Config) { c.Providers = []auth.Provider{newAcme("a", "A"), newAcme("a", "B")} },
		`Providers[0] has the id "A B"; it must be`:  func(c *auth.Config) { c.Providers = []auth.Provider{newAcme("A B", "A")} },
		"Providers[0] has no name to show":           func(c *auth.Config) { c.Providers = []auth.Provider{newAcme("a", "")} },
	} {
		bad := cfg
		change(&bad)
		_, err := auth.New(bad)
		require.ErrorContains(t, err, want)
	}
	cfg.Callbacks = "http://localhost:8080/auth/provider/"
	_, err := auth.New(cfg)
	require.NoError(t, err)
}

// TestTripsAreApart: no two trips have a secret in common, and none can be made from what the store has.
func TestTripsAreApart(t *testing.T) {
	s := newSocial(t)
	seen := map[string]bool{}
	b := s.browser()
	for range 3 {
		_, err := b.leave("acme")
		require.NoError(t, err)
		trip := s.acme.trip()
		for _, secret := range []auth.Secret{trip.State, trip.Nonce, trip.Verifier} {
			require.False(t, seen[secret.Reveal()])
			require.GreaterOrEqual(t, len(secret.Reveal()), 43)
			seen[secret.Reveal()] = true
		}
		require.Equal(t, "https://app.example/auth/provider/acme/callback", trip.RedirectURI)
		r, err := s.store.LoadFlow(s.ctx, strings.SplitN(trip.State.Reveal(), ".", 2)[0], s.clock.Now())
		require.NoError(t, err)
		require.NotContains(t, string(r.Data), trip.Verifier.Reveal())
	}
}

// TestALinkThatIsRemovedMeanwhileSignsNobodyIn: the account is looked at before its link is used.
func TestALinkThatIsRemovedMeanwhileSignsNobodyIn(t *testing.T) {
	for _, when := range []string{"Links.FindLink", "Accounts.State", "Links.UseLink"} {
		t.Run(when, func(t *testing.T) {
			s := newSocial(t)
			a, owner := s.connected(ann, "ann-at-acme")
			p, err := s.Begin(s.ctx, auth.BeginRequest{
				Goal: flow.Linking, Target: flow.Target{Remove: auth.LinkID(s.acme.issuer, "ann-at-acme")}, Client: owner.client(),
			})
			require.NoError(t, err)
			thief := s.browser()
			_, err = thief.leave("acme")
			require.NoError(t, err)
			removed, looking := false, false
			s.acme.complete = func(_ context.Context, t auth.Trip, a auth.Answer) (auth.Identity, error) {
				looking = true
				return auth.Identity{Issuer: s.acme.issuer, Subject: a.Code.Reveal()}, nil
			}
			s.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
				err := work()
				if name == when && looking && !removed {
					removed = true
					_, err := owner.do(p.Handle, "remove", auth.Inputs{EndOthers: true})
					require.NoError(t, err)
				}
				return err
			})
			at, err := thief.comeBack("acme", answerOf(s.acme, s.acme.trip(), "ann-at-acme"))
			require.True(t, removed)
			require.NoError(t, err)
			require.Nil(t, at.Session)
			require.Len(t, s.live(a.ID), 1, "the owner's")
		})
	}
}

func TestEndedAtProvider(t *testing.T) {
	s := newSocial(t)
	a, owner := s.connected(ann, "ann-at-acme")
	visit := func() *browser {
		b := s.browser()
		s.clock.Advance(time.Second)
		p, err := s.visit(b, s.acme, "ann-at-acme")
		require.NoError(t, err)
		require.NotNil(t, p.Session, "%s", reasonOf(p))
		return b
	}
	tell := func(id, subject, session string) error {
		s.acme.logout = func(auth.Secret) (auth.ProviderLogout, error) {
			return auth.ProviderLogout{ID: id, Issuer: s.acme.issuer, Subject: subject, Session: session}, nil
		}
		return s.EndedAtProvider(s.ctx, "acme", auth.NewSecret("token"))
	}
	plain := s.browser()
	plain.signIn(ann, right)

	b := visit()
	require.NoError(t, tell("1", "", "sid-of-somebody-else"))
	require.True(t, s.alive(b.session))
	require.NoError(t, tell("2", "ann-at-acme", "sid-ann-at-acme"))
	require.False(t, s.alive(b.session))
	require.True(t, s.alive(plain.session), "a password's session is none of the provider's")
	require.True(t, s.alive(owner.session), "she was signed in when she connected it")

	b = visit()
	refused(t, tell("2", "ann-at-acme", "sid-ann-at-acme"), flow.Forbidden) // once
	require.True(t, s.alive(b.session))
	require.NoError(t, tell("3", "ann-at-acme", ""))
	require.False(t, s.alive(b.session))

	t.Run("also a session that was replaced by a step-up", func(t *testing.T) {
		b := visit()
		s.clock.Advance(time.Hour)
		p, err := s.Begin(s.ctx, auth.BeginRequest{Goal: flow.StepUp, Target: flow.Target{Assurance: flow.AAL1, MaxAge: time.Minute}, Client: b.client()})
		require.NoError(t, err)
		p, err = b.password(p.Handle, right)
		require.NoError(t, err)
		require.NotNil(t, p.Session)
		require.NoError(t, tell("4", "", "sid-ann-at-acme"))
		require.False(t, s.alive(b.session))
	})
	t.Run("one that is being made does not outlive it", func(t *testing.T) {
		b := s.browser()
		_, err := b.leave("acme")
		require.NoError(t, err)
		told := false
		s.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
			if name == "Sessions.Issue" && !told {
				told = true
				require.NoError(t, tell("5", "ann-at-acme", "sid-ann-at-acme"))
			}
			return work()
		})
		before := s.live(a.ID)
		p, err := b.comeBack("acme", answerOf(s.acme, s.acme.trip(), "ann-at-acme"))
		s.tap.set(nil)
		require.NoError(t, err)
		require.True(t, told)
		require.Nil(t, p.Session)
		require.Equal(t, before, s.live(a.ID))
	})
	t.Run("a store that fails in between leaves it to the next try", func(t *testing.T) {
		s.clock.Advance(2 * time.Hour)
		b := visit()
		s.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
			if name == "Sessions.End" {
				return errors.New("down")
			}
			return work()
		})
		require.Error(t, tell("6", "ann-at-acme", ""))
		s.tap.set(nil)
		require.True(t, s.alive(b.session))
		require.NoError(t, tell("6", "ann-at-acme", ""))
		require.False(t, s.alive(b.session))
	})
	t.Run("a provider ends nothing that came of another one's", func(t *testing.T) {
		b := visit()
		s.acme.logout = func(auth.Secret) (auth.ProviderLogout, error) {
			return auth.ProviderLogout{ID: "7", Issuer: s.acme.issuer, Subject: "ann-at-acme", Session: "sid-ann-at-acme"}, nil
		}
		s.other.logout = s.acme.logout
		require.NoError(t, s.EndedAtProvider(s.ctx, "other", auth.NewSecret("token")))
		require.True(t, s.alive(b.session))
	})
	t.Run("a token that is worth nothing", func(t *testing.T) {
		s.acme.logout = func(auth.Secret) (auth.ProviderLogout, error) {
			return auth.ProviderLogout{}, &auth.ProviderError{Code: "signature"}
		}
		refused(t, s.EndedAtProvider(s.ctx, "acme", auth.NewSecret("token")), flow.Forbidden)
		refused(t, s.EndedAtProvider(s.ctx, "nobody", auth.NewSecret("token")), flow.NotFound)
	})
}

// TestProvidersBeforeAProof: all of them, for whoever it is about; and none for native clients, which no answer reaches.
func TestProvidersBeforeAProof(t *testing.T) {
	s := newSocial(t)
	s.connected(ann, "ann-at-acme")
	all := []flow.Provider{{ID: "acme", Name: "Acme"}, {ID: "other", Name: "Other"}, {ID: "posting", Name: "Posting"}}
	v, err := s.Preview(s.ctx, flow.SignIn)
	require.NoError(t, err)
	require.Equal(t, all, v.Providers)
	for _, email := range []string{ann, stranger} {
		p, err := s.browser().begin(email)
		require.NoError(t, err)
		require.Equal(t, all, p.View.Providers, email)
	}
	app := s.browser()
	app.native = true
	_, err = app.leave("acme")
	refused(t, err, flow.NotOffered)
	p, err := app.begin(ann)
	require.NoError(t, err)
	require.Empty(t, p.View.Providers)
	_, err = s.browser().leave("unheard-of")
	refused(t, err, flow.NotOffered)
}

// TestLinkingSurvives a crash between any two store calls: whatever was cut short, the person can do it once more, and
// no account is left between two states.
func TestLinkingSurvives(t *testing.T) {
	for n := 1; ; n++ {
		s := newSocial(t)
		a, b := s.account(ann), s.browser()
		b.signIn(ann, right)
		at, err := s.Begin(s.ctx, auth.BeginRequest{Goal: flow.Linking, Target: flow.Target{Connection: "acme"}, Client: b.client()})
		require.NoError(t, err)
		require.True(t, at.Departed)
		calls := 0
		s.tap.set(func(_ context.Context, _ int, _ string, work func() error) error {
			if calls++; calls >= n {
				return errors.New("crashed")
			}
			return work()
		})
		_, err = b.comeBack("acme", answerOf(s.acme, s.acme.trip(), "ann-at-acme"))
		s.tap.set(nil)
		if calls < n {
			require.NoError(t, err)
			require.Greater(t, n, 8)
			return
		}
		again := s.browser()
		first, err := again.try(ann, right)
		require.NoError(t, err)
		if first.Session == nil { // what was cut short had raised the sessions' picture: it is found out, and mended
			require.Equal(t, flow.Stale, reasonOf(first))
			again.signIn(ann, right)
		}
		links, err := s.store.Links(s.ctx, a.ID)
		require.NoError(t, err)
		if len(links) == 0 {
			p, err := s.connect(again, s.acme, "ann-at-acme")
			require.NoError(t, err)
			require.NotNil(t, p.Session, "after call %d: %s", n, reasonOf(p))
		}
		p, err := s.visit(s.browser(), s.acme, "ann-at-acme")
		require.NoError(t, err)
		require.NotNil(t, p.Session, "after call %d: %s", n, reasonOf(p))
		require.Equal(t, s.mirror(a.ID), s.standing(a.ID))
	}
}

// TestStrangersTripsAreNoMatterOfWhoWasTyped: a provider's refusal of a stranger costs no attempt, so it must not be
// entered in the list of whoever's address was typed before.
func TestStrangersTripsAreNoMatterOfWhoWasTyped(t *testing.T) {
	s := newSocial(t)
	a := s.account(ann)
	for _, code := range []string{"of-nobody", ""} {
		b := s.browser()
		p, err := b.begin(ann)
		require.NoError(t, err)
		_, err = b.do(p.Handle, "social", auth.Inputs{Connection: "acme"})
		require.NoError(t, err)
		_, err = b.comeBack("acme", answerOf(s.acme, s.acme.trip(), code))
		require.NoError(t, err)
		require.Empty(t, s.audit.last("proof-failed").Account)
	}
	require.Equal(t, []string{"account-created"}, s.happened(a.ID))
}
