package authtest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Accounts is what keeps the library's part of each account. The two ports are about the same rows and are
// checked together.
type Accounts interface {
	auth.AccountStore
	auth.PasswordStore
}

// RunAccounts checks the contracts of auth.AccountStore and auth.PasswordStore, a subtest and a fresh,
// empty store for each rule. If the store is an auth.Directory as well, so is what that means for Delete. What
// the two do to tickets and letters is for RunTickets, to factors for RunFactors, and to links for RunLinks.
func RunAccounts(t *testing.T, open func(t *testing.T) Accounts) {
	t.Helper()
	run(t, accountRules(), open)
}

// CheckAccounts checks what RunAccounts does, outside a test. It calls open for each rule, which must
// return an empty store, and returns every rule that is broken.
func CheckAccounts(ctx context.Context, open func() (Accounts, error)) error {
	return check(ctx, accountRules(), open)
}

func accountRules() []rule[Accounts] {
	return append(append([]rule[Accounts]{}, standingRules...), passwordRules...)
}

// opened is how an account stands that has just been opened as active.
var opened = auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 1, Session: 1}}

// secondHash and firstHash are stored as they are; a store does not read hashes.
const (
	firstHash  = "$argon2id$v=19$m=47104,t=1,p=1$c2FsdA$Zmlyc3Q"
	secondHash = "$argon2id$v=19$m=47104,t=1,p=1$c2FsdA$c2Vjb25k"
)

// open1 opens the account "a1" with a password.
func open1(ctx context.Context, p *probe, s Accounts) {
	p.ok("Open", s.Open(ctx, "a1", flow.Active, firstHash, start))
}

// kept demands that the account is kept exactly so.
func kept(ctx context.Context, p *probe, s Accounts, id string, standing auth.Standing, hash string, compromised bool) {
	want := auth.AccountState{Standing: standing, Compromised: compromised}
	if hash != "" {
		want.Enrolled = flow.MethodsOf(flow.Password)
	}
	state, err := s.State(ctx, id)
	p.ok("State", err)
	want.ResetDue = state.ResetDue // which has a rule of its own
	equal(p, fmt.Sprintf("State(%q)", id), state, want)
	got, err := s.PasswordHash(ctx, id)
	p.ok("PasswordHash", err)
	equal(p, fmt.Sprintf("PasswordHash(%q)", id), got, hash)
}

// epochs demands the epochs that a verb returned.
func epochs(p *probe, what string, want flow.Epochs) func(flow.Epochs, error) {
	return func(got flow.Epochs, err error) {
		p.ok(what, err)
		equal(p, what+" returned", got, want)
	}
}

// lost demands the error that a verb returned.
func lost(p *probe, what string, want error) func(flow.Epochs, error) {
	return func(_ flow.Epochs, err error) { p.is(what, err, want) }
}

func standing(status flow.Status, security, session uint64) auth.Standing {
	return auth.Standing{Status: status, Epochs: flow.Epochs{Security: security, Session: session}}
}

// nearly are standings that differ from that of a fresh account in one thing each.
func nearly() []auth.Standing {
	return []auth.Standing{
		standing(flow.Active, 2, 1), standing(flow.Active, 0, 1), standing(flow.Active, 1, 2), standing(flow.Active, 1, 0),
	}
}

