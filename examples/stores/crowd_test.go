package stores_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/sqlstore"
	"github.com/cardea-auth/cardea/session"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// TestACrowd lets many people sign in at once through two Stores over one file. Nobody may be told that the
// database is locked, and no attempt may be lost.
func TestACrowd(t *testing.T) {
	const people, rounds = 24, 8
	path := filepath.Join(t.TempDir(), "accounts.db")
	stores := []*sqlstore.Store{openSQLite(t, path), openSQLite(t, path)}
	var all sync.WaitGroup
	errs := make([]error, people)
	for i := range people {
		all.Go(func() {
			for round := range rounds {
				if errs[i] = signInOnce(t, stores[(i+round)%2], fmt.Sprintf("a%d", i), round); errs[i] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))

	full := []auth.Bucket{{Key: "everybody", Cap: people * rounds, Forget: time.Hour}}
	taken, err := stores[0].Take(t.Context(), full, noon)
	require.NoError(t, err)
	require.False(t, taken.OK, "every attempt was counted")
}

// signInOnce does what a sign-in does: it counts, keeps a flow, makes a session, uses it.
func signInOnce(t *testing.T, s *sqlstore.Store, account string, round int) error {
	ctx, id := t.Context(), fmt.Sprintf("%s-%d", account, round)
	if round == 0 {
		if err := s.Open(ctx, account, flow.Active, "hash", noon); err != nil {
			return err
		}
	}
	_, err := s.Take(ctx, []auth.Bucket{
		{Key: "everybody", Cap: 1 << 20, Forget: time.Hour}, {Key: account, Cap: 1 << 20, Forget: time.Hour},
	}, noon)
	if err != nil {
		return err
	}
	record := auth.FlowRecord{ID: id, Version: 1, Data: []byte("facts"), ExpiresAt: noon.Add(time.Hour)}
	if err := s.CreateFlow(ctx, record); err != nil {
		return err
	}
	record.Version++
	if err := s.SaveFlow(ctx, record); err != nil {
		return err
	}
	standing := auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 1, Session: 1}}
	hash := sha256.Sum256([]byte(id))
	r := session.Record{ID: id, Hash: hash, Account: account, Epoch: 1, ExpiresAt: noon.Add(time.Hour)}
	if err := s.CreateSession(ctx, r, standing, session.CreateOptions{Now: noon, Limit: 3, Evict: true}); err != nil {
		return err
	}
	if _, _, err := s.FindSession(ctx, hash); err != nil {
		return err
	}
	return s.TouchSession(ctx, hash, noon, noon.Add(time.Hour))
}
