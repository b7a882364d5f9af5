package auth_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// mode is how a port fails.
type mode int

const (
	failsBefore   mode = iota // it returns an error and has done nothing
	failsAfter                // it has done its work, and returns an error
	hangs                     // it waits until the caller gives up
	callerGivesUp             // it has done its work, and meanwhile the caller gave up
	modes
)

func (m mode) String() string {
	return [...]string{"fails before", "fails after", "hangs", "caller gives up"}[m]
}

// story is a whole life of an account, as one person and one operator live it. Each step returns what a
// caller of the shell gets; a step that failed is done again from its beginning once the fault is over.
type story struct {
	w        *world
	b, other *browser
	id       string
	tokens   []auth.Secret // all that were handed out
	issued   map[string]bool
}

type step struct {
	name string
	do   func(s *story) error
}

// answer checks what every answer must keep, whatever failed.
func (s *story) answer(p auth.Progress, err error) (auth.Progress, error) {
	t := s.w.t
	if err != nil {
		require.Nil(t, p.Session, "a session together with an error")
	}
	if p.Session != nil {
		s.tokens = append(s.tokens, p.Session.Token)
		s.issued[p.Session.ID] = true
	}
	return p, err
}

// signIn tries once or, where an earlier change was cut short and the stores have to be brought together
// first, twice.
func (s *story) signIn(b *browser, passwords ...string) error {
	for _, password := range passwords {
		for range 2 {
			p, err := s.answer(b.begin(ann))
			if err != nil {
				return err
			}
			if p, err = s.answer(b.password(p.Handle, password)); err != nil {
				return err
			}
			if p.Session != nil {
				return nil
			}
			if reasonOf(p) != flow.Stale {
				break
			}
		}
	}
	return errors.New("no session")
}

func (s *story) acting() (auth.Session, error) { return s.w.Authenticate(s.w.ctx, s.b.session) }

// signedIn makes sure that somebody acts: the fault may have cost the person their session.
func (s *story) signedIn(passwords ...string) error {
	_, err := s.acting()
	var denied *auth.DeniedError
	if errors.As(err, &denied) {
		return s.signIn(s.b, passwords...)
	}
	return err
}

var steps = []step{
	{"create", func(s *story) error {
		a, err := s.w.CreateAccount(s.w.ctx, auth.NewAccount{Identifier: ann, Password: auth.NewSecret(right)})
		if errors.Is(err, flow.Deny(flow.AddressTaken)) { // it was complete, only its answer got lost
			a, err = s.w.store.FindByIdentifier(context.Background(), ann)
		}
		s.id = a.ID
		return err
	}},
	{"wrong password", func(s *story) error {
		p, err := s.answer(s.b.try(ann, wrong))
		if err == nil && reasonOf(p) != flow.BadCredentials {
			return fmt.Errorf("%+v", p.View)
		}
		return err
	}},
	{"unknown address", func(s *story) error {
		_, err := s.answer(s.b.try(stranger, wrong))
		return err
	}},
	{"sign in", func(s *story) error { return s.signIn(s.b, right) }},
	{"sign in elsewhere", func(s *story) error { return s.signIn(s.other, right) }},
	{"sign in over a session", func(s *story) error { return s.signIn(s.b, right) }},
	{"list", func(s *story) error {
		if err := s.signedIn(right); err != nil {
			return err
		}
		acting, err := s.acting()
		if err != nil {
			return err
		}
		_, err = s.w.Sessions(s.w.ctx, acting)
		return err
	}},
	{"change password", func(s *story) error {
		for range 3 { // again, if the account had to be brought together first or the answer got lost
			if err := s.signedIn(right, newer); err != nil {
				return err
			}
			p, err := s.answer(s.b.enrol())
			if err != nil {
				return err
			}
			if p, err = s.answer(s.b.do(p.Handle, "password", change(right, newer, false))); err != nil {
				return err
			}
			if p.Session != nil {
				return nil
			}
			hash, err := s.w.store.PasswordHash(context.Background(), s.id)
			if err != nil || hash == hashOf("h1", newer) {
				return err
			}
		}
		return errors.New("the password was not changed")
	}},
	{"end others", func(s *story) error {
		if err := s.signedIn(newer); err != nil {
			return err
		}
		acting, err := s.acting()
		if err != nil {
			return err
		}
		if err := s.w.EndOtherSessions(s.w.ctx, acting, auth.Client{}); err != nil {
			return err
		}
		live := s.w.live(s.id)
		if len(live) != 1 || live[0] != acting.ID {
			return fmt.Errorf("%d sessions are left", len(live))
		}
		return nil
	}},
	{"mark compromised and change", func(s *story) error {
		if err := s.w.MarkPasswordCompromised(s.w.ctx, s.id); err != nil {
			return err
		}
		// The one that is compromised now is not taken again; after a lost answer that may be the later one.
		for _, c := range [][2]string{{newer, latest}, {newer, latest}, {latest, newer}, {latest, newer}} {
			p, err := s.answer(s.b.try(ann, c[0]))
			if err != nil {
				return err
			}
			if p.View.Need == flow.PasswordChange {
				if p, err = s.answer(s.b.do(p.Handle, "new-password", auth.Inputs{NewPassword: auth.NewSecret(c[1])})); err != nil {
					return err
				}
			}
			if p.Session != nil {
				return nil
			}
		}
		return errors.New("no session")
	}},
	{"disable", func(s *story) error {
		if err := s.w.DisableAccount(s.w.ctx, s.id); err != nil {
			return err
		}
		if live := s.w.live(s.id); len(live) > 0 {
			return errors.New("a closed account has sessions")
		}
		return nil
	}},
	{"enable", func(s *story) error { return s.w.EnableAccount(s.w.ctx, s.id) }},
	{"sign in again", func(s *story) error { return s.signIn(s.b, newer, latest) }},
	{"sign out", func(s *story) error {
		acting, err := s.acting()
		if errors.Is(err, flow.Deny(flow.SessionRequired)) {
			return nil // it was done, only its answer got lost
		}
		if err != nil {
			return err
		}
		return s.w.SignOut(s.w.ctx, acting)
	}},
}

