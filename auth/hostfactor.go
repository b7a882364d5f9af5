package auth

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth/flow"
)

// HostFactor is a second factor of the host's own making whose codes are typed: a list of codes on paper, a token
// with a display, anything of which a program of the host's can tell whether a code is right. Set it as
// Config.HostFactor; authtest.RunHostFactor checks an implementation, and examples/codelist is one.
//
// The host says whose code a code is and where in their order it stands. Everything else is the service's: what is
// asked for when, how often somebody may guess (together with all other methods), that a code works once, what is
// stored, which sessions and flows end, who is told and what is recorded.
//
// Codes reach the host as they were typed, at most 256 bytes of them, and never empty; spaces and dashes in them are
// the host's to ignore. A code that is wrong, used, of another account or no code at all is ok == false without an
// error. An error is a fault: nothing happens, the person reads no more than that something failed, and the try
// counts as one. Its text goes to the log, so it must not hold what was typed. A panic is a fault too, and so is an
// answer that takes longer than ten seconds; ctx ends then, and what is answered later reaches nobody.
//
// Both methods may be called concurrently and must compare codes in constant time. They may be called for a code
// that in the end is not used, because somebody else was faster or the store failed.
type HostFactor interface {
	// Enrol reports whether typed shows that the person has what the host issued to the account, and describes it
	// for the store. The code counts as used then. It is false for an account to which nothing was issued.
	//
	// The service does not remember what was removed. Whatever Enrol or Check accepted once, and all that comes
	// before it in the order of the codes, MUST NOT be accepted by Enrol later; that the very code is accepted by
	// Enrol again, without a Check in between, is no harm. Otherwise a code that somebody saw when it was used
	// would work again after its factor was removed and added anew.
	Enrol(ctx context.Context, account string, typed Secret, now time.Time) (e HostEnrolment, ok bool, err error)
	// Check reports whether typed is a code of f that comes after f.Counter, and what to store once it is used. All
	// of f is as it was stored; f.Account is the account that is signing in, and a code or a Data of another
	// account MUST be wrong or an error.
	Check(ctx context.Context, f StoredFactor, typed Secret, now time.Time) (use HostUse, ok bool, err error)
}

// HostEnrolment is what the service stores of a host's factor that is added.
type HostEnrolment struct {
	// Handle names what was issued: a serial number. It is required, at most 1,400 bytes of UTF-8. An account can
	// have it once: added twice, it would have two counters, and each code would work once by each of them.
	Handle string
	// Data is what verifies its codes, sealed, hashed or public, at most 4 KiB. It may be empty, if the host keeps
	// that itself.
	Data string
	// Counter is the place of the code that was typed in the order of the codes. It must not be negative.
	Counter int64
}

// HostUse is what the service stores of a host's factor whose code is used.
type HostUse struct {
	// Counter is the place of the code that was typed. It must be greater than the factor's Counter: of all who
	// come with this code, the one who moves the counter has used it.
	Counter int64
	// Data takes the place of the factor's Data; empty leaves it. At most 4 KiB.
	Data string
}

const (
	hostPatience    = 10 * time.Second // for one answer to a person, however many factors it takes to ask about
	longestHostCode = 256              // in bytes
	longestHandle   = 1400
	longestData     = 4 << 10
)

// askable reports whether what was typed may be a code at all. The host need not bound what it works on.
func (j *job) askable() bool {
	return !j.inputs.Code.IsZero() && len(j.inputs.Code.Reveal()) <= longestHostCode
}

// checkHostFactor looks for the host's factor that the code is of. The code counts as used once the store has moved
// to it, whatever the host thinks of a second one who comes with it.
func (j *job) checkHostFactor(ctx context.Context) (flow.Event, error) {
	if j.s.cfg.HostFactor == nil {
		return nil, errors.New("auth: an account has a host's factor, and Config.HostFactor is not set")
	}
	list, err := j.factors(ctx, flow.HostFactor)
	if err != nil {
		return nil, err
	}
	f, use, ok, err := j.findHostFactor(ctx, list)
	if err != nil {
		return nil, err
	}
	if !ok {
		return wrongCode(), nil
	}
	// A counter that stays or goes back would let a code work again. It is refused as a used code is, and looks like
	// a wrong one: a fault would tell whoever guesses that this is a right code of another day.
	if use.Counter <= f.Counter {
		j.s.fault(ctx, "host factor", errors.New("a code was accepted whose counter is not after the last one's"))
		return wrongCode(), nil
	}
	if len(use.Data) > longestData {
		return nil, errors.New("auth: host factor: Data is longer than 4 KiB")
	}
	return j.used(ctx, f, use.Counter, use.Data)
}

