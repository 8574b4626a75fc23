package store

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
)

// openEmpty opens a new SQLite database without any tables.
func openEmpty(t *testing.T) *DB {
	t.Helper()
	return openDir(t, t.TempDir())
}

func openDir(t *testing.T, dir string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Config{DataDir: dir}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func files(texts ...string) fstest.MapFS {
	fs := fstest.MapFS{}
	for i, text := range texts {
		fs["migrations/sqlite/000"+string(rune('1'+i))+"_step.sql"] = &fstest.MapFile{Data: []byte(text)}
	}
	return fs
}

const (
	stepOne = "create table one (id integer primary key); create table uno (id integer primary key);"
	stepTwo = "create table two (id integer primary key);"
)

func TestMigrate(t *testing.T) {
	t.Parallel()
	db := openEmpty(t)
	ctx := t.Context()
	check := func(got []string, err error, want ...string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("steps (-want +got):\n%s", diff)
		}
	}
	got, err := db.pending(ctx, files(stepOne))
	check(got, err, "0001_step")
	got, err = db.migrate(ctx, files(stepOne))
	check(got, err, "0001_step")
	got, err = db.migrate(ctx, files(stepOne))
	check(got, err)
	got, err = db.pending(ctx, files(stepOne, stepTwo))
	check(got, err, "0002_step")

	// A step that fails leaves nothing behind.
	if _, err := db.migrate(ctx, files(stepOne, stepTwo+"nonsense")); err == nil {
		t.Fatal("a broken migration succeeded")
	}
	got, err = db.migrate(ctx, files(stepOne, stepTwo))
	check(got, err, "0002_step")

	for name, tt := range map[string]struct {
		files fstest.MapFS
		code  string
	}{
		"changed":         {files(stepOne+" -- edited", stepTwo), "changed_migration"},
		"database is new": {files(stepOne), "newer_schema"},
	} {
		_, err := db.migrate(ctx, tt.files)
		if linkspan.CodeOf(err) != tt.code {
			t.Errorf("%s: migrating says %v", name, err)
		}
		_, err = db.pending(ctx, tt.files)
		if linkspan.CodeOf(err) != tt.code {
			t.Errorf("%s: looking says %v", name, err)
		}
	}
	gap := files(stepOne)
	gap["migrations/sqlite/0003_gap.sql"] = &fstest.MapFile{}
	if _, err := db.migrate(ctx, gap); err == nil || !strings.Contains(err.Error(), "should have number 2") {
		t.Errorf("a gap in the numbers says %v", err)
	}
}

func TestOpenSQLite(t *testing.T) {
	t.Parallel()
	// Characters that mean something in a URI.
	dir := filepath.Join(t.TempDir(), "a b?c#d%20e", "data")
	db := openDir(t, dir)
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"linkspan.db", "linkspan.db-wal"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	if _, err := db.read(nil).exec(t.Context(), "delete from accounts"); err == nil {
		t.Error("the readers can write")
	}
	var mode string
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
		if err := db.writer.QueryRowContext(t.Context(), "pragma "+pragma).Scan(&mode); err != nil || mode != want {
			t.Errorf("%s is %q, %v", pragma, mode, err)
		}
	}
	for _, c := range []Config{
		{},
		{DataDir: "x", DatabaseURL: "postgres://"},
		{DatabaseURL: "postgres://%"},
		{DatabaseURL: "postgres://u:s3cret@h:port/db"},
		{DatabaseURL: "postgres://u:s3cret%zz@h/db"},
		{DatabaseURL: "host=h password=s3cret port=x"},
		{DatabaseURL: "host=h password='s3cret"},
	} {
		_, err := Open(t.Context(), c, slog.New(slog.DiscardHandler))
		if err == nil {
			t.Errorf("opened %+v", c)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// TestSQLiteBusy has a second process hold the file: the writer waits for its
// turn instead of failing.
func TestSQLiteBusy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := openDir(t, dir), openDir(t, dir)
	if _, err := first.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, db := range []*DB{first, second} {
		wg.Go(func() {
			for range 20 {
				err := db.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error {
					_, err := asTxn(tx).exec(ctx, "insert into accounts (uuid, name, created_at) values ($1, 'x', 0)", linkspan.NewUUID())
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	n, err := one(t.Context(), second.read(nil), value[int64], "select count(*) from accounts")
	if err != nil || n != 40 {
		t.Fatalf("%d rows, %v", n, err)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	db := openEmpty(t)
	ch := db.Notifications(t.Context())
	for range 2 {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, open := <-ch; open {
		t.Error("notifications go on after Close")
	}
}
