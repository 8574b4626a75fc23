package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// relisten is how long a lost listening connection is not tried again. Polling
// covers the gap.
const relisten = time.Second

// listen forwards PostgreSQL's notifications to ch until ctx ends or the
// database is closed, over a connection of its own.
func (db *DB) listen(ctx context.Context, ch chan<- struct{}) {
	defer close(ch)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	db.wg.Go(func() {
		select {
		case <-ctx.Done():
		case <-db.done:
			cancel()
		}
	})
	lost := false
	for {
		err := db.listenOnce(ctx, func() {
			if lost {
				lost = false
				db.log.InfoContext(ctx, "listening for changes again")
			}
			signal(ch) // something may have been missed
		}, ch)
		if ctx.Err() != nil {
			return
		}
		if !lost {
			lost = true
			db.log.WarnContext(ctx, "listening for changes stopped; polling until it works again", "error", err)
		}
		timer := time.NewTimer(relisten)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// listenOnce listens on one connection for as long as it lasts.
func (db *DB) listenOnce(ctx context.Context, connected func(), ch chan<- struct{}) error {
	conn, err := pgx.ConnectConfig(ctx, db.pg.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = conn.Close(ctx) // the connection is of no use any more either way
	}()
	if _, err := conn.Exec(ctx, "listen "+changeChannel); err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	connected()
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return fmt.Errorf("waiting for a notification: %w", err)
		}
		signal(ch)
	}
}
