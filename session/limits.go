package session

import (
	"cmp"
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

const (
	day = 24 * time.Hour

	// seenEvery is how far "last seen" may lag: a browser that loads a page with forty pictures must not
	// cause forty writes.
	seenEvery = time.Minute
	// shortestIdle keeps the lag of "last seen" a small part of the idle limit, so that nobody who clicks
	// is signed out for not clicking.
	shortestIdle = 5 * seenEvery
	// longestAbsolute is what browsers allow a cookie (RFC 6265bis §5.5).
	longestAbsolute = 400 * day

	// recommendedAbsolute is the absolute limit that NIST SP 800-63B-4 §2.1.3 recommends at AAL1. It asks
	// for no idle limit there.
	recommendedAbsolute = 30 * day

	keepJustification = "People ask for it by ticking a box: the browser stays signed in for as long as it is used, and is signed out when it is not. " +
		"The session keeps the time at which its owner signed in, so sensitive actions still ask for a fresh proof, and it can be ended from any other session."
)

// Lifetime bounds sessions. Both limits are checked on the server; what a cookie says changes nothing.
type Lifetime struct {
	// Idle is how long a session lives without being used, from 5 minutes up to Absolute. It is exact to
	// a minute.
	Idle time.Duration `json:"idle"`
	// Absolute is how long it lives after its owner last signed in, however much it is used; at most 400
	// days. More than 30 days, which NIST SP 800-63B-4 §2.1.3 recommends, needs a Justification.
	Absolute time.Duration `json:"absolute"`
	// Justification says why Absolute exceeds what NIST recommends. It is printed in the policy report.
	Justification string `json:"justification,omitempty"`
}

// Limits are the rules that a Manager applies, as plain data for the policy report. Durations are in
// nanoseconds in JSON.
type Limits struct {
	Plain         Lifetime      `json:"plain"`           // without "keep me signed in"
	Keep          Lifetime      `json:"keep"`            // with it
	MaxPerAccount int           `json:"max_per_account"` // zero for any number
	EvictOldest   bool          `json:"evict_oldest"`    // at the limit: end the oldest, instead of refusing
	SeenEvery     time.Duration `json:"seen_every"`      // how far "last seen" may lag
	Recommended   Lifetime      `json:"recommended"`     // by NIST SP 800-63B-4 §2.1.3 at AAL1; zero for no limit
}

// limitsOf fills the defaults in. A default idle limit gives way to a shorter absolute one, and the default
// of Keep brings its justification along; a length of the host's own choosing needs one of its own.
func limitsOf(cfg Config) Limits {
	l := Limits{
		Plain: cfg.Plain, Keep: cfg.Keep, MaxPerAccount: cfg.MaxPerAccount, EvictOldest: cfg.EvictOldest,
		SeenEvery: seenEvery, Recommended: Lifetime{Absolute: recommendedAbsolute},
	}
	if l.Keep.Absolute == 0 {
		l.Keep.Justification = cmp.Or(l.Keep.Justification, keepJustification)
	}
	l.Plain.Absolute = cmp.Or(l.Plain.Absolute, 7*day)
	l.Plain.Idle = cmp.Or(l.Plain.Idle, min(12*time.Hour, l.Plain.Absolute))
	l.Keep.Absolute = cmp.Or(l.Keep.Absolute, 365*day)
	l.Keep.Idle = cmp.Or(l.Keep.Idle, min(30*day, l.Keep.Absolute))
	return l
}

func (l Limits) problems() []error {
	problems := append(l.Plain.problems("Plain"), l.Keep.problems("Keep")...)
	if l.MaxPerAccount < 0 {
		problems = append(problems, fmt.Errorf("MaxPerAccount is %d; it must not be negative", l.MaxPerAccount))
	}
	if l.EvictOldest && l.MaxPerAccount == 0 {
		problems = append(problems, fmt.Errorf("EvictOldest has no meaning without MaxPerAccount"))
	}
	return problems
}

func (l Lifetime) problems(name string) []error {
	var problems []error
	if l.Absolute < shortestIdle || l.Absolute > longestAbsolute {
		problems = append(problems, fmt.Errorf("%s.Absolute is %s; it must be between %s and %s", name, l.Absolute, shortestIdle, longestAbsolute))
	}
	if l.Idle < shortestIdle || l.Idle > l.Absolute {
		problems = append(problems, fmt.Errorf("%s.Idle is %s; it must be between %s and %s.Absolute, %s", name, l.Idle, shortestIdle, name, l.Absolute))
	}
	if l.Absolute > recommendedAbsolute && l.Justification == "" {
		problems = append(problems, fmt.Errorf("%s.Absolute is %s; more than the %s that NIST SP 800-63B-4 recommends needs a %s.Justification", name, l.Absolute, recommendedAbsolute, name))
	}
	return problems
}

func (l Limits) of(keep bool) Lifetime {
	if keep {
		return l.Keep
	}
	return l.Plain
}

// Report returns the limits in force for the policy report (ASVS 7.1.1, 7.1.2).
func (m *Manager) Report() auth.ReportSection {
	l, span := m.limits, auth.ReportDuration
	most := "any number"
	if l.MaxPerAccount > 0 {
		most = fmt.Sprintf("%d, one more is refused", l.MaxPerAccount)
		if l.EvictOldest {
			most = fmt.Sprintf("%d, one more ends the oldest", l.MaxPerAccount)
		}
	}
	nist := "NIST SP 800-63B-4 §2.1.3 recommends " + span(l.Recommended.Absolute)
	note := func(life Lifetime) string {
		if life.Absolute > l.Recommended.Absolute {
			return nist + ". " + life.Justification
		}
		return nist
	}
	return auth.ReportSection{Title: "Sessions", Rows: []auth.ReportRow{
		{Name: "ends without use", Value: span(l.Plain.Idle)},
		{Name: "ends in all", Value: span(l.Plain.Absolute), Note: note(l.Plain)},
		{Name: "kept signed in: ends without use", Value: span(l.Keep.Idle)},
		{Name: "kept signed in: ends in all", Value: span(l.Keep.Absolute), Note: note(l.Keep)},
		{Name: "sessions of one account", Value: most},
		{Name: "token", Value: "256 random bits, kept as SHA-256", Note: "ASVS 7.2.3. A native client's begins with " + auth.NativeSessionMark + ", a browser's never does"},
	}}
}
