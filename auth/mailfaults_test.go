package auth_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

const bea = "bea@example.com"

// mailStory is something that a mailbox allows, as one person lives it. What was cut short leaves the account as it
// was or as it was to be, and is done again from the beginning.
type mailStory struct {
	name    string
	prepare func(*plot)
	act     func(*plot) error
	// whole says what holds after a fault, whatever was cut short, and reports whether the change is made.
	whole func(*plot) bool
}

// plot is one installation in which a mailStory is lived.
type plot struct {
	*postal
	where  string
	lost   string // the port that fails
	id     string
	b      *browser
	given  auth.Secret // the link that the story begins with
	was    flow.Status
	before auth.Standing // when the link was mailed
	mailed []auth.Letter // all that was ever queued
	tokens []auth.Secret // of all sessions
	has    belongings
	again  bool // connecting had to be done again to bring the stores together
}

func newPlot(t *testing.T, st mailStory, change ...func(*auth.Config)) *plot {
	p := &plot{}
	watched := func(c *auth.Config) {
		c.Throttle.MailCap = 100
		entry, rules, tap := c.Entry, c.Rules, c.Audit.(tapAudit).t
		c.Entry = func(ctx context.Context, domain string) (flow.Entry, error) {
			return tapped(tap, ctx, "Entry", func() (flow.Entry, error) { return entry(ctx, domain) })
		}
		c.Rules = func(ctx context.Context, a auth.Account) (flow.Rules, error) {
			return tapped(tap, ctx, "Rules", func() (flow.Rules, error) { return rules(ctx, a) })
		}
	}
	p.postal = newOpen(t, append(change, watched)...)
	p.b = p.browser()
	st.prepare(p)
	p.collect()
	p.mailed = nil
	p.tap.take()
	return p
}

// collect takes everything out of the queue, and keeps it.
func (p *plot) collect() { p.mailed = append(p.mailed, p.letters()...) }

// newest is the secret of the newest letter of the kind.
func (p *plot) newest(kind auth.LetterKind) (auth.Secret, error) {
	p.collect()
	for _, l := range slices.Backward(p.mailed) {
		if l.Kind == kind {
			return p.secretIn(l), nil
		}
	}
	return auth.Secret{}, fmt.Errorf("there is no letter of the kind %s", kind)
}

func (p *plot) told(kind auth.LetterKind) bool {
	p.collect()
	return slices.ContainsFunc(p.mailed, func(l auth.Letter) bool { return l.Kind == kind })
}

// completes turns the answer of a goal that begins in a mailbox into what the story needs to know.
func (p *plot) completes(at auth.Progress, err error) error {
	require.Nil(p.t, at.Session, "%s: a session out of a mailbox", p.where)
	if err == nil && at.View.Outcome != "completed" {
		err = fmt.Errorf("it was refused: %s", reasonOf(at))
	}
	return err
}

// enters reports whether the password opens the account of the address. Where an earlier change was cut short, the
// first try brings the stores together.
func (p *plot) enters(email, password string) bool {
	for range 2 {
		b := p.browser()
		at, err := b.try(email, password)
		require.NoError(p.t, err, p.where)
		if at.Session != nil {
			p.tokens = append(p.tokens, at.Session.Token)
			return true
		}
		if reasonOf(at) != flow.Stale {
			break
		}
	}
	return false
}

func (p *plot) status() flow.Status { return p.standing(p.id).Status }

func (p *plot) address() string {
	a, err := p.store.FindByID(context.Background(), p.id)
	require.NoError(p.t, err, p.where)
	return a.Identifier
}

func (p *plot) hash() string {
	hash, err := p.store.PasswordHash(context.Background(), p.id)
	require.NoError(p.t, err, p.where)
	return hash
}

// good reports whether a link would do its work.
func (p *plot) good(goal flow.Goal, link auth.Secret) bool {
	_, err := p.PreviewLink(context.Background(), goal, link, p.browser().client())
	if err != nil {
		refused(p.t, err, flow.WrongCode)
	}
	return err == nil
}