var standingRules = []rule[Accounts]{
	{
		"unknown is not found",
		"State, SetStatus and RaiseEpochs of an unknown account are ErrNotFound and make none",
		func(ctx context.Context, p *probe, s Accounts) {
			lost(p, "SetStatus", auth.ErrNotFound)(s.SetStatus(ctx, "a1", opened, flow.Disabled, start))
			lost(p, "SetStatus", auth.ErrNotFound)(s.SetStatus(ctx, "a1", auth.Standing{}, flow.Active, start))
			lost(p, "RaiseEpochs", auth.ErrNotFound)(s.RaiseEpochs(ctx, "a1", flow.Epochs{Security: 3, Session: 3}))
			_, err := s.State(ctx, "a1")
			p.is("State", err, auth.ErrNotFound)
			p.ok("Delete", s.Delete(ctx, "a1"))
		},
	},
	{
		"an account begins at one",
		"an opened account has the status and the hash that were given, both epochs at 1 and no mark",
		func(ctx context.Context, p *probe, s Accounts) {
			for i, status := range []flow.Status{flow.Invited, flow.Active, flow.Disabled, flow.Locked} {
				id := fmt.Sprintf("a%d", i)
				p.ok("Open", s.Open(ctx, id, status, firstHash, start))
				kept(ctx, p, s, id, standing(status, 1, 1), firstHash, false)
			}
		},
	},
	{
		"an account without a password",
		"an empty hash is no password: it is not enrolled",
		func(ctx context.Context, p *probe, s Accounts) {
			p.ok("Open", s.Open(ctx, "a1", flow.Invited, "", start))
			kept(ctx, p, s, "a1", standing(flow.Invited, 1, 1), "", false)
		},
	},
	{
		"an account is opened once",
		"opening it again is ErrTaken and changes nothing: else whoever opens it sets its password",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			p.is("Open again", s.Open(ctx, "a1", flow.Invited, secondHash, start), auth.ErrTaken)
			kept(ctx, p, s, "a1", opened, firstHash, false)
		},
	},
	{
		"one opening wins",
		"of openings made at once one happens, and its hash is the one that is kept",
		func(ctx context.Context, p *probe, s Accounts) {
			errs := race(racers, func(i int) error { return s.Open(ctx, "a1", flow.Active, fmt.Sprintf("hash-%d", i), start) })
			p.oneWon("Open", errs, auth.ErrTaken)
			for i, err := range errs {
				if err == nil {
					kept(ctx, p, s, "a1", opened, fmt.Sprintf("hash-%d", i), false)
				}
			}
		},
	},
	{
		"a status is set",
		"SetStatus sets the status, raises both epochs by one, returns them and touches nothing else",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			epochs(p, "SetStatus", flow.Epochs{Security: 2, Session: 2})(s.SetStatus(ctx, "a1", opened, flow.Locked, start))
			kept(ctx, p, s, "a1", standing(flow.Locked, 2, 2), firstHash, false)
			epochs(p, "SetStatus", flow.Epochs{Security: 3, Session: 3})(s.SetStatus(ctx, "a1", standing(flow.Locked, 2, 2), flow.Locked, start))
			kept(ctx, p, s, "a1", standing(flow.Locked, 3, 3), firstHash, false)
		},
	},
	{
		"a status is set from what was seen",
		"unless status and both epochs are those in from it is ErrStale and nothing changes",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			for _, from := range append(nearly(), standing(flow.Locked, 1, 1), standing(flow.Invited, 1, 1)) {
				lost(p, fmt.Sprintf("SetStatus from %+v", from), auth.ErrStale)(s.SetStatus(ctx, "a1", from, flow.Disabled, start))
			}
			kept(ctx, p, s, "a1", opened, firstHash, false)
		},
	},
	{
		"a lock is remembered",
		"ResetDue is set with Locked, stays with Disabled, and is taken back with Active or a new password",
		func(ctx context.Context, p *probe, s Accounts) {
			due := func(want bool) {
				state, err := s.State(ctx, "a1")
				p.ok("State", err)
				equal(p, fmt.Sprintf("ResetDue at %+v", state.Standing), state.ResetDue, want)
			}
			set := func(from flow.Status, epoch uint64, to flow.Status) {
				_, err := s.SetStatus(ctx, "a1", standing(from, epoch, epoch), to, start)
				p.ok("SetStatus", err)
			}
			open1(ctx, p, s)
			due(false)
			set(flow.Active, 1, flow.Disabled)
			due(false)
			set(flow.Disabled, 2, flow.Locked)
			due(true)
			set(flow.Locked, 3, flow.Disabled)
			due(true)
			set(flow.Disabled, 4, flow.Active)
			due(false)
			set(flow.Active, 5, flow.Locked)
			_, err := s.ReplacePassword(ctx, "a1", flow.Epochs{Security: 6, Session: 6}, secondHash, false, start)
			p.ok("ReplacePassword", err)
			due(false)
		},
	},
	{
		"one setting of a status wins",
		"of settings made at once from one standing one happens",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			p.oneWon("SetStatus", race(racers, func(int) error {
				_, err := s.SetStatus(ctx, "a1", opened, flow.Disabled, start)
				return err
			}), auth.ErrStale)
			kept(ctx, p, s, "a1", standing(flow.Disabled, 2, 2), firstHash, false)
		},
	},
	{
		"epochs are raised",
		"RaiseEpochs raises each epoch to at least the given one, and returns what they are then",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			epochs(p, "RaiseEpochs", flow.Epochs{Security: 1, Session: 5})(s.RaiseEpochs(ctx, "a1", flow.Epochs{Security: 1, Session: 5}))
			epochs(p, "RaiseEpochs", flow.Epochs{Security: 7, Session: 5})(s.RaiseEpochs(ctx, "a1", flow.Epochs{Security: 7, Session: 2}))
			kept(ctx, p, s, "a1", standing(flow.Active, 7, 5), firstHash, false)
		},
	},
	{
		"epochs are never lowered",
		"a lower epoch would bring ended sessions and mailed secrets back to life",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			epochs(p, "RaiseEpochs", flow.Epochs{Security: 9, Session: 9})(s.RaiseEpochs(ctx, "a1", flow.Epochs{Security: 9, Session: 9}))
			for _, least := range []flow.Epochs{{}, {Security: 8, Session: 8}, {Security: 8, Session: 9}, {Security: 9, Session: 8}} {
				epochs(p, "RaiseEpochs", flow.Epochs{Security: 9, Session: 9})(s.RaiseEpochs(ctx, "a1", least))
			}
			kept(ctx, p, s, "a1", standing(flow.Active, 9, 9), firstHash, false)
		},
	},
	{
		"epochs raised at once",
		"of epochs raised at once the highest of each kind remain",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			for _, err := range race(racers, func(i int) error {
				_, err := s.RaiseEpochs(ctx, "a1", flow.Epochs{Security: uint64(2 + i), Session: uint64(2 + racers - i)})
				return err
			}) {
				p.ok("RaiseEpochs", err)
			}
			kept(ctx, p, s, "a1", standing(flow.Active, 1+racers, 2+racers), firstHash, false)
		},
	},
	{
		"delete forgets one account",
		"a deleted account is as unknown as before, its password too, and no other is touched",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			p.ok("Open", s.Open(ctx, "a2", flow.Active, secondHash, start))
			epochs(p, "MarkCompromised", flow.Epochs{Security: 2, Session: 1})(s.MarkCompromised(ctx, "a1", start))
			p.ok("Delete", s.Delete(ctx, "a1"))
			p.ok("Delete again", s.Delete(ctx, "a1"))
			_, err := s.State(ctx, "a1")
			p.is("State", err, auth.ErrNotFound)
			hash, err := s.PasswordHash(ctx, "a1")
			p.ok("PasswordHash", err)
			equal(p, "PasswordHash of a deleted account", hash, "")
			kept(ctx, p, s, "a2", opened, secondHash, false)
			open1(ctx, p, s)
			kept(ctx, p, s, "a1", opened, firstHash, false)
		},
	},
	{
		"delete reaches the directory",
		"a store that is the directory as well forgets the account itself, which sets its identifier free",
		func(ctx context.Context, p *probe, s Accounts) {
			d, ok := s.(auth.Directory)
			if !ok {
				return
			}
			for n := range 2 {
				p.ok("Create", d.Create(ctx, person(n)))
				p.ok("Open", s.Open(ctx, person(n).ID, flow.Active, "", start))
			}
			p.ok("Delete", s.Delete(ctx, person(0).ID))
			noAccount(ctx, p, d, person(0).ID)
			noIdentifier(ctx, p, d, person(0).Identifier)
			found(ctx, p, d, person(1))
			heir := person(3)
			heir.Identifier = person(0).Identifier
			p.ok("Create with the identifier of a deleted account", d.Create(ctx, heir))
		},
	},
	{
		"ids are opaque",
		"ids that differ in a byte are different accounts; one that cannot be stored is refused, never mistaken",
		func(ctx context.Context, p *probe, s Accounts) {
			stored := map[string]string{}
			for i, id := range oddStrings() {
				hash := fmt.Sprintf("hash-%d", i)
				if err := s.Open(ctx, id, flow.Active, hash, start); err != nil {
					if !mayRefuse(id) {
						p.failf("Open %q: %v", id, err)
					}
					_, err := s.State(ctx, id)
					p.fails("State of a refused one", err)
					continue
				}
				stored[id] = hash
			}
			for id, hash := range stored {
				kept(ctx, p, s, id, opened, hash, false)
			}
		},
	},
	{
		"a done context changes nothing",
		"with a context that is done every method returns an error and leaves the store as it was",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			done := cancelled(ctx)
			for what, err := range verbs(done, s) {
				p.fails(what, err)
				if errors.Is(err, auth.ErrNotFound) {
					p.failf("%s: got ErrNotFound for an account that is there", what)
				}
			}
			kept(ctx, p, s, "a1", opened, firstHash, false)
			_, err := s.State(ctx, "a2")
			p.is("State", err, auth.ErrNotFound)
		},
	},
}

// verbs calls every method, in a way that would change the account "a1" or open "a2".
func verbs(ctx context.Context, s Accounts) map[string]error {
	_, state := s.State(ctx, "a1")
	_, set := s.SetStatus(ctx, "a1", opened, flow.Disabled, start)
	_, raised := s.RaiseEpochs(ctx, "a1", flow.Epochs{Security: 5, Session: 5})
	_, hash := s.PasswordHash(ctx, "a1")
	_, replaced := s.ReplacePassword(ctx, "a1", opened.Epochs, secondHash, true, start)
	_, marked := s.MarkCompromised(ctx, "a1", start)
	return map[string]error{
		"Open": s.Open(ctx, "a2", flow.Active, firstHash, start), "State": state, "SetStatus": set, "RaiseEpochs": raised,
		"PasswordHash": hash, "ReplacePassword": replaced, "MarkCompromised": marked,
		"Rehash": s.Rehash(ctx, "a1", firstHash, secondHash), "Delete": s.Delete(ctx, "a1"),
	}
}
