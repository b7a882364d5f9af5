package authtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Factors is what keeps second factors, with the accounts, tickets and letters that change in the same acts.
type Factors interface {
	Tickets
	auth.FactorStore
}

// RunFactors checks the contract of auth.FactorStore, and what auth.AccountStore tells of factors and does to them,
// a subtest and a fresh, empty store for each rule.
func RunFactors(t *testing.T, open func(t *testing.T) Factors) {
	t.Helper()
	run(t, factorRules(), open)
}

// CheckFactors checks what RunFactors does, outside a test. It calls open for each rule, which must return an
// empty store, and returns every rule that is broken.
func CheckFactors(ctx context.Context, open func() (Factors, error)) error {
	return check(ctx, factorRules(), open)
}

func factorRules() []rule[Factors] {
	return slices.Concat(factorRowRules, handleRules, opaqueFactorRules, factorChangeRules, factorSetRules, factorRefusalRules,
		factorUseRules, codeRules, factorStateRules, besideFactorRules)
}

// keyring calls the store and states what must come of it.
type keyring struct {
	mailbox
	f Factors
}

// onKeyring makes a check of f.
func onKeyring(f func(k keyring)) func(ctx context.Context, p *probe, s Factors) {
	return func(ctx context.Context, p *probe, s Factors) { f(keyring{mailbox{ctx, p, s}, s}) }
}

// factor returns a factor of the account "a1". It has a handle if those of its method have one.
func factor(id string, m flow.Method) auth.StoredFactor {
	f := auth.StoredFactor{ID: id, Account: "a1", Method: m, Name: "name of " + id, Data: "data of " + id, Counter: 7, CreatedAt: start}
	if m == flow.Passkey || m == flow.RecoveryCode {
		f.Handle = "handle of " + id
	}
	return f
}

// held returns the factor as another account's.
func held(account string, f auth.StoredFactor) auth.StoredFactor {
	f.Account = account
	return f
}

// handled returns the factor with another handle.
func handled(handle string, f auth.StoredFactor) auth.StoredFactor {
	f.Handle = handle
	return f
}

// begin opens the accounts "a1" and "a2" and gives them the factors, those of each in one act, and tickets then.
func (k keyring) begin(factors ...auth.StoredFactor) {
	k.opens(flow.Active, firstHash)
	k.holds(factors...)
	for _, t := range k.tickets() {
		k.adds(t)
	}
}

// holds gives factors to the accounts that they say, those of each in one act.
func (k keyring) holds(factors ...auth.StoredFactor) {
	for len(factors) > 0 {
		account := factors[0].Account
		var its, rest []auth.StoredFactor
		for _, f := range factors {
			if f.Account == account {
				its = append(its, f)
			} else {
				rest = append(rest, f)
			}
		}
		k.changes(k.adding(its...))
		factors = rest
	}
}

// adding returns a change that adds factors of one account, which stands as it does.
func (k keyring) adding(factors ...auth.StoredFactor) auth.FactorChange {
	return auth.FactorChange{Account: factors[0].Account, From: k.now(factors[0].Account), Add: factors, Now: start}
}

// removing returns a change that removes factors of the account "a1", which stands as it does.
func (k keyring) removing(ids ...string) auth.FactorChange {
	return auth.FactorChange{Account: "a1", From: k.now("a1"), Remove: ids, Now: start}
}

// changes demands that the store makes the change.
func (k keyring) changes(c auth.FactorChange) {
	_, err := k.f.ChangeFactors(k.ctx, c)
	k.p.ok(fmt.Sprintf("ChangeFactors of %q", c.Account), err)
}

// lists demands that the account has these factors in this order.
func (k keyring) lists(account string, want ...auth.StoredFactor) {
	got, err := k.f.Factors(k.ctx, account)
	k.p.ok(fmt.Sprintf("Factors(%q)", account), err)
	if len(got) > 0 || len(want) > 0 {
		equal(k.p, fmt.Sprintf("factors of %q", account), got, want)
	}
}

// sight is all that there is to see of the accounts "a1" and "a2".
type sight struct {
	states  [2]auth.AccountState
	factors [2][]auth.StoredFactor
	tickets []string
}

func (k keyring) sees() sight {
	var all sight
	var err error
	for i, account := range []string{"a1", "a2"} {
		all.states[i], err = k.s.State(k.ctx, account)
		k.p.ok("State", err)
		all.factors[i], err = k.f.Factors(k.ctx, account)
		k.p.ok("Factors", err)
	}
	for _, t := range k.tickets() {
		if _, err := k.s.FindTicket(k.ctx, t.ID, start); err == nil {
			all.tickets = append(all.tickets, t.ID)
		}
	}
	return all
}

// refused demands that the change is refused with the error, does nothing and tells nobody.
func (k keyring) refused(what string, c auth.FactorChange, want error) {
	before := k.sees()
	c.Letters = []auth.Letter{letter("refused")}
	lost(k.p, "ChangeFactors "+what, want)(k.f.ChangeFactors(k.ctx, c))
	equal(k.p, "accounts after ChangeFactors "+what, k.sees(), before)
	k.told()
}

