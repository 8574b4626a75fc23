package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

// recordKeySize is the length of the keys of record hashes, in bytes.
const recordKeySize = 32

func recordKeyAAD(envUUID string) vault.AAD {
	return vault.AAD{Table: "record_keys", Column: "sealed", Row: envUUID}
}

// RecordKey returns the key of the hashes of an environment's records. It is made
// when it is first asked for, and never changes.
func (s *Store) RecordKey(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (linkspan.Secret, error) {
	const op = "RecordKey"
	uuid, sealed, err := s.sealedRecordKey(ctx, s.read(tx), env)
	if err == nil && sealed == nil {
		err = s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
			var raw [recordKeySize]byte
			_, _ = rand.Read(raw[:]) // never fails
			if sealed, err = s.vault.Seal(ctx, t, env, recordKeyAAD(uuid), raw[:]); err != nil {
				return err
			}
			if _, err := t.exec(ctx, `insert into record_keys (environment_id, sealed, created_at) values ($1, $2, $3)
				on conflict (environment_id) do nothing`, int64(env), sealed, micros(t.now)); err != nil {
				return err
			}
			_, sealed, err = s.sealedRecordKey(ctx, t, env) // somebody else may have been first
			return err
		})
	}
	if err != nil {
		return linkspan.Secret{}, wrap(op, err)
	}
	key, err := s.openText(ctx, tx, env, recordKeyAAD(uuid), sealed)
	return key, wrap(op, err)
}

func (s *Store) sealedRecordKey(ctx context.Context, q queryer, env linkspan.EnvironmentID) (uuid string, sealed []byte, err error) {
	_, err = one(ctx, q, func(r scanner) (struct{}, error) {
		return struct{}{}, r.Scan(&uuid, &sealed)
	}, "select e.uuid, k.sealed from environments e left join record_keys k on k.environment_id = e.id where e.id = $1", int64(env))
	return uuid, sealed, err
}

// selectRecordStream takes the database's clock as the first piece.
const selectRecordStream = `, s.id, s.uuid, s.environment_id, s.connection_id, s.model, s.variant, s.last_at, s.pruned_at, s.live
	from record_streams s where s.environment_id = $1 and s.connection_id = $2 and s.model = $3 and s.variant = $4 and s.dropped_at is null`

func scanRecordStream(r scanner) (s linkspan.RecordStreamRow, err error) {
	return s, r.Scan(&s.Clock, &s.ID, &s.UUID, &s.EnvironmentID, &s.ConnectionID, &s.Model, &s.Variant, &s.Last, &s.Pruned, &s.Live)
}

func streamArgs(st linkspan.RecordStream) []any {
	return []any{int64(st.EnvironmentID), int64(st.ConnectionID), st.Model, st.Variant}
}

// RecordStream returns a stream of records, without its windows.
func (s *Store) RecordStream(ctx context.Context, tx linkspan.Tx, st linkspan.RecordStream) (linkspan.RecordStreamRow, error) {
	row, err := one(ctx, s.read(tx), scanRecordStream, "select "+s.dialect.now+selectRecordStream, streamArgs(st)...)
	return row, wrap("RecordStream", err)
}

// LockRecordStream is RecordStream that keeps others from writing to the stream
// until the transaction ends, and reads its windows. A stream that does not exist
// is made if create is set and its connection exists; it begins behind what was
// dropped.
func (s *Store) LockRecordStream(ctx context.Context, tx linkspan.Tx, st linkspan.RecordStream, create bool) (linkspan.RecordStreamRow, error) {
	const op = "LockRecordStream"
	t := asTxn(tx)
	row, err := s.lockRecordStream(ctx, t, st)
	// What others make or drop in between leads to another try.
	for try := 0; create && errors.Is(err, errNoRow) && try < maxTries; try++ {
		if err := s.insertRecordStream(ctx, t, st); err != nil {
			return row, wrap(op, err)
		}
		row, err = s.lockRecordStream(ctx, t, st)
	}
	if err != nil {
		return row, wrap(op, err)
	}
	// Read after the lock was had: what was read with it may be older.
	err = s.scanWindows(ctx, t, &row)
	return row, wrap(op, err)
}

func (s *Store) lockRecordStream(ctx context.Context, t *txn, st linkspan.RecordStream) (linkspan.RecordStreamRow, error) {
	return one(ctx, t, scanRecordStream, "select "+s.dialect.now+selectRecordStream+s.dialect.forUpdate, streamArgs(st)...)
}

