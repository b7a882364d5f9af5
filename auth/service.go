package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Service runs the login machine over the host's stores. It is safe for concurrent use. Make one with New.
type Service struct {
	cfg      Config
	log      *slog.Logger
	now      func() time.Time
	random   io.Reader
	returns  *ReturnRule
	handles  DerivedKeys // purpose "flow handle"
	decoys   DerivedKeys // purpose "decoy"
	throttle Throttle

	confirmations DerivedKeys // purpose "confirmation"
	operations    DerivedKeys // purpose "operation"
	trips         DerivedKeys // purpose "provider trip"
}

// Preview returns what a flow of the goal would offer first, to a stranger. It creates nothing, so that a
// GET can show it.
func (s *Service) Preview(ctx context.Context, goal flow.Goal) (flow.View, error) {
	if err := s.servable(goal, flow.Target{}); err != nil {
		return flow.View{}, err
	}
	entry, err := s.entry(ctx, "")
	if err != nil {
		return flow.View{}, err
	}
	p := flow.Policy{Entry: entry, Limits: s.cfg.Limits}
	now := s.now()
	f, _, err := flow.Step(p, flow.Flow{}, flow.Begin{Goal: goal}, now)
	if err != nil {
		return flow.View{}, err
	}
	view := flow.Next(p, f, now)
	return view, (&job{s: s, flow: f}).withProviders(ctx, &view)
}

// Serves reports whether a flow of the goal and the target can begin here at all, for anybody: whether what it
// takes is configured.
func (s *Service) Serves(goal flow.Goal, t flow.Target) bool { return s.servable(goal, t) == nil }

// Begin begins a flow and, if one is given, takes its first step. It returns a *DeniedError
// (TooManyAttempts, SessionRequired, NotOffered, NotFound, AssuranceShort, AddressRejected, CookieRequired,
// MixedTransport, Malformed) or a fault.
func (s *Service) Begin(ctx context.Context, r BeginRequest) (Progress, error) {
	if r.Client.Browser.IsZero() && !r.Client.Native {
		return Progress{}, flow.Deny(flow.CookieRequired)
	}
	if !r.Client.Browser.IsZero() && r.Client.Native {
		return Progress{}, flow.Deny(flow.MixedTransport)
	}
	if err := s.servable(r.Goal, r.Target); err != nil {
		return Progress{}, err
	}
	if r.Goal == flow.Linking && r.Client.Native {
		return Progress{}, flow.Deny(flow.NotOffered) // see entry
	}
	j := &job{s: s, now: s.now(), client: r.Client.own(), inputs: r.Inputs}
	if err := j.admit(ctx, r.Action); err != nil {
		return Progress{}, err
	}
	if err := j.create(); err != nil {
		return Progress{}, err
	}
	begin := flow.Begin{Goal: r.Goal, Target: r.Target, ReturnTo: s.returns.Clean(r.ReturnTo), Keep: r.Inputs.Keep}
	begin.Target.Operation = r.Operation.facts()
	if !r.Goal.ByStranger() {
		acting, err := j.acting(ctx)
		if err != nil {
			return Progress{}, err
		}
		begin.Acting = acting
		if err := j.removes(ctx, acting, r.Goal, &begin.Target); err != nil {
			return Progress{}, err
		}
	}
	if err := j.drive(ctx, begin); err != nil {
		return Progress{}, err
	}
	action := r.Action
	if action == "" && r.Inputs.Identifier != "" {
		action = "identify"
	}
	if action != "" {
		if err := j.act(ctx, action); err != nil {
			return Progress{}, err
		}
	}
	return j.finish(ctx)
}

// Continue takes one step. A handle that is one step old is, for 30 seconds, a second look at the current
// View and does nothing. A *DeniedError says that nothing was done; if the flow is still there, the Progress
// beside it shows what may be done (its FlowID is empty if not).
func (s *Service) Continue(ctx context.Context, r ContinueRequest) (Progress, error) {
	j := &job{s: s, now: s.now(), client: r.Client.own(), inputs: r.Inputs}
	repeated, err := j.open(ctx, r.Handle)
	if err != nil {
		return Progress{}, err
	}
	if repeated {
		return j.secondLook(ctx)
	}
	if err := j.resume(ctx); err != nil {
		return Progress{}, err
	}
	p, err := j.step(ctx, r.Action)
	if !errors.Is(err, flow.Deny(flow.Stale)) {
		return p, err
	}
	// Somebody took a step with the same handle at the same time, mostly the same person with a double click.
	loser := &job{s: s, now: j.now, client: j.client}
	if repeated, fault := loser.open(ctx, r.Handle); fault != nil || !repeated {
		return Progress{}, err
	}
	return loser.secondLook(ctx)
}

