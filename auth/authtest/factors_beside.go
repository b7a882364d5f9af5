package authtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// enrolled demands what State tells of the account's factors.
func (k keyring) enrolled(account string, verifying bool, methods ...flow.Method) {
	state, err := k.s.State(k.ctx, account)
	k.p.ok("State", err)
	equal(k.p, fmt.Sprintf("methods of %q", account), state.Enrolled.List(), methods)
	equal(k.p, fmt.Sprintf("%q has a verifying passkey", account), state.VerifyingPasskey, verifying)
}

// verifies returns the factor as one that verifies its user.
func verifies(f auth.StoredFactor) auth.StoredFactor {
	f.Verifying = true
	return f
}

// factorStateRules are about what AccountStore.State tells of factors.
var factorStateRules = []rule[Factors]{
	{
		"the state tells of factors",
		"Enrolled has each method that the account has a factor of, and the password if there is one; a store that leaves one out lets a sign-in go without it",
		onKeyring(func(k keyring) {
			methods := []flow.Method{flow.TOTP, flow.RecoveryCode, flow.Passkey, flow.HostFactor}
			k.begin()
			for i, m := range methods {
				id := fmt.Sprintf("b%d", i)
				k.p.ok("Open", k.s.Open(k.ctx, id, flow.Active, "", start))
				k.holds(held(id, factor("1 of "+id, m)), held(id, factor("2 of "+id, m)), factor("f"+id, m))
				k.enrolled(id, false, m)
				k.enrolled("a1", false, append([]flow.Method{flow.Password}, methods[:i+1]...)...)
			}
			k.changes(k.removing("fb0", "fb2"))
			k.enrolled("a1", false, flow.Password, flow.RecoveryCode, flow.HostFactor)
			k.enrolled("a2", false, flow.Password)
		}),
	},
	{
		"the state tells when the codes are used up",
		"with one code left the method is enrolled, and with none it is not: nobody is asked for what they have not",
		onKeyring(func(k keyring) {
			k.begin(factor("c1", flow.RecoveryCode), factor("c2", flow.RecoveryCode), factor("f1", flow.TOTP))
			k.p.ok("ConsumeFactor", k.f.ConsumeFactor(k.ctx, "a1", "c2", "data of c2"))
			k.enrolled("a1", false, flow.Password, flow.TOTP, flow.RecoveryCode)
			k.p.ok("ConsumeFactor", k.f.ConsumeFactor(k.ctx, "a1", "c1", "data of c1"))
			k.enrolled("a1", false, flow.Password, flow.TOTP)
		}),
	},
	{
		"the state tells of verifying passkeys",
		"VerifyingPasskey is whether one of the account's passkeys verifies its user; other factors do not count for that, and it ends with the passkey",
		onKeyring(func(k keyring) {
			k.begin(factor("f1", flow.Passkey), verifies(factor("f2", flow.TOTP)), verifies(factor("f3", flow.RecoveryCode)), verifies(factor("f4", flow.HostFactor)))
			k.enrolled("a1", false, flow.Password, flow.TOTP, flow.RecoveryCode, flow.Passkey, flow.HostFactor)
			k.holds(verifies(factor("f5", flow.Passkey)), factor("f6", flow.Passkey))
			k.enrolled("a1", true, flow.Password, flow.TOTP, flow.RecoveryCode, flow.Passkey, flow.HostFactor)
			k.enrolled("a2", false, flow.Password)
			k.changes(k.removing("f1", "f6"))
			k.enrolled("a1", true, flow.Password, flow.TOTP, flow.RecoveryCode, flow.Passkey, flow.HostFactor)
			k.changes(k.removing("f5"))
			k.enrolled("a1", false, flow.Password, flow.TOTP, flow.RecoveryCode, flow.HostFactor)
		}),
	},
}