func (s *Store) insertRecordStream(ctx context.Context, t *txn, st linkspan.RecordStream) error {
	// Whoever deletes the connection is not waited for: they wait for the run that
	// this transaction holds, and drop the stream then.
	if _, err := one(ctx, t, value[int64], "select id from connections where id = $1 and environment_id = $2 and deleted_at is null"+
		s.dialect.forKeyShare, int64(st.ConnectionID), int64(st.EnvironmentID)); err != nil {
		return err
	}
	_, err := t.exec(ctx, `insert into record_streams (uuid, environment_id, connection_id, model, variant, last_at, live, pruned_at,
			touched_at, dropped_at, created_at)
		values ($5, $1, $2, $3, $4, coalesce((select max(last_at) from record_streams
			where environment_id = $1 and connection_id = $2 and model = $3 and variant = $4 and dropped_at is not null), 0), 0, 0, `+s.dialect.now+`, null, $6)
		on conflict (connection_id, model, variant) where dropped_at is null do nothing`,
		append(streamArgs(st), linkspan.NewUUID(), micros(t.now))...)
	return err
}

// scanWindows reads the windows of a stream that is locked, and the clock.
func (s *Store) scanWindows(ctx context.Context, t *txn, row *linkspan.RecordStreamRow) error {
	windows, err := all(ctx, t, func(r scanner) (w linkspan.RecordWindow, err error) {
		return w, r.Scan(&row.Clock, &w.ID, &w.Run, &w.Began)
	}, "select "+s.dialect.now+`, coalesce(w.id, 0), coalesce(w.run_id, 0), coalesce(w.began_at, 0)
		from record_streams s left join record_windows w on w.stream_id = s.id where s.id = $1 order by w.id`, row.ID)
	if err != nil {
		return err
	}
	row.Windows = slices.DeleteFunc(windows, func(w linkspan.RecordWindow) bool { return w.ID == 0 })
	return nil
}

// SaveRecordStream stores Last, Pruned and Live of a locked stream.
func (s *Store) SaveRecordStream(ctx context.Context, tx linkspan.Tx, row *linkspan.RecordStreamRow) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		return affected(t.exec(ctx, "update record_streams set last_at = $1, pruned_at = $2, live = $3 where id = $4",
			int64(row.Last), int64(row.Pruned), row.Live, row.ID))
	})
	return wrap("SaveRecordStream", err)
}

// inOrder sorts streams, so that transactions that lock several don't wait for
// each other.
func inOrder(streams []linkspan.RecordStream) []linkspan.RecordStream {
	return slices.SortedFunc(slices.Values(streams), func(a, b linkspan.RecordStream) int {
		return cmp.Or(cmp.Compare(a.ConnectionID, b.ConnectionID), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Variant, b.Variant))
	})
}

// TouchRecordStreams notes that a sync of the streams ran now. Streams that do not
// exist are passed over.
func (s *Store) TouchRecordStreams(ctx context.Context, tx linkspan.Tx, streams []linkspan.RecordStream) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		for _, st := range inOrder(streams) {
			if _, err := t.exec(ctx, "update record_streams set touched_at = "+s.dialect.now+`
				where environment_id = $1 and connection_id = $2 and model = $3 and variant = $4 and dropped_at is null`, streamArgs(st)...); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("TouchRecordStreams", err)
}

// DropRecordStreams makes streams of the environment unreachable and ends their
// windows. PurgeRecords removes their records.
func (s *Store) DropRecordStreams(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, streams []linkspan.RecordStream) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		for _, st := range inOrder(streams) {
			st.EnvironmentID = env
			if _, err := s.dropRecordStreams(ctx, t, `environment_id = $1 and connection_id = $2 and model = $3 and variant = $4
				and dropped_at is null`, streamArgs(st)...); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("DropRecordStreams", err)
}

// DropConnectionRecords is DropRecordStreams for all streams of a connection.
func (s *Store) DropConnectionRecords(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection linkspan.ConnectionID) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		_, err := s.dropRecordStreams(ctx, t, `id in (select id from record_streams
			where environment_id = $1 and connection_id = $2 and dropped_at is null order by model, variant`+s.dialect.forUpdate+")",
			int64(env), int64(connection))
		return err
	})
	return wrap("DropConnectionRecords", err)
}

// DropIdleRecordStreams is DropRecordStreams for at most limit streams that were
// not touched for so long by the database's clock, and of whose connection no sync
// runs or is about to. The syncs that keep them begin from the start with their next
// run: they would not read again what is gone. It returns how many streams there
// were.
func (s *Store) DropIdleRecordStreams(ctx context.Context, tx linkspan.Tx, idleFor time.Duration, limit int) (int, error) {
	idle := "dropped_at is null and touched_at < " + s.dialect.now + ` - $1 and not exists (select 1 from syncs y join runs r on r.sync_id = y.id
		where y.connection_id = record_streams.connection_id and r.ended_at is null)`
	n := 0
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		n = 0
		find := func(where string, args ...any) (list string, err error) {
			ids, err := all(ctx, t, value[int64], "select id from record_streams where "+where, args...)
			if err != nil || len(ids) == 0 {
				return "", err
			}
			return jsonText(ids)
		}
		list, err := find(idle+" order by touched_at limit $2", idleFor.Microseconds(), limit)
		if err != nil || list == "" {
			return err
		}
		// The syncs before the streams: in this order everybody takes them.
		if _, err := all(ctx, t, value[int64], "select id from syncs where connection_id in (select connection_id from record_streams where "+
			s.dialect.among("id", "$1")+") order by id"+s.dialect.forUpdate, list); err != nil {
			return err
		}
		if list, err = find(s.dialect.among("id", "$1")+" order by id"+s.dialect.skipLocked, list); err != nil || list == "" {
			return err
		}
		// Asked again now that nobody can write to them: a run may have begun, and
		// saved something, before.
		if list, err = find(idle+" and "+s.dialect.among("id", "$2"), idleFor.Microseconds(), list); err != nil || list == "" {
			return err
		}
		if err := s.restartSyncs(ctx, t, list); err != nil {
			return err
		}
		n, err = s.dropRecordStreams(ctx, t, s.dialect.among("id", "$1"), list)
		return err
	})
	return n, wrap("DropIdleRecordStreams", err)
}