// notMoreOpen holds the sessions' picture of the account against the account: what ended must stay ended.
func (p *plot) notMoreOpen() {
	if p.id == "" {
		return
	}
	state, err := p.store.State(context.Background(), p.id)
	if errors.Is(err, auth.ErrNotFound) {
		return
	}
	require.NoError(p.t, err, p.where)
	known := p.mirror(p.id)
	if known == (auth.Standing{}) {
		return
	}
	require.GreaterOrEqual(p.t, known.Epochs.Security, state.Epochs.Security, p.where)
	require.GreaterOrEqual(p.t, known.Epochs.Session, state.Epochs.Session, p.where)
	if state.Status != flow.Active {
		require.Empty(p.t, p.live(p.id), "%s: a session of an account that is %s", p.where, state.Status)
		require.NotEqual(p.t, flow.Active, known.Status, p.where)
	}
}

// TestMailFlowsFailAtEveryCall cuts each story short at each of its calls of a port, in each way, looks what was
// left, and does it again.
func TestMailFlowsFailAtEveryCall(t *testing.T) {
	require.Greater(t, failEverywhere(t, mailStories()), 150)
}

// failEverywhere returns how many faults it has tried.
func failEverywhere(t *testing.T, stories []mailStory, change ...func(*auth.Config)) (total int) {
	for _, st := range stories {
		t.Run(testName(st.name), func(t *testing.T) {
			p := newPlot(t, st, change...)
			require.NoError(t, st.act(p))
			calls := p.tap.take()
			require.True(t, st.whole(p))
			tried := 0
			for n, port := range calls {
				if port == "Devices.Known" { // it has no context and returns no error
					continue
				}
				for m := range modes {
					if sampled := testing.Short() || raceEnabled; sampled && (n+int(m))%4 != 0 {
						continue
					}
					mailFault(t, st, n+1, m, port, change...)
					tried++
				}
			}
			t.Logf("%d calls, %d faults", len(calls), tried)
			total += tried
		})
	}
	t.Logf("%d faults tried", total)
	return total
}

// mailFault lives the story with one fault in it.
func mailFault(t *testing.T, st mailStory, at int, m mode, port string, change ...func(*auth.Config)) {
	p := newPlot(t, st, change...)
	p.where, p.lost = fmt.Sprintf("%s: call %d, %s: %s", st.name, at, port, m), port
	defer func() {
		if v := recover(); v != nil {
			t.Fatalf("%s: panic: %v", p.where, v)
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p.ctx = ctx
	hit := p.breakAt(at, m, cancel)
	err := st.act(p)
	p.tap.set(nil)
	p.ctx = context.Background()
	require.True(t, *hit, p.where)
	p.notMoreOpen()
	done := st.whole(p)
	require.True(t, err != nil || done, "%s: it was said to be done", p.where)
	p.notMoreOpen()

	require.NoError(t, st.act(p), "%s: it cannot be done again", p.where)
	require.True(t, st.whole(p), p.where)
	p.notMoreOpen()
	require.Equal(t, p.standing(p.id), p.mirrorOr(p.standing(p.id)), "%s: the stores are together in the end", p.where)
	p.keepsSecrets()
}

// mirrorOr is the sessions' picture of the account, or the other where they have none.
func (p *plot) mirrorOr(other auth.Standing) auth.Standing {
	if known := p.mirror(p.id); known != (auth.Standing{}) {
		return known
	}
	return other
}

// breakAt makes one call of a port fail. What the shell does regardless of who waits has a context of its own.
func (p *plot) breakAt(at int, m mode, cancel func()) *bool {
	calls, hit := 0, false
	p.tap.set(func(ctx context.Context, _ int, _ string, work func() error) error {
		if calls++; calls != at {
			return work()
		}
		hit = true
		switch m {
		case failsBefore:
			return errFault
		case failsAfter:
			return errors.Join(errFault, work())
		case hangs:
			cancel()
			if ctx.Done() == nil || ctx.Err() != nil { // a port without a context cannot hang for the caller
				return context.Canceled
			}
			_, bounded := ctx.Deadline()
			require.True(p.t, bounded, "%s: it is waited for for ever", p.where)
			return context.DeadlineExceeded
		}
		err := work()
		cancel()
		return err
	})
	return &hit
}

// keepsSecrets looks for what was mailed or typed in the log.
func (p *plot) keepsSecrets() {
	p.collect()
	logs := p.logs.String()
	for _, l := range p.mailed {
		if !l.Secret.IsZero() {
			require.NotContains(p.t, logs, p.secretIn(l).Reveal(), p.where)
		}
	}
	for _, secret := range slices.Concat([]string{right, newer, ann, bea}, reveal(p.tokens), p.has.secrets()) {
		require.NotContains(p.t, logs, secret, p.where)
	}
}
