package authtest

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// enrolled demands what State tells of the account's methods.
func (r registry) enrolled(account string, methods ...flow.Method) {
	state, err := r.s.State(r.ctx, account)
	r.p.ok("State", err)
	equal(r.p, fmt.Sprintf("methods of %q", account), state.Enrolled.List(), methods)
}

// by returns the link as one of another method.
func by(m flow.Method, l auth.Link) auth.Link {
	l.Method = m
	return l
}

// besideLinkRules are about what the ports beside the links tell of them and do to them.
var besideLinkRules = []rule[Links]{
	{
		"the state tells of links",
		"Enrolled has each method that the account has a link of, and the password if there is one; a store that leaves one out lets nobody in with it, and one that tells of removed ones offers what does not work",
		onRegistry(func(r registry) {
			r.begin()
			r.p.ok("Open", r.s.Open(r.ctx, "a3", flow.Active, "", start))
			r.enrolled("a1", flow.Password)
			r.connects(link("l1"), link("l2"), owned("a3", by(flow.SSO, link("l3"))))
			r.enrolled("a1", flow.Password, flow.Social)
			r.enrolled("a3", flow.SSO)
			r.connects(by(flow.SSO, link("l4")))
			r.enrolled("a1", flow.Password, flow.Social, flow.SSO)
			r.disconnects("l1")
			r.enrolled("a1", flow.Password, flow.Social, flow.SSO)
			r.disconnects("l2")
			r.enrolled("a1", flow.Password, flow.SSO)
			r.disconnects("l4")
			r.enrolled("a1", flow.Password)
			r.connects(by(flow.SSO, link("l2")))
			r.enrolled("a1", flow.Password, flow.SSO)
			r.enrolled("a2", flow.Password)
			r.enrolled("a3", flow.SSO)
		}),
	},
	{
		"links outlive other changes",
		"no other act on the account touches its links, nor what is remembered of removed ones",
		onRegistry(func(r registry) {
			from := standing(flow.Active, 4, 1)
			for what := range r.others(from) {
				r.p.ok("Delete", errors.Join(r.s.Delete(r.ctx, "a1"), r.s.Delete(r.ctx, "a2")))
				r.opens(flow.Active, firstHash)
				all := []auth.Link{link(what + " 1"), by(flow.SSO, link(what+" 2"))}
				r.connects(all[0], link(what+" 3"))
				r.connects(all[1])
				_, err := r.l.RemoveLink(r.ctx, auth.LinkChange{Link: link(what + " 3"), From: r.now("a1"), Now: start})
				r.p.ok("RemoveLink", err)
				reset := ticket("r1", auth.ForReset)
				reset.Security = from.Epochs.Security + 1
				r.adds(reset, ticket("u1", auth.ForUndo))
				_, err = r.others(r.now("a1"))[what]()
				r.p.ok(what, err)
				r.lists("a1", all...)
				lost(r.p, "AddLink to another account after "+what, auth.ErrTaken)(r.l.AddLink(r.ctx, r.adding(owned("a2", link(what+" 3")))))
				r.connects(link(what + " 3"))
			}
		}),
	},
	{
		"factors and links are told together",
		"State tells of factors and links alike, and neither is changed with the other; a store without factors has nothing to show here",
		onRegistry(func(r registry) {
			f, ok := r.s.(auth.FactorStore)
			if !ok {
				return
			}
			r.begin(link("l1"))
			_, err := f.ChangeFactors(r.ctx, auth.FactorChange{Account: "a1", From: r.now("a1"), Now: start, Add: []auth.StoredFactor{
				factor("f1", flow.TOTP), verifies(factor("f2", flow.Passkey)),
			}})
			r.p.ok("ChangeFactors", err)
			r.enrolled("a1", flow.Password, flow.TOTP, flow.Passkey, flow.Social)
			r.connects(by(flow.SSO, link("l2")))
			state, err := r.s.State(r.ctx, "a1")
			r.p.ok("State", err)
			equal(r.p, "verifying passkey", state.VerifyingPasskey, true)
			r.disconnects("l1")
			r.enrolled("a1", flow.Password, flow.TOTP, flow.Passkey, flow.SSO)
			_, err = f.ChangeFactors(r.ctx, auth.FactorChange{Account: "a1", From: r.now("a1"), Now: start, Remove: []string{"f1"}, RemoveAll: flow.SSO})
			r.p.ok("ChangeFactors", err)
			r.lists("a1", by(flow.SSO, link("l2")))
			r.enrolled("a1", flow.Password, flow.Passkey, flow.SSO)
		}),
	},
	{
		"a done context changes no link",
		"with a context that is done every method returns an error and leaves links, account, tickets and letters as they were",
		onRegistry(func(r registry) {
			r.begin(link("l1"), link("l2"))
			r.disconnects("l2")
			r.adds(ticket("r1", auth.ForReset))
			done := cancelled(r.ctx)
			before := r.sees()
			for what, act := range linkVerbs(r.now("a1")) {
				err := act(done, r.l)
				r.p.fails(what, err)
				if errors.Is(err, auth.ErrStale) || errors.Is(err, auth.ErrNotFound) || errors.Is(err, auth.ErrTaken) {
					r.p.failf("%s: got %q of what is as it was seen", what, err)
				}
				equal(r.p, "accounts after "+what, r.sees(), before)
			}
			r.taken("a2", "l2")
			r.told()
		}),
	},
}

