package store

import (
	"context"
	"errors"
	"time"
)

// keepPositions is how long the row of a dropped stream stays, for the positions
// of the one that follows it to continue even when the database's clock is set
// back.
const keepPositions = 24 * time.Hour

// PurgeRecords drops the streams of connections that were deleted, and removes for
// good at most limit records of dropped streams and limit notes of windows that
// ended. It returns how many rows it removed; call it again while that is limit or
// more.
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
// environment.
func (s *Store) dropOrphans(ctx context.Context, limit int) (int, error) {
	err := s.write(ctx, nil, func(ctx context.Context, t *txn) error {
		_, err := s.dropRecordStreams(ctx, t, `id in (select id from record_streams where dropped_at is null
			and connection_id in (select id from connections where deleted_at is not null) limit $1`+s.dialect.skipLocked+")", limit)
		return err
	})
	return 0, err
}

// purgeSeen removes notes of windows that are no more. It looks at one note of
// each window, of which there are few.
func (s *Store) purgeSeen(ctx context.Context, limit int) (int, error) {
	total := 0
	for window := int64(0); total < limit; {
		next, err := one(ctx, s.read(nil), value[int64], `select window_id from records_seen where window_id > $1 order by window_id limit 1`, window)
		if errors.Is(err, errNoRow) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		window = next
		n, err := s.purgeWindow(ctx, window, limit-total)
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// purgeWindow removes at most limit notes of a window that is no more.
func (s *Store) purgeWindow(ctx context.Context, window int64, limit int) (int, error) {
	if _, err := one(ctx, s.read(nil), value[int64], "select id from record_windows where id = $1", window); !errors.Is(err, errNoRow) {
		return 0, err // it is open, or the database failed
	}
	return s.purgeFirst(ctx, "records_seen", "window_id", "external_id", window, limit)
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
	ids, err := all(ctx, s.read(nil), value[int64], `select s.id from record_streams s where s.dropped_at is not null
		and (select 1 from records r where r.stream_id = s.id limit 1) is not null limit $1`, limit)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, id := range ids {
		if total >= limit {
			return total, nil
		}
		n, err := s.purgeFirst(ctx, "records", "stream_id", "position", id, limit-total)
		if err != nil {
			return total, err
		}
		total += n
	}
	// A writer that is about to follow a stream has seen its position, or finds the
	// clock far behind it.
	_, err = s.purge(ctx, nil, `delete from record_streams where dropped_at is not null and dropped_at < `+s.dialect.now+` - $1
		and last_at < `+s.dialect.now+` - $1
		and (select 1 from records r where r.stream_id = record_streams.id limit 1) is null`, keepPositions.Microseconds())
	return total, err
}
