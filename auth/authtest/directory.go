package authtest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/cardea-auth/cardea/auth"
)

// RunDirectory checks the contract of auth.Directory, a subtest and a fresh, empty directory for each rule.
func RunDirectory(t *testing.T, open func(t *testing.T) auth.Directory) {
	t.Helper()
	run(t, directoryRules, open)
}

// CheckDirectory checks the contract of auth.Directory outside a test. It calls open for each rule, which
// must return an empty directory, and returns every rule that is broken.
func CheckDirectory(ctx context.Context, open func() (auth.Directory, error)) error {
	return check(ctx, directoryRules, open)
}

func person(n int) auth.Account {
	return auth.Account{
		ID: fmt.Sprintf("id-%d", n), Identifier: fmt.Sprintf("p%d@example.org", n), Display: fmt.Sprintf("P%d@Example.org", n),
		Name: "Zoë O'Brien \U0001f511", Language: "de-CH", CreatedAt: start,
	}
}

// found demands that the account is found by both keys, as it is.
func found(ctx context.Context, p *probe, d auth.Directory, want auth.Account) {
	got, err := d.FindByID(ctx, want.ID)
	p.ok("FindByID", err)
	equal(p, "FindByID", got, want)
	got, err = d.FindByIdentifier(ctx, want.Identifier)
	p.ok("FindByIdentifier", err)
	equal(p, "FindByIdentifier", got, want)
}

func noIdentifier(ctx context.Context, p *probe, d auth.Directory, identifier string) {
	_, err := d.FindByIdentifier(ctx, identifier)
	p.is(fmt.Sprintf("FindByIdentifier(%q)", identifier), err, auth.ErrNotFound)
}

func noAccount(ctx context.Context, p *probe, d auth.Directory, id string) {
	_, err := d.FindByID(ctx, id)
	p.is(fmt.Sprintf("FindByID(%q)", id), err, auth.ErrNotFound)
}

