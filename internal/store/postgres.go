package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const defaultMaxConns = 20

// openPostgres makes the pool. Behind a pooler that hands out a connection per
// transaction no statement may stay prepared on it.
func openPostgres(ctx context.Context, c Config) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(c.DatabaseURL)
	if err != nil {
		return nil, fmt.Errorf("the database URL is not valid: %w", err)
	}
	cfg.MaxConns = defaultMaxConns
	if c.MaxConns > 0 {
		cfg.MaxConns = int32(min(c.MaxConns, 10_000))
	}
	if c.PollOnly {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	} else if _, set := cfg.ConnConfig.RuntimeParams["application_name"]; !set {
		cfg.ConnConfig.RuntimeParams["application_name"] = "linkspan"
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("making the connection pool: %w", err)
	}
	return pool, nil
}

// pgRunner is what a pgx pool and a pgx transaction have in common.
type pgRunner interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

type pgQueryer struct{ run pgRunner }

func (q pgQueryer) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := checkText(args); err != nil {
		return 0, err
	}
	tag, err := q.run.Exec(ctx, query, plannedAnew(query, args)...)
	return tag.RowsAffected(), err
}

func (q pgQueryer) query(ctx context.Context, query string, args ...any) (rows, error) {
	if err := checkText(args); err != nil {
		return nil, err
	}
	return q.run.Query(ctx, query, plannedAnew(query, args)...) //nolint:sqlclosecheck // all and one close it
}

// anyOfList is how conditions about a list of ids begin on PostgreSQL.
const anyOfList = " = any(array("

// plannedAnew has PostgreSQL plan a statement about a list of ids each time. A plan
// that is kept from when a table was small reads all of it for each list later on,
// until statistics are made anew. Other statements keep theirs: planned each time, a
// page of records would take over half as long again.
func plannedAnew(query string, args []any) []any {
	if !strings.Contains(query, anyOfList) {
		return args
	}
	return append([]any{pgx.QueryExecModeCacheDescribe}, args...)
}

// insert sends the rows as one array for each column.
func (q pgQueryer) insert(ctx context.Context, b bulk, values []any) error {
	if len(values) == 0 {
		return nil
	}
	query, args := b.unnest(values)
	_, err := q.run.Exec(ctx, query, args...)
	return err
}

const noBitmaps = "set local enable_bitmapscan = off"

// pgWithoutBitmaps runs queries that must not scan bitmaps. Each is a transaction of
// its own, sent in one go: the server is asked once, not four times.
type pgWithoutBitmaps struct {
	pgQueryer

	pool *pgxpool.Pool
}

func (q pgWithoutBitmaps) query(ctx context.Context, query string, args ...any) (rows, error) {
	if err := checkText(args); err != nil {
		return nil, err
	}
	var batch pgx.Batch
	batch.Queue("begin")
	batch.Queue(noBitmaps)
	batch.Queue(query, args...)
	batch.Queue("commit")
	results := q.pool.SendBatch(ctx, &batch)
	for range 2 {
		if _, err := results.Exec(); err != nil {
			return nil, errors.Join(err, results.Close())
		}
	}
	found, err := results.Query() //nolint:rowserrcheck,sqlclosecheck // all and one do
	if err != nil {
		return nil, errors.Join(err, results.Close())
	}
	return pgBatchRows{found, results}, nil
}

// pgBatchRows are the rows of a query in a batch, which ends with them.
type pgBatchRows struct {
	pgx.Rows

	results pgx.BatchResults
}

// Close implements rows. Err has reported what there was: nothing was written.
func (r pgBatchRows) Close() {
	r.Rows.Close()
	_ = r.results.Close()
}

type pgTx struct {
	pgQueryer
	tx pgx.Tx
}

func (t pgTx) commit(ctx context.Context) error   { return t.tx.Commit(ctx) }
func (t pgTx) rollback(ctx context.Context) error { return t.tx.Rollback(ctx) }
func (t pgTx) unwrap() any                        { return t.tx }

func beginPostgres(ctx context.Context, pool *pgxpool.Pool) (driverTx, error) {
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return nil, err
	}
	return pgTx{pgQueryer: pgQueryer{run: tx}, tx: tx}, nil
}
