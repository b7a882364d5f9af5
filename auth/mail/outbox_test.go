package mail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/mail"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/reset"
)

// sends is a Sender that a function answers for.
type sends func(ctx context.Context, m mail.Message) error

func (f sends) Send(ctx context.Context, m mail.Message) error { return f(ctx, m) }

// records is an audit sink that keeps what it gets.
type records struct {
	mu   sync.Mutex
	list []auth.AuditEvent
	err  error
}

func (r *records) Record(_ context.Context, e auth.AuditEvent) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, e)
	return r.err
}

// office is an outbox with all that is around it.
type office struct {
	t       *testing.T
	store   auth.LetterStore
	secrets *reset.Secrets
	clock   *authtest.Clock
	preview *mail.Preview
	audit   *records
	log     *bytes.Buffer
	outbox  *mail.Outbox
}

func newOffice(t *testing.T, change func(o *office, c *mail.OutboxConfig)) *office {
	t.Helper()
	keys, err := auth.NewKeys(auth.Key{ID: "k1", Bytes: [32]byte{1}})
	require.NoError(t, err)
	secrets, err := reset.New(reset.Config{Keys: keys})
	require.NoError(t, err)
	o := &office{
		t: t, store: memory.New(), secrets: secrets, clock: authtest.NewClock(noon), preview: &mail.Preview{Keep: 1000},
		audit: &records{}, log: &bytes.Buffer{},
	}
	cfg := mail.OutboxConfig{
		Store: o.store, Secrets: secrets, Renderer: newRenderer(t, nil), Sender: o.preview, Audit: o.audit,
		Logger: slog.New(slog.NewTextHandler(&locked{w: o.log}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:    o.clock.Now, Jitter: func() float64 { return 0 },
	}
	if change != nil {
		change(o, &cfg)
	}
	o.store = cfg.Store
	o.outbox, err = mail.NewOutbox(cfg)
	require.NoError(t, err)
	return o
}

// locked is a writer for many.
type locked struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// add queues a letter of the kind and returns it.
func (o *office) add(id string, kind auth.LetterKind) auth.Letter {
	o.t.Helper()
	l, _ := letterOf(kind, "en")
	l.ID = id
	if l.Secret.Ticket != "" {
		ticket, err := o.secrets.NewTicket(l.Secret.Purpose, l.Account, noon)
		require.NoError(o.t, err)
		l.Secret.Ticket, l.Key = ticket.ID, ticket.Key
	}
	require.NoError(o.t, o.store.AddLetters(o.t.Context(), l))
	return l
}

func (o *office) flush() {
	o.t.Helper()
	require.NoError(o.t, o.outbox.Flush(o.t.Context()))
}

// left returns how many letters are in the queue, those that expired not counted.
func (o *office) left() int {
	o.t.Helper()
	all, err := o.store.ClaimLetters(o.t.Context(), o.clock.Now().Add(100*time.Hour), o.clock.Now(), 10000)
	require.NoError(o.t, err)
	return len(all)
}

// failures are the letters that were given up, "id reason".
func (o *office) failures() []string {
	o.audit.mu.Lock()
	defer o.audit.mu.Unlock()
	var all []string
	for _, e := range o.audit.list {
		require.Equal(o.t, "letter-failed", e.What)
		all = append(all, e.Letter+" "+e.Reason)
	}
	return all
}

// quiet demands that nothing private was logged.
func (o *office) quiet() {
	o.t.Helper()
	for _, m := range o.preview.Messages() {
		require.NotContains(o.t, o.log.String(), m.Text.Reveal())
	}
	require.NotRegexp(o.t, `(?i)ada|example\.org|lovelace|t=|link/`, strings.ReplaceAll(o.log.String(), "letter could", ""))
}

func TestALetterIsSent(t *testing.T) {
	o := newOffice(t, nil)
	l := o.add("l1", auth.ResetLetter)
	o.flush()
	sent := o.preview.Messages()
	require.Len(t, sent, 1)
	token, ok := o.secrets.Reveal(l.Secret, l.Key)
	require.True(t, ok)
	require.Contains(t, sent[0].Text.Reveal(), mail.Link("https://app.example", "/auth", auth.ForReset, token))
	require.Zero(t, o.left())
	require.Contains(t, o.log.String(), `level=INFO msg="letter sent" letter_id=l1 kind=reset account_id=account-1 attempts=1`)
	require.NotContains(t, o.log.String(), token.Reveal())
	o.flush()
	require.Len(t, o.preview.Messages(), 1)
	o.quiet()
}

func TestBlanksAreNotSent(t *testing.T) {
	o := newOffice(t, nil)
	require.NoError(t, o.store.AddLetters(t.Context(), auth.Letter{ID: "b1", Kind: auth.BlankLetter, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}))
	late := auth.Letter{ID: "b2", Kind: auth.BlankLetter, CreatedAt: noon.Add(-time.Hour), ExpiresAt: noon.Add(-10 * time.Minute)}
	require.NoError(t, o.store.AddLetters(t.Context(), late))
	o.flush()
	require.Empty(t, o.preview.Messages())
	require.Zero(t, o.left())
	require.Empty(t, o.failures())
	require.Empty(t, o.log.String())
}

func TestEveryKindIsSent(t *testing.T) {
	o := newOffice(t, nil)
	for _, kind := range everyKind {
		o.add(string(kind), kind)
	}
	o.flush()
	require.Len(t, o.preview.Messages(), len(everyKind))
	require.Empty(t, o.failures())
	o.quiet()
}

// TestRetries moves the clock to each attempt, and finds that none comes before its time.
func TestRetries(t *testing.T) {
	tries := 0
	o := newOffice(t, func(_ *office, c *mail.OutboxConfig) {
		c.Attempts = 14
		c.Sender = sends(func(context.Context, mail.Message) error { tries++; return &mail.SMTPError{Step: "connect"} })
	})
	o.add("l1", auth.PasswordNotice)
	o.flush()
	want := 5 * time.Second
	for attempt := 2; attempt <= 14; attempt++ {
		o.clock.Advance(want - time.Millisecond)
		o.flush()
		require.Equal(t, attempt-1, tries, "too early")
		o.clock.Advance(time.Millisecond)
		o.flush()
		require.Equal(t, attempt, tries)
		want = min(2*want, time.Hour)
	}
	require.Equal(t, []string{"l1 attempts"}, o.failures())
	require.Zero(t, o.left())
	require.Equal(t, 13, strings.Count(o.log.String(), "level=WARN"))
	require.Contains(t, o.log.String(), `level=ERROR msg="letter failed" letter_id=l1 kind=password-changed account_id=account-1 attempts=14 reason=attempts error="mail: smtp connect"`)
	o.quiet()
}

func TestJitterOnlyShortensTheWait(t *testing.T) {
	o := newOffice(t, func(_ *office, c *mail.OutboxConfig) {
		c.Jitter, c.Retry = func() float64 { return 0.999999 }, 40*time.Second
		c.Sender = sends(func(context.Context, mail.Message) error { return errors.New("no") })
	})
	o.add("l1", auth.PasswordNotice)
	o.flush()
	got, err := o.store.ClaimLetters(t.Context(), noon.Add(30*time.Second), noon.Add(time.Hour), 1)
	require.NoError(t, err)
	require.Empty(t, got)
	got, err = o.store.ClaimLetters(t.Context(), noon.Add(31*time.Second), noon.Add(time.Hour), 1)
	require.NoError(t, err)
	require.Len(t, got, 1)
}

// TestGivenUp has a row for each reason for which a letter is given up, and says what it is.
func TestGivenUp(t *testing.T) {
	for name, row := range map[string]struct {
		change func(o *office, c *mail.OutboxConfig)
		letter func(l *auth.Letter)
		want   string
	}{
		"refused": {func(_ *office, c *mail.OutboxConfig) {
			c.Sender = sends(func(context.Context, mail.Message) error { return mail.Permanent(errors.New("550")) })
		}, func(*auth.Letter) {}, "l1 refused"},
		"address":    {nil, func(l *auth.Letter) { l.To = "nobody" }, "l1 address"},
		"key":        {nil, func(l *auth.Letter) { l.Key = "k0" }, "l1 key"},
		"attempts":   {func(_ *office, c *mail.OutboxConfig) { c.Attempts = 1 }, func(l *auth.Letter) { l.Kind = "from a newer version" }, "l1 attempts"},
		"no time":    {nil, func(l *auth.Letter) { l.Kind, l.ExpiresAt = "from a newer version", noon.Add(5*time.Second) }, "l1 expired"},
		"too late":   {nil, func(l *auth.Letter) { l.ExpiresAt = noon.Add(-90 * time.Second) }, "l1 expired"},
		"lost words": {func(_ *office, c *mail.OutboxConfig) { c.Attempts = 1 }, func(l *auth.Letter) { *l = auth.Letter{ID: "l1", ExpiresAt: l.ExpiresAt} }, "l1 attempts"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, row.change)
			l, _ := letterOf(auth.ResetLetter, "en")
			l.ID = "l1"
			row.letter(&l)
			require.NoError(t, o.store.AddLetters(t.Context(), l))
			o.flush()
			require.Equal(t, []string{row.want}, o.failures())
			require.Zero(t, o.left())
			event := o.audit.list[0]
			require.Equal(t, l.Account, event.Account)
			require.Equal(t, string(l.Kind), event.Method)
			require.Equal(t, 1, strings.Count(o.log.String(), "level=ERROR"))
			o.quiet()
		})
	}
}

