package password_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/password"
	"github.com/cardea-auth/cardea/session"
)

// quick stands in for Argon2 and may be called concurrently.
func quick(pw, salt []byte, _, _ uint32, _ uint8, size uint32) []byte {
	sum := sha256.Sum256(append(append([]byte{}, salt...), pw...))
	return sum[:size]
}

// server is one process of an installation: all share the store, each has its configuration.
func server(t *testing.T, store *memory.Store, c password.Config) *auth.Service {
	t.Helper()
	c.Memory, c.Queue = 1<<30, 1000
	hasher, err := password.NewWithDerive(c, quick)
	require.NoError(t, err)
	sessions, err := session.New(session.Config{Store: store})
	require.NoError(t, err)
	master := keys(t, key("m", 9))
	devices, err := session.NewDevices(session.DevicesConfig{Keys: master})
	require.NoError(t, err)
	s, err := auth.New(auth.Config{
		Keys: master, Directory: store, Accounts: store, PasswordStore: store, Flows: store, Counters: store,
		Passwords: hasher, Sessions: sessions, Devices: devices,
		Throttle: auth.Throttle{BeginCap: 1 << 20, PrefixCap: 1 << 20},
	})
	require.NoError(t, err)
	return s
}

func signIn(t *testing.T, s *auth.Service, address, typed string) flow.View {
	t.Helper()
	native := auth.Client{Native: true}
	p, err := s.Begin(t.Context(), auth.BeginRequest{Goal: flow.SignIn, Client: native, Inputs: auth.Inputs{Identifier: address}})
	require.NoError(t, err)
	p, err = s.Continue(t.Context(), auth.ContinueRequest{
		Handle: p.Handle, Action: "password", Inputs: auth.Inputs{Password: auth.NewSecret(typed)}, Client: native,
	})
	require.NoError(t, err)
	return p.View
}

// TestPepperRotation takes an installation of two servers from no pepper to a first key, to a second one,
// and to the second alone. While one server has the next configuration already, the other still has the
// one before; people sign in at both all the time, and nobody is turned away.
func TestPepperRotation(t *testing.T) {
	store := memory.New()
	k1, k2 := key("k1", 1), key("k2", 2)
	phases := []struct {
		config password.Config
		prefix string // of every hash at the end of the phase
	}{
		{small(), "$argon2id$"},
		{withKeys(keys(t, k1)), "$pepper$k1$"},
		{withKeys(keys(t, k1, k2)), "$pepper$k1$"},
		{withKeys(keys(t, k2, k1)), "$pepper$k2$"},
		{withKeys(keys(t, k2)), "$pepper$k2$"},
	}
	const people = 12
	text := func(i int) string { return fmt.Sprintf("correct horse battery %02d", i) }
	address := func(i int) string { return fmt.Sprintf("person%d@example.com", i) }
	was := server(t, store, phases[0].config)
	ids := make([]string, people)
	for i := range ids {
		a, err := was.CreateAccount(t.Context(), auth.NewAccount{Identifier: address(i), Password: auth.NewSecret(text(i))})
		require.NoError(t, err)
		ids[i] = a.ID
	}
	for n, phase := range phases {
		is := server(t, store, phase.config)
		// The step from no pepper to the first key has no key that could be put behind another first, so
		// there the server before is gone when the next one starts.
		if n == 1 {
			was = is
		}
		var wg sync.WaitGroup
		for i := range people {
			for _, s := range []*auth.Service{was, is, was, is} {
				wg.Go(func() {
					if v := signIn(t, s, address(i), text(i)); v.Outcome != flow.Granted.String() {
						t.Errorf("phase %d: %v", n, v.Refusal)
					}
				})
			}
		}
		wg.Wait()
		require.False(t, t.Failed())
		for i, id := range ids {
			require.Equal(t, flow.Granted.String(), signIn(t, is, address(i), text(i)).Outcome)
			hash, err := store.PasswordHash(t.Context(), id)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(hash, phase.prefix), "phase %d", n)
		}
		require.Equal(t, flow.BadCredentials, signIn(t, is, address(0), "something else entirely").Refusal.Reason)
		was = is
	}
}