// others are the acts on the account that are not about links.
func (r registry) others(from auth.Standing) map[string]func() (flow.Epochs, error) {
	acts := otherChanges(r.mailbox, from)
	acts["Rehash"] = func() (flow.Epochs, error) { return flow.Epochs{}, r.s.Rehash(r.ctx, "a1", firstHash, secondHash) }
	f, ok := r.s.(auth.FactorStore)
	if !ok {
		return acts
	}
	maps.Copy(acts, map[string]func() (flow.Epochs, error){
		"CompleteRecovery that forgets factors": func() (flow.Epochs, error) {
			c := completion("r1")
			c.From, c.ForgetFactors = from, true
			return r.s.CompleteRecovery(r.ctx, c)
		},
		"ChangeFactors": func() (flow.Epochs, error) {
			return f.ChangeFactors(r.ctx, auth.FactorChange{Account: "a1", From: from, RemoveAll: flow.Social, EndSessions: true, Now: start})
		},
	})
	return acts
}

// linkVerbs are all methods that deal with links, in a way that would do something.
func linkVerbs(from auth.Standing) map[string]func(ctx context.Context, s Links) error {
	change := func(id string) auth.LinkChange {
		return auth.LinkChange{Link: link(id), From: from, EndSessions: true, Letters: []auth.Letter{letter("l1")}, Now: start}
	}
	return map[string]func(ctx context.Context, s Links) error{
		"Links": func(ctx context.Context, s Links) error {
			_, err := s.Links(ctx, "a1")
			return err
		},
		"FindLink": func(ctx context.Context, s Links) error {
			_, err := s.FindLink(ctx, "l1")
			return err
		},
		"AddLink": func(ctx context.Context, s Links) error {
			_, err := s.AddLink(ctx, change("new"))
			return err
		},
		"RemoveLink": func(ctx context.Context, s Links) error {
			_, err := s.RemoveLink(ctx, change("l1"))
			return err
		},
		"UseLink":     func(ctx context.Context, s Links) error { return s.UseLink(ctx, "a1", "l1", "new", "new", start) },
		"ReleaseLink": func(ctx context.Context, s Links) error { return s.ReleaseLink(ctx, "l2") },
		"State": func(ctx context.Context, s Links) error {
			_, err := s.State(ctx, "a1")
			return err
		},
		"Delete": func(ctx context.Context, s Links) error { return s.Delete(ctx, "a1") },
	}
}
