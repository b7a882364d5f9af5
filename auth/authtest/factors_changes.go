package authtest

import (
	"errors"
	"fmt"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

var factorChangeRules = []rule[Factors]{
	{
		"a change of factors raises the security epoch",
		"ChangeFactors adds, removes or does neither, raises the security epoch alone and returns the epochs; status, password and mark stay, whatever they are",
		onKeyring(func(k keyring) {
			for i, status := range []flow.Status{flow.Invited, flow.Active, flow.Disabled, flow.Locked} {
				id, f := fmt.Sprintf("a%d", i), fmt.Sprintf("f%d", i)
				k.p.ok("Open", k.s.Open(k.ctx, id, status, firstHash, start))
				epochs(k.p, "MarkCompromised", flow.Epochs{Security: 2, Session: 1})(k.s.MarkCompromised(k.ctx, id, start))
				for n, c := range []auth.FactorChange{{Add: []auth.StoredFactor{held(id, factor(f, flow.TOTP))}}, {}, {Remove: []string{f}}} {
					security := uint64(3 + n)
					c.Account, c.From, c.Now = id, standing(status, security-1, 1), start
					epochs(k.p, "ChangeFactors", flow.Epochs{Security: security, Session: 1})(k.f.ChangeFactors(k.ctx, c))
				}
				k.lists(id)
				kept(k.ctx, k.p, k.s, id, standing(status, 5, 1), firstHash, true)
			}
		}),
	},
	{
		"a change of factors ends sessions",
		"with EndSessions both epochs rise by one",
		onKeyring(func(k keyring) {
			k.begin()
			c := k.adding(factor("f1", flow.TOTP))
			c.EndSessions = true
			epochs(k.p, "ChangeFactors", flow.Epochs{Security: 2, Session: 2})(k.f.ChangeFactors(k.ctx, c))
			equal(k.p, "standing", k.now("a1"), standing(flow.Active, 2, 2))
			equal(k.p, "another's standing", k.now("a2"), opened)
		}),
	},
	{
		"a change of factors forgets mailed secrets",
		"the account's tickets go, so that a mail from before opens nothing, but for those ForUndo; other accounts' stay",
		onKeyring(func(k keyring) {
			k.begin()
			k.adds(ticket("i1", auth.ForInvitation))
			k.changes(k.adding(factor("f1", flow.TOTP)))
			k.lacks("r1", "i1")
			k.has(k.tickets()[1:]...)
		}),
	},
	{
		"a change of factors tells of itself",
		"its letters are queued in the same act",
		onKeyring(func(k keyring) {
			k.begin()
			c := k.adding(factor("f1", flow.TOTP))
			c.Letters = []auth.Letter{letter("l1"), letter("l2")}
			k.changes(c)
			k.told("l1", "l2")
		}),
	},
	{
		"a change of factors that cannot be told does not happen",
		"if a letter cannot be queued, the factors, the account and its tickets stay as they were, and the other letters are not queued either",
		onKeyring(func(k keyring) {
			k.begin(factor("f1", flow.TOTP))
			odd := letter("l2")
			odd.To = "\xff\x00@example.org"
			c := k.adding(factor("f2", flow.TOTP))
			c.Remove, c.Letters = []string{"f1"}, []auth.Letter{letter("l1"), odd, letter("l3")}
			before := k.sees()
			if _, err := k.f.ChangeFactors(k.ctx, c); err == nil {
				k.lists("a1", factor("f2", flow.TOTP))
				k.told("l1", "l2", "l3")
				return
			}
			equal(k.p, "accounts after what cannot be told", k.sees(), before)
			k.told()
		}),
	},
	{
		"one change of factors wins",
		"of changes made at once from one standing one happens, and its factor alone is kept",
		onKeyring(func(k keyring) {
			k.begin()
			errs := race(racers, func(i int) error {
				f := factor(fmt.Sprintf("f%02d", i), flow.TOTP)
				_, err := k.f.ChangeFactors(k.ctx, auth.FactorChange{Account: "a1", From: opened, Add: []auth.StoredFactor{f}, Now: start})
				return err
			})
			k.p.oneWon("ChangeFactors", errs, auth.ErrStale)
			for i, err := range errs {
				if err == nil {
					k.lists("a1", factor(fmt.Sprintf("f%02d", i), flow.TOTP))
				}
			}
			equal(k.p, "standing", k.now("a1"), standing(flow.Active, 2, 1))
		}),
	},
	{
		"a change of factors and a status do not both win",
		"of a change of factors and a change of status that saw the same account one happens",
		onKeyring(func(k keyring) {
			k.begin()
			errs := race(racers, func(i int) (err error) {
				if i%2 == 0 {
					_, err = k.s.SetStatus(k.ctx, "a1", opened, flow.Disabled, start)
				} else {
					f := factor(fmt.Sprintf("f%02d", i), flow.TOTP)
					_, err = k.f.ChangeFactors(k.ctx, auth.FactorChange{Account: "a1", From: opened, Add: []auth.StoredFactor{f}, Now: start})
				}
				return err
			})
			k.p.oneWon("SetStatus or ChangeFactors", errs, auth.ErrStale)
			got, err := k.f.Factors(k.ctx, "a1")
			k.p.ok("Factors", err)
			equal(k.p, "there is a factor of an active account", len(got) == 1, k.now("a1").Status == flow.Active)
		}),
	},
}

// set returns recovery codes of the account "a1". Sets with other names have other ids, and codes of the same handles.
func set(name string) []auth.StoredFactor {
	all := make([]auth.StoredFactor, 10)
	for i := range all {
		all[i] = handled(fmt.Sprintf("selector %d", i), factor(fmt.Sprintf("%s%d", name, i), flow.RecoveryCode))
	}
	return all
}

// factorSetRules are about what goes and what comes in its place.
var factorSetRules = []rule[Factors]{
	{
		"a change removes what it names",
		"the factors of the account with the ids go, one that is named twice too, and no others",
		onKeyring(func(k keyring) {
			k.begin(factor("f1", flow.TOTP), factor("f2", flow.Passkey), factor("f3", flow.RecoveryCode), factor("f4", flow.TOTP), held("a2", factor("f5", flow.TOTP)))
			k.changes(k.removing("f3", "f1", "f3"))
			k.lists("a1", factor("f2", flow.Passkey), factor("f4", flow.TOTP))
			k.changes(k.removing("f4"))
			k.lists("a1", factor("f2", flow.Passkey))
			k.lists("a2", held("a2", factor("f5", flow.TOTP)))
		}),
	},
	{
		"a change removes all of a method",
		"RemoveAll takes the account's factors of the method, those that are named as well, and no others; none is no error, and no method is none",
		onKeyring(func(k keyring) {
			k.begin(append(set("c"), factor("f1", flow.TOTP), factor("f2", flow.Passkey), held("a2", factor("f3", flow.RecoveryCode)))...)
			k.changes(k.removing())
			k.lists("a1", append(set("c"), factor("f1", flow.TOTP), factor("f2", flow.Passkey))...)
			c := k.removing("c3", "f2")
			c.RemoveAll = flow.RecoveryCode
			k.changes(c)
			k.lists("a1", factor("f1", flow.TOTP))
			c.Remove, c.From = nil, k.now("a1")
			k.changes(c)
			k.lists("a1", factor("f1", flow.TOTP))
			k.lists("a2", held("a2", factor("f3", flow.RecoveryCode)))
		}),
	},
	{
		"a set is replaced in one act",
		"what is added comes after the removal: a new set of codes, or a passkey that is enrolled again, may have the handles of the old",
		onKeyring(func(k keyring) {
			k.begin(append(set("old"), factor("f1", flow.Passkey), factor("f2", flow.TOTP))...)
			k.p.ok("ConsumeFactor", k.f.ConsumeFactor(k.ctx, "a1", "old4", "data of old4"))
			again := handled("handle of f1", factor("f3", flow.Passkey))
			c := k.adding(append(set("new"), again)...)
			c.RemoveAll, c.Remove = flow.RecoveryCode, []string{"f1"}
			k.changes(c)
			k.lists("a1", append(append([]auth.StoredFactor{factor("f2", flow.TOTP)}, again), set("new")...)...)
			k.finds(again)
		}),
	},
	{
		"one of many new sets wins",
		"of sets that replace each other at once one is there in the end, whole",
		onKeyring(func(k keyring) {
			k.begin(set("old")...)
			from := k.now("a1")
			errs := race(racers, func(i int) error {
				_, err := k.f.ChangeFactors(k.ctx, auth.FactorChange{
					Account: "a1", From: from, RemoveAll: flow.RecoveryCode, Add: set(fmt.Sprintf("s%02d-", i)), Now: start,
				})
				return err
			})
			k.p.oneWon("ChangeFactors", errs, auth.ErrStale)
			for i, err := range errs {
				if err == nil {
					k.lists("a1", set(fmt.Sprintf("s%02d-", i))...)
				}
			}
		}),
	},
}

// factorRefusalRules are about changes that do not happen.
var factorRefusalRules = []rule[Factors]{
	{
		"a change of factors needs the account",
		"an unknown account is ErrNotFound, whatever From is; no factor is kept, no letter queued, and none waits for whoever opens the account",
		onKeyring(func(k keyring) {
			for _, from := range []auth.Standing{opened, {}} {
				lost(k.p, "ChangeFactors", auth.ErrNotFound)(k.f.ChangeFactors(k.ctx, auth.FactorChange{
					Account: "a1", From: from, Add: []auth.StoredFactor{factor("f1", flow.Passkey)}, Letters: []auth.Letter{letter("l1")}, Now: start,
				}))
			}
			lost(k.p, "ChangeFactors", auth.ErrNotFound)(k.f.ChangeFactors(k.ctx, auth.FactorChange{Account: "a1", From: opened, Remove: []string{"f1"}, Now: start}))
			k.noPasskey("handle of f1")
			k.opens(flow.Active, firstHash)
			k.lists("a1")
			k.told()
		}),
	},
	{
		"a change of factors is from what was seen",
		"unless status and both epochs are those in From it is ErrStale and nothing changes: else a sign-in from before takes a factor away that came since",
		onKeyring(func(k keyring) {
			k.begin(held("a2", factor("f2", flow.TOTP)))
			for _, from := range append(nearly(), standing(flow.Locked, 1, 1), standing(flow.Invited, 1, 1), auth.Standing{}) {
				c := k.adding(factor("f1", flow.TOTP))
				c.From = from
				k.refused(fmt.Sprintf("from %+v", from), c, auth.ErrStale)
			}
		}),
	},
	{
		"a change of factors needs what it removes",
		"an id in Remove that the account has no factor of is ErrStale, and nothing changes: what was to be replaced is no longer what was seen",
		onKeyring(func(k keyring) {
			k.begin(factor("f1", flow.TOTP), factor("c1", flow.RecoveryCode), held("a2", factor("f2", flow.TOTP)))
			for _, id := range []string{"f2", "unknown", "", "a1", "F1", "f1 ", "name of f1"} {
				for _, ids := range [][]string{{id}, {"f1", id}, {id, "f1"}} {
					c := k.removing(ids...)
					c.RemoveAll, c.Add = flow.RecoveryCode, []auth.StoredFactor{factor("f3", flow.TOTP)}
					k.refused(fmt.Sprintf("that removes %q", ids), c, auth.ErrStale)
				}
			}
		}),
	},
	{
		"a refused change of factors is refused whole",
		"a change that removes, ends sessions and then comes upon an id or a handle in use has removed and ended nothing",
		onKeyring(func(k keyring) {
			k.begin(append(set("c"), factor("f1", flow.TOTP), factor("f2", flow.TOTP), held("a2", factor("f3", flow.Passkey)))...)
			for what, taken := range map[string]auth.StoredFactor{
				"an id": factor("f2", flow.TOTP), "another's id": factor("f3", flow.TOTP), "another's passkey": handled("handle of f3", factor("f4", flow.Passkey)),
				"a handle of the new set": handled("selector 3", factor("f4", flow.RecoveryCode)),
			} {
				c := k.adding(append(set("new"), taken)...)
				c.Remove, c.RemoveAll, c.EndSessions = []string{"f1"}, flow.RecoveryCode, true
				k.refused("with "+what+" in use", c, auth.ErrTaken)
			}
		}),
	},
	{
		"a change takes the account's own factors",
		"a factor of another account is an error, and nothing changes: a proof by it would be another person's",
		onKeyring(func(k keyring) {
			k.begin(factor("f1", flow.TOTP))
			for _, account := range []string{"a2", "a3", ""} {
				before := k.sees()
				c := k.adding(factor("f2", flow.TOTP), held(account, factor("f3", flow.TOTP)))
				c.Remove, c.Letters = []string{"f1"}, []auth.Letter{letter("l1")}
				_, err := k.f.ChangeFactors(k.ctx, c)
				k.p.fails("ChangeFactors with a factor of "+account, err)
				if errors.Is(err, auth.ErrStale) || errors.Is(err, auth.ErrTaken) {
					k.p.failf("ChangeFactors with a factor of %q: got %q, which says to try again", account, err)
				}
				equal(k.p, "accounts", k.sees(), before)
			}
			k.told()
		}),
	},
}
