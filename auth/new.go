package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// New returns a Service, or an error that names every problem of the configuration at once.
func New(cfg Config) (*Service, error) {
	cfg = cfg.withDefaults()
	returns, err := NewReturnRule(cfg.ReturnTo, cfg.DefaultReturnTo)
	if err := errors.Join(append(cfg.problems(), err)...); err != nil {
		return nil, fmt.Errorf("auth: invalid Config:\n%w", err)
	}
	providers := make([]Provider, 0, len(cfg.Providers))
	for _, p := range cfg.Providers {
		providers = append(providers, known{p, p.Info()})
	}
	cfg.Providers = providers
	return &Service{
		cfg: cfg, log: cfg.Logger, now: cfg.Now, random: cfg.Random, returns: returns, throttle: cfg.Throttle,
		handles: cfg.Keys.Derive("flow handle"), decoys: cfg.Keys.Derive("decoy"),
		trips: cfg.Keys.Derive("provider trip"), confirmations: cfg.Keys.Derive("confirmation"), operations: cfg.Keys.Derive("operation"),
	}, nil
}

func (c Config) withDefaults() Config {
	c.Profile = cmp.Or(c.Profile, ProfileL1)
	c.DefaultReturnTo = cmp.Or(c.DefaultReturnTo, "/")
	c.RecoveryDelay = cmp.Or(c.RecoveryDelay, 24*time.Hour)
	c.Throttle = c.Throttle.withDefaults()
	c.Limits = limitsWithDefaults(c.Limits)
	c.KeepActivity = cmp.Or(c.KeepActivity, keptActivity)
	c.ProviderTimeout = cmp.Or(c.ProviderTimeout, 10*time.Second)
	if c.Normalize == nil {
		c.Normalize = NormalizeEmail
	}
	if c.Entry == nil {
		usual := flow.Entry{Methods: flow.MethodsOf(flow.Password), Recovery: !isNil(c.Letters)}
		if !isNil(c.Passkeys) {
			usual.Methods = usual.Methods.With(flow.Passkey)
		}
		if len(c.Providers) > 0 {
			usual.Methods = usual.Methods.With(flow.Social)
		}
		c.Entry = func(context.Context, string) (flow.Entry, error) { return usual, nil }
	}
	if c.Rules == nil {
		c.Rules = func(context.Context, Account) (flow.Rules, error) {
			return flow.Rules{SecondFactor: flow.IfEnrolled}, nil
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return c
}

func limitsWithDefaults(l flow.Limits) flow.Limits {
	d := flow.DefaultLimits()
	return flow.Limits{
		Idle: cmp.Or(l.Idle, d.Idle), Total: cmp.Or(l.Total, d.Total), Challenge: cmp.Or(l.Challenge, d.Challenge),
		Resend: cmp.Or(l.Resend, d.Resend), Fresh: cmp.Or(l.Fresh, d.Fresh), Confirmation: cmp.Or(l.Confirmation, d.Confirmation),
		Failures: cmp.Or(l.Failures, d.Failures), Tries: cmp.Or(l.Tries, d.Tries),
	}
}

func (c Config) problems() []error {
	var problems []error
	report := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	switch c.Profile {
	case ProfileL1:
	case ProfileL2, ProfileL3:
		report(true, "Profile %s is not available yet; use ProfileL1", c.Profile)
	default:
		report(true, "Profile is %q; it must be L1, L2 or L3", c.Profile)
	}
	report(c.Keys.IsZero(), "Keys are required; make them with NewKeys")
	for _, port := range []struct {
		name  string
		value any
	}{
		{"Directory", c.Directory}, {"Accounts", c.Accounts}, {"PasswordStore", c.PasswordStore}, {"Flows", c.Flows},
		{"Counters", c.Counters}, {"Passwords", c.Passwords}, {"Sessions", c.Sessions}, {"Devices", c.Devices},
	} {
		report(isNil(port.value), "%s is required", port.name)
	}
	report(c.TrustedDevices != nil && isNil(c.TrustedDevices), "TrustedDevices is a nil pointer; leave the field out to offer no trust")
	report(c.Activity != nil && isNil(c.Activity), "Activity is a nil pointer; leave the field out to keep none")
	report(c.KeepActivity < 0, "KeepActivity is %s; it must not be negative", c.KeepActivity)
	problems = append(problems, c.factorProblems()...)
	problems = append(problems, c.providerProblems()...)
	report(isNil(c.Letters) != isNil(c.Secrets) || isNil(c.Letters) != isNil(c.Tickets),
		"Letters, Tickets and Secrets are required together: what is mailed is made of all three")
	report(isNil(c.Letters) && c.RecoveryApprover != nil, "RecoveryApprover is set, and without Letters nobody comes to ask it")
	report(c.RecoveryDelay < time.Minute || c.RecoveryDelay > 30*24*time.Hour,
		"RecoveryDelay is %s; it must be between a minute and 30 days", c.RecoveryDelay)
	if !isNil(c.Secrets) && !c.Keys.IsZero() {
		trial := SecretRef{Purpose: ForSignIn, Flow: "trial", Account: "trial"}
		_, same := c.Secrets.Reveal(trial, c.Keys.Derive("flow handle").Current())
		report(!same, "Secrets must be made from the same Keys: they do not have the current one")
	}
	limits := flow.Policy{Entry: flow.Entry{Methods: flow.MethodsOf(flow.Password)}, Limits: c.Limits}
	problems = append(problems, limits.Validate())
	report(c.Limits.Idle > c.Limits.Total, "Limits.Idle is %s; it must not exceed Limits.Total, %s", c.Limits.Idle, c.Limits.Total)
	return append(problems, c.Throttle.problems()...)
}

func (c Config) factorProblems() []error {
	var problems []error
	report := func(wrong bool, text string) {
		if wrong {
			problems = append(problems, errors.New(text))
		}
	}
	real := !isNil(c.Apps) || !isNil(c.Passkeys) || !isNil(c.HostFactor)
	report(isNil(c.Factors) && (real || !isNil(c.Codes)), "Factors is required with Apps, Codes, Passkeys and HostFactor: it keeps what they make")
	report(!isNil(c.Codes) && !real, "Codes are set without another second factor, which they are a way around")
	report(c.Passkeys != nil && isNil(c.Passkeys), "Passkeys is a nil pointer; leave the field out to offer none")
	report(c.HostFactor != nil && isNil(c.HostFactor), "HostFactor is a nil pointer; leave the field out to offer none")
	return problems
}

func (c Config) providerProblems() []error {
	var problems []error
	report := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	seen := map[string]bool{}
	for i, p := range c.Providers {
		if isNil(p) {
			report(true, "Providers[%d] is nil", i)
			continue
		}
		info := p.Info()
		report(!validProviderID(info.ID), "Providers[%d] has the id %q; it must be 1 to 32 of a to z, 0 to 9 and the hyphen", i, info.ID)
		report(info.Name == "", "Providers[%d] has no name to show", i)
		report(seen[info.ID], "Providers[%d] has the id %q, which another one has", i, info.ID)
		seen[info.ID] = true
	}
	report(c.Links != nil && isNil(c.Links), "Links is a nil pointer; leave the field out to keep none")
	report(c.ProviderSessions != nil && isNil(c.ProviderSessions), "ProviderSessions is a nil pointer; leave the field out to keep none")
	report(c.ProviderTimeout < 0 || c.ProviderTimeout > time.Minute, "ProviderTimeout is %s; it must be at most a minute", c.ProviderTimeout)
	if len(c.Providers) > 0 {
		report(isNil(c.Links), "Links is required with Providers: it keeps whose identities they are")
		u, err := url.Parse(c.Callbacks)
		bad := err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !strings.HasSuffix(u.Path, "/") ||
			u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Host))
		report(bad, "Callbacks is %q; with Providers it must be an address that ends in a slash, by https or to a loopback host", c.Callbacks)
	}
	return problems
}

