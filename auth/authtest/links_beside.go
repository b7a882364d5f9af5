package authtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

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
		"no other act on the account touches its links, nor what is remembered of removed ones: a recovery does so only if it is told to",
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
		"a recovery forgets a thief's links",
		"with ForgetLinks CompleteRecovery of a locked account removes all its links of the method Social in the same act, as RemoveLink does, no link of another method and nobody else's; a refused one removes none, and without ForgetLinks none goes",
		onRegistry(func(r registry) {
			social, sso := []auth.Link{link("l1"), link("l3"), link("l5")}, []auth.Link{by(flow.SSO, link("l2")), by(flow.SSO, link("l4"))}
			r.begin(social[0], sso[0], social[1], sso[1], social[2], owned("a2", link("l6")), owned("a2", by(flow.SSO, link("l7"))))
			r.disconnects("l5")
			c := r.resetting()
			for _, refusal := range []struct {
				what  string
				spoil func(c *auth.Completion)
			}{
				{"without a ticket", func(c *auth.Completion) { c.Ticket = "unknown" }},
				{"of another standing", func(c *auth.Completion) { c.From.Epochs.Session++ }},
				{"that is late", func(c *auth.Completion) { c.Now = at(time.Hour) }},
			} {
				refused := c
				refused.ForgetLinks = true
				refusal.spoil(&refused)
				before := r.sees()
				lost(r.p, "CompleteRecovery "+refusal.what, auth.ErrStale)(r.s.CompleteRecovery(r.ctx, refused))
				equal(r.p, "accounts after CompleteRecovery "+refusal.what, r.sees(), before)
			}
			_, err := r.s.CompleteRecovery(r.ctx, c)
			r.p.ok("CompleteRecovery", err)
			r.lists("a1", social[0], sso[0], social[1], sso[1])

			c = r.resetting()
			c.ForgetLinks, c.Letters = true, []auth.Letter{letter("told")}
			epochs, err := r.s.CompleteRecovery(r.ctx, c)
			r.p.ok("CompleteRecovery that forgets links", err)
			equal(r.p, "standing", r.now("a1"), auth.Standing{Status: flow.Active, Epochs: epochs})
			equal(r.p, "epochs", epochs, flow.Epochs{Security: c.From.Epochs.Security + 1, Session: c.From.Epochs.Session + 1})
			r.lists("a1", sso...)
			r.enrolled("a1", flow.Password, flow.SSO)
			r.lists("a2", owned("a2", link("l6")), owned("a2", by(flow.SSO, link("l7"))))
			r.told("told")
			for _, l := range social {
				r.unlinked(l.ID)
				lost(r.p, "AddLink of "+l.ID+" to another account", auth.ErrTaken)(r.l.AddLink(r.ctx, r.adding(owned("a2", l))))
			}
			r.connects(social[1], social[2])
			r.lists("a1", append(sso, social[1], social[2])...)
			r.p.ok("ReleaseLink", r.l.ReleaseLink(r.ctx, "l1"))
			r.connects(owned("a2", link("l1")))
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

// resetting locks the account "a1" and returns the completion of a reset that was mailed to it then.
func (r registry) resetting() auth.Completion {
	_, err := r.s.SetStatus(r.ctx, "a1", r.now("a1"), flow.Locked, start)
	r.p.ok("SetStatus", err)
	c := completion("r1")
	c.From = r.now("a1")
	reset := ticket("r1", auth.ForReset)
	reset.Security = c.From.Epochs.Security
	r.p.ok("DropTickets", r.s.DropTickets(r.ctx, "a1", auth.ForReset))
	r.adds(reset)
	return c
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
