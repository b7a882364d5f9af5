package mail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"strings"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// OutboxConfig is what an Outbox is made from. Store, Secrets, Renderer and Sender are required.
type OutboxConfig struct {
	Store    auth.LetterStore
	Secrets  auth.MailSecrets
	Renderer *Renderer
	Sender   Sender
	// Audit receives an event "letter-failed" for each letter that nobody got, with its id, its kind as Method,
	// the account and the reason. Nil means that the log alone tells.
	Audit auth.AuditSink
	// Logger receives what was sent (Info), what will be tried again (Warn) and what was given up (Error). Nil
	// discards.
	Logger *slog.Logger

	// Concurrency is how many letters are sent at once, at most 64. Zero means 4.
	Concurrency int
	// Attempts is how often a letter is tried before it is given up, if it does not expire first; at most 1000.
	// Zero means 30, which takes about a day.
	Attempts int
	// Retry is the wait after the first failure, at most an hour; it doubles with each further one, up to an
	// hour, and a quarter of it is random, so that what failed together does not come back together. Zero means
	// 5 seconds.
	Retry time.Duration
	// SendTimeout is how long one letter may take, at most 10 minutes. Zero means a minute.
	SendTimeout time.Duration
	// Poll is how often the queue is looked at for letters that other processes queued or that are due again, at
	// most an hour. Zero means 5 seconds. Letters of this process leave at once, by Notify.
	Poll time.Duration

	// Now is the clock; nil means time.Now. It may be called concurrently.
	Now func() time.Time
	// Jitter returns a number from 0 up to, but not including, 1. Nil means that it is drawn from the letter's
	// id and the attempt. It may be called concurrently.
	Jitter func() float64
}

// Outbox sends the letters of a queue. Several, in one process or in many, may share a queue. It is safe for
// concurrent use. Make one with NewOutbox.
type Outbox struct {
	cfg    OutboxConfig
	log    *slog.Logger
	now    func() time.Time
	wake   chan struct{}
	passes sync.Mutex // one pass at a time, so that Concurrency holds
}

// Keys of the log records. They are stable.
const (
	logLetter   = "letter_id"
	logKind     = "kind"
	logAccount  = "account_id"
	logAttempts = "attempts"
	logReason   = "reason"
	logError    = "error"
)

// Reasons for which a letter is given up. They are stable.
const (
	ReasonExpired  = "expired"  // its time ran out
	ReasonAttempts = "attempts" // it failed too often
	ReasonRefused  = "refused"  // the sender will never take it
	ReasonAddress  = "address"  // it cannot be written to anybody
	ReasonKey      = "key"      // the key that its secret is made with is gone
)