// TestALateLetterInHandIsNotReported: one that expires while it is being sent may well have arrived.
func TestALateLetterInHandIsNotReported(t *testing.T) {
	o := newOffice(t, nil)
	o.add("l1", auth.SignInLetter)
	_, err := o.store.ClaimLetters(t.Context(), noon, noon.Add(time.Hour), 1)
	require.NoError(t, err)
	o.clock.Advance(10*time.Minute + 89*time.Second)
	o.flush()
	require.Empty(t, o.failures())
	o.clock.Advance(time.Second)
	o.flush()
	require.Equal(t, []string{"l1 expired"}, o.failures())
}

// TestSendersThatTell: an error that quotes the address or the secret is not logged as it is.
func TestSendersThatTell(t *testing.T) {
	o := newOffice(t, func(_ *office, c *mail.OutboxConfig) {
		c.Sender = sends(func(_ context.Context, m mail.Message) error {
			return fmt.Errorf("could not tell ADA@example.org: %s", m.Text.Reveal())
		})
	})
	o.add("l1", auth.ResetLetter)
	o.add("l2", auth.SignInLetter)
	o.flush()
	require.Equal(t, 2, strings.Count(o.log.String(), "so it is not shown"))
	o.quiet()
}

func TestPanicsCostAnAttempt(t *testing.T) {
	calls := 0
	o := newOffice(t, func(o *office, c *mail.OutboxConfig) {
		c.Concurrency = 1
		c.Sender = sends(func(ctx context.Context, m mail.Message) error {
			if calls++; calls == 1 {
				panic("a secret: " + m.Text.Reveal())
			}
			return o.preview.Send(ctx, m)
		})
	})
	o.add("l1", auth.ResetLetter)
	o.add("l2", auth.ResetLetter)
	o.flush()
	require.Len(t, o.preview.Messages(), 1)
	require.Contains(t, o.log.String(), `error="mail: panic of type string"`)
	o.clock.Advance(5 * time.Second)
	o.flush()
	require.Len(t, o.preview.Messages(), 2)
	o.quiet()
}

