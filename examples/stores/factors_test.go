package stores_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/sqlstore"
)

// TestFactorsKeepMicroseconds: the kit asks for milliseconds.
func TestFactorsKeepMicroseconds(t *testing.T) {
	s, ctx := newSQLite(t), t.Context()
	now := time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.FixedZone("", 3600))
	require.NoError(t, s.Open(ctx, "a3", flow.Active, "", now))
	f := enrolling("f1", flow.TOTP)
	f.CreatedAt = now
	_, err := s.ChangeFactors(ctx, auth.FactorChange{Account: "a3", From: active, Add: []auth.StoredFactor{f}, Now: now})
	require.NoError(t, err)
	require.NoError(t, s.UseFactor(ctx, "a3", "f1", 0, 1, "", now))
	f.CreatedAt, f.UsedAt, f.Counter = now.UTC().Truncate(time.Microsecond), now.UTC().Truncate(time.Microsecond), 1
	got, err := s.Factors(ctx, "a3")
	require.NoError(t, err)
	require.Equal(t, []auth.StoredFactor{f}, got)
}

// TestFactorsAreFoundByIndexes: the state is read at every step of a flow, and a passkey before anybody is known.
func TestFactorsAreFoundByIndexes(t *testing.T) {
	s := newSQLite(t)
	for query, index := range map[string]string{
		`SELECT SUM(DISTINCT 1 << (method + 16 * verifying)) FROM cardea_factors WHERE account = ?`: "COVERING INDEX cardea_factors_account",
		`SELECT data FROM cardea_factors WHERE handle = ? AND method = 6 AND handle <> ''`:          "INDEX cardea_factors_passkey",
	} {
		require.Contains(t, planOf(t, s, query), index)
	}
}

// BenchmarkState reads the state of accounts, with and without factors.
func BenchmarkState(b *testing.B) {
	const accounts = 1000
	s, err := sqlstore.OpenSQLite(b.Context(), "sqlite", filepath.Join(b.TempDir(), "accounts.db"), sqlstore.Options{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	ctx := b.Context()
	for i := range accounts {
		with, without := fmt.Sprintf("with-%04d", i), fmt.Sprintf("without-%04d", i)
		require.NoError(b, s.Open(ctx, with, flow.Active, "hash", noon))
		require.NoError(b, s.Open(ctx, without, flow.Active, "hash", noon))
		c := auth.FactorChange{Account: with, From: active, Now: noon}
		for n := range 13 {
			m := []flow.Method{flow.TOTP, flow.Passkey, flow.Passkey, flow.RecoveryCode}[min(n, 3)]
			f := enrolling(fmt.Sprintf("%s-%02d", with, n), m)
			f.Account, f.Verifying = with, n == 1
			c.Add = append(c.Add, f)
		}
		_, err := s.ChangeFactors(ctx, c)
		require.NoError(b, err)
	}
	for _, kind := range []string{"without", "with"} {
		b.Run(kind+" factors", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := s.State(ctx, fmt.Sprintf("%s-%04d", kind, i%accounts)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
