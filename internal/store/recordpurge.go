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
		_, err := s.dropRecordStreams(ctx, t, `id in (select s.id from connections c join record_streams s on s.connection_id = c.id
			where c.deleted_at is not null and s.dropped_at is null limit $1`+s.dialect.of(s.dialect.skipLocked, "s")+")", limit)
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
		n, err := s.purge(ctx, nil, `delete from records_seen where window_id = $1 and not exists (select 1 from record_windows where id = $1)
			and external_id in (select external_id from records_seen where window_id = $1 limit $2)`, window, limit-total)
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
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
		n, err := s.purge(ctx, nil, `delete from records where stream_id = $1 and external_id in (
			select external_id from records where stream_id = $1 limit $2)`, id, limit-total)
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