// NewOutbox returns an Outbox, or an error that names every problem of the configuration.
func NewOutbox(cfg OutboxConfig) (*Outbox, error) {
	var problems []error
	for _, field := range []struct {
		name    string
		missing bool
	}{
		{"Store", cfg.Store == nil}, {"Secrets", cfg.Secrets == nil}, {"Renderer", cfg.Renderer == nil}, {"Sender", cfg.Sender == nil},
	} {
		if field.missing {
			problems = append(problems, fmt.Errorf("%s is required", field.name))
		}
	}
	if cfg.Concurrency < 0 || cfg.Concurrency > 64 {
		problems = append(problems, fmt.Errorf("Concurrency is %d; it must be at most 64", cfg.Concurrency))
	}
	if cfg.Attempts < 0 || cfg.Attempts > 1000 {
		problems = append(problems, fmt.Errorf("Attempts is %d; it must be at most 1000", cfg.Attempts))
	}
	for _, field := range []struct {
		name        string
		value, most time.Duration
	}{{"Retry", cfg.Retry, time.Hour}, {"SendTimeout", cfg.SendTimeout, 10 * time.Minute}, {"Poll", cfg.Poll, time.Hour}} {
		if field.value < 0 || field.value > field.most {
			problems = append(problems, fmt.Errorf("%s is %s; it must be positive and at most %s", field.name, field.value, field.most))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("mail: invalid OutboxConfig:\n%w", err)
	}
	cfg.Concurrency, cfg.Attempts = cmp.Or(cfg.Concurrency, 4), cmp.Or(cfg.Attempts, 30)
	cfg.Retry, cfg.Poll = cmp.Or(cfg.Retry, 5*time.Second), cmp.Or(cfg.Poll, 5*time.Second)
	cfg.SendTimeout = cmp.Or(cfg.SendTimeout, time.Minute)
	o := &Outbox{cfg: cfg, log: cfg.Logger, now: cfg.Now, wake: make(chan struct{}, 1)}
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	if o.now == nil {
		o.now = time.Now
	}
	return o, nil
}

// Notify makes a running Outbox look at the queue now. It is called after letters were queued, and returns at
// once.
func (o *Outbox) Notify() {
	select {
	case o.wake <- struct{}{}:
	default: // somebody woke it already
	}
}

// Run sends letters until ctx is done, and returns ctx's error once those in its hands are sent or failed,
// which takes at most OutboxConfig.SendTimeout. The host calls it in a goroutine of its own.
func (o *Outbox) Run(ctx context.Context) error {
	poll := time.NewTicker(o.cfg.Poll)
	defer poll.Stop()
	for {
		if err := o.Flush(ctx); err != nil && ctx.Err() == nil {
			o.log.LogAttrs(ctx, slog.LevelError, "the queue of letters cannot be read", slog.Any(logError, err))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-o.wake:
		case <-poll.C:
		}
	}
}

// grace is how long a letter stays hidden after its attempt must have ended, and how late expired ones are
// swept: nobody has them in hand any more then.
const grace = 30 * time.Second

// Flush sends the letters that are due now, and none of them twice, and reports those that expired. It returns
// an error if the queue fails, not if letters do.
func (o *Outbox) Flush(ctx context.Context) error {
	o.passes.Lock()
	defer o.passes.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := o.now()
		claimed, err := o.cfg.Store.ClaimLetters(ctx, now, now.Add(o.cfg.SendTimeout+grace), o.cfg.Concurrency)
		if err != nil {
			return fmt.Errorf("mail: claim letters: %w", err)
		}
		var all sync.WaitGroup
		for _, l := range claimed {
			all.Go(func() { o.handle(ctx, l) })
		}
		all.Wait()
		if len(claimed) < o.cfg.Concurrency {
			return o.sweep(ctx)
		}
	}
}

// sweep reports letters that nobody got in time.
func (o *Outbox) sweep(ctx context.Context) error {
	const batch = 100
	for {
		late, err := o.cfg.Store.SweepLetters(ctx, o.now().Add(-o.cfg.SendTimeout-grace), batch)
		if err != nil {
			return fmt.Errorf("mail: sweep letters: %w", err)
		}
		for _, l := range late {
			if l.Kind != auth.BlankLetter {
				o.gaveUp(ctx, auth.QueuedLetter{Letter: l}, ReasonExpired, nil)
			}
		}
		if len(late) < batch {
			return nil
		}
	}
}

// handle makes one attempt, and puts the letter where it belongs then. It goes on when ctx ends: a message
// that is half sent is sent.
func (o *Outbox) handle(ctx context.Context, l auth.QueuedLetter) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.cfg.SendTimeout)
	defer cancel()
	reason, err := o.attempt(ctx, l)
	if err == nil {
		if l.Kind != auth.BlankLetter {
			o.log.LogAttrs(ctx, slog.LevelInfo, "letter sent", attrs(l)...)
		}
		o.remove(ctx, l)
		return
	}
	due := o.now().Add(o.wait(l))
	switch {
	case reason != "":
	case l.Attempts >= o.cfg.Attempts:
		reason = ReasonAttempts
	case !due.Before(l.ExpiresAt):
		reason = ReasonExpired
	}
	if reason != "" {
		o.gaveUp(ctx, l, reason, err)
		o.remove(ctx, l)
		return
	}
	o.log.LogAttrs(ctx, slog.LevelWarn, "letter will be tried again", append(attrs(l), slog.Any(logError, err))...)
	settling, stop := settle(ctx)
	defer stop()
	if err := o.cfg.Store.PostponeLetter(settling, l.ID, l.Attempts, due); err != nil && !errors.Is(err, auth.ErrStale) {
		// It is due again when the claim runs out.
		o.log.LogAttrs(ctx, slog.LevelError, "letter could not be postponed", append(attrs(l), slog.Any(logError, err))...)
	}
}