func validProviderID(id string) bool {
	return len(id) >= 1 && len(id) <= 32 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func (t Throttle) problems() []error {
	var problems []error
	report := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	for _, n := range []struct {
		name       string
		value, max int
	}{
		// NIST SP 800-63B-4 §3.2.2: no more than 100 consecutive failures.
		{"Free", t.Free, 100}, {"Cap", t.Cap, 100}, {"AccountCap", t.AccountCap, 100},
		{"PrefixCap", t.PrefixCap, 1 << 20}, {"BeginCap", t.BeginCap, 1 << 20}, {"MailCap", t.MailCap, 100}, {"ReviewCap", t.ReviewCap, 1 << 20},
	} {
		report(n.value < 1 || n.value > n.max, "Throttle.%s is %d; it must be between 1 and %d", n.name, n.value, n.max)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"FirstDelay", t.FirstDelay}, {"MaxDelay", t.MaxDelay},
		{"AccountLeak", t.AccountLeak}, {"PrefixLeak", t.PrefixLeak}, {"BeginLeak", t.BeginLeak}, {"MailLeak", t.MailLeak}, {"ReviewLeak", t.ReviewLeak},
	} {
		report(d.value <= 0, "Throttle.%s is %s; it must be positive", d.name, d.value)
	}
	report(t.MaxDelay > 0 && t.FirstDelay > t.MaxDelay,
		"Throttle.FirstDelay is %s; it must not exceed Throttle.MaxDelay, %s", t.FirstDelay, t.MaxDelay)
	return problems
}

