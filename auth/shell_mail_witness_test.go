package auth_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/reset"
)

// mails sets mail up, and lets strangers ask for everything that a mailbox allows.
func (l *ledger) mails(t testing.TB, c *auth.Config, store *memory.Store, tap *tap) {
	secrets, err := reset.New(reset.Config{Keys: c.Keys})
	require.NoError(t, err)
	c.Letters, c.Tickets, c.Secrets = tapLetters{store, tap}, tapTickets{store, tap}, secrets
	l.post.reveal = secrets.Reveal
	c.Entry = func(context.Context, string) (flow.Entry, error) {
		return flow.Entry{Methods: flow.MethodsOf(flow.Password), Recovery: true, SignUp: true}, nil
	}
}

type witnessLetters struct {
	auth.LetterStore
	l *ledger
}

func (w witnessLetters) AddLetters(ctx context.Context, letters ...auth.Letter) error {
	err := w.LetterStore.AddLetters(ctx, letters...)
	if r := requestIn(ctx); r != nil && err == nil {
		w.l.queued(r, letters)
	}
	return err
}

type witnessTickets struct {
	auth.TicketStore
	l *ledger
}

func (w witnessTickets) AddTicket(ctx context.Context, t auth.Ticket, letters ...auth.Letter) error {
	err := w.TicketStore.AddTicket(ctx, t, letters...)
	if r := requestIn(ctx); r != nil && err == nil {
		w.l.wrote(ctx, "ticket")
		w.l.made(r, t)
		w.l.queued(r, letters)
	}
	return err
}

func (w witnessTickets) FindTicket(ctx context.Context, id string, now time.Time) (auth.Ticket, error) {
	t, err := w.TicketStore.FindTicket(ctx, id, now)
	if r := requestIn(ctx); r != nil && r.link != nil && r.link.id == id && r.flow != nil && w.l.opens(r, r.flow.goal) {
		r.looking = true
	}
	return t, err
}

func (w witnessTickets) CompleteRecovery(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	epochs, err := w.TicketStore.CompleteRecovery(ctx, c)
	if err == nil {
		w.l.wrote(ctx, "recovery")
		w.l.recovered(requestIn(ctx), c)
	}
	return epochs, err
}

func (w witnessTickets) CompleteActivation(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	epochs, err := w.TicketStore.CompleteActivation(ctx, c)
	if err == nil {
		w.l.wrote(ctx, "activation")
		w.l.activated(requestIn(ctx), c)
	}
	return epochs, err
}

func (w witnessTickets) ChangeAddress(ctx context.Context, id string, from auth.Standing, undo auth.Ticket, letters ...auth.Letter) (flow.Epochs, error) {
	epochs, err := w.TicketStore.ChangeAddress(ctx, id, from, undo, letters...)
	if err == nil {
		w.l.wrote(ctx, "leave")
		w.l.leaving(requestIn(ctx), id, undo, letters)
	}
	return epochs, err
}

func (w witnessTickets) CompleteUndo(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	epochs, err := w.TicketStore.CompleteUndo(ctx, c)
	if err == nil {
		w.l.wrote(ctx, "undo")
		w.l.undone(requestIn(ctx), c)
	}
	return epochs, err
}