// restartSyncs has the syncs begin from the start that keep records in streams,
// whose ids are a JSON array.
func (s *Store) restartSyncs(ctx context.Context, t *txn, streams string) error {
	declares := "exists (select 1 from json_each(v.definition, '$.models') m where m.value = d.model)"
	if s.pg != nil {
		declares = "coalesce(cast(v.definition as jsonb) -> 'models' @> to_jsonb(d.model), false)"
	}
	syncs, err := all(ctx, t, value[linkspan.SyncID], `select distinct y.id from record_streams d
		join syncs y on y.connection_id = d.connection_id and y.variant = d.variant
		join functions f on f.id = y.function_id join function_versions v on v.id = f.version_id
		where `+s.dialect.among("d.id", "$1")+" and "+declares+" order by y.id", streams)
	if err != nil || len(syncs) == 0 {
		return err
	}
	return s.ResetSyncs(ctx, t, syncs, false)
}

func (s *Store) dropRecordStreams(ctx context.Context, t *txn, where string, args ...any) (int, error) {
	ids, err := all(ctx, t, value[int64], "update record_streams set dropped_at = "+s.dialect.now+" where "+where+" returning id", args...)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	list, err := jsonText(ids)
	if err != nil {
		return 0, err
	}
	_, err = t.exec(ctx, "delete from record_windows where stream_id in ("+s.dialect.ids("$1")+")", list)
	return len(ids), err
}

// LiveRecords returns how many records of each stream of the connections are not
// deleted.
func (s *Store) LiveRecords(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connections []linkspan.ConnectionID) (map[linkspan.RecordStream]int64, error) {
	const op = "LiveRecords"
	ids, err := jsonText(connections)
	if err != nil {
		return nil, wrap(op, err)
	}
	type count struct {
		stream linkspan.RecordStream
		live   int64
	}
	counts, err := all(ctx, s.read(tx), func(r scanner) (c count, err error) {
		return c, r.Scan(&c.stream.EnvironmentID, &c.stream.ConnectionID, &c.stream.Model, &c.stream.Variant, &c.live)
	}, `select environment_id, connection_id, model, variant, live from record_streams
		where environment_id = $1 and `+s.dialect.among("connection_id", "$2")+" and dropped_at is null", int64(env), ids)
	if err != nil {
		return nil, wrap(op, err)
	}
	live := make(map[linkspan.RecordStream]int64, len(counts))
	for _, c := range counts {
		live[c.stream] = c.live
	}
	return live, nil
}

// RecordStreamsToPrune returns at most limit streams with payloads that have not
// changed for so long by the database's clock, in the order of their ids behind one,
// and the id of the last one; zero: there are no more.
func (s *Store) RecordStreamsToPrune(ctx context.Context, tx linkspan.Tx, olderThan time.Duration, after int64, limit int) (streams []linkspan.RecordStream, next int64, err error) {
	err = s.ordered(ctx, tx, func(ctx context.Context, q queryer) (err error) {
		streams, err = all(ctx, q, func(r scanner) (st linkspan.RecordStream, err error) {
			return st, r.Scan(&next, &st.EnvironmentID, &st.ConnectionID, &st.Model, &st.Variant)
		}, `select s.id, s.environment_id, s.connection_id, s.model, s.variant from record_streams s
		where s.id > $2 and s.dropped_at is null and s.pruned_at < s.last_at and s.created_at < `+s.dialect.now+` - $1
			and (select r.position from records r where r.stream_id = s.id and r.position > s.pruned_at order by r.position limit 1)
				< `+s.dialect.now+" - $1 order by s.id limit $3", olderThan.Microseconds(), after, limit)
		return err
	})
	if err != nil {
		return nil, 0, wrap("RecordStreamsToPrune", fmt.Errorf("older than %s: %w", olderThan, err))
	}
	if len(streams) < limit {
		next = 0
	}
	return streams, next, nil
}
