package memory_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/session"
)

func TestDirectory(t *testing.T) {
	authtest.RunDirectory(t, func(*testing.T) auth.Directory { return memory.New() })
}

func TestAccounts(t *testing.T) {
	authtest.RunAccounts(t, func(*testing.T) authtest.Accounts { return memory.New() })
}

func TestFlows(t *testing.T) {
	authtest.RunFlows(t, func(*testing.T) auth.FlowStore { return memory.New() })
}

func TestCounters(t *testing.T) {
	authtest.RunCounters(t, func(*testing.T) auth.Counters { return memory.New() })
}

func TestSessions(t *testing.T) {
	authtest.RunSessions(t, func(*testing.T) session.Store { return memory.New() })
}

func TestTrust(t *testing.T) {
	authtest.RunTrust(t, func(*testing.T) session.TrustStore { return memory.New() })
}

func TestTickets(t *testing.T) {
	authtest.RunTickets(t, func(*testing.T) authtest.Tickets { return memory.New() })
}

func TestLetters(t *testing.T) {
	authtest.RunLetters(t, func(*testing.T) auth.LetterStore { return memory.New() })
}

func TestFactors(t *testing.T) {
	authtest.RunFactors(t, func(*testing.T) authtest.Factors { return memory.New() })
}

func TestActivity(t *testing.T) {
	authtest.RunActivity(t, func(*testing.T) authtest.Activities { return memory.New() })
}

func TestLinks(t *testing.T) {
	authtest.RunLinks(t, func(*testing.T) authtest.Links { return memory.New() })
}

func TestProviderSessions(t *testing.T) {
	authtest.RunProviderSessions(t, func(*testing.T) auth.ProviderSessionStore { return memory.New() })
}

// TestFactorsForgetWhatADatabaseDoes: a test on this store must hold on others.
func TestFactorsForgetWhatADatabaseDoes(t *testing.T) {
	s, ctx := memory.New(), t.Context()
	now := time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.FixedZone("", 3600))
	require.NoError(t, s.Open(ctx, "a1", flow.Active, "", now))
	f := auth.StoredFactor{ID: "f1", Account: "a1", Method: flow.TOTP, CreatedAt: now}
	from := auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 1, Session: 1}}
	_, err := s.ChangeFactors(ctx, auth.FactorChange{Account: "a1", From: from, Add: []auth.StoredFactor{f}, Now: now})
	require.NoError(t, err)
	require.NoError(t, s.UseFactor(ctx, "a1", "f1", 0, 1, "", now))
	f.CreatedAt, f.UsedAt, f.Counter = now.UTC().Truncate(time.Microsecond), now.UTC().Truncate(time.Microsecond), 1
	got, err := s.Factors(ctx, "a1")
	require.NoError(t, err)
	require.Equal(t, []auth.StoredFactor{f}, got)
}