func newStory(t testing.TB) *story {
	w := newWorld(t)
	w.cfg.Throttle.Free = 100 // the retries of the story are no attack
	var err error
	w.Service, err = auth.New(w.cfg)
	require.NoError(t, err)
	return &story{w: w, b: w.browser(), other: w.browser(), issued: map[string]bool{}}
}

// TestEveryPortFailsAtEveryCall cuts the whole story short at each of its calls of a port, in each way, and
// then goes on. Each act across two stores is cut between them this way.
func TestEveryPortFailsAtEveryCall(t *testing.T) {
	whole := newStory(t)
	for _, st := range steps {
		require.NoError(t, st.do(whole), st.name)
	}
	calls := whole.w.tap.take()
	require.Empty(t, whole.w.live(whole.id))

	tried := 0
	for n, port := range calls {
		for m := range modes {
			if port == "Devices.Known" { // it has no context and returns no error
				continue
			}
			tried++
			failAt(t, n+1, m, port)
			if t.Failed() {
				return
			}
		}
	}
	t.Logf("%d calls of %d ports; %d faults tried", len(calls), len(slices.Compact(slices.Sorted(slices.Values(calls)))), tried)
	require.Greater(t, tried, 500)
}

func failAt(t *testing.T, at int, m mode, port string) {
	where := fmt.Sprintf("call %d, %s: %s", at, port, m)
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("%s: panic: %v", where, p)
		}
	}()
	s := newStory(t)
	w := s.w
	var cancel context.CancelFunc
	var lost []string // sessions whose making did its work and then failed: their tokens are in nobody's hands
	calls, hit := 0, false
	w.tap.set(func(ctx context.Context, _ int, name string, work func() error) error {
		if calls++; calls != at {
			return work()
		}
		hit = true
		switch m {
		case failsBefore:
			return errFault
		case failsAfter:
			err := work()
			if name == "Sessions.Issue" {
				lost = w.live(s.id)
			}
			return errors.Join(errFault, err)
		case hangs:
			cancel()
			if name == "Audit.Record" || name == "Activity.Record" { // is told although the caller hung up, but is not waited for for ever
				if _, bounded := ctx.Deadline(); !bounded || ctx.Err() != nil {
					t.Errorf("%s: the context is not one of its own: %v", where, ctx.Err())
				}
				return context.DeadlineExceeded
			}
			if ctx.Done() != nil { // a port without a context cannot hang for the caller
				select {
				case <-ctx.Done():
				case <-time.After(10 * time.Second):
					t.Errorf("%s: the port did not get the caller's context", where)
				}
			}
			return context.Canceled
		default:
			err := work()
			cancel()
			return err
		}
	})
	for _, st := range steps {
		failed := hit
		w.ctx, cancel = context.WithCancel(context.Background())
		err := st.do(s)
		if err != nil {
			require.True(t, hit && !failed, "%s: %s fails after the fault is over: %v", where, st.name, err)
			checkFault(t, where+": "+st.name, err)
			cancel()
			w.ctx, cancel = context.WithCancel(context.Background())
			s.onePassword(where)
			require.NoError(t, st.do(s), "%s: %s cannot be repeated", where, st.name)
		}
		cancel()
		s.nobodysSessions(where+": "+st.name, lost)
	}
	require.True(t, hit, where)
	for _, token := range s.tokens {
		require.False(t, w.alive(token), "%s: a session outlives the story", where)
	}
	for _, secret := range append([]string{right, wrong, newer, latest, ann, stranger}, reveal(s.tokens)...) {
		require.NotContains(t, w.logs.String(), secret, where)
	}
}

