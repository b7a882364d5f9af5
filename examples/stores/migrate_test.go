package stores_test

import (
	"database/sql"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/sqlstore"
)

// bare opens the file without a Store.
func bare(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// schemaOf returns the definitions of everything in the database.
func schemaOf(t *testing.T, db *sql.DB) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_schema ORDER BY name`)
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var one string
		require.NoError(t, rows.Scan(&one))
		all = append(all, one)
	}
	require.NoError(t, rows.Err())
	return all
}

func TestMigratingTwiceChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	first := openSQLite(t, path)
	schema := schemaOf(t, first.DB())
	require.NotEmpty(t, schema)
	var applied string
	const latest = `SELECT group_concat(version || name || applied_at) FROM cardea_schema`
	require.NoError(t, first.DB().QueryRowContext(t.Context(), latest).Scan(&applied))
	require.Contains(t, applied, "0001_initial.sql")

	again := openSQLite(t, path)
	require.NoError(t, sqlstore.Migrate(t.Context(), again.DB(), sqlstore.SQLite()))
	require.Equal(t, schema, schemaOf(t, again.DB()))
	var after string
	require.NoError(t, again.DB().QueryRowContext(t.Context(), latest).Scan(&after))
	require.Equal(t, applied, after)
}

// TestManyMigrateAtOnce starts servers that find no file at all.
func TestManyMigrateAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	stores, errs := make([]*sqlstore.Store, 8), make([]error, 8)
	var all sync.WaitGroup
	for i := range stores {
		all.Go(func() {
			stores[i], errs[i] = sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Options{})
		})
	}
	all.Wait()
	for i, s := range stores {
		require.NoError(t, errs[i])
		require.NoError(t, s.Close())
	}
}

func TestMigratingByHand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	byHand := sqlstore.Options{MigrateByHand: true}
	_, err := sqlstore.OpenSQLite(t.Context(), "sqlite", path, byHand)
	require.ErrorIs(t, err, sqlstore.ErrSchema)
	db := bare(t, path)
	require.Empty(t, schemaOf(t, db), "nothing is made behind the host's back")

	require.NoError(t, sqlstore.Migrate(t.Context(), db, sqlstore.SQLite()))
	s, err := sqlstore.OpenSQLite(t.Context(), "sqlite", path, byHand)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// TestANewerSchemaIsRefused: an older program that writes into a newer schema could leave out what the newer
// one relies on.
func TestANewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	s := openSQLite(t, path)
	_, err := s.DB().ExecContext(t.Context(), `INSERT INTO cardea_schema (version, name) VALUES (1000, 'from the future')`)
	require.NoError(t, err)
	for _, o := range []sqlstore.Options{{}, {MigrateByHand: true}} {
		_, err = sqlstore.OpenSQLite(t.Context(), "sqlite", path, o)
		require.ErrorIs(t, err, sqlstore.ErrSchema)
		require.ErrorContains(t, err, "1000")
	}
	require.ErrorIs(t, sqlstore.Migrate(t.Context(), s.DB(), sqlstore.SQLite()), sqlstore.ErrSchema)
}

// TestADatabaseOfTheFirstSchemaGetsTheRest migrates one from before there were trusted devices, letters, tickets,
// factors, activity and links. The people and the accounts in it stay.
func TestADatabaseOfTheFirstSchemaGetsTheRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	s := openSQLite(t, path)
	schema := schemaOf(t, s.DB())
	require.NoError(t, s.Create(t.Context(), auth.Account{ID: "a1", Identifier: "a1@example.org"}))
	require.NoError(t, s.Open(t.Context(), "a1", flow.Active, "hash", noon))
	_, err := s.DB().ExecContext(t.Context(), `DROP TABLE cardea_trust; DROP TABLE cardea_tickets; DROP TABLE cardea_letters;
		DROP TABLE cardea_factors; DROP TABLE cardea_activity;
		DROP TABLE cardea_links; DROP TABLE cardea_provider_sessions; DROP TABLE cardea_provider_ends; DELETE FROM cardea_schema WHERE version >= 2`)
	require.NoError(t, err)

	require.NoError(t, sqlstore.Migrate(t.Context(), s.DB(), sqlstore.SQLite()))
	require.Equal(t, schema, schemaOf(t, s.DB()))
	require.NoError(t, s.PutTrust(t.Context(), trusting("t1"), noon, 10))
	require.NoError(t, s.AddTicket(t.Context(), mailed("t1", "a1", auth.ForReset), dueLetter("m1")))
	_, err = s.FindByID(t.Context(), "a1")
	require.NoError(t, err)
	_, err = s.ChangeFactors(t.Context(), auth.FactorChange{Account: "a1", From: active, Add: []auth.StoredFactor{{ID: "f1", Account: "a1", Method: flow.TOTP}}, Now: noon})
	require.NoError(t, err)
	require.NoError(t, s.RecordActivity(t.Context(), happened("a1", "m", noon), 10))
	link(t, s)
	require.NoError(t, s.AttachSession(t.Context(), []auth.ProviderSession{vouched("k1", "s1")}, noon))
	state, err := s.State(t.Context(), "a1")
	require.NoError(t, err)
	require.Equal(t, flow.MethodsOf(flow.Password, flow.TOTP), state.Enrolled)
}

// TestAMigrationThatFailsLeavesNothing stops the first migration at its last tables by a name that is taken.
func TestAMigrationThatFailsLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	db := bare(t, path)
	_, err := db.ExecContext(t.Context(), `CREATE TABLE cardea_sessions (mine TEXT)`)
	require.NoError(t, err)
	before := schemaOf(t, db)

	_, err = sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Options{})
	require.ErrorContains(t, err, "0001_initial.sql")
	require.Equal(t, before, schemaOf(t, db))

	_, err = db.ExecContext(t.Context(), `DROP TABLE cardea_sessions`)
	require.NoError(t, err)
	openSQLite(t, path)
}
