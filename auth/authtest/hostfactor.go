package authtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// IssuedCodes is a host's own second factor with codes that it has just issued. Nothing of them was used, and nothing
// was issued to any other account than "a1" and "a2".
type IssuedCodes struct {
	Factor auth.HostFactor
	// Code returns the n-th code of what was issued to "a1" or "a2", from 0 to 5, in the order in which codes are
	// used, and a time at which it is right: for a token with a clock, the time at which it shows the code.
	Code func(account string, n int) (typed auth.Secret, at time.Time)
}

// issued is how many codes of each account the rules use.
const issued = 6

// RunHostFactor checks the contract of auth.HostFactor, a subtest and newly issued codes for each rule.
func RunHostFactor(t *testing.T, open func(t *testing.T) IssuedCodes) {
	t.Helper()
	run(t, hostFactorRules(), open)
}

// CheckHostFactor checks what RunHostFactor does, outside a test. It calls open for each rule, which must issue new
// codes, and returns every rule that is broken.
func CheckHostFactor(ctx context.Context, open func() (IssuedCodes, error)) error {
	return check(ctx, hostFactorRules(), open)
}

func hostFactorRules() []rule[IssuedCodes] {
	return slices.Concat(hostEnrolmentRules, hostUseRules, hostFaultRules)
}

// holder asks the host as the service does, and states what must come of it.
type holder struct {
	ctx context.Context
	p   *probe
	h   IssuedCodes
}

func onHolder(f func(x holder)) func(ctx context.Context, p *probe, h IssuedCodes) {
	return func(ctx context.Context, p *probe, h IssuedCodes) { f(holder{ctx, p, h}) }
}

// enrols adds what was issued to the account by its n-th code, and returns it as the service stores it.
func (x holder) enrols(account string, n int) auth.StoredFactor {
	typed, now := x.h.Code(account, n)
	e, ok, err := x.h.Factor.Enrol(x.ctx, account, typed, now)
	x.p.ok(fmt.Sprintf("Enrol of code %d of %q", n, account), err)
	if !ok {
		x.p.failf("Enrol of code %d of %q: it is wrong, want it right", n, account)
	}
	return auth.StoredFactor{
		ID: "f1", Account: account, Method: flow.HostFactor, Handle: e.Handle, Data: e.Data, Counter: e.Counter, CreatedAt: start, UsedAt: start,
	}
}

// uses demands that the n-th code of the factor's account is right, and returns the factor with it used.
func (x holder) uses(f auth.StoredFactor, n int) auth.StoredFactor {
	typed, now := x.h.Code(f.Account, n)
	use, ok, err := x.h.Factor.Check(x.ctx, f, typed, now)
	what := fmt.Sprintf("Check of code %d of %q", n, f.Account)
	x.p.ok(what, err)
	if !ok {
		x.p.failf("%s: it is wrong, want it right", what)
		return f
	}
	if use.Counter <= f.Counter {
		x.p.failf("%s: got the counter %d, want more than %d", what, use.Counter, f.Counter)
	}
	if use.Data != "" {
		f.Data = use.Data
	}
	f.Counter = use.Counter
	return f
}

// wrong demands of an answer that it is no proof and no fault.
func (x holder) wrong(what string, ok bool, err error) {
	x.p.ok(what, err)
	if ok {
		x.p.failf("%s: it is right, want it wrong", what)
	}
}

func (x holder) enrolsNot(account, of string, n int) {
	typed, now := x.h.Code(of, n)
	_, ok, err := x.h.Factor.Enrol(x.ctx, account, typed, now)
	x.wrong(fmt.Sprintf("Enrol for %q of code %d of %q", account, n, of), ok, err)
}

func (x holder) usesNot(f auth.StoredFactor, of string, n int) {
	typed, now := x.h.Code(of, n)
	_, ok, err := x.h.Factor.Check(x.ctx, f, typed, now)
	x.wrong(fmt.Sprintf("Check for %q of code %d of %q", f.Account, n, of), ok, err)
}

// nonsense is what people and their keyboards type that is no code, and what is nearly one.
func (x holder) nonsense() []string {
	typed, _ := x.h.Code("a1", 1)
	code := typed.Reveal()
	list := []string{code[:len(code)-1], code[1:], code + "0", "0" + code, code + code, code + "\x00", "١٢٣٤٥٦", "１２３４５６", strings.Repeat("9", 256)}
	return append(list, oddStrings()...)
}