// besideFactorRules are about what the ports beside the factors do to them.
var besideFactorRules = []rule[Factors]{
	{
		"delete forgets the factors",
		"a deleted account's factors are gone, nothing finds them, and what they were called by is free; whoever opens the account again has none of them, and those of others stay",
		onKeyring(func(k keyring) {
			k.begin(append(set("c"), factor("f1", flow.Passkey), factor("f2", flow.TOTP), held("a2", factor("f3", flow.Passkey)))...)
			k.p.ok("Delete", k.s.Delete(k.ctx, "a1"))
			k.lists("a1")
			k.noPasskey("handle of f1")
			k.p.is("UseFactor", k.f.UseFactor(k.ctx, "a1", "f2", 7, 8, "", start), auth.ErrStale)
			k.p.is("ConsumeFactor", k.f.ConsumeFactor(k.ctx, "a1", "c1", "data of c1"), auth.ErrStale)
			k.p.is("RenameFactor", k.f.RenameFactor(k.ctx, "a1", "f2", "new"), auth.ErrNotFound)
			k.p.ok("Open again", k.s.Open(k.ctx, "a1", flow.Active, firstHash, start))
			k.lists("a1")
			k.enrolled("a1", false, flow.Password)
			k.lists("a2", held("a2", factor("f3", flow.Passkey)))
			k.holds(held("a2", factor("f1", flow.Passkey)), held("a2", factor("f2", flow.TOTP)))
			k.finds(held("a2", factor("f1", flow.Passkey)))
			k.finds(held("a2", factor("f3", flow.Passkey)))
		}),
	},
	{
		"factors outlive other changes",
		"no other act on the account touches its factors: a mailbox does not get past a second factor by a reset",
		onKeyring(func(k keyring) {
			all := append(set("c"), verifies(factor("f1", flow.Passkey)), factor("f2", flow.TOTP))
			from := standing(flow.Active, 2, 1)
			for what := range otherChanges(k.mailbox, from) {
				k.p.ok("Delete", errors.Join(k.s.Delete(k.ctx, "a1"), k.s.Delete(k.ctx, "a2")))
				k.opens(flow.Active, firstHash)
				k.holds(all...)
				reset := ticket("r1", auth.ForReset)
				reset.Security = 2
				k.adds(reset, ticket("u1", auth.ForUndo))
				_, err := otherChanges(k.mailbox, from)[what]()
				k.p.ok(what, err)
				k.lists("a1", all...)
				k.enrolled("a1", true, flow.Password, flow.TOTP, flow.RecoveryCode, flow.Passkey)
			}
		}),
	},
	{
		"a recovery forgets lost factors",
		"with ForgetFactors CompleteRecovery removes all the account's second factors in the same act and no others, and a refused one removes none",
		onKeyring(func(k keyring) {
			k.opens(flow.Active, firstHash)
			all := append(set("c"), verifies(factor("f1", flow.Passkey)), factor("f2", flow.TOTP), factor("f4", flow.HostFactor))
			k.holds(append(all, held("a2", factor("f3", flow.Passkey)))...)
			reset := ticket("r1", auth.ForReset)
			reset.Security = 2
			k.adds(reset)
			c := completion("r1")
			c.From, c.ForgetFactors = standing(flow.Active, 2, 1), true
			c.Ticket = "unknown"
			lost(k.p, "CompleteRecovery without a ticket", auth.ErrStale)(k.s.CompleteRecovery(k.ctx, c))
			k.lists("a1", all...)
			c.Ticket = "r1"
			_, err := k.s.CompleteRecovery(k.ctx, c)
			k.p.ok("CompleteRecovery", err)
			k.lists("a1")
			k.enrolled("a1", false, flow.Password)
			k.noPasskey("handle of f1")
			k.lists("a2", held("a2", factor("f3", flow.Passkey)))
		}),
	},
	{
		"a done context changes no factor",
		"with a context that is done every method returns an error and leaves factors, account, tickets and letters as they were",
		onKeyring(func(k keyring) {
			k.begin(factor("f1", flow.Passkey), factor("c1", flow.RecoveryCode))
			done := cancelled(k.ctx)
			before := k.sees()
			for what, act := range factorVerbs(k.now("a1")) {
				err := act(done, k.f)
				k.p.fails(what, err)
				if errors.Is(err, auth.ErrStale) || errors.Is(err, auth.ErrNotFound) || errors.Is(err, auth.ErrTaken) {
					k.p.failf("%s: got %q of what is as it was seen", what, err)
				}
				equal(k.p, "accounts after "+what, k.sees(), before)
			}
			k.told()
		}),
	},
}

// otherChanges are the acts that raise epochs of an active account that has the tickets "u1" and, of its security
// epoch, "r1", beside those on its factors and links.
func otherChanges(m mailbox, from auth.Standing) map[string]func() (flow.Epochs, error) {
	reset, undo := completion("r1"), completion("u1")
	reset.From, undo.From = from, from
	return map[string]func() (flow.Epochs, error){
		"SetStatus":        func() (flow.Epochs, error) { return m.s.SetStatus(m.ctx, "a1", from, flow.Locked, start) },
		"RaiseEpochs":      func() (flow.Epochs, error) { return m.s.RaiseEpochs(m.ctx, "a1", flow.Epochs{Security: 9, Session: 9}) },
		"MarkCompromised":  func() (flow.Epochs, error) { return m.s.MarkCompromised(m.ctx, "a1", start) },
		"CompleteRecovery": func() (flow.Epochs, error) { return m.s.CompleteRecovery(m.ctx, reset) },
		"CompleteUndo":     func() (flow.Epochs, error) { return m.s.CompleteUndo(m.ctx, undo) },
		"ReplacePassword": func() (flow.Epochs, error) {
			return m.s.ReplacePassword(m.ctx, "a1", from.Epochs, secondHash, true, start)
		},
		"ChangeAddress": func() (flow.Epochs, error) {
			return m.s.ChangeAddress(m.ctx, "a1", from, ticket("new", auth.ForUndo))
		},
	}
}

// factorVerbs are all methods that deal with factors, in a way that would do something.
func factorVerbs(from auth.Standing) map[string]func(ctx context.Context, s Factors) error {
	return map[string]func(ctx context.Context, s Factors) error{
		"Factors": func(ctx context.Context, s Factors) error {
			_, err := s.Factors(ctx, "a1")
			return err
		},
		"FindPasskey": func(ctx context.Context, s Factors) error {
			_, err := s.FindPasskey(ctx, "handle of f1")
			return err
		},
		"ChangeFactors": func(ctx context.Context, s Factors) error {
			_, err := s.ChangeFactors(ctx, auth.FactorChange{
				Account: "a1", From: from, Remove: []string{"f1"}, RemoveAll: flow.RecoveryCode, Add: []auth.StoredFactor{factor("new", flow.TOTP)},
				EndSessions: true, Letters: []auth.Letter{letter("l1")}, Now: start,
			})
			return err
		},
		"UseFactor":     func(ctx context.Context, s Factors) error { return s.UseFactor(ctx, "a1", "f1", 7, 8, "new", start) },
		"ConsumeFactor": func(ctx context.Context, s Factors) error { return s.ConsumeFactor(ctx, "a1", "c1", "data of c1") },
		"RenameFactor":  func(ctx context.Context, s Factors) error { return s.RenameFactor(ctx, "a1", "f1", "new") },
		"State": func(ctx context.Context, s Factors) error {
			_, err := s.State(ctx, "a1")
			return err
		},
		"Delete": func(ctx context.Context, s Factors) error { return s.Delete(ctx, "a1") },
	}
}
