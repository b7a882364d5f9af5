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

// Links is what keeps links, with the accounts, tickets and letters that change in the same acts.
type Links interface {
	Tickets
	auth.LinkStore
}

// RunLinks checks the contract of auth.LinkStore, and what auth.AccountStore tells of links and does to them, a
// subtest and a fresh, empty store for each rule. If the store is an auth.FactorStore as well, so is that factors and
// links leave each other alone.
func RunLinks(t *testing.T, open func(t *testing.T) Links) {
	t.Helper()
	run(t, linkRules(), open)
}

// CheckLinks checks what RunLinks does, outside a test. It calls open for each rule, which must return an empty store,
// and returns every rule that is broken.
func CheckLinks(ctx context.Context, open func() (Links, error)) error {
	return check(ctx, linkRules(), open)
}

func linkRules() []rule[Links] {
	return slices.Concat(linkRowRules, opaqueLinkRules, linkChangeRules, linkRefusalRules, linkRaceRules, goneLinkRules, linkUseRules, besideLinkRules)
}

// registry calls the store and states what must come of it.
type registry struct {
	mailbox
	l Links
}

// onRegistry makes a check of f.
func onRegistry(f func(r registry)) func(ctx context.Context, p *probe, s Links) {
	return func(ctx context.Context, p *probe, s Links) { f(registry{mailbox{ctx, p, s}, s}) }
}

// link returns a link of the account "a1".
func link(id string) auth.Link {
	return auth.Link{
		ID: id, Account: "a1", Method: flow.Social, Provider: "acme", Issuer: "https://acme.example", Subject: "subject of " + id,
		Email: id + "@example.org", Name: "name of " + id, LinkedAt: start,
	}
}

// owned returns the link as another account's.
func owned(account string, l auth.Link) auth.Link {
	l.Account = account
	return l
}

// begin opens the accounts "a1" and "a2", connects the links with them, one after another, and adds tickets then.
func (r registry) begin(links ...auth.Link) {
	r.opens(flow.Active, firstHash)
	r.connects(links...)
	r.adds(r.tickets()...)
}

// adding returns a change that connects the link with its account, which stands as it does.
func (r registry) adding(l auth.Link) auth.LinkChange {
	return auth.LinkChange{Link: l, From: r.now(l.Account), Now: start}
}

// removing returns a change that disconnects a link of the account "a1", which stands as it does. It says no more of
// the link than it must.
func (r registry) removing(id string) auth.LinkChange {
	return auth.LinkChange{Link: auth.Link{ID: id, Account: "a1"}, From: r.now("a1"), Now: start}
}

func (r registry) connects(links ...auth.Link) {
	for _, l := range links {
		_, err := r.l.AddLink(r.ctx, r.adding(l))
		r.p.ok(fmt.Sprintf("AddLink of %q to %q", l.ID, l.Account), err)
	}
}

// disconnects removes links of the account "a1".
func (r registry) disconnects(ids ...string) {
	for _, id := range ids {
		_, err := r.l.RemoveLink(r.ctx, r.removing(id))
		r.p.ok(fmt.Sprintf("RemoveLink of %q", id), err)
	}
}

// lists demands that the account has these links in this order, and that each is found by its id.
func (r registry) lists(account string, want ...auth.Link) {
	got, err := r.l.Links(r.ctx, account)
	r.p.ok(fmt.Sprintf("Links(%q)", account), err)
	if len(got) > 0 || len(want) > 0 {
		equal(r.p, fmt.Sprintf("links of %q", account), got, want)
	}
	for _, l := range want {
		got, err := r.l.FindLink(r.ctx, l.ID)
		r.p.ok(fmt.Sprintf("FindLink(%q)", l.ID), err)
		equal(r.p, fmt.Sprintf("link %q", l.ID), got, l)
	}
}

// noLink demands that nothing is found by the ids.
func (r registry) noLink(ids ...string) {
	for _, id := range ids {
		_, err := r.l.FindLink(r.ctx, id)
		r.p.is(fmt.Sprintf("FindLink(%q)", id), err, auth.ErrNotFound)
	}
}

// view is all that there is to see of the accounts "a1" and "a2".
type view struct {
	states  [2]auth.AccountState
	links   [2][]auth.Link
	tickets []string
}

func (r registry) sees() view {
	var all view
	var err error
	for i, account := range []string{"a1", "a2"} {
		all.states[i], err = r.s.State(r.ctx, account)
		r.p.ok("State", err)
		all.links[i], err = r.l.Links(r.ctx, account)
		r.p.ok("Links", err)
	}
	for _, t := range r.tickets() {
		if _, err := r.s.FindTicket(r.ctx, t.ID, start); err == nil {
			all.tickets = append(all.tickets, t.ID)
		}
	}
	return all
}