var hostEnrolmentRules = []rule[IssuedCodes]{
	{
		"a code adds what was issued",
		"Enrol describes it by a handle of 1 to 1,400 bytes of UTF-8, data of at most 4 KiB and a counter that is not negative",
		onHolder(func(x holder) {
			for _, account := range []string{"a1", "a2"} {
				f := x.enrols(account, 0)
				if f.Handle == "" || len(f.Handle) > 1400 || !utf8.ValidString(f.Handle) {
					x.p.failf("the handle of %q is %q", account, f.Handle)
				}
				if len(f.Data) > 4<<10 {
					x.p.failf("the data of %q has %d bytes", account, len(f.Data))
				}
				if f.Counter < 0 {
					x.p.failf("the counter of %q is %d", account, f.Counter)
				}
			}
		}),
	},
	{
		"what was issued has one handle",
		"whichever of its codes is typed, the handle is the same, or it could be added twice and each code be used twice; of two accounts it is not",
		onHolder(func(x holder) {
			first, other := x.enrols("a1", 0), x.enrols("a2", 0)
			if other.Handle == first.Handle {
				x.p.failf("two accounts have the handle %q", other.Handle)
			}
			typed, now := x.h.Code("a1", 1)
			e, ok, err := x.h.Factor.Enrol(x.ctx, "a1", typed, now)
			x.p.ok("Enrol", err)
			if ok { // a host may let only the first one add it
				equal(x.p, "handle by the second code", e.Handle, first.Handle)
			}
		}),
	},
	{
		"a wrong code adds nothing",
		"what is no code, or nearly one, is wrong and no error",
		onHolder(func(x holder) {
			_, now := x.h.Code("a1", 1)
			for _, typed := range x.nonsense() {
				_, ok, err := x.h.Factor.Enrol(x.ctx, "a1", auth.NewSecret(typed), now)
				x.wrong(fmt.Sprintf("Enrol of %q", typed), ok, err)
			}
		}),
	},
	{
		"somebody else's code adds nothing",
		"a code adds only what was issued to the account, and nothing to an account to which nothing was",
		onHolder(func(x holder) {
			for _, account := range append([]string{"a2", "a3", "A1", ""}, oddStrings()...) {
				x.enrolsNot(account, "a1", 0)
			}
			x.enrols("a1", 0)
		}),
	},
	{
		"what was used adds nothing",
		"a code that was accepted, or comes before one, is not accepted by Enrol later: else it would work again after its factor was removed and added anew",
		onHolder(func(x holder) {
			x.uses(x.uses(x.enrols("a1", 0), 1), 2)
			for n := range 3 {
				x.enrolsNot("a1", "a1", n)
			}
			typed, now := x.h.Code("a1", 4)
			_, _, err := x.h.Factor.Enrol(x.ctx, "a1", typed, now) // a host may leave it at one time
			x.p.ok("Enrol", err)
			for n := range 4 {
				x.enrolsNot("a1", "a1", n)
			}
		}),
	},
}