var directoryRules = []rule[auth.Directory]{
	{
		"unknown is not found",
		"what is not there is ErrNotFound, not an empty account",
		func(ctx context.Context, p *probe, d auth.Directory) {
			noAccount(ctx, p, d, "id-1")
			noIdentifier(ctx, p, d, "p1@example.org")
		},
	},
	{
		"created is found whole",
		"an account comes back by either key with every field as given, the time in UTC to the millisecond",
		func(ctx context.Context, p *probe, d auth.Directory) {
			p.ok("Create", d.Create(ctx, person(1)))
			p.ok("Create", d.Create(ctx, auth.Account{ID: "id-2", Identifier: "p2@example.org", CreatedAt: start}))
			found(ctx, p, d, person(1))
			found(ctx, p, d, auth.Account{ID: "id-2", Identifier: "p2@example.org", CreatedAt: start})
		},
	},
	{
		"keys are not mixed up",
		"an id is no identifier and an identifier is no id",
		func(ctx context.Context, p *probe, d auth.Directory) {
			p.ok("Create", d.Create(ctx, person(1)))
			noAccount(ctx, p, d, person(1).Identifier)
			noIdentifier(ctx, p, d, person(1).ID)
			noIdentifier(ctx, p, d, person(1).Display)
		},
	},
	{
		"an id is used once",
		"a second account with the id is ErrTaken, and the first one stays as it is",
		func(ctx context.Context, p *probe, d auth.Directory) {
			p.ok("Create", d.Create(ctx, person(1)))
			again := person(2)
			again.ID = person(1).ID
			p.is("Create with the same id", d.Create(ctx, again), auth.ErrTaken)
			found(ctx, p, d, person(1))
			noIdentifier(ctx, p, d, again.Identifier)
		},
	},
	{
		"an identifier is used once",
		"a second account with the identifier is ErrTaken, and the first one stays as it is",
		func(ctx context.Context, p *probe, d auth.Directory) {
			p.ok("Create", d.Create(ctx, person(1)))
			again := person(2)
			again.Identifier = person(1).Identifier
			p.is("Create with the same identifier", d.Create(ctx, again), auth.ErrTaken)
			found(ctx, p, d, person(1))
			noAccount(ctx, p, d, again.ID)
		},
	},
	{
		"one creation of an id wins",
		"of accounts created at once with one id, one comes into being",
		func(ctx context.Context, p *probe, d auth.Directory) {
			errs := race(racers, func(i int) error {
				a := person(i)
				a.ID = "id"
				return d.Create(ctx, a)
			})
			p.oneWon("Create", errs, auth.ErrTaken)
			onlyWinnersFound(ctx, p, d, errs)
		},
	},
	{
		"one creation of an identifier wins",
		"of accounts created at once with one identifier, one comes into being",
		func(ctx context.Context, p *probe, d auth.Directory) {
			errs := race(racers, func(i int) error {
				a := person(i)
				a.Identifier = "p@example.org"
				return d.Create(ctx, a)
			})
			p.oneWon("Create", errs, auth.ErrTaken)
			for i, err := range errs {
				if err != nil {
					noAccount(ctx, p, d, person(i).ID)
				}
			}
		},
	},
	{
		"an identifier changes",
		"afterwards the account is found by the new identifier alone, and nothing else about it changed",
		func(ctx context.Context, p *probe, d auth.Directory) {
			p.ok("Create", d.Create(ctx, person(1)))
			p.ok("Create", d.Create(ctx, person(2)))
			p.ok("ChangeIdentifier", d.ChangeIdentifier(ctx, person(1).ID, person(1).Identifier, "new@example.org", "New@example.org"))
			want := person(1)
			want.Identifier, want.Display = "new@example.org", "New@example.org"
			found(ctx, p, d, want)
			found(ctx, p, d, person(2))
			noIdentifier(ctx, p, d, person(1).Identifier)
		},
	},
	{
		"an identifier changes to itself",
		"another account's use is what takes an identifier: the account's own spelling can change",
		func(ctx context.Context, p *probe, d auth.Directory) {
			want := person(1)
			p.ok("Create", d.Create(ctx, want))
			p.ok("ChangeIdentifier", d.ChangeIdentifier(ctx, want.ID, want.Identifier, want.Identifier, "p1@EXAMPLE.org"))
			want.Display = "p1@EXAMPLE.org"
			found(ctx, p, d, want)
		},
	},
	{
		"a change needs the account",
		"changing an unknown account is ErrNotFound and makes none",
		func(ctx context.Context, p *probe, d auth.Directory) {
			p.is("ChangeIdentifier", d.ChangeIdentifier(ctx, "id-1", "p1@example.org", "new@example.org", "New"), auth.ErrNotFound)
			noIdentifier(ctx, p, d, "new@example.org")
		},
	},
	{
		"a change needs what was seen",
		"if the identifier is no longer the one in from it is ErrStale, and nothing changes",
		func(ctx context.Context, p *probe, d auth.Directory) {
			p.ok("Create", d.Create(ctx, person(1)))
			p.is("ChangeIdentifier", d.ChangeIdentifier(ctx, person(1).ID, "old@example.org", "new@example.org", "New"), auth.ErrStale)
			p.is("ChangeIdentifier", d.ChangeIdentifier(ctx, person(1).ID, "P1@EXAMPLE.ORG", "new@example.org", "New"), auth.ErrStale)
			found(ctx, p, d, person(1))
			noIdentifier(ctx, p, d, "new@example.org")
		},
	},
	{
		"a change takes no one's identifier",
		"an identifier of another account is ErrTaken, and both stay as they are",
		func(ctx context.Context, p *probe, d auth.Directory) {
			p.ok("Create", d.Create(ctx, person(1)))
			p.ok("Create", d.Create(ctx, person(2)))
			p.is("ChangeIdentifier", d.ChangeIdentifier(ctx, person(1).ID, person(1).Identifier, person(2).Identifier, "x"), auth.ErrTaken)
			found(ctx, p, d, person(1))
			found(ctx, p, d, person(2))
		},
	},
	{
		"a change sets the old identifier free",
		"the identifier that was given up can be another account's",
		func(ctx context.Context, p *probe, d auth.Directory) {
			p.ok("Create", d.Create(ctx, person(1)))
			p.ok("ChangeIdentifier", d.ChangeIdentifier(ctx, person(1).ID, person(1).Identifier, "new@example.org", "New"))
			heir := person(2)
			heir.Identifier = person(1).Identifier
			p.ok("Create with the identifier that was given up", d.Create(ctx, heir))
			found(ctx, p, d, heir)
		},
	},
	{
		"one change of an account wins",
		"of changes made at once from one identifier, one happens",
		func(ctx context.Context, p *probe, d auth.Directory) {
			p.ok("Create", d.Create(ctx, person(100)))
			errs := race(racers, func(i int) error {
				return d.ChangeIdentifier(ctx, person(100).ID, person(100).Identifier, person(i).Identifier, person(i).Display)
			})
			p.oneWon("ChangeIdentifier", errs, auth.ErrStale)
			onlyWinnersFound(ctx, p, d, errs)
		},
	},
	{
		"one change to an identifier wins",
		"of accounts that ask for one identifier at once, one gets it",
		func(ctx context.Context, p *probe, d auth.Directory) {
			for i := range racers {
				p.ok("Create", d.Create(ctx, person(i)))
			}
			errs := race(racers, func(i int) error {
				return d.ChangeIdentifier(ctx, person(i).ID, person(i).Identifier, "wanted@example.org", "Wanted")
			})
			p.oneWon("ChangeIdentifier", errs, auth.ErrTaken)
			for i, err := range errs {
				want := person(i)
				if err == nil {
					want.Identifier, want.Display = "wanted@example.org", "Wanted"
				}
				found(ctx, p, d, want)
			}
		},
	},
	{
		"strings are opaque",
		"names that differ in a byte are different names; one that cannot be stored is refused, never mistaken",
		func(ctx context.Context, p *probe, d auth.Directory) {
			stored := map[string]auth.Account{}
			for _, s := range append(oddStrings(), longStrings()...) {
				a := person(len(stored))
				a.Identifier = s + "@example.org"
				a.Name = s
				if len(s) <= 128 {
					a.ID = s
				}
				if err := d.Create(ctx, a); err != nil {
					if !mayRefuse(s) {
						p.failf("Create %q: %v", s, err)
					}
					_, err := d.FindByIdentifier(ctx, a.Identifier)
					p.fails("FindByIdentifier of a refused one", err)
					continue
				}
				stored[s] = a
			}
			for _, a := range stored {
				found(ctx, p, d, a)
			}
		},
	},
	{
		"a done context changes nothing",
		"with a context that is done every method returns an error and leaves the store as it was",
		func(ctx context.Context, p *probe, d auth.Directory) {
			p.ok("Create", d.Create(ctx, person(1)))
			done := cancelled(ctx)
			_, byID := d.FindByID(done, person(1).ID)
			_, byIdentifier := d.FindByIdentifier(done, person(1).Identifier)
			for what, err := range map[string]error{
				"FindByID": byID, "FindByIdentifier": byIdentifier, "Create": d.Create(done, person(2)),
				"ChangeIdentifier": d.ChangeIdentifier(done, person(1).ID, person(1).Identifier, "new@example.org", "New"),
			} {
				p.fails(what, err)
				if errors.Is(err, auth.ErrNotFound) {
					p.failf("%s: got ErrNotFound for an account that is there", what)
				}
			}
			found(ctx, p, d, person(1))
			noAccount(ctx, p, d, person(2).ID)
		},
	},
}

// onlyWinnersFound demands that the identifiers of those who lost lead nowhere.
func onlyWinnersFound(ctx context.Context, p *probe, d auth.Directory, errs []error) {
	for i, err := range errs {
		if err != nil {
			noIdentifier(ctx, p, d, person(i).Identifier)
			continue
		}
		_, err := d.FindByIdentifier(ctx, person(i).Identifier)
		p.ok("FindByIdentifier of the winner", err)
	}
}