// cracked is a queue of which some calls fail.
type cracked struct {
	auth.LetterStore
	claim, postpone, remove, sweep error
}

func (c *cracked) ClaimLetters(ctx context.Context, now, until time.Time, limit int) ([]auth.QueuedLetter, error) {
	if c.claim != nil {
		return nil, c.claim
	}
	return c.LetterStore.ClaimLetters(ctx, now, until, limit)
}

func (c *cracked) PostponeLetter(ctx context.Context, id string, attempts int, due time.Time) error {
	if c.postpone != nil {
		return c.postpone
	}
	return c.LetterStore.PostponeLetter(ctx, id, attempts, due)
}

func (c *cracked) RemoveLetter(ctx context.Context, id string) error {
	if c.remove != nil {
		return c.remove
	}
	return c.LetterStore.RemoveLetter(ctx, id)
}

func (c *cracked) SweepLetters(ctx context.Context, now time.Time, limit int) ([]auth.Letter, error) {
	if c.sweep != nil {
		return nil, c.sweep
	}
	return c.LetterStore.SweepLetters(ctx, now, limit)
}

func TestAFailingQueue(t *testing.T) {
	broken := errors.New("no database")
	queue := &cracked{LetterStore: memory.New()}
	refuse := true
	o := newOffice(t, func(o *office, c *mail.OutboxConfig) {
		c.Store = queue
		c.Sender = sends(func(ctx context.Context, m mail.Message) error {
			if refuse {
				return errors.New("no")
			}
			return o.preview.Send(ctx, m)
		})
	})
	o.audit.err = broken
	o.add("l1", auth.ResetLetter)
	queue.claim = broken
	require.ErrorIs(t, o.outbox.Flush(t.Context()), broken)

	// What cannot be postponed is due again when its claim has run out, and what cannot be removed is sent
	// again, as the same message.
	queue.claim, queue.postpone = nil, broken
	o.flush()
	queue.remove, refuse = broken, false
	o.clock.Advance(89 * time.Second)
	o.flush()
	require.Empty(t, o.preview.Messages())
	o.clock.Advance(time.Second)
	o.flush()
	first := o.preview.Messages()
	require.Len(t, first, 1)
	o.clock.Advance(90 * time.Second)
	queue.remove = nil
	o.flush()
	require.Equal(t, first, o.preview.Messages())
	require.Zero(t, o.left())

	queue.sweep = broken
	require.ErrorIs(t, o.outbox.Flush(t.Context()), broken)
	for _, line := range []string{"letter could not be postponed", "letter could not be removed"} {
		require.Contains(t, o.log.String(), line)
	}
}