var hostUseRules = []rule[IssuedCodes]{
	{
		"the code that added it is used",
		"Check does not take the code again by which the factor was added",
		onHolder(func(x holder) {
			f := x.enrols("a1", 0)
			x.usesNot(f, "a1", 0)
			x.usesNot(x.uses(f, 1), "a1", 0)
		}),
	},
	{
		"codes are used in turn",
		"each code is right after the one before it, and its counter is greater",
		onHolder(func(x holder) {
			for _, account := range []string{"a1", "a2"} {
				f := x.enrols(account, 0)
				for n := 1; n < issued; n++ {
					f = x.uses(f, n)
				}
			}
		}),
	},
	{
		"a code may be lost",
		"a code that was right and then was not used, because the store failed, does not stop the next one",
		onHolder(func(x holder) {
			f := x.enrols("a1", 0)
			x.uses(f, 1)
			x.uses(f, 2)
		}),
	},
	{
		"an older code is used up",
		"a code that was used is wrong, and so is each that comes before it",
		onHolder(func(x holder) {
			f := x.uses(x.uses(x.uses(x.enrols("a1", 0), 1), 2), 3)
			for n := range 4 {
				x.usesNot(f, "a1", n)
			}
			x.uses(f, 4)
		}),
	},
	{
		"a wrong code is wrong",
		"what is no code, or nearly one, is wrong and no error, and uses nothing up",
		onHolder(func(x holder) {
			f := x.enrols("a1", 0)
			_, now := x.h.Code("a1", 1)
			for _, typed := range x.nonsense() {
				_, ok, err := x.h.Factor.Check(x.ctx, f, auth.NewSecret(typed), now)
				x.wrong(fmt.Sprintf("Check of %q", typed), ok, err)
			}
			x.uses(f, 1)
		}),
	},
	{
		"a code is of one account",
		"a code of another account is wrong",
		onHolder(func(x holder) {
			f := x.enrols("a1", 0)
			x.enrols("a2", 0)
			for n := range issued {
				x.usesNot(f, "a2", n)
			}
		}),
	},
	{
		"a factor is of one account",
		"a factor that was copied to another account, by whoever can write to the database, lets nobody in there",
		onHolder(func(x holder) {
			copied := held("a2", x.enrols("a1", 0))
			x.enrols("a2", 0)
			for _, of := range []string{"a1", "a2"} {
				typed, now := x.h.Code(of, 1)
				if _, ok, _ := x.h.Factor.Check(x.ctx, copied, typed, now); ok {
					x.p.failf("Check of a copy by a code of %q: it is right, want it wrong or an error", of)
				}
			}
		}),
	},
	{
		"nothing stored is a code",
		"neither handle nor data has a code in it, before and after a use: a copy of the database must let nobody in",
		onHolder(func(x holder) {
			f := x.enrols("a1", 0)
			kept := f.Handle + f.Data
			kept += x.uses(f, 1).Data
			for n := range issued {
				typed, _ := x.h.Code("a1", n)
				bare := strings.NewReplacer(" ", "", "-", "").Replace(typed.Reveal())
				if strings.Contains(kept, typed.Reveal()) || strings.Contains(kept, bare) {
					x.p.failf("code %d is stored as it is typed", n)
				}
			}
		}),
	},
}

// hostPatience is how long a question under a context that is done may take. The service waits longer, and then
// leaves it behind.
const hostPatience = 2 * time.Second

var hostFaultRules = []rule[IssuedCodes]{
	{
		"questions may come at once",
		"the methods may be called concurrently: nobody gets an error, a right code is right for somebody, and always in the same place",
		onHolder(func(x holder) {
			f := x.enrols("a1", 0)
			typed, now := x.h.Code("a1", 1)
			uses := make([]auth.HostUse, racers)
			right := make([]bool, racers)
			for _, err := range race(racers, func(i int) (err error) {
				uses[i], right[i], err = x.h.Factor.Check(x.ctx, f, typed, now)
				return err
			}) {
				x.p.ok("Check", err)
			}
			first := slices.Index(right, true)
			if first < 0 {
				x.p.failf("Check: the code is right for nobody")
				return
			}
			for i := range uses {
				if right[i] {
					equal(x.p, "counter", uses[i].Counter, uses[first].Counter)
				}
			}
		}),
	},
	{
		"a question ends with its context",
		"under a context that is done the methods return at once, whatever: what hangs holds a goroutine for ever",
		onHolder(func(x holder) {
			f := x.enrols("a1", 0)
			ctx := cancelled(x.ctx)
			typed, now := x.h.Code("a1", 1)
			x.ends("Check", func() { _, _, _ = x.h.Factor.Check(ctx, f, typed, now) })
			x.ends("Enrol", func() { _, _, _ = x.h.Factor.Enrol(ctx, "a1", typed, now) })
		}),
	},
	{
		"an error quotes no code",
		"what was typed is a secret, and errors are logged",
		onHolder(func(x holder) {
			f := x.enrols("a1", 0)
			altered, elsewhere, renamed := f, held("a2", f), f
			altered.Data += "x"
			renamed.Handle += "x"
			typed, now := x.h.Code("a1", 1)
			for _, ctx := range []context.Context{x.ctx, cancelled(x.ctx)} {
				for _, bad := range []auth.StoredFactor{altered, elsewhere, renamed, {Account: "a1", Method: flow.HostFactor}} {
					_, _, err := x.h.Factor.Check(ctx, bad, typed, now)
					x.quotes("Check", err, typed)
				}
				_, _, err := x.h.Factor.Enrol(ctx, "nobody", typed, now)
				x.quotes("Enrol", err, typed)
			}
		}),
	},
}

func (x holder) ends(what string, act func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		act()
	}()
	select {
	case <-ended:
	case <-time.After(hostPatience):
		x.p.failf("%s has not returned within %s", what, hostPatience)
	}
}

func (x holder) quotes(what string, err error, typed auth.Secret) {
	if err != nil && strings.Contains(err.Error(), typed.Reveal()) {
		x.p.failf("%s: the error quotes what was typed", what)
	}
}
