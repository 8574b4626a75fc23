package store_test

import (
	"cmp"
	"database/sql"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
)

// schema is what must be the same on both databases: for each table its columns
// and what must be unique.
type schema map[string]*table

type table struct {
	Columns map[string]string // name: type and whether null is possible
	Unique  []string          // columns and condition of each unique index
}

func (s schema) table(name string) *table {
	if s[name] == nil {
		s[name] = &table{Columns: make(map[string]string)}
	}
	return s[name]
}

func (s schema) sorted() schema {
	for _, t := range s {
		slices.Sort(t.Unique)
	}
	return s
}

// TestSchemaParity compares what the two databases' migrations made.
func TestSchemaParity(t *testing.T) {
	t.Parallel()
	dbs := storetest.Databases()
	pg, _ := open(t, dbs["postgres"](t)).Pool().(*pgxpool.Pool)
	lite, _ := open(t, dbs["sqlite"](t)).Pool().(*sql.DB)
	want, got := sqliteSchema(t, lite), postgresSchema(t, pg)
	if len(want) < 15 {
		t.Fatalf("SQLite has %d tables", len(want))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("schemas (-sqlite +postgres):\n%s", diff)
	}
}

func nullable(null bool) string {
	if null {
		return " null"
	}
	return " not null"
}

func sqliteSchema(t *testing.T, db *sql.DB) schema {
	t.Helper()
	s := schema{}
	query(t, db, `select m.name, c.name, c.type, c."notnull", c.pk from sqlite_master m, pragma_table_info(m.name) c
		where m.type = 'table' and m.name not like 'sqlite_%'`, func(r *sql.Rows) error {
		var name, column, typ string
		var notNull, pk int
		if err := r.Scan(&name, &column, &typ, &notNull, &pk); err != nil {
			return err
		}
		if typ == "BIGINT" || typ == "bigint" { // the one table that is not strict
			typ = "integer"
		}
		s.table(name).Columns[column] = strings.ToLower(typ) + nullable(notNull == 0 && pk == 0)
		return nil
	})
	// Primary keys that are the row id have no index of their own.
	query(t, db, `select m.name, c.name from sqlite_master m, pragma_table_info(m.name) c
		where m.type = 'table' and m.name not like 'sqlite_%' and c.pk = 1 and lower(c.type) = 'integer'
			and (select count(*) from pragma_table_info(m.name) where pk > 0) = 1`, func(r *sql.Rows) error {
		var name, column string
		err := r.Scan(&name, &column)
		s.table(name).Unique = append(s.table(name).Unique, column)
		return err
	})
	query(t, db, `select m.name, (select group_concat(name) from (select name from pragma_index_info(i.name) order by seqno)),
			coalesce((select sql from sqlite_master x where x.name = i.name), '')
		from sqlite_master m, pragma_index_list(m.name) i
		where m.type = 'table' and m.name not like 'sqlite_%' and i."unique" = 1`, func(r *sql.Rows) error {
		var name, columns, text string
		err := r.Scan(&name, &columns, &text)
		_, where, _ := strings.Cut(text, " where ")
		s.table(name).Unique = append(s.table(name).Unique, strings.TrimSpace(columns+" "+where))
		return err
	})
	return s.sorted()
}

func query(t *testing.T, db *sql.DB, text string, scan func(*sql.Rows) error) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

func postgresSchema(t *testing.T, db *pgxpool.Pool) schema {
	t.Helper()
	s := schema{}
	rows, err := db.Query(t.Context(), `select table_name, column_name, data_type, is_nullable = 'YES'
		from information_schema.columns where table_schema = current_schema()
			and not (select relispartition from pg_class where oid = to_regclass(table_name))`)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{"bigint": "integer", "boolean": "integer", "text": "text", "bytea": "blob"}
	for rows.Next() {
		var name, column, typ string
		var null bool
		if err := rows.Scan(&name, &column, &typ, &null); err != nil {
			t.Fatal(err)
		}
		s.table(name).Columns[column] = cmp.Or(types[typ], typ) + nullable(null)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	rows, err = db.Query(t.Context(), `
		select c.relname, (select string_agg(a.attname, ',' order by k.n) from unnest(i.indkey) with ordinality as k (attnum, n)
				join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum),
			coalesce(pg_get_expr(i.indpred, i.indrelid), '')
		from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
		where i.indisunique and n.nspname = current_schema() and not c.relispartition`)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var name, columns, where string
		if err := rows.Scan(&name, &columns, &where); err != nil {
			t.Fatal(err)
		}
		where = strings.ToLower(strings.NewReplacer("(", "", ")", "").Replace(where))
		s.table(name).Unique = append(s.table(name).Unique, strings.TrimSpace(columns+" "+where))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return s.sorted()
}

// TestMigrateTogether starts several replicas at once on an empty database.
func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config(t)
			applied := make(chan int)
			for range 4 {
				db := openDB(t, c)
				go func() {
					steps, err := db.Migrate(t.Context())
					if err != nil {
						t.Error(err)
					}
					applied <- len(steps)
				}()
			}
			total := 0
			for range 4 {
				total += <-applied
			}
			pending, err := store.Pending(t.Context(), c, slog.New(slog.DiscardHandler))
			if err != nil || len(pending) != 0 || total == 0 {
				t.Fatalf("%d steps taken, pending %v, %v", total, pending, err)
			}
			if total != countMigrations(t) {
				t.Fatalf("%d steps taken by 4 replicas, want each of %d once", total, countMigrations(t))
			}
		})
	}
}

// countMigrations returns how many files there are.
func countMigrations(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("migrations/sqlite")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}