// linkVerb is AddLink or RemoveLink.
type linkVerb func(ctx context.Context, c auth.LinkChange) (flow.Epochs, error)

// refused demands that the change is refused with the error, does nothing and tells nobody.
func (r registry) refused(what string, verb linkVerb, c auth.LinkChange, want error) {
	before := r.sees()
	c.Letters, c.EndSessions = []auth.Letter{letter("refused")}, true
	lost(r.p, what, want)(verb(r.ctx, c))
	equal(r.p, "accounts after "+what, r.sees(), before)
	r.told()
}

// nothing demands that the act returns the error and does nothing.
func (r registry) nothing(what string, want error, act func() error) {
	before := r.sees()
	r.p.is(what, act(), want)
	equal(r.p, "accounts after "+what, r.sees(), before)
}

// ownChanges are one change of each kind that the account "a1" can make as it stands: it connects "new", which is free,
// and disconnects "l1", which it has.
func (r registry) ownChanges() map[string]func(alter func(c *auth.LinkChange)) (flow.Epochs, error) {
	act := func(verb linkVerb, c auth.LinkChange) func(alter func(c *auth.LinkChange)) (flow.Epochs, error) {
		return func(alter func(c *auth.LinkChange)) (flow.Epochs, error) {
			c.From = r.now("a1")
			alter(&c)
			return verb(r.ctx, c)
		}
	}
	return map[string]func(alter func(c *auth.LinkChange)) (flow.Epochs, error){
		"AddLink":    act(r.l.AddLink, auth.LinkChange{Link: link("new"), Now: start}),
		"RemoveLink": act(r.l.RemoveLink, auth.LinkChange{Link: auth.Link{ID: "l1", Account: "a1"}, Now: start}),
	}
}

var linkRowRules = []rule[Links]{
	{
		"a link comes back whole",
		"a link is listed and found with every field as given, times in UTC to the millisecond, and one that nobody used with no time of that",
		onRegistry(func(r registry) {
			full := auth.Link{
				ID: "l1", Account: "a1", Method: flow.SSO, Provider: "conn-1", Issuer: "https://idp.example/\"a'b", Subject: "Zo\u00eb \U0001f511\n\\",
				Email: "Zo\u00eb@Example.org", Name: "Zo\u00eb 'Z'", LinkedAt: at(-3 * tick), UsedAt: at(5 * tick),
			}
			bare := auth.Link{ID: "l2", Account: "a1", Method: flow.Social, Issuer: "i", Subject: "s", LinkedAt: start}
			r.begin(full, bare)
			r.lists("a1", full, bare)
		}),
	},
	{
		"the longest link comes back whole",
		"an id and a provider of 128 bytes, an issuer and a subject of 255, an address of 320 and a name of 256 are kept to the end, and told from others by it",
		onRegistry(func(r registry) {
			var all []auth.Link
			for _, end := range []string{"1", "2"} {
				long := func(n int) string { return strings.Repeat("x", n-1) + end }
				all = append(all, auth.Link{
					ID: long(128), Account: "a1", Method: flow.SSO, Provider: long(128), Issuer: long(255), Subject: long(255),
					Email: long(320), Name: long(256), LinkedAt: start,
				})
			}
			r.begin(all...)
			r.lists("a1", all...)
			for i, name := range []string{"3", "4"} {
				all[i].Email, all[i].Name, all[i].UsedAt = strings.Repeat("y", 319)+name, strings.Repeat("y", 255)+name, start
				r.p.ok("UseLink", r.l.UseLink(r.ctx, "a1", all[i].ID, all[i].Email, all[i].Name, start))
			}
			r.lists("a1", all...)
		}),
	},
	{
		"an unknown account has no links",
		"an account that is unknown, or has none, has an empty list, and no error",
		onRegistry(func(r registry) {
			r.lists("a1")
			r.begin(link("l1"))
			r.lists("a2")
			r.lists("l1")
			r.lists("")
		}),
	},
	{
		"links come in order",
		"those connected first come first, whatever the clocks and the ids said; a use does not change that, and one that is connected again comes last",
		onRegistry(func(r registry) {
			late, middle, early := link("m"), link("z"), link("a")
			late.LinkedAt, early.LinkedAt = at(time.Hour), at(-time.Hour)
			r.begin(late, middle, early)
			r.p.ok("UseLink", r.l.UseLink(r.ctx, "a1", "z", "", "", at(time.Minute)))
			middle.UsedAt = at(time.Minute)
			r.lists("a1", late, middle, early)
			r.disconnects("m")
			r.lists("a1", middle, early)
			r.connects(late)
			r.lists("a1", middle, early, late)
		}),
	},
	{
		"links are the caller's copies",
		"changing what was listed changes nothing that is kept",
		onRegistry(func(r registry) {
			r.begin(link("l1"))
			got, err := r.l.Links(r.ctx, "a1")
			r.p.ok("Links", err)
			for i := range got {
				got[i].Email, got[i].Account = "changed", "a2"
			}
			r.lists("a1", link("l1"))
		}),
	},
	{
		"a link is found by its id",
		"FindLink returns the link with the id whosever it is, as it is at the moment; what is not there is ErrNotFound, and neither issuer and subject nor an address finds anything",
		onRegistry(func(r registry) {
			r.noLink("l1", "")
			twin := owned("a2", link("l2"))
			twin.Issuer, twin.Subject, twin.Email = link("l1").Issuer, link("l1").Subject, link("l1").Email
			r.begin(link("l1"), twin)
			r.lists("a1", link("l1"))
			r.lists("a2", twin)
			r.noLink("a1", "acme", link("l1").Issuer, link("l1").Subject, link("l1").Email, "")
			r.p.ok("UseLink", r.l.UseLink(r.ctx, "a2", "l2", "new@example.org", "new", at(tick)))
			twin.Email, twin.Name, twin.UsedAt = "new@example.org", "new", at(tick)
			r.lists("a2", twin)
		}),
	},
	{
		"accounts have links of their own",
		"no method reaches a link through another account, and what becomes of one account's links leaves the other's alone",
		onRegistry(func(r registry) {
			r.begin(link("l1"), owned("a2", link("l2")))
			for _, account := range []string{"a2", "a3", "", "l1"} {
				r.nothing("UseLink as "+account, auth.ErrStale, func() error { return r.l.UseLink(r.ctx, account, "l1", "new", "new", start) })
			}
			r.refused("RemoveLink of another account's", r.l.RemoveLink, r.removing("l2"), auth.ErrStale)
			r.disconnects("l1")
			r.lists("a2", owned("a2", link("l2")))
		}),
	},
}

