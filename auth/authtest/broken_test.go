package authtest

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/session"
)

// Each rule has a broken store: the memory store with one fault, which that rule must catch. Some faults
// are told from sound stores by concurrency alone; these begin with a later call, so that they are caught
// whatever the scheduler does.

func TestDirectoryRulesCatch(t *testing.T) {
	caught(t, directoryRules, brokenDirectories, func() auth.Directory { return memory.New() })
}

func TestAccountRulesCatch(t *testing.T) {
	caught(t, accountRules(), brokenAccounts, func() Accounts { return memory.New() })
}

func TestFlowRulesCatch(t *testing.T) {
	caught(t, flowRules, brokenFlows, func() auth.FlowStore { return memory.New() })
}

func TestCounterRulesCatch(t *testing.T) {
	caught(t, counterRules(), brokenCounters, func() auth.Counters { return memory.New() })
}

func TestSessionRulesCatch(t *testing.T) {
	caught(t, sessionRules(), brokenSessions, func() session.Store { return memory.New() })
}

func TestTrustRulesCatch(t *testing.T) {
	caught(t, trustRules(), brokenTrusts, func() session.TrustStore { return memory.New() })
}

func TestTicketRulesCatch(t *testing.T) {
	caught(t, ticketRules(), brokenTickets(), func() Tickets { return memory.New() })
}

func TestFactorRulesCatch(t *testing.T) {
	caught(t, factorRules(), brokenFactors(), func() Factors { return memory.New() })
}

func TestLinkRulesCatch(t *testing.T) {
	caught(t, linkRules(), brokenLinks(), func() Links { return memory.New() })
}

func TestProviderSessionRulesCatch(t *testing.T) {
	caught(t, providerSessionRules(), brokenProviderSessions, func() auth.ProviderSessionStore { return memory.New() })
}

func TestActivityRulesCatch(t *testing.T) {
	caught(t, activityRules(), brokenActivity, func() Activities { return memory.New() })
}

func TestLetterRulesCatch(t *testing.T) {
	caught(t, letterRules(), brokenLetters, func() auth.LetterStore { return memory.New() })
}

// caught applies each rule to its broken store, which must fail, and to a sound one, which must not.
func caught[S any](t *testing.T, rules []rule[S], broken map[string]func() S, sound func() S) {
	names := map[string]bool{}
	for _, r := range rules {
		require.False(t, names[r.name], "two rules have the name %q", r.name)
		names[r.name] = true
		t.Run(r.name, func(t *testing.T) {
			require.Contains(t, broken, r.name, "the rule has no broken store")
			require.NoError(t, r.apply(t.Context(), sound()))
			err := r.apply(t.Context(), broken[r.name]())
			require.Error(t, err, "the rule does not catch its broken store")
			require.ErrorContains(t, err, r.why)
		})
	}
	for name := range broken {
		require.True(t, names[name], "the broken store %q has no rule", name)
	}
}

func TestCheckReportsEveryBrokenRule(t *testing.T) {
	require.NoError(t, CheckDirectory(t.Context(), func() (auth.Directory, error) { return memory.New(), nil }))
	require.NoError(t, CheckAccounts(t.Context(), func() (Accounts, error) { return memory.New(), nil }))
	require.NoError(t, CheckFlows(t.Context(), func() (auth.FlowStore, error) { return memory.New(), nil }))
	require.NoError(t, CheckCounters(t.Context(), func() (auth.Counters, error) { return memory.New(), nil }))
	require.NoError(t, CheckSessions(t.Context(), func() (session.Store, error) { return memory.New(), nil }))
	require.NoError(t, CheckTickets(t.Context(), func() (Tickets, error) { return memory.New(), nil }))
	require.NoError(t, CheckFactors(t.Context(), func() (Factors, error) { return memory.New(), nil }))
	require.NoError(t, CheckLinks(t.Context(), func() (Links, error) { return memory.New(), nil }))
	require.NoError(t, CheckProviderSessions(t.Context(), func() (auth.ProviderSessionStore, error) { return memory.New(), nil }))
	require.NoError(t, CheckActivity(t.Context(), func() (Activities, error) { return memory.New(), nil }))
	require.NoError(t, CheckLetters(t.Context(), func() (auth.LetterStore, error) { return memory.New(), nil }))

	require.NoError(t, CheckTrust(t.Context(), func() (session.TrustStore, error) { return memory.New(), nil }))

	err := CheckDirectory(t.Context(), func() (auth.Directory, error) {
		d := hookDirectory()
		d.create = func(ctx context.Context, a auth.Account) error {
			return swallow(d.Directory.Create(ctx, a), auth.ErrTaken)
		}
		return d, nil
	})
	for _, name := range []string{"an id is used once", "an identifier is used once", "one creation of an id wins"} {
		require.ErrorContains(t, err, name)
	}
	require.NotContains(t, err.Error(), "unknown is not found")

	unopened := errors.New("no database")
	require.ErrorIs(t, CheckFlows(t.Context(), func() (auth.FlowStore, error) { return nil, unopened }), unopened)
}

// swallow makes nothing of an error.
func swallow(err, which error) error {
	if errors.Is(err, which) {
		return nil
	}
	return err
}

// from returns a function that reports whether it is called for the n-th time or later.
func from(n int32) func() bool {
	var calls atomic.Int32
	return func() bool { return calls.Add(1) >= n }
}

// lateSwallow swallows the error from the n-th time on that it occurs.
func lateSwallow(n int32, which error) func(error) error {
	late := from(n)
	return func(err error) error {
		if errors.Is(err, which) && late() {
			return nil
		}
		return err
	}
}

var fold, trim = strings.ToLower, strings.TrimSpace
