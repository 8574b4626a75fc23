package store

import (
	"context"
	"time"
)

// keepPositions is how long the row of a dropped stream stays, for the positions
// of the one that follows it to continue even when the database's clock is set
// back.
const keepPositions = 24 * time.Hour

// PurgeRecords drops the streams of connections that were deleted, and removes for
// good at most limit records of dropped streams and limit notes of windows that
// ended. It returns how many streams it dropped and rows it removed; call it again
// while that is limit or more.
func (s *Store) PurgeRecords(ctx context.Context, limit int) (int, error) {
	total := 0
	for _, purge := range []func(context.Context, int) (int, error){s.dropOrphans, s.purgeSeen, s.purgeDropped} {
		n, err := purge(ctx, limit)
		if err != nil {
			return total, wrap("PurgeRecords", err)
		}
		total += n
	}
	return total, nil
}

// dropOrphans drops streams whose connection went with its integration or
// environment, and returns how many.
func (s *Store) dropOrphans(ctx context.Context, limit int) (n int, err error) {
	err = s.write(ctx, nil, func(ctx context.Context, t *txn) (err error) {
		n, err = s.dropRecordStreams(ctx, t, `id in (select id from record_streams where dropped_at is null
			and connection_id in (select id from connections where deleted_at is not null) limit $1`+s.dialect.skipLocked+")", limit)
		return err
	})
	return n, err
}

// purgeSeen removes notes of windows that are no more.
func (s *Store) purgeSeen(ctx context.Context, limit int) (int, error) {
	// From one window to the next by the index, whatever the number of notes.
	ended, err := all(ctx, s.read(nil), value[int64], `with recursive noted(id) as (
			select (select window_id from records_seen order by window_id limit 1)
			union all
			select (select n.window_id from records_seen n where n.window_id > noted.id order by n.window_id limit 1)
				from noted where noted.id is not null)
		select id from noted where id is not null and not exists (select 1 from record_windows w where w.id = noted.id) limit $1`, limit)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, window := range ended {
		if total >= limit {
			break
		}
		n, err := s.purgeFirst(ctx, "records_seen", "window_id", "external_id", window, limit-total)
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// purgeFirst removes the first rows of a table with a key, in the order of a
// column.
func (s *Store) purgeFirst(ctx context.Context, table, key, column string, id int64, limit int) (int, error) {
	var n int64
	err := s.write(ctx, nil, func(ctx context.Context, t *txn) error {
		return s.ordered(ctx, t, func(ctx context.Context, _ queryer) (err error) {
			n, err = t.exec(ctx, "delete from "+table+" where "+key+" = $1 and "+column+" <= (select max("+column+") from (select "+column+
				" from "+table+" where "+key+" = $1 order by "+column+" limit $2) as f)", id, limit)
			return err
		})
	})
	return int(n), err
}

// purgeDropped removes records of dropped streams, and the rows of those that are
// empty and old.
func (s *Store) purgeDropped(ctx context.Context, limit int) (int, error) {
	ids, err := all(ctx, s.read(nil), value[int64], `select id from record_streams
		where dropped_at is not null and purged_at is null order by id limit $1`, limit)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, id := range ids {
		if total >= limit {
			return total, nil
		}
		wanted := limit - total
		n, err := s.purgeFirst(ctx, "records", "stream_id", "position", id, wanted)
		if err != nil {
			return total, err
		}
		total += n
		if n == wanted {
			continue // there may be more
		}
		// Nothing is added to a stream that was dropped.
		if _, err := s.purge(ctx, nil, "update record_streams set purged_at = "+s.dialect.now+" where id = $1", id); err != nil {
			return total, err
		}
	}
	// A writer that is about to follow a stream has seen its position, or finds the
	// clock far behind it.
	_, err = s.purge(ctx, nil, `delete from record_streams where purged_at is not null and dropped_at < `+s.dialect.now+` - $1
		and last_at < `+s.dialect.now+` - $1`, keepPositions.Microseconds())
	return total, err
}