// findHostFactor asks the host about each of the factors until it finds the code's.
func (j *job) findHostFactor(ctx context.Context, list []StoredFactor) (StoredFactor, HostUse, bool, error) {
	if !j.askable() {
		return StoredFactor{}, HostUse{}, false, nil
	}
	patience, stop := context.WithTimeout(ctx, hostPatience)
	defer stop()
	for _, f := range list {
		use, ok, err := askHost(patience, j.s, j.inputs.Code, func() (HostUse, bool, error) {
			return j.s.cfg.HostFactor.Check(patience, f, j.inputs.Code, j.now)
		})
		if ok || err != nil {
			return f, use, ok, err
		}
	}
	return StoredFactor{}, HostUse{}, false, nil
}

// confirmedHostFactor is what the host issued to the account, if the code is of it. Unlike the code of an app, whose
// key is on the page, this code can be guessed: a thief of a session must not find out by trying what the owner has
// in a drawer. So each try is counted, with those of a sign-in.
func (j *job) confirmedHostFactor(ctx context.Context) (StoredFactor, flow.Refusal, error) {
	name, fits := factorName(j.inputs.Name)
	if !fits {
		return StoredFactor{}, flow.Refusal{Reason: flow.Malformed}, nil
	}
	if refusal, err := j.takeHostAttempt(ctx); err != nil || refusal.Reason != 0 {
		return StoredFactor{}, refusal, err
	}
	e, ok, err := j.enrolHostFactor(ctx)
	if err != nil {
		return StoredFactor{}, flow.Refusal{}, err
	}
	if !ok {
		return StoredFactor{}, flow.Refusal{Reason: flow.WrongCode}, nil
	}
	if err := j.settle(ctx, flow.SettleAttempts{Method: flow.HostFactor}); err != nil {
		return StoredFactor{}, flow.Refusal{}, err
	}
	id, err := randomID(j.s.random)
	if err != nil {
		return StoredFactor{}, flow.Refusal{}, err
	}
	return StoredFactor{
		ID: id, Account: j.flow.Subject.Account, Method: flow.HostFactor, Name: name, Handle: e.Handle, Data: e.Data,
		Counter: e.Counter, CreatedAt: j.now.UTC(), UsedAt: j.now.UTC(),
	}, flow.Refusal{}, nil
}

func (j *job) takeHostAttempt(ctx context.Context) (flow.Refusal, error) {
	answer, err := j.takeAttempt(ctx, flow.HostFactor)
	if err != nil {
		return flow.Refusal{}, err
	}
	taken, _ := answer.(flow.AttemptTaken)
	return taken.Refusal, nil
}

// enrolHostFactor asks the host what the code is of. What the account has already is not enrolled again.
func (j *job) enrolHostFactor(ctx context.Context) (HostEnrolment, bool, error) {
	if !j.askable() {
		return HostEnrolment{}, false, nil
	}
	patience, stop := context.WithTimeout(ctx, hostPatience)
	defer stop()
	e, ok, err := askHost(patience, j.s, j.inputs.Code, func() (HostEnrolment, bool, error) {
		return j.s.cfg.HostFactor.Enrol(patience, j.flow.Subject.Account, j.inputs.Code, j.now)
	})
	if err != nil || !ok {
		return HostEnrolment{}, false, err
	}
	if err := e.problem(); err != nil {
		return HostEnrolment{}, false, err
	}
	list, err := j.factors(ctx, flow.HostFactor)
	if err != nil {
		return HostEnrolment{}, false, err
	}
	for _, f := range list {
		if f.Handle == e.Handle {
			return HostEnrolment{}, false, nil
		}
	}
	return e, true, nil
}

// problem says what of a host's answer no store should be asked to keep.
func (e HostEnrolment) problem() error {
	switch {
	case e.Handle == "" || len(e.Handle) > longestHandle || !utf8.ValidString(e.Handle):
		return errors.New("auth: host factor: Handle must be 1 to 1,400 bytes of UTF-8")
	case len(e.Data) > longestData:
		return errors.New("auth: host factor: Data is longer than 4 KiB")
	case e.Counter < 0:
		return errors.New("auth: host factor: Counter is negative")
	}
	return nil
}

// hostFactorSection is what the service holds the host's factor to. What the codes are like is the host's to report,
// as a Reporter.
func hostFactorSection() ReportSection {
	return ReportSection{"The host's own second factor", []ReportRow{
		{"a code works", "once", "its counter moves by compare-and-set; ASVS 6.5.1"},
		{"guesses", "counted with those of all other methods, also when the factor is added", "NIST SP 800-63B-4 §3.1.2.2"},
		{"an answer is waited for", ReportDuration(hostPatience), "then nobody is let in"},
	}}
}
