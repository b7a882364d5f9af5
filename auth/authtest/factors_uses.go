package authtest

import (
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// crowd is how many use one code at once.
const crowd = 2 * racers

var factorUseRules = []rule[Factors]{
	{
		"a use moves the counter",
		"UseFactor sets Counter and UsedAt of one factor, keeps its data if none is given, and touches nothing else: no epoch, no ticket, no other factor",
		onKeyring(func(k keyring) {
			used := factor("f1", flow.TOTP)
			k.begin(used, factor("f2", flow.TOTP), held("a2", factor("f3", flow.TOTP)))
			want := k.sees()
			k.p.ok("UseFactor", k.f.UseFactor(k.ctx, "a1", "f1", 7, 1<<40, "", at(3*tick)))
			want.factors[0][0].Counter, want.factors[0][0].UsedAt = 1<<40, at(3*tick)
			equal(k.p, "accounts after UseFactor", k.sees(), want)
			k.p.ok("UseFactor again", k.f.UseFactor(k.ctx, "a1", "f1", 1<<40, 1<<40+1, "", at(4*tick)))
			want.factors[0][0].Counter, want.factors[0][0].UsedAt = 1<<40+1, at(4*tick)
			equal(k.p, "accounts after another UseFactor", k.sees(), want)
		}),
	},
	{
		"a use may replace the data",
		"data that is given is kept in place of the old, such as a key that is sealed anew",
		onKeyring(func(k keyring) {
			used := factor("f1", flow.TOTP)
			k.begin(used)
			k.p.ok("UseFactor", k.f.UseFactor(k.ctx, "a1", "f1", 7, 8, "new data", at(tick)))
			used.Counter, used.Data, used.UsedAt = 8, "new data", at(tick)
			k.lists("a1", used)
		}),
	},
	{
		"a use is from the counter that was seen",
		"unless the account has the factor and its counter is exactly from it is ErrStale and nothing changes: a code that was used is a wrong code",
		onKeyring(func(k keyring) {
			k.p.is("UseFactor of nobody", k.f.UseFactor(k.ctx, "a1", "f1", 0, 1, "", start), auth.ErrStale)
			k.begin(factor("f1", flow.TOTP), factor("f2", flow.TOTP))
			for _, from := range []int64{6, 8, 0, -7, 7 << 32} {
				k.nothing(fmt.Sprintf("UseFactor from %d", from), auth.ErrStale, func() error { return k.f.UseFactor(k.ctx, "a1", "f1", from, 9, "new", at(tick)) })
			}
			for _, id := range []string{"unknown", "", "a1", "F1", "f1 "} {
				k.nothing(fmt.Sprintf("UseFactor of %q", id), auth.ErrStale, func() error { return k.f.UseFactor(k.ctx, "a1", id, 7, 9, "new", at(tick)) })
			}
			k.p.ok("UseFactor", k.f.UseFactor(k.ctx, "a1", "f1", 7, 9, "", at(tick)))
			k.nothing("UseFactor again", auth.ErrStale, func() error { return k.f.UseFactor(k.ctx, "a1", "f1", 7, 9, "new", at(2*tick)) })
		}),
	},
	{
		"a factor need not count",
		"the counter may stay as it is, for every caller, or go down: what that means is for others to say",
		onKeyring(func(k keyring) {
			used := factor("f1", flow.Passkey)
			used.Counter = 0
			k.begin(used)
			for i := range 3 {
				used.UsedAt = at(time.Duration(i) * tick)
				k.p.ok("UseFactor", k.f.UseFactor(k.ctx, "a1", "f1", 0, 0, "", used.UsedAt))
				k.lists("a1", used)
			}
			used.Counter = -1
			k.p.ok("UseFactor", k.f.UseFactor(k.ctx, "a1", "f1", 0, -1, "", used.UsedAt))
			k.lists("a1", used)
		}),
	},
	{
		"one use of a code wins",
		"of many that move the counter from one value at once one succeeds (ASVS 6.5.1)",
		onKeyring(func(k keyring) {
			k.begin(factor("f1", flow.TOTP))
			errs := race(crowd, func(i int) error {
				return k.f.UseFactor(k.ctx, "a1", "f1", 7, int64(8+i), fmt.Sprintf("by %d", i), at(time.Duration(i)*tick))
			})
			k.p.oneWon("UseFactor", errs, auth.ErrStale)
			for i, err := range errs {
				if err == nil {
					used := factor("f1", flow.TOTP)
					used.Counter, used.Data, used.UsedAt = int64(8+i), fmt.Sprintf("by %d", i), at(time.Duration(i)*tick)
					k.lists("a1", used)
				}
			}
		}),
	},
	{
		"a use brings no factor back",
		"of a use and a removal at once the removal happens, and the factor is gone whether it was used before or not",
		onKeyring(func(k keyring) {
			k.begin(factor("f1", flow.Passkey))
			gone := k.removing("f1")
			errs := race(racers, func(i int) error {
				if i == 0 {
					_, err := k.f.ChangeFactors(k.ctx, gone)
					return err
				}
				return k.f.UseFactor(k.ctx, "a1", "f1", 7, 8, "new", start)
			})
			k.p.ok("ChangeFactors", errs[0])
			k.lists("a1")
			k.noPasskey("handle of f1")
			k.p.is("UseFactor of a removed one", k.f.UseFactor(k.ctx, "a1", "f1", 7, 8, "", start), auth.ErrStale)
		}),
	},
	{
		"a factor gets another name",
		"RenameFactor sets the name, be it empty, and touches nothing else; a factor that the account has not is ErrNotFound",
		onKeyring(func(k keyring) {
			k.begin(factor("f1", flow.TOTP), factor("f2", flow.TOTP), held("a2", factor("f3", flow.TOTP)))
			for _, name := range []string{"new", "name of f2", ""} {
				want := k.sees()
				k.p.ok("RenameFactor", k.f.RenameFactor(k.ctx, "a1", "f1", name))
				want.factors[0][0].Name = name
				equal(k.p, "accounts after RenameFactor", k.sees(), want)
				k.p.ok("RenameFactor to the same", k.f.RenameFactor(k.ctx, "a1", "f1", name))
			}
			for _, id := range []string{"unknown", "", "a1", "F1", "f1 "} {
				k.nothing("RenameFactor of "+id, auth.ErrNotFound, func() error { return k.f.RenameFactor(k.ctx, "a1", id, "new") })
			}
		}),
	},
}

// codeRules are about factors that work once.
var codeRules = []rule[Factors]{
	{
		"a code works once",
		"ConsumeFactor deletes the factor and touches nothing else: no epoch, no ticket, no other factor; consuming it again is ErrStale",
		onKeyring(func(k keyring) {
			k.begin(append(set("c"), factor("f1", flow.TOTP), held("a2", factor("c", flow.RecoveryCode)))...)
			want := k.sees()
			k.p.ok("ConsumeFactor", k.f.ConsumeFactor(k.ctx, "a1", "c4", "data of c4"))
			want.factors[0] = append(append([]auth.StoredFactor{}, want.factors[0][:4]...), want.factors[0][5:]...)
			equal(k.p, "accounts after ConsumeFactor", k.sees(), want)
			k.nothing("ConsumeFactor again", auth.ErrStale, func() error { return k.f.ConsumeFactor(k.ctx, "a1", "c4", "data of c4") })
		}),
	},
	{
		"a code is consumed as it was read",
		"unless the account has the factor with exactly this data it is ErrStale and nothing changes",
		onKeyring(func(k keyring) {
			k.p.is("ConsumeFactor of nobody", k.f.ConsumeFactor(k.ctx, "a1", "c1", ""), auth.ErrStale)
			k.begin(factor("c1", flow.RecoveryCode), factor("c2", flow.RecoveryCode))
			for _, data := range []string{"", "data of c2", "Data of c1", "data of c1 ", " data of c1", "data of c", "%", "name of c1"} {
				k.nothing(fmt.Sprintf("ConsumeFactor with %q", data), auth.ErrStale, func() error { return k.f.ConsumeFactor(k.ctx, "a1", "c1", data) })
			}
			for _, id := range []string{"unknown", "", "a1", "C1", "c1 ", "c2"} {
				k.nothing(fmt.Sprintf("ConsumeFactor of %q", id), auth.ErrStale, func() error { return k.f.ConsumeFactor(k.ctx, "a1", id, "data of c1") })
			}
			k.p.ok("UseFactor", k.f.UseFactor(k.ctx, "a1", "c1", 7, 7, "new", start))
			k.nothing("ConsumeFactor as it was", auth.ErrStale, func() error { return k.f.ConsumeFactor(k.ctx, "a1", "c1", "data of c1") })
			k.p.ok("ConsumeFactor as it is", k.f.ConsumeFactor(k.ctx, "a1", "c1", "new"))
		}),
	},
	{
		"one user of a code wins",
		"of many that consume one factor at once one succeeds",
		onKeyring(func(k keyring) {
			k.begin(set("c")...)
			k.p.oneWon("ConsumeFactor", race(crowd, func(int) error {
				return k.f.ConsumeFactor(k.ctx, "a1", "c9", "data of c9")
			}), auth.ErrStale)
			k.lists("a1", set("c")[:9]...)
		}),
	},
	{
		"a new set ends the old codes",
		"of a new set and codes of the old one at once the set is there whole in the end, and no old code works any more",
		onKeyring(func(k keyring) {
			k.begin(set("old")...)
			c := k.adding(set("new")...)
			c.RemoveAll = flow.RecoveryCode
			errs := race(11, func(i int) error {
				if i == 10 {
					_, err := k.f.ChangeFactors(k.ctx, c)
					return err
				}
				id := fmt.Sprintf("old%d", i)
				return k.f.ConsumeFactor(k.ctx, "a1", id, "data of "+id)
			})
			k.p.ok("ChangeFactors", errs[10])
			for i := range 10 {
				id := fmt.Sprintf("old%d", i)
				if errs[i] != nil {
					k.p.is("ConsumeFactor", errs[i], auth.ErrStale)
				}
				k.p.is("ConsumeFactor of an old code", k.f.ConsumeFactor(k.ctx, "a1", id, "data of "+id), auth.ErrStale)
			}
			k.lists("a1", set("new")...)
		}),
	},
}