// isNil also catches a nil pointer in an interface, the usual result of a constructor whose error was dropped.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Interface, reflect.Slice, reflect.Chan:
		return r.IsNil()
	}
	return false
}

// entry resolves what strangers are offered at a domain, and refuses to offer what nothing here can verify.
func (s *Service) entry(ctx context.Context, domain string) (flow.Entry, error) {
	entry, err := s.cfg.Entry(ctx, domain)
	if err != nil {
		return flow.Entry{}, fmt.Errorf("auth: resolve entry: %w", err)
	}
	p := flow.Policy{Entry: entry, Limits: s.cfg.Limits}
	served := flow.MethodsOf(flow.Password) | s.secondFactors()&flow.MethodsOf(flow.Passkey)
	if len(s.cfg.Providers) > 0 {
		served = served.With(flow.Social)
	}
	switch {
	case entry.Methods != 0 && entry.Methods&^served == 0 && entry.Connection == "": // the limits were seen in New
	case p.Validate() != nil:
		return flow.Entry{}, fmt.Errorf("auth: entry: %w", p.Validate())
	default:
		return flow.Entry{}, fmt.Errorf("auth: entry offers more than %s, and nothing is configured for it", served)
	}
	if (entry.Recovery || entry.SignUp) && !s.mails() {
		return flow.Entry{}, errors.New("auth: entry offers recovery or sign-up, and Config.Letters is not set")
	}
	return entry, nil
}

// inForce returns the rules with what the configuration decides: nobody is asked about a risk or offered a trust
// that there is nobody to judge or to keep.
func (s *Service) inForce(r flow.Rules) flow.Rules {
	r.Risk = s.cfg.Risk != nil
	r.NoTrust = r.NoTrust || s.cfg.TrustedDevices == nil
	r.Approver = s.cfg.RecoveryApprover != nil
	r.Unavailable |= flow.MethodsOf(flow.TOTP, flow.RecoveryCode, flow.Passkey, flow.HostFactor) &^ s.secondFactors()
	return r
}

// supported refuses rules that ask for what nothing here can do: a rule that cannot be kept must not look
// as if it were.
func (s *Service) supported(r flow.Rules) error {
	if r.Verification != flow.VerifyNever && !s.mails() {
		return errors.New("auth: rules ask for a mailed code, and Config.Letters is not set")
	}
	if r.Connection != "" || r.SecondFactor == flow.Always && s.secondFactors()&^flow.MethodsOf(flow.RecoveryCode) == 0 {
		return errors.New("auth: rules ask for a connection or a second factor, and none is configured")
	}
	return nil
}

// servable refuses goals and targets that nothing here can reach, before a flow exists: else it would end in
// a fault, or, for a handoff, in a second session that no report names.
func (s *Service) servable(g flow.Goal, t flow.Target) error {
	mailed := g == flow.SignUp || g == flow.Recovery || g == flow.Activation || g == flow.Reversal ||
		g == flow.Enrolment && t.Enrol == flow.MailCode
	switch {
	case mailed && !s.mails():
		return flow.Deny(flow.NotOffered)
	case mailed:
	case g == flow.Enrolment && t.Remove != "" && s.cfg.Factors != nil:
	case g == flow.Linking && t.Remove != "" && s.cfg.Links != nil:
	case g == flow.Linking && t.Remove == "" && len(s.cfg.Providers) > 0 && (t.Connection == "" || s.provider(t.Connection) != nil):
	case g != flow.SignIn && g != flow.StepUp && g != flow.Enrolment:
		return flow.Deny(flow.NotOffered)
	case g == flow.Enrolment && t.Enrol != flow.Password && !s.secondFactors().Has(t.Enrol):
		return flow.Deny(flow.NotOffered)
	}
	most := flow.AAL1
	if s.secondFactors() != 0 {
		most = flow.AAL2
	}
	if t.Assurance > most || t.Methods&^(s.secondFactors()|flow.MethodsOf(flow.Password)) != 0 {
		return flow.Deny(flow.AssuranceShort)
	}
	return nil
}
