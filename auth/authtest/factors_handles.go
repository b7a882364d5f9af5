package authtest

import (
	"errors"
	"fmt"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// handleRules are about what must not be there twice, and about what a passkey is found by.
var handleRules = []rule[Factors]{
	{
		"a factor id is used once",
		"adding an id that is in use, be it of another method or another account, or twice in one change, is ErrTaken and changes nothing",
		onKeyring(func(k keyring) {
			k.begin(factor("f1", flow.TOTP), held("a2", factor("f2", flow.TOTP)))
			for what, add := range map[string][]auth.StoredFactor{
				"the same again": {factor("f1", flow.TOTP)}, "of another method": {factor("f1", flow.HostFactor)},
				"of another account": {factor("f2", flow.TOTP)}, "twice": {factor("f3", flow.TOTP), factor("f3", flow.HostFactor)},
				"behind a good one": {factor("f0", flow.TOTP), factor("f1", flow.Passkey)},
			} {
				k.refused("with an id "+what, k.adding(add...), auth.ErrTaken)
			}
		}),
	},
	{
		"one factor of an id wins",
		"of factors added at once with one id to many accounts one is kept",
		onKeyring(func(k keyring) {
			oneAdds(k, factor("f1", flow.TOTP))
		}),
	},
	{
		"a passkey's handle is used once",
		"a second passkey with a handle, be it of another account, is ErrTaken and changes nothing: it says whose account a sign-in without an address is",
		onKeyring(func(k keyring) {
			k.begin(factor("f1", flow.Passkey), held("a2", factor("f2", flow.Passkey)))
			for what, add := range map[string][]auth.StoredFactor{
				"of the account": {handled("handle of f1", factor("f3", flow.Passkey))}, "of another account": {handled("handle of f2", factor("f3", flow.Passkey))},
				"twice":             {handled("h", factor("f3", flow.Passkey)), handled("h", factor("f4", flow.Passkey))},
				"behind a good one": {factor("f3", flow.Passkey), handled("handle of f2", factor("f4", flow.Passkey))},
			} {
				k.refused("with a handle "+what, k.adding(add...), auth.ErrTaken)
			}
		}),
	},
	{
		"one passkey of a handle wins",
		"of passkeys added at once with one handle to many accounts one is kept",
		onKeyring(func(k keyring) {
			oneAdds(k, factor("f1", flow.Passkey))
		}),
	},
	{
		"a handle is its account's and method's",
		"two recovery codes of an account with one handle are ErrTaken; those of two accounts, or factors of two methods, may have the same: selectors are short",
		onKeyring(func(k keyring) {
			codes := []auth.StoredFactor{
				handled("h", factor("f1", flow.RecoveryCode)), handled("h", held("a2", factor("f2", flow.RecoveryCode))),
				handled("h", factor("f3", flow.HostFactor)), handled("h", factor("f4", flow.Passkey)),
			}
			k.begin(codes...)
			for _, m := range []flow.Method{flow.RecoveryCode, flow.HostFactor} {
				k.refused("with the handle of another "+m.String(), k.adding(handled("h", factor("f5", m))), auth.ErrTaken)
			}
			k.refused("with a handle twice", k.adding(handled("i", factor("f5", flow.RecoveryCode)), handled("i", factor("f6", flow.RecoveryCode))), auth.ErrTaken)
			k.lists("a1", codes[0], codes[2], codes[3])
			k.lists("a2", codes[1])
		}),
	},
	{
		"no handle is like no other",
		"factors without a handle stand beside each other, and nothing finds them by it",
		onKeyring(func(k keyring) {
			all := []auth.StoredFactor{
				factor("f1", flow.TOTP), factor("f2", flow.TOTP), handled("", factor("f3", flow.RecoveryCode)), handled("", factor("f4", flow.RecoveryCode)),
				handled("", factor("f5", flow.Passkey)), handled("", factor("f6", flow.Passkey)),
			}
			k.begin(append(all, held("a2", factor("f7", flow.TOTP)), held("a2", handled("", factor("f8", flow.Passkey))))...)
			k.holds(factor("f9", flow.TOTP))
			k.lists("a1", append(all, factor("f9", flow.TOTP))...)
			k.noPasskey("")
		}),
	},
	{
		"a passkey is found by its handle",
		"FindPasskey returns the passkey with the handle whosever it is, as it is at the moment, and no factor of another method; what is not there, or not any more, is ErrNotFound",
		onKeyring(func(k keyring) {
			k.noPasskey("handle of f1")
			k.begin(factor("f1", flow.Passkey), factor("f2", flow.RecoveryCode), held("a2", factor("f3", flow.Passkey)), handled("h", factor("f4", flow.HostFactor)))
			k.finds(factor("f1", flow.Passkey))
			k.finds(held("a2", factor("f3", flow.Passkey)))
			for _, none := range []string{"handle of f2", "h", "f1", "a1", "", "data of f1", "handle of"} {
				k.noPasskey(none)
			}
			k.p.ok("UseFactor", k.f.UseFactor(k.ctx, "a1", "f1", 7, 8, "new", at(tick)))
			used := factor("f1", flow.Passkey)
			used.Counter, used.Data, used.UsedAt = 8, "new", at(tick)
			k.finds(used)
			k.changes(k.removing("f1"))
			k.noPasskey("handle of f1")
			k.holds(held("a2", handled("handle of f1", factor("f5", flow.Passkey))))
			k.finds(held("a2", handled("handle of f1", factor("f5", flow.Passkey))))
			k.finds(held("a2", factor("f3", flow.Passkey)))
		}),
	},
}

// oneAdds adds the factor to many accounts at once and demands that one gets it.
func oneAdds(k keyring, f auth.StoredFactor) {
	accounts := make([]string, racers)
	for i := range accounts {
		accounts[i] = fmt.Sprintf("a%d", i)
		k.p.ok("Open", k.s.Open(k.ctx, accounts[i], flow.Active, "", start))
	}
	errs := race(racers, func(i int) error {
		f := held(accounts[i], f)
		f.ID += map[bool]string{true: accounts[i]}[f.Handle != ""]
		_, err := k.f.ChangeFactors(k.ctx, auth.FactorChange{Account: accounts[i], From: opened, Add: []auth.StoredFactor{f}, Now: start})
		return err
	})
	k.p.oneWon("ChangeFactors", errs, auth.ErrTaken)
	for i, account := range accounts {
		got, err := k.f.Factors(k.ctx, account)
		k.p.ok("Factors", err)
		equal(k.p, fmt.Sprintf("there is a factor of %q", account), len(got) == 1, errs[i] == nil)
	}
}

// finds demands that the passkey is found by its handle.
func (k keyring) finds(want auth.StoredFactor) {
	got, err := k.f.FindPasskey(k.ctx, want.Handle)
	k.p.ok(fmt.Sprintf("FindPasskey(%q)", want.Handle), err)
	equal(k.p, fmt.Sprintf("passkey %q", want.Handle), got, want)
}

func (k keyring) noPasskey(handle string) {
	_, err := k.f.FindPasskey(k.ctx, handle)
	k.p.is(fmt.Sprintf("FindPasskey(%q)", handle), err, auth.ErrNotFound)
}

// keeps adds a factor for each string, as make makes it, and returns those that were kept, by the string. An account
// "a1" is there.
func keeps(k keyring, all []string, make func(i int, s string) auth.StoredFactor) map[string]auth.StoredFactor {
	stored := map[string]auth.StoredFactor{}
	for i, s := range all {
		f := make(i, s)
		if f.Account != "a1" {
			if err := k.s.Open(k.ctx, f.Account, flow.Active, "", start); err != nil && mayRefuse(s) {
				continue
			}
		}
		if _, err := k.f.ChangeFactors(k.ctx, k.adding(f)); err == nil {
			stored[s] = f
		} else if !mayRefuse(s) {
			k.p.failf("ChangeFactors with %q: %v", s, err)
		}
	}
	return stored
}

// opaqueFactorRules are about strings, which a store does not read.
var opaqueFactorRules = []rule[Factors]{
	{
		"factor ids are opaque",
		"ids that differ in a byte are different factors; one that cannot be stored is refused, never mistaken",
		onKeyring(func(k keyring) {
			k.begin()
			i := int64(0)
			for id, f := range keeps(k, oddStrings(), func(_ int, s string) auth.StoredFactor { return factor(s, flow.TOTP) }) {
				i++
				k.p.ok(fmt.Sprintf("UseFactor %q", id), k.f.UseFactor(k.ctx, "a1", id, 7, 100+i, f.Data+" new", start))
				k.p.is(fmt.Sprintf("UseFactor %q again", id), k.f.UseFactor(k.ctx, "a1", id, 7, 8, "", start), auth.ErrStale)
				k.p.is(fmt.Sprintf("ConsumeFactor %q as it was", id), k.f.ConsumeFactor(k.ctx, "a1", id, f.Data), auth.ErrStale)
				k.p.ok(fmt.Sprintf("ConsumeFactor %q", id), k.f.ConsumeFactor(k.ctx, "a1", id, f.Data+" new"))
			}
			k.lists("a1")
		}),
	},
	{
		"handles are opaque",
		"a passkey is found by its handle byte by byte, and by nothing like it",
		onKeyring(func(k keyring) {
			k.begin()
			all := append(oddStrings(), longStrings()...)
			for _, f := range keeps(k, all, func(i int, s string) auth.StoredFactor {
				return handled(s, factor(fmt.Sprintf("f%d", i), flow.Passkey))
			}) {
				k.finds(f)
			}
			for _, other := range []string{"b", "aa", "a  ", "NUll", "''''", "_%", longStrings()[0][1:]} {
				k.noPasskey(other)
			}
		}),
	},
	{
		"accounts of factors are opaque",
		"accounts that differ in a byte have factors of their own",
		onKeyring(func(k keyring) {
			k.begin()
			stored := keeps(k, oddStrings(), func(i int, s string) auth.StoredFactor {
				return held(s, factor(fmt.Sprintf("f%d", i), flow.TOTP))
			})
			for account, f := range stored {
				k.lists(account, f)
			}
			k.p.ok("Delete", k.s.Delete(k.ctx, "a"))
			delete(stored, "a")
			k.lists("a")
			for account, f := range stored {
				k.lists(account, f)
			}
		}),
	},
	{
		"names and data are opaque",
		"what a store keeps for others comes back byte by byte, whether it was added, used or renamed, and is compared so",
		onKeyring(func(k keyring) {
			k.begin()
			stored := keeps(k, oddStrings(), func(i int, s string) auth.StoredFactor {
				f := factor(fmt.Sprintf("f%02d", i), flow.TOTP)
				f.Name, f.Data = s, s
				return f
			})
			k.holds(factor("x", flow.TOTP))
			for s, f := range stored {
				k.p.ok("UseFactor", k.f.UseFactor(k.ctx, "a1", "x", 7, 7, s, start))
				k.p.ok("RenameFactor", k.f.RenameFactor(k.ctx, "a1", "x", s))
				k.listsAtEnd(s)
				for other := range stored {
					if other != s {
						if err := k.f.ConsumeFactor(k.ctx, "a1", f.ID, other); !errors.Is(err, auth.ErrStale) {
							k.p.failf("ConsumeFactor of one with %q as one with %q: %v", s, other, err)
						}
					}
				}
				k.p.ok("ConsumeFactor", k.f.ConsumeFactor(k.ctx, "a1", f.ID, s))
			}
		}),
	},
}

// listsAtEnd demands that the last factor of "a1" has the name and the data.
func (k keyring) listsAtEnd(s string) {
	got, err := k.f.Factors(k.ctx, "a1")
	k.p.ok("Factors", err)
	if len(got) == 0 {
		k.p.failf("there are no factors")
		return
	}
	last := got[len(got)-1]
	equal(k.p, "name and data", [2]string{last.Name, last.Data}, [2]string{s, s})
}
