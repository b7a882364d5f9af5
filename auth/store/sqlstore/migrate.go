package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// ErrSchema says that the database has another schema than this version of the package works with: an
// older one that was not migrated, or one that a newer version has made.
var ErrSchema = errors.New("the database has another schema")

//go:embed schema
var schemas embed.FS

const createVersions = `CREATE TABLE IF NOT EXISTS cardea_schema (
	version    INTEGER NOT NULL PRIMARY KEY,
	name       TEXT    NOT NULL,
	applied_at TEXT    NOT NULL DEFAULT CURRENT_TIMESTAMP -- for people to read
)`

// migration is one step from a version of the schema to the next.
type migration struct {
	version int
	name    string
	text    string
}

// migrations returns the steps in order; the n-th has version n.
func migrations(d Dialect) ([]migration, error) {
	folder := "schema/" + d.name
	entries, err := fs.ReadDir(schemas, folder)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: read schema: %w", err)
	}
	var steps []migration
	for i, e := range entries {
		number, _, _ := strings.Cut(e.Name(), "_")
		if n, err := strconv.Atoi(number); err != nil || n != i+1 {
			return nil, fmt.Errorf("sqlstore: %s is not migration %d", e.Name(), i+1)
		}
		text, err := fs.ReadFile(schemas, folder+"/"+e.Name())
		if err != nil {
			return nil, fmt.Errorf("sqlstore: read schema: %w", err)
		}
		steps = append(steps, migration{i + 1, e.Name(), string(text)})
	}
	return steps, nil
}

// Migrate brings the schema up to date: each missing step in a transaction of its own, recorded in the
// table cardea_schema. Where nothing is missing it changes nothing. Several processes may call it at once.
// It returns ErrSchema if the schema is newer than this version knows.
func Migrate(ctx context.Context, db *sql.DB, d Dialect) error {
	steps, err := migrations(d)
	if err != nil {
		return err
	}
	if version, err := schemaVersion(ctx, db, d); err == nil && version == len(steps) {
		return nil // the usual case takes no write lock
	}
	for done := false; !done; {
		err := transact(ctx, db, d, func(t tx) (err error) {
			done, err = t.migrateOnce(ctx, steps)
			return err
		})
		if err != nil {
			return fault("migrate", err, ErrSchema)
		}
	}
	return nil
}

// migrateOnce takes the first step that is missing, or reports that there is none.
func (t tx) migrateOnce(ctx context.Context, steps []migration) (done bool, err error) {
	if _, err := t.exec(ctx, createVersions); err != nil {
		return false, err
	}
	var version int
	if err := t.row(ctx, `SELECT COALESCE(MAX(version), 0) FROM cardea_schema`).Scan(&version); err != nil {
		return false, err
	}
	if version > len(steps) {
		return false, newerSchema(version, len(steps))
	}
	if version == len(steps) {
		return true, nil
	}
	step := steps[version]
	if _, err := t.exec(ctx, step.text); err != nil {
		return false, fmt.Errorf("%s: %w", step.name, err)
	}
	_, err = t.exec(ctx, `INSERT INTO cardea_schema (version, name) VALUES (?, ?)`, step.version, step.name)
	return false, err
}

// checkSchema returns ErrSchema unless the schema is the current one.
func checkSchema(ctx context.Context, db *sql.DB, d Dialect) error {
	steps, err := migrations(d)
	if err != nil {
		return err
	}
	version, err := schemaVersion(ctx, db, d)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("sqlstore: read schema version: %w", err)
	case err != nil:
		return fmt.Errorf("sqlstore: %w: it has no version; run Migrate (%w)", ErrSchema, err)
	case version > len(steps):
		return newerSchema(version, len(steps))
	case version < len(steps):
		return fmt.Errorf("sqlstore: %w: it has version %d, this is version %d; run Migrate", ErrSchema, version, len(steps))
	}
	return nil
}

func schemaVersion(ctx context.Context, db *sql.DB, d Dialect) (version int, err error) {
	err = db.QueryRowContext(ctx, d.rewrite(`SELECT COALESCE(MAX(version), 0) FROM cardea_schema`)).Scan(&version)
	return version, err
}

func newerSchema(version, known int) error {
	return fmt.Errorf("sqlstore: %w: it has version %d, and this program knows up to version %d", ErrSchema, version, known)
}
