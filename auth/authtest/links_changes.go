package authtest

import (
	"errors"
	"fmt"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// linkChangeRules are about what AddLink and RemoveLink do beside the link.
var linkChangeRules = []rule[Links]{
	{
		"a change of links raises the security epoch",
		"AddLink and RemoveLink raise the security epoch alone and return the epochs; status, password and mark stay, whatever they are",
		onRegistry(func(r registry) {
			for i, status := range []flow.Status{flow.Invited, flow.Active, flow.Disabled, flow.Locked} {
				id, l := fmt.Sprintf("a%d", i), fmt.Sprintf("l%d", i)
				r.p.ok("Open", r.s.Open(r.ctx, id, status, firstHash, start))
				epochs(r.p, "MarkCompromised", flow.Epochs{Security: 2, Session: 1})(r.s.MarkCompromised(r.ctx, id, start))
				c := auth.LinkChange{Link: owned(id, link(l)), From: standing(status, 2, 1), Now: start}
				epochs(r.p, "AddLink", flow.Epochs{Security: 3, Session: 1})(r.l.AddLink(r.ctx, c))
				c.From = standing(status, 3, 1)
				epochs(r.p, "RemoveLink", flow.Epochs{Security: 4, Session: 1})(r.l.RemoveLink(r.ctx, c))
				r.lists(id)
				kept(r.ctx, r.p, r.s, id, standing(status, 4, 1), firstHash, true)
			}
		}),
	},
	{
		"a change of links ends sessions",
		"with EndSessions both epochs rise by one, and those of no other account",
		onRegistry(func(r registry) {
			r.begin(link("l1"))
			end := func(c *auth.LinkChange) { c.EndSessions = true }
			epochs(r.p, "AddLink", flow.Epochs{Security: 3, Session: 2})(r.ownChanges()["AddLink"](end))
			epochs(r.p, "RemoveLink", flow.Epochs{Security: 4, Session: 3})(r.ownChanges()["RemoveLink"](end))
			equal(r.p, "standing", r.now("a1"), standing(flow.Active, 4, 3))
			equal(r.p, "another's standing", r.now("a2"), opened)
		}),
	},
	{
		"a change of links forgets mailed secrets",
		"the account's tickets go, so that a mail from before opens nothing, but for those ForUndo; other accounts' stay",
		onRegistry(func(r registry) {
			r.begin(link("l1"))
			for what, act := range r.ownChanges() {
				r.p.ok("DropTickets", r.s.DropTickets(r.ctx, "a1", auth.ForReset))
				r.adds(ticket("r1", auth.ForReset), ticket("i1", auth.ForInvitation))
				_, err := act(func(*auth.LinkChange) {})
				r.p.ok(what, err)
				r.lacks("r1", "i1")
				r.has(r.tickets()[1:]...)
			}
		}),
	},
	{
		"a change of links tells of itself",
		"its letters are queued in the same act",
		onRegistry(func(r registry) {
			r.begin(link("l1"))
			for what, act := range r.ownChanges() {
				_, err := act(func(c *auth.LinkChange) { c.Letters = []auth.Letter{letter(what + " 1"), letter(what + " 2")} })
				r.p.ok(what, err)
			}
			r.told("AddLink 1", "AddLink 2", "RemoveLink 1", "RemoveLink 2")
		}),
	},
	{
		"a change of links that cannot be told does not happen",
		"if a letter cannot be queued, the links, the account and its tickets stay as they were, and the other letters are not queued either",
		onRegistry(func(r registry) {
			r.begin(link("l1"))
			var queued []string
			for _, what := range []string{"AddLink", "RemoveLink"} {
				odd := letter(what + " 2")
				odd.To = "\xff\x00@example.org"
				before := r.sees()
				_, err := r.ownChanges()[what](func(c *auth.LinkChange) { c.Letters = []auth.Letter{letter(what + " 1"), odd, letter(what + " 3")} })
				if err == nil {
					queued = append(queued, what+" 1", what+" 2", what+" 3")
					continue
				}
				equal(r.p, "accounts after what cannot be told", r.sees(), before)
			}
			r.told(queued...)
		}),
	},
}

// linkRefusalRules are about changes that do not happen.
var linkRefusalRules = []rule[Links]{
	{
		"a change of links needs the account",
		"an unknown account is ErrNotFound, whatever From is; nothing is connected, no letter queued, and the identity is as free as before",
		onRegistry(func(r registry) {
			for _, from := range []auth.Standing{opened, {}} {
				c := auth.LinkChange{Link: link("l1"), From: from, Letters: []auth.Letter{letter("l1")}, Now: start}
				lost(r.p, "AddLink", auth.ErrNotFound)(r.l.AddLink(r.ctx, c))
				lost(r.p, "RemoveLink", auth.ErrNotFound)(r.l.RemoveLink(r.ctx, c))
			}
			r.noLink("l1")
			r.p.is("ReleaseLink", r.l.ReleaseLink(r.ctx, "l1"), auth.ErrNotFound)
			r.opens(flow.Active, firstHash)
			r.lists("a1")
			r.told()
			r.connects(owned("a2", link("l1")))
		}),
	},
	{
		"a change of links is from what was seen",
		"unless status and both epochs are those in From it is ErrStale and nothing changes: else a sign-in from before connects an identity after a reset",
		onRegistry(func(r registry) {
			r.begin(link("l1"), owned("a2", link("l2")))
			now := r.now("a1")
			for _, from := range append(nearly(), standing(flow.Locked, 2, 1), standing(flow.Invited, 2, 1), standing(flow.Active, 2, 2), auth.Standing{}) {
				if from == now {
					continue
				}
				add, remove := r.adding(link("new")), r.removing("l1")
				add.From, remove.From = from, from
				r.refused(fmt.Sprintf("AddLink from %+v", from), r.l.AddLink, add, auth.ErrStale)
				r.refused(fmt.Sprintf("RemoveLink from %+v", from), r.l.RemoveLink, remove, auth.ErrStale)
			}
		}),
	},
	{
		"a removal needs the link",
		"RemoveLink of what the account has not is ErrStale, and nothing changes",
		onRegistry(func(r registry) {
			r.begin(link("l1"), link("l3"), owned("a2", link("l2")))
			r.disconnects("l3")
			for _, id := range []string{"l2", "l3", "unknown", "", "a1", "L1", "l1 ", "subject of l1"} {
				r.refused(fmt.Sprintf("RemoveLink of %q", id), r.l.RemoveLink, r.removing(id), auth.ErrStale)
			}
		}),
	},
	{
		"an identity is one account's",
		"AddLink of an id that an account has, be it the same account, is ErrTaken and changes nothing, whatever else the link says: a sign-in with it must end in one account",
		onRegistry(func(r registry) {
			r.begin(link("l1"), owned("a2", link("l2")))
			for _, id := range []string{"l1", "l2"} {
				other := link(id)
				other.Method, other.Provider, other.Issuer, other.Subject = flow.SSO, "other", "other", "other"
				for _, l := range []auth.Link{link(id), owned("a2", link(id)), other} {
					r.refused(fmt.Sprintf("AddLink of %q to %q", id, l.Account), r.l.AddLink, r.adding(l), auth.ErrTaken)
				}
			}
		}),
	},
	{
		"a link has a method",
		"AddLink of a link without one is an error that does not say to try again, and nothing changes: State could not tell of it",
		onRegistry(func(r registry) {
			r.begin()
			none := link("l1")
			none.Method = 0
			before := r.sees()
			_, err := r.l.AddLink(r.ctx, r.adding(none))
			r.p.fails("AddLink without a method", err)
			if errors.Is(err, auth.ErrStale) || errors.Is(err, auth.ErrTaken) || errors.Is(err, auth.ErrNotFound) {
				r.p.failf("AddLink without a method: got %q", err)
			}
			equal(r.p, "accounts", r.sees(), before)
			r.connects(owned("a2", link("l1")))
		}),
	},
}

// throng is how many want one identity at once.
const throng = 50

// linkRaceRules are about changes at once.
var linkRaceRules = []rule[Links]{
	{
		"one link of an identity wins",
		"of many accounts that one identity is connected with at once one gets it, and the others stay as they were",
		onRegistry(func(r registry) {
			accounts := make([]string, throng)
			for i := range accounts {
				accounts[i] = fmt.Sprintf("a%d", i)
				r.p.ok("Open", r.s.Open(r.ctx, accounts[i], flow.Active, "", start))
			}
			errs := race(throng, func(i int) error {
				_, err := r.l.AddLink(r.ctx, auth.LinkChange{Link: owned(accounts[i], link("l1")), From: opened, Now: start})
				return err
			})
			r.p.oneWon("AddLink", errs, auth.ErrTaken)
			for i, account := range accounts {
				if errs[i] == nil {
					r.lists(account, owned(account, link("l1")))
					continue
				}
				r.lists(account)
				equal(r.p, "standing of a loser", r.now(account), opened)
			}
		}),
	},
	{
		"one change of links wins",
		"of changes of links and of the status that saw the same account one happens, and what it did alone is there",
		onRegistry(func(r registry) {
			r.begin(link("l1"))
			from := r.now("a1")
			errs := race(throng, func(i int) (err error) {
				switch i % 3 {
				case 0:
					_, err = r.l.AddLink(r.ctx, auth.LinkChange{Link: link(fmt.Sprintf("n%d", i)), From: from, Now: start})
				case 1:
					_, err = r.l.RemoveLink(r.ctx, auth.LinkChange{Link: link("l1"), From: from, Now: start})
				case 2:
					_, err = r.s.SetStatus(r.ctx, "a1", from, flow.Disabled, start)
				}
				return err
			})
			r.p.oneWon("AddLink, RemoveLink or SetStatus", errs, auth.ErrStale)
			for i, err := range errs {
				if err != nil {
					continue
				}
				switch i % 3 {
				case 0:
					r.lists("a1", link("l1"), link(fmt.Sprintf("n%d", i)))
				case 1:
					r.lists("a1")
				case 2:
					r.lists("a1", link("l1"))
				}
			}
		}),
	},
	{
		"a change of links lowers no epoch",
		"of changes of links and a raise of the epochs at once the raise happens, whichever comes first, and one change at most: a lower epoch would bring ended sessions back",
		onRegistry(func(r registry) {
			r.begin(link("l1"))
			from := r.now("a1")
			errs := race(throng, func(i int) (err error) {
				switch {
				case i == throng/2:
					_, err = r.s.RaiseEpochs(r.ctx, "a1", flow.Epochs{Security: 9, Session: 9})
				case i%2 == 0:
					_, err = r.l.AddLink(r.ctx, auth.LinkChange{Link: link(fmt.Sprintf("n%d", i)), From: from, EndSessions: true, Now: start})
				default:
					_, err = r.l.RemoveLink(r.ctx, auth.LinkChange{Link: link("l1"), From: from, Now: start})
				}
				return err
			})
			r.p.ok("RaiseEpochs", errs[throng/2])
			equal(r.p, "standing", r.now("a1"), standing(flow.Active, 9, 9))
			won := 0
			for i, err := range errs {
				if err == nil && i != throng/2 {
					won++
				} else if i != throng/2 {
					r.p.is("a loser", err, auth.ErrStale)
				}
			}
			if won > 1 {
				r.p.failf("%d changes won, want one at most", won)
			}
		}),
	},
	{
		"an identity is never between accounts",
		"while its account disconnects a link and connects it again, nobody else gets it, be there never so many who try",
		onRegistry(func(r registry) {
			r.begin(link("l1"))
			from, others := r.now("a1"), r.now("a2")
			errs := race(throng, func(i int) (err error) {
				switch i {
				case throng / 3:
					_, err = r.l.RemoveLink(r.ctx, auth.LinkChange{Link: link("l1"), From: from, Now: start})
				case throng / 2:
					from := from
					from.Epochs.Security++
					_, err = r.l.AddLink(r.ctx, auth.LinkChange{Link: link("l1"), From: from, Now: start})
				default:
					_, err = r.l.AddLink(r.ctx, auth.LinkChange{Link: owned("a2", link("l1")), From: others, Now: start})
				}
				return err
			})
			r.p.ok("RemoveLink", errs[throng/3])
			for i, err := range errs {
				if i != throng/3 && i != throng/2 {
					r.p.is("AddLink to another account", err, auth.ErrTaken)
				}
			}
			lost(r.p, "AddLink to another account then", auth.ErrTaken)(r.l.AddLink(r.ctx, r.adding(owned("a2", link("l1")))))
			r.lists("a2")
		}),
	},
}
