package auth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/mfa"
	"github.com/cardea-auth/cardea/mfa/totp"
	"github.com/cardea-auth/cardea/mfa/webauthn"
)

// equips lets people have second factors. What they are sealed with stays when the keys of all the rest change: a
// restart with other keys is the packages' own to show.
func (l *ledger) equips(t testing.TB, c *auth.Config, store *memory.Store, tap *tap) {
	var err error
	c.Apps, err = totp.New(totp.Config{Keys: c.Keys, Issuer: "Test"})
	require.NoError(t, err)
	c.Codes, err = mfa.NewCodes(mfa.CodesConfig{Keys: c.Keys})
	require.NoError(t, err)
	c.Passkeys, err = webauthn.New(webauthn.Config{Keys: c.Keys, Origin: site, Product: "Test"})
	require.NoError(t, err)
	c.Factors = tapFactors{store, tap}
	l.held.second = flow.IfEnrolled
	c.Rules = func(ctx context.Context, _ auth.Account) (flow.Rules, error) {
		if r := requestIn(ctx); r != nil {
			r.second, r.ruled = l.held.second, true
		}
		return flow.Rules{SecondFactor: l.held.second}, nil
	}
	c.Entry = func(context.Context, string) (flow.Entry, error) {
		return flow.Entry{Methods: flow.MethodsOf(flow.Password, flow.Passkey), Recovery: true, SignUp: true}, nil
	}
}

// watches puts witnesses before what is about second factors.
func (l *ledger) watches(c *auth.Config) {
	if l.held.possible {
		c.Factors, c.Apps, c.Codes = witnessFactors{c.Factors, l}, witnessApps{c.Apps, l}, witnessCodes{c.Codes, l}
	}
}

type witnessFactors struct {
	auth.FactorStore
	l *ledger
}

func (w witnessFactors) ChangeFactors(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
	epochs, err := w.FactorStore.ChangeFactors(ctx, c)
	if err == nil {
		w.l.wrote(ctx, "factors")
		w.l.changedFactors(requestIn(ctx), c)
	}
	return epochs, err
}

func (w witnessFactors) UseFactor(ctx context.Context, account, id string, from, to int64, data string, now time.Time) error {
	err := w.FactorStore.UseFactor(ctx, account, id, from, to, data, now)
	if err == nil {
		w.l.wrote(ctx, "use factor")
		w.l.usedFactor(requestIn(ctx), account, id, to, false)
	}
	return err
}

func (w witnessFactors) ConsumeFactor(ctx context.Context, account, id, data string) error {
	err := w.FactorStore.ConsumeFactor(ctx, account, id, data)
	if err == nil {
		w.l.wrote(ctx, "use factor")
		w.l.usedFactor(requestIn(ctx), account, id, 0, true)
	}
	return err
}

type witnessApps struct {
	auth.AuthenticatorApps
	l *ledger
}

func (w witnessApps) Check(f auth.StoredFactor, typed auth.Secret, now time.Time) (step int64, ok bool, err error) {
	if known := w.l.held.factors[f.ID]; known != nil {
		w.l.lookedAt(known.account)
	}
	return w.AuthenticatorApps.Check(f, typed, now)
}

type witnessCodes struct {
	auth.RecoveryCodes
	l *ledger
}

func (w witnessCodes) Opens(typed auth.Secret, account string, f auth.StoredFactor) bool {
	w.l.lookedAt(account)
	return w.RecoveryCodes.Opens(typed, account, f)
}

// lookedAt is a code that is about to be held against what an account has. There is no context to say by whom, but
// somebody must have had a try counted for it and not used it yet.
func (l *ledger) lookedAt(account string) {
	if !l.disturbed && l.depth == 1 && l.latest != nil && (l.latest.attempt == nil || l.latest.about != account) {
		l.fail("a code was looked at uncounted, or held against what somebody else has")
	}
}

// learnFactor notes what an answer shows of second factors.
func (a *arena) learnFactor(r *request, f *flowFacts, p auth.Progress) {
	l := a.l
	if p.Pairing != nil {
		if f.app = (appFacts{appOf(p.Pairing).key, f.whom}); !f.proven() {
			l.fail("a key is shown to a stranger")
		}
	}
	if p.Passkey != nil {
		c := &ceremonyFacts{flow: f, options: p.Passkey, at: r.now, enrols: p.View.Need == flow.NewFactor}
		f.ceremony, l.held.ceremonies, a.touched = c, append(l.held.ceremonies, c), true
		l.asked(f, c)
	}
	if len(p.Codes) > 0 {
		if !slices.Contains(r.writes, "factors") {
			l.fail("codes are shown that were not made")
		}
		l.printed(a, f, p.Codes)
	}
}

