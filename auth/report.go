package auth

import (
	"fmt"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Report is the effective policy, to be filed as the application's own document (ASVS 6.1.1, 6.1.3, 7.1.1).
// It encodes to JSON as it stands; Markdown returns it as text.
type Report struct {
	Profile  Profile         `json:"profile"`
	Paths    []ReportPath    `json:"paths"`
	Sections []ReportSection `json:"sections"`
}

// ReportPath is one way that can end in a session, with the assurance it yields.
type ReportPath struct {
	Goal      string `json:"goal"`
	Proofs    string `json:"proofs"`
	Assurance string `json:"assurance"`
}

// ReportSection is a group of settings.
type ReportSection struct {
	Title string      `json:"title"`
	Rows  []ReportRow `json:"rows"`
}

// ReportRow is one setting: what it is, its value and, where there is one, the value that a standard asks for
// or the reason for deviating from it.
type ReportRow struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Note  string `json:"note,omitempty"`
}

// Reporter is implemented by features that have settings to report. It is optional.
type Reporter interface {
	// Report returns the feature's section.
	Report() ReportSection
}

// Report returns the effective policy.
func (s *Service) Report() Report {
	r := Report{Profile: s.cfg.Profile, Paths: s.paths()}
	r.Sections = append(r.Sections, s.flowSection(), s.throttleSection(), s.verificationSection(), s.activitySection())
	if s.cfg.HostFactor != nil {
		r.Sections = append(r.Sections, hostFactorSection())
	}
	for _, feature := range []any{
		s.cfg.Passwords, s.cfg.Sessions, s.cfg.Devices, s.cfg.TrustedDevices, s.cfg.Secrets, s.cfg.Apps, s.cfg.Codes, s.cfg.Passkeys, s.cfg.HostFactor,
	} {
		if reporter, ok := feature.(Reporter); ok {
			r.Sections = append(r.Sections, reporter.Report())
		}
	}
	for _, p := range s.cfg.Providers {
		r.Sections = append(r.Sections, s.providerSection(p))
		if reporter, ok := as[Reporter](p); ok {
			r.Sections = append(r.Sections, reporter.Report())
		}
	}
	return r
}

func (s *Service) flowSection() ReportSection {
	l := s.cfg.Limits
	return ReportSection{"Flows", []ReportRow{
		{"ends after its last step", ReportDuration(l.Idle), ""},
		{"ends in all", ReportDuration(l.Total), ""},
		{"refused proofs", fmt.Sprint(l.Failures), ""},
		{"freshness for changes of credentials", ReportDuration(l.Fresh), "ASVS 7.5.1"},
		{"a confirmed operation may be done once within", ReportDuration(l.Confirmation), "ASVS 7.5.3"},
		{"a mailed code, a ceremony or a stay at a provider ends after", ReportDuration(l.Challenge), ""},
		{"tries of one mailed code", fmt.Sprint(l.Tries), "ASVS 6.6.3"},
		{"between two mails", ReportDuration(l.Resend), ""},
	}}
}

func (s *Service) throttleSection() ReportSection {
	t := s.throttle
	return ReportSection{"Throttling", []ReportRow{
		{"failures of one authenticator in a row before waiting", fmt.Sprint(t.Free), "ASVS 6.3.1"},
		{"wait", fmt.Sprintf("%s, doubling to %s", ReportDuration(t.FirstDelay), ReportDuration(t.MaxDelay)), "NIST SP 800-63B-4 §3.2.2"},
		{"failures in a row that stop it, unknown devices", fmt.Sprint(t.Cap), "at most 100"},
		{"failures in a row that stop it, known devices", fmt.Sprint(t.Cap), "a lane of their own, so that strangers cannot lock the owner out"},
		{"failures of all authenticators, unknown devices", fmt.Sprintf("%d, one forgotten each %s", t.AccountCap, ReportDuration(t.AccountLeak)), ""},
		{"failures of one address prefix", fmt.Sprintf("%d, one forgotten each %s", t.PrefixCap, ReportDuration(t.PrefixLeak)), "an IPv4 address or an IPv6 /64"},
		{"letters with a code or a link to one account", fmt.Sprintf("%d, one forgotten each %s", t.MailCap, ReportDuration(t.MailLeak)), "known devices have as many of their own"},
		{"new passwords of one account that are judged", fmt.Sprintf("%d, one forgotten each %s", t.ReviewCap, ReportDuration(t.ReviewLeak)), ""},
		{"flows begun by one address prefix", fmt.Sprintf("%d, one forgotten each %s", t.BeginCap, ReportDuration(t.BeginLeak)), ""},
	}}
}

func (s *Service) verificationSection() ReportSection {
	risk := "nobody is asked"
	if s.cfg.Risk != nil {
		risk = "the host's function, after a first proof"
	}
	verification := ReportRow{"login verification by mailed code", flow.VerifyNever.String(), "no mail is configured"}
	if s.mails() {
		verification.Value, verification.Note = "as the account's rules say, or the risk asks", "ASVS 6.6.3"
	}
	recovery, approver := "not offered", "nobody"
	if s.mails() {
		recovery = "by a mailed link; a second factor is asked for first; never ends in a session"
	}
	if s.cfg.RecoveryApprover != nil {
		approver = "the host's function, after a mailed link and " + ReportDuration(s.cfg.RecoveryDelay) + " in which the owner can object"
	}
	return ReportSection{"Sign-in", []ReportRow{
		verification,
		{"risk", risk, ""},
		{"recovery and activation", recovery, "ASVS 6.4.3"},
		{"who can let a person recover without the second factor", approver, "ASVS 6.4.4"},
	}}
}

// Markdown returns the report as text.
func (r Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Authentication policy\n\nProfile %s.\n\n## Ways to a session\n\n| goal | proofs | assurance |\n|---|---|---|\n", r.Profile)
	for _, p := range r.Paths {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(p.Goal), cell(p.Proofs), cell(p.Assurance))
	}
	for _, section := range r.Sections {
		fmt.Fprintf(&b, "\n## %s\n\n| setting | value | note |\n|---|---|---|\n", line(section.Title))
		for _, row := range section.Rows {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(row.Name), cell(row.Value), cell(row.Note))
		}
	}
	return b.String()
}

// cell keeps a value from breaking out of its table. A backslash is escaped too: one at the end of a value
// would take the bar after it along.
func cell(s string) string { return strings.NewReplacer(`\`, `\\`, "|", `\|`).Replace(line(s)) }

// line keeps a value from beginning a line of its own.
func line(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }

// ReportDuration prints a duration as reports do, in the largest unit that divides it: "30 days".
func ReportDuration(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if d >= unit.size && d%unit.size == 0 {
			n := int64(d / unit.size)
			if n == 1 {
				return "1 " + unit.name
			}
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return d.String()
}
