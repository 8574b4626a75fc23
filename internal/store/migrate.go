package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan"
)

//go:embed migrations
var migrationFiles embed.FS

// Named locks of PostgreSQL transactions. The numbers are arbitrary and must
// not change.
const (
	lockMigrate   = 720_310_001
	lockBootstrap = 720_310_002
	lockLanes     = 720_310_100 // and those that follow, one for each lane
)

// migration is one numbered file, and once applied one row.
type migration struct {
	version  int64
	name     string
	checksum string
	sql      string
}

// Migrate brings the schema up to date, each step in a transaction of its own,
// and returns the names of the steps it took. Several processes may call it at
// once. It refuses a database that a newer version has migrated, and one whose
// steps were not those of this version.
func (db *DB) Migrate(ctx context.Context) ([]string, error) {
	return db.migrate(ctx, migrationFiles)
}

func (db *DB) migrate(ctx context.Context, files fs.FS) ([]string, error) {
	known, err := readMigrations(files, db.dialect.migrations)
	if err != nil {
		return nil, wrap("Migrate", err)
	}
	var done []string
	for {
		var step *migration
		err := db.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
			var err error
			step, err = db.migrateStep(ctx, asTxn(tx), known)
			return err
		})
		if err != nil {
			return done, wrap("Migrate", err)
		}
		if step == nil {
			return done, nil
		}
		done = append(done, step.name)
	}
}

// migrateStep applies the first migration that is missing, nil if none is.
func (db *DB) migrateStep(ctx context.Context, t *txn, known []migration) (*migration, error) {
	if err := db.lockNamed(ctx, t, lockMigrate); err != nil {
		return nil, err
	}
	if _, err := t.exec(ctx, `create table if not exists schema_migrations (
		version bigint not null primary key, name text not null, checksum text not null, applied_at bigint not null)`); err != nil {
		return nil, fmt.Errorf("making the table of migrations: %w", err)
	}
	missing, err := pending(ctx, t, known)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	m := missing[0]
	if _, err := t.exec(ctx, m.sql); err != nil {
		return nil, fmt.Errorf("applying migration %s: %w", m.name, err)
	}
	if _, err := t.exec(ctx, "insert into schema_migrations (version, name, checksum, applied_at) values ($1, $2, $3, "+db.dialect.now+")",
		m.version, m.name, m.checksum); err != nil {
		return nil, fmt.Errorf("recording migration %s: %w", m.name, err)
	}
	return &m, nil
}

// Pending returns the names of the steps that Migrate would take. It changes
// nothing: a database that does not exist is not made.
func Pending(ctx context.Context, c Config, log *slog.Logger) (names []string, err error) {
	there, err := exists(c)
	if err != nil {
		return nil, wrap("Pending", err)
	}
	if !there {
		known, err := readMigrations(migrationFiles, sqliteDialect().migrations)
		return stepNames(known), wrap("Pending", err)
	}
	db, err := Open(ctx, c, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.pending(ctx, migrationFiles)
}

// exists reports whether there is a database that Open would not have to make.
func exists(c Config) (bool, error) {
	if c.DataDir == "" {
		return true, nil // a server's to say
	}
	info, err := os.Stat(filepath.Join(c.DataDir, sqliteFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for the database file: %w", err)
	}
	return info.Size() > 0, nil
}

func (db *DB) pending(ctx context.Context, files fs.FS) ([]string, error) {
	known, err := readMigrations(files, db.dialect.migrations)
	if err != nil {
		return nil, wrap("Pending", err)
	}
	q := db.read(nil)
	n, err := one(ctx, q, value[int64], db.dialect.hasTable, "schema_migrations")
	if err != nil {
		return nil, wrap("Pending", err)
	}
	missing := known
	if n > 0 {
		if missing, err = pending(ctx, q, known); err != nil {
			return nil, wrap("Pending", err)
		}
	}
	return stepNames(missing), nil
}

func stepNames(steps []migration) []string {
	var names []string
	for _, m := range steps {
		names = append(names, m.name)
	}
	return names
}

// pending compares what was applied with what is known.
func pending(ctx context.Context, q queryer, known []migration) ([]migration, error) {
	applied, err := all(ctx, q, func(s scanner) (m migration, err error) {
		return m, s.Scan(&m.version, &m.name, &m.checksum)
	}, "select version, name, checksum from schema_migrations order by version")
	if err != nil {
		return nil, fmt.Errorf("reading the applied migrations: %w", err)
	}
	for i, m := range applied {
		if i >= len(known) {
			return nil, linkspan.E("store", linkspan.KindConflict, "newer_schema", nil,
				"The database was migrated by a newer version of this program (migration %s).", m.name).
				WithHint("Start that version or a later one, or restore a backup made before the upgrade.")
		}
		if m.version != known[i].version || m.checksum != known[i].checksum {
			return nil, linkspan.E("store", linkspan.KindConflict, "changed_migration", nil,
				"Migration %s of the database is not migration %s of this program: one of them was edited.", m.name, known[i].name).
				WithHint("Start the release that made this database. If a build from source changed a migration, restore the file and add a new one instead.")
		}
	}
	return known[len(applied):], nil
}

// readMigrations reads the numbered files of a directory in order. Numbers
// begin at 1 and have no gaps.
func readMigrations(files fs.FS, dir string) ([]migration, error) {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	var out []migration
	for i, e := range entries {
		text, err := fs.ReadFile(files, path.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading migration %s: %w", e.Name(), err)
		}
		number, _, _ := strings.Cut(e.Name(), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil || version != int64(i+1) {
			return nil, fmt.Errorf("migration %s should have number %d", e.Name(), i+1)
		}
		sum := sha256.Sum256(text)
		out = append(out, migration{
			version: version, name: strings.TrimSuffix(e.Name(), ".sql"), checksum: hex.EncodeToString(sum[:]), sql: string(text),
		})
	}
	return out, nil
}

// lockNamed takes a lock until the transaction ends.
func (db *DB) lockNamed(ctx context.Context, t *txn, name int64) error {
	if db.dialect.lockNamed == "" {
		return nil
	}
	if _, err := t.exec(ctx, db.dialect.lockNamed, name); err != nil {
		return fmt.Errorf("waiting for other processes: %w", err)
	}
	return nil
}