// asked holds the options of a ceremony against what whoever sees them may know.
func (l *ledger) asked(f *flowFacts, c *ceremonyFacts) {
	var o struct {
		Allow   []struct{ ID string } `json:"allowCredentials"`
		Exclude []struct{ ID string } `json:"excludeCredentials"`
	}
	if err := json.Unmarshal(c.options, &o); err != nil {
		l.fail("%v", err)
	}
	want := 0
	for _, x := range l.heldBy(f.whom) {
		if x.method == flow.Passkey && f.proven() {
			want++
		}
	}
	if n := len(o.Allow) + len(o.Exclude); n != want && !l.disturbed {
		l.fail("a ceremony names %d passkeys; whoever began it may be told of %d", n, want)
	}
}

// printed notes which code is whose.
func (l *ledger) printed(a *arena, f *flowFacts, codes []auth.Secret) {
	for _, code := range codes {
		handle, _ := a.w.cfg.Codes.Handle(code)
		for _, x := range l.heldBy(f.whom) {
			if x.method == flow.RecoveryCode && x.handle == handle {
				x.text = code.Reveal()
			}
		}
	}
}

// compareFactor holds the answer to what was handed in against what it is worth, where nothing else went on.
func (a *arena) compareFactor(r *request, p auth.Progress, err error) {
	if !r.deed.factors() || err != nil {
		return
	}
	done := r.proof != nil
	if r.typed.fit && !done && factorRefused(p) {
		a.l.fail("what is right was refused: %+v", p.View.Refusal)
	}
	if done && !r.typed.fit && r.deed.what != "enrol-recovery-code" && r.deed.what != "remove" {
		a.l.fail("what is not right was taken")
	}
}

// factorRefused reports whether the answer says that what was handed in is not right.
func factorRefused(p auth.Progress) bool {
	if p.View.Refusal == nil {
		return false
	}
	switch p.View.Refusal.Reason {
	case flow.WrongCode, flow.PasskeyRefused, flow.WrongPerson:
		return true
	}
	return false
}

// settleFactors compares the store with the ledger when nothing is under way.
func (a *arena) settleFactors(p *person) {
	l := a.l
	if !l.held.possible || p.deleted {
		return
	}
	list, err := a.w.store.Factors(context.Background(), p.id)
	if err != nil {
		l.fail("factors: %v", err)
	}
	there := l.heldBy(p.id)
	for _, f := range list {
		x := l.held.factors[f.ID]
		if x == nil || x.gone || x.account != p.id || x.real() && f.Counter != x.counter {
			l.fail("the account has the factor %+v; it should have %+v", f, x)
		}
	}
	if len(list) != len(there) {
		l.fail("the account has %d factors; it should have %d", len(list), len(there))
	}
}

// packFactors writes what people have, and what is open, into the key of the arena.
func (a *arena) packFactors(k *packer, now time.Time) {
	l := a.l
	if !l.held.possible {
		return
	}
	k.put(int(l.held.second))
	for i, x := range l.held.order {
		if x.gone {
			continue
		}
		k.put(i, int(x.method), indexOf(l.order, l.people[x.account]), int(x.told-x.counter))
		k.flag(x.plain)
		k.age(time.Duration(stepOf(now)-x.counter)*time.Second, 3*time.Second)
	}
	for _, f := range l.begun {
		if f.closed || f.expired(now) {
			continue
		}
		for _, p := range f.proofs {
			k.put(int(p.method))
			k.age(now.Sub(p.at), shellLimits.Fresh+1)
		}
		k.flag(f.app.key != "", f.ceremony != nil && !f.ceremony.taken, f.removes != nil)
		if f.ceremony != nil {
			k.age(now.Sub(f.ceremony.at), shellLimits.Challenge)
		}
	}
	for _, s := range l.issued {
		for _, p := range s.proofs {
			k.put(int(p.method))
			k.age(now.Sub(p.at), stepUpAge+1)
		}
	}
}

// methodLane is what tries of a method are counted under.
func methodLane(m flow.Method, whose string, known bool, machine int) string {
	return fmt.Sprint(m, " ", whose, " ", known, " ", machine)
}
