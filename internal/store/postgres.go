package store

import (
	"context"
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
	tag, err := q.run.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

func (q pgQueryer) query(ctx context.Context, query string, args ...any) (rows, error) {
	if err := checkText(args); err != nil {
		return nil, err
	}
	return q.run.Query(ctx, query, args...) //nolint:sqlclosecheck // all and one close it
}

// insert sends the rows as one array for each column.
func (q pgQueryer) insert(ctx context.Context, b bulk, values []any) error {
	width := len(b.columns)
	height := len(values) / width
	if height == 0 {
		return nil
	}
	args := make([]any, width)
	params := make([]string, width)
	for i, c := range b.columns {
		array := make([]any, height)
		for row := range height {
			array[row] = values[row*width+i]
		}
		args[i] = array
		params[i] = fmt.Sprintf("cast($%d as %s[])", i+1, c.typ)
	}
	query := "insert into " + b.table + " (" + b.names() + ") select * from unnest(" + strings.Join(params, ", ") + ") " + b.tail
	_, err := q.run.Exec(ctx, query, args...)
	return err
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
