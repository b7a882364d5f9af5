package stores_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/reset"
	"github.com/cardea-auth/cardea/session"
)

// plain is a fast stand-in for package password: what races here is not the hashing.
type plain struct{}

func (plain) Verify(_ context.Context, hash string, password auth.Secret, _ bool) (match, upgrade bool, err error) {
	return hash == "plain:"+password.Reveal(), false, nil
}

func (plain) Hash(_ context.Context, password auth.Secret, _ bool) (string, error) {
	return "plain:" + password.Reveal(), nil
}

func (plain) Review(context.Context, auth.Secret, auth.PasswordContext) (auth.PasswordReview, error) {
	return auth.PasswordReview{}, nil
}

func (plain) Lengths(bool) (shortest, longest int) { return 8, 64 }

// newTwoServices is one installation on two Stores over one file, with what its letters can be read with.
func newTwoServices(t *testing.T) (*auth.Service, *two, *reset.Secrets) {
	t.Helper()
	store := newTwo(t)
	keys, err := auth.NewKeys(auth.Key{ID: "k1", Bytes: sha256.Sum256([]byte("a key"))})
	require.NoError(t, err)
	secrets, err := reset.New(reset.Config{Keys: keys})
	require.NoError(t, err)
	sessions, err := session.New(session.Config{Store: store})
	require.NoError(t, err)
	devices, err := session.NewDevices(session.DevicesConfig{Keys: keys})
	require.NoError(t, err)
	s, err := auth.New(auth.Config{
		Keys: keys, Directory: store, Accounts: store, PasswordStore: store, Flows: twoFlows{store}, Counters: store,
		Passwords: plain{}, Sessions: sessions, Devices: devices, Letters: store, Tickets: store, Secrets: secrets,
	})
	require.NoError(t, err)
	return s, store, secrets
}

func clientOf(i int) auth.Client {
	return auth.Client{Browser: auth.NewSecret(fmt.Sprint("browser-", i)), Address: netip.MustParseAddr("192.0.2.7")}
}

func phraseOf(i int) string { return fmt.Sprint("the passphrase of number ", i) }

// TestOneLinkHasOneWinner lets many browsers, served by two Stores over one file, use one link at the same time.
func TestOneLinkHasOneWinner(t *testing.T) {
	const racers = 8
	s, store, secrets := newTwoServices(t)
	ctx := t.Context()
	account, err := s.CreateAccount(ctx, auth.NewAccount{Identifier: "ann@example.com", Password: auth.NewSecret("the first passphrase")})
	require.NoError(t, err)
	require.NoError(t, s.SendReset(ctx, account.ID))
	now := time.Now()
	letters, err := store.ClaimLetters(ctx, now, now.Add(time.Minute), 10)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	link, ok := secrets.Reveal(letters[0].Secret, letters[0].Key)
	require.True(t, ok)

	handles := make([]auth.Secret, racers)
	for i := range racers {
		p, err := s.Begin(ctx, auth.BeginRequest{Goal: flow.Recovery, Client: clientOf(i)})
		require.NoError(t, err)
		p, err = s.Continue(ctx, auth.ContinueRequest{Handle: p.Handle, Action: "mail-link", Inputs: auth.Inputs{Code: link}, Client: clientOf(i)})
		require.NoError(t, err)
		require.Equal(t, flow.PasswordChange, p.View.Need)
		handles[i] = p.Handle
	}
	outcomes := make([]string, racers)
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		all.Go(func() {
			<-start
			p, err := s.Continue(ctx, auth.ContinueRequest{
				Handle: handles[i], Action: "new-password", Inputs: auth.Inputs{NewPassword: auth.NewSecret(phraseOf(i))}, Client: clientOf(i),
			})
			if outcomes[i] = p.View.Outcome; err != nil {
				outcomes[i] = err.Error()
			}
		})
	}
	close(start)
	all.Wait()
	winner := slices.Index(outcomes, "completed")
	require.GreaterOrEqual(t, winner, 0, "%q", outcomes)
	require.Equal(t, -1, slices.Index(outcomes[winner+1:], "completed"), "two have used one link: %q", outcomes)
	hash, err := store.PasswordHash(ctx, account.ID)
	require.NoError(t, err)
	require.Equal(t, "plain:"+phraseOf(winner), hash)
}
