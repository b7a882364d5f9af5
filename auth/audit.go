package auth

import (
	"context"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth/flow"
)

// AuditEvent is one decision. It holds no secret and no address; the account is named by its id.
type AuditEvent struct {
	Time      time.Time // UTC, of the service's clock
	What      string    // stable: "proof-failed", "session-granted", "account-disabled", …
	Goal      string    // of the flow; empty outside one
	FlowID    string    // empty outside a flow
	Account   string    // empty while it is unknown or a decoy
	Session   string    // the session that acted or came into being
	Method    string    // of the proof or the change
	Reason    string    // of a refusal
	Detail    string    // which check a passkey did not pass, or which provider it was and why it failed: codes, for nobody outside
	Client    string    // "browser" or "native"; empty outside a flow
	Prefix    string    // of the client's address
	UserAgent string    // at most 256 bytes, without control characters
	Letter    string    // the id of a mail, whose kind is then in Method
	Known     bool      // the browser or native client completed a sign-in to the account before
}

// Keys of the log records and of AuditEvent's fields. They are stable.
const (
	logEvent   = "event"
	logGoal    = "goal"
	logFlow    = "flow_id"
	logAccount = "account_id"
	logSession = "session_id"
	logMethod  = "method"
	logReason  = "reason"
	logDetail  = "detail"
	logClient  = "client"
	logPrefix  = "prefix"
	logAgent   = "user_agent"
)

// heard reports whether anybody takes a decision of this reason: if not, nobody need put it into words.
func (s *Service) heard(ctx context.Context, reason string) bool {
	return s.cfg.Audit != nil || s.cfg.Activity != nil || s.log.Enabled(ctx, levelOf(reason))
}

func levelOf(reason string) slog.Level {
	if reason != "" {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// afterwards is how long what must still be told may take once the request is over.
const afterwards = 10 * time.Second

// regardless returns a context that goes on when the request's ends. Whoever calls ends that one whenever they
// like, by closing their half of the connection, and still reads the answer: what was done must be on record, and
// its owner told of it, whether or not anybody waits.
func regardless(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), afterwards)
}

// decided records a decision, in the log, in the sink and for the account's owner, also when ctx is done. A sink that
// fails is logged and changes nothing.
func (s *Service) decided(ctx context.Context, e AuditEvent) {
	s.decidedOn(ctx, e, occasion{subject: e.Account})
}

// decidedOn records a decision of which more is known than the event says.
func (s *Service) decidedOn(ctx context.Context, e AuditEvent, o occasion) {
	e.Time = s.now().UTC()
	s.publish(ctx, e)
	s.note(ctx, e, o)
}

// publish puts a decision in the log and in the sink.
func (s *Service) publish(ctx context.Context, e AuditEvent) {
	if level := levelOf(e.Reason); s.log.Enabled(ctx, level) {
		s.log.LogAttrs(ctx, level, "decision", e.attrs()...)
	}
	if s.cfg.Audit == nil {
		return
	}
	ctx, stop := regardless(ctx)
	defer stop()
	if err := s.cfg.Audit.Record(ctx, e); err != nil {
		s.fault(ctx, "audit sink", err)
	}
}

func (e AuditEvent) attrs() []slog.Attr {
	attrs := append(make([]slog.Attr, 0, 10), slog.String(logEvent, e.What))
	for _, a := range [...]struct{ key, value string }{
		{logGoal, e.Goal}, {logFlow, e.FlowID}, {logAccount, e.Account}, {logSession, e.Session},
		{logMethod, e.Method}, {logReason, e.Reason}, {logDetail, e.Detail}, {logClient, e.Client}, {logPrefix, e.Prefix}, {logAgent, e.UserAgent},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.key, a.value))
		}
	}
	return attrs
}

// longestAgent is how much of a User-Agent is recorded, in bytes.
const longestAgent = 256

// cleanAgent drops what could pass for a line of its own, control a terminal or turn the writing direction:
// whoever calls chooses the text and its length.
func cleanAgent(text string) string {
	if len(text) <= longestAgent && !strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
		return text
	}
	var b strings.Builder
	for _, c := range text[:min(len(text), 4*longestAgent)] {
		if !unicode.IsGraphic(c) || c == utf8.RuneError {
			continue
		}
		if b.Len()+utf8.RuneLen(c) > longestAgent {
			break
		}
		b.WriteRune(c)
	}
	return b.String()
}

// fault logs an error that nobody outside may see.
func (s *Service) fault(ctx context.Context, where string, err error) {
	s.log.LogAttrs(ctx, slog.LevelError, "fault", slog.String("where", where), slog.Any("error", err))
}

// auditUnchecked is the event of a new password that was not held against a list of others, because they could
// not be asked (ASVS 6.2.12). With a reason it was refused, without one it passed.
const auditUnchecked = "password-check-failed"

// auditNotice turns a notice of the machine into an event; mail is sent by whoever listens.
func auditNotice(n flow.Notice) string { return "notice-" + n.String() }