// checkFault holds what failed to what may be told of it.
func checkFault(t *testing.T, where string, err error) {
	var denied *auth.DeniedError
	require.False(t, errors.As(err, &denied), "%s: a fault looks like a refusal: %v", where, err)
	require.True(t, errors.Is(err, errFault) || errors.Is(err, context.Canceled), "%s: %v", where, err)
	for _, secret := range []string{right, wrong, newer, latest, ann, stranger, "browser-cookie"} {
		require.NotContains(t, err.Error(), secret, where)
	}
}

// nobodysSessions checks that no session lives that no answer delivered.
func (s *story) nobodysSessions(where string, lost []string) {
	if s.id == "" {
		return
	}
	for _, id := range s.w.live(s.id) {
		require.True(s.w.t, s.issued[id] || slices.Contains(lost, id), "%s: session %s was handed to nobody", where, id)
	}
}

// onePassword checks that the account, if it is there, has exactly one of the passwords.
func (s *story) onePassword(where string) {
	a, err := s.w.store.FindByIdentifier(context.Background(), ann)
	if err != nil {
		return
	}
	state, err := s.w.store.State(context.Background(), a.ID)
	if err != nil || state.Status != flow.Active {
		return
	}
	good := 0
	for _, password := range []string{right, newer, latest} {
		b := s.w.browser() // of its own: the story goes on where it was
		proven := false
		for range 2 {
			p, err := s.answer(b.try(ann, password))
			require.NoError(s.w.t, err, where)
			proven = proven || p.Session != nil || p.View.Need == flow.PasswordChange || reasonOf(p) == flow.Stale
			if p.Session != nil {
				require.NoError(s.w.t, s.w.SignOut(s.w.ctx, p.Session.Session), where)
			}
			if reasonOf(p) != flow.Stale {
				require.Equal(s.w.t, proven, p.Session != nil || p.View.Need == flow.PasswordChange, where)
				break
			}
		}
		if proven {
			good++
		}
	}
	require.Equal(s.w.t, 1, good, "%s: the account has one password, never both, never neither", where)
}

func reveal(secrets []auth.Secret) (texts []string) {
	for _, s := range secrets {
		texts = append(texts, s.Reveal())
	}
	return texts
}

// A sink that fails is logged and changes nothing.
func TestFailingAuditSinkChangesNothing(t *testing.T) {
	w := newWorld(t)
	a := w.account(ann)
	w.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
		if strings.HasPrefix(name, "Audit") {
			return errFault
		}
		return work()
	})
	w.browser().signIn(ann, right)
	require.NoError(t, w.DisableAccount(w.ctx, a.ID))
	require.Contains(t, w.logs.String(), errFault.Error())
}

// garbled is a flow store that returns other data than it was given.
type garbled struct {
	auth.FlowStore
	data *string
}

func (g garbled) LoadFlow(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error) {
	r, err := g.FlowStore.LoadFlow(ctx, id, now)
	if *g.data != "" {
		r.Data = []byte(*g.data)
	}
	return r, err
}

// What cannot be read is no flow: a store that returns garbage must not let anybody in.
func TestGarbageInTheFlowStoreLetsNobodyIn(t *testing.T) {
	var data string
	w := newWorld(t, func(c *auth.Config) { c.Flows = garbled{c.Flows, &data} })
	a := w.account(ann)
	b := w.browser()
	p, err := b.begin(ann)
	require.NoError(t, err)
	for _, data = range []string{
		"{", "null", "[]", `{"flow":{"goal":"no-such-goal"}}`, `{"flow":{"goal":"sign-in","subject":{"status":"root"}}}`,
		`{"flow":{"goal":"sign-in","outcome":9}}`, `{"flow":{"goal":"sign-in","proofs":[{"method":"no-such-method"}]}}`,
	} {
		got, err := b.password(p.Handle, right)
		require.Nil(t, got.Session, "%s", data)
		require.True(t, err != nil || got.View.Phase == flow.Closed, "%s", data)
	}
	require.Empty(t, w.live(a.ID))
	data = ""
	_, err = b.password(p.Handle, right)
	require.NoError(t, err)
	require.Len(t, w.live(a.ID), 1)
}
