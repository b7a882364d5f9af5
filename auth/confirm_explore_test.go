package auth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// drama is a world in which confirmations are given, used, stolen and overtaken in every order. It keeps its own book
// of what may be done, and holds the answers against it.
type drama struct {
	w           *world
	owner       *browser
	other       *browser // of the same account, with a session of its own
	alpha, beta auth.Operation
	password    string
	given       []*gift
	changes     int
	done        []string
}

// gift is one confirmation that was handed out.
type gift struct {
	op      auth.Operation
	secret  auth.Secret
	session string
	changes int
	at      time.Time
	used    bool
}

var dramaDeeds = []struct {
	name string
	do   func(*drama)
}{
	{"confirm alpha", func(d *drama) { d.confirm(d.alpha) }},
	{"confirm beta", func(d *drama) { d.confirm(d.beta) }},
	{"do alpha", func(d *drama) { d.try(d.owner, d.alpha, d.last(0)) }},
	{"do beta", func(d *drama) { d.try(d.owner, d.beta, d.last(0)) }},
	{"do alpha by the one before", func(d *drama) { d.try(d.owner, d.alpha, d.last(1)) }},
	{"do alpha in another browser", func(d *drama) {
		thief := *d.owner
		thief.cookie = auth.NewSecret("the thief's own")
		d.try(&thief, d.alpha, d.last(0))
	}},
	{"do alpha in the other session", func(d *drama) {
		other := *d.other
		other.cookie = d.owner.cookie
		d.try(&other, d.alpha, d.last(0))
	}},
	{"sign in anew", func(d *drama) { d.owner.signIn(ann, d.password) }},
	{"change the password elsewhere", func(d *drama) {
		next := map[string]string{right: newer, newer: latest, latest: right}[d.password]
		_, err := d.other.change(d.password, next, false)
		require.NoError(d.w.t, err)
		d.password, d.changes = next, d.changes+1
	}},
	{"end the others", func(d *drama) {
		s, err := d.w.Authenticate(d.w.ctx, d.owner.session)
		require.NoError(d.w.t, err)
		require.NoError(d.w.t, d.w.EndOtherSessions(d.w.ctx, s, d.owner.client()))
		d.changes++
		d.other.signIn(ann, d.password)
	}},
	{"wait", func(d *drama) { d.w.clock.Advance(3 * time.Minute) }},
}

func newDrama(t *testing.T) *drama {
	w, owner := signedIn(t)
	other := w.browser()
	other.signIn(ann, right)
	return &drama{
		w: w, owner: owner, other: other, password: right, alpha: deletion(t),
		beta: operation(t, "Delete project Beta", "delete-project", "2"),
	}
}

func (d *drama) confirm(op auth.Operation) {
	p := d.owner.confirm(op, 0, d.password)
	d.given = append(d.given, &gift{op: op, secret: p.Confirmation, session: p.Session.ID, changes: d.changes, at: d.w.clock.Now()})
}

// last is the confirmation that was given last, or one before it; none if there are not so many.
func (d *drama) last(back int) *gift {
	if i := len(d.given) - 1 - back; i >= 0 {
		return d.given[i]
	}
	return &gift{}
}

// try does the operation and demands that it may be done if and only if the book says so.
func (d *drama) try(b *browser, op auth.Operation, g *gift) {
	t := d.w.t
	s, err := d.w.Authenticate(d.w.ctx, b.session)
	require.NoError(t, err)
	may := !g.secret.IsZero() && !g.used && g.op == op && g.session == s.ID && g.changes == d.changes &&
		d.w.clock.Now().Sub(g.at) < 5*time.Minute && b.cookie.Equal(d.owner.cookie)
	err = b.does(op, 0, g.secret)
	if may {
		require.NoError(t, err, strings.Join(d.done, ", "))
		g.used = true
		return
	}
	require.True(t, errors.Is(err, flow.Deny(flow.StepUpRequired)), "%v: %s", err, strings.Join(d.done, ", "))
}

// TestConfirmationsInEveryOrder plays every order of four deeds (three with -short).
func TestConfirmationsInEveryOrder(t *testing.T) {
	length, orders, uses := 4, 0, 0
	if testing.Short() || raceEnabled {
		length = 3
	}
	total := 1
	for range length {
		total *= len(dramaDeeds)
	}
	for n := range total {
		d := newDrama(t)
		for rest := n; len(d.done) < length; rest /= len(dramaDeeds) {
			deed := dramaDeeds[rest%len(dramaDeeds)]
			d.done = append(d.done, deed.name)
			deed.do(d)
		}
		orders++
		for _, g := range d.given {
			if g.used {
				uses++
			}
		}
	}
	require.NotZero(t, uses)
	t.Logf("%d orders of %d deeds; %d confirmations used", orders, length, uses)
}
