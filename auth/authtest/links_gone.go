package authtest

import (
	"fmt"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// unlinked demands that no account has the link and none can use it.
func (r registry) unlinked(id string) {
	r.noLink(id)
	for _, account := range []string{"a1", "a2", ""} {
		r.p.is(fmt.Sprintf("UseLink of %q as %q", id, account), r.l.UseLink(r.ctx, account, id, "new", "new", start), auth.ErrStale)
	}
}

// taken demands that the account cannot have the link, which somebody else has or had.
func (r registry) taken(account, id string) {
	r.refused(fmt.Sprintf("AddLink of %q to %q", id, account), r.l.AddLink, r.adding(owned(account, link(id))), auth.ErrTaken)
}

// goneLinkRules are about what is left of links.
var goneLinkRules = []rule[Links]{
	{
		"a removed link is gone",
		"a link that was removed is neither listed nor found, and signs nobody in; other links stay",
		onRegistry(func(r registry) {
			r.begin(link("l1"), link("l2"), link("l3"))
			r.disconnects("l2")
			r.unlinked("l2")
			r.lists("a1", link("l1"), link("l3"))
		}),
	},
	{
		"a removed link is its account's alone",
		"what was connected with one account is ErrTaken for another when it was removed, once or many times: who held a provider's account for a moment must not get its owner's next sign-in into theirs",
		onRegistry(func(r registry) {
			r.begin(link("l1"))
			for range 3 {
				r.disconnects("l1")
				r.taken("a2", "l1")
				r.connects(link("l1"))
				r.taken("a2", "l1")
			}
			r.lists("a1", link("l1"))
			r.lists("a2")
		}),
	},
	{
		"a link that comes back is a new one",
		"the account that had a link connects it again as any other; nothing that the old one said is in it",
		onRegistry(func(r registry) {
			r.begin(link("l1"), link("l2"))
			r.p.ok("UseLink", r.l.UseLink(r.ctx, "a1", "l1", "used@example.org", "used", at(tick)))
			r.disconnects("l1")
			bare := auth.Link{ID: "l1", Account: "a1", Method: flow.SSO, Provider: "conn", Issuer: "i", Subject: "s", LinkedAt: at(2 * tick)}
			r.connects(bare)
			r.lists("a1", link("l2"), bare)
		}),
	},
	{
		"delete forgets the links",
		"a deleted account's links are neither listed nor found, sign nobody in, and an account that is opened under its id has none of them; those of others stay",
		onRegistry(func(r registry) {
			r.begin(link("l1"), link("l2"), owned("a2", link("l3")))
			r.disconnects("l2")
			r.p.ok("Delete", r.s.Delete(r.ctx, "a1"))
			r.lists("a1")
			r.unlinked("l1")
			r.unlinked("l2")
			r.p.ok("Open again", r.s.Open(r.ctx, "a1", flow.Active, firstHash, start))
			r.lists("a1")
			r.enrolled("a1", flow.Password)
			r.unlinked("l1")
			r.refused("RemoveLink of what a deleted account had", r.l.RemoveLink, r.removing("l1"), auth.ErrStale)
			r.lists("a2", owned("a2", link("l3")))
		}),
	},
	{
		"a deleted account's identities are nobody's",
		"what a deleted account had, or had had, is ErrTaken for every account, also for one that is opened under its id: a provider that gives a customer's number to another opens nothing",
		onRegistry(func(r registry) {
			r.begin(link("l1"), link("l2"))
			r.disconnects("l2")
			r.p.ok("Delete", r.s.Delete(r.ctx, "a1"))
			r.p.ok("Open again", r.s.Open(r.ctx, "a1", flow.Active, firstHash, start))
			for _, id := range []string{"l1", "l2"} {
				r.taken("a2", id)
				r.taken("a1", id)
			}
			r.p.ok("Delete again", r.s.Delete(r.ctx, "a1"))
			lost(r.p, "AddLink to another account then", auth.ErrTaken)(r.l.AddLink(r.ctx, r.adding(owned("a2", link("l1")))))
		}),
	},
	{
		"a release sets an identity free",
		"ReleaseLink forgets whose a removed link was, and that of a deleted account; any account can have it then, and whoever has it has it alone. It touches nothing else",
		onRegistry(func(r registry) {
			r.begin(link("l1"), link("l2"), link("l3"))
			r.disconnects("l1", "l3")
			r.connects(link("l3"))
			r.adds(ticket("r3", auth.ForReset))
			before := r.sees()
			r.p.ok("ReleaseLink", r.l.ReleaseLink(r.ctx, "l1"))
			equal(r.p, "accounts after ReleaseLink", r.sees(), before)
			r.connects(owned("a2", link("l1")))
			r.taken("a1", "l1")
			r.lists("a2", owned("a2", link("l1")))
			r.lists("a1", link("l2"), link("l3"))
			r.disconnects("l2")
			r.p.ok("Delete", r.s.Delete(r.ctx, "a1"))
			r.p.ok("Open again", r.s.Open(r.ctx, "a1", flow.Active, firstHash, start))
			for id, heir := range map[string]string{"l2": "a1", "l3": "a2"} {
				r.p.ok("ReleaseLink of a deleted account's", r.l.ReleaseLink(r.ctx, id))
				r.connects(owned(heir, link(id)))
			}
			r.lists("a1", link("l2"))
			r.lists("a2", owned("a2", link("l1")), owned("a2", link("l3")))
			r.enrolled("a1", flow.Password, flow.Social)
		}),
	},
	{
		"a release needs something to forget",
		"ReleaseLink of what never was, or was released, is ErrNotFound, and of what an account has ErrStale; that one stays",
		onRegistry(func(r registry) {
			r.p.is("ReleaseLink", r.l.ReleaseLink(r.ctx, "l1"), auth.ErrNotFound)
			r.begin(link("l1"), owned("a2", link("l2")))
			for _, id := range []string{"l1", "l2"} {
				r.nothing("ReleaseLink of what is in use", auth.ErrStale, func() error { return r.l.ReleaseLink(r.ctx, id) })
			}
			r.disconnects("l1")
			for _, id := range []string{"unknown", "", "a1", "L1", "l1 "} {
				r.nothing(fmt.Sprintf("ReleaseLink of %q", id), auth.ErrNotFound, func() error { return r.l.ReleaseLink(r.ctx, id) })
			}
			r.p.ok("ReleaseLink", r.l.ReleaseLink(r.ctx, "l1"))
			r.nothing("ReleaseLink again", auth.ErrNotFound, func() error { return r.l.ReleaseLink(r.ctx, "l1") })
		}),
	},
	{
		"one release wins",
		"of many that forget one link at once one does",
		onRegistry(func(r registry) {
			r.begin(link("l1"))
			r.disconnects("l1")
			r.p.oneWon("ReleaseLink", race(racers, func(int) error { return r.l.ReleaseLink(r.ctx, "l1") }), auth.ErrNotFound)
		}),
	},
	{
		"a release takes no link away",
		"of a release and its account's connecting the link again at once the connecting happens, and the link is there",
		onRegistry(func(r registry) {
			r.begin(link("l1"))
			r.disconnects("l1")
			c := r.adding(link("l1"))
			errs := race(racers, func(i int) error {
				if i == racers/2 {
					_, err := r.l.AddLink(r.ctx, c)
					return err
				}
				return r.l.ReleaseLink(r.ctx, "l1")
			})
			r.p.ok("AddLink", errs[racers/2])
			r.lists("a1", link("l1"))
			r.taken("a2", "l1")
		}),
	},
}

var linkUseRules = []rule[Links]{
	{
		"a use is recorded",
		"UseLink sets UsedAt, Email and Name of one link and touches nothing else: no epoch, no ticket, no other link",
		onRegistry(func(r registry) {
			r.begin(link("l1"), link("l2"), owned("a2", link("l3")))
			want := r.sees()
			for i, said := range []string{"new", "newer"} {
				now := at(tick * 3)
				if i == 1 {
					now = at(-tick)
				}
				r.p.ok("UseLink", r.l.UseLink(r.ctx, "a1", "l1", said+"@example.org", said, now))
				want.links[0][0].Email, want.links[0][0].Name, want.links[0][0].UsedAt = said+"@example.org", said, now
				equal(r.p, "accounts after UseLink", r.sees(), want)
			}
		}),
	},
	{
		"a use keeps what is not told",
		"Email and Name stay if the given one is empty, each by itself: some providers tell them once",
		onRegistry(func(r registry) {
			used := link("l1")
			r.begin(used)
			for i, told := range [][2]string{{"", ""}, {"new@example.org", ""}, {"", "new"}} {
				used.UsedAt = at(tick * 2)
				if i == 0 {
					used.UsedAt = at(tick)
				}
				r.p.ok("UseLink", r.l.UseLink(r.ctx, "a1", "l1", told[0], told[1], used.UsedAt))
				if told[0] != "" {
					used.Email = told[0]
				}
				if told[1] != "" {
					used.Name = told[1]
				}
				r.lists("a1", used)
			}
		}),
	},
	{
		"a use needs the link",
		"UseLink of what the account has not, or has not any more, is ErrStale and changes nothing",
		onRegistry(func(r registry) {
			r.p.is("UseLink of nobody", r.l.UseLink(r.ctx, "a1", "l1", "", "", start), auth.ErrStale)
			r.begin(link("l1"), link("l3"), owned("a2", link("l2")))
			r.disconnects("l3")
			for _, id := range []string{"l2", "l3", "unknown", "", "a1", "L1", "l1 ", "subject of l1"} {
				r.nothing(fmt.Sprintf("UseLink of %q", id), auth.ErrStale, func() error { return r.l.UseLink(r.ctx, "a1", id, "new", "new", at(tick)) })
			}
		}),
	},
	{
		"a use brings no link back",
		"of a use and a removal at once the removal happens, and the link is gone whether it was used before or not",
		onRegistry(func(r registry) {
			r.begin(link("l1"))
			gone := r.removing("l1")
			errs := race(racers, func(i int) error {
				if i == racers/2 {
					_, err := r.l.RemoveLink(r.ctx, gone)
					return err
				}
				return r.l.UseLink(r.ctx, "a1", "l1", "new", "new", start)
			})
			r.p.ok("RemoveLink", errs[racers/2])
			r.lists("a1")
			r.unlinked("l1")
		}),
	},
}
