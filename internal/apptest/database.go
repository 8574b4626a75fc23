package apptest

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/store/storetest"
)

// Database is where an instance keeps its state. Several instances may share a
// PostgreSQL database; a SQLite folder belongs to one at a time.
type Database struct {
	// Dir is the SQLite folder; empty on PostgreSQL.
	Dir string
	// URL is the PostgreSQL URL; empty on SQLite.
	URL string
	// Keys are the keys of every instance on this database.
	Keys Keys
}

// NewSQLite returns a new, empty SQLite folder.
func NewSQLite(t testing.TB) Database {
	t.Helper()
	return Database{Dir: t.TempDir(), Keys: NewKeys()}
}

// NewPostgres creates an empty PostgreSQL database that goes with the test. It
// skips the test when no server is configured, and fails it on CI.
func NewPostgres(t testing.TB) Database {
	t.Helper()
	return Database{URL: storetest.NewPostgres(t), Keys: NewKeys()}
}

// Databases are the kinds of databases, for tests that run on each: name and
// how to make an empty one.
func Databases() map[string]func(testing.TB) Database {
	return map[string]func(testing.TB) Database{"sqlite": NewSQLite, "postgres": NewPostgres}
}

// volatile are the tables that change by themselves while nobody asks for a
// change: the log of operations, leases, counters and the queue.
var volatile = map[string]bool{
	"operations": true, "messages": true, "leases": true, "rate_counts": true, "sqlite_sequence": true,
}

// writtenBehind are the columns that record use.
var writtenBehind = []string{"last_used_at", "last_fetched_at"}

// State renders the rows of every table that only customers change, one row a
// line in a stable order, so that two states can be compared.
func (d Database) State(t testing.TB) string {
	t.Helper()
	var lines []string
	for _, table := range d.tables(t) {
		if volatile[table] || strings.HasPrefix(table, "river_") {
			continue
		}
		lines = append(lines, d.rows(t, table)...)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Count returns the number of rows of a table.
func (d Database) Count(t testing.TB, table string) int {
	t.Helper()
	if !slices.Contains(d.tables(t), table) {
		t.Fatalf("the database has no table %q", table)
	}
	return len(d.rows(t, table))
}

// Bytes returns everything the database keeps: all files of a SQLite folder
// but the encryption key's own, or a dump of a PostgreSQL database in which
// binary columns are both in hexadecimal and decoded.
func (d Database) Bytes(t testing.TB) []byte {
	t.Helper()
	if d.URL != "" {
		dump := run(t, "pg_dump", "--dbname="+d.URL)
		return append(dump, decodeHex(dump)...)
	}
	var all []byte
	files, err := os.ReadDir(d.Dir)
	if err != nil {
		t.Fatalf("reading the data folder: %v", err)
	}
	for _, f := range files {
		if f.IsDir() || !strings.Contains(f.Name(), ".db") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(d.Dir, f.Name()))
		if err != nil {
			t.Fatalf("reading %s: %v", f.Name(), err)
		}
		all = append(all, text...)
	}
	if len(all) == 0 {
		t.Fatalf("no database file in %s", d.Dir)
	}
	return all
}

func (d Database) tables(t testing.TB) []string {
	t.Helper()
	if d.URL != "" {
		return strings.Fields(psql(t, d.URL, `select table_name from information_schema.tables
			where table_schema = current_schema() and table_type = 'BASE TABLE' order by 1`))
	}
	var names []string
	d.sqlite(t, `select name from sqlite_master where type = 'table' order by 1`, func(row []any) {
		names = append(names, fmt.Sprint(row[0]))
	})
	return names
}

// rows renders the rows of a table without the columns written behind.
func (d Database) rows(t testing.TB, table string) []string {
	t.Helper()
	var lines []string
	if d.URL != "" {
		drop := ` - '` + strings.Join(writtenBehind, `' - '`) + `'`
		for line := range strings.Lines(psql(t, d.URL, `select to_jsonb(t)`+drop+` from "`+table+`" t`)) {
			lines = append(lines, table+" "+strings.TrimSpace(line))
		}
		return lines
	}
	var columns []string
	d.sqlite(t, `select name from pragma_table_info('`+table+`')`, func(row []any) {
		if name := fmt.Sprint(row[0]); !slices.Contains(writtenBehind, name) {
			columns = append(columns, `"`+name+`"`)
		}
	})
	d.sqlite(t, `select `+strings.Join(columns, ", ")+` from "`+table+`"`, func(row []any) {
		lines = append(lines, fmt.Sprintf("%s %q", table, row))
	})
	return lines
}

// sqlite runs one query on the SQLite file beside the running instance.
func (d Database) sqlite(t testing.TB, query string, each func(row []any)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(d.Dir, "*.db"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s holds %d database files, not one (%v)", d.Dir, len(files), err)
	}
	db, err := sql.Open("sqlite", "file:"+files[0]+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatalf("opening the database: %v", err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("running %q: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatalf("running %q: %v", query, err)
	}
	for rows.Next() {
		row := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatalf("running %q: %v", query, err)
		}
		each(row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("running %q: %v", query, err)
	}
}

// decodeHex decodes the bytea literals of a dump.
func decodeHex(dump []byte) []byte {
	var out []byte
	for _, part := range bytes.Split(dump, []byte(`\\x`))[1:] {
		end := bytes.IndexFunc(part, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) })
		if end < 0 {
			end = len(part)
		}
		if raw, err := hex.DecodeString(string(part[:end])); err == nil {
			out = append(out, raw...)
		}
	}
	return out
}

func psql(t testing.TB, server, query string) string {
	t.Helper()
	return string(run(t, "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--dbname="+server, "--command="+query))
}

// run runs a PostgreSQL program and returns what it prints.
func run(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	// Clean-ups run programs too, after the test's own context has ended.
	cmd := exec.Command(program(t, name), args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("running %s: %v\n%s", name, err, stderr.Bytes())
	}
	return out
}

// program finds a PostgreSQL program in the path or where Debian keeps them.
func program(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		t.Fatalf("%s is not installed: the tests on PostgreSQL need its client programs", name)
	}
	return found[len(found)-1]
}
