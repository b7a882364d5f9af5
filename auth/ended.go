package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// keptOrigin is how long it is remembered which session at a provider a session of ours came of, if it is not known when
// ours ends: longer than any lives.
const keptOrigin = 400 * 24 * time.Hour

// origin names a session at a provider in a proof; empty if the provider told none. It is a hash: nobody who reads a
// session learns a name by which the provider's own could be meant. The provider's id is in it, so that none can end
// what came of another one's.
func origin(provider, issuer, session string) string {
	if session == "" {
		return ""
	}
	return LinkID(provider, LinkID(issuer, session))
}

// everything names all sessions that came of one person's at a provider. The link is that of the identity.
func everything(provider, link string) string { return LinkID("all of "+provider, link) }

// attach remembers which sessions at providers a new session came of, so that they can end it. A session whose end
// was told while this one was being made is not let live.
func (j *job) attach(ctx context.Context, e flow.IssueSession) error {
	if j.s.cfg.ProviderSessions == nil {
		return nil
	}
	var list []ProviderSession
	for _, p := range e.Proofs {
		if !p.Method.Redirects() {
			continue
		}
		ours := ProviderSession{Account: e.Account, Session: j.issued.ID, Since: p.At, ExpiresAt: j.issued.EndsAt}
		if ours.ExpiresAt.IsZero() {
			ours.ExpiresAt = j.now.Add(keptOrigin)
		}
		if !p.Inherited && j.left.Before(p.At) {
			// A code can be kept back for a while, and the session there that it came of may have ended since. So it counts
			// from when the person left for the provider: whoever leaves after that end has a session there again.
			ours.Since = j.left
		}
		ours.Key = everything(p.Connection, p.Credential)
		list = append(list, ours)
		if ours.Key = p.Origin; ours.Key != "" {
			list = append(list, ours)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return j.s.cfg.ProviderSessions.AttachSession(ctx, list, j.now)
}

// detached takes back a session that its provider could not end: it was told to end it already, or never could.
func (j *job) detached(ctx context.Context, cause error) (flow.Event, error) {
	ended := j.issued
	j.issued = nil
	ctx, stop := regardless(ctx)
	defer stop()
	if err := j.s.cfg.Sessions.End(ctx, ended.Account, ended.ID); err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("auth: end session: %w", err)
	}
	if errors.Is(cause, ErrStale) {
		return flow.SessionRefused{}, nil
	}
	return nil, fmt.Errorf("auth: attach session: %w", cause)
}

// EndedAtProvider ends the sessions that a provider says are over: those that came of one of its sessions, or all that
// came of one person's, by a logout token (OpenID Connect Back-Channel Logout 1.0). It returns a *DeniedError
// (NotFound) if there is no such provider or it tells nothing of the kind, and one with Forbidden for a token that is
// worth nothing or was used; after a fault the provider may send it again.
func (s *Service) EndedAtProvider(ctx context.Context, provider string, token Secret) error {
	verifier, ok := as[LogoutVerifier](s.provider(provider))
	if !ok || s.cfg.ProviderSessions == nil {
		return flow.Deny(flow.NotFound)
	}
	j := &job{s: s, now: s.now()}
	var told ProviderLogout
	err := j.ask(ctx, func(ctx context.Context) (err error) {
		told, err = verifier.VerifyLogout(ctx, token, j.now)
		return err
	})
	var bad *ProviderError
	if errors.As(err, &bad) {
		if j.worthTelling(ctx, "logout-refused|"+provider) {
			s.decided(ctx, AuditEvent{What: "provider-logout-refused", Reason: flow.Forbidden.String(), Detail: provider + ": " + cleanAgent(bad.Code)})
		}
		return flow.Deny(flow.Forbidden)
	}
	if err != nil {
		return fmt.Errorf("auth: verify logout token: %w", err)
	}
	once := []Bucket{{Key: "logout|" + LinkID(told.Issuer, told.ID), Cap: 1, Forget: keptLogout}}
	taken, err := s.cfg.Counters.Take(ctx, once, j.now)
	if err != nil { // it may have been counted all the same
		return errors.Join(fmt.Errorf("auth: count logout token: %w", err), s.giveBack(ctx, once, j.now))
	}
	if !taken.OK {
		s.decided(ctx, AuditEvent{What: "provider-logout-refused", Reason: flow.Forbidden.String(), Detail: provider + ": used"})
		return flow.Deny(flow.Forbidden)
	}
	if err := s.endCameOf(ctx, provider, told, j.now); err != nil {
		return errors.Join(err, s.giveBack(ctx, once, j.now))
	}
	return nil
}

// giveBack lets a logout token serve once more that did not do its work: the provider's next try must count, or a session
// lives on that it believes to be over. Whether the provider still waits for the answer is of no account.
func (s *Service) giveBack(ctx context.Context, once []Bucket, now time.Time) error {
	ctx, stop := regardless(ctx)
	defer stop()
	return s.cfg.Counters.Refund(ctx, once, now)
}

// keptLogout is how long a logout token is remembered: longer than it is taken for valid.
const keptLogout = time.Hour

// endCameOf ends the sessions. They are forgotten only when they have ended: what is cut short in between is done again
// with the provider's next try.
func (s *Service) endCameOf(ctx context.Context, provider string, told ProviderLogout, now time.Time) error {
	key := everything(provider, LinkID(told.Issuer, told.Subject))
	if told.Session != "" {
		key = origin(provider, told.Issuer, told.Session)
	}
	list, err := s.cfg.ProviderSessions.SessionsOf(ctx, key, now)
	if err != nil {
		return fmt.Errorf("auth: find sessions of provider: %w", err)
	}
	if err := s.endAll(ctx, provider, list); err != nil {
		return err
	}
	// What was attached in the meantime, and from here on nothing more is.
	list, err = s.cfg.ProviderSessions.EndSessions(ctx, key, now, now.Add(s.cfg.Limits.Total))
	if err != nil {
		return fmt.Errorf("auth: end sessions of provider: %w", err)
	}
	return s.endAll(ctx, provider, list)
}

func (s *Service) endAll(ctx context.Context, provider string, list []ProviderSession) error {
	for _, ours := range list {
		err := s.cfg.Sessions.End(ctx, ours.Account, ours.Session)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("auth: end session: %w", err)
		}
		if err == nil {
			s.decided(ctx, AuditEvent{What: "session-ended-by-provider", Account: ours.Account, Session: ours.Session, Detail: provider})
		}
	}
	return nil
}

// SignOutAt returns where a person can also sign out of the provider that their session came of, to come back to
// returnTo, which is registered with the provider, with the state unless that is empty. The address is empty if the
// session came of none that offers it. The session may have ended already. An error is a fault: the provider could not
// be asked.
func (s *Service) SignOutAt(ctx context.Context, ended Session, returnTo, state string) (string, error) {
	for _, p := range ended.Proofs {
		leader, ok := as[LogoutLeader](s.provider(p.Connection))
		if !ok || !p.Method.Redirects() {
			continue
		}
		var address string
		err := (&job{s: s}).ask(ctx, func(ctx context.Context) (err error) {
			address, err = leader.LogoutURL(ctx, returnTo, state)
			return err
		})
		if err == nil && address != "" && !reachable(address) {
			err = errors.New("the address is not https")
		}
		if err != nil {
			return "", fmt.Errorf("auth: sign out at %s: %w", p.Connection, err)
		}
		if address != "" {
			return address, nil
		}
	}
	return "", nil
}