// nothing demands that the act returns the error and does nothing.
func (k keyring) nothing(what string, want error, act func() error) {
	before := k.sees()
	k.p.is(what, act(), want)
	equal(k.p, "accounts after "+what, k.sees(), before)
}

var factorRowRules = []rule[Factors]{
	{
		"a factor comes back whole",
		"a factor is listed with every field as given, times in UTC to the millisecond, and one that never proved anything with no time of that",
		onKeyring(func(k keyring) {
			full := auth.StoredFactor{
				ID: "f1", Account: "a1", Method: flow.Passkey, Name: "Zoë's \U0001f511 'key'", Handle: "hand\"le", Data: "data\n\\", Counter: 1 << 40,
				Verifying: true, CreatedAt: at(-3 * tick), UsedAt: at(5 * tick),
			}
			bare := auth.StoredFactor{ID: "f2", Account: "a1", Method: flow.TOTP, CreatedAt: start}
			k.begin(full, bare)
			k.lists("a1", full, bare)
		}),
	},
	{
		"the longest factor comes back whole",
		"an id of 128 bytes, a name of 64 code points, a handle of 1,400 bytes, data of 4 KiB and any counter are kept to the end, and told from others by it",
		onKeyring(func(k keyring) {
			var all []auth.StoredFactor
			for i, counter := range []int64{1<<63 - 1, -1 << 63} {
				end := fmt.Sprint(i)
				f := factor(strings.Repeat("i", 127)+end, flow.Passkey)
				f.Name = strings.Repeat("\U0001f511", 63) + string(rune(0x1f512+i))
				f.Handle, f.Data = strings.Repeat("h", 1399)+end, strings.Repeat("d", 4095)+end
				f.Counter = counter
				all = append(all, f)
			}
			k.begin(all...)
			k.lists("a1", all...)
			for _, f := range all {
				got, err := k.f.FindPasskey(k.ctx, f.Handle)
				k.p.ok("FindPasskey", err)
				equal(k.p, "passkey", got, f)
			}
		}),
	},
	{
		"an unknown account has no factors",
		"an account that is unknown, or has none, has an empty list, and no error",
		onKeyring(func(k keyring) {
			k.lists("a1")
			k.begin(factor("f1", flow.TOTP))
			k.lists("a2")
			k.lists("f1")
			k.lists("")
		}),
	},
	{
		"factors come in order",
		"those added first come first, whatever the clocks said, and of those added together in the order of their ids; neither a use nor a name changes that",
		onKeyring(func(k keyring) {
			late, code, early := factor("m", flow.TOTP), factor("z", flow.RecoveryCode), factor("a", flow.Passkey)
			early.CreatedAt, late.CreatedAt = at(-time.Hour), at(time.Hour)
			k.begin(late)
			k.holds(code, early, factor("k", flow.HostFactor))
			k.holds(factor("b", flow.TOTP))
			k.p.ok("UseFactor", k.f.UseFactor(k.ctx, "a1", "m", 7, 8, "", at(time.Minute)))
			k.p.ok("RenameFactor", k.f.RenameFactor(k.ctx, "a1", "m", "new"))
			late.Counter, late.UsedAt, late.Name = 8, at(time.Minute), "new"
			k.lists("a1", late, early, factor("k", flow.HostFactor), code, factor("b", flow.TOTP))
		}),
	},
	{
		"factors are the caller's copies",
		"changing what was listed or added changes nothing that is kept",
		onKeyring(func(k keyring) {
			add := []auth.StoredFactor{factor("f1", flow.TOTP)}
			k.begin()
			k.changes(k.adding(add...))
			add[0].Data = "changed"
			got, err := k.f.Factors(k.ctx, "a1")
			k.p.ok("Factors", err)
			for i := range got {
				got[i].Data, got[i].Counter = "changed", 9
			}
			k.lists("a1", factor("f1", flow.TOTP))
		}),
	},
	{
		"accounts have factors of their own",
		"no method reaches a factor through another account, and what becomes of one account's factors leaves the other's alone",
		onKeyring(func(k keyring) {
			k.begin(factor("f1", flow.TOTP), factor("c1", flow.RecoveryCode), held("a2", factor("f2", flow.TOTP)), held("a2", factor("c2", flow.RecoveryCode)))
			for _, account := range []string{"a2", "a3", "", "f1"} {
				k.nothing("UseFactor as "+account, auth.ErrStale, func() error { return k.f.UseFactor(k.ctx, account, "f1", 7, 8, "new", start) })
				k.nothing("ConsumeFactor as "+account, auth.ErrStale, func() error { return k.f.ConsumeFactor(k.ctx, account, "c1", "data of c1") })
				k.nothing("RenameFactor as "+account, auth.ErrNotFound, func() error { return k.f.RenameFactor(k.ctx, account, "f1", "new") })
			}
			k.refused("that removes another account's", k.removing("f2"), auth.ErrStale)
			for _, m := range []flow.Method{flow.TOTP, flow.RecoveryCode} {
				c := k.removing()
				c.RemoveAll = m
				k.changes(c)
			}
			k.lists("a1")
			k.lists("a2", held("a2", factor("c2", flow.RecoveryCode)), held("a2", factor("f2", flow.TOTP)))
		}),
	},
}
