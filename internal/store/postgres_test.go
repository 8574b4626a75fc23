package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
)

// TestReadsInOneExchange has reads that are sent as one with their transaction end in
// every way, on a single connection: the next one finds it as it was.
func TestReadsInOneExchange(t *testing.T) {
	t.Parallel()
	for _, behindPooler := range []bool{false, true} {
		t.Run(map[bool]string{false: "directly", true: "behind a pooler"}[behindPooler], func(t *testing.T) {
			t.Parallel()
			s := open(t, store.Config{DatabaseURL: storetest.NewPostgres(t), MaxConns: 1, PollOnly: behindPooler})
			pool, _ := s.Pool().(*pgxpool.Pool)
			for name, read := range map[string]func(ctx context.Context) error{
				"what is no statement": func(ctx context.Context) error { _, err := s.AllInOrder(ctx, "select nothing"); return err },
				"an error at once":     func(ctx context.Context) error { _, err := s.AllInOrder(ctx, "select 1 / (select 0)"); return err },
				"an error after many rows": func(ctx context.Context) error {
					_, err := s.AllInOrder(ctx, "select 1 / (9999 - g) from generate_series(1, 20000) as g")
					return err
				},
				"a row that can't be read": func(ctx context.Context) error {
					_, err := s.AllInOrder(ctx, "select case when g = 5 then null else g end from generate_series(1, 9) as g")
					return err
				},
				"a caller who has left": func(ctx context.Context) error {
					ctx, leave := context.WithCancel(ctx)
					leave()
					_, err := s.AllInOrder(ctx, "select 1")
					return err
				},
				"a caller who leaves": func(ctx context.Context) error {
					ctx, leave := context.WithTimeout(ctx, 20*time.Millisecond)
					defer leave()
					_, err := s.AllInOrder(ctx, "select 1 from pg_sleep(30)")
					return err
				},
				"a caller who leaves among the rows": func(ctx context.Context) error {
					ctx, leave := context.WithTimeout(ctx, 20*time.Millisecond)
					defer leave()
					_, err := s.AllInOrder(ctx, "select case when g > 20000 then (select 1 from pg_sleep(g / 30000 * 30)) else g end from generate_series(1, 40000) as g")
					return err
				},
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				if err := read(ctx); err == nil || ctx.Err() != nil {
					t.Errorf("%s: error %v", name, err)
				}
				asItWas(ctx, t, name, s, pool)
				cancel()
			}
			opened := pool.Stat().NewConnsCount()
			first, err := s.FirstInOrder(t.Context(), "select g from generate_series(7, 20000) as g")
			if first != 7 || err != nil {
				t.Errorf("the first of many: %d, %v", first, err)
			}
			asItWas(t.Context(), t, "the first of many", s, pool)
			if n := pool.Stat().NewConnsCount() - opened; n != 0 {
				t.Errorf("%d connections were opened anew although nothing failed", n)
			}
		})
	}
}

// asItWas reads with the connection that is there after something happened to it.
func asItWas(ctx context.Context, t *testing.T, after string, s *store.Store, pool *pgxpool.Pool) {
	t.Helper()
	const settings = "select case when current_setting('enable_bitmapscan') = 'on' then 1 else 0 end union all select 5"
	inside, err := s.AllInOrder(ctx, settings)
	if diff := cmp.Diff([]int64{0, 5}, inside); diff != "" || err != nil {
		t.Errorf("after %s: %v\n%s", after, err, diff)
	}
	c, err := pool.Acquire(ctx)
	if err != nil {
		t.Fatalf("after %s: %v", after, err)
	}
	defer c.Release()
	var bitmaps string
	if err := c.QueryRow(ctx, "show enable_bitmapscan").Scan(&bitmaps); err != nil || bitmaps != "on" || c.Conn().PgConn().TxStatus() != 'I' {
		t.Errorf("after %s: bitmaps are %s, state %c, %v", after, bitmaps, c.Conn().PgConn().TxStatus(), err)
	}
}

// TestEachConnectionsSync looks at a plan: two tables of thousands are joined in the
// square of their number while their statistics are those of empty ones.
func TestEachConnectionsSync(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{DatabaseURL: storetest.NewPostgres(t)})
	plan, err := s.PlanOfConnectionsWithoutSync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(plan, "\n"); !strings.Contains(text, "SubPlan") || strings.Contains(text, "Anti Join") {
		t.Errorf("the plan is\n%s", text)
	}
}

// TestListsArePlannedAnew keeps no plan of statements about lists, which grow with
// their tables, and those of others.
func TestListsArePlannedAnew(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{DatabaseURL: storetest.NewPostgres(t), MaxConns: 1})
	if _, err := s.Syncs(t.Context(), nil, 1, []linkspan.SyncID{1, 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Clock(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	pool, _ := s.Pool().(*pgxpool.Pool)
	var lists, others int
	err := pool.QueryRow(t.Context(), `select count(*) filter (where statement like 'with chosen%'), count(*) filter (where statement not like 'with chosen%')
		from pg_prepared_statements`).Scan(&lists, &others)
	if err != nil || lists != 0 || others == 0 {
		t.Errorf("plans of %d statements about lists and of %d others are kept; error %v", lists, others, err)
	}
}