// Look returns where a flow stands, to the browser that began it, and changes nothing. To everyone else
// the flow does not exist. A native client has its answers, and nothing but their handles names its flow.
func (s *Service) Look(ctx context.Context, flowID string, c Client) (Progress, error) {
	if c.Browser.IsZero() {
		return Progress{}, flow.Deny(flow.CookieRequired)
	}
	j := &job{s: s, now: s.now(), client: c.own()}
	if err := j.load(ctx, flowID); err != nil {
		return Progress{}, err
	}
	return j.progress(ctx)
}

// Authenticate returns the live session of a token, or a *DeniedError (SessionRequired).
func (s *Service) Authenticate(ctx context.Context, token Secret) (Session, error) {
	if token.IsZero() {
		return Session{}, flow.Deny(flow.SessionRequired)
	}
	return s.cfg.Sessions.Authenticate(ctx, token, s.now())
}

// Fresh reports whether the session satisfies the target now.
func (s *Service) Fresh(session Session, t flow.Target) bool {
	return flow.Meets(t, session.Proofs, s.now())
}

// Account returns an account by its id, or ErrNotFound.
func (s *Service) Account(ctx context.Context, id string) (Account, error) {
	return s.cfg.Directory.FindByID(ctx, id)
}

// Sessions lists the live sessions of the acting session's account, the last seen first, the acting one marked.
func (s *Service) Sessions(ctx context.Context, acting Session) ([]Session, error) {
	list, err := s.cfg.Sessions.List(ctx, acting.Account, s.now())
	for i := range list {
		list[i].Current = list[i].ID == acting.ID
	}
	return list, err
}

// EndSession ends one session of the acting session's account; another account's is a *DeniedError (NotFound).
func (s *Service) EndSession(ctx context.Context, acting Session, id string) error {
	err := s.cfg.Sessions.End(ctx, acting.Account, id)
	if errors.Is(err, ErrNotFound) {
		return flow.Deny(flow.NotFound)
	}
	if err == nil {
		s.decidedBy(ctx, acting, AuditEvent{What: "session-ended", Account: acting.Account, Session: id})
	}
	return err
}

// EndOtherSessions ends all sessions of the account but the acting one, and the trust in all devices but the
// client's. If the acting session has ended meanwhile, it ends nothing and is a *DeniedError (SessionRequired).
func (s *Service) EndOtherSessions(ctx context.Context, acting Session, c Client) error {
	err := s.endSessions(ctx, acting.Account, acting.ID, c.own().Device)
	if errors.Is(err, ErrStale) || errors.Is(err, ErrNotFound) { // its account may have ended with it
		return flow.Deny(flow.SessionRequired)
	}
	if err == nil {
		s.decidedBy(ctx, acting, AuditEvent{What: "sessions-ended", Account: acting.Account, Session: acting.ID})
	}
	return err
}

// SignOut ends the acting session. One that has ended already is no error.
func (s *Service) SignOut(ctx context.Context, acting Session) error {
	err := s.cfg.Sessions.End(ctx, acting.Account, acting.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	s.decided(ctx, AuditEvent{What: "signed-out", Account: acting.Account, Session: acting.ID})
	return nil
}

// PasswordLengths returns the shortest and the longest password that accounts without a mandatory second
// factor may set, in code points.
func (s *Service) PasswordLengths() (shortest, longest int) { return s.cfg.Passwords.Lengths(false) }

// sweepLimit bounds one sweep, so that it never holds a store for long.
const sweepLimit = 1000

// Run sweeps what expired, every minute, until ctx is done; it returns ctx's error. The host calls it in a
// goroutine of its own. Without it everything works, but stores grow.
func (s *Service) Run(ctx context.Context) error {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.fault(ctx, "sweep", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// Sweep deletes what expired, once. Hosts that have a scheduler call it instead of Run.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.now()
	sweeps := []func(context.Context, time.Time, int) (int, error){
		s.cfg.Flows.SweepFlows, s.cfg.Counters.SweepCounters, s.cfg.Sessions.SweepSessions,
	}
	if s.cfg.TrustedDevices != nil {
		sweeps = append(sweeps, s.cfg.TrustedDevices.SweepTrusted)
	}
	if s.cfg.Activity != nil {
		sweeps = append(sweeps, s.cfg.Activity.SweepActivity)
	}
	if s.cfg.ProviderSessions != nil {
		sweeps = append(sweeps, s.cfg.ProviderSessions.SweepProviderSessions)
	}
	if s.mails() {
		sweeps = append(sweeps, s.cfg.Tickets.SweepTickets) // letters are swept by whoever sends them
	}
	var problems []error
	for _, sweep := range sweeps {
		for {
			n, err := sweep(ctx, now, sweepLimit)
			if err != nil {
				problems = append(problems, err)
			}
			if err != nil || n < sweepLimit {
				break
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("auth: sweep: %w", err)
	}
	return nil
}