// opaqueLinkRules are about strings, which a store does not read.
var opaqueLinkRules = []rule[Links]{
	{
		"link ids are opaque",
		"ids that differ in a byte are different links; one that cannot be stored is refused, never mistaken",
		onRegistry(func(r registry) {
			r.begin()
			var stored []auth.Link
			for _, s := range oddStrings() {
				stored = append(stored, r.keeps(s, link(s))...)
			}
			r.lists("a1", stored...)
			r.noLink("b", "aa", "a  ", "NUll", "''''", "_%")
			for i, l := range stored {
				r.p.ok(fmt.Sprintf("UseLink of %q", l.ID), r.l.UseLink(r.ctx, "a1", l.ID, "", "", at(tick)))
				r.disconnects(l.ID)
				r.lists("a1", stored[i+1:]...)
				r.p.ok(fmt.Sprintf("ReleaseLink of %q", l.ID), r.l.ReleaseLink(r.ctx, l.ID))
			}
		}),
	},
	{
		"accounts of links are opaque",
		"accounts that differ in a byte have links of their own",
		onRegistry(func(r registry) {
			stored := map[string]auth.Link{}
			for i, s := range oddStrings() {
				if err := r.s.Open(r.ctx, s, flow.Active, "", start); err != nil && mayRefuse(s) {
					continue
				}
				for _, l := range r.keeps(s, owned(s, link(fmt.Sprintf("l%d", i)))) {
					stored[s] = l
				}
			}
			for account, l := range stored {
				r.lists(account, l)
			}
			r.p.ok("Delete", r.s.Delete(r.ctx, "a"))
			delete(stored, "a")
			r.lists("a")
			for account, l := range stored {
				r.lists(account, l)
			}
		}),
	},
	{
		"what a link says is opaque",
		"what a store keeps for others comes back byte by byte, whether it came with the link or with a use",
		onRegistry(func(r registry) {
			r.begin(link("x"))
			r.disconnects("x")
			var stored []auth.Link
			for i, s := range oddStrings() {
				l := link(fmt.Sprintf("l%d", i))
				l.Provider, l.Issuer, l.Subject, l.Email, l.Name = s, s, s, s, s
				stored = append(stored, r.keeps(s, l)...)
			}
			r.lists("a1", stored...)
			r.connects(link("x"))
			for _, l := range stored {
				r.p.ok("UseLink", r.l.UseLink(r.ctx, "a1", "x", l.Email, l.Name, start))
				got, err := r.l.FindLink(r.ctx, "x")
				r.p.ok("FindLink", err)
				equal(r.p, "address and name", [2]string{got.Email, got.Name}, [2]string{l.Email, l.Name})
			}
		}),
	},
}

// keeps connects the link that the string is part of, and returns it if it was kept.
func (r registry) keeps(s string, l auth.Link) []auth.Link {
	if _, err := r.l.AddLink(r.ctx, r.adding(l)); err != nil {
		if !mayRefuse(s) {
			r.p.failf("AddLink with %q: %v", s, err)
		}
		return nil
	}
	return []auth.Link{l}
}