// TestConcurrencyIsBounded: of many letters, so many at once as there may be and no more.
func TestConcurrencyIsBounded(t *testing.T) {
	var mu sync.Mutex
	now, most := 0, 0
	gate := make(chan struct{})
	o := newOffice(t, func(o *office, c *mail.OutboxConfig) {
		c.Concurrency = 3
		c.Sender = sends(func(ctx context.Context, m mail.Message) error {
			mu.Lock()
			now++
			most = max(most, now)
			if now == 3 {
				close(gate)
			}
			mu.Unlock()
			<-gate // passes once three are here
			mu.Lock()
			defer mu.Unlock()
			now--
			if now == 0 {
				gate = make(chan struct{})
			}
			return o.preview.Send(ctx, m)
		})
	})
	for i := range 9 {
		o.add(fmt.Sprint("l", i), auth.PasswordNotice)
	}
	o.flush()
	require.Equal(t, 3, most)
	require.Len(t, o.preview.Messages(), 9)
}

// TestRun: a letter leaves at once when somebody tells, and soon when nobody does; when the context ends,
// what is in hand is sent.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		sending, done := make(chan struct{}), make(chan struct{})
		slow := false
		o := newOffice(t, func(o *office, c *mail.OutboxConfig) {
			c.Now = time.Now
			c.Sender = sends(func(ctx context.Context, m mail.Message) error {
				if slow {
					close(sending)
					time.Sleep(20 * time.Second)
				}
				return o.preview.Send(ctx, m)
			})
		})
		add := func(id string) {
			l, _ := letterOf(auth.PasswordNotice, "en")
			l.ID, l.CreatedAt, l.ExpiresAt = id, time.Now(), time.Now().Add(time.Hour)
			require.NoError(t, o.store.AddLetters(t.Context(), l))
		}
		var err error
		go func() {
			defer close(done)
			err = o.outbox.Run(ctx)
		}()
		synctest.Wait()
		start := time.Now()
		add("l1")
		o.outbox.Notify()
		o.outbox.Notify()
		synctest.Wait()
		require.Len(t, o.preview.Messages(), 1)
		require.Zero(t, time.Since(start))

		add("l2") // by another process
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Len(t, o.preview.Messages(), 2)

		slow = true
		add("l3")
		o.outbox.Notify()
		<-sending
		cancel()
		<-done
		require.ErrorIs(t, err, context.Canceled)
		require.Len(t, o.preview.Messages(), 3)
		require.NotContains(t, o.log.String(), "ERROR")
		require.ErrorIs(t, o.outbox.Flush(ctx), context.Canceled)
	})
}

// TestASenderThatHangs is left after its time, and the letter is tried again.
func TestASenderThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, func(_ *office, c *mail.OutboxConfig) {
			c.SendTimeout = 10 * time.Second
			c.Sender = sends(func(ctx context.Context, _ mail.Message) error { <-ctx.Done(); return ctx.Err() })
		})
		o.add("l1", auth.PasswordNotice)
		start := time.Now()
		o.flush()
		require.Equal(t, 10*time.Second, time.Since(start))
		require.Equal(t, 1, strings.Count(o.log.String(), "will be tried again"))
		require.Equal(t, 1, o.left())
	})
}

func TestOutboxConfig(t *testing.T) {
	_, err := mail.NewOutbox(mail.OutboxConfig{Concurrency: 65, Attempts: -1, Retry: -1, SendTimeout: time.Hour, Poll: 2 * time.Hour})
	for _, field := range []string{"Store", "Secrets", "Renderer", "Sender", "Concurrency", "Attempts", "Retry", "SendTimeout", "Poll"} {
		require.ErrorContains(t, err, field)
	}
}

func TestPreview(t *testing.T) {
	var p mail.Preview
	for i := range 25 {
		require.NoError(t, p.Send(t.Context(), mail.Message{ID: fmt.Sprint(i), MessageID: fmt.Sprint(i)}))
	}
	require.NoError(t, p.Send(t.Context(), mail.Message{ID: "again", MessageID: "24"}))
	got := p.Messages()
	require.Len(t, got, 20)
	require.Equal(t, "again", got[0].ID)
	require.Equal(t, "23", got[1].ID)
	require.Equal(t, "5", got[19].ID)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, p.Send(ctx, mail.Message{}))
}