// attempt writes and sends a letter. A reason says that trying again is no use. A panic of a template, or of a
// host's sender, costs an attempt and not the program.
func (o *Outbox) attempt(ctx context.Context, l auth.QueuedLetter) (reason string, err error) {
	if l.Kind == auth.BlankLetter {
		return "", nil
	}
	var secret auth.Secret
	defer func() {
		if p := recover(); p != nil {
			reason, err = "", fmt.Errorf("mail: panic of type %T", p) // its text may hold anything
		}
		err = discreet(err, l.Letter, secret)
	}()
	if !l.Secret.IsZero() {
		var ok bool
		if secret, ok = o.cfg.Secrets.Reveal(l.Secret, l.Key); !ok {
			return ReasonKey, fmt.Errorf("mail: the key %q is gone", l.Key)
		}
	}
	m, err := o.cfg.Renderer.Render(l.Letter, secret)
	if IsPermanent(err) {
		return ReasonAddress, err
	}
	if err != nil {
		return "", err // a layout can be mended
	}
	err = o.cfg.Sender.Send(ctx, m)
	if IsPermanent(err) {
		return ReasonRefused, err
	}
	return "", err
}

// discreet replaces an error that names the address or the secret. Senders promise not to make such; this is
// for those that break it.
func discreet(err error, l auth.Letter, secret auth.Secret) error {
	if err == nil {
		return nil
	}
	text := strings.ToLower(err.Error())
	local, _, _ := strings.Cut(l.To, "@")
	for _, private := range append(groups(secret.Reveal()), l.To, local+"@", secret.Reveal()) {
		if len(private) > 2 && strings.Contains(text, strings.ToLower(private)) {
			return errors.New("mail: an error that names the address or the secret, so it is not shown")
		}
	}
	return err
}

// longestWait is the longest between two attempts.
const longestWait = time.Hour

// wait is how long a letter waits after a failed attempt.
func (o *Outbox) wait(l auth.QueuedLetter) time.Duration {
	doublings := min(max(l.Attempts-1, 0), bits.Len64(uint64(longestWait/o.cfg.Retry))) // none overflows
	wait := min(o.cfg.Retry<<doublings, longestWait)
	jitter := spread(l)
	if o.cfg.Jitter != nil {
		jitter = o.cfg.Jitter()
	}
	return wait - time.Duration(float64(wait)*jitter/4)
}

// spread returns a number from 0 to 1 that differs from letter to letter and from attempt to attempt. Nothing
// depends on it being hard to guess.
func spread(l auth.QueuedLetter) float64 {
	hash := uint32(2166136261) // FNV-1a
	for _, b := range []byte(l.ID + "/" + string(rune(l.Attempts))) {
		hash = (hash ^ uint32(b)) * 16777619
	}
	return float64(hash) / (1 << 32)
}

// settle returns a context in which what became of a letter can be noted, though its own time may be up.
func settle(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), grace/2)
}

// remove takes a letter out of the queue. If that fails, it is sent once more, with the same Message-ID.
func (o *Outbox) remove(ctx context.Context, l auth.QueuedLetter) {
	ctx, stop := settle(ctx)
	defer stop()
	if err := o.cfg.Store.RemoveLetter(ctx, l.ID); err != nil {
		o.log.LogAttrs(ctx, slog.LevelError, "letter could not be removed", append(attrs(l), slog.Any(logError, err))...)
	}
}

// gaveUp makes a failure visible.
func (o *Outbox) gaveUp(ctx context.Context, l auth.QueuedLetter, reason string, err error) {
	record := append(attrs(l), slog.String(logReason, reason))
	if err != nil {
		record = append(record, slog.Any(logError, err))
	}
	o.log.LogAttrs(ctx, slog.LevelError, "letter failed", record...)
	if o.cfg.Audit == nil {
		return
	}
	ctx, stop := settle(ctx)
	defer stop()
	err = o.cfg.Audit.Record(ctx, auth.AuditEvent{
		Time: o.now().UTC(), What: "letter-failed", Account: l.Account, Letter: l.ID, Method: string(l.Kind), Reason: reason,
	})
	if err != nil {
		o.log.LogAttrs(ctx, slog.LevelError, "letter failure could not be recorded", append(attrs(l), slog.Any(logError, err))...)
	}
}

func attrs(l auth.QueuedLetter) []slog.Attr {
	return []slog.Attr{
		slog.String(logLetter, l.ID), slog.String(logKind, string(l.Kind)), slog.String(logAccount, l.Account),
		slog.Int(logAttempts, l.Attempts),
	}
}
