package job

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"github.com/linkspan/linkspan"
)

// riverQueue implements queue for one driver's transactions.
type riverQueue[TTx any] struct{ client *river.Client[TTx] }

func newQueue(c Config, rc *river.Config) (queue, error) {
	switch pool := c.Pool.(type) {
	case *pgxpool.Pool:
		client, err := river.NewClient(riverpgxv5.New(pool), rc)
		return riverQueue[pgx.Tx]{client}, err
	case *sql.DB:
		client, err := river.NewClient(riversqlite.New(pool), rc)
		return riverQueue[*sql.Tx]{client}, err
	default:
		return nil, fmt.Errorf("a pool of type %T is not known", c.Pool)
	}
}

func (q riverQueue[TTx]) start(ctx context.Context) error  { return q.client.Start(ctx) }
func (q riverQueue[TTx]) stop(ctx context.Context) error   { return q.client.Stop(ctx) }
func (q riverQueue[TTx]) cancel(ctx context.Context) error { return q.client.StopAndCancel(ctx) }

func (q riverQueue[TTx]) insert(ctx context.Context, tx linkspan.Tx, a Args, o *river.InsertOpts) error {
	raw, ok := tx.Unwrap().(TTx)
	if !ok {
		return fmt.Errorf("the transaction is a %T of another database", tx.Unwrap())
	}
	_, err := q.client.InsertTx(ctx, raw, a, o)
	return err
}
