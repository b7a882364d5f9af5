package authtest

import (
	"context"
	"fmt"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

var passwordRules = []rule[Accounts]{
	{
		"no password for the unknown",
		"an unknown account has an empty hash, and its password cannot be set, replaced or marked",
		func(ctx context.Context, p *probe, s Accounts) {
			hash, err := s.PasswordHash(ctx, "a1")
			p.ok("PasswordHash", err)
			equal(p, "PasswordHash", hash, "")
			lost(p, "ReplacePassword", auth.ErrNotFound)(s.ReplacePassword(ctx, "a1", flow.Epochs{}, secondHash, false, start))
			lost(p, "ReplacePassword", auth.ErrNotFound)(s.ReplacePassword(ctx, "a1", opened.Epochs, secondHash, false, start))
			lost(p, "MarkCompromised", auth.ErrNotFound)(s.MarkCompromised(ctx, "a1", start))
			p.is("Rehash", s.Rehash(ctx, "a1", firstHash, secondHash), auth.ErrStale)
			_, err = s.State(ctx, "a1")
			p.is("State", err, auth.ErrNotFound)
		},
	},
	{
		"a password is replaced",
		"ReplacePassword sets the hash and raises the security epoch alone, so that sessions live on",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			epochs(p, "ReplacePassword", flow.Epochs{Security: 2, Session: 1})(s.ReplacePassword(ctx, "a1", opened.Epochs, secondHash, false, start))
			kept(ctx, p, s, "a1", standing(flow.Active, 2, 1), secondHash, false)
		},
	},
	{
		"a replaced password ends sessions",
		"with endSessions both epochs rise by one",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			epochs(p, "ReplacePassword", flow.Epochs{Security: 2, Session: 2})(s.ReplacePassword(ctx, "a1", opened.Epochs, secondHash, true, start))
			kept(ctx, p, s, "a1", standing(flow.Active, 2, 2), secondHash, false)
		},
	},
	{
		"a new password clears the mark",
		"a password that was replaced is no longer the one that others know",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			epochs(p, "MarkCompromised", flow.Epochs{Security: 2, Session: 1})(s.MarkCompromised(ctx, "a1", start))
			epochs(p, "ReplacePassword", flow.Epochs{Security: 3, Session: 1})(
				s.ReplacePassword(ctx, "a1", flow.Epochs{Security: 2, Session: 1}, secondHash, false, start))
			kept(ctx, p, s, "a1", standing(flow.Active, 3, 1), secondHash, false)
		},
	},
	{
		"a first password is set",
		"an account without a password gets one in the same way",
		func(ctx context.Context, p *probe, s Accounts) {
			p.ok("Open", s.Open(ctx, "a1", flow.Invited, "", start))
			epochs(p, "ReplacePassword", flow.Epochs{Security: 2, Session: 1})(s.ReplacePassword(ctx, "a1", opened.Epochs, firstHash, false, start))
			kept(ctx, p, s, "a1", standing(flow.Invited, 2, 1), firstHash, false)
		},
	},
	{
		"a new password opens no account",
		"replacing the password leaves the status as it is: a disabled account stays disabled",
		func(ctx context.Context, p *probe, s Accounts) {
			for i, status := range []flow.Status{flow.Invited, flow.Disabled, flow.Locked} {
				id := fmt.Sprintf("a%d", i)
				p.ok("Open", s.Open(ctx, id, status, firstHash, start))
				epochs(p, "ReplacePassword", flow.Epochs{Security: 2, Session: 2})(s.ReplacePassword(ctx, id, opened.Epochs, secondHash, true, start))
				kept(ctx, p, s, id, standing(status, 2, 2), secondHash, false)
			}
		},
	},
	{
		"a password is replaced from what was seen",
		"unless both epochs are those in from it is ErrStale and nothing changes: a reset that lost the race must not set a password",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			for _, from := range nearly() {
				lost(p, fmt.Sprintf("ReplacePassword from %+v", from.Epochs), auth.ErrStale)(
					s.ReplacePassword(ctx, "a1", from.Epochs, secondHash, true, start))
			}
			kept(ctx, p, s, "a1", opened, firstHash, false)
		},
	},
	{
		"one replacement wins",
		"of passwords set at once from the same epochs one is set",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			errs := race(racers, func(i int) error {
				_, err := s.ReplacePassword(ctx, "a1", opened.Epochs, fmt.Sprintf("hash-%d", i), false, start)
				return err
			})
			p.oneWon("ReplacePassword", errs, auth.ErrStale)
			for i, err := range errs {
				if err == nil {
					kept(ctx, p, s, "a1", standing(flow.Active, 2, 1), fmt.Sprintf("hash-%d", i), false)
				}
			}
		},
	},
	{
		"a lock and a new password do not both win",
		"of a change of status and a new password that saw the same account one happens",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			p.oneWon("SetStatus or ReplacePassword", race(racers, func(i int) (err error) {
				if i%2 == 0 {
					_, err = s.SetStatus(ctx, "a1", opened, flow.Locked, start)
				} else {
					_, err = s.ReplacePassword(ctx, "a1", opened.Epochs, secondHash, true, start)
				}
				return err
			}), auth.ErrStale)
		},
	},
	{
		"a rehash changes the hash alone",
		"Rehash leaves epochs, status and mark as they are: it is the same password",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			epochs(p, "MarkCompromised", flow.Epochs{Security: 2, Session: 1})(s.MarkCompromised(ctx, "a1", start))
			p.ok("Rehash", s.Rehash(ctx, "a1", firstHash, secondHash))
			kept(ctx, p, s, "a1", standing(flow.Active, 2, 1), secondHash, true)
		},
	},
	{
		"a rehash is from what was seen",
		"unless the hash is old it is ErrStale and nothing changes: else it would undo a new password",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			for _, old := range []string{secondHash, "", firstHash + "=", firstHash[:len(firstHash)-1]} {
				p.is(fmt.Sprintf("Rehash of %q", old), s.Rehash(ctx, "a1", old, "stronger"), auth.ErrStale)
			}
			kept(ctx, p, s, "a1", opened, firstHash, false)
		},
	},
	{
		"a rehash gives no password",
		"an account without a password has no hash to be replaced, not even the empty one",
		func(ctx context.Context, p *probe, s Accounts) {
			p.ok("Open", s.Open(ctx, "a1", flow.Active, "", start))
			p.is("Rehash", s.Rehash(ctx, "a1", "", secondHash), auth.ErrStale)
			kept(ctx, p, s, "a1", opened, "", false)
		},
	},
	{
		"one rehash wins",
		"of rehashes made at once of one hash one happens",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			p.oneWon("Rehash", race(racers, func(i int) error {
				return s.Rehash(ctx, "a1", firstHash, fmt.Sprintf("hash-%d", i))
			}), auth.ErrStale)
		},
	},
	{
		"a password is marked",
		"MarkCompromised sets the mark and raises the security epoch alone",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			epochs(p, "MarkCompromised", flow.Epochs{Security: 2, Session: 1})(s.MarkCompromised(ctx, "a1", start))
			epochs(p, "MarkCompromised again", flow.Epochs{Security: 3, Session: 1})(s.MarkCompromised(ctx, "a1", start))
			kept(ctx, p, s, "a1", standing(flow.Active, 3, 1), firstHash, true)
		},
	},
	{
		"no password, no mark",
		"marking an account without a password is ErrStale and changes nothing",
		func(ctx context.Context, p *probe, s Accounts) {
			p.ok("Open", s.Open(ctx, "a1", flow.Active, "", start))
			lost(p, "MarkCompromised", auth.ErrStale)(s.MarkCompromised(ctx, "a1", start))
			kept(ctx, p, s, "a1", opened, "", false)
		},
	},
	{
		"marks made at once",
		"no raise of an epoch is lost",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			for _, err := range race(racers, func(int) error {
				_, err := s.MarkCompromised(ctx, "a1", start)
				return err
			}) {
				p.ok("MarkCompromised", err)
			}
			kept(ctx, p, s, "a1", standing(flow.Active, 1+racers, 1), firstHash, true)
		},
	},
	{
		"accounts are apart",
		"what is done to one account is not done to another",
		func(ctx context.Context, p *probe, s Accounts) {
			open1(ctx, p, s)
			p.ok("Open", s.Open(ctx, "a2", flow.Active, firstHash, start))
			epochs(p, "SetStatus", flow.Epochs{Security: 2, Session: 2})(s.SetStatus(ctx, "a1", opened, flow.Active, start))
			epochs(p, "RaiseEpochs", flow.Epochs{Security: 4, Session: 4})(s.RaiseEpochs(ctx, "a1", flow.Epochs{Security: 4, Session: 4}))
			p.ok("Rehash", s.Rehash(ctx, "a1", firstHash, secondHash))
			epochs(p, "MarkCompromised", flow.Epochs{Security: 5, Session: 4})(s.MarkCompromised(ctx, "a1", start))
			kept(ctx, p, s, "a2", opened, firstHash, false)
			epochs(p, "ReplacePassword", flow.Epochs{Security: 6, Session: 5})(
				s.ReplacePassword(ctx, "a1", flow.Epochs{Security: 5, Session: 4}, "third", true, start))
			kept(ctx, p, s, "a1", standing(flow.Active, 6, 5), "third", false)
			kept(ctx, p, s, "a2", opened, firstHash, false)
		},
	},
}
